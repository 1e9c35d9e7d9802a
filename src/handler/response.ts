// What a view answers (Django's http/response.py): HttpResponse and its family, but for files (file_response.ts). A
// response is status, headers, cookies and content; toESGI() makes of it what startResponse and the server want.

import type { MaybePromise } from "../esgi/application.ts";
import type { Body, Chunk } from "../esgi/body.ts";
import type { Header, Headers } from "../esgi/environ.ts";
import { REASON_PHRASES } from "../esgi/reason_phrases.ts";
import { iterate } from "../esgi/reply.ts";
import { type CookieOptions, Morsel } from "./cookie.ts";
import { BadHeaderError, DisallowedRedirect } from "./exceptions.ts";
import type { HttpRequest } from "./request.ts";
import { type HeadersInit, ResponseHeaders } from "./response_headers.ts";
import type { Settings } from "./settings.ts";
import { getCookieSigner } from "./signing.ts";
import { isThenable } from "./thenable.ts";

/** What a whole response can be made from; an iterable is read, and closed, at once. Strings are sent as UTF-8. */
export type Content = Chunk | Iterable<Chunk>;

/** How a response differs from `200 OK` with HTML. */
export interface HttpResponseInit {
  /** The Content-Type field. Default: `headers`' own, or `text/html` with `charset`. */
  readonly contentType?: string;
  /** 101, or 200 to 599. Default 200, or what the class is for. */
  readonly status?: number;
  /** The reason phrase. Default: the status's. */
  readonly reason?: string;
  /** Default: the one in the Content-Type, or "utf-8". In others, content is to be given as bytes. */
  readonly charset?: string;
  readonly headers?: HeadersInit;
}

/** A response as an ESGI application gives it. */
export interface ESGIResponse {
  /** For example `200 OK`. */
  readonly status: string;
  /** With one Set-Cookie for each cookie. */
  readonly headers: Headers;
  /** Closes the response where it has a `close()`; a whole one has none, and the handler closes the response. */
  readonly body: Body;
}

const encoder = new TextEncoder();
const DEFAULT_CONTENT_TYPE = "text/html; charset=utf-8";
const NO_COOKIES: ReadonlyMap<string, Morsel> = new Map();
const statusLines = new Map<number, string>();

/** A response whose content is there (Django's HttpResponse). */
export class HttpResponse {
  /** 101, or 200 to 599. */
  statusCode: number;
  readonly headers: ResponseHeaders;
  #reason: string | undefined;
  #charset: string | undefined;
  #cookies: Map<string, Morsel> | null = null;
  #closers: (() => unknown)[] | null = null;
  #closed = false;
  #content: Chunk = "";
  /** What was written since `#content` was put together. */
  #written: Chunk[] | null = null;

  /**
   * @throws {TypeError} when the content is of another kind, text is not to be UTF-8, or `contentType` is given twice.
   * @throws {BadHeaderError} for headers or a reason that would not pass.
   */
  constructor(content: Content = "", init: HttpResponseInit = {}) {
    this.statusCode = init.status ?? 200;
    this.#reason = init.reason;
    this.#charset = init.charset;
    this.headers = new ResponseHeaders(init.headers);
    if (init.contentType !== undefined) {
      if (init.headers !== undefined && this.headers.has("Content-Type")) {
        throw new TypeError("contentType is given, and headers have a Content-Type: give one of them");
      }
      this.headers.set("Content-Type", init.contentType);
    } else {
      this.headers.setDefault("Content-Type", this.defaultContentType());
    }
    if (content !== "") this.setContent(content);
  }

  /** True where the content is an iteration, which nobody can look into. */
  get streaming(): boolean {
    return false;
  }

  /** The words after the status code: those that were set, or the status's own. */
  get reasonPhrase(): string {
    return this.#reason ?? phraseOf(this.statusCode);
  }

  set reasonPhrase(reason: string) {
    this.#reason = reason;
  }

  /** The charset of the content: that of the Content-Type, or "utf-8". */
  get charset(): string {
    if (this.#charset !== undefined) return this.#charset;
    const type = this.headers.get("Content-Type");
    // Most types have no parameter, and the expression would be run for each response.
    if (type === DEFAULT_CONTENT_TYPE || type === null || !type.includes(";")) return "utf-8";
    return /;\s*charset=\s*"?([^\s;"]+)/i.exec(type)?.[1] ?? "utf-8";
  }

  /** The content in bytes: not to be changed. Setting it throws what the constructor throws. */
  get content(): Uint8Array {
    const content = this.#join();
    return typeof content === "string" ? encoder.encode(content) : content;
  }

  set content(content: Content) {
    this.setContent(content);
  }

  /** The content as text (Django 5.2's `text`). */
  get text(): string {
    const content = this.#join();
    return typeof content === "string" ? content : new TextDecoder(this.charset).decode(content);
  }

  /** @internal What the Content-Type is where nobody tells. */
  protected defaultContentType(): string {
    return this.#charset === undefined ? DEFAULT_CONTENT_TYPE : `text/html; charset=${this.#charset}`;
  }

  /** @internal Also for the constructor: a subclass that has no content of this kind overrides it. */
  protected setContent(content: Content): void {
    this.#written = null;
    if (typeof content === "string" || content instanceof Uint8Array) {
      this.#content = this.#checked(content);
      return;
    }
    this.#content = "";
    if (typeof content !== "object" || content === null || !(Symbol.iterator in content)) {
      throw new TypeError(
        `the content of a response is ${describe(content)}: give a string, bytes or an iterable of these; ` +
          "for data there is JsonResponse, for async iterables StreamingHttpResponse",
      );
    }
    try {
      for (const chunk of content) this.write(chunk);
    } finally {
      (content as { close?: () => unknown }).close?.();
    }
  }

  /** Adds to the content. */
  write(chunk: Chunk): void {
    (this.#written ??= []).push(this.#checked(chunk));
  }

  /** The content's length in bytes, which is where the next write() goes. */
  tell(): number {
    const content = this.#join();
    return typeof content === "string" ? utf8Length(content) : content.length;
  }

  /** A chunk that can be content of this response. */
  #checked(chunk: Chunk): Chunk {
    if (typeof chunk === "string") {
      const charset = this.charset;
      if (charset !== "utf-8" && !/^utf-?8$/i.test(charset)) {
        throw new TypeError(`text is sent as UTF-8, and the charset is ${charset}: encode the content, and give bytes`);
      }
    } else if (!(chunk instanceof Uint8Array)) {
      throw new TypeError(`a chunk of a response is ${describe(chunk)}, not a string or a Uint8Array`);
    }
    return chunk;
  }

  /** @internal The content as it is: text is not encoded. */
  get whole(): Chunk {
    return this.#join();
  }

  /** The content in one piece. */
  #join(): Chunk {
    if (this.#written === null) return this.#content;
    const parts = this.#content.length === 0 ? this.#written : [this.#content, ...this.#written];
    this.#written = null;
    return this.#content = parts.every((part) => typeof part === "string") ? parts.join("") : concat(parts);
  }

  /** The cookies that the response sets, by their names. To change one, set it again. */
  get cookies(): ReadonlyMap<string, Morsel> {
    return this.#cookies ?? NO_COOKIES;
  }

  /**
   * Sets a cookie. The value may be any text: what a cookie cannot hold is percent-encoded (see {@link Morsel}).
   *
   * @throws {BadHeaderError} that says why a browser would not take it.
   */
  setCookie(name: string, value = "", options: CookieOptions = {}): void {
    (this.#cookies ??= new Map()).set(name, new Morsel(name, value, options));
  }

  /**
   * Sets a cookie that nobody else can make; `request.getSignedCookie(name, { salt })` reads it. Everyone can read what it
   * says.
   *
   * @param settings has the SECRET_KEY: `request.settings`. There are no global settings.
   */
  async setSignedCookie(
    name: string,
    value: string,
    settings: Pick<Settings, "SECRET_KEY">,
    options: CookieOptions & { readonly salt?: string } = {},
  ): Promise<void> {
    const { salt = "", ...rest } = options;
    this.setCookie(name, await getCookieSigner(settings.SECRET_KEY, name + salt).sign(value), rest);
  }

  /** Removes a cookie from the browser. `path` and `domain` must be those with which it was set. */
  deleteCookie(name: string, options: Pick<CookieOptions, "path" | "domain" | "samesite"> = {}): void {
    // Browsers refuse what such a cookie is not allowed to be, even when it is to go.
    const secure = /^__(?:secure|host)-/i.test(name) || options.samesite === "None";
    this.setCookie(name, "", { ...options, secure, maxAge: 0, expires: new Date(0) });
  }

  /** Calls `closer` when the response is closed: when it has been sent, or cannot be. */
  addCloser(closer: () => unknown): void {
    (this.#closers ??= []).push(closer);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Releases what the response holds, once. What a closer throws is dropped, as in Django: the response has been sent, and
   * the other closers must have their turn. A promise is returned where a closer gave one.
   */
  close(): void | Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#closers !== null) return runClosers(this.#closers, 0);
  }

  /**
   * The response as ESGI has it, to be made once. `request` is the one that it answers.
   *
   * @throws {RangeError} for a status that is none.
   * @throws {BadHeaderError} for a reason phrase with controls.
   */
  toESGI(_request: HttpRequest): ESGIResponse {
    return this.withBody(this.#join());
  }

  /** @internal */
  protected withBody(body: Body): ESGIResponse {
    const code = this.statusCode;
    const status = this.#reason === undefined || this.#reason === ""
      ? statusLines.get(code) ?? makeStatusLine(code)
      : checkStatusLine(code, `${code} ${this.#reason}`);
    let headers = this.headers.entries();
    if (code === 204 || code === 304 || code < 200) headers = withoutContent(code, headers);
    if (this.#cookies !== null) {
      headers = [...headers, ...Array.from(this.#cookies.values(), (morsel): Header => ["Set-Cookie", String(morsel)])];
    }
    return { status, headers, body };
  }
}

/** "Unknown Status Code", as Django says, where a status has no phrase. */
function phraseOf(status: number): string {
  return REASON_PHRASES[status] ?? "Unknown Status Code";
}

function makeStatusLine(code: number): string {
  const line = checkStatusLine(code, `${code} ${phraseOf(code)}`);
  statusLines.set(code, line);
  return line;
}

function checkStatusLine(code: number, line: string): string {
  if (!Number.isInteger(code) || code > 599 || (code < 200 && code !== 101)) {
    throw new RangeError(`the status of a response is ${code}: it is 101, or an integer from 200 to 599`);
  }
  if (!/^\d{3} [\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/.test(line)) {
    throw new BadHeaderError(
      `the reason phrase ${JSON.stringify(line.slice(4))} has a control, a character beyond U+00FF, or outer space`,
    );
  }
  return line;
}

/** What ESGI forbids on a response without content (RFC 9110 §8.6, §15.3.5). A 304 may tell the length of a 200. */
function withoutContent(code: number, headers: Headers): Headers {
  return headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return lower !== "content-type" && (lower !== "content-length" || code === 304);
  });
}

async function finishClosers(
  pending: PromiseLike<unknown>,
  closers: readonly (() => unknown)[],
  next: number,
): Promise<void> {
  try {
    await pending;
  } catch {
    // See close().
  }
  await runClosers(closers, next);
}

function runClosers(closers: readonly (() => unknown)[], first: number): void | Promise<void> {
  for (let i = first; i < closers.length; i++) {
    try {
      const result = closers[i]!();
      if (isThenable(result)) return finishClosers(result, closers, i + 1);
    } catch {
      // See close().
    }
  }
}

/** What a streaming response can be made from. */
export type StreamingContent = Iterable<Chunk> | AsyncIterable<Chunk> | ReadableStream<Uint8Array>;

/**
 * A response whose content comes chunk by chunk, from anything that can be iterated; the next is asked for when the last
 * has been sent. It is an HttpResponse here, and not in Django, so that one type says what a view returns; but it has no
 * `content`.
 */
export class StreamingHttpResponse extends HttpResponse implements AsyncIterable<Chunk> {
  #source: Source;

  /** @throws {TypeError} when the content is whole: that is an HttpResponse's. */
  constructor(content: StreamingContent, init: HttpResponseInit = {}) {
    super("", init);
    this.#source = new Source(content);
  }

  override get streaming(): boolean {
    return true;
  }

  /**
   * The chunks in bytes, once. Middleware sets another iteration around them: the response releases both.
   */
  get streamingContent(): AsyncIterableIterator<Uint8Array> {
    return encoded(this.#source);
  }

  set streamingContent(content: StreamingContent) {
    this.#source = new Source(content, this.#source);
  }

  override get content(): never {
    throw new TypeError("a StreamingHttpResponse has no content: use streamingContent");
  }

  override set content(_content: Content) {
    throw new TypeError("a StreamingHttpResponse has no content: set streamingContent");
  }

  override get text(): never {
    throw new TypeError("a StreamingHttpResponse has no text: use streamingContent");
  }

  override write(_chunk: Chunk): never {
    throw new TypeError("a StreamingHttpResponse cannot be written to: use HttpResponse, or yield the chunk");
  }

  override tell(): never {
    throw new TypeError("a StreamingHttpResponse does not know its length");
  }

  [Symbol.asyncIterator](): AsyncIterator<Chunk> {
    return this.#source;
  }

  /** Releases the content, then what HttpResponse's close() does. */
  override close(): void | Promise<void> {
    if (this.closed) return;
    return finishClosers(this.#source.return(), [() => super.close()], 0);
  }

  override toESGI(_request: HttpRequest): ESGIResponse {
    return this.withBody(this);
  }
}

/** What a streaming response reads from: opened at the first chunk, released once. */
class Source implements AsyncIterator<Chunk, undefined> {
  readonly #content: StreamingContent;
  /** What `#content` reads from, where it was set around another. */
  readonly #inner: Source | null;
  #iterator: Iterator<Chunk> | AsyncIterator<Chunk> | null = null;
  /** The iterator has ended or failed, and wants no return(). */
  #over = false;
  #released: Promise<IteratorResult<Chunk, undefined>> | null = null;

  constructor(content: StreamingContent, inner: Source | null = null) {
    if (
      typeof content !== "object" || content === null || content instanceof Uint8Array ||
      !(Symbol.asyncIterator in content || Symbol.iterator in content || "getReader" in content)
    ) {
      throw new TypeError(
        `the content of a StreamingHttpResponse is ${describe(content)}: give an iterable, an async iterable or a ` +
          "ReadableStream; what is whole goes to HttpResponse",
      );
    }
    this.#content = content;
    this.#inner = inner;
  }

  async next(): Promise<IteratorResult<Chunk, undefined>> {
    if (this.#over || this.#released !== null) return { done: true, value: undefined };
    try {
      const result = await (this.#iterator ??= iterate(this.#content)).next();
      if (result.done !== true) return result;
    } catch (error) {
      this.#over = true;
      throw error;
    }
    this.#over = true;
    return { done: true, value: undefined };
  }

  /** Releases the content, and what it was set around. Never rejects: see HttpResponse.close(). */
  return(): Promise<IteratorResult<Chunk, undefined>> {
    return this.#released ??= this.#release();
  }

  async #release(): Promise<IteratorResult<Chunk, undefined>> {
    // Both at once: the outer may be waiting for a chunk of the inner, which will never come.
    await Promise.all([this.#releaseContent(), this.#inner?.return()]);
    return { done: true, value: undefined };
  }

  async #releaseContent(): Promise<void> {
    try {
      if (!this.#over) await (this.#iterator ?? iterate(this.#content)).return?.();
    } catch {
      // Also a stream that somebody else reads.
    }
    try {
      await (this.#content as { close?: () => unknown }).close?.();
    } catch {
      // See HttpResponse.close().
    }
  }
}

/** An iteration in bytes, that releases its source. */
function encoded(source: Source): AsyncIterableIterator<Uint8Array> {
  return {
    async next(): Promise<IteratorResult<Uint8Array>> {
      const result = await source.next();
      if (result.done === true) return result;
      return { done: false, value: typeof result.value === "string" ? encoder.encode(result.value) : result.value };
    },
    async return(): Promise<IteratorResult<Uint8Array>> {
      await source.return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
      return this;
    },
  };
}

/** A response that is rendered after the middleware has seen it (Django's SimpleTemplateResponse and TemplateResponse). */
export class DeferredResponse<Context = unknown> extends HttpResponse {
  /** Makes the content of `contextData`. */
  template: (contextData: Context) => MaybePromise<Content>;
  /** What the template is given; `processTemplateResponse` may add to it. */
  contextData: Context;
  #rendered = false;
  #callbacks: ((response: this) => unknown)[] = [];

  constructor(
    template: (contextData: Context) => MaybePromise<Content>,
    contextData: Context,
    init: HttpResponseInit = {},
  ) {
    super("", init);
    this.template = template;
    this.contextData = contextData;
  }

  get isRendered(): boolean {
    return this.#rendered;
  }

  /** Calls `callback` once the response is rendered; at once where it is. */
  addPostRenderCallback(callback: (response: this) => unknown): void {
    if (this.#rendered) callback(this);
    else this.#callbacks.push(callback);
  }

  /** Renders, the first time; resolves to the response itself. */
  async render(): Promise<this> {
    if (this.#rendered) return this;
    this.content = await this.template(this.contextData);
    for (const callback of this.#callbacks.splice(0)) await callback(this);
    return this;
  }

  override get content(): Uint8Array {
    this.#checkRendered();
    return super.content;
  }

  /** Setting the content renders, too: the template is not asked. */
  override set content(content: Content) {
    super.content = content;
    this.#rendered = true;
  }

  override get text(): string {
    this.#checkRendered();
    return super.text;
  }

  override toESGI(request: HttpRequest): ESGIResponse {
    this.#checkRendered();
    return super.toESGI(request);
  }

  #checkRendered(): void {
    if (!this.#rendered) throw new ContentNotRenderedError("the response is not rendered: call render() before this");
  }
}

/** The content of a {@link DeferredResponse} was asked for too early. */
export class ContentNotRenderedError extends Error {
  override readonly name: string = "ContentNotRenderedError";
}

// --- redirects

/** How a redirect differs from the usual one. */
export interface RedirectInit extends HttpResponseInit {
  /** The client is to repeat its request, method and body, there: 307 or 308 (Django 5.2). Default false. */
  readonly preserveRequest?: boolean;
}

/** Schemes to which a redirect may lead; `javascript:` and `data:` would run as ours. */
const ALLOWED_SCHEMES: ReadonlySet<string> = new Set(["http", "https", "ftp"]);

/** What 302 and 301 have in common (Django's HttpResponseRedirectBase). */
class HttpResponseRedirectBase extends HttpResponse {
  /** @throws {DisallowedRedirect} for a URL with another scheme than http, https and ftp. */
  constructor(redirectTo: string | URL, status: number, init: RedirectInit) {
    super("", { status, ...init });
    const url = String(redirectTo);
    // As a browser reads it: without what it strips (WHATWG URL, "basic URL parser").
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url.replace(/[\t\r\n]/g, "").replace(/^[\x00-\x20]+/, ""))?.[1];
    if (scheme !== undefined && !ALLOWED_SCHEMES.has(scheme.toLowerCase())) {
      throw new DisallowedRedirect(`unsafe redirect to a URL with the scheme ${JSON.stringify(scheme)}`);
    }
    this.headers.set("Location", iriToURI(url));
  }

  /** Where it leads, as it is sent. */
  get url(): string {
    return this.headers.get("Location") ?? "";
  }
}

/** 302, or 307 with `preserveRequest`. */
export class HttpResponseRedirect extends HttpResponseRedirectBase {
  constructor(redirectTo: string | URL, init: RedirectInit = {}) {
    super(redirectTo, init.preserveRequest === true ? 307 : 302, init);
  }
}

/** 301, or 308 with `preserveRequest`. */
export class HttpResponsePermanentRedirect extends HttpResponseRedirectBase {
  constructor(redirectTo: string | URL, init: RedirectInit = {}) {
    super(redirectTo, init.preserveRequest === true ? 308 : 301, init);
  }
}

/** An IRI as a URI (RFC 3987 §3.1): escapes stay as they are, all else that a URI cannot hold is percent-encoded. */
export function iriToURI(iri: string): string {
  return encodeURI(iri.replace(/\p{Surrogate}/gu, "\ufffd")).replaceAll("%25", "%").replaceAll("%5B", "[").replaceAll(
    "%5D",
    "]",
  );
}

// --- the others, by their statuses

/** 304: has neither content nor Content-Type. */
export class HttpResponseNotModified extends HttpResponse {
  constructor(init: Omit<HttpResponseInit, "contentType"> = {}) {
    super("", { status: 304, ...init });
    this.headers.delete("Content-Type");
  }

  protected override setContent(content: Content): void {
    if (content !== "") throw new TypeError("a 304 (Not Modified) response has no content");
  }
}

/** 400. */
export class HttpResponseBadRequest extends HttpResponse {
  constructor(content: Content = "", init: HttpResponseInit = {}) {
    super(content, { status: 400, ...init });
  }
}

/** 403. */
export class HttpResponseForbidden extends HttpResponse {
  constructor(content: Content = "", init: HttpResponseInit = {}) {
    super(content, { status: 403, ...init });
  }
}

/** 404. */
export class HttpResponseNotFound extends HttpResponse {
  constructor(content: Content = "", init: HttpResponseInit = {}) {
    super(content, { status: 404, ...init });
  }
}

/** 405, with the methods that are permitted in Allow (RFC 9110 §15.5.6). */
export class HttpResponseNotAllowed extends HttpResponse {
  constructor(permittedMethods: readonly string[], content: Content = "", init: HttpResponseInit = {}) {
    super(content, { status: 405, ...init });
    this.headers.set("Allow", permittedMethods.join(", "));
  }
}

/** 410. */
export class HttpResponseGone extends HttpResponse {
  constructor(content: Content = "", init: HttpResponseInit = {}) {
    super(content, { status: 410, ...init });
  }
}

/** 500. */
export class HttpResponseServerError extends HttpResponse {
  constructor(content: Content = "", init: HttpResponseInit = {}) {
    super(content, { status: 500, ...init });
  }
}

/** Data as JSON. */
export class JsonResponse extends HttpResponse {
  /**
   * @param init `safe: false` lets the data be something else than an object, for example an array.
   * @throws {TypeError} when the data is no object, or JSON.stringify() makes nothing of it.
   */
  constructor(data: unknown, init: HttpResponseInit & { readonly safe?: boolean } = {}) {
    if (init.safe !== false && (typeof data !== "object" || data === null || Array.isArray(data))) {
      throw new TypeError(
        `the data of a JsonResponse is ${describe(data)}: to send others than objects, set safe: false`,
      );
    }
    const text = JSON.stringify(data) as string | undefined;
    if (text === undefined) throw new TypeError(`${describe(data)} has no JSON`);
    super(text, init);
  }

  protected override defaultContentType(): string {
    return "application/json";
  }
}

function concat(parts: readonly Chunk[]): Uint8Array {
  const chunks = parts.map((part) => typeof part === "string" ? encoder.encode(part) : part);
  const all = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Bytes of `text` in UTF-8; where it is short and ASCII, without encoding it. */
function utf8Length(text: string): number {
  if (text.length <= 256) {
    let i = 0;
    while (i < text.length && text.charCodeAt(i) < 0x80) i++;
    if (i === text.length) return i;
  }
  return encoder.encode(text).length;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  const name = value.constructor?.name ?? "Object";
  return name === "Object" ? "an object" : `a ${name}`;
}
