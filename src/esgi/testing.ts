// Calls applications without a socket, for tests: makes environs with right defaults, plays the server's part, and
// collects the reply. It is strict where a server would only log: an application that breaks its own Content-Length
// makes `call` reject. What a network does to a message is not here; test that with a server.

import type { Application } from "./application.ts";
import type { Chunk, Duplex, Upgraded } from "./body.ts";
import type { Environ, ErrorStream, Header, Headers, TlsInfo } from "./environ.ts";
import { InputBuffer, InputError } from "./input.ts";
import { ReplyBody, replyBody, ReplyHead, show } from "./reply.ts";
import { makeRequestEnviron } from "./request.ts";

export { ESGIViolation, validator } from "./validator.ts";
export type { ValidatorOptions } from "./validator.ts";

/** What a request body can be made from. Streams and iterables are sent chunked, the others with a Content-Length. */
export type RequestBody =
  | Chunk
  | Iterable<Chunk>
  | AsyncIterable<Chunk>
  | ReadableStream<Uint8Array>
  | URLSearchParams
  | FormData
  | Blob
  | null;

/** A request, as far as it is not the usual one. */
export interface EnvironOptions {
  /** Default "GET", or "POST" when there is a body. */
  readonly method?: string;
  /**
   * Path with query, or a whole URL, which also tells scheme and host; default "/". What a target cannot hold is
   * percent-encoded: `/café?q=ü` will do.
   */
  readonly path?: string;
  /** The request-target, byte for byte, instead of `path`: `*`, `//a`, `http://other/`. */
  readonly target?: string;
  /** Added to the path's query. */
  readonly query?: string | URLSearchParams | Readonly<Record<string, string>>;
  /** Fields; they win over those that are added: Host, Content-Type, Content-Length or Transfer-Encoding. */
  readonly headers?: Headers | Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** A body: this value as JSON, with its Content-Type. */
  readonly json?: unknown;
  /** Trailer fields after the body. */
  readonly trailers?: Headers;
  /** Default "http". */
  readonly scheme?: "http" | "https";
  /** Where the application is mounted; default "". A path that is not below it is put below it. */
  readonly scriptName?: string;
  /** Default "HTTP/1.1". */
  readonly protocol?: "HTTP/1.0" | "HTTP/1.1";
  /** The client; default 127.0.0.1, port 50000. */
  readonly remote?: { readonly address: string; readonly port?: number };
  /** Protocols to offer, for example `["websocket"]`: adds Connection, Upgrade and `esgi.upgrade`. */
  readonly upgrade?: readonly string[];
  /** `esgi.tls`; with scheme "https" the default is `{}`. */
  readonly tls?: TlsInfo;
  /** The client leaves when this is aborted: the input breaks off, and `call` closes the body. */
  readonly signal?: AbortSignal;
  /** Keys to set last. */
  readonly environ?: Readonly<Record<string, unknown>>;
}

/** How {@link call} behaves, besides the request. */
export interface CallOptions extends EnvironOptions {
  /** The client leaves after this many chunks of the response; 0: before the first. */
  readonly disconnectAfter?: number;
}

/** What was written to `esgi.errors`. */
export class CollectedErrors implements ErrorStream {
  text = "";

  write(text: string): void {
    this.text += text;
  }

  flush(): void {}
}

/** An environ, as a server would make it. Keys that start with `testing.` are {@link call}'s. */
export function makeEnviron(options: EnvironOptions | string = {}): Environ {
  const request = typeof options === "string" ? { path: options } : options;
  const { scheme, authority, target } = resolveTarget(request);
  const headers: Header[] = toHeaders(request.headers);
  const has = (name: string): boolean => headers.some(([other]) => other.toLowerCase() === name);
  const protocol = request.protocol ?? "HTTP/1.1";
  if (!has("host") && protocol === "HTTP/1.1") headers.unshift(["Host", authority]);

  const body = toRequestBody(request);
  if (body.contentType !== null && !has("content-type")) headers.push(["Content-Type", body.contentType]);
  if (body.bytes !== null && !has("content-length") && !has("transfer-encoding")) {
    headers.push(["Content-Length", String(body.bytes.length)]);
  }
  if (body.chunks !== null && !has("content-length") && !has("transfer-encoding")) {
    headers.push(["Transfer-Encoding", "chunked"]);
  }
  if (request.upgrade !== undefined) {
    headers.push(["Connection", "Upgrade"], ["Upgrade", request.upgrade.join(", ")]);
  }

  const hangUp = new AbortController();
  const signal = request.signal === undefined ? hangUp.signal : AbortSignal.any([hangUp.signal, request.signal]);
  const length = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  const input = makeInput(body, length === undefined ? null : Number(length), request.trailers ?? []);
  signal.addEventListener("abort", () => input.fail(new InputError("disconnected", "the client has left")), {
    once: true,
  });
  if (signal.aborted) input.fail(new InputError("disconnected", "the client has left"));

  const hints: Headers[] = [];
  const errors = new CollectedErrors();
  const environ = makeRequestEnviron({
    method: request.method ?? (body.bytes === null && body.chunks === null ? "GET" : "POST"),
    target,
    protocol,
    scheme,
    headers,
    input,
    errors,
    signal,
    scriptName: request.scriptName ?? "",
    remoteAddress: request.remote?.address ?? "127.0.0.1",
    remotePort: request.remote === undefined ? 50_000 : request.remote.port,
    fallbackHost: authority,
  });
  environ["esgi.early_hints"] = (fields) => void hints.push(fields.map(([name, value]) => [name, value] as const));
  if (request.upgrade !== undefined) environ["esgi.upgrade"] = request.upgrade;
  if (request.tls !== undefined) environ["esgi.tls"] = request.tls;
  else if (scheme === "https") environ["esgi.tls"] = {};
  environ["testing.early_hints"] = hints;
  // A middleware may put its own in the place of `esgi.errors`, as the validator does.
  environ["testing.errors"] = errors;
  environ["testing.hang_up"] = (): void => hangUp.abort(new DOMException("the client has left", "AbortError"));
  return Object.assign(environ, request.environ);
}

/**
 * Calls `application` once, and collects its reply; an upgraded connection is returned open.
 *
 * Rejects with what the application, its body or its `close()` throws, and with an Error when it breaks a rule that
 * shows: no `startResponse`, a body that is none, more or fewer bytes than Content-Length. A client that left is no
 * error: the reply is then `aborted`.
 */
export async function call(
  application: Application,
  request: string | CallOptions | Environ = {},
): Promise<Reply> {
  const environ = isEnviron(request) ? request : makeEnviron(request);
  const disconnectAfter = isEnviron(request) || typeof request === "string" ? undefined : request.disconnectAfter;
  const hangUp = environ["testing.hang_up"] as (() => void) | undefined;
  const signal = environ["esgi.signal"];
  const head = new ReplyHead();
  const body = await application(environ, head.startResponse);
  if (typeof body === "function") return upgrade(environ, head, body);

  const method = environ.REQUEST_METHOD;
  const chunks: Uint8Array[] = [];
  const source = replyBody(body, head, { method });
  // The client's leaving closes the body even while the application is still busy with the next chunk.
  let leave: () => void = () => {};
  const left = new Promise<"left">((resolve) => {
    leave = () => resolve("left");
  });
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  let aborted = false;
  for (;;) {
    if (disconnectAfter !== undefined && chunks.length >= disconnectAfter) {
      hangUp?.();
      leave();
    }
    const next: Promise<IteratorResult<Uint8Array> | "left"> = signal.aborted ? left : source.next();
    const result = await Promise.race([left, next]);
    if (result === "left") {
      aborted = true;
      // What the application makes of its client's leaving is its own affair.
      next.catch(() => {});
      await source.return();
      break;
    }
    if (result.done === true) break;
    chunks.push(result.value);
  }
  signal.removeEventListener("abort", leave);
  if (source.fault !== null && !aborted) throw new Error(source.fault);
  return new Reply(environ, head, chunks, aborted);
}

/** A collected reply. */
export class Reply {
  /** The status code, for example 200; 0 when the client left before there was one. */
  readonly status: number;
  readonly reason: string;
  /** The fields as the application gave them; a server adds its own. */
  readonly headers: Headers;
  /** The body as it came; empty for HEAD. */
  readonly chunks: readonly Uint8Array[];
  /** The fields of each 103 response, in order. */
  readonly earlyHints: readonly Headers[];
  /** True when the client left before the end. */
  readonly aborted: boolean;
  /** The client's end of an upgraded connection, else null. */
  readonly socket: MemoryDuplex | null;
  /** Settles when the application is done with an upgraded connection; resolved on an ordinary reply. */
  readonly upgraded: Promise<void>;
  readonly #environ: Environ;

  constructor(
    environ: Environ,
    head: ReplyHead,
    chunks: readonly Uint8Array[],
    aborted: boolean,
    socket: MemoryDuplex | null = null,
    upgraded: Promise<void> = Promise.resolve(),
  ) {
    this.status = head.code;
    this.reason = head.reason;
    this.headers = head.headers;
    this.chunks = chunks;
    this.earlyHints = (environ["testing.early_hints"] as Headers[] | undefined) ?? [];
    this.aborted = aborted;
    this.socket = socket;
    this.upgraded = upgraded;
    this.#environ = environ;
  }

  /** What the application wrote to `esgi.errors`, so far. */
  get errors(): string {
    const { "esgi.errors": last, "testing.errors": first } = this.#environ;
    if ("text" in last && typeof last.text === "string") return last.text;
    return first instanceof CollectedErrors ? first.text : "";
  }

  /** The values of the field `name` (of any case), joined with ", "; null when there is none. */
  header(name: string): string | null {
    const values = this.headerValues(name);
    return values.length === 0 ? null : values.join(", ");
  }

  /** The values of the field `name` (of any case), one by one, as Set-Cookie needs it. */
  headerValues(name: string): string[] {
    const lower = name.toLowerCase();
    return this.headers.filter(([other]) => other.toLowerCase() === lower).map(([, value]) => value);
  }

  bytes(): Uint8Array {
    return concat(this.chunks);
  }

  /** The body as UTF-8. */
  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  /**
   * The body as JSON.
   *
   * @throws {SyntaxError} when it is not.
   */
  json(): unknown {
    return JSON.parse(this.text());
  }
}

/** Bytes that a {@link MemoryDuplex} holds before `write` makes its caller wait. */
const HIGH_WATER_MARK = 65_536;

/** One end of a connection in memory; made in pairs by {@link duplexPair}. */
export class MemoryDuplex implements Duplex {
  readonly signal: AbortSignal;
  readonly #controller: AbortController;
  #peer: MemoryDuplex | null = null;
  #received: Uint8Array[] = [];
  #buffered = 0;
  #peerEnded = false;
  #ended = false;
  #error: Error | null = null;
  #reader: { resolve: (chunk: Uint8Array | null) => void; reject: (error: Error) => void } | null = null;
  #writers: (() => void)[] = [];

  constructor() {
    this.#controller = new AbortController();
    this.signal = this.#controller.signal;
  }

  /** @internal */
  static join(a: MemoryDuplex, b: MemoryDuplex): void {
    a.#peer = b;
    b.#peer = a;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#reader !== null) return Promise.reject(new TypeError("read() was called while another read() waits"));
    if (this.#error !== null) return Promise.reject(this.#error);
    const chunk = this.#received.shift();
    if (chunk !== undefined) {
      this.#buffered -= chunk.length;
      if (this.#buffered < HIGH_WATER_MARK) { for (const resume of this.#writers.splice(0)) resume(); }
      return Promise.resolve(chunk);
    }
    if (this.#peerEnded) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  write(chunk: Chunk): void | Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#ended) throw new TypeError("write() after end()");
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk.slice();
    return bytes.length === 0 ? undefined : this.#peer!.#receive(bytes);
  }

  end(): void {
    if (this.#ended || this.#error !== null) return;
    this.#ended = true;
    this.#peer!.#endOfPeer();
  }

  /** Breaks the connection, as a peer that vanishes does: reads reject on both ends, and both signals abort. */
  destroy(): void {
    for (const end of [this, this.#peer!]) end.#fail(new Error("the connection broke"));
  }

  /** All that the peer sends until its end, as UTF-8. */
  async text(): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this) chunks.push(chunk);
    return new TextDecoder().decode(concat(chunks));
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    for (;;) {
      const chunk = await this.read();
      if (chunk === null) return;
      yield chunk;
    }
  }

  #receive(chunk: Uint8Array): void | Promise<void> {
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = null;
      reader.resolve(chunk);
      return;
    }
    this.#received.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered >= HIGH_WATER_MARK) return new Promise((resolve) => this.#writers.push(resolve));
  }

  #endOfPeer(): void {
    this.#peerEnded = true;
    const reader = this.#reader;
    this.#reader = null;
    reader?.resolve(null);
  }

  #fail(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#received = [];
    for (const resume of this.#writers.splice(0)) resume();
    const reader = this.#reader;
    this.#reader = null;
    reader?.reject(error);
    this.#controller.abort(error);
  }
}

/** A connection in memory: what one end writes, the other reads. */
export function duplexPair(): [MemoryDuplex, MemoryDuplex] {
  const pair: [MemoryDuplex, MemoryDuplex] = [new MemoryDuplex(), new MemoryDuplex()];
  MemoryDuplex.join(...pair);
  return pair;
}

function upgrade(environ: Environ, head: ReplyHead, body: Upgraded): Reply {
  if (head.code !== 101) {
    throw new Error(`a function as body needs "101 Switching Protocols", not ${show(head.status)}`);
  }
  if (environ["esgi.upgrade"] === undefined) {
    throw new Error("the application switched protocols, and the client had offered none (esgi.upgrade)");
  }
  head.send();
  const [client, server] = duplexPair();
  environ["esgi.signal"].addEventListener("abort", () => client.destroy(), { once: true });
  const upgraded = (async () => {
    try {
      await body(server);
      server.end();
    } catch (error) {
      server.destroy();
      throw error;
    }
  })();
  // A test that does not look at it must not die of it.
  upgraded.catch(() => {});
  return new Reply(environ, head, [], false, client, upgraded);
}

function isEnviron(request: string | CallOptions | Environ): request is Environ {
  return typeof request === "object" && "esgi.version" in request;
}

function resolveTarget(
  request: EnvironOptions,
): { scheme: "http" | "https"; authority: string; target: string } {
  if (request.target !== undefined) {
    if (request.path !== undefined || request.query !== undefined) {
      throw new TypeError("give either target, or path and query");
    }
    return { scheme: request.scheme ?? "http", authority: "localhost", target: request.target };
  }
  const path = request.path ?? "/";
  const absolute = /^(https?):\/\/([^/?#]*)(.*)$/is.exec(path);
  if (absolute === null && path !== "" && !path.startsWith("/") && !path.startsWith("?")) {
    throw new TypeError(`path ${show(path)} must start with "/"; for other targets use the option target`);
  }
  let target = encodeTarget((absolute === null ? path : absolute[3]!).replace(/#.*$/s, ""));
  if (!target.startsWith("/")) target = `/${target}`;
  const script = encodeTarget(request.scriptName ?? "").replaceAll("?", "%3F");
  if (script !== "" && !(target === script || target.startsWith(`${script}/`) || target.startsWith(`${script}?`))) {
    target = script + target;
  }
  const { query } = request;
  const added = query === undefined ? "" : typeof query === "string" ? encodeTarget(query) : toSearch(query);
  if (added !== "") target += (target.includes("?") ? "&" : "?") + added;
  return {
    scheme: request.scheme ?? (absolute?.[1]?.toLowerCase() as "http" | "https" | undefined) ?? "http",
    authority: absolute?.[2] || "localhost",
    target,
  };
}

function toSearch(query: URLSearchParams | Readonly<Record<string, string>>): string {
  return new URLSearchParams(query as Record<string, string>).toString();
}

/** Percent-encodes what a target cannot hold; a "%" is taken to be an escape where it can be one. */
function encodeTarget(text: string): string {
  const wellFormed = new TextDecoder().decode(new TextEncoder().encode(text));
  return wellFormed.replace(/%(?![0-9A-Fa-f]{2})|[^!$%&'()*+,\-./:;=?@_~A-Za-z0-9[\]|]/gu, encodeURIComponent);
}

function toHeaders(headers: Headers | Readonly<Record<string, string>> | undefined): Header[] {
  if (headers === undefined) return [];
  const pairs = Array.isArray(headers) ? headers as Headers : Object.entries(headers);
  return pairs.map(([name, value]) => [name, value] as const);
}

/** A request body: `bytes` when it is whole, `chunks` when it comes in pieces, neither when there is none. */
interface SourceBody {
  readonly bytes: Uint8Array | null;
  readonly chunks: Iterator<Chunk> | AsyncIterator<Chunk> | null;
  readonly contentType: string | null;
}

function toRequestBody(request: EnvironOptions): SourceBody {
  const encoder = new TextEncoder();
  if (request.json !== undefined) {
    if (request.body !== undefined) throw new TypeError("give either body or json");
    return { bytes: encoder.encode(JSON.stringify(request.json)), chunks: null, contentType: "application/json" };
  }
  const body = request.body ?? null;
  if (body === null) return { bytes: null, chunks: null, contentType: null };
  if (typeof body === "string") return { bytes: encoder.encode(body), chunks: null, contentType: null };
  if (body instanceof Uint8Array) return { bytes: body, chunks: null, contentType: null };
  if (body instanceof URLSearchParams) {
    return { bytes: encoder.encode(`${body}`), chunks: null, contentType: "application/x-www-form-urlencoded" };
  }
  if (body instanceof FormData || body instanceof Blob) {
    const message = new Response(body);
    // First: on Bun the field is gone when somebody reads the body.
    const contentType = message.headers.get("Content-Type");
    return { bytes: null, chunks: iterate(message.body!), contentType };
  }
  return { bytes: null, chunks: iterate(body), contentType: null };
}

function iterate(
  body: Iterable<Chunk> | AsyncIterable<Chunk> | ReadableStream<Uint8Array>,
): Iterator<Chunk> | AsyncIterator<Chunk> {
  // The head of a request is no reply's; only the reading is the same.
  const head = new ReplyHead();
  head.startResponse("200 OK", []);
  return new ReplyBody(body, head, {});
}

/** Plays the connection: gives bytes when they are wanted, never more than Content-Length. */
function makeInput(body: SourceBody, length: number | null, trailers: Headers): InputBuffer {
  const { bytes, chunks } = body;
  if (bytes === null && chunks === null) {
    const input = new InputBuffer(length === null || length === 0 ? null : { wanted(): void {} });
    if (length !== null && length > 0) breakOff(input, 0, length);
    return input;
  }
  let left = length ?? Infinity;
  let busy = false;
  const input = new InputBuffer({
    wanted(): void {
      if (busy || chunks === null || input.ended || input.buffered > 0) return;
      busy = true;
      void (async () => {
        try {
          const result = await chunks.next();
          busy = false;
          if (result.done === true) return finish();
          give(result.value as Uint8Array);
          if (input.waiting) this.wanted();
        } catch (error) {
          input.fail(error as Error);
        }
      })();
    },
  });
  function give(chunk: Uint8Array): void {
    const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= part.length;
    if (part.length > 0) input.push(part);
    if (left === 0) input.end(trailers);
  }
  function finish(): void {
    if (input.ended) return;
    if (length !== null && left > 0) breakOff(input, length - left, length);
    else input.end(trailers);
  }
  if (bytes !== null) {
    give(bytes);
    finish();
  }
  return input;
}

function breakOff(input: InputBuffer, got: number, length: number): void {
  input.fail(new InputError("disconnected", `the request body broke off after ${got} of ${length} bytes`));
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
