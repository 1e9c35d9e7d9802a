import { describe, expect, test } from "vitest";
import { FileWrapper } from "../../src/esgi/body.ts";
import type { Body, Chunk } from "../../src/esgi/body.ts";
import {
  checkHeaders,
  checkStatus,
  contentLength,
  isHopByHop,
  isToken,
  replyBody,
  ReplyHead,
} from "../../src/esgi/reply.ts";
import type { ReplyBodyOptions } from "../../src/esgi/reply.ts";

const decoder = new TextDecoder();

function started(headers: [string, string][] = [], status = "200 OK"): ReplyHead {
  const head = new ReplyHead();
  head.startResponse(status, headers);
  return head;
}

async function collect(body: Body, head = started(), options: ReplyBodyOptions = {}): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of replyBody(body, head, options)) chunks.push(decoder.decode(chunk));
  return chunks;
}

/** An iterable that counts what is done to it. */
function counted(chunks: readonly unknown[], withClose = true) {
  const log: string[] = [];
  const body = {
    log,
    [Symbol.iterator]() {
      const inner = chunks.values();
      return {
        next() {
          const result = inner.next();
          if (result.value instanceof Error) throw result.value;
          return result;
        },
        return() {
          log.push("return");
          return { done: true as const, value: undefined };
        },
      };
    },
    ...(withClose ? { close: () => void log.push("close") } : {}),
  };
  return body as typeof body & Iterable<Chunk>;
}

describe("checkStatus", () => {
  test.each(["200 OK", "100 Continue", "599 x", "404 Not\tFound", "200 \xe9t\xe9"])("accepts %j", (status) => {
    checkStatus(status);
  });

  test.each([
    ["200"],
    ["200 "],
    ["099 Low"],
    ["600 High"],
    ["20 OK"],
    ["200 OK\r\nX: y"],
    ["200 OK "],
    ["200 €"],
    ["OK 200"],
    ["2000 OK"],
    ["200\tOK"],
    ["200 a\x7fb"],
  ])("refuses %j", (status) => {
    expect(() => checkStatus(status)).toThrow(TypeError);
    expect(() => checkStatus(status)).toThrow(JSON.stringify(status));
  });

  test("refuses a number", () => {
    expect(() => checkStatus(200 as unknown as string)).toThrow("status 200");
  });
});

describe("checkHeaders", () => {
  test("accepts HTAB, latin-1 and the empty value", () => {
    checkHeaders([["X-A", "a\tb"], ["x!#$%&'*+-.^_`|~9", "\xff"], ["B", ""]]);
  });

  test.each([
    [[["a b", "x"]], 'header name "a b"'],
    [[["", "x"]], 'header name ""'],
    [[["a:", "x"]], 'header name "a:"'],
    [[["é", "x"]], "header name"],
    [[["X-A", "a\r\nb"]], "header X-A"],
    [[["X-A", "a\0"]], "header X-A"],
    [[["X-A", "\x7f"]], "header X-A"],
    [[["X-A", "€"]], "header X-A"],
    [[["X-A", 5]], "header X-A"],
    [[["X-A"]], "headers[0]"],
    [["X-A: b"], "headers[0]"],
    [[["X-A", "b"], null], "headers[1]"],
    [{ "X-A": "b" }, "headers are a Object"],
    [undefined, "headers are undefined"],
  ])("refuses %j and names the culprit", (headers, message) => {
    expect(() => checkHeaders(headers as never)).toThrow(TypeError);
    expect(() => checkHeaders(headers as never)).toThrow(message);
  });

  test("stays linear on a long value with a bad end", () => {
    expect(() => checkHeaders([["X", "a".repeat(1_000_000) + "\n"]])).toThrow(TypeError);
  });
});

test("isToken and isHopByHop", () => {
  expect([isToken("GET"), isToken(""), isToken("a b")]).toEqual([true, false, false]);
  expect([isHopByHop("Connection"), isHopByHop("TRANSFER-ENCODING"), isHopByHop("Date")]).toEqual([true, true, false]);
});

test("contentLength reads one decimal number and refuses everything else", () => {
  expect(contentLength([])).toBe(null);
  expect(contentLength([["content-length", "12"]])).toBe(12);
  for (const bad of ["", "-1", "1.5", "0x10", "1e3", " 1", "1, 1", "9".repeat(16)]) {
    expect(() => contentLength([["Content-Length", bad]])).toThrow(TypeError);
  }
  expect(() => contentLength([["Content-Length", "1"], ["content-length", "1"]])).toThrow("two Content-Length");
});

describe("startResponse", () => {
  test("a second call without an error throws, and changes nothing", () => {
    const head = started([["A", "b"]]);
    expect(() => head.startResponse("500 Oops", [])).toThrow(TypeError);
    expect([head.status, head.code, head.reason, head.headers]).toEqual(["200 OK", 200, "OK", [["A", "b"]]]);
  });

  test("a second call with an error replaces the head while nothing is sent", () => {
    const head = started([["Content-Length", "5"]]);
    head.startResponse("500 Oops", [["X", "y"]], new Error("boom"));
    expect([head.status, head.headers, head.contentLength]).toEqual(["500 Oops", [["X", "y"]], null]);
  });

  test("a call with an error rethrows it once the head is sent", () => {
    const head = started();
    head.send();
    const error = new Error("boom");
    expect(() => head.startResponse("500 Oops", [], error)).toThrow(error);
    expect(head.status).toBe("200 OK");
  });

  test("a call that was refused leaves the head as it was", () => {
    const head = new ReplyHead();
    expect(() => head.startResponse("200 OK", [["Bad Name", ""]])).toThrow(TypeError);
    expect(head.status).toBe("");
    head.startResponse("200 OK", []);
    expect(() => head.startResponse("nope", [], new Error("x"))).toThrow(TypeError);
    expect(head.status).toBe("200 OK");
  });

  test("keeps its own copy of the fields", () => {
    const headers: [string, string][] = [["A", "b"]];
    const head = started(headers);
    headers[0]![1] = "b\r\nInjected: yes";
    expect(head.headers).toEqual([["A", "b"]]);
  });
});

describe("replyBody", () => {
  test.each<[string, () => Body, string[]]>([
    ["null", () => null, []],
    ["a string", () => "héllo", ["héllo"]],
    ["an empty string", () => "", []],
    ["a Uint8Array", () => new Uint8Array([104, 105]), ["hi"]],
    ["an array", () => ["a", "", new Uint8Array([98])], ["a", "b"]],
    ["a generator", function* () {
      yield "a";
      yield "b";
    }, ["a", "b"]],
    ["an async generator", async function* () {
      yield "a";
      yield "";
      yield "b";
    }, ["a", "b"]],
    ["a ReadableStream", () => new Response("stream").body, ["stream"]],
    ["a FileWrapper", () => new FileWrapper(new Response("file").body!), ["file"]],
  ])("gives %s as non-empty chunks of bytes", async (_name, body, expected) => {
    const head = started();
    expect(await collect(body(), head)).toEqual(expected);
    expect(head.sent).toBe(true);
  });

  test.each([[undefined], [5], [{}], [true]])("refuses %j as a body", async (body) => {
    await expect(collect(body as never)).rejects.toThrow("which is no body");
  });

  test.each([[5], [null], [[1]], [new ArrayBuffer(2)]])("refuses %j as a chunk, and closes", async (chunk) => {
    const body = counted(["ok", chunk]);
    await expect(collect(body)).rejects.toThrow("the body's chunk is");
    expect(body.log).toEqual(["close"]);
  });

  test("the head is sent with the first non-empty chunk, so a generator may still replace it before", async () => {
    const head = new ReplyHead();
    async function* app() {
      head.startResponse("200 OK", []);
      yield "";
      expect(head.sent).toBe(false);
      head.startResponse("500 Oops", [], new Error("changed my mind"));
      yield "oops";
      expect(head.sent).toBe(true);
    }
    expect(await collect(app(), head)).toEqual(["oops"]);
    expect(head.code).toBe(500);
  });

  test("a body before startResponse is an error, and is closed", async () => {
    const body = counted(["x"]);
    await expect(collect(body, new ReplyHead())).rejects.toThrow("did not call startResponse");
    await expect(collect(null, new ReplyHead())).rejects.toThrow("did not call startResponse");
    expect(body.log).toEqual(["close"]);
  });

  describe("close", () => {
    test("is called once at the end, return() not as well", async () => {
      const body = counted(["a"]);
      await collect(body);
      expect(body.log).toEqual(["close"]);
    });

    test("is called once when the iterator throws, and the error comes through", async () => {
      const body = counted(["a", new Error("boom")]);
      await expect(collect(body)).rejects.toThrow("boom");
      expect(body.log).toEqual(["close"]);
    });

    test("is called once when the reader leaves early", async () => {
      const body = counted(["a", "b"]);
      for await (const _ of replyBody(body, started())) break;
      expect(body.log).toEqual(["close"]);
    });

    test("is called once when nobody reads, and when return() is called again", async () => {
      const body = counted(["a"]);
      const chunks = replyBody(body, started());
      await chunks.return();
      await chunks.return();
      expect(await chunks.next()).toEqual({ done: true, value: undefined });
      expect(body.log).toEqual(["close"]);
    });

    test("is called at once while a next() hangs", async () => {
      let closed = 0;
      const body = {
        [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<string>>(() => {}) }),
        close: () => void closed++,
      };
      const chunks = replyBody(body, started());
      void chunks.next();
      await chunks.return();
      expect(closed).toBe(1);
    });

    test("without close(), return() is called once: at the end, on leaving, and unread", async () => {
      const read = counted(["a"], false);
      await collect(read);
      const left = counted(["a", "b"], false);
      for await (const _ of replyBody(left, started())) break;
      const unread = counted(["a"], false);
      await replyBody(unread, started()).return();
      expect([read.log, left.log, unread.log]).toEqual([["return"], ["return"], ["return"]]);
    });

    test("a stream that is left, or never read, is cancelled", async () => {
      let cancelled = 0;
      const stream = () =>
        new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1)), cancel: () => void cancelled++ });
      for await (const _ of replyBody(stream(), started())) break;
      await replyBody(stream(), started()).return();
      expect(cancelled).toBe(2);
    });

    test("a file that is left half-read is released", async () => {
      let cancelled = 0;
      const stream = new ReadableStream({
        pull: (c) => c.enqueue(new Uint8Array(1)),
        cancel: () => void cancelled++,
      });
      for await (const _ of replyBody(new FileWrapper(stream), started())) break;
      expect(cancelled).toBe(1);
    });

    test("a stream that failed gives its error once", async () => {
      const stream = new ReadableStream({ pull: (c) => c.error(new Error("boom")) });
      await expect(collect(stream)).rejects.toThrow("boom");
    });

    test("what close() throws goes to onCloseError, or rejects", async () => {
      const body = () => ({
        *[Symbol.iterator]() {
          yield "a";
        },
        close() {
          throw new Error("close failed");
        },
      });
      await expect(collect(body())).rejects.toThrow("close failed");
      const errors: unknown[] = [];
      expect(await collect(body(), started(), { onCloseError: (error) => errors.push(error) })).toEqual(["a"]);
      expect(errors).toHaveLength(1);
    });
  });

  describe("Content-Length", () => {
    test("more bytes are cut, told, and not asked for", async () => {
      let pulled = 0;
      function* body() {
        for (;;) {
          pulled++;
          yield "abc";
        }
      }
      const chunks = replyBody(body(), started([["Content-Length", "5"]]));
      const got: string[] = [];
      for await (const chunk of chunks) got.push(decoder.decode(chunk));
      expect(got).toEqual(["abc", "ab"]);
      expect(chunks.fault).toContain("longer than its Content-Length of 5");
      expect(pulled).toBe(2);
    });

    test("fewer bytes are told", async () => {
      const chunks = replyBody(["abc"], started([["Content-Length", "5"]]));
      for await (const _ of chunks);
      expect(chunks.fault).toContain("ended after 3 of 5 bytes");
    });

    test("the exact number is no fault, nor is none after HEAD or with 304", async () => {
      const length: [string, string][] = [["Content-Length", "3"]];
      for (
        const chunks of [
          replyBody(["abc", ""], started(length)),
          replyBody(null, started(length), { method: "HEAD" }),
          replyBody(null, started(length, "304 Not Modified")),
        ]
      ) {
        for await (const _ of chunks);
        expect(chunks.fault).toBe(null);
      }
    });

    test("a body of HEAD or 204 gives no bytes, and is closed", async () => {
      const head = counted(["abc"]);
      expect(await collect(head, started(), { method: "HEAD" })).toEqual([]);
      const chunks = replyBody(counted(["abc"]), started([], "204 No Content"));
      for await (const _ of chunks) throw new Error("204 with a body");
      expect(chunks.fault).toContain("204 response has no body");
      expect(head.log).toEqual(["close"]);
    });
  });
});
