// What a master costs that has nothing to do: its CPU time and its memory, beside two idle workers.
import { setTimeout as sleep } from "node:timers/promises";
import type { Setup } from "../measure.ts";
import type { RuntimeBinary } from "../runtimes.ts";
import { Pool } from "./pool.ts";

export const IDLE_WORKERS = 2;

/** The goal, in percent of a core. */
export const MOST_PERCENT = 1;

export interface IdleMaster {
  readonly seconds: number;
  /** Percent of one core: the master, and its workers taken together. */
  readonly percent: { readonly master: number; readonly workers: number };
  /** Resident memory in kB: the master, and each worker. */
  readonly memory: { readonly master: number; readonly workers: readonly number[] };
}

export async function measureIdleMaster(
  runtime: RuntimeBinary,
  setup: Setup,
  step: (what: string) => void,
): Promise<IdleMaster> {
  step(`idle, ${IDLE_WORKERS} workers`);
  const pool = await Pool.start(runtime, IDLE_WORKERS, setup);
  try {
    // The start is not idleness yet.
    await sleep(setup.warmUp ? 3_000 : 200);
    const read = (): { at: number; master: number; all: number } => ({
      at: performance.now() / 1000,
      master: pool.masterCpu(),
      all: pool.cpu(),
    });
    const before = read();
    await sleep(setup.warmUp ? 10_000 : 500);
    const after = read();
    const seconds = after.at - before.at;
    const master = (after.master - before.master) / seconds * 100;
    const all = (after.all - before.all) / seconds * 100;
    return { seconds, percent: { master, workers: all - master }, memory: pool.memory() };
  } finally {
    await pool.stop();
  }
}
