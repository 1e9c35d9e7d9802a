// CsrfViewMiddleware, by the cases of Django's tests/csrf_tests: each way in which a request may fail to show where it
// comes from, and that all others pass.

import { describe, expect, test } from "vitest";
import type { CallOptions, Reply } from "../../../src/esgi/testing.ts";
import type { View } from "../../../src/handler/base.ts";
import {
  csrfExempt,
  csrfProtect,
  CsrfViewMiddleware,
  DONT_ENFORCE_CSRF_CHECKS,
  ensureCsrfCookie,
  getToken,
  parseOrigin,
  rotateToken,
} from "../../../src/handler/middleware/csrf.ts";
import { maskSecret, unmaskToken } from "../../../src/handler/middleware/csrf_token.ts";
import { isSameDomain } from "../../../src/handler/http.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import type { HandlerSettings } from "../../../src/handler/settings.ts";
import { makeSite, type Site } from "./site.ts";

const SECRET = "lcccccccX2kcccccccY2jcccccccssIC";
const OTHER = "0123456789abcdefghijklmnopqrstuv";

const VIEWS: Readonly<Record<string, View>> = {
  "form/": (request) => new HttpResponse(getToken(request)),
  "plain/": (request) => new HttpResponse(`done ${request.method}`),
  "body/": async (request) => new HttpResponse((await request.POST).get("name") ?? "none"),
  "exempt/": csrfExempt((request) => new HttpResponse(`exempt ${request.method}`)),
  "exempt-form/": csrfExempt((request) => new HttpResponse(getToken(request))),
  "login/": (request) => {
    const before = getToken(request);
    rotateToken(request);
    return new HttpResponse(`${before} ${getToken(request)}`);
  },
  "stream/": async (request) => {
    let size = 0;
    for await (const chunk of request.stream()) size += chunk.length;
    return new HttpResponse(String(size));
  },
};

const site = (settings: HandlerSettings = {}): Site => makeSite([CsrfViewMiddleware], VIEWS, settings);

interface Sent extends CallOptions {
  readonly cookie?: string;
  readonly token?: string;
  readonly header?: string;
  readonly origin?: string;
  readonly referer?: string;
  readonly host?: string;
  readonly secure?: boolean;
}

/** A POST with a form. */
function post(path: string, { cookie, token, header, origin, referer, host, secure, ...rest }: Sent = {}): CallOptions {
  const form = new URLSearchParams({ name: "x" });
  if (token !== undefined) form.set("csrfmiddlewaretoken", token);
  const headers: Record<string, string> = { Host: host ?? "example.com" };
  if (cookie !== undefined) headers.Cookie = `csrftoken=${cookie}`;
  if (header !== undefined) headers["X-CSRFToken"] = header;
  if (origin !== undefined) headers.Origin = origin;
  if (referer !== undefined) headers.Referer = referer;
  return { path, method: "POST", headers, body: form, scheme: secure === true ? "https" : "http", ...rest };
}

/** The reason in the log, for a reply of 403. */
function refusal(reply: Reply, { records }: Site): string {
  expect(reply.status).toBe(403);
  expect(reply.text()).toContain("CSRF verification failed");
  const record = records.at(-1)!;
  expect(record).toMatchObject({ logger: "tricorn.security.csrf", level: "warning", status: 403 });
  return /^Forbidden \((.*)\): \//s.exec(record.message)?.[1] ?? record.message;
}

/** The token of the cookie that a reply sets; null where it sets none. */
function cookieOf(reply: Reply): string | null {
  return /csrftoken=([^;]*)/.exec(reply.header("Set-Cookie") ?? "")?.[1] ?? null;
}

describe("safe requests", () => {
  test.each(["GET", "HEAD", "OPTIONS", "TRACE"])("%s needs no token (RFC 9110 §9.2.1)", async (method) => {
    expect((await site().get({ path: "/plain/", method })).status).toBe(200);
  });

  test("a page that uses no token sets no cookie, and does not vary", async () => {
    const reply = await site().get({ path: "/plain/", headers: { Cookie: `csrftoken=${SECRET}` } });
    expect(reply.header("Set-Cookie")).toBe(null);
    expect(reply.header("Vary")).toBe(null);
  });

  test("getToken sets the cookie, by the settings, and Vary", async () => {
    const reply = await site().get("/form/");
    const secret = cookieOf(reply)!;
    expect(secret).toMatch(/^[a-zA-Z0-9]{32}$/);
    expect(unmaskToken(reply.text())).toBe(secret);
    expect(reply.header("Set-Cookie")).toMatch(/; Max-Age=31449600/i);
    expect(reply.header("Set-Cookie")).toMatch(/; Path=\//);
    expect(reply.header("Set-Cookie")).toMatch(/; SameSite=Lax/);
    expect(reply.header("Set-Cookie")).not.toMatch(/secure|httponly|domain/i);
    expect(reply.header("Vary")).toBe("Cookie");
    const other = await site({
      CSRF_COOKIE_NAME: "c",
      CSRF_COOKIE_AGE: null,
      CSRF_COOKIE_DOMAIN: ".example.com",
      CSRF_COOKIE_PATH: "/form/",
      CSRF_COOKIE_SECURE: true,
      CSRF_COOKIE_HTTPONLY: true,
      CSRF_COOKIE_SAMESITE: "Strict",
    }).get("/form/");
    const attributes = other.header("Set-Cookie")!.split("; ");
    expect(attributes[0]).toMatch(/^c=[a-zA-Z0-9]{32}$/);
    expect(attributes.slice(1).sort()).toEqual(
      ["Domain=.example.com", "HttpOnly", "Path=/form/", "SameSite=Strict", "Secure"],
    );
  });

  test("a cookie that is there keeps its secret, and is renewed", async () => {
    const reply = await site().get({ path: "/form/", headers: { Cookie: `csrftoken=${SECRET}` } });
    expect(cookieOf(reply)).toBe(SECRET);
    expect(unmaskToken(reply.text())).toBe(SECRET);
  });

  test("a masked cookie, as Django before 4.1 set it, is unmasked", async () => {
    const reply = await site().get({ path: "/form/", headers: { Cookie: `csrftoken=${maskSecret(SECRET)}` } });
    expect(cookieOf(reply)).toBe(SECRET);
  });

  test.each(["", "short", "!".repeat(32), `${SECRET}x`, "é".repeat(32)])(
    "malformed: the cookie %j is replaced",
    async (cookie) => {
      const reply = await site().get({
        path: "/plain/",
        headers: [["Cookie", `csrftoken=${encodeURIComponent(cookie)}`]],
      });
      expect(reply.status).toBe(200);
      expect(cookieOf(reply)).toMatch(/^[a-zA-Z0-9]{32}$/);
    },
  );
});

describe("the token", () => {
  test.each(["POST", "PUT", "PATCH", "DELETE", "LINK", "post"])(
    "%s without a cookie is refused, so nobody forges a login",
    async (method) => {
      const one = site();
      expect(refusal(await one.get(post("/plain/", { method, token: maskSecret(SECRET) })), one)).toBe(
        "CSRF cookie not set.",
      );
    },
  );

  test("in the form, masked, passes", async () => {
    const reply = await site().get(post("/body/", { cookie: SECRET, token: maskSecret(SECRET) }));
    expect([reply.status, reply.text()]).toEqual([200, "x"]);
  });

  test("in the form, as the bare secret, passes: a script may have read the cookie", async () => {
    expect((await site().get(post("/plain/", { cookie: SECRET, token: SECRET }))).status).toBe(200);
  });

  test("against a masked cookie passes", async () => {
    const reply = await site().get(post("/plain/", { cookie: maskSecret(SECRET), token: maskSecret(SECRET) }));
    expect(reply.status).toBe(200);
  });

  test("in a multipart form passes", async () => {
    const form = new FormData();
    form.set("csrfmiddlewaretoken", maskSecret(SECRET));
    form.set("name", "multi");
    const reply = await site().get({ ...post("/body/", { cookie: SECRET }), body: form });
    expect([reply.status, reply.text()]).toEqual([200, "multi"]);
  });

  test.each(["POST", "PUT", "PATCH", "DELETE"])("in the header passes with %s", async (method) => {
    expect((await site().get(post("/plain/", { method, cookie: SECRET, header: maskSecret(SECRET) }))).status).toBe(
      200,
    );
  });

  test("in the header leaves the body to the view, which may stream it", async () => {
    const reply = await site().get(post("/stream/", { cookie: SECRET, header: maskSecret(SECRET), token: "ignored" }));
    expect([reply.status, reply.text()]).toEqual([200, String("name=x&csrfmiddlewaretoken=ignored".length)]);
  });

  test("in another header, by CSRF_HEADER_NAME", async () => {
    const one = site({ CSRF_HEADER_NAME: "HTTP_X_XSRF_TOKEN" });
    const { headers, ...rest } = post("/plain/", { cookie: SECRET });
    const named = { ...headers as Record<string, string>, "X-XSRF-Token": SECRET };
    expect((await one.get({ ...rest, headers: named })).status).toBe(200);
    const wrong = { ...headers as Record<string, string>, "X-XSRF-Token": OTHER };
    expect(refusal(await one.get({ ...rest, headers: wrong }), one)).toBe(
      "CSRF token from the 'X-Xsrf-Token' HTTP header incorrect.",
    );
  });

  test("in the form of a PUT is not looked for", async () => {
    const one = site();
    expect(refusal(await one.get(post("/plain/", { method: "PUT", cookie: SECRET, token: SECRET })), one)).toBe(
      "CSRF token missing.",
    );
  });

  test.each([
    ["missing", {}, "CSRF token missing."],
    ["empty", { token: "" }, "CSRF token missing."],
    ["of another secret", { token: maskSecret(OTHER) }, "CSRF token from POST incorrect."],
    ["another secret", { token: OTHER }, "CSRF token from POST incorrect."],
    ["short", { token: "abc" }, "CSRF token from POST has incorrect length."],
    ["long", { token: "a".repeat(65) }, "CSRF token from POST has incorrect length."],
    ["with other characters", { token: "*".repeat(64) }, "CSRF token from POST has invalid characters."],
    ["header, of another secret", { header: OTHER }, "CSRF token from the 'X-Csrftoken' HTTP header incorrect."],
    ["header, short", { header: "abc" }, "CSRF token from the 'X-Csrftoken' HTTP header has incorrect length."],
    ["header, empty", { header: "" }, "CSRF token from the 'X-Csrftoken' HTTP header has incorrect length."],
    [
      "header, with other characters",
      { header: "-".repeat(64) },
      "CSRF token from the 'X-Csrftoken' HTTP header has invalid characters.",
    ],
    ["wrong in the form and in the header", { token: OTHER, header: OTHER }, "CSRF token from POST incorrect."],
  ])("%s: refused", async (_name, sent, reason) => {
    const one = site();
    expect(refusal(await one.get(post("/plain/", { cookie: SECRET, ...sent })), one)).toBe(reason);
  });

  test("wrong in the form, right in the header: passes", async () => {
    expect((await site().get(post("/plain/", { cookie: SECRET, token: OTHER, header: SECRET }))).status).toBe(200);
  });

  test.each([
    ["abc", "CSRF cookie has incorrect length."],
    ["*".repeat(32), "CSRF cookie has invalid characters."],
  ])("against the cookie %j: refused", async (cookie, reason) => {
    const one = site();
    const reply = await one.get(post("/plain/", { cookie, token: cookie }));
    expect(refusal(reply, one)).toBe(reason);
    expect(cookieOf(reply)).toMatch(/^[a-zA-Z0-9]{32}$/);
  });

  test("two values in the form: the last counts, as everywhere", async () => {
    const one = site();
    const body = `csrfmiddlewaretoken=${SECRET}&csrfmiddlewaretoken=${OTHER}`;
    const type = { "Content-Type": "application/x-www-form-urlencoded" };
    const { headers } = post("/plain/", { cookie: SECRET });
    const reply = await one.get({ path: "/plain/", method: "POST", headers: { ...headers as object, ...type }, body });
    expect(refusal(reply, one)).toBe("CSRF token from POST incorrect.");
  });

  test("a body that is too large is answered with 413, and one that is malformed with 400: not with 403", async () => {
    const one = site({ DATA_UPLOAD_MAX_MEMORY_SIZE: 10 });
    expect((await one.get(post("/plain/", { cookie: SECRET, token: SECRET }))).status).toBe(413);
    const malformed = { "Content-Type": "multipart/form-data" };
    const { headers } = post("/plain/", { cookie: SECRET });
    const reply = await site().get({
      path: "/plain/",
      method: "POST",
      headers: { ...headers as object, ...malformed },
      body: "x",
    });
    expect(reply.status).toBe(400);
  });

  test("rotateToken: another secret, and tokens from before are worth nothing", async () => {
    const reply = await site().get({ path: "/login/", headers: { Cookie: `csrftoken=${SECRET}` } });
    const [before, after] = reply.text().split(" ");
    expect(unmaskToken(before!)).toBe(SECRET);
    const rotated = cookieOf(reply)!;
    expect(rotated).not.toBe(SECRET);
    expect(unmaskToken(after!)).toBe(rotated);
    expect((await site().get(post("/plain/", { cookie: rotated, token: before! }))).status).toBe(403);
    expect((await site().get(post("/plain/", { cookie: rotated, token: after! }))).status).toBe(200);
  });
});

describe("Origin", () => {
  const sent: Sent = { cookie: SECRET, token: SECRET };
  const trusted = {
    CSRF_TRUSTED_ORIGINS: ["https://dashboard.example.org", "https://*.example.net", "http://*.example.net:8080"],
  };

  test.each([
    ["http://example.com", false],
    ["https://example.com", true],
  ])("%s is our own, secure: %s", async (origin, secure) => {
    expect((await site().get(post("/plain/", { ...sent, origin, secure }))).status).toBe(200);
  });

  test("with a port, where the request has it", async () => {
    const host = "example.com:8000";
    expect((await site().get(post("/plain/", { ...sent, host, origin: "http://example.com:8000" }))).status).toBe(200);
    const one = site();
    expect(refusal(await one.get(post("/plain/", { ...sent, host, origin: "http://example.com" })), one)).toBe(
      "Origin checking failed - http://example.com does not match any trusted origins.",
    );
  });

  test.each([
    ["https://dashboard.example.org"],
    ["https://a.example.net"],
    ["https://a.b.example.net"],
    ["https://example.net"],
    ["http://a.example.net:8080"],
  ])("%s is trusted by CSRF_TRUSTED_ORIGINS", async (origin) => {
    for (const secure of [false, true]) {
      expect((await site(trusted).get(post("/plain/", { ...sent, origin, secure }))).status).toBe(200);
    }
  });

  test.each([
    ["null"],
    [""],
    ["https://evil.org"],
    ["https://example.com"],
    ["http://example.com.evil.org"],
    ["http://EXAMPLE.com"],
    ["http://dashboard.example.org"],
    ["https://dashboard.example.org:8443"],
    ["https://x.dashboard.example.org"],
    ["http://a.example.net"],
    ["https://a.example.net:8080"],
    ["https://evilexample.net"],
    ["https://example.net.evil.org"],
    ["https://evil.org/.example.net"],
    ["https://evil.org\\.example.net"],
    ["https://evil.org#.example.net"],
    ["https://evil.org?.example.net"],
    ["https://evil.org @a.example.net"],
    ["https://a.example.net@evil.org"],
    ["https://["],
    ["//a.example.net"],
    ["a.example.net"],
    ["javascript:alert(1)"],
    ["file://"],
  ])("%j is not, over plain HTTP: refused whatever the token", async (origin) => {
    const one = site(trusted);
    expect(refusal(await one.get(post("/plain/", { ...sent, origin })), one)).toBe(
      `Origin checking failed - ${origin} does not match any trusted origins.`,
    );
  });

  test("is compared with the host only where that is one of ours", async () => {
    const one = site();
    const evil = { ...sent, host: "evil.org", origin: "http://evil.org" };
    expect(refusal(await one.get(post("/plain/", evil)), one)).toContain("Origin checking failed");
  });

  test("where it is there, Referer does not count", async () => {
    const one = { ...sent, secure: true, origin: "https://example.com", referer: "https://evil.org/" };
    expect((await site().get(post("/plain/", one))).status).toBe(200);
  });

  test("behind a proxy that speaks TLS: https by SECURE_PROXY_SSL_HEADER", async () => {
    const one = site({ SECURE_PROXY_SSL_HEADER: ["HTTP_X_FORWARDED_PROTO", "https"] });
    const { headers, ...rest } = post("/plain/", { ...sent, origin: "https://example.com" });
    const proxied = { ...headers as object, "X-Forwarded-Proto": "https" };
    expect((await one.get({ ...rest, headers: proxied })).status).toBe(200);
  });
});

describe("Referer, over TLS, where there is no Origin", () => {
  const sent: Sent = { cookie: SECRET, token: SECRET, secure: true };

  test("is not asked for over plain HTTP", async () => {
    const plain = { ...sent, secure: false, referer: "http://evil.org/" };
    expect((await site().get(post("/plain/", plain))).status).toBe(200);
  });

  test.each([
    "https://example.com",
    "https://example.com/",
    "https://example.com/a?b#c",
  ])("%s is our own", async (referer) => {
    expect((await site().get(post("/plain/", { ...sent, referer }))).status).toBe(200);
  });

  test.each([
    ["", "Referer checking failed - Referer is malformed."],
    ["example.com/", "Referer checking failed - Referer is malformed."],
    ["//example.com/", "Referer checking failed - Referer is malformed."],
    ["https:", "Referer checking failed - Referer is malformed."],
    ["https://", "Referer checking failed - Referer is malformed."],
    ["https:///path", "Referer checking failed - Referer is malformed."],
    ["https://evil.org\\example.com/", "Referer checking failed - Referer is malformed."],
    ["https://example.com@evil.org/", "Referer checking failed - Referer is malformed."],
    ["http://example.com/", "Referer checking failed - Referer is insecure while host is secure."],
    ["https://evil.org/", "Referer checking failed - https://evil.org/ does not match any trusted origins."],
    [
      "https://example.com.evil.org/",
      "Referer checking failed - https://example.com.evil.org/ does not match any trusted origins.",
    ],
    [
      "https://example.com:8443/",
      "Referer checking failed - https://example.com:8443/ does not match any trusted origins.",
    ],
  ])("%j: refused", async (referer, reason) => {
    const one = site();
    expect(refusal(await one.get(post("/plain/", { ...sent, referer })), one)).toBe(reason);
  });

  test("none: refused", async () => {
    const one = site();
    expect(refusal(await one.get(post("/plain/", sent)), one)).toBe("Referer checking failed - no Referer.");
  });

  test("of a host that is not ours: refused", async () => {
    const one = site();
    const evil = { ...sent, host: "evil.org", referer: "https://evil.org/" };
    expect(refusal(await one.get(post("/plain/", evil)), one)).toBe(
      "Referer checking failed - https://evil.org/ does not match any trusted origins.",
    );
  });

  test.each([
    ["https://dashboard.example.org/x", 200],
    ["https://a.example.net/", 200],
    ["https://example.net/", 200],
    ["https://x.dashboard.example.org/", 403],
    ["https://badexample.net/", 403],
  ])("%s by CSRF_TRUSTED_ORIGINS: %d", async (referer, status) => {
    const one = site({ CSRF_TRUSTED_ORIGINS: ["https://dashboard.example.org", "https://*.example.net"] });
    expect((await one.get(post("/plain/", { ...sent, referer }))).status).toBe(status);
  });

  test.each([
    ["https://example.com/", "www.example.com", 200],
    ["https://a.example.com/", "www.example.com", 200],
    ["https://evil.org/", "www.example.com", 403],
    ["https://a.example.com:8443/", "www.example.com:8443", 200],
    ["https://a.example.com/", "www.example.com:8443", 403],
  ])("%s to %s by CSRF_COOKIE_DOMAIN: %d", async (referer, host, status) => {
    const one = site({ CSRF_COOKIE_DOMAIN: ".example.com" });
    expect((await one.get(post("/plain/", { ...sent, referer, host }))).status).toBe(status);
  });
});

describe("the settings", () => {
  test.each([
    "example.com",
    "https://",
    "https://example.com/",
    "https://*",
    "*",
    "https://*example.com",
    "https://a.*.example.com",
  ])(
    "CSRF_TRUSTED_ORIGINS with %j is told at the start (Django's 4_0.E001)",
    (origin) => {
      expect(() => site({ CSRF_TRUSTED_ORIGINS: [origin] })).toThrow(/CSRF_TRUSTED_ORIGINS.*no origin/);
    },
  );

  test("CSRF_FAILURE_VIEW answers in the place of the page", async () => {
    const one = site({
      CSRF_FAILURE_VIEW: (request, { reason }) => new HttpResponse(`${request.path}: ${reason}`, { status: 403 }),
    });
    const reply = await one.get(post("/plain/"));
    expect([reply.status, reply.text()]).toEqual([403, "/plain/: CSRF cookie not set."]);
    expect(one.records.map(({ logger }) => logger)).toEqual(["tricorn.security.csrf"]);
  });

  test("the page tells the reason with DEBUG only, and escapes it", async () => {
    const sent = post("/plain/", { origin: "http://<script>" });
    expect((await site().get(sent)).text()).not.toContain("Origin");
    const page = (await site({ DEBUG: true }).get(sent)).text();
    expect(page).toContain("Origin checking failed - http://&#60;script&#62; does not match");
    expect(page).not.toContain("<script>");
  });
});

describe("decorators", () => {
  const bare = (settings: HandlerSettings = {}): Site =>
    makeSite([], {
      "protected/": csrfProtect((request) => new HttpResponse(request.method === "GET" ? getToken(request) : "done")),
      "ensured/": ensureCsrfCookie(() => new HttpResponse("page")),
    }, settings);

  test("csrfExempt takes all requests, and may have a token", async () => {
    expect((await site().get(post("/exempt/", { origin: "http://evil.org" }))).text()).toBe("exempt POST");
    const reply = await site().get(post("/exempt-form/", { cookie: SECRET }));
    expect(unmaskToken(reply.text())).toBe(SECRET);
    expect(cookieOf(reply)).toBe(SECRET);
  });

  test("csrfProtect does without the middleware", async () => {
    const page = await bare().get("/protected/");
    const cookie = cookieOf(page)!;
    expect((await bare().get(post("/protected/", { cookie, token: page.text() }))).text()).toBe("done");
    const one = bare();
    expect(refusal(await one.get(post("/protected/", { cookie, token: OTHER })), one)).toContain("incorrect");
  });

  test("csrfProtect and the middleware check once, and set one cookie", async () => {
    const both = makeSite([CsrfViewMiddleware], {
      "": csrfProtect((request) => {
        rotateToken(request);
        return new HttpResponse("done");
      }),
    });
    const reply = await both.get(post("/", { cookie: SECRET, token: SECRET }));
    expect(reply.text()).toBe("done");
    expect(reply.headerValues("Set-Cookie").length).toBe(1);
    expect(cookieOf(reply)).not.toBe(SECRET);
  });

  test("ensureCsrfCookie sets the cookie, with and without the middleware", async () => {
    expect(cookieOf(await bare().get("/ensured/"))).toMatch(/^[a-zA-Z0-9]{32}$/);
    const both = makeSite([CsrfViewMiddleware], { "ensured/": ensureCsrfCookie(() => new HttpResponse("page")) });
    const reply = await both.get({ path: "/ensured/", headers: { Cookie: `csrftoken=${SECRET}` } });
    expect(reply.headerValues("Set-Cookie").length).toBe(1);
    expect(cookieOf(reply)).toBe(SECRET);
  });
});

test("a test client's requests are not checked, unless it wants them to be", async () => {
  const sent = post("/plain/", { environ: { [DONT_ENFORCE_CSRF_CHECKS]: true } });
  expect((await site().get(sent)).status).toBe(200);
  // No client can send that key.
  const { headers, ...rest } = post("/plain/");
  const forged = { ...headers as object, [DONT_ENFORCE_CSRF_CHECKS]: "true" };
  expect((await site().get({ ...rest, headers: forged as Record<string, string> })).status).toBe(403);
});

test("parseOrigin and isSameDomain", () => {
  expect(parseOrigin("HTTPS://a.example.com:8443/x")).toEqual({ scheme: "https", host: "a.example.com:8443" });
  expect(parseOrigin("https://[::1]:8000")).toEqual({ scheme: "https", host: "[::1]:8000" });
  for (
    const [host, pattern, same] of [
      ["example.com", "example.com", true],
      ["example.com", "EXAMPLE.com", true],
      ["a.example.com", "example.com", false],
      ["a.example.com", ".example.com", true],
      ["example.com", ".example.com", true],
      ["badexample.com", ".example.com", false],
      ["example.com:1", "example.com", false],
      ["", "", false],
      ["example.com", "", false],
    ] as const
  ) expect(isSameDomain(host, pattern), `${host} ${pattern}`).toBe(same);
});
