// What nearly every site wants of its addresses: one form of each path and host, no unwanted agents, and lengths. As
// django/middleware/common.py and django/views/decorators/common.py.

import { isBodyless } from "../../esgi/reply.ts";
import type { GetResponse, MiddlewareMethods, View } from "../base.ts";
import { wrapView } from "../decorators.ts";
import { ImproperlyConfigured, PermissionDenied } from "../exceptions.ts";
import type { HttpRequest } from "../request.ts";
import { type HttpResponse, HttpResponsePermanentRedirect } from "../response.ts";
import type { Settings } from "../settings.ts";
import { shouldAppendSlash } from "../urls/base.ts";

// Their body would be lost on the way.
const WITH_BODY: ReadonlySet<string> = new Set(["DELETE", "POST", "PUT", "PATCH"]);

/**
 * Refuses DISALLOWED_USER_AGENTS and, by getHost(), hosts that are not ours; redirects for PREPEND_WWW and APPEND_SLASH;
 * sets Content-Length.
 */
export class CommonMiddleware implements MiddlewareMethods {
  readonly #settings: Settings;

  constructor(_getResponse: GetResponse, settings: Settings) {
    this.#settings = settings;
  }

  /** @throws {PermissionDenied} for an agent, {DisallowedHost} for a host. */
  processRequest(request: HttpRequest): HttpResponse | undefined {
    const { DISALLOWED_USER_AGENTS, PREPEND_WWW } = this.#settings;
    const agent = request.META.HTTP_USER_AGENT;
    // Not test(): an expression with the flag "g" would remember where it was.
    if (agent !== undefined && DISALLOWED_USER_AGENTS.some((pattern) => agent.search(pattern) >= 0)) {
      throw new PermissionDenied("Forbidden user agent");
    }
    const host = request.getHost();
    if (!PREPEND_WWW || host === "" || host.startsWith("www.")) return undefined;
    // Both in one redirect, where both are wanted.
    const path = this.#shouldRedirectWithSlash(request) ? this.#fullPathWithSlash(request) : request.getFullPath();
    return new HttpResponsePermanentRedirect(`${request.scheme}://www.${host}${path}`);
  }

  processResponse(request: HttpRequest, response: HttpResponse): HttpResponse {
    // Only now, since most requests find their view: resolving twice more is for those that did not.
    const answer = response.statusCode === 404 && this.#shouldRedirectWithSlash(request)
      ? new HttpResponsePermanentRedirect(this.#fullPathWithSlash(request))
      : response;
    if (!answer.streaming && !isBodyless(answer.statusCode) && !answer.headers.has("Content-Length")) {
      const length = answer.tell();
      // RFC 9110 §8.6: that of the answer to GET, which is not known where the view has made none for HEAD.
      if (length > 0 || request.method !== "HEAD") answer.headers.append("Content-Length", String(length));
    }
    return answer;
  }

  /** Whether the path leads nowhere and the one with a "/" at its end does. */
  #shouldRedirectWithSlash(request: HttpRequest): boolean {
    const { APPEND_SLASH, ROOT_URLCONF } = this.#settings;
    return APPEND_SLASH && shouldAppendSlash(request.pathInfo, request.urlconf ?? ROOT_URLCONF, request);
  }

  /** @throws {ImproperlyConfigured} with DEBUG, where the redirect would lose a body. */
  #fullPathWithSlash(request: HttpRequest): string {
    const path = escapeLeadingSlashes(request.getFullPath(true));
    if (this.#settings.DEBUG && WITH_BODY.has(request.method)) {
      throw new ImproperlyConfigured(
        `this URL was called with ${request.method}, and does not end with "/", and APPEND_SLASH is true: a redirect ` +
          `would lose what was sent. Let the form or script point to ${request.getHost()}${path} (note the "/" at its ` +
          "end), or set APPEND_SLASH to false",
      );
    }
    return path;
  }
}

/** A path that begins with "//" would be taken for another host (RFC 3986 §4.2). */
export function escapeLeadingSlashes(path: string): string {
  return path.startsWith("//") ? `/%2F${path.slice(2)}` : path;
}

/** CommonMiddleware is not to redirect to this view for a "/" that is missing. */
export function noAppendSlash<P>(view: View<P>): View<P> {
  return wrapView(view, (request, params) => view(request, params), { shouldAppendSlash: false });
}
