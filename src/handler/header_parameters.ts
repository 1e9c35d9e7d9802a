// Reads field values of the form `value; name=parameter` (RFC 9110 §5.6.6): Content-Type, Content-Disposition, and the
// elements of Accept. What is malformed is left out, since each reader knows better what that means.

/** A field value, split. */
export interface HeaderParameters {
  /** What stands before the first ";", in lower case. */
  readonly value: string;
  /** By name in lower case; of two with one name the first counts. Without prototype. */
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Splits a field value (Django's parse_header_parameters). `name*=` (RFC 8187) is decoded and takes the place of `name=`.
 *
 * In a quoted parameter only `\"` and `\\` are escapes: there are programs that send `C:\file` as it is.
 */
export function parseHeaderParameters(text: string): HeaderParameters {
  const [value, ...rest] = splitField(text, ";");
  const parameters: Record<string, string> = Object.create(null);
  const extended: Record<string, string> = Object.create(null);
  for (const parameter of rest) {
    const equals = parameter.indexOf("=");
    const name = parameter.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    if (name === "") continue;
    const unquoted = unquote(parameter.slice(equals + 1).trim());
    if (name.endsWith("*")) {
      const decoded = decodeExtended(unquoted);
      if (decoded !== null) extended[name.slice(0, -1)] ??= decoded;
    } else {
      parameters[name] ??= unquoted;
    }
  }
  return { value: value!.trim().toLowerCase(), parameters: Object.assign(parameters, extended) };
}

/** Splits at each `separator` that is not in a quoted string. One piece at least; a quote without end holds the rest. */
export function splitField(text: string, separator: "," | ";"): string[] {
  if (!text.includes('"')) return text.split(separator);
  const pieces: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') quoted = !quoted;
    else if (quoted && character === "\\") at++;
    else if (!quoted && character === separator) {
      pieces.push(text.slice(start, at));
      start = at + 1;
    }
  }
  pieces.push(text.slice(start));
  return pieces;
}

function unquote(text: string): string {
  if (text.length < 2 || text[0] !== '"' || text.at(-1) !== '"') return text;
  return text.slice(1, -1).replace(/\\(["\\])/g, "$1");
}

/** `charset'language'percent-encoded` (RFC 8187 §3.2), or null when it is none or in a charset that nobody knows. */
function decodeExtended(text: string): string | null {
  const match = /^([^']+)'[^']*'((?:[^%']|%[0-9A-Fa-f]{2})*)$/.exec(text);
  if (match === null) return null;
  const escaped = match[2]!;
  const bytes: number[] = [];
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] === "%") {
      bytes.push(Number.parseInt(escaped.slice(i + 1, i + 3), 16));
      i += 2;
    } else if (escaped.charCodeAt(i) < 0x80) {
      bytes.push(escaped.charCodeAt(i));
    } else {
      return null;
    }
  }
  try {
    return new TextDecoder(match[1], { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch {
    return null;
  }
}
