// The arbiter's policy as a pure function: step(state, event) -> [state, commands]. How many workers there are, when one
// is started, drained or killed, and what a reload, a crash, a stuck worker or a signal lead to is decided here, and only
// here. No clock, no process, no promise: every event brings its time, and master.ts does what the commands say.

import type { StuckReport, WorkerStats } from "./messages.ts";

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
  /** Why it drains or dies, in words for the log and `tricorn ctl`. */
  readonly reason: string | null;
  /** It asked to be replaced, or has to be; its turn has not come yet. */
  readonly retiring: string | null;
  /** Told not to accept for now. */
  readonly held: boolean;
  readonly maxRequests: number;
  readonly stats: WorkerStats | null;
}

export type Phase = "running" | "stopping" | "stopped";

/** Who asked for a reload, so that he can be told how it went; the master's business. */
export type ReloadTicket = number;

export interface State {
  readonly phase: Phase;
  readonly settings: PoolSettings;
  readonly generation: number;
  /** How many workers there should be: `settings.workers`, until TTIN, TTOU or ctl say otherwise. */
  readonly target: number;
  readonly workers: ReadonlyMap<number, WorkerRecord>;
  readonly nextId: number;
  /** A worker has been ready since the master was started. Until then a boot failure ends everything. */
  readonly everReady: boolean;
  /** The reload that runs: its canary boots, or the old generation is being replaced. */
  readonly reload: Reload | null;
  /** Deaths soon after the start, in a row; and when the next worker may be started. */
  readonly failures: number;
  readonly notBefore: number;
  /** Workers started in place of ones that had ended unexpectedly. */
  readonly restarts: number;
  /** Listeners were told to close, at the end; null before. `drainAt`: when drain_delay is over. */
  readonly drainAt: number | null;
  readonly exitCode: number;
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
  | { readonly type: "reload"; readonly at: number; readonly settings: PoolSettings; readonly ticket: ReloadTicket; readonly random: number }
  /** TTIN, TTOU, WINCH, `tricorn ctl worker add`. */
  | { readonly type: "resize"; readonly at: number; readonly target: number; readonly random: number }
  /** TERM is graceful; QUIT, and a second TERM, is not. `delay`: drain_delay counts. */
  | { readonly type: "stop"; readonly at: number; readonly graceful: boolean; readonly delay: boolean };

/** What to do. The master does it and decides nothing. */
export type Command =
  | { readonly type: "spawn"; readonly id: number; readonly generation: number; readonly maxRequests: number }
  | { readonly type: "drain"; readonly id: number; readonly grace: number }
  | { readonly type: "quit"; readonly id: number }
  | { readonly type: "kill"; readonly id: number }
  | { readonly type: "hold"; readonly id: number }
  | { readonly type: "release"; readonly id: number }
  | { readonly type: "shed"; readonly id: number; readonly count: number }
  | { readonly type: "log"; readonly level: "debug" | "info" | "warning" | "error" | "critical"; readonly message: string }
  /** A worker's event loop stood still, and this is what its watchdog saw; null: it saw nothing. For the log and the hook. */
  | { readonly type: "timeout"; readonly worker: WorkerRecord; readonly report: StuckReport | null }
  /** The first worker is ready: systemd and who else waits may be told. */
  | { readonly type: "serving" }
  | { readonly type: "resized"; readonly before: number | null; readonly now: number }
  /** A worker's process has ended and is forgotten. */
  | { readonly type: "reaped"; readonly worker: WorkerRecord; readonly code: number | null; readonly signal: string | null }
  /** `error` is null when the reload is done. On failure, generation `generation` is dead and its settings are void. */
  | { readonly type: "reloaded"; readonly tickets: readonly ReloadTicket[]; readonly error: string | null }
  /** All workers have ended. */
  | { readonly type: "exit"; readonly code: number };
