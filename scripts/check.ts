// The house rules that are programs, behind one command: `npm run check`. Each prints nothing while it is kept.

import { spawnSync } from "node:child_process";
import process from "node:process";

const STEPS: readonly (readonly [what: string, command: readonly string[]])[] = [
  ["src has the types of no runtime", ["tsc", "-p", "tsconfig.json"]],
  ["types, with Node's", ["tsc", "-p", "tsconfig.all.json"]],
  ["types, with Bun's", ["tsc", "-p", "tsconfig.bun.json"]],
  ["types of the benchmark", ["tsc", "-p", "scripts/bench/tsconfig.json"]],
  ["types, as Deno sees them", ["deno", "check", "adapters/bin.ts", "examples/"]],
  ["format", ["deno", "fmt", "--check"]],
  ["lint", ["deno", "lint"]],
  ["SPEC.md is what src/esgi/validator.ts says", script("scripts/spec.ts", "--check")],
  ["docs are what the tables of settings and signals say", script("scripts/settings_doc.ts", "--check")],
];

function script(path: string, ...args: string[]): readonly string[] {
  return [process.execPath, "--import", "./adapters/strip_types.js", path, ...args];
}

let failed = 0;
for (const [what, [command, ...args]] of STEPS) {
  const { status, stdout, stderr, error } = spawnSync(command!, args, {
    encoding: "utf8",
    env: { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}` },
  });
  if (status === 0) {
    console.log(`ok    ${what}`);
  } else {
    failed++;
    console.log(`FAIL  ${what}\n${error?.message ?? ""}${stdout}${stderr}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
