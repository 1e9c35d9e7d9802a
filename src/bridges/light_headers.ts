// The Headers of light requests and responses: a list of pairs, or the CGI keys of an environ until somebody asks for
// more than a look-up. Names and values are checked here as the Fetch standard says; nothing here sends anything.

import type { Environ, Header } from "../esgi/environ.ts";
import { completeFrom, hasInstance, NativeHeaders, standsFor } from "./natives.ts";

// Names as they are written by applications, with their normal form. Bounded: the first ones stay.
const NAMES = new Map<string, string>();
const KEYS = new Map<string, string>();
const MOST_NAMES = 512;
const LONGEST_NAME = 64;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** `name` in lower case. Throws TypeError where it is not a token (RFC 9110 §5.1). */
export function fieldName(name: string): string {
  return NAMES.get(name) ?? learnName(name);
}

function learnName(name: unknown): string {
  const text = `${name}`;
  if (!TOKEN.test(text)) throw new TypeError(`invalid header name ${JSON.stringify(text)} (RFC 9110 §5.1)`);
  const lower = text.toLowerCase();
  if (NAMES.size < MOST_NAMES && text.length <= LONGEST_NAME) NAMES.set(text, lower);
  return lower;
}

for (const name of ["content-type", "content-length", "set-cookie", "location", "cache-control", "etag", "vary"]) {
  NAMES.set(name, name);
  NAMES.set(name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()), name);
}

const NOT_PLAIN = /[^\x20-\x7e]/;

/** `value` without white space around it (Fetch, "normalize"). Throws TypeError for what no header may carry. */
export function fieldValue(value: string): string {
  if (typeof value === "string" && !NOT_PLAIN.test(value)) {
    if (value.charCodeAt(0) !== 0x20 && value.charCodeAt(value.length - 1) !== 0x20) return value;
  }
  const text = `${value}`.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (/[\0\r\n]/.test(text)) throw new TypeError(`invalid header value ${JSON.stringify(text)} (RFC 9110 §5.5)`);
  if (/[^\0-\xff]/.test(text)) {
    throw new TypeError(`invalid header value ${JSON.stringify(text)}: a character above U+00FF is not a byte`);
  }
  return text;
}

// A name with "_" has no CGI key (it could pass for another field): marked so, and looked up as received.
const NO_KEY = "";

function environKey(name: string): string {
  return KEYS.get(name) ?? learnKey(name);
}

function learnKey(name: string): string {
  const lower = fieldName(name);
  let key: string;
  if (lower.includes("_")) key = NO_KEY;
  else if (lower === "content-type" || lower === "content-length") {
    key = lower === "content-type" ? "CONTENT_TYPE" : "CONTENT_LENGTH";
  } else key = `HTTP_${lower.toUpperCase().replaceAll("-", "_")}`;
  if (KEYS.size < MOST_NAMES && lower.length <= LONGEST_NAME) KEYS.set(name, key);
  return key;
}

function receivedUnderscored(environ: Environ, found: (name: string, value: string) => void): void {
  const received = environ["esgi.headers"];
  if (received === undefined) return;
  for (const [name, value] of received) {
    if (name.includes("_")) found(name.toLowerCase(), value);
  }
}

function readEnviron(environ: Environ, name: string): string | null {
  const key = environKey(name);
  if (key !== NO_KEY) return environ[key as `HTTP_${string}`] ?? null;
  const lower = fieldName(name);
  let joined: string | null = null;
  receivedUnderscored(environ, (received, value) => {
    if (received === lower) joined = joined === null ? value : `${joined}, ${value}`;
  });
  return joined;
}

function pairsOfEnviron(environ: Environ): Header[] {
  const pairs: Header[] = [];
  for (const key in environ) {
    // Only these keys are read: another may be made when it is looked at (esgi.signal).
    let name: string;
    if (key.startsWith("HTTP_")) name = key.slice(5).toLowerCase().replaceAll("_", "-");
    else if (key === "CONTENT_TYPE") name = "content-type";
    else if (key === "CONTENT_LENGTH") name = "content-length";
    else continue;
    const value = environ[key as `HTTP_${string}`];
    if (value !== undefined) pairs.push([name, value]);
  }
  receivedUnderscored(environ, (name, value) => pairs.push([name, value]));
  return pairs;
}

const NO_PAIRS: readonly Header[] = [];

/** The pairs that a HeadersInit stands for, checked. The array may be shared: it is not to be changed. */
export function pairsOfInit(init: HeadersInit): readonly Header[] {
  if (typeof init !== "object" && typeof init !== "function") {
    throw new TypeError("headers must be a Headers object, a sequence of pairs or a record");
  }
  if (init === null) throw new TypeError("headers must not be null");
  if (isLightHeaders(init)) return sharePairs(init);
  const pairs: Header[] = [];
  const iterator = (init as Iterable<unknown>)[Symbol.iterator];
  if (iterator !== undefined && iterator !== null) {
    for (const pair of init as Iterable<Iterable<string>>) {
      if (pair === null || typeof pair !== "object") throw new TypeError("a header must be a pair of name and value");
      const both = Array.isArray(pair) ? pair as string[] : [...pair];
      if (both.length !== 2) throw new TypeError("a header must be a pair of name and value");
      pairs.push([fieldName(both[0]!), fieldValue(both[1]!)]);
    }
    return pairs;
  }
  const record = init as Record<string, string>;
  for (const name in record) {
    if (Object.hasOwn(record, name)) pairs.push([fieldName(name), fieldValue(record[name]!)]);
  }
  return pairs;
}

function byName(a: Header, b: Header): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

// As HTTP/2 joins them (RFC 9113 §8.2.3), and Node and Bun do: with a comma, one cookie would swallow the next.
function separator(name: string): string {
  return name === "cookie" ? "; " : ", ";
}

/** Fetch, "sort and combine": by name, repeated ones joined, but each Set-Cookie apart. */
export function sortAndCombine(pairs: readonly Header[]): [string, string][] {
  const result: [string, string][] = [];
  for (const [name, value] of [...pairs].sort(byName)) {
    const last = result.at(-1);
    if (last !== undefined && last[0] === name && name !== "set-cookie") last[1] += separator(name) + value;
    else result.push([name, value]);
  }
  return result;
}

// Takes the fields called `name` from `pairs`, from index `start` on.
function remove(pairs: Header[], name: string, start: number): void {
  let kept = start;
  for (let i = start; i < pairs.length; i++) {
    const pair = pairs[i]!;
    if (pair[0] !== name) pairs[kept++] = pair;
  }
  if (kept < pairs.length) pairs.length = kept;
}

let isLightHeaders: (value: object) => value is LightHeaders;
let sharePairs: (headers: LightHeaders) => readonly Header[];
let headersOver: (pairs: readonly Header[], shared: boolean, immutable: boolean) => LightHeaders;
let headersOfEnviron: (environ: Environ) => LightHeaders;
let changesOf: (headers: LightHeaders) => number;
let sortedOf: (headers: LightHeaders) => [string, string][];
let copyHeaders: (headers: LightHeaders) => LightHeaders;

// Web IDL, "default iterator objects": each step goes by an index into what the headers hold by then.
class HeadersIterator<T> implements Iterator<T, undefined> {
  readonly #headers: LightHeaders;
  readonly #part: (pair: [string, string]) => T;
  #pairs: readonly [string, string][];
  #changes: number;
  #next = 0;

  constructor(headers: LightHeaders, part: (pair: [string, string]) => T) {
    this.#headers = headers;
    this.#part = part;
    this.#pairs = sortedOf(headers);
    this.#changes = changesOf(headers);
  }

  next(): IteratorResult<T, undefined> {
    if (this.#changes !== changesOf(this.#headers)) {
      this.#pairs = sortedOf(this.#headers);
      this.#changes = changesOf(this.#headers);
    }
    const pair = this.#pairs[this.#next];
    if (pair === undefined) return { done: true, value: undefined };
    this.#next++;
    return { done: false, value: this.#part(pair) };
  }
}

// What every iterator inherits: itself as an iterable, and where the runtime has them, map, filter and the like.
Object.setPrototypeOf(HeadersIterator.prototype, Object.getPrototypeOf(Object.getPrototypeOf([].values())));

function iterate<T>(headers: LightHeaders, part: (pair: [string, string]) => T): IterableIterator<T> {
  return new HeadersIterator(headers, part) as unknown as IterableIterator<T>;
}

/** Headers that pass for the native ones, and cost an array. */
export class LightHeaders {
  // Null while everything is still in the environ.
  #pairs: readonly Header[] | null;
  #environ: Environ | null = null;
  // Whether #pairs belongs to somebody else too, and must be copied before it is changed.
  #shared = true;
  #immutable = false;
  #changes = 0;

  static {
    isLightHeaders = (value): value is LightHeaders => #pairs in value;
    sharePairs = (headers) => {
      headers.#shared = true;
      return headers.#pairs ?? headers.#fill();
    };
    headersOver = (pairs, shared, immutable) => {
      const headers = new LightHeaders();
      headers.#pairs = pairs;
      headers.#shared = shared;
      headers.#immutable = immutable;
      return headers;
    };
    headersOfEnviron = (environ) => {
      const headers = new LightHeaders();
      headers.#pairs = null;
      headers.#environ = environ;
      return headers;
    };
    changesOf = (headers) => headers.#changes;
    sortedOf = (headers) => sortAndCombine(headers.#pairs ?? headers.#fill());
    copyHeaders = (headers) => {
      const copy = new LightHeaders();
      copy.#pairs = headers.#pairs;
      copy.#environ = headers.#environ;
      copy.#changes = headers.#changes;
      headers.#shared = true;
      return copy;
    };
  }

  constructor(init?: HeadersInit) {
    this.#pairs = init === undefined ? NO_PAIRS : pairsOfInit(init);
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return hasInstance(this, value, LightHeaders, NativeHeaders);
  }

  get(name: string): string | null {
    const pairs = this.#pairs;
    if (pairs === null) return readEnviron(this.#environ!, name);
    const lower = fieldName(name);
    let joined: string | null = null;
    for (let i = 0; i < pairs.length; i++) {
      const pair = pairs[i]!;
      if (pair[0] === lower) joined = joined === null ? pair[1] : joined + separator(lower) + pair[1];
    }
    return joined;
  }

  has(name: string): boolean {
    const pairs = this.#pairs;
    if (pairs === null) return readEnviron(this.#environ!, name) !== null;
    const lower = fieldName(name);
    for (let i = 0; i < pairs.length; i++) if (pairs[i]![0] === lower) return true;
    return false;
  }

  set(name: string, value: string): void {
    const lower = fieldName(name);
    const pair: Header = [lower, fieldValue(value)];
    const pairs = this.#own();
    for (let i = 0; i < pairs.length; i++) {
      if (pairs[i]![0] !== lower) continue;
      pairs[i] = pair;
      remove(pairs, lower, i + 1);
      return;
    }
    pairs.push(pair);
  }

  append(name: string, value: string): void {
    const pair: Header = [fieldName(name), fieldValue(value)];
    this.#own().push(pair);
  }

  delete(name: string): void {
    const lower = fieldName(name);
    const pairs = this.#own();
    remove(pairs, lower, 0);
  }

  getSetCookie(): string[] {
    const cookies: string[] = [];
    for (const [name, value] of this.#pairs ?? this.#fill()) if (name === "set-cookie") cookies.push(value);
    return cookies;
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, thisArg?: unknown): void {
    if (typeof callback !== "function") throw new TypeError("forEach needs a function");
    for (const [name, value] of this.entries()) callback.call(thisArg, value, name, this as unknown as Headers);
  }

  keys(): IterableIterator<string> {
    return iterate(this, (pair) => pair[0]);
  }

  values(): IterableIterator<string> {
    return iterate(this, (pair) => pair[1]);
  }

  entries(): IterableIterator<[string, string]> {
    return iterate(this, (pair) => pair);
  }

  declare [Symbol.iterator]: () => IterableIterator<[string, string]>;

  #fill(): readonly Header[] {
    this.#shared = true;
    return this.#pairs = pairsOfEnviron(this.#environ!);
  }

  #own(): Header[] {
    if (this.#immutable) throw new TypeError("these headers are immutable");
    this.#changes++;
    const pairs = this.#pairs ?? this.#fill();
    if (!this.#shared) return pairs as Header[];
    this.#shared = false;
    const copy = pairs.slice();
    this.#pairs = copy;
    return copy;
  }
}

Object.defineProperty(LightHeaders.prototype, Symbol.iterator, {
  value: LightHeaders.prototype.entries,
  configurable: true,
  writable: true,
});
// What console.log shows on Node and Bun.
Object.defineProperty(LightHeaders.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: LightHeaders, _depth: number, options: object, inspect?: (value: unknown, options: object) => string) {
    const fields = Object.fromEntries(this);
    return inspect === undefined ? fields : `Headers ${inspect(fields, options)}`;
  },
  configurable: true,
});
Object.defineProperty(LightHeaders, "name", { value: "Headers" });
Object.defineProperty(LightHeaders.prototype, Symbol.toStringTag, { value: "Headers", configurable: true });
Object.setPrototypeOf(LightHeaders.prototype, NativeHeaders.prototype);
completeFrom(LightHeaders.prototype, new NativeHeaders(), (light: LightHeaders) => new NativeHeaders([...light]));
standsFor(LightHeaders, NativeHeaders);

/** Whether `headers` are no longer what they were made of. */
export function wasChanged(headers: LightHeaders): boolean {
  return changesOf(headers) > 0;
}

export { copyHeaders, headersOfEnviron, headersOver, sharePairs };
