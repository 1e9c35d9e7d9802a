// Which cores the server and the load generator get: their own, so that neither takes the other's time.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Pins {
  /** Words before a server's command. */
  readonly server: readonly string[];
  /** Words before wrk. */
  readonly load: readonly string[];
  readonly described: string;
}

/** Those of several processes on two cores. */
export interface PoolPins extends Pins {
  /** How many cores the pool has. */
  readonly cores: number;
  /** Whether wrk has to run on the same cores. */
  readonly shared: boolean;
}

export function choosePins(): Pins {
  const [first, second] = allowedCores();
  const none = { server: [], load: [] };
  if (second === undefined) {
    return { ...none, described: "one core for the server and wrk" };
  }
  if (!hasTaskset()) return { ...none, described: "not pinned to cores (no taskset)" };
  return {
    server: ["taskset", "-c", String(first)],
    load: ["taskset", "-c", String(second)],
    described: `server on core ${first}, wrk on core ${second}`,
  };
}

/** Two cores for the pool and a third for wrk; where there is none, wrk takes its time from the pool's. */
export function choosePoolPins(): PoolPins {
  const [first, second, third] = allowedCores();
  if (third === undefined || !hasTaskset()) {
    const cores = allowedCores().length;
    return { server: [], load: [], cores, shared: true, described: `pool and wrk share ${cores} cores` };
  }
  return {
    server: ["taskset", "-c", `${first},${second}`],
    load: ["taskset", "-c", String(third)],
    cores: 2,
    shared: false,
    described: `pool on cores ${first} and ${second}, wrk on core ${third}`,
  };
}

function allowedCores(): number[] {
  return parseCpuList(
    /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0",
  );
}

function hasTaskset(): boolean {
  return spawnSync("taskset", ["--version"], { stdio: "ignore" }).error === undefined;
}

/** Reads the kernel's way to write lists: `0-3,8`. */
export function parseCpuList(text: string): number[] {
  return text.split(",").flatMap((range) => {
    const [from = NaN, to = from] = range.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}
