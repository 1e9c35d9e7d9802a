// What a web server sends by uwsgi, FastCGI and SCGI, as strings of which each character is a byte; and what comes back by
// FastCGI. Written from the specifications, and shares nothing with the readers.

export type Variables = readonly (readonly [name: string, value: string])[];

const u16be = (value: number): string => String.fromCharCode(value >> 8, value & 0xff);
const u16le = (value: number): string => String.fromCharCode(value & 0xff, value >> 8);

/** The variables of `GET /`, which `more` may replace. */
export function variables(more: Readonly<Record<string, string>> = {}): Variables {
  return Object.entries({
    REQUEST_METHOD: "GET",
    REQUEST_URI: "/",
    QUERY_STRING: "",
    CONTENT_LENGTH: "",
    SERVER_PROTOCOL: "HTTP/1.1",
    REMOTE_ADDR: "198.51.100.7",
    REMOTE_PORT: "5555",
    SERVER_NAME: "example.org",
    SERVER_PORT: "443",
    HTTP_HOST: "example.org",
    ...more,
  });
}

export function uwsgi(sent: Variables, body = "", modifier = 0): string {
  const content = sent.map(([name, value]) => u16le(name.length) + name + u16le(value.length) + value).join("");
  return `${String.fromCharCode(modifier)}${u16le(content.length)}\0${content}${body}`;
}

/** Puts CONTENT_LENGTH and SCGI where they belong. */
export function scgi(sent: Variables, body = ""): string {
  const rest = sent.filter(([name]) => name !== "CONTENT_LENGTH");
  return scgiRaw([["CONTENT_LENGTH", String(body.length)], ["SCGI", "1"], ...rest], body);
}

export function scgiRaw(sent: Variables, body = ""): string {
  const content = sent.map(([name, value]) => `${name}\0${value}\0`).join("");
  return `${content.length}:${content},${body}`;
}

export function record(type: number, id: number, content: string, padding = 0): string {
  return `\x01${String.fromCharCode(type)}${u16be(id)}${u16be(content.length)}${String.fromCharCode(padding)}\0` +
    content + "p".repeat(padding);
}

export function begin(id: number, { keep = false, role = 1 } = {}): string {
  return record(1, id, `${u16be(role)}${String.fromCharCode(keep ? 1 : 0)}\0\0\0\0\0`);
}

export function pairs(sent: Variables): string {
  const length = (size: number): string =>
    size < 128 ? String.fromCharCode(size) : `${u16be(0x8000 | size >> 16)}${u16be(size & 0xffff)}`;
  return sent.map(([name, value]) => length(name.length) + length(value.length) + name + value).join("");
}

export interface FastCgiOptions {
  readonly id?: number;
  readonly keep?: boolean;
  /** Bytes of content a record. */
  readonly size?: number;
  readonly padding?: number;
}

/** `content` as records of a stream, and its end. */
export function stream(
  type: number,
  content: string,
  { id = 1, size = 65_535, padding = 0 }: FastCgiOptions = {},
): string {
  let records = "";
  for (let at = 0; at < content.length; at += size) {
    records += record(type, id, content.slice(at, at + size), padding);
  }
  return records + record(type, id, "");
}

export function fastcgi(sent: Variables, body = "", options: FastCgiOptions = {}): string {
  const { id = 1, keep = false } = options;
  return begin(id, { keep }) + stream(4, pairs(sent), options) + stream(5, body, options);
}

export interface FastCgiRecord {
  readonly type: number;
  readonly id: number;
  readonly content: string;
}

/** The records that an application has sent. @throws {Error} when they are no records. */
export function records(text: string): FastCgiRecord[] {
  const list: FastCgiRecord[] = [];
  for (let at = 0; at < text.length;) {
    const byte = (offset: number): number => text.charCodeAt(at + offset);
    const length = byte(4) << 8 | byte(5);
    const end = at + 8 + length + byte(6);
    if (byte(0) !== 1 || end > text.length) throw new Error(`no record: ${JSON.stringify(text.slice(at, at + 40))}`);
    list.push({ type: byte(1), id: byte(2) << 8 | byte(3), content: text.slice(at + 8, at + 8 + length) });
    at = end;
  }
  return list;
}

/** The STDOUT of request `id`, and whether END_REQUEST says that it is complete. */
export function answer(text: string, id = 1): { readonly stdout: string; readonly complete: boolean } {
  const mine = records(text).filter((one) => one.id === id);
  return {
    stdout: mine.filter(({ type }) => type === 6).map(({ content }) => content).join(""),
    complete: mine.some(({ type, content }) => type === 3 && content === "\0\0\0\0\0\0\0\0"),
  };
}
