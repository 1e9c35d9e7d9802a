// What the tests of the pages show: a failure, a request and settings, with secrets and with what would be a script.

import type { Environ, Headers } from "../../../src/esgi/environ.ts";
import { makeEnviron } from "../../../src/esgi/testing.ts";
import { DevPages, type DevPagesOptions } from "../../../src/dev/debug_pages.ts";

/** In HTML this would run, in an attribute too; in a terminal it would write over lines. */
export const EVIL = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>\x1b[2J\u202e`;

export const OPTIONS: DevPagesOptions = {
  root: "/srv/project",
  editor: "vscode://file/{file}:{line}:{column}",
  versions: ["tricorn 0.1.0", "node 24.1.0"],
  file: "/srv/project/urls.ts",
  readSource: () => null,
};

export const VIEWS = `import { type HttpRequest, HttpResponse } from "tricorn/handler";
import { findArticle } from "./articles.ts";

/** One article. */
export async function article(request: HttpRequest, { slug }: { slug: string }): Promise<HttpResponse> {
  const found = await findArticle(slug);
  const title = found.title.trim();
  return new HttpResponse(\`<h1>\${title}</h1>\`);
}

export function start(): HttpResponse {
  return new HttpResponse("start");
}
`;

export function sampleError(): Error {
  const cause = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:5432"), {
    code: "ECONNREFUSED",
    stack: "Error: connect ECONNREFUSED 127.0.0.1:5432\n    at connect (file:///srv/project/database.ts:2:9)\n" +
      "    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)",
  });
  const message = "Cannot read properties of undefined (reading 'title')";
  const error = new TypeError(message, { cause });
  error.stack = `TypeError: ${message}
    at article (file:///srv/project/views.ts:7:23)
    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)
    at async dispatch (file:///srv/project/node_modules/some-library/dist/index.js:20:3)
    at async file:///srv/project/middleware.ts:3:20`;
  return error;
}

export const SOURCES: Readonly<Record<string, string>> = {
  "/srv/project/views.ts": VIEWS,
  "/srv/project/database.ts": "export function connect() {\n  throw new Error();\n}\n",
  "/srv/project/middleware.ts":
    "export const timing = (getResponse) => async (request) => {\n  const start = Date.now();\n  const response = await getResponse(request);\n  return response;\n};\n",
};

export function pagesOf(options: Partial<DevPagesOptions> = {}): DevPages {
  return new DevPages({ ...OPTIONS, readSource: (path) => SOURCES[path] ?? null, ...options });
}

export function sampleEnviron(target: string, headers: Headers = []): Environ {
  return makeEnviron({ path: target, headers: [["Host", "localhost:8000"], ...headers] });
}
