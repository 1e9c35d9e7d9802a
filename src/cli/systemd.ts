// What systemd and a service of it tell each other: sockets that it passes on (sd_listen_fds(3)), and how the service is
// (sd_notify(3)). No runtime can write to the socket that the latter goes to, a datagram socket, so the program
// systemd-notify does it. It waits until systemd has read the message: before that, systemd must still be able to find out
// whose process the sender was. (Hence no --no-block.)

import { reasonOf } from "./attempt.ts";
import type { Outcome, ProcessControl } from "./process_control.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** The first descriptor that is passed (SD_LISTEN_FDS_START). */
const FIRST = 3;

/**
 * The descriptors of the sockets that systemd passed to this process, if it did; none else. The variables that tell of them
 * are removed, so that no child takes them for its own.
 */
export function takeActivatedSockets(env: Env, pid: number, control: ProcessControl): readonly number[] {
  const { LISTEN_PID, LISTEN_FDS = "" } = env;
  // Those of another process are left alone: a child of this one may be it (systemd-run, a shell's exec).
  if (Number(LISTEN_PID) !== pid) return [];
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) {
    if (env[name] !== undefined) control.setEnv(name, null);
  }
  const count = /^\d{1,4}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : 0;
  return Array.from({ length: count }, (_, index) => FIRST + index);
}

/** Tells systemd how the service is. Each promise settles when systemd knows, or cannot be told; none rejects. */
export interface Notifier {
  /** The first worker is ready, or a reload is done; `status` is what `systemctl status` shows. */
  ready(status: string): Promise<void>;
  reloading(): Promise<void>;
  stopping(): Promise<void>;
  /** Another process is the service's main process from now on (SIGUSR2). */
  mainPid(pid: number): Promise<void>;
  /** Ends the answers to systemd's watchdog. */
  close(): void;
}

export interface NotifierOptions {
  readonly env: Env;
  readonly pid: number;
  readonly control: ProcessControl;
  readonly every: (milliseconds: number, callback: () => void) => () => void;
  /** Called once, with why systemd is not told. */
  readonly warn: (message: string) => void;
}

const PROGRAM = "systemd-notify";

/**
 * The way to systemd; it does nothing without NOTIFY_SOCKET. With WATCHDOG_USEC it answers the watchdog on its own, twice
 * in that time, as long as the event loop turns.
 */
export function createNotifier({ env, pid, control, every, warn }: NotifierOptions): Notifier {
  let active = Boolean(env.NOTIFY_SOCKET);
  let warned = false;
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;

  const complain = (reason: string): void => {
    if (!warned) warn(`systemd is not told how the service is: ${reason}`);
    warned = true;
  };
  const run = async (words: readonly string[]): Promise<Outcome | null> => {
    if (!active) return null;
    try {
      return await control.run(PROGRAM, words);
    } catch (error) {
      // It will not be there the next time either.
      active = false;
      complain(explain(error));
      return null;
    }
  };
  // One after the other: READY must not overtake RELOADING.
  const enqueue = (task: () => Promise<void>): Promise<void> => {
    waiting++;
    last = last.then(task).finally(() => waiting--);
    return last;
  };
  const send = (...words: readonly string[]): Promise<void> =>
    enqueue(async () => {
      const outcome = await run(words);
      if (outcome !== null && outcome.code !== 0) complain(`${PROGRAM}: ${reasonOf(outcome.stderr)}`);
    });
  const beat = (): void => {
    // One that waits will do.
    if (waiting === 0) void send("WATCHDOG=1");
  };
  const watchdog = Number(env.WATCHDOG_USEC);
  const isOurs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === pid;
  const end = active && watchdog > 0 && isOurs ? every(watchdog / 2 / 1000, beat) : () => {};

  return {
    // A line is a variable.
    ready: (status) => send("READY=1", `STATUS=${status.replace(/[\r\n]+/g, " ")}`, `MAINPID=${pid}`),
    // MONOTONIC_USEC, which Type=notify-reload asks for, is a clock that only Node has; the option adds it. The systemd
    // that lacks the option (before 253) lacks Type=notify-reload, too.
    reloading: () =>
      enqueue(async () => {
        const outcome = await run(["--reloading"]);
        if (outcome !== null && outcome.code !== 0) await run(["RELOADING=1"]);
      }),
    stopping: () => send("STOPPING=1"),
    mainPid: (other) => send(`MAINPID=${other}`),
    close: end,
  };
}

function explain(error: unknown): string {
  const { code, name } = error as { code?: string; name?: string };
  if (code === "ENOENT") return `there is no program ${PROGRAM}; install it (Debian: systemd), or use Type=exec`;
  if (name === "NotCapable") return "Deno may not run systemd-notify; add --allow-run=systemd-notify";
  return reasonOf(error);
}
