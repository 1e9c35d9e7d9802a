// The public API: `import { serve } from "tricorn"`.

import type { FetchApplication } from "../src/bridges/mod.ts";
import { BindError } from "../src/cli/listen.ts";
import { run, type RunningServer } from "../src/cli/run.ts";
import { LoadError } from "../src/cli/load.ts";
import { ConfigError } from "../src/config/error.ts";
import type { Hooks } from "../src/config/hooks.ts";
import type { Config, Options } from "../src/config/settings.ts";
import type { Application } from "../src/esgi/application.ts";
import { findSettings } from "../src/cli/settings_module.ts";
import { context } from "./context.ts";

export { BindError, ConfigError, LoadError };
export { compression } from "./compression.ts";
export { temporaryFileStorage } from "./file_storage.ts";
export { openFile, openFileBelow } from "./open_file.ts";
export type { Application, Config, FetchApplication, Hooks, Options, RunningServer };

/**
 * Serves `application` on this runtime: an ESGI application, a fetch handler, or an object with `fetch` (a Hono app).
 * `options` are the settings of docs/settings.md, by the names they have there. Resolves when it listens. SIGINT and
 * SIGTERM let requests in flight finish and end the process, unless `handle_signals` is false.
 *
 * @throws {ConfigError} when an option does not exist or has a wrong value.
 * @throws {LoadError} when `application` is nothing that can be served.
 * @throws {BindError} when an address cannot be listened on.
 */
export function serve(application: Application | FetchApplication, options: Options = {}): Promise<RunningServer> {
  return run(application, options, context);
}

/**
 * Answers one request as a CGI program, and ends the process: for a script that a web server starts, as wsgiref's
 * `CGIHandler().run(application)`. `options` are those of {@link serve}; what is about addresses and workers means nothing
 * here. An application that is nothing to be served is answered with 500, and named on standard error.
 *
 * @throws {ConfigError} when no web server has started the process.
 */
export async function runCgi(application: Application | FetchApplication, options: Options = {}): Promise<never> {
  const cgi = await import("../src/cli/cgi.ts");
  return await cgi.runCgi(application, options, context);
}

/**
 * `config` as it is: for tricorn.config.ts, so that an editor knows the settings' names and types.
 * `export default defineConfig({ workers: "auto" })`.
 */
export function defineConfig(config: Config): Config {
  return config;
}

/**
 * The application of a site whose settings are in the module that TRICORN_SETTINGS_MODULE names (`settings.ts`, or
 * `settings.ts:production`), as Django's get_wsgi_application(): `export const application = await getApplication()`.
 *
 * @throws {ConfigError} when the variable is not set.
 * @throws {LoadError} when the settings cannot be loaded.
 */
export async function getApplication(): Promise<Application> {
  // Only a site needs the handler.
  const { Handler } = await import("../src/handler/handler.ts");
  const settings = await findSettings(
    null,
    "getApplication: whose settings? Write new Handler(settings)",
    context.host,
  );
  return new Handler(settings).application;
}
