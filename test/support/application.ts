// The application behind the suite over sockets: each path is one way to behave, good or bad; what is no path here is
// examples/echo.ts. What an application saw is told by /seen/ID for those that were given ?id=ID.

import { application as echo } from "../../examples/echo.ts";
import type { Application, Body, Chunk, Environ, StartResponse } from "../../src/esgi/mod.ts";

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What happened to a request, for the test to ask. */
interface Seen {
  started: number;
  /** The signal was aborted. */
  aborted: number;
  /** The body was closed: close(), or the generator's finally. */
  closed: number;
  /** Chunks that were asked for. */
  chunks: number;
  /** Bytes of the request that were read. */
  read: number;
  /** The name of what reading threw. */
  error: string;
}

const seen = new Map<string, Seen>();
const gates = new Map<string, () => void>();

function idOf(environ: Environ): string {
  return new URLSearchParams(environ.QUERY_STRING).get("id") ?? "";
}

function note(environ: Environ): Seen {
  const id = idOf(environ);
  let one = seen.get(id);
  if (one === undefined) {
    one = { started: 0, aborted: 0, closed: 0, chunks: 0, read: 0, error: "" };
    seen.set(id, one);
  }
  return one;
}

/** Resolves when somebody asks for /open?id=... */
function gate(environ: Environ): Promise<void> {
  return new Promise((resolve) => gates.set(idOf(environ), resolve));
}

function text(startResponse: StartResponse, body: string, status = "200 OK"): string {
  startResponse(status, [["Content-Type", "text/plain"]]);
  return body;
}

const TEXT: [string, string] = ["Content-Type", "text/plain"];

type Handler = (environ: Environ, startResponse: StartResponse) => Body | Promise<Body>;

const HANDLERS: Readonly<Record<string, Handler>> = {
  "/hello": (_, startResponse) => text(startResponse, "hello"),

  // ---- What the application is told ----

  /** The environ, without what differs from one connection to the next; "/environ?all" has that too. */
  "/environ": (environ, startResponse) => {
    const plain: Record<string, unknown> = {};
    for (const [key, value] of Object.entries({ ...environ })) {
      if (environ.QUERY_STRING !== "all" && /_PORT$/.test(key)) continue;
      if (typeof value === "string" || key === "esgi.tls" || key === "esgi.upgrade") plain[key] = value;
    }
    startResponse("200 OK", [["Content-Type", "application/json"]]);
    return JSON.stringify(plain);
  },

  // ---- The request's body ----

  /** Answers without reading. */
  "/unread": (_, startResponse) => text(startResponse, "unread"),
  /** Answers without reading, later. */
  "/unread-later": async (_, startResponse) => {
    await sleep(100);
    return text(startResponse, "unread");
  },
  /** Reads only when it is told to. */
  "/gated-upload": async (environ, startResponse) => {
    const one = note(environ);
    one.started++;
    await gate(environ);
    try {
      for await (const chunk of environ["esgi.input"]) one.read += chunk.length;
    } catch (error) {
      one.error = (error as Error).name;
      throw error;
    }
    return text(startResponse, String(one.read));
  },
  /** Reads, and tells what reading threw. */
  "/reads": async (environ, startResponse) => {
    const one = note(environ);
    one.started++;
    environ["esgi.signal"].addEventListener("abort", () => one.aborted++);
    try {
      for await (const chunk of environ["esgi.input"]) one.read += chunk.length;
    } catch (error) {
      one.error = `${(error as Error).name} ${(error as { fault?: string }).fault}`;
      throw error;
    }
    return text(startResponse, String(one.read));
  },
  /** Reads piece by piece, slowly. */
  "/reads-slowly": async (environ, startResponse) => {
    const one = note(environ);
    for (;;) {
      const chunk = await environ["esgi.input"].read(8192);
      if (chunk.length === 0) return text(startResponse, String(one.read));
      one.read += chunk.length;
      await sleep(1);
    }
  },
  /** Swallows what reading throws, and answers all the same. */
  "/forgives": async (environ, startResponse) => {
    try {
      return text(startResponse, `whole ${(await environ["esgi.input"].bytes()).length}`);
    } catch (error) {
      return text(startResponse, `broken ${(error as { fault?: string }).fault}`, "422 Unprocessable Content");
    }
  },
  /** Sends the request's body back while it comes. */
  "/mirror": (environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return environ["esgi.input"];
  },
  "/mirror-stream": (environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return environ["esgi.input"].stream();
  },

  // ---- Kinds of bodies ----

  "/kind/null": (_, startResponse) => {
    startResponse("200 OK", []);
    return null;
  },
  "/kind/empty": (_, startResponse) => text(startResponse, ""),
  "/kind/string": (_, startResponse) => text(startResponse, "grüße"),
  "/kind/bytes": (_, startResponse) => {
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return Uint8Array.of(0, 255, 10, 13);
  },
  "/kind/large": (_, startResponse) => {
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return new Uint8Array(1_000_000).fill(0x62);
  },
  "/kind/large-string": (_, startResponse) => text(startResponse, "ä".repeat(500_000)),
  "/kind/array": (_, startResponse) => {
    startResponse("200 OK", [TEXT]);
    return ["one ", "", new TextEncoder().encode("two "), "three"];
  },
  "/kind/single": (_, startResponse) => {
    startResponse("200 OK", [TEXT]);
    return ["alone"];
  },
  "/kind/generator": function* (_, startResponse): Generator<Chunk, undefined> {
    startResponse("200 OK", [TEXT]);
    yield "one ";
    yield "two";
  },
  "/kind/async": async function* (_, startResponse): AsyncGenerator<Chunk, undefined> {
    await sleep(1);
    startResponse("200 OK", [TEXT]);
    yield "";
    yield "one ";
    await sleep(1);
    yield "two";
  },
  "/kind/stream": (_, startResponse) => {
    startResponse("200 OK", [TEXT]);
    return new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("one "));
        controller.enqueue(new TextEncoder().encode("two"));
        controller.close();
      },
    });
  },
  "/kind/file": (environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    const blob = new Blob(["from a file"]);
    return environ["esgi.file_wrapper"]!(blob.stream());
  },
  "/kind/promise": async (_, startResponse) => {
    await Promise.resolve();
    return text(startResponse, "promised");
  },
  "/kind/large-chunks": (_, startResponse) => {
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return (function* () {
      for (let n = 0; n < 4; n++) yield new Uint8Array(100_000).fill(0x30 + n);
    })();
  },

  /** 20 MB of numbered lines, in pieces of very different sizes. */
  "/numbers": function* (_, startResponse): Generator<Chunk, undefined> {
    startResponse("200 OK", [TEXT]);
    const encoder = new TextEncoder();
    let number = 0;
    for (let n = 0; n < 3000; n++) {
      let piece = "";
      const lines = n % 100 === 0 ? 20_000 : n % 10 === 0 ? 500 : 1 + n % 7;
      for (let line = 0; line < lines; line++) piece += `line ${number++}\n`;
      yield n % 2 === 0 ? piece : encoder.encode(piece);
    }
  },

  /** Fills one array again and again; ?length or ?chunked, and its size. */
  "/one-array": (environ, startResponse) => {
    const query = new URLSearchParams(environ.QUERY_STRING);
    const piece = new Uint8Array(Number(query.get("size")));
    const count = Math.floor(20_000_000 / piece.length);
    const type: [string, string] = ["Content-Type", "application/octet-stream"];
    startResponse("200 OK", query.has("length") ? [type, ["Content-Length", String(piece.length * count)]] : [type]);
    return (function* () {
      for (let n = 0; n < count; n++) {
        piece.fill(n & 255);
        yield piece;
      }
    })();
  },

  // ---- Statuses and fields ----

  "/status/204-body": (_, startResponse) => {
    startResponse("204 No Content", []);
    return "no one may see this";
  },
  "/status/204-stream": (_, startResponse) => {
    startResponse("204 No Content", [["Content-Length", "5"]]);
    return ["no one ", "may see this"];
  },
  "/status/205": (_, startResponse) => {
    startResponse("205 Reset Content", []);
    return null;
  },
  "/status/304-length": (_, startResponse) => {
    startResponse("304 Not Modified", [["Content-Length", "1234"], ["ETag", '"x"']]);
    return null;
  },
  "/status/304-body": (_, startResponse) => {
    startResponse("304 Not Modified", []);
    return "no one may see this";
  },
  "/status/odd": (_, startResponse) => text(startResponse, "odd", "299 "),
  "/status/bare": (_, startResponse) => text(startResponse, "bare", "200"),
  "/own-date": (_, startResponse) => {
    startResponse("200 OK", [TEXT, ["Date", "Sun, 06 Nov 1994 08:49:37 GMT"]]);
    return "dated";
  },
  "/hop-by-hop": (_, startResponse) => {
    startResponse("200 OK", [
      TEXT,
      ["Transfer-Encoding", "chunked"],
      ["Keep-Alive", "timeout=5"],
      ["Proxy-Connection", "keep-alive"],
      ["Upgrade", "h2c"],
      ["Trailer", "X-Sum"],
      ["TE", "trailers"],
    ]);
    return "dropped";
  },
  "/says-close": (_, startResponse) => {
    startResponse("200 OK", [TEXT, ["Connection", "close"]]);
    return "closing";
  },
  "/cookies": (_, startResponse) => {
    startResponse("200 OK", [TEXT, ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-Latin", "gr\xfc\xdfe"]]);
    return "cookies";
  },

  // ---- Faults of the application ----

  "/throws": () => {
    throw new Error("secret: thrown");
  },
  "/rejects": async () => {
    await sleep(1);
    throw new Error("secret: rejected");
  },
  "/throws-string": () => {
    throw "secret: a string";
  },
  "/no-start": () => "no startResponse",
  "/no-start-stream": () => ["no ", "startResponse"],
  "/no-start-empty": () => [],
  "/undefined": (_, startResponse) => {
    startResponse("200 OK", [TEXT]);
    return undefined as unknown as Body;
  },
  "/number": (_, startResponse) => {
    startResponse("200 OK", [TEXT]);
    return 42 as unknown as Body;
  },
  "/bad-chunk": (_, startResponse) => {
    startResponse("200 OK", [TEXT]);
    return ["good", 42] as unknown as Body;
  },
  "/start-twice": (_, startResponse) => {
    startResponse("200 OK", [TEXT]);
    startResponse("201 Created", [TEXT]);
    return "twice";
  },
  "/replaces": (_, startResponse) => {
    startResponse("200 OK", [["X-Old", "1"]]);
    startResponse("503 Service Unavailable", [TEXT], new Error("found out in time"));
    return "replaced";
  },
  "/replaces-late": function* (_, startResponse): Generator<Chunk, undefined> {
    startResponse("200 OK", [TEXT]);
    yield "";
    try {
      throw new Error("found out in time");
    } catch (error) {
      startResponse("503 Service Unavailable", [TEXT], error);
    }
    yield "replaced";
  },
  "/replaces-too-late": function* (_, startResponse): Generator<Chunk, undefined> {
    startResponse("200 OK", [TEXT]);
    yield "sent";
    startResponse("503 Service Unavailable", [TEXT], new Error("found out too late"));
    yield "never seen";
  },
  "/throws-late": function* (_, startResponse): Generator<Chunk, undefined> {
    startResponse("200 OK", [TEXT]);
    yield "the first part";
    throw new Error("secret: late");
  },
  "/throws-late-length": async function* (_, startResponse): AsyncGenerator<Chunk, undefined> {
    startResponse("200 OK", [TEXT, ["Content-Length", "100"]]);
    yield "the first part";
    await sleep(20);
    throw new Error("secret: late");
  },
  "/throws-before-chunk": function* (_, startResponse): Generator<Chunk, undefined> {
    startResponse("200 OK", [TEXT]);
    yield "";
    throw new Error("secret: before anything was sent");
  },
  "/short": (_, startResponse) => {
    startResponse("200 OK", [TEXT, ["Content-Length", "10"]]);
    return "short";
  },
  "/short-stream": (_, startResponse) => {
    startResponse("200 OK", [TEXT, ["Content-Length", "10"]]);
    return ["sho", "rt"];
  },
  "/long": (_, startResponse) => {
    startResponse("200 OK", [TEXT, ["Content-Length", "4"]]);
    return "long and longer";
  },
  "/long-stream": function* (environ, startResponse): Generator<Chunk, undefined> {
    startResponse("200 OK", [TEXT, ["Content-Length", "4"]]);
    const one = note(environ);
    try {
      yield "lo";
      yield "ng and ";
      one.chunks++;
      yield "longer";
    } finally {
      one.closed++;
    }
  },
  "/none-of-some": (_, startResponse) => {
    startResponse("200 OK", [TEXT, ["Content-Length", "5"]]);
    return null;
  },
  "/bad/value-crlf": (_, startResponse) => {
    startResponse("200 OK", [TEXT, ["X-Bad", "a\r\nSet-Cookie: evil=1"]]);
    return "never seen";
  },
  "/bad/value-lf": (_, startResponse) => {
    startResponse("200 OK", [["X-Bad", "a\nSet-Cookie: evil=1"]]);
    return "never seen";
  },
  "/bad/value-nul": (_, startResponse) => {
    startResponse("200 OK", [["X-Bad", "a\0b"]]);
    return "never seen";
  },
  "/bad/value-wide": (_, startResponse) => {
    startResponse("200 OK", [["X-Bad", "\u010a"]]); // Its low byte is LF.
    return "never seen";
  },
  "/bad/name-crlf": (_, startResponse) => {
    startResponse("200 OK", [["X-Bad\r\nSet-Cookie", "evil=1"]]);
    return "never seen";
  },
  "/bad/name-colon": (_, startResponse) => {
    startResponse("200 OK", [["X-Bad:", "x"]]);
    return "never seen";
  },
  "/bad/name-empty": (_, startResponse) => {
    startResponse("200 OK", [["", "x"]]);
    return "never seen";
  },
  "/bad/reason-crlf": (_, startResponse) => {
    startResponse("200 OK\r\nSet-Cookie: evil=1", []);
    return "never seen";
  },
  "/bad/status": (_, startResponse) => {
    startResponse("20 OK", []);
    return "never seen";
  },
  "/bad/status-number": (_, startResponse) => {
    startResponse(200 as unknown as string, []);
    return "never seen";
  },
  "/bad/length": (_, startResponse) => {
    startResponse("200 OK", [["Content-Length", "1e3"]]);
    return "never seen";
  },
  "/bad/lengths": (_, startResponse) => {
    startResponse("200 OK", [["Content-Length", "3"], ["Content-Length", "4"]]);
    return "never seen";
  },
  "/bad/headers": (_, startResponse) => {
    startResponse("200 OK", { "X-Bad": "object" } as unknown as []);
    return "never seen";
  },

  // ---- Interim responses, upgrades ----

  "/hints": async (environ, startResponse) => {
    environ["esgi.early_hints"]?.([["Link", "</style.css>; rel=preload; as=style"]]);
    await sleep(1);
    environ["esgi.early_hints"]?.([["Link", "</script.js>; rel=preload; as=script"]]);
    return text(startResponse, "hinted");
  },
  "/hints-bad": (environ, startResponse) => {
    environ["esgi.early_hints"]?.([["Link", "a\r\nX-Evil: 1"]]);
    return text(startResponse, "never seen");
  },
  "/upgrade": (environ, startResponse) => {
    if (!environ["esgi.upgrade"]?.includes("echo")) return text(startResponse, "no upgrade");
    const one = note(environ);
    startResponse("101 Switching Protocols", [["Upgrade", "echo"]]);
    return async (socket) => {
      socket.signal.addEventListener("abort", () => one.aborted++);
      await socket.write("welcome\n");
      for await (const chunk of socket) {
        one.read += chunk.length;
        await socket.write(chunk);
      }
      await socket.write("goodbye\n");
      one.closed++;
    };
  },
  /** Leaves at once, and what the client does afterwards is its affair. */
  "/upgrade-leave": (_, startResponse) => {
    startResponse("101 Switching Protocols", [["Upgrade", "echo"]]);
    return (socket) => void socket.write("bye\n");
  },
  /** Does not read until it is told to. */
  "/upgrade-gated": (environ, startResponse) => {
    const one = note(environ);
    startResponse("101 Switching Protocols", [["Upgrade", "echo"]]);
    return async (socket) => {
      one.started++;
      await gate(environ);
      for await (const chunk of socket) one.read += chunk.length;
      await socket.write(`${one.read}\n`);
    };
  },
  "/upgrade-throws": (_, startResponse) => {
    startResponse("101 Switching Protocols", [["Upgrade", "echo"]]);
    return () => {
      throw new Error("secret: upgraded");
    };
  },
  "/upgrade-unasked": (_, startResponse) => {
    startResponse("101 Switching Protocols", [["Upgrade", "echo"]]);
    return () => {};
  },
  "/upgrade-no-function": (_, startResponse) => {
    startResponse("101 Switching Protocols", [["Upgrade", "echo"]]);
    return "a string";
  },
  "/function-200": (_, startResponse) => {
    startResponse("200 OK", []);
    return () => {};
  },

  // ---- Time ----

  /** Answers when the test says so. */
  "/gated": async (environ, startResponse) => {
    const one = note(environ);
    one.started++;
    environ["esgi.signal"].addEventListener("abort", () => one.aborted++);
    await gate(environ);
    return text(startResponse, "gated");
  },
  /** Answers when a test has had the time to do something meanwhile. */
  "/takes-its-time": async (environ, startResponse) => {
    note(environ).started++;
    await sleep(1500);
    return text(startResponse, "took its time");
  },
  "/streams-its-time": async function* (_, startResponse): AsyncGenerator<Chunk, undefined> {
    startResponse("200 OK", [TEXT]);
    yield "chunk0";
    await sleep(1500);
    yield "the last\n";
  },
  /** Looks at its signal only after a while. */
  "/late-signal": async (environ, startResponse) => {
    const one = note(environ);
    one.started++;
    await gate(environ);
    if (environ["esgi.signal"].aborted) one.aborted++;
    one.closed++;
    return text(startResponse, "late");
  },
  /** Waits until its client leaves. */
  "/until-abort": async (environ, startResponse) => {
    const one = note(environ);
    one.started++;
    await new Promise((resolve) => environ["esgi.signal"].addEventListener("abort", resolve));
    one.aborted++;
    return text(startResponse, "aborted");
  },
  /** An endless body that counts. */
  "/endless": (environ, startResponse) => {
    const one = note(environ);
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    environ["esgi.signal"].addEventListener("abort", () => one.aborted++);
    const piece = new Uint8Array(65_536);
    return {
      async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, undefined> {
        for (;;) {
          one.chunks++;
          yield piece;
        }
      },
      close: () => void one.closed++,
    } as AsyncIterable<Chunk>;
  },
  /** The same, by a generator's finally. */
  "/endless-generator": async function* (environ, startResponse): AsyncGenerator<Chunk, undefined> {
    const one = note(environ);
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    try {
      for (;;) {
        one.chunks++;
        yield new Uint8Array(1000);
        await sleep(1);
      }
    } finally {
      one.closed++;
    }
  },
  /** One chunk, and then nothing for ever. */
  "/stuck": (environ, startResponse) => {
    const one = note(environ);
    startResponse("200 OK", [TEXT]);
    let given = false;
    return {
      [Symbol.asyncIterator]: () => ({
        next: (): Promise<IteratorResult<Chunk>> => {
          if (given) return new Promise(() => {});
          given = true;
          return Promise.resolve({ done: false, value: "stuck" });
        },
      }),
      close: () => void one.closed++,
    } as AsyncIterable<Chunk>;
  },
  /** A body with close() that ends well. */
  "/closes": (environ, startResponse) => {
    const one = note(environ);
    startResponse("200 OK", [TEXT]);
    return {
      *[Symbol.iterator](): Generator<Chunk, undefined> {
        yield "closes";
      },
      close: () => void one.closed++,
    } as Iterable<Chunk>;
  },
  /** A body with close() that throws. */
  "/closes-throws": (environ, startResponse) => {
    const one = note(environ);
    startResponse("200 OK", [TEXT]);
    return {
      *[Symbol.iterator](): Generator<Chunk, undefined> {
        yield "closes";
        throw new Error("secret: closes");
      },
      close: () => void one.closed++,
    } as Iterable<Chunk>;
  },

  // ---- For the test ----

  "/open": (environ, startResponse) => {
    const open = gates.get(idOf(environ));
    gates.delete(idOf(environ));
    open?.();
    return text(startResponse, open === undefined ? "no gate" : "open");
  },
  "/seen": (environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "application/json"]]);
    return JSON.stringify(note(environ));
  },
};

export const application: Application = (environ, startResponse) => {
  const handler = HANDLERS[environ.PATH_INFO];
  return handler === undefined ? echo(environ, startResponse) : handler(environ, startResponse);
};
