// Views around views, as django/views/decorators: which methods a view takes, and what caches are told of it. Those of
// CSRF and of frames are with their middleware. Each keeps what is marked on the view (Django's functools.wraps).

import type { View } from "./base.ts";
import { addNeverCacheHeaders, type CacheControl, patchCacheControl, patchVaryHeaders } from "./cache.ts";
import { logResponse } from "./log.ts";
import { ConditionalGetMiddleware } from "./middleware/conditional_get.ts";
import { type HttpResponse, HttpResponseNotAllowed } from "./response.ts";

/** What can be marked on a view for a middleware to see. */
export interface ViewMarks {
  /** Set by `csrfExempt`. */
  csrfExempt?: boolean;
  /** False after `noAppendSlash`. */
  shouldAppendSlash?: boolean;
}

/** Gives `wrapper` the name of `view`, all that is marked on it, and `marks`. */
export function wrapView<P>(view: View<P>, wrapper: View<P>, marks: ViewMarks = {}): View<P> {
  Object.defineProperty(wrapper, "name", { value: view.name, configurable: true });
  return Object.assign(wrapper, view, marks);
}

/**
 * Answers other methods with 405 and the Allow field (RFC 9110 §15.5.6). GET does not bring HEAD with it:
 * {@link requireSafe} has both.
 */
export function requireHttpMethods(methods: readonly string[]): <P>(view: View<P>) => View<P> {
  return (view) =>
    wrapView(view, (request, params) => {
      if (methods.includes(request.method)) return view(request, params);
      const response = new HttpResponseNotAllowed(methods);
      logResponse(`Method Not Allowed (${request.method})`, response, request);
      return response;
    });
}

/** GET alone. */
export const requireGET: <P>(view: View<P>) => View<P> = requireHttpMethods(["GET"]);
/** POST alone. */
export const requirePOST: <P>(view: View<P>) => View<P> = requireHttpMethods(["POST"]);
/** GET and HEAD: what must change nothing. */
export const requireSafe: <P>(view: View<P>) => View<P> = requireHttpMethods(["GET", "HEAD"]);

/** A decorator that does something to each response. */
function patching(patch: (response: HttpResponse) => void): <P>(view: View<P>) => View<P> {
  return (view) =>
    wrapView(view, async (request, params) => {
      const response = await view(request, params);
      patch(response);
      return response;
    });
}

/** Nobody is to keep the response. */
export const neverCache: <P>(view: View<P>) => View<P> = patching(addNeverCacheHeaders);

/** Adds directives to Cache-Control: `cacheControl({ public: true, maxAge: 3600 })(view)`. */
export function cacheControl(directives: CacheControl): <P>(view: View<P>) => View<P> {
  return patching((response) => patchCacheControl(response, directives));
}

/** Adds field names to Vary: `varyOnHeaders("Accept-Language")(view)`. */
export function varyOnHeaders(...names: string[]): <P>(view: View<P>) => View<P> {
  return patching((response) => patchVaryHeaders(response, names));
}

/** Adds Cookie to Vary. */
export const varyOnCookie: <P>(view: View<P>) => View<P> = varyOnHeaders("Cookie");

const conditionalGet = new ConditionalGetMiddleware();

/** Does for one view what ConditionalGetMiddleware does for all: an ETag, and 304 where the client's copy is good. */
export function conditionalPage<P>(view: View<P>): View<P> {
  return wrapView(
    view,
    async (request, params) => await conditionalGet.processResponse(request, await view(request, params)),
  );
}
