// Path converters: what a parameter of path() matches, and what becomes of it in the view and in a URL (Django's
// urls/converters.py). Each regex matches in linear time, because what it matches comes from clients.

import { ImproperlyConfigured } from "../exceptions.ts";

/** What a parameter is in a route. Where Python raises ValueError, these return undefined. */
export interface Converter<T = unknown> {
  /** The source of a regular expression, without anchors. */
  readonly regex: string;
  /** The text that matched, as the view gets it; undefined: it is none of ours, and the route does not match. */
  fromURL(text: string): T | undefined;
  /** The value, as a URL has it, not yet percent-encoded; undefined: no URL has it. */
  toURL(value: T): string | undefined;
}

/**
 * The converters by name, with the type that the view gets. Whoever registers one adds it here:
 *
 * ```ts
 * declare module "tricorn/handler" {
 *   interface ConverterTypes { date: Date }
 * }
 * registerConverter({ regex: "[0-9]{4}-[0-9]{2}-[0-9]{2}", fromURL, toURL }, "date");
 * ```
 */
export interface ConverterTypes {
  str: string;
  int: number;
  slug: string;
  uuid: string;
  path: string;
}

const text = (regex: string): Converter<string> => ({ regex, fromURL: (text) => text, toURL: String });

// Beyond 2^53 a number is another one than the URL says: two URLs would be one article.
const int: Converter<number> = {
  regex: "[0-9]+",
  fromURL: (text) => Number.isSafeInteger(Number(text)) ? Number(text) : undefined,
  toURL: String,
};

const CONVERTERS = new Map<string, Converter>([
  ["int", int],
  ["str", text("[^/]+")],
  ["slug", text("[-a-zA-Z0-9_]+")],
  ["uuid", text("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")],
  // Python's ".", and not JavaScript's, which stops at U+2028 too.
  ["path", text("[^\\n]+")],
]);

/**
 * Makes a converter known to the routes that are written after it (Django's register_converter). Converters belong to the
 * process, not to one handler.
 *
 * @throws {ImproperlyConfigured} when the name is taken or cannot stand in a route, or the regex is none.
 */
export function registerConverter<Name extends keyof ConverterTypes>(
  converter: Converter<ConverterTypes[Name]>,
  typeName: Name,
): void {
  if (!/^[^<>:\s]+$/.test(typeName)) {
    throw new ImproperlyConfigured(
      `converter name ${JSON.stringify(typeName)} must not have "<", ">", ":" or white space`,
    );
  }
  if (CONVERTERS.has(typeName)) throw new ImproperlyConfigured(`converter "${typeName}" is already registered`);
  try {
    new RegExp(converter.regex);
  } catch (error) {
    throw new ImproperlyConfigured(`converter "${typeName}": ${(error as Error).message}`);
  }
  CONVERTERS.set(typeName, converter as Converter);
}

/** All converters, by name (Django's get_converters). */
export function getConverters(): ReadonlyMap<string, Converter> {
  return CONVERTERS;
}
