import { createServer, type RequestListener } from "node:http";
import { BIG, DATA, HELLO, type PlainHandler } from "../apps/content.ts";
import { handler, hostname, idle, port } from "./settings.ts";

const handlers: Record<PlainHandler, RequestListener> = {
  hello(_request, response) {
    response.writeHead(200, {
      "Content-Type": "text/plain",
      "Content-Length": HELLO.length,
    });
    response.end(HELLO);
  },
  json(_request, response) {
    const body = JSON.stringify(DATA);
    response.writeHead(200, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
    });
    response.end(body);
  },
  echo(request, response) {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => void chunks.push(chunk));
    request.on("end", () => {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      response.writeHead(200, {
        "Content-Type": "application/octet-stream",
        "Content-Length": body.length,
      });
      response.end(body);
    });
  },
  big(_request, response) {
    response.writeHead(200, {
      "Content-Type": "application/octet-stream",
      "Content-Length": BIG.length,
    });
    response.end(BIG);
  },
};

const server = createServer(handlers[handler as keyof typeof handlers]);
if (idle) server.keepAliveTimeout = 600_000;
server.listen(port, hostname);
