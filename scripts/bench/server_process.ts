// One server as a process: started, asked for its CPU time and memory, stopped. Linux only, for /proc.
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithUs } from "./children.ts";

/** Linux shows times to programs in hundredths of a second, on every machine. */
const TICKS_PER_SECOND = 100;

export class ServerProcess {
  readonly #child: ChildProcess;
  #output = "";
  #exited: string | null = null;

  constructor(words: readonly string[], env: Record<string, string>) {
    const { NODE_OPTIONS: _, ...inherited } = process.env;
    this.#child = spawn(words[0]!, words.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...inherited, NODE_ENV: "production", NO_COLOR: "1", ...env },
    });
    endWithUs(this.#child);
    const keep = (chunk: unknown): void => void (this.#output = (this.#output + chunk).slice(-4_000));
    this.#child.stdout!.on("data", keep);
    this.#child.stderr!.on("data", keep);
    this.#child.on("error", (error) => void (this.#exited = error.message));
    this.#child.on("close", (code, signal) => {
      this.#exited ??= `ended with ${signal ?? code}: ${firstLine(this.#output)}`;
    });
  }

  /** Why it is not there any more, or null. */
  get exited(): string | null {
    return this.#exited;
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** CPU time until now, in seconds: user and system, of all threads. */
  cpu(): number {
    return cpuOf(this.pid);
  }

  /** {@link cpu} and that of the workers that it has started. */
  cpuWithWorkers(): number {
    return childrenOf(this.pid).reduce((sum, pid) => sum + cpuOf(pid), this.cpu());
  }

  /** Resident memory in kB. */
  rss(): number {
    return rssOf(this.pid);
  }

  async stop(signal: "SIGKILL" | "SIGQUIT" = "SIGKILL"): Promise<void> {
    this.#child.kill(signal);
    while (this.#exited === null) await sleep(5);
  }
}

/** CPU time of a process until now, in seconds: user and system, of all threads. */
export function cpuOf(pid: number): number {
  const fields = timesOf(pid);
  return (fields[0]! + fields[1]!) / TICKS_PER_SECOND;
}

/** CPU time, in seconds, of the children of this process that have ended. */
export function endedChildrenCpu(): number {
  const fields = timesOf("self");
  return (fields[2]! + fields[3]!) / TICKS_PER_SECOND;
}

/** utime, stime, cutime and cstime of proc(5), in ticks. */
function timesOf(pid: number | "self"): number[] {
  return statOf(pid).slice(11, 15).map(Number);
}

/** All processes are gone through: not every kernel has /proc/PID/task/TID/children. */
function childrenOf(parent: number): number[] {
  const all = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return all.filter((pid) => {
    try {
      return Number(statOf(pid)[1]) === parent;
    } catch {
      // It has ended since.
      return false;
    }
  });
}

/** The fields of /proc/PID/stat from the third one, the state, on. */
function statOf(pid: number | "self"): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field may contain spaces and parentheses; the last parenthesis ends it.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** Resident memory of a process in kB. */
export function rssOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1]);
}

function firstLine(output: string): string {
  const lines = output.split("\n").map((line) => line.trim());
  return lines.find((line) => /error|cannot/i.test(line)) ??
    lines.find((line) => line !== "") ?? "no output";
}

/** A port that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
