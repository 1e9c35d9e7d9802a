import { beforeEach, describe, expect, test } from "vitest";
import type { Environ } from "../../src/esgi/environ.ts";
import { EventBus } from "../../src/observe/events.ts";
import { attachErrorLog, clfTimestamp, type ErrorLogOptions, timestamp } from "../../src/observe/log.ts";
import { describeError } from "../../src/observe/text.ts";

let events: EventBus;
let text: string;
const sink = { write: (part: string) => void (text += part) };
const attach = (options: Partial<ErrorLogOptions> = {}) =>
  attachErrorLog(events, sink, { level: "info", pid: 7, now: () => Date.UTC(2026, 10, 22, 12), ...options });

beforeEach(() => {
  process.env.TZ = "UTC";
  events = new EventBus();
  text = "";
});

describe("attachErrorLog", () => {
  test("writes Gunicorn's line", () => {
    attach();
    events.emit("notice", { level: "info", message: "Listening at: http://127.0.0.1:8000" });
    expect(text).toBe("[2026-11-22 12:00:00 +0000] [7] [INFO] Listening at: http://127.0.0.1:8000\n");
  });

  test("leaves out what is below its level", () => {
    attach({ level: "error" });
    events.emit("notice", { level: "warning", message: "w" });
    events.emit("refused", { status: 400, reason: "r", remote: "1.2.3.4" });
    expect(text).toBe("");
    events.emit("notice", { level: "error", message: "e" });
    expect(text).toContain("[ERROR] e\n");
  });

  test("tells a refusal with its status, and without where nothing could be answered", () => {
    attach();
    events.emit("refused", { status: 400, reason: "malformed", remote: "1.2.3.4" });
    events.emit("refused", { status: 0, reason: "no TLS", remote: "" });
    expect(text).toContain("[WARNING] Refused request from 1.2.3.4: 400 malformed\n");
    expect(text).toContain("[WARNING] Refused request from somebody: no TLS\n");
  });

  test("colours the level, and nothing else, when asked to", () => {
    attach({ colour: true });
    events.emit("notice", { level: "error", message: "e" });
    expect(text).toBe("[2026-11-22 12:00:00 +0000] [7] \x1b[31m[ERROR]\x1b[0m e\n");
  });

  test("writes one line for a fault in which nothing was thrown", () => {
    attach();
    events.emit("fault", { error: null, message: "a rule was broken", environ: null });
    expect(text).toBe("[2026-11-22 12:00:00 +0000] [7] [ERROR] a rule was broken\n");
  });

  test("writes a fault with its request, stack and causes", () => {
    attach();
    const environ = { REQUEST_METHOD: "GET", "esgi.target": "/a?b" } as Environ;
    const error = new TypeError("boom", { cause: new Error("below") });
    events.emit("fault", { error, message: "Error handling request", environ });
    const lines = text.split("\n");
    expect(lines[0]).toMatch(/\[ERROR\] Error handling request \(GET \/a\?b\)$/);
    expect(lines[1]).toBe("  TypeError: boom");
    expect(lines[2]).toMatch(/^ {6}at .*log\.test\.ts/);
    expect(text).toContain("\n  caused by: Error: below\n");
  });

  test("lets nobody forge a line or reach the terminal", () => {
    attach();
    const forged = "x\n[2026-11-22 12:00:00 +0000] [7] [INFO] forged\r\x1b[2J\u202e";
    const environ = { REQUEST_METHOD: "GET", "esgi.target": forged } as Environ;
    events.emit("refused", { status: 400, reason: forged, remote: "1.2.3.4" });
    events.emit("fault", { error: new Error(forged), message: forged, environ });
    events.emit("fault", { error: forged, message: "m", environ: null });
    events.emit("notice", { level: "info", message: forged });
    expect(text.split("\n").filter((line) => line.startsWith("[")).length).toBe(4);
    expect(text).not.toMatch(/[\r\x1b\u202e]/);
    expect(text).toContain("\\x1b[2J");
  });

  test("outlives a sink that throws, and ends when it is told to", () => {
    const end = attachErrorLog(events, {
      write: () => {
        throw new Error("ENOSPC");
      },
    }, { level: "info", pid: 1 });
    events.emit("notice", { level: "info", message: "m" });
    end();
    attach()();
    events.emit("notice", { level: "info", message: "m" });
    expect(text).toBe("");
    expect(events.wants("notice")).toBe(false);
  });
});

describe("describeError", () => {
  test.each([
    ["a string", "thrown: a string"],
    [undefined, "thrown: undefined"],
    [{ code: 5 }, 'thrown: {"code":5}'],
    [Symbol("s"), "thrown: Symbol(s)"],
    [10n, "thrown: 10"],
  ])("%o", (error, expected) => expect(describeError(error)).toBe(expected));

  test("survives what cannot be shown", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const hostile = new Proxy({}, {
      get() {
        throw new Error("no");
      },
    });
    expect(describeError(circular)).toBe("(an error that cannot be shown)");
    expect(describeError(hostile)).toBe("(an error that cannot be shown)");
    const endless = new Error("e");
    endless.cause = endless;
    expect(describeError(endless).match(/caused by/g)?.length).toBe(5);
  });

  test("shows each error of an AggregateError, and the message where a stack lacks it", () => {
    const error = new AggregateError([new Error("one"), new Error("two")], "both");
    expect(describeError(error)).toMatch(/both[^]*one of them: Error: one[^]*one of them: Error: two/);
    const bare = new Error("message");
    bare.stack = "frame@file:1:1";
    expect(describeError(bare)).toBe("Error: message\nframe@file:1:1");
  });

  test("without colours, and once, where Deno colours the place of a module that is not found", () => {
    const error = new TypeError('Module not found "b.ts".\n    at \x1b[36mfile:///a.ts\x1b[0m:\x1b[33m1\x1b[0m');
    error.stack = `TypeError: ${error.message}\n    at load (file:///c.ts:1:1)`;
    expect(describeError(error)).toBe(
      'TypeError: Module not found "b.ts".\n    at file:///a.ts:1\n    at load (file:///c.ts:1:1)',
    );
  });

  test("where code could not be parsed, as Bun tells it", () => {
    const message = {
      name: "BuildMessage",
      message: "Unexpected {",
      position: { file: "/srv/a.ts", line: 2, column: 9 },
    };
    expect(describeError(message)).toBe("BuildMessage: Unexpected {\n    at /srv/a.ts:2:9");
    expect(describeError({ ...message, position: null })).toBe("BuildMessage: Unexpected {");
  });
});

test("times are local, with their offset", () => {
  process.env.TZ = "America/St_Johns";
  expect(timestamp(Date.UTC(2026, 0, 1))).toBe("2025-12-31 20:30:00 -0330");
  process.env.TZ = "Asia/Kathmandu";
  expect(clfTimestamp(Date.UTC(2026, 0, 1))).toBe("01/Jan/2026:05:45:00 +0545");
});
