// How many processors this process may use, for `workers: "auto"`: those that the system lets it run on, or fewer where
// its cgroup, as of a container, gives it less time than that.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Reads a file of the system; null when there is none, or it may not be read. */
export type ReadFile = (path: string) => string | null;

/**
 * The processors that this process may use, at least 1. A quota is rounded down: 1.5 is 1 worker, since each has helper
 * threads (compiler, garbage collector) that use the half, while a second worker would have both stopped for a part of
 * each period.
 *
 * What cannot be read is no limit.
 */
export function availableCores(read: ReadFile = readSystem, processors: number = availableParallelism()): number {
  return Math.max(1, Math.min(processors, Math.floor(quota(read))));
}

/** Processors that the cgroups give, as a fraction; Infinity when they set no limit. */
function quota(read: ReadFile): number {
  // Lines are "ID:CONTROLLERS:PATH"; version 2 has ID 0 and no controllers (cgroups(7)).
  const groups = (read("/proc/self/cgroup") ?? "").split("\n").map((line) => /^(\d+):([^:]*):(.*)$/.exec(line));
  const own = (isWanted: (id: string, controllers: readonly string[]) => boolean): string =>
    groups.find((group) => group !== null && isWanted(group[1]!, group[2]!.split(",")))?.[3] ?? "/";
  const limits = [
    ...ancestors(own((id) => id === "0")).map((path) => version2(read, `/sys/fs/cgroup${path}`)),
    ...ancestors(own((_, controllers) => controllers.includes("cpu")))
      .map((path) => version1(read, `/sys/fs/cgroup/cpu${path}`)),
  ];
  return Math.min(...limits);
}

/** "/a/b" -> "/a/b/", "/a/", "/": a limit binds all that is below it. */
function ancestors(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  return Array.from({ length: names.length + 1 }, (_, up) => {
    const rest = names.slice(0, names.length - up);
    return rest.length === 0 ? "/" : `/${rest.join("/")}/`;
  });
}

/** cpu.max is "QUOTA PERIOD" in microseconds, or "max PERIOD" (Linux: admin-guide/cgroup-v2). */
function version2(read: ReadFile, folder: string): number {
  const [limit, period] = (read(`${folder}cpu.max`) ?? "").split(/\s/);
  return share(limit, period);
}

/** -1 is no limit (Linux: scheduler/sched-bwc). */
function version1(read: ReadFile, folder: string): number {
  return share(read(`${folder}cpu.cfs_quota_us`)?.trim(), read(`${folder}cpu.cfs_period_us`)?.trim());
}

function share(limit: string | undefined, period: string | undefined): number {
  const cores = Number(limit) / Number(period);
  return cores > 0 ? cores : Infinity;
}

function readSystem(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as Error).name !== "NotCapable") return null;
  }
  // Deno reads /proc and /sys with --allow-all only. But who has workers may run programs, and `cat` is in this cgroup, too.
  try {
    const { status, stdout } = spawnSync("cat", [path], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return status === 0 ? stdout : null;
  } catch {
    return null;
  }
}
