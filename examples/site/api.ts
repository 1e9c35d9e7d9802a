// The same notes as JSON. What changes something needs the login's cookie, and the token in X-CSRFToken.
import { BadRequest, HttpResponse, JsonResponse, or404, PermissionDenied, type View } from "../../src/handler/mod.ts";
import { links } from "./links.ts";
import { textOfNote } from "./notes.ts";
import { storage } from "./storage.ts";
import { userOf } from "./users.ts";

export const listNotes: View = () => new JsonResponse({ notes: storage.notes() });

export const createNote: View = async (request) => {
  const user = userOf(request);
  if (user === null) throw new PermissionDenied("log in first");
  const data = await request.json<{ text?: unknown } | null>();
  const text = textOfNote(data?.text);
  if (text === null) throw new BadRequest('send {"text": "..."}, with 1 to 1000 characters');
  const note = storage.addNote(user, text);
  const location = links(request).reverse("api:note", { params: { id: note.id } });
  return new JsonResponse(note, { status: 201, headers: { Location: location } });
};

export const getNote: View<{ id: number }> = (_request, { id }) => new JsonResponse(or404(storage.note(id)));

export const deleteNote: View<{ id: number }> = (request, { id }) => {
  if (or404(storage.note(id)).author !== userOf(request)) throw new PermissionDenied("only its author removes a note");
  storage.removeNote(id);
  return new HttpResponse("", { status: 204 });
};
