// From slices to figures. Pure.

/** What one slice of load measured on one server. */
export interface Slice {
  /** Requests a second. */
  readonly rps: number;
  /** Microseconds of CPU time (user and system, all threads) that the server spent on a request. */
  readonly cpu: number;
  /** The share of one core that the server used; well below 1, the load generator was the limit, not the server. */
  readonly busy: number;
}

export interface Ratio {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Pair by pair, so that what disturbs a whole round disturbs no ratio; null when there is no pair. */
export function pairRatios(numerators: readonly number[], denominators: readonly number[]): Ratio | null {
  const ratios = numerators
    .slice(0, denominators.length)
    .map((value, index) => value / denominators[index]!)
    .filter((ratio) => Number.isFinite(ratio));
  if (ratios.length === 0) return null;
  return {
    median: median(ratios),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
  };
}

/** How many times better than `other` `tricorn` is: more requests a second, less CPU time. */
export function compare(tricorn: readonly Slice[], other: readonly Slice[]): { rps: Ratio | null; cpu: Ratio | null } {
  return {
    rps: pairRatios(tricorn.map(({ rps }) => rps), other.map(({ rps }) => rps)),
    cpu: pairRatios(other.map(({ cpu }) => cpu), tricorn.map(({ cpu }) => cpu)),
  };
}

/** `1.50 (1.40-1.60)`; nothing for no ratio. */
export function formatRatio(ratio: Ratio | null): string {
  if (ratio === null) return "";
  return `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}-${ratio.max.toFixed(2)})`;
}
