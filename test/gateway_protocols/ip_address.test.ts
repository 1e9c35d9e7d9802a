import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatIp, parseIp } from "../../src/gateway_protocols/ip_address.ts";

const canonical = (text: string): string | null => {
  const ip = parseIp(text);
  return ip === null ? null : formatIp(ip);
};

test.each([
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["2001:DB8::0:1", "2001:db8::1"],
  ["0001:0002:0003:0004:0005:0006:0007:0008", "1:2:3:4:5:6:7:8"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["::1.2.3.4", "::102:304"],
  ["::ffff:1.2.3.4", "1.2.3.4"],
  ["0:0:0:0:0:FFFF:0102:0304", "1.2.3.4"],
  ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
])("formatIp: %s is %s", (text, expected) => expect(canonical(text)).toBe(expected));

test.each([
  ["§4.2.2: one group is not shortened", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["§4.2.2: though it may have been", "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["§4.2.3: the longest run", "2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["§4.2.3: the first of equal ones", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
])("formatIp: RFC 5952 %s", (_, text, expected) => expect(canonical(text)).toBe(expected));

describe("parseIp agrees with node:net", () => {
  const odd = fc.string({ unit: fc.constantFrom(..."0123456789abcfF:.% []x"), maxLength: 48 });
  const near = fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), odd);

  test("on what is an address (a zone is refused here)", () => {
    fc.assert(
      fc.property(near, fc.nat(48), fc.constantFrom("", ":", "0", ".", "1", "\0", " ", "١"), (text, at, extra) => {
        for (const candidate of [text, text.slice(0, at) + extra + text.slice(at)]) {
          const expected = isIPv4(candidate) || isIPv6(candidate) && !candidate.includes("%");
          expect(parseIp(candidate) !== null, candidate).toBe(expected);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("and on its canonical form, which URL knows", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const bytes = parseIp(text)!;
        const spelt = formatIp(bytes);
        if (bytes.length === 16) expect(`[${spelt}]`).toBe(new URL(`http://[${text}]`).hostname);
        expect(parseIp(spelt)).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });
});
