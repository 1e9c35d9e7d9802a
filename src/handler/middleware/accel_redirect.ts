// Files that nginx sends in our place: the response of a FileResponse becomes an X-Accel-Redirect, which names a location
// of nginx that is `internal`, so that no client can ask for it (`tricorn init nginx --protected`).

import type { MiddlewareFactory } from "../base.ts";
import { ImproperlyConfigured, MiddlewareNotUsed } from "../exceptions.ts";
import { FileResponse } from "../file_response.ts";
import { HttpResponse } from "../response.ts";

/** What nginx passes on of the response; ETag, Last-Modified, ranges and the rest of the file are its own. */
const PASSED_ON: ReadonlySet<string> = new Set(["content-type", "content-disposition", "cache-control", "expires"]);

/**
 * A file below one of these folders is sent by nginx, from the location beside it: `{ "/srv/shop/files/": "/protected/" }`
 * where nginx has `location /protected/ { internal; alias /srv/shop/files/; }`. It should come first in MIDDLEWARE, since
 * only {@link PASSED_ON} and cookies reach the client. With DEBUG it leaves itself out: there is no nginx.
 *
 * @throws {ImproperlyConfigured} (when it is made) for a folder or a location that does not begin and end with "/"
 */
export function accelRedirectMiddleware(locations: Readonly<Record<string, string>>): MiddlewareFactory {
  const mappings = Object.entries(locations);
  for (const place of mappings.flat()) {
    if (!place.startsWith("/") || !place.endsWith("/")) {
      throw new ImproperlyConfigured(`accelRedirectMiddleware: ${JSON.stringify(place)} must begin and end with "/"`);
    }
  }
  return (getResponse, settings) => {
    if (settings.DEBUG) throw new MiddlewareNotUsed("DEBUG");
    return async (request) => {
      const response = await getResponse(request);
      if (!(response instanceof FileResponse)) return response;
      const { path, headers } = response;
      // What is not the file as it lies there is ours to send.
      if (path === null || response.statusCode !== 200 || headers.has("Content-Encoding")) return response;
      const mapping = mappings.find(([folder]) => path.startsWith(folder));
      if (mapping === undefined) return response;
      const [folder, location] = mapping;
      const rest = path.slice(folder.length).split("/").map(encodeURIComponent).join("/");
      const passedOn = headers.entries().filter(([name]) => PASSED_ON.has(name.toLowerCase()));
      const redirect = new HttpResponse("", { headers: [...passedOn, ["X-Accel-Redirect", location + rest]] });
      for (const morsel of response.cookies.values()) redirect.setCookie(morsel.name, morsel.value, morsel);
      redirect.addCloser(() => response.close());
      return redirect;
    };
  };
}
