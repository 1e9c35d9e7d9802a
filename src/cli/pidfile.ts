// The pidfile: says which process serves, and that only one does. It is written as a whole, refused while another process
// has it, and removed only by the process whose number it holds.

import { quote } from "../config/error.ts";
import { reasonOf } from "./attempt.ts";
import { type ProcessControl, ProcessError } from "./process_control.ts";

/** What the file of a new master is called while the old one still has the right one (SIGUSR2), as in Gunicorn. */
export function secondPidFile(path: string): string {
  return `${path}.2`;
}

/** The file of the process `pid`. Its path should be absolute: the working directory may change. */
export class PidFile {
  readonly #control: ProcessControl;
  readonly #pid: number;
  #path: string;

  constructor(path: string, pid: number, control: ProcessControl) {
    this.#path = path;
    this.#pid = pid;
    this.#control = control;
  }

  /** Where it is now. */
  get path(): string {
    return this.#path;
  }

  /**
   * Writes it; one that a dead process left behind is replaced.
   *
   * @throws {ProcessError} when another process that lives has it, when it holds something else than a process's number,
   *   and when it cannot be written.
   */
  create(): void {
    const path = quote(this.#path);
    const owner = this.#owner();
    if (
      owner !== null && owner !== this.#pid && this.#attempt("look for the process named in", () => this.#lives(owner))
    ) {
      throw new ProcessError(
        `pidfile: already running with pid ${owner}, which ${path} names; stop it, or choose another --pid`,
      );
    }
    this.#attempt("write", () => this.#control.replaceFile(this.#path, `${this.#pid}\n`));
  }

  /**
   * Moves it, over whatever is there: when the old master has gone, the new one takes its path over.
   *
   * @throws {ProcessError} when the system refuses.
   */
  moveTo(path: string): void {
    this.#attempt("rename", () => this.#control.rename(this.#path, path));
    this.#path = path;
  }

  /** Removes it if it is still this process's. At the end of a process there is nobody left to hear of an error. */
  remove(): void {
    try {
      if (this.#owner() === this.#pid) this.#control.remove(this.#path);
    } catch {
      // It stays, stale; the next start replaces it.
    }
  }

  /** Null when there is no file, or an empty one. */
  #owner(): number | null {
    const text = this.#attempt("read", () => this.#control.readFile(this.#path))?.trim();
    if (!text) return null;
    if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
    throw new ProcessError(`pidfile: ${quote(this.#path)} holds no pid; remove it, or choose another --pid`);
  }

  #lives(pid: number): boolean {
    try {
      return this.#control.isAlive(pid);
    } catch (error) {
      if ((error as Error).name !== "NotCapable") throw error;
      throw new Error("Deno may not ask whether it lives; add --allow-run, or remove the file if it does not");
    }
  }

  #attempt<T>(what: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw new ProcessError(`pidfile: cannot ${what} ${quote(this.#path)}: ${reasonOf(error)}`);
    }
  }
}
