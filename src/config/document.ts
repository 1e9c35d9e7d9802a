// docs/settings.md, from the table. scripts/settings_doc.ts writes it, and checks that it is up to date.

import { meta, paragraph, shown } from "./flags.ts";
import { type Setting, SETTING_NAMES, SETTINGS, type SettingType } from "./settings.ts";

const HEAD = `# Settings

Generated from src/config/settings.ts by scripts/settings_doc.ts; change it there.

Each setting is a flag of \`tricorn serve\` and, by its name, an option of \`serve(app, options)\`. Names and meanings are
Gunicorn's where it has the setting. A flag or option counts before a variable of the environment, which counts before
the default. A name that does not exist, a wrong type and a value out of range are errors, never ignored.
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
  return parts.join("\n");
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
  networks: "string with commas, or array of strings",
  hook: "function",
};

function typeText(setting: Setting): string {
  const unit = setting.type === "integer" && setting.unit !== undefined ? ` of ${setting.unit}` : "";
  return `${TYPES[setting.type]}${unit}${setting.default === null ? ", or null" : ""}`;
}

/** Lines of at most 120 characters, as the formatter leaves them. */
function fold(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > 120) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line].join("\n");
}
