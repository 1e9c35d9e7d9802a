// The settings of a site, in the module that a flag or the environment names, as DJANGO_SETTINGS_MODULE does.

import { ConfigError, quote } from "../config/error.ts";
import type { HandlerSettings } from "../handler/settings.ts";
import type { CommandHost } from "./host.ts";
import { findNamed, importModule, LoadError, parseTarget } from "./load.ts";

/** The variable that names it: `MODULE[:NAME]`; NAME is `settings` when not given. */
export const SETTINGS_VARIABLE = "TRICORN_SETTINGS_MODULE";

/**
 * The settings that `given` names, or else the variable. `question` begins the error when neither does.
 *
 * @throws {ConfigError} when nothing names them.
 * @throws {LoadError} when they cannot be loaded.
 */
export async function findSettings(
  given: string | null,
  question: string,
  host: CommandHost,
): Promise<HandlerSettings> {
  const target = given ?? host.env[SETTINGS_VARIABLE];
  if (target !== undefined && target !== "") return await loadSettings(target, host);
  const permission = host.canReadEnv(SETTINGS_VARIABLE) ? "" : " (Deno: and allow it to be read, --allow-env)";
  throw new ConfigError(`${question}, or set ${SETTINGS_VARIABLE}${permission}`);
}

async function loadSettings(target: string, host: CommandHost): Promise<HandlerSettings> {
  const cannot = `cannot load the settings ${quote(target)}`;
  const { module, name } = parseTarget(target);
  const exports = await importModule(module, cannot, host);
  const found = findNamed(exports, name ?? "settings", cannot);
  if (typeof found.value === "object") return found.value as HandlerSettings;
  throw new LoadError(
    `${cannot}: export ${quote(found.name)} is a ${typeof found.value}; write ` +
      "`export const settings: HandlerSettings = { ... }`",
  );
}
