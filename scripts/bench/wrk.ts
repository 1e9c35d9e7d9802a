// Running wrk, and reading what it reports.
import { spawn, spawnSync } from "node:child_process";
import type { Case } from "./cases.ts";
import { endWithUs } from "./children.ts";

export interface WrkReport {
  readonly requests: number;
  readonly rps: number;
  /** What went wrong, in wrk's words, or null. */
  readonly problem: string | null;
}

export const WRK_MISSING = "wrk is not installed: apt-get install wrk (or https://github.com/wg/wrk)";

export function hasWrk(): boolean {
  return spawnSync("wrk", ["--version"], { stdio: "ignore" }).error ===
    undefined;
}

/** Reads wrk's report; null when it is none. */
export function parseWrk(output: string): WrkReport | null {
  const requests = /^\s*(\d+) requests in /m.exec(output)?.[1];
  const rps = /^Requests\/sec:\s*([\d.]+)/m.exec(output)?.[1];
  if (requests === undefined || rps === undefined) return null;
  const problems: string[] = [];
  const socket = /^\s*Socket errors: (.*)$/m.exec(output)?.[1];
  if (socket !== undefined) problems.push(`socket errors: ${socket}`);
  const status = /^\s*Non-2xx or 3xx responses: (\d+)/m.exec(output)?.[1];
  if (status !== undefined) {
    problems.push(`${status} responses without 2xx or 3xx`);
  }
  return {
    requests: Number(requests),
    rps: Number(rps),
    problem: problems.length === 0 ? null : problems.join("; "),
  };
}

/** wrk's script for `case_`. wrk adds Host and Content-Length itself. */
export function luaScript(case_: Case): string {
  const lines = [
    `wrk.method = ${JSON.stringify(case_.method)}`,
    `wrk.path = ${JSON.stringify(case_.target)}`,
    ...case_.headers.map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`),
  ];
  if (case_.body !== "") lines.push(`wrk.body = ${JSON.stringify(case_.body)}`);
  if (case_.pipeline > 1) {
    lines.push(
      "local requests",
      `init = function(args) requests = string.rep(wrk.format(), ${case_.pipeline}) end`,
      "request = function() return requests end",
    );
  }
  return lines.join("\n") + "\n";
}

export interface Load {
  readonly url: string;
  readonly script: string;
  readonly connections: number;
  readonly seconds: number;
  /** Words before `wrk`, which pin it to a core. */
  readonly prefix: readonly string[];
}

/** Runs wrk. On a busy machine a short turn can be over before wrk has done anything: then it gets a longer one. */
export async function runWrk(load: Load): Promise<WrkReport> {
  for (let more = 0;; more++) {
    const report = await runFor(load, load.seconds + more);
    if (report !== "nothing done") return report;
    if (more === 3) return { requests: 0, rps: 0, problem: "no responses" };
  }
}

async function runFor(
  { url, script, connections, prefix }: Load,
  seconds: number,
): Promise<WrkReport | "nothing done"> {
  // wrk only knows whole seconds; an interrupt ends it earlier, with its report.
  const words = [...prefix, "wrk", "-t1", `-c${connections}`, `-d${Math.ceil(seconds) + 5}s`, "-s", script, url];
  const child = spawn(words[0]!, words.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  endWithUs(child);
  let output = "";
  child.stdout.on("data", (chunk) => void (output += chunk));
  child.stderr.on("data", (chunk) => void (output += chunk));
  const timer = setTimeout(() => child.kill("SIGINT"), seconds * 1000);
  const signal = await new Promise<string | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (_code, signal) => resolve(signal));
  });
  clearTimeout(timer);
  // Interrupted before it listened to signals.
  if (signal === "SIGINT") return "nothing done";
  const report = parseWrk(output);
  if (report === null) return { requests: 0, rps: 0, problem: `wrk: ${output.trim().split("\n")[0]}` };
  return report.requests === 0 && report.problem === null ? "nothing done" : report;
}
