// Events into batches, on a clock that the test turns.

import { describe, expect, test } from "vitest";
import { type Batch, Changes, type Clock, ENDLESS, isTemporary, LONGEST, PAUSE, QUIET } from "../../src/dev/changes.ts";

/** A clock that stands still until it is turned. */
class TestClock implements Clock {
  #now = 1_000_000;
  #timers = new Map<symbol, { at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const key = Symbol();
    this.#timers.set(key, { at: this.#now + milliseconds, callback });
    return () => void this.#timers.delete(key);
  }

  get waiting(): number {
    return this.#timers.size;
  }

  turn(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.#now = next[1].at;
      next[1].callback();
    }
    this.#now = end;
  }
}

function gather(): { changes: Changes; batches: Batch[]; endless: string[][]; clock: TestClock } {
  const clock = new TestClock();
  const batches: Batch[] = [];
  const endless: string[][] = [];
  const changes = new Changes({
    onBatch: (batch) => batches.push(batch),
    onEndless: (paths) => endless.push([...paths]),
    clock,
  });
  return { changes, batches, endless, clock };
}

describe("batches", () => {
  test("a save of several events is one batch, with the time of the first", () => {
    const { changes, batches, clock } = gather();
    const at = clock.now();
    changes.add("/p/a.ts");
    clock.turn(5);
    changes.add("/p/a.ts");
    changes.add("/p/b.ts");
    clock.turn(QUIET - 1);
    expect(batches).toEqual([]);
    clock.turn(1);
    expect(batches).toEqual([{ paths: ["/p/a.ts", "/p/b.ts"], styles: false, at }]);
    expect(clock.waiting).toBe(0);
  });

  test("events that go on and on are told after a while, and what follows is a batch of its own", () => {
    const { changes, batches, clock } = gather();
    for (let i = 0; i < 60; i++) {
      changes.add(`/p/${i}.ts`);
      clock.turn(10);
    }
    clock.turn(QUIET);
    expect(batches.length).toBeGreaterThanOrEqual(600 / LONGEST);
    expect(batches.flatMap(({ paths }) => paths)).toEqual(Array.from({ length: 60 }, (_, i) => `/p/${i}.ts`));
    expect(clock.waiting).toBe(0);
  });

  test.each([
    [["/p/a.css", "/p/b.CSS"], true],
    [["/p/a.css", "/p/b.ts"], false],
    [["/p/a.css.ts"], false],
  ])("%j are style sheets only: %s", (paths, styles) => {
    const { changes, batches, clock } = gather();
    for (const path of paths) changes.add(path);
    clock.turn(QUIET);
    expect(batches.map((batch) => batch.styles)).toEqual([styles]);
  });

  test("what is temporary makes no batch, and does not make one longer", () => {
    const { changes, batches, clock } = gather();
    changes.add("/p/.a.ts.swp");
    clock.turn(QUIET);
    expect(batches).toEqual([]);
    changes.add("/p/a.ts");
    clock.turn(QUIET - 1);
    changes.add("/p/4913");
    clock.turn(1);
    expect(batches.map(({ paths }) => paths)).toEqual([["/p/a.ts"]]);
  });

  test("after close() nothing is told", () => {
    const { changes, batches, clock } = gather();
    changes.add("/p/a.ts");
    changes.close();
    changes.add("/p/b.ts");
    clock.turn(LONGEST);
    expect(batches).toEqual([]);
    expect(clock.waiting).toBe(0);
  });
});

describe("what the application writes itself", () => {
  test("waits once it has followed some reloads in a row, and is told of once", () => {
    const { changes, batches, endless, clock } = gather();
    changes.add("/p/app.ts");
    clock.turn(100);
    for (let i = 0; i < ENDLESS + 3; i++) {
      changes.ready();
      clock.turn(50);
      changes.add("/p/state.json");
      clock.turn(QUIET);
    }
    expect(batches.length).toBe(ENDLESS);
    expect(endless).toEqual([["/p/state.json"]]);
    clock.turn(PAUSE);
    expect(batches.length).toBe(ENDLESS + 1);
    expect(batches.at(-1)!.paths).toEqual(["/p/state.json"]);
  });

  test("waits too when it is written while the code loads", () => {
    const { changes, batches, endless, clock } = gather();
    changes.add("/p/app.ts");
    clock.turn(100);
    changes.ready();
    clock.turn(5000);
    changes.add("/p/app.ts");
    for (let i = 0; i < ENDLESS + 3; i++) {
      clock.turn(100);
      changes.add("/p/state.json");
      clock.turn(100);
      changes.ready();
    }
    expect(endless).toEqual([["/p/state.json"]]);
    expect(batches.length).toBe(1 + ENDLESS);
  });

  test("waits too when each writing falls into the reload that follows the one before", () => {
    const { changes, batches, endless, clock } = gather();
    changes.add("/p/app.ts");
    clock.turn(100);
    changes.ready();
    clock.turn(5000);
    changes.add("/p/app.ts");
    for (let i = 0; i < ENDLESS; i++) {
      // Told of just before the reload has ended, so that the next one begins with its end.
      clock.turn(700);
      changes.add("/p/log");
      clock.turn(QUIET);
      if (i < ENDLESS - 1) changes.ready();
    }
    expect(endless).toEqual([["/p/log"]]);
    expect(batches.length).toBe(2 + ENDLESS - 1);
  });

  test("counts again when it changes at another time", () => {
    const { changes, batches, clock } = gather();
    changes.add("/p/app.ts");
    clock.turn(100);
    for (let i = 0; i < ENDLESS + 3; i++) {
      changes.ready();
      changes.add("/p/state.json");
      clock.turn(QUIET);
    }
    clock.turn(10_000);
    changes.add("/p/state.json");
    clock.turn(QUIET);
    expect(batches.at(-1)!.paths).toEqual(["/p/state.json"]);
    expect(batches.length).toBe(2 + ENDLESS);
  });

  test("does not hide what a person saves meanwhile", () => {
    const { changes, batches, clock } = gather();
    changes.add("/p/app.ts");
    clock.turn(100);
    for (let i = 0; i < ENDLESS + 3; i++) {
      changes.ready();
      changes.add("/p/state.json");
      clock.turn(QUIET);
    }
    changes.add("/p/state.json");
    changes.add("/p/app.ts");
    clock.turn(QUIET);
    expect(batches.at(-1)!.paths).toEqual(["/p/state.json", "/p/app.ts"]);
  });

  test("is not what a person saves once a second, nor many times while slow code loads", () => {
    const { changes, batches, endless, clock } = gather();
    for (let i = 0; i < 30; i++) {
      changes.add("/p/app.ts");
      clock.turn(200);
      changes.ready();
      clock.turn(800);
    }
    expect(batches.length).toBe(30);
    changes.add("/p/app.ts");
    clock.turn(QUIET);
    for (let i = 0; i < 30; i++) {
      changes.add("/p/app.ts");
      clock.turn(200);
    }
    expect(batches.length).toBe(61);
    expect(endless).toEqual([]);
  });
});

describe("isTemporary", () => {
  test.each([
    "4913",
    "a.ts~",
    ".a.ts.swp",
    ".a.ts.swx",
    ".a.ts.swo",
    "#a.ts#",
    ".#a.ts",
    "a.ts___jb_tmp___",
    "a.ts___jb_old___",
    "a.ts.tmp",
    "a.ts.tmp.123",
    "a.ts.tmp-1a2b3c",
    "package.json.3528347598",
    ".goutputstream-ABC123",
    "sedAbC123",
    ".DS_Store",
    "._a.ts",
    "tricorn.config.ts.timestamp-1712345678901-3f2a1b.mjs",
    "notes.txt.bak",
  ])("%s is", (name) => expect(isTemporary(`/p/src/${name}`)).toBe(true));

  test.each([
    "a.ts",
    "tmp.ts",
    "a.tmp.ts",
    "settings.ts",
    "sediment",
    "style.css",
    ".env",
    ".env.local",
    "404.html",
    "v1.2",
    "2024.md",
    "swap.swift",
    "template.html",
    "_middleware.ts",
  ])("%s is not", (name) => expect(isTemporary(`/p/src/${name}`)).toBe(false));

  test("a folder's name says nothing", () => expect(isTemporary("/home/me~/4913/a.ts")).toBe(false));
});
