// The master and its workers as real processes: what signals do, what a reload does with good and with bad code, and what
// becomes of workers that crash, hang, or grow. That no request is lost meanwhile is zero_loss.test.ts's.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect as connectPlain, createServer, type NetConnectOpts } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect } from "node:tls";
import { afterAll, describe, expect, test } from "vitest";
import { onEachKind, ROOT } from "../support/runtimes.ts";
import { ServerProcess, startServer, withServer } from "../support/server.ts";
import { eventually, sleep } from "../support/wait.ts";

const PERMISSIONS = ["--allow-run", "--allow-write"];
const POOL = { app: "test/runtimes/fixtures/pool.ts", workers: 2, permissions: PERMISSIONS } as const;

const HAS_OPENSSL = spawnSync("openssl", ["version"]).status === 0;

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder of a test's own. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tricorn-pool-"));
  // Workers may be somebody else.
  chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

/** The process ids of the workers that live. */
function workers(server: ServerProcess): number[] {
  try {
    return execFileSync("pgrep", ["-P", String(server.pid)], { encoding: "utf8" }).trim().split("\n").map(Number);
  } catch {
    return [];
  }
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Waits until the log has `text`, so many times. */
async function logged(server: ServerProcess, text: string | RegExp, times = 1): Promise<void> {
  const count = (): number => server.stderr.split(text).length - 1;
  await eventually(() => count() >= times, () => `the log has ${String(text)} ${count()} times:\n${server.stderr}`);
}

/** Waits until so many workers were said to be ready. */
const ready = (server: ServerProcess, times: number): Promise<void> => logged(server, / is ready\n/, times);

const text = async (server: ServerProcess, target = "/"): Promise<string> => (await server.get(target)).text;

/** Why nobody can connect to `address`; null when somebody can. */
const connectionError = (address: NetConnectOpts): Promise<string | null> =>
  new Promise((resolve) => {
    const socket = connectPlain(address, () => {
      socket.destroy();
      resolve(null);
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? ""));
  });

onEachKind("a pool", (runtime) => {
  test("workers serve; SIGTERM ends them all, with 0", async () => {
    const server = await startServer(runtime, POOL);
    await ready(server, 2);
    const pids = workers(server);
    expect(pids).toHaveLength(2);
    const [pid] = (await text(server)).split(" ");
    expect(pids).toContain(Number(pid));
    const slow = text(server, "/sleep?300");
    await eventually(async () => (await text(server)) !== "", () => server.stderr);
    server.signal("SIGTERM");
    expect(await slow).toMatch(/^\d+ 1$/);
    expect(await server.exited()).toBe(0);
    expect(pids.some(alive)).toBe(false);
  });

  test("who connects while the last requests finish is refused, and not left to wait for the end", async () => {
    const path = join(newFolder(), "sock");
    const server = await startServer(runtime, { ...POOL, words: ["--bind", `unix:${path}`] });
    await ready(server, 2);
    const client = await server.connect();
    client.send("GET /sleep?100000 HTTP/1.1\r\nHost: test\r\n\r\n");
    await text(server);
    server.signal("SIGTERM");
    const tcp = { host: "127.0.0.1", port: server.port };
    await eventually(async () => await connectionError(tcp) === "ECONNREFUSED", () => server.stderr);
    await eventually(async () => await connectionError({ path }) === "ENOENT", () => server.stderr);
    expect(workers(server).length).toBeGreaterThan(0);
    server.signal("SIGQUIT");
    expect(await server.exited()).toBe(0);
  });

  test("SIGQUIT cuts what runs", async () => {
    const server = await startServer(runtime, POOL);
    await ready(server, 2);
    const client = await server.connect();
    client.send("GET /sleep?100000 HTTP/1.1\r\nHost: test\r\n\r\n");
    await text(server);
    server.signal("SIGQUIT");
    expect(await server.exited()).toBe(0);
    await server.stop();
  });

  test("SIGTTIN and SIGTTOU add and take a worker, SIGHUP forgets that", async () => {
    await withServer(runtime, POOL, async (server) => {
      await ready(server, 2);
      server.signal("SIGTTIN");
      await ready(server, 3);
      expect(workers(server)).toHaveLength(3);
      // One by one: the system merges signals that have not been taken yet.
      for (const left of [2, 1, 1]) {
        server.signal("SIGTTOU");
        await eventually(() => workers(server).length === left, () => server.stderr);
      }
      await logged(server, /Handling signal: SIGTTOU\n.* drains: fewer workers\n/);
      // That is for a daemon only.
      server.signal("SIGWINCH");
      const [last] = workers(server);
      expect(await text(server)).toBe(`${last} 1`);
      server.signal("SIGHUP");
      await logged(server, "Reloaded");
      await eventually(() => workers(server).length === 2, () => server.stderr);
      expect(workers(server)).not.toContain(last);
      expect(server.stderr).not.toContain("SIGWINCH");
    });
  });

  test("SIGUSR1 reopens the logs, of the master and of the workers", async () => {
    const folder = newFolder();
    const log = join(folder, "error.log");
    const access = join(folder, "access.log");
    const options = { ...POOL, errorlog: log, accesslog: access, bind: `unix:${join(folder, "sock")}` };
    const server = new ServerProcess(runtime, options);
    const read = (path: string): string => {
      try {
        return readFileSync(path, "utf8");
      } catch {
        return "";
      }
    };
    await eventually(() => read(log).split(" is ready\n").length === 3, () => server.stderr + read(log));
    server.at({ path: join(folder, "sock") });
    renameSync(log, `${log}.1`);
    renameSync(access, `${access}.1`);
    server.signal("SIGUSR1");
    await eventually(() => read(log).includes("the logs were reopened"), () => read(`${log}.1`));
    await eventually(async () => {
      await server.get("/");
      return read(access).includes("GET / HTTP/1.1");
    }, () => read(`${access}.1`));
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(0);
    expect(read(log)).toContain("Shutting down");
    await server.stop();
  });

  describe("a reload", () => {
    test("takes up new code and a new configuration; what is broken changes nothing", async () => {
      const folder = newFolder();
      const file = join(folder, "how");
      const config = join(folder, "tricorn.config.json");
      writeFileSync(file, "ok 1");
      writeFileSync(config, `{ "workers": 2, "raw_env": ["COLOUR=red"] }`);
      const { workers: _, ...pool } = POOL;
      const options = { ...pool, words: ["-c", config], env: { POOL_FILE: file } };
      await withServer(runtime, options, async (server) => {
        await ready(server, 2);
        const first = workers(server);
        expect(await text(server)).toMatch(/ 1$/);
        expect(await text(server, "/env?COLOUR")).toBe("red");

        writeFileSync(file, "throw");
        server.signal("SIGHUP");
        await logged(server, "broken at import");
        await logged(server, "Reload failed", 1);
        writeFileSync(file, "hang");
        writeFileSync(config, `{ "workers": 2, "boot_timeout": 1 }`);
        server.signal("SIGHUP");
        await logged(server, "Reload failed", 2);
        writeFileSync(file, "ok 2");
        writeFileSync(config, `{ "wrokers": 2 }`);
        server.signal("SIGHUP");
        await logged(server, "Reload failed", 3);
        expect(server.stderr).toContain('"wrokers"; did you mean "workers"?');
        // The one that hung is killed, and may not have gone yet.
        await eventually(() => `${workers(server).sort()}` === `${first.sort()}`, () => `${first}, ${workers(server)}`);
        expect(await text(server)).toMatch(/ 1$/);

        writeFileSync(config, `{ "workers": 3, "raw_env": ["COLOUR=blue"] }`);
        server.signal("SIGHUP");
        await logged(server, "Reloaded");
        await eventually(() => workers(server).length === 3, () => server.stderr);
        expect(workers(server).filter((pid) => first.includes(pid))).toEqual([]);
        expect(await text(server)).toMatch(/ 2$/);
        expect(await text(server, "/env?COLOUR")).toBe("blue");
      });
    });

    test("follows the link in which the server was started", async () => {
      const folder = newFolder();
      for (const version of [1, 2]) {
        mkdirSync(join(folder, String(version)));
        writeFileSync(
          join(folder, String(version), "app.mjs"),
          `export const application = (environ, startResponse) => (startResponse("200 OK", []), "${version}");`,
        );
      }
      const current = join(folder, "current");
      symlinkSync("1", current);
      const words = runtime.words(PERMISSIONS).map((word) => word.startsWith("./") ? join(ROOT, word) : word);
      const child = spawn(
        runtime.program,
        [...words, join(ROOT, "adapters/bin.ts"), "serve", "app.mjs", "-w", "1", "-b", "127.0.0.1:0"],
        { cwd: current, env: { ...process.env, PWD: current }, stdio: ["ignore", "ignore", "pipe"] },
      );
      let stderr = "";
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk);
      try {
        await eventually(() => stderr.includes("Listening at"), () => stderr);
        const url = /Listening at: (.*)\n/.exec(stderr)![1]!;
        const get = async (): Promise<string> => await (await fetch(url, { headers: { connection: "close" } })).text();
        expect(await get()).toBe("1");
        symlinkSync("2", `${current}.new`);
        renameSync(`${current}.new`, current);
        child.kill("SIGHUP");
        await eventually(() => stderr.includes("Reloaded"), () => stderr);
        await eventually(async () => await get() === "2", () => stderr);
      } finally {
        child.kill("SIGTERM");
      }
    });

    test("gives an address back that is no longer asked for, while old workers still finish", async () => {
      const folder = newFolder();
      const config = join(folder, "tricorn.config.json");
      const [kept, dropped] = [join(folder, "kept"), join(folder, "dropped")] as const;
      const configure = (...paths: string[]): void =>
        writeFileSync(config, JSON.stringify({ bind: paths.map((path) => `unix:${path}`) }));
      configure(kept, dropped);
      const server = new ServerProcess(runtime, { ...POOL, bind: [], words: ["-c", config] });
      try {
        await ready(server, 2);
        const client = await server.at({ path: kept }).connect();
        client.send("GET /sleep?100000 HTTP/1.1\r\nHost: test\r\n\r\n");
        await text(server);
        expect(await connectionError({ path: dropped })).toBe(null);
        configure(kept);
        server.signal("SIGHUP");
        await logged(server, "Reloaded");
        await eventually(async () => await connectionError({ path: dropped }) === "ENOENT", () => server.stderr);
        expect(await text(server)).toMatch(/ 1$/);
        server.signal("SIGQUIT");
        expect(await server.exited()).toBe(0);
      } finally {
        await server.stop();
      }
    });

    test("follows the file of touch_reload", async () => {
      const folder = newFolder();
      const touched = join(folder, "touch");
      writeFileSync(touched, "");
      await withServer(runtime, { ...POOL, touch_reload: touched }, async (server) => {
        await ready(server, 2);
        const first = workers(server);
        writeFileSync(touched, "now");
        await logged(server, "Reloaded");
        await eventually(() => workers(server).length === 2, () => server.stderr);
        expect(workers(server).filter((pid) => first.includes(pid))).toEqual([]);
      });
    });
  });

  test.skipIf(!HAS_OPENSSL)("TLS, and certificates that change (skipped without openssl)", async () => {
    const folder = newFolder();
    const certificate = (name: string): void => {
      const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
      const files = ["-keyout", join(folder, "key.new"), "-out", join(folder, "cert.new")];
      const subject = ["-subj", `/CN=${name}`, "-days", "1", "-nodes"];
      execFileSync("openssl", ["req", "-x509", ...key, ...files, ...subject], { stdio: "ignore" });
      renameSync(join(folder, "key.new"), join(folder, "key"));
      renameSync(join(folder, "cert.new"), join(folder, "cert"));
    };
    certificate("one");
    const files = { certfile: join(folder, "cert"), keyfile: join(folder, "key") };
    await withServer(runtime, { ...POOL, ...files }, async (server) => {
      await ready(server, 2);
      const name = (): Promise<string> =>
        new Promise((resolve, reject) => {
          const socket = connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
            resolve(String(socket.getPeerCertificate().subject.CN));
            socket.end();
          });
          socket.on("error", reject);
        });
      expect(await name()).toBe("one");
      certificate("two");
      await logged(server, "Reloaded");
      expect(await name()).toBe("two");
    });
  });

  test("reuse_port: each worker has a socket of its own, or the runtime is named that cannot", async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const bind = `127.0.0.1:${(free.address() as AddressInfo).port}`;
    await new Promise((resolve) => free.close(resolve));
    const server = new ServerProcess(runtime, { ...POOL, bind, reuse_port: true });
    // Node 20 ignores the option that later versions have.
    if (runtime.name === "node" && process.versions.node.startsWith("20.")) {
      expect(await server.exited()).toBe(1);
      expect(server.stderr).toMatch(/Node 22.*; leave reuse_port \(--reuse-port\) out\n/);
      return;
    }
    await server.ready();
    await ready(server, 2);
    const pids = new Set<string>();
    await eventually(async () => {
      pids.add(await text(server));
      return pids.size === 2;
    }, () => server.stderr);
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(0);
  });

  test("SIGUSR2: another master takes over, and this one ends", async () => {
    const folder = newFolder();
    const pidfile = join(folder, "pid");
    const server = await startServer(runtime, { ...POOL, pidfile });
    await ready(server, 2);
    expect(readFileSync(pidfile, "utf8").trim()).toBe(String(server.pid));
    server.signal("SIGUSR2");
    await logged(server, "serves; this one ends");
    // Not exited(): the next master has the same standard streams, and they stay open.
    await eventually(() => !alive(server.pid), () => server.stderr);
    // For a moment there is none: the former master has taken its own away.
    await eventually(() => existsSync(pidfile), () => server.stderr);
    const next = Number(readFileSync(pidfile, "utf8"));
    expect(next).not.toBe(server.pid);
    try {
      expect(await text(server)).toMatch(/^\d+ 1$/);
    } finally {
      process.kill(next, "SIGTERM");
    }
    await eventually(() => !alive(next), () => server.stderr);
    await server.stop();
  });

  describe("trouble", () => {
    test("a worker that dies is replaced", async () => {
      await withServer(runtime, POOL, async (server) => {
        await ready(server, 2);
        const client = await server.connect();
        client.send("GET /exit?9 HTTP/1.1\r\nHost: test\r\n\r\n");
        await ready(server, 3);
        expect(server.stderr).toMatch(/\[ERROR\] Worker \d+ \(pid:\d+\) .*code 9/);
        const [victim] = workers(server);
        process.kill(victim!, "SIGKILL");
        await ready(server, 4);
        await eventually(() => workers(server).length === 2, () => server.stderr);
        expect(workers(server)).not.toContain(victim);
        expect(await text(server)).toMatch(/ 1$/);
      });
    });

    test("a worker whose event loop stands still is killed, and its request named", async () => {
      const folder = newFolder();
      const told = join(folder, "told");
      const config = join(folder, "tricorn.config.mjs");
      writeFileSync(
        config,
        `import { writeFileSync } from "node:fs";
         export const worker_timeout = (server, worker, report) => writeFileSync(${JSON.stringify(told)},
           JSON.stringify({ master: server.pid, worker: worker.pid, report }));`,
      );
      await withServer(runtime, { ...POOL, timeout: 1, words: ["-c", config] }, async (server) => {
        await ready(server, 2);
        const client = await server.connect();
        client.send("GET /block?1000000&secret=no HTTP/1.1\r\nHost: test\r\n\r\n".replace("&secret=no", ""));
        await logged(server, "WORKER TIMEOUT");
        await logged(server, /GET \/block\?1000000 \(\d/);
        if (runtime.kind === "node") await logged(server, /at blockFor \(.*pool\.ts/);
        await ready(server, 3);
        await eventually(() => workers(server).length === 2, () => server.stderr);
        expect(await text(server)).toMatch(/ 1$/);
        const hook = JSON.parse(readFileSync(told, "utf8"));
        expect(hook.master).toBe(server.pid);
        expect(hook.report.requests[0]).toMatchObject({ method: "GET", target: "/block?1000000" });
      });
    });

    test("what cannot boot ends the command: 3, 4, 5, and a taken port 1", async () => {
      const folder = newFolder();
      const file = join(folder, "how");
      const started = (how: string, more: object = {}): ServerProcess => {
        writeFileSync(file, how);
        return new ServerProcess(runtime, { ...POOL, env: { POOL_FILE: file }, ...more });
      };
      const broken = started("throw");
      expect(await broken.exited()).toBe(3);
      expect(broken.stderr).toContain("broken at import");
      const none = started("ok", { app: `${POOL.app}:nothing` });
      expect(await none.exited()).toBe(4);
      const loop = started("exit", { max_restarts: 2 });
      expect(await loop.exited()).toBe(5);
      const blocker = createServer();
      await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
      const address = `127.0.0.1:${(blocker.address() as AddressInfo).port}`;
      const taken = started("ok", { bind: address, admin_bind: "127.0.0.1:0" });
      expect(await taken.exited()).toBe(1);
      expect(taken.stderr).not.toContain("Probes at");
      expect(taken.stderr.match(/the address is in use; trying again in 1 second/g)).toHaveLength(4);
      blocker.close();
    });

    test("a master that is killed leaves no worker behind", async () => {
      const server = await startServer(runtime, POOL);
      await ready(server, 2);
      const pids = workers(server);
      server.signal("SIGKILL");
      await eventually(() => !pids.some(alive), () => server.stderr);
      await server.stop();
    });

    test("not even one that hangs", async () => {
      const server = await startServer(runtime, { ...POOL, timeout: 1 });
      await ready(server, 2);
      const pids = workers(server);
      const client = await server.connect();
      client.send("GET /block?1000000 HTTP/1.1\r\nHost: test\r\n\r\n");
      // The other one may be given this, and answers.
      await sleep(100);
      server.signal("SIGKILL");
      await eventually(() => !pids.some(alive), () => server.stderr);
      await server.stop();
    });
  });

  describe("recycling", () => {
    test("after max_requests, the new one first", async () => {
      await withServer(runtime, { ...POOL, workers: 1, max_requests: 5 }, async (server) => {
        const seen = new Set<string>();
        await eventually(async () => {
          seen.add(await text(server));
          return seen.size >= 3;
        }, () => server.stderr);
        expect(server.stderr).not.toContain("[ERROR]");
      });
    });

    test("after max_worker_lifetime, and above max_worker_memory", async () => {
      await withServer(runtime, { ...POOL, workers: 1, max_worker_lifetime: 1 }, async (server) => {
        const [first] = workers(server);
        await ready(server, 2);
        await eventually(() => !workers(server).includes(first!), () => server.stderr);
      });
      await withServer(runtime, { ...POOL, workers: 1, max_worker_memory: 400 }, async (server) => {
        const [first] = workers(server);
        await text(server, "/grow?500000000");
        await ready(server, 2);
        await eventually(() => !workers(server).includes(first!), () => server.stderr);
      });
    });
  });

  test("hooks are called where and when Gunicorn calls them", async () => {
    const folder = newFolder();
    const told = join(folder, "told");
    const config = join(folder, "tricorn.config.mjs");
    const hooks = [
      "on_starting",
      "when_ready",
      "nworkers_changed",
      "pre_fork",
      "post_fork",
      "post_worker_init",
      "pre_request",
      "post_request",
      "on_reload",
      "pre_exec",
      "worker_int",
      "worker_abort",
      "worker_exit",
      "child_exit",
      "on_exit",
    ];
    writeFileSync(
      config,
      `import { appendFileSync } from "node:fs";
       const note = (name) => (...values) => appendFileSync(${JSON.stringify(told)}, name + " " + process.pid + " " +
         values.map((one) => typeof one === "number" ? one : one?.urls ? "server" : one?.id ? "worker" : "x") + "\\n");
       ${hooks.map((name) => `export const ${name} = note("${name}");`).join("\n")}
       export const workers = 1;`,
    );
    const lines = (): string[] => readFileSync(told, "utf8").trim().split("\n");
    const { workers: _, ...pool } = POOL;
    const server = await startServer(runtime, { ...pool, words: ["-c", config] });
    await eventually(() => lines().some((line) => line.startsWith("post_worker_init")), () => server.stderr);
    const [worker] = workers(server);
    await text(server);
    await eventually(() => lines().some((line) => line.startsWith("post_request")), () => lines().join("\n"));
    const sorted = (all: readonly string[]): string[] => [...all].sort();
    expect(sorted(lines())).toEqual(sorted([
      `on_starting ${server.pid} server`,
      `nworkers_changed ${server.pid} server,1,x`,
      `pre_fork ${server.pid} server,worker`,
      `post_fork ${worker} worker`,
      `when_ready ${server.pid} server`,
      `post_worker_init ${worker} worker`,
      `pre_request ${worker} worker,x`,
      `post_request ${worker} worker,x,x`,
    ]));
    process.kill(worker!, "SIGABRT");
    await eventually(() => lines().some((line) => line.startsWith("child_exit")), () => lines().join("\n"));
    expect(lines()).toContain(`worker_abort ${worker} worker`);
    expect(lines()).toContain(`worker_exit ${worker} worker`);
    await ready(server, 2);
    server.signal("SIGHUP");
    await logged(server, "Reloaded");
    expect(lines()).toContain(`on_reload ${server.pid} server`);
    const [last] = workers(server).slice(-1);
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(0);
    expect(lines().at(-1)).toBe(`on_exit ${server.pid} server`);
    expect(lines()).toContain(`worker_exit ${last} worker`);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "workers are another user; their logs are theirs (skipped unless root)",
    async () => {
      const folder = newFolder();
      const log = join(folder, "error.log");
      const bind = `unix:${join(folder, "sock")}`;
      // Deno lacks setgroups: it refuses as long as root's further groups would stay.
      const server = new ServerProcess(runtime, {
        ...POOL,
        permissions: [...PERMISSIONS, "--allow-sys"],
        bind,
        errorlog: log,
        user: "nobody",
      });
      const read = (): string => existsSync(log) ? readFileSync(log, "utf8") : "";
      await eventually(
        () => read().split(" is ready\n").length === 3 || server.ended !== null,
        () => server.stderr + read(),
      );
      if (server.ended !== null) {
        expect(runtime.kind).toBe("deno");
        expect(server.stderr + read()).toMatch(/setpriv/);
        return;
      }
      const owner = (path: string): number => statSync(path).uid;
      expect(workers(server).map((pid) => owner(`/proc/${pid}`))).toEqual([65534, 65534]);
      expect(owner(`/proc/${server.pid}`)).toBe(0);
      expect([owner(log), owner(join(folder, "sock"))]).toEqual([65534, 65534]);
      expect((await server.at({ path: join(folder, "sock") }).get("/")).status).toBe(200);
      await server.stop();
    },
  );

  test("serve(app, { workers }) is the same in a program", async () => {
    const script = "test/runtimes/fixtures/pool_program.ts";
    const child = spawn(runtime.program, [...runtime.words(PERMISSIONS), script], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    let stdout = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk);
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk);
    let code: number | null | undefined;
    child.on("close", (ended) => code = ended);
    await eventually(() => stderr.split(" is ready\n").length === 3 || code !== undefined, () => stderr);
    const url = /Listening at: (.*)\n/.exec(stderr)![1]!;
    expect(await (await fetch(url)).text()).toMatch(/^worker \d+$/);
    await eventually(() => stdout.split(url).length - 1 === 3, () => stdout);
    child.kill("SIGTERM");
    await eventually(() => code !== undefined, () => stderr);
    expect(code).toBe(0);
  });
});
