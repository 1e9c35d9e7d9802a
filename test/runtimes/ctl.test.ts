// `tricorn ctl` and the probes against the real thing: a master with workers on each runtime. The command as a process is
// test/cli/ctl.test.ts's; here it runs in the test, and the socket is the server's.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, expect, test } from "vitest";
import { localSockets } from "../../adapters/control_socket.ts";
import type { ConfigReport, StatsReport, WorkerStatus } from "../../src/arbiter/control.ts";
import { ctl } from "../../src/cli/ctl.ts";
import { FakeHost } from "../cli/fake.ts";
import { type Address, Client } from "../support/client.ts";
import { onEachKind, type TestRuntime } from "../support/runtimes.ts";
import { type ServerOptions, type ServerProcess, withServer } from "../support/server.ts";
import { eventually } from "../support/wait.ts";

const PERMISSIONS = ["--allow-run", "--allow-write", "--allow-sys"];

class RealHost extends FakeHost {
  override readonly sockets = localSockets;
}

onEachKind("tricorn ctl", (runtime: TestRuntime) => {
  const folder = mkdtempSync(join(tmpdir(), "tricorn-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let sockets = 0;

  interface Pool {
    readonly server: ServerProcess;
    readonly socket: string;
    /** What `tricorn ctl` prints; rejects with the line that it fails with. */
    readonly tell: (command: string) => Promise<string>;
    readonly show: <T>(what: string) => Promise<T>;
    /** The workers that are ready, by pid; waits until there are `count` and nobody else. */
    readonly settled: (count: number) => Promise<number[]>;
  }

  function withPool(options: ServerOptions, body: (pool: Pool) => Promise<void>): Promise<void> {
    const socket = join(folder, `ctl${++sockets}`);
    const tell = async (command: string): Promise<string> => {
      const host = new RealHost();
      await ctl(["-s", socket, ...command.split(" ")], { host });
      return host.out;
    };
    const show = async <T>(what: string): Promise<T> => JSON.parse(await tell(`show ${what} --json`)) as T;
    const settled = async (count: number): Promise<number[]> => {
      let workers: WorkerStatus[] = [];
      await eventually(async () => {
        workers = await show<WorkerStatus[]>("workers");
        return workers.length === count && workers.every(({ state, reason }) => state === "ready" && reason === null);
      }, () => JSON.stringify(workers));
      return workers.map(({ pid }) => pid);
    };
    return withServer(
      runtime,
      { workers: 2, control_socket: socket, permissions: PERMISSIONS, ...options },
      async (server) => {
        await eventually(() => existsSync(socket), () => `no control socket:\n${server.stderr}`);
        await body({ server, socket, tell, show, settled });
      },
    );
  }

  test("shows what the workers are and do, the addresses, and the settings", async () => {
    await withPool({ keepalive: 33, graceful_timeout: 1 }, async ({ server, socket, tell, show, settled }) => {
      expect((statSync(socket).mode & 0o777).toString(8)).toBe("600");
      const pids = await settled(2);
      for (const pid of pids) expect(() => process.kill(pid, 0)).not.toThrow();
      const client = await server.connect();
      client.send("GET /gated?id=ctl HTTP/1.1\r\nHost: test\r\n\r\n");
      for (let n = 0; n < 3; n++) expect((await server.get("/hello")).status).toBe(200);
      let stats = await show<StatsReport>("stats");
      await eventually(async () => {
        stats = await show<StatsReport>("stats");
        return stats.total.requests >= 4 && stats.total.inFlight === 1;
      }, () => JSON.stringify(stats));
      expect(stats).toMatchObject({
        pid: server.pid,
        phase: "running",
        ready: true,
        workers: 2,
        target: 2,
        restarts: 0,
      });
      expect(stats.oldest).toMatchObject([{ method: "GET", target: "/gated?id=ctl" }]);
      expect(pids).toContain(stats.oldest[0]!.pid);
      expect(stats.total.rss).toBeGreaterThan(10_000_000);
      expect(stats.master.rss).toBeGreaterThan(10_000_000);
      expect(await tell("show workers")).toMatch(new RegExp(`^ID .*\\n +1 +${pids[0]} .*\\n +2 +${pids[1]} .*\\n$`));
      expect(await show("listeners")).toEqual([server.url]);
      const { settings } = await show<ConfigReport>("config");
      expect(settings).toContainEqual({ name: "keepalive", value: 33, origin: "command line" });
      expect(settings).toContainEqual(expect.objectContaining({ name: "workers", value: 2 }));
      client.destroy();
    });
  });

  test("makes the pool larger and smaller, and replaces and kills one worker", async () => {
    await withPool({}, async ({ tell, show, settled }) => {
      const first = await settled(2);
      expect(await tell("worker add")).toMatch(/^3 workers /);
      const three = await settled(3);
      expect(three).toEqual(expect.arrayContaining(first));
      expect(await tell("worker remove 2")).toMatch(/^1 worker /);
      const [only] = await settled(1);
      await expect(tell("worker remove")).rejects.toThrow(/^worker remove: .*one must stay/);
      expect(await tell(`worker kill ${only}`)).toBe(`worker ${only} is being replaced\n`);
      await eventually(async () => !(await settled(1)).includes(only!), () => "it is still there");
      const [next] = await settled(1);
      expect(await tell(`worker kill ${next} --now`)).toMatch(/was killed/);
      await eventually(async () => !(await settled(1)).includes(next!), () => "it is still there");
      // It was asked for: nothing unexpected has happened.
      expect((await show<StatsReport>("stats")).restarts).toBe(0);
      await expect(tell(`worker kill ${next}`)).rejects.toThrow(`no worker with pid ${next}`);
    });
  });

  test("reload waits for the outcome, and a failure leaves the workers as they are", async () => {
    const app = join(folder, "app.mjs");
    const write = (text: string): void => writeFileSync(app, text);
    write('export const application = (environ, start) => (start("200 OK", []), "one");');
    await withPool({ app }, async ({ server, tell, show, settled }) => {
      const before = await settled(2);
      write('export const application = (environ, start) => (start("200 OK", []), "two");');
      expect(await tell("reload")).toBe("reloaded: generation 2 serves\n");
      // At once: who is told that may connect next, and comes to no old worker.
      const answers = await Promise.all(Array.from({ length: 8 }, () => server.get("/")));
      expect(answers.map(({ text }) => text)).toEqual(answers.map(() => "two"));
      const after = await settled(2);
      expect(after.filter((pid) => before.includes(pid))).toEqual([]);
      write('throw new Error("broken on purpose");');
      await expect(tell("reload")).rejects.toThrow(/^reload: .*broken on purpose/);
      expect(await settled(2)).toEqual(after);
      expect((await server.get("/")).text).toBe("two");
      expect((await show<StatsReport>("stats")).lastReload!.error).toContain("broken on purpose");
    });
  });

  test("reopen opens the logs of all workers again", async () => {
    const log = join(folder, "access.log");
    await withPool({ accesslog: log }, async ({ server, tell, settled }) => {
      await settled(2);
      renameSync(log, `${log}.1`);
      expect(await tell("reopen")).toBe("the logs were reopened\n");
      await eventually(async () => {
        await server.get("/after");
        return existsSync(log) && readFileSync(log, "utf8").includes("GET /after");
      }, () => server.stderr);
    });
  });

  test("a new master (SIGUSR2) takes the socket over", async () => {
    await withPool({}, async ({ server, tell, show, settled }) => {
      await settled(2);
      server.signal("SIGUSR2");
      let pid = server.pid;
      try {
        await eventually(async () => {
          // Between two masters nobody may answer for a moment.
          pid = (await show<StatsReport>("stats").catch(() => ({ pid }))).pid;
          return pid !== server.pid;
        }, () => server.stderr);
        await eventually(() => server.stderr.includes(`[${server.pid}] [INFO] Shutting down`), () => server.stderr);
        expect(await settled(2)).toHaveLength(2);
        expect(await tell("shutdown")).toMatch(/shutting down/);
        expect(await server.exited()).toBe(0);
      } finally {
        if (pid !== server.pid && server.ended === null) process.kill(pid, "SIGKILL");
      }
    });
  });

  test("a new master that cannot start leaves the socket to the one that goes on", async () => {
    const file = join(folder, "how");
    writeFileSync(file, "ok");
    const options = { app: "test/runtimes/fixtures/pool.ts", env: { POOL_FILE: file } };
    await withPool(options, async ({ server, tell, show, settled }) => {
      await settled(2);
      writeFileSync(file, "throw");
      server.signal("SIGUSR2");
      await eventually(() => server.stderr.includes("Upgrade failed, this master goes on"), () => server.stderr);
      expect((await show<StatsReport>("stats")).pid).toBe(server.pid);
      await expect(tell("reload")).rejects.toThrow(/broken at import/);
      expect(await settled(2)).toHaveLength(2);
    });
  });

  test.each(["graceful", "quick"])("shutdown %s ends it, and the socket is gone", async (how) => {
    await withPool({}, async ({ server, socket, tell }) => {
      expect(await tell(`shutdown ${how}`)).toMatch(/^shutting down/);
      expect(await server.exited()).toBe(0);
      expect(existsSync(socket)).toBe(false);
    });
  });

  test("the probes say when to stop sending requests, before it stops accepting them", async () => {
    const admin: Address = { path: join(folder, "admin") };
    await withPool({ admin_bind: `unix:${admin.path}`, drain_delay: 3600 }, async ({ server, settled }) => {
      const probe = async (path: string): Promise<[number, string]> => {
        const client = await Client.connect(admin);
        const { status, text } = await client.send(`GET ${path} HTTP/1.1\r\nHost: probe\r\n\r\n`).response();
        client.destroy();
        return [status, text];
      };
      await settled(2);
      expect(await probe("/livez")).toEqual([200, "ok\n"]);
      expect(await probe("/readyz")).toEqual([200, "ok\n"]);
      server.signal("SIGTERM");
      await eventually(async () => (await probe("/readyz"))[0] === 503, () => server.stderr);
      expect(await probe("/readyz")).toEqual([503, "stopping\n"]);
      expect(await probe("/livez")).toEqual([200, "ok\n"]);
      expect((await server.get("/hello")).status).toBe(200);
      // One that comes too soon after the first is taken for its echo.
      await eventually(() => {
        server.signal("SIGTERM");
        return server.ended !== null;
      }, () => server.stderr);
      expect(server.ended).toBe(0);
    });
  });
});
