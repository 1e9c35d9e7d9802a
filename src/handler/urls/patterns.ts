// One pattern of a URL: RoutePattern is path()'s, RegexPattern is rePath()'s, URLPattern joins one with a view. How a
// pattern matches is decided here alone; resolvers.ts only chooses which ones to ask. After Django's urls/resolvers.py.

import { didYouMean } from "../../config/nearest.ts";
import type { View } from "../base.ts";
import { ImproperlyConfigured } from "../exceptions.ts";
import { type Converter, getConverters } from "./converters.ts";
import { type Form, normalize } from "./regex_helper.ts";
import type { URLResolver } from "./resolvers.ts";
import type { Entry, UrlTypes } from "./types.ts";

/** What stands in a list of URL patterns. `Outer` is what the includes around it give to its views. */
export type UrlPattern<Outer = unknown> = URLPattern<Entry, Outer> | URLResolver<Entry, Outer>;

/** What a pattern took from a path. */
export interface Match {
  /** What is left of the path. */
  readonly rest: string;
  /** Groups without a name, where there is none with one. */
  readonly args: readonly (string | undefined)[];
  /** Parameters by name, converted. */
  readonly kwargs: Readonly<Record<string, unknown>>;
}

/**
 * A pattern as its index sees it: literal text, and what is not: "segment" for what has no "/" in it, "any" for what may
 * have.
 */
export type Outline = readonly (string | { readonly matches: "segment" | "any" })[];

/** What RoutePattern and RegexPattern have in common. */
export interface Pattern {
  /** The route as it was written. */
  readonly route: string;
  match(path: string): Match | null;
  /** What the pattern matches begins like this. */
  readonly outline: Outline;
  /** What a URL is made of that the pattern matches; several where something may be absent. */
  readonly forms: readonly Form[];
  readonly converters: ReadonlyMap<string | number, Converter>;
}

const NO_ARGS: Match["args"] = [];
const NO_KWARGS: Match["kwargs"] = Object.freeze({});
const NO_CONVERTERS: Pattern["converters"] = new Map();

const PARAMETER = /<(?:([^>:]+):)?([^>]+)>/g;
const IDENTIFIER = /^[\p{ID_Start}_]\p{ID_Continue}*$/u;

/** A route of path(): text, and parameters as `<type:name>`. */
export class RoutePattern implements Pattern {
  readonly route: string;
  readonly outline: Outline;
  readonly forms: readonly Form[];
  readonly converters: ReadonlyMap<string, Converter>;
  readonly #isEndpoint: boolean;
  /** Null when the route is nothing but text. */
  readonly #regex: RegExp | null;
  /** Where in the match each parameter is: a converter's regex may have groups of its own. */
  readonly #groups: readonly (readonly [name: string, group: number, converter: Converter])[];

  /** @throws {ImproperlyConfigured} when a parameter is not well-formed, is there twice, or has no converter. */
  constructor(route: string, isEndpoint: boolean) {
    this.route = route;
    this.#isEndpoint = isEndpoint;
    const outline: Outline[number][] = [];
    const form: Form[number][] = [];
    const converters = new Map<string, Converter>();
    const groups: [string, number, Converter][] = [];
    let source = "^";
    let group = 1;
    let end = 0;
    const literal = (text: string): void => {
      if (text === "") return;
      outline.push(text);
      form.push(text);
      source += text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    };
    for (const { 0: all, 1: type = "str", 2: name, index } of route.matchAll(PARAMETER)) {
      const converter = this.#converter(all, type, name!);
      if (converters.has(name!)) throw new ImproperlyConfigured(`route "${route}" has the parameter "${name}" twice`);
      literal(route.slice(end, index));
      outline.push({ matches: mayMatchSlash(converter.regex) ? "any" : "segment" });
      form.push({ param: name! });
      source += `(${converter.regex})`;
      converters.set(name!, converter);
      groups.push([name!, group, converter]);
      group += 1 + countGroups(converter.regex);
      end = index + all.length;
    }
    literal(route.slice(end));
    this.#regex = groups.length === 0 ? null : new RegExp(isEndpoint ? `${source}$` : source);
    this.outline = outline;
    this.forms = [form];
    this.converters = converters;
    this.#groups = groups;
  }

  #converter(all: string, type: string, name: string): Converter {
    if (/\s/.test(all)) {
      throw new ImproperlyConfigured(`route "${this.route}" must not have white space in angle brackets: ${all}`);
    }
    if (!IDENTIFIER.test(name)) {
      throw new ImproperlyConfigured(`route "${this.route}": the parameter "${name}" must be named like a variable`);
    }
    const converter = getConverters().get(type);
    if (converter === undefined) {
      const known = getConverters().keys();
      throw new ImproperlyConfigured(
        `route "${this.route}": there is no converter "${type}"${didYouMean(type, known)}; ` +
          "registerConverter() adds one to the routes that are written after it",
      );
    }
    return converter;
  }

  match(path: string): Match | null {
    if (this.#regex === null) {
      if (this.#isEndpoint ? path !== this.route : !path.startsWith(this.route)) return null;
      return { rest: path.slice(this.route.length), args: NO_ARGS, kwargs: NO_KWARGS };
    }
    const match = this.#regex.exec(path);
    if (match === null) return null;
    const kwargs: Record<string, unknown> = {};
    for (const [name, group, converter] of this.#groups) {
      const value = converter.fromURL(match[group]!);
      if (value === undefined) return null;
      kwargs[name] = value;
    }
    return { rest: path.slice(match[0].length), args: NO_ARGS, kwargs };
  }
}

/** A regular expression of rePath(). It is searched for, as in Django: "^" is for its author to write. */
export class RegexPattern implements Pattern {
  readonly route: string;
  readonly outline: Outline;
  readonly converters: Pattern["converters"] = NO_CONVERTERS;
  readonly #regex: RegExp;
  #forms: readonly Form[] | null = null;

  /** @throws {ImproperlyConfigured} when it is not a regular expression. */
  constructor(route: string | RegExp, isEndpoint: boolean) {
    const source = typeof route === "string" ? route : route.source;
    // These two remember where the last match was, and a request must not depend on the one before it.
    const flags = typeof route === "string" ? "" : route.flags.replace(/[gy]/g, "");
    // Django asks for a full match, which a "^" that is missing turns into one too.
    const whole = isEndpoint && source.endsWith("$");
    try {
      this.#regex = new RegExp(source, flags);
      if (whole) this.#regex = new RegExp(`^(?:${source})$`, flags);
    } catch (error) {
      const remedy = source.includes("(?P<") ? "; in JavaScript a named group is (?<name>...), without the P" : "";
      throw new ImproperlyConfigured(`route ${JSON.stringify(source)}: ${(error as Error).message}${remedy}`);
    }
    this.route = source;
    const prefix = /[im]/.test(flags) ? "" : literalPrefix(source);
    this.outline = [prefix, { matches: "any" }];
  }

  get forms(): readonly Form[] {
    return this.#forms ??= normalize(this.route);
  }

  match(path: string): Match | null {
    const match = this.#regex.exec(path);
    if (match === null) return null;
    const rest = path.slice(match.index + match[0].length);
    const named = Object.entries(match.groups ?? {}).filter(([, value]) => value !== undefined);
    return named.length > 0
      ? { rest, args: NO_ARGS, kwargs: Object.fromEntries(named) }
      : { rest, args: match.slice(1), kwargs: NO_KWARGS };
  }
}

/**
 * How many times in a row parameters of a route run into each other: one of two matches what is between them, so that many
 * ways to take them apart are tried. Each makes the time for a path of n characters n times longer.
 */
export function countOverlaps({ forms: [form = []], converters }: RoutePattern): number {
  let most = 0;
  let count = 0;
  let before: RegExp | null = null;
  let between = "";
  for (const part of form) {
    if (typeof part === "string") {
      between = part;
      continue;
    }
    const regex = new RegExp(`^(?:${converters.get(`${part.param}`)!.regex})$`);
    const text = `0${between}0`;
    count = before !== null && (before.test(text) || regex.test(text)) ? count + 1 : 0;
    most = Math.max(most, count);
    before = regex;
    between = "";
  }
  return most;
}

/** How often "(" opens a capturing group in the source of a regular expression. */
function countGroups(source: string): number {
  return new RegExp(`${source}|`).exec("")!.length - 1;
}

/**
 * Whether the regex of a converter may match a "/". Classes of word characters and "-", repeated, are sure not to; of
 * anything else it is not asked. It is about speed alone: an "any" is found later than a "segment".
 */
function mayMatchSlash(regex: string): boolean {
  if (regex === "[^/]+") return false;
  return !/^(?:\\[dw]|[\w-]|\[-?(?:\\[dw]|\w-\w|\w)*-?\]|[?*+|()]|\(\?:|\{\d+(?:,\d*)?\})*$/.test(regex);
}

/** The text that everything begins with that the regular expression matches. */
function literalPrefix(source: string): string {
  if (source.includes("|")) return "";
  const [, text = "", next = ""] = /^\^((?:[\w\-/]|\\[./-])*)(.?)/s.exec(source) ?? [];
  const characters = text.match(/\\?./g) ?? [];
  // The last one may be absent.
  if (/[?*{]/.test(next)) characters.pop();
  return characters.map((one) => one.at(-1)).join("");
}

/** What URLPattern and URLResolver can be restricted to. */
export interface Conditions {
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** In lower case; with a "." in front also what is below it. Null: any. */
  readonly host: string | null;
}

/** A pattern with its view: what path() and rePath() make (Django's URLPattern). */
export class URLPattern<E extends Entry = Entry, Outer = unknown> implements UrlTypes<E, Outer>, Conditions {
  declare readonly "~entry": E;
  declare readonly "~outer": (outer: Outer) => void;
  readonly pattern: Pattern;
  readonly view: View;
  readonly name: string | null;
  /** Extra parameters of the view (Django's default_args). */
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly host: string | null;
  /** The methods that it is for, HEAD with GET; null: all. */
  readonly methods: readonly string[] | null;

  constructor(
    pattern: Pattern,
    view: View,
    name: string | null,
    { kwargs, host }: Conditions,
    methods: readonly string[] | null,
  ) {
    this.pattern = pattern;
    this.view = view;
    this.name = name;
    this.kwargs = kwargs;
    this.host = host;
    this.methods = methods;
  }

  /** The pattern as messages name it (Django's describe). */
  describe(): string {
    return `'${this.pattern.route}'${this.name === null ? "" : ` [name='${this.name}']`}`;
  }
}
