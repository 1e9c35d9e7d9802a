// The configuration of `tricorn serve`: the file, TRICORN_CMD_ARGS and the words of the command line, put together. All of
// it is read anew at each call, because a reload is there to take up what has changed. docs/settings.md has the order.

import { ConfigError, quote } from "../config/error.ts";
import { type ParsedFlags, parseFlags } from "../config/flags.ts";
import { checkOptions, type Resolved, resolveSources, type Settings, type Source } from "../config/settings.ts";
import { splitWords } from "../config/shell_words.ts";
import { describeError } from "../observe/text.ts";
import type { Hooks } from "../config/hooks.ts";
import { hooksOf } from "./hooks.ts";
import { type CommandHost, ModuleError } from "./host.ts";
import { oneLine } from "./load.ts";

/** Everything that `tricorn serve` was told. */
export interface Configuration extends Resolved {
  /** What to serve: `MODULE[:NAME]`. */
  readonly target: string;
  readonly file: ConfigFile | null;
  /** What to do with it: serve, or only say what is wrong, or print it too. */
  readonly task: "serve" | "check" | "print" | "print as JSON";
}

/** The configuration file. */
export interface ConfigFile {
  /** Absolute. */
  readonly path: string;
  /** As the user knows it, for messages. */
  readonly name: string;
}

export const CONFIG_FILES: readonly string[] = [
  "tricorn.config.ts",
  "tricorn.config.js",
  "tricorn.config.mjs",
  "tricorn.config.json",
];

const VARIABLE = "TRICORN_CMD_ARGS";

/**
 * Reads all that `tricorn serve`'s `words` stand for. `directory` is where the command was started: by the time of a
 * reload, the setting `chdir` has led away from it.
 *
 * @throws {ConfigError} for whatever is wrong, named by the place where it stands.
 */
export async function loadConfiguration(
  words: readonly string[],
  host: CommandHost,
  directory: string = host.cwd,
): Promise<Configuration> {
  const { command, options, operands } = parseFlags(words);
  const [operand, extra] = operands;
  if (extra !== undefined) throw new ConfigError(`serve: ${quote(extra)} is one word too many; serve one application`);
  if (command.json && !command.print_config) throw new ConfigError("--json: nothing is printed without --print-config");
  const variable = parseVariable(host.env[VARIABLE] ?? "");
  const file = findConfigFile(command.config ?? variable.command.config ?? null, directory, host);
  const sources: Source[] = [
    ...(file === null ? [] : [{ from: file.name, options: await readConfigFile(file, host) }]),
    { from: VARIABLE, options: variable.options },
    { from: "command line", options: operand === undefined ? options : { ...options, app: operand } },
  ];
  const resolved = resolveSources(sources, host.env);
  const target = resolved.settings.app;
  if (target === null || target === "") {
    throw new ConfigError(
      "serve: the application is missing; write for example: tricorn serve app.ts (or app in the configuration file)",
    );
  }
  return { ...resolved, target, file, task: taskOf(command) };
}

function taskOf({ check_config, print_config, json }: ParsedFlags["command"]): Configuration["task"] {
  if (print_config) return json ? "print as JSON" : "print";
  return check_config ? "check" : "serve";
}

/** The flags in the variable. It outlives one command, so it may say how to serve, but not what, nor not to. */
function parseVariable(text: string): ParsedFlags {
  const words = splitWords(text, VARIABLE);
  let parsed: ParsedFlags;
  try {
    parsed = parseFlags(words);
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(`${VARIABLE}: ${error.message}`) : error;
  }
  const { command, operands, help } = parsed;
  const refuse = (what: string): never => {
    throw new ConfigError(`${VARIABLE}: ${what} belongs on the command line; leave it out here`);
  };
  if (operands[0] !== undefined) refuse(`the word ${quote(operands[0])} is no flag and`);
  if (help) refuse("--help");
  if (command.check_config) refuse("--check-config");
  if (command.print_config) refuse("--print-config");
  if (command.json) refuse("--json");
  return parsed;
}

/**
 * The file that was asked for, or the one that lies in `directory`; null when there is none.
 *
 * @throws {ConfigError} when the one that was asked for is no configuration file, or cannot be read.
 */
export function findConfigFile(asked: string | null, directory: string, host: CommandHost): ConfigFile | null {
  const at = (name: string): ConfigFile => ({
    name,
    path: /^(?:[/\\]|[A-Za-z]:[/\\])/.test(name) ? name : `${directory.replace(/[/\\]$/, "")}/${name}`,
  });
  // Where Deno may not look, nothing was put for it to find.
  if (asked === null) return CONFIG_FILES.map(at).find(({ path }) => host.isFile(path) === true) ?? null;
  const file = at(asked);
  if (!/\.(?:m?ts|[mc]?js|json)$/.test(asked)) {
    throw new ConfigError(
      `--config: ${quote(asked)} is no configuration file; its name ends in .ts, .js, .mjs or .json`,
    );
  }
  const found = host.isFile(file.path);
  if (found === null) {
    throw new ConfigError(`--config: ${quote(asked)} may not be read; allow it to deno with --allow-read`);
  }
  if (!found) {
    throw new ConfigError(`--config: there is no file ${quote(asked)}; write the path of one, or leave it out`);
  }
  return file;
}

/**
 * The settings in `file`, as it is now.
 *
 * @throws {ConfigError} that names it, with the stack as its detail when the file's own code threw.
 */
export async function readConfigFile(file: ConfigFile, host: CommandHost): Promise<Partial<Settings>> {
  const value = file.name.endsWith(".json") ? readJson(file, host) : await evaluate(file, host);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const type = value === null || value === undefined
      ? String(value)
      : Array.isArray(value)
      ? "an array"
      : typeof value;
    throw new ConfigError(`${file.name}: it gives ${type}, but the settings are the properties of an object`);
  }
  return checkOptions(value as Record<string, unknown>, "file", `${file.name}: `);
}

function readJson({ name, path }: ConfigFile, host: CommandHost): unknown {
  let value: unknown;
  try {
    value = JSON.parse(host.readText(path));
  } catch (error) {
    throw new ConfigError(`${name}: ${oneLine(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  // For editors: the path of docs/settings.schema.json.
  const { $schema: _, ...settings } = value as Record<string, unknown>;
  return settings;
}

async function evaluate({ name, path }: ConfigFile, host: CommandHost): Promise<unknown> {
  let exports: Record<string, unknown>;
  try {
    exports = await host.importFresh(path);
  } catch (error) {
    if (error instanceof ModuleError) throw new ConfigError(`${name}: ${error.message}`);
    throw new ConfigError(`${name}: it cannot be loaded: ${oneLine(error)}`, describeError(error));
  }
  // The last two names are what CommonJS adds.
  const { default: main, "module.exports": _1, __esModule: _2, ...named } = exports;
  const given = main === undefined ? named : main;
  if (typeof given !== "function") return given;
  try {
    return await given();
  } catch (error) {
    throw new ConfigError(`${name}: its function threw ${oneLine(error)}`, describeError(error));
  }
}

/** The functions among the settings in `file`, which no message carries to a worker; none without a file. */
export async function loadHooks(file: ConfigFile | null, host: CommandHost): Promise<Partial<Hooks>> {
  return hooksOf(file === null ? {} : await readConfigFile(file, host));
}
