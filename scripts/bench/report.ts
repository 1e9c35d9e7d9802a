// Results as tables, and as JSON. Pure.
import { IDLE } from "./cases.ts";
import { goalOf, judge, type Outcome, type Verdict } from "./goals.ts";
import type { GatewayBlock } from "./gateway/block.ts";
import { gatewayJson, gatewayOutcomes } from "./gateway/report.ts";
import type { IdleBlock } from "./idle.ts";
import type { Block, ServerResult } from "./measure.ts";
import { compare, formatRatio, median, type Ratio } from "./statistics.ts";
import { type Column, formatTable, heading } from "./table.ts";
import type { WorkersBlock } from "./workers/block.ts";
import { workersJson, workersOutcomes } from "./workers/report.ts";

export const LEGEND: string =
  "Ratios: how many times better Tricorn is than the server of the row, in requests per second and in " +
  "CPU time per\nrequest (the steadier figure): median of the rounds' ratios, and their range. busy: the server's share " +
  "of its core;\nmuch less than 100 % means that wrk was the limit.\n";

const COLUMNS: readonly Column[] = [
  { title: "server", align: "left" },
  { title: "req/s", align: "right" },
  { title: "CPU us/req", align: "right" },
  { title: "busy", align: "right" },
  { title: "ratio req/s", align: "left" },
  { title: "ratio CPU", align: "left" },
  { title: "goal", align: "left" },
  { title: "result", align: "left" },
];

const IDLE_COLUMNS: readonly Column[] = [
  { title: "server", align: "left" },
  { title: "kB/connection", align: "right" },
  { title: "range", align: "left" },
  { title: "MB before", align: "right" },
  { title: "goal", align: "left" },
  { title: "result", align: "left" },
];

export function outcomesOf({ case_, runtime, results }: Block): Outcome[] {
  const tricorn = slicesOf(results, "tricorn");
  return results.flatMap(({ server, slices }) => {
    const goal = goalOf(runtime.name, case_.name, server.id);
    if (goal === null) return [];
    const { rps, cpu } = compare(tricorn, slices);
    const verdict = (ratio: Ratio | null): Verdict | null => ratio === null ? null : judge(ratio.median, goal);
    return [{
      runtime: runtime.key,
      case: case_.name,
      against: server.id,
      goal,
      ratios: { "req/s": rps?.median ?? null, CPU: cpu?.median ?? null },
      verdicts: { "req/s": verdict(rps), CPU: verdict(cpu) },
    }];
  });
}

/** The own server's memory over Tricorn's: 1 and more is the goal. */
export function idleOutcomes({ runtime, results }: IdleBlock): Outcome[] {
  const tricorn = median(results.find(({ server }) => server.id === "tricorn")?.perConnection ?? []);
  return results.filter(({ server }) => server.role === "own").map(
    ({ server, perConnection }) => {
      const own = median(perConnection);
      // Below a tenth of a kilobyte there is only noise, and a growth may even come out negative.
      const ratio = Number.isNaN(own) || Number.isNaN(tricorn) ? null : Math.max(own, 0.1) / Math.max(tricorn, 0.1);
      const verdicts = { memory: ratio === null ? null : judge(ratio, 1) };
      return {
        runtime: runtime.key,
        case: IDLE,
        against: server.id,
        goal: 1,
        ratios: { memory: ratio },
        verdicts,
      };
    },
  );
}

export function blockTable(block: Block, markdown: boolean): string {
  const { case_, runtime, results } = block;
  const tricorn = slicesOf(results, "tricorn");
  const outcomes = outcomesOf(block);
  const rows = results.map(({ server, slices, problem }) => {
    if (problem !== null) {
      return [server.title, "-", "-", "-", `failed: ${problem}`];
    }
    const ratios = server.id === "tricorn" ? { rps: null, cpu: null } : compare(tricorn, slices);
    const outcome = outcomes.find(({ against }) => against === server.id);
    return [
      server.title,
      Math.round(median(slices.map(({ rps }) => rps))).toLocaleString("en"),
      median(slices.map(({ cpu }) => cpu)).toFixed(2),
      `${Math.round(median(slices.map(({ busy }) => busy)) * 100)} %`,
      formatRatio(ratios.rps),
      formatRatio(ratios.cpu),
      outcome === undefined ? "" : `>= ${outcome.goal}`,
      outcome === undefined ? "" : formatVerdicts(outcome.verdicts),
    ];
  });
  const title = `${case_.name} on ${runtime.version}: ${case_.title}`;
  return heading(title, markdown) + formatTable(COLUMNS, rows, markdown);
}

export function idleTable(block: IdleBlock, markdown: boolean): string {
  const outcomes = idleOutcomes(block);
  const own = block.results.find(({ server }) => server.role === "own");
  const rows = block.results.map(
    ({ server, perConnection, before, problem }) => {
      if (problem !== null) return [server.title, "-", `failed: ${problem}`];
      const judged = server.id === "tricorn" && own !== undefined &&
        outcomes.length > 0;
      return [
        server.title,
        median(perConnection).toFixed(1),
        `${Math.min(...perConnection).toFixed(1)}-${Math.max(...perConnection).toFixed(1)}`,
        (median(before) / 1000).toFixed(0),
        judged ? `<= ${own.server.title}` : "",
        judged ? formatVerdicts(outcomes[0]!.verdicts) : "",
      ];
    },
  );
  const title = `${IDLE} on ${block.runtime.version}: memory of each of ${block.connections} idle connections`;
  return heading(title, markdown) + formatTable(IDLE_COLUMNS, rows, markdown);
}

/** The last words: how many goals are met, and which are not. */
export function goalsSummary(outcomes: readonly Outcome[], markdown: boolean): string {
  if (outcomes.length === 0) return "";
  const all = (verdict: Verdict) => ({ verdicts }: Outcome): boolean =>
    Object.values(verdicts).every((one) => one === verdict);
  const rest = outcomes.filter((outcome) => !all("met")(outcome));
  const lines = rest.map(
    ({ runtime, case: name, against, goal, ratios, verdicts }) => {
      const figures = Object.entries(ratios).map(([what, ratio]) =>
        `${what} ${ratio === null ? "not measured" : `${ratio.toFixed(2)} ${verdicts[what]}`}`
      );
      return `${markdown ? "-" : " "} ${runtime} ${name} / ${against}: ${figures.join(", ")} (goal ${goal})\n`;
    },
  );
  const met = `${outcomes.length - rest.length} of ${outcomes.length} goals met`;
  return heading(
    rest.length === 0 ? met : `${met}; not met, or only in part`,
    markdown,
  ) + lines.join("");
}

/** All that was measured, for programs. */
export function toJson(
  about: Readonly<Record<string, unknown>>,
  blocks: readonly Block[],
  idleBlocks: readonly IdleBlock[],
  workersBlocks: readonly WorkersBlock[],
  gatewayBlocks: readonly GatewayBlock[] = [],
): string {
  const outcomes = [
    ...blocks.flatMap(outcomesOf),
    ...idleBlocks.flatMap(idleOutcomes),
    ...workersBlocks.flatMap(workersOutcomes),
    ...gatewayBlocks.flatMap(gatewayOutcomes),
  ];
  const cases = blocks.map(({ case_, runtime, results }) => ({
    case: case_.name,
    runtime: runtime.key,
    version: runtime.version,
    servers: results.map(({ server, slices, problem }) => ({
      server: server.id,
      problem,
      rps: finite(median(slices.map(({ rps }) => rps))),
      cpuMicros: finite(median(slices.map(({ cpu }) => cpu))),
      ...(server.id === "tricorn" ? {} : { ratios: compare(slicesOf(results, "tricorn"), slices) }),
      slices,
    })),
  }));
  const idle = idleBlocks.map(({ runtime, connections, results }) => ({
    runtime: runtime.key,
    version: runtime.version,
    connections,
    servers: results.map(({ server, perConnection, before, problem }) => ({
      server: server.id,
      problem,
      kilobytesPerConnection: finite(median(perConnection)),
      perConnection,
      before,
    })),
  }));
  const workers = workersBlocks.map(workersJson);
  const gateway = gatewayBlocks.map(gatewayJson);
  return JSON.stringify({ ...about, goals: outcomes, cases, idle, workers, gateway }, null, 2) +
    "\n";
}

function slicesOf(results: readonly ServerResult[], id: string): ServerResult["slices"] {
  return results.find(({ server }) => server.id === id)?.slices ?? [];
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function formatVerdicts(verdicts: Outcome["verdicts"]): string {
  const words = Object.entries(verdicts);
  const [first] = words;
  if (words.every(([, verdict]) => verdict === first?.[1])) {
    return first?.[1] ?? "";
  }
  return words.map(([what, verdict]) => `${what} ${verdict ?? "-"}`).join(", ");
}
