// How often a worker says that its event loop turns. What a worker does as a process is in test/runtimes/arbiter.test.ts.

import { expect, test } from "vitest";
import { heartbeatInterval } from "../../src/arbiter/worker.ts";

test("a heartbeat comes each second, and four times within a short timeout", () => {
  expect(heartbeatInterval(30)).toBe(1000);
  expect(heartbeatInterval(4)).toBe(1000);
  expect(heartbeatInterval(2)).toBe(500);
  expect(heartbeatInterval(0.4)).toBe(100);
});

test("without a timeout it comes each second", () => {
  expect(heartbeatInterval(0)).toBe(1000);
});
