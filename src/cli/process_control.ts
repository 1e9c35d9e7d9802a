// What the parts around a server (pidfile.ts, identity.ts, systemd.ts, ...) ask of the system, and how they fail. One
// implementation serves all runtimes (adapters/process_control.ts); each method is one thing that the system does.

/** The user and the groups of a process, by number. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** The name of the user whose further groups the process gets, too (initgroups); null: it is in `gid` alone. */
  readonly initgroups: string | null;
}

/** How a program ended. */
export interface Outcome {
  readonly code: number;
  readonly stderr: string;
}

/** All of these throw what the system or the runtime says, a missing permission of Deno's included. */
export interface ProcessControl {
  /** Makes the file, or replaces it as a whole, with mode 0644. No other process sees it half written. */
  replaceFile(path: string, text: string): void;
  /** What the file holds; null when there is none. */
  readFile(path: string): string | null;
  /** Makes the file, with the mode that the umask gives. Throws where there is one already, whatever it is. */
  writeNewFile(path: string, text: string): void;
  /** Makes the folder and those above it; one that is there stays as it is. */
  makeFolder(path: string): void;
  /** The names in the folder, in no order; null when there is none. Throws for what is no folder. */
  listFolder(path: string): readonly string[] | null;
  rename(from: string, to: string): void;
  remove(path: string): void;
  chown(path: string, uid: number, gid: number): void;
  /** Changes with each new content, be it written, renamed to `path`, or linked there; null when there is none. */
  stamp(path: string): Promise<string | null>;
  /** Whether there is a process of that number, whosever it is. */
  isAlive(pid: number): boolean;
  /** The user and the group that this process acts as. */
  owner(): { readonly uid: number; readonly gid: number };
  /** Throws where the runtime cannot give a process the further groups of its user (Deno). */
  checkInitgroups(): void;
  /** Becomes another user, in all threads and for good; no other group is kept. */
  become(identity: Identity): void;
  setUmask(mask: number): void;
  /** Sets a variable of the environment; null removes it. */
  setEnv(name: string, value: string | null): void;
  /** Names this process for `ps` and `top`; false where the runtime cannot (Bun). */
  setTitle(title: string): boolean;
  /** Runs a program that is found in the PATH. Rejects when it cannot be started. */
  run(program: string, words: readonly string[]): Promise<Outcome>;
}

/** The process cannot be what the settings ask for; the command exits with 1. */
export class ProcessError extends Error {
  override readonly name = "ProcessError";
}
