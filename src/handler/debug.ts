// What a developer sees, with DEBUG, in place of an error page: the pages of the development server where it serves
// (`tricorn.debug_pages` of the environ), else plain text (Django's views/debug.py, for clients that want no HTML).

import type { Environ, Headers } from "../esgi/environ.ts";
import { describeError } from "../observe/text.ts";
import type { Http404 } from "./exceptions.ts";
import type { HttpRequest } from "./request.ts";
import { HttpResponse } from "./response.ts";
import { Resolver404 } from "./urls/exceptions.ts";
import { URLPattern, type UrlPattern } from "./urls/patterns.ts";

/** A page in the form that its client prefers. */
export interface DebugPage {
  readonly headers: Headers;
  readonly content: string;
}

/** A route that was tried. */
export interface DebugRoute {
  /** As it was written, behind the includes that lead to it. */
  readonly route: string;
  readonly name: string | null;
  /** Null: all. */
  readonly methods: readonly string[] | null;
}

/** What `tricorn.debug_pages` of an environ is: the pages of a development server. */
export interface DebugPages {
  /** What was thrown; `view` is the route's name, null when none was found. */
  error(
    environ: Environ,
    facts: {
      readonly error: unknown;
      readonly status: number;
      readonly settings: object;
      readonly view: string | null;
    },
  ): DebugPage;
  /** A path that no route matches (`tried`), or of which `view` says that there is no such thing (`message`). */
  notFound(
    environ: Environ,
    details: {
      readonly view: string | null;
      readonly message: string;
      readonly tried: readonly DebugRoute[] | null;
    },
  ): DebugPage;
  /** A project that has no routes. */
  welcome(environ: Environ): DebugPage;
}

/** What was thrown, with its stack. `status` is 400 or more. */
export function technical500Response(request: HttpRequest, error: unknown, status: number): HttpResponse {
  const { environ, settings } = request;
  const view = request.resolverMatch?.viewName ?? null;
  return paged(request, status, (pages) => pages.error(environ, { error, status, settings, view })) ??
    text(status, `${describeError(error)}\n\n${about(request)}`);
}

/** Which routes were tried, or which view has thrown Http404. A project without routes gets a welcome at "/". */
export function technical404Response(request: HttpRequest, error: Http404): HttpResponse {
  const { environ } = request;
  if (error instanceof Resolver404) {
    const { tried } = error;
    if (tried.length === 0 && error.path === "/") {
      return paged(request, 200, (pages) => pages.welcome(environ)) ??
        text(200, `It works. The project has no routes yet: add one to ROOT_URLCONF.\n\n${about(request)}`);
    }
    const why = `No pattern of ROOT_URLCONF matches it. These were tried, in this order:\n${list(tried)}`;
    return paged(
      request,
      404,
      (pages) => pages.notFound(environ, { view: null, message: error.message, tried: tried.map(routeOf) }),
    ) ?? text(404, `Page not found: ${request.path}\n\n${why}\n\n${about(request)}`);
  }
  const view = request.resolverMatch?.viewName ?? null;
  const { message } = error;
  return paged(
    request,
    404,
    (pages) =>
      pages.notFound(environ, { view: view === null ? "A middleware" : `The view ${view}`, message, tried: null }),
  ) ?? text(
    404,
    `Page not found: ${request.path}\n\n` +
      `The view ${view ?? "(a middleware)"} has thrown Http404: ${message}\n\n${about(request)}`,
  );
}

/** The response of a development server's page; null where there is none, or it cannot be made. */
function paged(request: HttpRequest, status: number, page: (pages: DebugPages) => DebugPage): HttpResponse | null {
  const pages = request.environ["tricorn.debug_pages"] as DebugPages | undefined;
  if (pages === undefined) return null;
  try {
    const { headers, content } = page(pages);
    return new HttpResponse(content, { status, headers });
  } catch {
    return null;
  }
}

function routeOf(behind: readonly UrlPattern[]): DebugRoute {
  const last = behind.at(-1)!;
  return {
    route: behind.map(({ pattern }) => pattern.route).join(" "),
    name: last instanceof URLPattern ? last.name : null,
    methods: last instanceof URLPattern ? last.methods : null,
  };
}

function list(tried: Resolver404["tried"]): string {
  return tried.map((routes, index) =>
    `${String(index + 1).padStart(4)}. ${routes.map((one) => one.describe()).join(" ")}\n`
  ).join("");
}

function about(request: HttpRequest): string {
  return `${request.method} ${request.path}\nYou see this because DEBUG is true; without it there is a plain error page.\n`;
}

function text(status: number, content: string): HttpResponse {
  return new HttpResponse(content, { status, contentType: "text/plain; charset=utf-8" });
}
