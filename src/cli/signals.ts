// What the process's signals mean, in one table: docs/signals.md and the handlers both come from it. Gunicorn's meanings,
// and where one differs the table says so. An error that nothing caught is logged, and does not end the process: it
// belongs to one request of many.

import { describeError } from "../observe/text.ts";
import type { Host } from "../runtime/port.ts";

/** What a process is: alone, or one of a pool. */
export type Role = "single" | "master" | "worker";

/** What a signal makes a process do. `default`: what the system does; nothing is installed. */
export type Action =
  | "default"
  | "ignore"
  | "drain"
  | "quit"
  | "abort"
  | "reopen"
  | "reload"
  | "grow"
  | "shrink"
  | "upgrade"
  | "idle";

/** One row of docs/signals.md. */
export interface SignalRow {
  readonly signal: string;
  readonly number: number;
  readonly single: Action;
  readonly master: Action;
  readonly worker: Action;
  /** Where Gunicorn does something else. */
  readonly differs?: string;
}

/** All signals that mean something to us, on all runtimes. */
export const SIGNALS: readonly SignalRow[] = [
  { signal: "SIGHUP", number: 1, single: "default", master: "reload", worker: "ignore" },
  {
    signal: "SIGINT",
    number: 2,
    single: "drain",
    master: "drain",
    worker: "drain",
    differs: `Gunicorn's SIGINT cuts requests. Here Ctrl-C is graceful, and a second one cuts.`,
  },
  { signal: "SIGQUIT", number: 3, single: "quit", master: "quit", worker: "quit" },
  { signal: "SIGABRT", number: 6, single: "default", master: "default", worker: "abort" },
  {
    signal: "SIGUSR1",
    number: 10,
    single: "reopen",
    master: "reopen",
    worker: "reopen",
  },
  {
    signal: "SIGUSR2",
    number: 12,
    single: "default",
    master: "upgrade",
    worker: "ignore",
    differs:
      `Gunicorn's old master goes on beside the new one until somebody stops it. Here it ends as soon as the new one serves.`,
  },
  { signal: "SIGTERM", number: 15, single: "drain", master: "drain", worker: "drain" },
  { signal: "SIGTTIN", number: 21, single: "default", master: "grow", worker: "ignore" },
  { signal: "SIGTTOU", number: 22, single: "default", master: "shrink", worker: "ignore" },
  { signal: "SIGWINCH", number: 28, single: "default", master: "idle", worker: "ignore" },
];

/** What each action is, in the words of docs/signals.md. */
export const ACTIONS: Readonly<Record<Action, string>> = {
  default: "What the system does with it; Tricorn is not asked.",
  ignore: "Nothing.",
  drain:
    `Stops accepting, lets requests finish for \`graceful_timeout\` seconds at most, and exits with 0. With \`drain_delay\`,
    readiness ends first, and accepting that many seconds later. A second one is SIGQUIT. A worker tells its master, which
    starts another in its place.`,
  quit: "Cuts what runs, and exits with 0. A master gives its workers 2 seconds before it kills them.",
  abort: "Calls the hook \`worker_abort\`, and exits with 1; the master starts another worker.",
  reopen: "Opens the log files again, after logrotate has moved them. A master passes it on to its workers.",
  reload:
    `Reads the configuration again, starts one new worker, and when that one is ready replaces the others one after
    another. When it fails, the old workers go on, and nothing is lost. The log files are opened again, too.`,
  grow: "One worker more, until the next reload.",
  shrink: "One worker less, the oldest, but never the last; until the next reload.",
  upgrade:
    `Starts a new master, with the code and the configuration as they are now, on the same sockets. When its workers are
    ready, this one drains and exits; when it fails, this one goes on. Refused by process 1 of a container, whose end is
    the end of the container.`,
  idle:
    "Drains all workers and starts no more, until SIGTTIN or SIGHUP. Only after \`daemon\`: a terminal sends it, too.",
};

/** What a running server does at signals. */
export interface SignalTarget {
  drain(): Promise<void>;
  /** Ends at once; the promise, when there is one, settles when that is done. */
  close(): void | Promise<void>;
  reopenLogs(): void;
  notice(message: string): void;
  uncaught(error: unknown): void;
  /** What only masters and workers do, and what they do before all others do it. */
  readonly actions?: Partial<Readonly<Record<Action, (signal: string) => void>>>;
  /** The exit code after a drain; 0 when not given. */
  readonly exitCode?: () => number;
}

/** The servers of each process that obey. A process may run several, and has each signal once. */
const obeying = new WeakMap<Host, Set<SignalTarget>>();

/** Lets `target` obey the signals of `host`; returns what ends that. */
export function obeySignals(host: Host, role: Role, target: SignalTarget): () => void {
  let targets = obeying.get(host);
  if (targets === undefined) {
    targets = new Set();
    obeying.set(host, targets);
    install(host, role, targets);
  }
  targets.add(target);
  return () => void targets.delete(target);
}

/**
 * Milliseconds in which a repeated signal is the same one: Ctrl-C reaches every process of the terminal, and `npm run`
 * passes it on to the one that has got it already.
 */
const ECHO = 100;

function install(host: Host, role: Role, targets: Set<SignalTarget>): void {
  let stopping: number | null = null;
  const say = (message: string): void => {
    for (const target of targets) target.notice(message);
  };
  const exit = (ended: readonly SignalTarget[]): never =>
    host.exit(Math.max(0, ...ended.map((target) => target.exitCode?.() ?? 0)));
  const quit = (): void => {
    const all = [...targets];
    const waits = all.map((target) => target.close()).filter((wait) => wait !== undefined);
    if (waits.length === 0) exit(all);
    else void Promise.allSettled(waits).then(() => exit(all));
  };
  const drain = async (): Promise<void> => {
    const all = [...targets];
    await Promise.allSettled(all.map((target) => target.drain()));
    exit(all);
  };
  const stop = (signal: string, number: number): void => {
    const now = Date.now();
    if (stopping === null) {
      // No server is left to stop: then the signal means what it means to any process.
      if (targets.size === 0) return host.exit(128 + number);
      stopping = now;
      say(`Handling signal: ${signal}`);
      void drain();
    } else if (now - stopping > ECHO) {
      say(`Handling signal: ${signal}, again: closing at once`);
      quit();
    }
  };
  for (const row of SIGNALS) {
    const action = row[role];
    if (action === "default") continue;
    host.onSignal(row.signal, () => {
      const act = (): void => {
        for (const target of targets) target.actions?.[action]?.(row.signal);
      };
      switch (action) {
        case "ignore":
          return act();
        case "drain":
          act();
          return stop(row.signal, row.number);
        case "reopen":
          act();
          for (const target of targets) target.reopenLogs();
          return say(`Handling signal: ${row.signal}: the logs were reopened`);
        case "quit":
          say(`Handling signal: ${row.signal}`);
          act();
          return quit();
        default:
          // Before what it does says a word; and nothing where it does nothing (SIGWINCH without daemon).
          if ([...targets].some((target) => target.actions?.[action])) say(`Handling signal: ${row.signal}`);
          act();
      }
    });
  }
  host.onUncaught((error) => {
    if (targets.size === 0) {
      // As without this listener: nobody serves, so nobody is harmed by the end.
      host.stderr(`${describeError(error)}\n`);
      return host.exit(1);
    }
    for (const target of targets) target.uncaught(error);
  });
}
