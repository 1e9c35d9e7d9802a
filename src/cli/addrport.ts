// `[addrport]` of `tricorn runserver`: a port, or an address with one, as Django's runserver takes it.

import { parseIp } from "../config/address.ts";
import { parseBind } from "../config/bind.ts";
import { ConfigError, quote } from "../config/error.ts";
import type { Bind } from "../runtime/port.ts";

export type TcpBind = Bind & { readonly kind: "tcp" };

const PORT = "8000";

/** A port stands alone, or behind the last colon. */
const WITH_PORT = /^(?:.*:)?\d+$/;

/**
 * True when a word is meant as an addrport, and not as an application: one with a port, and an address that lacks it, which
 * would be no module's name.
 */
export function isAddrport(word: string): boolean {
  if (WITH_PORT.test(word)) return !/^(?:npm|jsr|node|file|https?):/.test(word);
  return parseIp(word.replace(/^\[(.*)\]$/, "$1")) !== null;
}

/**
 * Reads `8000`, `IP:PORT`, `[IPV6]:PORT`, `NAME:PORT`; the address `0` is 0.0.0.0, the port `0` one that is free. Without
 * an address it is 127.0.0.1, with `ipv6` ::1; without anything its port is `port`, the variable PORT, by default 8000.
 *
 * @throws {ConfigError} that names what is wrong with it.
 */
export function parseAddrport(text: string | null, ipv6: boolean, port: string = PORT): TcpBind {
  const home = ipv6 ? "::1" : "127.0.0.1";
  if (text === null) {
    if (/^\d{1,5}$/.test(port) && Number(port) <= 65535) return { kind: "tcp", host: home, port: Number(port) };
    throw new ConfigError(`PORT: ${quote(port)} is no port; write a number between 0 and 65535`);
  }
  if (!WITH_PORT.test(text)) {
    throw new ConfigError(`runserver: ${quote(text)} is no port and no address with one; write 8000 or 127.0.0.1:8000`);
  }
  const bind = parseBind(text.replace(/^0:/, "0.0.0.0:").replace(/^(?=\d+$)/, ":")) as TcpBind;
  if (/^\d+$/.test(text) || text.startsWith(":")) return { ...bind, host: home };
  if (ipv6 && bind.host === "0.0.0.0" && text.startsWith("0:")) return { ...bind, host: "::" };
  if (ipv6 && parseIp(bind.host) !== null && !bind.host.includes(":")) {
    throw new ConfigError(
      `runserver: ${quote(bind.host)} is an IPv4 address; leave --ipv6 out, or write [::1]:${bind.port}`,
    );
  }
  return bind;
}
