// What bounds a server's load, over real sockets: request_timeout, limit_concurrency and queue_timeout. The order of the
// queue and the counting are test/server/load.test.ts's.

import { expect, test } from "vitest";
import type { Client } from "../support/client.ts";
import { onEachRuntime } from "../support/runtimes.ts";
import { type ServerProcess, useServer, withServer } from "../support/server.ts";
import { get } from "../support/transcripts.ts";
import { eventually } from "../support/wait.ts";

let ids = 0;
const newId = (): string => `load${++ids}`;

const seen = (server: ServerProcess, id: string): Promise<Record<string, unknown>> => server.json(`/seen?id=${id}`);

async function opened(server: ServerProcess, id: string): Promise<void> {
  await eventually(async () => (await server.get(`/open?id=${id}`)).text === "open", () => "no gate");
}

/** A request that runs until /open?id= is asked for. */
async function gated(server: ServerProcess, id: string): Promise<Client> {
  const client = await server.connect();
  client.send(get(`/gated?id=${id}`));
  await eventually(async () => (await seen(server, id)).started === 1, () => "the request has not begun");
  return client;
}

/** All places are taken: a request has to wait, here until its client has ended its side. */
async function full(server: ServerProcess): Promise<void> {
  await eventually(async () => {
    const client = await server.connect();
    client.send(get("/hello")).end();
    return (await client.response()).status === 503;
  }, () => "there is a place left");
}

/** The log has a line that `pattern` matches; it may come a little after the answer. */
async function logged(server: ServerProcess, pattern: RegExp): Promise<void> {
  await eventually(() => pattern.test(server.stderr), () => `no line ${pattern}:\n${server.stderr}`);
}

onEachRuntime("request_timeout", (runtime) => {
  const server = useServer(runtime, { request_timeout: 1, body_timeout: 30, accesslog: "-" });

  test.concurrent("RFC 9110 §15.6.5: 504, the signal aborted, a warning, and the server goes on", async () => {
    const id = newId();
    const client = await gated(server(), id);
    const response = await client.response();
    expect(response.status).toBe(504);
    expect(response.field("Connection")).toBe("close");
    client.end();
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
    expect((await seen(server(), id)).aborted).toBe(1);
    await logged(server(), new RegExp(`\\[WARNING\\] GET /gated\\?id=${id}: .*request_timeout`));
    await eventually(() => server().stdout.includes(`"GET /gated?id=${id} HTTP/1.1" 504 `), () => server().stdout);

    // What it answers now is nobody's.
    await opened(server(), id);
    expect((await server().get("/hello")).text).toBe("hello");
    expect(server().stderr).not.toContain("[ERROR]");
  });

  test.concurrent("504 for an upload that the application waits for, and the connection ends whole", async () => {
    const client = await server().connect();
    client.send("POST /reads HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n");
    client.send("x".repeat(100_000));
    expect((await client.response()).status).toBe(504);
    client.end();
    expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
  });

  test.concurrent("a response that has begun may take longer", async () => {
    const client = await server().connect();
    client.send(get("/streams-its-time"));
    expect((await client.response()).text).toMatch(/the last\n$/);
  });

  test.concurrent("pipelined requests have their own time each", async () => {
    const client = await server().connect();
    client.send(get("/unread-later").repeat(15));
    for (let n = 0; n < 15; n++) expect((await client.response()).status).toBe(200);
  });
});

onEachRuntime("limit_concurrency", (runtime) => {
  test.concurrent("what is too much waits, gets its turn, and is not run when its client has left by then", () =>
    withServer(runtime, { limit_concurrency: 2, queue_timeout: 0 }, async (server) => {
      const running = [await gated(server, "first")];
      const second = await server.connect();
      second.send(get("/gated?id=second"));
      running.push(second);
      await full(server);
      const probe = async (id: string): Promise<void> => {
        const client = await server.connect();
        client.send(get(`/takes-its-time?id=${id}`)).end();
        expect((await client.response()).status).toBe(503);
        expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
      };
      await probe("fin");
      const reset = await server.connect();
      reset.send(get("/takes-its-time?id=reset"));
      const stays = await server.connect();
      stays.send(get("/takes-its-time?id=stays"));
      await probe("later");
      reset.reset();
      for (let n = 0; n < 3; n++) await probe("last");
      for (const client of running) client.reset();
      expect((await stays.response()).text).toBe("took its time");
      for (const id of ["fin", "reset", "later", "last"]) expect((await seen(server, id)).started).toBe(0);
      expect((await seen(server, "stays")).started).toBe(1);
    }));

  test.concurrent("queue_timeout: 503 (RFC 9110 §15.6.4) with Retry-After for what waits longer", () =>
    withServer(runtime, { limit_concurrency: 1, queue_timeout: 1 }, async (server) => {
      const running = await server.connect();
      running.send(get("/gated?id=runs"));
      await full(server);
      const refused = async (): Promise<void> => {
        const client = await server.connect();
        client.send(get("/gated?id=waits"));
        const response = await client.response();
        expect(response.status).toBe(503);
        expect(response.field("Retry-After")).toBe("1");
        expect(response.field("Connection")).toBe("close");
        client.end();
        expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
      };
      await Promise.all([refused(), refused(), refused()]);
      await logged(server, /\[WARNING\] Refused request from 127\.0\.0\.1: 503 .*queue_timeout/);
      running.reset();
      expect(await seen(server, "runs")).toMatchObject({ started: 1, aborted: 1 });
      expect(await seen(server, "waits")).toMatchObject({ started: 0 });
    }));

  test.concurrent("twenty connections, two at once: all are answered", () =>
    withServer(runtime, { limit_concurrency: 2 }, async (server) => {
      const clients = await Promise.all(Array.from({ length: 20 }, () => server.connect()));
      for (const client of clients) client.send(get("/unread-later").repeat(2));
      for (const client of clients) {
        for (let n = 0; n < 2; n++) expect((await client.response()).text).toBe("unread");
      }
    }));
});
