// The handler asks the pages of a development server, `tricorn.debug_pages` of the environ, with DEBUG and never without.

import { describe, expect, test } from "vitest";
import type { DebugPages } from "../../src/handler/debug.ts";
import { call, type Reply } from "../../src/esgi/testing.ts";
import {
  Handler,
  type HandlerSettings,
  Http404,
  HttpResponse,
  include,
  path,
  PermissionDenied,
  rePath,
  SuspiciousOperation,
} from "../../src/handler/mod.ts";
import { pagesOf } from "../dev/pages/sample.ts";

const HTML = { Accept: "text/html" };

const PATTERNS = [
  path("article/<slug:slug>/", () => {
    throw new RangeError("no title");
  }, { name: "article" }),
  path(
    "poll/",
    include([
      path("gone/", () => {
        throw new Http404("no such poll");
      }, { name: "gone" }),
      rePath(/^(?<year>\d{4})\/$/, () => new HttpResponse("year"), { methods: ["GET"] }),
    ]),
  ),
  path("suspicious/", () => {
    throw new SuspiciousOperation("why");
  }),
  path("denied/", () => {
    throw new PermissionDenied("no");
  }),
];

function ask(target: string, settings: HandlerSettings = {}, pages: DebugPages | null = pagesOf()): Promise<Reply> {
  const handler = new Handler({ ROOT_URLCONF: PATTERNS, DEBUG: true, SECRET_KEY: "hunter2".repeat(8), ...settings });
  return call(handler.application, {
    path: target,
    headers: { Host: "localhost", ...HTML },
    environ: pages === null ? {} : { "tricorn.debug_pages": pages },
  });
}

describe("tricorn.debug_pages", () => {
  test("what a view throws: status 500, with its view and the settings", async () => {
    const reply = await ask("/article/one/");
    expect([reply.status, reply.header("content-type")]).toEqual([500, "text/html; charset=utf-8"]);
    expect(reply.header("content-security-policy")).toContain("nonce-");
    for (const part of ["no title", "RangeError", "<dt>View</dt>", "<dd>article</dd>", "SECRET_KEY"]) {
      expect(reply.text()).toContain(part);
    }
    expect(reply.text()).not.toContain("hunter2");
  });

  test("what the client did wrong: its status", async () => {
    const reply = await ask("/suspicious/");
    expect([reply.status, reply.text().includes("SuspiciousOperation")]).toEqual([400, true]);
  });

  test("403 is the site's own page", async () => {
    const reply = await ask("/denied/");
    expect([reply.status, reply.header("content-security-policy")]).toEqual([403, null]);
  });

  test("a path that leads nowhere: the routes in order, with their includes, names and methods", async () => {
    const reply = await ask("/poll/none/");
    expect(reply.status).toBe(404);
    const routes = [...reply.text().matchAll(/<li>(.*?)<\/li>/gs)].map(([, item]) => item!.replace(/<[^>]*>/g, ""));
    expect(routes.slice(0, 3)).toEqual([
      "article/&lt;slug:slug&gt;/ [article]",
      "poll/ gone/ [gone]",
      expect.stringMatching(/^GET HEAD poll\/ \^/),
    ]);
  });

  test("a view that has thrown Http404 is named", async () => {
    const reply = await ask("/poll/gone/");
    expect([reply.status, reply.text().includes("The view gone says that there is no such thing: no such poll")])
      .toEqual([404, true]);
  });

  test("no routes at all: the welcome at /, and 404 elsewhere", async () => {
    const reply = await ask("/", { ROOT_URLCONF: [] });
    expect([reply.status, reply.text().includes("It works.")]).toEqual([200, true]);
    const elsewhere = await ask("/favicon.ico", { ROOT_URLCONF: [] });
    expect([elsewhere.status, elsewhere.text().includes("The project has no routes yet.")]).toEqual([404, true]);
  });

  test("the site's middleware sees the page as any response", async () => {
    const reply = await ask("/article/one/", {
      MIDDLEWARE: [(getResponse) => async (request) => {
        const response = await getResponse(request);
        response.headers.set("X-Seen", String(response.statusCode));
        return response;
      }],
    });
    expect(reply.header("x-seen")).toBe("500");
  });

  test("the client's preference counts", async () => {
    const handler = new Handler({ ROOT_URLCONF: PATTERNS, DEBUG: true });
    const reply = await call(handler.application, {
      path: "/nowhere",
      headers: { Host: "localhost", Accept: "application/json" },
      environ: { "tricorn.debug_pages": pagesOf() },
    });
    expect(reply.header("content-type")).toBe("application/problem+json");
    expect(reply.json()).toMatchObject({
      status: 404,
      title: "Not Found",
      tried: [{ name: "article" }, { route: "poll/" }, {}, {}],
    });
  });

  test("without DEBUG nobody asks it", async () => {
    const reply = await ask("/article/one/", { DEBUG: false, ALLOWED_HOSTS: ["localhost"] });
    expect([reply.status, reply.text().includes("RangeError")]).toEqual([500, false]);
    expect((await ask("/", { ROOT_URLCONF: [], DEBUG: false, ALLOWED_HOSTS: ["localhost"] })).status).toBe(404);
  });

  test("pages that fail are done without", async () => {
    const fail = (): never => {
      throw new Error("the page");
    };
    const reply = await ask("/article/one/", {}, { error: fail, notFound: fail, welcome: fail });
    expect([reply.status, reply.header("content-type")]).toEqual([500, "text/plain; charset=utf-8"]);
    expect(reply.text()).toContain("RangeError: no title");
  });
});

describe("without it", () => {
  test("plain text, the welcome too", async () => {
    const reply = await ask("/", { ROOT_URLCONF: [] }, null);
    expect([reply.status, reply.header("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
    expect(reply.text()).toContain("It works. The project has no routes yet");
    expect((await ask("/nowhere", {}, null)).text()).toContain("These were tried, in this order:");
  });
});
