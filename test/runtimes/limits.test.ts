// Every limit and every timeout, at its edge and beyond it.

import { expect, test } from "vitest";
import type { Client } from "../support/client.ts";
import { onEachRuntime } from "../support/runtimes.ts";
import { type ServerOptions, type ServerProcess, useServer, withServer } from "../support/server.ts";
import { get } from "../support/transcripts.ts";
import { eventually, sleep } from "../support/wait.ts";

const LIMITS: ServerOptions = {
  limit_request_line: 100,
  limit_request_fields: 10,
  limit_request_field_size: 200,
  limit_request_head: 1000,
  limit_request_body: 1000,
  keepalive_requests: 3,
  header_map: "refuse",
};

const TIMES: ServerOptions = { header_timeout: 1, body_timeout: 1, keepalive: 1, write_timeout: 1 };

const NO_LIMITS: ServerOptions = {
  limit_request_line: 0,
  limit_request_fields: 0,
  limit_request_field_size: 0,
  limit_request_head: 0,
  limit_request_body: 0,
  keepalive_requests: 0,
  worker_connections: 0,
  header_timeout: 0,
  body_timeout: 0,
  keepalive: 0,
  write_timeout: 0,
};

/** A request line of `length` bytes without its CRLF. */
function line(length: number): string {
  return `GET /${"a".repeat(length - "GET / HTTP/1.1".length)} HTTP/1.1`;
}

/** `count` fields of `size` bytes each, Host not among them. */
function fields(count: number, size: number): string {
  return Array.from({ length: count }, (_, n) => `X${n}: `.padEnd(size, "v") + "\r\n").join("");
}

function post(body: string, ...heads: string[]): string {
  return `POST / HTTP/1.1\r\nHost: test\r\n${heads.map((head) => `${head}\r\n`).join("")}\r\n${body}`;
}

async function status(server: ServerProcess, request: string): Promise<number> {
  const client = await server.connect();
  client.send(request);
  const response = await client.response();
  if (response.status === 200) {
    expect(response.field("Connection")).toBeNull();
  } else {
    expect(response.field("Connection")).toBe("close");
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
  }
  client.destroy();
  return response.status;
}

onEachRuntime("limits", (runtime) => {
  const server = useServer(runtime, LIMITS);

  test("limit_request_line: 414 (RFC 9112 §3)", async () => {
    expect(await status(server(), `${line(100)}\r\nHost: test\r\n\r\n`)).toBe(200);
    expect(await status(server(), `${line(101)}\r\nHost: test\r\n\r\n`)).toBe(414);
    expect(await status(server(), `${line(10_000)}\r\nHost: test\r\n\r\n`)).toBe(414);
  });

  test("limit_request_line: a line that never ends is refused while it comes", async () => {
    expect(await status(server(), `GET /${"a".repeat(200)}`)).toBe(414);
    expect(await status(server(), `GET /${"a".repeat(100_000)}`)).toBe(414);
    const client = await server().connect();
    await client.sendByteByByte(`GET /${"a".repeat(200)}`);
    expect((await client.response()).status).toBe(414);
  });

  test("limit_request_fields: 431 (RFC 6585 §5)", async () => {
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${fields(9, 10)}\r\n`)).toBe(200);
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${fields(10, 10)}\r\n`)).toBe(431);
  });

  test("limit_request_field_size: 431", async () => {
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${fields(1, 200)}\r\n`)).toBe(200);
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${fields(1, 201)}\r\n`)).toBe(431);
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${"X".repeat(201)}: v\r\n\r\n`)).toBe(431);
  });

  test("limit_request_field_size: a field that never ends is refused while it comes", async () => {
    for (const start of ["X: ", "X: v", "X", "X:"]) {
      const more = start === "X" ? "X" : start === "X:" ? " " : "v";
      expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${start}${more.repeat(300)}`)).toBe(431);
    }
  });

  test("limit_request_head: 431", async () => {
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${fields(4, 190)}\r\n`)).toBe(200);
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${fields(6, 190)}\r\n`)).toBe(431);
  });

  test("limit_request_body: 413 (RFC 9110 §15.5.14), before the body is asked for", async () => {
    expect(await status(server(), post("x".repeat(1000), "Content-Length: 1000"))).toBe(200);
    expect(await status(server(), post("", "Content-Length: 1001"))).toBe(413);
    expect(await status(server(), post("", "Content-Length: 1001", "Expect: 100-continue"))).toBe(413);
  });

  test("limit_request_body: 413 of a chunked body, when it has become too large", async () => {
    const chunk = `64\r\n${"x".repeat(100)}\r\n`;
    const end = "0\r\n\r\n";
    expect(await status(server(), post(chunk.repeat(10) + end, "Transfer-Encoding: chunked"))).toBe(200);
    expect(await status(server(), post(chunk.repeat(11) + end, "Transfer-Encoding: chunked"))).toBe(413);
    expect(await status(server(), post("3e9\r\n", "Transfer-Encoding: chunked"))).toBe(413);
  });

  test("RFC 6585 §5: trailers have the limits of fields, and their 431", async () => {
    const chunked = (trailers: string): string => post(`1\r\nx\r\n0\r\n${trailers}\r\n`, "Transfer-Encoding: chunked");
    expect(await status(server(), chunked(fields(10, 10)))).toBe(200);
    expect(await status(server(), chunked(fields(11, 10)))).toBe(431);
    expect(await status(server(), chunked(fields(1, 201)))).toBe(431);
    expect(await status(server(), chunked(fields(8, 190)))).toBe(431);
  });

  test("keepalive_requests: the last one says so", async () => {
    const client = await server().connect();
    client.send(get("/1") + get("/2") + get("/3") + get("/4"));
    expect((await client.response()).field("Connection")).toBeNull();
    expect((await client.response()).field("Connection")).toBeNull();
    expect((await client.response()).field("Connection")).toBe("close");
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
  });

  test("header_map refuse: 400 for a field name with _", async () => {
    expect(await status(server(), get("/", "X_Real_IP: 1.2.3.4"))).toBe(400);
    expect(await status(server(), get("/", "X-Real: 1"))).toBe(200);
  });
});

onEachRuntime("timeouts", (runtime) => {
  const server = useServer(runtime, TIMES);

  /** Sends a byte now and then, until the server has enough. */
  async function trickle(client: Client, text: string): Promise<void> {
    for (const byte of text) {
      if (client.ending !== null) return;
      client.send(byte);
      await sleep(100);
    }
  }

  test.concurrent("header_timeout: a connection that says nothing is closed, without a word", async () => {
    const client = await server().connect();
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
  });

  for (const part of ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: test\r\n", "\r\n"]) {
    test.concurrent(`header_timeout: 408 after ${JSON.stringify(part)} (RFC 9110 §15.5.9)`, async () => {
      const client = await server().connect();
      client.send(part);
      if (part === "\r\n") {
        // Nothing has begun yet.
        expect((await client.ended()).rest).toMatch(/^(HTTP\/1\.1 408 |$)/);
        return;
      }
      const response = await client.response();
      expect(response.status).toBe(408);
      expect(response.field("Connection")).toBe("close");
      expect((await client.ended()).rest).toBe("");
    });
  }

  test.concurrent("header_timeout: a head that trickles in gets no more time", async () => {
    const client = await server().connect();
    void trickle(client, `GET / HTTP/1.1\r\nHost: test\r\nX: ${"v".repeat(1000)}`);
    expect((await client.response()).status).toBe(408);
  });

  test.concurrent("header_timeout: of a later request", async () => {
    const client = await server().connect();
    client.send(`${get("/hello")}GET /`);
    expect((await client.response()).status).toBe(200);
    expect((await client.response()).status).toBe(408);
    await client.ended();
  });

  test.concurrent("body_timeout: 408 when no byte of the body comes", async () => {
    for (const framing of ["Content-Length: 10", "Transfer-Encoding: chunked"]) {
      const client = await server().connect();
      client.send(`POST /reads?id=stalled-${framing.length} HTTP/1.1\r\nHost: test\r\n${framing}\r\n\r\n5\r\n`);
      expect((await client.response()).status).toBe(408);
      await client.ended();
      const one = await server().json(`/seen?id=stalled-${framing.length}`);
      expect(one.error).toBe("InputError timeout");
    }
  });

  test.concurrent("body_timeout: each byte gives more time", async () => {
    const client = await server().connect();
    client.send("POST /reads HTTP/1.1\r\nHost: test\r\nContent-Length: 25\r\n\r\n");
    await trickle(client, "x".repeat(25));
    expect((await client.response()).text).toMatch(/^\d+$/);
  });

  test.concurrent("body_timeout: does not count while the application does not read", async () => {
    const client = await server().connect();
    client.send("POST /gated-upload?id=patient HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhel");
    await sleep(2500);
    client.send("lo");
    await eventually(async () => (await server().get("/open?id=patient")).text === "open", () => "no gate");
    expect((await client.response()).text).toBe("5");
  });

  test.concurrent("body_timeout: 100 Continue was sent, and nothing comes", async () => {
    const client = await server().connect();
    client.send("POST /reads HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    expect((await client.response()).status).toBe(100);
    expect((await client.response()).status).toBe(408);
  });

  test.concurrent("a body that nobody reads and that never comes ends the connection", async () => {
    const client = await server().connect();
    client.send("POST /unread HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n");
    expect((await client.response()).status).toBe(200);
    await client.ended();
  });

  test.concurrent("keepalive: an idle connection is closed, without a word", async () => {
    const client = await server().connect();
    client.send(get("/hello"));
    expect((await client.response()).field("Connection")).toBeNull();
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
  });

  test.concurrent("keepalive: an application may take longer than any of these", async () => {
    const client = await server().connect();
    client.send(get("/gated?id=slow"));
    await sleep(2500);
    await eventually(async () => (await server().get("/open?id=slow")).text === "open", () => "no gate");
    expect((await client.response()).text).toBe("gated");
    client.send(get("/hello"));
    expect((await client.response()).status).toBe(200);
  });

  test.concurrent("write_timeout: a client that reads nothing is cut, and the body closed once", async () => {
    const client = await server().connect();
    client.pause().send(get("/endless?id=unread"));
    await eventually(
      async () => (await server().json("/seen?id=unread")).closed === 1,
      () => "the body is not closed",
    );
  });

  test.concurrent("write_timeout: a client that reads slowly is served", async () => {
    const client = await server().connect();
    client.pause().send(get("/big", "Connection: close"));
    client.socket.on("data", () => client.discard());
    while (client.ending === null) {
      client.resume();
      await sleep(20);
      client.pause();
      await sleep(50);
      if (client.total > 10_000_000) client.resume();
      if (client.total > 10_000_000) break;
    }
    expect((await client.ended()).ending).toBe("fin");
    expect(client.total).toBeGreaterThan(52_428_800);
  });
});

onEachRuntime("no limits", (runtime) => {
  const server = useServer(runtime, NO_LIMITS);

  test("0 is no limit", async () => {
    expect(await status(server(), `${line(50_000)}\r\nHost: test\r\n\r\n`)).toBe(200);
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${fields(1000, 100)}\r\n`)).toBe(200);
    expect(await status(server(), `GET / HTTP/1.1\r\nHost: test\r\n${fields(1, 100_000)}\r\n`)).toBe(200);
    expect(await status(server(), post("x".repeat(2_000_000), "Content-Length: 2000000"))).toBe(200);
  });

  test("0 is no timeout", async () => {
    const silent = await server().connect();
    const half = await server().connect();
    half.send("GET / HT");
    const body = await server().connect();
    body.send(post("hel", "Content-Length: 5"));
    const idle = await server().connect();
    idle.send(get("/hello"));
    await idle.response();
    await sleep(1000);
    for (const client of [silent, idle]) client.send(get("/hello"));
    half.send("TP/1.1\r\nHost: test\r\n\r\n");
    body.send("lo");
    for (const client of [silent, half, body, idle]) expect((await client.response()).status).toBe(200);
  });
});

onEachRuntime("worker_connections", (runtime) => {
  const server = useServer(runtime, { worker_connections: 2 });

  test("one more is answered with 503 (RFC 9110 §15.6.4), and one less makes room", async () => {
    const first = await server().connect();
    const second = await server().connect();
    for (const client of [first, second]) {
      client.send(get("/hello"));
      expect((await client.response()).status).toBe(200);
    }
    const third = await server().connect();
    // Answered at once, and read all the same: nobody resets a client that is sending its request.
    third.send(get("/hello"));
    const response = await third.response();
    expect(response.status).toBe(503);
    expect(response.field("Retry-After")).toBe("1");
    expect(response.field("Connection")).toBe("close");
    third.end();
    expect(await third.ended()).toEqual({ ending: "fin", rest: "" });
    first.end();
    await first.ended();
    await eventually(async () => (await server().get("/hello")).status === 200, () => "there is no room");
    second.send(get("/hello"));
    expect((await second.response()).status).toBe(200);
  });

  test("each of a crowd is told so, more of them than are kept open to read it", async () => {
    const clients = await Promise.all(Array.from({ length: 150 }, () => server().connect()));
    const kept = clients.splice(0, 2);
    for (const client of clients) expect((await client.response()).status).toBe(503);
    for (const client of [...kept, ...clients]) client.destroy();
  });
});

onEachRuntime("too few descriptors (RLIMIT_NOFILE)", (runtime) => {
  const options = { openFiles: 80, permissions: ["--allow-run", "--allow-env"] } as const;

  test.each([0, 1])(
    "with workers: %i the log says so, and new connections are served when some are closed",
    (workers) =>
      withServer(runtime, { workers, ...options }, async (server) => {
        // Deno lets only those read /proc who may do all.
        const warning = "more than the limit of 80 open files allows: 40 connections are accepted; raise the limit";
        expect(server.stderr.includes(warning)).toBe(runtime.kind !== "deno");
        const clients: Client[] = [];
        await eventually(async () => {
          clients.push(await server.connect());
          return server.stderr.includes("[ERROR] Too many open files");
        }, () => server.stderr);
        for (const client of clients) client.destroy();
        await eventually(async () => {
          const client = await server.connect();
          client.send(get("/hello"));
          const served = client.response().then(({ status }) => status === 200, () => false);
          const soon = await Promise.race([served, sleep(1000)]);
          client.destroy();
          return soon === true;
        }, () => `nobody is served:\n${server.stderr}`);
        expect(server.stderr).not.toContain("Uncaught error");
      }),
  );
});
