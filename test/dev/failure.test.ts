// What was thrown, as data: by hand here, and by real processes for what runtimes say in their own ways.

import { execFile } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeFailure, type Failure } from "../../src/dev/failure.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";

const NOTHING = (): null => null;

function errorWith(stack: string, message = "boom"): Error {
  return Object.assign(new Error(message), { stack });
}

describe("describeFailure", () => {
  test("name, message and frames with the lines around each", () => {
    const text = Array.from({ length: 30 }, (_, i) => `line ${i + 1}`).join("\n");
    const error = errorWith("Error: boom\n    at view (file:///app/a.ts:12:5)\n    at file:///app/b.ts:1:1");
    const { name, message, frames } = describeFailure(error, (path) => path === "/app/a.ts" ? `${text}\n` : null);
    expect([name, message, frames.length]).toEqual(["Error", "boom", 2]);
    expect(frames[0]).toEqual({
      function: "view",
      file: "/app/a.ts",
      line: 12,
      column: 5,
      owner: "application",
      excerpt: { start: 5, lines: Array.from({ length: 15 }, (_, i) => `line ${i + 5}`) },
    });
    expect(frames[1]!.excerpt).toBe(null);
  });

  test("the excerpt ends where the file does", () => {
    const error = errorWith("Error: boom\n    at file:///a.ts:2:1");
    expect(describeFailure(error, () => "one\r\ntwo\r\n").frames[0]!.excerpt).toEqual({
      start: 1,
      lines: ["one", "two"],
    });
    expect(describeFailure(error, () => "one\n").frames[0]!.excerpt).toBe(null);
  });

  test("a file that cannot be read is asked for once, and the rest is told", () => {
    const asked: string[] = [];
    const failure = describeFailure(
      errorWith("Error: boom\n    at file:///a.ts:2:1\n    at file:///a.ts:3:1"),
      (path) => {
        asked.push(path);
        throw new Error("EACCES");
      },
    );
    expect([failure.frames.length, asked]).toEqual([2, ["/a.ts"]]);
  });

  test("causes and an AggregateError's errors, in order", () => {
    const error = new AggregateError([new TypeError("one"), "two"], "both", {
      cause: new RangeError("deep", { cause: 7 }),
    });
    const failure = describeFailure(error, NOTHING);
    expect(failure).toMatchObject({
      name: "AggregateError",
      errors: [{ name: "TypeError", message: "one" }, { name: "thrown", message: "two" }],
      cause: { name: "RangeError", cause: { name: "thrown", message: "7" } },
    });
  });

  test("causes that go round in a circle end", () => {
    const error = new Error("a") as Error & { cause: unknown };
    error.cause = new Error("b", { cause: error });
    expect(describeFailure(error, NOTHING).cause!.cause!.message).toContain("circle");
  });

  test.each<[string, unknown, string]>([
    ["a string", "no", "no"],
    ["undefined", undefined, "undefined"],
    ["null", null, "null"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["a bigint", 3n, "3"],
    ["an object", { status: 500 }, '{"status":500}'],
    [
      "an object that cannot be shown",
      Object.assign(Object.create(null), { toJSON: () => 1n }),
      "(a value that cannot be shown)",
    ],
    ["a function", function go() {}, "a function go"],
  ])("%s that is thrown", (_, value, message) => {
    expect(describeFailure(value, NOTHING)).toMatchObject({ name: "thrown", message, frames: [], cause: null });
  });

  test("getters that throw, and a proxy that throws at everything", () => {
    const error = new Error("x");
    for (const key of ["stack", "name", "message", "cause", "errors", "code"]) {
      Object.defineProperty(error, key, {
        get() {
          throw new Error("no");
        },
      });
    }
    expect(describeFailure(error, NOTHING)).toMatchObject({ name: "Error", message: "", frames: [] });
    const fail = (): never => {
      throw new Error("no");
    };
    const proxy = new Proxy({}, { get: fail, getPrototypeOf: fail, has: fail, ownKeys: fail });
    expect(describeFailure(proxy, NOTHING).name).toBe("thrown");
  });

  test("a stack and a message of 10 MB are bounded, and it can be JSON", () => {
    const huge = "x".repeat(10_000_000);
    const failure = describeFailure(
      errorWith(`Error: ${huge}\n    at file:///a.ts:1:1\n${"    at f (file:///b.ts:1:1)\n".repeat(400_000)}`, huge),
      NOTHING,
    );
    expect(failure.frames.length).toBe(50);
    expect(failure.frames[0]!.file).toBe("/a.ts");
    expect(JSON.stringify(failure).length).toBeLessThan(150_000);
  });

  test("a cause of a cause of a cause ends at the tenth", () => {
    let error = new Error("0");
    for (let i = 1; i < 50; i++) error = new Error(String(i), { cause: error });
    let depth = 0;
    for (let one: Failure | null = describeFailure(error, NOTHING); one !== null; one = one.cause) depth++;
    expect(depth).toBe(11);
  });

  test("lines are cut that no one can read", () => {
    const failure = describeFailure(errorWith("Error: boom\n    at file:///a.js:1:1"), () => "y".repeat(100_000));
    expect(failure.frames[0]!.excerpt!.lines[0]!.length).toBeLessThan(500);
  });

  test("colours are left out", () => {
    expect(describeFailure(errorWith("", "\x1b[36mblue\x1b[0m"), NOTHING).message).toBe("blue");
  });
});

describe("a module that does not load", () => {
  let folder: string;
  const files: Record<string, string> = {
    "syntax.ts": "export const a = 1;\nexport function f(: number) {\n  return 1;\n}\n",
    "imports_syntax.ts": 'import "./syntax.ts";\n',
    "two.ts": "export const a = ;\nconst = 3;\n",
    "package.ts": 'export const a = 1;\nimport "no-such-package-x";\n',
    "file.ts": 'export const a = 1;\nimport { b } from "./sub/../nothing.ts";\nconsole.log(b);\n',
    "ok.ts": "export const yes: number = 1;\n",
    "lacking.ts": 'import { nope } from "./ok.ts";\nconsole.log(nope);\n',
    "script.js": "export const a = 1;\nexport const b = ;\n",
    "throws.ts":
      'interface A { a: string }\nfunction boot(_: A): never {\n  throw new Error("no database", { cause: new TypeError("refused") });\n}\nboot({ a: "" });\n',
    "view.ts":
      'export function run(): string {\n  let user: { name: string } | null = JSON.parse("null");\n  user ??= null;\n  return user!.name;\n}\n',
  };

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "tricorn failure-")));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function failureOf(runtime: TestRuntime, name: string): Promise<Failure> {
    const words = [
      ...runtime.words([]),
      "test/dev/fixtures/describe_failure.ts",
      new URL(name, `file://${folder}/`).href,
    ];
    const { stdout } = await promisify(execFile)(runtime.program, words, { cwd: ROOT });
    return JSON.parse(stdout) as Failure;
  }

  /** Where the mistake is, and the line that is shown for it. */
  function placeOf({ frames: [frame] }: Failure): unknown {
    const { file, line, column, owner, excerpt } = frame!;
    return [file.slice(folder.length + 1), line, column, owner, excerpt?.lines[line! - excerpt.start] ?? null];
  }

  onEachRuntime("says where the mistake is", (runtime) => {
    test.each([
      ["syntax.ts", ["syntax.ts", 2, 19, "application", "export function f(: number) {"]],
      ["imports_syntax.ts", ["syntax.ts", 2, 19, "application", "export function f(: number) {"]],
      ["two.ts", ["two.ts", 1, 18, "application", "export const a = ;"]],
    ])("%s has a syntax error", async (name, place) => {
      const failure = await failureOf(runtime, name);
      expect([failure.name, placeOf(failure)]).toEqual(["SyntaxError", place]);
      expect(failure.message).toMatch(/^(?:Unexpected|Expected|Expression)/);
    });

    test("a package or file that is not found: who imports it", async () => {
      const missing = await failureOf(runtime, "package.ts");
      expect(missing.message).toContain("no-such-package-x");
      expect(placeOf(missing)).toEqual(["package.ts", 2, 8, "application", 'import "no-such-package-x";']);
      const file = await failureOf(runtime, "file.ts");
      expect(file.message).toContain("nothing.ts");
      expect(placeOf(file)).toEqual(["file.ts", 2, 19, "application", 'import { b } from "./sub/../nothing.ts";']);
    });

    test("an export that is not there", async () => {
      const failure = await failureOf(runtime, "lacking.ts");
      expect([failure.name, failure.message]).toEqual(["SyntaxError", expect.stringContaining("nope")]);
      // Bun names the module that lacks it, and not the one that imports it.
      expect(placeOf(failure)).toEqual(
        runtime.kind === "bun"
          ? ["ok.ts", null, null, "application", null]
          : ["lacking.ts", 1, 10, "application", 'import { nope } from "./ok.ts";'],
      );
    });

    test("JavaScript: Node says what is wrong, and not where", async () => {
      const failure = await failureOf(runtime, "script.js");
      expect(failure.name).toBe("SyntaxError");
      if (runtime.kind === "node") expect(failure.frames.every(({ owner }) => owner === "runtime")).toBe(true);
      else expect(placeOf(failure)).toEqual(["script.js", 2, 18, "application", "export const b = ;"]);
    });

    test("a module that throws, with its cause", async () => {
      const failure = await failureOf(runtime, "throws.ts");
      expect(failure).toMatchObject({
        name: "Error",
        message: "no database",
        cause: { name: "TypeError", message: "refused" },
      });
      expect(failure.frames[0]).toMatchObject({ function: "boot", line: 3, owner: "application" });
      expect(failure.frames[1]).toMatchObject({ function: null, line: 5, owner: "application" });
      expect(failure.frames.slice(2).filter(({ owner, file }) => owner === "application" && file.startsWith(folder)))
        .toEqual([]);
    });

    test("a function that throws", async () => {
      const failure = await failureOf(runtime, "view.ts");
      expect(failure.name).toBe("TypeError");
      const [frame] = failure.frames;
      expect([frame!.function, placeOf(failure)]).toEqual([
        "run",
        ["view.ts", 4, expect.any(Number), "application", "  return user!.name;"],
      ]);
    });
  });
});
