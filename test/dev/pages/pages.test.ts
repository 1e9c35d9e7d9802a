// The pages in their three forms: what each says, and what none says.

import { describe, expect, test } from "vitest";
import { HIDDEN } from "../../../src/dev/secrets.ts";
import type { Page } from "../../../src/dev/pages/respond.ts";
import { SCRIPT, STYLE } from "../../../src/dev/pages/style.ts";
import { call } from "../../../src/esgi/testing.ts";
import { InputError } from "../../../src/esgi/mod.ts";
import type { Application } from "../../../src/esgi/mod.ts";
import { EVIL, pagesOf, sampleEnviron, sampleError, SOURCES } from "./sample.ts";

const pages = pagesOf();
const all = (page: Page): string[] => [page.html("n"), page.text(), JSON.stringify(page.json())];

const HEADERS: [string, string][] = [
  ["Cookie", "sessionid=hunter2; theme=dark"],
  ["Authorization", "Bearer hunter2"],
  ["Referer", "http://localhost/?token=hunter2"],
  ["X-Long", "x".repeat(5000)],
];

describe("the error page", () => {
  const environ = sampleEnviron("/articles/none?page=2&access_token=hunter2", HEADERS);
  const settings = {
    SECRET_KEY: "hunter2",
    DEBUG: true,
    DATABASES: { default: { url: "postgres://app:hunter2@db/shop" } },
  };
  const page = pages.errorPage(environ, { error: sampleError(), status: 500, settings, view: "article" });

  test("has message, frames, causes, request, settings and versions in HTML", () => {
    const html = page.html("n");
    for (
      const part of [
        "Cannot read properties of undefined (reading &#39;title&#39;)",
        "views.ts:7:23",
        "<u>title</u>",
        'href="vscode://file/srv/project/views.ts:7:23"',
        "Caused by",
        "ECONNREFUSED",
        "/articles/none",
        "sessionid, theme",
        "DATABASES",
        "tricorn 0.1.0 · node 24.1.0",
      ]
    ) expect(html).toContain(part);
  });

  test("the project's frames are open, others folded", () => {
    const html = page.html("n");
    expect(html.match(/<details class="card" open>/g)!.length).toBe(3);
    expect(html).toContain("2 frames of libraries");
  });

  test("says no secret in any form", () => {
    for (const text of all(page)) expect(text).not.toContain("hunter2");
    expect(page.html("n")).toContain(HIDDEN);
    const message = pages.errorPage(environ, { error: new Error("no postgres://a:hunter2@db"), status: 500 });
    for (const text of all(message)) expect(text).not.toContain("hunter2");
  });

  test("as text, for curl and for copying", () => {
    expect(page.text()).toBe(
      `500 Internal Server Error: GET http://localhost:8000/articles/none?page=2&access_token=********
view: article

TypeError: Cannot read properties of undefined (reading 'title')
    at article (views.ts:7:23)
            5 | export async function article(request: HttpRequest, { slug }: { slug: string }): Promise<HttpResponse> {
            6 |   const found = await findArticle(slug);
      >     7 |   const title = found.title.trim();
            8 |   return new HttpResponse(\`<h1>\${title}</h1>\`);
            9 | }
    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)
    at dispatch (node_modules/some-library/dist/index.js:20:3)
    at middleware.ts:3:20
caused by: Error: connect ECONNREFUSED 127.0.0.1:5432
    at connect (database.ts:2:9)
            1 | export function connect() {
      >     2 |   throw new Error();
            3 | }
    and 1 frame of the runtime

tricorn 0.1.0, node 24.1.0
`,
    );
  });

  test("as JSON", () => {
    expect(page.json()).toMatchObject({
      detail: "TypeError: Cannot read properties of undefined (reading 'title')",
      error: {
        frames: [
          { function: "article", file: "/srv/project/views.ts", line: 7, column: 23, owner: "application" },
          {},
          {},
          {},
        ],
      },
      request: { method: "GET", url: "http://localhost:8000/articles/none?page=2&access_token=********" },
      view: "article",
    });
  });

  test("what comes from outside is escaped", () => {
    const error = Object.assign(new Error(EVIL), {
      name: EVIL,
      code: EVIL,
      stack: `${EVIL}: ${EVIL}\n    at ${EVIL.replaceAll(/[()]/g, "")} (file:///srv/project/${
        encodeURIComponent(EVIL)
      }.ts:1:1)\n    at x (${EVIL.replaceAll(/[()]/g, "")}:1:1)`,
      cause: EVIL,
    });
    const evil = pagesOf({ readSource: () => `${EVIL}\n${EVIL}` }).errorPage(
      sampleEnviron(`/${encodeURIComponent(EVIL)}?${encodeURIComponent(EVIL)}=${encodeURIComponent(EVIL)}`, [
        ["X-Evil", EVIL.replaceAll(/[\x1b\u202e]/g, "")],
        ["Cookie", `${EVIL.replaceAll(/[\x1b\u202e;=]/g, "")}=1`],
      ]),
      { error, status: 500, settings: { [EVIL]: EVIL, LIST: [EVIL] }, view: EVIL },
    );
    const html = evil.html("n");
    expect(html.match(/<script/g)!.length).toBe(1);
    expect(html).not.toContain("<img");
    for (const text of [html, evil.text()]) expect(text).not.toMatch(/[\x1b\u202e]/);
  });

  test("is made of whatever was thrown, without a request too", () => {
    for (const error of [undefined, null, 7, "text", {}, new AggregateError([new Error("a"), 1])]) {
      expect(all(pages.errorPage(null, { error, status: 503 })).every((text) => text.length > 0)).toBe(true);
    }
  });

  test("is small, its style and script are less than 6 kB", () => {
    expect(STYLE.length + SCRIPT.length).toBeLessThan(6000);
    expect(pages.errorPage(environ, { error: sampleError(), status: 500 }).html("n").length).toBeLessThan(25_000);
  });

  test("everything is inline: no address of anything else", () => {
    const html = page.html("n");
    expect(
      html.match(/<(?:link|script|style|img|iframe)\b[^>]*>/g)!.map((tag) => tag.replace(/"data:[^"]*"/, '"data:"')),
    ).toEqual([
      '<link rel="icon" href="data:">',
      '<style nonce="n">',
      '<script nonce="n">',
    ]);
    expect(html).not.toMatch(/ (?:style|on\w+)="/);
  });
});

describe("the page of a failure to load", () => {
  test("says what the terminal says, and that it goes on", () => {
    const page = pages.loadFailurePage('cannot load "app.ts": the module threw TypeError', sampleError());
    for (const text of [page.html("n"), page.text()]) {
      expect(text).toContain("Save a file and this page goes on by itself");
    }
    expect(page.text()).toContain("views.ts:7:23");
    expect(page.json()).toMatchObject({
      detail: 'cannot load "app.ts": the module threw TypeError',
      error: { name: "TypeError" },
    });
  });

  test("of no error: a sentence", () => {
    const page = pages.loadFailurePage('cannot load "app.ts": the module has no export "app"');
    expect(page.html("n")).toContain("the module has no export &quot;app&quot;");
    expect(page.html("n")).not.toContain("<h2>Where</h2>");
  });

  test("its application answers all requests alike", async () => {
    const reply = await call(pages.failedApplication("cannot load"), {
      method: "POST",
      path: "/any",
      headers: { Accept: "application/json" },
    });
    expect(reply.status).toBe(500);
    expect(await reply.json()).toMatchObject({ title: "Internal Server Error", status: 500, detail: "cannot load" });
  });
});

describe("the page of a 404", () => {
  const environ = sampleEnviron("/artcles/?x=1");
  const tried = [{ route: "articles/ <slug:slug>/", name: "article", methods: null }, {
    route: "",
    name: null,
    methods: ["GET"],
  }];

  test("lists the routes that were tried", () => {
    const page = pages.notFoundPage(environ, { view: null, message: "", tried });
    expect(page.text()).toContain("   1. 'articles/ <slug:slug>/' [name='article']\n   2. GET ''\n");
    expect(page.html("n")).toContain("articles/ &lt;slug:slug&gt;/");
    expect(page.json()).toMatchObject({ tried });
  });

  test("names the view that has raised it", () => {
    const page = pages.notFoundPage(environ, { view: "The view article", message: "no such article", tried: null });
    for (const text of all(page)) {
      expect(text).toContain("The view article says that there is no such thing: no such article");
    }
  });

  test("what comes from outside is escaped", () => {
    const evil = pages.notFoundPage(sampleEnviron(`/${encodeURIComponent(EVIL)}`), {
      view: null,
      message: EVIL,
      tried: [{ route: EVIL, name: EVIL, methods: [EVIL] }],
    });
    expect(evil.html("n").match(/<script/g)!.length).toBe(1);
    expect(evil.html("n")).not.toContain("<img");
    expect(evil.text()).not.toMatch(/[\x1b\u202e]/);
  });
});

describe("the welcome page", () => {
  test.each(["handler", "hono"] as const)("of %s says what to edit", (kind) => {
    const page = pages.welcomePage(kind);
    for (const text of all(page)) expect(text).toContain("urls.ts");
    expect(page.text()).toContain("It works.");
  });
});

describe("DevPages.wrap", () => {
  const faults: unknown[] = [];
  const run = (application: Application, options = {}): ReturnType<typeof call> =>
    call(pages.wrap(application, (error) => faults.push(error)), options);
  const boom = new Error("boom");

  test.each<[string, Application]>([
    ["throws", () => {
      throw boom;
    }],
    ["rejects", () => Promise.reject(boom)],
    ["throws after startResponse", (_, startResponse) => {
      startResponse("200 OK", [["Content-Length", "3"]]);
      throw boom;
    }],
    ["is a generator that throws", function* (_, startResponse) {
      startResponse("200 OK", []);
      yield "";
      throw boom;
    }],
    ["is an async generator that throws", async function* (_, startResponse) {
      startResponse("200 OK", []);
      await Promise.resolve();
      yield "";
      throw boom;
    }],
  ])("an application that %s", async (_, application) => {
    faults.length = 0;
    const reply = await run(application, { headers: { Accept: "text/html" } });
    expect(reply.status).toBe(500);
    expect(await reply.text()).toContain("<h1>");
    expect(faults).toEqual([boom]);
  });

  test("what was sent already is broken off", async () => {
    const late: Application = function* (_, startResponse) {
      startResponse("200 OK", []);
      yield "some";
      throw boom;
    };
    await expect(run(late).then((reply) => reply.text())).rejects.toThrow("boom");
  });

  test("a body that could not be read is the server's to answer", async () => {
    const error = new InputError("too-large", "too much");
    await expect(run(() => Promise.reject(error))).rejects.toBe(error);
  });

  test("what does not throw is passed on, and has the pages", async () => {
    let seen: unknown;
    const reply = await run((environ, startResponse) => {
      seen = environ["tricorn.debug_pages"];
      startResponse("200 OK", []);
      return "fine";
    });
    expect([await reply.text(), seen]).toEqual(["fine", pages]);
  });

  test("sources are read anew for each page", () => {
    let text = "one\n".repeat(10);
    const changing = pagesOf({ readSource: () => text });
    const before = changing.errorPage(null, { error: sampleError(), status: 500 }).html("n");
    text = "two\n".repeat(10);
    expect(before).toContain("one");
    expect(changing.errorPage(null, { error: sampleError(), status: 500 }).html("n")).toContain("two");
    expect(Object.keys(SOURCES).length).toBe(3);
  });
});
