// Feeds a RequestParser in pieces and writes down what it says, so that ways of feeding it can be compared. Needs no test
// runner: scripts/fuzz.ts uses it too.

import { DATA, END, HEAD, type Limits, NEED_DATA, REFUSED, RequestParser } from "../../src/http1/parser.ts";

export type Field = readonly [name: string, value: string];

/** A request's head as the parser tells it. */
export interface Head {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  readonly fields: readonly Field[];
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly keepAlive: boolean;
  readonly expectContinue: boolean;
  readonly upgrade: readonly string[] | null;
  readonly form: string;
  readonly authority: string | null;
}

/** One request, as far as it came. */
export interface Request extends Head {
  body: string;
  /** Null while the message is not complete. */
  trailers: readonly Field[] | null;
}

export interface Outcome {
  readonly requests: readonly Request[];
  readonly refused: { readonly status: number; readonly reason: string } | null;
}

export const LIMITS: Limits = { requestLine: 8190, fields: 100, fieldSize: 8190, head: 65_536, body: 2 ** 30 };

/** Each character is one byte. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export function latin1(data: Uint8Array, start = 0, end = data.length): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(data[i]!);
  return text;
}

export function newParser(limits: Limits = LIMITS): RequestParser {
  return new RequestParser(limits, latin1);
}

export function check(condition: boolean, rule: string): void {
  if (!condition) throw new Error(`not so: ${rule}`);
}

function headOf(parser: RequestParser): Request {
  const { method, target, minorVersion, fields, contentLength, chunked, keepAlive, expectContinue, upgrade } = parser;
  fields.forEach(([name], i) => check(parser.fieldNames[i]!.raw === name, "fieldNames go with fields"));
  const form = parser.parsedTarget?.form ?? "origin";
  const authority = parser.parsedTarget?.authority ?? null;
  return {
    ...{ method, target, minorVersion, fields, contentLength, chunked, keepAlive, expectContinue, upgrade },
    ...{ form, authority, body: "", trailers: null },
  };
}

/** More than this must never wait in a parser that has been asked to go on. */
export function mostBuffered(limits: Limits): number {
  // A line that is not complete: the request line and its version, a field, or a chunk's size and extensions.
  return Math.max(limits.requestLine + 74, limits.fieldSize + 1, 4097);
}

/** What a parser makes of `pieces`, one push each. With `reuse`, each piece is overwritten as soon as keep() allows it. */
export function parse(pieces: Iterable<Uint8Array>, limits: Limits = LIMITS, reuse = false): Outcome {
  const parser = newParser(limits);
  const requests: Request[] = [];
  let current: Request | null = null;
  for (const original of pieces) {
    const piece = reuse ? original.slice() : original;
    parser.push(piece);
    for (;;) {
      const event = parser.next();
      if (event === NEED_DATA) break;
      if (event === HEAD) {
        check(current === null, "a message ends before the next begins");
        requests.push(current = headOf(parser));
      } else if (event === DATA) {
        check(parser.data.length > 0, "data is never empty");
        current!.body += latin1(parser.data);
      } else if (event === END) {
        current!.trailers = parser.trailers;
        current = null;
      } else {
        check(event === REFUSED, "an event");
        const { status, message } = parser.error!;
        refusesForEver(parser);
        return { requests, refused: { status, reason: message } };
      }
    }
    check(parser.buffered <= mostBuffered(limits), "what waits in the parser is bounded");
    if (reuse) {
      parser.keep();
      piece.fill(0x2a);
    }
  }
  return { requests, refused: null };
}

function refusesForEver(parser: RequestParser): void {
  const error = parser.error;
  for (const more of ["", "\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"]) {
    parser.push(bytes(more));
    check(parser.next() === REFUSED && parser.error === error, "once refused, always refused");
    check(parser.buffered === 0 && !parser.idle, "a refused connection holds nothing and is not idle");
  }
}
