// Which bytes may stand where: 256-entry tables, so that a scan is one load a byte; and what counts as white space.

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;

function table(allowed: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (allowed(byte) ? 1 : 0));
}

const TCHAR = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** tchar (RFC 9110 §5.6.2). */
export const TOKEN: Uint8Array = table((byte) => TCHAR.includes(String.fromCharCode(byte)));

/** field-vchar, SP and HTAB (RFC 9110 §5.5): no controls, no DEL. */
export const FIELD_VALUE: Uint8Array = table((byte) => byte === HTAB || (byte >= 0x20 && byte !== 0x7f));

/**
 * What may stand in a request-target: visible ASCII but "#", which no target may contain (RFC 9112 §3.2). Wider than RFC
 * 3986 by `"<>\^`{|}`, which browsers send as they are and which nobody reads in two ways.
 */
export const TARGET: Uint8Array = table((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x23);

/** True when each character of `text` is a byte that `table` allows. */
export function consistsOf(text: string, table: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (table[text.charCodeAt(i)] !== 1) return false;
  return true;
}

/** The value of a hexadecimal digit, 255 for all else. */
export const HEX: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase());
  return value < 0 ? 255 : value;
});

/** `text` without the SP and HTAB around it (OWS, RFC 9110 §5.6.3). trim() takes more, and a regular expression more time. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === SP || code === HTAB;
}
