// What the readers of uwsgi, FastCGI and SCGI have in common: bytes in, a request's variables, its body and its end out,
// or one fault, after which nothing more is read. Sans-IO as http1 is; what the variables mean is environ.ts's business.

/** A CGI variable (RFC 3875 §4.1) as the web server sent it, one character a byte. */
export type Variable = readonly [name: string, value: string];

/** How much a request's variables may take; Infinity for no limit. */
export interface VariableLimits {
  /** All of them as they are sent, bytes. */
  readonly size: number;
  readonly count: number;
}

/** What {@link GatewayReader.next} found. */
export type GatewayEvent =
  | typeof NEED_DATA
  | typeof VARIABLES
  | typeof DATA
  | typeof END
  | typeof ABORTED
  | typeof FAULT;
/** Nothing more can be told without more bytes. */
export const NEED_DATA = 0;
/** A request has begun: `variables` and `bodyLength` are there. */
export const VARIABLES = 1;
/** `data` has the next bytes of the body. */
export const DATA = 2;
/** The request is complete. */
export const END = 3;
/** The web server wants no answer any more (FastCGI only). */
export const ABORTED = 4;
/** `fault` says why; every further call says the same. */
export const FAULT = 5;

/** The peer broke a rule of the protocol or a limit. */
export class GatewayFault extends Error {
  override readonly name = "GatewayFault";
  /** What the web server's client is to be told, where it can be. */
  readonly status: 400 | 431;

  constructor(status: 400 | 431, reason: string) {
    super(reason);
    this.status = status;
  }
}

/** `bytes[start..end)` as a string with one character a byte. */
export type Latin1 = (bytes: Uint8Array, start: number, end: number) => string;

const NOTHING = new Uint8Array(0);

/** One connection's requests, in order. */
export abstract class GatewayReader {
  variables: readonly Variable[] = [];
  /** Of the request's body, bytes; -1: only its end tells (FastCGI). */
  bodyLength = 0;
  /** The bytes of a DATA event: a view on what was pushed, or a copy. */
  data: Uint8Array = NOTHING;
  fault: GatewayFault | null = null;
  /** What the protocol itself answers, one character a byte; whoever sends it sets it back to "". */
  reply = "";
  /** The web server will send another request on this connection. */
  keepsConnection = false;
  protected readonly limits: VariableLimits;
  protected readonly unread: Unread = new Unread();
  protected readonly latin1: Latin1;

  constructor(limits: VariableLimits, latin1: Latin1) {
    this.limits = limits;
    this.latin1 = latin1;
  }

  /** No request has begun, and nothing is unread. */
  abstract get idle(): boolean;

  /** Goes on as far as the next event. @throws {GatewayFault} */
  protected abstract step(): GatewayEvent;

  /** Bytes pushed and not yet consumed. */
  get buffered(): number {
    return this.unread.length;
  }

  /** Adds bytes. They are not copied while they can be read at once: see {@link keep}. */
  push(bytes: Uint8Array): void {
    if (this.fault === null) this.unread.push(bytes);
  }

  /** Copies what is unread, so that the caller may reuse what it pushed. */
  keep(): void {
    this.unread.keep();
  }

  /**
   * Makes it as new, for another connection, when it has read one request to its end, and none can follow. False: not
   * so, and nothing has changed.
   */
  recycle(): boolean {
    return false;
  }

  /** What all have in common is as new. */
  protected clear(): void {
    this.variables = [];
    this.bodyLength = 0;
    this.data = NOTHING;
    this.reply = "";
    this.keepsConnection = false;
    this.unread.keep();
  }

  /** Reads on. */
  next(): GatewayEvent {
    if (this.fault !== null) return FAULT;
    try {
      return this.step();
    } catch (error) {
      if (!(error instanceof GatewayFault)) throw error;
      this.fault = error;
      this.unread.skip(this.unread.length);
      return FAULT;
    }
  }
}

/** Where a {@link OneRequestReader} is. */
const BEFORE = 0;
const BODY = 1;
const OVER = 2;

/** A connection with one request: its variables, and a body of CONTENT_LENGTH bytes. */
export abstract class OneRequestReader extends GatewayReader {
  /** Its name, for reasons. */
  protected abstract readonly protocol: string;
  #state = BEFORE;
  #remaining = 0;

  override get idle(): boolean {
    return this.#state === BEFORE && this.unread.length === 0;
  }

  /** The request has been read to its end. */
  protected get over(): boolean {
    return this.#state === OVER;
  }

  override recycle(): boolean {
    if (!this.over || this.unread.length > 0 || this.fault !== null) return false;
    this.clear();
    this.#state = BEFORE;
    return true;
  }

  /** Consumes the variables; null: they have not come as a whole. @throws {GatewayFault} */
  protected abstract readVariables(): readonly Variable[] | null;

  protected override step(): GatewayEvent {
    switch (this.#state) {
      case BEFORE: {
        const variables = this.readVariables();
        if (variables === null) return NEED_DATA;
        this.variables = variables;
        this.bodyLength = this.#remaining = bodyLength(variables, false);
        this.#state = BODY;
        return VARIABLES;
      }
      case BODY: {
        if (this.#remaining === 0) {
          this.#state = OVER;
          return END;
        }
        const size = Math.min(this.unread.length, this.#remaining);
        if (size === 0) return NEED_DATA;
        this.data = this.unread.take(size);
        this.#remaining -= size;
        return DATA;
      }
      default:
        if (this.unread.length === 0) return NEED_DATA;
        throw new GatewayFault(400, `${this.protocol}: bytes after the request`);
    }
  }
}

/** Bytes that have come and are not consumed yet. */
export class Unread {
  bytes: Uint8Array = NOTHING;
  position = 0;
  #end = 0;
  /** True when `bytes` are our own, with room behind #end. */
  #own = false;

  get length(): number {
    return this.#end - this.position;
  }

  push(bytes: Uint8Array): void {
    if (this.position === this.#end) {
      this.bytes = bytes;
      this.position = 0;
      this.#end = bytes.length;
      this.#own = false;
      return;
    }
    this.#reserve(bytes.length);
    this.bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  keep(): void {
    if (this.position === this.#end) {
      this.bytes = NOTHING;
      this.position = this.#end = 0;
    } else if (!this.#own) this.#reserve(0);
  }

  /** The byte `offset` bytes from here. */
  at(offset: number): number {
    return this.bytes[this.position + offset]!;
  }

  skip(size: number): void {
    this.position += size;
  }

  /** Consumes `size` bytes, which the receiver may keep until the next push; never a Buffer. */
  take(size: number): Uint8Array {
    const start = this.position;
    this.position += size;
    // Our own buffer is written over later: what leaves it must be a copy.
    if (this.#own) return this.bytes.slice(start, start + size);
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, size);
  }

  /** Makes room for `more` bytes behind what is unread, in a buffer of our own. Doubling makes each byte cost a constant. */
  #reserve(more: number): void {
    const size = this.length;
    if (this.#own && this.#end + more <= this.bytes.length) return;
    const room = new Uint8Array(Math.max(256, 2 * (size + more)));
    room.set(this.bytes.subarray(this.position, this.#end));
    this.bytes = room;
    this.position = 0;
    this.#end = size;
    this.#own = true;
  }
}

/**
 * The length of the body that follows `variables`: what CONTENT_LENGTH says, 0 without it. -1 where there is a body of
 * which only the end tells the length, which only some protocols can carry (`endIsTold`).
 */
export function bodyLength(variables: readonly Variable[], endIsTold: boolean): number {
  let length = "";
  let coded = false;
  for (const [name, value] of variables) {
    if (name === "CONTENT_LENGTH" && value !== "") {
      // Where the body ends is no matter of opinion.
      if (length !== "" && length !== value) throw new GatewayFault(400, "two different CONTENT_LENGTH");
      length = value;
    } else if (name === "HTTP_TRANSFER_ENCODING") coded = true;
  }
  if (length !== "") {
    if (!/^\d{1,15}$/.test(length)) throw new GatewayFault(400, "CONTENT_LENGTH is no number (RFC 3875 §4.1.2)");
    return Number(length);
  }
  if (!coded) return 0;
  if (endIsTold) return -1;
  throw new GatewayFault(400, "a body without CONTENT_LENGTH, whose end nobody can tell (RFC 3875 §4.1.2)");
}

const HTTP = /^(?:GET |HEAD|POST|PUT |DELE|OPTI|PATC|CONN|TRAC|PRI )/;

/** What a peer speaks, by its first four bytes; "" when it is none of what is known. To be said in a fault's reason. */
export function otherProtocol(unread: Unread): string {
  const [a, b, c, d] = [unread.at(0), unread.at(1), unread.at(2), unread.at(3)];
  const text = String.fromCharCode(a, b, c, d);
  if (HTTP.test(text)) return "HTTP";
  if (a === 22 && b === 3) return "TLS";
  if (text === "PROX" || text === "\r\n\r\n") return "the PROXY protocol";
  if (a === 1 && (b === 1 || b === 9) && c === 0) return "FastCGI";
  if (/^\d{1,3}:|^\d{4}/.test(text)) return "SCGI";
  return a === 0 && d === 0 ? "uwsgi" : "";
}
