import { expect, test } from "vitest";
import { didYouMean, nearest } from "../../src/config/nearest.ts";

test("nearest finds what was mistyped", () => {
  expect(nearest("bnid", ["bind", "backlog"])).toBe("bind");
  expect(nearest("keepAlive", ["keepalive", "factory"])).toBe("keepalive");
  expect(nearest("aplication", ["application", "app"])).toBe("application");
  expect(nearest("serv", ["serve", "help"])).toBe("serve");
});

test("nearest finds nothing where nothing is near", () => {
  expect(nearest("w", ["b"])).toBe(null);
  expect(nearest("workers", ["bind", "backlog"])).toBe(null);
  expect(nearest("x", [])).toBe(null);
  expect(didYouMean("workers", ["bind"])).toBe("");
});
