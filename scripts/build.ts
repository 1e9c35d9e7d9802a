// Builds the npm package with tsc: `npm run build [FOLDER]`, by default dist/. Only what the entries and the command
// reach is in it. Types are checked by `npm run check`; here they are only erased and declared, which
// `isolatedDeclarations` lets tsc do without knowing any.

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { type Package, readPackage, ROOT } from "./package.ts";

/** JavaScript among the sources; tsc leaves it, and what it declares, where they are. */
const PLAIN = [
  "adapters/strip_types.js",
  "adapters/strip_types.d.ts",
  "adapters/typescript.js",
  "adapters/typescript.d.ts",
  "adapters/watchdog_thread.js",
  "adapters/watchdog_thread.d.ts",
] as const;

/**
 * What a module imports from its own package, in the code and declarations that tsc writes. Its statements begin at the
 * margin, which tells them from text that has some in it (src/cli/templates).
 */
const RELATIVE = /(^[^\s"][^"\n]*\bfrom\s*|^import\s*|\bimport\s*\(\s*)"(\.\.?\/[^"\n]+?)\.(?:ts|js)"/gm;

function build(out: string): void {
  const description = readPackage();
  const emitted = mkdtempSync(join(tmpdir(), "tricorn-build-"));
  try {
    compile(emitted);
    rmSync(out, { recursive: true, force: true });
    const { entries, command } = description;
    copyReached([...entries, command].map(({ source }) => module(source)), ".js", emitted, out);
    copyReached(entries.map(({ source }) => module(source)), ".d.ts", emitted, out);
  } finally {
    rmSync(emitted, { recursive: true });
  }
  makeProgram(join(out, `${module(description.command.source)}.js`));
  writeFileSync(join(out, "package.json"), `${JSON.stringify(packageJson(description), null, 2)}\n`);
  for (const name of description.documents) cpSync(join(ROOT, name), join(out, name), { recursive: true });
}

function compile(outDir: string): void {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", outDir], {
    cwd: ROOT,
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("tsc failed");
  for (const path of PLAIN) cpSync(join(ROOT, path), join(outDir, path));
}

/** Copies the modules, as code or as declarations, from which `roots` are made up. */
function copyReached(roots: readonly string[], extension: ".js" | ".d.ts", from: string, to: string): void {
  const reached = new Set(roots);
  for (const path of reached) {
    const text = readFileSync(join(from, path + extension), "utf8");
    for (const [, , specifier] of text.matchAll(RELATIVE)) reached.add(join(dirname(path), specifier!));
    mkdirSync(dirname(join(to, path)), { recursive: true });
    // tsc leaves `.ts` in declarations, where not every reader looks for `.d.ts` then.
    writeFileSync(join(to, path + extension), text.replace(RELATIVE, '$1"$2.js"'));
  }
}

/** As dnt does, too: what both take must not have the line already. */
function makeProgram(path: string): void {
  writeFileSync(path, `#!/usr/bin/env node\n${readFileSync(path, "utf8")}`);
  chmodSync(path, 0o755);
}

function packageJson({ fields, entries, command }: Package): Record<string, unknown> {
  const main = entries.find(({ name }) => name === ".")!;
  return {
    ...fields,
    main: `./${module(main.source)}.js`,
    types: `./${module(main.source)}.d.ts`,
    exports: Object.fromEntries([
      ...entries.map(({ name, source }) => [
        name,
        { types: `./${module(source)}.d.ts`, default: `./${module(source)}.js` },
      ]),
      ["./package.json", "./package.json"],
    ]),
    bin: { [fields.name]: `./${module(command.source)}.js` },
  };
}

/** "./adapters/mod.ts" -> "adapters/mod". */
function module(source: string): string {
  return source.replace(/^\.\//, "").replace(/\.[jt]s$/, "");
}

build(resolve(process.argv[2] ?? join(ROOT, "dist")));
