// What views, middleware and the request throw to say how a request ends; base.ts maps each to its status. Names are
// Django's. Classes only: no request, no response, no settings.

/** No such thing: 404. Thrown by views; the resolver's own is `Resolver404` (Django's Http404). */
export class Http404 extends Error {
  override readonly name: string = "Http404";
}

/** The client may not: 403 (Django's PermissionDenied). */
export class PermissionDenied extends Error {
  override readonly name: string = "PermissionDenied";
}

/** The request makes no sense: 400 (Django's BadRequest). */
export class BadRequest extends Error {
  override readonly name: string = "BadRequest";
}

/**
 * The client did what an honest one does not: 400, but for {@link RequestDataTooBig}, and a record under
 * `tricorn.security.NAME` in the log, `NAME` being the class's (Django's SuspiciousOperation).
 */
export class SuspiciousOperation extends Error {
  override readonly name: string = "SuspiciousOperation";
}

/** The Host is not one of ALLOWED_HOSTS, or none at all. */
export class DisallowedHost extends SuspiciousOperation {
  override readonly name: string = "DisallowedHost";
}

/** A redirect to a scheme that is not allowed. */
export class DisallowedRedirect extends SuspiciousOperation {
  override readonly name: string = "DisallowedRedirect";
}

/** More fields in GET or POST than DATA_UPLOAD_MAX_NUMBER_FIELDS. */
export class TooManyFieldsSent extends SuspiciousOperation {
  override readonly name: string = "TooManyFieldsSent";
}

/** More files than DATA_UPLOAD_MAX_NUMBER_FILES. */
export class TooManyFilesSent extends SuspiciousOperation {
  override readonly name: string = "TooManyFilesSent";
}

/** More body, files aside, than DATA_UPLOAD_MAX_MEMORY_SIZE: 413 (RFC 9110 §15.5.14; Django answers 400). */
export class RequestDataTooBig extends SuspiciousOperation {
  override readonly name: string = "RequestDataTooBig";
}

/** A file's name or path that leads where it must not. */
export class SuspiciousFileOperation extends SuspiciousOperation {
  override readonly name: string = "SuspiciousFileOperation";
}

/** An upload that no handler takes. */
export class InvalidUpload extends SuspiciousOperation {
  override readonly name: string = "InvalidUpload";
}

/** A multipart body that is none: 400. */
export class MultiPartParserError extends Error {
  override readonly name: string = "MultiPartParserError";
}

/**
 * The body could not be read to its end: the client left, was too slow, or broke the framing. The server's `InputError`
 * is its `cause` and tells the status: 400, 408 or 413.
 */
export class UnreadablePostError extends Error {
  override readonly name: string = "UnreadablePostError";
}

/** The project is wrong, not the request: a setting, a middleware, a view. 500 where it shows during a request. */
export class ImproperlyConfigured extends Error {
  override readonly name: string = "ImproperlyConfigured";
}

/** Thrown by a middleware when it is loaded: it wants to be left out. */
export class MiddlewareNotUsed extends Error {
  override readonly name: string = "MiddlewareNotUsed";
}

/** A response header with a line break or NUL: someone may be splitting the response. */
export class BadHeaderError extends Error {
  override readonly name: string = "BadHeaderError";
}

/** A URL pattern has no view that can be called. */
export class ViewDoesNotExist extends Error {
  override readonly name: string = "ViewDoesNotExist";
}
