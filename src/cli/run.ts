// From an application and settings to a server that listens, logs and obeys signals: what `serve()` and `tricorn serve`
// have in common. Chooses between one process (single.ts), a master (master.ts) and a worker (worker.ts).

import type { FetchApplication } from "../bridges/mod.ts";
import { ConfigError, quote } from "../config/error.ts";
import { checkOptions, type Options, resolveSources, type Settings } from "../config/settings.ts";
import type { Application } from "../esgi/application.ts";
import type { CgiStreams, Channel, Parent, Runtime, Supervisor, Watchdog, WatchdogOptions } from "../runtime/port.ts";
import { toApplication } from "./application.ts";
import { attempt } from "./attempt.ts";
import { classify } from "./classify.ts";
import { startDaemon } from "./daemon.ts";
import { applyRawEnv, applyUmask } from "./environment.ts";
import type { DevHost } from "./dev_host.ts";
import { hooksOf } from "./hooks.ts";
import type { CommandHost } from "./host.ts";
import { LoadError } from "./load.ts";
import { supervise } from "./master.ts";
import type { ProcessControl } from "./process_control.ts";
import { serveAlone } from "./single.ts";
import { work } from "./worker.ts";

/** A server that listens. */
export interface RunningServer {
  /** Where it listens, one for each `bind` in order, with the port that the system gave: `http://127.0.0.1:8000`. */
  readonly urls: readonly string[];
  /** Stops accepting and lets requests finish, for `graceful_timeout` seconds at most. */
  drain(): Promise<void>;
  /** Ends at once; requests in flight are cut. */
  close(): void;
  /** Resolves when the server has ended, in either way, and the logs are written. */
  readonly finished: Promise<void>;
}

/** What runs inside: the process, the sockets, and who started it. */
export interface Context {
  readonly host: CommandHost;
  readonly runtime: Runtime;
  /** Loaded when workers are wanted: one process needs none of it. */
  readonly supervisor: () => Promise<Supervisor>;
  /** The master whose worker this process is; null when it is nobody's. */
  readonly parent: Parent | null;
  /** The master that this one replaces (SIGUSR2); null when there is none. */
  readonly formerMaster: Channel | null;
  /** The process in the terminal that waits for this one, a daemon; null when there is none. */
  readonly launcher: Channel | null;
  readonly control: ProcessControl;
  readonly startWatchdog: (options: WatchdogOptions) => Promise<Watchdog>;
  /** Loaded for CGI programs alone. */
  readonly cgi: () => Promise<CgiStreams>;
  /** Loaded for `tricorn runserver` alone. */
  readonly dev: () => Promise<DevHost>;
}

/** True once this process has a pool, or is of one. */
let pooled = false;

/**
 * Serves `application`: an ESGI application, a fetch handler, or an object with `fetch` (classify.ts has the rule). With
 * `workers` the program that called this is started again for each worker, and it is there that the application runs.
 *
 * @throws {ConfigError} when an option is wrong.
 * @throws {LoadError} when `application` is nothing that can be served.
 * @throws {BindError} when an address cannot be listened on.
 */
export async function run(
  application: Application | FetchApplication,
  options: Options,
  context: Context,
): Promise<RunningServer> {
  const { host, runtime, parent } = context;
  const { settings, origins } = resolveSources(
    [{ from: "serve()", options: checkOptions(options, "serve()") }],
    host.env,
  );
  const load = (): Promise<Application> => makeApplication(application, settings, runtime);
  await detach(settings, context);
  if (settings.workers === 0) {
    prepare(settings, context);
    return await serveAlone(await load(), settings, context);
  }
  if (pooled) {
    throw new ConfigError("workers: this program has a pool of workers already; a program can have one");
  }
  pooled = true;
  if (parent !== null) {
    return await work(parent, context, { loadHooks: () => Promise.resolve(hooksOf(settings)), load });
  }
  prepare(settings, context);
  const configuration = { settings, origins, file: null, extra: null };
  return await supervise({ ...configuration, reconfigure: () => Promise.resolve(configuration) }, context);
}

/**
 * The application that the program of serve() or runCgi() means by `given`.
 *
 * @throws {LoadError} when it is nothing that can be served.
 */
export async function makeApplication(given: unknown, settings: Settings, runtime: Runtime): Promise<Application> {
  const made: unknown = settings.factory ? await (given as () => unknown)() : given;
  const loaded = classify(made, null);
  if (typeof loaded === "string") throw new LoadError(`cannot serve the application: it ${loaded}`);
  return toApplication(loaded, settings.override_globals, runtime);
}

/** With the setting daemon, does not return in the terminal's process: another one serves. */
export async function detach(settings: Settings, context: Context): Promise<void> {
  const { host, launcher, formerMaster, parent } = context;
  if (!settings.daemon || launcher !== null || formerMaster !== null || parent !== null) return;
  await startDaemon(await context.supervisor(), host);
}

/**
 * Changes to the settings' directory, so that every path that follows starts there, and sets the umask, before a log is
 * opened; and sets the variables of raw_env, before the application is loaded. Workers are started with theirs: a reload
 * may take one away again.
 */
export function prepare(settings: Settings, { host, control }: Context): void {
  if (settings.chdir !== null) {
    attempt(`chdir: cannot change to ${quote(settings.chdir)}`, () => host.chdir(settings.chdir!));
  }
  applyUmask(settings.umask, control);
  if (settings.workers === 0) applyRawEnv(settings.raw_env, host.env, control);
}
