// Spares a client what it has (Django's ConditionalGetMiddleware): an ETag for each response that can have one, and 304
// where the client's copy is good. The page is made all the same; what is spared is its way.

import type { Chunk } from "../../esgi/body.ts";
import type { MiddlewareMethods } from "../base.ts";
import { conditional } from "../conditional.ts";
import type { HttpRequest } from "../request.ts";
import type { HttpResponse } from "../response.ts";

/** Of GET and HEAD. A streamed response gets no ETag, nor does one that is not to be stored. */
export class ConditionalGetMiddleware implements MiddlewareMethods {
  processResponse(request: HttpRequest, response: HttpResponse): HttpResponse {
    if (request.method !== "GET" && request.method !== "HEAD") return response;
    if (needsEtag(response)) return setEtag(request, response);
    return conditional(request, response);
  }
}

function needsEtag(response: HttpResponse): boolean {
  const { headers } = response;
  if (response.statusCode !== 200 || response.streaming || headers.has("ETag") || response.tell() === 0) return false;
  const cacheControl = headers.get("Cache-Control");
  return cacheControl === null || !/(?:^|,)\s*no-store\s*(?:,|$)/i.test(cacheControl);
}

function setEtag(request: HttpRequest, response: HttpResponse): HttpResponse {
  response.headers.append("ETag", etagOf(response.whole));
  return conditional(request, response);
}

/**
 * 64 bits of the content (the two lanes of cyrb53): enough to tell versions of a page apart, and nobody gains by two pages
 * of ours that have one tag. Text is not encoded for it. Not crypto.subtle's: its promise and its thread cost more than
 * all else that a server and a handler do for a small page.
 */
function etagOf(content: Chunk): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < content.length; i++) {
    const unit = typeof content === "string" ? content.charCodeAt(i) : content[i]!;
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  const first = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  const second = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(first ^ (first >>> 13), 3266489909);
  return quotedHex(first, second);
}

const DIGITS = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

/**
 * Both words in hexadecimal, between quotation marks. Made at once: what is joined of pieces is put together only when it is
 * looked at, which took five times as long on Node, more than the digest itself.
 */
function quotedHex(a: number, b: number): string {
  // deno-fmt-ignore
  return String.fromCharCode(
    0x22,
    DIGITS[a >>> 28]!, DIGITS[a >>> 24 & 15]!, DIGITS[a >>> 20 & 15]!, DIGITS[a >>> 16 & 15]!,
    DIGITS[a >>> 12 & 15]!, DIGITS[a >>> 8 & 15]!, DIGITS[a >>> 4 & 15]!, DIGITS[a & 15]!,
    DIGITS[b >>> 28]!, DIGITS[b >>> 24 & 15]!, DIGITS[b >>> 20 & 15]!, DIGITS[b >>> 16 & 15]!,
    DIGITS[b >>> 12 & 15]!, DIGITS[b >>> 8 & 15]!, DIGITS[b >>> 4 & 15]!, DIGITS[b & 15]!,
    0x22,
  );
}
