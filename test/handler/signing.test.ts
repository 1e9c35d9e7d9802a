// Signed text (Django's tests/signing). The fixed texts were made by Python's hmac in the way of Django 5.2.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ImproperlyConfigured } from "../../src/handler/exceptions.ts";
import {
  BadSignature,
  constantTimeCompare,
  dumps,
  getCookieSigner,
  loads,
  SignatureExpired,
  Signer,
  TimestampSigner,
} from "../../src/handler/signing.ts";

const KEY = "predictable-secret";

describe("Signer", () => {
  test("a signature is Django's, byte for byte", async () => {
    const signed = "my string:IXAK9Spyv6TnYT8_EwDM3fkig78Si6DgVnRkfKDR8ZE";
    expect(await new Signer({ key: KEY }).sign("my string")).toBe(signed);
    expect(await new Signer({ key: KEY }).unsign(signed)).toBe("my string");
  });

  test.each(["", "hello", "3098247:529:087:", "\u2019", "a:b:c", "\u{1f984}"])(
    "unsign(sign(%j)) is the value",
    async (value) => {
      const signer = new Signer({ key: KEY, salt: "salt" });
      expect(await signer.unsign(await signer.sign(value))).toBe(value);
    },
  );

  test("what was changed has a BadSignature", async () => {
    const signer = new Signer({ key: KEY });
    const signed = await signer.sign("Another string");
    for (
      const forged of [
        signed.toUpperCase(),
        `${signed}a`,
        `a${signed.slice(1)}`,
        signed.slice(0, -1),
        `${signed}:`,
        `:${signed.split(":")[1]!}`,
        signed.replace(":", ""),
        "",
        ":",
      ]
    ) {
      await expect(signer.unsign(forged), forged).rejects.toThrow(BadSignature);
    }
  });

  test("another salt or key makes another signature", async () => {
    const signed = await new Signer({ key: KEY, salt: "one" }).sign("hello");
    await expect(new Signer({ key: KEY, salt: "two" }).unsign(signed)).rejects.toThrow("the signature does not match");
    await expect(new Signer({ key: "other", salt: "one" }).unsign(signed)).rejects.toThrow(BadSignature);
  });

  test("an empty SECRET_KEY is ImproperlyConfigured", () => {
    expect(() => new Signer({ key: "" })).toThrow(ImproperlyConfigured);
    expect(() => getCookieSigner("", "salt")).toThrow("SECRET_KEY");
  });

  test.each(["/", "*sep*", ",", "::"])("the separator may be %j", async (sep) => {
    const signer = new Signer({ key: KEY, sep });
    expect(await signer.unsign(await signer.sign("foo"))).toBe("foo");
  });

  test.each(["", "-", "abc", "_="])("the separator may not be %j", (sep) => {
    expect(() => new Signer({ key: KEY, sep })).toThrow(RangeError);
  });
});

describe("TimestampSigner", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 123_456_789_000 }));
  afterEach(() => void vi.useRealTimers());

  test("max_age: a signature expires after that many seconds", async () => {
    const signer = new TimestampSigner({ key: KEY });
    const signed = await signer.sign("hello");
    expect(signed).toMatch(/^hello:8M0kX:/);
    vi.setSystemTime(123_456_800_000);
    expect(await signer.unsign(signed)).toBe("hello");
    expect(await signer.unsign(signed, { maxAge: 12 })).toBe("hello");
    expect(await signer.unsign(signed, { maxAge: 11 })).toBe("hello");
    const expired = signer.unsign(signed, { maxAge: 10 });
    await expect(expired).rejects.toThrow(SignatureExpired);
    await expect(expired).rejects.toThrow("11 s old: more than 10 s");
  });

  test("a forged time is a BadSignature, and not an old one", async () => {
    const signer = new TimestampSigner({ key: KEY });
    const signed = (await signer.sign("hello")).replace("8M0kX", "zzzzz");
    await expect(signer.unsign(signed, { maxAge: 1 })).rejects.toThrow("the signature does not match");
  });

  test("text that was signed without a time is a BadSignature", async () => {
    const salt = "salt";
    for (const text of ["hello", "hello:-", "hello:"]) {
      const signed = await new Signer({ key: KEY, salt }).sign(text);
      await expect(new TimestampSigner({ key: KEY, salt }).unsign(signed)).rejects.toThrow(BadSignature);
    }
  });
});

describe("get_cookie_signer", () => {
  test("reads a cookie that Django has set", async () => {
    const signed = "hello:1qUFGQ:QJz6xOkaZw-rC63xm1Fm45loG2fPENtFsYm6rWTWDZg";
    expect(await getCookieSigner("s".repeat(50), "sessionid").unsign(signed)).toBe("hello");
  });
});

describe("dumps and loads", () => {
  test("read what Django has dumped", async () => {
    const text = "eyJhIjoiXHUwMGU5In0:1qUFGQ:wRzQif9G86ziliShdQZqEVwlMut_-Ih-ARW9QKBHZfM";
    expect(await loads(text, { key: KEY })).toEqual({ a: "\u00e9" });
    expect(await dumps({ a: "\u00e9" }, { key: KEY })).toMatch(/^eyJhIjoiXHUwMGU5In0:/);
  });

  test.each([[["a", "list"]], ["a string \u2019"], [{ a: "dictionary" }], [null], [42], ["\u{1f984}"]])(
    "loads(dumps(%j)) is the value",
    async (value) => {
      const text = await dumps(value, { key: KEY });
      expect(text).toMatch(/^[\w:-]+$/);
      expect(await loads(text, { key: KEY, maxAge: 60 })).toEqual(value);
    },
  );

  test("forged, of another salt, or no JSON: BadSignature", async () => {
    const text = await dumps({ foo: "bar" }, { key: KEY });
    await expect(loads(`${text}a`, { key: KEY })).rejects.toThrow(BadSignature);
    await expect(loads(text, { key: KEY, salt: "other" })).rejects.toThrow(BadSignature);
    for (const signed of ["", "!", ".eJwF", "e30x", "_w"]) {
      const other = await new TimestampSigner({ key: KEY, salt: "django.core.signing" }).sign(signed);
      await expect(loads(other, { key: KEY }), signed).rejects.toThrow("no JSON of dumps()");
    }
  });

  test("what is no JSON is a TypeError", async () => {
    await expect(dumps(undefined, { key: KEY })).rejects.toThrow(TypeError);
  });
});

test("constant_time_compare", () => {
  expect(constantTimeCompare("spam", "spam")).toBe(true);
  expect(constantTimeCompare("spam", "eggs")).toBe(false);
  expect(constantTimeCompare("spam", "spams")).toBe(false);
  expect(constantTimeCompare("", "")).toBe(true);
});
