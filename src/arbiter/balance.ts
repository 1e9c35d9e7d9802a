// Evens out connections between workers that share a listening socket. The kernel hands a burst to whoever wakes first
// (100 of 100 to one of two workers was measured on Deno), and keep-alive makes it last. So the fuller workers stop
// accepting for a while, and those far too full ask some clients to come again. Pure: machine.ts does what it says.

import type { WorkerRecord } from "./machine.ts";

/** A worker is too full above `mean * TOO_FULL + SLACK` connections, and may accept again from `mean * EVEN + 1` down. */
const TOO_FULL = 1.25;
const SLACK = 4;
const EVEN = 1.05;
/** Milliseconds until a worker is told to shed again: clients have to send a request before they can be told to leave. */
const SHED_EVERY = 2000;
/** A worker that was not heard of for so many milliseconds may be unable to accept. */
const SILENT = 3000;

/** What a worker's record says about its load. */
export type Load = Pick<WorkerRecord, "heardAt" | "held" | "shedAt" | "stats">;

/** Who is told to stop accepting, to accept again, and to have `count` clients connect anew. */
export interface Decision<Worker extends Load> {
  readonly hold: readonly Worker[];
  readonly release: readonly Worker[];
  readonly shed: readonly { readonly worker: Worker; readonly count: number }[];
}

/**
 * What to tell `ready`, the workers that serve, at `at` milliseconds. The one with the fewest connections is never held,
 * so somebody always accepts. While one worker is too full, all that have the mean or more are held: what it sheds goes
 * to those below it, however unfair the kernel is among these.
 */
export function balance<Worker extends Load>(ready: readonly Worker[], at: number): Decision<Worker> {
  const held = ready.filter((worker) => worker.held);
  if (ready.length < 2 || ready.some((worker) => at - worker.heardAt > SILENT)) {
    return { hold: [], release: held, shed: [] };
  }
  // The figures of a worker that has just become ready come within a second.
  if (ready.some((worker) => worker.stats === null)) return { hold: [], release: [], shed: [] };

  const mean = ready.reduce((sum, worker) => sum + connections(worker), 0) / ready.length;
  const tooFull = ready.filter((worker) => connections(worker) > mean * TOO_FULL + SLACK);
  const uneven = tooFull.length > 0;
  return {
    hold: uneven ? ready.filter((worker) => !worker.held && connections(worker) >= mean) : [],
    release: held.filter((worker) => connections(worker) < (uneven ? mean : mean * EVEN + 1)),
    shed: tooFull
      .filter(({ shedAt, heardAt }) => shedAt === null || (heardAt > shedAt && at - shedAt >= SHED_EVERY))
      .map((worker) => ({ worker, count: Math.floor(connections(worker) - mean) })),
  };
}

function connections(worker: Load): number {
  return worker.stats?.connections ?? 0;
}
