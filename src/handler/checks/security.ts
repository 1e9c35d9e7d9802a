// Checks of what a site owes its visitors, mostly before it is deployed (Django's checks/security). Each check is one row:
// when it is said, and what.

import type { Middleware } from "../base.ts";
import { XFrameOptionsMiddleware } from "../middleware/clickjacking.ts";
import { CsrfViewMiddleware } from "../middleware/csrf.ts";
import { SecurityMiddleware } from "../middleware/security.ts";
import type { Settings } from "../settings.ts";
import type { CheckLevel, CheckMessage } from "./messages.ts";

interface Rule {
  readonly id: string;
  /** Only for what is to be deployed. */
  readonly deploy: boolean;
  /** True where the project breaks it. */
  readonly broken: (settings: Settings) => boolean;
  readonly message: string;
  readonly hint: string;
}

const has = ({ MIDDLEWARE }: Settings, middleware: Middleware): boolean => MIDDLEWARE.includes(middleware);
const secured = (settings: Settings): boolean => has(settings, SecurityMiddleware);

const REFERRER_POLICIES: ReadonlySet<string> = new Set([
  "no-referrer",
  "no-referrer-when-downgrade",
  "origin",
  "origin-when-cross-origin",
  "same-origin",
  "strict-origin",
  "strict-origin-when-cross-origin",
  "unsafe-url",
]);
const OPENER_POLICIES: ReadonlySet<string> = new Set([
  "same-origin",
  "same-origin-allow-popups",
  "unsafe-none",
  "noopener-allow-popups",
]);

/** Django's: long, of many characters, and not the one that a template of a project has. */
function isWeak(key: string): boolean {
  return key.length < 50 || new Set(key).size < 5 || key.startsWith("django-insecure-") ||
    key.startsWith("tricorn-insecure-");
}

function referrerPolicies({ SECURE_REFERRER_POLICY: policy }: Settings): readonly string[] {
  if (policy === null) return [];
  return typeof policy === "string" ? policy.split(",").map((one) => one.trim()) : policy;
}

const RULES: readonly Rule[] = [
  {
    id: "security.W001",
    deploy: true,
    broken: (settings) => !secured(settings),
    message: "SecurityMiddleware is not in MIDDLEWARE, so the SECURE_* settings have no effect.",
    hint: "Put it first in MIDDLEWARE.",
  },
  {
    id: "security.W002",
    deploy: true,
    broken: (settings) => !has(settings, XFrameOptionsMiddleware),
    message: "XFrameOptionsMiddleware is not in MIDDLEWARE, so other sites may show these pages in their frames.",
    hint: "Add it to MIDDLEWARE, unless the pages are meant to be framed.",
  },
  {
    id: "security.W003",
    deploy: true,
    broken: (settings) => !has(settings, CsrfViewMiddleware),
    message: "CsrfViewMiddleware is not in MIDDLEWARE, so other sites may send forms here in a visitor's name.",
    hint: "Add it to MIDDLEWARE; it is not safe to leave it out.",
  },
  {
    id: "security.W004",
    deploy: true,
    broken: (settings) => secured(settings) && settings.SECURE_HSTS_SECONDS === 0,
    message: "SECURE_HSTS_SECONDS is not set.",
    hint:
      "If the whole site is served by TLS, set it, to a small value first: a wrong one cannot be taken back (RFC 6797).",
  },
  {
    id: "security.W005",
    deploy: true,
    broken: (settings) =>
      secured(settings) && settings.SECURE_HSTS_SECONDS > 0 && !settings.SECURE_HSTS_INCLUDE_SUBDOMAINS,
    message: "SECURE_HSTS_INCLUDE_SUBDOMAINS is not true, so the site may be attacked by way of a subdomain.",
    hint: "Set it if all subdomains are served by TLS alone.",
  },
  {
    id: "security.W006",
    deploy: true,
    broken: (settings) => secured(settings) && !settings.SECURE_CONTENT_TYPE_NOSNIFF,
    message: "SECURE_CONTENT_TYPE_NOSNIFF is not true, so browsers guess what files are.",
    hint: "Leave it at its default, true.",
  },
  {
    id: "security.W008",
    deploy: true,
    broken: (settings) => secured(settings) && !settings.SECURE_SSL_REDIRECT,
    message: "SECURE_SSL_REDIRECT is not true.",
    hint: "Set it, unless the site is to be served without TLS, too, or a proxy redirects.",
  },
  {
    id: "security.W009",
    deploy: true,
    broken: ({ SECRET_KEY }) => isWeak(SECRET_KEY),
    message:
      "SECRET_KEY has fewer than 50 characters, fewer than 5 different ones, or a prefix that says it is insecure.",
    hint: "Make a long random one, and keep it out of the code: who knows it can forge whatever is signed.",
  },
  {
    id: "security.W016",
    deploy: true,
    broken: (settings) => has(settings, CsrfViewMiddleware) && !settings.CSRF_COOKIE_SECURE,
    message: "CSRF_COOKIE_SECURE is not true, so the cookie can be read on the way.",
    hint: "Set it if the site is served by TLS.",
  },
  {
    id: "security.W018",
    deploy: true,
    broken: ({ DEBUG }) => DEBUG,
    message: "DEBUG is true, so visitors see what the project looks like inside.",
    hint: "Set it to false in deployment.",
  },
  {
    id: "security.W019",
    deploy: true,
    broken: (settings) => has(settings, XFrameOptionsMiddleware) && settings.X_FRAME_OPTIONS !== "DENY",
    message: 'X_FRAME_OPTIONS is not "DENY".',
    hint: "Leave it at its default, unless the site shows pages of its own in frames.",
  },
  {
    // Django says it only before deployment, but its server does not start then.
    id: "security.W020",
    deploy: false,
    broken: ({ DEBUG, ALLOWED_HOSTS }) => !DEBUG && ALLOWED_HOSTS.length === 0,
    message: "ALLOWED_HOSTS is empty, and DEBUG is false: whatever asks for the request's host is answered with 400.",
    hint: "Name the hosts of the site, or set DEBUG to true on your own machine.",
  },
  {
    id: "security.W021",
    deploy: true,
    broken: (settings) => secured(settings) && settings.SECURE_HSTS_SECONDS > 0 && !settings.SECURE_HSTS_PRELOAD,
    message: "SECURE_HSTS_PRELOAD is not true, so the site cannot be put on the browsers' list.",
    hint: "Set it if the site is to be on that list.",
  },
  {
    id: "security.W022",
    deploy: true,
    broken: (settings) => secured(settings) && settings.SECURE_REFERRER_POLICY === null,
    message: "SECURE_REFERRER_POLICY is null, so other sites may learn where their visitors come from.",
    hint: 'Leave it at its default, "same-origin".',
  },
  {
    id: "security.E023",
    deploy: false,
    broken: (settings) => referrerPolicies(settings).some((policy) => !REFERRER_POLICIES.has(policy)),
    message: "SECURE_REFERRER_POLICY has a value that is none.",
    hint: `Values are ${[...REFERRER_POLICIES].join(", ")}.`,
  },
  {
    id: "security.E024",
    deploy: false,
    broken: ({ SECURE_CROSS_ORIGIN_OPENER_POLICY: policy }) => policy !== null && !OPENER_POLICIES.has(policy),
    message: "SECURE_CROSS_ORIGIN_OPENER_POLICY has a value that is none.",
    hint: `Values are ${[...OPENER_POLICIES].join(", ")}.`,
  },
];

const LEVELS: Readonly<Record<string, CheckLevel>> = { W: "warning", E: "error" };

function toMessage({ id, message, hint }: Rule): CheckMessage {
  return { level: LEVELS[id.charAt("security.".length)]!, id, message, hint };
}

/** The ones for every day. */
export function checkSecurity(settings: Settings): CheckMessage[] {
  return RULES.filter((rule) => !rule.deploy && rule.broken(settings)).map(toMessage);
}

/** The ones for what is to be deployed. */
export function checkSecurityForDeployment(settings: Settings): CheckMessage[] {
  return RULES.filter((rule) => rule.deploy && rule.broken(settings)).map(toMessage);
}
