// docs/settings.schema.json, from the table: JSON Schema 2020-12 of tricorn.config.json, for editors. What it cannot say (an
// address, what settings need of each other) is checked when the file is read.

import { paragraph } from "./flags.ts";
import { type Setting, SETTING_NAMES, SETTINGS } from "./settings.ts";

/** The whole text of docs/settings.schema.json. */
export function settingsSchema(): string {
  // Neither functions nor what only serve() has can be in a JSON file.
  const names = SETTING_NAMES.filter((name) => SETTINGS[name].type !== "hook" && SETTINGS[name].only !== "serve()");
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "tricorn.config.json",
    description: "Generated from src/config/settings.ts by scripts/settings_doc.ts; change it there.",
    type: "object",
    properties: {
      $schema: { type: "string" },
      ...Object.fromEntries(names.map((name) => [name, propertyOf(SETTINGS[name])])),
    },
    additionalProperties: false,
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function propertyOf(setting: Setting): Record<string, unknown> {
  const shape = shapeOf(setting);
  return {
    description: paragraph(setting),
    ...(setting.default === null ? { anyOf: [shape, { type: "null" }] } : shape),
    default: setting.default,
  };
}

function shapeOf(setting: Setting): Record<string, unknown> {
  const text = { type: "string", minLength: 1 };
  const orList = (item: Record<string, unknown>, more: Record<string, unknown> = {}): Record<string, unknown> => ({
    anyOf: [item, { type: "array", items: item, ...more }],
  });
  switch (setting.type) {
    case "integer":
      return { type: "integer", minimum: setting.min ?? 0 };
    case "seconds":
      return { type: "number", minimum: setting.min ?? 0 };
    case "boolean":
      return { type: "boolean" };
    case "choice":
      return { enum: setting.choices };
    case "workers":
      return { anyOf: [{ type: "integer", minimum: 0 }, { const: "auto" }] };
    case "octal":
      return {
        anyOf: [{ type: "string", pattern: "^(0o?[0-7]{1,4}|0)$" }, { type: "integer", minimum: 0, maximum: 0o777 }],
      };
    case "text":
    case "bind":
      return text;
    case "binds":
      return orList(text, { minItems: 1 });
    case "pairs":
      return orList({ type: "string", pattern: "^[^=]+=" });
    case "paths":
      return orList({ type: "string", minLength: 1 });
    case "networks":
      return orList({ type: "string" });
    case "hook":
      return {};
  }
}
