import { createServer, get, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { expect, test } from "vitest";
import { toNodeListener } from "../../src/bridges/to_node.ts";
import { makeApplication } from "./fixtures/application.ts";
import { httpSuite, type Served, spawnServed } from "./http_suite.ts";

async function listen(listener: (errors: { write(text: string): void; flush(): void }) => RequestListener) {
  let text = "";
  const server = createServer(listener({ write: (more) => void (text += more), flush() {} }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const served: Served = {
    port: (server.address() as AddressInfo).port,
    errors: () => text,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
  return served;
}

httpSuite("http.createServer", () => listen((errors) => toNodeListener(makeApplication(), { errors })), {
  earlyHints: true,
  trailers: true,
});

httpSuite("express", () =>
  listen((errors) => {
    const app = express();
    app.use("/deep/mount", toNodeListener(makeApplication(), { errors }));
    return app;
  }), { mount: "/deep/mount", earlyHints: true, trailers: true });

httpSuite(
  "Deno's node:http",
  () => spawnServed("deno", ["run", "--quiet", "--no-check", "--allow-net", "test/bridges/fixtures/node_http.ts"]),
  { earlyHints: true, trailers: true },
);

httpSuite("Bun's node:http", () => spawnServed("bun", ["test/bridges/fixtures/node_http.ts"]), {
  earlyHints: true,
  trailers: true,
});

test("SCRIPT_NAME and PATH_INFO of the mount itself, and below an encoded one", async () => {
  const served = await listen((errors) => {
    const app = express();
    app.use(["/café", "/plain"], toNodeListener(makeApplication(), { errors }));
    return app;
  });
  const paths = async (path: string): Promise<unknown> => {
    const environ = await (await fetch(`http://127.0.0.1:${served.port}${path}`)).json();
    return [environ.SCRIPT_NAME, environ.PATH_INFO, environ.QUERY_STRING];
  };
  expect(await paths("/plain")).toEqual(["/plain", "", ""]);
  expect(await paths("/plain?a=1")).toEqual(["/plain", "", "a=1"]);
  expect(await paths("/plain/environ")).toEqual(["/plain", "/environ", ""]);
  await served.stop();
});

test("an absolute-form target below Express's mount", async () => {
  const served = await listen((errors) => express().use("/m", toNodeListener(makeApplication(), { errors })));
  const path = "http://localhost/m/environ?a=1";
  const environ = await new Promise<string>((resolve, reject) => {
    get({ port: served.port, host: "127.0.0.1", path, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => text += chunk).on("end", () => resolve(text));
    }).on("error", reject);
  });
  expect(JSON.parse(environ)).toMatchObject({ SCRIPT_NAME: "/m", PATH_INFO: "/environ", QUERY_STRING: "a=1" });
  await served.stop();
});

// Connect, and with it Vite, Fastify's middie and Polka, cut the mount from `url` and keep what came as `originalUrl`.
test.each([
  { originalUrl: "/m/environ?a=1", url: "/environ?a=1", mount: "/m", path: "/environ" },
  { originalUrl: "/m", url: "/", mount: "/m", path: "" },
  { originalUrl: "/m?a=1", url: "/?a=1", mount: "/m", path: "" },
  { originalUrl: "/m/", url: "/", mount: "/m", path: "/" },
  { originalUrl: "/caf%C3%A9/x", url: "/x", mount: "/café", path: "/x" },
  { originalUrl: "http://h/m/x", url: "http://h/x", mount: "/m", path: "/x" },
  { originalUrl: "/environ", url: "/environ", mount: "", path: "/environ" },
  { originalUrl: "/", url: "/", mount: "", path: "/" },
  { originalUrl: "/about", url: "/index.html", mount: "", path: "/about" },
])("$originalUrl, which became $url, is $path below $mount", async ({ originalUrl, url, mount, path }) => {
  let told: unknown;
  const served = await listen((errors) => (request, response) => {
    const listener = toNodeListener((environ, startResponse) => {
      told = [environ.SCRIPT_NAME, environ.PATH_INFO, environ["esgi.target"]];
      startResponse("204 No Content", []);
      return null;
    }, { errors });
    listener(Object.assign(request, { originalUrl, url }), response);
  });
  await fetch(`http://127.0.0.1:${served.port}/`);
  expect(told).toEqual([mount, path, originalUrl]);
  await served.stop();
});

test("a body that a body parser took says so", async () => {
  const served = await listen((errors) => {
    const app = express();
    app.use(express.json());
    app.use(toNodeListener(async (environ, startResponse) => {
      const body = await environ["esgi.input"].text();
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      return body;
    }, { errors }));
    return app;
  });
  const response = await fetch(`http://127.0.0.1:${served.port}/`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '{"a":1}',
  });
  expect(response.status).toBe(500);
  expect(served.errors()).toContain("mount the application before it");
  await served.stop();
});

test("other middleware's fields stay, and the application's win", async () => {
  const served = await listen((errors) => {
    const app = express();
    app.use((_request, response, next) => {
      response.setHeader("X-Outer", "1").setHeader("Content-Type", "text/html");
      next();
    });
    app.use(toNodeListener(makeApplication(), { errors }));
    return app;
  });
  const response = await fetch(`http://127.0.0.1:${served.port}/hello`);
  expect(response.headers.get("x-outer")).toBe("1");
  expect(response.headers.get("content-type")).toBe("text/plain");
  await served.stop();
});

test("a response that other code destroys stops a body that never waits", async () => {
  let closed = 0;
  const served = await listen((errors) => (request, response) => {
    toNodeListener((_environ, startResponse) => {
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      let chunks = 0;
      return {
        *[Symbol.iterator]() {
          for (;;) {
            if (++chunks === 3) response.destroy();
            yield "x";
          }
        },
        close: () => void closed++,
      };
    }, { errors })(request, response);
  });
  await expect(fetch(`http://127.0.0.1:${served.port}/`).then((response) => response.text())).rejects.toThrow();
  expect(closed).toBe(1);
  await served.stop();
});
