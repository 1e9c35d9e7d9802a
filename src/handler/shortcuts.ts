// What views do most (Django's shortcuts.py).

import { Http404 } from "./exceptions.ts";
import { HttpResponsePermanentRedirect, HttpResponseRedirect } from "./response.ts";

/** What has a page of its own (Django's get_absolute_url()). */
export interface HasAbsoluteURL {
  getAbsoluteURL(): string;
}

/**
 * A redirect to a URL, or to the page of an object. For a view's name, give what `reverse()` makes of it.
 *
 * @throws {DisallowedRedirect} for a URL with another scheme than http, https and ftp.
 */
export function redirect(
  to: string | URL | HasAbsoluteURL,
  options: { readonly permanent?: boolean; readonly preserveRequest?: boolean } = {},
): HttpResponseRedirect | HttpResponsePermanentRedirect {
  const url = typeof to === "object" && "getAbsoluteURL" in to ? to.getAbsoluteURL() : to;
  const init = { preserveRequest: options.preserveRequest ?? false };
  return options.permanent === true
    ? new HttpResponsePermanentRedirect(url, init)
    : new HttpResponseRedirect(url, init);
}

/**
 * `found`, or 404 where there is nothing: `const article = or404(await articles.find(id))` (Django's get_object_or_404).
 *
 * @throws {Http404} for null and undefined; an empty list is something, as `or404(list.at(0))` tells.
 */
export function or404<T>(found: T | null | undefined, message = "there is no such thing"): T {
  if (found === null || found === undefined) throw new Http404(message);
  return found;
}
