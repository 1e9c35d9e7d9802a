// The error log: what the operator should know, as lines like Gunicorn's:
// `[2026-11-22 12:00:00 +0000] [4711] [INFO] Listening at: http://127.0.0.1:8000`.

import type { EventBus, Events } from "./events.ts";
import { describeError, escapeBlock, escapeLine, type TextSink } from "./text.ts";

export type LogLevel = "debug" | "info" | "warning" | "error" | "critical";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error", "critical"];
const COLOURS: Readonly<Record<LogLevel, string>> = {
  debug: "\x1b[2m",
  info: "\x1b[32m",
  warning: "\x1b[33m",
  error: "\x1b[31m",
  critical: "\x1b[1;31m",
};

export interface ErrorLogOptions {
  /** The least important level that is written. */
  readonly level: LogLevel;
  readonly pid: number;
  readonly colour?: boolean;
  /** The time in milliseconds; for tests. */
  readonly now?: () => number;
}

/** Writes the bus's notices, refusals and faults to `sink`; returns what ends that. */
export function attachErrorLog(events: EventBus, sink: TextSink, options: ErrorLogOptions): () => void {
  const least = LEVELS.indexOf(options.level);
  const now = options.now ?? Date.now;
  const write = (level: LogLevel, message: string, detail = ""): void => {
    if (LEVELS.indexOf(level) < least) return;
    const name = `[${level.toUpperCase()}]`;
    const shown = options.colour ? `${COLOURS[level]}${name}\x1b[0m` : name;
    try {
      sink.write(`[${timestamp(now())}] [${options.pid}] ${shown} ${escapeBlock(message, "  ")}\n${detail}`);
    } catch {
      // A log that cannot be written must not harm the server, and there is nowhere left to say it.
    }
  };
  const ends = [
    events.on("notice", ({ level, message }) => write(level, message)),
    events.on("refused", ({ status, reason, remote }) => {
      const what = status === 0 ? reason : `${status} ${reason}`;
      // Deno forgets who a peer was whose handshake has failed.
      const whose = remote || (status === 0 ? "somebody" : "a unix socket");
      write("warning", `Refused request from ${escapeLine(whose)}: ${escapeLine(what)}`);
    }),
    events.on("fault", (event) => {
      // Null: nothing was thrown, and the line says it all.
      const detail = event.error === null ? "" : `  ${escapeBlock(describeError(event.error), "  ")}\n`;
      write("error", faultLine(event), detail);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function faultLine({ message, environ }: Events["fault"]): string {
  const line = escapeLine(message);
  if (environ === null) return line;
  return `${line} (${escapeLine(`${environ.REQUEST_METHOD} ${environ["esgi.target"]}`)})`;
}

/** `2026-11-22 12:00:00 +0000`, in local time. */
export function timestamp(milliseconds: number): string {
  const date = new Date(milliseconds);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(date)} ${zone(date)}`;
}

const MONTHS: readonly string[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `22/Nov/2026:12:00:00 +0000`, in local time: the Common Log Format's. */
export function clfTimestamp(milliseconds: number): string {
  const date = new Date(milliseconds);
  return `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}:${clock(date)} ${zone(date)}`;
}

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function zone(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const positive = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(positive / 60))}${two(positive % 60)}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
