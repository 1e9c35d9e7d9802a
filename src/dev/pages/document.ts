// What all pages are made of: the document around them, lists of names and values, and what they know of the project.

import { Markup, markup, type Value } from "./html.ts";
import type { Row } from "./request.ts";
import { SCRIPT, STYLE } from "./style.ts";

/** What pages know beside what happened. */
export interface PageContext {
  /** The project's folder, with "/" between its parts: paths below it are shown from there. */
  readonly root: string;
  /** A URL template of editor.ts, with `{file}`, `{line}` and `{column}`. */
  readonly editor: string;
  /** What runs, for example `["tricorn 0.1.0", "node 24.1.0"]`. */
  readonly versions: readonly string[];
}

/** What a page puts into the document; `title` and `eyebrow` are the same for eye and ear. */
export interface DocumentParts {
  /** Of the window. */
  readonly title: string;
  readonly header: Value;
  readonly main: Value;
  readonly versions: readonly string[];
  /** Why somebody sees the page. */
  readonly reason: string;
}

/** A three-cornered hat, seen from the front. */
const HAT = "M2 13c3 6 9 9 17 9C19 11 24 4 32 4s13 7 13 18c8 0 14-3 17-9-1 14-14 23-30 23S3 27 2 13z";
const ICON = `data:image/svg+xml,${
  encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 40"><path fill="#7a8899" d="${HAT}"/></svg>`,
  )
}`;

/** The hat as a picture that says nothing. */
export const hat: Markup = markup`
  <svg class="hat" viewBox="0 0 64 40" aria-hidden="true">
    <path d="${HAT}" />
  </svg>
`;

// The two are ours, and in their elements nothing is escaped.
const style = new Markup(STYLE);
const script = new Markup(SCRIPT);

/** A whole HTML document. */
export function document(nonce: string, { title, header, main, versions, reason }: DocumentParts): string {
  return String(markup`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex">
        <title>${title}</title>
        <link rel="icon" href="${ICON}">
        <style nonce="${nonce}">${style}</style>
      </head>
      <body>
        <header>${header}</header>
        <main>${main}</main>
        <footer>${reason}<br>${versions.join(" · ")}</footer>
        <script nonce="${nonce}">${script}</script>
      </body>
    </html>
  `);
}

/** Names and values, folded. */
export function rows(title: string, list: readonly Row[]): Value {
  if (list.length === 0) return null;
  return markup`
    <details class="card">
      <summary>${title} <span class="at">${list.length}</span></summary>
      ${definitions(list)}
    </details>
  `;
}

/** Names and values. */
export function definitions(list: readonly Row[]): Value {
  const row = ([name, value]: Row): Value => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return markup`<dl class="mono">${list.map(row)}</dl>`;
}

/** What can be copied: the button is there where a script runs, and the text is there always. */
export const copyButton: Markup =
  markup`<button class="button" type="button" data-copy="text" hidden aria-live="polite">Copy as text</button>`;

/** The text of {@link copyButton}. */
export function copyText(text: string): Markup {
  return markup`
    <details class="card">
      <summary>All of it as plain text</summary>
      <pre class="text" id="text" tabindex="0">${text}</pre>
    </details>
  `;
}

/** `file` from the project's folder where it is in there. */
export function shorten(file: string, root: string): string {
  const prefix = root.endsWith("/") ? root : `${root}/`;
  return file.startsWith(prefix) ? file.slice(prefix.length) : file;
}
