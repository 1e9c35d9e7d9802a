// Sends one response as a handler does, with the rules of ESGI checked, for tests that need no site.

import { HttpRequest } from "../../src/handler/request.ts";
import type { HttpResponse } from "../../src/handler/response.ts";
import { resolveSettings } from "../../src/handler/settings.ts";
import { call, type CallOptions, makeEnviron, type Reply } from "../../src/esgi/testing.ts";
import { validator } from "../../src/esgi/validator.ts";

export const SETTINGS = resolveSettings({ SECRET_KEY: "x".repeat(50), ALLOWED_HOSTS: ["*"] });

/** A request that no server has received. */
export function makeRequest(options: CallOptions | string = {}): HttpRequest {
  return new HttpRequest(makeEnviron(options), SETTINGS);
}

/** What the client gets; the response is closed at the end. */
export function answer(response: HttpResponse, options: CallOptions | string = {}): Promise<Reply> {
  const application = validator((environ, startResponse) => {
    const { status, headers, body } = response.toESGI(new HttpRequest(environ, SETTINGS));
    startResponse(status, headers);
    if (body === null || typeof body === "string" || body instanceof Uint8Array) void response.close();
    return body;
  });
  return call(application, options);
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
