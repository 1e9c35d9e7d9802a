// The sending half: a response head from an application's words to bytes, and the framing of its body (RFC 9112 §6.3). A
// head that breaks a rule is an error in the application's call; CR and LF never get as far as a string that is sent.

import { REASONS, type RefusalStatus } from "./errors.ts";
import type { Field } from "./names.ts";

/** What a checked head means for the connection; filled by {@link readHead}. */
export interface ResponseHead {
  /** The status code: 101, 103 (for early hints), or 200 to 599. */
  status: number;
  /** The status line and the fields, each with its CRLF; without Date, framing and Connection, which are the server's. */
  headText: string;
  /** The Content-Length that the application declared, or -1. */
  declaredLength: number;
  /** The application asked for `Connection: close`. */
  wantsClose: boolean;
  hasDate: boolean;
}

const PLAIN = 1;
const LENGTH = 2;
const CONNECTION = 3;
const DATE = 4;
const UPGRADE = 5;
const DROPPED = 6;

const KINDS: ReadonlyMap<string, number> = new Map([
  ["content-length", LENGTH],
  ["connection", CONNECTION],
  ["date", DATE],
  ["upgrade", UPGRADE],
  // Hop-by-hop: they tell of this connection, of which the application knows nothing (PEP 3333, RFC 9110 §7.6.1).
  ["transfer-encoding", DROPPED],
  ["keep-alive", DROPPED],
  ["proxy-connection", DROPPED],
  ["te", DROPPED],
  ["trailer", DROPPED],
]);

// Of 1xx only what an application may answer with: a client waits on after the others (RFC 9110 §15.2).
const STATUS = /^(?:10[13]|[2-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const TOKEN_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Everything but HTAB, visible ASCII, SP and obs-text (RFC 9110 §5.5).
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const MAX_CACHED = 512;
const MAX_REMEMBERED = 64;
const statusLines = new Map<string, StatusLine>();

interface StatusLine {
  readonly code: number;
  readonly text: string;
}
/** What is known of a name: its kind, and the last line written with it, since most applications repeat themselves. */
interface KnownName {
  readonly kind: number;
  value: string;
  line: string;
}
const knownNames = new Map<string, KnownName>();

function statusLine(status: string): StatusLine {
  if (typeof status !== "string" || !STATUS.test(status)) {
    throw new TypeError(`startResponse: status must be like "200 OK" (RFC 9112 §4), not ${quote(status)}`);
  }
  // RFC 9112 §4: the space stands there even when the reason phrase is empty.
  const text = `HTTP/1.1 ${status.length === 3 ? `${status} ` : status}\r\n`;
  const line = { code: Number(status.slice(0, 3)), text };
  if (statusLines.size < MAX_CACHED) statusLines.set(status, line);
  return line;
}

function learnName(name: string): KnownName {
  if (typeof name !== "string" || !TOKEN_NAME.test(name)) {
    throw new TypeError(`startResponse: ${quote(name)} is no field name (RFC 9110 §5.1)`);
  }
  const known = { kind: KINDS.get(name.toLowerCase()) ?? PLAIN, value: "", line: `${name}: \r\n` };
  if (knownNames.size < MAX_CACHED) knownNames.set(name, known);
  return known;
}

/** @throws {TypeError} when status or fields are malformed; nothing of `head` is to be used then. */
export function readHead(status: string, fields: readonly Field[], head: ResponseHead): void {
  const line = statusLines.get(status) ?? statusLine(status);
  const code = line.code;
  let text = line.text;
  let length = -1;
  head.wantsClose = false;
  head.hasDate = false;
  if (!Array.isArray(fields)) throw new TypeError("startResponse: headers must be an array of [name, value] pairs");
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    if (!Array.isArray(field) || field.length !== 2) {
      throw new TypeError(`startResponse: headers[${i}] must be a [name, value] pair`);
    }
    const name = field[0];
    const value = field[1];
    const known = knownNames.get(name) ?? learnName(name);
    let line = known.line;
    if (value !== known.value) {
      if (typeof value !== "string" || BAD_VALUE.test(value)) {
        throw new TypeError(
          `startResponse: the value of ${name} must be a string without controls (RFC 9110 §5.5): ${quote(value)}`,
        );
      }
      line = `${name}: ${value}\r\n`;
      if (value.length <= MAX_REMEMBERED) {
        known.line = line;
        known.value = value;
      }
    }
    switch (known.kind) {
      case LENGTH:
        if (!/^\d{1,15}$/.test(value)) throw new TypeError(`startResponse: malformed Content-Length ${quote(value)}`);
        if (length >= 0 && length !== Number(value)) {
          throw new TypeError("startResponse: two different Content-Length fields");
        }
        length = Number(value);
        continue;
      case CONNECTION:
        if (/(?:^|[\s,])close(?:$|[\s,])/i.test(value)) head.wantsClose = true;
        continue;
      case UPGRADE:
        // RFC 9110 §15.5.22: 426 must say which protocol, and RFC 9110 §7.8 that this is of the connection.
        if (code === 426) line += "Connection: Upgrade\r\n";
        else if (code !== 101) continue;
        break;
      case DROPPED:
        continue;
      case DATE:
        head.hasDate = true;
        break;
    }
    text += line;
  }
  head.status = code;
  head.headText = text;
  head.declaredLength = length;
}

function quote(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : typeof value;
}

/** How a response's body is delimited (RFC 9112 §6.3). */
export type Framing =
  | typeof NO_BODY
  | typeof BY_LENGTH
  | typeof CHUNKED
  | typeof UNTIL_CLOSE
  | typeof BY_PROTOCOL;
export const NO_BODY = 0;
export const BY_LENGTH = 1;
export const CHUNKED = 2;
export const UNTIL_CLOSE = 3;
/** The protocol around it tells where it ends; not in HTTP. */
export const BY_PROTOCOL = 4;

/** True for a status whose response has no content, whatever the application returned (RFC 9110 §6.4.1, §15.3.6). */
export function isBodyless(status: number): boolean {
  return status === 204 || status === 304 || status === 205 || status < 200;
}

/** The whole answer of a server that refuses a request itself. Its text is ASCII, whatever `reason` quotes. */
export function refusal(status: RefusalStatus, reason: string, date: string): string {
  const phrase = REASONS[status];
  const text = reason.replaceAll("§", "section ").replace(/[^\x20-\x7e]/g, "?");
  const body = `${status} ${phrase}: ${text}\n`;
  const allow = status === 405 ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n" : "";
  const retry = status === 503 ? "Retry-After: 1\r\n" : "";
  return `HTTP/1.1 ${status} ${phrase}\r\n${date}${allow}${retry}Content-Type: text/plain\r\n` +
    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
}
