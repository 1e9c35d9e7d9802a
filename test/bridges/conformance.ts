// What the Fetch standard says of Request, Response and Headers, as far as a server's application meets it: one table,
// run against the native classes and against the light ones, on Node, Deno and Bun. Nothing here knows a test runner.

import { inspect } from "node:util";

/** The classes under test, and how an application comes by a request. */
export interface Kit {
  readonly runtime: "node" | "deno" | "bun";
  /**
   * native: nothing is light. light: the light classes are the global ones. mixed: a light request among native
   * classes, which is what Deno and Bun get.
   */
  readonly kind: "native" | "light" | "mixed";
  readonly Request: typeof Request;
  readonly Response: typeof Response;
  readonly Headers: typeof Headers;
  readonly fetch: typeof fetch;
  /** The runtime's own classes, as code that was loaded earlier holds them. */
  readonly native: {
    readonly Request: typeof Request;
    readonly Response: typeof Response;
    readonly Headers: typeof Headers;
  };
  /** The URL of a server that tells what it was asked. */
  readonly echo: string;
  /** A request as a server gives it to an application. */
  request(method: string, url: string, options?: { headers?: [string, string][]; body?: string | Uint8Array }): Request;
}

export interface Case {
  readonly name: string;
  /** Where the runtime's own classes do otherwise; the reason. Keys: `bun`, `bun native`, ... */
  readonly skip?: Readonly<Record<string, string>>;
  run(kit: Kit): void | Promise<void>;
}

export class Unequal extends Error {}

function show(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => part === undefined ? "(undefined)" : part) ?? String(value);
}

export function equal(actual: unknown, expected: unknown): void {
  if (show(actual) !== show(expected)) throw new Unequal(`expected ${show(expected)}, got ${show(actual)}`);
}

function throws(type: "TypeError" | "RangeError" | "SyntaxError", run: () => unknown): void {
  try {
    run();
  } catch (error) {
    equal((error as Error).constructor.name, type);
    return;
  }
  throw new Unequal(`expected a ${type}, nothing was thrown`);
}

async function rejects(type: string, run: () => Promise<unknown>): Promise<void> {
  let promise: Promise<unknown>;
  try {
    promise = run();
  } catch (error) {
    throw new Unequal(`expected a rejection, thrown: ${String(error)}`);
  }
  try {
    await promise;
  } catch (error) {
    equal((error as Error).name, type);
    return;
  }
  throw new Unequal(`expected a ${type}, it was fulfilled`);
}

function collect(stream: ReadableStream<Uint8Array>): Promise<string> {
  return (async () => {
    let text = "";
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += decoder.decode(part.value, { stream: true });
    }
    return text;
  })();
}

function streamOf(...parts: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(encoder.encode(part));
      controller.close();
    },
  });
}

const BUN_TYPE = "Bun adds the Content-Type of a string body when its server sends it";
const bunNative = { "bun native": BUN_TYPE };
const BOUNDARY = "----boundary";
const MULTIPART = [
  `--${BOUNDARY}`,
  'Content-Disposition: form-data; name="field"',
  "",
  "välue",
  `--${BOUNDARY}`,
  'Content-Disposition: form-data; name="file"; filename="a.txt"',
  "Content-Type: text/plain",
  "",
  "content",
  `--${BOUNDARY}--`,
  "",
].join("\r\n");

export const CASES: readonly Case[] = [
  // Headers
  {
    name: "Headers: names are case-insensitive and kept in lower case",
    run({ Headers }) {
      const headers = new Headers({ "X-Test": "1" });
      equal([headers.get("x-TEST"), headers.has("X-test"), [...headers.keys()]], ["1", true, ["x-test"]]);
    },
  },
  {
    name: "Headers: a missing field is null",
    run({ Headers }) {
      equal([new Headers().get("x"), new Headers().has("x")], [null, false]);
    },
  },
  {
    name: "Headers: append joins with a comma, set replaces",
    run({ Headers }) {
      const headers = new Headers([["a", "1"]]);
      headers.append("A", "2");
      equal(headers.get("a"), "1, 2");
      headers.set("a", "3");
      equal([...headers], [["a", "3"]]);
    },
  },
  {
    name: "Headers: delete",
    run({ Headers }) {
      const headers = new Headers({ a: "1", b: "2" });
      headers.delete("A");
      headers.delete("missing");
      equal([...headers], [["b", "2"]]);
    },
  },
  {
    name: "Headers: iteration is sorted, and combines",
    run({ Headers }) {
      const headers = new Headers([["b", "1"], ["a", "2"], ["b", "3"]]);
      equal([...headers], [["a", "2"], ["b", "1, 3"]]);
      equal([...headers.keys()], ["a", "b"]);
      equal([...headers.values()], ["2", "1, 3"]);
      equal([...headers.entries()], [["a", "2"], ["b", "1, 3"]]);
      const seen: unknown[] = [];
      headers.forEach(function (this: unknown, value, name, all) {
        seen.push([name, value, all === headers, this]);
      }, "this");
      equal(seen.map((entry) => (entry as unknown[]).slice(0, 3)), [["a", "2", true], ["b", "1, 3", true]]);
    },
  },
  {
    name: "Headers: an iterator goes by what they hold when it is asked",
    run({ Headers }) {
      const headers = new Headers({ a: "1", b: "2", c: "3" });
      const seen: string[] = [];
      for (const [name] of headers) {
        seen.push(name);
        headers.delete(name);
      }
      for (const name of headers.keys()) {
        seen.push(name);
        if (seen.length < 5) headers.append(`d${seen.length}`, "4");
      }
      equal([seen, [...headers]], [["a", "c", "b", "d3", "d4"], [["b", "2"], ["d3", "4"], ["d4", "4"]]]);
      const values = headers.values();
      const [first] = [values.next().value];
      headers.set("d3", "5");
      equal([first, ...values, values.next().done], ["2", "5", "4", true]);
      headers.set("e", "6");
      equal(values.next().value, "6");
    },
    skip: { "bun native": "Bun's iterators have a list of their own" },
  },
  {
    name: "Headers: Cookie is joined with a semicolon",
    run({ Headers, request }) {
      const headers = new Headers([["cookie", "a=1"], ["Cookie", "b=2"]]);
      equal([headers.get("cookie"), ...headers], ["a=1; b=2", ["cookie", "a=1; b=2"]]);
      const received = request("GET", "http://localhost/", { headers: [["cookie", "a=1"]] }).headers;
      received.append("cookie", "b=2");
      equal(received.get("cookie"), "a=1; b=2");
    },
    skip: { "deno native": "Deno joins with a comma, as the standard says" },
  },
  {
    name: "Headers: each Set-Cookie stays apart",
    run({ Headers }) {
      const headers = new Headers([["set-cookie", "a=1"], ["x", "y"], ["Set-Cookie", "b=2"]]);
      equal(headers.getSetCookie(), ["a=1", "b=2"]);
      equal([...headers], [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x", "y"]]);
      equal(headers.get("set-cookie"), "a=1, b=2");
    },
    skip: { "bun native": "Bun puts Set-Cookie last" },
  },
  {
    name: "Headers: values lose the white space around them",
    run({ Headers }) {
      equal(new Headers({ a: " \t b c\t " }).get("a"), "b c");
    },
  },
  {
    name: "Headers: values are made strings",
    run({ Headers }) {
      equal(new Headers({ a: 1 as unknown as string, b: null as unknown as string }).get("a"), "1");
    },
  },
  {
    name: "Headers: invalid names and values are TypeErrors",
    run({ Headers }) {
      throws("TypeError", () => new Headers({ "a b": "1" }));
      throws("TypeError", () => new Headers({ "": "1" }));
      throws("TypeError", () => new Headers({ "é": "1" }));
      throws("TypeError", () => new Headers().set("a", "x\r\ny"));
      throws("TypeError", () => new Headers().set("a", "x\0"));
      throws("TypeError", () => new Headers().append("a", "€"));
      throws("TypeError", () => new Headers().get("a b"));
      throws("TypeError", () => new Headers().has("a b"));
      throws("TypeError", () => new Headers().delete("a b"));
    },
  },
  {
    name: "Headers: obs-text is a value",
    run({ Headers }) {
      equal(new Headers({ a: "\xe9" }).get("a"), "\xe9");
    },
  },
  {
    name: "Headers: made of pairs, a record, an iterable, other Headers",
    run({ Headers, native }) {
      const expected = [["a", "1"], ["b", "2"]];
      equal([...new Headers([["a", "1"], ["b", "2"]])], expected);
      equal([...new Headers({ b: "2", a: "1" })], expected);
      equal([...new Headers(new Map([["a", "1"], ["b", "2"]]) as unknown as HeadersInit)], expected);
      equal([...new Headers(new Headers({ a: "1", b: "2" }))], expected);
      equal([...new Headers(new native.Headers({ a: "1", b: "2" }))], expected);
      equal([...new native.Headers(new Headers({ a: "1", b: "2" }))], expected);
    },
  },
  {
    name: "Headers: what cannot be made Headers",
    run({ Headers }) {
      throws("TypeError", () => new Headers([["a"]] as unknown as HeadersInit));
      throws("TypeError", () => new Headers([["a", "b", "c"]] as unknown as HeadersInit));
      throws("TypeError", () => new Headers(null as unknown as HeadersInit));
      throws("TypeError", () => new Headers("a" as unknown as HeadersInit));
    },
    skip: { "bun native": "Bun takes null for no headers" },
  },
  {
    name: "Headers: a copy is independent",
    run({ Headers }) {
      const first = new Headers({ a: "1" });
      const second = new Headers(first);
      second.set("a", "2");
      first.append("b", "3");
      equal([[...first], [...second]], [[["a", "1"], ["b", "3"]], [["a", "2"]]]);
    },
  },
  {
    name: "Headers: instanceof, toStringTag, constructor name",
    run({ Headers, native }) {
      const headers = new Headers();
      equal([headers instanceof Headers, headers instanceof native.Headers], [true, true]);
      equal(new native.Headers() instanceof Headers, true);
      equal(({}) instanceof Headers, false);
      equal(Object.prototype.toString.call(headers), "[object Headers]");
      equal([Headers.name, headers.constructor === Headers], ["Headers", true]);
      equal(headers[Symbol.iterator] === headers.entries, true);
    },
  },

  // Response: construction
  {
    name: "Response: defaults",
    run({ Response }) {
      const response = new Response();
      equal([response.status, response.statusText, response.ok, response.type, response.url], [
        200,
        "",
        true,
        "default",
        "",
      ]);
      equal([response.redirected, response.body, response.bodyUsed, [...response.headers]], [false, null, false, []]);
    },
  },
  {
    name: "Response: status, statusText and headers",
    run({ Response }) {
      const response = new Response("x", { status: 404, statusText: "Gone Fishing", headers: { "X-A": "b" } });
      equal([response.status, response.statusText, response.ok, response.headers.get("x-a")], [
        404,
        "Gone Fishing",
        false,
        "b",
      ]);
    },
  },
  {
    name: "Response: undefined in init means the default",
    run({ Response }) {
      const init = { status: undefined, statusText: undefined, headers: undefined } as unknown as ResponseInit;
      equal([new Response("", init).status, new Response("", init).statusText], [200, ""]);
      equal(new Response(undefined, undefined).status, 200);
    },
  },
  {
    name: "Response: a status outside of 200 to 599 is a RangeError",
    run({ Response }) {
      for (const status of [0, 100, 199, 600, 1000, -1, NaN]) throws("RangeError", () => new Response("", { status }));
      equal([200, 299, 599].map((status) => new Response(null, { status }).ok), [true, true, false]);
    },
  },
  {
    name: "Response: 101 cannot be made",
    run({ Response }) {
      throws("RangeError", () => new Response(null, { status: 101 }));
    },
    skip: {
      "bun native": "Bun allows 101",
      "deno native": "Deno allows 101",
    },
  },
  {
    name: "Response: a status is converted as WebIDL says",
    run({ Response }) {
      equal(new Response("", { status: "201" as unknown as number }).status, 201);
      equal(new Response("", { status: 201.9 }).status, 201);
    },
  },
  {
    name: "Response: null body statuses with a body are TypeErrors",
    run({ Response }) {
      for (const status of [204, 205, 304]) {
        throws("TypeError", () => new Response("x", { status }));
        throws("TypeError", () => new Response("", { status }));
        equal(new Response(null, { status }).body, null);
      }
    },
    skip: { "bun native": "Bun allows them" },
  },
  {
    name: "Response: an invalid statusText is a TypeError",
    run({ Response }) {
      throws("TypeError", () => new Response("", { statusText: "a\nb" }));
      throws("TypeError", () => new Response("", { statusText: "€" }));
    },
    skip: { "bun native": "Bun does not look" },
  },
  {
    name: "Response: invalid headers are TypeErrors",
    run({ Response }) {
      throws("TypeError", () => new Response("", { headers: { "a b": "c" } }));
      throws("TypeError", () => new Response("", { headers: { a: "b\nc" } }));
    },
  },
  {
    name: "Response: init must be an object",
    run({ Response }) {
      throws("TypeError", () => new Response("", 7 as unknown as ResponseInit));
    },
  },
  {
    name: "Response: a class, not a function",
    run({ Response }) {
      throws("TypeError", () => (Response as unknown as () => void)());
    },
  },
  {
    name: "Response: Content-Type goes with the kind of body",
    async run({ Response }) {
      const type = (body: BodyInit | null): string | null => new Response(body).headers.get("content-type");
      equal(type("x"), "text/plain;charset=UTF-8");
      equal(type(""), "text/plain;charset=UTF-8");
      equal(type(new URLSearchParams("a=b")), "application/x-www-form-urlencoded;charset=UTF-8");
      equal(type(new Blob(["x"], { type: "a/b" })), "a/b");
      equal(
        [type(new Blob(["x"])), type(new Uint8Array(1)), type(new ArrayBuffer(1)), type(null), type(streamOf("x"))],
        [
          null,
          null,
          null,
          null,
          null,
        ],
      );
      const form = new FormData();
      form.append("a", "b");
      equal(type(form)?.startsWith("multipart/form-data; boundary="), true);
      await new Response(form).formData();
    },
    skip: bunNative,
  },
  {
    name: "Response: the application's Content-Type wins",
    run({ Response }) {
      equal([...new Response("x", { headers: { "Content-Type": "a/b" } }).headers], [["content-type", "a/b"]]);
      equal([...new Response("x", { headers: [["content-type", "a/b"]] }).headers], [["content-type", "a/b"]]);
    },
  },
  {
    name: "Response: other values become strings",
    async run({ Response }) {
      equal(await new Response(7 as unknown as string).text(), "7");
      equal(await new Response(true as unknown as string).text(), "true");
      equal(await new Response({ toString: () => "o" } as unknown as string).text(), "o");
    },
  },
  {
    name: "Response: bytes are copied",
    async run({ Response }) {
      const bytes = new Uint8Array([97, 98, 99, 100]);
      const views = [
        new Response(bytes.subarray(1, 3)),
        new Response(bytes.buffer),
        new Response(new DataView(bytes.buffer, 3)),
      ];
      bytes.fill(0);
      equal(await Promise.all(views.map((view) => view.text())), ["bc", "abcd", "d"]);
    },
  },
  {
    name: "Response: a locked or read stream is a TypeError",
    async run({ Response }) {
      const locked = streamOf("a");
      locked.getReader();
      throws("TypeError", () => new Response(locked));
      const read = streamOf("a", "b");
      const reader = read.getReader();
      await reader.read();
      reader.releaseLock();
      throws("TypeError", () => new Response(read));
      const used = new Response("x");
      await used.text();
      throws("TypeError", () => new Response(used.body));
    },
  },
  {
    name: "Response.json",
    async run({ Response }) {
      const response = Response.json({ a: [1] });
      equal([response.status, response.headers.get("content-type"), await response.text()], [
        200,
        "application/json",
        '{"a":[1]}',
      ]);
      const other = Response.json(1, { status: 201, headers: { "content-type": "a/b", x: "y" } });
      equal([other.status, [...other.headers]], [201, [["content-type", "a/b"], ["x", "y"]]]);
      equal(Response.json(1, { headers: { x: "y" } }).headers.get("content-type"), "application/json");
      throws("TypeError", () => Response.json(undefined));
      throws("TypeError", () => Response.json(Symbol()));
    },
    skip: { "bun native": "Bun's has a charset, and takes undefined" },
  },
  {
    name: "Response.json: a null body status is a TypeError",
    run({ Response }) {
      throws("TypeError", () => Response.json(1, { status: 204 }));
    },
    skip: { "bun native": "Bun allows it" },
  },
  {
    name: "Response.redirect",
    run({ Response }) {
      const response = Response.redirect("http://localhost/a b");
      equal([response.status, response.headers.get("location"), response.body], [302, "http://localhost/a%20b", null]);
      equal(Response.redirect(new URL("http://localhost/"), 308).status, 308);
      throws("RangeError", () => Response.redirect("http://localhost/", 200));
    },
    skip: { "bun native": "Bun keeps the text of the URL" },
  },
  {
    name: "Response.redirect: what is no URL is a TypeError; the headers are immutable",
    run({ Response }) {
      throws("TypeError", () => Response.redirect("http://["));
      throws("TypeError", () => Response.redirect("http://localhost/").headers.set("a", "b"));
    },
    skip: { "bun native": "Bun does not look" },
  },
  {
    name: "Response.error",
    run({ Response }) {
      const response = Response.error();
      equal([response.type, response.status, response.ok, response.body], ["error", 0, false, null]);
    },
  },

  // Response: body
  {
    name: "Response: text, json, bytes, arrayBuffer, blob",
    async run({ Response }) {
      for (
        const make of [
          () => new Response('{"é":1}'),
          () => new Response(new TextEncoder().encode('{"é":1}')),
          () => new Response(streamOf('{"é', '":1}')),
        ]
      ) {
        equal(await make().text(), '{"é":1}');
        equal(await make().json(), { "é": 1 });
        equal([...await make().bytes()], [123, 34, 195, 169, 34, 58, 49, 125]);
        equal((await make().bytes()).constructor === Uint8Array, true);
        equal((await make().arrayBuffer()).byteLength, 8);
        equal((await make().arrayBuffer()) instanceof ArrayBuffer, true);
        equal(await (await make().blob()).text(), '{"é":1}');
        equal(await collect(make().body!), '{"é":1}');
      }
    },
  },
  {
    name: "Response: blob has the Content-Type",
    async run({ Response }) {
      equal((await new Response("x", { headers: { "content-type": "text/html" } }).blob()).type, "text/html");
    },
    skip: { "bun": "Bun adds a charset to the type of a Blob" },
  },
  {
    name: "Response: blob has the Content-Type that the headers have by then",
    async run({ Response }) {
      const changed = new Response("x");
      changed.headers.set("content-type", "text/html");
      equal((await changed.blob()).type, "text/html");
      const removed = new Response("x");
      removed.headers.delete("content-type");
      equal((await removed.blob()).type, "");
      equal((await Response.error().blob()).type, "");
      const form = new Response("a=1");
      form.headers.set("content-type", "application/x-www-form-urlencoded");
      equal((await form.formData()).get("a"), "1");
    },
    skip: { "bun": "Bun adds a charset to the type of a Blob" },
  },
  {
    name: "Response: a body that was read stays locked",
    async run({ Response }) {
      for (const looked of [false, true]) {
        const response = new Response("x");
        if (looked) equal(response.body!.locked, false);
        await response.text();
        equal([response.bodyUsed, response.body!.locked], [true, true]);
        throws("TypeError", () => response.body!.getReader());
      }
    },
  },
  {
    name: "Response: json that is none is a SyntaxError",
    async run({ Response }) {
      await rejects("SyntaxError", () => new Response("{").json());
    },
  },
  {
    name: "Response: text loses the byte order mark, and lone surrogates",
    async run({ Response }) {
      equal(await new Response("\ufeffa").text(), "a");
      equal(await new Response("a\ud800b").text(), "a\ufffdb");
      equal(await new Response(new Uint8Array([0xef, 0xbb, 0xbf, 97, 0xff])).text(), "a\ufffd");
    },
    skip: { "bun native": "Bun keeps the mark of a string", "deno native": "Deno keeps the mark of a string" },
  },
  {
    name: "Response: a body is read once",
    async run({ Response }) {
      for (
        const make of [
          () => new Response("x"),
          () => new Response(new Uint8Array(3)),
          () => new Response(streamOf("x")),
          () => new Response(new Blob(["x"])),
        ]
      ) {
        const response = make();
        equal(response.bodyUsed, false);
        const reading = response.text();
        equal(response.bodyUsed, true);
        await reading;
        equal(response.bodyUsed, true);
        await rejects("TypeError", () => response.text());
        await rejects("TypeError", () => response.json());
        await rejects("TypeError", () => response.arrayBuffer());
        await rejects("TypeError", () => response.bytes());
        await rejects("TypeError", () => response.blob());
        throws("TypeError", () => response.clone());
      }
    },
  },
  {
    name: "Response: a null body may be read again and again",
    async run({ Response }) {
      const response = new Response(null);
      equal([await response.text(), response.bodyUsed, await response.text()], ["", false, ""]);
      equal((await response.bytes()).length, 0);
      equal((await response.blob()).size, 0);
    },
  },
  {
    name: "Response: body is a ReadableStream, always the same",
    async run({ Response }) {
      const response = new Response("text");
      equal([response.body instanceof ReadableStream, response.body === response.body], [true, true]);
      equal(Object.prototype.toString.call(response.body), "[object ReadableStream]");
      equal(response.body!.locked, false);
      const given = streamOf("a");
      equal(new Response(given).body === given, true);
      equal([await collect(response.body!), response.bodyUsed], ["text", true]);
    },
  },
  {
    name: "Response: a reader locks, and uses when it reads",
    async run({ Response }) {
      const response = new Response("text");
      const reader = response.body!.getReader();
      equal([response.body!.locked, response.bodyUsed], [true, false]);
      await rejects("TypeError", () => response.text());
      throws("TypeError", () => response.clone());
      throws("TypeError", () => new Response(response.body));
      await reader.read();
      equal(response.bodyUsed, true);
    },
    skip: { "bun": "Bun counts a body with a reader as used" },
  },
  {
    name: "Response: body can be iterated, piped, teed, cancelled",
    async run({ Response }) {
      let text = "";
      for await (const chunk of new Response("text").body!) text += new TextDecoder().decode(chunk);
      equal(text, "text");
      const upper = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase()));
        },
      });
      equal(await collect(new Response("text").body!.pipeThrough(upper)), "TEXT");
      const [left, right] = new Response("text").body!.tee();
      equal([await collect(left), await collect(right)], ["text", "text"]);
      const response = new Response("text");
      await response.body!.cancel();
      equal(response.bodyUsed, true);
      await rejects("TypeError", () => response.text());
    },
  },
  {
    name: "Response: body read by a BYOB reader",
    async run({ Response }) {
      const reader = new Response("text").body!.getReader({ mode: "byob" });
      const { value } = await reader.read(new Uint8Array(2));
      equal(new TextDecoder().decode(value), "te");
    },
    skip: { "bun": "Bun has no byte streams for bodies", "deno": "Deno has no byte streams for bodies" },
  },
  {
    name: "Response: rewrapped with its own body and itself as init",
    async run({ Response }) {
      const first = new Response("text", { status: 201, statusText: "Made", headers: { x: "y" } });
      const second = new Response(first.body, first);
      second.headers.set("x", "z");
      equal([second.status, second.statusText, second.headers.get("x"), first.headers.get("x")], [
        201,
        "Made",
        "z",
        "y",
      ]);
      equal(second.body === first.body, true);
      equal(await second.text(), "text");
      equal([first.bodyUsed, second.bodyUsed], [true, true]);
      await rejects("TypeError", () => first.text());
    },
    skip: {
      "bun native": "Bun tells the Content-Type of a string when its server sends it",
      "deno native": "Deno gives the new response another stream",
    },
  },
  {
    name: "Response: rewrapped twice, and the body read from the stream",
    async run({ Response }) {
      const first = new Response("text");
      const third = new Response(new Response(first.body).body);
      equal([await collect(third.body!), first.bodyUsed, third.bodyUsed], ["text", true, true]);
    },
    skip: { "deno native": "Deno gives the new response another stream" },
  },
  {
    name: "Response: clone, both bodies",
    async run({ Response }) {
      for (
        const make of [
          () => new Response("text"),
          () => new Response(streamOf("te", "xt")),
          () => new Response(new Blob(["text"])),
        ]
      ) {
        const response = make();
        response.headers.set("x", "y");
        const copy = response.clone();
        copy.headers.set("x", "z");
        equal([response.headers.get("x"), copy.headers.get("x"), copy === response], ["y", "z", false]);
        equal([await copy.text(), response.bodyUsed, await response.text(), copy.bodyUsed], [
          "text",
          false,
          "text",
          true,
        ]);
      }
      equal(new Response(null, { status: 204 }).clone().status, 204);
    },
  },
  {
    name: "Response: clone after body was looked at, and of a clone",
    async run({ Response }) {
      const response = new Response("text");
      equal(response.body!.locked, false);
      const copy = response.clone().clone();
      equal([await collect(copy.body!), await collect(response.body!)], ["text", "text"]);
    },
  },
  {
    name: "Response: formData, both encodings",
    async run({ Response }) {
      const multipart = new Response(MULTIPART, {
        headers: { "content-type": `multipart/form-data; boundary=${BOUNDARY}` },
      });
      const form = await multipart.formData();
      equal([form.get("field"), (form.get("file") as File).name, await (form.get("file") as File).text()], [
        "välue",
        "a.txt",
        "content",
      ]);
      const urlencoded = await new Response(new URLSearchParams("a=b&c=%20d")).formData();
      equal([...urlencoded], [["a", "b"], ["c", " d"]]);
      const sent = new FormData();
      sent.append("a", "b");
      equal((await new Response(sent).formData()).get("a"), "b");
      await rejects("TypeError", () => new Response("x").formData());
    },
  },
  {
    name: "Response: an async iterable is a body",
    async run({ Response }) {
      const iterable = async function* (): AsyncGenerator<Uint8Array> {
        yield new TextEncoder().encode("a");
        yield new TextEncoder().encode("b");
      };
      equal(await new Response(iterable() as unknown as BodyInit).text(), "ab");
      equal(await collect(new Response(iterable() as unknown as BodyInit).body!), "ab");
    },
  },
  {
    name: "Response: instanceof, toStringTag, constructor",
    run({ Response, native }) {
      const response = new Response();
      equal([response instanceof Response, response instanceof native.Response], [true, true]);
      equal([new native.Response() instanceof Response, ({}) instanceof Response], [true, false]);
      equal(Object.prototype.toString.call(response), "[object Response]");
      equal([Response.name, response.constructor === Response, Response.length], ["Response", true, 0]);
      equal([Response.json(1) instanceof Response, Response.error() instanceof Response], [true, true]);
      equal(response.headers instanceof native.Headers, true);
    },
  },
  {
    name: "Response: subclasses",
    async run({ Response, native }) {
      class Mine extends Response {
        #secret = 7;
        constructor(text: string) {
          super(text, { status: 202 });
        }
        get secret(): number {
          return this.#secret;
        }
        override get status(): number {
          return super.status + 1;
        }
      }
      const mine = new Mine("text");
      equal([mine.secret, mine.status, await mine.text()], [7, 203, "text"]);
      equal([mine instanceof Mine, mine instanceof Response, mine instanceof native.Response], [true, true, true]);
      equal([new Response() instanceof Mine, new native.Response() instanceof Mine], [false, false]);
    },
  },
  {
    name: "Response: properties are getters of the prototype",
    run({ Response }) {
      const response = new Response("x");
      equal("status" in response && "body" in response && "text" in response, true);
      equal(Object.keys(response), []);
    },
  },
  {
    name: "Response: its members enumerate, as do those of its Headers",
    run({ Response }) {
      const members = (value: object): string[] => {
        const names: string[] = [];
        for (const name in value) names.push(name);
        return names;
      };
      const response = new Response("");
      for (const name of ["body", "headers", "status", "text"]) {
        equal([name, members(response).includes(name)], [name, true]);
      }
      equal([members(response.headers).includes("get"), Object.keys(response)], [true, []]);
    },
  },
  {
    name: "Response: a native one made of a light one",
    async run({ Response, native }) {
      const response = new Response("text", { status: 201, headers: { x: "y" } });
      const copy = new native.Response(response.body, response);
      equal([copy.status, copy.headers.get("x"), await copy.text()], [201, "y", "text"]);
    },
  },
  {
    name: "Response: of a fetch, wrapped",
    async run({ Response, fetch }) {
      const fetched = await fetch("data:text/plain,hello");
      equal([fetched instanceof Response, await new Response(fetched.body, fetched).text()], [true, "hello"]);
    },
  },

  // Request
  {
    name: "Request: method, url, headers",
    run({ request }) {
      const made = request("GET", "http://localhost/a?b=c", { headers: [["X-A", "1"], ["Accept", "*/*"]] });
      equal([made.method, made.url, made.headers.get("x-a"), made.headers.get("ACCEPT")], [
        "GET",
        "http://localhost/a?b=c",
        "1",
        "*/*",
      ]);
      equal([made.headers.get("missing"), made.headers.has("accept"), made.headers.has("missing")], [
        null,
        true,
        false,
      ]);
    },
  },
  {
    name: "Request: the other properties have their defaults",
    run({ request }) {
      const made = request("GET", "http://localhost/");
      equal([made.cache, made.credentials, made.mode, made.redirect, made.referrer, made.referrerPolicy], [
        "default",
        "same-origin",
        "cors",
        "follow",
        "about:client",
        "",
      ]);
      equal([made.integrity, made.keepalive, made.body, made.bodyUsed], ["", false, null, false]);
    },
    skip: { "bun native": "Bun's differ", "deno native": "Deno's differ" },
  },
  {
    name: "Request: console.log shows what it is",
    run({ request }) {
      const shown = inspect(request("PUT", "http://localhost/a?b", { headers: [["x-a", "secret"]] }));
      for (const part of ["PUT", "http://localhost/a?b", "x-a", "secret"]) {
        equal([part, shown.includes(part)], [part, true]);
      }
    },
    skip: { "bun native": "Bun shows it by console.log alone" },
  },
  {
    name: "Request: its members enumerate",
    run({ request }) {
      const names: string[] = [];
      for (const name in request("GET", "http://localhost/")) names.push(name);
      for (const name of ["body", "headers", "method", "url", "text"]) {
        equal([name, names.includes(name)], [name, true]);
      }
    },
  },
  {
    name: "Request: instanceof, toStringTag, constructor",
    run({ request, Request, native }) {
      const made = request("GET", "http://localhost/");
      equal([made instanceof Request, made instanceof native.Request], [true, true]);
      equal([Object.prototype.toString.call(made), made.constructor.name, Request.name], [
        "[object Request]",
        "Request",
        "Request",
      ]);
      equal([new native.Request("http://a/") instanceof Request, ({}) instanceof Request], [true, false]);
      class Mine extends Request {}
      const mine = new Mine("http://a/");
      equal([mine instanceof Mine, mine instanceof Request, made instanceof Mine], [true, true, false]);
    },
  },
  {
    name: "Request: headers iterate, and can be copied",
    run({ request, Headers, native }) {
      const made = request("GET", "http://localhost/", { headers: [["B", "2"], ["A", "1"]] });
      const without = [...made.headers].filter(([name]) => name !== "host");
      equal(without, [["a", "1"], ["b", "2"]]);
      equal(new Headers(made.headers).get("b"), "2");
      equal(new native.Headers(made.headers).get("b"), "2");
      equal(Object.fromEntries(made.headers).a, "1");
      made.headers.set("a", "3");
      equal(made.headers.get("a"), "3");
    },
  },
  {
    name: "Request: text, json, bytes, arrayBuffer, blob, body",
    async run({ request }) {
      const make = (): Request =>
        request("POST", "http://localhost/", { body: '{"é":1}', headers: [["content-type", "application/json"]] });
      equal(await make().text(), '{"é":1}');
      equal(await make().json(), { "é": 1 });
      equal([...await make().bytes()], [123, 34, 195, 169, 34, 58, 49, 125]);
      equal((await make().bytes()).constructor === Uint8Array, true);
      equal((await make().arrayBuffer()).byteLength, 8);
      const blob = await make().blob();
      equal([await blob.text(), blob.type], ['{"é":1}', "application/json"]);
      equal([make().body instanceof ReadableStream, await collect(make().body!)], [true, '{"é":1}']);
    },
    skip: { "bun": "Bun adds a charset to the type of a Blob" },
  },
  {
    name: "Request: a body is read once",
    async run({ request }) {
      const made = request("POST", "http://localhost/", { body: "x" });
      equal(made.bodyUsed, false);
      const reading = made.text();
      equal(made.bodyUsed, true);
      await reading;
      await rejects("TypeError", () => made.text());
      await rejects("TypeError", () => made.json());
      await rejects("TypeError", () => made.arrayBuffer());
      await rejects("TypeError", () => made.bytes());
      await rejects("TypeError", () => made.blob());
      await rejects("TypeError", () => made.formData());
      throws("TypeError", () => made.clone());
    },
  },
  {
    name: "Request: no body may be read again and again",
    async run({ request }) {
      const made = request("GET", "http://localhost/");
      equal([await made.text(), made.bodyUsed, await made.text(), made.body], ["", false, "", null]);
      await rejects("SyntaxError", () => made.json());
    },
  },
  {
    name: "Request: the stream, then bodyUsed",
    async run({ request }) {
      const made = request("POST", "http://localhost/", { body: "text" });
      equal([made.body === made.body, made.bodyUsed], [true, false]);
      equal([await collect(made.body!), made.bodyUsed], ["text", true]);
      await rejects("TypeError", () => made.text());
    },
  },
  {
    name: "Request: text after body was looked at",
    async run({ request }) {
      const made = request("POST", "http://localhost/", { body: "text" });
      equal([made.body!.locked, await made.text(), made.bodyUsed], [false, "text", true]);
    },
  },
  {
    name: "Request: formData, both encodings",
    async run({ request }) {
      const multipart = request("POST", "http://localhost/", {
        body: MULTIPART,
        headers: [["content-type", `multipart/form-data; boundary=${BOUNDARY}`]],
      });
      const form = await multipart.formData();
      equal([form.get("field"), (form.get("file") as File).name, await (form.get("file") as File).text()], [
        "välue",
        "a.txt",
        "content",
      ]);
      const urlencoded = request("POST", "http://localhost/", {
        body: "a=b&c=%20d",
        headers: [["content-type", "application/x-www-form-urlencoded"]],
      });
      equal([...await urlencoded.formData()], [["a", "b"], ["c", " d"]]);
    },
  },
  {
    name: "Request: clone, both bodies",
    async run({ request }) {
      const made = request("POST", "http://localhost/a", { body: "text", headers: [["x", "y"]] });
      const copy = made.clone();
      equal([copy.method, copy.url, copy.headers.get("x"), copy === made], ["POST", "http://localhost/a", "y", false]);
      equal([await copy.text(), made.bodyUsed, await made.text()], ["text", false, "text"]);
    },
  },
  {
    name: "Request: clone without a body",
    run({ request }) {
      const made = request("GET", "http://localhost/a", { headers: [["x", "y"]] });
      made.headers.set("z", "1");
      const copy = made.clone();
      copy.headers.set("x", "changed");
      equal([copy.url, copy.headers.get("z"), made.headers.get("x"), copy.body], [
        "http://localhost/a",
        "1",
        "y",
        null,
      ]);
    },
  },
  {
    name: "Request: a clone has the headers as they were changed, and so has its clone",
    run({ request }) {
      const made = request("GET", "http://localhost/a", { headers: [["x", "y"], ["cookie", "secret"]] });
      made.headers.delete("cookie");
      made.headers.append("set-cookie", "a");
      made.headers.append("set-cookie", "b");
      for (const copy of [made.clone(), made.clone().clone()]) {
        equal([copy.headers.get("cookie"), copy.headers.get("x")], [null, "y"]);
        equal(copy.headers.getSetCookie(), ["a", "b"]);
      }
    },
  },
  {
    name: "Request: new Request(request), with its body",
    async run({ request, Request }) {
      const made = request("POST", "http://localhost/a?b", { body: "text", headers: [["x", "y"]] });
      const copy = new Request(made);
      equal([copy.method, copy.url, copy.headers.get("x")], ["POST", "http://localhost/a?b", "y"]);
      equal([await copy.text(), made.bodyUsed], ["text", true]);
    },
    skip: { "bun": "Bun leaves the first request unused" },
  },
  {
    name: "Request: new Request(request, init)",
    async run({ request, Request }) {
      const made = request("POST", "http://localhost/", { body: "text", headers: [["x", "y"]] });
      const copy = new Request(made, { method: "PUT", headers: { z: "1" } });
      equal([copy.method, copy.headers.get("z"), copy.headers.get("x"), await copy.text()], ["PUT", "1", null, "text"]);
      const other = new Request(request("POST", "http://localhost/", { body: "a" }), { body: "b" });
      equal(await other.text(), "b");
    },
  },
  {
    name: "Request: new Request(url, request)",
    async run({ request, Request }) {
      const made = request("POST", "http://localhost/a", { body: "text", headers: [["x", "y"]] });
      const copy = new Request("http://localhost/b", made);
      equal([copy.method, copy.url, copy.headers.get("x"), await copy.text()], [
        "POST",
        "http://localhost/b",
        "y",
        "text",
      ]);
      const bodyless = new Request(
        new URL("http://localhost/c"),
        request("GET", "http://localhost/", { headers: [["x", "y"]] }),
      );
      equal([bodyless.method, bodyless.url, bodyless.headers.get("x")], ["GET", "http://localhost/c", "y"]);
    },
    skip: { "node native": "undici's ignores the getters of its own Request" },
  },
  {
    name: "Request: new Request of one that was read is a TypeError",
    async run({ request, Request }) {
      const made = request("POST", "http://localhost/", { body: "text" });
      await made.text();
      throws("TypeError", () => new Request(made));
    },
    skip: { "bun native": "Bun does not look" },
  },
  {
    name: "Request: changed headers go with new Request",
    run({ request, Request }) {
      const made = request("GET", "http://localhost/", { headers: [["x", "y"]] });
      equal(new Request(made).headers.get("x"), "y");
      made.headers.set("x", "z");
      made.headers.append("w", "1");
      equal([new Request(made).headers.get("x"), new Request(made).headers.get("w")], ["z", "1"]);
    },
  },
  {
    name: "Request: signal",
    run({ request }) {
      const { signal } = request("GET", "http://localhost/");
      equal([signal instanceof AbortSignal, signal.aborted], [true, false]);
    },
  },
  {
    name: "Request: fetch(request)",
    async run({ request, fetch, echo }) {
      const answer = await fetch(request("POST", `${echo}/path?q`, { body: "text", headers: [["x-test", "y"]] }));
      equal(await answer.json(), { method: "POST", url: "/path?q", test: "y", body: "text" });
      const get = await fetch(request("GET", `${echo}/`, { headers: [["x-test", "z"]] }), {
        headers: { "x-test": "w" },
      });
      equal(await get.json(), { method: "GET", url: "/", test: "w", body: "" });
    },
  },
  {
    name: "Request: fetch(url, request)",
    async run({ request, fetch, echo }) {
      const answer = await fetch(
        echo,
        request("POST", "http://localhost/", { body: "text", headers: [["x-test", "y"]] }),
      );
      equal(await answer.json(), { method: "POST", url: "/", test: "y", body: "text" });
    },
    skip: { "node native": "undici's ignores the getters of its own Request" },
  },
  {
    name: "Response: what fetch returns is an instance, and its body and headers can be passed on",
    async run({ Response, Headers, fetch, echo }) {
      const answer = await fetch(echo);
      equal([answer instanceof Response, answer.headers instanceof Headers], [true, true]);
      const copy = new Response(answer.body, answer);
      equal([copy.status, copy.headers.get("x-echo"), (await copy.json()).method], [200, "yes", "GET"]);
    },
  },
  {
    name: "fetch: a response's body and headers as those of a request",
    async run({ Response, Headers, fetch, echo }) {
      const init = {
        method: "POST",
        body: new Response("text").body,
        headers: new Headers({ "x-test": "y" }),
        duplex: "half",
      };
      const answer = await fetch(echo, init as RequestInit);
      equal(await answer.json(), { method: "POST", url: "/", test: "y", body: "text" });
    },
  },
];
