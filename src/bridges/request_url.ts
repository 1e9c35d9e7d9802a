// The absolute URL of a request. Whatever the client sent, `new URL(url).href === url`: most requests pass a look at
// their characters and are put together as strings, the others go through the runtime's URL parser.

import type { Environ } from "../esgi/environ.ts";

// What the URL parser would change in a path or query: an encoded or removed character, a dot segment. "^" and "'"
// are here because runtimes differ in when they encode them.
const NEEDS_PARSER = /[^\w\-.~!$&()*+,;=:@%/?]|\/(?:\.|%2[eE])/;

/**
 * The scheme is the transport's (`esgi.url_scheme`), the host that of the Host field, or SERVER_NAME where that is none.
 * The path and query are those of `esgi.target`, so that an application mounted at a prefix sees the full path. The
 * target `*` gives the path `/*`, as a relative reference would; an absolute-form target counts from its path on.
 */
export function requestUrl(environ: Environ): string {
  const origin = originOf(environ["esgi.url_scheme"], environ.HTTP_HOST, environ);
  let target: string | undefined = environ["esgi.target"];
  if (target === undefined) target = targetOf(environ);
  else if (target.charCodeAt(0) !== 0x2f) target = originForm(target);
  return NEEDS_PARSER.test(target) ? parsed(origin, target) : origin + target;
}

function targetOf(environ: Environ): string {
  let path = `${environ.SCRIPT_NAME}${environ.PATH_INFO}`;
  try {
    path = encodeURI(path).replace(/[?#]/g, encodeURIComponent);
  } catch {
    // A lone surrogate: the URL parser makes U+FFFD of it.
  }
  if (path === "") path = environ.REQUEST_METHOD === "OPTIONS" ? "/*" : "/";
  return environ.QUERY_STRING === "" ? path : `${path}?${environ.QUERY_STRING}`;
}

// RFC 9112 §3.2.2: an origin server must take the absolute-form. Its authority is the server's to compare with Host.
function originForm(target: string): string {
  const authority = target.indexOf("://");
  if (authority === -1) return `/${target}`;
  const path = target.slice(authority + 3).search(/[/?\\]/);
  if (path === -1) return "/";
  const rest = target.slice(authority + 3 + path);
  return rest.startsWith("?") ? `/${rest}` : rest;
}

function parsed(origin: string, target: string): string {
  // No target has a fragment (RFC 9112 §3.2); and one character of a raw target is one byte.
  const ascii = target.replace(/[#\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
  const { href } = new URL(origin + ascii);
  return href;
}

// Origins by scheme and Host field; the last one is at hand. Bounded, since the client chooses the field.
const origins = new Map<string, string | null>();
const MOST_ORIGINS = 256;
let lastScheme = "";
let lastHost = "";
let lastOrigin = "";

function originOf(scheme: string, host: string | undefined, environ: Environ): string {
  if (host === undefined) return serverOrigin(scheme, environ);
  if (host === lastHost && scheme === lastScheme) return lastOrigin;
  const key = `${scheme}://${host}`;
  let origin = origins.get(key);
  if (origin === undefined) {
    origin = parseOrigin(scheme, host);
    if (origins.size >= MOST_ORIGINS) origins.clear();
    origins.set(key, origin);
  }
  if (origin === null) return serverOrigin(scheme, environ);
  lastScheme = scheme;
  lastHost = host;
  return lastOrigin = origin;
}

function serverOrigin(scheme: string, environ: Environ): string {
  return parseOrigin(scheme, `${environ.SERVER_NAME}:${environ.SERVER_PORT}`) ??
    parseOrigin(scheme, environ.SERVER_NAME) ?? `${scheme}://localhost`;
}

// Null where `host` is not `uri-host [ ":" port ]` (RFC 9110 §7.2).
function parseOrigin(scheme: string, host: string): string | null {
  if (host === "" || /[^\w\-.~!$&'()*+,;=%:[\]\x80-\uffff]/.test(host)) return null;
  try {
    const url = new URL(`${scheme}://${host}/`);
    return url.username === "" && url.pathname === "/" && url.hostname !== "" ? `${url.protocol}//${url.host}` : null;
  } catch {
    return null;
  }
}
