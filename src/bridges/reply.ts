// From the parts of a Response to an ESGI reply: the status line, the fields that may travel, and the kind of body.

import type { MaybePromise, StartResponse } from "../esgi/application.ts";
import type { Body } from "../esgi/body.ts";
import type { Environ, Header } from "../esgi/environ.ts";
import { REASON_PHRASES } from "../esgi/reason_phrases.ts";
import { isHopByHop } from "../esgi/reply.ts";
import { sortAndCombine } from "./light_headers.ts";

const LINES: readonly string[] = Array.from(
  { length: 600 },
  (_, status) => `${status} ${REASON_PHRASES[status] ?? "Unknown"}`,
);

function statusLine(status: number): string {
  return LINES[status]!;
}

/** The status line of a response: its own reason, or the standard phrase. */
export function lineOf(status: number, statusText: string): string {
  if (statusText === "") return statusLine(status);
  const reason = statusText.trim();
  return reason === "" ? statusLine(status) : `${status} ${reason}`;
}

// Fields about one connection (RFC 9110 §7.6.1) are the server's; frameworks written for other servers set some.
function travels(status: number, name: string): boolean {
  return !isHopByHop(name) || (status === 426 && name === "upgrade");
}

// ESGI wants content to have a type. This is the one that a recipient may assume where there is none (RFC 9110 §8.3).
const UNKNOWN_TYPE: Header = ["content-type", "application/octet-stream"];

/** The fields that go out: `pairs`, whose names are in lower case, as they are whenever nothing is wrong with them. */
export function fieldsOf(status: number, pairs: readonly Header[], hasContent: boolean): readonly Header[] {
  let typed = false;
  let lengthy = false;
  for (let i = 0; i < pairs.length; i++) {
    const name = pairs[i]![0];
    // By length first: few names come as far as a comparison.
    switch (name.length) {
      case 12:
        if (name === "content-type") {
          if (typed) return fieldsOf(status, sortAndCombine(pairs), hasContent);
          typed = true;
        }
        break;
      case 14:
        if (name === "content-length") {
          if (lengthy) return fieldsOf(status, sortAndCombine(pairs), hasContent);
          lengthy = true;
        }
        break;
      case 2:
      case 7:
      case 10:
      case 16:
      case 17:
        if (!travels(status, name)) {
          return fieldsOf(status, pairs.filter((pair) => travels(status, pair[0])), hasContent);
        }
    }
  }
  return typed || !hasContent ? pairs : [...pairs, UNKNOWN_TYPE];
}

function withLength(pairs: readonly Header[], length: number): readonly Header[] {
  return pairs.some((pair) => pair[0] === "content-length") ? pairs : [...pairs, ["content-length", `${length}`]];
}

const encoder = new TextEncoder();

/** Replies with a whole body. The answer to HEAD says its length and stays empty (RFC 9110 §9.3.2). */
export function sendKnown(
  environ: Environ,
  startResponse: StartResponse,
  line: string,
  pairs: readonly Header[],
  body: string | Uint8Array | null,
): Body {
  if (body !== null && environ.REQUEST_METHOD === "HEAD") {
    startResponse(line, withLength(pairs, typeof body === "string" ? encoder.encode(body).length : body.length));
    return null;
  }
  startResponse(line, pairs);
  return body;
}

// Up to here a Blob is read at once, which gives one write; a longer one is sent as it is read.
const SMALL_BLOB = 262_144;

/** Replies with a Blob, whose length is known. */
export function sendBlob(
  environ: Environ,
  startResponse: StartResponse,
  line: string,
  pairs: readonly Header[],
  blob: Blob,
): MaybePromise<Body> {
  startResponse(line, withLength(pairs, blob.size));
  if (environ.REQUEST_METHOD === "HEAD" || blob.size === 0) return null;
  return blob.size <= SMALL_BLOB ? blob.arrayBuffer().then((buffer) => new Uint8Array(buffer)) : blob.stream();
}

/** Replies with a body that is read as it is sent; the answer to HEAD closes it unread. */
export function sendStream(
  environ: Environ,
  startResponse: StartResponse,
  line: string,
  pairs: readonly Header[],
  body: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
): MaybePromise<Body> {
  startResponse(line, pairs);
  if (environ.REQUEST_METHOD !== "HEAD") return body;
  return Promise.resolve(body instanceof ReadableStream ? body.cancel() : body[Symbol.asyncIterator]().return?.()).then(
    () => null,
  );
}
