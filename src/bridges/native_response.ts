// A native Response as an ESGI reply. Whether its body is known is not to be seen from outside: where the first reads
// settle at once the body is sent whole, else it is streamed.

import type { MaybePromise, StartResponse } from "../esgi/application.ts";
import type { Body } from "../esgi/body.ts";
import type { Environ, Header } from "../esgi/environ.ts";
import { knownBodyOf } from "./light_stream.ts";
import { partsOf } from "./native_parts.ts";
import { holdsContent, mayHoldContent } from "./native_weight.ts";
import { fieldsOf, lineOf, sendKnown, sendStream } from "./reply.ts";

/** Replies with `response`: a native one, or one of another library that has its shape. */
export function sendNative(response: Response, environ: Environ, startResponse: StartResponse): MaybePromise<Body> {
  const status = response.status;
  if (status < 200 || status > 599) {
    throw new TypeError(
      status === 101
        ? "a Response cannot switch protocols: return a function as the body of an ESGI application (esgi.upgrade)"
        : `a response with status ${status} cannot be sent`,
    );
  }
  const line = lineOf(status, response.statusText);
  const parts = partsOf(response);
  if (parts !== null) {
    const hasContent = parts.body !== null && parts.body.length > 0;
    return sendKnown(environ, startResponse, line, fieldsOf(status, parts.pairs, hasContent), parts.body);
  }
  if (response.bodyUsed) throw new TypeError("the response's body has been read already: it can be read once");
  let pairs: Header[] = [];
  // Headers of another library may tell names as they were written.
  for (const [name, value] of response.headers) pairs.push([name.toLowerCase(), value]);
  if (holdsContent(response)) {
    return response.bytes().then((bytes) => {
      typeText(pairs, bytes);
      return sendKnown(environ, startResponse, line, fieldsOf(status, pairs, true), bytes);
    });
  }
  const { body } = response;
  if (body === null || body === undefined) {
    return sendKnown(environ, startResponse, line, fieldsOf(status, pairs, false), null);
  }
  if (wasDecoded(response)) pairs = pairs.filter(([name]) => name !== "content-encoding" && name !== "content-length");
  const known = knownBodyOf(body)?.take() ?? null;
  if (known !== null) {
    return sendKnown(environ, startResponse, line, fieldsOf(status, pairs, known.length > 0), known);
  }
  if (environ.REQUEST_METHOD === "HEAD") {
    return sendStream(environ, startResponse, line, fieldsOf(status, pairs, true), body);
  }
  const held = mayHoldContent(response);
  return readAhead(body.getReader()).then((read) => {
    if (held && read instanceof Uint8Array) typeText(pairs, read);
    startResponse(line, fieldsOf(status, pairs, read !== null));
    return read;
  });
}

// The content codings that `fetch` decodes, whatever it is told; Bun's can be told not to.
const DECODED = "Bun" in globalThis ? null : "Deno" in globalThis ? /^(?:gzip|br)$/i : /^(?:(?:x-)?gzip|deflate|br)$/i;

/**
 * True when `response` comes from `fetch`, which has decoded its content (Fetch, "handle content codings"): its fields
 * tell of what it was.
 */
function wasDecoded(response: Response): boolean {
  if (DECODED === null || response.url === "" || response.url === undefined) return false;
  return DECODED.test(response.headers.get("content-encoding") ?? "");
}

// Bun adds the Content-Type of a string only when its own server sends it, and does not tell strings from bytes.
const TEXT: Header = ["content-type", "text/plain;charset=UTF-8"];
const utf8 = new TextDecoder("utf-8", { fatal: true });

function typeText(pairs: Header[], bytes: Uint8Array): void {
  if (!pairs.some((pair) => pair[0] === "content-type") && isText(bytes)) pairs.push(TEXT);
}

function isText(bytes: Uint8Array): boolean {
  let i = 0;
  while (i < bytes.length && bytes[i]! < 0x80) i++;
  if (i === bytes.length) return true;
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

type Read = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>["read"]>>;

// How many microtasks a read of what is there already may take: one to four in Node, Deno and Bun.
const PATIENCE = 8;

// The whole body, or what it takes to read the rest; null when there is none.
async function readAhead(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | Rest | null> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    let result: Read | null = null;
    const reading = reader.read();
    reading.then((settled) => {
      result = settled;
    }, ignore);
    for (let i = 0; i < PATIENCE && result === null; i++) await null;
    const settled = result as Read | null;
    if (settled === null) return new Rest(reader, chunks, reading);
    if (settled.done) return chunks.length === 0 ? null : chunks[0]!;
    chunks.push(settled.value);
    if (chunks.length === 2) return new Rest(reader, chunks, null);
  }
}

function ignore(): void {
  // The same promise is awaited by Rest, which reports the failure.
}

// What was read ahead, then the rest of the stream.
class Rest implements AsyncIterableIterator<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #chunks: Uint8Array[];
  #reading: Promise<Read> | null;

  constructor(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    chunks: Uint8Array[],
    reading: Promise<Read> | null,
  ) {
    this.#reader = reader;
    this.#chunks = chunks;
    this.#reading = reading;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return { done: false, value: chunk };
    const reading = this.#reading ?? this.#reader.read();
    this.#reading = null;
    const result = await reading;
    return result.done ? { done: true, value: undefined } : { done: false, value: result.value };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.#reader.cancel();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return this;
  }
}
