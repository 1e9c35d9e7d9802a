// Writes SPEC.md from the `///` comments of src/esgi/validator.ts, or with `--check` exits 1 when it is stale:
// `node --import ./adapters/strip_types.js scripts/spec.ts [--check]`. Refuses a rule without its check, and a check
// without its rule, so that text and code cannot part.

import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

const SOURCE = new URL("../src/esgi/validator.ts", import.meta.url);
const TARGET = new URL("../SPEC.md", import.meta.url);

/** One rule of the specification. */
export interface Rule {
  readonly id: string;
  /** Whom it binds. */
  readonly fault: "server" | "application";
  /** Its sentences, on one line. */
  readonly text: string;
}

interface Section {
  readonly heading: string;
  readonly lines: string[];
  readonly rules: Rule[];
}

const RULE = /^\[([a-z0-9-]+)\] \((server|application)\) (.*)$/;

/**
 * The sections of the specification, in the order in which they first appear in `source`; a heading that comes again
 * continues its section.
 *
 * @throws {Error} when a rule does not stand over its check, is there twice, or a check has no rule.
 */
export function parseSpec(source: string): Section[] {
  const sections: Section[] = [];
  const rules = new Map<string, Rule>();
  const lines = source.split("\n");
  let section: Section | null = null;
  for (let at = 0; at < lines.length; at++) {
    const block: string[] = [];
    for (let match; (match = /^\s*\/\/\/ ?(.*)$/.exec(lines[at] ?? "")) !== null; at++) block.push(match[1]!);
    if (block.length === 0) continue;
    const code = lines.slice(at, lines.findIndex((line, index) => index >= at && /^\s*\/\/\//.test(line))).join("\n");
    for (const paragraph of paragraphs(block)) {
      if (/^#{1,3} /.test(paragraph[0]!)) {
        section = sections.find(({ heading }) => heading === paragraph[0]) ?? null;
        if (section === null) sections.push(section = { heading: paragraph[0]!, lines: [], rules: [] });
        continue;
      }
      if (section === null) throw new Error(`text before the first heading: ${paragraph[0]}`);
      const match = RULE.exec(paragraph.join(" "));
      if (match === null) {
        section.lines.push(...paragraph, "");
        continue;
      }
      const rule: Rule = { id: match[1]!, fault: match[2] as Rule["fault"], text: match[3]! };
      if (rules.has(rule.id)) throw new Error(`two rules are called ${rule.id}`);
      if (!code.includes(`"${rule.id}"`)) throw new Error(`the rule ${rule.id} does not stand over its check`);
      rules.set(rule.id, rule);
      section.rules.push(rule);
    }
  }
  checkUses(source, rules);
  return sections;
}

/** The specification as Markdown. */
export function renderSpec(source: string): string {
  let text =
    "<!-- deno-fmt-ignore-file -->\n<!-- Generated from src/esgi/validator.ts by scripts/spec.ts. Do not edit. -->\n";
  for (const { heading, lines, rules } of parseSpec(source)) {
    text += `\n${heading}\n\n`;
    if (lines.length > 0) text += `${lines.join("\n").trimEnd()}\n\n`;
    text += rules.map(({ id, fault, text }) => `- **${id}** (${fault}): ${text}\n`).join("");
    text = `${text.trimEnd()}\n`;
  }
  return text;
}

/** Blocks between empty lines; a fenced block is one, whatever is in it. */
function paragraphs(block: readonly string[]): string[][] {
  const all: string[][] = [[]];
  let fenced = false;
  for (const line of block) {
    if (line.startsWith("```")) fenced = !fenced;
    if (line === "" && !fenced) all.push([]);
    else all.at(-1)!.push(line);
  }
  return all.filter((lines) => lines.length > 0);
}

/** Each check in the code names its rule as `"id"`; what is passed with the side has it before. */
function checkUses(source: string, rules: ReadonlyMap<string, Rule>): void {
  const code = source.replace(/^\s*\/\/.*$/gm, "");
  for (const [, fault, id] of code.matchAll(/"(server|application)",\s*"([a-z0-9-]+)"/g)) {
    if (rules.get(id!)?.fault !== fault) throw new Error(`${id} (${fault}) is checked, and there is no such rule`);
  }
  for (
    const [, fault, id] of code.matchAll(/^\s*(server|application)\([^;]*?"([a-z0-9]+(?:-[a-z0-9]+)+)",[^;]*?\);$/gm)
  ) {
    if (rules.get(id!)?.fault !== fault) throw new Error(`${id} (${fault}) is checked, and there is no such rule`);
  }
}

function main(): void {
  const text = renderSpec(readFileSync(SOURCE, "utf8"));
  if (!process.argv.includes("--check")) {
    writeFileSync(TARGET, text);
    return;
  }
  let current = "";
  try {
    current = readFileSync(TARGET, "utf8");
  } catch {
    // Absent is stale.
  }
  if (current === text) return;
  process.stderr.write("SPEC.md is stale: run `node --import ./adapters/strip_types.js scripts/spec.ts`\n");
  process.exitCode = 1;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
