// The echo example; what it leaves out of the environ, for who asks with X-Environ; and responses that break off.

import { application as echo } from "../../examples/echo.ts";
import type { Application, Chunk, StartResponse } from "../../src/esgi/mod.ts";

const KEYS = [
  "SCRIPT_NAME",
  "PATH_INFO",
  "CONTENT_TYPE",
  "CONTENT_LENGTH",
  "SERVER_NAME",
  "SERVER_PORT",
  "REMOTE_ADDR",
  "REMOTE_PORT",
  "HTTP_HOST",
  "HTTP_COOKIE",
  "HTTP_X_REPEATED",
  "HTTP_PROXY",
  "HTTP_TRANSFER_ENCODING",
  "esgi.url_scheme",
  "esgi.upgrade",
  "esgi.early_hints",
];

async function* broken(startResponse: StartResponse, length: boolean): AsyncGenerator<Chunk, undefined> {
  const type = ["Content-Type", "text/plain"] as const;
  startResponse("200 OK", length ? [type, ["Content-Length", "1000"]] : [type]);
  yield "begun";
  // The head is on its way by then.
  await new Promise((resolve) => setTimeout(resolve, 100));
  throw new Error("as asked");
}

export const application: Application = (environ, startResponse) => {
  if (environ.PATH_INFO.startsWith("/broken")) return broken(startResponse, environ.PATH_INFO === "/broken/length");
  if (environ.HTTP_X_ENVIRON === undefined) return echo(environ, startResponse);
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return JSON.stringify(Object.fromEntries(
    KEYS.filter((key) => Object.hasOwn(environ, key)).map((key) => [key, environ[key as "SCRIPT_NAME"]]),
  ));
};
