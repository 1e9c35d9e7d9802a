// Which adapter serves here: the one choice between the runtimes, made once, when the process starts.

import type { Bind, ListenOptions, Runtime } from "../src/runtime/port.ts";

/** The runtime that this process runs on. Each adapter is only loaded where it belongs. */
export const runtime: Runtime = await choose();

async function choose(): Promise<Runtime> {
  const name = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";
  if (name === "node") return (await import("./node.ts")).runtime;
  const { runtime } = name === "deno" ? await import("./deno.ts") : await import("./bun.ts");
  const native = name === "deno" ? onDeno : onBun;
  return {
    ...runtime,
    listen: async (bind, options, accept) =>
      native(bind, options)
        ? runtime.listen(bind, options, accept)
        : (await import("./node.ts")).listen(bind, options, accept),
  };
}

/**
 * Deno.listen takes neither a descriptor nor a handle, SO_REUSEPORT only with --unstable-net, and Deno.listenTls cannot ask
 * clients for certificates: node:net and node:tls do all that.
 */
function onDeno(bind: Bind, { tls, shared, reusePort }: ListenOptions): boolean {
  return bind.kind !== "fd" && shared === undefined && !reusePort && !tls?.requestClientCert;
}

/** Bun.listen does not tell what kind of socket a descriptor is: node:net does. */
function onBun(bind: Bind): boolean {
  return bind.kind !== "fd";
}
