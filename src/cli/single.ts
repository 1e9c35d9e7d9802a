// One process that serves alone: opens the logs, listens on every address, and obeys the signals.

import { parseBind } from "../config/bind.ts";
import { ConfigError } from "../config/error.ts";
import { SETTING_VARIABLES, type Settings } from "../config/settings.ts";
import type { Application } from "../esgi/application.ts";
import { EventBus } from "../observe/events.ts";
import { ListenError, urlOf } from "../runtime/port.ts";
import { Server } from "../server/server.ts";
import { reasonOf } from "./attempt.ts";
import { observeRequests } from "./hooks.ts";
import { BindError, explainListenError, readListenOptions } from "./listen.ts";
import { openLogs } from "./logs.ts";
import type { Context, RunningServer } from "./run.ts";
import { obeySignals } from "./signals.ts";
import { VERSION } from "./version.ts";

/** @throws {ConfigError} or {BindError}; see run.ts. */
export async function serveAlone(
  application: Application,
  settings: Settings,
  context: Context,
): Promise<RunningServer> {
  const { host, runtime } = context;
  const binds = settings.bind.map(parseBind);
  const listenOptions = readListenOptions(settings, host);
  const events = new EventBus();
  const logs = openLogs(settings, events, host);
  const notice = (message: string): void => events.emit("notice", { level: "info", message });
  const born = performance.now();
  observeRequests(events, settings, () => ({ id: 0, pid: host.pid, age: (performance.now() - born) / 1000 }));

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
    if (error instanceof ListenError) throw new BindError(explainListenError(error));
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
    ? obeySignals(host, "single", {
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
