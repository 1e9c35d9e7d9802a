// One server as a process: started, asked for its CPU time and memory, stopped. Linux only, for /proc.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
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

  /** CPU time until now, in seconds: user and system, of all threads. */
  cpu(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
    // The second field may contain spaces and parentheses; the last parenthesis ends it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Resident memory in kB. */
  rss(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1]);
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    while (this.#exited === null) await sleep(5);
  }
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
