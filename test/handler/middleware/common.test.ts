// CommonMiddleware, by the cases of Django's tests/middleware.

import { describe, expect, test } from "vitest";
import { BaseHandler, type Middleware, type View } from "../../../src/handler/base.ts";
import { CommonMiddleware, escapeLeadingSlashes, noAppendSlash } from "../../../src/handler/middleware/common.ts";
import { HttpRequest } from "../../../src/handler/request.ts";
import { HttpResponse, HttpResponseNotFound, StreamingHttpResponse } from "../../../src/handler/response.ts";
import type { HandlerSettings } from "../../../src/handler/settings.ts";
import { path, rePath } from "../../../src/handler/urls/mod.ts";
import { makeEnviron } from "../../../src/esgi/testing.ts";
import { makeSite, type Site } from "./site.ts";

const ok: View = () => new HttpResponse("ok");
const VIEWS: Readonly<Record<string, View>> = {
  "noslash": ok,
  "slash/": ok,
  "needsquoting#/": ok,
  "user/<int:id>/": ok,
  "sensitive/": noAppendSlash(ok),
  "missing": () => new HttpResponseNotFound("no"),
  "missing/": ok,
  "stream/": () => new StreamingHttpResponse(["a", "b"]),
  "length/": () => new HttpResponse("é"),
  "given/": () => new HttpResponse("four", { headers: { "Content-Length": "4" } }),
  "empty/": () => new HttpResponse("", { status: 204 }),
  "unmodified/": () => new HttpResponse("", { status: 304 }),
};
const site = (settings: HandlerSettings = {}, more: readonly Middleware[] = []): Site =>
  makeSite([...more, CommonMiddleware], VIEWS, settings);
const HOST = { headers: { Host: "example.com" } };

describe("APPEND_SLASH", () => {
  test.each(["/slash/", "/noslash"])("%s is found as it is", async (path) => {
    expect((await site().get({ ...HOST, path })).status).toBe(200);
  });

  test.each(["/unknown", "/unknown/", "/noslash/", "/user/x"])("%s is found neither way: 404", async (path) => {
    expect((await site().get({ ...HOST, path })).status).toBe(404);
  });

  test.each([
    ["/slash", "/slash/"],
    ["/slash?a=1&b=%20", "/slash/?a=1&b=%20"],
    ["/user/7", "/user/7/"],
    ["/needsquoting%23", "/needsquoting%23/"],
  ])("%s is redirected to %s for good", async (path, location) => {
    const reply = await site().get({ ...HOST, path });
    expect([reply.status, reply.header("Location")]).toEqual([301, location]);
  });

  test("below SCRIPT_NAME", async () => {
    const reply = await site().get({ ...HOST, path: "/slash", scriptName: "/app" });
    expect([reply.status, reply.header("Location")]).toEqual([301, "/app/slash/"]);
  });

  test("off: 404", async () => {
    expect((await site({ APPEND_SLASH: false }).get({ ...HOST, path: "/slash" })).status).toBe(404);
  });

  test("a view's own 404 stands, where its path was found", async () => {
    expect((await site().get({ ...HOST, path: "/missing" })).text()).toBe("no");
  });

  test("noAppendSlash: 404", async () => {
    expect((await site().get({ ...HOST, path: "/sensitive" })).status).toBe(404);
    expect((await site().get({ ...HOST, path: "/sensitive/" })).status).toBe(200);
  });

  test.each(["POST", "PUT", "PATCH", "DELETE"])("%s with DEBUG is an error that explains", async (method) => {
    const reply = await site({ DEBUG: true }).get({ ...HOST, path: "/slash?a=1", method });
    expect(reply.status).toBe(500);
    expect(reply.text()).toContain(method);
    expect(reply.text()).toContain("example.com/slash/?a=1");
    expect(reply.text()).toContain("APPEND_SLASH");
  });

  test.each(["POST", "PUT"])("%s without DEBUG is redirected", async (method) => {
    expect((await site().get({ ...HOST, path: "/slash", method })).status).toBe(301);
  });

  test("request.urlconf counts instead of ROOT_URLCONF", async () => {
    const custom: Middleware = (getResponse) => (request) => {
      request.urlconf = [path("customslash/", ok)];
      return getResponse(request);
    };
    const one = site({}, [custom]);
    expect((await one.get({ ...HOST, path: "/customslash" })).header("Location")).toBe("/customslash/");
    expect((await one.get({ ...HOST, path: "/slash" })).status).toBe(404);
  });

  test("security: //evil.com never becomes another host", async () => {
    const one = site({ ROOT_URLCONF: [rePath("^(.+)/$", ok)] });
    for (const target of ["//evil.com/security", "///evil.com", "//evil.com"]) {
      const reply = await one.get({ ...HOST, target });
      expect(reply.status).toBe(301);
      expect(new URL(reply.header("Location")!, "http://example.com/").host, target).toBe("example.com");
    }
    expect(escapeLeadingSlashes("//evil.com/")).toBe("/%2Fevil.com/");
    expect(escapeLeadingSlashes("/x//y")).toBe("/x//y");
  });
});

describe("PREPEND_WWW", () => {
  const settings: HandlerSettings = { PREPEND_WWW: true };

  test.each([
    ["/slash/?q=1", "http://www.example.com/slash/?q=1"],
    ["/slash", "http://www.example.com/slash/"],
    ["/unknown", "http://www.example.com/unknown"],
  ])("%s is redirected once, to %s", async (path, location) => {
    const reply = await site(settings).get({ ...HOST, path });
    expect([reply.status, reply.header("Location")]).toEqual([301, location]);
  });

  test("keeps scheme and port", async () => {
    const reply = await site(settings).get({ path: "/slash/", scheme: "https", headers: { Host: "example.com:8443" } });
    expect(reply.header("Location")).toBe("https://www.example.com:8443/slash/");
  });

  test("www. is left alone", async () => {
    expect((await site(settings).get({ path: "/slash/", headers: { Host: "www.example.com" } })).status).toBe(200);
  });
});

test("a host that is not ours: 400, before any view", async () => {
  const one = site();
  expect((await one.get({ path: "/slash/", headers: { Host: "evil.org" } })).status).toBe(400);
  expect(one.records.map(({ logger }) => logger)).toEqual(["tricorn.security.DisallowedHost"]);
});

describe("DISALLOWED_USER_AGENTS", () => {
  // A "g" remembers its place between two tests.
  const settings: HandlerSettings = { DISALLOWED_USER_AGENTS: [/foo/i, /^bad/g] };
  test.each([["Foo/1.0", 403], ["bad", 403], ["not bad", 200], ["", 200]])(
    "%j: %d, each time",
    async (agent, status) => {
      const one = site(settings);
      for (let i = 0; i < 3; i++) {
        const reply = await one.get({ path: "/slash/", headers: { Host: "example.com", "User-Agent": agent } });
        expect(reply.status).toBe(status);
      }
    },
  );

  test("no agent at all: 200", async () => {
    expect((await site(settings).get({ ...HOST, path: "/slash/" })).status).toBe(200);
  });
});

describe("Content-Length (RFC 9110 §8.6)", () => {
  test.each([
    ["/length/", "2"],
    ["/given/", "4"],
    ["/stream/", null],
    ["/empty/", null],
    ["/unmodified/", null],
  ])("%s: %s", async (path, length) => {
    expect((await site().get({ ...HOST, path })).header("Content-Length")).toBe(length);
  });

  test("is there for the middleware further out", async () => {
    let seen: string | null = null;
    const outer: Middleware = (getResponse) => async (request) => {
      const response = await getResponse(request);
      seen = response.headers.get("Content-Length");
      return response;
    };
    const handler = new BaseHandler({
      ALLOWED_HOSTS: ["localhost"],
      MIDDLEWARE: [outer, CommonMiddleware],
      ROOT_URLCONF: [path("", ok)],
    });
    await handler.getResponse(new HttpRequest(makeEnviron("/"), handler.settings));
    expect(seen).toBe("2");
  });

  test("HEAD: that of GET, where the view makes the same for both; none where it made nothing", async () => {
    expect((await site().get({ ...HOST, path: "/length/", method: "HEAD" })).header("Content-Length")).toBe("2");
    const bare = makeSite([CommonMiddleware], { "": () => new HttpResponse("") });
    expect((await bare.get({ path: "/", method: "HEAD" })).header("Content-Length")).toBe(null);
  });
});
