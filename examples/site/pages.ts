// How a page looks: the frame around its content, and what is in each form. hono/html escapes all that is put into it.
import { html } from "hono/html";
import { getToken, type HttpRequest, HttpResponse } from "../../src/handler/mod.ts";
import { links } from "./links.ts";
import { userOf } from "./users.ts";

export { html };

/** What html`...` makes. */
export type Html = ReturnType<typeof html>;

/** A whole page. With an `error`, which it tells, it is a 400. */
export async function page(
  request: HttpRequest,
  title: string,
  content: Html,
  { status, error }: { readonly status?: number; readonly error?: string | undefined } = {},
): Promise<HttpResponse> {
  const { reverse } = links(request);
  const user = userOf(request);
  const text = await html`
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>${title} · Tricorn's notes</title>
    <link rel="stylesheet" href="/static/site.css">
    <script src="/static/site.js" type="module"></script>
    <nav>
      <a href="${reverse("notes")}">Notes <span id="count"></span></a>
      <a href="${reverse("files")}">Files</a>
      ${user === null
        ? html`<a href="${reverse("login")}">Log in</a>`
        : form(request, reverse("logout"), `Log ${user} out`)}
    </nav>
    <h1>${title}</h1>
    ${error !== undefined && html`<p class="error">${error}</p>`}
    ${content}
    </html>
  `;
  return new HttpResponse(String(text), { status: status ?? (error === undefined ? 200 : 400) });
}

/** A form that is sent with POST, with the token that shows that it is ours. */
export function form(request: HttpRequest, action: string, button: string, fields?: Html): Html {
  return html`<form method="post" action="${action}" enctype="multipart/form-data">
  <input type="hidden" name="csrfmiddlewaretoken" value="${getToken(request)}">
  ${fields}
  <button>${button}</button>
</form>`;
}
