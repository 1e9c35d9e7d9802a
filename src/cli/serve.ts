// `tricorn serve MODULE[:NAME] [flags]`.

import { flagHelp, parseFlags } from "../config/flags.ts";
import type { Settings } from "../config/settings.ts";
import { configJson, configTable } from "../config/show.ts";
import type { Application } from "../esgi/application.ts";
import { toApplication } from "./application.ts";
import { type ConfigFile, type Configuration, loadConfiguration, loadHooks } from "./config_file.ts";
import { hooksOf } from "./hooks.ts";
import { checkIdentity } from "./identity.ts";
import { checkReusePort, readListenOptions } from "./listen.ts";
import { loadApplication } from "./load.ts";
import { compileFormat } from "./logs.ts";
import { type PoolConfiguration, supervise } from "./master.ts";
import { type Context, detach, prepare, type RunningServer } from "./run.ts";
import { serveAlone } from "./single.ts";
import { work } from "./worker.ts";

/** The text of `tricorn serve --help`. */
export function serveHelp(): string {
  return `Usage: tricorn serve MODULE[:NAME] [flags]

Serves an ESGI application, a fetch handler, or an object with fetch (Hono, ...).

  MODULE  a file (./app.ts, app.js, app) or a package's name; app of the configuration file when
          it is not given
  NAME    the export, perhaps with dots (api.app); when not given, the first that exists of
          application, default, app, fetch

${flagHelp()}
Signals: SIGINT and SIGTERM let requests finish and exit with 0, a second one closes at once, as
SIGQUIT does; SIGUSR1 reopens the log files. A master also: SIGHUP reloads, SIGTTIN and SIGTTOU add
and take a worker, SIGUSR2 starts a new master in its place (docs/signals.md).
Exit codes: 0 stopped, 1 cannot listen or run as asked, 2 wrong usage, 3 the application cannot be
loaded, 4 the module has no application, 5 workers failed one after another.
`;
}

/** What a worker has to know beside the settings. */
interface Extra {
  readonly target: string;
  /** Where the hooks are, which no message can carry; null when there are none. */
  readonly hooks: ConfigFile | null;
}

/** Serves until a signal ends it. */
export async function serve(words: readonly string[], context: Context): Promise<void> {
  const { host, runtime, parent } = context;
  const load = async (target: string, { factory, override_globals }: Settings): Promise<Application> =>
    toApplication(await loadApplication(target, factory, host), override_globals, runtime);
  if (parent !== null) {
    const running = await work(parent, context, {
      loadHooks: ({ extra }) => loadHooks((extra as Extra).hooks, host),
      load: ({ settings, extra }) => load((extra as Extra).target, settings),
    });
    return await running.finished;
  }
  if (parseFlags(words).help) return host.stdout(serveHelp());
  const directory = host.startDirectory;
  const configuration = await loadConfiguration(words, host, directory);
  const { settings, target, task } = configuration;
  if (task === "print") host.stdout(configTable(configuration));
  if (task === "print as JSON") host.stdout(configJson(configuration));
  prepare(settings, context);
  if (task !== "serve") {
    readListenOptions(settings, host);
    checkReusePort(settings, runtime);
    checkIdentity(settings, context.control);
    compileFormat(settings.access_log_format, host.pid);
    await load(target, settings);
    // What the application has begun must not keep the process.
    return host.exit(0);
  }
  await detach(settings, context);
  let running: RunningServer;
  if (settings.workers === 0) {
    running = await serveAlone(await load(target, settings), settings, context);
  } else {
    const reconfigure = async (): Promise<PoolConfiguration> =>
      forWorkers(await loadConfiguration(words, host, directory));
    running = await supervise({ ...forWorkers(configuration), reconfigure }, context);
  }
  await running.finished;
}

function forWorkers({ settings, origins, target, file }: Configuration): PoolConfiguration {
  const hasHooks = Object.values(hooksOf(settings)).some((hook) => hook !== null);
  const extra: Extra = { target, hooks: hasHooks ? file : null };
  return { settings, origins, file: file?.name ?? null, extra };
}
