// The fields by which a site asks browsers to be careful with it, and the redirect to TLS. As
// django/middleware/security.py.

import type { GetResponse, MiddlewareMethods } from "../base.ts";
import type { HttpRequest } from "../request.ts";
import { type HttpResponse, HttpResponsePermanentRedirect } from "../response.ts";
import { ResponseHeaders } from "../response_headers.ts";
import type { Settings } from "../settings.ts";

/** Each field is set unless the response has it; all by the settings SECURE_*. */
export class SecurityMiddleware implements MiddlewareMethods {
  readonly #settings: Settings;
  /** Strict-Transport-Security (RFC 6797 §6.1), or null. */
  readonly #hsts: string | null;
  readonly #fields: ResponseHeaders;

  constructor(_getResponse: GetResponse, settings: Settings) {
    this.#settings = settings;
    this.#hsts = hstsOf(settings);
    const fields: [string, string][] = [];
    if (settings.SECURE_CONTENT_TYPE_NOSNIFF) fields.push(["X-Content-Type-Options", "nosniff"]);
    const referrer = [settings.SECURE_REFERRER_POLICY ?? []].flat().flatMap((policy) => policy.split(","));
    if (referrer.length > 0) fields.push(["Referrer-Policy", referrer.map((policy) => policy.trim()).join(",")]);
    const opener = settings.SECURE_CROSS_ORIGIN_OPENER_POLICY;
    if (opener !== null && opener !== "") fields.push(["Cross-Origin-Opener-Policy", opener]);
    this.#fields = new ResponseHeaders(fields);
  }

  processRequest(request: HttpRequest): HttpResponse | undefined {
    const { SECURE_SSL_REDIRECT, SECURE_REDIRECT_EXEMPT, SECURE_SSL_HOST } = this.#settings;
    if (!SECURE_SSL_REDIRECT || request.isSecure()) return undefined;
    const path = request.path.replace(/^\/+/, "");
    // Not test(): an expression with the flag "g" would remember where it was.
    if (SECURE_REDIRECT_EXEMPT.some((pattern) => path.search(pattern) >= 0)) return undefined;
    return new HttpResponsePermanentRedirect(`https://${SECURE_SSL_HOST ?? request.getHost()}${request.getFullPath()}`);
  }

  processResponse(request: HttpRequest, response: HttpResponse): HttpResponse {
    const { headers } = response;
    // Over plain HTTP a browser must ignore it (RFC 6797 §8.1).
    if (this.#hsts !== null && request.isSecure()) headers.setDefault("Strict-Transport-Security", this.#hsts);
    headers.setDefaults(this.#fields);
    return response;
  }
}

function hstsOf(settings: Settings): string | null {
  if (settings.SECURE_HSTS_SECONDS === 0) return null;
  return `max-age=${settings.SECURE_HSTS_SECONDS}` +
    (settings.SECURE_HSTS_INCLUDE_SUBDOMAINS ? "; includeSubDomains" : "") +
    (settings.SECURE_HSTS_PRELOAD ? "; preload" : "");
}
