// Where a server listens, and what it knows of who connects: TCP, unix sockets, inherited descriptors, TLS, proxies.

import { execFileSync } from "node:child_process";
import { existsSync, linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Client } from "../support/client.ts";
import { onEachRuntime, type TestRuntime } from "../support/runtimes.ts";
import { ServerProcess, startServer, useServer, withServer } from "../support/server.ts";
import { get } from "../support/transcripts.ts";
import { eventually } from "../support/wait.ts";

type Environ = Record<string, string>;

const directory = mkdtempSync(join(tmpdir(), "tricorn-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let names = 0;
const newPath = (): string => join(directory, `socket-${++names}`);

const UNIX = ["--allow-write"];

async function environ(client: Client, fields: readonly string[] = []): Promise<Environ> {
  client.send(get("/environ?all", ...fields));
  const response = await client.response();
  expect(response.status).toBe(200);
  return JSON.parse(response.text) as Environ;
}

/** A server that does not start: its exit code, and the one line that it says. */
async function failure(runtime: TestRuntime, bind: string, fds: readonly number[] = []): Promise<[unknown, string]> {
  const server = new ServerProcess(runtime, { bind, fds, permissions: UNIX });
  try {
    return [await server.exited(), server.stderr];
  } finally {
    await server.stop();
  }
}

async function listening(address: { host: string; port: number } | { path: string }): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(address, resolve));
  return server;
}

const HAS_IPV6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === "::1");

onEachRuntime("TCP", (runtime) => {
  test("IPv4", async () => {
    await withServer(runtime, { bind: "127.0.0.1:0" }, async (server) => {
      const client = await server.connect();
      const told = await environ(client);
      expect(told.REMOTE_ADDR).toBe("127.0.0.1");
      expect(told.REMOTE_PORT).toBe(String(client.socket.localPort));
      expect(told.SERVER_NAME).toBe("127.0.0.1");
      expect(told.SERVER_PORT).toBe(String(server.port));
      expect(told["esgi.url_scheme"]).toBe("http");
    });
  });

  test.skipIf(!HAS_IPV6)("IPv6 (skipped where the machine has none)", async () => {
    await withServer(runtime, { bind: "[::1]:0" }, async (server) => {
      const told = await environ(await server.connect());
      expect(told.REMOTE_ADDR).toBe("::1");
      expect(told.SERVER_NAME).toBe("[::1]");
    });
  });

  test.skipIf(!HAS_IPV6)("all addresses: IPv4 looks like IPv4 (skipped where the machine has no IPv6)", async () => {
    await withServer(runtime, { bind: "[::]:0" }, async (server) => {
      const { port } = server;
      const told = await environ(await server.connect({ host: "127.0.0.1", port }));
      expect(told.REMOTE_ADDR).toBe("127.0.0.1");
      expect(told.SERVER_NAME).toBe("127.0.0.1");
    });
  });

  test("several addresses", async () => {
    const path = newPath();
    await withServer(
      runtime,
      { bind: ["127.0.0.1:0", "127.0.0.1:0", `unix:${path}`], permissions: UNIX },
      async (server) => {
        expect(server.addresses).toHaveLength(3);
        for (const address of server.addresses) {
          const client = await server.connect(address);
          client.send(get("/hello"));
          expect((await client.response()).text).toBe("hello");
        }
      },
    );
  });

  test("an address that is in use: one line, exit code 1", async () => {
    const other = await listening({ host: "127.0.0.1", port: 0 });
    const { port } = other.address() as { port: number };
    const [code, message] = await failure(runtime, `127.0.0.1:${port}`);
    other.close();
    expect(code).toBe(1);
    expect(message).toMatch(
      new RegExp(`^tricorn: cannot listen on 127\\.0\\.0\\.1:${port}: the address is in use;.*\n$`),
    );
  });

  test("an address of another machine: one line, exit code 1", async () => {
    const [code, message] = await failure(runtime, "192.0.2.1:0");
    expect(code).toBe(1);
    expect(message).toMatch(/^tricorn: cannot listen on 192\.0\.2\.1:0: the address is not one of this machine;.*\n$/);
  });
});

onEachRuntime("unix sockets", (runtime) => {
  test("are served, and their peers are nobody", async () => {
    const path = newPath();
    await withServer(runtime, { bind: `unix:${path}`, permissions: UNIX }, async (server) => {
      const client = await server.connect({ path });
      const told = await environ(client);
      expect(told.REMOTE_ADDR).toBe("");
      expect(told.REMOTE_PORT).toBe("");
      expect(told.SERVER_NAME).not.toBe("");
      client.send(get("/big", "Connection: close"));
      client.socket.on("data", () => client.discard());
      expect((await client.ended()).ending).toBe("fin");
      expect(client.total).toBeGreaterThan(52_428_800);
    });
  });

  test("are removed at the end", async () => {
    const path = newPath();
    await withServer(runtime, { bind: `unix:${path}`, permissions: UNIX }, async (server) => {
      expect(statSync(path).isSocket()).toBe(true);
      server.signal("SIGTERM");
      expect(await server.exited()).toBe(0);
      expect(existsSync(path)).toBe(false);
    });
  });

  test("a stale one is replaced", async () => {
    const path = newPath();
    const killed = await startServer(runtime, { bind: `unix:${path}`, permissions: UNIX });
    await killed.stop();
    expect(statSync(path).isSocket()).toBe(true);
    await withServer(runtime, { bind: `unix:${path}`, permissions: UNIX }, async (server) => {
      const client = await server.connect({ path });
      client.send(get("/hello"));
      expect((await client.response()).text).toBe("hello");
    });
  });

  test("one on which somebody listens is left alone: exit code 1", async () => {
    const path = newPath();
    const other = await listening({ path });
    const [code, message] = await failure(runtime, `unix:${path}`);
    expect(code).toBe(1);
    expect(message).toMatch(/^tricorn: cannot listen on unix:.*: another process listens on it;.*\n$/);
    const client = await Client.connect({ path });
    client.destroy();
    other.close();
  });

  test("a folder that does not exist is named: exit code 1", async () => {
    const [code, message] = await failure(runtime, `unix:${newPath()}/nowhere/x.sock`);
    expect(code).toBe(1);
    expect(message).toMatch(/^tricorn: cannot listen on unix:.*: the directory does not exist;.*\n$/);
  });

  test("a file that is no socket is left alone: exit code 1", async () => {
    const path = newPath();
    writeFileSync(path, "precious");
    const [code, message] = await failure(runtime, `unix:${path}`);
    expect(code).toBe(1);
    expect(message).toMatch(/^tricorn: cannot listen on unix:.*: a file that is no socket has that name;.*\n$/);
    expect(readFileSync(path, "utf8")).toBe("precious");
  });
});

/** The descriptor of a server of this process. */
function fdOf(server: Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

onEachRuntime("inherited descriptors", (runtime) => {
  test("a TCP socket", async () => {
    const parent = await listening({ host: "127.0.0.1", port: 0 });
    const { port } = parent.address() as { port: number };
    const server = new ServerProcess(runtime, { bind: "fd://3", fds: [fdOf(parent)] });
    // The child has its own copy: nothing accepts here from now on.
    parent.close();
    try {
      await eventually(() => /Listening at: .*\n/.test(server.stderr), () => server.stderr);
      const client = await server.at({ host: "127.0.0.1", port }).connect();
      const told = await environ(client);
      expect(told.REMOTE_ADDR).toBe("127.0.0.1");
      expect(told.SERVER_PORT).toBe(String(port));
      client.send(get("/big", "Connection: close")).end();
      client.socket.on("data", () => client.discard());
      expect((await client.ended()).ending).toBe("fin");
      server.signal("SIGTERM");
      expect(await server.exited()).toBe(0);
    } finally {
      await server.stop();
    }
  });

  test("a unix socket", async () => {
    const path = newPath();
    const parent = await listening({ path });
    const server = new ServerProcess(runtime, { bind: "fd://3", fds: [fdOf(parent)], permissions: UNIX });
    // Closing removes the path, but not another name of the same socket.
    const other = newPath();
    linkSync(path, other);
    parent.close();
    try {
      await eventually(() => /Listening at: .*\n/.test(server.stderr), () => server.stderr);
      const told = await environ(await server.connect({ path: other }));
      expect(told.REMOTE_ADDR).toBe("");
    } finally {
      await server.stop();
    }
  });

  test("a number without a socket: one line, exit code 1", async () => {
    const [code, message] = await failure(runtime, "fd://77");
    expect(code).toBe(1);
    expect(message).toMatch(/^tricorn: cannot listen on fd:\/\/77: .*\n$/);
  });
});

// ---- TLS ----

interface Certificates {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

function certificates(): Certificates | null {
  const openssl = (...words: string[]): void => void execFileSync("openssl", words, { cwd: directory, stdio: "pipe" });
  const selfSigned = (name: string, ...more: string[]): void =>
    openssl(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.crt`, ...more],
    );
  try {
    selfSigned("localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1");
    selfSigned("authority");
    openssl(
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=client"],
      ...["-keyout", "client.key", "-out", "client.csr"],
    );
    writeFileSync(join(directory, "client.ext"), "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n");
    openssl(
      ...["x509", "-req", "-in", "client.csr", "-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial"],
      ...["-days", "2", "-out", "client.crt", "-extfile", "client.ext"],
    );
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return null;
    throw error;
  }
  const at = (name: string): string => join(directory, name);
  return {
    cert: at("localhost.crt"),
    key: at("localhost.key"),
    ca: at("authority.crt"),
    clientCert: at("client.crt"),
    clientKey: at("client.key"),
  };
}

const files = certificates();

describe.skipIf(files === null)("TLS (skipped without openssl)", () => {
  onEachRuntime("TLS", (runtime) => {
    const server = useServer(runtime, { certfile: files?.cert, keyfile: files?.key });
    const secure = async (): Promise<Client> =>
      await Client.connectTls(server().address, {
        ca: readFileSync(files!.cert, "utf8"),
        servername: "localhost",
        ALPNProtocols: ["h2", "http/1.1"],
      });

    test("requests", async () => {
      const client = await secure();
      expect((client.socket as unknown as { alpnProtocol: string }).alpnProtocol).toBe("http/1.1");
      const told = await environ(client);
      expect(told["esgi.url_scheme"]).toBe("https");
      expect(told["esgi.tls"]).toBeDefined();
      expect(told.REMOTE_ADDR).toBe("127.0.0.1");
      client.send(get("/hello") + get("/stream"));
      expect((await client.response()).text).toBe("hello");
      expect((await client.response()).framing).toBe("chunked");
      client.destroy();
    });

    test("a large body each way, and then close_notify (RFC 9112 §9.8)", async () => {
      const client = await secure();
      const size = 20_000_000;
      client.send(`POST /reads HTTP/1.1\r\nHost: test\r\nContent-Length: ${size}\r\n\r\n`);
      client.send(new Uint8Array(size));
      expect((await client.response()).text).toBe(String(size));
      client.send(get("/big", "Connection: close"));
      client.socket.on("data", () => client.discard());
      expect((await client.ended()).ending).toBe("fin");
      expect(client.total).toBeGreaterThan(52_428_800);
    });

    test("what is sent is what arrives, at a client that reads late", async () => {
      const plain = await withServer(runtime, {}, async (other) => (await other.get("/numbers")).body);
      const client = await secure();
      client.pause().send(get("/numbers", "Connection: close"));
      await new Promise((resolve) => setTimeout(resolve, 300));
      client.resume();
      expect((await client.response()).body.equals(plain)).toBe(true);
    });

    test("a client that does not read holds no memory", async () => {
      const before = server().rss();
      const clients = await Promise.all([secure(), secure(), secure()]);
      for (const client of clients) client.pause().send(get("/big"));
      await eventually(async () => (await secure()).send(get("/hello")).response().then(() => true), () => "no answer");
      expect(server().rss() - before).toBeLessThan(100);
      for (const client of clients) client.destroy();
    });

    test("clients that speak no TLS, or break off in the handshake, do no harm", async () => {
      for (const text of ["GET / HTTP/1.1\r\nHost: test\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "\x00", ""]) {
        const client = await server().connect();
        client.send(text);
        if (text.length > 20) await client.ended();
        client.reset();
      }
      const told = "Refused request from 127.0.0.1: no TLS handshake";
      await eventually(() => server().stderr.includes(told), () => `the log tells nothing of it: ${server().stderr}`);
      const client = await secure();
      client.send(get("/hello"));
      expect((await client.response()).text).toBe("hello");
      client.destroy();
    });

    test("SIGTERM drains", async () => {
      await withServer(runtime, { certfile: files!.cert, keyfile: files!.key }, async (other) => {
        const client = await Client.connectTls(other.address, { rejectUnauthorized: false });
        client.send(get("/streams-its-time"));
        await client.until("chunk0");
        other.signal("SIGTERM");
        expect(await client.until("the last\n")).toContain("the last");
        expect((await client.ended()).rest).toBe("\r\n0\r\n\r\n");
        client.end();
        expect(await other.exited()).toBe(0);
      });
    });

    test("cert_reqs 2: nobody without a certificate of ca_certs is served", async () => {
      const options = { certfile: files!.cert, keyfile: files!.key, ca_certs: files!.ca, cert_reqs: 2 } as const;
      await withServer(runtime, options, async (guarded) => {
        const ask = async (more: object): Promise<string> => {
          const client = await Client.connectTls(guarded.address, { rejectUnauthorized: false, ...more });
          client.send(get("/environ?all"));
          try {
            return (await client.response()).text;
          } catch {
            return "refused";
          } finally {
            client.destroy();
          }
        };
        // With TLS 1.3 the client takes itself for connected before it is refused.
        expect(await ask({}).catch(() => "refused")).toBe("refused");
        const stranger = { cert: readFileSync(files!.cert), key: readFileSync(files!.key) };
        expect(await ask(stranger).catch(() => "refused")).toBe("refused");
        const friend = { cert: readFileSync(files!.clientCert), key: readFileSync(files!.clientKey) };
        const told = JSON.parse(await ask(friend)) as { "esgi.tls": { peerCertificate?: string } };
        expect(told["esgi.tls"].peerCertificate).toContain("BEGIN CERTIFICATE");
      });
    });
  });
});

// ---- Proxies ----

/** A PROXY header of version 2 for TCP over IPv4. */
function proxy2(source: readonly number[], sourcePort: number): string {
  const bytes = [...source, 10, 0, 0, 9, sourcePort >> 8, sourcePort & 255, 0, 80];
  return `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c${String.fromCharCode(...bytes)}`;
}

const PROXY1 = "PROXY TCP4 203.0.113.7 10.0.0.9 4711 80\r\n";

onEachRuntime("PROXY protocol", (runtime) => {
  const auto = useServer(runtime, { proxy_protocol: "auto" });
  const required = useServer(runtime, { proxy_protocol: "required" });
  const untrusted = useServer(runtime, { proxy_protocol: "auto", proxy_allow_ips: ["10.0.0.0/8"] });
  const off = useServer(runtime);

  for (const [version, header] of [["1", PROXY1], ["2", proxy2([203, 0, 113, 7], 4711)]] as const) {
    test(`version ${version}: tells who the client is, for all requests of the connection`, async () => {
      for (const server of [auto(), required()]) {
        const client = await server.connect();
        client.send(header);
        for (let n = 0; n < 2; n++) {
          const told = await environ(client);
          expect(told.REMOTE_ADDR).toBe("203.0.113.7");
          expect(told.REMOTE_PORT).toBe("4711");
        }
        const slow = await server.connect();
        await slow.sendByteByByte(header + get("/environ"));
        expect((JSON.parse((await slow.response()).text) as Environ).REMOTE_ADDR).toBe("203.0.113.7");
      }
    });

    test(`version ${version}: where it is off, or from others, it is a malformed request`, async () => {
      for (const server of [off(), untrusted()]) {
        const client = await server.connect();
        client.send(header + get("/environ"));
        expect((await client.response()).status).toBe(400);
        await client.ended();
      }
    });
  }

  test("a connection without it is served unless it is required", async () => {
    expect((await environ(await auto().connect())).REMOTE_ADDR).toBe("127.0.0.1");
    const client = await required().connect();
    client.send(get("/"));
    expect((await client.response()).status).toBe(400);
  });

  test("a malformed one is refused", async () => {
    for (
      const header of [
        "PROXY TCP4 1.2.3.4\r\n",
        "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
      ]
    ) {
      const client = await auto().connect();
      client.send(header + get("/"));
      expect((await client.response()).status).toBe(400);
      await client.ended();
    }
  });

  test("LOCAL and UNKNOWN leave the connection what it is", async () => {
    for (const header of ["PROXY UNKNOWN\r\n", "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"]) {
      const client = await auto().connect();
      client.send(header);
      expect((await environ(client)).REMOTE_ADDR).toBe("127.0.0.1");
    }
  });

  test("it counts with header_timeout, and a connection that ends within it ends", async () => {
    const client = await auto().connect();
    client.send("PROXY TC").end();
    await client.ended();
  });
});

onEachRuntime("forwarded fields", (runtime) => {
  const trusting = useServer(runtime);
  const renaming = useServer(runtime, { forwarded_host: true });
  const other = useServer(runtime, { forwarded_allow_ips: ["10.0.0.0/8"] });
  const fields = [
    "X-Forwarded-For: 198.51.100.4, 203.0.113.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example",
  ];

  test("of a trusted peer are believed", async () => {
    const told = await environ(await trusting().connect(), fields);
    expect(told.REMOTE_ADDR).toBe("203.0.113.7");
    expect(told["esgi.url_scheme"]).toBe("https");
    expect(told.HTTP_HOST).toBe("test");
  });

  test("of a trusted peer name the host where forwarded_host says so", async () => {
    const told = await environ(await renaming().connect(), fields);
    expect(told.HTTP_HOST).toBe("shop.example");
    expect(told.SERVER_NAME).toBe("shop.example");
    expect(told.SERVER_PORT).toBe("443");
  });

  test("Forwarded (RFC 7239) too", async () => {
    const told = await environ(await trusting().connect(), [
      'Forwarded: for="[2001:db8::7]:4711";proto=https;host=shop.example',
    ]);
    expect(told.REMOTE_ADDR).toBe("2001:db8::7");
    expect(told["esgi.url_scheme"]).toBe("https");
  });

  test("of another peer are only fields", async () => {
    const told = await environ(await other().connect(), fields);
    expect(told.REMOTE_ADDR).toBe("127.0.0.1");
    expect(told["esgi.url_scheme"]).toBe("http");
    expect(told.HTTP_HOST).toBe("test");
    expect(told.HTTP_X_FORWARDED_PROTO).toBe("https");
  });

  test("that contradict each other are refused", async () => {
    const client = await trusting().connect();
    client.send(get("/", "X-Forwarded-Proto: https", "Forwarded: proto=http"));
    expect((await client.response()).status).toBe(400);
    await client.ended();
  });

  test("of one request do not stay for the next", async () => {
    const client = await trusting().connect();
    expect((await environ(client, fields)).REMOTE_ADDR).toBe("203.0.113.7");
    const told = await environ(client);
    expect(told.REMOTE_ADDR).toBe("127.0.0.1");
    expect(told["esgi.url_scheme"]).toBe("http");
  });
});
