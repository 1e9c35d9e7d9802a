// What may fail for the system's reasons, and its one line.

import { ConfigError } from "../config/error.ts";

/** Does what may fail for the system's reasons; the one-line error begins with `what`. */
export function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new ConfigError(`${what}: ${reasonOf(error)}`);
  }
}

/** The first line of what went wrong. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0] ?? text;
}
