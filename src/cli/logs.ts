// The error log and the access log, opened as the settings say and fed by the events of one process.

import { ConfigError, quote } from "../config/error.ts";
import type { Settings } from "../config/settings.ts";
import { attachAccessLog, compileAccessLog, FormatError } from "../observe/access_log.ts";
import { BatchedSink } from "../observe/batch.ts";
import type { EventBus } from "../observe/events.ts";
import { attachErrorLog } from "../observe/log.ts";
import type { LogFile } from "../runtime/port.ts";
import { attempt, reasonOf } from "./attempt.ts";
import type { CommandHost } from "./host.ts";

export interface Logs {
  reopen(): void;
  /** Writes what is left. */
  close(): void;
}

/**
 * Opens the logs and subscribes them to `events`.
 *
 * @throws {ConfigError} when a file cannot be opened, or the format is wrong.
 */
export function openLogs(settings: Settings, events: EventBus, host: CommandHost): Logs {
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
    const line = compileFormat(settings.access_log_format, host.pid);
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

/** @throws {ConfigError} when the format is wrong. */
export function compileFormat(format: string, pid: number): ReturnType<typeof compileAccessLog> {
  try {
    return compileAccessLog(format, pid);
  } catch (error) {
    throw error instanceof FormatError ? new ConfigError(error.message) : error;
  }
}
