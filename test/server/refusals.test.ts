// What a client gets for what is refused: one answer with its status, then the end, whatever follows; and an application
// that hears of nothing that is not a request. The rules are test/http1/parser.test.ts's; here is one of each.

import { afterEach, describe, expect, test } from "vitest";
import { resolveSettings } from "../../src/config/settings.ts";
import type { Application } from "../../src/esgi/application.ts";
import { EventBus } from "../../src/observe/events.ts";
import { type MemoryClient, MemoryRuntime } from "../../src/runtime/memory.ts";
import { Server } from "../../src/server/server.ts";
import { chunked, get, post, request } from "../http1/harness.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Says what it was asked for; reads the whole body first. */
function echo(heard: string[]): Application {
  return async (environ, startResponse) => {
    heard.push(`${environ.REQUEST_METHOD} ${environ.PATH_INFO}`);
    const body = await environ["esgi.input"].text();
    startResponse("200 OK", []);
    return `${environ.REQUEST_METHOD} ${environ.PATH_INFO} ${body}`;
  };
}

interface Conversation {
  readonly client: MemoryClient;
  /** Which requests the application has seen. */
  readonly heard: readonly string[];
  /** Status lines, in order. */
  readonly statuses: readonly string[];
}

async function converse(pieces: readonly string[]): Promise<Conversation> {
  const runtime = new MemoryRuntime();
  const heard: string[] = [];
  const options = { limit_request_line: 100, limit_request_field_size: 100, limit_request_body: 100 };
  const server = new Server(echo(heard), runtime, resolveSettings(options), new EventBus());
  servers.push(server);
  await server.listen({ kind: "tcp", host: "192.0.2.2", port: 80 }, { backlog: 1 });
  const client = runtime.connect();
  for (const piece of pieces) void client.send(piece);
  for (let i = 0; i < 50; i++) await Promise.resolve();
  const statuses = [...client.received.matchAll(/HTTP\/1\.1 (\d{3} .*)\r\n/g)].map(([, status]) => status!);
  return { client, heard, statuses };
}

type Row = [name: string, input: string, status: string];

const HEADS: Row[] = [
  ["RFC 9112 §2.2 LF", "GET / HTTP/1.1\nHost: a\n\n", "400 Bad Request"],
  ["RFC 9112 §2.3 HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported"],
  ["RFC 9112 §3 long line", `GET /${"a".repeat(100)}`, "414 URI Too Long"],
  ["RFC 9112 §3.1 long method", `${"M".repeat(65)} `, "501 Not Implemented"],
  ["RFC 9112 §3.2 Host", request("GET / HTTP/1.1"), "400 Bad Request"],
  ["RFC 9112 §3.2.3 CONNECT", request("CONNECT a:80 HTTP/1.1", "Host: a:80"), "405 Method Not Allowed"],
  ["RFC 9112 §5.1 SP before the colon", get("X : a"), "400 Bad Request"],
  ["RFC 9112 §5.2 folding", get("X: a", " b"), "400 Bad Request"],
  ["RFC 9110 §5.4 long field", get(`X: ${"a".repeat(100)}`), "431 Request Header Fields Too Large"],
  ["RFC 9112 §6.1 unknown coding", post("", "Transfer-Encoding: gzip"), "501 Not Implemented"],
  ["RFC 9112 §6.2 long", post("", "Content-Length: 101"), "413 Content Too Large"],
  [
    "RFC 9112 §6.3 both lengths",
    post("0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"),
    "400 Bad Request",
  ],
  ["RFC 9110 §10.1.1 expectation", get("Expect: x"), "417 Expectation Failed"],
];

const BODIES: Row[] = [
  ["RFC 9112 §7.1 chunk size", chunked("3 \r\nabc\r\n0\r\n\r\n"), "400 Bad Request"],
  ["RFC 9112 §7.1 chunk data", chunked("3\r\nabcd\r\n0\r\n\r\n"), "400 Bad Request"],
  ["RFC 9112 §7.1 long", chunked("65\r\n"), "413 Content Too Large"],
  ["RFC 9112 §7.1.2 trailer", chunked("0\r\nContent-Length: 3\r\n\r\n"), "400 Bad Request"],
  ["RFC 9110 §5.4 long trailer", chunked(`0\r\nX: ${"a".repeat(100)}\r\n\r\n`), "431 Request Header Fields Too Large"],
];

const smuggled = request("GET /smuggled HTTP/1.1", "Host: a");

describe.each([
  ["whole", (text: string) => [text]],
  ["byte by byte", (text: string) => [...text]],
])("%s", (_how, cut) => {
  describe.each([["refused as a head", HEADS, []], ["refused as a body", BODIES, ["POST /"]]])(
    "%s",
    (_, rows, told) => {
      test.each(rows)("%s", async (_name, input, status) => {
        const { client, heard, statuses } = await converse(cut(input + smuggled));
        expect(statuses).toEqual([status]);
        expect(client.received).toMatch(/\r\nConnection: close\r\n/);
        expect(client.ended).toBe(true);
        // It may still read: RFC 9112 §9.6.
        expect(client.closed).toBe(false);
        expect(heard).toEqual(told);
      });
    },
  );

  test.each(HEADS)("a request before it is answered: %s", async (_name, input, status) => {
    const { heard, statuses } = await converse(cut(request("GET /first HTTP/1.1", "Host: a") + input));
    expect(statuses).toEqual(["200 OK", status]);
    expect(heard).toEqual(["GET /first"]);
  });

  test("what is legal is answered, all of it and in order", async () => {
    const { client, heard, statuses } = await converse(cut(
      get() + chunked("3\r\nabc\r\n0\r\nX: y\r\n\r\n") + "\r\n" + post("de", "Content-Length: 2") + smuggled,
    ));
    expect(statuses).toEqual(["200 OK", "200 OK", "200 OK", "200 OK"]);
    expect(heard).toEqual(["GET /", "POST /", "POST /", "GET /smuggled"]);
    expect(client.received).toMatch(/POST \/ abc[^]*POST \/ de/);
    expect(client.ended).toBe(false);
  });
});

describe("RFC 9110 §9.3.2 HEAD", () => {
  test.each([
    ["no Host", request("HEAD / HTTP/1.1"), "400 Bad Request"],
    ["an expectation", request("HEAD / HTTP/1.1", "Host: a", "Expect: x"), "417 Expectation Failed"],
    [
      "a long field",
      request("HEAD / HTTP/1.1", "Host: a", `X: ${"a".repeat(100)}`),
      "431 Request Header Fields Too Large",
    ],
    ["a malformed target", request("HEAD a HTTP/1.1", "Host: a"), "400 Bad Request"],
  ])("%s is refused without content", async (_name, input, status) => {
    const { client, statuses } = await converse([input]);
    expect(statuses).toEqual([status]);
    expect(client.received).toMatch(/\r\nContent-Length: [1-9]\d*\r\nConnection: close\r\n\r\n$/);
    expect(client.ended).toBe(true);
  });

  test("what follows HEAD and is no request is refused with content", async () => {
    const { client, statuses } = await converse([request("HEAD / HTTP/1.1", "Host: a"), "\0"]);
    expect(statuses).toEqual(["200 OK", "400 Bad Request"]);
    expect(client.received).toMatch(/\r\n\r\n400 Bad Request: .+\n$/);
  });
});

describe("RFC 9112 §8 incomplete messages", () => {
  test.each([
    ["a head", "GET / HTTP/1.1\r\nHost: a\r\n", ["400 Bad Request"], []],
    ["a request line", "GET /", ["400 Bad Request"], []],
    ["a body by length", post("ab", "Content-Length: 3"), ["400 Bad Request"], ["POST /"]],
    ["a chunked body", chunked("3\r\nab"), ["400 Bad Request"], ["POST /"]],
    ["a chunked body without its last chunk", chunked("2\r\nab\r\n"), ["400 Bad Request"], ["POST /"]],
    ["nothing", "", [], []],
    ["an empty line", "\r\n", [], []],
  ])("%s that ends is not answered as if it were whole", async (_name, input, expected, told) => {
    const { client, heard } = await converse([input]);
    client.end();
    for (let i = 0; i < 50; i++) await Promise.resolve();
    const statuses = [...client.received.matchAll(/HTTP\/1\.1 (\d{3} .*)\r\n/g)].map(([, status]) => status);
    expect(statuses).toEqual(expected);
    expect(heard).toEqual(told);
    expect(client.ended).toBe(true);
  });
});
