// `tricorn serve MODULE[:NAME] [flags]`.

import { flagHelp, parseFlags } from "../config/flags.ts";
import { ConfigError, quote } from "../config/error.ts";
import { resolveSettings } from "../config/settings.ts";
import { toApplication } from "./application.ts";
import { loadApplication } from "./load.ts";
import { supervise } from "./master.ts";
import { type Context, prepare, type RunningServer } from "./run.ts";
import { serveAlone } from "./single.ts";
import { work } from "./worker.ts";

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

/** What a worker has to know beside the settings. */
interface Extra {
  readonly target: string;
}

/** Serves until a signal ends it. */
export async function serve(words: readonly string[], context: Context): Promise<void> {
  const { host, runtime, parent } = context;
  if (parent !== null) {
    const running = await work(
      parent,
      context,
      () => Promise.resolve({}),
      async ({ settings, extra }) => {
        const { target } = extra as Extra;
        return toApplication(await loadApplication(target, settings.factory, host), settings.override_globals, runtime);
      },
    );
    return await running.finished;
  }
  const { options, operands, help } = parseFlags(words);
  if (help) return host.stdout(serveHelp());
  const [target, extra] = operands;
  if (target === undefined || target === "") {
    throw new ConfigError("serve: the application is missing; write for example: tricorn serve app.ts");
  }
  if (extra !== undefined) throw new ConfigError(`serve: ${quote(extra)} is one word too many; serve one application`);
  const settings = resolveSettings(options, host.env);
  prepare(settings, context);
  let running: RunningServer;
  if (settings.workers === 0) {
    const loaded = await loadApplication(target, settings.factory, host);
    running = await serveAlone(toApplication(loaded, settings.override_globals, runtime), settings, context);
  } else {
    const configuration = { settings, extra: { target } satisfies Extra };
    running = await supervise({ ...configuration, reconfigure: () => Promise.resolve(configuration) }, context);
  }
  await running.finished;
}
