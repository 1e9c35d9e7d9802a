// The log of a development server: a line for each request, in colour and in columns, with what went wrong beneath it. It
// takes the place of both the error log and the access log (src/observe), whose lines are made for machines.

import type { Environ } from "../esgi/environ.ts";
import type { EventBus } from "../observe/events.ts";
import { describeError, escapeBlock, escapeLine, type TextSink } from "../observe/text.ts";
import { OWN_PREFIX } from "./refresh.ts";
import { explainRefusal } from "./sentences.ts";

export interface RequestLogOptions {
  /** Whether the sink is a terminal that shows colours. */
  readonly colour: boolean;
  /** Where the server is reached, as its banner says; for advice. */
  readonly url: string;
  /** The time in milliseconds; for tests. */
  readonly now?: () => number;
}

/** Characters of a target that are shown: whole in all but absurd cases. */
const MAX_TARGET = 1000;

const DIM = "2";
const GREEN = "32";
const YELLOW = "33";
const CYAN = "36";
const RED = "1;31";

/**
 * Writes requests, faults, refusals, and notices from "warning" on to `sink`; returns what ends that.
 *
 * The columns are time, method, status, duration, size and target: what has a fixed width comes first, so that the rest
 * needs no cut. Requests of the development server's own, below `/__tricorn__/`, are left out.
 */
export function logRequests(events: EventBus, sink: TextSink, options: RequestLogOptions): () => void {
  const now = options.now ?? Date.now;
  const paint = (code: string, text: string): string => options.colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  const write = (text: string): void => {
    try {
      sink.write(text);
    } catch {
      // A log that cannot be written must not harm the server, and there is nowhere left to say it.
    }
  };
  const time = (): string => paint(DIM, clock(now()));
  /** `method` to `size` are columns, and are given without colour. */
  const line = (method: string, code: string, status: string, duration: string, size: string, rest: string): string =>
    `${time()} ${escapeLine(method).padEnd(6)} ${paint(code, status)} ${
      paint(DIM, `${duration.padStart(7)} ${size.padStart(7)}`)
    }  ${rest}\n`;

  // A fault is told before the request that it ends, and belongs beneath that one's line.
  const faults = new Map<Environ, string[]>();
  const tellLater = (environ: Environ, text: string): void => {
    const before = faults.get(environ);
    if (before !== undefined) {
      before.push(text);
      return;
    }
    faults.set(environ, [text]);
    // Unless the request goes on, or has ended before.
    setTimeout(() => {
      const texts = faults.get(environ);
      if (texts === undefined) return;
      faults.delete(environ);
      write(`${time()} ${paint(RED, escapeLine(`${environ.REQUEST_METHOD} ${targetOf(environ)}`))}\n${texts.join("")}`);
    });
  };

  const ends = [
    events.on("fault", ({ error, message, environ }) => {
      const detail = error === null ? "" : `\n${describeError(error)}`;
      const text = escapeBlock(`${message}${detail}`, "  ");
      if (environ === null) write(`${time()} ${paint(RED, text)}\n`);
      else tellLater(environ, `  ${paint(RED, text)}\n`);
    }),
    events.on("request", ({ environ, status, bytes, duration, aborted }) => {
      const texts = faults.get(environ);
      faults.delete(environ);
      if (texts === undefined && environ["esgi.target"].startsWith(OWN_PREFIX)) return;
      let rest = escapeLine(targetOf(environ));
      // A response that its application has broken off is cut off, too, so that its client sees that.
      if (aborted) rest += `  ${paint(YELLOW, texts === undefined ? "client left" : "broken off")}`;
      const shown = status === 0 ? "---" : String(status);
      const text = line(environ.REQUEST_METHOD, colourOf(status), shown, formatTime(duration), formatSize(bytes), rest);
      write(text + (texts ?? []).join(""));
    }),
    events.on("refused", (event) => {
      const sentence = explainRefusal(event, options.url) ?? `refused: ${escapeLine(event.reason)}`;
      write(line("", YELLOW, event.status === 0 ? "---" : String(event.status), "", "", paint(YELLOW, sentence)));
    }),
    events.on("notice", ({ level, message }) => {
      if (level === "debug" || level === "info") return;
      write(`${time()} ${paint(level === "warning" ? YELLOW : RED, escapeBlock(message, "  "))}\n`);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function targetOf(environ: Environ): string {
  const target = environ["esgi.target"];
  return target.length > MAX_TARGET ? `${target.slice(0, MAX_TARGET)}…` : target;
}

/** By the status' class, as Django has it. */
function colourOf(status: number): string {
  if (status === 0) return YELLOW;
  return status < 300 ? GREEN : status < 400 ? CYAN : status < 500 ? YELLOW : RED;
}

function clock(milliseconds: number): string {
  const date = new Date(milliseconds);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** At most seven characters: `0.4 ms`, `123 ms`, `12.3 s`, `12 min`. */
function formatTime(milliseconds: number): string {
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 999.5) return `${milliseconds.toFixed(0)} ms`;
  const seconds = milliseconds / 1000;
  return seconds < 99.95 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(0)} min`;
}

/** At most seven characters: `512 B`, `1.5 kB`, `123 MB`; of 1000 bytes each, as browsers' tools count. */
function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let size = bytes;
  let unit = "B";
  for (const next of ["kB", "MB", "GB"]) {
    if (size < 999.5) break;
    size /= 1000;
    unit = next;
  }
  return `${size < 9.95 ? size.toFixed(1) : size.toFixed(0)} ${unit}`;
}
