// The frames in an error's `stack`: V8's form (Node, Deno), JavaScriptCore's (Bun), and the line that Node puts over a
// syntax error. Text in, data out; no file is read here, and whatever the text is, nothing throws.

/** Whose code a frame is: the project's, a dependency's (Tricorn's own among them), or the runtime's. */
export type Owner = "application" | "library" | "runtime";

/** A place in code. */
export interface Place {
  /** An absolute path, with "/" between its parts also on Windows; what is no file has its name: `node:fs`, a URL. */
  readonly file: string;
  /** From 1; null when it is not told. */
  readonly line: number | null;
  /** From 1, in UTF-16 code units; null when it is not told. */
  readonly column: number | null;
}

/** One line of a stack. */
export interface StackFrame extends Place {
  /** As the runtime writes it; null at a module's top level and in functions without a name. */
  readonly function: string | null;
  readonly owner: Owner;
}

/** As much of a stack as anybody reads: characters, and frames. What is longer is cut. */
const MAX_STACK = 100_000;
const MAX_FRAMES = 50;

// Terminals' colours: Deno has them in messages.
const COLOUR = /\x1b\[[\d;]*m/g;

/** `text` without what colours it on a terminal. */
export function withoutColours(text: string): string {
  return text.includes("\x1b") ? text.replace(COLOUR, "") : text;
}

/**
 * The frames of `stack`, innermost first, at most 50. `message` is the error's: lines of it that look like frames are
 * none.
 */
export function parseStack(stack: string, message: string): StackFrame[] {
  const start = message === "" ? -1 : stack.indexOf(message);
  const from = start < 0 ? 0 : start + message.length;
  const frames: StackFrame[] = [];
  for (const line of withoutColours(stack.slice(from, from + MAX_STACK)).split("\n")) {
    const frame = parseLine(line);
    if (frame !== null && frames.push(frame) === MAX_FRAMES) break;
  }
  return frames;
}

function parseLine(line: string): StackFrame | null {
  if (line.length > 2000) return null;
  const v8 = /^\s*at (?:async )?(?:(.*?) )?\((.*)\)$/.exec(line) ?? /^\s*at (?:async )?()(\S.*)$/.exec(line);
  if (v8 !== null) return frameOf(v8[1] ?? "", v8[2]!);
  const jsc = /^(\S*)@(\S.*:\d+:\d+|\[native code\])$/.exec(line);
  return jsc === null ? null : frameOf(jsc[1]!, jsc[2]!);
}

function frameOf(name: string, location: string): StackFrame {
  // Code made by eval is at a place of its own, and was made at one that somebody can open.
  const made = /^eval at .*? \(([^()]+)\)/.exec(location);
  const place = parsePlace(made?.[1] ?? location);
  const nameless = /^(?:.*\.)?(?:<anonymous>)?$/.test(name);
  return { function: nameless ? null : name, ...place, owner: ownerOf(place.file) };
}

/** Reads `file:line:column`, `file:line` or `file`, the file being a path or a URL. */
export function parsePlace(text: string): Place {
  const [, file, line, column] = /^(.*?)(?::(\d+))?(?::(\d+))?$/s.exec(text)!;
  return {
    file: toPath(file!),
    line: line === undefined ? null : Number(line),
    column: column === undefined ? null : Number(column),
  };
}

/** The path of a file: URL; a path with "/"; any other name as it is. */
export function toPath(name: string): string {
  if (/^[a-z]:\\/i.test(name)) return name.replaceAll("\\", "/");
  if (!name.startsWith("file://")) return name;
  // A query makes a module new to its runtime; the file is the same.
  const path = name.slice("file://".length).replace(/[?#].*$/, "").replace(/^\/([a-z]:\/)/i, "$1");
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** True for an absolute path. */
export function isPath(file: string): boolean {
  return file.startsWith("/") || /^[a-z]:\//i.test(file);
}

const TRICORN = toPath(new URL("../../", import.meta.url).href);

const DEPENDENCY = /\/(?:node_modules|\.yarn|npm\/registry\.npmjs\.org|deno-dir|\.cache\/deno)\//;

/** Whose code `file` is, by its name alone. */
export function ownerOf(file: string): Owner {
  if (/^https?:/.test(file)) return "library";
  if (!isPath(file)) return "runtime";
  const ours = file.startsWith(`${TRICORN}src/`) || file.startsWith(`${TRICORN}adapters/`);
  return ours || DEPENDENCY.test(file) ? "library" : "application";
}
