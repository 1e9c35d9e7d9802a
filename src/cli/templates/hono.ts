// `tricorn new --template hono`: a Hono application with a page, a style sheet and JSON. Tricorn serves it as it is.

import { STYLE } from "./style.ts";
import { dedent, type Template } from "./template.ts";
import { VERSIONS } from "./versions.ts";

export const hono: Template = {
  title: "a Hono application",
  app: "./app.ts",
  dependencies: { hono: VERSIONS.hono },
  settings: null,
  tour: [
    ["app.ts", "the application: its routes"],
    ["static/", "style sheets, scripts and pictures, below `/static/`"],
  ],
  readme: "",
  files: {
    "app.ts": dedent(`
      // The application, which tricorn.config.ts names.
      import { readFile } from "node:fs/promises";
      import { fileURLToPath } from "node:url";
      import { Hono } from "hono";
      import { html } from "hono/html";
      import { secureHeaders } from "hono/secure-headers";
      import { serveStatic } from "hono/serve-static";

      const app = new Hono();

      app.use(secureHeaders());

      // By node:fs, which Node, Deno and Bun have.
      app.use(
        "/static/*",
        serveStatic({
          root: fileURLToPath(new URL(".", import.meta.url)),
          getContent: (path) => readFile(path).catch(() => null),
        }),
      );

      app.get("/", (c) =>
        c.html(html\`
          <!doctype html>
          <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width">
              <title>{{name}}</title>
              <link rel="stylesheet" href="/static/style.css">
            </head>
            <body>
              <h1>{{name}}</h1>
              <p>This page is in <code>app.ts</code>.</p>
              <p>There is <a href="/api/hello/world">some JSON</a>, too.</p>
            </body>
          </html>
        \`));

      app.get("/api/hello/:name", (c) => c.json({ hello: c.req.param("name") }));

      export default app;
    `),

    "static/style.css": STYLE,

    "test/app.test.ts": dedent(`
      import assert from "node:assert/strict";
      import { test } from "node:test";
      import app from "../app.ts";

      test("the home page has its heading", async () => {
        const response = await app.request("/");
        assert.equal(response.status, 200);
        assert.match(await response.text(), /<h1>{{name}}<\\/h1>/);
      });

      test("the style sheet is there", async () => {
        const response = await app.request("/static/style.css");
        assert.equal(response.status, 200);
        assert.match(response.headers.get("Content-Type") ?? "", /^text\\/css/);
      });

      test("JSON says hello to whom the path names", async () => {
        const response = await app.request("/api/hello/Zo%C3%AB");
        assert.deepEqual(await response.json(), { hello: "Zoë" });
      });

      test("no page is 404", async () => {
        assert.equal((await app.request("/nowhere")).status, 404);
      });
    `),
  },
};
