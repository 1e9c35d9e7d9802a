import { describe, expect, test } from "vitest";
import { type CookieOptions, Morsel } from "../../src/handler/cookie.ts";
import { BadHeaderError } from "../../src/handler/exceptions.ts";
import { parseCookie } from "../../src/handler/parse_cookie.ts";

const cookie = (name: string, value = "1", options: CookieOptions = {}): string =>
  String(new Morsel(name, value, options));

describe("Morsel", () => {
  test("is a session's cookie of the whole site by default", () => {
    expect(cookie("a", "b")).toBe("a=b; Path=/");
  });

  test("has all attributes", () => {
    expect(cookie("a", "b", {
      maxAge: 3600.9,
      expires: new Date(Date.UTC(2030, 0, 2, 3, 4, 5)),
      path: "/x",
      domain: "example.com",
      secure: true,
      httponly: true,
      samesite: "None",
      partitioned: true,
    })).toBe(
      "a=b; Domain=example.com; Expires=Wed, 02 Jan 2030 03:04:05 GMT; HttpOnly; Max-Age=3600; Partitioned; Path=/x; " +
        "SameSite=None; Secure",
    );
  });

  test("without a path where that is null", () => {
    expect(cookie("a", "b", { path: null })).toBe("a=b");
  });

  test.each([
    "",
    "plain",
    "with space",
    'q"uote',
    "semi;colon, comma",
    "back\\slash",
    "100%",
    "%41",
    "ümläut 文 😀",
    "a=b&c",
  ])(
    "the value %j arrives as it was set",
    (value) => {
      const [pair] = cookie("name", value).split("; ");
      expect(pair).toMatch(/^name=[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/);
      expect(parseCookie(pair!).name).toBe(value);
    },
  );

  test("line breaks in a value are encoded, and a lone surrogate is replaced", () => {
    expect(cookie("a", "1\r\nSet-Cookie: b=2")).toBe("a=1%0D%0ASet-Cookie:%20b=2; Path=/");
    expect(cookie("a", "\ud800")).toBe("a=%EF%BF%BD; Path=/");
  });

  test.each(["", "a b", "a;b", "a=b", "a,b", "a\n", "ü", '"a"'])("RFC 6265bis §4.1.1: %j is no name", (name) => {
    expect(() => cookie(name)).toThrow(BadHeaderError);
    expect(() => cookie(name)).toThrow(/no token/);
  });

  test.each<[CookieOptions, RegExp]>([
    [{ path: "/a; Domain=evil.example" }, /path/],
    [{ path: "/a\r\nX: y" }, /path/],
    [{ path: "relative" }, /path/],
    [{ domain: "a;b" }, /domain/],
    [{ domain: "a\nb" }, /domain/],
    [{ domain: "" }, /domain/],
    [{ domain: "münchen.example" }, /domain/],
    [{ maxAge: NaN }, /maxAge/],
    [{ maxAge: Infinity }, /maxAge/],
    [{ expires: new Date(NaN) }, /expires/],
    [{ samesite: "lax" as "Lax" }, /samesite/],
    [{ samesite: "Lax; Secure" as "Lax" }, /samesite/],
    [{ samesite: "None" }, /needs secure/],
    [{ partitioned: true }, /needs secure/],
  ])("an attribute that a browser would not take: %o", (options, message) => {
    expect(() => cookie("a", "b", options)).toThrow(BadHeaderError);
    expect(() => cookie("a", "b", options)).toThrow(message);
  });

  test.each<[string, CookieOptions, boolean]>([
    ["__Secure-a", {}, false],
    ["__Secure-a", { secure: true, domain: "example.com", path: "/x" }, true],
    ["__secure-a", {}, false],
    ["__Host-a", { secure: true }, true],
    ["__Host-a", {}, false],
    ["__Host-a", { secure: true, path: "/x" }, false],
    ["__Host-a", { secure: true, path: null }, false],
    ["__Host-a", { secure: true, domain: "example.com" }, false],
    ["__HOST-a", { secure: true, domain: "example.com" }, false],
    ["__Hosta", {}, true],
  ])("RFC 6265bis §4.1.3: the prefix of %s with %o: %s", (name, options, good) => {
    if (good) expect(cookie(name, "b", options)).toContain(name);
    else expect(() => cookie(name, "b", options)).toThrow(BadHeaderError);
  });

  test("RFC 6265bis §5.6: more than 4096 bytes would be dropped", () => {
    expect(cookie("a", "x".repeat(4095))).toHaveLength(4095 + 2 + "; Path=/".length);
    expect(() => cookie("a", "x".repeat(4096))).toThrow(/4096 bytes/);
    // What counts is what is sent.
    expect(() => cookie("a", "文".repeat(500))).toThrow(/4096 bytes/);
  });
});
