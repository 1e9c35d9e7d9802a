// The command line: finds the command, and turns what it throws into one line and an exit code.

import { ConfigError, quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";
import { describeError, escapeBlock, escapeLine } from "../observe/text.ts";
import type { Runtime } from "../runtime/port.ts";
import { help } from "./help.ts";
import type { CommandHost } from "./host.ts";
import { LoadError } from "./load.ts";
import { BindError, type Context } from "./run.ts";
import { serve } from "./serve.ts";
import { VERSION } from "./version.ts";

type Command = (words: readonly string[], context: Context) => void | Promise<void>;

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["serve", serve],
  ["help", help],
  ["--help", help],
  ["-h", help],
  ["--version", (_, { host, runtime }) => host.stdout(`tricorn ${VERSION} (${runtime.name} ${runtime.version})\n`)],
]);

/** Exit codes, as Gunicorn's; 0 is a server that was stopped, or a command that is done. */
const EXIT = { bind: 1, bug: 1, usage: 2, load: 3 } as const;

/** Runs the command that `host.argv` names, and ends the process when it fails. */
export async function main(host: CommandHost, runtime: Runtime): Promise<void> {
  try {
    const [name, ...words] = host.argv;
    if (name === undefined) throw new ConfigError('the command is missing; write for example "tricorn serve app.ts"');
    const command = COMMANDS.get(name);
    if (command === undefined) throw new ConfigError(unknown(name));
    await command(words, { host, runtime });
  } catch (error) {
    const { code, text } = explain(error);
    host.stderr(text);
    host.exit(code);
  }
}

function unknown(name: string): string {
  const near = didYouMean(name, COMMANDS.keys());
  if (near === "" && /^[^-].*[./:]/.test(name)) {
    return `unknown command ${quote(name)}; to serve it, write "tricorn serve ${name}"`;
  }
  return `unknown ${name.startsWith("-") ? "flag" : "command"} ${quote(name)}${near || '; see "tricorn help"'}`;
}

function explain(error: unknown): { readonly code: number; readonly text: string } {
  if (error instanceof LoadError) {
    const detail = error.detail === null ? "" : `  ${escapeBlock(error.detail, "  ")}\n`;
    return { code: EXIT.load, text: `tricorn: ${escapeLine(error.message)}\n${detail}` };
  }
  if (error instanceof ConfigError) return { code: EXIT.usage, text: `tricorn: ${escapeLine(error.message)}\n` };
  if (error instanceof BindError) return { code: EXIT.bind, text: `tricorn: ${escapeLine(error.message)}\n` };
  const detail = escapeBlock(describeError(error), "  ");
  return { code: EXIT.bug, text: `tricorn: this is a bug, please report it:\n  ${detail}\n` };
}
