// In the order of haproxy's doc/proxy-protocol.txt. Each case is fed whole, byte by byte and in two pieces, and with bytes
// behind it: the answer must be the same.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  MAX_PROXY_HEADER,
  type ProxyHeader,
  ProxyHeaderParser,
  type ProxyMode,
  type ProxyResult,
} from "../../src/gateway_protocols/proxy_protocol.ts";

const bytes = (...parts: (string | readonly number[] | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part) => typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : [...part]),
  );

const SIGNATURE = bytes("\r\n\r\n\0\r\nQUIT\n");
const u16 = (n: number): number[] => [n >> 8, n & 0xff];
const tlv = (type: number, ...value: (string | number[])[]): number[] => {
  const content = [...bytes(...value)];
  return [type, ...u16(content.length), ...content];
};
const v2 = (command: number, family: number, ...block: (string | readonly number[])[]): Uint8Array => {
  const content = bytes(...block);
  return bytes(SIGNATURE, [command, family], u16(content.length), content);
};
const INET = [192, 0, 2, 1, 198, 51, 100, 2, ...u16(56324), ...u16(443)];
const INET6 = [
  ...bytes([0x20, 1, 0x0d, 0xb8], Array(11).fill(0), [1], Array(15).fill(0), [1]),
  ...u16(1),
  ...u16(65535),
];

function whole(input: Uint8Array, mode: ProxyMode): ProxyResult {
  return new ProxyHeaderParser(mode).push(input);
}

/** Feeds pieces of `size` bytes, each in a buffer that is overwritten afterwards, as Deno's read loop does. */
function piecemeal(input: Uint8Array, mode: ProxyMode, size: number): ProxyResult {
  const parser = new ProxyHeaderParser(mode);
  let result: ProxyResult = { kind: "more" };
  let at = 0;
  const buffer = new Uint8Array(size);
  while (at < input.length && result.kind === "more") {
    const piece = input.subarray(at, at + size);
    buffer.set(piece);
    result = parser.push(buffer.subarray(0, piece.length));
    if ("rest" in result) result = { ...result, rest: result.rest.slice() };
    buffer.fill(0xaa);
    at += piece.length;
  }
  return "rest" in result ? { ...result, rest: bytes(result.rest, input.subarray(at)) } : result;
}

function parse(input: Uint8Array | string, mode: ProxyMode = "auto"): ProxyResult {
  const all = typeof input === "string" ? bytes(input) : input;
  const result = whole(all, mode);
  expect(piecemeal(all, mode, 1)).toEqual(result);
  expect(piecemeal(all, mode, 7)).toEqual(result);
  return result;
}

function header(input: Uint8Array | string, mode: ProxyMode = "auto"): ProxyHeader | null {
  const all = typeof input === "string" ? bytes(input) : input;
  expect(parse(all, mode)).toMatchObject({ kind: "header", rest: new Uint8Array(0) });
  const result = parse(bytes(all, "GET / HTTP/1.1\r\n"), mode);
  if (result.kind !== "header") throw new Error(JSON.stringify(result));
  expect(result.rest).toEqual(bytes("GET / HTTP/1.1\r\n"));
  return result.header;
}

const refusal = (input: Uint8Array | string, mode: ProxyMode = "auto"): string => {
  const result = parse(input, mode);
  return result.kind === "error" ? result.reason : result.kind;
};

describe("§2.1 version 1", () => {
  test("TCP4", () => {
    expect(header("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n")).toEqual({
      source: { address: "192.168.0.1", port: 56324 },
      destination: { address: "192.168.0.11", port: 443 },
      tls: null,
    });
  });

  test("TCP6, in RFC 5952's spelling whatever was sent", () => {
    expect(header("PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 0 65535\r\n", "v1")).toEqual({
      source: { address: "2001:db8::1", port: 0 },
      destination: { address: "::1", port: 65535 },
      tls: null,
    });
  });

  test("an IPv4-mapped address is TCP6, and IPv4", () => {
    expect(header("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n")).toMatchObject({
      source: { address: "192.0.2.1" },
      destination: { address: "192.0.2.2" },
    });
  });

  const group = "ffff";
  const longest = Array(8).fill(group).join(":");
  test.each([
    "PROXY UNKNOWN\r\n",
    "PROXY UNKNOWN \r\n",
    "PROXY UNKNOWN \0\xff whatever it says\r\n",
    `PROXY UNKNOWN ${longest} ${longest} 65535 65535\r\n`,
  ])("UNKNOWN: the connection's own addresses count: %j", (line) => {
    expect(line.length).toBeLessThanOrEqual(107);
    expect(header(line)).toBeNull();
  });

  test.each([
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
    "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 0x2\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
    "PROXY TCP4 1.2.3.4 1.2.3.4 99999 2\r\n",
    "PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n",
    "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
    "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
    "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n",
    "PROXY TCP4 \xb9.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY TCP4 ::1 ::1 1 2\r\n",
    "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
    "PROXY TCP6 [::1] [::1] 1 2\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "PROXY TCP6 1::2::3 ::1 1 2\r\n",
    "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n",
    "PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n",
    "PROXY TCP6 1:2:3:4::5:6:7:8 ::1 1 2\r\n",
    "PROXY TCP6 :1:2:3:4:5:6:7 ::1 1 2\r\n",
    "PROXY TCP6 ::12345 ::1 1 2\r\n",
    "PROXY TCP6 1.2.3.4::1 ::1 1 2\r\n",
    "PROXY UNKNOWNX\r\n",
    "PROXY\r\n",
    "PROXY / HTTP/1.1\r\n",
    "PROXYX\r\n",
  ])("refuses %j", (line) => {
    expect(refusal(line)).toContain("§2.1");
  });

  test.each(["PROXY UNKNOWN\n", "PROXY UNKNOWN\rX", "PROXY UNKNOWN \r\r\n", "PROXY\n"])(
    "a single CR or LF does not end the line: %j",
    (line) => expect(refusal(line)).toMatch(/without/),
  );

  test("107 bytes with CRLF, and no more", () => {
    const line = (length: number): string => `PROXY UNKNOWN ${"x".repeat(length - 16)}\r\n`;
    expect(header(line(107))).toBeNull();
    expect(refusal(line(108))).toContain("longer than 107");
    expect(refusal("PROXY UNKNOWN ".padEnd(107, "x"))).toContain("longer than 107");
    expect(refusal("PROXY UNKNOWN ".padEnd(106, "x"))).toBe("more");
  });
});

describe("§2.2 version 2", () => {
  test("0x11 TCP over IPv4", () => {
    expect(header(v2(0x21, 0x11, INET), "v2")).toEqual({
      source: { address: "192.0.2.1", port: 56324 },
      destination: { address: "198.51.100.2", port: 443 },
      tls: null,
    });
  });

  test("0x21 TCP over IPv6", () => {
    expect(header(v2(0x21, 0x21, INET6))).toEqual({
      source: { address: "2001:db8::1", port: 1 },
      destination: { address: "::1", port: 65535 },
      tls: null,
    });
    const mapped = [...Array(10).fill(0), 0xff, 0xff, 192, 0, 2, 1];
    expect(header(v2(0x21, 0x21, mapped, mapped, [0, 1, 0, 2]))).toMatchObject({ source: { address: "192.0.2.1" } });
  });

  test.each([
    ["LOCAL", v2(0x20, 0x00)],
    ["LOCAL with a block that must be skipped", v2(0x20, 0x11, [1, 2, 3])],
    ["LOCAL with a family that must be ignored", v2(0x20, 0xff, INET)],
    ["0x00, the usual UNSPEC", v2(0x21, 0x00)],
    ["0x00 with whatever", v2(0x21, 0x00, "whatever")],
    ["UNSPEC over STREAM", v2(0x21, 0x01)],
    ["INET over UNSPEC", v2(0x21, 0x10, INET)],
    ["0x31 unix stream", v2(0x21, 0x31, Array(216).fill(0x2f))],
  ])("%s: the connection's own addresses count", (_, input) => {
    expect(header(input)).toBeNull();
  });

  test.each([
    ["version 1", v2(0x11, 0x11, INET)],
    ["version 3", v2(0x31, 0x11, INET)],
    ["command 2", v2(0x22, 0x11, INET)],
    ["family 4", v2(0x21, 0x41, INET)],
    ["transport 3", v2(0x21, 0x13, INET)],
    ["UDP over IPv4", v2(0x21, 0x12, INET)],
    ["unix datagram", v2(0x21, 0x32, Array(216).fill(0))],
    ["UNSPEC datagram", v2(0x21, 0x02)],
    ["IPv4, one byte short", v2(0x21, 0x11, INET.slice(1))],
    ["IPv6, one byte short", v2(0x21, 0x21, INET6.slice(1))],
    ["unix, one byte short", v2(0x21, 0x31, Array(215).fill(0))],
    ["half a TLV", v2(0x21, 0x11, INET, [0x04, 0])],
    ["a TLV longer than the header", v2(0x21, 0x11, INET, [0x04, 0, 2, 0])],
    ["two PP2_TYPE_SSL", v2(0x21, 0x11, INET, tlv(0x20, [1, 0, 0, 0, 0]), tlv(0x20, [1, 0, 0, 0, 0]))],
    ["PP2_TYPE_SSL too short", v2(0x21, 0x11, INET, tlv(0x20, [1]))],
    ["PP2_TYPE_SSL with half a TLV", v2(0x21, 0x11, INET, tlv(0x20, [1, 0, 0, 0, 0, 0x21, 0]))],
    ["a CRC32c of three bytes", v2(0x21, 0x11, INET, tlv(0x03, [1, 2, 3]))],
    ["a wrong CRC32c", v2(0x21, 0x11, INET, tlv(0x03, [1, 2, 3, 4]))],
    ["4097 bytes", bytes(SIGNATURE, [0x20, 0], u16(4097))],
  ])("refuses %s", (_, input) => {
    expect(refusal(input)).toMatch(/^PROXY header: /);
  });

  test("4096 bytes are the most", () => {
    const input = v2(0x21, 0x11, INET, tlv(0x04, Array(4096 - 12 - 3).fill(0)));
    expect(input.length).toBe(MAX_PROXY_HEADER);
    expect(whole(input, "auto")).toMatchObject({ kind: "header" });
    expect(whole(input.subarray(0, -1), "auto").kind).toBe("more");
  });

  test("§2.2.3 CRC32c, as an AWS Network Load Balancer sends it", () => {
    const block = [0xac, 0x1f, 0x07, 0x71, 0xac, 0x1f, 0x0a, 0x1f, 0xc8, 0xf2, 0x00, 0x50];
    const vpce = tlv(0xea, [1], "vpce-08d2bf15fac5001c9");
    const input = v2(0x21, 0x11, block, tlv(0x03, [0xe8, 0xd6, 0x89, 0x2d]), vpce, tlv(0x04, Array(36).fill(0)));
    expect(header(input)).toMatchObject({ source: { address: "172.31.7.113", port: 51442 } });
    for (let i = 16; i < input.length; i++) {
      if (input[i] === 0x03) continue; // Under another type it is no checksum, but a TLV that is skipped.
      const broken = input.slice();
      broken[i]! ^= 0x10;
      expect(whole(broken, "v2"), `byte ${i}`).toMatchObject({ kind: "error" });
    }
  });

  test("§2.2.6 PP2_TYPE_SSL and §2.2.2 PP2_TYPE_AUTHORITY", () => {
    const ssl = tlv(0x20, [1, 0, 0, 0, 0], tlv(0x21, "TLSv1.3"), tlv(0x23, "TLS_AES_128_GCM_SHA256"));
    const tls = (...tlvs: number[][]) => header(v2(0x21, 0x11, INET, ...tlvs))?.tls;
    expect(tls(tlv(0x02, "example.com"), ssl)).toEqual({ protocol: "TLSv1.3", serverName: "example.com" });
    expect(tls(ssl, tlv(0xe0, "our own"))).toEqual({ protocol: "TLSv1.3" });
    expect(tls(tlv(0x20, [1, 0, 0, 0, 1]))).toEqual({});
    expect(tls(tlv(0x20, [0, 0, 0, 0, 0]), tlv(0x02, "example.com"))).toBeNull();
    expect(tls(tlv(0x02, "example.com"))).toBeNull();
    expect(tls(ssl, tlv(0x02, "a\r\nb"))).toEqual({ protocol: "TLSv1.3" });
    expect(tls(ssl, tlv(0x02, "\xc3\xa4"))).toEqual({ protocol: "TLSv1.3" });
    expect(tls(ssl, tlv(0x02, "a".repeat(4000)))).toEqual({ protocol: "TLSv1.3" });
  });
});

describe("which version is read", () => {
  test.each(
    [
      ["v1", v2(0x20, 0)],
      ["v2", bytes("PROXY UNKNOWN\r\n")],
      ["auto", bytes("GET / HTTP/1.1\r\n")],
      ["auto", bytes("PROPFIND / HTTP/1.1\r\n")],
      ["auto", bytes("\r\nGET / HTTP/1.1\r\n")],
      ["auto", bytes("\r\n\r\n\0\r\nQUIT\r")],
      ["auto", bytes("proxy UNKNOWN\r\n")],
      ["auto", bytes([0])],
    ] as const,
  )("%s: no header, and all bytes are given back", (mode, input) => {
    expect(parse(input, mode)).toEqual({ kind: "absent", rest: input });
  });

  test.each(["", "P", "PROXY", "PROXY ", "PROXY UNKNOWN\r", "\r", "\r\n\r\n\0\r\nQUIT\n", "\r\n\r\n\0\r\nQUIT\n\x21"])(
    "%j: not decided",
    (input) => expect(parse(input)).toEqual({ kind: "more" }),
  );
});

describe("any bytes", () => {
  const seeds = [
    bytes("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    v2(0x21, 0x11, INET),
    v2(0x21, 0x21, INET6, tlv(3, [0, 0, 0, 0])),
  ];
  const mutated = fc.tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 4 }),
    fc.uint8Array({ maxLength: 8 }),
  )
    .map(([seed, edits, tail]) => {
      const input = bytes(seed, tail);
      for (const [at, value] of edits) if (at < input.length) input[at] = value;
      return input;
    });
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }).map((tail) => bytes("PROXY ", tail)),
    fc.uint8Array({ maxLength: 200 }).map((tail) => bytes(SIGNATURE, tail)),
    mutated,
  );
  const mode = fc.constantFrom<ProxyMode>("v1", "v2", "auto");

  test("give one answer, however they arrive, and no byte is lost", () => {
    fc.assert(
      fc.property(input, mode, fc.integer({ min: 1, max: 60 }), (input, mode, size) => {
        const result = whole(input, mode);
        expect(piecemeal(input, mode, size)).toEqual(result);
        expect(piecemeal(input, mode, 1)).toEqual(result);
        if (!("rest" in result)) return;
        const consumed = input.length - result.rest.length;
        expect(result.rest).toEqual(input.subarray(consumed));
        if (result.kind === "absent") expect(consumed).toBe(0);
        else expect(consumed).toBeLessThanOrEqual(input[0] === 0x50 ? 107 : MAX_PROXY_HEADER);
      }),
      { numRuns: 1000 },
    );
  });

  test("are decided at the latest after MAX_PROXY_HEADER of them", () => {
    fc.assert(
      fc.property(input, mode, (input, mode) => {
        const long = bytes(input, new Uint8Array(MAX_PROXY_HEADER));
        expect(whole(long, mode).kind).not.toBe("more");
      }),
    );
  });
});
