// The command line: what can be asked for, and what is asked for.
import { parseArgs } from "node:util";
import { CASES, GATEWAY, IDLE, WORKERS } from "./cases.ts";
import { SERVERS } from "./servers.ts";

const ALL_CASES: readonly string[] = [...CASES.map(({ name }) => name), IDLE, WORKERS, GATEWAY];

export const HELP: string = `Usage: npm run bench -- [options]

Measures Tricorn against what else would serve the same application, in turns (A B A B), with wrk.

  --cases LIST      ${ALL_CASES.join(", ")} (default: all)
  --runtimes LIST   node (all of the default ones), node20, node24, ..., bun, deno, or all
                    (default: this Node, Node 24 from test/nodes when it is there, --node, bun, deno)
  --only LIST       the servers beside Tricorn, by name or role: own, raw, other,
                    ${[...new Set(SERVERS.map(({ id }) => id))].slice(2, -1).join(", ")}
  --rounds N        how often each server has its turn (default: 5)
  --seconds S       how long a turn is (default: 2)
  --connections N   (default: 64)
  --idle N          how many idle connections the memory is divided by (default: 5000; 0: none)
  --node PATH       one more Node; may be given more than once
  --baseline DIR    another checkout of Tricorn, as one more server
  --markdown        print the tables as Markdown
  --json FILE       also write all figures to FILE
  --smoke           see only that all works: 1 round of 0.3 s, 100 idle connections, one Node
`;

export interface Options {
  readonly help: boolean;
  /** Names of cases, "idle" and "workers" among them. */
  readonly cases: readonly string[];
  /** Null: the default ones. */
  readonly runtimes: readonly string[] | null;
  /** Null: all servers. */
  readonly only: readonly string[] | null;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly idle: number;
  readonly nodes: readonly string[];
  readonly baseline: string | null;
  readonly markdown: boolean;
  readonly json: string | null;
  readonly smoke: boolean;
}

/** A mistake on the command line, in one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function parseOptions(words: readonly string[]): Options {
  const values = parse(words);
  const smoke = values.smoke ?? false;
  const idle = number("idle", values.idle ?? (smoke ? "100" : "5000"), 0);
  const cases = list(values.cases) ?? ALL_CASES;
  known("case", cases, ALL_CASES);
  const only = list(values.only)?.map((name) => name.toLowerCase()) ?? null;
  known("server", only ?? [], SERVERS.flatMap(({ id, role }) => [id.toLowerCase(), role]));
  return {
    help: values.help ?? false,
    cases: idle === 0 ? cases.filter((name) => name !== IDLE) : cases,
    runtimes: list(values.runtimes),
    only,
    rounds: Math.ceil(number("rounds", values.rounds ?? (smoke ? "1" : "5"), 1)),
    seconds: number("seconds", values.seconds ?? (smoke ? "0.3" : "2"), 0.1),
    connections: Math.ceil(number("connections", values.connections ?? "64", 1)),
    idle,
    nodes: values.node ?? [],
    baseline: values.baseline ?? null,
    markdown: values.markdown ?? false,
    json: values.json ?? null,
    smoke,
  };
}

interface Values {
  help?: boolean;
  cases?: string;
  runtimes?: string;
  only?: string;
  rounds?: string;
  seconds?: string;
  connections?: string;
  idle?: string;
  node?: string[];
  baseline?: string;
  markdown?: boolean;
  json?: string;
  smoke?: boolean;
}

function parse(words: readonly string[]): Values {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...words],
      options: {
        help: { type: "boolean", short: "h" },
        cases: text,
        runtimes: text,
        only: text,
        rounds: text,
        seconds: text,
        connections: text,
        idle: text,
        node: { type: "string", multiple: true },
        baseline: text,
        markdown: flag,
        json: text,
        smoke: flag,
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message.split("\n")[0]!.replace(/\.? To specify.*$/, ""));
  }
}

function list(value: string | undefined): string[] | null {
  return value?.split(",").map((name) => name.trim()).filter((name) => name !== "") ?? null;
}

function number(name: string, value: string, least: number): number {
  const result = Number(value);
  if (value.trim() === "" || !Number.isFinite(result) || result < least) {
    throw new UsageError(
      `--${name}: ${JSON.stringify(value)} is not a number from ${least}`,
    );
  }
  return result;
}

function known(what: string, names: readonly string[], all: readonly string[]): void {
  for (const name of names) {
    if (!all.includes(name)) {
      throw new UsageError(
        `there is no ${what} ${JSON.stringify(name)}: ${[...new Set(all)].join(", ")}`,
      );
    }
  }
}
