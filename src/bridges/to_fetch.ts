// ESGI applications behind a server that speaks Request and Response: Deno.serve, Bun.serve, edge workers. Early hints
// and protocol switches cannot be said in a Response, so those keys are absent.

import type { Application } from "../esgi/application.ts";
import type { Environ, ErrorStream } from "../esgi/environ.ts";
import { InputBuffer, InputError } from "../esgi/input.ts";
import { contentLength, isBodyless, replyBody, ReplyHead } from "../esgi/reply.ts";
import type { ReplyBody } from "../esgi/reply.ts";
import { isBelow, makeRequestEnviron } from "../esgi/request.ts";
import type { FetchEnv } from "./fetch.ts";
import { clientLeft, ConsoleErrors, endToEnd, failureOf, plainAddress, report } from "./serving.ts";

export interface ToFetchOptions {
  /** Where the application is mounted, decoded; requests that are not below it get 404. Default: "". */
  readonly scriptName?: string;
  /** `esgi.errors`. Default: the console. */
  readonly errors?: ErrorStream;
  /** `esgi.multiprocess`: whether other processes or isolates run the same application. Default: false. */
  readonly multiprocess?: boolean;
}

/**
 * What a runtime tells beside the request: Deno's `ServeHandlerInfo`, Bun's `Server`, or the {@link FetchEnv} that fetch
 * applications get here; anything else is ignored. Each is what Hono hands to an application that it mounts.
 */
export type ServeInfo = unknown;

/**
 * A fetch handler that runs `application`: `Deno.serve(toFetchHandler(application))`,
 * `Bun.serve({ fetch: toFetchHandler(application) })`. It never rejects: an application that throws is answered with
 * 500 (an `InputError` that it let pass, with that error's status) while its head has not gone, and cut off after.
 */
export function toFetchHandler(
  application: Application,
  options: ToFetchOptions = {},
): (request: Request, info?: ServeInfo) => Promise<Response> {
  return async (request, info) => await new Exchange(application, options, request, info).respond();
}

class Exchange {
  readonly #application: Application;
  readonly #request: Request;
  readonly #head: ReplyHead = new ReplyHead();
  readonly #errors: ErrorStream;
  readonly #controller: AbortController = new AbortController();
  readonly #input: RequestInput;
  readonly #environ: Environ | null;
  #body: ReplyBody | null = null;
  #done = false;

  constructor(application: Application, options: ToFetchOptions, request: Request, info: ServeInfo) {
    this.#application = application;
    this.#request = request;
    this.#errors = options.errors ?? new ConsoleErrors();
    this.#input = new RequestInput(request);
    this.#environ = makeEnviron(options, request, info, this.#input.buffer, this.#errors, this.#controller.signal);
  }

  async respond(): Promise<Response> {
    const environ = this.#environ;
    if (environ === null) {
      return new Response("404 Not Found\n", { status: 404, headers: { "Content-Type": "text/plain" } });
    }
    if (this.#request.signal.aborted) this.#hangUp();
    this.#request.signal.addEventListener("abort", this.#hangUp);
    const head = this.#head;
    let first: IteratorResult<Uint8Array>;
    let whole: Uint8Array | null;
    try {
      const body = await this.#application(environ, head.startResponse);
      if (typeof body === "function") {
        throw new TypeError("the application switches protocols, and esgi.upgrade is absent here");
      }
      this.#body = replyBody(body, head, {
        method: environ.REQUEST_METHOD,
        onCloseError: (error) => report(this.#errors, "closing the body failed", error),
      });
      // A client that left while the application worked wants nothing of this.
      if (this.#done) await this.#body.return();
      whole = this.#body.whole;
      first = await this.#body.next();
      if (head.code < 200) throw new TypeError(`an application cannot send "${head.status}" here`);
      // The body of a whole reply is known to its end, and what is wrong with it too.
      if (whole !== null && first.done !== true) await this.#body.next();
    } catch (error) {
      return await this.#fail(error);
    }
    const { fault } = this.#body;
    if (fault !== null && (whole !== null || first.done === true)) this.#reportFault(fault);
    const streaming = first.done !== true && (whole === null || this.#isShort());
    if (!streaming) this.#finish();
    const headers = endToEnd(head.headers).map(([name, value]): [string, string] => [name, value]);
    if (environ.REQUEST_METHOD === "HEAD" && whole !== null && head.contentLength === null && !isBodyless(head.code)) {
      headers.push(["Content-Length", String(whole.length)]);
    }
    return new Response(
      first.done === true ? null : streaming ? this.#stream(first.value) : first.value as Uint8Array<ArrayBuffer>,
      { status: head.code, statusText: head.reason, headers },
    );
  }

  /** The rest of the body, one chunk for each time that the runtime asks. */
  #stream(first: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
    const body = this.#body!;
    let pending: Uint8Array | null = first;
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: async (controller) => {
        if (pending !== null) {
          controller.enqueue(pending as Uint8Array<ArrayBuffer>);
          pending = null;
          return;
        }
        try {
          const result = await body.next();
          if (result.done !== true) return controller.enqueue(result.value as Uint8Array<ArrayBuffer>);
        } catch (error) {
          if (!this.#controller.signal.aborted) report(this.#errors, "the application failed", error);
          this.#finish();
          return controller.error(error);
        }
        if (body.fault !== null && !this.#controller.signal.aborted) this.#reportFault(body.fault);
        this.#finish();
        // The client must not take what it got for the whole.
        if (this.#isShort()) controller.error(new Error(body.fault ?? "the response was cut off"));
        else controller.close();
      },
      cancel: () => this.#hangUp(),
    }, { highWaterMark: 0 });
  }

  #isShort(): boolean {
    const { contentLength } = this.#head;
    return contentLength !== null && this.#body!.sent < contentLength;
  }

  async #fail(error: unknown): Promise<Response> {
    if (!this.#controller.signal.aborted) {
      if (!(error instanceof InputError)) report(this.#errors, "the application failed", error);
    }
    await this.#body?.return();
    this.#finish();
    const { code, reason, headers, body } = failureOf(error);
    return new Response(this.#request.method === "HEAD" ? null : body, {
      status: code,
      statusText: reason,
      headers: headers.map(([name, value]): [string, string] => [name, value]),
    });
  }

  /** The client has left. */
  readonly #hangUp = (): void => {
    if (this.#done) return;
    this.#finish();
    this.#controller.abort(clientLeft());
    void this.#body?.return();
  };

  /** The response is complete, or will never be. Some runtimes abort the request's signal after that. */
  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#request.signal.removeEventListener("abort", this.#hangUp);
    this.#input.end();
  }

  #reportFault(fault: string): void {
    report(this.#errors, `the application broke a rule of ESGI: ${fault}`);
  }
}

/** The request body, read from its stream only as the application reads. */
class RequestInput {
  readonly buffer: InputBuffer;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  readonly #length: number | null = null;
  #received = 0;
  #busy = false;

  constructor(request: Request) {
    if (request.body === null) {
      this.buffer = new InputBuffer(null);
      return;
    }
    this.#reader = request.body.getReader();
    this.#length = declaredLength(request.headers);
    this.buffer = new InputBuffer({ wanted: () => void this.#pull() });
  }

  /** Nobody wants the rest. */
  end(): void {
    if (this.buffer.ended) return;
    this.buffer.fail(new InputError("disconnected", "the request is over: what was left of its body is not there"));
    this.#reader?.cancel().catch(() => {});
  }

  async #pull(): Promise<void> {
    if (this.#busy || this.buffer.ended || this.buffer.buffered > 0) return;
    this.#busy = true;
    try {
      const { done, value } = await this.#reader!.read();
      this.#busy = false;
      if (done) return this.#ended();
      this.#received += value.length;
      if (value.length > 0) this.buffer.push(value);
      else void this.#pull();
    } catch (error) {
      this.buffer.fail(new InputError("disconnected", `the request body broke off: ${String(error)}`));
    }
  }

  #ended(): void {
    if (this.#length !== null && this.#received < this.#length) {
      const message = `the request body broke off after ${this.#received} of ${this.#length} bytes`;
      this.buffer.fail(new InputError("disconnected", message));
    } else {
      this.buffer.end();
    }
  }
}

function declaredLength(headers: Headers): number | null {
  const value = headers.get("Content-Length");
  try {
    return value === null ? null : contentLength([["Content-Length", value]]);
  } catch {
    return null;
  }
}

/** Null when the request is not for this mount. */
function makeEnviron(
  options: ToFetchOptions,
  request: Request,
  info: ServeInfo,
  input: InputBuffer,
  errors: ErrorStream,
  signal: AbortSignal,
): Environ | null {
  const [, scheme, authority, rest] = /^(https?):\/\/([^/?#]*)([^#]*)/i.exec(request.url) ?? [];
  const remote = remoteOf(request, info);
  const scriptName = options.scriptName ?? "";
  const environ = makeRequestEnviron({
    method: request.method,
    target: rest === undefined || !rest.startsWith("/") ? `/${rest ?? ""}` : rest,
    protocol: "HTTP/1.1",
    scheme: scheme?.toLowerCase() === "https" ? "https" : "http",
    headers: [...request.headers],
    input,
    errors,
    signal,
    remoteAddress: remote.address,
    remotePort: remote.port,
    fallbackHost: authority ?? "",
    multiprocess: options.multiprocess ?? false,
  });
  if (environ["esgi.url_scheme"] === "https") environ["esgi.tls"] = {};
  if (scriptName !== "") {
    if (!isBelow(environ.PATH_INFO, scriptName)) return null;
    environ.SCRIPT_NAME = scriptName;
    environ.PATH_INFO = environ.PATH_INFO.slice(scriptName.length);
  }
  return environ;
}

function remoteOf(request: Request, info: ServeInfo): { address: string; port?: number } {
  if (typeof info !== "object" || info === null) return { address: "" };
  // Deno: ServeHandlerInfo. A unix socket's address has a path instead of a host.
  const { remoteAddr } = info as { remoteAddr?: { hostname?: unknown; port?: unknown } };
  if (typeof remoteAddr?.hostname === "string") return endpoint(remoteAddr.hostname, remoteAddr.port);
  // Here: FetchEnv.
  const { environ } = info as Partial<FetchEnv>;
  if (typeof environ?.REMOTE_ADDR === "string") {
    return endpoint(environ.REMOTE_ADDR, Number(environ.REMOTE_PORT || NaN));
  }
  // Bun: Server.
  const server = info as { requestIP?: (request: Request) => { address: string; port: number } | null };
  if (typeof server.requestIP !== "function") return { address: "" };
  const remote = server.requestIP(request);
  return remote === null || remote === undefined ? { address: "" } : endpoint(remote.address, remote.port);
}

function endpoint(address: string, port: unknown): { address: string; port?: number } {
  const plain = plainAddress(address);
  return plain !== "" && typeof port === "number" && !Number.isNaN(port)
    ? { address: plain, port }
    : { address: plain };
}
