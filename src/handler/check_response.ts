// What a view or a middleware returns is looked at where it is returned, so that the error can name who is to blame
// (Django's check_response).

import { HttpResponse } from "./response.ts";

/**
 * `response`, if it is one.
 *
 * @throws {TypeError} that names the culprit, when it is none, or one that was sent before.
 */
export function checkResponse(response: unknown, culprit: () => string): HttpResponse {
  if (response instanceof HttpResponse) {
    if (!response.closed) return response;
    throw new TypeError(`${culprit()} returned a response that has been sent before; make one for each request`);
  }
  throw new TypeError(`${culprit()} returned ${describe(response)} instead of an HttpResponse${remedy(response)}`);
}

function remedy(response: unknown): string {
  if (response === undefined) return "; is a return missing?";
  return response instanceof Response ? "; to serve a fetch application here, mount it" : "";
}

/** A value for a message. */
export function describe(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    const name = value.constructor?.name ?? "Object";
    return name === "Object" || name === "Array" ? `an ${name.toLowerCase()}` : `a ${name}`;
  }
  return typeof value === "function" ? "a function" : typeof value === "string" ? "a string" : String(value);
}
