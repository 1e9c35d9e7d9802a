// What trusted proxies say about the client: `Forwarded` (RFC 7239), the X-Forwarded-* fields and X-Real-IP. Only a
// peer in TrustedPeers is believed, and only as far as the chain of trust reaches. Three rules:
//
// 1. A chain of addresses is walked from its right end, where our own peer wrote. Each trusted address vouches for the
//    entry to its left; the first one that is not trusted is the client. Left of it anything may stand, and is not read.
// 2. What is ambiguous is refused (400), never guessed: two fields that disagree mean that one of them passed a proxy that
//    does not know it, and so is the client's own word. A proxy should set, or remove, every field of FORWARDED_NAMES.
// 3. A client that its proxy cannot or will not name has the address "", never the proxy's: nobody gets a proxy's rights.

import type { Headers } from "../esgi/environ.ts";
import { formatIp, parseIp } from "../gateway_protocols/ip_address.ts";
import { trimSpace } from "../http1/bytes.ts";

/** What the outermost trusted proxy saw. What no field tells is absent. */
export interface Forwarded {
  readonly scheme?: "http" | "https";
  /** The client's IP address in canonical form; "" when the proxy says that it is unknown or hidden. */
  readonly address?: string;
  /** The client's port. */
  readonly port?: number;
  /** The host that the client addressed, as written; brackets kept around IPv6. */
  readonly host?: string;
  /** The port that the client addressed. */
  readonly hostPort?: number;
}

/** The request must be answered with 400; `error` says why. */
export interface ForwardedError {
  readonly error: string;
}

/** The fields that `forwarded` reads, in lower case. */
export const FORWARDED_NAMES: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-forwarded-protocol",
  "x-forwarded-ssl",
  "x-real-ip",
]);

/** More proxies than this in a row are a mistake or an attack; it bounds the work. */
const MAX_HOPS = 100;

// ---- Who is trusted ----

interface Network {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** The peers whose word counts: the value of `forwarded_allow_ips` and `proxy_allow_ips`. */
export class TrustedPeers {
  readonly #everyone: boolean;
  readonly #networks: readonly Network[];
  readonly #nobody: boolean;

  /**
   * @param list IP addresses, networks ("10.0.0.0/8") and "*", separated by commas; "" trusts nobody.
   * @throws {Error} that names an entry which is none of these.
   */
  constructor(list: string) {
    const entries = trimSpace(list) === "" ? [] : list.split(",").map(trimSpace);
    this.#nobody = entries.length === 0;
    this.#everyone = entries.includes("*");
    this.#networks = entries.filter((entry) => entry !== "*").map(parseNetwork);
  }

  /**
   * Whether the peer at `address` is trusted. "" is a peer on a unix socket: whoever may open the socket is trusted, as
   * in Gunicorn, unless the list is empty. So a TCP connection whose address could not be learnt must not be asked about.
   */
  has(address: string): boolean {
    if (address === "") return !this.#nobody;
    if (this.#everyone) return true;
    if (this.#nobody) return false;
    const ip = parseIp(address);
    return ip !== null && this.#networks.some((network) => contains(network, ip));
  }
}

/** `*.0/8` of IPv4-mapped IPv6 is the IPv4 network; so "::/0" is all of IPv6 and none of IPv4. */
function parseNetwork(entry: string): Network {
  const slash = entry.indexOf("/");
  const address = slash === -1 ? entry : entry.slice(0, slash);
  const bytes = parseIp(address);
  if (bytes === null) throw new Error(`${JSON.stringify(entry)} is not an IP address, a network, or "*"`);
  const full = bytes.length * 8;
  if (slash === -1) return { bytes, bits: full };
  const written = entry.slice(slash + 1);
  const mapped = bytes.length === 4 && address.includes(":");
  const bits = /^(?:0|[1-9]\d{0,2})$/.test(written) ? Number(written) - (mapped ? 96 : 0) : NaN;
  if (!(bits <= full)) throw new Error(`${JSON.stringify(entry)}: "/${written}" is not the length of a prefix`);
  // As strict as Gunicorn: whoever writes 10.0.0.1/8 may mean one host.
  const network = bytes.map((byte, i) => byte & mask(bits, i));
  if (bits < 0 || network.some((byte, i) => byte !== bytes[i])) {
    const meant = bits < 0 ? "" : `; the network is ${formatIp(network)}/${bits}`;
    throw new Error(`${JSON.stringify(entry)} has host bits set${meant}`);
  }
  return { bytes, bits };
}

/** The bits of byte `index` that a prefix of `bits` covers. */
function mask(bits: number, index: number): number {
  const covered = Math.min(8, Math.max(0, bits - index * 8));
  return 0xff00 >> covered & 0xff;
}

function contains(network: Network, ip: Uint8Array): boolean {
  if (network.bytes.length !== ip.length) return false;
  for (let i = 0; i * 8 < network.bits; i++) {
    if ((ip[i]! & mask(network.bits, i)) !== network.bytes[i]) return false;
  }
  return true;
}

// ---- What they say ----

const NOTHING: Forwarded = Object.freeze({});

/** True when a field of FORWARDED_NAMES is there. Allocates nothing for usual requests. */
export function isForwarded(headers: Headers): boolean {
  for (let i = 0; i < headers.length; i++) if (fieldName(headers[i]![0]) !== null) return true;
  return false;
}

/** The lower-case name of one of our fields, else null. */
function fieldName(name: string): string | null {
  if (name.length < 9) return null;
  const first = name.charCodeAt(0) | 0x20;
  if (first !== 0x66 && first !== 0x78) return null;
  const lower = name.toLowerCase();
  return FORWARDED_NAMES.has(lower) ? lower : null;
}

/** Field name in lower case to its lines, in order. */
type Lines = ReadonlyMap<string, readonly string[]>;

/**
 * What the fields of a request say about its client. To be called only when the direct peer is in `peers`: it is the
 * caller's one duty. (After a PROXY header, the peer is the header's source.)
 */
export function forwarded(headers: Headers, peers: TrustedPeers): Forwarded | ForwardedError {
  let lines: Map<string, string[]> | null = null;
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i]!;
    const lower = fieldName(name);
    if (lower === null) continue;
    lines ??= new Map();
    const earlier = lines.get(lower);
    if (earlier === undefined) lines.set(lower, [value]);
    else earlier.push(value);
  }
  if (lines === null) return NOTHING;
  try {
    const standard = readForwarded(lines, peers);
    const client = agreedClient(lines, standard.chain, peers);
    const scheme = agreedScheme(lines, standard.proto);
    const host = agreedHost(lines, standard.host);
    return { ...client, ...host, ...(scheme !== undefined && { scheme }) };
  } catch (error) {
    if (error instanceof Refusal) return { error: error.reason };
    throw error;
  }
}

/** How the readers below leave; not an Error, for a stack trace would be the most expensive part of a 400. */
class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** An entry of a chain: an address, or "" for a node that is unknown or has hidden itself. */
interface Hop {
  readonly address: string;
  readonly port?: number;
}

/** A walk along a chain: where it ended, and all that it passed, the end included. */
interface Chain {
  readonly field: string;
  readonly client: Hop;
  readonly walked: ReadonlySet<string>;
}

// ---- Forwarded, RFC 7239 ----

interface Standard {
  readonly chain: Chain | null;
  readonly proto: string | undefined;
  readonly host: string | undefined;
}

/**
 * Each element is what one proxy says of the request as it came to it, so that `proto` and `host` belong to the last
 * element that the walk reaches; where that one is silent, to the nearest one on its right that speaks.
 */
function readForwarded(lines: Lines, peers: TrustedPeers): Standard {
  const elements = (lines.get("forwarded") ?? []).flatMap(parseElements);
  const walked = new Set<string>();
  let client: Hop | null = null;
  let proto: string | undefined;
  let host: string | undefined;
  for (let i = elements.length - 1; i >= 0; i--) {
    const element = elements[i]!;
    proto = element.get("proto") ?? proto;
    host = element.get("host") ?? host;
    const node = element.get("for");
    if (node === undefined) break;
    client = parseNode(node);
    if (client === null) throw new Refusal("Forwarded: not a node in for= (RFC 7239 §6)");
    walked.add(client.address);
    if (client.address === "" || !peers.has(client.address)) break;
  }
  return { chain: client && { field: "Forwarded", client, walked }, proto, host };
}

/**
 * One forwarded-pair and what ends it. RFC 7239 §4 allows no white space around ";", but it is common and has one meaning
 * only. No part can match what the next one begins with, so that matching takes linear time.
 */
const PAIR =
  /[ \t]*(?:([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~-]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*)")[ \t]*)?([;,]|$)/y;

/**
 * The elements of one line, each a map of its parameters. The grammar is judged to the end, also where the client wrote:
 * it is where one element ends that tells whose word the next one is. For the same reason a line must be whole by itself.
 */
function parseElements(line: string): ReadonlyMap<string, string>[] {
  const elements: ReadonlyMap<string, string>[] = [];
  let element = new Map<string, string>();
  PAIR.lastIndex = 0;
  for (;;) {
    const match = PAIR.exec(line);
    if (match === null) throw new Refusal("Forwarded: malformed (RFC 7239 §4)");
    const [, name, token, quoted, end] = match;
    if (name !== undefined) {
      const lower = name.toLowerCase();
      if (element.has(lower)) throw new Refusal("Forwarded: a parameter occurs twice in an element (RFC 7239 §4)");
      element.set(lower, token ?? quoted!.replace(/\\(.)/g, "$1"));
    }
    if (end === ";") continue;
    // RFC 9110 §5.6.1.2: empty elements of a list do not count.
    if (element.size > 0) elements.push(element);
    if (elements.length > MAX_HOPS) throw new Refusal(`Forwarded: more than ${MAX_HOPS} elements`);
    if (end === "") return elements;
    element = new Map();
  }
}

const NODE = /^(?:([\d.]+)|\[([\da-f:.]+)\]|unknown|_[\w.-]+)(?::(?:(\d{1,5})|_[\w.-]+))?$/i;

/** RFC 7239 §6: an address, "unknown" or an obfuscated identifier, with a port perhaps. */
function parseNode(text: string): Hop | null {
  const match = NODE.exec(text);
  if (match === null) return null;
  const [, v4, v6, digits] = match;
  if (digits !== undefined && Number(digits) > 0xffff) return null;
  if (v4 === undefined && v6 === undefined) return { address: "" };
  if (v6 !== undefined && !v6.includes(":")) return null;
  const ip = parseIp(v4 ?? v6!);
  if (ip === null) return null;
  return { address: formatIp(ip), ...(digits !== undefined && { port: Number(digits) }) };
}

// ---- The client's address ----

/**
 * X-Forwarded-For has no grammar: entries are taken as RFC 7239 nodes, or as bare IPv6 addresses. The walk stops in front
 * of an entry that is neither, at the last one that was good; when the rightmost is neither, the client is unknown.
 */
function readForwardedFor(lines: Lines, peers: TrustedPeers): Chain | null {
  const walked = new Set<string>();
  let client: Hop | null = null;
  let hops = 0;
  for (const entry of fromRight(lines.get("x-forwarded-for"))) {
    const hop = parseAddress(entry) ?? parseNode(entry);
    if (hop === null) {
      client ??= { address: "" };
      break;
    }
    client = hop;
    walked.add(hop.address);
    if (hop.address === "" || !peers.has(hop.address)) break;
    if (++hops > MAX_HOPS) throw new Refusal(`X-Forwarded-For: more than ${MAX_HOPS} trusted proxies`);
  }
  return client && { field: "X-Forwarded-For", client, walked };
}

function parseAddress(text: string): Hop | null {
  const ip = parseIp(text);
  return ip === null ? null : { address: formatIp(ip) };
}

/**
 * Both chains must end at the same client, and X-Real-IP (nginx's: one proxy's word, and alone only when there is no
 * chain) must be among the addresses that each walk passed. Where nginx sets X-Real-IP only, a client could else choose
 * its address by an X-Forwarded-For of its own.
 */
function agreedClient(lines: Lines, standard: Chain | null, peers: TrustedPeers): Pick<Forwarded, "address" | "port"> {
  const usual = readForwardedFor(lines, peers);
  if (standard !== null && usual !== null && standard.client.address !== usual.client.address) {
    throw new Refusal("Forwarded and X-Forwarded-For disagree about the client");
  }
  const real = readRealIp(lines);
  if (real === null) return standard?.client ?? usual?.client ?? NOTHING;
  for (const chain of [standard, usual]) {
    if (chain !== null && !chain.walked.has(real.address)) {
      throw new Refusal(`X-Real-IP and ${chain.field} disagree about the client`);
    }
  }
  return standard?.client ?? usual?.client ?? real;
}

function readRealIp(lines: Lines): Hop | null {
  let real: Hop | null = null;
  for (const entry of fromRight(lines.get("x-real-ip"))) {
    const hop = parseAddress(entry);
    if (hop === null) throw new Refusal("X-Real-IP: not an IP address");
    if (real !== null && real.address !== hop.address) throw new Refusal("X-Real-IP: two addresses");
    real = hop;
  }
  return real;
}

// ---- Scheme and host ----

type Scheme = "http" | "https";

/** Traefik and others say "wss" for a WebSocket handshake; it comes over https. */
const SCHEMES: ReadonlyMap<string, Scheme> = new Map([["http", "http"], ["https", "https"], ["ws", "http"], [
  "wss",
  "https",
]]);

/** Gunicorn's secure_scheme_headers, and what these fields say when the client's connection is not secure. */
const SCHEME_FIELDS: readonly (readonly [field: string, values: ReadonlyMap<string, Scheme>])[] = [
  ["X-Forwarded-Proto", SCHEMES],
  ["X-Forwarded-Protocol", new Map([...SCHEMES, ["ssl", "https"]])],
  ["X-Forwarded-Ssl", new Map([["on", "https"], ["off", "http"]])],
];

/** Every value of every field must say the same; Gunicorn too refuses fields that disagree. */
function agreedScheme(lines: Lines, proto: string | undefined): Scheme | undefined {
  let scheme = proto === undefined ? undefined : SCHEMES.get(proto.toLowerCase());
  if (proto !== undefined && scheme === undefined) throw new Refusal("Forwarded: proto= is neither http nor https");
  for (const [field, values] of SCHEME_FIELDS) {
    for (const entry of fromRight(lines.get(field.toLowerCase()))) {
      const said = values.get(entry.toLowerCase());
      if (said === undefined) throw new Refusal(`${field}: not one of ${[...values.keys()].join(", ")}`);
      if (scheme !== undefined && scheme !== said) throw new Refusal(`${field}: the scheme is told in two ways`);
      scheme = said;
    }
  }
  return scheme;
}

/** RFC 9110 §7.2 and RFC 3986 §3.2.2, but never empty, and without IPvFuture. */
const HOST = /^(\[[\da-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})+)(?::(\d*))?$/i;

/**
 * X-Forwarded-Host and X-Forwarded-Port are lists where proxies append (Apache); the last entry is our own peer's. The
 * port in a host is what the client wrote, X-Forwarded-Port the one that the proxy listens on, so the former wins.
 */
function agreedHost(lines: Lines, standard: string | undefined): Pick<Forwarded, "host" | "hostPort"> {
  const usual = fromRight(lines.get("x-forwarded-host")).next().value ?? undefined;
  if (standard !== undefined && usual !== undefined && standard.toLowerCase() !== usual.toLowerCase()) {
    throw new Refusal("Forwarded and X-Forwarded-Host disagree about the host");
  }
  const digits = fromRight(lines.get("x-forwarded-port")).next().value ?? undefined;
  const listening = digits === undefined ? undefined : parsePort(digits, "X-Forwarded-Port");
  const written = standard ?? usual;
  if (written === undefined) return listening === undefined ? NOTHING : { hostPort: listening };

  const field = standard === undefined ? "X-Forwarded-Host" : "Forwarded";
  const match = HOST.exec(written);
  const host = match?.[1];
  if (host === undefined || host.startsWith("[") && !isIpv6(host.slice(1, -1))) {
    throw new Refusal(`${field}: not a host with an optional port (RFC 9110 §7.2)`);
  }
  const hostPort = match?.[2] ? parsePort(match[2], field) : listening;
  return { host, ...(hostPort !== undefined && { hostPort }) };
}

function isIpv6(text: string): boolean {
  return text.includes(":") && parseIp(text) !== null;
}

function parsePort(digits: string, field: string): number {
  if (!/^\d{1,5}$/.test(digits) || Number(digits) > 0xffff) throw new Refusal(`${field}: not a port`);
  return Number(digits);
}

// ---- Lists ----

/**
 * The entries of a comma-separated field from the last to the first, over all its lines; empty ones do not count
 * (RFC 9110 §5.6.1.2). Lazy: of a list that the client made long, only what is asked for is read.
 */
function* fromRight(lines: readonly string[] | undefined): Generator<string, undefined> {
  if (lines === undefined) return;
  for (let i = lines.length - 1; i >= 0; i--) {
    const line = lines[i]!;
    let end = line.length;
    while (end >= 0) {
      const comma = end === 0 ? -1 : line.lastIndexOf(",", end - 1);
      const entry = trimSpace(line.slice(comma + 1, end));
      if (entry !== "") yield entry;
      end = comma;
    }
  }
}
