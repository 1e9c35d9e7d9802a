// Live refresh in a real browser: pages of a server on real sockets, whose builds come and go as a reload makes them.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runtime } from "../../adapters/node.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import { liveRefresh, type Refresh } from "../../src/dev/refresh.ts";
import type { Application } from "../../src/esgi/application.ts";
import type { Headers } from "../../src/esgi/environ.ts";
import { EventBus } from "../../src/observe/events.ts";
import { Server } from "../../src/server/server.ts";
import { Browser, CHROMIUM } from "../support/browser.ts";
import { eventually, sleep } from "../support/wait.ts";

/** What the pages have; a test changes it, as somebody who edits would. */
let site: { text: string; colour: string; headers: Headers; head: string; etag: string | null };
/** Requests of pages, in order, by path. */
let asked: string[];
/** Streams of events that were opened. */
let streams: number;

const application: Application = async (environ, startResponse) => {
  const path = environ.PATH_INFO;
  if (path.endsWith(".css")) {
    startResponse("200 OK", [["Content-Type", "text/css"], ["Cache-Control", "max-age=1000"]]);
    return path === "/import.css" ? '@import "/style.css";' : `body { color: ${site.colour} }`;
  }
  if (path === "/favicon.ico") {
    startResponse("204 No Content", []);
    return null;
  }
  asked.push(path);
  if (site.etag !== null && environ.HTTP_IF_NONE_MATCH?.includes(site.etag)) {
    startResponse("304 Not Modified", [["ETag", site.etag]]);
    return null;
  }
  startResponse("200 OK", [
    ["Content-Type", "text/html"],
    ...site.headers,
    ...(site.etag === null ? [] : [["ETag", site.etag] as const]),
  ]);
  const page = `<!doctype html><html><head>${site.head}</head><body><p>${site.text}</p></body></html>`;
  if (path !== "/streamed") return page;
  return (async function* () {
    yield page.slice(0, 30);
    await sleep(20);
    yield page.slice(30);
  })();
};

/** A development server: each reload is a process that takes over, here a server on the same port. */
class Development {
  port = 0;
  life = "a1";
  build = 0;
  styledFrom = 1;
  #server: Server | null = null;
  #refresh: Refresh | null = null;

  async reload(cssOnly = false): Promise<void> {
    const before = { server: this.#server, refresh: this.#refresh };
    this.build++;
    if (!cssOnly) this.styledFrom = this.build;
    const { life, build, styledFrom } = this;
    const refresh = liveRefresh({ life, build, styledFrom });
    const wrapped = refresh.wrap(application);
    const counting: Application = (environ, startResponse) => {
      if (environ.PATH_INFO === "/__tricorn__/events") streams++;
      return wrapped(environ, startResponse);
    };
    // One that takes over listens when the one before does not any more: the socket is not shared here.
    before.refresh?.close();
    if (before.server !== null) await before.server.drain();
    const server = new Server(counting, runtime, resolveSettings({ graceful_timeout: 1 }), new EventBus());
    const { bind } = await server.listen({ kind: "tcp", host: "127.0.0.1", port: this.port }, { backlog: 100 });
    this.port = (bind as { port: number }).port;
    this.#server = server;
    this.#refresh = refresh;
  }

  /** Another life, on the same port. */
  async restart(): Promise<void> {
    this.stop();
    await sleep(500);
    this.life = "b2";
    this.build = 0;
    await this.reload();
  }

  stop(): void {
    this.#refresh?.close();
    this.#server?.close();
    this.#server = null;
    this.#refresh = null;
  }
}

describe.skipIf(CHROMIUM === null)(`in a browser${CHROMIUM === null ? " (no Chromium is installed here)" : ""}`, () => {
  let browser: Browser;
  let development: Development;
  beforeAll(async () => {
    browser = await Browser.open(CHROMIUM!);
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    site = { text: "one", colour: "rgb(1, 0, 0)", headers: [], head: "", etag: null };
    asked = [];
    streams = 0;
    development = new Development();
    await development.reload();
  });
  afterEach(async () => {
    development.stop();
    await browser.goto("about:blank");
  });

  const LINK = '<link rel="stylesheet" href="/style.css">';
  const text = (expected: string): Promise<void> =>
    browser.until(`document.querySelector("p")?.textContent === ${JSON.stringify(expected)}`);
  const colour = (expected: string): Promise<void> =>
    browser.until(`getComputedStyle(document.body).color === ${JSON.stringify(expected)}`);
  /** Opens a page, and waits until it is connected. */
  async function open(path = "/"): Promise<void> {
    const before = streams;
    await browser.goto(`http://127.0.0.1:${development.port}${path}`);
    await eventually(() => streams > before, () => "the page does not connect");
  }
  /** Waits for the page to know of the build that is served. */
  async function reconnected(work: () => Promise<void>): Promise<void> {
    const before = streams;
    await work();
    await eventually(() => streams > before, () => "the page does not connect again");
  }

  test.each(["/", "/streamed"])("%s is loaded anew with each build, once", async (path) => {
    await open(path);
    for (const next of ["two", "three"]) {
      site.text = next;
      await development.reload();
      await text(next);
    }
    await sleep(500);
    expect(asked).toEqual([path, path, path]);
  });

  test("style sheets are taken up without the page being loaded anew, whatever a cache says", async () => {
    site.head = LINK;
    await open();
    await colour("rgb(1, 0, 0)");
    await browser.evaluate("window.state = 1");
    for (const next of ["rgb(2, 0, 0)", "rgb(3, 0, 0)"]) {
      site.colour = next;
      await development.reload(true);
      await colour(next);
    }
    await browser.until('document.querySelectorAll("link").length === 1');
    expect(await browser.evaluate("window.state")).toBe(1);
    expect(asked).toEqual(["/"]);
    // And when more changes than that, the page is.
    site.text = "two";
    await development.reload();
    await text("two");
    expect(await browser.evaluate("window.state")).toBe(undefined);
  });

  test("a page is never seen without its styles", async () => {
    site.head = LINK;
    await open();
    await browser.evaluate(`
      window.seen = new Set();
      (function look() { seen.add(getComputedStyle(document.body).color); requestAnimationFrame(look); })();
    `);
    site.colour = "rgb(2, 0, 0)";
    await development.reload(true);
    await colour("rgb(2, 0, 0)");
    await browser.until('document.querySelectorAll("link").length === 1 && seen.size > 1');
    expect(await browser.evaluate("[...seen].sort()")).toEqual(["rgb(1, 0, 0)", "rgb(2, 0, 0)"]);
  });

  test("style sheets of a page in a frame are taken up, too, and the frame is not connected", async () => {
    site.head = LINK;
    await open("/outer");
    await browser.evaluate(`
      new Promise((resolve) => {
        const frame = document.createElement("iframe");
        frame.src = "/inner";
        frame.onload = resolve;
        document.body.append(frame);
      })
    `);
    expect(streams).toBe(1);
    site.colour = "rgb(2, 0, 0)";
    await development.reload(true);
    await browser.until(
      'frames[0].getComputedStyle(frames[0].document.body).color === "rgb(2, 0, 0)"',
    );
    expect(asked).toEqual(["/outer", "/inner"]);
  });

  test.each([
    ["an imported style sheet", '<link rel="stylesheet" href="/import.css">'],
    ["a page without style sheets of its own", "<style>p { margin: 0 }</style>"],
    [
      "a style sheet that cannot be loaded as it was",
      '<link rel="stylesheet" href="/style.css" integrity="sha256-INTEGRITY">',
    ],
  ])("%s: the page is loaded anew for style sheets, too", async (_, head) => {
    const digest = Buffer.from(
      await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`body { color: ${site.colour} }`)),
    ).toString("base64");
    site.head = head.replace("INTEGRITY", digest);
    await open();
    site.text = "two";
    site.colour = "rgb(2, 0, 0)";
    await development.reload(true);
    await text("two");
    await sleep(300);
    expect(asked).toEqual(["/", "/"]);
  });

  test("a page that is not modified is asked for once, and takes up the next build", async () => {
    site.etag = '"same"';
    await open();
    await reconnected(() => development.reload());
    await eventually(() => asked.length === 2, () => "not loaded anew");
    await sleep(700);
    expect(asked).toHaveLength(2);
    expect(await browser.evaluate("document.querySelector('script').dataset.build")).toBe("a1.1");
    site.etag = '"other"';
    site.text = "two";
    await development.reload();
    await text("two");
    expect(asked).toHaveLength(3);
  });

  test("a page waits for a server that is away, also when it is another one then", async () => {
    await open();
    site.text = "two";
    await development.restart();
    await text("two");
    await sleep(300);
    expect(asked).toEqual(["/", "/"]);
  });

  test("a page that comes back as it was left is loaded anew", async () => {
    await open("/first");
    await open("/second");
    site.text = "two";
    await development.reload();
    await text("two");
    await browser.evaluate("history.back()");
    await browser.until('location.pathname === "/first"');
    await text("two");
  });

  test("a page keeps where it was scrolled to", async () => {
    site.head = "<style>p { height: 5000px }</style>";
    await open();
    await browser.evaluate("scrollTo(0, 1234)");
    site.text = "two";
    await development.reload();
    await text("two");
    await browser.until("Math.round(scrollY) === 1234");
  });

  test.each([
    ["scripts of the host only", "default-src 'none'; script-src 'self'; connect-src 'self'"],
    ["scripts with a nonce", "default-src 'none'; script-src 'nonce-abc123=='; connect-src 'self'"],
  ])("a policy that allows %s allows this", async (_, policy) => {
    site.headers = [["Content-Security-Policy", policy]];
    await open();
    site.text = "two";
    await development.reload();
    await text("two");
  });

  test.each([
    ["scripts", "script-src 'none'"],
    ["connections", "connect-src 'none'"],
  ])("a policy that forbids %s is obeyed, and the page is whole", async (_, policy) => {
    site.headers = [["Content-Security-Policy", policy]];
    await browser.goto(`http://127.0.0.1:${development.port}/`);
    await text("one");
    await browser.evaluate(
      'window.violations = 0; document.addEventListener("securitypolicyviolation", () => violations++)',
    );
    await development.reload();
    await sleep(1000);
    expect([streams, asked, await browser.evaluate("violations")]).toEqual([0, ["/"], 0]);
  });

  test("many pages at once leave connections for others", async () => {
    await open();
    // As a tab that is not looked at: the browser says so by this event.
    await browser.evaluate(`
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    `);
    site.text = "two";
    await development.reload();
    await sleep(500);
    expect(asked).toEqual(["/"]);
    await browser.evaluate(`
      delete document.visibilityState;
      document.dispatchEvent(new Event("visibilitychange"));
    `);
    await text("two");
  });
});
