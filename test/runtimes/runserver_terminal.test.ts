// `tricorn runserver` and its terminal, which script(1) of util-linux makes: keys, colours, and how it is left; what the log
// says of strange clients; and that nobody reads it.

import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, expect, test } from "vitest";
import { freePort, programOf, Project, withDevServer } from "../support/dev_server.ts";
import { onEachKind, type TestRuntime } from "../support/runtimes.ts";
import { spawnInTerminal } from "../support/terminal.ts";
import { eventually } from "../support/wait.ts";

const APP = `
export const application = (environ: any, startResponse: (status: string, headers: string[][]) => void) => {
  startResponse(environ.PATH_INFO === "/missing" ? "404 Not Found" : "200 OK", [["Content-Type", "text/plain"]]);
  return environ.PATH_INFO === "/endless" ? endless() : "one;";
};

async function* endless() {
  for (;;) {
    yield "more\\n";
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
`;

const directory = mkdtempSync(join(tmpdir(), "tricorn-terminal-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const running = new Set<InShell>();
afterEach(() => {
  for (const shell of running) shell.kill();
});

interface ShellOptions {
  readonly words?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What follows the command: redirections, a pipe. */
  readonly after?: string;
  /** In a terminal of its own; default: yes. */
  readonly terminal?: boolean;
}

/** `tricorn runserver` in a shell, in a project of its own. */
class InShell {
  ended = false;
  output = "";
  readonly project: Project = new Project({ "app.ts": APP });
  /** In the environment of all that it starts. */
  readonly #mark: string = crypto.randomUUID();
  readonly #folder: string = mkdtempSync(join(directory, "shell-"));
  readonly #child: ChildProcess;

  constructor(runtime: TestRuntime, { words = ["0"], env = {}, after = "", terminal = true }: ShellOptions = {}) {
    const program = [...programOf(runtime), ...words].map((word) => `'${word}'`).join(" ");
    const text = terminal
      ? `stty -a > ${this.#folder}/before; ${program} ${after}; echo ended with $?; stty -a > ${this.#folder}/after`
      : `${program} ${after}`;
    const options: SpawnOptions = {
      cwd: this.project.folder,
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
      env: { ...process.env, PWD: this.project.folder, MARK: this.#mark, PORT: "", ...env },
    };
    this.#child = terminal ? spawnInTerminal(text, options) : spawn("bash", ["-c", text], options);
    running.add(this);
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => this.output += text);
    }
    this.#child.on("close", () => this.ended = true);
  }

  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  async shows(text: string, times = 1): Promise<void> {
    const shown = (): boolean => this.output.split(text).length > times;
    await eventually(() => shown() || this.ended, () => `no ${text}:\n${this.output}`);
    if (!shown()) throw new Error(`it ended without ${text}:\n${this.output}`);
  }

  get url(): string {
    return /http:\/\/[\d.]+:\d+/.exec(this.output)![0];
  }

  /** Waits for the end: the terminal is as it was, and no process is left. */
  async isGone(): Promise<void> {
    await eventually(() => this.ended, () => `it does not end:\n${this.output}`);
    expect(readFileSync(join(this.#folder, "after"), "utf8")).toBe(readFileSync(join(this.#folder, "before"), "utf8"));
    await eventually(() => this.processes().length === 0, () => `still there: ${this.processes()}`);
    this.kill();
  }

  /** All that it has started and that lives. */
  processes(): number[] {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`MARK=${this.#mark}`);
      } catch {
        return false;
      }
    }).map(Number);
  }

  signal(signal: NodeJS.Signals): void {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, signal);
      } catch {
        // It has gone meanwhile.
      }
    }
  }

  kill(): void {
    this.signal("SIGKILL");
    running.delete(this);
    this.project.remove();
  }
}

/** The bytes that are answered to `bytes`, until the server closes. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("latin1");
    socket.on("data", (data) => text += String(data));
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

onEachKind("runserver in a terminal", (runtime) => {
  test("keys: r reloads, o opens, c clears, others do nothing, q quits; the terminal is left as it was", async () => {
    const got = join(directory, `${runtime.name}.got`);
    const browser = join(directory, `${runtime.name}.sh`);
    writeFileSync(browser, `#!/bin/sh\necho "$*" >> ${got}\n`, { mode: 0o755 });
    const shell = new InShell(runtime, { env: { BROWSER: browser } });
    await shell.shows("Keys: r reload, o open in a browser, c clear, q quit");
    shell.type("r");
    await shell.shows("Reloaded in ");
    shell.type("xR\x1b[A");
    await shell.shows("Reloaded in ", 2);
    shell.type("o");
    await eventually(() => existsSync(got), () => shell.output);
    expect(readFileSync(got, "utf8")).toBe(`${shell.url}/\n`);
    expect(shell.output).not.toContain("\x1b[2J");
    shell.type("c");
    await shell.shows("\x1b[2J");
    // Colours by the class of the status.
    expect(await (await fetch(`${shell.url}/`, { headers: { connection: "close" } })).text()).toBe("one;");
    await shell.shows("\x1b[32m200\x1b[0m");
    await fetch(`${shell.url}/missing`, { headers: { connection: "close" } });
    await shell.shows("\x1b[33m404\x1b[0m");
    // Lines end as on any terminal: raw mode must not make a staircase of them.
    expect(shell.output.replaceAll("\r\n", "")).not.toContain("\n");
    shell.type("q");
    await shell.shows("ended with 0");
    await shell.isGone();
  });

  test.each([["Ctrl-C", "\x03"], ["Ctrl-\\", "\x1c"]])(
    "%s ends it, and the terminal is left as it was",
    async (_, key) => {
      const shell = new InShell(runtime);
      await shell.shows("Keys:");
      await eventually(() => shell.processes().length >= 4, () => `${shell.processes()}`);
      shell.type(key);
      await shell.shows("ended with 0");
      await shell.isGone();
    },
  );

  test.each([["--no-color", ["0", "--no-color"], {}], ["NO_COLOR", ["0"], { NO_COLOR: "1" }]])(
    "%s: no colours, and the keys are there",
    async (_, words, env) => {
      const shell = new InShell(runtime, { words, env });
      await shell.shows("Keys:");
      await fetch(`${shell.url}/`, { headers: { connection: "close" } });
      await shell.shows(" GET    200 ");
      expect(shell.output).not.toContain("\x1b");
      shell.type("q");
      await shell.shows("ended with 0");
      await shell.isGone();
    },
  );

  test.each([
    ["standard error is closed", "2>&-"],
    ["all three are closed", "2>&- >&- <&-"],
    ["whoever read it has left", "2>&1 | head -1"],
  ])("%s: it serves on, reloads, and ends", async (_, after) => {
    const port = await freePort();
    const shell = new InShell(runtime, { words: [String(port)], after, terminal: false });
    const answer = (): Promise<string> =>
      fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } }).then(
        (response) => response.text(),
        String,
      );
    await eventually(async () => await answer() === "one;", () => shell.output);
    for (let request = 0; request < 5; request++) expect(await answer()).toBe("one;");
    shell.project.save("app.ts", APP.replace("one;", "two;"));
    await eventually(async () => await answer() === "two;", () => shell.output);
    shell.signal("SIGTERM");
    await eventually(() => shell.processes().length === 0, () => `still there: ${shell.processes()}`);
    shell.kill();
  });
});

onEachKind("the log of runserver", (runtime) => {
  test("strange clients get a sentence, and nobody else's request suffers", async () => {
    await withDevServer(runtime, { "app.ts": APP }, async (server) => {
      await new Promise<void>((resolve) => {
        const socket = connectTls({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
        socket.on("error", () => {});
        socket.on("close", () => resolve());
      });
      await server.says(
        `You are speaking HTTPS to a server that speaks HTTP: open ${server.url}, or start with --https`,
      );
      await exchange(server.port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      await server.says("You are speaking HTTP/2 to a server that speaks HTTP/1.1");
      for await (const _ of (await fetch(`${server.url}/endless`)).body!) break;
      await server.says(/GET {4}200 .* \/endless {2}client left$/);
      expect((await server.get("/")).text).toBe("one;");
      expect(server.stderr).not.toContain("\x1b");
      // Each is told once, and no stack with it.
      expect(server.stderr).not.toMatch(/^ +at /m);
    });
  });
});
