// A worker that is started before it is wanted: it has loaded Tricorn and waits to be told what to serve, so a reload takes
// as long as the application's own code takes to load. For one worker at a time, which is what runserver has.

import type { ChildProcessHandle, ProcessEnd, SpawnOptions, Supervisor } from "../runtime/port.ts";

export interface SparingSupervisor extends Supervisor {
  /** Starts a worker as the last one was, for the next call of `spawnWorker`, unless one is waiting already. */
  prepare(): void;
  /** Kills the one that waits. */
  discard(): void;
}

/** `supervisor`, with a spare. A spare that was started with other options than are wanted is killed. */
export function sparing(supervisor: Supervisor): SparingSupervisor {
  let spare: Spare | null = null;
  let last: SpawnOptions | null = null;
  const discard = (): void => {
    spare?.child.kill("SIGKILL");
    spare = null;
  };
  return {
    ...supervisor,
    discard,
    prepare(): void {
      if (last === null || spare?.ended === null) return;
      spare = new Spare(supervisor.spawnWorker(last), last);
    },
    spawnWorker(options): ChildProcessHandle {
      last = options;
      const waiting = spare;
      if (waiting === null || waiting.ended !== null || !waiting.fits(options)) {
        waiting?.child.kill("SIGKILL");
        spare = null;
        return supervisor.spawnWorker(options);
      }
      spare = null;
      return waiting;
    },
  };
}

/** A child that nobody listens to yet: what it says is kept. */
class Spare implements ChildProcessHandle {
  readonly child: ChildProcessHandle;
  readonly pid: number;
  ended: ProcessEnd | null = null;
  readonly #options: SpawnOptions;
  readonly #listeners: ((message: unknown) => void)[] = [];
  #early: unknown[] = [];
  #onExit: ((end: ProcessEnd) => void) | null = null;

  constructor(child: ChildProcessHandle, options: SpawnOptions) {
    this.child = child;
    this.pid = child.pid;
    this.#options = options;
    child.onMessage((message) => {
      if (this.#listeners.length === 0) this.#early.push(message);
      else for (const listener of this.#listeners) listener(message);
    });
    child.onExit((end) => {
      this.ended = end;
      this.#onExit?.(end);
    });
  }

  fits({ env, sockets }: SpawnOptions): boolean {
    const mine = this.#options;
    return JSON.stringify(env) === JSON.stringify(mine.env) && sockets.length === mine.sockets.length &&
      sockets.every((socket, index) => socket === mine.sockets[index]);
  }

  send(message: unknown): boolean {
    return this.child.send(message);
  }

  kill(signal: string): void {
    this.child.kill(signal);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#listeners.push(listener);
    const early = this.#early;
    this.#early = [];
    for (const message of early) listener(message);
  }

  onReport(listener: (report: unknown) => void): void {
    this.child.onReport(listener);
  }

  onExit(listener: (end: ProcessEnd) => void): void {
    if (this.ended === null) this.#onExit = listener;
    else listener(this.ended);
  }
}
