// Settings as text, for `--print-config`: each value as the configuration file would have it, and where it came from.

import { type Resolved, SETTING_NAMES, type SettingName, SETTINGS, type SettingValue } from "./settings.ts";

/** Lines of name, value and origin, in columns. */
export function configTable({ settings, origins }: Resolved): string {
  const rows = SETTING_NAMES.map((name) => [name, shownValue(name, settings[name]), origins[name]] as const);
  const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  // One long value must not push all origins out of sight.
  const [names, values] = [width(0), Math.min(width(1), 40)];
  return rows.map(([name, value, origin]) => `${name.padEnd(names)}  ${value.padEnd(values)}  ${origin}\n`).join("");
}

/** An object of `{ "value": ..., "origin": ... }` by name. Functions are told as "[function]". */
export function configJson({ settings, origins }: Resolved): string {
  const entries = SETTING_NAMES.map((name) =>
    [name, { value: plain(name, settings[name]), origin: origins[name] }] as const
  );
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

/** A setting's value as one line of text. */
export function shownValue(name: SettingName, value: SettingValue): string {
  const shown = plain(name, value);
  // What is code, in JavaScript too, has no quotes.
  return typeof value === "number" || typeof value === "function" ? String(shown) : JSON.stringify(shown);
}

/** What JSON can hold, and reads well: permissions are octal. */
export function plain(name: SettingName, value: SettingValue): unknown {
  if (typeof value === "function") return "[function]";
  return SETTINGS[name].type === "octal" && typeof value === "number" ? `0o${value.toString(8)}` : value;
}
