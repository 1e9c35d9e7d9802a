// Conditional requests (RFC 9110 §13): whether a client that has a copy needs the response. Used by ConditionalGetMiddleware
// and by FileResponse; a view may call it, too, before it does what an If-Match makes conditional.

import { parseEtags, parseHttpDate } from "./http.ts";
import type { HttpRequest } from "./request.ts";
import { HttpResponse, HttpResponseNotModified } from "./response.ts";

/** What a 304 has of the 200 that it stands for (RFC 9110 §15.4.5), and Django's Last-Modified. */
const KEPT = ["Cache-Control", "Content-Location", "Date", "ETag", "Expires", "Last-Modified", "Vary"];

/**
 * `response`, or what is to be sent in its place: 304 where the client's copy is good, 412 where what it asks for has
 * changed. Its ETag and Last-Modified are what the conditions are compared with.
 *
 * As in RFC 9110 §13.2.2: If-Match counts before If-Unmodified-Since, If-None-Match before If-Modified-Since, and only a
 * successful response is conditional (§13.2.1). What cannot be read is ignored. Closing the new response closes the old.
 * (Django's get_conditional_response.)
 */
export function conditional(request: HttpRequest, response: HttpResponse): HttpResponse {
  const { META, method } = request;
  if (
    META.HTTP_IF_NONE_MATCH === undefined && META.HTTP_IF_MODIFIED_SINCE === undefined &&
    META.HTTP_IF_MATCH === undefined && META.HTTP_IF_UNMODIFIED_SINCE === undefined
  ) return response;
  if (response.statusCode < 200 || response.statusCode > 299) return response;
  const etag = response.headers.get("ETag");
  const lastModified = timeOf(response.headers.get("Last-Modified"));
  const isRead = method === "GET" || method === "HEAD";

  if (META.HTTP_IF_MATCH !== undefined) {
    if (!matchesStrongly(META.HTTP_IF_MATCH, etag)) return preconditionFailed(response);
  } else {
    const since = timeOf(META.HTTP_IF_UNMODIFIED_SINCE);
    if (since !== null && lastModified !== null && lastModified > since) return preconditionFailed(response);
  }
  if (META.HTTP_IF_NONE_MATCH !== undefined) {
    if (matchesWeakly(META.HTTP_IF_NONE_MATCH, etag)) {
      return isRead ? notModified(response) : preconditionFailed(response);
    }
  } else if (isRead) {
    const since = timeOf(META.HTTP_IF_MODIFIED_SINCE);
    if (since !== null && lastModified !== null && lastModified <= since) return notModified(response);
  }
  return response;
}

function timeOf(date: string | null | undefined): number | null {
  return date === null || date === undefined ? null : parseHttpDate(date);
}

/** RFC 9110 §13.1.1, §8.8.3.2: "*" for any representation, which a successful response is; no weak tag matches. */
function matchesStrongly(field: string, etag: string | null): boolean {
  const tags = parseEtags(field);
  return tags[0] === "*" || (etag !== null && !etag.startsWith("W/") && tags.includes(etag));
}

/** RFC 9110 §13.1.2, §8.8.3.2: weak or not, it is the same. */
function matchesWeakly(field: string, etag: string | null): boolean {
  const tags = parseEtags(field);
  return tags[0] === "*" || (etag !== null && tags.some((tag) => opaque(tag) === opaque(etag)));
}

function opaque(etag: string): string {
  return etag.startsWith("W/") ? etag.slice(2) : etag;
}

function notModified(response: HttpResponse): HttpResponse {
  const headers = response.headers.entries().filter(([name]) =>
    KEPT.some((kept) => kept.toLowerCase() === name.toLowerCase())
  );
  return inPlaceOf(response, new HttpResponseNotModified({ headers }));
}

function preconditionFailed(response: HttpResponse): HttpResponse {
  return inPlaceOf(response, new HttpResponse("", { status: 412 }));
}

function inPlaceOf(response: HttpResponse, other: HttpResponse): HttpResponse {
  for (const morsel of response.cookies.values()) other.setCookie(morsel.name, morsel.value, morsel);
  other.addCloser(() => response.close());
  return other;
}
