// What a page may show: names decide, as in Django, and URLs lose their passwords.

import { describe, expect, test } from "vitest";
import { HIDDEN, hideInText, isSecret, show } from "../../src/dev/secrets.ts";

describe("isSecret", () => {
  test.each([
    "SECRET_KEY",
    "Authorization",
    "X-Api-Key",
    "Cookie",
    "HTTP_COOKIE",
    "csrfmiddlewaretoken",
    "password",
    "X-Signature",
    "DB_PASS",
  ])("%s", (name) => {
    expect(isSecret(name)).toBe(true);
  });
  test.each(["DEBUG", "Host", "Accept", "ALLOWED_HOSTS", "user"])("not %s", (name) => {
    expect(isSecret(name)).toBe(false);
  });
});

describe("hideInText", () => {
  test.each([
    ["postgres://app:hunter2@db:5432/shop", `postgres://${HIDDEN}@db:5432/shop`],
    ["cannot connect to redis://:hunter2@cache/0 now", `cannot connect to redis://${HIDDEN}@cache/0 now`],
    [
      "https://host/a?page=2&access_token=abc&x=1#token=def",
      `https://host/a?page=2&access_token=${HIDDEN}&x=1#token=def`,
    ],
    ["token=abc&a=b", `token=${HIDDEN}&a=b`],
    ["https://host/a?page=2", "https://host/a?page=2"],
    ["at file:///srv/a@b.ts:1:2", "at file:///srv/a@b.ts:1:2"],
    ["mail a@example.com: no", "mail a@example.com: no"],
  ])("%s", (text, expected) => {
    expect(hideInText(text)).toBe(expected);
  });
});

describe("show", () => {
  test("nested values are hidden by their own names", () => {
    const databases = { default: { host: "db", password: "hunter2", ports: [1, { apiKey: "x" }] } };
    expect(show("DATABASES", databases)).toBe(
      `{ default: { host: "db", password: ${HIDDEN}, ports: [1, { apiKey: ${HIDDEN} }] } }`.replace(
        `{ apiKey: ${HIDDEN} }`,
        "{1 keys}",
      ),
    );
    expect(show("A", { list: [{ token: "x" }] })).toBe(`{ list: [{ token: ${HIDDEN} }] }`);
    expect(show("SECRET_KEY", "hunter2")).toBe(HIDDEN);
  });

  test("what is circular, has getters, is a class's or a function", () => {
    const circular: Record<string, unknown> = { name: "a" };
    circular.self = circular;
    expect(show("A", circular)).toBe('{ name: "a", self: [circular] }');
    const getter = {
      get secretly(): string {
        throw new Error("called");
      },
    };
    expect(show("A", getter)).toBe("{ secretly: [getter] }");
    expect(show("A", [new Map(), function go() {}, () => {}, /a/g, null, undefined, 1n])).toBe(
      "[[Map], [function go], [function], /a/g, null, undefined, 1n]",
    );
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(show("A", proxy)).toBe("[cannot be shown]");
  });

  test("long values are cut, lines and controls are escaped", () => {
    expect(show("A", "x".repeat(5000))).toBe(`${"x".repeat(1000)}… (5000 characters)`);
    expect(show("A", "a\r\n\x1b[31mb\u202e")).toBe("a\\r\\n\\x1b[31mb\\u202e");
  });

  test("long text takes no longer than it should", () => {
    for (const text of ["a:".repeat(50_000), "//".repeat(50_000), "=".repeat(100_000), "?a".repeat(50_000)]) {
      hideInText(text);
    }
  });
});
