// The echo example gives the same answer for the same request directly and through nginx, by HTTP, uwsgi, FastCGI and SCGI,
// over TCP and unix sockets, but for the differences that are listed here and in docs/gateway-protocols.md, from where the
// locations of nginx are taken as they stand.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Address } from "../support/client.ts";
import { Client } from "../support/client.ts";
import { onEachKind, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { type ServerProcess, startServer } from "../support/server.ts";
import { eventually } from "../support/wait.ts";
import { findProgram, freePort, WebServer } from "./support.ts";

const nginx = findProgram("nginx");
const GATEWAYS = ["uwsgi", "fastcgi", "scgi"] as const;
const WAYS = ["http", ...GATEWAYS] as const;
const TRANSPORTS = ["tcp", "unix"] as const;
const LIMIT = 120_000;

type Way = (typeof WAYS)[number];
type Transport = (typeof TRANSPORTS)[number];

/** The locations of the documentation: at the root, and below /app. */
const DOCUMENTED = [
  ...readFileSync(`${ROOT}docs/gateway-protocols.md`, "utf8").matchAll(/```nginx\n([^]*?)```/g),
].map(([, block]) => block!);

function location(way: Way, prefix: "/" | "/app"): string {
  if (way === "http") {
    return "location / { proxy_pass http://BACK; proxy_http_version 1.1; proxy_set_header Host $http_host; }";
  }
  return DOCUMENTED.find((block) => block.startsWith(`location ${prefix} {`) && block.includes(`${way}_pass `))!
    .replace(new RegExp(`(${way}_pass) [^;]+`), "$1 BACK");
}

/** One that passes everything on as it comes, where nginx can. */
function unbuffered(way: Way): string {
  const prefix = way === "http" ? "proxy" : way;
  return location(way, "/").replace("location / {", "location /unbuffered {").replace(
    /\}\s*$/,
    `${prefix}_buffering off; ${prefix}_request_buffering off; }`,
  );
}

interface Difference {
  readonly what: string;
  readonly by: readonly Way[];
  readonly reason: string;
  /** Makes of an answer what both have. */
  readonly leaveOut: (answer: Answer) => void;
}

interface Answer {
  headers: (readonly [string, string])[];
  trailers: unknown[];
  readonly [key: string]: unknown;
}

const without = (...names: string[]) => (answer: Answer): void => {
  answer.headers = answer.headers.filter(([name]) => !names.includes(name.toLowerCase()));
};

/** All that nginx changes. What is not here is compared. */
const DIFFERENCES: readonly Difference[] = [
  {
    what: "Connection, and what else is about one connection",
    by: WAYS,
    reason: "these are two connections",
    leaveOut: without("connection", "keep-alive", "te", "expect"),
  },
  {
    what: "chunked bodies have a Content-Length, and trailers are lost",
    by: WAYS,
    reason: "nginx reads the body before it passes it on",
    leaveOut: (answer) => {
      if (answer.headers.some(([name]) => name.toLowerCase() === "transfer-encoding")) {
        answer.headers.push(["Content-Length", String(answer.bodyLength)]);
      }
      without("transfer-encoding", "trailer")(answer);
      answer.trailers = [];
    },
  },
  {
    what: "the order of fields",
    by: WAYS,
    reason: "nginx writes some of its own first",
    leaveOut: (answer) => answer.headers.sort((a, b) => a[0].toLowerCase() < b[0].toLowerCase() ? -1 : 1),
  },
  {
    what: "Host has no port",
    by: GATEWAYS,
    reason: "Debian's *_params send $host",
    leaveOut: (answer) => {
      answer.headers = answer.headers.map((
        [name, value],
      ) => [name, name === "Host" ? value.replace(/:\d+$/, "") : value]);
    },
  },
  {
    what: "how the names of fields are spelled",
    by: GATEWAYS,
    reason: "CGI has them in capitals",
    leaveOut: (answer) => {
      answer.headers = answer.headers.map(([name, value]) => [name.toLowerCase(), value]);
    },
  },
  {
    what: "Content-Length: 0",
    by: ["scgi"],
    reason: "CONTENT_LENGTH must always be sent, so that 0 says nothing",
    leaveOut: (answer) => {
      answer.headers = answer.headers.filter(([name, value]) => name !== "content-length" || value !== "0");
    },
  },
];

test("docs/gateway-protocols.md has each location that is tested", () => {
  for (const way of GATEWAYS) {
    for (const prefix of ["/", "/app"] as const) expect(location(way, prefix)).toContain("BACK");
  }
});

if (nginx === null) test.skip("nginx is not here: apt-get install nginx", () => {});
else onEachKind("through nginx", (runtime) => suite(runtime, nginx));

function suite(runtime: TestRuntime, program: string): void {
  let folder: string;
  let server: ServerProcess;
  let front: WebServer;
  let secure: number;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "tricorn-gateways-"));
    chmodSync(folder, 0o755);
    const file = (name: string): string => join(folder, name);
    execFileSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=localhost", "-keyout", file("key.pem"), "-out", file("cert.pem")],
    ], { stdio: "ignore" });
    const binds = WAYS.flatMap((way) =>
      TRANSPORTS.map((transport) => {
        const address = transport === "tcp" ? "127.0.0.1:0" : `unix:${file(`${way}.sock`)}`;
        return way === "http" ? address : `${way}://${address}`;
      })
    );
    server = await startServer(runtime, {
      app: "test/deployment/gateway_application.ts:application",
      bind: binds,
      permissions: ["--allow-write", "--allow-sys"],
    });
    const addresses = server.addresses;
    const back = (way: Way, transport: Transport): string => {
      const address = addresses[WAYS.indexOf(way) * TRANSPORTS.length + TRANSPORTS.indexOf(transport)]!;
      return "path" in address ? `unix:${address.path}` : `127.0.0.1:${address.port}`;
    };
    const port = await freePort();
    secure = await freePort();
    const sites = WAYS.flatMap((way) =>
      TRANSPORTS.map((transport) => {
        const name = `${way}-${transport}`;
        const locations = way === "http" ? [location(way, "/")] : [location(way, "/"), location(way, "/app")];
        return `
          upstream ${name} { server ${back(way, transport)}; keepalive 4; }
          server {
            listen 127.0.0.1:${port};
            listen 127.0.0.1:${secure} ssl;
            server_name ${name}.test;
            ssl_certificate ${file("cert.pem")};
            ssl_certificate_key ${file("key.pem")};
            client_max_body_size 50m;
            ${locations.join("\n").replaceAll("BACK", name)}
            ${unbuffered(way).replaceAll("BACK", name)}
          }`;
      })
    );
    writeFileSync(file("site.conf"), `server_names_hash_bucket_size 128;\n${sites.join("\n")}`);
    front = await WebServer.nginx(program, folder, file("site.conf"), port);
  }, LIMIT);

  afterAll(async () => {
    await front?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function say(text: string, address: Address = front.address): Promise<Client> {
    const client = await Client.connect(address);
    client.send(text);
    return client;
  }

  describe.each(WAYS.flatMap((way) => TRANSPORTS.map((transport) => [way, transport] as const)))(
    "by %s over %s",
    (way, transport) => {
      const host = `${way}-${transport}.test`;

      /** The answer to `text`, in which HOST stands for the virtual host. */
      async function ask(
        text: string,
        address: Address = front.address,
      ): Promise<Awaited<ReturnType<Client["response"]>>> {
        const client = await say(text.replaceAll("HOST", host), address);
        try {
          return await client.response();
        } finally {
          client.destroy();
        }
      }

      /** Both answers, without what differs for a reason. */
      async function both(text: string): Promise<[through: Answer, direct: Answer]> {
        const answers = await Promise.all([front.address, server.address].map(async (address) => {
          const { status, text: json } = await ask(text, address);
          expect(status, json).toBe(200);
          const answer = JSON.parse(json) as Answer;
          for (const { by, leaveOut } of DIFFERENCES) if (by.includes(way)) leaveOut(answer);
          return answer;
        }));
        return answers as [Answer, Answer];
      }

      const FIELDS = "Host: HOST\r\nConnection: close\r\n";

      test.each([
        ["/", "the root"],
        ["/a/b/c.html?d=e&f=%20+", "a path and a query"],
        ["/app/x?y", "a prefix"],
        ["/caf%C3%A9/%E4%BD%A0%E5%A5%BD", "UTF-8"],
        ["/%ff%20%2F%25%41//b/./c", "escapes of all kinds, and what nginx would have merged"],
        ["/x;y=z,(a)!$&'*+~@:", "marks"],
        ["/?", "an empty query"],
        ["/?a=%00%ff??<>", "a query with anything"],
      ])("%s: %s", async (path) => {
        const [through, direct] = await both(`GET ${path} HTTP/1.1\r\n${FIELDS}\r\n`);
        if (way !== "http" && path.startsWith("/app")) {
          Object.assign(direct, { path: direct.path!.toString().slice(4) });
        }
        expect(through).toEqual(direct);
      });

      test("repeated fields, cookies, odd values, and a Host with a port", async () => {
        const [through, direct] = await both(
          'GET /f HTTP/1.1\r\nHost: HOST:8080\r\nX-Repeated: a\r\nx-repeated: b, c\r\nCookie: a=1; b="2"\r\n' +
            "X-Latin: \xe9\xff\r\nX-Empty:\r\nAccept-Language:  de, en;q=0.5 \r\nUser-Agent: x/1 (y; z)\r\nDNT: 1\r\n" +
            "TE: trailers\r\nAuthorization: Basic dTpw\r\nConnection: close\r\n\r\n",
        );
        expect(through).toEqual(direct);
      });

      test.each([["POST", 0], ["POST", 5], ["PUT", 70_000], ["POST", 5_000_000]])(
        "%s with a body of %i bytes",
        async (method, size) => {
          const body = "0123456789".repeat(Math.ceil(size / 10)).slice(0, size);
          const [through, direct] = await both(
            `${method} /b HTTP/1.1\r\n${FIELDS}Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${size}\r\n\r\n${body}`,
          );
          expect(through).toEqual(direct);
          expect(through.bodySha256).toBe(createHash("sha256").update(body).digest("hex"));
        },
      );

      test.each([["/b"], ["/unbuffered"]])("a chunked body, to %s", async (path) => {
        const piece = "x".repeat(1000);
        const body = `${`3e8\r\n${piece}\r\n`.repeat(100)}0\r\nX-Trailer: a\r\n\r\n`;
        const [through, direct] = await both(
          `POST ${path} HTTP/1.1\r\n${FIELDS}Transfer-Encoding: chunked\r\n\r\n${body}`,
        );
        expect(through).toEqual(direct);
        expect(through.bodyLength).toBe(100_000);
      });

      test("Expect: 100-continue is answered by nginx, and the body comes", async () => {
        const client = await say(
          `POST /b HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n`,
        );
        await eventually(() => client.received.startsWith("HTTP/1.1 100 Continue\r\n\r\n"), () => client.received);
        client.send("hello");
        await eventually(() => client.received.includes('"bodyLength":5'), () => client.received);
        client.destroy();
      });

      test("HEAD, 204 and 304 have no body, and their head", async () => {
        for (
          const [line, head] of [
            ["HEAD /", /^HTTP\/1.1 200 OK\r\n(?:.*\r\n)*Content-Length: \d+\r\n/],
            ["GET /status/204", /^HTTP\/1.1 204 No Content\r\n/],
            ["GET /status/304", /^HTTP\/1.1 304 Not Modified\r\n(?:.*\r\n)*ETag: "1"\r\n/],
          ] as const
        ) {
          const client = await say(`${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
          await eventually(() => client.ending !== null, () => client.received);
          expect(client.received).toMatch(head);
          expect(client.received).toMatch(/\r\n\r\n$/);
          client.destroy();
        }
      });

      test("streams and large bodies arrive whole", async () => {
        expect((await ask(`GET /stream HTTP/1.1\r\n${FIELDS}\r\n`)).text).toBe(
          "chunk0\nchunk1\nchunk2\nchunk3\nchunk4\n",
        );
        const { text } = await ask(`GET /big HTTP/1.1\r\n${FIELDS}\r\n`);
        expect(text.length).toBe(800 * 65_536);
      });

      test.each(
        [
          ["/broken/length", WAYS],
          // In uwsgi and SCGI only the connection's end tells, as in HTTP/1.0.
          ["/broken/stream", ["http", "fastcgi"]],
        ] as const,
      )("a response that breaks off is no whole one: %s", async (path, ways) => {
        const client = await say(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        const over = (): boolean => client.ending !== null || client.received.includes("\r\n0\r\n\r\n");
        await eventually(over, () => client.received);
        expect(client.received).toContain("begun");
        expect(client.received.includes("\r\n0\r\n\r\n")).toBe(!(ways as readonly Way[]).includes(way));
        client.destroy();
      });

      /** The rest of the environ, by the scheme that the client has spoken. */
      async function environ(tls: boolean, more = "", path = "/app/x"): Promise<Record<string, unknown>> {
        const text = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nX-Environ: 1\r\n${more}Connection: close\r\n\r\n`;
        const client = tls
          ? await Client.connectTls({ host: "127.0.0.1", port: secure }, {
            rejectUnauthorized: false,
            servername: host,
          })
          : await Client.connect(front.address);
        client.send(text);
        const response = await client.response();
        const port = String(client.socket.localPort);
        client.destroy();
        return { ...(JSON.parse(response.text) as object), port };
      }

      const port = (): string => "port" in front.address ? String(front.address.port) : "";

      if (way !== "http") {
        test("the client, the scheme, the server and the mount are what nginx tells", async () => {
          const plain = await environ(false);
          expect(plain).toEqual({
            SCRIPT_NAME: "/app",
            PATH_INFO: "/x",
            SERVER_NAME: host,
            SERVER_PORT: port(),
            REMOTE_ADDR: "127.0.0.1",
            REMOTE_PORT: plain.port,
            HTTP_HOST: host,
            "esgi.url_scheme": "http",
            port: plain.port,
          });
          expect(await environ(true)).toMatchObject({ "esgi.url_scheme": "https", SERVER_PORT: String(secure) });
          expect(await environ(false, "", "/app")).toMatchObject({ SCRIPT_NAME: "/app", PATH_INFO: "" });
          expect(await environ(false, "", "/application")).toMatchObject({
            SCRIPT_NAME: "",
            PATH_INFO: "/application",
          });
          expect(await environ(false, "", "/x/")).toMatchObject({ SCRIPT_NAME: "", PATH_INFO: "/x/" });
        });

        test("HTTP_PROXY is left out, and nothing can be upgraded", async () => {
          const told = await environ(false, "Proxy: http://evil\r\nUpgrade: websocket\r\n");
          for (const key of ["HTTP_PROXY", "esgi.upgrade", "esgi.early_hints"]) expect(told).not.toHaveProperty([key]);
        });
      }

      test("a client that leaves aborts the request, and the server serves on", async () => {
        for (let i = 0; i < 3; i++) {
          const client = await say(`GET /slow HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          client.destroy();
        }
        expect((await ask(`GET / HTTP/1.1\r\n${FIELDS}\r\n`)).status).toBe(200);
      });
    },
  );
}
