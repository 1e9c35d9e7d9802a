// The file that `tricorn init nginx` writes, as it writes it, in the real nginx before a real pool of workers: who is
// believed, what nginx sends by itself, what arrives piece by piece, and that nothing is lost while Tricorn reloads or one
// of two hosts is restarted.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoadReport } from "../../scripts/zero_loss/load.ts";
import { Pool } from "../../scripts/zero_loss/pool.ts";
import { Load, SCENARIOS } from "../../scripts/zero_loss/scenarios.ts";
import { Client } from "../support/client.ts";
import { onEachKind, RUNTIMES, type TestRuntime } from "../support/runtimes.ts";
import { type ServerProcess, startServer } from "../support/server.ts";
import { type Machine, Network, networkMissing } from "./network.ts";
import { APP, findProgram, freePort, LIES, LIMIT, nginxMain, PERMISSIONS, Project, run, WebServer } from "./support.ts";

const nginx = findProgram("nginx");
const noNetwork = networkMissing();

type Fields = Record<string, string> & { readonly headers: readonly (readonly [string, string])[] };

if (nginx === null) test.skip("nginx is not here: apt-get install nginx", () => {});
else {
  onEachKind("behind nginx", (runtime) => {
    describe.each(["tcp", "unix"] as const)("over %s", (transport) => {
      site(runtime, transport, nginx);
    });
    losses(runtime, nginx);
    if (noNetwork === null) hosts(runtime, nginx);
    else test.skip(`two hosts: ${noNetwork}`, () => {});
  });
}

function site(runtime: TestRuntime, transport: "tcp" | "unix", program: string): void {
  let project: Project;
  let server: ServerProcess;
  let front: WebServer;
  let back: string;
  let admin: string;

  /** One request, on a connection of its own; what it says goes as it is. */
  const ask = async (target: string, fields = "", rest = "", method = "GET") => {
    const client = await Client.connect(front.address);
    client.send(`${method} ${target} HTTP/1.1\r\nHost: us:80\r\n${fields}Connection: close\r\n\r\n${rest}`);
    const response = await client.response();
    client.destroy();
    return response;
  };

  beforeAll(async () => {
    project = new Project("shop", {});
    back = transport === "unix" ? `unix:${project.path("sock")}` : `127.0.0.1:${await freePort()}`;
    admin = `127.0.0.1:${await freePort()}`;
    project.configure({ app: APP, bind: back, workers: 2, admin_bind: admin, limit_request_body: 100_000 });
    project.write("static/style.css", "body {}\n");
    project.write("files/secret file.txt", "secret\n");
    const port = await freePort();
    const words = ["--listen", `127.0.0.1:${port}`, "--static", "/static/=static", "--protected", "/protected=./files"];
    expect(await project.init(runtime, "nginx", ...words)).toMatchObject({ code: 0, stderr: "" });
    server = await startServer(runtime, {
      app: APP,
      bind: back,
      workers: 2,
      admin_bind: admin,
      limit_request_body: 100_000,
      permissions: PERMISSIONS,
    });
    front = await WebServer.nginx(program, project.folder, project.path("deploy/shop.nginx.conf"), port);
  });
  afterAll(async () => {
    await front?.stop();
    await server?.stop();
    project?.remove();
  });

  test("the client is who nginx says, and what the client says of itself is not believed", async () => {
    const seen = (await ask("/a%2Fb%20c/?q=%C3%A9", LIES)).text;
    expect(JSON.parse(seen)).toMatchObject({
      "REMOTE_ADDR": "127.0.0.1",
      "HTTP_HOST": "us:80",
      "PATH_INFO": "/a/b c/",
      "QUERY_STRING": "q=%C3%A9",
      "esgi.url_scheme": "http",
      "esgi.target": "/a%2Fb%20c/?q=%C3%A9",
    });
    expect(seen).not.toMatch(/6\.6\.6\.6|evil|https|ssl/);
  });

  test("the client's address is the one that nginx sees", async () => {
    const client = await Client.connect({ ...front.address, localAddress: "127.0.0.7" } as never);
    client.send("GET / HTTP/1.1\r\nHost: us\r\nConnection: close\r\n\r\n");
    expect((JSON.parse((await client.response()).text) as Fields).REMOTE_ADDR).toBe("127.0.0.7");
    client.destroy();
  });

  test("nginx keeps its connections to Tricorn", async () => {
    const client = await Client.connect(front.address);
    for (let n = 0; n < 50; n++) {
      client.send("GET / HTTP/1.1\r\nHost: us\r\n\r\n");
      const { headers } = JSON.parse((await client.response()).text) as Fields;
      // Tricorn is not told to close.
      expect(headers.map(([name]) => name.toLowerCase())).not.toContain("connection");
    }
    client.destroy();
  });

  test("nginx sends static files by itself, with their types", async () => {
    // Of these Tricorn would know nothing.
    const response = await ask("/static/style.css");
    expect([response.status, response.text]).toEqual([200, "body {}\n"]);
    expect((await ask("/static/nothing.css")).status).toBe(404);
    expect((await ask("/static/../tricorn.config.json")).text).toContain("PATH_INFO");
    expect((await ask("/static../tricorn.config.json")).text).toContain("PATH_INFO");
  });

  test("nginx sends a file when the application says so, and never when a client asks for it", async () => {
    const response = await ask("/accel");
    expect([response.status, response.text]).toEqual([200, "secret\n"]);
    expect((await ask("/protected/secret%20file.txt")).status).toBe(404);
  });

  test("a stream arrives piece by piece", async () => {
    const client = await Client.connect(front.address);
    client.send(`GET /events?${project.path("opened")} HTTP/1.1\r\nHost: us\r\n\r\n`);
    await client.until("data: first\n\n");
    expect(client.received).not.toContain("second");
    project.write("opened", "");
    await client.until("data: second\n\n");
    client.destroy();
  });

  test("a WebSocket's bytes go both ways, and no other upgrade is passed on", async () => {
    const client = await Client.connect(front.address);
    client.send("GET /socket HTTP/1.1\r\nHost: us\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 101 /);
    client.send("hello");
    await client.until("hello");
    client.send("again");
    await client.until("again");
    client.destroy();
    const other = await Client.connect(front.address);
    other.send("GET /socket HTTP/1.1\r\nHost: us\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    expect(await other.response()).toMatchObject({ status: 426, text: "offered: nothing" });
    other.destroy();
  });

  test("a body has the limit of Tricorn, and nginx refuses what is beyond it", async () => {
    const post = (size: number) => ask("/body", `Content-Length: ${size}\r\n`, "x".repeat(size), "POST");
    expect((await post(100_000)).text).toBe("100000");
    expect((await post(100_001)).status).toBe(413);
    // Nobody knows the length of a chunked one before its end.
    const chunk = `${(100_001).toString(16)}\r\n${"x".repeat(100_001)}\r\n0\r\n\r\n`;
    expect((await ask("/body", "Transfer-Encoding: chunked\r\n", chunk, "POST")).status).toBe(413);
    expect((await ask("/body", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", "POST")).text).toBe("5");
  });

  test("a fault of the application is its own 500", async () => {
    expect((await ask("/fails")).status).toBe(500);
  });

  test("this machine may ask whether Tricorn is ready", async () => {
    expect((await ask("/readyz")).status).toBe(200);
    const elsewhere = await Client.connect({ ...front.address, localAddress: "127.0.0.7" } as never);
    elsewhere.send("GET /readyz HTTP/1.1\r\nHost: us\r\nConnection: close\r\n\r\n");
    expect((await elsewhere.response()).status).toBe(403);
    elsewhere.destroy();
  });

  test("without Tricorn it is nginx's 502", async () => {
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(0);
    expect((await ask("/")).status).toBe(502);
    expect((await ask("/static/style.css")).status).toBe(200);
  });
}

function losses(runtime: TestRuntime, program: string): void {
  const starter = {
    server: "tricorn",
    runtime: runtime.name,
    command: [runtime.program, ...runtime.words(PERMISSIONS)],
  } as const;
  const reload = SCENARIOS.find(({ name }) => name === "reload")!.happens;
  const REQUESTS = 5000;

  /** nginx before a pool. */
  const before = async (pool: Pool, use: (front: WebServer) => Promise<void>): Promise<void> => {
    const address = pool.address as { host?: string; port?: number; path?: string };
    const project = new Project("shop", {
      app: APP,
      bind: address.path === undefined ? `${address.host}:${address.port}` : `unix:${address.path}`,
      workers: 2,
    });
    const port = await freePort();
    let front: WebServer | null = null;
    try {
      await project.init(runtime, "nginx", "--listen", `127.0.0.1:${port}`);
      front = await WebServer.nginx(program, project.folder, project.path("deploy/shop.nginx.conf"), port);
      await use(front);
    } finally {
      await front?.stop();
      project.remove();
    }
  };

  /** What `happens` again and again, while requests come. */
  const underLoad = async (
    front: WebServer,
    pool: Pool,
    times: number,
    happens: (pool: Pool, load: Load) => Promise<unknown>,
  ): Promise<LoadReport> => {
    const load = new Load({ address: front.address, mode: "keep-alive", requests: REQUESTS, clients: 16 });
    try {
      for (let n = 0; n < times; n++) {
        const begun = (n + 1) * REQUESTS / (times + 1);
        await pool.until(() => load.report.requests >= begun || load.ended, "the load stands still");
        await happens(pool, load);
      }
    } finally {
      await load.finish();
    }
    return load.report;
  };

  test.each(["tcp", "unix"] as const)("nothing is lost while Tricorn reloads 10 times, over %s", async (transport) => {
    const pool = await Pool.start({ starter, transport, flags: [] });
    try {
      await before(pool, async (front) => {
        const report = await underLoad(front, pool, 10, async (one) => void await reload(one));
        expect([report.lost, report.losses], `${pool.log}\n${front.stderr}`).toEqual([0, []]);
        expect(report.requests).toBeGreaterThanOrEqual(REQUESTS);
        expect(report.workers.length).toBeGreaterThan(4);
      });
    } finally {
      await pool.stop();
    }
  }, LIMIT);
}

/** Two hosts, nginx and the clients, each on a machine of its own. */
function hosts(runtime: TestRuntime, program: string): void {
  /** `happens` while requests come; `start` starts a host at the address of an earlier one. */
  const site = async (
    happens: (hosts: Pool[], start: (index: number) => Promise<Pool>, load: Load) => Promise<void>,
  ): Promise<{ readonly report: LoadReport; readonly log: string }> => {
    // The second host has the address that the file has for one.
    const network = await Network.of("192.0.2.1", "192.0.2.10", "192.0.2.3", "192.0.2.2");
    const [clients, front, ...machines] = network.machines as [Machine, Machine, ...Machine[]];
    const all: Pool[] = [];
    const start = async (index: number): Promise<Pool> => {
      const { enter, address } = machines[index]!;
      const command = [...enter, runtime.program, ...runtime.words(PERMISSIONS)];
      const pool = await Pool.start({
        starter: { server: "tricorn", runtime: runtime.name, command },
        transport: "tcp",
        flags: ["--drain-delay=1", `--forwarded-allow-ips=${front.address}`],
        host: address,
        port: 8000,
      });
      all.push(pool);
      return pool;
    };
    const project = new Project("shop", { app: APP, bind: `${machines[0]!.address}:8000` });
    let web: WebServer | null = null;
    let load: Load | null = null;
    try {
      const pools = [await start(0), await start(1)];
      await project.init(runtime, "nginx");
      const conf = project.path("deploy/shop.nginx.conf");
      const text = readFileSync(conf, "utf8");
      expect(text).toContain("\n  # server 192.0.2.2:8000 fail_timeout=1s;\n");
      writeFileSync(conf, text.replace("# server 192.0.2.2", "server 192.0.2.2"));
      web = await WebServer.nginxOn(front, program, project.folder, conf);
      load = new Load({ address: web.address, mode: "keep-alive", requests: 0, clients: 16 }, undefined, clients.enter);
      for (const pool of pools) await takenUp(load, pool);
      await happens(pools, start, load);
      return { report: await load.finish(), log: `${all.map(({ log }) => log).join("\n")}\n${web.stderr}` };
    } finally {
      await load?.finish();
      await web?.stop();
      for (const pool of all) await pool.stop();
      project.remove();
      network.stop();
    }
  };

  /** When nginx sends requests to it. */
  const takenUp = (load: Load, pool: Pool): Promise<void> =>
    pool.until(() => pool.ready().some((pid) => load.report.workers.includes(pid)), "nginx does not take a host up");

  /** When so many more have been. */
  const answered = async (load: Load, pool: Pool, count: number): Promise<void> => {
    const before = load.report.requests;
    await pool.until(() => load.report.requests >= before + count || load.ended, "the load stands still");
  };

  test("nothing is lost while each of two hosts is restarted", async () => {
    const { report, log } = await site(async (pools, start, load) => {
      for (const index of pools.keys()) {
        await pools[index]!.stop("SIGTERM");
        const fresh = pools[index] = await start(index);
        // As whoever restarts several hosts one after the other has to: nginx has left it out for a second.
        await takenUp(load, fresh);
      }
      await answered(load, pools[0]!, 1000);
    });
    const { lost, losses } = report;
    expect([lost, losses.map(({ reason, path }) => `${path}: ${reason}`)], log).toEqual([0, []]);
  }, LIMIT);

  // What nginx makes of it is the same whatever has been killed.
  if (runtime.name !== "node") return;
  test(
    "a host that is killed takes only what cannot be sent again with it",
    async () => {
      const { report, log } = await site(async (pools, _, load) => {
        pools[1]!.kill();
        await answered(load, pools[0]!, 2000);
      });
      // A POST, and an answer that had begun to arrive.
      const others = report.losses.filter(({ path, reason }) =>
        path !== "/echo" && !reason.endsWith("in the midst of it")
      );
      expect(others, log).toEqual([]);
      // One for each client.
      expect(report.lost).toBeLessThanOrEqual(16);
    },
    LIMIT,
  );
}

const node = RUNTIMES.find(({ name }) => name === "node");

describe.runIf(nginx !== null && node !== undefined)("what is only proposed in the file, with node", () => {
  /** The file without the "# " before each line of a proposal, but the first, which says what it is. */
  const accept = (conf: string, proposal: string): string =>
    conf.replace(new RegExp(`(# CHANGE: ${proposal}.*\n)((?: +# .*\n)+)`), (_, head, lines: string) => {
      return head + lines.replaceAll(/^( +)# /gm, "$1");
    });

  test("HTTPS, HTTP/2, the redirection to it, and gzip", async () => {
    const runtime = node!;
    const server = await startServer(runtime, { app: APP, permissions: PERMISSIONS });
    const project = new Project("shop", { app: APP, bind: `127.0.0.1:${server.port}` });
    let front: WebServer | null = null;
    try {
      const made = await run(
        [
          "openssl",
          "req",
          "-x509",
          "-newkey",
          "rsa:2048",
          "-nodes",
          "-subj",
          "/CN=us",
          "-keyout",
          "key",
          "-out",
          "cert",
        ],
        project.folder,
      );
      expect(made.code, made.stderr).toBe(0);
      const [port, secure] = [await freePort(), await freePort()];
      await project.init(runtime, "nginx", "--listen", `127.0.0.1:${port}`);
      const path = project.path("deploy/shop.nginx.conf");
      let conf = accept(accept(readFileSync(path, "utf8"), "for HTTPS"), "compress");
      // As the file says of old ones; the places are those of this test.
      const { stderr: version } = await run([nginx!, "-v"]);
      const [major, minor, patch] = /(\d+)\.(\d+)\.(\d+)/.exec(version)!.slice(1).map(Number) as [
        number,
        number,
        number,
      ];
      if (major * 1e6 + minor * 1e3 + patch < 1_025_001) {
        conf = conf.replace("  http2 on;\n", "").replaceAll("443 ssl;", "443 ssl http2;");
      }
      conf = conf.replace(/ +listen \[::\]:443.*\n/, "").replace(/^ +listen 443/m, `  listen 127.0.0.1:${secure}`)
        .replace("/etc/ssl/example.com.pem", project.path("cert")).replace(
          "/etc/ssl/example.com.key",
          project.path("key"),
        );
      writeFileSync(path, conf);
      front = await WebServer.nginx(nginx!, project.folder, path, port);
      const curl = (...words: string[]) =>
        run(["curl", "--silent", "--insecure", "--noproxy", "*", "--include", "--compressed", ...words]);
      expect((await curl(`http://127.0.0.1:${port}/a?b`)).stdout).toMatch(
        /^HTTP\/1\.1 308 [^]*\r\nLocation: https:\/\/127\.0\.0\.1\/a\?b\r\n/,
      );
      for (const version of ["1.1", "2"]) {
        const { stdout } = await curl(`--http${version}`, `https://127.0.0.1:${secure}/`);
        expect(stdout).toMatch(new RegExp(`^HTTP/${version} 200 [^]*\r\ncontent-encoding: gzip\r\n`, "i"));
        expect(JSON.parse(stdout.slice(stdout.indexOf("{")))).toMatchObject({
          "esgi.url_scheme": "https",
          "HTTP_HOST": `127.0.0.1:${secure}`,
        });
      }
    } finally {
      await front?.stop();
      await server.stop();
      project.remove();
    }
  });
});

describe.runIf(nginx !== null)("nginx -t", () => {
  const [runtime] = [{ kind: "node", program: process.execPath } as TestRuntime];

  test.each<[string, Record<string, unknown>, string[]]>([
    ["the default", {}, []],
    ["every flag", { bind: "[::1]:8000" }, [
      ...["--server-name", "*.example.com", "--mount", "/shop/v1.0", "--static", '/static=/srv/a b/"c"\\d'],
      ...["--protected", "/files/=files"],
    ]],
    ["TLS to Tricorn", { certfile: "cert.pem", keyfile: "key.pem", keepalive: 3 }, []],
    ["a unix socket with a space in its path", { bind: ["127.0.0.1:8000", "unix:run/the sock"] }, ["--mount", "/"]],
    ["an admin address", { admin_bind: ":8001", bind: ":8000" }, []],
  ])("is content with %s", async (_, config, words) => {
    const project = new Project("My Shöp 2", { app: "./app.ts", ...config });
    const folder = project.path("nginx");
    mkdirSync(folder);
    const { code, stdout, stderr } = await project.init(runtime!, "nginx", ...words, "--listen", "127.0.0.1:8080");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("deploy/my-shop-2.nginx.conf");
    const main = nginxMain(folder, project.path("deploy/my-shop-2.nginx.conf"));
    const checked = await run([nginx!, "-e", "stderr", "-t", "-p", folder, "-c", main]);
    expect(checked.stderr).toContain("test is successful");
    project.remove();
  });
});
