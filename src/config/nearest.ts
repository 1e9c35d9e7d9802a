// "Did you mean ...?": the nearest of some names. Used for flags, options, commands and exports.

/** The one of `names` that `text` most likely meant, or null when none is near. */
export function nearest(text: string, names: Iterable<string>): string | null {
  const wanted = fold(text);
  // A third of the letters may be wrong: more, and the proposal is noise. A single letter is meant as it is.
  let best = wanted.length < 2 ? 1 : Math.max(1, Math.floor(wanted.length / 3)) + 1;
  let found: string | null = null;
  for (const name of names) {
    const distance = levenshtein(wanted, fold(name), best);
    if (distance < best) {
      best = distance;
      found = name;
    }
  }
  return found;
}

/** The end of a message: `; did you mean "x"?`, or "" when nothing is near. */
export function didYouMean(text: string, names: Iterable<string>): string {
  const name = nearest(text, names);
  return name === null ? "" : `; did you mean ${JSON.stringify(name)}?`;
}

/** Case, dashes and camelCase are how names are mistaken, not which name is meant. */
function fold(name: string): string {
  return name.replace(/[-_]+/g, "").toLowerCase();
}

/** The edits (insert, delete, replace, swap of neighbours) between `a` and `b`; `limit` when there are as many or more. */
function levenshtein(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length]!, limit);
}
