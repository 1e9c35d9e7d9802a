// Field names: interned or not, a name is the same.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FieldName, hashStep, HOST, intern, KNOWN_NAMES, X_REAL_IP } from "../../src/http1/names.ts";
import { bytes } from "./harness.ts";

function named(raw: string): FieldName {
  const data = bytes(`<${raw}>`);
  return intern(data, 1, data.length - 1, bytes(raw).reduce((hash, byte) => hashStep(hash, byte), 0));
}

const TCHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const token = fc.string({ unit: fc.constantFrom(...TCHARS), minLength: 1, maxLength: 100 });

describe("intern", () => {
  test.each([
    ["Host", "host", "HTTP_HOST", HOST],
    ["hOST", "host", "HTTP_HOST", HOST],
    ["X-Real-Ip", "x-real-ip", "HTTP_X_REAL_IP", X_REAL_IP],
    ["X-Foo", "x-foo", "HTTP_X_FOO", 0],
    ["__proto__", "__proto__", "", 0],
    ["Content_Length", "content_length", "", 0],
    ["a.b~!", "a.b~!", "HTTP_A.B~!", 0],
  ])("%s", (raw, lower, key, id) => {
    for (let i = 0; i < 2; i++) expect(named(raw)).toMatchObject({ raw, lower, key, id });
  });

  test("the known names have the numbers of their order, however spelled", () => {
    KNOWN_NAMES.forEach((name, index) => {
      expect(named(name).id).toBe(index + 1);
      expect(named(name.toUpperCase()).id).toBe(index + 1);
    });
  });

  test("a usual spelling is one object", () => {
    expect(named("Content-Type")).toBe(named("Content-Type"));
    expect(named("content-type")).not.toBe(named("Content-Type"));
  });

  test("any name is itself, more of them than the table holds, and in any order", () => {
    for (let i = 0; i < 20_000; i++) expect(named(`x-${i}`).raw).toBe(`x-${i}`);
    fc.assert(
      fc.property(token, (raw) => {
        for (let i = 0; i < 2; i++) {
          const name = named(raw);
          expect(name.raw).toBe(raw);
          expect(name.lower).toBe(raw.toLowerCase());
          expect(name.key).toBe(raw.includes("_") ? "" : `HTTP_${raw.toUpperCase().replaceAll("-", "_")}`);
        }
      }),
      { numRuns: 2000 },
    );
    // Those that were there before are there still.
    expect(named("Host")).toBe(named("Host"));
  });

  test("names with the same hash are different names", () => {
    // 31 * "A" + "a" is 31 * "B" + "B".
    expect(bytes("Aa").reduce((hash, byte) => hashStep(hash, byte), 0))
      .toBe(bytes("BB").reduce((hash, byte) => hashStep(hash, byte), 0));
    for (const raw of ["AaAa", "BBBB", "AaBB", "BBAa", "AaAa"]) expect(named(raw).raw).toBe(raw);
  });
});
