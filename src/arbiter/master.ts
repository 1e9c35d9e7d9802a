// The master: owns the sockets, starts workers and does what the machine says. It decides nothing about the pool
// (machine.ts does), never accepts a connection, and knows no runtime (runtime/port.ts's Supervisor does).

import type { Hooks, ServerInfo, WorkerInfo } from "../config/hooks.ts";
import type { EventBus } from "../observe/events.ts";
import {
  type Bind,
  type ChildProcessHandle,
  formatBind,
  type SharedSocket,
  type Supervisor,
  urlOf,
} from "../runtime/port.ts";
import {
  type BootFailure,
  type Command,
  type Event,
  initialState,
  type PoolSettings,
  type State,
  step,
  type WorkerRecord,
} from "./machine.ts";
import { callHook } from "./hooks.ts";
import { isOwn, type Launch } from "./launch.ts";
import type { FromWorker, InFlight, StuckReport, ToWorker } from "./messages.ts";

/** The variable by which a master tells the next one of its sockets, in JSON. */
export const INHERITED = "TRICORN_SOCKETS";

/** A socket that goes from master to master. `key`: which address of the configuration it is ({@link socketKeys}). */
export interface InheritedSocket {
  readonly key: string;
  readonly bind: Bind;
}

export interface MasterOptions {
  readonly launch: Launch;
  /** Reads the configuration again. Rejects with what is wrong with it. */
  readonly relaunch: () => Promise<Launch>;
  readonly supervisor: Supervisor;
  readonly events: EventBus;
  readonly pid: number;
  /** Calls `callback` each `milliseconds`; returns what stops it. */
  readonly every: (milliseconds: number, callback: () => void) => () => void;
  /** Sockets that a former master passed on, by {@link socketKeys}. */
  readonly inherited: ReadonlyMap<string, SharedSocket>;
  /** Called when a worker that is no canary has ended before it was ready; true: the log need not have it. */
  readonly onBootFailed?: (failure: BootFailure) => boolean;
  /** Called when the first worker is ready. */
  readonly onServing?: () => void;
  /** Called when as many workers are ready as there shall be, for the first time. */
  readonly onFull?: () => void;
  /** Called when another master has taken over; when the promise has settled, this one drains. */
  readonly onReplaced?: (pid: number) => Promise<void>;
  readonly onReloading?: () => void;
  readonly onReloaded?: (error: string | null, launch: Launch) => void;
  readonly onStopping?: () => void;
}

type Level = (Command & { readonly type: "log" })["level"];

/** Milliseconds between two ticks of the machine. */
const TICK = 100;

/** What a worker could not say itself. */
interface WorkerHandle {
  readonly process: ChildProcessHandle;
  /** The processor time of its last two heartbeats, for {@link Master.cpuPercent}. */
  cpu: readonly { readonly at: number; readonly cpu: number }[];
}

export class Master {
  /** Resolves with the exit code when all workers have ended. */
  readonly finished: Promise<number>;
  /** How the last reload went. `at`: milliseconds since 1970. */
  lastReload: { readonly at: number; readonly error: string | null } | null = null;
  readonly startedAt: number = Date.now();
  readonly #options: MasterOptions;
  #finish!: (code: number) => void;
  #state: State;
  /** The configuration of each generation that still has workers, or is the current one. */
  readonly #launches = new Map<number, Launch>();
  readonly #workers = new Map<number, WorkerHandle>();
  /** What is bound, by {@link socketKeys}. */
  #sockets: ReadonlyMap<string, SharedSocket>;
  readonly #tickets = new Map<number, (error: string | null) => void>();
  #nextTicket = 1;
  #stopTicking: () => void = () => {};
  /** Events that came while one was being handled. */
  readonly #queue: Event[] = [];
  #stepping = false;
  #full = false;
  #upgrade: ChildProcessHandle | null = null;
  /** The sockets belong to another master now: their paths stay. */
  #handedOver = false;
  readonly #closed = new Set<SharedSocket>();

  constructor(options: MasterOptions) {
    this.#options = options;
    this.#state = initialState(poolSettings(options.launch));
    this.#launches.set(this.#state.generation, options.launch);
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#sockets = options.inherited;
  }

  /** Binds. @throws {ListenError} when an address cannot be had. */
  async bind(): Promise<void> {
    await this.#runHook("on_starting");
    const inherited = this.#sockets;
    this.#sockets = await this.#bindAll(this.#options.launch);
    for (const [key, socket] of inherited) if (!this.#sockets.has(key)) socket.close(false);
  }

  /** Starts the workers. */
  start(): void {
    // The ticks do not keep the process, and between two workers that cannot boot there is nothing else that does.
    const alive = setInterval(() => {}, 2 ** 30);
    void this.finished.then(() => clearInterval(alive));
    this.#stopTicking = this.#options.every(
      TICK,
      () => this.#handle({ type: "tick", at: now(), random: Math.random() }),
    );
    this.#handle({ type: "start", at: now(), random: Math.random() });
  }

  /** What the machine knows. */
  get state(): State {
    return this.#state;
  }

  /** The configuration in force. */
  get launch(): Launch {
    return this.#launches.get(this.#state.generation)!;
  }

  /** Where it listens, in the order of the settings, with the real ports. */
  get urls(): readonly string[] {
    const { launch } = this;
    return bound(launch, this.#sockets).map((bind) => urlOf(bind, launch.settings.certfile !== null));
  }

  /** True while requests are answered: a worker is ready, and the end has not begun. */
  get ready(): boolean {
    return this.#state.phase === "running" && this.#readyWorkers() > 0;
  }

  /** How much of one core a worker used between its last two heartbeats, percent. */
  cpuPercent(id: number): number {
    const [before, last] = this.#workers.get(id)?.cpu ?? [];
    return before === undefined || last === undefined ? 0 : 100 * (last.cpu - before.cpu) / (last.at - before.at);
  }

  /** Replaces all workers by ones with a new configuration. Resolves with null, or with why the old ones go on. */
  async reload(): Promise<string | null> {
    const { events } = this.#options;
    this.#options.onReloading?.();
    let launch: Launch;
    try {
      launch = await this.#options.relaunch();
      const sockets = await this.#bindAll(launch);
      // Until the reload is done, what is no longer asked for stays bound: the old workers serve on it.
      this.#sockets = new Map([...this.#sockets, ...sockets]);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      events.emit("notice", { level: "error", message: `Reload failed, the workers go on as they are: ${reason}` });
      return this.#reloaded(reason);
    }
    await this.#runHook("on_reload");
    const ticket = this.#nextTicket++;
    const done = new Promise<string | null>((resolve) => this.#tickets.set(ticket, resolve));
    this.#pending = [...this.#pending, { launch, ticket }];
    this.#handle({
      type: "reload",
      at: now(),
      settings: poolSettings(launch),
      ticket,
      random: Math.random(),
    });
    const error = await done;
    this.#forgetLaunches();
    this.#closeUnused();
    return this.#reloaded(error);
  }

  #reloaded(error: string | null): string | null {
    this.lastReload = { at: Date.now(), error };
    this.#options.onReloaded?.(error, this.launch);
    return error;
  }

  /** Makes the pool so many workers larger, or smaller, until the next reload. Returns null, or why it stays as it is. */
  resizeBy(by: number): string | null {
    const { phase, target } = this.#state;
    if (phase !== "running") return "the server is stopping";
    if (target + by < 1) return `there are ${target} workers, and one must stay`;
    this.resize(target + by);
    return null;
  }

  /** Makes the pool `target` workers large, until the next reload. */
  resize(target: number): void {
    this.#handle({ type: "resize", at: now(), target, random: Math.random() });
  }

  /** Replaces one worker. False: there is none with that pid. */
  retire(pid: number, reason: string): boolean {
    const worker = this.#find(pid);
    if (worker === undefined) return false;
    this.#handle({ type: "retire", at: now(), id: worker.id, reason });
    return true;
  }

  /** Kills one worker. False: there is none with that pid. */
  kill(pid: number): boolean {
    const worker = this.#find(pid);
    if (worker === undefined) return false;
    this.#handle({ type: "kill", at: now(), id: worker.id });
    return true;
  }

  /** Ends everything. `delay`: drain_delay counts. */
  stop(graceful: boolean, delay: boolean = graceful): void {
    if (this.#state.phase === "running") this.#options.onStopping?.();
    this.#handle({ type: "stop", at: now(), graceful, delay });
  }

  /** Tells the workers to open their logs again. */
  reopen(): void {
    for (const id of this.#workers.keys()) this.#send(id, { type: "reopen" });
  }

  /**
   * Starts a new master on the same sockets; when it serves, this one drains and ends. Resolves with null then, or with
   * why this one goes on.
   */
  async upgrade(env: Readonly<Record<string, string | null>>): Promise<string | null> {
    if (this.#upgrade !== null) return "a new master is being started already";
    if (this.#state.phase !== "running") return "the server is stopping";
    await this.#runHook("pre_exec");
    const sockets = [...this.#sockets];
    let child: ChildProcessHandle;
    try {
      child = this.#options.supervisor.spawnMaster({
        env: {
          ...env,
          [INHERITED]: JSON.stringify(sockets.map(([key, { bind }]): InheritedSocket => ({ key, bind }))),
        },
        sockets: sockets.map(([, socket]) => socket),
      });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.#upgrade = child;
    this.#notice("info", `Started a new master with pid ${child.pid}`);
    return await new Promise((resolve) => {
      child.onMessage((message) => {
        if ((message as { type?: string }).type !== "serving" || this.#upgrade !== child) return;
        this.#handedOver = true;
        this.#notice("info", `The new master with pid ${child.pid} serves; this one ends`);
        void Promise.resolve(this.#options.onReplaced?.(child.pid)).then(() => {
          this.stop(true, false);
          resolve(null);
        });
      });
      child.onExit(({ code, signal }) => {
        if (this.#upgrade !== child || this.#handedOver) return;
        this.#upgrade = null;
        resolve(`the new master ended with ${code ?? signal}`);
      });
    });
  }

  // The machine.

  /** Launches that the machine has been asked to reload to, oldest first. */
  #pending: readonly { readonly launch: Launch; readonly ticket: number }[] = [];

  #handle(event: Event): void {
    this.#queue.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const [state, commands] = step(this.#state, next);
      this.#state = state;
      for (const command of commands) this.#execute(command);
    }
    this.#stepping = false;
    // Who connects from here on is refused at once, and does not wait in a queue that nobody looks after.
    if (this.#state.phase !== "running" && !this.#accepts()) this.#closeSockets();
    if (!this.#full && this.#readyWorkers() >= this.#state.target) {
      this.#full = true;
      this.#options.onFull?.();
    }
  }

  /** True while a worker accepts, or may without having said so. */
  #accepts(): boolean {
    return [...this.#state.workers.values()].some(({ state }) => state === "ready" || state === "booting");
  }

  #readyWorkers(): number {
    return [...this.#state.workers.values()].filter(({ state }) => state === "ready").length;
  }

  #execute(command: Command): void {
    switch (command.type) {
      case "spawn":
        this.#spawn(command);
        return;
      case "drain":
        // First, so that a worker is the last to have them: what comes while nobody accepts would be reset at the end.
        if (this.#state.phase === "stopping") this.#closeSockets();
        this.#send(command.id, { type: "drain", grace: command.grace });
        return;
      case "quit":
        this.#send(command.id, { type: "quit" });
        return;
      case "kill":
        this.#workers.get(command.id)?.process.kill("SIGKILL");
        return;
      case "hold":
      case "release":
        this.#send(command.id, { type: command.type });
        return;
      case "shed":
        this.#send(command.id, { type: "shed", count: command.count });
        return;
      case "log": {
        const { level, message, bootFailure } = command;
        if (bootFailure === undefined || !this.#options.onBootFailed?.(bootFailure)) this.#notice(level, message);
        return;
      }
      case "timeout":
        this.#timedOut(command.worker, command.report);
        return;
      case "serving":
        void this.#runHook("when_ready");
        this.#options.onServing?.();
        return;
      case "resized":
        void this.#runHook("nworkers_changed", command.now, command.before);
        return;
      case "reaped":
        void this.#runHook("child_exit", describe(command.worker));
        return;
      case "reloading":
        this.#launches.set(
          command.generation,
          this.#pending.find(({ ticket }) => ticket === command.tickets.at(-1))!.launch,
        );
        return;
      case "reloaded":
        for (const ticket of command.tickets) {
          this.#tickets.get(ticket)?.(command.error);
          this.#tickets.delete(ticket);
          this.#pending = this.#pending.filter((one) => one.ticket !== ticket);
        }
        return;
      case "exit":
        this.#end(command.code);
    }
  }

  #spawn({ id, generation, maxRequests }: Command & { readonly type: "spawn" }): void {
    const launch = this.#launches.get(generation)!;
    const record = this.#state.workers.get(id)!;
    void this.#runHook("pre_fork", describe(record));
    const binds = bound(launch, this.#sockets);
    const child = this.#options.supervisor.spawnWorker({
      env: launch.env,
      sockets: socketKeys(launch.binds).flatMap((key) => this.#sockets.get(key) ?? []),
    });
    this.#workers.set(id, { process: child, cpu: [] });
    child.onMessage((message) => {
      const told = message as FromWorker;
      if (told.type === "hello") {
        this.#send(id, { type: "boot", id, settings: launch.settings, binds, maxRequests, extra: launch.extra });
      } else {
        this.#heard(id, told);
      }
    });
    child.onReport((report) => this.#handle({ type: "report", at: now(), id, report: report as StuckReport }));
    child.onExit(({ code, signal }) => {
      this.#workers.delete(id);
      this.#handle({ type: "exited", at: now(), id, code, signal, random: Math.random() });
    });
    this.#handle({ type: "spawned", at: now(), id, pid: child.pid });
  }

  #heard(id: number, told: FromWorker): void {
    const at = now();
    switch (told.type) {
      case "ready":
      case "draining":
      case "closed":
        this.#handle({ type: told.type, at, id });
        return;
      case "heartbeat": {
        const worker = this.#workers.get(id);
        if (worker !== undefined) worker.cpu = [...worker.cpu.slice(-1), { at, cpu: told.stats.cpu }];
        this.#handle({ type: "heartbeat", at, id, stats: told.stats });
        return;
      }
      case "retire":
        this.#handle({ type: "retire", at, id, reason: told.reason });
        return;
      case "failed":
        // The worker has written the whole story to its log.
        this.#handle({ type: "failed", at, id, message: told.message });
    }
  }

  /** Forgets what no worker was started with, and no worker will be. */
  #forgetLaunches(): void {
    const used = new Set([...this.#state.workers.values()].map(({ generation }) => generation));
    used.add(this.#state.generation);
    if (this.#state.reload !== null) used.add(this.#state.reload.previous.generation);
    for (const generation of this.#launches.keys()) if (!used.has(generation)) this.#launches.delete(generation);
  }

  #timedOut(worker: WorkerRecord, report: StuckReport | null): void {
    // What began before the loop stopped, its last heartbeat has told; what came after, only the watchdog knows.
    const requests = report?.requests ?? worker.stats?.oldest ?? [];
    const lines = [
      requests.length === 0 ? "No request was in flight" : `In flight: ${requests.map(inFlightText).join(", ")}`,
      ...(report?.stack ? [report.stack] : []),
    ];
    this.#notice("critical", `Worker ${worker.pid} stood still.\n${lines.join("\n")}`);
    void this.#runHook("worker_timeout", describe(worker), { requests, stack: report?.stack ?? null });
  }

  #end(code: number): void {
    this.#stopTicking();
    this.#closeSockets();
    void this.#runHook("on_exit").then(() => this.#finish(code));
  }

  // Sockets.

  async #bindAll(launch: Launch): Promise<ReadonlyMap<string, SharedSocket>> {
    const sockets = new Map<string, SharedSocket>();
    const fresh: SharedSocket[] = [];
    const keys = socketKeys(launch.binds);
    for (const [index, bind] of launch.binds.entries()) {
      if (isOwn(bind, launch.settings)) continue;
      const key = keys[index]!;
      let socket = this.#sockets.get(key);
      if (socket === undefined) {
        try {
          socket = await this.#options.supervisor.bind(bind, { backlog: launch.settings.backlog });
        } catch (error) {
          for (const one of fresh) one.close(true);
          throw error;
        }
        fresh.push(socket);
      }
      sockets.set(key, socket);
    }
    return sockets;
  }

  /**
   * Closes what no configuration asks for any more. That of workers that drain does not count: they accept nothing, and who
   * connects would wait for nobody.
   */
  #closeUnused(): void {
    const { generation, reload } = this.#state;
    const inForce = [generation, ...(reload === null ? [] : [reload.previous.generation])];
    const launches = [
      ...inForce.flatMap((one) => this.#launches.get(one) ?? []),
      ...this.#pending.map(({ launch }) => launch),
    ];
    const wanted = new Set(launches.flatMap(({ binds }) => socketKeys(binds)));
    for (const [key, socket] of this.#sockets) if (!wanted.has(key)) this.#close(socket, true);
    this.#sockets = new Map([...this.#sockets].filter(([key]) => wanted.has(key)));
  }

  /** Closes all of this master's ends. What they were bound to is still known. */
  #closeSockets(): void {
    for (const socket of this.#sockets.values()) this.#close(socket, !this.#handedOver);
  }

  /** Once: by then the number of its descriptor, or its path, may be another's. */
  #close(socket: SharedSocket, unlink: boolean): void {
    if (this.#closed.has(socket)) return;
    this.#closed.add(socket);
    socket.close(unlink);
  }

  // Small things.

  #find(pid: number): WorkerRecord | undefined {
    return [...this.#state.workers.values()].find((worker) => worker.pid === pid);
  }

  #send(id: number, message: ToWorker): void {
    this.#workers.get(id)?.process.send(message);
  }

  #notice(level: Level, message: string): void {
    this.#options.events.emit("notice", { level, message });
  }

  #info(): ServerInfo {
    return { pid: this.#options.pid, urls: this.urls, settings: this.launch.settings };
  }

  #runHook<N extends keyof Hooks>(name: N, ...rest: Rest<Parameters<Hooks[N]>>): Promise<void> {
    const values = [this.#info(), ...rest] as unknown as Parameters<Hooks[N]>;
    return callHook(this.#options.events, this.launch.settings, name, ...values);
  }
}

/** What a hook of the master is told beside the server. */
type Rest<P extends readonly unknown[]> = P extends readonly [unknown, ...infer R] ? R : never;

/** The addresses that a launch listens on, with their real ports. */
function bound(launch: Launch, sockets: ReadonlyMap<string, SharedSocket>): readonly Bind[] {
  const keys = socketKeys(launch.binds);
  return launch.binds.map((bind, index) => {
    const socket = sockets.get(keys[index]!);
    if (socket === undefined) return bind;
    // A reload may have another protocol spoken on the same socket.
    const { protocol: _former, ...address } = socket.bind;
    return bind.protocol === undefined ? address : { ...address, protocol: bind.protocol };
  });
}

/** What each address is known by, from one configuration to the next: itself, and which of several it is (port 0). */
function socketKeys(binds: readonly Bind[]): readonly string[] {
  const seen = new Map<string, number>();
  return binds.map((bind) => {
    const text = formatBind(bind);
    const count = seen.get(text) ?? 0;
    seen.set(text, count + 1);
    return `${text} ${count}`;
  });
}

function describe(worker: WorkerRecord): WorkerInfo {
  return { id: worker.id, pid: worker.pid, age: (now() - worker.startedAt) / 1000 };
}

function inFlightText({ method, target, age }: InFlight): string {
  return `${method} ${target} (${(age / 1000).toFixed(1)} s)`;
}

function poolSettings({ settings, workers }: Launch): PoolSettings {
  return {
    workers,
    bootTimeout: settings.boot_timeout * 1000,
    timeout: settings.timeout * 1000,
    gracefulTimeout: settings.graceful_timeout * 1000,
    keepaliveGrace: settings.keepalive_grace * 1000,
    maxRequests: settings.max_requests,
    maxRequestsJitter: settings.max_requests_jitter,
    maxWorkerLifetime: settings.max_worker_lifetime * 1000,
    maxWorkerMemory: settings.max_worker_memory * 2 ** 20,
    maxRestarts: settings.max_restarts,
    drainDelay: settings.drain_delay * 1000,
  };
}

/** Milliseconds of a clock that never goes back. */
function now(): number {
  return performance.now();
}
