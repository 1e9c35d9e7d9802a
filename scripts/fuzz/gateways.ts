// Spoiled uwsgi, FastCGI and SCGI requests: the readers alone, against second readers that know whole texts only, and the
// server around them, in memory. Spoiled PROXY headers likewise.

import { resolveSettings } from "../../src/config/settings.ts";
import { MAX_PROXY_HEADER, ProxyHeaderParser, type ProxyMode } from "../../src/gateway_protocols/proxy_protocol.ts";
import { EventBus } from "../../src/observe/events.ts";
import { MemoryRuntime } from "../../src/runtime/memory.ts";
import { Server } from "../../src/server/server.ts";
import { bytes, LIMITS, type Name, read } from "../../test/gateway_protocols/feed.ts";
import {
  begin,
  fastcgi,
  pairs,
  record,
  records,
  scgi,
  scgiRaw,
  stream,
  uwsgi,
  type Variables,
  variables,
} from "../../test/gateway_protocols/packets.ts";
import { check, latin1 } from "../../test/http1/feed.ts";
import { again, anotherByte, cut, less, type Mutation, pick, splice, type Subject } from "./random.ts";

const TIGHT = { size: 150, count: 12 };

const GET = variables({ HTTP_X_A: "1", SCRIPT_NAME: "/app", PATH_INFO: "/b", REQUEST_URI: "/app/b?c" });
const POST = variables({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "5", CONTENT_TYPE: "text/plain" });
const CHUNKED = variables({ REQUEST_METHOD: "POST", HTTP_TRANSFER_ENCODING: "chunked" });
const MANY: Variables = [...GET, ...Array.from({ length: 30 }, (_, i) => [`HTTP_X_${i}`, "y".repeat(i * 7)] as const)];

const CORPORA: Readonly<Record<Name, readonly string[]>> = {
  uwsgi: [
    uwsgi(GET),
    uwsgi(POST, "hello"),
    uwsgi(MANY, "", 30),
    uwsgi(CHUNKED, "hello"),
    `d\0\0\0d\0\0\x01${uwsgi(GET)}`,
    uwsgi([...POST, ["CONTENT_LENGTH", "6"]], "hello!"),
  ],
  scgi: [
    scgi(GET),
    scgi(POST, "hello"),
    scgi(MANY),
    scgiRaw([["SCGI", "1"], ["CONTENT_LENGTH", "0"], ...GET]),
    scgiRaw([["CONTENT_LENGTH", "5"], ["SCGI", "1"], ["CONTENT_LENGTH", "6"]], "hello!"),
  ],
  fastcgi: [
    fastcgi(GET),
    fastcgi(POST, "hello", { keep: true, padding: 3 }),
    fastcgi(POST, "hello", { keep: true, size: 2 }) + fastcgi(MANY, "", { keep: true, id: 2, size: 100, padding: 255 }),
    fastcgi(CHUNKED, "hello", { keep: true, size: 1 }) + fastcgi(GET),
    record(9, 0, pairs([["FCGI_MPXS_CONNS", ""], ["FCGI_MAX_CONNS", ""]]), 5) + record(77, 0, "x") + fastcgi(GET),
    begin(1) + begin(2) + stream(4, pairs(POST)) + record(4, 2, "x") + stream(5, "hello"),
    begin(1, { keep: true }) + stream(4, pairs(POST)) + record(2, 1, "") + fastcgi(GET, "", { id: 3 }),
    begin(7, { role: 2 }),
  ],
};

const WORDS = [
  ...[
    "\0",
    "\x01",
    "\x7f",
    "\x80",
    "\xff",
    "\0\0",
    "\xff\xff",
    "\0\0\0\0",
    "\x80\0\0\0",
    "\xff\xff\xff\xff",
    "d\0\0\0",
  ],
  ...[":", ",", "0", "9", "99999", "\r\n", " ", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PROXY TCP4 ", "\x16\x03\x01\x02"],
  ...["CONTENT_LENGTH", "CONTENT_LENGTH\x005\0", "SCGI", "SCGI\x001\0", "HTTP_TRANSFER_ENCODING", "REQUEST_METHOD"],
  ...[record(5, 1, ""), record(4, 1, ""), record(2, 1, ""), record(5, 1, "x", 9), record(9, 0, ""), begin(1), begin(2)],
];

/** Complete requests as the second readers tell them, and why there is no further one, where that is a limit's doing. */
type Told = readonly (readonly [Variables, body: string])[];

const u16be = (text: string, at: number): number => text.charCodeAt(at) << 8 | text.charCodeAt(at + 1);
const u16le = (text: string, at: number): number => text.charCodeAt(at) | text.charCodeAt(at + 1) << 8;

/** The body's length, -1 for one that only its end tells, or null for a fault. */
function lengthOf(told: Variables, endIsTold: boolean): number | null {
  const lengths = new Set(
    told.filter(([name, value]) => name === "CONTENT_LENGTH" && value !== "").map(([, it]) => it),
  );
  if (lengths.size > 1) return null;
  const [length] = lengths;
  if (length !== undefined) return /^\d{1,15}$/.test(length) ? Number(length) : null;
  if (!told.some(([name]) => name === "HTTP_TRANSFER_ENCODING")) return 0;
  return endIsTold ? -1 : null;
}

function bodied(told: Variables, rest: string): Told {
  const length = lengthOf(told, false);
  return length === null || length > rest.length ? [] : [[told, rest.slice(0, length)]];
}

function tellUwsgi(text: string): Told {
  const packet = text.replace(/^(?:d\0\0[^]){0,16}/, "");
  const size = u16le(packet, 1);
  if (packet.length < 4 + size || !/^[\0\x1e]/.test(packet)) return [];
  const content = packet.slice(4, 4 + size);
  const strings: string[] = [];
  for (let at = 0; at < size;) {
    const end = at + 2 + u16le(content, at);
    if (!(end <= size)) return [];
    strings.push(content.slice(at + 2, end));
    at = end;
  }
  return strings.length % 2 === 1 ? [] : bodied(paired(strings), packet.slice(4 + size));
}

function tellScgi(text: string): Told {
  const size = /^(\d{1,9}):/.exec(text)?.[1];
  if (size === undefined) return [];
  const start = size.length + 1;
  const end = start + Number(size);
  if (text[end] !== "," || (end > start && text[end - 1] !== "\0")) return [];
  const strings = text.slice(start, end).split("\0").slice(0, -1);
  if (strings.length % 2 === 1 || strings[0] !== "CONTENT_LENGTH" || strings[1] === "") return [];
  const told = paired(strings);
  if (!told.some(([name, value]) => name === "SCGI" && value === "1")) return [];
  const [request] = bodied(told, text.slice(end + 1));
  if (request === undefined) return [];
  return [lengthOf(told, false) === 0 ? [told.filter(([name]) => name !== "CONTENT_LENGTH"), ""] : request];
}

function paired(strings: readonly string[]): Variables {
  return strings.flatMap((name, i) => i % 2 === 0 ? [[name, strings[i + 1]!] as const] : []);
}

/** §3.4; null for a fault. */
function tellPairs(content: string): Variables | null {
  const told: [string, string][] = [];
  let at = 0;
  const length = (): number => {
    const first = content.charCodeAt(at);
    if (first < 0x80) return content.charCodeAt(at++);
    at += 4;
    return (first & 0x7f) * 0x1000000 + content.charCodeAt(at - 3) * 0x10000 + u16be(content, at - 2);
  };
  while (at < content.length) {
    const [name, value] = [length(), length()];
    if (!(at + name + value <= content.length)) return null;
    told.push([content.slice(at, at + name), content.slice(at + name, at + name + value)]);
    at += name + value;
  }
  return told;
}

interface Active {
  readonly id: number;
  params: string;
  told: Variables | null;
  length: number;
  body: string;
}

/** Each request is answered when it is complete. */
function tellFastCgi(text: string): Told {
  const told: [Variables, string][] = [];
  let active = null as Active | null;
  let replies = 0;
  for (let at = 0; at + 8 <= text.length && text[at] === "\x01";) {
    const [type, id, length] = [text.charCodeAt(at + 1), u16be(text, at + 2), u16be(text, at + 4)] as const;
    const content = text.slice(at + 8, at + 8 + length);
    at += 8 + length + text.charCodeAt(at + 6);
    const whole = content.length === length;
    if (type === 1) {
      if (id === 0 || length !== 8 || !whole || active?.id === id) break;
      if (active !== null) {
        if (++replies > 16) break;
      } else if (u16be(content, 0) !== 1) break;
      else {
        active = { id, params: "", told: null, length: 0, body: "" };
        replies = 0;
      }
    } else if (id === 0) {
      if (type === 9 && (length > 1024 || !whole || tellPairs(content) === null)) break;
      if (++replies > 16) break;
    } else if (active !== null && active.id === id) {
      if (type === 2) {
        if (active.told === null && ++replies > 16) break;
        active = null;
      } else if (type === 4) {
        if (active.told !== null) break;
        active.params += content;
        if (length > 0) continue;
        active.told = tellPairs(active.params);
        const size = active.told === null ? null : lengthOf(active.told, true);
        if (size === null) break;
        active.length = size;
      } else if (type === 5) {
        if (active.told === null) break;
        active.body += content;
        if (length > 0 && active.length >= 0 && active.body.length > active.length) break;
        if (length > 0) continue;
        if (active.body.length < active.length) break;
        told.push([active.told, active.body]);
        active = null;
      }
    }
  }
  return told;
}

const TELL: Readonly<Record<Name, (text: string) => Told>> = {
  uwsgi: tellUwsgi,
  scgi: tellScgi,
  fastcgi: tellFastCgi,
};

/** A server that speaks `name`, and what becomes of one connection to it. */
function serverOf(name: Name): (pieces: Iterable<Uint8Array>) => string {
  const runtime = new MemoryRuntime();
  const events = new EventBus();
  let faults = 0;
  let refusals = 0;
  events.on("fault", () => void faults++);
  events.on("refused", () => void refusals++);
  const server = new Server(
    (environ, startResponse) => {
      startResponse("200 OK", [["Content-Type", "text/plain"], ["Date", "now"]]);
      return JSON.stringify([environ["esgi.target"], environ.SCRIPT_NAME, environ["esgi.headers"]]);
    },
    runtime,
    resolveSettings({ uwsgi_allow_ips: "*" }),
    events,
  );
  void server.listen({ kind: "tcp", host: "192.0.2.2", port: 80, protocol: name }, { backlog: 1 });
  return (pieces) => {
    const before = refusals;
    const client = runtime.connect();
    for (const piece of pieces) void client.send(piece);
    client.end();
    check(client.ended || client.closed, "who ends a connection sees its end");
    check(faults === 0, "a request is no fault of the application's");
    check(refusals - before <= 1, "a connection is refused once");
    return client.received;
  };
}

function gateway(name: Name): Subject {
  const corpus = CORPORA[name];
  const serve = serverOf(name);
  const words: Mutation = (text, random) =>
    splice(text, random(text.length + 1), random(2) * random(8), pick(WORDS, random));
  const length: Mutation = (text, random) => {
    // Some byte a little more or less: mostly that of a length, since there are many.
    const at = random(text.length);
    return splice(text, at, 1, String.fromCharCode((text.charCodeAt(at) + random(5) + 254) & 0xff));
  };
  const half: Mutation = (text, random) =>
    text.slice(0, random(text.length + 1)) + pick(corpus, random).slice(random(40));
  const another: Mutation = (text, random) => text + pick(corpus, random);
  return {
    name,
    corpus,
    mutations: [anotherByte, words, length, length, less, again, half, another],
    examine(text, random) {
      const data = bytes(text);
      const single = Array.from(data, (_, i) => data.subarray(i, i + 1));
      for (const limits of [TIGHT, LIMITS]) {
        const whole = JSON.stringify(read(name, [data], limits, false, true));
        check(JSON.stringify(read(name, single, limits, true, true)) === whole, "byte by byte is as whole");
        check(JSON.stringify(read(name, cut(data, random), limits, true, true)) === whole, "cut anywhere is as whole");
      }
      const outcome = read(name, [data], LIMITS, false, true);
      const complete = outcome.requests.filter(({ state }) => state === "complete").map((
        { variables, body },
      ) => [variables, body]);
      const expected = TELL[name](text);
      const limited = outcome.fault?.status === 431;
      check(
        JSON.stringify(complete) === JSON.stringify(limited ? expected.slice(0, complete.length) : expected),
        `${JSON.stringify(expected)}, not ${JSON.stringify(complete)}`,
      );
      // Refusals have the time of day.
      const timeless = (response: string): string => response.replace(/Date: (?!now).*?\r\n/, "");
      const received = serve([data]);
      if (name === "fastcgi") {
        // What comes meanwhile depends on when a request is answered: only that it is well-formed holds.
        records(received);
        records(serve(single));
      } else check(timeless(serve(single)) === timeless(received), "byte by byte is answered as whole");
      return outcome.fault !== null;
    },
  };
}

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
const ENDS = "\xcb\0\x71\x07\xc6\x33\x64\x02\x12\x67\x01\xbb";

const HEADERS = [
  "PROXY TCP4 203.0.113.7 198.51.100.2 4711 443\r\nGET / HTTP/1.1\r\n",
  "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 65535 0\r\n",
  "PROXY UNKNOWN what ever\r\nrest",
  "PROXY UNKNOWN\r\n",
  `${SIGNATURE}\x21\x11\0\x0c${ENDS}GET / HTTP/1.1\r\n`,
  `${SIGNATURE}\x21\x21\0\x24${"\x20\x01\x0d\xb8".repeat(8)}\0\x01\0\x02`,
  `${SIGNATURE}\x21\x11\0\x2d${ENDS}\x20\0\x0f\x01\0\0\0\0\x21\0\x07TLSv1.3\x02\0\x0cshop.example`,
  `${SIGNATURE}\x20\0\0\0rest`,
  `${SIGNATURE}\x21\x31\0\xd8${"/run/a.sock".padEnd(216, "\0")}`,
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

const PROXY_WORDS = [
  ...[
    "\r",
    "\n",
    "\r\n",
    "\0",
    " ",
    "  ",
    "PROXY ",
    "TCP4",
    "TCP6",
    "UDP4",
    "UNKNOWN",
    "0",
    "00",
    "255",
    "256",
    "65536",
    ":",
  ],
  ...["::", ".", SIGNATURE, "\x20", "\x21", "\x22", "\x11", "\x12", "\xff\xff", "\x02\0\0", "\x20\0\x05\x01\0\0\0\0"],
];

/** What a parser makes of `pieces`: the answer, and where in all bytes the rest begins. */
function parseProxy(mode: ProxyMode, pieces: Iterable<Uint8Array>, all: number): string {
  const parser = new ProxyHeaderParser(mode);
  let fed = 0;
  for (const piece of pieces) {
    fed += piece.length;
    const result = parser.push(piece.slice());
    if (result.kind === "more") {
      check(fed < MAX_PROXY_HEADER, "it is decided in bounded memory");
      continue;
    }
    if (result.kind === "error") return result.reason;
    const header = result.kind === "header" ? result.header : null;
    return JSON.stringify([result.kind, header, fed - result.rest.length]);
  }
  return all === fed ? "more" : "";
}

/** By regular expressions and slices: the kind, and how long it is where it is a header. */
function tellProxy(text: string): { readonly kind: "more" | "absent" | "header" | "error"; readonly length: number } {
  const cases = { more: text.length, absent: 0, error: 0 };
  const tell = (kind: keyof typeof cases): { kind: keyof typeof cases; length: number } => ({
    kind,
    length: cases[kind],
  });
  if (text.startsWith("PROXY")) {
    const line = /^PROXY(?:[^\r\n]|\r(?=\r?$)){0,102}\r\n/.exec(text.slice(0, 107))?.[0];
    if (line === undefined) return tell(text.length < 107 && /^[^\r\n]*\r?$/.test(text) ? "more" : "error");
    if (/^PROXY UNKNOWN(?: .*)?\r\n$/s.test(line)) return { kind: "header", length: line.length };
    const [, family, ...rest] = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d*) (0|[1-9]\d*)\r\n$/.exec(line) ?? [];
    const valid = family !== undefined && rest.slice(0, 2).every((one) => isIp(one, family)) &&
      rest.slice(2).every((port) => Number(port) <= 65_535);
    return valid ? { kind: "header", length: line.length } : tell("error");
  }
  if ("PROXY".startsWith(text) || SIGNATURE.startsWith(text)) return tell("more");
  if (!text.startsWith(SIGNATURE)) return tell("absent");
  const [command, family] = [text.charCodeAt(12), text.charCodeAt(13)];
  if (text.length > 12 && command !== 0x20 && command !== 0x21) return tell("error");
  if (text.length > 13 && command === 0x21 && (family >> 4 > 3 || (family & 15) > 1)) return tell("error");
  if (text.length < 16) return tell("more");
  const length = 16 + u16be(text, 14);
  if (length > MAX_PROXY_HEADER) return tell("error");
  if (text.length < length) return tell("more");
  const header = { kind: "header", length } as const;
  const size = { 0x11: 12, 0x21: 36, 0x31: 216 }[family];
  if (command === 0x20 || size === undefined) return header;
  if (length < 16 + size) return tell("error");
  if (family === 0x31) return header;
  const tlvs = tellTlvs(text.slice(16 + size, length));
  const ssl = tlvs?.find(([type]) => type === 0x20)?.[1];
  // What a checksum must be is left to the tests of the parser.
  const bad = tlvs === null || tlvs.some(([type]) => type === 3) ||
    (ssl !== undefined && (ssl.length < 5 || tellTlvs(ssl.slice(5)) === null));
  return bad ? tell("error") : header;
}

/** Null: malformed. */
function tellTlvs(text: string): (readonly [type: number, value: string])[] | null {
  const tlvs: [number, string][] = [];
  for (let at = 0; at < text.length;) {
    const end = at + 3 + u16be(text, at + 1);
    if (!(end <= text.length)) return null;
    tlvs.push([text.charCodeAt(at), text.slice(at + 3, end)]);
    at = end;
  }
  const known = tlvs.map(([type]) => type).filter((type) => [0x02, 0x03, 0x20, 0x21].includes(type));
  return new Set(known).size === known.length ? tlvs : null;
}

function isIp(text: string, family: string): boolean {
  if (family === "4") {
    return /^(?:(?:0|[1-9]\d{0,2})(?:\.(?!$)|$)){4}$/.test(text) && text.split(".").every((n) => +n < 256);
  }
  return text.includes(":") && /^[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]/`);
}

const proxy: Subject = {
  name: "proxy",
  corpus: HEADERS,
  mutations: [
    anotherByte,
    less,
    again,
    (text, random) => splice(text, random(text.length + 1), random(2) * random(8), pick(PROXY_WORDS, random)),
    (text, random) => text.slice(0, random(text.length + 1)) + pick(HEADERS, random).slice(random(40)),
  ],
  examine(text, random) {
    const data = bytes(text);
    let refused = false;
    for (const mode of ["auto", "v1", "v2"] as const) {
      const whole = parseProxy(mode, [data], data.length);
      const single = Array.from(data, (_, i) => data.subarray(i, i + 1));
      check(parseProxy(mode, single, data.length) === whole || data.length === 0, "byte by byte is as whole");
      check(
        parseProxy(mode, cut(data, random), data.length) === whole || data.length === 0,
        "cut anywhere is as whole",
      );
      if (mode !== "auto" || data.length === 0) continue;
      const { kind, length } = tellProxy(latin1(data));
      const is = whole.startsWith("[")
        ? (JSON.parse(whole) as [string, unknown, number])
        : [whole === "more" ? "more" : "error"];
      if (whole.includes("CRC32c") || (kind === "error" && text.includes("\x03"))) continue;
      check(is[0] === kind, `${kind}, not ${whole}`);
      if (kind === "header") check(is[2] === length, `${length} bytes, not ${whole}`);
      refused = kind === "error";
    }
    return refused;
  },
};

export const GATEWAYS: readonly Subject[] = [gateway("uwsgi"), gateway("fastcgi"), gateway("scgi"), proxy];
