// Cross-origin requests by the Fetch standard's CORS protocol (§3.3): which other sites' scripts may read our answers.
// Names are those of django-cors-headers. Written here because the libraries are each made for a framework's own
// objects: hono/cors for Hono's context, the package cors for Node's responses.

import type { MiddlewareFactory } from "../base.ts";
import { patchVaryHeaders } from "../cache.ts";
import { ImproperlyConfigured } from "../exceptions.ts";
import type { HttpRequest } from "../request.ts";
import { HttpResponse } from "../response.ts";

export interface CorsOptions {
  /** Origins as browsers send them, `https://example.com`; expressions, which must match a whole one; or "*": all. */
  readonly allowedOrigins: "*" | readonly (string | RegExp)[];
  /** Lets scripts send cookies and read the answers to them. Not with "*". Default false. */
  readonly allowCredentials?: boolean;
  /** Default DELETE, GET, OPTIONS, PATCH, POST, PUT. */
  readonly allowMethods?: readonly string[];
  /** Request fields that scripts may set. Default Accept, Authorization, Content-Type, User-Agent, X-CSRFToken, X-Requested-With. */
  readonly allowHeaders?: readonly string[];
  /** Response fields that scripts may read, beside those that they always may. Default none. */
  readonly exposeHeaders?: readonly string[];
  /** Seconds for which a browser need not ask again. Default a day. */
  readonly preflightMaxAge?: number;
}

const METHODS = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"];
const HEADERS = ["accept", "authorization", "content-type", "user-agent", "x-csrftoken", "x-requested-with"];

/**
 * A middleware; before those that answer by themselves, so that scripts may read their answers, too.
 *
 * @throws {ImproperlyConfigured} for credentials from everywhere, which would give each user's pages to every site, and
 * for an origin with a path or without a scheme.
 */
export function cors(options: CorsOptions): MiddlewareFactory {
  const { allowedOrigins, allowCredentials = false } = options;
  if (allowedOrigins === "*" && allowCredentials) {
    throw new ImproperlyConfigured(
      'cors: allowCredentials goes with a list of allowedOrigins, not with "*": any site could read what a user may',
    );
  }
  const isAllowed = allowedOrigins === "*" ? () => true : matcher(allowedOrigins);
  const methods = (options.allowMethods ?? METHODS).join(", ");
  const headers = (options.allowHeaders ?? HEADERS).join(", ");
  const exposed = (options.exposeHeaders ?? []).join(", ");
  const maxAge = String(options.preflightMaxAge ?? 86_400);

  function allow(response: HttpResponse, origin: string): void {
    response.headers.set("Access-Control-Allow-Origin", allowedOrigins === "*" ? "*" : origin);
    if (allowCredentials) response.headers.set("Access-Control-Allow-Credentials", "true");
  }

  return (getResponse) => async (request) => {
    const origin = request.META.HTTP_ORIGIN;
    const allowed = origin !== undefined && isAllowed(origin);
    const preflight = isPreflight(request);
    const response = preflight ? new HttpResponse("", { status: 204 }) : await getResponse(request);
    // For requests without an Origin, too: a cache must not give their answer to those that have one.
    if (allowedOrigins !== "*") patchVaryHeaders(response, ["Origin"]);
    if (preflight) response.headers.delete("Content-Type");
    if (!allowed) return response;
    allow(response, origin);
    if (preflight) {
      response.headers.set("Access-Control-Allow-Methods", methods);
      response.headers.set("Access-Control-Allow-Headers", headers);
      response.headers.set("Access-Control-Max-Age", maxAge);
    } else if (exposed !== "") {
      response.headers.set("Access-Control-Expose-Headers", exposed);
    }
    return response;
  };
}

/** A browser asks before it sends (Fetch §4.8). It is answered here: the view would not know the question. */
function isPreflight({ method, META }: HttpRequest): boolean {
  return method === "OPTIONS" && META.HTTP_ORIGIN !== undefined &&
    META.HTTP_ACCESS_CONTROL_REQUEST_METHOD !== undefined;
}

function matcher(allowed: readonly (string | RegExp)[]): (origin: string) => boolean {
  const exact = new Set(allowed.filter((one) => typeof one === "string"));
  for (const origin of exact) {
    if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.test(origin)) {
      throw new ImproperlyConfigured(
        `cors: ${JSON.stringify(origin)} in allowedOrigins is no origin: write "https://example.com", without a path`,
      );
    }
  }
  // The whole origin: /https:\/\/example\.com/ is not to let https://example.com.evil.org in.
  const expressions = allowed.filter((one) => one instanceof RegExp)
    .map((one) => new RegExp(`^(?:${one.source})$`, one.flags.replace(/[gy]/g, "")));
  return (origin) => exact.has(origin) || expressions.some((one) => one.test(origin));
}
