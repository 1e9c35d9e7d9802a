// node:net, for Node; and on Deno and Bun for what their own sockets cannot do (adapters/runtime.ts).

import { Buffer } from "node:buffer";
import * as net from "node:net";
import process from "node:process";
import * as tls from "node:tls";
import type { TlsInfo } from "../src/esgi/environ.ts";
import type {
  Bind,
  Connection,
  ConnectionHandler,
  Endpoint,
  Listener,
  ListenOptions,
  Runtime,
} from "../src/runtime/port.ts";
import { checkReusePort, common, freeUnixPath, listenError, setUnixMode, unwrapShared, writeLatin1 } from "./shared.ts";

/** Up to this size a body is copied behind its head: one buffer is cheaper to write than two. */
const COPY_LIMIT = 2048;
const HANDSHAKE_TIMEOUT = 30_000;
/** What is said of a peer that does not speak TLS; Deno knows the second only. */
const NO_TLS: ReadonlySet<string> = new Set(["ERR_SSL_HTTP_REQUEST", "ERR_SSL_WRONG_VERSION_NUMBER"]);

const CONNECTION = Symbol("tricorn.connection");
type TricornSocket = net.Socket & { [CONNECTION]: NodeConnection };

class NodeConnection implements Connection {
  handler!: ConnectionHandler;
  readonly #socket: net.Socket;
  #drained: Promise<void> | null = null;
  #resolve: (() => void) | null = null;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  get remote(): Endpoint {
    return { address: bare(this.#socket.remoteAddress), port: this.#socket.remotePort ?? 0 };
  }

  get local(): Endpoint {
    return { address: bare(this.#socket.localAddress), port: this.#socket.localPort ?? 0 };
  }

  get tls(): TlsInfo | null {
    const socket = this.#socket;
    if (!(socket instanceof tls.TLSSocket)) return null;
    const protocol = socket.getProtocol?.() ?? null;
    const serverName = (socket as unknown as { servername?: string | false }).servername;
    const certificate = socket.authorized ? socket.getPeerX509Certificate?.()?.toString() : undefined;
    return {
      ...(protocol ? { protocol } : {}),
      ...(serverName ? { serverName } : {}),
      ...(certificate ? { peerCertificate: certificate } : {}),
    };
  }

  /** A string goes to the kernel without a buffer of its own; on Deno, too, where latin1Write is slow. */
  get prefersText(): boolean {
    return true;
  }

  write(head: string, body: Uint8Array | null): void | Promise<void> {
    const socket = this.#socket;
    if (body === null) {
      socket.write(head, "latin1");
    } else if (head === "") {
      socket.write(body);
    } else if (body.length <= COPY_LIMIT) {
      const all = Buffer.allocUnsafe(head.length + body.length);
      writeLatin1(all, head, 0);
      all.set(body, head.length);
      socket.write(all);
    } else {
      socket.cork();
      socket.write(head, "latin1");
      socket.write(body);
      socket.uncork();
    }
    if (socket.writableNeedDrain && !socket.destroyed) return this.#wait();
  }

  end(both = false): void | Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return;
    const waiting = socket.writableLength > 0;
    // With TLS something may wait that is not known here.
    if (both && !waiting && !(socket instanceof tls.TLSSocket)) socket.destroy();
    else socket.end();
    if (waiting) return this.#wait();
  }

  destroy(reset = false): void {
    const socket = this.#socket;
    // Only TCP has a RST; with TLS its own end, close_notify, is missing.
    const possible = socket.remoteAddress !== undefined && !(socket instanceof tls.TLSSocket);
    if (reset && possible) socket.resetAndDestroy();
    else socket.destroy();
  }

  #wait(): Promise<void> {
    return this.#drained ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Everything that was written has gone, or never will. */
  drained(): void {
    const resolve = this.#resolve;
    this.#drained = this.#resolve = null;
    resolve?.();
  }
}

/** Without a zone, and IPv4 as IPv4 where it came to an IPv6 socket. */
function bare(address: string | undefined): string {
  if (address === undefined) return "";
  const zone = address.indexOf("%");
  const plain = zone < 0 ? address : address.slice(0, zone);
  return plain.startsWith("::ffff:") && plain.includes(".") ? plain.slice(7) : plain;
}

// One set of listeners for all sockets: five closures a connection would be most of its memory.
function onData(this: TricornSocket, chunk: Uint8Array): void {
  const wait = this[CONNECTION].handler.receive(chunk);
  if (wait !== undefined) {
    this.pause();
    wait.then(() => this.resume());
  }
}
function onEnd(this: TricornSocket): void {
  this[CONNECTION].handler.ended();
}
function onDrain(this: TricornSocket): void {
  this[CONNECTION].drained();
}
function onClose(this: TricornSocket): void {
  this[CONNECTION].drained();
  this[CONNECTION].handler.closed();
}
function onError(): void {
  // "close" follows, and is all that the server needs to know.
}

function attach(socket: net.Socket, accept: (connection: Connection) => ConnectionHandler, unix: boolean): void {
  if (!unix && socket.remoteAddress === undefined) {
    // Reset before it was accepted. Without an address it would pass for a peer on a unix socket, which is trusted.
    socket.on("error", onError);
    socket.destroy();
    return;
  }
  const connection = new NodeConnection(socket);
  (socket as TricornSocket)[CONNECTION] = connection;
  socket.on("error", onError);
  connection.handler = accept(connection);
  socket.on("data", onData);
  socket.on("end", onEnd);
  socket.on("drain", onDrain);
  socket.on("finish", onDrain);
  socket.on("close", onClose);
}

/** Listens with node:net or node:tls. */
export async function listen(
  bind: Bind,
  options: ListenOptions,
  accept: (connection: Connection) => ConnectionHandler,
): Promise<Listener> {
  let unix = bind.kind === "unix";
  const onSocket = (socket: net.Socket): void => attach(socket, accept, unix);
  const shared = { allowHalfOpen: true, noDelay: true };
  let server: net.Server;
  if (options.tls === undefined) {
    server = net.createServer(shared, onSocket);
  } else {
    const { cert, key, ca, requestClientCert = false } = options.tls;
    try {
      server = tls.createServer({
        ...shared,
        cert,
        key,
        ...(ca === undefined ? {} : { ca }),
        requestCert: requestClientCert,
        rejectUnauthorized: requestClientCert,
        ALPNProtocols: ["http/1.1"],
        handshakeTimeout: HANDSHAKE_TIMEOUT,
      }, onSocket);
    } catch (error) {
      throw listenError(bind, error);
    }
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket: tls.TLSSocket) => {
      if (NO_TLS.has(error.code ?? "")) options.onPlaintext?.(bare(socket.remoteAddress));
    });
  }
  const { backlog, reusePort = false } = options;
  if (reusePort) checkReusePort(bind);
  const inside = options.shared === undefined ? null : unwrapShared(options.shared);
  if (bind.kind === "unix" && inside === null) await freeUnixPath(bind);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(bind, error)));
    if (inside !== null) server.listen("handle" in inside ? inside.handle : inside, backlog, resolve);
    else if (bind.kind === "tcp") server.listen({ host: bind.host, port: bind.port, backlog, reusePort }, resolve);
    else if (bind.kind === "unix") server.listen({ path: bind.path, backlog }, resolve);
    else server.listen({ fd: bind.fd }, resolve);
  });
  server.on("error", onError);
  if (bind.kind === "unix" && inside === null) setUnixMode(bind);
  const address = server.address();
  // An inherited unix socket has none, or (on Bun) an empty one.
  unix = typeof address !== "object" || address?.port === undefined;
  return {
    bind: bind.kind === "tcp" && typeof address === "object" && address !== null
      ? { ...bind, port: address.port }
      : bind,
    close: () =>
      new Promise((resolve) => {
        // The callback waits for connections, which is not this promise's business.
        server.close();
        setImmediate(resolve);
      }),
  };
}

/** Node. */
export const runtime: Runtime = {
  ...common,
  name: "node",
  version: process.versions.node,
  reusesReadBuffers: false,
  cheapSignals: false,
  listen,
};
