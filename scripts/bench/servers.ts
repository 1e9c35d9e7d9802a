// The table of servers: which file is which server, on which runtime, for which cases.
import { join } from "node:path";
import type { Handler } from "./apps/content.ts";
import type { RuntimeBinary, RuntimeName } from "./runtimes.ts";

export type ServerId =
  | "tricorn"
  | "baseline"
  | "node:http"
  | "hono-node-server"
  | "srvx"
  | "fastify"
  | "Bun.serve"
  | "Deno.serve"
  | "raw";

export interface ServerKind {
  readonly id: ServerId;
  readonly title: string;
  /** `own` is the runtime's own HTTP server, `raw` its socket answering fixed bytes. */
  readonly role: "tricorn" | "own" | "raw" | "other";
  readonly runtimes: readonly RuntimeName[];
  readonly handlers: readonly Handler[];
  /** In this folder; null for Tricorn, which has its command. */
  readonly file: string | null;
}

const PLAIN: readonly Handler[] = ["hello", "json", "echo", "big"];
const HONO: readonly Handler[] = ["hono"];
const ALL: readonly Handler[] = [...PLAIN, ...HONO];
const NODE: readonly RuntimeName[] = ["node"];

export const SERVERS: readonly ServerKind[] = [
  kind("tricorn", "Tricorn", "tricorn", ["node", "bun", "deno"], ALL, null),
  kind("baseline", "Tricorn, baseline", "other", ["node", "bun", "deno"], ALL, null),
  kind("node:http", "node:http", "own", NODE, PLAIN, "node_http.ts"),
  kind("hono-node-server", "@hono/node-server", "other", NODE, HONO, "hono_node_server.ts"),
  kind("srvx", "srvx", "other", NODE, PLAIN, "srvx.ts"),
  kind("srvx", "srvx", "other", NODE, HONO, "srvx_hono.ts"),
  kind("fastify", "Fastify", "other", NODE, PLAIN, "fastify.ts"),
  kind("Bun.serve", "Bun.serve", "own", ["bun"], ALL, "bun_serve.ts"),
  kind("Deno.serve", "Deno.serve", "own", ["deno"], ALL, "deno_serve.ts"),
  kind("raw", "raw socket, fixed bytes", "raw", NODE, PLAIN, "raw_node.ts"),
  kind("raw", "raw socket, fixed bytes", "raw", ["bun"], PLAIN, "raw_bun.ts"),
  kind("raw", "raw socket, fixed bytes", "raw", ["deno"], PLAIN, "raw_deno.ts"),
];

function kind(
  id: ServerId,
  title: string,
  role: ServerKind["role"],
  runtimes: readonly RuntimeName[],
  handlers: readonly Handler[],
  file: string | null,
): ServerKind {
  return { id, title, role, runtimes, handlers, file };
}

/** What the servers of other projects need installed. */
export function needsPackages({ id, handlers }: ServerKind): boolean {
  return id === "srvx" || id === "fastify" || handlers.includes("hono");
}

export interface Checkouts {
  readonly root: string;
  /** Another checkout of Tricorn to compare with. */
  readonly baseline: string | null;
}

/** The words that start `server`. */
export function commandOf(
  server: ServerKind,
  runtime: RuntimeBinary,
  { handler, port, idle }: { handler: Handler; port: number; idle: boolean },
  { root, baseline }: Checkouts,
): string[] {
  const bench = join(root, "scripts/bench");
  if (server.file !== null) {
    return [...runtime.command, join(bench, "servers", server.file)];
  }
  const app = join(bench, "apps", handler === "hono" ? "hono.ts" : "esgi.ts");
  const checkout = server.id === "baseline" ? baseline! : root;
  const limits = idle ? ["--keep-alive", "600", "--worker-connections", "0"] : [];
  return [
    ...runtime.command,
    join(checkout, "adapters/bin.ts"),
    "serve",
    app,
    "-b",
    `127.0.0.1:${port}`,
    ...limits,
  ];
}
