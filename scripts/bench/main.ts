// `npm run bench`: the same applications on Tricorn and on what a user would pick instead.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Case, CASES, GATEWAY, IDLE, WORKERS } from "./cases.ts";
import { choosePins, choosePoolPins } from "./cores.ts";
import {
  findNginx,
  GATEWAY_CASES,
  type GatewayBlock,
  gatewayTurns,
  measureGateway,
  NGINX_MISSING,
} from "./gateway/block.ts";
import { GATEWAY_LEGEND, gatewayOutcomes, gatewayTable } from "./gateway/report.ts";
import { type IdleBlock, measureIdle } from "./idle.ts";
import { type Block, measure, type Setup } from "./measure.ts";
import { HELP, type Options, parseOptions, UsageError } from "./options.ts";
import { installPackages } from "./packages.ts";
import { Progress } from "./progress.ts";
import { DJANGO_MISSING, findPython } from "./python.ts";
import { blockTable, goalsSummary, idleOutcomes, idleTable, LEGEND, outcomesOf, toJson } from "./report.ts";
import { findRuntimes, type RuntimeBinary } from "./runtimes.ts";
import { needsPackages, type ServerKind, SERVERS } from "./servers.ts";
import { measureWorkers, type WorkersBlock, workersTurns } from "./workers/block.ts";
import { WORKERS_LEGEND, workersOutcomes, workersTables } from "./workers/report.ts";
import { hasWrk, WRK_MISSING } from "./wrk.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** A process of its own each time: more rounds would take long, and the figures hardly differ. */
const IDLE_ROUNDS = 3;

const tell = (line: string): void => void process.stderr.write(`bench: ${line}\n`);

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (process.platform !== "linux") {
    throw new UsageError("CPU time is read from /proc: run it on Linux");
  }
  if (!hasWrk()) throw new UsageError(WRK_MISSING);
  const runtimes = chooseRuntimes(options);
  let plan = makePlan(options, runtimes);
  let python: string | null = null;
  if (plan.some(({ servers }) => servers.some(isDjango))) {
    python = findPython();
    if (python === null) {
      tell(DJANGO_MISSING);
      plan = plan.map((planned) => ({ ...planned, servers: planned.servers.filter((server) => !isDjango(server)) }));
    }
  }
  if (plan.some(({ what }) => what === GATEWAY) && findNginx() === null) {
    tell(NGINX_MISSING);
    plan = plan.filter(({ what }) => what !== GATEWAY);
  }
  if (plan.some(({ servers }) => servers.some(needsPackages))) {
    const problem = installPackages(join(ROOT, "scripts/bench"), tell);
    if (problem !== null) throw new UsageError(problem);
  }
  const pins = choosePins();
  const about = describe(options, runtimes, pins.described);
  const busy = about.load > 0.5 ? `; load ${about.load.toFixed(2)}: the machine is not quiet` : "";
  if (options.smoke) tell("smoke test: the figures mean nothing, the code is not even compiled yet");
  tell(`${about.cpu}, ${pins.described}, commit ${about.commit}${busy}`);

  const temporary = mkdtempSync(join(tmpdir(), "tricorn-bench-"));
  process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
  const setup: Setup = {
    checkouts: {
      root: ROOT,
      baseline: options.baseline === null ? null : resolve(options.baseline),
      python,
    },
    pins,
    poolPins: choosePoolPins(),
    temporary,
    rounds: options.rounds,
    seconds: options.seconds,
    connections: options.connections,
    warmUp: !options.smoke,
  };
  const idleSetup = { ...setup, rounds: Math.min(setup.rounds, IDLE_ROUNDS) };
  const blocks: Block[] = [];
  const idleBlocks: IdleBlock[] = [];
  const workersBlocks: WorkersBlock[] = [];
  const gatewayBlocks: GatewayBlock[] = [];
  const turnsOf = ({ what, servers }: Planned): number =>
    what === WORKERS
      ? workersTurns(setup)
      : what === GATEWAY
      ? GATEWAY_CASES.length * gatewayTurns(setup)
      : servers.length * (what === IDLE ? idleSetup.rounds : setup.rounds + Number(setup.warmUp));
  const progress = new Progress(plan.reduce((turns, planned) => turns + turnsOf(planned), 0));
  const legend = (text: string): string => options.markdown ? `${text.replaceAll("\n", " ").trimEnd()}\n` : text;
  if (plan.some(({ what }) => what !== WORKERS && what !== GATEWAY)) process.stdout.write(legend(LEGEND));
  for (const { what, runtime, servers } of plan) {
    const title = `${typeof what === "string" ? what : what.name} on ${runtime.version}`;
    progress.block(title);
    const step = (what: string): void => progress.step(`${title}: ${what}`, 1);
    let text: string;
    if (what === WORKERS) {
      const block = await measureWorkers(runtime, setup, step);
      text = (workersBlocks.length === 0 ? `\n${legend(WORKERS_LEGEND)}` : "") + workersTables(block, options.markdown);
      workersBlocks.push(block);
    } else if (what === GATEWAY) {
      text = gatewayBlocks.length === 0 ? `\n${legend(GATEWAY_LEGEND)}` : "";
      for (const case_ of options.smoke ? GATEWAY_CASES.slice(0, 1) : GATEWAY_CASES) {
        const block = await measureGateway(case_, runtime, setup, step);
        gatewayBlocks.push(block);
        text += gatewayTable(block, options.markdown);
      }
    } else if (what === IDLE) {
      const block = await measureIdle(runtime, servers, options.idle, idleSetup, step);
      idleBlocks.push(block);
      text = idleTable(block, options.markdown);
    } else {
      const block = await measure(what, runtime, servers, setup, step);
      blocks.push(block);
      text = blockTable(block, options.markdown);
    }
    progress.clear();
    process.stdout.write(text);
    // After each block, so that a run which is stopped has not been in vain.
    if (options.json !== null) {
      writeFileSync(options.json, toJson(about, blocks, idleBlocks, workersBlocks, gatewayBlocks));
    }
  }
  const outcomes = [
    ...blocks.flatMap(outcomesOf),
    ...idleBlocks.flatMap(idleOutcomes),
    ...workersBlocks.flatMap(workersOutcomes),
    ...gatewayBlocks.flatMap(gatewayOutcomes),
  ];
  if (!options.smoke) process.stdout.write(goalsSummary(outcomes, options.markdown));
  const failed =
    [...blocks, ...idleBlocks, ...gatewayBlocks].some(({ results }) =>
      results.some(({ problem }) => problem !== null)
    ) ||
    workersBlocks.some(({ scaling, balance, master }) => [scaling, balance, master].some(({ problem }) => problem));
  return failed ? 1 : 0;
}

function chooseRuntimes(options: Options): RuntimeBinary[] {
  const all = findRuntimes(ROOT, options.nodes);
  const wanted = options.runtimes;
  if (wanted?.includes("all")) return all;
  const here = `node${process.versions.node.split(".")[0]}`;
  const extra = all.filter(({ command }) => options.nodes.includes(command[0]!));
  const usual = new Set([here, ...(options.smoke ? [] : ["node24"]), ...extra.map(({ key }) => key), "bun", "deno"]);
  const defaults = all.filter(({ key }) => usual.has(key));
  if (wanted === null) return defaults;
  for (const key of wanted) {
    if (key !== "node" && !all.some((runtime) => runtime.key === key)) {
      throw new UsageError(
        `there is no runtime "${key}" here: ${all.map((runtime) => runtime.key).join(", ")}`,
      );
    }
  }
  return all.filter((runtime) =>
    wanted.includes(runtime.key) ||
    (wanted.includes("node") && runtime.name === "node" &&
      defaults.includes(runtime))
  );
}

const isDjango = ({ id }: ServerKind): boolean => id === "django";

interface Planned {
  /** A case, the memory of idle connections, masters and workers, or ways through nginx. */
  readonly what: Case | typeof IDLE | typeof WORKERS | typeof GATEWAY;
  readonly runtime: RuntimeBinary;
  /** None for masters and workers, and for ways through nginx: they are compared among themselves. */
  readonly servers: readonly ServerKind[];
}

function makePlan({ cases, only, baseline }: Options, runtimes: readonly RuntimeBinary[]): Planned[] {
  const wanted = (server: ServerKind, runtime: RuntimeBinary): boolean => {
    if (!server.runtimes.includes(runtime.name)) return false;
    if (server.id === "tricorn") return true;
    if (server.id === "baseline") return baseline !== null;
    return only === null || only.includes(server.id.toLowerCase()) ||
      only.includes(server.role);
  };
  const loads = CASES.filter(({ name }) => cases.includes(name)).flatMap((case_) =>
    runtimes.map((runtime) => ({
      what: case_,
      runtime,
      servers: SERVERS.filter((server) => wanted(server, runtime) && server.handlers.includes(case_.handler)),
    }))
  );
  const idle = !cases.includes(IDLE) ? [] : runtimes.map((runtime): Planned => ({
    what: IDLE,
    runtime,
    servers: SERVERS.filter((server) => wanted(server, runtime) && ["tricorn", "own"].includes(server.role)),
  }));
  const workers = !cases.includes(WORKERS) ? [] : runtimes.map((runtime): Planned => ({
    what: WORKERS,
    runtime,
    servers: [],
  }));
  const gateway = !cases.includes(GATEWAY) ? [] : runtimes.map((runtime): Planned => ({
    what: GATEWAY,
    runtime,
    servers: [],
  }));
  return [...loads, ...idle, ...workers, ...gateway];
}

interface About {
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
  readonly load: number;
  readonly [more: string]: unknown;
}

function describe(options: Options, runtimes: readonly RuntimeBinary[], pinned: string): About {
  return {
    date: new Date().toISOString(),
    commit: git(),
    cpu: `${cpus().length} x ${cpus()[0]?.model ?? "unknown CPU"}`,
    kernel: release(),
    load: loadavg()[0]!,
    pinned,
    options,
    runtimes: runtimes.map(({ key, version }) => ({ key, version })),
  };
}

function git(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], {
      cwd: ROOT,
      encoding: "utf8",
    }).trim();
  } catch {
    return "unknown";
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => process.exit(130));
}
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  tell(error.message);
  process.exitCode = 2;
}
