// Starts Tricorn as a real process: the command line, on a runtime, with settings as its flags.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { afterAll, beforeAll } from "vitest";
import { type Options, type SettingName, SETTINGS } from "../../src/config/settings.ts";
import { type Address, Client } from "./client.ts";
import { ROOT, type TestRuntime } from "./runtimes.ts";
import { eventually, PATIENCE } from "./wait.ts";

export interface ServerOptions extends Options {
  /** `MODULE[:NAME]`, from the repository's root; the application of test/support/application.ts by default. */
  readonly app?: string;
  /** File descriptors that the process gets from 3 on. */
  readonly fds?: readonly number[];
  /** How many files the process may have open; by default what the system gives. */
  readonly openFiles?: number;
  /** More permissions for Deno. */
  readonly permissions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** More words of the command line. */
  readonly words?: readonly string[];
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Settings as the words of a command line. */
function flags(options: Options): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const setting = SETTINGS[name as SettingName];
    const flag = setting.flags.at(-1)!;
    if (setting.type === "boolean") return value === setting.default ? [] : [flag];
    if (setting.type === "binds") return [value].flat().map((bind) => `${flag}=${String(bind)}`);
    return [`${flag}=${[value].flat().join(",")}`];
  });
}

/** A server's process. */
export class ServerProcess {
  /** Standard error so far. */
  stderr = "";
  stdout = "";
  /** Exit code, or the signal that ended it; null while it runs. */
  ended: number | string | null = null;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #clients = new Set<Client>();
  #address: Address | null = null;
  /** How many addresses it was told to listen on. */
  readonly #binds: number;

  constructor(runtime: TestRuntime, options: ServerOptions) {
    const {
      app = "test/support/application.ts",
      fds = [],
      openFiles,
      permissions = [],
      env = {},
      words: more = [],
      ...settings
    } = options;
    const limit = openFiles === undefined ? [] : ["sh", "-c", `ulimit -n ${openFiles}; exec "$0" "$@"`];
    const [program, ...words] = [
      ...limit,
      runtime.program,
      ...runtime.words(permissions),
      "adapters/bin.ts",
      "serve",
      app,
      ...flags({ bind: "127.0.0.1:0", ...settings }),
      ...more,
    ];
    this.#binds = [settings.bind ?? []].flat().length || 1;
    const child = spawn(program!, words, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe", ...fds],
      // No control socket in the home of whoever runs the tests; those that want one say where.
      env: { ...process.env, XDG_RUNTIME_DIR: "/nonexistent/tests", ...env },
    });
    this.#child = child;
    this.pid = child.pid ?? 0;
    running.add(child);
    child.stdout!.setEncoding("utf8").on("data", (text: string) => this.stdout += text);
    child.stderr!.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    child.on("error", (error) => this.stderr += String(error));
    child.on("close", (code, signal) => {
      running.delete(child);
      this.ended = code ?? signal;
    });
  }

  /** Resolves when the server listens. */
  async ready(): Promise<this> {
    await eventually(() => {
      if (this.ended !== null) throw new Error(`the server ended with ${this.ended}:\n${this.stderr}`);
      // Each address is a line of its own, and a pipe may bring them one by one.
      return (this.stderr.match(/Listening at: .*\n/g) ?? []).length >= this.#binds;
    }, () => `the server is not ready:\n${this.stderr}`);
    return this;
  }

  /** Where it listens: the first of its addresses, or what {@link at} was told. */
  get address(): Address {
    return this.#address ??= this.addresses[0]!;
  }

  get addresses(): Address[] {
    return [...this.stderr.matchAll(/Listening at: (?:\w+:\/\/)?(?:unix:(.*)|(.*):(\d+))\n/g)].map((match) =>
      match[1] === undefined ? { host: match[2]!.replace(/[[\]]/g, ""), port: Number(match[3]) } : { path: match[1] }
    );
  }

  /** For a server that does not know its own address, as with an inherited socket. */
  at(address: Address): this {
    this.#address = address;
    return this;
  }

  get port(): number {
    const { address } = this;
    if (!("port" in address)) throw new Error("it listens on a unix socket");
    return address.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** A connection to it. */
  async connect(address: Address = this.address): Promise<Client> {
    const client = await Client.connect(address);
    this.#clients.add(client);
    return client;
  }

  /** One request on a connection of its own. */
  async get(target: string, fields = ""): Promise<Awaited<ReturnType<Client["response"]>>> {
    const client = await this.connect();
    client.send(`GET ${target} HTTP/1.1\r\nHost: test\r\n${fields}Connection: close\r\n\r\n`);
    const response = await client.response();
    client.destroy();
    return response;
  }

  async json(target: string): Promise<Record<string, unknown>> {
    return JSON.parse((await this.get(target)).text) as Record<string, unknown>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit code or the signal. */
  async exited(): Promise<number | string> {
    await eventually(() => this.ended !== null, () => `the server still runs:\n${this.stderr}`);
    return this.ended!;
  }

  /** Memory in use, in megabytes. */
  rss(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
  }

  /** Sockets and files that the process holds. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    if (this.ended === null) this.#child.kill("SIGKILL");
    await eventually(() => this.ended !== null, () => "the server does not die", PATIENCE);
  }
}

/** Starts a server, and waits until it listens. */
export async function startServer(runtime: TestRuntime, options: ServerOptions = {}): Promise<ServerProcess> {
  const server = new ServerProcess(runtime, options);
  try {
    return await server.ready();
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A server for all tests of a `describe`; call what is returned to have it. */
export function useServer(runtime: TestRuntime, options: ServerOptions = {}): () => ServerProcess {
  let server: ServerProcess | null = null;
  beforeAll(async () => {
    server = await startServer(runtime, options);
  });
  afterAll(() => server?.stop());
  return () => server!;
}

/** Starts a server for one test, and stops it whatever happens. */
export async function withServer<T>(
  runtime: TestRuntime,
  options: ServerOptions,
  body: (server: ServerProcess) => Promise<T>,
): Promise<T> {
  const server = await startServer(runtime, options);
  try {
    return await body(server);
  } finally {
    await server.stop();
  }
}
