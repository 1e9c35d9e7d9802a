// The handler between request and response (Django's core/handlers/base.py): loads middleware once, and takes a request
// through it to the view. What comes before and after, environ and startResponse, is handler.ts's.

import type { MaybePromise } from "../esgi/application.ts";
import { checkResponse, describe } from "./check_response.ts";
import { ImproperlyConfigured, MiddlewareNotUsed } from "./exceptions.ts";
import { logResponse } from "./log.ts";
import type { HttpRequest } from "./request.ts";
import type { DeferredResponse, HttpResponse } from "./response.ts";
import { convertExceptionToResponse } from "./response_for_exception.ts";
import { type HandlerSettings, resolveSettings, type Settings } from "./settings.ts";
import { isThenable } from "./thenable.ts";
import type { UrlPattern } from "./urls/patterns.ts";
import { getResolver, type ResolverMatch } from "./urls/resolvers.ts";

/** A view: what a URL leads to. `params` are the route's converted values and its extra arguments. */
// deno-lint-ignore no-explicit-any -- a list of views has views of all kinds of params
export type View<P = any> = (request: HttpRequest, params: P) => MaybePromise<HttpResponse>;

/** All that is further in, as a middleware sees it. It never throws: what is thrown further in is a response by then. */
export type GetResponse = (request: HttpRequest) => MaybePromise<HttpResponse>;

/** A middleware that is a function around what is further in; or one that gives an object, as a class does. */
export type MiddlewareFactory = (getResponse: GetResponse, settings: Settings) => GetResponse | MiddlewareMethods;

/** What a middleware in Django's older style may have, each method where it wants it. */
export interface MiddlewareMethods {
  /** Before everything further in; a response ends the request here. */
  processRequest?(request: HttpRequest): MaybePromise<HttpResponse | null | undefined | void>;
  /** After the URL was resolved, before the view, top down; the first response stops, and the view is not called. */
  processView?(request: HttpRequest, view: View, params: unknown): MaybePromise<HttpResponse | null | undefined | void>;
  /** After the view, before its response is rendered, bottom up, all of them. Gives a response that can be rendered. */
  processTemplateResponse?(request: HttpRequest, response: DeferredResponse): MaybePromise<DeferredResponse>;
  /** After the view, or the rendering of its response, has thrown, bottom up; the first response is the answer. */
  processException?(request: HttpRequest, error: unknown): MaybePromise<HttpResponse | null | undefined | void>;
  /** After everything further in. Gives the response, the same or another. */
  processResponse?(request: HttpRequest, response: HttpResponse): MaybePromise<HttpResponse>;
}

/** A middleware that is a class. */
export type MiddlewareClass = new (getResponse: GetResponse, settings: Settings) => MiddlewareMethods;

/** An entry of MIDDLEWARE. */
export type Middleware = MiddlewareFactory | MiddlewareClass;

/** A view for what went wrong further in: `error` is what was thrown. */
export type ErrorView = (request: HttpRequest, error: unknown) => MaybePromise<HttpResponse>;

/** What ROOT_URLCONF is: the patterns, perhaps with views for errors (Django's module with `urlpatterns`). */
export type URLConf = readonly UrlPattern[] | {
  readonly patterns: readonly UrlPattern[];
  /** Django's handler400; default a plain page. */
  readonly handler400?: ErrorView;
  readonly handler403?: ErrorView;
  readonly handler404?: ErrorView;
  readonly handler500?: ErrorView;
};

/** What a method of a middleware gives that has no response: nothing. */
type Answer = HttpResponse | null | undefined | void;

const METHODS = [
  "processRequest",
  "processView",
  "processTemplateResponse",
  "processException",
  "processResponse",
] as const satisfies readonly (keyof MiddlewareMethods)[];

/** A middleware, with the name that errors call it by. */
interface Layer {
  readonly name: string;
  readonly methods: MiddlewareMethods;
}

/** Settings and the middleware that they name, ready to be given requests. */
export class BaseHandler {
  readonly settings: Settings;
  /** The whole way in and out: the outermost middleware, or the view's part where there is none. */
  readonly #middlewareChain: GetResponse;
  /** Top down. */
  readonly #viewMiddleware: Layer[] = [];
  /** Bottom up. */
  readonly #templateResponseMiddleware: Layer[] = [];
  /** Bottom up. */
  readonly #exceptionMiddleware: Layer[] = [];

  /** @throws {ImproperlyConfigured} for a setting, a middleware or a URL pattern that is none. */
  constructor(settings: HandlerSettings = {}) {
    this.settings = resolveSettings(settings);
    this.#middlewareChain = this.#loadMiddleware();
    // The table of routes is made now, so that what is wrong with it is told at the start.
    getResolver(this.settings.ROOT_URLCONF).find("/");
  }

  /** Wraps the middleware from the inside out, each behind a conversion of its exceptions. */
  #loadMiddleware(): GetResponse {
    const { MIDDLEWARE } = this.settings;
    let chain = convertExceptionToResponse((request) => this.#getResponse(request), "the view", this);
    for (let index = MIDDLEWARE.length - 1; index >= 0; index--) {
      const layer = this.#loadLayer(MIDDLEWARE[index]!, index, chain);
      if (layer !== null) chain = layer;
    }
    return chain;
  }

  #loadLayer(middleware: Middleware, index: number, inner: GetResponse): GetResponse | null {
    const place = `MIDDLEWARE[${index}]`;
    if (typeof middleware !== "function") {
      throw new ImproperlyConfigured(`${place} is ${describe(middleware)}; give the class or the function itself`);
    }
    const name = middleware.name === "" ? place : `${place}, ${middleware.name},`;
    let made: GetResponse | MiddlewareMethods;
    try {
      made = isClass(middleware) ? new middleware(inner, this.settings) : middleware(inner, this.settings);
    } catch (error) {
      if (error instanceof MiddlewareNotUsed) return null;
      throw error;
    }
    if (typeof made !== "function" && !METHODS.some((method) => made?.[method] !== undefined)) {
      throw new ImproperlyConfigured(
        `${name} made ${
          describe(made)
        } instead of a middleware: that is a function of a request, or has at least one of ` +
          `${METHODS.join(", ")}; one that wants to be left out throws MiddlewareNotUsed`,
      );
    }
    // A function may have methods as well, as in Django.
    const layer: Layer = { name, methods: made as MiddlewareMethods };
    if (layer.methods.processView !== undefined) this.#viewMiddleware.unshift(layer);
    if (layer.methods.processTemplateResponse !== undefined) this.#templateResponseMiddleware.push(layer);
    if (layer.methods.processException !== undefined) this.#exceptionMiddleware.push(layer);
    const getResponse = typeof made === "function" ? made : around(layer, inner);
    // It would convert what is converted already.
    if (getResponse === inner) return inner;
    return convertExceptionToResponse(getResponse, name, this);
  }

  /**
   * The response to `request`: through the middleware to the view and back. What goes wrong on the way is a response, too;
   * from 400 on the log is told. It throws only with DEBUG_PROPAGATE_EXCEPTIONS.
   */
  getResponse(request: HttpRequest): MaybePromise<HttpResponse> {
    const response = this.#middlewareChain(request);
    if (isThenable(response)) {
      return response.then((response) => {
        if (response.statusCode >= 400) logResponse(response.reasonPhrase, response, request);
        return response;
      });
    }
    if (response.statusCode >= 400) logResponse(response.reasonPhrase, response, request);
    return response;
  }

  /** Innermost: the resolver, the view and the middleware that stands close to it. */
  #getResponse(request: HttpRequest): MaybePromise<HttpResponse> {
    const match = this.resolveRequest(request);
    if (this.#viewMiddleware.length === 0) return this.#callView(request, match);
    const early = firstAnswer(
      this.#viewMiddleware,
      "processView",
      (methods) => methods.processView!(request, match.view, match.params),
    );
    if (isThenable(early)) {
      return early.then((early) => early === null ? this.#callView(request, match) : this.#render(request, early));
    }
    return early === null ? this.#callView(request, match) : this.#render(request, early);
  }

  /**
   * What the request's URL leads to; also in `request.resolverMatch`. `request.urlconf`, where a middleware has set it,
   * wins over ROOT_URLCONF.
   *
   * @throws {Resolver404} when it leads nowhere.
   */
  resolveRequest(request: HttpRequest): ResolverMatch {
    const match = getResolver(request.urlconf ?? this.settings.ROOT_URLCONF).resolve(request.pathInfo, request);
    request.resolverMatch = match;
    return match;
  }

  #callView(request: HttpRequest, match: ResolverMatch): MaybePromise<HttpResponse> {
    const { view, params } = match;
    let response: MaybePromise<HttpResponse>;
    try {
      response = view(request, params);
    } catch (error) {
      return this.#renderException(request, error);
    }
    if (isThenable(response)) {
      return response.then(
        (response) => this.#render(request, checkResponse(response, () => viewName(match))),
        (error: unknown) => this.#renderException(request, error),
      );
    }
    return this.#render(request, checkResponse(response, () => viewName(match)));
  }

  #renderException(request: HttpRequest, error: unknown): MaybePromise<HttpResponse> {
    const answer = this.#processException(request, error);
    return isThenable(answer) ? answer.then((answer) => this.#render(request, answer)) : this.#render(request, answer);
  }

  /** The exception middleware hears of what the view, or its response's rendering, has thrown. */
  #processException(request: HttpRequest, error: unknown): MaybePromise<HttpResponse> {
    const answer = firstAnswer(
      this.#exceptionMiddleware,
      "processException",
      (methods) => methods.processException!(request, error),
    );
    if (isThenable(answer)) {
      return answer.then((answer) => {
        if (answer === null) throw error;
        return answer;
      });
    }
    if (answer === null) throw error;
    return answer;
  }

  /** A response that renders itself only now, after the middleware has had it. */
  #render(request: HttpRequest, response: HttpResponse): MaybePromise<HttpResponse> {
    if (typeof (response as Partial<DeferredResponse>).render !== "function") return response;
    return this.#renderDeferred(request, response as DeferredResponse);
  }

  async #renderDeferred(request: HttpRequest, given: DeferredResponse): Promise<HttpResponse> {
    let response = given;
    for (const { name, methods } of this.#templateResponseMiddleware) {
      const next = await methods.processTemplateResponse!(request, response);
      if (typeof (next as Partial<DeferredResponse> | null | undefined)?.render !== "function") {
        throw new ImproperlyConfigured(
          `${name} must return from processTemplateResponse a response that can be rendered, not ${describe(next)}`,
        );
      }
      response = next;
    }
    try {
      return await response.render();
    } catch (error) {
      const answer = await this.#processException(request, error);
      return "render" in answer ? await (answer as DeferredResponse).render() : answer;
    }
  }
}

/** Django's MiddlewareMixin: processRequest, what is further in, processResponse. */
function around({ methods }: Layer, inner: GetResponse): GetResponse {
  const hasRequest = methods.processRequest !== undefined;
  const hasResponse = methods.processResponse !== undefined;
  if (!hasRequest && !hasResponse) return inner;
  const through = (request: HttpRequest, early: Answer): MaybePromise<HttpResponse> => {
    const response = early ?? inner(request);
    if (!hasResponse) return response;
    return isThenable(response)
      ? response.then((response) => methods.processResponse!(request, response))
      : methods.processResponse!(request, response);
  };
  if (!hasRequest) return (request) => through(request, null);
  return (request) => {
    const early = methods.processRequest!(request);
    return isThenable(early) ? early.then((early) => through(request, early)) : through(request, early);
  };
}

/** The first of the layers' answers that is a response; null when there is none. Later layers are not asked. */
function firstAnswer(
  layers: readonly Layer[],
  method: keyof MiddlewareMethods,
  ask: (methods: MiddlewareMethods) => MaybePromise<Answer>,
  from = 0,
): MaybePromise<HttpResponse | null> {
  for (let index = from; index < layers.length; index++) {
    const { name, methods } = layers[index]!;
    const answer = ask(methods);
    if (isThenable(answer)) {
      return answer.then((answer) =>
        answer ? checkResponse(answer, () => `${name} in ${method}`) : firstAnswer(layers, method, ask, index + 1)
      );
    }
    if (answer) return checkResponse(answer, () => `${name} in ${method}`);
  }
  return null;
}

function viewName({ view, route }: ResolverMatch): string {
  return `the view ${view.name === "" ? "" : `${view.name} `}of the route ${JSON.stringify(route)}`;
}

/** A class is a function whose prototype cannot be replaced; one without `new` cannot be called. */
function isClass(middleware: Middleware): middleware is MiddlewareClass {
  return Object.getOwnPropertyDescriptor(middleware, "prototype")?.writable === false;
}
