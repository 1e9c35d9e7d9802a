// Request targets and authorities: the four forms of RFC 9112 §3.2 and the Host field of RFC 9110 §7.2.

import { RemoteProtocolError } from "./errors.ts";

/** The part of a target that an application needs. */
export interface Target {
  readonly form: "origin" | "absolute" | "authority" | "asterisk";
  /** Still percent-encoded; "" for `*` and for authority-form. */
  readonly path: string;
  /** What follows the first "?", or "". */
  readonly query: string;
  /** The authority of absolute- and authority-form, which replaces the Host field; else null. */
  readonly authority: string | null;
}

const ABSOLUTE = /^https?:\/\/([^/?]*)([^?]*)(?:\?(.*))?$/i;

/** @throws {RemoteProtocolError} 400 when the target has none of the four forms, or one that `method` may not have. */
export function parseTarget(method: string, target: string): Target {
  // authority-form (§3.2.3) is CONNECT's only form, and nobody else's.
  if (method === "CONNECT") {
    if (!/:\d+$/.test(target) || target.startsWith(":")) bad("CONNECT needs host:port as its target (RFC 9112 §3.2.3)");
    checkAuthority(target, "the request target");
    return { form: "authority", path: "", query: "", authority: target };
  }
  if (target.startsWith("/")) {
    const mark = target.indexOf("?");
    return mark < 0
      ? { form: "origin", path: target, query: "", authority: null }
      : { form: "origin", path: target.slice(0, mark), query: target.slice(mark + 1), authority: null };
  }
  if (target === "*") {
    if (method !== "OPTIONS") bad("only OPTIONS may have the target * (RFC 9112 §3.2.4)");
    return { form: "asterisk", path: "", query: "", authority: null };
  }
  const match = ABSOLUTE.exec(target);
  if (match === null) bad("the request target has none of the four forms of RFC 9112 §3.2");
  const authority = match[1]!;
  if (authority === "" || authority.startsWith(":")) bad("an http target needs a host (RFC 9110 §4.2.1)");
  checkAuthority(authority, "the request target");
  const query = match[3];
  // An OPTIONS target with an empty path and no query is * in absolute-form (RFC 9112 §3.2.4).
  const path = match[2] || (method === "OPTIONS" && query === undefined ? "" : "/");
  return { form: "absolute", path, query: query ?? "", authority };
}

// uri-host [ ":" port ]; uri-host is an IP-literal, or a reg-name, which IPv4 addresses are too (RFC 3986 §3.2.2).
const AUTHORITY = /^(?:\[([^\]]*)\]|(?:[\w\-.~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::(\d*))?$/;
const IP_FUTURE = /^v[0-9a-f]+\.[\w\-.~!$&'()*+,;=:]+$/i;

/** @throws {RemoteProtocolError} 400 when `text` is not `uri-host [":" port]`. User information is refused (RFC 9110 §4.2.4). */
export function checkAuthority(text: string, where: string): void {
  const match = AUTHORITY.exec(text);
  const literal = match?.[1];
  const port = match?.[2];
  const valid = match !== null && (literal === undefined || isIPv6(literal) || IP_FUTURE.test(literal)) &&
    (port === undefined || Number(port) <= 65_535) && (text === "" || !text.startsWith(":"));
  if (!valid) bad(`malformed host in ${where} (RFC 9110 §7.2)`);
}

/** True for an IPv6 address as RFC 3986 §3.2.2 writes it, without zone. */
export function isIPv6(text: string): boolean {
  let groups = text.split(":");
  const tail = groups.at(-1)!;
  if (tail.includes(".")) {
    if (!/^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|$)){4}$/.test(tail) || tail.endsWith(".")) return false;
    groups = [...groups.slice(0, -1), "0", "0"];
  }
  const gap = text.indexOf("::");
  if (gap >= 0 && text.indexOf("::", gap + 1) >= 0) return false;
  if (text.startsWith(":") && gap !== 0) return false;
  if (text.endsWith(":") && gap !== text.length - 2) return false;
  const filled = groups.filter((group) => group !== "");
  return filled.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group)) &&
    (gap < 0 ? groups.length === 8 && filled.length === 8 : filled.length <= 7);
}

function bad(reason: string): never {
  throw new RemoteProtocolError(400, reason);
}
