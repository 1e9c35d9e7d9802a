// Who listens on a TCP port of this machine: /proc on Linux, lsof elsewhere. A hint for a person, so that whatever fails
// on the way means that the system does not tell.

import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import type { PortHolder } from "../src/cli/dev_host.ts";

/** The longest command line that is told. */
const LONGEST = 100;

/** The process that listens on `port`, the eldest where several share it; null where the system does not tell. */
export async function portHolder(port: number): Promise<PortHolder | null> {
  try {
    const pids = process.platform === "linux" ? listenersOfProc(port) : await listenersOfLsof(port);
    const pid = pids.toSorted((a, b) => a - b)[0];
    if (pid === undefined) return null;
    const command = process.platform === "linux"
      ? commandOfProc(pid)
      : await output("ps", "-o", "command=", "-p", `${pid}`);
    return { pid, command: shown(command) };
  } catch {
    return null;
  }
}

/** proc_pid_net(5): addresses in hexadecimal, the state 0A (listening), and the socket's inode. */
const LISTENING = /^\s*\d+: [\dA-F]+:([\dA-F]{4}) [\dA-F]+:0000 0A (?:\S+ +){3}\d+ +\d+ +(\d+)/gm;

function listenersOfProc(port: number): readonly number[] {
  const sockets = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const [, hex, inode] of orNone(() => readFileSync(table, "latin1"), "").matchAll(LISTENING)) {
      if (parseInt(hex!, 16) === port) sockets.add(`socket:[${inode}]`);
    }
  }
  if (sockets.size === 0) return [];
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    // Of somebody else's process we may not look, and any may end meanwhile.
    const open = orNone(() => readdirSync(`/proc/${pid}/fd`), []);
    return open.some((fd) => sockets.has(orNone(() => readlinkSync(`/proc/${pid}/fd/${fd}`), "")));
  });
}

function orNone<T>(look: () => T, none: T): T {
  try {
    return look();
  } catch {
    return none;
  }
}

function commandOfProc(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") ||
    readFileSync(`/proc/${pid}/comm`, "utf8");
}

async function listenersOfLsof(port: number): Promise<readonly number[]> {
  const lines = await output("lsof", "-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-t");
  return lines.split("\n").filter(Boolean).map(Number);
}

function output(program: string, ...words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { timeout: 2000 }, (error, stdout) => error === null ? resolve(stdout) : reject(error));
  });
}

function shown(command: string): string {
  const line = command.trim().replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}
