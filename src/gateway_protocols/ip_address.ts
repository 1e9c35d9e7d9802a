// IP addresses as bytes: one strict reader and one writer, so that two spellings of an address never pass for two
// addresses. IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2), which a dual-stack socket reports for IPv4 peers, become
// IPv4 here, and so everywhere.

// A leading zero is refused: some read it as octal, so that "010.0.0.1" has two meanings (RFC 6943 §3.1.1).
const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;
const GROUP = /^[0-9a-f]{1,4}$/i;
/** The longest spelling: six full groups and a dotted quad. */
const LONGEST = 45;

/** The address in 4 or 16 bytes; null when `text` is not exactly one address. Zones and brackets are refused. */
export function parseIp(text: string): Uint8Array | null {
  if (text.length > LONGEST) return null;
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): Uint8Array | null {
  const match = IPV4.exec(text);
  if (match === null) return null;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = Number(match[i + 1]);
    if (part > 255) return null;
    bytes[i] = part;
  }
  return bytes;
}

/** RFC 4291 §2.2, all three forms; "::" stands for one group at least (RFC 5952 §4.2.2 forbids only to write that). */
function parseIpv6(text: string): Uint8Array | null {
  const gap = text.indexOf("::");
  if (gap === -1) {
    const groups = parseGroups(text, true);
    return groups?.length === 16 ? unmapped(Uint8Array.from(groups)) : null;
  }
  const head = parseGroups(text.slice(0, gap), false);
  const tail = parseGroups(text.slice(gap + 2), true);
  if (head === null || tail === null || head.length + tail.length > 14) return null;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  return unmapped(bytes);
}

/** The bytes of groups between single colons; the last may be a dotted quad where the address ends. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i]!;
    if (GROUP.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    } else {
      const quad = last && i === groups.length - 1 ? parseIpv4(group) : null;
      if (quad === null) return null;
      bytes.push(...quad);
    }
  }
  return bytes;
}

/** The IPv4 address inside an IPv4-mapped one; any other address as it is. */
export function unmapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return bytes;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes;
  return bytes.subarray(12);
}

/** The canonical spelling of 4 or 16 bytes: dotted decimal, or RFC 5952 §4. */
export function formatIp(bytes: Uint8Array): string {
  const address = unmapped(bytes);
  if (address.length === 4) return address.join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(address[i]! << 8 | address[i + 1]!);
  // RFC 5952 §4.2: the longest run of zeroes is shortened, the first of equal ones, but never a single group.
  let start = 0;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const hex = groups.map((group) => group.toString(16));
  return length === 1 ? hex.join(":") : `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}
