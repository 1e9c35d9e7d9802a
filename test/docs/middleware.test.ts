// docs/middleware.md does as it says: its blocks are one project, which compiles, whose own test passes on each runtime, and
// whose applications are served.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../support/runtimes.ts";
import { DocumentProject, eachEnds, servedBy } from "./project.ts";
import { blocksOf, type BlockTests, endAll, fileOf, output, testBlocks, typeCheck, writeFiles } from "./support.ts";

const BLOCKS = blocksOf(readFileSync(join(ROOT, "docs/middleware.md"), "utf8"));
const FILES = BLOCKS.filter(({ language }) => language === "ts");
const COUNT = 8;

let project: DocumentProject;
const the = (): DocumentProject => project;

beforeAll(async () => {
  project = await DocumentProject.make("middleware");
  writeFiles(project.folder, BLOCKS);
});
afterAll(async () => {
  await endAll();
  project.remove();
});

const TESTS: BlockTests = {
  // Its test runs them.
  "// timing.ts": null,
  "// no_store.ts": null,
  "// wall.ts": null,
  "// upper.ts": null,
  "// middleware.test.ts": null,
  "node --import tricorn/typescript --test middleware.test.ts": eachEnds(
    the,
    (text) => expect(text).toMatch(new RegExp(`\\b${COUNT} pass(?:ed)?\\b|\\bpass ${COUNT}\\b`)),
  ),
  "// app.ts": servedBy(the, async (served) => {
    const command = BLOCKS.find(({ lines }) => lines[0]!.startsWith("curl"))!.lines[0]!;
    expect((await served.get("/")).status).toBe(401);
    const answer = await output(
      command.replace("curl", "curl --silent").replace("8000", `${served.port}`),
      the().folder,
      the().env("curl"),
    );
    const [head, body] = answer.split("\r\n\r\n");
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    for (const field of [/^server-timing: app;dur=/im, /^cache-control: no-store/im, /^x-user: ann/im]) {
      expect(head).toMatch(field);
    }
    expect(body).toBe("Hello, ann\n");
  }),
  // The test before runs it.
  'curl -i -H "Authorization: Bearer s3cret" http://127.0.0.1:8000/': null,
  "// site.ts": servedBy(the, async (served) => {
    const found = await served.get("/");
    expect([found.status, found.headers["x-greeting"]]).toEqual([200, "status 200"]);
    const lost = await served.get("/nothing");
    expect([lost.status, lost.headers["x-greeting"]]).toEqual([404, "status 404"]);
    expect(lost.headers["server-timing"]).toMatch(/^app;dur=/);
  }),
};

describe("docs/middleware.md", () => {
  testBlocks(BLOCKS, TESTS);

  test("it compiles, as a user's compiler sees it", async () => {
    expect(await typeCheck(project.folder, FILES.map((block) => fileOf(block)[0]))).toBe("");
  });
});
