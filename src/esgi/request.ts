// From a request's parts to an environ, for everyone who is not the server: the testing module and the bridges. It obeys
// the same rules as src/server/gateway.ts and is written to be read, not to be fast.

import type { Environ, ErrorStream, Headers } from "./environ.ts";
import { FileWrapper } from "./body.ts";
import type { Input } from "./input.ts";

/** What {@link makeRequestEnviron} needs; see {@link Environ} for what each becomes. */
export interface RequestParts {
  readonly method: string;
  /** The request-target as received. */
  readonly target: string;
  /** `HTTP/1.0` or `HTTP/1.1`. */
  readonly protocol: string;
  readonly scheme: "http" | "https";
  readonly headers: Headers;
  readonly input: Input;
  readonly errors: ErrorStream;
  readonly signal: AbortSignal;
  /** Where the application is mounted, decoded; default "". The target's path must be below it, unless `path` is given. */
  readonly scriptName?: string;
  /** The path below `scriptName`, still encoded, where it is not what the target says. */
  readonly path?: string;
  /** The client's IP address; default "". */
  readonly remoteAddress?: string;
  /** The client's port; default: not known. */
  readonly remotePort?: number | undefined;
  /** `host` or `host:port`, where neither target nor Host field tell. */
  readonly fallbackHost?: string;
  readonly multithread?: boolean;
  readonly multiprocess?: boolean;
  readonly runOnce?: boolean;
}

/** What an application is told of a target: path still encoded, query without "?". */
export interface TargetParts {
  readonly path: string;
  readonly query: string;
  /** The authority of absolute- and authority-form, else null. */
  readonly authority: string | null;
}

/** Splits a request-target (RFC 9112 §3.2). It does not validate: what arrives here has passed an HTTP parser. */
export function splitTarget(method: string, target: string): TargetParts {
  if (method === "CONNECT") return { path: "", query: "", authority: target };
  if (target === "*") return { path: "", query: "", authority: null };
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(target);
  const rest = absolute === null ? target : target.slice(absolute[0].length);
  const mark = rest.indexOf("?");
  const path = mark < 0 ? rest : rest.slice(0, mark);
  return {
    // In absolute-form an empty path is "/", but for OPTIONS, where it is "*" (RFC 9112 §3.2.1, §3.2.4).
    path: path === "" && !(method === "OPTIONS" && mark < 0) ? "/" : path,
    query: mark < 0 ? "" : rest.slice(mark + 1),
    authority: absolute?.[1] ?? null,
  };
}

/** The path, percent-decoded as UTF-8. Escapes that are not UTF-8 stay as they are, so nothing is lost or guessed. */
export function decodePath(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path.replace(/(?:%[0-9A-Fa-f]{2})+/g, decodeRun);
  }
}

function decodeRun(run: string): string {
  let decoded = "";
  for (let at = 0; at < run.length;) {
    const lead = Number.parseInt(run.slice(at + 1, at + 3), 16);
    const sequence = run.slice(at, at + 3 * (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4));
    try {
      decoded += decodeURIComponent(sequence);
      at += sequence.length;
    } catch {
      decoded += run.slice(at, at + 3);
      at += 3;
    }
  }
  return decoded;
}

/** A host as SERVER_NAME and SERVER_PORT have it: brackets kept, the scheme's port where none is told. */
export function splitHost(host: string, scheme: "http" | "https"): { name: string; port: string } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::([0-9]*))?$/.exec(host);
  return { name: match?.[1] || "localhost", port: match?.[2] || (scheme === "https" ? "443" : "80") };
}

/** The keys that fields make: HTTP_*, CONTENT_TYPE and CONTENT_LENGTH, by the rules of {@link Environ}. */
export function fieldKeys(headers: Headers): Record<string, string> {
  const keys: Record<string, string> = {};
  for (const [name, value] of headers) {
    // "X_A" and "X-A" would be one key, and a proxy that guards the second lets the first pass.
    if (name.includes("_")) continue;
    const upper = name.toUpperCase().replaceAll("-", "_");
    const key = upper === "CONTENT_TYPE" || upper === "CONTENT_LENGTH" ? upper : `HTTP_${upper}`;
    const before = keys[key];
    keys[key] = before === undefined ? value : `${before}${key === "HTTP_COOKIE" ? "; " : ", "}${value}`;
  }
  return keys;
}

/** An environ with every key that the parts tell. Powers (early hints, upgrade) and TLS are the caller's to add. */
export function makeRequestEnviron(parts: RequestParts): Environ {
  const target = splitTarget(parts.method, parts.target);
  const scriptName = parts.scriptName ?? "";
  const path = decodePath(parts.path ?? target.path);
  const field = parts.headers.find(([name]) => name.toLowerCase() === "host")?.[1];
  const host = splitHost(target.authority ?? (field || parts.fallbackHost || ""), parts.scheme);
  return {
    REQUEST_METHOD: parts.method,
    SCRIPT_NAME: scriptName,
    PATH_INFO: parts.path === undefined && scriptName !== "" && isBelow(path, scriptName)
      ? path.slice(scriptName.length)
      : path,
    QUERY_STRING: target.query,
    SERVER_NAME: host.name,
    SERVER_PORT: host.port,
    SERVER_PROTOCOL: parts.protocol,
    REMOTE_ADDR: parts.remoteAddress ?? "",
    REMOTE_PORT: parts.remotePort === undefined ? "" : String(parts.remotePort),
    ...fieldKeys(parts.headers),
    // Absolute-form's authority replaces the Host field (RFC 9112 §3.2.2).
    ...(target.authority === null ? {} : { HTTP_HOST: target.authority }),
    "esgi.version": [1, 0],
    "esgi.url_scheme": parts.scheme,
    "esgi.input": parts.input,
    "esgi.errors": parts.errors,
    "esgi.multithread": parts.multithread ?? false,
    "esgi.multiprocess": parts.multiprocess ?? false,
    "esgi.run_once": parts.runOnce ?? false,
    "esgi.target": parts.target,
    "esgi.headers": parts.headers,
    "esgi.signal": parts.signal,
    "esgi.file_wrapper": (file, chunkSize) => new FileWrapper(file, chunkSize),
  };
}

/** True when `path` is `prefix` or below it. */
export function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === "/");
}
