// What `tricorn ctl` may ask a master, and how: one JSON object a line over a unix socket, `{id, command, args}` answered by
// `{id, status: "ok", data}` or `{id, status: "error", error}`. The commands are one table, which the master's side obeys
// and the client's side checks and explains. Sockets and processes are others' business.

import { didYouMean } from "../config/nearest.ts";
import type { LocalChannel, LocalHandler, LocalListener, LocalSockets } from "../runtime/port.ts";
import type { Phase, WorkerRecord, WorkerState } from "./machine.ts";
import type { InFlight, WorkerStats } from "./messages.ts";

/** A worker, as it is told about. All numbers of {@link WorkerStats} are 0 until it was heard of. */
export interface WorkerStatus extends WorkerStats {
  readonly id: number;
  readonly pid: number;
  readonly generation: number;
  readonly state: WorkerState;
  /** Seconds since it was started. */
  readonly age: number;
  /** Told not to accept for now, because others have fewer connections. */
  readonly held: boolean;
  /** Why it drains, dies or is to be replaced; null when it does none of them. */
  readonly reason: string | null;
  /** Of one core, since the heartbeat before the last; percent. */
  readonly cpuPercent: number;
}

/** A setting in force, and where it came from. */
export interface SettingStatus {
  readonly name: string;
  readonly value: unknown;
  /** In words: "default", "--workers", "tricorn.config.ts". */
  readonly origin: string;
}

/** Everything that a master tells of itself. Sizes are bytes. */
export interface MasterStatus {
  readonly version: string;
  /** For example `node 26.10.0`. */
  readonly runtime: string;
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly phase: Phase;
  /** What `/readyz` says. */
  readonly ready: boolean;
  /** 1, then one more for each reload. */
  readonly generation: number;
  /** How many workers there should be. */
  readonly target: number;
  /** Workers started in place of ones that had ended unexpectedly. */
  readonly restarts: number;
  /** As in "Listening at". */
  readonly listeners: readonly string[];
  readonly configFile: string | null;
  readonly settings: readonly SettingStatus[];
  readonly workers: readonly WorkerStatus[];
  /** The master's own memory in bytes, and its processor time in milliseconds. */
  readonly master: { readonly rss: number; readonly cpu: number };
  /** The last reload: when it ended (milliseconds since 1970), and why it failed, or null. */
  readonly lastReload: { readonly at: number; readonly error: string | null } | null;
}

/** What a master does for its control socket. A string is why it could not; null is success. */
export interface ControlTarget {
  status(): MasterStatus;
  /** Settles when the reload has. */
  reload(): Promise<string | null>;
  /** So many workers more, or fewer; never fewer than one. */
  resize(by: number): string | null;
  /** Replaces a worker: the new one first. */
  retire(pid: number): string | null;
  /** SIGKILL; another worker follows. */
  kill(pid: number): string | null;
  /** Reopens the logs, here and in the workers. */
  reopen(): void;
  shutdown(graceful: boolean): void;
}

/** `record` as it is told about, at `now` of the machine's clock. */
export function workerStatus(record: WorkerRecord, now: number, cpuPercent: number): WorkerStatus {
  const { id, pid, generation, state, held } = record;
  return {
    ...(record.stats ?? SILENT),
    id,
    pid,
    generation,
    state,
    age: Math.max(0, now - record.startedAt) / 1000,
    held,
    reason: record.reason ?? record.retiring,
    cpuPercent,
  };
}

const SILENT: WorkerStats = {
  requests: 0,
  inFlight: 0,
  queued: 0,
  connections: 0,
  rss: 0,
  cpu: 0,
  lag: 0,
  oldest: [],
};

/** A request in flight, and where. */
export interface WorkerRequest extends InFlight {
  readonly worker: number;
  readonly pid: number;
}

/** What `show stats` tells: the master, and its workers taken together. */
export interface StatsReport extends Omit<MasterStatus, "listeners" | "configFile" | "settings" | "workers"> {
  readonly workers: number;
  /** Sums; `requests` are those of the workers that live. `lag` is the worst. */
  readonly total: Omit<WorkerStats, "oldest" | "cpu"> & { readonly cpuPercent: number };
  /** The oldest requests in flight, at most 10. */
  readonly oldest: readonly WorkerRequest[];
}

/** What `show config` tells. */
export type ConfigReport = Pick<MasterStatus, "configFile" | "settings">;

/** What `show all` tells. */
export interface AllReport {
  readonly stats: StatsReport;
  readonly workers: readonly WorkerStatus[];
  readonly listeners: readonly string[];
  readonly config: ConfigReport;
}

/** How a command went. `data` is what JSON can say. */
export type Outcome =
  | { readonly status: "ok"; readonly data: unknown }
  | { readonly status: "error"; readonly error: string };

/** A command that was understood. */
interface Action {
  readonly run: (target: ControlTarget) => Outcome | Promise<Outcome>;
  /** Done once the answer has gone: it may end the process. */
  readonly after?: (target: ControlTarget) => void;
}

/** A command, as the help tells of it. */
export interface ControlCommand {
  readonly name: string;
  /** What may follow the name; "" for nothing. */
  readonly usage: string;
  readonly doc: string;
  /** The words after the name; a string says what is wrong with them. */
  readonly read: (args: readonly string[]) => Action | string;
}

/** The most workers that one command adds: a process id in the wrong place must not start that many. */
const MAX_STEP = 256;

/** All commands, in the order of the help. */
export const CONTROL_COMMANDS: readonly ControlCommand[] = [
  show("show all", "all of the following", (status): AllReport => ({
    stats: statsReport(status),
    workers: status.workers,
    listeners: status.listeners,
    config: configReport(status),
  })),
  show("show workers", "what the workers do, and what they cost", ({ workers }) => workers),
  show("show config", "the settings in force, and where each came from", configReport),
  show("show listeners", "the addresses that are listened on", ({ listeners }) => listeners),
  show("show stats", "the master, sums over its workers, the oldest requests", statsReport),
  {
    name: "worker add",
    usage: "[N]",
    doc: "start N more workers, until the next reload (1)",
    read: (args) => readStep(args, 1),
  },
  {
    name: "worker remove",
    usage: "[N]",
    doc: "drain N workers, until the next reload (1)",
    read: (args) => readStep(args, -1),
  },
  {
    name: "worker kill",
    usage: "PID [--now]",
    doc: "replace a worker, the new one first; --now: SIGKILL",
    read: readKill,
  },
  {
    name: "reload",
    usage: "",
    doc: "as SIGHUP, and wait for the outcome",
    read: (args) =>
      tooMany(args, 0) ?? {
        run: async (target) => outcome(await target.reload(), () => ({ generation: target.status().generation })),
      },
  },
  {
    name: "reopen",
    usage: "",
    doc: "reopen the log files, as SIGUSR1",
    read: (args) =>
      tooMany(args, 0) ?? {
        run: (target) => {
          target.reopen();
          return ok(null);
        },
      },
  },
  {
    name: "shutdown",
    usage: "[graceful|quick]",
    doc: "as SIGTERM (graceful, the default), or as SIGQUIT (quick)",
    read: readShutdown,
  },
  {
    name: "help",
    usage: "",
    doc: "the commands",
    read: (args) =>
      tooMany(args, 0) ?? {
        run: () => ok(CONTROL_COMMANDS.map(({ name, usage, doc }) => ({ name, usage, doc }))),
      },
  },
];

function show(name: string, doc: string, choose: (status: MasterStatus) => unknown): ControlCommand {
  return {
    name,
    usage: "",
    doc,
    read: (args) => tooMany(args, 0) ?? { run: (target) => ok(choose(target.status())) },
  };
}

/**
 * Finds the command that `words` begin with and reads what follows. A string says what is wrong, with the nearest that is
 * right.
 */
export function readCommand(
  words: readonly string[],
): { readonly command: ControlCommand; readonly action: Action } | string {
  const [first = "", second] = words;
  const pair = `${first} ${second ?? ""}`;
  const command = CONTROL_COMMANDS.find(({ name }) => name === pair || name === first);
  if (command === undefined) return unknown(first, second);
  const action = command.read(words.slice(command.name.split(" ").length));
  return typeof action === "string" ? `${command.name}: ${action}` : { command, action };
}

function unknown(first: string, second: string | undefined): string {
  if (first === "") return 'the command is missing; "help" lists them';
  const names = CONTROL_COMMANDS.map(({ name }) => name);
  const group = names.filter((name) => name.startsWith(`${first} `));
  if (second === undefined && group.length > 0) return `${first} what? Write ${group.join(", ")}`;
  const said = second === undefined ? first : `${first} ${second}`;
  const near = didYouMean(said, names) || didYouMean(first, names.filter((name) => !name.includes(" ")));
  const remedy = near || (group.length > 0 ? `; write ${group.join(", ")}` : '; "help" lists the commands');
  return `unknown command ${JSON.stringify(said.slice(0, 80))}${remedy}`;
}

function readStep(args: readonly string[], sign: 1 | -1): Action | string {
  const [text = "1"] = args;
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_STEP) {
    return `${JSON.stringify(text.slice(0, 80))} is no number of workers; write one between 1 and ${MAX_STEP}`;
  }
  return tooMany(args, 1) ?? {
    run: (target) => outcome(target.resize(sign * count), () => ({ target: target.status().target })),
  };
}

function readKill(args: readonly string[]): Action | string {
  const now = args.includes("--now");
  const pids = args.filter((word) => word !== "--now");
  const [text] = pids;
  if (text === undefined) return 'the pid is missing; "show workers" lists them';
  if (!/^[1-9]\d{0,9}$/.test(text)) {
    return `${JSON.stringify(text.slice(0, 80))} is no pid; "show workers" lists them`;
  }
  const pid = Number(text);
  return tooMany(pids, 1) ?? {
    run: (target) => outcome(now ? target.kill(pid) : target.retire(pid), () => ({ pid, now })),
  };
}

function readShutdown(args: readonly string[]): Action | string {
  const [how = "graceful"] = args;
  if (how !== "graceful" && how !== "quick") {
    return `${JSON.stringify(how.slice(0, 80))} is no way to shut down; write graceful or quick`;
  }
  return tooMany(args, 1) ?? {
    run: () => ok({ graceful: how === "graceful" }),
    after: (target) => target.shutdown(how === "graceful"),
  };
}

function tooMany(args: readonly string[], most: number): string | null {
  const extra = args[most];
  return extra === undefined ? null : `${JSON.stringify(extra.slice(0, 80))} is one word too many`;
}

function ok(data: unknown): Outcome {
  return { status: "ok", data };
}

function outcome(error: string | null, data: () => unknown): Outcome {
  return error === null ? ok(data()) : { status: "error", error };
}

function configReport({ configFile, settings }: MasterStatus): ConfigReport {
  return { configFile, settings };
}

/** How many of the oldest requests are told about. */
const MAX_OLDEST = 10;

function statsReport(status: MasterStatus): StatsReport {
  const { version, runtime, pid, startedAt, phase, ready, generation, target, restarts, lastReload, master, workers } =
    status;
  const sum = (part: (worker: WorkerStatus) => number): number =>
    workers.reduce((total, worker) => total + part(worker), 0);
  return {
    version,
    runtime,
    pid,
    startedAt,
    phase,
    ready,
    generation,
    target,
    workers: workers.length,
    restarts,
    lastReload,
    master,
    total: {
      requests: sum(({ requests }) => requests),
      inFlight: sum(({ inFlight }) => inFlight),
      queued: sum(({ queued }) => queued),
      connections: sum(({ connections }) => connections),
      rss: sum(({ rss }) => rss),
      cpuPercent: sum(({ cpuPercent }) => cpuPercent),
      lag: workers.reduce((worst, { lag }) => Math.max(worst, lag), 0),
    },
    oldest: workers
      .flatMap(({ id, pid, oldest }) => oldest.map((request) => ({ worker: id, pid, ...request })))
      .sort((a, b) => b.age - a.age)
      .slice(0, MAX_OLDEST),
  };
}

/** The longest line that a client may send, in UTF-16 code units. */
export const MAX_LINE = 65_536;

/** Connections at once. One more takes the place of one that has nothing to do, or is refused. */
export const MAX_CONNECTIONS = 8;

/** What is said to clients: the `accept` of {@link LocalSockets.listenLocal}. */
export function controlServer(target: ControlTarget): (channel: LocalChannel) => LocalHandler {
  const sessions = new Set<ControlSession>();
  return (channel) => {
    const session = new ControlSession(target, channel, () => sessions.delete(session));
    sessions.add(session);
    if (sessions.size > MAX_CONNECTIONS) {
      const idle = [...sessions].find((one) => one !== session && !one.busy);
      if (idle !== undefined) idle.close();
      else session.refuse(`${MAX_CONNECTIONS} clients are connected already; try again later`);
    }
    return session;
  };
}

/** One client: its lines are obeyed one after another, and nothing more is read meanwhile. */
class ControlSession implements LocalHandler {
  busy = false;
  closed: () => void;
  readonly #target: ControlTarget;
  readonly #channel: LocalChannel;
  #text = "";
  #ended = false;

  constructor(target: ControlTarget, channel: LocalChannel, closed: () => void) {
    this.#target = target;
    this.#channel = channel;
    this.closed = closed;
  }

  async receive(text: string): Promise<void> {
    this.#text += text;
    while (!this.#ended) {
      const end = this.#text.indexOf("\n");
      if ((end < 0 ? this.#text.length : end) > MAX_LINE) {
        return this.refuse(`a line has more than ${MAX_LINE} characters`);
      }
      if (end < 0) return;
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      this.busy = true;
      await this.#obey(line);
      this.busy = false;
    }
  }

  close(): void {
    this.#ended = true;
    this.closed();
    void this.#channel.end();
  }

  /** Says why no more is read, and closes. */
  refuse(error: string): void {
    void this.#send(null, { status: "error", error });
    this.close();
  }

  async #obey(line: string): Promise<void> {
    const request = readRequest(line);
    if (typeof request === "string") return this.refuse(request);
    const read = readCommand(request.words);
    if (typeof read === "string") return await this.#send(request.id, { status: "error", error: read });
    const { run, after } = read.action;
    let done: Outcome;
    try {
      done = await run(this.#target);
    } catch (error) {
      done = { status: "error", error: error instanceof Error ? error.message : String(error) };
    }
    await this.#send(request.id, done);
    if (done.status === "ok") after?.(this.#target);
  }

  #send(id: RequestId, done: Outcome): Promise<void> {
    return this.#channel.write(`${JSON.stringify({ id, ...done })}\n`);
  }
}

type RequestId = string | number | null;

/** A line as the words of a command; a string says why it is none. */
function readRequest(line: string): { readonly id: RequestId; readonly words: readonly string[] } | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "a line is one JSON object: {id, command, args}";
  }
  const { id = null, command, args = [] } = (value ?? {}) as { id?: unknown; command?: unknown; args?: unknown };
  if (id !== null && typeof id !== "string" && typeof id !== "number") return "id is a string or a number";
  if (typeof command !== "string") return 'command is a string, for example "show workers"';
  if (!Array.isArray(args) || !args.every((one) => typeof one === "string")) return "args is an array of strings";
  return { id, words: [...command.split(" ").filter((word) => word !== ""), ...args] };
}

/**
 * Where a master and its clients look for the socket when nobody says: `$XDG_RUNTIME_DIR/tricorn.ctl`, then
 * `~/.tricorn/tricorn.ctl`. A master makes the first; a client tries all, since a service may lack the variable that its
 * user's shell has.
 */
export function socketPaths(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const { XDG_RUNTIME_DIR, HOME } = env;
  return [
    ...(XDG_RUNTIME_DIR?.startsWith("/") ? [`${XDG_RUNTIME_DIR}/tricorn.ctl`] : []),
    ...(HOME?.startsWith("/") ? [`${HOME}/.tricorn/tricorn.ctl`] : []),
  ];
}

export interface ControlOptions {
  /** The setting control_socket; null: where {@link socketPaths} says, and in silence when it cannot be had there. */
  readonly path: string | null;
  /** The setting control_socket_mode. */
  readonly mode: number;
  /** This master follows another one, whose path it takes. */
  readonly takeOver: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly notice: (level: "debug" | "warning", message: string) => void;
}

/** Opens the control socket; null where that cannot be done, which is no reason not to serve. */
export async function openControl(
  sockets: LocalSockets,
  target: ControlTarget,
  options: ControlOptions,
): Promise<LocalListener | null> {
  const { path: asked, mode, takeOver, env, notice } = options;
  const path = asked ?? socketPaths(env)[0];
  if (path === undefined) {
    notice("debug", "No control socket: neither XDG_RUNTIME_DIR nor HOME is set");
    return null;
  }
  try {
    const listener = await sockets.listenLocal(path, { mode, takeOver }, controlServer(target));
    notice("debug", `Control socket at: ${path}`);
    return listener;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (asked === null) notice("debug", `No control socket: ${reason}`);
    else notice("warning", `control_socket: ${reason}; choose another path, or none with --no-control-socket`);
    return null;
  }
}
