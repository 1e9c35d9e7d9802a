// CGI programs as a web server starts them, on each runtime: variables in the environment, the body on standard input, the
// response on standard output. Under Apache: test/deployment/echo_fronts.test.ts.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { onEachKind, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

const COMMAND = ["adapters/bin.ts", "cgi"];
const APP = "test/runtimes/fixtures/cgi.ts";

const VARIABLES = {
  GATEWAY_INTERFACE: "CGI/1.1",
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/environ",
  QUERY_STRING: "",
  SCRIPT_NAME: "",
  PATH_INFO: "/environ",
  SERVER_PROTOCOL: "HTTP/1.1",
  SERVER_NAME: "example.com",
  SERVER_PORT: "8080",
  REMOTE_ADDR: "192.0.2.1",
  REMOTE_PORT: "4711",
  HTTP_HOST: "example.com:8080",
};

type Variables = Readonly<Record<string, string>>;

const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** A program that a web server, this test, has started. */
class Program {
  stdout = "";
  stderr = "";
  ended: number | string | null = null;
  readonly child: ChildProcess;

  constructor(runtime: TestRuntime, words: readonly string[], variables: Variables, permissions: readonly string[]) {
    const { PATH = "", HOME = "" } = process.env;
    this.child = spawn(runtime.program, [...runtime.words(permissions), ...words], {
      cwd: ROOT,
      env: { PATH, HOME, NO_COLOR: "1", ...variables },
    });
    running.add(this.child);
    this.child.stdout!.setEncoding("latin1").on("data", (text: string) => this.stdout += text);
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    // It may end without having read its input.
    this.child.stdin!.on("error", () => {});
    this.child.on("close", (code, signal) => {
      running.delete(this.child);
      this.ended = code ?? signal;
    });
  }

  async end(): Promise<this> {
    await eventually(() => this.ended !== null, () => `it does not end:\n${this.stdout}\n${this.stderr}`);
    return this;
  }

  get head(): string {
    return this.stdout.slice(0, this.stdout.indexOf("\r\n\r\n"));
  }

  get body(): string {
    return this.stdout.slice(this.stdout.indexOf("\r\n\r\n") + 4);
  }
}

onEachKind("CGI", (runtime) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tricorn-cgi-"));
  });
  afterAll(() => {
    running.forEach((child) => child.kill("SIGKILL"));
    rmSync(folder, { recursive: true });
  });

  const start = (variables: Variables, words: readonly string[] = [...COMMAND, APP]): Program =>
    new Program(runtime, words, { ...VARIABLES, ...variables }, ["--allow-write"]);
  const at = (path: string, more: Variables = {}): Variables => ({ REQUEST_URI: path, PATH_INFO: path, ...more });
  const get = (path: string, words?: readonly string[]): Promise<Program> => start(at(path), words).end();
  const post = (body: string, length: number | null, path = "/"): Promise<Program> => {
    const framing: Variables = length === null
      ? { HTTP_TRANSFER_ENCODING: "chunked" }
      : { CONTENT_LENGTH: String(length) };
    const program = start(at(path, { REQUEST_METHOD: "POST", ...framing }));
    program.child.stdin!.end(body);
    return program.end();
  };

  test("the application sees the environ that a server would give, and that it runs once", async () => {
    const program = await start({
      REQUEST_URI: "/shop/caf%C3%A9/%2F/environ?q=%20",
      QUERY_STRING: "q=%20",
      SCRIPT_NAME: "/shop",
      PATH_INFO: "/café///environ",
      HTTPS: "on",
      HTTP_X_ODD: "é",
      HTTP_COOKIE: "a=1; b=2",
      HTTP_PROXY: "http://evil",
      REMOTE_USER: "somebody",
    }).end();
    expect([program.ended, program.stderr]).toEqual([0, ""]);
    expect(program.head).toMatch(
      /^Status: 200 OK\r\nContent-Type: application\/json\r\nDate: .*\r\nContent-Length: \d+$/,
    );
    const environ = JSON.parse(Buffer.from(program.body, "latin1").toString()) as Record<string, unknown>;
    const headers = environ["esgi.headers"] as [string, string][];
    expect({ ...environ, "esgi.headers": headers.toSorted() }).toEqual({
      REQUEST_METHOD: "GET",
      SCRIPT_NAME: "/shop",
      PATH_INFO: "/café///environ",
      QUERY_STRING: "q=%20",
      SERVER_NAME: "example.com",
      SERVER_PORT: "8080",
      SERVER_PROTOCOL: "HTTP/1.1",
      REMOTE_ADDR: "192.0.2.1",
      REMOTE_PORT: "4711",
      HTTP_HOST: "example.com:8080",
      // One character a byte.
      HTTP_X_ODD: "\xc3\xa9",
      HTTP_COOKIE: "a=1; b=2",
      "esgi.url_scheme": "https",
      "esgi.multithread": false,
      "esgi.multiprocess": true,
      "esgi.run_once": true,
      "esgi.target": "/shop/caf%C3%A9/%2F/environ?q=%20",
      "esgi.headers": [["Cookie", "a=1; b=2"], ["Host", "example.com:8080"], ["X-Odd", "\xc3\xa9"]],
    });
  });

  test("a script that is the whole path has no PATH_INFO, and is the mount", async () => {
    const { PATH_INFO: _, ...rest } = VARIABLES;
    const words = [...COMMAND, "test/deployment/gateway_application.ts"];
    const variables = { ...rest, REQUEST_URI: "/shop", SCRIPT_NAME: "/shop", HTTP_X_ENVIRON: "1" };
    const program = await new Program(runtime, words, variables, []).end();
    expect(JSON.parse(program.body)).toMatchObject({ environ: { SCRIPT_NAME: "/shop", PATH_INFO: "" } });
  });

  test("a body has CONTENT_LENGTH bytes: what follows is nobody's, what is missing is told, a lie is refused", async () => {
    const [whole, more, fewer, none, lie, chunked] = await Promise.all([
      post("x".repeat(500_000), 500_000),
      post("hello, and more", 5),
      post("hello", 6),
      post("", 0),
      post("hello", NaN),
      // Apache's CGI: what is sent in chunks has no length, and whether it broke off nobody tells.
      post("hello", null),
    ]);
    expect([whole.body, more.body, none.body]).toEqual(["500000", "5", "0"]);
    expect(fewer.head).toMatch(/^Status: 400 Bad Request/);
    expect(lie.head).toMatch(/^Status: 400 Bad Request/);
    expect(lie.stderr).toMatch(/Refused request from 192\.0\.2\.1: 400 CONTENT_LENGTH is no number.*\n$/);
    expect(chunked.head).toMatch(/^Status: 400 Bad Request/);
    expect([whole, more, fewer, none, lie, chunked].map(({ ended }) => ended)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("the process ends with the response, though there are timers, and a body that nobody reads", async () => {
    const timers = get("/timers");
    const unread = await post("x".repeat(500_000), 500_000, "/unread");
    expect([unread.ended, unread.body]).toEqual([0, "not read"]);
    expect(await timers).toMatchObject({ ended: 0, body: "there are timers" });
  });

  test("a web server that reads slowly gets the whole response", async () => {
    const program = start(at("/large"));
    const stdout = program.child.stdout!;
    stdout.on("data", () => {
      stdout.pause();
      setTimeout(() => stdout.resume(), 1);
    });
    await program.end();
    expect([program.ended, program.body.length]).toEqual([0, 5_000_000]);
  });

  test("an application that throws is answered with 500, and one that does not load, too", async () => {
    const [throws, absent, none] = await Promise.all([
      get("/throws"),
      get("/", [...COMMAND, "nowhere.ts"]),
      get("/", [...COMMAND, `${APP}:nothing`]),
    ]);
    for (const program of [throws, absent, none]) {
      expect(program.stdout).toMatch(/^Status: 500 Internal Server Error\r\n[^]*\r\n\r\n500 Internal Server Error\n$/);
    }
    expect(throws.stderr).toMatch(/\[ERROR\].*the application failed[^]*as asked/);
    expect(absent.stderr).toMatch(/^tricorn: cannot load "nowhere.ts": there is no file .*\n$/);
    expect(none.stderr).toMatch(/^tricorn: cannot load .*export "nothing" .*\n$/);
    expect([throws, absent, none].map(({ ended }) => ended)).toEqual([0, 3, 4]);
  });

  test("without a web server it says so, and writes no response", async () => {
    const program = await new Program(runtime, [...COMMAND, APP], {}, []).end();
    expect([program.ended, program.stdout]).toEqual([2, ""]);
    expect(program.stderr).toMatch(
      /^tricorn: cgi is started by a web server, which sets GATEWAY_INTERFACE .* tricorn serve MODULE\n$/,
    );
  });

  test("words after the application are mistakes, unless they may be a query's: those mean nothing", async () => {
    const evil = [...COMMAND, APP, "--config=evil.ts", "x"];
    const [flag, missing, mistake, query] = await Promise.all([
      get("/", [...COMMAND, "--workers"]),
      get("/", COMMAND),
      get("/timers", evil),
      start(at("/timers", { QUERY_STRING: "--config%3Devil.ts+x" }), evil).end(),
    ]);
    expect(flag.stderr).toMatch(/^tricorn: cgi: unknown flag "--workers"; /);
    expect(missing.stderr).toMatch(/^tricorn: cgi: the application is missing; /);
    expect(mistake.stderr).toMatch(/^tricorn: cgi: "--config=evil.ts" is one word too many; /);
    for (const program of [flag, missing, mistake]) {
      expect([program.ended, program.stdout.slice(0, 12)]).toEqual([2, "Status: 500 "]);
    }
    expect(query).toMatchObject({ ended: 0, body: "there are timers", stderr: "" });
  });

  test("console.log does not get into the response", async () => {
    expect(await get("/console")).toMatchObject({ ended: 0, body: "not said", stderr: "said by console.log\n" });
  });

  test("a client that leaves ends the process: by EPIPE, or by SIGTERM as Apache tells it", async () => {
    const file = (name: string): string => join(folder, name);
    const endless = start(at("/endless", { REQUEST_URI: `/endless?${file("left")}` }));
    const never = start(at("/never", { REQUEST_URI: `/never?${file("told")}` }));
    await eventually(() => endless.body.length > 2000, () => endless.stderr);
    endless.child.stdout!.destroy();
    await endless.end();
    await eventually(() => never.stderr.includes("it hangs"), () => never.stderr);
    expect(existsSync(file("told"))).toBe(false);
    never.child.kill("SIGTERM");
    await never.end();
    expect([endless.ended, never.ended]).toEqual([0, 0]);
    expect([readFileSync(file("left"), "utf8"), readFileSync(file("told"), "utf8")]).toEqual(["aborted", "aborted"]);
  });

  test("settings are those of the environment, as with serve", async () => {
    const program = start(
      at("/", { REQUEST_METHOD: "POST", CONTENT_LENGTH: "5", TRICORN_CMD_ARGS: "--limit-request-body 4" }),
    );
    program.child.stdin!.end("hello");
    expect((await program.end()).head).toMatch(/^Status: 413 /);
  });

  describe("runCgi()", () => {
    test("a script answers with its own application, and ends", async () => {
      const program = start(at("/timers"), [APP]);
      expect(await program.end()).toMatchObject({ ended: 0, body: "there are timers", stderr: "" });
    });

    test("the script of docs/gateway-protocols.md", async () => {
      const document = readFileSync(`${ROOT}docs/gateway-protocols.md`, "utf8");
      const [, script] = /```js\n([^]*?)```/.exec(document)!;
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(ROOT, join(folder, "node_modules/tricorn"));
      writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
      writeFileSync(join(folder, "app.js"), "export default { fetch: ({ url }) => new Response(url) };");
      writeFileSync(join(folder, "app.cgi.js"), script!);
      const variables = { REQUEST_URI: "/shop/a", SCRIPT_NAME: "/shop", PATH_INFO: "/a" };
      const program = await start(variables, [join(folder, "app.cgi.js")]).end();
      expect(program).toMatchObject({ ended: 0, body: "http://example.com:8080/shop/a", stderr: "" });
    });

    test("without a web server it throws", async () => {
      const program = await new Program(runtime, [APP], {}, []).end();
      expect([program.ended, program.stdout]).toEqual([1, ""]);
      expect(program.stderr).toMatch(/ConfigError: runCgi\(\) is started by a web server, /);
    });
  });
});
