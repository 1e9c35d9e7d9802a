// A CGI program's environment and standard streams, for all three runtimes: what `node:process` means alike everywhere,
// and the bytes of the environment, which only the system tells.

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import type { CgiStreams, Connection, ConnectionHandler, Endpoint } from "../src/runtime/port.ts";

/** Neither end has an address: the web server tells of its client itself. */
const NOWHERE: Endpoint = { address: "", port: 0 };
/** Milliseconds: the longest that a timer can wait. */
const LONG = 2 ** 31 - 1;

export const cgiStreams: CgiStreams = { environment, open };

function environment(): readonly (readonly [name: string, value: string])[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync("/proc/self/environ");
  } catch {
    return decoded();
  }
  return bytes.toString("latin1").split("\0").filter((pair) => pair.includes("=")).map((pair) => {
    const end = pair.indexOf("=");
    return [pair.slice(0, end), pair.slice(end + 1)];
  });
}

/** What the runtime made of the bytes, as bytes again. */
function decoded(): readonly (readonly [name: string, value: string])[] {
  return Object.keys(process.env).flatMap((name) => {
    try {
      return [[name, Buffer.from(process.env[name] ?? "").toString("latin1")] as const];
    } catch {
      // Deno does not give what is no UTF-8.
      return [];
    }
  });
}

function open(length: number, accept: (connection: Connection) => ConnectionHandler): void {
  console.log = console.info = console.debug = console.error;
  const { stdin, stdout } = process;
  const alive = setInterval(() => {}, LONG);
  let isClosed = false;
  let left = length;
  let drained: (() => void)[] = [];
  const drain = (): void => {
    const waiting = drained;
    drained = [];
    for (const resolve of waiting) resolve();
  };
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    clearInterval(alive);
    stdin.pause();
    drain();
    handler.closed();
  };
  const wait = (): Promise<void> => new Promise((resolve) => drained.push(resolve));
  const handler = accept({
    remote: NOWHERE,
    local: NOWHERE,
    tls: null,
    write(head, body) {
      if (isClosed) return;
      if (head !== "") stdout.write(Buffer.from(head, "latin1"));
      if (body !== null) stdout.write(body);
      if (stdout.writableNeedDrain) return wait();
    },
    end() {
      if (isClosed) return;
      stdout.write(new Uint8Array(0), close);
      return wait();
    },
    // Later, as from a socket.
    destroy: () => queueMicrotask(close),
  });
  stdout.on("drain", drain);
  stdout.on("error", close);
  stdout.on("close", close);
  if (length === 0) return;
  const over = (): void => {
    if (left > 0 && !isClosed) handler.ended();
    left = 0;
  };
  stdin.on("data", (chunk: Buffer) => {
    const bytes = chunk.subarray(0, left);
    left -= bytes.length;
    if (isClosed || bytes.length === 0) return;
    const pause = handler.receive(bytes);
    if (left === 0) stdin.pause();
    else if (pause !== undefined) {
      stdin.pause();
      pause.then(() => stdin.resume());
    }
  });
  stdin.on("end", over);
  stdin.on("error", over);
}
