// The fields that tell caches what a response depends on and how long it is good for: Vary, Cache-Control, Expires. As
// django/utils/cache.py. There is no cache here.

import { httpDate } from "./http.ts";
import type { HttpResponse } from "./response.ts";

/** The directives of Cache-Control (RFC 9111 §5.2.2, RFC 8246, RFC 5861). Times are seconds. */
export interface CacheControl {
  readonly maxAge?: number;
  readonly sMaxage?: number;
  readonly staleWhileRevalidate?: number;
  readonly staleIfError?: number;
  readonly public?: boolean;
  readonly private?: boolean;
  readonly noCache?: boolean;
  readonly noStore?: boolean;
  readonly noTransform?: boolean;
  readonly mustRevalidate?: boolean;
  readonly mustUnderstand?: boolean;
  readonly proxyRevalidate?: boolean;
  readonly immutable?: boolean;
}

/** The members of a list field, without white space around them; a quoted string may hold a comma (RFC 9110 §5.6.1). */
function membersOf(value: string | null | undefined): string[] {
  const members = value?.match(/(?:"(?:\\.|[^"\\])*"?|[^",])+/g) ?? [];
  return members.map((member) => member.trim()).filter((member) => member !== "");
}

/** Adds field names to the response's Vary, unless they are there; "*" makes the others meaningless (RFC 9110 §12.5.5). */
export function patchVaryHeaders(response: HttpResponse, names: readonly string[]): void {
  const vary = membersOf(response.headers.get("Vary"));
  const seen = new Set(vary.map((name) => name.toLowerCase()));
  for (const name of names) {
    if (seen.has(name.toLowerCase())) continue;
    seen.add(name.toLowerCase());
    vary.push(name);
  }
  response.headers.set("Vary", seen.has("*") ? "*" : vary.join(", "));
}

/** Whether the response's Vary has the field name. */
export function hasVaryHeader(response: HttpResponse, name: string): boolean {
  return membersOf(response.headers.get("Vary")).some((one) => one.toLowerCase() === name.toLowerCase());
}

/**
 * Adds directives to the response's Cache-Control; `false` takes one away. Of two `maxAge` the smaller counts, and of
 * `public` and `private` the later one.
 *
 * @throws {RangeError} for a time that is not a whole number of seconds from 0 on.
 */
export function patchCacheControl(response: HttpResponse, directives: CacheControl): void {
  const all = new Map<string, string | null>();
  for (const member of membersOf(response.headers.get("Cache-Control"))) {
    const equals = member.indexOf("=");
    if (equals < 0) all.set(member.toLowerCase(), null);
    else all.set(member.slice(0, equals).trim().toLowerCase(), member.slice(equals + 1).trim());
  }
  for (const [key, value] of Object.entries(directives) as [keyof CacheControl, number | boolean | undefined][]) {
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (typeof value === "number") {
      if (!Number.isSafeInteger(value) || value < 0) {
        throw new RangeError(`Cache-Control's ${name} is ${value}; it must be a whole number of seconds, 0 or more`);
      }
      const before = name === "max-age" ? Number(all.get(name) ?? Infinity) : Infinity;
      all.set(name, String(Number.isNaN(before) ? value : Math.min(before, value)));
    } else if (value === true) {
      if (name === "public") all.delete("private");
      if (name === "private") all.delete("public");
      all.set(name, null);
    } else if (value === false) {
      all.delete(name);
    }
  }
  response.headers.set(
    "Cache-Control",
    [...all].map(([name, value]) => value === null ? name : `${name}=${value}`).join(", "),
  );
}

/** Says that the response is not to be kept by anybody, in the words of every age of caches. */
export function addNeverCacheHeaders(response: HttpResponse): void {
  response.headers.setDefault("Expires", httpDate());
  patchCacheControl(response, { maxAge: 0, noCache: true, noStore: true, mustRevalidate: true, private: true });
}
