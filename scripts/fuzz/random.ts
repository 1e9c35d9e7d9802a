// What the fuzzers share: numbers that a seed repeats, and ways to spoil a text that know nothing of what it means.

/** Numbers below `limit` that are the same for a seed everywhere (mulberry32). */
export type Random = (limit: number) => number;

export function randomFrom(seed: number): Random {
  let state = seed | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** Changes a text of which each character is one byte. */
export type Mutation = (text: string, random: Random) => string;

export function pick<T>(from: readonly T[], random: Random): T {
  return from[random(from.length)]!;
}

export function splice(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}

/** Another byte; less; the same again, now and then very often. */
export const anotherByte: Mutation = (text, random) =>
  splice(text, random(text.length + 1), 1, String.fromCharCode(random(256)));
export const less: Mutation = (text, random) => splice(text, random(text.length + 1), 1 + random(4), "");
export const again: Mutation = (text, random) => {
  const at = random(text.length + 1);
  const times = random(20) === 0 ? random(5000) : 1 + random(3);
  return splice(text, at, 0, text.slice(at, at + 1 + random(12)).repeat(times).slice(0, 12_000));
};

/** Pieces of any size that together are `data`. */
export function* cut(data: Uint8Array, random: Random): Generator<Uint8Array> {
  for (let at = 0; at < data.length;) {
    const size = 1 + random(random(4) === 0 ? 200 : 20);
    yield data.subarray(at, at + size);
    at += size;
  }
}

/** What is fuzzed. */
export interface Subject {
  readonly name: string;
  readonly corpus: readonly string[];
  readonly mutations: readonly Mutation[];
  /** @returns whether `text` was refused. @throws {Error} that says which invariant it breaks. */
  examine(text: string, random: Random): boolean;
}
