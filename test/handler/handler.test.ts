// WSGIHandler.__call__ as ESGI: each point of servers.md §7 is a test named after it. Every call goes through the validator.

import { afterEach, describe, expect, test } from "vitest";
import type { Body, Upgraded } from "../../src/esgi/body.ts";
import { call, type CallOptions, makeEnviron, type Reply, validator } from "../../src/esgi/testing.ts";
import type { View } from "../../src/handler/base.ts";
import { Http404 } from "../../src/handler/exceptions.ts";
import { FileResponse } from "../../src/handler/file_response.ts";
import { getApplication, Handler } from "../../src/handler/handler.ts";
import { type ESGIResponse, HttpResponse, StreamingHttpResponse } from "../../src/handler/response.ts";
import type { HandlerSettings } from "../../src/handler/settings.ts";
import { type Receiver, requestFinished, requestStarted, type Signal } from "../../src/handler/signals.ts";
import { path } from "../../src/handler/urls/conf.ts";

const site = (view: View, settings: HandlerSettings = {}): Handler =>
  new Handler({ ROOT_URLCONF: [path("", view), path("<path:rest>", view)], ...settings });

const ask = (handler: Handler, request: CallOptions | string = "/"): Promise<Reply> =>
  call(validator(handler.application), request);

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
});

function hear<Args extends object>(signal: Signal<Args>, receiver: Receiver<Args>): void {
  signal.connect(receiver);
  undo.push(() => signal.disconnect(receiver));
}

describe("the order of __call__", () => {
  test("request_started, request, get_response, start_response, close, request_finished", async () => {
    const notes: string[] = [];
    hear(requestStarted, () => notes.push("request_started"));
    hear(requestFinished, () => notes.push("request_finished"));
    const handler = site((request) => {
      notes.push("view");
      const response = new HttpResponse("ok");
      response.addCloser(() => notes.push("close"));
      const close = request.close.bind(request);
      request.close = () => {
        notes.push("request.close");
        return close();
      };
      return response;
    });
    const environ = makeEnviron("/");
    await call((environ, startResponse) =>
      handler.application(environ, (...head) => {
        notes.push("start_response");
        startResponse(...head);
      }), environ);
    expect(notes).toEqual([
      "request_started",
      "view",
      "start_response",
      "close",
      "request.close",
      "request_finished",
    ]);
  });

  test("an async receiver of request_started is waited for; the sender is the Handler, and is told the environ", async () => {
    const notes: unknown[] = [];
    const handler = site(() => {
      notes.push("view");
      return new HttpResponse("ok");
    });
    hear(requestStarted, async (sender, { environ }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      notes.push(sender === handler, environ.PATH_INFO);
    });
    await ask(handler);
    expect(notes).toEqual([true, "/", "view"]);
  });

  test('status "%d %s", headers, one Set-Cookie for each cookie', async () => {
    const reply = await ask(site(() => {
      const response = new HttpResponse("made", { status: 201, headers: { "X-A": "1" } });
      response.setCookie("a", "1");
      response.setCookie("b", "2", { httponly: true });
      return response;
    }));
    expect([reply.status, reply.reason, reply.header("X-A")]).toEqual([201, "Created", "1"]);
    expect(reply.headerValues("Set-Cookie")).toEqual(["a=1; Path=/", "b=2; HttpOnly; Path=/"]);
    expect(reply.text()).toBe("made");
  });

  test("a reason phrase of the view's own", async () => {
    expect((await ask(site(() => new HttpResponse("", { status: 404, reason: "Gone fishing" })))).reason)
      .toBe("Gone fishing");
  });

  test("a promise is answered with a promise, what is sync is answered at once", () => {
    const body = site(() => new HttpResponse("ok")).application(makeEnviron(), () => {});
    expect(body).toBe("ok");
    const later = site(async () => await new HttpResponse("ok")).application(makeEnviron(), () => {});
    expect(later).toBeInstanceOf(Promise);
    return later;
  });
});

describe("get_script_name", () => {
  const where: View = (request) =>
    new HttpResponse(`${request.environ.SCRIPT_NAME} ${request.pathInfo} ${request.path}`);

  test("SCRIPT_NAME, where the application is mounted", async () => {
    expect((await ask(site(where), { path: "/app/x", scriptName: "/app" })).text()).toBe("/app /x /app/x");
  });

  test("FORCE_SCRIPT_NAME wins", async () => {
    expect((await ask(site(where, { FORCE_SCRIPT_NAME: "/else/" }), { path: "/app/x", scriptName: "/app" })).text())
      .toBe("/else /x /else/x");
  });

  test("an empty PATH_INFO is /", async () => {
    expect((await ask(site(where), { target: "/app", scriptName: "/app" })).text()).toBe("/app / /app/");
  });

  test("PATH_INFO is UTF-8", async () => {
    const handler = new Handler({ ROOT_URLCONF: [path("café/", where)] });
    expect((await ask(handler, "/caf%C3%A9/")).text()).toBe(" /café/ /café/");
  });
});

describe("the end of a request: close and request_finished, once, whatever happens", () => {
  /** A handler, and how often its response was closed and its request finished. */
  function counted(
    view: (response: (make: () => HttpResponse) => HttpResponse) => HttpResponse | Promise<HttpResponse>,
  ): {
    handler: Handler;
    counts: { closed: number; finished: number };
  } {
    const counts = { closed: 0, finished: 0 };
    hear(requestFinished, () => counts.finished++);
    const handler = site(() =>
      view((make) => {
        const response = make();
        response.addCloser(() => counts.closed++);
        return response;
      })
    );
    return { handler, counts };
  }

  async function* chunks(): AsyncGenerator<string> {
    for (let i = 0; i < 5; i++) {
      await Promise.resolve();
      yield `${i}`;
    }
  }

  test("a whole response; its length is told, though it is closed after it was sent", async () => {
    const { handler, counts } = counted((response) => response(() => new HttpResponse("höhe")));
    const reply = await ask(handler);
    expect(counts).toEqual({ closed: 1, finished: 1 });
    expect([reply.text(), reply.header("Content-Length")]).toEqual(["höhe", "5"]);
  });

  test("request_finished comes after the body was sent", async () => {
    let sent = false;
    let order: boolean | null = null;
    hear(requestFinished, () => order = sent);
    const body = await site(() => new HttpResponse("ok")).application(makeEnviron(), () => {}) as Iterable<string> & {
      close(): unknown;
    };
    for (const chunk of body) sent = chunk === "ok";
    await body.close();
    expect(order).toBe(true);
  });

  test("an empty one, and one that has no content", async () => {
    for (const status of [200, 204, 304]) {
      const { handler, counts } = counted((response) => response(() => new HttpResponse("", { status })));
      expect((await ask(handler)).text()).toBe("");
      expect(counts).toEqual({ closed: 1, finished: 1 });
    }
  });

  test("a streaming one", async () => {
    const { handler, counts } = counted((response) => response(() => new StreamingHttpResponse(chunks())));
    expect((await ask(handler)).text()).toBe("01234");
    expect(counts).toEqual({ closed: 1, finished: 1 });
  });

  test.each([0, 2])("the client leaves after %i chunks", async (disconnectAfter) => {
    const { handler, counts } = counted((response) => response(() => new StreamingHttpResponse(chunks())));
    const reply = await ask(handler, { disconnectAfter });
    expect(reply.aborted).toBe(true);
    expect(counts).toEqual({ closed: 1, finished: 1 });
  });

  test("a stream that throws", async () => {
    const { handler, counts } = counted((response) =>
      response(() =>
        // deno-lint-ignore require-yield
        new StreamingHttpResponse(async function* (): AsyncGenerator<string> {
          await Promise.reject(new RangeError("broken"));
        }())
      )
    );
    await expect(ask(handler)).rejects.toThrow("broken");
    expect(counts).toEqual({ closed: 1, finished: 1 });
  });

  test("HEAD: nothing is sent, all is closed", async () => {
    const { handler, counts } = counted((response) => response(() => new StreamingHttpResponse(chunks())));
    expect((await ask(handler, { method: "HEAD" })).text()).toBe("");
    expect(counts).toEqual({ closed: 1, finished: 1 });
  });

  test("a head that the server refuses", async () => {
    const { handler, counts } = counted((response) => response(() => new HttpResponse("", { status: 99 })));
    await expect(ask(handler)).rejects.toThrow(/99/);
    expect(counts).toEqual({ closed: 1, finished: 1 });
  });

  test("an exception that is let through (DEBUG_PROPAGATE_EXCEPTIONS), sync or async", async () => {
    for (
      const view of [() => {
        throw new RangeError("mine");
      }, () => Promise.reject(new RangeError("mine"))]
    ) {
      let finished = 0;
      hear(requestFinished, () => finished++);
      await expect(ask(site(view as View, { DEBUG_PROPAGATE_EXCEPTIONS: true }))).rejects.toThrow("mine");
      expect(finished).toBe(1);
    }
  });

  test("an error page", async () => {
    let finished = 0;
    hear(requestFinished, () => finished++);
    const reply = await ask(site(() => {
      throw new Http404();
    }));
    expect([reply.status, finished]).toEqual([404, 1]);
  });

  test("without a receiver the response is closed all the same, and its body is whole", async () => {
    let closed = 0;
    const handler = site(() => {
      const response = new HttpResponse("ok");
      response.addCloser(() => closed++);
      return response;
    });
    expect(await handler.application(makeEnviron(), () => {})).toBe("ok");
    expect(closed).toBe(1);
  });

  test("errors of closers are swallowed, those of receivers are logged", async () => {
    hear(requestFinished, () => {
      throw new RangeError("receiver");
    });
    const handler = site(() => {
      const response = new HttpResponse("ok");
      response.addCloser(() => {
        throw new RangeError("closer");
      });
      return response;
    });
    const reply = await call(handler.application);
    expect(reply.text()).toBe("ok");
    expect(reply.errors).toMatch(
      /^ERROR tricorn\.request: a receiver of requestFinished failed\n {2}RangeError: receiver\n/,
    );
  });

  test("an upgraded connection is closed when it is over", async () => {
    class Switching extends HttpResponse {
      override toESGI(): ESGIResponse {
        const body: Upgraded = async (socket) => await socket.write("hello");
        return { status: "101 Switching Protocols", headers: [["Upgrade", "echo"]], body };
      }
    }
    const { handler, counts } = counted((response) => response(() => new Switching("", { status: 101 })));
    const reply = await ask(handler, { upgrade: ["echo"] });
    expect(await reply.socket!.text()).toBe("hello");
    await reply.upgraded;
    expect(counts).toEqual({ closed: 1, finished: 1 });
  });

  test("and when its client has left before it began", async () => {
    const { handler, counts } = counted((response) =>
      response(() => {
        class Switching extends HttpResponse {
          override toESGI(): ESGIResponse {
            return { status: "101 Switching Protocols", headers: [["Upgrade", "echo"]], body: () => {} };
          }
        }
        return new Switching("", { status: 101 });
      })
    );
    const client = new AbortController();
    const environ = makeEnviron({ upgrade: ["echo"], signal: client.signal });
    // A server whose client is gone calls nothing.
    expect(await handler.application(environ, () => {})).toBeTypeOf("function");
    expect(counts).toEqual({ closed: 0, finished: 0 });
    client.abort();
    await Promise.resolve();
    expect(counts.closed).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(counts).toEqual({ closed: 1, finished: 1 });
  });
});

describe("file_wrapper", () => {
  const bytes = new TextEncoder().encode("a file");

  test("a file goes through wsgi.file_wrapper, and close() of what it gives closes the response", async () => {
    let finished = 0;
    hear(requestFinished, () => finished++);
    const environ = makeEnviron();
    let wrapped: unknown = null;
    const wrap = environ["esgi.file_wrapper"]!;
    environ["esgi.file_wrapper"] = (...args) => wrapped = wrap(...args) as never;
    let body: Body = null;
    const handler = site(() => new FileResponse(bytes, { filename: "a.txt" }));
    const reply = await call(async (environ, startResponse) => {
      body = await handler.application(environ, startResponse);
      return body;
    }, environ);
    expect(reply.text()).toBe("a file");
    expect(wrapped).not.toBe(null);
    expect(body).toBe(wrapped);
    expect(finished).toBe(1);
  });

  test("where the server has none, the file is read", async () => {
    const environ = makeEnviron();
    delete environ["esgi.file_wrapper"];
    const handler = site(() => new FileResponse(bytes, { filename: "a.txt" }));
    const reply = await call(validator(handler.application), environ);
    expect(reply.text()).toBe("a file");
  });
});

test("getApplication loads a settings module, as wsgi.py does", async () => {
  const settings: HandlerSettings = { ROOT_URLCONF: [path("", () => new HttpResponse("ok"))] };
  const application = await getApplication(() => Promise.resolve({ settings }));
  expect((await call(application)).text()).toBe("ok");
});
