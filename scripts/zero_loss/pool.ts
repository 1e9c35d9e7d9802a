// A pool of workers under test: Tricorn's on one of the runtimes, or Gunicorn's. Starts it, signals it, and finds out by
// its log and by the system's table of processes what it does.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type NetConnectOpts } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

export type Transport = "tcp" | "unix";

/** What starts a pool. */
export type Starter =
  | {
    readonly server: "tricorn";
    readonly runtime: string;
    /** The runtime's program, and the words before a script's path. */
    readonly command: readonly string[];
  }
  | { readonly server: "gunicorn"; readonly runtime: string; readonly command: readonly string[] };

export interface PoolOptions {
  readonly starter: Starter;
  readonly transport: Transport;
  readonly flags: readonly string[];
  /** Where it listens over TCP; 127.0.0.1 and a free port when not given. */
  readonly host?: string;
  readonly port?: number;
}

/** Milliseconds after which what was asked for is taken to never come. */
const PATIENCE = 60_000;

/** Each pool has so many. */
export const WORKERS = 2;

/** One line with the query for little; much for /large; the body for /echo; the same as for little, later, for /slow. */
const APPLICATION = `const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const pid = String(process.pid);
async function bodyOf(request, { pathname, search }) {
  const line = search.slice(1) + "\\n";
  if (pathname === "/echo") return new Uint8Array(await request.arrayBuffer());
  if (pathname === "/large") return line.repeat(100_000 / line.length + 1).slice(0, 100_000);
  if (pathname === "/slow") await sleep(20);
  return line;
}
export default {
  async fetch(request) {
    return new Response(await bodyOf(request, new URL(request.url)), { headers: { "X-Worker": pid } });
  },
};
`;

const WSGI_APPLICATION = `import os, time
def application(environ, start_response):
    line = environ["QUERY_STRING"].encode() + b"\\n"
    path = environ["PATH_INFO"]
    body = line
    if path == "/echo":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    elif path == "/large":
        body = (line * (100000 // len(line) + 1))[:100000]
    elif path == "/slow":
        time.sleep(0.02)
    start_response("200 OK", [("Content-Length", str(len(body))), ("X-Worker", str(os.getpid()))])
    return [body]
`;

const running = new Set<Pool>();
process.on("exit", () => {
  for (const pool of running) pool.kill();
});

export class Pool {
  /** The master in force. */
  pid: number;
  /** What the processes have written. */
  log = "";
  readonly address: NetConnectOpts;
  /** Workers that {@link killWorker} has killed. */
  readonly killed: Set<number> = new Set();
  readonly #folder: string;
  readonly #tricorn: boolean;
  #ended: string | null = null;

  private constructor(folder: string, address: NetConnectOpts, tricorn: boolean, child: ChildProcess) {
    this.#folder = folder;
    this.#tricorn = tricorn;
    this.address = address;
    this.pid = child.pid ?? 0;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => this.log += text);
    }
    child.on("error", (error) => this.#ended = error.message);
    child.on("close", (code, signal) => this.#ended = String(code ?? signal));
    running.add(this);
  }

  /** Starts a pool, and waits until all its workers serve. */
  static async start({ starter, transport, flags, host = "127.0.0.1", port: given }: PoolOptions): Promise<Pool> {
    const folder = mkdtempSync(join(tmpdir(), "zero-loss-"));
    const port = transport === "tcp" ? given ?? await freePort() : 0;
    const address = transport === "tcp" ? { host, port } : { path: join(folder, "socket") };
    const bind = "path" in address ? `unix:${address.path}` : `${host}:${port}`;
    const tricorn = starter.server === "tricorn";
    writeFileSync(join(folder, "app.mjs"), APPLICATION);
    writeFileSync(join(folder, "app.py"), WSGI_APPLICATION);
    writeFileSync(join(folder, "config.json"), "{}");
    const words = tricorn
      ? ["adapters/bin.ts", "serve", join(folder, "app.mjs")]
      : ["app:application", "--chdir", folder];
    const [program, ...rest] = starter.command;
    const all = [...rest, ...words, `--bind=${bind}`, `--workers=${WORKERS}`, ...flags];
    const child = spawn(program!, all.map((word) => word.replace("FOLDER", folder)), {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const pool = new Pool(folder, address, tricorn, child);
    try {
      await pool.until(() => pool.ready().length >= WORKERS, "the workers are not ready");
    } catch (error) {
      await pool.stop();
      throw error;
    }
    return pool;
  }

  /** Makes the application one that cannot be loaded, one that never is, or the right one. */
  deploy(what: "broken" | "hanging" | "right"): void {
    const programs = { broken: "export default {", hanging: "await new Promise(() => {});\n", right: APPLICATION };
    this.#write("app.mjs", programs[what] + (what === "hanging" ? APPLICATION : ""));
  }

  /** Makes the configuration file of `-c FOLDER/config.json` a broken one, or the right one. */
  configure(what: "broken" | "right"): void {
    this.#write("config.json", what === "broken" ? '{ "max_request": 1 ' : "{}");
  }

  /** At once, so that nobody reads half of it. */
  #write(name: string, text: string): void {
    const path = join(this.#folder, name);
    writeFileSync(`${path}~`, text);
    renameSync(`${path}~`, path);
  }

  signal(signal: NodeJS.Signals, pid: number = this.pid): void {
    process.kill(pid, signal);
  }

  /** The children of the master in force. */
  children(): number[] {
    return childrenOf(this.pid);
  }

  /** Workers that have been ready, of the master in force, and still run. */
  ready(): number[] {
    const said = this.#tricorn ? /\(pid:(\d+)\) is ready/g : /Booting worker with pid: (\d+)/g;
    const pids = new Set([...this.log.matchAll(said)].map((match) => Number(match[1])));
    return this.children().filter((pid) => pids.has(pid));
  }

  /** How often the log says it. */
  says(text: RegExp): number {
    return this.log.split(text).length - 1;
  }

  /** Waits until `change` has had an effect on the log. */
  async untilSaid(text: RegExp, change: () => void): Promise<void> {
    const before = this.says(text);
    change();
    await this.until(() => this.says(text) > before, `the log does not say ${text}`);
  }

  /** Waits until none of `former` runs and so many others are ready. */
  async untilReplaced(former: readonly number[], count: number = WORKERS): Promise<void> {
    await this.until(
      () => this.ready().length >= count && !this.children().some((pid) => former.includes(pid)),
      `${former.join(", ")} were not replaced`,
    );
  }

  /** Starts a new master, and makes it the one in force when it serves and the old one has gone. */
  async upgrade(): Promise<void> {
    const former = this.pid;
    const workers = this.children();
    this.signal("SIGUSR2");
    let fresh = 0;
    if (this.#tricorn) {
      await this.until(() => {
        fresh = Number([...this.log.matchAll(/Started a new master with pid (\d+)/g)].at(-1)?.[1] ?? former);
        return fresh !== former;
      }, "no new master");
    } else {
      await this.until(() => {
        fresh = this.children().find((pid) => !workers.includes(pid)) ?? 0;
        return fresh !== 0 && childrenOf(fresh).length >= WORKERS;
      }, "no new master");
      process.kill(former, "SIGTERM");
    }
    await this.until(() => !isAlive(former), "the old master stays");
    this.pid = fresh;
    await this.until(() => this.ready().length >= WORKERS, "the new master has no workers");
  }

  /**
   * Kills a worker, and returns how many connections it had at most: all its sockets, once it had been stopped. Infinity
   * where the system does not tell.
   */
  async killWorker(): Promise<number> {
    const [victim] = this.ready();
    if (victim === undefined) throw new Error("there is no worker");
    this.killed.add(victim);
    this.signal("SIGSTOP", victim);
    await this.until(() => stateOf(victim) === "T", "the worker does not stop");
    const held = socketsOf(victim);
    this.signal("SIGKILL", victim);
    await this.untilReplaced([victim]);
    return held;
  }

  /** Waits for `condition`; throws when the pool ends before, or when it takes for ever. */
  async until(condition: () => boolean, problem: string): Promise<void> {
    const end = Date.now() + PATIENCE;
    while (!condition()) {
      if (this.#ended !== null && !isAlive(this.pid)) {
        throw new Error(`the master ended with ${this.#ended}:\n${this.log.slice(-2000)}`);
      }
      if (Date.now() > end) throw new Error(`${problem}:\n${this.log.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Ends all processes. */
  async stop(signal: NodeJS.Signals = "SIGQUIT"): Promise<void> {
    const { pid } = this;
    if (isAlive(pid)) process.kill(pid, signal);
    try {
      await this.until(() => !isAlive(pid), "the master does not end");
    } catch {
      // It has ended, or is killed below.
    }
    this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Kills what still runs. */
  kill(): void {
    running.delete(this);
    const all = [this.pid];
    for (const pid of all) all.push(...childrenOf(pid));
    for (const pid of all) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  }
}

/** A port that is free now: masters that replace each other must have the same one. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function childrenOf(parent: number): number[] {
  return processes().filter(({ ppid, stat }) => ppid === parent && !stat.startsWith("Z")).map(({ pid }) => pid);
}

function isAlive(pid: number): boolean {
  return processes().some((one) => one.pid === pid && !one.stat.startsWith("Z"));
}

function stateOf(pid: number): string | undefined {
  return processes().find((one) => one.pid === pid)?.stat[0];
}

function processes(): { readonly pid: number; readonly ppid: number; readonly stat: string }[] {
  return execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" }).trim().split("\n").map((line) => {
    const [pid, ppid, stat] = line.trim().split(/\s+/);
    return { pid: Number(pid), ppid: Number(ppid), stat: stat! };
  });
}

function socketsOf(pid: number): number {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).filter((fd) => readlinkSync(join(folder, fd)).startsWith("socket:")).length;
  } catch {
    return Infinity;
  }
}

/** The version that a program tells of itself, or null when it is not installed. */
export function versionOf(program: string): string | null {
  const { error, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return error === undefined ? /[\d.]+\d/.exec(stdout)?.[0] ?? "" : null;
}
