// SecurityMiddleware, by the cases of Django's tests/middleware/test_security.py.

import { describe, expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { SecurityMiddleware } from "../../../src/handler/middleware/security.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import type { HandlerSettings } from "../../../src/handler/settings.ts";
import { makeSite, type Site } from "./site.ts";

const OWN: Readonly<Record<string, string>> = {
  "Strict-Transport-Security": "max-age=1",
  "X-Content-Type-Options": "own",
  "Referrer-Policy": "own",
  "Cross-Origin-Opener-Policy": "own",
};
const VIEWS: Readonly<Record<string, View>> = {
  "": () => new HttpResponse("ok"),
  "own/": () => new HttpResponse("ok", { headers: OWN }),
  "a/b/": () => new HttpResponse("ok"),
};
const site = (settings: HandlerSettings = {}): Site => makeSite([SecurityMiddleware], VIEWS, settings);

async function field(
  name: string,
  settings: HandlerSettings,
  path = "/",
  scheme: "http" | "https" = "https",
): Promise<string | null> {
  return (await site(settings).get({ path, scheme })).header(name);
}

describe("Strict-Transport-Security (RFC 6797)", () => {
  const NAME = "Strict-Transport-Security";
  test.each([
    [{ SECURE_HSTS_SECONDS: 3600 }, "max-age=3600"],
    [{ SECURE_HSTS_SECONDS: 600, SECURE_HSTS_INCLUDE_SUBDOMAINS: true }, "max-age=600; includeSubDomains"],
    [{ SECURE_HSTS_SECONDS: 600, SECURE_HSTS_PRELOAD: true }, "max-age=600; preload"],
    [
      { SECURE_HSTS_SECONDS: 1, SECURE_HSTS_INCLUDE_SUBDOMAINS: true, SECURE_HSTS_PRELOAD: true },
      "max-age=1; includeSubDomains; preload",
    ],
    [{ SECURE_HSTS_SECONDS: 0, SECURE_HSTS_INCLUDE_SUBDOMAINS: true }, null],
    [{}, null],
  ])("%j over TLS: %s", async (settings, expected) => {
    expect(await field(NAME, settings)).toBe(expected);
  });

  test("is not sent over plain HTTP", async () => {
    expect(await field(NAME, { SECURE_HSTS_SECONDS: 3600 }, "/", "http")).toBe(null);
  });
});

test.each([
  ["X-Content-Type-Options", {}, "nosniff"],
  ["X-Content-Type-Options", { SECURE_CONTENT_TYPE_NOSNIFF: false }, null],
  ["Referrer-Policy", {}, "same-origin"],
  ["Referrer-Policy", { SECURE_REFERRER_POLICY: null }, null],
  ["Referrer-Policy", { SECURE_REFERRER_POLICY: "strict-origin" }, "strict-origin"],
  ["Referrer-Policy", { SECURE_REFERRER_POLICY: "strict-origin, origin" }, "strict-origin,origin"],
  ["Referrer-Policy", { SECURE_REFERRER_POLICY: ["strict-origin", "origin"] }, "strict-origin,origin"],
  ["Referrer-Policy", { SECURE_REFERRER_POLICY: [] }, null],
  ["Cross-Origin-Opener-Policy", {}, "same-origin"],
  ["Cross-Origin-Opener-Policy", { SECURE_CROSS_ORIGIN_OPENER_POLICY: "unsafe-none" }, "unsafe-none"],
  ["Cross-Origin-Opener-Policy", { SECURE_CROSS_ORIGIN_OPENER_POLICY: null }, null],
])("%s with %j: %s", async (name, settings, expected) => {
  expect(await field(name, settings)).toBe(expected);
});

test.each(Object.entries(OWN))("a view's own %s stands", async (name, value) => {
  expect(await field(name, { SECURE_HSTS_SECONDS: 3600 }, "/own/")).toBe(value);
});

test("a value that no header can have is an error at the start", () => {
  expect(() => site({ SECURE_REFERRER_POLICY: "origin\nX: y" })).toThrow(/Referrer-Policy .*line break/);
});

describe("SECURE_SSL_REDIRECT", () => {
  const on: HandlerSettings = { SECURE_SSL_REDIRECT: true };

  test("redirects to https for good, query and all", async () => {
    const reply = await site(on).get({ path: "/a/b/?q=1&r=%20", headers: { Host: "example.com" } });
    expect([reply.status, reply.header("Location")]).toEqual([301, "https://example.com/a/b/?q=1&r=%20"]);
    // The answer is dressed as any other.
    expect(reply.header("X-Content-Type-Options")).toBe("nosniff");
  });

  test("leaves https alone, and all without the setting", async () => {
    expect((await site(on).get({ path: "/", scheme: "https" })).status).toBe(200);
    expect((await site().get("/")).status).toBe(200);
  });

  test("to SECURE_SSL_HOST", async () => {
    const reply = await site({ ...on, SECURE_SSL_HOST: "secure.example.com" }).get("/a/b/");
    expect(reply.header("Location")).toBe("https://secure.example.com/a/b/");
  });

  test("but for SECURE_REDIRECT_EXEMPT, each time", async () => {
    const one = site({ ...on, SECURE_REDIRECT_EXEMPT: [/^a\//g] });
    for (let i = 0; i < 3; i++) expect((await one.get("/a/b/")).status).toBe(200);
    expect((await one.get("/own/")).status).toBe(301);
  });

  test("not to a host that is not ours", async () => {
    expect((await site(on).get({ path: "/", headers: { Host: "evil.org" } })).status).toBe(400);
  });

  test("and behind a proxy by SECURE_PROXY_SSL_HEADER", async () => {
    const one = site({ ...on, SECURE_PROXY_SSL_HEADER: ["HTTP_X_FORWARDED_PROTO", "https"] });
    expect((await one.get({ path: "/", headers: { Host: "localhost", "X-Forwarded-Proto": "https" } })).status).toBe(
      200,
    );
    expect((await one.get({ path: "/", headers: { Host: "localhost", "X-Forwarded-Proto": "http" } })).status).toBe(
      301,
    );
  });
});
