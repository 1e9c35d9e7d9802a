// Decorators of views, and what they do to Vary and Cache-Control: by the cases of Django's tests/decorators and
// tests/cache.

import { describe, expect, test } from "vitest";
import type { View } from "../../src/handler/base.ts";
import { addNeverCacheHeaders, hasVaryHeader, patchCacheControl, patchVaryHeaders } from "../../src/handler/cache.ts";
import {
  cacheControl,
  conditionalPage,
  neverCache,
  requireGET,
  requireHttpMethods,
  requirePOST,
  requireSafe,
  varyOnCookie,
  varyOnHeaders,
} from "../../src/handler/decorators.ts";
import { csrfExempt } from "../../src/handler/middleware/csrf.ts";
import { noAppendSlash } from "../../src/handler/middleware/common.ts";
import { HttpResponse, StreamingHttpResponse } from "../../src/handler/response.ts";
import { makeSite } from "./middleware/site.ts";

const ok: View = () => new HttpResponse("ok");

describe("methods", () => {
  const site = makeSite([], {
    "get/": requireGET(ok),
    "post/": requirePOST(ok),
    "safe/": requireSafe(ok),
    "some/": requireHttpMethods(["PUT", "DELETE"])(ok),
  });

  test.each([
    ["/get/", "GET", null],
    ["/get/", "HEAD", "GET"],
    ["/get/", "POST", "GET"],
    ["/post/", "POST", null],
    ["/post/", "GET", "POST"],
    ["/safe/", "GET", null],
    ["/safe/", "HEAD", null],
    ["/safe/", "OPTIONS", "GET, HEAD"],
    ["/some/", "DELETE", null],
    ["/some/", "delete", "PUT, DELETE"],
    ["/some/", "PATCH", "PUT, DELETE"],
  ])("%s with %s: 405 with Allow %s, or 200", async (path, method, allow) => {
    const reply = await site.get({ path, method });
    expect([reply.status, reply.header("Allow")]).toEqual(allow === null ? [200, null] : [405, allow]);
    if (allow !== null) expect(site.records.at(-1)!.message).toBe(`Method Not Allowed (${method}): ${path}`);
  });
});

test("decorators keep the view's name and what is marked on it", () => {
  const list: View = () => new HttpResponse("list");
  const view = neverCache(requireSafe(csrfExempt(noAppendSlash(list))));
  expect(view.name).toBe("list");
  expect({ ...view }).toEqual({ csrfExempt: true, shouldAppendSlash: false });
  expect(list).not.toHaveProperty("csrfExempt");
});

test("neverCache", async () => {
  const reply = await makeSite([], { "": neverCache(ok) }).get();
  expect(reply.header("Cache-Control")).toBe("max-age=0, no-cache, no-store, must-revalidate, private");
  expect(Math.abs(Date.parse(reply.header("Expires")!) - Date.now())).toBeLessThan(5000);
  const own = new HttpResponse("", { headers: { Expires: "0" } });
  addNeverCacheHeaders(own);
  expect(own.headers.get("Expires")).toBe("0");
});

test("cacheControl, varyOnHeaders and varyOnCookie", async () => {
  const site = makeSite([], {
    "": cacheControl({ public: true, maxAge: 3600, staleWhileRevalidate: 60 })(ok),
    "vary/": varyOnHeaders("Accept-Language", "cookie")(varyOnCookie(ok)),
  });
  expect((await site.get()).header("Cache-Control")).toBe("public, max-age=3600, stale-while-revalidate=60");
  expect((await site.get("/vary/")).header("Vary")).toBe("Cookie, Accept-Language");
});

test("conditionalPage: ETag, and 304 (RFC 9110 §13.1.2)", async () => {
  const site = makeSite([], {
    "": conditionalPage(ok),
    "stream/": conditionalPage(() => new StreamingHttpResponse(["ok"])),
  });
  const etag = (await site.get()).header("ETag")!;
  expect(etag).toMatch(/^"[0-9a-f]+"$/);
  const again = await site.get({ path: "/", headers: { "If-None-Match": etag } });
  expect([again.status, again.text(), again.header("ETag")]).toEqual([304, "", etag]);
  expect((await site.get({ path: "/", headers: { "If-None-Match": '"other"' } })).status).toBe(200);
  expect((await site.get("/stream/")).header("ETag")).toBe(null);
});

describe("patchVaryHeaders", () => {
  test.each([
    [null, ["Accept-Encoding"], "Accept-Encoding"],
    [null, ["A", "a"], "A"],
    ["Cookie", ["Accept-Encoding"], "Cookie, Accept-Encoding"],
    ["Cookie", ["cookie"], "Cookie"],
    ["Cookie , Accept", ["COOKIE", "X"], "Cookie, Accept, X"],
    ["*", ["Cookie"], "*"],
    ["Cookie", ["*"], "*"],
    ["Cookie, *", ["Accept"], "*"],
    ["", ["Accept"], "Accept"],
    [",,", ["Accept"], "Accept"],
  ])("%j with %j: %j", (before, names, after) => {
    const response = new HttpResponse("", before === null ? {} : { headers: { Vary: before } });
    patchVaryHeaders(response, names);
    expect(response.headers.get("Vary")).toBe(after);
  });

  test("hasVaryHeader is of any case", () => {
    const response = new HttpResponse("", { headers: { Vary: "Cookie, Accept" } });
    expect([hasVaryHeader(response, "cookie"), hasVaryHeader(response, "Accept-Encoding")]).toEqual([true, false]);
    expect(hasVaryHeader(new HttpResponse(""), "cookie")).toBe(false);
  });
});

describe("patchCacheControl", () => {
  test.each([
    [null, { private: true }, "private"],
    ["", { private: true }, "private"],
    ["public", { private: true }, "private"],
    ["private", { public: true }, "public"],
    ["public", { public: true }, "public"],
    ["must-revalidate", { noTransform: true, sMaxage: 5 }, "must-revalidate, no-transform, s-maxage=5"],
    ["max-age=10", { maxAge: 20 }, "max-age=10"],
    ["max-age=30", { maxAge: 20 }, "max-age=20"],
    ["Max-Age=30 , NO-STORE", { maxAge: 20 }, "max-age=20, no-store"],
    ["max-age=x", { maxAge: 20 }, "max-age=20"],
    ['no-cache="Set-Cookie, X"', { maxAge: 1 }, 'no-cache="Set-Cookie, X", max-age=1'],
    ["no-cache, max-age=1", { noCache: false }, "max-age=1"],
    ['private="open', { maxAge: 1 }, 'private="open, max-age=1'],
  ])("%j with %j: %j", (before, directives, after) => {
    const response = new HttpResponse("", before === null ? {} : { headers: { "Cache-Control": before } });
    patchCacheControl(response, directives);
    expect(response.headers.get("Cache-Control")).toBe(after);
  });

  test.each([-1, 0.5, NaN, Infinity])("malformed: maxAge %d", (maxAge) => {
    expect(() => patchCacheControl(new HttpResponse(""), { maxAge })).toThrow(/max-age.*whole number of seconds/);
  });
});
