// Types that read routes: the parameters that a view gets, and the names and parameters that reverse() takes. Types only.

import type { ConverterTypes } from "./converters.ts";

/** The members of an intersection as one object, so that messages show what is wanted. */
export type Simplify<T> = unknown extends T ? T : { [Key in keyof T]: T[Key] };

/** What is known of a URL pattern that has a name: this with its namespaces, and what reverse() needs. */
// deno-lint-ignore no-explicit-any -- of a list that says nothing of its patterns, reverse() takes anything
export type Entry = readonly [name: string, params: any];

// deno-lint-ignore no-explicit-any -- of a route that is not written where it is used, nothing is known
type Unknown = any;

/** The parameters of a route of path(): `RouteParams<"articles/<int:year>/">` is `{ year: number }`. */
export type RouteParams<Route extends string> = string extends Route ? Unknown : Simplify<Captures<Route>>;

type Captures<Route extends string> = Route extends `${string}<${infer Param}>${infer Rest}`
  ? Param extends `${infer Type}:${infer Name}` ? { [Key in Name]: Converted<Type> } & Captures<Rest>
  : { [Key in Param]: string } & Captures<Rest>
  : unknown;

/** Unknown, and so nothing that a view could want, where there is no such converter. */
type Converted<Type extends string> = Type extends keyof ConverterTypes ? ConverterTypes[Type] : unknown;

/**
 * The parameters of a route of rePath(): the named groups, or by their numbers those without a name. All may be absent
 * where the expression has alternatives, or a group that may be absent. A RegExp is a value: nothing is known of it.
 */
export type RegexParams<Route extends string | RegExp> = Route extends RegExp ? Unknown
  : string extends Route ? Unknown
  : unknown extends Groups<Route & string> ? Readonly<Record<number, string>>
  : Route extends `${string}${")?" | ")*" | "){0" | "|"}${string}` ? Partial<Simplify<Groups<Route>>>
  : Simplify<Groups<Route & string>>;

type Groups<Route extends string> = Route extends `${string}(?<${infer Rest}`
  ? Rest extends `${"=" | "!"}${string}` ? Groups<Rest>
  : Rest extends `${infer Name}>${infer Others}` ? { [Key in Name]: string } & Groups<Others>
  : unknown
  : unknown;

/** The type of a pattern: which parameters the includes around it must give it, and what can be reversed in it. */
export interface UrlTypes<E extends Entry, Outer> {
  // Neither is ever there: they are for the compiler alone.
  readonly "~entry": E;
  readonly "~outer": (outer: Outer) => void;
}

/** What can be reversed in a list of patterns, or in `{ patterns }`. */
export type EntryOf<Conf> = Conf extends readonly (infer Pattern)[] ? EntryOfPattern<Pattern>
  : Conf extends { readonly patterns: readonly (infer Pattern)[] } ? EntryOfPattern<Pattern>
  : never;

// Not by inference: that would give Entry for never.
type EntryOfPattern<Pattern> = Pattern extends { readonly "~entry": Entry } ? Pattern["~entry"] : never;

/** The parameters that all patterns of a list together want of the includes around them. */
export type OuterOf<Patterns extends readonly unknown[]> = [Patterns[number]] extends [UrlTypes<Entry, infer Outer>]
  ? Outer
  : unknown;

/** The entries of an include: names behind its namespaces, if it has any; its parameters beside those within. */
export type Included<E extends Entry, Namespace extends string, Params> = E extends readonly [infer Name, infer Inner]
  ? readonly [
    [Namespace] extends [never] ? Name : `${Namespace}:${Name & string}`,
    Simplify<Params & Inner>,
  ]
  : never;

/** The names that reverse() knows. */
export type UrlNames<Conf> = EntryOf<Conf>[0];

/** What reverse() needs for a name: of each pattern that has it. */
export type UrlParams<Conf, Name> = EntryOf<Conf> extends infer E
  ? E extends readonly [infer Known, infer Params] ? Name extends Known ? Params : never : never
  : never;
