// What is in the package, and how it is described: to npm, to bundlers and to compilers.

import { checkPackage, createPackageFromTarballData, type Problem } from "@arethetypeswrong/core";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readPackage } from "../../scripts/package.ts";
import { VERSION } from "../../src/cli/version.ts";
import { ROOT } from "../support/runtimes.ts";
import { CONSUMER, ENTRIES } from "./entries.ts";
import type { Package } from "./registry.ts";
import { build, type Ended, Machine, pack } from "./support.ts";

// Package managers and compilers take seconds, and several times that beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const machine = new Machine();
const description = readPackage();
let built: string;
let packed: Package;

beforeAll(() => {
  built = build(machine.folder);
  [packed] = pack([built], machine.folder) as [Package];
});

afterAll(() => machine.close());

function read(name: string): string {
  return readFileSync(join(ROOT, name), "utf8");
}

describe("the description", () => {
  test("is deno.json's: the clone's package.json agrees, and the package says the same", () => {
    const { fields, entries, command } = description;
    const clone = JSON.parse(read("package.json"));
    expect(clone).toMatchObject({ name: fields.name, version: fields.version, license: fields.license });
    expect(clone.exports).toEqual(Object.fromEntries(entries.map(({ name, source }) => [name, source])));
    expect(clone.scripts["serve:node"]).toContain(command.source.slice(2));
    expect(clone.private).toBe(true);
    expect(VERSION).toBe(fields.version);
    expect(packed.manifest).toMatchObject(fields);
    expect(Object.keys(packed.manifest.exports as object).filter((name) => name !== "./package.json"))
      .toEqual(Object.keys(clone.exports));
    expect(Object.keys(ENTRIES)).toEqual(entries.map(({ name }) => join(fields.name, name)));
  });

  test("has what npm needs, and no address, script or tool of the clone", () => {
    const optional = ["main", "module", "types"];
    expect(Object.keys(packed.manifest).filter((name) => !optional.includes(name)).sort())
      .toEqual([...Object.keys(description.fields), "exports", "bin"].sort());
    expect(packed.manifest).toMatchObject({ license: "MIT", type: "module", engines: { node: ">=20" } });
  });

  test("has an entry of CHANGELOG.md: the newest release, or what comes before the first one", () => {
    const headings = [...read("CHANGELOG.md").matchAll(/^## (.*)$/gm)].map(([, heading]) => heading!);
    const [newest] = headings.filter((heading) => heading !== "Unreleased");
    expect(headings.length).toBeGreaterThan(0);
    if (newest !== undefined) {
      expect(newest).toMatch(new RegExp(`^\\[${VERSION.replaceAll(".", "\\.")}\\] - \\d{4}-\\d\\d-\\d\\d$`));
    }
  });

  test("publint has nothing to say", async () => {
    const { messages, pkg } = await publint({ pkgDir: built, level: "suggestion", strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg!))).toEqual([]);
  });

  test("the types are right wherever modules of ECMAScript are", async () => {
    const types = await checkPackage(createPackageFromTarballData(packed.tarball));
    if (!types.types) throw new Error("there are no types");
    // There is no CommonJS; and resolution as before Node 12.7 knows no entry but the first.
    const meant = (problem: Problem): boolean =>
      problem.kind === "CJSResolvesToESM" ||
      problem.kind === "NoResolution" && ["node10", "node16-cjs"].includes(problem.resolutionKind);
    expect(types.problems.filter((problem) => !meant(problem))).toEqual([]);
  });
});

describe("the files", () => {
  const paths = (): string[] => packed.packed.files.map(({ path }) => path);

  test("are modules with their types, and the documents that the program refers to", () => {
    const modules = /^(?:esm\/)?(?:adapters|src)\/[a-z0-9_/]+\.(?:js|d\.ts)$/;
    const rest = paths().filter((path) => !modules.test(path) && !/^(?:esm\/)?package\.json$/.test(path));
    const { documents } = description;
    expect(rest.filter((path) => !documents.some((name) => path === name || path.startsWith(`${name}/`)))).toEqual([]);
    expect(documents.filter((name) => !rest.some((path) => path === name || path.startsWith(`${name}/`)))).toEqual([]);
    // Such as in `tricorn serve --help`.
    const mentioned = new Set<string>();
    for (const path of paths().filter((path) => path.endsWith(".js"))) {
      for (const [name] of readFileSync(join(built, path), "utf8").matchAll(/\bdocs\/[\w-]+\.[\w.]*\w/g)) {
        mentioned.add(name);
      }
    }
    expect(mentioned.size).toBeGreaterThan(0);
    expect([...mentioned].filter((name) => !paths().includes(name))).toEqual([]);
  });

  test("are no more than CONTRIBUTING.md says, by a fifth", () => {
    const { size, unpackedSize, files } = packed.packed;
    const stated = /(\d+) files, (\d+) kB packed and\s(\d+\.\d) MB unpacked/.exec(read("CONTRIBUTING.md"));
    expect(stated, "the size stands in CONTRIBUTING.md").not.toBeNull();
    const actual = [files.length, size / 1e3, unpackedSize / 1e6];
    const ratios = stated!.slice(1).map((text, index) => actual[index]! / Number(text));
    const now = `${files.length} files, ${Math.round(size / 1e3)} kB packed and ${(unpackedSize / 1e6).toFixed(1)} MB`;
    expect(Math.max(...ratios), now).toBeLessThan(1.2);
    expect(Math.min(...ratios), now).toBeGreaterThan(0.8);
  });

  test("the command can be run by whoever unpacks them", () => {
    const [bin] = Object.values(packed.manifest.bin as Record<string, string>);
    expect(Object.keys(packed.manifest.bin as object)).toEqual(["tricorn"]);
    expect(readFileSync(join(built, bin!), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    const listed = execFileSync("tar", ["-tvzf", join(machine.folder, packed.packed.filename)], { encoding: "utf8" });
    const [line] = listed.split("\n").filter((line) => line.endsWith(`package/${bin!.replace("./", "")}`));
    expect(line).toMatch(/^-rwxr-xr-x /);
  });
});

describe("a consumer in TypeScript, under strict, library checks included", () => {
  const consumer = (): string => join(machine.folder, "consumer");
  const tsc = (path: string, ...words: string[]): Promise<Ended> =>
    machine.run(
      consumer(),
      process.execPath,
      join(ROOT, path),
      ...["--strict", "--noEmit", "--skipLibCheck", "false", "--target", "es2022", "--types", "node"],
      ...words,
      "consumer.ts",
    );

  beforeAll(() => {
    const modules = join(consumer(), "node_modules");
    mkdirSync(join(modules, "@types"), { recursive: true });
    symlinkSync(built, join(modules, "tricorn"));
    symlinkSync(join(ROOT, "node_modules/@types/node"), join(modules, "@types/node"));
    writeFileSync(join(consumer(), "package.json"), JSON.stringify({ private: true, type: "module" }));
    writeFileSync(join(consumer(), "consumer.ts"), CONSUMER);
  });

  test.each([
    ["nodenext", "--module", "nodenext"],
    ["nodenext, and stricter", "--module", "nodenext", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"],
    ["nodenext without DOM, as a project for Node has it", "--module", "nodenext", "--lib", "es2022"],
    ["bundler", "--module", "esnext", "--moduleResolution", "bundler"],
  ])("%s", async (_title, ...words) => {
    expect(await tsc("node_modules/typescript/bin/tsc", "--ignoreConfig", ...words))
      .toEqual({ code: 0, stdout: "", stderr: "" });
  });

  // The one that @arethetypeswrong/core brings. DOM alone would take it two seconds.
  test("nodenext without DOM, with TypeScript 5.6", async () => {
    const path = "node_modules/@arethetypeswrong/core/node_modules/typescript/bin/tsc";
    expect(await tsc(path, "--module", "nodenext", "--lib", "es2022")).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});
