// The uwsgi protocol (uwsgi-docs, "The uwsgi Protocol"), as nginx's uwsgi_pass and Apache's mod_proxy_uwsgi speak it: a
// packet of variables, then a body of CONTENT_LENGTH bytes. One request a connection; the response is plain HTTP/1.x.

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

/** modifier1 u8, size of the variables u16 little-endian, modifier2 u8. */
const HEADER = 4;
const MODIFIER = {
  request: 0,
  /** "Strip SCRIPT_NAME from PATH_INFO": what environ.ts does anyway. */
  managePath: 30,
  ping: 100,
} as const;
/** What uWSGI answers to a ping. */
const PONG = "\x64\0\0\x01";
/** Pings before a request; a peer that goes on and reads no answer would fill the memory. */
const MAX_PINGS = 16;

const PACKET = 0;
const BODY = 1;
const OVER = 2;

export class UwsgiReader extends GatewayReader {
  #state = PACKET;
  #remaining = 0;
  #pings = 0;

  override get idle(): boolean {
    return this.#state === PACKET && this.unread.length === 0;
  }

  override recycle(): boolean {
    if (this.#state !== OVER || this.unread.length > 0 || this.fault !== null) return false;
    this.clear();
    this.#state = PACKET;
    this.#pings = 0;
    return true;
  }

  protected override step(): GatewayEvent {
    switch (this.#state) {
      case PACKET:
        return this.#packet();
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
        throw new GatewayFault(400, "uwsgi: bytes after the request");
    }
  }

  #packet(): GatewayEvent {
    const { unread } = this;
    for (;;) {
      if (unread.length < HEADER) return NEED_DATA;
      const modifier = unread.at(0);
      const size = unread.at(1) | unread.at(2) << 8;
      if (modifier === MODIFIER.ping) {
        if (++this.#pings > MAX_PINGS) throw new GatewayFault(400, "uwsgi: too many pings");
        if (size > 0) throw new GatewayFault(400, "uwsgi: a ping with content");
        unread.skip(HEADER);
        this.reply += PONG;
        continue;
      }
      if (modifier !== MODIFIER.request && modifier !== MODIFIER.managePath) {
        const other = otherProtocol(unread);
        throw new GatewayFault(
          400,
          `uwsgi: modifier1 is ${modifier}, which is not spoken here${
            other === "" ? "" : `; the peer speaks ${other}`
          }`,
        );
      }
      if (size > this.limits.size) {
        throw new GatewayFault(431, "uwsgi: the variables are longer than limit_request_head");
      }
      if (unread.length < HEADER + size) return NEED_DATA;
      const start = unread.position + HEADER;
      this.variables = this.#pairs(start, start + size);
      unread.skip(HEADER + size);
      this.bodyLength = this.#remaining = bodyLength(this.variables, false);
      this.#state = BODY;
      return VARIABLES;
    }
  }

  /** Each: length of the key u16 little-endian, key, length of the value, value. */
  #pairs(start: number, end: number): Variable[] {
    const { bytes } = this.unread;
    const text = this.latin1(bytes, start, end);
    const variables: Variable[] = [];
    let at = start;
    const string = (): string => {
      const from = at + 2;
      const to = from + (bytes[at]! | bytes[at + 1]! << 8);
      if (from > end || to > end) throw new GatewayFault(400, "uwsgi: a length that runs over the end of the packet");
      at = to;
      return text.slice(from - start, to - start);
    };
    while (at < end) {
      if (variables.length >= this.limits.count) throw new GatewayFault(431, "uwsgi: too many variables");
      variables.push([string(), string()]);
    }
    return variables;
  }
}
