// The settings of a Handler: Django's names, meanings and defaults, as far as a handler has use for them. There is no
// global settings object: a Handler owns its Settings, and a request carries them. A name that is none is an error here,
// at the start, and not a wish that nobody hears.

import { didYouMean } from "../config/nearest.ts";
import type { Middleware, URLConf, View } from "./base.ts";
import { ImproperlyConfigured } from "./exceptions.ts";
import type { LogRecord } from "./log.ts";
import type { FileStorage } from "./uploads.ts";

/** Every setting, with its value. Made by {@link resolveSettings}; frozen. */
export interface Settings {
  /** Tells the client what went wrong, and what the project looks like inside. Never in production. Default false. */
  readonly DEBUG: boolean;
  /** Throws what a view throws at the server, without an error page. For tests. Default false. */
  readonly DEBUG_PROPAGATE_EXCEPTIONS: boolean;
  /** The key of everything that is signed: 50 characters or more, of no pattern. Default "": nothing can be signed. */
  readonly SECRET_KEY: string;
  /**
   * The hosts that the site is: names without port, `.example.com` with all below it, or `*`. Default []: none, but with
   * DEBUG those of this machine.
   */
  readonly ALLOWED_HOSTS: readonly string[];
  /** The URL patterns, or `{ patterns, handler404, ... }`. Default []. */
  readonly ROOT_URLCONF: URLConf;
  /** The middleware, outermost first. Default []. */
  readonly MIDDLEWARE: readonly Middleware[];
  /** Redirects a path that no pattern matches to the one with a "/" at its end, where that does. Default true. */
  readonly APPEND_SLASH: boolean;
  /** Redirects to `www.` and the host. Default false. */
  readonly PREPEND_WWW: boolean;
  /** Used instead of the environ's SCRIPT_NAME. Default null. */
  readonly FORCE_SCRIPT_NAME: string | null;
  /** User agents that match one of these get 403. Default []. */
  readonly DISALLOWED_USER_AGENTS: readonly RegExp[];
  /** The charset of responses, and of the text that a request does not say the charset of. Default "utf-8". */
  readonly DEFAULT_CHARSET: string;
  /** Takes each record of the log. Default null: they are written to the server's error log, `esgi.errors`. */
  readonly LOGGER: ((record: LogRecord) => void) | null;
  /** The ids of system checks that are not to be told, for example `security.W004`. Default []. */
  readonly SILENCED_SYSTEM_CHECKS: readonly string[];

  /** Bytes that a request's body may have, files aside; null: any number. Default 2.5 MiB. */
  readonly DATA_UPLOAD_MAX_MEMORY_SIZE: number | null;
  /** Fields that GET and POST may have, each; null: any number. Default 1000. */
  readonly DATA_UPLOAD_MAX_NUMBER_FIELDS: number | null;
  /** Files that a request may have; null: any number. Default 100. */
  readonly DATA_UPLOAD_MAX_NUMBER_FILES: number | null;
  /** Bytes that the uploaded files of a request may have in memory, all together. Default 2.5 MiB. */
  readonly FILE_UPLOAD_MAX_MEMORY_SIZE: number;
  /**
   * Takes the files that do not stay in memory: `temporaryFileStorage` of "tricorn" has them on the disk. Default null:
   * nobody does, and a request with more is answered with 413.
   */
  readonly FILE_UPLOAD_STORAGE: FileStorage | null;
  /** The folder of files that do not stay in memory. Default null: the system's. */
  readonly FILE_UPLOAD_TEMP_DIR: string | null;

  /** Believes X-Forwarded-Host; only behind a proxy that sets it. Default false. */
  readonly USE_X_FORWARDED_HOST: boolean;
  /** Believes X-Forwarded-Port; only behind a proxy that sets it. Default false. */
  readonly USE_X_FORWARDED_PORT: boolean;
  /** The key of META and its value that say "https": `["HTTP_X_FORWARDED_PROTO", "https"]`. Default null. */
  readonly SECURE_PROXY_SSL_HEADER: readonly [key: string, value: string] | null;

  /** Seconds of Strict-Transport-Security (RFC 6797); 0: none is sent. Default 0. */
  readonly SECURE_HSTS_SECONDS: number;
  /** Default false. */
  readonly SECURE_HSTS_INCLUDE_SUBDOMAINS: boolean;
  /** Default false. */
  readonly SECURE_HSTS_PRELOAD: boolean;
  /** Sends `X-Content-Type-Options: nosniff`. Default true. */
  readonly SECURE_CONTENT_TYPE_NOSNIFF: boolean;
  /** Referrer-Policy; null: none. Default "same-origin". */
  readonly SECURE_REFERRER_POLICY: string | readonly string[] | null;
  /** Cross-Origin-Opener-Policy; null: none. Default "same-origin". */
  readonly SECURE_CROSS_ORIGIN_OPENER_POLICY: string | null;
  /** Redirects http to https. Default false. */
  readonly SECURE_SSL_REDIRECT: boolean;
  /** The host that SECURE_SSL_REDIRECT leads to; null: the request's. Default null. */
  readonly SECURE_SSL_HOST: string | null;
  /** Paths, without their first "/", that SECURE_SSL_REDIRECT leaves alone. Default []. */
  readonly SECURE_REDIRECT_EXEMPT: readonly RegExp[];
  /** X-Frame-Options: "DENY" or "SAMEORIGIN". Default "DENY". */
  readonly X_FRAME_OPTIONS: string;

  /** Default "csrftoken". */
  readonly CSRF_COOKIE_NAME: string;
  /** Seconds; null: until the browser is closed. Default a year, of 52 weeks. */
  readonly CSRF_COOKIE_AGE: number | null;
  /** Default null: the host alone. */
  readonly CSRF_COOKIE_DOMAIN: string | null;
  /** Default "/". */
  readonly CSRF_COOKIE_PATH: string;
  /** Default false. */
  readonly CSRF_COOKIE_SECURE: boolean;
  /** Default false. */
  readonly CSRF_COOKIE_HTTPONLY: boolean;
  /** Default "Lax"; null: the attribute is left out. */
  readonly CSRF_COOKIE_SAMESITE: "Lax" | "Strict" | "None" | null;
  /** The key of META that may have the token. Default "HTTP_X_CSRFTOKEN". */
  readonly CSRF_HEADER_NAME: string;
  /** Origins that may send forms here: `https://example.com`, `https://*.example.com`. Default []. */
  readonly CSRF_TRUSTED_ORIGINS: readonly string[];
  /** Answers what was refused; its params have the `reason`. Default null: a page of 403. */
  readonly CSRF_FAILURE_VIEW: View<{ reason: string }> | null;

  /** The prefix of static files' URLs. Default null: there are none. */
  readonly STATIC_URL: string | null;
  /** The folder that static files are served from in production. Default null. */
  readonly STATIC_ROOT: string | null;
  /** The folders in which static files are looked for in development. Default []. */
  readonly STATICFILES_DIRS: readonly string[];
}

/** What `new Handler(...)` is given: those settings that are not to have their default. */
export type HandlerSettings = Partial<Settings>;

const MEBIBYTE = 1024 * 1024;

const DEFAULTS: Settings = {
  DEBUG: false,
  DEBUG_PROPAGATE_EXCEPTIONS: false,
  SECRET_KEY: "",
  ALLOWED_HOSTS: [],
  ROOT_URLCONF: [],
  MIDDLEWARE: [],
  APPEND_SLASH: true,
  PREPEND_WWW: false,
  FORCE_SCRIPT_NAME: null,
  DISALLOWED_USER_AGENTS: [],
  DEFAULT_CHARSET: "utf-8",
  LOGGER: null,
  SILENCED_SYSTEM_CHECKS: [],

  DATA_UPLOAD_MAX_MEMORY_SIZE: 2.5 * MEBIBYTE,
  DATA_UPLOAD_MAX_NUMBER_FIELDS: 1000,
  DATA_UPLOAD_MAX_NUMBER_FILES: 100,
  FILE_UPLOAD_MAX_MEMORY_SIZE: 2.5 * MEBIBYTE,
  FILE_UPLOAD_STORAGE: null,
  FILE_UPLOAD_TEMP_DIR: null,

  USE_X_FORWARDED_HOST: false,
  USE_X_FORWARDED_PORT: false,
  SECURE_PROXY_SSL_HEADER: null,

  SECURE_HSTS_SECONDS: 0,
  SECURE_HSTS_INCLUDE_SUBDOMAINS: false,
  SECURE_HSTS_PRELOAD: false,
  SECURE_CONTENT_TYPE_NOSNIFF: true,
  SECURE_REFERRER_POLICY: "same-origin",
  SECURE_CROSS_ORIGIN_OPENER_POLICY: "same-origin",
  SECURE_SSL_REDIRECT: false,
  SECURE_SSL_HOST: null,
  SECURE_REDIRECT_EXEMPT: [],
  X_FRAME_OPTIONS: "DENY",

  CSRF_COOKIE_NAME: "csrftoken",
  CSRF_COOKIE_AGE: 60 * 60 * 24 * 7 * 52,
  CSRF_COOKIE_DOMAIN: null,
  CSRF_COOKIE_PATH: "/",
  CSRF_COOKIE_SECURE: false,
  CSRF_COOKIE_HTTPONLY: false,
  CSRF_COOKIE_SAMESITE: "Lax",
  CSRF_HEADER_NAME: "HTTP_X_CSRFTOKEN",
  CSRF_TRUSTED_ORIGINS: [],
  CSRF_FAILURE_VIEW: null,

  STATIC_URL: null,
  STATIC_ROOT: null,
  STATICFILES_DIRS: [],
};

/** What a setting whose default is not of one kind may be, besides null; the others are of their default's. */
const KINDS: Readonly<Partial<Record<keyof Settings, readonly Kind[]>>> = {
  ROOT_URLCONF: ["an array", "an object"],
  FORCE_SCRIPT_NAME: ["a string", "null"],
  LOGGER: ["a function", "null"],
  DATA_UPLOAD_MAX_MEMORY_SIZE: ["a number", "null"],
  DATA_UPLOAD_MAX_NUMBER_FIELDS: ["a number", "null"],
  DATA_UPLOAD_MAX_NUMBER_FILES: ["a number", "null"],
  FILE_UPLOAD_STORAGE: ["an object", "null"],
  FILE_UPLOAD_TEMP_DIR: ["a string", "null"],
  SECURE_PROXY_SSL_HEADER: ["an array", "null"],
  SECURE_REFERRER_POLICY: ["a string", "an array", "null"],
  SECURE_CROSS_ORIGIN_OPENER_POLICY: ["a string", "null"],
  SECURE_SSL_HOST: ["a string", "null"],
  CSRF_COOKIE_AGE: ["a number", "null"],
  CSRF_COOKIE_DOMAIN: ["a string", "null"],
  CSRF_COOKIE_SAMESITE: ["a string", "null"],
  CSRF_FAILURE_VIEW: ["a function", "null"],
  STATIC_URL: ["a string", "null"],
  STATIC_ROOT: ["a string", "null"],
};

type Kind = "a string" | "a number" | "a boolean" | "an array" | "an object" | "a function" | "null" | "undefined";

/**
 * `given` and, for all that it does not say, the defaults.
 *
 * @throws {ImproperlyConfigured} that names a setting which is none, and the nearest one; or one whose value is not of
 * its kind.
 */
export function resolveSettings(given: HandlerSettings = {}): Settings {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw new ImproperlyConfigured(
        `there is no setting ${JSON.stringify(name)}${didYouMean(name, Object.keys(DEFAULTS))}`,
      );
    }
    const kinds = KINDS[name as keyof Settings] ?? [kindOf(DEFAULTS[name as keyof Settings])];
    if (!kinds.includes(kindOf(value))) {
      throw new ImproperlyConfigured(`the setting ${name} is ${kindOf(value)}; it must be ${kinds.join(" or ")}`);
    }
    if (typeof value === "number" && !(Number.isFinite(value) && value >= 0)) {
      throw new ImproperlyConfigured(`the setting ${name} is ${value}; it must be 0 or more`);
    }
  }
  return Object.freeze({ ...DEFAULTS, ...given });
}

function kindOf(value: unknown): Kind {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  const type = typeof value;
  return type === "undefined" ? type : type === "object" ? "an object" : `a ${type}` as Kind;
}
