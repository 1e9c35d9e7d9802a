// Who is there: a signed cookie says it, for two weeks.
import {
  type HttpRequest,
  type HttpResponse,
  type MiddlewareFactory,
  patchVaryHeaders,
  redirect,
  type View,
} from "../../src/handler/mod.ts";
import { links } from "./links.ts";

const COOKIE = "user";
const SALT = "login";
const AGE = 14 * 24 * 60 * 60;

/** Reads the cookie, once a request. */
export const loadUser: MiddlewareFactory = (getResponse) => async (request) => {
  request.state.user = await request.getSignedCookie(COOKIE, { salt: SALT, maxAge: AGE, default: null });
  const response = await getResponse(request);
  patchVaryHeaders(response, ["Cookie"]);
  return response;
};

/** The name of who is logged in, or null. */
export function userOf(request: HttpRequest): string | null {
  return (request.state.user ?? null) as string | null;
}

/** Leads to the login who is not logged in. */
export function loginRequired<P>(view: View<P>): View<P> {
  return (request, params) => {
    if (userOf(request) !== null) return view(request, params);
    return redirect(links(request).reverse("login", { query: { next: request.getFullPath() } }));
  };
}

/** The browser is `name` from now on. */
export async function remember(request: HttpRequest, response: HttpResponse, name: string): Promise<void> {
  const secure = request.isSecure();
  const options = { salt: SALT, maxAge: AGE, httponly: true, secure, samesite: "Lax" } as const;
  await response.setSignedCookie(COOKIE, name, request.settings, options);
}

export function forget(response: HttpResponse): void {
  response.deleteCookie(COOKIE);
}
