// A master that only records what it is told, for the tests of the control socket.

import type { ControlTarget, MasterStatus, WorkerStatus } from "../../src/arbiter/control.ts";

export const WORKER: WorkerStatus = {
  id: 1,
  pid: 4711,
  generation: 2,
  state: "ready",
  age: 3725,
  held: false,
  reason: null,
  requests: 1_234_567,
  inFlight: 12,
  queued: 3,
  connections: 120,
  rss: 123_456_789,
  cpu: 61_000,
  cpuPercent: 45.4,
  lag: 1.2,
  oldest: [{ method: "GET", target: "/slow\x1b[31m", age: 12_345 }],
};

export const STATUS: MasterStatus = {
  version: "1.2.3",
  runtime: "node 20.0.0",
  pid: 4700,
  startedAt: 1_700_000_000_000,
  phase: "running",
  ready: true,
  generation: 2,
  target: 2,
  restarts: 1,
  listeners: ["http://127.0.0.1:8000", "unix:/run/app.sock"],
  configFile: "/srv/tricorn.config.ts",
  settings: [
    { name: "workers", value: 2, origin: "--workers" },
    { name: "bind", value: ["127.0.0.1:8000"], origin: "default" },
    { name: "chdir", value: null, origin: "default" },
  ],
  workers: [
    WORKER,
    { ...WORKER, id: 2, pid: 4712, state: "draining", reason: "max_requests", age: 59, oldest: [], lag: 2500 },
  ],
  master: { rss: 45_600_000, cpu: 1500 },
  lastReload: { at: 1_700_000_100_000, error: "the canary did not boot" },
};

export class FakeTarget implements ControlTarget {
  readonly calls: string[] = [];
  /** What the next reload ends with. */
  reloaded: Promise<string | null> = Promise.resolve(null);

  status(): MasterStatus {
    return STATUS;
  }
  reload(): Promise<string | null> {
    this.calls.push("reload");
    return this.reloaded;
  }
  resize(by: number): string | null {
    this.calls.push(`resize ${by}`);
    return by < -1 ? "one worker must stay" : null;
  }
  retire(pid: number): string | null {
    this.calls.push(`retire ${pid}`);
    return pid === WORKER.pid ? null : `no worker has pid ${pid}`;
  }
  kill(pid: number): string | null {
    this.calls.push(`kill ${pid}`);
    return pid === WORKER.pid ? null : `no worker has pid ${pid}`;
  }
  reopen(): void {
    this.calls.push("reopen");
  }
  shutdown(graceful: boolean): void {
    this.calls.push(`shutdown ${graceful ? "graceful" : "quick"}`);
  }
}
