// A client that says exactly the bytes it is told to, and reads exactly what comes.

import { connect, type NetConnectOpts, type Socket } from "node:net";
import * as tls from "node:tls";
import { parseResponse, type Response } from "./response.ts";
import { patiently, sleep } from "./wait.ts";

/** Where a server listens. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** A text in which each character is a byte. */
export function bytes(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? Buffer.from(data, "latin1") : data;
}

/** How a connection ended: by FIN, or by RST. */
export type Ending = "fin" | "reset";

export class Client {
  readonly socket: Socket;
  /** How the server ended the connection; null while it has not. */
  ending: Ending | null = null;
  /** Bytes received, read or not. */
  total = 0;
  /** What has come and was not read lies from #start to #end; behind that is room. Nothing is ever written over. */
  #buffer: Buffer = Buffer.alloc(4096);
  #start = 0;
  #end = 0;
  #changed: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.total += chunk.length;
      this.#append(chunk);
      this.#wake();
    });
    socket.on("end", () => this.#over("fin"));
    socket.on("error", () => this.#over("reset"));
    socket.on("close", () => this.#over("reset"));
  }

  /** Connects; half-open, so that the test decides when its own side ends. */
  static async connect(address: Address): Promise<Client> {
    const socket = connect({ ...address, allowHalfOpen: true, noDelay: true } as NetConnectOpts);
    return await connected(socket, "connect");
  }

  static async connectTls(address: Address, options: tls.ConnectionOptions): Promise<Client> {
    const all = { ...address, ...options, allowHalfOpen: true };
    const socket = tls.connect(all);
    return await connected(socket, "secureConnect");
  }

  #over(ending: Ending): void {
    this.ending ??= ending;
    this.#wake();
  }

  #wake(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const wake of changed) wake();
  }

  /** What has come and was not read. */
  get received(): string {
    return this.#all().toString("latin1");
  }

  #append(chunk: Buffer): void {
    if (this.#end + chunk.length > this.#buffer.length) {
      const unread = this.#all();
      this.#buffer = Buffer.allocUnsafe(Math.max(4096, 2 * (unread.length + chunk.length)));
      this.#buffer.set(unread);
      this.#start = 0;
      this.#end = unread.length;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  #all(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  #take(size: number): Buffer {
    const taken = this.#all().subarray(0, size);
    this.#start += size;
    return taken;
  }

  send(data: string | Uint8Array): this {
    this.socket.write(bytes(data));
    return this;
  }

  /** Each byte in a write of its own. */
  async sendByteByByte(data: string | Uint8Array): Promise<this> {
    for (const byte of bytes(data)) {
      if (this.ending !== null) break;
      this.socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return this;
  }

  /** Resolves when all that was sent has left, or when the server does not take it any more. */
  async sent(): Promise<void> {
    while (this.socket.writableLength > 0 && this.ending === null) await sleep(5);
  }

  /** FIN: nothing more is sent, but all is read. */
  end(): this {
    this.socket.end();
    return this;
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Stops reading: what comes stays in the kernel, then in the server. */
  pause(): this {
    this.socket.pause();
    return this;
  }

  resume(): this {
    this.socket.resume();
    return this;
  }

  /** Resolves when `done` says so, asked again each time that something has come. */
  async #until(what: string, done: () => boolean): Promise<void> {
    const wait = async (): Promise<void> => {
      while (!done()) await new Promise<void>((resolve) => this.#changed.push(resolve));
    };
    await patiently(wait(), () => `still waiting for ${what}; here is ${JSON.stringify(this.received.slice(0, 2000))}`);
  }

  /** Reads up to and with `text`. */
  async until(text: string): Promise<string> {
    let at = -1;
    await this.#until(JSON.stringify(text), () => {
      at = this.#all().indexOf(text, 0, "latin1");
      return at >= 0 || this.ending !== null;
    });
    if (at < 0) {
      throw new Error(`the connection ended before ${JSON.stringify(text)}: ${JSON.stringify(this.received)}`);
    }
    return this.#take(at + text.length).toString("latin1");
  }

  /** Reads the next response, strictly; interim ones are responses of their own. */
  async response(request: { readonly head?: boolean } = {}): Promise<Response> {
    let size = -1;
    let response: Response | null = null;
    await this.#until("a response", () => {
      if (this.total === size && this.ending === null) return false;
      size = this.total;
      response = parseResponse(this.#all(), this.ending, request.head ?? false);
      return response !== null || this.ending !== null;
    });
    if (response === null) {
      throw new Error(`the connection ended (${this.ending}) within a response: ${JSON.stringify(this.received)}`);
    }
    this.#take((response as Response).size);
    return response;
  }

  /** Resolves when `size` bytes have come in all; fewer when the server ends before. */
  async reached(size: number): Promise<void> {
    await this.#until(`${size} bytes`, () => this.total >= size || this.ending !== null);
  }

  /** Throws away what has come. */
  discard(): void {
    this.#buffer = Buffer.alloc(0);
    this.#start = this.#end = 0;
  }

  /** Resolves when the server has ended the connection; with what was left to read. */
  async ended(): Promise<{ readonly ending: Ending; readonly rest: string }> {
    await this.#until("the connection's end", () => this.ending !== null);
    return { ending: this.ending!, rest: this.#take(this.#all().length).toString("latin1") };
  }
}

async function connected(socket: Socket, event: "connect" | "secureConnect"): Promise<Client> {
  const client = new Client(socket);
  await patiently(
    new Promise<void>((resolve, reject) => {
      socket.once(event, resolve);
      socket.once("error", reject);
    }),
    () => "the connection is not accepted",
  );
  return client;
}
