// The npm package as its users meet it: built, packed, installed into an empty folder, and used from there. With
// TRICORN_PACKAGE=npm it is the folder that dnt made. What needs a registry is not here: Deno takes `npm:tricorn` from
// node_modules, where npm put it.

import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPackage } from "../scripts/package.ts";
import { VERSION } from "../src/cli/version.ts";
import { onEachRuntime, ROOT, type TestRuntime } from "./support/runtimes.ts";
import { eventually } from "./support/wait.ts";

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

const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  "tricorn": ["serve"],
  "tricorn/esgi": ["FileWrapper", "InputBuffer", "InputError"],
  "tricorn/testing": ["ESGIViolation", "call", "makeEnviron", "validator"],
  "tricorn/fetch": ["fromFetch", "installLightGlobals", "toFetchHandler"],
  "tricorn/node": ["toNodeListener"],
  "tricorn/handler": ["Handler", "HttpRequest", "HttpResponse", "checks", "include", "mount", "path", "reverse"],
  "tricorn/handler/testing": ["Client", "RequestFactory"],
};

const IMPORTS = `
const exports = {};
for (const name of ${JSON.stringify(Object.keys(ENTRIES))}) exports[name] = Object.keys(await import(name));
console.log(JSON.stringify(exports));
`;

/** Every entry with its types, used as it is meant to be used, and once as it is not. */
const CONSUMER = `
import { createServer } from "node:http";
import { type Options, type RunningServer, serve } from "tricorn";
import type { Application, Environ, StartResponse } from "tricorn/esgi";
import { InputError } from "tricorn/esgi";
import { type FetchApplication, fromFetch, toFetchHandler } from "tricorn/fetch";
import { defineUrls, Handler, JsonResponse, path, registerConverter, reverse, type View } from "tricorn/handler";
import { Client } from "tricorn/handler/testing";
import { toNodeListener } from "tricorn/node";
import { call, makeEnviron, validator } from "tricorn/testing";

export const application: Application = async (environ: Environ, startResponse: StartResponse) => {
  try {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return await environ["esgi.input"].bytes();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
};
const options: Options = { bind: ["127.0.0.1:0", "unix:/tmp/socket"], keepalive: 5 };
export const running: Promise<RunningServer> = serve(application, options);
const hono: FetchApplication = { fetch: (request: Request) => new Response(request.url) };
export const other: Promise<RunningServer> = serve(hono);
export const handler: (request: Request) => Promise<Response> = toFetchHandler(fromFetch(hono));
createServer(toNodeListener(application)).listen(0);
const reply = await call(validator(application), makeEnviron({ path: "/x", json: { a: 1 } }));
export const status: number = reply.status;
declare module "tricorn/handler" {
  interface ConverterTypes { day: Date }
}
registerConverter({ regex: "[0-9-]+", fromURL: (text) => new Date(text), toURL: (date) => date.toJSON() }, "day");
const year: View<{ year: number }> = (_request, { year }) => new JsonResponse({ year });
const day: View<{ day: Date }> = (_request, { day }) => new JsonResponse({ day: day.getTime() });
const urlconf = defineUrls([path("<int:year>/", year, { name: "year" }), path("on/<day:day>/", day)]);
export const url: string = reverse("year", { urlconf, params: { year: 2024 } });
const site = new Handler({ ALLOWED_HOSTS: ["localhost"], ROOT_URLCONF: urlconf });
export const answer: { year: number } = (await new Client(site).get(url)).json<{ year: number }>();
await serve(site.application);
// @ts-expect-error: the parameter is missing
reverse("year", { urlconf });
// @ts-expect-error: the view wants another type than the converter gives
path("<slug:year>/", year);
// @ts-expect-error: there is no such setting
new Handler({ ALLOWED_HOST: ["localhost"] });
// @ts-expect-error: there is no such option
await serve(application, { bnd: "127.0.0.1:0" });
// @ts-expect-error: a status is a string
export const wrong: Application = (_environ, startResponse) => startResponse(200, []);
`;

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const folder = mkdtempSync(join(tmpdir(), "tricorn-package-"));
/** Where the package is installed, alone and with the library that lets an older Node load TypeScript. */
const alone = join(folder, "alone");
const stripping = join(folder, "stripping");
let packed: Packed;

/** Without what the npm that runs these tests says to its children. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));

const running = new Set<ChildProcess>();

function npm(cwd: string, ...words: string[]): string {
  return execFileSync("npm", [...words, "--offline", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd,
    env: ENV,
    encoding: "utf8",
    stdio: "pipe",
  });
}

function run(cwd: string, program: string, ...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, words, { cwd, env: ENV }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code ?? error.signal ?? null, stdout, stderr });
    });
  });
}

/** Starts a server, asks it for /path, sends it SIGTERM, and tells what it said. */
async function tryServer(cwd: string, program: string, ...words: string[]): Promise<Ended & { body: string }> {
  const child = spawn(program, words, { cwd, env: ENV, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let stdout = "";
  let stderr = "";
  let code: number | string | null = null;
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  child.on("exit", (status, signal) => code = status ?? signal);
  const closed = new Promise((resolve) => child.on("close", resolve));
  let url: string | undefined;
  await eventually(() => {
    url = /Listening at: (http:\S+)\n/.exec(stderr)?.[1];
    return url !== undefined || code !== null;
  }, () => `it neither listens nor ends:\n${stderr}`);
  const body = url === undefined ? "" : await (await fetch(`${url}/path`)).text();
  child.kill("SIGTERM");
  await eventually(() => code !== null, () => `it does not end:\n${stderr}`);
  await closed;
  running.delete(child);
  return { code, stdout, stderr, body };
}

/** A script, as somebody who only has the runtime starts it. */
function script(runtime: TestRuntime, path: string): [program: string, ...words: string[]] {
  switch (runtime.kind) {
    case "node":
      return [runtime.program, path];
    case "deno":
      return [runtime.program, "run", "--no-prompt", "--allow-net", "--allow-read", "--allow-env", path];
    case "bun":
      return [runtime.program, "run", path];
  }
}

/** The command, on this runtime and no other. */
function command(runtime: TestRuntime, ...words: string[]): [program: string, ...words: string[]] {
  return [...script(runtime, runtime.kind === "deno" ? "npm:tricorn" : "node_modules/tricorn/" + binary()), ...words];
}

function binary(): string {
  const { bin } = JSON.parse(readFileSync(join(alone, "node_modules/tricorn/package.json"), "utf8"));
  return bin.tricorn;
}

beforeAll(() => {
  const given = process.env.TRICORN_PACKAGE;
  const built = given === undefined ? join(folder, "built") : resolve(ROOT, given);
  if (given === undefined) {
    const words = ["--import", "./adapters/strip_types.js", "scripts/build.ts", built];
    execFileSync(process.execPath, words, { cwd: ROOT, stdio: "pipe" });
  }
  [packed] = JSON.parse(npm(built, "pack", "--json", "--pack-destination", folder)) as [Packed];
  mkdirSync(alone);
  writeFileSync(join(alone, "package.json"), JSON.stringify({ private: true, type: "module" }));
  npm(alone, "install", join(folder, packed.filename));
  for (const [name, text] of Object.entries({ JAVASCRIPT, TYPESCRIPT, SERVE, IMPORTS })) {
    writeFileSync(join(alone, `${name.toLowerCase()}.${name === "TYPESCRIPT" ? "ts" : "js"}`), text);
  }
  cpSync(alone, stripping, { recursive: true, verbatimSymlinks: true });
  cpSync(join(ROOT, "node_modules/@swc/wasm-typescript"), join(stripping, "node_modules/@swc/wasm-typescript"), {
    recursive: true,
  });
});

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

describe("the package", () => {
  test("is described in one place", () => {
    const { fields, entries, command } = readPackage();
    const clone = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    expect(clone).toMatchObject({ name: fields.name, version: fields.version, license: fields.license });
    expect(clone.exports).toEqual(Object.fromEntries(entries.map(({ name, source }) => [name, source])));
    expect(clone.scripts["serve:node"]).toContain(command.source.slice(2));
    expect(VERSION).toBe(fields.version);
    const installed = JSON.parse(readFileSync(join(alone, "node_modules/tricorn/package.json"), "utf8"));
    expect(installed).toMatchObject(fields);
    expect(Object.keys(installed.exports).filter((name) => name !== "./package.json"))
      .toEqual(Object.keys(clone.exports));
    expect(Object.keys(ENTRIES)).toEqual(entries.map(({ name }) => join(fields.name, name)));
    expect(installed).not.toHaveProperty("scripts");
    expect(installed).not.toHaveProperty("private");
  });

  test("holds nothing but modules, their types and three documents", () => {
    const { filename, size, unpackedSize, files } = packed;
    console.log(`${filename}: ${files.length} files, ${size} bytes packed, ${unpackedSize} unpacked`);
    const odd = files.map(({ path }) => path).filter((path) =>
      !/^(?:package\.json|README\.md|LICENSE|SPEC\.md)$/.test(path) &&
      !/^(?:esm\/)?(?:(?:adapters|src)\/[a-z0-9_/]+\.(?:js|d\.ts)|package\.json)$/.test(path)
    );
    expect(odd).toEqual([]);
    expect(files.map(({ path }) => path)).toContain("LICENSE");
    expect(files.map(({ path }) => path)).toContain("SPEC.md");
    expect(size).toBeLessThan(500_000);
  });

  test("installs what ARCHITECTURE.md names, and nothing else", () => {
    const lock = JSON.parse(readFileSync(join(alone, "node_modules/.package-lock.json"), "utf8"));
    expect(Object.keys(lock.packages)).toEqual([
      ...["@jridgewell/resolve-uri", "@jridgewell/sourcemap-codec", "@jridgewell/trace-mapping", "ignore", "mrmime"],
      "tricorn",
    ].map((name) => `node_modules/${name}`));
  });

  test("has types that compile under strict, library checks included, with Node's types only", async () => {
    writeFileSync(join(alone, "consumer.ts"), CONSUMER);
    mkdirSync(join(alone, "node_modules/@types"));
    symlinkSync(join(ROOT, "node_modules/@types/node"), join(alone, "node_modules/@types/node"));
    const strict = ["--strict", "--noEmit", "--skipLibCheck", "false", "--target", "es2022", "--types", "node"];
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    for (
      const words of [
        ["--module", "nodenext"],
        ["--module", "nodenext", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--isolatedModules"],
        // Without DOM, as a project for Node has it.
        ["--module", "nodenext", "--lib", "es2022"],
        ["--module", "esnext", "--moduleResolution", "bundler"],
      ]
    ) {
      expect(await run(alone, process.execPath, tsc, "--ignoreConfig", ...strict, ...words, "consumer.ts"))
        .toEqual({ code: 0, stdout: "", stderr: "" });
    }
  });

  test("brings the command", async () => {
    const { code, stdout } = await run(alone, "npx", "--offline", "tricorn", "--version");
    expect(stdout).toMatch(new RegExp(`^tricorn ${VERSION} \\(node .*\\)\n$`));
    expect(code).toBe(0);
    const served = await tryServer(
      alone,
      "node_modules/.bin/tricorn",
      "serve",
      "javascript.js",
      "--bind",
      "127.0.0.1:0",
    );
    expect(served).toMatchObject({ code: 0, body: "JavaScript at /path" });
  });
});

onEachRuntime("the package", (runtime) => {
  /** Only an older Node does not. */
  const loadsTypeScript = runtime.kind !== "node" ||
    execFileSync(runtime.program, ["-p", "Boolean(process.features.typescript)"], { encoding: "utf8" }) === "true\n";

  test("every entry can be imported", async () => {
    const { code, stdout, stderr } = await run(alone, ...script(runtime, "imports.js"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const [entry, names] of Object.entries(JSON.parse(stdout))) {
      expect(names, entry).toEqual(expect.arrayContaining([...ENTRIES[entry]!]));
    }
  });

  test("serve() from a program", async () => {
    expect(await tryServer(alone, ...script(runtime, "serve.js"))).toMatchObject({
      code: 0,
      body: "serve() at /path",
    });
  });

  test("tricorn serve, and --version", async () => {
    expect(await run(alone, ...command(runtime, "--version"))).toEqual({
      code: 0,
      stdout: expect.stringMatching(`^tricorn ${VERSION} \\(${runtime.kind} .*\\)\n$`),
      stderr: "",
    });
    expect(await tryServer(alone, ...command(runtime, "serve", "javascript.js", "-b", "127.0.0.1:0")))
      .toMatchObject({ code: 0, body: "JavaScript at /path" });
  });

  test("tricorn serve of TypeScript", async () => {
    const words = command(runtime, "serve", "typescript.ts", "-b", "127.0.0.1:0");
    if (loadsTypeScript) {
      expect(await tryServer(alone, ...words)).toMatchObject({ code: 0, body: "TypeScript at /path" });
      return;
    }
    expect(await tryServer(alone, ...words)).toEqual({
      code: 3,
      stdout: "",
      stderr: expect.stringMatching(/^tricorn: cannot load .* install @swc\/wasm-typescript beside tricorn, or .*\n$/),
      body: "",
    });
    expect(await tryServer(stripping, ...words)).toMatchObject({ code: 0, body: "TypeScript at /path" });
  });

  if (runtime.kind === "deno") {
    test("types, as Deno sees them", async () => {
      expect(await run(alone, runtime.program, "check", "--quiet", "typescript.ts")).toMatchObject({ code: 0 });
    });

    // As far as it goes without JSR. `npm run check` has checked the types.
    test("JSR would take the sources, without slow types", async () => {
      const words = ["publish", "--dry-run", "--allow-dirty", "--no-check"];
      const { code, stderr } = await run(ROOT, runtime.program, ...words);
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("Checking for slow types") });
      const files = [...stderr.matchAll(/^ +file:\/\/(\S+) \(/gm)].map(([, path]) => path!.slice(ROOT.length));
      for (const { source } of readPackage().entries) expect(files).toContain(source.slice(2));
      expect(files.filter((path) => !/^(?:src|adapters)\/|^[A-Z]+\.md$|^LICENSE$|^deno\.json$/.test(path))).toEqual([]);
    });
  }
});
