// Whatever clients do, the server goes on: afterwards it answers, and its memory is bounded.

import { expect, test } from "vitest";
import { Client } from "../support/client.ts";
import { onEachRuntime } from "../support/runtimes.ts";
import { type ServerProcess, useServer } from "../support/server.ts";
import { get } from "../support/transcripts.ts";
import { eventually, sleep } from "../support/wait.ts";

/** Numbers that look random and are the same each time (xorshift32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const SEEDS = [
  get("/hello"),
  get("/stream"),
  get("/a%20b?c=d", "Accept: */*", "Cookie: a=b"),
  "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
  "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
  "POST /reads HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
  get("/upgrade", "Connection: Upgrade", "Upgrade: echo"),
  "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n",
  "GET http://[::1]:80/ HTTP/1.1\r\nHost: test\r\n\r\n",
];

const WORDS = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  "chunked",
  "Content-Length: 9",
  "Host: a",
  "HTTP/1.1",
  "0\r\n\r\n",
]
  .concat([
    "Transfer-Encoding: chunked\r\n",
    "%",
    "\xff",
    "Connection: close\r\n",
    "ffffffff",
    "-1",
    ";",
    '"',
    "\r\n\r\n",
  ]);

/** Either noise, or requests in which something is wrong. */
function blob(random: (below: number) => number): Uint8Array {
  if (random(4) === 0) return Uint8Array.from({ length: 1 + random(500) }, () => random(256));
  let text = "";
  for (let n = 0; n <= random(3); n++) text += SEEDS[random(SEEDS.length)]!;
  for (let n = 0; n <= random(4); n++) {
    const at = random(text.length + 1);
    const kind = random(4);
    const word = kind === 0 ? String.fromCharCode(random(256)) : WORDS[random(WORDS.length)]!;
    // Insert, overwrite or cut out.
    text = text.slice(0, at) + (kind === 3 ? "" : word) + text.slice(at + (kind === 1 ? 0 : random(8)));
  }
  return Buffer.from(text, "latin1");
}

async function answers(server: ServerProcess): Promise<void> {
  expect((await server.get("/hello")).text).toBe("hello");
  expect(server.ended).toBeNull();
}

onEachRuntime("robustness", (runtime) => {
  const server = useServer(runtime, { graceful_timeout: 5 });

  test("10,000 random blobs", async () => {
    const before = server().rss();
    const random = randomNumbers(20261122);
    let left = 10_000;
    const work = async (): Promise<void> => {
      while (left-- > 0) {
        const data = blob(random);
        const client = await Client.connect(server().address);
        client.send(data);
        // Some end well, some badly; after FIN the server has to end each.
        if (random(10) === 0) {
          client.reset();
          continue;
        }
        client.end();
        try {
          await client.ended();
        } catch (error) {
          throw new Error(`no end after ${JSON.stringify(Buffer.from(data).toString("latin1"))}`, { cause: error });
        }
        client.destroy();
      }
    };
    await Promise.all(Array.from({ length: 50 }, work));
    await answers(server());
    expect(server().rss() - before).toBeLessThan(200);
  });

  test("resets within heads, bodies and answers", async () => {
    const requests = [
      "GET / HTTP/1.1\r\nHo",
      "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nhello",
      "POST /mirror HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nhello",
      get("/big"),
      get("/stream"),
      get("/endless-generator"),
      get("/slow").repeat(3),
    ];
    for (let n = 0; n < 300; n++) {
      const client = await Client.connect(server().address);
      client.send(requests[n % requests.length]!);
      if (n % 3 === 1) await sleep(1);
      if (n % 3 === 2) await new Promise((resolve) => setImmediate(resolve));
      client.reset();
    }
    await answers(server());
  });

  test("RST before accept, 20 times", async () => {
    // The server sleeps meanwhile, so that no connection is accepted before its client has gone.
    server().signal("SIGSTOP");
    for (let n = 0; n < 20; n++) {
      const client = await Client.connect(server().address);
      if (n % 2 === 0) client.send(get("/hello"));
      await sleep(2);
      client.reset();
    }
    server().signal("SIGCONT");
    await answers(server());
    await answers(server());
  });

  test("2,000 idle connections", async () => {
    const before = server().rss();
    const clients: Client[] = [];
    while (clients.length < 2000) {
      clients.push(...await Promise.all(Array.from({ length: 100 }, () => server().connect())));
    }
    await answers(server());
    for (const client of clients) client.send(get("/hello"));
    for (const client of clients) expect((await client.response()).status).toBe(200);
    await answers(server());
    expect(server().rss() - before).toBeLessThan(200);
    for (const [n, client] of clients.entries()) {
      if (n % 2 === 0) client.end();
      else client.reset();
    }
    await answers(server());
  });

  test("slow heads, slow bodies and slow readers at once", async () => {
    const clients: Client[] = [];
    const open = async (request: string): Promise<Client> => {
      const client = await server().connect();
      client.send(request);
      clients.push(client);
      return client;
    };
    let stopped = false;
    const drip = async (client: Client): Promise<void> => {
      while (!stopped && client.ending === null) {
        client.send("x");
        await sleep(50);
      }
    };
    for (let n = 0; n < 50; n++) {
      void drip(await open("GET / HTTP/1.1\r\nHost: test\r\nX: "));
      void drip(await open("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n"));
      (await open(get("/big"))).pause();
      (await open(get("/endless?id=slow"))).pause();
    }
    for (let n = 0; n < 20; n++) {
      await answers(server());
      await sleep(20);
    }
    stopped = true;
    for (const client of clients) client.reset();
    await answers(server());
  });

  test("a large head that comes byte by byte", async () => {
    const client = await server().connect();
    const text = get("/", `X: ${"v".repeat(8000)}`);
    for (let at = 0; at < text.length; at += 7) {
      client.send(text.slice(at, at + 7));
      if (at % 70 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await client.response()).status).toBe(200);
  });

  test("a body of one byte a chunk", async () => {
    const client = await server().connect();
    const size = 100_000;
    client.send("POST /reads?id=crumbs HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(`${"1\r\nx\r\n".repeat(size)}0\r\n\r\n`);
    expect((await client.response()).text).toBe(String(size));
  });

  test("afterwards it drains and exits with 0", async () => {
    await eventually(async () => {
      await answers(server());
      return true;
    }, () => "no answer");
    server().signal("SIGTERM");
    expect(await server().exited()).toBe(0);
    expect(server().stderr).not.toMatch(/Uncaught|is a bug/);
  });
});
