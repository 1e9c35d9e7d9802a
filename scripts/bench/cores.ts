// Which cores the server and the load generator get: one each, so that neither takes the other's time.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Pins {
  /** Words before a server's command. */
  readonly server: readonly string[];
  /** Words before wrk. */
  readonly load: readonly string[];
  readonly described: string;
}

export function choosePins(): Pins {
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const [first, second] = parseCpuList(allowed);
  const none = { server: [], load: [] };
  if (second === undefined) {
    return { ...none, described: "one core for the server and wrk" };
  }
  if (spawnSync("taskset", ["--version"], { stdio: "ignore" }).error !== undefined) {
    return { ...none, described: "not pinned to cores (no taskset)" };
  }
  return {
    server: ["taskset", "-c", String(first)],
    load: ["taskset", "-c", String(second)],
    described: `server on core ${first}, wrk on core ${second}`,
  };
}

/** Reads the kernel's way to write lists: `0-3,8`. */
export function parseCpuList(text: string): number[] {
  return text.split(",").flatMap((range) => {
    const [from = NaN, to = from] = range.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}
