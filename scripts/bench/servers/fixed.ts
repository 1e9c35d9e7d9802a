// What the raw servers share: the limit of their runtime's sockets. No parsing: bytes are counted, and for each request's
// worth of them a response goes out that was made at the start.
import { BIG, DATA, HELLO, type PlainHandler } from "../apps/content.ts";
import { handler, requestLength } from "./settings.ts";

const MOST_AT_ONCE = 64;

const bodies: Record<PlainHandler, string | Uint8Array> = {
  hello: HELLO,
  json: JSON.stringify(DATA),
  echo: "x".repeat(1024),
  big: BIG,
};

const encoder = new TextEncoder();
const one = makeResponse(bodies[handler as keyof typeof bodies]);
const many = one.length > 65_536 ? one : new Uint8Array(one.length * MOST_AT_ONCE);
for (let offset = 0; offset < many.length; offset += one.length) {
  many.set(one, offset);
}

/** Counts one connection's requests. */
export class Counter {
  #received = 0;

  /** The responses to write after `length` more bytes, or null when no request is complete. */
  take(length: number): Uint8Array | null {
    this.#received += length;
    if (this.#received < requestLength) return null;
    if (this.#received === requestLength) {
      this.#received = 0;
      return one;
    }
    const requests = Math.floor(this.#received / requestLength);
    this.#received -= requests * requestLength;
    return many.subarray(0, requests * one.length);
  }
}

function makeResponse(body: string | Uint8Array): Uint8Array {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const head = encoder.encode(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: ${new Date().toUTCString()}\r\n` +
      `Content-Length: ${bytes.length}\r\n\r\n`,
  );
  const response = new Uint8Array(head.length + bytes.length);
  response.set(head);
  response.set(bytes, head.length);
  return response;
}
