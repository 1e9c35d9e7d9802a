// Cross-site request forgery: an unsafe request must come from one of our own pages. It shows that by the token that its
// page was given, which belongs to a cookie that no other site can read; and by Origin, or over TLS by Referer. As
// django/middleware/csrf.py and django/views/decorators/csrf.py; the arithmetic is in csrf_token.ts.

import type { MaybePromise } from "../../esgi/application.ts";
import type { GetResponse, MiddlewareMethods, View } from "../base.ts";
import { patchVaryHeaders } from "../cache.ts";
import { type ViewMarks, wrapView } from "../decorators.ts";
import { DisallowedHost, ImproperlyConfigured } from "../exceptions.ts";
import { isSameDomain } from "../http.ts";
import { logResponse } from "../log.ts";
import type { HttpRequest } from "../request.ts";
import { type HttpResponse, HttpResponseForbidden } from "../response.ts";
import type { Settings } from "../settings.ts";
import { constantTimeCompare } from "../signing.ts";
import { maskSecret, newSecret, secretOf, tokenFault } from "./csrf_token.ts";

/** What `request.state` has of this. */
interface CsrfState {
  /** The secret of the cookie, or the one that the cookie is to have. */
  csrfSecret?: string;
  /** The response is to set the cookie. */
  csrfCookieNeedsUpdate?: boolean;
  /** Checked, or found to need no check. */
  csrfProcessingDone?: boolean;
}

/** A key of the environ: true from the test client, unless that is told to enforce the checks. */
export const DONT_ENFORCE_CSRF_CHECKS = "tricorn.dont_enforce_csrf_checks";

/** The field of a form that has the token. */
const FIELD = "csrfmiddlewaretoken";
// RFC 9110 §9.2.1.
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/**
 * The token for a form's field `csrfmiddlewaretoken`, or for the header X-CSRFToken: 64 letters and digits, other ones at
 * each call, good for as long as the cookie. The response will set the cookie, and vary on it, so do not call this where
 * no form is.
 */
export function getToken(request: HttpRequest): string {
  const state: CsrfState = request.state;
  if (state.csrfSecret === undefined) return maskSecret(addNewSecret(state));
  // The cookie is used: it lives for another CSRF_COOKIE_AGE.
  state.csrfCookieNeedsUpdate = true;
  return maskSecret(state.csrfSecret);
}

/** Takes a new secret: for a login, so that a token from before it, which another may know, is worth nothing after. */
export function rotateToken(request: HttpRequest): void {
  addNewSecret(request.state);
}

function addNewSecret(state: CsrfState): string {
  state.csrfCookieNeedsUpdate = true;
  return state.csrfSecret = newSecret();
}

/** Refuses unsafe requests that do not show where they come from. {@link getToken} needs it. */
export class CsrfViewMiddleware implements MiddlewareMethods {
  readonly #settings: Settings;
  readonly #exactOrigins: ReadonlySet<string>;
  /** Trusted origins with a "*", as the URL's scheme and `.example.com`. */
  readonly #originSubdomains: readonly Origin[];
  /** The hosts of all trusted origins; those that had a "*" begin with ".". */
  readonly #trustedHosts: readonly string[];

  constructor(_getResponse: GetResponse, settings: Settings) {
    this.#settings = settings;
    const trusted = settings.CSRF_TRUSTED_ORIGINS;
    const parsed = trusted.map(parseTrustedOrigin);
    this.#exactOrigins = new Set(trusted.filter((origin) => !origin.includes("*")));
    this.#originSubdomains = parsed.filter(({ host }) => host.startsWith("."));
    this.#trustedHosts = parsed.map(({ host }) => host);
  }

  processRequest(request: HttpRequest): void {
    const state: CsrfState = request.state;
    const cookie = request.COOKIES[this.#settings.CSRF_COOKIE_NAME];
    // Where a decorator comes after the middleware, the token may have been rotated.
    if (cookie === undefined || state.csrfSecret !== undefined) return;
    if (tokenFault(cookie) === null) state.csrfSecret = secretOf(cookie);
    else addNewSecret(state);
  }

  processView(request: HttpRequest, view: View): MaybePromise<HttpResponse | undefined> {
    const state: CsrfState = request.state;
    if (state.csrfProcessingDone === true) return undefined;
    // Not done before: a view that is exempt may still call getToken.
    if ((view as ViewMarks).csrfExempt === true) return undefined;
    if (SAFE_METHODS.has(request.method) || request.META[DONT_ENFORCE_CSRF_CHECKS] === true) {
      state.csrfProcessingDone = true;
      return undefined;
    }
    return this.#check(request);
  }

  processResponse(request: HttpRequest, response: HttpResponse): HttpResponse {
    const state: CsrfState = request.state;
    if (state.csrfCookieNeedsUpdate === true) {
      this.#setCookie(state.csrfSecret!, response);
      // Where this middleware and a decorator do the same, once is enough.
      state.csrfCookieNeedsUpdate = false;
    }
    return response;
  }

  async #check(request: HttpRequest): Promise<HttpResponse | undefined> {
    const reason = this.#whyNotFromHere(request) ?? await this.#whyNoToken(request);
    if (reason !== null) return await this.#reject(request, reason);
    (request.state as CsrfState).csrfProcessingDone = true;
    return undefined;
  }

  async #reject(request: HttpRequest, reason: string): Promise<HttpResponse> {
    const view = this.#settings.CSRF_FAILURE_VIEW ?? csrfFailure;
    const response = await view(request, { reason });
    logResponse(`Forbidden (${reason})`, response, request, { logger: "tricorn.security.csrf" });
    return response;
  }

  #setCookie(secret: string, response: HttpResponse): void {
    const settings = this.#settings;
    response.setCookie(settings.CSRF_COOKIE_NAME, secret, {
      maxAge: settings.CSRF_COOKIE_AGE,
      domain: settings.CSRF_COOKIE_DOMAIN,
      path: settings.CSRF_COOKIE_PATH,
      secure: settings.CSRF_COOKIE_SECURE,
      httponly: settings.CSRF_COOKIE_HTTPONLY,
      samesite: settings.CSRF_COOKIE_SAMESITE,
    });
    patchVaryHeaders(response, ["Cookie"]);
  }

  /** What Origin, or over TLS Referer, has against the request; null: nothing. */
  #whyNotFromHere(request: HttpRequest): string | null {
    const origin = request.META.HTTP_ORIGIN;
    if (origin !== undefined) {
      return this.#isTrusted(request, origin)
        ? null
        : `Origin checking failed - ${origin} does not match any trusted origins.`;
    }
    // Whoever is between a client and http://example.com can set cookies for https://example.com, and send a form from
    // there with the token that belongs to them. Nearly all browsers tell their Referer to their own site over TLS.
    return request.isSecure() ? this.#whyNotReferer(request) : null;
  }

  #isTrusted(request: HttpRequest, origin: string): boolean {
    const host = hostOf(request);
    if (host !== null && origin === `${request.isSecure() ? "https" : "http"}://${host}`) return true;
    if (this.#exactOrigins.has(origin)) return true;
    const parsed = parseOrigin(origin);
    if (parsed === null) return false;
    return this.#originSubdomains.some(({ scheme, host }) =>
      scheme === parsed.scheme && isSameDomain(parsed.host, host)
    );
  }

  #whyNotReferer(request: HttpRequest): string | null {
    const field = request.META.HTTP_REFERER;
    if (field === undefined) return "Referer checking failed - no Referer.";
    const referer = parseOrigin(field);
    if (referer === null) return "Referer checking failed - Referer is malformed.";
    if (referer.scheme !== "https") return "Referer checking failed - Referer is insecure while host is secure.";
    if (this.#trustedHosts.some((host) => isSameDomain(referer.host, host))) return null;
    const good = this.#goodReferer(request);
    if (good !== null && isSameDomain(referer.host, good)) return null;
    return `Referer checking failed - ${field} does not match any trusted origins.`;
  }

  /** The host, with its port, of our own pages. */
  #goodReferer(request: HttpRequest): string | null {
    const domain = this.#settings.CSRF_COOKIE_DOMAIN;
    if (domain === null) return hostOf(request);
    const port = request.getPort();
    return port === "443" || port === "80" ? domain : `${domain}:${port}`;
  }

  /** What is wrong with the token or its cookie; null: nothing. */
  async #whyNoToken(request: HttpRequest): Promise<string | null> {
    const cookie = request.COOKIES[this.#settings.CSRF_COOKIE_NAME];
    // Without a cookie there is no token either, and with that no forged login.
    if (cookie === undefined) return "CSRF cookie not set.";
    const cookieFault = tokenFault(cookie);
    if (cookieFault !== null) return `CSRF cookie ${cookieFault}.`;
    const secret = secretOf(cookie);

    // The header first, unlike Django: a body whose sender has shown the token need not be read, and may be streamed.
    const key = this.#settings.CSRF_HEADER_NAME as "HTTP_X_CSRFTOKEN";
    const header = request.META[key];
    if (header !== undefined && tokenFault(header) === null && matches(header, secret)) return null;

    // A body that cannot be read, or is too large, is answered with its own status: that is what its sender must know.
    const field = request.method === "POST" ? (await request.POST).get(FIELD) ?? "" : "";
    const token = field === "" ? header : field;
    if (token === undefined) return "CSRF token missing.";
    const source = field === "" ? `the '${headerName(key)}' HTTP header` : "POST";
    const fault = tokenFault(token) ?? (matches(token, secret) ? null : "incorrect");
    return fault === null ? null : `CSRF token from ${source} ${fault}.`;
  }
}

/** `token` is well-formed. */
function matches(token: string, secret: string): boolean {
  return constantTimeCompare(secretOf(token), secret);
}

/** `HTTP_X_CSRFTOKEN` as a person writes it: `X-Csrftoken`. */
function headerName(key: string): string {
  return key.replace(/^HTTP_/, "").toLowerCase().replace(
    /(^|_)([a-z])/g,
    (_, dash: string, letter: string) => (dash === "" ? "" : "-") + letter.toUpperCase(),
  );
}

/** The host that the request was sent to; null where that is none of ours. */
function hostOf(request: HttpRequest): string | null {
  try {
    return request.getHost();
  } catch (error) {
    if (error instanceof DisallowedHost) return null;
    throw error;
  }
}

interface Origin {
  readonly scheme: string;
  /** With the port, where there is one. */
  readonly host: string;
}

/** The scheme and host of a URL; null where it has none. No browser sends a user, or a backslash, there. */
export function parseOrigin(url: string): Origin | null {
  const [, scheme, host] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\\@\s]+)(?:[/?#]|$)/i.exec(url) ?? [];
  return scheme === undefined || host === undefined ? null : { scheme: scheme.toLowerCase(), host };
}

/** A member of CSRF_TRUSTED_ORIGINS, its host without a leading "*". */
function parseTrustedOrigin(origin: string): Origin {
  const parsed = parseOrigin(origin.replace("://*.", "://."));
  if (parsed === null || origin.slice(origin.indexOf("://") + 3).includes("/") || parsed.host.includes("*")) {
    throw new ImproperlyConfigured(
      `the setting CSRF_TRUSTED_ORIGINS has ${JSON.stringify(origin)}, which is no origin: ` +
        `write "https://example.com", or "https://*.example.com" for all below it`,
    );
  }
  return parsed;
}

/** The view of a request that was refused, where CSRF_FAILURE_VIEW is null. The reason is told with DEBUG only. */
export function csrfFailure(request: HttpRequest, { reason }: { reason: string }): HttpResponse {
  const detail = request.settings.DEBUG
    ? `<p>Reason given for failure: <code>${escapeHtml(reason)}</code></p>
<p>A form that is sent with POST needs the field <code>${FIELD}</code> with <code>getToken(request)</code>, or the header
X-CSRFToken; the middleware CsrfViewMiddleware or the decorator csrfProtect; and a browser that takes cookies. You see
this because DEBUG is true.</p>
`
    : `<p>You are seeing this message because this site requires a CSRF cookie when submitting forms, so that your browser
is not being hijacked by third parties. If it does not accept cookies from this site, or sends no “Referer”, please
re-enable these, at least for this site.</p>
`;
  return new HttpResponseForbidden(
    `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="robots" content="NONE,NOARCHIVE">
<title>403 Forbidden</title>
<h1>Forbidden <span>(403)</span></h1>
<p>CSRF verification failed. Request aborted.</p>
${detail}</html>
`,
    { contentType: "text/html; charset=utf-8" },
  );
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Takes unsafe requests from anywhere: for a view that knows its clients by something else than cookies. */
export function csrfExempt<P>(view: View<P>): View<P> {
  return wrapView(view, (request, params) => view(request, params), { csrfExempt: true });
}

/** Protects a view where the middleware does not. */
export function csrfProtect<P>(view: View<P>): View<P> {
  return wrapView(view, async (request, params) => {
    const middleware = middlewareFor(request.settings);
    middleware.processRequest(request);
    const refusal = await middleware.processView(request, view);
    return middleware.processResponse(request, refusal ?? await view(request, params));
  });
}

/** Sends the cookie with each response: for a page without a form, whose script will send what is unsafe. */
export function ensureCsrfCookie<P>(view: View<P>): View<P> {
  return wrapView(view, async (request, params) => {
    const middleware = middlewareFor(request.settings);
    middleware.processRequest(request);
    getToken(request);
    return middleware.processResponse(request, await view(request, params));
  });
}

const middlewares = new WeakMap<Settings, CsrfViewMiddleware>();

/** A decorator has no settings before its first request. */
function middlewareFor(settings: Settings): CsrfViewMiddleware {
  let middleware = middlewares.get(settings);
  if (middleware === undefined) {
    middleware = new CsrfViewMiddleware((): never => {
      throw new Error("a decorator calls its view itself");
    }, settings);
    middlewares.set(settings, middleware);
  }
  return middleware;
}
