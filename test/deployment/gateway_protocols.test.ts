// What goes on after the head, through nginx and Apache in each way in which they pass requests on: streams, large bodies,
// responses that break off, clients that leave. What the application sees is compared in echo_fronts.test.ts.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../support/client.ts";
import { onEachKind } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { APACHE, Fronts, GATEWAYS, location, NGINX, type WebServerName } from "./fronts.ts";
import { findProgram } from "./support.ts";

const LIMIT = 120_000;

test("docs/gateway-protocols.md has each location that is tested", () => {
  for (const way of GATEWAYS) {
    for (const prefix of ["/", "/app"] as const) expect(location(way, prefix)).toContain("BACK");
  }
});

const programs = new Map<WebServerName, string>();
for (const [name, program] of [["nginx", findProgram("nginx")], ["Apache", findProgram("apache2")]] as const) {
  if (program !== null) programs.set(name, program);
  else test.skip(`${name} is not here: apt-get install nginx apache2`, () => {});
}

onEachKind("web servers", (runtime) => {
  let fronts: Fronts;
  beforeAll(async () => {
    fronts = await Fronts.start(runtime, programs);
  }, LIMIT);
  afterAll(() => fronts?.stop());

  describe.each([...NGINX, ...APACHE].filter(({ server }) => programs.has(server)))("$host", (front) => {
    const { server, way, host, transport } = front;

    async function say(line: string, more = "Connection: close\r\n", body = ""): Promise<Client> {
      const client = await fronts.connect(front);
      client.send(`${line} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n${body}`);
      return client;
    }

    async function ask(...words: Parameters<typeof say>): Promise<Awaited<ReturnType<Client["response"]>>> {
      const client = await say(...words);
      try {
        return await client.response();
      } finally {
        client.destroy();
      }
    }

    test("Expect: 100-continue is answered by the web server, and the body comes", async () => {
      const client = await say("POST /b", "Expect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n");
      await eventually(() => client.received.startsWith("HTTP/1.1 100 Continue\r\n\r\n"), () => client.received);
      client.send("hello");
      await eventually(() => client.received.includes('"bodyLength":5'), () => client.received);
      client.destroy();
    });

    test("streams and large bodies arrive whole", async () => {
      expect((await ask("GET /stream")).text).toBe("chunk0\nchunk1\nchunk2\nchunk3\nchunk4\n");
      expect((await ask("GET /large")).text.length).toBe(80 * 65_536);
    });

    test("a response is not lost because nobody reads the request's body", async () => {
      const fields = "Connection: close\r\nContent-Length: 1000000\r\n";
      expect((await ask("POST /status/204", fields, "x".repeat(1_000_000))).status).toBe(204);
    });

    if (server === "Apache") {
      test("a stream arrives piece by piece", async () => {
        const file = join(fronts.folder, `${host}.opened`);
        const client = await say(`GET /gated?${file}`);
        try {
          await client.until("first\n");
          expect(client.received).not.toContain("second");
        } finally {
          // A CGI program would wait for it for ever.
          writeFileSync(file, "");
        }
        await client.until("second\n");
        client.destroy();
      });
    }

    if (server === "nginx") {
      test("a chunked body that nginx passes on as it comes", async () => {
        const body = `${`3e8\r\n${"x".repeat(1000)}\r\n`.repeat(100)}0\r\nX-Trailer: a\r\n\r\n`;
        const { text } = await ask("POST /unbuffered", "Connection: close\r\nTransfer-Encoding: chunked\r\n", body);
        expect(JSON.parse(text)).toMatchObject({ bodyLength: 100_000 });
      });
    }

    // By Apache's SCGI and CGI only the connection's end tells; in uwsgi and nginx's SCGI a Content-Length does, too. Where
    // there is none, a RST does, which unix sockets and Deno have not.
    const told = way === "http" || way === "fastcgi";
    const end = told || (transport === "tcp" && runtime.kind !== "deno");
    const length = told || way === "uwsgi" || server === "nginx";

    test.each([["/broken/length", !length], ["/broken/stream", !end]])(
      "a response that breaks off, %s: taken for a whole one: %s",
      async (path, isWhole) => {
        const client = await say(`GET ${path}`);
        const whole = (): boolean => client.received.includes("\r\n0\r\n\r\n");
        await eventually(() => client.ending !== null || whole(), () => client.received);
        expect(whole()).toBe(isWhole);
        // A RST may overtake what nginx has read.
        if (told || isWhole) expect(client.received).toContain("begun");
        client.destroy();
      },
    );

    test("a client that leaves aborts the request, and the server serves on", async () => {
      for (let i = 0; i < 3; i++) (await say("GET /slow")).destroy();
      expect((await ask("GET /")).status).toBe(200);
    });
  });
});
