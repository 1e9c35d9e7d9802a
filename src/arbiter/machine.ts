// The arbiter's policy as a pure function: step(state, event) -> [state, commands]. How many workers there are, when one
// is started, drained or killed, and what a reload, a crash, a stuck worker or a signal lead to is decided here, and only
// here. No clock, no process, no promise: every event brings its time, and master.ts does what the commands say.

import { balance } from "./balance.ts";
import type { StuckReport, WorkerStats } from "./messages.ts";

/** A worker that has lived this long, in milliseconds, was no failure; a younger one that ends by itself was one. */
export const PROVEN_AFTER = 10_000;
/** How long the pool waits after the first failure in a row, in milliseconds; twice as long after each further one. */
export const BACKOFF_FIRST = 250;
export const BACKOFF_LONGEST = 30_000;
/** How long a worker that was told to quit may take, in milliseconds. */
export const QUIT_WITHIN = 2000;
/** How long a reload that is done otherwise waits for an old worker to say that its sockets are closed, in milliseconds. */
export const CLOSES_WITHIN = 2000;
/** A terminal's Ctrl-C goes to all processes: so long after a worker's signal the master's may come, in milliseconds. */
export const SIGNAL_WITHIN = 250;
/** How long the watchdog's report about a stuck worker is waited for, in milliseconds. */
export const REPORT_WITHIN = 2000;
/** Ticks come a few times a second. When nothing came for so many milliseconds, it was the master that stood still. */
export const MASTER_LATE = 2000;
/** Milliseconds between two looks at how evenly the workers are loaded. */
const BALANCE_EVERY = 1000;
/** So many more workers than `target` boot or are ready while some are being replaced. */
const SURGE = 1;
/** The exit code when no worker lives long enough. */
export const EXIT_GAVE_UP = 5;
/** What a worker says with its exit code about the program or its settings: another try would end alike. */
const HOPELESS: readonly (number | null)[] = [1, 2, 3, 4];
/** Multiples of it, modulo 1, are as far from each other as can be, however many there are. */
const GOLDEN = 0.618_033_988_749_895;

/** What the settings say about the pool; see docs/settings.md for each. Times are milliseconds here, 0 is no limit. */
export interface PoolSettings {
  readonly workers: number;
  readonly bootTimeout: number;
  readonly timeout: number;
  readonly gracefulTimeout: number;
  readonly keepaliveGrace: number;
  readonly maxRequests: number;
  readonly maxRequestsJitter: number;
  readonly maxWorkerLifetime: number;
  /** Bytes. */
  readonly maxWorkerMemory: number;
  readonly maxRestarts: number;
  /** Milliseconds between "not ready" and the end of accepting, when the whole server stops. */
  readonly drainDelay: number;
}

/** How far a worker is in its life. */
export type WorkerState =
  /** Started, and not ready yet. */
  | "booting"
  /** Accepts and serves. */
  | "ready"
  /** Accepts no more, and finishes what it has. */
  | "draining"
  /** Its event loop stands still; its report is waited for. */
  | "stuck"
  /** Was told to end at once, or killed; its end is waited for. */
  | "dying";

/** What changes a worker's state. The end of its process, whenever it comes, ends its record. */
export type Cause =
  /** It says that it is ready. */
  | "ready"
  /** It is told to drain. */
  | "drain"
  /** It says that it drains, on its own account. */
  | "leave"
  /** Nothing was heard of it for `timeout`. */
  | "silence"
  /** It was heard of again. */
  | "recover"
  | "quit"
  | "kill";

/** All lives of a worker. What is not listed does not happen, or comes too late and changes nothing. */
export const TRANSITIONS: Readonly<Record<WorkerState, Readonly<Partial<Record<Cause, WorkerState>>>>> = {
  booting: { ready: "ready", drain: "draining", leave: "draining", quit: "dying", kill: "dying" },
  ready: { drain: "draining", leave: "draining", silence: "stuck", quit: "dying", kill: "dying" },
  draining: { silence: "stuck", quit: "dying", kill: "dying" },
  stuck: { recover: "ready", drain: "draining", leave: "draining", quit: "dying", kill: "dying" },
  dying: { kill: "dying" },
};

/** A worker, as the policy sees it. */
export interface WorkerRecord {
  readonly id: number;
  /** 0 until it is known. */
  readonly pid: number;
  /** The configuration that it was started with: 1, then one more for each reload. */
  readonly generation: number;
  readonly state: WorkerState;
  /** When it was started, became ready, and was heard of last; milliseconds of the events' clock. */
  readonly startedAt: number;
  readonly readyAt: number | null;
  readonly heardAt: number;
  /** When it is killed if it still runs; null: never. */
  readonly deadline: number | null;
  /** Why it drains or dies, in words for the log and `tricorn ctl`; null while it is to live. */
  readonly reason: string | null;
  /** It asked to be replaced, or has to be; its turn has not come yet. */
  readonly retiring: string | null;
  /** Told not to accept for now. */
  readonly held: boolean;
  /** Until when who connects may come to it though it drains: until it says that its sockets are closed; 0: no more. */
  readonly closesBy: number;
  /** When it was last told to shed connections; null: never. */
  readonly shedAt: number | null;
  /** What it said about why it could not boot. */
  readonly failure: string | null;
  readonly maxRequests: number;
  readonly stats: WorkerStats | null;
}

export type Phase = "running" | "stopping" | "stopped";

/** Who asked for a reload, so that he can be told how it went; the master's business. */
export type ReloadTicket = number;

export interface State {
  readonly phase: Phase;
  readonly settings: PoolSettings;
  /** What new workers are started with; while a canary boots, its generation. */
  readonly generation: number;
  /** The last number that was given to a generation: the number of one that failed is not used again. */
  readonly lastGeneration: number;
  /** How many workers there should be: `settings.workers`, until TTIN, TTOU or ctl say otherwise. */
  readonly target: number;
  readonly workers: ReadonlyMap<number, WorkerRecord>;
  readonly nextId: number;
  /** A worker has been ready since the master was started. Until then a boot failure ends everything. */
  readonly everReady: boolean;
  /** The reload that runs: its canary boots, or the old generation is being replaced. */
  readonly reload: Reload | null;
  /** What was asked for meanwhile; it begins when `reload` has ended, well or not. */
  readonly pending: { readonly settings: PoolSettings; readonly tickets: readonly ReloadTicket[] } | null;
  /** Deaths soon after the start, in a row; and when the next worker may be started, after one or a worker's signal. */
  readonly failures: number;
  readonly notBefore: number;
  /** Workers with a smaller id were started before the last failure that was counted. They tell nothing new. */
  readonly failedBefore: number;
  /** Workers started in place of ones that had ended unexpectedly. */
  readonly restarts: number;
  /** While the phase is stopping: when drain_delay is over; null: workers drain at once. */
  readonly drainAt: number | null;
  /** While the phase is stopping: how long idle connections are kept for one more request, milliseconds. */
  readonly drainGrace: number;
  readonly exitCode: number;
  /** The time of the last event. */
  readonly at: number;
  readonly balancedAt: number;
  /** The last `random` of an event. */
  readonly luck: number;
}

export interface Reload {
  readonly tickets: readonly ReloadTicket[];
  /** The worker whose boot decides; null once it was ready. */
  readonly canary: number | null;
  /** What goes back into force when the canary fails. */
  readonly previous: { readonly generation: number; readonly settings: PoolSettings; readonly target: number };
}

/** What happened. `at`: milliseconds of a clock that never goes back. `random`: 0 up to 1, where the policy needs luck. */
export type Event =
  | { readonly type: "start"; readonly at: number; readonly random: number }
  /** Comes a few times a second. */
  | { readonly type: "tick"; readonly at: number; readonly random: number }
  | { readonly type: "spawned"; readonly at: number; readonly id: number; readonly pid: number }
  | { readonly type: "ready"; readonly at: number; readonly id: number }
  | { readonly type: "failed"; readonly at: number; readonly id: number; readonly message: string }
  | { readonly type: "heartbeat"; readonly at: number; readonly id: number; readonly stats: WorkerStats }
  /** It asks to be replaced (max_requests), or an operator asks for it. */
  | { readonly type: "retire"; readonly at: number; readonly id: number; readonly reason: string }
  /** It drains on its own account, after a signal. */
  | { readonly type: "draining"; readonly at: number; readonly id: number }
  /** It drains, and accepts no more. */
  | { readonly type: "closed"; readonly at: number; readonly id: number }
  /** An operator wants it dead at once. */
  | { readonly type: "kill"; readonly at: number; readonly id: number }
  | { readonly type: "report"; readonly at: number; readonly id: number; readonly report: StuckReport }
  | {
    readonly type: "exited";
    readonly at: number;
    readonly id: number;
    readonly code: number | null;
    readonly signal: string | null;
    readonly random: number;
  }
  /** A new configuration, read and found valid. */
  | {
    readonly type: "reload";
    readonly at: number;
    readonly settings: PoolSettings;
    readonly ticket: ReloadTicket;
    readonly random: number;
  }
  /** TTIN, TTOU, WINCH, `tricorn ctl worker add`. */
  | { readonly type: "resize"; readonly at: number; readonly target: number; readonly random: number }
  /**
   * TERM is graceful; QUIT, and a second TERM, is not. `delay`: drain_delay counts. It does not when another master has
   * taken over. Then connections get keepalive_grace, since their clients' next requests are answered; and so they do with
   * a drain_delay, since a load balancer keeps its connections until it is told, and may not send a POST again.
   */
  | { readonly type: "stop"; readonly at: number; readonly graceful: boolean; readonly delay: boolean };

export interface BootFailure {
  /** How it ended, for example "it ended with code 7", when it did not say why; else null. */
  readonly end: string | null;
  /** Another try would end alike: the server ends, too. */
  readonly hopeless: boolean;
}

/** What to do. The master does it and decides nothing. */
export type Command =
  | { readonly type: "spawn"; readonly id: number; readonly generation: number; readonly maxRequests: number }
  | { readonly type: "drain"; readonly id: number; readonly grace: number }
  | { readonly type: "quit"; readonly id: number }
  | { readonly type: "kill"; readonly id: number }
  | { readonly type: "hold"; readonly id: number }
  | { readonly type: "release"; readonly id: number }
  /** Takes the place of what it was told before; 0: no more. */
  | { readonly type: "shed"; readonly id: number; readonly count: number }
  | {
    readonly type: "log";
    readonly level: "debug" | "info" | "warning" | "error" | "critical";
    readonly message: string;
    /** Where it is the line of a worker that ended before it was ready, and was no canary. */
    readonly bootFailure?: BootFailure;
  }
  /** A worker's event loop stood still, and this is what its watchdog saw; null: it saw nothing. For the log and the hook. */
  | { readonly type: "timeout"; readonly worker: WorkerRecord; readonly report: StuckReport | null }
  /** The first worker is ready: systemd and who else waits may be told. */
  | { readonly type: "serving" }
  | { readonly type: "resized"; readonly before: number | null; readonly now: number }
  /** A worker's process has ended and is forgotten. */
  | {
    readonly type: "reaped";
    readonly worker: WorkerRecord;
    readonly code: number | null;
    readonly signal: string | null;
  }
  /** A reload begins. The settings that came with the last of `tickets` are those of `generation`. */
  | { readonly type: "reloading"; readonly generation: number; readonly tickets: readonly ReloadTicket[] }
  /**
   * A reload has ended; `error` is null when all went well. `generation` is in force from now on: the former one again,
   * when the canary failed. Settings of a generation that is not in force and has no worker are not needed any more.
   */
  | {
    readonly type: "reloaded";
    readonly generation: number;
    readonly tickets: readonly ReloadTicket[];
    readonly error: string | null;
  }
  /** All workers have ended. No command follows. */
  | { readonly type: "exit"; readonly code: number };

/** What is before `start`: no worker, and none wanted. */
export function initialState(settings: PoolSettings): State {
  return {
    phase: "running",
    settings,
    generation: 1,
    lastGeneration: 1,
    target: 0,
    workers: new Map(),
    nextId: 1,
    everReady: false,
    reload: null,
    pending: null,
    failures: 0,
    notBefore: 0,
    failedBefore: 1,
    restarts: 0,
    drainAt: null,
    drainGrace: 0,
    exitCode: 0,
    at: 0,
    balancedAt: 0,
    luck: 0,
  };
}

/**
 * What follows from `event`: the state after it, and what is to be done, in this order. `state` is left as it is. Events
 * about workers that are not known (any more), and events after `exit`, change nothing.
 */
export function step(state: State, event: Event): readonly [State, readonly Command[]] {
  if (state.phase === "stopped") return [state, []];
  const turn = new Turn(state, event.at);
  turn.take(event);
  turn.settle();
  if (event.type === "tick") turn.balance();
  return turn.result();
}

type Draft = { -readonly [Key in keyof State]: State[Key] };

/**
 * One step. `take` writes down what the event says; `settle` then compares what there is with what there should be, so
 * that the order in which things happened does not matter.
 */
class Turn {
  readonly #at: number;
  readonly #state: Draft;
  readonly #workers: Map<number, WorkerRecord>;
  readonly #commands: Command[] = [];

  constructor(state: State, at: number) {
    this.#at = at;
    this.#workers = new Map(state.workers);
    this.#state = { ...state, workers: this.#workers };
  }

  result(): readonly [State, readonly Command[]] {
    return [this.#state, this.#commands];
  }

  take(event: Event): void {
    const state = this.#state;
    if ("random" in event) state.luck = event.random;
    const late = event.at - state.at;
    state.at = event.at;
    // What the workers said while this process stood still waits to be read: they must not be judged before.
    if (late > MASTER_LATE) this.#postpone(late);
    switch (event.type) {
      case "start":
        state.target = state.settings.workers;
        this.#do({ type: "resized", before: null, now: state.target });
        return;
      case "tick":
        return this.#tick();
      case "reload":
        return this.#reload(event.settings, event.ticket);
      case "resize":
        return this.#resize(Math.max(0, Math.floor(event.target)));
      case "stop":
        return this.#stop(event.graceful, event.delay);
    }
    const worker = this.#workers.get(event.id);
    if (worker === undefined) return;
    switch (event.type) {
      case "spawned":
        this.#log("debug", `${title(this.#change(worker, { pid: event.pid }))} boots`);
        return;
      case "ready":
        return this.#ready(worker);
      case "failed":
        this.#change(worker, { failure: event.message });
        return;
      case "heartbeat":
        return this.#heartbeat(worker, event.stats);
      case "retire":
        return this.#retire(worker, event.reason);
      case "draining":
        return this.#leave(worker);
      case "closed":
        this.#change(worker, { closesBy: 0 });
        return;
      case "kill":
        this.#kill(worker, "was given up by an operator");
        if (this.#state.reload?.canary === worker.id) this.#endReload("the new worker was killed by an operator");
        return;
      case "report":
        return this.#report(worker, event.report);
      case "exited":
        return this.#exited(worker, event.code, event.signal);
    }
  }

  /** Brings the pool to what it should be, one command after another. */
  settle(): void {
    if (this.#state.phase === "running") this.#fill();
    else this.#empty();
    this.#letAccept();
  }

  // What workers tell.

  #ready(worker: WorkerRecord): void {
    const ready = this.#move(worker, "ready", { readyAt: this.#at, heardAt: this.#at, deadline: null });
    if (ready === null) return;
    this.#log("info", `${title(ready)} is ready`);
    const state = this.#state;
    if (!state.everReady) {
      state.everReady = true;
      this.#do({ type: "serving" });
    }
    if (state.reload?.canary !== worker.id) return;
    const { previous } = state.reload;
    state.reload = { ...state.reload, canary: null };
    // What the former program did is no reason to wait with this one.
    this.#forgive();
    if (previous.target !== state.target) {
      this.#do({ type: "resized", before: previous.target, now: state.target });
    }
  }

  #heartbeat(worker: WorkerRecord, stats: WorkerStats): void {
    const silence = this.#at - worker.heardAt;
    let heard = this.#change(worker, { heardAt: this.#at, stats });
    if (worker.state === "stuck") {
      // It drained before, if there is a reason for it.
      heard = this.#move(heard, worker.reason === null ? "recover" : "drain") ?? heard;
      this.#log("warning", `${title(heard)} is back: its event loop stood still for ${seconds(silence)}`);
    }
    const { maxWorkerMemory } = this.#rules;
    if (maxWorkerMemory > 0 && stats.rss > maxWorkerMemory && heard.state === "ready" && heard.retiring === null) {
      const figures = `${mebibytes(stats.rss)} of memory, more than ${mebibytes(maxWorkerMemory)} (max_worker_memory)`;
      this.#log("warning", `${title(heard)} has ${figures}: it is replaced`);
      this.#change(heard, { retiring: "max_worker_memory" });
    }
  }

  /** Writes the wish down. Whose turn it is, {@link #fill} decides; during a reload nobody's. */
  #retire(worker: WorkerRecord, reason: string): void {
    if (worker.state === "dying" || worker.reason !== null || worker.retiring !== null) return;
    this.#change(worker, { retiring: reason });
  }

  #leave(worker: WorkerRecord): void {
    const left = this.#move(worker, "leave", { reason: "signal", deadline: this.#drainDeadline(0) });
    if (left === null) return;
    this.#log("info", `${title(left)} drains: it got a signal`);
    // Else it would be started for nothing.
    this.#state.notBefore = Math.max(this.#state.notBefore, this.#at + SIGNAL_WITHIN);
    if (this.#state.reload?.canary === worker.id) this.#endReload("the new worker was told to end by a signal");
  }

  #report(worker: WorkerRecord, report: StuckReport): void {
    if (worker.state === "stuck") return this.#endStuck(worker, report);
    // The watchdog may be a little earlier than the tick. But a report that was on its way when the worker came back
    // must not kill it: then it was heard of just now.
    const { timeout } = this.#rules;
    if (timeout === 0 || this.#at - worker.heardAt < timeout / 2) return;
    const stuck = this.#silence(worker);
    if (stuck !== null) this.#endStuck(stuck, report);
  }

  #exited(worker: WorkerRecord, code: number | null, signal: string | null): void {
    this.#workers.delete(worker.id);
    this.#do({ type: "reaped", worker, code, signal });
    const end = describeEnd(code, signal);
    if (worker.state === "dying" || (worker.state === "draining" && code === 0)) {
      this.#log("debug", `${title(worker)} ${end}`);
      return;
    }
    if (worker.state === "draining") {
      this.#log("error", `${title(worker)} ${end} while it drained`);
      return;
    }
    const state = this.#state;
    if (worker.state !== "booting") {
      this.#log("error", `${title(worker)} ${end}${worker.reason === null ? ", and nobody told it to" : ""}`);
      if (worker.reason === null) this.#lost(worker);
      return;
    }
    const unsaid = worker.failure === null ? `it ${end}` : null;
    const why = worker.failure ?? unsaid;
    if (state.reload?.canary === worker.id) return this.#endReload(worker.failure ?? `the new worker ${end}`);
    if (state.phase === "running" && !state.everReady && HOPELESS.includes(code)) {
      const message = `Worker failed to boot: ${why}`;
      this.#do({ type: "log", level: "critical", message, bootFailure: { end: unsaid, hopeless: true } });
      return this.#halt(code ?? 1);
    }
    const message = `${title(worker)} failed to boot: ${why}`;
    this.#do({ type: "log", level: "error", message, bootFailure: { end: unsaid, hopeless: false } });
    this.#lost(worker);
  }

  // What operators ask for.

  #reload(settings: PoolSettings, ticket: ReloadTicket): void {
    const state = this.#state;
    if (state.phase !== "running") {
      const { generation } = state;
      this.#do({ type: "reloaded", generation, tickets: [ticket], error: "the server stops" });
      return;
    }
    state.pending = { settings, tickets: [...state.pending?.tickets ?? [], ticket] };
  }

  #resize(target: number): void {
    const state = this.#state;
    if (state.phase !== "running") {
      this.#log("warning", `The number of workers stays as it is: the server stops`);
      return;
    }
    const before = this.#target;
    state.target = target;
    const { reload } = state;
    if (reload?.canary != null) state.reload = { ...reload, previous: { ...reload.previous, target } };
    if (before !== target) this.#do({ type: "resized", before, now: target });
  }

  #stop(graceful: boolean, delay: boolean): void {
    const state = this.#state;
    if (!graceful || state.phase === "stopping") return this.#halt(state.exitCode);
    this.#endPhase();
    const { drainDelay, keepaliveGrace } = state.settings;
    if (!delay || drainDelay > 0) state.drainGrace = keepaliveGrace;
    if (delay && drainDelay > 0 && this.#all("ready").length > 0) state.drainAt = this.#at + drainDelay;
  }

  /** Ends everything at once. */
  #halt(code: number): void {
    this.#endPhase();
    this.#state.exitCode = code;
    for (const worker of this.#workers.values()) this.#quit(worker, "stop");
  }

  #endPhase(): void {
    const state = this.#state;
    state.phase = "stopping";
    const { pending } = state;
    state.pending = null;
    if (state.reload !== null) this.#endReload("the server stops");
    if (pending === null) return;
    this.#do({ type: "reloaded", generation: state.generation, tickets: pending.tickets, error: "the server stops" });
  }

  // What time brings.

  /** Moves what runs against the workers by `late` milliseconds. */
  #postpone(late: number): void {
    for (const worker of this.#workers.values()) {
      const { heardAt, deadline } = worker;
      this.#change(worker, { heardAt: heardAt + late, deadline: deadline === null ? null : deadline + late });
    }
  }

  #tick(): void {
    const { timeout, maxWorkerLifetime } = this.#rules;
    for (const worker of [...this.#workers.values()]) {
      const over = worker.deadline !== null && this.#at >= worker.deadline;
      switch (worker.state) {
        case "booting":
          if (over) this.#bootedTooLong(worker);
          break;
        case "ready":
        case "draining":
          if (over) {
            this.#kill(worker, `drained for too long (graceful_timeout)`);
          } else if (timeout > 0 && worker.readyAt !== null && this.#at - worker.heardAt >= timeout) {
            this.#silence(worker);
          } else if (
            worker.state === "ready" && maxWorkerLifetime > 0 &&
            // Workers that were started together do not end together.
            this.#at - worker.startedAt >= maxWorkerLifetime * (1 + spread(worker.id, 0) / 10)
          ) {
            this.#retire(worker, "max_worker_lifetime");
          }
          break;
        case "stuck":
          if (over || this.#at - worker.heardAt >= timeout + REPORT_WITHIN) this.#endStuck(worker, null);
          break;
        case "dying":
          if (over) this.#kill(worker, "did not quit");
          break;
      }
    }
  }

  #bootedTooLong(worker: WorkerRecord): void {
    const within = `not ready within ${seconds(this.#at - worker.startedAt)} (boot_timeout)`;
    this.#kill(worker, `was ${within}`, "error");
    if (this.#state.reload?.canary === worker.id) this.#endReload(`the new worker was ${within}`);
    else this.#lost(worker);
  }

  #silence(worker: WorkerRecord): WorkerRecord | null {
    const stuck = this.#move(worker, "silence");
    if (stuck === null) return null;
    this.#log("critical", `WORKER TIMEOUT (pid:${worker.pid})`);
    return stuck;
  }

  #endStuck(worker: WorkerRecord, report: StuckReport | null): void {
    this.#do({ type: "timeout", worker, report });
    this.#move(worker, "kill", { reason: worker.reason ?? "timeout", deadline: null });
    this.#do({ type: "kill", id: worker.id });
    if (worker.reason === null) this.#lost(worker);
  }

  // How many there are.

  /** What the workers in service are judged by: a canary's settings count once it is ready. */
  get #rules(): PoolSettings {
    const { reload, settings } = this.#state;
    return reload?.canary == null ? settings : reload.previous.settings;
  }

  get #target(): number {
    const { reload, target } = this.#state;
    return reload?.canary == null ? target : reload.previous.target;
  }

  /**
   * The one rule of how many workers there are. Obsolete ones are those of an old generation while a reload replaces
   * them; else the one whose turn it is to retire. Ready workers beyond the target drain, obsolete ones first; workers
   * that are not obsolete are started until they reach the target, but never more than the surge at a time. So there
   * are always `target` ready workers before one drains.
   */
  #fill(): void {
    const state = this.#state;
    if (
      state.failures > 0 && this.#all("ready").some((worker) => worker.id >= state.failedBefore && this.#proven(worker))
    ) {
      this.#forgive();
    }
    if (state.reload === null && state.pending !== null) this.#beginReload(state.pending);
    const { reload, generation } = state;
    const target = this.#target;
    const canary = reload?.canary ?? null;
    const replacing = reload !== null && canary === null;
    const ready = this.#all("ready").sort((a, b) => this.#rank(a) - this.#rank(b) || a.id - b.id);
    const surplus = ready.splice(0, Math.max(0, ready.length - target));
    for (const worker of surplus) {
      const reason = worker.generation === generation || canary !== null ? worker.retiring : "reload";
      this.#drain(worker, reason ?? "fewer workers", this.#rules.keepaliveGrace);
    }
    let booting = this.#all("booting").filter((worker) => worker.id !== canary);
    if (replacing) {
      for (const worker of booting) {
        if (worker.generation !== generation) this.#drain(worker, "reload", this.#rules.keepaliveGrace);
      }
      booting = booting.filter((worker) => worker.generation === generation);
    }
    const obsolete = replacing
      ? ready.filter((worker) => worker.generation !== generation).length
      : Number(reload === null && ready.some((worker) => worker.retiring !== null));
    const wanted = Math.min(target - (ready.length - obsolete), target + SURGE - ready.length);
    for (const worker of booting.slice(Math.max(0, wanted))) {
      this.#drain(worker, "fewer workers", this.#rules.keepaliveGrace);
    }
    if (this.#at >= state.notBefore) {
      for (let missing = wanted - booting.length; missing > 0; missing--) {
        this.#spawn(canary === null ? generation : reload?.previous.generation ?? generation);
      }
    }
    if (replacing && obsolete === 0 && ready.length === target && !this.#oldIsStuck() && !this.#oldAccepts()) {
      this.#endReload(null);
      this.#fill();
    }
  }

  /** Who drains first: old generations, then who has to retire, then the oldest. */
  #rank(worker: WorkerRecord): number {
    return (worker.generation === this.#state.generation ? 2 : 0) + (worker.retiring === null ? 1 : 0);
  }

  /** Who is told that the reload is done may connect next, and is to meet the new code. A worker that only booted never did. */
  #oldAccepts(): boolean {
    return this.#all("draining").some((worker) =>
      worker.generation !== this.#state.generation && worker.readyAt !== null && worker.closesBy > this.#at
    );
  }

  /** It may come back, and would have to be replaced then. */
  #oldIsStuck(): boolean {
    return this.#all("stuck").some((worker) => worker.generation !== this.#state.generation && worker.reason === null);
  }

  #empty(): void {
    const state = this.#state;
    for (const worker of this.#all("booting")) this.#drain(worker, "stop", state.drainGrace);
    if (state.drainAt === null || this.#at >= state.drainAt) {
      for (const worker of this.#all("ready")) this.#drain(worker, "stop", state.drainGrace);
    }
    if (this.#workers.size > 0) return;
    state.phase = "stopped";
    this.#do({ type: "exit", code: state.exitCode });
  }

  // Reloads.

  #beginReload({ settings, tickets }: NonNullable<State["pending"]>): void {
    const state = this.#state;
    const { generation, target } = state;
    const previous = { generation, settings: state.settings, target };
    state.pending = null;
    state.settings = settings;
    state.target = settings.workers;
    state.generation = ++state.lastGeneration;
    this.#log("info", "Reloading: one new worker boots first");
    this.#do({ type: "reloading", generation: state.generation, tickets });
    state.reload = { tickets, canary: this.#spawn(state.generation), previous };
  }

  #endReload(error: string | null): void {
    const state = this.#state;
    const { reload } = state;
    if (reload === null) return;
    state.reload = null;
    if (reload.canary !== null) {
      state.generation = reload.previous.generation;
      state.settings = reload.previous.settings;
      state.target = reload.previous.target;
    }
    if (error === null) this.#log("info", "Reloaded");
    else this.#log("error", `Reload failed, the workers that are ready go on: ${error}`);
    this.#do({ type: "reloaded", generation: state.generation, tickets: reload.tickets, error });
  }

  // Failures.

  #proven(worker: WorkerRecord): boolean {
    return worker.readyAt !== null && this.#at - worker.startedAt >= PROVEN_AFTER;
  }

  #forgive(): void {
    this.#state.failures = 0;
    this.#state.notBefore = 0;
  }

  /** A worker that should have lived has ended, or will. */
  #lost(worker: WorkerRecord): void {
    const state = this.#state;
    if (state.phase !== "running") return;
    state.restarts++;
    if (this.#proven(worker)) return;
    // Workers that were started together and fail together fail for one reason, and count once.
    const counts = worker.id >= state.failedBefore;
    const wait = Math.min(BACKOFF_LONGEST, BACKOFF_FIRST * 2 ** state.failures);
    if (counts) {
      state.failures++;
      state.failedBefore = state.nextId;
      state.notBefore = this.#at + wait;
    }
    const { maxRestarts } = this.#rules;
    const { reload } = state;
    // A canary may be what mends it.
    const tooMany = maxRestarts !== 0 && state.failures >= maxRestarts && reload?.canary == null;
    const problem = `${state.failures} workers in a row have failed (max_restarts)`;
    if (tooMany && !this.#all("ready").some((other) => this.#proven(other))) {
      this.#log("critical", `${problem}, and none is left that works: giving up`);
      return this.#halt(EXIT_GAVE_UP);
    }
    if (counts) {
      this.#log("warning", `${state.failures} in a row failed: the next worker is started in ${seconds(wait)}`);
    }
    if (tooMany && reload !== null) this.#endReload(problem);
  }

  // Balance.

  /** Evens out how many connections the workers have, at most once a second. */
  balance(): void {
    const state = this.#state;
    if (state.phase !== "running" || state.reload !== null || this.#at - state.balancedAt < BALANCE_EVERY) return;
    state.balancedAt = this.#at;
    const { hold, release, shed } = balance(this.#all("ready"), this.#at);
    for (const worker of hold) {
      this.#change(worker, { held: true });
      this.#do({ type: "hold", id: worker.id });
    }
    for (const worker of release) this.#release(worker);
    for (const { worker, count } of shed) {
      // The record in hand may be the one from before `hold`.
      this.#change(this.#workers.get(worker.id) ?? worker, { shedAt: this.#at });
      this.#do({ type: "shed", id: worker.id, count });
    }
  }

  /** Nobody is held while nobody else could accept, nor while workers are exchanged or the server stops. */
  #letAccept(): void {
    const { phase, reload } = this.#state;
    const ready = this.#all("ready");
    if (phase === "running" && reload === null && ready.some((worker) => !worker.held)) return;
    for (const worker of ready) if (worker.held) this.#release(worker);
  }

  #release(worker: WorkerRecord): void {
    this.#change(worker, { held: false });
    this.#do({ type: "release", id: worker.id });
    // What it was told to shed and has not yet, it keeps.
    if (worker.shedAt !== null) this.#do({ type: "shed", id: worker.id, count: 0 });
  }

  // One worker.

  #spawn(generation: number): number {
    const state = this.#state;
    const { maxRequests, maxRequestsJitter, bootTimeout } = generation === state.generation
      ? state.settings
      : this.#rules;
    const id = state.nextId++;
    const jitter = Math.floor(spread(id, state.luck) * (maxRequestsJitter + 1));
    const worker: WorkerRecord = {
      id,
      pid: 0,
      generation,
      state: "booting",
      startedAt: this.#at,
      readyAt: null,
      heardAt: this.#at,
      deadline: bootTimeout === 0 ? null : this.#at + bootTimeout,
      reason: null,
      retiring: null,
      held: false,
      closesBy: 0,
      shedAt: null,
      failure: null,
      maxRequests: maxRequests === 0 ? 0 : maxRequests + jitter,
      stats: null,
    };
    this.#workers.set(id, worker);
    this.#do({ type: "spawn", id, generation, maxRequests: worker.maxRequests });
    return id;
  }

  /** One that boots drains too: it may be ready, and have accepted, before it is heard of. */
  #drain(worker: WorkerRecord, reason: string, grace: number): void {
    const closesBy = this.#at + CLOSES_WITHIN;
    const drained = this.#move(worker, "drain", { reason, closesBy, deadline: this.#drainDeadline(grace) });
    if (drained === null) return;
    this.#log("info", `${title(drained)} drains: ${reason}`);
    this.#do({ type: "drain", id: worker.id, grace: grace / 1000 });
  }

  #drainDeadline(grace: number): number | null {
    const { gracefulTimeout } = this.#rules;
    return gracefulTimeout === 0 ? null : this.#at + gracefulTimeout + grace + 1000;
  }

  #quit(worker: WorkerRecord, reason: string): void {
    const deadline = this.#at + QUIT_WITHIN;
    if (this.#move(worker, "quit", { reason, deadline }) !== null) this.#do({ type: "quit", id: worker.id });
  }

  #kill(worker: WorkerRecord, what: string, level: "warning" | "error" = "warning"): void {
    this.#move(worker, "kill", { reason: worker.reason ?? what, deadline: null });
    this.#log(level, `${title(worker)} ${what}: killed`);
    this.#do({ type: "kill", id: worker.id });
  }

  /** The record after `cause`; null, and nothing has changed, when {@link TRANSITIONS} has no way from here. */
  #move(worker: WorkerRecord, cause: Cause, changes: Partial<WorkerRecord> = {}): WorkerRecord | null {
    const state = TRANSITIONS[worker.state][cause];
    return state === undefined ? null : this.#change(worker, { ...changes, state });
  }

  #change(worker: WorkerRecord, changes: Partial<WorkerRecord>): WorkerRecord {
    const changed = { ...worker, ...changes };
    this.#workers.set(worker.id, changed);
    return changed;
  }

  #all(state: WorkerState): WorkerRecord[] {
    return [...this.#workers.values()].filter((worker) => worker.state === state);
  }

  #log(level: "debug" | "info" | "warning" | "error" | "critical", message: string): void {
    this.#do({ type: "log", level, message });
  }

  #do(command: Command): void {
    this.#commands.push(command);
  }
}

/** A number from 0 up to 1 that is far from those of the neighbours of `id`. */
function spread(id: number, luck: number): number {
  return (luck + id * GOLDEN) % 1;
}

function title({ id, pid }: WorkerRecord): string {
  return pid === 0 ? `Worker ${id}` : `Worker ${id} (pid:${pid})`;
}

function describeEnd(code: number | null, signal: string | null): string {
  if (signal === null) return `ended with code ${code}`;
  return `was killed by ${signal}${signal === "SIGKILL" ? ", perhaps out of memory" : ""}`;
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 10) / 100} s`;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
