// One process that serves alone: opens the logs, listens on every address, and obeys the signals.

import { parseBind } from "../config/bind.ts";
import { ConfigError } from "../config/error.ts";
import type { WorkerInfo } from "../config/hooks.ts";
import { SETTING_VARIABLES, type Settings } from "../config/settings.ts";
import type { Application } from "../esgi/application.ts";
import { EventBus } from "../observe/events.ts";
import { ListenError, urlOf } from "../runtime/port.ts";
import { Server } from "../server/server.ts";
import { reasonOf } from "./attempt.ts";
import { callHook } from "../arbiter/hooks.ts";
import { observeRequests } from "./hooks.ts";
import { type Admin, Readiness, startAdmin } from "./admin.ts";
import { BindError, explainListenError, readListenOptions } from "./listen.ts";
import { openLogs } from "./logs.ts";
import { possibleConnections } from "./open_files.ts";
import type { Context, RunningServer } from "./run.ts";
import { Service } from "./service.ts";
import { obeySignals } from "./signals.ts";
import { VERSION } from "./version.ts";

/** @throws {ConfigError} or {BindError}; see run.ts. */
export async function serveAlone(
  application: Application,
  settings: Settings,
  context: Context,
): Promise<RunningServer> {
  const { host, runtime } = context;
  const listenOptions = readListenOptions(settings, host);
  const events = new EventBus();
  const logs = openLogs(settings, events, host);
  const service = new Service("server", settings, context, events, () => running.close());
  const readiness = new Readiness();
  const notice = (message: string): void => events.emit("notice", { level: "info", message });
  const born = performance.now();
  const info = (): WorkerInfo => ({ id: 0, pid: host.pid, age: (performance.now() - born) / 1000 });
  observeRequests(events, settings, info);

  const { worker_connections, notice: limited } = possibleConnections(settings, host);
  const server = new Server(application, runtime, { ...settings, worker_connections }, events);
  const urls: string[] = [];
  let admin: Admin | null = null;
  try {
    if (settings.admin_bind !== null) {
      admin = await startAdmin(runtime, parseBind(settings.admin_bind), () => readiness.status());
    }
    for (const bind of service.binds(settings)) {
      const listener = await server.listen(bind, listenOptions);
      urls.push(urlOf({ ...bind, ...listener.bind }, listenOptions.tls !== undefined));
    }
  } catch (error) {
    server.close();
    admin?.close();
    service.leave();
    logs.close();
    if (error instanceof BindError) throw error;
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
    admin?.close();
    service.leave();
    const close = (): void => {
      logs.close();
      finish();
    };
    // At once where nothing has to be waited for: the process may exit next.
    if (settings.worker_exit === null) close();
    else void callHook(events, settings, "worker_exit", info()).then(close);
  };
  const leave = async (): Promise<void> => {
    service.stopping();
    await readiness.leave(settings.drain_delay);
    // As a pool: a load balancer keeps its connections until it is told.
    if (!ended) await server.drain({ grace: settings.drain_delay > 0 ? settings.keepalive_grace : 0 });
    end();
  };
  const running: RunningServer = {
    urls,
    finished,
    drain: () => draining ??= leave().then(() => finished),
    close: () => {
      if (ended) return;
      server.close();
      end();
      readiness.skip();
    },
  };
  const interrupted = (signal: string): void => {
    if (signal !== "SIGTERM") void callHook(events, settings, "worker_int", info());
  };
  const forget = settings.handle_signals
    ? obeySignals(host, "single", {
      drain: () => running.drain(),
      close: () => {
        running.close();
        return settings.worker_exit === null ? undefined : finished;
      },
      reopenLogs: () => logs.reopen(),
      notice,
      uncaught: (error) =>
        events.emit("fault", { error, message: "Uncaught error outside of a request", environ: null }),
      actions: { drain: interrupted, quit: interrupted },
    })
    : () => {};
  await callHook(events, settings, "post_worker_init", info());
  // Said only now, so that an address that cannot be had is the only line, and whoever waits for these may send signals.
  notice(`Starting tricorn ${VERSION} on ${runtime.name} ${runtime.version}`);
  if (limited !== null) events.emit("notice", limited);
  const denied = SETTING_VARIABLES.filter((variable) => !host.canReadEnv(variable));
  if (denied.length > 0) notice(`Without --allow-env, these are not read from the environment: ${denied.join(", ")}`);
  if (admin !== null) notice(`Probes at: ${admin.url}/livez and ${admin.url}/readyz`);
  for (const url of urls) notice(`Listening at: ${url}`);
  readiness.serving();
  service.serving(`Listening at ${urls.join(", ")}`);
  return running;
}
