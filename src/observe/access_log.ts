// The access log: a line for each response, in Gunicorn's format language or as JSON. The format is compiled once; a
// request then costs some string concatenation and no parsing.

import type { EventBus, Events } from "./events.ts";
import { clfTimestamp } from "./log.ts";
import { escapeQuoted, type TextSink } from "./text.ts";

type Request = Events["request"];
type Atom = (event: Request) => string;

/** An access_log_format that cannot be compiled; the message is one line and says what to write. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

/** Writes a line to `sink` for each request on the bus; returns what ends that. */
export function attachAccessLog(events: EventBus, sink: TextSink, line: (event: Request) => string): () => void {
  return events.on("request", (event) => sink.write(line(event)));
}

/**
 * Compiles Gunicorn's `%(atom)s` and `%%`, or the word `json`, to a function that makes a line with its line end.
 *
 * @throws {FormatError} for an atom that does not exist, and for a `%` that starts none.
 */
export function compileAccessLog(
  format: string,
  pid: number,
  now: () => number = Date.now,
): (event: Request) => string {
  if (format === "json") return (event) => jsonLine(event, pid, now());
  const atoms = makeAtoms(pid, now);
  const parts: (string | Atom)[] = [];
  let text = "";
  for (let index = 0; index < format.length;) {
    const percent = format.indexOf("%", index);
    if (percent < 0) {
      text += format.slice(index);
      break;
    }
    text += format.slice(index, percent);
    if (format[percent + 1] === "%") {
      text += "%";
      index = percent + 2;
      continue;
    }
    const match = /^%\(([^()]*)\)s/.exec(format.slice(percent));
    if (match === null) {
      const shown = JSON.stringify(format.slice(percent, percent + 12));
      throw new FormatError(
        `access_log_format: ${shown} is no atom; write %(h)s, %({name}i)s, or %% for a percent sign`,
      );
    }
    const atom = findAtom(match[1]!, atoms);
    if (atom === null) {
      throw new FormatError(
        `access_log_format: there is no atom ${JSON.stringify(match[0].slice(0, 40))}; there are ` +
          `${[...atoms.keys()].join(" ")}, {name}i, {name}o and {name}e`,
      );
    }
    if (text !== "") parts.push(text);
    text = "";
    parts.push(atom);
    index = percent + match[0].length;
  }
  parts.push(`${text}\n`);
  return (event) => {
    let line = "";
    for (const part of parts) line += typeof part === "string" ? part : part(event);
    return line;
  };
}

/** What a value looks like in a line; every text that comes from outside goes through here. */
function safe(value: string | undefined): string {
  return value === undefined || value === "" ? "-" : escapeQuoted(value);
}

function makeAtoms(pid: number, now: () => number): ReadonlyMap<string, Atom> {
  // Requests come in crowds; the second they share is formatted once.
  let second = -1;
  let stamp = "";
  const time = (): string => {
    const milliseconds = now();
    const current = Math.floor(milliseconds / 1000);
    if (current !== second) {
      second = current;
      stamp = `[${clfTimestamp(milliseconds)}]`;
    }
    return stamp;
  };
  return new Map<string, Atom>([
    ["h", ({ environ }) => safe(environ.REMOTE_ADDR)],
    ["l", () => "-"],
    ["u", ({ environ }) => safe(userOf(environ.HTTP_AUTHORIZATION))],
    ["t", time],
    [
      "r",
      ({ environ }) =>
        `${safe(environ.REQUEST_METHOD)} ${safe(environ["esgi.target"])} ${safe(environ.SERVER_PROTOCOL)}`,
    ],
    ["m", ({ environ }) => safe(environ.REQUEST_METHOD)],
    ["U", ({ environ }) => safe(environ.PATH_INFO)],
    ["q", ({ environ }) => safe(environ.QUERY_STRING)],
    ["H", ({ environ }) => safe(environ.SERVER_PROTOCOL)],
    ["s", ({ status }) => String(status)],
    ["B", ({ bytes }) => String(bytes)],
    ["b", ({ bytes }) => bytes === 0 ? "-" : String(bytes)],
    ["f", ({ environ }) => safe(environ.HTTP_REFERER)],
    ["a", ({ environ }) => safe(environ.HTTP_USER_AGENT)],
    ["T", ({ duration }) => String(Math.floor(duration / 1000))],
    ["M", ({ duration }) => String(Math.floor(duration))],
    ["D", ({ duration }) => String(Math.floor(duration * 1000))],
    ["L", ({ duration }) => (duration / 1000).toFixed(6)],
    ["p", () => `<${pid}>`],
  ]);
}

function findAtom(name: string, atoms: ReadonlyMap<string, Atom>): Atom | null {
  const known = atoms.get(name);
  if (known !== undefined) return known;
  const match = /^\{([^{}]+)\}([ioe])$/.exec(name);
  if (match === null) return null;
  const [, key = "", kind] = match;
  if (kind === "e") {
    return ({ environ }) => {
      const value = environ[key as `${string}.${string}`];
      return typeof value === "object" || typeof value === "function" || value === undefined
        ? "-"
        : safe(String(value));
    };
  }
  const lower = key.toLowerCase();
  return kind === "i"
    ? ({ environ }) => safe(field(environ["esgi.headers"], lower))
    : ({ responseHeaders }) => safe(field(responseHeaders, lower));
}

/** The value of a field; of a repeated one, all of them. */
function field(headers: Request["responseHeaders"], name: string): string | undefined {
  let found: string | undefined;
  for (const [one, value] of headers) {
    if (one.length === name.length && one.toLowerCase() === name) {
      found = found === undefined ? value : `${found}, ${value}`;
    }
  }
  return found;
}

/** The user of Basic credentials (RFC 7617 §2), as the client says; nobody has checked it. */
function userOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  const match = /^basic +([A-Za-z0-9+/=]+)$/i.exec(authorization);
  if (match === null) return undefined;
  try {
    const bytes = Uint8Array.from(atob(match[1]!), (character) => character.charCodeAt(0));
    const pair = new TextDecoder().decode(bytes);
    const colon = pair.indexOf(":");
    return colon < 0 ? undefined : pair.slice(0, colon);
  } catch {
    return undefined;
  }
}

// What JSON may hold as it is, and a terminal or a reader of lines should not see (observe/text.ts).
const UNSAFE_IN_JSON = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const ALL_UNSAFE_IN_JSON = new RegExp(UNSAFE_IN_JSON.source, "g");

function jsonLine({ environ, status, bytes, duration, aborted }: Request, pid: number, now: number): string {
  const line = JSON.stringify({
    time: new Date(now).toISOString(),
    pid,
    remote_addr: environ.REMOTE_ADDR || null,
    user: userOf(environ.HTTP_AUTHORIZATION) ?? null,
    scheme: environ["esgi.url_scheme"],
    host: environ.HTTP_HOST ?? null,
    method: environ.REQUEST_METHOD,
    target: environ["esgi.target"],
    protocol: environ.SERVER_PROTOCOL,
    status,
    bytes,
    duration_ms: Math.round(duration * 1000) / 1000,
    aborted,
    referer: environ.HTTP_REFERER ?? null,
    user_agent: environ.HTTP_USER_AGENT ?? null,
  });
  if (!UNSAFE_IN_JSON.test(line)) return `${line}\n`;
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${line.replace(ALL_UNSAFE_IN_JSON, escape)}\n`;
}
