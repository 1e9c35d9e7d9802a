// What `tricorn runserver` serves, and by which settings: its flags, the configuration file, `.env`, and the application
// that it finds by itself where nothing names one. Read again when one of these files has changed.

import { ConfigError, quote } from "../config/error.ts";
import { checkOptions, resolveSources, type SettingName, type Settings } from "../config/settings.ts";
import { formatBind } from "../runtime/port.ts";
import { isAddrport, parseAddrport, type TcpBind } from "./addrport.ts";
import { type ConfigFile, findConfigFile, readConfigFile } from "./config_file.ts";
import type { DevHost } from "./dev_host.ts";
import { splitPair } from "./environment.ts";
import type { CommandHost } from "./host.ts";
import { SETTINGS_VARIABLE } from "./settings_module.ts";
import { type FlagSpec, type GivenFlags, readWords } from "./words.ts";

type Switch =
  | "ipv6"
  | "nothreading"
  | "noreload"
  | "norefresh"
  | "nostatic"
  | "skip-checks"
  | "open"
  | "https"
  | "no-color";

const FLAGS = {
  ipv6: { takes: "nothing", short: "6" },
  nothreading: { takes: "nothing" },
  noreload: { takes: "nothing" },
  norefresh: { takes: "nothing" },
  nostatic: { takes: "nothing" },
  "skip-checks": { takes: "nothing" },
  open: { takes: "nothing" },
  https: { takes: "nothing" },
  "no-color": { takes: "nothing" },
  settings: { takes: "value" },
  config: { takes: "value", short: "c" },
} as const satisfies FlagSpec;

/** What the command line says. */
export interface Command {
  readonly flags: GivenFlags<Readonly<Record<Switch, { readonly takes: "nothing" }>>> & {
    readonly settings: string | null;
    readonly config: string | null;
  };
  /** `MODULE[:NAME]`; null when it is not said. */
  readonly app: string | null;
  readonly bind: TcpBind;
}

/** @throws {ConfigError} for wrong usage. */
export function readCommand(words: readonly string[], { env }: Pick<CommandHost, "env">): Command {
  const { flags, operands } = readWords("runserver", words, FLAGS);
  const addrports = operands.filter(isAddrport);
  const apps = operands.filter((word) => !isAddrport(word));
  for (const [given, what] of [[addrports, "one address"], [apps, "one application"]] as const) {
    if (given.length > 1) throw new ConfigError(`runserver: ${quote(given[1]!)} is one word too many; give ${what}`);
  }
  const bind = parseAddrport(addrports[0] ?? null, flags.ipv6, env.PORT || undefined);
  return { flags, app: apps[0] ?? null, bind };
}

/** What is served, until the files that say so change. */
export interface Project {
  readonly settings: Settings;
  readonly file: ConfigFile | null;
  /** `MODULE[:NAME]`; null for a site that `settingsModule` names. */
  readonly app: string | null;
  /** `MODULE[:NAME]` of a Handler's settings; null when nothing names them. */
  readonly settingsModule: string | null;
  /** What the child finds in its environment beside this process's own; null: it does not find it. */
  readonly env: Readonly<Record<string, string | null>>;
}

/** The file of variables, in the project's folder. */
export const DOT_ENV = ".env";

/** What of a configuration file holds for development, too: the rest is about production. */
const KEPT: readonly SettingName[] = [
  "app",
  "factory",
  "override_globals",
  "chdir",
  "raw_env",
  "reload_extra_files",
  "header_map",
  "forwarded_allow_ips",
  "forwarded_host",
  "limit_request_line",
  "limit_request_fields",
  "limit_request_field_size",
  "limit_request_head",
  "limit_request_body",
];

/** Seconds that requests have when the code they run in is replaced, or the server ends. */
const GRACEFUL = 2;
/** Seconds in which an idle connection may still bring a request to the old code. */
const GRACE = 0.1;

/**
 * Reads the project in `directory`.
 *
 * @param pair the files of the certificate; null for plain HTTP
 * @throws {ConfigError} that names the file and what is wrong in it.
 */
export async function readProject(
  { flags, app, bind }: Command,
  pair: { readonly certfile: string; readonly keyfile: string } | null,
  directory: string,
  host: CommandHost,
  dev: DevHost,
  dotEnv: DotEnv,
): Promise<Project> {
  const file = findConfigFile(flags.config, directory, host);
  const given = file === null ? {} : await readConfigFile(file, host);
  const kept = Object.fromEntries(Object.entries(given).filter(([name]) => KEPT.includes(name as SettingName)));
  const { settings } = resolveSources([
    { from: file?.name ?? "", options: kept },
    {
      from: "runserver",
      options: checkOptions({
        bind: [formatBind(bind)],
        workers: 1,
        timeout: 0,
        graceful_timeout: GRACEFUL,
        keepalive_grace: GRACE,
        // A page that waits for changes is a request, too.
        limit_concurrency: 0,
        control_socket_disable: true,
        ...(pair === null ? {} : { certfile: pair.certfile, keyfile: pair.keyfile }),
      }, "file"),
    },
  ], host.env);
  const settingsModule = flags.settings ?? (host.env[SETTINGS_VARIABLE] || null);
  return {
    settings,
    file,
    settingsModule,
    app: app ??
      (flags.settings === null ? settings.app ?? (settingsModule === null ? find(directory, dev) : null) : null),
    env: {
      ...dotEnv.update(dev.parseEnv(dev.readSource(`${directory}/${DOT_ENV}`) ?? "")),
      ...Object.fromEntries(settings.raw_env.map(splitPair)),
    },
  };
}

/**
 * The variables of `.env`. What the environment has with another value goes before, as everywhere; but Bun has read the
 * file before us, so what has the file's own value is the file's.
 */
export class DotEnv {
  readonly #env: CommandHost["env"];
  readonly #own = new Set<string>();

  constructor(env: CommandHost["env"]) {
    this.#env = env;
  }

  /** What a child has to find: null for a variable that has gone from the file. */
  update(variables: Readonly<Record<string, string>>): Readonly<Record<string, string | null>> {
    for (const [name, value] of Object.entries(variables)) {
      if ((this.#env[name] ?? value) === value) this.#own.add(name);
    }
    return Object.fromEntries([...this.#own].map((name) => [name, variables[name] ?? null]));
  }
}

const FOLDERS = ["", "src/"] as const;
const NAMES = ["application", "app", "main", "server", "index"] as const;
const EXTENSIONS = [".ts", ".js", ".mjs"] as const;

/** The application where nothing names it, in the files that mostly have it. */
function find(directory: string, dev: DevHost): string {
  for (const folder of FOLDERS) {
    for (const name of NAMES) {
      for (const extension of EXTENSIONS) {
        if (dev.exists(`${directory}/${folder}${name}${extension}`)) return `./${folder}${name}${extension}`;
      }
    }
  }
  throw new ConfigError(
    `runserver: there is no application in ${directory}: write "tricorn runserver MODULE", or make a project with ` +
      '"tricorn new DIR"',
  );
}
