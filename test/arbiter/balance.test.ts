// How connections even out: single decisions first, then a simulated crowd of keep-alive clients under kernels that are
// fair, and that always wake the same worker.

import { describe, expect, test } from "vitest";
import { balance, type Load } from "../../src/arbiter/balance.ts";

interface Worker extends Load {
  readonly name: string;
}

const NOW = 60_000;

function worker(name: string, connections: number | null, more: Partial<Load> = {}): Worker {
  const stats = connections === null
    ? null
    : { requests: 0, inFlight: 0, queued: 0, connections, rss: 0, cpu: 0, lag: 0, oldest: [] };
  return { name, heardAt: NOW - 500, held: false, shedAt: null, stats, ...more };
}

/** The decision in names. */
function decide(...workers: Worker[]): { hold: string[]; release: string[]; shed: string[] } {
  const { hold, release, shed } = balance(workers, NOW);
  const names = (some: readonly Worker[]): string[] => some.map(({ name }) => name);
  return {
    hold: names(hold),
    release: names(release),
    shed: shed.map(({ worker, count }) => `${worker.name} ${count}`),
  };
}

const NOTHING = { hold: [], release: [], shed: [] };

describe("balance", () => {
  test("a burst that one worker got: it is held, and sheds what is above the mean", () => {
    expect(decide(worker("a", 100), worker("b", 0))).toEqual({ hold: ["a"], release: [], shed: ["a 50"] });
  });

  test("small differences are left alone", () => {
    expect(decide(worker("a", 9), worker("b", 1))).toEqual(NOTHING);
    expect(decide(worker("a", 120), worker("b", 90))).toEqual(NOTHING);
  });

  test("while one sheds, nobody who has the mean gets it", () => {
    expect(decide(worker("a", 200), worker("b", 100), worker("c", 0)))
      .toEqual({ hold: ["a", "b"], release: [], shed: ["a 100"] });
  });

  test("who is held accepts again at about the mean, and not before", () => {
    expect(decide(worker("a", 106, { held: true }), worker("b", 100)).release).toEqual(["a"]);
    expect(decide(worker("a", 120, { held: true }), worker("b", 100)).release).toEqual([]);
  });

  test("a worker sheds again after two seconds and newer figures only", () => {
    const again = (shedAt: number, heardAt: number): string[] =>
      decide(worker("a", 100, { held: true, shedAt, heardAt }), worker("b", 0)).shed;
    expect(again(NOW - 1999, NOW - 500)).toEqual([]);
    expect(again(NOW - 2000, NOW - 2500)).toEqual([]);
    expect(again(NOW - 2000, NOW - 500)).toEqual(["a 50"]);
  });

  test("nothing is decided until a new worker has told its figures", () => {
    expect(decide(worker("a", 100), worker("b", 0), worker("c", null))).toEqual(NOTHING);
  });

  test("a worker that is silent may be unable to accept: nobody else is held", () => {
    expect(decide(worker("a", 100, { held: true }), worker("b", 0, { heardAt: NOW - 3001 })))
      .toEqual({ hold: [], release: ["a"], shed: [] });
  });

  test("the last worker is not held", () => {
    expect(decide(worker("a", 100, { held: true }))).toEqual({ hold: [], release: ["a"], shed: [] });
    expect(decide()).toEqual(NOTHING);
  });
});

/** mulberry32 */
function luckOf(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Who of those that accept gets a new connection. */
type Kernel = (accepting: readonly number[], luck: () => number) => number;

const fair: Kernel = (accepting, luck) => accepting[Math.floor(luck() * accepting.length)] as number;
const first: Kernel = (accepting) => accepting[0] as number;
/** The last one that got a connection gets the next. */
const sticky = (): Kernel => {
  let last = 0;
  return (accepting, luck) => accepting.includes(last) ? last : (last = fair(accepting, luck));
};

interface Crowd {
  /** The connections of each worker, at the end of each second. */
  readonly history: readonly (readonly number[])[];
  /** How many clients were asked to come again, in each second. */
  readonly moved: readonly number[];
}

/** `clients` connect at once, and again whenever they are told to leave. Each sends a request about once a second. */
function simulate(seed: number, workers: number, clients: number, kernel: Kernel, churn = 0): Crowd {
  const luck = luckOf(seed);
  const pool = Array.from({ length: workers }, () => ({
    connections: 0,
    shedding: 0,
    held: false,
    shedAt: null as number | null,
    known: 0,
    heardAt: 0,
  }));
  const connect = (): number => {
    const accepting = [...pool.keys()].filter((index) => !pool[index]?.held);
    expect(accepting.length).toBeGreaterThan(0);
    const chosen = kernel(accepting, luck);
    pool[chosen]!.connections++;
    return chosen;
  };
  const at = Array.from({ length: clients }, connect);
  const history: number[][] = [];
  const moved: number[] = [];
  for (let now = 1000; now < 61_000; now += 100) {
    if (now % 1000 === 0) {
      history.push(pool.map(({ connections }) => connections));
      moved.push(0);
    }
    for (const [client, index] of at.entries()) {
      if (luck() >= 0.1) continue;
      const here = pool[index]!;
      if (here.shedding > 0) {
        here.shedding--;
        moved[moved.length - 1]!++;
      } else if (luck() >= churn) {
        continue;
      }
      here.connections--;
      at[client] = connect();
    }
    for (const [index, one] of pool.entries()) {
      // The heartbeats of the workers do not come at the same time.
      if ((now / 100 + index * 3) % 10 !== 0) continue;
      one.known = one.connections;
      one.heardAt = now;
    }
    if (now % 1000 !== 500 || pool.some(({ heardAt }) => heardAt === 0)) continue;
    const loads = pool.map((one, index) => ({ ...worker(`${index}`, one.known), ...one, index }));
    const { hold, release, shed } = balance(loads, now);
    for (const { index } of hold) pool[index]!.held = true;
    for (const { index } of release) Object.assign(pool[index]!, { held: false, shedding: 0 });
    for (const { worker: { index }, count } of shed) Object.assign(pool[index]!, { shedding: count, shedAt: now });
  }
  return { history, moved };
}

describe("a crowd of clients evens out, and then stays where it is", () => {
  const kernels: readonly (readonly [string, () => Kernel])[] = [
    ["that is fair", () => fair],
    ["that always wakes the same worker", () => first],
    ["that wakes the one that ran last", sticky],
  ];
  const crowds = [2, 3, 4, 8].flatMap((workers) =>
    [10, 100, 1000].flatMap((clients) => kernels.map(([name, kernel]) => [workers, clients, name, kernel] as const))
  );
  test.each(crowds)("%i workers, %i clients, a kernel %s", (workers, clients, _name, kernel) => {
    for (let seed = 1; seed <= 3; seed++) {
      const { history, moved } = simulate(seed, workers, clients, kernel());
      const mean = clients / workers;
      const settled = history.slice(30);
      // As balance sees it: nobody is too full any more, at any time.
      for (const counts of settled) expect(Math.max(...counts)).toBeLessThanOrEqual(mean * 1.25 + 4);
      expect(moved.slice(30).every((count) => count === 0)).toBe(true);
      // At worst all that one sheds goes to one other, which sheds it in turn but for the mean: n/2 times the clients.
      expect(moved.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(clients * workers / 2);
    }
  });

  test.each(kernels)("fewer clients are moved than come and go by themselves, with a kernel %s", (_name, kernel) => {
    const { history, moved } = simulate(7, 4, 400, kernel(), 0.2);
    const fullest = history.slice(30).map((counts) => Math.max(...counts));
    // With the worst kernels one worker gets all that come in the second between two looks.
    expect(Math.max(...fullest)).toBeLessThan(100 * 1.25 + 4 + 2 * 80);
    const late = moved.slice(30).reduce((sum, count) => sum + count, 0) / moved.slice(30).length;
    expect(late).toBeLessThan(80);
  });
});
