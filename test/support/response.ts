// Reads a response as strictly as a client may: what breaks a rule of RFC 9112 is an error of the test.

import type { Ending } from "./client.ts";

export interface Response {
  readonly status: number;
  readonly reason: string;
  /** As sent, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly framing: "none" | "length" | "chunked" | "close";
  readonly body: Buffer;
  readonly text: string;
  /** The chunks as they were framed. */
  readonly chunks: readonly string[];
  /** The value of a field, joined with ", "; null when it is not there. */
  field(name: string): string | null;
  /** What a client sees that is the same each time: the Date is replaced. */
  readonly raw: string;
  /** Bytes in all. */
  readonly size: number;
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) ([\t\x20-\x7e]*)$/;
const FIELD =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?|)$/;
const DATE =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/;

function assert(condition: boolean, problem: string, text: string): asserts condition {
  if (!condition) throw new Error(`a malformed response: ${problem}: ${JSON.stringify(text.slice(0, 2000))}`);
}

/** The response at the start of `bytes`, or null when it is not complete. */
export function parseResponse(bytes: Buffer, ending: Ending | null, head: boolean): Response | null {
  const end = bytes.indexOf("\r\n\r\n", 0, "latin1");
  const shown = bytes.subarray(0, end < 0 ? 2000 : end + 4).toString("latin1");
  const prefix = "HTTP/1.1 ";
  assert(shown.slice(0, 9) === prefix.slice(0, shown.length), "no status line", shown);
  if (end < 0) return null;
  const [statusLine, ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const match = STATUS_LINE.exec(statusLine!);
  assert(match !== null, "the status line (RFC 9112 §4)", shown);
  const status = Number(match[1]);
  const fields = lines.map((line): [string, string] => {
    const field = FIELD.exec(line);
    assert(field !== null, `the field ${JSON.stringify(line)} (RFC 9112 §5)`, shown);
    return [field[1]!, field[2]!];
  });
  const field = (name: string): string | null => {
    const values = fields.filter(([other]) => other.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
    return values.length === 0 ? null : values.join(", ");
  };
  for (const name of ["Date", "Content-Length", "Transfer-Encoding", "Connection", "Content-Type"]) {
    const count = fields.filter(([other]) => other.toLowerCase() === name.toLowerCase()).length;
    assert(count <= 1, `${name} comes ${count} times`, shown);
  }
  const interim = status < 200;
  // RFC 9110 §6.6.1: an origin server with a clock sends Date; not in 1xx, where it means nothing.
  if (!interim) assert(DATE.test(field("Date") ?? ""), "no Date (RFC 9110 §6.6.1)", shown);
  const length = field("Content-Length");
  const coding = field("Transfer-Encoding");
  assert(length === null || /^\d+$/.test(length), "Content-Length (RFC 9110 §8.6)", shown);
  assert(coding === null || coding === "chunked", "Transfer-Encoding (RFC 9112 §6.1)", shown);
  assert(length === null || coding === null, "both Content-Length and Transfer-Encoding (RFC 9112 §6.2)", shown);
  const bodyless = interim || status === 204 || status === 304;
  if (bodyless) assert(coding === null, "Transfer-Encoding in a response without content (RFC 9112 §6.1)", shown);
  if (interim || status === 204) assert(length === null, "Content-Length where none may be (RFC 9110 §8.6)", shown);

  let at = end + 4;
  let framing: Response["framing"] = "none";
  let body: Buffer = Buffer.alloc(0);
  const chunks: string[] = [];
  if (bodyless || head) {
    // No content, whatever the fields say.
  } else if (coding !== null) {
    framing = "chunked";
    const parts: Buffer[] = [];
    for (;;) {
      const line = bytes.indexOf("\r\n", at, "latin1");
      if (line < 0) return null;
      const size = bytes.subarray(at, line).toString("latin1");
      assert(/^(?:0|[1-9a-f][0-9a-f]*)$/i.test(size), `the chunk size ${JSON.stringify(size)} (RFC 9112 §7.1)`, shown);
      const data = line + 2;
      at = data + Number.parseInt(size, 16);
      if (bytes.length < at + 2) return null;
      assert(bytes[at] === 13 && bytes[at + 1] === 10, "no CRLF after a chunk (RFC 9112 §7.1)", shown);
      at += 2;
      if (size === "0") break;
      parts.push(bytes.subarray(data, at - 2));
      chunks.push(bytes.subarray(data, Math.min(at - 2, data + 200)).toString("latin1"));
    }
    body = Buffer.concat(parts);
  } else if (length !== null) {
    framing = "length";
    if (bytes.length < at + Number(length)) return null;
    body = bytes.subarray(at, at + Number(length));
    at += Number(length);
  } else {
    framing = "close";
    // Complete at the connection's end, and only by FIN.
    if (ending !== "fin") return null;
    body = bytes.subarray(at);
    at = bytes.length;
  }
  const raw = bytes.subarray(0, Math.min(at, 100_000)).toString("latin1").replace(
    /\r\nDate: [^\r]*/,
    "\r\nDate: (now)",
  );
  return {
    status,
    reason: match[2]!,
    fields,
    framing,
    body,
    text: body.toString("utf8"),
    chunks,
    field,
    raw,
    size: at,
  };
}
