// docs/performance.md: its commands do what they are said to do. The figures are not measured here: a test measures nothing.

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseOptions } from "../../scripts/bench/options.ts";
import { splitWords } from "../../src/config/shell_words.ts";
import { ROOT } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { DocumentProject, servedBy } from "./project.ts";
import { blocksOf, type BlockTests, endAll, fileOf, missing, testBlocks, typeCheck, writeFiles } from "./support.ts";

const BLOCKS = blocksOf(readFileSync(join(ROOT, "docs/performance.md"), "utf8"));

let project: DocumentProject;
const the = (): DocumentProject => project;

beforeAll(async () => {
  project = await DocumentProject.make("performance");
  writeFiles(project.folder, BLOCKS);
});
afterAll(async () => {
  await endAll();
  project.remove();
});

const profiles = (): string[] => readdirSync(project.folder).filter((name) => /^CPU\..*\.cpuprofile$/.test(name));

const TESTS: BlockTests = {
  "npm run bench": ({ lines }) => {
    test.each(lines)("%s: the benchmark knows its words", (line) => {
      const [npm, run, bench, , ...words] = splitWords(line, "the command");
      expect([npm, run, bench]).toEqual(["npm", "run", "bench"]);
      expect(() => parseOptions(words)).not.toThrow();
    });
  },
  "// whole.ts": servedBy(the, async (served) => {
    const [whole, pieces] = [await served.get("/whole"), await served.get("/")];
    expect(whole.text).toBe(pieces.text);
    expect(whole.headers["content-length"]).toBe(String(whole.text.length));
    expect(pieces.headers["transfer-encoding"]).toBe("chunked");
  }),
  "node --cpu-prof ./node_modules/.bin/tricorn serve whole.ts": ({ lines }) => {
    for (const line of lines) {
      const why = missing(line);
      if (why !== null) test.skip(`${line}: ${why}`, () => {});
      else {
        test(`${line}: Ctrl-C leaves a profile`, async () => {
          const served = await project.start(`${line} --bind 127.0.0.1:8000`);
          try {
            await served.get("/");
            expect(await served.interrupt(), served.stderr).toBe(0);
            await eventually(() => profiles().length > 0, () => "there is no profile");
          } finally {
            served.destroy();
            for (const name of profiles()) rmSync(project.path(name));
          }
        });
      }
    }
  },
};

describe("docs/performance.md", () => {
  testBlocks(BLOCKS, TESTS);

  test("the TypeScript is right, as a user's compiler sees it", async () => {
    const files = BLOCKS.filter(({ language }) => language === "ts").map((block) => fileOf(block)[0]);
    expect(await typeCheck(project.folder, files)).toBe("");
  });
});
