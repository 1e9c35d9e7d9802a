// A connection that left HTTP by 101: bytes both ways, with back-pressure, until one side has enough.

import type { Chunk, Duplex } from "../esgi/body.ts";
import { InputBuffer, InputError } from "../esgi/input.ts";
import type { Connection } from "../runtime/port.ts";

const READ_AHEAD = 65_536;
const encoder = new TextEncoder();

export class Tunnel implements Duplex {
  readonly #connection: Connection;
  readonly #input: InputBuffer = new InputBuffer(this);
  readonly #controller = new AbortController();
  #ended = false;
  /** Settles when all that was written before the end has gone. */
  #flushed: void | Promise<void> = undefined;
  #paused: Promise<void> | null = null;
  #resume: (() => void) | null = null;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async read(): Promise<Uint8Array | null> {
    const chunk = await this.#input.read();
    return chunk.length === 0 ? null : chunk;
  }

  write(chunk: Chunk): void | Promise<void> {
    if (this.#ended) throw new TypeError("the connection was ended: nothing can be written to it");
    // A copy: the connection may hold a part of it when the application fills the same array again.
    return this.#connection.write("", typeof chunk === "string" ? encoder.encode(chunk) : new Uint8Array(chunk));
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#flushed = this.#connection.end();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#input[Symbol.asyncIterator]();
  }

  // The session's side.

  receive(chunk: Uint8Array): void | Promise<void> {
    this.#input.push(chunk);
    if (this.#input.buffered < READ_AHEAD) return;
    return this.#paused ??= new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  ended(): void {
    this.#input.end();
  }

  closed(): void {
    this.#ended = true;
    if (!this.#input.ended) this.#input.fail(new InputError("disconnected", "the connection broke"));
    this.#controller.abort(new DOMException("the connection has closed", "AbortError"));
    this.#resume?.();
  }

  /** The application has no more use for it. Settles as {@link Connection.end} does. */
  leave(): void | Promise<void> {
    this.end();
    this.#resume?.();
    this.#resume = null;
    return this.#flushed;
  }

  /** The application has taken what was here. */
  wanted(): void {
    if (this.#input.buffered >= READ_AHEAD) return;
    this.#paused = null;
    this.#resume?.();
    this.#resume = null;
  }
}
