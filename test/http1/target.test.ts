// Targets and authorities beyond what parser.test.ts sees of them: what they are taken apart into.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RemoteProtocolError } from "../../src/http1/errors.ts";
import { checkAuthority, isIPv6, parseTarget } from "../../src/http1/target.ts";

describe("RFC 9112 §3.2 parseTarget", () => {
  test.each([
    ["GET", "/", "origin", "/", "", null],
    ["GET", "/a?b", "origin", "/a", "b", null],
    ["GET", "/a?", "origin", "/a", "", null],
    ["GET", "/a?b?c", "origin", "/a", "b?c", null],
    ["GET", "//a", "origin", "//a", "", null],
    ["OPTIONS", "*", "asterisk", "", "", null],
    ["CONNECT", "a:1", "authority", "", "", "a:1"],
    ["GET", "http://a", "absolute", "/", "", "a"],
    ["GET", "http://a?b", "absolute", "/", "b", "a"],
    ["GET", "http://a/?b?c/d", "absolute", "/", "b?c/d", "a"],
    ["GET", "HTTPS://[::1]:1//b//?", "absolute", "//b//", "", "[::1]:1"],
    // RFC 9112 §3.2.4: it stands for *.
    ["OPTIONS", "http://a", "absolute", "", "", "a"],
    ["OPTIONS", "http://a/", "absolute", "/", "", "a"],
    ["OPTIONS", "http://a?", "absolute", "/", "", "a"],
  ])("%s %s", (method, target, form, path, query, authority) => {
    expect(parseTarget(method, target)).toEqual({ form, path, query, authority });
  });
});

describe("RFC 9110 §7.2 authority", () => {
  test("a long one is not a slow one", () => {
    const long = [
      "a".repeat(100_000) + "/",
      "%41".repeat(50_000) + "%",
      ":".repeat(100_000),
      `[${":".repeat(100_000)}]`,
    ];
    for (const text of long) expect(() => checkAuthority(text, "a test")).toThrow(RemoteProtocolError);
  });
});

describe("RFC 3986 §3.2.2 isIPv6", () => {
  test.each([
    "::",
    "::1",
    "1::",
    "1::8",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "1::3:4:5:6:7:8",
    "ABCD:EF01:2345:6789:abcd:ef01:2345:6789",
    "0000::0000",
    "::1.2.3.4",
    "::ffff:255.255.255.255",
    "1:2:3:4:5:6:0.0.0.0",
    "1:2:3:4:5::99.100.200.249",
    "64:ff9b::192.0.2.33",
  ])("%s is one", (text) => expect(isIPv6(text)).toBe(true));

  test.each([
    "",
    ":",
    ":::",
    "1",
    "1:",
    ":1",
    "1:::8",
    "1::2::3",
    ":1::",
    "::1:",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "1:2:3:4::5:6:7:8",
    "12345::",
    "g::",
    "::-1",
    "::1%0",
    "::1/64",
    " ::1",
    "1.2.3.4",
    "::1.2.3",
    "::1.2.3.4.5",
    "::1.2.3.256",
    "::01.2.3.4",
    "::1.2.3.04",
    "::1.2.3.",
    "::.1.2.3",
    "::1..2.3",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1:2:3:4:5:6::1.2.3.4:",
    "::0x1",
  ])("%s is none", (text) => expect(isIPv6(text)).toBe(false));

  test("is what URL takes for one", () => {
    const part = fc.constantFrom("", "", "1", "ab", "ffff", "12345", "1.2.3.4", "0");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
        const text = parts.join(":");
        expect(isIPv6(text), text).toBe(URL.canParse(`http://[${text}]/`));
      }),
      { numRuns: 3000 },
    );
  });
});
