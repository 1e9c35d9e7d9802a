// A real browser: Chromium without a window, spoken to in its DevTools protocol through two pipes.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { eventually, patiently } from "./wait.ts";

/** The first Chromium that is installed, or null. */
export const CHROMIUM: string | null = ["chromium", "chromium-browser", "google-chrome", "chrome"].find((program) => {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}) ?? null;

interface Message {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** One page of a browser with a profile of its own. */
export class Browser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #pending = new Map<number, (message: Message) => void>();
  #last = 0;
  #session: string | null = null;

  private constructor(program: string) {
    this.#profile = mkdtempSync(join(tmpdir(), "tricorn-browser-"));
    const words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
    this.#child = spawn(program, [...words, `--user-data-dir=${this.#profile}`, "--remote-debugging-pipe"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      detached: true,
    });
    let text = "";
    (this.#child.stdio[4] as Readable).setEncoding("utf8").on("data", (chunk: string) => {
      const messages = (text + chunk).split("\0");
      text = messages.pop()!;
      for (const message of messages.map((one) => JSON.parse(one) as Message)) {
        this.#pending.get(message.id ?? 0)?.(message);
        this.#pending.delete(message.id ?? 0);
      }
    });
  }

  static async open(program: string): Promise<Browser> {
    const browser = new Browser(program);
    const { targetId } = await browser.#call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#call("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = sessionId as string;
    return browser;
  }

  #call(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const answer = new Promise<Record<string, unknown>>((resolve, reject) => {
      this.#pending.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
    });
    const session = this.#session === null ? {} : { sessionId: this.#session };
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return patiently(answer, () => `the browser does not answer ${method}`);
  }

  async goto(url: string): Promise<void> {
    const { errorText } = await this.#call("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${String(errorText)}`);
    await eventually(
      async () => await this.evaluate("document.readyState") === "complete",
      () => `${url} does not load`,
    );
  }

  /** The value of a JavaScript expression in the page; of a promise, what it resolves to. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    }) as { result: { value?: unknown }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  /** Resolves when the expression is true; a page that is being left is no failure. */
  async until(expression: string): Promise<void> {
    await eventually(
      async () => await this.evaluate(expression).catch(() => false) === true,
      () => `never: ${expression}`,
    );
  }

  /** Gives files to an `<input type="file">`. */
  async setFiles(selector: string, files: readonly string[]): Promise<void> {
    const { root } = await this.#call("DOM.getDocument") as { root: { nodeId: number } };
    const { nodeId } = await this.#call("DOM.querySelector", { nodeId: root.nodeId, selector });
    await this.#call("DOM.setFileInputFiles", { nodeId, files });
  }

  /** The page as a PNG, all of it. */
  async screenshot(): Promise<Uint8Array> {
    const { data } = await this.#call("Page.captureScreenshot", { captureBeyondViewport: true });
    return Buffer.from(data as string, "base64");
  }

  /** A window of this size in CSS pixels, and what its user prefers. */
  async emulate(width: number, height: number, scheme: "light" | "dark" = "light"): Promise<void> {
    await this.#call("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: width < 600,
    });
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.#call("Emulation.setEmulatedMedia", { features });
  }

  /** Whether the page's own scripts run. */
  async allowScripts(allowed: boolean): Promise<void> {
    await this.#call("Emulation.setScriptExecutionDisabled", { value: !allowed });
  }

  /** Lets the pages of `origin` write to the clipboard, and read it. */
  async allowClipboard(origin: string): Promise<void> {
    const permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
    await this.#call("Browser.grantPermissions", { origin, permissions });
  }

  /** Presses a key: `Tab`, `Enter`. */
  async press(key: "Tab" | "Enter" | " "): Promise<void> {
    const code = { Tab: 9, Enter: 13, " ": 32 }[key];
    const event = { key, code: key === " " ? "Space" : key, windowsVirtualKeyCode: code };
    const text = key === "Tab" ? {} : { text: key === "Enter" ? "\r" : key };
    await this.#call("Input.dispatchKeyEvent", { type: "keyDown", ...event, ...text });
    await this.#call("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    // The whole group: the browser's other processes write into the profile, too, and a moment longer than it lives.
    process.kill(-this.#child.pid!, "SIGKILL");
    await closed;
    await eventually(
      () => {
        try {
          rmSync(this.#profile, { recursive: true, force: true });
          return true;
        } catch {
          return false;
        }
      },
      () => `${this.#profile} cannot be removed`,
    );
  }
}
