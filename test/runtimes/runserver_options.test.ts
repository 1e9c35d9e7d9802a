// The arguments of `tricorn runserver`, each as a user writes it, with real processes: what it does, and what is said of one
// that is wrong. A mistake costs one line and an exit code.

import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DevServerOptions, failedStart, freePort, withDevServer } from "../support/dev_server.ts";
import { onEachKind } from "../support/runtimes.ts";
import { eventually, sleep } from "../support/wait.ts";

/** Says `text`. */
const says = (text: string): string => `
export const application = (_environ: unknown, startResponse: (status: string, headers: string[][]) => void): string => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ${JSON.stringify(text)};
};
`;

const APP: Readonly<Record<string, string>> = { "app.ts": says("one;") };

const SETTINGS = `
export const settings = { DEBUG: true, ROOT_URLCONF: [], SECRET_KEY: "x".repeat(50) };
`;

const directory = mkdtempSync(join(tmpdir(), "tricorn-options-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Whether an address can be listened on here. */
function canListen(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(0, host, () => server.close(() => resolve(true)));
  });
}

const HAS_IPV6 = await canListen("::1");

/** The first port that needs no privilege (ip(7)). */
const FREE_FROM = existsSync("/proc/sys/net/ipv4/ip_unprivileged_port_start")
  ? Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"))
  : 1024;

/** The bytes that are answered on a connection to which `request` is written. */
function exchange(port: number, request: string, host = "127.0.0.1"): Promise<string> {
  return new Promise((resolve) => {
    const socket = new Socket();
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (data) => text += String(data));
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.connect({ port, host }, () => socket.write(request));
  });
}

const ask = (port: number, host: string): Promise<string> =>
  exchange(port, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", host);

onEachKind("the arguments of runserver", (runtime) => {
  describe("addrport", () => {
    test("each form of it is the address that the banner shows, and that answers", async () => {
      const port = await freePort();
      const forms: [words: string[], url: string, host: string][] = [
        [[`${port}`], `http://127.0.0.1:${port}/`, "127.0.0.1"],
        [["127.0.0.2:0"], "http://127.0.0.2:", "127.0.0.2"],
        [["localhost:0"], "http://localhost:", "localhost"],
        [["0:0"], "http://127.0.0.1:", "127.0.0.1"],
      ];
      if (HAS_IPV6) {
        forms.push(
          [["-6", "0"], "http://[::1]:", "::1"],
          [["--ipv6", "0:0"], "http://[::1]:", "::1"],
          [["[::1]:0"], "http://[::1]:", "::1"],
        );
      }
      await Promise.all(forms.map(([words, url, host]) =>
        withDevServer(runtime, APP, async (server) => {
          expect(server.stderr).toContain(`  At        ${url}`);
          expect(server.stderr.includes("(on all addresses of this machine)")).toBe(words.includes("0:0"));
          expect(await ask(server.port, host)).toMatch(/^HTTP\/1\.1 200 [^]*one;/);
        }, { words })
      ));
    });

    test("without one it is the port in PORT", async () => {
      const port = await freePort();
      await withDevServer(runtime, APP, async (server) => {
        expect(server.url).toBe(`http://127.0.0.1:${port}`);
        expect((await server.get("/")).text).toBe("one;");
      }, { words: [], env: { PORT: `${port}` } });
    });
  });

  describe("a start that cannot be", () => {
    const cases: [title: string, options: DevServerOptions, code: number, line: RegExp][] = [
      ["an unknown flag", { words: ["--noreloda"] }, 2, /unknown flag "--noreloda"; did you mean "--noreload"\?/],
      ["two applications", { words: ["app.ts", "b.ts"] }, 2, /"b\.ts" is one word too many; give one application/],
      ["two addresses", { words: ["8000", "8001"] }, 2, /"8001" is one word too many; give one address/],
      ["an address without its port", { words: ["127.0.0.1"] }, 2, /"127\.0\.0\.1" is no port .*; write 8000 or 127/],
      ["port 70000", { words: ["70000"] }, 2, /the port "70000" is not a number between 0 and 65535/],
      [
        "an IPv4 address with -6",
        { words: ["-6", "127.0.0.1:0"] },
        2,
        /"127\.0\.0\.1" is an IPv4 address; leave --ipv6/,
      ],
      ["a flag with a value too many", { words: ["--open=x"] }, 2, /--open takes no value; leave "=x" out/],
      ["a flag without its value", { words: ["--settings"] }, 2, /--settings: the value is missing/],
      ["a configuration file that is not there", { words: ["-c", "no.ts", "0"] }, 2, /no\.ts/],
      ["a module that is not there", { words: ["nowhere.ts", "0"] }, 3, /cannot load "nowhere\.ts": there is no file/],
      ["settings that are not there", { words: ["--settings", "nowhere.ts", "0"] }, 3, /settings "nowhere\.ts"/],
      [
        "an address that is not ours",
        { words: ["192.0.2.1:8123"] },
        1,
        /192\.0\.2\.1 is no address of this machine; .*0:8123/,
      ],
      ["a host that is not there", { words: ["nohost.invalid:8123"] }, 1, /there is no host "nohost\.invalid"; write/],
    ];
    test.each(cases)("%s: one line and an exit code", async (_, options, code, line) => {
      const failed = await failedStart(runtime, APP, options);
      expect(failed.stderr).toMatch(line);
      expect(failed.stderr).toMatch(/^tricorn: [^\n]+\n$/);
      expect(failed.code).toBe(code);
    });

    test("a folder without an application: what to write", async () => {
      const failed = await failedStart(runtime, { "README.md": "" }, { words: ["0"] });
      expect(failed.stderr).toMatch(/^tricorn: runserver: there is no application in .*"tricorn new DIR"\n$/);
      expect(failed.code).toBe(2);
    });

    describe("because of the port", () => {
      let server: Server;
      let port: number;
      beforeAll(() =>
        new Promise<void>((resolve) => {
          server = createServer().listen(0, "127.0.0.1", () => {
            port = (server.address() as { port: number }).port;
            resolve();
          });
        })
      );
      afterAll(() => new Promise((resolve) => server.close(resolve)));

      test.each([[[]], [["--noreload"]]])("a taken one: who has it, and another (%j)", async (words) => {
        const failed = await failedStart(runtime, APP, { words: [`${port}`, ...words] });
        expect(failed.stderr).toMatch(/^tricorn: [^\n]+\n$/);
        expect(failed.stderr).toContain(`port ${port} is taken, `);
        // Deno shows /proc to whoever was allowed everything.
        if (runtime.kind !== "deno") expect(failed.stderr).toContain(` has it (pid ${process.pid}); `);
        expect(failed.stderr).toContain(`take another: tricorn runserver ${port + 1}`);
        expect(failed.code).toBe(1);
      });
    });
  });

  test("--noreload: one process, and a save changes nothing", async () => {
    await withDevServer(runtime, APP, async (server, project) => {
      expect(server.stderr).toContain("  Watching  nothing (--noreload)\n");
      expect((await server.get("/")).text).toBe("one;");
      expect(server.children()).toEqual([]);
      project.save("app.ts", says("two;"));
      // Longer than a reload takes.
      await sleep(500);
      expect((await server.get("/")).text).toBe("one;");
      await server.says(/^\d\d:\d\d:\d\d GET {4}200 .* \/$/, 2);
      server.signal("SIGINT");
      expect(await server.exited()).toBe(0);
    }, { words: ["0", "--noreload"] });
    const broken = await failedStart(runtime, { "app.ts": "export default (\n" }, { words: ["0", "--noreload"] });
    expect(broken.code).toBe(3);
    expect(broken.stderr).toMatch(/^tricorn: cannot load ".*app\.ts": the module threw /);
    const other = await failedStart(runtime, APP, { words: ["0", "--noreload", "app.ts:nothing"] });
    expect(other.code).toBe(4);
    expect(other.stderr).toMatch(
      /^tricorn: cannot load "app\.ts:nothing": the module has no export "nothing"[^\n]+\n$/,
    );
  });

  test("--nothreading: one request after the other, though a page is connected", async () => {
    const slow = `
let running = 0;
export const application = async (_environ: unknown, startResponse: (status: string, headers: string[][]) => void) => {
  const others = running++;
  await new Promise((resolve) => setTimeout(resolve, 100));
  running--;
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return \`beside \${others}\`;
};
`;
    await withDevServer(runtime, { "app.ts": slow }, async (server) => {
      const events = await fetch(`${server.url}/__tricorn__/events`);
      const answers = await Promise.all([1, 2, 3].map(() => server.get("/")));
      expect(answers.map(({ text }) => text)).toEqual(["beside 0", "beside 0", "beside 0"]);
      await events.body!.cancel();
    }, { words: ["0", "--nothreading"] });
    await withDevServer(runtime, { "app.ts": slow }, async (server) => {
      const answers = await Promise.all([1, 2, 3].map(() => server.get("/")));
      expect(answers.map(({ text }) => text).toSorted()).toEqual(["beside 0", "beside 1", "beside 2"]);
    });
  });

  test("--norefresh: pages have no script, and nothing to connect to", async () => {
    const page = `
export const application = (_environ: unknown, startResponse: (status: string, headers: string[][]) => void): string => {
  startResponse("200 OK", [["Content-Type", "text/html"]]);
  return "<!doctype html><title>t</title><p>page";
};
`;
    await withDevServer(runtime, { "app.ts": page }, async (server) => {
      expect((await server.get("/", { accept: "text/html" })).text).toBe("<!doctype html><title>t</title><p>page");
      expect((await server.get("/__tricorn__/refresh.js")).text).toContain("page");
    }, { words: ["0", "--norefresh"] });
    await withDevServer(runtime, { "app.ts": page }, async (server) => {
      expect((await server.get("/", { accept: "text/html" })).text).toContain("/__tricorn__/refresh.js");
    });
  });

  test("--open: the browser gets the address, once, when it answers", async () => {
    const got = join(directory, `${runtime.name}.got`);
    const browser = join(directory, `${runtime.name}.sh`);
    writeFileSync(browser, `#!/bin/sh\necho "$*" >> ${got}\n`, { mode: 0o755 });
    await withDevServer(runtime, APP, async (server, project) => {
      await eventually(() => existsSync(got), () => server.stderr);
      project.save("app.ts", says("two;"));
      await server.answers("/", "two;");
      expect(readFileSync(got, "utf8")).toBe(`${server.url}/\n`);
    }, { words: ["0", "--open"], env: { BROWSER: browser } });
    await withDevServer(runtime, APP, async (server) => {
      await server.says("Cannot open a browser: ");
      expect((await server.get("/")).text).toBe("one;");
    }, { words: ["0", "--open"], env: { BROWSER: join(directory, "no-such-browser") } });
    rmSync(got);
    await withDevServer(runtime, APP, async (server) => {
      await eventually(() => existsSync(got), () => server.stderr);
      expect(readFileSync(got, "utf8")).toBe(`${server.url}/\n`);
    }, { words: ["0", "--open", "--noreload"], env: { BROWSER: browser } });
  });

  test("--https: with a certificate that is made on the spot, and used again the next time", async () => {
    const cache = join(directory, `${runtime.name}-cache`);
    const certificate = join(cache, "tricorn", "localhost.pem");
    const options = { words: ["0", "--https"], env: { XDG_CACHE_HOME: cache } };
    const curl = (url: string): Promise<string> =>
      new Promise((resolve) => {
        execFile("curl", ["-sS", "--cacert", certificate, url], (_, stdout, stderr) => resolve(stdout + stderr));
      });
    await withDevServer(runtime, APP, async (server, project) => {
      expect(server.stderr).toContain(`Made a certificate for localhost: ${certificate}\n`);
      expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
      expect(await curl(server.url)).toBe("one;");
      expect(await curl(`https://localhost:${server.port}/`)).toBe("one;");
      project.save("app.ts", says("two;"));
      await eventually(async () => await curl(server.url) === "two;", () => server.stderr);
      // A sentence for whoever left the s out.
      await exchange(server.port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await server.says("You are speaking HTTP to a server that speaks HTTPS");
    }, options);
    const made = readFileSync(certificate, "utf8");
    await withDevServer(runtime, APP, async (server) => {
      expect(server.stderr).not.toContain("certificate");
      expect(await curl(server.url)).toBe("one;");
    }, { ...options, words: [...options.words, "--noreload"] });
    expect(readFileSync(certificate, "utf8")).toBe(made);
  });

  test("--settings goes before what finds an application by itself, and a word goes before that", async () => {
    const files = { ...APP, "settings.ts": SETTINGS, "other.ts": says("other;"), "conf.json": '{ "app": "other.ts" }' };
    await withDevServer(runtime, files, async (server) => {
      expect(server.stderr).toContain("  Serving   the site of settings.ts\n");
      expect((await server.get("/", { accept: "text/html" })).status).toBe(200);
    }, { words: ["0", "--settings", "settings.ts"] });
    await withDevServer(runtime, files, async (server) => {
      expect(server.stderr).toContain("  Serving   ./app.ts\n");
    });
    await withDevServer(runtime, files, async (server) => {
      expect((await server.get("/")).text).toBe("other;");
      expect(server.stderr).toContain("  Serving   other.ts\n");
    }, { words: ["--config", "conf.json", "0"] });
    await withDevServer(runtime, files, async (server) => {
      expect((await server.get("/")).text).toBe("one;");
    }, { words: ["app.ts:application", "--config=conf.json", "0"] });
  });

  test("--help says all of it", async () => {
    const { code, stdout } = await failedStart(runtime, {}, { words: ["--help"] });
    for (const flag of ["-6", "--https", "--open", "--nothreading", "--noreload", "--norefresh", "--nostatic"]) {
      expect(stdout).toContain(flag);
    }
    expect(code).toBe(0);
  });

  test("a privileged port: one line with the remedy", async (context) => {
    if (FREE_FROM <= 80) return context.skip("here no port is privileged (ip_unprivileged_port_start)");
    const isRoot = process.getuid?.() === 0;
    const before = isRoot ? ["setpriv", "--bounding-set=-net_bind_service"] : [];
    if (isRoot && spawnSync("setpriv", ["--version"]).status !== 0) return context.skip("root, and no setpriv");
    const failed = await failedStart(runtime, APP, { words: ["80"], before });
    expect(failed.stderr).toMatch(/^tricorn: port 80 needs a privilege, as all below 1024 do; .*runserver 8080\n$/);
    expect(failed.code).toBe(1);
  });
});
