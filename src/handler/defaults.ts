// The error pages of a site that has none of its own (Django's views/defaults.py). They tell what the status tells, and
// nothing of what was thrown.

import type { HttpRequest } from "./request.ts";
import { HttpResponse } from "./response.ts";

/** 400; 408 or 413 where that is meant. */
export function badRequest(_request: HttpRequest, _error?: unknown, status = 400): HttpResponse {
  return page(status, TITLES[status] ?? "Bad Request", "");
}

/** 403. */
export function permissionDenied(_request: HttpRequest): HttpResponse {
  return page(403, "403 Forbidden", "");
}

/** 404. */
export function pageNotFound(_request: HttpRequest): HttpResponse {
  return page(404, "Not Found", "The requested resource was not found on this server.");
}

/** 500. */
export function serverError(_request: HttpRequest): HttpResponse {
  return page(500, "Server Error (500)", "");
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request (400)",
  408: "Request Timeout (408)",
  413: "Content Too Large (413)",
};

function page(status: number, title: string, details: string): HttpResponse {
  const content = `<!doctype html>
<html lang="en">
<head>
  <title>${title}</title>
</head>
<body>
  <h1>${title}</h1><p>${details}</p>
</body>
</html>
`;
  return new HttpResponse(content, { status, contentType: "text/html; charset=utf-8" });
}
