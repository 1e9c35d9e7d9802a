// The application behind the web servers: what it is told of the client, and each thing that a web server can get wrong.

import { existsSync } from "node:fs";
import type { Application, Chunk } from "../../src/esgi/mod.ts";

const TEXT: [string, string] = ["Content-Type", "text/plain"];
/** Resolves when there is a file: any worker sees it, whoever answers the request of the test. */
async function opened(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));
}

export const application: Application = async (environ, startResponse) => {
  switch (environ.PATH_INFO) {
    /** Its second piece comes when the file that the query names is there. */
    case "/events":
      startResponse("200 OK", [["Content-Type", "text/event-stream"], ["X-Accel-Buffering", "no"]]);
      return (async function* (): AsyncGenerator<Chunk, undefined> {
        yield "data: first\n\n";
        await opened(environ.QUERY_STRING);
        yield "data: second\n\n";
      })();
    case "/accel":
      startResponse("200 OK", [TEXT, ["X-Accel-Redirect", "/protected/secret file.txt"]]);
      return "nobody sees this";
    case "/socket":
      if (!environ["esgi.upgrade"]?.includes("websocket")) {
        startResponse("426 Upgrade Required", [TEXT, ["Upgrade", "websocket"]]);
        return `offered: ${environ["esgi.upgrade"]?.join() ?? "nothing"}`;
      }
      startResponse("101 Switching Protocols", [["Upgrade", "websocket"]]);
      return async (socket) => {
        for await (const chunk of socket) await socket.write(chunk);
      };
    case "/body":
      startResponse("200 OK", [TEXT]);
      return String((await environ["esgi.input"].bytes()).length);
    case "/fails":
      throw new Error("it fails");
  }
  const plain = Object.fromEntries(Object.entries({ ...environ }).filter(([, value]) => typeof value === "string"));
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return JSON.stringify({ ...plain, headers: environ["esgi.headers"] });
};
