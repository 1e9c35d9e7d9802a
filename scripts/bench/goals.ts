// What Tricorn must reach, as one table: times the requests per second, and times less CPU time, of another server.

import type { ServerId } from "./servers.ts";
import type { RuntimeName } from "./runtimes.ts";

// What tricorn/handler adds, the same on each runtime.
const HANDLER = { handler: { esgi: 0.75 }, routes: { "routes-10": 0.9 } } as const;

const TABLE: Record<
  RuntimeName,
  Record<string, Partial<Record<ServerId, number>>>
> = {
  node: {
    hello: { "node:http": 1.5, raw: 0.85 },
    headers: { "node:http": 1.4 },
    echo: { "node:http": 1.6 },
    pipeline: { "node:http": 6 },
    hono: { "hono-node-server": 1.6 },
    "hono-param": { "hono-node-server": 1.6 },
    ...HANDLER,
  },
  bun: {
    hello: { "Bun.serve": 1 },
    json: { "Bun.serve": 1 },
    echo: { "Bun.serve": 1 },
    big: { "Bun.serve": 1 },
    pipeline: { "Bun.serve": 6 },
    "hono-param": { "Bun.serve": 1 },
    ...HANDLER,
  },
  deno: {
    hello: { "Deno.serve": 0.95 },
    json: { "Deno.serve": 1.4 },
    echo: { "Deno.serve": 2 },
    pipeline: { "Deno.serve": 6 },
    hono: { "Deno.serve": 0.9 },
    "hono-param": { "Deno.serve": 0.9 },
    ...HANDLER,
  },
};

/** The least that the ratio must be, or null when there is no goal. */
export function goalOf(runtime: RuntimeName, caseName: string, against: ServerId): number | null {
  return TABLE[runtime][caseName]?.[against] ?? null;
}

export type Verdict = "met" | "missed";

/** One goal and what became of it. */
export interface Outcome {
  readonly runtime: string;
  readonly case: string;
  readonly against: string;
  readonly goal: number;
  /** Null where there is none to judge. */
  readonly ratios: Readonly<Record<string, number | null>>;
  readonly verdicts: Readonly<Record<string, Verdict | null>>;
}

export function judge(ratio: number, atLeast: number): Verdict {
  // What is printed as the goal has reached it.
  return Math.round(ratio * 100) >= Math.round(atLeast * 100) ? "met" : "missed";
}
