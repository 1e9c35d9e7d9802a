// What the server makes of an application's answers: each kind of body, and each fault. A fault never desynchronises the
// connection, and nothing of it reaches the client.

import { expect, test } from "vitest";
import { onEachRuntime } from "../support/runtimes.ts";
import { type ServerProcess, useServer } from "../support/server.ts";
import { get, testTranscripts, type Transcript } from "../support/transcripts.ts";
import { eventually } from "../support/wait.ts";

/** A body as it arrives; `framing` tells how. */
function body(path: string, framing: "length" | "chunked" | "none", text: string): Transcript {
  return {
    name: path,
    send: get(path),
    statuses: [200],
    then: "open",
    check: ([response]) => {
      expect(response!.framing).toBe(framing);
      expect(response!.text).toBe(text);
    },
  };
}

/** The application failed before anything was sent: 500, with nothing of the fault in it, and the connection goes on. */
function fault(path: string): Transcript {
  return {
    name: path,
    send: get(path),
    statuses: [500],
    then: "open",
    check: ([response]) => {
      expect(response!.text).toBe("500 Internal Server Error\n");
      expect(response!.raw).not.toMatch(/secret|evil|X-Bad/i);
    },
  };
}

testTranscripts("answers", {
  "bodies": [
    body("/kind/null", "length", ""),
    body("/kind/empty", "length", ""),
    body("/kind/string", "length", "grüße"),
    body("/kind/single", "length", "alone"),
    body("/kind/array", "chunked", "one two three"),
    body("/kind/generator", "chunked", "one two"),
    body("/kind/async", "chunked", "one two"),
    body("/kind/stream", "chunked", "one two"),
    body("/kind/file", "chunked", "from a file"),
    body("/kind/promise", "length", "promised"),
    body("/kind/large-chunks", "chunked", [0, 1, 2, 3].map((n) => String(n).repeat(100_000)).join("")),
    body("/kind/large", "length", "b".repeat(1_000_000)),
    body("/kind/large-string", "length", "ä".repeat(500_000)),
    {
      ...body("/kind/bytes", "length", ""),
      check: ([response]) => expect([...response!.body]).toEqual([0, 255, 10, 13]),
    },
    {
      name: "an empty chunk is not sent, since it would end the body (RFC 9112 §7.1)",
      send: get("/kind/array"),
      statuses: [200],
      then: "open",
      check: ([response]) => expect(response!.chunks).toEqual(["one ", "two ", "three"]),
    },
    {
      name: "the request's body, sent back",
      send:
        "POST /mirror HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
      statuses: [200],
      then: "open",
      wholeOnly: true,
      check: ([response]) => expect(response!.text).toBe("abcdef"),
    },
    {
      name: "the request's body as a stream, sent back",
      send: "POST /mirror-stream HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\nabcdef",
      statuses: [200],
      then: "open",
      wholeOnly: true,
      check: ([response]) => expect(response!.text).toBe("abcdef"),
    },
  ],
  "heads": [
    {
      name: "a reason phrase may be empty, the space before it stays (RFC 9112 §4)",
      send: get("/status/bare"),
      statuses: [200],
      then: "open",
      check: ([response]) => expect(response!.raw).toMatch(/^HTTP\/1\.1 200 \r\n/),
    },
    { name: "a status of the application's own", send: get("/status/odd"), statuses: [299], then: "open" },
    {
      name: "a Date of the application's own stays (RFC 9110 §6.6.1)",
      send: get("/own-date"),
      statuses: [200],
      then: "open",
      check: ([response]) => expect(response!.field("Date")).toBe("Sun, 06 Nov 1994 08:49:37 GMT"),
    },
    {
      name: "hop-by-hop fields are the server's (RFC 9110 §7.6.1)",
      send: get("/hop-by-hop"),
      statuses: [200],
      then: "open",
      check: ([response]) => {
        expect(response!.fields.map(([name]) => name)).toEqual(["Content-Type", "Date", "Content-Length"]);
        expect(response!.text).toBe("dropped");
      },
    },
    {
      name: "an application may close the connection",
      send: get("/says-close"),
      statuses: [200],
      then: "closed",
      check: ([response]) => expect(response!.field("Connection")).toBe("close"),
    },
    {
      name: "repeated fields stay apart, in order; values are latin-1",
      send: get("/cookies"),
      statuses: [200],
      then: "open",
      check: ([response]) =>
        expect(response!.fields.slice(1, 4)).toEqual([
          ["Set-Cookie", "a=1"],
          ["Set-Cookie", "b=2"],
          ["X-Latin", "gr\xfc\xdfe"],
        ]),
    },
  ],
  "faults before the head is sent": [
    ...["/throws", "/rejects", "/throws-string", "/no-start", "/no-start-stream", "/no-start-empty", "/undefined"],
    ...["/number", "/start-twice", "/throws-before-chunk", "/function-200", "/upgrade-unasked"],
    ...["/bad/value-crlf", "/bad/value-lf", "/bad/value-nul", "/bad/value-wide", "/bad/name-crlf", "/bad/name-colon"],
    ...["/bad/name-empty", "/bad/reason-crlf", "/bad/status", "/bad/status-number", "/bad/length", "/bad/lengths"],
    ...["/bad/headers"],
  ].map(fault).concat([
    {
      name: "101 with a string as its body",
      send: get("/upgrade-no-function", "Connection: Upgrade", "Upgrade: echo"),
      statuses: [500],
      then: "open",
    },
    {
      name: "startResponse replaces the head when it reports an error",
      send: get("/replaces"),
      statuses: [503],
      then: "open",
      check: ([response]) => {
        expect(response!.field("X-Old")).toBeNull();
        expect(response!.text).toBe("replaced");
      },
    },
    {
      name: "and does so while only empty chunks were given",
      send: get("/replaces-late"),
      statuses: [503],
      then: "open",
      check: ([response]) => expect(response!.text).toBe("replaced"),
    },
  ]),
  "a body and its Content-Length": [
    {
      name: "what is too long is cut",
      send: get("/long"),
      statuses: [200],
      then: "open",
      check: ([response]) => expect(response!.text).toBe("long"),
    },
    {
      name: "so is a stream",
      send: get("/long-stream"),
      statuses: [200],
      then: "open",
      check: ([response]) => expect(response!.text).toBe("long"),
    },
    {
      name: "a HEAD response's length is not compared with anything",
      send: "HEAD /short HTTP/1.1\r\nHost: test\r\n\r\n",
      statuses: [200],
      head: true,
      then: "open",
    },
  ],
});

async function seen(server: ServerProcess, id: string): Promise<Record<string, unknown>> {
  return await server.json(`/seen?id=${id}`);
}

onEachRuntime("broken answers", (runtime) => {
  const server = useServer(runtime);

  for (const path of ["/short", "/short-stream", "/none-of-some"]) {
    test(`${path}: a body that is too short ends the connection, and the next request is not answered into it`, async () => {
      const client = await server().connect();
      client.send(get(path) + get("/next"));
      const { rest } = await client.ended();
      expect(rest).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(rest.split("\r\n\r\n")[1]).toBe(path === "/none-of-some" ? "" : "short");
    });
  }

  for (const path of ["/throws-late", "/replaces-too-late", "/bad-chunk"]) {
    test(`${path}: a chunked body that breaks off gets no last chunk (RFC 9112 §8)`, async () => {
      const client = await server().connect();
      client.send(get(path) + get("/next"));
      const { rest } = await client.ended();
      expect(rest).not.toMatch(/0\r\n\r\n/);
      expect(rest).not.toMatch(/secret|never seen|"target"/);
    });
  }

  test("/throws-late-length: a body that breaks off ends the connection before its Content-Length", async () => {
    const client = await server().connect();
    client.send(get("/throws-late-length") + get("/next"));
    const { rest } = await client.ended();
    expect(rest).toMatch(/\r\n\r\nthe first part$/);
  });

  test("what came before the break arrives, and FIN after it, the same on every runtime", async () => {
    const client = await server().connect();
    client.send(get("/throws-late"));
    expect((await client.ended()).ending).toBe("fin");
  });

  test("faults are in the error log, with the stack, and not in an answer", async () => {
    await server().get("/throws");
    await eventually(
      () => /secret: thrown[^]*application\.ts/.test(server().stderr),
      () => `the error log has no stack:\n${server().stderr}`,
    );
  });

  test("a body that breaks off is no fault of the server's", async () => {
    const before = server().stderr.length;
    const log = (): string => server().stderr.slice(before);
    const client = await server().connect();
    client.send(get("/throws-late"));
    await client.ended();
    await server().get("/throws");
    // Lines are in their order: what came before the second fault is there with it.
    await eventually(
      () => /secret: late[^]*secret: thrown/.test(log()),
      () => `the log does not tell of both:\n${log()}`,
    );
    expect(log()).not.toContain("outside of a request");
  });

  for (const path of ["/closes", "/closes-throws", "/long-stream"]) {
    test(`${path}: the body is closed once`, async () => {
      const id = path.slice(1);
      const client = await server().connect();
      client.send(get(`${path}?id=${id}`, "Connection: close"));
      await client.ended();
      expect((await seen(server(), id)).closed).toBe(1);
    });
  }

  test("/closes: closed once after HEAD too", async () => {
    const client = await server().connect();
    client.send("HEAD /closes?id=head HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    await client.ended();
    expect((await seen(server(), "head")).closed).toBe(1);
  });
});
