import { fetchHandler } from "../apps/fetch.ts";
import { handler, hostname, port } from "./settings.ts";

const fetch = handler === "hono" ? (await import("../apps/hono.ts")).default.fetch : fetchHandler(handler);

Deno.serve({ hostname, port, onListen() {} }, fetch as (request: Request) => Response);
