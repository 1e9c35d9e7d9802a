// The public API, `import { serve } from "tricorn"`, and the only file that knows both the core and the runtimes.

import type { FetchApplication } from "../src/bridges/mod.ts";
import { run, type RunningServer } from "../src/cli/run.ts";
import type { Options } from "../src/config/settings.ts";
import type { Application } from "../src/esgi/application.ts";
import type { Runtime } from "../src/runtime/port.ts";
import { processHost } from "./process.ts";

export type { Application, FetchApplication, Options, RunningServer };

/** The runtime that this process runs on. Each adapter is only loaded where it belongs. */
export const runtime: Runtime = await choose();

async function choose(): Promise<Runtime> {
  const inNode = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";
  if (inNode === "node") return (await import("./node.ts")).runtime;
  const { runtime } = inNode === "deno" ? await import("./deno.ts") : await import("./bun.ts");
  return {
    ...runtime,
    // Deno.listen takes no file descriptor, and Bun.listen does not tell what kind of socket it got: node:net does both.
    // Deno.listenTls cannot ask clients for certificates: node:tls can.
    listen: async (bind, options, accept) =>
      bind.kind === "fd" || (inNode === "deno" && options.tls?.requestClientCert)
        ? (await import("./node.ts")).listen(bind, options, accept)
        : runtime.listen(bind, options, accept),
  };
}

/**
 * Serves `application` on this runtime: an ESGI application, a fetch handler, or an object with `fetch` (a Hono app).
 * `options` are the settings of docs/settings.md, by the names they have there. Resolves when it listens. SIGINT and
 * SIGTERM let requests in flight finish and end the process, unless `handle_signals` is false.
 *
 * @throws {ConfigError} when an option does not exist or has a wrong value.
 * @throws {LoadError} when `application` is nothing that can be served.
 * @throws {BindError} when an address cannot be listened on.
 */
export function serve(application: Application | FetchApplication, options: Options = {}): Promise<RunningServer> {
  return run(application, options, { host: processHost, runtime });
}
