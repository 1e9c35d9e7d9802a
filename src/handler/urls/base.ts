// What is asked of a list of URL patterns: resolve() and reverse() (Django's urls/base.py), and whether a path lacks its
// slash. Nothing is remembered between requests, so each says which patterns it means.

import type { View } from "../base.ts";
import {
  getResolver,
  type PatternList,
  type Resolvable,
  type ResolverMatch,
  type ReverseArguments,
} from "./resolvers.ts";
import type { UrlNames, UrlParams } from "./types.ts";

/** The view for a path. See {@link URLResolver.resolve}. */
export function resolve(path: string, urlconf: PatternList, request?: Resolvable): ResolverMatch {
  return getResolver(urlconf).resolve(path, request);
}

type Scalar = string | number | bigint | boolean;

/** A query: pairs, a value for each of several of one name; or whatever writes itself, as QueryDict does. */
export type Query =
  | { readonly urlencode: () => string }
  | URLSearchParams
  | Readonly<Record<string, Scalar | readonly Scalar[]>>;

/** What {@link reverse} takes beside the name and its parameters. */
export interface ReverseExtras {
  /** What follows "?". Nothing does when it is empty. */
  readonly query?: Query;
  /** What follows "#", as it is. */
  readonly fragment?: string;
  /** The namespace that the request is in: `request.resolverMatch?.namespace`. Default none. */
  readonly currentApp?: string | undefined;
  /** Where the application is mounted: `request.environ.SCRIPT_NAME`. Default "". */
  readonly prefix?: string;
}

/** All that reverse() takes beside the name, for a pattern that needs `Params`. */
export type ReverseOptions<Params> =
  & ReverseExtras
  & (Record<never, never> extends Params ? { readonly params?: Exactly<Params> }
    : { readonly params: Exactly<Params> });

/** TypeScript takes everything for an object without properties. */
type Exactly<Params> = Params extends unknown ? [keyof Params] extends [never] ? Record<string, never> : Params : never;

/** Options that may be left out when nothing in them is needed. */
type Optional<Options> = Record<never, never> extends Options ? [options?: Options] : [options: Options];

/** What {@link urls} returns: a list of patterns that can be asked. */
export interface Urls<Conf extends PatternList> {
  /** {@link reverse} by name. */
  reverse<const Name extends UrlNames<Conf>>(
    name: Name,
    ...options: Optional<ReverseOptions<UrlParams<Conf, Name>>>
  ): string;
  /** {@link reverse} by the view itself, of patterns without namespaces. */
  reverse<Params>(view: View<Params>, options?: ReverseExtras & { readonly params?: Partial<Params> }): string;
  /** {@link resolve}. */
  resolve(path: string, request?: Resolvable): ResolverMatch;
}

/** The patterns as they are asked: `urls(urlpatterns).reverse("polls:detail", { params: { pk: 1 } })`. */
export function urls<const Conf extends PatternList>(urlconf: Conf): Urls<Conf> {
  return {
    reverse: (name: string | View, options: AnyOptions = {}) => reverseIn(urlconf, name, options),
    resolve: (path, request) => resolve(path, urlconf, request),
  };
}

type AnyOptions = ReverseExtras & Pick<ReverseArguments, "params">;

/**
 * The URL that leads to a pattern, by its name behind its namespaces, or by its view; percent-encoded, without scheme and
 * host. Where the table is known that `urlconf` is (see defineUrls()), names and parameters are checked by the compiler.
 *
 * @throws {NoReverseMatch} when there is no such name, or no pattern of that name takes the parameters.
 */
export function reverse<const Conf extends PatternList, const Name extends UrlNames<Conf>>(
  name: Name,
  options: ReverseOptions<UrlParams<Conf, Name>> & { readonly urlconf: Conf },
): string;
export function reverse<Params>(
  view: View<Params>,
  options: ReverseExtras & { readonly params?: Partial<Params>; readonly urlconf: PatternList },
): string;
export function reverse(name: string | View, options: AnyOptions & { readonly urlconf: PatternList }): string {
  return reverseIn(options.urlconf, name, options);
}

function reverseIn(urlconf: PatternList, name: string | View, options: AnyOptions): string {
  let url = getResolver(urlconf).reverse(name, options);
  if (options.query !== undefined) {
    const query = urlencode(options.query);
    if (query !== "") url += `?${query}`;
  }
  return options.fragment === undefined ? url : `${url}#${options.fragment}`;
}

function urlencode(query: Query): string {
  if ("urlencode" in query && typeof query.urlencode === "function") return query.urlencode();
  const pairs = query instanceof URLSearchParams
    ? [...query]
    : Object.entries(query as Record<string, Scalar | Scalar[]>);
  return pairs.flatMap(([name, values]) => [values].flat().map((value) => `${plus(name)}=${plus(value)}`)).join("&");
}

/** Python's quote_plus: as a form encodes it. */
function plus(value: Scalar): string {
  if (value === undefined || value === null) throw new TypeError("a query holds undefined or null: leave the key out");
  return encodeURIComponent(String(value)).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  )
    .replaceAll("%20", "+");
}

/**
 * Whether a path has no view, and would have one with a "/" at its end, which the view does not object to
 * (CommonMiddleware's should_redirect_with_slash, without the setting).
 */
export function shouldAppendSlash(path: string, urlconf: PatternList, request?: Resolvable): boolean {
  if (path.endsWith("/")) return false;
  const resolver = getResolver(urlconf);
  if (resolver.find(path, request) !== null) return false;
  const match = resolver.find(`${path}/`, request);
  return match !== null && (match.view as { readonly shouldAppendSlash?: boolean }).shouldAppendSlash !== false;
}
