// ESGI and fetch applications mounted in a site, by mount().

import { Hono } from "hono";
import { H3 } from "h3";
import { describe, expect, test } from "vitest";
import { fromFetch } from "../../src/bridges/fetch.ts";
import type { Application, StartResponse } from "../../src/esgi/application.ts";
import type { Environ } from "../../src/esgi/environ.ts";
import { InputError } from "../../src/esgi/input.ts";
import { call, makeEnviron } from "../../src/esgi/testing.ts";
import { validator } from "../../src/esgi/validator.ts";
import { Handler } from "../../src/handler/handler.ts";
import { CommonMiddleware } from "../../src/handler/middleware/common.ts";
import { csrfExempt, CsrfViewMiddleware } from "../../src/handler/middleware/csrf.ts";
import { mount } from "../../src/handler/mount.ts";
import { HttpResponse } from "../../src/handler/response.ts";
import type { HandlerSettings } from "../../src/handler/settings.ts";
import { path, type UrlPattern } from "../../src/handler/urls/mod.ts";

const TEXT: [string, string] = ["Content-Type", "text/plain"];

function site(patterns: readonly UrlPattern[], settings: HandlerSettings = {}): Application {
  const handler = new Handler({
    ALLOWED_HOSTS: ["localhost"],
    ROOT_URLCONF: patterns,
    MIDDLEWARE: [CommonMiddleware],
    LOGGER: () => {},
    ...settings,
  });
  return validator(handler.application);
}

/** Where it is, as it sees it. */
const where: Application = (environ, startResponse) => {
  startResponse("200 OK", [TEXT]);
  return `${environ.SCRIPT_NAME}|${environ.PATH_INFO}|${environ.QUERY_STRING}`;
};

describe("SCRIPT_NAME and PATH_INFO", () => {
  const patterns = [
    path("api/", mount(validator(where))),
    path("bare", mount(validator(where))),
    path("<slug:tenant>/app/", mount(validator(where))),
    path("", mount(validator(where))),
  ];
  test.each([
    ["/api/", "", "/api|/|"],
    ["/api/users/7?q=%20", "", "/api|/users/7|q=%20"],
    ["/api//x", "", "/api|//x|"],
    ["/api/%C3%A9%20%25", "", "/api|/é %|"],
    ["/api/a%0Ab", "", "/api|/a\nb|"],
    ["/bare", "", "/bare||"],
    ["/bare/x", "", "/bare|/x|"],
    ["/one/app/x", "", "/one/app|/x|"],
    ["/elsewhere", "", "|/elsewhere|"],
    ["/", "", "|/|"],
    ["/api/x", "/outer", "/outer/api|/x|"],
    ["/elsewhere", "/outer", "/outer|/elsewhere|"],
  ])("%s below %j: %j", async (path, scriptName, expected) => {
    expect((await call(site(patterns), { path, scriptName })).text()).toBe(expected);
  });

  test("a prefix without a slash does not match within a word", async () => {
    expect((await call(site(patterns), "/barely")).status).toBe(404);
  });

  test("the slash of the prefix is appended", async () => {
    const reply = await call(site([path("api/", mount(where))]), "/api?q");
    expect([reply.status, reply.header("Location")]).toEqual([301, "/api/?q"]);
  });

  test("what middleware put in the environ is there, and the request's own environ stays as it is", async () => {
    let outer: unknown;
    const application = site([path(
      "api/",
      mount((environ, startResponse) => {
        startResponse("200 OK", [TEXT]);
        return String(environ["site.user"]);
      }),
    )], {
      MIDDLEWARE: [(getResponse) => async (request) => {
        request.environ["site.user"] = "ada";
        const response = await getResponse(request);
        outer = request.environ.PATH_INFO;
        return response;
      }],
    });
    expect((await call(application, "/api/x")).text()).toBe("ada");
    expect(outer).toBe("/api/x");
  });
});

describe("the response", () => {
  const mounted = (application: Application, settings: HandlerSettings = {}): Application =>
    site([path("m/", mount(application))], settings);

  test("has its status, reason and fields, repeated ones too, and passes through the middleware", async () => {
    const reply = await call(
      mounted((_environ, startResponse) => {
        startResponse("418 Short and stout", [TEXT, ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]]);
        return "tea";
      }),
      "/m/",
    );
    expect([reply.status, reply.reason, reply.text()]).toEqual([418, "Short and stout", "tea"]);
    expect(reply.headerValues("Set-Cookie")).toEqual(["a=1", "b=2"]);
    expect(reply.header("Content-Length")).toBe("3");
  });

  test.each(["204 No Content", "304 Not Modified"])("%s has no type and no length", async (status) => {
    const reply = await call(
      mounted((_environ, startResponse) => {
        startResponse(status, [["ETag", '"x"']]);
        return null;
      }),
      "/m/",
    );
    expect(reply.headers).toEqual([["ETag", '"x"']]);
  });

  test("is streamed: a chunk is asked for when the last one has been taken", async () => {
    const log: string[] = [];
    const application = mounted(async function* (_environ, startResponse): AsyncGenerator<string, undefined> {
      startResponse("200 OK", [TEXT]);
      try {
        for (let i = 0;; i++) {
          log.push(`made ${i}`);
          yield `${i}`;
        }
      } finally {
        log.push("closed");
      }
    });
    const reply = await call(application, { path: "/m/", disconnectAfter: 2 });
    expect([reply.aborted, reply.text()]).toEqual([true, "01"]);
    expect(log.at(-1)).toBe("closed");
    expect(log.length).toBeLessThan(6);
  });

  test("a body with close() is closed once, at the end and when the client leaves", async () => {
    for (const disconnectAfter of [1, undefined]) {
      let closed = 0;
      const application = mounted((_environ, startResponse) => {
        startResponse("200 OK", [TEXT]);
        return {
          *[Symbol.iterator]() {
            yield* ["a", "", "b"];
          },
          close: () => void closed++,
        };
      });
      await call(application, { path: "/m/", ...(disconnectAfter === undefined ? {} : { disconnectAfter }) });
      expect(closed).toBe(1);
    }
  });

  test("HEAD: the fields of GET, and no body", async () => {
    const reply = await call(mounted(where), { path: "/m/", method: "HEAD" });
    expect([reply.status, reply.header("Content-Length"), reply.text()]).toEqual([200, "5", ""]);
  });

  test("the head may be replaced until the first chunk (PEP 3333)", async () => {
    const reply = await call(
      mounted(function* (_environ, startResponse): Generator<string, undefined> {
        startResponse("200 OK", [TEXT]);
        yield "";
        startResponse("503 Busy", [TEXT], new Error("busy"));
        yield "busy";
      }),
      "/m/",
    );
    expect([reply.status, reply.text()]).toEqual([503, "busy"]);
  });

  test.each<[string, Application, number]>([
    ["throws", () => {
      throw new Error("secret");
    }, 500],
    ["rejects before its first chunk", async function* (_environ, startResponse): AsyncGenerator<string, undefined> {
      startResponse("200 OK", [TEXT]);
      if (startResponse !== null) throw new Error("secret");
      yield "never";
    }, 500],
    ["lets an InputError pass", () => {
      throw new InputError("too-large", "too large");
    }, 413],
    ["does not call startResponse", () => "text", 500],
    [
      "returns nothing",
      ((_environ: Environ, startResponse: StartResponse) => startResponse("200 OK", [TEXT])) as unknown as Application,
      500,
    ],
    ["has a bad head", (_environ, startResponse) => {
      startResponse("200 OK", [["Bad\r\n", "x"]]);
      return "";
    }, 500],
  ])("an application that %s: %#: the site's error page", async (_name, application, status) => {
    const reply = await call(mounted(application), "/m/");
    expect(reply.status).toBe(status);
    expect(reply.text()).not.toContain("secret");
  });

  test("an application that switches protocols", async () => {
    const application = mounted((environ, startResponse) => {
      expect(environ["esgi.upgrade"]).toEqual(["echo"]);
      startResponse("101 Switching Protocols", [["Upgrade", "echo"]]);
      return async (socket) => {
        for await (const chunk of socket) await socket.write(chunk);
      };
    });
    const reply = await call(application, { path: "/m/", upgrade: ["echo"] });
    expect(reply.status).toBe(101);
    await reply.socket!.write("hello");
    reply.socket!.end();
    expect(await reply.socket!.text()).toBe("hello");
    await reply.upgraded;
  });
});

describe("the request body", () => {
  const echo: Application = async (environ, startResponse) => {
    startResponse("200 OK", [TEXT]);
    return await environ["esgi.input"].text();
  };

  test("is passed on, unread and without a limit", async () => {
    const application = site([path("m/", mount(echo))], { DATA_UPLOAD_MAX_MEMORY_SIZE: 10 });
    const body = "x".repeat(100_000);
    expect((await call(application, { path: "/m/", body })).text()).toBe(body);
  });

  test("CsrfViewMiddleware guards it, unless it is exempt", async () => {
    const application = site([path("m/", mount(echo)), path("free/", mount(echo, csrfExempt))], {
      MIDDLEWARE: [CsrfViewMiddleware],
    });
    expect((await call(application, { path: "/m/", body: "x" })).status).toBe(403);
    const secret = "a".repeat(32);
    const headers = { Host: "localhost", Cookie: `csrftoken=${secret}`, "X-CSRFToken": secret };
    expect((await call(application, { path: "/m/", body: "x", headers })).text()).toBe("x");
    expect((await call(application, { path: "/free/", body: "x" })).text()).toBe("x");
  });
});

describe("fetch applications", () => {
  const hono = new Hono().basePath("/hono")
    .get("/users/:id", (c) => c.json({ id: c.req.param("id"), q: c.req.query("q") ?? null }))
    .post("/echo", async (c) => c.text(await c.req.text()))
    .get("/stream", () =>
      new Response(
        new ReadableStream({
          start(controller) {
            for (const text of ["a", "b"]) controller.enqueue(new TextEncoder().encode(text));
            controller.close();
          },
        }),
      ))
    .get("/environ", (c) => c.text((c.env as { environ: { SCRIPT_NAME: string } }).environ.SCRIPT_NAME));
  const h3 = new H3().get("/h3/hello", () => "from h3");
  const application = site([
    path("", () => new HttpResponse("home")),
    path("hono/", mount(fromFetch(hono))),
    path("h3/", mount(fromFetch(h3))),
    path("plain/", mount(fromFetch((request) => new Response(request.url, { status: 202 })))),
  ]);

  test.each([
    ["/", 200, "home"],
    ["/hono/users/7?q=a%20b", 200, '{"id":"7","q":"a b"}'],
    ["/hono/nowhere", 404, "404 Not Found"],
    ["/hono/stream", 200, "ab"],
    ["/hono/environ", 200, "/hono"],
    ["/h3/hello", 200, "from h3"],
    ["/plain/%C3%A9?x", 202, "http://localhost/plain/%C3%A9?x"],
  ])("%s: %d %s", async (path, status, text) => {
    const reply = await call(application, path);
    expect([reply.status, reply.text()]).toEqual([status, text]);
  });

  test("get the body", async () => {
    expect((await call(application, { path: "/hono/echo", body: "sent" })).text()).toBe("sent");
  });
});

test("a site in a site", async () => {
  const inner = new Handler({
    ALLOWED_HOSTS: ["localhost"],
    ROOT_URLCONF: [path("page/", (request) => new HttpResponse(`${request.path}|${request.pathInfo}`))],
    MIDDLEWARE: [CommonMiddleware],
  });
  const outer = site([path("inner/", mount(inner.application))]);
  expect((await call(outer, "/inner/page/")).text()).toBe("/inner/page/|/page/");
  const reply = await call(outer, makeEnviron("/inner/page"));
  expect([reply.status, reply.header("Location")]).toEqual([301, "/inner/page/"]);
});
