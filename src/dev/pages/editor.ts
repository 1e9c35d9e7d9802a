// Links that open a file in the developer's editor: short names of editors, and URL templates for all others.

import { isPath, type Place } from "../stack.ts";

const EDITORS: Readonly<Record<string, string>> = {
  cursor: "cursor://file/{file}:{line}:{column}",
  emacs: "emacs://open?url=file://{file}&line={line}&column={column}",
  idea: "idea://open?file={file}&line={line}&column={column}",
  sublime: "subl://open?url=file://{file}&line={line}&column={column}",
  textmate: "txmt://open?url=file://{file}&line={line}&column={column}",
  vscode: "vscode://file/{file}:{line}:{column}",
  "vscode-insiders": "vscode-insiders://file/{file}:{line}:{column}",
  vscodium: "vscodium://file/{file}:{line}:{column}",
  webstorm: "webstorm://open?file={file}&line={line}&column={column}",
  windsurf: "windsurf://file/{file}:{line}:{column}",
  zed: "zed://file/{file}:{line}:{column}",
};

/** The names that {@link editorTemplate} knows. */
export const EDITOR_NAMES: readonly string[] = Object.keys(EDITORS);

/** The URL template of an editor's name, or `given` itself where it is one: it has `{file}`. Null when it is neither. */
export function editorTemplate(given: string): string | null {
  if (Object.hasOwn(EDITORS, given)) return EDITORS[given]!;
  return /^(?!javascript:|data:|vbscript:)[a-z][a-z0-9+.-]*:.*\{file\}/i.test(given) ? given : null;
}

/** The URL that opens a place; null for what is no file. A line or column that is not known is 1. */
export function editorUrl(template: string, { file, line, column }: Place): string | null {
  if (!isPath(file)) return null;
  const path = file.split("/").map((part) => encodeURIComponent(part)).join("/").replace(/^([a-z])%3A/i, "$1:");
  // Behind "//", as of file://, the path keeps the "/" that it begins with.
  const absolute = path.replace(/^(?!\/)/, "/");
  return template
    .replaceAll("//{file}", () => `//${absolute}`)
    .replaceAll("/{file}", () => absolute)
    .replaceAll("{file}", () => path)
    .replaceAll("{line}", String(line ?? 1))
    .replaceAll("{column}", String(column ?? 1));
}
