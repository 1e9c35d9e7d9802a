// A server in one file, the same on three runtimes: `node serve.ts`, `deno run --allow-net --allow-env serve.ts`,
// `bun run serve.ts`. It listens on 127.0.0.1:8000, or on the port that PORT names.
import { serve } from "../adapters/mod.ts"; // in your project: "tricorn"
import type { Application } from "../src/esgi/mod.ts"; // in your project: "tricorn/esgi"

const application: Application = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain; charset=utf-8"]]);
  return `Hello, ${environ.REMOTE_ADDR || "neighbour"}!\n`;
};

// The options are the settings of docs/settings.md; SIGINT and SIGTERM let requests finish.
await serve(application, { keepalive: 5 });
