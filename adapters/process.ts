// The process around the commands, for all three runtimes: what `node:process` and `node:fs` mean alike everywhere. No
// policy: which signal does what, and what goes to which log, is decided in src/cli.
import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type CertificateProblem, type CommandHost, ModuleError } from "../src/cli/host.ts";
import type { LogFile } from "../src/runtime/port.ts";
import { availableCores } from "./cores.ts";
import { isGranted, programScript, startDirectory } from "./program.ts";
import { localSockets } from "./control_socket.ts";

/** What is tried after a path that names no file, in this order. */
const EXTENSIONS: readonly string[] = [".ts", ".mts", ".js", ".mjs", ".cjs", ".tsx", ".jsx"];

/** What can be a package's name, with or without a path in it. */
const PACKAGE = /^(?:@[a-z0-9-~][a-z0-9-._~]*\/)?[a-z0-9-~][a-z0-9-._~]*(?:\/|$)/i;

/** The running process. */
export const processHost: CommandHost = {
  // The first two are the runtime and the script, on all three.
  argv: process.argv.slice(2),
  env: new Proxy({}, {
    get: (_, name) => typeof name === "string" && canReadEnv(name) ? process.env[name] : undefined,
  }),
  get cwd(): string {
    return process.cwd();
  },
  startDirectory,
  program: () => ({ runtime: process.execPath, script: programScript() }),
  pid: process.pid,
  isTty: Boolean(process.stderr.isTTY),
  stdoutIsTty: Boolean(process.stdout.isTTY),
  sockets: localSockets,
  stdout: (text) => writeAll(1, text),
  stderr: (text) => writeAll(2, text),
  openLog,
  readText: (file) => fs.readFileSync(path.resolve(process.cwd(), file), "utf8"),
  importModule,
  importFresh,
  certificateProblem,
  isFile: (file) => canRead(file) ? isFile(file) : null,
  isFolder,
  onSignal(signal, listener) {
    try {
      process.on(signal, () => listener());
      if (signal === "SIGUSR1" && "Deno" in globalThis) keepInspectorClosed(signal);
    } catch {
      // Windows lacks some signals; nobody can send them either.
    }
  },
  onUncaught(listener) {
    process.on("uncaughtException", listener);
    process.on("unhandledRejection", listener);
  },
  usage: {
    rss: () => {
      try {
        rss = process.memoryUsage.rss();
      } catch {
        // It takes a descriptor, and there is none left.
      }
      return rss;
    },
    cpu() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
  },
  availableCores: () => availableCores(),
  openFilesLimit,
  resolve: (file) => path.resolve(process.cwd(), file),
  chdir: (directory) => process.chdir(directory),
  canReadEnv,
  exit: (code) => process.exit(code),
};

/** Milliseconds after `signal` in which Deno's inspector is closed as soon as it opens; most often that takes five. */
const INSPECTOR_OPENS = 1000;

/**
 * Deno 2.9.2 and later opens its inspector at 127.0.0.1:9229 on SIGUSR1, whoever listens to that signal (denoland/deno
 * #35738), and has no switch for it. Every user of the machine could run code in this process by it, so it is closed. One
 * that was open before, by --inspect, stays.
 */
function keepInspectorClosed(signal: string): void {
  const inspector = createRequire("/")("node:inspector") as typeof import("node:inspector");
  // To ask needs --allow-sys; to close it, nothing.
  if (isGranted({ name: "sys" }) && inspector.url() !== undefined) return;
  process.on(signal, () => {
    const end = performance.now() + INSPECTOR_OPENS;
    const timer = setInterval(() => {
      inspector.close();
      if (performance.now() > end) clearInterval(timer);
    }, 1);
    timer.unref();
  });
}

/** Bytes, when they could be read last. */
let rss = 0;

/** The soft limit; all three runtimes raise theirs to the hard one when they start. */
function openFilesLimit(): number | null {
  let limits: string;
  try {
    // Deno wants all permissions for /proc, and would ask for them.
    if (!isGranted({ name: "read", path: "/proc/self/limits" })) return null;
    limits = fs.readFileSync("/proc/self/limits", "utf8");
  } catch {
    return null;
  }
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? null : Number(soft);
}

function canReadEnv(variable: string): boolean {
  return isGranted({ name: "env", variable });
}

function canRead(file: string): boolean {
  return isGranted({ name: "read", path: file });
}

/** Longer than any reader needs to make room, short enough that one who has stopped does not stop the server for good. */
const MAX_WAIT = 5_000;

/**
 * Writes all of `text` now: `process.stdout.write` would lose what it holds back when the process exits. A pipe that is
 * full is waited for.
 */
function writeAll(fd: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  let waited = 0;
  for (let offset = 0; offset < bytes.length;) {
    try {
      offset += fs.writeSync(fd, bytes, offset);
      waited = 0;
    } catch (error) {
      const { code } = error as { code?: string };
      // Whoever read standard output has left: no reason to stop serving.
      if (fd <= 2 && (code === "EPIPE" || code === "EIO")) return;
      if (code !== "EAGAIN" || waited >= MAX_WAIT) throw error;
      waited += 10;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function openLog(file: string): LogFile {
  const resolved = path.resolve(process.cwd(), file);
  let fd = fs.openSync(resolved, "a");
  return {
    write: (text) => writeAll(fd, text),
    reopen() {
      // The new one first: when it cannot be opened, the old one goes on.
      const old = fd;
      fd = fs.openSync(resolved, "a");
      fs.closeSync(old);
    },
  };
}

/**
 * Imports, relative to the working directory: a path (with or without `./`, with or without its extension), a `file:`
 * URL, what else the runtime has a scheme for (`npm:`, `jsr:`, `node:`), or a package's name.
 *
 * @throws {ModuleError} when there is no such module, or the runtime cannot load its kind.
 */
async function importModule(specifier: string): Promise<Record<string, unknown>> {
  const file = findFile(specifier);
  if (file !== null) {
    await prepareFor(file);
    return await import(pathToFileURL(file).href);
  }
  if (/^[a-z][a-z0-9+.-]+:/.test(specifier) && !specifier.startsWith("file:")) return await import(specifier);
  if (!PACKAGE.test(specifier)) throw notFound(specifier);
  const require = createRequire(path.join(process.cwd(), "tricorn.js"));
  let resolved: string;
  try {
    resolved = require.resolve(specifier);
  } catch (error) {
    // A package that has only an "import" condition is there all the same.
    if ((error as { code?: string }).code === "ERR_PACKAGE_PATH_NOT_EXPORTED") return await import(specifier);
    throw notFound(specifier);
  }
  return await import(path.isAbsolute(resolved) ? pathToFileURL(resolved).href : resolved);
}

/** How often a file was imported afresh; each time it needs a name of its own. */
let freshImports = 0;

async function importFresh(file: string): Promise<Record<string, unknown>> {
  await prepareFor(file);
  // A CommonJS module is kept by its path, whatever is asked after it.
  delete createRequire(file).cache[file];
  // Bun keeps what a URL gave, whatever its query, and what a path gave, by its query.
  const name = "Bun" in globalThis ? file : pathToFileURL(file).href;
  return await import(`${name}?tricorn=${++freshImports}`);
}

function certificateProblem(certificate: string, key: string): CertificateProblem | null {
  // Loaded where there is a certificate: it takes a while on Deno. Not relative to this module, which from JSR is no file.
  const crypto = createRequire("/")("node:crypto") as typeof import("node:crypto");
  const parse = <T>(action: () => T): T | string => {
    try {
      return action();
    } catch (error) {
      return (error as Error).message;
    }
  };
  // One file may have both. Deno's readers want what they read to come first, and alone.
  const [first = certificate] = /-----BEGIN (CERTIFICATE)-----[^]*?-----END \1-----/.exec(certificate) ?? [];
  const [own = key] = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[^]*?-----END \1-----/.exec(key) ?? [];
  const leaf = parse(() => new crypto.X509Certificate(first));
  if (typeof leaf === "string") {
    return { setting: "certfile", problem: `has no certificate that can be read: ${leaf}` };
  }
  // With a passphrase, even an empty one, OpenSSL does not ask the terminal for it.
  const secret = parse(() => crypto.createPrivateKey({ key: own, passphrase: "" }));
  if (typeof secret === "string") {
    const reason = key.includes("ENCRYPTED") ? "it is encrypted; write it without a passphrase" : secret;
    return { setting: "keyfile", problem: `has no private key that can be read: ${reason}` };
  }
  if (leaf.checkPrivateKey(secret)) return null;
  return { setting: "keyfile", problem: "is not the key of the certificate in certfile" };
}

/** Registers the type stripper on a Node without one, for all that follows. */
async function prepareFor(file: string): Promise<void> {
  const { stripTypesProblem } = await import("./strip_types.js");
  if (/\.m?ts$/.test(file) && stripTypesProblem !== null) throw new ModuleError(stripTypesProblem);
}

/** The file that `specifier` means, or null when there is none. */
function findFile(specifier: string): string | null {
  const wanted = specifier.startsWith("file:") ? fileURLToPath(specifier) : path.resolve(process.cwd(), specifier);
  return [wanted, ...EXTENSIONS.map((extension) => wanted + extension)].find(isFile) ?? null;
}

function isFile(file: string): boolean {
  try {
    return fs.statSync(file).isFile();
  } catch (error) {
    if ((error as Error).name !== "NotCapable") return false;
    throw new ModuleError(`Deno may not read ${JSON.stringify(file)}; allow it with --allow-read`);
  }
}

function isFolder(folder: string): boolean | null {
  if (!canRead(folder)) return null;
  try {
    return fs.statSync(folder).isDirectory();
  } catch (error) {
    return ["ENOENT", "ENOTDIR"].includes((error as { code?: string }).code ?? "") ? false : null;
  }
}

function notFound(specifier: string): ModuleError {
  const shown = specifier.startsWith("file:") ? specifier : path.resolve(process.cwd(), specifier);
  const tried = path.extname(specifier) === "" ? `, alone or with ${EXTENSIONS.slice(0, 3).join(", ")}` : "";
  const packages = PACKAGE.test(specifier) ? ", and no package of that name" : "";
  return new ModuleError(`there is no file ${JSON.stringify(shown)}${tried}${packages}`);
}
