import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { settingsMarkdown } from "../../src/config/document.ts";

test("docs/settings.md is up to date", () => {
  expect(readFileSync(new URL("../../docs/settings.md", import.meta.url), "utf8")).toBe(settingsMarkdown());
});
