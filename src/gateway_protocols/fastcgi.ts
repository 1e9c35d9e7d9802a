// FastCGI 1.0 (fastcgi-archives.github.io, "FastCGI Specification"; § below are its sections), the responder's side, as
// nginx's fastcgi_pass and Apache's mod_proxy_fcgi speak it. Connections may be kept; one request at a time, as §3.3 allows.

import {
  ABORTED,
  bodyLength,
  DATA,
  END,
  type GatewayEvent,
  GatewayFault,
  GatewayReader,
  type Latin1,
  NEED_DATA,
  otherProtocol,
  type Variable,
  type VariableLimits,
  VARIABLES,
} from "./reader.ts";

/** version, type, request id u16, content length u16, padding length, reserved (§3.3). Numbers are big-endian. */
const HEADER = 8;
const VERSION = 1;
/** §8. */
const TYPE = {
  beginRequest: 1,
  abortRequest: 2,
  endRequest: 3,
  params: 4,
  stdin: 5,
  stdout: 6,
  getValues: 9,
  getValuesResult: 10,
  unknownType: 11,
} as const;
const RESPONDER = 1;
const KEEP_CONNECTION = 1;
/** The protocol status of an END_REQUEST (§5.5). */
const STATUS = { complete: 0, cannotMultiplex: 1, unknownRole: 3 } as const;
/** Answers of the protocol itself between two requests; a peer that asks on and reads none would fill the memory. */
const MAX_REPLIES = 16;
/** The content of a GET_VALUES; three names are known. */
const MAX_QUESTION = 1024;
/** A larger buffer for PARAMS is not kept for another connection. */
const KEPT_PARAMS = 4096;
/** Of a record's content: the longest that is a multiple of eight, which §3.3 recommends. */
const MAX_CONTENT = 65_528;

export class FastCgiReader extends GatewayReader {
  readonly #connections: number;
  /** The request that is being served; 0: none. */
  #active = 0;
  #paramsEnded = false;
  #stdinEnded = false;
  /** The response has been sent. */
  #answered = false;
  #params: Uint8Array = new Uint8Array(0);
  #paramsSize = 0;
  #received = 0;
  /** The stream that the record at hand belongs to, and how much of its content is to come. */
  #stream = 0;
  #content = 0;
  #padding = 0;
  /** Bytes of no interest: padding, and records of requests that are not served. */
  #skipping = 0;
  #replies = 0;

  /** @param connections what FCGI_MAX_CONNS is told, Infinity: nothing */
  constructor(limits: VariableLimits, latin1: Latin1, connections: number) {
    super(limits, latin1);
    this.#connections = connections;
  }

  override get idle(): boolean {
    return this.#active === 0 && this.#content === 0 && this.#skipping === 0 && this.unread.length === 0;
  }

  override recycle(): boolean {
    if (!this.#paramsEnded || this.keepsConnection || !this.idle || this.fault !== null) return false;
    this.clear();
    this.#paramsEnded = false;
    this.#replies = 0;
    if (this.#params.length > KEPT_PARAMS) this.#params = new Uint8Array(0);
    return true;
  }

  /** True while there is a request to answer. */
  get active(): boolean {
    return this.#active !== 0 && !this.#answered;
  }

  /** `text`, one character a byte, as records of the stream STDOUT; "" where there is nobody to tell. */
  stdoutText(text: string): string {
    if (!this.active) return "";
    let records = "";
    for (let at = 0; at < text.length; at += MAX_CONTENT) {
      const content = text.slice(at, at + MAX_CONTENT);
      records += header(TYPE.stdout, this.#active, content.length) + content;
    }
    return records;
  }

  /** `bytes` as records of the stream STDOUT. */
  stdoutBytes(bytes: Uint8Array): Uint8Array {
    const records = new Uint8Array(bytes.length + Math.ceil(bytes.length / MAX_CONTENT) * HEADER);
    let to = 0;
    for (let at = 0; at < bytes.length; at += MAX_CONTENT) {
      const content = bytes.subarray(at, at + MAX_CONTENT);
      records[to] = VERSION;
      records[to + 1] = TYPE.stdout;
      records[to + 2] = this.#active >> 8;
      records[to + 3] = this.#active & 0xff;
      records[to + 4] = content.length >> 8;
      records[to + 5] = content.length & 0xff;
      records.set(content, to + HEADER);
      to += HEADER + content.length;
    }
    return records;
  }

  /** Ends the response: the end of STDOUT (§5.3), and END_REQUEST. What is left of the request is read and thrown away. */
  endRequest(): string {
    if (!this.active) return "";
    const id = this.#active;
    this.#answered = true;
    if (this.#stdinEnded) this.#active = 0;
    return header(TYPE.stdout, id, 0) + endRequest(id, STATUS.complete);
  }

  protected override step(): GatewayEvent {
    const { unread } = this;
    for (;;) {
      if (this.#skipping > 0) {
        const size = Math.min(unread.length, this.#skipping);
        unread.skip(size);
        this.#skipping -= size;
        if (this.#skipping > 0) return NEED_DATA;
      }
      if (this.#content > 0) {
        const size = Math.min(unread.length, this.#content);
        if (size === 0) return NEED_DATA;
        this.#content -= size;
        if (this.#content === 0) this.#skipping = this.#padding;
        if (this.#stream === TYPE.params) {
          this.#collect(size);
          continue;
        }
        this.data = unread.take(size);
        return DATA;
      }
      const event = this.#record();
      if (event !== null) return event;
    }
  }

  /** Looks at the next record; null: it has begun, or is done with. */
  #record(): GatewayEvent | null {
    const { unread } = this;
    if (unread.length < 4) return NEED_DATA;
    if (unread.at(0) !== VERSION) {
      const other = this.#active === 0 ? otherProtocol(unread) : "";
      throw new GatewayFault(
        400,
        `FastCGI: version ${unread.at(0)} of a record${other === "" ? "" : `; the peer speaks ${other}`}`,
      );
    }
    if (unread.length < HEADER) return NEED_DATA;
    const type = unread.at(1);
    const id = unread.at(2) << 8 | unread.at(3);
    const length = unread.at(4) << 8 | unread.at(5);
    this.#padding = unread.at(6);
    const after = length + this.#padding;
    if (type === TYPE.beginRequest || id === 0) {
      const limit = type === TYPE.getValues ? MAX_QUESTION : HEADER;
      if (type === TYPE.getValues || type === TYPE.beginRequest) {
        if (length > limit) throw new GatewayFault(400, "FastCGI: a record is longer than it can be");
        if (unread.length < HEADER + length) return NEED_DATA;
      }
      if (type === TYPE.beginRequest) this.#begin(id, length);
      else this.#reply(type === TYPE.getValues ? this.#values(length) : unknownType(type));
      unread.skip(HEADER);
      this.#skipping = after;
      return null;
    }
    unread.skip(HEADER);
    if (id !== this.#active || !(type === TYPE.abortRequest || type === TYPE.params || type === TYPE.stdin)) {
      // Of a request that is over or was not accepted, or of a type that a responder does not read (§3.3, §6.2).
      this.#skipping = after;
      return null;
    }
    if (type === TYPE.abortRequest) {
      this.#skipping = after;
      this.#stdinEnded = true;
      if (this.#paramsEnded) return ABORTED;
      // Nobody knows of it yet.
      this.#reply(this.endRequest());
      return null;
    }
    return type === TYPE.params ? this.#beginParams(length) : this.#beginStdin(length);
  }

  /** §5.1. */
  #begin(id: number, length: number): void {
    if (id === 0 || length !== HEADER) throw new GatewayFault(400, "FastCGI: malformed BEGIN_REQUEST (§5.1)");
    const role = this.unread.at(HEADER) << 8 | this.unread.at(HEADER + 1);
    if (this.#active !== 0) {
      if (id === this.#active) {
        throw new GatewayFault(400, "FastCGI: BEGIN_REQUEST for a request that has begun (§5.1)");
      }
      if (this.#answered) {
        throw new GatewayFault(400, "FastCGI: BEGIN_REQUEST before the end of the former STDIN (§5.3)");
      }
      this.#reply(endRequest(id, STATUS.cannotMultiplex));
      return;
    }
    if (role !== RESPONDER) {
      this.#reply(endRequest(id, STATUS.unknownRole));
      throw new GatewayFault(400, `FastCGI: role ${role}; only the responder's is served (§6)`);
    }
    this.#active = id;
    this.keepsConnection = (this.unread.at(HEADER + 2) & KEEP_CONNECTION) !== 0;
    this.#paramsEnded = this.#stdinEnded = this.#answered = false;
    this.#paramsSize = this.#received = this.#replies = 0;
  }

  #beginParams(length: number): GatewayEvent | null {
    if (this.#paramsEnded) throw new GatewayFault(400, "FastCGI: PARAMS after their end (§5.2)");
    if (this.#paramsSize + length > this.limits.size) {
      throw new GatewayFault(431, "FastCGI: the variables are longer than limit_request_head");
    }
    if (length > 0) {
      this.#stream = TYPE.params;
      this.#content = length;
      return null;
    }
    this.#skipping = this.#padding;
    this.#paramsEnded = true;
    this.variables = this.#pairs(this.#params, 0, this.#paramsSize);
    this.bodyLength = bodyLength(this.variables, true);
    return VARIABLES;
  }

  #beginStdin(length: number): GatewayEvent | null {
    if (!this.#paramsEnded) throw new GatewayFault(400, "FastCGI: STDIN before the end of PARAMS (§6.2)");
    if (this.#stdinEnded) throw new GatewayFault(400, "FastCGI: STDIN after its end (§5.3)");
    this.#received += length;
    // §6.2 lets an application take a STDIN that is too long as it is; RFC 3875 §4.2 does not.
    if (this.bodyLength >= 0 && this.#received > this.bodyLength) {
      throw new GatewayFault(400, "FastCGI: STDIN is longer than CONTENT_LENGTH (§6.2)");
    }
    if (length > 0) {
      this.#stream = TYPE.stdin;
      this.#content = length;
      return null;
    }
    this.#skipping = this.#padding;
    if (this.#received < this.bodyLength) {
      throw new GatewayFault(400, "FastCGI: STDIN is shorter than CONTENT_LENGTH (§6.2)");
    }
    this.#stdinEnded = true;
    if (this.#answered) this.#active = 0;
    return END;
  }

  #collect(size: number): void {
    const wanted = this.#paramsSize + size;
    if (wanted > this.#params.length) {
      const room = new Uint8Array(Math.max(1024, 2 * wanted));
      room.set(this.#params.subarray(0, this.#paramsSize));
      this.#params = room;
    }
    this.#params.set(this.unread.take(size), this.#paramsSize);
    this.#paramsSize = wanted;
  }

  /** §3.4: lengths of one byte, or of four whose first has its highest bit set. */
  #pairs(bytes: Uint8Array, start: number, end: number): Variable[] {
    const text = this.latin1(bytes, start, end);
    const variables: Variable[] = [];
    let at = start;
    const length = (): number => {
      const first = bytes[at]!;
      const size = first < 0x80 ? 1 : 4;
      if (at + size > end) throw new GatewayFault(400, "FastCGI: a length that is cut off (§3.4)");
      const value = size === 1
        ? first
        : (first & 0x7f) << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
      at += size;
      return value;
    };
    while (at < end) {
      if (variables.length >= this.limits.count) throw new GatewayFault(431, "FastCGI: too many variables");
      const nameLength = length();
      const valueLength = length();
      const value = at + nameLength;
      if (value + valueLength > end) throw new GatewayFault(400, "FastCGI: a length that runs over the end (§3.4)");
      variables.push([text.slice(at - start, value - start), text.slice(value - start, value + valueLength - start)]);
      at = value + valueLength;
    }
    return variables;
  }

  #reply(record: string): void {
    if (++this.#replies > MAX_REPLIES) throw new GatewayFault(400, "FastCGI: too many records that want an answer");
    this.reply += record;
  }

  /** §4.1: what is not known is left out. */
  #values(length: number): string {
    const start = this.unread.position + HEADER;
    const known = new Map([["FCGI_MPXS_CONNS", "0"]]);
    if (Number.isFinite(this.#connections)) {
      for (const name of ["FCGI_MAX_CONNS", "FCGI_MAX_REQS"]) known.set(name, String(this.#connections));
    }
    let content = "";
    for (const [name] of this.#pairs(this.unread.bytes, start, start + length)) {
      const value = known.get(name);
      if (value === undefined) continue;
      known.delete(name);
      content += String.fromCharCode(name.length, value.length) + name + value;
    }
    return header(TYPE.getValuesResult, 0, content.length) + content;
  }
}

function header(type: number, id: number, length: number): string {
  return String.fromCharCode(VERSION, type, id >> 8, id & 0xff, length >> 8, length & 0xff, 0, 0);
}

/** §5.5; the application's status is 0. */
function endRequest(id: number, status: number): string {
  return `${header(TYPE.endRequest, id, HEADER)}\0\0\0\0${String.fromCharCode(status)}\0\0\0`;
}

/** §4.2. */
function unknownType(type: number): string {
  return `${header(TYPE.unknownType, 0, HEADER)}${String.fromCharCode(type)}\0\0\0\0\0\0\0`;
}
