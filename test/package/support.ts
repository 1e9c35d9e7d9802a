// Builds and packs the package, and starts programs as a user's shell does. With TRICORN_PACKAGE=npm it is the folder that
// dnt made, and not what tsc makes.

import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { ROOT } from "../support/runtimes.ts";
import { eventually, PATIENCE } from "../support/wait.ts";
import {
  type Package,
  type Packed,
  type Publication,
  readPacked,
  type Registry,
  startJSR,
  startRegistry,
} from "./registry.ts";

export interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Builds the package in `folder`, and gives the folder that is to be published. */
export function build(folder: string): string {
  const given = process.env.TRICORN_PACKAGE;
  if (given !== undefined) return resolve(ROOT, given);
  const built = join(folder, "built");
  const words = ["--import", "./adapters/strip_types.js", "scripts/build.ts", built];
  execFileSync(process.execPath, words, { cwd: ROOT, stdio: "pipe" });
  return built;
}

/** Packs packages into `folder`. */
export function pack(sources: readonly string[], folder: string): Package[] {
  const words = ["pack", ...sources, "--json", "--ignore-scripts", "--offline", "--pack-destination", folder];
  const text = execFileSync("npm", words, { cwd: folder, env: SHELL, encoding: "utf8", stdio: "pipe" });
  return (JSON.parse(text) as Packed[]).map((packed, index) => readPacked(packed, sources[index]!, folder));
}

/** The folders of what a package depends on, as this clone has it. */
export function dependencies(source: string): string[] {
  const found = new Set<string>();
  const add = (folder: string): void => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    for (const name of Object.keys(dependencies)) {
      const dependency = join(ROOT, "node_modules", name);
      if (found.has(dependency)) continue;
      found.add(dependency);
      add(dependency);
    }
  };
  add(source);
  return [...found];
}

/** Without what the npm that runs these tests says to its children. */
const SHELL: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:npm_|NODE_|VITEST)/i.test(name))),
  NO_COLOR: "1",
};

/** A user's machine: a folder, nothing installed, and a registry that has the package. */
export class Machine {
  readonly folder: string = mkdtempSync(join(tmpdir(), "tricorn-package-"));
  readonly #running = new Set<ChildProcess>();
  readonly #registries: Registry[] = [];
  /** Where package managers and runtimes look for packages, and keep what they have found. */
  #env: Readonly<Record<string, string | undefined>> = SHELL;

  /** Fills the registry of npm, and that of JSR. */
  async publish(packages: readonly Package[], publication?: Publication): Promise<void> {
    const npm = await startRegistry(packages);
    this.#registries.push(npm);
    const jsr = publication === undefined ? null : await startJSR(publication);
    if (jsr !== null) this.#registries.push(jsr);
    this.#env = {
      ...SHELL,
      NPM_CONFIG_REGISTRY: npm.url,
      JSR_URL: jsr?.url,
      NPM_CONFIG_CACHE: join(this.folder, "npm-cache"),
      NPM_CONFIG_AUDIT: "false",
      NPM_CONFIG_FUND: "false",
      NPM_CONFIG_UPDATE_NOTIFIER: "false",
      DENO_DIR: join(this.folder, "deno"),
      DENO_NO_UPDATE_CHECK: "1",
      BUN_INSTALL_CACHE_DIR: join(this.folder, "bun-cache"),
      NO_PROXY: "127.0.0.1",
      no_proxy: "127.0.0.1",
    };
  }

  /** Runs a program to its end; what never ends is killed, and its code is "SIGKILL". */
  run(cwd: string, program: string, ...words: string[]): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(
        program,
        words,
        { cwd, env: this.#env, timeout: PATIENCE * 3, killSignal: "SIGKILL" },
        (error, out, err) => {
          const code = error === null ? 0 : error.code ?? error.signal ?? null;
          resolve({ code, stdout: out, stderr: err.replace(/^npm warn Unknown user config .*\n/gm, "") });
        },
      );
    });
  }

  /**
   * Runs a server, calls `use` when it listens, and ends it with SIGTERM, if it is still there. `use` is not called when it
   * does not start.
   */
  async serving(
    cwd: string,
    [program, ...words]: readonly [string, ...string[]],
    use: (url: string, server: ChildProcess, output: () => string) => Promise<void>,
  ): Promise<Ended> {
    // A group of its own, so that no worker is left when a test fails.
    const child = spawn(program, words, { cwd, env: this.#env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.#running.add(child);
    let stdout = "";
    let stderr = "";
    let code: number | string | null = null;
    let ended = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
    child.on("exit", (status, signal) => code = status ?? signal);
    child.on("error", (error) => {
      stderr += error;
      ended = true;
    });
    // Workers have the pipes, too.
    child.on("close", () => ended = true);
    const line = [program, ...words].join(" ");
    try {
      let url: string | undefined;
      await eventually(() => {
        url = /(?:Listening at:|^ +At) +(https?:\S+)\n/m.exec(stdout + stderr)?.[1];
        return url !== undefined || ended;
      }, () => `${line} neither listens nor ends:\n${stdout}${stderr}`);
      if (url !== undefined) {
        await use(url, child, () => stdout + stderr);
        child.kill("SIGTERM");
      }
      await eventually(() => ended, () => `${line} does not end:\n${stdout}${stderr}`);
      return { code, stdout, stderr };
    } finally {
      if (!ended) endGroup(child);
      this.#running.delete(child);
    }
  }

  async close(): Promise<void> {
    for (const child of this.#running) endGroup(child);
    for (const registry of this.#registries) await registry.close();
    // What a killed process still writes may come in between.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
