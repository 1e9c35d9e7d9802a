// The session's logic without sockets: clocks, back-pressure, and what follows what. test/runtimes/ has the real ones.

import { describe, expect, it, vi } from "vitest";
import type { Application } from "../../src/esgi/application.ts";
import { GET, hello, serve, settle, status, useClock } from "./harness.ts";

useClock();

describe("clocks", () => {
  it("header_timeout: a connection that sends nothing is closed without an answer", async () => {
    const { runtime, pass } = await serve(hello, { header_timeout: 5 });
    const client = runtime.connect();
    pass(4);
    expect(client.ended).toBe(false);
    pass(2);
    expect(client.ended).toBe(true);
    expect(client.received).toBe("");
  });

  it("header_timeout: a head that trickles in gets 408, however busy it looks", async () => {
    const { runtime, pass, refused } = await serve(hello, { header_timeout: 5 });
    const client = runtime.connect();
    for (const character of "GET / HTTP") {
      void client.send(character);
      pass(0.5);
    }
    expect(status(client)).toBe("HTTP/1.1 408");
    expect(client.ended).toBe(true);
    expect(refused).toHaveLength(1);
  });

  it("keepalive: an idle connection is closed after it, and not before", async () => {
    const { runtime, pass } = await serve(hello, { keepalive: 10, header_timeout: 1 });
    const client = runtime.connect();
    void client.send(GET);
    pass(9);
    expect(client.ended).toBe(false);
    void client.send(GET);
    pass(9);
    expect(client.ended).toBe(false);
    pass(2);
    expect(client.ended).toBe(true);
  });

  it("keepalive 0 is no limit, as everywhere", async () => {
    const { runtime, pass } = await serve(hello, { keepalive: 0 });
    const client = runtime.connect();
    void client.send(GET);
    pass(600);
    expect(client.ended).toBe(false);
  });

  it("keepalive: empty lines are no sign of life", async () => {
    const { runtime, pass } = await serve(hello, { keepalive: 10 });
    const client = runtime.connect();
    void client.send(GET);
    for (let i = 0; i < 11; i++) {
      void client.send("\r\n");
      pass(1);
    }
    expect(client.ended).toBe(true);
  });

  it("header_timeout does not run for a request that waits behind a response which is read slowly", async () => {
    const { runtime, pass } = await serve(hello, { header_timeout: 1, write_timeout: 60 });
    const client = runtime.connect();
    client.stalled = true;
    void client.send(GET);
    void client.send(GET);
    pass(5);
    expect(client.ended).toBe(false);
    client.drain();
    await settle();
    expect(client.received.match(/hello/g)).toHaveLength(2);
  });

  it("body_timeout: the rest of a body that nobody reads may not trickle in for ever", async () => {
    const { runtime, pass } = await serve(hello, { body_timeout: 5 });
    const client = runtime.connect();
    void client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    expect(client.received).toContain("hello");
    for (let i = 0; i < 6; i++) {
      void client.send("a");
      pass(1);
    }
    expect(client.closed).toBe(true);
  });

  it("body_timeout: a body that stops gets 408 while the application waits for it", async () => {
    const { runtime, pass } = await serve(async (environ, startResponse) => {
      const body = await environ["esgi.input"].text();
      startResponse("200 OK", []);
      return body;
    }, { body_timeout: 5 });
    const client = runtime.connect();
    void client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    await settle();
    pass(4);
    void client.send("a");
    await settle();
    pass(4);
    expect(client.received).toBe("");
    pass(2);
    await settle();
    expect(status(client)).toBe("HTTP/1.1 408");
    expect(client.ended).toBe(true);
  });

  it("body_timeout does not run while the application is busy with something else", async () => {
    let answer = (): void => {};
    const { runtime, pass } = await serve(async (_environ, startResponse) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      startResponse("200 OK", []);
      return "late";
    }, { body_timeout: 1, header_timeout: 1, keepalive: 1 });
    const client = runtime.connect();
    void client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    pass(60);
    expect(client.closed).toBe(false);
    answer();
    await settle();
    expect(status(client)).toBe("HTTP/1.1 200");
  });

  it("write_timeout: a client that reads nothing is given up, and the body closed", async () => {
    let closed = 0;
    const body = {
      *[Symbol.iterator]() {
        for (;;) yield new Uint8Array(65_536);
      },
      close() {
        closed++;
      },
    };
    const { runtime, pass } = await serve((_environ, startResponse) => {
      startResponse("200 OK", []);
      return body;
    }, { write_timeout: 5 });
    const client = runtime.connect();
    client.stalled = true;
    void client.send(GET);
    const before = client.received.length;
    pass(4);
    expect(client.closed).toBe(false);
    expect(client.received.length).toBe(before);
    pass(2);
    await settle();
    expect(client.closed).toBe(true);
    expect(closed).toBe(1);
  });

  it("a last response is waited for, but not for ever", async () => {
    const { runtime, pass } = await serve(hello);
    const client = runtime.connect();
    void client.send("nonsense\r\n");
    expect(status(client)).toBe("HTTP/1.1 400");
    expect(client.ended).toBe(true);
    expect(client.closed).toBe(false);
    pass(6);
    expect(client.closed).toBe(true);
  });
});

describe("HEAD (RFC 9110 §9.3.2)", () => {
  const head = async (application: Application): Promise<string> => {
    const client = (await serve(application)).runtime.connect();
    void client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    return client.received;
  };

  it("has the Content-Length of the body that the application returned, and no body", async () => {
    const received = await head(hello);
    expect(received).toContain("Content-Length: 5\r\n");
    expect(received).toMatch(/\r\n\r\n$/);
  });

  it("has the Content-Length that was declared, and none where nobody told it", async () => {
    expect(
      await head((_environ, startResponse) => {
        startResponse("200 OK", [["Content-Length", "7"]]);
        return null;
      }),
    ).toContain("Content-Length: 7\r\n");
    expect(
      await head((_environ, startResponse) => {
        startResponse("200 OK", []);
        return null;
      }),
    ).not.toContain("Content-Length");
  });
});

describe("pipelining", () => {
  it("answers in order and in one write when the application is synchronous", async () => {
    const { runtime } = await serve((environ, startResponse) => {
      startResponse("200 OK", []);
      return environ.PATH_INFO;
    });
    const client = runtime.connect();
    void client.send(["/a", "/b", "/c"].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
    expect(client.received.match(/\/[abc]$|\/[abc](?=HTTP)/g)).toEqual(["/a", "/b", "/c"]);
  });

  it("a client that reads nothing gets no further request handled", async () => {
    let calls = 0;
    const { runtime } = await serve((_environ, startResponse) => {
      calls++;
      startResponse("200 OK", []);
      return new Uint8Array(100_000);
    });
    const client = runtime.connect();
    client.stalled = true;
    void client.send(GET.repeat(50));
    expect(calls).toBe(1);
    client.drain();
    await settle();
    expect(calls).toBe(50);
  });
});

describe("back-pressure of the request body", () => {
  it("reading stops at the bound and goes on as the application reads", async () => {
    let read = (): Promise<Uint8Array> => Promise.reject(new Error("not yet called"));
    let total = 0;
    const { runtime } = await serve(async (environ, startResponse) => {
      const input = environ["esgi.input"];
      await new Promise<void>((done) => {
        read = async () => {
          const chunk = await input.read();
          total += chunk.length;
          if (chunk.length === 0) done();
          return chunk;
        };
      });
      startResponse("200 OK", []);
      return String(total);
    });
    const client = runtime.connect();
    void client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    let sent = 0;
    let stopped = false;
    const upload = (async () => {
      for (; sent < 1_000_000; sent += 10_000) await client.send(new Uint8Array(10_000));
      stopped = true;
    })();
    await settle();
    expect(sent).toBeLessThan(200_000);
    for (let i = 0; i < 500 && total < 1_000_000; i++) {
      await read();
      await settle();
    }
    await read();
    await upload;
    await settle();
    expect(stopped).toBe(true);
    expect(client.received).toMatch(/\r\n\r\n1000000$/);
  });
});

describe("a client that resets its connection before the application reads", () => {
  async function readAfterReset(body: string): Promise<string> {
    let go: (() => void) | undefined;
    let told: Promise<string> | undefined;
    const waiting = new Promise<void>((resolve) => go = resolve);
    const { runtime } = await serve((environ, startResponse) => {
      const read = async (): Promise<string> => {
        await waiting;
        const { aborted } = environ["esgi.signal"];
        return await environ["esgi.input"].text().then((text) => `${aborted} ${text}`, String);
      };
      told = read();
      return told.then(() => hello(environ, startResponse));
    });
    const client = runtime.connect();
    void client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n${body}`);
    client.reset();
    await settle();
    go!();
    return await told!;
  }

  it("has sent a body that is complete: it can be read", async () => {
    expect(await readAfterReset("hello")).toBe("true hello");
  });

  it("has not sent all of it: reading fails", async () => {
    expect(await readAfterReset("hell")).toContain("the client left before its request was complete");
  });
});

describe("back-pressure of the response body", () => {
  it("write_timeout does not cut a client that reads a large chunk slowly", async () => {
    const { runtime, pass } = await serve((_environ, startResponse) => {
      startResponse("200 OK", []);
      return (function* () {
        yield new Uint8Array(1_000_000);
      })();
    }, { write_timeout: 5 });
    const client = runtime.connect();
    client.stalled = true;
    void client.send(GET);
    for (let i = 0; i < 40 && !client.received.endsWith("\r\n0\r\n\r\n"); i++) {
      pass(4);
      client.drain();
      client.stalled = true;
      await settle();
    }
    expect(client.closed).toBe(false);
    expect(client.received.length).toBeGreaterThan(1_000_000);
    expect(client.received).toMatch(/\r\n0\r\n\r\n$/);
  });

  it("an application may fill the same array for its next response", async () => {
    const shared = new Uint8Array(3);
    const { runtime } = await serve((environ, startResponse) => {
      startResponse("200 OK", []);
      shared.fill(environ.PATH_INFO.charCodeAt(1));
      return shared;
    });
    const client = runtime.connect();
    void client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(client.received).toMatch(/aaaHTTP.*bbb$/s);
  });
});

describe.each([true, false])("a connection that prefers text: %s", (prefersText) => {
  it("gets text, and bytes of all values, as they are and in their order", async () => {
    const { server } = await serve((environ, startResponse) => {
      startResponse("200 OK", []);
      if (environ.PATH_INFO === "/text") return "中é";
      if (environ.PATH_INFO === "/ascii") return "a";
      if (environ.PATH_INFO === "/large") return new Uint8Array(5000).fill(200);
      return Uint8Array.from({ length: 256 }, (_, i) => i);
    });
    const written: (string | null)[] = [];
    const endpoint = { address: "192.0.2.1", port: 1 };
    const session = server.accept({
      remote: endpoint,
      local: endpoint,
      tls: null,
      prefersText,
      write: (head, body) => void written.push(head, body === null ? null : Buffer.from(body).toString("latin1")),
      end: () => {},
      destroy: () => {},
    });
    const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
    const bodies = {
      "/bytes": all,
      "/text": Buffer.from("中é").toString("latin1"),
      "/ascii": "a",
      "/large": "\xc8".repeat(5000),
    };
    const orders = [
      [1, ["/bytes"]],
      [1, ["/text"]],
      [1, ["/large"]],
      [1, ["/text", "/bytes", "/ascii", "/bytes", "/text"]],
      [2, ["/bytes", "/large", "/bytes"]],
      [2, ["/large", "/large"]],
    ] as const;
    for (const [writes, order] of orders) {
      written.length = 0;
      const requests = order.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join("");
      void session.receive(Buffer.from(requests));
      await vi.waitFor(() => expect(written.length).toBe(2 * writes));
      const wanted = order.map((path) => `\r\nContent-Length: ${bodies[path].length}\r\n\r\n${bodies[path]}`);
      expect(written.join("").split(/HTTP\/1\.1 200 OK\r\nDate: [^\r]*/)).toEqual(["", ...wanted]);
      const last = order.at(-1)!;
      expect(written.at(-1)).toBe(prefersText && last !== "/large" ? null : bodies[last]);
    }
  });
});

describe("a connection that holds what it was given, as one does whose peer is slow", () => {
  it.each([3, 5000, 60_000])(
    "sends what the application returned, whatever becomes of its array: %d bytes",
    async (size) => {
      const shared = new Uint8Array(size);
      const { server } = await serve((environ, startResponse) => {
        startResponse("200 OK", []);
        shared.fill(environ.PATH_INFO.charCodeAt(1));
        return shared;
      });
      const held: (string | Uint8Array | null)[] = [];
      const endpoint = { address: "192.0.2.1", port: 1 };
      const session = server.accept({
        remote: endpoint,
        local: endpoint,
        tls: null,
        write: (head, body) => void held.push(head, body),
        end: () => {},
        destroy: () => {},
      });
      for (const path of ["/a", "/b"]) {
        session.receive(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`));
      }
      const sent = held.map((part) =>
        typeof part === "string" || part === null ? part ?? "" : String.fromCharCode(...part)
      );
      expect(sent.join("")).toContain("a".repeat(size));
      expect(sent.join("")).toContain("b".repeat(size));
      session.closed();
    },
  );
});

describe("drain", () => {
  it("closes idle connections, answers the others with Connection: close, and resolves", async () => {
    let answer = (): void => {};
    const { runtime, server } = await serve(async (_environ, startResponse) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      startResponse("200 OK", []);
      return "late";
    });
    const fresh = runtime.connect();
    const busy = runtime.connect();
    void busy.send(GET);
    const drained = server.drain();
    await settle();
    await vi.advanceTimersByTimeAsync(100);
    expect(fresh.ended).toBe(true);
    expect(busy.ended).toBe(false);
    expect(() => runtime.connect()).toThrow("refused");
    answer();
    await settle();
    expect(busy.received).toContain("Connection: close");
    fresh.end();
    busy.end();
    await drained;
    expect(server.connections).toBe(0);
  });

  it("cuts what is left after graceful_timeout", async () => {
    const { runtime, server } = await serve(() => new Promise(() => {}), { graceful_timeout: 3 });
    const client = runtime.connect();
    void client.send(GET);
    const drained = server.drain();
    await vi.advanceTimersByTimeAsync(2900);
    expect(client.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    await drained;
    expect(client.closed).toBe(true);
  });
});

describe("faults of the application", () => {
  it("a throw is 500, tells nothing of itself, and the connection goes on", async () => {
    const { runtime, faults } = await serve((environ, startResponse) => {
      if (environ.PATH_INFO === "/bad") throw new Error("secret");
      return hello(environ, startResponse);
    });
    const client = runtime.connect();
    void client.send("GET /bad HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(status(client)).toBe("HTTP/1.1 500");
    expect(client.received).not.toContain("secret");
    expect(faults).toHaveLength(1);
    void client.send(GET);
    expect(client.received).toContain("hello");
  });

  it("too few bytes close the connection, too many are cut, and both are reported", async () => {
    const { runtime, faults } = await serve((environ, startResponse) => {
      startResponse("200 OK", [["Content-Length", "4"]]);
      return environ.PATH_INFO === "/few" ? "ab" : "abcdef";
    });
    const many = runtime.connect();
    void many.send(GET);
    expect(many.received).toMatch(/\r\n\r\nabcd$/);
    expect(many.ended).toBe(false);
    const few = runtime.connect();
    void few.send("GET /few HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(few.received).toMatch(/\r\n\r\nab$/);
    expect(few.ended).toBe(true);
    expect(faults).toHaveLength(2);
  });

  it("an informational status is no answer: 500", async () => {
    const { runtime, faults } = await serve((_environ, startResponse) => {
      startResponse("100 Continue", []);
      return null;
    });
    const client = runtime.connect();
    void client.send(GET);
    expect(status(client)).toBe("HTTP/1.1 500");
    expect(faults).toHaveLength(1);
  });

  it("a body that fails after its head cuts the connection, so that nobody takes it for whole", async () => {
    const { runtime, faults } = await serve((_environ, startResponse) => {
      startResponse("200 OK", []);
      return (function* () {
        yield "a";
        throw new Error("broken");
      })();
    });
    const client = runtime.connect();
    void client.send(GET);
    expect(client.received).not.toContain("\r\n0\r\n");
    expect(client.closed).toBe(true);
    expect(faults).toHaveLength(1);
  });
});
