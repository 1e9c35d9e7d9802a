// Compresses responses, by gzip or Brotli (Django's middleware/gzip.py). Not for pages whose secrets stand beside what a
// client sends, unless one trusts breach.ts to hide them. The compressing itself is the adapters'.

import type { MaybePromise } from "../../esgi/application.ts";
import type { MiddlewareFactory } from "../base.ts";
import { patchVaryHeaders } from "../cache.ts";
import { weakEtag } from "../http.ts";
import type { HttpRequest } from "../request.ts";
import { type HttpResponse, StreamingHttpResponse } from "../response.ts";
import { acceptedEncodings, type Encoding } from "./accept_encoding.ts";
import { brotliEnd, padGzip } from "./breach.ts";

/**
 * What compresses: `compression` of "tricorn", by node:zlib. The web's CompressionStream has no Brotli everywhere, and
 * cannot flush. A gzip stream begins with the plain header of 10 bytes; a Brotli stream is flushed, and not finished.
 */
export interface Compression {
  compress(encoding: Encoding, content: Uint8Array): MaybePromise<Uint8Array>;
  /** Each chunk is flushed: what was made of it waits for no other. */
  compressSequence(encoding: Encoding, chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** Shorter content is not worth it, as Django has measured. */
const MIN_LENGTH = 200;

/** What is not compressed already. */
const COMPRESSIBLE = new RegExp(
  "^(?:text/|[^;]*[/+](?:json|xml|javascript|x-javascript|x-ndjson|wasm|vnd\\.ms-fontobject)\\b" +
    "|font/(?:otf|ttf)\\b|image/(?:bmp|x-icon|vnd\\.microsoft\\.icon)\\b)",
  "i",
);

/**
 * Compresses what its client takes compressed, is 200 bytes or more, and of a type for which it pays; chunk by chunk what
 * is streamed. Sets Content-Encoding and Vary, corrects Content-Length, and weakens the ETag.
 *
 * It leaves alone: parts (206), what has a Content-Encoding, and `Cache-Control: no-transform` (RFC 9111 §5.2.2.6).
 */
export function gzipMiddleware(compression: Compression): MiddlewareFactory {
  return () => ({
    processResponse(request: HttpRequest, response: HttpResponse): MaybePromise<HttpResponse> {
      if (!isCompressible(response)) return response;
      patchVaryHeaders(response, ["Accept-Encoding"]);
      const encoding = acceptedEncodings(request.META.HTTP_ACCEPT_ENCODING)[0];
      if (encoding === undefined) return response;
      if (!(response instanceof StreamingHttpResponse)) return compressContent(compression, encoding, response);
      response.streamingContent = compressSequence(compression, encoding, response.streamingContent);
      response.headers.delete("Content-Length");
      return encoded(encoding, response);
    },
  });
}

function isCompressible(response: HttpResponse): boolean {
  const { headers, statusCode } = response;
  if (statusCode < 200 || statusCode === 204 || statusCode === 206 || statusCode === 304) return false;
  if (!response.streaming && response.tell() < MIN_LENGTH) return false;
  if (headers.has("Content-Encoding") || !COMPRESSIBLE.test(headers.get("Content-Type") ?? "")) return false;
  return !/(?:^|,)\s*no-transform\s*(?:,|$)/i.test(headers.get("Cache-Control") ?? "");
}

async function compressContent(
  compression: Compression,
  encoding: Encoding,
  response: HttpResponse,
): Promise<HttpResponse> {
  const { content } = response;
  const compressed = await compression.compress(encoding, content);
  const padded = encoding === "gzip" ? padGzip(compressed) : concat(compressed, brotliEnd());
  if (padded.length >= content.length) return response;
  response.content = padded;
  response.headers.set("Content-Length", String(padded.length));
  return encoded(encoding, response);
}

async function* compressSequence(
  compression: Compression,
  encoding: Encoding,
  chunks: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const compressed = compression.compressSequence(encoding, chunks);
  if (encoding === "br") {
    yield* compressed;
    yield brotliEnd();
    return;
  }
  let first = true;
  for await (const chunk of compressed) {
    yield first ? padGzip(chunk) : chunk;
    first = false;
  }
}

function encoded(encoding: Encoding, response: HttpResponse): HttpResponse {
  const { headers } = response;
  headers.set("Content-Encoding", encoding);
  const etag = headers.get("ETag");
  // Other bytes of the same meaning (RFC 9110 §8.8.3.3).
  if (etag !== null) headers.set("ETag", weakEtag(etag));
  return response;
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
