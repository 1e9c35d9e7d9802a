// The file that `tricorn init apache` writes, as it writes it, in the real Apache before a real pool of workers: who is
// believed, what Apache sends by itself, a site below a path as WSGIScriptAlias has it, and reloads.

import { writeFileSync } from "node:fs";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Pool } from "../../scripts/zero_loss/pool.ts";
import { Load, SCENARIOS } from "../../scripts/zero_loss/scenarios.ts";
import { Client } from "../support/client.ts";
import { onEachKind, type TestRuntime } from "../support/runtimes.ts";
import { type ServerProcess, startServer } from "../support/server.ts";
import {
  apacheMain,
  APP,
  findProgram,
  freePort,
  LIES,
  LIMIT,
  PERMISSIONS,
  Project,
  run,
  WebServer,
} from "./support.ts";

const apache = findProgram("apache2");

if (apache === null) test.skip("apache2 is not here: apt-get install apache2", () => {});
else {
  onEachKind("behind Apache", (runtime) => {
    describe.each([["tcp", ""], ["unix", "/shop"]] as const)("over %s, at %j", (transport, mount) => {
      site(runtime, transport, mount, apache);
    });

    test("nothing is lost while Tricorn reloads 5 times", async () => {
      const command = [runtime.program, ...runtime.words(PERMISSIONS)];
      const starter = { server: "tricorn", runtime: runtime.name, command } as const;
      const pool = await Pool.start({ starter, transport: "tcp", flags: [] });
      const { host, port: back } = pool.address as { host: string; port: number };
      const project = new Project("shop", { app: APP, bind: `${host}:${back}` });
      let front: WebServer | null = null;
      try {
        const port = await freePort();
        await project.init(runtime, "apache", "--listen", `127.0.0.1:${port}`);
        front = await WebServer.apache(apache, project.folder, project.path("deploy/shop.apache.conf"), port);
        const load = new Load({ address: front.address, mode: "keep-alive", requests: 2500, clients: 8 });
        for (let n = 1; n <= 5; n++) {
          await pool.until(() => load.report.requests >= n * 400 || load.ended, "the load stands still");
          await SCENARIOS.find(({ name }) => name === "reload")!.happens(pool);
        }
        const report = await load.finish();
        expect([report.lost, report.losses], `${front.stderr}\n${pool.log}`).toEqual([0, []]);
      } finally {
        await front?.stop();
        await pool.stop();
        project.remove();
      }
    }, LIMIT);
  });
}

function site(runtime: TestRuntime, transport: "tcp" | "unix", mount: string, program: string): void {
  let project: Project;
  let server: ServerProcess;
  let front: WebServer;

  const ask = async (target: string, fields = "", rest = "", method = "GET") => {
    const client = await Client.connect(front.address);
    client.send(`${method} ${target} HTTP/1.1\r\nHost: us:80\r\n${fields}Connection: close\r\n\r\n${rest}`);
    const response = await client.response();
    client.destroy();
    return response;
  };

  beforeAll(async () => {
    project = new Project("shop", {});
    const bind = transport === "unix" ? `unix:${project.path("sock")}` : `127.0.0.1:${await freePort()}`;
    project.configure({ app: APP, bind, limit_request_body: 100_000 });
    project.write("static/style.css", "body {}\n");
    const port = await freePort();
    const words = ["--listen", `127.0.0.1:${port}`, "--static", "/static/=static", "--mount", mount || "/"];
    expect(await project.init(runtime, "apache", ...words)).toMatchObject({ code: 0, stderr: "" });
    // Apache's user is another one; in a deployment it is in the socket's group.
    const options = { app: APP, bind, workers: 2, limit_request_body: 100_000, permissions: PERMISSIONS };
    server = await startServer(runtime, transport === "unix" ? { ...options, unix_socket_mode: "0o666" } : options);
    front = await WebServer.apache(program, project.folder, project.path("deploy/shop.apache.conf"), port);
  });
  afterAll(async () => {
    await front?.stop();
    await server?.stop();
    project?.remove();
  });

  test("the client is who Apache says, and what the client says of itself is not believed", async () => {
    const seen = (await ask(`${mount}/a%2Fb%20c/?q=%C3%A9`, LIES)).text;
    expect(JSON.parse(seen)).toMatchObject({
      "REMOTE_ADDR": "127.0.0.1",
      "HTTP_HOST": "us:80",
      "PATH_INFO": "/a/b c/",
      "QUERY_STRING": "q=%C3%A9",
      "esgi.url_scheme": "http",
      // What follows the mount point, as the client wrote it.
      "esgi.target": "/a%2Fb%20c/?q=%C3%A9",
    });
    expect(seen).not.toMatch(/6\.6\.6\.6|evil|https|ssl/);
  });

  test("the client's address is the one that Apache sees", async () => {
    const client = await Client.connect({ ...front.address, localAddress: "127.0.0.7" } as never);
    client.send(`GET ${mount}/ HTTP/1.1\r\nHost: us\r\nConnection: close\r\n\r\n`);
    expect(JSON.parse((await client.response()).text)).toMatchObject({ REMOTE_ADDR: "127.0.0.7" });
    client.destroy();
  });

  test("Apache sends static files by itself, and nothing beside them", async () => {
    const response = await ask("/static/style.css");
    expect([response.status, response.text]).toEqual([200, "body {}\n"]);
    expect((await ask("/static/nothing.css")).status).toBe(404);
    expect((await ask("/static/%2e%2e/tricorn.config.json")).text).not.toContain("application.ts");
  });

  test("a stream arrives piece by piece", async () => {
    const client = await Client.connect(front.address);
    client.send(`GET ${mount}/events?${project.path("opened")} HTTP/1.1\r\nHost: us\r\n\r\n`);
    await client.until("data: first\n\n");
    expect(client.received).not.toContain("second");
    project.write("opened", "");
    await client.until("data: second\n\n");
    client.destroy();
  });

  test("a WebSocket's bytes go both ways, and no other upgrade is passed on", async () => {
    const client = await Client.connect(front.address);
    client.send(`GET ${mount}/socket HTTP/1.1\r\nHost: us\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 101 /);
    client.send("hello");
    await client.until("hello");
    client.send("again");
    await client.until("again");
    client.destroy();
    const other = await Client.connect(front.address);
    other.send(`GET ${mount}/socket HTTP/1.1\r\nHost: us\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`);
    expect(await other.response()).toMatchObject({ status: 426, text: "offered: nothing" });
    other.destroy();
  });

  test("a body has the limit of Tricorn, and Apache refuses what is beyond it", async () => {
    const post = (size: number) => ask(`${mount}/body`, `Content-Length: ${size}\r\n`, "x".repeat(size), "POST");
    expect((await post(100_000)).text).toBe("100000");
    expect((await post(100_001)).status).toBe(413);
    const chunks = "Transfer-Encoding: chunked\r\n";
    expect((await ask(`${mount}/body`, chunks, "5\r\nhello\r\n0\r\n\r\n", "POST")).text).toBe("5");
  });

  if (mount !== "") {
    test("the mount point without its slash is redirected, and what is beside it is not ours", async () => {
      const response = await ask(`${mount}?a=1`);
      expect([response.status, response.fields.find(([name]) => name === "Location")?.[1]]).toEqual([
        308,
        `http://us${mount}/?a=1`,
      ]);
      expect((await ask("/other")).text).not.toContain("PATH_INFO");
    });
  }

  test("without Tricorn it is Apache's 503", async () => {
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(0);
    expect((await ask(`${mount}/`)).status).toBe(503);
    expect((await ask("/static/style.css")).status).toBe(200);
  });
}

describe.runIf(apache !== null)("apache2 -t", () => {
  const runtime = { kind: "node", program: process.execPath } as TestRuntime;

  test.each<[string, Record<string, unknown>, string[]]>([
    ["the default", {}, []],
    ["every flag", { bind: "[::1]:8000" }, [
      ...["--server-name", "example.com", "--mount", "/shop/v1.0", "--static", '/static=/srv/a b/"c"'],
    ]],
    ["a unix socket with a space in its path", { bind: ["127.0.0.1:8000", "unix:run/the sock"] }, ["--mount", "/"]],
  ])("is content with %s", async (_, config, words) => {
    const project = new Project("shop", { app: "./app.ts", ...config });
    expect(await project.init(runtime, "apache", ...words, "--listen", "127.0.0.1:8080")).toMatchObject({ code: 0 });
    const main = apacheMain(project.folder, project.path("deploy/shop.apache.conf"));
    expect((await run([apache!, "-d", project.folder, "-f", main, "-t"])).stderr).toBe("Syntax OK\n");
    project.remove();
  });

  test("is content with TLS to Tricorn, where the module ssl is", async () => {
    const project = new Project("shop", { app: "./app.ts", certfile: "cert.pem", keyfile: "key.pem" });
    await project.init(runtime, "apache", "--listen", "127.0.0.1:8080");
    const main = apacheMain(project.folder, project.path("deploy/shop.apache.conf"));
    const ssl = "LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so\n" +
      "LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so\n";
    writeFileSync(`${main}.ssl`, `${ssl}Include "${main}"\n`);
    const checked = await run([apache!, "-d", project.folder, "-f", `${main}.ssl`, "-t"]);
    expect(checked.stderr).toBe("Syntax OK\n");
    project.remove();
  });
});
