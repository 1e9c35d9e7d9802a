// Each rule of SPEC.md is broken once and kept once. A rule without an entry here fails the first test.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { parseSpec, renderSpec } from "../../scripts/spec.ts";
import type { Application, StartResponse } from "../../src/esgi/application.ts";
import type { Body, Chunk, Duplex } from "../../src/esgi/body.ts";
import type { Environ } from "../../src/esgi/environ.ts";
import { InputBuffer, InputError } from "../../src/esgi/input.ts";
import type { Input } from "../../src/esgi/input.ts";
import { call, duplexPair, makeEnviron } from "../../src/esgi/testing.ts";
import type { CallOptions } from "../../src/esgi/testing.ts";
import { ESGIViolation, validator } from "../../src/esgi/validator.ts";
import type { ValidatorOptions } from "../../src/esgi/validator.ts";

const TEXT: [string, string][] = [["Content-Type", "text/plain"]];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const ok: Application = (_environ, startResponse) => {
  startResponse("200 OK", TEXT);
  return "ok";
};

/** A right server around `application`. */
function run(application: Application, request: CallOptions = {}, options: ValidatorOptions = {}): unknown {
  return call(validator(application, options), request);
}

/** A right application under a server whose environ has these keys; undefined deletes one. */
function environ(keys: Record<string, unknown>, request: CallOptions = {}, options: ValidatorOptions = {}): unknown {
  const made = makeEnviron(request) as unknown as Record<string, unknown>;
  for (const [key, value] of Object.entries(keys)) {
    if (value === ABSENT) delete made[key];
    else made[key] = value;
  }
  return call(validator(ok, options), made as unknown as Environ);
}
const ABSENT = Symbol("absent");

/** A right application under a server with its own `startResponse`. */
function startResponse(inner: (...parameters: Parameters<StartResponse>) => unknown, application: Application = ok) {
  return validator(application)(makeEnviron(), inner as StartResponse);
}

/** Head and body in one. */
function reply(status: string, headers: unknown, body: unknown = null): Application {
  return (_environ, startResponse) => {
    startResponse(status, headers as [string, string][]);
    return body as Body;
  };
}

/** A right application that reads, under a server whose input does what `parts` say. */
function input(
  parts: Partial<Input>,
  read: (input: Input) => unknown = (input) => input.read(),
  keys: Record<string, string> = {},
) {
  const real = new InputBuffer(null);
  const fake: Input = {
    read: () => real.read(),
    bytes: () => real.bytes(),
    text: () => real.text(),
    json: () => real.json(),
    stream: () => real.stream(),
    [Symbol.asyncIterator]: () => real[Symbol.asyncIterator](),
    trailers: [],
    ...parts,
  };
  return call(
    validator(async (environ, startResponse) => {
      await read(environ["esgi.input"]);
      startResponse("200 OK", TEXT);
      return "ok";
    }),
    { ...makeEnviron(), ...keys, "esgi.input": fake },
  );
}

/** An application that reads so, under a right server. */
function reading(read: (input: Input) => unknown, request: CallOptions = { body: "hello" }): unknown {
  return run(async (environ, startResponse) => {
    await read(environ["esgi.input"]);
    return ok(environ, startResponse);
  }, request);
}

/** Gives what an iterating server does a validated body of "a", "b". */
async function iterating(
  serve: (body: AsyncIterable<Chunk> & { close(): unknown }) => unknown,
  close = true,
): Promise<void> {
  const source = {
    async *[Symbol.asyncIterator]() {
      yield "a";
      yield "b";
    },
    ...(close ? { close() {} } : {}),
  };
  const body = await validator(reply("200 OK", TEXT, source))(makeEnviron(), () => {});
  await serve(body as AsyncIterable<Chunk> & { close(): unknown });
}

/** An application that takes the connection over, under a server that does what `serve` says. */
async function upgrading(
  take: (socket: Duplex) => unknown,
  serve: (body: (socket?: unknown) => unknown) => unknown = (body) => body(duplexPair()[0]),
): Promise<void> {
  const application = reply("101 Switching Protocols", [["Upgrade", "echo"]], take);
  const body = await validator(application)(makeEnviron({ upgrade: ["echo"] }), () => {});
  await serve(body as (socket?: unknown) => unknown);
}

const fakeSocket = (parts: Partial<Duplex>): Duplex => {
  const [real] = duplexPair();
  return {
    read: () => real.read(),
    write: (chunk) => real.write(chunk),
    end: () => real.end(),
    signal: real.signal,
    [Symbol.asyncIterator]: () => real[Symbol.asyncIterator](),
    ...parts,
  };
};

const upgrade: CallOptions = { upgrade: ["echo"] };
const switched = (headers: unknown, body: unknown = () => {}) => reply("101 Switching Protocols", headers, body);
const once = validator(ok);
const onceEnviron = makeEnviron();
const chunked = (...chunks: unknown[]): InputBuffer => {
  const buffer = new InputBuffer({ wanted() {} });
  for (const chunk of chunks) buffer.push(bytes(chunk as string));
  buffer.end();
  return buffer;
};

interface Scenario {
  readonly breaks: () => unknown;
  readonly keeps: () => unknown;
}

const pristine = { pristine: true };
const fromFields = (keys: Record<string, unknown>): Scenario => ({
  breaks: () => environ(keys, { headers: [["X-A", "1"], ["x-a", "2"], ["Cookie", "a"], ["cookie", "b"]] }, pristine),
  keeps: () => environ({}, { headers: [["X-A", "1"], ["x-a", "2"], ["Cookie", "a"], ["cookie", "b"]] }, pristine),
});
const key = (name: string, bad: unknown, good: unknown): Scenario => ({
  breaks: () => environ({ [name]: bad }),
  keeps: () => environ({ [name]: good }),
});
const head = (bad: [string, unknown], good: [string, unknown]): Scenario => ({
  breaks: () => run(reply(...bad)),
  keeps: () => run(reply(...good)),
});

const SCENARIOS: Record<string, Scenario> = {
  "application-callable": { breaks: () => validator({} as Application), keeps: () => validator(ok) },
  "call-arguments": {
    breaks: () => (validator(ok) as (...all: unknown[]) => unknown)(makeEnviron(), () => {}, 1),
    keeps: () => validator(ok)(makeEnviron(), () => {}),
  },
  "call-start-response": {
    breaks: () => validator(ok)(makeEnviron(), null as unknown as StartResponse),
    keeps: () => validator(ok)(makeEnviron(), () => {}),
  },
  "environ-fresh": {
    breaks: async () => {
      await once(onceEnviron, () => {});
      await once(onceEnviron, () => {});
    },
    keeps: async () => {
      await once(makeEnviron(), () => {});
      await once({ ...makeEnviron() }, () => {});
    },
  },

  "environ-plain": {
    breaks: () => call(validator(ok), Object.create(makeEnviron())),
    keeps: () => call(validator(ok), Object.assign(Object.create(null), makeEnviron())),
  },
  "environ-mutable": {
    breaks: () => call(validator(ok), Object.freeze(makeEnviron())),
    keeps: () => {
      const made = makeEnviron();
      const { signal } = new AbortController();
      // A lazy key, as a server makes it.
      Object.defineProperty(made, "esgi.signal", {
        get: () => signal,
        set(value) {
          Object.defineProperty(made, "esgi.signal", { value, writable: true });
        },
        enumerable: true,
        configurable: true,
      });
      return call(validator(ok), made);
    },
  },
  "environ-required": key("QUERY_STRING", ABSENT, ""),
  "environ-strings": key("HTTP_X", undefined, "x"),
  "environ-field-key": key("HTTP_x-y", "a", ABSENT),
  "environ-esgi-keys": key("esgi.tricorn", 1, ABSENT),
  "environ-no-http-content": key("HTTP_CONTENT_LENGTH", "1", ABSENT),
  "environ-method": key("REQUEST_METHOD", "GE T", "m-search"),
  "environ-script-name": key("SCRIPT_NAME", "/app/", "/app"),
  "environ-path-info": key("PATH_INFO", "x", "/x\n"),
  "environ-query-string": key("QUERY_STRING", "a b", "a%20b?c"),
  "environ-server-name": key("SERVER_NAME", "localhost:80", "[::1]"),
  "environ-server-port": key("SERVER_PORT", "65536", "65535"),
  "environ-server-protocol": key("SERVER_PROTOCOL", "HTTP/2", "HTTP/1.0"),
  "environ-remote-addr": key("REMOTE_ADDR", "[::1]", "2001:db8::1"),
  "environ-remote-port": key("REMOTE_PORT", "-1", ""),
  "environ-content-length": key("CONTENT_LENGTH", "", "0"),
  "environ-one-path": {
    breaks: () => environ({ PATH_INFO: "" }),
    keeps: () => environ({}, { method: "OPTIONS", target: "*" }),
  },
  "esgi-version": key("esgi.version", [2, 0], [1, 0]),
  "esgi-url-scheme": key("esgi.url_scheme", "ftp", "https"),
  "esgi-flags": key("esgi.run_once", undefined, true),
  "esgi-target": key("esgi.target", "", "/%20"),
  "esgi-headers": key("esgi.headers", [["A", "b\r\n"]], [["A", "b"]]),
  "esgi-signal": key("esgi.signal", {}, AbortSignal.abort()),
  "esgi-input": key("esgi.input", new ReadableStream(), new InputBuffer(null)),
  "esgi-errors": key("esgi.errors", { write() {} }, { write() {}, flush() {} }),
  "esgi-absent-powers": key("esgi.early_hints", undefined, ABSENT),
  "esgi-functions": key("esgi.file_wrapper", {}, () => {}),
  "esgi-upgrade": key("esgi.upgrade", [], ["websocket", "h2c"]),
  "esgi-tls": key("esgi.tls", { protocol: 3 }, { protocol: "TLSv1.3" }),

  "pristine-no-others": fromFields({ HTTP_X_B: "spoofed" }),
  "pristine-fields": fromFields({ HTTP_COOKIE: "a, b" }),
  "pristine-path": {
    breaks: () => environ({ PATH_INFO: "/caf\xc3\xa9" }, { path: "/café" }, pristine),
    keeps: () => environ({}, { path: "/café%FF", scriptName: "/é" }, pristine),
  },
  "pristine-query": {
    breaks: () => environ({ QUERY_STRING: "?a=1" }, { path: "/?a=1" }, pristine),
    keeps: () => environ({}, { path: "/?a=1?" }, pristine),
  },

  "start-arguments": {
    breaks: () => run((_environ, start) => (start as (...all: unknown[]) => null)("200 OK")),
    keeps: () => run(ok),
  },
  "start-again": {
    breaks: () =>
      run((_environ, start) => {
        start("200 OK", TEXT);
        start("404 Not Found", TEXT);
        return null;
      }),
    keeps: () =>
      run((_environ, start) => {
        start("200 OK", TEXT);
        start("500 Oops", TEXT, new Error("x"));
        return null;
      }),
  },
  "start-rethrows": {
    breaks: async () => {
      const body = await startResponse(() => {}, failing) as AsyncIterable<Chunk>;
      for await (const _ of body);
    },
    keeps: () => expect(run(failing)).rejects.toThrow("too late"),
  },
  "start-replaces": {
    breaks: () => startResponse(throwsOnError, replacing),
    keeps: () => run(replacing),
  },
  "start-accepts": {
    breaks: () =>
      startResponse(() => {
        throw new Error("I do not like it");
      }),
    keeps: () => run(ok),
  },
  "start-returns": { breaks: () => startResponse(() => () => {}), keeps: () => startResponse(() => {}) },
  "start-status": head(["200", TEXT], ["299 Fine", TEXT]),
  "start-interim": head(["103 Early Hints", []], ["200 OK", []]),
  "headers-pairs": head(["200 OK", { "X-A": "b" }], ["200 OK", [["X-A", "b"]]]),
  "header-name": head(["200 OK", [["X A", "b"]]], ["200 OK", [["X_A", "b"]]]),
  "header-value": head(["200 OK", [["X-A", "a\nb"]]], ["200 OK", [["X-A", "a\tb\xff"]]]),
  "header-status": head(["200 OK", [["Status", "200"]]], ["200 OK", []]),
  "header-hop-by-hop": head(
    ["200 OK", [["Transfer-Encoding", "chunked"]]],
    ["426 Upgrade Required", [["Upgrade", "websocket"]]],
  ),
  "header-content-length": head(["200 OK", [["Content-Length", "0x0"]]], ["200 OK", [["Content-Length", "0"]]]),
  "header-once": head(
    ["200 OK", [...TEXT, ["content-type", "text/html"]]],
    ["200 OK", [["Set-Cookie", "a"], ["Set-Cookie", "b"]]],
  ),
  "header-length-forbidden": head(
    ["204 No Content", [["Content-Length", "0"]]],
    ["304 Not Modified", [["Content-Length", "5"]]],
  ),
  "header-type-forbidden": head(["304 Not Modified", TEXT], ["304 Not Modified", [["ETag", '"a"']]]),

  "body-kind": { breaks: () => run(reply("200 OK", TEXT, {})), keeps: () => run(reply("200 OK", TEXT, [])) },
  "body-chunk": { breaks: () => run(reply("200 OK", TEXT, [1])), keeps: () => run(reply("200 OK", TEXT, ["1"])) },
  "body-start": {
    breaks: () => run(() => null),
    keeps: () =>
      run(function* (_environ, start) {
        yield "";
        start("200 OK", TEXT);
        yield "a";
      }),
  },
  "body-content-type": {
    breaks: () => run(reply("200 OK", [], ["", "a"])),
    keeps: () => run(reply("302 Found", [["Location", "/"]], "")),
  },
  "body-forbidden": {
    breaks: () => run(reply("205 Reset Content", TEXT, "a")),
    keeps: () => run(reply("205 Reset Content", [], "")),
  },
  "body-too-long": {
    breaks: () => run(reply("200 OK", [...TEXT, ["Content-Length", "1"]], ["a", "b"])),
    keeps: () => run(reply("200 OK", [...TEXT, ["Content-Length", "2"]], ["a", "b"])),
  },
  "body-too-short": {
    breaks: () => run(reply("200 OK", [...TEXT, ["Content-Length", "3"]], ["a", "b"])),
    keeps: () => run(reply("200 OK", [...TEXT, ["Content-Length", "3"]], null), { method: "HEAD" }),
  },
  "body-iterated-once": {
    breaks: () =>
      iterating((body) => {
        body[Symbol.asyncIterator]();
        body[Symbol.asyncIterator]();
      }),
    keeps: () => iterating((body) => body[Symbol.asyncIterator]()),
  },
  "body-after-close": {
    breaks: () =>
      iterating(async (body) => {
        await body.close();
        await body[Symbol.asyncIterator]().next();
      }),
    keeps: () =>
      iterating(async (body) => {
        for await (const _ of body);
        await body.close();
      }),
  },
  "body-one-by-one": {
    breaks: () =>
      iterating(async (body) => {
        const iterator = body[Symbol.asyncIterator]();
        await Promise.all([iterator.next(), iterator.next()]);
      }),
    keeps: () =>
      iterating(async (body) => {
        const iterator = body[Symbol.asyncIterator]();
        await iterator.next();
        await iterator.next();
      }),
  },
  "body-return-once": {
    breaks: () =>
      iterating(async (body) => {
        const iterator = body[Symbol.asyncIterator]();
        await iterator.return!();
        await iterator.return!();
      }, false),
    keeps: () =>
      iterating(async (body) => {
        for await (const _ of body) break;
      }, false),
  },
  "body-close-once": {
    breaks: () =>
      iterating(async (body) => {
        await body.close();
        await body.close();
      }),
    keeps: () => iterating((body) => body.close()),
  },
  "body-stream-unlocked": {
    breaks: () => {
      const stream = new Response("a").body!;
      stream.getReader();
      return run(reply("200 OK", TEXT, stream));
    },
    keeps: () => run(reply("200 OK", TEXT, new Response("a").body)),
  },

  "upgrade-function": {
    breaks: () => run(switched([["Upgrade", "echo"]], null), upgrade),
    keeps: () => run(switched([["Upgrade", "echo"]]), upgrade),
  },
  "upgrade-offered": {
    breaks: () => run(switched([["Upgrade", "h2c"]]), upgrade),
    keeps: () => run(switched([["Connection", "Upgrade"], ["Upgrade", "ECHO"]]), upgrade),
  },
  "upgrade-101": {
    breaks: () => run(reply("200 OK", [], () => {}), upgrade),
    keeps: () => run(switched([["Upgrade", "echo"]]), upgrade),
  },
  "upgrade-once": {
    breaks: () =>
      upgrading(() => {}, async (body) => {
        await body(duplexPair()[0]);
        await body(duplexPair()[0]);
      }),
    keeps: () => upgrading(() => {}),
  },
  "upgrade-socket": {
    breaks: () => upgrading(() => {}, (body) => body({ read() {} })),
    keeps: () => upgrading(() => {}, (body) => body(fakeSocket({}))),
  },
  "upgrade-one-reader": {
    breaks: () => upgrading((socket) => Promise.all([socket.read(), socket.read()])),
    keeps: () =>
      run(
        switched([["Upgrade", "echo"]], async (socket: Duplex) => {
          for await (const chunk of socket) socket.write(chunk);
        }),
        upgrade,
      ),
  },
  "upgrade-read": {
    breaks: () =>
      upgrading((socket) => socket.read(), (body) => body(fakeSocket({ read: async () => new Uint8Array() }))),
    keeps: () => upgrading((socket) => socket.read(), (body) => body(fakeSocket({ read: async () => bytes("a") }))),
  },
  "upgrade-write": {
    breaks: () => upgrading((socket) => socket.write(1 as unknown as string)),
    keeps: () => upgrading((socket) => socket.write("1")),
  },
  "upgrade-write-after-end": {
    breaks: () =>
      upgrading((socket) => {
        socket.end();
        return socket.write("1");
      }),
    keeps: () =>
      upgrading((socket) => {
        void socket.write("1");
        socket.end();
      }),
  },
  "upgrade-write-result": {
    breaks: () =>
      upgrading(
        (socket) => socket.write("1"),
        (body) => body(fakeSocket({ write: () => true as unknown as undefined })),
      ),
    keeps: () => upgrading((socket) => socket.write("1"), (body) => body(fakeSocket({ write: async () => {} }))),
  },

  "errors-write": {
    breaks: () =>
      run((environ, start) => {
        environ["esgi.errors"].write(new Error("x") as unknown as string);
        return ok(environ, start);
      }),
    keeps: () =>
      run((environ, start) => {
        environ["esgi.errors"].write("x\n");
        environ["esgi.errors"].flush();
        return ok(environ, start);
      }),
  },

  "input-trailers": {
    breaks: () => input({ trailers: ["A: b"] as never[] }, (input) => input.trailers),
    keeps: () => input({ trailers: [["A", "b"]] }, (input) => input.trailers),
  },
  "input-trailers-late": {
    breaks: () =>
      input({ trailers: [["A", "b"]], read: async () => bytes("a") }, async (input) => {
        void input.trailers;
        await input.read();
      }),
    keeps: () =>
      reading(async (input) => {
        expect(input.trailers).toEqual([]);
        for await (const _ of input);
        expect(input.trailers).toEqual([["A", "b"]]);
      }, { body: ["a"], trailers: [["A", "b"]] }),
  },
  "input-size": {
    breaks: () => reading((input) => input.read(-1)),
    keeps: () => reading((input) => input.read(3)),
  },
  "input-read": {
    breaks: () => input({ read: async () => bytes("abc") }, (input) => input.read(2)),
    keeps: () => input({ read: async () => bytes("ab") }, (input) => input.read(2)),
  },
  "input-end": {
    breaks: () => {
      const given = [new Uint8Array(), bytes("a")];
      return input({ read: async () => given.shift()! }, async (input) => {
        await input.read();
        await input.read();
      });
    },
    keeps: () =>
      reading(async (input) => {
        for await (const _ of input);
        await input.read();
      }),
  },
  "input-stream": {
    breaks: () => input({ stream: () => null as unknown as ReadableStream }, (input) => input.stream()),
    keeps: () =>
      reading(async (input) => {
        expect(await new Response(input.stream()).text()).toBe("hello");
      }),
  },
  "input-whole": {
    breaks: () => input({ text: async () => bytes("a") as unknown as string }, (input) => input.text()),
    keeps: () => reading(async (input) => expect(await input.text()).toBe("hello")),
  },
  "input-once": {
    breaks: () =>
      reading(async (input) => {
        await input.text();
        await input.text();
      }),
    keeps: () =>
      reading(async (input) => {
        await input.read(1);
        await input.bytes();
      }),
  },
  "input-one-reader": {
    breaks: () => reading((input) => Promise.all([input.read(1), input.read(1)])),
    keeps: () => reading(async (input) => expect(await input.json()).toBe(1), { body: "1" }),
  },
  "input-stays-broken": {
    breaks: () => {
      let reads = 0;
      return input({
        async read() {
          if (reads++ === 0) throw new InputError("timeout", "slow");
          return new Uint8Array();
        },
      }, async (input) => {
        await input.read().catch(() => {});
        await input.read();
      });
    },
    keeps: () =>
      reading(async (input) => {
        for (let i = 0; i < 2; i++) await expect(input.read()).rejects.toThrow(InputError);
      }, { headers: { "Content-Length": "9" }, body: "a" }),
  },
  "input-error": {
    breaks: () => input({ read: () => Promise.reject(new Error("ECONNRESET")) }),
    keeps: () =>
      reading(async (input) => {
        await expect(input.json()).rejects.toThrow(SyntaxError);
      }, { body: "{" }),
  },
  "input-too-long": {
    breaks: () => input({ read: async () => bytes("abc") }, undefined, { CONTENT_LENGTH: "2" }),
    keeps: () => input({ read: async () => bytes("ab") }, undefined, { CONTENT_LENGTH: "2" }),
  },
  "input-too-short": {
    breaks: () => input({ bytes: async () => bytes("a") }, (input) => input.bytes(), { CONTENT_LENGTH: "2" }),
    keeps: () => input({ bytes: () => chunked("a", "b").bytes() }, (input) => input.bytes(), { CONTENT_LENGTH: "2" }),
  },

  "hints-fields": {
    breaks: () => run(hinting([["Content-Length", "5"]])),
    keeps: () => run(hinting([["Link", "</a.css>; rel=preload"]])),
  },
  "hints-early": {
    breaks: () =>
      run(async function* (environ, start) {
        start("200 OK", TEXT);
        yield "a";
        environ["esgi.early_hints"]!([]);
        yield "b";
      }),
    keeps: () =>
      run(async function* (environ, start) {
        start("200 OK", TEXT);
        environ["esgi.early_hints"]!([]);
        yield "a";
      }),
  },
  "hints-result": {
    breaks: () =>
      call(validator(hinting([])), { ...makeEnviron(), "esgi.early_hints": () => 1 as unknown as undefined }),
    keeps: () => run(hinting([])),
  },
  "file-wrapper-arguments": {
    breaks: () => run((environ, start) => (start("200 OK", TEXT), environ["esgi.file_wrapper"]!("/etc" as never))),
    keeps: () =>
      run((environ, start) => (start("200 OK", TEXT), environ["esgi.file_wrapper"]!(new Response("a").body!, 512))),
  },
  "file-wrapper-result": {
    breaks: () =>
      call(
        validator((environ, start) => (start("200 OK", TEXT), environ["esgi.file_wrapper"]!(new Response("a").body!))),
        { ...makeEnviron(), "esgi.file_wrapper": (file) => file as never },
      ),
    keeps: () =>
      run((environ, start) => (start("200 OK", TEXT), environ["esgi.file_wrapper"]!(new Response("a").body!))),
  },
};

/** Changes its mind after the first chunk. */
async function* failing(_environ: Environ, start: StartResponse): AsyncGenerator<string> {
  start("200 OK", TEXT);
  yield "a";
  start("500 Oops", TEXT, new Error("too late"));
}

/** Changes its mind in time. */
function replacing(_environ: Environ, start: StartResponse): string {
  start("200 OK", TEXT);
  start("500 Oops", TEXT, new Error("in time"));
  return "oops";
}

function throwsOnError(...[_status, _headers, error]: Parameters<StartResponse>): void {
  if (error !== undefined) throw error;
}

function hinting(headers: [string, string][]): Application {
  return (environ, start) => {
    environ["esgi.early_hints"]!(headers);
    return ok(environ, start);
  };
}

const SOURCE = readFileSync(new URL("../../src/esgi/validator.ts", import.meta.url), "utf8");
const rules = parseSpec(SOURCE).flatMap(({ rules }) => rules);

test("each rule of SPEC.md is tested here, and nothing else is", () => {
  expect(Object.keys(SCENARIOS).sort()).toEqual(rules.map(({ id }) => id).sort());
});

describe.each(rules)("$id ($fault)", ({ id, fault }) => {
  test("broken, it is told and thrown", async () => {
    const error = await Promise.resolve().then(SCENARIOS[id]!.breaks).then(() => null, (error: unknown) => error);
    expect(error).toBeInstanceOf(ESGIViolation);
    expect(error).toMatchObject({ rule: id, fault });
    expect((error as Error).message).toContain(`[${id}]`);
  });

  test("kept, nothing is said", async () => {
    await SCENARIOS[id]!.keeps();
  });
});

describe("validator", () => {
  test("tells of a violation that the application swallows", async () => {
    const told: string[] = [];
    const reply = await call(
      validator((_environ, start) => {
        try {
          start("200", TEXT);
        } catch {
          start("500 Oops", TEXT);
        }
        return "oops";
      }, { onViolation: ({ rule }) => told.push(rule) }),
    );
    expect([reply.status, told]).toEqual([500, ["start-status"]]);
  });

  test("passes every kind of body through, and stands in itself", async () => {
    const bodies: (() => Body)[] = [
      () => "abc",
      () => bytes("abc"),
      () => ["a", "", bytes("bc")],
      function* () {
        yield "abc";
      },
      async function* () {
        yield "a";
        yield "bc";
      },
      () => new Response("abc").body!,
      () => ({ [Symbol.iterator]: () => ["abc"].values(), close() {} }),
    ];
    for (const body of bodies) {
      const application = validator(validator((_environ, start) => (start("200 OK", TEXT), body())), pristine);
      expect((await call(application)).text()).toBe("abc");
    }
    const file: Application = (environ, start) => {
      start("200 OK", TEXT);
      return environ["esgi.file_wrapper"]!(new Response("abc").body!);
    };
    expect((await call(validator(validator(file)))).text()).toBe("abc");
  });

  test("closes the inner body once, at the end and when the client leaves", async () => {
    for (const options of [{}, { disconnectAfter: 1 }]) {
      let closed = 0;
      const source = () => ({
        *[Symbol.iterator]() {
          yield "a";
          yield "b";
        },
        close: () => void closed++,
      });
      await run(reply("200 OK", TEXT, source()), options);
      expect(closed).toBe(1);
    }
  });

  test("a changed environ, or a copy of it, is legal on the way in and inside", async () => {
    const changing = (inner: Application): Application => (environ, start) =>
      inner({ ...environ, HTTP_X_USER: "me", PATH_INFO: "/other", "auth.user": "me" }, start);
    const inside: Application = (environ, start) => {
      environ.HTTP_ADDED = "1";
      delete environ.HTTP_HOST;
      return ok({ ...environ }, start);
    };
    expect((await call(changing(validator(changing(validator(inside)))))).text()).toBe("ok");
  });

  test("passes on what the application throws", async () => {
    const boom = validator(() => {
      throw new Error("boom");
    });
    await expect(call(boom)).rejects.toThrow("boom");
    await expect(run(async () => {
      throw new Error("later");
    })).rejects.toThrow("later");
  });

  test("a body that is let go unclosed is told when it is collected", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const told: string[] = [];
    const application = (close: boolean) =>
      validator(
        reply("200 OK", TEXT, {
          async *[Symbol.asyncIterator]() {
            yield "a";
          },
          ...(close ? { close() {} } : {}),
        }),
        { onViolation: ({ rule }) => told.push(rule) },
      );
    const errors = makeEnviron();
    await (async () => {
      const closable = await application(true)(errors, () => {}) as AsyncIterable<Chunk>;
      await closable[Symbol.asyncIterator]().next();
      const plain = await application(false)(makeEnviron(), () => {}) as AsyncIterable<Chunk>;
      await plain[Symbol.asyncIterator]().next();
    })();
    for (let i = 0; i < 50 && told.length < 2; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      collect();
    }
    expect(told.sort()).toEqual(["body-close-once", "body-return-once"]);
  });
});

describe("scripts/spec.ts", () => {
  test("SPEC.md is up to date", () => {
    expect(readFileSync(new URL("../../SPEC.md", import.meta.url), "utf8")).toBe(renderSpec(SOURCE));
  });

  test("refuses a rule without its check, and a check without its rule", () => {
    expect(() => parseSpec("/// # T\n///\n/// [a-b] (server) It MUST.\nok();\n/// text\n")).toThrow("over its check");
    expect(() => parseSpec('/// # T\ncheck(x, "server", "a-b", "");\n')).toThrow("no such rule");
    expect(() => parseSpec('/// # T\n  server(x, "a-b", "");\n')).toThrow("no such rule");
    const rule = '/// [a-b] (server) It MUST.\ncheck(x, "server", "a-b", "");\n';
    expect(() => parseSpec(`/// # T\n///\n${rule}${rule}`)).toThrow("two rules");
    expect(parseSpec(`/// # T\n///\n${rule}`)[0]!.rules).toEqual([{ id: "a-b", fault: "server", text: "It MUST." }]);
    expect(() => parseSpec(`/// # T\n///\n${rule.replace('"server"', '"application"')}`)).toThrow("no such rule");
  });
});
