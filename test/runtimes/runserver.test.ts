// `tricorn runserver` with real files and real processes: what a save leads to, that nothing is lost meanwhile, and that
// nothing is left behind.

import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { DevServer, Load, Project, withDevServer } from "../support/dev_server.ts";
import { onEachKind } from "../support/runtimes.ts";
import { eventually, sleep } from "../support/wait.ts";

/** An application whose answer says which version of it has answered. */
const application = (version: number, own = `${version}`): string =>
  `${own === `${version}` ? "" : 'import { version } from "./version.ts";\n'}
export default (_environ: unknown, startResponse: (status: string, headers: string[][]) => void): string => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return \`version \${${own}};\`;
};
`;

/**
 * Saves `version` in one of two files in turn: a file that changes right after each reload would be taken for one that the
 * application writes, and had to wait.
 */
function saveVersion(project: Project, version: number): void {
  if (version % 2 === 0) project.save("version.ts", `export const version = ${version};\n`);
  else project.save("app.ts", application(version, `Math.max(${version}, version)`));
}

const VERSIONED: Readonly<Record<string, string>> = {
  "version.ts": "export const version = 0;\n",
  "app.ts": application(0, "Math.max(0, version)"),
};

const BROKEN = "export default (\n";

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

onEachKind("runserver", (runtime) => {
  test("says where it serves what, and a line for each request and each reload", async () => {
    await withDevServer(runtime, { "app.ts": application(1) }, async (server, project) => {
      expect(server.stderr).toMatch(/^tricorn \d+\.\d+\.\d+ development server on (node|deno|bun) \d+\./m);
      expect(server.stderr).toContain("  Serving   ./app.ts\n");
      expect(server.stderr).toMatch(/^ {2}At {8}http:\/\/127\.0\.0\.1:[1-9]\d+\/$/m);
      expect(server.stderr).toContain(`  Watching  ${project.folder} (1 folder)\n`);
      expect((await server.get("/a?b=c")).text).toBe("version 1;");
      await server.says(/^\d\d:\d\d:\d\d GET {4}200 .* \/a\?b=c$/);
      project.save("app.ts", application(2));
      await server.answers("/", "version 2;");
      await server.says(/^Reloaded in \d+ ms: app\.ts$/);
    });
  });

  test("20 saves under load: every request is answered, by the old code or by the new", async () => {
    await withDevServer(runtime, VERSIONED, async (server, project) => {
      const load = new Load(
        server.port,
        (head, body) => head.startsWith("HTTP/1.1 200 ") && /^version \d+;$/.test(body),
      );
      for (let version = 1; version <= 20; version++) {
        saveVersion(project, version);
        await server.answers("/", `version ${version};`);
      }
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(load.requests).toBeGreaterThan(100);
      await server.says("Reloaded in", 20);
    });
  });

  test("a syntax error, saved and mended 10 times: the page says so each time, and it always recovers", async () => {
    await withDevServer(runtime, VERSIONED, async (server, project) => {
      for (let version = 1; version <= 10; version++) {
        project.save(version % 2 === 0 ? "version.ts" : "app.ts", BROKEN);
        // The page alone may still be the last round's, whose child goes on for a moment.
        await server.says("Save a file, and it goes on.", version);
        expect((await server.answers("/", "could not be loaded")).status).toBe(500);
        saveVersion(project, version);
        await server.answers("/", `version ${version};`);
      }
    });
  });

  test("code that is broken from the start is served as a page, too", async () => {
    await withDevServer(runtime, { "app.ts": BROKEN }, async (server, project) => {
      expect((await server.get("/")).text).toContain("app.ts:1:");
      project.save("app.ts", application(1));
      await server.answers("/", "version 1;");
    });
  });

  test("a syntax error in JavaScript has its place, too", async () => {
    const files = { "app.js": "export default () => new Response('one');\n", "package.json": '{"type":"module"}' };
    await withDevServer(runtime, files, async (server, project) => {
      project.save("app.js", "export default {\n  a: 1,,\n};\n");
      const { text } = await server.answers("/", "could not be loaded");
      expect(text).toContain("app.js:2:8");
      expect(text).toMatch(/> +2 \| {3}a: 1,,/);
    });
  });

  test("code that ends the process, or never loads, is told of on a page, and what is saved next is taken up", async () => {
    await withDevServer(runtime, { "app.ts": application(0) }, async (server, project) => {
      project.save("app.ts", "process.exit(7);\n");
      expect((await server.answers("/", "ended with code 7")).status).toBe(500);
      project.save("app.ts", "await new Promise((resolve) => setTimeout(resolve, 1e9));\n");
      // Meanwhile what was there before is served on.
      await sleep(200);
      await server.answers("/", "ended with code 7");
      project.save("app.ts", application(1));
      await server.answers("/", "version 1;");
    });
  });

  test("an application that ends its process in a request is started again", async () => {
    const fatal = `${
      application(1)
    }\nexport const application = (environ: { PATH_INFO: string }, startResponse: never) =>
  environ.PATH_INFO === "/exit" ? process.exit(9) : (startResponse as (...words: unknown[]) => void)("200 OK", []) ?? "here";
`;
    await withDevServer(runtime, { "app.ts": fatal }, async (server) => {
      await server.answers("/", "here");
      await expect(server.get("/exit")).rejects.toThrow();
      await server.answers("/", "here");
      await server.says(/ended with code 9/);
    });
  });

  test("100 reloads leave nothing behind in the parent", async () => {
    await withDevServer(runtime, VERSIONED, async (server, project) => {
      const rss = (): number =>
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))![1]) / 1024;
      const reload = async (version: number): Promise<void> => {
        saveVersion(project, version);
        await server.answers("/", `version ${version};`);
      };
      for (let version = 1; version <= 30; version++) await reload(version);
      const [memory, descriptors] = [rss(), server.descriptors()];
      for (let version = 31; version <= 100; version++) await reload(version);
      // The one that serves, and the spare; one more that has not quite gone.
      await eventually(() => server.children().length <= 2, () => `children: ${server.children()}`);
      await eventually(
        () => server.descriptors() <= descriptors,
        () => `${server.descriptors()} descriptors, and ${descriptors} before`,
      );
      // A leak of 1 MB a reload would be 70; collectors of garbage take their time.
      expect(rss() - memory).toBeLessThan(30);
    });
    // A Node without type stripping takes most of a second to start the next spare from these sources.
  }, 240_000);

  describe("the end", () => {
    test.each([["SIGINT", true], ["SIGINT", false], ["SIGTERM", false], ["SIGHUP", true]] as const)(
      "%s (to the whole group: %s) ends it with 0, and everything that it has started",
      async (signal, group) => {
        await withDevServer(runtime, { "app.ts": application(1) }, async (server) => {
          await server.answers("/", "version 1;");
          await eventually(() => server.children().length === 2, () => `children: ${server.children()}`);
          const children = server.children();
          const { port } = server;
          server.signal(signal, group);
          expect(await server.exited()).toBe(0);
          await eventually(() => !children.some(alive), () => `still there: ${children.filter(alive)}`);
          await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
        });
      },
    );

    test("a parent that is killed takes its children along, and a connected page does not keep them", async () => {
      const project = new Project({ "app.ts": application(1) });
      const server = new DevServer(runtime, project, {});
      try {
        await server.ready();
        const events = await fetch(`${server.url}/__tricorn__/events`);
        await eventually(() => server.children().length === 2, () => `children: ${server.children()}`);
        const children = server.children();
        server.signal("SIGKILL");
        await server.exited();
        await eventually(() => !children.some(alive), () => `still there: ${children.filter(alive)}`);
        await events.body?.cancel().catch(() => {});
      } finally {
        await server.stop();
        project.remove();
      }
    });
  });
});
