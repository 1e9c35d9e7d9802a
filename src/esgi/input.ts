// The request body as an application reads it, and the buffer behind it that a server fills. Reading is once, in
// order, and with back-pressure: the buffer asks its source for more only when the application has taken what is here.

import type { Header } from "./environ.ts";

/** The request body (`environ["esgi.input"]`). Every reader rejects with {@link InputError} when the body is broken. */
export interface Input extends AsyncIterable<Uint8Array> {
  /** The next bytes: at most `size`, or as they come; an empty array at the end of the body. */
  read(size?: number): Promise<Uint8Array>;
  /** All that is left, in one array. */
  bytes(): Promise<Uint8Array>;
  /** All that is left, as UTF-8 (malformed sequences become U+FFFD). */
  text(): Promise<string>;
  /** All that is left, as JSON. Rejects with SyntaxError when it is not. */
  json(): Promise<unknown>;
  /** What is left as a byte stream; cancelling it means that nobody wants the rest. */
  stream(): ReadableStream<Uint8Array>;
  /** The trailer fields (RFC 9112 §7.1.2); empty until the body has been read to its end. */
  readonly trailers: readonly Header[];
}

/** Why a body could not be read: the peer left, took too long, sent too much, or broke the framing. */
export type InputFault = "disconnected" | "timeout" | "too-large" | "malformed";

const FAULT_STATUS = { disconnected: 400, timeout: 408, "too-large": 413, malformed: 400 } as const;

/** A request body broke off or broke a rule. Left uncaught by the application, it becomes the response `status`. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly fault: InputFault;
  /** 400, 408 or 413; 431 for trailers that are too large. */
  readonly status: number;

  constructor(fault: InputFault, message: string, status: number = FAULT_STATUS[fault]) {
    super(message);
    this.fault = fault;
    this.status = status;
  }
}

/** Where an {@link InputBuffer} gets its bytes. */
export interface InputSource {
  /** The application waits for bytes, or has made room for more. */
  wanted(): void;
}

/** Chunks up to this size are put together while they wait: each costs far more than its bytes. */
const SMALL = 512;
const GATHERED = 4096;

const EMPTY = new Uint8Array(0);
const NO_TRAILERS: readonly Header[] = [];
const decoder = new TextDecoder();

/** The buffer between a server (push, end, fail) and an application (the readers of {@link Input}). */
export class InputBuffer implements Input {
  trailers: readonly Header[] = NO_TRAILERS;
  /** Bytes pushed and not yet read. */
  buffered = 0;
  /** True once the whole body has been pushed. */
  ended = false;
  #chunks: Uint8Array[] | null = null;
  /** Where small chunks are gathered; the last chunk may be a part of it. */
  #room: Uint8Array | null = null;
  #trailersAtEnd: readonly Header[] = NO_TRAILERS;
  #error: Error | null = null;
  #taken = false;
  #waiter: { resolve: () => void; reject: (error: Error) => void } | null = null;
  #source: InputSource | null;

  /** Without a source the body is empty. */
  constructor(source: InputSource | null) {
    this.#source = source;
    if (source === null) this.ended = true;
  }

  /** True while a reader waits for bytes. */
  get waiting(): boolean {
    return this.#waiter !== null;
  }

  /** True once {@link fail} was called in time to matter. */
  get failed(): boolean {
    return this.#error !== null;
  }

  /** The server's side: the next bytes of the body, which the buffer may keep. */
  push(chunk: Uint8Array): void {
    if (this.#chunks === null) this.#chunks = [chunk];
    else if (chunk.length > SMALL || this.#chunks.length === 0) this.#chunks.push(chunk);
    else this.#gather(this.#chunks, chunk);
    this.buffered += chunk.length;
    this.#wake();
  }

  /** Puts a small chunk behind the last one that waits. */
  #gather(chunks: Uint8Array[], chunk: Uint8Array): void {
    const last = chunks[chunks.length - 1]!;
    let room = this.#room;
    let start = last.byteOffset;
    let end = start + last.length;
    if (room === null || last.buffer !== room.buffer || end + chunk.length > room.length) {
      room = this.#room = new Uint8Array(GATHERED);
      start = end = 0;
      chunks.push(last);
    }
    room.set(chunk, end);
    chunks[chunks.length - 1] = room.subarray(start, end + chunk.length);
  }

  /** The server's side: the body is complete. */
  end(trailers?: readonly Header[]): void {
    this.ended = true;
    if (trailers !== undefined && trailers.length > 0) this.#trailersAtEnd = trailers;
    if (this.buffered === 0) this.trailers = this.#trailersAtEnd;
    this.#wake();
  }

  /** The server's side: the body will never be complete. What was pushed before is not delivered any more. */
  fail(error: Error): void {
    if (this.#error !== null || (this.ended && this.buffered === 0)) return;
    this.#error = error;
    this.#chunks = null;
    this.buffered = 0;
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(error);
  }

  async read(size?: number): Promise<Uint8Array> {
    if (size !== undefined && !(size > 0)) {
      throw new RangeError(`read(size): size must be a positive number of bytes, not ${size}`);
    }
    for (;;) {
      if (this.#error !== null) throw this.#error;
      const chunk = this.#take(size ?? Infinity);
      if (chunk !== null) return chunk;
      if (this.ended) return EMPTY;
      await this.#more();
    }
  }

  bytes(): Promise<Uint8Array> {
    if (this.#taken && this.ended && this.buffered === 0) {
      return Promise.reject(new TypeError("the request body has been read already: it can be read once"));
    }
    this.#taken = true;
    // The common case, the whole body came with its head, costs no more than a promise.
    return this.ended && this.#error === null ? Promise.resolve(this.#takeAll()) : this.#collect();
  }

  async #collect(): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const part = await this.read();
      if (part.length === 0) return concat(parts, length);
      parts.push(part);
      length += part.length;
    }
  }

  async text(): Promise<string> {
    return decoder.decode(await this.bytes());
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  stream(): ReadableStream<Uint8Array> {
    const source: UnderlyingByteSource = {
      type: "bytes",
      pull: async (controller) => {
        const chunk = await this.read();
        if (chunk.length > 0) {
          // A byte stream takes the buffer away from its sender, and this one may be shared: give it a copy. Not slice(),
          // since on Node a chunk is a Buffer, whose slice() copies nothing.
          controller.enqueue(new Uint8Array(chunk));
          return;
        }
        controller.close();
        controller.byobRequest?.respond(0);
      },
    };
    return new ReadableStream(source, { highWaterMark: 0 });
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    for (;;) {
      const chunk = await this.read();
      if (chunk.length === 0) return;
      yield chunk;
    }
  }

  #take(size: number): Uint8Array | null {
    const first = this.#chunks?.[0];
    if (first === undefined) return null;
    this.#taken = true;
    let chunk = first;
    if (first.length > size) {
      chunk = first.subarray(0, size);
      this.#chunks![0] = first.subarray(size);
    } else {
      this.#chunks!.shift();
    }
    this.buffered -= chunk.length;
    if (this.buffered === 0 && this.ended) this.trailers = this.#trailersAtEnd;
    if (!this.ended) this.#source?.wanted();
    return chunk;
  }

  #takeAll(): Uint8Array {
    const chunks = this.#chunks;
    const length = this.buffered;
    this.#chunks = null;
    this.buffered = 0;
    this.trailers = this.#trailersAtEnd;
    if (chunks === null) return EMPTY;
    return chunks.length === 1 ? chunks[0]! : concat(chunks, length);
  }

  #more(): Promise<void> {
    if (this.#waiter !== null) {
      return Promise.reject(new TypeError("the request body is being read already: read it in one place"));
    }
    const promise = new Promise<void>((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
    this.#source?.wanted();
    return promise;
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve();
  }
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}
