// docs/esgi.md: its blocks are one project, which compiles, whose own test passes on each runtime, and which is served.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../support/runtimes.ts";
import { DocumentProject, eachEnds, servedBy } from "./project.ts";
import { ask, blocksOf, type BlockTests, endAll, fileOf, testBlocks, typeCheck, writeFiles } from "./support.ts";

const BLOCKS = blocksOf(readFileSync(join(ROOT, "docs/esgi.md"), "utf8"));
const FILES = BLOCKS.filter(({ language }) => language === "ts");
const COUNT = [...FILES.at(-1)!.text.matchAll(/^test\(/gm)].length;

let project: DocumentProject;
const the = (): DocumentProject => project;

beforeAll(async () => {
  project = await DocumentProject.make("esgi");
  writeFiles(project.folder, BLOCKS);
});
afterAll(async () => {
  await endAll();
  project.remove();
});

const TESTS: BlockTests = {
  "// hello.ts": servedBy(the, async (served) => {
    expect((await served.get("/caf%C3%A9")).text).toBe("Hello, /café\n");
  }),
  // The next but one has it inside.
  "// greet.ts": null,
  // Its test runs it.
  "// clock.ts": null,
  "// careful.ts": servedBy(the, async (served) => {
    expect((await served.get("/")).status).toBe(405);
    const post = (body: string) => ask({ host: "127.0.0.1", port: served.port, method: "POST" }, body);
    expect((await post('{ "name": "Ann" }')).text).toBe("Hello, Ann!\n");
    expect(await post("{")).toMatchObject({ status: 400, text: "that is no JSON\n" });
  }),
  "// esgi.test.ts": null,
  "node --import tricorn/typescript --test esgi.test.ts": eachEnds(
    the,
    (text) => expect(text).toMatch(new RegExp(`\\b${COUNT} pass(?:ed)?\\b|\\bpass ${COUNT}\\b`)),
  ),
};

describe("docs/esgi.md", () => {
  testBlocks(BLOCKS, TESTS);

  test("it compiles, as a user's compiler sees it", async () => {
    expect(await typeCheck(project.folder, FILES.map((block) => fileOf(block)[0]))).toBe("");
  });
});
