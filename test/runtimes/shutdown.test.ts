// How a server ends: requests in flight are answered, idle connections do not hold it up, and the exit code is 0.

import { expect, test } from "vitest";
import { Client } from "../support/client.ts";
import { onEachRuntime } from "../support/runtimes.ts";
import { type ServerOptions, type ServerProcess, withServer } from "../support/server.ts";
import { get } from "../support/transcripts.ts";
import { eventually, sleep } from "../support/wait.ts";

async function started(server: ServerProcess, id: string): Promise<void> {
  await eventually(async () => (await server.json(`/seen?id=${id}`)).started === 1, () => "the request has not begun");
}

/** Requests that were sent have been read when two later ones are answered. */
async function caughtUp(server: ServerProcess): Promise<void> {
  for (let n = 0; n < 2; n++) await server.get("/hello");
}

async function refusesConnections(server: ServerProcess): Promise<void> {
  await eventually(async () => {
    try {
      const client = await Client.connect(server.address);
      client.destroy();
      return false;
    } catch {
      return true;
    }
  }, () => "connections are still accepted");
}

onEachRuntime("shutdown", (runtime) => {
  const serving = (options: ServerOptions, body: (server: ServerProcess) => Promise<void>): Promise<void> =>
    withServer(runtime, options, body);

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test.concurrent(`${signal}: what is in flight is answered with Connection: close, idle connections end at once, exit 0`, () =>
      serving({}, async (server) => {
        const idle = await server.connect();
        idle.send(get("/hello"));
        await idle.response();
        const silent = await server.connect();
        const slow = await server.connect();
        slow.send(get("/takes-its-time?id=slow"));
        const stream = await server.connect();
        stream.send(get("/streams-its-time"));
        await stream.until("chunk0");
        // Its head has come in part: the rest may come.
        const half = await server.connect();
        half.send("GET /hello HTTP/1.1\r\nHo");
        await started(server, "slow");
        await caughtUp(server);

        server.signal(signal);
        for (const client of [idle, silent]) expect(await client.ended()).toEqual({ ending: "fin", rest: "" });
        await refusesConnections(server);
        expect(server.ended).toBeNull();

        half.send("st: test\r\n\r\n");
        expect((await half.response()).field("Connection")).toBe("close");
        await stream.until("the last\n");
        expect((await stream.ended()).rest).toBe("\r\n0\r\n\r\n");
        const response = await slow.response();
        expect(response.text).toBe("took its time");
        expect(response.field("Connection")).toBe("close");
        expect(await slow.ended()).toEqual({ ending: "fin", rest: "" });
        for (const client of [idle, silent, slow, stream, half]) client.end();
        expect(await server.exited()).toBe(0);
      }));
  }

  test.concurrent("pipelined requests: the one in flight is answered and is the last", () =>
    serving({}, async (server) => {
      const client = await server.connect();
      client.send(get("/takes-its-time?id=a") + get("/hello"));
      await started(server, "a");
      server.signal("SIGTERM");
      const response = await client.response();
      expect(response.text).toBe("took its time");
      expect(response.field("Connection")).toBe("close");
      expect((await client.ended()).rest).toBe("");
      client.end();
      expect(await server.exited()).toBe(0);
    }));

  test.concurrent("an upload in flight is taken to its end", () =>
    serving({}, async (server) => {
      const client = await server.connect();
      client.send("POST /reads?id=up HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello");
      await eventually(async () => (await server.json("/seen?id=up")).read === 5, () => "nothing is read");
      server.signal("SIGTERM");
      await refusesConnections(server);
      client.send("world");
      const response = await client.response();
      expect(response.text).toBe("10");
      expect(response.field("Connection")).toBe("close");
      client.end();
      expect(await server.exited()).toBe(0);
    }));

  test.concurrent("nothing in flight: exit at once, whatever is connected", () =>
    serving({ keepalive: 0, header_timeout: 0 }, async (server) => {
      const clients = await Promise.all(Array.from({ length: 20 }, () => server.connect()));
      for (const client of clients.slice(0, 10)) {
        client.send(get("/hello"));
        await client.response();
      }
      server.signal("SIGTERM");
      // Clients that see the end close too, as every client does.
      for (const client of clients) {
        await client.ended();
        client.end();
      }
      expect(await server.exited()).toBe(0);
    }));

  test.concurrent("an idle client that does not close its side does not hold the exit up for long", () =>
    serving({ keepalive: 0 }, async (server) => {
      const client = await server.connect();
      client.send(get("/hello"));
      await client.response();
      server.signal("SIGTERM");
      await client.ended();
      expect(await server.exited()).toBe(0);
    }));

  test.concurrent("graceful_timeout: what takes longer is cut, and the exit code is 0", () =>
    serving({ graceful_timeout: 1 }, async (server) => {
      const stuck = await server.connect();
      stuck.send(get("/until-abort?id=never"));
      const endless = await server.connect();
      endless.send(get("/endless-generator?id=endless"));
      endless.socket.on("data", () => endless.discard());
      const upgraded = await server.connect();
      upgraded.send(get("/upgrade", "Connection: Upgrade", "Upgrade: echo"));
      await upgraded.until("welcome\n");
      await started(server, "never");
      server.signal("SIGTERM");
      await sleep(300);
      expect(server.ended).toBeNull();
      expect(await server.exited()).toBe(0);
      for (const client of [stuck, endless, upgraded]) await client.ended();
      expect(server.stderr).toMatch(/graceful_timeout/);
    }));

  test.concurrent("graceful_timeout 0: no limit", () =>
    serving({ graceful_timeout: 0 }, async (server) => {
      const client = await server.connect();
      client.send(get("/takes-its-time?id=b"));
      await started(server, "b");
      server.signal("SIGTERM");
      expect((await client.response()).status).toBe(200);
      client.end();
      expect(await server.exited()).toBe(0);
    }));

  test.concurrent("a second SIGTERM ends at once", () =>
    serving({}, async (server) => {
      const client = await server.connect();
      client.send(get("/until-abort?id=never"));
      await started(server, "never");
      server.signal("SIGTERM");
      await sleep(500);
      expect(server.ended).toBeNull();
      server.signal("SIGTERM");
      expect(await server.exited()).toBe(0);
      await client.ended();
    }));

  test.concurrent("SIGQUIT ends at once", () =>
    serving({}, async (server) => {
      const client = await server.connect();
      client.send(get("/until-abort?id=never"));
      await started(server, "never");
      server.signal("SIGQUIT");
      expect(await server.exited()).toBe(0);
      await client.ended();
    }));

  test.concurrent("under load: each request that was sent is answered, or its connection refused", () =>
    serving({}, async (server) => {
      let answered = 0;
      let stopped = false;
      const lost: string[] = [];
      const one = async (): Promise<void> => {
        while (!stopped) {
          const client = await Client.connect(server.address).catch(() => null);
          if (client === null) return;
          // On a connection that is kept, the server may close while the next request is on its way: that is what
          // Connection: close is for. Here each connection carries one.
          client.send(get("/hello", "Connection: close"));
          await client.response().then(() => answered++, (error: Error) => lost.push(error.message));
          client.end();
        }
      };
      const all = Array.from({ length: 8 }, one);
      await eventually(() => answered > 500, () => "too few requests");
      server.signal("SIGTERM");
      const code = await server.exited();
      stopped = true;
      await Promise.all(all);
      expect(code).toBe(0);
      // What had only been connected, and not accepted, is closed by the system with the listening socket.
      expect(lost.filter((message) => !message.includes('(reset) within a response: ""'))).toEqual([]);
    }));
});
