// `tricorn new --template esgi`: a plain ESGI application, without a framework; a page and JSON.

import { dedent, type Template } from "./template.ts";

export const esgi: Template = {
  title: "a plain ESGI application",
  app: "./application.ts",
  dependencies: {},
  settings: null,
  tour: [["application.ts", "the application: a function of the environ"]],
  readme: "",
  files: {
    "application.ts": dedent(`
      // The application, which tricorn.config.ts names. The rules of environ and
      // startResponse are in node_modules/tricorn/SPEC.md.
      import type { Application, Headers } from "tricorn/esgi";

      const PAGE = \`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width">
          <title>{{name}}</title>
        </head>
        <body>
          <h1>{{name}}</h1>
          <p>This page is in <code>application.ts</code>.</p>
          <p>There is <a href="api/hello/world">some JSON</a>, too.</p>
        </body>
      </html>
      \`;

      const HTML: Headers = [["Content-Type", "text/html; charset=utf-8"]];
      const JSON_TYPE: Headers = [["Content-Type", "application/json"]];
      const TEXT: Headers = [["Content-Type", "text/plain; charset=utf-8"]];

      export const application: Application = (environ, startResponse) => {
        const { REQUEST_METHOD: method, PATH_INFO: path } = environ;
        if (method !== "GET" && method !== "HEAD") {
          startResponse("405 Method Not Allowed", [...TEXT, ["Allow", "GET, HEAD"]]);
          return "GET and HEAD only\\n";
        }
        if (path === "/") {
          startResponse("200 OK", HTML);
          return PAGE;
        }
        const name = /^\\/api\\/hello\\/([^/]+)$/.exec(path)?.[1];
        if (name !== undefined) {
          startResponse("200 OK", JSON_TYPE);
          return JSON.stringify({ hello: name });
        }
        startResponse("404 Not Found", TEXT);
        return "There is no such page\\n";
      };
    `),

    "test/application.test.ts": dedent(`
      import assert from "node:assert/strict";
      import { test } from "node:test";
      import { call, makeEnviron, validator } from "tricorn/testing";
      import { application } from "../application.ts";

      // It throws where a rule of ESGI is broken.
      const checked = validator(application);

      test("the home page has its heading", async () => {
        const reply = await call(checked, "/");
        assert.equal(reply.status, 200);
        assert.match(reply.text(), /<h1>{{name}}<\\/h1>/);
      });

      test("JSON says hello to whom the path names", async () => {
        const reply = await call(checked, "/api/hello/Zoë");
        assert.deepEqual(reply.json(), { hello: "Zoë" });
      });

      test("what is only read takes no POST", async () => {
        const reply = await call(checked, makeEnviron({ method: "POST" }));
        assert.equal(reply.status, 405);
        assert.equal(reply.header("allow"), "GET, HEAD");
      });

      test("no page is 404", async () => {
        assert.equal((await call(checked, "/nowhere")).status, 404);
      });
    `),
  },
};
