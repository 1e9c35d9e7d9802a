// Writes docs/settings.md, docs/settings.schema.json and docs/from-gunicorn.md from the settings' table, and docs/signals.md
// from the signals'; with --check, only says whether they are up to date (exit 1 when one is not).
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { signalsMarkdown } from "../src/cli/signals_document.ts";
import { settingsMarkdown } from "../src/config/document.ts";
import { fromGunicornMarkdown } from "../src/config/from_gunicorn.ts";
import { settingsSchema } from "../src/config/schema.ts";

const FILES: Readonly<Record<string, string>> = {
  "docs/settings.md": settingsMarkdown(),
  "docs/settings.schema.json": settingsSchema(),
  "docs/from-gunicorn.md": fromGunicornMarkdown(),
  "docs/signals.md": signalsMarkdown(),
};

for (const [name, wanted] of Object.entries(FILES)) {
  const path = new URL(`../${name}`, import.meta.url);
  if (!process.argv.includes("--check")) {
    writeFileSync(path, wanted);
    continue;
  }
  let found = "";
  try {
    found = readFileSync(path, "utf8");
  } catch {
    // A file that is missing is out of date too.
  }
  if (found !== wanted) {
    process.stderr.write(`${name} is out of date: node --import ./adapters/strip_types.js scripts/settings_doc.ts\n`);
    process.exitCode = 1;
  }
}
