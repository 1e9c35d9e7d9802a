// `tricorn ctl COMMAND`: asks a running master by its control socket, and shows the answer as text or JSON. The commands
// and what travels are src/arbiter/control.ts's.

import {
  type AllReport,
  type ConfigReport,
  CONTROL_COMMANDS,
  type Outcome,
  readCommand,
  socketPaths,
  type StatsReport,
  type WorkerRequest,
  type WorkerStatus,
} from "../arbiter/control.ts";
import { ConfigError, quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";
import { timestamp } from "../observe/log.ts";
import { escapeLine } from "../observe/text.ts";
import type { LocalChannel } from "../runtime/port.ts";
import { reasonOf } from "./attempt.ts";
import type { CommandHost } from "./host.ts";
import type { Context } from "./run.ts";

/** The command was understood and did not succeed, or nobody was there to ask; the process exits with 1. */
export class ControlError extends Error {
  override readonly name = "ControlError";
}

/** Seconds that an answer is waited for; a reload takes as long as it takes. */
const TIMEOUT = 10;

/** The text of `tricorn ctl --help`. */
export function ctlHelp(): string {
  const rows = CONTROL_COMMANDS.map(({ name, usage, doc }) => `  ${`${name} ${usage}`.padEnd(28)}${doc}\n`);
  return `Usage: tricorn ctl [flags] COMMAND

Asks a running "tricorn serve" that has workers, by its control socket.

${rows.join("")}
Flags:
  -s, --socket PATH    its control_socket (default: $XDG_RUNTIME_DIR/tricorn.ctl, then
                       ~/.tricorn/tricorn.ctl)
      --json           the answer as JSON
      --timeout SECONDS
                       how long the answer is waited for (default: ${TIMEOUT}, and 0, no limit, for reload)

Exit codes: 0 done, 1 it failed or nobody answers, 2 wrong usage.
`;
}

/**
 * Sends one command and prints the answer.
 *
 * @throws {ConfigError} for wrong usage.
 * @throws {ControlError} when the command failed or nobody answers.
 */
export async function ctl(words: readonly string[], { host }: Pick<Context, "host">): Promise<void> {
  const { rest, socket, json, timeout, help } = readFlags(words);
  if (help || rest.length === 0) return host.stdout(ctlHelp());
  const read = readCommand(rest);
  if (typeof read === "string") throw new ConfigError(`ctl: ${read}`);
  const { name } = read.command;
  if (name === "help") return host.stdout(ctlHelp());
  const paths = socket === null ? socketPaths(host.env) : [socket];
  const answer = await ask(host, paths, rest, timeout ?? (name === "reload" ? 0 : TIMEOUT));
  if (answer.status === "error") throw new ControlError(`${name}: ${answer.error}`);
  if (json) return host.stdout(`${JSON.stringify(answer.data, null, 2)}\n`);
  const colour = host.stdoutIsTty && !host.env.NO_COLOR;
  host.stdout(RENDER[name]!(answer.data as never, colour ? paint : (text) => text));
}

interface Flags {
  readonly rest: readonly string[];
  readonly socket: string | null;
  readonly json: boolean;
  readonly timeout: number | null;
  readonly help: boolean;
}

function readFlags(words: readonly string[]): Flags {
  const rest: string[] = [];
  let socket: string | null = null;
  let timeout: number | null = null;
  let json = false;
  let help = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    const equals = word.startsWith("--") ? word.indexOf("=") : -1;
    const flag = equals < 0 ? word : word.slice(0, equals);
    const value = (meta: string): string => {
      const text = equals < 0 ? words[++index] : word.slice(equals + 1);
      if (text === undefined || text === "") {
        throw new ConfigError(`ctl: ${flag}: the value is missing; write ${flag} ${meta}`);
      }
      return text;
    };
    if (flag === "-s" || flag === "--socket") socket = value("PATH").replace(/^unix:(?:\/\/)?/, "");
    else if (flag === "--timeout") timeout = readSeconds(value("SECONDS"));
    else if (word === "--json") json = true;
    else if (word === "-h" || word === "--help") help = true;
    // The one flag that belongs to a command.
    else if (!word.startsWith("-") || word === "--now") rest.push(word);
    else {
      const near = didYouMean(flag, ["--socket", "--json", "--timeout", "--now", "--help"]);
      throw new ConfigError(`ctl: unknown flag ${quote(flag)}${near || '; "tricorn ctl --help" lists the flags'}`);
    }
  }
  return { rest, socket, json, timeout, help };
}

function readSeconds(text: string): number {
  if (/^\d{1,6}(?:\.\d{1,3})?$/.test(text)) return Number(text);
  throw new ConfigError(`ctl: --timeout: ${quote(text)} is not a number of seconds; write for example 30`);
}

/** Asks the first of `paths` where somebody answers; `timeout`: seconds, 0 is no limit. */
async function ask(
  host: CommandHost,
  paths: readonly string[],
  words: readonly string[],
  timeout: number,
): Promise<Outcome> {
  if (paths.length === 0) {
    throw new ControlError(
      "ctl: neither XDG_RUNTIME_DIR nor HOME is set (Deno: --allow-env); name the server's socket with --socket PATH",
    );
  }
  const tried: string[] = [];
  for (const path of paths) {
    let settle!: (line: string | null) => void;
    const line = new Promise<string | null>((resolve) => {
      settle = resolve;
    });
    let text = "";
    let channel!: LocalChannel;
    try {
      await host.sockets.connectLocal(path, (made) => {
        channel = made;
        return {
          receive(more) {
            text += more;
            if (more.includes("\n")) settle(text.slice(0, text.indexOf("\n")));
          },
          closed: () => settle(null),
        };
      });
    } catch (error) {
      tried.push(`${quote(path)} (${reasonOf(error)})`);
      continue;
    }
    void channel.write(`${JSON.stringify({ id: 1, command: words.join(" ") })}\n`);
    let late = false;
    const timer = timeout === 0 ? undefined : setTimeout(() => {
      late = true;
      settle(null);
    }, timeout * 1000);
    const answer = await line;
    clearTimeout(timer);
    void channel.end();
    if (answer !== null) return JSON.parse(answer) as Outcome;
    throw new ControlError(
      late
        ? `ctl: no answer from ${quote(path)} after ${timeout} s, it may still come; wait longer with --timeout`
        : `ctl: the server at ${quote(path)} ended before it answered; its log tells more`,
    );
  }
  throw new ControlError(
    `ctl: no server at ${tried.join(" or ")}; start one with "tricorn serve --workers 2", ` +
      "or name its socket with --socket PATH; one that could make no socket says why with --log-level debug",
  );
}

// From data to text.

type Colour = "bold" | "dim" | "green" | "yellow" | "red";
type Paint = (text: string, colour: Colour) => string;

const CODES: Readonly<Record<Colour, number>> = { bold: 1, dim: 2, green: 32, yellow: 33, red: 31 };

const paint: Paint = (text, colour) => `\x1b[${CODES[colour]}m${text}\x1b[0m`;

/** The text of each command's data. */
const RENDER: Readonly<Record<string, (data: never, paint: Paint) => string>> = {
  "show all": renderAll,
  "show workers": renderWorkers,
  "show config": renderConfig,
  "show listeners": renderListeners,
  "show stats": renderStats,
  "worker add": renderTarget,
  "worker remove": renderTarget,
  "worker kill": ({ pid, now }: { readonly pid: number; readonly now: boolean }) =>
    now ? `worker ${pid} was killed, another one follows\n` : `worker ${pid} is being replaced\n`,
  "reload": ({ generation }: { readonly generation: number }) => `reloaded: generation ${generation} serves\n`,
  "reopen": () => "the logs were reopened\n",
  "shutdown": ({ graceful }: { readonly graceful: boolean }) =>
    graceful ? "shutting down: requests may finish\n" : "shutting down at once\n",
};

function renderTarget({ target }: { readonly target: number }): string {
  return `${target} ${target === 1 ? "worker" : "workers"} from now on, until the next reload\n`;
}

interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string;
  /** Numbers stand at the right. */
  readonly left?: boolean;
  readonly colour?: (row: T) => Colour | null;
}

const STATE_COLOURS: Readonly<Record<WorkerStatus["state"], Colour>> = {
  booting: "yellow",
  ready: "green",
  draining: "yellow",
  stuck: "red",
  dying: "red",
};

/** In 80 columns, unless the figures are out of all proportion. */
const WORKER_COLUMNS: readonly Column<WorkerStatus>[] = [
  { head: "ID", cell: ({ id }) => String(id) },
  { head: "PID", cell: ({ pid }) => String(pid) },
  { head: "GEN", cell: ({ generation }) => String(generation) },
  {
    head: "STATE",
    cell: ({ state, held }) => held && state === "ready" ? "held" : state,
    left: true,
    colour: ({ state }) => STATE_COLOURS[state],
  },
  { head: "AGE", cell: ({ age }) => span(age) },
  { head: "REQS", cell: ({ requests }) => amount(requests) },
  { head: "BUSY", cell: ({ inFlight }) => amount(inFlight) },
  { head: "WAIT", cell: ({ queued }) => amount(queued) },
  { head: "CONNS", cell: ({ connections }) => amount(connections) },
  { head: "RSS", cell: ({ rss }) => rss === 0 ? "-" : size(rss) },
  { head: "CPU", cell: ({ cpuPercent }) => `${Math.round(cpuPercent)}%` },
  { head: "LAG", cell: ({ lag }) => delay(lag) },
];

function renderWorkers(workers: readonly WorkerStatus[], paint: Paint): string {
  if (workers.length === 0) return "no workers\n";
  const reasons = workers.filter(({ reason }) => reason !== null);
  return table(workers, WORKER_COLUMNS, paint) +
    reasons.map(({ id, reason }) => `worker ${id}: ${escapeLine(reason!)}\n`).join("");
}

function renderConfig({ configFile, settings }: ConfigReport, paint: Paint): string {
  return `configuration file: ${escapeLine(configFile ?? "none")}\n` + table(settings, [
    { head: "NAME", cell: ({ name }) => name, left: true },
    { head: "FROM", cell: ({ origin }) => origin, left: true },
    // Last, because it may be long.
    { head: "VALUE", cell: ({ value }) => valueText(value), left: true },
  ], paint);
}

function valueText(value: unknown): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return "-";
  return typeof value === "string" ? value : Array.isArray(value) ? value.join(",") : JSON.stringify(value);
}

function reloadText(error: string | null): string {
  return error === null ? "done" : `failed: ${error}`;
}

function renderStats(stats: StatsReport, paint: Paint): string {
  const { total, master, lastReload } = stats;
  const rows: readonly (readonly [string, string])[] = [
    [
      "tricorn",
      `${stats.version} on ${stats.runtime}, pid ${stats.pid}, up ${
        span(Math.max(0, Date.now() - stats.startedAt) / 1000)
      }`,
    ],
    ["state", `${stats.phase}, ${stats.ready ? "ready" : "not ready"}`],
    ["workers", `${stats.workers} of ${stats.target}, ${stats.restarts} restarted after an unexpected end`],
    ["generation", String(stats.generation)],
    ["last reload", lastReload === null ? "none" : `${timestamp(lastReload.at)}, ${reloadText(lastReload.error)}`],
    [
      "requests",
      `${amount(total.requests)} begun, ${amount(total.inFlight)} in flight, ${amount(total.queued)} waiting`,
    ],
    ["connections", amount(total.connections)],
    ["memory", `${size(total.rss)} in the workers, ${size(master.rss)} in the master`],
    ["processor", `${Math.round(total.cpuPercent)}% in the workers, ${span(master.cpu / 1000)} in the master so far`],
    ["worst lag", delay(total.lag)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, text]) => `${paint(name.padEnd(width), "bold")}  ${escapeLine(text)}\n`);
  return lines.join("") + (stats.oldest.length === 0 ? "" : `\n${renderRequests(stats.oldest, paint)}`);
}

function renderRequests(requests: readonly WorkerRequest[], paint: Paint): string {
  return table(requests, [
    { head: "WORKER", cell: ({ worker }) => String(worker) },
    { head: "PID", cell: ({ pid }) => String(pid) },
    { head: "AGE", cell: ({ age }) => delay(age) },
    { head: "REQUEST", cell: ({ method, target }) => `${method} ${target}`, left: true },
  ], paint);
}

function renderAll({ stats, workers, listeners, config }: AllReport, paint: Paint): string {
  return [
    renderStats(stats, paint),
    renderWorkers(workers, paint),
    renderListeners(listeners),
    renderConfig(config, paint),
  ].join("\n");
}

function renderListeners(urls: readonly string[]): string {
  return urls.map((url) => `${escapeLine(url)}\n`).join("");
}

/** Aligned columns under their heads, two spaces apart. */
function table<T>(rows: readonly T[], columns: readonly Column<T>[], paint: Paint): string {
  const cells = rows.map((row) => columns.map(({ cell }) => escapeLine(cell(row))));
  const widths = columns.map(({ head }, index) => Math.max(head.length, ...cells.map((line) => line[index]!.length)));
  const fit = (text: string, index: number): string => {
    const { left } = columns[index]!;
    if (left && index === columns.length - 1) return text;
    return left ? text.padEnd(widths[index]!) : text.padStart(widths[index]!);
  };
  const heads = columns.map(({ head }, index) => fit(head, index)).join("  ");
  const lines = cells.map((line, at) =>
    line.map((text, index) => {
      const colour = columns[index]!.colour?.(rows[at]!) ?? null;
      return colour === null ? fit(text, index) : paint(fit(text, index), colour);
    }).join("  ")
  );
  return `${paint(heads, "bold")}\n${lines.map((line) => `${line}\n`).join("")}`;
}

/** Seconds as `59s`, `9m05s`, `12m`, `1h02m`, `23h`, `3d04h`, `12d`: what is smaller than a tenth is left out. */
function span(seconds: number): string {
  const units = [[86_400, "d"], [3600, "h"], [60, "m"], [1, "s"]] as const;
  const whole = Math.floor(seconds);
  const at = units.findIndex(([length]) => whole >= length);
  if (at < 0) return "0s";
  const [length, unit] = units[at]!;
  const count = Math.floor(whole / length);
  const smaller = units[at + 1];
  if (count >= 10 || smaller === undefined) return `${count}${unit}`;
  const rest = Math.floor((whole % length) / smaller[0]);
  return `${count}${unit}${String(rest).padStart(2, "0")}${smaller[1]}`;
}

/** Milliseconds as `12ms`, `1.2s`, and then as a span. */
function delay(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`;
  return milliseconds < 60_000 ? `${(milliseconds / 1000).toFixed(1)}s` : span(milliseconds / 1000);
}

/** Bytes as `512 kB`, `12.3 MB`, `1.24 GB`: three digits, powers of 1000. */
function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < 4; unit++) value /= 1000;
  return `${unit === 0 ? value : value.toPrecision(3)} ${["B", "kB", "MB", "GB", "TB"][unit]!}`;
}

/** A count; from 100,000 on in three digits: `123k`, `1.23M`. */
function amount(count: number): string {
  if (count < 100_000) return String(count);
  const millions = count >= 999_500;
  const value = count / (millions ? 1e6 : 1e3);
  return `${value >= 999.5 ? Math.round(value) : value.toPrecision(3)}${millions ? "M" : "k"}`;
}
