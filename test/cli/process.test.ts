// The command as a real process, on each runtime: exit codes, signals, log files.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeCertificate } from "../../src/dev/certificate.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { ServerProcess, withServer } from "../support/server.ts";
import { eventually, sleep } from "../support/wait.ts";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function command(runtime: TestRuntime, ...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(runtime.program, [...runtime.words([]), "adapters/bin.ts", ...words], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const FAULTS = "test/cli/fixtures/faults.ts";

const begun = (server: ServerProcess): Promise<void> =>
  eventually(() => server.stderr.includes("the request has begun"), () => server.stderr);

onEachRuntime("tricorn", (runtime) => {
  test("what is wrong is one line, and an exit code", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const taken = `127.0.0.1:${(blocker.address() as AddressInfo).port}`;
    const cases: [string[], number, RegExp][] = [
      [["serve", FAULTS, "--bnd", "x"], 2, /^tricorn: unknown flag "--bnd"; did you mean "--bind"\?\n$/],
      [["serve", FAULTS, "--certfile", "/nowhere"], 2, /^tricorn: certfile .*\n$/],
      [["serve", "absent.ts"], 3, /^tricorn: cannot load "absent\.ts": there is no file .*\n$/],
      [["serve", `${FAULTS}:app`], 4, /^tricorn: cannot load .* the module has no export "app"; it has application\n$/],
      [["serve", FAULTS, "-b", taken], 1, /^tricorn: cannot listen on .*; stop what listens there, or .* --bind\n$/],
    ];
    for (const [words, code, message] of cases) {
      expect(await command(runtime, ...words)).toEqual({ code, stdout: "", stderr: expect.stringMatching(message) });
    }
    blocker.close();
    const thrown = await command(runtime, "serve", "test/cli/fixtures/throws.ts");
    expect(thrown.code).toBe(3);
    expect(thrown.stderr).toMatch(
      /^tricorn: .* the module threw TypeError: broken at import\n {2}TypeError: .*\n {6}at .*throws\.ts/,
    );
    const version = await command(runtime, "--version");
    expect(version).toEqual({
      code: 0,
      stdout: expect.stringMatching(`^tricorn .* \\(${runtime.kind} .*\\)\n$`),
      stderr: "",
    });
  });

  test("a certificate that cannot serve is told before anything listens", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tricorn-"));
    const [one, two] = await Promise.all([1, 2].map(() => makeCertificate([], new Date())));
    const empty = "-----BEGIN X-----\nAAAA\n-----END X-----\n";
    const files = {
      cert: one!.certificate,
      key: one!.key,
      both: one!.key + one!.certificate,
      otherKey: two!.key,
      noCert: empty.replaceAll("X", "CERTIFICATE"),
      noKey: empty.replaceAll("X", "PRIVATE KEY"),
      encrypted: empty.replaceAll("X", "ENCRYPTED PRIVATE KEY"),
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    const check = (cert: string, key: string): Promise<Ended> => {
      const flags = ["--certfile", join(directory, cert), "--keyfile", join(directory, key)];
      return command(runtime, "serve", FAULTS, ...flags, "--check-config");
    };
    expect(await check("cert", "key")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await check("both", "both")).toEqual({ code: 0, stdout: "", stderr: "" });
    const cases: [string, string, RegExp][] = [
      ["cert", "otherKey", /^tricorn: keyfile: ".*\/otherKey" is not the key of the certificate in certfile\n$/],
      ["noCert", "key", /^tricorn: certfile: ".*\/noCert" has no certificate that can be read: .*\n$/],
      ["cert", "noKey", /^tricorn: keyfile: ".*\/noKey" has no private key that can be read: .*\n$/],
      ["cert", "encrypted", /^tricorn: keyfile: ".*" has .* read: it is encrypted; write it without a passphrase\n$/],
    ];
    for (const [cert, key, message] of cases) {
      expect(await check(cert, key)).toEqual({ code: 2, stdout: "", stderr: expect.stringMatching(message) });
    }
    rmSync(directory, { recursive: true });
  });

  test("code that cannot be parsed is named by its file and line, whoever imports it", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tricorn-"));
    const app = join(directory, "app.ts");
    writeFileSync(app, `import "./inner.ts";\nexport default () => new Response();\n`);
    writeFileSync(join(directory, "inner.ts"), "const first = 1;\nconst second: number = ;\nconst third = 1;\n");
    const { code, stderr } = await command(runtime, "serve", app);
    expect(code).toBe(3);
    expect(stderr).toMatch(/inner\.ts:2\b/);
    if (stderr.includes("^\n")) expect(stderr).toMatch(/ const second: number = ;\n {21,}\^\n/);
    rmSync(directory, { recursive: true });
  });

  test("PORT in the environment opens the port to all", async () => {
    const server = await new ServerProcess(runtime, { app: FAULTS, bind: [], env: { PORT: "0" } }).ready();
    expect(server.stderr).toMatch(/Listening at: http:\/\/0\.0\.0\.0:[1-9]\d*\n/);
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(0);
  });

  test("an error that nothing caught is logged, and ends neither the process nor another request", async () => {
    const server = await new ServerProcess(runtime, { app: FAULTS }).ready();
    expect((await server.get("/timer")).text).toBe("answered");
    await eventually(() => server.stderr.includes("Error: of a timer"), () => server.stderr);
    expect((await server.get("/promise")).text).toBe("answered");
    await eventually(() => server.stderr.includes("Error: of a promise"), () => server.stderr);
    expect((await server.get("/")).text).toBe("answered");
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(0);
  });

  test("SIGTERM lets requests finish, a second one does not", async () => {
    const patient = await new ServerProcess(runtime, { app: FAULTS }).ready();
    const response = patient.get("/slow");
    await begun(patient);
    patient.signal("SIGTERM");
    expect((await response).text).toBe("answered");
    expect(await patient.exited()).toBe(0);

    const hasty = await new ServerProcess(runtime, { app: FAULTS }).ready();
    const cut = hasty.get("/endless").catch(() => "cut");
    await begun(hasty);
    hasty.signal("SIGTERM");
    await eventually(() => hasty.stderr.includes("Handling signal: SIGTERM"), () => hasty.stderr);
    // Sooner, it would be taken for an echo of the first.
    await sleep(150);
    hasty.signal("SIGINT");
    expect(await hasty.exited()).toBe(0);
    expect(await cut).toBe("cut");
    expect(hasty.stderr).toContain("SIGINT, again: closing at once");
  });

  test("logs go to files, are reopened at SIGUSR1, and are whole at the end", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tricorn-"));
    const [access, moved, errors] = ["access", "access.1", "errors"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    const read = (path: string): string => readFileSync(path, "utf8");
    const server = new ServerProcess(runtime, {
      app: FAULTS,
      accesslog: access,
      access_log_format: "%(r)s %(s)s",
      errorlog: errors,
      umask: "0o027",
      permissions: [`--allow-write=${directory}`, "--allow-sys"],
    });
    await eventually(() => {
      try {
        return /Listening at: .*\n/.test(read(errors));
      } catch {
        return false;
      }
    }, () => server.stderr);
    expect(server.stderr).toBe("");
    server.at({ host: "127.0.0.1", port: Number(/Listening at: http:.*:(\d+)\n/.exec(read(errors))![1]) });
    await server.get("/first");
    renameSync(access, moved);
    server.signal("SIGUSR1");
    await eventually(() => read(errors).includes("the logs were reopened"), () => read(errors));
    await server.get("/second");
    server.signal("SIGTERM");
    expect(await server.exited()).toBe(0);
    expect(read(moved)).toBe("GET /first HTTP/1.1 200\n");
    expect(read(access)).toBe("GET /second HTTP/1.1 200\n");
    // The umask counts for logs, too, from the first one on.
    expect([access, moved, errors].map((path) => statSync(path).mode & 0o777)).toEqual([0o640, 0o640, 0o640]);
    rmSync(directory, { recursive: true });
  });

  test.runIf(runtime.kind === "deno")("SIGUSR1 leaves no debugger open, though Deno opens one", async () => {
    await withServer(runtime, { app: FAULTS }, async (server) => {
      // Deno minds the signal from half a second on; the port may be somebody else's.
      await eventually(() => {
        server.signal("SIGUSR1");
        return /Debugger listening|Failed to start inspector/.test(server.stderr);
      }, () => server.stderr);
      await eventually(async () => {
        const list = await fetch("http://127.0.0.1:9229/json/list").then((reply) => reply.text(), () => "");
        return [...server.stderr.matchAll(/ws:\S+\/(\S+)/g)].every(([, id]) => !list.includes(id!));
      }, () => server.stderr);
      expect((await server.get("/")).status).toBe(200);
    });
  });
});
