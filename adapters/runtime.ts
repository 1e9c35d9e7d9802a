// Which adapter serves here: the one choice between the runtimes, made once, when the process starts.

import type { Runtime } from "../src/runtime/port.ts";

/** The runtime that this process runs on. Each adapter is only loaded where it belongs. */
export const runtime: Runtime = await choose();

async function choose(): Promise<Runtime> {
  const name = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";
  if (name === "node") return (await import("./node.ts")).runtime;
  const { runtime } = name === "deno" ? await import("./deno.ts") : await import("./bun.ts");
  return {
    ...runtime,
    // Deno.listen takes no file descriptor, and Bun.listen does not tell what kind of socket it got: node:net does both.
    // Deno.listenTls cannot ask clients for certificates: node:tls can.
    listen: async (bind, options, accept) =>
      bind.kind === "fd" || (name === "deno" && options.tls?.requestClientCert)
        ? (await import("./node.ts")).listen(bind, options, accept)
        : runtime.listen(bind, options, accept),
  };
}
