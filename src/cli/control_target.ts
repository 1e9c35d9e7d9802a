// What `tricorn ctl` sees of a master, and what it may make it do.

import { type ControlTarget, type MasterStatus, type WorkerStatus, workerStatus } from "../arbiter/control.ts";
import type { Master } from "../arbiter/master.ts";
import { plain } from "../config/show.ts";
import type { SettingName } from "../config/settings.ts";
import type { Context } from "./run.ts";
import { VERSION } from "./version.ts";

/** What the master's process knows and the master does not. */
export interface ControlSource {
  readonly ready: () => boolean;
  readonly configFile: () => string | null;
  readonly origins: () => Readonly<Record<SettingName, string>>;
  readonly reload: () => Promise<string | null>;
  readonly reopen: () => void;
  readonly stop: (graceful: boolean) => void;
}

export function controlTarget(master: Master, source: ControlSource, { host, runtime }: Context): ControlTarget {
  const unknown = (pid: number): string => `there is no worker with pid ${pid}`;
  const workers = (): WorkerStatus[] => {
    const records = [...master.state.workers.values()];
    return records.map((record) => workerStatus(record, performance.now(), master.cpuPercent(record.id)));
  };
  return {
    status(): MasterStatus {
      const { state, launch } = master;
      const origins = source.origins();
      return {
        version: VERSION,
        runtime: `${runtime.name} ${runtime.version}`,
        pid: host.pid,
        startedAt: master.startedAt,
        phase: state.phase,
        ready: source.ready(),
        generation: state.generation,
        target: state.target,
        restarts: state.restarts,
        listeners: master.urls,
        configFile: source.configFile(),
        settings: Object.entries(launch.settings).map(([name, value]) => ({
          name,
          value: plain(name as SettingName, value),
          origin: origins[name as SettingName],
        })),
        workers: workers(),
        master: { rss: host.usage.rss(), cpu: host.usage.cpu() },
        lastReload: master.lastReload,
      };
    },
    reload: source.reload,
    resize: (by) => master.resizeBy(by),
    retire: (pid) => master.retire(pid, "asked for") ? null : unknown(pid),
    kill: (pid) => master.kill(pid) ? null : unknown(pid),
    reopen: source.reopen,
    shutdown: source.stop,
  };
}
