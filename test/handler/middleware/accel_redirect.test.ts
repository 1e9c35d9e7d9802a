import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFile, openFileBelow } from "../../../adapters/open_file.ts";
import type { CallOptions, Reply } from "../../../src/esgi/testing.ts";
import { ImproperlyConfigured } from "../../../src/handler/exceptions.ts";
import { FileResponse } from "../../../src/handler/file_response.ts";
import { accelRedirectMiddleware } from "../../../src/handler/middleware/accel_redirect.ts";
import { gzipMiddleware } from "../../../src/handler/middleware/gzip.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import type { HandlerSettings } from "../../../src/handler/settings.ts";
import { compression } from "../../../adapters/compression.ts";
import { makeSite } from "./site.ts";

const folder = mkdtempSync(join(tmpdir(), "tricorn-accel-"));
const files = join(folder, "files");
const TEXT = "a text that is worth to be compressed, ".repeat(20);

beforeAll(() => {
  mkdirSync(join(files, "a b"), { recursive: true });
  writeFileSync(join(files, "a b/c%é.txt"), TEXT);
  writeFileSync(join(folder, "files.txt"), "beside");
  symlinkSync("files", join(folder, "current"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const VIEWS = {
  file: async () => new FileResponse(await openFile(join(files, "x/../a b/c%é.txt")), { asAttachment: true }),
  below: async () => new FileResponse((await openFileBelow(`${folder}/current`, "a b/c%é.txt"))!),
  beside: async () => new FileResponse(await openFile(join(folder, "files.txt"))),
  bytes: () => new FileResponse(new TextEncoder().encode("bytes")),
  cookie: async () => {
    const response = new FileResponse(await openFile(join(files, "a b/c%é.txt")), {
      headers: { "Cache-Control": "private", "X-Mine": "1" },
    });
    response.setCookie("seen", "1");
    return response;
  },
  failed: async () => new FileResponse(await openFile(join(files, "a b/c%é.txt")), { status: 404 }),
  text: () => new HttpResponse("text"),
};

const LOCATIONS = { [`${files}/`]: "/protected/", [`${folder}/current/`]: "/current/" };

const ask = (path: string, settings: HandlerSettings = {}, options: CallOptions = {}): Promise<Reply> =>
  makeSite([accelRedirectMiddleware(LOCATIONS), gzipMiddleware(compression)], VIEWS, settings)
    .get({ path: `http://example.com/${path}`, ...options });

describe("accelRedirectMiddleware", () => {
  test("names the file to nginx, and sends nothing of it", async () => {
    const reply = await ask("file");
    expect([reply.status, reply.text()]).toEqual([200, ""]);
    expect(Object.fromEntries(reply.headers)).toEqual({
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Disposition": "attachment; filename*=utf-8''c%25%C3%A9.txt",
      "X-Accel-Redirect": "/protected/a%20b/c%25%C3%A9.txt",
    });
  });

  test("by the path that it was opened by, whatever links are in it", async () => {
    expect((await ask("below")).header("X-Accel-Redirect")).toBe("/current/a%20b/c%25%C3%A9.txt");
  });

  test("ranges and conditions are nginx's", async () => {
    const headers = { Range: "bytes=0-1", "If-None-Match": "*", "If-Match": '"a"' };
    const reply = await ask("file", {}, { headers });
    expect([reply.status, reply.header("Content-Range")]).toEqual([200, null]);
    expect(reply.header("X-Accel-Redirect")).not.toBeNull();
  });

  test("keeps cookies and Cache-Control, and what nginx would not pass on is not there", async () => {
    const reply = await ask("cookie");
    expect([reply.header("Cache-Control"), reply.header("X-Mine")]).toEqual(["private", null]);
    expect(reply.header("Set-Cookie")).toMatch(/^seen=1/);
    expect(reply.header("X-Accel-Redirect")).not.toBeNull();
  });

  test.each([
    ["a file elsewhere", "beside", "beside", {}],
    ["a file that is none of the disk", "bytes", "bytes", {}],
    ["what is no file", "text", "text", {}],
    ["another status", "failed", TEXT, {}],
  ])("%s is sent as it is", async (_, path, text, settings) => {
    const reply = await ask(path, settings);
    expect([reply.header("X-Accel-Redirect"), reply.text()]).toEqual([null, text]);
  });

  test("content that a middleware has changed is sent as it is", async () => {
    const reply = await ask("file", {}, { headers: { "Accept-Encoding": "gzip" } });
    expect([reply.header("X-Accel-Redirect"), reply.header("Content-Encoding")]).toEqual([null, "gzip"]);
  });

  test("in development it leaves itself out", async () => {
    const reply = await ask("file", { DEBUG: true });
    expect([reply.header("X-Accel-Redirect"), reply.text()]).toEqual([null, TEXT]);
  });

  test.each([["/srv/files", "/protected/"], ["files/", "/protected/"], ["/srv/files/", "protected/"]])(
    "%s to %s is refused",
    (path, location) => {
      expect(() => accelRedirectMiddleware({ [path]: location })).toThrow(ImproperlyConfigured);
    },
  );
});
