// HTTP/1.1 by the RFCs' sections: which bytes are served, which are refused, and with what.

import { createHash } from "node:crypto";
import { expect } from "vitest";
import {
  chunked,
  type Echo,
  get,
  post,
  refused,
  served,
  testTranscripts,
  type Transcript,
} from "../support/transcripts.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

const SECTIONS: Readonly<Record<string, readonly Transcript[]>> = {
  "RFC 9112 §2.2: message parsing": [
    served("an empty line before the request line is ignored", `\r\n${get("/")}`, { target: "/" }),
    served("so are two", `\r\n\r\n${get("/")}`, { target: "/" }),
    {
      name: "an empty line after a body is ignored, as old clients send one",
      send: `${post("abc", "Content-Length: 3")}\r\n${get("/next")}`,
      statuses: [200, 200],
      then: "open",
      echo: { target: "/next" },
    },
    refused("bare LF before the request line", 400, `\n${get("/")}`),
    refused("bare LF at the end of the request line", 400, "GET / HTTP/1.1\nHost: test\r\n\r\n"),
    refused("bare LF at the end of a field", 400, "GET / HTTP/1.1\r\nHost: test\n\r\n"),
    refused("bare LF for the empty line", 400, "GET / HTTP/1.1\r\nHost: test\r\nA: b\r\n\n"),
    refused("bare LF everywhere is refused at once", 400, "GET / HTTP/1.1\nHost: test\n\n"),
    refused("bare CR in the request line", 400, "GET / HTTP/1.1\rHost: test\r\n\r\n"),
    refused("bare CR in a field value", 400, "GET / HTTP/1.1\r\nHost: test\r\nA: b\rc\r\n\r\n"),
    refused("bare CR for the empty line", 400, "GET / HTTP/1.1\r\nHost: test\r\n\rX"),
    refused("white space between the request line and the fields", 400, "GET / HTTP/1.1\r\n Host: test\r\n\r\n"),
    refused("bytes of TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    refused("the preface of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  ],
  "RFC 9112 §2.3: version": [
    refused("HTTP/2.0", 505, "GET / HTTP/2.0\r\nHost: test\r\n\r\n"),
    refused("HTTP/0.9", 505, "GET / HTTP/0.9\r\nHost: test\r\n\r\n"),
    refused("no version, as in HTTP/0.9", 400, "GET /\r\n\r\n"),
    refused("HTTP/11", 400, "GET / HTTP/11\r\nHost: test\r\n\r\n"),
    refused("HTTP/1.10", 400, "GET / HTTP/1.10\r\nHost: test\r\n\r\n"),
    refused("http in lower case", 400, "GET / http/1.1\r\nHost: test\r\n\r\n"),
    refused("another protocol", 400, "GET / ICY/1.1\r\nHost: test\r\n\r\n"),
    served("HTTP/1.2 is spoken to as HTTP/1.1 (RFC 9110 §2.5)", "GET / HTTP/1.2\r\nHost: test\r\n\r\n", {
      protocol: "HTTP/1.1",
    }),
  ],
  "RFC 9112 §3: request line": [
    served("a method of any name goes to the application", "BREW /pot HTTP/1.1\r\nHost: test\r\n\r\n", {
      method: "BREW",
    }),
    served("methods are case-sensitive (RFC 9110 §9.1)", "get / HTTP/1.1\r\nHost: test\r\n\r\n", { method: "get" }),
    served("a method is a token", "M!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: test\r\n\r\n", {
      method: "M!#$%&'*+-.^_`|~9",
    }),
    refused("a method that is no token", 400, "G@T / HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("no method", 400, " / HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("a very long method", 501, `${"A".repeat(100)} / HTTP/1.1\r\nHost: test\r\n\r\n`),
    refused("two spaces before the target", 400, "GET  / HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("two spaces before the version", 400, "GET /  HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("a tab", 400, "GET\t/ HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("a space at the end", 400, "GET / HTTP/1.1 \r\nHost: test\r\n\r\n"),
    refused("a space in the target", 400, "GET /a b HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("NUL in the target", 400, "GET /a\0b HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("eight bits in the target", 400, "GET /gr\xfc HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("DEL in the target", 400, "GET /a\x7f HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("a fragment in the target", 400, "GET /a#b HTTP/1.1\r\nHost: test\r\n\r\n"),
  ],
  "RFC 9112 §3.2: the four forms of a target": [
    served("origin-form", get("/a/b?c=d&e"), { target: "/a/b?c=d&e", path: "/a/b", query: "c=d&e" }),
    served("only the first ? separates", get("/a?b?c"), { path: "/a", query: "b?c" }),
    served("an empty query", get("/a?"), { target: "/a?", path: "/a", query: "" }),
    served("// is a path, not a host", get("//other/a"), { path: "//other/a" }),
    served("escapes are decoded as UTF-8, the target is not", get("/gr%C3%BC%c3%9Fe?%20"), {
      target: "/gr%C3%BC%c3%9Fe?%20",
      path: "/grüße",
      query: "%20",
    }),
    served("escapes that are not UTF-8 stay", get("/a%FFb%C3%BC"), { path: "/a%FFbü" }),
    served("escapes that are none stay", get("/100%/%zz"), { path: "/100%/%zz" }),
    served("dot segments are not resolved", get("/a/../b/./c"), { path: "/a/../b/./c" }),
    served("characters that browsers leave as they are", get('/"<>\\^`{|}'), { path: '/"<>\\^`{|}' }),
    served("absolute-form", "GET http://test/a?b HTTP/1.1\r\nHost: test\r\n\r\n", {
      target: "http://test/a?b",
      path: "/a",
      query: "b",
    }),
    served("absolute-form without path", "GET http://test HTTP/1.1\r\nHost: test\r\n\r\n", { path: "/", query: "" }),
    served("absolute-form without path, with query", "GET http://test?q HTTP/1.1\r\nHost: test\r\n\r\n", {
      path: "/",
      query: "q",
    }),
    served("absolute-form, scheme in upper case", "GET HTTPS://test/a HTTP/1.1\r\nHost: test\r\n\r\n", { path: "/a" }),
    served("absolute-form with port and IPv6", "GET http://[::1]:80/a HTTP/1.1\r\nHost: test\r\n\r\n", { path: "/a" }),
    {
      name: "absolute-form takes precedence over Host (§3.2.2)",
      send: "GET http://right:81/environ HTTP/1.1\r\nHost: wrong\r\n\r\n",
      statuses: [200],
      then: "open",
      check: ([response]) => {
        const environ = JSON.parse(response!.text) as Record<string, string>;
        expect(environ.HTTP_HOST).toBe("right:81");
        expect(environ.PATH_INFO).toBe("/environ");
      },
    },
    refused("absolute-form without host", 400, "GET http:///a HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("absolute-form with user information", 400, "GET http://u:p@test/ HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("absolute-form with a bad port", 400, "GET http://test:x/ HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("absolute-form of another scheme", 400, "GET ftp://test/ HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("absolute-form, and a malformed Host", 400, "GET http://test/ HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    refused("absolute-form without Host", 400, "GET http://test/ HTTP/1.1\r\n\r\n"),
    served("asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", { target: "*", path: "", query: "" }),
    served("OPTIONS with a path", "OPTIONS /a HTTP/1.1\r\nHost: test\r\n\r\n", { target: "/a", path: "/a" }),
    served(
      "OPTIONS of a whole server in absolute-form (§3.2.4)",
      "OPTIONS http://test HTTP/1.1\r\nHost: test\r\n\r\n",
      {
        path: "",
      },
    ),
    refused("asterisk-form of another method", 400, "GET * HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("asterisk-form with more", 400, "OPTIONS *a HTTP/1.1\r\nHost: test\r\n\r\n"),
    {
      ...refused("authority-form: this is no proxy", 405, "CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n"),
      check: ([response]) => {
        expect(response!.field("Connection")).toBe("close");
        // RFC 9110 §15.5.6.
        expect(response!.field("Allow")).toContain("GET");
        expect(response!.field("Allow")).not.toContain("CONNECT");
      },
    },
    refused("CONNECT without port", 400, "CONNECT test HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("CONNECT in origin-form", 400, "CONNECT / HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("authority-form of another method", 400, "GET test:80 HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("a relative path", 400, "GET a/b HTTP/1.1\r\nHost: test\r\n\r\n"),
    refused("a query alone", 400, "GET ?a HTTP/1.1\r\nHost: test\r\n\r\n"),
  ],
  "RFC 9112 §3.2, RFC 9110 §7.2: Host": [
    served("a name", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"),
    served("a name with port", "GET / HTTP/1.1\r\nHost: example.com:8000\r\n\r\n"),
    served("a port may be empty (RFC 3986 §3.2.3)", "GET / HTTP/1.1\r\nHost: example.com:\r\n\r\n"),
    served("IPv4", "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"),
    served("IPv6", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"),
    served("an escape", "GET / HTTP/1.1\r\nHost: a%20b\r\n\r\n"),
    served("an underscore", "GET / HTTP/1.1\r\nHost: my_service:80\r\n\r\n"),
    refused("empty, which no http URI's can be (RFC 9110 §4.2.1)", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    served("empty, for a target without authority", "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", { headers: [["Host", ""]] }),
    served("white space around", "GET / HTTP/1.1\r\nHost: \t test \t\r\n\r\n", { headers: [["Host", "test"]] }),
    served("its name in any case", "GET / HTTP/1.1\r\nhOsT: test\r\n\r\n", { headers: [["hOsT", "test"]] }),
    refused("none", 400, "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n"),
    refused("no field at all", 400, "GET / HTTP/1.1\r\n\r\n"),
    refused("two", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    refused("two that agree", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    refused("two in different case", 400, "GET / HTTP/1.1\r\nHost: a\r\nHOST: a\r\n\r\n"),
    refused("a list", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    refused("a path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    refused("a space", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    refused("user information", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    refused("a scheme", 400, "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"),
    refused("a query", 400, "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"),
    refused("a port that is no number", 400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    refused("a port that is too large", 400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
    refused("a port alone", 400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
    refused("two ports", 400, "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),
    refused("IPv6 without brackets", 400, "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"),
    refused("brackets around no address", 400, "GET / HTTP/1.1\r\nHost: [a]\r\n\r\n"),
    refused("brackets that stay open", 400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    refused("eight bits", 400, "GET / HTTP/1.1\r\nHost: gr\xfc.example\r\n\r\n"),
    {
      ...refused("malformed in HTTP/1.0", 400, "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n"),
    },
  ],
  "RFC 9112 §5: fields": [
    served("as received, in order", get("/", "b:1", "A:  2\t ", "b: 3"), {
      headers: [["Host", "test"], ["b", "1"], ["A", "2"], ["b", "3"]],
    }),
    served("an empty value", get("/", "A:", "B: \t"), { headers: [["Host", "test"], ["A", ""], ["B", ""]] }),
    served("white space and colons within a value stay", get("/", "A: b: \t c"), {
      headers: [["Host", "test"], ["A", "b: \t c"]],
    }),
    served("eight bits in a value are latin-1 (RFC 9110 §5.5)", get("/", "A: gr\xfc\x80"), {
      headers: [["Host", "test"], ["A", "grü\u0080"]],
    }),
    served("a name of every token character", get("/", "!#$%&'*+-.^_`|~9aZ: x"), {
      headers: [["Host", "test"], ["!#$%&'*+-.^_`|~9aZ", "x"]],
    }),
    refused("a space before the colon (§5.1)", 400, get("/", "A : b")),
    refused("a tab before the colon", 400, get("/", "A\t: b")),
    refused("a space before the colon of Host", 400, "GET / HTTP/1.1\r\nHost : test\r\n\r\n"),
    refused("no colon", 400, get("/", "A")),
    refused("no name", 400, get("/", ": b")),
    refused("a name that is no token", 400, get("/", "A(b): c")),
    refused("eight bits in a name", 400, get("/", "\xc4: c")),
    refused("NUL in a name", 400, get("/", "A\0: c")),
    refused("NUL in a value", 400, get("/", "A: b\0c")),
    refused("a control character in a value", 400, get("/", "A: b\x01c")),
    refused("an escape character in a value", 400, get("/", "A: \x1b[31m")),
    refused("a vertical tab in a value", 400, get("/", "A: b\vc")),
    refused("DEL in a value", 400, get("/", "A: b\x7f")),
    refused("obsolete line folding (§5.2)", 400, get("/", "A: b", " c")),
    refused("folding with a tab", 400, get("/", "A: b", "\tc")),
    refused("folding of the first field", 400, "GET / HTTP/1.1\r\n A: b\r\nHost: test\r\n\r\n"),
    refused("two Content-Type fields (RFC 9110 §8.3)", 400, get("/", "Content-Type: a/b", "Content-Type: c/d")),
    {
      name: "the environ joins what is repeated, Cookie with a semicolon, and has no key for a name with _",
      send: get("/environ", "X-A: 1", "x-a: 2", "Cookie: a=1", "Cookie: b=2", "Accept: x", "X_A: evil", "X_B: evil"),
      statuses: [200],
      then: "open",
      check: ([response]) => {
        const environ = JSON.parse(response!.text) as Record<string, string>;
        expect(environ.HTTP_X_A).toBe("1, 2");
        expect(environ.HTTP_COOKIE).toBe("a=1; b=2");
        expect(environ.HTTP_ACCEPT).toBe("x");
        expect(environ).not.toHaveProperty("HTTP_X_B");
      },
    },
    {
      name: "a field cannot pose as an object's own machinery",
      send: get("/environ", "__proto__: x", "constructor: y", "Content-Length: 0", "Content-Type: a/b"),
      statuses: [200],
      then: "open",
      check: ([response]) => {
        const environ = JSON.parse(response!.text) as Record<string, string>;
        expect(environ.HTTP_CONSTRUCTOR).toBe("y");
        expect(environ.CONTENT_TYPE).toBe("a/b");
        expect(environ.CONTENT_LENGTH).toBe("0");
        expect(environ).not.toHaveProperty("HTTP_CONTENT_TYPE");
        expect(environ).not.toHaveProperty("HTTP_CONTENT_LENGTH");
      },
    },
  ],
  "RFC 9112 §6.1: Transfer-Encoding": [
    served("chunked in any case", post("0\r\n\r\n", "Transfer-Encoding: CHUNKED"), { bodyLength: 0 }),
    served("white space around", post("0\r\n\r\n", "Transfer-Encoding: \t chunked \t"), { bodyLength: 0 }),
    refused("with Content-Length (§6.3)", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 5")),
    refused("with Content-Length before it", 400, post("0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked")),
    refused("with Content-Length: 0", 400, post("0\r\n\r\n", "Content-Length: 0", "Transfer-Encoding: chunked")),
    refused("an unknown one", 501, post("", "Transfer-Encoding: rot13")),
    refused("gzip", 501, post("", "Transfer-Encoding: gzip")),
    refused("gzip before chunked", 501, post("0\r\n\r\n", "Transfer-Encoding: gzip, chunked")),
    refused("identity, which RFC 9112 no longer has", 501, post("", "Transfer-Encoding: identity")),
    refused("chunked, then another", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked, gzip")),
    refused("chunked, then identity", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked, identity")),
    refused("chunked twice", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked, chunked")),
    refused("two fields", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")),
    refused(
      "two fields, the second another",
      400,
      post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: x"),
    ),
    refused("empty", 400, post("0\r\n\r\n", "Transfer-Encoding:")),
    refused("an empty member", 400, post("0\r\n\r\n", "Transfer-Encoding: , chunked")),
    refused("an empty member at the end", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked,")),
    refused("a parameter", 400, post("0\r\n\r\n", "Transfer-Encoding: chunked;a=b")),
    refused("quoted", 400, post("0\r\n\r\n", 'Transfer-Encoding: "chunked"')),
    refused("a vertical tab before it", 400, post("0\r\n\r\n", "Transfer-Encoding: \vchunked")),
    refused("one that only ends like it", 501, post("0\r\n\r\n", "Transfer-Encoding: xchunked")),
    refused("in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  ],
  "RFC 9112 §6.2: Content-Length": [
    served("a body", post("hello", "Content-Length: 5"), { bodyLength: 5, bodySha256: sha256("hello") }),
    served("zero", post("", "Content-Length: 0"), { bodyLength: 0, bodySha256: sha256("") }),
    served("leading zeros", post("hello", "Content-Length: 0005"), { bodyLength: 5 }),
    served("a body of GET", `${get("/", "Content-Length: 3").slice(0, -2)}\r\nabc`, { method: "GET", bodyLength: 3 }),
    served("no framing field is no body (§6.3)", "POST / HTTP/1.1\r\nHost: test\r\n\r\n", { bodyLength: 0 }),
    {
      name: "a body ends where it says, and a request begins",
      send: `${post(get("/in-body"), `Content-Length: ${get("/in-body").length}`)}${get("/next")}`,
      statuses: [200, 200],
      then: "open",
      echo: { target: "/next" },
    },
    refused("two", 400, post("hello", "Content-Length: 5", "Content-Length: 6")),
    refused("two that agree", 400, post("hello", "Content-Length: 5", "Content-Length: 5")),
    refused("a list", 400, post("hello", "Content-Length: 5, 5")),
    refused("a sign", 400, post("hello", "Content-Length: +5")),
    refused("negative", 400, post("hello", "Content-Length: -5")),
    refused("empty", 400, post("hello", "Content-Length:")),
    refused("hexadecimal", 400, post("hello", "Content-Length: 0x5")),
    refused("a fraction", 400, post("hello", "Content-Length: 5.0")),
    refused("an exponent", 400, post("hello", "Content-Length: 5e0")),
    refused("letters behind", 400, post("hello", "Content-Length: 5x")),
    refused("white space within", 400, post("hello", "Content-Length: 5 5")),
    refused("an underscore", 400, post("hello", "Content-Length: 1_0")),
    refused("digits of another script", 400, post("hello", "Content-Length: \xb2")),
    refused("larger than any number", 400, post("", `Content-Length: 1${"0".repeat(23)}`)),
  ],
  "RFC 9112 §7.1: chunked": [
    served("a chunk", chunked("5\r\nhello\r\n0\r\n\r\n"), { bodyLength: 5, bodySha256: sha256("hello") }),
    served("chunks", chunked("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), { bodyLength: 5, bodySha256: sha256("hello") }),
    served("no chunk", chunked("0\r\n\r\n"), { bodyLength: 0 }),
    served("hexadecimal in any case", chunked(`1A\r\n${"x".repeat(26)}\r\n1a\r\n${"x".repeat(26)}\r\n0\r\n\r\n`), {
      bodyLength: 52,
    }),
    served("leading zeros", chunked("0005\r\nhello\r\n000\r\n\r\n"), { bodyLength: 5 }),
    served("CR LF in the data", chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"), {
      bodyLength: 4,
      bodySha256: sha256("\r\n\r\n"),
    }),
    served(
      "extensions are ignored (§7.1.1)",
      chunked('5;a;b=c;d="e;\\"f"\r\nhello\r\n0;z\r\n\r\n'),
      {
        bodyLength: 5,
      },
    ),
    served("white space around extensions", chunked("5 ; a = b\t;c\r\nhello\r\n0\r\n\r\n"), { bodyLength: 5 }),
    served("trailers (§7.1.2)", chunked("2\r\nhi\r\n0\r\nX-Sum: 1\r\nx-other:\t2 \r\n\r\n"), {
      bodyLength: 2,
      trailers: [["X-Sum", "1"], ["x-other", "2"]],
    }),
    {
      name: "a request follows a chunked one",
      send: `${chunked("2\r\nhi\r\n0\r\nA: b\r\n\r\n")}${get("/next")}`,
      statuses: [200, 200],
      then: "open",
      echo: { target: "/next", bodyLength: 0, trailers: [] },
    },
    refused("a size that is no number", 400, chunked("x\r\n")),
    refused("no size", 400, chunked("\r\nhello\r\n0\r\n\r\n")),
    refused("0x before the size", 400, chunked("0x5\r\nhello\r\n0\r\n\r\n")),
    refused("a sign", 400, chunked("+5\r\nhello\r\n0\r\n\r\n")),
    refused("negative", 400, chunked("-5\r\nhello\r\n0\r\n\r\n")),
    refused("white space before the size", 400, chunked(" 5\r\nhello\r\n0\r\n\r\n")),
    refused("white space after the size", 400, chunked("5 \r\nhello\r\n0\r\n\r\n")),
    refused("an underscore", 400, chunked("1_0\r\n")),
    refused("a size larger than any", 400, chunked("fffffffffffffffff\r\n")),
    served("many leading zeros", chunked(`${"0".repeat(200)}5\r\nhello\r\n0\r\n\r\n`), { bodyLength: 5 }),
    refused("bare LF after the size", 400, chunked("5\nhello\r\n0\r\n\r\n")),
    refused("bare CR after the size", 400, chunked("5\rhello\r\n0\r\n\r\n")),
    refused("data longer than its size", 400, chunked("5\r\nhello!\r\n0\r\n\r\n")),
    refused("bare LF after the data", 400, chunked("5\r\nhello\n0\r\n\r\n")),
    refused("bare CR after the data", 400, chunked("5\r\nhello\r0\r\n\r\n")),
    refused("an extension without a name", 400, chunked("5;\r\nhello\r\n0\r\n\r\n")),
    refused("an extension that is no token", 400, chunked("5;a(b\r\nhello\r\n0\r\n\r\n")),
    refused("an extension without its value", 400, chunked("5;a=\r\nhello\r\n0\r\n\r\n")),
    refused("bare LF in an extension", 400, chunked("5;a\nb\r\nhello\r\n0\r\n\r\n")),
    refused("bare CR in an extension", 400, chunked("5;a\rb\r\nhello\r\n0\r\n\r\n")),
    refused("bare LF in a quoted extension", 400, chunked('5;a="\n"\r\nhello\r\n0\r\n\r\n')),
    refused("NUL in a quoted extension", 400, chunked('5;a="\0"\r\nhello\r\n0\r\n\r\n')),
    refused("extensions that are too long", 400, chunked(`5;${"a".repeat(5000)}\r\nhello\r\n0\r\n\r\n`)),
    refused("bare LF after the last chunk", 400, chunked("5\r\nhello\r\n0\n\n")),
    refused("bare LF in the trailers", 400, chunked("0\r\nA: b\n\r\n")),
    refused("a folded trailer", 400, chunked("0\r\nA: b\r\n c\r\n\r\n")),
    refused("a malformed trailer", 400, chunked("0\r\nA b\r\n\r\n")),
    ...["Host: a", "Content-Length: 5", "Transfer-Encoding: chunked", "Trailer: a", "TE: a", "Connection: close"]
      .concat(["Authorization: a", "Content-Encoding: gzip", "Cookie: a=b", "X-Forwarded-For: a"])
      .map((field) => refused(`${field} is no trailer (RFC 9110 §6.5.1)`, 400, chunked(`0\r\n${field}\r\n\r\n`))),
  ],
  "RFC 9110 §10.1.1: Expect": [
    {
      name: "100 Continue is not sent when the body has come already",
      send: post("hello", "Content-Length: 5", "Expect: 100-continue"),
      statuses: [200],
      then: "open",
      echo: { bodyLength: 5 },
      wholeOnly: true,
    },
    served("without a body it means nothing", get("/", "Expect: 100-continue")),
    refused("another expectation", 417, post("hello", "Content-Length: 5", "Expect: the-unexpected")),
    refused("100-continue and another", 417, post("hello", "Content-Length: 5", "Expect: 100-continue, more")),
    served("an empty list of expectations expects nothing", post("hello", "Content-Length: 5", "Expect:"), {
      bodyLength: 5,
    }),
    {
      name: "an upgrade is preceded by 100 Continue, content or not (RFC 9110 §7.8)",
      send: get("/upgrade-throws", "Connection: Upgrade", "Upgrade: echo", "Expect: 100-continue"),
      statuses: [100, 101],
      then: "closed",
    },
    {
      name: "also when the content has come already",
      send: get(
        "/upgrade-throws",
        "Connection: Upgrade",
        "Upgrade: echo",
        "Expect: 100-continue",
        "Content-Length: 5",
      ) + "hello",
      statuses: [100, 101],
      then: "closed",
      wholeOnly: true,
    },
    {
      name: "HTTP/1.0 has none",
      send: "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
      statuses: [200],
      then: "closed",
    },
  ],
  "RFC 9112 §9.3: persistence": [
    {
      name: "Connection: close",
      send: get("/", "Connection: close"),
      statuses: [200],
      then: "closed",
      check: ([response]) => expect(response!.field("Connection")).toBe("close"),
    },
    {
      name: "Connection: close among others, in any case",
      send: get("/", "Connection: foo , CLOSE"),
      statuses: [200],
      then: "closed",
    },
    {
      name: "close in a second field",
      send: get("/", "Connection: keep-alive", "Connection: close"),
      statuses: [200],
      then: "closed",
    },
    {
      name: "nothing after Connection: close is answered",
      send: `${get("/", "Connection: close")}${get("/next")}`,
      statuses: [200],
      then: "closed",
    },
    served("keep-alive is the default", get("/", "Connection: keep-alive")),
    {
      name: "HTTP/1.0 closes",
      send: "GET / HTTP/1.0\r\n\r\n",
      statuses: [200],
      then: "closed",
      echo: { protocol: "HTTP/1.0", headers: [] },
      check: ([response]) => expect(response!.field("Connection")).toBe("close"),
    },
    {
      name: "HTTP/1.0 keeps alive when it is asked to, and says so",
      send: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
      statuses: [200],
      then: "open",
      echo: { protocol: "HTTP/1.0" },
      check: ([response]) => expect(response!.field("Connection")).toBe("keep-alive"),
    },
    {
      name: "HTTP/1.0 with a body",
      send: "POST / HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
      statuses: [200],
      then: "open",
      echo: { bodyLength: 5 },
    },
    {
      name: "HTTP/1.0 gets a stream up to the end of the connection, whatever it asked for",
      send: "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      statuses: [200],
      then: "closed",
      check: ([response]) => {
        expect(response!.framing).toBe("close");
        expect(response!.field("Connection")).toBe("close");
        expect(response!.text).toBe("chunk0\nchunk1\nchunk2\nchunk3\nchunk4\n");
      },
    },
  ],
  "RFC 9112 §9.3.2: pipelining": [
    {
      name: "answers come in the order of the requests",
      send: Array.from({ length: 20 }, (_, n) => get(`/${n}`)).join(""),
      statuses: new Array<number>(20).fill(200),
      then: "open",
      check: (responses) =>
        responses.forEach((response, n) => expect((JSON.parse(response.text) as Echo).target).toBe(`/${n}`)),
    },
    {
      name: "a slow one holds those behind it up",
      send: `${get("/slow")}${get("/stream")}${get("/status/204")}${get("/quick")}`,
      statuses: [200, 200, 204, 200],
      then: "open",
      echo: { target: "/quick" },
    },
    {
      name: "with bodies between",
      send: `${post("one", "Content-Length: 3")}${chunked("3\r\ntwo\r\n0\r\n\r\n")}${
        post("three", "Content-Length: 5")
      }`,
      statuses: [200, 200, 200],
      then: "open",
      echo: { bodyLength: 5 },
    },
    {
      name: "a body that nobody reads is skipped",
      send: `POST /unread HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello${get("/next")}`,
      statuses: [200, 200],
      then: "open",
      echo: { target: "/next" },
    },
    {
      name: "a chunked body that nobody reads is skipped, trailers and all",
      send:
        `POST /unread-later HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n${
          get("/next")
        }`,
      statuses: [200, 200],
      then: "open",
      echo: { target: "/next" },
    },
    {
      name: "what is good before a bad request is answered",
      send: `${get("/1")}${get("/slow2")}BAD\r\n\r\n`,
      statuses: [200, 200, 400],
      then: "closed",
    },
    {
      name: "nothing after a bad request is answered",
      send: `BAD\r\n\r\n${get("/next")}`,
      statuses: [400],
      then: "closed",
    },
  ],
  "RFC 9110 §9.3.2: HEAD": [
    {
      name: "the fields of GET without its content",
      send: "HEAD /hello HTTP/1.1\r\nHost: test\r\n\r\n",
      statuses: [200],
      head: true,
      then: "open",
      check: ([response]) => expect(response!.field("Content-Length")).toBe("5"),
    },
    {
      name: "of a stream",
      send: "HEAD /stream HTTP/1.1\r\nHost: test\r\n\r\n",
      statuses: [200],
      head: true,
      then: "open",
      check: ([response]) => expect(response!.field("Content-Length")).toBeNull(),
    },
    {
      name: "of something big",
      send: "HEAD /big HTTP/1.1\r\nHost: test\r\n\r\n",
      statuses: [200],
      head: true,
      then: "open",
      check: ([response]) => expect(response!.field("Content-Length")).toBe("52428800"),
    },
    {
      name: "with a body of its own",
      send: "HEAD / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
      statuses: [200],
      head: true,
      then: "open",
    },
    {
      name: "of an application that throws",
      send: "HEAD /throws HTTP/1.1\r\nHost: test\r\n\r\n",
      statuses: [500],
      head: true,
      then: "open",
    },
    {
      name: "HTTP/1.0, kept alive, of a stream",
      send: "HEAD /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      statuses: [200],
      head: true,
      then: "open",
    },
  ],
  "RFC 9110 §15: statuses without content": [
    { name: "204", send: get("/status/204"), statuses: [204], then: "open" },
    { name: "204 with a body", send: get("/status/204-body"), statuses: [204], then: "open" },
    { name: "204 with a stream and a length", send: get("/status/204-stream"), statuses: [204], then: "open" },
    {
      name: "205",
      send: get("/status/205"),
      statuses: [205],
      then: "open",
      check: ([response]) => expect(response!.text).toBe(""),
    },
    {
      name: "304",
      send: get("/status/304"),
      statuses: [304],
      then: "open",
      check: ([response]) => expect(response!.field("ETag")).toBe('"1"'),
    },
    {
      name: "304 may tell the length of what it stands for (RFC 9110 §8.6)",
      send: get("/status/304-length"),
      statuses: [304],
      then: "open",
      check: ([response]) => expect(response!.field("Content-Length")).toBe("1234"),
    },
    { name: "304 with a body", send: get("/status/304-body"), statuses: [304], then: "open" },
    { name: "HEAD of 204", send: "HEAD /status/204 HTTP/1.1\r\nHost: test\r\n\r\n", statuses: [204], then: "open" },
  ],
  "RFC 9110 §15.2, RFC 8297: interim responses": [
    {
      name: "103 Early Hints",
      send: get("/hints"),
      statuses: [103, 103, 200],
      then: "open",
      check: ([first, second, last]) => {
        expect(first!.reason).toBe("Early Hints");
        expect(first!.fields).toEqual([["Link", "</style.css>; rel=preload; as=style"]]);
        expect(second!.fields).toEqual([["Link", "</script.js>; rel=preload; as=script"]]);
        expect(last!.text).toBe("hinted");
      },
    },
    { name: "not in HTTP/1.0", send: "GET /hints HTTP/1.0\r\n\r\n", statuses: [200], then: "closed" },
    { name: "malformed ones are the application's fault", send: get("/hints-bad"), statuses: [500], then: "open" },
  ],
};

testTranscripts("HTTP/1.1", SECTIONS);
