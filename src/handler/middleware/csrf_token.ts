// The arithmetic of CSRF secrets and tokens, as in django/middleware/csrf.py. The secret lives in the cookie; a page gets
// a token, which is the secret under a fresh mask, so that no two responses have it in the same bytes (BREACH). No
// request and no response here.

const CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const POSITION: ReadonlyMap<string, number> = new Map([...CHARS].map((char, position) => [char, position]));
/** Bytes from here on are thrown away: they would make the first characters more likely than the last. */
const FAIR = 256 - (256 % CHARS.length);

/** Characters in a secret: 190 bits. */
export const CSRF_SECRET_LENGTH = 32;
/** Characters in a token: a mask, and the secret under it. */
export const CSRF_TOKEN_LENGTH: number = 2 * CSRF_SECRET_LENGTH;

/** A new secret, from the system's source of randomness. */
export function newSecret(): string {
  let secret = "";
  while (secret.length < CSRF_SECRET_LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(CSRF_SECRET_LENGTH))) {
      if (byte < FAIR && secret.length < CSRF_SECRET_LENGTH) secret += CHARS[byte % CHARS.length]!;
    }
  }
  return secret;
}

/** A token: `secret` (well-formed) under a new mask. */
export function maskSecret(secret: string): string {
  const mask = newSecret();
  return mask + shift(secret, mask, 1);
}

/** The secret of a well-formed token. */
export function unmaskToken(token: string): string {
  return shift(token.slice(CSRF_SECRET_LENGTH), token.slice(0, CSRF_SECRET_LENGTH), -1);
}

/** Each character of `text` moved by the position that the character of `mask` has. */
function shift(text: string, mask: string, direction: 1 | -1): string {
  let shifted = "";
  for (let i = 0; i < text.length; i++) {
    const position = POSITION.get(text[i]!)! + direction * POSITION.get(mask[i]!)!;
    shifted += CHARS[(position + CHARS.length) % CHARS.length]!;
  }
  return shifted;
}

/** What is wrong with a token or secret, as the end of a sentence; null when it is well-formed. */
export function tokenFault(token: string): string | null {
  if (token.length !== CSRF_TOKEN_LENGTH && token.length !== CSRF_SECRET_LENGTH) return "has incorrect length";
  return /[^a-zA-Z0-9]/.test(token) ? "has invalid characters" : null;
}

/** The secret of what is well-formed and either a token or, from a script that read the cookie, the secret itself. */
export function secretOf(token: string): string {
  return token.length === CSRF_TOKEN_LENGTH ? unmaskToken(token) : token;
}
