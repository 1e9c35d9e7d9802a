// The code of docs/handler.md is one project: it compiles, its own test passes on each runtime, `tricorn check` finds
// nothing wrong with it; and the table of settings is the settings'.

import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveSettings } from "../../src/handler/settings.ts";
import { onEachKind, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { blocksOf, environment, fileOf, linkPackages, typeCheck, writeFiles } from "./support.ts";

const TEXT = readFileSync(join(ROOT, "docs/handler.md"), "utf8");

/** Each begins with its file's name. */
const BLOCKS = blocksOf(TEXT);
const FILES = BLOCKS.filter(({ language }) => language === "ts");

const PROJECT = mkdtempSync(join(tmpdir(), "tricorn-handler-"));
const STRIP_TYPES = "./node_modules/tricorn/adapters/strip_types.js";

interface Ended {
  readonly code: number | string | null;
  readonly output: string;
}

function run(program: string, ...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, words, { cwd: PROJECT, env: environment(program) }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code ?? error.signal ?? null, output: stdout + stderr });
    });
  });
}

function testWords(runtime: TestRuntime): readonly string[] {
  switch (runtime.kind) {
    case "node":
      return ["--import", STRIP_TYPES, "--test", "site.test.ts"];
    case "deno":
      return ["test", "--no-check", "--allow-read", "--allow-env", "site.test.ts"];
    case "bun":
      return ["test", "site.test.ts"];
  }
}

beforeAll(() => {
  writeFileSync(join(PROJECT, "package.json"), '{ "type": "module" }\n');
  // What `npm install` of the neighbouring clone, and of what else the project uses, leaves there.
  linkPackages(PROJECT, ["hono", "@types", "bun-types"]);
  symlinkSync(ROOT, join(PROJECT, "node_modules/tricorn"));
  writeFiles(PROJECT, FILES);
});

afterAll(() => rmSync(PROJECT, { recursive: true, force: true }));

test("each block is a file of the project, or the command whose test is below", () => {
  const others = BLOCKS.filter((block) => !FILES.includes(block));
  const check = "tricorn check --settings settings.ts";
  expect(others.map(({ lines }) => lines)).toEqual([[check, `${check} --deploy`]]);
});

test("it compiles, as a user's compiler sees it", async () => {
  expect(await typeCheck(PROJECT, FILES.map((block) => fileOf(block)[0]))).toBe("");
});

onEachKind("its test passes", (runtime) => {
  test("site.test.ts", async () => {
    const { code, output } = await run(runtime.program, ...testWords(runtime));
    expect(code, output).toBe(0);
    // So many tests as there are in it.
    const count = [...FILES.at(-1)!.text.matchAll(/^test\(/gm)].length;
    expect(output).toMatch(new RegExp(`\\b${count} pass(?:ed)?\\b|\\bpass ${count}\\b`));
  });
});

test("tricorn check finds nothing wrong with it, and something to say with --deploy", () => {
  const words = ["--import", STRIP_TYPES, "node_modules/tricorn/adapters/bin.ts", "check", "--settings", "settings.ts"];
  const check = (...more: string[]): string =>
    execFileSync(process.execPath, [...words, ...more], { cwd: PROJECT, encoding: "utf8" });
  expect(check()).toBe("System check identified no issues (0 silenced).\n");
  expect(check("--deploy")).toContain("(security.W004)");
});

test("the table of settings has all of them, with their defaults", () => {
  const rows = [...TEXT.matchAll(/^\| `([A-Z_]+)` +\| `([^`]*)` +\|/gm)].map(([, name, value]) => [name, value]);
  const wanted = Object.entries(resolveSettings()).map(([name, value]) => [name, JSON.stringify(value)]);
  expect(rows).toEqual(wanted);
});
