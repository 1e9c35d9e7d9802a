// The blocks of the documents that have few: SPEC.md, docs/settings.md, zero-loss.md, new-project.md, gateway-protocols.md; and
// the commands that CONTRIBUTING.md names.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SCENARIOS } from "../../scripts/zero_loss/scenarios.ts";
import { newHelp } from "../../src/cli/new.ts";
import { VERSION } from "../../src/cli/version.ts";
import type { Application } from "../../src/esgi/mod.ts";
import { call } from "../../src/esgi/testing.ts";
import { ROOT } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { DocumentProject, TRICORN } from "./project.ts";
import { type Block, blocksOf, type BlockTests, endAll, output, testBlocks, typeCheck } from "./support.ts";

const read = (name: string): string => readFileSync(join(ROOT, name), "utf8");

let project: DocumentProject;
beforeAll(async () => {
  project = await DocumentProject.make("others");
  project.write("app.ts", 'export default { fetch: () => new Response("hello") };\n');
});
afterAll(async () => {
  await endAll();
  project.remove();
});

const inClone = (command: string): Promise<string> => output(command, ROOT, project.env(command));
const SCRIPTS = JSON.parse(read("package.json")).scripts as Readonly<Record<string, string>>;

function describeBlocks(document: string, tests: (blocks: readonly Block[]) => BlockTests): void {
  const blocks = blocksOf(read(document));
  describe(document, () => testBlocks(blocks, tests(blocks)));
}

describeBlocks("SPEC.md", (blocks) => {
  const [validated, types, application] = blocks.map(({ text }) => text);
  return {
    'import { validator } from "tricorn/testing";': () => {
      test("with the application below it, nothing breaks a rule", async () => {
        project.write("application.js", application!);
        project.write("validated.js", `import application from "./application.js";\n${validated}`);
        // What was built, so that the package's own names are found.
        const { default: wrapped } = await import(project.path("validated.js")) as { readonly default: Application };
        expect((await call(wrapped, "/tea")).text()).toBe("Hello, /tea\n");
      });
    },
    [types!.split("\n")[0]!]: () => {
      test("the types are the package's", async () => {
        const names = [...types!.matchAll(/^type (\w+)/gm)].map(([, name]) => name!);
        project.write(
          "types.ts",
          `import type * as esgi from "tricorn/esgi";
type Environ = esgi.Environ;
type MaybePromise<T> = esgi.MaybePromise<T>;
type FileWrapper = esgi.FileWrapper;
type Duplex = esgi.Duplex;
${types}
type Same<A, B> = [A, B] extends [B, A] ? true : never;
${names.map((name) => `export const is${name}: Same<${name}, esgi.${name}> = true;`).join("\n")}
`,
        );
        expect(await typeCheck(project.folder, ["types.ts"])).toBe("");
      });
    },
    // The first one's test calls it.
    "export default function application(environ, startResponse) {": null,
  };
});

describeBlocks("docs/settings.md", () => ({
  'import { defineConfig } from "tricorn";': ({ text }) => {
    test("is a configuration file", async () => {
      project.write("tricorn.config.ts", text);
      const printed = await project.run(`${TRICORN.node} serve --config tricorn.config.ts --print-config`);
      expect(printed).toMatch(/^max_requests +10000 +tricorn\.config\.ts$/m);
      expect(await typeCheck(project.folder, ["tricorn.config.ts"])).toBe("");
    });
  },
}));

describeBlocks("docs/zero-loss.md", () => ({
  "npm run zero-loss                                   # all of it: about half an hour": ({ lines }) => {
    const [all, some, help] = lines.map((line) => line.replace(/ +#.*$/, ""));
    test("the script is there, and says what it takes", async () => {
      expect(all).toBe("npm run zero-loss");
      // test/runtimes/zero_loss.test.ts runs the same scenarios.
      expect(await inClone(help!)).toContain("Usage: npm run zero-loss");
      const flags = Object.fromEntries([...some!.matchAll(/--(\w+) (\S+)/g)].map(([, name, value]) => [name, value]));
      for (const name of flags.scenarios!.split(",")) expect(SCENARIOS.map((one) => one.name)).toContain(name);
      expect(["node", "deno", "bun"]).toContain(flags.runtimes);
    });
    test("the table has each scenario", () => {
      const rows = [...read("docs/zero-loss.md").matchAll(/^\| `([\w-]+)` /gm)].map(([, name]) => name!);
      expect(rows.toSorted()).toEqual(SCENARIOS.map(({ name }) => name).toSorted());
    });
  },
}));

describeBlocks("docs/new-project.md", () => ({
  "tricorn new site": ({ lines }) => {
    test("it is made, and has the script", async () => {
      const [make, enter, install, start] = lines;
      expect([enter, install]).toEqual(["cd site", "npm install"]);
      const said = await project.run(make!.replace("tricorn", TRICORN.node));
      for (const line of [enter, install, start]) expect(said).toContain(line!);
      // test/new/projects.test.ts runs each script of each template, with the packages that npm would install.
      const { scripts } = JSON.parse(readFileSync(project.path("site/package.json"), "utf8"));
      expect(scripts).toHaveProperty(start!.replace("npm run ", ""));
    });
    test("the templates are those that there are", () => {
      const rows = [...read("docs/new-project.md").matchAll(/^\| `--template (\w+)`/gm)].map(([, name]) => name!);
      const known = [...newHelp().matchAll(/^ {17}([a-z]+) {2,}/gm)].map(([, name]) => name!);
      expect(rows.toSorted()).toEqual(known.toSorted());
    });
  },
  "node --import ./adapters/strip_types.js adapters/bin.ts new ../site": ({ lines }) => {
    test("it is made from the clone, and the package is called so", async () => {
      const [make, pack, install] = lines;
      const folder = project.path("from-the-clone");
      expect(await inClone(make!.replace("../site", folder))).toContain("Made ");
      expect(existsSync(join(folder, "package.json"))).toBe(true);
      // test/package builds, packs and installs it, elsewhere: dist/ may be somebody's.
      expect(pack).toBe("npm run build && npm pack ./dist");
      expect(SCRIPTS).toHaveProperty("build");
      expect(install).toBe(`cd ../site && npm install ../tricorn/tricorn-${VERSION}.tgz`);
    });
  },
}));

describe("docs/gateway-protocols.md", () => {
  const blocks = blocksOf(read("docs/gateway-protocols.md"));
  const commands = blocks.filter(({ lines }) => lines[0]!.startsWith("tricorn serve ")).flatMap(({ lines }) => lines);

  test.each(commands)("%s listens", async (command) => {
    const here = command.replace("tricorn", TRICORN.node).replaceAll("/run/", `${project.folder}/`)
      .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:0");
    const served = await project.start(here);
    try {
      const wanted = command.match(/--bind/g)!.length;
      await eventually(() => {
        if (served.ended !== null) throw new Error(served.stderr);
        return served.stderr.match(/Listening at: /g)?.length === wanted;
      }, () => served.stderr);
      expect(await served.stop()).toBe(0);
    } finally {
      served.destroy();
    }
  });

  test("all other blocks are web servers' and CGI's, which test/deployment takes from there", () => {
    const fronts = read("test/deployment/fronts.ts");
    expect(fronts).toContain("docs/gateway-protocols.md");
    for (const { language, lines } of blocks.filter(({ lines }) => !commands.includes(lines[0]!))) {
      expect(["nginx", "apache", "sh", "js"]).toContain(language);
      if (language === "sh" || language === "js") expect(lines[0]).toMatch(/^#!/);
    }
  });
});

describe("CONTRIBUTING.md", () => {
  const text = read("CONTRIBUTING.md");

  test("the scripts of npm that it names are there", () => {
    const names = [...text.matchAll(/`npm run ([\w:-]+)/g)].map(([, name]) => name!);
    expect(names.length).toBeGreaterThan(8);
    for (const name of names) expect(SCRIPTS).toHaveProperty([name]);
    for (const name of ["start", "test"]) expect(SCRIPTS).toHaveProperty(name);
  });

  test("the files that it names are there", () => {
    const names = [...text.matchAll(/(?<=[\s`])(?:scripts|test|docs|src|\.ci)\/[\w./-]*\w/g)].map(([name]) => name);
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !/NAME/.test(name) && !existsSync(join(ROOT, name)))).toEqual([]);
  });
});
