// Static files below STATIC_URL: in development as they lie in STATICFILES_DIRS (Django's staticfiles), in production from
// STATIC_ROOT, compressed where `app.js.br` or `app.js.gz` lies beside `app.js` (as WhiteNoise does). What a path may name is
// decided here, and once more by who opens it.

import type { MaybePromise } from "../../esgi/application.ts";
import type { MiddlewareFactory } from "../base.ts";
import { patchVaryHeaders } from "../cache.ts";
import { ImproperlyConfigured, MiddlewareNotUsed } from "../exceptions.ts";
import { type FileLike, FileResponse } from "../file_response.ts";
import type { HttpRequest } from "../request.ts";
import type { HttpResponse } from "../response.ts";
import type { Settings } from "../settings.ts";
import { acceptedEncodings, type Encoding } from "./accept_encoding.ts";

/**
 * Opens the file `path` of the folder `root`; null when there is none. It must not leave `root`, neither by `..` nor by
 * links: `openFileBelow` of "tricorn" does not.
 */
export type OpenFileBelow = (root: string, path: string) => MaybePromise<FileLike | null>;

const ENDINGS: Readonly<Record<Encoding, string>> = { br: ".br", gzip: ".gz" };

/**
 * Answers GET and HEAD of files; everything else, and what is no file, goes on to the site. It leaves itself out where there
 * is no STATIC_URL on this host, or no folder to serve.
 *
 * @throws {ImproperlyConfigured} (when it is loaded) for a STATIC_URL without "/" at its end
 */
export function staticFilesMiddleware(openFile: OpenFileBelow): MiddlewareFactory {
  return (_getResponse, settings) => {
    const isBelow = prefixOf(settings);
    const roots = settings.DEBUG ? settings.STATICFILES_DIRS : [settings.STATIC_ROOT].filter((root) => root !== null);
    if (roots.length === 0) throw new MiddlewareNotUsed(`no ${settings.DEBUG ? "STATICFILES_DIRS" : "STATIC_ROOT"}`);
    return {
      processRequest(request: HttpRequest): MaybePromise<HttpResponse | null> {
        if (request.method !== "GET" && request.method !== "HEAD") return null;
        const path = isBelow(request);
        if (path === null || !isServed(path)) return null;
        return settings.DEBUG ? findFile(openFile, roots, path) : findCompressed(openFile, roots[0]!, path, request);
      },
    };
  };
}

/** Gives what a request's path has after STATIC_URL, or null. */
function prefixOf({ STATIC_URL }: Settings): (request: HttpRequest) => string | null {
  if (STATIC_URL === null || /^(?:[a-z][a-z0-9+.-]*:)?\/\//i.test(STATIC_URL)) {
    throw new MiddlewareNotUsed("STATIC_URL is null, or another host's");
  }
  if (!STATIC_URL.endsWith("/")) {
    throw new ImproperlyConfigured(`the setting STATIC_URL is ${JSON.stringify(STATIC_URL)}: it must end with "/"`);
  }
  // As in Django, one that does not start with "/" is below the place where the site is mounted.
  if (STATIC_URL.startsWith("/")) {
    return ({ path }) => path.startsWith(STATIC_URL) ? path.slice(STATIC_URL.length) : null;
  }
  const prefix = `/${STATIC_URL}`;
  return ({ pathInfo }) => pathInfo.startsWith(prefix) ? pathInfo.slice(prefix.length) : null;
}

/** Whether a path, decoded, may name a static file: no way up, nothing hidden, nothing that a system reads otherwise. */
export function isServed(path: string): boolean {
  // deno-lint-ignore no-control-regex
  return !/[\\\x00-\x1f\x7f]/.test(path) && path.split("/").every((name) => name !== "" && !name.startsWith("."));
}

async function findFile(openFile: OpenFileBelow, roots: readonly string[], path: string): Promise<HttpResponse | null> {
  for (const root of roots) {
    const file = await openFile(root, path);
    if (file !== null) return new FileResponse(file);
  }
  return null;
}

async function findCompressed(
  openFile: OpenFileBelow,
  root: string,
  path: string,
  { META }: HttpRequest,
): Promise<HttpResponse | null> {
  const filename = path.slice(path.lastIndexOf("/") + 1);
  for (const encoding of acceptedEncodings(META.HTTP_ACCEPT_ENCODING)) {
    const file = await openFile(root, path + ENDINGS[encoding]);
    if (file === null) continue;
    return varying(new FileResponse(file, { filename, headers: { "Content-Encoding": encoding } }));
  }
  const file = await openFile(root, path);
  return file === null ? null : varying(new FileResponse(file));
}

function varying(response: HttpResponse): HttpResponse {
  patchVaryHeaders(response, ["Accept-Encoding"]);
  return response;
}
