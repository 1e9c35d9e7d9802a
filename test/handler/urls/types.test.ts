// What the compiler says of URL patterns: each @ts-expect-error is a mistake that does not compile (tsconfig.all.json). What
// is compiled is run, too, as far as it is right.

import { describe, expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { mount } from "../../../src/handler/mount.ts";
import type { HttpRequest } from "../../../src/handler/request.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import { resolveSettings } from "../../../src/handler/settings.ts";
import {
  defineUrls,
  include,
  path,
  registerConverter,
  rePath,
  reverse,
  type RouteParams,
  type UrlPattern,
  urls,
  within,
} from "../../../src/handler/urls/mod.ts";

// As users write it: of "tricorn/handler".
declare module "../../../src/handler/mod.ts" {
  interface ConverterTypes {
    year4: Temporal;
  }
}

interface Temporal {
  readonly year: number;
}

registerConverter({
  regex: "[0-9]{4}",
  fromURL: (text) => ({ year: Number(text) }),
  toURL: ({ year }) => String(year).padStart(4, "0"),
}, "year4");

/** Fails to compile unless the types are the same. */
function same<A, B>(..._: (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? [] : [never]): void {}

const ok = (text: string): HttpResponse => new HttpResponse(text);
const plain: View<unknown> = () => ok("plain");
const article = (_request: HttpRequest, { year, slug }: { year: number; slug: string }): HttpResponse =>
  ok(`${year.toFixed()} ${slug.toUpperCase()}`);

describe("the parameters of a view", () => {
  test("are those of the route, converted", () => {
    same<keyof RouteParams<"articles/">, never>();
    same<RouteParams<"<int:year>/<slug:slug>/<uuid:id>/<path:rest>/<name>">["year"], number>();
    same<RouteParams<"<int:year>/<slug:slug>/<uuid:id>/<path:rest>/<name>">["name"], string>();
    same<
      keyof RouteParams<"<int:year>/<slug:slug>/<uuid:id>/<path:rest>/<name>">,
      "year" | "slug" | "id" | "rest" | "name"
    >();
    path("articles/<int:year>/<slug:slug>/", article);
    path("articles/<int:year>/", (_request, { year }) => {
      same<typeof year, number>();
      return ok(year.toFixed());
    });
  });

  test("a view may want fewer, or none, or only that they are there", () => {
    path("articles/<int:year>/<slug:slug>/<page>/", article);
    path("articles/<int:year>/", plain);
    path("articles/<int:year>/", () => ok(""));
    path("articles/<int:year>/", (_request: HttpRequest, params: object) => ok(JSON.stringify(params)));
  });

  test("one that the route does not have does not compile", () => {
    // @ts-expect-error -- slug is missing
    path("articles/<int:year>/", article);
    // @ts-expect-error -- slug is missing, and nothing in the options says otherwise
    path("articles/<int:year>/", article, { name: "article" });
    path("articles/<int:year>/", (_request, params) => {
      // @ts-expect-error -- there is no month
      return ok(params.month);
    });
  });

  test("one of another type does not compile", () => {
    // @ts-expect-error -- year is text without its converter
    path("articles/<year>/<slug:slug>/", article);
    // @ts-expect-error -- no converter of this name: year could be anything
    expect(() => path("articles/<itn:year>/<slug:slug>/", article)).toThrow('there is no converter "itn"');
  });

  test("of a registered converter are of the type in ConverterTypes", () => {
    const view = (_request: HttpRequest, { year }: { year: Temporal }): HttpResponse => ok(`${year.year}`);
    const urlpatterns = defineUrls([path("<year4:year>/", view, { name: "year" })]);
    expect(reverse("year", { urlconf: urlpatterns, params: { year: { year: 33 } } })).toBe("/0033/");
    // @ts-expect-error -- a number is not what the converter takes
    path("<year4:year>/", (_request: HttpRequest, { year }: { year: number }) => ok(`${year}`));
  });

  test("extra arguments are parameters, too", () => {
    path("articles/<int:year>/", article, { kwargs: { slug: "all" } });
    // @ts-expect-error -- slug is a text
    path("articles/<int:year>/", article, { kwargs: { slug: 1 } });
  });

  test("rePath(): named groups are text; those that may be absent may be undefined; others have numbers", () => {
    rePath("^articles/(?<year>[0-9]{4})/$", (_request, { year }) => {
      same<typeof year, string>();
      return ok(year);
    });
    rePath("^articles/(?:(?<year>[0-9]{4})/)?$", (_request, { year }) => {
      same<typeof year, string | undefined>();
      return ok(year ?? "");
    });
    rePath("^articles/(?<!a)(?<year>[0-9]{4})/$", (_request, { year }) => {
      same<typeof year, string>();
      return ok(year);
    });
    rePath("^articles/([0-9]{4})/$", (_request, { 0: year }) => {
      same<typeof year, string | undefined>();
      return ok(year ?? "");
    });
    rePath(/^articles\/(?<year>[0-9]{4})\/$/, (_request: HttpRequest, { year }: { year: string }) => ok(year));
    // @ts-expect-error -- there is no month
    rePath("^articles/(?<year>[0-9]{4})/$", (_request: HttpRequest, { month }: { month: string }) => ok(month));
  });

  test("of an include reach the views within that say so", () => {
    const month = (_request: HttpRequest, { year, month }: { year: number; month: number }): HttpResponse =>
      ok(`${year + month}`);
    const inYear = within<{ year: number }>();
    const months = [inYear.path("<int:month>/", month, { name: "month" })];
    const urlpatterns = defineUrls([path("<int:year>/", include(months))]);
    expect(urls(urlpatterns).reverse("month", { params: { year: 1, month: 2 } })).toBe("/1/2/");
    // @ts-expect-error -- path() does not know that there will be a year
    path("<int:month>/", month);
    // @ts-expect-error -- the include has a year, but as text
    path("<year>/", include(months));
    // @ts-expect-error -- the include has no year
    path("years/", include(months));
    // @ts-expect-error -- the list is not included behind a year
    defineUrls([inYear.path("<int:month>/", month)]);
    // @ts-expect-error -- and cannot be a ROOT_URLCONF
    expect(resolveSettings({ ROOT_URLCONF: months }).ROOT_URLCONF).toBe(months);
    // One include may leave it to the next.
    path("<int:year>/", include([inYear.path("months/", include(months))]));
    // @ts-expect-error -- there is no year around the outer one
    path("years/", include([inYear.path("months/", include(months))]));
  });

  test("of a route that is no literal are not known", () => {
    const route: string = `articles/${"<int:year>"}/<slug>/`;
    path(route, article);
    rePath(route, article);
  });
});

describe("reverse()", () => {
  const polls = {
    appName: "polls",
    patterns: [
      path("", plain, { name: "index" }),
      path("<int:pk>/", plain, { name: "detail" }),
      path("unnamed/", plain),
    ],
  } as const;
  const urlpatterns = defineUrls([
    path("", plain, { name: "home" }),
    path("articles/<int:year>/<slug:slug>/", article, { name: "article" }),
    path("articles/", plain, { name: "articles" }),
    path("articles/<int:year>/", plain, { name: "articles" }),
    path("polls/", include(polls)),
    path("<slug:author>/polls/", include(polls, { namespace: "author-polls" })),
    path(
      "deep/",
      include({
        appName: "deep",
        patterns: [path("<int:level>/", include(polls))],
      }),
    ),
    rePath("^old/(?<year>[0-9]{4})/$", plain, { name: "old" }),
    path("default/<int:a>/", plain, { name: "default", kwargs: { b: 1 } }),
  ]);
  const site = urls(urlpatterns);

  test("takes the names and parameters that there are", () => {
    expect(site.reverse("home")).toBe("/");
    expect(site.reverse("home", { query: { page: 2 }, fragment: "top" })).toBe("/?page=2#top");
    expect(site.reverse("article", { params: { year: 2025, slug: "a" } })).toBe("/articles/2025/a/");
    expect(site.reverse("polls:detail", { params: { pk: 1 } })).toBe("/polls/1/");
    expect(site.reverse("author-polls:detail", { params: { author: "ann", pk: 1 } })).toBe("/ann/polls/1/");
    expect(site.reverse("deep:polls:detail", { params: { level: 2, pk: 1 } })).toBe("/deep/2/1/");
    expect(site.reverse("old", { params: { year: "1999" } })).toBe("/old/1999/");
    expect(site.reverse("default", { params: { a: 1, b: 1 } })).toBe("/default/1/");
    expect(reverse("polls:index", { urlconf: urlpatterns })).toBe("/polls/");
    expect(reverse("polls:detail", { urlconf: urlpatterns, params: { pk: 3 } })).toBe("/polls/3/");
  });

  test("takes the parameters of any pattern of a name", () => {
    expect(site.reverse("articles")).toBe("/articles/");
    expect(site.reverse("articles", { params: { year: 2025 } })).toBe("/articles/2025/");
  });

  test("an unknown name does not compile", () => {
    // @ts-expect-error -- a typing mistake
    expect(() => site.reverse("hoem")).toThrow("home");
    // @ts-expect-error -- it is within a namespace
    expect(() => site.reverse("detail", { params: { pk: 1 } })).toThrow("not found");
    // @ts-expect-error -- the namespace is another one
    expect(() => site.reverse("poll:index")).toThrow("not a registered namespace");
    // @ts-expect-error -- a typing mistake
    expect(() => reverse("hoem", { urlconf: urlpatterns })).toThrow("home");
  });

  test("a missing argument does not compile", () => {
    // @ts-expect-error -- there are none
    expect(() => site.reverse("article")).toThrow("no arguments");
    // @ts-expect-error -- slug is missing
    expect(() => site.reverse("article", { params: { year: 2025 } })).toThrow("year: 2025");
    // @ts-expect-error -- the include's is missing
    expect(() => site.reverse("author-polls:detail", { params: { pk: 1 } })).toThrow("not found");
    // @ts-expect-error -- there are none
    expect(() => reverse("article", { urlconf: urlpatterns })).toThrow("no arguments");
  });

  test("an argument of another type, or one too many, does not compile", () => {
    // @ts-expect-error -- year is a number
    site.reverse("article", { params: { year: "2025", slug: "a" } });
    // @ts-expect-error -- there is no page
    expect(() => site.reverse("articles", { params: { page: 1 } })).toThrow("not found");
  });

  test("by a view takes some of its parameters: others are extra arguments", () => {
    expect(site.reverse(article, { params: { year: 2025, slug: "a" } })).toBe("/articles/2025/a/");
    // @ts-expect-error -- year is a number
    expect(site.reverse(article, { params: { year: "2025", slug: "a" } })).toBe("/articles/2025/a/");
  });

  test("of a list that says nothing takes anything", () => {
    const list: readonly UrlPattern[] = urlpatterns;
    expect(reverse("article", { urlconf: list, params: { year: 1, slug: "a" } })).toBe("/articles/1/a/");
    expect(() => urls(list).reverse("hoem")).toThrow("home");
  });

  test("patterns without a name change nothing of what is known", () => {
    const list = defineUrls([
      path("a/", plain),
      path("b/", include([path("<path:rest>", plain)])),
      path("c/", mount(() => [])),
      path("d/", plain, { name: "d" }),
    ]);
    expect(urls(list).reverse("d")).toBe("/d/");
    // @ts-expect-error -- a typing mistake
    expect(() => urls(list).reverse("dd")).toThrow("not found");
  });

  test("a list without defineUrls() is known, too", () => {
    const list = [path("<int:a>/", plain, { name: "a" }), path("b/", plain, { name: "b" })];
    expect(urls(list).reverse("a", { params: { a: 1 } })).toBe("/1/");
    // @ts-expect-error -- a is missing
    expect(() => urls(list).reverse("a")).toThrow("no arguments");
  });
});
