import { describe, expect, test, vi } from "vitest";
import { BadHeaderError, DisallowedRedirect } from "../../src/handler/exceptions.ts";
import {
  ContentNotRenderedError,
  DeferredResponse,
  HttpResponse,
  HttpResponseBadRequest,
  HttpResponseForbidden,
  HttpResponseGone,
  HttpResponseNotAllowed,
  HttpResponseNotFound,
  HttpResponseNotModified,
  HttpResponsePermanentRedirect,
  HttpResponseRedirect,
  HttpResponseServerError,
  iriToURI,
  JsonResponse,
  StreamingHttpResponse,
} from "../../src/handler/response.ts";
import { answer, bytes, makeRequest, SETTINGS } from "./answer.ts";

describe("HttpResponse", () => {
  test("is 200 OK with HTML in UTF-8", async () => {
    const response = new HttpResponse("<p>é文");
    expect(response).toMatchObject({ statusCode: 200, reasonPhrase: "OK", charset: "utf-8", streaming: false });
    const reply = await answer(response);
    expect(reply).toMatchObject({ status: 200, reason: "OK", headers: [["Content-Type", "text/html; charset=utf-8"]] });
    expect(reply.text()).toBe("<p>é文");
  });

  test("text stays text on its way to the server, which encodes it", () => {
    expect(new HttpResponse("a").toESGI(makeRequest()).body).toBe("a");
    expect(new HttpResponse().toESGI(makeRequest()).body).toBe("");
  });

  test.each<[string, ConstructorParameters<typeof HttpResponse>[0], string]>([
    ["a string", "é", "é"],
    ["bytes", bytes("é"), "é"],
    ["an array", ["a", bytes("é"), "b"], "aéb"],
    ["strings only", ["a", "é"], "aé"],
    ["nothing", [], ""],
    ["a Set", new Set(["a", "b"]), "ab"],
  ])("content: %s", (_, content, text) => {
    const response = new HttpResponse(content);
    expect(response.text).toBe(text);
    expect(response.content).toEqual(bytes(text));
    expect(response.tell()).toBe(bytes(text).length);
  });

  test("content: an iterable is read at once, and closed", () => {
    const close = vi.fn();
    const iterable = Object.assign([bytes("a")], { close });
    const response = new HttpResponse(iterable);
    iterable.push(bytes("b"));
    expect(response.text).toBe("a");
    expect(close).toHaveBeenCalledTimes(1);
  });

  test.each<[unknown, RegExp]>([
    [{}, /an object/],
    [5, /a number/],
    [null, /null/],
    [Promise.resolve("a"), /Promise/],
    [[1, 2], /a number/],
    [new ReadableStream(), /ReadableStream.*StreamingHttpResponse/],
  ])("content that is none: %o", (content, message) => {
    expect(() => new HttpResponse(content as string)).toThrow(TypeError);
    expect(() => new HttpResponse(content as string)).toThrow(message);
  });

  test("write() adds, tell() tells", () => {
    const response = new HttpResponse("a");
    response.write("b");
    response.write(bytes("é"));
    expect(response.tell()).toBe(4);
    response.write("c");
    expect(response.text).toBe("abéc");
    expect(response.content).toEqual(bytes("abéc"));
    response.content = "new";
    expect(response.text).toBe("new");
    expect(() => response.write(5 as unknown as string)).toThrow(TypeError);
  });

  test("tell() of long text", () => {
    expect(new HttpResponse("é".repeat(1000)).tell()).toBe(2000);
    expect(new HttpResponse("a".repeat(1000)).tell()).toBe(1000);
  });

  test("the Content-Type can be given once, in two ways", () => {
    const plain = { "content-type": "text/plain" };
    expect(new HttpResponse("", { contentType: "text/plain" }).headers.get("Content-Type")).toBe("text/plain");
    expect(new HttpResponse("", { headers: plain }).headers.entries()).toEqual([["content-type", "text/plain"]]);
    expect(() => new HttpResponse("", { contentType: "text/plain", headers: plain })).toThrow(/give one/);
  });

  test("another charset is for bytes, which come back as text", () => {
    const latin1 = new HttpResponse(Uint8Array.of(0xe9), { charset: "iso-8859-1" });
    expect(latin1.headers.get("Content-Type")).toBe("text/html; charset=iso-8859-1");
    expect(latin1.text).toBe("é");
    const typed = new HttpResponse(Uint8Array.of(0xe9), { contentType: 'text/plain; charset="windows-1252"' });
    expect(typed.charset).toBe("windows-1252");
    expect(typed.text).toBe("é");
    expect(() => new HttpResponse("é", { charset: "iso-8859-1" })).toThrow(/iso-8859-1: encode/);
    expect(() => new HttpResponse("é", { contentType: "text/plain; charset=utf-16" })).toThrow(/utf-16/);
    expect(() => typed.write("é")).toThrow(/windows-1252/);
    expect(new HttpResponse("é", { contentType: "text/plain; charset=UTF8" }).text).toBe("é");
  });

  test("reason phrases: the status's, or one's own", async () => {
    expect(new HttpResponse("", { status: 404 }).reasonPhrase).toBe("Not Found");
    expect(new HttpResponse("", { status: 299 }).reasonPhrase).toBe("Unknown Status Code");
    const response = new HttpResponse("", { status: 200, reason: "Fine" });
    expect(response.reasonPhrase).toBe("Fine");
    expect((await answer(response)).reason).toBe("Fine");
    response.reasonPhrase = "";
    expect(response.toESGI(makeRequest()).status).toBe("200 OK");
    response.statusCode = 202;
    expect(response.toESGI(makeRequest()).status).toBe("202 Accepted");
  });

  test.each(["OK\r\nSet-Cookie: a=b", "a\nb", "a\0b", " a", "文"])(
    "a reason that splits the response: %j",
    (reason) => {
      expect(() => new HttpResponse("", { reason }).toESGI(makeRequest())).toThrow(BadHeaderError);
    },
  );

  test.each([0, 99, 100, 103, 199, 600, 1000, 200.5, NaN, -1])("%d is no status", (status) => {
    expect(() => new HttpResponse("", { status }).toESGI(makeRequest())).toThrow(RangeError);
  });

  test.each([204, 304])("RFC 9110 §15: a %i has no Content-Type", async (status) => {
    const reply = await answer(new HttpResponse("", { status, headers: { "X-A": "1" } }));
    expect(reply.headers).toEqual([["X-A", "1"]]);
  });

  test("RFC 9110 §8.6: a 304 may tell a length, a 204 may not", async () => {
    const headers = { "Content-Length": "5" };
    expect((await answer(new HttpResponse("", { status: 304, headers }))).header("Content-Length")).toBe("5");
    expect((await answer(new HttpResponse("", { status: 204, headers }))).header("Content-Length")).toBe(null);
  });
});

describe("cookies of a response", () => {
  test("one Set-Cookie each; the last of a name counts", async () => {
    const response = new HttpResponse();
    expect(response.cookies.size).toBe(0);
    response.setCookie("a", "1");
    response.setCookie("b", "2, 3", { httponly: true });
    response.setCookie("a", "4");
    expect(response.cookies.get("a")?.value).toBe("4");
    const reply = await answer(response);
    expect(reply.headerValues("Set-Cookie")).toEqual(["a=4; Path=/", "b=2%2C%203; HttpOnly; Path=/"]);
  });

  test("are no part of other responses", () => {
    new HttpResponse().setCookie("a");
    expect(new HttpResponse().cookies.size).toBe(0);
  });

  test("deleteCookie() removes it from the browser", () => {
    const response = new HttpResponse();
    response.deleteCookie("a", { path: "/x", domain: "example.com" });
    response.deleteCookie("__Host-b");
    response.deleteCookie("c", { samesite: "None" });
    expect([...response.cookies.values()].map(String)).toEqual([
      "a=; Domain=example.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/x",
      "__Host-b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; Secure",
      "c=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=None; Secure",
    ]);
  });

  test("setSignedCookie() sets what getSignedCookie() reads, with the same salt", async () => {
    const response = new HttpResponse();
    await response.setSignedCookie("user", "Zoë; admin=no", SETTINGS, { salt: "s", maxAge: 60 });
    const reply = await answer(response);
    const [cookie] = reply.headerValues("Set-Cookie");
    expect(cookie).toContain("; Max-Age=60");
    const request = makeRequest({ headers: { Cookie: cookie!.split(";")[0]! } });
    expect(await request.getSignedCookie("user", { salt: "s" })).toBe("Zoë; admin=no");
    await expect(request.getSignedCookie("user")).rejects.toThrow();
  });

  test("a cookie that no browser takes is an error where it is set", () => {
    expect(() => new HttpResponse().setCookie("a", "b", { samesite: "None" })).toThrow(BadHeaderError);
  });
});

describe("closing", () => {
  test("runs closers once, in their order, and drops what they throw", () => {
    const response = new HttpResponse();
    const calls: number[] = [];
    response.addCloser(() => calls.push(1));
    response.addCloser(() => {
      throw new Error("lost");
    });
    response.addCloser(() => calls.push(2));
    expect(response.closed).toBe(false);
    expect(response.close()).toBe(undefined);
    expect(response.closed).toBe(true);
    response.close();
    expect(calls).toEqual([1, 2]);
  });

  test("waits for closers that give promises", async () => {
    const response = new HttpResponse();
    const calls: number[] = [];
    response.addCloser(() => Promise.reject(new Error("lost")));
    response.addCloser(() => Promise.resolve().then(() => calls.push(1)));
    response.addCloser(() => calls.push(2));
    const closed = response.close();
    expect(calls).toEqual([]);
    await closed;
    expect(calls).toEqual([1, 2]);
  });
});

describe("StreamingHttpResponse", () => {
  async function* letters(log: string[]): AsyncGenerator<string> {
    try {
      yield "a";
      yield "é";
      yield "c";
    } finally {
      log.push("released");
    }
  }

  function stream(log: string[]): ReadableStream<Uint8Array> {
    const chunks = ["a", "é", "c"].map(bytes);
    return new ReadableStream({
      pull(controller) {
        const chunk = chunks.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel() {
        log.push("released");
      },
    });
  }

  function* syncLetters(log: string[]): Generator<string> {
    try {
      yield* ["a", "é", "c"];
    } finally {
      log.push("released");
    }
  }

  test.each<[string, (log: string[]) => ConstructorParameters<typeof StreamingHttpResponse>[0]]>([
    ["an async generator", letters],
    ["a generator", syncLetters],
    ["a ReadableStream", stream],
    ["an array", () => ["a", bytes("é"), "c"]],
  ])("sends %s chunk by chunk", async (_, make) => {
    const response = new StreamingHttpResponse(make([]));
    expect(response.streaming).toBe(true);
    const reply = await answer(response);
    expect(reply.chunks).toEqual(["a", "é", "c"].map(bytes));
    expect(reply.header("Content-Type")).toBe("text/html; charset=utf-8");
    expect(response.closed).toBe(true);
  });

  test.each<[string, (log: string[]) => ConstructorParameters<typeof StreamingHttpResponse>[0]]>([
    ["an async generator", letters],
    ["a generator", syncLetters],
    ["a ReadableStream", stream],
  ])("releases %s once when the client leaves", async (_, make) => {
    const log: string[] = [];
    const response = new StreamingHttpResponse(make(log));
    response.addCloser(() => log.push("closer"));
    expect((await answer(response, { disconnectAfter: 1 })).aborted).toBe(true);
    await response.close();
    expect(log).toEqual(["released", "closer"]);
  });

  test("a stream that nobody has begun to read is cancelled", async () => {
    const log: string[] = [];
    await new StreamingHttpResponse(stream(log)).close();
    expect(log).toEqual(["released"]);
  });

  test("a source with close() has it called once, and after its end, too", async () => {
    for (const options of [{}, { disconnectAfter: 1 }, { method: "HEAD" }]) {
      const close = vi.fn();
      const response = new StreamingHttpResponse(Object.assign(["a", "b"], { close }));
      await answer(response, options);
      await response.close();
      expect(close).toHaveBeenCalledTimes(1);
    }
  });

  test("an error of the source reaches the server, and the response is closed", async () => {
    const close = vi.fn();
    const response = new StreamingHttpResponse((async function* () {
      yield "a";
      throw new Error("broken");
    })());
    response.addCloser(close);
    await expect(answer(response)).rejects.toThrow("broken");
    expect(close).toHaveBeenCalledTimes(1);
  });

  test("middleware sets content around the content; both are released", async () => {
    const log: string[] = [];
    const response = new StreamingHttpResponse(letters(log));
    const inner = response.streamingContent;
    response.streamingContent = (async function* () {
      try {
        for await (const chunk of inner) {
          expect(chunk).toBeInstanceOf(Uint8Array);
          yield new TextDecoder().decode(chunk).toUpperCase();
        }
      } finally {
        log.push("outer");
      }
    })();
    expect((await answer(response)).text()).toBe("AÉC");
    expect(log.toSorted()).toEqual(["outer", "released"]);
  });

  test("a source that waits does not keep the response open when it can be cancelled", async () => {
    const cancel = vi.fn();
    const response = new StreamingHttpResponse(new ReadableStream({ cancel }));
    const inner = response.streamingContent;
    response.streamingContent = (async function* () {
      for await (const chunk of inner) yield chunk;
    })();
    const next = response[Symbol.asyncIterator]().next();
    await Promise.resolve();
    await response.close();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  test("has no content, text or length, and cannot be written to", () => {
    const response = new StreamingHttpResponse(["a"]);
    expect(() => response.content).toThrow(/streamingContent/);
    expect(() => (response.content = "a" as never)).toThrow(/streamingContent/);
    expect(() => response.text).toThrow(/streamingContent/);
    expect(() => response.write("a")).toThrow(/HttpResponse/);
    expect(() => response.tell()).toThrow(/length/);
  });

  test.each(["text", bytes("a"), null, 5, {}])("refuses what is whole, or nothing: %o", (content) => {
    expect(() => new StreamingHttpResponse(content as string[])).toThrow(TypeError);
  });

  test("a chunk that is none is an error", async () => {
    await expect(answer(new StreamingHttpResponse([5 as unknown as string]))).rejects.toThrow(/chunk/);
  });
});

describe("redirects", () => {
  test.each([
    [HttpResponseRedirect, {}, 302],
    [HttpResponseRedirect, { preserveRequest: true }, 307],
    [HttpResponsePermanentRedirect, {}, 301],
    [HttpResponsePermanentRedirect, { preserveRequest: true }, 308],
  ])("%o with %o: %i", async (Class, init, status) => {
    const reply = await answer(new Class("/café/?q=ü&r=%C3%BC#[x]", init));
    expect(reply.status).toBe(status);
    expect(reply.header("Location")).toBe("/caf%C3%A9/?q=%C3%BC&r=%C3%BC#[x]");
  });

  test.each([
    "http://a.example/",
    "HTTPS://a.example/",
    "ftp://a.example/",
    "//a.example/",
    "relative/",
    "?a=b",
    "/a:b",
    "./x:y",
  ])("to %s", (url) => {
    expect(new HttpResponseRedirect(url).url).toBe(url);
  });

  test.each([
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " javascript:alert(1)",
    "\x01javascript:alert(1)",
    "java\nscript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "mailto:a@b.example",
    "file:///etc/passwd",
  ])("not to %j", (url) => {
    expect(() => new HttpResponseRedirect(url)).toThrow(DisallowedRedirect);
    expect(() => new HttpResponsePermanentRedirect(url)).toThrow(DisallowedRedirect);
  });

  test("a line break in a URL is encoded, not sent", () => {
    expect(new HttpResponseRedirect("/a\r\nSet-Cookie: b=c").url).toBe("/a%0D%0ASet-Cookie:%20b=c");
  });

  test("iriToURI keeps escapes and reserved characters (RFC 3987 §3.1)", () => {
    expect(iriToURI("/a%20b/%e9/é?x=[1]&y='(*)'~!$#f")).toBe("/a%20b/%e9/%C3%A9?x=[1]&y='(*)'~!$#f");
    expect(iriToURI("/\\\\evil.example\ud800")).toBe("/%5C%5Cevil.example%EF%BF%BD");
  });
});

describe("the others", () => {
  test.each([
    [new HttpResponseBadRequest("x"), 400],
    [new HttpResponseForbidden("x"), 403],
    [new HttpResponseNotFound("x"), 404],
    [new HttpResponseGone("x"), 410],
    [new HttpResponseServerError("x"), 500],
  ])("%o is %i", async (response, status) => {
    const reply = await answer(response);
    expect(reply.status).toBe(status);
    expect(reply.text()).toBe("x");
  });

  test("HttpResponseNotAllowed names the methods that are (RFC 9110 §15.5.6)", async () => {
    const reply = await answer(new HttpResponseNotAllowed(["GET", "POST"]));
    expect([reply.status, reply.header("Allow")]).toEqual([405, "GET, POST"]);
  });

  test("HttpResponseNotModified has no content and no type", async () => {
    const response = new HttpResponseNotModified({ headers: { ETag: '"a"' } });
    expect((await answer(response)).headers).toEqual([["ETag", '"a"']]);
    expect(() => {
      response.content = "a";
    }).toThrow(/no content/);
  });
});

describe("JsonResponse", () => {
  test("sends objects", async () => {
    const reply = await answer(new JsonResponse({ a: [1, "é", null] }));
    expect(reply.header("Content-Type")).toBe("application/json");
    expect(reply.json()).toEqual({ a: [1, "é", null] });
  });

  test("its type can be another", () => {
    const type = (init: object): string | null => new JsonResponse({}, init).headers.get("Content-Type");
    expect(type({ contentType: "application/problem+json" })).toBe("application/problem+json");
    expect(type({ headers: { "content-type": "application/ld+json" } })).toBe("application/ld+json");
    expect(type({ headers: { "X-A": "1" }, status: 201 })).toBe("application/json");
  });

  test.each([[[1]], ["a"], [null], [5], [undefined]])("%o is not safe, as in Django", (data) => {
    expect(() => new JsonResponse(data)).toThrow(/safe: false/);
  });

  test("other data with safe: false", () => {
    expect(new JsonResponse([1], { safe: false }).text).toBe("[1]");
    expect(new JsonResponse(null, { safe: false }).text).toBe("null");
    expect(() => new JsonResponse(undefined, { safe: false })).toThrow(/no JSON/);
    expect(() => new JsonResponse({ n: 1n })).toThrow(TypeError);
  });
});

describe("DeferredResponse", () => {
  const template = ({ name }: { name: string }): string => `Hello, ${name}`;

  test("renders once, with what middleware has made of its context", async () => {
    const spy = vi.fn(template);
    const response = new DeferredResponse(spy, { name: "a" });
    expect(response.isRendered).toBe(false);
    response.contextData = { name: "b" };
    expect(await response.render()).toBe(response);
    await response.render();
    expect(spy).toHaveBeenCalledTimes(1);
    expect(response.text).toBe("Hello, b");
    expect((await answer(response)).text()).toBe("Hello, b");
  });

  test("may wait, and may fail", async () => {
    const slow = new DeferredResponse(async (name: string) => [await Promise.resolve(name)], "a");
    expect((await slow.render()).text).toBe("a");
    const failing = new DeferredResponse(() => {
      throw new Error("no such template");
    }, null);
    await expect(failing.render()).rejects.toThrow("no such template");
    expect(failing.isRendered).toBe(false);
  });

  test("cannot be looked at before", () => {
    const response = new DeferredResponse(template, { name: "a" });
    expect(() => response.content).toThrow(ContentNotRenderedError);
    expect(() => response.text).toThrow(ContentNotRenderedError);
    expect(() => response.toESGI(makeRequest())).toThrow(ContentNotRenderedError);
  });

  test("setting the content is rendering", async () => {
    const response = new DeferredResponse(template, { name: "a" });
    response.content = "mine";
    expect(response.isRendered).toBe(true);
    expect((await response.render()).text).toBe("mine");
  });

  test("callbacks are called after the rendering, or at once", async () => {
    const response = new DeferredResponse(template, { name: "a" });
    const seen: string[] = [];
    response.addPostRenderCallback((rendered) => seen.push(rendered.text));
    expect(seen).toEqual([]);
    await response.render();
    response.addPostRenderCallback(() => seen.push("later"));
    expect(seen).toEqual(["Hello, a", "later"]);
  });
});
