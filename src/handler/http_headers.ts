// The fields of a request by their names (Django's HttpHeaders): a view of META that copies nothing until somebody
// iterates.

import type { Environ, Header } from "../esgi/environ.ts";

/** See the file's head. Names are of any case; repeated fields have been joined by the server. */
export class HttpHeaders implements Iterable<Header> {
  readonly #environ: Environ;

  constructor(environ: Environ) {
    this.#environ = environ;
  }

  /** The value of the field `name`, or null. */
  get(name: string): string | null {
    return (this.#environ as unknown as Record<string, string | undefined>)[keyOf(name)] ?? null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  /** Each field, named as `Accept-Encoding` is. */
  *entries(): IterableIterator<Header> {
    for (const [key, value] of Object.entries(this.#environ)) {
      const name = key.startsWith("HTTP_")
        ? key.slice(5)
        : key === "CONTENT_TYPE" || key === "CONTENT_LENGTH"
        ? key
        : "";
      if (name !== "" && typeof value === "string") yield [nameOf(name), value];
    }
  }

  [Symbol.iterator](): IterableIterator<Header> {
    return this.entries();
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value;
  }
}

function keyOf(name: string): string {
  const key = name.toUpperCase().replaceAll("-", "_");
  return key === "CONTENT_TYPE" || key === "CONTENT_LENGTH" ? key : `HTTP_${key}`;
}

function nameOf(key: string): string {
  return key.split("_").map((word) => word.charAt(0) + word.slice(1).toLowerCase()).join("-");
}
