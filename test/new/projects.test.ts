// The projects of `tricorn new` as somebody meets them who has just made one: each template on each runtime, with the packed
// package installed, by the scripts that its README names. Its other packages are those of this repository, since there is
// no registry here; and there is no Docker, so the commands of the Dockerfile are run without it.

import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VERSION } from "../../src/cli/version.ts";
import { onEachKind, ROOT, RUNTIMES, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

type Kind = TestRuntime["kind"];

/** How the scripts of a project are run. */
const SCRIPT: Readonly<Record<Kind, readonly [string, ...string[]]>> = {
  node: ["npm", "run"],
  deno: ["deno", "task"],
  bun: ["bun", "run"],
};

/** The paths of a project, and what is there. */
const TEMPLATES = {
  handler: {
    "/": /^<!doctype html>[^]*<h1>handler-/,
    "/static/style.css": /^:root/,
    "/api/hello/Zo%C3%AB/": /^\{"hello": ?"Zoë"\}$/,
  },
  hono: { "/": /<h1>hono-/, "/static/style.css": /^:root/, "/api/hello/Zo%C3%AB": /^\{"hello":"Zoë"\}$/ },
  esgi: { "/": /^<!doctype html>[^]*<h1>esgi-/, "/api/hello/Zo%C3%AB": /^\{"hello":"Zoë"\}$/ },
} as const;

/** What a project's package.json names, and what these need. */
const PACKAGES = ["@swc/wasm-typescript", "@types/node", "hono", "typescript", "undici-types"];

const folder = mkdtempSync(join(tmpdir(), "tricorn-new-"));
const modules = join(folder, "node_modules");
const programs = join(folder, "bin");

/** Without what the npm that runs these tests says to its children; and with the three runtimes. */
const ENV: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:npm_|NODE_|VITEST)/i.test(name))),
  PATH: `${programs}:${process.env.PATH}`,
  NO_COLOR: "1",
  // For any port.
  TRICORN_CMD_ARGS: "--bind 127.0.0.1:0",
};

const running = new Set<ChildProcess>();

interface Ended {
  readonly code: number | string;
  /** Standard output and error. */
  readonly text: string;
}

type Env = Readonly<Record<string, string>>;

function run(cwd: string, words: readonly string[], env: Env = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const [program, ...rest] = words as [string, ...string[]];
    execFile(program, rest, { cwd, env: { ...ENV, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code ?? error.signal ?? "?", text: stdout + stderr });
    });
  });
}

/** Runs a server until `use` has done with it, and ends it with SIGTERM, as npm's users and Docker do. */
async function serving(
  runtime: TestRuntime,
  cwd: string,
  words: readonly string[],
  env: Env,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const [program, ...rest] = words as [string, ...string[]];
  // A group of its own: whatever a script runner leaves behind is found and ended.
  const child = spawn(program, rest, {
    cwd,
    env: { ...ENV, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let text = "";
  let ended = false;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
  // When the server has ended, too: it has the pipes from its script runner.
  child.on("close", () => ended = true);
  try {
    let url: string | undefined;
    await eventually(() => {
      url = /(?:Listening at:|^ +At) +(http:\S+)/m.exec(text)?.[1];
      return url !== undefined || ended;
    }, () => `${words.join(" ")} neither listens nor ends:\n${text}`);
    if (url === undefined) throw new Error(`${words.join(" ")} ended:\n${text}`);
    await use(url.replace("0.0.0.0", "127.0.0.1"));
    child.kill("SIGTERM");
    await eventually(() => ended, () => `${words.join(" ")} does not end:\n${text}`);
    expect(text).toMatch(new RegExp(`tricorn ${VERSION} (?:development server )?on ${runtime.kind} `));
    // The handler tells of a 404.
    expect(text.replace(/^.*Not Found: \/nowhere\/\n/m, "")).not.toMatch(/\[(?:WARNING|ERROR|CRITICAL)\]/);
  } finally {
    if (!ended) endGroup(child);
    running.delete(child);
  }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    process.kill(-pid!, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** A port that nobody has right now. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

beforeAll(() => {
  mkdirSync(programs);
  for (const { kind, name, program } of RUNTIMES) {
    if (kind === name && existsSync(program)) symlinkSync(program, join(programs, kind));
  }
  const built = join(folder, "built");
  execFileSync(process.execPath, ["--import", "./adapters/strip_types.js", "scripts/build.ts", built], { cwd: ROOT });
  const npm = (cwd: string, ...words: string[]): string =>
    execFileSync("npm", [...words, "--offline", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd,
      env: ENV,
      encoding: "utf8",
      stdio: "pipe",
    });
  const [{ filename }] = JSON.parse(npm(built, "pack", "--json", "--pack-destination", folder));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  npm(folder, "install", join(folder, filename));
  for (const name of PACKAGES) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  symlinkSync("../typescript/bin/tsc", join(modules, ".bin/tsc"));
});

afterAll(() => {
  for (const child of running) endGroup(child);
  rmSync(folder, { recursive: true });
});

/** The command `tricorn`, installed, on this runtime and no other. */
function tricorn({ kind }: TestRuntime): readonly string[] {
  if (kind !== "deno") return [kind, join(modules, ".bin/tricorn")];
  const allowed = ["--no-prompt", "--allow-read", "--allow-write", "--allow-env"];
  return ["deno", "run", ...allowed, join(modules, "tricorn/adapters/bin.js")];
}

/** Makes the project `name` on a runtime, and installs what it names. */
async function make(runtime: TestRuntime, name: string, ...flags: string[]): Promise<string> {
  const { code, text } = await run(folder, [...tricorn(runtime), "new", name, ...flags]);
  expect(text).toMatch(`Made ${name} from the template`);
  expect(code).toBe(0);
  const project = join(folder, name);
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  for (const dependency of Object.keys({ ...dependencies, ...devDependencies })) {
    expect(existsSync(join(modules, dependency)), dependency).toBe(true);
  }
  symlinkSync(modules, join(project, "node_modules"));
  return project;
}

onEachKind("tricorn new", (runtime) => {
  const scripts = (name: string): readonly string[] => [...SCRIPT[runtime.kind], name];

  describe.each(Object.entries(TEMPLATES))("--template %s", (template, pages) => {
    const name = `${template}-${runtime.kind}`;
    const project = join(folder, name);

    beforeAll(async () => {
      await make(runtime, name, "--template", template);
    });

    test("its types are right under strict, and its checks say nothing", async () => {
      const { code, text } = await run(project, scripts("check"));
      expect(text).not.toMatch(/error|warning/i);
      if (template === "handler") expect(text).toContain("System check identified no issues (0 silenced).");
      expect(code).toBe(0);
    });

    test("its tests pass, by npm, deno and bun", async () => {
      for (const words of Object.values(SCRIPT)) {
        const { code, text } = await run(project, [...words, "test"]);
        expect(code, text).toBe(0);
        // All ran: there is a file that none is in without being found.
        expect(Number(/(?:^|\D)(\d+) pass|(?:pass )(\d+)/m.exec(text)?.slice(1).find(Boolean)), text)
          .toBe(template === "handler" ? 5 : 4);
      }
    });

    test("is served for development by its script, and anew after a change", async () => {
      // npm keeps for itself what is not behind "--".
      const words = [...scripts("dev"), ...(runtime.kind === "node" ? ["--"] : []), "0"];
      const source = join(project, { handler: "views.ts", hono: "app.ts", esgi: "application.ts" }[template]!);
      const before = readFileSync(source, "utf8");
      await serving(runtime, project, words, {}, async (url) => {
        expect(await (await fetch(url)).text()).toContain(`<h1>${name}</h1>`);
        writeFileSync(source, before.replace(`<h1>${name}</h1>`, "<h1>Changed</h1>"));
        let page = "";
        await eventually(
          async () => (page = await (await fetch(url)).text()).includes("<h1>Changed</h1>"),
          () => page,
        );
      });
      writeFileSync(source, before);
    });

    test("is served as in production by its script", async () => {
      await serving(runtime, project, scripts("start"), {}, async (url) => {
        for (const [path, content] of Object.entries(pages)) {
          const response = await fetch(url + path);
          expect([response.status, await response.text()]).toEqual([200, expect.stringMatching(content)]);
        }
        expect((await fetch(`${url}/nowhere/`)).status).toBe(404);
      });
    });

    test("the command of its Docker image serves with workers, and the image's health is asked", async () => {
      const text = readFileSync(join(project, "Dockerfile"), "utf8").replaceAll("\\\n", "");
      const instruction = (name: string): string => new RegExp(`^${name} (.*)$`, "m").exec(text)![1]!;
      const port = await freePort();
      const execForm = (text: string): string[] => JSON.parse(text.replaceAll("8001", String(port)));
      const health = execForm(/CMD (.*)$/.exec(instruction("HEALTHCHECK"))![1]!);
      const env = {
        ...Object.fromEntries(instruction("ENV").split(" ").map((pair) => pair.split("="))),
        // Instead of 8000.
        PORT: String(await freePort()),
        TRICORN_CMD_ARGS: "",
        DEBUG: "0",
        SECRET_KEY: "0123456789".repeat(5),
        ALLOWED_HOSTS: "127.0.0.1",
      };
      await serving(runtime, project, execForm(instruction("CMD")), env, async (url) => {
        expect(new URL(url).port).toBe(env.PORT);
        const response = await fetch(url);
        expect([response.status, await response.text()]).toEqual([200, expect.stringContaining(`<h1>${name}</h1>`)]);
        expect(await run(project, health)).toEqual({ code: 0, text: "" });
      });
      expect((await run(project, health)).code).not.toBe(0);
    });
  });

  test("a site that is deployed: the checks leave what only its owner can decide", async () => {
    const env = { DEBUG: "0", SECRET_KEY: "Zk3".repeat(10) + "0123456789abcdefghij", ALLOWED_HOSTS: "example.com" };
    const words = [...tricorn(runtime), "check", "--deploy", "--json", "--settings", "settings.ts"];
    const { code, text } = await run(join(folder, `handler-${runtime.kind}`), words, env);
    // HSTS, and whether TLS is asked for here or at the proxy.
    expect(JSON.parse(text).messages.map(({ id }: { id: string }) => id)).toEqual(["security.W004", "security.W008"]);
    expect(code).toBe(0);
  });

  test("tricorn new . in a fresh repository, and never twice", async () => {
    const repository = join(folder, `Fresh ${runtime.kind}`);
    mkdirSync(join(repository, ".git"), { recursive: true });
    const made = await run(repository, [...tricorn(runtime), "new", "."]);
    expect(made.text).toMatch(`Made fresh-${runtime.kind} from the template handler:\n`);
    expect(made.text.split("Go on with:\n\n")[1]).toBe(
      {
        node: "  npm install\n  npm run dev\n",
        deno: "  deno install\n  deno task dev\n",
        bun: "  bun install\n  bun run dev\n",
      }[
        runtime.kind
      ],
    );
    const before = readdirSync(repository).map((name) => [name, statSync(join(repository, name)).mtimeMs]);
    const again = await run(repository, [...tricorn(runtime), "new", "."]);
    expect(again.text).toMatch(
      /^tricorn: new: "\." is not empty: it has "\.dockerignore", "\.env", "\.env\.example" and \d+ more; name another folder\n$/,
    );
    expect(again.code).toBe(2);
    expect(readdirSync(repository).map((name) => [name, statSync(join(repository, name)).mtimeMs])).toEqual(before);
  });

  test("a folder that may not be written to", async () => {
    // Not even root may, and elsewhere than on Linux there is no such folder.
    const { code, text } = await run(folder, [...tricorn(runtime), "new", "/sys/tricorn"]);
    // Deno may not even look into it.
    expect(text).toMatch(
      runtime.kind === "deno"
        ? /^tricorn: new: cannot look into "\/sys\/tricorn": NotCapable: .*\n$/
        : /^tricorn: new: cannot write "README\.md" in "\/sys\/tricorn": .*; nothing was written\n$/,
    );
    expect(code).toBe(1);
  });
});

describe("the files", () => {
  test.each(Object.keys(TEMPLATES))("of %s are formatted, and lint finds nothing", async (template) => {
    for (const { kind } of RUNTIMES.filter(({ kind, name }) => kind === name)) {
      const project = join(folder, `${template}-${kind}`);
      const formatted = await run(project, ["deno", "fmt", "--check"]);
      expect(formatted.code, formatted.text).toBe(0);
      const linted = await run(project, ["deno", "lint"]);
      expect(linted.code, linted.text).toBe(0);
    }
  });
});
