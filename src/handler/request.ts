// A request as views and middleware see it (Django's HttpRequest): a lazy view of the environ. Making one costs little, and
// nothing is parsed that nobody asks for; what needs the body is a promise.

import type { MaybePromise } from "../esgi/application.ts";
import type { Environ } from "../esgi/environ.ts";
import type { URLConf } from "./base.ts";
import { BadRequest, DisallowedHost } from "./exceptions.ts";
import { parseHeaderParameters } from "./header_parameters.ts";
import { isSameDomain } from "./http.ts";
import { HttpHeaders } from "./http_headers.ts";
import { closestRange, MediaType, parseAccept } from "./media_type.ts";
import { closeFiles, type Form, MultiPartParser } from "./multipart.ts";
import { parseCookie } from "./parse_cookie.ts";
import { MultiValueDict, QueryDict } from "./query_dict.ts";
import { RequestBody } from "./request_body.ts";
import type { Settings } from "./settings.ts";
import { BadSignature, getCookieSigner } from "./signing.ts";
import {
  type FileUploadHandler,
  MemoryFileUploadHandler,
  TemporaryFileUploadHandler,
  type UploadedFile,
} from "./uploads.ts";
import type { ResolverMatch } from "./urls/resolvers.ts";

/** How {@link HttpRequest.getSignedCookie} behaves. */
export interface SignedCookieOptions {
  /** Given instead of an error when the cookie is missing, forged or too old. */
  readonly default?: string | null;
  /** The salt that `setSignedCookie()` was given. Default "". */
  readonly salt?: string;
  /** Seconds since it was signed; default: any number. */
  readonly maxAge?: number;
}

const NO_FORM: Form = {
  post: new QueryDict(),
  files: new MultiValueDict<UploadedFile>().freeze(),
};

const NO_COOKIES: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** The hosts of a site under development that names none. */
const LOCAL_HOSTS: readonly string[] = [".localhost", "127.0.0.1", "[::1]"];

const HOST = /^([a-z0-9.-]+|\[[a-f0-9]*:[a-f0-9.:]+\])(?::[0-9]+)?$/;

/** See the file's head. */
export class HttpRequest {
  readonly environ: Environ;
  /** The settings of the Handler that has this request. */
  readonly settings: Settings;
  /** As received; methods are case-sensitive (RFC 9110 §9.1). */
  method: string;
  /** The path, decoded, with what is in front of the application: SCRIPT_NAME and PATH_INFO. */
  path: string;
  /** The path below the application, which starts with "/": what URL patterns are matched with. */
  pathInfo: string;
  /** Where the URL leads, once that is known. */
  resolverMatch: ResolverMatch | null = null;
  /** The URL patterns of this request, where a middleware wants others than ROOT_URLCONF. */
  urlconf: URLConf | null = null;
  /** What middleware hangs on the request: user, session, ... */
  state: Record<string, unknown> = {};

  #headers: HttpHeaders | null = null;
  #contentType: { readonly value: string; readonly parameters: Readonly<Record<string, string>> } | null = null;
  #get: QueryDict | null = null;
  #cookies: Readonly<Record<string, string>> | null = null;
  #acceptedTypes: readonly MediaType[] | null = null;
  #body: RequestBody | null = null;
  #form: Promise<Form> | null = null;
  #uploadHandlers: FileUploadHandler[] | null = null;

  constructor(environ: Environ, settings: Settings) {
    this.environ = environ;
    this.settings = settings;
    const pathInfo = environ.PATH_INFO || "/";
    this.method = environ.REQUEST_METHOD;
    this.path = environ.SCRIPT_NAME === "" ? pathInfo : environ.SCRIPT_NAME + pathInfo;
    this.pathInfo = pathInfo;
  }

  /** The environ, by Django's name. */
  get META(): Environ {
    return this.environ;
  }

  /** "https" or "http": as the header that SECURE_PROXY_SSL_HEADER names says, else as the server does. */
  get scheme(): "http" | "https" {
    const header = this.settings.SECURE_PROXY_SSL_HEADER;
    if (header !== null) {
      const said = (this.environ as unknown as Record<string, string | undefined>)[header[0]];
      // Of a chain of proxies the first speaks of the client.
      if (said !== undefined) return said.split(",", 1)[0]!.trim() === header[1] ? "https" : "http";
    }
    return this.environ["esgi.url_scheme"];
  }

  isSecure(): boolean {
    return this.scheme === "https";
  }

  get headers(): HttpHeaders {
    return this.#headers ??= new HttpHeaders(this.environ);
  }

  /** Aborted when the client has left or the request ran out of time. */
  get signal(): AbortSignal {
    return this.environ["esgi.signal"];
  }

  /** In lower case, without parameters; "" when there is none. */
  get contentType(): string {
    return this.#parseContentType().value;
  }

  /** The parameters of the Content-Type, by name in lower case. Without prototype. */
  get contentParams(): Readonly<Record<string, string>> {
    return this.#parseContentType().parameters;
  }

  #parseContentType(): { readonly value: string; readonly parameters: Readonly<Record<string, string>> } {
    return this.#contentType ??= parseHeaderParameters(this.environ.CONTENT_TYPE ?? "");
  }

  /** The charset of the body: the Content-Type's, where that is one, else DEFAULT_CHARSET. */
  get encoding(): string {
    const { charset } = this.contentParams;
    return charset !== undefined && isCharset(charset) ? charset : this.settings.DEFAULT_CHARSET;
  }

  /** The fields of the query. @throws {TooManyFieldsSent} when there are more than DATA_UPLOAD_MAX_NUMBER_FIELDS */
  get GET(): QueryDict {
    return this.#get ??= new QueryDict(this.environ.QUERY_STRING, {
      encoding: this.settings.DEFAULT_CHARSET,
      maxFields: this.settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,
    });
  }

  /** Malformed ones are left out. */
  get COOKIES(): Readonly<Record<string, string>> {
    const field = this.environ.HTTP_COOKIE;
    return this.#cookies ??= field === undefined ? NO_COOKIES : parseCookie(field);
  }

  /**
   * The fields of a form that was sent with POST, as application/x-www-form-urlencoded or multipart/form-data; empty for
   * any other request.
   *
   * Rejects with what says that the form is malformed or too large: {@link BadRequest}, `MultiPartParserError`,
   * `TooManyFieldsSent`, `TooManyFilesSent`, `RequestDataTooBig`, `UnreadablePostError`; with `RawPostDataException` after
   * {@link stream}.
   */
  get POST(): Promise<QueryDict> {
    return this.#loadForm().then(({ post }) => post);
  }

  /** The files of a multipart form. Rejects as {@link POST} does. */
  get FILES(): Promise<MultiValueDict<UploadedFile>> {
    return this.#loadForm().then(({ files }) => files);
  }

  #loadForm(): Promise<Form> {
    return this.#form ??= this.#parseForm();
  }

  async #parseForm(): Promise<Form> {
    if (this.method !== "POST") return NO_FORM;
    switch (this.contentType) {
      case "multipart/form-data": {
        const parser = new MultiPartParser(
          this.contentParams["boundary"],
          this.settings,
          this.uploadHandlers,
          this.encoding,
        );
        return await parser.parse(this.stream());
      }
      case "application/x-www-form-urlencoded": {
        const { charset } = this.contentParams;
        if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
          throw new BadRequest("an application/x-www-form-urlencoded body is UTF-8 (WHATWG URL §5)");
        }
        const post = new QueryDict(new TextDecoder().decode(await this.body), {
          maxFields: this.settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,
        });
        return { post, files: NO_FORM.files };
      }
      default:
        return NO_FORM;
    }
  }

  /**
   * What takes the files of a multipart form, each what the one before it leaves: in memory, then in FILE_UPLOAD_STORAGE
   * where there is one. A view may put its own in front, before it asks for POST or FILES.
   */
  get uploadHandlers(): FileUploadHandler[] {
    if (this.#uploadHandlers === null) {
      const { FILE_UPLOAD_MAX_MEMORY_SIZE, FILE_UPLOAD_STORAGE, FILE_UPLOAD_TEMP_DIR } = this.settings;
      this.#uploadHandlers = [new MemoryFileUploadHandler(FILE_UPLOAD_MAX_MEMORY_SIZE)];
      if (FILE_UPLOAD_STORAGE !== null) {
        this.#uploadHandlers.push(new TemporaryFileUploadHandler(FILE_UPLOAD_STORAGE, FILE_UPLOAD_TEMP_DIR));
      }
    }
    return this.#uploadHandlers;
  }

  set uploadHandlers(handlers: FileUploadHandler[]) {
    if (this.#form !== null) {
      throw new TypeError("uploadHandlers are set after POST or FILES was asked for: the form is read already");
    }
    this.#uploadHandlers = handlers;
  }

  /**
   * The body, whole.
   *
   * Rejects with `RequestDataTooBig` beyond DATA_UPLOAD_MAX_MEMORY_SIZE, `UnreadablePostError`, and `RawPostDataException`
   * after a multipart form or {@link stream}.
   */
  get body(): Promise<Uint8Array> {
    return this.#requestBody.bytes();
  }

  /** The body as JSON, in UTF-8 (RFC 8259). Rejects with {@link BadRequest} when it is none, and as {@link body} does. */
  async json<T = unknown>(): Promise<T> {
    const bytes = await this.body;
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new BadRequest("the body is not JSON in UTF-8 (RFC 8259)", { cause });
    }
  }

  /** The body as it comes, without a limit: for what is too large for memory. Once, but after {@link body}. */
  stream(): AsyncIterableIterator<Uint8Array> {
    return this.#requestBody.chunks();
  }

  get #requestBody(): RequestBody {
    return this.#body ??= new RequestBody(this.environ, this.settings.DATA_UPLOAD_MAX_MEMORY_SIZE);
  }

  /**
   * The host that the client asked for, with its port where it gave one.
   *
   * @throws {DisallowedHost} when it is not one of ALLOWED_HOSTS, or no host at all (RFC 9110 §7.2)
   */
  getHost(): string {
    const host = this.#rawHost();
    const { DEBUG, ALLOWED_HOSTS } = this.settings;
    const allowed = DEBUG && ALLOWED_HOSTS.length === 0 ? LOCAL_HOSTS : ALLOWED_HOSTS;
    const domain = domainOf(host);
    if (domain !== null && validateHost(domain, allowed)) return host;
    throw new DisallowedHost(
      `invalid Host ${JSON.stringify(host.slice(0, 255))}: ` +
        (domain === null
          ? "it is no host name and no address"
          : `if it is this site, add ${JSON.stringify(domain.slice(0, 255))} to ALLOWED_HOSTS`),
    );
  }

  #rawHost(): string {
    const environ = this.environ;
    if (this.settings.USE_X_FORWARDED_HOST && environ.HTTP_X_FORWARDED_HOST !== undefined) {
      return environ.HTTP_X_FORWARDED_HOST;
    }
    if (environ.HTTP_HOST !== undefined) return environ.HTTP_HOST;
    const port = this.getPort();
    return port === (this.isSecure() ? "443" : "80") ? environ.SERVER_NAME : `${environ.SERVER_NAME}:${port}`;
  }

  /** The port, in decimal, that the client asked: X-Forwarded-Port with USE_X_FORWARDED_PORT, else the server's. */
  getPort(): string {
    const forwarded = this.settings.USE_X_FORWARDED_PORT ? this.environ.HTTP_X_FORWARDED_PORT : undefined;
    return forwarded ?? this.environ.SERVER_PORT;
  }

  /** {@link path} and query, encoded as they stand in a URL. `forceAppendSlash` puts a "/" after the path. */
  getFullPath(forceAppendSlash = false): string {
    return this.#fullPath(this.path, forceAppendSlash);
  }

  /** {@link pathInfo} and query, encoded. */
  getFullPathInfo(forceAppendSlash = false): string {
    return this.#fullPath(this.pathInfo, forceAppendSlash);
  }

  #fullPath(path: string, forceAppendSlash: boolean): string {
    const query = this.environ.QUERY_STRING;
    return escapePath(path) + (forceAppendSlash && !path.endsWith("/") ? "/" : "") +
      (query === "" ? "" : `?${escapeQuery(query)}`);
  }

  /**
   * An absolute URI: `location`, resolved against that of this request (RFC 3986 §5, as the WHATWG URL Standard has it).
   * Default: that of this request, with its query.
   *
   * @throws {DisallowedHost} as {@link getHost} does
   * @throws {TypeError} when `location` is no URL
   */
  buildAbsoluteURI(location?: string): string {
    const origin = `${this.scheme}://${this.getHost()}`;
    // Not resolved: a path may begin with "//".
    if (location === undefined) return origin + this.getFullPath();
    // With ALLOWED_HOSTS "*" there are hosts that no URL has: 999.1.1.1.
    if (!URL.canParse(origin)) {
      throw new DisallowedHost(`invalid Host ${JSON.stringify(this.getHost())}: no URL has it`);
    }
    return new URL(location, origin + escapePath(this.path)).href;
  }

  /** The ranges of Accept, the best first, those that are refused (`q=0`) left out. Without the field: any type. */
  get acceptedTypes(): readonly MediaType[] {
    return this.#parseAccept().filter(({ quality }) => quality > 0).sort((a, b) => b.quality - a.quality);
  }

  #parseAccept(): readonly MediaType[] {
    return this.#acceptedTypes ??= parseAccept(this.environ.HTTP_ACCEPT ?? "*/*");
  }

  /**
   * True when the client takes `type`: the range that says most closely has no `q=0` (RFC 9110 §12.5.1; Django overlooks
   * what is refused).
   */
  accepts(type: string): boolean {
    return (closestRange(new MediaType(type), this.#parseAccept())?.quality ?? 0) > 0;
  }

  /** The one of `types` that the client likes best, of equal ones the first; null when it takes none. */
  getPreferredType(types: readonly string[]): string | null {
    let preferred: string | null = null;
    let best = 0;
    for (const type of types) {
      const quality = closestRange(new MediaType(type), this.#parseAccept())?.quality ?? 0;
      if (quality > best) {
        best = quality;
        preferred = type;
      }
    }
    return preferred;
  }

  /**
   * The value of a cookie that `response.setSignedCookie()` made.
   *
   * Rejects with {@link BadSignature} when there is no such cookie or it is forged, with its subclass `SignatureExpired`
   * when it is too old; but not with a `default`, which it gives then.
   */
  getSignedCookie(
    name: string,
    options: SignedCookieOptions & { readonly default: null },
  ): Promise<string | null>;
  getSignedCookie(name: string, options?: SignedCookieOptions & { readonly default?: string }): Promise<string>;
  async getSignedCookie(name: string, options: SignedCookieOptions = {}): Promise<string | null> {
    const { salt = "", maxAge = Infinity } = options;
    try {
      const cookie = this.COOKIES[name];
      if (cookie === undefined) throw new BadSignature(`there is no cookie ${JSON.stringify(name)}`);
      return await getCookieSigner(this.settings.SECRET_KEY, name + salt).unsign(cookie, { maxAge });
    } catch (error) {
      if (options.default !== undefined && error instanceof BadSignature) return options.default;
      throw error;
    }
  }

  /** Deletes the uploaded files. Called at the request's end by who made it. A promise only where there are files. */
  close(): MaybePromise<void> {
    return this.#form?.then(({ files }) => closeFiles(files), () => {});
  }

  /** `GET /path`. */
  toString(): string {
    return `${this.method} ${this.getFullPath()}`;
  }
}

/** The last host of {@link domainOf}: nearly all requests ask for the same one, and to read it takes 0.2 us. */
let known: { readonly host: string; readonly domain: string | null } = { host: "", domain: null };

/** The host without port, in lower case, or null when it is none; a dot at its end is not a part of the name. */
function domainOf(host: string): string | null {
  if (host !== known.host) known = { host, domain: readDomain(host) };
  return known.domain;
}

function readDomain(host: string): string | null {
  const match = HOST.exec(host.toLowerCase());
  if (match === null) return null;
  const domain = match[1]!;
  return domain.endsWith(".") ? domain.slice(0, -1) : domain;
}

/**
 * True when `host`, in lower case and without port, is one that the patterns of ALLOWED_HOSTS allow: the name itself,
 * `.example.com` for that and all below it, `*` for any (Django's validate_host).
 */
export function validateHost(host: string, allowed: readonly string[]): boolean {
  return host !== "" && allowed.some((pattern) => pattern === "*" || isSameDomain(host, pattern));
}

function isCharset(label: string): boolean {
  try {
    return new TextDecoder(label).encoding !== "";
  } catch {
    return false;
  }
}

/** A decoded path as RFC 3986 §3.3 has it (Django's escape_uri_path). */
function escapePath(path: string): string {
  return encodeURI(path).replace(/[;?=#]/g, encodeURIComponent);
}

/** A query is encoded already; what cannot stand in a URI is not left to those who parse it (Django's iri_to_uri). */
function escapeQuery(query: string): string {
  return query.replace(/[^\w\-.~/#%[\]=:;$&()+,!?*@']+/g, encodeURIComponent);
}
