// The figures of the ways through nginx as tables, and for JSON. Pure.
import { GATEWAY } from "../cases.ts";
import { judge, type Outcome } from "../goals.ts";
import { formatRatio, median, pairRatios, type Ratio } from "../statistics.ts";
import { type Column, formatTable, heading } from "../table.ts";
import type { GatewayBlock, GatewayResult, GatewaySlice } from "./block.ts";

export const GATEWAY_LEGEND: string =
  "Ratios: how many times better uwsgi_pass over the same kind of socket is than the row, in requests per second and in " +
  "CPU time\nper request, Tricorn's and nginx's together: median of the rounds' ratios, and their range. nginx speaks uwsgi " +
  "and SCGI with\na connection for each request, and HTTP too where it is not told to keep them. nginx and wrk share a " +
  "core: where busy is\nlittle, they were the limit, and CPU says more.\n";

const COLUMNS: readonly Column[] = [
  { title: "nginx to Tricorn", align: "left" },
  { title: "req/s", align: "right" },
  { title: "CPU us/req", align: "right" },
  { title: "nginx us/req", align: "right" },
  { title: "busy", align: "right" },
  { title: "ratio req/s", align: "left" },
  { title: "ratio CPU", align: "left" },
  { title: "goal", align: "left" },
  { title: "result", align: "left" },
];

/** Of uwsgi to plain proxy_pass, as most have it. */
const GOAL = 1;

function ratiosOf(result: GatewayResult, { results }: GatewayBlock): { rps: Ratio | null; cpu: Ratio | null } {
  const reference = results.find(({ way, baseline }) =>
    way.unix === result.way.unix && way.protocol === "uwsgi" && !baseline
  )!;
  if (result === reference) return { rps: null, cpu: null };
  const all = (of: GatewayResult, figure: (slice: GatewaySlice) => number): number[] => of.slices.map(figure);
  const cpu = (slice: GatewaySlice): number => slice.cpu + slice.front;
  return {
    rps: pairRatios(all(reference, ({ rps }) => rps), all(result, ({ rps }) => rps)),
    cpu: pairRatios(all(result, cpu), all(reference, cpu)),
  };
}

export function gatewayOutcomes(block: GatewayBlock): Outcome[] {
  return block.results.filter(({ way, baseline }) => way.protocol === "http" && !way.kept && !baseline).map(
    (result) => {
      const { rps, cpu } = ratiosOf(result, block);
      return {
        runtime: block.runtime.key,
        case: `${GATEWAY} (${block.case_.name})`,
        against: result.way.id,
        goal: GOAL,
        ratios: { "req/s": rps?.median ?? null, CPU: cpu?.median ?? null },
        verdicts: {
          "req/s": rps === null ? null : judge(rps.median, GOAL),
          CPU: cpu === null ? null : judge(cpu.median, GOAL),
        },
      };
    },
  );
}

export function gatewayTable(block: GatewayBlock, markdown: boolean): string {
  const outcomes = gatewayOutcomes(block);
  const rows = block.results.map((result) => {
    const { way, baseline, slices, problem } = result;
    const title = baseline ? `${way.title}, baseline` : way.title;
    if (problem !== null) return [title, "-", "-", "-", "-", `failed: ${problem}`];
    const middle = (figure: keyof GatewaySlice): number => median(slices.map((slice) => slice[figure]));
    const { rps, cpu } = ratiosOf(result, block);
    const outcome = baseline ? undefined : outcomes.find(({ against }) => against === way.id);
    return [
      title,
      Math.round(middle("rps")).toLocaleString("en"),
      middle("cpu").toFixed(1),
      middle("front").toFixed(1),
      `${Math.round(middle("busy") * 100)} %`,
      formatRatio(rps),
      formatRatio(cpu),
      outcome === undefined ? "" : `>= ${outcome.goal}`,
      outcome === undefined ? "" : Object.entries(outcome.verdicts).map(([what, one]) => `${what} ${one}`).join(", "),
    ];
  });
  const title = `${GATEWAY}, ${block.case_.name} on ${block.runtime.version}: ${block.case_.title}, through nginx`;
  return heading(title, markdown) + formatTable(COLUMNS, rows, markdown);
}

/** All that was measured, as JSON can say it. */
export function gatewayJson(block: GatewayBlock): Record<string, unknown> {
  return {
    runtime: block.runtime.key,
    version: block.runtime.version,
    case: block.case_.name,
    ways: block.results.map((result) => ({
      way: result.way.id,
      baseline: result.baseline,
      problem: result.problem,
      ratios: ratiosOf(result, block),
      slices: result.slices,
    })),
  };
}
