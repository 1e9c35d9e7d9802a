// Files of the disk, as FileResponse and the middleware of static files get them.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFile, openFileBelow } from "../../adapters/open_file.ts";
import type { FileLike } from "../../src/handler/file_response.ts";

const folder = mkdtempSync(join(tmpdir(), "tricorn-files-"));
const root = join(folder, "root");
const at = (name: string): string => join(root, name);

beforeAll(() => {
  mkdirSync(at("sub"), { recursive: true });
  mkdirSync(join(folder, "root2"));
  writeFileSync(join(folder, "secret"), "secret");
  writeFileSync(join(folder, "root2/secret"), "secret");
  writeFileSync(at("large"), "0123456789".repeat(20_000));
  writeFileSync(at("empty"), "");
  writeFileSync(at("..dots"), "dots");
  writeFileSync(at("closed"), "closed");
  chmodSync(at("closed"), 0);
  symlinkSync("large", at("inside"));
  symlinkSync("../secret", at("outside"));
  symlinkSync(folder, at("up"));
  symlinkSync("loop", at("loop"));
  execFileSync("mkfifo", [at("pipe")]);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function read(file: FileLike, start = 0, end = file.size): Promise<{ text: string; chunks: number }> {
  let chunks = 0;
  let text = "";
  for await (const chunk of file.slice(start, end)) {
    chunks++;
    text += new TextDecoder().decode(chunk);
  }
  await file.close!();
  return { text, chunks };
}

describe("openFile", () => {
  test("has name, size and time, and any part, chunk by chunk", async () => {
    const file = await openFile(at("large"));
    expect([file.name, file.size]).toEqual(["large", 200_000]);
    expect(Math.abs(Date.now() - file.mtime!.getTime())).toBeLessThan(60_000);
    expect(await read(file)).toEqual({ text: "0123456789".repeat(20_000), chunks: 4 });
    expect(await read(await openFile(at("large")), 13, 17)).toEqual({ text: "3456", chunks: 1 });
    expect(await read(await openFile(at("empty")))).toEqual({ text: "", chunks: 0 });
  });

  test("of a file that is cut meanwhile there is what is left", async () => {
    writeFileSync(at("cut"), "0123456789");
    const file = await openFile(at("cut"));
    truncateSync(at("cut"), 4);
    expect((await read(file)).text).toBe("0123");
  });

  test("what is no file is an error; a named pipe is not waited for", async () => {
    await expect(openFile(at("nothing"))).rejects.toMatchObject({ code: "ENOENT" });
    await expect(openFile(at("sub"))).rejects.toThrow(/not a regular file/);
    await expect(openFile(at("pipe"))).rejects.toThrow(/not a regular file/);
  });
});

describe("openFileBelow", () => {
  test.each(["large", "inside", "sub/../large", "up/root/large", "/large"])("opens %s", async (path) => {
    expect((await read((await openFileBelow(root, path))!, 0, 3)).text).toBe("012");
  });

  test("opens a name that only begins like the way up", async () => {
    expect((await read((await openFileBelow(root, "..dots"))!)).text).toBe("dots");
  });

  test.each([
    "../secret",
    "sub/../../secret",
    "../root2/secret",
    "outside",
    "up/secret",
    "..",
    ".",
    "",
    "/",
    "sub",
    "pipe",
    "loop",
    "nothing",
    "large/",
    "large/x",
    "large\0",
    "x".repeat(300),
    "x/".repeat(3000),
  ])("gives null for %j", async (path) => {
    expect(await openFileBelow(root, path)).toBe(null);
  });

  // Nothing is forbidden to root, so there is nothing to see then.
  test.skipIf(process.getuid?.() === 0)("gives null for what is forbidden (skipped as root)", async () => {
    expect(await openFileBelow(root, "closed")).toBe(null);
  });

  test("gives null where the folder itself is missing, and opens through a link to it", async () => {
    expect(await openFileBelow(join(folder, "nothing"), "large")).toBe(null);
    symlinkSync(root, join(folder, "link"));
    expect((await read((await openFileBelow(join(folder, "link"), "large"))!, 0, 1)).text).toBe("0");
  });
});
