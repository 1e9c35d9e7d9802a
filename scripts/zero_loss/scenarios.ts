// What is done to a pool while it is under load, and what may be lost by it: nothing, but for workers that are killed.

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../bench/children.ts";
import { parseWrk } from "../bench/wrk.ts";
import type { LoadOptions, LoadReport, Mode } from "./load.ts";
import { Pool, type Starter, type Transport } from "./pool.ts";

export interface Scenario {
  readonly name: string;
  /** Flags of `tricorn serve`. */
  readonly flags?: readonly string[];
  /** Gunicorn's flags; null: Gunicorn has no such thing. */
  readonly gunicorn: readonly string[] | null;
  /** How often `happens` runs. */
  readonly times: number;
  /** Runs again and again while the load goes on. Returns how many requests may be lost by it; nothing is 0. */
  readonly happens: (pool: Pool) => Promise<number | void>;
}

const FAILED = /Reload failed/;

async function reload(pool: Pool): Promise<void> {
  const former = pool.children();
  pool.signal("SIGHUP");
  await pool.untilReplaced(former);
}

/** Reloads what cannot serve, sees that the same workers go on, and reloads what can. */
async function reloadWrong(pool: Pool, breakIt: () => void, repairIt: () => void): Promise<void> {
  const former = pool.ready();
  breakIt();
  await pool.untilSaid(FAILED, () => pool.signal("SIGHUP"));
  await pool.until(() => former.every((pid) => pool.ready().includes(pid)), "the former workers do not go on");
  repairIt();
  await reload(pool);
}

export const SCENARIOS: readonly Scenario[] = [
  { name: "reload", gunicorn: [], times: 10, happens: reload },
  {
    name: "recycle",
    flags: ["--max-requests=200", "--max-requests-jitter=50"],
    gunicorn: ["--max-requests=200", "--max-requests-jitter=50"],
    times: 2,
    // It happens by itself: by then, all have been replaced.
    happens: (pool) => pool.untilReplaced(pool.children()),
  },
  {
    name: "resize",
    gunicorn: [],
    times: 5,
    async happens(pool) {
      pool.signal("SIGTTIN");
      await pool.until(() => pool.ready().length === 3, "there is no third worker");
      pool.signal("SIGTTOU");
      await pool.until(() => pool.children().length === 2, "there is a third worker");
    },
  },
  { name: "upgrade", gunicorn: [], times: 3, happens: (pool) => pool.upgrade() },
  {
    name: "stop-worker",
    gunicorn: [],
    times: 5,
    async happens(pool) {
      const [worker] = pool.ready();
      pool.signal("SIGTERM", worker!);
      await pool.untilReplaced([worker!]);
    },
  },
  { name: "kill-worker", gunicorn: [], times: 5, happens: (pool) => pool.killWorker() },
  {
    name: "broken-code",
    gunicorn: null,
    times: 3,
    happens: (pool) => reloadWrong(pool, () => pool.deploy("broken"), () => pool.deploy("right")),
  },
  {
    name: "broken-config",
    flags: ["-c=FOLDER/config.json"],
    gunicorn: null,
    times: 3,
    happens: (pool) => reloadWrong(pool, () => pool.configure("broken"), () => pool.configure("right")),
  },
  {
    name: "hanging-canary",
    flags: ["--boot-timeout=2"],
    gunicorn: null,
    times: 2,
    happens: (pool) => reloadWrong(pool, () => pool.deploy("hanging"), () => pool.deploy("right")),
  },
  { name: "short-lives", flags: ["--max-worker-lifetime=2"], gunicorn: null, times: 5, happens: reload },
];

export interface Case {
  readonly scenario: Scenario;
  readonly starter: Starter;
  readonly transport: Transport;
  readonly mode: Mode;
  readonly requests: number;
  /** How often it happens; by default what the scenario says. */
  readonly times?: number;
  /** Also have wrk look for errors; TCP only. */
  readonly wrk?: boolean;
  readonly onProgress?: (requests: number, lost: number) => void;
}

export interface Outcome extends Pick<LoadReport, "requests" | "lost" | "losses" | "idleEnds"> {
  /** How many may be lost. */
  readonly allowed: number;
  /** How many of them answered. */
  readonly workers: number;
  /** What wrk has to say: nothing, when it has found no error; null, when it was not asked. */
  readonly wrk: { readonly requests: number; readonly problem: string | null } | null;
  /** Why the case could not be carried through, or null. */
  readonly error: string | null;
  readonly log: string;
}

const CLIENTS = 32;
const WRK_CONNECTIONS = 4;

/** Runs a case from the start of its pool to its end. Never throws. */
export async function runCase(one: Case): Promise<Outcome> {
  const { scenario, starter, transport, mode, requests, times = scenario.times, onProgress } = one;
  let pool: Pool | null = null;
  let load: Load | null = null;
  let wrk: Wrk | null = null;
  let allowed = 0;
  let error: string | null = null;
  let report: LoadReport = { requests: 0, lost: 0, losses: [], workers: [], idleEnds: 0 };
  let opinion: Outcome["wrk"] = null;
  try {
    const flags = starter.server === "tricorn" ? scenario.flags ?? [] : [
      ...(mode === "one-shot" ? [] : ["--worker-class=gthread", "--threads=4", "--keep-alive=65"]),
      ...(scenario.gunicorn ?? []),
    ];
    pool = await Pool.start({ starter, transport, flags });
    load = new Load({ address: pool.address, mode, requests, clients: CLIENTS }, onProgress);
    if (one.wrk && "port" in pool.address) wrk = new Wrk(`http://127.0.0.1:${pool.address.port}/?wrk`, mode);
    for (let n = 0; n < times; n++) {
      // Spread over the load, where that takes longer.
      const begun = (n + 1) * requests / (times + 1);
      await pool.until(() => load!.report.requests >= begun || load!.ended, "the load stands still");
      allowed += await scenario.happens(pool) ?? 0;
    }
  } catch (reason) {
    error = reason instanceof Error ? reason.message : String(reason);
  }
  report = await load?.finish() ?? report;
  opinion = await wrk?.finish() ?? null;
  const others = report.losses.filter(({ worker }) => worker !== null && !pool!.killed.has(worker));
  if (allowed > 0 && others.length > 0) error ??= `worker ${others[0]!.worker} lost a request, and nobody killed it`;
  await pool?.stop();
  const { lost, losses, idleEnds } = report;
  return {
    requests: report.requests,
    lost,
    losses,
    idleEnds,
    allowed,
    workers: report.workers.length,
    wrk: opinion,
    error,
    log: pool?.log ?? "",
  };
}

/** True when no more was lost than may be, and all happened that should. */
export function isFine({ lost, allowed, wrk, error }: Outcome): boolean {
  // wrk tells connections that broke, and killing workers may break them.
  return error === null && lost <= allowed && (wrk === null || wrk.problem === null || allowed > 0);
}

/** The load generator's process. */
export class Load {
  report: LoadReport = { requests: 0, lost: 0, losses: [], workers: [], idleEnds: 0 };
  ended = false;
  readonly #child: ChildProcess;
  readonly #end: Promise<void>;

  /** `enter`: the words before its command, where it runs in a namespace. */
  constructor(options: LoadOptions, onProgress?: Case["onProgress"], enter: readonly string[] = []) {
    const script = fileURLToPath(new URL("load.ts", import.meta.url));
    const strip = fileURLToPath(new URL("../../adapters/strip_types.js", import.meta.url));
    const [program, ...words] = [...enter, process.execPath, "--import", strip, script, JSON.stringify(options)];
    this.#child = spawn(program!, words, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (message) => {
      this.report = message as LoadReport;
      onProgress?.(this.report.requests, this.report.lost);
    });
    this.#end = new Promise((resolve) => {
      this.#child.once("close", () => {
        this.ended = true;
        resolve();
      });
    });
  }

  /** Lets it end when it has asked for all that it should. */
  async finish(): Promise<LoadReport> {
    if (this.#child.connected) this.#child.send("finish");
    await this.#end;
    return this.report;
  }
}

/** A second opinion. No wrk outlives this process. */
class Wrk {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;

  constructor(url: string, mode: Mode) {
    const script = fileURLToPath(new URL("pause.lua", import.meta.url));
    const words = ["-t1", `-c${WRK_CONNECTIONS}`, "-d1000s", "--timeout=30s", `-s${script}`];
    if (mode === "one-shot") words.push("-HConnection: close");
    this.#child = spawn("wrk", [...words, url], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    this.#child.stdout!.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
    this.#output = new Promise((resolve) => this.#child.once("close", () => resolve(text)));
    endWithUs(this.#child);
  }

  async finish(): Promise<Outcome["wrk"]> {
    // Interrupted, it reports; but not when that comes before it has begun.
    const interrupting = setInterval(() => this.#child.kill("SIGINT"), 200);
    const report = parseWrk(await this.#output);
    clearInterval(interrupting);
    return { requests: report?.requests ?? 0, problem: report === null ? "no report" : report.problem };
  }
}
