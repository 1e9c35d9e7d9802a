// What a page may show of settings, headers and URLs: everything but secrets, by Django's rule, which goes by names. A
// page is copied into tickets and chats, so what it must not say is not in it at all.

import { escapeLine } from "../observe/text.ts";

/** What stands for a secret. */
export const HIDDEN = "********";

const SECRET = /API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|COOKIE/i;

/** True when what has this name is not to be shown (Django's SafeExceptionReporterFilter, with AUTH and COOKIE). */
export function isSecret(name: string): boolean {
  return SECRET.test(name);
}

/** `text` without the passwords of the URLs in it, and without the values of secret parameters: `?token=...`. */
export function hideInText(text: string): string {
  return text
    .replace(/(\/\/)[^\s/@:?#"'<>]*:[^\s/@"'<>]*@/g, `$1${HIDDEN}@`)
    .replace(
      /([?&;]|^)([^\s=&?#;"'<>]{1,100})=([^\s&#;"'<>]+)/g,
      (all, mark: string, name: string) => isSecret(name) ? `${mark}${name}=${HIDDEN}` : all,
    );
}

/** The value of what has this name, as text for a page: hidden, or cut to `length` characters. */
export function show(name: string, value: unknown, length = 1000): string {
  if (isSecret(name)) return HIDDEN;
  const text = typeof value === "string" ? hideInText(value) : preview(value, 0, new Set());
  return escapeLine(text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`);
}

const MAX_DEPTH = 3;
const MAX_ENTRIES = 50;

/** A value in JavaScript's way of writing it, secrets hidden however deep they are. Getters are not called. */
function preview(value: unknown, depth: number, around: ReadonlySet<object>): string {
  if (typeof value === "string") return JSON.stringify(hideInText(value.slice(0, 10_000)));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[function${nameOf(value)}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (around.has(value)) return "[circular]";
  try {
    if (value instanceof RegExp || value instanceof URL) return hideInText(String(value));
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
    const isArray = Array.isArray(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    const plain = isArray || prototype === null || Object.getPrototypeOf(prototype) === null;
    if (!plain) return `[${value.constructor?.name || "object"}]`;
    const keys = Object.keys(value);
    if (depth === MAX_DEPTH) return isArray ? `[${keys.length} items]` : `{${keys.length} keys}`;
    const inside = new Set(around).add(value);
    const parts = keys.slice(0, MAX_ENTRIES).map((key) => {
      const { value: inner, get } = Object.getOwnPropertyDescriptor(value, key) ?? {};
      const shown = get !== undefined
        ? "[getter]"
        : !isArray && isSecret(key)
        ? HIDDEN
        : preview(inner, depth + 1, inside);
      return isArray ? shown : `${key}: ${shown}`;
    });
    if (keys.length > MAX_ENTRIES) parts.push(`… ${keys.length - MAX_ENTRIES} more`);
    return isArray ? `[${parts.join(", ")}]` : parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
  } catch {
    return "[cannot be shown]";
  }
}

function nameOf(value: { readonly name: string }): string {
  const { name } = value;
  return typeof name === "string" && name !== "" ? ` ${name}` : "";
}
