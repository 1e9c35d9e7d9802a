// uwsgi, FastCGI and SCGI over the sockets of each runtime, without a web server: who may, what is logged, what becomes of
// packets that come in pieces and connections that break, and pools. Through nginx: test/deployment/gateway_protocols.test.ts.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { answer, fastcgi, pairs, record, records, scgi, uwsgi, variables } from "../gateway_protocols/packets.ts";
import { freePort } from "../deployment/support.ts";
import { Client } from "../support/client.ts";
import { onEachKind } from "../support/runtimes.ts";
import { ServerProcess, useServer, withServer } from "../support/server.ts";
import { eventually } from "../support/wait.ts";

const SEND = { uwsgi: (sent: ReturnType<typeof variables>, body?: string) => uwsgi(sent, body), fastcgi, scgi };
const NAMES = ["uwsgi", "fastcgi", "scgi"] as const;
type Name = (typeof NAMES)[number];

/** What others send, with lengths that lie among it; a uwsgi packet of nothing is none to HTTP, FastCGI and SCGI. */
const WRONG: readonly (readonly [what: string, text: string])[] = [
  ["HTTP", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0"],
  ["TLS", `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${"x".repeat(500)}`],
  ["a PROXY header of version 1", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n"],
  ["a PROXY header of version 2", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x01\0\x02"],
  ["uwsgi", uwsgi(variables())],
  ["fastcgi", fastcgi(variables())],
  ["scgi", scgi(variables())],
  ["noise", "\xff\xfe\xfd\xfc".repeat(5000)],
  ["zeros", "\0".repeat(70_000)],
];

const APP = "test/deployment/gateway_application.ts:application";
const POOL = ["--allow-write", "--allow-run", "--allow-sys"];

/** Everything that the server sends until it ends the connection, without its wrapping. */
async function response(name: Name, client: Client): Promise<string> {
  await eventually(() => client.ending !== null, () => client.received);
  const text = name === "fastcgi" ? answer(client.received).stdout : client.received;
  return text.replace(/^Status: /, "HTTP/1.1 ");
}

function refusals(server: ServerProcess): string[] {
  return [...server.stderr.matchAll(/Refused request from .*/g)].map(([line]) => line);
}

onEachKind("gateway protocols", (runtime) => {
  describe.each(NAMES)("%s", (name) => {
    const send = SEND[name];
    const server = useServer(runtime, { app: APP, protocol: name, header_timeout: 2 });
    const post = (body: string): string =>
      send(variables({ REQUEST_METHOD: "POST", CONTENT_LENGTH: String(body.length) }), body);

    test("the address says what is spoken there", () => {
      expect(server().stderr).toContain(`Listening at: ${name}://127.0.0.1:`);
    });

    test("a request and its body, byte by byte and at once", async () => {
      for (const slow of [true, false]) {
        const client = await server().connect();
        if (slow) await client.sendByteByByte(post("hello"));
        else client.send(post("hello"));
        expect(await response(name, client)).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*"bodyLength":5,/);
      }
    });

    test("a large body, in pieces that cut everything", async () => {
      const packet = post("0123456789".repeat(100_000));
      const client = await server().connect();
      for (let at = 0; at < packet.length; at += 7777) client.send(packet.slice(at, at + 7777));
      expect(await response(name, client)).toContain('"bodyLength":1000000,');
    });

    test("a large response reaches a web server that reads it late, to its end", async () => {
      const client = await server().connect();
      client.pause().send(send(variables({ REQUEST_URI: "/large" })));
      await eventually(() => client.socket.bytesWritten > 0, () => "nothing sent");
      client.resume();
      expect((await response(name, client)).match(/x+$/)?.[0].length).toBe(80 * 65_536);
      expect(client.ending).toBe("fin");
    });

    test("a response that breaks off is no whole one: the connection is reset, where no end would be missed", async () => {
      const client = await server().connect();
      client.send(send(variables({ REQUEST_URI: "/broken/stream" })));
      await eventually(() => client.ending !== null, () => client.received);
      // Deno cannot.
      expect(client.ending).toBe(name === "fastcgi" || runtime.kind === "deno" ? "fin" : "reset");
      if (name === "fastcgi") expect(answer(client.received).complete).toBe(false);
    });

    test("HTTP, a packet that breaks off, and one that does not come: each is refused, in one line", async () => {
      const before = refusals(server()).length;
      const http = await server().connect();
      http.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await response(name, http);
      const broken = await server().connect();
      broken.send(post("").slice(0, 50)).end();
      await response(name, broken);
      // A byte now and then is no sign of life, and neither is what FastCGI skips.
      const late = await server().connect();
      const trickle = [...post("").slice(0, 50), ...(name === "fastcgi" ? [record(77, 9, "", 7)] : [])];
      const timer = setInterval(() => late.ending === null && late.send(trickle.shift() ?? ""), 50);
      try {
        await response(name, late);
      } finally {
        clearInterval(timer);
      }
      await eventually(() => refusals(server()).length >= before + 3, () => server().stderr);
      const lines = refusals(server()).slice(before);
      expect(lines).toEqual([
        expect.stringMatching(/the peer speaks HTTP$/),
        expect.stringMatching(/the connection ended within a request head$/),
        expect.stringMatching(/header_timeout$/),
      ]);
      expect(await response(name, (await server().connect()).send(post("hello")))).toMatch(/200 OK/);
    });

    test.each(WRONG.filter(([what]) => what !== name))(
      "%s, where it is not spoken, is refused at once, in one line, whole and byte by byte",
      async (_what, text) => {
        for (const slow of [false, true]) {
          const before = refusals(server()).length;
          const client = await server().connect();
          if (slow) await client.sendByteByByte(text.slice(0, 300));
          else client.send(text);
          await eventually(() => client.ending !== null, () => client.received);
          expect(client.ending).toBe("fin");
          if (name === "fastcgi") expect(client.received).toBe("");
          else expect(await response(name, client)).toMatch(/^HTTP\/1.1 4(?:00|31) /);
          expect(client.received).not.toContain("200 OK");
          client.destroy();
          await eventually(() => refusals(server()).length > before, () => server().stderr);
          expect(refusals(server()).length).toBe(before + 1);
        }
      },
    );
  });

  test("peers that are not in uwsgi_allow_ips are closed without an answer, in one line", async () => {
    const bind = NAMES.map((name) => `${name}://127.0.0.1:0`);
    await withServer(runtime, { app: APP, bind, uwsgi_allow_ips: "10.0.0.0/8" }, async (server) => {
      for (const [index, name] of NAMES.entries()) {
        const client = await server.connect(server.addresses[index]);
        client.send(SEND[name](variables()));
        await eventually(() => client.ending !== null, () => client.received);
        expect(client.received).toBe("");
        await eventually(() => refusals(server).length > index, () => server.stderr);
        expect(refusals(server).slice(index)).toEqual([
          `Refused request from 127.0.0.1: ${name} from a peer that is not in uwsgi_allow_ips`,
        ]);
      }
    });
  });

  test("a pool speaks them too, and HTTP beside them", async () => {
    const bind = ["127.0.0.1:0", ...NAMES.map((name) => `${name}://127.0.0.1:0`)];
    await withServer(runtime, { app: APP, workers: 1, bind, permissions: POOL }, async (server) => {
      const [http, ...gateways] = server.addresses;
      for (const [index, name] of NAMES.entries()) {
        const client = await server.connect(gateways[index]);
        expect(await response(name, client.send(SEND[name](variables())))).toMatch(/200 OK/);
      }
      const direct = await server.connect(http);
      direct.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      expect((await direct.response()).status).toBe(200);
    });
  });

  test("HTTP/1.0, too: a response that breaks off is reset, and one that ends is not", async () => {
    await withServer(runtime, { app: APP }, async (server) => {
      for (const [path, ending] of [["/broken/stream", "reset"], ["/large", "fin"]] as const) {
        const client = await server.connect();
        client.send(`GET ${path} HTTP/1.0\r\n\r\n`);
        await eventually(() => client.ending !== null, () => client.received.slice(0, 1000));
        expect(client.ending).toBe(runtime.kind === "deno" ? "fin" : ending);
      }
    });
  });

  test("FastCGI: a connection carries many requests, and questions of the protocol", async () => {
    await withServer(runtime, { app: APP, protocol: "fastcgi" }, async (server) => {
      const client = await server.connect();
      client.send(record(9, 0, pairs([["FCGI_MPXS_CONNS", ""]])));
      for (let id = 1; id <= 20; id++) {
        const body = "x".repeat(id * 10_000);
        client.send(fastcgi(variables({ REQUEST_METHOD: "POST", CONTENT_LENGTH: String(body.length) }), body, {
          id,
          keep: true,
          size: 8000,
          padding: 3,
        }));
        const done = (): boolean => client.received.includes(record(3, id, "\0\0\0\0\0\0\0\0"));
        await eventually(done, () => `request ${id}: ${client.received.slice(-300)}`);
        expect(answer(client.received, id).stdout).toContain(`"bodyLength":${body.length},`);
      }
      expect(records(client.received)[0]).toMatchObject({ type: 10, content: pairs([["FCGI_MPXS_CONNS", "0"]]) });
    });
  });

  test("over TLS each of them is spoken as without, and plain text is refused", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tricorn-gateway-tls-"));
    const [certfile, keyfile] = [join(folder, "cert.pem"), join(folder, "key.pem")] as const;
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyfile];
    execFileSync("openssl", ["req", "-x509", ...key, "-out", certfile, "-subj", "/CN=localhost", "-days", "1"], {
      stdio: "pipe",
    });
    const bind = NAMES.map((name) => `${name}://127.0.0.1:0`);
    try {
      await withServer(runtime, { app: APP, bind, certfile, keyfile }, async (server) => {
        for (const [index, name] of NAMES.entries()) {
          const ask = async (uri: string): Promise<string> => {
            const client = await Client.connectTls(server.addresses[index]!, { rejectUnauthorized: false });
            client.send(SEND[name](variables({ REQUEST_URI: uri, HTTP_X_ENVIRON: "1" })));
            return await response(name, client);
          };
          // That is between the web server and Tricorn: of its client the web server tells.
          expect(await ask("/")).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*"esgi.url_scheme":"http"/);
          expect((await ask("/large")).match(/x+$/)?.[0].length).toBe(80 * 65_536);
          const plain = await server.connect(server.addresses[index]);
          plain.send(SEND[name](variables()));
          await eventually(() => plain.ending !== null, () => plain.received);
          expect(plain.received).not.toContain("200 OK");
        }
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("each worker may have a socket of its own, or the runtime is named that cannot", async () => {
    const bind = NAMES.map(async (name) => `${name}://127.0.0.1:${await freePort()}`);
    const options = { app: APP, workers: 1, reuse_port: true, bind: await Promise.all(bind), permissions: POOL };
    const server = new ServerProcess(runtime, options);
    // As with HTTP: test/runtimes/arbiter.test.ts.
    if (runtime.kind === "node" && process.versions.node.startsWith("20.")) {
      expect(await server.exited()).toBe(1);
      return;
    }
    try {
      await server.ready();
      for (const [index, name] of NAMES.entries()) {
        const client = await server.connect(server.addresses[index]);
        expect(await response(name, client.send(SEND[name](variables())))).toMatch(/^HTTP\/1.1 200 OK/);
      }
    } finally {
      server.signal("SIGTERM");
      await server.exited();
    }
  });

  test("a reload may have another protocol spoken on the same address", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tricorn-protocol-"));
    try {
      const path = join(folder, "tricorn.config.json");
      const socket = join(folder, "app.sock");
      const write = (protocol: string): void => {
        writeFileSync(path, JSON.stringify({ protocol, workers: 1, keepalive_grace: 0, bind: `unix:${socket}` }));
      };
      write("uwsgi");
      const words = ["--config", path];
      await withServer(runtime, { app: APP, bind: `unix:${socket}`, permissions: POOL, words }, async (server) => {
        const ask = async (name: Name): Promise<string> =>
          await response(name, (await server.connect({ path: socket })).send(SEND[name](variables())));
        expect(await ask("uwsgi")).toMatch(/^HTTP\/1.1 200 OK/);
        write("scgi");
        server.signal("SIGHUP");
        await eventually(async () => /^HTTP\/1.1 200 OK/.test(await ask("scgi")), () => server.stderr);
        expect(await ask("uwsgi")).not.toMatch(/200 OK/);
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
