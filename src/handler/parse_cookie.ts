// The Cookie field of a request (RFC 6265bis §4.2, §5.8.3). What a browser sends here may have been set by anybody on a
// neighbouring host, so what is malformed is passed over, and never an error.

/**
 * The cookies of a Cookie field, by name (Django's parse_cookie). An object without prototype: a cookie may be called
 * `__proto__`. Of two with one name the first counts: browsers send the one with the closer path first. Values are
 * percent-decoded, as Morsel (cookie.ts) has encoded them; what is no such encoding stays as it is.
 */
export function parseCookie(field: string): Record<string, string> {
  const cookies: Record<string, string> = Object.create(null);
  for (const pair of field.split(";")) {
    const equals = pair.indexOf("=");
    const name = pair.slice(0, Math.max(equals, 0)).trim();
    // Browsers send "value" alone for a cookie without a name: there is nothing to find it by.
    if (name === "" || name in cookies) continue;
    let value = pair.slice(equals + 1).trim();
    if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) value = value.slice(1, -1);
    cookies[name] = decode(value);
  }
  return cookies;
}

function decode(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
