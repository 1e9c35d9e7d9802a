// What bounds a server's load, and how it ends without losing a request: limits of time and number, the queue, the drain,
// and what a master asks of a worker. test/runtimes/load.test.ts has real sockets.

import { describe, expect, it, vi } from "vitest";
import type { Application, StartResponse } from "../../src/esgi/application.ts";
import type { Body } from "../../src/esgi/body.ts";
import type { Environ } from "../../src/esgi/environ.ts";
import { GET, hello, serve, settle, status, useClock } from "./harness.ts";

useClock();

const get = (path: string, method = "GET"): string => `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Each call waits until the test answers it, by path. */
function gated(): {
  readonly application: Application;
  /** Paths, in the order of the calls. */
  readonly calls: string[];
  readonly environs: Environ[];
  readonly answer: (path: string, body?: Body) => Promise<void>;
} {
  const calls: string[] = [];
  const environs: Environ[] = [];
  const gates = new Map<string, (body: Body) => void>();
  return {
    calls,
    environs,
    application: async (environ, startResponse) => {
      const path = environ.PATH_INFO;
      calls.push(path);
      environs.push(environ);
      const body = await new Promise<Body>((resolve) => gates.set(path, resolve));
      startResponse("200 OK", []);
      return body;
    },
    answer: async (path, body = `answer to ${path}`) => {
      gates.get(path)!(body);
      await settle();
    },
  };
}

describe("request_timeout", () => {
  it("answers 504 for an application that does not, aborts its signal, and says which request it was", async () => {
    const { application, environs, answer } = gated();
    const { runtime, server, pass, notices, refused, faults } = await serve(application, { request_timeout: 10 });
    const client = runtime.connect();
    void client.send(get("/slow?a=b"));
    const signal = environs[0]!["esgi.signal"];
    pass(9);
    expect(client.received).toBe("");
    expect(signal.aborted).toBe(false);
    expect(server.inFlight).toBe(1);
    pass(1);
    expect(status(client)).toBe("HTTP/1.1 504");
    expect(client.received).toContain("Connection: close\r\n");
    expect(client.ended).toBe(true);
    expect((signal.reason as DOMException).name).toBe("TimeoutError");
    expect(server.inFlight).toBe(0);
    expect(notices).toEqual([{ level: "warning", message: expect.stringMatching(/^GET \/slow\?a=b: .*10\.\d s/) }]);
    expect(refused).toEqual([]);

    const received = client.received;
    await answer("/slow");
    expect(client.received).toBe(received);
    expect(faults).toEqual([]);
  });

  it("is told to a signal that is asked for only later", async () => {
    const { application, environs } = gated();
    const { runtime, pass } = await serve(application, { request_timeout: 1 });
    Object.assign(runtime, { cheapSignals: false });
    void runtime.connect().send(GET);
    pass(2);
    expect((environs[0]!["esgi.signal"].reason as DOMException).name).toBe("TimeoutError");
  });

  it("closes the body that comes too late, and the one that was begun", async () => {
    let late = 0;
    let begun = 0;
    const { application, answer } = gated();
    const { runtime, pass } = await serve((environ, startResponse) => {
      if (environ.PATH_INFO === "/late") return application(environ, startResponse);
      startResponse("200 OK", []);
      return {
        [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }),
        close: () => void begun++,
      } as AsyncIterable<string>;
    }, { request_timeout: 1 });
    const clients = ["/late", "/begun"].map((path) => {
      const client = runtime.connect();
      void client.send(get(path));
      return client;
    });
    pass(2);
    expect(clients.map(status)).toEqual(["HTTP/1.1 504", "HTTP/1.1 504"]);
    expect(begun).toBe(1);
    await answer("/late", Object.assign(["never seen"], { close: () => void late++ }));
    expect([late, begun]).toEqual([1, 1]);
  });

  it("ignores what the application throws or starts afterwards", async () => {
    let start!: StartResponse;
    let fail!: (error: Error) => void;
    const { runtime, pass, faults } = await serve((_environ, startResponse) => {
      start = startResponse;
      return new Promise((_resolve, reject) => fail = reject);
    }, { request_timeout: 1 });
    const client = runtime.connect();
    void client.send(GET);
    pass(2);
    const received = client.received;
    expect(() => start("200 OK", [])).not.toThrow();
    fail(new Error("too late"));
    await settle();
    expect(client.received).toBe(received);
    expect(faults).toEqual([]);
  });

  it("fails a body that the application still reads", async () => {
    let caught: unknown;
    const { runtime, pass } = await serve(async (environ, startResponse) => {
      await environ["esgi.input"].bytes().catch((error: unknown) => caught = error);
      startResponse("200 OK", []);
      return "late";
    }, { request_timeout: 1, body_timeout: 60 });
    const client = runtime.connect();
    void client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
    pass(2);
    await settle();
    expect(status(client)).toBe("HTTP/1.1 504");
    expect(caught).toMatchObject({ name: "InputError", fault: "timeout" });
    expect(client.received).not.toContain("late");
  });

  it("does not count once the head is sent", async () => {
    let next!: () => void;
    const { runtime, pass } = await serve(async function* (_environ, startResponse) {
      startResponse("200 OK", []);
      yield "first";
      await new Promise<void>((resolve) => next = resolve);
      yield "second";
    } as Application, { request_timeout: 1 });
    const client = runtime.connect();
    void client.send(GET);
    await settle();
    pass(60);
    next();
    await settle();
    expect(client.received).toMatch(/first[^]*second[^]*0\r\n\r\n$/);
  });

  it("0 is no limit", async () => {
    const { application, answer } = gated();
    const { runtime, pass } = await serve(application, { request_timeout: 0 });
    const client = runtime.connect();
    void client.send(GET);
    pass(3600);
    await answer("/");
    expect(status(client)).toBe("HTTP/1.1 200");
  });

  it("RFC 9110 §9.3.2: HEAD gets the fields of 504 and no content", async () => {
    const { runtime, pass } = await serve(() => new Promise(() => {}), { request_timeout: 1 });
    const client = runtime.connect();
    void client.send(get("/", "HEAD"));
    pass(2);
    expect(client.received).toMatch(/^HTTP\/1\.1 504 Gateway Timeout\r\n[^]*Content-Length: [1-9][^]*\r\n\r\n$/);
    expect(client.received.indexOf("\r\n\r\n")).toBe(client.received.length - 4);
  });

  it("is 504 in the access log, with the time it took and the bytes of its content", async () => {
    const { runtime, events, pass } = await serve(() => new Promise(() => {}), { request_timeout: 1 });
    const requests: [number, number, number][] = [];
    events.on("request", ({ status, duration, bytes }) => requests.push([status, duration, bytes]));
    runtime.tick();
    const client = runtime.connect();
    void client.send(GET);
    void runtime.connect().send(get("/", "HEAD"));
    pass(2);
    const length = Number(/Content-Length: (\d+)/.exec(client.received)![1]);
    expect(requests).toEqual([[504, expect.any(Number), length], [504, expect.any(Number), 0]]);
    expect(requests[0]![1]).toBeGreaterThanOrEqual(1000);
  });
});

describe("limit_concurrency", () => {
  it("runs no more at once, and the others in the order in which they came", async () => {
    const { application, calls, answer } = gated();
    const { runtime, server } = await serve(application, { limit_concurrency: 2 });
    const clients = ["/1", "/2", "/3", "/4"].map((path) => {
      const client = runtime.connect();
      void client.send(get(path));
      return client;
    });
    expect(calls).toEqual(["/1", "/2"]);
    expect([server.inFlight, server.queued, server.requests]).toEqual([2, 2, 2]);
    await answer("/2");
    expect(calls).toEqual(["/1", "/2", "/3"]);
    await answer("/1");
    expect([server.inFlight, server.queued]).toEqual([2, 0]);
    await answer("/4");
    await answer("/3");
    for (const [index, client] of clients.entries()) {
      expect(client.received).toMatch(new RegExp(`^HTTP/1\\.1 200 [^]*answer to /${index + 1}$`));
      expect(client.ended).toBe(false);
    }
    expect([server.inFlight, server.queued, server.requests]).toEqual([0, 0, 4]);
  });

  it("pipelined requests take their turns behind those of others", async () => {
    const { application, calls, answer } = gated();
    const { runtime } = await serve(application, { limit_concurrency: 1 });
    const greedy = runtime.connect();
    void greedy.send(get("/1") + get("/2"));
    const other = runtime.connect();
    void other.send(get("/other"));
    await answer("/1");
    expect(calls).toEqual(["/1", "/other"]);
    await answer("/other");
    await answer("/2");
    expect(greedy.received).toMatch(/answer to \/1HTTP[^]*answer to \/2$/);
  });

  it("pipelined requests do so too when the application answers at once", async () => {
    const { application, answer } = gated();
    const calls: string[] = [];
    const { runtime } = await serve((environ, startResponse) => {
      if (environ.PATH_INFO === "/gate") return application(environ, startResponse);
      calls.push(environ.PATH_INFO);
      return hello(environ, startResponse);
    }, { limit_concurrency: 1 });
    void runtime.connect().send(get("/gate"));
    void runtime.connect().send(get("/1") + get("/2"));
    void runtime.connect().send(get("/other"));
    await answer("/gate");
    expect(calls).toEqual(["/1", "/other", "/2"]);
  });

  it("ten thousand that end at once do not become a chain of calls", async () => {
    const { application, answer } = gated();
    const { runtime, server } = await serve(
      (environ, startResponse) =>
        environ.PATH_INFO === "/gate" ? application(environ, startResponse) : hello(environ, startResponse),
      { limit_concurrency: 1, worker_connections: 0 },
    );
    void runtime.connect().send(get("/gate"));
    const clients = Array.from({ length: 10_000 }, () => runtime.connect());
    for (const client of clients) void client.send(GET);
    expect(server.queued).toBe(10_000);
    await answer("/gate");
    expect(clients.filter((client) => client.received.endsWith("hello"))).toHaveLength(10_000);
    expect(server.queued).toBe(0);
  });

  it("a body waits with its request, read up to the usual bound", async () => {
    const { application, answer } = gated();
    const { runtime } = await serve(async (environ, startResponse) => {
      if (environ.PATH_INFO === "/gate") return await application(environ, startResponse);
      const body = await environ["esgi.input"].bytes();
      startResponse("200 OK", []);
      return String(body.length);
    }, { limit_concurrency: 1 });
    void runtime.connect().send(get("/gate"));
    const client = runtime.connect();
    void client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    let taken = 0;
    const upload = (async () => {
      for (; taken < 200_000; taken += 10_000) await client.send(new Uint8Array(10_000));
    })();
    await settle();
    expect(taken).toBeLessThan(150_000);
    await answer("/gate");
    await upload;
    await settle();
    expect(client.received).toMatch(/\r\n\r\n200000$/);
  });

  it("queue_timeout: 503 with Retry-After, and the application never hears of it", async () => {
    const { application, calls, answer } = gated();
    const { runtime, server, pass, refused } = await serve(application, { limit_concurrency: 1, queue_timeout: 5 });
    void runtime.connect().send(get("/gate"));
    const client = runtime.connect();
    void client.send(get("/waits"));
    pass(4);
    expect(client.received).toBe("");
    pass(1);
    expect(status(client)).toBe("HTTP/1.1 503");
    expect(client.received).toContain("Retry-After: 1\r\n");
    expect(client.received).toContain("Connection: close\r\n");
    expect(client.ended).toBe(true);
    expect(refused).toMatchObject([{ status: 503 }]);
    expect([server.inFlight, server.queued]).toEqual([1, 0]);
    await answer("/gate");
    expect(calls).toEqual(["/gate"]);
  });

  it("queue_timeout 0 is no limit", async () => {
    const { application, answer } = gated();
    const { runtime, pass } = await serve(application, { limit_concurrency: 1, queue_timeout: 0 });
    void runtime.connect().send(get("/gate"));
    const client = runtime.connect();
    void client.send(get("/waits"));
    pass(3600);
    await answer("/gate");
    await answer("/waits");
    expect(client.received).toMatch(/answer to \/waits$/);
  });

  it.each(["FIN", "RST"] as const)("a client that leaves by %s while it waits is not run", async (how) => {
    const { application, calls, answer } = gated();
    const { runtime, server } = await serve(application, { limit_concurrency: 1 });
    void runtime.connect().send(get("/gate"));
    const leaver = runtime.connect();
    void leaver.send(get("/leaver"));
    const other = runtime.connect();
    void other.send(get("/other"));
    if (how === "FIN") leaver.end();
    else leaver.reset();
    await settle();
    expect(server.queued).toBe(1);
    expect(leaver.closed).toBe(true);
    // Who has only ended its side can still read what became of its request.
    expect(status(leaver)).toBe(how === "FIN" ? "HTTP/1.1 503" : "");
    await answer("/gate");
    expect(calls).toEqual(["/gate", "/other"]);
  });

  it("a pipelined request whose client has ended its side runs at once or not at all", async () => {
    const { application, calls, answer } = gated();
    const { runtime } = await serve(application, { limit_concurrency: 1 });
    const client = runtime.connect();
    void client.send(get("/1") + get("/2"));
    void runtime.connect().send(get("/other"));
    client.end();
    await answer("/1");
    expect(calls).toEqual(["/1", "/other"]);
    expect(client.received).toMatch(/answer to \/1HTTP\/1\.1 503/);
    expect(client.closed).toBe(true);
  });

  it("a place is free when the client has left, and when request_timeout has answered", async () => {
    const { application, calls } = gated();
    const { runtime, server, pass } = await serve(application, { limit_concurrency: 1, request_timeout: 2 });
    const first = runtime.connect();
    void first.send(get("/1"));
    void runtime.connect().send(get("/2"));
    void runtime.connect().send(get("/3"));
    first.reset();
    await settle();
    expect(calls).toEqual(["/1", "/2"]);
    pass(2.5);
    expect(calls).toEqual(["/1", "/2", "/3"]);
    expect([server.inFlight, server.queued]).toEqual([1, 0]);
  });

  it("request_timeout does not count the time in the queue", async () => {
    const { application, answer } = gated();
    const { runtime, pass } = await serve(application, {
      limit_concurrency: 1,
      request_timeout: 3,
      queue_timeout: 10,
    });
    void runtime.connect().send(get("/gate"));
    const client = runtime.connect();
    pass(1);
    void client.send(get("/waits"));
    pass(2.5);
    pass(1.5);
    expect(client.received).toBe("");
    await answer("/waits");
    expect(status(client)).toBe("HTTP/1.1 200");
  });

  it("a connection that was upgraded takes no place", async () => {
    const { runtime, server } = await serve((environ, startResponse) => {
      if (environ["esgi.upgrade"] === undefined) return hello(environ, startResponse);
      startResponse("101 Switching Protocols", [["Upgrade", "x"]]);
      return () => new Promise<void>(() => {});
    }, { limit_concurrency: 1 });
    const upgraded = runtime.connect();
    void upgraded.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    expect(status(upgraded)).toBe("HTTP/1.1 101");
    expect(server.inFlight).toBe(0);
    const client = runtime.connect();
    void client.send(GET);
    expect(client.received).toMatch(/hello$/);
  });

  it("each way in which an exchange ends frees its place once", async () => {
    const { runtime, server } = await serve(async (environ, startResponse) => {
      switch (environ.PATH_INFO) {
        case "/throws":
          throw new Error("broken");
        case "/reads":
          await environ["esgi.input"].bytes();
          break;
        case "/breaks":
          startResponse("200 OK", []);
          return (function* () {
            yield "a";
            throw new Error("broken");
          })();
      }
      return hello(environ, startResponse);
    }, { limit_concurrency: 1, limit_request_body: 10 });
    const post = (path: string, body: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n${body}`;
    const malformed = "POST /reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n";
    const requests = [
      GET,
      get("/throws"),
      get("/breaks"),
      post("/", "hello"),
      post("/unread", "h"),
      malformed,
      "nonsense\r\n",
    ];
    for (const text of requests) {
      const client = runtime.connect();
      void client.send(text);
      await settle();
      expect(client.received).not.toBe("");
      expect([server.inFlight, server.queued]).toEqual([0, 0]);
    }
    const broken = runtime.connect();
    void broken.send(post("/reads", "hel"));
    expect(server.inFlight).toBe(1);
    broken.end();
    await settle();
    expect(status(broken)).toBe("HTTP/1.1 400");
    expect([server.inFlight, server.queued, server.requests]).toEqual([0, 0, 7]);
  });
});

describe("drain with grace", () => {
  it("serves a further request on each connection that is idle or new, and closes the others after it", async () => {
    const { runtime, server, notices } = await serve(hello, { graceful_timeout: 5 });
    const kept = runtime.connect();
    void kept.send(GET);
    const idle = runtime.connect();
    void idle.send(GET);
    const fresh = runtime.connect();
    const silent = runtime.connect();
    const drained = server.drain({ grace: 3 });
    await vi.advanceTimersByTimeAsync(2900);
    expect(() => runtime.connect()).toThrow("refused");
    expect([kept, idle, fresh, silent].map((client) => client.ended)).toEqual([false, false, false, false]);
    kept.received = "";
    void kept.send(GET);
    void fresh.send(GET);
    for (const client of [kept, fresh]) {
      expect(client.received).toMatch(/^HTTP\/1\.1 200[^]*Connection: close\r\n[^]*hello$/);
      expect(client.ended).toBe(true);
    }
    await vi.advanceTimersByTimeAsync(200);
    expect(idle.ended).toBe(true);
    expect(silent.ended).toBe(true);
    expect(silent.received).toBe("");
    for (const client of [kept, idle, fresh, silent]) client.end();
    await drained;
    expect(server.connections).toBe(0);
    // Nothing is left that could keep the process alive.
    expect(vi.getTimerCount()).toBe(0);
    expect(notices).toEqual([]);
  });

  it("gives a new connection a second for its first request, however short the grace is for the others", async () => {
    const { runtime, server } = await serve(hello);
    const [idle, fresh, silent] = [runtime.connect(), runtime.connect(), runtime.connect()];
    void idle.send(GET);
    const drained = server.drain({ grace: 0.1 });
    await vi.advanceTimersByTimeAsync(900);
    expect([idle, fresh, silent].map((client) => client.ended)).toEqual([true, false, false]);
    void fresh.send(GET);
    expect(fresh.received).toMatch(/^HTTP\/1\.1 200[^]*Connection: close\r\n[^]*hello$/);
    await vi.advanceTimersByTimeAsync(200);
    expect([silent.ended, silent.received]).toEqual([true, ""]);
    for (const client of [idle, fresh, silent]) client.end();
    await drained;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("asked again without grace, a new connection is closed at once, too", async () => {
    const { runtime, server } = await serve(hello);
    const silent = runtime.connect();
    const drained = server.drain({ grace: 0.1 });
    await vi.advanceTimersByTimeAsync(300);
    expect(silent.ended).toBe(false);
    void server.drain();
    await vi.advanceTimersByTimeAsync(100);
    expect(silent.ended).toBe(true);
    silent.end();
    await drained;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("a connection that was told to live on before the drain may still send its next request", async () => {
    let last!: () => void;
    const { runtime, server } = await serve(async function* (_environ, startResponse) {
      startResponse("200 OK", []);
      yield "first";
      await new Promise<void>((resolve) => last = resolve);
    } as Application);
    const client = runtime.connect();
    void client.send(GET);
    await settle();
    void server.drain({ grace: 3 });
    await vi.advanceTimersByTimeAsync(100);
    last();
    await settle();
    expect(client.received).toMatch(/0\r\n\r\n$/);
    expect(client.ended).toBe(false);
    client.received = "";
    void client.send(GET);
    await settle();
    expect(client.received).toContain("Connection: close\r\n");
  });

  it("resolves as soon as nobody is connected", async () => {
    const { runtime, server } = await serve(hello);
    const client = runtime.connect();
    void client.send(GET);
    const drained = server.drain({ grace: 3600 });
    client.reset();
    await vi.advanceTimersByTimeAsync(100);
    await drained;
    expect(server.connections).toBe(0);
  });

  it("with TLS it waits for connections that shake hands, of which it is not told yet", async () => {
    const { server } = await serve(hello);
    const bind = { kind: "tcp", host: "192.0.2.2", port: 443 } as const;
    await server.listen(bind, { backlog: 1, tls: { cert: "", key: "" } });
    let over = false;
    const drained = server.drain({ grace: 3 }).then(() => over = true);
    await vi.advanceTimersByTimeAsync(2000);
    expect(over).toBe(false);
    let sent = "";
    const endpoint = { address: "192.0.2.1", port: 1 };
    const session = server.accept({
      remote: endpoint,
      local: endpoint,
      tls: {},
      write: (head) => void (sent += head),
      end: () => session.closed(),
      destroy: () => {},
    });
    session.receive(new TextEncoder().encode(GET));
    expect(sent).toMatch(/Connection: close\r\n[^]*hello$/);
    await vi.advanceTimersByTimeAsync(1100);
    await drained;
    expect(server.connections).toBe(0);
  });

  it("graceful_timeout counts from the end of the grace", async () => {
    const { runtime, server, notices } = await serve(() => new Promise(() => {}), { graceful_timeout: 3 });
    const client = runtime.connect();
    void client.send(GET);
    const drained = server.drain({ grace: 2 });
    await vi.advanceTimersByTimeAsync(4900);
    expect(client.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    await drained;
    expect(client.closed).toBe(true);
    expect(notices).toMatchObject([{ level: "warning", message: expect.stringContaining("graceful_timeout") }]);
  });

  it("asked again without grace, idle connections are closed at once, and both calls resolve", async () => {
    const { runtime, server } = await serve(hello);
    const client = runtime.connect();
    void client.send(GET);
    const first = server.drain({ grace: 3600 });
    await vi.advanceTimersByTimeAsync(100);
    expect(client.ended).toBe(false);
    const second = server.drain();
    await vi.advanceTimersByTimeAsync(100);
    expect(client.ended).toBe(true);
    client.end();
    await Promise.all([first, second]);
    expect(server.connections).toBe(0);
  });

  it("requests that wait for their turn still get it", async () => {
    const { application, answer } = gated();
    const { runtime, server } = await serve(application, { limit_concurrency: 1 });
    const clients = ["/1", "/2"].map((path) => {
      const client = runtime.connect();
      void client.send(get(path));
      return client;
    });
    const drained = server.drain();
    await vi.advanceTimersByTimeAsync(100);
    await answer("/1");
    await answer("/2");
    for (const client of clients) {
      expect(client.received).toMatch(/Connection: close\r\n[^]*answer/);
      client.end();
    }
    await drained;
    expect(server.queued).toBe(0);
  });
});

describe("what a master asks of a worker", () => {
  it("hold: no new connections, those that are there live on, and listen makes it accept again", async () => {
    const { runtime, server } = await serve(hello);
    const client = runtime.connect();
    await server.hold();
    expect(() => runtime.connect()).toThrow("refused");
    void client.send(GET);
    expect(client.received).toMatch(/hello$/);
    expect(client.received).not.toContain("Connection: close");
    await server.listen({ kind: "tcp", host: "192.0.2.2", port: 80 }, { backlog: 1 });
    const next = runtime.connect();
    void next.send(GET);
    expect(next.received).toMatch(/hello$/);
  });

  it("a listener that is made while the server is told to end does not stay", async () => {
    const { runtime, server } = await serve(hello);
    let made!: () => void;
    let closed = 0;
    const bind = { kind: "tcp", host: "192.0.2.2", port: 81 } as const;
    runtime.listen = () =>
      new Promise((resolve) => made = () => resolve({ bind, close: () => Promise.resolve(void closed++) }));
    const listening = server.listen(bind, { backlog: 1 });
    const drained = server.drain();
    await vi.advanceTimersByTimeAsync(100);
    await drained;
    made();
    await listening;
    expect(closed).toBe(1);
  });

  it("shed: as many connections as asked for are closed, each by a whole response", async () => {
    const { runtime, server } = await serve(hello);
    const clients = Array.from({ length: 4 }, () => runtime.connect());
    // One that is closed anyway does not count.
    void clients[0]!.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    server.shed(2);
    const once = runtime.connect();
    void once.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (const client of clients.slice(1)) void client.send(GET);
    expect(clients.slice(1).map((client) => client.ended)).toEqual([true, true, false]);
    for (const client of clients) expect(client.received).toMatch(/^HTTP\/1\.1 200 [^]*hello$/);
    expect(clients[1]!.received).toContain("Connection: close\r\n");
  });

  it("shed: a client that has sent its next request already is not told with the one before it", async () => {
    const { runtime, server } = await serve(hello);
    server.shed(1);
    const client = runtime.connect();
    void client.send(GET + GET);
    expect(client.received.match(/hello/g)).toHaveLength(2);
    expect(client.received.match(/Connection: close/g)).toHaveLength(1);
    expect(client.ended).toBe(true);
  });

  it("shed: a response whose head is out is not touched", async () => {
    let last!: () => void;
    const { runtime, server } = await serve(async function* (_environ, startResponse) {
      startResponse("200 OK", []);
      yield "first";
      await new Promise<void>((resolve) => last = resolve);
    } as Application);
    const client = runtime.connect();
    void client.send(GET);
    await settle();
    server.shed(1);
    last();
    await settle();
    expect(client.received).toMatch(/0\r\n\r\n$/);
    expect(client.ended).toBe(false);
  });

  it("oldest: the requests in flight, the oldest first, with targets as they were sent, cut", async () => {
    const { application, answer } = gated();
    const { runtime, server, pass } = await serve(application, { limit_concurrency: 3 });
    for (const target of ["/1", `/2${"x".repeat(1000)}`, "/3?a=%20", "/waits"]) {
      void runtime.connect().send(get(target, "PUT"));
      pass(1);
    }
    const two = server.oldest(2);
    expect(two.map(({ method, target }) => [method, target])).toEqual([["PUT", "/1"], ["PUT", `/2${"x".repeat(198)}`]]);
    expect(two[0]!.age).toBeGreaterThan(4000);
    expect(two[1]!.age).toBeLessThan(two[0]!.age);
    await answer("/1");
    expect(server.oldest(10).map(({ target }) => target[1])).toEqual(["2", "3", "w"]);
  });

  it("retireAfter: told once, when so many requests have begun", async () => {
    const { runtime, server } = await serve(hello);
    let told = 0;
    server.retireAfter = 3;
    server.onRetire = () => void told++;
    const client = runtime.connect();
    for (const expected of [0, 0, 1, 1, 1]) {
      void client.send(GET);
      expect(told).toBe(expected);
    }
    expect(client.received.match(/hello/g)).toHaveLength(5);
  });

  it("recorder: told before the application is called and when the exchange is over, each once", async () => {
    const told: string[] = [];
    let slots = 0;
    const { application, answer } = gated();
    const { runtime, server, pass } = await serve((environ, startResponse) => {
      told.push(`called ${environ.PATH_INFO}`);
      return application(environ, startResponse);
    }, { request_timeout: 5 });
    const before = runtime.connect();
    void before.send(get("/before"));
    server.recorder = {
      begin: (method, target) => {
        told.push(`begin ${method} ${target}`);
        return slots++;
      },
      end: (slot) => void told.push(`end ${slot}`),
    };
    // Began before there was a recorder: it is not told of its end.
    await answer("/before");
    for (const path of ["/1", "/2"]) void runtime.connect().send(get(path));
    await answer("/2");
    pass(6);
    expect(told).toEqual([
      "called /before",
      "begin GET /1",
      "called /1",
      "begin GET /2",
      "called /2",
      "end 1",
      "end 0",
    ]);
  });

  it("begin: emitted before the application is called, and not for a request that never is", async () => {
    const { application, answer } = gated();
    const { runtime, events } = await serve(application, { limit_concurrency: 1 });
    const told: string[] = [];
    events.on("begin", ({ environ }) => told.push(`begin ${environ.PATH_INFO}`));
    events.on("request", ({ environ, status }) => told.push(`${status} ${environ.PATH_INFO}`));
    runtime.tick();
    void runtime.connect().send(get("/1"));
    const leaver = runtime.connect();
    void leaver.send(get("/2"));
    leaver.end();
    await answer("/1");
    expect(told).toEqual(["begin /1", "503 /2", "200 /1"]);
  });

  it("multiprocess: applications are told by esgi.multiprocess", async () => {
    const told: boolean[] = [];
    const { runtime, server } = await serve((environ, startResponse) => {
      told.push(environ["esgi.multiprocess"]);
      return hello(environ, startResponse);
    });
    const client = runtime.connect();
    void client.send(GET);
    server.multiprocess = true;
    void client.send(GET);
    expect(told).toEqual([false, true]);
  });
});

describe("worker_connections", () => {
  it("those beyond are answered with 503, and the last 64 of them have the time to read it", async () => {
    const { runtime, server, pass } = await serve(hello, { worker_connections: 1 });
    const clients = Array.from({ length: 67 }, () => runtime.connect());
    await settle();
    const [first, ...surplus] = clients;
    expect(first).toMatchObject({ received: "", closed: false });
    expect(surplus.every((client) => status(client) === "HTTP/1.1 503")).toBe(true);
    pass(1);
    await settle();
    expect(server.connections).toBe(65);
    expect(surplus.map(({ closed }) => closed)).toEqual([true, true, ...surplus.slice(2).map(() => false)]);
  });

  it("has room as soon as one has gone, however many still read their 503", async () => {
    const { runtime } = await serve(hello, { worker_connections: 1 });
    const [first, second] = [runtime.connect(), runtime.connect()];
    await settle();
    expect(status(second)).toBe("HTTP/1.1 503");
    first.end();
    await settle();
    const next = runtime.connect();
    next.send(GET);
    await settle();
    expect(status(next)).toBe("HTTP/1.1 200");
  });
});

describe("without descriptors", () => {
  it("the log has a line each ten seconds while it lasts", async () => {
    const { runtime, notices, pass } = await serve(hello);
    pass(5);
    expect(notices).toEqual([]);
    runtime.exhausted = true;
    pass(5);
    expect(notices).toEqual([{ level: "error", message: expect.stringContaining("(ulimit -n, LimitNOFILE=)") }]);
    pass(10);
    expect(notices).toHaveLength(2);
    runtime.exhausted = false;
    pass(30);
    expect(notices).toHaveLength(2);
  });

  it("the end is told once, and that of connections that had to be cut, too", async () => {
    const { runtime, server, pass } = await serve(hello, { worker_connections: 1 });
    let reliefs = 0;
    server.onRelief = () => reliefs++;
    pass(3);
    runtime.exhausted = true;
    pass(3);
    expect(reliefs).toBe(0);
    runtime.exhausted = false;
    pass(3);
    expect(reliefs).toBe(1);
    for (let n = 0; n < 66; n++) runtime.connect();
    pass(3);
    expect(reliefs).toBe(2);
  });
});
