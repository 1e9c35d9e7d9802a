// `tricorn check [--deploy] [--settings MODULE[:NAME]]`: runs the system checks on a project's settings (src/handler/checks)
// and prints what they say, the worst first (Django's `manage.py check`).

import { ConfigError, quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";
import { CHECK_LEVELS, type CheckMessage, isSerious } from "../handler/checks/messages.ts";
import { isSilenced, runChecks } from "../handler/checks/registry.ts";
import { escapeLine } from "../observe/text.ts";
import type { Context } from "./run.ts";
import { findSettings, SETTINGS_VARIABLE } from "./settings_module.ts";

/** The text of `tricorn check --help`. */
export function checkHelp(): string {
  return `Usage: tricorn check [flags]

Looks at a project's settings, URLs and middleware, and says what is wrong with them.

Flags:
      --settings MODULE[:NAME]
                 the settings: export NAME of MODULE; when not given, what the environment
                 variable ${SETTINGS_VARIABLE} names. NAME is "settings" when not given
      --deploy   what matters for a site that is deployed, too
      --json     the messages as JSON

Exit codes: 0 nothing serious, 1 there are errors, 2 wrong usage, 3 the settings cannot be loaded.
`;
}

/**
 * Runs the checks, prints the messages, and ends the process with 0 or 1.
 *
 * @throws {ConfigError} for wrong usage.
 * @throws {LoadError} when the settings cannot be loaded.
 */
export async function check(words: readonly string[], { host }: Pick<Context, "host">): Promise<void> {
  const flags = readFlags(words);
  if (flags.help) return host.stdout(checkHelp());
  const settings = await findSettings(
    flags.settings,
    'check: whose settings? Write "tricorn check --settings settings.ts"',
    host,
  );
  const all = await runChecks(settings, { deploy: flags.deploy });
  const messages = all.filter((message) => !isSilenced(message, settings));
  const silenced = all.length - messages.length;
  host.stdout(flags.json ? `${JSON.stringify({ messages, silenced }, null, 2)}\n` : report(messages, silenced));
  // What the project's modules have begun must not keep the process.
  host.exit(messages.some(isSerious) ? 1 : 0);
}

interface Flags {
  readonly settings: string | null;
  readonly deploy: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

function readFlags(words: readonly string[]): Flags {
  let settings: string | null = null;
  let deploy = false;
  let json = false;
  let help = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === "--deploy") deploy = true;
    else if (word === "--json") json = true;
    else if (word === "-h" || word === "--help") help = true;
    else if (word === "--settings" || word.startsWith("--settings=")) {
      settings = word === "--settings" ? words[++index] ?? "" : word.slice("--settings=".length);
      if (settings === "") throw new ConfigError("check: --settings: the value is missing; write --settings MODULE");
    } else if (word.startsWith("-")) {
      const near = didYouMean(word.replace(/=.*/s, ""), ["--settings", "--deploy", "--json", "--help"]);
      throw new ConfigError(`check: unknown flag ${quote(word)}${near || '; "tricorn check --help" lists the flags'}`);
    } else {
      throw new ConfigError(`check: ${quote(word)} is one word too many; the settings are named by --settings MODULE`);
    }
  }
  return { settings, deploy, json, help };
}

/** As Django prints it: a block for each level, the worst first. */
function report(messages: readonly CheckMessage[], silenced: number): string {
  const count = messages.length === 0 ? "no issues" : messages.length === 1 ? "1 issue" : `${messages.length} issues`;
  const last = `System check identified ${count} (${silenced} silenced).\n`;
  if (messages.length === 0) return last;
  const blocks = CHECK_LEVELS.toReversed().map((level) => {
    const lines = messages.filter((message) => message.level === level).map(line);
    return lines.length === 0 ? "" : `${level.toUpperCase()}S:\n${lines.join("")}\n`;
  });
  return `System check identified some issues:\n\n${blocks.join("")}${last}`;
}

function line({ id, message, hint, obj }: CheckMessage): string {
  const text = `${escapeLine(obj ?? "?")}: (${id}) ${escapeLine(message)}\n`;
  return hint === undefined || hint === null ? text : `${text}\tHINT: ${escapeLine(hint)}\n`;
}
