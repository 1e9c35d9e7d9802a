// Every command and code block of every document is executed by a test, or stands in one short list with the reason why it
// cannot be. And every link between documents leads somewhere.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { help } from "../../src/cli/help.ts";
import type { Context } from "../../src/cli/run.ts";
import { ABSENT } from "../../src/config/gunicorn.ts";
import { SETTING_NAMES, SETTINGS } from "../../src/config/settings.ts";
import { ROOT } from "../support/runtimes.ts";
import { brokenLinks } from "./support.ts";

const read = (name: string): string => readFileSync(join(ROOT, name), "utf8");

const ROOT_DOCUMENTS = [
  "README.md",
  "README.zh-CN.md",
  "SPEC.md",
  "CONTRIBUTING.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
];
const DOCUMENTS: readonly string[] = [
  ...ROOT_DOCUMENTS,
  ...readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
];

/** The words by which a test demands that each block of its document is executed there. */
const EACH = "testBlocks(BLOCKS";
const TO_ITS_END = "testWalkthrough(";

/** Where the blocks of a document are executed, and the words there that demand it of each of them. */
const EXECUTED: Readonly<Record<string, readonly [file: string, demand: string]>> = {
  "README.md": ["test/docs/readme.test.ts", EACH],
  "README.zh-CN.md": ["test/docs/readme.test.ts", "has the same code blocks, byte for byte"],
  "SPEC.md": ["test/docs/others.test.ts", 'describeBlocks("SPEC.md"'],
  "docs/deployment.md": ["test/docs/deployment.test.ts", "each block is looked at here"],
  "docs/gateway-protocols.md": ["test/docs/others.test.ts", "all other blocks are web servers' and CGI's"],
  "docs/esgi.md": ["test/docs/esgi.test.ts", EACH],
  "docs/getting-started.md": ["test/docs/getting_started.test.ts", TO_ITS_END],
  "docs/handler.md": ["test/docs/handler.test.ts", "each block is a file of the project"],
  "docs/middleware.md": ["test/docs/middleware.test.ts", EACH],
  "docs/new-project.md": ["test/docs/others.test.ts", 'describeBlocks("docs/new-project.md"'],
  "docs/performance.md": ["test/docs/performance.test.ts", EACH],
  "docs/production.md": ["test/docs/production.test.ts", EACH],
  "docs/runserver.md": ["test/docs/runserver.test.ts", EACH],
  "docs/security.md": ["test/docs/security.test.ts", EACH],
  "docs/settings.md": ["test/docs/others.test.ts", 'describeBlocks("docs/settings.md"'],
  "docs/troubleshooting.md": ["test/docs/troubleshooting.test.ts", "each entry has its test here"],
  "docs/tutorial.md": ["test/docs/tutorial.test.ts", TO_ITS_END],
  "docs/zero-loss.md": ["test/docs/others.test.ts", 'describeBlocks("docs/zero-loss.md"'],
};

const ROOTS_OWN = "changes the machine, as root; it is what `tricorn init` prints";
const NO_CONTAINERS = "there is no Docker and no cluster here; test/deployment/containers.test.ts runs what is in them";
const PACKAGES = "would take the packages away from under the other tests; CI has run it";

/** Commands that are not executed, by their beginning, and why. */
const NOT_EXECUTED: readonly (readonly [document: string, command: string, reason: string])[] = [
  ["README.md", "npm ci", PACKAGES],
  ["README.zh-CN.md", "npm ci", PACKAGES],
  ["docs/deployment.md", "sudo", ROOTS_OWN],
  ["docs/deployment.md", "docker", NO_CONTAINERS],
  ["docs/deployment.md", "kubectl", NO_CONTAINERS],
  ["docs/tutorial.md", "sudo", ROOTS_OWN],
  ["docs/tutorial.md", "npm ci", PACKAGES],
  ["docs/getting-started.md", "npm ci", PACKAGES],
  ["docs/new-project.md", "npm install", "there is no registry here; test/new and test/package install the same"],
  ["docs/new-project.md", "npm pack", "test/package packs it, elsewhere: dist/ may be somebody's"],
  ["docs/performance.md", "npm run bench", "takes minutes; test/scripts/bench runs it with --smoke"],
  ["docs/zero-loss.md", "npm run zero-loss", "takes half an hour; test/runtimes/zero_loss.test.ts runs it in short"],
];

/** What `tricorn help` shows, of a command or of all. */
async function helpOf(...words: readonly string[]): Promise<string> {
  let shown = "";
  await help(words, { host: { stdout: (text: string) => shown += text } } as unknown as Context);
  return shown;
}

/** The commands that there are, and their flags. */
const COMMANDS = [...(await helpOf()).matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!);
const HELP = (await Promise.all(COMMANDS.map((name) => helpOf(name)))).join("\n");
const FLAGS: ReadonlySet<string> = new Set([
  ...HELP.match(/--[a-z][\w-]*/g)!,
  ...Object.values(SETTINGS).flatMap(({ flags }) => flags),
]);
/** What stands in the blocks of a document; an indented one counts, too. */
function blocksIn(markdown: string): { readonly language: string; readonly lines: readonly string[] }[] {
  return [...markdown.matchAll(/^( *)```(\w*)[^\n]*\n(.*?)^ *```$/gms)].map(([, indent, language, text]) => ({
    language: language!,
    lines: text!.trimEnd().split("\n").map((line) => line.slice(indent!.length)),
  }));
}

/** What looks like a setting and is none: Gunicorn's that are absent here, nginx's, and others. */
const NO_SETTINGS: ReadonlySet<string> = new Set([
  ...ABSENT.flatMap(({ names }) => names),
  ...["default_server", "fail_timeout", "keepalive_timeout", "large_client_header_buffers", "limit_conn", "limit_req"],
  ...["max_fails", "server_name", "check_migrations", "node_modules"],
]);
/** nginx's directives and files, and Apache's modules. */
const WEB_SERVERS = /^(?:(?:client|fastcgi|mod|proxy|scgi|ssl|uwsgi)_\w+)$/;

describe.each(DOCUMENTS)("%s", (document) => {
  const blocks = blocksIn(read(document));
  const fences = read(document).match(/^ *```/gm)?.length ?? 0;

  test("its blocks are executed", () => {
    expect(fences, "each block has its end").toBe(2 * blocks.length);
    // A picture of the folders, which test/docs/architecture.test.ts compares with them.
    const code = blocks.filter(({ language }) => document !== "ARCHITECTURE.md" || language !== "text");
    if (code.length === 0) return expect(EXECUTED).not.toHaveProperty([document]);
    const [file, demand] = EXECUTED[document] ?? ["", ""];
    expect(file, "no test executes them").not.toBe("");
    expect(existsSync(join(ROOT, file)), file).toBe(true);
    expect(read(file)).toContain(demand);
    expect(read(file)).toContain(document.replace("docs/", ""));
  });

  test("what only root, Docker, a cluster or a registry could do is listed with its reason", () => {
    const lines = blocks.filter(({ language }) => language === "sh").flatMap(({ lines }) => lines);
    const listed = NOT_EXECUTED.filter(([name]) => name === document).map(([, command]) => command);
    const known = (line: string): boolean => listed.some((command) => line.includes(command));
    expect(lines.filter((line) => /^(?:sudo|docker|kubectl|npm ci|systemctl|apt-get)\b/.test(line) && !known(line)))
      .toEqual([]);
    for (const command of listed) expect(lines.filter((line) => line.includes(command)), command).not.toEqual([]);
  });

  test("its links lead somewhere", () => {
    expect(brokenLinks(document)).toEqual([]);
  });

  test("the commands of Tricorn that it names are there", () => {
    const code = [...read(document).matchAll(/`(?:npx )?tricorn ([a-z]+)\b/g)].map(([, name]) => name!);
    const typed = blocks.flatMap(({ lines }) => lines).flatMap((line) =>
      [...line.matchAll(/^(?:npx )?tricorn ([a-z]+)\b/g)].map(([, name]) => name!)
    );
    for (const name of [...code, ...typed]) expect(COMMANDS).toContain(name);
  });
});

test.each(DOCUMENTS.filter((name) => name.startsWith("docs/") || name.startsWith("README")))(
  "%s: what it calls a setting is one",
  (document) => {
    const text = read(document).replaceAll(/^ *```.*?^ *```$/gms, "");
    const words = [...text.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, word]) => word!);
    const known = new Set<string>([...SETTING_NAMES, ...NO_SETTINGS]);
    expect(words.filter((word) => !known.has(word) && !WEB_SERVERS.test(word))).toEqual([]);
  },
);

test.each(DOCUMENTS)("%s: the flags of Tricorn's commands that it names are there", (document) => {
  const text = read(document).replaceAll(/^ *```.*?^ *```$/gms, "");
  const code = [...text.matchAll(/`(tricorn [^`\n]*)`/g)].map(([, words]) => words!);
  const flags = code.flatMap((words) => words.match(/(?<![\w-])--[a-z][\w-]*/g) ?? []);
  expect(flags.filter((flag) => !FLAGS.has(flag))).toEqual([]);
});

test("docs/README.md has each document, once", () => {
  const links = [...read("docs/README.md").matchAll(/\]\(([\w.-]+\.md|\.\.\/SPEC\.md)\)/g)].map(([, link]) => link!);
  const there = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md") && name !== "README.md");
  expect(links.toSorted()).toEqual([...there, "../SPEC.md"].toSorted());
});
