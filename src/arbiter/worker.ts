// A worker: a process that serves on the sockets that its master shares, and does what the master tells it. When to start,
// drain or end is the master's decision; what a request is, the server's. Loading the application and opening the logs are
// the caller's (src/cli/worker.ts).

import type { Settings } from "../config/settings.ts";
import type { EventBus } from "../observe/events.ts";
import type { ListenOptions, Parent, Runtime, Watchdog } from "../runtime/port.ts";
import { Server } from "../server/server.ts";
import type { Application } from "../esgi/application.ts";
import { isOwn } from "./launch.ts";
import type { FromWorker, RetireReason, ToWorker, WorkerStats } from "./messages.ts";

/** What a worker is told to start with. */
export type Boot = Extract<ToWorker, { readonly type: "boot" }>;

/** What a worker measures of its process. */
export interface Usage {
  /** Resident memory, bytes. */
  rss(): number;
  /** Processor time, milliseconds. */
  cpu(): number;
}

export interface WorkerOptions {
  readonly boot: Boot;
  readonly application: Application;
  readonly runtime: Runtime;
  readonly events: EventBus;
  readonly parent: Parent;
  readonly usage: Usage;
  readonly listenOptions: ListenOptions;
  readonly watchdog: Watchdog | null;
  /** Logs are written and closed, hooks called; then the process ends. */
  exit(code: number): void;
  reopenLogs(): void;
  /** It accepts no more, and finishes what it has. */
  draining(): void;
}

/** Milliseconds between two heartbeats, at most. */
const HEARTBEAT = 1000;
/** Heartbeats within `timeout`, at least: with one or two, a loop that is only busy would pass for stuck. */
const BEATS = 4;
/** Milliseconds between two looks at how late the event loop is. */
const LAG_STEP = 100;
/** Seconds that a worker without a master has for its requests, where graceful_timeout is no limit. */
const ORPHAN = 30;
/** How often a worker on Deno listens again, a second apart, when it has descriptors again. */
const RELISTEN = 10;
/** Requests in flight that a heartbeat names. */
const OLDEST = 10;

/** Milliseconds between two heartbeats under `timeout`, which is in seconds; 0: there is none. */
export function heartbeatInterval(timeout: number): number {
  return timeout === 0 ? HEARTBEAT : Math.min(HEARTBEAT, timeout * 1000 / BEATS);
}

/** Waits until the master says with what to start. */
export function awaitBoot(parent: Parent): Promise<Boot> {
  return new Promise((resolve) => {
    let done = false;
    parent.onMessage((message) => {
      if (done || (message as ToWorker).type !== "boot") return;
      done = true;
      resolve(message as Boot);
    });
    void tell(parent, { type: "hello" });
  });
}

/** Tells the master; one that has gone hears nothing, and `onDisconnect` says so. */
export function tell(parent: Parent, message: FromWorker): Promise<void> {
  return parent.send(message);
}

export class Worker {
  readonly server: Server;
  readonly #options: WorkerOptions;
  readonly #settings: Settings;
  #ending: Promise<void> | null = null;
  #exited = false;
  #held = false;
  /** Listening and holding are asynchronous; one ends before the next begins. */
  #listening: Promise<void> = Promise.resolve();
  #lag = 0;
  #stopRelistening: () => void = () => {};

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#settings = options.boot.settings;
    this.server = new Server(options.application, options.runtime, this.#settings, options.events);
    this.server.multiprocess = true;
    this.server.recorder = options.watchdog;
    this.server.retireAfter = options.boot.maxRequests;
    this.server.onRetire = () => this.retire("max_requests");
    // node:net on Deno (2.9.6) accepts nobody any more after one failure for want of descriptors, and does not tell.
    if (options.runtime.name === "deno") this.server.onRelief = () => this.#listenAgain();
  }

  /** Accepts, and tells the master. */
  async start(): Promise<void> {
    const { parent, runtime } = this.#options;
    // From here on the master is obeyed: it may have changed its mind while this worker was booting.
    parent.onMessage((message) => this.#obey(message as ToWorker));
    this.#listening = this.#listen();
    await this.#listening;
    parent.onDisconnect(() => {
      this.#notice("warning", "The master has gone: the worker ends");
      void this.drain(0);
      // Nobody is left to end what does not end, and graceful_timeout may be no limit.
      setTimeout(() => this.quit(1), ((this.#settings.graceful_timeout || ORPHAN) + 1) * 1000);
    });
    runtime.every(heartbeatInterval(this.#settings.timeout), () => this.#beat());
    // How late a short timer is says how long the loop was busy with other things.
    let expected = performance.now() + LAG_STEP;
    runtime.every(LAG_STEP, () => {
      const now = performance.now();
      this.#lag = Math.max(this.#lag, now - expected);
      expected = now + LAG_STEP;
    });
    this.#tell({ type: "ready" });
    this.#beat();
  }

  /** Asks to be replaced; until the master has one who takes over, the worker serves on. */
  retire(reason: RetireReason): void {
    this.#tell({ type: "retire", reason });
  }

  /** After a signal: nobody told it to, so the master has to know. */
  drainUntold(): void {
    this.#tell({ type: "draining" });
    void this.drain(this.#settings.keepalive_grace);
  }

  /** Lets requests finish and connections go for `grace` seconds, then ends the process with 0. */
  drain(grace: number): Promise<void> {
    // The end of the whole server may follow the end of this worker, and has less time.
    if (this.#ending !== null) void this.server.drain({ grace });
    return this.#ending ??= this.#listening.then(() => {
      const drained = this.server.drain({ grace, onClosed: () => this.#tell({ type: "closed" }) });
      this.#options.parent.closeSockets();
      this.#options.draining();
      return drained;
    }).then(() => this.#exit(0));
  }

  /** After a signal. */
  quitUntold(): void {
    this.#tell({ type: "draining" });
    this.quit(0);
  }

  /** Cuts everything, and ends the process. */
  quit(code: number): void {
    this.server.close();
    this.#exit(code);
  }

  #exit(code: number): void {
    if (this.#exited) return;
    this.#exited = true;
    this.#options.watchdog?.close();
    this.#options.exit(code);
  }

  #obey(message: ToWorker): void {
    switch (message.type) {
      case "drain":
        void this.drain(message.grace);
        return;
      case "quit":
        this.quit(0);
        return;
      case "reopen":
        this.#options.reopenLogs();
        return;
      case "hold":
        this.#hold(true);
        return;
      case "release":
        this.#hold(false);
        return;
      case "shed":
        this.server.shed(message.count);
        return;
      case "boot":
        return;
    }
  }

  #hold(held: boolean): void {
    if (this.#ending !== null || held === this.#held) return;
    this.#held = held;
    this.#listening = this.#listening.then(() => held ? this.server.hold() : this.#listen()).catch((error: unknown) => {
      // Without its listener a worker is of no use.
      this.#notice("error", `Cannot listen again: ${error instanceof Error ? error.message : String(error)}`);
      this.retire("closed");
    });
  }

  /** Several times: those who have queued come all at once, and may be too many again for a moment that nobody sees. */
  #listenAgain(): void {
    let rounds = RELISTEN;
    this.#stopRelistening();
    this.#stopRelistening = this.#options.runtime.every(1000, () => {
      if (this.server.connections > (this.#settings.worker_connections || Infinity) / 2) rounds = RELISTEN;
      if (rounds-- === 0 || this.#ending !== null) return this.#stopRelistening();
      if (this.#held) return;
      this.#hold(true);
      this.#hold(false);
    });
  }

  async #listen(): Promise<void> {
    const { boot, parent, listenOptions } = this.#options;
    let index = 0;
    try {
      for (const bind of boot.binds) {
        const own = isOwn(bind, this.#settings);
        const socket = own ? { reusePort: true } : { shared: await parent.socket(index++) };
        await this.server.listen(bind, { ...listenOptions, ...socket });
      }
    } catch (error) {
      // A master that ends has closed them: nobody is to listen any more.
      if (this.#ending === null) throw error;
    }
  }

  #beat(): void {
    this.#options.watchdog?.beat();
    const { server } = this;
    const stats: WorkerStats = {
      requests: server.requests,
      inFlight: server.inFlight,
      queued: server.queued,
      connections: server.connections,
      rss: this.#options.usage.rss(),
      cpu: this.#options.usage.cpu(),
      lag: Math.round(this.#lag),
      oldest: server.oldest(OLDEST),
    };
    this.#lag = 0;
    this.#tell({ type: "heartbeat", stats });
  }

  #tell(message: FromWorker): void {
    void tell(this.#options.parent, message);
  }

  #notice(level: "warning" | "error", message: string): void {
    this.#options.events.emit("notice", { level, message });
  }
}
