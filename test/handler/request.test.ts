// HttpRequest (Django's tests/requests_tests): what each part of a request becomes, also of a client that sends nonsense.

import { describe, expect, test } from "vitest";
import type { Environ } from "../../src/esgi/environ.ts";
import { InputBuffer, InputError } from "../../src/esgi/input.ts";
import { type EnvironOptions, makeEnviron } from "../../src/esgi/testing.ts";
import {
  BadRequest,
  DisallowedHost,
  MultiPartParserError,
  RequestDataTooBig,
  TooManyFieldsSent,
  TooManyFilesSent,
  UnreadablePostError,
} from "../../src/handler/exceptions.ts";
import { HttpRequest, validateHost } from "../../src/handler/request.ts";
import { RawPostDataException } from "../../src/handler/request_body.ts";
import { type HandlerSettings, resolveSettings } from "../../src/handler/settings.ts";
import { BadSignature, getCookieSigner, SignatureExpired } from "../../src/handler/signing.ts";
import { type FileUploadHandler, MemoryFileUploadHandler, type StoredFile } from "../../src/handler/uploads.ts";

const encoder = new TextEncoder();

function make(options: EnvironOptions | string = {}, settings: HandlerSettings = {}): HttpRequest {
  return new HttpRequest(makeEnviron(options), resolveSettings({ ALLOWED_HOSTS: ["*"], ...settings }));
}

/** One whose only field is of interest. */
const withHeaders = (headers: Record<string, string>, settings: HandlerSettings = {}): HttpRequest =>
  make({ headers }, settings);

const URLENCODED = "application/x-www-form-urlencoded";
const post = (body: EnvironOptions["body"], type = URLENCODED, settings: HandlerSettings = {}): HttpRequest =>
  make({ method: "POST", body: body!, headers: { "Content-Type": type } }, settings);

const MULTIPART = "multipart/form-data; boundary=b";
const FORM = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' +
  '--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n\r\nfile\r\n--b--\r\n';

/** A body that comes in pieces, then breaks off. */
function broken(
  fault: "disconnected" | "timeout" | "too-large" | "malformed",
  headers: Record<string, string>,
): HttpRequest {
  const environ = makeEnviron({ method: "POST", headers });
  const input = new InputBuffer({ wanted: () => input.fail(new InputError(fault, "it broke off")) });
  environ["esgi.input"] = input;
  return new HttpRequest(environ, resolveSettings());
}

describe("path, pathInfo and method", () => {
  test("path is SCRIPT_NAME and PATH_INFO", () => {
    const request = make({ path: "/site/caf%C3%A9/?a=1", scriptName: "/site" });
    expect([request.path, request.pathInfo, request.method]).toEqual(["/site/caf\u00e9/", "/caf\u00e9/", "GET"]);
    expect(request.META).toBe(request.environ);
  });

  test("an empty PATH_INFO is /", () => {
    const request = make({ environ: { SCRIPT_NAME: "/site", PATH_INFO: "" } });
    expect([request.path, request.pathInfo]).toEqual(["/site/", "/"]);
    const options = make({ method: "OPTIONS", target: "*" });
    expect([options.path, options.pathInfo]).toEqual(["/", "/"]);
  });

  test("methods are as they were sent", () => {
    expect(make({ method: "patch" }).method).toBe("patch");
  });

  test("nothing has happened to a new request", () => {
    const request = make("/");
    expect([request.resolverMatch, request.urlconf, request.state]).toEqual([null, null, {}]);
    expect(request.signal).toBe(request.environ["esgi.signal"]);
    expect(request.close()).toBe(undefined);
    expect(String(make("/a?b=c"))).toBe("GET /a?b=c");
  });
});

describe("getFullPath", () => {
  test.each([
    ["/", "", "/"],
    ["/a b/\u00e9", "", "/a%20b/%C3%A9"],
    ["/;some/?awful/=path/foo:bar/", "", "/%3Bsome/%3Fawful/%3Dpath/foo:bar/"],
    ["/a#b%41", "", "/a%23b%2541"],
    ["/a", "b=c&d=%20e", "/a?b=c&d=%20e"],
    ["/a", 'x="<\u00e9>\\^`{|}', "/a?x=%22%3C%C3%A9%3E%5C%5E%60%7B%7C%7D"],
    ["//evil", "", "//evil"],
  ])("%j and %j: %j", (path, query, full) => {
    const request = make({ environ: { PATH_INFO: path, QUERY_STRING: query } });
    expect(request.getFullPath()).toBe(full);
    expect(request.getFullPathInfo()).toBe(full);
  });

  test("forceAppendSlash, and getFullPathInfo without SCRIPT_NAME", () => {
    const request = make({ path: "/site/a?b=/", scriptName: "/site" });
    expect(request.getFullPath(true)).toBe("/site/a/?b=/");
    expect(request.getFullPathInfo()).toBe("/a?b=/");
    expect(make("/a/").getFullPath(true)).toBe("/a/");
  });
});

describe("headers", () => {
  const request = withHeaders({
    "Content-Type": "text/html",
    "Content-Length": "100",
    "User-Agent": "python-requests/1.2.0",
    "X-Request-Id": "7",
    "X_Evil": "x",
  });

  test("are found by names of any case", () => {
    for (const name of ["User-Agent", "user-agent", "USER-AGENT"]) {
      expect(request.headers.get(name)).toBe("python-requests/1.2.0");
      expect(request.headers.has(name)).toBe(true);
    }
    expect(request.headers.get("content-type")).toBe("text/html");
    expect(request.headers.get("Content-Length")).toBe("100");
    expect(request.headers.get("Nope")).toBe(null);
    expect(request.headers.has("X-Evil")).toBe(false);
  });

  test("are iterated by their names", () => {
    expect(Object.fromEntries(request.headers)).toEqual({
      Host: "localhost",
      "Content-Type": "text/html",
      "Content-Length": "100",
      "User-Agent": "python-requests/1.2.0",
      "X-Request-Id": "7",
    });
    expect([...request.headers.keys()]).toHaveLength(5);
    expect([...request.headers.values()]).toContain("7");
  });

  test("a middleware's change of META shows", () => {
    const other = make("/");
    other.META.HTTP_X_ADDED = "1";
    expect(other.headers.get("X-Added")).toBe("1");
  });
});

describe("content type", () => {
  test.each<[string | undefined, string, Record<string, string>]>([
    [undefined, "", {}],
    ["Text/HTML; Charset=UTF-8", "text/html", { charset: "UTF-8" }],
    ['multipart/form-data; boundary="a;b"', "multipart/form-data", { boundary: "a;b" }],
    ["; charset=x", "", { charset: "x" }],
  ])("%j", (field, type, params) => {
    const request = withHeaders(field === undefined ? {} : { "Content-Type": field });
    expect([request.contentType, { ...request.contentParams }]).toEqual([type, params]);
  });

  test("encoding is the charset, where that is one", () => {
    expect(withHeaders({ "Content-Type": "text/plain; charset=latin1" }).encoding).toBe("latin1");
    expect(withHeaders({ "Content-Type": "text/plain; charset=klingon" }).encoding).toBe("utf-8");
    expect(withHeaders({}, { DEFAULT_CHARSET: "shift_jis" }).encoding).toBe("shift_jis");
  });
});

describe("GET", () => {
  test("is the query, immutable, and made once", () => {
    const request = make("/?a=1&a=2&b=%C3%A9+x");
    expect(request.GET.getAll("a")).toEqual(["1", "2"]);
    expect(request.GET.get("b")).toBe("\u00e9 x");
    expect(request.GET).toBe(request.GET);
    expect(() => request.GET.set("a", "b")).toThrow(TypeError);
  });

  test("DATA_UPLOAD_MAX_NUMBER_FIELDS", () => {
    expect(() => make("/?a&b&c", { DATA_UPLOAD_MAX_NUMBER_FIELDS: 2 }).GET).toThrow(TooManyFieldsSent);
    expect(make("/?a&b&c", { DATA_UPLOAD_MAX_NUMBER_FIELDS: null }).GET.size).toBe(3);
  });
});

describe("COOKIES", () => {
  test.each<[string, Record<string, string>]>([
    ["", {}],
    ["a=1; b=2", { a: "1", b: "2" }],
    ["a=1;b=2;;  ; c=3", { a: "1", b: "2", c: "3" }],
    ["a=first; a=second", { a: "first" }],
    ["a=b=c; =x; y", { a: "b=c" }],
    ['a="quoted"; b="; c="', { a: "quoted", b: '"', c: '"' }],
    ["a=%C3%A9%20x; b=100%; c=%ff", { a: "\u00e9 x", b: "100%", c: "%ff" }],
    ["a = 1 ; b\t=\t2", { a: "1", b: "2" }],
    ["__proto__=1; constructor=2", { ["__proto__"]: "1", constructor: "2" }],
    ['a[b]={"c":1}', { "a[b]": '{"c":1}' }],
    ["\u00e9=\u00fc", { "\u00e9": "\u00fc" }],
  ])("%j", (field, cookies) => {
    const request = make({ environ: { HTTP_COOKIE: field } });
    expect(Object.entries(request.COOKIES)).toEqual(Object.entries(cookies));
    expect(Object.getPrototypeOf(request.COOKIES)).toBe(null);
    expect(request.COOKIES).toBe(request.COOKIES);
  });

  test("without a Cookie field there are none", () => {
    expect(Object.keys(make("/").COOKIES)).toEqual([]);
  });
});

describe("getSignedCookie", () => {
  const SECRET_KEY = "s".repeat(50);
  const signed = (name: string, value: string): Promise<string> => getCookieSigner(SECRET_KEY, name).sign(value);
  const withCookie = (value: string, settings: HandlerSettings = { SECRET_KEY }): HttpRequest =>
    withHeaders({ Cookie: `c=${value}` }, settings);

  test("gives the value that was signed", async () => {
    expect(await withCookie(await signed("c", "hello")).getSignedCookie("c")).toBe("hello");
    expect(await withCookie(await signed("cpepper", "hello")).getSignedCookie("c", { salt: "pepper" })).toBe("hello");
    expect(await withCookie(await signed("c", "hello")).getSignedCookie("c", { maxAge: 60 })).toBe("hello");
  });

  test("missing, forged or too old: an error, or the default", async () => {
    const forged = withCookie(`${await signed("c", "hello")}x`);
    await expect(forged.getSignedCookie("c")).rejects.toThrow(BadSignature);
    expect(await forged.getSignedCookie("c", { default: null })).toBe(null);
    const good = withCookie(await signed("c", "hello"));
    await expect(good.getSignedCookie("d")).rejects.toThrow('there is no cookie "d"');
    await expect(good.getSignedCookie("toString")).rejects.toThrow(BadSignature);
    expect(await good.getSignedCookie("d", { default: "none" })).toBe("none");
    await expect(good.getSignedCookie("c", { salt: "other" })).rejects.toThrow(BadSignature);
    await expect(good.getSignedCookie("c", { maxAge: -1 })).rejects.toThrow(SignatureExpired);
    const renamed = withCookie(await signed("other", "hello"));
    await expect(renamed.getSignedCookie("c")).rejects.toThrow(BadSignature);
  });

  test("without SECRET_KEY it is the project's fault, whatever the default", async () => {
    await expect(withCookie("x:y:z", {}).getSignedCookie("c", { default: null })).rejects.toThrow("SECRET_KEY");
  });
});

describe("getHost and ALLOWED_HOSTS", () => {
  const hosts = (host: string, settings: HandlerSettings): HttpRequest =>
    make({ environ: { HTTP_HOST: host } }, settings);
  const ALLOWED_HOSTS = [
    "forward.com",
    "example.com",
    "internal.com",
    "12.34.56.78",
    "[2001:19f0:feee::dead:beef:cafe]",
    "xn--4ca9at.com",
    ".multitenant.com",
    "INSENSITIVE.com",
    "[::ffff:169.254.169.254]",
  ];

  test.each([
    "example.com",
    "example.com:80",
    "example.com.",
    "example.com.:8000",
    "12.34.56.78",
    "12.34.56.78:443",
    "[2001:19f0:feee::dead:beef:cafe]",
    "[2001:19f0:feee::dead:beef:cafe]:8080",
    "xn--4ca9at.com",
    "anything.multitenant.com",
    "multitenant.com",
    "insensitive.com",
    "example.CoM",
    "[::ffff:169.254.169.254]",
  ])("%s is allowed", (host) => {
    expect(hosts(host, { ALLOWED_HOSTS }).getHost()).toBe(host);
  });

  test.each([
    "",
    " ",
    "example.com@evil.tld",
    "example.com:dr.frankenstein@evil.tld",
    "example.com:dr.frankenstein@evil.tld:80",
    "example.com:80/badpath",
    "example.com: recovermypassword.com",
    "example.com, evil.com",
    "example.com\r\nX: y",
    "other.com",
    "notmultitenant.com",
    "multitenant.com.evil.com",
    "example.com..",
    ".",
    "[::1",
    "[]",
    "[example.com]",
    "\u00e9xample.com",
    "exam_ple.com",
  ])("%j is DisallowedHost", (host) => {
    expect(() => hosts(host, { ALLOWED_HOSTS }).getHost()).toThrow(DisallowedHost);
  });

  test("what no host can be is refused even with *", () => {
    expect(hosts("anything.at.all", { ALLOWED_HOSTS: ["*"] }).getHost()).toBe("anything.at.all");
    expect(() => hosts("a b", { ALLOWED_HOSTS: ["*"] }).getHost()).toThrow("it is no host name and no address");
  });

  test("each host is looked at by itself, whatever was asked for before it", () => {
    const allowed = ["example.com"];
    const settings = resolveSettings({ ALLOWED_HOSTS: allowed });
    const ask = (host: string) => () => new HttpRequest(makeEnviron({ headers: { Host: host } }), settings).getHost();
    expect(ask("example.com:80")()).toBe("example.com:80");
    expect(ask("evil.com")).toThrow(DisallowedHost);
    expect(ask("evil.com")).toThrow(DisallowedHost);
    expect(ask("example.com:80")()).toBe("example.com:80");
    allowed.pop();
    expect(ask("example.com:80")).toThrow(DisallowedHost);
  });

  test("the error says what to add to ALLOWED_HOSTS", () => {
    expect(() => hosts("other.com:80", { ALLOWED_HOSTS: [] }).getHost())
      .toThrow('invalid Host "other.com:80": if it is this site, add "other.com" to ALLOWED_HOSTS');
  });

  test("without ALLOWED_HOSTS: with DEBUG this machine, else none", () => {
    for (const host of ["localhost", "subdomain.localhost", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000"]) {
      expect(hosts(host, { DEBUG: true, ALLOWED_HOSTS: [] }).getHost()).toBe(host);
      expect(() => hosts(host, { ALLOWED_HOSTS: [] }).getHost()).toThrow(DisallowedHost);
      expect(() => hosts(host, { DEBUG: true, ALLOWED_HOSTS: ["example.com"] }).getHost()).toThrow(DisallowedHost);
    }
    expect(() => hosts("example.com", { DEBUG: true, ALLOWED_HOSTS: [] }).getHost()).toThrow(DisallowedHost);
  });

  test("without a Host field it is the server's name, with a port that is not the scheme's", () => {
    const server = (SERVER_PORT: string, settings: HandlerSettings = {}): string => {
      const environ = makeEnviron({ protocol: "HTTP/1.0", environ: { SERVER_NAME: "internal.com", SERVER_PORT } });
      delete environ.HTTP_HOST;
      return new HttpRequest(environ, resolveSettings({ ALLOWED_HOSTS, ...settings })).getHost();
    };
    expect(server("80")).toBe("internal.com");
    expect(server("8042")).toBe("internal.com:8042");
  });

  test("USE_X_FORWARDED_HOST", () => {
    const environ = { HTTP_X_FORWARDED_HOST: "forward.com", HTTP_HOST: "example.com" };
    expect(make({ environ }, { ALLOWED_HOSTS }).getHost()).toBe("example.com");
    expect(make({ environ }, { ALLOWED_HOSTS, USE_X_FORWARDED_HOST: true }).getHost()).toBe("forward.com");
    expect(hosts("example.com", { ALLOWED_HOSTS, USE_X_FORWARDED_HOST: true }).getHost()).toBe("example.com");
    const evil = make({ environ: { HTTP_X_FORWARDED_HOST: "evil.com" } }, {
      ALLOWED_HOSTS,
      USE_X_FORWARDED_HOST: true,
    });
    expect(() => evil.getHost()).toThrow(DisallowedHost);
  });

  test("validate_host", () => {
    expect(validateHost("a.example.com", [".Example.com"])).toBe(true);
    expect(validateHost("example.com", [".example.com"])).toBe(true);
    expect(validateHost("badexample.com", [".example.com"])).toBe(false);
    expect(validateHost("", ["*", "."])).toBe(false);
  });
});

describe("getPort", () => {
  test("is the server's, or X-Forwarded-Port with USE_X_FORWARDED_PORT", () => {
    const environ = { SERVER_PORT: "8080", HTTP_X_FORWARDED_PORT: "80" };
    expect(make({ environ }).getPort()).toBe("8080");
    expect(make({ environ }, { USE_X_FORWARDED_PORT: true }).getPort()).toBe("80");
    expect(make({ environ: { SERVER_PORT: "8080" } }, { USE_X_FORWARDED_PORT: true }).getPort()).toBe("8080");
  });
});

describe("isSecure and SECURE_PROXY_SSL_HEADER", () => {
  const SECURE_PROXY_SSL_HEADER = ["HTTP_X_FORWARDED_PROTO", "https"] as const;

  test("is the server's scheme without the setting, whatever the header", () => {
    expect(make({ scheme: "https" }).isSecure()).toBe(true);
    expect(withHeaders({ "X-Forwarded-Proto": "https" }).isSecure()).toBe(false);
  });

  test.each(
    [
      [undefined, "http", "http"],
      [undefined, "https", "https"],
      ["https", "http", "https"],
      ["http", "https", "http"],
      ["wrongvalue", "http", "http"],
      ["wrongvalue", "https", "http"],
      ["", "https", "http"],
      ["https, http", "http", "https"],
      ["http,https", "http", "http"],
      [" https , http", "http", "https"],
    ] as const,
  )("header %j, server %s: %s", (header, scheme, expected) => {
    const environ = header === undefined ? {} : { HTTP_X_FORWARDED_PROTO: header };
    const request = make({ scheme, environ }, { SECURE_PROXY_SSL_HEADER });
    expect([request.scheme, request.isSecure()]).toEqual([expected, expected === "https"]);
  });
});

describe("buildAbsoluteURI (RFC 3986 §5)", () => {
  const at = (path: string, environ: Partial<Environ> = {}): HttpRequest =>
    make({ environ: { HTTP_HOST: "example.com", PATH_INFO: path, ...environ } });

  test.each([
    ["/path/to", undefined, "http://example.com/path/to?q=1"],
    ["//evil.com/x", undefined, "http://example.com//evil.com/x?q=1"],
    ["/path/to", "", "http://example.com/path/to"],
    ["/path/to", "?a=b", "http://example.com/path/to?a=b"],
    ["/path/to", "#f", "http://example.com/path/to#f"],
    ["/path/to", "foo", "http://example.com/path/foo"],
    ["/path/to", "../foo/./bar", "http://example.com/foo/bar"],
    ["/path/to", "../../../foo", "http://example.com/foo"],
    ["/path/to", "/foo/bar/", "http://example.com/foo/bar/"],
    ["/path/to", "//other.com/x", "http://other.com/x"],
    ["/path/to", "https://other.com/x?y#z", "https://other.com/x?y#z"],
    ["/path/to", "mailto:a@example.com", "mailto:a@example.com"],
    ["/path/to", "/\u00e9 x", "http://example.com/%C3%A9%20x"],
    ["/caf\u00e9;a/?b", "c", "http://example.com/caf%C3%A9%3Ba/c"],
  ])("at %j, %j is %j", (path, location, uri) => {
    expect(at(path, { QUERY_STRING: "q=1" }).buildAbsoluteURI(location)).toBe(uri);
  });

  test("has the client's scheme, host and port", () => {
    const request = make({ scheme: "https", environ: { HTTP_HOST: "example.com:8443" } });
    expect(request.buildAbsoluteURI("/a")).toBe("https://example.com:8443/a");
  });

  test("hosts that are not allowed, or that no URL has, are DisallowedHost", () => {
    expect(() => make({ environ: { HTTP_HOST: "evil.com" } }, { ALLOWED_HOSTS: ["a"] }).buildAbsoluteURI("/"))
      .toThrow(DisallowedHost);
    expect(() => at("/", { HTTP_HOST: "999.1.1.1" }).buildAbsoluteURI("/")).toThrow(DisallowedHost);
    expect(() => at("/", { HTTP_HOST: "example.com:99999" }).buildAbsoluteURI("/")).toThrow(DisallowedHost);
  });
});

describe("Accept", () => {
  const accepting = (Accept: string | null): HttpRequest => withHeaders(Accept === null ? {} : { Accept });

  test("acceptedTypes: the best first, those with q=0 left out", () => {
    const request = accepting("text/*;q=0.5, text/html, image/png;q=0, */*;q=0.1, application/json;q=0.5");
    expect(request.acceptedTypes.map(String)).toEqual(["text/html", "text/*", "application/json", "*/*"]);
    expect(accepting(null).acceptedTypes.map(String)).toEqual(["*/*"]);
    expect(accepting("").acceptedTypes).toEqual([]);
  });

  test.each([
    [null, "text/html", true],
    ["", "text/html", false],
    ["*/*", "application/json", true],
    ["text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "application/json", true],
    ["text/html", "application/json", false],
    ["text/*", "text/html", true],
    ["text/html;q=0, */*", "text/html", false],
    ["text/html;q=0, */*", "text/plain", true],
    ["text/*;q=0, text/html", "text/html", true],
    ["text/html;q=0.001", "text/html", true],
    ['application/json;profile="a,b"', 'application/json;profile="a,b"', true],
    ["nonsense;;=,,/", "text/html", false],
  ])("Accept %j accepts %j: %s", (field, type, expected) => {
    expect(accepting(field).accepts(type)).toBe(expected);
  });

  test.each([
    ["text/html, application/json", ["application/json", "text/html"], "application/json"],
    ["text/html;q=0.4, application/json;q=0.5", ["text/html", "application/json"], "application/json"],
    ["*/*", ["application/json", "text/html"], "application/json"],
    ["text/*;q=0.9, text/plain;q=0.1, */*;q=0.5", ["text/plain", "application/json", "text/html"], "text/html"],
    ["text/html;q=0, */*;q=0.1", ["text/html", "application/json"], "application/json"],
    ["image/png", ["text/html"], null],
    ["*/*", [], null],
    [null, ["text/html"], "text/html"],
  ])("Accept %j prefers of %j %j", (field, types, expected) => {
    expect(accepting(field).getPreferredType(types)).toBe(expected);
  });
});

describe("body", () => {
  test("is read once, and kept", async () => {
    const request = post("hello", "text/plain");
    expect(await request.body).toEqual(encoder.encode("hello"));
    expect(await request.body).toBe(await request.body);
    const chunks = [];
    for await (const chunk of request.stream()) chunks.push(...chunk);
    expect(chunks).toEqual([...encoder.encode("hello")]);
    expect((await make("/").body).length).toBe(0);
  });

  test("a chunked body, of which nobody knows the length", async () => {
    const request = make({ method: "POST", body: ["a", "bc", "", "def"] });
    expect(request.META.CONTENT_LENGTH).toBe(undefined);
    expect(await request.body).toEqual(encoder.encode("abcdef"));
  });

  test("a million pieces of one byte each", async () => {
    const request = make({ method: "POST", body: Array.from({ length: 1e5 }, () => "x") });
    expect((await request.body).length).toBe(1e5);
  });

  test("DATA_UPLOAD_MAX_MEMORY_SIZE: Content-Length is asked first, and nothing read", async () => {
    const settings = { DATA_UPLOAD_MAX_MEMORY_SIZE: 5 };
    expect((await post("12345", "text/plain", settings).body).length).toBe(5);
    const request = post("123456", "text/plain", settings);
    await expect(request.body).rejects.toThrow(RequestDataTooBig);
    await expect(request.body).rejects.toThrow("DATA_UPLOAD_MAX_MEMORY_SIZE");
    expect((await request.environ["esgi.input"].bytes()).length).toBe(6);
    expect((await post("123456", "text/plain", { DATA_UPLOAD_MAX_MEMORY_SIZE: null }).body).length).toBe(6);
  });

  test("DATA_UPLOAD_MAX_MEMORY_SIZE: a chunked body is cut off while it comes", async () => {
    let pieces = 0;
    const endless = async function* (): AsyncGenerator<string> {
      for (;; pieces++) yield "x".repeat(1000);
    };
    const request = make({ method: "POST", body: endless() }, { DATA_UPLOAD_MAX_MEMORY_SIZE: 5000 });
    await expect(request.body).rejects.toThrow(RequestDataTooBig);
    expect(pieces).toBeLessThan(20);
  });

  test.each(["disconnected", "timeout", "malformed"] as const)(
    "%s: UnreadablePostError, with its cause",
    async (fault) => {
      for (const headers of [{ "Content-Length": "10" }, { "Transfer-Encoding": "chunked" }]) {
        const error: unknown = await broken(fault, headers).body.catch((error: unknown) => error);
        expect(error).toBeInstanceOf(UnreadablePostError);
        expect((error as Error).cause).toMatchObject({ name: "InputError", fault });
      }
      const form = broken(fault, { "Content-Length": "10", "Content-Type": MULTIPART });
      await expect(form.POST).rejects.toThrow(UnreadablePostError);
      await expect(form.FILES).rejects.toThrow(UnreadablePostError);
      await expect(broken(fault, {}).stream().next()).rejects.toThrow(UnreadablePostError);
      await expect(broken(fault, {}).json()).rejects.toThrow(UnreadablePostError);
    },
  );

  test("more than the server lets through: RequestDataTooBig", async () => {
    await expect(broken("too-large", {}).body).rejects.toThrow(RequestDataTooBig);
  });

  test("after stream() there is no body and no form: RawPostDataException", async () => {
    const request = post("a=1");
    await request.stream().next();
    await expect(request.body).rejects.toThrow(RawPostDataException);
    await expect(request.POST).rejects.toThrow(RawPostDataException);
    await expect(request.json()).rejects.toThrow(RawPostDataException);
    await expect(request.stream().next()).rejects.toThrow(RawPostDataException);
  });

  test("stream() has no limit", async () => {
    let length = 0;
    for await (const chunk of post("x".repeat(1000), "text/plain", { DATA_UPLOAD_MAX_MEMORY_SIZE: 5 }).stream()) {
      length += chunk.length;
    }
    expect(length).toBe(1000);
  });
});

describe("json", () => {
  test.each(["{}", "[1]", '"\u00e9"', "null", " 1 "])("%s", async (text) => {
    expect(await post(text, "application/json").json()).toEqual(JSON.parse(text));
  });

  test.each(["", "{", "{'a':1}", "undefined", "{} {}", "NaN"])("%j is BadRequest", async (text) => {
    await expect(post(text, "application/json").json()).rejects.toThrow(BadRequest);
  });

  test("what is not UTF-8 is BadRequest", async () => {
    await expect(post(new Uint8Array([0x22, 0xff, 0x22]), "application/json").json()).rejects.toThrow(BadRequest);
  });

  test("__proto__ is a key as any other", async () => {
    const value = await post('{"__proto__": {"admin": true}}', "application/json").json<Record<string, unknown>>();
    expect(value["admin"]).toBe(undefined);
  });
});

describe("POST and FILES", () => {
  test("application/x-www-form-urlencoded, and the body still there", async () => {
    const request = post("name=value&name=%C3%A9+%zz&x");
    expect([...(await request.POST).lists()]).toEqual([["name", ["value", "\u00e9 %zz"]], ["x", [""]]]);
    expect((await request.FILES).size).toBe(0);
    expect(await request.body).toEqual(encoder.encode("name=value&name=%C3%A9+%zz&x"));
    expect((await request.POST).get("x")).toBe("");
  });

  test("an urlencoded form of another charset than UTF-8 is BadRequest", async () => {
    expect((await post("a=1", `${URLENCODED}; charset=UTF-8`).POST).get("a")).toBe("1");
    await expect(post("a=1", `${URLENCODED}; charset=iso-8859-1`).POST).rejects.toThrow(BadRequest);
  });

  test("multipart/form-data, streamed", async () => {
    const request = post(FORM, MULTIPART);
    expect((await request.POST).get("a")).toBe("1");
    const file = (await request.FILES).get("f")!;
    expect([file.name, await file.text()]).toEqual(["x.txt", "file"]);
    await expect(request.body).rejects.toThrow(RawPostDataException);
    await request.close();
  });

  test("multipart/form-data without Content-Length", async () => {
    expect((await (post([...FORM], MULTIPART)).POST).get("a")).toBe("1");
  });

  test("multipart/form-data after body was read", async () => {
    const request = post(FORM, MULTIPART);
    await request.body;
    expect((await request.POST).get("a")).toBe("1");
    expect((await request.FILES).size).toBe(1);
    expect((await request.body).length).toBe(FORM.length);
  });

  test("the charset of a multipart form", async () => {
    const body = Uint8Array.from(FORM.replace("1", "\xe9"), (character) => character.charCodeAt(0));
    expect((await post(body, `${MULTIPART}; charset=latin1`).POST).get("a")).toBe("\u00e9");
  });

  test.each([
    ["GET", URLENCODED],
    ["PUT", URLENCODED],
    ["PUT", MULTIPART],
    ["POST", "text/plain"],
    ["POST", "application/json"],
    ["POST", "multipart/mixed; boundary=b"],
  ])("%s with %s has no form, and its body is left", async (method, type) => {
    const request = make({ method, body: "a=1", headers: { "Content-Type": type } });
    expect((await request.POST).size).toBe(0);
    expect((await request.FILES).size).toBe(0);
    expect((await request.body).length).toBe(3);
  });

  test.each([
    ["multipart/form-data", FORM],
    ["multipart/form-data; boundary=", FORM],
    [`multipart/form-data; boundary=${"x".repeat(71)}`, FORM],
    ["multipart/form-data; boundary=c", FORM],
    [MULTIPART, FORM.slice(0, -5)],
  ])("%s, malformed, is MultiPartParserError each time it is asked for", async (type, body) => {
    const request = post(body, type);
    await expect(request.POST).rejects.toThrow(MultiPartParserError);
    await expect(request.POST).rejects.toThrow(MultiPartParserError);
    await expect(request.FILES).rejects.toThrow(MultiPartParserError);
    await request.close();
  });

  test("the limits of the settings", async () => {
    await expect(post("a&b", URLENCODED, { DATA_UPLOAD_MAX_NUMBER_FIELDS: 1 }).POST).rejects.toThrow(TooManyFieldsSent);
    await expect(post("a=1", URLENCODED, { DATA_UPLOAD_MAX_MEMORY_SIZE: 2 }).POST).rejects.toThrow(RequestDataTooBig);
    await expect(post(FORM, MULTIPART, { DATA_UPLOAD_MAX_NUMBER_FIELDS: 0 }).POST).rejects.toThrow(TooManyFieldsSent);
    await expect(post(FORM, MULTIPART, { DATA_UPLOAD_MAX_NUMBER_FILES: 0 }).POST).rejects.toThrow(TooManyFilesSent);
    await expect(post(FORM, MULTIPART, { DATA_UPLOAD_MAX_MEMORY_SIZE: 3 }).POST).rejects.toThrow(RequestDataTooBig);
    await expect(post(FORM, MULTIPART, { FILE_UPLOAD_MAX_MEMORY_SIZE: 3 }).POST).rejects.toThrow("FILE_UPLOAD_STORAGE");
    // A whole multipart body may be larger than what its fields may be.
    expect((await post(FORM, MULTIPART, { DATA_UPLOAD_MAX_MEMORY_SIZE: 4 }).POST).get("a")).toBe("1");
  });

  test("FILE_UPLOAD_STORAGE has what is too much for memory, until close()", async () => {
    const events: string[] = [];
    const file: StoredFile = {
      write: async (chunk) => void events.push(`write ${chunk.length}`),
      close: async () => void events.push("close"),
      async *open() {},
      remove: async () => void events.push("remove"),
    };
    const request = post(FORM, MULTIPART, {
      FILE_UPLOAD_MAX_MEMORY_SIZE: 3,
      FILE_UPLOAD_TEMP_DIR: "/uploads",
      FILE_UPLOAD_STORAGE: {
        create: async (directory) => {
          events.push(`create ${directory}`);
          return file;
        },
      },
    });
    expect((await request.FILES).get("f")!.inMemory).toBe(false);
    expect(events).toEqual(["create /uploads", "write 4", "close"]);
    await request.close();
    expect(events).toEqual(["create /uploads", "write 4", "close", "remove"]);
  });

  test("close() of a request whose form nobody waits for deletes its files too", async () => {
    const events: string[] = [];
    const request = post(FORM, MULTIPART, {
      FILE_UPLOAD_MAX_MEMORY_SIZE: 0,
      FILE_UPLOAD_STORAGE: {
        create: async () => ({
          write: async () => {},
          close: async () => {},
          async *open() {},
          remove: async () => void events.push("remove"),
        }),
      },
    });
    void request.FILES;
    await request.close();
    expect(events).toEqual(["remove"]);
  });

  test("uploadHandlers may be changed before the form is read, and not after", async () => {
    const seen: string[] = [];
    const spy: FileUploadHandler = {
      newFile: ({ fieldName, name }) => void seen.push(`${fieldName} ${name}`),
      receiveDataChunk: (chunk) => chunk,
      fileComplete: () => null,
      uploadInterrupted: () => {},
    };
    const request = post(FORM, MULTIPART);
    request.uploadHandlers.unshift(spy);
    expect((await request.FILES).size).toBe(1);
    expect(seen).toEqual(["f x.txt"]);
    expect(() => request.uploadHandlers = [new MemoryFileUploadHandler(1)]).toThrow(TypeError);
    const other = post(FORM, MULTIPART);
    other.uploadHandlers = [spy, new MemoryFileUploadHandler(100)];
    expect((await other.FILES).size).toBe(1);
  });
});
