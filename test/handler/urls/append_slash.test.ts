// Which paths lack their slash: the question behind APPEND_SLASH, as CommonMiddleware asks it in Django.

import { expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import { path, rePath, shouldAppendSlash } from "../../../src/handler/urls/mod.ts";

const view: View = () => new HttpResponse();
const without: View = Object.assign((() => new HttpResponse()) as View, { shouldAppendSlash: false });

const urlpatterns = [
  path("", view),
  path("slash/", view),
  path("both", view),
  path("both/", view),
  path("none", view),
  path("never/", without),
  path("get/", view, { methods: ["GET"] }),
  path("host/", view, { host: "a.example.com" }),
  rePath("^re/(\\d+)/$", view),
];

test.each([
  ["/slash", true],
  ["/slash/", false],
  ["/both", false],
  ["/none", false],
  ["/unknown", false],
  ["/never", false],
  ["/re/1", true],
  ["/re/x", false],
  ["", true],
])("%j: %s", (url, expected) => {
  expect(shouldAppendSlash(url, urlpatterns)).toBe(expected);
});

test("a path that is there for other methods is there", () => {
  const request = { method: "POST", getHost: () => "b.example.com" };
  expect(shouldAppendSlash("/get", urlpatterns, request)).toBe(true);
  expect(shouldAppendSlash("/get/", urlpatterns, request)).toBe(false);
});

test("a path of another host is not", () => {
  const request = (host: string) => ({ method: "GET", getHost: () => host });
  expect(shouldAppendSlash("/host", urlpatterns, request("a.example.com"))).toBe(true);
  expect(shouldAppendSlash("/host", urlpatterns, request("b.example.com"))).toBe(false);
});
