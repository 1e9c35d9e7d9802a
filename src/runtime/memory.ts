// The fourth adapter: no sockets, no clock of its own. Connections are pairs of buffers, time passes when a test says so.
// It runs the same server as the others do, for tests of logic that sockets would make slow or uncertain.

import type { Bind, Connection, ConnectionHandler, Endpoint, Listener, ListenOptions, Runtime } from "./port.ts";

const encoder = new TextEncoder();

/** The client's side of a connection in memory. */
export class MemoryClient {
  /** Everything the server has sent, one character a byte. */
  received = "";
  /** The server has sent FIN. */
  ended = false;
  /** The connection is gone. */
  closed = false;
  /** The server has reset it. */
  wasReset = false;
  /** While true nothing is taken: the server's writes wait. */
  stalled = false;
  #handler!: ConnectionHandler;
  #reading: Promise<void> = Promise.resolve();
  #paused = false;
  #clientEnded = false;
  #waiting: (() => void)[] = [];

  /** The server's side, for {@link MemoryRuntime}. */
  attach(accept: (connection: Connection) => ConnectionHandler, remote: Endpoint, local: Endpoint): void {
    this.#handler = accept({
      remote,
      local,
      tls: null,
      write: (head, body) => {
        if (this.closed) return;
        this.received += head;
        if (body !== null) this.received += latin1(body, 0, body.length);
        if (this.stalled) return new Promise((resolve) => this.#waiting.push(resolve));
      },
      end: (both = false) => {
        this.ended = true;
        if (this.#clientEnded || both) this.#close();
      },
      destroy: (reset = false) => {
        if (!this.closed) this.wasReset = reset;
        this.#close();
      },
    });
  }

  /** Sends bytes, or a string of which each character is a byte. Resolves when the server has taken them. */
  send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Uint8Array.from(data, (character) => character.charCodeAt(0)) : data;
    if (!this.#paused) {
      const wait = this.closed ? undefined : this.#handler.receive(bytes);
      if (wait !== undefined) this.#pause(wait);
    } else {
      this.#reading = this.#reading.then(() => this.closed ? undefined : this.#handler.receive(bytes));
    }
    return this.#reading;
  }

  #pause(wait: Promise<void>): void {
    this.#paused = true;
    this.#reading = wait.then(() => {
      this.#paused = false;
    });
  }

  /** Sends FIN. */
  end(): void {
    this.#clientEnded = true;
    this.#handler.ended();
    if (this.ended) this.#close();
  }

  /** Resets the connection. */
  reset(): void {
    this.#close();
  }

  /** Takes what waits, after `stalled`. */
  drain(): void {
    this.stalled = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #close(): void {
    if (this.closed) return;
    this.closed = true;
    this.drain();
    queueMicrotask(() => this.#handler.closed());
  }
}

/** A runtime in memory. */
export class MemoryRuntime implements Runtime {
  readonly name = "memory";
  readonly version = "0";
  readonly reusesReadBuffers: boolean = false;
  readonly cheapSignals: boolean = true;
  readonly latin1: Runtime["latin1"] = latin1;
  /** What {@link outOfDescriptors} says. */
  exhausted = false;
  #accept: ((connection: Connection) => ConnectionHandler) | null = null;
  readonly #ticks = new Set<() => void>();

  utf8Length(text: string): number {
    return encoder.encode(text).length;
  }

  listen(
    bind: Bind,
    _options: ListenOptions,
    accept: (connection: Connection) => ConnectionHandler,
  ): Promise<Listener> {
    this.#accept = accept;
    return Promise.resolve({
      bind,
      close: (): Promise<void> => {
        this.#accept = null;
        return Promise.resolve();
      },
    });
  }

  /** At once: in memory there is no input beside the one that is being handled. */
  soon(callback: () => void): void {
    callback();
  }

  checkReusePort(): void {}

  outOfDescriptors(): boolean {
    return this.exhausted;
  }

  every(_milliseconds: number, callback: () => void): () => void {
    this.#ticks.add(callback);
    return () => this.#ticks.delete(callback);
  }

  /** What `every` waits for has come: the clocks are looked at. */
  tick(): void {
    for (const callback of [...this.#ticks]) callback();
  }

  /**
   * Connects as a client would.
   *
   * @throws {Error} when nobody listens.
   */
  connect(
    remote: Endpoint = { address: "192.0.2.1", port: 40_000 },
    local: Endpoint = { address: "192.0.2.2", port: 80 },
  ): MemoryClient {
    if (this.#accept === null) throw new Error("connection refused: nobody listens");
    const client = new MemoryClient();
    client.attach(this.#accept, remote, local);
    return client;
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
