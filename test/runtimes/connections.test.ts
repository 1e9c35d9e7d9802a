// What happens on a connection over time: interim answers, bodies that break off, clients that leave, and back-pressure.

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Client } from "../support/client.ts";
import { onEachRuntime } from "../support/runtimes.ts";
import { type ServerProcess, useServer } from "../support/server.ts";
import { get } from "../support/transcripts.ts";
import { eventually, sleep } from "../support/wait.ts";

interface Seen {
  started: number;
  aborted: number;
  closed: number;
  chunks: number;
  read: number;
  error: string;
}

async function seen(server: ServerProcess, id: string): Promise<Seen> {
  return await server.json(`/seen?id=${id}`) as unknown as Seen;
}

/** Resolves when what the application saw is as `condition` says. */
async function untilSeen(server: ServerProcess, id: string, condition: (one: Seen) => boolean): Promise<Seen> {
  let last: Seen | null = null;
  await eventually(
    async () => condition(last = await seen(server, id)),
    () => `the application saw only ${JSON.stringify(last)}`,
  );
  return last!;
}

async function open(server: ServerProcess, id: string): Promise<void> {
  expect((await server.get(`/open?id=${id}`)).text).toBe("open");
}

function post(target: string, ...fields: string[]): string {
  return `POST ${target} HTTP/1.1\r\nHost: test\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`;
}

/** Waits until a number does not grow any more. */
async function settled(value: () => number | Promise<number>): Promise<number> {
  let last = -1;
  let same = 0;
  while (same < 5) {
    const now = await value();
    same = now === last ? same + 1 : 0;
    last = now;
    await sleep(100);
  }
  return last;
}

/** Bytes that the client's kernel took. */
function taken(client: Client): number {
  return client.socket.bytesWritten - client.socket.writableLength;
}

let ids = 0;

onEachRuntime("connections", (runtime) => {
  const server = useServer(runtime);
  const newId = (): string => `${runtime.name}-${++ids}`;

  // ---- RFC 9110 §10.1.1: 100 Continue ----

  for (
    const [framing, body] of [["Content-Length: 5", "hello"], ["Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"]]
  ) {
    test.concurrent(`RFC 9110 §10.1.1: 100 Continue is sent at the first read (${framing})`, async () => {
      const id = newId();
      const client = await server().connect();
      client.send(post(`/gated-upload?id=${id}`, framing!, "Expect: 100-continue"));
      await untilSeen(server(), id, ({ started }) => started === 1);
      await sleep(100);
      expect(client.received).toBe("");
      await open(server(), id);
      const interim = await client.response();
      expect(interim.raw).toBe("HTTP/1.1 100 Continue\r\n\r\n");
      client.send(body!);
      expect((await client.response()).text).toBe("5");
      client.send(get("/after"));
      expect((await client.response()).status).toBe(200);
    });
  }

  test.concurrent("RFC 9110 §10.1.1: no 100 Continue when the application does not read; then the connection ends", async () => {
    for (const path of ["/unread", "/unread-later"]) {
      const client = await server().connect();
      client.send(post(path, "Content-Length: 5", "Expect: 100-continue"));
      const response = await client.response();
      expect(response.status).toBe(200);
      // Whether the body comes or not is the client's choice: nobody could tell where the next request begins.
      expect(response.field("Connection")).toBe("close");
      expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
    }
  });

  test.concurrent("RFC 9110 §10.1.1: 100 Continue comes behind the answers before it", async () => {
    const client = await server().connect();
    client.send(get("/slow") + get("/status/204") + post("/", "Content-Length: 5", "Expect: 100-continue"));
    expect((await client.response()).status).toBe(200);
    expect((await client.response()).status).toBe(204);
    expect((await client.response()).status).toBe(100);
    client.send("hello");
    expect((await client.response()).status).toBe(200);
  });

  // ---- RFC 9112 §8: incomplete messages ----

  for (
    const [name, sent] of [
      ["Content-Length", `${post("/reads?id=ID", "Content-Length: 10")}hello`],
      ["chunked, within a chunk", `${post("/reads?id=ID", "Transfer-Encoding: chunked")}a\r\nhello`],
      ["chunked, between chunks", `${post("/reads?id=ID", "Transfer-Encoding: chunked")}5\r\nhello\r\n`],
      [
        "chunked, without the last empty line",
        `${post("/reads?id=ID", "Transfer-Encoding: chunked")}5\r\nhello\r\n0\r\n`,
      ],
      ["nothing of it", post("/reads?id=ID", "Content-Length: 10")],
    ] as const
  ) {
    test.concurrent(`RFC 9112 §8: a body that breaks off by FIN is an error, never a short body: ${name}`, async () => {
      const id = newId();
      const client = await server().connect();
      client.send(sent.replace("ID", id)).end();
      const response = await client.response();
      expect(response.status).toBe(400);
      expect((await client.ended()).rest).toBe("");
      expect((await seen(server(), id)).error).toBe("InputError disconnected");
    });

    test.concurrent(`RFC 9112 §8: a body that breaks off by RST: ${name}`, async () => {
      const id = newId();
      const client = await server().connect();
      client.send(sent.replace("ID", id));
      await untilSeen(server(), id, ({ started }) => started === 1);
      client.reset();
      const one = await untilSeen(server(), id, ({ error }) => error !== "");
      expect(one.error).toBe("InputError disconnected");
      expect(one.aborted).toBe(1);
    });
  }

  test.concurrent("RFC 9112 §8: the connection ends within a head", async () => {
    for (const part of ["G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nHost: te", "GET / HTTP/1.1\r\nHost: test\r\n\r"]) {
      const client = await server().connect();
      client.send(part).end();
      expect((await client.response()).status).toBe(400);
      expect((await client.ended()).rest).toBe("");
    }
  });

  test.concurrent("a connection that says nothing and ends is ended", async () => {
    const client = await server().connect();
    client.end();
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
  });

  test.concurrent("RFC 9112 §7.1: a body that turns out malformed is an error to its reader", async () => {
    const id = newId();
    const client = await server().connect();
    client.send(`${post(`/reads?id=${id}`, "Transfer-Encoding: chunked")}5\r\nhello\r\n`);
    await untilSeen(server(), id, ({ read }) => read === 5);
    client.send("x\r\n");
    expect((await client.response()).status).toBe(400);
    await client.ended();
    expect((await seen(server(), id)).error).toBe("InputError malformed");
  });

  test.concurrent("an application may answer a broken body in its own way; the connection ends", async () => {
    const client = await server().connect();
    client.send(`${post("/forgives", "Transfer-Encoding: chunked")}x\r\n`);
    const response = await client.response();
    expect(response.status).toBe(422);
    expect(response.text).toBe("broken malformed");
    expect(response.field("Connection")).toBe("close");
    await client.ended();
  });

  // ---- RFC 9112 §9.6: the lingering close ----

  for (
    const [name, head, status] of [
      ["a malformed field", "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 20000000\r\nA : b\r\n\r\n", 400],
      ["Transfer-Encoding with Content-Length", post("/", "Content-Length: 1", "Transfer-Encoding: chunked"), 400],
      ["a malformed chunk", `${post("/", "Transfer-Encoding: chunked")}xyz\r\n`, 400],
      ["an unknown transfer coding", post("/", "Transfer-Encoding: rot13"), 501],
      ["an unknown expectation", post("/", "Expect: more", "Content-Length: 20000000"), 417],
      ["CONNECT", "CONNECT test:443 HTTP/1.1\r\nHost: test\r\n\r\n", 405],
      ["an application that answers early", post("/unread", "Content-Length: 20000000"), 200],
    ] as const
  ) {
    test.concurrent(`RFC 9112 §9.6: ${name}: the answer is read while the client still sends`, async () => {
      const client = await server().connect();
      client.send(head);
      const piece = new Uint8Array(1_000_000).fill(0x78);
      for (let n = 0; n < 20; n++) client.send(piece);
      const response = await client.response();
      expect(response.status).toBe(status);
      expect(response.field("Connection")).toBe("close");
      // All is taken from it, and thrown away, so that no RST destroys the answer on its way.
      await client.sent();
      client.end();
      expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
    });
  }

  test.concurrent("RFC 9112 §9.6: a client that does not close is closed at last", async () => {
    const client = await server().connect();
    client.send("BAD\r\n\r\n");
    await client.response();
    await client.ended();
    // Its own side stays open: only what it sends shows that nobody is there any more.
    await eventually(() => {
      if (!client.socket.destroyed) client.send("x");
      return client.socket.destroyed;
    }, () => "the connection is kept for ever");
  });

  test.concurrent("a small body that nobody reads does not end the connection, a large one does", async () => {
    const small = await server().connect();
    small.send(`${post("/unread", "Content-Length: 60000")}${"x".repeat(60_000)}${get("/after")}`);
    expect((await small.response()).field("Connection")).toBeNull();
    expect((await small.response()).status).toBe(200);
    const large = await server().connect();
    large.send(post("/unread", "Content-Length: 6000000"));
    expect((await large.response()).field("Connection")).toBe("close");
    const chunked = await server().connect();
    chunked.send(post("/unread", "Transfer-Encoding: chunked"));
    expect((await chunked.response()).status).toBe(200);
    for (let n = 0; n < 200 && chunked.ending === null; n++) {
      chunked.send(`1000\r\n${"x".repeat(4096)}\r\n`);
      await sleep(1);
    }
    expect((await chunked.ended()).rest).toBe("");
  });

  // ---- Half-closed connections ----

  for (const path of ["/hello", "/slow", "/stream", "/reads?id=half"]) {
    test.concurrent(`a request, then FIN: ${path} is answered to its end`, async () => {
      const client = await server().connect();
      client.send(get(path)).end();
      expect((await client.response()).status).toBe(200);
      expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
    });
  }

  test.concurrent("requests, then FIN: all are answered", async () => {
    const client = await server().connect();
    client.send(get("/slow") + get("/hello") + get("/stream")).end();
    for (let n = 0; n < 3; n++) expect((await client.response()).status).toBe(200);
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
  });

  test.concurrent("a large answer to a client that has sent FIN", async () => {
    const client = await server().connect();
    client.send(get("/big")).end();
    client.socket.on("data", () => client.discard());
    await client.ended();
    expect(client.ending).toBe("fin");
    expect(client.total).toBeGreaterThan(52_428_800);
  });

  // ---- The client leaves ----

  test.concurrent("FIN aborts esgi.signal; the client may still read", async () => {
    const id = newId();
    const client = await server().connect();
    client.send(get(`/until-abort?id=${id}`));
    await untilSeen(server(), id, ({ started }) => started === 1);
    client.end();
    expect((await client.response()).text).toBe("aborted");
    await client.ended();
  });

  test.concurrent("RST aborts esgi.signal", async () => {
    const id = newId();
    const client = await server().connect();
    client.send(get(`/until-abort?id=${id}`));
    await untilSeen(server(), id, ({ started }) => started === 1);
    client.reset();
    await untilSeen(server(), id, ({ aborted }) => aborted === 1);
  });

  for (const how of ["end", "reset"] as const) {
    test.concurrent(`esgi.signal is aborted for one who looks at it after the client has left (${how})`, async () => {
      const id = newId();
      const client = await server().connect();
      client.send(get(`/late-signal?id=${id}`));
      await untilSeen(server(), id, ({ started }) => started === 1);
      client[how]();
      await sleep(200);
      await open(server(), id);
      const one = await untilSeen(server(), id, ({ closed }) => closed === 1);
      expect(one.aborted).toBe(1);
    });
  }

  for (const path of ["/endless", "/endless-generator", "/stuck"]) {
    test.concurrent(`${path}: RST closes the body, once`, async () => {
      const id = newId();
      const client = await server().connect();
      client.send(get(`${path}?id=${id}`));
      await client.until("\r\n\r\n");
      client.reset();
      await untilSeen(server(), id, ({ closed }) => closed > 0);
      const chunks = await settled(async () => (await seen(server(), id)).chunks);
      const one = await seen(server(), id);
      expect(one.closed).toBe(1);
      expect(one.chunks).toBe(chunks);
      if (path === "/endless") expect(one.aborted).toBe(1);
    });
  }

  test.concurrent("RST of a client that does not read closes the body, once", async () => {
    const id = newId();
    const client = await server().connect();
    client.pause();
    client.send(get(`/endless?id=${id}`));
    await settled(async () => (await seen(server(), id)).chunks);
    client.reset();
    const one = await untilSeen(server(), id, ({ closed }) => closed > 0);
    expect(one.closed).toBe(1);
    expect(one.aborted).toBe(1);
  });

  // ---- RFC 9110 §7.8: upgrade ----

  const upgrade = (path: string): string => get(path, "Connection: keep-alive, Upgrade", "Upgrade: other, echo");

  test.concurrent("RFC 9110 §7.8: 101, with bytes sent together with the head, both ways, then FIN", async () => {
    const id = newId();
    const client = await server().connect();
    client.send(`${upgrade(`/upgrade?id=${id}`)}early`);
    const response = await client.response();
    expect(response.status).toBe(101);
    expect(response.field("Upgrade")).toBe("echo");
    expect(response.field("Connection")).toBe("Upgrade");
    expect(await client.until("early")).toBe("welcome\nearly");
    client.send("\x00\xff GET / HTTP/1.1\r\n\r\n.");
    expect(await client.until("\r\n\r\n.")).toBe("\x00\xff GET / HTTP/1.1\r\n\r\n.");
    client.end();
    expect(await client.ended()).toEqual({ ending: "fin", rest: "goodbye\n" });
    expect((await seen(server(), id)).closed).toBe(1);
  });

  test.concurrent("RFC 9110 §7.8: without Connection: Upgrade, and in HTTP/1.0, nothing is offered", async () => {
    const client = await server().connect();
    client.send(get("/upgrade", "Upgrade: echo"));
    expect((await client.response()).text).toBe("no upgrade");
    client.send("GET /upgrade HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    expect((await client.response()).text).toBe("no upgrade");
  });

  test.concurrent("RFC 9110 §7.8: an offer may be ignored", async () => {
    const client = await server().connect();
    client.send(upgrade("/hello") + get("/after"));
    expect((await client.response()).text).toBe("hello");
    expect((await client.response()).status).toBe(200);
  });

  test.concurrent("an upgraded connection that is reset aborts its signal", async () => {
    const id = newId();
    const client = await server().connect();
    client.send(upgrade(`/upgrade?id=${id}`));
    await client.until("welcome\n");
    client.reset();
    await untilSeen(server(), id, ({ aborted }) => aborted === 1);
  });

  test.concurrent("an upgraded connection that the application leaves is closed, though the client stays", async () => {
    const client = await server().connect();
    client.send(upgrade("/upgrade-leave"));
    expect(await client.until("bye\n")).toMatch(/^HTTP\/1\.1 101 /);
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
    await eventually(() => {
      if (!client.socket.destroyed) client.send("x");
      return client.socket.destroyed;
    }, () => "the connection is kept for ever");
  });

  test.concurrent("an application that throws on an upgraded connection ends it", async () => {
    const client = await server().connect();
    client.send(upgrade("/upgrade-throws"));
    expect((await client.response()).status).toBe(101);
    expect((await client.ended()).rest).toBe("");
  });

  test.concurrent("an upgraded connection has back-pressure", async () => {
    const id = newId();
    const client = await server().connect();
    client.send(upgrade(`/upgrade-gated?id=${id}`));
    expect((await client.response()).status).toBe(101);
    const size = 64_000_000;
    const before = client.socket.bytesWritten;
    for (let sent = 0; sent < size; sent += 1_000_000) client.send(new Uint8Array(1_000_000));
    client.end();
    const stalled = await settled(() => taken(client)) - before;
    expect(stalled).toBeLessThan(size / 2);
    await open(server(), id);
    expect(await client.until("\n")).toBe(`${size}\n`);
  });
});

// Each of these has a server of its own, and runs alone, because it looks at the memory.
onEachRuntime("back-pressure", (runtime) => {
  const server = useServer(runtime);
  const newId = (): string => `${runtime.name}-${++ids}`;

  test("clients that read nothing of 50 MB hold no memory, and get all of it when they read", async () => {
    await server().get("/hello");
    const before = server().rss();
    const clients = await Promise.all(Array.from({ length: 10 }, () => server().connect()));
    for (const client of clients) client.pause().send(get("/big", "Connection: close"));
    await settled(() => server().rss());
    // All of it would be 500 MB.
    expect(server().rss() - before).toBeLessThan(100);
    const [first, second, ...others] = clients;
    for (const client of others) client.reset();
    for (const client of [first!, second!]) {
      client.socket.on("data", () => client.discard());
      client.resume();
    }
    for (const client of [first!, second!]) {
      expect((await client.ended()).ending).toBe("fin");
      expect(client.total).toBeGreaterThan(52_428_800);
      expect(client.total).toBeLessThan(52_428_800 + 500);
    }
  });

  test("an endless body is asked for no more than is read", async () => {
    const id = newId();
    const client = await server().connect();
    client.pause().send(get(`/endless?id=${id}`));
    const chunks = await settled(async () => (await seen(server(), id)).chunks);
    expect(chunks).toBeGreaterThan(0);
    // The rest is what both kernels hold.
    expect(chunks * 65_536).toBeLessThan(32_000_000);
    client.reset();
  });

  for (const coding of ["Content-Length", "chunked"]) {
    test(`an upload of 300 MB to an application that does not read holds no memory (${coding})`, async () => {
      const id = newId();
      const size = 300_000_000;
      const piece = new Uint8Array(1_000_000);
      await server().get("/hello");
      const before = server().rss();
      const client = await server().connect();
      const framing = coding === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${size}`;
      client.send(post(`/gated-upload?id=${id}`, framing));
      let sent = 0;
      const more = (): void => {
        while (sent < size) {
          sent += piece.length;
          if (coding === "chunked") client.send(`${piece.length.toString(16)}\r\n`);
          let room = client.socket.write(piece);
          if (coding === "chunked") room = client.socket.write("\r\n");
          if (!room) return;
        }
        if (coding === "chunked" && sent === size) client.send("0\r\n\r\n");
        sent++;
      };
      client.socket.on("drain", more);
      more();
      const stalled = await settled(() => taken(client));
      expect(stalled).toBeLessThan(50_000_000);
      expect(server().rss() - before).toBeLessThan(64);
      await open(server(), id);
      expect((await client.response()).text).toBe(String(size));
      // Read as fast as it comes, it is not gathered either.
      expect(server().rss() - before).toBeLessThan(150);
      client.send(get("/after"));
      expect((await client.response()).status).toBe(200);
    });
  }

  test("pipelined requests of a client that does not read are not read either", async () => {
    const client = await server().connect();
    const before = server().rss();
    const count = 300_000;
    const some = get("/hello").repeat(1000);
    client.pause();
    for (let n = 0; n < count; n += 1000) client.send(some);
    const stalled = await settled(() => taken(client));
    expect(stalled).toBeLessThan(some.length * count / 1000);
    expect(server().rss() - before).toBeLessThan(64);
    client.reset();
    expect((await server().get("/hello")).status).toBe(200);
  });

  test("requests behind one that takes its time wait in the kernel, and are answered", async () => {
    const id = newId();
    const client = await server().connect();
    const before = server().rss();
    const count = 200_000;
    const some = get("/status/204").repeat(1000);
    client.send(get(`/gated?id=${id}`));
    for (let n = 0; n < count; n += 1000) client.send(some);
    client.send(get("/last", "Connection: close"));
    await settled(() => taken(client));
    expect(server().rss() - before).toBeLessThan(64);
    await open(server(), id);
    expect((await client.response()).text).toBe("gated");
    const { rest } = await client.ended();
    expect(rest.split("HTTP/1.1 204 No Content").length - 1).toBe(count);
    expect(rest).toMatch(/"target":"\/last"/);
  });
});

onEachRuntime("what is sent is what arrives", (runtime) => {
  const server = useServer(runtime);

  /** Bytes that differ everywhere, so that nothing that is lost, doubled or overwritten goes unseen. */
  function content(size: number, seed: number): Buffer {
    const bytes = Buffer.alloc(size);
    let state = seed;
    for (let at = 0; at + 4 <= size; at += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      bytes.writeInt32LE(state, at);
    }
    return bytes;
  }

  /** `body` in chunks of very different sizes. */
  function* inChunks(body: Buffer): Generator<Buffer, undefined> {
    for (let at = 0, n = 0; at < body.length; n++) {
      const size = Math.min(body.length - at, [1, 7, 100, 4096, 65_536, 200_000][n % 6]!);
      yield Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), body.subarray(at, at + size), Buffer.from("\r\n")]);
      at += size;
    }
    yield Buffer.from("0\r\n\r\n");
  }

  test("uploads, several at a time", async () => {
    await Promise.all(Array.from({ length: 10 }, async (_, n) => {
      const body = content(1_000_000 + n * 1001, n);
      const client = await server().connect();
      for (let again = 0; again < 2; again++) {
        if (n % 2 === 0) {
          client.send(post("/", `Content-Length: ${body.length}`)).send(body);
        } else {
          client.send(post("/", "Transfer-Encoding: chunked"));
          for (const chunk of inChunks(body)) client.send(chunk);
        }
        const told = JSON.parse((await client.response()).text) as { bodyLength: number; bodySha256: string };
        expect(told.bodyLength).toBe(body.length);
        expect(told.bodySha256).toBe(createHash("sha256").update(body).digest("hex"));
      }
    }));
  });

  for (const path of ["/mirror", "/mirror-stream"]) {
    test(`${path}: an upload that comes back while it goes, to a client that reads late`, async () => {
      const body = content(10_000_000, 7);
      const client = await server().connect();
      client.pause().send(post(path, "Transfer-Encoding: chunked"));
      for (const chunk of inChunks(body)) client.send(chunk);
      const stalled = await settled(() => taken(client));
      expect(stalled).toBeGreaterThan(0);
      client.resume();
      const digest = createHash("sha256").update((await client.response()).body).digest("hex");
      expect(digest).toBe(createHash("sha256").update(body).digest("hex"));
    });
  }

  test("downloads in pieces, to clients that read late or slowly", async () => {
    let wanted = "";
    for (let n = 0, number = 0; n < 3000; n++) {
      const lines = n % 100 === 0 ? 20_000 : n % 10 === 0 ? 500 : 1 + n % 7;
      for (let line = 0; line < lines; line++) wanted += `line ${number++}\n`;
    }
    const digest = createHash("sha256").update(wanted).digest("hex");
    await Promise.all(Array.from({ length: 4 }, async (_, n) => {
      const client = await server().connect();
      if (n > 0) client.pause();
      // In HTTP/1.0 the body is as it is, without framing.
      client.send(n % 2 === 0 ? get("/numbers", "Connection: close") : "GET /numbers HTTP/1.0\r\n\r\n");
      if (n > 0) await sleep(200);
      for (let burst = 0; n > 1 && burst < 20; burst++) {
        client.resume();
        await sleep(1);
        client.pause();
        await sleep(10);
      }
      client.resume();
      const hash = createHash("sha256");
      if (n % 2 === 0) {
        hash.update((await client.response()).body);
      } else {
        await client.until("\r\n\r\n");
        hash.update(Buffer.from((await client.ended()).rest, "latin1"));
      }
      expect(hash.digest("hex")).toBe(digest);
    }));
  });

  test("an application may fill the same array for each chunk", async () => {
    for (const size of [3000, 40_000, 65_536, 70_000, 300_000]) {
      for (const framing of ["length", "chunked"]) {
        const client = await server().connect();
        client.pause().send(get(`/one-array?${framing}&size=${size}`));
        await sleep(200);
        client.resume();
        const { body } = await client.response();
        const wrong: number[] = [];
        for (let at = 0; at < body.length; at += size) {
          if (!body.subarray(at, at + size).equals(Buffer.alloc(size, at / size & 255))) wrong.push(at);
        }
        expect(wrong, `${framing}, ${size}`).toEqual([]);
        client.destroy();
      }
    }
  });

  test("responses to pipelined requests of different kinds, many at a time", async () => {
    await Promise.all(Array.from({ length: 10 }, async () => {
      const client = await server().connect();
      const kinds = ["/kind/bytes", "/kind/string", "/kind/async", "/hello", "/kind/large-chunks", "/kind/stream"];
      const order = Array.from({ length: 60 }, (_, n) => kinds[(n * 7) % kinds.length]!);
      client.send(order.map((path) => get(path)).join(""));
      for (const path of order) {
        const response = await client.response();
        const wanted = {
          "/kind/bytes": "4",
          "/kind/string": "7",
          "/kind/async": "7",
          "/hello": "5",
          "/kind/large-chunks": "400000",
          "/kind/stream": "7",
        };
        expect(`${path} ${response.body.length}`).toBe(`${path} ${wanted[path as keyof typeof wanted]}`);
      }
    }));
  });
});
