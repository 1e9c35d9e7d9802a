// What runserver needs of the system and is small: the certificate that is kept, and sources that are read, on each runtime.

import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, expect, test } from "vitest";
import type { DevCertificate } from "../../src/cli/dev_host.ts";
import { onEachKind, onEachRuntime, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { Program, type Surroundings } from "./dev_host_program.ts";

const directory = mkdtempSync(join(tmpdir(), "tricorn-dev-host-"));
afterAll(() => rmSync(directory, { recursive: true }));

const NOW = "2026-11-22T12:00:00Z";

onEachKind("the certificate", (runtime) => {
  const folder = join(directory, `${runtime.name}/cache/tricorn`);

  async function keep(date: string, names: readonly string[] = [], where = folder): Promise<DevCertificate> {
    const program = new Program(runtime, ["certificate", where, date, ...names]);
    await program.says("certfile");
    await program.end();
    return program.lines[0] as unknown as DevCertificate;
  }

  test("is made once, for its owner alone, and kept until the day before its last", async () => {
    const first = await keep(NOW);
    expect(first).toMatchObject({ isNew: true, problem: null, certfile: join(folder, "localhost.pem") });
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(first.keyfile).mode & 0o777).toBe(0o600);
    const text = readFileSync(first.certfile, "utf8");
    expect(await keep("2027-02-18T12:00:00Z")).toEqual({ ...first, isNew: false });
    expect(readFileSync(first.certfile, "utf8")).toBe(text);
    expect(await keep("2027-02-20T12:00:00Z")).toEqual(first);
    expect(readFileSync(first.certfile, "utf8")).not.toBe(text);
    expect(readdirSync(folder)).toEqual(["localhost.pem"]);
  });

  test("for further names is another, kept beside it", async () => {
    const one = await keep(NOW, ["192.168.1.5", "::", "dev.example"]);
    expect(one).toMatchObject({ isNew: true, certfile: join(folder, "localhost+192.168.1.5+__+dev.example.pem") });
    expect(await keep(NOW, ["192.168.1.5", "::", "dev.example"])).toMatchObject({ isNew: false });
    expect(await keep(NOW, ["localhost", "127.0.0.1"])).toMatchObject({ certfile: join(folder, "localhost.pem") });
    const read = new X509Certificate(readFileSync(one.certfile, "utf8").replace(/^.*?(?=-----BEGIN CERT)/s, ""));
    expect(read.checkIP("192.168.1.5")).toBeDefined();
  });

  test("that is spoiled is made again", async () => {
    const { certfile } = await keep(NOW);
    for (const spoiled of ["", "nonsense", readFileSync(certfile, "utf8").slice(0, 400)]) {
      writeFileSync(certfile, spoiled);
      expect(await keep(NOW)).toMatchObject({ isNew: true, problem: null });
      expect(await keep(NOW)).toMatchObject({ isNew: false });
    }
  });

  test("that cannot be kept is a temporary file, which goes with the process", async () => {
    const file = join(directory, `${runtime.name}-file`);
    writeFileSync(file, "");
    const program = new Program(runtime, ["certificate", join(file, "tricorn"), NOW]);
    const certfile = await program.says("certfile") as string;
    expect(program.said("problem")).toEqual([
      expect.stringContaining(`it cannot be kept in ${join(file, "tricorn")}: `),
    ]);
    expect(statSync(certfile).mode & 0o777).toBe(0o600);
    await program.end();
    expect(existsSync(certfile)).toBe(false);
  });
});

onEachRuntime("TLS with the certificate", (runtime) => {
  test("is trusted by a client that is given it, under every name", async () => {
    const cache = join(directory, `${runtime.name}-tls`);
    const program = new Program(runtime, ["tls", "app.localhost"], { env: { XDG_CACHE_HOME: cache } });
    const port = await program.says("port");
    const certfile = program.said("certfile")[0] as string;
    expect(certfile).toBe(join(cache, "tricorn/localhost+app.localhost.pem"));
    for (const host of ["localhost", "127.0.0.1", "app.localhost"]) {
      const words = ["-sS", "--cacert", certfile, "--connect-to", `::127.0.0.1:${port}`, `https://${host}:${port}/`];
      const { stdout, stderr } = spawnSync("curl", words, { encoding: "utf8", env: { PATH: process.env.PATH } });
      expect({ host, stdout, stderr }).toEqual({ host, stdout: "hello", stderr: "" });
    }
    await program.end();
  });
});

onEachKind("a source", (runtime) => {
  const source = async (path: string, on: TestRuntime = runtime, surroundings: Surroundings = {}): Promise<unknown> => {
    const program = new Program(on, ["source", path], surroundings);
    await eventually(() => program.lines.length > 0 || program.code !== null, () => program.stderr);
    await program.end();
    return program.said("source")[0];
  };

  test("is a text of at most 2 MB", async () => {
    const path = join(directory, "a.ts");
    writeFileSync(path, "é");
    expect(await source(path)).toBe("é");
    writeFileSync(path, Uint8Array.of(0xff, 0xfe));
    expect(await source(path)).toBe(null);
    writeFileSync(path, " ".repeat(2 * 1024 * 1024 + 1));
    expect(await source(path)).toBe(null);
    expect(await source(directory)).toBe(null);
    expect(await source(join(directory, "none"))).toBe(null);
    spawnSync("mkfifo", [join(directory, `${runtime.name}-pipe`)]);
    expect(await source(join(directory, `${runtime.name}-pipe`))).toBe(null);
  });
});
