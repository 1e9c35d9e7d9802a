// Single keys of the terminal, by node:process on all runtimes. What a key does is decided in src/cli; here it is read, and
// the terminal is left as it was found, however this process ends.

import { readFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import process from "node:process";

/** Keys that a raw terminal no longer makes signals of, and this does again: Ctrl-C and Ctrl-\ (termios(3), ISIG). */
const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = { "\x03": "SIGINT", "\x1c": "SIGQUIT" };
const CTRL_Z = "\x1a";

/**
 * One key each: control sequences of ECMA-48 §5.4 (CSI), SS3 with its one character (arrows in application mode), Alt with
 * a key, or a character.
 */
const KEY = /\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[ -~]|\x1b[^\x1b[O]|./gsu;

/** The keys in what a terminal sent. */
export function splitKeys(text: string): readonly string[] {
  return text.match(KEY) ?? [];
}

/** Reads keys until the returned function is called; null when standard input is no terminal that is ours. */
export function readKeys(onKey: (key: string) => void): (() => void) | null {
  const { stdin } = process;
  // In the background, to change the terminal would stop this process (SIGTTOU).
  if (!stdin.isTTY || !isForeground()) return null;
  const decoder = new TextDecoder();
  let ended = false;

  const raw = (on: boolean): void => {
    try {
      stdin.setRawMode(on);
    } catch {
      // The terminal has gone.
    }
  };
  const begin = (): void => {
    if (ended || !isForeground()) return;
    raw(true);
    stdin.resume();
  };
  const pause = (): void => {
    stdin.pause();
    raw(false);
  };
  const onData = (bytes: Uint8Array | string): void => {
    for (const key of splitKeys(typeof bytes === "string" ? bytes : decoder.decode(bytes, { stream: true }))) {
      if (ended) return;
      const signal = SIGNALS[key];
      if (signal === "SIGQUIT") {
        // It ends a process without asking, unless somebody listens.
        pause();
        signalGroup(signal);
        setTimeout(begin, 0);
      } else if (signal !== undefined) signalGroup(signal);
      else if (key === CTRL_Z) {
        pause();
        signalGroup("SIGTSTP");
      } else onKey(key);
    }
  };
  // A terminal that has gone is told by SIGHUP.
  const onError = (): void => {};
  const restore = (): void => raw(false);

  stdin.on("data", onData);
  stdin.on("error", onError);
  process.on("SIGCONT", begin);
  process.on("exit", restore);
  begin();
  return () => {
    if (ended) return;
    ended = true;
    pause();
    stdin.off("data", onData);
    process.off("SIGCONT", begin);
    process.off("exit", restore);
  };
}

/** As the terminal does it: to all that was started together, `npm run dev` and a pipe's other end among them. */
function signalGroup(signal: NodeJS.Signals): void {
  try {
    process.kill(0, signal);
  } catch {
    // On Deno it needs --allow-run. This process is told at least.
    process.emit(signal, signal);
  }
}

/** Whether the terminal is this process's group's now. */
function isForeground(): boolean {
  try {
    if (process.platform === "linux") {
      // proc_pid_stat(5): after the name, which may hold anything, state, ppid, pgrp, session, tty_nr, tpgid.
      const stat = readFileSync("/proc/self/stat", "latin1");
      const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return group === foreground;
    }
    const { status, stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(process.pid)], { encoding: "utf8" });
    // ps(1): the foreground's have a plus.
    return status !== 0 || stdout.includes("+");
  } catch {
    return true;
  }
}
