// A name for each request, by which its lines are found in all logs: the proxy's, where it gives one, else our own.

import type { MiddlewareMethods } from "../base.ts";
import type { HttpRequest } from "../request.ts";
import type { HttpResponse } from "../response.ts";

/** What may be written into a log, and is no essay. */
const WELL_FORMED = /^[A-Za-z0-9._~:+/=-]{1,128}$/;

/**
 * `X-Request-ID`: the request's, or a random UUID where it has none that is well-formed. The response has it, and so has
 * the environ as `HTTP_X_REQUEST_ID`, therefore `request.headers` and the access log. It should come first in MIDDLEWARE.
 */
export class RequestIDMiddleware implements MiddlewareMethods {
  processRequest({ META }: HttpRequest): void {
    if (!WELL_FORMED.test(META.HTTP_X_REQUEST_ID ?? "")) META.HTTP_X_REQUEST_ID = crypto.randomUUID();
  }

  processResponse({ META }: HttpRequest, response: HttpResponse): HttpResponse {
    if (META.HTTP_X_REQUEST_ID !== undefined) response.headers.set("X-Request-ID", META.HTTP_X_REQUEST_ID);
    return response;
  }
}
