// The page for what was thrown while a request was answered.

import { escapeLine } from "../../observe/text.ts";
import type { Failure } from "../failure.ts";
import { copyButton, copyText, definitions, document, type PageContext, rows } from "./document.ts";
import { causes, culprit, editLink, failureJson, failureText, frameList, heading, messageOf } from "./failure.ts";
import { markup, type Value } from "./html.ts";
import type { RequestInfo, Row } from "./request.ts";
import { type Page, reasonPhrase } from "./respond.ts";

/** What happened. */
export interface ErrorDetails {
  readonly failure: Failure;
  readonly status: number;
  /** Null where it is not known. */
  readonly request: RequestInfo | null;
  /** The project's settings, without secrets (`describeSettings`); [] when there are none. */
  readonly settings: readonly Row[];
  /** The view or route that was called; null when there is none. */
  readonly view: string | null;
}

/** The page of an error. */
export function errorPage(details: ErrorDetails, context: PageContext): Page {
  const { failure, request, settings, view, status } = details;
  const text = (): string => {
    const place = request === null ? "" : `: ${request.method} ${request.url}`;
    const of = view === null ? "" : `\nview: ${escapeLine(view)}`;
    return `${status} ${reasonPhrase(status)}${place}${of}\n\n${failureText(failure, context)}\n\n${
      context.versions.join(", ")
    }\n`;
  };
  return {
    text,
    json: () => ({
      detail: `${failure.name}: ${messageOf(failure)}`,
      error: failureJson(failure),
      ...(request === null ? {} : { request: { method: request.method, url: request.url } }),
      ...(view === null ? {} : { view }),
      versions: context.versions,
    }),
    html: (nonce) =>
      document(nonce, {
        title: `${failure.name}: ${messageOf(failure).slice(0, 100)}`,
        header: markup`<p class="eyebrow mono"><b>${status}</b> ${reasonPhrase(status)}${
          request === null ? null : ` · ${request.method} ${request.path}`
        }</p>
${heading(failure)}
<div class="actions">${copyButton}${editLink(culprit(failure), context, "button")}</div>`,
        main: markup`<h2>Where</h2>
${frameList(failure, context) ?? markup`<p>The runtime does not say where.</p>`}
${causes(failure, context)}
${request === null ? null : requestView(request, view)}
${settings.length === 0 ? null : markup`<h2>Project</h2>${rows("Settings", settings)}`}
<h2>To copy</h2>
${copyText(text())}`,
        versions: [...context.versions, context.root],
        reason: "You see this because the project is being developed. In production there is a plain error page.",
      }),
  };
}

/** What was asked. */
export function requestView(
  { method, url, query, headers, cookies, environ }: RequestInfo,
  view: string | null,
): Value {
  const head: Row[] = [["Method", method], ["URL", url]];
  if (view !== null) head.push(["View", view]);
  if (cookies.length > 0) head.push(["Cookies", cookies.join(", ")]);
  return markup`
    <h2>Request</h2>
    <div class="card">
      ${definitions(head)}
    </div>
    ${rows("Query", query)}${rows("Headers", headers)}${rows("Environ", environ)}
  `;
}
