// A Failure on a page: its head, its frames with their lines, its causes; as HTML, as text and as JSON.

import { escapeBlock, escapeLine } from "../../observe/text.ts";
import type { Failure, Frame } from "../failure.ts";
import { hideInText } from "../secrets.ts";
import { type PageContext, shorten } from "./document.ts";
import { editorUrl } from "./editor.ts";
import { type Markup, markup, type Value } from "./html.ts";

/** The first frame of the project's own code, or the first of all; null when there is none. */
export function culprit({ frames }: Failure): Frame | null {
  return frames.find(({ owner }) => owner === "application") ?? frames[0] ?? null;
}

/** What was thrown, in one line or as many as its message has. Passwords of URLs are hidden. */
export function messageOf({ message }: Failure): string {
  return hideInText(message);
}

/** A page's heading: the error's name, and its message. */
export function heading(failure: Failure): Markup {
  const { name, code } = failure;
  const message = messageOf(failure) || "(no message)";
  const words = markup`<small>${name}${code === null ? null : ` [${code}]`}</small>${message}`;
  return message.length > 300 ? markup`<h1 class="long">${words}</h1>` : markup`<h1>${words}</h1>`;
}

/** `file:line:column`, as far as it is known. */
export function placeOf({ file, line, column }: Frame, { root }: PageContext): string {
  return [shorten(file, root), line, column].filter((part) => part !== null).join(":");
}

/** The link that opens a frame's place in the editor. */
export function editLink(frame: Frame | null, { editor }: PageContext, className: string): Value {
  const url = frame === null ? null : editorUrl(editor, frame);
  return url === null ? null : markup`<a class="${className}" href="${url}">Open in editor</a>`;
}

/** Frames: the project's open, others folded, and those that follow each other folded together. */
export function frameList(failure: Failure, context: PageContext): Value {
  if (failure.frames.length === 0) return null;
  const items: Value[] = [];
  for (let at = 0; at < failure.frames.length;) {
    const frame = failure.frames[at]!;
    let end = at + 1;
    if (frame.owner === "application") {
      items.push(markup`<li>${frameView(frame, context, true)}</li>`);
    } else {
      while (end < failure.frames.length && failure.frames[end]!.owner !== "application") end++;
      items.push(markup`<li>${otherFrames(failure.frames.slice(at, end), context)}</li>`);
    }
    at = end;
  }
  return markup`<ol>${items}</ol>`;
}

function otherFrames(frames: readonly Frame[], context: PageContext): Markup {
  if (frames.length === 1) return frameView(frames[0]!, context, false);
  return markup`
    <details class="card">
      <summary><span class="at">${frames.length} frames of ${ownersOf(frames)}</span></summary>
      <div class="inner">${frames.map((frame) => frameView(frame, context, false))}</div>
    </details>
  `;
}

function ownersOf(frames: readonly Frame[]): string {
  return frames.every(({ owner }) => owner === "runtime") ? "the runtime" : "libraries";
}

function frameView(frame: Frame, context: PageContext, open: boolean): Markup {
  const place = placeOf(frame, context);
  const head = frame.function === null
    ? markup`<code class="fn">${place}</code>`
    : markup`<code><span class="fn">${frame.function}</span> <span class="at">${place}</span></code>`;
  const link = editLink(frame, context, "edit");
  if (frame.excerpt === null) return markup`<div class="card"><div class="plain">${head}</div>${link}</div>`;
  return markup`
    <details class="card" ${open ? "open" : null}><summary>${head}</summary>${link}${excerptView(frame)}</details>
  `;
}

function excerptView({ excerpt, line, column, file }: Frame): Markup {
  const { start, lines } = excerpt!;
  const view = lines.map((text, i) => {
    const number = start + i;
    if (number !== line) return markup`<span class="row"><i>${number}</i>${text}\n</span>`;
    return markup`<span class="row here" aria-current="true"><i>▸ ${number}</i>${underlined(text, column)}\n</span>`;
  });
  return markup`<pre class="scroll" tabindex="0" role="region" aria-label="${`Lines of ${file}`}"><code>${view}</code></pre>`;
}

/** A line with the word at `column` marked. */
function underlined(text: string, column: number | null): Value {
  if (column === null || column > text.length) return text;
  const [word] = /^(?:[\p{ID_Continue}$]+|.)/u.exec(text.slice(column - 1)) ?? [""];
  return markup`${text.slice(0, column - 1)}<u>${word}</u>${text.slice(column - 1 + word.length)}`;
}

/** Causes and the errors of an AggregateError, each with its frames. */
export function causes(failure: Failure, context: PageContext): Value {
  const one = (title: string, inner: Failure): Markup =>
    markup`
      <h2>${title}</h2>
      <div class="quote"><h3>${inner.name}: ${messageOf(inner)}</h3>${frameList(inner, context)}${
      causes(
        inner,
        context,
      )
    }</div>
    `;
  return [
    failure.cause === null ? null : one("Caused by", failure.cause),
    ...failure.errors.map((inner, i) => one(`Error ${i + 1} of ${failure.errors.length}`, inner)),
  ];
}

/** The failure as text, fit for a terminal. */
export function failureText(failure: Failure, context: PageContext): string {
  const lines = [`${escapeLine(failure.name)}: ${escapeBlock(messageOf(failure), "  ")}`];
  const first = culprit(failure);
  // What called the project's code says little about it.
  const end = failure.frames.findLastIndex(({ owner }) => owner === "application") + 1 || failure.frames.length;
  for (const frame of failure.frames.slice(0, end)) {
    const place = placeOf(frame, context);
    lines.push(`    at ${escapeLine(frame.function === null ? place : `${frame.function} (${place})`)}`);
    if (frame === first && frame.excerpt !== null) lines.push(...excerptText(frame));
  }
  const rest = failure.frames.length - end;
  if (rest > 0) lines.push(`    and ${rest} frame${rest === 1 ? "" : "s"} of ${ownersOf(failure.frames.slice(end))}`);
  for (const inner of failure.errors) lines.push(`one of them: ${failureText(inner, context)}`);
  if (failure.cause !== null) lines.push(`caused by: ${failureText(failure.cause, context)}`);
  return lines.join("\n");
}

/** Two lines before and after. */
function excerptText({ excerpt, line }: Frame): string[] {
  const { start, lines } = excerpt!;
  return lines.flatMap((text, i) => {
    const number = start + i;
    if (Math.abs(number - line!) > 2) return [];
    const shown = escapeLine(text.replaceAll("\t", "    "));
    return [`      ${number === line ? ">" : " "} ${String(number).padStart(5)} | ${shown}`.trimEnd()];
  });
}

/** The failure as JSON; without excerpts, which the client may read itself. */
export function failureJson(failure: Failure): Record<string, unknown> {
  const { name, code, frames, cause, errors } = failure;
  return {
    name,
    message: messageOf(failure),
    ...(code === null ? {} : { code }),
    frames: frames.map(({ excerpt: _, ...frame }) => frame),
    ...(cause === null ? {} : { cause: failureJson(cause) }),
    ...(errors.length === 0 ? {} : { errors: errors.map(failureJson) }),
  };
}
