// The public API, `import { serve } from "tricorn"`, and the only file that knows both the core and the runtimes.

import type { Runtime } from "../src/runtime/port.ts";

/** The runtime that this process runs on. Each adapter is only loaded where it belongs. */
export const runtime: Runtime = await choose();

async function choose(): Promise<Runtime> {
  const inNode = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";
  if (inNode === "node") return (await import("./node.ts")).runtime;
  const { runtime } = inNode === "deno" ? await import("./deno.ts") : await import("./bun.ts");
  return {
    ...runtime,
    // Deno.listen takes no file descriptor, and Bun.listen does not tell what kind of socket it got: node:net does both.
    listen: async (bind, options, accept) =>
      bind.kind === "fd"
        ? (await import("./node.ts")).listen(bind, options, accept)
        : runtime.listen(bind, options, accept),
  };
}
