// The echo example gives the same answer for the same request directly, through nginx by HTTP, uwsgi, FastCGI and SCGI, and
// through Apache by these and CGI, but for the differences in one table. That a difference is listed where there is none is
// a mistake, too. docs/gateway-protocols.md has the same table.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onEachKind, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { APACHE, type Front, Fronts, NGINX, type Way, type WebServerName } from "./fronts.ts";
import { findProgram } from "./support.ts";

const LIMIT = 120_000;

/** What a request was answered: the application's echo. */
interface Answer {
  status: number;
  /** Null when somebody else has answered. */
  environ: Record<string, string> | null;
  headers: [name: string, value: string][];
  trailers: unknown[];
  bodyLength: number;
  more: string[];
  [key: string]: unknown;
}

/** The answers to one request that was made in two ways; a difference makes them more alike. */
interface Pair {
  readonly direct: Answer;
  readonly through: Answer;
  readonly front: Front;
  readonly tls: boolean;
  /** Where the web server listens. */
  readonly port: string;
}

interface Difference {
  /** As in the documentation. */
  readonly what: string;
  readonly by: (front: Front, runtime: TestRuntime) => boolean;
  /** Makes of the direct answer what the front has made of it; of both what they have in common, where that is no rule. */
  readonly change: (pair: Pair) => void;
}

const field = ({ headers }: Answer, name: string): string | undefined =>
  headers.find(([one]) => one.toLowerCase() === name)?.[1];

function dropFields(answer: Answer, ...names: string[]): void {
  answer.headers = answer.headers.filter(([name]) => !names.includes(name.toLowerCase()));
  for (const name of names) delete answer.environ?.[`HTTP_${name.toUpperCase().replaceAll("-", "_")}`];
}

/** Nobody's echo. */
const NOTHING = { environ: null, headers: [], trailers: [], bodyLength: 0, more: [] };

/** Another answer in the place of the application's. */
function answerWith({ direct }: Pair, status: number): void {
  for (const key of Object.keys(direct)) delete direct[key];
  Object.assign(direct, structuredClone(NOTHING), { status });
}

const http = ({ way }: Front): boolean => way === "http";
const cgiLike = ({ way }: Front): boolean => way !== "http";
const nginx = ({ server }: Front): boolean => server === "nginx";
const apache = ({ server }: Front): boolean => server === "Apache";
const oneOf = (...ways: Way[]) => ({ way }: Front): boolean => ways.includes(way);

const DIFFERENCES: readonly Difference[] = [
  {
    what: "`OPTIONS *` is answered by the web server: 400 by nginx, 200 by Apache",
    by: () => true,
    change: (pair) => {
      if (pair.direct.target === "*") answerWith(pair, nginx(pair.front) ? 400 : 200);
    },
  },
  {
    what: "a chunked body is refused: with 411 by Apache, in CGI with 400 by Tricorn",
    by: (front) => apache(front) && oneOf("uwsgi", "scgi", "cgi")(front),
    change: (pair) => {
      if (pair.direct.environ?.HTTP_TRANSFER_ENCODING !== undefined) {
        answerWith(pair, pair.front.way === "cgi" ? 400 : 411);
      }
    },
  },
  {
    what: "`Connection` is `close`, `Keep-Alive`, or not there; `TE` is not",
    by: () => true,
    change: ({ direct, through }) => {
      for (const one of [direct, through]) dropFields(one, "connection", "te");
    },
  },
  {
    what: "an `Upgrade` is not passed on, unless told to",
    by: () => true,
    change: ({ direct }) => {
      dropFields(direct, "upgrade");
      direct.more = direct.more.filter((key) => key !== "esgi.upgrade");
    },
  },
  {
    what: "`esgi.early_hints` is not there",
    by: cgiLike,
    change: ({ direct }) => {
      direct.more = direct.more.filter((key) => key !== "esgi.early_hints");
    },
  },
  {
    what: "`Proxy` is not there",
    by: cgiLike,
    change: ({ direct }) => dropFields(direct, "proxy"),
  },
  {
    what: "fields with `_` in their names are not there",
    by: (front) => nginx(front) || cgiLike(front),
    change: ({ direct }) => {
      direct.headers = direct.headers.filter(([name]) => !name.includes("_"));
    },
  },
  {
    what: '`X-Forwarded-For` and `X-Forwarded-Proto` are there, and `REMOTE_PORT` is `""`',
    by: http,
    change: ({ direct, tls }) => {
      if (direct.environ === null) return;
      const [address, scheme] = ["127.0.0.1", tls ? "https" : "http"];
      direct.headers.push(["X-Forwarded-For", address], ["X-Forwarded-Proto", scheme]);
      Object.assign(direct.environ, {
        HTTP_X_FORWARDED_FOR: address,
        HTTP_X_FORWARDED_PROTO: scheme,
        REMOTE_PORT: "",
      });
    },
  },
  {
    what: "`SERVER_NAME` and `SERVER_PORT` are those of the web server's side",
    by: () => true,
    change: ({ direct, through, front, tls, port }) => {
      if (direct.environ === null || through.environ === null) return;
      if (http(front)) {
        // The connection's end, and a unix socket has none.
        const local = { SERVER_NAME: "127.0.0.1", SERVER_PORT: through.environ.SERVER_PORT };
        Object.assign(
          direct.environ,
          front.transport === "tcp" ? local : { SERVER_NAME: "localhost", SERVER_PORT: "80" },
        );
        return;
      }
      // nginx: where it listens. Apache: what the client's Host says, or the scheme.
      const asked = /:(\d+)$/.exec(direct.environ.HTTP_HOST!)?.[1] ?? (tls ? "443" : "80");
      Object.assign(direct.environ, { SERVER_NAME: front.host, SERVER_PORT: nginx(front) ? port : asked });
    },
  },
  {
    what: "below the prefix: `SCRIPT_NAME` is the prefix, and `PATH_INFO` has it no more",
    by: (front) => cgiLike(front) && !(apache(front) && front.way === "scgi"),
    change: ({ direct }) => {
      const path = String(direct.path);
      if (direct.environ === null || !/^\/app(?:\/|$)/.test(path)) return;
      direct.path = path.slice(4);
      Object.assign(direct.environ, { SCRIPT_NAME: "/app", PATH_INFO: path.slice(4) });
    },
  },
  {
    what: "an absolute target is made a path",
    by: (front) => http(front) || nginx(front),
    change: ({ direct }) => {
      if (direct.environ === null) return;
      direct.target = direct.environ["esgi.target"] = String(direct.target).replace(/^http:\/\/[^/]+/, "");
    },
  },
  {
    what: "beside an absolute target, `Host` is as the field says by nginx, as the target says by Apache",
    by: (front) => http(front) || apache(front),
    change: ({ direct, front }) => {
      if (direct.environ === null) return;
      const { HTTP_HOST: host } = direct.environ;
      if (nginx(front)) direct.environ.HTTP_HOST = field(direct, "host")!;
      else direct.headers = direct.headers.map(([name, value]) => [name, name === "Host" ? host! : value]);
    },
  },
  {
    what: "HTTP/1.0 is passed on as HTTP/1.1",
    by: http,
    change: ({ direct }) => {
      if (direct.environ !== null) direct.protocol = direct.environ.SERVER_PROTOCOL = "HTTP/1.1";
    },
  },
  {
    what: "a chunked body has `Content-Length`, a large one of Apache's not",
    by: (front) => nginx(front) || oneOf("http", "fastcgi")(front),
    change: ({ direct, front }) => {
      if (direct.environ?.HTTP_TRANSFER_ENCODING === undefined || (apache(front) && direct.bodyLength > 10_000)) return;
      dropFields(direct, "transfer-encoding");
      direct.headers.push(["Content-Length", String(direct.bodyLength)]);
      direct.environ.CONTENT_LENGTH = String(direct.bodyLength);
    },
  },
  {
    what: "trailers are lost",
    by: (front) => nginx(front) || oneOf("http", "fastcgi")(front),
    change: ({ direct }) => {
      direct.trailers = [];
    },
  },
  {
    what: "`Content-Length: 0` is not there",
    by: oneOf("scgi"),
    change: ({ direct }) => {
      if (direct.environ?.CONTENT_LENGTH !== "0") return;
      dropFields(direct, "content-length");
      delete direct.environ.CONTENT_LENGTH;
    },
  },
  {
    what: "`Host` has no port",
    by: (front) => nginx(front) && cgiLike(front),
    change: ({ direct }) => {
      if (direct.environ === null) return;
      direct.headers = direct.headers.map((
        [name, value],
      ) => [name, name === "Host" ? value.replace(/:\d+$/, "") : value]);
      direct.environ.HTTP_HOST = direct.environ.HTTP_HOST!.replace(/:\d+$/, "");
    },
  },
  {
    what: "repeated fields are one, with commas between the values, `Cookie` too",
    by: apache,
    change: ({ direct }) => {
      if (direct.environ === null) return;
      const all = new Map<string, [name: string, value: string]>();
      for (const [name, value] of direct.headers) {
        const before = all.get(name.toLowerCase());
        all.set(name.toLowerCase(), before === undefined ? [name, value] : [before[0], `${before[1]}, ${value}`]);
      }
      direct.headers = [...all.values()];
      const cookie = field(direct, "cookie");
      if (cookie !== undefined) direct.environ.HTTP_COOKIE = cookie;
    },
  },
  {
    what: "values that are not UTF-8 are not there, on Deno without `-A`",
    by: (front, { kind }) => kind === "deno" && front.way === "cgi",
    change: ({ direct }) => {
      if (direct.environ === null) return;
      const isUtf8 = (value: string): boolean => !Buffer.from(value, "latin1").toString().includes("\ufffd");
      dropFields(direct, ...direct.headers.filter(([, value]) => !isUtf8(value)).map(([name]) => name.toLowerCase()));
    },
  },
  {
    what: "names of fields are `Like-This`",
    by: cgiLike,
    change: ({ direct }) => {
      direct.headers = direct.headers.map(([name, value]) => [
        name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase()),
        value,
      ]);
    },
  },
  {
    what: "the order of fields",
    by: (front) => http(front) || front.way === "cgi",
    change: (pair) => {
      for (const one of [pair.direct, pair.through]) {
        one.headers.sort((a, b) => a[0].toLowerCase() < b[0].toLowerCase() ? -1 : 1);
      }
    },
  },
];

/** Of an answer without a body, which has no echo. */
const OF_HEAD = {
  what: "the answer to HEAD has no `Content-Length`",
  by: (front: Front): boolean => apache(front) && oneOf("fastcgi", "scgi", "cgi")(front),
};

// Each request is made as it stands; HOST is the virtual host.
const FIELDS = "Host: HOST\r\nX-Environ: 1\r\nConnection: close\r\n";
const request = (line: string, more = "", body = ""): string => `${line} HTTP/1.1\r\n${FIELDS}${more}\r\n${body}`;
const LARGE = "0123456789".repeat(300_000);
const chunks = (data: string): string => `${data.length.toString(16)}\r\n${data}\r\n0\r\nX-Trailer: a\r\n\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";

interface Case {
  readonly name: string;
  readonly text: string;
  readonly tls?: boolean;
}

const CASES: readonly Case[] = [
  { name: "the root", text: request("GET /") },
  { name: "a path and a query", text: request("GET /a/b/c.html?d=e&f=%20+") },
  { name: "a path below the prefix", text: request("GET /app/x?y") },
  { name: "the prefix itself", text: request("GET /app") },
  { name: "what only begins as the prefix", text: request("GET /application") },
  { name: "escapes below the prefix", text: request("GET /app/%2Fx%25//caf%C3%A9/%3F%23") },
  { name: "UTF-8", text: request("GET /caf%C3%A9/%E4%BD%A0%E5%A5%BD") },
  { name: "escapes of all kinds, and what is merged in files' names", text: request("GET /%ff%20%2F%25%41//b") },
  { name: "dots", text: request("GET /a/../b/./c") },
  { name: "marks", text: request("GET /x;y=z,(a)!$&'*+~@:") },
  { name: "an empty query", text: request("GET /?") },
  { name: "a query with anything", text: request("GET /?a=%00%ff??<>") },
  { name: "a query of words, which are a CGI program's arguments", text: request("GET /?--version+b") },
  { name: "an absolute target", text: request("GET http://HOST:80/b?c") },
  {
    name: "repeated fields, a Host with a port, odd values",
    text:
      "GET /f HTTP/1.1\r\nHost: HOST:8080\r\nX-Environ: 1\r\nX-Repeated: a\r\nx-repeated: b, c\r\nX-Latin: \xe9\xff\r\n" +
      "X-Utf: \xc3\xa9\r\nX-Empty:\r\nAccept-Language:  de, en;q=0.5 \r\nUser-Agent: x/1 (y; z)\r\nDNT: 1\r\n" +
      "TE: trailers\r\nAuthorization: Basic dTpw\r\nX_Under: a\r\nProxy: http://evil\r\nConnection: close\r\n\r\n",
  },
  { name: "cookies", text: request("GET /", 'Cookie: a=1; b="2"\r\n') },
  { name: "repeated cookies", text: request("GET /", "Cookie: a=1\r\nCookie: b=2\r\n") },
  {
    name: "an upgrade",
    text: request("GET /").replace("Connection: close", "Connection: Upgrade\r\nUpgrade: websocket"),
  },
  { name: "POST without a body", text: request("POST /b") },
  { name: "an empty body", text: request("POST /b", "Content-Length: 0\r\n") },
  {
    name: "a body",
    text: request("POST /b", "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n", "hello"),
  },
  { name: "a large body", text: request("PUT /b", `Content-Length: ${LARGE.length}\r\n`, LARGE) },
  { name: "a chunked body", text: request("POST /b", CHUNKED, chunks("hello")) },
  { name: "a large chunked body", text: request("POST /b", CHUNKED, chunks(LARGE.slice(0, 100_000))) },
  { name: "OPTIONS", text: request("OPTIONS /b") },
  { name: "OPTIONS *", text: request("OPTIONS *") },
  { name: "a method of nobody's", text: request("BREW /b") },
  { name: "HTTP/1.0", text: `GET /b HTTP/1.0\r\n${FIELDS}\r\n` },
  { name: "HTTPS", text: request("GET /x"), tls: true },
];

const programs = new Map<WebServerName, string>();
for (const [name, program] of [["nginx", findProgram("nginx")], ["Apache", findProgram("apache2")]] as const) {
  if (program !== null) programs.set(name, program);
  else test.skip(`${name} is not here: apt-get install nginx apache2`, () => {});
}
const FRONTS = [...NGINX, ...APACHE].filter(({ server }) => programs.has(server));

test("docs/gateway-protocols.md lists the differences, each with its reason", () => {
  const document = readFileSync(`${ROOT}docs/gateway-protocols.md`, "utf8");
  const [, table] = /## What differs from a direct request\n([^]*?)\n## /.exec(document)!;
  const rows = [...table!.matchAll(/^\| (.*?) +\| (.*?) +\| (.*?) +\|$/gm)].slice(2);
  expect(rows.map(([, what]) => what)).toEqual([...DIFFERENCES, OF_HEAD].map(({ what }) => what));
  for (const [, what, by, reason] of rows) expect([what, by, reason]).not.toContain("");
});

onEachKind("the echo example", (runtime) => {
  let fronts: Fronts;
  beforeAll(async () => {
    fronts = await Fronts.start(runtime, programs);
  }, LIMIT);
  afterAll(() => fronts?.stop());

  /** The answer through `front`, or without one. `host` is what HOST stands for. */
  async function ask(text: string, front: Front | null, host: string, tls: boolean): Promise<Answer> {
    const client = await fronts.connect(front, tls);
    try {
      client.send(text.replaceAll("HOST", host));
      const { status, text: body, field } = await client.response();
      if (field("Content-Type") !== "application/json") return { ...NOTHING, status };
      const answer = { status, ...JSON.parse(body) as Omit<Answer, "status"> } as Answer;
      const { environ } = answer;
      if (environ?.REMOTE_PORT === String(client.socket.localPort)) environ.REMOTE_PORT = "the client's";
      return answer;
    } finally {
      client.destroy();
    }
  }

  /** What has occurred: differences by virtual host. */
  const occurred = new Set<string>();

  test.each(CASES)("$name", async ({ text, tls = false }) => {
    await Promise.all(FRONTS.map(async (front) => {
      const { host } = front;
      const [direct, through] = await Promise.all([ask(text, null, host, tls), ask(text, front, host, tls)]);
      expect(direct.environ, host).not.toBeNull();
      const port = String((fronts.address(front, tls) as { port: number }).port);
      const listed = DIFFERENCES.filter(({ by }) => by(front, runtime));
      const without = (left: Difference | null): Pair => {
        const pair = { direct: structuredClone(direct), through: structuredClone(through), front, tls, port };
        for (const difference of listed) if (difference !== left) difference.change(pair);
        return pair;
      };
      const pair = without(null);
      expect(pair.through, host).toEqual(pair.direct);
      for (const difference of listed) {
        const { direct, through } = without(difference);
        if (!isSame(direct, through)) occurred.add(`${difference.what}: ${host}`);
      }
    }));
  }, LIMIT);

  test("each difference that is listed has occurred", () => {
    for (const { what, by } of DIFFERENCES) {
      const hosts = FRONTS.filter((front) => by(front, runtime)).map(({ host }) => host);
      expect(hosts.filter((host) => !occurred.has(`${what}: ${host}`)), what).toEqual([]);
    }
  });

  test("a body arrives as it was sent", async () => {
    const sha256 = createHash("sha256").update(LARGE).digest("hex");
    const text = request("PUT /b", `Content-Length: ${LARGE.length}\r\n`, LARGE);
    await Promise.all(FRONTS.map(async (front) => {
      expect((await ask(text, front, front.host, false)).bodySha256, front.host).toBe(sha256);
    }));
  }, LIMIT);

  test.each([
    ["HEAD /", 200, "Content-Length", OF_HEAD.by],
    ["GET /status/204", 204, null, () => false],
    ["GET /status/304", 304, "ETag", () => false],
  ])("%s has no body, and its head", async (line, status, name, lacks) => {
    const answers = await Promise.all([null, ...FRONTS].map(async (front) => {
      const host = front?.host ?? "direct";
      const client = await fronts.connect(front);
      client.send(request(line).replace("X-Environ: 1\r\n", "").replaceAll("HOST", host));
      const { rest } = await client.ended();
      client.destroy();
      expect(rest, host).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*\r\n\r\n$`));
      expect(rest.indexOf("\r\n\r\n"), host).toBe(rest.length - 4);
      return { host, rest };
    }));
    const without = answers.filter(({ rest }) => name !== null && !rest.includes(`\r\n${name}: `));
    expect(without.map(({ host }) => host)).toEqual(FRONTS.filter(lacks).map(({ host }) => host));
  }, LIMIT);
});

function isSame(a: unknown, b: unknown): boolean {
  const sorted = (value: unknown): string =>
    JSON.stringify(
      value,
      (_, one: unknown) =>
        typeof one === "object" && one !== null && !Array.isArray(one)
          ? Object.fromEntries(Object.entries(one).toSorted(([x], [y]) => x < y ? -1 : 1))
          : one,
    );
  return sorted(a) === sorted(b);
}
