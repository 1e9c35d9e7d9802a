// From what was thrown to the response that the client gets (Django's core/handlers/exception.py). No exception leaves
// here but with DEBUG_PROPAGATE_EXCEPTIONS, and none is forgotten: the log is told of each once.

import type { MaybePromise } from "../esgi/application.ts";
import { InputError } from "../esgi/input.ts";
import type { ErrorView, GetResponse, URLConf } from "./base.ts";
import { checkResponse } from "./check_response.ts";
import { technical404Response, technical500Response } from "./debug.ts";
import { badRequest, pageNotFound, permissionDenied, serverError } from "./defaults.ts";
import {
  BadRequest,
  Http404,
  MultiPartParserError,
  PermissionDenied,
  RequestDataTooBig,
  SuspiciousOperation,
  UnreadablePostError,
} from "./exceptions.ts";
import { log, logResponse } from "./log.ts";
import type { HttpRequest } from "./request.ts";
import { type DeferredResponse, HttpResponse } from "./response.ts";
import { gotRequestException } from "./signals.ts";
import { isThenable } from "./thenable.ts";

/**
 * `getResponse` without exceptions: whatever it throws, or returns in the place of a response, becomes a response. One
 * stands around the view and around each middleware, so that a middleware can rely on what is further in.
 *
 * @param name what errors call it
 * @param sender the handler, for gotRequestException
 */
export function convertExceptionToResponse(getResponse: GetResponse, name: string, sender: unknown): GetResponse {
  const culprit = (): string => name;
  const checked = (request: HttpRequest, response: HttpResponse): MaybePromise<HttpResponse> => {
    try {
      return checkResponse(response, culprit);
    } catch (error) {
      return responseForException(request, error, sender);
    }
  };
  return (request) => {
    let response: MaybePromise<HttpResponse>;
    try {
      response = getResponse(request);
    } catch (error) {
      return responseForException(request, error, sender);
    }
    // As checkResponse() has it, at once: this stands around each middleware.
    if (response instanceof HttpResponse && !response.closed) return response;
    if (!isThenable(response)) return checked(request, response);
    return response.then(
      (response) => checked(request, response),
      (error: unknown) => responseForException(request, error, sender),
    );
  };
}

/** Errors on their way to the server, by the request that they end: DEBUG_PROPAGATE_EXCEPTIONS throws each layer's. */
const propagated = new WeakMap<HttpRequest, unknown>();

/** The response for `error`, which the view or a middleware has thrown; rendered, and told to the log. */
export async function responseForException(
  request: HttpRequest,
  error: unknown,
  sender: unknown,
): Promise<HttpResponse> {
  const { DEBUG } = request.settings;
  if (request.signal.aborted && error === request.signal.reason) return clientHasLeft();
  if (error instanceof Http404) {
    return DEBUG ? technical404Response(request, error) : await errorResponse(request, 404, error, sender);
  }
  if (error instanceof PermissionDenied) {
    const response = await errorResponse(request, 403, error, sender);
    logResponse("Forbidden (Permission denied)", response, request, { error });
    return response;
  }
  if (error instanceof SuspiciousOperation) {
    const status = error instanceof RequestDataTooBig ? 413 : 400;
    const response = await clientError(request, status, error, sender);
    const logger = `tricorn.security.${error.name}`;
    logResponse(`${error.message}`, response, request, { logger, level: "error", error });
    return response;
  }
  if (error instanceof BadRequest || error instanceof MultiPartParserError) {
    const response = await clientError(request, 400, error, sender);
    logResponse(
      error instanceof BadRequest ? error.message : `Bad request (Unable to parse request body: ${error.message})`,
      response,
      request,
      { error },
    );
    return response;
  }
  const input = error instanceof UnreadablePostError ? error.cause : error;
  if (error instanceof UnreadablePostError || input instanceof InputError) {
    const status = input instanceof InputError ? input.status : 400;
    const response = await clientError(request, status, error, sender);
    logResponse(`The request body could not be read (${(error as Error).message})`, response, request, { error });
    return response;
  }
  return await uncaughtException(request, error, sender);
}

/**
 * The view waited for something together with the request's signal, and nobody is there to hear of it. The status is
 * nginx's.
 */
function clientHasLeft(): HttpResponse {
  return new HttpResponse("", { status: 499, reason: "Client Closed Request" });
}

const DEFAULT_VIEWS = { 400: badRequest, 403: permissionDenied, 404: pageNotFound, 500: serverError } as const;

/** The view for `status` that the root URLconf names, or the default one (Django's resolve_error_handler). */
function errorView(request: HttpRequest, status: keyof typeof DEFAULT_VIEWS): ErrorView {
  const urlconf: URLConf = request.urlconf ?? request.settings.ROOT_URLCONF;
  return ("patterns" in urlconf ? urlconf[`handler${status}`] : undefined) ?? DEFAULT_VIEWS[status];
}

/** A site's own page for an error; one that fails is an error of its own (Django's get_exception_response). */
async function errorResponse(
  request: HttpRequest,
  status: 400 | 403 | 404,
  error: unknown,
  sender: unknown,
): Promise<HttpResponse> {
  try {
    return await rendered(await errorView(request, status)(request, error));
  } catch (failure) {
    return await uncaughtException(request, failure, sender);
  }
}

/** The page for what the client did wrong. handler400 speaks for 400; the other statuses have no view in Django. */
function clientError(
  request: HttpRequest,
  status: number,
  error: unknown,
  sender: unknown,
): MaybePromise<HttpResponse> {
  if (request.settings.DEBUG) return technical500Response(request, error, status);
  return status === 400 ? errorResponse(request, 400, error, sender) : badRequest(request, error, status);
}

/** Django's handle_uncaught_exception, the signal and the log with it. */
async function uncaughtException(request: HttpRequest, error: unknown, sender: unknown): Promise<HttpResponse> {
  const { DEBUG, DEBUG_PROPAGATE_EXCEPTIONS } = request.settings;
  if (propagated.has(request) && propagated.get(request) === error) throw error;
  for (const [, response] of await gotRequestException.sendRobustAsync(sender, { request, error })) {
    if (response instanceof Error) report(request, "a receiver of gotRequestException failed", response);
  }
  if (DEBUG_PROPAGATE_EXCEPTIONS) {
    propagated.set(request, error);
    throw error;
  }
  let response: HttpResponse;
  if (DEBUG) {
    response = technical500Response(request, error, 500);
  } else {
    try {
      response = await rendered(await errorView(request, 500)(request, error));
    } catch (failure) {
      report(request, "handler500 failed", failure);
      response = serverError(request);
    }
  }
  logResponse(response.reasonPhrase, response, request, { error });
  return response;
}

function report(request: HttpRequest, message: string, error: unknown): void {
  const { settings, environ } = request;
  log(settings, environ, { logger: "tricorn.request", level: "error", message, status: 500, request, error });
}

/** What the view for an error has returned. Nobody else renders it. */
async function rendered(response: HttpResponse): Promise<HttpResponse> {
  checkResponse(response, () => "the view for errors");
  return "render" in response ? await (response as DeferredResponse).render() : response;
}
