// What the tests of deployments share: projects whose files `tricorn init` writes, and the real web servers.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Address } from "../support/client.ts";
import { ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import type { Machine } from "./network.ts";

/** The application behind the web servers. */
export const APP = "test/deployment/application.ts";
/** What lets workers start, and listen on a unix socket, on Deno. */
export const PERMISSIONS: readonly string[] = ["--allow-write", "--allow-run"];
/** Milliseconds, for what hangs. */
export const LIMIT = 300_000;

/** Fields in which a client says that it is another one. */
export const LIES: string = [
  "Forwarded: for=6.6.6.6;proto=https;host=evil",
  "X-Forwarded-For: 6.6.6.6",
  "X-Forwarded-Host: evil",
  "X-Forwarded-Port: 6",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Protocol: ssl",
  "X-Forwarded-Ssl: on",
  "X-Real-IP: 6.6.6.6",
  "",
].join("\r\n");

/** What is where Debian puts it, or in the PATH; null where it is not. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

export interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(words: readonly string[], cwd: string = ROOT): Promise<Ended> {
  const [program, ...rest] = words as [string, ...string[]];
  return new Promise((resolve) => {
    execFile(program, rest, { cwd, env: { ...process.env, NO_COLOR: "1" } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code ?? error.signal ?? "?", stdout, stderr });
    });
  });
}

/** A folder that www-data may look into, and the project in it. */
export class Project {
  readonly folder: string;

  constructor(name: string, config: Readonly<Record<string, unknown>>) {
    const parent = mkdtempSync(join(tmpdir(), "tricorn-deployment-"));
    chmodSync(parent, 0o755);
    this.folder = join(parent, name);
    mkdirSync(this.folder);
    this.configure(config);
  }

  configure(config: Readonly<Record<string, unknown>>): void {
    this.write("tricorn.config.json", JSON.stringify(config));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): void {
    mkdirSync(join(this.path(name), ".."), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  /** `tricorn init`, in its folder. */
  init(runtime: TestRuntime, ...words: readonly string[]): Promise<Ended> {
    return run(this.initWords(runtime, ...words), this.folder);
  }

  initWords({ kind, program }: TestRuntime, ...words: readonly string[]): readonly string[] {
    const deno = ["run", "--no-prompt", "--allow-read", "--allow-write", "--allow-env"];
    const start = { node: ["--import", join(ROOT, "adapters/strip_types.js")], deno, bun: ["run"] }[kind];
    return [program, ...start, join(ROOT, "adapters/bin.ts"), "init", ...words];
  }

  remove(): void {
    rmSync(join(this.folder, ".."), { recursive: true, force: true });
  }
}

/** A port that is free now. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  const server = createServer().listen(0, host);
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** A web server with one configuration around the one under test. */
export class WebServer {
  stderr = "";
  ended = false;
  readonly address: Address;
  readonly #child: ChildProcess;

  private constructor(words: readonly string[], address: { readonly host: string; readonly port: number }) {
    const [program, ...rest] = words as [string, ...string[]];
    this.address = address;
    this.#child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.#child);
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => this.stderr += chunk);
    }
    this.#child.on("close", () => {
      this.ended = true;
      running.delete(this.#child);
    });
  }

  /** nginx with the file at `site` where Debian's has those of conf.d. */
  static nginx(program: string, folder: string, site: string, port: number): Promise<WebServer> {
    return WebServer.#start(["-e", "stderr", "-p", folder, "-c", nginxMain(folder, site)], program, port);
  }

  /** The same on another machine, at port 80. */
  static nginxOn({ enter, address }: Machine, program: string, folder: string, site: string): Promise<WebServer> {
    const words = [...enter, program, "-e", "stderr", "-p", folder, "-c", nginxMain(folder, site)];
    return WebServer.#wait(new WebServer(words, { host: address, port: 80 }), program, async (url) => {
      return (await run([...enter, "curl", "--silent", "--noproxy", "*", url])).code === 0;
    });
  }

  /** Apache with the file at `site` where Debian's has those of sites-enabled. */
  static apache(program: string, folder: string, site: string, port: number): Promise<WebServer> {
    return WebServer.#start(["-d", folder, "-f", apacheMain(folder, site), "-DFOREGROUND"], program, port);
  }

  static async #start(words: readonly string[], program: string, port: number): Promise<WebServer> {
    const server = new WebServer([program, ...words], { host: "127.0.0.1", port });
    return await WebServer.#wait(
      server,
      program,
      (url) => fetch(url, { redirect: "manual" }).then(() => true, () => false),
    );
  }

  static async #wait(
    server: WebServer,
    program: string,
    answers: (url: string) => Promise<boolean>,
  ): Promise<WebServer> {
    const { host, port } = server.address as { host: string; port: number };
    await eventually(async () => {
      if (server.ended) throw new Error(`${program} ended:\n${server.stderr}`);
      return await answers(`http://${host}:${port}/`);
    }, () => `${program} does not answer:\n${server.stderr}`);
    return server;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await eventually(() => this.ended, () => `it does not end:\n${this.stderr}`);
  }
}

/** As Debian's nginx.conf, but for places. */
export function nginxMain(folder: string, site: string): string {
  const path = join(folder, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(
    path,
    `daemon off; user ${process.getuid?.() === 0 ? "root" : "nobody"}; worker_processes 2; pid "${folder}/nginx.pid";
error_log stderr; events {}
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path "${folder}/${name}";`).join(" ")}
  include "${site}";
}
`,
  );
  return path;
}

const MODULES = ["mpm_event", "authz_core", "alias", "headers", "proxy", "proxy_http"];

/** As Debian's apache2.conf, but for places. */
export function apacheMain(folder: string, site: string): string {
  const path = join(folder, "apache2.conf");
  writeFileSync(
    path,
    `${MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
ServerName localhost
PidFile "${folder}/apache2.pid"
DefaultRuntimeDir "${folder}"
Mutex pthread
User www-data
Group www-data
ErrorLog "${folder}/error.log"
<Directory />
  Require all denied
</Directory>
Include "${site}"
`,
  );
  return path;
}
