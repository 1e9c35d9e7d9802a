// Generated code is shown as it was written, on all runtimes alike, whether the runtime maps it or not.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Failure } from "../../src/dev/failure.ts";
import { SourceMaps } from "../../src/dev/source_maps.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";

const SOURCE = `interface Named {
  name: string;
}

export function greet(named: Named | null): never {
  throw new Error(\`no \${named!.name}\`);
}
`;

/** One line, with `throw` at column 31, which the map says was line 6, column 3. */
const GENERATED =
  "export function greet(named) { throw new Error(`no ${named.name}`); } export const run = () => greet({ name: 'one' });\n";

/** In two parts, so that nobody takes it for this file's own. */
const COMMENT = ["//# source", "MappingURL"].join("");

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The mappings of one generated line: [generated column, source, line, column], all from 0 (ECMA-426, "Base64 VLQ"). */
function mappings(segments: readonly (readonly number[])[]): string {
  let before: readonly number[] = [0, 0, 0, 0];
  return segments.map((segment) => {
    const text = segment.map((value, i) => {
      const difference = value - before[i]!;
      let rest = difference < 0 ? (-difference << 1) | 1 : difference << 1;
      let digits = "";
      do {
        digits += DIGITS[(rest & 31) | (rest > 31 ? 32 : 0)];
        rest >>>= 5;
      } while (rest > 0);
      return digits;
    }).join("");
    before = segment;
    return text;
  }).join(",");
}

const MAP = {
  version: 3,
  sources: ["../src/greet.ts"],
  names: [],
  mappings: mappings([[0, 0, 4, 0], [31, 0, 5, 2], [37, 0, 5, 8], [71, 0, 4, 0]]),
};

const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe("SourceMaps", () => {
  const place = { file: "/srv/dist/greet.js", line: 1, column: 32 };
  const of = (files: Readonly<Record<string, string>>): SourceMaps => new SourceMaps((path) => files[path] ?? null);
  const original = { file: "/srv/src/greet.ts", line: 6, column: 3 };

  test.each<[string, Record<string, string>]>([
    ["a file", {
      "/srv/dist/greet.js": `${GENERATED}${COMMENT}=greet.js.map\n`,
      "/srv/dist/greet.js.map": JSON.stringify(MAP),
    }],
    ["a file of an escaped name", {
      "/srv/dist/greet.js": `${GENERATED}${COMMENT}=my%20map.json`,
      "/srv/dist/my map.json": JSON.stringify(MAP),
    }],
    ["data in base64", {
      "/srv/dist/greet.js": `${GENERATED}${COMMENT}=data:application/json;charset=utf-8;base64,${
        base64(JSON.stringify(MAP))
      }`,
    }],
    ["data, escaped", {
      "/srv/dist/greet.js": `${GENERATED}${COMMENT}=data:application/json,${encodeURIComponent(JSON.stringify(MAP))}`,
    }],
    ["the last of several comments", {
      "/srv/dist/greet.js": `${COMMENT}=none.map\n${GENERATED}${COMMENT.replace("#", "@")}=greet.js.map\n`,
      "/srv/dist/greet.js.map": JSON.stringify(MAP),
    }],
  ])("from %s", (_, files) => {
    expect(of(files).original(place)).toMatchObject(original);
  });

  test("the text of a source that is in the map alone", () => {
    const map = JSON.stringify({ ...MAP, sourcesContent: [SOURCE] });
    const files = { "/srv/dist/greet.js": `${COMMENT}=data:application/json;base64,${base64(map)}` };
    expect(of(files).original(place)?.text).toBe(SOURCE);
  });

  test.each<[string, string]>([
    ["no comment", GENERATED],
    ["a map that is not there", `${GENERATED}${COMMENT}=none.map`],
    ["a map elsewhere", `${GENERATED}${COMMENT}=https://example.com/a.map`],
    ["no URL", `${GENERATED}${COMMENT}=http://[`],
    ["no JSON", `${GENERATED}${COMMENT}=data:application/json,{`],
    ["no map", `${GENERATED}${COMMENT}=data:application/json,7`],
    ["no base64", `${GENERATED}${COMMENT}=data:application/json;base64,%%`],
    [
      "a map of the file onto itself",
      `${GENERATED}${COMMENT}=data:application/json,${
        encodeURIComponent(JSON.stringify({ ...MAP, sources: ["greet.js"] }))
      }`,
    ],
    ["a comment within text", `const a = "${COMMENT}=greet.js.map";`],
  ])("%s: the place stays", (_, text) => {
    expect(of({ "/srv/dist/greet.js": text }).original(place)).toBe(null);
  });

  test("places that the map does not have", () => {
    const files = {
      "/srv/dist/greet.js": `${COMMENT}=data:application/json,${encodeURIComponent(JSON.stringify(MAP))}`,
    };
    expect(of(files).original({ ...place, line: 99 })).toBe(null);
    expect(of(files).original({ ...place, line: null })).toBe(null);
    expect(of(files).original({ ...place, file: "node:fs" })).toBe(null);
  });

  test("a file is read once", () => {
    let reads = 0;
    const maps = new SourceMaps(() => {
      reads++;
      return null;
    });
    maps.original(place);
    maps.original({ ...place, line: 2 });
    expect(reads).toBe(1);
  });
});

describe("by real processes", () => {
  let folder: string;
  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "tricorn-maps-")));
    mkdirSync(join(folder, "src"));
    mkdirSync(join(folder, "dist"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, "src/greet.ts"), SOURCE);
    for (const ending of ["js", "mjs"]) {
      writeFileSync(join(folder, `dist/greet.${ending}`), `${GENERATED}${COMMENT}=greet.js.map\n`);
      writeFileSync(
        join(folder, `dist/inline.${ending}`),
        `${GENERATED}${COMMENT}=data:application/json;base64,${base64(JSON.stringify(MAP))}\n`,
      );
    }
    writeFileSync(join(folder, "dist/greet.js.map"), JSON.stringify(MAP));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function failureOf(runtime: TestRuntime, name: string, options: readonly string[] = []): Promise<Failure> {
    const words = [
      ...options,
      ...runtime.words([]),
      "test/dev/fixtures/describe_failure.ts",
      `file://${folder}/dist/${name}`,
    ];
    const { stdout } = await promisify(execFile)(runtime.program, words, { cwd: ROOT });
    return JSON.parse(stdout) as Failure;
  }

  const expected = (): unknown => ({ file: `${folder}/src/greet.ts`, line: 6, owner: "application" });

  onEachRuntime("the frame is in the source, with its lines", (runtime) => {
    test.each(["greet.js", "greet.mjs", "inline.js", "inline.mjs"])("%s", async (name) => {
      const [frame] = (await failureOf(runtime, name)).frames;
      expect(frame).toMatchObject(expected() as object);
      expect(frame!.excerpt).toEqual({ start: 1, lines: SOURCE.trimEnd().split("\n") });
    });

    if (runtime.kind !== "node") return;
    test("not twice, where Node maps itself", async () => {
      const { frames: [frame], text } = await failureOf(runtime, "greet.js", ["--enable-source-maps"]);
      expect(text).toContain("greet.ts:6");
      expect(frame).toMatchObject(expected() as object);
    });
  });
});
