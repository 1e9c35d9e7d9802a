// From a path to a view: what Django's docs say in "URL dispatcher" and django.urls.resolve(), and what is ours: methods and
// hosts. What Django gives was asked of Django 5.2 itself.

import { describe, expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { Http404, ImproperlyConfigured } from "../../../src/handler/exceptions.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import {
  getConverters,
  getResolver,
  include,
  path,
  registerConverter,
  rePath,
  resolve,
  Resolver404,
  type UrlPattern,
} from "../../../src/handler/urls/mod.ts";
import { caught } from "./caught.ts";

// deno-lint-ignore no-explicit-any -- a view that fits everywhere
const view: View<any> = () => new HttpResponse();
// deno-lint-ignore no-explicit-any -- as above
const other: View<any> = () => new HttpResponse();

/** The parameters of `path`, or null when nothing matches. */
function paramsOf(route: string | RegExp, ...urls: string[]): unknown[] {
  const urlpatterns = [typeof route === "string" && !route.startsWith("^") ? path(route, view) : rePath(route, view)];
  return urls.map((url) => getResolver(urlpatterns).find(url)?.params ?? null);
}

describe("path()", () => {
  test("matches the whole path, without its first slash", () => {
    expect(paramsOf("articles/", "/articles/", "/articles", "/articles/1", "//articles/", "articles/", "")).toEqual(
      [{}, null, null, null, null, null],
    );
    expect(paramsOf("", "/", "//", "")).toEqual([{}, null, null]);
    expect(paramsOf("/a", "//a", "/a")).toEqual([{}, null]);
  });

  test("each match has params of its own, also of text alone", () => {
    const resolver = getResolver([path("articles/", view, { kwargs: { a: 1 } })]);
    const [first, second] = [resolver.resolve("/articles/"), resolver.resolve("/articles/")];
    first.params["b"] = 2;
    expect([first.params, second.params]).toEqual([{ a: 1, b: 2 }, { a: 1 }]);
  });

  test("takes text as it is: nothing in it is an expression", () => {
    for (
      const route of [
        "a.b",
        "a+",
        "a(b)",
        "a|b",
        "[a]",
        "a\\d",
        "^",
        "a$",
        "a*",
        "a{2}",
        "é",
        "😀",
        "%41",
        "a b",
        ":a",
        "<>",
      ]
    ) {
      expect(getResolver([path(route, view)]).find(`/${route}`)).not.toBeNull();
    }
    expect(paramsOf("a.b", "/axb")).toEqual([null]);
  });

  test("str: not empty, no slash; the converter of a parameter that names none", () => {
    const want = [{ a: "x y" }, { a: "é😀" }, { a: "a\nb" }, null, null];
    expect(paramsOf("<str:a>/", "/x y/", "/é😀/", "/a\nb/", "//", "/a/b/")).toEqual(want);
    expect(paramsOf("<a>/", "/x y/", "/é😀/", "/a\nb/", "//", "/a/b/")).toEqual(want);
  });

  test("int: digits, as a number; beyond 2^53 - 1 it is none, since another number would come of it", () => {
    expect(paramsOf("<int:a>", "/0", "/007", "/9007199254740991", "/-1", "/1.5", "/+1", "/", "/٣")).toEqual(
      [{ a: 0 }, { a: 7 }, { a: 9007199254740991 }, null, null, null, null, null],
    );
    expect(paramsOf("<int:a>", "/9007199254740992", `/${"9".repeat(400)}`)).toEqual([null, null]);
  });

  test("what cannot be converted goes to the next pattern (Django: ValueError in to_python)", () => {
    const urlpatterns = [path("<int:a>/", view), path("<str:a>/", other)];
    expect(resolve("/9007199254740993/", urlpatterns)).toMatchObject({
      view: other,
      params: { a: "9007199254740993" },
    });
  });

  test("slug, uuid and path", () => {
    expect(paramsOf("<slug:a>", "/a-b_C9", "/a.b", "/é", "/")).toEqual([{ a: "a-b_C9" }, null, null, null]);
    const uuid = "075194d3-6885-417e-a8a8-6c931e272f00";
    expect(paramsOf("<uuid:a>", `/${uuid}`, `/${uuid.toUpperCase()}`, `/${uuid}0`)).toEqual([{ a: uuid }, null, null]);
    expect(paramsOf("f/<path:a>", "/f/a/b", "/f//", "/f/", "/f/a\u2028b", "/f/a\rb", "/f/a\nb")).toEqual(
      [{ a: "a/b" }, { a: "/" }, null, { a: "a\u2028b" }, { a: "a\rb" }, null],
    );
  });

  test("several parameters share a segment; the first one takes what it can", () => {
    expect(paramsOf("<slug:a>-<int:b>.<str:c>", "/x-y-1.tar.gz", "/x-1")).toEqual([
      { a: "x-y", b: 1, c: "tar.gz" },
      null,
    ]);
    expect(paramsOf("<path:a>/<path:b>/", "/1/2/3/")).toEqual([{ a: "1/2", b: "3" }]);
  });

  test("an extra argument replaces a parameter of its name", () => {
    const urlpatterns = [path("<int:a>/", view, { kwargs: { a: "extra", b: 2 } })];
    expect(resolve("/1/", urlpatterns)).toMatchObject({
      params: { a: "extra", b: 2 },
      capturedKwargs: { a: 1 },
      extraKwargs: { a: "extra", b: 2 },
    });
  });

  test("each match has parameters of its own", () => {
    const urlpatterns = [path("", view, { kwargs: { a: 1 } })];
    resolve("/", urlpatterns).params["a"] = 2;
    expect(resolve("/", urlpatterns).params).toEqual({ a: 1 });
  });

  test.each([
    ["<int: a>/", "white space in angle brackets: <int: a>"],
    ["<a b>/", "white space in angle brackets"],
    ["<int:1a>/", 'the parameter "1a" must be named like a variable'],
    ["<int:a-b>/", "named like a variable"],
    ["<in:a>/", 'there is no converter "in"; did you mean "int"?'],
    ["<__proto__:a>/", 'there is no converter "__proto__"'],
    ["<int:a>/<a>/", 'has the parameter "a" twice'],
  ])("%s is refused", (route, message) => {
    const error = caught(() => path(route as string, view));
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toContain(message);
  });

  test("takes a view or an include() only", () => {
    for (const wrong of [undefined, null, "view", {}, [], { patterns: [] }]) {
      expect(() => path("a/", wrong as unknown as View)).toThrow('the view of "a/" must be a function');
    }
  });
});

describe("registerConverter()", () => {
  test("a parameter of one's own type; undefined from fromURL() is no match, an error is an error", () => {
    registerConverter(
      {
        regex: "[a-z]+(?:(,)[a-z]+)*",
        fromURL: (text: string) => {
          if (text === "bug") throw new TypeError("a bug");
          return text === "none" ? undefined : text.split(",");
        },
        toURL: (list: string[]) => list.join(","),
      } as never,
      "test_list" as never,
    );
    // Its group is not taken for a parameter.
    expect(paramsOf("<test_list:a>/<int:b>", "/x,y/1", "/none/1", "/X/1")).toEqual([
      { a: ["x", "y"], b: 1 },
      null,
      null,
    ]);
    expect(() => paramsOf("<test_list:a>/", "/bug/")).toThrow("a bug");
    expect(getConverters().has("test_list")).toBe(true);
  });

  test.each([
    ["int", "[0-9]+", 'converter "int" is already registered'],
    ["a b", "a", 'must not have "<", ">", ":" or white space'],
    ["a:b", "a", "must not have"],
    ["", "a", "must not have"],
    ["test_bad", "(", "Unterminated group"],
  ])("%j with %j is refused", (name, regex, message) => {
    const converter = { regex, fromURL: () => 1, toURL: () => "" };
    const error = caught(() => registerConverter(converter as never, name as never));
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toContain(message);
  });

  test("a regex that may match a slash, or nothing, is found as well", () => {
    const converter = (regex: string) => ({ regex, fromURL: (text: string) => text, toURL: String });
    registerConverter(converter("a(?:/b)*") as never, "test_slash" as never);
    registerConverter(converter("[0-9]*") as never, "test_empty" as never);
    registerConverter(converter("[^x]+") as never, "test_negated" as never);
    expect(paramsOf("<test_slash:a>/c", "/a/c", "/a/b/b/c", "/b/c")).toEqual([{ a: "a" }, { a: "a/b/b" }, null]);
    expect(paramsOf("<test_empty:a>/c", "/c", "//c", "/1/c")).toEqual([null, { a: "" }, { a: "1" }]);
    expect(paramsOf("<test_negated:a>/c", "/a/b/c", "/x/c")).toEqual([{ a: "a/b" }, null]);
  });
});

describe("rePath()", () => {
  test("named groups, or those without a name, by number", () => {
    expect(paramsOf("^a/(?<year>[0-9]{4})/([a-z]+)/$", "/a/2025/x/", "/a/25/x/")).toEqual([{ year: "2025" }, null]);
    expect(paramsOf("^a/([0-9]{4})/([a-z]+)/$", "/a/2025/x/")).toEqual([{ 0: "2025", 1: "x" }]);
  });

  test("a named group that took no part is left out; one without a name is undefined", () => {
    expect(paramsOf("^a/(?:(?<page>\\d+)/)?$", "/a/", "/a/1/")).toEqual([{}, { page: "1" }]);
    expect(paramsOf("^a/(?:(\\d+)/)?$", "/a/", "/a/1/")).toEqual([{ 0: undefined }, { 0: "1" }]);
  });

  test('without "^" it is searched for, unless it ends with "$": then all must match, as in Django', () => {
    expect(paramsOf(/b\//, "/a/b/c", "/b/")).toEqual([{}, {}]);
    expect(paramsOf(/b\/$/, "/a/b/", "/b/")).toEqual([null, {}]);
    expect(paramsOf(/a|b$/, "/a", "/b", "/ab")).toEqual([{}, {}, null]);
    expect(paramsOf("^a", "/a/anything")).toEqual([{}]);
  });

  test("a RegExp keeps its flags, but remembers nothing", () => {
    expect(paramsOf(/^caseless\/$/i, "/CaseLess/")).toEqual([{}]);
    const urlpatterns = [rePath(/^a/gy, view)];
    for (let i = 0; i < 3; i++) expect(getResolver(urlpatterns).find("/ab")).not.toBeNull();
    expect(paramsOf(/^b/m, "/a\nb")).toEqual([{}]);
  });

  test("Python's way to write a named group is explained", () => {
    const error = caught(() => rePath("^(?P<year>[0-9]+)$", view));
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toContain("in JavaScript a named group is (?<name>...), without the P");
  });
});

describe("include()", () => {
  test("the first pattern that matches wins; an include in which none does is passed by", () => {
    const urlpatterns = [
      path("a/", include([path("x/", view, { name: "in" })])),
      path("a/<str:rest>/", other, { name: "after" }),
      path("a/y/", view, { name: "never" }),
    ];
    expect(["/a/x/", "/a/y/", "/a/z/"].map((url) => resolve(url, urlpatterns).urlName)).toEqual([
      "in",
      "after",
      "after",
    ]);
  });

  test("parameters and extra arguments: further in replaces further out, extra ones replace those of the same pattern", () => {
    const inner = [path("<b>/<c>/", view as View<unknown>, { kwargs: { c: "extra in", e: "in" } })];
    const urlpatterns = [path("<a>/<b>/", include(inner), { kwargs: { d: "out", e: "out", a: "extra out" } })];
    expect(resolve("/1/2/3/4/", urlpatterns)).toMatchObject({
      params: { a: "extra out", b: "3", c: "extra in", d: "out", e: "in" },
      capturedKwargs: { a: "1", b: "3", c: "4" },
      extraKwargs: { a: "extra out", c: "extra in", d: "out", e: "in" },
    });
  });

  test("groups without a name are put together, unless there are named ones", () => {
    const inner = rePath("^([a-z])/$", view);
    const named = rePath("^(?<n>[0-9])/$", view);
    const urlpatterns = [
      rePath("^p/(\\d)/", include([inner, named])),
      path("q/<int:x>/", include([rePath("^(\\d)/", include([inner]))])),
      rePath("^r/(\\d)/", include([path("<int:x>/", include([inner]))])),
    ];
    expect(resolve("/p/1/a/", urlpatterns).params).toEqual({ 0: "1", 1: "a" });
    expect(resolve("/p/1/2/", urlpatterns).params).toEqual({ n: "2" });
    expect(resolve("/q/5/1/a/", urlpatterns).params).toEqual({ x: 5, 0: "1", 1: "a" });
    expect(resolve("/r/1/5/a/", urlpatterns).params).toEqual({ x: 5, 0: "a" });
  });

  test("takes what its route matches for good: nothing is tried again with less", () => {
    const urlpatterns = [path("<path:a>/", include([path("x/", view)])), path("<int:a>", include([path("5/", view)]))];
    expect(getResolver(urlpatterns).find("/a/x/")).toBeNull();
    expect(getResolver(urlpatterns).find("/125/")).toBeNull();
  });

  test("its route need not end with a slash", () => {
    const urlpatterns = [path("a", include([path("b/", view), path("/c/", other)]))];
    expect(["/ab/", "/a/c/", "/a/b/"].map((url) => getResolver(urlpatterns).find(url)?.view ?? null)).toEqual(
      [view, other, null],
    );
  });

  test("namespaces, and the name and route of the match", () => {
    const polls = { appName: "polls", patterns: [path("<int:pk>/", view, { name: "detail" }), path("", view)] };
    const urlpatterns = [
      path("a/", include(polls)),
      path("b/", include([path("c/", include(polls, { namespace: "other" }))])),
      rePath("^d/", include([rePath("^e/$", view, { name: "e" })])),
    ];
    expect(resolve("/a/1/", urlpatterns)).toMatchObject({
      urlName: "detail",
      viewName: "polls:detail",
      appNames: ["polls"],
      appName: "polls",
      namespaces: ["polls"],
      namespace: "polls",
      route: "a/<int:pk>/",
    });
    expect(resolve("/b/c/1/", urlpatterns)).toMatchObject({
      viewName: "other:detail",
      appNames: ["polls"],
      namespaces: ["other"],
      route: "b/c/<int:pk>/",
    });
    expect(resolve("/a/", urlpatterns)).toMatchObject({ urlName: null, viewName: "polls:view" });
    expect(resolve("/d/e/", urlpatterns)).toMatchObject({ viewName: "e", route: "^d/e/$", namespace: "" });
  });

  test("without a list, or a namespace without an application, is refused", () => {
    for (const wrong of [undefined, null, "polls.urls", {}, { patterns: undefined, appName: "a" }]) {
      const error = caught(() => include(wrong as unknown as UrlPattern[]));
      expect(error).toBeInstanceOf(ImproperlyConfigured);
      expect(error.message).toContain("import each other");
    }
    const error = caught(() => include({ patterns: [] } as never, { namespace: "a" }));
    expect(error.message).toContain('include() with the namespace "a" needs an application\'s name');
  });

  test("what is no pattern, or includes itself, is told at the first look", () => {
    expect(() => getResolver([["a/", view] as never]).find("/")).toThrow(
      "among the URL patterns is none: write path()",
    );
    const urlpatterns: UrlPattern[] = [];
    urlpatterns.push(path("a/", include(urlpatterns)));
    expect(() => getResolver(urlpatterns).find("/")).toThrow("included at 'a/' include themselves");
  });
});

describe("Resolver404", () => {
  const polls = { appName: "polls", patterns: [path("<int:pk>/", view, { name: "detail" }), path("new/", view)] };
  const urlpatterns = [path("", view, { name: "home" }), path("polls/", include(polls)), path("other/", include([]))];
  const names = (tried: UrlPattern[][]): string[] => tried.map((line) => line.map((one) => one.describe()).join(" "));

  test("is an Http404 with the path, and all that was tried, in order", () => {
    const error = caught(() => resolve("/polls/x/", urlpatterns)) as Resolver404;
    expect(error).toBeInstanceOf(Resolver404);
    expect(error).toBeInstanceOf(Http404);
    expect(error.name).toBe("Resolver404");
    expect(error.path).toBe("/polls/x/");
    expect(names(error.tried)).toEqual(
      ["'' [name='home']", "'polls/' '<int:pk>/' [name='detail']", "'polls/' 'new/'", "'other/'"],
    );
  });

  test("an include that does not match is one line, whatever is in it", () => {
    const error = caught(() => resolve("/x/", urlpatterns)) as Resolver404;
    expect(names(error.tried)).toEqual(["'' [name='home']", "'polls/'", "'other/'"]);
    expect((caught(() => resolve("x", urlpatterns)) as Resolver404).tried).toEqual([]);
  });

  test("a match has what was tried before, and itself", () => {
    expect(names(resolve("/polls/new/", urlpatterns).tried)).toEqual(
      ["'' [name='home']", "'polls/' '<int:pk>/' [name='detail']", "'polls/' 'new/'"],
    );
  });
});

describe("methods and hosts", () => {
  const request = (method: string, host = "example.com") => ({ method, getHost: () => host });
  const urlpatterns = [
    path("a/", view, { methods: ["GET"], name: "list" }),
    path("a/", other, { methods: ["POST", "PUT"], name: "create" }),
    path("<slug:any>/", view, { methods: ["DELETE"], name: "any" }),
    path("all/", view, { name: "all" }),
  ];
  const nameOf = (method: string, url = "/a/") => resolve(url, urlpatterns, request(method)).urlName;

  test("a pattern is passed by when it is for other methods; HEAD goes with GET (RFC 9110 §9.3.2)", () => {
    expect(["GET", "HEAD", "POST", "PUT", "DELETE"].map((method) => nameOf(method))).toEqual(
      ["list", "list", "create", "create", "any"],
    );
    expect(nameOf("OPTIONS", "/all/")).toBe("all");
  });

  test("where all are for other methods, the view answers 405 with theirs (RFC 9110 §15.5.6)", async () => {
    const log: unknown[] = [];
    const patch = { ...request("PATCH"), path: "/a/", settings: { LOGGER: (record: unknown) => log.push(record) } };
    const match = resolve("/a/", urlpatterns, patch);
    expect(match.urlName).toBe("list");
    const response = await match.view(patch as never, match.params);
    expect(response.statusCode).toBe(405);
    expect(response.headers.get("Allow")).toBe("GET, HEAD, POST, PUT, DELETE");
  });

  test("without a request the first one matches: resolve() is asked about paths", () => {
    expect(resolve("/a/", urlpatterns).urlName).toBe("list");
  });

  test("hosts are compared as ALLOWED_HOSTS are, without the port", () => {
    const urlpatterns = [
      path("", include([path("", view, { name: "admin" })]), { host: "Admin.example.com" }),
      path("", view, { name: "sub", host: ".sub.example.com" }),
      path("", view, { name: "v6", host: "[::1]" }),
      path("", view, { name: "rest" }),
    ];
    const nameFor = (host: string) => resolve("/", urlpatterns, request("GET", host)).urlName;
    expect(nameFor("admin.example.com")).toBe("admin");
    expect(nameFor("ADMIN.example.com.:8000")).toBe("admin");
    expect(nameFor("xadmin.example.com")).toBe("rest");
    expect(nameFor("sub.example.com:80")).toBe("sub");
    expect(nameFor("a.b.sub.example.com")).toBe("sub");
    expect(nameFor("xsub.example.com")).toBe("rest");
    expect(nameFor("[::1]:8000")).toBe("v6");
    expect(nameFor("")).toBe("rest");
    expect(resolve("/", urlpatterns).urlName).toBe("admin");
  });

  test("the host is asked for only where a pattern wants to know", () => {
    const noHost = {
      method: "GET",
      getHost: (): string => {
        throw new Error("asked");
      },
    };
    expect(resolve("/a/", urlpatterns, noHost).urlName).toBe("list");
    expect(() => resolve("/", [path("", view, { host: "a" })], noHost)).toThrow("asked");
  });

  test.each([
    [{ methods: ["get"] }, 'not "get"'],
    [{ methods: [] }, "must be a list of methods in capitals"],
    [{ methods: ["GET POST"] }, 'not "GET POST"'],
    [{ host: "a:80" }, "a name without port"],
    [{ host: "http://a/" }, "a name without port"],
    [{ host: "*.a" }, "a name without port"],
    [{ host: "" }, "a name without port"],
    [{ host: "." }, "a name without port"],
  ])("%j is refused", (options, message) => {
    const error = caught(() => path("", view, options));
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toContain(message);
  });
});

describe("getResolver()", () => {
  test("is the same for the same patterns, in a list or in { patterns }", () => {
    const patterns = [path("", view)];
    expect(getResolver(patterns)).toBe(getResolver(patterns));
    expect(getResolver({ patterns }).resolve("/").view).toBe(view);
  });
});
