// The specification of ESGI, executable: `validator(application)` is an application that checks every rule, on the
// server's side and on the application's. The text of SPEC.md is made from the `///` comments by scripts/spec.ts; a rule
// is `[id] (whose fault)` over the check that has the same id, and the script refuses a rule without its check.

/// # ESGI 1.0
///
/// The ECMAScript Server Gateway Interface: one call between an HTTP server and an application, the same on Node, Deno
/// and Bun. It is [PEP 3333](https://peps.python.org/pep-3333/) (WSGI) rethought for JavaScript; what is different says
/// why. MUST, MUST NOT, SHOULD and MAY are those of RFC 2119.
///
/// This text is generated from the comments in `src/esgi/validator.ts`, each of which stands over the code that checks it:
///
/// ```ts
/// import { validator } from "tricorn/testing";
/// export default validator(application);
/// ```
///
/// ## The call
///
/// ```ts
/// type Application = (environ: Environ, startResponse: StartResponse) => MaybePromise<Body>;
/// type StartResponse = (status: string, headers: readonly (readonly [string, string])[], error?: unknown) => void;
/// type Chunk = string | Uint8Array;
/// type Body =
///   | null
///   | Chunk
///   | Iterable<Chunk>
///   | AsyncIterable<Chunk>
///   | ReadableStream<Uint8Array>
///   | FileWrapper
///   | ((socket: Duplex) => MaybePromise<void>);
/// ```
///
/// For each request the server calls the application with an environ and `startResponse`. The application calls
/// `startResponse` with status and headers, and returns the body:
///
/// ```ts
/// export default function application(environ, startResponse) {
///   startResponse("200 OK", [["Content-Type", "text/plain"]]);
///   return `Hello, ${environ.PATH_INFO}\n`;
/// }
/// ```
///
/// It may be async, or a generator, in which case `startResponse` is called when the first chunk is asked for.
/// A middleware is an application around another one: `(inner: Application) => Application`.
///
/// ## The keys
///
/// | Key | Type | Meaning |
/// | --- | --- | --- |
/// | `REQUEST_METHOD` | string | As received; methods are case-sensitive |
/// | `SCRIPT_NAME` | string | Where the application is mounted: "" or a path |
/// | `PATH_INFO` | string | The rest of the path, percent-decoded as UTF-8; escapes that are not UTF-8 stay encoded |
/// | `QUERY_STRING` | string | What follows the first "?", encoded; "" when there is none |
/// | `CONTENT_TYPE` | string, may be absent | The Content-Type field |
/// | `CONTENT_LENGTH` | digits, may be absent | The Content-Length field |
/// | `SERVER_NAME` | string | The host that the client addressed, without port; IPv6 in brackets |
/// | `SERVER_PORT` | digits | The port that the client addressed |
/// | `SERVER_PROTOCOL` | string | `HTTP/1.0` or `HTTP/1.1` |
/// | `REMOTE_ADDR` | string | The client's IP address; "" when there is none (unix socket) |
/// | `REMOTE_PORT` | digits or "" | The client's port |
/// | `HTTP_*` | string, may be absent | A request field: name in upper case, "_" for "-" |
/// | `esgi.version` | `[1, 0]` | The version of this text |
/// | `esgi.url_scheme` | `"http"` or `"https"` | The scheme that the client used |
/// | `esgi.input` | `Input` | The request body |
/// | `esgi.errors` | `ErrorStream` | The server's error log: `write(text)`, `flush()` |
/// | `esgi.multithread` | boolean | Another thread may call the same application object at the same time |
/// | `esgi.multiprocess` | boolean | Another process may call an equal application at the same time |
/// | `esgi.run_once` | boolean | The application is called once in this process's life (CGI) |
/// | `esgi.target` | string | The request-target, exactly as received |
/// | `esgi.headers` | array of `[name, value]` | The request fields, exactly as received, in order |
/// | `esgi.signal` | `AbortSignal` | Aborted when the client has left or the request ran out of time |
/// | `esgi.file_wrapper` | function, may be absent | Makes a body of a file |
/// | `esgi.early_hints` | function, may be absent | Sends 103 Early Hints (RFC 8297) |
/// | `esgi.upgrade` | array of strings, may be absent | The protocols that the client offers to switch to |
/// | `esgi.tls` | `TlsInfo`, may be absent | Present on a TLS connection |
///
/// ## Differences from WSGI, and their reasons
///
/// - An application may be async, and a server waits only when a promise comes back: JavaScript has one thread, and a
///   synchronous application pays nothing for the others.
/// - A whole string or `Uint8Array` is a body: it is the common case, and the server knows its length. In WSGI a string
///   is an iterable of characters, and returning one a mistake.
/// - `startResponse` returns nothing. PEP 3333's `write()` existed for frameworks that could only push; a generator
///   does its work, with back-pressure: the next chunk is asked for when the last one has been written.
/// - `PATH_INFO` is UTF-8, not latin-1 in disguise: a JavaScript string need not hold bytes.
/// - The raw request travels too (`esgi.target`, `esgi.headers`), since `HTTP_*` loses order, case and duplicates.
/// - A field whose name has a "_" makes no key: `X_Real_IP` would be read as `X-Real-IP`, and spoof it.
/// - Repeated Cookie fields are joined with "; ", all others with ", " (RFC 9113 §8.2.3, RFC 9110 §5.3).
/// - `esgi.signal` tells that the client has left: WSGI's applications work on for nobody.
/// - Interim responses and protocol switches have keys of their own; in WSGI they need the server's private ones.
///
/// ## What no program can check from between the two
///
/// - The head MUST be sent with the first chunk that is not empty, or at the end of the body, and not before, so that an
///   error page may still replace it.
/// - The server MUST have written a chunk before it asks for the next, and MUST NOT change or hold back any.
/// - A body that ends before its Content-Length MUST NOT leave the connection in use.
/// - 100 Continue is the server's to send: at the first read of `esgi.input`, never before.
/// - `esgi.input` asks the client for more only as the application reads.
/// - A middleware MUST yield at least one chunk each time the inner application does, and MUST close the body of the
///   inner application when its own is closed.

import type { Application, StartResponse } from "./application.ts";
import { FileWrapper } from "./body.ts";
import type { Body, Chunk, Duplex, Upgraded } from "./body.ts";
import type { Environ, ErrorStream, Header, Headers } from "./environ.ts";
import type { Input } from "./input.ts";
import { checkStatus, isBodyless, isHopByHop, isToken, show } from "./reply.ts";
import { decodePath, fieldKeys, splitTarget } from "./request.ts";

/** Whose code has to change. */
export type Fault = "server" | "application";

/** A rule of SPEC.md was broken. */
export class ESGIViolation extends Error {
  override readonly name = "ESGIViolation";
  /** The rule's id in SPEC.md. */
  readonly rule: string;
  readonly fault: Fault;

  constructor(fault: Fault, rule: string, message: string, options?: ErrorOptions) {
    super(`${fault}: ${message} [${rule}]`, options);
    this.rule = rule;
    this.fault = fault;
  }
}

export interface ValidatorOptions {
  /**
   * True when the environ comes from the server unchanged: then its CGI keys must say what `esgi.target` and
   * `esgi.headers` say. Default false, since middleware may change an environ.
   */
  readonly pristine?: boolean;
  /** Told of each violation before it is thrown, as an application may catch it, and of those that nobody can be thrown. */
  readonly onViolation?: (violation: ESGIViolation) => void;
}

/**
 * An application that does what `application` does, and throws {@link ESGIViolation} into the first side that notices
 * when either side breaks a rule. A body that is garbage-collected unclosed is told to `onViolation` and `esgi.errors`.
 *
 * @throws {ESGIViolation} when `application` is no function.
 */
export function validator(application: Application, options: ValidatorOptions = {}): Application {
  const seen = new WeakSet<object>();
  const outer: Validation = new Validation(options);
  /// ## The application
  ///
  /// [application-callable] (application) An application MUST be a function. (WSGI takes any callable object; in
  /// JavaScript only functions are.)
  outer.check(typeof application === "function", "application", "application-callable", `${show(application)} is none`);

  return (...parameters: unknown[]) => {
    /// [call-arguments] (server) The application MUST be called with exactly two arguments.
    outer.check(parameters.length === 2, "server", "call-arguments", `called with ${parameters.length} arguments`);
    const [environ, startResponse] = parameters as [Environ, StartResponse];
    /// [call-start-response] (server) The second argument MUST be a function.
    outer.check(typeof startResponse === "function", "server", "call-start-response", `got ${show(startResponse)}`);
    checkEnviron(outer, environ);
    /// [environ-fresh] (server) Each request MUST have an environ of its own, so that what an application leaves in it
    /// does not reach the next client.
    outer.check(!seen.has(environ), "server", "environ-fresh", "the environ of an earlier request came again");
    seen.add(environ);
    if (options.pristine === true) checkPristine(outer, environ);

    const validation = new Validation(options, environ);
    environ["esgi.input"] = new CheckedInput(validation, environ["esgi.input"], environ.CONTENT_LENGTH);
    environ["esgi.errors"] = new CheckedErrors(validation, environ["esgi.errors"]);
    wrapPowers(validation, environ);
    const body = application(environ, validation.startResponse(startResponse));
    return isPromise(body) ? body.then((body) => wrapBody(validation, body)) : wrapBody(validation, body as Body);
  };
}

const encoder = new TextEncoder();
const VISIBLE = /^[^\x00-\x20\x7f]*$/;
const DIGITS = /^[0-9]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const REQUIRED = [
  "REQUEST_METHOD",
  "SCRIPT_NAME",
  "PATH_INFO",
  "QUERY_STRING",
  "SERVER_NAME",
  "SERVER_PORT",
  "SERVER_PROTOCOL",
  "REMOTE_ADDR",
  "REMOTE_PORT",
  "esgi.version",
  "esgi.url_scheme",
  "esgi.input",
  "esgi.errors",
  "esgi.multithread",
  "esgi.multiprocess",
  "esgi.run_once",
  "esgi.target",
  "esgi.headers",
  "esgi.signal",
] as const;

const OPTIONAL = ["esgi.file_wrapper", "esgi.early_hints", "esgi.upgrade", "esgi.tls"] as const;
const KNOWN: ReadonlySet<string> = new Set<string>([...REQUIRED, ...OPTIONAL]);

function checkEnviron(validation: Validation, environ: Environ): void {
  const server = (holds: boolean, rule: string, message: string): void =>
    validation.check(holds, "server", rule, message);
  /// ## The environ
  ///
  /// [environ-plain] (server) The environ MUST be an object whose every key is its own and enumerable, so that
  /// `{ ...environ }` is a whole environ. (WSGI wants a builtin dict, for the same reason.)
  server(
    typeof environ === "object" && environ !== null && !Array.isArray(environ) && holdsItsKeys(environ),
    "environ-plain",
    `the environ is ${show(environ)}`,
  );
  /// [environ-mutable] (server) An application or middleware may change, add and delete any key: the environ MUST be
  /// extensible, and each key configurable and writable (or have a setter, where a server makes its value late).
  server(
    Object.isExtensible(environ) &&
      Object.values(Object.getOwnPropertyDescriptors(environ)).every((property) =>
        property.configurable === true && (property.writable === true || property.set !== undefined)
      ),
    "environ-mutable",
    "the environ, or one of its keys, cannot be changed",
  );
  for (const key of REQUIRED) {
    /// [environ-required] (server) These keys MUST be there: `REQUEST_METHOD`, `SCRIPT_NAME`, `PATH_INFO`,
    /// `QUERY_STRING`, `SERVER_NAME`, `SERVER_PORT`, `SERVER_PROTOCOL`, `REMOTE_ADDR`, `REMOTE_PORT`, `esgi.version`,
    /// `esgi.url_scheme`, `esgi.input`, `esgi.errors`, `esgi.multithread`, `esgi.multiprocess`, `esgi.run_once`,
    /// `esgi.target`, `esgi.headers`, `esgi.signal`. (WSGI lets `SCRIPT_NAME`, `PATH_INFO` and `QUERY_STRING` be absent
    /// when empty; every reader had to write a default.)
    server(key in environ, "environ-required", `${key} is absent`);
  }
  for (const [key, value] of Object.entries(environ)) {
    if (key.startsWith("HTTP_") || !key.includes(".")) {
      /// [environ-strings] (server) The value of a key without a dot MUST be a string. What is not known is absent, not
      /// undefined, so that `in` tells.
      server(typeof value === "string", "environ-strings", `${key} is ${show(value)}`);
    }
    if (key.startsWith("HTTP_")) {
      /// [environ-field-key] (server) The name of an `HTTP_*` key MUST be in upper case, with "_" for "-".
      server(/^HTTP_[^a-z-]+$/.test(key), "environ-field-key", `there is ${key}`);
    }
    if (key.startsWith("esgi.")) {
      /// [environ-esgi-keys] (server) Keys that start with `esgi.` MUST be this text's. A server's own key starts with its
      /// name and a dot: `tricorn.worker`.
      server(KNOWN.has(key), "environ-esgi-keys", `there is no ${key}`);
    }
  }
  /// [environ-no-http-content] (server) There MUST NOT be an `HTTP_CONTENT_TYPE` or `HTTP_CONTENT_LENGTH`: they have
  /// their own keys.
  server(
    !("HTTP_CONTENT_TYPE" in environ) && !("HTTP_CONTENT_LENGTH" in environ),
    "environ-no-http-content",
    "there is an HTTP_CONTENT_*",
  );
  /// [environ-method] (server) `REQUEST_METHOD` MUST be a token (RFC 9110 §9.1).
  server(isToken(environ.REQUEST_METHOD), "environ-method", `it is ${show(environ.REQUEST_METHOD)}`);
  const { SCRIPT_NAME, PATH_INFO } = environ;
  /// [environ-script-name] (server) `SCRIPT_NAME` MUST be "" or start with "/", and not end with "/".
  server(/^(?:\/.*[^/])?$/s.test(SCRIPT_NAME), "environ-script-name", `it is ${show(SCRIPT_NAME)}`);
  /// [environ-path-info] (server) `PATH_INFO` MUST be "" or start with "/".
  server(/^(?:\/.*)?$/s.test(PATH_INFO), "environ-path-info", `it is ${show(PATH_INFO)}`);
  /// [environ-query-string] (server) `QUERY_STRING` MUST NOT have spaces or control characters: it is still encoded.
  server(VISIBLE.test(environ.QUERY_STRING), "environ-query-string", `it is ${show(environ.QUERY_STRING)}`);
  /// [environ-server-name] (server) `SERVER_NAME` MUST be a host without port: not empty, IPv6 in brackets.
  server(
    /^(?:\[[^\][/\s]+\]|[^:/\][\s]+)$/.test(environ.SERVER_NAME),
    "environ-server-name",
    `it is ${show(environ.SERVER_NAME)}`,
  );
  /// [environ-server-port] (server) `SERVER_PORT` MUST be decimal digits, up to 65535.
  server(
    DIGITS.test(environ.SERVER_PORT) && Number(environ.SERVER_PORT) <= 65_535,
    "environ-server-port",
    `it is ${show(environ.SERVER_PORT)}`,
  );
  /// [environ-server-protocol] (server) `SERVER_PROTOCOL` MUST be `HTTP/1.0` or `HTTP/1.1`.
  server(
    /^HTTP\/1\.[01]$/.test(environ.SERVER_PROTOCOL),
    "environ-server-protocol",
    `it is ${show(environ.SERVER_PROTOCOL)}`,
  );
  /// [environ-remote-addr] (server) `REMOTE_ADDR` MUST be an IP address without brackets, zone or port, or "".
  server(
    /^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*|)$/.test(environ.REMOTE_ADDR),
    "environ-remote-addr",
    `it is ${show(environ.REMOTE_ADDR)}`,
  );
  /// [environ-remote-port] (server) `REMOTE_PORT` MUST be decimal digits, or "".
  server(/^[0-9]*$/.test(environ.REMOTE_PORT), "environ-remote-port", `it is ${show(environ.REMOTE_PORT)}`);
  /// [environ-content-length] (server) `CONTENT_LENGTH` MUST be decimal digits, or absent. (In WSGI it may be empty.)
  server(
    environ.CONTENT_LENGTH === undefined || DIGITS.test(environ.CONTENT_LENGTH),
    "environ-content-length",
    `it is ${show(environ.CONTENT_LENGTH)}`,
  );
  const version: unknown = environ["esgi.version"];
  /// [esgi-version] (server) `esgi.version` MUST be the array `[1, 0]`.
  server(
    Array.isArray(version) && version.length === 2 && version[0] === 1 && version[1] === 0,
    "esgi-version",
    `it is ${show(version)}`,
  );
  /// [esgi-url-scheme] (server) `esgi.url_scheme` MUST be "http" or "https".
  server(
    environ["esgi.url_scheme"] === "http" || environ["esgi.url_scheme"] === "https",
    "esgi-url-scheme",
    `it is ${show(environ["esgi.url_scheme"])}`,
  );
  for (const key of ["esgi.multithread", "esgi.multiprocess", "esgi.run_once"] as const) {
    /// [esgi-flags] (server) `esgi.multithread`, `esgi.multiprocess` and `esgi.run_once` MUST be booleans.
    server(typeof environ[key] === "boolean", "esgi-flags", `${key} is ${show(environ[key])}`);
  }
  const target: unknown = environ["esgi.target"];
  /// [esgi-target] (server) `esgi.target` MUST be a string as it may stand in a request line: not empty, without spaces.
  server(typeof target === "string" && target !== "" && VISIBLE.test(target), "esgi-target", `it is ${show(target)}`);
  /// [environ-one-path] (server) `SCRIPT_NAME` and `PATH_INFO` MUST NOT both be empty, but for a target without a path:
  /// OPTIONS of the whole server, and CONNECT.
  server(
    SCRIPT_NAME !== "" || PATH_INFO !== "" || environ.REQUEST_METHOD === "CONNECT" ||
      environ.REQUEST_METHOD === "OPTIONS",
    "environ-one-path",
    "both are empty",
  );
  /// [esgi-headers] (server) `esgi.headers` MUST be an array of `[name, value]`, each a string, the name a token, the
  /// value without CR, LF and NUL.
  server(
    isHeaders(environ["esgi.headers"], /^[^\r\n\0]*$/),
    "esgi-headers",
    `it is ${show(environ["esgi.headers"])}`,
  );
  const signal: unknown = environ["esgi.signal"];
  /// [esgi-signal] (server) `esgi.signal` MUST be an AbortSignal. It may be an accessor: few applications look at it.
  server(isSignal(signal), "esgi-signal", `it is ${show(signal)}`);
  /// [esgi-input] (server) `esgi.input` MUST have the methods `read`, `bytes`, `text`, `json` and `stream`, be
  /// async-iterable, and have the array `trailers`. (WSGI's has lines; bodies are seldom text today.)
  server(
    hasMethods(environ["esgi.input"], ["read", "bytes", "text", "json", "stream", Symbol.asyncIterator]) &&
      Array.isArray(environ["esgi.input"].trailers),
    "esgi-input",
    `it is ${show(environ["esgi.input"])}`,
  );
  /// [esgi-errors] (server) `esgi.errors` MUST have the methods `write` and `flush`.
  server(
    hasMethods(environ["esgi.errors"], ["write", "flush"]),
    "esgi-errors",
    `it is ${show(environ["esgi.errors"])}`,
  );
  for (const key of OPTIONAL) {
    /// [esgi-absent-powers] (server) A power that the server lacks MUST be a key that is absent, not one that is
    /// undefined or null.
    server(!(key in environ) || (environ[key] ?? null) !== null, "esgi-absent-powers", `${key} is ${environ[key]}`);
  }
  for (const key of ["esgi.file_wrapper", "esgi.early_hints"] as const) {
    /// [esgi-functions] (server) `esgi.file_wrapper` and `esgi.early_hints` MUST be functions.
    server(
      !(key in environ) || typeof environ[key] === "function",
      "esgi-functions",
      `${key} is ${show(environ[key])}`,
    );
  }
  const offered: unknown = environ["esgi.upgrade"];
  /// [esgi-upgrade] (server) `esgi.upgrade` MUST be an array of one or more strings.
  server(
    offered === undefined ||
      (Array.isArray(offered) && offered.length > 0 &&
        offered.every((name) => typeof name === "string" && name !== "")),
    "esgi-upgrade",
    `it is ${show(offered)}`,
  );
  const tls: unknown = environ["esgi.tls"];
  /// [esgi-tls] (server) `esgi.tls` MUST be an object; its `protocol`, `serverName` and `peerCertificate` are strings
  /// where they are known.
  server(
    tls === undefined ||
      (typeof tls === "object" && ["protocol", "serverName", "peerCertificate"].every((key) => {
        const value = (tls as Record<string, unknown>)[key];
        return value === undefined || typeof value === "string";
      })),
    "esgi-tls",
    `it is ${show(tls)}`,
  );
}

/** Whether the CGI keys say what the raw request says; middleware may have made them say otherwise. */
function checkPristine(validation: Validation, environ: Environ): void {
  const server = (holds: boolean, rule: string, message: string): void =>
    validation.check(holds, "server", rule, message);
  /// ### As the server made it
  ///
  /// The rules of this part bind the server, and are checked with the option `pristine`: middleware may change the keys.
  const target = splitTarget(environ.REQUEST_METHOD, environ["esgi.target"]);
  const keys = fieldKeys(environ["esgi.headers"]);
  if (target.authority !== null) keys.HTTP_HOST = target.authority;
  for (const key of Object.keys(environ)) {
    if (!key.startsWith("HTTP_") && key !== "CONTENT_TYPE" && key !== "CONTENT_LENGTH") continue;
    /// [pristine-no-others] (server) There MUST NOT be an `HTTP_*`, `CONTENT_TYPE` or `CONTENT_LENGTH` without its
    /// field; a field whose name has a "_" makes none.
    server(key in keys, "pristine-no-others", `${key} is ${show(environ[key as "HTTP_X"])}`);
  }
  for (const [key, value] of Object.entries(keys)) {
    const actual = environ[key as "HTTP_X"];
    /// [pristine-fields] (server) Each field without a "_" in its name MUST make its key, the values of repeated ones
    /// joined with ", ", those of Cookie with "; ". Where the target has an authority, that is `HTTP_HOST` (RFC 9112
    /// §3.2.2).
    server(actual === value, "pristine-fields", `${key} is ${show(actual)}, and the fields say ${show(value)}`);
  }
  const path = environ.SCRIPT_NAME + environ.PATH_INFO;
  /// [pristine-path] (server) `SCRIPT_NAME` and `PATH_INFO` together MUST be the target's path, percent-decoded as UTF-8,
  /// escapes that are not UTF-8 kept.
  server(path === decodePath(target.path), "pristine-path", `it is ${show(path)} for ${show(environ["esgi.target"])}`);
  /// [pristine-query] (server) `QUERY_STRING` MUST be what follows the target's first "?".
  server(environ.QUERY_STRING === target.query, "pristine-query", `it is ${show(environ.QUERY_STRING)}`);
}

/** What is known of one request and its response so far. */
class Validation {
  readonly method: string;
  readonly offered: readonly string[] | null;
  readonly #options: ValidatorOptions;
  readonly #errors: ErrorStream | null;
  code = 0;
  contentLength: number | null = null;
  hasContentType = false;
  /** Body bytes that the server was given. */
  bytes = 0;
  /** The server has taken a non-empty chunk and come back for more, so the head has gone. */
  sent = false;

  constructor(options: ValidatorOptions, environ?: Environ) {
    this.#options = options;
    this.#errors = environ?.["esgi.errors"] ?? null;
    this.method = environ?.REQUEST_METHOD ?? "";
    this.offered = environ?.["esgi.upgrade"] ?? null;
  }

  get started(): boolean {
    return this.code !== 0;
  }

  check(holds: boolean, fault: Fault, rule: string, message: string, cause?: unknown): asserts holds {
    if (holds) return;
    const violation = new ESGIViolation(fault, rule, message, cause === undefined ? undefined : { cause });
    this.#options.onViolation?.(violation);
    throw violation;
  }

  /** For what is found when nobody is there to throw it at. */
  tell(fault: Fault, rule: string, message: string): void {
    const violation = new ESGIViolation(fault, rule, message);
    this.#options.onViolation?.(violation);
    this.#errors?.write(`${violation.message}\n`);
  }

  startResponse(inner: StartResponse): StartResponse {
    /// ## startResponse
    return (...parameters: unknown[]) => {
      /// [start-arguments] (application) `startResponse` MUST be called with two or three arguments.
      this.check(
        parameters.length === 2 || parameters.length === 3,
        "application",
        "start-arguments",
        `called with ${parameters.length}`,
      );
      const [status, headers, error] = parameters as Parameters<StartResponse>;
      /// [start-again] (application) A second call MUST have `error`, what was thrown: a head is replaced for an error
      /// only. (WSGI's `exc_info`; JavaScript's errors carry their stack, so one value does.)
      this.check(!this.started || error !== undefined, "application", "start-again", "called again without an error");
      checkHead(this, status, headers);
      const { sent, started } = this;
      let thrown: { readonly error: unknown } | null = null;
      let result: unknown;
      try {
        result = parameters.length === 2 ? inner(status, headers) : inner(status, headers, error);
      } catch (error) {
        if (error instanceof ESGIViolation) throw error;
        thrown = { error };
      }
      if (started && sent) {
        /// [start-rethrows] (server) When the head has been sent, a call with `error` MUST throw that same value, so
        /// that an application which cannot be repaired stops.
        this.check(thrown?.error === error, "server", "start-rethrows", `threw ${show(thrown?.error)}`, thrown?.error);
        throw error;
      }
      if (started) {
        // Between a chunk and the server's asking for the next, both are right.
        if (this.bytes > 0 && thrown?.error === error) throw error;
        /// [start-replaces] (server) While no chunk that is not empty has been given, a call with `error` MUST replace
        /// status and headers.
        this.check(thrown === null, "server", "start-replaces", `threw ${show(thrown?.error)}`, thrown?.error);
      }
      /// [start-accepts] (server) A call that keeps these rules MUST NOT throw.
      this.check(thrown === null, "server", "start-accepts", `threw ${show(thrown?.error)}`, thrown?.error);
      /// [start-returns] (server) `startResponse` MUST return undefined. (WSGI returns `write()`, see above.)
      this.check(result === undefined, "server", "start-returns", `returned ${show(result)}`);
      this.code = Number(status.slice(0, 3));
      const length = headers.find(([name]) => name.toLowerCase() === "content-length");
      this.contentLength = length === undefined ? null : Number(length[1]);
      this.hasContentType = headers.some(([name]) => name.toLowerCase() === "content-type");
    };
  }

  /** A chunk is about to be given to the server. */
  give(chunk: unknown): void {
    /// ## The body
    ///
    /// [body-chunk] (application) Each chunk MUST be a string, which is sent as UTF-8, or a `Uint8Array`. (In WSGI only
    /// bytes are; UTF-8 is what everyone would write around each chunk.)
    this.check(
      typeof chunk === "string" || chunk instanceof Uint8Array,
      "application",
      "body-chunk",
      `the chunk is ${show(chunk)}`,
    );
    const size = typeof chunk === "string" ? encoder.encode(chunk).length : chunk.length;
    if (size === 0) return;
    this.checkStarted();
    /// [body-content-type] (application) A response with content MUST have a Content-Type. (WSGI wants one without
    /// content too; a redirect has nothing to describe.)
    this.check(this.hasContentType, "application", "body-content-type", "the body has no Content-Type");
    /// [body-forbidden] (application) A response with status 204, 205 or 304 MUST NOT have content (RFC 9110 §6.4.1).
    this.check(!isBodyless(this.code), "application", "body-forbidden", `a ${this.code} response has content`);
    this.bytes += size;
    /// [body-too-long] (application) A body MUST NOT be longer than its Content-Length. The server sends no byte more.
    this.check(
      this.contentLength === null || this.bytes <= this.contentLength,
      "application",
      "body-too-long",
      `${this.bytes} bytes or more, and the Content-Length is ${this.contentLength}`,
    );
  }

  /** The body has ended by itself. */
  end(): void {
    this.checkStarted();
    if (this.contentLength === null || this.method === "HEAD" || isBodyless(this.code)) return;
    /// [body-too-short] (application) A body MUST NOT be shorter than its Content-Length, but after HEAD and with 304.
    this.check(
      this.bytes >= this.contentLength,
      "application",
      "body-too-short",
      `${this.bytes} bytes, and the Content-Length is ${this.contentLength}`,
    );
  }

  checkStarted(): void {
    /// [body-start] (application) `startResponse` MUST have been called before the first chunk that is not empty, or the
    /// end of the body.
    this.check(this.started, "application", "body-start", "startResponse was not called");
    /// ## Switching protocols
    ///
    /// [upgrade-function] (application) A 101 response MUST have a function as its body: it is given the connection.
    this.check(this.code !== 101, "application", "upgrade-function", "the body of a 101 response is no function");
  }
}

function checkHead(validation: Validation, status: string, headers: Headers): void {
  const application = (holds: boolean, rule: string, message: string): void =>
    validation.check(holds, "application", rule, message);
  /// ## startResponse
  ///
  /// [start-status] (application) `status` MUST be three digits from 100 to 599, a space, and a reason without control
  /// characters and outer space: `"200 OK"`.
  application(!throws(() => checkStatus(status)), "start-status", `the status is ${show(status)}`);
  const code = Number(status.slice(0, 3));
  /// [start-interim] (application) `status` MUST NOT be 1xx, but for 101: interim responses are the server's, or
  /// `esgi.early_hints`'.
  application(code >= 200 || code === 101, "start-interim", `the status is ${show(status)}`);
  checkFields(validation, headers);
  let types = 0;
  let lengths = 0;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    /// [header-status] (application) There MUST NOT be a field `Status`: that is CGI's way to say what `status` says.
    application(lower !== "status", "header-status", "there is one");
    // "Upgrade" says which protocol was chosen, or which would be needed (RFC 9110 §15.2.2, §15.5.22).
    const switches = (code === 101 && (lower === "upgrade" || lower === "connection")) ||
      (code === 426 && lower === "upgrade");
    /// [header-hop-by-hop] (application) Hop-by-hop fields MUST NOT be used: `Connection`, `Keep-Alive`,
    /// `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade` (RFC 9110 §7.6.1). The connection is the
    /// server's. With 101 `Upgrade` and `Connection` may be, with 426 `Upgrade`.
    application(switches || !isHopByHop(name), "header-hop-by-hop", `there is ${name}`);
    if (lower === "content-type") types++;
    if (lower === "content-length") {
      lengths++;
      /// [header-content-length] (application) A Content-Length MUST be decimal digits.
      application(DIGITS.test(value), "header-content-length", `it is ${show(value)}`);
    }
  }
  /// [header-once] (application) There MUST NOT be two Content-Type or Content-Length fields.
  application(types <= 1 && lengths <= 1, "header-once", `there are ${types} and ${lengths}`);
  /// [header-length-forbidden] (application) A 1xx or 204 response MUST NOT have a Content-Length (RFC 9110 §8.6).
  application(
    lengths === 0 || (code >= 200 && code !== 204),
    "header-length-forbidden",
    `a ${code} response has a Content-Length`,
  );
  /// [header-type-forbidden] (application) A 1xx, 204 or 304 response MUST NOT have a Content-Type: it has no content.
  application(
    types === 0 || (code >= 200 && code !== 204 && code !== 304),
    "header-type-forbidden",
    `a ${code} response has a Content-Type`,
  );
  if (code !== 101) return;
  const chosen = headers.find(([name]) => name.toLowerCase() === "upgrade")?.[1];
  /// ## Switching protocols
  ///
  /// [upgrade-offered] (application) A 101 response MUST have an `Upgrade` field, which names one of `esgi.upgrade`
  /// (RFC 9110 §7.8). Where that key is absent there is nothing to switch to.
  application(
    chosen !== undefined && validation.offered?.some((name) => name.toLowerCase() === chosen.toLowerCase()) === true,
    "upgrade-offered",
    `Upgrade is ${show(chosen)}, and the client offers ${validation.offered?.join(", ") ?? "nothing"}`,
  );
}

/** Fields that an application sends, in a head or in early hints. */
function checkFields(validation: Validation, headers: Headers): void {
  const application = (holds: boolean, rule: string, message: string): void =>
    validation.check(holds, "application", rule, message);
  /// ## startResponse
  ///
  /// [headers-pairs] (application) Headers MUST be an array of `[name, value]`, both strings.
  application(
    Array.isArray(headers) &&
      headers.every((header: unknown) =>
        Array.isArray(header) && header.length === 2 && header.every((part) => typeof part === "string")
      ),
    "headers-pairs",
    `they are ${show(headers)}`,
  );
  for (const [name, value] of headers) {
    /// [header-name] (application) A field name MUST be a token (RFC 9110 §5.1).
    application(isToken(name), "header-name", `there is ${show(name)}`);
    /// [header-value] (application) A field value MUST NOT have control characters other than HTAB, nor characters above
    /// U+00FF: each becomes one byte (RFC 9110 §5.5).
    application(FIELD_VALUE.test(value), "header-value", `${name} is ${show(value)}`);
  }
}

function wrapBody(validation: Validation, body: Body): Body {
  /// ## The body
  ///
  /// [body-kind] (application) An application MUST return null, a string, a `Uint8Array`, an iterable, an async iterable,
  /// a `ReadableStream`, or a function, or a promise of one of these. Null is a body without bytes; undefined is a
  /// forgotten `return`.
  validation.check(isBody(body), "application", "body-kind", `it returned ${show(body)}`);
  if (typeof body === "function") return wrapUpgraded(validation, body);
  if (body === null || typeof body === "string" || body instanceof Uint8Array) {
    if (body !== null) validation.give(body);
    validation.end();
    return body;
  }
  // A generator has perhaps not started; this is the earliest that the others can be told.
  if (validation.code === 101) validation.checkStarted();
  const source = body as Source;
  if (body instanceof FileWrapper) return new FileWrapper(new CheckedAsyncBody(validation, source), body.chunkSize);
  if (typeof (body as ReadableStream).getReader === "function") {
    return wrapStream(validation, body as ReadableStream<Uint8Array>);
  }
  if (typeof source[Symbol.asyncIterator] === "function") {
    return hasMethods(source, ["close"]) ? new CheckedAsyncBody(validation, source) : withoutClose(validation, source);
  }
  return hasMethods(source, ["close"])
    ? new CheckedSyncBody(validation, source)
    : { [Symbol.iterator]: () => new CheckedSyncBody(validation, source)[Symbol.iterator]() };
}

/** An iterable body, of either kind, with or without `close()`. */
interface Source {
  [Symbol.iterator](): Iterator<Chunk>;
  [Symbol.asyncIterator](): AsyncIterator<Chunk>;
  close?(): unknown;
}

/** How far a server has come with a body; apart from the body, so that it outlives it (see `unclosed`). */
class Reading {
  readonly validation: Validation;
  readonly closable: boolean;
  iterated = false;
  pending = false;
  ended = false;
  returned = false;
  closed = false;

  constructor(validation: Validation, closable: boolean) {
    this.validation = validation;
    this.closable = closable;
  }

  iterate(): void {
    /// [body-iterated-once] (server) The server MUST NOT ask a body for more than one iterator.
    this.validation.check(!this.iterated, "server", "body-iterated-once", "it asked for a second one");
    this.iterated = true;
  }

  pull(): void {
    /// [body-after-close] (server) The server MUST NOT ask for a chunk after it has closed the body.
    this.validation.check(!this.closed && !this.returned, "server", "body-after-close", "it asked for one");
    /// [body-one-by-one] (server) The server MUST NOT ask for a chunk while it waits for the one before: the next is
    /// asked for when the last has been written.
    this.validation.check(!this.pending, "server", "body-one-by-one", "it asked for two at once");
    if (this.validation.bytes > 0) this.validation.sent = true;
    this.pending = true;
  }

  pulled(result: IteratorResult<unknown>): void {
    this.pending = false;
    if (result.done === true) {
      this.ended = true;
      this.validation.end();
    } else {
      this.validation.give(result.value);
    }
  }

  failed(): void {
    this.pending = false;
    this.ended = true;
  }

  return(): void {
    /// [body-return-once] (server) A body without `close()` MUST have its iterator's `return()` called when the server
    /// leaves it before its end, and never twice. (A generator cleans up there; Python's generators have `close()`.)
    this.validation.check(this.closable || !this.returned, "server", "body-return-once", "it called return() again");
    this.returned = true;
  }

  close(): void {
    /// [body-close-once] (server) The `close()` of a body that has one MUST be called exactly once, whatever happens: at
    /// the end, after an error, when the client has left.
    this.validation.check(!this.closed, "server", "body-close-once", "it called close() again");
    this.closed = true;
  }

  /** The body is gone: was it let go as it should? */
  collected(): void {
    if (this.closable && !this.closed) this.validation.tell("server", "body-close-once", "a body was never closed");
    if (!this.closable && this.iterated && !this.ended && !this.returned) {
      this.validation.tell("server", "body-return-once", "a body was left before its end without return()");
    }
  }
}

const unclosed = new FinalizationRegistry<Reading>((reading) => reading.collected());

class CheckedAsyncBody implements AsyncIterable<Chunk> {
  readonly #source: Source;
  readonly #reading: Reading;

  constructor(validation: Validation, source: Source) {
    this.#source = source;
    this.#reading = new Reading(validation, true);
    unclosed.register(this, this.#reading);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return checkedIterator(this.#reading, this.#source) as AsyncIterator<Uint8Array>;
  }

  close(): unknown {
    this.#reading.close();
    return this.#source.close?.();
  }
}

class CheckedSyncBody implements Iterable<Chunk> {
  readonly #source: Source;
  readonly #reading: Reading;

  constructor(validation: Validation, source: Source) {
    this.#source = source;
    const closable = hasMethods(source, ["close"]);
    this.#reading = new Reading(validation, closable);
    if (closable) unclosed.register(this, this.#reading);
  }

  [Symbol.iterator](): Iterator<Chunk> {
    const reading = this.#reading;
    reading.iterate();
    const inner = this.#source[Symbol.iterator]();
    const iterator: Iterator<Chunk> = {
      next() {
        reading.pull();
        let result: IteratorResult<Chunk>;
        try {
          result = inner.next();
        } catch (error) {
          reading.failed();
          throw error;
        }
        reading.pulled(result);
        return result;
      },
      return() {
        reading.return();
        return inner.return?.() ?? { done: true, value: undefined };
      },
    };
    if (!reading.closable) unclosed.register(iterator, reading);
    return iterator;
  }

  close(): unknown {
    this.#reading.close();
    return this.#source.close?.();
  }
}

function withoutClose(validation: Validation, source: Source): AsyncIterable<Chunk> {
  const reading = new Reading(validation, false);
  return {
    [Symbol.asyncIterator]() {
      const iterator = checkedIterator(reading, source);
      unclosed.register(iterator, reading);
      return iterator;
    },
  };
}

function checkedIterator(reading: Reading, source: Source): AsyncIterator<Chunk> {
  reading.iterate();
  const inner = source[Symbol.asyncIterator]();
  return {
    async next() {
      reading.pull();
      let result: IteratorResult<Chunk>;
      try {
        result = await inner.next();
      } catch (error) {
        reading.failed();
        throw error;
      }
      reading.pulled(result);
      return result;
    },
    async return() {
      reading.return();
      return await inner.return?.() ?? { done: true, value: undefined };
    },
  };
}

function wrapStream(validation: Validation, stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  /// [body-stream-unlocked] (application) A stream that is returned MUST NOT be locked: the server is its reader.
  validation.check(!stream.locked, "application", "body-stream-unlocked", "it is locked");
  const reader = stream.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (validation.bytes > 0) validation.sent = true;
      const result = await reader.read();
      if (result.done) {
        validation.end();
        controller.close();
      } else {
        validation.give(result.value);
        controller.enqueue(result.value);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

function wrapUpgraded(validation: Validation, upgraded: Upgraded): Upgraded {
  /// ## Switching protocols
  ///
  /// [upgrade-101] (application) A function MUST be returned only after `startResponse("101 Switching Protocols", ...)`.
  validation.check(validation.code === 101, "application", "upgrade-101", `the status is ${validation.code}`);
  let called = false;
  return (...parameters: unknown[]) => {
    /// [upgrade-once] (server) The function MUST be called at most once.
    validation.check(!called, "server", "upgrade-once", "it was called again");
    called = true;
    const socket = parameters[0];
    /// [upgrade-socket] (server) It MUST be called with one argument, which has the methods `read`, `write` and `end`, is
    /// async-iterable, and has an AbortSignal `signal`.
    validation.check(
      parameters.length === 1 && hasMethods(socket, ["read", "write", "end", Symbol.asyncIterator]) &&
        isSignal((socket as Duplex).signal),
      "server",
      "upgrade-socket",
      `it was called with ${parameters.map(show).join(", ")}`,
    );
    return upgraded(new CheckedDuplex(validation, socket as Duplex));
  };
}

class CheckedDuplex implements Duplex {
  readonly #validation: Validation;
  readonly #socket: Duplex;
  #reading = false;
  #peerEnded = false;
  #ended = false;

  constructor(validation: Validation, socket: Duplex) {
    this.#validation = validation;
    this.#socket = socket;
  }

  get signal(): AbortSignal {
    return this.#socket.signal;
  }

  async read(): Promise<Uint8Array | null> {
    /// [upgrade-one-reader] (application) `read()` MUST NOT be called while another `read()` waits.
    this.#validation.check(!this.#reading, "application", "upgrade-one-reader", "two read() at once");
    this.#reading = true;
    try {
      const chunk: unknown = await this.#socket.read();
      /// [upgrade-read] (server) `read()` MUST give a `Uint8Array` that is not empty, or null after the peer's end, and
      /// then null for ever.
      this.#validation.check(
        chunk === null || (!this.#peerEnded && chunk instanceof Uint8Array && chunk.length > 0),
        "server",
        "upgrade-read",
        `it gave ${show(chunk)}`,
      );
      if (chunk === null) this.#peerEnded = true;
      return chunk;
    } finally {
      this.#reading = false;
    }
  }

  write(chunk: Chunk): void | Promise<void> {
    /// [upgrade-write] (application) `write()` MUST be given a string or a `Uint8Array`.
    this.#validation.check(
      typeof chunk === "string" || chunk instanceof Uint8Array,
      "application",
      "upgrade-write",
      `it was given ${show(chunk)}`,
    );
    /// [upgrade-write-after-end] (application) `write()` MUST NOT be called after `end()`.
    this.#validation.check(!this.#ended, "application", "upgrade-write-after-end", "it was");
    const result: unknown = this.#socket.write(chunk);
    /// [upgrade-write-result] (server) `write()` MUST return undefined, or a promise: that means "wait".
    this.#validation.check(
      result === undefined || isPromise(result),
      "server",
      "upgrade-write-result",
      `it returned ${show(result)}`,
    );
    return result as void | Promise<void>;
  }

  end(): void {
    this.#ended = true;
    this.#socket.end();
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    for (;;) {
      const chunk = await this.read();
      if (chunk === null) return;
      yield chunk;
    }
  }
}

class CheckedErrors implements ErrorStream {
  readonly #validation: Validation;
  readonly #errors: ErrorStream;

  constructor(validation: Validation, errors: ErrorStream) {
    this.#validation = validation;
    this.#errors = errors;
  }

  write(...parameters: unknown[]): void {
    /// ## The error stream
    ///
    /// [errors-write] (application) `write()` MUST be given one string.
    this.#validation.check(
      parameters.length === 1 && typeof parameters[0] === "string",
      "application",
      "errors-write",
      `it was given ${parameters.map(show).join(", ") || "nothing"}`,
    );
    this.#errors.write(parameters[0]);
  }

  flush(): void {
    this.#errors.flush();
  }
}

class CheckedInput implements Input {
  readonly #validation: Validation;
  readonly #input: Input;
  readonly #length: number | null;
  #bytes = 0;
  #reading = false;
  #ended = false;
  #broken = false;
  #hadTrailers = false;

  constructor(validation: Validation, input: Input, contentLength: string | undefined) {
    this.#validation = validation;
    this.#input = input;
    this.#length = contentLength === undefined ? null : Number(contentLength);
  }

  get trailers(): readonly Header[] {
    const { trailers } = this.#input;
    /// ## The input
    ///
    /// [input-trailers] (server) `trailers` MUST be an array of `[name, value]`.
    this.#validation.check(
      isHeaders(trailers, /^[^\r\n\0]*$/),
      "server",
      "input-trailers",
      `they are ${show(trailers)}`,
    );
    if (trailers.length > 0) this.#hadTrailers = true;
    return trailers;
  }

  read(size?: number): Promise<Uint8Array> {
    return this.#exclusive(async () => {
      /// [input-size] (application) The size given to `read()` MUST be a positive number of bytes. (In WSGI a negative one
      /// means all; `bytes()` does that.)
      this.#validation.check(
        size === undefined || (typeof size === "number" && size > 0),
        "application",
        "input-size",
        `it is ${show(size)}`,
      );
      const chunk: unknown = await this.#guard(() => size === undefined ? this.#input.read() : this.#input.read(size));
      /// [input-read] (server) `read()` MUST give a `Uint8Array`, of not more bytes than were asked for.
      this.#validation.check(
        chunk instanceof Uint8Array && chunk.length <= (size ?? Infinity),
        "server",
        "input-read",
        chunk instanceof Uint8Array ? `it gave ${chunk.length} bytes` : `it gave ${show(chunk)}`,
      );
      /// [input-end] (server) An empty array is the end, and MUST NOT be followed by more.
      this.#validation.check(!this.#ended || chunk.length === 0, "server", "input-end", "there was more after the end");
      if (chunk.length === 0) this.#end();
      else this.#count(chunk.length);
      return chunk;
    });
  }

  bytes(): Promise<Uint8Array> {
    return this.#exclusive(() => this.#bytesOnce());
  }

  text(): Promise<string> {
    return this.#exclusive(() => this.#textOnce());
  }

  json(): Promise<unknown> {
    return this.#exclusive(async () => {
      this.#once("json()");
      const value = await this.#guard(() => this.#input.json(), true);
      this.#ended = true;
      return value;
    });
  }

  stream(): ReadableStream<Uint8Array> {
    this.#once("stream()");
    const stream: unknown = this.#input.stream();
    /// [input-stream] (server) `stream()` MUST give a ReadableStream.
    this.#validation.check(hasMethods(stream, ["getReader"]), "server", "input-stream", `it gave ${show(stream)}`);
    return stream as ReadableStream<Uint8Array>;
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    for (;;) {
      const chunk = await this.read();
      if (chunk.length === 0) return;
      yield chunk;
    }
  }

  async #bytesOnce(): Promise<Uint8Array> {
    this.#once("bytes()");
    const all: unknown = await this.#guard(() => this.#input.bytes());
    /// [input-whole] (server) `bytes()` MUST give a `Uint8Array`, and `text()` a string, of all that is left.
    this.#validation.check(all instanceof Uint8Array, "server", "input-whole", `bytes() gave ${show(all)}`);
    this.#count(all.length);
    this.#end();
    return all;
  }

  async #textOnce(): Promise<string> {
    this.#once("text()");
    const all: unknown = await this.#guard(() => this.#input.text());
    this.#validation.check(typeof all === "string", "server", "input-whole", `text() gave ${show(all)}`);
    this.#ended = true;
    return all;
  }

  #once(method: string): void {
    /// [input-once] (application) `bytes()`, `text()`, `json()` and `stream()` MUST NOT be called after the end of the
    /// body: it can be read once. (`read()` may, and gives an empty array.)
    this.#validation.check(!this.#ended, "application", "input-once", `${method} was called after the end`);
  }

  async #exclusive<T>(read: () => Promise<T>): Promise<T> {
    /// [input-one-reader] (application) The input MUST NOT be read while another read waits: which of the two gets what
    /// is nobody's to say.
    this.#validation.check(!this.#reading, "application", "input-one-reader", "two reads at once");
    this.#reading = true;
    try {
      return await read();
    } finally {
      this.#reading = false;
    }
  }

  async #guard<T>(read: () => Promise<T>, json = false): Promise<T> {
    try {
      const result = await read();
      /// [input-stays-broken] (server) After a read has failed, every further one MUST fail too: a body that broke off
      /// never looks complete.
      this.#validation.check(!this.#broken, "server", "input-stays-broken", "a read succeeded after one had failed");
      return result;
    } catch (error) {
      if (error instanceof ESGIViolation || (json && error instanceof SyntaxError)) throw error;
      // All was read by read(), and its end not: misuse, but none that shows from here.
      if (error instanceof TypeError && this.#bytes > 0) throw error;
      this.#broken = true;
      /// [input-error] (server) A body that cannot be read MUST make its reader reject with an `InputError`: `name`, a
      /// `fault` of "disconnected", "timeout", "too-large" or "malformed", and a `status` from 400 to 499.
      this.#validation.check(isInputError(error), "server", "input-error", `it rejected with ${show(error)}`, error);
      throw error;
    }
  }

  #count(size: number): void {
    this.#bytes += size;
    /// [input-trailers-late] (server) `trailers` MUST be empty while there are bytes to read: they come after them.
    this.#validation.check(
      size === 0 || !this.#hadTrailers,
      "server",
      "input-trailers-late",
      "they were there before the last bytes",
    );
    /// [input-too-long] (server) The input MUST NOT give more bytes than `CONTENT_LENGTH`.
    this.#validation.check(
      this.#length === null || this.#bytes <= this.#length,
      "server",
      "input-too-long",
      `it gave ${this.#bytes} of ${this.#length} bytes`,
    );
  }

  #end(): void {
    this.#ended = true;
    /// [input-too-short] (server) The input MUST NOT end before `CONTENT_LENGTH`: a body that breaks off is an error.
    this.#validation.check(
      this.#length === null || this.#bytes === this.#length,
      "server",
      "input-too-short",
      `it ended after ${this.#bytes} of ${this.#length} bytes`,
    );
  }
}

function wrapPowers(validation: Validation, environ: Environ): void {
  const hints = environ["esgi.early_hints"];
  if (hints !== undefined) {
    environ["esgi.early_hints"] = (headers) => {
      checkFields(validation, headers);
      /// ## Early hints
      ///
      /// [hints-fields] (application) Early hints MUST keep the rules for headers, and MUST NOT have hop-by-hop fields,
      /// Content-Length or Content-Type: an interim response has no content.
      validation.check(
        headers.every(([name]) => !isHopByHop(name) && !/^content-(?:type|length)$/i.test(name)),
        "application",
        "hints-fields",
        `they have ${headers.map(([name]) => name).join(", ")}`,
      );
      /// [hints-early] (application) Early hints MUST NOT be sent after the first chunk that is not empty.
      validation.check(validation.bytes === 0, "application", "hints-early", "the head has been sent");
      const result: unknown = hints(headers);
      /// [hints-result] (server) `esgi.early_hints` MUST return undefined: nobody waits for a hint.
      validation.check(result === undefined, "server", "hints-result", `it returned ${show(result)}`);
    };
  }
  const wrapper = environ["esgi.file_wrapper"];
  if (wrapper !== undefined) {
    environ["esgi.file_wrapper"] = (...parameters) => {
      /// ## The file wrapper
      ///
      /// [file-wrapper-arguments] (application) `esgi.file_wrapper` MUST be called with a ReadableStream or an async
      /// iterable, and perhaps a positive chunk size.
      validation.check(
        (hasMethods(parameters[0], ["getReader"]) || hasMethods(parameters[0], [Symbol.asyncIterator])) &&
          (parameters[1] === undefined || parameters[1] > 0),
        "application",
        "file-wrapper-arguments",
        `it was called with ${parameters.map(show).join(", ")}`,
      );
      const file = wrapper(...parameters);
      /// [file-wrapper-result] (server) `esgi.file_wrapper` MUST give a body that any middleware can use: an async
      /// iterable with `close()`.
      validation.check(
        hasMethods(file, [Symbol.asyncIterator, "close"]),
        "server",
        "file-wrapper-result",
        `it gave ${show(file)}`,
      );
      return file;
    };
  }
}

function holdsItsKeys(environ: object): boolean {
  for (const key in environ) if (!Object.hasOwn(environ, key)) return false;
  // What is there without being seen would be lost in a copy.
  return [...KNOWN].every((key) => !(key in environ) || Object.prototype.propertyIsEnumerable.call(environ, key));
}

function isHeaders(headers: unknown, value: RegExp): boolean {
  return Array.isArray(headers) &&
    headers.every((header: unknown) =>
      Array.isArray(header) && header.length === 2 && typeof header[0] === "string" && isToken(header[0]) &&
      typeof header[1] === "string" && value.test(header[1])
    );
}

function isBody(body: unknown): boolean {
  return body === null || typeof body === "string" || typeof body === "function" ||
    hasMethods(body, ["getReader"]) || hasMethods(body, [Symbol.asyncIterator]) || hasMethods(body, [Symbol.iterator]);
}

function isInputError(error: unknown): boolean {
  const { name, fault, status } = error as { name?: unknown; fault?: unknown; status?: unknown };
  return error instanceof Error && name === "InputError" && typeof status === "number" && status >= 400 &&
    status < 500 && ["disconnected", "timeout", "too-large", "malformed"].includes(fault as string);
}

function isSignal(signal: unknown): boolean {
  return hasMethods(signal, ["addEventListener", "removeEventListener", "throwIfAborted"]) &&
    typeof (signal as AbortSignal).aborted === "boolean";
}

function hasMethods(object: unknown, names: readonly (string | symbol)[]): boolean {
  return typeof object === "object" && object !== null &&
    names.every((name) => typeof (object as Record<string | symbol, unknown>)[name] === "function");
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return hasMethods(value, ["then"]);
}

function throws(attempt: () => void): boolean {
  try {
    attempt();
    return false;
  } catch {
    return true;
  }
}
