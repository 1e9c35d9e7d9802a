// Opening a browser: which program gets which words, on each runtime, and what is said when none can.

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { onEachKind } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { Program } from "./dev_host_program.ts";

const directory = mkdtempSync(join(tmpdir(), "tricorn-browser-"));
afterAll(() => rmSync(directory, { recursive: true }));

const seen = join(directory, "seen");

/** A program that writes its words down. */
function browser(name: string, then = ""): string {
  const path = join(directory, name);
  writeFileSync(
    path,
    `#!/bin/sh\nprintf '%s\\n' "${name}" "$@" > ${seen}.part\n/bin/mv ${seen}.part ${seen}\n${then}\n`,
  );
  chmodSync(path, 0o755);
  return path;
}

const NOTHING = { BROWSER: undefined, DISPLAY: undefined, WAYLAND_DISPLAY: undefined, WSL_DISTRO_NAME: undefined };

onEachKind("a browser", (runtime) => {
  beforeEach(() => rmSync(seen, { force: true }));

  const URL = "http://localhost:8000/?a=$(touch x)&b='";
  const SENT = "http://localhost:8000/?a=$(touch%20x)&b=%27";

  async function open(env: Readonly<Record<string, string | undefined>>, url = URL): Promise<unknown> {
    const program = new Program(runtime, ["browser", url], { env: { ...NOTHING, ...env } });
    await eventually(() => program.said("problem").length > 0 || program.code !== null, () => program.stderr);
    await program.end();
    expect(program.stderr).toBe("");
    return program.said("problem")[0];
  }

  const words = async (): Promise<readonly string[]> => {
    await eventually(() => existsSync(seen), () => "nothing was started");
    return readFileSync(seen, "utf8").split("\n").slice(0, -1);
  };

  test("of BROWSER gets the URL as its last word, and no shell sees it", async () => {
    expect(await open({ BROWSER: `${browser("one")} --new` })).toBe(null);
    expect(await words()).toEqual(["one", "--new", SENT]);
  });

  test("of BROWSER gets the URL where %s is", async () => {
    expect(await open({ BROWSER: `${browser("two")} --url='%s' last` })).toBe(null);
    expect(await words()).toEqual(["two", `--url=${SENT}`, "last"]);
  });

  test("of BROWSER that fails gives way to the next", async () => {
    expect(await open({ BROWSER: `/no/such:${browser("fails", "exit 3")}:${browser("three")}` })).toBe(null);
    expect(await words()).toEqual(["three", SENT]);
  });

  test("that stays open has been opened", async () => {
    expect(await open({ BROWSER: browser("stays", "exec sleep 4") })).toBe(null);
    expect(await words()).toEqual(["stays", SENT]);
  });

  test("is xdg-open's where there is a display", async () => {
    browser("xdg-open");
    expect(await open({ DISPLAY: ":0", PATH: directory })).toBe(null);
    expect(await words()).toEqual(["xdg-open", SENT]);
  });

  test("is Windows' around WSL", async () => {
    browser("wslview");
    expect(await open({ WSL_DISTRO_NAME: "Debian", PATH: directory })).toBe(null);
    expect(await words()).toEqual(["wslview", SENT]);
  });

  test.each([
    [{}, "there is no display here; set BROWSER to a program that opens a URL"],
    [{ BROWSER: "none" }, "BROWSER is none"],
    [{ BROWSER: " : " }, "BROWSER names no program"],
    [{ BROWSER: "'x" }, /^BROWSER: the ' at character 1 /],
    [{ BROWSER: "/no/such" }, "/no/such is not installed"],
    [{ DISPLAY: ":0", PATH: "/nowhere" }, "xdg-open is not installed"],
  ])("%j is a problem that is told", async (env, problem) => {
    expect(await open(env)).toEqual(typeof problem === "string" ? problem : expect.stringMatching(problem));
  });

  test("that fails is a problem that is told", async () => {
    const path = browser("fails", "exit 3");
    expect(await open({ BROWSER: path })).toBe(`${path} ended with 3`);
  });

  test("gets nothing but http and https", async () => {
    expect(await open({ BROWSER: browser("never") }, "file:///etc/passwd")).toBe("file: is nothing to open");
    expect(existsSync(seen)).toBe(false);
  });
});
