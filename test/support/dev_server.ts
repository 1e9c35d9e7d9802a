// `tricorn runserver` as a real process, in a folder of its own, and the load that is on it while files change.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { ROOT, type TestRuntime } from "./runtimes.ts";
import { eventually, sleep } from "./wait.ts";

/** What docs/runserver.md tells users of Deno to allow, with --https, too. */
const PERMISSIONS = ["--allow-run", "--allow-write"];

/** A project's folder. */
export class Project {
  readonly folder: string;

  constructor(files: Readonly<Record<string, string>>) {
    this.folder = mkdtempSync(join(tmpdir(), "tricorn-dev-"));
    symlinkSync(join(ROOT, "node_modules"), join(this.folder, "node_modules"));
    for (const [name, text] of Object.entries(files)) this.save(name, text);
  }

  /** Writes a file as editors do: whole, under another name, and then in its place. */
  save(name: string, text: string): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}~`, text);
    renameSync(`${path}~`, path);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The words that start it, without its own. */
export function programOf(runtime: TestRuntime): readonly string[] {
  const before = runtime.words(PERMISSIONS).map((word) => word.replace(/^\.\//, ROOT));
  return [runtime.program, ...before, join(ROOT, "adapters/bin.ts"), "runserver"];
}

/** A port that nobody has at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export interface DevServerOptions {
  readonly words?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What stands before the program, which must become it. */
  readonly before?: readonly string[];
  /** Where it is started, as a shell that went there says it. Default: the project's folder. */
  readonly folder?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class DevServer {
  stderr = "";
  stdout = "";
  ended: number | string | null = null;
  readonly pid: number;
  readonly #child: ChildProcess;

  constructor(
    runtime: TestRuntime,
    project: Project,
    { words = ["0"], env = {}, before = [], folder = project.folder }: DevServerOptions = {},
  ) {
    const program = [...before, ...programOf(runtime), ...words];
    const child = spawn(program[0]!, program.slice(1), {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, as a terminal gives one to each command.
      detached: true,
      env: { ...process.env, PWD: folder, NO_COLOR: "", PORT: "", ...env },
    });
    this.#child = child;
    this.pid = child.pid ?? 0;
    child.stdout!.setEncoding("utf8").on("data", (text: string) => this.stdout += text);
    child.stderr!.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    child.on("error", (error) => this.stderr += String(error));
    child.on("exit", (code, signal) => this.ended = code ?? signal);
  }

  /** Resolves when the banner has been shown. */
  async ready(): Promise<this> {
    await eventually(() => {
      if (this.ended !== null) throw new Error(`runserver ended with ${this.ended}:\n${this.stderr}`);
      return this.stderr.includes("Quit with Ctrl-C");
    }, () => `runserver is not ready:\n${this.stderr}`);
    return this;
  }

  get url(): string {
    return /^ {2}At +(https?:\/\/\S+:\d+)\//m.exec(this.stderr)![1]!;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** On a connection of its own, as a program asks. */
  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const response = await fetch(this.url + path, { headers: { connection: "close", ...headers }, redirect: "manual" });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  /** Resolves when the answer for `path` has `text`. */
  async answers(path: string, text: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    let last: Answer | null = null;
    await eventually(
      async () => (last = await this.get(path, headers)).text.includes(text),
      () => `no ${text} at ${path}, but ${last?.text}\n${this.stderr}`,
    );
    return last!;
  }

  /** Resolves when standard error has `text`; `count`: so many times. */
  async says(text: string | RegExp, count = 1): Promise<void> {
    const pattern = typeof text === "string" ? text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&") : text.source;
    await eventually(
      () => (this.stderr.match(new RegExp(pattern, "gm")) ?? []).length >= count,
      () => `never said: ${text}\n${this.stderr}`,
    );
  }

  /** The processes that it has started and that live. */
  children(): number[] {
    try {
      return execFileSync("pgrep", ["-P", String(this.pid)], { encoding: "utf8" }).trim().split("\n").map(Number);
    } catch {
      return [];
    }
  }

  /** How many files and sockets the parent has open. */
  descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** To the process, or to all of its group, as a terminal does. */
  signal(signal: NodeJS.Signals, group = false): void {
    process.kill(group ? -this.pid : this.pid, signal);
  }

  async exited(): Promise<number | string> {
    await eventually(() => this.ended !== null, () => `runserver still runs:\n${this.stderr}`);
    return this.ended!;
  }

  async stop(): Promise<void> {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // All have gone.
    }
    await this.exited();
  }
}

/** A project and a server in it for one test; both go, whatever happens. */
export async function withDevServer<T>(
  runtime: TestRuntime,
  files: Readonly<Record<string, string>>,
  body: (server: DevServer, project: Project) => Promise<T>,
  options: DevServerOptions = {},
): Promise<T> {
  const project = new Project(files);
  const server = new DevServer(runtime, project, options);
  try {
    await server.ready();
    return await body(server, project);
  } finally {
    await server.stop();
    project.remove();
  }
}

/** A `runserver` that does not start: its exit code and what it says. */
export async function failedStart(
  runtime: TestRuntime,
  files: Readonly<Record<string, string>>,
  options: DevServerOptions = {},
): Promise<{ readonly code: number | string; readonly stdout: string; readonly stderr: string }> {
  const project = new Project(files);
  const server = new DevServer(runtime, project, options);
  try {
    const code = await server.exited();
    // What was written last may still be in the pipe.
    await sleep(50);
    return { code, stdout: server.stdout, stderr: server.stderr };
  } finally {
    await server.stop();
    project.remove();
  }
}

/** Clients that ask one request after another, each on a connection that is kept, or on a new one each time. */
export class Load {
  requests = 0;
  /** What went wrong, and what was no answer of the application. */
  readonly failures: string[] = [];
  readonly #port: number;
  readonly #good: (head: string, body: string) => boolean;
  #stopping = false;
  readonly #clients: Promise<void>[];

  constructor(port: number, good: (head: string, body: string) => boolean) {
    this.#port = port;
    this.#good = good;
    this.#clients = [true, true, false, false].map((keepAlive) => this.#run(keepAlive));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
  }

  async #run(keepAlive: boolean): Promise<void> {
    let socket: Socket | null = null;
    let answered = 0;
    while (!this.#stopping) {
      const kept = socket !== null;
      // This process stood still for as long as an idle connection lives (0.1 s): its server may close it meanwhile.
      const late = kept && performance.now() - answered > 80;
      try {
        socket ??= await open(this.#port);
        const [head, body] = await ask(socket, keepAlive);
        this.requests++;
        answered = performance.now();
        if (!this.#good(head, body)) this.failures.push(`${head}\n\n${body}`);
        if (!keepAlive || /\r\nconnection: close/i.test(head)) {
          socket.destroy();
          socket = null;
        }
      } catch (error) {
        // A kept connection that has ended while nothing was asked is no loss: its client opens another one.
        if (!late && !(kept && error instanceof IdleEnd)) this.failures.push(String(error));
        socket?.destroy();
        socket = null;
      }
      await sleep(2);
    }
    socket?.destroy();
  }
}

class IdleEnd extends Error {}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("connect", () => {
      socket.off("error", reject);
      // Told where it is asked.
      socket.on("error", () => {});
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

function ask(socket: Socket, keepAlive: boolean): Promise<[head: string, body: string]> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed || socket.readableEnded || !socket.writable) {
      reject(new IdleEnd("the connection had ended before"));
      return;
    }
    let text = "";
    const done = (action: () => void): void => {
      socket.off("data", onData);
      socket.off("close", onClose);
      action();
    };
    const onClose = (): void => done(() => reject(new Error(`cut off after ${JSON.stringify(text.slice(0, 200))}`)));
    const onData = (chunk: unknown): void => {
      text += String(chunk);
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = text.slice(0, end);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const body = text.slice(end + 4);
      if (body.length >= length) done(() => resolve([head, body]));
    };
    socket.setEncoding("latin1");
    socket.on("data", onData);
    socket.once("close", onClose);
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${keepAlive ? "" : "Connection: close\r\n"}\r\n`);
  });
}
