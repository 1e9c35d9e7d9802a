// The page for new code that does not load: shown in the application's place until a saved file does.

import type { Failure } from "../failure.ts";
import { copyButton, copyText, document, type PageContext } from "./document.ts";
import { causes, culprit, editLink, failureJson, failureText, frameList, heading } from "./failure.ts";
import { markup } from "./html.ts";
import type { Page } from "./respond.ts";

/** What went wrong. */
export interface LoadFailureDetails {
  /** What the terminal says, one line: `cannot load "app.ts": ...`. */
  readonly message: string;
  /** What was thrown; null where it is no error of the code, for example an export that is not there. */
  readonly failure: Failure | null;
  /** What else there is to say, in lines: the report of the system checks. Null: nothing. */
  readonly report: string | null;
}

const GOES_ON = "Save a file and this page goes on by itself, as soon as the code loads.";

/** The page of a failure to load. */
export function loadFailurePage({ message, failure, report }: LoadFailureDetails, context: PageContext): Page {
  const detail = failure === null ? "" : `\n\n${failureText(failure, context)}`;
  const reported = report === null ? "" : `\n\n${report}`;
  const text = `The code could not be loaded.\n\n${message}${detail}${reported}\n\n${GOES_ON}\n${
    context.versions.join(", ")
  }\n`;
  return {
    text: () => text,
    json: () => ({
      detail: message,
      ...(failure === null ? {} : { error: failureJson(failure) }),
      ...(report === null ? {} : { report }),
      versions: context.versions,
    }),
    html: (nonce) =>
      document(nonce, {
        title: "The code could not be loaded",
        header: markup`<p class="eyebrow mono"><b>The code could not be loaded</b></p>
${failure === null ? markup`<h1>${message}</h1>` : heading(failure)}
<p>${GOES_ON}</p>
<div class="actions">${copyButton}${failure === null ? null : editLink(culprit(failure), context, "button")}</div>`,
        main: markup`${report === null ? null : markup`<div class="card"><pre class="text">${report}</pre></div>`}
${
          failure === null ? null : markup`<h2>Where</h2>
${frameList(failure, context) ?? markup`<p>The runtime does not say where.</p>`}
${causes(failure, context)}
<h2>In the terminal</h2>
<p class="mono">${message}</p>`
        }
<h2>To copy</h2>
${copyText(text)}`,
        versions: context.versions,
        reason: "You see this because the project is being developed.",
      }),
  };
}
