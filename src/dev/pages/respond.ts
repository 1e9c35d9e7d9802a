// A page as a response: HTML for browsers, JSON for programs that ask for it (RFC 9457), plain text for everybody else.

import type { StartResponse } from "../../esgi/application.ts";
import type { Environ, Headers } from "../../esgi/environ.ts";
import { REASON_PHRASES } from "../../esgi/reason_phrases.ts";

/** What a page says, in the three forms. */
export interface Page {
  /** A whole document. Its style and its script carry `nonce`; it loads nothing else. */
  html(nonce: string): string;
  text(): string;
  /** The members of a problem beside `type`, `title` and `status`. */
  json(): Readonly<Record<string, unknown>>;
}

export type Form = "html" | "json" | "text";

/** A page in the form that its client prefers. */
export interface RenderedPage {
  readonly headers: Headers;
  readonly content: string;
}

// Of those that are asked for alike, the one that says most.
const FORMS: readonly (readonly [form: Form, types: readonly string[]])[] = [
  ["html", ["text/html"]],
  ["json", ["application/json", "application/problem+json"]],
  ["text", ["text/plain"]],
];

/** The form that an Accept field prefers (RFC 9110 §12.5.1). Who takes anything, as curl does, gets text. */
export function preferredForm(accept: string | undefined): Form {
  let best: Form = "text";
  let rank = 0;
  for (const [form, types] of FORMS) {
    const one = Math.max(...types.map((type) => rankOf(type, accept ?? "*/*")));
    // A range such as text/* does not ask for a page.
    if (one > rank || (one === rank && one % 1 < 0.2 && form === "text")) [best, rank] = [form, one];
  }
  return best;
}

/** The quality in thousands, and behind the point how closely it is said: 0.1 for any type, 0.15 for any subtype, 0.3. */
function rankOf(type: string, accept: string): number {
  let closest = 0;
  let quality = 0;
  for (const range of accept.toLowerCase().split(",")) {
    const [name = "", ...parameters] = range.split(";").map((part) => part.trim());
    const closeness = name === type ? 0.3 : name === `${type.split("/")[0]}/*` ? 0.15 : name === "*/*" ? 0.1 : 0;
    if (closeness === 0 || closeness < closest) continue;
    const q = Number(parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? 1);
    closest = closeness;
    quality = q >= 0 && q <= 1 ? Math.round(q * 1000) : 1000;
  }
  return quality === 0 ? 0 : quality + closest;
}

/** `page` for a client whose Accept field is `accept`; undefined: it has none. */
export function renderPage(accept: string | undefined, status: number, page: Page): RenderedPage {
  const form = preferredForm(accept);
  const [type, content, ...more] = form === "html"
    ? htmlOf(page)
    : form === "json"
    ? ["application/problem+json", `${JSON.stringify(problem(status, page), null, 2)}\n`] as const
    : ["text/plain; charset=utf-8", page.text()] as const;
  return {
    headers: [
      ["Content-Type", type],
      ["Cache-Control", "no-store"],
      ["Vary", "Accept"],
      ["X-Content-Type-Options", "nosniff"],
      ...more,
    ],
    content,
  };
}

function htmlOf(page: Page): readonly [type: string, content: string, policy: readonly [string, string]] {
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18))));
  // 'self' is for the script that refreshes the page, and for what it listens to.
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}' 'self'; ` +
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
  return ["text/html; charset=utf-8", page.html(nonce), ["Content-Security-Policy", policy]];
}

/** RFC 9457 §3.1. */
function problem(status: number, page: Page): object {
  return { type: "about:blank", title: reasonPhrase(status), status, ...page.json() };
}

/** "Not Found"; "" where none is agreed on. */
export function reasonPhrase(status: number): string {
  return REASON_PHRASES[status] ?? "";
}

/**
 * Answers a request with `page` and returns the body. `error` is what was thrown, where something was: startResponse may
 * have been called before, and throws it once something has been sent.
 */
export function respondWithPage(
  environ: Environ,
  startResponse: StartResponse,
  status: number,
  page: Page,
  error?: unknown,
): string {
  const { headers, content } = renderPage(environ.HTTP_ACCEPT, status, page);
  const line = `${status} ${reasonPhrase(status)}`;
  if (error === undefined) startResponse(line, headers);
  else startResponse(line, headers, error);
  return content;
}
