// From an application and settings to a server that listens, logs and obeys signals: what `serve()` and `tricorn serve`
// have in common. Reads files and binds addresses; how a request is served is none of its business.

import type { FetchApplication } from "../bridges/mod.ts";
import { parseBind } from "../config/bind.ts";
import { ConfigError, quote } from "../config/error.ts";
import { type Options, resolveSettings, SETTING_VARIABLES, type Settings } from "../config/settings.ts";
import type { Application } from "../esgi/application.ts";
import { attachAccessLog, compileAccessLog, FormatError } from "../observe/access_log.ts";
import { BatchedSink } from "../observe/batch.ts";
import { EventBus } from "../observe/events.ts";
import { attachErrorLog } from "../observe/log.ts";
import {
  type Bind,
  formatBind,
  ListenError,
  type ListenFault,
  type ListenOptions,
  type LogFile,
  type Runtime,
} from "../runtime/port.ts";
import { Server } from "../server/server.ts";
import { toApplication } from "./application.ts";
import { classify } from "./classify.ts";
import type { CommandHost } from "./host.ts";
import { LoadError } from "./load.ts";
import { obeySignals } from "./signals.ts";
import { VERSION } from "./version.ts";

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

/** An address cannot be listened on; the command exits with 1. */
export class BindError extends Error {
  override readonly name = "BindError";
}

/** What runs inside: the process and the sockets. */
export interface Context {
  readonly host: CommandHost;
  readonly runtime: Runtime;
}

/**
 * Serves `application`: an ESGI application, a fetch handler, or an object with `fetch` (classify.ts has the rule).
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
  const settings = prepare(options, context);
  const made: unknown = settings.factory ? await (application as () => unknown)() : application;
  const loaded = classify(made, null);
  if (typeof loaded === "string") throw new LoadError(`cannot serve the application: it ${loaded}`);
  return await start(toApplication(loaded, settings.override_globals, context.runtime), settings, context);
}

/** Resolves the settings, and changes to their directory, so that every path that follows starts there. */
export function prepare(options: Options, { host }: Context): Settings {
  const settings = resolveSettings(options, host.env);
  if (settings.chdir !== null) {
    attempt(`chdir: cannot change to ${quote(settings.chdir)}`, () => host.chdir(settings.chdir!));
  }
  return settings;
}

/** Opens the logs, listens on every address, and installs the signals. */
export async function start(application: Application, settings: Settings, context: Context): Promise<RunningServer> {
  const { host, runtime } = context;
  const binds = settings.bind.map(parseBind);
  const listenOptions = readListenOptions(settings, host);
  const events = new EventBus();
  const logs = openLogs(settings, events, host);
  const notice = (message: string): void => events.emit("notice", { level: "info", message });

  const server = new Server(application, runtime, settings, events);
  const urls: string[] = [];
  try {
    for (const bind of binds) {
      const listener = await server.listen(bind, listenOptions);
      urls.push(urlOf(listener.bind, listenOptions.tls !== undefined));
    }
  } catch (error) {
    server.close();
    logs.close();
    if (error instanceof ListenError) throw new BindError(explain(error));
    // What else can be wrong is in the files: the runtime reads them only now.
    throw listenOptions.tls === undefined
      ? error
      : new ConfigError(`certfile, keyfile or ca_certs: ${reasonOf(error)}`);
  }
  let finish!: () => void;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let draining: Promise<void> | null = null;
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    forget();
    notice("Shutting down");
    logs.close();
    finish();
  };
  const running: RunningServer = {
    urls,
    finished,
    drain: () => draining ??= server.drain().then(end),
    close: () => {
      if (ended) return;
      server.close();
      end();
    },
  };
  const forget = settings.handle_signals
    ? obeySignals(host, {
      drain: () => running.drain(),
      close: () => running.close(),
      reopenLogs: () => logs.reopen(),
      notice,
      uncaught: (error) =>
        events.emit("fault", { error, message: "Uncaught error outside of a request", environ: null }),
    })
    : () => {};
  // Said only now, so that an address that cannot be had is the only line, and whoever waits for these may send signals.
  notice(`Starting tricorn ${VERSION} on ${runtime.name} ${runtime.version}`);
  const denied = SETTING_VARIABLES.filter((variable) => !host.canReadEnv(variable));
  if (denied.length > 0) notice(`Without --allow-env, these are not read from the environment: ${denied.join(", ")}`);
  for (const url of urls) notice(`Listening at: ${url}`);
  return running;
}

interface Logs {
  reopen(): void;
  /** Writes what is left. */
  close(): void;
}

function openLogs(settings: Settings, events: EventBus, host: CommandHost): Logs {
  const files: LogFile[] = [];
  const open = (path: string, name: string): LogFile => {
    const file = attempt(`${name}: cannot open ${quote(path)}`, () => host.openLog(path));
    files.push(file);
    return file;
  };
  const toTerminal = settings.errorlog === "-" && host.isTty && !host.env.NO_COLOR;
  const errors = settings.errorlog === "-"
    ? { write: (text: string) => host.stderr(text) }
    : open(settings.errorlog, "errorlog");
  attachErrorLog(events, errors, { level: settings.loglevel, pid: host.pid, colour: toTerminal });
  let accesses: BatchedSink | null = null;
  if (settings.accesslog !== null) {
    const line = compile(settings.access_log_format, host.pid);
    const sink = settings.accesslog === "-"
      ? { write: (text: string) => host.stdout(text) }
      : open(settings.accesslog, "accesslog");
    accesses = new BatchedSink(sink, (error) => {
      const message = `The access log cannot be written, lines are lost: ${reasonOf(error)}`;
      events.emit("notice", { level: "error", message });
    });
    attachAccessLog(events, accesses, line);
  }
  return {
    reopen(): void {
      accesses?.flush();
      for (const file of files) {
        try {
          file.reopen();
        } catch (error) {
          const message = `A log cannot be reopened, the old file is written on: ${reasonOf(error)}`;
          events.emit("notice", { level: "error", message });
        }
      }
    },
    close: () => accesses?.flush(),
  };
}

function compile(format: string, pid: number): ReturnType<typeof compileAccessLog> {
  try {
    return compileAccessLog(format, pid);
  } catch (error) {
    throw error instanceof FormatError ? new ConfigError(error.message) : error;
  }
}

function readListenOptions(settings: Settings, host: CommandHost): ListenOptions {
  const { backlog, certfile, keyfile, ca_certs, cert_reqs } = settings;
  if (certfile === null || keyfile === null) return { backlog };
  const read = (name: string, path: string): string => {
    const text = attempt(`${name}: cannot read ${quote(path)}`, () => host.readText(path));
    if (!text.includes("-----BEGIN ")) {
      throw new ConfigError(`${name}: ${quote(path)} is not in PEM; it has no line "-----BEGIN ..."`);
    }
    return text;
  };
  return {
    backlog,
    tls: {
      cert: read("certfile", certfile),
      key: read("keyfile", keyfile),
      ...(ca_certs === null ? {} : { ca: read("ca_certs", ca_certs) }),
      requestClientCert: cert_reqs === 2,
    },
  };
}

/** Where a listener is reached. An address that means all addresses stays: it is what was asked for. */
function urlOf(bind: Bind, tls: boolean): string {
  return bind.kind === "tcp" ? `${tls ? "https" : "http"}://${formatBind(bind)}` : formatBind(bind);
}

/** One line: the address, what is wrong with it, and what to do. */
function explain({ bind, fault, message }: ListenError): string {
  return `${message}; ${remedy(bind, fault)}`;
}

function remedy(bind: Bind, fault: ListenFault): string {
  if (bind.kind === "fd") return "--bind fd://N needs the number of a listening socket that was inherited";
  if (bind.kind === "unix") {
    if (fault === "EADDRINUSE") return "remove what is there, or choose another path with --bind";
    if (fault === "EACCES") {
      return "choose a directory that can be written with --bind (Deno: --allow-read, --allow-write)";
    }
    return "choose another path with --bind";
  }
  switch (fault) {
    case "EADDRINUSE":
      return "stop what listens there, or choose another port with --bind";
    case "EACCES":
      return bind.port > 0 && bind.port < 1024
        ? "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE): grant it, or choose another port with --bind"
        : "choose another address with --bind (Deno: allow this one with --allow-net)";
    case "EADDRNOTAVAIL":
      return `--bind 0.0.0.0:${bind.port} listens on all addresses of this machine`;
    default:
      return "choose another address with --bind";
  }
}

/** Does what may fail for the system's reasons; the one-line error begins with `what`. */
function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new ConfigError(`${what}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0] ?? text;
}
