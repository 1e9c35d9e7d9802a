// The servers to compare with, installed on first use: nobody who only develops Tricorn needs them.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";

/** Installs the packages of `folder` when that has not happened yet; returns what went wrong, or null. */
export function installPackages(folder: string, tell: (line: string) => void): string | null {
  // npm writes the second one at the end of an installation.
  if (modified(join(folder, "node_modules/.package-lock.json")) >= modified(join(folder, "package-lock.json"))) {
    return null;
  }
  tell("Installing the servers to compare with: npm ci --prefix scripts/bench");
  const { status, stderr, error } = spawnSync("npm", ["ci", "--prefix", folder, "--loglevel=error"], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (status === 0) return null;
  const reason = error?.message ??
    stderr.split("\n").find((line) => line.startsWith("npm error")) ?? stderr;
  return `cannot install the servers to compare with (npm ci --prefix scripts/bench): ${reason.trim()}`;
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
