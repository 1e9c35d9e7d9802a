// A master and its workers as processes, on all three runtimes: sockets that are bound and not accepted on, this program
// started again, and what both sides say to each other. No policy: when a worker is started or killed is decided in
// src/arbiter.
//
// On Node and Deno a bound handle of node:net is sent over the channel, each time that a child asks for it; on Bun, which
// has no such handles, a child inherits descriptors (bun_sockets.ts). On Deno it must not: Deno 2.9.6 makes what a child
// inherits blocking, and with it the one socket that all share, so that a worker whose connection another one has taken
// stands still in accept(). Either way the master's end keeps the socket and its queue alive while no worker accepts.

import { type ChildProcess, spawn } from "node:child_process";
import { lookup } from "node:dns/promises";
import { chmodSync, renameSync, unlinkSync } from "node:fs";
import * as net from "node:net";
import process from "node:process";
import {
  type Bind,
  type Channel,
  type ChildProcessHandle,
  ListenError,
  type Parent,
  type ProcessEnd,
  type SharedHandle,
  type SharedSocket,
  SpawnError,
  type SpawnOptions,
  type Supervisor,
} from "../src/runtime/port.ts";
import { isGranted, programWords, startDirectory } from "./program.ts";
import { freeUnixPath, listenError, type SharedInside, wrapShared } from "./shared.ts";

// The descriptors of a child: standard input, output and error, then these.
const REPORTS = 4;
const FIRST_SOCKET = 5;

/** What a child is, and whose it is: `worker:4711`. A child of its own is none. */
const ROLE = "TRICORN_WORKER";
type Role = "worker" | "master" | "daemon";

/** Milliseconds between two looks whether the process that started this one is there. */
const LOOK = 500;

/** Milliseconds that a channel may stay open after its process has ended. */
const LAST_WORDS = 500;

/** What goes over the channel: `[what the arbiter says]`, or the index of a socket that is asked for or sent. */
type Envelope = readonly [message: unknown] | number;
/** What a child answers to each envelope, on Deno. */
const ACKNOWLEDGED = "acknowledged";

/** The part of the runtimes' own handles that is used; node:net listens on one, and node:child_process sends one. */
interface RawHandle {
  /** An error number, negative, when that is not 0; `out` is filled else. */
  getsockname?(out: { address?: string; port?: number }): number;
  close(): void;
}

/** A number is an error's. It neither listens nor accepts. Not in the documentation, and the same since Node 0.12. */
type CreateHandle = (address: string | null, port: number, kind: 4 | 6 | -1, fd: number) => RawHandle | number;
const createHandle = (net as unknown as { _createServerHandle?: CreateHandle })._createServerHandle;

const onBun = "Bun" in globalThis ? await import("./bun_sockets.ts") : null;

interface DenoApi {
  listen(address: { readonly hostname: string; readonly port: number }): { close(): void };
  readonly permissions: {
    querySync(descriptor: { name: string; variable?: string; command?: string }): { readonly state: string };
  };
}
const { Deno: deno } = globalThis as { Deno?: DenoApi };

// Sockets.

/** A bound socket: node:net's handle, or on Bun a descriptor. */
class BoundSocket implements SharedSocket {
  readonly bind: Bind;
  readonly #inside: { readonly handle: RawHandle } | { readonly fd: number };
  #closed = false;

  constructor(bind: Bind, inside: { readonly handle: RawHandle } | { readonly fd: number }) {
    this.bind = bind;
    this.#inside = inside;
  }

  /** What is sent to a child; null on Bun, and when it is closed. */
  get handle(): RawHandle | null {
    return "handle" in this.#inside && !this.#closed ? this.#inside.handle : null;
  }

  /** What a child inherits; null but on Bun. */
  get fd(): number | null {
    return "fd" in this.#inside ? this.#inside.fd : null;
  }

  close(unlink: boolean): void {
    this.#closed = true;
    if (unlink && this.bind.kind === "unix") {
      try {
        unlinkSync(this.bind.path);
      } catch {
        // Somebody else has removed it.
      }
    }
    if ("handle" in this.#inside) this.#inside.handle.close();
    else onBun!.close(this.#inside.fd);
  }
}

async function bindSocket(bind: Bind): Promise<SharedSocket> {
  if (bind.kind === "fd") return adopt(bind, bind.fd);
  return bind.kind === "unix" ? await bindUnix(bind) : await bindTcp(bind);
}

async function bindTcp(bind: Bind & { kind: "tcp" }): Promise<SharedSocket> {
  let { host } = bind;
  try {
    if (net.isIP(host) === 0) host = (await lookup(host)).address;
    const bound = onBun === null ? bindHandle(host, bind.port) : onBun.bindTcp(host, bind.port);
    if (bound !== null) {
      const { port, ...inside } = bound;
      return new BoundSocket({ ...bind, port }, inside);
    }
  } catch (error) {
    throw listenError(bind, error);
  }
  throw await reason(bind, { host, port: bind.port });
}

function bindHandle(host: string, port: number): { handle: RawHandle; port: number } | null {
  const handle = createHandle!(host, port, net.isIPv6(host) ? 6 : 4, -1);
  if (typeof handle === "number") return null;
  const name: { port?: number } = {};
  // That the address is in use is kept by libuv for listen(), and told here; Deno then knows no port.
  if (handle.getsockname!(name) === 0 && name.port) return { handle, port: name.port };
  handle.close();
  return null;
}

/**
 * The socket gets its name when its mode is right. There is another reason not to bind to the path itself: libuv removes
 * that when the process ends, though another master may have taken over.
 */
async function bindUnix(bind: Bind & { kind: "unix" }): Promise<SharedSocket> {
  await freeUnixPath(bind);
  // As long as the path, since that may be as long as one can be.
  const path = bind.path.slice(0, -1) + (bind.path.endsWith("~") ? "-" : "~");
  await freeUnixPath({ ...bind, path });
  let bound: SharedInside | null = null;
  try {
    if (onBun === null) {
      const handle = createHandle!(path, -1, -1, -1);
      if (typeof handle !== "number") bound = { handle };
    } else {
      bound = onBun.bindUnix(path);
    }
    if (bound !== null) {
      if (bind.mode !== undefined) chmodSync(path, bind.mode);
      renameSync(path, bind.path);
      return new BoundSocket(bind, bound as { handle: RawHandle });
    }
  } catch (error) {
    throw listenError(bind, error);
  }
  throw await reason(bind, { path: bind.path });
}

/** Why `bind` cannot be had. The runtimes tell it in full only to who listens, and Deno only to who listens its own way. */
async function reason(bind: Bind, address: { host: string; port: number } | { path: string }): Promise<ListenError> {
  const unclear = new Error("it could not be had before, and could now");
  if (deno !== undefined && "port" in address) {
    try {
      deno.listen({ hostname: address.host, port: address.port }).close();
      return listenError(bind, unclear);
    } catch (error) {
      return listenError(bind, error);
    }
  }
  const server = net.createServer();
  const error = await new Promise<unknown>((resolve) => {
    server.once("error", resolve);
    server.listen(address, () => resolve(unclear));
  });
  server.close();
  return listenError(bind, error);
}

function adopt(bind: Bind, fd: number): SharedSocket {
  if (onBun !== null) {
    if (onBun.isSocket(fd)) return new BoundSocket(bind, { fd });
  } else {
    // Deno must not close it: a child whose channel gets a number below 5 in the master cannot use it (2.9.6).
    const handle = createHandle!(null, 0, -1, fd);
    if (typeof handle !== "number") return new BoundSocket(bind, { handle });
  }
  throw new ListenError("EOTHER", bind, "the file descriptor is no socket, or none was inherited");
}

// The program, started again.

function checkPermissions(): void {
  if (deno === undefined) return;
  const mayRun = isGranted({ name: "run" }) || isGranted({ name: "run", command: process.execPath });
  const missing = [...(mayRun ? [] : ["--allow-run"]), ...(isGranted({ name: "env" }) ? [] : ["--allow-env"])];
  if (missing.length > 0) {
    throw new SpawnError(`Deno may not start workers: add ${missing.join(" and ")} after "deno run"`);
  }
}

function start(role: Role, { env, sockets }: SpawnOptions): ChildProcessHandle {
  checkPermissions();
  const own = sockets as readonly BoundSocket[];
  const descriptors = own.flatMap(({ fd }) => fd ?? []);
  const variables: Record<string, string> = {};
  for (
    const [name, value] of Object.entries({ ...process.env, ...env, [ROLE]: `${role}:${process.pid}` })
  ) {
    if (typeof value === "string") variables[name] = value;
  }
  const output = role === "daemon" ? "ignore" : "inherit";
  try {
    const child = spawn(process.execPath, programWords(), {
      cwd: startDirectory,
      env: variables,
      detached: role !== "worker",
      stdio: [role === "master" ? "inherit" : "ignore", output, output, "ipc", "pipe", ...descriptors],
    });
    return new Child(child, own);
  } catch (error) {
    throw new SpawnError(`cannot start a process: ${(error as Error).message}`);
  }
}

class Child implements ChildProcessHandle {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #messages: ((message: unknown) => void)[] = [];

  /**
   * What waits until the child has taken what was sent before. Deno 2.9.6 loses a message with a handle when another one
   * comes right before or behind it.
   */
  readonly #queue: (readonly [envelope: Envelope, handle: RawHandle | null])[] = [];
  #waiting = false;

  /** `sockets` are sent when the child asks for them. */
  constructor(child: ChildProcess, sockets: readonly BoundSocket[]) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    // It could not be started, or has gone while something was sent: `exit` tells, or never was there.
    child.on("error", () => {});
    child.on("message", (envelope) => {
      if (envelope === ACKNOWLEDGED) {
        this.#waiting = false;
        return this.#next();
      }
      const content = envelope as Envelope;
      if (typeof content === "number") this.#put(content, sockets[content]?.handle ?? null);
      else for (const listener of this.#messages) listener(content[0]);
    });
  }

  send(message: unknown): boolean {
    if (!this.#child.connected) return false;
    this.#put([message], null);
    return true;
  }

  #put(envelope: Envelope, handle: RawHandle | null): void {
    this.#queue.push([envelope, handle]);
    this.#next();
  }

  #next(): void {
    while (!this.#waiting && this.#child.connected) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#waiting = deno !== undefined;
      this.#child.send(next[0], next[1] as unknown as net.Server);
    }
  }

  kill(signal: string): void {
    this.#child.kill(signal as NodeJS.Signals);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#messages.push(listener);
  }

  onReport(listener: (report: unknown) => void): void {
    let text = "";
    const pipe = this.#child.stdio[REPORTS] as net.Socket | undefined;
    pipe?.on("error", () => {});
    pipe?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        try {
          listener(JSON.parse(line));
        } catch {
          // The application wrote to a descriptor that is not its own.
        }
      }
    });
  }

  onExit(listener: (end: ProcessEnd) => void): void {
    const child = this.#child;
    if (this.pid === 0) return void child.once("error", () => listener({ code: null, signal: null }));
    // Why it ended comes over the channel, and on Deno behind its end at times (7 to 20 of 60 on a loaded machine), when
    // `connected` is false already. Behind "disconnect" nothing comes.
    let open = true;
    let end: ProcessEnd | null = null;
    const tell = (): void => {
      clearTimeout(late);
      if (end !== null) listener(end);
      end = null;
    };
    let late: ReturnType<typeof setTimeout> | undefined;
    child.once("disconnect", () => {
      open = false;
      tell();
    });
    child.once("exit", (code, signal) => {
      end = { code, signal };
      if (open) late = setTimeout(tell, LAST_WORDS);
      else tell();
    });
  }
}

// The child's side.

class ToStarter implements Channel {
  readonly #listeners: ((message: unknown) => void)[] = [];
  /** What came before there was a listener. */
  #early: unknown[] = [];

  /** Who waits for the sockets that were asked for. */
  readonly #asked = new Map<number, ((handle: unknown) => void)[]>();

  constructor() {
    // The starter may go before it has answered.
    process.once("disconnect", () => {
      for (const waiting of this.#asked.values()) for (const resolve of waiting) resolve(null);
    });
    process.on("message", (envelope, handle) => {
      if (deno !== undefined && process.connected) process.send!(ACKNOWLEDGED);
      const content = envelope as Envelope;
      if (typeof content === "number") this.#asked.get(content)?.shift()?.(handle);
      else if (this.#listeners.length === 0) this.#early.push(content[0]);
      else for (const listener of this.#listeners) listener(content[0]);
    });
  }

  send(message: unknown): Promise<void> {
    return tell([message]);
  }

  /** The `index`-th of the sockets that the starter gave; null: there is none. */
  async take(index: number): Promise<{ readonly handle: RawHandle } | { readonly fd: number } | null> {
    if (onBun !== null) return onBun.duplicate(FIRST_SOCKET + index);
    const handle = await new Promise<unknown>((resolve) => {
      this.#asked.set(index, [...this.#asked.get(index) ?? [], resolve]);
      if (process.connected) void tell(index);
      else resolve(null);
    });
    return handle instanceof Object ? { handle: handle as RawHandle } : null;
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#listeners.push(listener);
    const early = this.#early;
    this.#early = [];
    for (const message of early) listener(message);
  }

  onDisconnect(listener: () => void): void {
    let told = false;
    const tell = (): void => {
      clearInterval(looking);
      if (!told) listener();
      told = true;
    };
    // Deno does not always say it: where the master died while a message was on its way, "disconnect" never came (1 of 4).
    const looking = setInterval(() => {
      if (process.ppid !== starter) tell();
    }, LOOK);
    (looking as unknown as { unref(): void }).unref();
    if (process.connected) process.once("disconnect", tell);
    else queueMicrotask(tell);
  }
}

/** To nobody, when the other has gone: `disconnect` tells of that. */
function tell(envelope: Envelope): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(envelope, undefined, undefined, () => resolve());
    else resolve();
  });
}

class ToMaster extends ToStarter implements Parent {
  readonly reportTo = REPORTS;

  async socket(index: number): Promise<SharedHandle> {
    const taken = await this.take(index);
    if (taken !== null) return wrapShared(taken);
    throw new Error(`the master's socket ${index} cannot be had: too many open files, or there is no such socket`);
  }

  closeSockets(): void {
    onBun?.closeInherited();
  }
}

/** What this process was started as by another Tricorn. Forgets it, for the sake of this process's children. */
function takeRole(): readonly [role: string, starter: number] {
  const denied = deno?.permissions.querySync({ name: "env", variable: ROLE }).state;
  if ((denied ?? "granted") !== "granted") return ["", 0];
  const [role = "", pid] = (process.env[ROLE] ?? "").split(":");
  delete process.env[ROLE];
  return typeof process.send === "function" ? [role, Number(pid)] : ["", 0];
}

const [role, starter] = takeRole();

/** The way to the master, in a worker. */
export const parent: Parent | null = role === "worker" ? new ToMaster() : null;

const former = role === "master" ? new ToStarter() : null;

/** The way to the master that this one replaces. */
export const formerMaster: Channel | null = former;

/** The way to the process in the terminal that waits until this one, a daemon, serves. */
export const launcher: Channel | null = role === "daemon" ? new ToStarter() : null;

async function adoptFormer(bind: Bind, index: number): Promise<SharedSocket> {
  if (onBun !== null) return adopt(bind, FIRST_SOCKET + index);
  const taken = await former?.take(index);
  if (taken) return new BoundSocket(bind, taken);
  throw new ListenError("EOTHER", bind, "the former master has not passed it on");
}

/** Node, Deno and Bun. */
export const supervisor: Supervisor = {
  bind: bindSocket,
  adopt: adoptFormer,
  spawnWorker: (options) => start("worker", options),
  spawnMaster: (options) => start("master", options),
  spawnDaemon: () => start("daemon", { env: {}, sockets: [] }),
};
