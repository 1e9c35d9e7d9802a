import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openFileBelow } from "../../../adapters/open_file.ts";
import { ImproperlyConfigured } from "../../../src/handler/exceptions.ts";
import type { FileLike } from "../../../src/handler/file_response.ts";
import { staticFilesMiddleware } from "../../../src/handler/middleware/static.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import type { HandlerSettings } from "../../../src/handler/settings.ts";
import type { CallOptions } from "../../../src/esgi/testing.ts";
import { makeSite, type Site } from "./site.ts";

const folder = mkdtempSync(join(tmpdir(), "tricorn-static-"));
const root = join(folder, "root");
const other = join(folder, "other");
const SCRIPT = "console.log(1);\n".repeat(50);

beforeAll(() => {
  mkdirSync(join(root, "sub"), { recursive: true });
  mkdirSync(join(root, ".git"));
  mkdirSync(other);
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(root, "a.txt"), "0123456789");
  writeFileSync(join(root, "sub/b c é.css"), "b {}");
  writeFileSync(join(root, ".env"), "secret");
  writeFileSync(join(root, ".git/config"), "secret");
  writeFileSync(join(root, "app.js"), SCRIPT);
  writeFileSync(join(root, "app.js.br"), brotliCompressSync(SCRIPT));
  writeFileSync(join(root, "app.js.gz"), gzipSync(SCRIPT));
  writeFileSync(join(root, "only_gzip.js"), SCRIPT);
  writeFileSync(join(root, "only_gzip.js.gz"), gzipSync(SCRIPT));
  writeFileSync(join(other, "a.txt"), "the other's");
  writeFileSync(join(other, "c.txt"), "c");
  symlinkSync(join(folder, "secret.txt"), join(root, "link.txt"));
  symlinkSync(folder, join(root, "up"));
  symlinkSync("a.txt", join(root, "inside.txt"));
  utimesSync(join(root, "a.txt"), 1_577_934_245, 1_577_934_245);
});
afterAll(() => rmSync(folder, { recursive: true }));

const view = () => new HttpResponse("the site");
const VIEWS = { "": view, "static/<path:rest>": view, "x/static/<path:rest>": view };
const DEVELOPMENT: HandlerSettings = { DEBUG: true, STATIC_URL: "/static/", STATICFILES_DIRS: [root, other] };
const PRODUCTION: HandlerSettings = { STATIC_URL: "/static/", STATIC_ROOT: root };

const makeStatic = (settings: HandlerSettings): Site =>
  makeSite([staticFilesMiddleware(openFileBelow)], VIEWS, settings);
const get = (settings: HandlerSettings, path: string, options: CallOptions = {}) =>
  makeStatic(settings).get({ path: `http://example.com${path}`, ...options });

describe.each([["in development", DEVELOPMENT], ["in production", PRODUCTION]])("static files %s", (_, settings) => {
  test("are sent with type, name and validators", async () => {
    const reply = await get(settings, "/static/a.txt");
    expect([reply.status, reply.text()]).toEqual([200, "0123456789"]);
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Length": "10",
      "Last-Modified": "Thu, 02 Jan 2020 03:04:05 GMT",
      "Accept-Ranges": "bytes",
    });
    const etag = reply.header("ETag")!;
    expect((await get(settings, "/static/a.txt", { headers: { "If-None-Match": etag } })).status).toBe(304);
    const part = await get(settings, "/static/a.txt", { headers: { Range: "bytes=3-5" } });
    expect([part.status, part.text()]).toEqual([206, "345"]);
  });

  test("a name with spaces and letters of the world, by its encoded path", async () => {
    expect((await get(settings, "/static/sub/b%20c%20%C3%A9.css")).text()).toBe("b {}");
  });

  test("a link is followed where it ends inside", async () => {
    expect((await get(settings, "/static/up/root/a.txt")).text()).toBe("0123456789");
    expect((await get(settings, "/static/inside.txt")).text()).toBe("0123456789");
  });

  test("HEAD", async () => {
    const reply = await get(settings, "/static/a.txt", { method: "HEAD" });
    expect([reply.status, reply.text(), reply.header("Content-Length")]).toEqual([200, "", "10"]);
  });

  test.each([
    "/static/../secret.txt",
    "/static/%2e%2e/secret.txt",
    "/static/..%2fsecret.txt",
    "/static/..%5csecret.txt",
    "/static/sub/../../secret.txt",
    "/static/sub/../a.txt",
    "/static/./a.txt",
    "/static/%252e%252e/secret.txt",
    "/static/link.txt",
    "/static/up/secret.txt",
    "/static/.env",
    "/static/%2eenv",
    "/static/.git/config",
    "/static/sub",
    "/static/sub/",
    "/static/",
    "/static//a.txt",
    "/static/a.txt/",
    "/static/a.txt%00",
    "/static/a.txt%00.png",
    "/static/a%0a.txt",
    "/static/%ff.txt",
    "/static/nothing.txt",
    `/static/${"x".repeat(300)}`,
  ])("never outside, and no folder, hidden or missing file: %s goes on to the site", async (target) => {
    const reply = await makeStatic(settings).get({ target });
    expect([reply.status === 200 && reply.text() !== "the site", reply.text().includes("secret")])
      .toEqual([false, false]);
  });

  test("absolute paths mean nothing", async () => {
    const reply = await makeStatic(settings).get({ target: `/static/${folder}/secret.txt` });
    expect(reply.text()).toBe("the site");
  });

  test("other methods and other paths are the site's", async () => {
    expect((await get(settings, "/static/a.txt", { method: "POST" })).text()).toBe("the site");
    expect((await get(settings, "/")).text()).toBe("the site");
    expect((await get(settings, "/x/static/a.txt")).text()).toBe("the site");
  });
});

describe("in development", () => {
  test("the first folder that has the file wins", async () => {
    expect((await get(DEVELOPMENT, "/static/a.txt")).text()).toBe("0123456789");
    expect((await get(DEVELOPMENT, "/static/c.txt")).text()).toBe("c");
  });

  test("a file is sent as it is, whatever lies beside it", async () => {
    const reply = await get(DEVELOPMENT, "/static/app.js", { headers: { "Accept-Encoding": "br, gzip" } });
    expect([reply.header("Content-Encoding"), reply.header("Vary"), reply.text()]).toEqual([null, null, SCRIPT]);
  });
});

describe("in production", () => {
  test.each([
    ["/static/app.js", "gzip, deflate, br", "br"],
    ["/static/app.js", "gzip", "gzip"],
    ["/static/app.js", "br;q=0.5, gzip", "gzip"],
    ["/static/only_gzip.js", "br, gzip", "gzip"],
    ["/static/only_gzip.js", "br", null],
    ["/static/app.js", "", null],
    ["/static/app.js", "gzip;q=0", null],
  ])("%s for %j: %s", async (path, field, encoding) => {
    const reply = await get(PRODUCTION, path, { headers: { "Accept-Encoding": field } });
    expect(reply.header("Content-Encoding")).toBe(encoding);
    expect(reply.header("Content-Type")).toBe("text/javascript; charset=utf-8");
    expect(reply.header("Content-Disposition")).toBe(`inline; filename="${path.slice("/static/".length)}"`);
    expect(reply.header("Vary")).toBe("Accept-Encoding");
    const decode = encoding === "br" ? brotliDecompressSync : gunzipSync;
    expect(encoding === null ? reply.text() : decode(reply.bytes()).toString()).toBe(SCRIPT);
  });

  test("the codings have tags of their own", async () => {
    const tag = async (field: string) =>
      (await get(PRODUCTION, "/static/app.js", { headers: { "Accept-Encoding": field } })).header("ETag");
    expect(new Set([await tag("br"), await tag("gzip"), await tag("")]).size).toBe(3);
  });

  test("STATICFILES_DIRS are not looked at", async () => {
    expect((await get({ ...PRODUCTION, STATICFILES_DIRS: [other] }, "/static/c.txt")).text()).toBe("the site");
  });
});

describe("STATIC_URL", () => {
  test("without a / before it is below the place where the site is mounted", async () => {
    const settings = { ...DEVELOPMENT, STATIC_URL: "static/" };
    const options = { scriptName: "/x" };
    expect((await get(settings, "/x/static/a.txt", options)).text()).toBe("0123456789");
    expect((await get(DEVELOPMENT, "/x/static/a.txt", options)).text()).toBe("the site");
    expect((await get({ ...DEVELOPMENT, STATIC_URL: "/x/static/" }, "/x/static/a.txt", options)).text())
      .toBe("0123456789");
  });

  test.each<HandlerSettings>([
    { ...DEVELOPMENT, STATIC_URL: null },
    { ...DEVELOPMENT, STATIC_URL: "https://cdn.example/static/" },
    { ...DEVELOPMENT, STATIC_URL: "//cdn.example/static/" },
    { ...DEVELOPMENT, STATICFILES_DIRS: [] },
    { ...PRODUCTION, STATIC_ROOT: null },
  ])("the middleware leaves itself out with %o", async (settings) => {
    expect((await get(settings, "/static/a.txt")).text()).toBe("the site");
  });

  test("must end with /", () => {
    expect(() => makeStatic({ ...DEVELOPMENT, STATIC_URL: "/static" })).toThrow(ImproperlyConfigured);
    expect(() => makeStatic({ ...DEVELOPMENT, STATIC_URL: "/static" })).toThrow(/STATIC_URL .*end with/);
  });
});

test("files are closed: those that are sent, half sent, and not sent", async () => {
  const close = vi.fn();
  const open = async (root: string, path: string): Promise<FileLike | null> => {
    const file = await openFileBelow(root, path);
    if (file === null) return null;
    return {
      size: file.size,
      mtime: file.mtime!,
      name: file.name!,
      slice: (start, end) => file.slice(start, end),
      close: async () => {
        close();
        await file.close!();
      },
    };
  };
  const site = makeSite([staticFilesMiddleware(open)], VIEWS, DEVELOPMENT);
  const requests: CallOptions[] = [
    {},
    { method: "HEAD" },
    { headers: { "If-None-Match": "*" } },
    { headers: { Range: "bytes=100-" } },
    { headers: { Range: "bytes=1-2" } },
    { disconnectAfter: 0 },
  ];
  for (const [i, request] of requests.entries()) {
    await site.get({ path: "http://example.com/static/a.txt", ...request });
    expect(close, JSON.stringify(request)).toHaveBeenCalledTimes(i + 1);
  }
});
