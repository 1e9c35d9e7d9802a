// `tricorn new DIR [--template NAME]`: makes a project in a folder that is empty or not there. It asks nothing and never
// overwrites; what is in the files is templates/.

import { ConfigError, quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";
import { escapeLine } from "../observe/text.ts";
import { oneLine } from "./load.ts";
import { type ProcessControl, ProcessError } from "./process_control.ts";
import type { Context } from "./run.ts";
import { filesOf, scriptCommand } from "./templates/common.ts";
import { esgi } from "./templates/esgi.ts";
import { handler } from "./templates/handler.ts";
import { hono } from "./templates/hono.ts";
import type { Project, Target, Template } from "./templates/template.ts";

const TEMPLATES: ReadonlyMap<string, Template> = new Map([["handler", handler], ["hono", hono], ["esgi", esgi]]);

/** Needs nothing but Tricorn, and the checks and the pages of the development server know most of it. */
const DEFAULT = "handler";

const FLAGS: readonly string[] = ["--template", "--help"];

/** The text of `tricorn new --help`. */
export function newHelp(): string {
  const list = [...TEMPLATES].map(([name, { title }]) => `                 ${name.padEnd(9)}${title}\n`).join("");
  return `Usage: tricorn new DIR [flags]

Makes a project in DIR, which must be empty or not there: TypeScript, with tests and a Dockerfile.

Flags:
      --template NAME
                 what it begins as; "${DEFAULT}" when not given
${list}
Exit codes: 0 made, 1 a file cannot be written, 2 wrong usage, or DIR is not empty.
`;
}

/**
 * Makes the project, and prints what to do next.
 *
 * @throws {ConfigError} for wrong usage, and when there is something in DIR.
 * @throws {ProcessError} when a file or folder cannot be read or made.
 */
export function newProject(
  words: readonly string[],
  { host, runtime, control }: Pick<Context, "host" | "runtime" | "control">,
): void {
  const flags = readFlags(words);
  if (flags.help) return host.stdout(newHelp());
  if (flags.folder === null) throw new ConfigError("new: the folder is missing; write for example: tricorn new site");
  const template = TEMPLATES.get(flags.template);
  if (template === undefined) {
    const near = didYouMean(flags.template, TEMPLATES.keys()) || `; there are ${[...TEMPLATES.keys()].join(", ")}`;
    throw new ConfigError(`new: --template: there is no template ${quote(flags.template)}${near}`);
  }
  const root = host.resolve(flags.folder);
  refuseOccupied(root, flags.folder, control);
  const project: Project = {
    name: packageName(root.slice(root.lastIndexOf("/") + 1)),
    ...startedBy(runtime, host.env.npm_config_user_agent ?? ""),
    secretKey: secretKey(),
  };
  const files = filesOf(template, project);
  write(files, root, flags.folder, control);
  host.stdout(report(Object.keys(files), flags, project));
}

interface Flags {
  /** As it was written; null when it was not. */
  readonly folder: string | null;
  readonly template: string;
  readonly help: boolean;
}

function readFlags(words: readonly string[]): Flags {
  let folder: string | null = null;
  let template = DEFAULT;
  let help = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === "-h" || word === "--help") help = true;
    else if (word === "--template" || word.startsWith("--template=")) {
      template = word === "--template" ? words[++index] ?? "" : word.slice("--template=".length);
      if (template === "") {
        throw new ConfigError(`new: --template: the name is missing; there are ${[...TEMPLATES.keys()].join(", ")}`);
      }
    } else if (word.startsWith("-")) {
      const near = didYouMean(word.replace(/=.*/s, ""), FLAGS);
      throw new ConfigError(`new: unknown flag ${quote(word)}${near || '; "tricorn new --help" lists the flags'}`);
    } else if (folder !== null) {
      throw new ConfigError(`new: ${quote(word)} is one word too many; make one project at a time`);
    } else {
      folder = word;
    }
  }
  // An empty word is a variable of the shell that is not set, and not the working directory.
  return { folder: folder === "" ? null : folder, template, help };
}

/** A repository without a file is empty, too. */
function refuseOccupied(root: string, folder: string, control: ProcessControl): void {
  let found: readonly string[] | null;
  try {
    found = control.listFolder(root);
  } catch (error) {
    if (/\bENOTDIR\b/.test(String(error))) {
      throw new ConfigError(`new: ${quote(folder)} is no folder; name another one`);
    }
    throw new ProcessError(`new: cannot look into ${quote(folder)}: ${oneLine(error)}`);
  }
  const names = (found ?? []).filter((name) => name !== ".git").sort();
  if (names.length === 0) return;
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  throw new ConfigError(
    `new: ${quote(folder)} is not empty: it has ${names.slice(0, 3).map(quote).join(", ")}${more}; name another folder`,
  );
}

/** The longest name that npm takes. */
const MAX_NAME = 214;

/** What a package cannot be called, or not while it depends on one of that name. */
const TAKEN: ReadonlySet<string> = new Set(["node_modules", "favicon.ico", "tricorn", "hono", "typescript"]);

/** `text` as a package's name: itself where it is one. */
function packageName(text: string): string {
  const name = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-").replace(/^[._-]+|[._-]+$/g, "").slice(0, MAX_NAME);
  if (name === "") return "site";
  return TAKEN.has(name) ? `${name}-site` : name;
}

/** The runtime and the package manager of whoever started this. `agent` is what package managers tell of themselves. */
function startedBy(runtime: Context["runtime"], agent: string): Pick<Project, "target" | "version" | "manager"> {
  const [, manager = "npm", version = ""] = /^(npm|pnpm|yarn|bun)\/(\S+)/.exec(agent) ?? [];
  // `bunx tricorn` runs on Node where there is one, since the command asks for it.
  if (manager === "bun" && runtime.name === "node") return { target: "bun", version, manager };
  const target: Target = runtime.name === "deno" || runtime.name === "bun" ? runtime.name : "node";
  return { target, version: runtime.version, manager: target === "node" ? manager : target };
}

/** 48 random bytes. */
function secretKey(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(48))))
    .replaceAll("+", "-").replaceAll("/", "_");
}

function write(files: Readonly<Record<string, string>>, root: string, folder: string, control: ProcessControl): void {
  const written: string[] = [];
  for (const [path, text] of Object.entries(files)) {
    const file = `${root}/${path}`;
    try {
      control.makeFolder(file.slice(0, file.lastIndexOf("/")));
      control.writeNewFile(file, text);
    } catch (error) {
      const before = written.length === 0 ? "nothing was written" : `written before: ${written.join(", ")}`;
      throw new ProcessError(`new: cannot write ${quote(path)} in ${quote(folder)}: ${oneLine(error)}; ${before}`);
    }
    written.push(path);
  }
}

function report(paths: readonly string[], { folder, template }: Flags, project: Project): string {
  const here = /^\.?\/*$|^\.$/.test(folder!);
  const next = [
    ...(here ? [] : [`cd ${shellWord(folder!)}`]),
    `${project.manager} install`,
    scriptCommand(project, "dev"),
  ];
  const list = paths.map((path) => `  ${path}\n`).join("");
  return `Made ${project.name} from the template ${template}${here ? "" : ` in ${escapeLine(folder!)}`}:

${list}
Go on with:

${next.map((command) => `  ${command}\n`).join("")}`;
}

/** `text` as one word of a shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(text) ? text : `'${escapeLine(text).replaceAll("'", `'\\''`)}'`;
}
