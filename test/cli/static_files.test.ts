import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFileBelow } from "../../adapters/open_file.ts";
import { staticFiles } from "../../src/cli/static_files.ts";
import { call, type EnvironOptions, type Reply, validator } from "../../src/esgi/testing.ts";
import type { FileLike } from "../../src/handler/file_response.ts";

let root: string;
let open = 0;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "tricorn-static-"));
  for (const folder of ["one/css", "two", "outside"]) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "one/css/a.css"), "body {}");
  writeFileSync(join(root, "one/both.txt"), "first");
  writeFileSync(join(root, "two/both.txt"), "second");
  writeFileSync(join(root, "two/ü b.txt"), "named");
  writeFileSync(join(root, "one/.env"), "secret");
  writeFileSync(join(root, "outside/x.txt"), "outside");
  symlinkSync(join(root, "outside/x.txt"), join(root, "one/link.txt"));
});
afterAll(() => rmSync(root, { recursive: true }));

/** Counts what is open. */
async function opened(folder: string, path: string): Promise<FileLike | null> {
  const file = await openFileBelow(folder, path);
  if (file === null) return null;
  open++;
  const { name, size, mtime } = file;
  return {
    ...(name === undefined ? {} : { name }),
    ...(mtime === undefined ? {} : { mtime }),
    size,
    slice: (start, end) => file.slice(start, end),
    close: async () => {
      open--;
      await file.close?.();
    },
  };
}

async function ask(path: string, options: EnvironOptions = {}, prefix = "/static/"): Promise<Reply> {
  const application = staticFiles({
    prefix,
    folders: [join(root, "one"), join(root, "missing"), join(root, "two")],
    openFile: opened,
  })(
    (environ, startResponse) => {
      startResponse("404 Not Found", [["Content-Type", "text/plain"]]);
      return `application: ${environ.REQUEST_METHOD} ${environ.PATH_INFO}`;
    },
  );
  const reply = await call(validator(application), { path, ...options });
  expect(open, "files that are still open").toBe(0);
  return reply;
}

describe("static files", () => {
  test("are sent with their type, length and tag, and asked for each time", async () => {
    const reply = await ask("/static/css/a.css");
    expect(reply.status).toBe(200);
    expect(reply.text()).toBe("body {}");
    expect(reply.header("Content-Type")).toBe("text/css; charset=utf-8");
    expect(reply.header("Content-Length")).toBe("7");
    expect(reply.header("Cache-Control")).toBe("no-cache");
    const again = await ask("/static/css/a.css", { headers: { "If-None-Match": reply.header("ETag")! } });
    expect(again.status).toBe(304);
    expect(again.header("Cache-Control")).toBe("no-cache");
  });

  test("have ranges, and none beyond their end", async () => {
    const part = await ask("/static/css/a.css", { headers: { Range: "bytes=0-3" } });
    expect([part.status, part.text()]).toEqual([206, "body"]);
    expect((await ask("/static/css/a.css", { headers: { Range: "bytes=9-" } })).status).toBe(416);
  });

  test("answer HEAD", async () => {
    const reply = await ask("/static/css/a.css", { method: "HEAD" });
    expect([reply.status, reply.text(), reply.header("Content-Length")]).toEqual([200, "", "7"]);
  });

  test("are the first folder's that has them, whatever their names", async () => {
    expect((await ask("/static/both.txt")).text()).toBe("first");
    expect((await ask("/static/%C3%BC%20b.txt")).text()).toBe("named");
  });

  test("may be asked for with a prefix without its slash", async () => {
    expect((await ask("/assets/both.txt", {}, "/assets")).text()).toBe("first");
    expect((await ask("/assetsboth.txt", {}, "/assets")).status).toBe(404);
  });

  test.each([
    "/static/missing.css",
    "/static/css",
    "/static/css/",
    "/static/",
    "/static",
    "/other/both.txt",
    "/static/.env",
    "/static/link.txt",
    "/static/..%2foutside/x.txt",
    "/static/%2e%2e/outside/x.txt",
    "/static/%00",
  ])("the application has %s", async (path) => {
    const reply = await ask(path);
    expect(reply.status).toBe(404);
    expect(reply.text()).toMatch(/^application: GET \//);
  });

  test("the application has other methods", async () => {
    expect((await ask("/static/both.txt", { method: "POST" })).text()).toBe("application: POST /static/both.txt");
  });

  test("a client that leaves leaves no file open", async () => {
    const reply = await ask("/static/both.txt", { disconnectAfter: 0 } as EnvironOptions);
    expect(reply.aborted).toBe(true);
  });
});
