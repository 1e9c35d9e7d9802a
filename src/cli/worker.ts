// A worker's process: from what its master says to an application that is loaded and served (src/arbiter/worker.ts).

import type { ToWorker } from "../arbiter/messages.ts";
import { awaitBoot, type Boot, tell, Worker } from "../arbiter/worker.ts";
import type { Hooks, WorkerInfo } from "../config/hooks.ts";
import type { Settings } from "../config/settings.ts";
import type { Application } from "../esgi/application.ts";
import { EventBus } from "../observe/events.ts";
import { type Parent, urlOf } from "../runtime/port.ts";
import { applyTitle } from "./environment.ts";
import { dropPrivileges } from "./identity.ts";
import { explain, failureText } from "./failure.ts";
import { callHook } from "../arbiter/hooks.ts";
import { observeRequests } from "./hooks.ts";
import { readListenOptions } from "./listen.ts";
import { type Logs, openLogs } from "./logs.ts";
import { possibleConnections } from "./open_files.ts";
import { type Context, prepare, type RunningServer } from "./run.ts";
import { obeySignals } from "./signals.ts";

/** What a command has its workers do, in this order. */
export interface WorkerTasks {
  /** The hooks, which no message can carry. */
  loadHooks(boot: Boot): Promise<Partial<Hooks>>;
  /** Default: the logs that the settings name. */
  openLogs?(settings: Settings, events: EventBus): Logs;
  /** The application. Privileges have been dropped. */
  load(boot: Boot): Promise<Application>;
  /** It accepts. */
  ready?(): void;
  /** It accepts no more, and finishes what it has. */
  draining?(): void;
}

/**
 * Serves as a worker until the master ends it. Does not return when the worker cannot boot: it tells the master, and exits
 * with the code that says why.
 */
export async function work(parent: Parent, context: Context, tasks: WorkerTasks): Promise<RunningServer> {
  const { host, runtime } = context;
  const born = performance.now();
  let started = false;
  // Who has nothing to serve yet has nothing to finish. The master may say so before it says with what to start.
  const giveUp = (): void => {
    if (!started) host.exit(0);
  };
  parent.onDisconnect(giveUp);
  parent.onMessage((message) => {
    if (["drain", "quit"].includes((message as ToWorker).type)) giveUp();
  });
  const boot = await awaitBoot(parent);
  const events = new EventBus();
  let logged = false;
  const info = (): WorkerInfo => ({
    id: boot.id,
    pid: host.pid,
    age: (performance.now() - born) / 1000,
  });
  try {
    const settings: Settings = { ...boot.settings, ...await tasks.loadHooks(boot) };
    prepare(settings, context);
    const logs = tasks.openLogs?.(settings, events) ?? openLogs(settings, events, host);
    logged = true;
    const notice = (message: string): void => events.emit("notice", { level: "info", message });
    // The key may be readable for the master's user only.
    const listenOptions = readListenOptions(settings, host);
    applyTitle("worker", settings.proc_name, context.control);
    dropPrivileges(settings, context.control);
    await callHook(events, settings, "post_fork", info());
    notice(`Booting worker with pid: ${host.pid}`);
    const application = await tasks.load(boot);
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    observeRequests(events, settings, info);
    const { worker_connections } = possibleConnections(settings, host);
    const worker = new Worker({
      // The master has warned if it is less than was asked for.
      boot: { ...boot, settings: { ...boot.settings, worker_connections } },
      application,
      runtime,
      events,
      parent,
      usage: host.usage,
      listenOptions,
      watchdog: settings.timeout === 0 ? null : await context.startWatchdog({
        timeout: settings.timeout * 1000,
        report: parent.reportTo,
        onProblem: (message) => events.emit("notice", { level: "warning", message }),
      }),
      reopenLogs: () => logs.reopen(),
      draining: () => tasks.draining?.(),
      exit: (code) => {
        void callHook(events, settings, "worker_exit", info()).then(() => {
          notice(`Worker exiting (pid: ${host.pid})`);
          logs.close();
          finish();
          host.exit(code);
        });
      },
    });
    const interrupted = (signal: string): void => {
      if (signal !== "SIGTERM") void callHook(events, settings, "worker_int", info());
    };
    obeySignals(host, "worker", {
      drain: async () => {
        worker.drainUntold();
        await finished;
      },
      close: () => {
        worker.quitUntold();
        return finished;
      },
      reopenLogs: () => logs.reopen(),
      notice,
      uncaught: (error) =>
        events.emit("fault", { error, message: "Uncaught error outside of a request", environ: null }),
      actions: {
        drain: interrupted,
        quit: interrupted,
        abort: () => void callHook(events, settings, "worker_abort", info()).then(() => worker.quit(1)),
      },
    });
    started = true;
    await worker.start();
    tasks.ready?.();
    await callHook(events, settings, "post_worker_init", info());
    return {
      urls: boot.binds.map((bind) => urlOf(bind, settings.certfile !== null)),
      finished,
      drain: async () => {
        worker.drainUntold();
        await finished;
      },
      close: () => worker.quitUntold(),
    };
  } catch (error) {
    const failure = explain(error);
    const text = failureText(failure);
    if (logged) events.emit("notice", { level: "error", message: text.trimEnd() });
    else host.stderr(`tricorn: ${text}`);
    const { code, message, detail } = failure;
    await tell(parent, { type: "failed", code, message, detail });
    return host.exit(code);
  }
}
