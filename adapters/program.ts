// The words of a command line with which this very program is started again, on each runtime.

import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";

interface DenoApi {
  readonly permissions: { querySync(descriptor: object): { readonly state: string } };
}
const { Deno: deno } = globalThis as { Deno?: DenoApi };

/**
 * Where the program was started: its words may be relative to that, and a setting may change the directory later. A link
 * is kept as it was followed, so that a reload finds what it points to by then (`current` of a deployment), as Gunicorn.
 */
export const startDirectory: string = findDirectory();

function findDirectory(): string {
  const directory = process.cwd();
  if (!isGranted({ name: "env", variable: "PWD" })) return directory;
  const { PWD } = process.env;
  if (PWD === undefined || !isGranted({ name: "read", path: PWD })) return directory;
  try {
    return realpathSync(PWD) === directory ? PWD : directory;
  } catch {
    return directory;
  }
}

/** Deno would ask whoever sits at the terminal for a permission that is not there. */
export function isGranted(descriptor: { name: string; variable?: string; path?: string; command?: string }): boolean {
  return deno === undefined || deno.permissions.querySync(descriptor).state === "granted";
}

let words: readonly string[] | null = null;

/** The words after the runtime's path with which this process was started. */
export function programWords(): readonly string[] {
  return words ??= readWords();
}

/** The script of this process: its absolute path, or the package that Deno was told to run, as `npm:tricorn`. */
export function programScript(): string {
  const [, script = "", ...rest] = process.argv;
  const word = deno === undefined ? script : programWords().at(-1 - rest.length) ?? script;
  return /^(?:npm|jsr|https?):/.test(word) ? word : resolve(startDirectory, script);
}

function readWords(): readonly string[] {
  if (deno === undefined) return [...process.execArgv, ...process.argv.slice(1)];
  // Deno does not tell its own flags. The system does, where there is /proc, and only `cat` may read it without -A.
  try {
    if (isGranted({ name: "run", command: "cat" })) {
      const { status, stdout } = spawnSync("cat", [`/proc/${process.pid}/cmdline`], { encoding: "utf8" });
      if (status === 0) return stdout.split("\0").slice(1, -1);
    }
  } catch {
    // With LD_PRELOAD and its like in the environment Deno wants --allow-run for all.
  }
  const granted = ["net", "read", "write", "env", "run", "sys", "ffi"].filter((name) => isGranted({ name }));
  return ["run", "--no-prompt", ...granted.map((name) => `--allow-${name}`), ...process.argv.slice(1)];
}
