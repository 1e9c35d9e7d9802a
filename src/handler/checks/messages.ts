// What a system check says (Django's checks/messages.py). Types and words only.

/** How bad it is: from `error` on, `tricorn check` fails. */
export type CheckLevel = "debug" | "info" | "warning" | "error" | "critical";

/** From the least to the worst. */
export const CHECK_LEVELS: readonly CheckLevel[] = ["debug", "info", "warning", "error", "critical"];

/** One thing that a check has found. */
export interface CheckMessage {
  readonly level: CheckLevel;
  /** Where it comes from, a letter for the level, a number: `security.W004`. Django's, where Django has the check. */
  readonly id: string;
  /** What is wrong. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string | null;
  /** What it is about, as text: a pattern, a middleware. */
  readonly obj?: string | null;
}

/** True for what must not be served (Django's is_serious). */
export function isSerious({ level }: CheckMessage): boolean {
  return level === "error" || level === "critical";
}
