// Django's test client and request factory: what they send, what they keep, and what they give back.

import { describe, expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { PermissionDenied } from "../../../src/handler/exceptions.ts";
import { Handler } from "../../../src/handler/handler.ts";
import { csrfExempt, CsrfViewMiddleware } from "../../../src/handler/middleware/csrf.ts";
import {
  HttpResponse,
  HttpResponseRedirect,
  JsonResponse,
  StreamingHttpResponse,
} from "../../../src/handler/response.ts";
import type { HandlerSettings } from "../../../src/handler/settings.ts";
import { gotRequestException } from "../../../src/handler/signals.ts";
import { Client, RedirectCycleError, RequestFactory } from "../../../src/handler/test/client.ts";
import { path } from "../../../src/handler/urls/conf.ts";

/** Tells what it was sent. */
const echo: View = async (request) => {
  const files: Record<string, string> = {};
  for (const [name, file] of (await request.FILES).entries()) files[name] = `${file.name} ${await file.text()}`;
  const POST = await request.POST;
  return new JsonResponse({
    method: request.method,
    type: request.contentType,
    GET: request.GET.toString(),
    POST: [...POST.keys()].map((name) => [name, POST.getAll(name)]),
    files,
    cookies: { ...request.COOKIES },
    uri: request.buildAbsoluteURI(),
  });
};

const site = (view: View, settings: HandlerSettings = {}): Handler =>
  new Handler({
    ROOT_URLCONF: [path("", view), path("<path:rest>", view)],
    LOGGER: () => {},
    DEBUG: true,
    ...settings,
  });

const client = new Client(site(echo));

describe("what is sent", () => {
  test("get: a query, in the path or beside it", async () => {
    expect((await client.get("/a?x=1")).json()).toMatchObject({ method: "GET", GET: "x=1" });
    expect((await client.get("/a", { x: "ü" })).json()).toMatchObject({ GET: "x=%C3%BC" });
    expect((await client.get("/a", undefined, { query: "y=2" })).json()).toMatchObject({ GET: "y=2" });
  });

  test("post: an object is a multipart form, an array gives several values, a File is a file", async () => {
    const file = new File(["content"], "a.txt", { type: "text/plain" });
    const sent = await client.post("/", { a: "1", b: ["2", 3], c: true, file });
    expect(sent.json()).toMatchObject({
      method: "POST",
      type: "multipart/form-data",
      POST: [["a", ["1"]], ["b", ["2", "3"]], ["c", ["true"]]],
      files: { file: "a.txt content" },
    });
  });

  test("post: urlencoded", async () => {
    const options = { contentType: "application/x-www-form-urlencoded" };
    expect((await client.post("/", { a: "1 ü" }, options)).json()).toMatchObject({ POST: [["a", ["1 ü"]]] });
    expect((await client.post("/", new URLSearchParams("a=1&a=2"))).json()).toMatchObject({
      POST: [["a", ["1", "2"]]],
    });
  });

  test("post, put, patch: JSON of any value", async () => {
    const json = new Client(
      site(async (request) => new JsonResponse([request.method, await request.json()], { safe: false })),
    );
    const options = { contentType: "application/json" };
    expect((await json.post("/", { a: [1] }, options)).json()).toEqual(["POST", { a: [1] }]);
    expect((await json.put("/", [1, null], options)).json()).toEqual(["PUT", [1, null]]);
    expect((await json.patch("/", '{"as": "it is"}', options)).json()).toEqual(["PATCH", { as: "it is" }]);
  });

  test("text and bytes as they are", async () => {
    const raw = new Client(
      site(async (request) => new HttpResponse(`${request.contentType} ${(await request.body).length}`)),
    );
    expect((await raw.put("/", "text")).text).toBe("application/octet-stream 4");
    expect((await raw.put("/", new Uint8Array(3), { contentType: "image/png" })).text).toBe("image/png 3");
  });

  test.each(["delete", "options", "put", "patch"] as const)("%s", async (method) => {
    expect((await client[method]("/")).json()).toMatchObject({ method: method.toUpperCase() });
  });

  test("head has no content", async () => {
    const response = await client.head("/");
    expect([response.statusCode, response.content.length]).toEqual([200, 0]);
  });

  test("what no form can hold is an error that names the field", async () => {
    await expect(client.post("/", { a: null })).rejects.toThrow(
      /^the field "a" is null, which no form can hold; leave it out$/,
    );
    await expect(client.post("/", [1])).rejects.toThrow(TypeError);
  });

  test("secure, headers, keys of the environ", async () => {
    const seen = new Client(
      site((request) =>
        new JsonResponse([request.scheme, request.headers.get("X-A"), request.META.REMOTE_ADDR], { safe: false })
      ),
      { headers: { "X-A": "always" } },
    );
    const options = { secure: true, headers: { "X-A": "now" }, environ: { REMOTE_ADDR: "::1" } };
    expect((await seen.get("/", undefined, options)).json()).toEqual(["https", "now", "::1"]);
    expect((await seen.get("/")).json()).toEqual(["http", "always", "127.0.0.1"]);
  });

  test.each<[string, HandlerSettings]>([
    ["http://localhost/", {}],
    ["http://localhost/", { ALLOWED_HOSTS: ["*"] }],
    ["http://example.com/", { DEBUG: false, ALLOWED_HOSTS: [".example.com"] }],
  ])("the host is one that is allowed: %s with %j", async (uri, settings) => {
    expect((await new Client(site(echo, settings)).get("/")).json()).toMatchObject({ uri });
  });

  test("CSRF is not checked, unless that is asked for", async () => {
    const handler = site((request) => new HttpResponse(request.method), { MIDDLEWARE: [CsrfViewMiddleware] });
    expect((await new Client(handler).post("/")).statusCode).toBe(200);
    expect((await new Client(handler, { enforceCsrfChecks: true }).post("/")).statusCode).toBe(403);
    const exempt = site(csrfExempt(() => new HttpResponse()), { MIDDLEWARE: [CsrfViewMiddleware] });
    expect((await new Client(exempt, { enforceCsrfChecks: true }).post("/")).statusCode).toBe(200);
  });
});

describe("cookies", () => {
  const handler = new Handler({
    DEBUG: true,
    ROOT_URLCONF: [
      path("set/", () => {
        const response = new HttpResponse();
        response.setCookie("a", "ü; 1");
        response.setCookie("b", "2");
        return response;
      }),
      path("delete/", () => {
        const response = new HttpResponse();
        response.deleteCookie("a");
        return response;
      }),
      path("", echo),
    ],
  });

  test("are kept, sent again, and removed", async () => {
    const client = new Client(handler);
    await client.get("/set/");
    expect((await client.get("/")).json()).toMatchObject({ cookies: { a: "ü; 1", b: "2" } });
    await client.get("/delete/");
    expect(Object.fromEntries(client.cookies)).toEqual({ b: "2" });
  });

  test("can be set by hand; another client has none of them", async () => {
    const client = new Client(handler);
    client.cookies.set("mine", "1");
    expect((await client.get("/")).json()).toMatchObject({ cookies: { mine: "1" } });
    expect((await new Client(handler).get("/")).json()).toMatchObject({ cookies: {} });
  });
});

describe("redirects", () => {
  const to = (location: string, status: number): View => () =>
    new HttpResponse("", { status, headers: { Location: location } });
  const handler = new Handler({
    ALLOWED_HOSTS: ["localhost", "example.com"],
    ROOT_URLCONF: [
      path("", echo),
      path("a/", () => new HttpResponseRedirect("../b/?x=1")),
      path("b/", to("/", 301)),
      path("again/", to("/", 307)),
      path("other/", to("https://example.com/?y=2", 303)),
      path("circle/", to("/circle/", 302)),
      path("endless/<int:n>/", (_, { n }) => to(`/endless/${n + 1}/`, 302)({} as never, {})),
    ],
  });
  const client = new Client(handler);

  test("are not followed, unless that is asked for", async () => {
    const response = await client.get("/a/");
    expect([response.statusCode, response.headers.get("Location"), response.redirectChain]).toEqual([
      302,
      "../b/?x=1",
      [],
    ]);
  });

  test("follow: the chain has each place, and how one was sent there", async () => {
    const response = await client.get("/a/", undefined, { follow: true });
    expect(response.statusCode).toBe(200);
    expect(response.redirectChain).toEqual([["http://localhost/b/?x=1", 302], ["http://localhost/", 301]]);
    expect(response.url).toBe("http://localhost/");
  });

  test("a POST becomes a GET without data, but for 307 and 308", async () => {
    expect((await client.post("/a/", { a: "1" }, { follow: true })).json()).toMatchObject({ method: "GET", POST: [] });
    expect((await client.post("/again/", { a: "1" }, { follow: true })).json())
      .toMatchObject({ method: "POST", POST: [["a", ["1"]]] });
    expect((await client.head("/a/", undefined, { follow: true })).request.method).toBe("HEAD");
  });

  test("to another host and scheme", async () => {
    expect((await client.get("/other/", undefined, { follow: true })).json())
      .toMatchObject({ uri: "https://example.com/?y=2" });
  });

  test("in a circle, or without an end, are errors", async () => {
    await expect(client.get("/circle/", undefined, { follow: true })).rejects.toThrow(RedirectCycleError);
    await expect(client.get("/endless/1/", undefined, { follow: true })).rejects.toThrow(/more than 20/);
  });
});

describe("what is given back", () => {
  test("status, reason, headers, content, and where the URL led", async () => {
    const handler = new Handler({
      ROOT_URLCONF: [
        path("<int:year>/", () => new HttpResponse("ok", { status: 201, headers: { "X-A": "1" } }), {
          name: "archive",
        }),
      ],
    });
    const response = await new Client(handler).get("/2026/");
    expect([response.statusCode, response.reasonPhrase, response.headers.get("x-a"), response.text])
      .toEqual([201, "Created", "1", "ok"]);
    expect(response.resolverMatch).toMatchObject({ urlName: "archive", params: { year: 2026 } });
    expect(response.request.path).toBe("/2026/");
  });

  test("a streaming response is read to its end", async () => {
    expect((await new Client(site(() => new StreamingHttpResponse(["a", "b"]))).get("/")).text).toBe("ab");
  });

  test("json() of what is none", async () => {
    await expect(new Client(site(() => new HttpResponse("{}"))).get("/").then((response) => response.json()))
      .rejects.toThrow(/the response is no JSON: its Content-Type is text\/html/);
    expect(
      (await new Client(site(() => new HttpResponse("{}", { contentType: "application/problem+json" }))).get("/"))
        .json(),
    )
      .toEqual({});
  });
});

describe("exceptions", () => {
  const failing = site(() => {
    throw new RangeError("mine");
  });

  test("what a view throws is thrown again", async () => {
    await expect(new Client(failing).get("/")).rejects.toThrow(new RangeError("mine"));
  });

  test("raiseRequestException: false gives the page, and what was thrown", async () => {
    const response = await new Client(failing, { raiseRequestException: false }).get("/");
    expect([response.statusCode, response.error]).toEqual([500, new RangeError("mine")]);
  });

  test("those that have a status of their own are answered", async () => {
    const denied = site(() => {
      throw new PermissionDenied();
    });
    expect((await new Client(denied).get("/")).statusCode).toBe(403);
  });

  test("requests at once are told apart, and no receiver is left behind", async () => {
    const handler = site(async (request) => {
      await new Promise((resolve) => setTimeout(resolve, request.path === "/slow" ? 10 : 1));
      if (request.path !== "/good") throw new RangeError(request.path);
      return new HttpResponse("ok");
    });
    const client = new Client(handler, { raiseRequestException: false });
    const responses = await Promise.all([client.get("/slow"), client.get("/good"), client.get("/fast")]);
    expect(responses.map(({ error }) => error)).toEqual([new RangeError("/slow"), undefined, new RangeError("/fast")]);
    expect(gotRequestException.hasListeners()).toBe(false);
  });
});

describe("RequestFactory", () => {
  test("makes requests for views that are called by hand", async () => {
    const factory = new RequestFactory({ DEBUG: true });
    const request = factory.post("/a?x=1", { b: "2" });
    expect([request.method, request.path, request.GET.get("x"), (await request.POST).get("b")])
      .toEqual(["POST", "/a", "1", "2"]);
    expect(request.settings.DEBUG).toBe(true);
    expect(factory.generic("PROPFIND", "/").method).toBe("PROPFIND");
    expect(factory.get("/", { q: "1" }, { secure: true }).buildAbsoluteURI()).toBe("https://localhost/?q=1");
  });
});
