// The lines of stacks, in the forms of the runtimes.

import { describe, expect, test } from "vitest";
import { ownerOf, parsePlace, parseStack, toPath, withoutColours } from "../../src/dev/stack.ts";

describe("parseStack", () => {
  test.each<[string, string, unknown]>([
    ["a function", "    at view (file:///srv/a.ts:3:9)", ["view", "/srv/a.ts", 3, 9, "application"]],
    ["a method", "    at Thing.method (/srv/a.ts:3:9)", ["Thing.method", "/srv/a.ts", 3, 9, "application"]],
    ["what was awaited", "    at async Thing.method (file:///srv/a.ts:3:9)", [
      "Thing.method",
      "/srv/a.ts",
      3,
      9,
      "application",
    ]],
    ["a module", "    at file:///srv/a.ts:3:9", [null, "/srv/a.ts", 3, 9, "application"]],
    ["an awaited module", "    at async file:///srv/a.ts:3:9", [null, "/srv/a.ts", 3, 9, "application"]],
    ["CommonJS", "    at Object.<anonymous> (/srv/a.cjs:3:9)", [null, "/srv/a.cjs", 3, 9, "application"]],
    ["an anonymous one of an array", "    at Array.<anonymous> (/srv/a.ts:3:9)", [
      null,
      "/srv/a.ts",
      3,
      9,
      "application",
    ]],
    ["new", "    at new Thing (file:///srv/a.ts:3:9)", ["new Thing", "/srv/a.ts", 3, 9, "application"]],
    ["another name", "    at Object.get [as name] (file:///srv/a.ts:3:9)", [
      "Object.get [as name]",
      "/srv/a.ts",
      3,
      9,
      "application",
    ]],
    ["a built-in", "    at Array.map (<anonymous>)", ["Array.map", "<anonymous>", null, null, "runtime"]],
    ["Node's own", "    at emit (node:events:518:28)", ["emit", "node:events", 518, 28, "runtime"]],
    ["Deno's own", "    at f (ext:deno_http/00_serve.ts:9:1)", ["f", "ext:deno_http/00_serve.ts", 9, 1, "runtime"]],
    ["Bun's own", "    at map (native:1:11)", ["map", "native", 1, 11, "runtime"]],
    ["Bun's unknown", "    at Function (unknown)", ["Function", "unknown", null, null, "runtime"]],
    ["Bun's anonymous", "    at <anonymous> (/srv/a.ts:5:33)", [null, "/srv/a.ts", 5, 33, "application"]],
    ["eval", "    at eval (eval at run (file:///srv/a.ts:7:7), <anonymous>:1:16)", [
      "eval",
      "/srv/a.ts",
      7,
      7,
      "application",
    ]],
    ["JavaScriptCore's", "view@/srv/a.ts:3:9", ["view", "/srv/a.ts", 3, 9, "application"]],
    ["JavaScriptCore's module", "@/srv/a.ts:3:9", [null, "/srv/a.ts", 3, 9, "application"]],
    ["Windows", "    at view (C:\\srv\\a.ts:3:9)", ["view", "C:/srv/a.ts", 3, 9, "application"]],
    ["Windows' URL", "    at view (file:///C:/srv/a.ts:3:9)", ["view", "C:/srv/a.ts", 3, 9, "application"]],
    ["an escaped path", "    at view (file:///srv/my%20app/a.ts:3:9)", [
      "view",
      "/srv/my app/a.ts",
      3,
      9,
      "application",
    ]],
    ["parentheses", "    at view (file:///srv/(group)/a.ts:3:9)", ["view", "/srv/(group)/a.ts", 3, 9, "application"]],
    ["a module imported anew", "    at view (file:///srv/a.ts?t=1:3:9)", ["view", "/srv/a.ts", 3, 9, "application"]],
    ["a library", "    at f (file:///srv/node_modules/a/b.js:3:9)", ["f", "/srv/node_modules/a/b.js", 3, 9, "library"]],
    ["a remote module", "    at f (https://deno.land/x/a.ts:3:9)", ["f", "https://deno.land/x/a.ts", 3, 9, "library"]],
  ])("%s", (_, line, expected) => {
    const frames = parseStack(`Error: no\n${line}`, "no");
    expect(frames.map((frame) => [frame.function, frame.file, frame.line, frame.column, frame.owner])).toEqual([
      expected,
    ]);
  });

  test("lines of the message are no frames", () => {
    const message = "no\n    at fake (file:///x.ts:1:1)";
    expect(parseStack(`Error: ${message}\n    at real (file:///y.ts:1:1)`, message).map(({ file }) => file)).toEqual([
      "/y.ts",
    ]);
  });

  test("a message that was changed later", () => {
    expect(parseStack("Error: before\n    at real (file:///y.ts:1:1)", "after")).toHaveLength(1);
  });

  test.each(["", "Error", "at", "    at ", "    at (", "at )(", "@", "\n\n\n", "    at async "])(
    "%j has none",
    (stack) => {
      expect(parseStack(stack, "").filter(({ owner }) => owner === "application")).toEqual([]);
    },
  );

  test("text that is hard to match takes no longer", () => {
    for (const piece of ["at ", "( ", "at (", "at a (eval at b (", "@a", "at async "]) {
      parseStack(`    at ${piece.repeat(600)}\n`.repeat(50), "");
    }
  });
});

test.each<[string, unknown]>([
  ["/a.ts:1:2", { file: "/a.ts", line: 1, column: 2 }],
  ["/a.ts:1", { file: "/a.ts", line: 1, column: null }],
  ["/a.ts", { file: "/a.ts", line: null, column: null }],
])("parsePlace(%j)", (text, place) => {
  expect(parsePlace(text)).toEqual(place);
});

test("toPath takes escapes that are none as they are", () => {
  expect(toPath("file:///a%ZZ.ts")).toBe("/a%ZZ.ts");
});

test("Tricorn's own files are a library, and its examples are not", () => {
  expect(ownerOf(new URL("../../src/server/server.ts", import.meta.url).pathname)).toBe("library");
  expect(ownerOf(new URL("../../examples/hono.ts", import.meta.url).pathname)).toBe("application");
});

test("withoutColours", () => {
  expect(withoutColours("a \x1b[0m\x1b[36mfile\x1b[0m b")).toBe("a file b");
});
