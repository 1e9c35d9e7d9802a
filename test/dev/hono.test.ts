// The real Hono, with the pages in the place of its own two answers, and of no others.

import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { describe, expect, test } from "vitest";
import { type FetchApplication, fromFetch } from "../../src/bridges/fetch.ts";
import { adoptHono } from "../../src/dev/hono.ts";
import { call, type CallOptions, type Reply } from "../../src/esgi/testing.ts";
import { pagesOf } from "./pages/sample.ts";

/** What the client gets, and what the log is told. */
async function ask(
  app: FetchApplication,
  path: string,
  options: CallOptions = {},
): Promise<Reply & { readonly faults: readonly unknown[] }> {
  const pages = pagesOf();
  const faults: unknown[] = [];
  adoptHono(app, pages);
  const application = pages.wrap(fromFetch(app), (error) => faults.push(error));
  return Object.assign(await call(application, { path, headers: { Accept: "text/html" }, ...options }), { faults });
}

const boom = new TypeError("boom");

function throwing(): Hono {
  const app = new Hono();
  app.get("/throws", () => {
    throw boom;
  });
  app.get("/rejects", () => Promise.reject(boom));
  return app;
}

describe("errors", () => {
  test.each(["/throws", "/rejects"])("%s: the page, and the log is told once", async (path) => {
    const reply = await ask(throwing(), path);
    expect([reply.status, reply.header("content-type")]).toEqual([500, "text/html; charset=utf-8"]);
    expect(reply.text()).toContain("<small>TypeError</small>boom");
    expect(reply.header("content-security-policy")).toContain("nonce-");
    expect(reply.faults).toEqual([boom]);
  });

  test("in an application below it, and below that", async () => {
    const middle = new Hono().route("/c", throwing());
    const reply = await ask(new Hono().route("/b", middle), "/b/c/throws");
    expect([reply.status, reply.text().includes("boom"), reply.faults]).toEqual([500, true, [boom]]);
  });

  test("middleware sees the answer, as it sees Hono's", async () => {
    const app = new Hono();
    app.use(async (c, next) => {
      await next();
      c.header("X-Seen", `${c.res.status} ${c.error?.message}`);
    });
    app.route("/", throwing());
    expect((await ask(app, "/throws")).header("x-seen")).toBe("500 boom");
  });

  test("what is no error", async () => {
    const app = new Hono().get("/", () => {
      throw "text";
    });
    const reply = await ask(app, "/");
    expect([reply.status, reply.text().includes("thrown"), reply.faults]).toEqual([500, true, ["text"]]);
  });

  test("an HTTPException answers itself", async () => {
    const app = new Hono().get("/", () => {
      throw new HTTPException(401, { message: "who are you?" });
    });
    const reply = await ask(app, "/");
    expect([reply.status, reply.text(), reply.faults]).toEqual([401, "who are you?", []]);
  });

  test("onError is the project's", async () => {
    const reply = await ask(throwing().onError((error, c) => c.text(`mine: ${error.message}`, 503)), "/throws");
    expect([reply.status, reply.text()]).toEqual([503, "mine: boom"]);
    const below = throwing().onError((_, c) => c.text("theirs", 502));
    const app = new Hono().route("/below", below).get("/", () => {
      throw boom;
    });
    expect((await ask(app, "/below/throws")).text()).toBe("theirs");
    expect((await ask(app, "/")).text()).toContain("boom");
  });

  test("a class of the project's whose constructor wants something", async () => {
    class Mine extends Hono {
      constructor(options: { readonly name: string }) {
        super();
        this.get("/", () => {
          throw new Error(options.name);
        });
      }
    }
    expect((await ask(new Mine({ name: "named" }), "/")).text()).toContain("named");
  });

  test("app.request(), of the project's own tests, is as it was", async () => {
    const app = throwing();
    adoptHono(app, pagesOf());
    const error = console.error;
    console.error = () => {};
    try {
      expect(await (await app.request("/throws")).text()).toBe("Internal Server Error");
    } finally {
      console.error = error;
    }
    expect(await (await app.request("/nowhere")).text()).toBe("404 Not Found");
  });
});

describe("what is not found", () => {
  test("the routes, without middleware and each once", async () => {
    const app = new Hono();
    app.use(async (_, next) => await next());
    app.get("/posts/:id", async (_, next) => await next(), (c) => c.text("post"));
    app.route("/api", new Hono().all("/any", (c) => c.text("any")));
    const reply = await ask(app, "/nowhere", { headers: { Accept: "application/json" } });
    expect([reply.status, reply.header("content-type")]).toEqual([404, "application/problem+json"]);
    expect((reply.json() as { tried: unknown }).tried).toEqual([
      { route: "/posts/:id", name: null, methods: ["GET"] },
      { route: "/api/any", name: null, methods: null },
    ]);
  });

  test("a handler that says so is named", async () => {
    const app = new Hono().get("/posts/:id", (c) => c.notFound());
    expect((await ask(app, "/posts/7")).text()).toContain(
      "The handler of GET /posts/:id says that there is no such thing",
    );
  });

  test("what middleware has set stays", async () => {
    const app = new Hono();
    app.use(async (c, next) => {
      await next();
      c.header("X-Mine", "yes");
    });
    const reply = await ask(app, "/nowhere");
    expect([reply.header("x-mine"), reply.text().includes("/nowhere")]).toEqual(["yes", true]);
  });

  test("notFound is the project's, and so is any other 404", async () => {
    const app = new Hono().notFound((c) => c.text("mine", 404));
    app.get("/json", (c) => c.json({ error: "404 Not Found" }, 404));
    expect((await ask(app, "/nowhere")).text()).toBe("mine");
    expect((await ask(app, "/json")).json()).toEqual({ error: "404 Not Found" });
  });

  test("no routes at all: the welcome at /", async () => {
    const reply = await ask(new Hono(), "/");
    expect([reply.status, reply.text().includes("It works.")]).toEqual([200, true]);
    expect((await ask(new Hono(), "/other")).status).toBe(404);
  });
});

describe("what is no Hono", () => {
  test.each<[string, FetchApplication]>([
    ["a function", () => new Response("404 Not Found", { status: 404 })],
    ["an object", { fetch: () => new Response("404 Not Found", { status: 404 }) }],
  ])("%s is left alone", async (_, app) => {
    expect((await ask(app, "/")).text()).toBe("404 Not Found");
  });
});
