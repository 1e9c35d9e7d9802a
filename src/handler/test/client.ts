// Requests for tests, without a socket (Django's test/client.py): a Client asks a whole Handler, a RequestFactory only
// makes requests, for views that are called by hand.

import type { Environ, Headers as FieldList } from "../../esgi/environ.ts";
import { call, makeEnviron, type RequestBody } from "../../esgi/testing.ts";
import type { Handler } from "../handler.ts";
import { DONT_ENFORCE_CSRF_CHECKS } from "../middleware/csrf.ts";
import { parseCookie } from "../parse_cookie.ts";
import { HttpRequest } from "../request.ts";
import { type HandlerSettings, resolveSettings, type Settings } from "../settings.ts";
import { gotRequestException, type Receiver } from "../signals.ts";
import type { ResolverMatch } from "../urls/resolvers.ts";

/** A value of a form: text, what becomes text, or a file. */
export type FormValue = string | number | boolean | Blob;

/**
 * What is sent. An object is a form, sent as multipart/form-data, or as the `contentType` of the options says:
 * urlencoded, or JSON; with JSON it may be any value.
 */
export type RequestData =
  | Readonly<Record<string, unknown>>
  | readonly unknown[]
  | FormData
  | URLSearchParams
  | string
  | Uint8Array
  | null;

/** A query: as text, or by its names. */
export type Query = string | URLSearchParams | Readonly<Record<string, string>>;

/** How a request differs from the usual one. */
export interface RequestOptions {
  readonly query?: Query;
  readonly headers?: FieldList | Readonly<Record<string, string>>;
  /** Of the data. Default: multipart/form-data of an object, application/octet-stream of text and bytes. */
  readonly contentType?: string;
  /** By https. Default false, unless the path is a whole URL. */
  readonly secure?: boolean;
  /** Keys of the environ, set last. */
  readonly environ?: Readonly<Record<string, unknown>>;
}

/** What a {@link Client} does beside. */
export interface ClientRequestOptions extends RequestOptions {
  /** Goes where redirects lead, and gives the last response. Default false. */
  readonly follow?: boolean;
}

/** A request for each method; what comes of it is the subclass's. */
abstract class Requests<Options extends RequestOptions, Result> {
  abstract generic(method: string, path: string, data?: RequestData, options?: Options): Result;

  get(path: string, query?: Query, options?: Options): Result {
    return this.generic("GET", path, null, withQuery(query, options));
  }

  head(path: string, query?: Query, options?: Options): Result {
    return this.generic("HEAD", path, null, withQuery(query, options));
  }

  post(path: string, data: RequestData = {}, options?: Options): Result {
    return this.generic("POST", path, data, options);
  }

  put(path: string, data?: RequestData, options?: Options): Result {
    return this.generic("PUT", path, data, options);
  }

  patch(path: string, data?: RequestData, options?: Options): Result {
    return this.generic("PATCH", path, data, options);
  }

  delete(path: string, data?: RequestData, options?: Options): Result {
    return this.generic("DELETE", path, data, options);
  }

  options(path: string, data?: RequestData, options?: Options): Result {
    return this.generic("OPTIONS", path, data, options);
  }
}

function withQuery<Options extends RequestOptions>(query: Query | undefined, options: Options | undefined): Options {
  return (query === undefined ? options ?? {} : { ...options, query }) as Options;
}

/** Makes requests as a server and a Handler with these settings would. */
export class RequestFactory extends Requests<RequestOptions, HttpRequest> {
  readonly settings: Settings;

  constructor(settings: HandlerSettings = {}) {
    super();
    this.settings = resolveSettings(settings);
  }

  /** A request of any method. */
  override generic(method: string, path: string, data: RequestData = null, options: RequestOptions = {}): HttpRequest {
    return new HttpRequest(environFor(this.settings, method, path, data, options), this.settings);
  }
}

/** How a {@link Client} behaves. */
export interface ClientOptions {
  /** Lets CsrfViewMiddleware refuse. Default false. */
  readonly enforceCsrfChecks?: boolean;
  /** Throws what the site answers with a 500. Default true. */
  readonly raiseRequestException?: boolean;
  /** Fields of every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Redirects lead in a circle, or to more than 20 places. */
export class RedirectCycleError extends Error {
  override readonly name: string = "RedirectCycleError";
}

const MAX_REDIRECTS = 20;

/** A browser without a screen: asks `handler`, keeps cookies, follows redirects where it is told to. */
export class Client extends Requests<ClientRequestOptions, Promise<ClientResponse>> {
  readonly handler: Handler;
  /** What is sent with each request, and changed by each response. Path, domain and time are not looked at. */
  readonly cookies: Map<string, string> = new Map();
  readonly #enforceCsrfChecks: boolean;
  readonly #raiseRequestException: boolean;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(handler: Handler, options: ClientOptions = {}) {
    super();
    this.handler = handler;
    this.#enforceCsrfChecks = options.enforceCsrfChecks ?? false;
    this.#raiseRequestException = options.raiseRequestException ?? true;
    this.#headers = options.headers ?? {};
  }

  /**
   * A request of any method. Rejects with what the site answers with a 500, unless that is switched off.
   *
   * @throws {RedirectCycleError}
   */
  override async generic(
    method: string,
    path: string,
    data: RequestData = null,
    options: ClientRequestOptions = {},
  ): Promise<ClientResponse> {
    let response = await this.#request(method, path, data, options, []);
    if (options.follow !== true) return response;
    const chain: (readonly [url: string, status: number])[] = [];
    const { query: _, ...rest } = options;
    while ([301, 302, 303, 307, 308].includes(response.statusCode)) {
      const location = response.headers.get("Location");
      if (location === null) break;
      const url = new URL(location, response.url).href;
      if (chain.some(([before]) => before === url)) {
        throw new RedirectCycleError(`the redirect to ${location} leads in a circle`);
      }
      chain.push([url, response.statusCode]);
      if (chain.length > MAX_REDIRECTS) throw new RedirectCycleError(`there are more than ${MAX_REDIRECTS} redirects`);
      const again = response.statusCode === 307 || response.statusCode === 308;
      if (!again && method !== "HEAD") method = "GET";
      const { secure: _, contentType: __, ...plain } = rest;
      response = await this.#request(method, url, again ? data : null, again ? rest : plain, chain);
    }
    return response;
  }

  async #request(
    method: string,
    path: string,
    data: RequestData,
    options: ClientRequestOptions,
    redirectChain: ClientResponse["redirectChain"],
  ): Promise<ClientResponse> {
    const headers = new Headers(this.#headers);
    for (const [name, value] of fields(options.headers)) headers.set(name, value);
    if (this.cookies.size > 0) {
      const own = headers.get("Cookie");
      const all = Array.from(this.cookies, ([name, value]) => `${name}=${encodeURIComponent(value)}`);
      headers.set("Cookie", [...all, ...(own === null ? [] : [own])].join("; "));
    }
    const environ = environFor(this.handler.settings, method, path, data, { ...options, headers: [...headers] });
    if (!this.#enforceCsrfChecks) environ[DONT_ENFORCE_CSRF_CHECKS] = true;
    let request: HttpRequest | null = null;
    let thrown: { readonly error: unknown } | null = null;
    const listen: Receiver<{ readonly request: HttpRequest; readonly error: unknown }> = (_, args) => {
      if (args.request.environ === environ) thrown = { error: args.error };
    };
    gotRequestException.connect(listen, { sender: this.handler });
    try {
      const reply = await call(
        (environ, startResponse) => this.handler.run(environ, startResponse, (made) => void (request = made)),
        environ,
      );
      if (thrown !== null && this.#raiseRequestException) throw (thrown as { readonly error: unknown }).error;
      const response = new ClientResponse(
        request!,
        reply.status,
        reply.reason,
        new Headers(reply.headers.map(([name, value]): [string, string] => [name, value])),
        reply.bytes(),
        redirectChain,
        (thrown as { readonly error: unknown } | null)?.error,
      );
      this.#keepCookies(response.headers.getSetCookie());
      return response;
    } finally {
      gotRequestException.disconnect(listen, { sender: this.handler });
    }
  }

  #keepCookies(fields: readonly string[]): void {
    for (const field of fields) {
      const [pair, ...attributes] = field.split(";") as [string, ...string[]];
      const [[name, value] = ["", ""]] = Object.entries(parseCookie(pair));
      const of = (attribute: string): string | undefined =>
        attributes.map((one) => one.trim()).find((one) => one.toLowerCase().startsWith(`${attribute}=`))
          ?.slice(attribute.length + 1);
      const maxAge = of("max-age");
      const expires = of("expires");
      const gone = maxAge !== undefined
        ? Number(maxAge) <= 0
        : expires !== undefined && Date.parse(expires) <= Date.now();
      if (gone) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }
}

/** What a {@link Client} got. */
export class ClientResponse {
  /** The request that it answers: the last one, where redirects were followed. */
  readonly request: HttpRequest;
  readonly statusCode: number;
  readonly reasonPhrase: string;
  readonly headers: Headers;
  readonly content: Uint8Array;
  /** Where the redirects led that were followed, in order. */
  readonly redirectChain: readonly (readonly [url: string, status: number])[];
  /** What a view or middleware threw that made this a 500; undefined where nothing was (Django's exc_info). */
  readonly error: unknown;

  constructor(
    request: HttpRequest,
    statusCode: number,
    reasonPhrase: string,
    headers: Headers,
    content: Uint8Array,
    redirectChain: ClientResponse["redirectChain"],
    error: unknown,
  ) {
    this.request = request;
    this.statusCode = statusCode;
    this.reasonPhrase = reasonPhrase;
    this.headers = headers;
    this.content = content;
    this.redirectChain = redirectChain;
    this.error = error;
  }

  /** Where the response came from, absolute. */
  get url(): string {
    const { environ } = this.request;
    return new URL(environ["esgi.target"], `${environ["esgi.url_scheme"]}://${environ.HTTP_HOST}`).href;
  }

  /** What the URL led to; null where no pattern matched, or a middleware answered. */
  get resolverMatch(): ResolverMatch | null {
    return this.request.resolverMatch;
  }

  /** The content as UTF-8. */
  get text(): string {
    return new TextDecoder().decode(this.content);
  }

  /**
   * The content as JSON.
   *
   * @throws {TypeError} when the Content-Type is another one.
   * @throws {SyntaxError} when it is none.
   */
  json<T = unknown>(): T {
    const type = this.headers.get("Content-Type");
    if (!/^application\/(?:.+\+)?json\b/i.test(type ?? "")) {
      throw new TypeError(`the response is no JSON: its Content-Type is ${type ?? "absent"}`);
    }
    return JSON.parse(this.text) as T;
  }
}

function environFor(
  settings: Settings,
  method: string,
  path: string,
  data: RequestData,
  options: RequestOptions,
): Environ {
  const absolute = /^https?:\/\//i.test(path);
  const { body, contentType } = encode(data, options.contentType);
  const headers = [...fields(options.headers)];
  if (contentType !== null && !headers.some(([name]) => name.toLowerCase() === "content-type")) {
    headers.push(["Content-Type", contentType]);
  }
  return makeEnviron({
    method,
    path: absolute ? path : `http://${usualHost(settings)}${path}`,
    headers,
    body,
    scriptName: settings.FORCE_SCRIPT_NAME ?? "",
    ...(options.query === undefined ? {} : { query: options.query }),
    ...(options.secure === true ? { scheme: "https" } : {}),
    ...(options.environ === undefined ? {} : { environ: options.environ }),
  });
}

/** One that ALLOWED_HOSTS allows. (Django allows "testserver" while tests run.) */
function usualHost({ ALLOWED_HOSTS }: Settings): string {
  return ALLOWED_HOSTS.find((host) => host !== "*")?.replace(/^\./, "") ?? "localhost";
}

function fields(headers: RequestOptions["headers"]): FieldList {
  if (headers === undefined) return [];
  return Array.isArray(headers) ? headers as FieldList : Object.entries(headers);
}

function encode(data: RequestData, type: string | undefined): { body: RequestBody; contentType: string | null } {
  if (data === null) return { body: null, contentType: type ?? null };
  if (typeof data === "string" || data instanceof Uint8Array) {
    return { body: data, contentType: type ?? "application/octet-stream" };
  }
  // These tell their own.
  if (data instanceof FormData || data instanceof URLSearchParams) return { body: data, contentType: type ?? null };
  if (type !== undefined && /^application\/(?:.+\+)?json\b/i.test(type)) {
    return { body: JSON.stringify(data), contentType: type };
  }
  if (Array.isArray(data)) throw new TypeError('an array can be sent with contentType "application/json" only');
  const pairs = formPairs(data as Readonly<Record<string, unknown>>);
  if (type?.startsWith("application/x-www-form-urlencoded")) {
    return { body: new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])), contentType: type };
  }
  if (type !== undefined && type !== "multipart/form-data") {
    throw new TypeError(`an object cannot be sent as ${type}: give text or bytes`);
  }
  const form = new FormData();
  for (const [name, value] of pairs) {
    if (value instanceof Blob) form.append(name, value);
    else form.append(name, String(value));
  }
  return { body: form, contentType: null };
}

function formPairs(data: Readonly<Record<string, unknown>>): [name: string, value: FormValue][] {
  return Object.entries(data).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).map((value: unknown): [string, FormValue] => {
      if (value instanceof Blob || ["string", "number", "boolean"].includes(typeof value)) {
        return [name, value as FormValue];
      }
      // As Django says it: nobody knows how null is written in a form.
      throw new TypeError(
        `the field ${JSON.stringify(name)} is ${String(value)}, which no form can hold; leave it out`,
      );
    })
  );
}
