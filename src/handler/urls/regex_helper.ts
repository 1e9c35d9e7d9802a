// What texts a regular expression stands for, as far as reversing needs it (Django's utils/regex_helper.py). Whatever is
// made here is matched against the expression before anybody sees it, so that a guess that is wrong does no harm.

/** Texts and parameters, in order: a parameter by its name, or by its number when its group has none. */
export type Form = readonly (string | { readonly param: string | number })[];

/** One character for each class; none for what has no width. */
const REPRESENTATIVES: Readonly<Record<string, string>> = {
  ...{ d: "0", D: "x", s: " ", S: "x", w: "x", W: "!", b: "", B: "" },
  ...{ t: "\t", n: "\n", v: "\v", f: "\f", r: "\r" },
};

/**
 * The forms of a regular expression: a group is a parameter, whatever is in it; what may be absent is, unless there is a
 * parameter in it: then it is absent in one form and present in another. An expression with "|" outside of its groups has
 * no form.
 */
export function normalize(source: string): Form[] {
  let at = 0;
  let groups = 0;

  function sequence(): Form[] | null {
    let forms: Form[] = [[]];
    while (at < source.length && source[at] !== ")") {
      if (source[at] === "|") return null;
      let item = atom();
      if (item === null) return null;
      const least = quantifier();
      if (least === 0) item = item.flat().some((part) => typeof part !== "string") ? [[], ...item] : [[]];
      for (let i = 0; i < Math.max(least, 1); i++) {
        forms = forms.flatMap((form) => item.map((more) => [...form, ...more]));
      }
    }
    return forms;
  }

  /** The next thing that can be quantified. */
  function atom(): Form[] | null {
    const character = source[at++]!;
    if (character === "\\") return [escape()];
    if (character === "(") return group();
    if (character === "^" || character === "$") return [[]];
    if (character !== "[") return [[character]];
    const first = source[at] === "\\" ? (at++, escape()) : [source[at++]!];
    for (; at < source.length && source[at] !== "]"; at++) if (source[at] === "\\") at++;
    at++;
    return [first];
  }

  function escape(): Form {
    const rest = source.slice(at);
    const [reference, name] = /^k<([^>]*)>/.exec(rest) ?? [];
    if (reference !== undefined) {
      at += reference.length;
      return [{ param: name! }];
    }
    const [code] = /^(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/.exec(rest) ?? [];
    if (code !== undefined) {
      at += code.length;
      return [String.fromCharCode(parseInt(code.slice(1), 16))];
    }
    const character = source[at++] ?? "";
    return [REPRESENTATIVES[character] ?? character];
  }

  function group(): Form[] | null {
    const [opening = ""] = /^\?(?:[:=!]|<[=!]|<[^>]*>)/.exec(source.slice(at)) ?? [];
    at += opening.length;
    if (opening === "?:") {
      const inner = sequence();
      at++;
      return inner;
    }
    skipGroup();
    if (opening === "") return [[{ param: groups++ }]];
    return opening.endsWith(">") ? [[{ param: opening.slice(2, -1) }]] : [[]];
  }

  /** To behind the ")" of the group that is open. */
  function skipGroup(): void {
    for (let depth = 1, inClass = false; at < source.length && depth > 0; at++) {
      const character = source[at]!;
      if (character === "\\") at++;
      else if (inClass) inClass = character !== "]";
      else if (character === "[") inClass = true;
      else if (character === "(") depth++;
      else if (character === ")") depth--;
    }
  }

  /** How often the last atom is there at least. */
  function quantifier(): number {
    const [all, least] = /^(?:[*+?]|\{(\d+)(?:,\d*)?\})\??/.exec(source.slice(at)) ?? [];
    if (all === undefined) return 1;
    at += all.length;
    return least !== undefined ? Number(least) : all.startsWith("+") ? 1 : 0;
  }

  const forms = sequence();
  return forms === null || at < source.length ? [] : forms;
}
