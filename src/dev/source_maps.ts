// From a place in generated code to the one in the code that somebody wrote, by the source map that the generated file
// names (ECMA-426). Deno maps by itself, Node when it is told to, Bun what it has compiled: what they have mapped names a
// file that has no map of its own, so nothing is mapped twice.

import { originalPositionFor, sourceContentFor, TraceMap } from "@jridgewell/trace-mapping";
import { isPath, type Place, toPath } from "./stack.ts";

/** The text of the file at an absolute path, or null when there is none that may be read. */
export type ReadSource = (path: string) => string | null;

/** A place, and the text of its file where only the map has it. */
export interface Mapped extends Place {
  readonly text: string | null;
}

/** The URL after the last `//# sourceMappingURL=` of a line of its own. */
const COMMENT = /^[ \t]*\/\/[#@] ?sourceMappingURL=(\S+)[ \t]*$/gm;

/** Bytes that the comment is looked for in, at the file's end; a map within the file may be long. */
const MAX_TEXT = 20_000_000;

/** The maps of files, each read once: make one for each failure that is described. */
export class SourceMaps {
  readonly #read: ReadSource;
  readonly #maps = new Map<string, TraceMap | null>();

  constructor(read: ReadSource) {
    this.#read = read;
  }

  /** Where `place` was written; null where no map says so. */
  original(place: Place): Mapped | null {
    if (place.line === null || !isPath(place.file)) return null;
    const map = this.#mapOf(place.file);
    if (map === null) return null;
    try {
      const found = originalPositionFor(map, { line: place.line, column: Math.max(0, (place.column ?? 1) - 1) });
      if (found.source === null) return null;
      const file = toPath(found.source);
      if (file === place.file) return null;
      const text = sourceContentFor(map, found.source);
      return { file, line: found.line, column: place.column === null ? null : found.column + 1, text };
    } catch {
      return null;
    }
  }

  #mapOf(file: string): TraceMap | null {
    let map = this.#maps.get(file);
    if (map !== undefined) return map;
    map = null;
    try {
      const text = this.#read(file);
      const url = text === null || text.length > MAX_TEXT ? undefined : [...text.matchAll(COMMENT)].at(-1)?.[1];
      if (url !== undefined) map = this.#load(url, file);
    } catch {
      // A map that is none maps nothing.
    }
    this.#maps.set(file, map);
    return map;
  }

  #load(url: string, file: string): TraceMap | null {
    const base = new URL(fileUrl(file));
    if (url.startsWith("data:")) return new TraceMap(decodeDataUrl(url), base.href);
    const location = new URL(url, base);
    if (location.protocol !== "file:") return null;
    const json = this.#read(toPath(location.href));
    return json === null ? null : new TraceMap(json, location.href);
  }
}

function fileUrl(path: string): string {
  const encoded = path.split("/").map((part) => encodeURIComponent(part)).join("/").replace(/^([a-z])%3A\//i, "/$1:/");
  return `file://${encoded}`;
}

function decodeDataUrl(url: string): string {
  const comma = url.indexOf(",");
  const data = url.slice(comma + 1);
  if (!/;base64$/i.test(url.slice(0, comma))) return decodeURIComponent(data);
  return new TextDecoder().decode(Uint8Array.from(atob(data), (character) => character.charCodeAt(0)));
}
