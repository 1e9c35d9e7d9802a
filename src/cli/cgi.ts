// CGI programs (RFC 3875): `tricorn cgi MODULE[:NAME]`, and runCgi() for a script that has its application itself. One
// request, one response, and the process ends; what is beside that is the server's and its settings'.

import type { FetchApplication } from "../bridges/mod.ts";
import { ConfigError, quote } from "../config/error.ts";
import { checkOptions, type Options, resolveSources, type Settings } from "../config/settings.ts";
import type { Application } from "../esgi/application.ts";
import { EventBus } from "../observe/events.ts";
import type { Connection } from "../runtime/port.ts";
import { Server } from "../server/server.ts";
import { toApplication } from "./application.ts";
import { attempt } from "./attempt.ts";
import { loadConfiguration } from "./config_file.ts";
import { explain, failureText } from "./failure.ts";
import { loadApplication } from "./load.ts";
import { openLogs } from "./logs.ts";
import { type Context, makeApplication, prepare } from "./run.ts";

/** The text of `tricorn cgi --help`. */
export function cgiHelp(): string {
  return `Usage: tricorn cgi MODULE[:NAME]

Answers one request as a CGI program: a web server starts it, with the request in its environment
and on its standard input, and reads the response from its standard output. MODULE and NAME are
those of "tricorn serve". Settings come from the configuration file and TRICORN_CMD_ARGS.

Exit codes: 0 answered, 2 wrong usage, 3 the application cannot be loaded, 4 the module has no
application. With 2 to 4 the web server is answered with 500.
`;
}

/** What has been loaded: all that a request needs. */
interface Loaded {
  readonly application: Application;
  readonly settings: Settings;
}

/** Answers the request that the environment describes, and ends the process. */
export async function cgi(words: readonly string[], context: Context): Promise<void> {
  const { host, runtime } = context;
  const [target, ...more] = words;
  if (target === "--help" || target === "-h") return host.stdout(cgiHelp());
  checkGateway("cgi", context);
  await answer(context, async () => {
    if (target === undefined) {
      throw new ConfigError("cgi: the application is missing; write: tricorn cgi MODULE[:NAME]");
    }
    if (target.startsWith("-")) {
      throw new ConfigError(`cgi: unknown flag ${quote(target)}; settings are those of the configuration file`);
    }
    // A query without "=" comes as words, too (RFC 3875 §4.4). No word of a client may mean anything to us.
    if (more[0] !== undefined && !/^[^=]+$/.test(host.env.QUERY_STRING ?? "")) {
      throw new ConfigError(
        `cgi: ${quote(more[0])} is one word too many; settings are those of the configuration file`,
      );
    }
    const { settings } = await loadConfiguration([target], host, host.startDirectory);
    prepare({ ...settings, workers: 0 }, context);
    const loaded = await loadApplication(target, settings.factory, host);
    return { application: toApplication(loaded, settings.override_globals, runtime), settings };
  });
}

/**
 * Answers the request that the environment describes with `application`, or with 500 when that is nothing to be served or
 * an option is wrong, and ends the process.
 *
 * @throws {ConfigError} when no web server has started the process.
 */
export async function runCgi(
  application: Application | FetchApplication,
  options: Options,
  context: Context,
): Promise<never> {
  const { host, runtime } = context;
  checkGateway("runCgi()", context);
  return await answer(context, async () => {
    const { settings } = resolveSources(
      [{ from: "runCgi()", options: checkOptions(options, "serve()") }],
      host.env,
    );
    prepare({ ...settings, workers: 0 }, context);
    return { application: await makeApplication(application, settings, runtime), settings };
  });
}

/** @throws {ConfigError} when the process was not started as a CGI program. */
function checkGateway(who: string, { host }: Context): void {
  if (host.env.GATEWAY_INTERFACE !== undefined) return;
  const permission = host.canReadEnv("GATEWAY_INTERFACE") ? "" : ", which deno may not read; allow it with --allow-env";
  throw new ConfigError(
    `${who} is started by a web server, which sets GATEWAY_INTERFACE (RFC 3875 §4.1.4)${permission}; ` +
      "to serve without one, write: tricorn serve MODULE",
  );
}

const failing: Application = (_, startResponse) => {
  startResponse("500 Internal Server Error", [["Content-Type", "text/plain"]]);
  return "500 Internal Server Error\n";
};

/** Answers with what `load` gives, or with 500 where it fails; then the process is over, whatever else it has begun. */
async function answer(context: Context, load: () => Promise<Loaded>): Promise<never> {
  const { host, runtime } = context;
  const streams = await context.cgi();
  const environment = attempt("cgi: the environment cannot be read", () => streams.environment());
  const variable = (name: string): string => environment.find(([one]) => one === name)?.[1] ?? "";
  // What is no number is refused before a byte is read, and so is a body without a length; but all has to be read, since
  // Apache (mod_cgid) loses the response when there is input that was not (RFC 9112 §9.6 is about the same).
  const length = variable("CONTENT_LENGTH") === "" && variable("HTTP_TRANSFER_ENCODING") !== ""
    ? Infinity
    : Number(variable("CONTENT_LENGTH"));
  let code = 0;
  const { application, settings } = await load().catch((error: unknown): Loaded => {
    const failure = explain(error);
    host.stderr(`tricorn: ${failureText(failure)}`);
    code = failure.code;
    return { application: failing, settings: resolveSources([]).settings };
  });
  const events = new EventBus();
  // The web server logs accesses; standard output is the response's.
  openLogs({ ...settings, accesslog: null }, events, host);
  const server = new Server(application, runtime, settings, events);
  server.multiprocess = server.runOnce = true;
  await new Promise<void>((closed) => {
    streams.open(length > 0 ? length : 0, (connection: Connection) => {
      // For the log, where a request is refused.
      const remote = { address: variable("REMOTE_ADDR"), port: 0 };
      const handler = server.acceptCgi({ ...connection, remote }, environment);
      // So a web server tells that its client has left.
      host.onSignal("SIGTERM", () => connection.destroy());
      queueMicrotask(() => void handler.receive(new Uint8Array(0)));
      return {
        receive: (chunk) => handler.receive(chunk),
        ended: () => handler.ended(),
        closed() {
          handler.closed();
          closed();
        },
      };
    });
  });
  // A turn of the event loop for what the application does when its body is closed.
  await new Promise((resolve) => setTimeout(resolve, 0));
  return host.exit(code);
}
