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
  let left = length;
  /** Writes that have not been taken. */
  let unwritten = 0;
  /** Nothing more will be written. */
  let isEnding = false;
  let isClosed = false;
  const waiting: (() => void)[] = [];
  const wait = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const drain = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    clearInterval(alive);
    stdin.pause();
    drain();
    handler.closed();
  };
  /** All has been written, and read. */
  const isOver = (): boolean => isEnding && unwritten === 0 && left === 0;
  // Told by each write: Bun says of an empty one that it has gone before those before it have.
  const wrote = (): void => {
    if (--unwritten > 0) return;
    drain();
    if (isOver()) close();
  };
  const write = (bytes: Uint8Array): void => {
    unwritten++;
    stdout.write(bytes, wrote);
  };
  const handler = accept({
    remote: NOWHERE,
    local: NOWHERE,
    tls: null,
    write(head, body) {
      if (isClosed) return;
      if (head !== "") write(Buffer.from(head, "latin1"));
      if (body !== null) write(body);
      if (stdout.writableNeedDrain) return wait();
    },
    end() {
      isEnding = true;
      if (unwritten > 0) return wait();
      if (isOver()) queueMicrotask(close);
    },
    // Later, as from a socket.
    destroy: () => queueMicrotask(close),
  });
  stdout.on("error", close);
  stdout.on("close", close);
  if (length === 0) return;
  stdin.on("data", (chunk: Buffer) => {
    const bytes = chunk.subarray(0, left);
    left -= bytes.length;
    if (isClosed || bytes.length === 0) return;
    const pause = handler.receive(bytes);
    if (left === 0) {
      stdin.pause();
      if (isOver()) close();
    } else if (pause !== undefined) {
      stdin.pause();
      pause.then(() => stdin.resume());
    }
  });
  const over = (): void => {
    if (left === 0 || isClosed) return;
    left = 0;
    handler.ended();
    if (isOver()) close();
  };
  stdin.on("end", over);
  stdin.on("error", over);
}
