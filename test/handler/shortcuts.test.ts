import { describe, expect, test } from "vitest";
import { DisallowedRedirect, Http404 } from "../../src/handler/exceptions.ts";
import { or404, redirect } from "../../src/handler/shortcuts.ts";

describe("redirect", () => {
  test.each([
    [{}, 302],
    [{ permanent: true }, 301],
    [{ preserveRequest: true }, 307],
    [{ permanent: true, preserveRequest: true }, 308],
  ])("%o: %i", (options, status) => {
    const response = redirect("/x/", options);
    expect(response.statusCode).toBe(status);
    expect(response.url).toBe("/x/");
  });

  test("leads to what has a page of its own, and to a URL object", () => {
    expect(redirect({ getAbsoluteURL: () => "/articles/7/" }).url).toBe("/articles/7/");
    expect(redirect(new URL("https://example.com/a b")).url).toBe("https://example.com/a%20b");
  });

  test("never to another scheme", () => {
    expect(() => redirect("javascript:alert(1)")).toThrow(DisallowedRedirect);
  });
});

describe("or404", () => {
  test("gives what there is, also where it is falsy", () => {
    for (const found of [0, "", false, Number.NaN, []]) expect(or404(found)).toBe(found);
  });

  test.each([null, undefined])("throws Http404 for %s", (nothing) => {
    expect(() => or404(nothing)).toThrow(Http404);
    expect(() => or404(nothing, "no such article")).toThrow("no such article");
  });
});
