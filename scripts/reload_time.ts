// How long `tricorn runserver` takes from a save to the new answer: for the examples, on each runtime, as its user meets it.
// Prints a table for docs/runserver.md.

import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findRuntimes, type RuntimeBinary } from "./bench/runtimes.ts";

const HELP = `Usage: npm run reload-time -- [options]

  --runtimes LIST  node20, node24, bun, deno (default: all that are here)
  --saves N        saves of each example (default: 15)
  --pause MS       between two saves (default: 1500); a spare process is started meanwhile
  --logs           also print what runserver says
`;

const ROOT = fileURLToPath(new URL("..", import.meta.url));

interface Example {
  readonly app: string;
  /** The file that is saved, and the text in it that all answers have. */
  readonly file: string;
  readonly text: string;
}

const EXAMPLES: readonly Example[] = [
  { app: "hello.ts", file: "hello.ts", text: "Hello, World!" },
  { app: "hono.ts", file: "hono.ts", text: "Hello, World!" },
  { app: "site/application.ts", file: "site/pages.ts", text: "Tricorn's notes" },
];

/** Milliseconds after which an answer is taken to never come. */
const PATIENCE = 30_000;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const { pid, exitCode } of running) if (exitCode === null) process.kill(-pid!, "SIGKILL");
});

function fail(message: string): never {
  process.stderr.write(`reload-time: ${message}\n`);
  process.exit(2);
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The body at `url`, on a connection of its own. */
function ask(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
      response.on("end", () => resolve(text));
      response.on("error", reject);
    }).on("error", reject);
  });
}

/** The examples in a folder of their own, with the library that they are served by. */
function copyExamples(): string {
  const folder = mkdtempSync(join(tmpdir(), "reload-time-"));
  cpSync(join(ROOT, "examples"), folder, { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts") || name.startsWith("node_modules")) continue;
    const text = readFileSync(join(folder, name), "utf8");
    writeFileSync(join(folder, name), text.replaceAll(/"(?:\.\.\/)+(src|adapters)\//g, `"${ROOT}$1/`));
  }
  return folder;
}

/** Milliseconds from each save to the answer that has it. */
async function measure(runtime: RuntimeBinary, example: Example, saves: number, pause: number): Promise<Outcome> {
  const folder = copyExamples();
  const [program, ...rest] = runtime.command;
  const words = [...rest, join(ROOT, "adapters/bin.ts"), "runserver", example.app, "0"];
  const child = spawn(program!, words, {
    cwd: folder,
    env: { ...process.env, PWD: folder, PORT: "" },
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  running.add(child);
  let log = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    // But for the requests: those of this program are many.
    log += text.replaceAll(/^\d\d:\d\d:\d\d GET .*\n/gm, "");
  });
  try {
    const until = async (condition: () => Promise<boolean> | boolean): Promise<void> => {
      const end = performance.now() + PATIENCE;
      while (!await condition()) {
        if (performance.now() > end || child.exitCode !== null) fail(`no answer from ${runtime.key}:\n${log}`);
        await sleep(2);
      }
    };
    await until(() => log.includes("Quit with Ctrl-C"));
    const url = /^ {2}At +(\S+)/m.exec(log)![1]!;
    const path = join(folder, example.file);
    const source = readFileSync(path, "utf8");
    const times: number[] = [];
    for (let save = 1; save <= saves; save++) {
      await sleep(pause);
      const text = `${example.text} (${save})`;
      writeFileSync(`${path}~`, source.replace(example.text, text));
      const start = performance.now();
      renameSync(`${path}~`, path);
      await until(async () => (await ask(url)).includes(text));
      times.push(performance.now() - start);
    }
    return { times, log };
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    process.kill(-child.pid!, "SIGKILL");
    running.delete(child);
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Outcome {
  readonly times: readonly number[];
  readonly log: string;
}

function cell(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  return `${sorted[sorted.length >> 1]!.toFixed(0)}, ${sorted.at(-1)!.toFixed(0)}`;
}

function options() {
  try {
    return parseArgs({
      options: {
        help: { type: "boolean", short: "h", default: false },
        runtimes: { type: "string" },
        saves: { type: "string", default: "15" },
        pause: { type: "string", default: "1500" },
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
  const [saves, pause] = [Number(values.saves), Number(values.pause)];
  if (!Number.isInteger(saves) || saves < 1) fail("--saves: give a whole number from 1");
  if (!(pause >= 0)) fail("--pause: give milliseconds");
  const all = findRuntimes(ROOT, []);
  const keys = values.runtimes?.split(",") ?? all.map(({ key }) => key);
  const rows: string[][] = [["Example", ...EXAMPLES.map(({ app }) => `examples/${app}`)]];
  for (const key of keys) {
    const runtime = all.find((one) => one.key === key);
    if (runtime === undefined) fail(`--runtimes: there is no ${key}: ${all.map(({ key }) => key).join(", ")}`);
    const row = [runtime.version];
    for (const example of EXAMPLES) {
      const { times, log } = await measure(runtime, example, saves, pause);
      process.stderr.write(`${key} ${example.app}: ${times.map((time) => time.toFixed(0)).join(" ")}\n`);
      if (values.logs) process.stderr.write(log);
      row.push(cell(times));
    }
    rows.push(row);
  }
  // A row for each example.
  const cells = rows[0]!.map((_, index) => rows.map((row) => row[index]!));
  for (const [index, row] of cells.entries()) {
    process.stdout.write(`| ${row.join(" | ")} |\n`);
    if (index === 0) process.stdout.write(`| ${row.map(() => "---").join(" | ")} |\n`);
  }
}

// So that "exit" is told, and nothing outlives this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
await main();
