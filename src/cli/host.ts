// What the commands need of the process beyond runtime/port.ts's Host, and how importing a module fails.

import type { Usage } from "../arbiter/worker.ts";
import type { Host, LocalSockets } from "../runtime/port.ts";

export interface CommandHost extends Host {
  /** Where the process was started, by the name that it was given: a link is not resolved. */
  readonly startDirectory: string;
  /**
   * Absolute paths: of the runtime, and of the script that it was started with; the script may also be a package for Deno,
   * `npm:tricorn`.
   */
  readonly program: () => { readonly runtime: string; readonly script: string };
  /** What this process uses. */
  readonly usage: Usage;
  /** The processors that this process may use: what the cgroup gives, at least 1. */
  availableCores(): number;
  /** How many files this process may have open (RLIMIT_NOFILE); null where that cannot be told, or there is no limit. */
  openFilesLimit(): number | null;
  /** `path` as an absolute one, from the working directory. */
  resolve(path: string): string;
  /** Changes the working directory, and `cwd` with it. Throws what the system says. */
  chdir(path: string): void;
  /** True when the environment may be read; Deno asks for `--allow-env`. What may not be read is undefined in `env`. */
  canReadEnv(variable: string): boolean;
  /** True when standard output is a terminal. */
  readonly stdoutIsTty: boolean;
  /** For the control socket. */
  readonly sockets: LocalSockets;
  /** What is wrong with a server's certificate and its private key, both in PEM; null when nothing is. */
  certificateProblem(certificate: string, key: string): CertificateProblem | null;
  /** Whether `path` is a file; null where Deno may not look. */
  isFile(path: string): boolean | null;
  /** Whether `path` is a folder; null where this process may not look. */
  isFolder(path: string): boolean | null;
  /** Imports the file at the absolute `path` as it is now, whatever it was when it was imported before. */
  importFresh(path: string): Promise<Record<string, unknown>>;
}

export interface CertificateProblem {
  /** The setting whose file is to blame. */
  readonly setting: "certfile" | "keyfile";
  /** What the file is or has, to follow its name: "has no certificate that can be read: ...". */
  readonly problem: string;
}

/** A module that could not be imported for a reason outside itself. What it throws, `importModule` passes on as it is. */
export class ModuleError extends Error {
  override readonly name = "ModuleError";
}
