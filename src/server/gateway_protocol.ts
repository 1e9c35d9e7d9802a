// uwsgi, FastCGI and SCGI on a connection: what src/gateway_protocols reads becomes an HTTP/1.1 request again, which the
// same parser judges as every other, with the same limits; what CGI tells of the client besides goes into the environ.

import type { Environ } from "../esgi/environ.ts";
import { isBelow } from "../esgi/request.ts";
import { CgiReader } from "../gateway_protocols/cgi.ts";
import { type GatewayRequest, requestOf } from "../gateway_protocols/environ.ts";
import { FastCgiReader } from "../gateway_protocols/fastcgi.ts";
import {
  ABORTED,
  DATA as READ_DATA,
  END as READ_END,
  GatewayFault,
  type GatewayReader,
  NEED_DATA as NEED_MORE,
  type Variable,
  type VariableLimits,
  VARIABLES,
} from "../gateway_protocols/reader.ts";
import { ScgiReader } from "../gateway_protocols/scgi.ts";
import { UwsgiReader } from "../gateway_protocols/uwsgi.ts";
import { RemoteProtocolError } from "../http1/errors.ts";
import { END, HEAD, type Limits, NEED_DATA, type ParserEvent, RequestParser } from "../http1/parser.ts";
import { BY_PROTOCOL, type Framing, UNTIL_CLOSE } from "../http1/response.ts";
import type { GatewayName, Runtime } from "../runtime/port.ts";
import type { Protocol, Speaker } from "./protocol.ts";
import type { Peer, Session } from "./session.ts";

/** Variables beside those of fields: nginx and Apache send some twenty, and users add theirs. */
const FURTHER_VARIABLES = 100;
/** What a response begins with in HTTP; in CGI with the name of a field (RFC 3875 §6.3.3). */
const HTTP_VERSION = "HTTP/1.1 ";
const CONNECTION_CLOSE = "Connection: close\r\n";

/** Parsers kept for the next connections. */
const SPARE = 256;

/** A gateway protocol as all connections of a server speak it. */
export class GatewayProtocols {
  readonly #name: GatewayName;
  readonly #runtime: Runtime;
  readonly #limits: Limits;
  readonly #connections: number;
  readonly #spare: GatewayParser[] = [];

  /** @param connections how many there may be; 0 is no limit */
  constructor(name: GatewayName, runtime: Runtime, limits: Limits, connections: number) {
    this.#name = name;
    this.#runtime = runtime;
    this.#limits = limits;
    this.#connections = connections || Infinity;
  }

  /** For one connection. */
  open(): Protocol {
    return this.#name === "fastcgi" ? new FastCgi(this, true) : new Gateway(this, this.#name !== "uwsgi");
  }

  takeParser(speaker: Speaker): GatewayParser {
    const parser = this.#spare.pop() ?? new GatewayParser(this.#newReader(), this.#limits, this.#runtime);
    parser.speaker = speaker;
    return parser;
  }

  /** True when `parser` has read all that its connection had to say: the next one may have it. */
  returnParser(parser: GatewayParser): boolean {
    if (!parser.recycle()) return false;
    if (this.#spare.length < SPARE) this.#spare.push(parser);
    return true;
  }

  #newReader(): GatewayReader {
    const { head, fields } = this.#limits;
    const limits: VariableLimits = { size: head, count: fields + FURTHER_VARIABLES };
    const { latin1 } = this.#runtime;
    switch (this.#name) {
      case "uwsgi":
        return new UwsgiReader(limits, latin1);
      case "scgi":
        return new ScgiReader(limits, latin1);
      case "fastcgi":
        return new FastCgiReader(limits, latin1, this.#connections);
    }
  }
}

/** The protocol of a CGI program's standard streams. @param environment the process's, one character a byte */
export function cgiProtocol(environment: readonly Variable[], runtime: Runtime, limits: Limits): Protocol {
  const parser = new GatewayParser(new CgiReader(environment, runtime.latin1), limits, runtime);
  const takeParser = (speaker: Speaker): GatewayParser => {
    parser.speaker = speaker;
    return parser;
  };
  return new Gateway({ takeParser, returnParser: () => false }, true);
}

/** uwsgi, SCGI and CGI: one request a connection, whose end is the response's. */
class Gateway implements Protocol {
  readonly #parsers: Pick<GatewayProtocols, "takeParser" | "returnParser">;
  /** Responses begin as CGI's do. */
  readonly #cgi: boolean;
  readonly interim = false;
  /** From the connection's first byte until it has no more to say. */
  protected parser: GatewayParser | null = null;

  constructor(parsers: Pick<GatewayProtocols, "takeParser" | "returnParser">, cgi: boolean) {
    this.#parsers = parsers;
    this.#cgi = cgi;
  }

  get answers(): boolean {
    return true;
  }

  takeParser(speaker: Speaker): RequestParser {
    return this.parser ??= this.#parsers.takeParser(speaker);
  }

  returnParser(parser: GatewayParser): boolean {
    if (this.#parsers.returnParser(parser)) {
      this.parser = null;
      return true;
    }
    // It stays this connection's own, with whatever it has begun to read.
    parser.keep();
    return false;
  }

  peerOf(session: Session): Peer {
    const { remoteAddress, remotePort, serverName, serverPort, scheme } = this.parser!.request!;
    return {
      address: remoteAddress,
      port: remotePort,
      // Our own end is asked for only where the web server does not name its.
      serverName: serverName ?? session.peer.serverName,
      serverPort: serverPort ?? session.peer.serverPort,
      scheme,
      // That is between us and the web server.
      tls: null,
    };
  }

  complete(environ: Environ): void {
    const { mount } = this.parser!.request!;
    if (mount !== "" && isBelow(environ.PATH_INFO, mount)) {
      environ.SCRIPT_NAME = mount;
      environ.PATH_INFO = environ.PATH_INFO.slice(mount.length);
    }
  }

  unknownLength(): Framing {
    return UNTIL_CLOSE;
  }

  endHead(head: string): string {
    return `${this.#cgi ? `Status: ${head.slice(HTTP_VERSION.length)}` : head}\r\n`;
  }

  answer(text: string): string {
    const end = text.indexOf("\r\n\r\n");
    return this.endHead(text.slice(0, end + 2).replace(CONNECTION_CLOSE, "")) + text.slice(end + 4);
  }

  text(text: string): string {
    return text;
  }

  bytes(bytes: Uint8Array): Uint8Array {
    return bytes;
  }

  end(): string {
    this.parser?.answered();
    return "";
  }
}

class FastCgi extends Gateway {
  get #reader(): FastCgiReader | undefined {
    return this.parser?.reader as FastCgiReader | undefined;
  }

  override get answers(): boolean {
    return this.#reader?.active ?? false;
  }

  override unknownLength(): Framing {
    return BY_PROTOCOL;
  }

  override text(text: string): string {
    return this.#reader?.stdoutText(text) ?? "";
  }

  override bytes(bytes: Uint8Array): Uint8Array {
    return this.#reader!.stdoutBytes(bytes);
  }

  override end(): string {
    return super.end() + (this.#reader?.endRequest() ?? "");
  }
}

/** One byte a character. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** A parser of HTTP whose bytes come out of another protocol. */
class GatewayParser extends RequestParser {
  /** The request whose head was read last. */
  request: GatewayRequest | null = null;
  /** Whose connection it reads. */
  speaker: Speaker | null = null;
  readonly reader: GatewayReader;
  /** The whole body has been read, and the response is not over: what comes meanwhile is of the protocol itself. */
  #complete = false;
  #answered = false;
  /** Of the body, where it has a length. */
  #left = 0;
  /** The body has no length, so it is told to http1 in chunks. */
  #chunked = false;
  /** A fault that is told when all before it has been read. */
  #pending: RemoteProtocolError | null = null;

  constructor(reader: GatewayReader, limits: Limits, { latin1 }: Runtime) {
    super(limits, latin1);
    this.reader = reader;
  }

  override get idle(): boolean {
    return super.idle && this.reader.idle && this.#pending === null;
  }

  override get buffered(): number {
    return super.buffered + this.reader.buffered;
  }

  override push(bytes: Uint8Array): void {
    this.reader.push(bytes);
    if (this.#complete) this.#readAhead();
  }

  override keep(): void {
    super.keep();
    this.reader.keep();
  }

  override next(): ParserEvent {
    for (;;) {
      const event = super.next();
      if (event !== NEED_DATA) return event;
      if (this.#pending !== null) return this.fail(this.#pending);
      const found = this.#read();
      if (found !== null) return found;
    }
  }

  /** Makes it as new, for another connection, when this one's only request has been read to its end; else false. */
  recycle(): boolean {
    let event = this.next();
    if (event === END) event = this.next();
    if (event !== NEED_DATA || !super.idle || this.#pending !== null || !this.reader.recycle()) return false;
    super.keep();
    this.request = this.speaker = null;
    this.#complete = this.#answered = this.#chunked = false;
    return true;
  }

  /** The response is over. */
  answered(): void {
    this.#answered = true;
    this.#complete = false;
  }

  /** Moves on what the reader has; null: the parser may have something to say. */
  #read(): typeof HEAD | typeof NEED_DATA | null {
    const reader = this.reader;
    const event = reader.next();
    this.#interject();
    switch (event) {
      case NEED_MORE:
        return NEED_DATA;
      case VARIABLES:
        return this.#begin();
      case READ_DATA:
        if (this.#chunked) this.#pushChunk(reader.data);
        else super.push(reader.data);
        this.#left -= reader.data.length;
        if (this.#left === 0) this.#finishBody();
        return null;
      case READ_END:
        if (!this.#chunked) return null;
        super.push(bytesOf("0\r\n\r\n"));
        this.#chunked = false;
        this.#finishBody();
        return null;
      case ABORTED:
        this.#pending = new RemoteProtocolError(400, "the web server aborted the request");
        this.#tellAbort();
        return null;
      default: {
        const { status, message } = reader.fault!;
        this.#pending = new RemoteProtocolError(status, message);
        return null;
      }
    }
  }

  #begin(): typeof HEAD | null {
    const { variables, bodyLength, keepsConnection } = this.reader;
    this.#answered = false;
    this.#chunked = bodyLength < 0;
    this.#left = bodyLength;
    try {
      const request = requestOf(variables, this.#chunked);
      this.takeHead(request.method, request.target, request.minorVersion, request.fields);
      this.request = request;
    } catch (error) {
      if (error instanceof GatewayFault) this.#pending = new RemoteProtocolError(error.status, error.message);
      else if (error instanceof RemoteProtocolError) this.#pending = error;
      else throw error;
      return null;
    }
    this.keepAlive = keepsConnection;
    if (bodyLength === 0) this.#finishBody();
    return HEAD;
  }

  /** RFC 9112 §7.1. */
  #pushChunk(data: Uint8Array): void {
    super.push(bytesOf(`${data.length.toString(16)}\r\n`));
    super.push(data);
    super.push(bytesOf("\r\n"));
  }

  #finishBody(): void {
    this.#complete = !this.#answered;
    this.#readAhead();
  }

  /** While the application works, a web server may ask something of the protocol, or abort the request. */
  #readAhead(): void {
    while (this.#complete && this.#pending === null && this.reader.buffered > 0 && this.#read() === null);
  }

  #interject(): void {
    const { reply } = this.reader;
    if (reply === "") return;
    this.reader.reply = "";
    this.speaker?.interject(reply);
  }

  /** Later, since the session may just be about to begin with this request. */
  #tellAbort(): void {
    const { request } = this;
    queueMicrotask(() => {
      if (this.request === request) this.speaker?.abandon();
    });
  }
}
