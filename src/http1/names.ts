// Field names, interned: one object a spelling, found by a hash that the parser computes while it validates the name.
// This saves a substring, a lower-casing and a Map lookup a field (measured: 15-42 % of the parse). The table is bounded,
// since names come from outside: when it is full, or a bucket is, new spellings are made anew each time.

/** A field as received: name and value. */
export type Field = readonly [name: string, value: string];

/** A field name in one spelling. */
export interface FieldName {
  /** As spelled by the peer. */
  readonly raw: string;
  /** The same, as bytes. */
  readonly bytes: Uint8Array;
  /** In lower case: what compares equal (RFC 9110 §5.1). */
  readonly lower: string;
  /** The CGI key (RFC 3875 §4.1.18), or "" for a name that contains "_" and could spoof another's key. */
  readonly key: `HTTP_${string}` | "";
  /** Its number in {@link KNOWN_NAMES} counted from 1, or 0. */
  readonly id: number;
}

/** Names with a number: the first ones mean something to the protocol, the others are only common. */
export const KNOWN_NAMES = [
  "host", // 1
  "content-length", // 2
  "transfer-encoding", // 3
  "connection", // 4
  "expect", // 5
  "upgrade", // 6
  "content-type", // 7
  "cookie", // 8
  "forwarded", // 9
  "x-forwarded-for", // 10
  "x-forwarded-proto", // 11
  "x-forwarded-host", // 12
  "x-forwarded-port", // 13
  "x-forwarded-ssl", // 14
  "x-forwarded-protocol", // 15
  "x-real-ip", // 16
  "accept", // 17
  "accept-encoding", // 18
  "accept-language", // 19
  "user-agent", // 20
  "referer", // 21
  "origin", // 22
  "authorization", // 23
  "cache-control", // 24
  "pragma", // 25
  "if-none-match", // 26
  "if-modified-since", // 27
  "range", // 28
  "upgrade-insecure-requests", // 29
  "sec-fetch-site", // 30
  "sec-fetch-mode", // 31
  "sec-fetch-dest", // 32
  "sec-fetch-user", // 33
  "sec-ch-ua", // 34
  "sec-ch-ua-mobile", // 35
  "sec-ch-ua-platform", // 36
  "dnt", // 37
  "priority", // 38
  "te", // 39
  "x-requested-with", // 40
  "x-request-id", // 41
  "traceparent", // 42
  "via", // 43
] as const;

export const HOST = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const CONNECTION = 4;
export const EXPECT = 5;
export const UPGRADE = 6;
export const CONTENT_TYPE = 7;
export const COOKIE = 8;
/** Numbers from FORWARDED to X_REAL_IP are what a proxy tells of its client. */
export const FORWARDED = 9;
export const X_REAL_IP = 16;

const IDS: ReadonlyMap<string, number> = new Map(KNOWN_NAMES.map((name, index) => [name, index + 1]));

const BUCKETS = 2048;
const PROBES = 8;
const MAX_LENGTH = 64;
const slots: (FieldName | undefined)[] = new Array(BUCKETS + PROBES).fill(undefined);
const hashes = new Int32Array(BUCKETS + PROBES);

function make(bytes: Uint8Array): FieldName {
  let raw = "";
  for (const byte of bytes) raw += String.fromCharCode(byte);
  const lower = raw.toLowerCase();
  const key = lower.includes("_") ? "" : (`HTTP_${lower.toUpperCase().replaceAll("-", "_")}` as const);
  return { raw, bytes, lower, key, id: IDS.get(lower) ?? 0 };
}

/** One step of the hash, as the parser's loop has it inlined. */
export function hashStep(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

function sameBytes(name: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < name.length; i++) {
    if (name[i] !== bytes[start + i]) return false;
  }
  return true;
}

/** The name at `bytes[start..end)`, which are tchars and hash to `hash`. */
export function intern(bytes: Uint8Array, start: number, end: number, hash: number): FieldName {
  const length = end - start;
  let free = -1;
  const first = (hash ^ (hash >>> 11) ^ (hash >>> 22)) & (BUCKETS - 1);
  for (let slot = first; slot < first + PROBES; slot++) {
    const name = slots[slot];
    if (name === undefined) {
      free = slot;
      break;
    }
    if (hashes[slot] === hash && name.bytes.length === length && sameBytes(name.bytes, bytes, start)) return name;
  }
  const name = make(Uint8Array.prototype.slice.call(bytes, start, end));
  if (free >= 0 && length <= MAX_LENGTH) {
    slots[free] = name;
    hashes[free] = hash;
  }
  return name;
}

/** Names by their spelling, for who has no bytes. Bounded as the table of bytes is. */
const spellings = new Map<string, FieldName>();
const MAX_SPELLINGS = 1024;

/** The name that is spelled `raw`, which consists of tchars. */
export function named(raw: string): FieldName {
  const known = spellings.get(raw);
  if (known !== undefined) return known;
  const name = make(Uint8Array.from(raw, (character) => character.charCodeAt(0)));
  if (spellings.size < MAX_SPELLINGS && raw.length <= MAX_LENGTH) spellings.set(raw, name);
  return name;
}

function seed(raw: string): void {
  const bytes = Uint8Array.from(raw, (character) => character.charCodeAt(0));
  intern(bytes, 0, bytes.length, bytes.reduce(hashStep, 0));
}

// The two usual spellings of each known name have their place before anything from outside takes it.
for (const name of KNOWN_NAMES) {
  seed(name);
  seed(name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()));
}
