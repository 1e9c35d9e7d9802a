// The package as its users meet it: installed into an empty folder, and used from there on each runtime.

import { type ChildProcess, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { VERSION } from "../../src/cli/version.ts";
import { onEachKind, onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { ENTRIES } from "./entries.ts";
import { build, dependencies, type Ended, Machine, pack } from "./support.ts";

// Package managers and compilers take seconds, and several times that beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const JAVASCRIPT = `
export const application = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return "JavaScript at " + environ.PATH_INFO;
};
`;

const TYPESCRIPT = `
import type { Application, Environ } from "tricorn/esgi";

interface Greeting { readonly text: string }

export const application: Application = (environ: Environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  const greeting = { text: "TypeScript at " } satisfies Greeting;
  return greeting.text + environ.PATH_INFO;
};
`;

/** The program of a user who does without the command. */
const SERVE = `
import { serve } from "tricorn";
import { fromFetch } from "tricorn/fetch";

await serve(fromFetch((request) => new Response("serve() at " + new URL(request.url).pathname)), { bind: "127.0.0.1:0" });
`;

const IMPORTS = `
const exports = {};
for (const name of ${JSON.stringify(Object.keys(ENTRIES))}) exports[name] = Object.keys(await import(name));
console.log(JSON.stringify(exports));
`;

const machine = new Machine();
/** Where the package is installed, alone and with the library that lets an older Node load TypeScript. */
const alone = join(machine.folder, "alone");
const stripping = join(machine.folder, "stripping");
/** The command's file in the package. */
let binary: string;

beforeAll(async () => {
  const built = build(machine.folder);
  await machine.publish(pack([built, ...dependencies(built)], machine.folder));
  mkdirSync(alone);
  const installed = await machine.run(alone, "npm", "install", "tricorn");
  expect(installed).toMatchObject({ code: 0, stderr: "" });
  writeFileSync(join(alone, "package.json"), JSON.stringify({ private: true, type: "module" }));
  for (const [name, text] of Object.entries({ JAVASCRIPT, TYPESCRIPT, SERVE, IMPORTS })) {
    writeFileSync(join(alone, `${name.toLowerCase()}.${name === "TYPESCRIPT" ? "ts" : "js"}`), text);
  }
  writeFileSync(join(alone, "serve.ts"), `const erased: number = 1;\n${SERVE}`);
  cpSync(alone, stripping, { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(stripping, "node_modules/@swc"));
  const library = "node_modules/@swc/wasm-typescript";
  symlinkSync(join(ROOT, library), join(stripping, library));
  binary = JSON.parse(readFileSync(join(alone, "node_modules/tricorn/package.json"), "utf8")).bin.tricorn;
});

afterAll(() => machine.close());

/** Asks on a connection of its own, so that it is anybody's of a pool. */
function ask(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => text += chunk).on("end", () => resolve(text));
      response.on("error", reject);
    }).on("error", reject);
  });
}

/** Starts a server, asks it for /path, sends it SIGTERM, and tells what it said. */
async function tryServer(cwd: string, words: readonly [string, ...string[]]): Promise<Ended & { body: string }> {
  let body = "";
  const ended = await machine.serving(cwd, words, async (url) => {
    body = await ask(new URL("/path", url).href);
  });
  return { ...ended, body };
}

/** Changes the file of a served application and calls `reload`, until the answer is that of the new code. */
async function changes(
  cwd: string,
  words: readonly [string, ...string[]],
  file: string,
  reload: (server: ChildProcess, output: () => string) => Promise<void>,
): Promise<Ended> {
  writeFileSync(file, JAVASCRIPT);
  return await machine.serving(cwd, words, async (url, server, output) => {
    expect(await ask(url)).toBe("JavaScript at /");
    writeFileSync(file, JAVASCRIPT.replace("JavaScript at", "changed at"));
    await reload(server, output);
    let body = "";
    await eventually(async () => (body = await ask(url)) === "changed at /", () => `${body}\n${output()}`);
  });
}

const SINGLE = ["--allow-net", "--allow-read", "--allow-env"];
/** What a pool, the development server and what writes files need on Deno. */
const ALL = [...SINGLE, "--allow-write", "--allow-run"];

/** A script, as somebody who only has the runtime starts it. */
function script(runtime: TestRuntime, path: string, permissions = SINGLE): [program: string, ...words: string[]] {
  switch (runtime.kind) {
    case "node":
      return [runtime.program, path];
    case "deno":
      return [runtime.program, "run", "--no-prompt", ...permissions, path];
    case "bun":
      return [runtime.program, "run", path];
  }
}

/** The command, on this runtime and no other. */
function tricorn(runtime: TestRuntime, ...words: string[]): [program: string, ...words: string[]] {
  return [...script(runtime, program(runtime)), ...words];
}

function tricornThatStartsProcesses(runtime: TestRuntime, ...words: string[]): [program: string, ...words: string[]] {
  return [...script(runtime, program(runtime), ALL), ...words];
}

function program(runtime: TestRuntime): string {
  return runtime.kind === "deno" ? "npm:tricorn" : join("node_modules/tricorn", binary);
}

/** Whether the runtime loads TypeScript by itself; only an older Node does not. */
function loadsTypeScript(runtime: TestRuntime): boolean {
  return runtime.kind !== "node" ||
    execFileSync(runtime.program, ["-p", "Boolean(process.features.typescript)"], { encoding: "utf8" }) === "true\n";
}

/** What a Node that does not is told, by each command. */
const REMEDY =
  /^tricorn: .*Node 20\.\S+ does not load TypeScript by itself: use Node 22\.18 or later, install @swc\/wasm-typescript beside tricorn \(npm install @swc\/wasm-typescript\), or compile it to JavaScript\n$/;

onEachRuntime("the package", (runtime) => {
  test("every entry can be imported", async () => {
    // "tricorn/typescript" is no use without the library.
    const folder = loadsTypeScript(runtime) ? alone : stripping;
    const { code, stdout, stderr } = await machine.run(folder, ...script(runtime, "imports.js"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const [entry, names] of Object.entries(JSON.parse(stdout))) {
      expect(names, entry).toEqual(expect.arrayContaining([...ENTRIES[entry]!]));
    }
  });

  test("serve() from a program", async () => {
    expect(await tryServer(alone, script(runtime, "serve.js"))).toMatchObject({ code: 0, body: "serve() at /path" });
  });

  test("tricorn serve, and --version", async () => {
    expect(await machine.run(alone, ...tricorn(runtime, "--version"))).toEqual({
      code: 0,
      stdout: expect.stringMatching(`^tricorn ${VERSION} \\(${runtime.kind} .*\\)\n$`),
      stderr: "",
    });
    expect(await tryServer(alone, tricorn(runtime, "serve", "javascript.js", "-b", "127.0.0.1:0")))
      .toMatchObject({ code: 0, body: "JavaScript at /path" });
  });

  test("tricorn serve of TypeScript, by workers, too", async () => {
    const words = ["typescript.ts", "-b", "127.0.0.1:0"];
    const single = tricorn(runtime, "serve", ...words);
    const pool = tricornThatStartsProcesses(runtime, "serve", ...words, "-w", "2");
    let folder = alone;
    if (!loadsTypeScript(runtime)) {
      expect(await tryServer(alone, single)).toMatchObject({ code: 3, stderr: expect.stringMatching(REMEDY) });
      const program = [runtime.program, "--import", "tricorn/typescript", "serve.ts"] as const;
      expect(await tryServer(alone, program)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^Error: Node 20.* install @swc/m),
      });
      expect(await tryServer(stripping, program)).toMatchObject({ code: 0, body: "serve() at /path" });
      folder = stripping;
    }
    expect(await tryServer(folder, single)).toMatchObject({ code: 0, body: "TypeScript at /path" });
    expect(await tryServer(folder, pool)).toMatchObject({ code: 0, body: "TypeScript at /path" });
  });

  if (runtime.kind === "bun") {
    test("a program can be bundled, and what it does not use stays out", async () => {
      writeFileSync(join(alone, "part.js"), 'export { HttpResponse } from "tricorn/handler";');
      writeFileSync(join(alone, "all.js"), 'export * from "tricorn/handler";');
      const bundle = async (name: string): Promise<number> => {
        const words = ["build", `${name}.js`, "--target=node", `--outfile=bundled-${name}.mjs`];
        expect(await machine.run(alone, runtime.program, ...words)).toMatchObject({ code: 0 });
        return statSync(join(alone, `bundled-${name}.mjs`)).size;
      };
      expect(await bundle("part")).toBeLessThan(await bundle("all") / 2);
      await bundle("serve");
      expect(await tryServer(alone, [process.execPath, "bundled-serve.mjs"]))
        .toMatchObject({ code: 0, body: "serve() at /path" });
    });
  }

  if (runtime.kind === "deno") {
    test("types, as Deno sees them", async () => {
      expect(await machine.run(alone, runtime.program, "check", "--quiet", "typescript.ts"))
        .toEqual({ code: 0, stdout: "", stderr: "" });
    });
  }

  test("two workers, which a SIGHUP replaces by those of the new code", async () => {
    const file = `reloaded-${runtime.name}.js`;
    const words = tricornThatStartsProcesses(runtime, "serve", file, "-w", "2", "-b", "127.0.0.1:0");
    const { code, stderr } = await changes(alone, words, join(alone, file), async (server, output) => {
      server.kill("SIGHUP");
      await eventually(() => output().includes("] Reloaded\n"), output);
    });
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/\[(?:WARNING|ERROR|CRITICAL)\]/);
  });

  test("tricorn runserver takes up a change", async () => {
    const file = `developed-${runtime.name}.js`;
    const words = tricornThatStartsProcesses(runtime, "runserver", file, "127.0.0.1:0");
    expect(await changes(alone, words, join(alone, file), async () => {})).toMatchObject({ code: 0 });
  });

  test("tricorn new, check and init", async () => {
    const folder = loadsTypeScript(runtime) ? alone : stripping;
    const name = `site-${runtime.name}`;
    const made = await machine.run(folder, ...tricornThatStartsProcesses(runtime, "new", name));
    expect(made).toEqual({ code: 0, stdout: expect.stringContaining(`Made ${name} `), stderr: "" });
    const site = join(folder, name);
    symlinkSync("../node_modules", join(site, "node_modules"));
    expect(await machine.run(site, ...tricorn(runtime, "check", "--settings", "settings.ts"))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("System check identified no issues (0 silenced).\n"),
    });
    expect(await machine.run(site, ...tricorn(runtime, "init", "nginx", "--stdout"))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("proxy_pass"),
    });
    if (loadsTypeScript(runtime)) return;
    symlinkSync(join(alone, "node_modules"), join(site, "alone"));
    for (const words of [["runserver"], ["serve"], ["check", "--settings", "settings.ts"], ["init", "nginx"]]) {
      expect(await machine.run(site, runtime.program, join("alone/tricorn", binary), ...words))
        .toMatchObject({ code: expect.any(Number), stderr: expect.stringMatching(REMEDY) });
    }
  });
});

onEachKind("without anything installed", (runtime) => {
  const empty = join(machine.folder, `empty-${runtime.name}`);
  const command = {
    node: ["npx", "--yes", "tricorn"],
    deno: [runtime.program, "run", "--no-prompt", ...ALL, "npm:tricorn"],
    bun: [runtime.program, "x", "--bun", "tricorn"],
  }[runtime.kind] as [string, ...string[]];

  test("the package manager of the runtime gets and runs it", async () => {
    mkdirSync(empty);
    const { code, stdout } = await machine.run(empty, ...command, "--version");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(`^tricorn ${VERSION} \\(${runtime.kind} .*\\)\n$`),
    });
    writeFileSync(join(empty, "app.mjs"), JAVASCRIPT);
    const words = ["serve", "app.mjs", "-w", "2", "-b", "127.0.0.1:0"] as const;
    const { stderr } = await machine.serving(empty, [...command, ...words], async (url, { pid }) => {
      expect(await ask(url)).toBe("JavaScript at /");
      // Ctrl-C. A SIGTERM would not get past npx.
      process.kill(-pid!, "SIGINT");
    });
    expect(stderr).toMatch(/Shutting down\n$/);
  });
});

describe("npm", () => {
  test("installs what ARCHITECTURE.md names, and nothing else", () => {
    const lock = JSON.parse(readFileSync(join(alone, "node_modules/.package-lock.json"), "utf8"));
    expect(Object.keys(lock.packages)).toEqual([
      ...["@jridgewell/resolve-uri", "@jridgewell/sourcemap-codec", "@jridgewell/trace-mapping", "ignore", "mrmime"],
      "tricorn",
    ].map((name) => `node_modules/${name}`));
  });

  test("brings the command", async () => {
    const { code, stdout } = await machine.run(alone, "npx", "tricorn", "--version");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(`^tricorn ${VERSION} \\(node .*\\)\n$`),
    });
    expect(await tryServer(alone, ["node_modules/.bin/tricorn", "serve", "javascript.js", "-b", "127.0.0.1:0"]))
      .toMatchObject({ code: 0, body: "JavaScript at /path" });
  });
});
