// A self-signed certificate for development, by WebCrypto on every runtime. The DER that it takes is written here, by
// RFC 5280 and X.690: the libraries for it (selfsigned, @peculiar/x509) bring the whole of ASN.1 in a dozen packages, to
// make what is one fixed structure.

import { parseIp } from "../gateway_protocols/ip_address.ts";

/** A certificate and its key in PEM (RFC 7468). */
export interface Certificate {
  readonly certificate: string;
  /** PKCS #8. */
  readonly key: string;
}

/** Days that it is valid: it is made again by itself, and browsers distrust what lasts for years. */
export const DAYS = 90;
const DAY = 86_400_000;

/**
 * What every certificate is for. OpenSSL and the browsers take no `*.` right before a top-level domain, so that for them a
 * subdomain of localhost has to be among the further names.
 */
export const LOCAL_NAMES: readonly string[] = ["localhost", "*.localhost", "127.0.0.1", "::1"];

/** RFC 5280 §4.1.2.2: at most 20 octets, positive. */
const SERIAL_OCTETS = 16;

/**
 * Makes a certificate for {@link LOCAL_NAMES} and `names`, which are DNS names (perhaps with `*.` before them) and IP
 * addresses, valid from a day before `now`: clocks differ.
 *
 * @throws {RangeError} when one of `names` is neither.
 */
export async function makeCertificate(names: readonly string[], now: Date): Promise<Certificate> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const [publicKey, privateKey] = await Promise.all([
    crypto.subtle.exportKey("spki", keys.publicKey),
    crypto.subtle.exportKey("pkcs8", keys.privateKey),
  ]);
  const subject = sequence(set(sequence(objectId(COMMON_NAME), utf8("Tricorn development"))));
  const signed = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(serial()),
    ECDSA_WITH_SHA256,
    subject,
    sequence(time(new Date(now.getTime() - DAY)), time(new Date(now.getTime() + DAYS * DAY))),
    subject,
    new Uint8Array(publicKey),
    explicit(3, extensions(subjectNames(names))),
  );
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, keys.privateKey, signed);
  const certificate = sequence(signed, ECDSA_WITH_SHA256, bitString(signatureValue(new Uint8Array(signature))));
  return { certificate: pem("CERTIFICATE", certificate), key: pem("PRIVATE KEY", new Uint8Array(privateKey)) };
}

/**
 * The names of a certificate for `names`, each once: lower case, DNS names in ASCII (RFC 5890), addresses in their shortest
 * form.
 *
 * @throws {RangeError} when one is no DNS name and no IP address.
 */
export function subjectNames(names: readonly string[]): readonly string[] {
  return [...new Set([...LOCAL_NAMES, ...names.map(normalize)])];
}

function normalize(name: string): string {
  const bare = name.replace(/^\*\./, "");
  const address = parseIp(bare);
  const host = hostOf(address?.length === 16 ? `[${bare}]` : bare)?.replace(/^\[|\]$/g, "");
  if (address !== null && bare === name) return host!;
  // What only URLs take for an address ("127.1") is neither.
  if (address === null && host !== undefined && parseIp(host) === null && DNS_NAME.test(host)) {
    return name.slice(0, -bare.length) + host;
  }
  throw new RangeError(`${JSON.stringify(name)} is no DNS name and no IP address`);
}

/** Labels of letters, digits, hyphens, and the underscores that machines have. */
const DNS_NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/** As URLs have it: in lower case and ASCII. */
function hostOf(name: string): string | null {
  if (!name.startsWith("[") && /[\s/?#@\\%:[\]]|^$/.test(name)) return null;
  try {
    return new URL(`http://${name}`).hostname;
  } catch {
    return null;
  }
}

function serial(): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(SERIAL_OCTETS));
  // Never zero, and as long as any other.
  bytes[0] = bytes[0]! & 0x7f | 0x40;
  return bytes;
}

/** RFC 5280 §4.2. */
function extensions(names: readonly string[]): Uint8Array {
  const extension = (id: string, critical: boolean, value: Uint8Array): Uint8Array =>
    sequence(objectId(id), ...(critical ? [tagged(BOOLEAN, Uint8Array.of(0xff))] : []), tagged(OCTET_STRING, value));
  return sequence(
    // No CA: Firefox refuses a server's certificate that is one.
    extension("2.5.29.19", true, sequence()),
    // digitalSignature, the first of nine bits.
    extension("2.5.29.15", true, tagged(BIT_STRING, Uint8Array.of(7, 0x80))),
    // serverAuth.
    extension("2.5.29.37", false, sequence(objectId("1.3.6.1.5.5.7.3.1"))),
    extension("2.5.29.17", false, sequence(...names.map(generalName))),
  );
}

/** RFC 5280 §4.2.1.6: iPAddress is [7], dNSName [2]. */
function generalName(name: string): Uint8Array {
  const address = parseIp(name);
  return address === null ? tagged(0x82, new TextEncoder().encode(name)) : tagged(0x87, address);
}

/** WebCrypto gives r and s one after the other; RFC 3279 §2.2.3 wants a SEQUENCE of two INTEGERs. */
function signatureValue(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  return sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}

// Distinguished Encoding Rules, X.690 §8 and §10: a tag, a length, a content.

const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;
const SET = 0x31;

const COMMON_NAME = "2.5.4.3";
const ECDSA_WITH_SHA256 = sequence(objectId("1.2.840.10045.4.3.2"));

function tagged(tag: number, ...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = contents.reduce((sum, { length }) => sum + length, 0);
  const head = [tag, ...lengthOf(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let offset = head.length;
  for (const content of contents) {
    bytes.set(content, offset);
    offset += content.length;
  }
  return bytes;
}

/** §8.1.3: one octet below 128, else as many as it takes, after their number. */
function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

function sequence(...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return tagged(SEQUENCE, ...contents);
}

function set(...contents: readonly Uint8Array[]): Uint8Array {
  return tagged(SET, ...contents);
}

/** A tag of the context around what has its own. */
function explicit(tag: number, content: Uint8Array): Uint8Array {
  return tagged(0xa0 | tag, content);
}

/** §8.3 of an unsigned number: in as few octets as it takes, and a zero before what would be negative. */
function integer(bytes: Uint8Array): Uint8Array {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const rest = bytes.subarray(start);
  return rest[0]! >= 0x80 ? tagged(INTEGER, Uint8Array.of(0), rest) : tagged(INTEGER, rest);
}

function bitString(bytes: Uint8Array): Uint8Array {
  // No bits are left over in the last octet.
  return tagged(BIT_STRING, Uint8Array.of(0), bytes);
}

function utf8(text: string): Uint8Array {
  return tagged(UTF8_STRING, new TextEncoder().encode(text));
}

/** §8.19: the first two arcs in one; seven bits an octet, all but the last with the highest bit. */
function objectId(dotted: string): Uint8Array {
  const [first, second, ...rest] = dotted.split(".").map(Number) as [number, number, ...number[]];
  const octets = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 128];
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) groups.unshift(0x80 | high % 128);
    return groups;
  });
  return tagged(OBJECT_ID, Uint8Array.from(octets));
}

/** RFC 5280 §4.1.2.5: UTCTime up to 2049. */
function time(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, "");
  const short = date.getUTCFullYear() < 2050;
  return tagged(short ? UTC_TIME : GENERALIZED_TIME, new TextEncoder().encode(short ? digits.slice(2) : digits));
}

/** RFC 7468 §2: base64 in lines of 64. */
function pem(label: string, der: Uint8Array): string {
  const base64 = btoa(Array.from(der, (octet) => String.fromCharCode(octet)).join(""));
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;
}
