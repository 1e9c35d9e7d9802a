// Real clients: curl and Chromium get the Hono example. Where one is missing, its test says so.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { onEachRuntime } from "../support/runtimes.ts";
import { useServer } from "../support/server.ts";

/** What a program writes on standard output. */
function run(program: string, ...words: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { maxBuffer: 100_000_000 }, (error, stdout) => error ? reject(error) : resolve(stdout));
  });
}

async function exists(program: string): Promise<boolean> {
  try {
    await run(program, "--version");
    return true;
  } catch {
    return false;
  }
}

async function first(programs: readonly string[]): Promise<string | null> {
  for (const program of programs) if (await exists(program)) return program;
  return null;
}

const CURL = await first(["curl"]);
const CHROMIUM = await first(["chromium", "chromium-browser", "google-chrome", "chrome"]);

const directory = mkdtempSync(join(tmpdir(), "tricorn-clients-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

onEachRuntime("real clients", (runtime) => {
  const hono = useServer(runtime, { app: "examples/hono.ts" });
  const echo = useServer(runtime, { app: "examples/echo.ts" });

  test.skipIf(CURL === null)("curl (skipped where it is not installed)", async () => {
    const both = await run(CURL!, "-sS", "-i", `${hono().url}/`, `${hono().url}/user/42?q=a%20b`);
    expect(both).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(both).toContain("Hello, World!");
    expect(both).toContain('{"id":"42","q":"a b"}');
    expect(await run(CURL!, "-sS", "-I", `${hono().url}/`)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await run(CURL!, "-sS", "-o", "/dev/null", "-w", "%{http_code}", `${hono().url}/nowhere`)).toBe("404");
  });

  test.skipIf(CURL === null)(
    "curl sends a file, and waits for 100 Continue (skipped where it is not installed)",
    async () => {
      const file = join(directory, "two megabytes");
      writeFileSync(file, new Uint8Array(2_000_000));
      const shown = await run(CURL!, "-sS", "-i", "-T", file, `${echo().url}/upload`);
      expect(shown).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
      expect(shown).toContain('"bodyLength":2000000');
      const chunked = await run(CURL!, "-sS", "-T", file, "-H", "Transfer-Encoding: chunked", `${echo().url}/upload`);
      expect(chunked).toContain('"bodyLength":2000000');
      expect((await run(CURL!, "-sS", `${echo().url}/big`)).length).toBe(52_428_800);
    },
  );

  test.skipIf(CHROMIUM === null)("Chromium (skipped where it is not installed)", async () => {
    const words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
    const profile = `--user-data-dir=${mkdtempSync(join(directory, "profile-"))}`;
    const dom = async (path: string): Promise<string> =>
      await run(CHROMIUM!, ...words, profile, "--dump-dom", `${hono().url}${path}`);
    expect(await dom("/")).toContain("Hello, World!");
    expect(await dom("/user/7?q=x")).toContain('{"id":"7","q":"x"}');
  });
});
