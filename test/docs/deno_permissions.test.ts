// README.md's table of what Deno must allow: what is named there is enough, and nothing of it can be left out. Of
// docs/production.md's, the least that workers need.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RUNTIMES, type TestRuntime } from "../support/runtimes.ts";
import { type ServerOptions, ServerProcess } from "../support/server.ts";
import { spawnInTerminal } from "../support/terminal.ts";
import { eventually, patiently } from "../support/wait.ts";

const directory = mkdtempSync(join(tmpdir(), "tricorn-"));
const path = (name: string): string => join(directory, name);
const APP = "examples/hello.ts";
const READ_APP = `--allow-read=${APP}`;
const NET = "--allow-net=127.0.0.1:0";
const UNIX = [
  `--allow-net=unix:${path("socket")}`,
  `--allow-read=${APP},${path("socket")}`,
  `--allow-write=${path("socket")}`,
];

interface Case {
  readonly what: string;
  readonly options: ServerOptions;
  readonly permissions: readonly string[];
}

const CASES: readonly Case[] = [
  { what: "TCP", options: {}, permissions: [NET, READ_APP] },
  { what: "all IPv4 addresses", options: { bind: ":0" }, permissions: ["--allow-net=:0", READ_APP] },
  {
    what: "a unix socket",
    options: { bind: `unix:${path("socket")}` },
    permissions: UNIX,
  },
  {
    what: "log files",
    options: { accesslog: path("access.log") },
    permissions: [NET, READ_APP, `--allow-write=${path("access.log")}`],
  },
  {
    what: "TLS",
    options: { certfile: path("cert.pem"), keyfile: path("key.pem") },
    permissions: [NET, `--allow-read=${APP},${path("cert.pem")},${path("key.pem")}`],
  },
  {
    what: "a directory to change to",
    options: { chdir: directory, app: `${process.cwd()}/${APP}` },
    permissions: [NET, `--allow-read=${APP},${directory}`],
  },
  {
    what: "an application with static imports",
    options: { app: "examples/hono.ts" },
    permissions: [NET, "--allow-read=examples/hono.ts"],
  },
];

const deno = RUNTIMES.find(({ kind }) => kind === "deno");

beforeAll(() => {
  const words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost";
  execFileSync("openssl", words.split(" "), { cwd: directory, stdio: "pipe" });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs with these permissions and no others: what it says, and its exit code when it does not start. */
async function attempt(
  runtime: TestRuntime,
  options: ServerOptions,
  permissions: readonly string[],
): Promise<{ readonly listens: boolean; readonly code: number | string; readonly stderr: string }> {
  const only = { ...runtime, words: () => ["run", "--no-prompt", ...permissions] };
  const server = new ServerProcess(only, { app: APP, ...options, env: { PORT: "1" } });
  try {
    const listens = await server.ready().then(() => true, () => false);
    if (listens) server.signal("SIGTERM");
    return { listens, code: await server.exited(), stderr: server.stderr };
  } finally {
    await server.stop();
  }
}

if (deno === undefined || deno.missing !== null) test.skip("what Deno must allow: deno is not here", () => {});
else describe("what Deno must allow", () => tests(deno));

function tests(deno: TestRuntime): void {
  for (const { what, options, permissions } of CASES) {
    test(`${what}: ${permissions.join(" ")}`, async () => {
      const whole = await attempt(deno, options, permissions);
      expect(whole.listens, whole.stderr).toBe(true);
      expect(whole.code).toBe(0);
    });

    for (const [index, permission] of permissions.entries()) {
      test(`${what}: not without ${permission}`, async () => {
        const rest = await attempt(deno, options, permissions.filter((_, other) => other !== index));
        expect(rest.listens).toBe(false);
        // One line, which names the permission.
        expect(rest.stderr).toMatch(new RegExp(`^tricorn: [^\\n]*${permission.split("=")[0]}[^\\n]*\\n$`));
        expect([1, 2, 3]).toContain(rest.code);
      });
    }
  }

  // There Deno asks for what is missing, and waits for the answer.
  test.each([
    [[NET, READ_APP, "adapters/bin.ts", "serve", APP, "--bind", "127.0.0.1:0"], /Listening at: /],
    [[...UNIX, "adapters/bin.ts", "serve", APP, "--bind", `unix:${path("socket")}`], /Listening at: /],
    [
      ["--allow-read", "--allow-write", "--allow-env", "adapters/bin.ts", "init", "nginx", APP, "--stdout"],
      /^# tricorn behind nginx/m,
    ],
  ])("in a terminal, too, what is named is enough: %j", async (words, done) => {
    const terminal = spawnInTerminal(`exec ${[deno.program, "run", ...words].join(" ")}`, { env: { NO_COLOR: "1" } });
    const ended = new Promise((resolve) => terminal.on("exit", resolve));
    let text = "";
    terminal.stdout!.on("data", (chunk) => text += chunk);
    try {
      await eventually(() => done.test(text) || text.includes("Deno requests "), () => text);
      expect(text).not.toContain("Deno requests ");
    } finally {
      terminal.stdin!.on("error", () => {});
      terminal.stdin!.write("\x03");
      await patiently(ended, () => text);
    }
  });

  const RUN = `--allow-run=${deno.program},cat`;
  const WORKERS = [NET, `${READ_APP},adapters/watchdog_thread.js`, "--allow-env", RUN];

  test(`workers: ${WORKERS.join(" ")}`, async () => {
    const whole = await attempt(deno, { workers: 1, control_socket_disable: true }, WORKERS);
    expect(whole.listens, whole.stderr).toBe(true);
    expect(whole.code).toBe(0);
    expect(whole.stderr).not.toMatch(/WARNING|ERROR|--allow/);
  });

  test.each(["--allow-env", RUN])("workers: not without %s", async (permission) => {
    const rest = WORKERS.filter((other) => other !== permission);
    const { listens, code, stderr } = await attempt(deno, { workers: 1, control_socket_disable: true }, rest);
    expect(listens).toBe(false);
    expect(stderr).toMatch(new RegExp(`^tricorn: .*${permission.split("=")[0]}.*\\n$`, "m"));
    expect(code).toBe(1);
  });

  test("an inherited socket: nothing but what reads the application", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    expect((server.address() as AddressInfo).port).toBeGreaterThan(0);
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const { listens, stderr } = await attempt(deno, { bind: "fd://3", fds: [fd] }, [READ_APP]);
    server.close();
    expect(listens, stderr).toBe(true);
  });

  test("the environment is read when it may be, and not needed", async () => {
    const without = await attempt(deno, {}, [NET, READ_APP]);
    expect(without.stderr).toContain(
      "Without --allow-env, these are not read from the environment: PORT, WEB_CONCURRENCY,",
    );
    const withIt = await attempt(deno, {}, [NET, READ_APP, "--allow-env=PORT,WEB_CONCURRENCY,FORWARDED_ALLOW_IPS"]);
    expect(withIt.stderr).not.toContain("--allow-env");
  });
}
