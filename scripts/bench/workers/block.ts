// All that is measured of masters and workers on one runtime. A part that goes wrong says why; the others are measured.
import type { PoolPins } from "../cores.ts";
import type { Setup } from "../measure.ts";
import type { RuntimeBinary } from "../runtimes.ts";
import { type Balance, BALANCE_ROUNDS, BALANCED_SIZES, KINDS, measureBalance } from "./balance.ts";
import { type IdleMaster, measureIdleMaster } from "./master.ts";
import { measureScaling, POOL_CASES, POOL_SIZES, type Scaling } from "./scaling.ts";

/** Figures, or why there are none. */
export type Measured<T> =
  | { readonly problem: null; readonly figures: T }
  | { readonly problem: string; readonly figures: null };

export interface WorkersBlock {
  readonly runtime: RuntimeBinary;
  readonly pins: PoolPins;
  readonly scaling: Measured<readonly Scaling[]>;
  readonly balance: Measured<readonly Balance[]>;
  readonly master: Measured<IdleMaster>;
}

/** How often {@link measureWorkers} calls its `step`. */
export function workersTurns({ rounds, warmUp }: Pick<Setup, "rounds" | "warmUp">): number {
  const scaling = POOL_CASES.length * POOL_SIZES.length * (rounds + Number(warmUp));
  const balance = BALANCED_SIZES.length * KINDS.length * Math.min(rounds, BALANCE_ROUNDS);
  return scaling + balance + 1;
}

/** `step` is called before each turn. */
export async function measureWorkers(
  runtime: RuntimeBinary,
  setup: Setup,
  step: (what: string) => void,
): Promise<WorkersBlock> {
  return {
    runtime,
    pins: setup.poolPins,
    master: await attempt(measureIdleMaster(runtime, setup, step)),
    scaling: await attempt(measureScaling(runtime, setup, step)),
    balance: await attempt(measureBalance(runtime, setup, step)),
  };
}

async function attempt<T>(measuring: Promise<T>): Promise<Measured<T>> {
  try {
    return { problem: null, figures: await measuring };
  } catch (error) {
    return { problem: (error as Error).message, figures: null };
  }
}
