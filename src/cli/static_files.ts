// Static files while somebody develops (Django's runserver): below a prefix, what lies in a folder is answered with, and the
// application has the rest. To be imported only where there are folders, since it takes half of the handler along.

import type { Application, StartResponse } from "../esgi/application.ts";
import type { Body } from "../esgi/body.ts";
import type { Environ } from "../esgi/environ.ts";
import { type FileLike, FileResponse } from "../handler/file_response.ts";
import { isServed, type OpenFileBelow } from "../handler/middleware/static.ts";
import { HttpRequest } from "../handler/request.ts";
import { resolveSettings } from "../handler/settings.ts";

export interface StaticFilesOptions {
  /** The path above the files, for example `/static/`. */
  readonly prefix: string;
  /** Where they are looked for, in this order. */
  readonly folders: readonly string[];
  readonly openFile: OpenFileBelow;
}

/**
 * A middleware that answers GET and HEAD of files: ranges, and 304 for whoever has the file, whose browser asks each time.
 * What is no file, or is hidden, is the application's.
 */
export function staticFiles({ prefix, folders, openFile }: StaticFilesOptions): (inner: Application) => Application {
  const start = prefix.endsWith("/") ? prefix : `${prefix}/`;
  return (inner) => (environ, startResponse) => {
    const { REQUEST_METHOD: method, PATH_INFO: path } = environ;
    if ((method !== "GET" && method !== "HEAD") || !path.startsWith(start)) return inner(environ, startResponse);
    const name = path.slice(start.length);
    if (!isServed(name)) return inner(environ, startResponse);
    return find(name).then((file) =>
      file === null ? inner(environ, startResponse) : answer(file, environ, startResponse)
    );
  };

  async function find(name: string): Promise<FileLike | null> {
    for (const folder of folders) {
      const file = await openFile(folder, name);
      if (file !== null) return file;
    }
    return null;
  }
}

const SETTINGS = resolveSettings();

function answer(file: FileLike, environ: Environ, startResponse: StartResponse): Body {
  const response = new FileResponse(file, { headers: { "Cache-Control": "no-cache" } });
  try {
    const { status, headers, body } = response.toESGI(new HttpRequest(environ, SETTINGS));
    startResponse(status, headers);
    // Without content (304, 412, 416) nobody else closes the file.
    if (typeof body === "string") void response.close();
    return body;
  } catch (error) {
    void response.close();
    throw error;
  }
}
