import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { resolveSettings } from "../../src/config/settings.ts";
import type { Environ } from "../../src/esgi/environ.ts";
import { attachAccessLog, compileAccessLog, FormatError } from "../../src/observe/access_log.ts";
import { BatchedSink } from "../../src/observe/batch.ts";
import { EventBus, type Events } from "../../src/observe/events.ts";

const NOW = Date.UTC(2026, 10, 22, 12);

function event(environ: Partial<Environ> = {}, more: Partial<Events["request"]> = {}): Events["request"] {
  return {
    environ: {
      REQUEST_METHOD: "GET",
      PATH_INFO: "/a b",
      QUERY_STRING: "x=1",
      SERVER_PROTOCOL: "HTTP/1.1",
      REMOTE_ADDR: "192.0.2.1",
      HTTP_HOST: "example.org",
      HTTP_REFERER: "http://from/",
      HTTP_USER_AGENT: "curl/8",
      HTTP_AUTHORIZATION: `Basic ${btoa("joe:secret")}`,
      "esgi.target": "/a%20b?x=1",
      "esgi.url_scheme": "http",
      "esgi.headers": [["Host", "example.org"], ["X-One", "1"], ["x-one", "2"]],
      ...environ,
    } as unknown as Environ,
    status: 200,
    responseHeaders: [["Content-Type", "text/plain"]],
    bytes: 13,
    duration: 1234.5678,
    aborted: false,
    ...more,
  };
}

const line = (format: string, ...args: Parameters<typeof event>): string =>
  compileAccessLog(format, 7, () => NOW)(event(...args)).replace(/\n$/, "");

beforeEach(() => void (process.env.TZ = "UTC"));

describe("compileAccessLog", () => {
  test("the default format is Gunicorn's", () => {
    expect(line(resolveSettings({}).access_log_format)).toBe(
      '192.0.2.1 - joe [22/Nov/2026:12:00:00 +0000] "GET /a%20b?x=1 HTTP/1.1" 200 13 "http://from/" "curl/8"',
    );
  });

  test.each([
    ["h", "192.0.2.1"],
    ["l", "-"],
    ["u", "joe"],
    ["t", "[22/Nov/2026:12:00:00 +0000]"],
    ["r", "GET /a%20b?x=1 HTTP/1.1"],
    ["m", "GET"],
    ["U", "/a b"],
    ["q", "x=1"],
    ["H", "HTTP/1.1"],
    ["s", "200"],
    ["B", "13"],
    ["b", "13"],
    ["f", "http://from/"],
    ["a", "curl/8"],
    ["T", "1"],
    ["M", "1234"],
    ["D", "1234567"],
    ["L", "1.234568"],
    ["p", "<7>"],
    ["{x-ONE}i", "1, 2"],
    ["{host}i", "example.org"],
    ["{content-type}o", "text/plain"],
    ["{REQUEST_METHOD}e", "GET"],
    ["{esgi.url_scheme}e", "http"],
  ])("%%(%s)s", (atom, value) => expect(line(`<%(${atom})s>`)).toBe(`<${value}>`));

  test.each(["{absent}i", "{absent}o", "{absent}e", "{esgi.headers}e", "f", "a", "u", "q", "h"])(
    "what is missing is -: %%(%s)s",
    (atom) => {
      const nothing = {
        HTTP_REFERER: undefined,
        HTTP_USER_AGENT: undefined,
        HTTP_AUTHORIZATION: undefined,
        QUERY_STRING: "",
        REMOTE_ADDR: "",
      } as unknown as Partial<Environ>;
      expect(line(`%(${atom})s`, nothing)).toBe("-");
    },
  );

  test("%(b)s is - without a body, %(B)s is 0", () => expect(line("%(b)s %(B)s", {}, { bytes: 0 })).toBe("- 0"));

  test.each(["Bearer x", "Basic", "Basic !", `Basic ${btoa("nocolon")}`, "Basic a"])("%j has no user", (value) => {
    expect(line("%(u)s", { HTTP_AUTHORIZATION: value })).toBe("-");
  });

  test("%% is a percent sign, other text stays", () => expect(line("100%% %(s)s é%%")).toBe("100% 200 é%"));

  test("escapes quotes, backslashes and controls", () => {
    expect(line('"%(a)s"', { HTTP_USER_AGENT: 'a"b\\c\n\x1b\u009b\u2028' })).toBe('"a\\"b\\\\c\\n\\x1b\\x9b\\u2028"');
  });

  test.each([
    ["%(z)s", "there is no atom"],
    ["%h", '"%h" is no atom; write %(h)s'],
    ["%(h)d", '"%(h)d" is no atom'],
    ["%(h)10s", "is no atom"],
    ["100%", '"%" is no atom'],
    ["%({x}z)s", "there is no atom"],
    ["%({}i)s", "there is no atom"],
  ])("refuses %j", (format, message) => {
    expect(() => compileAccessLog(format, 7)).toThrow(FormatError);
    expect(() => compileAccessLog(format, 7)).toThrow(message);
  });

  test("json is an object on one line", () => {
    const text = line("json", { HTTP_USER_AGENT: 'a"\n\u2028\x7f' }, { aborted: true });
    expect(text).not.toMatch(/[\n\u2028\x7f]/);
    expect(JSON.parse(text)).toEqual({
      time: "2026-11-22T12:00:00.000Z",
      pid: 7,
      remote_addr: "192.0.2.1",
      user: "joe",
      scheme: "http",
      host: "example.org",
      method: "GET",
      target: "/a%20b?x=1",
      protocol: "HTTP/1.1",
      status: 200,
      bytes: 13,
      duration_ms: 1234.568,
      aborted: true,
      referer: "http://from/",
      user_agent: 'a"\n\u2028\x7f',
    });
  });

  test("attachAccessLog writes each request until it is ended", () => {
    const events = new EventBus();
    let text = "";
    const end = attachAccessLog(events, { write: (part) => void (text += part) }, compileAccessLog("%(s)s", 7));
    events.emit("request", event());
    end();
    events.emit("request", event());
    expect(text).toBe("200\n");
  });
});

describe("BatchedSink", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("passes on each 100 ms, at its size, and when flushed", () => {
    const written: string[] = [];
    const sink = new BatchedSink({ write: (text) => void written.push(text) }, () => {}, 10);
    sink.write("a\n");
    sink.write("b\n");
    expect(written).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(written).toEqual(["a\nb\n"]);
    sink.write("0123456789\n");
    expect(written).toEqual(["a\nb\n", "0123456789\n"]);
    sink.write("c\n");
    sink.flush();
    sink.flush();
    expect(written.at(-1)).toBe("c\n");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("tells once that its sink fails, and again after it has worked", () => {
    let broken = true;
    const told: unknown[] = [];
    const sink = new BatchedSink(
      {
        write: () => {
          if (broken) throw new Error("ENOSPC");
        },
      },
      (error) => void told.push(error),
      1,
    );
    sink.write("a\n");
    sink.write("b\n");
    expect(told.length).toBe(1);
    broken = false;
    sink.write("c\n");
    broken = true;
    sink.write("d\n");
    expect(told.length).toBe(2);
  });
});
