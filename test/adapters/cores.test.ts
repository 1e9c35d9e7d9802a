// The processors that a cgroup gives, from what the system's files say in containers, services and plain shells.

import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { availableCores } from "../../adapters/cores.ts";
import { onEachRuntime, ROOT } from "../support/runtimes.ts";

const V1 = "5:cpuset:/other\n4:cpu,cpuacct:/docker/abc\n0::/\n";

describe("availableCores", () => {
  test.each<[string, Readonly<Record<string, string>>, number]>([
    ["nothing can be read", {}, 8],
    ["no limit", { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" }, 8],
    ["a container", { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "300000 100000\n" }, 3],
    ["a container without /proc", { "/sys/fs/cgroup/cpu.max": "200000 100000\n" }, 2],
    ["a part of a processor is rounded down", { "/sys/fs/cgroup/cpu.max": "290000 100000\n" }, 2],
    ["and never to none", { "/sys/fs/cgroup/cpu.max": "50000 100000\n" }, 1],
    ["more than there are", { "/sys/fs/cgroup/cpu.max": "9900000 100000\n" }, 8],
    ["a service whose slice is limited", {
      "/proc/self/cgroup": "0::/system.slice/web.service\n",
      "/sys/fs/cgroup/system.slice/web.service/cpu.max": "500000 100000\n",
      "/sys/fs/cgroup/system.slice/cpu.max": "400000 100000\n",
    }, 4],
    ["another's limit", { "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/b/cpu.max": "100000 100000\n" }, 8],
    ["version 1", {
      "/proc/self/cgroup": V1,
      "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "250000\n",
      "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "50000\n",
    }, 5],
    ["version 1, where a container sees its group as the root", {
      "/proc/self/cgroup": V1,
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }, 2],
    ["version 1 without limit", {
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }, 8],
    ["what makes no sense is no limit", { "/sys/fs/cgroup/cpu.max": "nonsense\n" }, 8],
  ])("%s", (_, files, expected) => {
    expect(availableCores((path) => files[path] ?? null, 8)).toBe(expected);
  });
});

onEachRuntime("availableCores", (runtime) => {
  test("is an integer from 1, with the permissions that every server has", () => {
    const words = [...runtime.words([]), "test/adapters/fixtures/cores.ts"];
    const count = Number(execFileSync(runtime.program, words, { cwd: ROOT, encoding: "utf8" }));
    expect(Number.isInteger(count) && count >= 1, String(count)).toBe(true);
  });
});
