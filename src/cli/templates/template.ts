// What a template is: the files of a project that `tricorn new` makes, as text. Nothing here writes them; new.ts does.

/** The runtimes that a project can be made for. It runs on each; its scripts and its Dockerfile are for one. */
export type Target = "node" | "deno" | "bun";

/** What the files of a project are made of. */
export interface Project {
  /** A valid name of an npm package. */
  readonly name: string;
  readonly target: Target;
  /** The version of the runtime: "24.1.0". */
  readonly version: string;
  /** The package manager's command: "npm", "pnpm", "yarn", "deno" or "bun". */
  readonly manager: string;
  /** For what is signed: random, of 64 characters. */
  readonly secretKey: string;
}

/** The text of each file, by its path: with "/", relative to the project. */
export type Files = Readonly<Record<string, string>>;

export interface Template {
  /** In a few words, for the help and the README of the project. */
  readonly title: string;
  /** What tricorn.config.ts names. */
  readonly app: string;
  /** What the project needs beside Tricorn. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** The module of the settings, for `tricorn check`; null where there are none. */
  readonly settings: string | null;
  /** What each file is for, in the README: one line each, in the order of reading. */
  readonly tour: readonly (readonly [path: string, what: string])[];
  /** The README's further chapters, or "". */
  readonly readme: string;
  /** The files that other templates have not. `{{name}}` and `{{secretKey}}` stand for the project's. */
  readonly files: Files;
}

/**
 * `text` without the line break that it begins with, without the indentation of its first line, and with one line break
 * at its end. So the text of a file may be indented as the code around it.
 */
export function dedent(text: string): string {
  const [indentation] = /^ */.exec(text.replace(/^\n/, ""))!;
  const lines = text.replace(/^\n/, "").trimEnd().split("\n");
  return lines.map((line) => line.startsWith(indentation) ? line.slice(indentation.length) : line.trimStart()).join(
    "\n",
  ) +
    "\n";
}
