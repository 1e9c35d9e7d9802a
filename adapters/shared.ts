// What the adapters share: bytes and system errors, by way of node: modules that all three runtimes have.

import { Buffer } from "node:buffer";
import { chmodSync, closeSync, lstatSync, openSync, statSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import process from "node:process";
import { type Bind, ListenError, type ListenFault, type Runtime, type SharedHandle } from "../src/runtime/port.ts";

// Buffer's own, fast on all three, and not in its types (TextDecoder("latin1") is slower, and windows-1252).
const { latin1Slice, latin1Write } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  latin1Write(this: Uint8Array, text: string, offset: number): number;
};

/** Writes `text`, one byte a character, into `target` at `offset`. */
export function writeLatin1(target: Uint8Array, text: string, offset: number): void {
  latin1Write.call(target, text, offset);
}

/** The parts of a runtime that are the same everywhere. */
export const common: Pick<
  Runtime,
  "latin1" | "utf8Length" | "checkReusePort" | "soon" | "outOfDescriptors" | "every"
> = {
  latin1: (bytes, start, end) => latin1Slice.call(bytes, start, end),
  utf8Length: (text) => Buffer.byteLength(text, "utf8"),
  checkReusePort,
  // Deno hands over all that has arrived as one batch of promises: a microtask comes after them, and is cheaper.
  soon: "Deno" in globalThis ? queueMicrotask : setImmediate,
  // Nobody tells: libuv closes the connections that it has no descriptor for, Bun lets them wait (measured).
  outOfDescriptors() {
    try {
      closeSync(openSync("/dev/null", "r"));
      return false;
    } catch (error) {
      return isExhaustion(error);
    }
  },
  every(milliseconds, callback) {
    const timer = setInterval(callback, milliseconds) as unknown as { unref(): void };
    timer.unref();
    return () => clearInterval(timer as unknown as number);
  },
};

/** True for the system's "too many open files", of this process or of all. */
export function isExhaustion(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === "EMFILE" || code === "ENFILE";
}

const FAULTS: Readonly<Record<string, [ListenFault, string]>> = {
  EADDRINUSE: ["EADDRINUSE", "the address is in use"],
  EACCES: ["EACCES", "permission denied"],
  EPERM: ["EACCES", "permission denied"],
  EADDRNOTAVAIL: ["EADDRNOTAVAIL", "the address is not one of this machine"],
  ENOTFOUND: ["ENOTFOUND", "the host name is not known"],
  EAI_AGAIN: ["ENOTFOUND", "the host name is not known"],
  ENOENT: ["EOTHER", "the directory does not exist"],
  EBADF: ["EOTHER", "no such file descriptor was inherited"],
  EINVAL: ["EOTHER", "the file descriptor is no listening socket, or the address is malformed"],
  ENOTSOCK: ["EOTHER", "the file descriptor is no socket"],
};

/** A system's error about `bind`, in the port's terms. */
export function listenError(bind: Bind, error: unknown): ListenError {
  if (error instanceof ListenError) return error;
  const { code, message } = error as { code?: string; message?: string };
  const [fault, reason] = FAULTS[code ?? ""] ?? ["EOTHER", message ?? String(error)];
  return new ListenError(fault, bind, reason);
}

/**
 * Makes the path of a unix socket free: removes a socket that nobody listens on (a crash leaves one behind), and nothing
 * else.
 */
export async function freeUnixPath(bind: Bind & { kind: "unix" }): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(bind.path).isSocket();
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw listenError(bind, error);
    checkFolder(bind);
    return;
  }
  if (!isSocket) throw new ListenError("EADDRINUSE", bind, "a file that is no socket has that name");
  const inUse = await new Promise<boolean>((resolve) => {
    const probe = connect(bind.path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error: { code?: string }) => resolve(error.code !== "ECONNREFUSED"));
  });
  if (inUse) throw new ListenError("EADDRINUSE", bind, "another process listens on it");
  unlinkSync(bind.path);
}

interface DenoPermissions {
  readonly permissions: { querySync(permission: { name: "read"; path: string }): { readonly state: string } };
}

/** Says it when the folder of a unix socket is missing: Node says "permission denied" then. */
function checkFolder(bind: Bind & { kind: "unix" }): void {
  const path = dirname(bind.path);
  const { Deno } = globalThis as { Deno?: DenoPermissions };
  // Deno may be allowed to see the socket and not its folder, and would ask in a terminal: then listening tells.
  if (Deno !== undefined && Deno.permissions.querySync({ name: "read", path }).state !== "granted") return;
  try {
    statSync(path);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") throw listenError(bind, error);
  }
}

/** Gives a unix socket the mode that was asked for. */
export function setUnixMode(bind: Bind & { kind: "unix" }): void {
  if (bind.mode !== undefined) chmodSync(bind.path, bind.mode);
}

/** What a SharedHandle is inside: node:net's own kind of handle, or, on Bun, a descriptor of this process. */
export type SharedInside = { readonly handle: object } | { readonly fd: number };

export function wrapShared(inside: SharedInside): SharedHandle {
  return { brand: "SharedHandle", ...inside } as SharedHandle;
}

export function unwrapShared(shared: SharedHandle): SharedInside {
  return shared as unknown as SharedInside;
}

/**
 * Refuses SO_REUSEPORT where it would be ignored in silence, or not share the load.
 *
 * @throws {ListenError}
 */
export function checkReusePort(bind: Bind): void {
  const refuse = (reason: string): never => {
    throw new ListenError("ENOTSUP", bind, reason);
  };
  if (bind.kind !== "tcp") refuse("reuse_port is for TCP addresses");
  if (process.platform !== "linux") refuse("reuse_port shares the load on Linux only");
  if ("Deno" in globalThis || "Bun" in globalThis) return;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 12) || (major === 23 && minor < 1)) {
    refuse(`reuse_port needs Node 22.12, 23.1 or later, and this is ${process.versions.node}`);
  }
}
