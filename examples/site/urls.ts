// Which path leads where, by method.
import { defineUrls, include, neverCache, path } from "../../src/handler/mod.ts";
import { login, logout } from "./accounts.ts";
import { createNote, deleteNote, getNote, listNotes } from "./api.ts";
import { badRequest, notFound, permissionDenied, serverError } from "./errors.ts";
import { addFile, file, files } from "./files.ts";
import { addNote, note, notes, removeNote } from "./notes.ts";

const GET = ["GET"];
const POST = ["POST"];

const api = defineUrls([
  path("notes/", neverCache(listNotes), { name: "notes", methods: GET }),
  path("notes/", createNote, { methods: POST }),
  path("notes/<int:id>/", neverCache(getNote), { name: "note", methods: GET }),
  path("notes/<int:id>/", deleteNote, { methods: ["DELETE"] }),
]);

export const urlpatterns = defineUrls([
  path("", notes, { name: "notes", methods: GET }),
  path("", addNote, { methods: POST }),
  path("notes/<int:id>/", note, { name: "note", methods: GET }),
  path("notes/<int:id>/", removeNote, { methods: POST }),
  path("files/", files, { name: "files", methods: GET }),
  path("files/", addFile, { methods: POST }),
  path("files/<int:id>/", file, { name: "file", methods: GET }),
  path("login/", login, { name: "login", methods: ["GET", "POST"] }),
  path("logout/", logout, { name: "logout", methods: POST }),
  path("api/", include({ patterns: api, appName: "api" })),
]);

export const urlconf = {
  patterns: urlpatterns,
  handler400: badRequest,
  handler403: permissionDenied,
  handler404: notFound,
  handler500: serverError,
};
