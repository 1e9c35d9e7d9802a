// Tricorn's own server under the validator: the suite that the bridges pass, and SPEC.md's rules on each request.

import { runtime } from "../../adapters/node.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import { EventBus } from "../../src/observe/events.ts";
import { Server } from "../../src/server/server.ts";
import { makeApplication } from "../bridges/fixtures/application.ts";
import { httpSuite } from "../bridges/http_suite.ts";

httpSuite("Tricorn", async () => {
  let errors = "";
  const events = new EventBus();
  events.on("notice", ({ message }) => errors += `${message}\n`);
  events.on("fault", ({ message, error }) => errors += `${message} ${(error as Error | null)?.stack ?? ""}\n`);
  const server = new Server(makeApplication(), runtime, resolveSettings({}), events);
  const { bind } = await server.listen({ kind: "tcp", host: "127.0.0.1", port: 0 }, { backlog: 100 });
  return { port: bind.kind === "tcp" ? bind.port : 0, errors: () => errors, stop: () => server.close() };
}, {
  earlyHints: true,
  trailers: true,
  upgrade: true,
  skip: { "drops hop-by-hop fields": "`Connection: close` is taken as the application's wish" },
});
