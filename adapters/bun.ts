// Bun.listen: raw sockets whose write() tells at once how much was taken.

import { Buffer } from "node:buffer";
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

// What is used of Bun's own types. They are declared here because bun-types declares fetch and the streams anew, for every
// file that is checked beside it, and because who uses Tricorn may not have them.
interface Socket<Data> {
  data: Data | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number;
  write(bytes: Uint8Array, offset: number, length: number): number;
  end(): void;
  shutdown(): void;
  close(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

interface SocketHandler<Data> {
  open(socket: Socket<Data>): void;
  data(socket: Socket<Data>, chunk: Uint8Array): void;
  drain(socket: Socket<Data>): void;
  end(socket: Socket<Data>): void;
  close(socket: Socket<Data>): void;
  handshake(socket: Socket<Data>, success: boolean, error: Error | null): void;
  error(socket: Socket<Data>): void;
}

interface BunApi {
  readonly version: string;
  listen<Data>(
    options: { readonly socket: SocketHandler<Data>; readonly [name: string]: unknown },
  ): { readonly port: number; stop(closeConnections: boolean): void };
}

const { Bun } = globalThis as unknown as { Bun: BunApi };

/** Head and body are put together here: one write is one system call, and it returns before the next one begins. */
const scratch = Buffer.allocUnsafe(128 * 1024);
/** After so many bytes that the kernel took at once, others get their turn of the event loop. */
const BURST = 1024 * 1024;

class BunConnection implements Connection {
  handler!: ConnectionHandler;
  readonly #socket: Socket<BunConnection>;
  readonly #secure: boolean;
  #queue: Uint8Array[] | null = null;
  #drained: Promise<void> | null = null;
  #resolve: (() => void) | null = null;
  #ending = false;
  /** Both directions, as soon as all has gone. */
  #closing = false;
  #burst = 0;
  /** A write failed; `close` is on its way. */
  #broken = false;
  #closed = false;
  peerEnded = false;

  constructor(socket: Socket<BunConnection>, secure: boolean) {
    this.#socket = socket;
    this.#secure = secure;
  }

  get remote(): Endpoint {
    return endpoint(this.#socket.remoteAddress, (this.#socket as { remotePort?: number }).remotePort);
  }

  get local(): Endpoint {
    return endpoint((this.#socket as { localAddress?: string }).localAddress, this.#socket.localPort);
  }

  get tls(): TlsInfo | null {
    if (!this.#secure) return null;
    const socket = this.#socket as unknown as {
      getTLSVersion?(): string;
      getServername?(): string;
      getPeerX509Certificate?(): { toString(): string } | undefined;
    };
    const protocol = socket.getTLSVersion?.();
    const serverName = socket.getServername?.();
    const certificate = socket.getPeerX509Certificate?.()?.toString();
    return {
      ...(protocol ? { protocol } : {}),
      ...(serverName ? { serverName } : {}),
      ...(certificate ? { peerCertificate: certificate } : {}),
    };
  }

  write(head: string, body: Uint8Array | null): void | Promise<void> {
    if (this.#closed) return;
    const bodyLength = body === null ? 0 : body.length;
    const length = head.length + bodyLength;
    if (length <= scratch.length) {
      writeLatin1(scratch, head, 0);
      if (body !== null) scratch.set(body, head.length);
      this.#put(scratch, length, true);
    } else {
      if (head !== "") this.#put(Buffer.from(head, "latin1"), head.length, false);
      if (body !== null) this.#put(body, bodyLength, false);
    }
    // Whoever writes on and on, in microtasks alone, would keep `close` and every other event from being told.
    if (this.#queue !== null || this.#broken) return this.#wait();
    if ((this.#burst += length) > BURST) {
      this.#burst = 0;
      return new Promise((resolve) => setImmediate(resolve));
    }
  }

  #put(bytes: Uint8Array, length: number, reused: boolean): void {
    if (length === 0) return;
    let taken = 0;
    if (this.#queue === null) {
      taken = this.#socket.write(bytes, 0, length);
      if (taken === length) return;
      if (taken < 0) {
        this.#broken = true;
        return;
      }
    }
    const rest = bytes.subarray(taken, length);
    // Not slice(): that of a Buffer copies nothing.
    (this.#queue ??= []).push(reused ? new Uint8Array(rest) : rest);
  }

  end(both = false): void | Promise<void> {
    this.#ending = true;
    this.#closing = both;
    if (this.#queue !== null) return this.#wait();
    this.finish();
  }

  destroy(reset = false): void {
    // terminate() sends a RST.
    if (reset) this.#socket.terminate();
    else this.#socket.close();
  }

  /** The kernel has room again. */
  flush(): void {
    const queue = this.#queue;
    if (queue === null) return;
    while (queue.length > 0) {
      const next = queue[0]!;
      const taken = this.#socket.write(next, 0, next.length);
      if (taken < 0) break;
      if (taken < next.length) {
        queue[0] = next.subarray(taken);
        return;
      }
      queue.shift();
    }
    this.#queue = null;
    if (this.#ending) this.finish();
    this.drained();
  }

  /** Our FIN; when the peer's was there before, the end of the connection. */
  finish(): void {
    if (!this.#ending || this.#queue !== null) return;
    if (this.peerEnded || this.#closing) this.#socket.end();
    else this.#socket.shutdown();
  }

  closed(): void {
    this.#closed = true;
    this.drained();
    this.handler.closed();
  }

  drained(): void {
    const resolve = this.#resolve;
    this.#drained = this.#resolve = null;
    resolve?.();
  }

  #wait(): Promise<void> {
    return this.#drained ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}

/** What BoringSSL says of a peer that does not speak TLS. */
const NO_TLS = /HTTP_REQUEST|WRONG_VERSION_NUMBER/;

function endpoint(address: string | undefined, port: number | undefined): Endpoint {
  if (!address) return { address: "", port: 0 };
  return {
    address: address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address,
    port: port ?? 0,
  };
}

function handlers(
  accept: (connection: Connection) => ConnectionHandler,
  secure: boolean,
  unix: boolean,
  onPlaintext: ListenOptions["onPlaintext"],
): SocketHandler<BunConnection> {
  return {
    open(socket) {
      if (!unix && !socket.remoteAddress) {
        // Reset before it was accepted. Without an address it would pass for a peer on a unix socket, which is trusted.
        socket.terminate();
        return;
      }
      const connection = new BunConnection(socket, secure);
      socket.data = connection;
      connection.handler = accept(connection);
    },
    data(socket, chunk) {
      const wait = socket.data?.handler.receive(chunk);
      if (wait !== undefined) {
        socket.pause();
        wait.then(() => socket.resume());
      }
    },
    drain(socket) {
      socket.data?.flush();
    },
    end(socket) {
      const connection = socket.data;
      if (connection === undefined) return;
      connection.peerEnded = true;
      connection.handler.ended();
      connection.finish();
    },
    close(socket) {
      socket.data?.closed();
    },
    handshake(socket, success, error) {
      if (!success && error !== null && NO_TLS.test(error.message)) {
        onPlaintext?.(endpoint(socket.remoteAddress, 0).address);
      }
    },
    // Without it an exception in a handler ends the process; `close` follows, and is all that the server needs to know.
    error(socket) {
      socket.terminate();
    },
  };
}

async function listen(
  bind: Bind,
  options: ListenOptions,
  accept: (connection: Connection) => ConnectionHandler,
): Promise<Listener> {
  if (bind.kind === "fd") throw new TypeError("adapters/runtime.ts listens on file descriptors by node:net");
  const { tls, shared, reusePort = false } = options;
  if (reusePort) checkReusePort(bind);
  if (bind.kind === "unix" && shared === undefined) await freeUnixPath(bind);
  try {
    const listener = Bun.listen<BunConnection>({
      ...(shared !== undefined
        ? unwrapShared(shared)
        : bind.kind === "unix"
        ? { unix: bind.path }
        : { hostname: bind.host, port: bind.port, reusePort }),
      allowHalfOpen: true,
      socket: handlers(accept, tls !== undefined, bind.kind === "unix", options.onPlaintext),
      ...(tls === undefined ? {} : {
        tls: {
          cert: tls.cert,
          key: tls.key,
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          requestCert: tls.requestClientCert ?? false,
          rejectUnauthorized: tls.requestClientCert ?? false,
          // As RFC 7301 §3.1 sends it; Bun takes a string for these very bytes, and without its length refuses all clients.
          ALPNProtocols: "\x08http/1.1",
        },
      }),
    });
    if (bind.kind === "unix" && shared === undefined) setUnixMode(bind);
    return {
      bind: bind.kind === "tcp" && shared === undefined ? { ...bind, port: listener.port } : bind,
      close() {
        listener.stop(false);
        return Promise.resolve();
      },
    };
  } catch (error) {
    throw listenError(bind, error);
  }
}

/** Bun. */
export const runtime: Runtime = {
  ...common,
  name: "bun",
  version: Bun.version,
  reusesReadBuffers: false,
  cheapSignals: false,
  listen,
};
