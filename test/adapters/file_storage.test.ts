// Temporary files of uploads, on each runtime.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFileStorage } from "../../adapters/file_storage.ts";
import { onEachRuntime, ROOT } from "../support/runtimes.ts";

onEachRuntime("temporaryFileStorage", (runtime) => {
  test("a file is its owner's, read as often as one likes, and gone after remove()", () => {
    const directory = mkdtempSync(join(tmpdir(), "tricorn-uploads-"));
    try {
      const words = [...runtime.words([`--allow-write=${directory}`]), "test/adapters/file_storage_main.ts", directory];
      const { name, ...seen } = JSON.parse(execFileSync(runtime.program, words, { cwd: ROOT, encoding: "utf8" }));
      expect(name).toMatch(/^tricorn-[0-9a-f-]{36}\.upload$/);
      const sum = 100_000 * (100_000 % 256) + 3 * 3;
      expect(seen).toEqual({ mode: "600", reads: [[100_003, sum], [100_003, sum]], left: [] });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

test("a folder that is not there is an error that names it", async () => {
  await expect(temporaryFileStorage.create("/no/such/folder")).rejects.toThrow("/no/such/folder");
});
