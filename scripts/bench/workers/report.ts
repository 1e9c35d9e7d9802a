// The figures of masters and workers as tables, and for JSON. Pure.
import { WORKERS } from "../cases.ts";
import { judge, type Outcome } from "../goals.ts";
import { formatRatio, median, pairRatios, type Ratio } from "../statistics.ts";
import { type Column, formatTable, heading } from "../table.ts";
import { type Balance, CONNECTIONS, unevenness } from "./balance.ts";
import type { WorkersBlock } from "./block.ts";
import { type IdleMaster, MOST_PERCENT } from "./master.ts";
import { type PoolResult, type PoolSlice, type Scaling, titleOf } from "./scaling.ts";

export const WORKERS_LEGEND: string =
  "Ratios: requests per second and CPU time per request of the row over those of one worker: median of the rounds' " +
  "ratios,\nand their range. cores: how many the pool and wrk used. at most: the ratio of requests if all cores were " +
  "full, at the\nrow's CPU time. Where wrk shares the pool's cores, what it takes is missing there: believe busy, where " +
  "that is little.\nEach turn begins with the uneven first seconds: longer turns (--seconds) show more of what comes " +
  "after. Workers tell\nof their connections once a second, so one that moves meanwhile may be counted twice or not at " +
  "all.\n";

const SCALING_COLUMNS: readonly Column[] = [
  { title: "server", align: "left" },
  { title: "req/s", align: "right" },
  { title: "CPU us/req", align: "right" },
  { title: "wrk us/req", align: "right" },
  { title: "cores", align: "left" },
  { title: "ratio req/s", align: "left" },
  { title: "at most", align: "right" },
  { title: "ratio CPU", align: "left" },
];

const BALANCE_COLUMNS: readonly Column[] = [
  { title: "workers", align: "right" },
  { title: "clients", align: "left" },
  { title: "connections first", align: "left" },
  { title: "settled", align: "left" },
  { title: "requests first, %", align: "left" },
  { title: "settled, %", align: "left" },
];

const MASTER_COLUMNS: readonly Column[] = [
  { title: "process", align: "left" },
  { title: "% of a core", align: "right" },
  { title: "MB", align: "right" },
  { title: "goal", align: "left" },
  { title: "result", align: "left" },
];

/** The idle master's CPU time: how many times it fits into the most that it may take. */
export function workersOutcomes({ runtime, master }: WorkersBlock): Outcome[] {
  // Times come in hundredths of a second: less than a tenth of a percent cannot be told.
  const ratio = master.figures === null ? null : MOST_PERCENT / Math.max(master.figures.percent.master, 0.1);
  return [{
    runtime: runtime.key,
    case: WORKERS,
    against: `${MOST_PERCENT} % of a core for an idle master`,
    goal: 1,
    ratios: { CPU: ratio },
    verdicts: { CPU: ratio === null ? null : judge(ratio, 1) },
  }];
}

export function workersTables(block: WorkersBlock, markdown: boolean): string {
  const { runtime, pins, scaling, balance, master } = block;
  const about = (what: string): string => heading(`${WORKERS} on ${runtime.version}: ${what}`, markdown);
  const failed = (problem: string): string => `failed: ${problem}\n`;
  const scalings = scaling.problem !== null
    ? about(pins.described) + failed(scaling.problem)
    : scaling.figures.map((one) =>
      about(`${one.case_.name}, ${one.case_.title}; ${pins.described}`) +
      formatTable(SCALING_COLUMNS, scalingRows(one, block), markdown)
    ).join("");
  return scalings +
    about(`the shares of ${CONNECTIONS} clients, largest first (the busiest: times its fair share)`) +
    (balance.problem === null
      ? formatTable(BALANCE_COLUMNS, balance.figures.map(balanceRow), markdown)
      : failed(balance.problem)) +
    about("nothing to do") +
    (master.problem === null
      ? formatTable(MASTER_COLUMNS, masterRows(master.figures, workersOutcomes(block)), markdown)
      : failed(master.problem));
}

/** What one pool did, and against one worker. */
interface Figures {
  readonly rps: number;
  /** Microseconds a request: the pool, and wrk. */
  readonly cpu: number;
  readonly load: number;
  /** Cores: the pool, and wrk. */
  readonly busy: number;
  readonly loadBusy: number;
  readonly ratios: { readonly rps: Ratio | null; readonly cpu: Ratio | null };
  /** What `ratios.rps` would be if all cores were full. */
  readonly most: number;
}

function figuresOf(result: PoolResult, { results }: Scaling, pins: WorkersBlock["pins"]): Figures {
  const one = results.find(({ workers }) => workers === 1)!;
  const all = ({ slices }: PoolResult, key: keyof PoolSlice): number[] => slices.map((slice) => slice[key]);
  const [rps, cpu, load, busy] = (["rps", "cpu", "load", "busy"] as const).map((key) => median(all(result, key)));
  return {
    rps: rps!,
    cpu: cpu!,
    load: load!,
    busy: busy!,
    loadBusy: load! * rps! / 1e6,
    ratios: {
      rps: pairRatios(all(result, "rps"), all(one, "rps")),
      cpu: pairRatios(all(result, "cpu"), all(one, "cpu")),
    },
    most: ceiling({ workers: result.workers, cpu: cpu!, load: load! }, pins) / median(all(one, "rps")),
  };
}

function scalingRows(scaling: Scaling, { pins }: WorkersBlock): string[][] {
  return scaling.results.map((result) => {
    const { rps, cpu, load, busy, loadBusy, ratios, most } = figuresOf(result, scaling, pins);
    const row = [
      titleOf(result.workers),
      Math.round(rps).toLocaleString("en"),
      cpu.toFixed(2),
      load.toFixed(2),
      `${busy.toFixed(2)} + ${loadBusy.toFixed(2)}`,
    ];
    return result.workers === 1 ? row : [...row, formatRatio(ratios.rps), most.toFixed(2), formatRatio(ratios.cpu)];
  });
}

/** The most requests a second at `cpu` and `load` microseconds each: no process has more than one core at a time. */
export function ceiling(
  { workers, cpu, load }: { readonly workers: number; readonly cpu: number; readonly load: number },
  { cores, shared }: Pick<WorkersBlock["pins"], "cores" | "shared">,
): number {
  const processes = Math.max(workers, 1);
  const pool = Math.min(processes, cores) * 1e6 / cpu;
  const together = shared ? cores * 1e6 / (cpu + load) : Infinity;
  return Math.min(pool, 1e6 / load, together);
}

function balanceRow({ workers, kind, connections, requests }: Balance): string[] {
  return [
    String(workers),
    kind,
    connections === null ? "" : formatShares(connections.first),
    connections === null ? "" : formatShares(connections.settled),
    formatShares(percents(requests.first)),
    formatShares(percents(requests.settled)),
  ];
}

function percents(counts: readonly number[]): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / all * 100);
}

/** `62 + 38 (1.24)`. */
function formatShares(shares: readonly number[]): string {
  const sorted = [...shares].sort((a, b) => b - a).map((share) => Math.round(share));
  return `${sorted.join(" + ")} (${unevenness(shares).toFixed(2)})`;
}

function masterRows({ percent, memory }: IdleMaster, [outcome]: readonly Outcome[]): string[][] {
  const workers = memory.workers.length;
  const megabytes = (kilobytes: number): string => (kilobytes / 1000).toFixed(0);
  return [
    [
      "master",
      percent.master.toFixed(2),
      megabytes(memory.master),
      `<= ${MOST_PERCENT} %`,
      outcome?.verdicts.CPU ?? "",
    ],
    ["each worker", (percent.workers / workers).toFixed(2), megabytes(median(memory.workers))],
  ];
}

/** All that was measured, as JSON can say it. */
export function workersJson({ runtime, pins, scaling, balance, master }: WorkersBlock): Record<string, unknown> {
  return {
    runtime: runtime.key,
    version: runtime.version,
    cores: { count: pins.cores, sharedWithWrk: pins.shared },
    problems: [scaling, balance, master].flatMap(({ problem }) => problem ?? []),
    scaling: scaling.figures?.map((one) => ({
      case: one.case_.name,
      pools: one.results.map((result) => ({
        workers: result.workers,
        ...figuresOf(result, one, pins),
        slices: result.slices,
      })),
    })),
    balance: balance.figures,
    idle: master.figures,
  };
}
