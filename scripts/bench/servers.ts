// The table of servers: which file is which server, on which runtime, for which cases.
import { join } from "node:path";
import type { Handler, SiteName } from "./apps/content.ts";
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
  | "esgi"
  | "routes-10"
  | "django"
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
  /** Tricorn may be compared with itself: what this one runs in the place of the case's handler. */
  readonly runs: Handler | null;
}

const PLAIN: readonly Handler[] = ["hello", "json", "echo", "big"];
const HONO: readonly Handler[] = ["hono"];
const ALL: readonly Handler[] = [...PLAIN, ...HONO];
const SITES: readonly SiteName[] = ["site", "routes-10", "routes-1000"];
const NODE: readonly RuntimeName[] = ["node"];
const EACH: readonly RuntimeName[] = ["node", "bun", "deno"];

export const SERVERS: readonly ServerKind[] = [
  kind("tricorn", "Tricorn", "tricorn", EACH, [...ALL, ...SITES], null),
  kind("baseline", "Tricorn, baseline", "other", EACH, ALL, null),
  kind("node:http", "node:http", "own", NODE, PLAIN, "node_http.ts"),
  kind("hono-node-server", "@hono/node-server", "other", NODE, HONO, "hono_node_server.ts"),
  kind("srvx", "srvx", "other", NODE, PLAIN, "srvx.ts"),
  kind("srvx", "srvx", "other", NODE, HONO, "srvx_hono.ts"),
  kind("fastify", "Fastify", "other", NODE, PLAIN, "fastify.ts"),
  kind("Bun.serve", "Bun.serve", "own", ["bun"], ALL, "bun_serve.ts"),
  kind("Deno.serve", "Deno.serve", "own", ["deno"], ALL, "deno_serve.ts"),
  kind("esgi", "Tricorn, ESGI alone", "other", EACH, ["site"], null, "hello"),
  kind("routes-10", "Tricorn, 10 routes", "other", EACH, ["routes-1000"], null, "routes-10"),
  // In the blocks of all runtimes, so that both have their turns in one round.
  kind("django", "Django on Gunicorn", "other", EACH, ["site"], "django_site.py"),
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
  runs: Handler | null = null,
): ServerKind {
  return { id, title, role, runtimes, handlers, file, runs };
}

/** What the servers of other projects need installed. */
export function needsPackages({ id, handlers }: ServerKind): boolean {
  return id === "srvx" || id === "fastify" || handlers.includes("hono");
}

export interface Checkouts {
  readonly root: string;
  /** Another checkout of Tricorn to compare with. */
  readonly baseline: string | null;
  /** A Python that has Django and Gunicorn. */
  readonly python: string | null;
}

function isSite(handler: Handler): boolean {
  return (SITES as readonly Handler[]).includes(handler);
}

/** The words that start `server`. */
export function commandOf(
  server: ServerKind,
  runtime: RuntimeBinary,
  { handler, port, idle }: { handler: Handler; port: number; idle: boolean },
  { root, baseline, python }: Checkouts,
): string[] {
  const bench = join(root, "scripts/bench");
  if (server.id === "django") {
    // -B: nothing compiled is left in the checkout.
    const options = ["--workers", "1", "--bind", `127.0.0.1:${port}`, "--chdir", join(bench, "servers")];
    return [python!, "-B", "-m", "gunicorn", ...options, "django_site:application"];
  }
  if (server.file !== null) {
    return [...runtime.command, join(bench, "servers", server.file)];
  }
  const app = join(bench, "apps", handler === "hono" ? "hono.ts" : isSite(handler) ? "site.ts" : "esgi.ts");
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
