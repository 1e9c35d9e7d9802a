// What a development server's log says of clients that speak something else, and of those that leave, on each runtime.

import { type ChildProcess, spawn } from "node:child_process";
import * as tls from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../support/client.ts";
import { onEachRuntime, ROOT } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

onEachRuntime("the log of a development server", (runtime) => {
  let child: ChildProcess;
  let ports: readonly number[] = [];
  let log = "";
  beforeAll(async () => {
    let told = "";
    child = spawn(runtime.program, [...runtime.words([]), "test/dev/fixtures/log_main.ts"], { cwd: ROOT });
    child.stdout!.setEncoding("utf8").on("data", (text: string) => told += text);
    child.stderr!.setEncoding("utf8").on("data", (text: string) => log += text);
    await eventually(() => {
      if (child.exitCode !== null) throw new Error(log);
      return told.includes("\n");
    }, () => `the server does not start: ${log}`);
    ports = told.trim().split(" ").map(Number);
  });
  afterAll(() => void child.kill("SIGKILL"));

  const connect = (index: number): Promise<Client> => Client.connect({ host: "127.0.0.1", port: ports[index]! });
  const says = (expected: RegExp): Promise<void> =>
    eventually(() => expected.test(log), () => `the log does not say ${expected}:\n${log}`);

  test("HTTPS to a server that speaks HTTP", async () => {
    const socket = tls.connect({ host: "127.0.0.1", port: ports[0]!, rejectUnauthorized: false });
    socket.on("error", () => {});
    await says(/^\d\d:\d\d:\d\d {8}400 {18}You are speaking HTTPS to a server that speaks HTTP: open URL, .*--https$/m);
    socket.destroy();
  });

  test("HTTP/2 to a server that speaks HTTP/1.1", async () => {
    const client = await connect(0);
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await says(/ 505 .*You are speaking HTTP\/2 to a server that speaks HTTP\/1\.1: with curl, say --http1\.1$/m);
    client.destroy();
  });

  test("HTTP to a server that speaks HTTPS", async () => {
    const client = await connect(1);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await says(/ --- .*You are speaking HTTP to a server that speaks HTTPS: open URL, or start without --https$/m);
    client.destroy();
  });

  test("a client that leaves in the middle of a response", async () => {
    const client = await connect(0);
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.until("aaa");
    client.reset();
    await says(/GET {4}200 .* \/endless {2}client left$/m);
    expect(log).not.toContain("Error");
  });
});
