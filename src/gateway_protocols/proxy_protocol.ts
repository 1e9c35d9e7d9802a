// The PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt; § below are its sections): what a proxy that
// forwards TCP says about the client, ahead of the client's first byte. Bytes in, one result out; who may send a header,
// and whether one must come, is the server's business. §2 forbids to guess whether a header is there: "absent" is an
// answer for servers that chose to accept it, and only from peers that they trust.

import { formatIp, parseIp } from "./ip_address.ts";

/** Which versions are read: one, or whichever comes. */
export type ProxyMode = "v1" | "v2" | "auto";

/** One end of the connection between client and proxy; the address is canonical (IPv4-mapped ones are IPv4). */
export interface ProxyEndpoint {
  readonly address: string;
  readonly port: number;
}

/** The connection between client and proxy. */
export interface ProxyHeader {
  readonly source: ProxyEndpoint;
  readonly destination: ProxyEndpoint;
  /** What the proxy tells of TLS between client and itself (v2, PP2_TYPE_SSL); null when it was not TLS, or not told. */
  readonly tls: ProxyTls | null;
}

/** Fits esgi's TlsInfo. */
export interface ProxyTls {
  /** For example `TLSv1.3`. */
  readonly protocol?: string;
  /** From PP2_TYPE_AUTHORITY. */
  readonly serverName?: string;
}

export type ProxyResult =
  /** Not decided yet. Never answered once {@link MAX_PROXY_HEADER} bytes are here. */
  | { readonly kind: "more" }
  /** These bytes do not begin a header; `rest` is all of them. */
  | { readonly kind: "absent"; readonly rest: Uint8Array }
  /**
   * A header, and the bytes that followed it. `header` is null where the connection's own addresses count: LOCAL (a
   * health check), UNKNOWN, UNSPEC and AF_UNIX.
   */
  | { readonly kind: "header"; readonly header: ProxyHeader | null; readonly rest: Uint8Array }
  /** A header began, and broke a rule. §2.1: drop the connection. */
  | { readonly kind: "error"; readonly reason: string };

/** §2.1: the longest line, with CRLF. */
const MAX_V1_LINE = 107;
const V2_PREFIX = 16;
/** Our bound; TLVs of real senders take some hundred bytes. §2.2 wants headers to fit one TCP segment. */
const MAX_V2_BLOCK = 4096;
/** More bytes than this are never needed for a decision. */
export const MAX_PROXY_HEADER: number = V2_PREFIX + MAX_V2_BLOCK;

const V1_SIGNATURE = new Uint8Array([0x50, 0x52, 0x4f, 0x58, 0x59]);
const V2_SIGNATURE = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const CR = 0x0d;
const LF = 0x0a;

const V1_UNKNOWN = /^PROXY UNKNOWN(?: [^]*)?$/;
const V1_TCP = /^PROXY TCP([46]) ([^ ]+) ([^ ]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/;

const COMMAND = { local: 0x0, proxy: 0x1 } as const;
const TLV = { authority: 0x02, crc32c: 0x03, ssl: 0x20, sslVersion: 0x21 } as const;
const CLIENT_SSL = 0x01;
/** RFC 6066 §3: a server name is ASCII; anything else is not passed on. */
const SERVER_NAME = /^[0-9A-Za-z._-]+$/;
const TLS_VERSION = /^[\x21-\x7e]+$/;

/** What `parse` answers; `length` is what it consumed. */
type Parsed =
  | { readonly kind: "more" }
  | { readonly kind: "absent" }
  | { readonly kind: "header"; readonly header: ProxyHeader | null; readonly length: number }
  | { readonly kind: "error"; readonly reason: string };

const MORE = { kind: "more" } as const;
const ABSENT = { kind: "absent" } as const;

/** Reads the header of one connection. Not to be used again after another answer than "more". */
export class ProxyHeaderParser {
  readonly #mode: ProxyMode;
  #held: Uint8Array | null = null;

  constructor(mode: ProxyMode) {
    this.#mode = mode;
  }

  /** Takes the next bytes. They are copied when they must be kept; `rest` may be a view of them. */
  push(bytes: Uint8Array): ProxyResult {
    const held = this.#held;
    const all = held === null ? bytes : joined(held, bytes);
    const parsed = parse(all, this.#mode);
    switch (parsed.kind) {
      case "more":
        this.#held = held === null ? bytes.slice() : all;
        return parsed;
      case "absent":
        return { kind: "absent", rest: all };
      case "header":
        return { kind: "header", header: parsed.header, rest: all.subarray(parsed.length) };
      case "error":
        return parsed;
    }
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

function refused(reason: string): Parsed {
  return { kind: "error", reason: `PROXY header: ${reason}` };
}

function parse(bytes: Uint8Array, mode: ProxyMode): Parsed {
  if (mode !== "v2" && begins(bytes, V1_SIGNATURE)) return bytes.length < V1_SIGNATURE.length ? MORE : parseV1(bytes);
  if (mode !== "v1" && begins(bytes, V2_SIGNATURE)) return bytes.length < V2_SIGNATURE.length ? MORE : parseV2(bytes);
  return ABSENT;
}

/** True when `bytes` are `signature`, or as much of it as has come. */
function begins(bytes: Uint8Array, signature: Uint8Array): boolean {
  const length = Math.min(bytes.length, signature.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== signature[i]) return false;
  return true;
}

/** §2.1. */
function parseV1(bytes: Uint8Array): Parsed {
  const end = Math.min(bytes.length, MAX_V1_LINE);
  for (let i = V1_SIGNATURE.length; i < end; i++) {
    // "The receiver must not tolerate a single CR or LF character to end the line."
    if (bytes[i] === LF) return refused("line feed without carriage return (§2.1)");
    if (bytes[i] !== CR) continue;
    if (i + 1 === MAX_V1_LINE) break;
    if (i + 1 === bytes.length) return MORE;
    if (bytes[i + 1] !== LF) return refused("carriage return without line feed (§2.1)");
    return parseV1Line(String.fromCharCode(...bytes.subarray(0, i)), i + 2);
  }
  return end < MAX_V1_LINE ? MORE : refused(`line longer than ${MAX_V1_LINE} bytes (§2.1)`);
}

function parseV1Line(line: string, length: number): Parsed {
  // "For UNKNOWN, the receiver must ignore anything presented before the CRLF."
  if (V1_UNKNOWN.test(line)) return { kind: "header", header: null, length };
  const match = V1_TCP.exec(line);
  if (match === null) return refused("not TCP4, TCP6 or UNKNOWN with two addresses and two ports (§2.1)");
  const source = endpoint(match[1]!, match[2]!, match[4]!);
  const destination = endpoint(match[1]!, match[3]!, match[5]!);
  if (source === null || destination === null) return refused("address or port not valid (§2.1)");
  return { kind: "header", header: { source, destination, tls: null }, length };
}

/** "The advertised protocol family dictates what format to use." IPv4-mapped IPv6 addresses are TCP6. */
function endpoint(family: string, address: string, port: string): ProxyEndpoint | null {
  if (address.includes(":") !== (family === "6")) return null;
  const ip = parseIp(address);
  if (ip === null || Number(port) > 0xffff) return null;
  return { address: formatIp(ip), port: Number(port) };
}

/** §2.2. Each byte is judged as soon as it is here, in order, so that the answer does not depend on how bytes arrive. */
function parseV2(bytes: Uint8Array): Parsed {
  if (bytes.length <= 12) return MORE;
  const command = bytes[12]! & 0x0f;
  if (bytes[12]! >> 4 !== 2) return refused("version is not 2 (§2.2)");
  if (command !== COMMAND.local && command !== COMMAND.proxy) return refused("unknown command (§2.2)");
  if (bytes.length <= 13) return MORE;
  // "The receiver must [...] discard the protocol block including the family which is ignored."
  const reason = command === COMMAND.local ? null : familyFault(bytes[13]!);
  if (reason !== null) return refused(reason);
  if (bytes.length < V2_PREFIX) return MORE;
  const block = bytes[14]! << 8 | bytes[15]!;
  if (block > MAX_V2_BLOCK) return refused(`longer than ${MAX_V2_BLOCK} bytes`);
  const length = V2_PREFIX + block;
  if (bytes.length < length) return MORE;
  if (command === COMMAND.local) return { kind: "header", header: null, length };

  const size = ADDRESS_BYTES.get(bytes[13]!);
  // Whichever of family and transport is UNSPEC: "the receiver should ignore address information".
  if (size === undefined) return { kind: "header", header: null, length };
  if (block < size) return refused("shorter than its addresses (§2.2)");
  // The path of a unix socket is of no use as a client's address, and "" would mean "our own unix socket" to the server.
  // §2.2 lets a receiver treat the families that it does not implement as UNSPEC.
  if (bytes[13]! >> 4 === FAMILY.unix) return { kind: "header", header: null, length };
  return parseV2Block(bytes.subarray(0, length), size, length);
}

const FAMILY = { unspec: 0, inet: 1, inet6: 2, unix: 3 } as const;
const TRANSPORT = { unspec: 0, stream: 1, dgram: 2 } as const;
/** The addresses and ports of those 14th bytes that carry any. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([[0x11, 12], [0x21, 36], [0x31, 216]]);

function familyFault(byte: number): string | null {
  if (byte >> 4 > FAMILY.unix) return "unknown address family (§2.2)";
  if ((byte & 0x0f) > TRANSPORT.dgram) return "unknown transport protocol (§2.2)";
  // A datagram cannot have become this connection. §2.2 lets a receiver reject what it takes for UNSPEC.
  if ((byte & 0x0f) === TRANSPORT.dgram) return "datagrams are not HTTP/1.1's transport";
  return null;
}

function parseV2Block(bytes: Uint8Array, size: number, length: number): Parsed {
  const width = (size - 4) / 2;
  const ports = V2_PREFIX + 2 * width;
  const at = (n: number): ProxyEndpoint => ({
    address: formatIp(bytes.subarray(V2_PREFIX + n * width, V2_PREFIX + (n + 1) * width)),
    port: bytes[ports + 2 * n]! << 8 | bytes[ports + 2 * n + 1]!,
  });
  const tlvs = parseTlvs(bytes, V2_PREFIX + size);
  if (tlvs === null) return refused("TLV runs over the end, or is there twice (§2.2)");
  const checksum = tlvs.get(TLV.crc32c);
  if (checksum !== undefined && !checksumHolds(bytes, checksum)) return refused("CRC32c does not match (§2.2.3)");
  const tls = parseTls(tlvs);
  if (tls === undefined) return refused("malformed PP2_TYPE_SSL (§2.2.6)");
  return { kind: "header", header: { source: at(0), destination: at(1), tls }, length };
}

/** Type to value, of the types that we read; the others are skipped. Null when malformed. */
function parseTlvs(bytes: Uint8Array, start: number): Map<number, Uint8Array> | null {
  const tlvs = new Map<number, Uint8Array>();
  let at = start;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return null;
    const type = bytes[at]!;
    const end = at + 3 + (bytes[at + 1]! << 8 | bytes[at + 2]!);
    if (end > bytes.length) return null;
    if (type === TLV.authority || type === TLV.crc32c || type === TLV.ssl || type === TLV.sslVersion) {
      // Two answers to one question are refused, not chosen from.
      if (tlvs.has(type)) return null;
      tlvs.set(type, bytes.subarray(at + 3, end));
    }
    at = end;
  }
  return tlvs;
}

/** §2.2.6. Undefined when malformed. */
function parseTls(tlvs: Map<number, Uint8Array>): ProxyTls | null | undefined {
  const ssl = tlvs.get(TLV.ssl);
  if (ssl === undefined) return null;
  // One byte of flags, four of `verify`, then TLVs again.
  const inner = ssl.length < 5 ? null : parseTlvs(ssl, 5);
  if (inner === null) return undefined;
  if ((ssl[0]! & CLIENT_SSL) === 0) return null;
  const protocol = text(inner.get(TLV.sslVersion), TLS_VERSION);
  const serverName = text(tlvs.get(TLV.authority), SERVER_NAME);
  return { ...(protocol !== null && { protocol }), ...(serverName !== null && { serverName }) };
}

/** At most 255 bytes as text, when they are what `pattern` says. */
function text(bytes: Uint8Array | undefined, pattern: RegExp): string | null {
  if (bytes === undefined || bytes.length > 255) return null;
  const string = String.fromCharCode(...bytes);
  return pattern.test(string) ? string : null;
}

/**
 * §2.2.3: CRC32c (RFC 9260 appendix A) over the header, its own four bytes taken as zero; big-endian, as haproxy writes.
 * Bit by bit: it is once a connection, over some hundred bytes.
 */
function checksumHolds(bytes: Uint8Array, checksum: Uint8Array): boolean {
  if (checksum.length !== 4) return false;
  const start = checksum.byteOffset - bytes.byteOffset;
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) {
    if (i < start || i >= start + 4) crc ^= bytes[i]!;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
  }
  const sent = checksum[0]! << 24 | checksum[1]! << 16 | checksum[2]! << 8 | checksum[3]!;
  return ~crc === sent;
}
