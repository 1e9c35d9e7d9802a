// The arithmetic of CSRF tokens.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  CSRF_SECRET_LENGTH,
  CSRF_TOKEN_LENGTH,
  maskSecret,
  newSecret,
  secretOf,
  tokenFault,
  unmaskToken,
} from "../../../src/handler/middleware/csrf_token.ts";

const SECRET = /^[a-zA-Z0-9]{32}$/;
const secrets = fc.stringMatching(SECRET);

test("a secret is 32 letters and digits, another one each time, each character as likely", () => {
  const all = Array.from({ length: 2000 }, newSecret);
  for (const secret of all) expect(secret).toMatch(SECRET);
  expect(new Set(all).size).toBe(all.length);
  const counts = new Map<string, number>();
  for (const char of all.join("")) counts.set(char, (counts.get(char) ?? 0) + 1);
  expect(counts.size).toBe(62);
  // 64,000 characters: about 1,032 of each, and 32 to one deviation.
  for (const [char, count] of counts) expect(Math.abs(count - 1032), char).toBeLessThan(6 * 32);
});

test("a token is 64 characters, never the same, and gives its secret back", () => {
  fc.assert(fc.property(secrets, (secret) => {
    const token = maskSecret(secret);
    expect(token).toMatch(/^[a-zA-Z0-9]{64}$/);
    expect(token).not.toBe(maskSecret(secret));
    expect(unmaskToken(token)).toBe(secret);
    expect(secretOf(token)).toBe(secret);
    expect(secretOf(secret)).toBe(secret);
  }));
});

test("Django's own tokens are read: its test's mask and secret", () => {
  // tests/csrf_tests: MASKED_TEST_SECRET1, TEST_SECRET.
  const secret = "lcccccccX2kcccccccY2jcccccccssIC";
  const masked = "1bcdefghij2bcdefghij3bcdefghij4bcdefghij5bcdefghij6bcdefghijABCD";
  expect(unmaskToken(masked)).toBe(secret);
  expect(unmaskToken("2JgchWvM1tpxT2lfz9aydoXW9yT1DN3NdLiejYxOOlzzV4nhBbYqmqZYbAV3V5Bf")).toBe(secret);
});

test("malformed: length and characters", () => {
  expect(tokenFault("a".repeat(CSRF_SECRET_LENGTH))).toBe(null);
  expect(tokenFault("Z9".repeat(CSRF_SECRET_LENGTH))).toBe(null);
  for (const length of [0, 1, 31, 33, 63, 65, 1_000_000]) {
    expect(tokenFault("a".repeat(length)), `${length}`).toBe("has incorrect length");
  }
  for (const char of ["-", " ", "\n", "\0", "é", "\u017f", "\u212a", '"']) {
    expect(tokenFault(char + "a".repeat(CSRF_TOKEN_LENGTH - 1)), char).toBe("has invalid characters");
  }
});
