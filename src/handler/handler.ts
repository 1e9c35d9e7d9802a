// Where ESGI meets the site (Django's core/handlers/wsgi.py): an environ becomes a request, and its response a head and a
// body. Whatever happens, the request's end is the end of all that it had opened, and it ends once.

import type { Application, MaybePromise, StartResponse } from "../esgi/application.ts";
import type { Body, Chunk, Upgraded } from "../esgi/body.ts";
import type { Environ, Headers } from "../esgi/environ.ts";
import { BaseHandler } from "./base.ts";
import { log } from "./log.ts";
import { HttpRequest } from "./request.ts";
import type { HttpResponse } from "./response.ts";
import type { HandlerSettings } from "./settings.ts";
import { SITE } from "./site.ts";
import { requestFinished, requestStarted } from "./signals.ts";
import { isThenable } from "./thenable.ts";

/** A site: settings, with the middleware and the URLs that they name. To be served by its {@link application}. */
export class Handler extends BaseHandler {
  /** The ESGI application: `export default new Handler({ ... }).application`. It needs no `this`. */
  readonly application: Application = Object.assign(
    ((environ, startResponse) => this.run(environ, startResponse)) satisfies Application,
    { [SITE]: this.settings },
  );

  /**
   * What the application does. `onRequest` is shown the request before anybody else is: the test client, which tells its
   * user of the request, has no other way to it.
   */
  run(environ: Environ, startResponse: StartResponse, onRequest?: (request: HttpRequest) => void): MaybePromise<Body> {
    const { FORCE_SCRIPT_NAME } = this.settings;
    if (FORCE_SCRIPT_NAME !== null) environ.SCRIPT_NAME = FORCE_SCRIPT_NAME.replace(/\/$/, "");
    if (!requestStarted.hasListeners()) return this.#respond(environ, startResponse, onRequest);
    return requestStarted.sendAsync(this, { environ }).then(() => this.#respond(environ, startResponse, onRequest));
  }

  #respond(
    environ: Environ,
    startResponse: StartResponse,
    onRequest: ((request: HttpRequest) => void) | undefined,
  ): MaybePromise<Body> {
    const request = new HttpRequest(environ, this.settings);
    onRequest?.(request);
    let response: MaybePromise<HttpResponse>;
    try {
      response = this.getResponse(request);
    } catch (error) {
      void this.#finish(request);
      throw error;
    }
    if (!isThenable(response)) return this.#start(request, response, startResponse);
    return response.then(
      (response) => this.#start(request, response, startResponse),
      async (error: unknown) => {
        await this.#finish(request);
        throw error;
      },
    );
  }

  /** Status line, headers, body. Whatever comes of them, the response is closed, and with it the request. */
  #start(request: HttpRequest, response: HttpResponse, startResponse: StartResponse): Body {
    response.addCloser(() => this.#finish(request));
    try {
      const { status, headers, body } = response.toESGI(request);
      const whole = body === null || typeof body === "string" || body instanceof Uint8Array;
      // A body without close() goes out in one write, and nobody tells when. Who wants to hear of it gets one with.
      if (whole && !requestFinished.hasListeners()) {
        startResponse(status, headers);
        void response.close();
        return body;
      }
      if (whole) {
        const content = new WholeBody(body ?? "", response);
        startResponse(status, content.withLength(headers));
        return content;
      }
      startResponse(status, headers);
      return typeof body === "function" ? closing(body, request, response) : body;
    } catch (error) {
      void response.close();
      throw error;
    }
  }

  /** Called by the response's close(), which calls nothing twice. A promise only where there is something to wait for. */
  #finish(request: HttpRequest): MaybePromise<void> {
    const closing = request.close();
    if (isThenable(closing) || requestFinished.hasListeners()) return this.#finishLater(request, closing);
  }

  async #finishLater(request: HttpRequest, closing: MaybePromise<void>): Promise<void> {
    const { environ } = request;
    const report = (message: string, error: unknown): void =>
      log(this.settings, environ, { logger: "tricorn.request", level: "error", message, status: 500, request, error });
    try {
      await closing;
    } catch (error) {
      report("deleting the uploaded files failed", error);
    }
    for (const [, response] of await requestFinished.sendRobustAsync(this, { environ })) {
      if (response instanceof Error) report("a receiver of requestFinished failed", response);
    }
  }
}

/** A whole body that closes its response. */
class WholeBody implements Iterable<Chunk> {
  readonly #content: Chunk;
  readonly #response: HttpResponse;

  constructor(content: Chunk, response: HttpResponse) {
    this.#content = content;
    this.#response = response;
  }

  /** The server cannot see how long an iteration is. */
  withLength(headers: Headers): Headers {
    const { statusCode } = this.#response;
    const none = statusCode < 200 || statusCode === 204 || statusCode === 304;
    if (none || headers.some(([name]) => name.toLowerCase() === "content-length")) return headers;
    const { length } = typeof this.#content === "string" ? new TextEncoder().encode(this.#content) : this.#content;
    return [...headers, ["Content-Length", String(length)]];
  }

  *[Symbol.iterator](): Iterator<Chunk> {
    yield this.#content;
  }

  close(): void | Promise<void> {
    return this.#response.close();
  }
}

/** An upgrade has no close(): its response is closed when it is over, or when its client has left before it began. */
function closing(body: Upgraded, { signal }: HttpRequest, response: HttpResponse): Upgraded {
  const close = (): void => void response.close();
  if (signal.aborted) close();
  else signal.addEventListener("abort", close, { once: true });
  return async (socket) => {
    try {
      await body(socket);
    } finally {
      await response.close();
    }
  };
}

/**
 * The application of a settings module, as Django's wsgi.py has it; `load` imports the module, which exports `settings`:
 * `export const application = await getApplication(() => import("./settings.ts"))`. `tricorn check` finds the same module
 * by the environment variable TRICORN_SETTINGS_MODULE, which `load` may read, too.
 */
export async function getApplication(
  load: () => Promise<{ readonly settings: HandlerSettings }>,
): Promise<Application> {
  return new Handler((await load()).settings).application;
}
