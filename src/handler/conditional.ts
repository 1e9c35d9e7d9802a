// Conditional requests (RFC 9110 §13): whether a client that has a copy needs the response. ConditionalGetMiddleware and
// FileResponse ask here; a view may, too, before it does what an If-Match makes conditional.

import { parseEtags, parseHttpDate } from "./http.ts";
import type { HttpRequest } from "./request.ts";
import { HttpResponse, HttpResponseNotModified } from "./response.ts";

/** What a 304 has of the 200 that it stands for (RFC 9110 §15.4.5), and Last-Modified, as in Django. */
const KEPT: ReadonlySet<string> = new Set([
  "cache-control",
  "content-location",
  "date",
  "etag",
  "expires",
  "last-modified",
  "vary",
]);

/**
 * `response`, or what is to be sent in its place: 304 where the client's copy is good, 412 where what it asks for has
 * changed. Closing the new response closes the old. See {@link conditionalStatus}. (Django's get_conditional_response.)
 */
export function conditional(request: HttpRequest, response: HttpResponse): HttpResponse {
  const status = conditionalStatus(request, response);
  if (status === null) return response;
  const headers = response.headers.entries().filter(([name]) => KEPT.has(name.toLowerCase()));
  const other = status === 304 ? new HttpResponseNotModified({ headers }) : new HttpResponse("", { status });
  for (const morsel of response.cookies.values()) other.setCookie(morsel.name, morsel.value, morsel);
  other.addCloser(() => response.close());
  return other;
}

/**
 * What the request's conditions make of `response`: 304, 412, or null for the response itself. They are compared with its
 * ETag and Last-Modified.
 *
 * As in RFC 9110 §13.2.2: If-Match counts before If-Unmodified-Since, If-None-Match before If-Modified-Since, and only a
 * successful response is conditional (§13.2.1). A condition that cannot be read is ignored.
 */
export function conditionalStatus(request: HttpRequest, response: HttpResponse): 304 | 412 | null {
  const { META, method } = request;
  const ifMatch = META.HTTP_IF_MATCH;
  const ifNoneMatch = META.HTTP_IF_NONE_MATCH;
  const ifModifiedSince = META.HTTP_IF_MODIFIED_SINCE;
  const ifUnmodifiedSince = META.HTTP_IF_UNMODIFIED_SINCE;
  if ((ifNoneMatch ?? ifModifiedSince ?? ifMatch ?? ifUnmodifiedSince) === undefined) return null;
  if (response.statusCode < 200 || response.statusCode > 299) return null;
  const etag = response.headers.get("ETag");
  const lastModified = timeOf(response.headers.get("Last-Modified"));
  const isRead = method === "GET" || method === "HEAD";

  if (ifMatch !== undefined) {
    if (!matchesStrongly(ifMatch, etag)) return 412;
  } else {
    const since = timeOf(ifUnmodifiedSince);
    if (since !== null && lastModified !== null && lastModified > since) return 412;
  }
  if (ifNoneMatch !== undefined) {
    if (matchesWeakly(ifNoneMatch, etag)) return isRead ? 304 : 412;
  } else if (isRead) {
    const since = timeOf(ifModifiedSince);
    if (since !== null && lastModified !== null && lastModified <= since) return 304;
  }
  return null;
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
