// The echo example, with the environ for who asks with X-Environ; and responses that are large, or break off.

import { existsSync } from "node:fs";
import { application as echo } from "../../examples/echo.ts";
import type { Application, Chunk, StartResponse } from "../../src/esgi/mod.ts";

async function* broken(startResponse: StartResponse, length: boolean): AsyncGenerator<Chunk, undefined> {
  const type = ["Content-Type", "text/plain"] as const;
  startResponse("200 OK", length ? [type, ["Content-Length", "1000"]] : [type]);
  yield "begun";
  // The head is on its way by then.
  await new Promise((resolve) => setTimeout(resolve, 100));
  throw new Error("as asked");
}

/** Its second piece comes when there is the file at `path`: any process sees it. */
async function* gated(path: string): AsyncGenerator<Chunk, undefined> {
  yield "first\n";
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));
  yield "second\n";
}

/** 5 MB in pieces of 64 kB. */
function* large(): Generator<Chunk, undefined> {
  for (let n = 0; n < 80; n++) yield "x".repeat(65_536);
}

export const application: Application = async (environ, startResponse) => {
  if (environ.PATH_INFO.startsWith("/broken")) return broken(startResponse, environ.PATH_INFO === "/broken/length");
  if (environ.PATH_INFO === "/large" || environ.PATH_INFO === "/gated") {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return environ.PATH_INFO === "/large" ? large() : gated(environ.QUERY_STRING);
  }
  // As it was before the application could change it.
  const strings = Object.entries({ ...environ }).filter(([, value]) => typeof value === "string");
  const answer = await echo(environ, startResponse);
  if (environ.HTTP_X_ENVIRON === undefined) return answer;
  const more = ["esgi.upgrade", "esgi.early_hints"].filter((key) => key in environ);
  return JSON.stringify({ ...JSON.parse(answer as string) as object, environ: Object.fromEntries(strings), more });
};
