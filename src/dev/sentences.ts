// What a refusal means to whoever develops: most often a client that speaks another protocol than this server, and what to do
// about it. Production has the reason alone.

import { HTTP2_REASON, TLS_REASON } from "../http1/errors.ts";
import type { Events } from "../observe/events.ts";

/**
 * One sentence with the remedy; null where the reason of the refusal says all there is.
 *
 * @param url where this server is reached, as its banner says: `http://127.0.0.1:8000`.
 */
export function explainRefusal({ status, reason }: Events["refused"], url: string): string | null {
  if (reason === TLS_REASON) {
    return `You are speaking HTTPS to a server that speaks HTTP: open ${url}, or start with --https`;
  }
  if (reason === HTTP2_REASON) {
    return `You are speaking HTTP/2 to a server that speaks HTTP/1.1: with curl, say --http1.1`;
  }
  // Nothing that it would understand could be said to it.
  if (status === 0) return `You are speaking HTTP to a server that speaks HTTPS: open ${url}, or start without --https`;
  return null;
}
