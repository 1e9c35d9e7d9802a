// The rules of a reply, for everyone who calls an application: which heads are legal, when the head can no longer be
// replaced, and that a body is closed once whatever happens. No framing and no sockets; the server's own, faster path is
// src/server/gateway.ts, which shares the validators at the top.

import type { StartResponse } from "./application.ts";
import type { Body, Chunk, Upgraded } from "./body.ts";
import type { Header, Headers } from "./environ.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const STATUS = /^[1-5][0-9]{2} [\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const DIGITS = /^[0-9]{1,15}$/;
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** True for a `token` (RFC 9110 §5.6.2): what a method or a field name is made of. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** True for a field that belongs to one connection (RFC 9110 §7.6.1): the server's to send, not the application's. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name.toLowerCase());
}

/**
 * Checks a status line: three digits from 100 to 599, a space, and a reason without control characters or outer space.
 *
 * @throws {TypeError} that quotes the status (RFC 9112 §4).
 */
export function checkStatus(status: string): void {
  if (typeof status !== "string" || !STATUS.test(status)) {
    throw new TypeError(`status ${show(status)} is not like "200 OK": 100 to 599, a space, a reason (RFC 9112 §4)`);
  }
}

/**
 * Checks fields: an array of `[name, value]`, the name a token, the value without control characters other than HTAB and
 * of characters up to U+00FF (each becomes one byte).
 *
 * @throws {TypeError} that names the culprit (RFC 9110 §5.1, §5.5).
 */
export function checkHeaders(headers: Headers): void {
  if (!Array.isArray(headers)) throw new TypeError(`headers are ${show(headers)}, not an array of [name, value]`);
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i] as Header;
    if (!Array.isArray(header) || header.length !== 2) {
      throw new TypeError(`headers[${i}] is ${show(header)}, not [name, value]`);
    }
    const name = header[0] as string;
    const value = header[1] as string;
    if (typeof name !== "string" || !TOKEN.test(name)) {
      throw new TypeError(`header name ${show(name)} is not a token (RFC 9110 §5.1)`);
    }
    if (typeof value !== "string" || !VALUE.test(value)) {
      throw new TypeError(
        `header ${name} has the value ${show(value)}: ${
          typeof value === "string" ? "control characters and characters above U+00FF are" : "what is no string is"
        } not allowed (RFC 9110 §5.5)`,
      );
    }
  }
}

/**
 * The Content-Length that `headers` declare, in bytes; null when there is none.
 *
 * @throws {TypeError} when it is not decimal digits, or there are two (RFC 9110 §8.6).
 */
export function contentLength(headers: Headers): number | null {
  let length: number | null = null;
  for (const [name, value] of headers) {
    if (name.length !== 14 || name.toLowerCase() !== "content-length") continue;
    if (!DIGITS.test(value)) throw new TypeError(`Content-Length ${show(value)} is not a number (RFC 9110 §8.6)`);
    if (length !== null) throw new TypeError("there are two Content-Length fields (RFC 9110 §8.6)");
    length = Number(value);
  }
  return length;
}

/** True for a status that never has content: 1xx, 204, 205 and 304 (RFC 9110 §6.4.1, §15.3.6). */
export function isBodyless(code: number): boolean {
  return code < 200 || code === 204 || code === 205 || code === 304;
}

/** A value for a message: short, on one line. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return `a ${value.constructor?.name ?? "null-prototype object"}`;
  return typeof value === "function" ? "a function" : String(value);
}

/** The head of one reply: what `startResponse` may do, and when (PEP 3333, "The start_response() Callable"). */
export class ReplyHead {
  /** The status line's end, for example `200 OK`; "" before `startResponse`. */
  status = "";
  /** A copy of the fields, so that nothing unchecked gets in later. */
  headers: Headers = [];
  /** The declared Content-Length in bytes, or null. */
  contentLength: number | null = null;
  /** True once the head has been sent and cannot be replaced. */
  sent = false;

  /** To be given to the application; needs no `this`. */
  readonly startResponse: StartResponse = (status, headers, error) => {
    if (error !== undefined) {
      if (this.sent) throw error;
    } else if (this.status !== "") {
      throw new TypeError("startResponse was called again without an error");
    }
    checkStatus(status);
    checkHeaders(headers);
    const length = contentLength(headers);
    this.status = status;
    this.headers = headers.map(([name, value]) => [name, value] as const);
    this.contentLength = length;
  };

  /** The status code; 0 before `startResponse`. */
  get code(): number {
    return this.status === "" ? 0 : Number(this.status.slice(0, 3));
  }

  /** The reason phrase. */
  get reason(): string {
    return this.status.slice(4);
  }

  /**
   * The first non-empty chunk, or the end: from now on the head stands.
   *
   * @throws {Error} when the application has not called `startResponse`.
   */
  send(): void {
    if (this.status === "") throw new Error("the application gave a body and did not call startResponse");
    this.sent = true;
  }
}

/** What {@link replyBody} needs to know besides the head. */
export interface ReplyBodyOptions {
  /** The request's method: the body of a HEAD is opened and closed, not sent. */
  readonly method?: string;
  /** Takes what `close()` threw. Without it, the iteration rejects with that, unless it failed before. */
  readonly onCloseError?: (error: unknown) => void;
}

/**
 * A body as bytes: the chunks that are not empty, as UTF-8 where they are strings, up to the head's Content-Length.
 *
 * The head is sent with the first of them, or at the end. `close()` is called exactly once whatever happens: end, error,
 * or `return()`, which may come while a `next()` is pending. A body without `close()` has its iterator's `return()`
 * called instead.
 *
 * @throws {TypeError} (from `next`) when body or chunk is none, or is a function: an upgrade is the caller's to handle.
 */
export function replyBody(body: Body, head: ReplyHead, options: ReplyBodyOptions = {}): ReplyBody {
  return new ReplyBody(body, head, options);
}

/** See {@link replyBody}. */
export class ReplyBody implements AsyncIterableIterator<Uint8Array> {
  /** What was wrong with the length, for the log; null while nothing is. Final when the iteration is over. */
  fault: string | null = null;
  /** Bytes given out. */
  sent = 0;
  readonly #body: Exclude<Body, Upgraded>;
  readonly #head: ReplyHead;
  readonly #options: ReplyBodyOptions;
  #iterator: Iterator<Chunk> | AsyncIterator<Chunk> | null = null;
  #closing: Promise<void> | null = null;
  #encoded: Uint8Array | null = null;

  constructor(body: Body, head: ReplyHead, options: ReplyBodyOptions) {
    this.#body = body as Exclude<Body, Upgraded>;
    this.#head = head;
    this.#options = options;
  }

  /** The whole body in bytes, when it is no iteration; null otherwise. Known without asking for a chunk. */
  get whole(): Uint8Array | null {
    const body = this.#body;
    if (body === null) return EMPTY;
    if (typeof body === "string") return this.#encoded ??= encoder.encode(body);
    return body instanceof Uint8Array ? body : null;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#closing !== null) return { done: true, value: undefined };
    try {
      const chunk = await this.#pull();
      // return() may have come while this waited.
      if (chunk !== null && this.#closing === null) return { done: false, value: chunk };
    } catch (error) {
      await this.#close().catch((closeError: unknown) => this.#options.onCloseError?.(closeError));
      throw error;
    }
    await this.return();
    return { done: true, value: undefined };
  }

  /** Ends the iteration; resolves when the body is closed. Calling it again changes nothing. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    const { onCloseError } = this.#options;
    if (onCloseError === undefined) await this.#close();
    else await this.#close().catch(onCloseError);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next chunk to send, or null at the end. */
  async #pull(): Promise<Uint8Array | null> {
    const head = this.#head;
    for (;;) {
      const limit = head.sent ? head.contentLength : null;
      if (limit !== null && this.sent === limit && this.fault !== null) return null;
      const chunk = await this.#nextChunk();
      if (this.#closing !== null) return null;
      if (chunk === null) {
        head.send();
        this.#checkEnd();
        return null;
      }
      if (chunk.length === 0) continue;
      head.send();
      if (this.#options.method === "HEAD") return null;
      if (isBodyless(head.code)) {
        this.fault = `a ${head.code} response has no body, and the application gave one (RFC 9110 §6.4.1)`;
        return null;
      }
      return this.#cut(chunk);
    }
  }

  #cut(chunk: Uint8Array): Uint8Array | null {
    const limit = this.#head.contentLength;
    let part = chunk;
    if (limit !== null && chunk.length > limit - this.sent) {
      this.fault = `the body is longer than its Content-Length of ${limit} bytes, and was cut`;
      part = chunk.subarray(0, limit - this.sent);
      if (part.length === 0) return null;
    }
    this.sent += part.length;
    return part;
  }

  #checkEnd(): void {
    const { contentLength, code } = this.#head;
    if (contentLength === null || this.#options.method === "HEAD" || isBodyless(code)) return;
    if (this.sent < contentLength) {
      this.fault = `the body ended after ${this.sent} of ${contentLength} bytes of its Content-Length`;
    }
  }

  async #nextChunk(): Promise<Uint8Array | null> {
    if (this.#iterator === null) {
      const whole = this.whole;
      this.#iterator = whole === null ? iterate(this.#body as Iterable<Chunk>) : [whole].values();
    }
    const result = await this.#iterator.next();
    if (result.done === true) return null;
    const chunk = result.value;
    if (typeof chunk === "string") return encoder.encode(chunk);
    if (chunk instanceof Uint8Array) return chunk;
    throw new TypeError(`the body's chunk is ${show(chunk)}, not a string or Uint8Array`);
  }

  #close(): Promise<void> {
    this.#closing ??= this.#closeNow();
    return this.#closing;
  }

  async #closeNow(): Promise<void> {
    const body = this.#body as { close?: () => unknown; cancel?: () => unknown } | string | null;
    if (typeof body !== "object" || body === null || body instanceof Uint8Array) return;
    if (typeof body.close === "function") await body.close();
    else if (this.#iterator !== null) await this.#iterator.return?.();
    // Never iterated, so only a source that is already there waits: a stream's, or a generator's that was begun before.
    else if (typeof body.cancel === "function") await body.cancel();
    else if (Symbol.asyncIterator in body || Symbol.iterator in body) {
      await iterate(body as unknown as Iterable<Chunk>).return?.();
    }
  }
}

/** The iterator of a body, whatever its kind; a stream's by its reader. */
export function iterate(body: Exclude<Body, Upgraded | string | null>): Iterator<Chunk> | AsyncIterator<Chunk> {
  // A stream first, and by its reader: not every runtime's streams are async-iterable.
  if (typeof (body as ReadableStream<Uint8Array>)?.getReader === "function") {
    return iterateStream(body as ReadableStream<Uint8Array>);
  }
  if (typeof (body as AsyncIterable<Chunk>)?.[Symbol.asyncIterator] === "function") {
    return (body as AsyncIterable<Chunk>)[Symbol.asyncIterator]();
  }
  if (typeof (body as Iterable<Chunk>)?.[Symbol.iterator] === "function") {
    return (body as Iterable<Chunk>)[Symbol.iterator]();
  }
  throw new TypeError(`the application returned ${show(body)}, which is no body (SPEC.md, "The body")`);
}

/** Like body.ts's, but leaves a stream that has ended or failed alone: cancelling one that failed would fail again. */
function iterateStream(stream: ReadableStream<Uint8Array>): AsyncIterator<Uint8Array> {
  const reader = stream.getReader();
  let over = false;
  return {
    async next(): Promise<IteratorResult<Uint8Array>> {
      try {
        const result = await reader.read();
        if (!result.done) return result;
        over = true;
        return { done: true, value: undefined };
      } catch (error) {
        over = true;
        throw error;
      }
    },
    async return(): Promise<IteratorResult<Uint8Array>> {
      if (!over) await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
