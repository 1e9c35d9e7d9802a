// What `tricorn runserver` reloads for, with real files and processes: which saves count and which do not, and what is taken
// up of each.

import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type DevServer, failedStart, type Project, withDevServer } from "../support/dev_server.ts";
import { onEachKind } from "../support/runtimes.ts";
import { eventually, sleep } from "../support/wait.ts";

const HTML = { accept: "text/html" };

/** Says what `expression` is for each request. */
const says = (expression: string, before = ""): string =>
  `${before}
export const application = (environ: any, startResponse: (status: string, headers: string[][]) => void): string => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return String(${expression});
};
`;

onEachKind("what runserver reloads for", (runtime) => {
  /** How often it has reloaded. */
  const reloads = (server: DevServer): number => (server.stderr.match(/^Reloaded in/gm) ?? []).length;

  /** Resolves when all that was saved so far has been taken up: one more save and its reload. Its count is the number then. */
  async function settled(server: DevServer, project: Project): Promise<number> {
    const mark = `mark-${crypto.randomUUID()}.ts`;
    project.save(mark, "");
    await server.says(new RegExp(`^Reloaded in \\d+ ms: .*${mark}`));
    return reloads(server) - 1;
  }

  test("files that appear and go, also in new folders, and whatever way an editor saves", async () => {
    await withDevServer(runtime, { "app.ts": says('"0;"') }, async (server, project) => {
      const path = (name: string): string => join(project.folder, name);
      project.save("new.ts", "export const value = 1;\n");
      await server.says(/^Reloaded in \d+ ms: new\.ts$/);
      mkdirSync(path("deep/deeper"), { recursive: true });
      project.save("deep/deeper/b.ts", "export const value = 2;\n");
      await server.says(/^Reloaded in \d+ ms: .*deep\/deeper\/b\.ts$/);
      unlinkSync(path("new.ts"));
      await server.says(/^Reloaded in \d+ ms: .*new\.ts$/, 2);
      // vim: the old file becomes a backup, a new one is written, the backup goes.
      renameSync(path("app.ts"), path("app.ts~"));
      writeFileSync(path(".app.ts.swp"), "");
      writeFileSync(path("4913"), "");
      unlinkSync(path("4913"));
      writeFileSync(path("app.ts"), says('"vim;"'));
      unlinkSync(path("app.ts~"));
      unlinkSync(path(".app.ts.swp"));
      await server.answers("/", "vim;");
      // In place, as nano does.
      writeFileSync(path("app.ts"), says('"nano;"'));
      await server.answers("/", "nano;");
      await server.says(/^Reloaded in \d+ ms: app\.ts$/, 2);
      expect(server.stderr).not.toMatch(/4913|\.swp|~/);
    });
  });

  test("what .gitignore names, packages and files of tools: never; a burst of 200 files: once", async () => {
    const files = { "app.ts": says('"0;"'), ".gitignore": "/out/\n*.log\n" };
    await withDevServer(runtime, files, async (server, project) => {
      for (const name of ["out/a.js", "debug.log", ".git/index", ".idea/x.xml", "packages/a/node_modules/x/index.js"]) {
        project.save(name, "1");
      }
      expect(await settled(server, project)).toBe(0);
      for (let index = 0; index < 200; index++) writeFileSync(join(project.folder, `file${index}.ts`), "");
      await server.says(/^Reloaded in \d+ ms: (?:file\d+\.ts, ){3}\d+ more$/);
      // Mostly 1. Deno and Bun may tell of the first files one by one, and a slow machine of more so.
      expect(await settled(server, project) - 1).toBeLessThanOrEqual(5);
      // The rules themselves are a file as any other, and hold at once.
      project.save(".gitignore", "*.log\n");
      await server.says(/^Reloaded in \d+ ms: \.gitignore$/);
      project.save("out/b.js", "1");
      await server.says(/^Reloaded in \d+ ms: .*out\/b\.js$/);
    });
  });

  test(".env: a changed variable, a new one, one that has gone; what the shell has set goes before", async () => {
    const files = {
      "app.ts": says(
        "`${process.env.A_VALUE} ${process.env.B_VALUE} ${process.env.C_VALUE};`",
        'import process from "node:process";',
      ),
      ".env": "A_VALUE=1\nC_VALUE=file\n",
    };
    await withDevServer(runtime, files, async (server, project) => {
      expect((await server.get("/")).text).toBe("1 undefined shell;");
      project.save(".env", "A_VALUE=2\nB_VALUE='two words'\nC_VALUE=file\n");
      await server.answers("/", "2 two words shell;");
      project.save(".env", "B_VALUE=3\n");
      await server.answers("/", "undefined 3 shell;");
      unlinkSync(join(project.folder, ".env"));
      await server.answers("/", "undefined undefined shell;");
    }, { env: { C_VALUE: "shell" } });
  });

  test("the configuration: another app, variables, a mistake and its repair; a file elsewhere by reload_extra_files", async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), "tricorn-extra-"));
    const extra = join(elsewhere, "data.json");
    writeFileSync(extra, '"first"');
    const further = join(elsewhere, "further.json");
    writeFileSync(further, "1");
    const config = (app: string, more = ""): string =>
      `export default { app: "${app}", raw_env: ["GIVEN=yes"], reload_extra_files: [${
        JSON.stringify(extra)
      }]${more} };\n`;
    const reading = says(
      `readFileSync(${JSON.stringify(extra)}, "utf8") + data + process.env.GIVEN`,
      `import { readFileSync } from "node:fs";\nimport process from "node:process";\nconst data = readFileSync(${
        JSON.stringify(extra)
      }, "utf8");\n`,
    );
    const files = { "one.ts": reading, "two.ts": says('"two;"'), "tricorn.config.ts": config("one.ts") };
    try {
      await withDevServer(runtime, files, async (server, project) => {
        expect((await server.get("/")).text).toBe('"first""first"yes');
        writeFileSync(extra, '"second"');
        await server.answers("/", '"second""second"yes');
        project.save("tricorn.config.ts", config("two.ts"));
        await server.answers("/", "two;");
        project.save("tricorn.config.ts", config("two.ts", ", wrokers: 2"));
        const page = await server.answers("/", "wrokers", HTML);
        expect(page.status).toBe(500);
        await server.says(/tricorn\.config\.ts.*wrokers/);
        project.save("tricorn.config.ts", "export default {\n");
        await server.answers("/", "tricorn.config.ts", HTML);
        // What the configuration names by now is watched, too.
        project.save("tricorn.config.ts", config("one.ts").replace("files: [", `files: [${JSON.stringify(further)}, `));
        await server.answers("/", '"second""second"yes');
        await eventually(() => {
          // It is watched a moment after the new code serves.
          writeFileSync(further, String(Math.random()));
          return /^Reloaded in \d+ ms: .*further\.json$/m.test(server.stderr);
        }, () => server.stderr);
      });
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });

  test("code that ends the process at the start: a page, until it does not any more; with 1, as a command's failure", async () => {
    await withDevServer(runtime, { "app.ts": "process.exit(7);\n" }, async (server, project) => {
      expect((await server.get("/")).text).toContain("ended with code 7");
      project.save("app.ts", says('"mended;"'));
      await server.answers("/", "mended;");
    });
    const failed = await failedStart(runtime, { "app.ts": "process.exit(1);\n" });
    expect(failed.stderr).toBe("The code could not be started: it ended with code 1\n");
    expect(failed.code).toBe(1);
  });

  test("a style sheet alone: pages keep what they are, and only that is exchanged", async () => {
    await withDevServer(runtime, { "app.ts": says('"0;"'), "a.css": "a {}" }, async (server, project) => {
      interface Build {
        readonly build: number;
        readonly styledFrom: number;
      }
      /** Null where the code that is being replaced has answered: a page asks again. */
      const build = async (): Promise<Build | null> => {
        const events = await fetch(`${server.url}/__tricorn__/events`);
        let text = "";
        for await (const chunk of events.body!.pipeThrough(new TextDecoderStream())) {
          text += chunk;
          if (text.endsWith("\n\n")) break;
        }
        const data = /^data: (.*)$/m.exec(text)?.[1];
        return data === undefined ? null : JSON.parse(data) as Build;
      };
      const next = async (before: Build): Promise<Build> => {
        let now: Build | null = null;
        await eventually(async () => (now = await build()) !== null && now.build > before.build, () => server.stderr);
        return now!;
      };
      const first = (await build())!;
      expect(first.styledFrom).toBe(first.build);
      project.save("a.css", "a { color: red }");
      const second = await next(first);
      expect(second.styledFrom).toBe(first.build);
      project.save("app.ts", says('"1;"'));
      const third = await next(second);
      expect(third.styledFrom).toBe(third.build);
    });
  });

  test("two saves while the first still loads: the last one is what is served", async () => {
    const slow = (version: number): string =>
      says(`"version ${version};"`, "await new Promise((resolve) => setTimeout(resolve, 400));\n");
    await withDevServer(runtime, { "app.ts": says('"version 0;"') }, async (server, project) => {
      for (let version = 1; version <= 3; version++) {
        project.save("app.ts", slow(version));
        await sleep(100);
      }
      await server.answers("/", "version 3;");
      project.save("app.ts", says('"version 4;"'));
      await server.answers("/", "version 4;");
    });
  });
});
