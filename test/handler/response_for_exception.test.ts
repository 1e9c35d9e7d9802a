// The exception map of Django's response_for_exception: which status, which view, and what the log hears of it, once.

import { afterEach, describe, expect, test } from "vitest";
import { InputError } from "../../src/esgi/input.ts";
import type { ErrorView, Middleware, View } from "../../src/handler/base.ts";
import * as exceptions from "../../src/handler/exceptions.ts";
import { Handler } from "../../src/handler/handler.ts";
import { formatRecord, type LogRecord } from "../../src/handler/log.ts";
import { DeferredResponse, HttpResponse } from "../../src/handler/response.ts";
import type { HandlerSettings } from "../../src/handler/settings.ts";
import { gotRequestException } from "../../src/handler/signals.ts";
import { BadSignature, SignatureExpired } from "../../src/handler/signing.ts";
import { Client, type ClientResponse } from "../../src/handler/test/client.ts";
import { path } from "../../src/handler/urls/conf.ts";

const throwing = (error: unknown): View => () => {
  throw error;
};

interface Outcome {
  readonly response: ClientResponse;
  readonly records: readonly LogRecord[];
}

/** What a site answers whose view is `view`. */
async function answer(
  view: View,
  settings: HandlerSettings = {},
  handlers: Record<string, ErrorView> = {},
): Promise<Outcome> {
  const records: LogRecord[] = [];
  const handler = new Handler({
    ROOT_URLCONF: { patterns: [path("", view)], ...handlers },
    LOGGER: (record) => void records.push(record),
    ...settings,
  });
  const response = await new Client(handler, { raiseRequestException: false }).get("/");
  return { response, records };
}

const input = (fault: "disconnected" | "timeout" | "too-large" | "malformed"): InputError =>
  new InputError(fault, "broke off");

describe("the map", () => {
  test.each<[string, Error, number, string, "error" | "warning"]>([
    ["Http404", new exceptions.Http404("no poll"), 404, "tricorn.request", "warning"],
    ["PermissionDenied", new exceptions.PermissionDenied("no"), 403, "tricorn.request", "warning"],
    ["BadRequest", new exceptions.BadRequest("no"), 400, "tricorn.request", "warning"],
    ["BadSignature", new BadSignature("no"), 400, "tricorn.request", "warning"],
    ["SignatureExpired", new SignatureExpired("no"), 400, "tricorn.request", "warning"],
    ["MultiPartParserError", new exceptions.MultiPartParserError("no"), 400, "tricorn.request", "warning"],
    [
      "SuspiciousOperation",
      new exceptions.SuspiciousOperation("no"),
      400,
      "tricorn.security.SuspiciousOperation",
      "error",
    ],
    ["DisallowedHost", new exceptions.DisallowedHost("no"), 400, "tricorn.security.DisallowedHost", "error"],
    [
      "DisallowedRedirect",
      new exceptions.DisallowedRedirect("no"),
      400,
      "tricorn.security.DisallowedRedirect",
      "error",
    ],
    ["TooManyFieldsSent", new exceptions.TooManyFieldsSent("no"), 400, "tricorn.security.TooManyFieldsSent", "error"],
    ["TooManyFilesSent", new exceptions.TooManyFilesSent("no"), 400, "tricorn.security.TooManyFilesSent", "error"],
    ["RequestDataTooBig", new exceptions.RequestDataTooBig("no"), 413, "tricorn.security.RequestDataTooBig", "error"],
    ["UnreadablePostError", new exceptions.UnreadablePostError("no"), 400, "tricorn.request", "warning"],
    [
      "UnreadablePostError of a slow client",
      new exceptions.UnreadablePostError("no", { cause: input("timeout") }),
      408,
      "tricorn.request",
      "warning",
    ],
    ["InputError", input("too-large"), 413, "tricorn.request", "warning"],
    ["any other", new RangeError("mine"), 500, "tricorn.request", "error"],
    ["BadHeaderError", new exceptions.BadHeaderError("mine"), 500, "tricorn.request", "error"],
  ])("%s", async (_, error, status, logger, level) => {
    const { response, records } = await answer(throwing(error));
    expect(response.statusCode).toBe(status);
    expect(response.headers.get("Content-Type")).toBe("text/html; charset=utf-8");
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ logger, level, status });
    expect(records[0]!.request).toBe(response.request);
  });

  test("what is no Error can be thrown, too", async () => {
    for (const thrown of ["text", undefined, null]) {
      const { response, records } = await answer(throwing(thrown));
      expect(response.statusCode).toBe(500);
      expect(records).toHaveLength(1);
    }
  });

  test("a client that has left while the view worked for it", async () => {
    const hangUp = new AbortController();
    const records: LogRecord[] = [];
    const handler = new Handler({
      ROOT_URLCONF: [path("", (request) => {
        hangUp.abort();
        request.signal.throwIfAborted();
        return new HttpResponse("ok");
      })],
      LOGGER: (record) => void records.push(record),
    });
    await new Client(handler).get("/", undefined, { environ: { "esgi.signal": hangUp.signal } }).catch(() => {});
    expect(records).toMatchObject([{ level: "warning", status: 499 }]);
  });
});

describe("logging", () => {
  test("all from 400 on, once, to tricorn.request, whoever made the response", async () => {
    const { records } = await answer(() => new HttpResponse("", { status: 410 }), {
      MIDDLEWARE: [(getResponse) => (request) => getResponse(request), (getResponse) => getResponse],
    });
    expect(records).toMatchObject([{ logger: "tricorn.request", level: "warning", message: "Gone: /", status: 410 }]);
    expect((await answer(() => new HttpResponse("", { status: 503 }))).records).toMatchObject([{ level: "error" }]);
    expect((await answer(() => new HttpResponse("", { status: 302 }))).records).toEqual([]);
  });

  test("messages are Django's", async () => {
    const message = async (error: Error): Promise<string> => (await answer(throwing(error))).records[0]!.message;
    expect(await message(new exceptions.Http404("x"))).toBe("Not Found: /");
    expect(await message(new exceptions.PermissionDenied("x"))).toBe("Forbidden (Permission denied): /");
    expect(await message(new exceptions.BadRequest("no id"))).toBe("no id: /");
    expect(await message(new RangeError("x"))).toBe("Internal Server Error: /");
  });

  test("without LOGGER, esgi.errors is written to, the stack with a 500, and what a client sent makes no lines", async () => {
    const lines: string[] = [];
    const handler = new Handler({ ROOT_URLCONF: [path("", throwing(new RangeError("mine")))] });
    const client = new Client(handler, { raiseRequestException: false });
    const environ = { "esgi.errors": { write: (text: string) => void lines.push(text), flush: () => {} } };
    await client.get("/", undefined, { environ });
    await client.get("/a%0Ab%E2%80%A8", undefined, { environ });
    expect(lines[0]).toMatch(/^ERROR tricorn\.request: Internal Server Error: \/\n {2}RangeError: mine\n +at /);
    expect(lines[1]).toBe("WARNING tricorn.request: Not Found: /a\\nb\\u2028\n");
  });

  test("a server that knows levels has them from the record, and a line without", async () => {
    const lines: unknown[] = [];
    const handler = new Handler({ ROOT_URLCONF: [path("", throwing(new RangeError("mine")))] });
    const client = new Client(handler, { raiseRequestException: false });
    const environ = { "tricorn.log": (level: string, text: string) => void lines.push([level, text]) };
    await client.get("/", undefined, { environ });
    await client.get("/a%0Ab", undefined, { environ });
    expect(lines).toEqual([
      ["error", expect.stringMatching(/^tricorn\.request: Internal Server Error: \/\n {2}RangeError: mine\n +at /)],
      ["warning", "tricorn.request: Not Found: /a\\nb\n"],
    ]);
  });

  test("a cause has its stack, too", () => {
    const error = new Error("outer", { cause: new RangeError("inner") });
    const text = formatRecord({ logger: "l", level: "error", message: "m", status: 500, request: null, error });
    expect(text).toMatch(/^l: m\n {2}Error: outer\n[^]*\n {2}caused by: RangeError: inner\n/);
  });

  test("a message that a client had a part in makes no lines either", async () => {
    const lines: string[] = [];
    const handler = new Handler({
      ROOT_URLCONF: [path("", throwing(new exceptions.SuspiciousOperation("odd\nERROR fake: line")))],
    });
    const environ = { "esgi.errors": { write: (text: string) => void lines.push(text), flush: () => {} } };
    await new Client(handler).get("/", undefined, { environ });
    expect(lines).toEqual(["ERROR tricorn.security.SuspiciousOperation: odd\\nERROR fake: line: /\n"]);
  });

  test("a LOGGER that fails ends no request", async () => {
    const { response } = await answer(throwing(new exceptions.Http404()), {
      LOGGER: () => {
        throw new Error("disk full");
      },
    });
    expect(response.statusCode).toBe(404);
  });
});

describe("got_request_exception", () => {
  const undo: (() => void)[] = [];
  afterEach(() => {
    for (const one of undo.splice(0)) one();
  });

  test("is sent for what becomes a 500, with request and error, and for nothing else", async () => {
    const heard: unknown[] = [];
    const receiver = (_: unknown, { error }: { readonly error: unknown }): void => void heard.push(error);
    gotRequestException.connect(receiver);
    undo.push(() => gotRequestException.disconnect(receiver));
    const mine = new RangeError("mine");
    await answer(throwing(mine));
    await answer(throwing(new exceptions.Http404()));
    await answer(throwing(new exceptions.SuspiciousOperation()));
    expect(heard).toEqual([mine]);
  });

  test("a receiver that fails is logged, and the page is sent", async () => {
    const receiver = (): never => {
      throw new RangeError("receiver");
    };
    gotRequestException.connect(receiver);
    undo.push(() => gotRequestException.disconnect(receiver));
    const { response, records } = await answer(throwing(new TypeError("mine")));
    expect(response.statusCode).toBe(500);
    expect(records.map(({ message }) => message))
      .toEqual(["a receiver of gotRequestException failed", "Internal Server Error: /"]);
  });

  test("DEBUG_PROPAGATE_EXCEPTIONS re-raises, and it is sent once, however many layers there are", async () => {
    let heard = 0;
    const receiver = (): void => void heard++;
    gotRequestException.connect(receiver);
    undo.push(() => gotRequestException.disconnect(receiver));
    const layer: Middleware = (getResponse) => (request) => getResponse(request);
    await expect(answer(throwing(new RangeError("mine")), {
      DEBUG_PROPAGATE_EXCEPTIONS: true,
      MIDDLEWARE: [layer, layer],
    })).rejects.toThrow("mine");
    expect(heard).toBe(1);
  });

  test("DEBUG_PROPAGATE_EXCEPTIONS leaves the others alone", async () => {
    const settings = { DEBUG_PROPAGATE_EXCEPTIONS: true };
    expect((await answer(throwing(new exceptions.Http404()), settings)).response.statusCode).toBe(404);
  });
});

describe("handler400, handler403, handler404 and handler500 of the root URLconf", () => {
  const page = (status: number): ErrorView => (_, error) =>
    new HttpResponse(`own: ${(error as Error).message}`, { status });

  test.each<[number, Error]>([
    [400, new exceptions.BadRequest("why")],
    [400, new exceptions.DisallowedHost("why")],
    [400, new exceptions.MultiPartParserError("why")],
    [403, new exceptions.PermissionDenied("why")],
    [404, new exceptions.Http404("why")],
    [500, new RangeError("why")],
  ])("handler%i is called with the request and %s", async (status, error) => {
    const { response } = await answer(throwing(error), {}, { [`handler${status}`]: page(status) });
    expect([response.statusCode, response.text]).toEqual([status, "own: why"]);
  });

  test("they may be async, and may have a response to render", async () => {
    const { response } = await answer(throwing(new exceptions.Http404()), {}, {
      handler404: async () => await new DeferredResponse(() => "rendered", {}, { status: 404 }),
    });
    expect([response.statusCode, response.text]).toEqual([404, "rendered"]);
  });

  test("a handler's status stands", async () => {
    const { response } = await answer(throwing(new exceptions.Http404()), {}, { handler404: page(410) });
    expect(response.statusCode).toBe(410);
  });

  test("a failing handler falls to 500", async () => {
    const fails: ErrorView = () => {
      throw new RangeError("handler404");
    };
    const { response, records } = await answer(throwing(new exceptions.Http404()), {}, {
      handler404: fails,
      handler500: page(500),
    });
    expect([response.statusCode, response.text]).toEqual([500, "own: handler404"]);
    expect(records).toHaveLength(1);
  });

  test("a failing handler500 falls to the default page, and both errors are logged", async () => {
    const { response, records } = await answer(throwing(new RangeError("mine")), {}, {
      handler500: () => {
        throw new TypeError("handler500");
      },
    });
    expect([response.statusCode, response.text]).toEqual([500, expect.stringContaining("Server Error (500)")]);
    expect(records.map(({ error }) => (error as Error).message)).toEqual(["handler500", "mine"]);
  });

  test("one that returns nothing is one that fails", async () => {
    const { response } = await answer(throwing(new exceptions.Http404()), {}, {
      handler404: () => undefined as unknown as HttpResponse,
    });
    expect(response.statusCode).toBe(500);
  });
});

describe("what the client is told", () => {
  test("without DEBUG: nothing of what was thrown", async () => {
    for (const Class of [RangeError, exceptions.Http404, exceptions.PermissionDenied, exceptions.SuspiciousOperation]) {
      const { response } = await answer(throwing(new Class("secret")));
      expect(response.text).toContain("<!doctype html>");
      expect(response.text).not.toContain("secret");
    }
  });

  test("with DEBUG: what was thrown, with its stack, as plain text", async () => {
    const { response } = await answer(throwing(new RangeError("<b>mine</b>")), { DEBUG: true });
    expect(response.statusCode).toBe(500);
    expect(response.headers.get("Content-Type")).toBe("text/plain; charset=utf-8");
    expect(response.text).toMatch(/^RangeError: <b>mine<\/b>\n +at /);
  });

  test("with DEBUG: a 400 as well", async () => {
    const { response } = await answer(throwing(new exceptions.DisallowedHost("why")), { DEBUG: true });
    expect([response.statusCode, response.text]).toEqual([400, expect.stringMatching(/^DisallowedHost: why\n/)]);
  });

  test("with DEBUG: the view that threw Http404, or the patterns tried", async () => {
    const thrown = (await answer(throwing(new exceptions.Http404("no poll")), { DEBUG: true })).response.text;
    expect(thrown).toContain("has thrown Http404: no poll");
    const handler = new Handler({
      DEBUG: true,
      ROOT_URLCONF: [path("polls/", () => new HttpResponse(), { name: "polls" })],
      LOGGER: () => {},
    });
    const { text } = await new Client(handler).get("/poll/");
    expect(text).toContain("Page not found: /poll/");
    expect(text).toContain("   1. 'polls/' [name='polls']\n");
  });

  test("the page of the 413 says so", async () => {
    expect((await answer(throwing(new exceptions.RequestDataTooBig()))).response.text).toContain(
      "Content Too Large (413)",
    );
  });
});
