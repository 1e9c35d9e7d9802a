// The process of a master: binds, starts the workers (src/arbiter/master.ts), logs, and obeys the signals.

import type { Launch } from "../arbiter/launch.ts";
import { openControl } from "../arbiter/control.ts";
import { Master } from "../arbiter/master.ts";
import { ConfigError, quote } from "../config/error.ts";
import { parseBind } from "../config/bind.ts";
import type { SettingName, Settings } from "../config/settings.ts";
import { EventBus } from "../observe/events.ts";
import { type Bind, ListenError, type LocalListener, type SharedSocket, type Supervisor } from "../runtime/port.ts";
import { type Admin, type AdminStatus, startAdmin } from "./admin.ts";
import { controlTarget } from "./control_target.ts";
import { attempt, reasonOf } from "./attempt.ts";
import { splitPair } from "./environment.ts";
import { checkIdentity, resolveIdentity } from "./identity.ts";
import { BindError, checkReusePort, explainListenError, readListenOptions } from "./listen.ts";
import { openLogs } from "./logs.ts";
import { possibleConnections } from "./open_files.ts";
import type { Context, RunningServer } from "./run.ts";
import { inheritedSockets, Service } from "./service.ts";
import { obeySignals } from "./signals.ts";
import { VERSION } from "./version.ts";
import { watchFiles } from "./watch_files.ts";

/** What a master starts its workers with. */
export interface PoolConfiguration {
  readonly settings: Settings;
  readonly origins: Readonly<Record<SettingName, string>>;
  /** The configuration file, or null. */
  readonly file: string | null;
  /** Goes to the workers as it is. */
  readonly extra: unknown;
}

export interface MasterConfiguration extends PoolConfiguration {
  /** Reads the configuration again, for a reload. @throws {ConfigError} */
  readonly reconfigure: () => Promise<PoolConfiguration>;
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
  // Said before anything is bound, not by each worker that cannot boot.
  readListenOptions(settings, host);
  checkReusePort(settings, runtime);
  checkIdentity(settings, context.control);
  const identity = resolveIdentity(settings, context.control);
  if (
    identity !== null && settings.reuse_port &&
    settings.bind.some((text) => isPrivileged(parseBind(text)))
  ) {
    throw new ConfigError("reuse_port: workers that are another user cannot bind ports below 1024; leave it out");
  }
  const service = new Service("master", settings, context, events, () => void stop(false));
  let serving!: () => void;
  const served = new Promise<void>((resolve) => {
    serving = resolve;
  });
  /** What each launch was made of: reloads may overlap, and the master says which one is in force. */
  const made = new WeakMap<Launch, PoolConfiguration>();
  const launch = (from: PoolConfiguration): Launch => {
    const launch = launchOf(from, service, context);
    made.set(launch, from);
    return launch;
  };
  const current = (): PoolConfiguration => made.get(master.launch)!;
  const master = new Master({
    launch: launch(configuration),
    relaunch: async () => launch(await configuration.reconfigure()),
    onReloading: () => service.reloading(),
    onReloaded: (error) => {
      if (error === null) void watch();
      service.serving(error === null ? serves() : `${serves()}; the last reload failed: ${error}`);
    },
    onStopping: () => {
      if (!leaving) service.stopping();
    },
    supervisor: patient(supervisor, notice),
    events,
    pid: host.pid,
    every: (milliseconds, callback) => runtime.every(milliseconds, callback),
    inherited: await adoptSockets(supervisor, context),
    onServing: () => {
      for (const url of master.urls) notice(`Listening at: ${url}`);
      everServed = true;
      service.serving(serves());
      serving();
    },
    // Not before: the former master's workers go, and these have to carry all of the load. Nor is its control socket taken
    // before, since it goes on when this one fails.
    onFull: () => {
      if (context.formerMaster !== null) void control().then(() => context.formerMaster?.send({ type: "serving" }));
    },
    onReplaced: async (pid) => {
      leaving = true;
      open.admin?.close();
      open.admin = null;
      await service.handOver(pid);
    },
  });
  let exitCode = 0;
  let everServed = false;
  /** The process ends with the pool, though no signal came. */
  let leaving = false;
  /** What else is open; the admin address is given up before the end when another master takes over. */
  const open: { admin: Admin | null; control: LocalListener | null } = { admin: null, control: null };
  const finished = master.finished.then(async (code) => {
    exitCode = code;
    forget();
    notice("Shutting down");
    open.control?.close();
    open.admin?.close();
    unwatch();
    service.leave();
    logs.close();
    if (context.launcher !== null && !everServed) {
      await service.failed(code, "tricorn: no worker can boot; the error log says why\n");
    }
    if (code !== 0 || leaving) host.exit(code);
  });
  const stop = (graceful: boolean): Promise<void> => {
    master.stop(graceful);
    return finished;
  };
  const reopen = (): void => {
    logs.reopen();
    own();
    master.reopen();
  };
  /** Gives the workers' user what they have to open again, and who connects has to reach: logs and unix sockets. */
  const own = (): void => {
    if (identity === null) return;
    const sockets = master.launch.binds.map((bind) => bind.kind === "unix" ? bind.path : null);
    for (const path of [settings.errorlog, settings.accesslog, ...sockets]) {
      if (path === null || path === "-") continue;
      attempt(
        `cannot give ${quote(path)} to the workers' user`,
        () => context.control.chown(host.resolve(path), identity.uid, identity.gid),
      );
    }
  };
  const serves = (): string => `${master.state.target} workers, listening at ${master.urls.join(", ")}`;
  let unwatch = (): void => {};
  /** A changed certificate is a reload, too: it is the way that loses nothing, and the same on all runtimes. */
  const watch = async (): Promise<void> => {
    unwatch();
    let stopped = false;
    unwatch = (): void => {
      stopped = true;
    };
    const { touch_reload, certfile, keyfile, ca_certs } = master.launch.settings;
    const paths = [touch_reload, certfile, keyfile, ca_certs].flatMap((path) =>
      path === null ? [] : host.resolve(path)
    );
    if (paths.length === 0) return;
    for (const path of paths) {
      await context.control.stamp(path).catch((error: unknown) => {
        const message = `Changes of ${quote(path)} are not seen: ${reasonOf(error)}`;
        events.emit("notice", { level: "warning", message });
      });
    }
    const system = {
      stamp: (path: string) => context.control.stamp(path),
      every: (milliseconds: number, callback: () => void) => runtime.every(milliseconds, callback),
    };
    const stop = await watchFiles(paths, (changed) => {
      notice(`Changed: ${changed.join(", ")}`);
      void reload();
    }, system);
    // The next reload may have been quicker than the first look at the files.
    if (stopped) stop();
    else unwatch = stop;
  };
  const upgrade = async (): Promise<void> => {
    const problem = host.pid === 1
      ? "this is process 1 of a container, whose end is the container's end; reload instead (SIGHUP)"
      : await master.upgrade({ WATCHDOG_PID: null });
    if (problem !== null) {
      events.emit("notice", { level: "error", message: `Upgrade failed, this master goes on: ${problem}` });
    }
  };
  const reload = (): Promise<string | null> => {
    logs.reopen();
    return master.reload();
  };
  /** Listens for `tricorn ctl`. */
  const control = async (): Promise<void> => {
    if (settings.control_socket_disable) return;
    const source = {
      ready: () => master.ready,
      configFile: () => current().file,
      origins: () => current().origins,
      reload,
      reopen,
      stop: (graceful: boolean) => {
        leaving = true;
        void stop(graceful);
      },
    };
    open.control = await openControl(host.sockets, controlTarget(master, source, context), {
      path: settings.control_socket,
      mode: settings.control_socket_mode,
      takeOver: context.formerMaster !== null,
      env: host.env,
      notice: (level, message) => events.emit("notice", { level, message }),
    });
    // The end may have come meanwhile.
    if (master.state.phase === "stopped") open.control?.close();
  };
  const forget = settings.handle_signals
    ? obeySignals(host, "master", {
      drain: () => stop(true),
      close: () => stop(false),
      reopenLogs: reopen,
      notice,
      uncaught: (error) => events.emit("fault", { error, message: "Uncaught error in the master", environ: null }),
      exitCode: () => exitCode,
      actions: {
        reload: () => void reload(),
        grow: () => void master.resizeBy(1),
        shrink: () => void master.resizeBy(-1),
        upgrade: () => void upgrade(),
        ...(settings.daemon ? { idle: () => master.resize(0) } : {}),
      },
    })
    : () => {};
  try {
    let probes: Promise<Admin> | null = null;
    if (settings.admin_bind !== null) {
      probes = listenForProbes(parseBind(settings.admin_bind), master, context).then((started) => open.admin = started);
      // A former master answers them until this one serves.
      if (context.formerMaster === null) await probes;
    }
    await master.bind();
    // Said only now, so that an address that cannot be had is the only line.
    notice(`Starting tricorn ${VERSION} on ${runtime.name} ${runtime.version}`);
    void probes?.then(({ url }) => notice(`Probes at: ${url}/livez and ${url}/readyz`));
    const { notice: limited } = possibleConnections(settings, host);
    if (limited !== null) events.emit("notice", limited);
    own();
    await master.start();
    await watch();
  } catch (error) {
    forget();
    open.admin?.close();
    service.leave();
    logs.close();
    if (error instanceof ListenError) throw new BindError(explainListenError(error));
    throw error;
  }
  if (context.formerMaster === null) await control();
  await Promise.race([served, finished]);
  return {
    get urls(): readonly string[] {
      return master.urls;
    },
    finished,
    drain: () => stop(true),
    close: () => void stop(false),
  };
}

/** Answers the probes, as soon as the former master, if there is one, has stopped doing so. */
async function listenForProbes(bind: Bind, master: Master, { runtime, formerMaster }: Context): Promise<Admin> {
  for (;;) {
    try {
      return await startAdmin(runtime, bind, () => statusOf(master));
    } catch (error) {
      if (formerMaster === null || !(error instanceof BindError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function isPrivileged(bind: Bind): boolean {
  return bind.kind === "tcp" && bind.port > 0 && bind.port < 1024;
}

/** What the probes are told. */
function statusOf(master: Master): AdminStatus {
  const { phase } = master.state;
  return { live: phase !== "stopped", ready: master.ready, reason: phase === "running" ? "no worker is ready" : phase };
}

function launchOf({ settings, extra }: PoolConfiguration, service: Service, { host }: Context): Launch {
  return {
    settings,
    extra,
    binds: service.binds(settings),
    env: Object.fromEntries(settings.raw_env.map(splitPair)),
    workers: settings.workers === "auto" ? host.availableCores() : settings.workers,
  };
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
async function adoptSockets(supervisor: Supervisor, context: Context): Promise<ReadonlyMap<string, SharedSocket>> {
  const told = inheritedSockets(context) ?? [];
  return new Map(
    await Promise.all(told.map(async ({ key, bind }, index) => [key, await supervisor.adopt(bind, index)] as const)),
  );
}
