import { expect, test } from "vitest";
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

test.each([
  ["/plain", "/plain"],
  ["/caf%C3%A9", "/café"],
  ["/%E2%82%AC%f0%9f%98%80", "/€😀"],
  ["/a%2Fb%25", "/a/b%"],
  ["/%FF", "/%FF"],
  ["/%C3%A9%FF%C3%A9", "/é%FFé"],
  ["/%E2%82", "/%E2%82"],
  ["/%C0%80", "/%C0%80"],
  ["/%zz%41", "/%zzA"],
  ["/%", "/%"],
])("decodePath(%j): what is not UTF-8 stays encoded", (path, expected) => {
  expect(decodePath(path)).toBe(expected);
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
