// A line of text -> words, as a POSIX shell splits it (IEEE 1003.1 §2.2, quoting), and nothing else that a shell does: no
// variables, no patterns, no comments.

import { ConfigError } from "./error.ts";

/**
 * Splits `text` at white space outside of quotes. `'...'` is taken as it is; in `"..."` a backslash escapes `"`, `\`, `$`
 * and a backquote; elsewhere it escapes any character.
 *
 * @throws {ConfigError} that starts with `label`, when a quote is not closed or nothing follows a backslash.
 */
export function splitWords(text: string, label: string): readonly string[] {
  const words: string[] = [];
  // Null between words, so that "" is a word and white space is none.
  let word: string | null = null;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (/[ \t\r\n]/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === "\\") {
      if (++i === text.length) {
        throw new ConfigError(`${label}: nothing follows the last backslash; write \\\\ for one`);
      }
      word = (word ?? "") + text[i];
    } else if (character === "'" || character === '"') {
      word ??= "";
      const start = i++;
      for (; i < text.length && text[i] !== character; i++) {
        if (character === '"' && text[i] === "\\" && /["\\$`]/.test(text[i + 1] ?? "")) i++;
        word += text[i];
      }
      if (i >= text.length) {
        throw new ConfigError(`${label}: the ${character} at character ${start + 1} is not closed; add another`);
      }
    } else {
      word = (word ?? "") + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}
