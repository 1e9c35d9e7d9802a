// Bodies that are followed, their errors that become pages, and requests one at a time.

import { describe, expect, test } from "vitest";
import { DevPages } from "../../src/dev/debug_pages.ts";
import { oneAtATime } from "../../src/dev/one_at_a_time.ts";
import { watchBody } from "../../src/dev/watched_body.ts";
import type { Application } from "../../src/esgi/application.ts";
import { type Body, FileWrapper } from "../../src/esgi/body.ts";
import { call, makeEnviron } from "../../src/esgi/testing.ts";

const text = async (application: Application): Promise<string> => await (await call(application, makeEnviron())).text();

describe("watchBody", () => {
  const kinds: [string, () => Body][] = [
    ["null", () => null],
    ["a string", () => "ab"],
    ["bytes", () => new TextEncoder().encode("ab")],
    ["an array", () => ["a", "b"]],
    ["a generator", function* () {
      yield "a";
      yield "b";
    }],
    ["an async generator", async function* () {
      yield "a";
      yield "b";
    }],
    ["a stream", () => new Blob(["ab"]).stream() as ReadableStream<Uint8Array>],
    ["a file", () => new FileWrapper(new Blob(["ab"]).stream() as ReadableStream<Uint8Array>)],
  ];
  test.each(kinds)("%s passes as it is, and its end is told once", async (kind, make) => {
    let ends = 0;
    const application: Application = (_, startResponse) => {
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      return watchBody(make(), { ended: () => void ends++ });
    };
    expect(await text(application)).toBe(kind === "null" ? "" : "ab");
    expect(ends).toBe(1);
  });

  test("the inner body's close() is called, when it is closed before its end", async () => {
    const closed: string[] = [];
    const inner = {
      close: () => void closed.push("inner"),
      *[Symbol.iterator]() {
        yield "a";
        yield "b";
      },
    };
    const body = watchBody(inner, { ended: () => void closed.push("ended") }) as AsyncIterable<string> & {
      close(): Promise<void>;
    };
    expect(await body[Symbol.asyncIterator]().next()).toEqual({ done: false, value: "a" });
    await body.close();
    expect(closed).toEqual(["inner", "ended"]);
  });
});

describe("DevPages.wrap", () => {
  const pages = (application: Application): Application =>
    new DevPages({ root: "/", editor: "x:{file}", versions: [], readSource: () => null, file: null })
      .wrap(application, () => {});
  const fail = (): never => {
    throw new Error("oh");
  };
  const ways: [string, Application][] = [
    ["throws", fail],
    ["rejects", async () => await Promise.reject(new Error("oh"))],
    ["throws after startResponse", (_, startResponse) => {
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      return fail();
    }],
    ["has a generator that throws first", function* (_, startResponse) {
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      yield "";
      fail();
    }],
    ["has an async generator that throws first", async function* () {
      yield* [] as string[];
      fail();
    }],
  ];
  test.each(ways)("an application that %s is answered for", async (_, application) => {
    const reply = await call(pages(application), makeEnviron());
    expect(reply.status).toBe(500);
    expect(await reply.text()).toContain("Error: oh");
  });

  test("what fails after its first chunk fails for the server, as without", async () => {
    const application = pages(function* (_, startResponse) {
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      yield "a";
      fail();
    });
    await expect(text(application)).rejects.toThrow("oh");
  });

  test("a client that has left is no error", async () => {
    const controller = new AbortController();
    const environ = makeEnviron();
    environ["esgi.signal"] = controller.signal;
    controller.abort();
    const application = pages((environ) => {
      environ["esgi.signal"].throwIfAborted();
      return "";
    });
    expect(() => application(environ, () => {})).toThrow(controller.signal.reason as Error);
  });
});

describe("oneAtATime", () => {
  test("a request waits until the body before it has ended, whatever its end is", async () => {
    let running = 0;
    let most = 0;
    const application = oneAtATime(async function* (environ, startResponse) {
      most = Math.max(most, ++running);
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield "a";
      running--;
      if (environ.QUERY_STRING === "bad") throw new Error("oh");
      yield "b";
    });
    const failing: Application = oneAtATime(() => {
      throw new Error("at once");
    });
    const queries = ["", "bad", "", ""];
    const results = await Promise.allSettled(
      queries.map(async (query) => await (await call(application, makeEnviron(`/?${query}`))).text()),
    );
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(most).toBe(1);
    await expect(text(failing)).rejects.toThrow("at once");
    await expect(text(failing)).rejects.toThrow("at once");
  });
});
