// The process of a master: binds, starts the workers (src/arbiter/master.ts), logs, and obeys the signals.

import type { Launch } from "../arbiter/launch.ts";
import { Master } from "../arbiter/master.ts";
import { parseBind } from "../config/bind.ts";
import type { Settings } from "../config/settings.ts";
import { EventBus } from "../observe/events.ts";
import { type Bind, ListenError, type SharedSocket, type Supervisor } from "../runtime/port.ts";
import { BindError, explainListenError } from "./listen.ts";
import { openLogs } from "./logs.ts";
import type { Context, RunningServer } from "./run.ts";
import { obeySignals } from "./signals.ts";
import { VERSION } from "./version.ts";

/** What a master starts its workers with. */
export interface Configuration {
  readonly settings: Settings;
  /** Goes to the workers as it is. */
  readonly extra: unknown;
}

export interface MasterConfiguration extends Configuration {
  /** Reads the configuration again, for a reload. @throws {ConfigError} */
  readonly reconfigure: () => Promise<Configuration>;
}

/** How often an address that is in use is tried, a second apart: its last owner may be about to leave. As Gunicorn. */
const TRIES = 5;

/** Starts the pool; resolves when its first worker serves. Ends the process when none can. */
export async function supervise(configuration: MasterConfiguration, context: Context): Promise<RunningServer> {
  const { host, runtime } = context;
  const { settings } = configuration;
  const events = new EventBus();
  const logs = openLogs(settings, events, host);
  const notice = (message: string): void => events.emit("notice", { level: "info", message });
  const supervisor = await context.supervisor();
  let serving!: () => void;
  const served = new Promise<void>((resolve) => {
    serving = resolve;
  });
  const master = new Master({
    launch: launchOf(configuration, context),
    relaunch: async () => launchOf(await configuration.reconfigure(), context),
    supervisor: patient(supervisor, notice),
    events,
    pid: host.pid,
    every: (milliseconds, callback) => runtime.every(milliseconds, callback),
    inherited: inheritedSockets(supervisor, context),
    onServing: () => {
      for (const url of master.urls) notice(`Listening at: ${url}`);
      serving();
    },
  });
  notice(`Starting tricorn ${VERSION} on ${runtime.name} ${runtime.version}`);
  let exitCode = 0;
  const finished = master.finished.then((code) => {
    exitCode = code;
    forget();
    notice("Shutting down");
    logs.close();
    // Nobody waits for a signal: the workers have ended by themselves.
    if (code !== 0) host.exit(code);
  });
  const reload = (): void => {
    logs.reopen();
    void master.reload();
  };
  const resize = (by: number): void => {
    if (master.state.target + by >= 1) master.resize(master.state.target + by);
  };
  const forget = settings.handle_signals
    ? obeySignals(host, "master", {
      drain: () => {
        master.stop(true);
        return finished;
      },
      close: () => {
        master.stop(false);
        return finished;
      },
      reopenLogs: () => {
        logs.reopen();
        master.reopen();
      },
      notice,
      uncaught: (error) => events.emit("fault", { error, message: "Uncaught error in the master", environ: null }),
      exitCode: () => exitCode,
      actions: {
        reload,
        grow: () => resize(1),
        shrink: () => resize(-1),
        upgrade: () => void master.upgrade({}),
        idle: () => settings.daemon ? master.resize(0) : undefined,
      },
    })
    : () => {};
  try {
    await master.start();
  } catch (error) {
    forget();
    logs.close();
    if (error instanceof ListenError) throw new BindError(explainListenError(error));
    throw error;
  }
  await Promise.race([served, finished]);
  return {
    get urls(): readonly string[] {
      return master.urls;
    },
    finished,
    drain: () => {
      master.stop(true);
      return finished;
    },
    close: () => master.stop(false),
  };
}

function launchOf({ settings, extra }: Configuration, { host }: Context): Launch {
  return { settings, extra, binds: settings.bind.map(parseBind), env: {}, cores: host.availableCores() };
}

/** Tries an address that is in use again, while its last owner may be leaving. */
function patient(supervisor: Supervisor, notice: (message: string) => void): Supervisor {
  const bind: Supervisor["bind"] = async (address, options) => {
    for (let attempt = 1;; attempt++) {
      try {
        return await supervisor.bind(address, options);
      } catch (error) {
        if (attempt === TRIES || !(error instanceof ListenError) || error.fault !== "EADDRINUSE") throw error;
        notice(`${error.message}; trying again in 1 second`);
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  };
  return { ...supervisor, bind };
}

/** The sockets of the master before this one (SIGUSR2). */
function inheritedSockets(supervisor: Supervisor, { host }: Context): ReadonlyMap<string, SharedSocket> {
  const text = host.env.TRICORN_SOCKETS;
  if (text === undefined) return new Map();
  const told = JSON.parse(text) as readonly { readonly key: string; readonly bind: Bind }[];
  return new Map(told.map(({ key, bind }, index) => [key, supervisor.adopt(bind, supervisor.firstSocket + index)]));
}
