// Keys of a real terminal, which script(1) of util-linux makes, on each runtime; and how the terminal is left.

import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { splitKeys } from "../../adapters/terminal.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { spawnInTerminal } from "../support/terminal.ts";
import { eventually } from "../support/wait.ts";
import { Program, wordsOf } from "./dev_host_program.ts";

describe("splitKeys", () => {
  test.each([
    ["r", ["r"]],
    ["rR é😀", ["r", "R", " ", "é", "😀"]],
    ["\x03", ["\x03"]],
    ["\r\n\t", ["\r", "\n", "\t"]],
    ["\x1b[A\x1b[1;5C\x1b[200~q", ["\x1b[A", "\x1b[1;5C", "\x1b[200~", "q"]],
    ["\x1bOPr", ["\x1bOP", "r"]],
    ["\x1b", ["\x1b"]],
    ["\x1b\x1b[A", ["\x1b", "\x1b[A"]],
    ["\x1bq", ["\x1bq"]],
    ["", []],
  ])("%j is %j", (text, keys) => expect(splitKeys(text)).toEqual(keys));
});

const directory = mkdtempSync(join(tmpdir(), "tricorn-terminal-"));
afterAll(() => rmSync(directory, { recursive: true }));

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
});

let terminals = 0;

/** dev_host_main.ts in a terminal of its own. */
class InTerminal {
  code: number | null = null;
  readonly #child: ChildProcess;
  readonly #folder: string = join(directory, String(terminals++));
  #output = "";

  /** `around`: a shell's text, where PROGRAM is the program. */
  constructor(runtime: TestRuntime, around = "PROGRAM") {
    const program = wordsOf(runtime, ["keys"]).map((word) => `'${word}'`).join(" ");
    const text = `stty -a > ${this.#folder}.before; ${around.replace("PROGRAM", program)}; echo ended with $?; ` +
      `stty -a > ${this.#folder}.after`;
    this.#child = spawnInTerminal(text, { cwd: ROOT, stdio: ["pipe", "pipe", "inherit"] });
    running.add(this.#child);
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#output += text);
    this.#child.on("close", (code) => {
      this.code = code ?? -1;
      running.delete(this.#child);
    });
  }

  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  async shows(text: string, times = 1): Promise<void> {
    const shown = () => this.#output.split(text).length > times;
    await eventually(() => shown() || this.code !== null, () => `no ${text}:\n${this.#output}`);
    if (!shown()) throw new Error(`it ended without ${text}:\n${this.#output}`);
  }

  hides(text: string): void {
    expect(this.#output).not.toContain(text);
  }

  get output(): string {
    return this.#output;
  }

  /** Waits for the end: the terminal is as it was. */
  async isAsItWas(): Promise<void> {
    await eventually(() => this.code !== null, () => `it does not end:\n${this.#output}`);
    expect(readFileSync(`${this.#folder}.after`, "utf8")).toBe(readFileSync(`${this.#folder}.before`, "utf8"));
  }

  modes(name: string): string {
    return existsSync(join(directory, name)) ? readFileSync(join(directory, name), "utf8") : "";
  }
}

onEachRuntime("keys", (runtime) => {
  test("come one by one, without echo, until they are wanted no more", async () => {
    const terminal = new InTerminal(runtime);
    await terminal.shows('"reading"');
    terminal.type("r");
    await terminal.shows('{"key":"r"}');
    terminal.type("\x1b[Aoé");
    for (const key of ['"\\u001b[A"', '"o"', '"é"']) await terminal.shows(`{"key":${key}}`);
    // Lines end as on any terminal: what others print beside us must not become a staircase.
    expect(terminal.output.replaceAll("\r\n", "")).not.toContain("\n");
    terminal.type("q");
    await terminal.shows('"ended"');
    terminal.type("\x03");
    await terminal.shows('"SIGINT"');
    terminal.hides('{"key":"\\u0003"}');
    running.forEach((child) => child.stdin!.end());
  });

  test("Ctrl-C is SIGINT", async () => {
    const terminal = new InTerminal(runtime);
    await terminal.shows('"reading"');
    terminal.type("\x03");
    await terminal.shows('"SIGINT"');
    terminal.type("\x03");
    await terminal.shows('"SIGINT"', 2);
    terminal.type("e");
    await terminal.shows("ended with 3");
    await terminal.isAsItWas();
  });

  test("the terminal is as it was after an exit, an error that nobody catches, and a signal", async () => {
    for (const [key, ending] of [["e", "ended with 3"], ["x", "a bug"], ["\x1c", "ended with 131"]] as const) {
      const terminal = new InTerminal(runtime);
      await terminal.shows('"reading"');
      terminal.type(key);
      await terminal.shows(ending);
      await terminal.isAsItWas();
    }
  });

  test("Ctrl-Z stops it, with the terminal as it was, and the keys are read again after fg", async () => {
    const modes = `modes-${terminals}`;
    const around = `bash -mc "$(cat <<'END'\nPROGRAM; stty -a > ${join(directory, modes)}; echo stopped; fg\nEND\n)"`;
    const terminal = new InTerminal(runtime, around);
    await terminal.shows('"reading"');
    terminal.type("\x1a");
    await terminal.shows("stopped");
    expect(terminal.modes(modes)).toMatch(/ icanon/);
    expect(terminal.modes(modes)).toMatch(/ echo /);
    await eventually(async () => {
      terminal.type("r");
      await new Promise((resolve) => setTimeout(resolve, 100));
      return terminal.output.includes('{"key":"r"}');
    }, () => terminal.output);
    terminal.type("e");
    await terminal.isAsItWas();
  });

  test("in the background it reads no keys, and is not stopped", async () => {
    const terminal = new InTerminal(runtime, 'bash -mc "PROGRAM & read; kill %1; wait %1"');
    await terminal.shows('"no terminal"');
    terminal.type("\n");
    await terminal.shows("ended with 143");
    await terminal.isAsItWas();
  });

  test("without a terminal there are none", async () => {
    const program = new Program(runtime, ["keys"]);
    await eventually(() => program.lines.length > 0 || program.code !== null, () => program.stderr);
    expect(program.lines).toEqual(["no terminal"]);
  });
});
