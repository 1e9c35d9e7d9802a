// The ONE interface between Tricorn and a runtime. An adapter moves bytes and knows no policy: no HTTP, no timeouts, no
// limits. The rule of back-pressure is the same in both directions: a returned promise means "wait for it".

import type { TlsInfo } from "../esgi/environ.ts";

/** The protocols by which web servers pass requests on, beside HTTP. */
export type GatewayName = "uwsgi" | "fastcgi" | "scgi";

/** An address to listen on. */
export type Bind =
  & (
    | { readonly kind: "tcp"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string; readonly mode?: number }
    | { readonly kind: "fd"; readonly fd: number }
  )
  // What the server speaks there, where it is not HTTP; to an adapter it is all bytes.
  & { readonly protocol?: GatewayName };

/** One end of a connection. */
export interface Endpoint {
  /** An IP address without brackets or zone; "" on a unix socket, or when the peer had left before it could be asked. */
  readonly address: string;
  /** 0 where `address` is "". */
  readonly port: number;
}

/** An accepted connection, as the server uses it and an adapter implements it. */
export interface Connection {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** Null on a connection without TLS. */
  readonly tls: TlsInfo | null;
  /** A few kilobytes are cheaper to `write` within `head` than as `body`. Default: false. */
  readonly prefersText?: boolean;
  /**
   * Sends `head` (a string in which each character is one byte), then `body`, as one unit and in as few system calls as
   * the runtime allows. Both are taken whole, whatever the peer takes now. A promise means that too much is waiting: it
   * settles when more may be written, or when the connection has closed; it never rejects.
   */
  write(head: string, body: Uint8Array | null): void | Promise<void>;
  /**
   * Sends what is waiting, then FIN. No write may follow. Reading goes on until the peer's FIN, then `closed()` follows.
   * The promise, when there is one, settles when nothing waits any more; it never rejects.
   *
   * @param both the peer sends nothing any more: reading may end too, and `closed()` follow, without its FIN. What it
   *   sends all the same may cost it the end of what it was sent
   */
  end(both?: boolean): void | Promise<void>;
  /**
   * Closes both directions at once; what is waiting may be lost. `closed()` follows. May be called again.
   *
   * @param reset with a RST, where runtime and socket have one: the peer would take a FIN for the end of what it was sent.
   *   What it has not read yet may be lost, too
   */
  destroy(reset?: boolean): void;
}

/** What the server makes of a connection; the adapter calls it. */
export interface ConnectionHandler {
  /**
   * Bytes arrived. The promise, when there is one, means: stop reading until it settles (it never rejects). `chunk` may
   * be kept only when the adapter's `reusesReadBuffers` is false; else it is valid until this returns or settles.
   */
  receive(chunk: Uint8Array): void | Promise<void>;
  /** The peer sent FIN: no more bytes come, but it may still read. */
  ended(): void;
  /** The connection is gone, for whatever reason. Called once, last. */
  closed(): void;
}

/** TLS for a listener; PEM texts. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  /** Certificate authorities for client certificates. */
  readonly ca?: string;
  /** Refuse clients without a certificate that `ca` signed. */
  readonly requestClientCert?: boolean;
}

export interface ListenOptions {
  /** The length of the kernel's queue; a runtime that fixes it uses its own. */
  readonly backlog: number;
  readonly tls?: TlsOptions;
  /** The master's socket to accept on; `bind` tells what it is bound to. */
  readonly shared?: SharedHandle;
  /** Bind with SO_REUSEPORT, so that each process has a socket of its own. */
  readonly reusePort?: boolean;
  /** With TLS: told of a peer that does not speak it, most often of plain HTTP, with its address, or "" when that is not known. */
  readonly onPlaintext?: (remote: string) => void;
}

/** A socket that a master owns and a worker listens on, in whatever form the runtime hands it from process to process. */
export type SharedHandle = { readonly brand: "SharedHandle" };

/** A listening socket. */
export interface Listener {
  /** What is listened on, with the port that the kernel gave. */
  readonly bind: Bind;
  /** Stops accepting and releases the address; connections stay. Resolves when the socket is closed. */
  close(): Promise<void>;
}

/** What a runtime gives to the server. */
export interface Runtime {
  readonly name: "node" | "deno" | "bun" | "memory";
  readonly version: string;
  /** True when chunks given to `receive` are overwritten by the next read. */
  readonly reusesReadBuffers: boolean;
  /** True where making an AbortSignal costs less than an accessor that makes it on demand (measured: Deno). */
  readonly cheapSignals: boolean;
  /** `bytes[start..end)` as a string with one character a byte. */
  latin1(bytes: Uint8Array, start: number, end: number): string;
  /** The length of `text` in UTF-8 (lone surrogates count as U+FFFD). */
  utf8Length(text: string): number;
  /**
   * Listens. `accept` is called for each connection, and answers with its handler.
   *
   * @throws {ListenError} when the address cannot be had.
   */
  listen(bind: Bind, options: ListenOptions, accept: (connection: Connection) => ConnectionHandler): Promise<Listener>;
  /**
   * Says before anybody listens whether there is SO_REUSEPORT for `bind`.
   *
   * @throws {ListenError} when it would be ignored in silence, or not share the load.
   */
  checkReusePort(bind: Bind): void;
  /** Calls `callback` once, as soon as the input that has arrived by now has been handled. */
  soon(callback: () => void): void;
  /**
   * True while the system gives this process no more descriptors (RLIMIT_NOFILE), so that it can accept nobody; false
   * where that cannot be seen.
   */
  outOfDescriptors(): boolean;
  /** Calls `callback` each `milliseconds`, without keeping the process alive; returns what stops it. */
  every(milliseconds: number, callback: () => void): () => void;
}

/** Why an address cannot be listened on, in the system's terms. `ENOTSUP`: not with SO_REUSEPORT. */
export type ListenFault = "EADDRINUSE" | "EACCES" | "EADDRNOTAVAIL" | "ENOTFOUND" | "ENOTSUP" | "EOTHER";

/** An address could not be listened on. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly fault: ListenFault;
  readonly bind: Bind;

  constructor(fault: ListenFault, bind: Bind, reason: string) {
    super(`cannot listen on ${formatBind(bind)}: ${reason}`);
    this.fault = fault;
    this.bind = bind;
  }
}

/** A bind as it is written on the command line, without its protocol: one address is one socket, whatever is spoken. */
export function formatBind(bind: Bind): string {
  if (bind.kind === "unix") return `unix:${bind.path}`;
  if (bind.kind === "fd") return `fd://${bind.fd}`;
  return `${bind.host.includes(":") ? `[${bind.host}]` : bind.host}:${bind.port}`;
}

/** Where a listener is reached. An address that means all addresses stays: it is what was asked for. */
export function urlOf(bind: Bind, tls: boolean): string {
  if (bind.protocol !== undefined) return `${bind.protocol}://${formatBind(bind)}`;
  return bind.kind === "tcp" ? `${tls ? "https" : "http"}://${formatBind(bind)}` : formatBind(bind);
}

// What a master and its workers need of the system. One implementation serves all runtimes (adapters/supervisor.ts).

/** A socket that is bound, and owned by the master: it never accepts on it. It lives until the master closes it. */
export interface SharedSocket {
  /** With the port that the kernel gave. */
  readonly bind: Bind;
  /** Closes the master's end; `unlink` removes the path of a unix socket that the master made. */
  close(unlink: boolean): void;
}

/** How a process ended: its exit code, or the signal that killed it. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A child as its master sees it. */
export interface ChildProcessHandle {
  /** 0 when the process could not be started; then `onExit` follows. */
  readonly pid: number;
  /** Sends a message; false when the child has gone. */
  send(message: unknown): boolean;
  kill(signal: string): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called with what the child's watchdog thread wrote when the child's event loop was stuck. */
  onReport(listener: (report: unknown) => void): void;
  /** Called once, when the child has ended and was reaped. */
  onExit(listener: (end: ProcessEnd) => void): void;
}

export interface SpawnOptions {
  /** Variables of the environment that the child has beside, or instead of, the master's. Null: it does not have it. */
  readonly env: Readonly<Record<string, string | null>>;
  /**
   * What a worker may ask for by {@link Parent.socket}, and a further master by {@link Supervisor.adopt}, by their place
   * here.
   */
  readonly sockets: readonly SharedSocket[];
}

/** A child cannot be started; the message names the remedy. */
export class SpawnError extends Error {
  override readonly name = "SpawnError";
}

/** What a master needs of the system. */
export interface Supervisor {
  /**
   * Binds `bind` for workers to listen on. The path of a stale unix socket is removed first.
   *
   * @throws {ListenError} when the address cannot be had.
   */
  bind(bind: Bind, options: { readonly backlog: number }): Promise<SharedSocket>;
  /**
   * Takes over the `index`-th of the sockets that the former master passed on; `bind` tells what it is bound to.
   *
   * @throws {ListenError} when there is none.
   */
  adopt(bind: Bind, index: number): Promise<SharedSocket>;
  /**
   * Starts this very program again, with the words of its command line and where it was started, as a child that finds a
   * {@link Parent}.
   *
   * @throws {SpawnError} when the runtime may not start processes.
   */
  spawnWorker(options: SpawnOptions): ChildProcessHandle;
  /**
   * Starts this very program again as a master of its own, in a session of its own: it outlives this one, and takes
   * `sockets` over. It finds a {@link Channel} to this one.
   *
   * @throws {SpawnError} when the runtime may not start processes.
   */
  spawnMaster(options: SpawnOptions): ChildProcessHandle;
  /** Starts this very program again in a session of its own, without a terminal: its standard streams are /dev/null. */
  spawnDaemon(): ChildProcessHandle;
}

/** A way to the process that started this one. */
export interface Channel {
  /** Sends a message; to nobody when the other has gone. Settles when it is on its way or lost; never rejects. */
  send(message: unknown): Promise<void>;
  /** Messages that came before there was a listener are kept for it. */
  onMessage(listener: (message: unknown) => void): void;
  /** The other has gone, even by SIGKILL. */
  onDisconnect(listener: () => void): void;
}

/** A worker's way to its master. */
export interface Parent extends Channel {
  /**
   * The descriptor that {@link ChildProcessHandle.onReport} reads: one JSON value a line. A thread writes to it with
   * `new net.Socket({ fd, readable: false, writable: true })`; Deno's threads cannot `fs.writeSync` to it.
   */
  readonly reportTo: number;
  /** The `index`-th of the sockets that the master shares, to listen on. Each call gives a handle of its own. */
  socket(index: number): Promise<SharedHandle>;
  /**
   * Gives up what this process holds of them beside its listeners; {@link socket} must not be called again. A socket lives
   * as long as somebody has it, and what comes to one that nobody accepts on is lost.
   */
  closeSockets(): void;
}

/** Watches over the event loop of a worker from a thread of its own, and notes which requests run. */
export interface Watchdog {
  /** The event loop turned. To be called about once a second. */
  beat(): void;
  /** A request has begun; returns what `end` is told, an integer from 0. Only the beginning of a long target is kept. */
  begin(method: string, target: string): number;
  /** The request that got `slot` has ended. May be called again. */
  end(slot: number): void;
  /** Ends the thread. */
  close(): void;
}

export interface WatchdogOptions {
  /** Milliseconds without a `beat` after which a report is made; a second and a half more may pass. */
  readonly timeout: number;
  /** The descriptor to which a report is written, as one line of JSON: {@link Parent.reportTo}. */
  readonly report: number;
  /** Called at most once, when there is no watching: the thread could not start, or has ended. */
  readonly onProblem?: (message: string) => void;
}

// How `tricorn ctl` and a master talk: text over a unix socket. One implementation serves all runtimes
// (adapters/control_socket.ts).

/** One end of a conversation with another process of this machine. Text is UTF-8 on the way. */
export interface LocalChannel {
  /** Sends `text`. The promise settles when it has gone or the channel has closed; it never rejects. */
  write(text: string): Promise<void>;
  /** Closes when all has gone that was written. The promise settles then; it never rejects. */
  end(): Promise<void>;
}

/** What a process makes of its end of a {@link LocalChannel}. */
export interface LocalHandler {
  /** Text arrived, in pieces of any size. The promise, when there is one, means: read no more until it settles. */
  receive(text: string): void | Promise<void>;
  /** The channel is gone, for whatever reason. Called once, last. */
  closed(): void;
}

/** A unix socket that is listened on. */
export interface LocalListener {
  /** Ends all channels, and removes the path, unless it is another process's by now. */
  close(): void;
}

export interface LocalSockets {
  /**
   * Listens on the unix socket `path`, which is never, not even while it is made, open to more than `mode` says. The
   * folder is made, with mode 0700, when only the last part of its path is missing. A socket that nobody listens on is
   * replaced; one that another process listens on only with `takeOver`.
   *
   * @throws {ListenError} when it cannot be had.
   */
  listenLocal(
    path: string,
    options: { readonly mode: number; readonly takeOver: boolean },
    accept: (channel: LocalChannel) => LocalHandler,
  ): Promise<LocalListener>;
  /**
   * Connects to the unix socket `path`.
   *
   * @throws {Error} whose message is the reason, in a few words.
   */
  connectLocal(path: string, open: (channel: LocalChannel) => LocalHandler): Promise<void>;
}

/** What a CGI program (RFC 3875) has of the web server that started it. One implementation serves all runtimes (adapters/cgi.ts). */
export interface CgiStreams {
  /**
   * The environment that the process was started with, in strings that have one character a byte. On Deno what is not
   * UTF-8 is left out, unless all is allowed; elsewhere where the system has no /proc, it is garbled.
   *
   * @throws {Error} where Deno may not read the environment.
   */
  readonly environment: () => readonly (readonly [name: string, value: string])[];
  /**
   * Makes standard input and output a connection; what is written by `console.log` goes to standard error from now on. At
   * most `length` bytes are read, which counts as the peer's FIN; `ended()` means that there were fewer. `closed()` comes
   * by itself when the web server has closed standard output. Until then the process stays alive.
   */
  readonly open: (length: number, accept: (connection: Connection) => ConnectionHandler) => void;
}

/** What the commands need of the process around them. One implementation serves all runtimes (adapters/process.ts). */
export interface Host {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly pid: number;
  /** True when standard error is a terminal. */
  readonly isTty: boolean;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Opens a file for appending. Throws what the system says. */
  openLog(path: string): LogFile;
  readText(path: string): string;
  /** Imports a module by path or package name, relative to `cwd`. */
  importModule(specifier: string): Promise<Record<string, unknown>>;
  /** Calls `listener` on each `signal` ("SIGTERM"), instead of what the system would do. */
  onSignal(signal: string, listener: () => void): void;
  /** Calls `listener` with what nothing else caught. */
  onUncaught(listener: (error: unknown) => void): void;
  exit(code: number): never;
}

/** An append-only text file. */
export interface LogFile {
  write(text: string): void;
  /** Closes and opens the path again, for logrotate. */
  reopen(): void;
}
