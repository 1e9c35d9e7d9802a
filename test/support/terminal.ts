// Terminals of their own for what asks whether it is in one.

import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import process from "node:process";

/**
 * Runs a shell's text in a terminal that script(1) of util-linux makes, and ends with its code. Always in bash, whatever
 * SHELL is: a Ctrl-C that the command takes for an answer would end dash, with 130.
 */
export function spawnInTerminal(text: string, { env, ...options }: SpawnOptions): ChildProcess {
  return spawn("script", ["-qfec", text, "/dev/null"], {
    ...options,
    env: { ...process.env, ...env, SHELL: "/bin/bash" },
  });
}
