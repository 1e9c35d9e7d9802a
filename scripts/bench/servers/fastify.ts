import fastify from "fastify";
import { BIG, DATA, HELLO } from "../apps/content.ts";
import { handler, hostname, port } from "./settings.ts";

const app = fastify({ logger: false });

if (handler === "hello") {
  app.get("/", (_request, reply) => void reply.send(HELLO));
}
if (handler === "json") {
  // With a schema of the response, which Fastify compiles to a serializer.
  const item = {
    type: "object",
    properties: {
      id: { type: "integer" },
      name: { type: "string" },
      price: { type: "integer" },
      tags: { type: "array", items: { type: "string" } },
    },
  };
  const data = {
    type: "object",
    properties: {
      items: { type: "array", items: item },
      note: { type: "string" },
    },
  };
  app.get("/json", { schema: { response: { 200: data } } }, (_request, reply) => void reply.send(DATA));
}
if (handler === "echo") {
  app.addContentTypeParser(
    "application/octet-stream",
    { parseAs: "buffer" },
    (_request, body, done) => {
      done(null, body);
    },
  );
  app.post("/echo", (request, reply) => void reply.send(request.body));
}
if (handler === "big") {
  app.get("/big", (_request, reply) => void reply.send(BIG));
}

await app.listen({ port, host: hostname });
