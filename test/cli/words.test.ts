// The words of the small commands.

import { expect, test } from "vitest";
import { type FlagSpec, readWords } from "../../src/cli/words.ts";

const SPEC = {
  settings: { takes: "value" },
  ipv6: { takes: "nothing", short: "6" },
  noreload: { takes: "nothing" },
} as const satisfies FlagSpec;
const read = (...words: string[]) => readWords("demo", words, SPEC);

test("flags in both forms, short ones, and the rest in its order", () => {
  expect(read("a", "--settings", "x", "-6", "b")).toEqual({
    flags: { settings: "x", ipv6: true, noreload: false, help: false },
    operands: ["a", "b"],
  });
  expect(read("--settings=a=b", "-h").flags).toMatchObject({ settings: "a=b", help: true });
});

test('after "--" nothing is a flag, and "-" is none', () => {
  expect(read("-", "--", "--noreload", "-6")).toEqual({
    flags: { settings: null, ipv6: false, noreload: false, help: false },
    operands: ["-", "--noreload", "-6"],
  });
});

test.each([
  [["--noreloda"], 'demo: unknown flag "--noreloda"; did you mean "--noreload"?'],
  [["-x"], 'demo: unknown flag "-x"; "tricorn demo --help" lists the flags'],
  [["--settings"], "demo: --settings: the value is missing"],
  [["--settings="], "demo: --settings: the value is missing"],
  [["--noreload=yes"], 'demo: --noreload takes no value; leave "=yes" out'],
])("%j is refused", (words, message) => {
  expect(() => read(...words)).toThrow(message);
});
