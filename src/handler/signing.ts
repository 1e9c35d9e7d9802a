// Signed text: anybody may read it, nobody without the key can make or change it (Django's core/signing.py). With the same
// key and salt the text is, byte for byte, what Django makes, so the two can read each other's cookies.

import { BadRequest, ImproperlyConfigured } from "./exceptions.ts";

/** The signature does not belong to the text. It came with the request, so a view that lets it pass is answered with 400. */
export class BadSignature extends BadRequest {
  override readonly name: string = "BadSignature";
}

/** The signature is good, and older than was asked for. */
export class SignatureExpired extends BadSignature {
  override readonly name: string = "SignatureExpired";
}

/** What a signer is made with. */
export interface SignerOptions {
  /** The secret, most often the setting SECRET_KEY. */
  readonly key: string;
  /** What the signature is for: text that was signed with one salt is no good for another. Default: the signer's kind. */
  readonly salt?: string;
  /** What stands before the signature. Default ":". */
  readonly sep?: string;
}

const encoder = new TextEncoder();

/** `value:signature`, by HMAC-SHA256 (Django's Signer). */
export class Signer {
  readonly #secret: string;
  readonly #salt: string;
  /** What stands before the signature. */
  readonly sep: string;

  /**
   * @throws {ImproperlyConfigured} when the key is empty
   * @throws {RangeError} when the separator may be a part of a signature
   */
  constructor({ key, salt = "django.core.signing.Signer", sep = ":" }: SignerOptions) {
    if (key === "") throw new ImproperlyConfigured("nothing can be signed: the setting SECRET_KEY is empty");
    if (/^[A-Za-z0-9_=-]*$/.test(sep)) {
      throw new RangeError(`sep is ${JSON.stringify(sep)}: it must have a character that no signature has, as ":"`);
    }
    this.#secret = key;
    this.#salt = salt;
    this.sep = sep;
  }

  async signature(value: string): Promise<string> {
    const key = await saltedKey(`${this.#salt}signer`, this.#secret);
    return encodeBase64(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(value))));
  }

  async sign(value: string): Promise<string> {
    return `${value}${this.sep}${await this.signature(value)}`;
  }

  /**
   * The value that was signed.
   *
   * @throws {BadSignature} when it was not, or not with this key and salt
   */
  async unsign(signed: string): Promise<string> {
    const at = signed.lastIndexOf(this.sep);
    if (at < 0) throw new BadSignature(`no ${JSON.stringify(this.sep)} in the text: it is not signed`);
    const value = signed.slice(0, at);
    if (!constantTimeCompare(signed.slice(at + this.sep.length), await this.signature(value))) {
      throw new BadSignature("the signature does not match");
    }
    return value;
  }
}

/** `value:timestamp:signature`; the timestamp is signed too (Django's TimestampSigner). */
export class TimestampSigner extends Signer {
  constructor({ salt = "django.core.signing.TimestampSigner", ...options }: SignerOptions) {
    super({ salt, ...options });
  }

  /** Now: seconds since 1970, in base 62. */
  timestamp(): string {
    return encodeBase62(Math.floor(Date.now() / 1000));
  }

  override sign(value: string): Promise<string> {
    return super.sign(`${value}${this.sep}${this.timestamp()}`);
  }

  /**
   * The value that was signed.
   *
   * @param options.maxAge seconds since it was signed; default: any number
   * @throws {BadSignature} when it was not signed with this key and salt
   * @throws {SignatureExpired} when it is older than `maxAge`
   */
  override async unsign(signed: string, { maxAge = Infinity }: { readonly maxAge?: number } = {}): Promise<string> {
    const stamped = await super.unsign(signed);
    const at = stamped.lastIndexOf(this.sep);
    const time = decodeBase62(stamped.slice(at + this.sep.length));
    if (at < 0 || time === null) throw new BadSignature("the text was signed without a time");
    const age = Date.now() / 1000 - time;
    if (age > maxAge) throw new SignatureExpired(`the signature is ${Math.floor(age)} s old: more than ${maxAge} s`);
    return stamped.slice(0, at);
  }
}

/** What signs cookies: `response.setSignedCookie()` and `request.getSignedCookie()` (Django's get_cookie_signer). */
export function getCookieSigner(secretKey: string, salt: string): TimestampSigner {
  // The prefix is put only before a key: an empty one stays an error.
  return new TimestampSigner({ key: secretKey === "" ? "" : `django.http.cookies${secretKey}`, salt });
}

/** What {@link dumps} and {@link loads} are given besides the value. */
export type DumpsOptions = Pick<SignerOptions, "key" | "salt">;

/** `value` as JSON, in URL-safe base64, with time and signature (Django's signing.dumps, without its compression). */
export async function dumps(value: unknown, { key, salt = "django.core.signing" }: DumpsOptions): Promise<string> {
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`a ${typeof value} cannot be written as JSON`);
  return await new TimestampSigner({ key, salt }).sign(encodeBase64(encoder.encode(toASCII(json))));
}

/**
 * What {@link dumps} was given.
 *
 * @param options.maxAge seconds since then; default: any number
 * @throws {BadSignature} when it was not made with this key and salt
 * @throws {SignatureExpired} when it is older than `maxAge`
 */
export async function loads<T = unknown>(
  text: string,
  { key, salt = "django.core.signing", maxAge = Infinity }: DumpsOptions & { readonly maxAge?: number },
): Promise<T> {
  const encoded = await new TimestampSigner({ key, salt }).unsign(text, { maxAge });
  // Signed, therefore ours; but it may be another program's that has the same key.
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(decodeBase64(encoded)));
  } catch (cause) {
    throw new BadSignature("what was signed is no JSON of dumps()", { cause });
  }
}

/** True when the two are equal, in a time that tells only whether their lengths are (Django's constant_time_compare). */
export function constantTimeCompare(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
  return difference === 0;
}

/** Keys that have been made, by the text that they were made of: each is two trips to the system's threads. */
const keys = new Map<string, Promise<CryptoKey>>();
const MAX_KEYS = 100;

function saltedKey(salt: string, secret: string): Promise<CryptoKey> {
  const text = salt + secret;
  let key = keys.get(text);
  if (key === undefined) {
    // Salts are the program's, and few; but one may be made of a user's name.
    if (keys.size >= MAX_KEYS) keys.clear();
    keys.set(text, key = makeKey(text));
  }
  return key;
}

/** Django's salted_hmac: the key of the HMAC is the hash of salt and secret. */
async function makeKey(text: string): Promise<CryptoKey> {
  const key = await crypto.subtle.digest("SHA-256", encoder.encode(text));
  return await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

/** As Python's json.dumps writes it: what is not ASCII is escaped. */
function toASCII(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function encodeBase62(number: number): string {
  let text = "";
  for (let rest = number; rest > 0; rest = Math.floor(rest / 62)) text = DIGITS[rest % 62] + text;
  return text === "" ? "0" : text;
}

function decodeBase62(text: string): number | null {
  let number = 0;
  for (const digit of text) {
    const value = DIGITS.indexOf(digit);
    if (value < 0) return null;
    number = number * 62 + value;
  }
  return text === "" ? null : number;
}
