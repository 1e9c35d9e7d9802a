// What the published package is, read from deno.json: version, description, entries, command and documents; package.json
// only adds npm's name and what is installed with it. build.ts (tsc) and build_npm.ts (dnt) both make what this says, and
// neither adds to it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

/** The entry of deno.json's `exports` that is a command and not for import; npm has `bin` for it. */
const COMMAND = "./cli";

/** What does something when it is imported: with the command all that there is, which bundlers want to know. */
const EFFECTS: readonly string[] = ["./adapters/typescript.js", "./adapters/strip_types.js"];

/** What else JSR gets; npm has modules and a description of its own. */
const SOURCES: readonly string[] = ["adapters", "src", "deno.json"];

/** What a Node without type stripping (adapters/strip_types.js) loads TypeScript with, if it is there. */
const STRIPPER = "@swc/wasm-typescript";

export interface Entry {
  /** "." or "./esgi": what follows the package's name in an import. */
  readonly name: string;
  /** The module's source, relative to the root, as deno.json writes it: "./adapters/mod.ts". */
  readonly source: string;
}

export interface Package {
  readonly entries: readonly Entry[];
  readonly command: Entry;
  /** Files and folders beside the modules, relative to the root: what the program's messages refer to is there. */
  readonly documents: readonly string[];
  /** What stands in package.json alike whoever built the package. */
  readonly fields: {
    readonly name: string;
    readonly version: string;
    readonly description: string;
    readonly keywords: readonly string[];
    readonly license: string;
    readonly type: "module";
    readonly engines: Readonly<Record<string, string>>;
    readonly sideEffects: readonly string[];
    readonly dependencies: Readonly<Record<string, string>>;
    readonly peerDependencies: Readonly<Record<string, string>>;
    readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: true }>>;
  };
}

/** The types that a compiler needs to see the adapters as they are. */
export const TYPES: Readonly<Record<string, string>> = pick(["@types/node", "@types/deno"]);

interface DenoJson {
  readonly version: string;
  readonly description: string;
  readonly keywords: readonly string[];
  readonly license: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly publish: { readonly include: readonly string[] };
}

interface PackageJson {
  readonly name: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** Reads the description. */
export function readPackage(): Package {
  const deno = readJson("deno.json") as DenoJson;
  const npm = readJson("package.json") as PackageJson;
  const all = Object.entries(deno.exports).map(([name, source]): Entry => ({ name, source }));
  const command = all.find(({ name }) => name === COMMAND);
  if (command === undefined) throw new Error(`deno.json: "exports" has no "${COMMAND}", which is the command`);
  return {
    entries: all.filter((entry) => entry !== command),
    command,
    documents: deno.publish.include.filter((name) => !SOURCES.includes(name)),
    fields: {
      // JSR knows names with a scope only, so npm's stands in package.json.
      name: npm.name,
      version: deno.version,
      description: deno.description,
      keywords: deno.keywords,
      license: deno.license,
      type: "module",
      engines: npm.engines,
      // The folder differs with the builder, the end of the path does not.
      sideEffects: [command.source, ...EFFECTS].map((source) => `**/${source.slice(2).replace(/\.ts$/, ".js")}`),
      dependencies: ranges(npm.dependencies),
      peerDependencies: { [STRIPPER]: `^${npm.devDependencies[STRIPPER]}` },
      peerDependenciesMeta: { [STRIPPER]: { optional: true } },
    },
  };
}

/** The exact versions that a clone has, as the ranges that a project is to choose from. */
function ranges(exact: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(exact).map(([name, version]) => [name, `^${version}`]));
}

function pick(names: readonly string[]): Record<string, string> {
  const { devDependencies } = readJson("package.json") as PackageJson;
  return Object.fromEntries(names.map((name) => [name, devDependencies[name]!]));
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(ROOT, path), "utf8"));
}
