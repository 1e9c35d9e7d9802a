// The command line of `serve`: words -> settings, and the help. Both read the tables, here and in settings.ts, and know no
// setting by name.

import { ConfigError, quote } from "./error.ts";
import { absence } from "./gunicorn.ts";
import { didYouMean } from "./nearest.ts";
import { parseValue, type Setting, SETTING_NAMES, SETTINGS, type Settings } from "./settings.ts";

/** What the command is told and the server is not: no settings, so neither a file nor `serve()` has them. */
const COMMAND = {
  config: {
    section: "Configuration",
    type: "text",
    default: null,
    flags: ["-c", "--config"],
    meta: "PATH",
    doc:
      `The configuration file. When it is not given, the first of tricorn.config.ts, .js, .mjs and .json that is in the
      working directory.`,
  },
  check_config: {
    section: "Configuration",
    type: "boolean",
    default: false,
    flags: ["--check-config"],
    doc: `Loads the configuration and the application, and exits: with 0 when nothing is wrong.`,
  },
  print_config: {
    section: "Configuration",
    type: "boolean",
    default: false,
    flags: ["--print-config"],
    doc: `The same, and prints each setting with its value and where that came from.`,
  },
  json: {
    section: "Configuration",
    type: "boolean",
    default: false,
    flags: ["--json"],
    doc: `Prints it as JSON.`,
  },
} as const satisfies Record<string, Setting>;

/** The flags that are no settings. What was not given is left out. */
export interface CommandFlags {
  readonly config?: string;
  readonly check_config?: boolean;
  readonly print_config?: boolean;
  readonly json?: boolean;
}

/** What the words of a command line say. */
export interface ParsedFlags {
  readonly command: CommandFlags;
  readonly options: Partial<Settings>;
  /** The words that are no flags and no flag's value, in order. */
  readonly operands: readonly string[];
  /** `-h` or `--help` was among them. Then nothing after it has been looked at. */
  readonly help: boolean;
}

/** Both tables, in the order of the help. */
const ALL: readonly (readonly [name: string, setting: Setting])[] = [
  ...Object.entries<Setting>(COMMAND),
  ...SETTING_NAMES.map((name) => [name, SETTINGS[name]] as const),
];

const FLAGS: ReadonlyMap<string, readonly [name: string, setting: Setting]> = new Map(
  ALL.flatMap(([name, setting]) => setting.flags.map((flag) => [flag, [name, setting]] as const)),
);

/**
 * Reads `--flag VALUE`, `--flag=VALUE`, `-f VALUE` and `-fVALUE`, between operands in any order; `--` ends the flags.
 * Where a flag of one value is repeated, the last one counts, as in Gunicorn.
 *
 * @throws {ConfigError} for an unknown flag, and for a value that is missing, superfluous or wrong.
 */
export function parseFlags(words: readonly string[]): ParsedFlags {
  const command: Record<string, unknown> = {};
  const options: Record<string, unknown> = {};
  const operands: string[] = [];
  const parsed = { command, options: options as Partial<Settings>, operands };
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === "--") {
      operands.push(...words.slice(index + 1));
      break;
    }
    if (word === "-h" || word === "--help") return { ...parsed, help: true };
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const { flag, attached } = split(word);
    const found = FLAGS.get(flag);
    if (found === undefined) throw new ConfigError(`unknown flag ${quote(flag)}${remedy(flag)}`);
    const [name, setting] = found;
    const given = Object.hasOwn(COMMAND, name) ? command : options;
    if (setting.type === "boolean") {
      if (attached !== null) throw new ConfigError(`${flag} takes no value; write ${flag} alone`);
      given[name] = !setting.default;
      continue;
    }
    let text = attached;
    if (text === null) {
      const next = words[index + 1];
      if (setting.bare !== undefined) {
        // An optional value is taken only when it is one, so that an operand after the flag stays an operand.
        const taken = next !== undefined && setting.choices?.some((choice) => String(choice) === next);
        text = taken ? next : setting.bare;
        if (taken) index++;
      } else if (next === undefined || next === "--" || isFlag(next)) {
        throw new ConfigError(`${flag}: the value is missing; write ${flag} ${meta(setting)}`);
      } else {
        text = next;
        index++;
      }
    }
    const value = parseValue(setting, text, flag);
    const before = given[name];
    given[name] = ["binds", "pairs", "paths"].includes(setting.type) && Array.isArray(before)
      ? [...before, ...value as readonly string[]]
      : value;
  }
  return { ...parsed, help: false };
}

function split(word: string): { readonly flag: string; readonly attached: string | null } {
  if (!word.startsWith("--")) {
    const flag = word.slice(0, 2);
    return FLAGS.has(word) || !FLAGS.has(flag) || word.length === 2
      ? { flag: word, attached: null }
      : { flag, attached: word.slice(word[2] === "=" ? 3 : 2) };
  }
  const equals = word.indexOf("=");
  return equals < 0
    ? { flag: word, attached: null }
    : { flag: word.slice(0, equals), attached: word.slice(equals + 1) };
}

/** A word that somebody meant as a flag. "-" is a file and "-1" a number, if a wrong one. */
function isFlag(word: string): boolean {
  return /^--?[A-Za-z]/.test(word);
}

function remedy(flag: string): string {
  // Some flags have other names than their settings, as in Gunicorn.
  const setting = flag.slice(2).replaceAll("-", "_");
  const named = ALL.find(([name]) => name === setting)?.[1].flags.at(-1);
  if (named !== undefined) return `; the flag of ${setting} is ${named}`;
  const absent = absence(flag);
  if (absent !== null) return absent;
  const known = [...FLAGS.keys(), "--help"];
  const near = didYouMean(flag, known);
  if (near !== "") return near;
  const longer = flag.length > 3 ? known.filter((one) => one.startsWith(flag)) : [];
  return longer.length > 0
    ? `; did you mean ${longer.slice(0, 3).join(" or ")}?`
    : '; "tricorn serve --help" lists the flags';
}

/** The value's name in the help: `N`, `PATH`, `{off,v1}`. */
export function meta(setting: Setting): string {
  if (setting.choices !== undefined) return `{${setting.choices.join(",")}}`;
  if (setting.meta !== undefined) return setting.meta;
  if (setting.type === "networks") return "ADDRESSES";
  if (setting.type === "seconds") return "SECONDS";
  return setting.unit === "bytes" ? "BYTES" : setting.unit === "megabytes" ? "MEGABYTES" : "N";
}

/** The settings that have flags, by section, for `--help`. */
export function flagHelp(): string {
  const lines: string[] = [];
  let section = "";
  for (const [, setting] of ALL) {
    // Another spelling of a flag is accepted, not taught.
    const [flag, ...others] = setting.flags;
    if (flag === undefined) continue;
    if (setting.section !== section) {
      section = setting.section;
      lines.push("", `${section}:`);
    }
    const taught = flag.startsWith("--") ? [flag] : [flag, ...others.slice(0, 1)];
    const value = setting.type === "boolean"
      ? ""
      : setting.bare === undefined
      ? ` ${meta(setting)}`
      : ` [${meta(setting)}]`;
    const sentence = firstSentence(setting);
    const notes = [
      setting.default === null || setting.type === "boolean" || shown(setting) === ""
        ? ""
        : `default: ${shown(setting)}`,
      setting.env === undefined ? "" : `environment: ${setting.env}`,
    ].filter((note) => note !== "");
    lines.push(`  ${taught.join(", ")}${value}`);
    const text = setting.type === "boolean" && setting.default === true ? `Turn off: ${sentence}` : sentence;
    lines.push(...wrap(notes.length === 0 ? text : `${text} (${notes.join("; ")})`, 100, "        "));
  }
  lines.push("", "0 turns a limit or a timeout off. docs/settings.md has the whole text of each setting.");
  return lines.join("\n").slice(1) + "\n";
}

function firstSentence(setting: Setting): string {
  return paragraph(setting).replaceAll("`", "").replace(/(?<=[^.]\.) [A-Z0-9].*$/, "");
}

/** A setting's doc with its white space folded. */
export function paragraph(setting: Setting): string {
  return setting.doc.replace(/\s+/g, " ").trim();
}

/** A setting's default as one writes it on a command line. */
export function shown(setting: Setting): string {
  if (setting.type === "octal" && typeof setting.default === "number") return `0o${setting.default.toString(8)}`;
  return Array.isArray(setting.default) ? setting.default.join(",") : String(setting.default);
}

function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.length + word.length > width && line !== indent) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += `${word} `;
  }
  lines.push(line.trimEnd());
  return lines;
}
