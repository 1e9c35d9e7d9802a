// What system checks say of URL patterns, by Django's ids.

import { describe, expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import { checkUrls, include, path, rePath, type UrlPattern } from "../../../src/handler/urls/mod.ts";

const view: View = () => new HttpResponse();
const app = { appName: "app", patterns: [path("", view)] };

const idsOf = (patterns: readonly UrlPattern[], settings = {}): string[] =>
  checkUrls(patterns, settings).map(({ id }) => id);

test("patterns that are right have no messages", () => {
  expect(checkUrls([
    path("", view, { name: "home" }),
    path("a/<int:b>/", view),
    path("c/", include(app)),
    path("d/", include(app, { namespace: "other" })),
    rePath("^e/(?<f>\\d+)/$", view),
    rePath("^g/", include([path("<path:h>", view)])),
    rePath("\\$", include([])),
  ])).toEqual([]);
});

test("urls.W001: an include with rePath() that ends with $", () => {
  const [message] = checkUrls([rePath("^a/$", include([path("b/", view)]))]);
  expect(message).toMatchObject({ level: "warning", id: "urls.W001" });
  expect(message!.message).toBe("URL pattern '^a/$' is an include() and ends with a \"$\".");
  expect(message!.hint).toContain("Take it out");
  expect(idsOf([rePath("$", include([]))])).toEqual(["urls.W001"]);
});

test("urls.W002: a route that begins with a slash, but for one that ends with one, or without APPEND_SLASH", () => {
  expect(idsOf([path("/a", view), rePath("^/a$", view), rePath("^\\/a$", view), path("/b", include([]))])).toEqual(
    ["urls.W002", "urls.W002", "urls.W002", "urls.W002"],
  );
  expect(idsOf([path("/a/", view), path("/", include([]))])).toEqual([]);
  expect(idsOf([path("/a", view)], { APPEND_SLASH: false })).toEqual([]);
});

test('urls.W003: a name with a ":"', () => {
  const [message] = checkUrls([path("a/", view, { name: "a:b" })]);
  expect(message).toMatchObject({ id: "urls.W003", message: "URL pattern 'a/' [name='a:b'] has a name with a \":\"." });
});

test("urls.W005: namespaces that are there twice, by their whole names", () => {
  const urlpatterns = [
    path("a/", include(app)),
    path("b/", include([path("c/", include(app))])),
    path("d/", include({ appName: "outer", patterns: [path("e/", include(app)), path("f/", include(app))] })),
  ];
  expect(checkUrls(urlpatterns).map(({ id, message }) => `${id} ${message}`)).toEqual([
    'urls.W005 URL namespace "app" is there more than once: reverse() finds the patterns of the first one only.',
    'urls.W005 URL namespace "outer:app" is there more than once: reverse() finds the patterns of the first one only.',
  ]);
});

test("urls.W010: angle brackets without their counterpart", () => {
  expect(idsOf([path("<int:a", view)])).toEqual(["urls.W010"]);
  expect(idsOf([path("int:a>/b>", view)])).toEqual(["urls.W010", "urls.W010"]);
  expect(idsOf([path("<a>/<b", view)])).toEqual(["urls.W010"]);
  expect(idsOf([rePath("^(?<a>b)>$", view)])).toEqual([]);
});

test("2_0.W001: a route of path() that is a regular expression", () => {
  expect(idsOf([path("^a/", view), path("a/$", view), path("(?<a>\\d+)/", view)])).toEqual(
    ["2_0.W001", "2_0.W001", "2_0.W001"],
  );
});

describe("errors", () => {
  test("urls.E004: what is no pattern", () => {
    for (const wrong of ["a/", ["a/", view], view, null, undefined]) {
      const messages = checkUrls([path("b/", include([wrong as never]))]);
      expect(messages).toMatchObject([{ level: "error", id: "urls.E004" }]);
      expect(messages[0]!.hint).toContain("path() or rePath()");
    }
  });

  test("urls.E004: a list that includes itself", () => {
    const urlpatterns: UrlPattern[] = [];
    urlpatterns.push(path("a/", include({ appName: "a", patterns: urlpatterns })));
    expect(idsOf(urlpatterns)).toContain("urls.E004");
  });

  test("urls.E009: a class as a view", () => {
    class ArticleView {}
    expect(checkUrls([path("a/", ArticleView as never)])).toMatchObject([
      { level: "error", id: "urls.E009", message: "URL pattern 'a/' has a class as its view: ArticleView." },
    ]);
  });

  test("what is wrong within an include comes before what is wrong with it", () => {
    expect(idsOf([path("/a", include([path("b", view, { name: "a:b" })]))])).toEqual(["urls.W003"]);
  });
});

describe("urls.W101: parameters that a client can make slow", () => {
  test.each([
    "<slug:a>-<slug:b>-<slug:c>/",
    "<path:a>/<path:b>/<path:c>/",
    "<path:a>/x/<path:b>/<int:c>/",
    "<str:a><str:b><str:c>",
  ])("%s", (route) => {
    expect(idsOf([path(route, view)])).toEqual(["urls.W101"]);
  });

  test.each([
    "<slug:a>-<slug:b>/",
    "<str:a>/<str:b>/<str:c>/<str:d>/",
    "<int:a>-<int:b>-<int:c>-<int:d>/",
    "<slug:a>-<slug:b>/<slug:c>-<slug:d>/",
    "<uuid:a>-<uuid:b>-<uuid:c>/",
    "<path:a>/<int:b>/",
  ])("not %s", (route) => {
    expect(idsOf([path(route, view)])).toEqual([]);
  });
});
