// The setting daemon: the process in the terminal starts this program again in a session of its own, and waits until it
// serves or has failed. What it prints and its exit code are the daemon's, whose own streams lead to /dev/null.

import type { Channel, Supervisor } from "../runtime/port.ts";
import type { CommandHost } from "./host.ts";

/** What a daemon tells the process that started it; no more follows either. */
type FromDaemon =
  | { readonly type: "serving" }
  /** `text`: what a process in the foreground would have printed, with its line end. */
  | { readonly type: "failed"; readonly code: number; readonly text: string };

/** Starts the daemon, and exits as it fares: with 0 when it serves, else with its exit code, after printing why. */
export function startDaemon(supervisor: Supervisor, host: CommandHost): Promise<never> {
  return new Promise(() => {
    const child = supervisor.spawnDaemon();
    child.onMessage((message) => {
      const told = message as FromDaemon;
      if (told.type === "serving") host.exit(0);
      host.stderr(told.text);
      host.exit(told.code);
    });
    child.onExit(({ code, signal }) => {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      host.stderr(`tricorn: the daemon ended ${how} before it served; --errorlog FILE shows what it has to say\n`);
      host.exit(code || 1);
    });
  });
}

/** The daemon's end. Each promise settles when the process in the terminal has heard it, and has ended. */
export class Daemon {
  readonly #launcher: Channel;
  readonly #alone: Promise<void>;
  #told = false;

  /** `quit` is called when the process in the terminal ends before this one serves: somebody has pressed Ctrl-C. */
  constructor(launcher: Channel, quit: () => void) {
    this.#launcher = launcher;
    this.#alone = new Promise((resolve) => {
      launcher.onDisconnect(() => {
        if (!this.#told) quit();
        resolve();
      });
    });
  }

  /** To be called when the daemon serves. */
  async serving(): Promise<void> {
    await this.#tell({ type: "serving" });
  }

  /** To be called before the daemon exits with `code`, which it may do when the promise has settled. */
  async failed(code: number, text: string): Promise<void> {
    await this.#tell({ type: "failed", code, text });
  }

  async #tell(message: FromDaemon): Promise<void> {
    // What goes wrong after it has served is in its log; nobody waits any more.
    if (this.#told) return;
    this.#told = true;
    await this.#launcher.send(message);
    // That it was sent does not mean, on Deno, that it arrives when this process exits next.
    await this.#alone;
  }
}
