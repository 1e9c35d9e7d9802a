// `tricorn check [--deploy] [--settings MODULE[:NAME]]`: runs the system checks on a project's settings (src/handler/checks)
// and prints what they say, the worst first (Django's `manage.py check`).

import { ConfigError, quote } from "../config/error.ts";
import { CHECK_LEVELS, type CheckMessage, isSerious } from "../handler/checks/messages.ts";
import { isSilenced, runChecks } from "../handler/checks/registry.ts";
import { escapeLine } from "../observe/text.ts";
import type { HandlerSettings } from "../handler/settings.ts";
import type { CommandHost } from "./host.ts";
import type { Context } from "./run.ts";
import { findSettings, SETTINGS_VARIABLE } from "./settings_module.ts";
import { type FlagSpec, readWords } from "./words.ts";

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

Exit codes: 0 nothing serious, 1 there are errors, 2 wrong usage, 3 the settings cannot be loaded,
4 their module has none of that name.
`;
}

const FLAGS = {
  settings: { takes: "value" },
  deploy: { takes: "nothing" },
  json: { takes: "nothing" },
} as const satisfies FlagSpec;

/**
 * Runs the checks, prints the messages, and ends the process with 0 or 1.
 *
 * @throws {ConfigError} for wrong usage.
 * @throws {LoadError} when the settings cannot be loaded.
 */
export async function check(words: readonly string[], { host }: Pick<Context, "host">): Promise<void> {
  const { flags, operands } = readWords("check", words, FLAGS);
  if (flags.help) return host.stdout(checkHelp());
  if (operands[0] !== undefined) {
    const problem = `${quote(operands[0])} is one word too many; the settings are named by --settings MODULE`;
    throw new ConfigError(`check: ${problem}`);
  }
  const settings = await findSettings(
    flags.settings,
    'check: whose settings? Write "tricorn check --settings settings.ts"',
    host,
  );
  const all = [...await runChecks(settings, { deploy: flags.deploy }), ...checkFolders(settings, host)];
  const messages = all.filter((message) => !isSilenced(message, settings));
  const silenced = all.length - messages.length;
  host.stdout(flags.json ? `${JSON.stringify({ messages, silenced }, null, 2)}\n` : report(messages, silenced));
  // What the project's modules have begun must not keep the process.
  host.exit(messages.some(isSerious) ? 1 : 0);
}

/** staticfiles.W004 (Django's), staticfiles.W005. Here, since src/handler sees no files. */
function checkFolders(
  { DEBUG = false, STATICFILES_DIRS = [], STATIC_ROOT = null }: HandlerSettings,
  host: CommandHost,
): CheckMessage[] {
  const isMissing = (path: unknown): path is string =>
    typeof path === "string" && host.isFolder(host.resolve(path)) === false;
  const messages: CheckMessage[] = [STATICFILES_DIRS].flat().filter(isMissing).map((path) => ({
    level: "warning",
    id: "staticfiles.W004",
    message: `The folder ${quote(path)} in STATICFILES_DIRS does not exist.`,
    hint: "Make it, or leave it out. A relative path begins where Tricorn is started.",
  }));
  // While somebody develops nothing is served from it.
  if (DEBUG || !isMissing(STATIC_ROOT)) return messages;
  return [...messages, {
    level: "warning",
    id: "staticfiles.W005",
    message: `The folder ${quote(STATIC_ROOT)}, which is STATIC_ROOT, does not exist.`,
    hint: "Put the site's static files there, or name their folder. A relative path begins where Tricorn is started.",
  }];
}

/** As Django prints it: a block for each level, the worst first. */
export function report(messages: readonly CheckMessage[], silenced: number): string {
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
