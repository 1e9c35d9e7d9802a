// Answers with what it was asked, which is useful for testing servers, proxies and clients.
import { createHash } from "node:crypto";
import type { Application, Chunk, Environ, StartResponse } from "../src/esgi/mod.ts"; // in your project: "tricorn/esgi"

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The request as JSON. The body is read piece by piece; one that breaks off throws, and is answered with 400. */
async function echo(environ: Environ, startResponse: StartResponse, delay: number): Promise<Chunk> {
  const input = environ["esgi.input"];
  const hash = createHash("sha256");
  let bodyLength = 0;
  for await (const chunk of input) {
    bodyLength += chunk.length;
    hash.update(chunk);
  }
  if (delay > 0) await sleep(delay);
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return JSON.stringify({
    method: environ.REQUEST_METHOD,
    target: environ["esgi.target"],
    path: environ.PATH_INFO,
    query: environ.QUERY_STRING,
    protocol: environ.SERVER_PROTOCOL,
    headers: environ["esgi.headers"],
    bodyLength,
    bodySha256: hash.digest("hex"),
    trailers: input.trailers,
  });
}

/** Five chunks, 20 ms apart. */
async function* stream(): AsyncGenerator<Chunk, undefined> {
  for (let n = 0; n < 5; n++) {
    if (n > 0) await sleep(20);
    yield `chunk${n}\n`;
  }
}

/** 50 MB in pieces of 64 kB; each is made when the one before has been written. */
function* big(): Generator<Chunk, undefined> {
  const piece = new Uint8Array(65_536).fill(0x61);
  for (let n = 0; n < 800; n++) yield piece;
}

export const application: Application = (environ, startResponse) => {
  const path = environ.PATH_INFO;
  switch (path) {
    case "/status/204":
      startResponse("204 No Content", []);
      return null;
    case "/status/304":
      startResponse("304 Not Modified", [["ETag", '"1"']]);
      return null;
    case "/stream":
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      return stream();
    case "/big":
      startResponse("200 OK", [["Content-Type", "application/octet-stream"], ["Content-Length", String(800 * 65_536)]]);
      return big();
    default:
      return echo(environ, startResponse, path.startsWith("/slow") ? 300 : 0);
  }
};
