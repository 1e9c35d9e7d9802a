// What a watcher leaves out: by .gitignore as git itself reads it, and by what is never source.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { Ignored } from "../../src/dev/ignored.ts";

/** Files by path, as readSource sees them. */
function inMemory(files: Readonly<Record<string, string>>): (path: string) => string | null {
  return (path) => files[path] ?? null;
}

const REPOSITORY = { "/r/.git/HEAD": "ref: refs/heads/main\n" };

describe("what is out without a rule", () => {
  const ignored = new Ignored(["/p"], inMemory({}));

  test.each([
    "/p/node_modules",
    "/p/packages/a/node_modules",
    "/p/.git",
    "/p/.next",
    "/p/a/.cache",
    "/p/coverage",
    "/p/tmp",
    "/p/logs",
    "/p/a/__pycache__",
  ])("the folder %s", (path) => {
    expect(ignored.has(path, true)).toBe(true);
    expect(ignored.has(`${path}/a.ts`, false)).toBe(true);
  });

  test.each([
    "/p/src",
    "/p/dist",
    "/p/build",
    // An insurance has some.
    "/p/src/coverage",
    "/p/src/logs",
    "/p/static/.well-known",
  ])("not the folder %s", (path) => {
    expect(ignored.has(path, true)).toBe(false);
    expect(ignored.has(`${path}/a.ts`, false)).toBe(false);
  });

  test.each([
    "server.log",
    "server.log.1",
    "db.sqlite3",
    "db.sqlite3-journal",
    "app.db",
    "app.db-wal",
    "app.pid",
    "app.sock",
    "tsconfig.tsbuildinfo",
    ".eslintcache",
    ".node_repl_history",
  ])("the file %s", (name) => expect(ignored.has(`/p/src/${name}`, false)).toBe(true));

  test.each([
    "app.ts",
    "app.js",
    "page.html",
    "schema.sql",
    "notes.md",
    "data.json",
    "package.json",
    "deno.lock",
    "bun.lock",
    "logo.svg",
    "catalog",
    ".env",
    ".env.local",
    ".gitignore",
  ])("not the file %s", (name) => expect(ignored.has(`/p/src/${name}`, false)).toBe(false));

  test("nothing outside of the folders", () => {
    expect(ignored.has("/q/node_modules", true)).toBe(false);
    expect(ignored.has("/p2/node_modules", true)).toBe(false);
  });
});

describe(".gitignore", () => {
  test("of the folder holds, but for .env", () => {
    const ignored = new Ignored(["/p"], inMemory({ "/p/.gitignore": ".env\nuploads/\n*.gen.ts\n!keep.gen.ts\n" }));
    expect(ignored.has("/p/.env", false)).toBe(false);
    expect(ignored.has("/p/uploads", true)).toBe(true);
    expect(ignored.has("/p/uploads/a.txt", false)).toBe(true);
    expect(ignored.has("/p/src/a.gen.ts", false)).toBe(true);
    expect(ignored.has("/p/src/keep.gen.ts", false)).toBe(false);
  });

  test("of the folders above holds up to the repository's top, and none above that", () => {
    const files = { ...REPOSITORY, "/r/.gitignore": "out.ts\n", "/.gitignore": "*.ts\n" };
    const ignored = new Ignored(["/r/apps/web"], inMemory(files));
    expect(ignored.has("/r/apps/web/out.ts", false)).toBe(true);
    expect(ignored.has("/r/apps/web/app.ts", false)).toBe(false);
  });

  test("of the folders above does not hold where there is no repository", () => {
    const ignored = new Ignored(["/home/me/p"], inMemory({ "/home/me/.gitignore": "*\n" }));
    expect(ignored.has("/home/me/p/app.ts", false)).toBe(false);
  });

  test("that leaves the whole folder out does not hold in it: somebody started it there", () => {
    const files = { ...REPOSITORY, "/r/.gitignore": "scratch/\n*.gen.ts\n" };
    const ignored = new Ignored(["/r/scratch/app"], inMemory(files));
    expect(ignored.has("/r/scratch/app/app.ts", false)).toBe(false);
    expect(ignored.has("/r/scratch/app/src", true)).toBe(false);
  });

  test("does not hold for a folder that is needed, nor for what leads to it", () => {
    const ignored = new Ignored(["/p"], inMemory({ "/p/.gitignore": "dist\nbuild\n" }), ["/p/dist/server"]);
    expect(ignored.has("/p/dist", true)).toBe(false);
    expect(ignored.has("/p/dist/server", true)).toBe(false);
    expect(ignored.has("/p/dist/server/app.js", false)).toBe(false);
    expect(ignored.has("/p/dist/client", true)).toBe(true);
    expect(ignored.has("/p/build", true)).toBe(true);
  });

  test("is read again when it changed, and only then", () => {
    const files: Record<string, string> = { "/p/.gitignore": "a\n" };
    const ignored = new Ignored(["/p"], inMemory(files));
    expect(ignored.has("/p/a", true)).toBe(true);
    expect(ignored.changed("/p/.gitignore")).toBe(false);
    expect(ignored.changed("/p/src/app.ts")).toBe(false);
    files["/p/.gitignore"] = "b\n";
    expect(ignored.changed("/p/.gitignore")).toBe(true);
    expect(ignored.has("/p/a", true)).toBe(false);
    expect(ignored.has("/p/b", true)).toBe(true);
    delete files["/p/.gitignore"];
    expect(ignored.changed("/p/.gitignore")).toBe(true);
    expect(ignored.has("/p/b", true)).toBe(false);
    files["/p/.gitignore"] = "c\n";
    expect(ignored.changed("/p/.gitignore")).toBe(true);
    expect(ignored.has("/p/c", true)).toBe(true);
  });

  test("in the file system's root is no trouble", () => {
    const ignored = new Ignored(["/"], inMemory({ "/.gitignore": "a\n" }));
    expect(ignored.has("/a", true)).toBe(true);
    expect(ignored.has("/b/c.ts", false)).toBe(false);
  });
});

describe("as git reads it", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "tricorn-ignored-")));
  afterAll(() => rmSync(root, { recursive: true }));

  const git = (folder: string, words: readonly string[], input = ""): string =>
    spawnSync("git", ["-C", folder, "-c", "core.excludesFile=/dev/null", ...words], {
      input,
      encoding: "utf8",
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    }).stdout;

  const readSource = (path: string): string | null => {
    try {
      return statSync(path).isFile() ? readFileSync(path, "utf8") : null;
    } catch {
      return null;
    }
  };

  let repositories = 0;
  function compare(files: readonly string[], rules: Readonly<Record<string, string>>): void {
    const folder = join(root, String(repositories++));
    mkdirSync(folder);
    git(folder, ["init", "-q"]);
    for (const file of files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), "");
    }
    for (const [file, text] of Object.entries(rules)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    const expected = git(folder, ["check-ignore", "--no-index", "--stdin"], files.join("\n")).split("\n").filter(
      Boolean,
    );
    const ignored = new Ignored([folder], readSource);
    const found = files.filter((file) => ignored.has(join(folder, file), false));
    expect({ rules, found }).toEqual({ rules, found: expected });
  }

  const FILES = ["a", "b", "c.ts"].flatMap((one) =>
    ["a", "b"].flatMap((two) => [`x/${one}`, `x/y/${two}z/${one}`, `${two}1/${one}`, `${two}1/x/${one}`])
  ).concat("a", "b", "c.ts");
  const ALL = [...new Set(FILES)].sort();

  test.each([
    [{ ".gitignore": "x/*\n!x/a\n" }],
    [{ ".gitignore": "x/\n!x/a\n" }],
    [{ ".gitignore": "x\n", "x/.gitignore": "!a\n" }],
    [{ ".gitignore": "*.ts\n", "x/.gitignore": "!c.ts\n" }],
    [{ ".gitignore": "/a\n**/bz/\n" }],
    [{ ".gitignore": "x/**/a\n# comment\n\\#a\n b\n" }],
    [{ ".gitignore": "az/\n", "x/y/.gitignore": "!az/\n" }],
    [{ ".gitignore": "*\n!*/\n!*.ts\n" }],
    [{ ".gitignore": "?1/\r\n" }],
    [{ ".gitignore": "[ab]1\n!b1\n" }],
  ])("%j", (rules) => compare(ALL, rules as Record<string, string>));

  test("any rules", () => {
    const name = fc.constantFrom("a", "b", "x", "y", "az", "a1", "*", "*.ts", "?1", "**", "c.ts", "[ab]");
    const rule = fc.tuple(
      fc.constantFrom("", "", "!"),
      fc.constantFrom("", "/"),
      fc.array(name, { minLength: 1, maxLength: 3 }),
      fc.constantFrom("", "/"),
    ).map(([not, from, names, to]) => not + from + names.join("/") + to);
    const text = fc.array(rule, { minLength: 1, maxLength: 4 }).map((rules) => rules.join("\n") + "\n");
    fc.assert(
      fc.property(text, fc.option(text, { nil: null }), (top, nested) => {
        compare(ALL, { ".gitignore": top, ...(nested === null ? {} : { "x/.gitignore": nested }) });
      }),
      { numRuns: 150 },
    );
  });
});
