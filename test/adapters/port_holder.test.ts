// Who has a port, asked on each runtime.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { expect, test } from "vitest";
import { onEachKind } from "../support/runtimes.ts";
import { Program } from "./dev_host_program.ts";

onEachKind("who has a port", (runtime) => {
  test.each(["127.0.0.1", "::1", "0.0.0.0"])("on %s", async (host) => {
    const server = createServer();
    server.listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const program = new Program(runtime, ["holder", String(port)]);
    const holder = await program.says("holder") as { pid: number; command: string };
    expect(holder.pid).toBe(process.pid);
    expect(holder.command).not.toBe("");
    server.close();
    await once(server, "close");
    const nobody = new Program(runtime, ["holder", String(port)]);
    await nobody.says("holder").catch(() => {});
    expect(nobody.said("holder")).toEqual([null]);
    await Promise.all([program.end(), nobody.end()]);
  });

  test("is told with its command line, cut and without control characters", async () => {
    const script = 'require("net").createServer().listen(0, function () { console.log(this.address().port) })';
    const child = spawn(process.execPath, ["-e", script, "a\x1b[31mb", "x".repeat(200)]);
    const [output] = await once(child.stdout, "data") as [Uint8Array];
    const program = new Program(runtime, ["holder", String(output).trim()]);
    const holder = await program.says("holder") as { pid: number; command: string };
    expect(holder.pid).toBe(child.pid);
    expect(holder.command).toHaveLength(100);
    expect(holder.command).toMatch(/^[^\x00-\x1f]*…$/);
    expect(holder.command.startsWith(process.execPath.slice(0, 50))).toBe(true);
    child.kill();
    await program.end();
  });
});
