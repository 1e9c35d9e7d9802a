// Where HTTP meets ESGI: a request head becomes an environ, the application is called, and what it answers becomes a
// framed response. One Exchange is one request and its response. What the connection does before and after is session.ts.

import type { Application, StartResponse } from "../esgi/application.ts";
import { type Body, type Chunk, FileWrapper, iterateStream, type Upgraded } from "../esgi/body.ts";
import type { Environ, Header, Headers } from "../esgi/environ.ts";
import { InputBuffer, InputError } from "../esgi/input.ts";
import { decodePath } from "../esgi/request.ts";
import { RemoteProtocolError } from "../http1/errors.ts";
import { CONTENT_LENGTH, CONTENT_TYPE, COOKIE, type FieldName } from "../http1/names.ts";
import type { RequestParser } from "../http1/parser.ts";
import * as response from "../http1/response.ts";
import type { Session } from "./session.ts";

const VERSION = [1, 0] as const;
const EXCHANGE = Symbol("tricorn.exchange");
const encoder = new TextEncoder();

/** Bodies up to this many bytes are copied into one write with their framing. */
const COPY_LIMIT = 65_536;
/** Whole bodies up to this many bytes are worth a short cut. */
const SMALL = 4096;
/** Bytes of an array that is shared by copies. */
const SLAB = 65_536;

/** Characters of a target that are told to the operator. */
const TARGET_LIMIT = 200;

/** A request whose application runs, as the operator sees it. */
export interface RequestInFlight {
  readonly method: string;
  /** As it was sent, cut to 200 characters. */
  readonly target: string;
  /** Milliseconds since its head was read. */
  readonly age: number;
}

const fileWrapper = (file: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>, chunkSize?: number): FileWrapper =>
  new FileWrapper(file, chunkSize);

/** One accessor for all environs: an AbortController is made only for an application that looks at its signal. */
const SIGNAL: PropertyDescriptor = {
  get(this: { [EXCHANGE]: Exchange }): AbortSignal {
    return this[EXCHANGE].signal;
  },
  set(this: object, value: unknown): void {
    Object.defineProperty(this, "esgi.signal", { value, writable: true, enumerable: true, configurable: true });
  },
  enumerable: true,
  configurable: true,
};

/** The environ of the request whose head `parser` has just completed. */
function makeEnviron(exchange: Exchange, session: Session, parser: RequestParser, input: InputBuffer): Environ {
  const server = session.server;
  const peer = session.protocol.peerOf(session);
  const target = parser.target;
  const parsed = parser.parsedTarget;
  let path: string;
  let query: string;
  if (parsed === null) {
    const mark = target.indexOf("?");
    path = mark < 0 ? target : target.slice(0, mark);
    query = mark < 0 ? "" : target.slice(mark + 1);
  } else {
    path = parsed.path;
    query = parsed.query;
  }
  const environ = {
    REQUEST_METHOD: parser.method,
    SCRIPT_NAME: "",
    PATH_INFO: decodePath(path),
    QUERY_STRING: query,
    SERVER_NAME: peer.serverName,
    SERVER_PORT: peer.serverPort,
    SERVER_PROTOCOL: parser.minorVersion === 1 ? "HTTP/1.1" : "HTTP/1.0",
    REMOTE_ADDR: peer.address,
    REMOTE_PORT: peer.port,
    "esgi.version": VERSION,
    "esgi.url_scheme": peer.scheme,
    "esgi.input": input,
    "esgi.errors": server.errors,
    "esgi.multithread": false,
    "esgi.multiprocess": server.multiprocess,
    "esgi.run_once": server.runOnce,
    "esgi.target": target,
    "esgi.headers": parser.fields,
    "esgi.file_wrapper": fileWrapper,
    "tricorn.log": server.log,
    [EXCHANGE]: exchange,
  } as unknown as Environ;
  if (session.protocol.interim) environ["esgi.early_hints"] = exchange.earlyHints;
  // Either way an own property, so that `{ ...environ }` has it too.
  if (server.runtime.cheapSignals) environ["esgi.signal"] = exchange.signal;
  else Object.defineProperty(environ, "esgi.signal", SIGNAL);
  const fields = parser.fields;
  const names = parser.fieldNames;
  if (parser.repeated) joinFields(environ, names, fields);
  else storeFields(environ, names, fields);
  if (parsed !== null && parsed.authority !== null) environ.HTTP_HOST = parsed.authority;
  if (parser.upgrade !== null) environ["esgi.upgrade"] = parser.upgrade;
  if (peer.tls !== null) environ["esgi.tls"] = peer.tls;
  return environ;
}

/**
 * One property a field. Stores under constant names, because V8 turns an object into a slow dictionary after a dozen
 * computed ones: a browser's sixteen fields cost half (measured 2.7 -> 1.3 us).
 */
function storeFields(environ: Environ, names: readonly FieldName[], fields: readonly Header[]): void {
  for (let i = 0; i < fields.length; i++) {
    const name = names[i]!;
    const value = fields[i]![1];
    switch (name.id) {
      case CONTENT_LENGTH:
        environ.CONTENT_LENGTH = value;
        break;
      case CONTENT_TYPE:
        environ.CONTENT_TYPE = value;
        break;
      case 1:
        environ.HTTP_HOST = value;
        break;
      case 3:
        environ.HTTP_TRANSFER_ENCODING = value;
        break;
      case 4:
        environ.HTTP_CONNECTION = value;
        break;
      case 5:
        environ.HTTP_EXPECT = value;
        break;
      case 6:
        environ.HTTP_UPGRADE = value;
        break;
      case 8:
        environ.HTTP_COOKIE = value;
        break;
      case 9:
        environ.HTTP_FORWARDED = value;
        break;
      case 10:
        environ.HTTP_X_FORWARDED_FOR = value;
        break;
      case 11:
        environ.HTTP_X_FORWARDED_PROTO = value;
        break;
      case 12:
        environ.HTTP_X_FORWARDED_HOST = value;
        break;
      case 13:
        environ.HTTP_X_FORWARDED_PORT = value;
        break;
      case 14:
        environ.HTTP_X_FORWARDED_SSL = value;
        break;
      case 15:
        environ.HTTP_X_FORWARDED_PROTOCOL = value;
        break;
      case 16:
        environ.HTTP_X_REAL_IP = value;
        break;
      case 17:
        environ.HTTP_ACCEPT = value;
        break;
      case 18:
        environ.HTTP_ACCEPT_ENCODING = value;
        break;
      case 19:
        environ.HTTP_ACCEPT_LANGUAGE = value;
        break;
      case 20:
        environ.HTTP_USER_AGENT = value;
        break;
      case 21:
        environ.HTTP_REFERER = value;
        break;
      case 22:
        environ.HTTP_ORIGIN = value;
        break;
      case 23:
        environ.HTTP_AUTHORIZATION = value;
        break;
      case 24:
        environ.HTTP_CACHE_CONTROL = value;
        break;
      case 25:
        environ.HTTP_PRAGMA = value;
        break;
      case 26:
        environ.HTTP_IF_NONE_MATCH = value;
        break;
      case 27:
        environ.HTTP_IF_MODIFIED_SINCE = value;
        break;
      case 28:
        environ.HTTP_RANGE = value;
        break;
      case 29:
        environ.HTTP_UPGRADE_INSECURE_REQUESTS = value;
        break;
      case 30:
        environ.HTTP_SEC_FETCH_SITE = value;
        break;
      case 31:
        environ.HTTP_SEC_FETCH_MODE = value;
        break;
      case 32:
        environ.HTTP_SEC_FETCH_DEST = value;
        break;
      case 33:
        environ.HTTP_SEC_FETCH_USER = value;
        break;
      case 34:
        environ.HTTP_SEC_CH_UA = value;
        break;
      case 35:
        environ.HTTP_SEC_CH_UA_MOBILE = value;
        break;
      case 36:
        environ.HTTP_SEC_CH_UA_PLATFORM = value;
        break;
      case 37:
        environ.HTTP_DNT = value;
        break;
      case 38:
        environ.HTTP_PRIORITY = value;
        break;
      case 39:
        environ.HTTP_TE = value;
        break;
      case 40:
        environ.HTTP_X_REQUESTED_WITH = value;
        break;
      case 41:
        environ.HTTP_X_REQUEST_ID = value;
        break;
      case 42:
        environ.HTTP_TRACEPARENT = value;
        break;
      case 43:
        environ.HTTP_VIA = value;
        break;
      default:
        storeOther(environ, name, value);
    }
  }
}

/** The slow way, for requests in which a known field is repeated: what comes twice is joined (RFC 9110 §5.3). */
function joinFields(environ: Environ, names: readonly FieldName[], fields: readonly Header[]): void {
  for (let i = 0; i < fields.length; i++) {
    const name = names[i]!;
    const value = fields[i]![1];
    if (name.id === CONTENT_LENGTH) environ.CONTENT_LENGTH = value;
    else if (name.id === CONTENT_TYPE) environ.CONTENT_TYPE = value;
    else storeOther(environ, name, value);
  }
}

function storeOther(environ: Environ, name: FieldName, value: string): void {
  // A name with "_" would be told as the key of another field; Session has refused it already where that is asked for.
  if (name.key === "") return;
  const before = environ[name.key];
  // Cookies are joined as RFC 9113 §8.2.3 says, since "," may stand inside one.
  environ[name.key] = before === undefined ? value : before + (name.id === COOKIE ? "; " : ", ") + value;
}

/** One request and its response. */
export class Exchange implements response.ResponseHead {
  // ResponseHead, filled by startResponse.
  status = 0;
  headText = "";
  declaredLength = -1;
  wantsClose = false;
  hasDate = false;

  readonly environ: Environ;
  readonly input: InputBuffer;
  /** True while the connection may carry another request after this one; settled when the head is sent. */
  keepAlive: boolean;
  /** The head has gone to the connection. */
  sent = false;
  /** The response is complete, or given up. */
  done = false;
  /** The connection is gone, or the server has answered instead: nothing that the application says reaches anybody. */
  gone = false;
  /** The application has been called, and the exchange is not over. */
  running = false;
  /** The whole request has been received. */
  requestComplete: boolean;
  /** The client waits for 100 Continue before it sends the body. */
  expectsContinue: boolean;
  /** 100 Continue has been sent. */
  continued = false;
  bytesSent = 0;
  /** When the head had been read; exact only while somebody listens to requests, else up to a tick too early. */
  startedAt = 0;
  /** When its turn must have come, then when its response must have begun. */
  deadline: number = Infinity;
  /** Where the recorder notes it; -1: nowhere. */
  slot = -1;
  headers: Headers = [];

  /** The request is a HEAD, whose response has no content. */
  readonly isHead: boolean;

  readonly #session: Session;
  readonly #http11: boolean;
  #framing: response.Framing = response.NO_BODY;
  #remaining = 0;
  #controller: AbortController | null = null;
  /** Why the signal is aborted, or is to be once somebody asks for it. */
  #abortReason: DOMException | null = null;
  #body: { close?: () => unknown } | null = null;
  #iterator: Iterator<Chunk> | AsyncIterator<Chunk> | null = null;
  /** What is left of a large chunk: sent before the body is asked for more. */
  #pieces: Iterator<Uint8Array> | null = null;

  constructor(session: Session, parser: RequestParser) {
    this.#session = session;
    this.isHead = parser.method === "HEAD";
    this.#http11 = parser.minorVersion === 1;
    this.keepAlive = parser.keepAlive;
    const hasBody = parser.chunked || parser.contentLength > 0;
    this.requestComplete = !hasBody;
    this.expectsContinue = hasBody && parser.expectContinue;
    this.input = new InputBuffer(hasBody ? session : null);
    this.environ = makeEnviron(this, session, parser, this.input);
  }

  /** Made when somebody asks for it. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#abortReason !== null) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  readonly earlyHints = (headers: Headers): void => {
    if (this.sent || this.gone || !this.#http11) return;
    const hints = { status: 0, headText: "", declaredLength: -1, wantsClose: false, hasDate: false };
    response.readHead("103 Early Hints", headers, hints);
    this.#session.write(`${hints.headText}\r\n`, null);
  };

  readonly #startResponse: StartResponse = (status, headers, error) => {
    if (this.gone) return;
    if (this.status !== 0) {
      if (error === undefined) {
        throw new TypeError("startResponse was called twice: a second call must pass the error that it reports");
      }
      if (this.sent) throw error;
    }
    if (this.done) throw new TypeError("startResponse was called after the response had ended");
    response.readHead(status, headers, this);
    if (this.status === 103) {
      this.status = 0;
      throw new TypeError(`startResponse: ${status} is no final status; early hints go by environ["esgi.early_hints"]`);
    }
    this.headers = headers;
  };

  /** For the operator, at `now`. */
  describe(now: number): RequestInFlight {
    // The application may have changed its environ.
    const { REQUEST_METHOD: method, "esgi.target": target } = this.environ;
    return { method: String(method), target: String(target).slice(0, TARGET_LIMIT), age: now - this.startedAt };
  }

  /** Calls the application. Returns when it has answered, or when it waits. */
  run(application: Application): void {
    let body: Body | Promise<Body>;
    try {
      body = application(this.environ, this.#startResponse);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (typeof body === "string" || body instanceof Uint8Array) {
      this.#respondWhole(body);
    } else if (isThenable(body)) {
      // A second handler, not catch(): what #respond throws is a bug of ours and must not look like the application's.
      body.then((settled) => this.#respond(settled), (error) => this.fail(error));
    } else {
      this.#respond(body);
    }
  }

  #respond(body: Body): void {
    if (this.gone || this.done) {
      this.#adopt(body);
      this.#closeBody();
      return;
    }
    if (typeof body === "string" || body instanceof Uint8Array) return this.#respondWhole(body);
    if (body === null) return this.#respondWhole("");
    if (typeof body === "function") return this.#upgrade(body);
    if (Array.isArray(body) && body.length === 1 && (typeof body[0] === "string" || body[0] instanceof Uint8Array)) {
      return this.#respondWhole(body[0]);
    }
    if (!this.#adopt(body)) {
      this.fail(
        new TypeError(
          `the application returned ${describe(body)}: a body is null, a string, a Uint8Array, ` +
            "an iterable of these, or a ReadableStream",
        ),
      );
      return;
    }
    this.#pull();
  }

  /** Remembers what has to be closed; false when `body` cannot be iterated. */
  #adopt(body: Body): boolean {
    if (body === null || typeof body !== "object" || body instanceof Uint8Array) return false;
    this.#body = body as { close?: () => unknown };
    if (body instanceof ReadableStream) {
      this.#iterator = iterateStream(body);
    } else if (Symbol.asyncIterator in body) {
      this.#iterator = body[Symbol.asyncIterator]();
    } else if (Symbol.iterator in body) {
      this.#iterator = body[Symbol.iterator]();
    } else {
      return false;
    }
    return true;
  }

  /** A whole body: it is sent with its head, in one write. */
  #respondWhole(body: string | Uint8Array): void {
    if (this.gone || this.done) return;
    if (this.status === 0) return this.fail(new TypeError("the application returned without calling startResponse"));
    if (this.status === 101) return this.fail(new TypeError("a 101 response needs a function as its body"));
    let text = "";
    let bytes: Uint8Array | null = null;
    let length: number;
    if (typeof body === "string") {
      length = this.#session.server.runtime.utf8Length(body);
      if (length === body.length) text = body;
      else bytes = encoder.encode(body);
    } else {
      length = body.length;
      bytes = body;
    }
    let head = this.#takeHead(length);
    if (this.#framing === response.NO_BODY) {
      if (length > 0 && !this.isHead) {
        this.#fault(`a body of ${length} bytes for status ${this.status}, which has none`);
      }
      text = "";
      bytes = null;
      length = 0;
    } else if (this.#framing === response.BY_LENGTH && this.#remaining !== length) {
      const declared = this.#remaining;
      this.#fault(`the body has ${length} bytes, Content-Length says ${declared}`);
      if (length > declared) {
        bytes = (bytes ?? encoder.encode(text)).subarray(0, declared);
        text = "";
        length = declared;
      } else {
        this.keepAlive = false;
      }
    }
    head += text;
    this.bytesSent = length;
    if (bytes !== null && bytes.length > COPY_LIMIT * 4) {
      // Piece by piece, so that a slow reader is seen to make progress and little is held for it.
      this.#iterator = pieces(bytes);
      this.#framing = response.BY_LENGTH;
      this.#remaining = length;
      this.bytesSent = 0;
      this.#session.send(head);
      this.#pull();
      return;
    }
    const session = this.#session;
    if (bytes === null) {
      session.send(head);
    } else if (bytes.length <= SMALL && session.prefersText) {
      session.send(head + session.server.runtime.latin1(bytes, 0, bytes.length));
    } else {
      // It waits with the head for the other responses of this turn, whatever becomes of the application's array.
      session.send(head, typeof body === "string" ? bytes : bytes.length <= SMALL ? copied(bytes) : kept(bytes));
    }
    this.#finish();
  }

  /** The head as it is sent, for a body of `known` bytes or (-1) an unknown number; settles framing and keep-alive. */
  #takeHead(known: number): string {
    const session = this.#session;
    let head = this.headText;
    if (!this.hasDate) head += session.server.dateLine;
    this.sent = true;
    if (this.keepAlive && (this.wantsClose || !session.mayKeepAlive(this))) this.keepAlive = false;
    const status = this.status;
    const declared = this.declaredLength;
    if (response.isBodyless(status)) {
      this.#framing = response.NO_BODY;
      // A 304 may tell the length that a 200 would have had (RFC 9110 §8.6); the others have none but 205's zero.
      if (status === 304 && declared >= 0) head += `Content-Length: ${declared}\r\n`;
      else if (status === 205) head += "Content-Length: 0\r\n";
    } else if (this.isHead && declared < 0 && known <= 0) {
      // Nobody told the length that GET would have had (RFC 9110 §8.6).
      this.#framing = response.NO_BODY;
    } else if (declared >= 0 || known >= 0) {
      const length = declared >= 0 ? declared : known;
      this.#framing = this.isHead ? response.NO_BODY : response.BY_LENGTH;
      this.#remaining = length;
      head += `Content-Length: ${length}\r\n`;
    } else {
      this.#framing = session.protocol.unknownLength(this.#http11);
      if (this.#framing === response.CHUNKED) head += "Transfer-Encoding: chunked\r\n";
      else if (this.#framing === response.UNTIL_CLOSE) {
        this.keepAlive = false;
        session.endsByClose = true;
      }
    }
    return session.protocol.endHead(head, this.keepAlive, this.#http11);
  }

  /** Sends chunk after chunk while the body has them at once and the peer takes them; goes on later where either waits. */
  #pull(): void {
    const iterator = this.#iterator!;
    try {
      for (;;) {
        if (this.#pieces !== null) {
          const piece = this.#pieces.next();
          if (piece.done !== true) {
            if (this.#step(piece)) continue;
            return;
          }
          this.#pieces = null;
        }
        const next = iterator.next();
        if (isThenable(next)) {
          next.then((result) => {
            if (this.#step(result)) this.#pull();
          }, (error) => this.#failBody(error));
          return;
        }
        if (!this.#step(next)) return;
      }
    } catch (error) {
      this.#failBody(error);
    }
  }

  /** The body's iterator threw: it is over, and has no use for `return()`. */
  #failBody(error: unknown): void {
    this.#iterator = null;
    this.fail(error);
  }

  /** Handles what the body's iterator gave; true when the next chunk may be asked for now. */
  #step(result: IteratorResult<Chunk>): boolean {
    if (this.done) return false;
    if (this.gone) {
      this.#closeBody();
      return false;
    }
    try {
      if (result.done) {
        this.#iterator = null;
        this.#finishStream();
        return false;
      }
      const wait = this.#sendChunk(result.value);
      if (this.done) return false;
      if (wait === undefined) return true;
      wait.then(() => {
        if (this.gone) this.#closeBody();
        else if (!this.done) this.#pull();
      });
      return false;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  #sendChunk(chunk: Chunk): void | Promise<void> {
    const session = this.#session;
    if (typeof chunk !== "string" && !(chunk instanceof Uint8Array)) {
      throw new TypeError(`the body yielded ${describe(chunk)}: a chunk is a string or a Uint8Array`);
    }
    if (chunk.length === 0) return;
    let bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
    if (this.status === 0) throw new TypeError("the body began before startResponse was called");
    if (this.status === 101) throw new TypeError("a 101 response needs a function as its body");
    if (bytes.length > COPY_LIMIT) {
      // Piece by piece, so that a slow reader is seen to make progress and little is held for it.
      this.#pieces = pieces(bytes);
      return;
    }
    const head = this.sent ? "" : this.#takeHead(-1);
    switch (this.#framing) {
      case response.NO_BODY:
        // Nobody will see the rest: end the body, as PEP 3333 lets a server do for HEAD.
        session.write(head, null);
        this.#finish();
        return;
      case response.BY_LENGTH: {
        const excess = bytes.length - this.#remaining;
        if (excess > 0) {
          this.#fault(`the body is longer than its Content-Length: cut`);
          bytes = bytes.subarray(0, this.#remaining);
        }
        this.#remaining -= bytes.length;
        this.bytesSent += bytes.length;
        const wait = session.write(head, typeof chunk === "string" ? bytes : kept(bytes));
        if (excess > 0) this.#finish();
        return wait;
      }
      case response.CHUNKED:
        this.bytesSent += bytes.length;
        return session.write(head, frame(bytes));
      default:
        this.bytesSent += bytes.length;
        return session.write(head, typeof chunk === "string" ? bytes : kept(bytes));
    }
  }

  /** The body has ended by itself. */
  #finishStream(): void {
    if (this.status === 0) {
      return this.fail(new TypeError("the application ended its body without calling startResponse"));
    }
    if (!this.sent) return this.#respondWhole("");
    if (this.#framing === response.CHUNKED) {
      this.#session.send("0\r\n\r\n");
    } else if (this.#framing === response.BY_LENGTH && this.#remaining > 0) {
      this.#fault(`the body ended ${this.#remaining} bytes before its Content-Length`);
      this.keepAlive = false;
    }
    this.#finish();
  }

  #upgrade(upgraded: Upgraded): void {
    if (this.status !== 101) return this.fail(new TypeError('a function as a body needs startResponse("101 ...")'));
    if (this.environ["esgi.upgrade"] === undefined) {
      return this.fail(new TypeError("101 for a request that offers no upgrade (RFC 9110 §15.2.2)"));
    }
    if (!this.requestComplete) return this.fail(new TypeError("101 before the request body has been read"));
    this.sent = true;
    this.done = true;
    const date = this.hasDate ? "" : this.#session.server.dateLine;
    this.#session.tunnel(`${this.headText}${date}Connection: Upgrade\r\n\r\n`, upgraded);
  }

  #finish(): void {
    if (this.done) return;
    this.done = true;
    this.#closeBody();
    if (!this.requestComplete) {
      this.input.fail(new TypeError("the response has ended: what was left of the request body is thrown away"));
    }
    this.#session.finished(this);
  }

  /** The application threw, or broke a rule that leaves no answer. */
  fail(error: unknown): void {
    if (this.done) return;
    const session = this.#session;
    if (this.gone) {
      // Its client has left: most often that is why it threw.
      this.done = true;
      this.#closeBody();
      session.server.notice("debug", `the application threw after its client had left: ${String(error)}`);
      session.finished(this);
      return;
    }
    if (error instanceof InputError && !this.sent) {
      this.#closeBody();
      this.done = true;
      session.refuse(new RemoteProtocolError(error.status as 400 | 408 | 413 | 431, error.message));
      return;
    }
    this.#report(error, "the application failed");
    this.#closeBody();
    if (this.sent) {
      // The client must not take what it got for the whole.
      this.done = true;
      this.keepAlive = false;
      session.finished(this, true);
      return;
    }
    this.declaredLength = -1;
    this.status = 0;
    this.#iterator = null;
    const body = "500 Internal Server Error\n";
    this.headers = [["Content-Type", "text/plain"]];
    response.readHead("500 Internal Server Error", this.headers, this);
    this.#respondWhole(body);
  }

  /**
   * The server has answered for the application, which has not within its time. It may go on, and is not stopped but by
   * its signal: a promise cannot be ended from outside.
   */
  expire(reason: string): void {
    this.done = true;
    this.gone = true;
    this.#abort(new DOMException(reason, "TimeoutError"));
    this.input.fail(new InputError("timeout", reason));
    this.#closeBody();
  }

  /** The client has left: tells everybody who may want to know. */
  abort(): void {
    if (this.gone) return;
    this.leave();
    this.gone = true;
    // A complete body stays readable: what it asks for may be done for a client that has left, too.
    if (!this.requestComplete) {
      this.input.fail(new InputError("disconnected", "the client left before its request was complete"));
    }
    // A body that waits for its next chunk would wait for ever.
    if (!this.done && this.#iterator !== null) this.#closeBody();
  }

  /** The client has ended its side: it may still read, so only the signal tells. */
  leave(): void {
    if (this.#abortReason === null) this.#abort(new DOMException("the client has left", "AbortError"));
  }

  #abort(reason: DOMException): void {
    this.#abortReason = reason;
    this.#controller?.abort(reason);
  }

  #closeBody(): void {
    const body = this.#body;
    const iterator = this.#iterator;
    this.#body = null;
    this.#iterator = null;
    try {
      let result: unknown;
      if (body !== null && typeof body.close === "function") result = body.close();
      else if (iterator !== null) result = iterator.return?.();
      if (isThenable(result)) {
        result.then(undefined, (error: unknown) => this.#report(error, "closing the body failed"));
      }
    } catch (error) {
      this.#report(error, "closing the body failed");
    }
  }

  #report(error: unknown, message: string): void {
    this.#session.server.events.emit("fault", { error, message, environ: this.environ });
  }

  #fault(message: string): void {
    this.#report(null, `the application broke a rule of ESGI: ${message}`);
  }
}

/** A chunk in the chunked coding (RFC 9112 §7.1), in one piece: a CRLF that comes later would hold strict readers up. */
function frame(bytes: Uint8Array): Uint8Array {
  const size = bytes.length.toString(16);
  const framed = new Uint8Array(size.length + bytes.length + 4);
  for (let i = 0; i < size.length; i++) framed[i] = size.charCodeAt(i);
  let at = size.length;
  framed[at++] = 13;
  framed[at++] = 10;
  framed.set(bytes, at);
  at += bytes.length;
  framed[at++] = 13;
  framed[at] = 10;
  return framed;
}

/**
 * Bytes of which the connection may hold a part when the application goes on, and may fill the same array again. Of larger
 * ones a chunk is waited for, and a whole body belongs to the server (esgi/body.ts).
 */
function kept(bytes: Uint8Array): Uint8Array {
  return bytes.length < COPY_LIMIT ? new Uint8Array(bytes) : bytes;
}

/** Where small copies are made: arrays of their own cost V8 an allocation each (measured on Deno: 7 % of a small POST). */
let slab = new Uint8Array(SLAB);
let slabUsed = 0;

/** A copy of at most SMALL bytes, which does not live long: its slab lives as long as it does. */
function copied(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (slabUsed + length > SLAB) {
    slab = new Uint8Array(SLAB);
    slabUsed = 0;
  }
  const copy = slab.subarray(slabUsed, slabUsed += length);
  copy.set(bytes);
  return copy;
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array, undefined> {
  for (let at = 0; at < bytes.length; at += COPY_LIMIT) yield bytes.subarray(at, at + COPY_LIMIT);
}

function isThenable<T>(value: T | Promise<T> | unknown): value is Promise<T> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

function describe(value: unknown): string {
  return value === null
    ? "null"
    : typeof value === "object"
    ? `a ${value.constructor?.name ?? "object"}`
    : typeof value;
}
