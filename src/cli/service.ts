// What a server's main process is to the system around it: pidfile, title, systemd, and the terminal that waits for
// a daemon. One for a master and for a process that serves alone; workers have none of it.

import { parseBind } from "../config/bind.ts";
import type { Settings } from "../config/settings.ts";
import type { EventBus } from "../observe/events.ts";
import type { Bind } from "../runtime/port.ts";
import { reasonOf } from "./attempt.ts";
import { Daemon } from "./daemon.ts";
import { applyTitle } from "./environment.ts";
import { PidFile, secondPidFile } from "./pidfile.ts";
import type { Context } from "./run.ts";
import { INHERITED, type InheritedSocket } from "../arbiter/master.ts";
import { createNotifier, type Notifier, takeActivatedSockets } from "./systemd.ts";

export class Service {
  /** What to listen on: the sockets that systemd passed, as in Gunicorn before anything else; or the setting bind. */
  readonly binds: (settings: Settings) => readonly Bind[];
  readonly #pidfile: PidFile | null;
  readonly #notifier: Notifier;
  readonly #daemon: Daemon | null;

  /**
   * Takes the process on. `settings.chdir` has been obeyed.
   *
   * @throws {ProcessError} when the system refuses; nothing has to be undone then.
   */
  constructor(role: "master" | "server", settings: Settings, context: Context, events: EventBus, quit: () => void) {
    const { host, runtime, control, launcher } = context;
    const say = (level: "debug" | "warning", message: string): void => events.emit("notice", { level, message });
    if (!applyTitle(role, settings.proc_name, control)) {
      say("debug", `proc_name: ${runtime.name} does not tell the system its title; ps shows the command line`);
    }
    this.#pidfile = settings.pidfile === null
      ? null
      : this.#takePidFile(host.resolve(settings.pidfile), context, (message) => say("warning", message));
    const activated = inheritedSockets(context)?.flatMap(({ bind }) => bind.kind === "fd" ? bind.fd : []) ??
      takeActivatedSockets(host.env, host.pid, control);
    this.binds = (wanted) => {
      const all = activated.length > 0
        ? activated.map((fd): Bind => ({ kind: "fd", fd }))
        : wanted.bind.map((text): Bind => {
          const bind = parseBind(text);
          return bind.kind === "unix" && wanted.unix_socket_mode !== null
            ? { ...bind, mode: wanted.unix_socket_mode }
            : bind;
        });
      const { protocol } = wanted;
      return protocol === "http" ? all : all.map((bind) => ({ protocol, ...bind }));
    };
    this.#notifier = createNotifier({
      env: host.env,
      pid: host.pid,
      control,
      every: (milliseconds, callback) => runtime.every(milliseconds, callback),
      warn: (message) => say("warning", message),
    });
    this.#daemon = launcher === null ? null : new Daemon(launcher, quit);
  }

  #takePidFile(
    path: string,
    { host, control, formerMaster }: Context,
    warn: (message: string) => void,
  ): PidFile {
    const file = new PidFile(formerMaster === null ? path : secondPidFile(path), host.pid, control);
    file.create();
    formerMaster?.onDisconnect(() => {
      try {
        file.moveTo(path);
      } catch (error) {
        warn(reasonOf(error));
      }
    });
    return file;
  }

  /** Requests are answered from now on. */
  serving(status: string): void {
    void this.#notifier.ready(status);
    void this.#daemon?.serving();
  }

  reloading(): void {
    void this.#notifier.reloading();
  }

  /** The end has begun. A master that was replaced is not the service's any more, and says nothing. */
  stopping(): void {
    void this.#notifier.stopping();
  }

  /** Another process is the service now. */
  handOver(pid: number): Promise<void> {
    return this.#notifier.mainPid(pid);
  }

  /** No more will come of it: whoever waits in the terminal is told. */
  async failed(code: number, text: string): Promise<void> {
    await this.#daemon?.failed(code, text);
  }

  /** The process ends. */
  leave(): void {
    this.#notifier.close();
    this.#pidfile?.remove();
  }
}

/** What a former master (SIGUSR2) tells of its sockets, in the order of their descriptors; null when there is none. */
export function inheritedSockets({ host, formerMaster }: Context): readonly InheritedSocket[] | null {
  const text = host.env[INHERITED];
  return formerMaster === null || text === undefined ? null : JSON.parse(text) as readonly InheritedSocket[];
}
