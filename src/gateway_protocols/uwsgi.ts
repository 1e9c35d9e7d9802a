// The uwsgi protocol (uwsgi-docs, "The uwsgi Protocol"), as nginx's uwsgi_pass and Apache's mod_proxy_uwsgi speak it: a
// packet of variables, then a body of CONTENT_LENGTH bytes. One request a connection; the response is plain HTTP/1.x.

import { GatewayFault, OneRequestReader, otherProtocol, type Variable } from "./reader.ts";

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

export class UwsgiReader extends OneRequestReader {
  protected override readonly protocol = "uwsgi";
  #pings = 0;

  override recycle(): boolean {
    this.#pings = 0;
    return super.recycle();
  }

  protected override readVariables(): Variable[] | null {
    const { unread } = this;
    for (;;) {
      if (unread.length < HEADER) return null;
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
      if (unread.length < HEADER + size) return null;
      const start = unread.position + HEADER;
      const variables = this.#pairs(start, start + size);
      unread.skip(HEADER + size);
      return variables;
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
