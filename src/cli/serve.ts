// `tricorn serve MODULE[:NAME] [flags]`.

import { flagHelp, parseFlags } from "../config/flags.ts";
import { ConfigError, quote } from "../config/error.ts";
import { toApplication } from "./application.ts";
import { loadApplication } from "./load.ts";
import { type Context, prepare, start } from "./run.ts";

/** The text of `tricorn serve --help`. */
export function serveHelp(): string {
  return `Usage: tricorn serve MODULE[:NAME] [flags]

Serves an ESGI application, a fetch handler, or an object with fetch (Hono, ...).

  MODULE  a file (./app.ts, app.js, app) or a package's name
  NAME    the export, perhaps with dots (api.app); when not given, the first that exists of
          application, default, app, fetch

${flagHelp()}
Signals: SIGINT and SIGTERM let requests finish and exit with 0, a second one closes at once, as
SIGQUIT does; SIGUSR1 reopens the log files.
Exit codes: 0 stopped, 1 cannot listen, 2 wrong usage, 3 the application cannot be loaded.
`;
}

/** Serves until a signal ends it. */
export async function serve(words: readonly string[], context: Context): Promise<void> {
  const { options, operands, help } = parseFlags(words);
  if (help) return context.host.stdout(serveHelp());
  const [target, extra] = operands;
  if (target === undefined || target === "") {
    throw new ConfigError("serve: the application is missing; write for example: tricorn serve app.ts");
  }
  if (extra !== undefined) throw new ConfigError(`serve: ${quote(extra)} is one word too many; serve one application`);
  const settings = prepare(options, context);
  const loaded = await loadApplication(target, settings.factory, context.host);
  const application = toApplication(loaded, settings.override_globals, context.runtime);
  const running = await start(application, settings, context);
  await running.finished;
}
