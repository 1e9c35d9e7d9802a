// IP addresses and networks as text: what may stand in a setting. No names are resolved here.

/** The 4 or 16 bytes of an IP address without brackets and zone, or null when `text` is none. */
export function parseIp(text: string): readonly number[] | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): readonly number[] | null {
  // No leading zeros: some parsers read them as octal, so that two programs would trust two different peers.
  if (!/^(?:(?:0|[1-9]\d{0,2})(?:\.(?!$)|$)){4}$/.test(text)) return null;
  const bytes = text.split(".").map(Number);
  return bytes.every((byte) => byte < 256) ? bytes : null;
}

/** RFC 4291 §2.2, all three forms. */
function parseIpv6(text: string): readonly number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const parts: number[][] = [];
  for (const [index, half] of halves.entries()) {
    const bytes: number[] = [];
    const groups = half === "" ? [] : half.split(":");
    for (const [position, group] of groups.entries()) {
      const atEnd = index === halves.length - 1 && position === groups.length - 1;
      const v4 = atEnd && group.includes(".") ? parseIpv4(group) : null;
      if (v4 !== null) bytes.push(...v4);
      else if (/^[0-9a-fA-F]{1,4}$/.test(group)) bytes.push(parseInt(group, 16) >> 8, parseInt(group, 16) & 255);
      else return null;
    }
    parts.push(bytes);
  }
  const [front = [], back] = parts;
  if (back === undefined) return front.length === 16 ? front : null;
  const gap = 16 - front.length - back.length;
  return gap >= 2 ? [...front, ...new Array<number>(gap).fill(0), ...back] : null;
}

/** What is wrong with `text` as an IP address, a CIDR network or `*`; null when nothing is. */
export function networkProblem(text: string): string | null {
  if (text === "*") return null;
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = parseIp(address);
  if (bytes === null) return "is not an IP address";
  if (slash < 0) return null;
  const prefix = text.slice(slash + 1);
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > bytes.length * 8) {
    return `has no prefix length between 0 and ${bytes.length * 8} after the "/"`;
  }
  // As Gunicorn: 10.0.0.1/8 is as likely a mistyped /32 as a network, and trust is not guessed.
  const set = bytes.some((byte, index) => {
    const kept = Math.min(8, Math.max(0, Number(prefix) - index * 8));
    return (byte & (255 >> kept)) !== 0;
  });
  return set ? "has host bits set: clear the bits after the prefix, or drop the prefix" : null;
}
