// What `tricorn runserver` needs of the system, for all runtimes: see src/cli/dev_host.ts. Each part that is more than a
// call has a file of its own.

import { execFile } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import { isIP } from "node:net";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import process from "node:process";
import * as util from "node:util";
import type { DevCertificate, DevHost } from "../src/cli/dev_host.ts";
import { makeCertificate, subjectNames } from "../src/dev/certificate.ts";
import { openBrowser } from "./open_browser.ts";
import { openFileBelow } from "./open_file.ts";
import { portHolder } from "./port_holder.ts";
import { readKeys } from "./terminal.ts";
import { watchFolders } from "./watch.ts";

/** Larger files are no source that a person reads. */
const MAX_SOURCE = 2 * 1024 * 1024;

/** How long a certificate must be valid still: a day of work. */
const DAY = 86_400_000;

/** The running process's. */
export const devHost: DevHost = {
  warmUp: async () => void await import("./strip_types.js"),
  watch: watchFolders,
  keys: readKeys,
  openBrowser: (url) => openBrowser(url),
  portHolder,
  outputFiles,
  readSource,
  openFileBelow,
  parseEnv(text) {
    const { parseEnv } = util as { parseEnv?: (text: string) => Record<string, string> };
    return parseEnv?.(text) ?? {};
  },
  checkSyntax,
  exists: (path) => fs.existsSync(path),
  certificate: (names) => keepCertificate(names),
};

function outputFiles(): readonly string[] {
  return [1, 2].flatMap((fd) => {
    try {
      // A pipe or a terminal is no path that is watched, and does no harm.
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return [];
    }
  });
}

function checkSyntax(path: string): Promise<string | null> {
  if ("Deno" in globalThis || "Bun" in globalThis || !/\.[cm]?js$/.test(path)) return Promise.resolve(null);
  return new Promise((resolve) => {
    execFile(process.execPath, ["--check", path], (error, _, stderr) => resolve(error === null ? null : stderr));
  });
}

function readSource(path: string): string | null {
  try {
    // A pipe would never end.
    const stat = fs.statSync(path);
    if (!stat.isFile() || stat.size > MAX_SOURCE) return null;
    return new TextDecoder("utf-8", { fatal: true }).decode(fs.readFileSync(path));
  } catch {
    return null;
  }
}

/** Where a user's programs keep what can be made again (XDG Base Directory Specification). */
function cacheFolder(): string {
  const { XDG_CACHE_HOME: cache, HOME: home } = process.env;
  // The specification: a relative path is to be ignored. Deno's homedir() wants --allow-sys, for this very variable.
  return join(cache !== undefined && isAbsolute(cache) ? cache : join(home || homedir(), ".cache"), "tricorn");
}

/** The certificate of an earlier run, or a new one: see DevHost.certificate. */
export async function keepCertificate(
  names: readonly string[],
  now: Date = new Date(),
  folder: string = cacheFolder(),
): Promise<DevCertificate> {
  const wanted = subjectNames(names);
  // Both in one file, so that what two processes write at the same time always fits together. ":" is not for Windows.
  const further = subjectNames(names).slice(subjectNames([]).length);
  const file = join(folder, `${["localhost", ...further].join("+").replace(/[^\w.+-]/g, "_").slice(0, 200)}.pem`);
  const isGood = isUsable(file, wanted, now);
  if (isGood) return { certfile: file, keyfile: file, isNew: false, problem: null };
  const { certificate, key } = await makeCertificate(names, now);
  let problem: string;
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    replaceSecret(file, key + certificate);
    return { certfile: file, keyfile: file, isNew: true, problem: null };
  } catch (error) {
    problem = `it cannot be kept in ${folder}: ${(error as Error).message}`;
  }
  const temporary = fs.mkdtempSync(join(tmpdir(), "tricorn-"));
  process.on("exit", () => fs.rmSync(temporary, { recursive: true, force: true }));
  const pair = join(temporary, "localhost.pem");
  replaceSecret(pair, key + certificate);
  return { certfile: pair, keyfile: pair, isNew: true, problem };
}

function isUsable(file: string, names: readonly string[], now: Date): boolean {
  try {
    // Deno reads one at a time.
    const [key, rest] = fs.readFileSync(file, "utf8").split("-----BEGIN CERTIFICATE-----");
    const certificate = new X509Certificate(`-----BEGIN CERTIFICATE-----${rest}`);
    const ends = Date.parse(certificate.validTo);
    return Date.parse(certificate.validFrom) <= now.getTime() && ends - now.getTime() >= DAY &&
      certificate.checkPrivateKey(createPrivateKey(key!)) &&
      names.every((name) => isFor(certificate, name));
  } catch {
    return false;
  }
}

function isFor(certificate: X509Certificate, name: string): boolean {
  // A name by the text, since a wildcard is none that could be asked for.
  return isIP(name) === 0
    ? (certificate.subjectAltName ?? "").split(", ").includes(`DNS:${name}`)
    : certificate.checkIP(name) !== undefined;
}

/** Replaces a file as a whole; only its owner may read it. */
function replaceSecret(file: string, text: string): void {
  const temporary = `${file}.${crypto.randomUUID().slice(0, 8)}~`;
  try {
    fs.writeFileSync(temporary, text, { flag: "wx", mode: 0o600 });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}
