import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { requestUrl } from "../../src/bridges/request_url.ts";
import type { Environ } from "../../src/esgi/environ.ts";

interface Parts {
  target?: string | undefined;
  host?: string | undefined;
  scheme?: string;
  SCRIPT_NAME?: string;
  PATH_INFO?: string;
  QUERY_STRING?: string;
  REQUEST_METHOD?: string;
}

function urlOf({ target, host, scheme = "http", ...rest }: Parts): string {
  const environ: Record<string, unknown> = {
    REQUEST_METHOD: "GET",
    SCRIPT_NAME: "",
    PATH_INFO: "/",
    QUERY_STRING: "",
    SERVER_NAME: "server.example",
    SERVER_PORT: "8000",
    "esgi.url_scheme": scheme,
    ...rest,
  };
  if (target !== undefined) environ["esgi.target"] = target;
  if (host !== undefined) environ.HTTP_HOST = host;
  return requestUrl(environ as unknown as Environ);
}

describe("the URL of a request", () => {
  test.each([
    ["/", "http://a.example/"],
    ["/a/b?c=d&e", "http://a.example/a/b?c=d&e"],
    ["/a%20b?%C3%A9", "http://a.example/a%20b?%C3%A9"],
    ["//evil.example/a", "http://a.example//evil.example/a"],
    ["/a/../b/./c", "http://a.example/b/c"],
    ["/%2e%2E/a", "http://a.example/a"],
    ["/../../a", "http://a.example/a"],
    ["/.well-known/x", "http://a.example/.well-known/x"],
    ["/a\\b", "http://a.example/a/b"],
    ['/a|b"c', "http://a.example/a|b%22c"],
    ["/a b", "http://a.example/a%20b"],
    ["/a#b", "http://a.example/a%23b"],
    ["/?a='b'", "http://a.example/?a=%27b%27"],
    ["/?a=<b>", "http://a.example/?a=%3Cb%3E"],
    // One character of a raw target is one byte: é as UTF-8.
    ["/caf\xc3\xa9", "http://a.example/caf%C3%A9"],
    ["/a?b?c", "http://a.example/a?b?c"],
    ["/a?", "http://a.example/a?"],
    ["*", "http://a.example/*"],
    ["http://a.example/x?y", "http://a.example/x?y"],
    ["http://other.example:1/x", "http://a.example/x"],
    ["http://other.example", "http://a.example/"],
    ["http://other.example?q", "http://a.example/?q"],
    ["HTTP://other.example/x", "http://a.example/x"],
  ])("the target %s", (target, expected) => {
    expect(urlOf({ target, host: "a.example" })).toBe(expected);
  });

  test.each([
    ["a.example", "http://a.example/"],
    ["a.example:8080", "http://a.example:8080/"],
    ["a.example:80", "http://a.example/"],
    ["A.Example", "http://a.example/"],
    ["127.0.0.1:3000", "http://127.0.0.1:3000/"],
    ["[::1]:3000", "http://[::1]:3000/"],
    ["b\xfccher.example", "http://xn--bcher-kva.example/"],
    ["", "http://server.example:8000/"],
    [undefined, "http://server.example:8000/"],
    ["a b", "http://server.example:8000/"],
    ["user@a.example", "http://server.example:8000/"],
    ["a.example/x", "http://server.example:8000/"],
    ["a.example?x", "http://server.example:8000/"],
    ["a.example#x", "http://server.example:8000/"],
    ["a.example\\x", "http://server.example:8000/"],
    ["a.example:99999", "http://server.example:8000/"],
    [":80", "http://server.example:8000/"],
    ["1.2.3.4.5.6", "http://server.example:8000/"],
    ["[::1", "http://server.example:8000/"],
  ])("the Host %s", (host, expected) => {
    expect(urlOf({ target: "/", host })).toBe(expected);
    // Once more, now that it is known.
    expect(urlOf({ target: "/", host })).toBe(expected);
  });

  test("the scheme is the transport's", () => {
    expect(urlOf({ target: "/", host: "a", scheme: "https" })).toBe("https://a/");
    expect(urlOf({ target: "http://a/x", host: "a", scheme: "https" })).toBe("https://a/x");
    expect(urlOf({ target: "/", host: "a:443", scheme: "https" })).toBe("https://a/");
  });

  test("without a target: SCRIPT_NAME and PATH_INFO, encoded", () => {
    expect(urlOf({ host: "a", SCRIPT_NAME: "/app", PATH_INFO: "/é ?#", QUERY_STRING: "a=b" }))
      .toBe("http://a/app/%C3%A9%20%3F%23?a=b");
    expect(urlOf({ host: "a", PATH_INFO: "" })).toBe("http://a/");
    expect(urlOf({ host: "a", PATH_INFO: "", REQUEST_METHOD: "OPTIONS" })).toBe("http://a/*");
    expect(urlOf({ host: "a", PATH_INFO: "/\ud800" })).toBe("http://a/%EF%BF%BD");
  });

  test("whatever comes, it is what the URL parser makes of it, on the same host", () => {
    const odd = fc.array(fc.constantFrom(..."/.?%2eE\\|\"'#@:;<> ^`{}é\t~[]*az"), { maxLength: 12 });
    const target = fc.oneof(fc.string(), fc.string({ unit: "binary" }), odd.map((parts) => parts.join("")));
    fc.assert(
      fc.property(
        target,
        fc.option(fc.oneof(fc.string(), odd.map((parts) => parts.join("")), fc.domain())),
        (rest, host) => {
          const url = urlOf({ target: `/${rest}`, host: host ?? undefined });
          expect(new URL(url).href).toBe(url);
          const fixed = urlOf({ target: `/${rest}`, host: "a.example" });
          expect(new URL(fixed).href).toBe(fixed);
          expect(new URL(fixed).origin).toBe("http://a.example");
          expect(new URL(fixed).hash).toBe("");
        },
      ),
      { numRuns: 500 },
    );
  });
});
