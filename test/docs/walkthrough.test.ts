// The walkthrough of documents: what it obeys, and that nothing of a document passes unseen.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Deeds, READERS, Reading } from "./walkthrough.ts";

const folder = mkdtempSync(join(tmpdir(), "tricorn-walkthrough-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Reads `lines` as a document; what goes wrong, without the document's folder. */
async function read(lines: readonly string[], deeds: Deeds = {}): Promise<string> {
  const document = join(folder, "document.md");
  writeFileSync(document, `${lines.join("\n")}\n`);
  const reader = { ...READERS[0]!, old: false };
  try {
    await Reading.read(document, reader, deeds, { registry: null, clone: null });
    return "";
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, "");
  }
}

const block = (language: string, ...lines: string[]): string[] => ["```" + language, ...lines, "```", ""];

describe("a walkthrough", () => {
  test("saves files, types commands where the last one has gone, and compares what they show", async () => {
    expect(
      await read([
        ...block("sh", "mkdir a", "cd a"),
        ...block("css", "/* b/c.css */", "p {}"),
        ...block("sh", "cat b/c.css", "pwd"),
        ...block("text", "/* b/c.css */", "p {}", "/home/you/a"),
      ]),
    ).toBe("");
  });

  test("a command that fails is told by the line of its block", async () => {
    expect(await read(["Text.", "", ...block("sh", "true", "echo hello; exit 3")]))
      .toBe("document.md:3: it ended with 3:\nhello\n");
  });

  test("what is not shown is told, with what is", async () => {
    const problem = await read([...block("sh", "echo two"), ...block("text", "three")]);
    expect(problem).toMatch(/^document\.md:5: it shows\nthree\n/);
    expect(problem).toMatch(/^The last command has shown\ntwo$/m);
  });

  test("a block that it would pass over is an error", async () => {
    expect(await read(block("json", "{}"))).toBe("document.md:1: the block is neither sh nor text, and names no file");
    expect(await read(block("sh", "bun nowhere.ts", "deno run nowhere.ts").slice(0, 3).concat("```")))
      .toMatch(/^document\.md:1: there is nothing in it for /);
    expect(await read(["- A list:", "", ...block("sh", "true").map((line) => `  ${line}`)]))
      .toBe("document.md:1: a block in it does not begin at the margin, and would not be obeyed");
  });

  test("a server keeps its terminal until Ctrl-C, and somebody has to press it", async () => {
    const server = block("sh", "echo Listening at: here; exec sleep 300");
    expect(await read([...server, ...block("text", "Listening at: here"), "Ctrl-C ends it."])).toBe("");
    expect(await read(server)).toBe("document.md:1: nobody ends it with Ctrl-C");
    expect(await read(["Press Ctrl-C."])).toBe("document.md:1: there is nothing that Ctrl-C could end");
  });

  test("what is done by hand is done where the text says so, and the text has to", async () => {
    const deeds: Deeds = { "Save a file": (reading) => reading.save("a.txt", "saved\n") };
    expect(await read(["Save", "a file.", "", ...block("sh", "cat a.txt"), ...block("text", "saved")], deeds)).toBe("");
    expect(await read(["Nothing."], deeds)).toBe('document.md: nobody says "Save a file"');
  });

  test("root's commands are those that a command has told to type", async () => {
    const told = block("sh", "echo; echo '  sudo true'");
    expect(await read([...told, ...block("sh", "sudo true")])).toBe("");
    expect(await read([...told, ...block("sh", "sudo false")])).toMatch(/^document\.md:5: /);
  });
});
