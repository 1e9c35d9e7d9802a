// docs/runserver.md does as it says: each of its commands is run in the project of its code blocks, with the package as npm
// installs it, and what it shows of the terminal is what is there. Only ports are others, so that tests do not meet.

import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EDITOR_NAMES } from "../../src/dev/pages/editor.ts";
import { runserverHelp } from "../../src/cli/runserver_terminal.ts";
import { ROOT, RUNTIMES } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import {
  ask,
  type Block,
  blocksOf,
  type BlockTests,
  endAll,
  environment,
  freePort,
  linkPackages,
  missing,
  output,
  Served,
  testBlocks,
  typeCheck,
  writeFiles,
} from "./support.ts";

const TEXT = readFileSync(join(ROOT, "docs/runserver.md"), "utf8");
const BLOCKS = blocksOf(TEXT);
const block = (first: string): Block => BLOCKS.find(({ lines }) => lines[0] === first)!;

/** What the terminal shows at the start, and of requests: by its first line. */
const BANNER = BLOCKS[2]!.lines[0]!;
const LOG = BLOCKS.find(({ text }) => text.includes("You are speaking"))!.lines[0]!;

/** The menu, which reload_extra_files names, is beside the project. */
const HOME = mkdtempSync(join(tmpdir(), "tricorn-runserver-"));
const PROJECT = join(HOME, "project");

const environmentOf = (command: string): NodeJS.ProcessEnv => ({
  ...environment(command),
  XDG_CACHE_HOME: join(HOME, "cache"),
});

/** `text` with this port for 8000. */
const moved = (text: string, port: number): string => text.replaceAll("8000", `${port}`);

type Check = (served: Served, command: string) => Promise<void>;

async function serving(command: string, folder: string, check: Check): Promise<void> {
  const port = await freePort();
  const env = environmentOf(command);
  const served = new Served({ command: moved(withEnv(command), port), folder, port, env, ready: "Quit with Ctrl-C" });
  try {
    await check(served, command);
    // The shell between npx and the command dies of Ctrl-C, and npx says so.
    const end = await served.interrupt();
    expect(command.includes("npx") && end === "SIGINT" ? 0 : end, served.stderr).toBe(0);
  } finally {
    served.destroy();
  }
}

/** A shell's `exec` takes no variables. */
const withEnv = (command: string): string => /^\w+=/.test(command) ? `env ${command}` : command;

/** One test for each line of a block. */
function eachServes(check: Check, folder: string = PROJECT): (block: Block) => void {
  return ({ lines }) => {
    for (const line of lines) {
      const why = missing(line);
      if (why === null) test(line, () => serving(line, folder, check));
      else test.skip(`${line}: ${why}`, () => {});
    }
  };
}

const saysHello: Check = async (served, command) => {
  const host = /-6|\[::1\]/.test(command) ? "::1" : "127.0.0.1";
  expect((await served.get("/", { host })).text).toContain("Hello");
};

const save = (name: string, text: string): void => writeFileSync(join(PROJECT, name), text);

const APP = block("// app.ts");

/** What the terminal shows, with one number, time, size, version or path as good as another. */
function likeness(text: string): string {
  return text.replaceAll(/(?:node|deno|bun) \d+\.\d+\.\d+/g, "RUNTIME").replaceAll(/\/(?:home|tmp)\/\S+/g, "FOLDER")
    .replaceAll(/\d\d:\d\d:\d\d/g, "TIME").replaceAll(/ +[\d.]+ (?:ms|s) +[\d.]+ k?B /g, " TOOK ")
    .replaceAll(/127\.0\.0\.1:\d+/g, "HOST").replaceAll(/\d+ (?=ms|frames)/g, "N ");
}

const shows = (served: Served, { lines }: Block): Promise<void> =>
  eventually(
    () => lines.every((line) => likeness(served.stderr).includes(likeness(line))),
    () => `${lines.map(likeness).join("\n")}\n\nis not in\n\n${likeness(served.stderr)}`,
  );

/** By the first line of a block. Null: another one runs it. */
const TESTS: BlockTests = {
  "// app.ts": null,
  "npx tricorn runserver": eachServes(async (served, command) => {
    await saysHello(served, command);
    await shows(served, block(BANNER));
  }),
  [BANNER]: null,
  "npm run dev:node -- examples/hono.ts": eachServes(saysHello, ROOT),
  "npx tricorn runserver 8000": eachServes(saysHello),
  "// tricorn.config.ts": ({ text }) => {
    test("names the application, and a file that counts", () =>
      serving("npx tricorn runserver", PROJECT, async (served) => {
        expect((await served.get("/")).text).toContain("Hello");
        expect(text).toContain("../menu.txt");
        writeFileSync(join(HOME, "menu.txt"), "tea");
        await eventually(() => /^Reloaded in \d+ ms: .*menu\.txt$/m.test(served.stderr), () => served.stderr);
      }));
  },
  "Reloaded in 62 ms: app.ts": (block) => {
    test("is what the terminal says", () =>
      serving("npx tricorn runserver", PROJECT, async (served) => {
        await served.get("/");
        save("app.ts", APP.text.replace("Hello", "Bonjour"));
        await eventually(async () => (await served.get("/")).text.includes("Bonjour"), () => served.stderr);
        await shows(served, { ...block, lines: block.lines.slice(0, 1) });
        save("app.ts", APP.text);
        save("views.ts", "");
        await shows(served, block);
      }));
  },
  "npm run reload-time": () => {
    test("is there, and says what it takes", async () => {
      expect(await output("npm run reload-time -- --help", ROOT, environmentOf("npm"))).toContain("--saves N");
    });
  },
  "curl http://127.0.0.1:8000/tea/green": ({ lines }) => {
    test("each is answered as the text says, and the log is as it is shown", () =>
      serving("npx tricorn runserver", PROJECT, async (served) => {
        await served.get("/");
        const curl = (line: string): Promise<string> =>
          output(moved(line.replace("curl", "curl --silent"), served.port), PROJECT, environmentOf("curl"));
        const error = blocksOf(TEXT).find(({ lines }) => lines[0]!.startsWith("500 "))!;
        expect(likeness(await curl(lines[0]!))).toBe(likeness(error.text));
        expect(JSON.parse(await curl(lines[1]!))).toMatchObject({
          status: 500,
          detail: "Error: there is no green tea",
        });
        expect(await curl(lines[2]!)).toContain("2. GET '/tea/:kind'");
        await expect(ask({ protocol: "https:", host: "127.0.0.1", port: served.port })).rejects.toThrow();
        await shows(served, block(LOG));
      }));
  },
  "500 Internal Server Error: GET http://127.0.0.1:8000/tea/green": null,
  "TRICORN_EDITOR=zed npx tricorn runserver": eachServes(async (served, command) => {
    await served.get("/");
    const { text } = await served.get("/tea/green", { headers: { accept: "text/html" } });
    const [, scheme] = /TRICORN_EDITOR='?(\w+)/.exec(command)!;
    expect(text).toMatch(new RegExp(`href="${scheme}:[^"]*app\\.ts[^"]*7`));
  }),
  [LOG]: null,
  "npx tricorn runserver --https": eachServes(async (served) => {
    expect((await served.get("/", { protocol: "https:", rejectUnauthorized: false })).text).toContain("Hello");
    expect(served.stderr).toContain(`Made a certificate for localhost: ${join(HOME, "cache/tricorn")}`);
  }),
  "node --inspect=127.0.0.1:0 node_modules/.bin/tricorn runserver --noreload": eachServes(async (served, command) => {
    await saysHello(served, command);
    expect(served.stderr).toContain("Debugger listening");
  }),
};

beforeAll(async () => {
  linkPackages(PROJECT, ["hono", "ignore", "mrmime", "@jridgewell", "@swc", "@types", "bun-types"]);
  save("package.json", '{ "type": "module", "dependencies": { "tricorn": "*", "hono": "*" } }\n');
  writeFiles(PROJECT, BLOCKS);
  const build = [process.execPath, "--import", "./adapters/strip_types.js", "scripts/build.ts"];
  await output(`${build.join(" ")} ${join(PROJECT, "node_modules/tricorn")}`, ROOT, environmentOf("node"));
  // As npm does.
  chmodSync(join(PROJECT, "node_modules/tricorn/adapters/bin.js"), 0o755);
  await output("mkdir node_modules/.bin", PROJECT, environmentOf("mkdir"));
  symlinkSync("../tricorn/adapters/bin.js", join(PROJECT, "node_modules/.bin/tricorn"));
});

afterAll(async () => {
  await endAll();
  rmSync(HOME, { recursive: true, force: true });
});

describe("docs/runserver.md", () => {
  testBlocks(BLOCKS, TESTS);

  test("the TypeScript is right, as a user's compiler sees it", async () => {
    expect(await typeCheck(PROJECT, ["app.ts", "tricorn.config.ts"])).toBe("");
  });

  test("the table of flags has those of --help", () => {
    const flagsOf = (text: string): string[] => [...text.matchAll(/--[a-z][\w-]*/g)].map(([flag]) => flag);
    const help = flagsOf(/^Flags:\n[^]*?\n\n/m.exec(runserverHelp())![0]);
    const table = [...TEXT.matchAll(/^\| `-.*?\|/gm)].flatMap(([cell]) => flagsOf(cell));
    expect([...table, "--help"].sort()).toEqual([...new Set(help)].sort());
  });

  test("the editors are those that have a name", () => {
    expect(TEXT.replaceAll("\n", " ")).toContain(`(${EDITOR_NAMES.join(", ")})`);
  });
});

const deno = RUNTIMES.find(({ kind }) => kind === "deno");

describe.skipIf(deno === undefined || deno.missing !== null)("what Deno must allow", () => {
  const command = block("npx tricorn runserver").lines.find((line) => line.startsWith("deno"))!;

  test.each(command.match(/--allow-\w+/g)!)("nothing of it can be left out: %s", async (permission) => {
    const port = await freePort();
    const less = command.replace(` ${permission}`, "").replace("deno run", "deno run --no-prompt");
    const env = environmentOf(less);
    const served = new Served({ command: less, folder: PROJECT, port, env, ready: "" });
    try {
      await eventually(() => served.ended !== null || served.stderr.includes("Quit with"), () => served.stderr);
      expect(served.ended, served.stderr).toBeGreaterThan(0);
    } finally {
      served.destroy();
    }
  });

  test("--https works with --allow-write", () =>
    serving(`${command.replace("deno run", "deno run --no-prompt --allow-write")} --https`, PROJECT, async (served) => {
      const { text } = await served.get("/", { protocol: "https:", rejectUnauthorized: false });
      expect(text).toContain("Hello");
    }));
});
