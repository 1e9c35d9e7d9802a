// Pages for Hono applications, which answer errors and unknown paths by themselves ("Internal Server Error", "404 Not
// Found"). What the application says in its own words stays as it is; Hono is known by its shape, and not imported.

import type { FetchApplication } from "../bridges/fetch.ts";
import type { Environ } from "../esgi/environ.ts";
import type { DevPages } from "./debug_pages.ts";
import type { TriedRoute } from "./pages/not_found.ts";
import { type Page, renderPage } from "./pages/respond.ts";

type Handler = (...words: never[]) => unknown;

interface Route {
  readonly method: string;
  readonly path: string;
  readonly handler: Handler;
}

/** What the adoption needs of Hono's class. */
interface Hono {
  fetch(request: Request, env?: unknown, ...rest: unknown[]): Response | Promise<Response>;
  errorHandler(error: Error, c: Context): Response | Promise<Response>;
  onError(handler: (error: Error, c: Context) => Response | Promise<Response>): unknown;
  notFound(handler: Handler): unknown;
  getPath(request: Request): string;
  readonly routes: readonly Route[];
  readonly router: { match(method: string, path: string): readonly [readonly unknown[]] };
}

interface Context {
  readonly env?: { readonly environ?: Environ };
}

/**
 * Gives `application`, where it is Hono's, the pages in the place of Hono's own two answers. Middleware sees them as it
 * sees those. Errors with an answer of their own (HTTPException) keep it, as do `onError` and `notFound`.
 */
export function adoptHono(application: FetchApplication, pages: DevPages): void {
  if (!isHono(application)) return;
  const byDefault = application.errorHandler;
  if (byDefault === defaultErrorHandler(application)) {
    application.onError((error, c) => {
      const environ = c.env?.environ;
      if (environ === undefined || "getResponse" in error) return byDefault(error, c);
      pages.report(error, environ);
      return responseOf(pages.errorPage(environ, { error, status: 500 }), 500, environ, new Headers());
    });
  }
  const { fetch } = application;
  application.fetch = async (request, env, ...rest) => {
    const response = await fetch.call(application, request, env, ...rest);
    const environ = (env as Context["env"])?.environ;
    if (environ === undefined || !await isDefaultNotFound(response)) return response;
    const routes = application.routes.filter(({ handler }) => !isMiddleware(handler));
    const path = application.getPath(request);
    if (routes.length === 0 && path === "/") {
      return responseOf(pages.welcomePage("hono"), 200, environ, response.headers);
    }
    const view = answering(application, request.method, path);
    const page = pages.notFoundPage(environ, { view, message: "", tried: triedOf(routes) });
    return responseOf(page, 404, environ, response.headers);
  };
}

function isHono(application: unknown): application is Hono {
  if (typeof application !== "object" || application === null) return false;
  const { fetch, errorHandler, onError, notFound, getPath, routes, router } = application as Partial<Hono>;
  return [fetch, errorHandler, onError, notFound, getPath, router?.match].every((one) => typeof one === "function") &&
    Array.isArray(routes);
}

/** What a Hono has that nobody gave another one; null where that cannot be found out. */
function defaultErrorHandler(application: Hono): unknown {
  // Hono's innermost class: none of the project's, whose constructors may do anything.
  let prototype: object = application;
  for (let next: object | null = prototype; next !== null && next !== Object.prototype;) {
    prototype = next;
    next = Object.getPrototypeOf(next) as object | null;
  }
  try {
    return (new (prototype.constructor as new () => Hono)()).errorHandler;
  } catch {
    return null;
  }
}

/** Hono's own words. It does not tell whether a handler for what is not found was given. */
async function isDefaultNotFound(response: Response): Promise<boolean> {
  if (response.status !== 404 || response.headers.get("content-type")?.startsWith("text/plain") !== true) return false;
  return !response.bodyUsed && await response.clone().text() === "404 Not Found";
}

/** The route whose handler said so itself, by `c.notFound()`; null when there is none for the path. */
function answering({ router }: Hono, method: string, path: string): string | null {
  try {
    const [matches] = router.match(method, path) as [readonly (readonly [readonly [Handler, Route], unknown])[]];
    const route = matches.map(([[, route]]) => route).filter(({ handler }) => !isMiddleware(handler)).at(-1);
    return route === undefined ? null : `The handler of ${route.method} ${route.path}`;
  } catch {
    return null;
  }
}

/** As Hono tells them apart: a middleware takes `next`. */
function isMiddleware({ length }: Handler): boolean {
  return length > 1;
}

function triedOf(routes: readonly Route[]): TriedRoute[] {
  const tried = routes.map(({ method, path }) => ({
    route: path,
    name: null,
    methods: method === "ALL" ? null : [method],
  }));
  // A route with several handlers is there for each.
  return [...new Map(tried.map((one) => [`${one.methods?.join()} ${one.route}`, one])).values()];
}

/** The page, with what middleware has set on the answer whose place it takes. */
function responseOf(page: Page, status: number, environ: Environ, given: Headers): Response {
  const { headers, content } = renderPage(environ.HTTP_ACCEPT, status, page);
  const all = new Headers(given);
  all.delete("Content-Length");
  for (const [name, value] of headers) all.set(name, value);
  return new Response(content, { status, headers: all });
}
