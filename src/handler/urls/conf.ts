// What a list of URL patterns is written with: path(), rePath(), include() (Django's urls/conf.py). Their types carry what
// the routes say: which parameters a view gets, and what reverse() may be asked.

import type { View } from "../base.ts";
import { ImproperlyConfigured } from "../exceptions.ts";
import { type Conditions, type Pattern, RegexPattern, RoutePattern, URLPattern, type UrlPattern } from "./patterns.ts";
import { URLResolver } from "./resolvers.ts";
import type { Entry, EntryOf, Included, OuterOf, RegexParams, RouteParams, Simplify, UrlTypes } from "./types.ts";

/** What path() takes for an include. */
export interface IncludeOptions<Kwargs extends object> {
  /** Extra arguments of the view; they replace parameters of the same names. Default none. */
  readonly kwargs?: Kwargs;
  /**
   * The host that the pattern is for, without port: `api.example.com`, or `.example.com` for all below it too. With
   * another host the next patterns are tried. Default any. The hosts must be among ALLOWED_HOSTS as well.
   */
  readonly host?: string;
}

/** What path() takes for a view. */
export interface PathOptions<Name extends string, Kwargs extends object> extends IncludeOptions<Kwargs> {
  /** What reverse() knows the pattern by. */
  readonly name?: Name;
  /**
   * The methods that the pattern is for, HEAD always with GET. With another one the next patterns are tried, and where
   * none of them takes it, the answer is 405 with the methods that there are. Default all: the view decides.
   */
  readonly methods?: readonly string[];
}

/** Nothing for a pattern without a name. Extra arguments may be given to reverse(): they choose between patterns of one name. */
type Named<Name extends string, Params, Kwargs> = [Name] extends [never] ? never
  : readonly [Name, Simplify<Params & Partial<Kwargs>>];

type NoKwargs = Record<never, never>;

// Where a pattern is written in a list, TypeScript would take its name from the list's type: any string. Hence NoInfer.

/** path(), for views that get `Outer` from the includes around them. */
export interface PathFunction<Outer> {
  /**
   * A URL pattern: the route, from where the includes around it end, to the path's end. `<int:year>` in it is a parameter
   * with a converter (str, int, slug, uuid, path, or a registered one), `<name>` is one with `str`.
   *
   * @throws {ImproperlyConfigured} when the route, a method or the host is not well-formed.
   */
  <const Route extends string, const Name extends string = never, Kwargs extends object = NoKwargs>(
    route: Route,
    view: View<Simplify<Outer & RouteParams<Route> & NoInfer<Kwargs>>>,
    options?: PathOptions<Name, Kwargs>,
  ): URLPattern<Named<NoInfer<Name>, RouteParams<Route>, NoInfer<Kwargs>>, Outer>;
  /** Patterns behind a prefix: `path("polls/", include(polls))`. */
  <
    const Route extends string,
    Within extends Include<Entry, string, Simplify<Outer & RouteParams<Route> & NoInfer<Kwargs>>>,
    Kwargs extends object = NoKwargs,
  >(
    route: Route,
    included: Within,
    options?: IncludeOptions<Kwargs>,
  ): URLResolver<Included<Within["~entry"], Within["~namespace"], RouteParams<Route>>, Outer>;
}

/** rePath(), for views that get `Outer` from the includes around them. */
export interface RePathFunction<Outer> {
  /**
   * A URL pattern by a regular expression, as text or RegExp; its named groups are parameters, or else those without a
   * name, by their numbers. It is searched for in what the includes around it left: begin it with "^", and end it with "$".
   * It sees what clients send, and how long it takes is up to it.
   *
   * @throws {ImproperlyConfigured} when the expression, a method or the host is not well-formed.
   */
  <const Route extends string | RegExp, const Name extends string = never, Kwargs extends object = NoKwargs>(
    route: Route,
    view: View<Simplify<Outer & RegexParams<Route> & NoInfer<Kwargs>>>,
    options?: PathOptions<Name, Kwargs>,
  ): URLPattern<Named<NoInfer<Name>, RegexParams<Route>, NoInfer<Kwargs>>, Outer>;
  /** Patterns behind a prefix. */
  <
    const Route extends string | RegExp,
    Within extends Include<Entry, string, Simplify<Outer & RegexParams<Route> & NoInfer<Kwargs>>>,
    Kwargs extends object = NoKwargs,
  >(
    route: Route,
    included: Within,
    options?: IncludeOptions<Kwargs>,
  ): URLResolver<Included<Within["~entry"], Within["~namespace"], RegexParams<Route>>, Outer>;
}

/** See {@link PathFunction}. */
export const path: PathFunction<unknown> = makePath((route: string, isEndpoint) => new RoutePattern(route, isEndpoint));

/** See {@link RePathFunction}. */
export const rePath: RePathFunction<unknown> = makePath((route: string | RegExp, isEndpoint) =>
  new RegexPattern(route, isEndpoint)
);

/**
 * path() and rePath() for patterns that are included behind parameters which their views want:
 *
 * ```ts
 * const { path } = within<{ year: number }>();
 * const months = [path("<int:month>/", (request, { year, month }) => ...)];
 * ```
 *
 * and, in another file, `path("<int:year>/", include(months))`. Elsewhere they do not compile.
 */
export function within<Outer extends object>(): {
  readonly path: PathFunction<Outer>;
  readonly rePath: RePathFunction<Outer>;
} {
  return { path: path as unknown as PathFunction<Outer>, rePath: rePath as unknown as RePathFunction<Outer> };
}

/** The patterns themselves, with all their types: write the list of a URLconf in it, so that reverse() knows its names. */
export function defineUrls<const Patterns extends readonly UrlPattern[]>(patterns: Patterns): Patterns {
  return patterns;
}

/** Patterns for path() to put behind a prefix; made by {@link include}. */
export class Include<E extends Entry = never, Namespace extends string = never, Outer = unknown>
  implements UrlTypes<E, Outer> {
  declare readonly "~entry": E;
  declare readonly "~outer": (outer: Outer) => void;
  declare readonly "~namespace": Namespace;
  readonly patterns: readonly UrlPattern[];
  readonly appName: string | null;
  readonly namespace: string | null;

  constructor(patterns: readonly UrlPattern[], appName: string | null, namespace: string | null) {
    this.patterns = patterns;
    this.appName = appName;
    this.namespace = namespace;
  }
}

/** Includes the patterns of an application, whose name `appName` is a namespace of the names in it. */
export function include<
  const Patterns extends readonly UrlPattern<never>[],
  const AppName extends string,
  const Namespace extends string = never,
>(
  application: { readonly patterns: Patterns; readonly appName: AppName },
  options?: {
    /** The namespace of this instance, where an application is included more than once. Default its name. */
    readonly namespace?: Namespace;
  },
): Include<EntryOf<Patterns>, AppName | Namespace, OuterOf<Patterns>>;
/** Includes patterns, whose names stay as they are. */
export function include<const Patterns extends readonly UrlPattern<never>[]>(
  patterns: Patterns,
): Include<EntryOf<Patterns>, never, OuterOf<Patterns>>;
export function include(
  given: readonly UrlPattern<never>[] | { readonly patterns: readonly UrlPattern<never>[]; readonly appName?: string },
  options: { readonly namespace?: string } = {},
): Include<Entry, string, never> {
  const { namespace } = options;
  const isList = Array.isArray(given);
  const { patterns, appName } = isList
    ? { patterns: given }
    : (given ?? {}) as { patterns?: unknown; appName?: string };
  if (!Array.isArray(patterns)) {
    throw new ImproperlyConfigured(
      "include() was given no URL patterns: it takes a list, or { patterns, appName }. If the module that they are in has " +
        "them, it and this one import each other: then the one that is first has not made its list yet",
    );
  }
  if (namespace !== undefined && appName === undefined) {
    throw new ImproperlyConfigured(
      `include() with the namespace "${namespace}" needs an application's name: include({ patterns, appName }, { namespace })`,
    );
  }
  return new Include(patterns, appName ?? null, namespace ?? appName ?? null);
}

interface AnyOptions {
  readonly name?: string;
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly methods?: readonly string[];
  readonly host?: string;
}

/** Function is PathFunction or RePathFunction: TypeScript cannot see that this is one. */
function makePath<Function, Route>(makePattern: (route: Route, isEndpoint: boolean) => Pattern): Function {
  const make = (route: Route, target: View | Include, options: AnyOptions = {}): UrlPattern => {
    const conditions: Conditions = { kwargs: options.kwargs ?? {}, host: checkHost(options.host) };
    if (target instanceof Include) {
      return new URLResolver(makePattern(route, false), target.patterns, target, conditions);
    }
    if (typeof target !== "function") {
      throw new TypeError(`the view of ${JSON.stringify(String(route))} must be a function, or what include() returns`);
    }
    const methods = checkMethods(options.methods);
    return new URLPattern(makePattern(route, true), target, options.name ?? null, conditions, methods);
  };
  return make as Function;
}

function checkHost(host: string | undefined): string | null {
  if (host === undefined) return null;
  if (/^\.?$|[\s/?#@*]|:\d*$/.test(host)) {
    throw new ImproperlyConfigured(
      `host ${
        JSON.stringify(host)
      } must be a name without port, such as "example.com", or ".example.com" for all below it`,
    );
  }
  return host.toLowerCase();
}

function checkMethods(methods: readonly string[] | undefined): readonly string[] | null {
  if (methods === undefined) return null;
  const wrong = methods.find((method) => !/^[A-Z][A-Z-]*$/.test(method));
  if (wrong !== undefined || methods.length === 0) {
    throw new ImproperlyConfigured(
      `methods must be a list of methods in capitals, such as ["GET", "POST"]${
        wrong === undefined ? "" : `: not "${wrong}"`
      }`,
    );
  }
  // RFC 9110 §9.3.2: HEAD is GET without the content.
  return [...new Set(methods.flatMap((method) => method === "GET" ? ["GET", "HEAD"] : [method]))];
}
