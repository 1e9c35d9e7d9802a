// The log of a handler: which records there are, and that a response is told of once, however many layers it passes.
// Where records go is the setting LOGGER's to say; without it, they are lines of the server's error log, with their level
// where the server is Tricorn's (`tricorn.log` of the environ).

import type { Environ } from "../esgi/environ.ts";
import { describeError, escapeBlock, escapeLine } from "../observe/text.ts";
import type { HttpRequest } from "./request.ts";
import type { HttpResponse } from "./response.ts";
import type { Settings } from "./settings.ts";

/** One record. */
export interface LogRecord {
  /** Who speaks: `tricorn.request`, or `tricorn.security.` and the class of what was thrown (Django's `django.*`). */
  readonly logger: string;
  readonly level: "error" | "warning";
  /** One line, but for what the client has put into it: escape that where lines count. */
  readonly message: string;
  /** The status of the response. */
  readonly status: number;
  /** Null where no request could be made of the environ. */
  readonly request: HttpRequest | null;
  /** What was thrown, where something was. */
  readonly error?: unknown;
}

/** Responses that are in the log already. Weak: who has seen a response must not keep it. */
const logged = new WeakSet<HttpResponse>();

/**
 * Tells the log of `response`, unless it knows: an error from 500 on, a warning from 400 on, below that nothing (Django's
 * log_response).
 *
 * @param message one line without the path, for example "Not Found"
 */
export function logResponse(
  message: string,
  response: HttpResponse,
  request: HttpRequest,
  options: { readonly logger?: string; readonly level?: "error" | "warning"; readonly error?: unknown } = {},
): void {
  if (response.statusCode < 400 || logged.has(response)) return;
  logged.add(response);
  log(request.settings, request.environ, {
    logger: options.logger ?? "tricorn.request",
    level: options.level ?? (response.statusCode >= 500 ? "error" : "warning"),
    message: `${message}: ${request.path}`,
    status: response.statusCode,
    request,
    ...(options.error === undefined ? {} : { error: options.error }),
  });
}

/** Hands `record` to LOGGER, or writes it to the server's log. What LOGGER throws ends there: no request fails for it. */
export function log(settings: Settings, environ: Environ, record: LogRecord): void {
  try {
    if (settings.LOGGER !== null) settings.LOGGER(record);
    else write(environ, record);
  } catch (error) {
    environ["esgi.errors"].write(`the setting LOGGER failed: ${escapeLine(String(error))}\n`);
  }
}

function write(environ: Environ, record: LogRecord): void {
  const log = environ["tricorn.log"];
  if (typeof log === "function") log(record.level, formatRecord(record));
  else environ["esgi.errors"].write(`${record.level.toUpperCase()} ${formatRecord(record)}`);
}

/**
 * A record as text without its level, with what was thrown where the fault is the site's own. What the client sent is on one line, or
 * indented: it cannot pass for a line of the log's.
 */
export function formatRecord({ logger, message, status, error }: LogRecord): string {
  const detail = status >= 500 && error !== undefined ? `  ${escapeBlock(describeError(error), "  ")}\n` : "";
  return `${logger}: ${escapeLine(message)}\n${detail}`;
}
