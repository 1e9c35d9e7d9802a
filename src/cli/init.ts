// `tricorn init TARGET`: writes what stands between a project and its users (nginx, systemd, containers, ...), from the
// project's own configuration. It never overwrites without asking; what is in the files is deployment/.

import { ConfigError, quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";
import { resolveSources, type Source } from "../config/settings.ts";
import { escapeLine } from "../observe/text.ts";
import { findConfigFile, readConfigFile } from "./config_file.ts";
import { apache } from "./deployment/apache.ts";
import {
  absolute,
  type Deployment,
  type DeploymentTemplate,
  type Mapping,
  type WebFlag,
} from "./deployment/deployment.ts";
import { docker } from "./deployment/docker.ts";
import { kubernetes } from "./deployment/kubernetes.ts";
import { nginx } from "./deployment/nginx.ts";
import { systemd } from "./deployment/systemd.ts";
import type { DevHost } from "./dev_host.ts";
import type { CommandHost } from "./host.ts";
import { oneLine } from "./load.ts";
import { shellWord } from "./new.ts";
import { type ProcessControl, ProcessError } from "./process_control.ts";
import type { Context } from "./run.ts";
import { findSettings, SETTINGS_VARIABLE } from "./settings_module.ts";
import type { Files, Target } from "./templates/template.ts";
import { type FlagSpec, type GivenFlags, readWords } from "./words.ts";

const TARGETS: ReadonlyMap<string, DeploymentTemplate> = new Map([
  ["nginx", nginx],
  ["apache", apache],
  ["systemd", systemd],
  ["docker", docker],
  ["kubernetes", kubernetes],
]);

const FLAGS = {
  config: { takes: "value", short: "c" },
  output: { takes: "value", short: "o" },
  stdout: { takes: "nothing" },
  listen: { takes: "value" },
  "server-name": { takes: "value" },
  mount: { takes: "value" },
  static: { takes: "value" },
  settings: { takes: "value" },
  protected: { takes: "value" },
} as const satisfies FlagSpec;

type Flags = GivenFlags<typeof FLAGS>;

/** The text of `tricorn init --help`. */
export function initHelp(): string {
  const list = [...TARGETS].map(([name, { title }]) => `  ${name.padEnd(12)}${title}\n`).join("");
  return `Usage: tricorn init TARGET [MODULE[:NAME]] [flags]

Writes the files of a deployment of the project in this folder, from its configuration. A file that
is there already is overwritten only when somebody in the terminal says so.

${list}
MODULE is the application, where the configuration has no app.

Flags:
  -c, --config PATH
                 the configuration file, as for serve
  -o, --output DIR
                 where the files go: deploy when not given, and for docker this folder
      --stdout   print the files, and write nothing
      --listen [HOST:]PORT
                 where nginx or Apache listens; port 80 when not given
      --server-name NAME
                 the site's host
      --mount PATH
                 the site is below this path, and not at /
      --static URL=DIR
                 files that nginx or Apache sends by itself: /static/=./static
      --settings MODULE[:NAME]
                 the settings of a Handler, which say so as STATIC_URL and STATIC_ROOT; when not
                 given, what the environment variable ${SETTINGS_VARIABLE} names
      --protected URL=DIR
                 files that nginx sends when the application says so with X-Accel-Redirect

Exit codes: 0 written, 1 a file cannot be read or written, 2 wrong usage, or a file is there already,
3 the settings cannot be loaded, 4 their module has none of that name.
`;
}

/**
 * Writes the files, and prints what to do with them.
 *
 * @throws {ConfigError} for wrong usage, for a configuration that is wrong, and when one of the files is there with other
 * content and nobody in the terminal wants it overwritten: then nothing is written.
 * @throws {LoadError} when the settings of a Handler cannot be loaded.
 * @throws {ProcessError} when a file or folder cannot be read or made.
 */
export async function init(
  words: readonly string[],
  { host, runtime, control, dev }: Pick<Context, "host" | "runtime" | "control" | "dev">,
): Promise<void> {
  const { flags, operands } = readWords("init", words, FLAGS);
  if (flags.help) return host.stdout(initHelp());
  const [target, app, extra] = operands;
  if (extra !== undefined) {
    throw new ConfigError(`init: ${quote(extra)} is one word too many; write one target at a time`);
  }
  const names = [...TARGETS.keys()];
  if (target === undefined) {
    throw new ConfigError(`init: the target is missing; write one of ${names.join(", ")}, as in "tricorn init nginx"`);
  }
  const template = TARGETS.get(target);
  if (template === undefined) {
    const near = didYouMean(target, names) || `; there are ${names.join(", ")}`;
    throw new ConfigError(`init: there is no target ${quote(target)}${near}`);
  }
  refuseMeaningless(target, template, flags);
  const deployment = await look(flags, target, template, app ?? null, { host, runtime, control });
  const files = template.files(deployment);
  if (flags.stdout) host.stdout(printed(files));
  else {
    const shown = (flags.output ?? template.folder).replace(/\/*$/, "/").replace(
      /^\/$/,
      flags.output === null ? "" : "/",
    );
    const folder = flags.output === null ? `${deployment.folder}/${template.folder}` : `${host.resolve(flags.output)}/`;
    const there = found(files, folder, shown, control);
    const other = Object.keys(files).filter((path) => (there.get(path) ?? files[path]) !== files[path]);
    if (other.length > 0) await askToOverwrite(other, files, shown, target, host, dev);
    const written = write(files, there, folder, shown, control);
    host.stdout(report(files, written, shown, template.next(deployment, shown === "" ? "" : shellWord(shown))));
  }
  // What the project's modules have begun must not keep the process.
  host.exit(0);
}

const WEB_FLAGS: readonly WebFlag[] = ["listen", "server-name", "mount", "static", "protected"];

function refuseMeaningless(target: string, template: DeploymentTemplate, flags: Flags): void {
  const given = WEB_FLAGS.find((flag) => flags[flag] !== null && !template.flags.includes(flag));
  if (given !== undefined) throw new ConfigError(`init: --${given} means nothing for ${target}; leave it out`);
  if (flags.stdout && flags.output !== null) throw new ConfigError("init: --stdout and --output: choose one of them");
}

/** Deployed, it has workers, unless the configuration says otherwise: for one process there are no reloads. */
const POOL: Source = { from: "default", options: { workers: "auto" } };

/** The project in the folder where the command was started. */
async function look(
  flags: Flags,
  name: string,
  template: DeploymentTemplate,
  operand: string | null,
  { host, runtime, control }: Pick<Context, "host" | "runtime" | "control">,
): Promise<Deployment> {
  const folder = host.startDirectory;
  const file = findConfigFile(flags.config, folder, host);
  const given = file === null ? {} : await readConfigFile(file, host);
  // The environment is this machine's, and the files are for another one.
  const { settings, origins } = resolveSources([POOL, { from: file?.name ?? "", options: given }], {});
  const target: Target = runtime.name === "deno" || runtime.name === "bun" ? runtime.name : "node";
  const app = operand ?? settings.app;
  return {
    name: projectName(folder, control),
    folder,
    settings,
    origins: operand === null ? origins : { ...origins, app: "default" },
    config: flags.config,
    get app(): string {
      if (app !== null) return app;
      throw new ConfigError(
        `init: the application is missing; add it ("tricorn init ${name} app.ts"), or app to the configuration`,
      );
    },
    target,
    version: runtime.version,
    command: commandOf(target, folder, host),
    names: new Set(attemptRead(folder, () => control.listFolder(folder)) ?? []),
    listen: listenOf(flags.listen),
    serverName: serverNameOf(flags["server-name"]),
    mount: mountOf(flags.mount),
    static: template.flags.includes("static") ? await staticOf(flags, folder, host) : null,
    protected: flags.protected === null ? null : mapping("protected", flags.protected, folder),
  };
}

/** The name in package.json, or the folder's, as all that is named after it allows (RFC 1123 §2.1). */
function projectName(folder: string, control: ProcessControl): string {
  const path = `${folder}/package.json`;
  let name: unknown;
  try {
    name = JSON.parse(attemptRead(path, () => control.readFile(path)) ?? "{}").name;
  } catch (error) {
    if (error instanceof ProcessError) throw error;
    // It is npm's to say what is wrong with it.
  }
  const text = typeof name === "string" ? name.replace(/^@[^/]*\//, "") : folder.slice(folder.lastIndexOf("/") + 1);
  const clean = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()
    .replace(/[^a-z0-9]+/g, "-").replace(/^[-0-9]+/, "").slice(0, 50).replace(/-+$/, "");
  return clean === "" ? "site" : clean;
}

/** The words that make `tricorn` of the runtime, from whatever folder. */
function commandOf(target: Target, folder: string, host: CommandHost): readonly string[] {
  const { runtime, script } = host.program();
  const installed = `${folder}/node_modules/.bin/tricorn`;
  const local = host.isFile(installed) === true;
  const path = local ? installed : script;
  switch (target) {
    case "deno":
      return [
        runtime,
        "run",
        "--no-prompt",
        "--allow-net",
        "--allow-read",
        "--allow-write",
        "--allow-env",
        "--allow-run",
        "--allow-sys",
        local ? "npm:tricorn" : path,
      ];
    case "bun":
      return [runtime, path];
    case "node":
      // From a clone.
      return path.endsWith(".ts")
        ? [runtime, "--import", `${path.slice(0, path.lastIndexOf("/"))}/strip_types.js`, path]
        : [runtime, path];
  }
}

function listenOf(text: string | null): string {
  if (text === null) return "80";
  const match = /^(?:([\w.-]+|\[[\da-fA-F:.]+\]):)?(\d{1,5})$/.exec(text);
  if (match !== null && Number(match[2]) > 0 && Number(match[2]) <= 65_535) return text;
  throw new ConfigError(
    `init: --listen: ${quote(text)} is no port, with or without a host; write 8080 or 127.0.0.1:8080`,
  );
}

function serverNameOf(text: string | null): string | null {
  if (text === null || /^[\w*](?:[\w.*-]*[\w*])?$/.test(text)) return text;
  throw new ConfigError(`init: --server-name: ${quote(text)} is no host name; write for example example.com`);
}

function mountOf(text: string | null): string {
  if (text === null || text === "/") return "";
  if (/^(?:\/[\w.~-]+)+\/?$/.test(text) && !/\/\.\.?(?:\/|$)/.test(text)) return text.replace(/\/$/, "");
  throw new ConfigError(
    `init: --mount: ${quote(text)} is no path of letters, digits and "-._~"; write for example /shop`,
  );
}

/** `URL=DIR`, or what the settings of a Handler say. */
async function staticOf(flags: Flags, folder: string, host: CommandHost): Promise<Mapping | null> {
  if (flags.static !== null) return mapping("static", flags.static, folder);
  if (flags.settings === null && (host.env[SETTINGS_VARIABLE] ?? "") === "") return null;
  const { STATIC_URL: url, STATIC_ROOT: root } = await findSettings(flags.settings, "init: whose settings?", host);
  if (flags.settings !== null && typeof root !== "string") {
    throw new ConfigError(
      `init: --settings: ${
        quote(flags.settings)
      } has no STATIC_ROOT, the folder of the files that the web server sends; ` +
        "set it, or the variable that says that the settings are those of production (DEBUG=0 in a new project)",
    );
  }
  // Elsewhere than on this host, they are not ours to send.
  if (typeof url !== "string" || typeof root !== "string" || !url.startsWith("/")) return null;
  return mapping("static", `${url}=${root}`, folder);
}

function mapping(flag: string, text: string, folder: string): Mapping {
  const match = /^(\/[^=?#\s]*)=(.+)$/s.exec(text);
  if (match === null || match[1] === "/") {
    throw new ConfigError(`init: --${flag}: ${quote(text)} is no path and folder; write for example /static/=./static`);
  }
  return { url: match[1]!.replace(/\/*$/, "/"), folder: absolute(match[2]!, folder).replace(/\/*$/, "/") };
}

function attemptRead<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ProcessError(`init: cannot read ${quote(path)}: ${oneLine(error)}`);
  }
}

/** One file as it is, so that it can be compared or piped; several with their names between them, as of head and tail. */
function printed(files: Files): string {
  const all = Object.entries(files);
  if (all.length === 1) return all[0]![1];
  return all.map(([path, content]) => `==> ${path} <==\n${content}`).join("\n");
}

/** What is in each file now; null: it is not there. `shown` is `folder` as the user knows it. */
function found(
  files: Files,
  folder: string,
  shown: string,
  control: ProcessControl,
): ReadonlyMap<string, string | null> {
  return new Map(
    Object.keys(files).map((path) => [path, attemptRead(shown + path, () => control.readFile(folder + path))]),
  );
}

/** @throws {ConfigError} unless somebody in the terminal says yes. `other`: the files that have other content. */
async function askToOverwrite(
  other: readonly string[],
  files: Files,
  shown: string,
  target: string,
  host: CommandHost,
  dev: Context["dev"],
): Promise<void> {
  const list = other.map((path) => quote(shown + path)).join(", ");
  const problem = `${list} ${other.length === 1 ? "is" : "are"} there already, with other content`;
  const compare = Object.keys(files).length === 1
    ? `tricorn init ${target} --stdout | diff -u ${shown}${other[0]} -`
    : `tricorn init ${target} --output DIR, and diff -u ${shown}${other[0]} DIR/${other[0]}`;
  const advice = `To compare: ${compare} (with your other flags)`;
  const refusal = new ConfigError(`init: ${problem}; nothing was written. ${advice}`);
  if (!host.stdoutIsTty) throw refusal;
  const question = `${problem}. ${advice}\n\nOverwrite ${other.length === 1 ? "it" : "them"}? [y/N] `;
  const key = await askForKey(question, host, await dev());
  if (key === null) throw refusal;
  const yes = key.toLowerCase() === "y";
  host.stdout(yes ? "yes\n\n" : "no\n");
  if (!yes) throw new ConfigError("init: nothing was written");
}

/** The key that answers, and "" for a signal to end; null, and nothing is asked, where there is nobody to answer. */
function askForKey(question: string, host: CommandHost, dev: DevHost): Promise<string | null> {
  return new Promise((resolve) => {
    const answer = (key: string): void => {
      stop?.();
      resolve(key);
    };
    const stop = dev.keys(answer);
    if (stop === null) return resolve(null);
    // Their own end would leave the terminal without its echo.
    for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"]) host.onSignal(signal, () => answer(""));
    host.stdout(question);
  });
}

/** Writes the files that are not as they should be; returns which. `there`: what is in each now. */
function write(
  files: Files,
  there: ReadonlyMap<string, string | null>,
  folder: string,
  shown: string,
  control: ProcessControl,
): readonly string[] {
  const written: string[] = [];
  for (const [path, former] of there) {
    if (former === files[path]) continue;
    const file = folder + path;
    try {
      control.makeFolder(file.slice(0, file.lastIndexOf("/")));
      if (former === null) control.writeNewFile(file, files[path]!);
      else control.replaceFile(file, files[path]!);
    } catch (error) {
      const before = written.length === 0 ? "nothing was written" : `written before: ${written.join(", ")}`;
      throw new ProcessError(`init: cannot write ${quote(shown + path)}: ${oneLine(error)}; ${before}`);
    }
    written.push(path);
  }
  return written;
}

function report(files: Files, written: readonly string[], folder: string, next: readonly string[]): string {
  const line = (path: string): string => {
    const kept = written.includes(path) ? "" : " (there already, the same)";
    return `  ${escapeLine(folder + path)}${kept}\n`;
  };
  return `${written.length === 0 ? "There is nothing to write:" : "Wrote:"}

${Object.keys(files).map(line).join("")}
What you may want to change is marked CHANGE there. Then:

${next.map((command) => `  ${escapeLine(command)}\n`).join("")}`;
}
