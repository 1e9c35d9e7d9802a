import { beforeEach, describe, expect, test, vi } from "vitest";
import { BindError } from "../../src/cli/listen.ts";
import { run, type RunningServer } from "../../src/cli/run.ts";
import { ConfigError } from "../../src/config/error.ts";
import type { Options } from "../../src/config/settings.ts";
import { LoadError } from "../../src/cli/load.ts";
import type { Application } from "../../src/esgi/mod.ts";
import type { ListenFault } from "../../src/runtime/port.ts";
import { fakeContext, FakeHost, FakeRuntime } from "./fake.ts";

const application: Application = (_environ, startResponse) => {
  startResponse("204 No Content", []);
  return null;
};

let host: FakeHost;
let runtime: FakeRuntime;
const start = (options: Options = {}): Promise<RunningServer> => run(application, options, fakeContext(host, runtime));
const lines = (): string[] => host.err.split("\n").map((line) => line.replace(/^\[.*?\] \[7\] /, "")).filter(Boolean);
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

beforeEach(() => {
  host = new FakeHost();
  runtime = new FakeRuntime();
});

describe("run", () => {
  test("listens on every address and says so", async () => {
    const running = await start({ bind: ["127.0.0.1:0", "[::1]:80", "unix:/run/a.sock"] });
    expect(running.urls).toEqual(["http://127.0.0.1:40000", "http://[::1]:80", "unix:/run/a.sock"]);
    expect(lines()).toEqual([
      expect.stringMatching(/^\[INFO\] Starting tricorn \d+\.\d+\.\d+ on memory 1$/),
      "[INFO] Listening at: http://127.0.0.1:40000",
      "[INFO] Listening at: http://[::1]:80",
      "[INFO] Listening at: unix:/run/a.sock",
    ]);
    running.close();
    await running.finished;
    expect(runtime.open.size).toBe(0);
  });

  test("reads the environment, and says which variables it may not read", async () => {
    host.env.PORT = "3000";
    expect((await start()).urls).toEqual(["http://0.0.0.0:3000"]);
    host.deniedEnv.add("PORT");
    await start();
    expect(host.err).toContain("Without --allow-env, these are not read from the environment: PORT\n");
  });

  test("serves fetch applications, and factories", async () => {
    await run({ fetch: () => new Response() }, {}, fakeContext(host, runtime));
    await run(() => new Response(), {}, fakeContext(host, runtime));
    await run((() => application) as never, { factory: true }, fakeContext(host, runtime));
    await expect(run("app" as never, {}, fakeContext(host, runtime))).rejects.toThrow(LoadError);
    await expect(run("app" as never, {}, fakeContext(host, runtime))).rejects.toThrow(
      "cannot serve the application: it is a string",
    );
  });

  test("changes its directory first", async () => {
    await start({ chdir: "/var/app" });
    expect(host.cwd).toBe("/var/app");
    await expect(start({ chdir: "/nowhere" })).rejects.toThrow(
      new ConfigError('chdir: cannot change to "/nowhere": ENOENT: no such directory'),
    );
  });

  test("reads certificates, and tells what is wrong with them", async () => {
    host.files.set("c.pem", "-----BEGIN CERTIFICATE-----");
    host.files.set("k.pem", "-----BEGIN PRIVATE KEY-----");
    host.files.set("text", "text");
    const running = await start({ certfile: "c.pem", keyfile: "k.pem", ca_certs: "c.pem", cert_reqs: 2, backlog: 5 });
    expect(running.urls).toEqual(["https://127.0.0.1:8000"]);
    expect(runtime.lastOptions).toEqual({
      backlog: 5,
      tls: {
        cert: "-----BEGIN CERTIFICATE-----",
        key: "-----BEGIN PRIVATE KEY-----",
        ca: "-----BEGIN CERTIFICATE-----",
        requestClientCert: true,
      },
      onPlaintext: expect.any(Function),
    });
    await expect(start({ certfile: "absent", keyfile: "k.pem" })).rejects.toThrow(
      /^certfile: cannot read "absent": ENOENT/,
    );
    await expect(start({ certfile: "c.pem", keyfile: "text" })).rejects.toThrow(/^keyfile: "text" is not in PEM/);
    host.files.set("other.pem", "-----BEGIN PRIVATE KEY----- other");
    await expect(start({ certfile: "c.pem", keyfile: "other.pem" })).rejects.toThrow(
      /^keyfile: "other\.pem" is not the key$/,
    );
  });

  test.each<[ListenFault, string, RegExp]>([
    [
      "EADDRINUSE",
      "127.0.0.1:80",
      /^cannot listen on 127\.0\.0\.1:80: the reason; stop what listens there, or choose another port/,
    ],
    ["EACCES", "127.0.0.1:80", /ports below 1024 need a privilege/],
    ["EACCES", "127.0.0.1:8080", /choose another address with --bind \(Deno/],
    ["EADDRNOTAVAIL", "192.0.2.1:80", /--bind 0\.0\.0\.0:80 listens on all addresses/],
    ["ENOTFOUND", "nowhere:80", /choose another address/],
    ["EADDRINUSE", "unix:/run/a", /remove what is there/],
    ["EACCES", "unix:/run/a", /choose a directory that can be written/],
    ["EOTHER", "unix:/run/a", /choose another path/],
    ["ENOTSUP", "127.0.0.1:80", /: the reason; leave reuse_port \(--reuse-port\) out$/],
    ["EOTHER", "fd://3", /needs the number of a listening socket/],
  ])("%s of %s has its remedy, and leaves nothing open", async (fault, bind, message) => {
    runtime.faults.set(bind, fault);
    const failed = start({ bind: ["127.0.0.1:9999", bind] });
    await expect(failed).rejects.toThrow(BindError);
    await expect(failed).rejects.toThrow(message);
    expect(runtime.open.size).toBe(0);
    expect(host.err).toBe("");
  });

  test("writes to the files that it was given, and reopens them at SIGUSR1", async () => {
    const running = await start({ errorlog: "/log/error", accesslog: "/log/stuck" });
    expect(host.err).toBe("");
    host.signal("SIGUSR1");
    expect(host.reopened).toEqual(["/log/error"]);
    expect(host.files.get("/log/error")).toContain(
      "[ERROR] A log cannot be reopened, the old file is written on: EACCES",
    );
    expect(host.files.get("/log/error")).toContain("[INFO] Handling signal: SIGUSR1: the logs were reopened");
    running.close();
    await expect(start({ accesslog: "/nowhere/a" })).rejects.toThrow(/^accesslog: cannot open "\/nowhere\/a": ENOENT/);
    await expect(start({ accesslog: "-", access_log_format: "%(z)s" })).rejects.toThrow(ConfigError);
  });

  test("colours on a terminal, unless NO_COLOR is set", async () => {
    host.isTty = true;
    await start();
    expect(host.err).toContain("\x1b[32m[INFO]\x1b[0m");
    host.err = "";
    host.env.NO_COLOR = "1";
    await start();
    expect(host.err).not.toContain("\x1b");
  });
});

describe("signals", () => {
  test("SIGTERM and SIGINT drain and exit with 0", async () => {
    for (const signal of ["SIGTERM", "SIGINT"]) {
      host = new FakeHost();
      const running = await start();
      host.signal(signal);
      await running.finished;
      await settle();
      expect(host.exits).toEqual([0]);
      expect(runtime.open.size).toBe(0);
      expect(lines().slice(-2)).toEqual([`[INFO] Handling signal: ${signal}`, "[INFO] Shutting down"]);
    }
  });

  test("a second one closes at once, but not an echo of the first", async () => {
    const now = vi.spyOn(Date, "now").mockReturnValue(1000);
    const running = await start();
    host.signal("SIGINT");
    host.signal("SIGINT");
    expect(host.exits).toEqual([]);
    now.mockReturnValue(1200);
    host.signal("SIGTERM");
    expect(host.exits).toEqual([0]);
    expect(host.err).toContain("SIGTERM, again: closing at once");
    now.mockRestore();
    await running.finished;
  });

  test("SIGQUIT closes at once", async () => {
    await start();
    host.signal("SIGQUIT");
    expect(host.exits).toEqual([0]);
    expect(runtime.open.size).toBe(0);
  });

  test("end all servers of the process", async () => {
    const both = [await start({ bind: ":1" }), await start({ bind: ":2" })];
    host.signal("SIGTERM");
    await Promise.all(both.map(({ finished }) => finished));
    expect(runtime.open.size).toBe(0);
  });

  test("mean what they mean without a server, when none is left", async () => {
    (await start()).close();
    host.signal("SIGTERM");
    host.throwUncaught(new Error("late"));
    expect(host.exits).toEqual([143, 1]);
    expect(host.err).toContain("Error: late\n");
  });

  test("an uncaught error is logged and ends nothing", async () => {
    await start();
    host.throwUncaught(new RangeError("stray"));
    expect(host.exits).toEqual([]);
    expect(host.err).toMatch(/\[ERROR\] Uncaught error outside of a request\n {2}RangeError: stray\n/);
  });

  test("are left alone with handle_signals: false", async () => {
    const running = await start({ handle_signals: false });
    expect(host.signals).toEqual([]);
    await running.drain();
    await running.finished;
    expect(host.exits).toEqual([]);
  });
});
