// The hooks, and what they are told: plain data, because a hook observes and decides nothing. Their names and moments are
// Gunicorn's; `worker_timeout` is new with Tricorn. When each is called is in the settings' table, docs/settings.md.

import type { Settings } from "./settings.ts";

/** The server, as hooks see it. */
export interface ServerInfo {
  /** The master's process id; without workers, that of the one process. */
  readonly pid: number;
  /** Where it listens: `http://127.0.0.1:8000`. Empty until it does. */
  readonly urls: readonly string[];
  readonly settings: Settings;
}

/** A worker, as hooks see it. */
export interface WorkerInfo {
  /** Starts at 1 and grows with each worker that is started; 0 when the one process serves alone. */
  readonly id: number;
  /** 0 before the process has been started (`pre_fork`). */
  readonly pid: number;
  /** Seconds since it was started. */
  readonly age: number;
}

/** An environ. The one that the application gets: what a hook changes in it, the application sees. */
export type HookEnviron = Readonly<Record<string, unknown>>;

/** How a request ended. */
export interface ResponseInfo {
  /** The status code; 0 when none was sent. */
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Bytes of the body that were sent. */
  readonly bytes: number;
  /** Milliseconds from the request's head to the response's end. */
  readonly duration: number;
  /** The response was not sent whole. */
  readonly aborted: boolean;
}

/** What a worker was doing when its event loop stood still for `timeout` seconds. */
export interface TimeoutReport {
  /** The requests that were not answered, the last begun first. `age`: milliseconds since the head was read. */
  readonly requests: readonly { readonly method: string; readonly target: string; readonly age: number }[];
  /** Where the program stood, one frame a line; null where the runtime cannot tell. */
  readonly stack: string | null;
}

/** What a hook may return. A promise is waited for, except of `pre_request` and `post_request`. */
export type HookResult = void | Promise<void>;

/** Each hook's parameters. */
export interface Hooks {
  readonly on_starting: (server: ServerInfo) => HookResult;
  readonly on_reload: (server: ServerInfo) => HookResult;
  readonly when_ready: (server: ServerInfo) => HookResult;
  readonly pre_fork: (server: ServerInfo, worker: WorkerInfo) => HookResult;
  readonly post_fork: (worker: WorkerInfo) => HookResult;
  readonly post_worker_init: (worker: WorkerInfo) => HookResult;
  readonly worker_int: (worker: WorkerInfo) => HookResult;
  readonly worker_abort: (worker: WorkerInfo) => HookResult;
  readonly worker_exit: (worker: WorkerInfo) => HookResult;
  readonly pre_exec: (server: ServerInfo) => HookResult;
  readonly pre_request: (worker: WorkerInfo, environ: HookEnviron) => void;
  readonly post_request: (worker: WorkerInfo, environ: HookEnviron, response: ResponseInfo) => void;
  readonly child_exit: (server: ServerInfo, worker: WorkerInfo) => HookResult;
  /** `before` is null the first time. */
  readonly nworkers_changed: (server: ServerInfo, now: number, before: number | null) => HookResult;
  readonly worker_timeout: (server: ServerInfo, worker: WorkerInfo, report: TimeoutReport) => HookResult;
  readonly on_exit: (server: ServerInfo) => HookResult;
}

/** Any hook, for code that passes hooks on without calling them. */
export type Hook = Hooks[keyof Hooks];

/** The hooks' names; test/config compares them with the table. */
export const HOOK_NAMES: readonly (keyof Hooks)[] = [
  "on_starting",
  "on_reload",
  "when_ready",
  "pre_fork",
  "post_fork",
  "post_worker_init",
  "worker_int",
  "worker_abort",
  "worker_exit",
  "pre_exec",
  "pre_request",
  "post_request",
  "child_exit",
  "nworkers_changed",
  "worker_timeout",
  "on_exit",
];
