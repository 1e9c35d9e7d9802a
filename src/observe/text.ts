// Text from outside, made fit for a log: nothing that a client or an application says may start a line, end one, or
// reach the terminal behind it.

/** Where log text goes: a file, a stream. `write` may throw what the system says. */
export interface TextSink {
  write(text: string): void;
}

// C0 and C1 controls, DEL, the Unicode line ends, and the marks that reverse the direction of what follows.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const UNSAFE_OR_QUOTE = /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

// Nearly every text is safe, and a search costs half of a replacement that finds nothing.
const IS_UNSAFE = new RegExp(UNSAFE.source);
const IS_UNSAFE_OR_QUOTE = new RegExp(UNSAFE_OR_QUOTE.source);

/** `text` on one line, with `\xNN` and `\uNNNN` for what a log must not contain. */
export function escapeLine(text: string): string {
  return IS_UNSAFE.test(text) ? text.replace(UNSAFE, escaped) : text;
}

/** The same, fit to stand between double quotes. */
export function escapeQuoted(text: string): string {
  return IS_UNSAFE_OR_QUOTE.test(text) ? text.replace(UNSAFE_OR_QUOTE, escaped) : text;
}

function escaped(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  const code = character.charCodeAt(0);
  if (code === 9) return "\\t";
  if (code === 10) return "\\n";
  if (code === 13) return "\\r";
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}

/** `text` as a block under a line: each further line is indented, so that none can pass for a log line of its own. */
export function escapeBlock(text: string, indent: string): string {
  return text.replace(/\r\n?/g, "\n").split("\n").map((line, index) =>
    index === 0 ? escapeLine(line) : indent + escapeLine(line.replace(/^\t/, "    "))
  ).join("\n");
}

/** What was thrown, with its stack and causes. Never throws, whatever it is given. */
export function describeError(error: unknown): string {
  try {
    return describe(error, 0);
  } catch {
    return "(an error that cannot be shown)";
  }
}

const MAX_DEPTH = 5;
const MAX_ERRORS = 10;

function describe(error: unknown, depth: number): string {
  if (!(error instanceof Error) && !isErrorLike(error)) return `thrown: ${preview(error)}`;
  // Deno colours the place of a module that is not found, in the message and in the stack.
  const message = withoutColors(error.message);
  const head = `${error.name}: ${message}`;
  const stack = typeof error.stack === "string" ? withoutColors(error.stack) : "";
  // V8 puts the message over the frames; JavaScriptCore (Bun) may give the frames alone.
  const parts = [stack === "" ? head + placeOf(error) : stack.includes(message) ? stack : `${head}\n${stack}`];
  if (depth < MAX_DEPTH) {
    const errors: unknown = (error as { errors?: unknown }).errors;
    if (Array.isArray(errors)) {
      for (const one of errors.slice(0, MAX_ERRORS)) parts.push(`one of them: ${describe(one, depth + 1)}`);
    }
    if (error.cause !== undefined) parts.push(`caused by: ${describe(error.cause, depth + 1)}`);
  }
  return parts.join("\n");
}

function withoutColors(text: string): string {
  return text.replace(/\x1b\[[\d;]*m/g, "");
}

/** As a frame, where code could not be parsed: Bun's BuildMessage has no stack. */
function placeOf(error: Error): string {
  const { position } = error as { position?: unknown };
  if (typeof position !== "object" || position === null) return "";
  const { file, line, column } = position as Record<string, unknown>;
  return typeof file === "string" && typeof line === "number" ? `\n    at ${file}:${line}:${column}` : "";
}

/** Errors of another realm are no `instanceof Error`. */
function isErrorLike(value: unknown): value is Error {
  return typeof value === "object" && value !== null && typeof (value as Error).message === "string" &&
    typeof (value as Error).name === "string";
}

function preview(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return String(value);
  const json = JSON.stringify(value) ?? Object.prototype.toString.call(value);
  return json.length > 1000 ? `${json.slice(0, 1000)}...` : json;
}
