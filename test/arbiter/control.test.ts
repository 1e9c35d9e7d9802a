// The control socket: what is said on it (by itself), and the socket (real processes on each runtime).

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  controlServer,
  MAX_CONNECTIONS,
  MAX_LINE,
  openControl,
  readCommand,
  socketPaths,
  workerStatus,
} from "../../src/arbiter/control.ts";
import type { WorkerRecord } from "../../src/arbiter/machine.ts";
import type { LocalHandler, LocalSockets } from "../../src/runtime/port.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { FakeTarget, STATUS } from "./target.ts";

interface Client {
  readonly handler: LocalHandler;
  /** The answers so far. */
  readonly answers: () => unknown[];
  ended: boolean;
}

/** Clients of one server, without a socket. */
function clientsOf(target: FakeTarget): () => Client {
  const accept = controlServer(target);
  return () => {
    let text = "";
    const client: { -readonly [K in keyof Client]: Client[K] } = {
      handler: { receive: () => {}, closed: () => {} },
      answers: () => text.split("\n").filter(Boolean).map((line) => JSON.parse(line) as unknown),
      ended: false,
    };
    client.handler = accept({
      write: (more) => {
        text += more;
        return Promise.resolve();
      },
      end: () => {
        client.ended = true;
        return Promise.resolve();
      },
    });
    return client;
  };
}

describe("what is said", () => {
  let target: FakeTarget;
  let newClient: () => Client;
  beforeEach(() => {
    target = new FakeTarget();
    newClient = clientsOf(target);
  });
  const ask = async (command: string, ...args: string[]): Promise<unknown> => {
    const client = newClient();
    await client.handler.receive(`${JSON.stringify({ id: 1, command, args })}\n`);
    client.handler.closed();
    return client.answers()[0];
  };

  test.each<[string[], unknown, string[]]>([
    [["show workers"], STATUS.workers, []],
    [["show", "workers"], STATUS.workers, []],
    [["show listeners"], STATUS.listeners, []],
    [["show config"], { configFile: STATUS.configFile, settings: STATUS.settings }, []],
    [["worker add"], { target: 2 }, ["resize 1"]],
    [["worker add", "3"], { target: 2 }, ["resize 3"]],
    [["worker remove"], { target: 2 }, ["resize -1"]],
    [["worker kill", "4711"], { pid: 4711, now: false }, ["retire 4711"]],
    [["worker kill", "4711", "--now"], { pid: 4711, now: true }, ["kill 4711"]],
    [["worker kill", "--now", "4711"], { pid: 4711, now: true }, ["kill 4711"]],
    [["reload"], { generation: 2 }, ["reload"]],
    [["reopen"], null, ["reopen"]],
    [["shutdown"], { graceful: true }, ["shutdown graceful"]],
    [["shutdown", "graceful"], { graceful: true }, ["shutdown graceful"]],
    [["shutdown", "quick"], { graceful: false }, ["shutdown quick"]],
  ])("%j is obeyed", async ([command, ...args], data, calls) => {
    expect(await ask(command!, ...args)).toEqual({ id: 1, status: "ok", data });
    expect(target.calls).toEqual(calls);
  });

  test("show stats sums, and show all has everything", async () => {
    const stats = {
      version: "1.2.3",
      startedAt: STATUS.startedAt,
      workers: 2,
      target: 2,
      restarts: 1,
      lastReload: STATUS.lastReload,
      total: {
        requests: 2_469_134,
        inFlight: 24,
        queued: 6,
        connections: 240,
        rss: 246_913_578,
        cpuPercent: 90.8,
        lag: 2500,
      },
      oldest: [{ worker: 1, pid: 4711, method: "GET", target: "/slow\x1b[31m", age: 12_345 }],
    };
    expect(await ask("show stats")).toMatchObject({ status: "ok", data: stats });
    expect(await ask("show all")).toMatchObject({
      data: { stats, workers: STATUS.workers, listeners: STATUS.listeners, config: { settings: STATUS.settings } },
    });
  });

  test.each<[string[], string]>([
    [["show wrokers"], 'unknown command "show wrokers"; did you mean "show workers"?'],
    [["relaod"], 'unknown command "relaod"; did you mean "reload"?'],
    [["relaod now"], 'unknown command "relaod now"; did you mean "reload"?'],
    [["show"], "show what? Write show all, show workers, show config, show listeners, show stats"],
    [["worker x"], 'unknown command "worker x"; write worker add, worker remove, worker kill'],
    [["dance"], 'unknown command "dance"; "help" lists the commands'],
    [[""], 'the command is missing; "help" lists them'],
    [["reload", "x"], 'reload: "x" is one word too many'],
    [["worker add", "0"], 'worker add: "0" is no number of workers; write one between 1 and 256'],
    [["worker add", "-1"], 'worker add: "-1" is no number of workers; write one between 1 and 256'],
    [["worker add", "4711"], 'worker add: "4711" is no number of workers; write one between 1 and 256'],
    [["worker add", "1", "2"], 'worker add: "2" is one word too many'],
    [["worker kill"], 'worker kill: the pid is missing; "show workers" lists them'],
    [["worker kill", "-1"], 'worker kill: "-1" is no pid; "show workers" lists them'],
    [["worker kill", "1", "2"], 'worker kill: "2" is one word too many'],
    [["shutdown", "fast"], 'shutdown: "fast" is no way to shut down; write graceful or quick'],
  ])("%j is an error, and nothing happens", async ([command, ...args], error) => {
    expect(await ask(command!, ...args)).toEqual({ id: 1, status: "error", error });
    expect(target.calls).toEqual([]);
    // The client's side says the same without asking.
    expect(readCommand([...command!.split(" ").filter(Boolean), ...args])).toBe(error);
  });

  test("what the master cannot do is an error", async () => {
    expect(await ask("worker kill", "1")).toEqual({ id: 1, status: "error", error: "no worker has pid 1" });
    expect(await ask("worker kill", "1", "--now")).toEqual({ id: 1, status: "error", error: "no worker has pid 1" });
    expect(await ask("worker remove", "9")).toEqual({ id: 1, status: "error", error: "one worker must stay" });
    target.reloaded = Promise.resolve("the canary threw");
    expect(await ask("reload")).toEqual({ id: 1, status: "error", error: "the canary threw" });
    target.reloaded = Promise.reject(new Error("a bug"));
    expect(await ask("reload")).toEqual({ id: 1, status: "error", error: "a bug" });
  });

  test("help tells of every command", async () => {
    const { data } = await ask("help") as { data: { name: string; doc: string }[] };
    expect(data.map(({ name }) => name)).toContain("worker kill");
    expect(data.every(({ doc }) => doc !== "")).toBe(true);
  });

  test("lines come in any pieces, and are answered in order, one after another", async () => {
    const client = newClient();
    let reloaded = (_: null): void => {};
    target.reloaded = new Promise((resolve) => {
      reloaded = resolve;
    });
    await client.handler.receive('{"id":"a","comm');
    const waits = client.handler.receive(
      'and":"reload"}\n{"id":2,"command":"reopen"}\n{"command":"show listeners"}\n{',
    );
    expect(target.calls).toEqual(["reload"]);
    reloaded(null);
    await waits;
    expect(target.calls).toEqual(["reload", "reopen"]);
    expect(client.answers()).toMatchObject([{ id: "a" }, { id: 2 }, { id: null, data: STATUS.listeners }]);
    expect(client.ended).toBe(false);
  });

  test.each([
    ["HTTP", "GET / HTTP/1.1\r\n", "a line is one JSON object: {id, command, args}"],
    ["an empty line", "\n", "a line is one JSON object: {id, command, args}"],
    ["null", "null\n", 'command is a string, for example "show workers"'],
    ["an array", "[]\n", 'command is a string, for example "show workers"'],
    ["a command that is a number", '{"command":7}\n', 'command is a string, for example "show workers"'],
    ["an id that is an object", '{"command":"help","id":{}}\n', "id is a string or a number"],
    ["args that are a string", '{"command":"help","args":"x"}\n', "args is an array of strings"],
    ["args that are numbers", '{"command":"help","args":[1]}\n', "args is an array of strings"],
    ["a line without end", "x".repeat(MAX_LINE + 1), `a line has more than ${MAX_LINE} characters`],
    ["a long line", `${"x".repeat(MAX_LINE + 1)}\n`, `a line has more than ${MAX_LINE} characters`],
  ])("%s is refused, and the connection closed", async (_, text, error) => {
    const client = newClient();
    await client.handler.receive(`${text}{"command":"reopen"}\n`);
    expect(client.answers()).toEqual([{ id: null, status: "error", error }]);
    expect(client.ended).toBe(true);
    expect(target.calls).toEqual([]);
  });

  test("a line of the greatest length is read", async () => {
    const client = newClient();
    const line = JSON.stringify({ id: 1, command: "reopen" });
    await client.handler.receive(`${line}${" ".repeat(MAX_LINE - line.length)}\n`);
    expect(client.answers()).toEqual([{ id: 1, status: "ok", data: null }]);
  });

  test("one client too many takes an idle one's place, and is refused when all are busy", async () => {
    target.reloaded = new Promise(() => {});
    const clients = Array.from({ length: MAX_CONNECTIONS }, newClient);
    for (const client of clients.slice(1)) void client.handler.receive('{"command":"reload"}\n');
    const next = newClient();
    expect(clients.map(({ ended }) => ended)).toEqual([true, ...clients.slice(1).map(() => false)]);
    void next.handler.receive('{"command":"reload"}\n');
    const refused = newClient();
    expect(refused.answers()).toMatchObject([{ status: "error", error: /clients are connected already/ }]);
    expect(refused.ended).toBe(true);
    next.handler.closed();
    expect(newClient().ended).toBe(false);
  });
});

describe("workerStatus", () => {
  const record = {
    id: 3,
    pid: 33,
    generation: 1,
    state: "booting",
    startedAt: 1000,
    readyAt: null,
    heardAt: 1000,
    deadline: null,
    reason: null,
    retiring: "max_requests",
    held: false,
    maxRequests: 0,
    stats: null,
  } satisfies Partial<WorkerRecord> as WorkerRecord;
  test("has zeros until the worker was heard of, and says why it is to go", () => {
    expect(workerStatus(record, 3500, 0)).toEqual({
      id: 3,
      pid: 33,
      generation: 1,
      state: "booting",
      age: 2.5,
      held: false,
      reason: "max_requests",
      requests: 0,
      inFlight: 0,
      queued: 0,
      connections: 0,
      rss: 0,
      cpu: 0,
      cpuPercent: 0,
      lag: 0,
      oldest: [],
    });
  });
});

describe("where the socket is", () => {
  test.each<[Record<string, string>, string[]]>([
    [{ XDG_RUNTIME_DIR: "/run/user/7", HOME: "/home/a" }, ["/run/user/7/tricorn.ctl", "/home/a/.tricorn/tricorn.ctl"]],
    [{ HOME: "/home/a" }, ["/home/a/.tricorn/tricorn.ctl"]],
    [{ XDG_RUNTIME_DIR: "relative", HOME: "" }, []],
    [{}, []],
  ])("%j", (env, paths) => expect(socketPaths(env)).toEqual(paths));

  const broken: LocalSockets = {
    listenLocal: () => Promise.reject(new Error("cannot listen on unix:/x: permission denied")),
    connectLocal: () => Promise.reject(new Error("unused")),
  };
  test.each<[string | null, Record<string, string>, string]>([
    [null, {}, "debug: No control socket: neither XDG_RUNTIME_DIR nor HOME is set"],
    [null, { HOME: "/x" }, "debug: No control socket: cannot listen on unix:/x: permission denied"],
    [
      "/x",
      {},
      "warning: control_socket: cannot listen on unix:/x: permission denied; choose another path, or none with " +
      "--no-control-socket",
    ],
  ])("control_socket %j with %j cannot be had", async (path, env, line) => {
    const said: string[] = [];
    const notice = (level: string, message: string): void => void said.push(`${level}: ${message}`);
    const options = { path, mode: 0o600, takeOver: false, env, notice };
    expect(await openControl(broken, new FakeTarget(), options)).toBe(null);
    expect(said).toEqual([line]);
  });
});

onEachRuntime("the socket", (runtime: TestRuntime) => {
  let folder: string;
  const children = new Set<ChildProcess>();
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tricorn-"));
  });
  afterEach(() => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  interface Master {
    readonly signal: (signal: NodeJS.Signals) => void;
    readonly exited: () => Promise<number | string | null>;
    readonly said: () => string;
  }

  /** A process with a control socket, that has said whether it could make it. */
  async function start(words: readonly string[], env: Record<string, string> = {}): Promise<Master> {
    const { HOME: _, XDG_RUNTIME_DIR: __, ...rest } = process.env;
    const child = spawn(
      runtime.program,
      [...runtime.words(["--allow-write"]), "test/arbiter/fixtures/control_main.ts", ...words],
      { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], env: { ...rest, ...env } },
    );
    children.add(child);
    let text = "";
    let ended: number | string | null = null;
    child.stdout.setEncoding("utf8").on("data", (more: string) => text += more);
    child.stderr.setEncoding("utf8").on("data", (more: string) => text += more);
    child.on("close", (code, signal) => {
      children.delete(child);
      ended = code ?? signal;
    });
    await eventually(() => /^(?:open|none)$/m.test(text) || ended !== null, () => text);
    return {
      signal: (signal) => void child.kill(signal),
      exited: async () => {
        await eventually(() => ended !== null, () => `it still runs:\n${text}`);
        return ended;
      },
      said: () => text,
    };
  }

  /** What the socket answers to one line. */
  const ask = (path: string, line: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = "";
      const socket = connect(path, () => socket.write(line)).setEncoding("utf8");
      socket.on("error", reject);
      socket.on("close", () => resolve(text));
      socket.on("data", (more: unknown) => {
        text += String(more);
        if (text.includes("\n")) socket.end();
      });
    });
  const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

  test("is its owner's alone, answers, and is gone afterwards", async () => {
    const path = join(folder, "private", "ctl");
    const master = await start([path]);
    expect(master.said()).toBe(`debug: Control socket at: ${path}\nopen\n`);
    expect([modeOf(join(folder, "private")), modeOf(path)]).toEqual(["700", "600"]);
    expect(JSON.parse(await ask(path, '{"id":"é","command":"show listeners"}\n'))).toEqual({
      id: "é",
      status: "ok",
      data: STATUS.listeners,
    });
    // The garbage's connection is closed by the other side, and the socket goes on.
    expect(await ask(path, "garbage\n")).toMatch(/"status":"error"/);
    expect(JSON.parse(await ask(path, '{"command":"reopen"}\n'))).toMatchObject({ status: "ok" });
    expect(readdirSync(join(folder, "private"))).toEqual(["ctl"]);
    // One that is still there at the end, however it ends.
    const idle = connect(path).on("error", () => {});
    await new Promise((resolve) => idle.once("connect", resolve));
    master.signal("SIGTERM");
    expect(await master.exited()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("the answer to shutdown comes before the end", async () => {
    const path = join(folder, "ctl");
    const master = await start([path]);
    expect(JSON.parse(await ask(path, '{"command":"shutdown quick"}\n'))).toMatchObject({ data: { graceful: false } });
    expect(await master.exited()).toBe(0);
    expect(master.said()).toContain("shutdown false\n");
  });

  test("a stale one is replaced, a living one is not, and one that is taken over belongs to the new master", async () => {
    const path = join(folder, "ctl");
    const killed = await start([path]);
    killed.signal("SIGKILL");
    await killed.exited();
    expect(existsSync(path)).toBe(true);
    const first = await start([path]);
    const second = await start([path]);
    expect(second.said()).toMatch(
      /^warning: control_socket: cannot listen on unix:.*\/ctl: another process listens on it; choose .*\nnone\n$/,
    );
    const third = await start(["--take-over", path]);
    expect(third.said()).toMatch(/open\n$/);
    first.signal("SIGTERM");
    expect(await first.exited()).toBe(0);
    expect(JSON.parse(await ask(path, '{"command":"reopen"}\n'))).toMatchObject({ status: "ok" });
    third.signal("SIGTERM");
    expect(await third.exited()).toBe(0);
    expect(existsSync(path)).toBe(false);
  });

  test("its default place is made when it can be, in silence when it cannot", async () => {
    const home = await start([], { HOME: folder });
    expect(home.said()).toMatch(/open\n$/);
    expect(modeOf(join(folder, ".tricorn"))).toBe("700");
    expect(modeOf(join(folder, ".tricorn/tricorn.ctl"))).toBe("600");
    const again = await start([], { HOME: folder });
    expect(again.said()).toMatch(/^debug: No control socket: .* another process listens on it\nnone\n$/);
    const absent = await start([], { XDG_RUNTIME_DIR: join(folder, "a/b") });
    expect(absent.said()).toMatch(/^debug: No control socket: .* the directory does not exist\nnone\n$/);
    const nowhere = await start([]);
    expect(nowhere.said()).toMatch(/^debug: No control socket: neither .*\nnone\n$/);
  });

  test("what else has the name, or no place, is left alone and named", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "precious");
    expect((await start([file])).said()).toMatch(/^warning: .* a file that is no socket has that name; .*\nnone\n$/);
    expect((await start(["--take-over", file])).said()).toMatch(/no socket has that name; .*\nnone\n$/);
    expect(statSync(file).size).toBe(8);
    const long = join(folder, "x".repeat(120));
    expect((await start([long])).said()).toMatch(/^warning: .* the path is too long; .*\nnone\n$/);
    expect((await start([join(file, "ctl")])).said()).toMatch(/^warning: .*\nnone\n$/);
    const closed = join(folder, "closed");
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    // Root may write everywhere.
    if (process.getuid?.() !== 0) {
      expect((await start([join(closed, "ctl")])).said()).toMatch(/^warning: .* permission denied; .*\nnone\n$/);
    }
    expect(readdirSync(folder).sort()).toEqual(["closed", "file"]);
  });

  if (runtime.kind === "deno") {
    test("without permission Deno is not asked", async () => {
      const child = spawn(runtime.program, [
        "run",
        "--no-prompt",
        "--allow-read",
        "--allow-env",
        "test/arbiter/fixtures/control_main.ts",
        join(folder, "ctl"),
      ], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
      children.add(child);
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (more: string) => text += more);
      await eventually(() => text.endsWith("none\n"), () => text);
      expect(text).toMatch(/^warning: .*: Deno needs --allow-write, --allow-net for it; choose .*\nnone\n$/);
    });
  }
});
