import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { main } from "../../src/cli/main.ts";
import { VERSION } from "../../src/cli/version.ts";
import { fakeContext, FakeHost, FakeRuntime } from "./fake.ts";

let host: FakeHost;
let runtime: FakeRuntime;
const command = async (...words: string[]): Promise<void> => {
  host.argv = words;
  await main(fakeContext(host, runtime));
};

beforeEach(() => {
  host = new FakeHost();
  runtime = new FakeRuntime();
  host.modules.set("app.ts", { default: { fetch: () => new Response() } });
});

test.each(["package.json", "deno.json"])("the version is that of %s", (file) => {
  expect(JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")).version).toBe(VERSION);
});

describe("main", () => {
  test.each([["--version"], ["help"], ["--help"], ["-h"], ["help", "serve"], ["serve", "--help"], [
    "serve",
    "app.ts",
    "-h",
  ]])(
    "%s %s prints and is done",
    async (...words) => {
      await command(...words);
      expect(host.exits).toEqual([]);
      expect(host.err).toBe("");
      expect(host.out).toMatch(words.includes("--version") ? `tricorn ${VERSION} (memory 1)` : /^Usage: tricorn/);
    },
  );

  test.each<[string[], number, RegExp]>([
    [[], 2, /^tricorn: the command is missing; write for example "tricorn serve app\.ts"$/],
    [["srve"], 2, /^tricorn: unknown command "srve"; did you mean "serve"\?$/],
    [["app.ts:app"], 2, /^tricorn: unknown command "app\.ts:app"; to serve it, write "tricorn serve app\.ts:app"$/],
    [["--verison"], 2, /^tricorn: unknown flag "--verison"; did you mean "--version"\?$/],
    [["zzz"], 2, /^tricorn: unknown command "zzz"; see "tricorn help"$/],
    [["help", "srve"], 2, /^tricorn: help: unknown command "srve"; did you mean "serve"\?$/],
    [["serve"], 2, /^tricorn: serve: the application is missing/],
    [["serve", "a", "b"], 2, /^tricorn: serve: "b" is one word too many/],
    [["serve", "app.ts", "--bnd", "x"], 2, /^tricorn: unknown flag "--bnd"; did you mean "--bind"\?$/],
    [["serve", "app.ts:nope"], 4, /^tricorn: cannot load "app\.ts:nope": the module has no export "nope"/],
    [
      ["serve", "absent.ts"],
      3,
      /^tricorn: cannot load "absent\.ts": the module threw Error: absent\n {2}Error: absent\n {6}at /,
    ],
    [
      ["serve", "app.ts", "-b", ":1"],
      1,
      /^tricorn: cannot listen on 0\.0\.0\.0:1: the reason; stop what listens there/,
    ],
  ])("%j exits with %i", async (words, code, message) => {
    runtime.faults.set("0.0.0.0:1", "EADDRINUSE");
    await command(...words);
    expect(host.exits).toEqual([code]);
    expect(host.err.trimEnd()).toMatch(message);
    expect(host.out).toBe("");
  });

  test("escapes what it was given", async () => {
    await command("\x1b[2J\n");
    expect(host.err).not.toMatch(/\x1b|\n./);
  });

  test("serve serves until a signal ends it", async () => {
    const done = command("serve", "app.ts", "--bind", "127.0.0.1:0");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(host.err).toContain("Listening at: http://127.0.0.1:40000\n");
    host.signal("SIGTERM");
    await done;
    await vi.waitFor(() => expect(host.exits).toEqual([0]));
  });
});
