import { describe, expect, test } from "vitest";
import type { Application } from "../../src/esgi/application.ts";
import { InputError } from "../../src/esgi/input.ts";
import { call, duplexPair, makeEnviron, validator } from "../../src/esgi/testing.ts";
import type { EnvironOptions } from "../../src/esgi/testing.ts";

const TEXT: [string, string][] = [["Content-Type", "text/plain"]];

const echo: Application = async (environ, startResponse) => {
  const body = await environ["esgi.input"].bytes();
  startResponse("200 OK", TEXT);
  return body;
};

describe("makeEnviron", () => {
  test("without options is GET / on localhost", () => {
    const environ = makeEnviron();
    expect(environ).toMatchObject({
      REQUEST_METHOD: "GET",
      SCRIPT_NAME: "",
      PATH_INFO: "/",
      QUERY_STRING: "",
      SERVER_NAME: "localhost",
      SERVER_PORT: "80",
      SERVER_PROTOCOL: "HTTP/1.1",
      REMOTE_ADDR: "127.0.0.1",
      REMOTE_PORT: "50000",
      HTTP_HOST: "localhost",
      "esgi.version": [1, 0],
      "esgi.url_scheme": "http",
      "esgi.target": "/",
      "esgi.headers": [["Host", "localhost"]],
    });
    for (const absent of ["CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "esgi.upgrade", "esgi.tls"]) {
      expect(absent in environ).toBe(false);
    }
    expect(environ["esgi.signal"].aborted).toBe(false);
  });

  test.each<[EnvironOptions | string, Record<string, unknown>]>([
    ["/a?b=c", { PATH_INFO: "/a", QUERY_STRING: "b=c", "esgi.target": "/a?b=c" }],
    ["https://example.org:8443/x?y#z", {
      "esgi.url_scheme": "https",
      SERVER_NAME: "example.org",
      SERVER_PORT: "8443",
      HTTP_HOST: "example.org:8443",
      "esgi.target": "/x?y",
      "esgi.tls": {},
    }],
    ["https://example.org", { PATH_INFO: "/", SERVER_PORT: "443" }],
    ["/café?q=ü", { PATH_INFO: "/café", QUERY_STRING: "q=%C3%BC", "esgi.target": "/caf%C3%A9?q=%C3%BC" }],
    ["/100%", { PATH_INFO: "/100%", "esgi.target": "/100%25" }],
    ["/a%2Fb", { PATH_INFO: "/a/b", "esgi.target": "/a%2Fb" }],
    [{ path: "/a?x=1", query: { y: "é" } }, { QUERY_STRING: "x=1&y=%C3%A9" }],
    [{ path: "/a", query: "raw=1" }, { QUERY_STRING: "raw=1" }],
    [{ target: "*", method: "OPTIONS" }, { PATH_INFO: "", "esgi.target": "*" }],
    [{ target: "http://other:81/x" }, { SERVER_NAME: "other", SERVER_PORT: "81", PATH_INFO: "/x" }],
    [{ target: "//a/b" }, { PATH_INFO: "//a/b" }],
    [{ path: "/x", scriptName: "/app" }, { SCRIPT_NAME: "/app", PATH_INFO: "/x", "esgi.target": "/app/x" }],
    [{ path: "/app/x", scriptName: "/app" }, { SCRIPT_NAME: "/app", PATH_INFO: "/x", "esgi.target": "/app/x" }],
    [{ headers: { Host: "h:8080" } }, { SERVER_NAME: "h", SERVER_PORT: "8080", HTTP_HOST: "h:8080" }],
    [{ headers: [["X-A", "1"], ["x-a", "2"]] }, { HTTP_X_A: "1, 2" }],
    [{ body: "é" }, { REQUEST_METHOD: "POST", CONTENT_LENGTH: "2" }],
    [{ json: { a: 1 } }, { CONTENT_TYPE: "application/json", CONTENT_LENGTH: "7" }],
    [{ body: new URLSearchParams({ a: "b c" }) }, {
      CONTENT_TYPE: "application/x-www-form-urlencoded",
      CONTENT_LENGTH: "5",
    }],
    [{ body: ["a", "b"] }, { HTTP_TRANSFER_ENCODING: "chunked" }],
    [{ protocol: "HTTP/1.0" }, { SERVER_PROTOCOL: "HTTP/1.0", SERVER_NAME: "localhost" }],
    [{ remote: { address: "" } }, { REMOTE_ADDR: "", REMOTE_PORT: "" }],
    [{ upgrade: ["websocket"] }, { HTTP_UPGRADE: "websocket", "esgi.upgrade": ["websocket"] }],
    [{ environ: { "x.y": 1 } }, { "x.y": 1 }],
  ])("%j", (options, expected) => {
    expect(makeEnviron(options)).toMatchObject(expected);
  });

  test("HTTP/1.0 has no Host, and a target is given alone", () => {
    expect("HTTP_HOST" in makeEnviron({ protocol: "HTTP/1.0" })).toBe(false);
    expect(() => makeEnviron({ target: "*", path: "/" })).toThrow(TypeError);
    expect(() => makeEnviron("no-slash")).toThrow(TypeError);
  });

  test("is fresh, mutable, and can be copied", () => {
    expect(makeEnviron()).not.toBe(makeEnviron());
    const environ = makeEnviron();
    environ.PATH_INFO = "/changed";
    expect({ ...environ }).toEqual(environ);
  });
});

describe("call", () => {
  test("collects a whole reply", async () => {
    const reply = await call((environ, startResponse) => {
      environ["esgi.errors"].write("careful\n");
      environ["esgi.early_hints"]?.([["Link", "</a.css>; rel=preload"]]);
      startResponse("201 Created", [...TEXT, ["Set-Cookie", "a=1"], ["set-cookie", "b=2"]]);
      return '{"a":1}';
    }, "/x");
    expect([reply.status, reply.reason]).toEqual([201, "Created"]);
    expect(reply.header("content-type")).toBe("text/plain");
    expect(reply.header("Location")).toBe(null);
    expect(reply.headerValues("SET-COOKIE")).toEqual(["a=1", "b=2"]);
    expect(reply.text()).toBe('{"a":1}');
    expect(reply.json()).toEqual({ a: 1 });
    expect(reply.bytes()).toEqual(new TextEncoder().encode('{"a":1}'));
    expect(reply.errors).toBe("careful\n");
    expect(reply.earlyHints).toEqual([[["Link", "</a.css>; rel=preload"]]]);
    expect(reply.aborted).toBe(false);
  });

  test("has what was written to esgi.errors, through a validator, too", async () => {
    const reply = await call(
      validator((environ, startResponse) => {
        environ["esgi.errors"].write("careful\n");
        startResponse("204 No Content", []);
        return null;
      }),
    );
    expect(reply.errors).toBe("careful\n");
  });

  test("a generator is an application, and its chunks stay apart", async () => {
    const reply = await call(async function* (_environ, startResponse) {
      startResponse("200 OK", TEXT);
      yield "a";
      yield "b";
    });
    expect(reply.chunks.map((chunk) => new TextDecoder().decode(chunk))).toEqual(["a", "b"]);
  });

  test("takes an environ made before", async () => {
    const environ = makeEnviron({ body: "hello" });
    expect((await call(echo, environ)).text()).toBe("hello");
    expect((await call(echo, { ...makeEnviron({ body: "copy" }), PATH_INFO: "/y" })).text()).toBe("copy");
  });

  test.each<[string, EnvironOptions, string]>([
    ["a string", { body: "a" }, "a"],
    ["bytes", { body: new Uint8Array([98]) }, "b"],
    ["json", { json: [1] }, "[1]"],
    ["an array", { body: ["a", new Uint8Array([98])] }, "ab"],
    ["an async generator", {
      body: (async function* () {
        yield "a";
        yield "";
        yield "b";
      })(),
    }, "ab"],
    ["a stream", { body: new Response("stream").body! }, "stream"],
    ["a Blob", { body: new Blob(["blob"], { type: "text/x" }) }, "blob"],
    ["nothing", { method: "POST" }, ""],
    ["more than Content-Length", { body: "abcdef", headers: { "Content-Length": "3" } }, "abc"],
  ])("sends %s as request body", async (_name, options, expected) => {
    expect((await call(echo, options)).text()).toBe(expected);
  });

  test("a form arrives as multipart", async () => {
    const body = new FormData();
    body.set("a", "b");
    const reply = await call(async (environ, startResponse) => {
      startResponse("200 OK", TEXT);
      const headers = { "Content-Type": environ.CONTENT_TYPE! };
      const form = await new Response(environ["esgi.input"].stream(), { headers }).formData();
      return String(form.get("a"));
    }, { body });
    expect(reply.text()).toBe("b");
  });

  test("a request body is asked for only as it is read", async () => {
    let made = 0;
    function* endless() {
      for (;;) yield `${made++} `;
    }
    const reply = await call(async (environ, startResponse) => {
      startResponse("200 OK", TEXT);
      await environ["esgi.input"].read();
      return await environ["esgi.input"].read();
    }, { body: endless() });
    expect(reply.text()).toBe("1 ");
    expect(made).toBeLessThan(5);
  });

  test("trailers are there after the end of the body", async () => {
    const reply = await call(async (environ, startResponse) => {
      const input = environ["esgi.input"];
      const before = input.trailers.length;
      await input.text();
      startResponse("200 OK", TEXT);
      return JSON.stringify([before, input.trailers]);
    }, { body: ["a"], trailers: [["Digest", "x"]] });
    expect(reply.json()).toEqual([0, [["Digest", "x"]]]);
  });

  test("a body that is shorter than its Content-Length breaks off", async () => {
    for (const options of [{ body: "ab" }, { body: ["ab"] }, {}]) {
      const error = await call(echo, { ...options, headers: { "Content-Length": "3" } }).catch((error) => error);
      expect(error).toBeInstanceOf(InputError);
    }
  });

  test("HEAD has no body and 304 none either", async () => {
    const app: Application = (_environ, startResponse) => {
      startResponse("200 OK", [...TEXT, ["Content-Length", "5"]]);
      return "hello";
    };
    const reply = await call(app, { method: "HEAD" });
    expect([reply.status, reply.header("Content-Length"), reply.text()]).toEqual([200, "5", ""]);
    const notModified: Application = (_environ, startResponse) => {
      startResponse("304 Not Modified", [["ETag", '"a"'], ["Content-Length", "5"]]);
      return null;
    };
    expect((await call(notModified)).status).toBe(304);
  });

  test("rejects with what the application throws, and when it breaks a rule", async () => {
    const boom = () => {
      throw new Error("boom");
    };
    await expect(call(boom)).rejects.toThrow("boom");
    await expect(call(() => "x")).rejects.toThrow("did not call startResponse");
    await expect(call((_environ, startResponse) => {
      startResponse("200 OK", []);
      return undefined as unknown as string;
    })).rejects.toThrow("no body");
    for (const length of ["1", "3"]) {
      await expect(call((_environ, startResponse) => {
        startResponse("200 OK", [...TEXT, ["Content-Length", length]]);
        return "ab";
      })).rejects.toThrow("Content-Length");
    }
  });
});

describe("a client that leaves", () => {
  test("aborts the signal, and the body is closed once", async () => {
    const log: string[] = [];
    const reply = await call((environ, startResponse) => {
      environ["esgi.signal"].addEventListener("abort", () => log.push("aborted"));
      startResponse("200 OK", TEXT);
      return {
        async *[Symbol.asyncIterator]() {
          for (let i = 0;; i++) yield `${i} `;
        },
        close: () => void log.push("closed"),
      };
    }, { disconnectAfter: 3 });
    expect(reply.aborted).toBe(true);
    expect(reply.text()).toBe("0 1 2 ");
    expect(log).toEqual(["aborted", "closed"]);
  });

  test("may leave by a signal, while the application waits", async () => {
    const controller = new AbortController();
    let finished = false;
    const reply = call(async function* (environ, startResponse) {
      try {
        startResponse("200 OK", TEXT);
        yield "first";
        await new Promise((resolve) => environ["esgi.signal"].addEventListener("abort", resolve));
      } finally {
        finished = true;
      }
    }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    expect(await reply).toMatchObject({ status: 200, aborted: true });
    expect((await reply).text()).toBe("first");
    expect(finished).toBe(true);
  });

  test("breaks the request body off", async () => {
    const controller = new AbortController();
    const hanging = new ReadableStream<Uint8Array>();
    const reply = call(echo, { body: hanging, signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    const error = await reply.catch((error) => error);
    expect(error).toMatchObject({ name: "InputError", fault: "disconnected" });
  });
});

describe("an upgraded connection", () => {
  const app: Application = (_environ, startResponse) => {
    startResponse("101 Switching Protocols", [["Upgrade", "echo"]]);
    return async (socket) => {
      for await (const chunk of socket) await socket.write(chunk);
      socket.write("bye");
    };
  };

  test("is a socket in memory", async () => {
    const reply = await call(app, { upgrade: ["echo"] });
    expect(reply.status).toBe(101);
    const socket = reply.socket!;
    socket.write("hello");
    expect(new TextDecoder().decode((await socket.read())!)).toBe("hello");
    socket.end();
    expect(await socket.text()).toBe("bye");
    await reply.upgraded;
  });

  test("breaks when the client vanishes", async () => {
    const reply = await call(app, { upgrade: ["echo"] });
    reply.socket!.destroy();
    await expect(reply.upgraded).rejects.toThrow("broke");
    expect(reply.socket!.signal.aborted).toBe(true);
  });

  test("needs 101 and an offer", async () => {
    await expect(call(app)).rejects.toThrow("offered none");
    await expect(call((_environ, startResponse) => {
      startResponse("200 OK", []);
      return () => {};
    }, { upgrade: ["echo"] })).rejects.toThrow("101 Switching Protocols");
  });

  test("duplexPair: write waits while the other end does not read", async () => {
    const [a, b] = duplexPair();
    expect(a.write("small")).toBe(undefined);
    let resumed = false;
    const wait = (a.write(new Uint8Array(100_000)) as Promise<void>).then(() => {
      resumed = true;
    });
    await Promise.resolve();
    expect(resumed).toBe(false);
    await b.read();
    await b.read();
    await wait;
    a.end();
    expect(await b.read()).toBe(null);
    expect(() => a.write("x")).toThrow("after end()");
    const first = b.read();
    expect(await first).toBe(null);
  });
});
