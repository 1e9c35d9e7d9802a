// What a process inherits or shows, from the settings umask, raw_env and proc_name.

import { reasonOf } from "./attempt.ts";
import { type ProcessControl, ProcessError } from "./process_control.ts";

/**
 * Sets the umask; null leaves it as it was inherited.
 *
 * @throws {ProcessError} when Deno may not.
 */
export function applyUmask(umask: number | null, control: ProcessControl): void {
  if (umask !== null) attempt("umask", () => control.setUmask(umask));
}

/** A name and its value; the settings have seen to it that there is a "=". */
export function splitPair(pair: string): readonly [name: string, value: string] {
  const end = pair.indexOf("=");
  return [pair.slice(0, end), pair.slice(end + 1)];
}

/**
 * Sets the variables of `pairs` (`KEY=VALUE`); children inherit them. Returns what undoes it, for a reload: what was there
 * before comes back.
 *
 * @throws {ProcessError} when Deno may not.
 */
export function applyRawEnv(
  pairs: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  control: ProcessControl,
): () => void {
  const before: [name: string, value: string | null][] = [];
  const undo = (): void => {
    for (const [name, value] of before.splice(0).reverse()) control.setEnv(name, value);
  };
  for (const pair of pairs) {
    const [name, value] = splitPair(pair);
    try {
      attempt("raw_env", () => {
        const old = env[name] ?? null;
        control.setEnv(name, value);
        before.push([name, old]);
      });
    } catch (error) {
      undo();
      throw error;
    }
  }
  return undo;
}

/**
 * Names this process for `ps`: `tricorn: worker [NAME]`, with proc_name. Without one it is left alone. False where it was
 * asked for and has no effect, since Bun does not tell the system. Node has only as much room as the command line that it
 * was started with, and cuts what is longer.
 */
export function applyTitle(
  role: "master" | "worker" | "server",
  name: string | null,
  control: ProcessControl,
): boolean {
  return name === null || control.setTitle(`tricorn: ${role} [${name}]`);
}

function attempt(setting: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new ProcessError(`${setting}: ${reasonOf(error)}`);
  }
}
