// The pages of the notes.
import {
  type HttpRequest,
  type HttpResponse,
  or404,
  PermissionDenied,
  redirect,
  type View,
} from "../../src/handler/mod.ts";
import { links } from "./links.ts";
import { form, html, page } from "./pages.ts";
import { storage } from "./storage.ts";
import { loginRequired, userOf } from "./users.ts";

const MAX_LENGTH = 1000;

/** The text of a note; null when it cannot be one. */
export function textOfNote(value: unknown): string | null {
  if (typeof value !== "string") return null;
  const text = value.trim();
  return text === "" || text.length > MAX_LENGTH ? null : text;
}

export const notes: View = (request) => notesPage(request);

export const addNote: View = loginRequired(async (request) => {
  const text = textOfNote((await request.POST).get("text"));
  if (text === null) return await notesPage(request, `A note has 1 to ${MAX_LENGTH} characters.`);
  const { id } = storage.addNote(userOf(request)!, text);
  return redirect(links(request).reverse("note", { params: { id } }));
});

function notesPage(request: HttpRequest, error?: string): Promise<HttpResponse> {
  const { reverse } = links(request);
  const fields = html`<textarea name="text" maxlength="${MAX_LENGTH}" required></textarea>`;
  const items = storage.notes().map(({ id, author, text }) =>
    html`<li><a href="${reverse("note", { params: { id } })}">${text.slice(0, 80)}</a> by ${author}</li>`
  );
  const content = html`${
    userOf(request) !== null && form(request, reverse("notes"), "Keep it", fields)
  }<ul>${items}</ul>`;
  return page(request, "Notes", content, { error });
}

export const note: View<{ id: number }> = async (request, { id }) => {
  const { author, text } = or404(storage.note(id), `There is no note ${id}.`);
  const remove = userOf(request) === author && form(request, request.path, "Remove it");
  return await page(request, `Note ${id}`, html`<blockquote>${text}</blockquote><p>by ${author}</p>${remove}`);
};

export const removeNote: View<{ id: number }> = (request, { id }) => {
  if (or404(storage.note(id)).author !== userOf(request)) throw new PermissionDenied("only its author removes a note");
  storage.removeNote(id);
  return redirect(links(request).reverse("notes"));
};
