// Builds the npm package with dnt: `deno run -A scripts/build_npm.ts [FOLDER]`, by default npm/. It is the package that
// `npm run build` makes with tsc, from the same description; dnt checks its types once more as Node sees them.

import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import type { BuildOptions, Dnt } from "./dnt.ts";
import { type Entry, readPackage, ROOT, TYPES } from "./package.ts";

// Not a literal where it is imported, or no tool could read this file without JSR.
const DNT = "jsr:@deno/dnt@^0.43.2";

function options(outDir: string, importMap: string): BuildOptions {
  const { entries, command, documents, fields } = readPackage();
  const path = ({ source }: Entry): string => join(ROOT, source);
  return {
    entryPoints: [
      ...entries.map((entry) => ({ name: entry.name, path: path(entry) })),
      { kind: "bin", name: fields.name, path: path(command) },
    ],
    outDir,
    importMap,
    package: { ...fields, devDependencies: TYPES },
    // The adapters mean the Deno that they run on; nothing stands in for it.
    shims: { deno: "dev" },
    polyfills: false,
    // CommonJS knows no top-level await, which chooses the adapter.
    scriptModule: false,
    declaration: "inline",
    // vitest runs the tests, against the package too (test/package).
    test: false,
    skipSourceOutput: true,
    compilerOptions: {
      target: "ES2023",
      lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
      noUncheckedIndexedAccess: true,
    },
    postBuild() {
      for (const name of documents) cpSync(join(ROOT, name), join(outDir, name), { recursive: true });
      tidy(outDir);
    },
  };
}

/** What the modules call by its name alone; dnt does not look into package.json. */
function imports(): Record<string, string> {
  const { dependencies } = readPackage().fields;
  return Object.fromEntries(Object.entries(dependencies).map(([name, range]) => [name, `npm:${name}@${range}`]));
}

/** Takes out of package.json what dnt needed for its own work, and makes the command a program. */
function tidy(outDir: string): void {
  const file = join(outDir, "package.json");
  const { devDependencies: _, scripts: __, _generatedBy: ___, ...rest } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, `${JSON.stringify(rest, null, 2)}\n`);
  for (const path of Object.values(rest.bin as Record<string, string>)) chmodSync(join(outDir, path), 0o755);
}

async function load(): Promise<Dnt | null> {
  if (!("Deno" in globalThis)) {
    console.error('build_npm: dnt runs on Deno; write "deno run -A scripts/build_npm.ts"');
    return null;
  }
  try {
    return await import(DNT) as Dnt;
  } catch (error) {
    const [reason = ""] = String((error as Error).message).split("\n");
    console.error(`build_npm: cannot load ${DNT} (${reason}); "npm run build" makes the package without JSR`);
    return null;
  }
}

const dnt = await load();
if (dnt === null) {
  process.exitCode = 1;
} else {
  const outDir = resolve(process.argv[2] ?? join(ROOT, "npm"));
  const folder = mkdtempSync(join(tmpdir(), "tricorn-build-npm-"));
  try {
    const importMap = join(folder, "imports.json");
    writeFileSync(importMap, JSON.stringify({ imports: imports() }));
    await dnt.emptyDir(outDir);
    await dnt.build(options(outDir, importMap));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
