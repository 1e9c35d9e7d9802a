// The load generator, a process of its own so that nobody else's work delays it: clients that send one request after
// another and look at every answer. A request is lost when its connection was refused or reset, or ended before the answer
// was complete, or when the answer is not the right one. An end that comes while no request is out is no loss.

import { Buffer } from "node:buffer";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import process from "node:process";

/** What the generator is told, as JSON in its first word. */
export interface LoadOptions {
  readonly address: NetConnectOpts;
  /** "one-shot": each request has a connection of its own and asks for its end. */
  readonly mode: Mode;
  /** It ends when so many have been answered or lost, and it was told to finish. */
  readonly requests: number;
  /** Clients, each with one connection at a time. */
  readonly clients: number;
}

export type Mode = "keep-alive" | "one-shot";

/** A request that was lost. */
export interface Loss {
  readonly reason: string;
  /** The path, which says what kind of request it was. */
  readonly path: string;
  /** How many requests its connection had carried before. */
  readonly nth: number;
  /** Who answered the last of them, by process id; null: nobody. */
  readonly worker: number | null;
  /** Milliseconds since the generator was started, and since the request was sent. */
  readonly at: number;
  readonly after: number;
}

/** What the generator has seen so far; it tells it many times a second, and last when it ends. */
export interface LoadReport {
  /** Answered or lost. */
  readonly requests: number;
  readonly lost: number;
  /** The first of the lost ones. */
  readonly losses: readonly Loss[];
  /** Process ids that answers named. */
  readonly workers: readonly number[];
  /** Connections that the server ended while no request was out, without having told it. */
  readonly idleEnds: number;
}

/** So many of the losses are told in full. */
const TOLD = 200;
/** Milliseconds after which no answer is taken to come. */
const NEVER = 30_000;
/** The longest that a client waits between two requests, milliseconds. */
const PAUSE = 5;
const UPLOAD = 20_000;
const DOWNLOAD = 100_000;

/** What each request in turn asks for: mostly little, sometimes a long answer, a long body, a slow answer. */
function pathOf(n: number): string {
  if (n % 29 === 0) return "/large";
  if (n % 31 === 0) return "/echo";
  return n % 37 === 0 ? "/slow" : "/";
}

interface Question {
  readonly path: string;
  readonly bytes: Buffer;
  readonly expected: Buffer;
}

function question(n: number, mode: Mode): Question {
  const path = pathOf(n);
  const id = `${process.pid}-${n}`;
  const line = Buffer.from(`${id}\n`);
  const body = path === "/echo" ? Buffer.alloc(UPLOAD, line) : Buffer.alloc(0);
  const head = [
    `${path === "/echo" ? "POST" : "GET"} ${path}?${id} HTTP/1.1`,
    "Host: zero-loss",
    ...(mode === "one-shot" ? ["Connection: close"] : []),
    ...(body.length > 0 ? [`Content-Length: ${body.length}`] : []),
    "\r\n",
  ].join("\r\n");
  const expected = path === "/echo" ? body : path === "/large" ? Buffer.alloc(DOWNLOAD, line) : line;
  return { path, bytes: Buffer.concat([Buffer.from(head), body]), expected };
}

class Client {
  readonly #options: LoadOptions;
  #socket: Socket | null = null;
  #received: Buffer[] = [];
  #expected: Buffer | null = null;
  #settle: ((reason: string | null) => void) | null = null;
  nth = 0;
  worker: number | null = null;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Sends `question`; resolves with null, or with why its answer was lost. */
  ask({ bytes, expected }: Question): Promise<string | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#over("no answer"), NEVER);
      this.#settle = (reason) => {
        clearTimeout(timer);
        resolve(reason);
      };
      this.#expected = expected;
      this.#socket ??= this.#connect();
      this.#socket.write(bytes);
    });
  }

  /** Leaves the connection. */
  close(): void {
    this.#socket?.destroy();
    this.#forget();
  }

  #forget(): void {
    this.#socket = null;
    this.#received = [];
    this.nth = 0;
    this.worker = null;
  }

  #connect(): Socket {
    const socket = connect({ ...this.#options.address, noDelay: true });
    let connected = false;
    const mine = (): boolean => this.#socket === socket;
    socket.on("connect", () => connected = true);
    socket.on("data", (chunk) => mine() ? this.#receive(chunk) : undefined);
    socket.on("end", () => mine() ? this.#gone("ended before the answer was complete") : undefined);
    socket.on("error", ({ code, message }: NodeJS.ErrnoException) => {
      if (mine()) this.#gone(connected ? `reset (${code ?? message})` : `refused (${code ?? message})`);
    });
    socket.on("close", () => mine() ? this.#gone("closed") : undefined);
    return socket;
  }

  #gone(reason: string): void {
    if (this.#settle === null) {
      idleEnds++;
      this.close();
    } else {
      this.#over(this.#received.length > 0 ? `${reason}, in the midst of it` : reason);
    }
  }

  #over(reason: string | null): void {
    const settle = this.#settle!;
    this.#settle = this.#expected = null;
    if (reason !== null) this.close();
    settle(reason);
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    const all = this.#received.length === 1 ? chunk : Buffer.concat(this.#received);
    this.#received = [all];
    if (this.#settle === null) {
      // Nobody asked. Said when the next one is asked for: it gets this for its answer.
      return;
    }
    const end = all.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = all.toString("latin1", 0, end + 2);
    const status = head.slice(9, 12);
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
    if (length === undefined) return this.#over(`status ${status}, without a length`);
    const body = all.subarray(end + 4);
    if (body.length < Number(length)) return;
    this.#received = [];
    if (status !== "200") return this.#over(`status ${status}`);
    if (!body.equals(this.#expected!)) return this.#over("wrong body");
    const worker = /\r\nx-worker: *(\d+)\r\n/i.exec(head)?.[1];
    if (worker !== undefined) workers.add(this.worker = Number(worker));
    this.nth++;
    if (/\r\nconnection: *close\r\n/i.test(head)) {
      this.#socket!.end();
      this.#forget();
    }
    this.#over(null);
  }
}

const options = JSON.parse(process.argv[2]!) as LoadOptions;
const started = performance.now();
const workers = new Set<number>();
const losses: Loss[] = [];
let lost = 0;
let idleEnds = 0;
let asked = 0;
let requests = 0;
let finishing = false;

function report(): void {
  process.send!({ requests, lost, losses, workers: [...workers], idleEnds } satisfies LoadReport);
}

async function run(): Promise<void> {
  const client = new Client(options);
  while (!finishing || asked < options.requests) {
    const next = question(asked++, options.mode);
    const { nth, worker } = client;
    const sent = performance.now();
    const reason = await client.ask(next);
    requests++;
    if (reason !== null && lost++ < TOLD) {
      const now = performance.now();
      const [at, after] = [Math.round(now - started), Math.round(now - sent)];
      losses.push({ reason, path: next.path, nth, worker, at, after });
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE));
  }
  client.close();
}

process.on("message", () => finishing = true);
// Whoever started it has gone.
process.on("disconnect", () => process.exit());
const reporting = setInterval(report, 50);
await Promise.all(Array.from({ length: options.clients }, run));
clearInterval(reporting);
report();
process.disconnect();
