// dev_host_main.ts, at work on a runtime: what it says, and the end of it.

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { afterEach } from "vitest";
import { ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
});

export interface Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What stands before the program, which must become it. */
  readonly before?: readonly string[];
}

/** The words that start it. */
export function wordsOf(runtime: TestRuntime, words: readonly string[]): readonly [string, ...string[]] {
  // All, as runserver is started: /proc is shown to nobody else.
  const before = runtime.kind === "deno" ? ["run", "--no-prompt", "--allow-all"] : runtime.words([]);
  return [runtime.program, ...before, "test/adapters/dev_host_main.ts", ...words];
}

export class Program {
  code: number | null = null;
  stderr = "";
  readonly #child: ChildProcess;
  #stdout = "";

  constructor(runtime: TestRuntime, words: readonly string[], { env = {}, before = [] }: Surroundings = {}) {
    const [program, ...rest] = [...before, ...wordsOf(runtime, words)] as [string, ...string[]];
    this.#child = spawn(program, rest, { cwd: ROOT, stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
    running.add(this.#child);
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#stdout += text);
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    this.#child.on("close", (code) => {
      this.code = code ?? -1;
      running.delete(this.#child);
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get lines(): readonly Readonly<Record<string, unknown>>[] {
    return this.#stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** What it says under `key`, in order. */
  said(key: string): readonly unknown[] {
    return this.lines.filter((line) => key in line).map((line) => line[key]);
  }

  /** The first that it says under `key` that is `wanted`, or anything. */
  async says(key: string, wanted?: unknown): Promise<unknown> {
    const found = () => this.said(key).find((value) => wanted === undefined || value === wanted);
    await eventually(
      () => found() !== undefined || this.code !== null,
      () => `it does not say ${key} ${wanted}:\n${JSON.stringify(this.lines)}\n${this.stderr}`,
    );
    if (found() === undefined) throw new Error(`it ended with ${this.code}:\n${this.#stdout}\n${this.stderr}`);
    return found();
  }

  write(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  async end(): Promise<void> {
    this.#child.stdin!.end();
    await eventually(() => this.code !== null, () => "it does not end");
  }
}
