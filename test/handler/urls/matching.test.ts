// The table of routes gives what a scan of all patterns in order gives, which is written here as Django has it; and what it
// costs does not depend on how many there are, or on what a client sends.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import { getResolver, include, path, rePath, URLPattern, type UrlPattern } from "../../../src/handler/urls/mod.ts";
import { RouteIndex } from "../../../src/handler/urls/route_index.ts";

const newView = (): View => () => new HttpResponse();

interface Found {
  readonly view: View;
  readonly kwargs: Record<string, unknown>;
  readonly args: readonly unknown[];
}

/** URLResolver.resolve() of Django 5.2, line by line. */
function scan(patterns: readonly UrlPattern[], path: string): Found | null {
  for (const pattern of patterns) {
    const match = pattern.pattern.match(path);
    if (match === null) continue;
    if (pattern instanceof URLPattern) {
      return { view: pattern.view, kwargs: { ...match.kwargs, ...pattern.kwargs }, args: match.args };
    }
    const found = scan(pattern.patterns, match.rest);
    if (found === null) continue;
    const kwargs = { ...match.kwargs, ...pattern.kwargs, ...found.kwargs };
    const args = Object.keys(kwargs).length === 0 ? [...match.args, ...found.args] : found.args;
    return { view: found.view, kwargs, args };
  }
  return null;
}

const pieces = ["a", "b", "ab", "a/", "b/", "/", "-", "1", ".", ""];
const literal = fc.constantFrom(...pieces);
const parameter = fc.constantFrom("int", "str", "slug", "path", "uuid");

/** A route of path(), with parameters of other names at each depth, so that most of it is seen in the result. */
const routes = (depth: number) =>
  fc.array(fc.tuple(literal, fc.option(parameter)), { maxLength: 4 }).map((parts) =>
    parts.map(([text, type], i) => text + (type === null ? "" : `<${type}:p${depth}${i}>`)).join("")
  );
const expressions = fc.constantFrom(
  ...["^a/", "^a/$", "^(\\d)/", "^(?<n>\\d)/$", "^a?/", "^ab*/", "a", "^(?:a|b)/", "b/$", "", "^a-(\\d)", "^(a)/?"],
);

interface Plan {
  readonly route: string;
  readonly isRegex: boolean;
  readonly kwargs: Record<string, number>;
  readonly within: readonly Plan[] | null;
}

function plans(depth: number): fc.Arbitrary<Plan[]> {
  const within: fc.Arbitrary<readonly Plan[] | null> = depth === 0
    ? fc.constant(null)
    : fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: plans(depth - 1) });
  const kwargs = fc.constantFrom({}, {}, {}, { k: 1 }, { p00: 2 });
  return fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ route: routes(depth), isRegex: fc.constant(false), kwargs, within }) },
      { weight: 1, arbitrary: fc.record({ route: expressions, isRegex: fc.constant(true), kwargs, within }) },
    ),
    { minLength: 1, maxLength: 6 },
  );
}

function build(list: readonly Plan[]): UrlPattern[] {
  return list.map(({ route, isRegex, kwargs, within }) => {
    const options = { kwargs };
    if (within === null) return isRegex ? rePath(route, newView(), options) : path(route, newView(), options);
    const included = include(build(within));
    return isRegex ? rePath(route, included, options) : path(route, included, options);
  });
}

/** Paths that most likely match: one way through the plan, with something for each parameter; or anything. */
function pathsOf(list: readonly Plan[]): fc.Arbitrary<string> {
  const values = fc.constantFrom("1", "a", "ab", "a-b", "a/b", "12", "075194d3-6885-417e-a8a8-6c931e272f00");
  const fill = ({ route, isRegex, within }: Plan): fc.Arbitrary<string> =>
    fc.tuple(
      isRegex
        ? fc.constantFrom("a/", "1/", "b/", "a-1", "", "ab/")
        : fc.infiniteStream(values).map((stream) => route.replace(/<[^>]*>/g, () => stream.next().value!)),
      within === null ? fc.constant("") : fc.oneof(...within.map(fill)),
    ).map(([one, rest]) => one + rest);
  const random = fc.array(fc.constantFrom(...pieces, "é", "//"), { maxLength: 6 }).map((parts) => parts.join(""));
  return fc.oneof({ weight: 2, arbitrary: fc.oneof(...list.map(fill)) }, { weight: 1, arbitrary: random });
}

describe("the table of routes", () => {
  test("gives what a scan in order gives, and makes URLs that resolve", () => {
    const cases = plans(2).chain((list) =>
      fc.tuple(fc.constant(list), fc.array(pathsOf(list), { minLength: 5, maxLength: 10 }))
    );
    let found = 0;
    fc.assert(
      fc.property(cases, ([list, paths]) => {
        const urlpatterns = build(list);
        for (const path of paths) {
          const match = getResolver(urlpatterns).find(`/${path}`);
          const expected = scan(urlpatterns, path);
          expect(match?.view ?? null).toBe(expected?.view ?? null);
          if (match === null || expected === null) continue;
          found++;
          expect(match.params).toEqual({ ...expected.args, ...expected.kwargs });
          expect(match.tried.at(-1)!.at(-1)).toMatchObject({ view: match.view });
        }
      }),
      { numRuns: 500 },
    );
    expect(found).toBeGreaterThan(500);
  });

  test("methods and hosts: as a scan of those that are for them", () => {
    const methods = fc.subarray(["GET", "POST", "PUT"], { minLength: 1 });
    const hosts = fc.constantFrom(undefined, "a.test", ".test", "b.test");
    const one = fc.record({ route: fc.constantFrom("a/", "<str:x>/", "<path:x>", ""), methods, host: hosts });
    fc.assert(
      fc.property(
        fc.array(one, { minLength: 1, maxLength: 8 }),
        fc.constantFrom("GET", "HEAD", "POST", "DELETE"),
        fc.constantFrom("a.test", "b.test", "c.other"),
        fc.constantFrom("a/", "b/", "b/c", ""),
        (list, method, host, url) => {
          const all = list.map(({ route, methods, host }) =>
            path(route, newView(), host === undefined ? { methods } : { methods, host })
          );
          const ofHost = all.filter((_, i) => {
            const wanted = list[i]!.host;
            return wanted === undefined || wanted === host || (wanted === ".test" && host.endsWith(".test"));
          });
          const fits = ofHost.filter((_, i) => {
            const { methods } = list[all.indexOf(ofHost[i]!)]!;
            return methods.includes(method) || (method === "HEAD" && methods.includes("GET"));
          });
          const match = getResolver(all).find(`/${url}`, { method, getHost: () => host });
          const expected = scan(fits, url);
          if (expected !== null) expect(match?.view).toBe(expected.view);
          // 405 or nothing.
          else expect(match !== null).toBe(scan(ofHost, url) !== null);
        },
      ),
    );
  });
});

describe("what it costs", () => {
  /** How many routes are looked at. */
  const candidates = (routes: readonly string[], path: string): number[] => {
    const index = new RouteIndex();
    routes.forEach((route, i) => index.add(outlineOf(route), i));
    return index.candidates(path);
  };
  const outlineOf = (route: string) => (path(route, newView()) as URLPattern).pattern.outline;

  test("of 1,000 routes those are looked at that have the path's segments", () => {
    const routes = Array.from({ length: 1000 }, (_, i) => `section-${i % 10}/<int:id>/item-${i}/<slug:slug>/`);
    expect(candidates(routes, "section-7/1/item-777/a/")).toEqual([777]);
    expect(candidates(routes, "section-7/1/item-778/a/")).toEqual([]);
    expect(candidates(routes, "section-7/1/item-777/a")).toEqual([]);
    expect(candidates([...routes, "<path:rest>"], "section-7/1/item-777/a/")).toEqual([777, 1000]);
    const tenants = Array.from({ length: 1000 }, (_, i) => `<slug:tenant>/${i}/`);
    expect(candidates(tenants, "x/500/")).toEqual([500]);
  });

  test("expressions of rePath() are found by the text that they begin with", () => {
    const prefixOf = (regex: string | RegExp) => (rePath(regex, newView()) as URLPattern).pattern.outline[0];
    expect(["^a/b/(\\d)", "^a/bc?/", "^a/b+/", "^a/bc*/", "^ab{0}/", "^a\\.b-c\\?", "^", "^a$"].map(prefixOf)).toEqual(
      ["a/b/", "a/b", "a/b", "a/b", "a", "a.b-c", "", "a"],
    );
    expect([/^a\/b\/(\d)/, /^a\/bc?\//, /^a\/?b/, /^\/a/].map(prefixOf)).toEqual(["a/b/", "a/b", "a", "/a"]);
    // These may begin with something else.
    expect([/^a\/|b/, /a/, /^A\//i, /^x/m, /(^a)/].map(prefixOf)).toEqual(["", "", "", "", ""]);
  });

  test.each([
    ["<slug:a>/<slug:b>/<slug:c>/", "a-".repeat(4000)],
    ["<path:a>/x/<path:b>/y", "x/".repeat(4000)],
    ["<slug:a>-<slug:b>/", "-".repeat(8000)],
    ["<int:a>/", "9".repeat(8000)],
    ["<uuid:a>/", "0".repeat(8000)],
    ["<str:a>.<str:b>/", ".".repeat(8000)],
  ])("%s: a path as long as a request line may be takes no more than a moment", (route, path_) => {
    const urlpatterns = [path(route, newView())];
    const start = performance.now();
    getResolver(urlpatterns).find(`/${path_}`);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test("a path of many slashes goes no deeper than the routes", () => {
    expect(getResolver([path("<str:a>/<str:b>/", newView())]).find("/".repeat(100_000))).toBeNull();
  });
});
