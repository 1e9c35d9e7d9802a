// Files that users leave here, and get back as they were.
import {
  FileResponse,
  type HttpRequest,
  type HttpResponse,
  or404,
  redirect,
  type View,
} from "../../src/handler/mod.ts";
import { links } from "./links.ts";
import { form, html, page } from "./pages.ts";
import { storage } from "./storage.ts";
import { loginRequired, userOf } from "./users.ts";

const MAX_SIZE = 5_000_000;

export const files: View = loginRequired((request) => filesPage(request));

export const addFile: View = loginRequired(async (request) => {
  const file = (await request.FILES).get("file");
  if (file === undefined || file.size > MAX_SIZE) {
    return await filesPage(request, `Choose a file of up to ${MAX_SIZE} bytes.`);
  }
  storage.addFile({ author: userOf(request)!, name: file.name, bytes: await file.read() });
  return redirect(links(request).reverse("files"));
});

function filesPage(request: HttpRequest, error?: string): Promise<HttpResponse> {
  const { reverse } = links(request);
  const items = storage.files().map(({ id, author, name }) =>
    html`<li><a href="${reverse("file", { params: { id } })}">${name}</a> by ${author}</li>`
  );
  const upload = form(request, reverse("files"), "Send it", html`<input type="file" name="file" required>`);
  return page(request, "Files", html`${upload}<ul>${items}</ul>`, { error });
}

export const file: View<{ id: number }> = (_request, { id }) => {
  const { name, bytes } = or404(storage.file(id), `There is no file ${id}.`);
  // To be saved, and never shown: a page that somebody has sent here would run as ours.
  return new FileResponse(bytes, { filename: name, asAttachment: true });
};
