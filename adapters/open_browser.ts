// Opens a URL in the user's browser: BROWSER where it is set, else what the system has for it. Never by a shell, so
// nothing in the URL is anything but a URL.

import { spawn } from "node:child_process";
import process from "node:process";
import { splitWords } from "../src/config/shell_words.ts";

type Words = readonly [program: string, ...words: readonly string[]];

/** Milliseconds after which a program that still runs has opened it: some stay for as long as the browser does. */
const STAYS = 2000;

/**
 * Opens `url`, which is http: or https:. Null when a program took it; else what is wrong, in a sentence without an end.
 */
export async function openBrowser(
  url: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string | null> {
  const { protocol, href } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") return `${protocol} is nothing to open`;
  const commands = commandsFor(href, env);
  if (typeof commands === "string") return commands;
  let problem: string | null = null;
  for (const command of commands) {
    problem = await start(command);
    if (problem === null) return null;
  }
  return problem;
}

/** What may open it, the best first; or why nothing can. */
function commandsFor(url: string, env: Readonly<Record<string, string | undefined>>): readonly Words[] | string {
  if (env.BROWSER) return commandsOfVariable(env.BROWSER, url);
  if (process.platform === "darwin") return [["open", url]];
  if (process.platform === "win32") return [["rundll32", "url.dll,FileProtocolHandler", url]];
  // Windows around this Linux.
  const windows: readonly Words[] = env.WSL_DISTRO_NAME ? [["wslview", url]] : [];
  // Without a display xdg-open starts a browser of the terminal, which is ours.
  if (env.DISPLAY || env.WAYLAND_DISPLAY) return [...windows, ["xdg-open", url]];
  return windows.length > 0 ? windows : "there is no display here; set BROWSER to a program that opens a URL";
}

/** As Python and xdg-open read it: commands with a colon between, tried in turn; %s is the URL, or it comes last. */
function commandsOfVariable(variable: string, url: string): readonly Words[] | string {
  if (variable === "none") return "BROWSER is none";
  try {
    const commands = variable.split(":").map((command) => splitWords(command, "BROWSER")).filter(({ length }) =>
      length > 0
    );
    if (commands.length === 0) return "BROWSER names no program";
    return commands.map((words) => {
      const filled = words.map((word) => word.replaceAll("%s", () => url));
      const has = words.some((word) => word.includes("%s"));
      return (has ? filled : [...filled, url]) as unknown as Words;
    });
  } catch (error) {
    return (error as Error).message;
  }
}

/** Null when it could be started and has not failed at once. */
function start([program, ...words]: Words): Promise<string | null> {
  return new Promise((resolve) => {
    const failed = (why: string): void => resolve(`${program} ${why}`);
    try {
      // In a group of its own: Ctrl-C here must not end the browser.
      const child = spawn(program, words, { stdio: "ignore", detached: true });
      const timer = setTimeout(() => resolve(null), STAYS);
      child.on("error", (error) => {
        clearTimeout(timer);
        failed((error as { code?: string }).code === "ENOENT" ? "is not installed" : `failed: ${error.message}`);
      });
      child.on("exit", (code, signal) => {
        clearTimeout(timer);
        if (code === 0) resolve(null);
        else failed(signal === null ? `ended with ${code}` : `was ended by ${signal}`);
      });
      // Not at once: on Deno there is nothing to let go of when it could not be started.
      child.on("spawn", () => child.unref());
    } catch (error) {
      // Deno throws what the others tell.
      const { code, name, message } = error as { code?: string; name: string; message: string };
      failed(
        code === "ENOENT" || name === "NotFound"
          ? "is not installed"
          : name === "NotCapable"
          ? "may not be started by Deno; allow it with --allow-run"
          : `failed: ${message}`,
      );
    }
  });
}
