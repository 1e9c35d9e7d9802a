// The whole benchmark once, so shortly that its figures mean nothing: every server starts and answers every case rightly.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findNginx } from "../../../scripts/bench/gateway/block.ts";
import { findPython } from "../../../scripts/bench/python.ts";
import { hasWrk, WRK_MISSING } from "../../../scripts/bench/wrk.ts";

// In CI its absence is a failure, not a reason to skip.
const skipped = !hasWrk() && process.env.CI !== "true";

test.skipIf(skipped)(
  `npm run bench -- --smoke${skipped ? ` (skipped: ${WRK_MISSING})` : ""}`,
  { timeout: 600_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "tricorn-bench-test-"));
    try {
      const json = join(folder, "figures.json");
      const words = ["--import", "./adapters/strip_types.js", "scripts/bench/main.ts"];
      const { code, output } = await run([...words, "--smoke", "--seconds", "0.1", "--json", json]);
      expect(output.split("\n").filter((line) => line.includes("failed: "))).toEqual([]);
      expect(code, output).toBe(0);
      const { cases, idle, workers, gateway } = JSON.parse(readFileSync(json, "utf8"));
      const servers = (entries: { runtime: string; servers: { server: string }[] }[], runtime: string): string[] => [
        ...new Set(
          entries.filter((entry) => entry.runtime.startsWith(runtime)).flatMap(({ servers }) =>
            servers.map(({ server }) => server)
          ),
        ),
      ];
      const site = ["esgi", ...(findPython() === null ? [] : ["django"]), "routes-10"];
      const node = ["tricorn", "node:http", "srvx", "fastify", "raw", "hono-node-server", ...site];
      expect(servers(cases, "node").sort()).toEqual(node.sort());
      expect(servers(cases, "bun")).toEqual(["tricorn", "Bun.serve", "raw", ...site]);
      expect(servers(cases, "deno")).toEqual(["tricorn", "Deno.serve", "raw", ...site]);
      expect(servers(idle, "deno")).toEqual(["tricorn", "Deno.serve"]);
      expect(workers).toMatchObject(["node", "bun", "deno"].map((runtime) => ({
        runtime: expect.stringContaining(runtime),
        problems: [],
        scaling: [{ case: "hello" }, { case: "busy" }],
        balance: Array(4).fill({ kind: expect.any(String) }),
        idle: { memory: { workers: [expect.any(Number), expect.any(Number)] } },
      })));
      const ways = ["uwsgi-tcp", "http-tcp", "http-kept-tcp", "scgi-tcp", "fastcgi-kept-tcp"];
      const unix = ["uwsgi-unix", "http-unix", "http-kept-unix"];
      expect(gateway).toMatchObject(
        findNginx() === null && process.env.CI !== "true" ? [] : ["node", "bun", "deno"].map((runtime) => ({
          runtime: expect.stringContaining(runtime),
          case: "hello",
          ways: [...ways, ...unix].map((way) => ({ way, problem: null })),
        })),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

function run(words: string[]): Promise<{ code: number | null; output: string }> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"], env });
  let output = "";
  child.stdout.on("data", (chunk) => void (output += chunk));
  child.stderr.on("data", (chunk) => void (output += chunk));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, output })));
}
