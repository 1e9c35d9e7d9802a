// Nothing is lost: scripts/zero_loss.ts in short. A pool is reloaded, recycled, resized, replaced and hurt under load, and
// each request is answered; of a worker that is killed, at most what it had in flight is not.

import { expect, test } from "vitest";
import type { Mode } from "../../scripts/zero_loss/load.ts";
import type { Transport } from "../../scripts/zero_loss/pool.ts";
import { runCase, SCENARIOS } from "../../scripts/zero_loss/scenarios.ts";
import { onEachRuntime } from "../support/runtimes.ts";

/** Scenarios, and how often each happens here: the least in which one can follow the other. */
const TIMES: Readonly<Record<string, number>> = {
  "reload": 3,
  "recycle": 1,
  "resize": 2,
  "upgrade": 2,
  "stop-worker": 2,
  "kill-worker": 1,
  "broken-code": 1,
  "hanging-canary": 1,
};
/** On further versions of Node: sockets that are handed to workers, and to another master. */
const FURTHER = ["reload", "upgrade"];
const REQUESTS = 2000;
/** Milliseconds, for what hangs: each wait of a case has its own limit, which names what was waited for. */
const LIMIT = 600_000;

const WAYS: readonly (readonly [Transport, Mode])[] = [["tcp", "keep-alive"], ["unix", "one-shot"]];

onEachRuntime("nothing is lost", (runtime) => {
  const starter = {
    server: "tricorn",
    runtime: runtime.name,
    command: [runtime.program, ...runtime.words(["--allow-write", "--allow-run"])],
  } as const;
  for (const [name, times] of Object.entries(TIMES)) {
    if (runtime.name !== runtime.kind && !FURTHER.includes(name)) continue;
    const scenario = SCENARIOS.find((one) => one.name === name)!;
    for (const [transport, mode] of WAYS) {
      test(`${name}, ${transport}, ${mode}`, async () => {
        const outcome = await runCase({ scenario, starter, transport, mode, requests: REQUESTS, times });
        expect(outcome.error, outcome.log).toBeNull();
        expect(outcome.requests).toBeGreaterThanOrEqual(REQUESTS);
        const allowed = name === "kill-worker" ? outcome.allowed : 0;
        expect(outcome.lost, `${JSON.stringify(outcome.losses)}\n${outcome.log}`).toBeLessThanOrEqual(allowed);
      }, LIMIT);
    }
  }
});
