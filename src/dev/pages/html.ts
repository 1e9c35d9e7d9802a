// HTML as a template: everything between the tags is escaped, unless it is HTML already. There is no way to give text as
// HTML by mistake, since only `markup` makes a Markup.

/** A piece of HTML. */
export class Markup {
  readonly #text: string;

  /** @internal */
  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

/** What may stand in a template: null, undefined and false are nothing, a list is its parts. */
export type Value = Markup | string | number | null | undefined | false | readonly Value[];

/** markup`<p>${text}</p>`; attributes are to be quoted with `"`. Indentation of the template itself is left out. */
export function markup(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  let text = "";
  for (const [i, part] of parts.entries()) {
    let piece = part.replace(/\n[ \t]+/g, "\n");
    if (i === 0) piece = piece.replace(/^\n+/, "");
    if (i === values.length) return new Markup(text + piece.replace(/\n+$/, ""));
    text += piece + render(values[i]);
  }
  return new Markup(text);
}

function render(value: Value): string {
  if (value instanceof Markup) return value.toString();
  if (value === null || value === undefined || value === false) return "";
  return typeof value === "object" ? value.map(render).join("") : escapeHtml(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// Controls, and the marks that reverse the direction of what follows: they are shown, not obeyed.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** `text` fit for HTML, in an attribute too. */
export function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
    .replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
