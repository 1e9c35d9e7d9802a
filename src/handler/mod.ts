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
export { HttpRequest, type SignedCookieOptions } from "./request.ts";
export { HttpHeaders } from "./http_headers.ts";
export { MediaType } from "./media_type.ts";
export { MultiValueDict, QueryDict, type QueryDictOptions } from "./query_dict.ts";
export { RawPostDataException } from "./request_body.ts";
export {
  type FileStorage,
  type FileUploadHandler,
  MemoryFileUploadHandler,
  type StoredFile,
  TemporaryFileUploadHandler,
  UploadedFile,
  type UploadInfo,
} from "./uploads.ts";
export {
  BadSignature,
  constantTimeCompare,
  dumps,
  type DumpsOptions,
  loads,
  SignatureExpired,
  Signer,
  type SignerOptions,
  TimestampSigner,
} from "./signing.ts";

// Responses.
export { conditional } from "./conditional.ts";
export { type CookieOptions, Morsel } from "./cookie.ts";
export { type FileLike, FileResponse, type FileResponseInit, type FileStream } from "./file_response.ts";
export { contentDispositionHeader } from "./http.ts";
export {
  type Content,
  ContentNotRenderedError,
  DeferredResponse,
  type ESGIResponse,
  HttpResponse,
  HttpResponseBadRequest,
  HttpResponseForbidden,
  HttpResponseGone,
  type HttpResponseInit,
  HttpResponseNotAllowed,
  HttpResponseNotFound,
  HttpResponseNotModified,
  HttpResponsePermanentRedirect,
  HttpResponseRedirect,
  HttpResponseServerError,
  JsonResponse,
  type RedirectInit,
  type StreamingContent,
  StreamingHttpResponse,
} from "./response.ts";
export { type HeadersInit, ResponseHeaders } from "./response_headers.ts";
export { type HasAbsoluteURL, or404, redirect } from "./shortcuts.ts";

// Middleware, and the decorators that belong to it.
export { accelRedirectMiddleware } from "./middleware/accel_redirect.ts";
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
export { type Compression, gzipMiddleware } from "./middleware/gzip.ts";
export { RequestIDMiddleware } from "./middleware/request_id.ts";
export { SecurityMiddleware } from "./middleware/security.ts";
export { type OpenFileBelow, staticFilesMiddleware } from "./middleware/static.ts";

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
