// Media types and the ranges of an Accept field: what matches what, and how closely (RFC 9110 §8.3.1, §12.5.1; Django's
// MediaType).

import { parseHeaderParameters, splitField } from "./header_parameters.ts";

/** A media type, or in Accept a range of them. */
export class MediaType {
  /** In lower case, as `subType`; "*" is any. */
  readonly mainType: string;
  readonly subType: string;
  /** Those of the type itself, without `q`. */
  readonly params: Readonly<Record<string, string>>;
  /** From 0, not acceptable, to 1, the default; a `q` that is no such number counts as 1. */
  readonly quality: number;

  /** @param text such as `text/html; charset=utf-8` or `text/*;q=0.5`; what is none matches nothing */
  constructor(text: string) {
    const { value, parameters } = parseHeaderParameters(text);
    const slash = value.indexOf("/");
    this.mainType = slash < 0 ? value : value.slice(0, slash);
    this.subType = slash < 0 ? "" : value.slice(slash + 1);
    const { q, ...params } = parameters;
    this.params = params;
    const quality = q === undefined || q === "" ? 1 : Number(q);
    this.quality = quality >= 0 && quality <= 1 ? Math.round(quality * 1000) / 1000 : 1;
  }

  /** How closely it says what it means: 0 for any type, 1 for any subtype, 2 for a type, 3 for one with parameters. */
  get specificity(): 0 | 1 | 2 | 3 {
    if (this.mainType === "*") return 0;
    if (this.subType === "*") return 1;
    return Object.keys(this.params).length === 0 ? 2 : 3;
  }

  /** True when a range that says `range` takes this type. */
  match(range: MediaType): boolean {
    if (this.mainType === "" || this.subType === "" || range.mainType === "" || range.subType === "") return false;
    if (!matches(this.mainType, range.mainType) || !matches(this.subType, range.subType)) return false;
    const asked = Object.entries(range.params);
    if (asked.length === 0) return true;
    return asked.length === Object.keys(this.params).length &&
      asked.every(([name, value]) => this.params[name]?.toLowerCase() === value.toLowerCase());
  }

  toString(): string {
    const params = Object.entries(this.params).map(([name, value]) => `; ${name}=${value}`).join("");
    return `${this.mainType}${this.subType === "" ? "" : "/"}${this.subType}${params}`;
  }
}

function matches(one: string, other: string): boolean {
  return one === other || one === "*" || other === "*";
}

/** The ranges of an Accept field, in its order. */
export function parseAccept(field: string): MediaType[] {
  return splitField(field, ",").filter((range) => range.trim() !== "").map((range) => new MediaType(range));
}

/** The range that says most closely whether `type` is accepted: of equal ones the better, or null (RFC 9110 §12.5.1). */
export function closestRange(type: MediaType, ranges: readonly MediaType[]): MediaType | null {
  let closest: MediaType | null = null;
  for (const range of ranges) {
    if (!type.match(range)) continue;
    if (
      closest === null || range.specificity > closest.specificity ||
      (range.specificity === closest.specificity && range.quality > closest.quality)
    ) closest = range;
  }
  return closest;
}
