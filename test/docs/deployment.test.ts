// docs/deployment.md: its commands are run, or are the ones that `tricorn init` prints; its blocks are in the files that init
// writes. What the three tables "From ..." call settings, flags and commands of Tricorn are there.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { splitWords } from "../../src/config/shell_words.ts";
import { SETTING_NAMES, SETTINGS } from "../../src/config/settings.ts";
import { fromGunicornMarkdown } from "../../src/config/from_gunicorn.ts";
import { ROOT, type TestRuntime } from "../support/runtimes.ts";
import { Project, run } from "../deployment/support.ts";

const read = (name: string): string => readFileSync(join(ROOT, name), "utf8");
const TEXT = read("docs/deployment.md");
const node = { kind: "node", program: process.execPath } as TestRuntime;
const TARGETS = ["nginx", "apache", "systemd", "docker", "kubernetes"] as const;

interface Block {
  readonly language: string;
  readonly lines: readonly string[];
}

const BLOCKS: readonly Block[] = [...TEXT.matchAll(/^( *)```(\w+)\n(.*?)^ *```$/gms)].map((
  [, space, language, text],
) => ({
  language: language!,
  lines: text!.trimEnd().split("\n").map((line) => line.slice(space!.length)),
}));
const COMMANDS: readonly string[] = BLOCKS.filter(({ language }) => language === "sh").flatMap(({ lines }) => lines);

let project: Project;
/** What init printed, and what it wrote, by target. */
const printed = new Map<string, string>();

beforeAll(async () => {
  project = new Project("shop", { app: "./app.mjs" });
  project.write("package.json", '{ "name": "shop", "type": "module" }\n');
  project.write("app.mjs", 'export default { fetch: () => new Response("hello") };\n');
  mkdirSync(project.path("static"));
  for (const target of TARGETS) {
    const written = COMMANDS.find((command) => new RegExp(`^tricorn init ${target}\\b(?!.*--stdout)`).test(command));
    const words = splitWords(written?.slice("tricorn init ".length) ?? target, "the command");
    const { code, stdout, stderr } = await project.init(node, ...words);
    expect([code, stderr]).toEqual([0, ""]);
    printed.set(target, stdout);
  }
}, 120_000);
afterAll(() => project.remove());

describe("docs/deployment.md", () => {
  test.each(COMMANDS.filter((command) => command.startsWith("tricorn ")))("%s", async (command) => {
    const [first, pipe] = command.split(" | ");
    const [, name, ...words] = splitWords(first!, "the command");
    if (name === "serve") {
      const start = ["--import", `${ROOT}adapters/strip_types.js`, `${ROOT}adapters/bin.ts`, "serve"];
      expect(await run([process.execPath, ...start, ...words, "--check-config"], project.folder))
        .toMatchObject({ code: 0, stderr: "" });
    } else if (pipe !== undefined) {
      // It was written by the same command, so there is no difference.
      const { stdout } = await project.init(node, ...words);
      expect(readFileSync(project.path(pipe.split(" ")[2]!), "utf8")).toBe(stdout);
    } else {
      // A second time nothing is written.
      expect((await project.init(node, ...words)).stdout).toMatch(/^There is nothing to write:/);
    }
  });

  test("the other commands are the ones that init prints", () => {
    const all = [...printed.values()].join("");
    for (const command of COMMANDS.filter((one) => !one.startsWith("tricorn "))) {
      expect(all).toContain(`\n  ${command}\n`);
    }
  });

  test("the files in the table are the ones that init writes", () => {
    const rows = [...TEXT.matchAll(/^\| `(\w+)` +\| (.*) \|$/gm)].filter(([, name]) => printed.has(name!));
    expect(rows.map(([, name]) => name)).toEqual(TARGETS);
    for (const [, name, cell] of rows) {
      for (const [, path] of cell!.matchAll(/`([^`]+)`/g)) {
        const file = path!.replace("NAME", "shop");
        expect(existsSync(project.path(file)), file).toBe(true);
        expect(printed.get(name!)).toContain(`\n  ${file}\n`);
      }
    }
  });

  test("the lines of nginx are in nginx's file", () => {
    const conf = readFileSync(project.path("deploy/shop.nginx.conf"), "utf8").split("\n").map((line) => line.trim());
    const lines = BLOCKS.filter(({ language }) => language === "nginx").flatMap((block) => block.lines);
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(conf).toContain(line);
  });

  test("each block is looked at here", () => {
    expect(new Set(BLOCKS.map(({ language }) => language))).toEqual(new Set(["sh", "nginx"]));
  });
});

const FLAGS = Object.values(SETTINGS).flatMap(({ flags }) => flags);

describe.each(["from-uwsgi.md", "from-mod-wsgi.md", "from-gunicorn.md"])("docs/%s", (name) => {
  const text = read(`docs/${name}`);

  test("what it calls a setting or a flag of Tricorn is one", () => {
    const cells = [...text.matchAll(/^\| .* \| (.*?) +\|$/gm)].map(([, cell]) => cell!);
    expect(cells.length).toBeGreaterThan(10);
    for (const [, word] of cells.join("\n").matchAll(/`([a-z]+(?:_[a-z]+)+)(?::[^`]*)?`/g)) {
      // Gunicorn's own, in the reasons.
      if (name !== "from-gunicorn.md") expect(SETTING_NAMES, word).toContain(word);
    }
    for (const [, flag] of cells.join("\n").matchAll(/`(--[a-z-]+)/g)) {
      expect(
        [...FLAGS, "--static", "--protected", "--mount", "--config", "--check-config", "--print-config", "--json"],
        flag,
      ).toContain(flag);
    }
  });

  test("the commands in it are Tricorn's", () => {
    for (const [, command] of text.matchAll(/`tricorn ([a-z]+)/g)) {
      expect(["serve", "ctl", "init", "runserver"]).toContain(command);
    }
  });
});

test("docs/from-gunicorn.md is up to date", () => {
  expect(read("docs/from-gunicorn.md")).toBe(fromGunicornMarkdown());
});

test.each(["docs/deployment.md", "docs/from-gunicorn.md", "docs/from-uwsgi.md", "docs/from-mod-wsgi.md"])(
  "%s links to what is there",
  (name) => {
    const links = [...read(name).matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link]) => link!);
    for (const link of links) {
      const [path, heading] = link.split("#");
      const target = join(dirname(name), path!);
      expect(existsSync(join(ROOT, target)), link).toBe(true);
      const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
        title!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
      );
      if (heading !== undefined) expect(headings).toContain(heading);
    }
  },
);
