// SCGI (python.ca/scgi/protocol.txt), as nginx's scgi_pass and Apache's mod_proxy_scgi speak it: a netstring of variables,
// of which CONTENT_LENGTH is the first, then the body. One request a connection; the response is CGI's.

import {
  type GatewayEvent,
  GatewayFault,
  OneRequestReader,
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

export class ScgiReader extends OneRequestReader {
  protected override readonly protocol = "SCGI";

  protected override step(): GatewayEvent {
    const event = super.step();
    if (event === VARIABLES && this.bodyLength === 0) {
      // It must always be there, so that 0 does not say that the client sent such a field: mostly it has not.
      this.variables = this.variables.filter(([name]) => name !== "CONTENT_LENGTH");
    }
    return event;
  }

  /** A netstring. */
  protected override readVariables(): Variable[] | null {
    const { unread } = this;
    const here = unread.length;
    if (here < ENOUGH) return null;
    let size = 0;
    let digits = 0;
    for (; digits < here; digits++) {
      const digit = unread.at(digits) - ZERO;
      if (digit < 0 || digit > 9) break;
      if (digits >= MAX_DIGITS) throw new GatewayFault(400, "SCGI: the length of the netstring is too long");
      size = size * 10 + digit;
    }
    if (digits === here) return null;
    if (digits === 0 || unread.at(digits) !== COLON) {
      const other = digits === 0 ? otherProtocol(unread) : "";
      throw new GatewayFault(400, `SCGI: no netstring${other === "" ? "" : `; the peer speaks ${other}`}`);
    }
    if (size > this.limits.size) throw new GatewayFault(431, "SCGI: the variables are longer than limit_request_head");
    const start = digits + 1;
    if (here < start + size + 1) return null;
    if (unread.at(start + size) !== COMMA) throw new GatewayFault(400, "SCGI: no comma where the netstring ends");
    const variables = this.#pairs(unread.position + start, size);
    unread.skip(start + size + 1);
    return variables;
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
    return variables;
  }
}
