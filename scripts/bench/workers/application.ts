// What the pools serve: a greeting, which costs less than its way through the server, and at /busy the same after a
// calculation, so that the server's share of the cores is nearly all of it and wrk's next to nothing.
import type { Application } from "../../../src/esgi/application.ts";
import { HELLO } from "../apps/content.ts";

/**
 * About 200 microseconds on a core of 2024. A number of steps, not a time: a worker that waits for its core would do less
 * until a time is over, and a full machine would seem to scale.
 */
const STEPS = 125_000;

/** Kept, so that no compiler leaves the calculation out. */
let state = 1;

export const application: Application = (environ, startResponse) => {
  if (environ.PATH_INFO === "/busy") burn();
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return HELLO;
};

/** Marsaglia's xorshift: each step needs the one before. */
function burn(): void {
  let x = state;
  for (let step = 0; step < STEPS; step++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  state = x;
}
