// An address to listen on, as a user writes it.

import type { Bind, GatewayName } from "../runtime/port.ts";
import { parseIp } from "./address.ts";
import { ConfigError, quote } from "./error.ts";

const FORMS = "write HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH or fd://N";
const DEFAULT_PORT = 8000;

/** What `PROTOCOL://` before an address may be. */
const GATEWAYS: ReadonlySet<string> = new Set<GatewayName>(["uwsgi", "fastcgi", "scgi"]);

/**
 * Reads `HOST:PORT`, `[IPV6]:PORT`, `:PORT` (all IPv4 addresses, as in Gunicorn), `HOST` (port 8000), `PORT` alone (on
 * 127.0.0.1), each with or without `tcp://`; `unix:PATH` (also `unix://PATH`) and `fd://N`. Before any of them may stand
 * `uwsgi://`, `fastcgi://` or `scgi://`, for what is spoken there.
 *
 * @throws {ConfigError} with the reason and the forms that are possible.
 */
export function parseBind(text: string): Bind {
  const fail = (reason: string, remedy: string = FORMS): never => {
    throw new ConfigError(`cannot listen on ${quote(text)}: ${reason}; ${remedy}`);
  };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && GATEWAYS.has(scheme)) {
    const bind = parseBind(text.slice(scheme.length + 3));
    if (bind.protocol !== undefined) return fail("it names two protocols", `write ${scheme}://HOST:PORT`);
    return { ...bind, protocol: scheme as GatewayName };
  }
  if (text.startsWith("unix:")) {
    const path = text.slice(text.startsWith("unix://") ? 7 : 5);
    if (path === "") return fail("the path is missing", "write unix:PATH");
    // sun_path, unix(7): 108 bytes with the final NUL on Linux, 104 on macOS and the BSDs.
    if (path.includes("\0")) return fail("a path has no NUL", "write unix:PATH");
    if (new TextEncoder().encode(path).length > 107) {
      return fail("a socket's path has at most 107 bytes", "use a shorter path");
    }
    return { kind: "unix", path };
  }
  if (scheme === "fd") {
    const fd = integer(text.slice(5));
    if (fd === null || fd > 0x7fff_ffff) return fail("no file descriptor's number", "write fd://3");
    return { kind: "fd", fd };
  }
  if (scheme !== undefined && scheme !== "tcp") {
    return fail(`${scheme}:// is no kind of address`, `${FORMS} (certfile and keyfile turn TLS on)`);
  }
  const address = scheme === "tcp" ? text.slice(6) : text;
  if (address === "") return fail("it is empty");
  if (/^\d+$/.test(address)) return { kind: "tcp", host: "127.0.0.1", port: portOf(address, fail) };
  if (address.startsWith("[")) {
    const match = /^\[([^\]]*)\](?::(.*))?$/.exec(address);
    if (match === null) return fail("the brackets do not match", "write [::1]:8000");
    const [, host = "", port] = match;
    const zone = host.indexOf("%");
    if (!host.includes(":") || parseIp(zone < 0 ? host : host.slice(0, zone)) === null || zone === host.length - 1) {
      return fail("there is no IPv6 address between the brackets", "write [::1]:8000");
    }
    return { kind: "tcp", host, port: port === undefined ? DEFAULT_PORT : portOf(port, fail) };
  }
  const colon = address.indexOf(":");
  if (colon !== address.lastIndexOf(":")) return fail("an IPv6 address stands in brackets", "write [::1]:8000");
  const host = colon < 0 ? address : address.slice(0, colon);
  if (host === "*") return fail('"*" is no host', "write 0.0.0.0 for all IPv4 addresses, [::] for all IPv6 ones");
  if (/^[\d.]+$/.test(host) && parseIp(host) === null) return fail(`${quote(host)} is no IPv4 address`);
  if (host !== "" && !/^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(host)) {
    return fail(`${quote(host)} is no host name`);
  }
  const port = colon < 0 ? DEFAULT_PORT : portOf(address.slice(colon + 1), fail);
  return { kind: "tcp", host: host === "" ? "0.0.0.0" : host, port };
}

function portOf(text: string, fail: (reason: string, remedy?: string) => never): number {
  const port = integer(text);
  if (port !== null && port <= 65_535) return port;
  return fail(
    text === "" ? "the port is missing" : `the port ${quote(text)} is not a number between 0 and 65535`,
    port === null ? FORMS : "use a port up to 65535",
  );
}

/** Decimal digits and nothing else, or null: not "8e3", not "1_000", not "-1", not " 1". */
export function integer(text: string): number | null {
  if (!/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}
