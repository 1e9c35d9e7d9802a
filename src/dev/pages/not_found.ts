// The page for a path that leads nowhere, or whose view says that there is no such thing.

import { escapeLine } from "../../observe/text.ts";
import { copyButton, copyText, document, type PageContext } from "./document.ts";
import { requestView } from "./error.ts";
import { markup, type Value } from "./html.ts";
import type { RequestInfo } from "./request.ts";
import type { Page } from "./respond.ts";

/** A route of the project. */
export interface TriedRoute {
  /** As it was written, includes and all. */
  readonly route: string;
  readonly name: string | null;
  /** Null: all. */
  readonly methods: readonly string[] | null;
}

/** What was not found. */
export interface NotFoundDetails {
  readonly request: RequestInfo;
  /** The view or route that said so; null when none was called. */
  readonly view: string | null;
  /** What it said; "" when nothing. */
  readonly message: string;
  /** The routes that were tried, in order; null where that is not known. */
  readonly tried: readonly TriedRoute[] | null;
}

/** The page of a 404. */
export function notFoundPage({ request, view, message, tried }: NotFoundDetails, context: PageContext): Page {
  const why = view !== null
    ? `${view} says that there is no such thing${message === "" ? "." : `: ${message}`}`
    : tried === null
    ? message || "The application answered 404."
    : tried.length === 0
    ? "The project has no routes yet."
    : "No route matches it.";
  const listed = view === null ? tried ?? [] : [];
  const sentence = listed.length === 0 ? why : `${why} These were tried, in this order:`;
  const text = `404 Not Found: ${request.method} ${request.url}\n\n${escapeLine(sentence)}\n${
    listed.map((one, i) => `${String(i + 1).padStart(4)}. ${escapeLine(routeText(one))}\n`).join("")
  }\n${context.versions.join(", ")}\n`;
  return {
    text: () => text,
    json: () => ({
      detail: why,
      request: { method: request.method, url: request.url },
      ...(view === null ? {} : { view }),
      ...(listed.length === 0 ? {} : { tried: listed }),
    }),
    html: (nonce) =>
      document(nonce, {
        title: `Not found: ${request.path}`,
        header: markup`<p class="eyebrow mono"><b>404</b> Not Found · ${request.method}</p>
<h1>${request.path || "/"}</h1>
<p>${sentence}</p>
<div class="actions">${copyButton}</div>`,
        main: markup`${listed.length === 0 ? null : markup`<h2>Routes</h2>${routesView(listed)}`}
${requestView(request, view)}
<h2>To copy</h2>
${copyText(text)}`,
        versions: context.versions,
        reason: "You see this because the project is being developed. In production there is a plain page.",
      }),
  };
}

function routesView(tried: readonly TriedRoute[]): Value {
  if (tried.length === 0) return null;
  return markup`<ol class="card routes mono">${
    tried.map(({ route, name, methods }) => {
      const before = methods === null ? null : markup`<span>${methods.join(" ")}</span> `;
      const after = name === null ? null : markup` <span>[${name}]</span>`;
      return markup`<li>${before}${route === "" ? '""' : route}${after}</li>`;
    })
  }</ol>`;
}

function routeText({ route, name, methods }: TriedRoute): string {
  return `${methods === null ? "" : `${methods.join(",")} `}'${route}'${name === null ? "" : ` [name='${name}']`}`;
}
