// What the site says when something is wrong: in its own words, or in JSON below /api/.
import { BadRequest, type HttpRequest, type HttpResponse, JsonResponse, type View } from "../../src/handler/mod.ts";
import { html, page } from "./pages.ts";

async function say(request: HttpRequest, status: number, title: string, text: string): Promise<HttpResponse> {
  if (request.pathInfo.startsWith("/api/")) return new JsonResponse({ error: title }, { status });
  return await page(request, title, html`<p>${text}</p>`, { status });
}

export function badRequest(request: HttpRequest, error: unknown): Promise<HttpResponse> {
  return say(
    request,
    400,
    error instanceof BadRequest ? error.message : "Not understood",
    "The request makes no sense.",
  );
}

export function notFound(request: HttpRequest): Promise<HttpResponse> {
  return say(request, 404, "Not here", "There is no such page.");
}

export function permissionDenied(request: HttpRequest): Promise<HttpResponse> {
  return say(request, 403, "Not yours", "You may not do this.");
}

export function serverError(request: HttpRequest): Promise<HttpResponse> {
  return say(request, 500, "Our fault", "Something broke. We have been told.");
}

export const csrfFailed: View<{ reason: string }> = (request) =>
  say(
    request,
    403,
    "Once more, please",
    "The form was too old, or your browser takes no cookies. Go back and reload it.",
  );
