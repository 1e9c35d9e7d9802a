// The page of a project that has nothing to show yet: it works, and what to do next.

import { document, hat, type PageContext, shorten } from "./document.ts";
import { editorUrl } from "./editor.ts";
import { markup } from "./html.ts";
import type { Page } from "./respond.ts";

/** What the project is made with. */
export interface WelcomeDetails {
  readonly kind: "handler" | "hono";
  /** The file to edit, an absolute path; null where it is not known. */
  readonly file: string | null;
}

const CODE: Readonly<Record<WelcomeDetails["kind"], string>> = {
  handler: `import { HttpResponse, path } from "tricorn/handler";

export const urlpatterns = [
  path("", () => new HttpResponse("Hello")),
];`,
  hono: `app.get("/", (c) => c.text("Hello"));`,
};

/** The page of an empty project. */
export function welcomePage({ kind, file }: WelcomeDetails, context: PageContext): Page {
  const name = file === null ? "your application" : shorten(file, context.root);
  const url = file === null ? null : editorUrl(context.editor, { file, line: null, column: null });
  const code = file === null ? name : markup`<code>${name}</code>`;
  const link = url === null ? code : markup`<a href="${url}">${code}</a>`;
  // A site's routes are mostly in another file than what names them.
  const before = kind === "handler" ? "to the ROOT_URLCONF of " : "in ";
  const where = `${before}${name}`;
  const text = `It works. The project has no routes yet.\n\n1. Add a route ${where}:\n\n${
    CODE[kind].replace(/^(?=.)/gm, "    ")
  }\n\n2. Save. The server takes the new code up by itself, and this page with it.\n\n${context.versions.join(", ")}\n`;
  return {
    text: () => text,
    json: () => ({
      detail: `It works. The project has no routes yet: add one ${where}.`,
      versions: context.versions,
    }),
    html: (nonce) =>
      document(nonce, {
        title: "It works",
        header: markup`${hat}<p class="eyebrow mono"><b class="good">Tricorn</b></p><h1>It works.</h1>
<p>The project runs, and has no routes yet.</p>`,
        main: markup`
          <h2>Next</h2>
          <ol class="steps">
            <li>Add a route ${before}${link}:<pre tabindex="0" role="region" aria-label="Example"><code>${
          CODE[
            kind
          ]
        }</code></pre></li>
            <li>Save. The server takes the new code up by itself, and this page with it.</li>
          </ol>
        `,
        versions: context.versions,
        reason: "You see this because the project is being developed, and no route is its start page.",
      }),
  };
}
