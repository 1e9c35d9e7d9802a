import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { type Outcome, runConformance } from "./conformance_kits.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = fileURLToPath(new URL("./conformance_main.ts", import.meta.url));
const run = promisify(execFile);

// A runtime's outcomes are one run of one process: the table is reported as one test, with what failed in it.
async function outcomesOf(command: string, args: string[]): Promise<Outcome[]> {
  const { stdout } = await run(`${root}/node_modules/.bin/${command}`, args, { cwd: root, timeout: 60_000 });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Outcome[];
}

function failures(outcomes: readonly Outcome[]): string[] {
  return outcomes.filter(({ error }) => error !== "").map(({ kind, name, error }) => `${kind}: ${name}\n${error}`);
}

describe("Request, Response and Headers do what the Fetch standard says, native and light", () => {
  test("on Node", async () => {
    const outcomes = await runConformance();
    expect(failures(outcomes)).toEqual([]);
    // What is light has no exception on Node.
    expect(outcomes.filter(({ kind, skipped }) => kind === "light" && skipped !== undefined)).toEqual([]);
  });

  test("on Deno", async () => {
    expect(failures(await outcomesOf("deno", ["run", "-A", "--quiet", main]))).toEqual([]);
  });

  test("on Bun", async () => {
    expect(failures(await outcomesOf("bun", ["run", main]))).toEqual([]);
  });
});
