// Keys with several values each, as queries and forms have them (Django's MultiValueDict and QueryDict), and the reading
// and writing of application/x-www-form-urlencoded text. What a request gives away is immutable; a copy() is not.

import { TooManyFieldsSent } from "./exceptions.ts";

/** Keys in the order in which they first came, each with its values (Django's MultiValueDict). */
export class MultiValueDict<V> implements Iterable<[key: string, value: V]> {
  readonly #lists: Map<string, V[]> = new Map();
  #mutable: boolean;

  constructor(
    lists: Iterable<readonly [key: string, values: Iterable<V>]> = [],
    options: { readonly mutable?: boolean } = {},
  ) {
    for (const [key, values] of lists) this.#lists.set(key, [...values]);
    this.#mutable = options.mutable ?? true;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#lists.size;
  }

  /** The last value of `key`, or undefined. */
  get(key: string): V | undefined {
    return this.#lists.get(key)?.at(-1);
  }

  /** All values of `key`, in their order; none: an empty array (Django's getlist). */
  getAll(key: string): V[] {
    return [...this.#lists.get(key) ?? []];
  }

  has(key: string): boolean {
    return this.#lists.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#lists.keys();
  }

  /** The last value of each key. */
  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Each key with its last value (Django's items). */
  *entries(): IterableIterator<[key: string, value: V]> {
    for (const [key, values] of this.#lists) {
      if (values.length > 0) yield [key, values[values.length - 1]!];
    }
  }

  [Symbol.iterator](): IterableIterator<[key: string, value: V]> {
    return this.entries();
  }

  /** Each key with all its values. */
  *lists(): IterableIterator<[key: string, values: V[]]> {
    for (const [key, values] of this.#lists) yield [key, [...values]];
  }

  /** Each key with its last value, as an object without prototype: a key may be `__proto__`. */
  dict(): Record<string, V> {
    return Object.assign(Object.create(null), Object.fromEntries(this.entries()));
  }

  /** One that can be changed, with the same keys and values. */
  copy(): MultiValueDict<V> {
    return new MultiValueDict(this.lists());
  }

  /** @throws {TypeError} as all that follow, when it is immutable */
  set(key: string, value: V): void {
    this.setAll(key, [value]);
  }

  /** Django's setlist. */
  setAll(key: string, values: Iterable<V>): void {
    this.#assertMutable();
    this.#lists.set(key, [...values]);
  }

  /** Adds a value behind those that `key` has (Django's appendlist). */
  append(key: string, value: V): void {
    this.#assertMutable();
    const values = this.#lists.get(key);
    if (values === undefined) this.#lists.set(key, [value]);
    else values.push(value);
  }

  /** True when there was such a key. */
  delete(key: string): boolean {
    this.#assertMutable();
    return this.#lists.delete(key);
  }

  /** Makes it immutable, for good: who has filled it hands it out. */
  freeze(): this {
    this.#mutable = false;
    return this;
  }

  #assertMutable(): void {
    if (!this.#mutable) throw new TypeError(`this ${this.constructor.name} is immutable: change a copy()`);
  }
}

/** How a {@link QueryDict} reads its text. */
export interface QueryDictOptions {
  /** Default false. */
  readonly mutable?: boolean;
  /** The charset of percent-encoded bytes, a label of the Encoding Standard. Default "utf-8". */
  readonly encoding?: string;
  /** Fields that the text may have; null: any number. Default null. */
  readonly maxFields?: number | null;
}

/** The fields of a query or a form (Django's QueryDict). */
export class QueryDict extends MultiValueDict<string> {
  /** As it was given: the charset in which the text was read. */
  readonly encoding: string;

  /**
   * @param query application/x-www-form-urlencoded text, without "?"; nothing in it is an error (WHATWG URL §5.1)
   * @throws {TooManyFieldsSent} when it has more than `maxFields`; nothing has been decoded then
   * @throws {RangeError} when nobody knows the charset
   */
  constructor(query = "", { mutable = false, encoding = "utf-8", maxFields = null }: QueryDictOptions = {}) {
    super();
    this.encoding = encoding;
    if (query !== "") {
      if (maxFields !== null) limitFields(query, maxFields);
      const decode = decoderOf(encoding);
      for (const field of query.split("&")) {
        if (field === "") continue;
        const equals = field.indexOf("=");
        if (equals < 0) this.append(decode(field), "");
        else this.append(decode(field.slice(0, equals)), decode(field.slice(equals + 1)));
      }
    }
    if (!mutable) this.freeze();
  }

  override copy(): QueryDict {
    const copy = new QueryDict("", { mutable: true, encoding: this.encoding });
    for (const [key, values] of this.lists()) copy.setAll(key, values);
    return copy;
  }

  /**
   * As application/x-www-form-urlencoded text, in UTF-8.
   *
   * @param safe characters that stay as they are: "/" where a path should be readable
   */
  urlencode(safe = ""): string {
    const fields: string[] = [];
    for (const [key, values] of this.lists()) {
      for (const value of values) fields.push(`${quotePlus(key, safe)}=${quotePlus(value, safe)}`);
    }
    return fields.join("&");
  }

  override toString(): string {
    return this.urlencode();
  }
}

/** Counted before anything is decoded: a million of "a&" must cost a scan. */
function limitFields(query: string, maxFields: number): void {
  let count = 1;
  for (let at = query.indexOf("&"); at >= 0; at = query.indexOf("&", at + 1)) {
    if (++count > maxFields) break;
  }
  if (count > maxFields) {
    throw new TooManyFieldsSent(
      `more than ${maxFields} fields: the setting DATA_UPLOAD_MAX_NUMBER_FIELDS allows no more`,
    );
  }
}

const encoder = new TextEncoder();

type Decode = (text: string) => string;

const UTF8 = decodeWith(new TextDecoder("utf-8", { ignoreBOM: true }));

function decoderOf(encoding: string): Decode {
  return encoding === "utf-8" ? UTF8 : decodeWith(new TextDecoder(encoding, { ignoreBOM: true }));
}

/** Undoes "+" and percent-encoding. What is no escape stays, what is no character becomes U+FFFD (WHATWG URL §5.1). */
function decodeWith(decoder: TextDecoder): Decode {
  const utf8 = decoder.encoding === "utf-8";
  return (text) => {
    const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
    if (!spaced.includes("%")) return spaced;
    if (utf8) {
      try {
        return decodeURIComponent(spaced);
      } catch {
        // Not UTF-8, or a lone "%".
      }
    }
    return decoder.decode(percentDecode(encoder.encode(spaced)));
  };
}

/** In place, and by bytes: in Shift_JIS the second half of an escaped character may be a letter. */
function percentDecode(bytes: Uint8Array): Uint8Array {
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    const high = byte === 0x25 ? hexDigit(bytes[at + 1]) : -1;
    const low = high < 0 ? -1 : hexDigit(bytes[at + 2]);
    if (low >= 0) at += 2;
    bytes[length++] = low < 0 ? byte : high * 16 + low;
  }
  return bytes.subarray(0, length);
}

function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** As Python's quote_plus: letters, digits, "_.-~" and `safe` stay. */
function quotePlus(text: string, safe: string): string {
  const quoted = encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
  if (safe === "") return quoted;
  return quoted.replace(/%[0-7][0-9A-F]/g, (escape) => {
    const character = decodeURIComponent(escape);
    return safe.includes(character) ? character : escape;
  });
}
