// The machine in scenarios: what happened, and what it commands. Storms (storm.test.ts) say what never happens; here is
// what does.

import { beforeEach, describe, expect, test } from "vitest";
import {
  type Cause,
  CLOSES_WITHIN,
  type Command,
  type Event,
  initialState,
  type PoolSettings,
  SIGNAL_WITHIN,
  type State,
  step,
  TRANSITIONS,
  type WorkerRecord,
  type WorkerState,
} from "../../src/arbiter/machine.ts";
import type { StuckReport, WorkerStats } from "../../src/arbiter/messages.ts";

const SETTINGS: PoolSettings = {
  workers: 2,
  bootTimeout: 60_000,
  timeout: 30_000,
  gracefulTimeout: 30_000,
  keepaliveGrace: 2000,
  maxRequests: 0,
  maxRequestsJitter: 0,
  maxWorkerLifetime: 0,
  maxWorkerMemory: 0,
  maxRestarts: 10,
  drainDelay: 0,
};

const REPORT: StuckReport = { requests: [{ method: "GET", target: "/slow", age: 31_000 }], stack: "at loop" };

function stats(more: Partial<WorkerStats> = {}): WorkerStats {
  return { requests: 0, inFlight: 0, queued: 0, connections: 0, rss: 0, cpu: 0, lag: 0, oldest: [], ...more };
}

/** An event without its time and its luck. */
type Happening<E = Event> = E extends Event ? Omit<E, "at" | "random"> : never;

/** A machine, its clock, and what it has commanded. */
class Pool {
  state: State;
  now = 100_000;
  random = 0;
  commands: readonly Command[] = [];

  constructor(settings: Partial<PoolSettings> = {}) {
    this.state = initialState({ ...SETTINGS, ...settings });
  }

  /** Tells what happened; answers with what is commanded, a word and the worker each, without the log. */
  send(...happenings: Happening[]): string[] {
    const all: Command[] = [];
    for (const one of happenings) {
      const [state, commands] = step(this.state, { ...one, at: this.now, random: this.random } as Event);
      this.state = state;
      all.push(...commands);
    }
    this.commands = all;
    return all.filter(({ type }) => type !== "log" && type !== "reaped").map((command) => {
      switch (command.type) {
        case "exit":
          return `exit ${command.code}`;
        case "resized":
          return `resized ${command.before} ${command.now}`;
        case "reloading":
          return `reloading ${command.generation}`;
        case "reloaded":
          return `reloaded ${command.generation} for ${command.tickets}: ${command.error}`;
        case "drain":
          return `drain ${command.id} ${command.grace}`;
        case "shed":
          return `shed ${command.id} ${command.count}`;
        case "timeout":
          return `timeout ${command.worker.id} ${command.report?.stack ?? null}`;
        default:
          return "id" in command ? `${command.type} ${command.id}` : command.type;
      }
    });
  }

  /** What the last events had logged, at this level or any. */
  log(level?: string): string[] {
    return this.commands.flatMap((one) =>
      one.type === "log" && (level === undefined || one.level === level) ? [one.message] : []
    );
  }

  /** Starts, and all workers become ready. */
  up(): this {
    this.send({ type: "start" });
    for (const id of this.state.workers.keys()) {
      this.send({ type: "spawned", id, pid: 1000 + id }, { type: "ready", id });
    }
    return this;
  }

  /** Time passes, a tick each half second, and all that can do send their heartbeats but for `silent`. */
  pass(milliseconds: number, silent: readonly number[] = [], more: Partial<WorkerStats> = {}): string[] {
    const commands: string[] = [];
    const all: Command[] = [];
    const end = this.now + milliseconds;
    while (this.now < end) {
      this.now = Math.min(end, this.now + 500);
      for (const { id, state } of this.state.workers.values()) {
        if (silent.includes(id) || (state !== "ready" && state !== "draining")) continue;
        commands.push(...this.send({ type: "heartbeat", id, stats: stats(more) }));
        all.push(...this.commands);
      }
      commands.push(...this.send({ type: "tick" }));
      all.push(...this.commands);
    }
    this.commands = all;
    return commands;
  }

  exit(id: number, code: number | null = 0, signal: string | null = null): string[] {
    return this.send({ type: "exited", id, code, signal });
  }

  reload(ticket: number, settings: Partial<PoolSettings> = {}): string[] {
    return this.send({ type: "reload", settings: { ...SETTINGS, ...settings }, ticket });
  }

  worker(id: number): WorkerRecord {
    const worker = this.state.workers.get(id);
    if (worker === undefined) throw new Error(`there is no worker ${id}`);
    return worker;
  }
}

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});

describe("the table of a worker's life", () => {
  const states = Object.keys(TRANSITIONS) as WorkerState[];
  const causes: Record<Cause, (pool: Pool) => void> = {
    ready: (pool) => pool.send({ type: "ready", id: 1 }),
    drain: (pool) => pool.send({ type: "resize", target: 0 }, { type: "heartbeat", id: 1, stats: stats() }),
    leave: (pool) => pool.send({ type: "draining", id: 1 }),
    silence: (pool) => {
      for (let second = 0; second < 30; second++) {
        pool.now += 1000;
        pool.send({ type: "tick" });
      }
    },
    recover: (pool) => pool.send({ type: "heartbeat", id: 1, stats: stats() }),
    quit: (pool) => pool.send({ type: "stop", graceful: false, delay: false }),
    kill: (pool) => {
      // Whatever it is doing, what it may take for it comes to its end.
      for (let second = 0; second < 70 && pool.worker(1).state !== "dying"; second++) {
        pool.now += 1000;
        pool.send({ type: "tick" });
      }
    },
  };
  /** A pool whose worker 1 is in this state. */
  const inState: Record<WorkerState, () => Pool> = {
    booting: () => {
      const pool = new Pool({ workers: 1 });
      pool.send({ type: "start" });
      return pool;
    },
    ready: () => new Pool({ workers: 1 }).up(),
    draining: () => {
      const pool = new Pool({ workers: 1 }).up();
      pool.send({ type: "draining", id: 1 });
      return pool;
    },
    stuck: () => {
      const pool = new Pool({ workers: 1 }).up();
      causes.silence(pool);
      return pool;
    },
    dying: () => {
      const pool = new Pool({ workers: 1 }).up();
      causes.quit(pool);
      return pool;
    },
  };
  /** Where the pool has more to say than the table: silence for ever kills. */
  const elsewhere: Partial<Record<`${WorkerState} ${Cause}`, WorkerState>> = {
    "stuck silence": "dying",
  };

  test.each(states.flatMap((state) => (Object.keys(causes) as Cause[]).map((cause) => [state, cause] as const)))(
    "%s, %s",
    (state, cause) => {
      const pool = inState[state]();
      expect(pool.worker(1).state).toBe(state);
      causes[cause](pool);
      expect(pool.worker(1).state).toBe(elsewhere[`${state} ${cause}`] ?? TRANSITIONS[state][cause] ?? state);
    },
  );

  test.each(states)("%s, and its process ends: it is forgotten", (state) => {
    const pool = inState[state]();
    pool.exit(1);
    expect(pool.commands).toContainEqual(expect.objectContaining({ type: "reaped", code: 0 }));
    expect(pool.state.workers.has(1)).toBe(false);
  });
});

describe("start", () => {
  test("all workers at once, and serving is said once, when the first is ready", () => {
    expect(pool.send({ type: "start" })).toEqual(["resized null 2", "spawn 1", "spawn 2"]);
    expect(pool.send({ type: "ready", id: 2 })).toEqual(["serving"]);
    expect(pool.send({ type: "ready", id: 1 })).toEqual([]);
  });

  test("max_requests gets its jitter: different workers, different numbers", () => {
    pool = new Pool({ workers: 4, maxRequests: 1000, maxRequestsJitter: 99 });
    pool.random = 0.5;
    pool.send({ type: "start" });
    const numbers = [...pool.state.workers.values()].map(({ maxRequests }) => maxRequests);
    for (const number of numbers) expect(number >= 1000 && number <= 1099).toBe(true);
    numbers.sort();
    for (const [index, number] of numbers.slice(1).entries()) expect(number - numbers[index]!).toBeGreaterThan(10);
    expect(pool.commands).toContainEqual(
      { type: "spawn", id: 1, generation: 1, maxRequests: pool.worker(1).maxRequests },
    );
  });

  test("no max_requests, no jitter", () => {
    pool = new Pool({ maxRequestsJitter: 99 }).up();
    expect(pool.worker(1).maxRequests).toBe(0);
  });

  test.each([1, 2, 3, 4])("exit code %i before any worker was ready ends everything with that code", (code) => {
    pool.send({ type: "start" });
    pool.send({ type: "failed", id: 1, message: "./app.js throws" });
    expect(pool.exit(1, code)).toEqual(["quit 2"]);
    expect(pool.log("critical")).toEqual(["Worker failed to boot: ./app.js throws"]);
    expect(pool.exit(2)).toEqual([`exit ${code}`]);
  });

  test("that a worker has ended before it was ready is told beside its line, and whether it said why", () => {
    const failures = (): unknown[] =>
      pool.commands.flatMap((one) => one.type === "log" && one.bootFailure !== undefined ? [one.bootFailure] : []);
    pool.send({ type: "start" });
    pool.exit(1, 7);
    expect(failures()).toEqual([{ end: "it ended with code 7", hopeless: false }]);
    pool.send({ type: "failed", id: 2, message: "./app.js throws" });
    pool.exit(2, 3);
    expect(failures()).toEqual([{ end: null, hopeless: true }]);
    pool = new Pool({}).up();
    pool.exit(1, 7);
    expect(failures()).toEqual([]);
  });

  test("a worker that is not ready in time is killed, and another is tried", () => {
    pool = new Pool({ workers: 1, bootTimeout: 10_000 });
    pool.send({ type: "start" }, { type: "tick" });
    expect(pool.pass(9500)).toEqual([]);
    expect(pool.pass(500)).toEqual(["kill 1"]);
    expect(pool.log("error")).toEqual(["Worker 1 was not ready within 10 s (boot_timeout): killed"]);
    expect(pool.exit(1, null, "SIGKILL")).toEqual([]);
    expect(pool.pass(500)).toEqual(["spawn 2"]);
  });

  test("a stop while workers boot: they quit, and late news changes nothing", () => {
    pool.send({ type: "start" });
    expect(pool.send({ type: "stop", graceful: true, delay: true })).toEqual(["drain 1 0", "drain 2 0"]);
    expect(pool.send({ type: "ready", id: 1 })).toEqual([]);
    expect([...pool.exit(1), ...pool.exit(2)]).toEqual(["exit 0"]);
    expect(pool.send({ type: "spawned", id: 2, pid: 7 }, { type: "ready", id: 2 }, { type: "tick" })).toEqual([]);
  });
});

describe("failures", () => {
  beforeEach(() => {
    pool = new Pool({ workers: 1 }).up();
  });

  test("a worker that lived 10 s is replaced at once", () => {
    pool.pass(10_000);
    expect(pool.exit(1, null, "SIGSEGV")).toEqual(["spawn 2"]);
    expect(pool.log("error")).toEqual(["Worker 1 (pid:1001) was killed by SIGSEGV, and nobody told it to"]);
    expect(pool.state).toMatchObject({ restarts: 1, failures: 0 });
  });

  test("SIGKILL that did not come from here may be the kernel's", () => {
    pool.exit(1, null, "SIGKILL");
    expect(pool.log("error")[0]).toContain("perhaps out of memory");
  });

  test("in a row, each makes the next worker wait twice as long, up to 30 s, and the last one gives up", () => {
    const waits: number[] = [];
    for (let id = 1; id <= 10; id++) {
      const ends = pool.now;
      const at = pool.exit(id, 7);
      if (id === 10) {
        expect(at).toEqual(["exit 5"]);
        expect(pool.log("critical")[0]).toContain("max_restarts");
        expect(pool.log("warning")).toEqual([]);
        break;
      }
      expect(at).toEqual([]);
      expect(pool.log("warning")[0]).toContain(`${id} in a row failed: the next worker is started in `);
      while (!pool.state.workers.has(id + 1)) {
        pool.now += 250;
        pool.send({ type: "tick" });
      }
      waits.push(pool.now - ends);
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  test("workers that were started together and fail together count once", () => {
    pool = new Pool({ workers: 16 }).up();
    for (let id = 1; id <= 16; id++) pool.exit(id, 1);
    expect(pool.state.failures).toBe(1);
    expect(pool.pass(500)).toHaveLength(16);
  });

  test("10 s of life end the row", () => {
    pool.exit(1, 7);
    pool.pass(500);
    pool.exit(2, 7);
    pool.pass(500);
    expect(pool.state.failures).toBe(2);
    pool.send({ type: "ready", id: 3 });
    pool.pass(10_000);
    expect(pool.state.failures).toBe(0);
  });

  test("while a worker is well, the others are tried for ever", () => {
    pool = new Pool({ workers: 2, maxRestarts: 2 }).up();
    pool.pass(10_000);
    pool.exit(2, 7);
    for (let id = 3; id < 20; id++) {
      expect(pool.exit(id, 3)).toEqual([]);
      pool.pass(30_000);
    }
    expect(pool.worker(1).state).toBe("ready");
  });
});

describe("reload", () => {
  beforeEach(() => {
    pool.up();
  });

  test("a canary first, then one after another, and it is done when only new workers serve", () => {
    expect(pool.reload(7)).toEqual(["reloading 2", "spawn 3"]);
    expect(pool.pass(5000)).toEqual([]);
    expect(pool.send({ type: "ready", id: 3 })).toEqual(["drain 1 2", "spawn 4"]);
    expect(pool.exit(1)).toEqual([]);
    expect(pool.send({ type: "ready", id: 4 })).toEqual(["drain 2 2"]);
    expect(pool.send({ type: "closed", id: 2 })).toEqual(["reloaded 2 for 7: null"]);
    expect(pool.exit(2)).toEqual([]);
    expect([...pool.state.workers.keys()]).toEqual([3, 4]);
  });

  test("it is not done while who connects may come to an old worker, but for one that never says", () => {
    pool.reload(7);
    pool.send({ type: "ready", id: 3 }, { type: "ready", id: 4 });
    expect(pool.send({ type: "closed", id: 2 })).toEqual([]);
    expect(pool.pass(CLOSES_WITHIN - 1000)).toEqual([]);
    expect(pool.pass(1500)).toEqual(["reloaded 2 for 7: null"]);
    pool.reload(8);
    pool.send({ type: "ready", id: 5 }, { type: "ready", id: 6 });
    expect(pool.send({ type: "closed", id: 3 })).toEqual([]);
    expect(pool.exit(4)).toEqual(["reloaded 3 for 8: null"]);
  });

  test.each<readonly [string, (pool: Pool) => string[], string]>([
    ["says why", (pool) => {
      pool.send({ type: "failed", id: 3, message: "./app.js: x is not defined" });
      return pool.exit(3, 3);
    }, "./app.js: x is not defined"],
    ["ends", (pool) => pool.exit(3, 3), "the new worker ended with code 3"],
    ["is killed", (pool) => pool.exit(3, null, "SIGSEGV"), "the new worker was killed by SIGSEGV"],
    [
      "hangs",
      (pool) => pool.pass(60_000).filter((one) => one !== "kill 3"),
      "the new worker was not ready within 60 s (boot_timeout)",
    ],
    ["gets a signal", (pool) => pool.send({ type: "draining", id: 3 }), "the new worker was told to end by a signal"],
  ])("a canary that %s harms nobody, and is no failure of the pool", (_name, fail, error) => {
    pool.reload(7, { workers: 5 });
    expect(fail(pool)).toEqual([`reloaded 1 for 7: ${error}`]);
    expect(pool.state).toMatchObject({ generation: 1, target: 2, failures: 0, restarts: 0, reload: null });
    expect([pool.worker(1).state, pool.worker(2).state]).toEqual(["ready", "ready"]);
    // A number is not used again.
    expect(pool.reload(8)[0]).toBe("reloading 3");
  });

  test("an old worker that crashes while the canary boots is replaced by one of its own generation", () => {
    pool.pass(10_000);
    pool.reload(7);
    pool.exit(1, 1);
    expect(pool.commands).toContainEqual({ type: "spawn", id: 4, generation: 1, maxRequests: 0 });
  });

  test("to more workers", () => {
    pool.reload(7, { workers: 4 });
    expect(pool.send({ type: "ready", id: 3 })).toEqual(["resized 2 4", "spawn 4", "spawn 5"]);
    expect(pool.send({ type: "ready", id: 4 })).toEqual([]);
    expect(pool.send({ type: "ready", id: 5 })).toEqual(["drain 1 2", "spawn 6"]);
    expect(pool.send({ type: "ready", id: 6 })).toEqual(["drain 2 2"]);
    expect(pool.send({ type: "closed", id: 1 }, { type: "closed", id: 2 })).toEqual(["reloaded 2 for 7: null"]);
  });

  test("to fewer workers", () => {
    pool.reload(7, { workers: 1 });
    expect(pool.send({ type: "ready", id: 3 })).toEqual(["resized 2 1", "drain 1 2", "drain 2 2"]);
    expect(pool.send({ type: "closed", id: 1 }, { type: "closed", id: 2 })).toEqual(["reloaded 2 for 7: null"]);
  });

  test("of a pool that has no worker", () => {
    pool = new Pool({ workers: 0 }).up();
    expect(pool.reload(7, { workers: 0 })).toEqual(["reloading 2", "spawn 1"]);
    expect(pool.send({ type: "ready", id: 1 })).toEqual(["serving", "drain 1 2", "reloaded 2 for 7: null"]);
  });

  test("what is asked for meanwhile is joined, and begins when it has ended", () => {
    pool.reload(7);
    expect(pool.reload(8, { workers: 3 })).toEqual([]);
    expect(pool.reload(9, { workers: 1 })).toEqual([]);
    expect(pool.exit(3, 3)).toEqual([
      "reloaded 1 for 7: the new worker ended with code 3",
      "reloading 3",
      "spawn 4",
    ]);
    pool.send({ type: "ready", id: 4 });
    expect(pool.send({ type: "closed", id: 1 }, { type: "closed", id: 2 })).toEqual(["reloaded 3 for 8,9: null"]);
    expect(pool.state.target).toBe(1);
  });

  test("workers that fail after the canary end it when they are too many, and the rest goes on", () => {
    pool.pass(10_000);
    pool.reload(7, { maxRestarts: 2 });
    expect(pool.send({ type: "ready", id: 3 })).toEqual(["drain 1 2", "spawn 4"]);
    expect(pool.exit(4, 7)).toEqual([]);
    expect(pool.pass(500)).toEqual(["spawn 5"]);
    expect(pool.exit(5, 7)).toEqual(["reloaded 2 for 7: 2 workers in a row have failed (max_restarts)"]);
    expect([pool.worker(2).state, pool.worker(3).state]).toEqual(["ready", "ready"]);
    expect(pool.state.generation).toBe(2);
    expect(pool.pass(5000)).toEqual([]);
  });

  test("ends with an error when the server stops, and begins no more", () => {
    pool.reload(7);
    pool.reload(8);
    expect(pool.send({ type: "stop", graceful: true, delay: false })).toEqual([
      "reloaded 1 for 7: the server stops",
      "reloaded 1 for 8: the server stops",
      "drain 3 2",
      "drain 1 2",
      "drain 2 2",
    ]);
    expect(pool.reload(9)).toEqual(["reloaded 1 for 9: the server stops"]);
  });

  test("an old worker that asks to retire gets its turn after a reload that failed", () => {
    pool.reload(7);
    expect(pool.send({ type: "retire", id: 2, reason: "max_requests" })).toEqual([]);
    expect(pool.exit(3, 3)).toContain("spawn 4");
    expect(pool.send({ type: "ready", id: 4 })).toEqual(["drain 2 2"]);
  });
});

describe("retirement", () => {
  beforeEach(() => {
    pool.up();
  });

  test("the replacement first, one at a time", () => {
    expect(pool.send({ type: "retire", id: 2, reason: "max_requests" })).toEqual(["spawn 3"]);
    expect(pool.send({ type: "retire", id: 1, reason: "max_requests" })).toEqual([]);
    expect(pool.send({ type: "ready", id: 3 })).toEqual(["drain 1 2", "spawn 4"]);
    expect(pool.send({ type: "ready", id: 4 })).toEqual(["drain 2 2"]);
    expect(pool.log("info")).toContain("Worker 2 (pid:1002) drains: max_requests");
    expect([...pool.exit(1), ...pool.exit(2)]).toEqual([]);
  });

  test("max_worker_lifetime: not two at a time even if they were started together", () => {
    pool = new Pool({ maxWorkerLifetime: 100_000 }).up();
    expect(pool.pass(100_000)).toEqual([]);
    const first = pool.pass(10_000);
    expect(first).toEqual(["spawn 3"]);
    expect([...pool.state.workers.values()].map(({ retiring }) => retiring)).toContain("max_worker_lifetime");
  });

  test("max_worker_memory", () => {
    pool = new Pool({ maxWorkerMemory: 100 * 2 ** 20 }).up();
    expect(pool.send({ type: "heartbeat", id: 1, stats: stats({ rss: 100 * 2 ** 20 }) })).toEqual([]);
    expect(pool.send({ type: "heartbeat", id: 1, stats: stats({ rss: 150 * 2 ** 20 }) })).toEqual(["spawn 3"]);
    expect(pool.log("warning")).toEqual([
      "Worker 1 (pid:1001) has 150 MiB of memory, more than 100 MiB (max_worker_memory): it is replaced",
    ]);
    expect(pool.send({ type: "heartbeat", id: 1, stats: stats({ rss: 160 * 2 ** 20 }) })).toEqual([]);
  });

  test("one that drains on its own account is replaced, and is no failure", () => {
    expect(pool.send({ type: "draining", id: 1 })).toEqual([]);
    expect(pool.exit(1, 0)).toEqual([]);
    pool.now += SIGNAL_WITHIN - 1;
    expect(pool.send({ type: "tick" })).toEqual([]);
    pool.now++;
    expect(pool.send({ type: "tick" })).toEqual(["spawn 3"]);
    expect(pool.state).toMatchObject({ failures: 0, restarts: 0 });
  });

  test("Ctrl-C that reaches the workers before the master starts nobody", () => {
    pool.send({ type: "draining", id: 1 }, { type: "draining", id: 2 });
    pool.now += SIGNAL_WITHIN - 1;
    expect(pool.send({ type: "tick" }, { type: "stop", graceful: true, delay: false })).toEqual([]);
    expect([...pool.exit(1), ...pool.exit(2)]).toEqual(["exit 0"]);
  });

  test("one that drains for too long is killed", () => {
    pool.send({ type: "resize", target: 1 });
    expect(pool.pass(32_500)).toEqual([]);
    expect(pool.pass(500)).toEqual(["kill 1"]);
    expect(pool.log("warning")).toEqual(["Worker 1 (pid:1001) drained for too long (graceful_timeout): killed"]);
    pool.exit(1, null, "SIGKILL");
    expect(pool.log("error")).toEqual([]);
  });

  test("graceful_timeout 0: it may drain for ever", () => {
    pool = new Pool({ gracefulTimeout: 0 }).up();
    pool.send({ type: "resize", target: 1 });
    expect(pool.pass(600_000)).toEqual([]);
  });
});

describe("a worker whose event loop stands still", () => {
  beforeEach(() => {
    pool.up();
    pool.pass(1000);
  });

  test("is replaced at once, reported, and killed", () => {
    expect(pool.pass(29_500, [2])).toEqual([]);
    expect(pool.pass(500, [2])).toEqual(["spawn 3"]);
    expect(pool.log("critical")).toEqual(["WORKER TIMEOUT (pid:1002)"]);
    expect(pool.send({ type: "report", id: 2, report: REPORT })).toEqual(["timeout 2 at loop", "kill 2"]);
    expect(pool.exit(2, null, "SIGKILL")).toEqual([]);
    expect(pool.log("error")).toEqual([]);
    expect(pool.state).toMatchObject({ restarts: 1, failures: 0 });
  });

  test("is killed without a report when none comes within 2 s", () => {
    pool.pass(30_000, [2]);
    expect(pool.pass(1500, [2])).toEqual([]);
    expect(pool.pass(500, [2])).toEqual(["timeout 2 null", "kill 2"]);
  });

  test("is killed by a report that is there before the tick", () => {
    pool.pass(29_500, [2]);
    expect(pool.send({ type: "report", id: 2, report: REPORT })).toEqual(["timeout 2 at loop", "kill 2", "spawn 3"]);
  });

  test("lives on when it is heard of again, and one too many drains", () => {
    pool.pass(31_000, [2]);
    expect(pool.worker(2).state).toBe("stuck");
    pool.send({ type: "ready", id: 3 });
    expect(pool.send({ type: "heartbeat", id: 2, stats: stats() })).toEqual(["drain 1 2"]);
    expect(pool.log("warning")).toEqual(["Worker 2 (pid:1002) is back: its event loop stood still for 31 s"]);
    // Its report was on its way.
    expect(pool.send({ type: "report", id: 2, report: REPORT })).toEqual([]);
  });

  test("drains on when it drained before", () => {
    pool.send({ type: "resize", target: 1 });
    pool.pass(30_000, [1]);
    expect(pool.worker(1)).toMatchObject({ state: "stuck", reason: "fewer workers" });
    expect(pool.send({ type: "heartbeat", id: 1, stats: stats() })).toEqual([]);
    expect(pool.worker(1).state).toBe("draining");
  });

  test("timeout 0: nobody watches", () => {
    pool = new Pool({ timeout: 0 }).up();
    expect(pool.pass(600_000, [1, 2])).toEqual([]);
    expect(pool.send({ type: "report", id: 2, report: REPORT })).toEqual([]);
  });

  test("is not accused when it was the master that stood still", () => {
    pool.now += 3_600_000;
    expect(pool.send({ type: "tick" })).toEqual([]);
    expect(pool.pass(5000)).toEqual([]);
    // What begins after that has no more time than ever.
    pool.now += 3_600_000;
    pool.send({ type: "resize", target: 1 });
    expect(pool.pass(33_000)).toEqual(["kill 1"]);
    pool.exit(1, null, "SIGKILL");
    expect(pool.pass(30_000, [2])).toEqual(["spawn 3"]);
  });
});

describe("resize", () => {
  beforeEach(() => {
    pool.up();
  });

  test("TTIN starts one, TTOU drains the oldest, WINCH drains all", () => {
    expect(pool.send({ type: "resize", target: 3 })).toEqual(["resized 2 3", "spawn 3"]);
    pool.send({ type: "ready", id: 3 });
    expect(pool.send({ type: "resize", target: 2 })).toEqual(["resized 3 2", "drain 1 2"]);
    expect(pool.send({ type: "resize", target: 0 })).toEqual(["resized 2 0", "drain 2 2", "drain 3 2"]);
    expect(pool.send({ type: "resize", target: -1 })).toEqual([]);
    expect(pool.send({ type: "resize", target: 1 })).toEqual(["resized 0 1", "spawn 4"]);
  });

  test("a booting worker that is not wanted any more drains: it may have accepted before it is heard of", () => {
    pool.send({ type: "resize", target: 3 });
    expect(pool.send({ type: "resize", target: 2 })).toEqual(["resized 3 2", "drain 3 2"]);
    expect(pool.send({ type: "ready", id: 3 })).toEqual([]);
    pool.exit(3);
    expect(pool.state.workers.has(3)).toBe(false);
  });

  test("is refused while the server stops", () => {
    pool.send({ type: "stop", graceful: true, delay: false });
    expect(pool.send({ type: "resize", target: 5 })).toEqual([]);
    expect(pool.log("warning")).toHaveLength(1);
  });

  test("lasts until the next reload, and a reload that fails does not undo it", () => {
    pool.reload(7, { workers: 4 });
    expect(pool.send({ type: "resize", target: 1 })).toEqual(["resized 2 1", "drain 1 2"]);
    pool.exit(3, 3);
    expect(pool.state.target).toBe(1);
    pool.reload(8, { workers: 2 });
    expect(pool.send({ type: "ready", id: 4 })).toContain("resized 1 2");
  });
});

describe("stop", () => {
  beforeEach(() => {
    pool.up();
  });

  test("graceful: all drain without grace, and the last one's end is the exit", () => {
    expect(pool.send({ type: "stop", graceful: true, delay: true })).toEqual(["drain 1 0", "drain 2 0"]);
    expect(pool.exit(2)).toEqual([]);
    expect(pool.exit(1)).toEqual(["exit 0"]);
    expect(pool.send({ type: "start" }, { type: "tick" })).toEqual([]);
  });

  test("graceful_timeout ends it", () => {
    pool.send({ type: "stop", graceful: true, delay: true });
    expect(pool.pass(30_500)).toEqual([]);
    expect(pool.pass(500)).toEqual(["kill 1", "kill 2"]);
  });

  test("drain_delay: workers accept until it is over, then connections get a grace; crashes are not mended", () => {
    pool = new Pool({ drainDelay: 5000, workers: 3 }).up();
    expect(pool.send({ type: "stop", graceful: true, delay: true })).toEqual([]);
    expect(pool.exit(3, 1)).toEqual([]);
    expect(pool.send({ type: "retire", id: 1, reason: "max_requests" })).toEqual([]);
    expect(pool.pass(4500)).toEqual([]);
    expect(pool.pass(500)).toEqual(["drain 1 2", "drain 2 2"]);
  });

  test("drain_delay is not waited for when another master serves, and connections get a grace; nor when nobody serves", () => {
    pool = new Pool({ drainDelay: 5000 }).up();
    expect(pool.send({ type: "stop", graceful: true, delay: false })).toEqual(["drain 1 2", "drain 2 2"]);
    pool = new Pool({ drainDelay: 5000, workers: 0 }).up();
    expect(pool.send({ type: "stop", graceful: true, delay: true })).toEqual(["exit 0"]);
  });

  test.each([true, false])(
    "a second stop (graceful: %s) is not graceful, and what does not quit is killed",
    (graceful) => {
      pool.send({ type: "stop", graceful: true, delay: true });
      expect(pool.send({ type: "stop", graceful, delay: true })).toEqual(["quit 1", "quit 2"]);
      expect(pool.pass(1500)).toEqual([]);
      expect(pool.pass(500)).toEqual(["kill 1", "kill 2"]);
    },
  );

  test("a worker that stands still is ended in a stop, too", () => {
    pool.pass(30_000, [2]);
    pool.send({ type: "stop", graceful: true, delay: true });
    expect(pool.pass(2000, [2])).toContain("kill 2");
  });
});

describe("balance, as the machine does it", () => {
  /** Each worker has told how many connections it has, and a look is due. */
  function load(pool: Pool, ...connections: readonly number[]): string[] {
    pool.now += 1000;
    for (const [index, count] of connections.entries()) {
      pool.send({ type: "heartbeat", id: index + 1, stats: stats({ connections: count }) });
    }
    return pool.send({ type: "tick" });
  }

  beforeEach(() => {
    pool.up();
  });

  test("a worker that got too much is held, told to shed, and released", () => {
    expect(load(pool, 100, 0)).toEqual(["hold 1", "shed 1 50"]);
    expect(load(pool, 90, 10)).toEqual([]);
    expect(load(pool, 70, 30)).toEqual(["shed 1 20"]);
    expect(load(pool, 50, 50)).toEqual(["release 1", "shed 1 0"]);
  });

  test("at most once a second", () => {
    load(pool, 0, 0);
    pool.send({ type: "heartbeat", id: 1, stats: stats({ connections: 100 }) });
    pool.now += 999;
    expect(pool.send({ type: "tick" })).toEqual([]);
    pool.now += 1;
    expect(pool.send({ type: "tick" })).toEqual(["hold 1", "shed 1 50"]);
  });

  test("a held worker accepts at once when the last other one is gone", () => {
    load(pool, 100, 0);
    expect(pool.exit(2, 1)).toEqual(["release 1", "shed 1 0"]);
  });

  test("during a reload and a stop nobody is held", () => {
    load(pool, 100, 0);
    expect(pool.reload(7)).toEqual(["reloading 2", "spawn 3", "release 1", "shed 1 0"]);
    expect(load(pool, 100, 0)).toEqual([]);
  });
});

describe("a state", () => {
  test("is not changed by what follows from it", () => {
    pool.up();
    const before = pool.state;
    const copy = structuredClone(before);
    pool.reload(7);
    pool.send({ type: "ready", id: 3 }, { type: "retire", id: 2, reason: "signal" });
    pool.exit(1, 1);
    expect(before).toEqual(copy);
    expect(pool.state).not.toEqual(copy);
  });

  test("knows only whom it started: news of others changes nothing", () => {
    pool.up();
    const before = pool.state;
    for (const id of [0, 3, 99]) {
      expect(pool.send(
        { type: "spawned", id, pid: 1 },
        { type: "ready", id },
        { type: "failed", id, message: "late" },
        { type: "heartbeat", id, stats: stats() },
        { type: "retire", id, reason: "late" },
        { type: "draining", id },
        { type: "report", id, report: REPORT },
        { type: "exited", id, code: 3, signal: null },
      )).toEqual([]);
    }
    expect(pool.state).toEqual(before);
  });
});
