// The sending half: what an application may say, and that nothing else gets out.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { REASONS, type RefusalStatus } from "../../src/http1/errors.ts";
import { isBodyless, readHead, refusal, type ResponseHead } from "../../src/http1/response.ts";
import { type Field, latin1 } from "./harness.ts";

const DATE = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";

function read(status: string, ...fields: Field[]): ResponseHead {
  const head: ResponseHead = { status: 0, headText: "", declaredLength: 0, wantsClose: true, hasDate: true };
  readHead(status, fields, head);
  return head;
}

describe("RFC 9112 §4 status line", () => {
  test.each([
    ["200 OK", "HTTP/1.1 200 OK\r\n", 200],
    ["200", "HTTP/1.1 200 \r\n", 200],
    ["200 ", "HTTP/1.1 200 \r\n", 200],
    ["299 Something: else\t\xe9", "HTTP/1.1 299 Something: else\t\xe9\r\n", 299],
    ["101 Switching Protocols", "HTTP/1.1 101 Switching Protocols\r\n", 101],
    ["103 Early Hints", "HTTP/1.1 103 Early Hints\r\n", 103],
    ["599 x", "HTTP/1.1 599 x\r\n", 599],
  ])("%j", (status, headText, code) => {
    const expected = { status: code, headText, declaredLength: -1, wantsClose: false, hasDate: false };
    expect(read(status)).toEqual(expected);
    // From the cache.
    expect(read(status)).toEqual(expected);
  });

  test.each([
    "",
    "OK",
    "20",
    "2000 OK",
    "200OK",
    "200\tOK",
    " 200 OK",
    "099 x",
    "100 Continue",
    "102 Processing",
    "199 x",
    "600 x",
    "-200 x",
    "2e2 OK",
    "200 OK\r\n",
    "200 OK\n",
    "200 OK\r",
    "200 O\r\nX: y",
    "200\r\n",
    "200 \0",
    "200 \x7f",
    "200 \u0100",
    "200 \u010a",
    "200 \u2028",
    "HTTP/1.1 200 OK",
    200,
    null,
    undefined,
    ["200 OK"],
    { toString: () => "200 OK" },
  ])("refuses %j", (status) => {
    expect(() => read(status as string)).toThrow(/status must be like "200 OK"/);
  });
});

describe("RFC 9110 §5 fields", () => {
  test.each<[Field, string]>([
    [["X", "a"], "X: a\r\n"],
    [["x-Y", "a\tb \xe9"], "x-Y: a\tb \xe9\r\n"],
    [["X", ""], "X: \r\n"],
    [["!#$%&'*+-.^_`|~09azAZ", "a"], "!#$%&'*+-.^_`|~09azAZ: a\r\n"],
    [["__proto__", "a"], "__proto__: a\r\n"],
    [["constructor", "a"], "constructor: a\r\n"],
    [["Proxy-Authenticate", "Basic"], "Proxy-Authenticate: Basic\r\n"],
  ])("writes %j", (field, text) => {
    for (let i = 0; i < 3; i++) expect(read("200 OK", field).headText).toBe(`HTTP/1.1 200 OK\r\n${text}`);
  });

  test("writes what was last said with a name, not what was said before", () => {
    for (const value of ["a", "b", "", "b", "x".repeat(200), "b", "a"]) {
      expect(read("200 OK", ["X-Last", value]).headText).toBe(`HTTP/1.1 200 OK\r\nX-Last: ${value}\r\n`);
    }
  });

  test("writes a repeated name in its order", () => {
    expect(read("200 OK", ["Set-Cookie", "a"], ["X", "1"], ["Set-Cookie", "b"]).headText)
      .toBe("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX: 1\r\nSet-Cookie: b\r\n");
  });

  test.each(["", " ", "a b", "a:", ":a", "a\r\nb", "a\n", "\na", "a\0", "a\xe9", "a\u0161", "(a)", 1, null, undefined])(
    "refuses the name %j",
    (name) => expect(() => read("200 OK", [name as string, "a"])).toThrow(/no field name/),
  );

  test.each([
    "\r",
    "\n",
    "a\r\nSet-Cookie: b",
    "a\n",
    "\0",
    "\x7f",
    "\x1b",
    "\v",
    "\u010a",
    "\u010d",
    "\u560a",
    "\u2028",
    "\u{1f600}",
    1,
    null,
    undefined,
    ["a"],
    { toString: () => "a" },
  ])("refuses the value %j", (value) => {
    expect(() => read("200 OK", ["X", value as string])).toThrow(/the value of X/);
    // Nor where the name is dropped.
    expect(() => read("200 OK", ["Keep-Alive", value as string])).toThrow(/the value of Keep-Alive/);
  });

  test.each([null, "a", [["X"]], [["X", "a", "b"]], ["Xa"], [null], [{ 0: "X", 1: "a", length: 2 }]])(
    "refuses the fields %j",
    (fields) => expect(() => readHead("200 OK", fields as unknown as Field[], read("200 OK"))).toThrow(TypeError),
  );
});

describe("RFC 9110 §7.6.1 what is the server's to say", () => {
  test.each(["Transfer-Encoding", "KEEP-ALIVE", "Proxy-Connection", "TE", "Trailer", "Connection", "Upgrade"])(
    "%s is dropped",
    (name) => expect(read("200 OK", [name, "x"]).headText).toBe("HTTP/1.1 200 OK\r\n"),
  );

  test.each([
    ["close", true],
    ["CLOSE", true],
    ["a, close", true],
    ["close,a", true],
    ["closed", false],
    ["keep-alive", false],
    ["", false],
  ])("Connection: %s asks to close: %s", (value, expected) => {
    expect(read("200 OK", ["Connection", value]).wantsClose).toBe(expected);
  });

  test("RFC 9110 §7.8: 101 keeps Upgrade, and so does 426, which tells Connection of it", () => {
    expect(read("101 x", ["Upgrade", "y"]).headText).toBe("HTTP/1.1 101 x\r\nUpgrade: y\r\n");
    for (let i = 0; i < 2; i++) {
      expect(read("426 x", ["Upgrade", "y"]).headText).toBe(
        "HTTP/1.1 426 x\r\nUpgrade: y\r\nConnection: Upgrade\r\n",
      );
      expect(read("200 x", ["Upgrade", "y"]).headText).toBe("HTTP/1.1 200 x\r\n");
    }
  });

  test("a Date of the application's stands", () => {
    expect(read("200 OK", ["date", "x"])).toMatchObject({ hasDate: true, headText: "HTTP/1.1 200 OK\r\ndate: x\r\n" });
  });
});

describe("RFC 9110 §8.6 Content-Length", () => {
  test.each([["0", 0], ["5", 5], ["007", 7], ["999999999999999", 999_999_999_999_999]])("%s", (value, length) => {
    expect(read("200 OK", ["content-LENGTH", value])).toMatchObject({
      declaredLength: length,
      headText: "HTTP/1.1 200 OK\r\n",
    });
  });

  test("the same twice is once", () => {
    expect(read("200 OK", ["Content-Length", "5"], ["Content-Length", "5"]).declaredLength).toBe(5);
    expect(() => read("200 OK", ["Content-Length", "5"], ["Content-Length", "6"])).toThrow(/two different/);
  });

  test.each(["", " 5", "5 ", "+5", "-5", "5, 5", "0x5", "5.0", "1e3", "1000000000000000", "a", "\xb2"])(
    "refuses %j",
    (value) => expect(() => read("200 OK", ["Content-Length", value])).toThrow(/malformed Content-Length/),
  );
});

test("RFC 9110 §6.4.1 statuses without content", () => {
  const without = Array.from({ length: 600 }, (_, status) => status).filter(isBodyless);
  expect(without).toEqual([...Array.from({ length: 200 }, (_, status) => status), 204, 205, 304]);
});

describe("refusal", () => {
  test("tells status and reason, then closes", () => {
    expect(refusal(400, "malformed host (RFC 9110 §7.2)", DATE)).toBe(
      `HTTP/1.1 400 Bad Request\r\n${DATE}Content-Type: text/plain\r\nContent-Length: 55\r\nConnection: close\r\n\r\n` +
        "400 Bad Request: malformed host (RFC 9110 section 7.2)\n",
    );
  });

  test.each(Object.keys(REASONS).map(Number) as RefusalStatus[])("%s is whole", (status) => {
    const [head, body] = refusal(status, "a\r\nb\0\xe9\u{1f600}", "").split("\r\n\r\n");
    expect(head).toContain(`HTTP/1.1 ${status} ${REASONS[status]}\r\n`);
    expect(head).toContain(`\r\nContent-Length: ${body!.length}\r\nConnection: close`);
    expect(body).toMatch(/^[\x20-\x7e]+\n$/);
  });

  test("RFC 9110 §15.5.6: 405 says what is allowed", () => {
    expect(refusal(405, "x", "")).toMatch(/\r\nAllow: [A-Z, ]+\r\n/);
  });
});

describe("whatever strings go in", () => {
  const HEAD =
    /^HTTP\/1\.1 [1-5]\d\d [\t\x20-\x7e\x80-\xff]*\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)*$/;
  const nasty = fc.string({
    unit: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(..."aZ09-_: ,;=\t") },
      { weight: 1, arbitrary: fc.constantFrom("\r", "\n", "\r\n", "\0", "\x7f", "\x85", "\xa0", "\u010a", "\u2028") },
      { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }) },
    ),
    maxLength: 12,
  });
  const clean = fc.string({ unit: fc.constantFrom(..."abcXYZ-"), minLength: 1, maxLength: 6 });
  const name = fc.oneof(
    clean,
    nasty,
    fc.constantFrom("Content-Length", "Connection", "Upgrade", "Date", "Transfer-Encoding", "X"),
  );
  const status = fc.oneof(
    fc.constantFrom("200 OK", "204 No Content", "426 Upgrade Required", "101 x", "100 x"),
    nasty,
    nasty.map((text) => `200 ${text}`),
  );

  test("a head is a head, or nothing", () => {
    let heads = 0;
    fc.assert(
      fc.property(status, fc.array(fc.tuple(name, fc.oneof(clean, nasty, fc.constant("3"))), { maxLength: 4 }), (
        line,
        fields,
      ) => {
        let head: ResponseHead;
        try {
          head = read(line, ...fields);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        heads++;
        expect(head.headText).toMatch(HEAD);
        expect(head.headText).not.toMatch(/^(?:transfer-encoding|content-length):/im);
      }),
      { numRuns: 3000 },
    );
    expect(heads).toBeGreaterThan(100);
  });

  test("a refusal is one answer", () => {
    fc.assert(
      fc.property(nasty, (reason) => {
        const text = refusal(400, reason, DATE);
        expect(text.split("\r\n\r\n")).toHaveLength(2);
        expect(text).toMatch(/^[\r\n\x20-\x7e]*$/);
        const sent = Uint8Array.from(text, (character) => character.charCodeAt(0));
        expect(latin1(sent)).toBe(text);
      }),
    );
  });
});
