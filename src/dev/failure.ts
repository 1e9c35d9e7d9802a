// What was thrown, as plain data for a page or a terminal: name, message, frames with their source lines, causes. It takes
// whatever a program may throw, tells what the three runtimes tell in their own ways alike, and never throws itself.

import { type Mapped, type ReadSource, SourceMaps } from "./source_maps.ts";
import {
  isPath,
  ownerOf,
  parsePlace,
  parseStack,
  type Place,
  type StackFrame,
  toPath,
  withoutColours,
} from "./stack.ts";

export type { ReadSource } from "./source_maps.ts";
export type { Owner, Place, StackFrame } from "./stack.ts";

/** Lines of a file. */
export interface Excerpt {
  /** The number of the first one, from 1. */
  readonly start: number;
  readonly lines: readonly string[];
}

/** A frame, with the lines around it where its file can be read. */
export interface Frame extends StackFrame {
  readonly excerpt: Excerpt | null;
}

/** What was thrown. Plain data: it may be sent as JSON. */
export interface Failure {
  /** The error's, for example `TypeError`; "thrown" for what is no error. */
  readonly name: string;
  /** At most 10,000 characters. */
  readonly message: string;
  /** `ENOENT`, `ERR_MODULE_NOT_FOUND`; null when there is none. */
  readonly code: string | null;
  /** Innermost first. Where a module does not load, the first one is the place of the mistake. */
  readonly frames: readonly Frame[];
  readonly cause: Failure | null;
  /** Those of an AggregateError, at most 10. */
  readonly errors: readonly Failure[];
  /** What the runtime itself has to say: the stack as it is, without colours, at most 100,000 characters. */
  readonly text: string;
}

/** Lines before and after the one of a frame (Django's number). */
const AROUND = 7;
const MAX_LINE = 400;
const MAX_MESSAGE = 10_000;
const MAX_TEXT = 100_000;
const MAX_DEPTH = 10;
const MAX_ERRORS = 10;

/** Describes `error`, anything that can be thrown; the files of its frames are read by `readSource`. */
export function describeFailure(error: unknown, readSource: ReadSource): Failure {
  return new Description(readSource).describe(error, 0);
}

/** An error's own words, read once: a getter may throw, or say another thing the next time. */
interface Words {
  readonly name: string;
  readonly message: string;
  readonly code: string | null;
  readonly stack: string;
}

/** What a runtime says about a module that does not load, in one form. */
interface Mistake {
  readonly name?: string;
  readonly message?: string;
  readonly place: Place;
}

class Description {
  readonly #read: ReadSource;
  readonly #maps: SourceMaps;
  readonly #seen = new Set<unknown>();

  constructor(readSource: ReadSource) {
    const texts = new Map<string, string | null>();
    this.#read = (path: string): string | null => {
      let text = texts.get(path);
      if (text !== undefined) return text;
      try {
        text = readSource(path);
      } catch {
        text = null;
      }
      texts.set(path, text);
      return text;
    };
    this.#maps = new SourceMaps(this.#read);
  }

  describe(error: unknown, depth: number): Failure {
    if (!isErrorLike(error)) return thrown(error);
    if (this.#seen.has(error)) return failure("thrown", "(this error again: its causes go round in a circle)");
    this.#seen.add(error);
    const words = wordsOf(error);
    const mistake = this.#mistake(error, words);
    let frames = parseStack(words.stack, words.message).map((frame) => this.#frame(frame));
    if (mistake !== null) {
      const first = this.#frame({ function: null, ...mistake.place, owner: ownerOf(mistake.place.file) });
      frames = [first, ...frames.filter((frame) => !samePlace(frame, first))];
    }
    const deeper = depth < MAX_DEPTH;
    const list = deeper ? property(error, "errors") : undefined;
    const errors = toArray(list).map((one) => this.describe(one, depth + 1));
    const cause = deeper ? property(error, "cause") : undefined;
    const described: Failure = {
      name: mistake?.name ?? words.name,
      message: cut(withoutColours(mistake?.message ?? words.message), MAX_MESSAGE),
      code: words.code,
      frames,
      cause: cause === undefined ? null : this.describe(cause, depth + 1),
      errors,
      text: cut(
        withoutColours(cut(words.stack === "" ? `${words.name}: ${words.message}` : words.stack, MAX_TEXT)),
        MAX_TEXT,
      ),
    };
    return isBuild(list) ? { ...errors[0]!, text: described.text, errors: errors.slice(1) } : described;
  }

  #frame(frame: StackFrame): Frame {
    const mapped = this.#maps.original(frame);
    if (mapped === null) return { ...frame, excerpt: this.#excerpt(frame, null) };
    const { file, line, column } = mapped;
    return {
      function: frame.function,
      file,
      line,
      column,
      owner: ownerOf(file),
      excerpt: this.#excerpt(mapped, mapped),
    };
  }

  #excerpt({ file, line }: Place, mapped: Mapped | null): Excerpt | null {
    if (line === null || !isPath(file)) return null;
    const text = this.#read(file) ?? mapped?.text ?? null;
    if (text === null) return null;
    const lines = text.split(/\r\n?|\n/);
    if (lines.at(-1) === "") lines.pop();
    if (line > lines.length) return null;
    const start = Math.max(1, line - AROUND);
    return { start, lines: lines.slice(start - 1, line + AROUND).map((one) => cut(one, MAX_LINE)) };
  }

  /** Where the mistake is for which a module does not load, as each runtime has it. */
  #mistake(error: object, { name, message, stack, code }: Words): Mistake | null {
    // Bun: BuildMessage.
    const position = property(error, "position");
    if (typeof position === "object" && position !== null) {
      const file = property(position, "file");
      if (typeof file === "string" && isPath(toPath(file))) {
        const place = {
          file: toPath(file),
          line: positive(property(position, "line")),
          column: positive(property(position, "column")),
        };
        return name === "BuildMessage" ? { name: "SyntaxError", place } : { place };
      }
    }
    // @swc/wasm-typescript, which adapters/strip_types.js erases types with. Its columns start at 0.
    const filename = property(error, "filename");
    const startLine = property(error, "startLine");
    if (typeof filename === "string" && typeof startLine === "number") {
      const column = property(error, "startColumn");
      const place = {
        file: toPath(filename),
        line: positive(startLine),
        column: typeof column === "number" ? column + 1 : null,
      };
      return { name: "SyntaxError", place };
    }
    // Deno: the place is the end of the message, under an excerpt, perhaps behind another error's name.
    const plain = message.length <= MAX_MESSAGE ? withoutColours(message) : "";
    const at = plain.lastIndexOf("at file://");
    const location = plain.slice(at + "at ".length);
    if (at > 0 && /^file:\/\/\S+:\d+:\d+$/.test(location)) {
      const [text = ""] = plain.slice(0, at).trimEnd().split(/\n +\|\n/);
      const inner = /^(\w*Error): /.exec(text);
      const place = parsePlace(location);
      return inner === null
        ? { message: text, place }
        : { name: inner[1]!, message: text.slice(inner[0].length), place };
    }
    // Node: the place is above the message, with the line and marks beneath it.
    const node = name !== "SyntaxError"
      ? null
      : /^(\/\S[^\n]*|file:\/\/[^\n]+|[A-Za-z]:\\[^\n]+):(\d+)\n([^]*?)(?:\n\n|\n(?=\w*Error\b))/.exec(
        stack.slice(0, 5000),
      );
    if (node !== null) {
      const marks = node[3]!.split("\n").find((line) => /^\s*\^+\s*$/.test(line));
      return {
        place: {
          file: toPath(node[1]!),
          line: Number(node[2]),
          column: marks === undefined ? null : marks.indexOf("^") + 1,
        },
      };
    }
    // Bun: only what lacks the export is told, and not who imports it.
    const lacking = /^Export named '.*' not found in module '(.+)'\.$/.exec(message);
    if (lacking !== null) return { place: { file: toPath(lacking[1]!), line: null, column: null } };
    // Node and Bun: who imports what is not there, by its file alone.
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") return null;
    const missing = /(?:module|package|specifier|path) ["'](.+?)["'].* imported from ["']?(.+?)["']?$/.exec(message);
    if (missing === null) return null;
    const file = toPath(missing[2]!);
    return isPath(file) ? { place: { file, ...this.#importOf(missing[1]!, file) } } : null;
  }

  /** Where in `file` a text stands that ends as `module` does: what the file imports, which may be named in full. */
  #importOf(module: string, file: string): { readonly line: number | null; readonly column: number | null } {
    const text = this.#read(file);
    const end = module.split("/").at(-1)!.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const found = text === null ? null : new RegExp(`(["'])(?:[^"'\\n]*/)?${end}\\1`).exec(text);
    if (found === null) return { line: null, column: null };
    const before = text!.slice(0, found.index).split(/\r\n?|\n/);
    return { line: before.length, column: before.at(-1)!.length + 1 };
  }
}

function thrown(value: unknown): Failure {
  return failure("thrown", cut(preview(value), MAX_MESSAGE));
}

function failure(name: string, message: string): Failure {
  return { name, message, code: null, frames: [], cause: null, errors: [], text: message };
}

/** Bun says in one error how many it has found. */
function isBuild(errors: unknown): boolean {
  const list = toArray(errors);
  return list.length > 0 && list.every((one) => property(one, "name") === "BuildMessage");
}

/** Errors of another realm are no `instanceof Error`, and Node 20's loader throws plain objects. */
function isErrorLike(value: unknown): value is object {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return isInstance(value) || typeof property(value, "message") === "string";
}

function isInstance(value: object): boolean {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

function wordsOf(error: object): Words {
  const text = (key: string): string | null => {
    const value = property(error, key);
    return typeof value === "string" ? value : null;
  };
  const code = property(error, "code");
  return {
    name: cut(text("name") || "Error", 200),
    message: text("message") ?? "",
    code: typeof code === "string" || typeof code === "number" ? cut(String(code), 200) : null,
    stack: text("stack") ?? "",
  };
}

/** What a property holds; undefined where reading it throws. */
function property(value: unknown, key: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

function toArray(value: unknown): readonly unknown[] {
  try {
    return Array.isArray(value) ? value.slice(0, MAX_ERRORS) : [];
  } catch {
    return [];
  }
}

/** What is no error, in a few words. */
function preview(value: unknown): string {
  try {
    if (typeof value === "string") return value;
    if (typeof value === "function") return `a function ${value.name}`;
    if (typeof value !== "object" || value === null) return String(value);
    return JSON.stringify(value) ?? Object.prototype.toString.call(value);
  } catch {
    return "(a value that cannot be shown)";
  }
}

function samePlace(a: Place, b: Place): boolean {
  return a.file === b.file && a.line === b.line;
}

function positive(value: unknown): number | null {
  return typeof value === "number" && value > 0 ? value : null;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}
