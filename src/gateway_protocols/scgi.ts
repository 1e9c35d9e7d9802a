// SCGI (python.ca/scgi/protocol.txt), as nginx's scgi_pass and Apache's mod_proxy_scgi speak it: a netstring of variables,
// of which CONTENT_LENGTH is the first, then the body. One request a connection; the response is CGI's.

import {
  bodyLength,
  DATA,
  END,
  type GatewayEvent,
  GatewayFault,
  GatewayReader,
  NEED_DATA,
  otherProtocol,
  type Variable,
  VARIABLES,
} from "./reader.ts";

const COLON = 0x3a;
const COMMA = 0x2c;
const NUL = 0x00;
const ZERO = 0x30;
/** Of a netstring's length. */
const MAX_DIGITS = 9;
/** Bytes by which is told what else a peer speaks. */
const ENOUGH = 4;

const NETSTRING = 0;
const BODY = 1;
const OVER = 2;

export class ScgiReader extends GatewayReader {
  #state = NETSTRING;
  #remaining = 0;

  override get idle(): boolean {
    return this.#state === NETSTRING && this.unread.length === 0;
  }

  override recycle(): boolean {
    if (this.#state !== OVER || this.unread.length > 0 || this.fault !== null) return false;
    this.clear();
    this.#state = NETSTRING;
    return true;
  }

  protected override step(): GatewayEvent {
    switch (this.#state) {
      case NETSTRING:
        return this.#netstring();
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
        throw new GatewayFault(400, "SCGI: bytes after the request");
    }
  }

  #netstring(): GatewayEvent {
    const { unread } = this;
    const here = unread.length;
    if (here < ENOUGH) return NEED_DATA;
    let size = 0;
    let digits = 0;
    for (; digits < here; digits++) {
      const digit = unread.at(digits) - ZERO;
      if (digit < 0 || digit > 9) break;
      if (digits >= MAX_DIGITS) throw new GatewayFault(400, "SCGI: the length of the netstring is too long");
      size = size * 10 + digit;
    }
    if (digits === here) return NEED_DATA;
    if (digits === 0 || unread.at(digits) !== COLON) {
      const other = digits === 0 ? otherProtocol(unread) : "";
      throw new GatewayFault(400, `SCGI: no netstring${other === "" ? "" : `; the peer speaks ${other}`}`);
    }
    if (size > this.limits.size) throw new GatewayFault(431, "SCGI: the variables are longer than limit_request_head");
    const start = digits + 1;
    if (here < start + size + 1) return NEED_DATA;
    if (unread.at(start + size) !== COMMA) throw new GatewayFault(400, "SCGI: no comma where the netstring ends");
    this.variables = this.#pairs(unread.position + start, size);
    unread.skip(start + size + 1);
    this.#state = BODY;
    return VARIABLES;
  }

  /** Each: name NUL value NUL. */
  #pairs(start: number, size: number): Variable[] {
    if (size > 0 && this.unread.bytes[start + size - 1] !== NUL) {
      throw new GatewayFault(400, "SCGI: the last variable has no end");
    }
    const text = this.latin1(this.unread.bytes, start, start + size);
    const variables: Variable[] = [];
    for (let at = 0; at < size;) {
      if (variables.length >= this.limits.count) throw new GatewayFault(431, "SCGI: too many variables");
      const nameEnd = text.indexOf("\0", at);
      const valueEnd = text.indexOf("\0", nameEnd + 1);
      if (valueEnd < 0) throw new GatewayFault(400, "SCGI: a name without a value");
      variables.push([text.slice(at, nameEnd), text.slice(nameEnd + 1, valueEnd)]);
      at = valueEnd + 1;
    }
    const [first] = variables;
    if (first?.[0] !== "CONTENT_LENGTH" || first[1] === "") {
      throw new GatewayFault(400, "SCGI: CONTENT_LENGTH does not come first");
    }
    if (!variables.some(([name, value]) => name === "SCGI" && value === "1")) {
      throw new GatewayFault(400, 'SCGI: there is no variable SCGI that is "1"');
    }
    this.bodyLength = this.#remaining = bodyLength(variables, false);
    // It must always be there, so that 0 does not say that the client sent such a field: mostly it has not.
    return this.bodyLength === 0 ? variables.filter(([name]) => name !== "CONTENT_LENGTH") : variables;
  }
}
