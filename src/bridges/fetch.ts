// The bridge from fetch applications (Hono, H3, a plain handler) to ESGI. A handler that answers at once is answered
// at once: no promise, no microtask.

import type { Application, MaybePromise, StartResponse } from "../esgi/application.ts";
import type { Body } from "../esgi/body.ts";
import type { Environ } from "../esgi/environ.ts";
import { installLightGlobals } from "./globals.ts";
import { requestOf } from "./light_request.ts";
import { isLightResponse, sendLight } from "./light_response.ts";
import { sendNative } from "./native_response.ts";

/** What a handler is given beside the request; in Hono it is `c.env`. */
export interface FetchEnv {
  /** The ESGI environ of the request. */
  environ: Environ;
}

/** What a handler is given to work after its answer; in Hono it is `c.executionCtx`. */
export interface FetchContext {
  /** Work that the answer does not wait for. A failure is written to `esgi.errors`. */
  waitUntil(work: Promise<unknown>): void;
  /** Does nothing: there is no server behind this one to pass the request to. */
  passThroughOnException(): void;
  /** For the application's use. */
  props: Record<string, unknown>;
}

/** A fetch handler: a function from Request to Response. */
export type FetchHandler = (request: Request, env: FetchEnv, context: FetchContext) => Response | Promise<Response>;

/** A fetch application: a handler, or an object with one as `fetch`. */
export type FetchApplication =
  | ((request: Request, ...rest: never[]) => Response | Promise<Response>)
  | { fetch(request: Request, ...rest: never[]): Response | Promise<Response> };

export interface FetchOptions {
  /**
   * Whether the light classes take the place of `globalThis.Response`, `Request`, `Headers` and `fetch`, for good (see
   * `installLightGlobals`). Worth it on Node, and nowhere else. Default: false.
   */
  readonly overrideGlobals?: boolean;
}

class Context implements FetchContext {
  readonly #environ: Environ;
  props: Record<string, unknown> = {};

  constructor(environ: Environ) {
    this.#environ = environ;
  }

  waitUntil(work: Promise<unknown>): void {
    Promise.resolve(work).catch((error: unknown) => {
      const detail = error instanceof Error ? error.stack ?? error.message : String(error);
      this.#environ["esgi.errors"].write(`waitUntil: ${detail}\n`);
    });
  }

  passThroughOnException(): void {}
}

/** Makes an ESGI application of a fetch application. */
export function fromFetch(application: FetchApplication, options: FetchOptions = {}): Application {
  const handler = handlerOf(application);
  if (options.overrideGlobals === true) installLightGlobals();
  return (environ, startResponse) => {
    if (isForbidden(environ.REQUEST_METHOD)) return refuse(environ.REQUEST_METHOD, startResponse);
    const answer = handler(requestOf(environ), { environ }, new Context(environ));
    if (typeof answer === "object" && answer !== null) {
      if (isLightResponse(answer)) return sendLight(answer, environ, startResponse);
      if (typeof (answer as Promise<Response>).then === "function") {
        return (answer as Promise<Response>).then((response) => send(response, environ, startResponse));
      }
    }
    return send(answer as Response, environ, startResponse);
  };
}

function handlerOf(application: FetchApplication): FetchHandler {
  if (typeof application === "function") return application as FetchHandler;
  if (typeof application?.fetch === "function") {
    // By name at each call: an application may replace its fetch, and it needs its `this`.
    return (request, env, context) => (application.fetch as FetchHandler)(request, env, context);
  }
  throw new TypeError("a fetch application is a function of a Request, or an object with such a function as `fetch`");
}

function send(response: unknown, environ: Environ, startResponse: StartResponse): MaybePromise<Body> {
  if (typeof response === "object" && response !== null) {
    if (isLightResponse(response)) return sendLight(response, environ, startResponse);
    if (
      response instanceof Response || (response as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] === "Response"
    ) {
      return sendNative(response as Response, environ, startResponse);
    }
  }
  throw new TypeError(
    `the fetch handler returned ${describe(response)}: return a Response, for example new Response("text")`,
  );
}

function describe(value: unknown): string {
  if (value === undefined) return "undefined (is a `return` missing?)";
  if (typeof value === "object" && value !== null) return `an object (${value.constructor?.name ?? "without a class"})`;
  return `${value === null ? "null" : `a ${typeof value}`}`;
}

// No Request can have these methods (Fetch, "forbidden method"), in whatever case.
function isForbidden(method: string): boolean {
  const first = method.charCodeAt(0) | 0x20;
  return (first === 0x63 || first === 0x74) && /^(?:connect|trace|track)$/i.test(method);
}

// RFC 9110 §15.6.2: the method is not supported for any resource, so no Allow field could be true.
function refuse(method: string, startResponse: StartResponse): Body {
  startResponse("501 Not Implemented", [["content-type", "text/plain;charset=UTF-8"]]);
  return `${method} is not implemented: a fetch application cannot receive it\n`;
}
