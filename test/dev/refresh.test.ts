import { afterEach, describe, expect, test, vi } from "vitest";
import type { Application } from "../../src/esgi/application.ts";
import { type Body, type Chunk, FileWrapper } from "../../src/esgi/body.ts";
import type { Headers } from "../../src/esgi/environ.ts";
import { call, type EnvironOptions, makeEnviron, type Reply, validator } from "../../src/esgi/testing.ts";
import { liveRefresh } from "../../src/dev/refresh.ts";
import { REFRESH_SCRIPT } from "../../src/dev/refresh_client.ts";
import { GET, serve, settle, useClock } from "../server/harness.ts";

const BUILD = { life: "a1", build: 3, styledFrom: 2 };
const TAG = '<script src="/__tricorn__/refresh.js" data-build="a1.3" defer></script>';
const BROWSER = { "Sec-Fetch-Dest": "document", Accept: "text/html,*/*;q=0.8" };
const HTML: Headers = [["Content-Type", "text/html; charset=utf-8"]];

function answering(body: Body, headers: Headers = HTML, status = "200 OK"): Application {
  return (_environ, startResponse) => {
    startResponse(status, headers);
    return body;
  };
}

function ask(application: Application, options: EnvironOptions = {}): Promise<Reply> {
  return call(validator(liveRefresh(BUILD).wrap(validator(application))), { headers: BROWSER, ...options });
}

describe("which answers get the script", () => {
  test.each<[string, string]>([
    ["before </body>", "<body>a</body></html>"],
    ["before the last </BODY >", "<body><!-- </body> -->a</BODY ></html>"],
    ["at the end, where there is none", "<p>a"],
  ])("%s", async (_, page) => {
    const at = Math.max(page.search(/<\/body\s*>(?![^]*<\/body)/i), 0) || page.length;
    const reply = await ask(answering(page));
    expect(reply.text()).toBe(page.slice(0, at) + TAG + page.slice(at));
  });

  test("bytes of any encoding stay what they are", async () => {
    const page = Uint8Array.from([0xe9, 0xff, 0x81, ...new TextEncoder().encode("</body>"), 0x80]);
    const reply = await ask(answering(page, [["Content-Type", "text/html; charset=iso-8859-1"]]));
    expect([...reply.bytes()]).toEqual([...page.slice(0, 3), ...new TextEncoder().encode(TAG), ...page.slice(3)]);
  });

  test.each<[string, string, Headers]>([
    ["an error page", "500 Internal Server Error", HTML],
    ["a missing page", "404 Not Found", [["content-type", "TEXT/HTML"]]],
    ["what is not coded", "200 OK", [...HTML, ["Content-Encoding", "identity"]]],
  ])("%s does", async (_, status, headers) => {
    expect((await ask(answering("a", headers, status))).text()).toBe(`a${TAG}`);
  });

  test.each<[string, string, Headers]>([
    ["a redirect", "302 Found", [...HTML, ["Location", "/"]]],
    ["a part", "206 Partial Content", [...HTML, ["Content-Range", "bytes 0-0/9"]]],
    ["one of another type", "200 OK", [["Content-Type", "text/html-not"]]],
    ["JSON", "200 OK", [["Content-Type", "application/json"]]],
    ["what is compressed", "200 OK", [...HTML, ["Content-Encoding", "gzip"]]],
    ["what may not be transformed", "200 OK", [...HTML, ["Cache-Control", "public, no-transform"]]],
    ["what will be a file", "200 OK", [...HTML, ["Content-Disposition", 'attachment; filename="a.html"']]],
    ["UTF-16", "200 OK", [["Content-Type", "text/html; charset=UTF-16LE"]]],
  ])("%s does not", async (_, status, headers) => {
    const reply = await ask(answering("a", headers, status));
    expect(reply.text()).toBe("a");
    expect(reply.headers).toEqual(headers);
  });

  test.each<[string, EnvironOptions, boolean]>([
    ["a frame", { headers: { "Sec-Fetch-Dest": "iframe" } }, true],
    ["fetch()", { headers: { "Sec-Fetch-Dest": "empty", Accept: "text/html" } }, false],
    ["a browser that tells no destination", { headers: { Accept: "text/html,application/xml;q=0.9" } }, true],
    ["XMLHttpRequest there", { headers: { Accept: "text/html", "X-Requested-With": "XMLHttpRequest" } }, false],
    ["htmx there", { headers: { Accept: "text/html", "HX-Request": "true" } }, false],
    ["curl", { headers: { Accept: "*/*" } }, false],
    ["nobody in particular", { headers: {} }, false],
    ["a form", { method: "POST", headers: BROWSER }, false],
  ])("for %s", async (_, options, expected) => {
    expect((await ask(answering("a"), options)).text()).toBe(expected ? `a${TAG}` : "a");
  });

  test("a nonce of the page's policy", async () => {
    const reply = await ask(answering("a", [...HTML, ["Content-Security-Policy", "script-src 'nonce-Zm9v+/_-=='"]]));
    expect(reply.text()).toBe(`a${TAG.replace(" defer", ' nonce="Zm9v+/_-==" defer')}`);
  });
});

describe("the head", () => {
  test("Content-Length counts the script, an ETag is weak from there on, and others stay", async () => {
    const headers: Headers = [...HTML, ["Content-Length", "5"], ["ETag", '"x"'], ["X-A", "1"], ["Set-Cookie", "a=b"]];
    const reply = await ask(answering("ünd.", headers));
    expect(reply.text()).toBe(`ünd.${TAG}`);
    expect(reply.headers).toEqual([
      ...HTML,
      ["Content-Length", String(5 + TAG.length)],
      ["ETag", 'W/"x"'],
      ["X-A", "1"],
      ["Set-Cookie", "a=b"],
    ]);
  });

  test("may come with the first chunk", async () => {
    const reply = await ask((_environ, startResponse) =>
      (function* () {
        startResponse("200 OK", HTML);
        yield "a";
      })()
    );
    expect(reply.text()).toBe(`a${TAG}`);
  });

  test("may be replaced by one that is a page's, or is none any more", async () => {
    const replacing = (first: Headers, second: Headers): Application => (_environ, startResponse) => {
      startResponse("200 OK", first);
      return (function* () {
        startResponse("500 Internal Server Error", second, new Error("late"));
        yield "a";
      })();
    };
    const plain: Headers = [["Content-Type", "text/plain"], ["Content-Length", "1"]];
    expect((await ask(replacing(HTML, plain))).text()).toBe("a");
    expect((await ask(replacing(plain, [...HTML, ["Content-Length", "1"]]))).text()).toBe(`a${TAG}`);
  });

  test("that is malformed is refused as by the server", async () => {
    await expect(call(liveRefresh(BUILD).wrap(answering("a", "no" as unknown as Headers)), { headers: BROWSER }))
      .rejects.toThrow("headers are");
    await expect(call(liveRefresh(BUILD).wrap(answering("a", HTML, "200")), { headers: BROWSER }))
      .rejects.toThrow("status");
  });

  test("a second call without an error is refused, and one after the first chunk throws its error", async () => {
    const twice: Application = (_environ, startResponse) => {
      startResponse("200 OK", HTML);
      startResponse("200 OK", HTML);
      return "a";
    };
    await expect(call(liveRefresh(BUILD).wrap(twice), { headers: BROWSER })).rejects.toThrow("again");
    const late: Application = (_environ, startResponse) => {
      startResponse("200 OK", HTML);
      return (function* () {
        yield "a";
        startResponse("500 Oops", HTML, new Error("too late"));
      })();
    };
    await expect(call(liveRefresh(BUILD).wrap(late), { headers: BROWSER })).rejects.toThrow("too late");
  });
});

describe("the body", () => {
  async function* slowly(...chunks: Chunk[]): AsyncGenerator<Chunk> {
    for (const chunk of chunks) {
      await Promise.resolve();
      yield chunk;
    }
  }

  test.each<[string, () => Body]>([
    ["null", () => null],
    ["an empty string", () => ""],
    ["a string", () => "ab</body>"],
    ["an array of one", () => ["ab</body>"]],
  ])("%s is a whole", async (_, body) => {
    const text = body() === null ? "" : String(body());
    const environ = makeEnviron({ headers: BROWSER });
    const answer = await liveRefresh(BUILD).wrap(answering(body()))(environ, () => {});
    expect(answer).toBe(text.includes("</") ? text.replace("</body>", `${TAG}</body>`) : TAG);
  });

  test.each<[string, () => Body]>([
    ["an array", () => ["<body>", "a</body>"]],
    ["a generator", () => ["<body>", "a</body>"].values()],
    ["an async generator", () => slowly("<body>", "a</body>")],
    ["a stream", () => new Response("<body>a</body>").body],
    ["a file", () => new FileWrapper(new Blob(["<body>a</body>"]).stream())],
  ])("%s gets the script at its end", async (_, body) => {
    const reply = await ask(answering(body(), [...HTML, ["Content-Length", "14"]]));
    expect(reply.text()).toBe(`<body>a</body>${TAG}`);
    expect(reply.headers).toContainEqual(["Content-Length", String(14 + TAG.length)]);
  });

  test.each<[string, Body]>([
    ["a file that is no page", new FileWrapper(new Blob(["a"]).stream())],
    ["an upgrade", () => {}],
    ["undefined", undefined as unknown as Body],
    ["a number", 1 as unknown as Body],
  ])("%s is passed on as it is", async (_, body) => {
    const answer = await liveRefresh(BUILD).wrap(answering(body, []))(makeEnviron({ headers: BROWSER }), () => {});
    expect(answer).toBe(body);
  });

  test("is asked for a chunk when one is wanted, and not before", async () => {
    const asked: number[] = [];
    const body = (async function* () {
      for (let i = 0;; i++) {
        asked.push(i);
        yield String(i);
      }
    })();
    const answer = await liveRefresh(BUILD).wrap(answering(body))(makeEnviron({ headers: BROWSER }), () => {});
    const iterator = (answer as AsyncIterable<Chunk>)[Symbol.asyncIterator]();
    expect(asked).toEqual([]);
    expect(await iterator.next()).toEqual({ done: false, value: "0" });
    expect(await iterator.next()).toEqual({ done: false, value: "1" });
    expect(asked).toEqual([0, 1]);
  });

  /** A body that notes what is done to it. */
  function noted(log: string[], close: boolean, chunks: readonly (string | Error)[]): Body {
    const body = {
      [Symbol.asyncIterator]: () => {
        const left = [...chunks];
        return {
          next: async () => {
            const chunk = left.shift();
            if (chunk instanceof Error) throw chunk;
            return chunk === undefined ? { done: true as const, value: undefined } : { done: false, value: chunk };
          },
          return: async () => {
            log.push("return");
            return { done: true as const, value: undefined };
          },
        };
      },
    };
    return close ? Object.assign(body, { close: () => void log.push("close") }) : body as AsyncIterable<string>;
  }

  test.each<[string, boolean, readonly (string | Error)[], number | undefined, readonly string[]]>([
    ["at its end, by close()", true, ["a", "b"], undefined, ["close"]],
    ["at its end, where there is none: not at all", false, ["a", "b"], undefined, []],
    ["when the client leaves, by close()", true, ["a", "b"], 1, ["close"]],
    ["when the client leaves, by return()", false, ["a", "b"], 1, ["return"]],
    ["before the first chunk, by return()", false, ["a"], 0, ["return"]],
    ["when it fails, by close()", true, ["a", new Error("broken")], undefined, ["close"]],
    ["when it fails, where there is none: not at all", false, ["a", new Error("broken")], undefined, []],
  ])("is closed once %s", async (_, close, chunks, disconnectAfter, expected) => {
    const log: string[] = [];
    const application = liveRefresh(BUILD).wrap(answering(noted(log, close, chunks)));
    const reply = call(application, {
      headers: BROWSER,
      ...(disconnectAfter === undefined ? {} : { disconnectAfter }),
    });
    if (chunks.some((chunk) => chunk instanceof Error)) await expect(reply).rejects.toThrow("broken");
    else await reply;
    expect(log).toEqual(expected);
  });

  test("an error of the application is its own", async () => {
    const failing: Application = async () => {
      throw new Error("mine");
    };
    await expect(call(liveRefresh(BUILD).wrap(failing), { headers: BROWSER })).rejects.toThrow("mine");
    const sync: Application = () => {
      throw new Error("mine, too");
    };
    await expect(call(liveRefresh(BUILD).wrap(sync), { headers: BROWSER })).rejects.toThrow("mine, too");
  });

  test("the environ is the server's own", async () => {
    const environ = makeEnviron({ headers: BROWSER });
    const before = { ...environ };
    const seen: unknown[] = [];
    await liveRefresh(BUILD).wrap((given, startResponse) => {
      seen.push(given);
      startResponse("200 OK", HTML);
      return "a";
    })(environ, () => {});
    expect(seen[0]).toBe(environ);
    expect({ ...environ }).toEqual(before);
  });
});

describe("what the script asks for", () => {
  const app = answering("the application's", [["Content-Type", "text/plain"]]);

  test("the script itself, which is JavaScript and is not kept", async () => {
    const reply = await ask(app, { path: "/__tricorn__/refresh.js", headers: { "Sec-Fetch-Site": "same-origin" } });
    expect(reply.text()).toBe(REFRESH_SCRIPT);
    expect(reply.headers).toContainEqual(["Content-Type", "text/javascript; charset=utf-8"]);
    expect(reply.headers).toContainEqual(["Cache-Control", "no-store"]);
    new Function(REFRESH_SCRIPT);
  });

  test.each(["cross-site", "same-site"])("is nothing for a page that is %s", async (site) => {
    for (const url of ["/__tricorn__/events", "/__tricorn__/refresh.js"]) {
      expect((await ask(app, { path: url, headers: { "Sec-Fetch-Site": site } })).status).toBe(403);
    }
  });

  test("is asked for with GET", async () => {
    const reply = await ask(app, { path: "/__tricorn__/events", method: "POST", headers: {} });
    expect(reply.status).toBe(405);
    expect(reply.headers).toContainEqual(["Allow", "GET"]);
  });

  test("is no more than these two", async () => {
    expect((await ask(app, { path: "/__tricorn__/other" })).text()).toBe("the application's");
  });
});

describe("the stream of events", () => {
  useClock();
  afterEach(() => vi.useRealTimers());
  const EVENTS = GET.replace("GET /", "GET /__tricorn__/events");

  test("tells the build at once, lives on, and is ended by close() and for whoever comes later", async () => {
    const refresh = liveRefresh(BUILD);
    const { runtime, server, faults } = await serve(refresh.wrap(() => null));
    const client = runtime.connect();
    void client.send(EVENTS);
    await settle();
    expect(client.received).toContain("Content-Type: text/event-stream\r\n");
    expect(client.received).toContain('retry: 150\ndata: {"life":"a1","build":3,"styledFrom":2}\n\n');
    expect(client.received).not.toContain(":\n\n");
    vi.advanceTimersByTime(15_000);
    await settle();
    expect(client.received).toContain("\r\n:\n\n\r\n");
    refresh.close();
    await settle();
    expect(client.received).toMatch(/0\r\n\r\n$/);
    expect(server.inFlight).toBe(0);

    const late = runtime.connect();
    void late.send(EVENTS);
    await settle();
    expect(late.received).toContain("200 OK");
    expect(late.received).toContain("Connection: close\r\n");
    expect(late.ended).toBe(true);
    expect(faults).toEqual([]);
  });

  test("leaves nothing behind when its client leaves, and there are no more than a hundred", async () => {
    const { runtime, server } = await serve(liveRefresh(BUILD).wrap(() => null));
    const clients = Array.from({ length: 101 }, () => runtime.connect());
    for (const client of clients) void client.send(EVENTS);
    await settle();
    expect(clients.filter(({ received }) => received.includes("200 OK"))).toHaveLength(100);
    expect(clients.at(-1)!.received).toContain("503 Service Unavailable");
    for (const client of clients) client.reset();
    await settle();
    expect(server.inFlight).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    const next = runtime.connect();
    void next.send(EVENTS);
    await settle();
    expect(next.received).toContain("200 OK");
  });
});
