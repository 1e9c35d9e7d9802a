// What a table of requests is made of: rows are fed in every way, and all ways must agree.

import { expect } from "vitest";
import type { Limits } from "../../src/http1/parser.ts";
import { bytes, LIMITS, type Outcome, parse, type Request } from "./feed.ts";

export { bytes, type Field, latin1, LIMITS, newParser, type Outcome, parse, type Request } from "./feed.ts";

// expect() is too slow to be asked each time.
function same(outcome: Outcome, expected: Outcome, how: string): void {
  if (JSON.stringify(outcome) !== JSON.stringify(expected)) expect(outcome, how).toEqual(expected);
}

function* ofSize(data: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

/** What a parser makes of `text`, which is the same whole, byte by byte, and split in two at every position. */
export function parseEveryWay(text: string, limits: Limits = LIMITS): Outcome {
  const data = bytes(text);
  const whole = parse([data], limits);
  same(parse(ofSize(data, 1), limits), whole, "byte by byte");
  same(parse(ofSize(data, 1), limits, true), whole, "byte by byte, each overwritten");
  // A long input is long by repetition: its ends are where something happens.
  for (let at = 1; at < data.length; at += at > 300 && at < data.length - 300 ? 97 : 1) {
    same(parse([data.subarray(0, at), data.subarray(at)], limits, at % 2 === 0), whole, `split at ${at}`);
  }
  return whole;
}

const GARBAGE = "\x02garbage\r\n\r\n";

/** `text` is complete requests; the last or only one is returned. What follows is another message, and is judged as one. */
export function accepted(text: string, limits: Limits = LIMITS): Request {
  const outcome = parseEveryWay(text, limits);
  expect(outcome.refused).toBe(null);
  const last = outcome.requests.at(-1);
  expect(last?.trailers, "the message is complete").toBeInstanceOf(Array);
  const garbage = { status: 400, reason: "malformed request line (RFC 9112 §3)" };
  same(parse([bytes(text + GARBAGE)], limits), { ...outcome, refused: garbage }, "followed by garbage");
  return last!;
}

/** `text` is refused when its last byte has come, if not before; what follows changes nothing. */
export function refused(text: string, limits: Limits = LIMITS): { status: number; reason: string } {
  const outcome = parseEveryWay(text, limits);
  expect(outcome.refused, "refused").not.toBe(null);
  for (const garbage of [GARBAGE, "\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"]) {
    same(parse([bytes(text + garbage)], limits), outcome, "followed by garbage");
  }
  return outcome.refused!;
}

/** `text` is neither complete nor refused. */
export function unfinished(text: string, limits: Limits = LIMITS): Request | null {
  const outcome = parseEveryWay(text, limits);
  expect(outcome.refused).toBe(null);
  const last = outcome.requests.at(-1) ?? null;
  if (last !== null) expect(last.trailers).toBe(null);
  return last;
}

// Requests for the tables.

export function request(line: string, ...fields: string[]): string {
  return [line, ...fields, "", ""].join("\r\n");
}

export function get(...fields: string[]): string {
  return request("GET / HTTP/1.1", "Host: a", ...fields);
}

export function post(body: string, ...fields: string[]): string {
  return request("POST / HTTP/1.1", "Host: a", ...fields) + body;
}

export function chunked(body: string): string {
  return post(body, "Transfer-Encoding: chunked");
}
