// `tricorn new --template handler`: a site by Django's structure, with a page, a style sheet and a JSON view. What differs
// between machines is in the environment, and on the developer's own in .env.

import { STYLE } from "./style.ts";
import { dedent, type Template } from "./template.ts";

export const handler: Template = {
  title: "a site by Django's structure, on tricorn/handler",
  app: "./application.ts",
  dependencies: {},
  settings: "settings.ts",
  tour: [
    ["urls.ts", "which view answers which path"],
    ["views.ts", "the views"],
    ["static/", "style sheets, scripts and pictures, below `/static/`"],
    ["settings.ts", "what the site is made of"],
    [".env", "the settings of this machine; git does not see it"],
    ["application.ts", "what is served"],
  ],
  readme: dedent(`
    ## Settings

    They come from the environment, and on your machine also from \`.env\`, which git
    does not see. After a fresh clone, copy [.env.example](.env.example) to \`.env\`.

    | Variable        | Meaning                                                         |
    | --------------- | --------------------------------------------------------------- |
    | \`DEBUG\`         | \`1\` shows visitors what went wrong: never in production         |
    | \`SECRET_KEY\`    | what is signed is signed with it: 50 random characters or more  |
    | \`ALLOWED_HOSTS\` | the hosts of the site, with commas between: \`example.com,[::1]\` |
  `),
  files: {
    "application.ts": dedent(`
      // The site, as the application that tricorn.config.ts names.
      import { Handler } from "tricorn/handler";
      import { settings } from "./settings.ts";

      export const application = new Handler(settings).application;
    `),

    "settings.ts": dedent(`
      // What the site is made of. What differs between machines comes from the
      // environment; on yours also from .env, which git does not see.
      import { existsSync, readFileSync } from "node:fs";
      import process from "node:process";
      import { fileURLToPath } from "node:url";
      import { parseEnv } from "node:util";
      import { openFileBelow } from "tricorn";
      import {
        CommonMiddleware,
        ConditionalGetMiddleware,
        CsrfViewMiddleware,
        type HandlerSettings,
        SecurityMiddleware,
        staticFilesMiddleware,
        XFrameOptionsMiddleware,
      } from "tricorn/handler";
      import { urlpatterns } from "./urls.ts";

      const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

      const local: Record<string, string | undefined> = existsSync(here(".env"))
        ? parseEnv(readFileSync(here(".env"), "utf8"))
        : {};
      const env = (name: string) => process.env[name] ?? local[name] ?? "";

      const DEBUG = env("DEBUG") === "1";

      export const settings: HandlerSettings = {
        DEBUG,
        SECRET_KEY: env("SECRET_KEY"),
        // With DEBUG, none means this machine's own names.
        ALLOWED_HOSTS: env("ALLOWED_HOSTS").split(",").filter(Boolean),
        ROOT_URLCONF: urlpatterns,
        MIDDLEWARE: [
          SecurityMiddleware,
          staticFilesMiddleware(openFileBelow),
          ConditionalGetMiddleware,
          CommonMiddleware,
          CsrfViewMiddleware,
          XFrameOptionsMiddleware,
        ],
        CSRF_COOKIE_SECURE: !DEBUG,
        STATIC_URL: "/static/",
        ...(DEBUG
          ? { STATICFILES_DIRS: [here("static")] }
          : { STATIC_ROOT: here("static") }),
      };
    `),

    "urls.ts": dedent(`
      // Which view answers which path.
      import { defineUrls, path } from "tricorn/handler";
      import { hello, home } from "./views.ts";

      export const urlpatterns = defineUrls([
        path("", home, { name: "home" }),
        path("api/hello/<str:name>/", hello, { name: "hello" }),
      ]);
    `),

    "views.ts": dedent(`
      // The views: each makes a response of a request and of what its path has.
      import {
        HttpResponse,
        JsonResponse,
        requireSafe,
        type View,
      } from "tricorn/handler";

      export const home: View = requireSafe((request) =>
        new HttpResponse(\`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width">
          <title>{{name}}</title>
          <link rel="stylesheet" href="\${request.settings.STATIC_URL}style.css">
        </head>
        <body>
          <h1>{{name}}</h1>
          <p>This page is <code>home</code> in <code>views.ts</code>.</p>
          <p>There is <a href="api/hello/world/">some JSON</a>, too.</p>
        </body>
      </html>
      \`)
      );

      export const hello: View<{ name: string }> = requireSafe((_request, { name }) =>
        new JsonResponse({ hello: name })
      );
    `),

    "static/style.css": STYLE,

    "test/site.test.ts": dedent(`
      import assert from "node:assert/strict";
      import { test } from "node:test";
      import { Handler, reverse } from "tricorn/handler";
      import { Client } from "tricorn/handler/testing";
      import { settings } from "../settings.ts";
      import { urlpatterns } from "../urls.ts";

      // What .env of this machine says is not what is tested.
      const site = new Handler({ ...settings, ALLOWED_HOSTS: ["test"] });
      const client = new Client(site);

      test("the home page has its heading", async () => {
        const response = await client.get("/");
        assert.equal(response.statusCode, 200);
        assert.match(response.text, /<h1>{{name}}<\\/h1>/);
      });

      test("the style sheet is there", async () => {
        const response = await client.get("/static/style.css");
        assert.equal(response.statusCode, 200);
        assert.match(response.headers.get("Content-Type") ?? "", /^text\\/css/);
      });

      test("JSON says hello to whom the path names", async () => {
        const url = reverse("hello", {
          urlconf: urlpatterns,
          params: { name: "Zoë" },
        });
        assert.deepEqual((await client.get(url)).json(), { hello: "Zoë" });
      });

      test("what is only read takes no POST", async () => {
        assert.equal((await client.post("/")).statusCode, 405);
      });

      test("no page is 404", async () => {
        assert.equal((await client.get("/nowhere/")).statusCode, 404);
      });
    `),

    ".env": dedent(`
      # The settings of this machine. Keep it to yourself: git and Docker do not see it.
      DEBUG=1
      SECRET_KEY={{secretKey}}
    `),

    ".env.example": dedent(`
      # Copy this to .env, and make a key of your own: openssl rand -base64 48
      DEBUG=1
      SECRET_KEY=
      # In production: the hosts of the site, with commas between.
      ALLOWED_HOSTS=
    `),
  },
};
