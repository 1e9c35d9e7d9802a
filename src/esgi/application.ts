// The call between a server and an application: the whole of ESGI's surface, as types.

import type { Body } from "./body.ts";
import type { Environ, Headers } from "./environ.ts";

export type MaybePromise<T> = T | Promise<T>;

/**
 * Declares the response's head; it travels with the body's first non-empty chunk, or at its end.
 *
 * `status` is three digits, a space and a reason phrase (`"200 OK"`). A second call needs `error`: it replaces the head
 * while nothing has been sent, and rethrows `error` once something has (PEP 3333, "The start_response() Callable").
 *
 * @throws {TypeError} when status or headers are malformed (RFC 9110 §5.1, §5.5), or on a second call without `error`.
 */
export type StartResponse = (status: string, headers: Headers, error?: unknown) => void;

/** An application: called once for each request. Sync or async; the server waits only when a promise comes back. */
export type Application = (environ: Environ, startResponse: StartResponse) => MaybePromise<Body>;

/** An application around another one. It yields at least one chunk each time the inner one does. */
export type Middleware = (inner: Application) => Application;
