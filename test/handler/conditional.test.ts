// RFC 9110 §13.2.2's order, by cases of a response with these two validators.

import { describe, expect, test, vi } from "vitest";
import { conditional, conditionalStatus } from "../../src/handler/conditional.ts";
import { HttpResponse } from "../../src/handler/response.ts";
import { answer, makeRequest } from "./answer.ts";

const ETAG = '"a"';
const BEFORE = "Wed, 01 Jan 2020 00:00:00 GMT";
const MODIFIED = "Thu, 02 Jan 2020 00:00:00 GMT";
const AFTER = "Fri, 03 Jan 2020 00:00:00 GMT";

function statusOf(
  fields: Record<string, string>,
  { method = "GET", etag = ETAG as string | null, modified = MODIFIED as string | null, status = 200 } = {},
): number | null {
  const response = new HttpResponse("x", { status });
  if (etag !== null) response.headers.set("ETag", etag);
  if (modified !== null) response.headers.set("Last-Modified", modified);
  return conditionalStatus(makeRequest({ method, headers: fields }), response);
}

describe("If-None-Match (RFC 9110 §13.1.2)", () => {
  test.each<[string, string | null, number | null]>([
    ['"a"', '"a"', 304],
    ['"b"', '"a"', null],
    ['"b", "a"', '"a"', 304],
    ['W/"a"', '"a"', 304],
    ['"a"', 'W/"a"', 304],
    ['W/"a"', 'W/"a"', 304],
    ["*", '"a"', 304],
    ["*", null, 304],
    ['"a"', null, null],
    ["a", '"a"', null],
    ["", '"a"', null],
    ['"a', '"a"', null],
  ])("%s against %s: %s", (field, etag, status) => {
    expect(statusOf({ "If-None-Match": field }, { etag })).toBe(status);
  });

  test.each(["PUT", "POST", "DELETE"])("is 412 for %s", (method) => {
    expect(statusOf({ "If-None-Match": ETAG }, { method })).toBe(412);
    expect(statusOf({ "If-None-Match": '"b"' }, { method })).toBe(null);
  });

  test("is 304 for HEAD", () => {
    expect(statusOf({ "If-None-Match": ETAG }, { method: "HEAD" })).toBe(304);
  });

  test("counts before If-Modified-Since", () => {
    expect(statusOf({ "If-None-Match": '"b"', "If-Modified-Since": AFTER })).toBe(null);
    expect(statusOf({ "If-None-Match": '"a"', "If-Modified-Since": BEFORE })).toBe(304);
  });
});

describe("If-Modified-Since (RFC 9110 §13.1.3)", () => {
  test.each<[string, number | null]>([
    [BEFORE, null],
    [MODIFIED, 304],
    [AFTER, 304],
    ["Thursday, 02-Jan-20 00:00:00 GMT", 304],
    ["not a date", null],
    ["2020-01-03", null],
    ["", null],
  ])("%s: %s", (field, status) => {
    expect(statusOf({ "If-Modified-Since": field })).toBe(status);
  });

  test("means nothing without Last-Modified, or for other methods than GET and HEAD", () => {
    expect(statusOf({ "If-Modified-Since": AFTER }, { modified: null })).toBe(null);
    expect(statusOf({ "If-Modified-Since": AFTER }, { modified: "nonsense" })).toBe(null);
    expect(statusOf({ "If-Modified-Since": AFTER }, { method: "POST" })).toBe(null);
    expect(statusOf({ "If-Modified-Since": AFTER }, { method: "HEAD" })).toBe(304);
  });
});

describe("If-Match (RFC 9110 §13.1.1)", () => {
  test.each<[string, string | null, number | null]>([
    ['"a"', '"a"', null],
    ['"b", "a"', '"a"', null],
    ['"b"', '"a"', 412],
    ["*", '"a"', null],
    ["*", null, null],
    ['"a"', null, 412],
    // Strong comparison (§8.8.3.2).
    ['W/"a"', '"a"', 412],
    ['W/"a"', 'W/"a"', 412],
    ['"a"', 'W/"a"', 412],
    ["nonsense", '"a"', 412],
  ])("%s against %s: %s", (field, etag, status) => {
    expect(statusOf({ "If-Match": field }, { etag })).toBe(status);
    expect(statusOf({ "If-Match": field }, { etag, method: "PUT" })).toBe(status);
  });

  test("counts before If-Unmodified-Since, and before If-None-Match", () => {
    expect(statusOf({ "If-Match": '"a"', "If-Unmodified-Since": BEFORE })).toBe(null);
    expect(statusOf({ "If-Match": '"b"', "If-None-Match": '"a"' })).toBe(412);
    expect(statusOf({ "If-Match": '"a"', "If-None-Match": '"a"' })).toBe(304);
  });
});

describe("If-Unmodified-Since (RFC 9110 §13.1.4)", () => {
  test.each<[string, number | null]>([[BEFORE, 412], [MODIFIED, null], [AFTER, null], ["nonsense", null]])(
    "%s: %s",
    (field, status) => {
      expect(statusOf({ "If-Unmodified-Since": field }, { method: "DELETE" })).toBe(status);
    },
  );
});

describe("conditional", () => {
  test("RFC 9110 §13.2.1: only a successful response is conditional", () => {
    for (const status of [301, 304, 404, 500]) expect(statusOf({ "If-None-Match": ETAG }, { status })).toBe(null);
    expect(statusOf({ "If-None-Match": ETAG }, { status: 203 })).toBe(304);
  });

  test("gives the response itself where nobody asks", () => {
    const response = new HttpResponse("x");
    expect(conditional(makeRequest(), response)).toBe(response);
  });

  test("RFC 9110 §15.4.5: a 304 has what a cache wants to know, and the cookies", async () => {
    const kept = {
      "Cache-Control": "max-age=5",
      "Content-Location": "/x",
      ETag: ETAG,
      Expires: AFTER,
      "Last-Modified": MODIFIED,
      Vary: "Cookie",
    };
    const response = new HttpResponse("x", { headers: { ...kept, "Content-Language": "en", "X-A": "1" } });
    response.setCookie("a", "b; c", { secure: true });
    const reply = await answer(conditional(makeRequest({ headers: { "If-None-Match": ETAG } }), response));
    expect(reply.status).toBe(304);
    expect(reply.headers).toEqual([...Object.entries(kept), ["Set-Cookie", "a=b%3B%20c; Path=/; Secure"]]);
  });

  test("a 412 is empty", async () => {
    const response = new HttpResponse("x", { headers: { ETag: ETAG } });
    const reply = await answer(conditional(makeRequest({ headers: { "If-Match": '"b"' } }), response));
    expect([reply.status, reply.text(), reply.header("ETag")]).toEqual([412, "", null]);
  });

  test("closing what is sent in its place closes the response", () => {
    const close = vi.fn();
    const response = new HttpResponse("x", { headers: { ETag: ETAG } });
    response.addCloser(close);
    conditional(makeRequest({ headers: { "If-None-Match": ETAG } }), response).close();
    expect(close).toHaveBeenCalledTimes(1);
  });
});
