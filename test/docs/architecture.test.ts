// ARCHITECTURE.md tells the truth: its tables are those of the test that enforces them and of package.json.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../support/runtimes.ts";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const TEXT = read("ARCHITECTURE.md");

/** The rows below `heading`, each as the first cell's name and the second cell. */
function rows(heading: string): [string, string][] {
  const section = TEXT.split(/^## /m).find((one) => one.startsWith(heading))!;
  return [...section.matchAll(/^\| `([^`]+)` +\| (.*?) +\|$/gm)].map(([, name, cell]) => [name!, cell!]);
}

test("who may import whom is what test/architecture.test.ts enforces", () => {
  const table = /MAY_IMPORT[^{]*\{(.*?)^\};/ms.exec(read("test/architecture.test.ts"))![1]!;
  const enforced = [...table.matchAll(/"([^"]+)": \[(.*?)\]/gs)].map(([, importer, targets]) => {
    const cells = [...targets!.matchAll(/"([^"]+)"/g)].map(([, target]) => `\`${target}\``);
    return [importer, cells.join(", ") || "nothing"];
  });
  expect(enforced.length).toBeGreaterThan(10);
  expect(rows("Who may import whom")).toEqual(enforced);
});

test("each dependency has its reason: first those at run time, then those of development", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<string, object>;
  expect(rows("Dependencies").map(([name]) => name)).toEqual(Object.keys({ ...dependencies, ...devDependencies }));
});

test("the folders of src are those that are there, and those that are planned are not", () => {
  const listed = [...TEXT.matchAll(/^ {2}(\w+)\/ +(planned)?/gm)];
  const folders = (planned: boolean): string[] =>
    listed.filter(([, , mark]) => (mark !== undefined) === planned).map(([, name]) => name!).sort();
  const there = readdirSync(join(ROOT, "src")).sort();
  expect(folders(false)).toEqual(there);
  expect(folders(true).filter((name) => there.includes(name))).toEqual([]);
});
