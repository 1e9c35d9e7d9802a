// How evenly workers share what comes: their connections and requests while wrk loads them, as the master tells them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Setup } from "../measure.ts";
import type { RuntimeBinary } from "../runtimes.ts";
import { luaScript, runWrk } from "../wrk.ts";
import { Pool } from "./pool.ts";
import { POOL_CASES } from "./scaling.ts";

/** How many clients there are at once. */
export const CONNECTIONS = 100;
export const BALANCED_SIZES = [2, 4] as const;
export const KINDS = ["keep-alive", "one-shot"] as const;

/** How the clients connect: once for all their requests, or anew for each. */
export type Kind = (typeof KINDS)[number];

/** Who accepts is chance: one load would say little, and more would take long. */
export const BALANCE_ROUNDS = 3;

/** What the workers have at one time, in the order of their ids. */
export interface Sample {
  /** Seconds since wrk was started. */
  readonly at: number;
  readonly pids: readonly number[];
  readonly connections: readonly number[];
  /** Since the worker was started. */
  readonly requests: readonly number[];
}

/** One figure a worker: soon after the start, and `settled` seconds later or from then on. */
export interface Shares {
  readonly first: readonly number[];
  readonly settled: readonly number[];
}

export interface Balance {
  readonly workers: number;
  readonly kind: Kind;
  /** Connections that are open: when most have been told of, and later. Null for one-shot ones: a moment says nothing. */
  readonly connections: Shares | null;
  /** Requests until then, and from then to the end. */
  readonly requests: Shares;
}

/** Loads pools of both sizes with both kinds of connections. */
export async function measureBalance(
  runtime: RuntimeBinary,
  setup: Setup,
  step: (what: string) => void,
): Promise<Balance[]> {
  const balances: Balance[] = [];
  // Workers tell how they are once a second: a shorter load would not be seen.
  const { settled, seconds } = setup.warmUp ? { settled: 3, seconds: 6 } : { settled: 1.2, seconds: 2.4 };
  const rounds = Math.min(setup.rounds, BALANCE_ROUNDS);
  for (const workers of BALANCED_SIZES) {
    const pool = await Pool.start(runtime, workers, setup);
    try {
      for (const kind of KINDS) {
        for (let round = 1; round <= rounds; round++) {
          step(`balance, ${workers} workers, ${kind}, round ${round} of ${rounds}`);
          const samples = await takeSamples(pool, kind, seconds, setup);
          balances.push({ workers, kind, ...sharesOf(samples, kind, settled) });
        }
      }
    } finally {
      await pool.stop();
    }
  }
  return balances;
}

/** What the workers have before the load, four times a second under it, and after it. */
async function takeSamples(pool: Pool, kind: Kind, seconds: number, setup: Setup): Promise<Sample[]> {
  const script = join(setup.temporary, `${kind}.lua`);
  writeFileSync(
    script,
    luaScript({ ...POOL_CASES[0]!, headers: kind === "one-shot" ? [["Connection", "close"]] : [] }),
  );
  const start = performance.now();
  const samples = [await takeSample(pool, start)];
  let ended = false;
  const wrk = runWrk({
    url: `http://127.0.0.1:${pool.port}`,
    script,
    connections: CONNECTIONS,
    seconds,
    prefix: setup.poolPins.load,
  }).finally(() => ended = true);
  while (!ended) {
    await Promise.race([sleep(250), wrk]);
    samples.push(await takeSample(pool, start));
  }
  const { problem } = await wrk;
  if (problem !== null) throw new Error(problem);
  samples.push(await untilQuiet(pool, start));
  return samples;
}

/** Waits until the workers have told that no connection is left, and thereby of all requests. */
async function untilQuiet(pool: Pool, start: number): Promise<Sample> {
  const deadline = performance.now() + 10_000;
  // What was told last may be a second old: one-shot clients may have been between two connections.
  await sleep(1_100);
  for (;;) {
    const sample = await takeSample(pool, start);
    if (sum(sample.connections) === 0) return sample;
    if (performance.now() > deadline) throw new Error(`connections are left 10 s after wrk: ${sample.connections}`);
    await sleep(50);
  }
}

async function takeSample(pool: Pool, start: number): Promise<Sample> {
  const workers = await pool.workers();
  return {
    at: (performance.now() - start) / 1000,
    pids: workers.map(({ pid }) => pid),
    connections: workers.map(({ connections }) => connections),
    requests: workers.map(({ requests }) => requests),
  };
}

/** `samples` begin before the load and end after it; `settled`: seconds. */
export function sharesOf(
  samples: readonly Sample[],
  kind: Kind,
  settled: number,
): Pick<Balance, "connections" | "requests"> {
  const [before] = samples;
  const after = samples.at(-1)!;
  const later = samples.find(({ at }) => at >= settled) ?? after;
  if (samples.some(({ pids }) => pids.join() !== before!.pids.join())) throw new Error("a worker was replaced");
  const requests = {
    first: later.requests.map((count, index) => count - before!.requests[index]!),
    settled: after.requests.map((count, index) => count - later.requests[index]!),
  };
  if (kind === "one-shot") return { connections: null, requests };
  const first = samples.find(({ connections }) => sum(connections) >= CONNECTIONS * 0.9);
  if (first === undefined || sum(later.connections) === 0) {
    throw new Error(`the workers never told of ${CONNECTIONS} connections`);
  }
  return { connections: { first: first.connections, settled: later.connections }, requests };
}

/** How many times its fair share the busiest worker has: 1 is even. */
export function unevenness(shares: readonly number[]): number {
  return Math.max(...shares) * shares.length / sum(shares);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
