// Pieces of HTTP as text (Django's utils/http.py): dates, entity tags, Content-Disposition, hosts. No request, no response.

const DAYS = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTH = `(?<month>${MONTHS.join("|")})`;
const TIME = "(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})";
/** IMF-fixdate, and the two that are obsolete and still to be understood (RFC 9110 §5.6.7). */
const DATES = [
  new RegExp(`^${DAYS}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(
    `^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`,
  ),
  new RegExp(`^${DAYS} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/** A time as HTTP writes it: `Wed, 21 Oct 2015 07:28:00 GMT`. Numbers are milliseconds since 1970, as Date's. */
export function httpDate(time: Date | number = Date.now()): string {
  return new Date(time).toUTCString();
}

/** The milliseconds since 1970 of a date in one of HTTP's three formats; null for any other text. */
export function parseHttpDate(text: string): number | null {
  for (const pattern of DATES) {
    const parts = pattern.exec(text)?.groups;
    if (parts === undefined) continue;
    const [day, hour, minute, second] = [parts.day, parts.hour, parts.minute, parts.second].map(Number) as [
      number,
      number,
      number,
      number,
    ];
    const time = Date.UTC(fullYear(parts.year!), MONTHS.indexOf(parts.month!), day, hour, minute, second);
    // What is no date, the 31st of June, would have become another one.
    return new Date(time).getUTCDate() === day && hour < 24 && minute < 60 && second <= 60 ? time : null;
  }
  return null;
}

/** Two digits that seem more than 50 years ahead are of the past (RFC 9110 §5.6.7). */
function fullYear(text: string): number {
  if (text.length === 4) return Number(text);
  const now = new Date().getUTCFullYear();
  const year = now - (now % 100) + Number(text);
  return year > now + 50 ? year - 100 : year;
}

/** The entity tags of an If-Match or If-None-Match; `["*"]` for any; what is none is left out. */
export function parseEtags(text: string): string[] {
  return text.trim() === "*" ? ["*"] : text.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
}

/** `text` as an entity tag, unless it is one. */
export function quoteEtag(text: string): string {
  return /^(?:W\/)?"[^"]*"$/.test(text) ? text : `"${text}"`;
}

/** The tag, weak: good for caches, and not for putting parts together (RFC 9110 §8.8.1). */
export function weakEtag(etag: string): string {
  return etag.startsWith("W/") ? etag : `W/${etag}`;
}

/**
 * A Content-Disposition for a file's name (RFC 6266 §4); null where there is nothing to say: inline, without a name.
 *
 * A name that a quoted string cannot hold is written as `filename*` (RFC 8187).
 */
export function contentDispositionHeader(asAttachment: boolean, filename: string): string | null {
  if (filename === "") return asAttachment ? "attachment" : null;
  const kind = asAttachment ? "attachment" : "inline";
  if (/^[\t\x20-\x7e]*$/.test(filename)) return `${kind}; filename="${filename.replace(/[\\"]/g, "\\$&")}"`;
  const encoded = encodeURIComponent(filename.replace(/\p{Surrogate}/gu, "\ufffd")).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename*=utf-8''${encoded}`;
}

/** Whether `host` is `pattern`; or, where that begins with ".", below it or equal. (Django's is_same_domain.) */
export function isSameDomain(host: string, pattern: string): boolean {
  if (host === pattern) return host !== "";
  const lower = pattern.toLowerCase();
  return host === lower || (lower.startsWith(".") && (host.endsWith(lower) || host === lower.slice(1)));
}
