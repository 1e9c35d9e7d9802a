// The way of a request through middleware to the view and back, as Django's load_middleware and _get_response have it. Each
// point of servers.md §7 is a test named after it.

import { describe, expect, test } from "vitest";
import {
  BaseHandler,
  type GetResponse,
  type Middleware,
  type MiddlewareMethods,
  type View,
} from "../../src/handler/base.ts";
import { Http404, ImproperlyConfigured, MiddlewareNotUsed } from "../../src/handler/exceptions.ts";
import type { LogRecord } from "../../src/handler/log.ts";
import type { HttpRequest } from "../../src/handler/request.ts";
import { DeferredResponse, HttpResponse } from "../../src/handler/response.ts";
import type { HandlerSettings } from "../../src/handler/settings.ts";
import { RequestFactory } from "../../src/handler/test/client.ts";
import { path } from "../../src/handler/urls/conf.ts";

const ok: View = () => new HttpResponse("ok");

/** Answers one request for "/", which `view` serves; what the log says goes to `records`. */
async function get(
  view: View,
  MIDDLEWARE: readonly Middleware[] = [],
  settings: HandlerSettings = {},
  records: LogRecord[] = [],
): Promise<HttpResponse> {
  const handler = new BaseHandler({
    ROOT_URLCONF: [path("", view)],
    MIDDLEWARE,
    LOGGER: (record) => void records.push(record),
    ...settings,
  });
  return await handler.getResponse(new RequestFactory(handler.settings).get("/"));
}

/** A middleware of each style that notes when it is passed, sync or async. */
const STYLES: Readonly<Record<string, (name: string, notes: string[]) => Middleware>> = {
  "a function": (name, notes) => (getResponse) => (request) => {
    notes.push(`${name} in`);
    const response = getResponse(request) as HttpResponse | Promise<HttpResponse>;
    const out = (response: HttpResponse): HttpResponse => {
      notes.push(`${name} out`);
      return response;
    };
    return response instanceof Promise ? response.then(out) : out(response);
  },
  "an async function": (name, notes) => (getResponse) => async (request) => {
    notes.push(`${name} in`);
    const response = await getResponse(request);
    notes.push(`${name} out`);
    return response;
  },
  "a class": (name, notes) =>
    class {
      processRequest(): void {
        notes.push(`${name} in`);
      }
      processResponse(_request: HttpRequest, response: HttpResponse): HttpResponse {
        notes.push(`${name} out`);
        return response;
      }
    },
  "an async class": (name, notes) =>
    class {
      async processRequest(): Promise<void> {
        await Promise.resolve();
        notes.push(`${name} in`);
      }
      async processResponse(_request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
        await Promise.resolve();
        notes.push(`${name} out`);
        return response;
      }
    },
};

describe("load_middleware", () => {
  test("is done once, over reversed(MIDDLEWARE)", async () => {
    const loaded: string[] = [];
    const named = (name: string): Middleware => (getResponse) => {
      loaded.push(name);
      return getResponse;
    };
    const handler = new BaseHandler({ ROOT_URLCONF: [path("", ok)], MIDDLEWARE: [named("outer"), named("inner")] });
    const factory = new RequestFactory(handler.settings);
    await handler.getResponse(factory.get("/"));
    await handler.getResponse(factory.get("/"));
    expect(loaded).toEqual(["inner", "outer"]);
  });

  test("the first of MIDDLEWARE is the outermost, in all styles, mixed", async () => {
    const notes: string[] = [];
    const MIDDLEWARE = Object.entries(STYLES).map(([name, make]) => make(name, notes));
    const response = await get(() => {
      notes.push("view");
      return new HttpResponse("ok");
    }, MIDDLEWARE);
    expect(response.text).toBe("ok");
    const names = Object.keys(STYLES);
    expect(notes).toEqual([
      ...names.map((name) => `${name} in`),
      "view",
      ...names.toReversed().map((name) => `${name} out`),
    ]);
  });

  test("what is sync stays sync: no promise for a site without one", () => {
    const notes: string[] = [];
    const handler = new BaseHandler({
      ROOT_URLCONF: [path("", ok)],
      MIDDLEWARE: [STYLES["a function"]!("f", notes), STYLES["a class"]!("c", notes)],
    });
    expect(handler.getResponse(new RequestFactory(handler.settings).get("/"))).toBeInstanceOf(HttpResponse);
  });

  test("middleware is given the settings", async () => {
    let debug: boolean | null = null;
    await get(ok, [(getResponse, settings) => {
      debug = settings.DEBUG;
      return getResponse;
    }], { DEBUG: true });
    expect(debug).toBe(true);
  });

  test("MiddlewareNotUsed skips", async () => {
    const notUsed: Middleware = () => {
      throw new MiddlewareNotUsed();
    };
    class NotUsed implements MiddlewareMethods {
      constructor() {
        throw new MiddlewareNotUsed();
      }
    }
    expect((await get(ok, [notUsed, NotUsed])).text).toBe("ok");
  });

  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a Promise", Promise.resolve()],
    ["an object", { process_request: () => null }],
  ])("None is ImproperlyConfigured, and names the middleware; so is %s", (shown, made) => {
    function forgetful(): never {
      return made as never;
    }
    expect(() => new BaseHandler({ MIDDLEWARE: [forgetful] })).toThrow(
      new ImproperlyConfigured(
        `MIDDLEWARE[0], forgetful, made ${shown} instead of a middleware: that is a function of a request, or has at ` +
          "least one of processRequest, processView, processTemplateResponse, processException, processResponse; " +
          "one that wants to be left out throws MiddlewareNotUsed",
      ),
    );
  });

  test("what is no function is ImproperlyConfigured", () => {
    expect(() => new BaseHandler({ MIDDLEWARE: ["CommonMiddleware" as unknown as Middleware] }))
      .toThrow(/^MIDDLEWARE\[0\] is a string; give the class or the function itself$/);
  });

  test("what a middleware throws when it is loaded is told at the start", () => {
    expect(() =>
      new BaseHandler({
        MIDDLEWARE: [() => {
          throw new RangeError("no database");
        }],
      })
    ).toThrow("no database");
  });

  test("a pattern that is none is told at the start", () => {
    expect(() => new BaseHandler({ ROOT_URLCONF: ["polls/" as never] })).toThrow(ImproperlyConfigured);
  });

  test.each([[() => undefined], [() => Promise.resolve(undefined)]])(
    "a missing return of a middleware is an error that names it: %s",
    async (returns) => {
      const records: LogRecord[] = [];
      const forgetful: Middleware = () => returns as unknown as GetResponse;
      expect((await get(ok, [forgetful], {}, records)).statusCode).toBe(500);
      expect(String(records[0]!.error)).toBe(
        "TypeError: MIDDLEWARE[0], forgetful, returned undefined instead of an HttpResponse; is a return missing?",
      );
    },
  );

  test("so is one of processResponse", async () => {
    const records: LogRecord[] = [];
    class Forgetful {
      processResponse(): never {
        return undefined as never;
      }
    }
    expect((await get(ok, [Forgetful], {}, records)).statusCode).toBe(500);
    expect(String(records[0]!.error)).toContain("MIDDLEWARE[0], Forgetful, returned undefined");
  });
});

describe("no exception crosses a layer", () => {
  test.each([
    ["thrown", (): never => {
      throw new Http404("gone");
    }],
    ["rejected", () => Promise.reject(new Http404("gone"))],
  ])("what the view has %s is a response for the middleware", async (_, view) => {
    const seen: number[] = [];
    const response = await get(view as View, [(getResponse) => async (request) => {
      const response = await getResponse(request);
      seen.push(response.statusCode);
      return response;
    }]);
    expect(seen).toEqual([404]);
    expect(response.statusCode).toBe(404);
  });

  test("what an inner middleware throws is a response for the outer one", async () => {
    const statuses: number[] = [];
    class Outer {
      processResponse(_: HttpRequest, response: HttpResponse): HttpResponse {
        statuses.push(response.statusCode);
        return response;
      }
    }
    class Inner {
      processRequest(): never {
        throw new RangeError("inner");
      }
    }
    await get(ok, [Outer, Inner]);
    expect(statuses).toEqual([500]);
  });
});

describe("processRequest and processResponse", () => {
  test("a response of processRequest ends the way in, and passes only its own processResponse and those further out", async () => {
    const notes: string[] = [];
    class Early {
      processRequest(): HttpResponse {
        return new HttpResponse("early");
      }
      processResponse(_: HttpRequest, response: HttpResponse): HttpResponse {
        notes.push("early out");
        return response;
      }
    }
    const outer = STYLES["a class"]!("outer", notes);
    const inner = STYLES["a class"]!("inner", notes);
    expect((await get(ok, [outer, Early, inner])).text).toBe("early");
    expect(notes).toEqual(["outer in", "early out", "outer out"]);
  });
});

describe("process_view", () => {
  const viewer = (name: string, notes: string[], response: () => unknown = () => null): Middleware =>
    class {
      processView(_: HttpRequest, view: View, params: unknown): null {
        notes.push(`${name} ${view.name} ${JSON.stringify(params)}`);
        return response() as null;
      }
    };

  test("runs top down, after all processRequest, with view and params", async () => {
    const notes: string[] = [];
    const handler = new BaseHandler({
      ROOT_URLCONF: [path("<int:year>/", function archive() {
        return new HttpResponse("ok");
      })],
      MIDDLEWARE: [viewer("a", notes), STYLES["a class"]!("b", notes), viewer("c", notes, async () => await null)],
    });
    await handler.getResponse(new RequestFactory(handler.settings).get("/2026/"));
    expect(notes).toEqual(["b in", 'a archive {"year":2026}', 'c archive {"year":2026}', "b out"]);
  });

  test.each([["sync", () => new HttpResponse("early")], ["async", async () => await new HttpResponse("early")]])(
    "first response stops and skips the view: %s",
    async (_, early) => {
      const notes: string[] = [];
      const view: View = () => {
        notes.push("view");
        return new HttpResponse("ok");
      };
      const response = await get(view, [viewer("a", notes, early), viewer("b", notes)]);
      expect(response.text).toBe("early");
      expect(notes).toEqual(["a view {}"]);
    },
  );

  test("what is no response is an error that names middleware and method", async () => {
    const records: LogRecord[] = [];
    class Wrong {
      processView(): HttpResponse {
        return "early" as unknown as HttpResponse;
      }
    }
    expect((await get(ok, [Wrong], {}, records)).statusCode).toBe(500);
    expect(String(records[0]!.error)).toContain("MIDDLEWARE[0], Wrong, in processView returned a string instead of");
  });
});

describe("process_template_response", () => {
  const adder = (name: string): Middleware =>
    class {
      processTemplateResponse(_: HttpRequest, response: DeferredResponse): DeferredResponse {
        (response.contextData as string[]).push(name);
        return response;
      }
    };
  const deferred: View = () => new DeferredResponse((names: string[]) => names.join(" "), ["view"]);

  test("runs bottom up, every one, before the response is rendered", async () => {
    const response = await get(deferred, [adder("outer"), adder("inner")]);
    expect(response.text).toBe("view inner outer");
  });

  test("is not called for a response that has nothing to render", async () => {
    class Never {
      processTemplateResponse(): never {
        throw new Error("called");
      }
    }
    expect((await get(ok, [Never])).text).toBe("ok");
  });

  test("None is an error that names the middleware", async () => {
    const records: LogRecord[] = [];
    class Forgetful {
      processTemplateResponse(): never {
        return undefined as never;
      }
    }
    expect((await get(deferred, [Forgetful], {}, records)).statusCode).toBe(500);
    expect(String(records[0]!.error)).toMatch(/MIDDLEWARE\[0\], Forgetful, must return from processTemplateResponse/);
  });

  test("a response of process_view is rendered, too", async () => {
    class Early {
      processView(request: HttpRequest): HttpResponse {
        return deferred(request, {}) as HttpResponse;
      }
    }
    expect((await get(ok, [Early, adder("template")])).text).toBe("view template");
  });
});

describe("process_exception", () => {
  const catcher = (name: string, notes: string[], answer: (error: Error) => unknown = () => null): Middleware =>
    class {
      processException(_: HttpRequest, error: unknown): null {
        notes.push(`${name}: ${(error as Error).message}`);
        return answer(error as Error) as null;
      }
    };
  const failing: View = () => {
    throw new RangeError("mine");
  };

  test("runs bottom up, the first response wins, sync or async", async () => {
    for (const answer of [() => new HttpResponse("saved"), () => Promise.resolve(new HttpResponse("saved"))]) {
      const notes: string[] = [];
      const MIDDLEWARE = [
        catcher("a", notes),
        catcher("b", notes, answer),
        catcher("c", notes, async () => await null),
      ];
      const response = await get(failing, MIDDLEWARE);
      expect(response.text).toBe("saved");
      expect(notes).toEqual(["c: mine", "b: mine"]);
    }
  });

  test.each([["sync", failing], ["async", () => Promise.reject(new RangeError("mine"))]])(
    "without a response the error goes its way: %s",
    async (_, view) => {
      const notes: string[] = [];
      expect((await get(view as View, [catcher("a", notes)])).statusCode).toBe(500);
      expect(notes).toEqual(["a: mine"]);
    },
  );

  test("hears of render errors", async () => {
    const notes: string[] = [];
    const response = await get(
      () =>
        new DeferredResponse(() => {
          throw new RangeError("template");
        }, {}),
      [catcher("a", notes, () => new HttpResponse("saved"))],
    );
    expect(response.text).toBe("saved");
    expect(notes).toEqual(["a: template"]);
  });

  test("its response is rendered, too", async () => {
    const rendering = catcher("a", [], () => new DeferredResponse(() => "rendered", {}));
    expect((await get(failing, [rendering])).text).toBe("rendered");
    const broken: View = () =>
      new DeferredResponse(() => {
        throw new RangeError("template");
      }, {});
    expect((await get(broken, [rendering])).text).toBe("rendered");
  });

  test("does not hear of what middleware has thrown, nor of an unknown URL", async () => {
    const notes: string[] = [];
    class Throws {
      processView(): never {
        throw new RangeError("middleware");
      }
    }
    expect((await get(ok, [catcher("a", notes), Throws])).statusCode).toBe(500);
    expect((await get(ok, [catcher("a", notes)], { ROOT_URLCONF: [] })).statusCode).toBe(404);
    expect(notes).toEqual([]);
  });
});

describe("the resolver", () => {
  test("sets resolver_match", async () => {
    const handler = new BaseHandler({ ROOT_URLCONF: [path("<int:year>/", ok, { name: "archive" })] });
    const request = new RequestFactory(handler.settings).get("/2026/");
    expect(request.resolverMatch).toBe(null);
    await handler.getResponse(request);
    expect(request.resolverMatch).toMatchObject({ urlName: "archive", params: { year: 2026 } });
  });

  test("request.urlconf overrides ROOT_URLCONF", async () => {
    const other = [path("", () => new HttpResponse("other"))];
    const response = await get(ok, [(getResponse) => (request) => {
      request.urlconf = other;
      return getResponse(request);
    }]);
    expect(response.text).toBe("other");
  });
});

describe("what a view returns is checked", () => {
  test.each<[string, unknown, string]>([
    ["nothing", undefined, "undefined instead of an HttpResponse; is a return missing?"],
    ["null", null, "null instead of an HttpResponse"],
    ["text", "hello", "a string instead of an HttpResponse"],
    [
      "a fetch Response",
      new Response(),
      "a Response instead of an HttpResponse; to serve a fetch application here, mount it",
    ],
    ["a promise of nothing", Promise.resolve(), "undefined instead of an HttpResponse; is a return missing?"],
  ])("%s is an error that names the view and its route", async (_, value, message) => {
    const records: LogRecord[] = [];
    const index = (): HttpResponse => value as HttpResponse;
    expect((await get(index, [], {}, records)).statusCode).toBe(500);
    expect(String(records[0]!.error)).toBe(`TypeError: the view index of the route "" returned ${message}`);
  });

  test("a response that has been sent before is an error", async () => {
    const records: LogRecord[] = [];
    const shared = new HttpResponse("once");
    void shared.close();
    expect((await get(() => shared, [], {}, records)).statusCode).toBe(500);
    expect(String(records[0]!.error)).toMatch(
      /returned a response that has been sent before; make one for each request/,
    );
  });
});
