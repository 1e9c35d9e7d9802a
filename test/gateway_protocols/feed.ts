// Feeds a reader in pieces and writes down what it says, so that ways of feeding it can be compared.

import { FastCgiReader } from "../../src/gateway_protocols/fastcgi.ts";
import {
  ABORTED,
  DATA,
  END,
  FAULT,
  type GatewayReader,
  NEED_DATA,
  type VariableLimits,
  VARIABLES,
} from "../../src/gateway_protocols/reader.ts";
import { ScgiReader } from "../../src/gateway_protocols/scgi.ts";
import { UwsgiReader } from "../../src/gateway_protocols/uwsgi.ts";
import { bytes, latin1 } from "../http1/feed.ts";
import type { Variables } from "./packets.ts";

export { bytes } from "../http1/feed.ts";

export const LIMITS: VariableLimits = { size: 65_536, count: 200 };

export type Name = "uwsgi" | "fastcgi" | "scgi";
export const NAMES: readonly Name[] = ["uwsgi", "fastcgi", "scgi"];

export function newReader(name: Name, limits: VariableLimits = LIMITS): GatewayReader {
  switch (name) {
    case "uwsgi":
      return new UwsgiReader(limits, latin1);
    case "scgi":
      return new ScgiReader(limits, latin1);
    case "fastcgi":
      return new FastCgiReader(limits, latin1, 1000);
  }
}

export interface Outcome {
  readonly requests: {
    readonly variables: Variables;
    readonly bodyLength: number;
    readonly keeps: boolean;
    body: string;
    state: "open" | "complete" | "aborted";
  }[];
  reply: string;
  fault: { readonly status: number; readonly reason: string } | null;
  idle: boolean;
}

/**
 * What a reader makes of `pieces`. With `reuse`, each piece is overwritten as soon as keep() allows it. With `answers`, a
 * FastCGI request is answered when it is complete or aborted.
 */
export function read(
  name: Name,
  pieces: Iterable<Uint8Array>,
  limits: VariableLimits = LIMITS,
  reuse = false,
  answers = false,
): Outcome {
  const reader = newReader(name, limits);
  const outcome: Outcome = { requests: [], reply: "", fault: null, idle: false };
  for (const original of pieces) {
    const piece = reuse ? original.slice() : original;
    reader.push(piece);
    for (let event = reader.next(); event !== NEED_DATA; event = reader.next()) {
      const current = outcome.requests.at(-1)!;
      if (event === VARIABLES) {
        const { variables, bodyLength, keepsConnection: keeps } = reader;
        outcome.requests.push({ variables, bodyLength, keeps, body: "", state: "open" });
      } else if (event === DATA) {
        if (reader.data.length === 0) throw new Error("data is never empty");
        current.body += latin1(reader.data);
      } else if (event === END || event === ABORTED) {
        if (current.state !== "open") throw new Error("a request ends once");
        current.state = event === END ? "complete" : "aborted";
        if (answers && reader instanceof FastCgiReader) reader.endRequest();
      } else if (event === FAULT) {
        const { status, message: reason } = reader.fault!;
        reader.push(bytes("more"));
        if (reader.next() !== FAULT || reader.buffered > 0) throw new Error("after a fault nothing is read or kept");
        outcome.reply += reader.reply;
        return { ...outcome, fault: { status, reason } };
      }
    }
    // A header, the names of a question (FastCGI), or the variables and what else came with them.
    if (reader.buffered > Math.max(limits.size, 1024) + 64) throw new Error("what waits in the reader is bounded");
    if (reuse) {
      reader.keep();
      piece.fill(0x2a);
    }
  }
  return { ...outcome, reply: reader.reply, idle: reader.idle };
}

function* ofSize(data: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

/** What a reader makes of `text`, which is the same whole, byte by byte, and split in two anywhere. */
export function readEveryWay(name: Name, text: string, limits: VariableLimits = LIMITS): Outcome {
  const data = bytes(text);
  const whole = read(name, [data], limits);
  const ways: [string, Outcome][] = [
    ["byte by byte", read(name, ofSize(data, 1), limits)],
    ["byte by byte, each overwritten", read(name, ofSize(data, 1), limits, true)],
  ];
  for (let at = 1; at < data.length; at += at > 300 && at < data.length - 300 ? 997 : 1) {
    ways.push([`split at ${at}`, read(name, [data.subarray(0, at), data.subarray(at)], limits, at % 2 === 0)]);
  }
  for (const [how, outcome] of ways) {
    if (JSON.stringify(outcome) !== JSON.stringify(whole)) {
      throw new Error(`${how}: ${JSON.stringify(outcome)}, but whole: ${JSON.stringify(whole)}`);
    }
  }
  return whole;
}
