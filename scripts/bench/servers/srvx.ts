import { FastResponse, serve } from "srvx";
import { fetchHandler } from "../apps/fetch.ts";
import { handler, hostname, port } from "./settings.ts";

// Its text() reads the socket's stream; its bytes() would make a native Request first.
serve({
  fetch: fetchHandler(handler, FastResponse, "text"),
  hostname,
  port,
  silent: true,
});
