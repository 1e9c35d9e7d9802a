// The fields of a response (Django's ResponseHeaders): names of any case, in the order in which they were set. Nothing that
// could split a response gets in: what is refused here never reaches a server.

import type { Header } from "../esgi/environ.ts";
import { BadHeaderError } from "./exceptions.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Everything but HTAB, visible ASCII, SP and obs-text (RFC 9110 §5.5).
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** What fields can be made of. */
export type HeadersInit = Readonly<Record<string, string>> | Iterable<Header>;

/** See the file's head. */
export class ResponseHeaders implements Iterable<Header> {
  // A list, not a Map: a response has few fields, and this is what ESGI wants. Its pairs are replaced, never changed.
  #fields: Header[] = [];

  /** @throws {BadHeaderError} as {@link set} does. */
  constructor(init?: HeadersInit) {
    if (init === undefined) return;
    const fields = Symbol.iterator in init ? init as Iterable<Header> : Object.entries(init);
    for (const [name, value] of fields) this.append(name, value);
  }

  /** The value of the field `name`, those of a repeated one joined with ", "; null when there is none. */
  get(name: string): string | null {
    let joined: string | null = null;
    for (const [other, value] of this.#fields) {
      if (isSame(other, name)) joined = joined === null ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  has(name: string): boolean {
    return this.#find(name) >= 0;
  }

  /**
   * Sets the field `name`, in the place of all that it had.
   *
   * @throws {BadHeaderError} when `name` is no token (RFC 9110 §5.1), or `value` no string, or one with line breaks, other
   * controls, or characters beyond U+00FF, of which each would be more than one byte (RFC 9110 §5.5).
   */
  set(name: string, value: string): void {
    check(name, value);
    const at = this.#find(name);
    if (at < 0) {
      this.#fields.push([name, value]);
      return;
    }
    this.#fields[at] = [name, value];
    for (let i = this.#fields.length - 1; i > at; i--) {
      if (isSame(this.#fields[i]![0], name)) this.#fields.splice(i, 1);
    }
  }

  /** Sets the field `name` where there is none. Throws as {@link set} does. */
  setDefault(name: string, value: string): void {
    if (this.#find(name) < 0) this.append(name, value);
  }

  /** @internal {@link setDefault} for all of `defaults`, which were checked when they were made. */
  setDefaults(defaults: ResponseHeaders): void {
    for (const field of defaults.#fields) {
      if (this.#find(field[0]) < 0) this.#fields.push(field);
    }
  }

  /** Adds a field, whether there is one of this name or not. Throws as {@link set} does. */
  append(name: string, value: string): void {
    check(name, value);
    this.#fields.push([name, value]);
  }

  /** Takes all fields `name` away; true when there was one. */
  delete(name: string): boolean {
    const before = this.#fields.length;
    if (this.#find(name) >= 0) this.#fields = this.#fields.filter(([other]) => !isSame(other, name));
    return this.#fields.length < before;
  }

  /** The fields as ESGI has them. A view of what is here: not to be changed. */
  entries(): readonly Header[] {
    return this.#fields;
  }

  [Symbol.iterator](): Iterator<Header> {
    return this.#fields.values();
  }

  #find(name: string): number {
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i++) {
      if (isSame(fields[i]![0], name)) return i;
    }
    return -1;
  }
}

/** Whether two names are the same, of any case. By toLowerCase() this was a third of what a handler costs on Bun. */
function isSame(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (lower(a.charCodeAt(i)) !== lower(b.charCodeAt(i))) return false;
  }
  return true;
}

/** A character code, those of A to Z as those of a to z: names are ASCII. */
function lower(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
}

const MAX_KNOWN = 256;
/**
 * Names that are tokens, each with its last value that was good: most fields have the same one each time. Programs use few
 * names; those that are made of data do not fill the memory, nor do long values.
 */
const known = new Map<string, { value: string }>();

function check(name: string, value: string): void {
  const last = known.get(name);
  if (last !== undefined && last.value === value) return;
  if (last === undefined && (typeof name !== "string" || !NAME.test(name))) {
    throw new BadHeaderError(`${quote(name)} is no name of a header (RFC 9110 §5.1)`);
  }
  if (typeof value !== "string") {
    throw new BadHeaderError(
      `the header ${name} is set to ${quote(value)}: give it a string, for example String(value)`,
    );
  }
  const bad = BAD_VALUE.exec(value);
  if (bad === null) {
    if (value.length > MAX_KNOWN) return;
    if (last !== undefined) last.value = value;
    else if (known.size < MAX_KNOWN) known.set(name, { value });
    return;
  }
  throw new BadHeaderError(
    bad[0] > "\xff"
      ? `the header ${name} is set to ${quote(value)}, and ${
        quote(bad[0])
      } is no character of a header (RFC 9110 §5.5): ` +
        "percent-encode it with encodeURIComponent(); names of files are encoded by contentDispositionHeader()"
      : `the header ${name} is set to ${quote(value)}, which has a line break or another control (RFC 9110 §5.5)`,
  );
}

function quote(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
}
