// Bytes in, requests out: the receiving half of HTTP/1.1 (RFC 9112), sans-IO. No clock, no sockets, no promises. Push
// bytes, call next() until it wants more. What is ambiguous is refused, never guessed, because two readers that guess
// differently are a smuggling hole; a refused connection cannot be used again.
//
// The head is parsed line by line, so that a bad byte is refused when it comes and a slow head is not scanned anew; bytes
// are scanned with tables, and values are cut from one decoded string (measured to be two to four times faster than
// llhttp compiled to WebAssembly).

import { COLON, consistsOf, CR, FIELD_VALUE, HEX, HTAB, LF, SP, TARGET, TOKEN, trimSpace } from "./bytes.ts";
import { HTTP2_REASON, otherProtocol, PROXY_REASON, type RefusalStatus, RemoteProtocolError } from "./errors.ts";
import * as names from "./names.ts";
import { checkAuthority, parseTarget, type Target } from "./target.ts";

/** What a request may cost; Infinity for no limit. Sizes in bytes. */
export interface Limits {
  /** The request line without its CRLF; more is 414, and so is one that is longer than a head may be. */
  readonly requestLine: number;
  /** Fields, and trailer fields; more is 431. */
  readonly fields: number;
  /** One field line without its CRLF; more is 431. */
  readonly fieldSize: number;
  /** Request line and fields together, and the trailers together; more is 431. */
  readonly head: number;
  /** The body's content; more is 413. */
  readonly body: number;
}

/** What {@link RequestParser.next} found. */
export type ParserEvent = typeof NEED_DATA | typeof HEAD | typeof DATA | typeof END | typeof REFUSED;
/** Nothing more can be told without more bytes. */
export const NEED_DATA = 0;
/** A request's head is complete: read the parser's fields before the next call. */
export const HEAD = 1;
/** `parser.data` holds the next bytes of the body. */
export const DATA = 2;
/** The message is complete, `parser.trailers` too. The next call looks for the next request. */
export const END = 3;
/** `parser.error` says why; every further call says the same. */
export const REFUSED = 4;

const REQUEST_LINE = 0;
const FIELDS = 1;
const FIXED_BODY = 2;
const CHUNK_SIZE = 3;
const CHUNK_DATA = 4;
const CHUNK_CRLF = 5;
const TRAILERS = 6;
const MESSAGE_END = 7;
const FAILED = 8;

/** Longer than every registered method (RFC 9110 §16.1). */
const MAX_METHOD = 64;
/** The longest name of a field that is told to the operator. */
const MAX_NAME_TOLD = 40;
/** A chunk's size and extensions, without CRLF. */
const MAX_CHUNK_LINE = 4096;
/** What the chunk lines of a message may cost more than {@link CHUNK_ALLOWANCE} each and twice the data they frame. */
const MAX_EXCESS = 16_384;
const CHUNK_ALLOWANCE = 16;
const TOO_LONG_CHUNK_LINE = "chunk sizes or extensions are too long (RFC 9112 §7.1.1)";
/** Far above every body, and far below where doubles lose count. */
const MAX_CHUNK_SIZE = 2 ** 48;
/** A transfer coding, in lower case; only chunked may not have parameters (RFC 9112 §7, §7.1). */
const CODING = /^(?!chunked[ \t]*;)[!#$%&'*+\-.^_`|~0-9a-z]+(?:[ \t]*;[^,]*)?$/;
/** How much of a buffer is decoded at a time: a usual head at once, a body behind it hardly. */
const WINDOW = 2048;

const VERSION = [0x48, 0x54, 0x54, 0x50, 0x2f, -1, 0x2e, -1, CR, LF]; // HTTP/d.d CRLF

// Fields that a trailer section may not carry: framing, routing, modifiers, authentication, content (RFC 9110 §6.5.1). Not
// Content-Type, though it is one of them: other servers take it there, and trailers are never taken for the head's fields.
const FORBIDDEN_TRAILERS = new Set(
  ("transfer-encoding content-length host trailer te connection keep-alive proxy-connection upgrade expect max-forwards " +
    "cache-control pragma range if-match if-none-match if-modified-since if-unmodified-since if-range authorization " +
    "proxy-authorization proxy-authenticate www-authenticate cookie set-cookie content-encoding " +
    "content-range forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-forwarded-ssl " +
    "x-forwarded-protocol x-real-ip").split(" "),
);

const NOTHING = new Uint8Array(0);
const NO_TRAILERS: readonly names.Field[] = [];

/** One connection's requests, in order. */
export class RequestParser {
  // The head of the current request; valid from HEAD on.
  /** From the end of the request line to END: who refuses the request has to know HEAD. Else "". */
  method = "";
  /** As received. */
  target = "";
  /** The minor version: 0 or 1. A higher one is treated as 1 (RFC 9110 §2.5). */
  minorVersion = 1;
  /** The parts of a target in another form than origin-form; null for that. */
  parsedTarget: Target | null = null;
  /** In order and as received; a fresh array for each request. */
  fields: names.Field[] = [];
  /** The names of `fields`, interned: as many as there are fields, whatever stands behind them. The next request writes over. */
  readonly fieldNames: names.FieldName[] = [];
  /** True when some known name came twice, and its values must be joined. */
  repeated = false;
  /** True when a field of {@link names.FORWARDED} to {@link names.X_REAL_IP} is there. */
  forwarded = false;
  /** The Content-Length, or -1. */
  contentLength = -1;
  chunked = false;
  /** What the request says of this connection's future (RFC 9112 §9.3). */
  keepAlive = true;
  /** Expect: 100-continue was sent by an HTTP/1.1 client (RFC 9110 §10.1.1). */
  expectContinue = false;
  /** The Upgrade field's protocols when Connection lists it too (RFC 9110 §7.8), else null. */
  upgrade: readonly string[] | null = null;

  /** The bytes of a DATA event: a view on what was pushed, or a copy. */
  data: Uint8Array = NOTHING;
  trailers: readonly names.Field[] = NO_TRAILERS;
  error: RemoteProtocolError | null = null;

  readonly #limits: Limits;
  readonly #maxLine: number;
  readonly #decode: (bytes: Uint8Array, start: number, end: number) => string;
  #state = REQUEST_LINE;
  #bytes: Uint8Array = NOTHING;
  #position = 0;
  #end = 0;
  /** True when #bytes is the parser's own, with room behind #end. */
  #own = false;
  #text = "";
  #textStart = 0;
  #textEnd = 0;
  #headSize = 0;
  /** The field lines whose meaning the fields below still hold, or "". */
  #block = "";
  #blockFields: readonly names.Field[] = [];
  #blockStart = -1;
  #seenLow = 0;
  #seenHigh = 0;
  #host: string | null = null;
  #checkedHost = "";
  #lengthField: string | null = null;
  #codingField: string | null = null;
  #connectionField: string | null = null;
  #expectField: string | null = null;
  #upgradeField: string | null = null;
  #remaining = 0;
  #received = 0;
  #excess = 0;

  constructor(limits: Limits, decode: (bytes: Uint8Array, start: number, end: number) => string) {
    this.#limits = limits;
    this.#maxLine = Math.min(limits.requestLine, limits.head - 2);
    this.#decode = decode;
  }

  /** True between messages, with nothing unread: the connection is idle. */
  get idle(): boolean {
    return this.#state === REQUEST_LINE && this.#position === this.#end;
  }

  /** Bytes pushed and not yet consumed. */
  get buffered(): number {
    return this.#end - this.#position;
  }

  /** Adds bytes. They are not copied while they can be parsed at once: see {@link keep}. */
  push(bytes: Uint8Array): void {
    if (this.#state === FAILED) return;
    if (this.#position === this.#end) {
      this.#bytes = bytes;
      this.#position = 0;
      this.#end = bytes.length;
      this.#own = false;
      this.#textEnd = 0;
      this.#textStart = 0;
      return;
    }
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Copies what is unread, so that the caller may reuse what it pushed. */
  keep(): void {
    if (this.#position === this.#end) {
      this.#bytes = NOTHING;
      this.#position = this.#end = 0;
      this.#text = "";
      this.#textStart = this.#textEnd = 0;
    } else if (!this.#own) {
      this.#reserve(0);
    }
  }

  /** Takes what is unread away: the connection speaks another protocol from here on. */
  takeRest(): Uint8Array {
    const rest = new Uint8Array(plain(this.#bytes, this.#position, this.#end - this.#position));
    this.#position = this.#end;
    return rest;
  }

  /** Parses on. */
  next(): ParserEvent {
    try {
      for (;;) {
        switch (this.#state) {
          case REQUEST_LINE:
            if (!this.#requestLine()) return NEED_DATA;
            if (this.#repeatFields()) {
              this.#finishHead();
              return HEAD;
            }
            this.#startFields();
            this.#state = FIELDS;
            this.#blockStart = this.#position;
            if (!this.#fieldLines(false)) {
              this.#blockStart = -1;
              return NEED_DATA;
            }
            this.#remember();
            this.#finishHead();
            return HEAD;
          case FIELDS: {
            if (!this.#fieldLines(false)) return NEED_DATA;
            this.#finishHead();
            return HEAD;
          }
          case FIXED_BODY:
          case CHUNK_DATA: {
            const available = this.#end - this.#position;
            if (available === 0) return NEED_DATA;
            const size = available < this.#remaining ? available : this.#remaining;
            // The parser's own buffer is written over later: what leaves it must be a copy.
            this.data = this.#own
              ? this.#bytes.slice(this.#position, this.#position + size)
              : plain(this.#bytes, this.#position, size);
            this.#position += size;
            this.#remaining -= size;
            if (this.#remaining === 0) this.#state = this.#state === FIXED_BODY ? MESSAGE_END : CHUNK_CRLF;
            return DATA;
          }
          case CHUNK_SIZE:
            if (!this.#chunkLine()) return NEED_DATA;
            break;
          case CHUNK_CRLF: {
            if (this.#position === this.#end) return NEED_DATA;
            if (this.#bytes[this.#position] !== CR) {
              this.#refuse(400, "chunk data is longer than its size (RFC 9112 §7.1)");
            }
            if (this.#position + 1 === this.#end) return NEED_DATA;
            if (this.#bytes[this.#position + 1] !== LF) this.#refuse(400, "bare CR after chunk data (RFC 9112 §2.2)");
            this.#position += 2;
            this.#state = CHUNK_SIZE;
            break;
          }
          case TRAILERS:
            if (!this.#fieldLines(true)) return NEED_DATA;
            this.trailers = this.fields;
            this.#state = MESSAGE_END;
            break;
          case MESSAGE_END:
            this.#state = REQUEST_LINE;
            this.#headSize = 0;
            this.method = "";
            return END;
          default:
            return REFUSED;
        }
      }
    } catch (error) {
      if (!(error instanceof RemoteProtocolError)) throw error;
      return this.fail(error);
    }
  }

  /**
   * Takes a request's head that came in other words than HTTP's, between two messages and under the same rules and limits.
   * What is pushed next is its body; names of fields are tokens.
   *
   * @throws {RemoteProtocolError}
   */
  protected takeHead(method: string, target: string, minorVersion: 0 | 1, fields: readonly names.Field[]): void {
    const limits = this.#limits;
    if (method === "" || !consistsOf(method, TOKEN)) this.#refuse(400, "malformed method (RFC 9110 §9.1)");
    if (method.length > MAX_METHOD) this.#refuse(501, "the method is longer than any that exists (RFC 9112 §3)");
    if (target === "" || !consistsOf(target, TARGET)) this.#refuse(400, "malformed request target (RFC 9112 §3.2)");
    const line = method.length + target.length + " HTTP/1.1 ".length;
    if (line > this.#maxLine) this.#lineTooLong();
    this.method = method;
    this.target = target;
    this.minorVersion = minorVersion;
    this.parsedTarget = target.startsWith("/") && method !== "CONNECT" ? null : parseTarget(method, target);
    this.#headSize = line + 2;
    this.#startFields();
    for (const field of fields) {
      const count = this.fields.length;
      const size = field[0].length + field[1].length + 2;
      if (size > limits.fieldSize || this.#headSize + size + 2 > limits.head) this.#tooLong(size, field[0]);
      this.#headSize += size + 2;
      if (count >= limits.fields) this.#refuse(431, "more fields than limit_request_fields");
      if (!consistsOf(field[1], FIELD_VALUE)) {
        this.#refuse(400, "a control character in a field value (RFC 9110 §5.5)");
      }
      const value = trimSpace(field[1]);
      const name = names.named(field[0]);
      this.fieldNames[count] = name;
      if (name.id !== 0) this.#note(name.id, value);
      this.fields.push(value === field[1] ? field : [field[0], value]);
    }
    this.#finishHead();
  }

  /** Refuses all that may come: the fault was found here, or in what the bytes were wrapped in. */
  protected fail(error: RemoteProtocolError): typeof REFUSED {
    this.#state = FAILED;
    this.error = error;
    this.#position = this.#end;
    // Not what a subclass makes of it: these are our own bytes.
    RequestParser.prototype.keep.call(this);
    return REFUSED;
  }

  #refuse(status: RefusalStatus, reason: string): never {
    throw new RemoteProtocolError(status, reason);
  }

  /** Makes room for `more` bytes behind what is unread, in a buffer of the parser's own. */
  #reserve(more: number): void {
    const unread = this.#end - this.#position;
    // Doubling makes a head that comes byte by byte cost a constant per byte.
    if (!this.#own || this.#end + more > this.#bytes.length) {
      const target = this.#own && unread + more <= this.#bytes.length / 2
        ? this.#bytes
        : new Uint8Array(Math.max(256, 2 * (unread + more)));
      if (target === this.#bytes) target.copyWithin(0, this.#position, this.#end);
      else target.set(this.#bytes.subarray(this.#position, this.#end));
      this.#bytes = target;
      this.#position = 0;
      this.#end = unread;
      this.#own = true;
      this.#textStart = this.#textEnd = 0;
    }
  }

  #slice(start: number, end: number): string {
    if (end > this.#textEnd || start < this.#textStart) {
      this.#textStart = start;
      this.#textEnd = Math.min(this.#end, Math.max(end, start + WINDOW));
      this.#text = this.#decode(this.#bytes, start, this.#textEnd);
    }
    return this.#text.substring(start - this.#textStart, end - this.#textStart);
  }

  #requestLine(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    // RFC 9112 §2.2: empty lines before a request line are ignored.
    while (this.#position < end && bytes[this.#position] === CR) {
      if (this.#position + 1 === end) return false;
      if (bytes[this.#position + 1] !== LF) this.#refuse(400, "bare CR before the request line (RFC 9112 §2.2)");
      this.#position += 2;
    }
    const start = this.#position;
    let i = start;
    while (i < end && TOKEN[bytes[i]!] === 1) i++;
    if (i - start > this.#maxLine) this.#refuse(400, "malformed request line (RFC 9112 §3)");
    if (i === end) return false;
    if (bytes[i] !== SP || i === start) {
      this.#refuse(400, otherProtocol(bytes, start, i) ?? "malformed request line (RFC 9112 §3)");
    }
    if (i - start > MAX_METHOD) this.#refuse(501, "the method is longer than any that exists (RFC 9112 §3)");
    const methodEnd = i;
    const targetStart = ++i;
    while (i < end && TARGET[bytes[i]!] === 1) i++;
    if (i - start > this.#maxLine) this.#lineTooLong();
    if (i === end) return false;
    if (bytes[i] !== SP || i === targetStart) {
      this.#refuseLine(start, methodEnd, "malformed request target (RFC 9112 §3.2)");
    }
    const targetEnd = i++;
    for (let k = 0; k < VERSION.length; k++) {
      if (i + k === end) return false;
      const byte = bytes[i + k]!;
      const wanted = VERSION[k]!;
      if (wanted >= 0 ? byte !== wanted : byte < 0x30 || byte > 0x39) {
        this.#refuseLine(start, methodEnd, "malformed HTTP version or line end (RFC 9112 §2.3, §2.2)");
      }
    }
    if (i + 8 - start > this.#maxLine) this.#lineTooLong();
    if (bytes[i + 5] !== 0x31) {
      const isPreface = this.#slice(start, i + 8) === "PRI * HTTP/2.0";
      this.#refuse(505, isPreface ? HTTP2_REASON : "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    this.minorVersion = bytes[i + 7] === 0x30 ? 0 : 1;
    this.method =
      methodEnd - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54
        ? "GET"
        : this.#slice(start, methodEnd);
    this.target = this.#slice(targetStart, targetEnd);
    this.parsedTarget = bytes[targetStart] === 0x2f && this.method !== "CONNECT"
      ? null
      : parseTarget(this.method, this.target);
    this.#headSize = i + VERSION.length - start;
    this.#position = i + VERSION.length;
    return true;
  }

  #lineTooLong(): never {
    const limit = this.#maxLine < this.#limits.requestLine ? "limit_request_head" : "limit_request_line";
    this.#refuse(414, `the request line is longer than ${limit}`);
  }

  #refuseLine(start: number, methodEnd: number, reason: string): never {
    this.#refuse(400, this.#slice(start, methodEnd) === "PROXY" ? PROXY_REASON : reason);
  }

  /**
   * The same fields as last time? A client mostly repeats them, byte for byte: then what was found in them before is
   * found again by one comparison (measured for a browser's fifteen: 0.1 instead of 1.1 to 1.9 us).
   */
  #repeatFields(): boolean {
    const block = this.#block;
    const start = this.#position;
    const length = block.length;
    if (length === 0 || this.#end - start < length || this.#headSize + length > this.#limits.head) return false;
    if (this.#slice(start, start + length) !== block) return false;
    this.#headSize += length;
    this.#position = start + length;
    // Anew: the application may do what it likes with its own.
    const fields: names.Field[] = [];
    for (const field of this.#blockFields) fields.push([field[0], field[1]]);
    this.fields = fields;
    return true;
  }

  /** Keeps the field lines just parsed for {@link #repeatFields}, when they are not too many. */
  #remember(): void {
    const length = this.#position - this.#blockStart;
    if (length > WINDOW / 2) return;
    this.#block = this.#slice(this.#blockStart, this.#position);
    this.#blockFields = this.fields.map(([name, value]) => [name, value]);
  }

  #startFields(): void {
    // What is noted below is of other fields than these from here on.
    this.#block = "";
    this.fields = [];
    this.repeated = false;
    this.forwarded = false;
    this.#seenLow = 0;
    this.#seenHigh = 0;
    this.#host = null;
    this.#lengthField = null;
    this.#codingField = null;
    this.#connectionField = null;
    this.#expectField = null;
    this.#upgradeField = null;
  }

  /** Parses field lines up to and with the empty line; false when more bytes are needed. */
  #fieldLines(trailers: boolean): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const limits = this.#limits;
    // Locals: an imported binding would be loaded anew for each byte.
    const token = TOKEN;
    const fieldValue = FIELD_VALUE;
    const fields = this.fields;
    for (;;) {
      const start = this.#position;
      if (start === end) return false;
      let i = start;
      let byte = bytes[i]!;
      if (byte === CR) {
        if (i + 1 === end) return false;
        if (bytes[i + 1] !== LF) this.#refuse(400, "bare CR in the fields (RFC 9112 §2.2)");
        this.#position = i + 2;
        return true;
      }
      let hash = 0;
      while (token[byte] === 1) {
        hash = (Math.imul(hash, 31) + byte) | 0;
        if (++i === end) return this.#partialField(start);
        byte = bytes[i]!;
      }
      if (byte !== COLON || i === start) this.#badName(start, i);
      const nameEnd = i;
      do {
        if (++i === end) return this.#partialField(start);
        byte = bytes[i]!;
      } while (byte === SP || byte === HTAB);
      const valueStart = i;
      while (fieldValue[byte] === 1) {
        if (++i === end) return this.#partialField(start);
        byte = bytes[i]!;
      }
      if (byte !== CR) this.#badValue(start, i);
      const size = i - start;
      if (size > limits.fieldSize || this.#headSize + size + 2 > limits.head) this.#tooLong(size, this.#nameAt(start));
      if (i + 1 === end) return false;
      if (bytes[i + 1] !== LF) this.#refuse(400, "bare CR in a field value (RFC 9112 §2.2)");
      let valueEnd = i;
      while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
      this.#headSize += size + 2;
      const count = fields.length;
      if (count >= limits.fields) this.#refuse(431, "more fields than limit_request_fields");
      const name = names.intern(bytes, start, nameEnd, hash);
      const value = valueStart === valueEnd ? "" : this.#slice(valueStart, valueEnd);
      this.#position = i + 2;
      if (trailers) {
        if (FORBIDDEN_TRAILERS.has(name.lower)) {
          this.#refuse(400, `${name.lower} is no trailer field (RFC 9110 §6.5.1)`);
        }
      } else {
        this.fieldNames[count] = name;
        if (name.id !== 0) this.#note(name.id, value);
      }
      fields.push([name.raw, value]);
    }
  }

  /** Looks at what is there of an unfinished field line, so that an endless one ends. */
  #partialField(start: number, end: number = this.#end): false {
    const size = end - start;
    if (size > this.#limits.fieldSize || this.#headSize + size > this.#limits.head) {
      this.#tooLong(size, this.#nameAt(start));
    }
    return false;
  }

  /** The name of the field line at `start`, too long as it is; "" when it is no name that anybody knows. */
  #nameAt(start: number): string {
    // Not further than where the line is too long: byte by byte no more of it would have been seen.
    const end = start + Math.min(MAX_NAME_TOLD, this.#limits.fieldSize);
    let i = start;
    while (i < end && TOKEN[this.#bytes[i]!] === 1) i++;
    return this.#bytes[i] === COLON ? this.#slice(start, i) : "";
  }

  /** Names the limit that is passed first, and the field: most often it is a cookie that has grown. */
  #tooLong(size: number, name: string): never {
    const { fieldSize, head } = this.#limits;
    const told = name !== "" && name.length <= MAX_NAME_TOLD && consistsOf(name, TOKEN);
    this.#refuse(
      431,
      size > fieldSize && this.#headSize + fieldSize <= head
        ? `${told ? `the field ${name}` : "a field"} is longer than limit_request_field_size`
        : "the head is longer than limit_request_head",
    );
  }

  #badName(start: number, i: number): never {
    // First the limits, as for a line that comes byte by byte: one input has one answer.
    this.#partialField(start, i);
    const byte = this.#bytes[i]!;
    if (byte === SP || byte === HTAB) {
      this.#refuse(
        400,
        i === start
          ? "a field line starts with white space: obsolete line folding (RFC 9112 §5.2)"
          : "white space between a field name and its colon (RFC 9112 §5.1)",
      );
    }
    this.#refuse(400, byte === LF ? "bare LF in the fields (RFC 9112 §2.2)" : "malformed field name (RFC 9110 §5.1)");
  }

  #badValue(start: number, i: number): never {
    this.#partialField(start, i);
    this.#refuse(
      400,
      this.#bytes[i] === LF
        ? "bare LF in a field value (RFC 9112 §2.2)"
        : "a control character in a field value (RFC 9110 §5.5)",
    );
  }

  /** Notes what a field means to the protocol, and whether it came before. */
  #note(id: number, value: string): void {
    let again: boolean;
    if (id < 32) {
      const bit = 1 << id;
      again = (this.#seenLow & bit) !== 0;
      this.#seenLow |= bit;
    } else {
      const bit = 1 << (id - 32);
      again = (this.#seenHigh & bit) !== 0;
      this.#seenHigh |= bit;
    }
    if (again) this.repeated = true;
    if (id > names.X_REAL_IP) return;
    switch (id) {
      case names.HOST:
        if (this.#host !== null) this.#refuse(400, "more than one Host field (RFC 9112 §3.2)");
        this.#host = value;
        return;
      case names.CONTENT_LENGTH:
        if (this.#lengthField !== null) this.#refuse(400, "more than one Content-Length field (RFC 9112 §6.3)");
        this.#lengthField = value;
        return;
      case names.TRANSFER_ENCODING:
        this.#codingField = this.#codingField === null ? value : `${this.#codingField}, ${value}`;
        return;
      case names.CONNECTION:
        this.#connectionField = this.#connectionField === null ? value : `${this.#connectionField}, ${value}`;
        return;
      case names.EXPECT:
        this.#expectField = this.#expectField === null ? value : `${this.#expectField}, ${value}`;
        return;
      case names.UPGRADE:
        this.#upgradeField = this.#upgradeField === null ? value : `${this.#upgradeField}, ${value}`;
        return;
      case names.CONTENT_TYPE:
        if (again) this.#refuse(400, "more than one Content-Type field (RFC 9110 §8.3)");
        return;
      case names.COOKIE:
        return;
      default:
        this.forwarded = true;
    }
  }

  #finishHead(): void {
    const http11 = this.minorVersion === 1;
    const host = this.#host;
    if (host === null) {
      if (http11) this.#refuse(400, "an HTTP/1.1 request needs a Host field (RFC 9112 §3.2)");
    } else if (host !== this.#checkedHost) {
      checkAuthority(host, "the Host field");
      this.#checkedHost = host;
    }
    // RFC 9110 §4.2.1: an http URI has a host; only a target that is none may come without (RFC 9112 §3.2).
    if (host === "" && this.parsedTarget === null) this.#refuse(400, "an empty Host field (RFC 9112 §3.2)");
    this.keepAlive = http11;
    if (this.#connectionField !== null) this.#connection(this.#connectionField, http11);
    this.upgrade = null;
    if (this.#upgradeField !== null && http11 && hasToken(this.#connectionField ?? "", "upgrade")) {
      const protocols = members(this.#upgradeField);
      if (protocols.length > 0) this.upgrade = protocols;
    }
    this.expectContinue = false;
    if (this.#expectField !== null) {
      // RFC 9110 §10.1.1: 100-continue is the only expectation there is; in HTTP/1.0 it is ignored.
      const expectations = members(this.#expectField.toLowerCase());
      if (expectations.some((expectation) => expectation !== "100-continue")) {
        this.#refuse(417, "unknown expectation (RFC 9110 §10.1.1)");
      }
      this.expectContinue = http11 && expectations.length > 0;
    }
    this.#frame(http11);
  }

  #connection(value: string, http11: boolean): void {
    if (value === "keep-alive" || value === "Keep-Alive") this.keepAlive = true;
    else if (hasToken(value, "close")) this.keepAlive = false;
    else this.keepAlive = http11 || hasToken(value, "keep-alive");
  }

  /** Message framing by RFC 9112 §6.3, with no ambiguity allowed. */
  #frame(http11: boolean): void {
    this.contentLength = -1;
    this.chunked = false;
    this.trailers = NO_TRAILERS;
    this.#received = 0;
    this.#state = MESSAGE_END;
    const coding = this.#codingField;
    const length = this.#lengthField;
    if (coding !== null) {
      if (length !== null) this.#refuse(400, "both Transfer-Encoding and Content-Length (RFC 9112 §6.3)");
      if (!http11) this.#refuse(400, "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 §6.1)");
      if (coding.toLowerCase() !== "chunked") this.#badCoding(coding.toLowerCase());
      this.chunked = true;
      this.#excess = 0;
      this.#state = CHUNK_SIZE;
    } else if (length !== null) {
      if (!/^\d+$/.test(length)) this.#refuse(400, "malformed Content-Length (RFC 9110 §8.6)");
      const size = Number(length);
      if (size > Number.MAX_SAFE_INTEGER) this.#refuse(400, "a Content-Length that no body can have (RFC 9110 §8.6)");
      if (size > this.#limits.body) this.#refuse(413, "the body is larger than limit_request_body");
      this.contentLength = size;
      this.#remaining = size;
      if (size > 0) this.#state = FIXED_BODY;
    }
    if (this.#state !== MESSAGE_END && this.method === "TRACE") {
      this.#refuse(400, "a TRACE request with content (RFC 9110 §9.3.8)");
    }
  }

  /** Says what is wrong with a Transfer-Encoding (in lower case) that is not `chunked`. */
  #badCoding(value: string): never {
    // Empty members, which other lists may have (RFC 9110 §5.6.1), are refused: readers of this field differ about them.
    const codings = value.split(",").map(trimSpace);
    if (codings.some((coding) => !CODING.test(coding))) {
      this.#refuse(400, "malformed Transfer-Encoding (RFC 9112 §6.1)");
    }
    if (codings.indexOf("chunked") !== codings.lastIndexOf("chunked")) {
      this.#refuse(400, "chunked more than once (RFC 9112 §6.1)");
    }
    if (codings.includes("chunked") && codings.at(-1) !== "chunked") {
      this.#refuse(400, "chunked is not the last transfer coding (RFC 9112 §6.3)");
    }
    this.#refuse(501, "a transfer coding that is not chunked (RFC 9112 §6.1)");
  }

  /** chunk-size [ chunk-ext ] CRLF (RFC 9112 §7.1). */
  #chunkLine(): boolean {
    const bytes = this.#bytes;
    const start = this.#position;
    const end = Math.min(this.#end, start + MAX_CHUNK_LINE + 2);
    let i = start;
    let size = 0;
    while (i < end) {
      const digit = HEX[bytes[i]!]!;
      if (digit === 255) break;
      size = size * 16 + digit;
      // Checked at each digit, so that it never grows to where doubles lose count.
      if (size > MAX_CHUNK_SIZE) this.#refuse(400, "a chunk size that no body can have (RFC 9112 §7.1)");
      i++;
    }
    if (i === end) return this.#partialChunkLine(start);
    if (i === start) this.#refuse(400, "malformed chunk size (RFC 9112 §7.1)");
    if (bytes[i] !== CR) {
      i = this.#chunkExtensions(i, end);
      if (i < 0) return this.#partialChunkLine(start);
    }
    if (i + 1 === end) return this.#partialChunkLine(start);
    if (bytes[i + 1] !== LF) this.#refuse(400, "bare CR after a chunk size (RFC 9112 §2.2)");
    // Extensions, and zeros before a size, carry bytes that no body limit sees (RFC 9112 §7.1.1).
    this.#excess = Math.max(0, this.#excess + i - start - CHUNK_ALLOWANCE - 2 * size);
    if (this.#excess > MAX_EXCESS) this.#refuse(400, TOO_LONG_CHUNK_LINE);
    this.#position = i + 2;
    if (size === 0) {
      this.#headSize = 0;
      this.#startFields();
      this.#state = TRAILERS;
      return true;
    }
    this.#received += size;
    if (this.#received > this.#limits.body) this.#refuse(413, "the body is larger than limit_request_body");
    this.#remaining = size;
    this.#state = CHUNK_DATA;
    return true;
  }

  #partialChunkLine(start: number): false {
    if (this.#end - start >= MAX_CHUNK_LINE + 2) this.#refuse(400, TOO_LONG_CHUNK_LINE);
    return false;
  }

  /**
   * *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) from `i` on: the index of the CR behind it, or -1 when
   * the line is not complete.
   */
  #chunkExtensions(i: number, end: number): number {
    const bytes = this.#bytes;
    const skipSpace = (): void => {
      while (i < end && (bytes[i] === SP || bytes[i] === HTAB)) i++;
    };
    const skipToken = (): boolean => {
      const start = i;
      while (i < end && TOKEN[bytes[i]!] === 1) i++;
      return i > start || i === end;
    };
    const bad = (): never => this.#refuse(400, "malformed chunk extension (RFC 9112 §7.1.1)");
    for (;;) {
      const before = i;
      skipSpace();
      if (i === end) return -1;
      if (bytes[i] === CR && i === before) return i;
      if (bytes[i] !== 0x3b) bad();
      i++;
      skipSpace();
      if (!skipToken()) bad();
      const afterName = i;
      skipSpace();
      if (i === end) return -1;
      if (bytes[i] !== 0x3d) {
        i = afterName;
        continue;
      }
      i++;
      skipSpace();
      if (i === end) return -1;
      if (bytes[i] !== 0x22) {
        if (!skipToken()) bad();
        if (i === end) return -1;
        continue;
      }
      for (i++; i < end && bytes[i] !== 0x22; i++) {
        if (bytes[i] === 0x5c) i++;
        if (i < end && FIELD_VALUE[bytes[i]!] !== 1) bad();
      }
      if (i >= end) return -1;
      i++;
    }
  }
}

/** A view that is no Buffer, as a runtime's own chunks may be: applications see the same everywhere. */
function plain(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
}

/** True when the comma-separated `list` contains `token` (in lower case), in any case. */
export function hasToken(list: string, token: string): boolean {
  return list.split(",").some((member) => trimSpace(member).toLowerCase() === token);
}

/** The members of a comma-separated list; empty ones are ignored (RFC 9110 §5.6.1.2). */
function members(list: string): string[] {
  return list.split(",").map(trimSpace).filter((member) => member !== "");
}
