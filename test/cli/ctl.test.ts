// `tricorn ctl`: what it prints (by itself), and its exit codes (real processes on each runtime).

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { controlServer } from "../../src/arbiter/control.ts";
import { ControlError, ctl, ctlHelp } from "../../src/cli/ctl.ts";
import { ConfigError } from "../../src/config/error.ts";
import { timestamp } from "../../src/observe/log.ts";
import { FakeTarget, STATUS, WORKER } from "../arbiter/target.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { FakeHost } from "./fake.ts";

describe("ctl", () => {
  let host: FakeHost;
  let target: FakeTarget;
  const SOCKET = "/home/a/.tricorn/tricorn.ctl";
  beforeEach(() => {
    host = new FakeHost();
    host.env.HOME = "/home/a";
    target = new FakeTarget();
    host.listening.set(SOCKET, controlServer(target));
  });
  const run = async (...words: string[]): Promise<string> => {
    host.out = "";
    await ctl(words, { host });
    return host.out;
  };

  const WORKERS = `ID   PID  GEN  STATE       AGE   REQS  BUSY  WAIT  CONNS     RSS  CPU   LAG
 1  4711    2  ready     1h02m  1.23M    12     3    120  123 MB  45%   1ms
 2  4712    2  draining    59s  1.23M    12     3    120  123 MB  45%  2.5s
worker 2: max_requests
`;
  const CONFIG = `configuration file: /srv/tricorn.config.ts
NAME     FROM       VALUE
workers  --workers  2
bind     default    127.0.0.1:8000
chdir    default    -
`;
  const LISTENERS = "http://127.0.0.1:8000\nunix:/run/app.sock\n";

  test.each<[string, string]>([
    ["show workers", WORKERS],
    ["show config", CONFIG],
    ["show listeners", LISTENERS],
    ["worker add 2", "2 workers from now on, until the next reload\n"],
    ["worker kill 4711", "worker 4711 is being replaced\n"],
    ["worker kill --now 4711", "worker 4711 was killed, another one follows\n"],
    ["reload", "reloaded: generation 2 serves\n"],
    ["reopen", "the logs were reopened\n"],
    ["shutdown", "shutting down: requests may finish\n"],
    ["shutdown quick", "shutting down at once\n"],
  ])("%s", async (words, text) => expect(await run(...words.split(" "))).toBe(text));

  test("show stats, and in show all everything", async () => {
    const stats = await run("show", "stats");
    expect(stats.replace(/up \S+/, "up 5s")).toBe(`tricorn      1.2.3 on node 20.0.0, pid 4700, up 5s
state        running, ready
workers      2 of 2, 1 restarted after an unexpected end
generation   2
last reload  ${timestamp(STATUS.lastReload!.at)}, failed: the canary did not boot
requests     2.47M begun, 24 in flight, 6 waiting
connections  240
memory       247 MB in the workers, 45.6 MB in the master
processor    91% in the workers, 1s in the master so far
worst lag    2.5s

WORKER   PID    AGE  REQUEST
     1  4711  12.3s  GET /slow\\x1b[31m
`);
    expect((await run("show", "all")).split("\n\n").slice(2).join("\n\n")).toBe(
      `${WORKERS}\n${LISTENERS}\n${CONFIG}`,
    );
  });

  test("units, and states", async () => {
    const workers = [
      { ...WORKER, age: 59.9, requests: 99_999, rss: 0, cpuPercent: 0.4, lag: 999.4, held: true },
      { ...WORKER, age: 60, requests: 100_000, rss: 999, cpuPercent: 100, lag: 1000, state: "stuck" as const },
      { ...WORKER, age: 3599, requests: 999_499, rss: 1000, lag: 59_949 },
      { ...WORKER, age: 3600, requests: 999_500, rss: 999_499, lag: 60_000 },
      { ...WORKER, age: 86_400, requests: 1_234_500_000, rss: 1.5e12, lag: 3_600_000 },
    ];
    target.status = () => ({ ...STATUS, workers });
    const rows = (await run("show", "workers")).split("\n").slice(1, -1).map((line) => line.trim().split(/ {2,}/));
    expect(rows.map(([, , , state, age, requests, , , , rss, cpu, lag]) => [state, age, requests, rss, cpu, lag]))
      .toEqual([
        ["held", "59s", "99999", "-", "0%", "999ms"],
        ["stuck", "1m00s", "100k", "999 B", "100%", "1.0s"],
        ["ready", "59m", "999k", "1.00 kB", "45%", "59.9s"],
        ["ready", "1h00m", "1.00M", "999 kB", "45%", "1m00s"],
        ["ready", "1d00h", "1235M", "1.50 TB", "45%", "1h00m"],
      ]);
  });

  test.each([
    [0, "0s"],
    [59.9, "59s"],
    [60, "1m00s"],
    [599, "9m59s"],
    [600, "10m"],
    [3599, "59m"],
    [35_999, "9h59m"],
    [36_000, "10h"],
    [86_399, "23h"],
    [270_000, "3d03h"],
    [864_000, "10d"],
  ])("%d seconds are %s", async (age, text) => {
    target.status = () => ({ ...STATUS, workers: [{ ...WORKER, age }] });
    expect((await run("show", "workers")).split("\n")[1]).toMatch(new RegExp(` ready +${text} `));
  });

  test("busy workers fit in 80 columns", async () => {
    const worker = {
      ...WORKER,
      id: 12,
      pid: 123_456,
      state: "draining" as const,
      age: 86_399,
      requests: 99_999,
      lag: 123,
    };
    target.status = () => ({ ...STATUS, workers: [{ ...worker, rss: 1_234_567_890, connections: 9_999 }] });
    expect(Math.max(...(await run("show", "workers")).split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    target.status = () => ({ ...STATUS, workers: [] });
    expect(await run("show", "workers")).toBe("no workers\n");
    expect(Math.max(...ctlHelp().split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test("colour is for terminals, and not with NO_COLOR", async () => {
    expect(await run("show", "workers")).not.toContain("\x1b");
    host.stdoutIsTty = true;
    expect(await run("show", "workers")).toContain("\x1b[32mready   \x1b[0m");
    host.env.NO_COLOR = "1";
    expect(await run("show", "workers")).not.toContain("\x1b");
  });

  test("--json is the data", async () => {
    host.stdoutIsTty = true;
    expect(JSON.parse(await run("show", "workers", "--json"))).toEqual(STATUS.workers);
    expect(JSON.parse(await run("--json", "worker", "add"))).toEqual({ target: 2 });
    expect(await run("--json", "reopen")).toBe("null\n");
  });

  test.each([[], ["-h"], ["help"], ["--help", "show"], ["show", "--help"]])("%s prints the help", async (...words) => {
    host.listening.clear();
    expect(await run(...words)).toBe(ctlHelp());
  });

  test("the socket is the one that is named, or the first that answers", async () => {
    host.env.XDG_RUNTIME_DIR = "/run/user/7";
    await run("reopen");
    expect(target.calls).toEqual(["reopen"]);
    const other = new FakeTarget();
    host.listening.set("/run/user/7/tricorn.ctl", controlServer(other));
    await run("reopen");
    const named = new FakeTarget();
    host.listening.set("/srv/ctl", controlServer(named));
    for (const words of [["-s", "/srv/ctl"], ["--socket", "unix:/srv/ctl"], ["--socket=/srv/ctl"]]) {
      await run(...words, "reopen");
    }
    expect([target.calls.length, other.calls.length, named.calls.length]).toEqual([1, 1, 3]);
  });

  test.each<[string[], string]>([
    [["show", "wrokers"], 'ctl: unknown command "show wrokers"; did you mean "show workers"?'],
    [["worker", "kill", "x"], 'ctl: worker kill: "x" is no pid; "show workers" lists them'],
    [["--jsn", "show", "all"], 'ctl: unknown flag "--jsn"; did you mean "--json"?'],
    [["--zzz"], 'ctl: unknown flag "--zzz"; "tricorn ctl --help" lists the flags'],
    [["reload", "-s"], "ctl: -s: the value is missing; write -s PATH"],
    [["reload", "--socket="], "ctl: --socket: the value is missing; write --socket PATH"],
    [["reload", "--timeout", "1m"], 'ctl: --timeout: "1m" is not a number of seconds; write for example 30'],
  ])("%j is wrong usage, and nobody is asked", async (words, message) => {
    host.listening.clear();
    const error = await run(...words).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toBe(message);
  });

  test("what fails says so", async () => {
    const failure = async (...words: string[]): Promise<string> => {
      const error = await run(...words).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(ControlError);
      return (error as Error).message;
    };
    target.reloaded = Promise.resolve("the canary threw");
    expect(await failure("reload")).toBe("reload: the canary threw");
    target.reloaded = new Promise(() => {});
    expect(await failure("--timeout", "0.05", "reload")).toBe(
      `ctl: no answer from "${SOCKET}" after 0.05 s, it may still come; wait longer with --timeout`,
    );
    host.listening.set(SOCKET, (channel) => ({ receive: () => channel.end(), closed: () => {} }));
    expect(await failure("reload")).toBe(`ctl: the server at "${SOCKET}" ended before it answered; its log tells more`);
    host.listening.clear();
    const remedy = 'start one with "tricorn serve --workers 2", or name its socket with --socket PATH; ' +
      "one that could make no socket says why with --log-level debug";
    expect(await failure("reload")).toBe(`ctl: no server at "${SOCKET}" (there is no such socket); ${remedy}`);
    host.env.XDG_RUNTIME_DIR = "/run";
    expect(await failure("reload")).toMatch(
      /^ctl: no server at "\/run\/tricorn\.ctl" \(.*\) or "\/home\/a\/.*" \(.*\);/,
    );
    host.env = {};
    expect(await failure("reload")).toBe(
      "ctl: neither XDG_RUNTIME_DIR nor HOME is set (Deno: --allow-env); name the server's socket with --socket PATH",
    );
  });
});

onEachRuntime("tricorn ctl", (runtime: TestRuntime) => {
  const folder = mkdtempSync(join(tmpdir(), "tricorn-"));
  const socket = join(folder, "ctl");
  const broken = join(folder, "broken");
  const children: ChildProcess[] = [];
  afterEach(() => rmSync(join(folder, "silent"), { force: true }));
  afterAll(() => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  function start(words: readonly string[], env: Record<string, string> = {}): ChildProcess & { text: string } {
    const child = spawn(runtime.program, [...runtime.words(["--allow-write"]), ...words], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    }) as unknown as ChildProcess & { text: string };
    child.text = "";
    child.stdout!.setEncoding("utf8").on("data", (more: string) => child.text += more);
    children.push(child);
    return child;
  }

  function command(...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      const child = spawn(runtime.program, [...runtime.words(["--allow-write"]), "adapters/bin.ts", "ctl", ...words], {
        cwd: ROOT,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder },
      });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
      child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
  }

  beforeAll(async () => {
    const masters = [
      start(["test/arbiter/fixtures/control_main.ts", socket]),
      start(["test/arbiter/fixtures/control_main.ts", broken], { RELOAD_ERROR: "the canary threw\nat line 1" }),
    ];
    for (const master of masters) {
      await eventually(() => master.text.endsWith("open\n"), () => `no socket: ${master.text}`);
    }
  });

  test("prints what the server tells", async () => {
    const { code, stdout, stderr } = await command("-s", socket, "show", "workers");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^ID +PID .*\n +1 +4711 /);
    const json = await command("-s", socket, "show", "all", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ workers: STATUS.workers, listeners: STATUS.listeners });
    expect(await command("-s", socket, "reload")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/generation 2/),
    });
  });

  test("fails in one line, with an exit code that tells why", async () => {
    expect(await command("-s", broken, "reload")).toEqual({
      code: 1,
      stdout: "",
      stderr: "tricorn: reload: the canary threw\\nat line 1\n",
    });
    expect(await command("-s", socket, "relaod")).toEqual({
      code: 2,
      stdout: "",
      stderr: 'tricorn: ctl: unknown command "relaod"; did you mean "reload"?\n',
    });
    const nobody = await command("reload");
    expect({ ...nobody, stderr: "" }).toEqual({ code: 1, stdout: "", stderr: "" });
    expect(nobody.stderr).toMatch(
      /^tricorn: ctl: no server at ".*\/tricorn\.ctl" \(there is no such socket\) or ".*" \(.*\); start one with .*\n$/,
    );
    expect((await command("-s", ROOT, "reload")).stderr).toMatch(
      /^tricorn: ctl: no server at ".*" \(.+\); start one .*\n$/,
    );
  });

  test("waits as long as it is told, and no longer", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(join(folder, "silent"), resolve));
    const late = await command("-s", join(folder, "silent"), "--timeout", "0.2", "show", "all");
    expect(late).toMatchObject({ code: 1, stderr: expect.stringMatching(/^tricorn: ctl: no answer from .*\n$/) });
    silent.close();
  });

  test("the answer to shutdown comes before the end", async () => {
    expect(await command("-s", socket, "shutdown", "quick")).toEqual({
      code: 0,
      stdout: "shutting down at once\n",
      stderr: "",
    });
    expect(await command("-s", socket, "reopen")).toMatchObject({ code: 1 });
  });
});
