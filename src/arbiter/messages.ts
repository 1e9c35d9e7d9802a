// What a master and its workers say to each other: JSON objects over the runtime's IPC channel. Both sides are the same
// program, but after a reload not always the same version of it: what is not known is ignored.

import type { TimeoutReport } from "../config/hooks.ts";
import type { Settings } from "../config/settings.ts";
import type { Bind } from "../runtime/port.ts";

/** What a worker's watchdog thread writes when the event loop has stood still; hooks are told the same. */
export type StuckReport = TimeoutReport;

/** A request that a worker has not answered yet. */
export type InFlight = StuckReport["requests"][number];

/** How a worker is, told about once a second; that it comes at all is the heartbeat. */
export interface WorkerStats {
  /** Requests begun since the worker was started. */
  readonly requests: number;
  /** Requests that are not answered yet. */
  readonly inFlight: number;
  /** Requests that wait for their turn (limit_concurrency). */
  readonly queued: number;
  readonly connections: number;
  /** Resident memory, bytes. */
  readonly rss: number;
  /** Processor time since the worker was started, milliseconds. */
  readonly cpu: number;
  /** By how much the event loop was late at worst since the last heartbeat, milliseconds. */
  readonly lag: number;
  /** The oldest requests in flight, at most 10. */
  readonly oldest: readonly InFlight[];
}

/** Why a worker asks to be replaced. */
export type RetireReason = "max_requests" | "signal" | "closed";

/** What a worker tells its master. */
export type FromWorker =
  /** The process runs and waits for {@link ToWorker} `boot`. */
  | { readonly type: "hello" }
  /** The application is loaded, and the worker accepts. */
  | { readonly type: "ready" }
  /** It could not boot; it exits with `code` next. `detail` is the application's stack, if it was its fault. */
  | { readonly type: "failed"; readonly code: number; readonly message: string; readonly detail: string | null }
  | { readonly type: "heartbeat"; readonly stats: WorkerStats }
  /** It wants to be replaced, and serves on until it is told to drain. */
  | { readonly type: "retire"; readonly reason: RetireReason }
  /** It drains although nobody told it to: it got a signal. */
  | { readonly type: "draining" }
  /** It drains, and its sockets are closed: who connects from now on comes to another worker. */
  | { readonly type: "closed" };

/** What a master tells a worker. */
export type ToWorker =
  | {
    readonly type: "boot";
    /** Starts at 1, and grows with each worker that was ever started. */
    readonly id: number;
    readonly settings: Settings;
    /** What to listen on, with the real ports; {@link Parent.socket} gives the socket at each index. */
    readonly binds: readonly Bind[];
    /** Requests after which it asks to be replaced, jitter added; 0: never. */
    readonly maxRequests: number;
    /** What the caller of the master has to say to the caller of the worker: where the application and the hooks are. */
    readonly extra: unknown;
  }
  /**
   * Stop accepting, finish what runs, exit with 0. `grace`: seconds in which connections that are idle may still send a
   * request, which is answered with `Connection: close`.
   */
  | { readonly type: "drain"; readonly grace: number }
  /** Cut everything and exit with 0. */
  | { readonly type: "quit" }
  | { readonly type: "reopen" }
  /** Stop accepting for now: others have fewer connections. */
  | { readonly type: "hold" }
  /** Accept again. */
  | { readonly type: "release" }
  /** Say `Connection: close` with the next responses, until `count` connections have been told. */
  | { readonly type: "shed"; readonly count: number };
