// What a worker more brings: one process without a master, a master with one worker and one with two, in turns.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Case, CASES } from "../cases.ts";
import type { Setup } from "../measure.ts";
import type { RuntimeBinary } from "../runtimes.ts";
import { endedChildrenCpu } from "../server_process.ts";
import type { Slice } from "../statistics.ts";
import { luaScript, runWrk } from "../wrk.ts";
import { Pool } from "./pool.ts";

/** The least and the most that are compared: the single process is 0. */
export const POOL_SIZES = [0, 1, 2] as const;

const hello = CASES.find(({ name }) => name === "hello")!;

export const POOL_CASES: readonly Case[] = [
  hello,
  { ...hello, name: "busy", title: `${hello.title} after about 200 us of JavaScript`, target: "/busy" },
];

/** What one slice of load measured on one pool. `busy` may be more than one core. */
export interface PoolSlice extends Slice {
  /** Microseconds of CPU time that wrk spent on a request. */
  readonly load: number;
}

export interface PoolResult {
  readonly workers: (typeof POOL_SIZES)[number];
  readonly slices: PoolSlice[];
}

export interface Scaling {
  readonly case_: Case;
  readonly results: readonly PoolResult[];
}

/** Measures all cases; the pools live on from one to the next. */
export async function measureScaling(
  runtime: RuntimeBinary,
  setup: Setup,
  step: (what: string) => void,
): Promise<Scaling[]> {
  const pools: Pool[] = [];
  try {
    for (const workers of POOL_SIZES) pools.push(await Pool.start(runtime, workers, setup));
    const scalings: Scaling[] = [];
    for (const case_ of POOL_CASES) {
      const script = join(setup.temporary, `pool-${case_.name}.lua`);
      writeFileSync(script, luaScript(case_));
      const results = POOL_SIZES.map((workers): PoolResult => ({ workers, slices: [] }));
      for (let round = setup.warmUp ? 0 : 1; round <= setup.rounds; round++) {
        for (const [index, { workers, slices }] of results.entries()) {
          step(
            `${case_.name}, ${titleOf(workers)}, ${round === 0 ? "warming up" : `round ${round} of ${setup.rounds}`}`,
          );
          const slice = await takeSlice(pools[index]!, script, setup);
          if (round > 0) slices.push(slice);
        }
      }
      scalings.push({ case_, results });
    }
    return scalings;
  } finally {
    await Promise.all(pools.map((pool) => pool.stop()));
  }
}

async function takeSlice(pool: Pool, script: string, setup: Setup): Promise<PoolSlice> {
  const { poolPins, connections, seconds } = setup;
  const before = { pool: pool.cpu(), load: endedChildrenCpu() };
  const { requests, rps, problem } = await runWrk({
    url: `http://127.0.0.1:${pool.port}`,
    script,
    connections,
    seconds,
    prefix: poolPins.load,
  });
  const used = pool.cpu() - before.pool;
  // No other child of this process ends meanwhile.
  const load = endedChildrenCpu() - before.load;
  if (problem !== null) throw new Error(problem);
  return { rps, cpu: used / requests * 1e6, busy: used / (requests / rps), load: load / requests * 1e6 };
}

export function titleOf(workers: number): string {
  return workers === 0 ? "one process, no master" : `master, ${workers} ${workers === 1 ? "worker" : "workers"}`;
}
