// From a name to a path: what Django's docs say of reverse(), and what tests/urlpatterns_reverse there is about. What
// Django gives was asked of Django 5.2 itself.

import { describe, expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { QueryDict } from "../../../src/handler/query_dict.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import {
  getResolver,
  include,
  NoReverseMatch,
  path,
  rePath,
  reverse,
  type ReverseExtras,
  type UrlPattern,
} from "../../../src/handler/urls/mod.ts";
import { caught } from "./caught.ts";

// deno-lint-ignore no-explicit-any -- a view that fits everywhere
const view: View<any> = () => new HttpResponse();

type Params = Readonly<Record<string, unknown>> | readonly unknown[];

/** reverse() of a list that says nothing to the compiler. */
function reversed(
  urlpatterns: readonly UrlPattern[],
  name: string | View,
  params?: Params,
  extras: ReverseExtras = {},
): string {
  return reverse(name as string, { urlconf: urlpatterns, ...(params === undefined ? {} : { params }), ...extras });
}

/** The URL of one route, or null for NoReverseMatch. */
function urlOf(route: string, params?: Params, kwargs: Readonly<Record<string, unknown>> = {}): string | null {
  const one = route.startsWith("^") ? rePath : path;
  try {
    return reversed([one(route, view, { name: "one", kwargs })], "one", params);
  } catch (error) {
    expect(error).toBeInstanceOf(NoReverseMatch);
    return null;
  }
}

describe("the path of a route", () => {
  test.each<[route: string, params: Params | undefined, url: string | null]>([
    ["", undefined, "/"],
    ["a/", undefined, "/a/"],
    ["a/<int:b>/", { b: 3 }, "/a/3/"],
    ["a/<int:b>/", { b: "3" }, "/a/3/"],
    ["a/<int:b>/", { b: 0 }, "/a/0/"],
    ["a/<int:b>/", { b: 12345678901n }, "/a/12345678901/"],
    ["a/<int:b>/", { b: -3 }, null],
    ["a/<int:b>/", { b: 1.5 }, null],
    ["a/<int:b>/", { b: 2 ** 53 }, null],
    ["a/<int:b>/", { b: NaN }, null],
    ["a/<int:b>/", { b: "x" }, null],
    ["a/<int:b>/", {}, null],
    ["a/<int:b>/", undefined, null],
    ["a/<int:b>/", { b: 3, c: 4 }, null],
    ["a/<int:b>/", { c: 3 }, null],
    ["a/<int:b>/", { b: undefined }, null],
    ["a/<b>/", { b: null }, null],
    ["a/<b>/", { b: "" }, null],
    ["a/<b>/", { b: "x/y" }, null],
    ["a/<path:b>/", { b: "x/y" }, "/a/x/y/"],
    ["a/<slug:b>/", { b: "x y" }, null],
    ["a/<b>/<b2>/", { b2: "1", b: "2" }, "/a/2/1/"],
    // In order: by an array, or by numbers.
    ["a/<b>/<c>/", ["x", "y"], "/a/x/y/"],
    ["a/<b>/<c>/", { 0: "x", 1: "y" }, "/a/x/y/"],
    ["a/<b>/<c>/", ["x"], null],
    ["a/<b>/", ["x", "y"], null],
    ["a/<b>/<c>/", { 1: "y" }, null],
    ["a/<b>/<c>/", [undefined, "y"], null],
  ])("%s with %o is %s", (route, params, url) => {
    expect(urlOf(route, params)).toBe(url);
  });

  test.each<[route: string, params: Params | undefined, url: string | null]>([
    ["^a/([0-9]+)/$", [3], "/a/3/"],
    ["^a/([0-9]+)/$", { 0: 3 }, "/a/3/"],
    ["^a/([0-9]+)/$", ["x"], null],
    ["^a/([0-9]+)/$", [], null],
    ["^a/(?<b>[0-9]+)/$", { b: 3 }, "/a/3/"],
    ["^a/(?<b>[0-9]+)/$", [3], "/a/3/"],
    ["^a/(?<b>\\w+)-\\k<b>/$", { b: "x" }, "/a/x-x/"],
    ["^places?/$", undefined, "/place/"],
    ["^places*/$", undefined, "/place/"],
    ["^places+/$", undefined, "/places/"],
    ["^(?:places/)?$", undefined, "/"],
    ["^(?:places/)+$", undefined, "/places/"],
    ["^(?:a|b)/$", undefined, null],
    ["^(a|b)/$", ["a"], "/a/"],
    ["^a/(?:(?<b>\\d+)/)?$", undefined, "/a/"],
    ["^a/(?:(?<b>\\d+)/)?$", { b: 1 }, "/a/1/"],
    ["^a/(?:(\\d+)/(?:(\\d+)/)?)?$", undefined, "/a/"],
    ["^a/(?:(\\d+)/(?:(\\d+)/)?)?$", [1], "/a/1/"],
    ["^a/(?:(\\d+)/(?:(\\d+)/)?)?$", [1, 2], "/a/1/2/"],
    ["^[abc]/\\d\\w\\s/\\//\\.$", undefined, "/a/0x%20///."],
    ["^a{2}b{1,3}c{0,2}/$", undefined, "/aab/"],
    ["^(?<a>[a-z]+)/\\d/$", { a: "x" }, "/x/0/"],
    ["^(?<a>(?<b>\\d)x)/$", { a: "1x" }, "/1x/"],
    ["^a(?=/)/(?!x)y(?<!z)$", undefined, "/a/y"],
    ["^\\u00e9\\x41$", undefined, "/%C3%A9A"],
    ["^price/\\$(\\d+)/$", [10], "/price/$10/"],
    [
      "^product/(?<product>\\w+)\\+\\(\\$(?<price>\\d+(\\.\\d+)?)\\)/$",
      { product: "x", price: "2.00" },
      "/product/x+($2.00)/",
    ],
    ["^[^x]/$", undefined, "/%5E/"],
    ["^[\\]a]/$", undefined, "/%5D/"],
    ["^a/.$", undefined, "/a/."],
  ])("%s with %o is %s", (route, params, url) => {
    expect(urlOf(route, params)).toBe(url);
  });

  test("is percent-encoded but for what RFC 3986 §3.3 allows: unreserved, sub-delims, ':' and '@'", () => {
    expect(urlOf("<path:a>", { a: "-._~!$&'()*+,;=:@/" })).toBe("/-._~!$&'()*+,;=:@/");
    expect(urlOf("<path:a>", { a: '10% é😀?#[]|\\^`{}<>"\u2028' })).toBe(
      "/10%25%20%C3%A9%F0%9F%98%80%3F%23%5B%5D%7C%5C%5E%60%7B%7D%3C%3E%22%E2%80%A8",
    );
    expect(urlOf("10% é/", undefined)).toBe("/10%25%20%C3%A9/");
  });

  test('never begins with "//", which is another host', () => {
    expect(urlOf("<path:a>", { a: "/example.com/" })).toBe("/%2Fexample.com/");
    expect(urlOf("<path:a>", { a: "//example.com/" })).toBe("/%2F/example.com/");
    expect(urlOf("/a/", undefined)).toBe("/%2Fa/");
  });

  test("there is none for half of a surrogate pair", () => {
    expect(caught(() => reversed([path("<a>", view, { name: "a" })], "a", { a: "x\ud800" })).message).toContain(
      "half of a surrogate pair",
    );
  });

  test("has the prefix in front, which is encoded too", () => {
    const urlpatterns = [path("a/<b>/", view, { name: "a" })];
    for (const [prefix, url] of [["", "/a/x/"], ["/", "/a/x/"], ["/app", "/app/a/x/"], ["/app/", "/app/a/x/"]]) {
      expect(reversed(urlpatterns, "a", { b: "x" }, { prefix: prefix! })).toBe(url);
    }
    expect(reversed(urlpatterns, "a", { b: "x" }, { prefix: "/{~%20)" })).toBe("/%7B~%2520)/a/x/");
    expect(reversed(urlpatterns, "a", { b: "x" }, { prefix: "//host" })).toBe("/%2Fhost/a/x/");
  });

  test("is one that resolves to the pattern", () => {
    const inner = [path("<int:b>", view, { name: "b" }), path("x/<c>", view, { name: "c" })];
    const urlpatterns = [path("<path:a>/", include(inner))];
    expect(reversed(urlpatterns, "b", { a: "a/x", b: 1 })).toBe("/a/x/1");
    // The include takes all up to the last "/". Django gives /a/x/b, and does not resolve it.
    expect(() => reversed(urlpatterns, "c", { a: "a", c: "b" })).toThrow(NoReverseMatch);
  });
});

describe("query and fragment (Django 5.2)", () => {
  const urlpatterns = [path("a/", view, { name: "a" })];
  test.each<[query: ReverseExtras["query"], url: string]>([
    [{}, "/a/"],
    [{ q: "x y", n: 1, yes: true }, "/a/?q=x+y&n=1&yes=true"],
    [{ q: [1, "2"], r: [] }, "/a/?q=1&q=2"],
    [{ "é&": "=+#%" }, "/a/?%C3%A9%26=%3D%2B%23%25"],
    [{ q: "-._~!'()*" }, "/a/?q=-._~%21%27%28%29%2A"],
    [new URLSearchParams("a=1&a=2&b="), "/a/?a=1&a=2&b="],
    [new QueryDict("a=1&a=2&b=x+y"), "/a/?a=1&a=2&b=x+y"],
    [{ urlencode: "text" }, "/a/?urlencode=text"],
  ])("%j: %s", (query, url) => {
    expect(reversed(urlpatterns, "a", undefined, query === undefined ? {} : { query })).toBe(url);
  });

  test("the fragment stays as it is, even when it is empty", () => {
    expect(reversed(urlpatterns, "a", undefined, { query: { b: 1 }, fragment: "top" })).toBe("/a/?b=1#top");
    expect(reversed(urlpatterns, "a", undefined, { fragment: "" })).toBe("/a/#");
  });

  test("undefined in a query is a mistake, and not the text", () => {
    expect(() => reversed(urlpatterns, "a", undefined, { query: { b: undefined as never } })).toThrow(
      "leave the key out",
    );
  });
});

describe("names", () => {
  test("of several patterns of a name the last one counts that the arguments fit", () => {
    const urlpatterns = [
      path("a/", view, { name: "a" }),
      path("b/<int:x>/", view, { name: "a" }),
      path("c/<x>/", view, { name: "a" }),
      path("d/<int:x>/", view, { name: "a" }),
    ];
    expect(reversed(urlpatterns, "a")).toBe("/a/");
    expect(reversed(urlpatterns, "a", { x: 1 })).toBe("/d/1/");
    expect(reversed(urlpatterns, "a", { x: "y" })).toBe("/c/y/");
  });

  test("extra arguments choose between patterns, and need not be given", () => {
    const urlpatterns = [
      path("a/<int:x>/", view, { name: "a", kwargs: { y: 1 } }),
      path("b/<int:x>/", view, { name: "a", kwargs: { y: 2 } }),
    ];
    expect(reversed(urlpatterns, "a", { x: 1, y: 1 })).toBe("/a/1/");
    expect(reversed(urlpatterns, "a", { x: 1, y: 2 })).toBe("/b/1/");
    expect(reversed(urlpatterns, "a", { x: 1 })).toBe("/b/1/");
    expect(() => reversed(urlpatterns, "a", { x: 1, y: 3 })).toThrow(NoReverseMatch);
    expect(urlOf("a/<int:x>/", {}, { x: 5 })).toBe("/a/5/");
  });

  test("a view is a name, outside of namespaces", () => {
    const inner: View = () => new HttpResponse();
    const urlpatterns = [
      path("a/<x>/", view),
      path("b/", include({ appName: "b", patterns: [path("", inner)] })),
    ];
    expect(reversed(urlpatterns, view, { x: "y" })).toBe("/a/y/");
    expect(caught(() => reversed(urlpatterns, inner)).message).toContain("Reverse for 'inner' not found");
  });

  test("parameters of includes are needed, too; groups without a name are counted through", () => {
    const inner = [path("<int:b>/", view, { name: "b" }), rePath("^([a-z]+)/$", view, { name: "c" })];
    const urlpatterns = [path("<slug:a>/", include(inner)), rePath("^x/(\\d)/(?:(\\d)/)?", include(inner))];
    expect(reversed(urlpatterns.slice(0, 1), "b", { a: "x", b: 1 })).toBe("/x/1/");
    expect(reversed(urlpatterns.slice(0, 1), "b", ["x", 1])).toBe("/x/1/");
    expect(reversed(urlpatterns, "c", { 0: 1, 1: "x" })).toBe("/x/1/x/");
    expect(reversed(urlpatterns, "c", [1, 2, "x"])).toBe("/x/1/2/x/");
  });

  test("the same pattern included twice is found in the last place, or by its namespace", () => {
    const inner = [path("", view, { name: "in" })];
    expect(reversed([path("a/", include(inner)), path("b/", include(inner))], "in")).toBe("/b/");
  });

  test("a match can be reversed", () => {
    const urlpatterns = [
      path("<int:a>/", include({ appName: "app", patterns: [rePath("^(\\d)/(x)/$", view, { name: "x" })] })),
      rePath("^(\\d)/(y)/$", view, { name: "y", kwargs: { extra: 1 } }),
      path("z/<uuid:z>/", view, { name: "z", kwargs: { extra: 1 } }),
    ];
    for (const url of ["/1/y/", "/z/075194d3-6885-417e-a8a8-6c931e272f00/"]) {
      const { viewName, params } = getResolver(urlpatterns).resolve(url);
      expect(reversed(urlpatterns, viewName, params)).toBe(url);
    }
  });
});

describe("namespaces", () => {
  // The example of Django's docs, "Reversing namespaced URLs".
  const polls = {
    appName: "polls",
    patterns: [path("", view, { name: "index" }), path("<int:pk>/", view, { name: "detail" })],
  };
  const urlpatterns = [
    path("author-polls/", include(polls, { namespace: "author-polls" })),
    path("publisher-polls/", include(polls, { namespace: "publisher-polls" })),
    path("", view, { name: "index" }),
  ];

  test("an instance is found by its name, and an application by the instance we are in", () => {
    expect(reversed(urlpatterns, "author-polls:index")).toBe("/author-polls/");
    expect(reversed(urlpatterns, "polls:index", undefined, { currentApp: "author-polls" })).toBe("/author-polls/");
    expect(reversed(urlpatterns, "polls:index", undefined, { currentApp: "publisher-polls" })).toBe(
      "/publisher-polls/",
    );
  });

  test("elsewhere an application is the instance of its own name, or else the last one", () => {
    expect(reversed(urlpatterns, "polls:index")).toBe("/publisher-polls/");
    expect(reversed(urlpatterns, "polls:index", undefined, { currentApp: "another" })).toBe("/publisher-polls/");
    const withDefault = [path("polls/", include(polls)), ...urlpatterns];
    expect(reversed(withDefault, "polls:index")).toBe("/polls/");
    expect(reversed(withDefault, "polls:index", undefined, { currentApp: "" })).toBe("/polls/");
  });

  test("one within another, by both names, and by the path that we are at", () => {
    const nested = (namespace: string) =>
      include({
        appName: "outer",
        patterns: [path("a/", include(polls, { namespace: "a" })), path("b/", include(polls, { namespace: "b" }))],
      }, { namespace });
    const urlpatterns = [path("x/", nested("x")), path("y/", nested("y"))];
    expect(reversed(urlpatterns, "x:a:index")).toBe("/x/a/");
    expect(reversed(urlpatterns, "outer:polls:index")).toBe("/y/b/");
    expect(reversed(urlpatterns, "outer:polls:index", undefined, { currentApp: "x:a" })).toBe("/x/a/");
    // Once we leave the way, we are not on it any more.
    expect(reversed(urlpatterns, "y:polls:index", undefined, { currentApp: "x:a" })).toBe("/y/b/");
  });

  test("parameters of the include that has the namespace are needed", () => {
    const urlpatterns = [path("<slug:who>/", include(polls))];
    expect(reversed(urlpatterns, "polls:detail", { who: "ann", pk: 1 })).toBe("/ann/1/");
    expect(() => reversed(urlpatterns, "polls:detail", { pk: 1 })).toThrow(NoReverseMatch);
  });

  test("without a namespace an include's namespaces are those around it", () => {
    expect(reversed([path("a/", include([path("b/", include(polls))]))], "polls:index")).toBe("/a/b/");
  });

  test("of two with the same name the first one counts (urls.W005)", () => {
    const other = { appName: "polls", patterns: [path("", view, { name: "other" })] };
    const urlpatterns = [path("a/", include(polls)), path("b/", include(other))];
    expect(reversed(urlpatterns, "polls:index")).toBe("/a/");
    expect(() => reversed(urlpatterns, "polls:other")).toThrow(NoReverseMatch);
  });
});

describe("NoReverseMatch", () => {
  const urlpatterns = [
    path("a/<int:x>/", view, { name: "article" }),
    path("b/", include([path("<slug:y>/", view, { name: "article" })])),
    path("n/", include({ appName: "news", patterns: [path("", view, { name: "index" })] })),
  ];
  test.each<[name: string, params: Params | undefined, message: string]>([
    [
      "artcle",
      undefined,
      `Reverse for 'artcle' not found: it is not a view, or the name of a pattern; did you mean "article"?`,
    ],
    [
      "article",
      undefined,
      "Reverse for 'article' with no arguments not found. 2 pattern(s) tried: 'b/<slug:y>/', 'a/<int:x>/'",
    ],
    ["article", { x: "é" }, `Reverse for 'article' with { x: "é" } not found.`],
    ["article", ["a", 1], `with { 0: "a", 1: 1 } not found`],
    ["new:index", undefined, `'new' is not a registered namespace; did you mean "news"?`],
    [
      "news:more:index",
      undefined,
      "Reverse for 'news:more:index' not found: 'more' is not a registered namespace inside 'news'",
    ],
    ["", undefined, "Reverse for '' not found"],
    [":", undefined, "'' is not a registered namespace"],
    ["constructor", undefined, "Reverse for 'constructor' not found"],
    ["__proto__:index", undefined, "'__proto__' is not a registered namespace"],
  ])("%j with %j: %s", (name, params, message) => {
    const error = caught(() => reversed(urlpatterns, name, params));
    expect(error).toBeInstanceOf(NoReverseMatch);
    expect(error.name).toBe("NoReverseMatch");
    expect(error.message).toContain(message);
  });
});
