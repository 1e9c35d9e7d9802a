// The handler between request and response (Django's core/handlers/base.py): loads middleware once, and takes a request
// through it to the view. What comes before and after, environ and startResponse, is handler.ts's.

import type { MaybePromise } from "../esgi/application.ts";
import type { HttpRequest } from "./request.ts";
import type { DeferredResponse, HttpResponse } from "./response.ts";
import type { Settings } from "./settings.ts";
import type { UrlPattern } from "./urls/patterns.ts";

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
