// Deno.listen: sockets that are read and written by promises.

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
import { common, freeUnixPath, isExhaustion, listenError, setUnixMode, writeLatin1 } from "./shared.ts";

/** What an idle connection holds to read into; a busy one gets more. */
const SMALL_BUFFER = 4096;
const LARGE_BUFFER = 65_536;
/** Bytes in flight or queued with which a writer is told to wait. */
const HIGH_WATER = 65_536;
/** Up to this size a body is copied behind its head. */
const COPY_LIMIT = 16_384;
/** Small writes are encoded into buffers that are used again. */
const SCRATCH = 8192;
const SPARE_SCRATCHES = 64;

const spare: Uint8Array[] = [];
/** Microtasks; an application that awaits its input, and nothing else, takes some ten. */
const PATIENCE = 16;

const encoder = new TextEncoder();

class DenoConnection implements Connection {
  handler!: ConnectionHandler;
  readonly #conn: Deno.Conn;
  readonly #secure: boolean;
  readonly #onPlaintext: ListenOptions["onPlaintext"];
  /** What is being written now; null when the socket is free. */
  #writing: Uint8Array | null = null;
  #scratch: Uint8Array | null = null;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #drained: Promise<void> | null = null;
  #resolve: (() => void) | null = null;
  #ending = false;
  /** Both directions, as soon as all has gone. */
  #closing = false;
  #finished = false;
  #peerEnded = false;
  #closed = false;

  constructor(conn: Deno.Conn, secure: boolean, onPlaintext: ListenOptions["onPlaintext"]) {
    this.#conn = conn;
    this.#secure = secure;
    this.#onPlaintext = onPlaintext;
  }

  get remote(): Endpoint {
    return endpoint(this.#conn.remoteAddr);
  }

  get local(): Endpoint {
    return endpoint(this.#conn.localAddr);
  }

  get tls(): TlsInfo | null {
    return this.#secure ? {} : null;
  }

  write(head: string, body: Uint8Array | null): void | Promise<void> {
    if (this.#closed) return;
    if (body !== null && body.length > COPY_LIMIT) {
      // Copying a large body behind its head costs more than a second write.
      if (head !== "") this.write(head, null);
      if (this.#writing === null) {
        this.#send(body);
      } else {
        this.#queue.push(body);
        this.#queued += body.length;
      }
      return this.#full();
    }
    const length = head.length + (body === null ? 0 : body.length);
    if (this.#writing === null) {
      const small = length <= SCRATCH;
      const target = small ? spare.pop() ?? new Uint8Array(SCRATCH) : null;
      this.#scratch = target;
      this.#send(join(head, body, target, length));
    } else {
      this.#queue.push(join(head, body, null, length));
      this.#queued += length;
    }
    return this.#full();
  }

  /** The promise to wait for when too much waits already. */
  #full(): void | Promise<void> {
    if (this.#queued + this.#writing!.length >= HIGH_WATER) return this.#wait();
  }

  #send(bytes: Uint8Array): void {
    this.#writing = bytes;
    this.#conn.write(bytes).then(this.#wrote, this.#broke);
  }

  readonly #wrote = (count: number): void => {
    const bytes = this.#writing;
    // Destroyed since.
    if (bytes === null) return;
    if (count < bytes.length) {
      this.#send(bytes.subarray(count));
      return;
    }
    if (this.#scratch !== null) {
      if (spare.length < SPARE_SCRATCHES) spare.push(this.#scratch);
      this.#scratch = null;
    }
    this.#writing = null;
    if (this.#queue.length > 0) {
      const queue = this.#queue;
      const next = queue.length === 1 ? queue[0]! : Buffer.concat(queue, this.#queued);
      this.#queue = [];
      this.#queued = 0;
      this.#send(next);
      return;
    }
    if (this.#ending) this.#finish();
    this.#release();
  };

  readonly #broke = (): void => {
    this.#scratch = null;
    this.destroy();
  };

  end(both = false): void | Promise<void> {
    this.#ending = true;
    this.#closing = both && !this.#secure;
    if (this.#writing !== null) return this.#wait();
    this.#finish();
  }

  #finish(): void {
    if (this.#finished || this.#closed) return;
    this.#finished = true;
    if (this.#peerEnded || this.#closing) this.destroy();
    else this.#conn.closeWrite().catch(() => this.destroy());
  }

  /** There is no way to send a RST. */
  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // It was closed already.
    }
    this.#writing = null;
    this.#queue = [];
    this.#release();
    // Not within a call from the server: closed() is the last of its callbacks.
    queueMicrotask(() => this.handler.closed());
  }

  #wait(): Promise<void> {
    return this.#drained ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  #release(): void {
    const resolve = this.#resolve;
    this.#drained = this.#resolve = null;
    resolve?.();
  }

  async read(): Promise<void> {
    let buffer = new Uint8Array(SMALL_BUFFER);
    let shaken = !this.#secure;
    let patience = PATIENCE;
    try {
      for (;;) {
        const count = await this.#conn.read(buffer);
        if (count === null) break;
        shaken = true;
        const wait = this.handler.receive(buffer.subarray(0, count));
        if (wait !== undefined) await wait;
        // A read that is pending when the connection closes throws, which costs as much as half a request (measured): so a
        // connection's first request, which may be its only one, has some microtasks to be answered in.
        for (; patience > 0 && !this.#closing; patience--) await undefined;
        if (this.#closing) return;
        if (count === buffer.length && count < LARGE_BUFFER) buffer = new Uint8Array(LARGE_BUFFER);
        else if (count <= SMALL_BUFFER && buffer.length > SMALL_BUFFER) buffer = new Uint8Array(SMALL_BUFFER);
      }
    } catch (error) {
      // A reset, or our own destroy(), or a handshake that failed: either way the connection is over.
      if (!shaken && error instanceof Deno.errors.InvalidData && error.message.includes("InvalidContentType")) {
        this.#onPlaintext?.(this.remote.address);
      }
      this.destroy();
      return;
    }
    this.#peerEnded = true;
    this.handler.ended();
    if (this.#finished) this.destroy();
  }
}

/** `head` and `body` as bytes, in `target` when it has room. */
function join(head: string, body: Uint8Array | null, target: Uint8Array | null, length: number): Uint8Array {
  if (head === "" && body !== null && target === null) return body;
  const all = target ?? new Uint8Array(length);
  // encodeInto is the fastest encoder here, and right while all is ASCII: then it reads as much as it writes.
  const { read, written } = encoder.encodeInto(head, all);
  if (read !== head.length || written !== read) writeLatin1(all, head, 0);
  if (body !== null) all.set(body, head.length);
  return all.length === length ? all : all.subarray(0, length);
}

function endpoint(addr: Deno.Addr): Endpoint {
  if (!("hostname" in addr)) return { address: "", port: 0 };
  const host = addr.hostname;
  return { address: host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host, port: addr.port };
}

/** When a connection could not be accepted for want of descriptors, the last time; and for how long that is told. */
let exhaustedAt = -Infinity;
const EXHAUSTED_FOR = 1000;

async function acceptAll(
  listener: Deno.Listener,
  secure: boolean,
  accept: (connection: Connection) => ConnectionHandler,
  onPlaintext: ListenOptions["onPlaintext"],
): Promise<void> {
  for (;;) {
    let conn: Deno.Conn;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      if (isExhaustion(error)) exhaustedAt = performance.now();
      // A client that reset before we accepted is nobody's fault; out of descriptors, a pause lets some be closed.
      if (!(error instanceof Deno.errors.NotConnected)) await new Promise((resolve) => setTimeout(resolve, 10));
      continue;
    }
    try {
      (conn as Deno.TcpConn).setNoDelay?.(true);
    } catch {
      // It has gone already; the first read will tell.
    }
    const connection = new DenoConnection(conn, secure, onPlaintext);
    connection.handler = accept(connection);
    void connection.read();
  }
}

async function listen(
  bind: Bind,
  options: ListenOptions,
  accept: (connection: Connection) => ConnectionHandler,
): Promise<Listener> {
  if (bind.kind === "fd") throw new TypeError("adapters/runtime.ts listens on file descriptors by node:net");
  if (bind.kind === "unix") await freeUnixPath(bind);
  const { tls, backlog: tcpBacklog } = options;
  if (tls?.requestClientCert) throw new TypeError("adapters/runtime.ts asks for client certificates by node:tls");
  let listener: Deno.Listener;
  try {
    if (bind.kind === "unix") {
      listener = Deno.listen({ transport: "unix", path: bind.path }) as unknown as Deno.Listener;
      setUnixMode(bind);
    } else {
      const address = { hostname: bind.host, port: bind.port, tcpBacklog };
      listener = tls === undefined
        ? Deno.listen(address)
        : Deno.listenTls({ ...address, cert: tls.cert, key: tls.key, alpnProtocols: ["http/1.1"] }) as Deno.Listener;
    }
  } catch (error) {
    throw listenError(bind, error);
  }
  const accepting = acceptAll(listener, tls !== undefined, accept, options.onPlaintext);
  return {
    bind: bind.kind === "tcp" ? { ...bind, port: (listener.addr as Deno.NetAddr).port } : bind,
    async close() {
      listener.close();
      await accepting;
    },
  };
}

/** Deno. */
export const runtime: Runtime = {
  ...common,
  name: "deno",
  version: Deno.version.deno,
  reusesReadBuffers: true,
  cheapSignals: true,
  // What node:net accepts tells nothing here, either. Without the permission Deno would ask for it.
  outOfDescriptors: () =>
    performance.now() - exhaustedAt < EXHAUSTED_FOR ||
    Deno.permissions.querySync({ name: "read", path: "/dev/null" }).state === "granted" && common.outOfDescriptors(),
  listen,
};
