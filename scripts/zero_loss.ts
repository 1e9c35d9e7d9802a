// Shows that nothing is lost: under load from a process of its own, a pool of Tricorn's workers on each runtime is
// reloaded, recycled, resized, upgraded and hurt, and every request that is not answered rightly is counted. Gunicorn,
// where it is installed, goes through what it has of that. Exits with 1 when Tricorn loses what it must not lose.

import { existsSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { hasWrk } from "./bench/wrk.ts";
import type { Mode } from "./zero_loss/load.ts";
import { ROOT, type Starter, type Transport, versionOf } from "./zero_loss/pool.ts";
import { type Case, isFine, type Outcome, runCase, SCENARIOS } from "./zero_loss/scenarios.ts";

const HELP = `Usage: npm run zero-loss -- [options]

  --runtimes LIST    node, deno, bun, gunicorn (default: all that are here)
  --scenarios LIST   ${SCENARIOS.map(({ name }) => name).join(", ")} (default: all)
  --transports LIST  tcp, unix (default: both)
  --modes LIST       keep-alive, one-shot (default: both)
  --requests N       at least so many in each case (default: 20000)
  --no-wrk           do not ask wrk for a second opinion
  --markdown         print the table as Markdown
  --json             print JSON instead of a table
  --logs             also print the log of each case that lost something
`;

const DENO = ["run", "--no-prompt", "--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-run"];

const STARTERS: readonly Starter[] = [
  {
    server: "tricorn",
    runtime: "node",
    command: [process.execPath, "--import", "./adapters/strip_types.js"],
  },
  { server: "tricorn", runtime: "deno", command: [`${ROOT}node_modules/deno/deno`, ...DENO] },
  { server: "tricorn", runtime: "bun", command: [`${ROOT}node_modules/bun/bin/bun.exe`, "run"] },
  { server: "gunicorn", runtime: "gunicorn", command: ["gunicorn"] },
];

interface Row extends Outcome {
  readonly scenario: string;
  readonly runtime: string;
  readonly transport: Transport;
  readonly mode: Mode;
  readonly fine: boolean;
}

function fail(message: string): never {
  process.stderr.write(`zero-loss: ${message}\n`);
  process.exit(2);
}

function chosen<T extends string>(flag: string, value: string | undefined, all: readonly T[]): readonly T[] {
  if (value === undefined) return all;
  return value.split(",").map((name) => {
    const one = all.find((known) => known === name);
    if (one === undefined) fail(`--${flag}: there is no ${JSON.stringify(name)}: ${all.join(", ")}`);
    return one;
  });
}

function reasonsOf({ losses }: Outcome): string {
  const counts = new Map<string, number>();
  for (const { reason } of losses) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join("; ");
}

const COLUMNS = ["scenario", "server", "socket", "mode", "requests", "lost", "workers", "wrk", "why"] as const;

function cellsOf(row: Row): readonly string[] {
  const { scenario, runtime, transport, mode, requests, lost, allowed, workers, wrk, error } = row;
  const problem = error?.split("\n")[0];
  return [
    scenario,
    runtime,
    transport,
    mode,
    String(requests),
    allowed === 0 ? String(lost) : `${lost} of ${allowed}`,
    String(workers),
    wrk === null ? "" : `${wrk.requests}${wrk.problem === null ? "" : `: ${wrk.problem}`}`,
    [problem, reasonsOf(row)].filter(Boolean).join("; "),
  ];
}

function table(rows: readonly Row[], markdown: boolean): string {
  const lines = [COLUMNS, ...rows.map(cellsOf)];
  const widths = COLUMNS.map((_, index) => Math.max(...lines.map((cells) => cells[index]!.length)));
  const [head, ...rest] = lines.map((cells) => {
    const padded = cells.map((cell, index) => cell.padEnd(widths[index]!));
    return markdown ? `| ${padded.join(" | ")} |` : padded.join("  ").trimEnd();
  });
  const rule = markdown ? [`| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`] : [];
  return [head, ...rule, ...rest].join("\n") + "\n";
}

function options() {
  try {
    return parseArgs({
      options: {
        help: { type: "boolean", short: "h", default: false },
        runtimes: { type: "string" },
        scenarios: { type: "string" },
        transports: { type: "string" },
        modes: { type: "string" },
        requests: { type: "string", default: "20000" },
        "no-wrk": { type: "boolean", default: false },
        markdown: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        logs: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return fail((error as Error).message);
  }
}

async function main(): Promise<void> {
  const values = options();
  if (values.help) return void process.stdout.write(HELP);
  const requests = Number(values.requests);
  if (!Number.isInteger(requests) || requests < 1) fail("--requests: give a whole number from 1");
  const wrk = !values["no-wrk"] && hasWrk();
  const names = chosen("scenarios", values.scenarios, SCENARIOS.map(({ name }) => name));
  const rows: Row[] = [];
  for (const runtime of chosen("runtimes", values.runtimes, STARTERS.map(({ runtime }) => runtime))) {
    const starter = STARTERS.find((one) => one.runtime === runtime)!;
    const program = starter.command[0]!;
    if (starter.server === "gunicorn" ? versionOf(program) === null : !existsSync(program)) {
      process.stderr.write(`${runtime} is not here: ${program}\n`);
      continue;
    }
    for (const scenario of SCENARIOS) {
      if (!names.includes(scenario.name) || (starter.server === "gunicorn" && scenario.gunicorn === null)) continue;
      for (const transport of chosen("transports", values.transports, ["tcp", "unix"])) {
        for (const mode of chosen("modes", values.modes, ["keep-alive", "one-shot"])) {
          const title = `${scenario.name} ${runtime} ${transport} ${mode}`;
          const row = await run({ scenario, starter, transport, mode, requests, wrk }, title);
          rows.push(row);
          if (values.logs && !row.fine) {
            process.stderr.write(`${row.losses.map((one) => JSON.stringify(one)).join("\n")}\n${row.log}\n`);
          }
        }
      }
    }
  }
  process.stdout.write(values.json ? JSON.stringify(rows, null, 2) + "\n" : table(rows, values.markdown));
  process.exitCode = rows.some(({ fine, runtime }) => !fine && runtime !== "gunicorn") ? 1 : 0;
}

async function run(one: Case, title: string): Promise<Row> {
  const { scenario, starter: { runtime }, transport, mode } = one;
  const terminal = process.stderr.isTTY;
  const outcome = await runCase({
    ...one,
    ...(terminal
      ? { onProgress: (requests, lost) => process.stderr.write(`\r\x1b[K${title}: ${requests}, ${lost} lost`) }
      : {}),
  });
  const row: Row = { scenario: scenario.name, runtime, transport, mode, ...outcome, fine: isFine(outcome) };
  process.stderr.write(
    `${terminal ? "\r\x1b[K" : ""}${title}: ${row.requests}, ${row.lost} lost${row.fine ? "" : " !"}${
      row.error === null ? "" : ` (${row.error.split("\n")[0]})`
    }\n`,
  );
  return row;
}

// So that "exit" is told, and nothing outlives this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
await main();
