// The machine in weather: a simulated world, driven by a seed, in which workers boot, fail, hang, crash, stand still and
// come back, operators ask for everything at any time, messages come late and the clock jumps. What must hold whatever
// happens is checked at each step, against what the world knows, not against what the machine believes.

import { expect, test } from "vitest";
import {
  type Command,
  type Event,
  initialState,
  type PoolSettings,
  type State,
  step,
} from "../../src/arbiter/machine.ts";
import type { WorkerStats } from "../../src/arbiter/messages.ts";

/** What becomes of the workers of a generation: they boot; they do not; they hang; only the canary boots. */
type Quality = "good" | "broken" | "hangs" | "flaky";

interface Process {
  readonly id: number;
  readonly generation: number;
  readonly startedAt: number;
  readonly canary: boolean;
  /** What its master has heard. */
  told: "nothing" | "ready" | "draining";
  /** What it was told. */
  order: "none" | "drain" | "quit" | "kill";
  held: boolean;
  stuck: boolean;
  /** When it must have been killed, if it drains or stands still for so long. */
  limit: number;
  /** Until when a kill for standing still may come although it has moved again. */
  excusedUntil: number;
  /** It does not do what it is told. */
  deaf: boolean;
  connections: number;
}

interface Result {
  readonly events: number;
  readonly seen: ReadonlySet<string>;
}

class Storm {
  readonly #seed: number;
  #random: number;
  #now = 1000;
  #state: State;
  #calm = false;
  #exit: number | null = null;
  #stops = 0;
  #everReady = false;
  #events = 0;
  readonly #processes = new Map<number, Process>();
  readonly #gone: number[] = [];
  /** What will happen, unordered; few enough to be searched. */
  #agenda: { readonly at: number; readonly run: () => void }[] = [];
  readonly #tickets = new Map<
    number,
    { readonly settings: PoolSettings; readonly quality: Quality; answers: number }
  >();
  readonly #qualities = new Map<number, Quality>([[1, "good"]]);
  #targets: { before: number; after: number; generation: number };
  #reloading = false;
  #canaryNext = false;
  #canary: number | null = null;
  readonly #trace: string[] = [];
  readonly #seen = new Set<string>();
  /** Nothing fails by itself: then no worker is ever killed. */
  readonly #peaceful: boolean;
  /** No setting is 0, so that nothing may take for ever. */
  readonly #limited: boolean;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seed;
    this.#peaceful = seed % 4 === 0;
    this.#limited = seed % 2 === 1;
    const settings = this.#settings();
    this.#state = initialState(settings);
    this.#targets = { before: settings.workers, after: settings.workers, generation: 1 };
  }

  run(): Result {
    this.#send({ type: "start", at: this.#now, random: this.#luck() });
    let weather = this.#now;
    for (const end = this.#now + 60_000; this.#now < end && this.#exit === null;) {
      this.#pass(this.#one(250, 250, 250, 400));
      if (this.#now < weather || this.#exit !== null) continue;
      weather = this.#now + this.#upTo(2500);
      this.#trouble();
    }
    if (this.#exit === null && this.#stops === 0) {
      this.#calm = true;
      const settled = (): boolean => {
        const serving = this.#serving().filter(({ stuck }) => !stuck);
        return !this.#reloading && serving.length === this.#targets.after && this.#booting().length === 0;
      };
      for (const end = this.#now + 240_000; !settled() && this.#exit === null; this.#pass(500)) {
        if (this.#now > end) this.#fail(`does not settle: ${this.#serving().length} of ${this.#targets.after} ready`);
      }
      if (this.#exit === null) this.#stop(true);
    }
    for (const end = this.#now + 120_000; this.#exit === null; this.#pass(250)) {
      if (this.#now > end - 60_000 && this.#stops < 2) this.#stop(false);
      if (this.#now > end) this.#fail("does not end");
    }
    for (const [ticket, { answers }] of this.#tickets) {
      if (answers !== 1) this.#fail(`reload ${ticket} was answered ${answers} times`);
    }
    // After the end nothing follows, whatever comes.
    this.#send({ type: "tick", at: this.#now, random: 0 });
    this.#send({ type: "resize", at: this.#now, target: 9, random: 0 });
    return { events: this.#events, seen: this.#seen };
  }

  // The weather.

  #trouble(): void {
    const kinds = this.#peaceful ? ["reload", "reload", "resize", "retire", "stranger", "load", "signal", "jump"] : [
      ...["reload", "reload", "resize", "retire", "retire", "stranger", "load", "signal", "jump"],
      ...["crash", "crash", "stick", "stick", "deafen", "stop"],
    ];
    const kind = this.#one(...kinds);
    const process = this.#one(...this.#processes.values(), ...this.#processes.values());
    switch (kind) {
      case "reload": {
        const ticket = this.#tickets.size + 1;
        const quality = this.#one<Quality>("good", "good", "broken", "hangs", this.#peaceful ? "good" : "flaky");
        const settings = this.#settings();
        this.#tickets.set(ticket, { settings, quality, answers: 0 });
        return this.#send({ type: "reload", at: this.#now, settings, ticket, random: this.#luck() });
      }
      case "resize": {
        const target = this.#upTo(6);
        if (this.#stops === 0) {
          this.#targets.after = target;
          this.#targets.before = target;
        }
        return this.#send({ type: "resize", at: this.#now, target, random: this.#luck() });
      }
      case "stop":
        return this.#luck() < 0.15 ? this.#stop(this.#luck() < 0.7) : undefined;
      case "stranger":
        return this.#stranger();
      case "load":
        for (const one of this.#processes.values()) one.connections = this.#one(0, 5, 50, 400);
        return;
      case "jump": {
        // The machine slept; what the workers said meanwhile is read after the first tick.
        const late = this.#upTo(60_000);
        this.#now += late;
        for (const one of this.#processes.values()) {
          one.limit += late;
          one.excusedUntil += late;
        }
        this.#send({ type: "tick", at: this.#now, random: this.#luck() });
        return;
      }
    }
    if (process === undefined) return;
    switch (kind) {
      case "retire":
        return this.#send({ type: "retire", at: this.#now, id: process.id, reason: "max_requests" });
      case "signal":
        if (process.stuck || (this.#peaceful && process.told !== "ready")) return;
        this.#send({ type: "draining", at: this.#now, id: process.id });
        if (process.told !== "draining") process.told = "draining";
        return this.#later(5000, () => this.#end(process, 0, null));
      case "crash":
        return this.#end(
          process,
          ...this.#one<[number | null, string | null]>([1, null], [0, null], [null, "SIGKILL"]),
        );
      case "deafen":
        process.deaf = true;
        return;
      case "stick": {
        if (process.told === "nothing" || process.stuck) return;
        process.stuck = true;
        process.limit = Math.min(process.limit, this.#now + 5000 + 2000 + 3000);
        const timeout = this.#state.settings.timeout || 1000;
        if (this.#luck() < 0.5) {
          const report = { requests: [], stack: null };
          this.#in(timeout + this.#upTo(1500), process, () => {
            this.#send({ type: "report", at: this.#now, id: process.id, report });
          });
        }
        if (this.#limited && this.#luck() < 0.2) return;
        this.#in(this.#upTo(timeout + 4000), process, () => {
          process.stuck = false;
          process.limit = Infinity;
          process.excusedUntil = this.#now + timeout + 3000;
          if (process.order !== "none") this.#obey(process);
        });
      }
    }
  }

  /** What comes from processes that are gone, or never were. */
  #stranger(): void {
    const id = this.#one(99_999, ...this.#gone);
    this.#send(this.#one<Event>(
      { type: "spawned", at: this.#now, id, pid: 1 },
      { type: "ready", at: this.#now, id },
      { type: "failed", at: this.#now, id, message: "late" },
      { type: "heartbeat", at: this.#now, id, stats: this.#stats(0) },
      { type: "retire", at: this.#now, id, reason: "late" },
      { type: "draining", at: this.#now, id },
      { type: "closed", at: this.#now, id },
      { type: "report", at: this.#now, id, report: { requests: [], stack: null } },
      { type: "exited", at: this.#now, id, code: 1, signal: null, random: 0.5 },
    ));
  }

  #stop(graceful: boolean): void {
    this.#stops++;
    this.#send({ type: "stop", at: this.#now, graceful, delay: this.#luck() < 0.5 });
  }

  // The workers.

  #boot(process: Process): void {
    const { id } = process;
    const spawned = (): void => this.#send({ type: "spawned", at: this.#now, id, pid: 1000 + id });
    if (this.#luck() < 0.9) this.#later(5, spawned);
    // It may even come after the end.
    else this.#later(5000, spawned);
    let quality = this.#qualities.get(process.generation) ?? "good";
    if (quality === "flaky") quality = this.#calm || process.canary ? "good" : this.#one("broken", "broken", "good");
    if (!this.#calm && !this.#peaceful && this.#luck() < 0.1) quality = this.#one("broken", "hangs");
    // A program that was broken when its generation was the canary's never gets into force; a flaky one does.
    if (quality === "hangs") return;
    this.#in(20 + this.#upTo(2500), process, () => {
      if (process.order === "quit" || process.told === "draining") return;
      if (quality === "broken") {
        if (this.#luck() < 0.5) this.#send({ type: "failed", at: this.#now, id, message: "no such module" });
        return this.#end(process, this.#one(3, 4, 7, 255), null);
      }
      process.told = "ready";
      this.#everReady = true;
      if (id === this.#canary) this.#canary = null;
      this.#send({ type: "ready", at: this.#now, id });
      this.#beat(process);
    });
  }

  #beat(process: Process): void {
    this.#in(900 + this.#upTo(200), process, () => {
      if (!process.stuck) {
        this.#send({ type: "heartbeat", at: this.#now, id: process.id, stats: this.#stats(process.connections) });
      }
      this.#beat(process);
    });
  }

  #obey(process: Process): void {
    if (process.order === "kill") return this.#in(this.#upTo(20), process, () => this.#end(process, null, "SIGKILL"));
    if (process.deaf || process.stuck) return;
    // One in ten does not say so.
    if (process.order === "drain" && process.id % 10 !== 0) {
      this.#in(100, process, () => this.#send({ type: "closed", at: this.#now, id: process.id }));
    }
    this.#in(this.#upTo(process.order === "drain" ? 15_000 : 400), process, () => {
      if (!process.deaf && !process.stuck) this.#end(process, 0, null);
    });
  }

  #end(process: Process, code: number | null, signal: string | null): void {
    if (!this.#processes.delete(process.id)) return;
    this.#gone.push(process.id);
    if (process.id === this.#canary) this.#canary = null;
    this.#send({ type: "exited", at: this.#now, id: process.id, code, signal, random: this.#luck() });
  }

  // The world: time, and what the machine commands.

  #pass(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      let next = this.#agenda[0];
      for (const one of this.#agenda) if (next !== undefined && one.at < next.at) next = one;
      if (next === undefined || next.at > until) break;
      this.#agenda.splice(this.#agenda.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = Math.max(this.#now, until);
    if (this.#exit === null) this.#send({ type: "tick", at: this.#now, random: this.#luck() });
  }

  #later(within: number, run: () => void): void {
    this.#agenda.push({ at: this.#now + this.#upTo(within), run });
  }

  #in(milliseconds: number, process: Process, run: () => void): void {
    this.#agenda.push({
      at: this.#now + milliseconds,
      run: () => {
        if (this.#processes.has(process.id)) run();
      },
    });
  }

  #send(event: Event): void {
    this.#events++;
    const before = this.#state;
    const frozen = this.#seed % 50 === 0 ? JSON.stringify([before, [...before.workers]]) : null;
    const [state, commands] = step(before, event);
    if (frozen !== null && frozen !== JSON.stringify([before, [...before.workers]])) this.#fail("changed a state");
    this.#trace.push(JSON.stringify(event));
    if (this.#exit !== null && commands.length > 0) this.#fail("a command after the exit");
    this.#state = state;
    for (const command of commands) {
      if (command.type !== "log") this.#trace.push(`    ${JSON.stringify(command)}`);
      this.#obeyed(command);
    }
    if (this.#exit === null) this.#check();
  }

  #obeyed(command: Command): void {
    this.#seen.add(command.type);
    switch (command.type) {
      case "spawn":
        return this.#spawn(command.id, command.generation);
      case "drain":
      case "quit":
      case "kill": {
        const process = this.#known(command.id);
        this.#mayEnd(process, command.type);
        process.order = command.type;
        if (command.type === "drain") process.limit = Math.min(process.limit, this.#now + 10_000 + 2000 + 1000 + 1000);
        else process.limit = this.#now + 4000;
        return this.#obey(process);
      }
      case "hold":
      case "release":
        this.#known(command.id).held = command.type === "hold";
        return;
      case "shed":
        this.#known(command.id);
        return;
      case "reloading": {
        if (this.#reloading) this.#fail("a reload within a reload");
        const ticket = this.#tickets.get(command.tickets.at(-1) ?? 0);
        if (ticket === undefined) return this.#fail("a reload that nobody asked for");
        if (this.#qualities.has(command.generation)) this.#fail("a generation's number was used again");
        this.#qualities.set(command.generation, ticket.quality);
        this.#targets = { before: this.#targets.after, after: ticket.settings.workers, generation: command.generation };
        this.#reloading = this.#canaryNext = true;
        return;
      }
      case "reloaded": {
        for (const ticket of command.tickets) {
          const asked = this.#tickets.get(ticket);
          if (asked === undefined || ++asked.answers > 1) this.#fail(`reload ${ticket} was answered again`);
        }
        this.#seen.add(command.error === null ? "reloaded well" : "reload failed");
        // Refused ones never began.
        if (!this.#reloading) return;
        this.#reloading = false;
        if (command.generation !== this.#targets.generation) this.#targets.after = this.#targets.before;
        this.#targets.before = this.#targets.after;
        if (command.error !== null) return;
        const old = this.#serving().filter(({ generation, stuck }) => generation !== command.generation && !stuck);
        if (old.length > 0) this.#fail("reloaded, and an old worker serves");
        return;
      }
      case "exit":
        this.#exit = command.code;
        this.#seen.add(`exit ${command.code}`);
        if (this.#processes.size > 0) this.#fail("exit before all workers have ended");
        if (command.code === 0 && this.#stops === 0) this.#fail("nobody asked for the end");
        if (command.code > 0 && command.code < 5 && this.#everReady) {
          this.#fail("a boot failure ended a server that ran");
        }
        return;
    }
  }

  #spawn(id: number, generation: number): void {
    if (this.#stops > 0) this.#fail("started a worker although the server stops");
    if (this.#processes.has(id) || this.#gone.includes(id)) this.#fail(`id ${id} was used again`);
    const canary = this.#canaryNext;
    this.#canaryNext = false;
    if (canary) this.#canary = id;
    else if (this.#now < this.#state.notBefore) this.#fail("started a worker too early after failures");
    if (canary !== (generation === this.#targets.generation) && this.#canary !== null) {
      this.#fail("more than a canary of a generation that is not proven");
    }
    const process: Process = {
      ...{ id, generation, startedAt: this.#now, canary, told: "nothing", order: "none", held: false, stuck: false },
      ...{ limit: Infinity, excusedUntil: 0, deaf: false, connections: this.#one(0, 10, 100) },
    };
    this.#processes.set(id, process);
    this.#boot(process);
  }

  #known(id: number): Process {
    return this.#processes.get(id) ?? this.#fail(`a command for worker ${id}, which is not there`);
  }

  // What must hold.

  #mayEnd(process: Process, how: "drain" | "quit" | "kill"): void {
    if (how === "kill") {
      const { order, told, stuck, excusedUntil } = process;
      if (order === "none" && told === "ready" && !stuck && this.#now > excusedUntil) {
        this.#fail(`killed worker ${process.id}, which was well`);
      }
      return;
    }
    if (this.#stops > 0 || this.#state.phase !== "running" || process.told !== "ready") return;
    const { before, after } = this.#targets;
    // While a canary boots, its settings promise nothing.
    const promised = this.#canary === null ? Math.min(before, after) : before;
    const left = this.#serving().filter(({ id, stuck }) => id !== process.id && !stuck).length;
    const stuck = this.#serving().filter((one) => one.stuck).length;
    // What stands still without the master knowing it yet counts for it.
    if (left + stuck < promised) {
      this.#fail(`${how} of worker ${process.id} leaves ${left} ready`);
    }
  }

  #check(): void {
    const most = Math.max(this.#targets.before, this.#targets.after) + 1;
    const records = [...this.#state.workers.values()];
    const live = records.filter(({ state }) => state === "booting" || state === "ready").length;
    if (this.#stops === 0 && live > most) this.#fail(`${live} workers boot or are ready, ${most} may`);
    for (const { id } of records) if (!this.#processes.has(id)) this.#fail(`worker ${id} is gone and not forgotten`);
    if (records.length !== this.#processes.size) this.#fail("a worker was forgotten");
    for (const { id, limit } of this.#processes.values()) {
      if (this.#limited && this.#now > limit) this.#fail(`worker ${id} should have been killed`);
    }
    const ready = records.filter(({ state }) => state === "ready");
    if (ready.length > 0 && ready.every(({ id }) => this.#processes.get(id)?.held)) this.#fail("all workers are held");
    for (const { state } of records) this.#seen.add(`is ${state}`);
    if (this.#peaceful && this.#seen.has("timeout")) this.#fail("a worker timed out in peace");
  }

  #serving(): Process[] {
    return [...this.#processes.values()].filter(({ told, order }) => told === "ready" && order === "none");
  }

  #booting(): Process[] {
    return [...this.#processes.values()].filter(({ told, order }) => told === "nothing" && order === "none");
  }

  #fail(problem: string): never {
    throw new Error(`seed ${this.#seed}: ${problem}\n${this.#trace.slice(-40).join("\n")}`);
  }

  // Luck.

  #settings(): PoolSettings {
    return {
      workers: this.#upTo(5),
      bootTimeout: this.#one(5000, 10_000),
      timeout: this.#one(this.#limited ? 2000 : 0, 2000, 5000),
      gracefulTimeout: this.#one(this.#limited ? 1000 : 0, 1000, 10_000),
      keepaliveGrace: this.#one(0, 2000),
      maxRequests: this.#one(0, 100),
      maxRequestsJitter: this.#one(0, 50),
      maxWorkerLifetime: this.#one(0, 0, 15_000),
      maxWorkerMemory: this.#one(0, 100),
      maxRestarts: this.#one(0, 3, 10),
      drainDelay: this.#one(0, 3000),
    };
  }

  #stats(connections: number): WorkerStats {
    const rss = this.#luck() < 0.01 ? 1000 : 10;
    return { requests: 1, inFlight: 0, queued: 0, connections, rss, cpu: 0, lag: 0, oldest: [] };
  }

  /** mulberry32 */
  #luck(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  #upTo(most: number): number {
    return Math.floor(this.#luck() * (most + 1));
  }

  #one<T>(...choices: readonly T[]): T {
    return choices[Math.floor(this.#luck() * choices.length)] as T;
  }
}

test("whatever happens in 2000 storms, the pool keeps its promises", () => {
  const seen = new Set<string>();
  let events = 0;
  for (let seed = 1; seed <= 2000; seed++) {
    const result = new Storm(seed).run();
    events += result.events;
    for (const one of result.seen) seen.add(one);
  }
  expect(events).toBeGreaterThan(400_000);
  // The storms were storms: everything that can be commanded was, and every state and end occurred.
  const all: readonly string[] = [
    ...["spawn", "drain", "quit", "kill", "hold", "release", "shed", "log", "timeout", "serving", "resized", "reaped"],
    ...[
      "reloading",
      "reloaded",
      "reloaded well",
      "reload failed",
      "exit",
      "exit 0",
      "exit 1",
      "exit 3",
      "exit 4",
      "exit 5",
    ],
    ...["is booting", "is ready", "is draining", "is stuck", "is dying"],
  ];
  expect([...seen].sort()).toEqual([...all].sort());
});
