import { fetchHandler } from "../apps/fetch.ts";
import { handler, hostname, idle, port } from "./settings.ts";

const fetch = handler === "hono" ? (await import("../apps/hono.ts")).default.fetch : fetchHandler(handler);

Bun.serve({
  hostname,
  port,
  fetch: fetch as (request: Request) => Response,
  ...(idle ? { idleTimeout: 0 } : {}),
});
