// The echo example; and what it leaves out of the environ, for who asks with X-Environ.

import { application as echo } from "../../examples/echo.ts";
import type { Application } from "../../src/esgi/mod.ts";

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

export const application: Application = (environ, startResponse) => {
  if (environ.HTTP_X_ENVIRON === undefined) return echo(environ, startResponse);
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return JSON.stringify(Object.fromEntries(
    KEYS.filter((key) => Object.hasOwn(environ, key)).map((key) => [key, environ[key as "SCRIPT_NAME"]]),
  ));
};
