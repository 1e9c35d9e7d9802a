// URLs: patterns, what they resolve to, and back (Django's django.urls).

// With a list of names instead of "*", nobody could add to ConverterTypes from outside.
export * from "./converters.ts";
export {
  type Query,
  resolve,
  reverse,
  type ReverseExtras,
  type ReverseOptions,
  shouldAppendSlash,
  type Urls,
  urls,
} from "./base.ts";
export { checkUrls } from "./checks.ts";
export {
  defineUrls,
  Include,
  include,
  type IncludeOptions,
  path,
  type PathFunction,
  type PathOptions,
  rePath,
  type RePathFunction,
  within,
} from "./conf.ts";
export { NoReverseMatch, Resolver404 } from "./exceptions.ts";
export { URLPattern, type UrlPattern } from "./patterns.ts";
export {
  getResolver,
  type PatternList,
  type Resolvable,
  ResolverMatch,
  type ReverseArguments,
  URLResolver,
} from "./resolvers.ts";
export type { RegexParams, RouteParams, UrlNames, UrlParams } from "./types.ts";
