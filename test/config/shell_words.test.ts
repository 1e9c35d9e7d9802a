import { expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { splitWords } from "../../src/config/shell_words.ts";

test.each<[string, string[]]>([
  ["", []],
  ["  \t\n ", []],
  ["--bind :80  -w 4\n", ["--bind", ":80", "-w", "4"]],
  ["-n 'my app'", ["-n", "my app"]],
  ['-n "my app"', ["-n", "my app"]],
  ["-n my\\ app", ["-n", "my app"]],
  [`--name=a'b c'"d e"f`, ["--name=ab cd ef"]],
  [`'' ""`, ["", ""]],
  [`'a\\b"c'`, ['a\\b"c']],
  [`"a\\"b\\\\c\\$d\\\`e\\nf"`, ['a"b\\c$d`e\\nf']],
  [`"it's"`, ["it's"]],
  ["\\\"a \\'b", ['"a', "'b"]],
  ["$HOME *.ts # no comment", ["$HOME", "*.ts", "#", "no", "comment"]],
  ["é\u00a0ü", ["é\u00a0ü"]],
])("%j", (text, words) => {
  expect(splitWords(text, "X")).toEqual(words);
});

test.each([
  ["a 'b c", "X: the ' at character 3 is not closed; add another"],
  ['a "b\\"', 'X: the " at character 3 is not closed; add another'],
  ['"b\\', 'X: the " at character 1 is not closed; add another'],
  ["a\\", "X: nothing follows the last backslash; write \\\\ for one"],
])("refuses %j", (text, message) => {
  expect(() => splitWords(text, "X")).toThrow(new ConfigError(message));
});
