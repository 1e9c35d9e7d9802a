// uwsgi, FastCGI and SCGI through the server: what the application sees, what the web server gets, and what happens when
// either of them does not behave. In memory; the same over sockets and through nginx is in test/runtimes/nginx.test.ts.

import fc from "fast-check";
import { describe, expect, it, test, vi } from "vitest";
import type { Application } from "../../src/esgi/application.ts";
import type { Environ } from "../../src/esgi/environ.ts";
import { validator } from "../../src/esgi/validator.ts";
import type { Options } from "../../src/config/settings.ts";
import type { MemoryClient } from "../../src/runtime/memory.ts";
import {
  answer,
  begin,
  fastcgi,
  type FastCgiOptions,
  pairs,
  record,
  records,
  scgi,
  stream,
  uwsgi,
  type Variables,
  variables,
} from "../gateway_protocols/packets.ts";
import { NAMES } from "../gateway_protocols/feed.ts";
import { GET, hello, serve, type Served, settle, useClock } from "./harness.ts";

useClock();

const SEND = { uwsgi: (sent: Variables, body?: string) => uwsgi(sent, body), scgi, fastcgi };
const POST = variables({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "5" });
const FRONT: Options = { uwsgi_allow_ips: "192.0.2.1" };

type Name = (typeof NAMES)[number];

const gateway = (name: Name, application: Application, options: Options = {}): Promise<Served> =>
  serve(application, { ...FRONT, ...options }, name);

/** The response without its wrapping: the head as HTTP has it, and the body. */
function response(name: Name, client: MemoryClient): string {
  if (name === "uwsgi") return client.received;
  const text = name === "fastcgi" ? answer(client.received).stdout : client.received;
  return text.replace(/^Status: /, "HTTP/1.1 ");
}

/** Fields that the server adds, without those that are about the time. */
const plain = (text: string): string => text.replace(/Date: .*?\r\n/, "");

function keeper(): { application: Application; environs: Environ[] } {
  const environs: Environ[] = [];
  return {
    environs,
    application: (environ, startResponse) => {
      environs.push(environ);
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      return "ok";
    },
  };
}

const NOT_COMPARED =
  /^(?:esgi\.(?:input|errors|signal|file_wrapper|early_hints|headers)|tricorn\.log|REMOTE_.*|SERVER_NAME|SERVER_PORT)$/;

/** What can be compared of an environ. */
function comparable(environ: Environ): Record<string, unknown> {
  const keys = Object.keys(environ).filter((key) => !NOT_COMPARED.test(key));
  const headers = environ["esgi.headers"].map(([name, value]) => [name.toLowerCase(), value]).sort();
  return { ...Object.fromEntries(keys.map((key) => [key, environ[key as `HTTP_X`]])), headers };
}

describe.each(NAMES)("%s: the environ", (name) => {
  const send = SEND[name];

  test("tells of the web server's client", async () => {
    const { application, environs } = keeper();
    const { runtime } = await gateway(name, application);
    const sent = variables({ HTTPS: "on", HTTP_X_A: "1", "esgi.url_scheme": "ftp", REMOTE_USER: "root" });
    void runtime.connect().send(send(sent));
    const [environ] = environs;
    expect(environ).toMatchObject({
      REMOTE_ADDR: "198.51.100.7",
      REMOTE_PORT: "5555",
      SERVER_NAME: "example.org",
      SERVER_PORT: "443",
      SERVER_PROTOCOL: "HTTP/1.1",
      HTTP_HOST: "example.org",
      HTTP_X_A: "1",
      "esgi.url_scheme": "https",
      "esgi.headers": [["Host", "example.org"], ["X-A", "1"]],
    });
    for (const key of ["REMOTE_USER", "HTTPS", "esgi.early_hints", "esgi.upgrade", "esgi.tls", "DOCUMENT_ROOT"]) {
      expect(Object.hasOwn(environ!, key), key).toBe(false);
    }
  });

  test("where the web server does not name itself, the connection's end stands", async () => {
    const { application, environs } = keeper();
    const { runtime } = await gateway(name, application);
    void runtime.connect().send(send(variables({ SERVER_NAME: "_", SERVER_PORT: "" })));
    expect(environs[0]).toMatchObject({ SERVER_NAME: "192.0.2.2", SERVER_PORT: "80" });
  });

  test.each([
    ["/app/x%2fy", "/app", "/x/y"],
    ["/app", "/app", ""],
    ["/app?q", "/app", ""],
    ["/application", "", "/application"],
    ["/other", "", "/other"],
    ["/app/%ff", "/app", "/%ff"],
  ])("%s below the mount /app is %s and %s", async (target, script, path) => {
    const { application, environs } = keeper();
    const { runtime } = await gateway(name, application);
    void runtime.connect().send(send(variables({ REQUEST_URI: target, SCRIPT_NAME: "/app", PATH_INFO: "/whatever" })));
    expect(environs[0]).toMatchObject({ SCRIPT_NAME: script, PATH_INFO: path, "esgi.target": target });
  });

  test("is that of the same request by HTTP", async () => {
    const http = keeper();
    const other = keeper();
    const direct = await serve(http.application);
    const wrapped = await gateway(name, other.application);
    const token = fc.string({ unit: fc.constantFrom(..."ABCXYZ-019"), minLength: 1, maxLength: 8 })
      .filter((text) => !/^(?:HOST|TE|PROXY|UPGRADE|EXPECT|CONNECTION|TRAILER)$/.test(text));
    const value = fc.string({ unit: fc.constantFrom(...'aZ09 ,;="\\\t\xe9\xff'), maxLength: 12 });
    const path = fc.string({
      unit: fc.constantFrom(..."abc/.;:@!$&'()*+,=~", "%20", "%C3%A9", "%ff", "%2F", "//"),
      maxLength: 12,
    });
    const query = fc.option(fc.string({ unit: fc.constantFrom(..."ab=&?/%", "%20"), maxLength: 10 }), { nil: null });
    const fields = fc.array(fc.tuple(token, value), { maxLength: 6 });
    const method = fc.constantFrom("GET", "HEAD", "PUT", "DELETE", "PROPFIND");
    fc.assert(
      fc.property(
        method,
        path,
        query,
        fields,
        fc.constantFrom("HTTP/1.0", "HTTP/1.1"),
        (method, path, query, fields, protocol) => {
          const target = `/${path}${query === null ? "" : `?${query}`}`;
          const lines = [["Host", "example.org:8080"], ...fields].map(([name, value]) => `${name}: ${value}\r\n`).join(
            "",
          );
          void direct.runtime.connect().send(`${method} ${target} ${protocol}\r\n${lines}\r\n`);
          void wrapped.runtime.connect().send(send([
            ...variables({
              REQUEST_METHOD: method,
              REQUEST_URI: target,
              SERVER_PROTOCOL: protocol,
              HTTP_HOST: "example.org:8080",
            }),
            ...fields.map(([name, value]) => [`HTTP_${name.replaceAll("-", "_")}`, value] as const),
          ]));
          expect(comparable(other.environs.pop()!)).toEqual(comparable(http.environs.pop()!));
        },
      ),
    );
  });

  test("keeps the rules of ESGI, those for a fresh one included", async () => {
    const checked = validator(async (environ, startResponse) => {
      const text = await environ["esgi.input"].text();
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      return text + environ.PATH_INFO;
    }, { pristine: true });
    const { runtime, faults } = await gateway(name, checked);
    const client = runtime.connect();
    void client.send(
      send(
        [...POST, ["SCRIPT_NAME", ""], ["CONTENT_TYPE", "a/b"], ["HTTP_COOKIE", "a"], ["HTTP_COOKIE", "b"]],
        "hello",
      ),
    );
    await settle();
    expect(faults).toEqual([]);
    expect(response(name, client)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*\r\n\r\nhello\/$/);
  });

  test.each([
    ["forwarded fields of a client that is trusted", "127.0.0.1", "203.0.113.9"],
    ["not those of another", "198.51.100.7", "198.51.100.7"],
  ])("believes the %s", async (_what, client, address) => {
    const { application, environs } = keeper();
    const { runtime } = await gateway(name, application);
    void runtime.connect().send(send(variables({ REMOTE_ADDR: client, HTTP_X_FORWARDED_FOR: "203.0.113.9" })));
    expect(environs[0]!.REMOTE_ADDR).toBe(address);
  });
});

describe.each(NAMES)("%s: the response", (name) => {
  const send = SEND[name];

  async function get(application: Application, more: Record<string, string> = {}): Promise<MemoryClient> {
    const { runtime } = await gateway(name, application);
    const client = runtime.connect();
    void client.send(send(variables(more)));
    await settle();
    return client;
  }

  const respond =
    (status: string, body: ReturnType<Application>, ...headers: [string, string][]): Application =>
    (_environ, startResponse) => {
      startResponse(status, headers);
      return body;
    };
  const TEXT: [string, string] = ["Content-Type", "text/plain"];

  it("has the protocol's head, without Connection", async () => {
    const client = await get(hello);
    const start = { uwsgi: "HTTP/1.1 200 OK\r\n", scgi: "Status: 200 OK\r\n", fastcgi: "Status: 200 OK\r\n" }[name];
    const text = name === "fastcgi" ? answer(client.received).stdout : client.received;
    expect(plain(text)).toBe(`${start}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`);
    expect(client.ended).toBe(true);
  });

  it("ends: FastCGI says so, the others by their connection", async () => {
    const client = await get(hello);
    if (name === "fastcgi") {
      expect(records(client.received).map(({ type, content }) => [type, content.length])).toEqual(
        [[6, expect.any(Number)], [6, 0], [3, 8]],
      );
    }
    expect(client.ended).toBe(true);
  });

  it("of unknown length is sent as it comes, in no chunks", async () => {
    const client = await get(respond("200 OK", ["a", "", "b", "c"], TEXT));
    expect(plain(response(name, client))).toBe("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nabc");
    expect(client.ended).toBe(true);
  });

  it("may be large", async () => {
    const large = "0123456789".repeat(40_000);
    const client = await get(respond("200 OK", large, TEXT));
    expect(response(name, client).endsWith(`Content-Length: 400000\r\n\r\n${large}`)).toBe(true);
    const bytes = await get(respond("200 OK", new Uint8Array(200_000).fill(97), TEXT));
    expect(response(name, bytes).endsWith(`\r\n\r\n${"a".repeat(200_000)}`)).toBe(true);
    expect(name !== "fastcgi" || answer(bytes.received).complete).toBe(true);
  });

  it.each([["204 No Content"], ["304 Not Modified"]])("%s has no body", async (status) => {
    expect(plain(response(name, await get(respond(status, null))))).toBe(`HTTP/1.1 ${status}\r\n\r\n`);
  });

  it("to HEAD has no body", async () => {
    const client = await get(hello, { REQUEST_METHOD: "HEAD" });
    expect(response(name, client)).toMatch(/Content-Length: 5\r\n\r\n$/);
    expect(client.ended).toBe(true);
  });

  it("is 500 when the application throws before it", async () => {
    const client = await get(() => {
      throw new Error("no");
    });
    expect(response(name, client)).toMatch(/^HTTP\/1.1 500 Internal Server Error\r\n/);
  });

  it("breaks off when the application throws within it", async () => {
    const client = await get(function* (_environ, startResponse) {
      startResponse("200 OK", [TEXT]);
      yield "a";
      throw new Error("no");
    } as Application);
    // Where the end of the connection would pass for that of the response, it is reset.
    expect([client.closed, client.wasReset]).toEqual([true, name !== "fastcgi"]);
    if (name === "fastcgi") expect(answer(client.received)).toMatchObject({ complete: false });
  });

  it("is cut to its Content-Length, and the connection ends after one that is too short", async () => {
    expect(response(name, await get(respond("200 OK", "hello", TEXT, ["Content-Length", "3"])))).toMatch(
      /\r\n\r\nhel$/,
    );
    const short = await get(respond("200 OK", ["hello"], TEXT, ["Content-Length", "9"]));
    expect(response(name, short)).toMatch(/\r\n\r\nhello$/);
    expect(short.ended).toBe(true);
  });

  it("waits for a web server that does not read", async () => {
    let made = 0;
    const { runtime } = await gateway(name, function* (_environ, startResponse) {
      startResponse("200 OK", [TEXT]);
      for (; made < 50; made++) yield "x".repeat(1000);
    } as Application);
    const client = runtime.connect();
    client.stalled = true;
    void client.send(send(variables()));
    await settle();
    expect(made).toBeLessThan(5);
    client.drain();
    await settle();
    expect(response(name, client)).toMatch(/x{50000}$/);
  });

  it("101 is a fault, since there is nothing to upgrade to", async () => {
    const client = await get(respond("101 Switching Protocols", () => {}, ["Upgrade", "websocket"]), {
      HTTP_UPGRADE: "websocket",
      HTTP_CONNECTION: "upgrade",
    });
    expect(response(name, client)).toMatch(/^HTTP\/1.1 500 /);
  });
});

describe.each(NAMES)("%s: the body", (name) => {
  const send = SEND[name];
  const echo: Application = async (environ, startResponse) => {
    const text = await environ["esgi.input"].text();
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return text;
  };

  it("is read, however it comes", async () => {
    const { runtime } = await gateway(name, echo);
    const body = "0123456789".repeat(30);
    const packet = send(variables({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "300" }), body);
    for (const size of [1, 7, 100, 10_000]) {
      const client = runtime.connect();
      for (let at = 0; at < packet.length; at += size) void client.send(packet.slice(at, at + size));
      await settle();
      expect(response(name, client).endsWith(`\r\n\r\n${body}`), `in pieces of ${size}`).toBe(true);
    }
  });

  it("is waited for while the application does not read", async () => {
    let go!: () => void;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { runtime } = await gateway(name, async (environ, startResponse) => {
      await gate;
      return echo(environ, startResponse);
    });
    const body = "x".repeat(400_000);
    const packet = send(variables({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "400000" }), body);
    const client = runtime.connect();
    let taken = 0;
    const sending = (async () => {
      for (; taken < packet.length; taken += 10_000) await client.send(packet.slice(taken, taken + 10_000));
    })();
    await settle();
    expect(taken).toBeLessThan(200_000);
    go();
    await sending;
    for (let i = 0; i < 50; i++) await settle();
    expect(response(name, client)).toMatch(/x{400000}$/);
  });

  it("that breaks off is an error of the input, and 400", async () => {
    const { runtime } = await gateway(name, echo);
    const packet = name === "fastcgi"
      ? begin(1) + stream(4, pairs(POST)) + record(5, 1, "hel")
      : send(POST, "hello").slice(0, -2);
    const client = runtime.connect();
    void client.send(packet);
    client.end();
    await settle();
    expect(response(name, client)).toMatch(/^HTTP\/1.1 400 Bad Request\r\n[^]*within the request body/);
  });

  it("that does not come is 408 after body_timeout", async () => {
    const { runtime, pass } = await gateway(name, echo, { body_timeout: 5 });
    const client = runtime.connect();
    void client.send(name === "fastcgi" ? begin(1) + stream(4, pairs(POST)) : send(POST, "hello").slice(0, -5));
    await settle();
    pass(6);
    await settle();
    expect(response(name, client)).toMatch(/^HTTP\/1.1 408 /);
  });

  it("larger than limit_request_body is 413", async () => {
    const { runtime } = await gateway(name, echo, { limit_request_body: 4 });
    const client = runtime.connect();
    void client.send(send(POST, "hello"));
    expect(response(name, client)).toMatch(/^HTTP\/1.1 413 /);
  });

  it("that nobody reads does not keep a response from its end", async () => {
    const { runtime } = await gateway(name, hello);
    const client = runtime.connect();
    void client.send(send(POST, "hello"));
    await settle();
    expect(response(name, client)).toMatch(/\r\n\r\nhello$/);
    expect(client.ended).toBe(true);
  });
});

describe.each(NAMES)("%s: bad input", (name) => {
  const send = SEND[name];

  test.each([
    ["a method that is no token", { REQUEST_METHOD: "G(T" }, 400, /malformed method/],
    ["a target with a space", { REQUEST_URI: "/a b" }, 400, /./],
    ["a method with a line end", { REQUEST_METHOD: "GET\r\n" }, 400, /malformed method/],
    ["a target with a line end", { REQUEST_URI: "/\r\nX: y" }, 400, /malformed request target/],
    ["a type with a line end", { CONTENT_TYPE: "a\nb" }, 400, /control character/],
    ["a method that is too long", { REQUEST_METHOD: "G".repeat(99) }, 501, /method/],
    ["a target that smuggles a version", { REQUEST_URI: "/ HTTP/1.1" }, 400, /./],
    ["no host", { HTTP_HOST: "" }, 400, /empty Host/],
    ["a host that is none", { HTTP_HOST: "a b" }, 400, /malformed host/],
    ["a control character in a field", { HTTP_X: "a\x01b" }, 400, /control character/],
    ["a NUL in a field", { HTTP_X: "a\0b" }, 400, /./],
    ["a line end in a field", { HTTP_X: "a\r\nX-B: c" }, 400, /control character/],
    ["a target that is too long", { REQUEST_URI: `/${"a".repeat(9000)}` }, 414, /limit_request_line/],
    ["a field that is too long", { HTTP_X: "a".repeat(9000) }, 431, /limit_request_field_size/],
    ["CONNECT", { REQUEST_METHOD: "CONNECT", REQUEST_URI: "a:1" }, 405, /no proxy/],
    ["REMOTE_ADDR that is no address", { REMOTE_ADDR: "x" }, 400, /REMOTE_ADDR/],
  ])("%s is refused as by HTTP", async (_what, more, status, reason) => {
    if (name === "scgi" && Object.values(more).some((value) => value.includes("\0"))) return; // It has no way to say it.
    const { runtime, refused } = await gateway(name, hello);
    const client = runtime.connect();
    void client.send(send(variables(more as Record<string, string>)));
    expect(refused).toEqual([{ status, reason: expect.stringMatching(reason), remote: "192.0.2.1" }]);
    expect(response(name, client)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(client.ended).toBe(true);
  });

  test("more fields than limit_request_fields are 431", async () => {
    const { runtime } = await gateway(name, hello, { limit_request_fields: 5 });
    const client = runtime.connect();
    void client.send(send([...variables(), ...Array.from({ length: 5 }, (_, i) => [`HTTP_X${i}`, ""] as const)]));
    expect(response(name, client)).toMatch(/^HTTP\/1.1 431 /);
  });

  test("HTTP is refused, named, and logged once", async () => {
    const { runtime, refused } = await gateway(name, hello);
    const client = runtime.connect();
    void client.send(GET);
    expect(refused).toEqual([
      {
        status: name === "fastcgi" ? 0 : 400,
        reason: expect.stringMatching(/the peer speaks HTTP$/),
        remote: "192.0.2.1",
      },
    ]);
    // In FastCGI there is no request to answer.
    expect(client.received).toMatch(name === "fastcgi" ? /^$/ : / 400 Bad Request\r\n/);
    expect(client.ended).toBe(true);
  });

  test("a port that speaks HTTP refuses it, and names it", async () => {
    const { runtime, refused } = await serve(hello);
    const client = runtime.connect();
    void client.send(send(variables()));
    const what = { uwsgi: "a uwsgi packet", scgi: "an SCGI netstring", fastcgi: "a FastCGI record" }[name];
    expect(refused).toEqual([
      {
        status: 400,
        reason: expect.stringContaining(`${what} where a request line should be: --protocol ${name} speaks it`),
        remote: "192.0.2.1",
      },
    ]);
    expect(client.received).toMatch(/^HTTP\/1.1 400 /);
  });

  test("a peer that is not allowed is closed without an answer, and logged once", async () => {
    const { runtime, refused } = await gateway(name, hello, { uwsgi_allow_ips: "127.0.0.1" });
    const client = runtime.connect();
    void client.send(send(variables()));
    expect([client.received, client.ended]).toEqual(["", true]);
    expect(refused).toEqual([{
      status: 0,
      reason: `${name} from a peer that is not in uwsgi_allow_ips`,
      remote: "192.0.2.1",
    }]);
  });

  test("a peer on a unix socket is allowed", async () => {
    const { runtime } = await gateway(name, hello, { uwsgi_allow_ips: "127.0.0.1" });
    const client = runtime.connect({ address: "", port: 0 }, { address: "", port: 0 });
    void client.send(send(variables()));
    expect(response(name, client)).toMatch(/hello$/);
  });

  test("a packet that does not come to its end is refused after header_timeout", async () => {
    const { runtime, refused, pass } = await gateway(name, hello, { header_timeout: 5 });
    const client = runtime.connect();
    void client.send(send(variables()).slice(0, 60));
    pass(6);
    expect(refused).toMatchObject(
      [{ status: name === "fastcgi" ? expect.any(Number) : 408, reason: /header_timeout/ }].map(
        ({ status }) => ({ status, reason: "the request head did not arrive within header_timeout" }),
      ),
    );
    expect(client.ended).toBe(true);
  });

  test("a packet whose connection ends within it is refused", async () => {
    const { runtime, refused } = await gateway(name, hello);
    for (const size of [1, 5, 60]) {
      const client = runtime.connect();
      void client.send(send(variables()).slice(0, size));
      client.end();
      expect(client.closed).toBe(true);
    }
    expect(refused.map(({ reason }) => reason)).toEqual(Array(3).fill("the connection ended within a request head"));
  });

  test("a connection that says nothing is closed without a word", async () => {
    const { runtime, refused, pass } = await gateway(name, hello, { header_timeout: 5 });
    const client = runtime.connect();
    pass(6);
    expect([client.received, client.ended, refused]).toEqual(["", true, []]);
  });

  test("too many connections are refused", async () => {
    const { runtime, refused } = await gateway(name, hello, { worker_connections: 1 });
    runtime.connect();
    expect(runtime.connect().ended).toBe(true);
    expect(refused).toHaveLength(1);
  });

  test("any bytes: an end, and nothing that throws", async () => {
    const { runtime, faults, server } = await gateway(name, hello, { limit_request_head: 2000 });
    const packet = send(POST, "hello");
    fc.assert(fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc.tuple(fc.nat(packet.length - 1), fc.nat(255)).map(([at, code]) =>
          Uint8Array.from(packet, (character, i) => i === at ? code : character.charCodeAt(0))
        ),
      ),
      fc.integer({ min: 1, max: 50 }),
      (data, size) => {
        const client = runtime.connect();
        for (let at = 0; at < data.length; at += size) void client.send(data.subarray(at, at + size));
        client.end();
        expect(client.ended).toBe(true);
        client.reset();
      },
    ));
    await settle();
    expect(server.connections).toBe(0);
    expect(faults).toEqual([]);
  });
});

describe.each(NAMES)("%s: the server's life", (name) => {
  const send = SEND[name];

  test("a web server that leaves aborts the signal", async () => {
    let signal!: AbortSignal;
    const { runtime, server } = await gateway(name, (environ) => {
      signal = environ["esgi.signal"];
      return new Promise(() => {});
    });
    const client = runtime.connect();
    void client.send(send(variables()));
    expect(signal.aborted).toBe(false);
    client.end();
    expect(signal.aborted).toBe(true);
    client.reset();
    await settle();
    expect(server.inFlight).toBe(0);
  });

  test("request_timeout, queue_timeout: 504 and 503", async () => {
    const { runtime, pass } = await gateway(name, () => new Promise(() => {}), {
      request_timeout: 5,
      queue_timeout: 1,
      limit_concurrency: 1,
    });
    const [first, second] = [runtime.connect(), runtime.connect()];
    void first.send(send(variables()));
    void second.send(send(variables()));
    pass(2);
    expect(response(name, second)).toMatch(/^HTTP\/1.1 503 /);
    pass(5);
    expect(response(name, first)).toMatch(/^HTTP\/1.1 504 /);
    if (name === "fastcgi") expect(answer(first.received).complete).toBe(true);
  });

  test("the access log is told of requests as they are", async () => {
    const { runtime, events, pass } = await gateway(name, hello);
    const seen: unknown[] = [];
    events.on(
      "request",
      ({ environ, status, bytes }) => seen.push([environ.REMOTE_ADDR, environ["esgi.target"], status, bytes]),
    );
    pass(1);
    void runtime.connect().send(send(variables({ REQUEST_URI: "/x" })));
    expect(seen).toEqual([["198.51.100.7", "/x", 200, 5]]);
  });
});

describe("FastCGI: connections that are kept", () => {
  const get = (more: FastCgiOptions & { readonly uri?: string } = {}): string =>
    fastcgi(variables({ REQUEST_URI: more.uri ?? "/" }), "", { keep: true, ...more });

  test("carry requests one after another, with an environ for each", async () => {
    const { runtime } = await gateway("fastcgi", (environ, startResponse) => {
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      return `${environ["esgi.target"]} ${environ.REMOTE_ADDR}`;
    });
    const client = runtime.connect();
    void client.send(get({ uri: "/a" }));
    void client.send(fastcgi(variables({ REQUEST_URI: "/b", REMOTE_ADDR: "::1" }), "", { keep: true, id: 7 }));
    expect(answer(client.received).stdout).toMatch(/\r\n\r\n\/a 198.51.100.7$/);
    expect(answer(client.received, 7).stdout).toMatch(/\r\n\r\n\/b ::1$/);
    expect([answer(client.received).complete, answer(client.received, 7).complete, client.ended]).toEqual([
      true,
      true,
      false,
    ]);
    void client.send(get().replace("\x01\x01\0\x01\0\x08\0\0\0\x01\x01", "\x01\x01\0\x01\0\x08\0\0\0\x01\0"));
    expect(client.ended).toBe(true);
  });

  test("go on after a body that nobody has read", async () => {
    const { runtime } = await gateway("fastcgi", hello);
    const client = runtime.connect();
    const packet = fastcgi(POST, "hello", { keep: true });
    void client.send(packet.slice(0, -10));
    await settle();
    expect(answer(client.received).complete).toBe(true);
    void client.send(packet.slice(-10) + get({ id: 2 }));
    await settle();
    expect(answer(client.received, 2)).toMatchObject({ complete: true });
    expect(client.ended).toBe(false);
  });

  test("have bodies of which only the end tells the length", async () => {
    const seen: unknown[] = [];
    const { runtime } = await gateway("fastcgi", async (environ, startResponse) => {
      seen.push(await environ["esgi.input"].text(), environ.CONTENT_LENGTH, environ.HTTP_TRANSFER_ENCODING);
      startResponse("200 OK", []);
      return "";
    });
    const client = runtime.connect();
    const sent = variables({ REQUEST_METHOD: "POST", HTTP_TRANSFER_ENCODING: "chunked" });
    void client.send(fastcgi(sent, "hello world", { keep: true, size: 4 }));
    await settle();
    void client.send(get({ id: 2 }));
    await settle();
    expect(seen).toEqual(["hello world", undefined, "chunked", "", undefined, undefined]);
    expect(answer(client.received, 2).complete).toBe(true);
  });

  test("are closed when they have been idle for keepalive, and when the server drains", async () => {
    const { runtime, pass, server } = await gateway("fastcgi", hello, { keepalive: 10, header_timeout: 1 });
    const [first, second] = [runtime.connect(), runtime.connect()];
    void first.send(get());
    void second.send(get());
    pass(9);
    expect(first.ended).toBe(false);
    void second.send(get());
    pass(2);
    expect([first.ended, second.ended]).toEqual([true, false]);
    void server.drain();
    await vi.advanceTimersByTimeAsync(1000);
    expect(second.ended).toBe(true);
  });

  test("are closed after the response in flight when the server drains", async () => {
    let go!: () => void;
    const { runtime, server } = await gateway("fastcgi", async (_environ, startResponse) => {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      startResponse("200 OK", []);
      return "late";
    });
    const client = runtime.connect();
    void client.send(get());
    void server.drain();
    await settle();
    go();
    await settle();
    expect(answer(client.received)).toMatchObject({ stdout: expect.stringMatching(/late$/), complete: true });
    expect(client.ended).toBe(true);
  });

  test("keepalive_requests counts", async () => {
    const { runtime } = await gateway("fastcgi", hello, { keepalive_requests: 2 });
    const client = runtime.connect();
    void client.send(get());
    expect(client.ended).toBe(false);
    void client.send(get());
    expect(client.ended).toBe(true);
  });

  test("while the application works, questions of the protocol are answered", async () => {
    let go!: () => void;
    const { runtime } = await gateway("fastcgi", async (_environ, startResponse) => {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      startResponse("200 OK", []);
      return "late";
    });
    const client = runtime.connect();
    void client.send(get());
    void client.send(record(9, 0, pairs([["FCGI_MPXS_CONNS", ""]])));
    void client.send(get({ id: 2 }));
    expect(records(client.received).map(({ type, id }) => [type, id])).toEqual([[10, 0], [3, 2]]);
    go();
    await settle();
    expect(answer(client.received)).toMatchObject({ complete: true });
  });

  test("§5.4: ABORT_REQUEST aborts the signal, ends the request, and then the connection", async () => {
    let signal!: AbortSignal;
    const { runtime, server, faults } = await gateway("fastcgi", (environ) => {
      signal = environ["esgi.signal"];
      return new Promise(() => {});
    });
    for (
      const abort of [(client: MemoryClient) => client.send(get() + record(2, 1, "")), (client: MemoryClient) => {
        void client.send(get());
        return client.send(record(2, 1, ""));
      }]
    ) {
      const client = runtime.connect();
      void abort(client);
      await settle();
      expect(signal.aborted).toBe(true);
      expect(answer(client.received)).toEqual({ stdout: "", complete: true });
      expect([client.ended, server.inFlight]).toEqual([true, 0]);
    }
    expect(faults).toEqual([]);
  });

  test("a fault after a response ends the connection, without a word", async () => {
    const { runtime, refused } = await gateway("fastcgi", hello);
    const client = runtime.connect();
    void client.send(get());
    const before = client.received;
    void client.send("what is this?");
    expect([client.received, client.ended]).toEqual([before, true]);
    expect(refused).toEqual([{ status: 0, reason: "FastCGI: version 119 of a record", remote: "192.0.2.1" }]);
  });
});

describe.each(NAMES)("%s: one connection after another", (name) => {
  const send = SEND[name];
  const tell: Application = async (environ, startResponse) => {
    const body = await environ["esgi.input"].text();
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return [environ["esgi.target"], environ.REMOTE_ADDR, environ.HTTP_X_A ?? "-", environ.CONTENT_TYPE ?? "-", body]
      .join(" ");
  };

  test("a web server that has sent all is not waited for; one that has not is", async () => {
    const { runtime, server } = await gateway(name, tell);
    const client = runtime.connect();
    void client.send(send(POST, "hello"));
    await settle();
    expect([response(name, client).endsWith(" hello"), client.closed, server.connections]).toEqual([true, true, 0]);
    const small = await gateway(name, tell, { limit_request_body: 4 });
    const rest = small.runtime.connect();
    void rest.send(send(POST, "hello"));
    await settle();
    expect([response(name, rest).slice(0, 12), rest.ended, rest.closed]).toEqual(["HTTP/1.1 413", true, false]);
  });

  test("nothing of one reaches the next, however it ended", async () => {
    const { runtime, server, faults } = await gateway(name, tell);
    const ends: ((text: string) => Promise<unknown>)[] = [
      (text) => runtime.connect().send(text),
      (text) => runtime.connect().send(text.slice(0, -2)),
      (text) => runtime.connect().send(text.slice(0, 7)),
      (text) => runtime.connect().send(`${text}more`),
      (text) => runtime.connect().send(text.replace("POST", "P ST")),
      (text) => runtime.connect().send(`\xff${text}`),
      (text) => {
        const client = runtime.connect();
        void client.send(text.slice(0, -2));
        client.reset();
        return settle();
      },
      (text) => {
        const client = runtime.connect();
        void client.send(text.slice(0, -2));
        client.end();
        return settle();
      },
    ];
    for (const [index, end] of ends.entries()) {
      await end(send([...POST, ["HTTP_X_A", "theirs"], ["CONTENT_TYPE", "a/b"]], "their"));
      await settle();
      for (const n of [1, 2]) {
        const client = runtime.connect();
        void client.send(send(variables({ REQUEST_URI: `/${n}`, REMOTE_ADDR: `192.0.2.${n}` })));
        await settle();
        expect(response(name, client), `after ${index}`).toMatch(new RegExp(`\\r\\n\\r\\n/${n} 192.0.2.${n} - - $`));
      }
    }
    expect(faults).toEqual([]);
    server.close();
  });
});

test("uwsgi: a ping is answered", async () => {
  const { runtime } = await gateway("uwsgi", hello);
  const client = runtime.connect();
  void client.send("d\0\0\0");
  expect(client.received).toBe("d\0\0\x01");
});

test("the PROXY protocol comes before HTTP only: where a gateway protocol is spoken, none is expected", async () => {
  const { runtime } = await serve(hello, { ...FRONT, proxy_protocol: "required", proxy_allow_ips: "*" }, "uwsgi");
  const client = runtime.connect();
  void client.send(uwsgi(variables()));
  expect(client.received).toMatch(/^HTTP\/1.1 200 OK/);
});
