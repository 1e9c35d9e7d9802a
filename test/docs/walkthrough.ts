// Goes through a document as its reader does, from an empty folder beside a clone: saves its files, types its commands, waits
// for what it shows, and presses Ctrl-C where it says so. Every block is obeyed; what fails, fails with the block's line.
//
// A block of `sh` is typed as it stands, in a terminal that is free; one that goes on (a server) keeps its terminal until the
// next "Ctrl-C" of the text. Of the lines for one runtime (`npx tricorn ...`, `deno ...`, `bunx ...`) each reader takes his own.
// A block of `text` is what the last command has shown, or what a server shows. Any other block is a file, and its first line
// is a comment with the name. Nobody is root here: what begins with `sudo` has to be what a command of Tricorn told to do.

import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findProgram } from "../deployment/support.ts";
import { type Registry, startRegistry } from "../package/registry.ts";
import { dependencies, pack } from "../package/support.ts";
import { ROOT, RUNTIMES, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { children, freePort, linkPackages, typeCheck } from "./support.ts";

/** A piece of a document: `language` is "" for what stands between the blocks. */
interface Step {
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  let line = 1;
  for (const [index, text] of markdown.split(/^(```\w*\n.*?^```\n)/ms).entries()) {
    const [, language, code] = /^```(\w*)\n(.*)^```\n$/ms.exec(text) ?? [];
    if (index % 2 === 0) steps.push({ line, language: "", text });
    else steps.push({ line, language: language!, text: code! });
    line += text.split("\n").length - 1;
  }
  return steps;
}

/** Who reads. */
export interface Reader {
  readonly runtime: TestRuntime;
  /** A Node that does not load TypeScript by itself. */
  readonly old: boolean;
}

/** The machine's Node, the newest one, Deno and Bun. */
export const READERS: readonly Reader[] = RUNTIMES
  .filter(({ name }) => ["node", "node-26", "deno", "bun"].includes(name))
  .map((runtime) => ({
    runtime,
    old: runtime.name === "node" && !(process.features as { typescript?: unknown }).typescript,
  }));

/** What a reader does by hand and not with a command, where the text has these words. */
export type Deeds = Readonly<Record<string, (reading: Reading) => void | Promise<void>>>;

/** What is there before anybody reads. */
export interface Surroundings {
  /** The URL at which npm finds packages; null: there are none. */
  readonly registry: string | null;
  /** The folder of the clone; null: there is none. */
  readonly clone: string | null;
}

/** What the documents install beside Tricorn. */
const PACKAGES = ["hono", "@swc/wasm-typescript"];

/** Defines a test of `document`, a path from the root, for each reader. It needs `programs` of the system. */
export function testWalkthrough(document: string, deeds: Deeds, programs: readonly string[]): void {
  const folder = mkdtempSync(join(tmpdir(), "tricorn-documents-"));
  const clone = join(folder, "tricorn");
  let registry: Registry | null = null;

  beforeAll(async () => {
    makeClone(clone);
    const sources = [...dependencies(ROOT), ...PACKAGES.map((name) => join(ROOT, "node_modules", name))];
    const packages = join(folder, "packages");
    mkdirSync(packages);
    registry = await startRegistry(pack(sources, packages));
  }, 300_000);

  afterAll(async () => {
    await registry?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const reader of READERS) {
    const { name, missing } = reader.runtime;
    const absent = programs.filter((program) => findProgram(program) === null);
    const why = missing ?? (absent.length > 0 ? `${absent.join(" and ")} not found` : null);
    if (why !== null) test.skip(`leads to its end on ${name}: ${why}`, () => {});
    else {
      test(
        `leads to its end on ${name}`,
        () => Reading.read(document, reader, deeds, { registry: registry!.url, clone }),
        // A reader has twenty minutes for it.
        300_000,
      );
    }
  }
}

/** In commands that only a Node needs that does not load TypeScript by itself. */
const FOR_OLD_NODE = /wasm-typescript|tricorn\/typescript/;

/** A command that changes nothing. */
const LOOK = /^curl --silent http:\S+(?: \||$)/;

/** Shown when a server is there. */
const READY = /Listening at: |Quit with Ctrl-C|start worker process \d/;

/** Something typed into a terminal. */
class Typed {
  readonly child: ChildProcess;
  readonly line: number;
  output = "";
  ended: number | string | null = null;

  constructor(line: number, script: string, cwd: string, env: NodeJS.ProcessEnv) {
    this.line = line;
    this.child = spawn("sh", ["-c", script], { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    children.add(this.child);
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => this.output += text);
    }
    this.child.on("close", (code, signal) => {
      children.delete(this.child);
      this.ended = code ?? signal;
    });
  }

  /** As a terminal does it: to all that was started in it. */
  async interrupt(): Promise<void> {
    process.kill(-this.child.pid!, "SIGINT");
    await eventually(() => this.ended !== null, () => `Ctrl-C does not end it:\n${this.output}`);
  }
}

export class Reading {
  readonly reader: Reader;
  /** The folder in which the reader begins, beside the clone. */
  readonly home: string;
  /** Where the reader is now. */
  folder: string;
  readonly #env: NodeJS.ProcessEnv;
  /** Ports of the text, and those that are free here. */
  readonly #ports: ReadonlyMap<string, number>;
  #aliases = "";
  readonly #saved = new Set<string>();
  readonly #servers: Typed[] = [];
  /** What the last command has shown, until the text has shown it. */
  #shown: string | null = null;
  /** Types the last command again, where it only looks at something. */
  #lookAgain: (() => Promise<void>) | null = null;
  /** What commands of Tricorn have shown, all of it. */
  #told = "";

  private constructor(reader: Reader, home: string, env: NodeJS.ProcessEnv, ports: ReadonlyMap<string, number>) {
    this.reader = reader;
    this.home = home;
    this.folder = home;
    this.#env = env;
    this.#ports = ports;
  }

  /** Reads `document`, a path from the root, as `reader`, and obeys it. */
  static async read(document: string, reader: Reader, deeds: Deeds, { registry, clone }: Surroundings): Promise<void> {
    const home = realpathSync(mkdtempSync(join(tmpdir(), "tricorn-reader-")));
    try {
      // nginx's own user looks into it.
      chmodSync(home, 0o755);
      if (clone !== null) symlinkSync(clone, join(home, "tricorn"));
      const port = await freePort();
      let other = port;
      while (other === port) other = await freePort();
      const ports = new Map([["8000", port], ["8080", other]]);
      const env = makeEnvironment(reader, home, port, registry);
      const reading = new Reading(reader, home, env, ports);
      try {
        await reading.#go(document, deeds);
      } finally {
        for (const { child, ended } of reading.#servers) if (ended === null) kill(child);
        await eventually(() => reading.#servers.every(({ ended }) => ended !== null), () => "a server does not end");
      }
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  }

  async #go(document: string, deeds: Deeds): Promise<void> {
    const done = new Set<string>();
    for (const step of stepsOf(readFileSync(resolve(ROOT, document), "utf8"))) {
      try {
        if (step.language === "") await this.#hear(step.text.replaceAll(/\s+/g, " "), deeds, done);
        else await this.#obey(step);
      } catch (error) {
        throw new Error(`${document}:${step.line}: ${(error as Error).message}`, { cause: error });
      }
    }
    // Readers differ in their runtimes, and not in their files.
    if (this.reader.runtime.name === "node") await this.#compile();
    for (const words of Object.keys(deeds)) {
      if (!done.has(words)) throw new Error(`${document}: nobody says "${words}"`);
    }
    const server = this.#servers.find(({ ended }) => ended === null);
    if (server !== undefined) throw new Error(`${document}:${server.line}: nobody ends it with Ctrl-C`);
  }

  /** The TypeScript is right, as a user's compiler sees it. */
  async #compile(): Promise<void> {
    const modules = [...this.#saved].filter((name) => name.endsWith(".ts"));
    if (modules.length === 0) return;
    linkPackages(this.home, ["@types", "bun-types", "undici-types"]);
    expect(await typeCheck(this.folder, modules)).toBe("");
  }

  /** What the text says between its blocks, in its order. */
  async #hear(text: string, deeds: Deeds, done: Set<string>): Promise<void> {
    if (text.includes("```")) throw new Error("a block in it does not begin at the margin, and would not be obeyed");
    const said = ["Ctrl-C", ...Object.keys(deeds)].flatMap((words) =>
      text.split(words).slice(1).map((after) => ({ at: text.length - after.length, words }))
    );
    for (const { words } of said.sort((a, b) => a.at - b.at)) {
      if (words === "Ctrl-C") {
        const server = this.#servers.findLast(({ ended }) => ended === null);
        if (server === undefined) throw new Error("there is nothing that Ctrl-C could end");
        await server.interrupt();
      } else {
        await deeds[words]!(this);
        done.add(words);
      }
    }
  }

  async #obey({ line, language, text }: Step): Promise<void> {
    if (language === "sh") {
      await this.#type(line, text);
      const looks = text.trimEnd().split("\n").every((command) => LOOK.test(command));
      this.#lookAgain = looks ? () => this.#type(line, text) : null;
    } else if (language === "text") await this.#see(text);
    else this.#copy(text);
  }

  #copy(text: string): void {
    const name = /^(?:\/\/|#|\/\*) (\S+\.\w+|\.\w+)(?: \*\/)?\n/.exec(text)?.[1];
    if (name === undefined) throw new Error("the block is neither sh nor text, and names no file");
    this.save(name, this.here(text));
    this.#saved.add(name);
  }

  /** As an editor does it: nobody sees half of it. */
  save(name: string, text: string): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(join(this.home, "unsaved"), text);
    renameSync(join(this.home, "unsaved"), path);
  }

  /** Opens a file, changes it and saves it. */
  edit(name: string, from: string, to: string): void {
    const text = readFileSync(join(this.folder, name), "utf8");
    expect(text).toContain(from);
    this.save(name, text.replace(from, to));
  }

  async #type(line: number, text: string): Promise<void> {
    const lines = text.trimEnd().split("\n").filter((command) => this.#isFor(command));
    if (lines.length === 0 && text.split("\n").some((command) => FOR_OLD_NODE.test(command))) return;
    if (lines.length === 0) throw new Error(`there is nothing in it for ${this.reader.runtime.name}`);
    if (lines.some((command) => command.startsWith("sudo "))) {
      for (const command of lines) expect(this.#told).toContain(`\n  ${command}\n`);
      return;
    }
    const aliases = lines.filter((command) => command.startsWith("alias "));
    this.#aliases += aliases.map((alias) => `${alias}\n`).join("");
    const script = this.here(`${this.#aliases}${NPM_CI}\nset -e\n${lines.join("\n")}\npwd > "${this.home}/pwd"\n`);
    const typed = new Typed(line, script, this.folder, this.#env);
    this.#servers.push(typed);
    await eventually(
      () => typed.ended !== null || READY.test(typed.output),
      () => `it neither ends nor listens:\n${typed.output}`,
      120_000,
    );
    if (typed.ended === null) {
      this.#shown = null;
      return;
    }
    if (typed.ended !== 0) throw new Error(`it ended with ${typed.ended}:\n${typed.output}`);
    this.folder = readFileSync(join(this.home, "pwd"), "utf8").trimEnd();
    this.#shown = typed.output;
    this.#told += this.#there(typed.output);
  }

  /** Is a line of a block for this reader? One that names no runtime is for all. */
  #isFor(command: string): boolean {
    const { runtime, old } = this.reader;
    if (FOR_OLD_NODE.test(command)) return old;
    const [, word] = /^(?:alias \w+=")?(npx|node|deno|bunx?)\b/.exec(command) ?? [];
    return word === undefined ||
      { npx: "node", node: "node", deno: "deno", bun: "bun", bunx: "bun" }[word] === runtime.kind;
  }

  /** Waits until what the text shows is what is there. */
  async #see(text: string): Promise<void> {
    const wanted = likeness(text);
    const command = this.#shown === null ? null : likeness(this.#there(this.#shown));
    if (command === wanted) {
      this.#shown = null;
      return;
    }
    // While workers are replaced an old one may have answered.
    if (this.#lookAgain !== null && command !== null) {
      const again = this.#lookAgain;
      const isThere = async (): Promise<boolean> => {
        await again();
        return this.#shown !== null && likeness(this.#there(this.#shown)) === wanted;
      };
      await eventually(isThere, () => `it shows\n${wanted}\n\nand ever again it is\n${this.#shown}`, 10_000);
      this.#shown = null;
      return;
    }
    const seen = (): string[] => this.shown().map(likeness);
    await eventually(
      () => seen().some((output) => wanted.split("\n").every((line) => output.split("\n").includes(line))),
      () =>
        `it shows\n${wanted}\n\nThe last command has shown\n${command}\n\nand the servers\n${
          seen().map((output) => output.split("\n").slice(-40).join("\n")).join("\n---\n")
        }`,
      command === null || seen().length > 0 ? undefined : 0,
    );
  }

  /** A text of the document, with what is free here. */
  here(text: string): string {
    for (const [port, free] of this.#ports) text = text.replaceAll(`:${port}`, `:${free}`);
    return text;
  }

  /** What was shown here, as the document has it. */
  #there(text: string): string {
    for (const [port, free] of this.#ports) text = text.replaceAll(`:${free}`, `:${port}`);
    return text.replaceAll(this.home, "/home/you");
  }

  /** What the servers that run have shown, each. */
  shown(): string[] {
    return this.#servers.filter(({ ended }) => ended === null).map(({ output }) => this.#there(output));
  }
}

/** The packages of the clone are those of this repository, and stay as they are: `npm ci` only says what it would do. */
const NPM_CI = 'npm() { if [ "$1" = ci ]; then command npm ci --dry-run; else command npm "$@"; fi; }';

/** What git and `npm ci` make, without both. */
function makeClone(folder: string): void {
  mkdirSync(folder);
  const root = ROOT;
  for (
    const name of readdirSync(root).filter((name) => !/^(?:\.|test$|node_modules$|dist$|npm$|coverage$)/.test(name))
  ) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
}

/** What the reader's terminals have: his runtime in the PATH, nothing in any cache, and the registry. */
function makeEnvironment({ runtime }: Reader, home: string, port: number, registry: string | null): NodeJS.ProcessEnv {
  const { kind, program } = runtime;
  const bin = join(home, "bin");
  mkdirSync(bin);
  const names = { node: ["node"], deno: ["deno"], bun: ["bun", "bunx"] }[kind];
  // Bun is what it is called.
  for (const name of names) symlinkSync(program, join(bin, name));
  const kept = Object.entries(process.env).filter(([name]) => !/^(?:npm_|NODE_|VITEST|TRICORN_|XDG_)/i.test(name));
  return {
    ...Object.fromEntries(kept),
    PATH: [bin, dirname(process.execPath), process.env.PATH].join(delimiter),
    // Caches are there, and the control socket: nobody else's server is asked, and this one by nobody else.
    HOME: home,
    // For commands that name no port: runserver, and serve.
    PORT: String(port),
    TRICORN_CMD_ARGS: `--bind 127.0.0.1:${port}`,
    NO_COLOR: "1",
    // Nobody listens at the second one.
    NPM_CONFIG_REGISTRY: registry ?? "http://127.0.0.1:9/",
    NPM_CONFIG_USERCONFIG: join(home, ".npmrc"),
    NPM_CONFIG_AUDIT: "false",
    NPM_CONFIG_FUND: "false",
    NPM_CONFIG_UPDATE_NOTIFIER: "false",
    DENO_NO_UPDATE_CHECK: "1",
    NO_PROXY: "127.0.0.1",
    no_proxy: "127.0.0.1",
  };
}

/** What is shown, with one version, time, process id or figure as good as another. */
function likeness(text: string): string {
  return text
    .replaceAll(/\b(?:node|deno|bun) \d+\.\d+\.\d+/g, "RUNTIME")
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}|\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}/g, "TIME")
    .replaceAll(/\[\d+\]|\bpid: ?\d+/g, "PID")
    .replaceAll(/\b\d\d:\d\d:\d\d\b/g, "TIME")
    .replaceAll(/\b[\d.]+ ?(?:ms|s|MB|%)(?!\w)/g, "N")
    .replaceAll(/\b\d+ (?=frames?\b)/g, "N ")
    .replaceAll(/\bcurl\/[\d.]+/g, "curl")
    // Bun's are off at times.
    .replaceAll(/(\.ts:\d+):\d+/g, "$1:COLUMN")
    // A line of `tricorn ctl show workers`.
    .replaceAll(/^ *\d+ +\d+ +(\d+ +\w+) .*N$/gm, "WORKER $1")
    .replaceAll(/[ \t]+/g, " ")
    .replaceAll(/^ | $/gm, "")
    .trim();
}

function kill({ pid }: ChildProcess): void {
  try {
    process.kill(-pid!, "SIGKILL");
  } catch {
    // It has ended.
  }
}
