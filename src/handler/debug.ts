// What a developer sees, with DEBUG, in place of an error page: plain text (Django's views/debug.py, as far as it is for
// clients that want no HTML).

import { describeError } from "../observe/text.ts";
import type { Http404 } from "./exceptions.ts";
import type { HttpRequest } from "./request.ts";
import { HttpResponse } from "./response.ts";
import { Resolver404 } from "./urls/exceptions.ts";

/** What was thrown, with its stack. `status` is 400 or more. */
export function technical500Response(request: HttpRequest, error: unknown, status: number): HttpResponse {
  return text(status, `${describeError(error)}\n\n${about(request)}`);
}

/** Which routes were tried, or which view has thrown Http404. */
export function technical404Response(request: HttpRequest, error: Http404): HttpResponse {
  const why = error instanceof Resolver404
    ? `No pattern of ROOT_URLCONF matches it. These were tried, in this order:\n${list(error.tried)}`
    : `The view ${request.resolverMatch?.viewName ?? "(a middleware)"} has thrown Http404: ${error.message}`;
  return text(404, `Page not found: ${request.path}\n\n${why}\n\n${about(request)}`);
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
