// ESGI applications inside Node's own HTTP server: http.createServer, and Express and its like, which mount them. The
// types are structural, so that nothing of Node is imported; Deno's and Bun's node:http fit them too.

import type { Application } from "../esgi/application.ts";
import type { Environ, ErrorStream, Header, Headers } from "../esgi/environ.ts";
import { InputBuffer, InputError } from "../esgi/input.ts";
import { checkHeaders, isBodyless, replyBody, ReplyHead } from "../esgi/reply.ts";
import type { ReplyBody } from "../esgi/reply.ts";
import { decodePath, makeRequestEnviron } from "../esgi/request.ts";
import { clientLeft, ConsoleErrors, endToEnd, failureOf, plainAddress, report } from "./serving.ts";

// deno-lint-ignore no-explicit-any -- Node declares one overload for each event, and no narrower type fits them all.
type Listener = (...parameters: any[]) => void;

/** What is used of Node's `IncomingMessage`, and what Express adds to it. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** Express, Connect: the target as received. */
  readonly originalUrl?: string | undefined;
  /** Express: where the listener is mounted, encoded. */
  readonly baseUrl?: string | undefined;
  readonly httpVersion: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly rawTrailers: readonly string[];
  readonly readableEnded: boolean;
  readonly complete: boolean;
  readonly socket: {
    readonly remoteAddress?: string | undefined;
    readonly remotePort?: number | undefined;
    readonly localPort?: number | undefined;
    readonly encrypted?: boolean | undefined;
  };
  on(event: string, listener: Listener): unknown;
  pause(): unknown;
  resume(): unknown;
}

/** What is used of Node's `ServerResponse`. */
export interface NodeResponse {
  readonly headersSent: boolean;
  readonly writableFinished: boolean;
  readonly destroyed: boolean;
  setHeader(name: string, value: string | readonly string[]): unknown;
  writeHead(status: number, reason: string): unknown;
  write(chunk: Uint8Array): boolean;
  end(): unknown;
  destroy(): unknown;
  on(event: string, listener: Listener): unknown;
  once(event: string, listener: Listener): unknown;
  removeListener(event: string, listener: Listener): unknown;
  writeEarlyHints?(hints: Record<string, string | string[]>): void;
}

export interface ToNodeOptions {
  /** `esgi.errors`. Default: the console. */
  readonly errors?: ErrorStream;
  /** `esgi.multiprocess`: whether other processes run the same application, as in a cluster. Default: false. */
  readonly multiprocess?: boolean;
}

/**
 * A request listener that runs `application`: `http.createServer(toNodeListener(application))`,
 * `express().use("/mount", toNodeListener(application))`, and the same in Connect, Vite and Fastify's middie. Mount it
 * before body parsers, which take the body away.
 *
 * An application that throws is answered with 500 (an `InputError` that it let pass, with that error's status) while
 * its head has not gone, and its connection is destroyed after, as it is when a body ends before its Content-Length.
 */
export function toNodeListener(
  application: Application,
  options: ToNodeOptions = {},
): (request: NodeRequest, response: NodeResponse) => void {
  return (request, response) => void new Exchange(options, request, response).run(application);
}

class Exchange {
  readonly #response: NodeResponse;
  readonly #head: ReplyHead = new ReplyHead();
  readonly #errors: ErrorStream;
  readonly #controller: AbortController = new AbortController();
  readonly #input: RequestInput;
  readonly #environ: Environ;
  #body: ReplyBody | null = null;
  #done = false;

  constructor(options: ToNodeOptions, request: NodeRequest, response: NodeResponse) {
    this.#response = response;
    this.#errors = options.errors ?? new ConsoleErrors();
    const headers = pairs(request.rawHeaders);
    this.#input = new RequestInput(request, headers);
    this.#environ = makeEnviron(
      request,
      headers,
      this.#input.buffer,
      this.#errors,
      this.#controller.signal,
      options.multiprocess ?? false,
    );
    // HTTP/1.0 knows no interim responses (RFC 9110 §15.2), and HTTP/2's come by another road.
    if (typeof response.writeEarlyHints === "function" && request.httpVersion === "1.1") {
      this.#environ["esgi.early_hints"] = (hints) => this.#earlyHints(hints);
    }
    response.on("close", () => this.#closed());
    // "close" follows; without a listener an error would end the process.
    response.on("error", () => {});
  }

  async run(application: Application): Promise<void> {
    const head = this.#head;
    try {
      const body = await application(this.#environ, head.startResponse);
      if (typeof body === "function") {
        throw new TypeError("the application switches protocols, and esgi.upgrade is absent here");
      }
      this.#body = replyBody(body, head, {
        method: this.#environ.REQUEST_METHOD,
        onCloseError: (error) => report(this.#errors, "closing the body failed", error),
      });
      // A client that left while the application worked wants nothing of this.
      if (this.#done) return void await this.#body.return();
      const whole = this.#body.whole?.length ?? null;
      const first = await this.#body.next();
      if (this.#done) return;
      if (head.code < 200) throw new TypeError(`an application cannot send "${head.status}" here`);
      this.#sendHead(head.code, head.reason, head.headers, whole ?? (first.done === true ? 0 : null));
      for (let result = first; result.done !== true && !this.#done; result = await this.#body.next()) {
        if (!this.#response.write(result.value)) await this.#drained();
        // "close" comes later, and would not come at all past a body that never waits.
        if (this.#response.destroyed) this.#closed();
      }
      this.#end();
    } catch (error) {
      await this.#body?.return();
      this.#fail(error);
    }
  }

  #sendHead(code: number, reason: string, fields: Headers, length: number | null): void {
    const response = this.#response;
    const grouped = new Map<string, { readonly name: string; readonly values: string[] }>();
    for (const [name, value] of endToEnd(fields)) {
      const lower = name.toLowerCase();
      const group = grouped.get(lower);
      if (group === undefined) grouped.set(lower, { name, values: [value] });
      else group.values.push(value);
    }
    // The bytes of a HEAD are not known unless they were given whole.
    const known = length !== null && (this.#environ.REQUEST_METHOD !== "HEAD" || length > 0);
    if (known && !grouped.has("content-length") && !isBodyless(code)) {
      response.setHeader("Content-Length", String(length));
    }
    // One by one, so that the layers around a response (compression, for example) see them.
    for (const { name, values } of grouped.values()) {
      response.setHeader(name, values.length === 1 ? values[0]! : values);
    }
    response.writeHead(code, reason);
  }

  #end(): void {
    if (this.#done) return;
    const body = this.#body!;
    const { contentLength } = this.#head;
    if (body.fault !== null) report(this.#errors, `the application broke a rule of ESGI: ${body.fault}`);
    this.#finish();
    const short = contentLength !== null && body.sent < contentLength && this.#environ.REQUEST_METHOD !== "HEAD" &&
      !isBodyless(this.#head.code);
    // The client must not take what it got for the whole.
    if (short) this.#response.destroy();
    else this.#response.end();
  }

  #fail(error: unknown): void {
    if (this.#done) return;
    if (!(error instanceof InputError) || this.#response.headersSent) {
      report(this.#errors, "the application failed", error);
    }
    const broken = this.#response.headersSent;
    this.#finish();
    if (broken) return void this.#response.destroy();
    const { code, reason, headers, body } = failureOf(error);
    this.#sendHead(code, reason, headers, null);
    if (this.#environ.REQUEST_METHOD !== "HEAD") this.#response.write(new TextEncoder().encode(body));
    this.#response.end();
  }

  /** The connection has gone, or the response is complete. */
  #closed(): void {
    if (this.#done) return;
    this.#finish();
    this.#controller.abort(clientLeft());
    void this.#body?.return();
  }

  #finish(): void {
    this.#done = true;
    this.#input.end();
  }

  #drained(): Promise<void> {
    const response = this.#response;
    if (response.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = (): void => {
        response.removeListener("drain", settle);
        response.removeListener("close", settle);
        resolve();
      };
      response.once("drain", settle);
      response.once("close", settle);
    });
  }

  #earlyHints(headers: Headers): void {
    checkHeaders(headers);
    if (this.#response.headersSent || this.#done) return;
    const hints: Record<string, string | string[]> = {};
    for (const [name, value] of endToEnd(headers)) {
      const lower = name.toLowerCase();
      const before = hints[lower];
      hints[lower] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    }
    try {
      this.#response.writeEarlyHints!(hints);
    } catch (error) {
      // Node knows fewer forms of Link than RFC 8288 has. A hint that cannot be given is no failure.
      report(this.#errors, "early hints were not sent", error);
    }
  }
}

/** Bytes that wait for the application before the socket is asked to wait. */
const HIGH_WATER_MARK = 65_536;

/** The request body: nothing is listened to before the application reads, so that nothing flows. */
class RequestInput {
  readonly buffer: InputBuffer;
  readonly #request: NodeRequest;
  #attached = false;
  #over = false;

  constructor(request: NodeRequest, headers: Headers) {
    this.#request = request;
    const has = (name: string): boolean => headers.some(([other]) => other.toLowerCase() === name);
    // HTTP/2 frames a body without a field that tells; there the stream's end does.
    const hasBody = has("content-length") || has("transfer-encoding") || request.httpVersion.startsWith("2");
    this.buffer = new InputBuffer(hasBody ? { wanted: () => this.#flow() } : null);
    if (hasBody && request.readableEnded && !isEmpty(headers)) {
      this.buffer.fail(
        new TypeError("a body parser has read the request body already: mount the application before it"),
      );
    }
  }

  /** Nobody wants the rest. It is let through, so that the connection can be used again. */
  end(): void {
    this.#over = true;
    if (this.buffer.ended) return;
    this.buffer.fail(new InputError("disconnected", "the request is over: what was left of its body is not there"));
    if (this.#attached) this.#request.resume();
  }

  #flow(): void {
    if (this.#over) return;
    if (!this.#attached) this.#attach();
    if (!this.buffer.ended) this.#request.resume();
  }

  #attach(): void {
    this.#attached = true;
    const request = this.#request;
    if (request.readableEnded) return this.buffer.end();
    request.on("data", (chunk: Uint8Array | string) => {
      if (this.#over || chunk.length === 0) return;
      this.buffer.push(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
      if (this.buffer.buffered >= HIGH_WATER_MARK) request.pause();
    });
    request.on("end", () => this.buffer.end(pairs(request.rawTrailers)));
    const broken = (): void => {
      if (!this.buffer.ended) {
        this.buffer.fail(new InputError("disconnected", "the client left before its request was complete"));
      }
    };
    request.on("error", broken);
    request.on("close", broken);
  }
}

function isEmpty(headers: Headers): boolean {
  return headers.some(([name, value]) => name.toLowerCase() === "content-length" && Number(value) === 0);
}

function makeEnviron(
  request: NodeRequest,
  headers: Headers,
  input: InputBuffer,
  errors: ErrorStream,
  signal: AbortSignal,
  multiprocess: boolean,
): Environ {
  const { socket } = request;
  const url = request.url ?? "/";
  const target = request.originalUrl ?? url;
  const encrypted = socket.encrypted === true;
  const mount = mountOf(request, url);
  const authority = pairs(request.rawHeaders, true).find(([name]) => name === ":authority")?.[1];
  const address = plainAddress(socket.remoteAddress ?? "");
  const environ = makeRequestEnviron({
    method: request.method ?? "GET",
    target,
    protocol: request.httpVersion === "1.0" ? "HTTP/1.0" : "HTTP/1.1",
    scheme: encrypted ? "https" : "http",
    headers,
    input,
    errors,
    signal,
    ...(mount === "" ? {} : { scriptName: decodePath(mount), path: pathBelow(url, target, mount) }),
    remoteAddress: address,
    remotePort: address === "" ? undefined : socket.remotePort,
    fallbackHost: authority ?? (socket.localPort === undefined ? "localhost" : `localhost:${socket.localPort}`),
    multiprocess,
  });
  if (encrypted) environ["esgi.tls"] = {};
  return environ;
}

/** Encoded. Connect and its like (Vite, Fastify's middie, Polka) tell it only by what they cut from the URL. */
function mountOf({ baseUrl, originalUrl }: NodeRequest, url: string): string {
  if (baseUrl !== undefined || originalUrl === undefined) return baseUrl ?? "";
  const whole = pathOf(originalUrl);
  const path = pathOf(url);
  if (whole.endsWith(path)) return whole.slice(0, whole.length - path.length);
  return path === "/" ? whole : "";
}

/** The path below the mount. For the mount itself all of them say "/", which the client did not. */
function pathBelow(url: string, target: string, mount: string): string {
  const path = pathOf(url);
  return path === "/" && pathOf(target) === mount ? "" : path;
}

/** Of the absolute-form (RFC 9112 §3.2.2) these frameworks leave scheme and authority in place. */
function pathOf(url: string): string {
  return url.replace(/\?.*$/s, "").replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "");
}

/** Fields from Node's flat list; HTTP/2's pseudo-fields (RFC 9113 §8.3) only when asked for. */
function pairs(raw: readonly string[], pseudo = false): Header[] {
  const headers: Header[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]!.startsWith(":") === pseudo) headers.push([raw[i]!, raw[i + 1]!]);
  }
  return headers;
}
