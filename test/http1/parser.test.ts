// Which bytes are a request, by the sections of RFC 9112, then of RFC 9110. Each row is fed whole, byte by byte, split in
// two at every position, and followed by garbage (harness.ts).

import { describe, expect, test } from "vitest";
import type { Limits } from "../../src/http1/parser.ts";
import {
  accepted,
  bytes,
  chunked,
  get,
  LIMITS,
  newParser,
  parseEveryWay,
  post,
  refused,
  type Request,
  request,
  unfinished,
} from "./harness.ts";

type Accept = [name: string, input: string, expected: Partial<Request>];
type Refuse = [name: string, input: string, status: number, reason: RegExp];

function accepts(rows: readonly Accept[], limits: Limits = LIMITS): void {
  test.each(rows)("accepts %s", (_name, input, expected) => {
    expect(accepted(input, limits)).toMatchObject(expected);
  });
}

function refuses(rows: readonly Refuse[], limits: Limits = LIMITS): void {
  test.each(rows)("refuses %s", (_name, input, status, reason) => {
    const refusal = refused(input, limits);
    expect(refusal.status).toBe(status);
    expect(refusal.reason).toMatch(reason);
  });
}

const TCHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NOT_TCHARS = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))
  .filter((character) => !TCHARS.includes(character));
const LINE = "GET / HTTP/1.1\r\n";
const HOST: [string, string] = ["Host", "a"];

describe("RFC 9112 §2.2 message parsing", () => {
  accepts([
    ["a request", get(), { method: "GET", target: "/", minorVersion: 1, fields: [HOST], body: "", trailers: [] }],
    ["an empty line before the request line", "\r\n" + get(), { method: "GET" }],
    ["many empty lines before the request line", "\r\n".repeat(20) + get(), { method: "GET" }],
    ["an empty line after a body, where some clients put one", post("abc", "Content-Length: 3") + "\r\n" + get(), {
      method: "GET",
    }],
    ["requests one after another", get() + post("x", "Content-Length: 1") + get("X: 1"), {
      fields: [HOST, ["X", "1"]],
    }],
  ]);
  refuses([
    ["LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, /line end/],
    ["LF after every line", "GET / HTTP/1.1\nHost: a\n\n", 400, /line end/],
    ["LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400, /bare LF in a field value/],
    ["LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, /bare LF in the fields/],
    ["LF CR", "GET / HTTP/1.1\r\nHost: a\n\r\r\n\r\n", 400, /bare LF/],
    ["LF before the request line", "\n" + get(), 400, /request line/],
    ["CR before the request line", "\r" + get(), 400, /bare CR before/],
    ["CR CR LF before the request line", "\r\r\n" + get(), 400, /bare CR before/],
    ["CR after the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400, /line end/],
    ["CR CR LF after the request line", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, /line end/],
    ["CR between fields", LINE + "Host: a\rX: b\r\n\r\n", 400, /bare CR in a field value/],
    ["CR in a value", get("X: a\rb"), 400, /bare CR in a field value/],
    ["CR CR LF after a value", get("X: a\r"), 400, /bare CR in a field value/],
    ["CR in the empty line", LINE + "Host: a\r\n\rX", 400, /bare CR in the fields/],
    ["CR CR LF as the empty line", LINE + "Host: a\r\n\r\r\n", 400, /bare CR in the fields/],
    ["CR in a name", get("X\rY: a"), 400, /field name/],
    ["LF in a name", get("X\nY: a"), 400, /bare LF/],
    ["SP before the first field", LINE + " Host: a\r\n\r\n", 400, /folding/],
    ["HTAB before the first field", LINE + "\tHost: a\r\n\r\n", 400, /folding/],
    ["a line of SP after the request line", LINE + " \r\nHost: a\r\n\r\n", 400, /folding/],
    ["a line of SP before the request line", " \r\n" + get(), 400, /request line/],
    ["SP before the request line", " " + get(), 400, /request line/],
    ["HTAB before the request line", "\t" + get(), 400, /request line/],
    ["a byte order mark", "\xef\xbb\xbf" + get(), 400, /request line/],
    ["NUL first", "\0" + get(), 400, /request line/],
    ["a TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400, /TLS handshake/],
    ["a PROXY header of version 1", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 400, /PROXY header/],
    ["one that tells nothing", "PROXY UNKNOWN\r\n", 400, /PROXY header/],
    ["one of version 2", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 400, /PROXY header/],
    ["a response", "HTTP/1.1 200 OK\r\n", 400, /malformed/],
  ]);
  test.each(["", "\r", "\r\n", "G", "GET /", "GET / HTTP/1.1\r\n", LINE + "Host: a", LINE + "Host: a\r\n\r"])(
    "waits after %j",
    (input) => expect(unfinished(input)).toBe(null),
  );
});

describe("RFC 9112 §2.3 HTTP version", () => {
  accepts([
    ["HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", { minorVersion: 0, keepAlive: false }],
    ["HTTP/1.1", get(), { minorVersion: 1, keepAlive: true }],
    ["HTTP/1.2 as 1.1 (RFC 9110 §2.5)", request("GET / HTTP/1.2", "Host: a"), { minorVersion: 1, keepAlive: true }],
    ["HTTP/1.9 as 1.1", request("GET / HTTP/1.9", "Host: a"), { minorVersion: 1 }],
  ]);
  refuses([
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, /preface of HTTP\/2/],
    ["HTTP/0.9 with its version", request("GET / HTTP/0.9"), 505, /HTTP/],
    ["HTTP/2.0", request("GET / HTTP/2.0", "Host: a"), 505, /HTTP/],
    ["HTTP/3.0", request("GET / HTTP/3.0", "Host: a"), 505, /HTTP/],
    ["HTTP/9.1", request("GET / HTTP/9.1", "Host: a"), 505, /HTTP/],
    ["HTTP/0.9 without a version", "GET /\r\n", 400, /malformed/],
    ["HTTP/0.9 without a version, with SP", "GET / \r\n", 400, /version/],
    ...[
      "http/1.1",
      "Http/1.1",
      "HTTP/1",
      "HTTP/1.",
      "HTTP/.1",
      "HTTP/1.10",
      "HTTP/1.01",
      "HTTP/01.1",
      "HTTP/11.1",
      "HTTP/1,1",
      "HTTP/1.x",
      "HTTP/x.1",
      "HTTP/+1.1",
      "HTTP/-1.1",
      "HTTP/1.1 ",
      "HTTP/1.1\t",
      "HTTP/ 1.1",
      "HTTP /1.1",
      "HTTP/1 .1",
      "HTTP/1.1.1",
      "HTTP/1.1 x",
      "HTTP/1.1\0",
      "HTTP/1.1;a",
      "HTTPS/1.1",
      "HTCP/1.1",
      "HTTP1.1",
      "HTTP\\1.1",
      "HTTP/\xb11",
      "1.1",
      "\x48\x54\x54\x50/\xb2.1",
    ].map((version): Refuse => [JSON.stringify(version), request(`GET / ${version}`, "Host: a"), 400, /version/]),
  ]);
});

describe("RFC 9112 §3 request line", () => {
  refuses([
    ["HTAB after the method", "GET\t/ HTTP/1.1\r\n", 400, /request line/],
    ["HTAB after the target", "GET /\tHTTP/1.1\r\n", 400, /target/],
    ["two SP after the method", "GET  / HTTP/1.1\r\n", 400, /target/],
    ["two SP after the target", "GET /  HTTP/1.1\r\n", 400, /version/],
    ["VT after the method", "GET\v/ HTTP/1.1\r\n", 400, /request line/],
    ["FF after the target", "GET /\fHTTP/1.1\r\n", 400, /target/],
    ["NBSP after the method", "GET\xa0/ HTTP/1.1\r\n", 400, /request line/],
    ["SP in the target", "GET /a b HTTP/1.1\r\n", 400, /version/],
    ["no target", "GET HTTP/1.1\r\n", 400, /target/],
    ["an empty target", "GET  HTTP/1.1\r\n", 400, /target/],
    ["the method alone", "GET\r\n", 400, /request line/],
    ["SP alone", " \r\n", 400, /request line/],
    ["one word and a field", "x:y\r\n\r\n", 400, /request line/],
    ["request line twice", LINE + LINE + "Host: a\r\n\r\n", 400, /white space between/],
  ]);
  const tight: Limits = { ...LIMITS, requestLine: 100 };
  const line = (length: number): string => `GET /${"a".repeat(length - 14)} HTTP/1.1`;
  accepts([["a line as long as the limit", request(line(100), "Host: a"), { method: "GET" }]], tight);
  refuses([
    ["a line one byte longer", request(line(101), "Host: a"), 414, /limit_request_line/],
    ["a line much longer", request(line(400), "Host: a"), 414, /limit_request_line/],
    ["an endless line", `GET /${"a".repeat(96)}`, 414, /limit_request_line/],
    ["an endless line before what is wrong with it", `GET /${"a".repeat(200)}\0`, 414, /limit_request_line/],
    ["what is wrong before the line is too long", `GET /\0${"a".repeat(200)}`, 400, /target/],
  ], tight);
  // Without a limit of its own it is a part of the head.
  const headOnly: Limits = { ...LIMITS, requestLine: Infinity, head: 102 };
  accepts([["a line as long as the head", request(`GET /${"a".repeat(86)} HTTP/1.0`), { method: "GET" }]], headOnly);
  refuses([
    ["a line longer than the head", request(`GET /${"a".repeat(87)} HTTP/1.0`), 414, /limit_request_head/],
    ["an endless line in a head that has a limit", `GET /${"a".repeat(96)}`, 414, /limit_request_head/],
    ["an endless method in a head that has a limit", "M".repeat(101), 400, /request line/],
  ], headOnly);
});

describe("RFC 9112 §3.1 method", () => {
  accepts([
    ...["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "FOO", "get", "M-SEARCH", "A", "1"].map(
      (method): Accept => [method, request(`${method} / HTTP/1.1`, "Host: a"), { method }],
    ),
    ...["GEX", "HET", "PUTS"].map(
      (method): Accept => [`${method}, which looks like another`, request(`${method} / HTTP/1.1`, "Host: a"), {
        method,
      }],
    ),
    ["every tchar, half", request(`${TCHARS.slice(0, 40)} / HTTP/1.1`, "Host: a"), { method: TCHARS.slice(0, 40) }],
    ["every tchar, other half", request(`${TCHARS.slice(40)} / HTTP/1.1`, "Host: a"), { method: TCHARS.slice(40) }],
    ["64 characters", request(`${"M".repeat(64)} / HTTP/1.1`, "Host: a"), { method: "M".repeat(64) }],
  ]);
  refuses([
    ["65 characters", "M".repeat(65) + " ", 501, /method/],
    ["thousands", "M".repeat(5000) + " ", 501, /method/],
    ["more than a request line may have", "M".repeat(9000), 400, /request line/],
    ["65 characters before what is wrong", "M".repeat(65) + "\0", 400, /request line/],
    ["none", " / HTTP/1.1\r\n", 400, /request line/],
    ["GET,POST", "GET,POST / HTTP/1.1\r\n", 400, /request line/],
  ]);
  test("refuses every other byte", () => {
    for (const character of NOT_TCHARS) {
      if (character === " " || character === "\r") continue;
      expect(refused(`G${character}T / HTTP/1.1\r\n`)).toMatchObject({ status: 400 });
    }
  });
});

describe("RFC 9112 §3.2 request target", () => {
  accepts([
    ...[
      "/",
      "//",
      "//a/b",
      "/a;b=c,d",
      "/?",
      "/?a=b&c",
      "/??",
      "/a?b/c?d",
      "/%41%zz%",
      "/%00%0d%0a",
      "/..//../.",
      "/:@!$&'()*+,;=-._~",
      "/http://b/",
      "/*",
      // Not in RFC 3986's alphabet, sent by browsers, read by everybody in one way.
      '/"<>\\^`{|}?"<>\\^`{|}',
    ].map((target): Accept => [target, request(`GET ${target} HTTP/1.1`, "Host: a"), { target, form: "origin" }]),
  ]);
  refuses([
    ["a fragment", request("GET /#a HTTP/1.1", "Host: a"), 400, /target/],
    ["a fragment in a query", request("GET /?a#b HTTP/1.1", "Host: a"), 400, /target/],
    ["no slash", request("GET a HTTP/1.1", "Host: a"), 400, /four forms/],
    ["no slash, but a path", request("GET a/b HTTP/1.1", "Host: a"), 400, /four forms/],
    ["a query alone", request("GET ?a HTTP/1.1", "Host: a"), 400, /four forms/],
    ["a backslash first", request("GET \\a HTTP/1.1", "Host: a"), 400, /four forms/],
  ]);
  test("refuses controls, 8-bit bytes, DEL and #", () => {
    for (let code = 0; code < 256; code++) {
      if ((code > 0x20 && code < 0x7f && code !== 0x23) || code === 0x20) continue;
      const character = String.fromCharCode(code);
      expect(refused(`GET /a${character}b HTTP/1.1\r\n`)).toMatchObject({ status: 400 });
      expect(refused(`GET ${character} HTTP/1.1\r\n`)).toMatchObject({ status: 400 });
    }
  });
});

describe("RFC 9112 §3.2 Host", () => {
  accepts([
    ["HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", { fields: [] }],
    ["a name in any case", request("GET / HTTP/1.1", "hOsT: a"), { fields: [["hOsT", "a"]] }],
    ["Host that is not the first field", request("GET / HTTP/1.1", "X: 1", "Host: a"), {}],
    ["white space around it", request("GET / HTTP/1.1", "Host: \t a \t"), { fields: [HOST] }],
    ...[
      "localhost",
      "EXAMPLE.com",
      "a.b.",
      "a_b",
      "xn--mnchen-3ya.de",
      "a:80",
      "a:",
      "a:0",
      "a:65535",
      "a:00080",
      "127.0.0.1",
      "127.0.0.1:8000",
      "999.999.999.999",
      "1",
      "[::1]",
      "[::1]:80",
      "[::]:",
      "[2001:DB8::1:0:0:1]",
      "[::ffff:127.0.0.1]",
      "[1:2:3:4:5:6:7:8]",
      "[v1.a:b]",
      "[vF.~!$&'()*+,;=:]:443",
      "%41.b",
      "a%C3%A9",
      "-._~!$&'()*+,;=",
    ].map((host): Accept => [JSON.stringify(host), request("GET / HTTP/1.1", `Host: ${host}`), {}]),
  ]);
  refuses([
    ["HTTP/1.1 without Host", request("GET / HTTP/1.1"), 400, /needs a Host/],
    ["HTTP/1.2 without Host", request("GET / HTTP/1.2"), 400, /needs a Host/],
    ["absolute-form without Host", request("GET http://a/ HTTP/1.1"), 400, /needs a Host/],
    ["two", get("Host: b"), 400, /more than one Host/],
    ["the same twice", get("Host: a"), 400, /more than one Host/],
    ["two, one empty", get("HOST:"), 400, /more than one Host/],
    ["an empty one", request("GET / HTTP/1.1", "Host:"), 400, /empty Host/],
    ["an empty one, HTTP/1.0", request("GET / HTTP/1.0", "Host:"), 400, /empty Host/],
    ["two, HTTP/1.0", request("GET / HTTP/1.0", "Host: a", "Host: b"), 400, /more than one Host/],
    ["a bad one, HTTP/1.0", request("GET / HTTP/1.0", "Host: a/b"), 400, /malformed host/],
    ["a bad one, absolute-form", request("GET http://a/ HTTP/1.1", "Host: a/b"), 400, /malformed host/],
    ...[
      "a b",
      "a\tb",
      "a, b",
      "a:80, b",
      "a/",
      "a/b/",
      "/",
      "http://a",
      "a?b",
      "a#b",
      "a@b",
      "u:p@a",
      "@",
      "a\\b",
      "a|b",
      'a"b',
      "<a>",
      "{a}",
      "a^b",
      "a`b",
      "%",
      "a%4",
      "a%zz",
      "a\xe9",
      ":80",
      ":",
      "a:b",
      "a:80:80",
      "a:-1",
      "a:+80",
      "a: 80",
      "a :80",
      "a:8 0",
      "a:65536",
      "a:99999",
      "a:100080",
      "a:0x50",
      "::1",
      "[::1",
      "::1]",
      "[::1]]",
      "[[::1]]",
      "[::1]a",
      "[]",
      "[:]",
      "[1]",
      "[:::]",
      "[::1::]",
      "[1:2:3:4:5:6:7]",
      "[1:2:3:4:5:6:7:8:9]",
      "[1:2:3:4::5:6:7:8]",
      "[12345::]",
      "[g::]",
      "[::127.0.0.256]",
      "[::127.0.0.01]",
      "[::127.0.0]",
      "[127.0.0.1::]",
      "[fe80::1%25eth0]",
      "[fe80::1%eth0]",
      "[127.0.0.1]",
      "[localhost]",
      "[v.a]",
      "[v1.]",
      "[v1]",
      "[vg.a]",
      "[v1.[]",
    ].map((host): Refuse => [
      JSON.stringify(host),
      request("GET / HTTP/1.1", `Host: ${host}`),
      400,
      /malformed host in the Host field/,
    ]),
  ]);
});

describe("RFC 9112 §3.2.2 absolute-form", () => {
  const authority = (target: string, expected: string): Accept => [
    target,
    request(`GET ${target} HTTP/1.1`, "Host: b"),
    { target, form: "absolute", authority: expected },
  ];
  accepts([
    authority("http://a/", "a"),
    authority("HTTP://A/b?c", "A"),
    authority("https://a:443/", "a:443"),
    authority("http://a", "a"),
    authority("http://a:", "a:"),
    authority("http://a?b", "a"),
    authority("http://[::1]:80/a?b", "[::1]:80"),
    authority("http://a//b", "a"),
    authority("http://a/http://b/", "a"),
  ]);
  refuses([
    ...[
      "http:/a",
      "http:a",
      "http//a",
      "ftp://a/",
      "ws://a/",
      "httpss://a/",
      "urn:a",
      "file:///a",
      "javascript:a",
      "a.b/c",
    ].map((target): Refuse => [target, request(`GET ${target} HTTP/1.1`, "Host: a"), 400, /four forms/]),
    ...["http://", "http:///a", "http://?a", "http://:80/", "http://::1/"].map(
      (target): Refuse => [target, request(`GET ${target} HTTP/1.1`, "Host: a"), 400, /needs a host/],
    ),
    ...[
      "http://u@a/",
      "http://u:p@a/",
      "http://@a/",
      "http://a:65536/",
      "http://a:b/",
      "http://a\\b/",
      "http://[::1/",
      "http://a|b/",
      "http://%/",
    ].map((target): Refuse => [
      target,
      request(`GET ${target} HTTP/1.1`, "Host: a"),
      400,
      /malformed host in the request target/,
    ]),
  ]);
});

describe("RFC 9112 §3.2.3 authority-form", () => {
  const connect = (target: string): string => request(`CONNECT ${target} HTTP/1.1`, "Host: a");
  // Legal, though session.ts answers it with 405.
  accepts(["a:80", "[::1]:443", "127.0.0.1:1"].map((target): Accept => [target, connect(target), {
    method: "CONNECT",
    form: "authority",
    authority: target,
  }]));
  refuses([
    ...["a", "a:", "/", "/a:80", "*", "http://a/", ":80", "::1:80", "a/b", ""].map(
      (target): Refuse => [`CONNECT ${target}`, connect(target), 400, /CONNECT needs|target/],
    ),
    ...["u@a:80", "a:65536", "[::1:80", "http://a:80"].map(
      (target): Refuse => [`CONNECT ${target}`, connect(target), 400, /malformed host/],
    ),
    ["GET with it", request("GET a:80 HTTP/1.1", "Host: a"), 400, /four forms/],
    ["OPTIONS with it", request("OPTIONS a:80 HTTP/1.1", "Host: a"), 400, /four forms/],
    ["a method that looks like CONNECT", request("connect a:80 HTTP/1.1", "Host: a"), 400, /four forms/],
  ]);
});

describe("RFC 9112 §3.2.4 asterisk-form", () => {
  accepts([
    ["OPTIONS *", request("OPTIONS * HTTP/1.1", "Host: a"), { form: "asterisk", target: "*" }],
    ["OPTIONS * with an empty Host", request("OPTIONS * HTTP/1.1", "Host:"), { form: "asterisk" }],
  ]);
  refuses([
    ["GET *", request("GET * HTTP/1.1", "Host: a"), 400, /only OPTIONS/],
    ["options *", request("options * HTTP/1.1", "Host: a"), 400, /only OPTIONS/],
    ["OPTIONS **", request("OPTIONS ** HTTP/1.1", "Host: a"), 400, /four forms/],
    ["OPTIONS *?a", request("OPTIONS *?a HTTP/1.1", "Host: a"), 400, /four forms/],
  ]);
});

describe("RFC 9112 §5 field syntax", () => {
  const value = (line: string, expected: string): Accept => [JSON.stringify(line), get(`X:${line}`), {
    fields: [HOST, ["X", expected]],
  }];
  const obsText = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join("");
  accepts([
    value("a", "a"),
    value(" a", "a"),
    value("\ta", "a"),
    value(" \t a\t \t", "a"),
    value("", ""),
    value(" ", ""),
    value("\t \t", ""),
    value("a\tb  c", "a\tb  c"),
    value(":", ":"),
    value("a:b: c", "a:b: c"),
    value('"a\\"b"', '"a\\"b"'),
    value(`a${obsText}b`, `a${obsText}b`),
    // Not white space: only SP and HTAB are.
    value("\xa0a\xa0", "\xa0a\xa0"),
    value("\x85", "\x85"),
    ["every tchar in a name", get(`${TCHARS}: a`), { fields: [HOST, [TCHARS, "a"]] }],
    ["a name of one character", get("!: a"), { fields: [HOST, ["!", "a"]] }],
    ["digits alone as a name", get("0: a"), { fields: [HOST, ["0", "a"]] }],
    ["__proto__ as a name", get("__proto__: a", "constructor: b"), {
      fields: [HOST, ["__proto__", "a"], ["constructor", "b"]],
    }],
    ["names as spelled, in order, repeated", get("x-A: 1", "X-a: 2", "x-A: 3"), {
      fields: [HOST, ["x-A", "1"], ["X-a", "2"], ["x-A", "3"]],
    }],
    ["a long name", get(`${"n".repeat(500)}: a`), { fields: [HOST, ["n".repeat(500), "a"]] }],
  ]);
  refuses([
    ["no colon", get("X"), 400, /field name/],
    ["no name", get(": a"), 400, /field name/],
    ["a colon alone", get(":"), 400, /field name/],
    ["SP in a name", get("X Y: a"), 400, /white space between/],
    ["8-bit in a name", get("X\xe9: a"), 400, /field name/],
    ["a quoted name", get('"X": a'), 400, /field name/],
    ["a name in brackets", get("[X]: a"), 400, /field name/],
    ["a name of 8-bit letters that lower-case to ASCII nowhere", get("\xc7: a"), 400, /field name/],
  ]);
  test("refuses every other byte in a name", () => {
    for (const character of NOT_TCHARS) {
      if (character === ":") continue;
      expect(refused(get(`X${character}Y: a`))).toMatchObject({ status: 400 });
    }
  });
  test("refuses controls and DEL in a value", () => {
    for (let code = 0; code < 0x80; code++) {
      if (code === 9 || (code >= 0x20 && code !== 0x7f)) continue;
      const character = String.fromCharCode(code);
      for (const line of [`X: a${character}b`, `X:${character}`, `X: ${character}a`, `X: a${character}`]) {
        expect(refused(get(line)), JSON.stringify(line)).toMatchObject({ status: 400 });
      }
    }
  });
});

describe("RFC 9112 §5.1 white space before the colon", () => {
  refuses([
    ["SP", get("X : a"), 400, /white space between/],
    ["HTAB", get("X\t: a"), 400, /white space between/],
    ["in Host", LINE + "Host : a\r\n\r\n", 400, /white space between/],
    ["in Content-Length", post("abc", "Content-Length : 3"), 400, /white space between/],
    ["in Transfer-Encoding", post("0\r\n\r\n", "Transfer-Encoding : chunked"), 400, /white space between/],
    ["HTAB in Transfer-Encoding", post("0\r\n\r\n", "Transfer-Encoding\t: chunked"), 400, /white space between/],
    ["VT", get("X\v: a"), 400, /field name/],
    ["NUL", get("X\0: a"), 400, /field name/],
    ["NBSP", get("X\xa0: a"), 400, /field name/],
  ]);
});

describe("RFC 9112 §5.2 obsolete line folding", () => {
  refuses([
    ["SP", get("X: a", " b"), 400, /folding/],
    ["HTAB", get("X: a", "\tb"), 400, /folding/],
    ["white space alone", get("X: a", " "), 400, /folding/],
    ["after an empty value", get("X:", " a"), 400, /folding/],
    ["in Transfer-Encoding", post("0\r\n\r\n", "Transfer-Encoding:", " chunked"), 400, /folding/],
    ["in Content-Length", post("abc", "Content-Length: 3", " 3"), 400, /folding/],
    ["that hides a field", get("X: a", " Content-Length: 3"), 400, /folding/],
  ]);
});

describe("RFC 9112 §6.1 Transfer-Encoding", () => {
  const coded = (...lines: string[]): string => post("3\r\nabc\r\n0\r\n\r\n", ...lines);
  const te = (value: string): string => coded(`Transfer-Encoding:${value}`);
  accepts([
    ...[" chunked", "chunked", "\tchunked", " \t chunked \t ", " Chunked", " CHUNKED", " cHuNkEd"].map(
      (value): Accept => [JSON.stringify(value), te(value), {
        chunked: true,
        contentLength: -1,
        body: "abc",
        trailers: [],
      }],
    ),
    ["the name in any case", coded("TRANSFER-ENCODING: chunked"), { chunked: true, body: "abc" }],
    ["Transfer_Encoding, which is another field", post("", "Transfer_Encoding: chunked"), { chunked: false, body: "" }],
    ["TE, which is another field", post("", "TE: chunked"), { chunked: false, body: "" }],
  ]);
  refuses([
    ["with Content-Length", coded("Content-Length: 13", "Transfer-Encoding: chunked"), 400, /both/],
    ["before Content-Length", coded("Transfer-Encoding: chunked", "Content-Length: 13"), 400, /both/],
    ["with Content-Length: 0", coded("Transfer-Encoding: chunked", "Content-Length: 0"), 400, /both/],
    ["with an empty Content-Length", coded("Transfer-Encoding: chunked", "Content-Length:"), 400, /both/],
    ["an empty one with Content-Length", coded("Transfer-Encoding:", "Content-Length: 3"), 400, /both/],
    ["an unknown one with Content-Length", coded("Transfer-Encoding: x", "Content-Length: 3"), 400, /both/],
    ["identity with Content-Length", coded("Transfer-Encoding: identity", "Content-Length: 3"), 400, /both/],
    ["in HTTP/1.0", request("POST / HTTP/1.0", "Transfer-Encoding: chunked"), 400, /HTTP\/1\.0/],
    ["an unknown one in HTTP/1.0", request("POST / HTTP/1.0", "Transfer-Encoding: x"), 400, /HTTP\/1\.0/],
    ["two lines", coded("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400, /more than once/],
    ["two lines, one unknown last", coded("Transfer-Encoding: chunked", "Transfer-Encoding: x"), 400, /not the last/],
    ["two lines, identity last", coded("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 400, /last/],
    [
      "two lines, identity first",
      coded("Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
      501,
      /not chunked/,
    ],
    ["two lines, one empty", coded("Transfer-Encoding: chunked", "Transfer-Encoding:"), 400, /malformed/],
    ...["chunked, chunked", "chunked,chunked", "chunked, x, chunked", "Chunked, cHUNKED"].map(
      (value): Refuse => [JSON.stringify(value), te(` ${value}`), 400, /more than once/],
    ),
    ...["chunked, identity", "chunked, gzip", "x, chunked, y", "chunked,x"].map(
      (value): Refuse => [JSON.stringify(value), te(` ${value}`), 400, /not the last/],
    ),
    ...[
      "",
      " ",
      ",",
      "chunked,",
      ",chunked",
      ", chunked",
      "chunked, ,",
      "gzip,,chunked",
      "chunked;a=b",
      "chunked ;a=b",
      "chunked;",
      "gzip, chunked;q=1",
      '"chunked"',
      "chunked'x y",
      "chunked x",
      "chun ked",
      "chunked\x80",
      "\xa0chunked",
      "chunked\xa0",
      "chunked\x85",
      "(chunked)",
      "chunked/1",
      "chunked=1",
      "chunked:",
      ": chunked",
      "=chunked",
      "[chunked]",
      "{chunked}",
      "<chunked>",
      "chunk\xe9d",
      "\xe7hunked",
      ";chunked",
      "chunked\\",
    ].map(
      (value): Refuse => [JSON.stringify(value), te(` ${value}`), 400, /malformed/],
    ),
    ...[
      "identity",
      "gzip",
      "x",
      "xchunked",
      "chunkedx",
      "chunked-x",
      "'chunked'",
      "chunke",
      "gzip, chunked",
      "identity, chunked",
      "gzip;level=9",
      "gzip;level=9, chunked",
      "compress, deflate",
      "trailers",
      "0",
    ].map((value): Refuse => [JSON.stringify(value), te(` ${value}`), 501, /not chunked/]),
    ...["\v", "\f", "\0", "\x01", "\x7f", "\b", "\x1b"].flatMap((control): Refuse[] =>
      [`${control}chunked`, `chunked${control}`, ` ${control} chunked`, `chu${control}nked`].map((value) => [
        JSON.stringify(value),
        te(value),
        400,
        /control/,
      ])
    ),
    ["a CR behind it", te(" chunked\r"), 400, /bare CR/],
    ["a LF before it", te("\n chunked"), 400, /bare LF/],
    ["two colons", te(": chunked"), 400, /malformed/],
    ["hidden behind a LF in another field", coded("X: a\nTransfer-Encoding: chunked"), 400, /bare LF/],
    ["hidden behind a CR in another field", coded("X: a\rTransfer-Encoding: chunked"), 400, /bare CR/],
  ]);
});

describe("RFC 9112 §6.2 Content-Length", () => {
  const length = (value: string, body = "abc"): string => post(body, `Content-Length:${value}`);
  accepts([
    ["3", length(" 3"), { contentLength: 3, body: "abc", chunked: false }],
    ["0", length(" 0", ""), { contentLength: 0, body: "" }],
    ["without SP", length("3"), { body: "abc" }],
    ["HTAB and SP around it", length(" \t3 \t "), { body: "abc" }],
    ["zeros before it, which 1*DIGIT allows", length(" 0003"), { contentLength: 3, body: "abc" }],
    ["zeros alone", length(" 00", ""), { contentLength: 0, body: "" }],
    ["very many zeros before it", length(` ${"0".repeat(400)}3`), { contentLength: 3, body: "abc" }],
    ["the name in any case", post("abc", "CONTENT-length: 3"), { body: "abc" }],
    ["any bytes as content", length(" 6", "\0\r\n\xff\r\n"), { body: "\0\r\n\xff\r\n" }],
    ["with GET", request("GET / HTTP/1.1", "Host: a", "Content-Length: 1") + "x", { method: "GET", body: "x" }],
    ["with HEAD", request("HEAD / HTTP/1.1", "Host: a", "Content-Length: 1") + "x", { body: "x" }],
    ["with HTTP/1.0", request("POST / HTTP/1.0", "Content-Length: 1") + "x", { body: "x" }],
    ["Content_Length, which is another field", post("", "Content_Length: 3"), { contentLength: -1, body: "" }],
    ["what comes after as the next request", length(" 0", "") + request("PUT /b HTTP/1.1", "Host: a"), {
      method: "PUT",
    }],
  ]);
  refuses([
    ...[
      "",
      " ",
      "+1",
      "-1",
      "-0",
      "+",
      "0x3",
      "0x10",
      "0o3",
      "0b1",
      "3h",
      "h3",
      "a",
      "3.0",
      "3.",
      ".3",
      "1e3",
      "3e0",
      "1 1",
      "3 3",
      "3\t3",
      "1,1",
      "3,3",
      "3, 3",
      "3,",
      ",3",
      "3, 4",
      "3;3",
      "3_0",
      "1_000",
      "1,000",
      '"3"',
      "'3'",
      "(3)",
      "3\xa0",
      "\xa03",
      "\xb3",
      "\xb2\xb3",
      "3\x80",
      "NaN",
      "Infinity",
      "null",
      "3-",
      "3/3",
      "3=3",
    ].map((value): Refuse => [JSON.stringify(value), length(` ${value}`), 400, /malformed Content-Length/]),
    ["two lines", post("abc", "Content-Length: 3", "Content-Length: 4"), 400, /more than one Content-Length/],
    ["the same twice", post("abc", "Content-Length: 3", "content-length: 3"), 400, /more than one Content-Length/],
    ["an empty line second", post("abc", "Content-Length: 3", "Content-Length:"), 400, /more than one/],
    ["twice 0", post("", "Content-Length: 0", "Content-Length: 0"), 400, /more than one/],
    ["2^31 over the limit", length(" 2147483648"), 413, /limit_request_body/],
    ["2^53", length(" 9007199254740992"), 400, /no body can have/],
    ["2^64", length(" 18446744073709551616"), 400, /no body can have/],
    ["2^64 + 3, which is 3 in 64 bits", length(" 18446744073709551619"), 400, /no body can have/],
    ["10^400, which is no number", length(` 1${"0".repeat(400)}`), 400, /no body can have/],
    ["VT before it", length("\v3"), 400, /control/],
    ["NUL behind it", length(" 3\0"), 400, /control/],
  ]);
  const tight: Limits = { ...LIMITS, body: 5 };
  accepts([["as much as the limit", length(" 5", "abcde"), { body: "abcde" }]], tight);
  refuses([["one byte more", length(" 6", "abcdef"), 413, /limit_request_body/]], tight);
  const boundless: Limits = { ...LIMITS, body: Infinity };
  refuses([
    ["2^53 without a limit", length(" 9007199254740992"), 400, /no body can have/],
    ["10^400 without a limit", length(` 1${"0".repeat(400)}`), 400, /no body can have/],
  ], boundless);
  test("waits for content that has not come", () => {
    expect(unfinished(length(" 4"))).toMatchObject({ body: "abc" });
    expect(unfinished(length(" 4", ""))).toMatchObject({ body: "" });
  });
});

describe("RFC 9112 §6.3 message body length", () => {
  accepts([
    ["no content without a length", post(""), { contentLength: -1, chunked: false, body: "", trailers: [] }],
    ["CL.0: what looks like content is a request", post("") + request("GET /b HTTP/1.1", "Host: b"), {
      target: "/b",
    }],
  ]);
  refuses([
    ["content without a length", post("abc\r\n"), 400, /request line/],
    ["CL.TE", post("0\r\n\r\nG", "Content-Length: 6", "Transfer-Encoding: chunked"), 400, /both/],
    ["TE.CL", post("5c\r\nGPOST / HTTP/1.1\r\n", "Content-length: 4", "Transfer-Encoding: chunked"), 400, /both/],
    ["TE.0", post("50\r\n", "Transfer-Encoding: chunked", "Content-Length: 0"), 400, /both/],
  ]);
});

describe("RFC 9112 §7.1 chunked transfer coding", () => {
  const body = (text: string, expected: string): Accept => [JSON.stringify(text.slice(0, 40)), chunked(text), {
    chunked: true,
    body: expected,
    trailers: [],
  }];
  accepts([
    body("0\r\n\r\n", ""),
    body("000\r\n\r\n", ""),
    body("3\r\nabc\r\n0\r\n\r\n", "abc"),
    body("1\r\na\r\n2\r\nbc\r\n00\r\n\r\n", "abc"),
    body("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    body("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    body("0000000000000003\r\nabc\r\n0\r\n\r\n", "abc"),
    body(`${"0".repeat(1000)}3\r\nabc\r\n0\r\n\r\n`, "abc"),
    body(`${"0".repeat(4095)}3\r\nabc\r\n0\r\n\r\n`, "abc"),
    body("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
    body("5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
    body(`1f4\r\n${"x".repeat(500)}\r\n0\r\n\r\n`, "x".repeat(500)),
    body(`1F4\r\n${"x".repeat(500)}\r\n0\r\n\r\n`, "x".repeat(500)),
    ["with GET", request("GET / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + "1\r\nx\r\n0\r\n\r\n", {
      body: "x",
    }],
    ["what comes after as the next request", chunked("0\r\n\r\n") + request("PUT /b HTTP/1.1", "Host: a"), {
      method: "PUT",
    }],
  ]);
  refuses([
    ...[
      "\r\n",
      " 3\r\n",
      "\t3\r\n",
      "-1\r\n",
      "+3\r\n",
      "g\r\n",
      "x\r\n",
      "\n",
      "\0",
      ";a\r\n",
      "'3'\r\n",
      "\xb3\r\n",
      "{\r\n",
    ]
      .map((size): Refuse => [JSON.stringify(size), chunked(`${size}abc\r\n`), 400, /malformed chunk size/]),
    ...[
      "3 \r\n",
      "3\t\r\n",
      "0x3\r\n",
      "0X3\r\n",
      "3h\r\n",
      "3x\r\n",
      "1_0\r\n",
      "1.0\r\n",
      "3,\r\n",
      "3 3\r\n",
      "3\n",
      "3\0\r\n",
      "3\v\r\n",
      "3=\r\n",
      "3\xa0\r\n",
      "0 \r\n",
    ].map((size): Refuse => [JSON.stringify(size), chunked(`${size}abc\r\n`), 400, /malformed chunk extension/]),
    ["CR after a size", chunked("3\rabc\r\n"), 400, /bare CR after a chunk size/],
    ["CR CR LF after a size", chunked("3\r\r\nabc\r\n"), 400, /bare CR after a chunk size/],
    ["2^49 bytes", chunked("2000000000000\r\n"), 400, /no body can have/],
    ["2^53 bytes", chunked("20000000000000\r\n"), 400, /no body can have/],
    ["2^64 bytes", chunked("10000000000000000\r\n"), 400, /no body can have/],
    ["2^64 + 3 bytes, which is 3 in 64 bits", chunked("10000000000000003\r\n"), 400, /no body can have/],
    ["2^32 + 3 bytes, which is 3 in 32 bits", chunked("100000003\r\n"), 413, /limit_request_body/],
    ["2^63 bytes", chunked("8000000000000000\r\n"), 400, /no body can have/],
    ["2^64 - 1 bytes, which is -1 in 64 bits", chunked("ffffffffffffffff\r\n"), 400, /no body can have/],
    ["endless digits", chunked("f".repeat(5000)), 400, /no body can have/],
    ["endless zeros", chunked("0".repeat(5000)), 400, /too long/],
    ["a line of one byte too many", chunked(`${"0".repeat(4097)}\r\n`), 400, /too long/],
    ["data longer than its size", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400, /longer than its size/],
    ["data shorter than its size", chunked("5\r\nabc\r\n0\r\n\r\n"), 400, /longer than its size/],
    ["no CRLF after data", chunked("3\r\nabc0\r\n\r\n"), 400, /longer than its size/],
    ["LF after data", chunked("3\r\nabc\n0\r\n\r\n"), 400, /longer than its size/],
    ["CR after data", chunked("3\r\nabc\r0\r\n\r\n"), 400, /bare CR after chunk data/],
    ["CR CR LF after data", chunked("3\r\nabc\r\r\n0\r\n\r\n"), 400, /bare CR after chunk data/],
    ["two CRLF after data", chunked("3\r\nabc\r\n\r\n0\r\n\r\n"), 400, /malformed chunk size/],
    ["SP after data", chunked("3\r\nabc \r\n0\r\n\r\n"), 400, /longer than its size/],
    ["LF after the last size", chunked("0\n\r\n"), 400, /malformed chunk extension/],
    ["LF after the last chunk", chunked("0\r\n\n"), 400, /bare LF in the fields/],
    ["CR X after the last chunk", chunked("0\r\n\rX"), 400, /bare CR in the fields/],
    ["CRLF missing before the next request", chunked("0\r\n") + get(), 400, /white space between/],
  ]);
  const tight: Limits = { ...LIMITS, body: 5 };
  accepts([["as much as the limit", chunked("2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"), { body: "abcde" }]], tight);
  refuses([
    ["one byte more", chunked("2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n"), 413, /limit_request_body/],
    ["more, before it comes", chunked("6\r\n"), 413, /limit_request_body/],
  ], tight);
  test.each(["", "3", "3\r", "3\r\n", "3\r\nab", "3\r\nabc", "3\r\nabc\r", "3\r\nabc\r\n", "0", "0\r\n", "0\r\n\r"])(
    "waits after %j",
    (input) => expect(unfinished(chunked(input))).toMatchObject({ chunked: true }),
  );
});

describe("RFC 9112 §7.1.1 chunk extensions", () => {
  const extended = (extension: string): string => chunked(`3${extension}\r\nabc\r\n0${extension}\r\n\r\n`);
  accepts([
    ...[
      ";a",
      ";a=b",
      ";a;b;c=d",
      " ; a = b",
      "\t;\ta\t=\tb",
      ';a="b"',
      ';a=""',
      ';a="b;c=d"',
      ';a="\t \x80\xff!~"',
      ';a="\\"\\\\\\a\\\t\\ \\\xff"',
      ' ; a = "b c" ; d',
      `;${TCHARS}=${TCHARS}`,
      ";chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
      ";3=abc",
    ].map((extension): Accept => [
      JSON.stringify(extension),
      extended(extension),
      { body: "abc", trailers: [] },
    ]),
    ["a line as long as the limit", chunked(`0;${"a".repeat(4094)}\r\n\r\n`), { body: "" }],
    [
      "many, in proportion to the data",
      chunked(`400;${"a".repeat(1000)}\r\n${"x".repeat(1024)}\r\n`.repeat(20) + "0\r\n\r\n"),
      {
        body: "x".repeat(20_480),
      },
    ],
    ["many chunks of a byte", chunked("1\r\nx\r\n".repeat(2000) + "0\r\n\r\n"), { body: "x".repeat(2000) }],
  ]);
  refuses([
    ...[
      ";",
      ";;",
      "; ;a",
      ";a;",
      ";a;;b",
      ";a=",
      ";a= ",
      ";a=;b",
      ";a ",
      ";a=b ",
      ";a=b\t",
      ' ;a="b" ',
      ";=b",
      ";a=b=c",
      ";a b",
      ";a=b c",
      ",a",
      "a;b=z ",
      ";a\0",
      ";a=\0",
      ";a\x7f",
      ";\xe9",
      ";a=\xe9",
      ";a=b,c",
      ";a=(b)",
      ';"a"=b',
      ';a="b"c',
      ';a="b" c',
      ';a="b\0"',
      ';a="b\\\0"',
      ';a="\x7f"',
      ";a='b c'",
      ";a\n",
      ";a=b\n",
      ';a="b\n',
      ";\n",
      "\n",
    ].map((extension): Refuse => [JSON.stringify(extension), extended(extension), 400, /malformed chunk extension/]),
    // A quoted-string that a reader who only looks for CRLF would end before its quotation mark.
    ["CRLF in quotes", extended(';a="\r\n"'), 400, /malformed chunk extension/],
    ["an escaped CR in quotes", extended(';a="\\\r\n"'), 400, /malformed chunk extension/],
    ["CR after a name", extended(";a\rb"), 400, /bare CR/],
    ["CR after a value", extended(";a=b\rc"), 400, /bare CR/],
    ["LF, TERM.EXT", chunked("2;\nxx\r\n4c\r\n0\r\n\r\n"), 400, /malformed chunk extension/],
    ["a line one byte too long", chunked(`0;${"a".repeat(4095)}\r\n\r\n`), 400, /too long/],
    ["an endless line", chunked(`1;${"a".repeat(5000)}`), 400, /too long/],
    ["an endless quoted string", chunked(`1;a="${"a".repeat(5000)}`), 400, /too long/],
    ["more than the data is worth", chunked(`1;${"a".repeat(4000)}\r\nx\r\n`.repeat(5)), 400, /too long/],
  ]);
});

describe("RFC 9112 §7.1.2 trailer section", () => {
  const trailed = (...fields: string[]): string => chunked(["3\r\nabc\r\n0", ...fields, "", ""].join("\r\n"));
  accepts([
    ["one field", trailed("X: a"), { body: "abc", trailers: [["X", "a"]] }],
    ["some, as spelled and in order", trailed("x-B:2", "X-a: \t1\t", "x-B:"), {
      trailers: [["x-B", "2"], ["X-a", "1"], ["x-B", ""]],
    }],
    ["obs-text", trailed("X: \x80\xff"), { trailers: [["X", "\x80\xff"]] }],
    ["what a checksum needs", trailed("Content-MD5: a", "Digest: b", "ETag: c", "Server-Timing: d", "Date: e"), {}],
    ["Content-Type, which changes nothing", trailed("Vary: *", "Content-Type: text/plain"), {
      fields: [HOST, ["Transfer-Encoding", "chunked"]],
      trailers: [["Vary", "*"], ["Content-Type", "text/plain"]],
    }],
    ["the head's own fields, still there", trailed("X: a"), { fields: [HOST, ["Transfer-Encoding", "chunked"]] }],
    ["none for the next request", trailed("X: a") + get(), { trailers: [] }],
  ]);
  refuses([
    ...[
      "Transfer-Encoding: chunked",
      "transfer-encoding: gzip",
      "Content-Length: 3",
      "CONTENT-LENGTH: 0",
      "Host: b",
      "Trailer: X",
      "TE: trailers",
      "Connection: close",
      "Keep-Alive: a",
      "Proxy-Connection: a",
      "Upgrade: a",
      "Expect: 100-continue",
      "Max-Forwards: 1",
      "Cache-Control: a",
      "Pragma: a",
      "Range: a",
      "If-Match: a",
      "If-None-Match: a",
      "If-Modified-Since: a",
      "If-Unmodified-Since: a",
      "If-Range: a",
      "Authorization: a",
      "Proxy-Authorization: a",
      "Cookie: a=b",
      "Set-Cookie: a=b",
      "Content-Encoding: gzip",
      "Content-Range: a",
      "Forwarded: for=a",
      "X-Forwarded-For: a",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Protocol: https",
      "X-Forwarded-Ssl: on",
      "X-Forwarded-Host: a",
      "X-Forwarded-Port: 1",
      "X-Real-IP: a",
    ].map((field): Refuse => [field, trailed("X: a", field), 400, /is no trailer field/]),
    ["folding", trailed("X: a", " b"), 400, /folding/],
    ["white space first", trailed(" X: a"), 400, /folding/],
    ["SP before the colon", trailed("X : a"), 400, /white space between/],
    ["no colon", trailed("X"), 400, /field name/],
    ["NUL", trailed("X: \0"), 400, /control/],
    ["a bare CR", trailed("X: a\rb"), 400, /bare CR/],
    ["a bare LF", trailed("X: a\nY: b"), 400, /bare LF/],
    ["a bare LF at the end", chunked("0\r\nX: a\r\n\n"), 400, /bare LF/],
  ]);
  const tight: Limits = { ...LIMITS, fields: 3, fieldSize: 50, head: 100 };
  accepts([
    ["as many as the limit", trailed("X: 1", "X: 2", "X: 3"), { trailers: [["X", "1"], ["X", "2"], ["X", "3"]] }],
    ["as long as the limit", trailed(`X: ${"a".repeat(47)}`), {}],
  ], tight);
  refuses([
    ["one more", trailed("X: 1", "X: 2", "X: 3", "X: 4"), 431, /more fields/],
    ["one byte more", trailed(`X: ${"a".repeat(48)}`), 431, /limit_request_field_size/],
    ["more together", trailed(...Array.from({ length: 3 }, () => `X: ${"a".repeat(40)}`)), 431, /limit_request_head/],
  ], tight);
});

describe("RFC 9112 §9.3 persistence", () => {
  const keeps = (keepAlive: boolean) => (...fields: string[]): Accept => [
    fields.join(" | ") || "HTTP/1.1",
    get(...fields),
    { keepAlive },
  ];
  const keeps10 = (keepAlive: boolean) => (...fields: string[]): Accept => [
    `HTTP/1.0 ${fields.join(" | ")}`,
    request("GET / HTTP/1.0", ...fields),
    { keepAlive },
  ];
  accepts([
    keeps(true)(),
    keeps(true)("Connection: keep-alive"),
    keeps(true)("Connection: x, y"),
    keeps(true)("Connection: closed"),
    keeps(true)("Connection: not-close"),
    keeps(true)("Connection: close\xa0"),
    keeps(true)("Connection:"),
    keeps(true)("Proxy-Connection: close"),
    keeps(false)("Connection: close"),
    keeps(false)("connection:CLOSE"),
    keeps(false)("Connection:\tclose\t,x"),
    keeps(false)("Connection: ,, x ,close"),
    keeps(false)("Connection: keep-alive, close"),
    keeps(false)("Connection: close, keep-alive"),
    keeps(false)("Connection: keep-alive", "Connection: close"),
    keeps(false)("Connection: close", "Connection: keep-alive"),
    keeps10(false)(),
    keeps10(true)("Connection: keep-alive"),
    keeps10(true)("Connection: Keep-Alive"),
    keeps10(true)("Connection: x,KEEP-ALIVE"),
    keeps10(false)("Connection: keep-alive, close"),
    keeps10(false)("Keep-Alive: 300"),
    keeps10(false)("Connection: x"),
  ]);
});

describe("RFC 9112 §9.3.2 pipelining", () => {
  test("requests of all framings follow each other", () => {
    const input = get("A: 1") + post("abc", "Content-Length: 3") + chunked("2\r\nde\r\n0\r\nX: y\r\n\r\n") +
      "\r\n" + request("HEAD /last HTTP/1.1", "Host: b");
    const { requests, refused: refusal } = parseEveryWay(input);
    expect(refusal).toBe(null);
    expect(requests.map(({ method, target, body, trailers }) => [method, target, body, trailers])).toEqual([
      ["GET", "/", "", []],
      ["POST", "/", "abc", []],
      ["POST", "/", "de", [["X", "y"]]],
      ["HEAD", "/last", "", []],
    ]);
  });

  test("a request says nothing of the one before it", () => {
    const input = post("", "Content-Length: 0", "Connection: close", "Expect: 100-continue", "Upgrade: x") +
      request("GET http://b/ HTTP/1.1", "Host: c", "Connection: upgrade", "Upgrade: x") + get();
    expect(accepted(input)).toMatchObject({
      contentLength: -1,
      keepAlive: true,
      expectContinue: false,
      upgrade: null,
      form: "origin",
      authority: null,
      fields: [HOST],
    });
  });

  test("a request before one that is refused is told", () => {
    const { requests, refused: refusal } = parseEveryWay(get() + "GET / HTTP/2.0\r\n");
    expect(requests).toMatchObject([{ method: "GET", trailers: [] }]);
    expect(refusal).toMatchObject({ status: 505 });
  });
});

describe("RFC 9110 §5.3 field order", () => {
  test.each([
    [["X: 1", "X: 2"], false],
    [["Accept: 1", "X: 2"], false],
    [["Accept: 1", "accept: 2"], true],
    [["Cookie: 1", "X: 1", "Cookie: 2"], true],
    [["Via: 1", "Via: 2"], true],
    [["Sec-Fetch-Mode: 1", "sec-fetch-mode: 2"], true],
    [["Sec-Fetch-Site: 1", "Pragma: 2", "Cache-Control: 3"], false],
  ])("%j: known names repeated: %s", (fields, repeated) => {
    const parser = newParser();
    parser.push(bytes(get(...fields)));
    parser.next();
    expect(parser.repeated).toBe(repeated);
  });
});

describe("RFC 9110 §5.4 field limits", () => {
  const tight: Limits = { ...LIMITS, fields: 4, fieldSize: 50, head: 120 };
  accepts([
    ["as many fields as the limit", get("A: 1", "B: 2", "C: 3"), {}],
    ["a field as long as the limit", get(`X: ${"a".repeat(47)}`), {}],
    ["a field as long as the limit with its white space", get(`X: ${"a".repeat(40)}${" ".repeat(7)}`), {}],
    // 16 bytes of request line, 9 of Host, 50 + 2, then 41 + 2.
    ["a head as long as the limit", get(`X: ${"a".repeat(47)}`, `X: ${"a".repeat(38)}`), {}],
    ["a request line that is none of its business", request(`GET /${"a".repeat(90)} HTTP/1.0`), {}],
  ], tight);
  refuses([
    ["one field more", get("A: 1", "B: 2", "C: 3", "D: 4"), 431, /limit_request_fields/],
    [
      "a field one byte longer",
      get(`X: ${"a".repeat(48)}`),
      431,
      /^the field X is longer than limit_request_field_size/,
    ],
    ["white space that makes it longer", get(`X: ${"a".repeat(40)}${" ".repeat(8)}`), 431, /limit_request_field_size/],
    ["a name that is longer", get(`${"x".repeat(51)}: a`), 431, /^a field is longer than limit_request_field_size/],
    ["a name too long to be told", get(`${"x".repeat(41)}: ${"a".repeat(20)}`), 431, /^a field is longer than/],
    ["an endless name", `${LINE}${"x".repeat(51)}`, 431, /limit_request_field_size/],
    ["an endless value", `${LINE}x:${"x".repeat(49)}`, 431, /limit_request_field_size/],
    ["endless white space", `${LINE}x:${" ".repeat(49)}`, 431, /limit_request_field_size/],
    ["a bad byte behind the limit", `${LINE}x:${"x".repeat(60)}\0`, 431, /limit_request_field_size/],
    ["a bad byte in a name behind the limit", `${LINE}${"x".repeat(60)} `, 431, /limit_request_field_size/],
    ["a bad byte before the limit", `${LINE}x:\0${"x".repeat(60)}`, 400, /control/],
    ["a head one byte longer", get(`X: ${"a".repeat(47)}`, `X: ${"a".repeat(39)}`), 431, /limit_request_head/],
    ["a head longer by CRLF", get(`X: ${"a".repeat(47)}`, `X: ${"a".repeat(40)}`), 431, /limit_request_head/],
    ["an endless head", get(`X: ${"a".repeat(47)}`).slice(0, -2) + "a".repeat(44), 431, /limit_request_head/],
    ["a head longer, then a bare CR", get(`X: ${"a".repeat(47)}`).slice(0, -2) + "a:".repeat(30) + "\rx", 431, /head/],
  ], tight);
});

describe("RFC 9110 §6.5.1 forwarded", () => {
  test.each([
    ["Forwarded: for=a", true],
    ["X-Forwarded-For: a", true],
    ["X-Real-IP: a", true],
    ["X-Forwarded-Ssl: on", true],
    ["X-Forwarded: a", false],
    ["Via: a", false],
  ])("%s: %s", (field, expected) => {
    const parser = newParser();
    parser.push(bytes(get(field)));
    parser.next();
    expect(parser.forwarded).toBe(expected);
  });
});

describe("RFC 9110 §7.8 Upgrade", () => {
  accepts([
    ["with Connection", get("Connection: Upgrade", "Upgrade: websocket"), { upgrade: ["websocket"] }],
    ["among others", get("Connection: keep-alive, UPGRADE", "Upgrade: a/1 , b,,c"), { upgrade: ["a/1", "b", "c"] }],
    ["in two lines", get("Upgrade: a", "Connection: x", "Connection: upgrade", "Upgrade: b"), { upgrade: ["a", "b"] }],
    ["not without Connection", get("Upgrade: websocket"), { upgrade: null }],
    ["not with another Connection", get("Connection: keep-alive", "Upgrade: websocket"), { upgrade: null }],
    ["not without Upgrade", get("Connection: upgrade"), { upgrade: null }],
    ["not when it names nothing", get("Connection: upgrade", "Upgrade: ,"), { upgrade: null }],
    ["not in HTTP/1.0", request("GET / HTTP/1.0", "Connection: upgrade", "Upgrade: x"), { upgrade: null }],
  ]);
});

describe("RFC 9110 §8.3 Content-Type", () => {
  refuses([
    ["two", get("Content-Type: a/b", "Content-Type: c/d"), 400, /more than one Content-Type/],
    ["the same twice", get("Content-Type: a/b", "content-type: a/b"), 400, /more than one Content-Type/],
  ]);
  accepts([["one", get("Content-Type: a/b"), {}]]);
});

describe("RFC 9110 §9.3.8 TRACE", () => {
  const trace = (...fields: string[]): string => request("TRACE / HTTP/1.1", "Host: a", ...fields);
  accepts([["no content", trace(), {}], ["Content-Length: 0", trace("Content-Length: 0"), {}]]);
  refuses([
    ["content", trace("Content-Length: 1") + "x", 400, /TRACE/],
    ["chunked content", trace("Transfer-Encoding: chunked") + "0\r\n\r\n", 400, /TRACE/],
  ]);
});

describe("RFC 9110 §10.1.1 Expect", () => {
  accepts([
    ["100-continue", post("x", "Content-Length: 1", "Expect: 100-continue"), { expectContinue: true, body: "x" }],
    ["in any case", get("Expect: 100-CONTINUE"), { expectContinue: true }],
    ["twice", get("Expect: 100-continue", "expect:100-continue"), { expectContinue: true }],
    ["among empty members", get("Expect: ,100-continue, ,"), { expectContinue: true }],
    ["no expectation", get("Expect:"), { expectContinue: false }],
    ["HTTP/1.0, ignored", request("POST / HTTP/1.0", "Expect: 100-continue"), { expectContinue: false }],
  ]);
  refuses([
    ["another", get("Expect: 200-ok"), 417, /expectation/],
    ["another beside it", get("Expect: 100-continue, x"), 417, /expectation/],
    ["another before it", get("Expect: y 100-continue"), 417, /expectation/],
    ["another in a second line", get("Expect: 100-continue", "Expect: x=y"), 417, /expectation/],
    ["one with a parameter", get("Expect: 100-continue;a=b"), 417, /expectation/],
    ["one with NBSP", get("Expect: 100-continue\xa0"), 417, /expectation/],
    ["another in HTTP/1.0", request("POST / HTTP/1.0", "Expect: x"), 417, /expectation/],
  ]);
});

describe("RequestParser", () => {
  test("idle is true between messages only", () => {
    const parser = newParser();
    expect(parser.idle).toBe(true);
    const idle: boolean[] = [];
    for (const byte of bytes("\r\n" + chunked("1\r\nx\r\n0\r\n\r\n"))) {
      parser.push(Uint8Array.of(byte));
      while (parser.next() !== 0);
      idle.push(parser.idle);
    }
    // Also after the empty line.
    expect(idle.map((value, index) => value ? index : -1).filter((index) => index >= 0)).toEqual([1, idle.length - 1]);
  });

  test("takeRest takes what has not been parsed", () => {
    const parser = newParser();
    const input = bytes(get("Connection: upgrade", "Upgrade: x") + "\0rest");
    parser.push(input);
    expect(parser.next()).toBe(1);
    const rest = parser.takeRest();
    input.fill(0);
    expect(rest).toEqual(bytes("\0rest"));
    expect(parser.buffered).toBe(0);
  });

  test("data is a view of what was pushed where that is whole", () => {
    const parser = newParser();
    const input = bytes(post("abc", "Content-Length: 3"));
    parser.push(input);
    parser.next();
    parser.next();
    expect(parser.data.buffer).toBe(input.buffer);
  });

  test("data that has been given out is not written over", () => {
    const parser = newParser();
    for (const byte of bytes(post("", "Content-Length: 300"))) {
      parser.push(Uint8Array.of(byte));
      parser.next();
    }
    parser.push(bytes("a".repeat(100)));
    parser.keep();
    parser.push(bytes("b".repeat(100)));
    parser.next();
    const first = parser.data;
    const text = [...first].map((byte) => String.fromCharCode(byte)).join("");
    expect(text).toBe("a".repeat(100) + "b".repeat(100));
    parser.push(bytes("c".repeat(50)));
    parser.keep();
    parser.push(bytes("d".repeat(50)));
    parser.next();
    expect([...first].map((byte) => String.fromCharCode(byte)).join("")).toBe(text);
  });

  test("fields are the caller's to keep", () => {
    const parser = newParser();
    parser.push(bytes(get("X: 1") + get("Y: 2")));
    parser.next();
    const fields = parser.fields;
    parser.next();
    parser.next();
    expect(fields).toEqual([HOST, ["X", "1"]]);
  });
});
