// The admin address: what it answers (by itself), and that it answers (real processes on each runtime).

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { adminApplication, type AdminStatus, Readiness } from "../../src/cli/admin.ts";
import { call, validator } from "../../src/esgi/testing.ts";
import { type Address, Client } from "../support/client.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

describe("adminApplication", () => {
  const READY: AdminStatus = { live: true, ready: true, reason: "" };
  const STOPPING: AdminStatus = { live: true, ready: false, reason: "stopping" };
  const GIVEN_UP: AdminStatus = { live: false, ready: true, reason: "the workers die one after another" };

  test.each<[string, string, AdminStatus, number, string]>([
    ["GET", "/livez", READY, 200, "ok\n"],
    ["GET", "/readyz", READY, 200, "ok\n"],
    ["GET", "/readyz?verbose=1", READY, 200, "ok\n"],
    ["HEAD", "/readyz", READY, 200, ""],
    ["GET", "/livez", STOPPING, 200, "ok\n"],
    ["GET", "/readyz", STOPPING, 503, "stopping\n"],
    ["HEAD", "/readyz", STOPPING, 503, ""],
    ["GET", "/livez", GIVEN_UP, 503, "the workers die one after another\n"],
    ["GET", "/readyz", GIVEN_UP, 503, "the workers die one after another\n"],
    ["GET", "/", READY, 404, "there are /livez and /readyz\n"],
    ["GET", "/healthz", READY, 404, "there are /livez and /readyz\n"],
    ["GET", "/livez/", READY, 404, "there are /livez and /readyz\n"],
    ["POST", "/nothing", READY, 404, "there are /livez and /readyz\n"],
    ["POST", "/livez", READY, 405, "GET and HEAD only\n"],
    ["DELETE", "/readyz", STOPPING, 405, "GET and HEAD only\n"],
  ])("%s %s of %j: %i", async (method, path, status, code, text) => {
    const reply = await call(validator(adminApplication(() => status)), { method, path });
    expect([reply.status, reply.text()]).toEqual([code, text]);
    expect(reply.header("Content-Type")).toBe("text/plain; charset=utf-8");
    expect(reply.header("Cache-Control")).toBe("no-store");
    expect(reply.header("Allow")).toBe(code === 405 ? "GET, HEAD" : null);
  });
});

describe("Readiness", () => {
  test("starts without it, and leaves at once when there is no delay", async () => {
    const readiness = new Readiness();
    expect(readiness.status()).toEqual({ live: true, ready: false, reason: "starting" });
    readiness.serving();
    expect(readiness.status()).toEqual({ live: true, ready: true, reason: "" });
    readiness.skip();
    await readiness.leave(0);
    expect(readiness.status()).toEqual({ live: true, ready: false, reason: "stopping" });
  });

  test("leaves after the delay", async () => {
    const readiness = new Readiness();
    readiness.serving();
    const left = readiness.leave(0.05);
    expect(readiness.status().ready).toBe(false);
    await left;
  });
});

onEachRuntime("the admin address", (runtime: TestRuntime) => {
  const children = new Set<ChildProcess>();
  afterEach(() => {
    for (const child of children) child.kill("SIGKILL");
  });

  interface Process {
    readonly child: ChildProcess;
    text: string;
    ended: number | string | null;
  }

  async function start(bind: string): Promise<Process> {
    const words = [...runtime.words(["--allow-write"]), "test/cli/fixtures/admin_main.ts", bind];
    const child = spawn(runtime.program, words, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    children.add(child);
    const process: Process = { child, text: "", ended: null };
    child.stdout.setEncoding("utf8").on("data", (more: string) => process.text += more);
    child.on("close", (code, signal) => {
      process.ended = code ?? signal;
      children.delete(child);
    });
    await eventually(() => process.text.endsWith("\n") || process.ended !== null, () => "nothing is said");
    return process;
  }

  /** Status and text of one request on a connection of its own. */
  async function get(address: Address, target: string): Promise<[number, string]> {
    const client = await Client.connect(address);
    const { status, text } = await client.send(`GET ${target} HTTP/1.1\r\nHost: probe\r\n\r\n`).response();
    client.destroy();
    return [status, text];
  }

  test("answers from the start until the end, on a connection that is kept, too", async () => {
    const process = await start("127.0.0.1:0");
    const says = (line: string): Promise<void> =>
      eventually(() => process.text.includes(`${line}\n`), () => process.text);
    const port = Number(/^http:\/\/127\.0\.0\.1:(\d+)\n/.exec(process.text)![1]);
    const address = { host: "127.0.0.1", port };
    expect(await get(address, "/readyz")).toEqual([503, "starting\n"]);
    const kept = await Client.connect(address);
    const ready = async (): Promise<number> =>
      (await kept.send("GET /readyz HTTP/1.1\r\nHost: probe\r\n\r\n").response()).status;
    expect(await ready()).toBe(503);
    process.child.kill("SIGUSR2");
    await says("serving");
    expect(await get(address, "/readyz")).toEqual([200, "ok\n"]);
    expect(await ready()).toBe(200);
    expect((await kept.send("HEAD /livez HTTP/1.1\r\nHost: p\r\n\r\n").response({ head: true })).text).toBe("");
    process.child.kill("SIGTERM");
    await says("leaving");
    expect(await ready()).toBe(503);
    expect(await get(address, "/readyz")).toEqual([503, "stopping\n"]);
    expect(await get(address, "/livez")).toEqual([200, "ok\n"]);
    process.child.kill("SIGTERM");
    await eventually(() => process.ended !== null, () => process.text);
    expect(process.text).toMatch(/leaving\ndrains\n$/);
    expect(process.ended).toBe(0);
    kept.destroy();
  });

  test("may be a unix socket", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tricorn-"));
    const path = join(folder, "admin");
    const process = await start(`unix:${path}`);
    expect(process.text).toBe(`unix:${path}\n`);
    expect(await get({ path }, "/livez")).toEqual([200, "ok\n"]);
    process.child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });

  test("that cannot be had names the setting", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const { port } = blocker.address() as AddressInfo;
    const process = await start(`127.0.0.1:${port}`);
    expect(process.text).toBe(
      `BindError: admin_bind: cannot listen on 127.0.0.1:${port}: the address is in use; ` +
        "choose another address with --admin-bind\n",
    );
    await eventually(() => process.ended !== null, () => "it goes on");
    blocker.close();
  });
});
