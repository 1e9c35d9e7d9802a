import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePath, fieldKeys, isBelow, splitHost, splitTarget } from "../../src/esgi/request.ts";

test.each([
  ["GET", "/a/b?c=d?e", { path: "/a/b", query: "c=d?e", authority: null }],
  ["GET", "/?", { path: "/", query: "", authority: null }],
  ["GET", "//evil/x", { path: "//evil/x", query: "", authority: null }],
  ["GET", "http://h:1/x?y", { path: "/x", query: "y", authority: "h:1" }],
  ["GET", "HTTP://h?y", { path: "/", query: "y", authority: "h" }],
  ["OPTIONS", "http://h", { path: "", query: "", authority: "h" }],
  ["OPTIONS", "*", { path: "", query: "", authority: null }],
  ["CONNECT", "h:443", { path: "", query: "", authority: "h:443" }],
])("RFC 9112 §3.2: %s %s", (method, target, expected) => {
  expect(splitTarget(method, target)).toEqual(expected);
});

describe("decodePath", () => {
  test.each([
    ["/", "/"],
    ["/a%20b", "/a b"],
    ["/a+b", "/a+b"],
    ["/%2F%2e", "//."],
    ["/caf%C3%A9%e2%82%ac%F0%9F%98%80", "/café€\u{1f600}"],
    ["/%", "/%"],
    ["/%4", "/%4"],
    ["/%zz%41", "/%zzA"],
    ["/100%/%41", "/100%/A"],
    ["/%FF", "/%FF"],
    ["/%C3", "/%C3"],
    ["/%C3%28", "/%C3("],
    ["/%C3%A9%FF%41", "/é%FFA"],
    ["/%C0%AF", "/%C0%AF"],
    ["/%E0%80%AF", "/%E0%80%AF"],
    ["/%ED%A0%80", "/%ED%A0%80"],
    ["/%F5%80%80%80", "/%F5%80%80%80"],
    ["/%E2%82", "/%E2%82"],
    ["/%E2%82%41", "/%E2%82A"],
  ])("%s is %j", (path, expected) => expect(decodePath(path)).toBe(expected));

  test("undoes encodeURI, and never throws", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(decodePath(encodeURIComponent(text))).toBe(text);
    }));
    const any = fc.array(fc.constantFrom("%", "4", "1", "C", "3", "%C3", "%A9", "%E2", "%80", "%F0", "/")).map((all) =>
      all.join("")
    );
    fc.assert(fc.property(any, (text) => void decodePath(text)), { numRuns: 1000 });
  });
});

test.each(
  [
    ["example.org", "http", { name: "example.org", port: "80" }],
    ["example.org", "https", { name: "example.org", port: "443" }],
    ["example.org:8080", "http", { name: "example.org", port: "8080" }],
    ["[::1]:8080", "http", { name: "[::1]", port: "8080" }],
    ["[::1]", "http", { name: "[::1]", port: "80" }],
    ["h:", "http", { name: "h", port: "80" }],
    ["", "http", { name: "localhost", port: "80" }],
  ] as const,
)("splitHost(%j, %j)", (host, scheme, expected) => {
  expect(splitHost(host, scheme)).toEqual(expected);
});

test("fieldKeys joins repeated fields, and makes no key of a name with _", () => {
  expect(fieldKeys([
    ["X-Real-IP", "1"],
    ["x_real_ip", "spoofed"],
    ["Accept", "a"],
    ["accept", "b"],
    ["Cookie", "a=1"],
    ["cookie", "b=2"],
    ["Content-Type", "text/plain"],
    ["content-length", "3"],
    ["__proto__", "x"],
  ])).toEqual({
    HTTP_X_REAL_IP: "1",
    HTTP_ACCEPT: "a, b",
    HTTP_COOKIE: "a=1; b=2",
    CONTENT_TYPE: "text/plain",
    CONTENT_LENGTH: "3",
  });
});

test("isBelow knows segments", () => {
  expect([isBelow("/a", "/a"), isBelow("/a/b", "/a"), isBelow("/ab", "/a")]).toEqual([true, true, false]);
});
