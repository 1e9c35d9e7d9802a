// Waiting only where there is something to wait for: a synchronous site costs no promise.

/** True for a promise, of whichever make. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
