// docs/troubleshooting.md: each symptom is provoked with real processes, and the lines that the text quotes are among those
// that are printed. Where a symptom cannot be provoked here, the quoted words stand at least in the source.

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import * as tls from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../deployment/support.ts";
import { Client } from "../support/client.ts";
import { ROOT } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { DocumentProject, TRICORN } from "./project.ts";
import { ask, type Block, blocksOf, children, endAll, freePort, missing, type Served } from "./support.ts";

const TEXT = readFileSync(join(ROOT, "docs/troubleshooting.md"), "utf8");
const nginx = findProgram("nginx");

const APPLICATION = `
const text = [["Content-Type", "text/plain"]];
export default async (environ, startResponse) => {
  switch (environ.PATH_INFO) {
    case "/throws": throw new Error("no tea");
    case "/never": return await new Promise(() => {});
    case "/stuck": for (;;);
    case "/exit": process.exit(7);
    case "/short": startResponse("200 OK", [...text, ["Content-Length", "10"]]); return "1234567";
    case "/body": await environ["esgi.input"].bytes();
  }
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  const { REMOTE_ADDR: address, "esgi.url_scheme": scheme, "esgi.upgrade": upgrade = null } = environ;
  return JSON.stringify({ address, scheme, upgrade });
};
`;

const SITE = `
import { CsrfViewMiddleware, defineUrls, Handler, HttpResponse, path, SecurityMiddleware } from "tricorn/handler";

export const { application } = new Handler({
  ALLOWED_HOSTS: ["shop.test"],
  SECRET_KEY: "of this test",
  SECURE_SSL_REDIRECT: process.env.TO_TLS !== undefined,
  MIDDLEWARE: [SecurityMiddleware, CsrfViewMiddleware],
  ROOT_URLCONF: defineUrls([path("", (request) => new HttpResponse(request.getHost()))]),
});
`;

const FILES: Readonly<Record<string, string>> = {
  "app.mjs": APPLICATION,
  "app.ts": "export default { fetch: () => new Response('hello') };\n",
  "serve.ts": "export {};\n",
  "site.mjs": SITE,
  "empty.mjs": "export const shop = 1;\n",
  "throws.mjs": 'throw new Error("no database");\n',
  "dies.mjs": "setTimeout(() => process.exit(7), 100);\nexport default () => null;\n",
  "changing.mjs": APPLICATION,
};

let project: DocumentProject;

beforeAll(async () => {
  project = await DocumentProject.make("troubleshooting");
  for (const [name, text] of Object.entries(FILES)) project.write(name, text);
  const words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost";
  await project.run(`openssl ${words}`);
});
afterAll(async () => {
  await endAll();
  project.remove();
});

/** One as good as another: the time, process ids, ports, figures, and where the project is. */
function likeness(text: string): string {
  return text
    .replaceAll(/^\[[\d: +-]+\] \[\d+\] /gm, "")
    .replaceAll(project.folder, "/srv/shop")
    .replaceAll("changing.mjs", "app.mjs")
    .replaceAll(/\b(pid[: ]|Worker )\d+\b/g, "$1N")
    .replaceAll(/127\.0\.0\.1:\d+/g, "HOST")
    .replaceAll(/\b[\d.]+ (?=s\b|MiB\b)/g, "N ");
}

/** What a command says that ends by itself, however it ends. */
const says = (command: string): Promise<string> => project.run(command).catch((error: Error) => error.message);
const fails = (words: string): Promise<string> => says(`${TRICORN.node} ${words}`);

/** `tricorn serve` with these words; what it has said when `provoke` is over. */
async function serving(words: string, provoke: (served: Served) => Promise<unknown>): Promise<string> {
  const served = await project.start(`${TRICORN.node} serve ${words} --bind 127.0.0.1:8000`);
  try {
    await started(served);
    await provoke(served);
    return served.stdout + served.stderr;
  } finally {
    served.destroy();
  }
}

/** The same, for all that want nothing but an application: one server has them all. */
async function plainly(provoke: (served: Served) => Promise<unknown>): Promise<string> {
  plain ??= project.start(`${TRICORN.node} serve app.mjs --bind 127.0.0.1:8000`);
  const served = await plain;
  await started(served);
  await provoke(served);
  return served.stderr;
}
let plain: Promise<Served> | null = null;

function started(served: Served): Promise<void> {
  return eventually(() => {
    if (served.ended !== null) throw new Error(`it ended with ${served.ended}:\n${served.stderr}`);
    return /Listening at:/.test(served.stderr) && (!/Starting.*\n.*Booting/.test(served.stderr) || ready(served) > 0);
  }, () => served.stderr);
}

const ready = (served: Served): number => served.stderr.match(/\(pid:\d+\) is ready/g)?.length ?? 0;

const heard = (served: Served, pattern: RegExp): Promise<void> =>
  eventually(() => pattern.test(served.stderr), () => `${pattern} is not in\n${served.stderr}`);

const connect = ({ port }: Served): Promise<Client> => Client.connect({ host: "127.0.0.1", port });

/** Sends `request` and waits for an answer with this status. */
async function answered(served: Served, status: number, request: string): Promise<void> {
  const before = served.stderr.length;
  const client = await connect(served);
  client.send(request);
  expect((await client.response()).status).toBe(status);
  client.destroy();
  // Its line may come later than the answer.
  if (status >= 400) await eventually(() => served.stderr.length > before, () => "nothing is logged");
}

const get = (fields: string, path = "/"): string => `GET ${path} HTTP/1.1\r\n${fields}\r\n`;
const HOST = "Host: shop.test\r\n";

/** A server that waits for its `limit` in vain. */
const waitsFor = (setting: string, status: number, request: string): Promise<string> =>
  serving(`app.mjs ${setting} 0.2`, (served) => answered(served, status, request));

interface Front {
  readonly port: number;
  stderr(): string;
}

/** nginx before a server, with these locations; `UPSTREAM` in them is the server. */
async function behindNginx(
  served: { readonly port: number },
  locations: string,
  body: (front: Front) => Promise<void>,
): Promise<string> {
  const port = await freePort();
  const { folder } = project;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; ${process.getuid?.() === 0 ? "user www-data;" : ""} worker_processes 1; pid ${folder}/nginx.pid;
error_log stderr; events {}
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path /tmp/nginx-${port}-${name};`).join(" ").replaceAll("/tmp", folder)}
  server { listen 127.0.0.1:${port}; ${locations.replaceAll("UPSTREAM", `http://127.0.0.1:${served.port}`)} }
}
`,
  );
  const words = ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")];
  const child: ChildProcess = spawn(nginx!, words, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  children.add(child);
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => stderr += text);
  child.on("close", () => children.delete(child));
  try {
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(stderr);
      return await ask({ host: "127.0.0.1", port, path: "/up" }).then(() => true, () => false);
    }, () => `nginx does not answer:\n${stderr}`);
    await body({ port, stderr: () => stderr });
    return stderr;
  } finally {
    child.kill("SIGTERM");
    await eventually(() => !children.has(child), () => "nginx does not end");
  }
}

/** `provoke` gives the text in which all lines that the entry quotes must be; or no text, where it quotes none. */
interface Entry {
  readonly provoke?: () => Promise<string | void>;
  /** Words of the entry that must be in the source, since nobody can provoke them here. */
  readonly words?: readonly string[];
  /** Where the entry's promise is tested, or why it cannot be. */
  readonly elsewhere?: string;
  readonly needs?: "nginx" | "deno" | "old node" | "linux";
}

const OLD_NODE = (process.features as { typescript?: unknown }).typescript ? "this Node loads TypeScript" : null;

function missingFor(needs: Entry["needs"]): string | null {
  if (needs === "nginx") return nginx === null ? "nginx is not here" : null;
  if (needs === "deno") return missing("deno");
  if (needs === "old node") return OLD_NODE;
  if (needs === "linux") return process.platform === "linux" ? null : "this is not Linux";
  return null;
}

const ENTRIES: Readonly<Record<string, Entry>> = {
  "The address is in use": {
    async provoke() {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      const text = await fails(`serve app.mjs --bind 127.0.0.1:${port}`);
      await new Promise((resolve) => server.close(resolve));
      return text;
    },
  },
  "The port is below 1024": {
    words: ["ports below 1024 need a privilege (CAP_NET_BIND_SERVICE): grant it, or choose another port with --bind"],
  },
  "The unix socket cannot be made": {
    async provoke() {
      const long = `/srv/shop${"/a-long-path".repeat(9)}`;
      const here = project.folder;
      const texts = [`unix:${long}`, `unix:${here}/missing/sock`, `unix:${here}/app.mjs`].map((bind) =>
        fails(`serve app.mjs -b ${bind}`)
      );
      return (await Promise.all(texts)).join("\n");
    },
    words: ["permission denied"],
  },
  "Node does not load TypeScript": {
    needs: "old node",
    provoke: () => says(`${process.execPath} serve.ts`),
    words: ["does not load TypeScript by itself"],
  },
  "The application cannot be loaded": {
    async provoke() {
      const texts = ["missing.mjs", "empty.mjs", "throws.mjs"].map((name) => fails(`serve ${name}`));
      return (await Promise.all(texts)).join("\n");
    },
  },
  "A flag or a setting is not known": {
    async provoke() {
      project.write("shop.config.json", '{ "worker": 2 }');
      return [
        await fails("serve app.mjs --worker 2"),
        await fails("serve app.mjs --config shop.config.json"),
        await fails("serve app.mjs --max-requests 5"),
      ].join("\n");
    },
  },
  "Deno asks, or refuses": {
    needs: "deno",
    async provoke() {
      const deno = (flags: string, words: string): Promise<string> =>
        says(`deno run --no-prompt ${flags} npm:tricorn serve app.mjs ${words}`);
      return `${await deno("", "")}\n${await deno("--allow-read --allow-net=127.0.0.1:0", "-b 127.0.0.1:0 -w 1")}`;
    },
  },
  "It is running already": {
    async provoke() {
      let said = "";
      await serving("app.mjs --pid pid", async () => {
        said = await fails("serve app.mjs --pid pid --bind 127.0.0.1:0");
      });
      return said;
    },
  },
  "The workers do not start": {
    async provoke() {
      return `${await fails("serve throws.mjs -w 1 -b 127.0.0.1:0")}\n${await fails(
        "serve dies.mjs -w 1 --max-restarts 2 -b 127.0.0.1:0",
      )}`;
    },
  },
  "The certificate is not taken": { provoke: () => fails("serve app.mjs --certfile app.mjs --keyfile app.mjs") },
  "400, and the browser works": {
    provoke: () => plainly((served) => answered(served, 400, get(""))),
  },
  "400, or nothing, because of TLS": {
    async provoke() {
      const plain = await plainly(async (served) => {
        const socket = tls.connect({ host: "127.0.0.1", port: served.port, rejectUnauthorized: false });
        socket.on("error", () => {});
        await heard(served, /a TLS handshake where/);
        socket.destroy();
      });
      const secure = await serving("app.mjs --certfile cert.pem --keyfile key.pem", async (served) => {
        const client = await connect(served);
        client.send(get(HOST));
        await heard(served, /Refused/);
        client.destroy();
      });
      return plain + secure;
    },
  },
  "400 behind a proxy": {
    provoke: () =>
      plainly(async (served) => {
        await answered(served, 400, get(`${HOST}X-Real-IP: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n`));
        await answered(served, 400, get(`${HOST}X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n`));
      }),
  },
  "400 by a Handler: the host is not allowed": {
    provoke: () => serving("site.mjs", (served) => answered(served, 400, get("Host: shop.example\r\n"))),
  },
  "403 by a Handler: the form is refused": {
    provoke: () =>
      serving("site.mjs", (served) =>
        answered(
          served,
          403,
          `POST / HTTP/1.1\r\n${HOST}Origin: https://shop.test\r\nContent-Length: 0\r\n\r\n`,
        )),
  },
  "408 Request Timeout": {
    async provoke() {
      const head = await waitsFor("--header-timeout", 408, "GET / HTTP/1.1\r\n");
      return head + await waitsFor("--body-timeout", 408, `POST /body HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nab`);
    },
  },
  "413 Content Too Large": {
    needs: "nginx",
    async provoke() {
      let text = "";
      const log = await serving("app.mjs --limit-request-body 10", async (served) => {
        await answered(served, 413, `POST / HTTP/1.1\r\n${HOST}Content-Length: 11\r\n\r\n`);
        const locations = "location / { proxy_pass UPSTREAM; client_max_body_size 10; }";
        text = await behindNginx(served, locations, async ({ port, stderr }) => {
          expect((await ask({ host: "127.0.0.1", port, method: "POST" }, "0123456789a")).status).toBe(413);
          await eventually(() => stderr().includes("too large body"), stderr);
        });
      });
      return log + text;
    },
    words: ["RequestDataTooBig"],
  },
  "414 and 431": {
    provoke: () =>
      plainly(async (served) => {
        await answered(served, 414, get(HOST, `/${"a".repeat(8200)}`));
        await answered(served, 431, get(`${HOST}Cookie: ${"a".repeat(8200)}\r\n`));
      }),
  },
  "500 Internal Server Error": {
    provoke: () => plainly((served) => answered(served, 500, get(HOST, "/throws"))),
  },
  "503 Service Unavailable": {
    async provoke() {
      const connections = await serving("app.mjs --worker-connections 1", async (served) => {
        const idle = await connect(served);
        idle.send(get(HOST));
        await idle.response();
        await answered(served, 503, get(HOST));
        idle.destroy();
      });
      const requests = await serving("app.mjs --limit-concurrency 1 --queue-timeout 0.2", async (served) => {
        const first = await connect(served);
        first.send(get(HOST, "/never"));
        // One of the two is first, and the other one waits.
        const second = await connect(served);
        second.send(get(HOST, "/never"));
        await heard(served, /limit_concurrency/);
        first.destroy();
        second.destroy();
      });
      return connections + requests;
    },
  },
  "504 Gateway Timeout": { provoke: () => waitsFor("--request-timeout", 504, get(HOST, "/never")) },
  "A response breaks off, or hangs until a timeout": {
    provoke: () =>
      plainly(async (served) => {
        const client = await connect(served);
        client.send(get(HOST, "/short"));
        await heard(served, /broke a rule/);
        client.destroy();
      }),
  },
  "502 from nginx": {
    needs: "nginx",
    async provoke() {
      const closed = await project.start(`${TRICORN.node} serve app.mjs --bind unix:closed.sock`);
      const dying = await project.start(`${TRICORN.node} serve app.mjs --bind 127.0.0.1:8000`);
      try {
        await started(closed);
        await started(dying);
        // nobody's, where nginx is root's; and where it is not, its owner's neither.
        chmodSync(project.path("closed.sock"), 0);
        chmodSync(project.folder, 0o755);
        const nobody = await freePort();
        return await behindNginx(
          dying,
          `location /nobody { proxy_pass http://127.0.0.1:${nobody}; }
          location /closed { proxy_pass http://unix:${project.folder}/closed.sock; }
          location /exit { proxy_pass UPSTREAM; }`,
          async ({ port }) => {
            for (const path of ["/nobody", "/closed", "/exit"]) {
              expect([path, (await ask({ host: "127.0.0.1", port, path })).status]).toEqual([path, 502]);
            }
          },
        );
      } finally {
        closed.destroy();
        dying.destroy();
      }
    },
  },
  "504 from nginx": {
    needs: "nginx",
    async provoke() {
      let text = "";
      await plainly(async (served) => {
        text = await behindNginx(
          served,
          "location /never { proxy_pass UPSTREAM; proxy_read_timeout 200ms; }",
          async ({ port }) => {
            expect((await ask({ host: "127.0.0.1", port, path: "/never" })).status).toBe(504);
          },
        );
      });
      return text;
    },
  },
  "The address of the client is wrong": {
    needs: "nginx",
    provoke: () =>
      whatIsSeen("--forwarded-allow-ips 192.0.2.1", { told: { address: "127.0.0.1" }, bare: { address: "127.0.0.1" } })
        .then(() => whatIsSeen("", { told: { address: "127.0.0.2" }, bare: { address: "6.6.6.6" } })),
  },
  "The scheme is wrong, or redirects go in a circle": {
    needs: "nginx",
    async provoke() {
      await whatIsSeen("", { told: { scheme: "https" }, bare: { scheme: "http" } });
      const served = await project.start(`env TO_TLS=1 ${TRICORN.node} serve site.mjs --bind 127.0.0.1:8000`);
      try {
        await started(served);
        await answered(served, 301, get(HOST));
        await answered(served, 200, get(`${HOST}X-Forwarded-Proto: https\r\n`));
      } finally {
        served.destroy();
      }
    },
  },
  "Streams arrive all at once": { elsewhere: "test/deployment/nginx.test.ts" },
  "WebSockets are not upgraded": {
    needs: "nginx",
    async provoke() {
      await whatIsSeen("", { bare: { upgrade: null }, upgrading: { upgrade: ["websocket"] } });
      const written = await fails("init nginx app.mjs --stdout");
      for (const line of entryOf("WebSockets are not upgraded").blocks[0]!.lines) expect(written).toContain(line);
    },
  },
  "404 for everything below a prefix": { elsewhere: "test/deployment/apache.test.ts" },
  "A worker is killed": {
    provoke: () =>
      serving("app.mjs -w 1 --timeout 1", async (served) => {
        const pids = (): string[] => [...served.stderr.matchAll(/\(pid:(\d+)\) is ready/g)].map(([, pid]) => pid!);
        const replaced = (n: number): Promise<void> => eventually(() => pids().length === n, () => served.stderr);
        await replaced(1);
        process.kill(Number(pids()[0]), "SIGKILL");
        await replaced(2);
        // Once, and whatever becomes of it: the next worker is to live.
        void ask({ host: "127.0.0.1", port: served.port, path: "/exit" }).catch(() => {});
        await heard(served, /ended with code 7/);
        await replaced(3);
        const client = await connect(served);
        client.send(get(HOST, "/stuck"));
        await heard(served, /In flight: GET/);
        client.destroy();
      }),
  },
  "Memory grows": {
    provoke: () => serving("app.mjs -w 1 --max-worker-memory 1", (served) => heard(served, /max_worker_memory/)),
  },
  "A processor is at 100 %": { elsewhere: "test/docs/performance.test.ts" },
  "Too many open files": {
    needs: "linux",
    async provoke() {
      const node = `${TRICORN.node} serve app.mjs --bind 127.0.0.1:8000`;
      const served = await project.start(`sh -c 'ulimit -n 64; exec ${node}'`);
      const clients: Client[] = [];
      try {
        await started(served);
        await eventually(async () => {
          clients.push(await connect(served));
          return served.stderr.includes("[ERROR] Too many open files");
        }, () => served.stderr);
        return served.stderr;
      } finally {
        for (const client of clients) client.destroy();
        served.destroy();
      }
    },
  },
  "A reload does nothing": {
    provoke: () =>
      serving("changing.mjs -w 1", async (served) => {
        await heard(served, /is ready/);
        project.write("changing.mjs", FILES["throws.mjs"]!);
        process.kill(served.child.pid!, "SIGHUP");
        await heard(served, /Reload failed/);
      }),
  },
  "Requests are lost at a deployment": { elsewhere: "test/runtimes/zero_loss.test.ts" },
  "SIGTERM takes 30 seconds": {
    provoke: () =>
      serving("app.mjs --graceful-timeout 0.2", async (served) => {
        const client = await connect(served);
        client.send(get(HOST, "/never"));
        // Its answer tells that the other request has been read, too.
        await answered(served, 200, get(HOST));
        expect(await served.stop()).toBe(0);
        client.destroy();
      }),
  },
  "tricorn ctl finds no server": {
    provoke: () => says(`env -u XDG_RUNTIME_DIR HOME=${project.folder} ${TRICORN.node} ctl show workers`),
  },
  "The access log is empty": {
    async provoke() {
      await plainly(async (served) => {
        await served.get("/");
        expect(served.stdout + served.stderr).not.toContain('"GET / ');
      });
      await serving("app.mjs --access-logfile -", async (served) => {
        await served.get("/");
        await eventually(() => served.stdout.includes('"GET / HTTP/1.1" 200'), () => served.stdout);
      });
    },
  },
  "The log files stay empty after rotation": {
    provoke: () =>
      serving("app.mjs --access-logfile access.log", async (served) => {
        await served.get("/");
        await eventually(() => existsSync(project.path("access.log")), () => "there is no file");
        renameSync(project.path("access.log"), project.path("access.log.1"));
        served.child.kill("SIGUSR1");
        await eventually(() => existsSync(project.path("access.log")), () => "there is no new file");
      }),
  },
};

interface Seen {
  readonly address?: string;
  readonly scheme?: string;
  readonly upgrade?: readonly string[] | null;
}

/** What an application sees of a client behind nginx that lies, when nginx says all (`told`), nothing, or passes upgrades. */
async function whatIsSeen(words: string, wanted: Readonly<Record<string, Seen>>): Promise<void> {
  await (words === "" ? plainly : serving.bind(null, `app.mjs ${words}`))(async (served) => {
    await behindNginx(
      served,
      `location /told { proxy_pass UPSTREAM; proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto https; }
      location /bare { proxy_pass UPSTREAM; }
      location /upgrading { proxy_pass UPSTREAM; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade; }`,
      async ({ port }) => {
        for (const [path, seen] of Object.entries(wanted)) {
          const lies = { "X-Forwarded-For": "6.6.6.6", "Upgrade": "websocket", "Connection": "upgrade" };
          const options = { host: "127.0.0.1", port, path: `/${path}`, localAddress: "127.0.0.2", headers: lies };
          expect([path, JSON.parse((await ask(options)).text)]).toMatchObject([path, seen]);
        }
      },
    );
  });
}

interface Quoted {
  readonly title: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

const QUOTED: readonly Quoted[] = TEXT.split(/^### /m).slice(1).map((part) => {
  const text = part.split(/^## /m)[0]!;
  return { title: text.split("\n")[0]!, text, blocks: blocksOf(text) };
});
const entryOf = (title: string): Quoted => QUOTED.find((one) => one.title === title)!;

function sources(folder: string): string {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.[jt]s$/.test(name))
    .map((name) => readFileSync(join(ROOT, folder, name), "utf8"))
    .join("\n");
}

describe("docs/troubleshooting.md", () => {
  test("each entry has its test here, and each test its entry", () => {
    expect(QUOTED.map(({ title }) => title)).toEqual(Object.keys(ENTRIES));
  });

  const SOURCES = sources("src") + sources("adapters");

  describe.each(QUOTED)("$title", ({ title, text, blocks }) => {
    const { provoke, words = [], elsewhere, needs } = ENTRIES[title] ?? {};
    const why = missingFor(needs);
    const lines = blocks.filter(({ language }) => language === "text").flatMap((block) => block.lines);

    test("something looks at it", () => {
      if (elsewhere !== undefined) expect(existsSync(join(ROOT, elsewhere)), elsewhere).toBe(true);
      else expect(provoke ?? words[0]).toBeDefined();
      for (const word of words) {
        expect(text.replaceAll("\n", " ")).toContain(word);
        expect(SOURCES).toContain(word);
      }
      if (provoke === undefined) expect(lines.filter((line) => !words.includes(line))).toEqual([]);
    });

    if (provoke !== undefined && why !== null) test.skip(`is as it is told: ${why}`, () => {});
    else if (provoke !== undefined) {
      test("is as it is told", async () => {
        const printed = likeness(await provoke() ?? "");
        for (const line of lines) expect(printed).toContain(likeness(line));
      });
    }
  });

  test("the commands at its beginning are obeyed", async () => {
    const [first, second, third] = blocksOf(TEXT)[0]!.lines.map((line) => line.replace("tricorn", TRICORN.node));
    expect(await says(first!)).toMatch(/^bind +.*127\.0\.0\.1:8000.* default$/m);
    await serving("app.mjs -w 1", async (served) => {
      await heard(served, /is ready/);
      expect(await says(second!)).toMatch(/^workers +1 of 1/m);
    });
    const served = await project.start(`${third} --bind 127.0.0.1:8000`);
    try {
      await served.get("/");
      await eventually(() => served.stdout.includes('"GET / '), () => served.stdout);
    } finally {
      served.destroy();
    }
  });
});
