// The pages in a real browser: on a phone and on a desk, light and dark, by keyboard, and without a script.
// `TRICORN_SHOTS=/some/folder` keeps pictures of each.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runtime } from "../../../adapters/node.ts";
import { resolveSettings } from "../../../src/config/settings.ts";
import { type Page, respondWithPage } from "../../../src/dev/pages/respond.ts";
import type { Application, Environ } from "../../../src/esgi/mod.ts";
import { EventBus } from "../../../src/observe/events.ts";
import { Server } from "../../../src/server/server.ts";
import { Browser, CHROMIUM } from "../../support/browser.ts";
import { EVIL, pagesOf, sampleError } from "./sample.ts";

const SHOTS = process.env.TRICORN_SHOTS;

const pages = pagesOf();

const LONG = "a-word-without-an-end".repeat(40);

const TRIED = [
  { route: "", name: "start", methods: null },
  { route: "articles/ <slug:slug>/", name: "article", methods: ["GET", "HEAD"] },
  { route: `archive/ ^(?<year>\\d{4})/(?<month>\\d{2})/${"(?<rest>[a-z]+)/".repeat(6)}$`, name: null, methods: null },
];

const PAGES: Readonly<Record<string, readonly [status: number, page: (environ: Environ) => Page]>> = {
  "/error": [500, (environ) =>
    pages.errorPage(environ, {
      error: sampleError(),
      status: 500,
      settings: {
        DEBUG: true,
        SECRET_KEY: "x",
        DATABASES: { default: { host: "db", password: "x" } },
        ALLOWED_HOSTS: [],
      },
      view: "article",
    })],
  "/long": [500, (environ) =>
    pagesOf({ readSource: () => `${LONG};\n`.repeat(9) }).errorPage(environ, {
      error: Object.assign(new AggregateError([sampleError(), LONG], LONG), {
        stack: `Error: ${LONG}\n    at ${LONG} (file:///srv/${LONG}.ts:5:8)\n    at node:${LONG}:1:1`,
      }),
      status: 500,
      settings: { [LONG]: LONG },
      view: LONG,
    })],
  "/evil": [
    500,
    (environ) => pages.errorPage(environ, { error: new Error(EVIL, { cause: EVIL }), status: 500, view: EVIL }),
  ],
  "/load": [
    500,
    () =>
      pagesOf({
        readSource: () =>
          'import { Hono } from "hono";\n\nconst app = new Hono();\napp.get("/", (c) => c.text("Hello);\n\nexport default app;\n',
      })
        .loadFailurePage(
          'cannot load "app.ts": the module threw SyntaxError: Unterminated string constant',
          Object.assign(new SyntaxError("Unterminated string constant"), {
            filename: "/srv/project/app.ts",
            startLine: 4,
            startColumn: 27,
          }),
        ),
  ],
  "/load-sentence": [
    500,
    () => pages.loadFailurePage('cannot load "app.ts": the module has no export "app"; it has default, other'),
  ],
  "/404": [404, (environ) => pages.notFoundPage(environ, { view: null, message: "", tried: TRIED })],
  "/404-view": [
    404,
    (environ) =>
      pages.notFoundPage(environ, { view: "The view article", message: "no article has the slug none", tried: null }),
  ],
  "/welcome": [200, () => pages.welcomePage("handler")],
  "/welcome-hono": [200, () => pages.welcomePage("hono")],
};

const application: Application = (environ, startResponse) => {
  const [status, page] = PAGES[environ.PATH_INFO] ?? [404, () => pages.welcomePage("hono")];
  return respondWithPage(environ, startResponse, status, page(environ));
};

/** Contrast of the text of all elements with what is behind them (WCAG 2.2, 1.4.3), the worst first. */
const CONTRAST = `(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let one = element; one !== null; one = one.parentElement) {
      const color = rgb(getComputedStyle(one).backgroundColor);
      if (color[3] !== 0) return color;
    }
    return [255, 255, 255];
  };
  const of = [...document.querySelectorAll("body *")].filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ""))
    .filter((one) => !["SCRIPT", "STYLE"].includes(one.tagName))
    .map((one) => {
      const [a, b] = [light(rgb(getComputedStyle(one).color)), light(behind(one))].sort((a, b) => b - a);
      return (a + 0.05) / (b + 0.05);
    });
  return Math.min(...of);
})()`;

const OVERFLOW = "document.documentElement.scrollWidth - Math.min(innerWidth, document.documentElement.clientWidth)";

describe.skipIf(CHROMIUM === null)(`in a browser${CHROMIUM === null ? " (no Chromium is installed here)" : ""}`, () => {
  let browser: Browser;
  let server: Server;
  let origin: string;
  beforeAll(async () => {
    server = new Server(application, runtime, resolveSettings({}), new EventBus());
    const { bind } = await server.listen({ kind: "tcp", host: "127.0.0.1", port: 0 }, { backlog: 100 });
    origin = `http://127.0.0.1:${(bind as { port: number }).port}`;
    browser = await Browser.open(CHROMIUM!);
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  const SIZES = [["phone", 390, 844], ["desk", 1280, 900]] as const;
  describe.each(Object.keys(PAGES))("%s", (path) => {
    test.each(SIZES)("on a %s: nothing is wider than the window, and all can be read", async (size, width, height) => {
      for (const scheme of ["light", "dark"] as const) {
        await browser.emulate(width, height, scheme);
        await browser.goto(origin + path);
        if (SHOTS !== undefined) {
          writeFileSync(join(SHOTS, `${path.slice(1)}-${size}-${scheme}.png`), await browser.screenshot());
        }
        expect(await browser.evaluate(OVERFLOW)).toBe(0);
        await browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
        expect(await browser.evaluate(OVERFLOW)).toBe(0);
        expect(await browser.evaluate(CONTRAST)).toBeGreaterThan(4.5);
        if (SHOTS !== undefined) {
          writeFileSync(join(SHOTS, `${path.slice(1)}-${size}-${scheme}-open.png`), await browser.screenshot());
        }
      }
    });
  });

  test("the parts are landmarks, and headings come in order", async () => {
    await browser.goto(`${origin}/error`);
    const parts = await browser.evaluate(
      `[...document.querySelectorAll("header, main, footer")].map((one) => one.tagName).join()`,
    );
    expect(parts).toBe("HEADER,MAIN,FOOTER");
    const levels = await browser.evaluate(
      `[...document.querySelectorAll("h1,h2,h3,h4")].map((one) => +one.tagName[1])`,
    ) as number[];
    expect(levels[0]).toBe(1);
    for (const [i, level] of levels.entries()) expect(level - (levels[i - 1] ?? 0)).toBeLessThan(2);
  });

  test("the keyboard reaches each link, button, fold and excerpt in order, and one sees where it is", async () => {
    await browser.emulate(1280, 900);
    await browser.goto(`${origin}/error`);
    const stops =
      `[...document.querySelectorAll("a[href], button, summary, [tabindex='0']")].filter((one) => one.checkVisibility())`;
    const expected = await browser.evaluate(`${stops}.length`) as number;
    expect(expected).toBeGreaterThan(10);
    for (let i = 0; i < expected; i++) {
      await browser.press("Tab");
      const [at, outline] = await browser.evaluate(
        `[${stops}.indexOf(document.activeElement), getComputedStyle(document.activeElement).outlineStyle]`,
      ) as [number, string];
      expect([at, outline]).toEqual([i, "solid"]);
    }
  });

  test("the button copies the text", async () => {
    await browser.allowClipboard(origin);
    await browser.goto(`${origin}/error`);
    await browser.press("Tab");
    expect(await browser.evaluate("document.activeElement.textContent")).toBe("Copy as text");
    await browser.press("Enter");
    await browser.until("document.activeElement.textContent === 'Copied'");
    const text = await browser.evaluate("navigator.clipboard.readText()");
    expect(text).toBe(await browser.evaluate("document.getElementById('text').textContent"));
    expect(text).toContain("at article (views.ts:7:23)");
  });

  test("where there is no clipboard, the text is selected", async () => {
    await browser.goto(`${origin}/error`);
    await browser.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await browser.press("Tab");
    await browser.press(" ");
    await browser.until("getSelection().toString().includes('at article (views.ts:7:23)')");
  });

  test("without a script everything is there but the button", async () => {
    await browser.allowScripts(false);
    try {
      await browser.goto(`${origin}/error`);
      expect(await browser.evaluate("document.querySelector('button').checkVisibility()")).toBe(false);
      await browser.evaluate("document.getElementById('text').closest('details').querySelector('summary').click()");
      expect(await browser.evaluate("document.getElementById('text').checkVisibility()")).toBe(true);
    } finally {
      await browser.allowScripts(true);
    }
  });

  test("what comes from outside does not run, and is read as it was written", async () => {
    await browser.goto(`${origin}/evil?${encodeURIComponent(EVIL)}#${encodeURIComponent(EVIL)}`);
    expect(await browser.evaluate("document.scripts.length + document.images.length")).toBe(1);
    expect(await browser.evaluate("document.querySelector('h1').textContent")).toContain("<script>alert(1)</script>");
  });

  test("nothing else is asked of the server, not even an icon", async () => {
    await browser.goto(`${origin}/404`);
    expect(
      await browser.evaluate(
        "performance.getEntriesByType('resource').filter((one) => !one.name.startsWith('data:')).map((one) => one.name)",
      ),
    ).toEqual([]);
  });
});
