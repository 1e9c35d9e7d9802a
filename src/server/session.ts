// One connection's life: bytes in, requests in order, bytes out, and every clock that runs meanwhile. It decides when to
// read on (back-pressure), what may follow a response, and how the connection ends. What is legal is http1's business,
// what the application does is gateway.ts's.

import type { TlsInfo } from "../esgi/environ.ts";
import { type InputBuffer, InputError, type InputSource } from "../esgi/input.ts";
import type { Upgraded } from "../esgi/body.ts";
import { type RefusalStatus, RemoteProtocolError } from "../http1/errors.ts";
import { DATA, END, HEAD, NEED_DATA, type RequestParser } from "../http1/parser.ts";
import { refusal } from "../http1/response.ts";
import { ProxyHeaderParser } from "../gateway_protocols/proxy_protocol.ts";
import type { Connection, ConnectionHandler } from "../runtime/port.ts";
import { Exchange } from "./gateway.ts";
import type { Protocol, Speaker } from "./protocol.ts";
import type { Server } from "./server.ts";
import { Tunnel } from "./tunnel.ts";

/** Request body bytes that wait for the application; and bytes of further requests that wait for their turn. */
const READ_AHEAD = 65_536;
/** An unread request body is read and thrown away up to this size; above, closing is cheaper. */
const DRAIN_LIMIT = 65_536;
/** Responses to pipelined requests are gathered up to this many characters a write. */
const GATHER = 65_536;
/** A body of more bytes is written before anything is gathered behind it. */
const JOIN_LIMIT = 4096;
/** Milliseconds for the client to read a last response and close (RFC 9112 §9.6). */
const LINGER = 5000;

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

/** The clock that runs. Each has its deadline, and one of its own ends. */
type Clock = typeof NONE | typeof NEW | typeof IDLE | typeof HEAD_CLOCK | typeof BODY | typeof LINGERING;
const NONE = 0;
/** A connection that has not sent a byte. */
const NEW = 1;
/** Between two requests. */
const IDLE = 2;
/** A head has begun. */
const HEAD_CLOCK = 3;
/** The application waits for the request's body. */
const BODY = 4;
/** The last response is on its way. */
const LINGERING = 5;

/** Who is at the other end, in the environ's terms. */
export interface Peer {
  readonly address: string;
  readonly port: string;
  readonly serverName: string;
  readonly serverPort: string;
  readonly scheme: "http" | "https";
  readonly tls: TlsInfo | null;
}

export class Session implements ConnectionHandler, InputSource, Speaker {
  readonly server: Server;
  readonly protocol: Protocol;
  /** The response in flight, or the last one, has no other end than the connection's. */
  endsByClose = false;
  readonly #connection: Connection;
  #peer: Peer | null = null;
  /** Null while the connection is idle: a parser is only lent to a connection that needs one. */
  #parser: RequestParser | null = null;
  #exchange: Exchange | null = null;
  /** Reads the PROXY header that comes before everything else; null when none is expected any more. */
  #proxy: { readonly parser: ProxyHeaderParser; readonly required: boolean } | null = null;
  #tunnel: Tunnel | null = null;
  /** What waits to be written: responses to pipelined requests share a write. */
  #out = "";
  /** Bytes that wait behind `#out`, as they go over the connection. */
  #body: Uint8Array | null = null;
  /** Set while the peer does not take what was written. */
  #congested: Promise<void> | null = null;
  #congestedUntil = 0;
  /** What the adapter waits for before it reads on, and what ends that. */
  #paused: Promise<void> | null = null;
  #resume: (() => void) | null = null;
  #requests = 0;
  #discarded = 0;
  #clock: Clock = NEW;
  #deadline: number;
  #pumping = false;
  #peerEnded = false;
  /** Nothing more is parsed or written; what comes is thrown away. */
  #closing = false;
  #closed = false;

  constructor(server: Server, connection: Connection, protocol: Protocol) {
    this.server = server;
    this.protocol = protocol;
    this.#connection = connection;
    this.#deadline = server.after(server.settings.header_timeout);
  }

  /** It has had a request. */
  get asked(): boolean {
    return this.#requests > 0;
  }

  /** Between requests, or before the first one. */
  get idle(): boolean {
    return this.#exchange === null && this.#tunnel === null && !this.#closing &&
      (this.#parser === null || this.#parser.idle);
  }

  get peer(): Peer {
    return this.#peer ??= this.server.describePeer(this.#connection);
  }

  // ConnectionHandler: what the adapter tells.

  receive(chunk: Uint8Array): void | Promise<void> {
    if (this.#closing) return;
    if (this.#tunnel !== null) {
      // A copy, and no Buffer: the same on every runtime.
      return this.#tunnel.receive(new Uint8Array(chunk));
    }
    if (this.#proxy !== null) {
      const rest = this.#proxyHeader(chunk);
      if (rest === null || rest.length === 0) return;
      chunk = rest;
    }
    const parser = this.#parser ??= this.protocol.takeParser(this);
    parser.push(chunk);
    this.#pump();
    if (this.#parser === null) return;
    if (this.#hasEnough(parser)) {
      return this.#paused ??= new Promise((resolve) => {
        this.#resume = resolve;
      });
    }
    if (this.server.runtime.reusesReadBuffers) parser.keep();
  }

  ended(): void {
    this.#peerEnded = true;
    if (this.#closing) return;
    if (this.#tunnel !== null) {
      this.#tunnel.ended();
      return;
    }
    if (this.#proxy !== null && this.#clock === HEAD_CLOCK) {
      this.refuse(new RemoteProtocolError(400, "the connection ended within a PROXY header"));
      return;
    }
    const exchange = this.#exchange;
    if (exchange !== null && this.server.unqueue(this)) {
      this.#drop();
      return;
    }
    exchange?.leave();
    this.#pump();
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing = true;
    this.server.forget(this);
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#out = "";
    this.#body = null;
    if (exchange !== null) {
      exchange.abort();
      if (!exchange.done) this.#over(exchange, true);
    }
    this.#tunnel?.closed();
    this.#releaseParser();
    this.#readOn();
  }

  // InputSource: the application reads its request's body.

  wanted(): void {
    const exchange = this.#exchange;
    if (exchange === null || this.#closed) return;
    if (exchange.expectsContinue && !exchange.sent) {
      exchange.expectsContinue = false;
      if (this.#parser!.buffered === 0) {
        exchange.continued = true;
        this.write(CONTINUE, null);
      }
    }
    this.#feed(exchange);
    if (!this.#pumping) this.#settle();
  }

  // What an exchange and the server ask for.

  /** Adds to what is written at the end of this turn; nobody may change `body` before. */
  send(text: string, body: Uint8Array | null = null): void {
    if (this.#closed) return;
    this.interject(this.protocol.text(text));
    if (body === null) return;
    this.#joinBody();
    this.#body = this.protocol.bytes(body);
  }

  /** Makes room for what comes behind `#body`. */
  #joinBody(): void {
    const body = this.#body;
    if (body === null) return;
    if (body.length > JOIN_LIMIT) {
      this.flush();
      return;
    }
    this.#out += this.server.runtime.latin1(body, 0, body.length);
    this.#body = null;
  }

  /** Writes what was gathered, `text` and `body` now; the promise, when there is one, means that the peer is slow. */
  write(text: string, body: Uint8Array | null): void | Promise<void> {
    this.send(text, body);
    return this.flush();
  }

  /** Writes what was gathered. */
  flush(): void | Promise<void> {
    if (this.#closed) return;
    const out = this.#out;
    const body = this.#body;
    if (out !== "" || body !== null) {
      this.#out = "";
      this.#body = null;
      this.#wrote(this.#connection.write(out, body));
    }
    return this.#congested ?? undefined;
  }

  /** A few kilobytes are cheaper to {@link send} as text. */
  get prefersText(): boolean {
    return this.#connection.prefersText === true;
  }

  #wrote(wait: void | Promise<void>): void {
    if (wait === undefined) return;
    this.#congestedUntil = this.server.after(this.server.settings.write_timeout);
    const done = wait.then(() => {
      if (this.#congested !== done) return;
      this.#congested = null;
      this.#pump();
    });
    this.#congested = done;
  }

  /** May another request follow `exchange` on this connection? Asked when its head is sent. */
  mayKeepAlive(exchange: Exchange): boolean {
    const limit = this.server.settings.keepalive_requests;
    if (this.server.draining || this.#closing || (limit > 0 && this.#requests >= limit)) return false;
    if (!exchange.requestComplete) {
      // The client may or may not send a body for which it was not told to continue: nobody could tell (RFC 9110 §10.1.1).
      if (exchange.expectsContinue) return false;
      const length = this.#parser?.contentLength ?? -1;
      if (length - exchange.input.buffered > DRAIN_LIMIT) return false;
    }
    // A client that has sent its next request already would have to send it again: another one is told.
    if (this.server.shedding === 0 || this.#parser!.buffered > 0) return true;
    this.server.shedding--;
    return false;
  }

  /** `exchange` is over. `broken`: its response is not complete, and the client must see that. */
  finished(exchange: Exchange, broken = false): void {
    if (this.#exchange !== exchange) return;
    this.#over(exchange, broken || exchange.gone);
    if (broken) {
      this.flush();
      this.destroy();
      return;
    }
    this.interject(this.protocol.end());
    if (!exchange.keepAlive) {
      this.#exchange = null;
      this.#close();
      return;
    }
    if (exchange.requestComplete) this.#exchange = null;
    this.#discarded = 0;
    if (!this.#pumping) this.#pump();
  }

  /** Answers for the server itself, then closes: after a fault of the peer nothing it sends can be trusted to be framed. */
  refuse(error: RemoteProtocolError): void {
    if (this.#closing) return;
    const status = this.protocol.answers ? error.status : 0;
    this.server.events.emit("refused", { status, reason: error.message, remote: this.peer.address });
    this.#answer(error.status, error.message);
  }

  /** Closes without an answer: this peer is none to be spoken to. */
  turnAway(reason: string): void {
    this.server.events.emit("refused", { status: 0, reason, remote: this.peer.address });
    this.#close();
  }

  /** Sends the server's own answer in place of the application's, then closes. */
  #answer(status: RefusalStatus, reason: string): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    let text = this.protocol.answer(refusal(status, reason, this.server.dateLine));
    // RFC 9110 §9.3.2: HEAD gets the fields alone.
    const isHead = exchange === null ? this.#parser?.method === "HEAD" : exchange.isHead;
    const head = text.indexOf("\r\n\r\n") + 4;
    if (isHead) text = text.slice(0, head);
    if (exchange !== null) {
      exchange.status = status;
      exchange.headers = [];
      exchange.bytesSent = text.length - head;
      this.#over(exchange, false);
    }
    this.send(text);
    this.interject(this.protocol.end());
    this.#close();
  }

  /** Its client ended its side before the request had its turn. Most often it has left, so the application is spared. */
  #drop(): void {
    this.server.notice("debug", `${this.peer.address}: the client left before its request had its turn: not run`);
    this.#answer(503, "the connection ended while the request waited for its turn");
  }

  // Speaker: what the protocol has to say beside requests and responses.

  interject(text: string): void {
    if (this.#closed || text === "") return;
    this.#joinBody();
    this.#out += text;
  }

  abandon(): void {
    const exchange = this.#exchange;
    if (exchange === null || this.#closing) return;
    this.#exchange = null;
    exchange.abort();
    if (!exchange.done) this.#over(exchange, true);
    this.interject(this.protocol.end());
    this.#close();
  }

  /** A PROXY header comes first; one from a peer that is not `trusted` is not read, and so is a malformed request. */
  expectProxyHeader(mode: "v1" | "v2" | "auto" | "required", trusted: boolean): void {
    if (trusted) {
      this.#proxy = {
        parser: new ProxyHeaderParser(mode === "required" ? "auto" : mode),
        required: mode === "required",
      };
    } else if (mode === "required") {
      this.refuse(new RemoteProtocolError(400, "a PROXY header is required, and this peer may not send one"));
    }
  }

  /** What followed the header, or null when that is not known yet. */
  #proxyHeader(chunk: Uint8Array): Uint8Array | null {
    const { parser, required } = this.#proxy!;
    const result = parser.push(chunk);
    if (result.kind === "more") {
      // Of the time that the head has, too, the header is a part: #deadline stays.
      this.#clock = HEAD_CLOCK;
      return null;
    }
    this.#proxy = null;
    this.#clock = NEW;
    if (result.kind === "error" || (result.kind === "absent" && required)) {
      const reason = result.kind === "error" ? result.reason : "a PROXY header is required";
      this.refuse(new RemoteProtocolError(400, reason));
      return null;
    }
    if (result.kind === "header") this.#peer = this.server.describePeer(this.#connection, result.header);
    return result.rest;
  }

  /** Hands the connection over after 101. */
  tunnel(head: string, upgraded: Upgraded): void {
    const exchange = this.#exchange!;
    const parser = this.#parser!;
    const rest = parser.takeRest();
    this.#exchange = null;
    this.#over(exchange, false);
    // RFC 9110 §7.8: who asked for both gets 100 first, though there is no content to wait for.
    if (parser.expectContinue && !exchange.continued) head = CONTINUE + head;
    this.#releaseParser();
    this.#clock = NONE;
    this.write(head, null);
    const tunnel = new Tunnel(this.#connection);
    this.#tunnel = tunnel;
    if (rest.length > 0) tunnel.receive(rest);
    if (this.#peerEnded) tunnel.ended();
    this.#readOn();
    Promise.resolve().then(() => upgraded(tunnel)).catch((error: unknown) => {
      this.server.events.emit("fault", {
        error,
        message: "the application failed on an upgraded connection",
        environ: exchange.environ,
      });
    }).finally(() => this.#close());
  }

  /** The turn of a request that has waited has come. */
  proceed(): void {
    this.#run(this.#exchange!);
  }

  /** The exchange whose application runs. */
  get running(): Exchange | null {
    const exchange = this.#exchange;
    return exchange !== null && exchange.running ? exchange : null;
  }

  /** Closes when nothing is lost by it; else says `Connection: close` with the response in flight. */
  drain(): void {
    if (this.idle) this.#close();
  }

  /**
   * Closes at once. Who would take the end of the connection for that of a response that is not complete is reset instead,
   * where that is possible; nginx, for one, then breaks off what it sends its own client.
   */
  destroy(): void {
    this.#connection.destroy(this.endsByClose && (this.#exchange !== null || this.#congested !== null));
  }

  /** Called a few times a second: ends what has run out of time. */
  check(now: number): void {
    if (this.#congested !== null && now >= this.#congestedUntil && this.server.settings.write_timeout > 0) {
      this.server.notice("debug", `${this.peer.address}: the client reads nothing: closed after write_timeout`);
      this.destroy();
      return;
    }
    const exchange = this.#exchange;
    if (exchange !== null && now >= exchange.deadline && !exchange.sent) {
      this.#expire(exchange, now);
      return;
    }
    if (this.#clock === NONE || now < this.#deadline) return;
    switch (this.#clock) {
      case NEW:
      case IDLE:
        this.#close();
        return;
      case HEAD_CLOCK:
        this.refuse(new RemoteProtocolError(408, "the request head did not arrive within header_timeout"));
        return;
      case BODY:
        this.#clock = NONE;
        exchange!.keepAlive = false;
        exchange!.input.fail(
          new InputError("timeout", "no byte of the request body arrived within body_timeout"),
        );
        return;
      case LINGERING:
        this.#connection.destroy();
    }
  }

  /** `exchange` has waited too long for its turn, or its application has answered nothing within its time. */
  #expire(exchange: Exchange, now: number): void {
    if (!exchange.running) {
      this.refuse(new RemoteProtocolError(503, "too many requests: limit_concurrency, for all of queue_timeout"));
      return;
    }
    const { method, target, age } = exchange.describe(now);
    const seconds = (age / 1000).toFixed(1);
    // No "refused": it is not the client's fault.
    this.server.notice("warning", `${method} ${target}: no response after ${seconds} s: 504 after request_timeout`);
    const reason = "the application did not answer within request_timeout";
    exchange.expire(reason);
    this.#answer(504, reason);
  }

  // The machine.

  /** Goes as far as bytes, application and peer allow. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#step()) {
      if (this.#out.length > GATHER) this.flush();
    }
    this.#pumping = false;
    if (this.#out !== "" || this.#body !== null) this.server.flushSoon(this);
    this.#settle();
  }

  /** One step; false when something has to happen first. */
  #step(): boolean {
    if (this.#closing || this.#tunnel !== null) return false;
    const parser = this.#parser;
    if (parser === null) return false;
    const exchange = this.#exchange;
    if (exchange !== null) {
      if (!exchange.done) {
        if (!exchange.requestComplete) this.#feed(exchange);
        return false;
      }
      return this.#discard(parser);
    }
    // Who does not take a large response gets no further request handled.
    if (this.#body !== null && parser.buffered > 0) this.#joinBody();
    if (this.#congested !== null) return false;
    switch (parser.next()) {
      case HEAD:
        this.#begin(parser);
        return true;
      case NEED_DATA:
        return false;
      case END:
        return true;
      default:
        this.refuse(parser.error!);
        return false;
    }
  }

  #begin(parser: RequestParser): void {
    const server = this.server;
    this.#requests++;
    if (parser.method === "CONNECT") {
      this.refuse(new RemoteProtocolError(405, "this is no proxy"));
      return;
    }
    if (server.refuseUnderscores && parser.fields.some(([name]) => name.includes("_"))) {
      this.refuse(new RemoteProtocolError(400, "a field name with an underscore, which header_map refuses"));
      return;
    }
    const exchange = new Exchange(this, parser);
    this.protocol.complete(exchange.environ);
    if (parser.forwarded) {
      const problem = server.applyForwarded(exchange.environ);
      if (problem !== null) {
        this.refuse(new RemoteProtocolError(400, problem));
        return;
      }
    }
    this.#exchange = exchange;
    this.#clock = NONE;
    exchange.startedAt = server.measures ? performance.now() : server.now;
    if (!exchange.requestComplete) this.#feed(exchange);
    if (server.admits()) {
      this.#run(exchange);
    } else if (this.#peerEnded) {
      this.#drop();
    } else {
      exchange.deadline = server.after(server.settings.queue_timeout);
      server.enqueue(this);
    }
  }

  #run(exchange: Exchange): void {
    const server = this.server;
    exchange.deadline = server.after(server.settings.request_timeout);
    server.began(exchange);
    exchange.run(server.application);
  }

  /** Moves body bytes from the parser to the application, as far as it has room. */
  #feed(exchange: Exchange): void {
    const parser = this.#parser;
    if (parser === null) return;
    const input: InputBuffer = exchange.input;
    while (!exchange.requestComplete && !input.failed && input.buffered < READ_AHEAD) {
      switch (parser.next()) {
        case DATA:
          exchange.expectsContinue = false;
          input.push(this.server.runtime.reusesReadBuffers ? new Uint8Array(parser.data) : parser.data);
          break;
        case END:
          exchange.requestComplete = true;
          input.end(parser.trailers);
          break;
        case NEED_DATA:
          if (this.#peerEnded) {
            exchange.keepAlive = false;
            input.fail(new InputError("disconnected", "the client ended the connection within the request body"));
          }
          return;
        default: {
          const error = parser.error!;
          exchange.keepAlive = false;
          const fault = error.status === 413 || error.status === 431 ? "too-large" : "malformed";
          input.fail(new InputError(fault, error.message, error.status));
          return;
        }
      }
    }
  }

  /** The response is complete, the request is not: reads the rest and throws it away, within limits. */
  #discard(parser: RequestParser): boolean {
    switch (parser.next()) {
      case DATA:
        this.#discarded += parser.data.length;
        if (this.#discarded <= DRAIN_LIMIT) return true;
        this.#exchange = null;
        this.#close();
        return false;
      case END:
        this.#exchange = null;
        return true;
      case NEED_DATA:
        return false;
      default:
        this.#exchange = null;
        this.#close();
        return false;
    }
  }

  /** True when more bytes would only wait: for the application, for the peer to read, or for the answers before theirs. */
  #hasEnough(parser: RequestParser): boolean {
    // With neither, what is buffered is the beginning of a head: only more bytes can end it.
    if (this.#exchange === null && this.#congested === null) return false;
    return parser.buffered >= READ_AHEAD || this.#bodyWaits();
  }

  /** True when body bytes wait in the parser because the application has not taken those before. */
  #bodyWaits(): boolean {
    const exchange = this.#exchange;
    return exchange !== null && !exchange.done && !exchange.requestComplete && this.#parser !== null &&
      this.#parser.buffered > 0 && exchange.input.buffered >= READ_AHEAD;
  }

  /** After a turn: which clock runs now, does reading go on, is the connection over? */
  #settle(): void {
    if (this.#closing || this.#tunnel !== null) {
      if (this.#closing) this.#readOn();
      return;
    }
    const parser = this.#parser;
    const exchange = this.#exchange;
    if (exchange !== null) {
      if (exchange.requestComplete) {
        this.#clock = NONE;
      } else if (exchange.done || exchange.input.waiting) {
        // Each byte that comes sets this clock anew, since each ends in a turn.
        // A finished response waits for the rest of its request, an unfinished one for what its application reads. The
        // rest that nobody reads must not trickle in for ever.
        const clock = exchange.done ? LINGERING : BODY;
        if (clock !== LINGERING || this.#clock !== LINGERING) {
          this.#clock = clock;
          this.#deadline = this.server.after(this.server.settings.body_timeout);
        }
      } else {
        this.#clock = NONE;
      }
      if (exchange.done && this.#peerEnded) this.#close();
    } else if (parser === null || parser.idle) {
      if (this.#peerEnded || (this.server.closesIdle && this.#requests > 0)) {
        this.#close();
        return;
      }
      this.#releaseParser();
      // Set once: empty lines, which a client may send, are no sign of life.
      if (this.#requests > 0 && this.#clock !== IDLE) {
        this.#clock = IDLE;
        this.#deadline = this.server.after(this.server.settings.keepalive);
      }
    } else if (this.#peerEnded && this.#congested === null) {
      this.refuse(new RemoteProtocolError(400, "the connection ended within a request head"));
      return;
    } else if (this.#congested !== null) {
      // The client does not read its last response: until it does, its next request is not looked at.
      this.#clock = NONE;
    } else if (this.#clock !== HEAD_CLOCK) {
      // Set once: a head that trickles in does not get more time with each byte.
      if (this.#clock !== NEW) this.#deadline = this.server.after(this.server.settings.header_timeout);
      this.#clock = HEAD_CLOCK;
    }
    if (this.#resume !== null && (parser === null || !this.#hasEnough(parser))) {
      this.#readOn();
    }
  }

  #readOn(): void {
    const resume = this.#resume;
    if (resume === null) return;
    this.#resume = null;
    this.#paused = null;
    if (this.server.runtime.reusesReadBuffers) this.#parser?.keep();
    resume();
  }

  /**
   * Ends our side, then waits a little for the client to read and to end its own (RFC 9112 §9.6). A web server that has
   * sent all of its one request is not waited for: that would be two system calls and a turn of the loop a request.
   */
  #close(): void {
    if (this.#closing) return;
    this.flush();
    this.#closing = true;
    const complete = this.#releaseParser();
    this.#clock = NONE;
    const linger = (): void => {
      this.#clock = LINGERING;
      this.#deadline = this.server.afterMilliseconds(LINGER);
    };
    const wait = this.#tunnel === null ? this.#connection.end(complete) : this.#tunnel.leave();
    if (wait === undefined) {
      linger();
    } else {
      this.#wrote(wait);
      this.#congested?.then(linger);
    }
    this.#readOn();
  }

  #releaseParser(): boolean {
    const parser = this.#parser;
    if (parser === null) return false;
    this.#parser = null;
    return this.protocol.returnParser(parser);
  }

  /** Nothing more of `exchange` is sent; a next one may have its place. */
  #over(exchange: Exchange, aborted: boolean): void {
    const server = this.server;
    if (server.measures) {
      server.events.emit("request", {
        environ: exchange.environ,
        status: exchange.status,
        responseHeaders: exchange.headers,
        bytes: exchange.bytesSent,
        duration: performance.now() - exchange.startedAt,
        aborted,
      });
    }
    if (exchange.running) server.over(exchange);
    else server.unqueue(this);
  }
}
