// A master and its workers as real processes: supervisor_main.ts does what these tests tell it, and nothing by itself.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import * as net from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import * as tls from "node:tls";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import type { Bind } from "../../src/runtime/port.ts";
import { onEachRuntime, ROOT, RUNTIMES, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import type { ToMain, ToWorker } from "./supervisor_main.ts";

const directory = mkdtempSync(join(tmpdir(), "tricorn-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let names = 0;
const newPath = (): string => join(directory, `socket-${++names}`);

interface Event {
  readonly pid: number;
  readonly worker?: number | "master";
  readonly [name: string]: unknown;
}

interface PoolOptions {
  /** Deno's, all of them. */
  readonly permissions?: readonly string[];
  readonly fds?: readonly number[];
  readonly words?: readonly string[];
  readonly cwd?: string;
}

/** A master, and what it and its workers say. */
class Pool {
  readonly #child: ChildProcess;
  readonly #events: Event[] = [];
  #errors = "";

  constructor(runtime: TestRuntime, { permissions, fds = [], words = [], cwd = ROOT }: PoolOptions = {}) {
    const flags = permissions === undefined
      ? runtime.words(["--allow-run", "--allow-write"])
      : ["run", "--no-prompt", ...permissions];
    this.#child = spawn(
      runtime.program,
      [...flags.map((flag) => flag.replace("./", ROOT)), `${ROOT}test/adapters/supervisor_main.ts`, ...words],
      { cwd, stdio: ["pipe", "pipe", "pipe", ...fds] },
    );
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#events.push(JSON.parse(line) as Event));
    this.#child.stderr!.on("data", (chunk: Buffer) => this.#errors += String(chunk));
    onTestFinished(() => {
      this.kill();
      // Masters that another has started outlive it.
      for (const pid of new Set(this.#events.map((event) => event.pid))) end(pid);
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** The next event that `is` what is waited for; it is taken out. */
  async event(is: (event: Event) => boolean): Promise<Event> {
    let found = -1;
    await eventually(
      () => (found = this.#events.findIndex(is)) >= 0,
      () => `it did not come:\n${this.#events.map((event) => JSON.stringify(event)).join("\n")}\n${this.#errors}`,
    );
    return this.#events.splice(found, 1)[0]!;
  }

  tell(line: ToMain): void {
    this.#child.stdin!.write(`${JSON.stringify(line)}\n`);
  }

  /** What the master binds to, or why it cannot. */
  async bind(bind: Bind): Promise<{ readonly bound?: Bind; readonly failed?: string; readonly fault?: string }> {
    this.tell({ do: "bind", bind });
    return await this.event((event) => "bound" in event || "failed" in event) as { bound?: Bind };
  }

  async bound(bind: Bind): Promise<Bind> {
    const { bound, failed } = await this.bind(bind);
    if (bound === undefined) throw new Error(failed);
    return bound;
  }

  /** Starts a worker, and waits for its first message; resolves with its process id. */
  async spawn(env?: Record<string, string | null>): Promise<number> {
    this.tell(env === undefined ? { do: "spawn" } : { do: "spawn", env });
    const { spawned } = await this.event((event) => "spawned" in event);
    await this.event((event) => (event.message as { hello?: boolean } | undefined)?.hello === true);
    return spawned as number;
  }

  /** What `worker` answers to `message`. */
  async ask(worker: number, message: ToWorker): Promise<Record<string, unknown>> {
    this.tell({ do: "tell", worker, message });
    return (await this.event((event) => event.worker === worker && "message" in event)).message as Event;
  }

  async listen(worker: number, bind: Bind, socket: number = 0): Promise<void> {
    expect(await this.ask(worker, { do: "listen", socket, bind })).toEqual({ listening: bind });
  }

  async ended(worker: number | "master"): Promise<unknown> {
    return (await this.event((event) => event.worker === worker && "end" in event)).end;
  }
}

async function startPool(runtime: TestRuntime, options?: PoolOptions): Promise<Pool> {
  const pool = new Pool(runtime, options);
  await pool.event((event) => event.started === true);
  return pool;
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

type Address = { readonly host: string; readonly port: number } | { readonly path: string };

const addressOf = (bind: Bind): Address =>
  bind.kind === "tcp" ? { host: bind.host, port: bind.port } : { path: (bind as { path: string }).path };

/** A client that has sent a byte; `answer` is what comes until the end. */
async function ask(address: Address): Promise<{ readonly answer: Promise<string> }> {
  const socket = net.connect(address);
  const answer = read(socket);
  answer.catch(() => {});
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.write("?");
  return { answer };
}

function read(socket: net.Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => text += String(chunk));
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("it was closed without FIN")));
  });
}

const whoAnswers = async (address: Address): Promise<number> => Number(await (await ask(address)).answer);

/** A socket that nobody accepts on, to be inherited. */
function boundSocket(address: string, port: number): { readonly fd: number; close(): void } {
  const { _createServerHandle: create } = net as unknown as {
    _createServerHandle(address: string, port: number, kind: number, fd: number): { fd: number; close(): void };
  };
  const handle = create(address, port, port < 0 ? -1 : 4, -1);
  onTestFinished(() => handle.close());
  return handle;
}

const TCP: Bind = { kind: "tcp", host: "127.0.0.1", port: 0 };
const HAS_IPV6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1");

interface Kind {
  readonly name: string;
  readonly skip?: boolean;
  /** What to bind to, where clients connect when that does not tell, and what the master inherits. */
  setUp(): { readonly bind: Bind; readonly at?: Address; readonly fds?: readonly number[] };
}

const KINDS: readonly Kind[] = [
  { name: "TCP", setUp: () => ({ bind: TCP }) },
  { name: "a host name", setUp: () => ({ bind: { ...TCP, host: "localhost" } as Bind }) },
  {
    name: "IPv6 (skipped where the machine has none)",
    skip: !HAS_IPV6,
    setUp: () => ({ bind: { ...TCP, host: "::1" } as Bind }),
  },
  {
    name: "all addresses (skipped where the machine has no IPv6)",
    skip: !HAS_IPV6,
    setUp: () => ({ bind: { ...TCP, host: "::" } as Bind }),
  },
  { name: "a unix socket", setUp: () => ({ bind: { kind: "unix", path: newPath() } }) },
  {
    name: "a unix socket with a long path",
    setUp: () => ({ bind: { kind: "unix", path: join(directory, "long").padEnd(107, "g") } }),
  },
  {
    name: "an inherited TCP socket",
    setUp() {
      const socket = boundSocket("127.0.0.1", 0) as unknown as { fd: number; getsockname(out: object): void };
      const at = { port: 0 };
      socket.getsockname(at);
      return { bind: { kind: "fd", fd: 3 }, at: { host: "127.0.0.1", port: at.port }, fds: [socket.fd] };
    },
  },
  {
    name: "an inherited unix socket",
    setUp() {
      const path = newPath();
      return { bind: { kind: "fd", fd: 3 }, at: { path }, fds: [boundSocket(path, -1).fd] };
    },
  },
];

onEachRuntime("the master's sockets", (runtime) => {
  for (const { name, skip = false, setUp } of KINDS) {
    test.skipIf(skip)(`${name}: two workers accept, stop, and accept again`, async () => {
      const { bind, at, fds = [] } = setUp();
      const pool = await startPool(runtime, { fds });
      const bound = await pool.bound(bind);
      const address = at ?? addressOf(bound);
      const pids = [await pool.spawn(), await pool.spawn()];
      await pool.listen(0, bound);
      expect(await whoAnswers(address)).toBe(pids[0]);
      await pool.listen(1, bound);
      expect(pids).toContain(await whoAnswers(address));
      for (const worker of [0, 1]) expect(await pool.ask(worker, { do: "close" })).toEqual({ closed: true });
      const { answer } = await ask(address);
      await pool.listen(1, bound);
      expect(Number(await answer)).toBe(pids[1]);
      expect(await pool.ask(1, { do: "close" })).toEqual({ closed: true });
      await pool.listen(0, bound);
      expect(await whoAnswers(address)).toBe(pids[0]);
    });
  }

  test("SIGKILL of the only worker loses no connection that it has not accepted", async () => {
    const pool = await startPool(runtime);
    const bound = await pool.bound(TCP);
    await pool.spawn();
    await pool.listen(0, bound);
    expect(await pool.ask(0, { do: "close" })).toEqual({ closed: true });
    const before = await ask(addressOf(bound));
    pool.tell({ do: "kill", worker: 0, signal: "SIGKILL" });
    expect(await pool.ended(0)).toEqual({ code: null, signal: "SIGKILL" });
    const after = await ask(addressOf(bound));
    const pid = await pool.spawn();
    await pool.listen(1, bound);
    expect(Number(await before.answer)).toBe(pid);
    expect(Number(await after.answer)).toBe(pid);
  });

  test("several sockets, each by its index", async () => {
    const pool = await startPool(runtime);
    const bounds = [await pool.bound(TCP), await pool.bound({ kind: "unix", path: newPath() }), await pool.bound(TCP)];
    const pid = await pool.spawn();
    for (const index of [2, 0, 1]) await pool.listen(0, bounds[index]!, index);
    for (const bound of bounds) expect(await whoAnswers(addressOf(bound))).toBe(pid);
    expect(await pool.ask(0, { do: "listen", socket: 99, bind: TCP })).toMatchObject({
      failed: "the master's socket 99 cannot be had: too many open files, or there is no such socket",
    });
  });

  test("a master that closes gives the address back, though a child of the application lives on", async () => {
    const pool = await startPool(runtime);
    const bound = await pool.bound(TCP);
    await pool.spawn();
    await pool.listen(0, bound);
    const { sleeper } = await pool.ask(0, { do: "sleeper" });
    onTestFinished(() => end(sleeper as number));
    expect(await pool.ask(0, { do: "close" })).toEqual({ closed: true });
    pool.tell({ do: "unbind", socket: 0, unlink: true });
    await pool.event((event) => event.unbound === 0);
    pool.tell({ do: "kill", worker: 0, signal: "SIGTERM" });
    expect(await pool.ended(0)).toEqual({ code: null, signal: "SIGTERM" });
    expect(await pool.bound(bound)).toEqual(bound);
    expect(isRunning(sleeper as number)).toBe(true);
  });

  test("a unix socket has its mode before anybody can connect, and its path until the master removes it", async () => {
    const pool = await startPool(runtime);
    const path = newPath();
    // What a crash leaves behind.
    const stale = net.createServer();
    await new Promise<void>((resolve) => stale.listen(`${path}-once`, resolve));
    linkSync(`${path}-once`, path);
    await new Promise((resolve) => stale.close(resolve));
    const bound = await pool.bound({ kind: "unix", path, mode: 0o600 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await pool.spawn();
    await pool.listen(0, bound);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await pool.ask(0, { do: "close" })).toEqual({ closed: true });
    expect(existsSync(path)).toBe(true);
    pool.tell({ do: "kill", worker: 0, signal: "SIGTERM" });
    await pool.ended(0);
    expect(existsSync(path)).toBe(true);
    pool.tell({ do: "unbind", socket: 0, unlink: true });
    await pool.event((event) => event.unbound === 0);
    expect(existsSync(path)).toBe(false);
  });

  test("a unix socket's path stays when another master has taken over", async () => {
    const pool = await startPool(runtime);
    const [closed, open] = [newPath(), newPath()];
    await pool.bound({ kind: "unix", path: closed });
    await pool.bound({ kind: "unix", path: open });
    pool.tell({ do: "unbind", socket: 0, unlink: false });
    await pool.event((event) => event.unbound === 0);
    pool.tell({ do: "leave" });
    await eventually(() => !isRunning(pool.pid), () => "the master does not leave");
    expect([existsSync(closed), existsSync(open)]).toEqual([true, true]);
  });

  test("errors name the address and the reason", async () => {
    const pool = await startPool(runtime);
    const taken = net.createServer();
    onTestFinished(() => void taken.close());
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as net.AddressInfo;
    const file = newPath();
    writeFileSync(file, "");
    const cases: readonly (readonly [Bind, string, string])[] = [
      [{ ...TCP, port } as Bind, "EADDRINUSE", `127.0.0.1:${port}: the address is in use`],
      [
        { ...TCP, host: "203.0.113.1" } as Bind,
        "EADDRNOTAVAIL",
        "203.0.113.1:0: the address is not one of this machine",
      ],
      [{ ...TCP, host: "no.such.invalid" } as Bind, "ENOTFOUND", "no.such.invalid:0: the host name is not known"],
      [{ kind: "unix", path: file }, "EADDRINUSE", `unix:${file}: a file that is no socket has that name`],
      [
        { kind: "unix", path: join(directory, "none", "socket") },
        "EOTHER",
        `unix:${join(directory, "none", "socket")}: the directory does not exist`,
      ],
      [{ kind: "fd", fd: 77 }, "EOTHER", "fd://77: the file descriptor is no socket, or none was inherited"],
    ];
    for (const [bind, fault, reason] of cases) {
      expect(await pool.bind(bind)).toMatchObject({ name: "ListenError", fault, failed: `cannot listen on ${reason}` });
    }
    // Nothing of it stays behind.
    expect(await pool.bound({ kind: "unix", path: newPath() })).toBeDefined();
  });
});

onEachRuntime("the program, started again", (runtime) => {
  test("has its words, its directory and the environment it is given, and is no worker to its own children", async () => {
    const words = ["a", "b c", "", "--flag=é"];
    const pool = await startPool(runtime, { words, cwd: directory });
    await pool.spawn({ EXTRA: "1", HOME: null });
    expect(await pool.ask(0, { do: "look" })).toMatchObject({
      role: null,
      extra: "1",
      home: null,
      argv: words,
      cwd: directory,
    });
  });

  test("a worker's thread reports, line by line", async () => {
    const pool = await startPool(runtime);
    await pool.spawn();
    await pool.ask(0, { do: "report", text: `{"stack":"é"}\nno JSON\n[1]\n` });
    expect((await pool.event((event) => "report" in event)).report).toEqual({ stack: "é" });
    expect((await pool.event((event) => "report" in event)).report).toEqual([1]);
  });

  test("a worker's exit code is told, after what it said last", async () => {
    const pool = await startPool(runtime);
    const workers = [0, 1, 2, 3, 4, 5];
    for (const _ of workers) await pool.spawn();
    for (const worker of workers) pool.tell({ do: "tell", worker, message: { do: "exit", code: 7 } });
    for (const worker of workers) {
      const first = await pool.event((event) => event.worker === worker);
      expect(first.message).toEqual({ last: "words" });
      expect(await pool.ended(worker)).toEqual({ code: 7, signal: null });
    }
    // Nobody listens, and nobody minds.
    pool.tell({ do: "tell", worker: 0, message: { do: "look" } });
    expect((await pool.event((event) => "sent" in event && event.sent === false)).sent).toBe(false);
  });

  test("all workers are told when the master dies, even by SIGKILL, and while they have children", async () => {
    const pool = await startPool(runtime);
    const pids = [await pool.spawn(), await pool.spawn(), await pool.spawn()];
    const { sleeper } = await pool.ask(0, { do: "sleeper" });
    onTestFinished(() => end(sleeper as number));
    pool.kill();
    for (const pid of pids) await pool.event((event) => event.orphaned === true && event.pid === pid);
    await eventually(() => !pids.some(isRunning), () => "a worker survives its master");
  });

  test("a further master takes the sockets over and outlives the former one", async () => {
    const pool = await startPool(runtime);
    const path = newPath();
    const tcp = await pool.bound(TCP);
    const unix = await pool.bound({ kind: "unix", path });
    pool.tell({ do: "replace" });
    const { message } = await pool.event((event) => event.worker === "master" && "message" in event);
    const { ready, served } = message as { ready: number; served: number };
    pool.tell({ do: "exit" });
    await eventually(() => !isRunning(pool.pid), () => "the former master does not leave");
    await pool.event((event) => event.alone === true && event.pid === ready);
    expect(await whoAnswers(addressOf(tcp))).toBe(served);
    expect(await whoAnswers(addressOf(unix))).toBe(served);
    expect(isRunning(ready)).toBe(true);
    end(ready);
    await pool.event((event) => event.orphaned === true && event.pid === served);
  });
});

function certificate(): { readonly cert: string; readonly key: string } | null {
  try {
    execFileSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...[
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
      ],
    ], { cwd: directory, stdio: "pipe" });
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return null;
    throw error;
  }
  return {
    cert: readFileSync(join(directory, "cert.pem"), "utf8"),
    key: readFileSync(join(directory, "key.pem"), "utf8"),
  };
}

const pem = certificate();

describe.skipIf(pem === null)("TLS (skipped without openssl)", () => {
  onEachRuntime("TLS on the master's socket", (runtime) => {
    const talk = async (bind: Bind, options: tls.ConnectionOptions): Promise<string> => {
      const socket = tls.connect({ ...addressOf(bind), ca: pem!.cert, servername: "localhost", ...options });
      socket.write("?");
      return await read(socket);
    };

    test("as always, and again after the worker has stopped", async () => {
      const pool = await startPool(runtime);
      const bound = await pool.bound(TCP);
      const pid = await pool.spawn();
      const listen: ToWorker = { do: "listen", socket: 0, bind: bound, tls: pem! };
      expect(await pool.ask(0, listen)).toEqual({ listening: bound });
      expect(await talk(bound, {})).toBe(`${pid} tls `);
      await pool.ask(0, { do: "close" });
      expect(await pool.ask(0, listen)).toEqual({ listening: bound });
      expect(await talk(bound, {})).toBe(`${pid} tls `);
    });

    test("client certificates", async () => {
      const pool = await startPool(runtime);
      const bound = await pool.bound(TCP);
      const pid = await pool.spawn();
      // It is its own authority.
      const tls = { ...pem!, ca: pem!.cert, requestClientCert: true };
      expect(await pool.ask(0, { do: "listen", socket: 0, bind: bound, tls })).toEqual({ listening: bound });
      expect(await talk(bound, pem!)).toBe(`${pid} tls known`);
      // A handshake without one fails, or the first read after it does (TLS 1.3).
      await expect(talk(bound, {}).then((text) => text || Promise.reject(new Error("no answer")))).rejects.toThrow();
    });
  });
});

onEachRuntime("SO_REUSEPORT", (runtime) => {
  const reuse = async (bind: Bind): Promise<Record<string, unknown>[]> => {
    const pool = await startPool(runtime);
    await pool.spawn();
    await pool.spawn();
    const first = await pool.ask(0, { do: "reusePort", bind });
    return [first, await pool.ask(1, { do: "reusePort", bind: (first.listening as Bind | undefined) ?? bind })];
  };

  test.skipIf(runtime.name === "node")("each worker has a socket of its own (Node 20 cannot)", async () => {
    const [first, second] = await reuse(TCP);
    expect(first).toMatchObject({ listening: { kind: "tcp", host: "127.0.0.1" } });
    expect(second).toEqual(first);
  });

  test.runIf(runtime.name === "node")("is refused on Node 20", async () => {
    expect((await reuse(TCP))[0]).toMatchObject({
      name: "ListenError",
      failed: expect.stringMatching(
        /^cannot listen on 127.0.0.1:0: reuse_port needs Node 22.12, 23.1 or later, and this is 20/,
      ) as string,
    });
  });

  test("is refused on what is not TCP", async () => {
    const path = newPath();
    expect((await reuse({ kind: "unix", path }))[0]).toMatchObject({
      failed: `cannot listen on unix:${path}: reuse_port is for TCP addresses`,
    });
  });
});

const deno = RUNTIMES.find(({ kind, missing }) => kind === "deno" && missing === null);

describe.skipIf(deno === undefined)("Deno's permissions (skipped without Deno)", () => {
  const SCRIPT = ["--allow-net", "--allow-run", "--allow-env"];

  test("--allow-net, --allow-run and --allow-env are enough, and a worker has no more", async () => {
    const pool = await startPool(deno!, { permissions: ["--allow-net=127.0.0.1", ...SCRIPT.slice(1)] });
    const bound = await pool.bound(TCP);
    const pid = await pool.spawn();
    await pool.listen(0, bound);
    expect(await whoAnswers(addressOf(bound))).toBe(pid);
    expect(await pool.ask(0, { do: "grants" })).toEqual({ grants: ["net:prompt", "env:granted", "run:granted"] });
  });

  test("where only Deno itself may be run, what is granted as a whole is handed on", async () => {
    const pool = await startPool(deno!, {
      permissions: ["--allow-net", "--allow-env", `--allow-run=${deno!.program}`],
    });
    await pool.bound(TCP);
    await pool.spawn();
    expect(await pool.ask(0, { do: "grants" })).toEqual({
      grants: ["net:granted", "env:granted", "run:prompt"],
    });
  });

  test.each([
    [["--allow-net", "--allow-env"], "--allow-run"],
    [["--allow-net", "--allow-run"], "--allow-env"],
    [["--allow-net"], "--allow-run and --allow-env"],
  ])("%j: one line says what is missing", async (permissions, missing) => {
    const pool = await startPool(deno!, { permissions });
    pool.tell({ do: "spawn" });
    expect(await pool.event((event) => "failed" in event)).toMatchObject({
      name: "SpawnError",
      failed: `Deno may not start workers: add ${missing} after "deno run"`,
    });
  });
});
