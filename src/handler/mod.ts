// `tricorn/handler`: sites on ESGI by Django's structure. One group of exports for each part; what is not here is nobody's
// to rely on.

// The handler, its settings and what goes through it.
export type {
  ErrorView,
  GetResponse,
  Middleware,
  MiddlewareClass,
  MiddlewareFactory,
  MiddlewareMethods,
  URLConf,
  View,
} from "./base.ts";
export { getApplication, Handler } from "./handler.ts";
export { type HandlerSettings, resolveSettings, type Settings } from "./settings.ts";
export * from "./exceptions.ts";
export { type LogRecord, logResponse } from "./log.ts";
export {
  type ConnectOptions,
  gotRequestException,
  type Receiver,
  requestFinished,
  requestStarted,
  Signal,
  type SignalResponse,
} from "./signals.ts";
export * as checks from "./checks/mod.ts";

// URLs.
export * from "./urls/mod.ts";

// Requests.
export { HttpRequest } from "./request.ts";
export { MultiValueDict, QueryDict } from "./query_dict.ts";
export { UploadedFile } from "./uploads.ts";

// Responses.
export {
  DeferredResponse,
  HttpResponse,
  HttpResponseBadRequest,
  HttpResponseForbidden,
  HttpResponseGone,
  HttpResponseNotAllowed,
  HttpResponseNotFound,
  HttpResponseNotModified,
  HttpResponsePermanentRedirect,
  HttpResponseRedirect,
  HttpResponseServerError,
  JsonResponse,
  StreamingHttpResponse,
} from "./response.ts";
export { FileResponse } from "./file_response.ts";
export { or404, redirect } from "./shortcuts.ts";

// Middleware, and the decorators that belong to it.
export {
  xframeOptionsDeny,
  xframeOptionsExempt,
  XFrameOptionsMiddleware,
  xframeOptionsSameorigin,
} from "./middleware/clickjacking.ts";
export { CommonMiddleware, noAppendSlash } from "./middleware/common.ts";
export { ConditionalGetMiddleware } from "./middleware/conditional_get.ts";
export { cors, type CorsOptions } from "./middleware/cors.ts";
export {
  csrfExempt,
  csrfFailure,
  csrfProtect,
  CsrfViewMiddleware,
  ensureCsrfCookie,
  getToken,
  rotateToken,
} from "./middleware/csrf.ts";
export { SecurityMiddleware } from "./middleware/security.ts";

// Views: decorators, caches, mounted applications.
export {
  addNeverCacheHeaders,
  type CacheControl,
  hasVaryHeader,
  patchCacheControl,
  patchVaryHeaders,
} from "./cache.ts";
export {
  cacheControl,
  conditionalPage,
  neverCache,
  requireGET,
  requireHttpMethods,
  requirePOST,
  requireSafe,
  varyOnCookie,
  varyOnHeaders,
} from "./decorators.ts";
export { mount } from "./mount.ts";
