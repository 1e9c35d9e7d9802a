// The command line: finds the command, and turns what it throws into one line and an exit code.

import { ConfigError, quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";
import { ctl } from "./ctl.ts";
import { help } from "./help.ts";
import { Daemon } from "./daemon.ts";
import { explain, failureText } from "./failure.ts";
import type { Context } from "./run.ts";
import { serve } from "./serve.ts";
import { VERSION } from "./version.ts";

type Command = (words: readonly string[], context: Context) => void | Promise<void>;

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["serve", serve],
  ["ctl", ctl],
  // Loaded when they are asked for: they have with them what no server needs.
  ["runserver", async (words, context) => await (await import("./runserver.ts")).runserver(words, context)],
  ["check", async (words, context) => await (await import("./check.ts")).check(words, context)],
  ["cgi", async (words, context) => await (await import("./cgi.ts")).cgi(words, context)],
  ["new", async (words, context) => (await import("./new.ts")).newProject(words, context)],
  ["init", async (words, context) => await (await import("./init.ts")).init(words, context)],
  ["help", help],
  ["--help", help],
  ["-h", help],
  ["--version", (_, { host, runtime }) => host.stdout(`tricorn ${VERSION} (${runtime.name} ${runtime.version})\n`)],
]);

/** Runs the command that `host.argv` names, and ends the process when it fails. */
export async function main(context: Context): Promise<void> {
  const { host } = context;
  try {
    const [name, ...words] = host.argv;
    if (name === undefined) throw new ConfigError('the command is missing; write for example "tricorn serve app.ts"');
    const command = COMMANDS.get(name);
    if (command === undefined) throw new ConfigError(unknown(name));
    await command(words, context);
  } catch (error) {
    const failure = explain(error);
    const text = `tricorn: ${failureText(failure)}`;
    host.stderr(text);
    if (context.launcher !== null) await new Daemon(context.launcher, () => {}).failed(failure.code, text);
    host.exit(failure.code);
  }
}

function unknown(name: string): string {
  const near = didYouMean(name, COMMANDS.keys());
  if (near === "" && /^[^-].*[./:]/.test(name)) {
    return `unknown command ${quote(name)}; to serve it, write "tricorn serve ${name}"`;
  }
  return `unknown ${name.startsWith("-") ? "flag" : "command"} ${quote(name)}${near || '; see "tricorn help"'}`;
}
