// Writes docs/settings.md from the settings' table; with --check, only says whether it is up to date (exit 1 when not).
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { settingsMarkdown } from "../src/config/document.ts";

const path = new URL("../docs/settings.md", import.meta.url);
const wanted = settingsMarkdown();

if (process.argv.includes("--check")) {
  let found = "";
  try {
    found = readFileSync(path, "utf8");
  } catch {
    // A file that is missing is out of date too.
  }
  if (found !== wanted) {
    process.stderr.write(
      "docs/settings.md is out of date: node --import ./adapters/strip_types.js scripts/settings_doc.ts\n",
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(path, wanted);
}
