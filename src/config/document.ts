// docs/settings.md, from the table. scripts/settings_doc.ts writes it, and checks that it is up to date.

import { ABSENT, type Absent } from "./gunicorn.ts";
import { meta, paragraph, shown } from "./flags.ts";
import { type Setting, SETTING_NAMES, SETTINGS, type SettingType } from "./settings.ts";

/** By lines: what begins one here would pass for this file's own import and export. */
const EXAMPLE: string = [
  'import { defineConfig } from "tricorn";',
  "",
  "export default defineConfig({",
  '  app: "./app.ts",',
  '  bind: ["0.0.0.0:8000"],',
  '  workers: "auto",',
  "  max_requests: 10_000,",
  '  when_ready: (server) => console.log("ready at", server.urls.join(", ")),',
  "});",
].join("\n");

const HEAD = `# Settings

Generated from src/config/settings.ts by scripts/settings_doc.ts; change it there.

Names and meanings are Gunicorn's where it has the setting. A name that does not exist, a wrong type and a value out of
range are errors, never ignored. \`tricorn serve app.ts --print-config\` shows every setting, its value and where that
came from; \`--check-config\` only says what is wrong. Both load the application too.

## Where settings come from

What stands further down counts more:

1. the default
2. a variable of the environment: \`PORT\`, \`WEB_CONCURRENCY\`, \`FORWARDED_ALLOW_IPS\`
3. the configuration file: the one of \`-c PATH\`, or the first of \`tricorn.config.ts\`, \`.js\`, \`.mjs\` and \`.json\` in the
   working directory
4. the flags in the variable \`TRICORN_CMD_ARGS\`, split into words as a POSIX shell does it: quotes and backslashes,
   nothing else
5. the flags of the command line

\`serve(app, options)\` in a program has the settings as options, by their names. They count as the flags do; there is no
configuration file and no \`TRICORN_CMD_ARGS\` then, because the program is in charge.

The configuration file exports an object of settings, or a function that returns one and may be async:

\`\`\`ts
${EXAMPLE}
\`\`\`

Without a default export, its exports are the settings. In JSON it is the object itself; with the path of
docs/settings.schema.json as its \`"$schema"\` an editor completes it. A reload reads the file again, but what it imports
only once. On Deno it needs \`--allow-read\`.
`;

/** The whole text of docs/settings.md. */
export function settingsMarkdown(): string {
  const parts = [HEAD];
  let section = "";
  for (const name of SETTING_NAMES) {
    const setting = SETTINGS[name];
    if (setting.section !== section) {
      section = setting.section;
      parts.push(`## ${section}\n`);
    }
    const value = setting.type === "boolean"
      ? ""
      : setting.bare === undefined
      ? ` ${meta(setting)}`
      : ` [${meta(setting)}]`;
    const flags = setting.flags.map((flag) => `\`${flag}${value}\``).join(", ");
    const facts = [
      flags === "" ? NO_FLAG[setting.only ?? "both"] : `Flag: ${flags}`,
      ...(setting.env === undefined ? [] : [`Environment: \`${setting.env}\``]),
      `Type: ${typeText(setting)}`,
      setting.default === null || shown(setting) === "" ? "Default: none" : `Default: \`${shown(setting)}\``,
      ...(setting.needsWorkers ? ["Needs `workers`"] : []),
    ];
    parts.push(
      `### \`${name}\`\n`,
      facts.map((fact) => `- ${fact}`).join("\n") + "\n",
      fold(paragraph(setting)) + "\n",
    );
  }
  parts.push(ABSENT_HEAD, ABSENT.map(absentText).join("\n") + "\n");
  return parts.join("\n");
}

const ABSENT_HEAD = `## Gunicorn's settings that are not here

All of Gunicorn 26's other settings and hooks are above, under their names.
`;

function absentText({ names, reason }: Absent): string {
  const item = fold(`${names.map((name) => `\`${name}\``).join(", ")}: ${reason}`, 118);
  return `- ${item.replaceAll("\n", "\n  ")}`;
}

const NO_FLAG = {
  both: "Only in the configuration file and in `serve()`",
  file: "Only in the configuration file",
  "serve()": "Only in `serve()`",
} as const;

const TYPES: Readonly<Record<SettingType, string>> = {
  integer: "whole number",
  seconds: "seconds, decimals allowed",
  boolean: "boolean",
  text: "string",
  choice: "one of these values",
  workers: "whole number, or `auto`",
  octal: "octal number (`0o660`), or a string of one",
  bind: "string",
  binds: "string, or array of strings",
  pairs: "string, or array of strings",
  paths: "string, or array of strings",
  networks: "string with commas, or array of strings",
  hook: "function",
};

function typeText(setting: Setting): string {
  const unit = setting.type === "integer" && setting.unit !== undefined ? ` of ${setting.unit}` : "";
  return `${TYPES[setting.type]}${unit}${setting.default === null ? ", or null" : ""}`;
}

/** Lines of at most `width` characters, as the formatter leaves them: code is not broken. */
export function fold(text: string, width: number = 120): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.match(/(?:`[^`]*`|[^ `])+/g) ?? []) {
    if (line !== "" && line.length + word.length + 1 > width) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line].join("\n");
}

/** A table of Markdown as the formatter leaves it; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const [head, ...rest] = rows;
  return [line(head!), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rest.map(line), ""].join("\n");
}
