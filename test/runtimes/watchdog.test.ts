// The watchdog: what a thread tells of a program whose event loop is stuck, while it is; and the notes that it reads.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { Notes } from "../../adapters/watchdog.ts";
import { partsOf, requestsOf, SIZE, SLOTS } from "../../adapters/watchdog_thread.js";
import type { StuckReport } from "../../src/arbiter/messages.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

/** The descriptor of the reports in the child. */
const REPORTS = 3;

/** Line and column where handler() calls loopsUntil(): types are erased, and nothing moves. */
const CALL = readFileSync(new URL("fixtures/stuck.ts", import.meta.url), "utf8").split("\n").flatMap((line, index) => {
  const column = line.indexOf("loopsUntil(path);");
  return column === -1 ? [] : [`${index + 1}:${column + 1}`];
}).join();

class Stuck {
  stdout = "";
  stderr = "";
  ended: number | string | null = null;
  readonly #folder = mkdtempSync(join(tmpdir(), "tricorn-watchdog-"));
  readonly #child: ChildProcess;
  #reports = "";
  #freed = 0;

  constructor(runtime: TestRuntime, how: "loop" | "native" | "idle", descriptor: number = REPORTS) {
    const words = [...runtime.words([]), "test/runtimes/fixtures/stuck.ts", join(this.#folder, "free")];
    if (how === "native") execFileSync("mkfifo", [1, 2].map((n) => join(this.#folder, `free.${n}`)));
    this.#child = spawn(runtime.program, [...words, String(descriptor), how], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    const gather = (stream: Readable, to: (text: string) => void): void => {
      stream.setEncoding("utf8").on("data", to);
    };
    gather(this.#child.stdout!, (text) => this.stdout += text);
    gather(this.#child.stderr!, (text) => this.stderr += text);
    gather(this.#child.stdio[REPORTS] as Readable, (text) => this.#reports += text);
    this.#child.on("close", (code, signal) => this.ended = code ?? signal);
  }

  get reports(): StuckReport[] {
    return this.#reports.split("\n").slice(0, -1).map((line) => JSON.parse(line) as StuckReport);
  }

  /** The `count`-th report. */
  async report(count: number): Promise<StuckReport> {
    await eventually(() => this.reports.length >= count || this.ended !== null, () => `no report: ${this.stderr}`);
    expect(this.reports, `ended with ${this.ended}: ${this.stdout}${this.stderr}`).toHaveLength(count);
    return this.reports[count - 1]!;
  }

  /** Lets it go on. */
  async free(): Promise<void> {
    this.#freed++;
    writeFileSync(join(this.#folder, `free.${this.#freed}`), "");
    await eventually(() => this.turned === this.#freed, () => `it does not go on: ${this.stderr}`);
  }

  /** How often it was stuck and is no more. */
  get turned(): number {
    return this.stdout.split("it turns\n").length - 1;
  }

  async exited(): Promise<number | string> {
    await eventually(() => this.ended !== null, () => `it does not end: ${this.stdout}${this.stderr}`);
    return this.ended!;
  }

  async stop(): Promise<void> {
    if (this.ended === null) this.#child.kill("SIGKILL");
    await this.exited();
    rmSync(this.#folder, { recursive: true });
  }
}

async function withStuck(stuck: Stuck, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } finally {
    await stuck.stop();
  }
}

onEachRuntime("the watchdog", (runtime) => {
  const request = (method: string, target: string): unknown => ({ method, target, age: expect.any(Number) });

  test.concurrent("reports while the loop is stuck, again when it is stuck again, and keeps no process alive", async () => {
    const stuck = new Stuck(runtime, "loop");
    await withStuck(stuck, async () => {
      const first = await stuck.report(1);
      expect(stuck.turned).toBe(0);
      expect(first.requests).toEqual([request("POST", "/stuck?n=1"), request("GET", "/waits")]);
      // The timeout has passed since; whole milliseconds of a clock that others may set.
      for (const { age } of first.requests) expect(age).toBeGreaterThan(500);
      if (runtime.kind === "node") {
        expect(first.stack).toMatch(/^at loopsUntil \(file:\/\/\S+\/stuck\.ts:\d+:\d+\)$/m);
        expect(first.stack).toMatch(new RegExp(`^at handler \\(file://\\S+/stuck\\.ts:${CALL}\\)$`, "m"));
      } else {
        expect(first.stack).toBeNull();
      }
      await stuck.free();
      const second = await stuck.report(2);
      expect(stuck.turned).toBe(1);
      expect(second.requests).toEqual([request("PUT", "/stuck?n=2")]);
      await stuck.free();
      expect(await stuck.exited()).toBe(0);
      expect(stuck.reports).toHaveLength(2);
      expect(stuck.stderr).toBe("");
      expect(stuck.stdout).toBe("it turns\nit turns\n");
    });
  });

  test.concurrent("reports without a stack what is stuck in native code, which nothing interrupts", async () => {
    const stuck = new Stuck(runtime, "native");
    await withStuck(stuck, async () => {
      expect(await stuck.report(1)).toEqual({
        requests: [request("POST", "/stuck?n=1"), request("GET", "/waits")],
        stack: null,
      });
      expect(stuck.turned).toBe(0);
      await stuck.free();
      await stuck.report(2);
      await stuck.free();
      expect(await stuck.exited()).toBe(0);
    });
  });

  test.concurrent("that cannot start says so once, and harms nothing", async () => {
    const stuck = new Stuck(runtime, "idle", 99);
    await withStuck(stuck, async () => {
      expect(await stuck.exited()).toBe(0);
      const [problem, ...more] = stuck.stdout.split("it turns\n").filter((text) => text !== "");
      expect(problem).toMatch(/^nobody watches over the event loop: \S.*\n$/);
      expect(more).toEqual([]);
      expect(stuck.turned).toBe(2);
    });
  });
});

describe("the notes of requests", () => {
  const make = (): { notes: Notes; running: () => string[] } => {
    const memory = new SharedArrayBuffer(SIZE);
    const parts = partsOf(memory);
    return {
      notes: new Notes(memory),
      running: () => requestsOf(parts, Date.now()).map(({ method, target }) => `${method} ${target}`),
    };
  };

  test("are those that have begun and not ended, the last begun first", () => {
    const { notes, running } = make();
    expect(running()).toEqual([]);
    const slots = ["/a", "/b", "/c"].map((target) => notes.begin("GET", target));
    expect(running()).toEqual(["GET /c", "GET /b", "GET /a"]);
    notes.end(slots[1]!);
    expect(running()).toEqual(["GET /c", "GET /a"]);
    notes.begin("POST", "/d");
    expect(running()).toEqual(["POST /d", "GET /c", "GET /a"]);
  });

  test("tell the age", () => {
    const memory = new SharedArrayBuffer(SIZE);
    new Notes(memory).begin("GET", "/");
    const [began] = partsOf(memory).times;
    expect(requestsOf(partsOf(memory), began! + 1234.5)).toEqual([{ method: "GET", target: "/", age: 1235 }]);
    // The clock was set back.
    expect(requestsOf(partsOf(memory), began! - 1)[0]!.age).toBe(0);
  });

  test("forget the oldest when there are too many, whose end frees nobody else's", () => {
    const { notes, running } = make();
    const slots = Array.from({ length: SLOTS + 2 }, (_, n) => notes.begin("GET", `/${n}`));
    const expected = Array.from({ length: SLOTS }, (_, n) => `GET /${SLOTS + 1 - n}`);
    expect(running()).toEqual(expected);
    notes.end(slots[0]!);
    notes.end(slots[1]!);
    expect(running()).toEqual(expected);
    notes.end(slots[2]!);
    notes.end(slots[2]!);
    expect(running()).toEqual(expected.slice(0, -1));
    // One place is free, and no more.
    notes.begin("GET", "/x");
    notes.begin("GET", "/y");
    expect(running()).toEqual(["GET /y", "GET /x", ...expected.slice(0, -2)]);
  });

  test("mean an integer of 31 bits each, none of which is another's", () => {
    const { notes } = make();
    const slots = Array.from({ length: 10_000 }, (_, n) => {
      const slot = notes.begin("GET", "/");
      if (n % 2 === 0) notes.end(slot);
      return slot;
    });
    expect(new Set(slots).size).toBe(slots.length);
    expect(slots.every((slot) => slot >= 0 && slot === (slot | 0))).toBe(true);
  });

  test.each([
    ["a long target", "GET", "/" + "x".repeat(1000), /^GET \/x{242}$/],
    ["a long method", "M".repeat(300), "/", /^M{247} $/],
    ["a method with which no target fits", "M".repeat(246), "/", /^M{246} $/],
    ["no target", "GET", "", /^GET $/],
    ["a target with a space and a byte above 127", "GET", "/a b\xff", /^GET \/a b\xff$/],
  ])("keep what fits of %s", (_, method, target, expected) => {
    const { notes, running } = make();
    const other = notes.begin("GET", "/other");
    notes.begin(method, target);
    const next = notes.begin("GET", "/next");
    expect(running()).toEqual(["GET /next", expect.stringMatching(expected), "GET /other"]);
    notes.end(other);
    notes.end(next);
    notes.begin("A", "/shorter");
    expect(running()[0]).toBe("A /shorter");
  });
});
