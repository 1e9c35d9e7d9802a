// The house's rules that a program can keep (ARCHITECTURE.md): who may import whom, what src may not name, and how a file
// begins. Each failure names the file and what is wrong with it.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = new URL("../", import.meta.url);

const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");

function filesUnder(folder: string): string[] {
  return readdirSync(new URL(`${folder}/`, ROOT), { withFileTypes: true, recursive: true })
    .filter((entry) =>
      entry.isFile() && /\.[jt]s$/.test(entry.name) && !/node_modules|[/\\]dist\b/.test(entry.parentPath)
    )
    .map((entry) => posix.relative(ROOT.pathname, posix.join(entry.parentPath, entry.name)))
    .sort();
}

/** What the published package depends on. */
const { dependencies: DEPENDENCIES } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };

const SRC = filesUnder("src");
const ADAPTERS = filesUnder("adapters");

// Who may import whom, by the longest beginning of the importer's path; what is not listed is forbidden. "types" after a
// target allows `import type` only. A folder always sees itself.
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/esgi/": [],
  "src/http1/": [],
  "src/gateway_protocols/": [],
  // A bind setting is read into the port's own type of address.
  "src/config/": ["src/runtime/port.ts types"],
  "src/observe/": ["src/esgi/ types"],
  "src/runtime/": ["src/esgi/ types"],
  // Unknown settings are told with the nearest name, and errors are shown in the log, here as there.
  "src/handler/": ["src/esgi/", "src/config/nearest.ts", "src/observe/text.ts", "mrmime"],
  "src/bridges/": ["src/esgi/"],
  "src/server/": ["src/esgi/", "src/http1/", "src/gateway_protocols/", "src/observe/", "src/runtime/port.ts types"],
  "src/dev/": [
    "src/esgi/",
    "src/observe/",
    "src/runtime/port.ts types",
    // What the handler's debug pages are asked for.
    "src/handler/ types",
    // What is served, when it is Hono's.
    "src/bridges/ types",
    "@jridgewell/trace-mapping",
    "ignore",
    "src/gateway_protocols/ip_address.ts",
    // Which reasons of a refusal mean another protocol.
    "src/http1/errors.ts",
  ],
  "src/arbiter/": ["src/config/", "src/observe/", "src/runtime/port.ts"],
  "src/arbiter/worker.ts": ["src/config/", "src/esgi/ types", "src/observe/", "src/runtime/port.ts", "src/server/"],
  "src/cli/": ["src/"],
  // Node, Deno and Bun never see each other, and only what the port is made of.
  "adapters/node.ts": ["src/runtime/port.ts types", "src/esgi/ types", "adapters/shared.ts", "node:"],
  "adapters/deno.ts": ["src/runtime/port.ts types", "src/esgi/ types", "adapters/shared.ts", "node:"],
  "adapters/bun.ts": ["src/runtime/port.ts types", "src/esgi/ types", "adapters/shared.ts", "node:", "bun types"],
  // ListenError is the port's one value.
  "adapters/shared.ts": ["src/runtime/port.ts", "node:"],
  "adapters/control_socket.ts": ["src/runtime/port.ts types", "adapters/shared.ts", "node:"],
  "adapters/process.ts": [
    "src/runtime/port.ts types",
    "adapters/cores.ts",
    "src/cli/host.ts",
    "adapters/control_socket.ts",
    "adapters/process_control.ts",
    "adapters/program.ts",
    "adapters/strip_types.js",
    "node:",
  ],
  // SpawnError and ListenError.
  "adapters/supervisor.ts": [
    "src/runtime/port.ts",
    "adapters/shared.ts",
    "adapters/program.ts",
    "adapters/bun_sockets.ts",
    "node:",
  ],
  "adapters/program.ts": ["node:"],
  "adapters/cgi.ts": ["src/runtime/port.ts types", "node:"],
  "adapters/process_control.ts": ["src/cli/process_control.ts types", "adapters/program.ts", "node:"],
  "adapters/bun_sockets": ["node:", "bun:ffi"],
  "adapters/watchdog": [
    "src/runtime/port.ts types",
    "src/arbiter/messages.ts types",
    "adapters/shared.ts",
    "adapters/watchdog_thread.js",
    "node:",
  ],
  // What the handler is given because src has no file system and no zlib.
  "adapters/open_file.ts": ["src/handler/ types", "node:"],
  "adapters/compression.ts": ["src/handler/ types", "node:"],
  "adapters/file_storage.ts": ["src/handler/ types", "node:"],
  // What runserver needs of the system.
  "adapters/dev_host.ts": [
    "src/cli/dev_host.ts types",
    "src/dev/certificate.ts",
    "adapters/watch.ts",
    "adapters/terminal.ts",
    "adapters/port_holder.ts",
    "adapters/open_browser.ts",
    "adapters/open_file.ts",
    "adapters/strip_types.js",
    "node:",
  ],
  "adapters/watch.ts": ["src/cli/dev_host.ts types", "node:"],
  "adapters/terminal.ts": ["node:"],
  "adapters/port_holder.ts": ["src/cli/dev_host.ts types", "node:"],
  "adapters/open_browser.ts": ["src/config/shell_words.ts", "node:"],
  "adapters/cores.ts": ["node:"],
  "adapters/strip_types": ["node:", "@swc/wasm-typescript"],
  "adapters/typescript": ["adapters/strip_types.js"],
  // The only files that know both sides.
  "adapters/mod.ts": ["src/", "adapters/", "node:"],
  "adapters/bin.ts": ["src/cli/main.ts", "adapters/context.ts"],
  "adapters/context.ts": ["src/cli/run.ts types", "adapters/"],
  "adapters/runtime.ts": ["src/runtime/port.ts", "adapters/"],
};

interface Import {
  readonly specifier: string;
  /** The file it means, or the specifier where that is no path. */
  readonly target: string;
  readonly typesOnly: boolean;
}

// Statements begin at the margin, which text in a comment does not.
const STATEMENT = /^(?:import|export)\b(\s+type\b)?((?:[^;"']|\n)*?)(?:\bfrom\s*)?["']([^"'\n]+)["'];/gm;
const DYNAMIC = /^(?!\s*(?:\/\/|\*)).*?\bimport\(\s*["']([^"']+)["']/gm;

function importsOf(file: string, text: string): Import[] {
  const at = (specifier: string, typesOnly: boolean): Import => ({
    specifier,
    target: specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : specifier,
    typesOnly,
  });
  const imports: Import[] = [];
  for (const [, type, clause, specifier] of text.matchAll(STATEMENT)) {
    // `export const x = "y";` is no import.
    if (!/^\s*(?:[\w$*{]|$)/.test(clause!) || /[=()]/.test(clause!)) continue;
    const named = /^\s*\{([^}]*)\}\s*$/.exec(clause!)?.[1]?.split(",").map((name) => name.trim()).filter(Boolean);
    imports.push(at(specifier!, type !== undefined || named?.every((name) => name.startsWith("type ")) === true));
  }
  for (const [, specifier] of text.matchAll(DYNAMIC)) imports.push(at(specifier!, false));
  return imports;
}

function rulesFor(file: string): readonly string[] | null {
  const prefix = Object.keys(MAY_IMPORT).filter((key) => file.startsWith(key)).sort((a, b) => b.length - a.length)[0];
  return prefix === undefined ? null : MAY_IMPORT[prefix]!;
}

function allowed(file: string, { target, typesOnly }: Import): boolean {
  const folder = file.startsWith("src/") ? file.split("/").slice(0, 2).join("/") + "/" : file;
  if (target.startsWith(folder)) return true;
  return (rulesFor(file) ?? []).some((rule) => {
    const [prefix, only] = rule.split(" ");
    return target.startsWith(prefix!) && (only !== "types" || typesOnly);
  });
}

describe("who may import whom", () => {
  test.each([...SRC, ...ADAPTERS])("%s", (file) => {
    expect(rulesFor(file), `${file} has no rule: see MAY_IMPORT`).not.toBe(null);
    const offending = importsOf(file, read(file)).filter((one) => !allowed(file, one));
    expect(offending.map(({ specifier, typesOnly }) => `${file} imports ${typesOnly ? "type " : ""}"${specifier}"`))
      .toEqual([]);
  });

  test.each(SRC)("%s imports files that exist, by their names", (file) => {
    for (const { specifier, target } of importsOf(file, read(file))) {
      // A package, which the rules above allow here.
      if (specifier in DEPENDENCIES) continue;
      expect(specifier, "a relative path with its ending").toMatch(/^\.\.?\/.*\.ts$/);
      expect(existsSync(new URL(target, ROOT)), `${file}: ${specifier}`).toBe(true);
    }
  });

  test("no folder imports itself through its mod.ts", () => {
    const offending = SRC.flatMap((file) =>
      importsOf(file, read(file)).filter(({ specifier }) => specifier === "./mod.ts").map(() => file)
    );
    expect(offending).toEqual([]);
  });

  test("ARCHITECTURE.md tells of each folder", () => {
    const text = read("ARCHITECTURE.md");
    const folders = new Set(SRC.map((file) => file.split("/")[1]!));
    expect([...folders].filter((folder) => !new RegExp(`^\\W*(?:src/)?${folder}/`, "m").test(text))).toEqual([]);
  });

  // The rules are only as good as the reader of imports.
  const text = `import { a } from "./a.ts";
import type { B } from "../b/b.ts";
import {
  type C,
  type D,
} from "../c.ts";
import e, { type F } from "./e.ts";
import * as g from "node:g";
import "./h.ts";
export * from "./i.ts";
export { j } from "./j.ts";
export type { K } from "./k.ts";
export const l = "./no.ts";
// import { m } from "./no.ts";
/**
 * import { n } from "./no.ts"; and await import("./no.ts")
 */
export function o(): void { return import("./o.ts"); }
const p = await import("../p.ts");
`;
  test("the reader of imports", () => {
    const imports = importsOf("src/x/y.ts", text);
    expect(imports.map(({ target, typesOnly }) => `${target}${typesOnly ? " types" : ""}`)).toEqual([
      "src/x/a.ts",
      "src/b/b.ts types",
      "src/c.ts types",
      "src/x/e.ts",
      "node:g",
      "src/x/h.ts",
      "src/x/i.ts",
      "src/x/j.ts",
      "src/x/k.ts types",
      "src/x/o.ts",
      "src/p.ts",
    ]);
  });

  test.each([
    ["src/http1/parser.ts", "../esgi/environ.ts", true, false],
    ["src/http1/parser.ts", "./names.ts", false, true],
    ["src/server/session.ts", "../runtime/port.ts", true, true],
    ["src/server/session.ts", "../runtime/port.ts", false, false],
    ["src/server/session.ts", "../runtime/memory.ts", true, false],
    ["src/server/session.ts", "../bridges/mod.ts", true, false],
    ["src/esgi/environ.ts", "../esgi_extra/a.ts", true, false],
    ["src/arbiter/master.ts", "../server/server.ts", false, false],
    ["src/arbiter/worker.ts", "../server/server.ts", false, true],
    ["src/cli/main.ts", "../../adapters/mod.ts", true, false],
    ["src/cli/main.ts", "node:fs", false, false],
    ["adapters/node.ts", "./deno.ts", true, false],
    ["adapters/node.ts", "../src/server/server.ts", true, false],
    ["adapters/deno.ts", "npm:x", false, false],
  ])("%s importing %s, types only: %s: %s", (file, specifier, typesOnly, expected) => {
    const target = specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : specifier;
    expect(allowed(file, { specifier, target, typesOnly })).toBe(expected);
  });
});

describe("src belongs to no runtime", () => {
  // Comments by their lines first: an apostrophe in one begins no string.
  const COMMENT = /^\s*(?:\/\/|\/?\*)[^\n]*|\s\/\/ [^\n]*/gm;
  const STRING = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\$]|\$(?!\{))*`/g;
  const NAMES = "process|Deno|Bun|Buffer|require|__dirname|__filename|setImmediate";
  const GLOBAL = new RegExp(
    `(?<![.\\w$#-])(?:${NAMES})\\b(?!\\s*\\??:)|\\bglobalThis\\b[^;\\n]*\\.(?:${NAMES})\\b`,
    "g",
  );

  /** Where one is looked for, and why it cannot be asked of the port. */
  const EXCEPTIONS: Readonly<Record<string, string>> = {
    "src/bridges/native_weight.ts": "only Bun's process tells how much a Response holds; a bridge sees no port",
  };

  test.each(SRC)("%s names no global of one", (file) => {
    const text = read(file);
    const code = text.replaceAll(COMMENT, "").replaceAll(STRING, '""');
    const found = [...code.matchAll(GLOBAL)].map(([name]) => name);
    if (file in EXCEPTIONS) expect(found, "the exception is needed no more").not.toEqual([]);
    else expect(found).toEqual([]);
    expect(text).not.toMatch(/^\/\/\/ *<reference/m);
  });

  test("tsconfig.json gives it no types of one", () => {
    expect(JSON.parse(read("tsconfig.json"))).toMatchObject({ compilerOptions: { types: [] }, include: ["src"] });
  });
});

describe("how a file is", () => {
  test.each(SRC)("%s has no default export", (file) => {
    expect(read(file)).not.toMatch(/^export default\b|^export \{[^}]*\bas default\b/m);
  });

  test.each([...SRC, ...ADAPTERS, ...filesUnder("scripts").filter((file) => !file.startsWith("scripts/bench/"))])(
    "%s opens with a comment",
    (file) => {
      expect(read(file).slice(0, 200)).toMatch(/^(?:#![^\n]*\n)?(?:\/\/ \S|\/\/\/ \S|\/\*\*)/);
    },
  );
});

describe("deno.json", () => {
  const { exports } = JSON.parse(read("deno.json")) as { exports: Record<string, string> };
  test.each(Object.entries(exports))("export %s is %s, which exists", (name, path) => {
    expect(name).toMatch(/^\.(?:\/[a-z]+)*$/);
    expect(existsSync(new URL(path, ROOT))).toBe(true);
  });
});
