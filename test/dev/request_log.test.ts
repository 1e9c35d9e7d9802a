import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { logRequests } from "../../src/dev/request_log.ts";
import { makeEnviron } from "../../src/esgi/testing.ts";
import { EventBus, type Events } from "../../src/observe/events.ts";
import { serve, settle, useClock } from "../server/harness.ts";

const NOON = new Date(2026, 10, 22, 12, 0, 0).getTime();

/** A log, and what is in it. */
function log(colour = false, events = new EventBus()) {
  const written: string[] = [];
  const end = logRequests(events, { write: (text) => written.push(text) }, {
    colour,
    url: "http://127.0.0.1:8000",
    now: () => NOON,
  });
  return { events, end, text: () => written.join(""), written };
}

function request(event: Partial<Events["request"]> = {}, path = "/"): Events["request"] {
  const environ = makeEnviron(path);
  return { environ, status: 200, responseHeaders: [], bytes: 0, duration: 1, aborted: false, ...event };
}

describe("a line for each request", () => {
  test("has its columns below each other", () => {
    const { events, text } = log();
    events.emit("request", request({ bytes: 1234, duration: 3.44 }, "/a?b=c"));
    events.emit(
      "request",
      request({ environ: makeEnviron({ method: "DELETE" }), status: 404, bytes: 9, duration: 123.4 }),
    );
    events.emit("request", request({ status: 304, duration: 12_300 }));
    expect(text()).toBe(
      "12:00:00 GET    200  3.4 ms  1.2 kB  /a?b=c\n" +
        "12:00:00 DELETE 404  123 ms     9 B  /\n" +
        "12:00:00 GET    304  12.3 s     0 B  /\n",
    );
  });

  test.each<[number, number, string, string]>([
    [0.04, 0, " 0.0 ms", "    0 B"],
    [9.94, 999, " 9.9 ms", "  999 B"],
    [9.96, 1000, "  10 ms", " 1.0 kB"],
    [999.4, 999_499, " 999 ms", " 999 kB"],
    [999.6, 999_500, "  1.0 s", " 1.0 MB"],
    [99_940, 12_345_678, " 99.9 s", "  12 MB"],
    [99_960, 9_960_000_000, "  2 min", "  10 GB"],
  ])("%d ms and %d bytes", (duration, bytes, time, size) => {
    const { events, text } = log();
    events.emit("request", request({ duration, bytes }));
    expect(text()).toBe(`12:00:00 GET    200 ${time} ${size}  /\n`);
  });

  test.each<[number, string]>([[200, "32"], [302, "36"], [304, "36"], [404, "33"], [500, "1;31"], [503, "1;31"]])(
    "%d has its class' colour",
    (status, colour) => {
      const { events, text } = log(true);
      events.emit("request", request({ status }));
      expect(text()).toContain(`\x1b[${colour}m${status}\x1b[0m`);
      expect(text().replace(/\x1b\[[\d;]*m/g, "")).toBe(`12:00:00 GET    ${status}  1.0 ms     0 B  /\n`);
    },
  );

  test("says that its client has left, also before there was a status", () => {
    const { events, text } = log();
    events.emit("request", request({ aborted: true, bytes: 10 }));
    events.emit("request", request({ aborted: true, status: 0 }));
    expect(text()).toBe(
      "12:00:00 GET    200  1.0 ms    10 B  /  client left\n12:00:00 GET    ---  1.0 ms     0 B  /  client left\n",
    );
  });

  test("shows nothing of what a client sends as it is where that would be more than text", () => {
    const { events, text } = log();
    const environ = { ...makeEnviron(), REQUEST_METHOD: "G\x1b[31m", "esgi.target": `/\x1b[2J\r\n${"a".repeat(2000)}` };
    events.emit("request", request({ environ }));
    expect(text()).toBe(`12:00:00 G\\x1b[31m 200  1.0 ms     0 B  /\\x1b[2J\\r\\n${"a".repeat(993)}…\n`);
  });

  test("is not there for the development server's own", () => {
    const { events, written } = log();
    events.emit("request", request({}, "/__tricorn__/events"));
    expect(written).toEqual([]);
  });

  test("is not written any more when the log has ended, and harms nobody when it cannot be", () => {
    const { events, end, written } = log();
    end();
    events.emit("request", request());
    expect(written).toEqual([]);
    const faults: unknown[] = [];
    events.on("fault", (fault) => faults.push(fault));
    logRequests(events, {
      write: () => {
        throw new Error("full");
      },
    }, { colour: false, url: "" });
    events.emit("request", request());
    expect(faults).toEqual([]);
  });
});

describe("what goes wrong", () => {
  useClock();
  beforeEach(() => vi.setSystemTime(NOON));
  afterEach(() => vi.useRealTimers());

  async function ask(application: Parameters<typeof serve>[0], input = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n") {
    const served = await serve(application);
    const { text } = log(false, served.events);
    served.pass(0);
    const client = served.runtime.connect();
    void client.send(input);
    await settle();
    return { ...served, client, text };
  }

  test("stands beneath its request's line, once, with its stack", async () => {
    const { text, pass } = await ask(() => {
      throw new Error("mine\nand more");
    });
    pass(1);
    const lines = text().split("\n");
    expect(lines[0]).toBe("12:00:00 GET    500  0.0 ms    26 B  /x");
    expect(lines[1]).toBe("  the application failed");
    expect(lines[2]).toBe("  Error: mine");
    expect(lines[3]).toBe("  and more");
    expect(lines[4]).toContain("request_log.test.ts");
    expect(text().match(/mine/g)).toHaveLength(1);
  });

  test("with a response that has begun, says that it is broken off", async () => {
    const { text } = await ask((_environ, startResponse) => {
      startResponse("200 OK", []);
      return (function* () {
        yield "a";
        throw new Error("late");
      })();
    });
    expect(text()).toMatch(
      /^12:00:00 GET {4}200 .* 1 B {2}\/x {2}broken off\n {2}the application failed\n {2}Error: late/,
    );
  });

  test("with a request that goes on, or is over, has a line of its own", async () => {
    const { text, events, pass } = await ask((_environ, startResponse) => {
      startResponse("200 OK", []);
      return Object.assign(["a"].values(), {
        close: async () => {
          throw new Error("closing");
        },
      });
    });
    pass(1);
    expect(text()).toMatch(
      /^12:00:00 GET {4}200 .*\/x\n12:00:00 GET \/x\n {2}closing the body failed\n {2}Error: closing/,
    );
    events.emit("fault", { error: new Error("nobody's"), message: "uncaught", environ: null });
    expect(text()).toMatch(/\n12:00:00 uncaught\n {2}Error: nobody's/);
  });

  test("with a rule of ESGI, has no stack", async () => {
    const { text } = await ask((_environ, startResponse) => {
      startResponse("200 OK", [["Content-Length", "1"]]);
      return "ab";
    });
    expect(text()).toMatch(/\/x\n {2}the application broke a rule of ESGI: the body has 2 bytes, .*\n$/);
  });

  test.each<[string, string, RegExp]>([
    [
      "HTTPS",
      "\x16\x03\x01",
      /^12:00:00 {8}400 {18}You are speaking HTTPS .* http:\/\/127\.0\.0\.1:8000, or .*--https\n$/,
    ],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /^12:00:00 {8}505 .*HTTP\/2.*--http1\.1\n$/],
    ["what is nothing", "\x02\x1b[31m", /^12:00:00 {8}400 {18}refused: malformed request line .*\n$/],
  ])("%s instead of a request is explained", async (_, input, expected) => {
    expect((await ask(() => null, input)).text()).toMatch(expected);
  });

  test("a client that leaves within its response is told from one that got it whole", async () => {
    const { text, client, pass } = await ask((_environ, startResponse) => {
      startResponse("200 OK", []);
      return (async function* () {
        yield "a";
        await new Promise(() => {});
      })();
    });
    expect(text()).toBe("");
    client.reset();
    await settle();
    pass(1);
    expect(text()).toMatch(/^12:00:00 GET {4}200 .* 1 B {2}\/x {2}client left\n$/);
  });

  test("notices are shown from warnings on", () => {
    const { events, text } = log();
    events.emit("notice", { level: "info", message: "Booting worker" });
    events.emit("notice", { level: "warning", message: "careful\nplease" });
    events.emit("notice", { level: "error", message: "ERROR tricorn.request: /\x1b" });
    expect(text()).toBe("12:00:00 careful\n  please\n12:00:00 ERROR tricorn.request: /\\x1b\n");
  });
});
