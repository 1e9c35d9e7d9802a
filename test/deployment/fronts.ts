// One Tricorn, and nginx and Apache in front of it in each way in which they pass requests on, over TCP and unix sockets:
// configured as docs/gateway-protocols.md says, from where the blocks are taken as they stand.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Address, Client } from "../support/client.ts";
import { ROOT, type TestRuntime } from "../support/runtimes.ts";
import { type ServerProcess, startServer } from "../support/server.ts";
import { freePort, WebServer } from "./support.ts";

export const GATEWAYS = ["uwsgi", "fastcgi", "scgi"] as const;
export const WAYS = ["http", ...GATEWAYS] as const;
const TRANSPORTS = ["tcp", "unix"] as const;

export type WebServerName = "nginx" | "Apache";
export type Way = (typeof WAYS)[number] | "cgi";

/** A virtual host. */
export interface Front {
  readonly server: WebServerName;
  readonly way: Way;
  /** Null for CGI, which has none. */
  readonly transport: (typeof TRANSPORTS)[number] | null;
  /** The host that it has. */
  readonly host: string;
}

function front(server: WebServerName, way: Way, transport: Front["transport"]): Front {
  const words = [server.toLowerCase(), way, ...(transport === null ? [] : [transport])];
  return { server, way, transport, host: `${words.join("-")}.test` };
}

const both = (server: WebServerName): Front[] =>
  WAYS.flatMap((way) => TRANSPORTS.map((transport) => front(server, way, transport)));

export const NGINX: readonly Front[] = both("nginx");
export const APACHE: readonly Front[] = [...both("Apache"), front("Apache", "cgi", null)];

const DOCUMENT = readFileSync(`${ROOT}docs/gateway-protocols.md`, "utf8");

function documented(language: "nginx" | "apache" | "sh", words: string): string {
  const blocks = [...DOCUMENT.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, "g"))].map(([, block]) =>
    block!
  );
  const found = blocks.filter((block) => block.includes(words));
  if (found.length !== 1) throw new Error(`${found.length} blocks of docs/gateway-protocols.md have ${words}`);
  return found[0]!;
}

const PASS = { uwsgi: "uwsgi_pass", fastcgi: "fastcgi_pass", scgi: "scgi_pass" } as const;

/** A location of nginx; BACK is where it passes to. */
export function location(way: (typeof WAYS)[number], prefix: "/" | "/app"): string {
  if (way === "http") {
    return `location / {
      proxy_pass http://BACK;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }`;
  }
  const block = DOCUMENT.split("```nginx\n").map((text) => text.split("```")[0]!)
    .find((text) => text.startsWith(`location ${prefix} {`) && text.includes(`${PASS[way]} `))!;
  return block.replace(new RegExp(`(${PASS[way]}) [^;]+`), "$1 BACK");
}

/** One that passes everything on as it comes, where nginx can. */
function unbuffered(way: (typeof WAYS)[number]): string {
  const prefix = way === "http" ? "proxy" : way;
  return location(way, "/").replace("location / {", "location /unbuffered {").replace(
    /\}\s*$/,
    `${prefix}_buffering off; ${prefix}_request_buffering off; }`,
  );
}

const SCHEMES = { http: "http", uwsgi: "uwsgi", fastcgi: "fcgi", scgi: "scgi" } as const;

/** What is in a virtual host of Apache. @param back where a way's Tricorn is, in nginx's words */
function directives({ way, transport, host }: Front, back: string, folder: string): string {
  if (way === "cgi") {
    return ["ScriptAlias /app ", "ScriptAlias / "].map((words) => documented("apache", words)).join("\n")
      .replaceAll("/srv/shop", folder);
  }
  const address = (path: string): string =>
    transport === "tcp" ? `${SCHEMES[way]}://${back}${path}` : `${back}|${SCHEMES[way]}://${host}${path}`;
  if (way === "http") {
    return `
      ProxyPreserveHost On
      AllowEncodedSlashes NoDecode
      ProxyAddHeaders Off
      RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}"
      RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}"
      ProxyPass / ${address("/")} nocanon`;
  }
  const prefixes = way === "scgi" ? [] : [`ProxyPass /app ${SCHEMES[way]}:`];
  return [...prefixes, `ProxyPass / ${SCHEMES[way]}:`].map((words) => documented("apache", words)).join("\n")
    .replaceAll(/(ProxyPass \S+) \w+:\/\/[^/\s]+(\/?)/g, (_, words, slash) => `${words} ${address(slash)}`);
}

const APACHE_MODULES = ["proxy_uwsgi", "proxy_fcgi", "proxy_scgi", "setenvif", "ssl", "cgid"];

/** What a client is told by each of them, and how. */
export class Fronts {
  readonly server: ServerProcess;
  readonly #secureServer: ServerProcess;
  /** All their files; every user may look into it. */
  readonly folder: string;
  readonly #running: ReadonlyMap<WebServerName, WebServer>;
  readonly #secure: ReadonlyMap<WebServerName, number>;

  private constructor(
    folder: string,
    server: ServerProcess,
    secureServer: ServerProcess,
    running: ReadonlyMap<WebServerName, WebServer>,
    secure: ReadonlyMap<WebServerName, number>,
  ) {
    this.folder = folder;
    this.server = server;
    this.#secureServer = secureServer;
    this.#running = running;
    this.#secure = secure;
  }

  /** @param programs the web servers that are wanted */
  static async start(runtime: TestRuntime, programs: ReadonlyMap<WebServerName, string>): Promise<Fronts> {
    const folder = mkdtempSync(join(tmpdir(), "tricorn-fronts-"));
    const started: { stop(): Promise<void> }[] = [];
    try {
      chmodSync(folder, 0o755);
      const file = (name: string): string => join(folder, name);
      execFileSync("openssl", [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
        ...["-subj", "/CN=localhost", "-keyout", file("key.pem"), "-out", file("cert.pem")],
      ], { stdio: "ignore" });
      const app = "test/deployment/gateway_application.ts:application";
      const permissions = ["--allow-write", "--allow-sys"];
      const binds = WAYS.flatMap((way) =>
        TRANSPORTS.map((transport) => {
          const address = transport === "tcp" ? "127.0.0.1:0" : `unix:${file(`${way}.sock`)}`;
          return way === "http" ? address : `${way}://${address}`;
        })
      );
      // Apache's user is another one; in a deployment it is in the socket's group.
      const server = await startServer(runtime, { app, permissions, bind: binds, unix_socket_mode: "0o666" });
      started.push(server);
      const [certfile, keyfile] = [file("cert.pem"), file("key.pem")];
      const secureServer = await startServer(runtime, { app, permissions, certfile, keyfile });
      started.push(secureServer);
      const addresses = server.addresses;
      const back = ({ way, transport }: Front): string => {
        if (way === "cgi") return "";
        const address = addresses[WAYS.indexOf(way) * TRANSPORTS.length + TRANSPORTS.indexOf(transport!)]!;
        return "path" in address ? `unix:${address.path}` : `127.0.0.1:${address.port}`;
      };
      const running = new Map<WebServerName, WebServer>();
      const secure = new Map<WebServerName, number>();
      for (const [name, program] of programs) {
        const [port, securePort] = [await freePort(), await freePort()];
        // What is at http://HOST:PORT/ for whoever asks whether it is up: the first virtual host.
        const own = file(name);
        mkdirSync(own);
        chmodSync(own, 0o755);
        const write = name === "nginx" ? writeNginx : writeApache;
        const site = write(own, { port, securePort, certfile, keyfile, back });
        if (name === "Apache") writeScript(own, runtime);
        const one = name === "nginx"
          ? await WebServer.nginx(program, own, site, port)
          : await WebServer.apache(program, own, site, port);
        started.push(one);
        running.set(name, one);
        secure.set(name, securePort);
      }
      return new Fronts(folder, server, secureServer, running, secure);
    } catch (error) {
      for (const one of started) await one.stop();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  address({ server }: Front, tls = false): Address {
    if (tls) return { host: "127.0.0.1", port: this.#secure.get(server)! };
    return this.#running.get(server)!.address;
  }

  /** Connects to `front`, or where there is none to Tricorn itself. */
  async connect(front: Front | null, tls = false): Promise<Client> {
    const direct = tls ? this.#secureServer : this.server;
    const address = front === null ? direct.address : this.address(front, tls);
    if (!tls) return await Client.connect(address);
    return await Client.connectTls(address, { rejectUnauthorized: false, servername: front?.host ?? "localhost" });
  }

  async stop(): Promise<void> {
    for (const one of this.#running.values()) await one.stop();
    await this.#secureServer.stop();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Site {
  readonly port: number;
  readonly securePort: number;
  readonly certfile: string;
  readonly keyfile: string;
  readonly back: (front: Front) => string;
}

function writeNginx(folder: string, { port, securePort, certfile, keyfile, back }: Site): string {
  const servers = NGINX.map((front) => {
    const way = front.way as (typeof WAYS)[number];
    const locations = way === "http" ? [location(way, "/")] : [location(way, "/"), location(way, "/app")];
    const name = front.host.replace(".test", "");
    return `
      upstream ${name} { server ${back(front)}; keepalive 4; }
      server {
        listen 127.0.0.1:${port};
        listen 127.0.0.1:${securePort} ssl;
        server_name ${front.host};
        ssl_certificate ${certfile};
        ssl_certificate_key ${keyfile};
        client_max_body_size 50m;
        ${[...locations, unbuffered(way)].join("\n").replaceAll("BACK", name)}
      }`;
  });
  const site = join(folder, "site.conf");
  writeFileSync(site, `server_names_hash_bucket_size 128;\n${servers.join("\n")}`);
  return site;
}

function writeApache(folder: string, { port, securePort, certfile, keyfile, back }: Site): string {
  const tls = `SSLEngine on\nSSLCertificateFile ${certfile}\nSSLCertificateKeyFile ${keyfile}`;
  const hosts = [[port, ""], [securePort, tls]] as const;
  const servers = APACHE.flatMap((front) =>
    hosts.map(([at, more]) =>
      `<VirtualHost 127.0.0.1:${at}>
ServerName ${front.host}
${more}
${directives(front, back(front), folder)}
</VirtualHost>`
    )
  );
  const site = join(folder, "site.conf");
  const modules = APACHE_MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`);
  writeFileSync(
    site,
    [...modules, `Listen 127.0.0.1:${port}`, `Listen 127.0.0.1:${securePort}`, ...servers].join("\n"),
  );
  return site;
}

/** The documentation's, but that Tricorn is this clone's. */
function writeScript(folder: string, runtime: TestRuntime): void {
  const command = [runtime.program, ...runtime.words([]), "adapters/bin.ts"].join(" ");
  const script = documented("sh", "exec tricorn cgi").replace(
    "exec tricorn cgi /srv/shop/app.ts",
    `cd ${ROOT} && exec ${command} cgi test/deployment/gateway_application.ts`,
  );
  writeFileSync(join(folder, "app.cgi"), script, { mode: 0o755 });
  chmodSync(join(folder, "app.cgi"), 0o755);
}
