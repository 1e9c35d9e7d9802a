// Who may show a page in a frame: X-Frame-Options (RFC 7034). As django/middleware/clickjacking.py and
// django/views/decorators/clickjacking.py.

import type { GetResponse, MiddlewareMethods, View } from "../base.ts";
import { wrapView } from "../decorators.ts";
import type { HttpRequest } from "../request.ts";
import type { HttpResponse } from "../response.ts";
import type { Settings } from "../settings.ts";

/** Responses of views that anybody may frame. */
const exempt = new WeakSet<HttpResponse>();

/** Sets X-Frame-Options to the setting X_FRAME_OPTIONS, unless the response has one or its view is exempt. */
export class XFrameOptionsMiddleware implements MiddlewareMethods {
  readonly #value: string;

  constructor(_getResponse: GetResponse, settings: Settings) {
    this.#value = settings.X_FRAME_OPTIONS.toUpperCase();
  }

  processResponse(_request: HttpRequest, response: HttpResponse): HttpResponse {
    if (!exempt.has(response)) response.headers.setDefault("X-Frame-Options", this.#value);
    return response;
  }
}

function xframeOptions<P>(view: View<P>, patch: (response: HttpResponse) => void): View<P> {
  return wrapView(view, async (request, params) => {
    const response = await view(request, params);
    patch(response);
    return response;
  });
}

/** Nobody may frame the view's pages. */
export function xframeOptionsDeny<P>(view: View<P>): View<P> {
  return xframeOptions(view, (response) => response.headers.setDefault("X-Frame-Options", "DENY"));
}

/** Pages of the same site may frame the view's. */
export function xframeOptionsSameorigin<P>(view: View<P>): View<P> {
  return xframeOptions(view, (response) => response.headers.setDefault("X-Frame-Options", "SAMEORIGIN"));
}

/** Anybody may frame the view's pages. */
export function xframeOptionsExempt<P>(view: View<P>): View<P> {
  return xframeOptions(view, (response) => exempt.add(response));
}
