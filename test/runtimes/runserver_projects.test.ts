// Projects as people have them under `tricorn runserver`, with real processes: sites with their checks and static files,
// Hono, and where a project may lie.

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DevServer, failedStart, Project, withDevServer } from "../support/dev_server.ts";
import { onEachKind, ROOT } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

const HTML = { accept: "text/html" };

/** Says what `expression` is for each request. */
const says = (expression: string, before = ""): string =>
  `${before}
export const application = (environ: any, startResponse: (status: string, headers: string[][]) => void): string => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return String(${expression});
};
`;

const HANDLER = `import { checks, HttpResponse, path, type HandlerSettings } from ${
  JSON.stringify(join(ROOT, "src/handler/mod.ts"))
};
`;

/** A site with one view; `more` are further settings. */
const site = (more = "", before = ""): string =>
  `${HANDLER}${before}
export const settings: HandlerSettings = {
  DEBUG: true,
  SECRET_KEY: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOP",
  ROOT_URLCONF: [path("hello/", () => new HttpResponse("hello"))],
  ${more}
};
`;

/** A check as a library for databases registers it, with what it says in a file of its own. */
const MIGRATIONS = `
import { pending } from "./migrations.ts";
checks.register(() => pending.map((message) => ({ level: message.level, id: "db.X001", message: message.text })), ["migrations"]);
`;
const pending = (level: string, text: string): string =>
  `export const pending = ${
    JSON.stringify(level === "" ? [] : [{ level, text }])
  } as { level: "warning" | "error"; text: string }[];\n`;

onEachKind("runserver and a site", (runtime) => {
  const words = ["0", "--settings", "settings.ts"];

  test("checks: what a warning says is shown, errors are a page until they are mended, and nothing is said twice", async () => {
    const files = { "settings.ts": site("", MIGRATIONS), "migrations.ts": pending("warning", "1 migration is to do") };
    await withDevServer(runtime, files, async (server, project) => {
      expect(server.stderr).toMatch(/^System check identified some issues:\n\nWARNINGS:\n.*1 migration is to do\n/m);
      expect(server.stderr).toContain("System check identified 1 issue (0 silenced).\n");
      expect((await server.get("/hello/")).text).toBe("hello");
      project.save("migrations.ts", pending("error", "the database is gone"));
      const page = await server.answers("/hello/", "the database is gone", HTML);
      expect(page.status).toBe(500);
      expect(page.text).toContain("the system checks have found errors");
      await server.answers("/hello/", "the database is gone", { accept: "application/json" });
      await server.says("the database is gone");
      project.save("migrations.ts", pending("", ""));
      await server.answers("/hello/", "hello");
      await server.says(/^Reloaded in \d+ ms: migrations\.ts$/);
      expect(server.stderr).not.toContain("no issues");
      project.save(
        "migrations.ts",
        "export const pending: never[] = (() => { throw new Error('no connection') })();\n",
      );
      await server.answers("/hello/", "no connection");
    }, { words });
  });

  test("checks: without an issue one line; with --skip-checks none", async () => {
    await withDevServer(runtime, { "settings.ts": site() }, async (server) => {
      expect(server.stderr).toContain("System check identified no issues (0 silenced).\n");
      expect((await server.get("/hello/")).text).toBe("hello");
    }, { words: ["0"], env: { TRICORN_SETTINGS_MODULE: "settings.ts" } });
    const files = { "settings.ts": site("", MIGRATIONS), "migrations.ts": pending("error", "the database is gone") };
    await withDevServer(runtime, files, async (server) => {
      expect((await server.get("/hello/")).text).toBe("hello");
      expect(server.stderr).not.toMatch(/System check|database/);
    }, { words: [...words, "--skip-checks"] });
  });

  test("checks: errors end the start, as does what nobody could be served with", async () => {
    const files = { "settings.ts": site("", MIGRATIONS), "migrations.ts": pending("error", "the database is gone") };
    for (const more of [[], ["--noreload"]]) {
      const failed = await failedStart(runtime, files, { words: [...words, ...more] });
      expect(failed.stderr).toMatch(
        /^tricorn: the system checks have found errors\n {2}System check identified [^]*gone/,
      );
      expect(failed.stderr.match(/the database is gone/g)).toHaveLength(1);
      expect(failed.code).toBe(1);
    }
    const unknown = await failedStart(runtime, { "settings.ts": site("NO_SUCH_SETTING: 1,") }, { words });
    expect(unknown.stderr).toContain('there is no setting "NO_SUCH_SETTING"');
    expect(unknown.stderr).not.toContain("bug");
    expect(unknown.code).toBe(1);
    const nobody = await failedStart(runtime, { "settings.ts": site("ALLOWED_HOSTS: [], ...{ DEBUG: false },") }, {
      words,
    });
    expect(nobody.stderr).toContain(
      "tricorn: with DEBUG false nobody is served while ALLOWED_HOSTS is []; set one of them\n",
    );
    expect(nobody.code).toBe(1);
  });

  test("settings that no site can be made of are a page where the checks are left out", async () => {
    await withDevServer(runtime, { "settings.ts": site("NO_SUCH_SETTING: 1,") }, async (server, project) => {
      expect((await server.get("/")).text).toContain('there is no setting "NO_SUCH_SETTING"');
      expect(server.stderr).not.toContain("bug");
      project.save("settings.ts", site());
      await server.answers("/hello/", "hello");
    }, { words: [...words, "--skip-checks"] });
  });

  test("an application that is a Handler: its pages, its checks, and its static files unless --nostatic", async () => {
    const files = {
      "settings.ts": site('STATIC_URL: "/static/", STATICFILES_DIRS: [import.meta.dirname + "/assets"],'),
      "app.ts": `import { Handler } from ${JSON.stringify(join(ROOT, "src/handler/mod.ts"))};
import { settings } from "./settings.ts";
export const { application } = new Handler(settings);
`,
      "assets/a.css": "a { color: red }\n",
    };
    await withDevServer(runtime, files, async (server) => {
      expect(server.stderr).toContain("System check identified no issues");
      const css = await server.get("/static/a.css");
      expect(css.text).toBe("a { color: red }\n");
      expect(css.headers.get("content-type")).toContain("text/css");
      const missing = await server.get("/static/b.css", HTML);
      expect(missing.status).toBe(404);
      // The routes that were tried.
      expect((await server.get("/helo/", HTML)).text).toContain("hello/");
    });
    await withDevServer(runtime, files, async (server) => {
      expect((await server.get("/static/a.css")).status).toBe(404);
    }, { words: ["0", "--nostatic"] });
  });
});

onEachKind("runserver and Hono", (runtime) => {
  const hono = (routes: string): string =>
    `import { Hono } from "hono";\nconst app = new Hono();\n${routes}\nexport default app;\n`;

  test("an empty application welcomes; 404 shows the routes; what is thrown is a page, and once in the log", async () => {
    await withDevServer(runtime, { "app.ts": hono("") }, async (server, project) => {
      const welcome = await server.get("/", HTML);
      expect(welcome.status).toBe(200);
      expect(welcome.text).toContain(join(project.folder, "app.ts"));
      project.save(
        "app.ts",
        hono(`
function explode(): void {
  throw new Error("a thing exploded");
}
app.get("/things/:id", (c) => c.text("found it"));
app.get("/boom", (c) => {
  explode();
  return c.text("");
});`),
      );
      await server.answers("/things/1", "found it");
      // For a moment more the old code may answer, too.
      expect((await server.answers("/nowhere", "/things/:id", HTML)).status).toBe(404);
      expect((await server.answers("/boom", "a thing exploded", HTML)).status).toBe(500);
      await server.says(/GET {4}500 .*\/boom$/);
      await server.says("a thing exploded");
      expect(server.stderr.match(/Error: a thing exploded/g)).toHaveLength(1);
      expect(server.stderr.match(/app\.ts:\d+/g)!.length).toBeGreaterThanOrEqual(2);
      expect(server.stderr.slice(server.stderr.indexOf("exploded"))).not.toContain("node_modules");
    });
  });
});

onEachKind("where a project may lie, and how it names its application", (runtime) => {
  test("in a folder with spaces, quotes and other scripts, reached by a link", async () => {
    const outer = new Project({});
    const folder = join(outer.folder, "mein Projekt – 日本 'q' #1%20");
    mkdirSync(folder);
    const save = (version: number): void => writeFileSync(join(folder, "app.ts"), says(`"version ${version};"`));
    save(1);
    const link = join(outer.folder, "link");
    symlinkSync(folder, link);
    try {
      for (const [where, version] of [[folder, 1], [link, 3]] as const) {
        const server = await new DevServer(runtime, outer, { folder: where }).ready();
        try {
          await server.answers("/", `version ${version};`);
          save(version + 1);
          await server.answers("/", `version ${version + 1};`);
          await server.says(/^Reloaded in \d+ ms: app\.ts$/);
          writeFileSync(join(folder, "app.ts"), "export default (\n");
          await server.answers("/", "could not be loaded", HTML);
          save(version + 2);
          await server.answers("/", `version ${version + 2};`);
        } finally {
          await server.stop();
        }
      }
    } finally {
      outer.remove();
    }
  });

  test("MODULE:NAME, a factory, chdir and hooks: as under tricorn serve, and in the child", async () => {
    const files = {
      "tricorn.config.ts": `import { appendFileSync } from "node:fs";
import process from "node:process";
const log = (text: string) => appendFileSync(${JSON.stringify("hooks.log")}, text + "\\n");
export default {
  app: "make.ts:make",
  factory: true,
  chdir: "inner",
  post_worker_init: ({ pid }: { pid: number }) => log(\`init \${pid === process.pid}\`),
  worker_exit: () => log("exit"),
};
`,
      "inner/make.ts": `import process from "node:process";
import { value } from "./value.ts";
export function make() {
  return (_environ: unknown, startResponse: (status: string, headers: string[][]) => void) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return value + process.cwd().slice(-6);
  };
}
`,
      "inner/value.ts": 'export const value = "a";\n',
      ".gitignore": "*.log\n",
    };
    await withDevServer(runtime, files, async (server, project) => {
      expect((await server.get("/")).text).toBe("a/inner");
      const hooks = (): string => {
        try {
          return readFileSync(join(project.folder, "inner/hooks.log"), "utf8");
        } catch {
          return "";
        }
      };
      await eventually(() => hooks() === "init true\n", hooks);
      project.save("inner/value.ts", 'export const value = "b";\n');
      await server.answers("/", "b/inner");
      await eventually(() => hooks().includes("exit\n"), hooks);
      expect(hooks().match(/init true/g)).toHaveLength(2);
    });
  });

  test("an application outside of the folder is watched where it is; two servers do not meet", async () => {
    const outside = new Project({ "lib/app.ts": says('"one;"') });
    try {
      const words = ["0", `${join(outside.folder, "lib/app.ts")}:application`];
      await withDevServer(runtime, {}, async (server) => {
        expect(server.stderr).toContain(`  Serving   ${words[1]}\n`);
        await withDevServer(runtime, { "app.ts": says('"other;"') }, async (other) => {
          outside.save("lib/app.ts", says('"two;"'));
          await server.answers("/", "two;");
          expect((await other.get("/")).text).toBe("other;");
          expect(other.stderr).not.toContain("Reloaded");
        });
      }, { words });
    } finally {
      outside.remove();
    }
  });
});
