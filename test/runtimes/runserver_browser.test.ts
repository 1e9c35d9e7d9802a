// `tricorn runserver` as somebody sees it who develops: real files are saved, and what a real browser shows without a key
// or a click is looked at. `TRICORN_SHOTS=/some/folder` keeps pictures, on a phone and on a desk, light and dark.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Browser, CHROMIUM } from "../support/browser.ts";
import { DevServer, Project, withDevServer } from "../support/dev_server.ts";
import { onEachKind, ROOT, type TestRuntime } from "../support/runtimes.ts";

const SHOTS = process.env.TRICORN_SHOTS;

const hono = (text: string): string =>
  `import { readFileSync } from "node:fs";
import { Hono } from "hono";

const app = new Hono();

app.get("/", (c) => c.html('<!doctype html><link rel="stylesheet" href="/style.css"><p>${text}</p>'));
app.get("/style.css", (c) => c.body(readFileSync("style.css", "utf8"), 200, { "Content-Type": "text/css" }));
app.get("/tea/:kind", (c) => {
  try {
    return c.text(brew(c.req.param("kind")));
  } catch (cause) {
    throw new Error("there is no tea", { cause });
  }
});

function brew(kind: string): string {
  throw new RangeError(\`\${kind}: the pot is empty\`);
}

export default app;
`;

const style = (colour: string): string => `p { color: ${colour} }\n`;

/** A site whose URLs are `urls`, in a file of their own. */
const handler = (urls: string): Readonly<Record<string, string>> => ({
  "application.ts": `import { Handler } from "${ROOT}src/handler/mod.ts";
import { urlpatterns } from "./urls.ts";

export const { application } = new Handler({ DEBUG: true, SECRET_KEY: "hush-hush", ROOT_URLCONF: urlpatterns });
`,
  "urls.ts": `import { HttpResponse, path, type View } from "${ROOT}src/handler/mod.ts";

const home: View = () => new HttpResponse("<p>home</p>");

const tea: View<{ kind: string }> = (_request, { kind }) => {
  throw new RangeError(\`\${kind}: the pot is empty\`);
};

export const urlpatterns = [${urls}];
`,
});

const URLS = '\n  path("", home, { name: "home" }),\n  path("tea/<str:kind>/", tea, { name: "tea" }),\n';

describe.skipIf(CHROMIUM === null)(`in a browser${CHROMIUM === null ? " (no Chromium is installed here)" : ""}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.open(CHROMIUM!);
  });
  afterAll(() => browser.close());
  afterEach(() => browser.goto("about:blank"));

  const shows = (text: string): Promise<void> =>
    browser.until(`document.body.innerText.includes(${JSON.stringify(text)})`);

  async function shoot(runtime: TestRuntime, name: string): Promise<void> {
    if (SHOTS === undefined) return;
    for (const [size, width, height] of [["phone", 390, 844], ["desk", 1280, 900]] as const) {
      for (const scheme of ["light", "dark"] as const) {
        await browser.emulate(width, height, scheme);
        writeFileSync(join(SHOTS, `${runtime.name}-${name}-${size}-${scheme}.png`), await browser.screenshot());
      }
    }
  }

  /** What an error page has for the place of the line that contains `code`, and that its button and link are about it. */
  async function looksAtErrorPage(server: DevServer, project: Project, file: string, source: string, code: string) {
    const line = source.slice(0, source.indexOf(code)).split("\n").length;
    const here = await browser.evaluate(
      "[...document.querySelectorAll('details[open] .here')].map((one) => one.innerText.replace(/\\s+/g, ' ').trim())",
    ) as string[];
    expect(here).toContain(`▸ ${line} ${code}`);
    const links = await browser.evaluate("[...document.querySelectorAll('a.edit')].map((one) => one.href)") as string[];
    expect(links).toContainEqual(
      expect.stringMatching(new RegExp(`^zed://file${project.folder}/${file}:${line}:\\d+$`)),
    );
    expect(await browser.evaluate("document.querySelector('header a.button').href")).toMatch(/^zed:/);
    await browser.allowClipboard(server.url);
    await browser.press("Tab");
    await browser.press("Enter");
    await browser.until("document.activeElement.textContent === 'Copied'");
    expect(await browser.evaluate("navigator.clipboard.readText()")).toContain(`${file}:${line}:`);
  }

  onEachKind("runserver", (runtime) => {
    const env = { TRICORN_EDITOR: "zed" };

    test("a page follows what is saved: text, style sheets in place, a syntax error and its end", async () => {
      const files = { "app.ts": hono("one"), "style.css": style("rgb(1, 0, 0)") };
      await withDevServer(runtime, files, async (server, project) => {
        await browser.goto(`${server.url}/`);
        await shows("one");
        project.save("app.ts", hono("two"));
        await shows("two");
        const colour = "getComputedStyle(document.querySelector('p')).color";
        await browser.until(`${colour} === "rgb(1, 0, 0)"`);
        // Nothing is loaded anew for a style sheet: what the page's own script has in mind is still there.
        await browser.evaluate("window.state = 'kept'");
        project.save("style.css", style("rgb(2, 0, 0)"));
        await browser.until(`${colour} === "rgb(2, 0, 0)"`);
        expect(await browser.evaluate("window.state")).toBe("kept");
        project.save("app.ts", hono("three").replace("export default app;", "export default app("));
        await shows("The code could not be loaded");
        await shows("app.ts:");
        await shoot(runtime, "load-failure");
        project.save("app.ts", hono("three"));
        await shows("three");
        expect(await browser.evaluate("window.state")).toBe(undefined);
        await server.says(/^Reloaded in \d+ ms: style\.css$/);
      }, { env });
    });

    test("Hono: an error's frames, lines, cause, text to copy and links; a path that no route has", async () => {
      const source = hono("one");
      await withDevServer(runtime, { "app.ts": source, "style.css": "" }, async (server, project) => {
        await browser.goto(`${server.url}/tea/green?token=hush-hush`);
        await shows("there is no tea");
        await shows("RangeError: green: the pot is empty");
        await shoot(runtime, "hono-error");
        expect(await browser.evaluate("document.documentElement.innerHTML")).not.toContain("hush-hush");
        await looksAtErrorPage(server, project, "app.ts", source, 'throw new Error("there is no tea", { cause });');
        // Back in the page by itself, too.
        project.save("app.ts", source.replace("throw new RangeError", "return String"));
        await browser.until("document.body.innerText.trim() === 'green: the pot is empty'");
        await browser.goto(`${server.url}/nowhere`);
        await shows("No route matches it. These were tried, in this order:");
        await shows("/tea/:kind");
        await shoot(runtime, "hono-404");
      }, { env });
    });

    test("Handler: an error's frames, lines, settings, text to copy and links; a path that no route has", async () => {
      const files = handler(URLS);
      await withDevServer(runtime, files, async (server, project) => {
        await browser.goto(`${server.url}/tea/green/`);
        await shows("green: the pot is empty");
        await shoot(runtime, "handler-error");
        expect(await browser.evaluate("document.documentElement.innerHTML")).not.toContain("hush-hush");
        const code = "throw new RangeError(`${kind}: the pot is empty`);";
        await looksAtErrorPage(server, project, "urls.ts", files["urls.ts"]!, code);
        await browser.goto(`${server.url}/nowhere`);
        await shows("No route matches it. These were tried, in this order:");
        await shows("tea/<str:kind>/");
        await shoot(runtime, "handler-404");
      }, { env });
    });

    test.each([
      ["Handler", handler(""), "urls.ts", handler('path("", home)')["urls.ts"]!, "home"],
      [
        "Hono",
        { "app.ts": 'import { Hono } from "hono";\n\nconst app = new Hono();\n\nexport default app;\n' },
        "app.ts",
        hono("hello"),
        "hello",
      ],
    ])("an empty %s project has a page that says what to do, and that goes when it is done", async (...words) => {
      const [kind, files, file, source, text] = words;
      await withDevServer(runtime, files, async (server, project) => {
        await browser.goto(`${server.url}/`);
        await shows("It works.");
        await shoot(runtime, `welcome-${kind.toLowerCase()}`);
        project.save(file, source);
        await shows(text);
      }, { env });
    });

    test("after Ctrl-C and a new start on the same port, the page comes back by itself", async () => {
      const project = new Project({ "app.ts": hono("one"), "style.css": "" });
      let server = new DevServer(runtime, project, { env });
      try {
        await server.ready();
        const { port } = server;
        await browser.goto(`${server.url}/`);
        await shows("one");
        server.signal("SIGINT", true);
        expect(await server.exited()).toBe(0);
        project.save("app.ts", hono("two"));
        server = new DevServer(runtime, project, { words: [String(port)], env });
        await server.ready();
        await shows("two");
      } finally {
        await server.stop();
        project.remove();
      }
    });
  });
});
