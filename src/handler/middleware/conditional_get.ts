// Spares a client what it has (Django's ConditionalGetMiddleware): an ETag for each response that can have one, and 304
// where the client's copy is good. The page is made all the same; what is spared is its way.

import type { MaybePromise } from "../../esgi/application.ts";
import type { MiddlewareMethods } from "../base.ts";
import { conditional } from "../conditional.ts";
import type { HttpRequest } from "../request.ts";
import type { HttpResponse } from "../response.ts";

/** Of GET and HEAD. A streamed response gets no ETag, nor does one that is not to be stored. */
export class ConditionalGetMiddleware implements MiddlewareMethods {
  processResponse(request: HttpRequest, response: HttpResponse): MaybePromise<HttpResponse> {
    if (request.method !== "GET" && request.method !== "HEAD") return response;
    if (needsEtag(response)) return setEtag(request, response);
    return conditional(request, response);
  }
}

function needsEtag(response: HttpResponse): boolean {
  const { headers } = response;
  return response.statusCode === 200 && !response.streaming && !headers.has("ETag") && response.tell() > 0 &&
    !/(?:^|,)\s*no-store\s*(?:,|$)/i.test(headers.get("Cache-Control") ?? "");
}

async function setEtag(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", response.content as Uint8Array<ArrayBuffer>));
  // 128 bits will do: nobody gains by two pages of ours that have one tag.
  const tag = Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  response.headers.set("ETag", `"${tag}"`);
  return conditional(request, response);
}
