// A cookie on its way out: the Set-Cookie field of RFC 6265bis, checked when it is made, because a browser drops a cookie
// that breaks a rule and tells nobody.

import { BadHeaderError } from "./exceptions.ts";

/** The attributes of a cookie (Django's set_cookie). */
export interface CookieOptions {
  /** Seconds; 0 or less: the cookie is removed. Without this and `expires` it is gone when the browser is closed. */
  readonly maxAge?: number | null;
  /** When it ends; browsers look at `maxAge` first. */
  readonly expires?: Date | null;
  /** Default "/". Null: the folder of the request's path. */
  readonly path?: string | null;
  /** All hosts below it get the cookie; default: only the host that sets it. */
  readonly domain?: string | null;
  /** Sent over TLS only. Default false. */
  readonly secure?: boolean;
  /** Kept from JavaScript. Default false. */
  readonly httponly?: boolean;
  /** Whether it goes along when another site leads here; "None" needs `secure`. Default: left out, which is "Lax". */
  readonly samesite?: "Lax" | "Strict" | "None" | null;
  /** Kept apart for each site that embeds this one (CHIPS); needs `secure`. Default false. */
  readonly partitioned?: boolean;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What is no cookie-octet (RFC 6265bis §4.1.1), and "%", so that every value that is sent can be decoded. */
const TO_ENCODE = /[^\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+/gu;
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e]*$/;
/** Bytes that name and value may have together in a browser (RFC 6265bis §5.6). */
const MAX_SIZE = 4096;

/**
 * One cookie with its attributes (the name is Python's); set by `response.setCookie()`. It does not change: set another.
 *
 * The value may be any text: what cannot stand in a cookie is percent-encoded, as encodeURIComponent() does.
 */
export class Morsel {
  readonly name: string;
  readonly value: string;
  readonly maxAge: number | null;
  readonly expires: Date | null;
  readonly path: string | null;
  readonly domain: string | null;
  readonly secure: boolean;
  readonly httponly: boolean;
  readonly samesite: "Lax" | "Strict" | "None" | null;
  readonly partitioned: boolean;

  /**
   * @throws {BadHeaderError} that names the cookie, when a browser would not take it: its name is no token, an attribute
   * has a ";" or a control, the name's prefix or an attribute wants `secure` (RFC 6265bis §4.1.3, §5.6), or it is longer
   * than 4096 bytes.
   */
  constructor(name: string, value: string, options: CookieOptions = {}) {
    this.name = name;
    this.value = value;
    this.maxAge = options.maxAge ?? null;
    this.expires = options.expires ?? null;
    this.path = options.path === undefined ? "/" : options.path;
    this.domain = options.domain ?? null;
    this.secure = options.secure ?? false;
    this.httponly = options.httponly ?? false;
    this.samesite = options.samesite ?? null;
    this.partitioned = options.partitioned ?? false;
    const problem = this.#problem();
    if (problem !== null) throw new BadHeaderError(`the cookie ${JSON.stringify(name)}: ${problem}`);
  }

  #problem(): string | null {
    const { name, value, path, domain, maxAge, expires, secure, samesite } = this;
    if (typeof name !== "string" || !TOKEN.test(name)) return "its name is no token (RFC 6265bis §4.1.1)";
    if (typeof value !== "string") return `its value is ${String(value)}, not a string`;
    if (name.length + encodeCookie(value).length > MAX_SIZE) {
      return `name and value are longer than ${MAX_SIZE} bytes, and browsers drop it: keep the data on the server`;
    }
    if (maxAge !== null && !Number.isFinite(maxAge)) return `maxAge is ${maxAge}, not a number of seconds`;
    if (expires !== null && Number.isNaN(expires.getTime())) return "expires is an invalid date";
    if (path !== null && !(path.startsWith("/") && ATTRIBUTE.test(path))) {
      return `path is ${JSON.stringify(path)}: it starts with "/", and has no ";" and no control`;
    }
    if (domain !== null && (domain === "" || !ATTRIBUTE.test(domain))) {
      return `domain is ${JSON.stringify(domain)}: it is a host, without ";" and controls`;
    }
    if (samesite !== null && samesite !== "Lax" && samesite !== "Strict" && samesite !== "None") {
      return `samesite is ${JSON.stringify(samesite)}: it is "Lax", "Strict" or "None"`;
    }
    if (!secure) {
      if (samesite === "None") return 'samesite "None" needs secure: true (RFC 6265bis §5.6)';
      if (this.partitioned) return "partitioned needs secure: true";
      if (/^__(?:secure|host)-/i.test(name)) return "a name with this prefix needs secure: true (RFC 6265bis §4.1.3)";
    }
    if (/^__host-/i.test(name) && (path !== "/" || domain !== null)) {
      return 'the prefix __Host- needs path "/" and no domain (RFC 6265bis §4.1.3.2)';
    }
    return null;
  }

  /** The value of its Set-Cookie field. */
  toString(): string {
    let text = `${this.name}=${encodeCookie(this.value)}`;
    if (this.domain !== null) text += `; Domain=${this.domain}`;
    if (this.expires !== null) text += `; Expires=${this.expires.toUTCString()}`;
    if (this.httponly) text += "; HttpOnly";
    if (this.maxAge !== null) text += `; Max-Age=${Math.trunc(this.maxAge)}`;
    if (this.partitioned) text += "; Partitioned";
    if (this.path !== null) text += `; Path=${this.path}`;
    if (this.samesite !== null) text += `; SameSite=${this.samesite}`;
    if (this.secure) text += "; Secure";
    return text;
  }
}

function encodeCookie(value: string): string {
  return value.replace(TO_ENCODE, (run) => encodeURIComponent(run.replace(/\p{Surrogate}/gu, "\ufffd")));
}
