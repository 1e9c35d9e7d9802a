// Accept-Encoding (RFC 9110 §12.5.3): which of our codings a client would have, for what compresses and what is compressed.

/** The codings that there are here: names of RFC 7932 and RFC 1952. */
export type Encoding = "br" | "gzip";

const ENCODINGS: readonly Encoding[] = ["br", "gzip"];

/**
 * The codings that the client takes, best first: by its weights, and by ours where these are the same. None where it would
 * rather have the content as it is, or does not say.
 */
export function acceptedEncodings(field: string | undefined): readonly Encoding[] {
  if (field === undefined) return [];
  const weights = new Map<string, number>();
  for (const member of field.toLowerCase().split(",")) {
    const match = /^[\t ]*([!#$%&'*+\-.^_`|~0-9a-z]+)[\t ]*(?:;[\t ]*q=([01](?:\.\d{0,3})?)[\t ]*)?$/.exec(member);
    if (match !== null) weights.set(match[1]!, Number(match[2] ?? 1));
  }
  const weight = (name: string): number => weights.get(name) ?? weights.get("*") ?? 0;
  const least = weights.get("identity") ?? 0;
  return ENCODINGS.filter((name) => weight(name) > 0 && weight(name) >= least)
    .sort((a, b) => weight(b) - weight(a));
}
