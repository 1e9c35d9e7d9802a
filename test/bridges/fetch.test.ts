import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { installLightGlobals } from "../../src/bridges/mod.ts";
import { runFetchCases } from "./fetch_suite.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = fileURLToPath(new URL("./fetch_main.ts", import.meta.url));
const run = promisify(execFile);

type Outcomes = [name: string, error: string][];

async function outcomesOf(command: string, args: string[]): Promise<Outcomes> {
  const { stdout } = await run(`${root}/node_modules/.bin/${command}`, args, { cwd: root, timeout: 60_000 });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Outcomes;
}

function failures(outcomes: Outcomes): Outcomes {
  return outcomes.filter(([, error]) => error !== "");
}

describe("a fetch application behind fromFetch", () => {
  test("on Node, among native classes", async () => {
    expect(failures(await runFetchCases())).toEqual([]);
  });

  test("on Node, under the light globals", async () => {
    const undo = installLightGlobals();
    try {
      expect(failures(await runFetchCases())).toEqual([]);
    } finally {
      undo();
    }
  });

  test.each([
    ["deno", ["run", "-A", "--quiet", main]],
    ["deno", ["run", "-A", "--quiet", main, "light"]],
    ["bun", ["run", main]],
    ["bun", ["run", main, "light"]],
  ])("%s %j", async (command, args) => {
    expect(failures(await outcomesOf(command, args))).toEqual([]);
  });
});
