// Every setting, declared once: the types Settings and Options, the flags and their help, the environment variables and
// docs/settings.md all come from this table. A setting keeps the name, flag and meaning it has in Gunicorn; where Tricorn
// differs, the doc says so. Nothing here reads files or starts anything.

import { networkProblem } from "./address.ts";
import { integer, parseBind } from "./bind.ts";
import { ConfigError, quote } from "./error.ts";
import { didYouMean } from "./nearest.ts";

/** How a setting's value looks, as text and in a program. */
export type SettingType =
  /** A whole number. */
  | "integer"
  /** Seconds; decimals are allowed. */
  | "seconds"
  | "boolean"
  | "text"
  /** One of `choices`. */
  | "choice"
  /** Addresses to listen on: a flag for each. */
  | "binds"
  /** IP addresses, CIDR networks, or `*`; separated by commas in text. */
  | "networks";

export type SettingValue = string | number | boolean | null | readonly string[];

export interface Setting {
  readonly section: "Listening" | "Limits" | "Timeouts" | "TLS" | "Proxies" | "Logging" | "Application";
  readonly type: SettingType;
  /** Of `type`, or null: then the value is optional. */
  readonly default: SettingValue;
  /** The flags that set it; a boolean's flag sets the opposite of its default. Empty: only `serve()` has it. */
  readonly flags: readonly string[];
  /** The value's name in the help. */
  readonly meta?: string;
  readonly unit?: "bytes" | "seconds" | "connections" | "requests" | "fields";
  readonly min?: number;
  readonly choices?: readonly (string | number)[];
  /** What the flag means when no value follows it. */
  readonly bare?: string;
  readonly env?: string;
  /** What is put before the variable's text to make a value of it. */
  readonly envPrefix?: string;
  /** One paragraph of Markdown; white space is folded. */
  readonly doc: string;
}

// Not exported as it stands: its literal types are what Settings is made of, and readers want `Setting`.
const TABLE = {
  bind: {
    section: "Listening",
    type: "binds",
    default: ["127.0.0.1:8000"],
    flags: ["-b", "--bind"],
    meta: "ADDRESS",
    env: "PORT",
    envPrefix: "0.0.0.0:",
    doc: `An address to listen on; may be given more than once. \`HOST:PORT\`, \`[IPV6]:PORT\`, \`:PORT\` (all IPv4
      addresses), \`HOST\` (port 8000), \`PORT\` alone (on 127.0.0.1), \`unix:PATH\`, or \`fd://N\` for a listening socket
      that was inherited. Port 0 lets the system choose. When it is not given and \`PORT\` is set, \`0.0.0.0:$PORT\`.`,
  },
  backlog: {
    section: "Listening",
    type: "integer",
    default: 2048,
    flags: ["--backlog"],
    unit: "connections",
    min: 1,
    doc: `How many connections may wait to be accepted. The system may lower it (\`net.core.somaxconn\`); a runtime that
      does not let it be set uses its own.`,
  },
  worker_connections: {
    section: "Limits",
    type: "integer",
    default: 10_000,
    flags: ["--worker-connections"],
    unit: "connections",
    doc:
      `How many connections may be open at once. One more is answered with 503 and closed. Gunicorn's default is 1000; a
      connection costs less here. 0: no limit.`,
  },
  limit_request_line: {
    section: "Limits",
    type: "integer",
    default: 8190,
    flags: ["--limit-request-line"],
    unit: "bytes",
    doc:
      `The longest request line, without its CRLF. A longer one is answered with 414. Gunicorn's default is 4094, and it
      allows no more than 8190. 0: no limit but \`limit_request_head\`.`,
  },
  limit_request_fields: {
    section: "Limits",
    type: "integer",
    default: 100,
    flags: ["--limit-request-fields"],
    unit: "fields",
    doc:
      `How many header fields a request may have. More are answered with 431. 0: no limit but \`limit_request_head\`.`,
  },
  limit_request_field_size: {
    section: "Limits",
    type: "integer",
    default: 8190,
    // The underscore is Gunicorn's spelling.
    flags: ["--limit-request-field-size", "--limit-request-field_size"],
    unit: "bytes",
    doc: `The longest header field: name, colon and value. A longer one is answered with 431. 0: no limit but
      \`limit_request_head\`.`,
  },
  limit_request_head: {
    section: "Limits",
    type: "integer",
    default: 65_536,
    flags: ["--limit-request-head"],
    unit: "bytes",
    doc:
      `The longest head of a request: request line and all fields, with their line ends. A longer one is answered with
      431. Gunicorn has no such limit. 0: no limit, which lets a client fill the memory.`,
  },
  limit_request_body: {
    section: "Limits",
    type: "integer",
    default: 1_073_741_824,
    flags: ["--limit-request-body"],
    unit: "bytes",
    doc:
      `The longest body of a request, after chunked coding is taken away. A longer one is answered with 413. Gunicorn has
      no such limit. 0: no limit.`,
  },
  keepalive_requests: {
    section: "Limits",
    type: "integer",
    default: 0,
    flags: ["--keepalive-requests"],
    unit: "requests",
    doc: `How many requests a connection may carry; the last one is answered with \`Connection: close\`. 0: no limit.`,
  },
  header_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 30,
    flags: ["--header-timeout"],
    unit: "seconds",
    doc: `How long a request's head may take: from the opening of the connection, or from the first byte of a later
      request, to the empty line. A slower one is answered with 408. 0: no limit.`,
  },
  body_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 30,
    flags: ["--body-timeout"],
    unit: "seconds",
    doc: `How long an application waits for the next byte of a body. After that the request is answered with 408. 0: no
      limit.`,
  },
  keepalive: {
    section: "Timeouts",
    type: "seconds",
    default: 65,
    flags: ["--keep-alive"],
    unit: "seconds",
    doc: `How long a connection is kept that has no request. Longer than the 60 seconds that common load balancers keep
      theirs, so that it is never this side that closes while a request is on its way. Gunicorn's default is 2. 0: no
      limit.`,
  },
  write_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 60,
    flags: ["--write-timeout"],
    unit: "seconds",
    doc: `How long a client may read nothing while a response waits. After that the connection is closed. 0: no limit.`,
  },
  graceful_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 30,
    flags: ["--graceful-timeout"],
    unit: "seconds",
    doc: `How long requests may take to finish after a signal to stop. Then their connections are closed. 0: no limit.`,
  },
  certfile: {
    section: "TLS",
    type: "text",
    default: null,
    flags: ["--certfile"],
    meta: "PATH",
    doc: `The server's certificate and its chain, in PEM. With it, every address speaks TLS. Needs \`keyfile\`.`,
  },
  keyfile: {
    section: "TLS",
    type: "text",
    default: null,
    flags: ["--keyfile"],
    meta: "PATH",
    doc: `The certificate's private key, in PEM.`,
  },
  ca_certs: {
    section: "TLS",
    type: "text",
    default: null,
    flags: ["--ca-certs"],
    meta: "PATH",
    doc: `The certificate authorities that sign clients' certificates, in PEM.`,
  },
  cert_reqs: {
    section: "TLS",
    type: "choice",
    default: 0,
    flags: ["--cert-reqs"],
    choices: [0, 2],
    doc:
      `Whether clients must show a certificate: 0 no, 2 yes, one that \`ca_certs\` signed. Gunicorn's 1 (a certificate is
      optional) is not offered.`,
  },
  forwarded_allow_ips: {
    section: "Proxies",
    type: "networks",
    default: ["127.0.0.1", "::1"],
    flags: ["--forwarded-allow-ips"],
    env: "FORWARDED_ALLOW_IPS",
    doc:
      `The peers whose \`Forwarded\` and \`X-Forwarded-*\` fields are believed: IP addresses and CIDR networks, separated
      by commas, or \`*\` for all (only when nothing but the proxy can reach the port). Peers on a unix socket are always
      believed. Empty: none.`,
  },
  forwarded_host: {
    section: "Proxies",
    type: "boolean",
    default: false,
    flags: ["--forwarded-host"],
    doc: `Whether a believed peer's word on the host (\`X-Forwarded-Host\`, \`X-Forwarded-Port\`, \`host=\` of
      \`Forwarded\`) replaces the \`Host\` field. Off, because a proxy that does not set these fields passes its
      client's own on: turn it on only where yours sets or removes them all. Gunicorn has nothing like it.`,
  },
  proxy_protocol: {
    section: "Proxies",
    type: "choice",
    default: "off",
    flags: ["--proxy-protocol"],
    choices: ["off", "v1", "v2", "auto", "required"],
    bare: "auto",
    doc: `Whether connections may start with a PROXY protocol header: \`off\`, version \`v1\` only, \`v2\` only, either
      (\`auto\`, also what the flag alone means), or \`required\`. With \`v1\`, \`v2\` and \`auto\` a connection without the
      header is served as what it is, as in Gunicorn, so that health checks can skip it; with \`required\` a header of either
      version must be there, or the connection is closed.`,
  },
  proxy_allow_ips: {
    section: "Proxies",
    type: "networks",
    default: ["127.0.0.1", "::1"],
    flags: ["--proxy-allow-from"],
    doc:
      `The peers that may send a PROXY protocol header: IP addresses and CIDR networks, separated by commas, or \`*\` for
      all. The header of another peer is refused. Peers on a unix socket may always.`,
  },
  header_map: {
    section: "Proxies",
    type: "choice",
    default: "drop",
    flags: ["--header-map"],
    choices: ["drop", "refuse"],
    doc: `What happens to request fields with \`_\` in their names, which could pass for others in the environ: \`drop\`
      leaves them out of it (\`esgi.headers\` keeps them), \`refuse\` answers 400. Gunicorn's \`dangerous\` is not offered.`,
  },
  accesslog: {
    section: "Logging",
    type: "text",
    default: null,
    flags: ["--access-logfile"],
    meta: "PATH",
    doc: `The file that gets a line for each request, or \`-\` for standard output. Off when not given.`,
  },
  access_log_format: {
    section: "Logging",
    type: "text",
    default: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
    flags: ["--access-logformat", "--access-log-format"],
    meta: "FORMAT",
    doc:
      `The access log's line: Gunicorn's atoms \`h l u t r m U q H s B b f a T M D L p\`, \`{name}i\` (request field),
      \`{name}o\` (response field) and \`{name}e\` (environ), each as \`%(atom)s\`; what is missing is \`-\`. Or the word
      \`json\`: an object on each line.`,
  },
  errorlog: {
    section: "Logging",
    type: "text",
    default: "-",
    flags: ["--error-logfile", "--log-file"],
    meta: "PATH",
    doc: `The file that gets the server's own messages and the faults of the application, or \`-\` for standard error.`,
  },
  loglevel: {
    section: "Logging",
    type: "choice",
    default: "info",
    flags: ["--log-level"],
    choices: ["debug", "info", "warning", "error", "critical"],
    doc: `The least important message that is logged.`,
  },
  chdir: {
    section: "Application",
    type: "text",
    default: null,
    flags: ["--chdir"],
    meta: "PATH",
    doc: `The directory to change to before the application is loaded; the paths of other settings start there too.`,
  },
  factory: {
    section: "Application",
    type: "boolean",
    default: false,
    flags: ["--factory"],
    doc: `The export is a function that makes the application: it is called once, without arguments, and may be async.`,
  },
  override_globals: {
    section: "Application",
    type: "boolean",
    default: true,
    flags: ["--no-override-globals"],
    doc:
      `On Node, \`Request\` and \`Response\` are replaced by lighter ones while a fetch application is served; that is
      where much of its speed comes from. False leaves Node's own. Other runtimes keep theirs anyway.`,
  },
  handle_signals: {
    section: "Application",
    type: "boolean",
    default: true,
    flags: [],
    doc:
      `Whether \`serve()\` answers the process's signals (SIGINT and SIGTERM finish what runs and exit with 0) and logs
      uncaught errors instead of letting them end the process. False leaves both to the caller.`,
  },
} as const;

/** The names of all settings. */
export type SettingName = keyof typeof TABLE;

type Widened<S> = S extends { readonly type: "integer" | "seconds" } ? number
  : S extends { readonly type: "boolean" } ? boolean
  : S extends { readonly type: "choice"; readonly choices: readonly (infer C)[] } ? C
  : S extends { readonly type: "binds" | "networks" } ? readonly string[]
  : string;
type Value<S> = S extends { readonly default: null } ? Widened<S> | null : Widened<S>;
type Given<S> = S extends { readonly type: "binds" | "networks" } ? string | readonly string[] : Value<S>;

/** All settings, resolved and valid. */
export type Settings = { readonly [K in SettingName]: Value<(typeof TABLE)[K]> };

/** What a user passes to `serve()`: any of the settings. What is undefined or left out has its default. */
export type Options = { readonly [K in SettingName]?: Given<(typeof TABLE)[K]> | undefined };

/** The table, as code that goes through it sees it. */
export const SETTINGS: Readonly<Record<SettingName, Setting>> = TABLE;

/** The settings' names, in the order of the documentation. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(TABLE) as SettingName[];

/** The variables of the environment that settings have. */
export const SETTING_VARIABLES: readonly string[] = Object.values<Setting>(TABLE).flatMap(({ env }) => env ?? []);

/** A timer can wait 2^31 - 1 milliseconds; what is longer fires at once. */
const MAX_SECONDS = 2_147_483;

/**
 * The settings that follow from `options`, then the environment, then the defaults.
 *
 * @throws {ConfigError} for a name that does not exist, and for a value of the wrong type or out of range.
 */
export function resolveSettings(
  options: Options,
  env: Readonly<Record<string, string | undefined>> = {},
): Settings {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(TABLE, name)) {
      throw new ConfigError(
        `unknown option ${quote(name)}${didYouMean(name, SETTING_NAMES) || "; see docs/settings.md for all of them"}`,
      );
    }
  }
  const settings: Record<string, SettingValue> = {};
  for (const name of SETTING_NAMES) {
    const setting = SETTINGS[name];
    const given: unknown = options[name];
    const variable = setting.env === undefined ? undefined : env[setting.env];
    if (given !== undefined) settings[name] = checkValue(setting, given, name);
    else if (
      setting.env !== undefined && variable !== undefined && (variable !== "" || setting.envPrefix === undefined)
    ) {
      settings[name] = parseValue(setting, (setting.envPrefix ?? "") + variable, setting.env);
    } else settings[name] = setting.default;
  }
  const resolved = settings as unknown as Settings;
  checkTogether(resolved);
  return resolved;
}

/**
 * The value that `text` stands for, in a flag or an environment variable.
 *
 * @throws {ConfigError} that starts with `label`.
 */
export function parseValue(setting: Setting, text: string, label: string): SettingValue {
  if (setting.type === "integer") {
    const value = integer(text);
    if (value === null) throw wrong(label, text, "is not a whole number", example(setting));
    return checkValue(setting, value, label);
  }
  if (setting.type === "seconds") {
    if (!/^\d{1,7}(?:\.\d{1,3})?$/.test(text)) throw wrong(label, text, "is not a number of seconds", example(setting));
    return checkValue(setting, Number(text), label);
  }
  if (setting.type === "choice") {
    const choice = setting.choices?.find((one) => String(one) === text);
    return checkValue(setting, choice ?? text, label);
  }
  return checkValue(setting, text, label);
}

/** `value` as a program gave it, checked and normalized. */
function checkValue(setting: Setting, value: unknown, label: string): SettingValue {
  if (value === null && setting.default === null) return null;
  switch (setting.type) {
    case "integer":
    case "seconds": {
      const whole = setting.type === "integer";
      if (typeof value !== "number" || !Number.isFinite(value) || (whole && !Number.isInteger(value))) {
        throw wrong(label, value, whole ? "is not a whole number" : "is not a number of seconds", example(setting));
      }
      const min = setting.min ?? 0;
      const max = whole ? Number.MAX_SAFE_INTEGER : MAX_SECONDS;
      if (value < min) throw wrong(label, value, `is less than ${min}`, example(setting));
      if (value > max) throw wrong(label, value, `is more than ${max}`, "0 means no limit");
      return value;
    }
    case "boolean":
      if (typeof value !== "boolean") throw wrong(label, value, "is not a boolean", "write true or false");
      return value;
    case "choice": {
      const choices = setting.choices ?? [];
      const choice = choices.find((one) => one === value);
      if (choice !== undefined) return choice;
      const near = typeof value === "string" ? didYouMean(value, choices.map(String)) : "";
      throw wrong(label, value, "is not possible", `use ${choices.join(", ")}${near}`);
    }
    case "text":
      if (typeof value !== "string") throw wrong(label, value, "is not a string", example(setting));
      if (value === "" || value.includes("\0")) {
        throw wrong(label, value, value === "" ? "is empty" : "has a NUL", example(setting));
      }
      return value;
    case "binds":
    case "networks": {
      const list: readonly unknown[] = Array.isArray(value)
        ? value
        : typeof value === "string" && setting.type === "networks"
        ? value.split(",").map((part) => part.trim()).filter((part) => part !== "")
        : [value];
      for (const item of list) {
        if (typeof item !== "string") throw wrong(label, item, "is not a string", example(setting));
        if (setting.type === "networks") {
          const problem = networkProblem(item);
          if (problem !== null) throw wrong(label, item, problem, "write addresses, CIDR networks, or *");
        } else {
          try {
            parseBind(item);
          } catch (error) {
            throw new ConfigError(`${label}: ${(error as Error).message}`);
          }
        }
      }
      if (setting.type === "binds" && list.length === 0) {
        throw wrong(label, value, "is empty", "give one address or more");
      }
      return list as readonly string[];
    }
  }
}

/** What one setting needs of another. */
function checkTogether(settings: Settings): void {
  const needs = (name: SettingName, other: SettingName): never => {
    throw new ConfigError(`${flagOf(name)} needs ${flagOf(other)}: give both, or none of them`);
  };
  if (settings.certfile !== null && settings.keyfile === null) needs("certfile", "keyfile");
  if (settings.keyfile !== null && settings.certfile === null) needs("keyfile", "certfile");
  if (settings.ca_certs !== null && settings.certfile === null) needs("ca_certs", "certfile");
  if (settings.cert_reqs === 2 && settings.ca_certs === null) needs("cert_reqs", "ca_certs");
}

/** A setting as messages name it: both ways in which a user may have written it. */
function flagOf(name: SettingName): string {
  return `${name} (${SETTINGS[name].flags.find((flag) => flag.startsWith("--")) ?? "serve()"})`;
}

function wrong(label: string, value: unknown, problem: string, remedy: string): ConfigError {
  const shown = typeof value === "string"
    ? quote(value)
    : value === null || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : Array.isArray(value)
    ? "an array"
    : `a value of type ${typeof value}`;
  return new ConfigError(`${label}: ${shown} ${problem}; ${remedy}`);
}

function example(setting: Setting): string {
  if (setting.default === null) return setting.meta === "PATH" ? "give a path" : "give a value";
  if (Array.isArray(setting.default)) return `write for example ${JSON.stringify(setting.default[0])}`;
  return `write for example ${JSON.stringify(setting.default)}`;
}
