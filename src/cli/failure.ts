// What ends a command: the exit code and the text for each kind of failure.

import { ConfigError } from "../config/error.ts";
import { describeError, escapeBlock, escapeLine } from "../observe/text.ts";
import { ListenError, SpawnError } from "../runtime/port.ts";
import { ControlError } from "./ctl.ts";
import { BindError, explainListenError } from "./listen.ts";
import { LoadError } from "./load.ts";
import { ProcessError } from "./process_control.ts";

/**
 * Exit codes, Gunicorn's where it has one; 0 is a server that was stopped, or a command that is done. A master that gives
 * up has its own (EXIT_GAVE_UP in arbiter/machine.ts).
 */
export const EXIT = {
  /** An address cannot be listened on, or another server runs. */
  bind: 1,
  /** The process cannot be what the settings ask for: a pidfile, a user; or Deno may not start workers. */
  process: 1,
  bug: 1,
  /** The system checks have found errors. */
  check: 1,
  /** `tricorn ctl`: nobody answers, or the server could not do it. */
  control: 1,
  usage: 2,
  /** The application's module cannot be loaded. */
  boot: 3,
  /** The module is there, and has no application. */
  application: 4,
} as const;

/** A site is not to be served: the system checks have found errors, and `detail` is their report. The command exits with 1. */
export class CheckError extends Error {
  override readonly name = "CheckError";
  readonly detail: string | null;

  constructor(message: string, detail: string | null = null) {
    super(message);
    this.detail = detail;
  }
}

export interface Failure {
  readonly code: number;
  /** One line. */
  readonly message: string;
  /** The stack, where the application's own code failed, or ours; else null. */
  readonly detail: string | null;
}

/** What `error` means for a command. */
export function explain(error: unknown): Failure {
  if (error instanceof LoadError) {
    return { code: EXIT[error.stage], message: escapeLine(error.message), detail: error.detail };
  }
  if (error instanceof ConfigError) {
    return { code: EXIT.usage, message: escapeLine(error.message), detail: error.detail };
  }
  if (error instanceof ListenError) {
    return { code: EXIT.bind, message: escapeLine(explainListenError(error)), detail: null };
  }
  if (error instanceof CheckError) return { code: EXIT.check, message: error.message, detail: error.detail };
  if (error instanceof ControlError) return { code: EXIT.control, message: escapeLine(error.message), detail: null };
  if (error instanceof ProcessError || error instanceof SpawnError) {
    return { code: EXIT.process, message: escapeLine(error.message), detail: null };
  }
  if (error instanceof BindError) return { code: EXIT.bind, message: escapeLine(error.message), detail: null };
  return { code: EXIT.bug, message: "this is a bug, please report it:", detail: describeError(error) };
}

/** A failure as text, with its line end. */
export function failureText({ message, detail }: Failure): string {
  return detail === null ? `${message}\n` : `${message}\n  ${escapeBlock(detail, "  ")}\n`;
}
