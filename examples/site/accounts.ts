// Logging in and out. All users share one password, SITE_PASSWORD, and call themselves what they like.
import process from "node:process";
import {
  constantTimeCompare,
  type HttpRequest,
  type HttpResponse,
  redirect,
  rotateToken,
  type View,
} from "../../src/handler/mod.ts";
import { links } from "./links.ts";
import { form, html, page } from "./pages.ts";
import { forget, remember } from "./users.ts";

const PASSWORD = process.env.SITE_PASSWORD ?? "tricorn";

export const login: View = async (request) => {
  if (request.method !== "POST") return await loginPage(request, request.GET.get("next") ?? "");
  const post = await request.POST;
  const name = post.get("name")?.trim() ?? "";
  const next = post.get("next") ?? "";
  if (name === "" || name.length > 40 || !constantTimeCompare(post.get("password") ?? "", PASSWORD)) {
    return await loginPage(request, next, "Wrong name or password.");
  }
  // What was given to the browser before it logged in is worth nothing after.
  rotateToken(request);
  // Only a path of this site: "//example.org" would be another one.
  const response = redirect(/^\/(?![/\\])/.test(next) ? next : links(request).reverse("notes"));
  await remember(request, response, name);
  return response;
};

function loginPage(request: HttpRequest, next: string, error?: string): Promise<HttpResponse> {
  const fields = html`
    <input type="hidden" name="next" value="${next}">
    <label>Name <input name="name" maxlength="40" required autofocus></label>
    <label>Password <input name="password" type="password" required></label>
  `;
  const content = form(request, links(request).reverse("login"), "Log in", fields);
  return page(request, "Log in", content, { error });
}

export const logout: View = (request) => {
  rotateToken(request);
  const response = redirect(links(request).reverse("notes"));
  forget(response);
  return response;
};
