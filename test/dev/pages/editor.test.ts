// Links to editors.

import { describe, expect, test } from "vitest";
import { EDITOR_NAMES, editorTemplate, editorUrl } from "../../../src/dev/pages/editor.ts";

const PLACE = { file: "/srv/my project/a&b.ts", line: 3, column: 9 };

describe("editorUrl", () => {
  test.each([
    ["vscode", "vscode://file/srv/my%20project/a%26b.ts:3:9"],
    ["zed", "zed://file/srv/my%20project/a%26b.ts:3:9"],
    ["idea", "idea://open?file=/srv/my%20project/a%26b.ts&line=3&column=9"],
    ["sublime", "subl://open?url=file:///srv/my%20project/a%26b.ts&line=3&column=9"],
    ["x-mine:{file}", "x-mine:/srv/my%20project/a%26b.ts"],
  ])("%s", (name, url) => {
    expect(editorUrl(editorTemplate(name)!, PLACE)).toBe(url);
  });

  test("a drive of Windows", () => {
    const place = { file: "C:/a/b.ts", line: null, column: null };
    expect(editorUrl(editorTemplate("vscode")!, place)).toBe("vscode://file/C:/a/b.ts:1:1");
    expect(editorUrl(editorTemplate("sublime")!, place)).toBe("subl://open?url=file:///C:/a/b.ts&line=1&column=1");
  });

  test.each(["node:fs", "https://deno.land/a.ts", "native", "<anonymous>"])("no link to %s", (file) => {
    expect(editorUrl(editorTemplate("vscode")!, { ...PLACE, file })).toBe(null);
  });

  test("a file's name cannot end its attribute or begin a replacement", () => {
    expect(editorUrl("a://{file}:{line}", { file: "/$&{line}\"'<.ts", line: 1, column: 1 })).not.toMatch(/["<{]/);
  });
});

describe("editorTemplate", () => {
  test.each(EDITOR_NAMES)("%s has all that it needs", (name) => {
    expect(editorTemplate(name)).toMatch(/\{file\}.*\{line\}/);
  });
  test.each(["vscod", "", "javascript:alert('{file}')", "no {file}", "toString", "data:text/html,{file}"])(
    "%s is none",
    (name) => {
      expect(editorTemplate(name)).toBe(null);
    },
  );
});
