// The log of a handler: which records there are, and that a response is told of once, however many layers it passes.
// Where records go is the setting LOGGER's to say; without it, they are lines of the server's error log.

import type { Environ } from "../esgi/environ.ts";
import type { HttpRequest } from "./request.ts";
import type { HttpResponse } from "./response.ts";
import type { Settings } from "./settings.ts";

/** One record. */
export interface LogRecord {
  /** Who speaks: `tricorn.request`, or `tricorn.security.` and the class of what was thrown (Django's `django.*`). */
  readonly logger: string;
  readonly level: "error" | "warning";
  /** One line. */
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
    message: `${message}: ${oneLine(request.path)}`,
    status: response.statusCode,
    request,
    ...(options.error === undefined ? {} : { error: options.error }),
  });
}

/** Hands `record` to LOGGER, or writes it to `esgi.errors`. What LOGGER throws ends there: no request fails for it. */
export function log(settings: Settings, environ: Environ, record: LogRecord): void {
  try {
    if (settings.LOGGER !== null) settings.LOGGER(record);
    else environ["esgi.errors"].write(formatRecord(record));
  } catch (error) {
    environ["esgi.errors"].write(`the setting LOGGER failed: ${String(error)}\n`);
  }
}

/** A record as text; with the stack where the fault is the site's own. */
export function formatRecord({ logger, level, message, error }: LogRecord): string {
  const stack = level === "error" && error !== undefined ? `${stackOf(error)}\n` : "";
  return `${level.toUpperCase()} ${logger}: ${message}\n${stack}`;
}

/** The stack of what was thrown, with those of its causes. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node and Deno begin a stack with the message, Bun and Safari do not.
  const head = `${error.name}: ${error.message}`;
  const stack = error.stack ?? "";
  const text = stack.includes(error.message) ? stack : `${head}\n${stack}`;
  return error.cause === undefined || error.cause === error ? text : `${text}\nCaused by: ${stackOf(error.cause)}`;
}

/** A path comes from the client: what it has of line breaks must not make lines in a log. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (control) => encodeURIComponent(control)).slice(0, 2000);
}
