// `tricorn new`: what it takes, what it refuses, and what is in the files that it makes. That they work is in
// test/new/projects.test.ts.

import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";
import { VERSIONS } from "../../src/cli/templates/versions.ts";
import { fakeContext, FakeHost, FakeRuntime } from "./fake.ts";
import { FakeControl } from "./fake_control.ts";

let host: FakeHost;
let control: FakeControl;
let runtime: { name: string; version: string };

const command = async (...words: string[]): Promise<void> => {
  host.argv = ["new", ...words];
  const context = fakeContext(host, Object.assign(new FakeRuntime(), runtime));
  await main({ ...context, control });
};
const file = (path: string): string => control.files.get(`/srv/${path}`)!;
const packageJson = (folder: string): Record<string, Record<string, string>> =>
  JSON.parse(file(`${folder}/package.json`));

beforeEach(() => {
  host = new FakeHost();
  host.resolve = (path) => posix.resolve("/srv", path);
  control = new FakeControl();
  runtime = { name: "node", version: "24.1.0" };
});

describe("a project", () => {
  test.each([
    ["handler", "./application.ts", ["tricorn"]],
    ["hono", "./app.ts", ["hono", "tricorn"]],
    ["esgi", "./application.ts", ["tricorn"]],
  ])("--template %s", async (template, app, dependencies) => {
    await command("shop", "--template", template);
    expect([host.err, host.exits]).toEqual(["", []]);
    expect(host.out).toMatch(`Made shop from the template ${template} in shop:\n`);
    expect(file("shop/tricorn.config.ts")).toContain(`app: "${app}"`);
    expect(control.files.has(`/srv/shop/${app.slice(2)}`)).toBe(true);
    expect(Object.keys(packageJson("shop").dependencies!)).toEqual(["@swc/wasm-typescript", ...dependencies]);
    const paths = [...control.files.keys()].map((path) => path.slice("/srv/shop/".length));
    for (const path of paths) expect(host.out).toContain(`\n  ${path}\n`);
    for (
      const path of [
        "README.md",
        "package.json",
        "deno.json",
        "tsconfig.json",
        "tricorn.config.ts",
        "Dockerfile",
        ".dockerignore",
        ".gitignore",
      ]
    ) expect(paths).toContain(path);
    expect(paths.some((path) => /^test\/.*\.test\.ts$/.test(path))).toBe(true);
    for (const [path, text] of control.files) {
      expect(text, path).toMatch(/^\S[^]*[^\n]\n$/);
      expect(text, path).not.toMatch(/\{\{|\}\}|[ \t]\n/);
    }
  });

  test("the default template is handler, and --template=NAME is the same", async () => {
    await command("a");
    await command("--template=handler", "b");
    expect(file("a/urls.ts")).toBe(file("b/urls.ts"));
  });

  test("the key is random, long enough for the checks, and in .env alone, which git and Docker do not see", async () => {
    await command("a");
    await command("b");
    const [a, b] = ["a", "b"].map((name) => /^SECRET_KEY=([\w-]{64})$/m.exec(file(`${name}/.env`))![1]!);
    expect(a).not.toBe(b);
    expect([...control.files].filter(([, text]) => text.includes(a!)).map(([path]) => path)).toEqual(["/srv/a/.env"]);
    expect(file("a/.gitignore")).toMatch(/^\.env$/m);
    // What compose.yaml of "tricorn init docker" has the container's from.
    expect(file("a/.gitignore")).toMatch(/^\.env\.production$/m);
    expect(file("a/.dockerignore")).toMatch(/^\.env\*$/m);
  });

  test("the ranges are of the versions that this repository is tested with", () => {
    const { devDependencies } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    for (const [name, range] of Object.entries(VERSIONS)) expect(range, name).toBe(`^${devDependencies[name]}`);
  });

  test.each([
    ["My Shop", "my-shop"],
    ["Café_1.x", "cafe_1.x"],
    ["_.hidden", "hidden"],
    ["店", "site"],
    ["hono", "hono-site"],
    ["node_modules", "node_modules-site"],
    ["x".repeat(300), "x".repeat(214)],
  ])("%j is the package %s", async (folder, name) => {
    await command(folder);
    expect(packageJson(folder).name).toBe(name);
    expect(file(`${folder}/README.md`)).toMatch(`# ${name}\n`);
  });

  test("in the working directory, in one with a slash at its end, and further below", async () => {
    await command(".");
    expect(host.out).toMatch(/^Made srv from the template handler:\n/);
    expect(host.out).not.toContain("  cd ");
    await command("a/b/");
    expect(packageJson("a/b").name).toBe("b");
    expect(host.out).toContain("  cd a/b/\n");
  });
});

describe("what to do next", () => {
  test.each<[string, string, string, string[]]>([
    ["node", "", "node", ["npm install", "npm run dev"]],
    ["node", "npm/10.8.2 node/v20.20.2 linux x64 workspaces/false", "node", ["npm install", "npm run dev"]],
    ["node", "pnpm/9.1.0 npm/? node/v20.20.2 linux x64", "node", ["pnpm install", "pnpm run dev"]],
    ["node", "yarn/1.22.22 npm/? node/v20.20.2 linux x64", "node", ["yarn install", "yarn run dev"]],
    ["node", "bun/1.4.5 npm/? node/v24.3.0 linux x64", "oven/bun:1-", ["bun install", "bun run dev"]],
    ["bun", "", "oven/bun:24-", ["bun install", "bun run dev"]],
    ["deno", "npm/10.8.2 node/v20.20.2", "denoland/deno:24.1.0", ["deno install", "deno task dev"]],
  ])("on %s, by %j", async (name, agent, image, commands) => {
    runtime = { name, version: "24.1.0" };
    host.env.npm_config_user_agent = agent;
    await command("my shop");
    expect(host.out).toMatch(
      `\n\nGo on with:\n\n  cd 'my shop'\n${commands.map((line) => `  ${line}\n`).join("")}`,
    );
    expect(file("my shop/README.md")).toContain(commands.join("\n"));
    expect(file("my shop/Dockerfile")).toMatch(`FROM ${image}`);
  });
});

describe("never overwrites", () => {
  test("what is there is named", async () => {
    for (const path of ["a.txt", ".git/HEAD", "src/x.ts"]) control.files.set(`/srv/old/${path}`, "");
    await command("old");
    expect(host.err).toBe(
      'tricorn: new: "old" is not empty: it has "a.txt", "src"; name another folder\n',
    );
    for (const path of ["b", "c"]) control.files.set(`/srv/old/${path}`, "");
    await command("old");
    expect(host.err).toContain('"a.txt", "b", "c" and 1 more; name another folder');
    expect(host.exits).toEqual([2, 2]);
    expect(control.files.size).toBe(5);
  });

  test("a lone .git, and an empty folder, are as good as nothing", async () => {
    control.files.set("/srv/fresh/.git/HEAD", "");
    control.makeFolder("/srv/empty");
    await command("fresh");
    await command("empty");
    expect([host.err, host.exits]).toEqual(["", []]);
  });

  test("a file is no folder", async () => {
    control.files.set("/srv/file", "");
    await command("file");
    expect([host.err, host.exits]).toEqual(['tricorn: new: "file" is no folder; name another one\n', [2]]);
  });

  test("a failure on the way says what was written", async () => {
    let left = 3;
    control.writeNewFile = (path, text) => {
      if (left-- === 0) throw new Error("ENOSPC: no space left on device");
      control.files.set(path, text);
    };
    await command("shop");
    expect(host.err).toBe(
      'tricorn: new: cannot write "urls.ts" in "shop": Error: ENOSPC: no space left on device; ' +
        "written before: README.md, application.ts, settings.ts\n",
    );
    expect(host.exits).toEqual([1]);
    expect(host.out).toBe("");
  });

  test("a folder that cannot be made, or looked into", async () => {
    control.fault = new Error("EACCES: permission denied, mkdir '/srv/shop'");
    await command("shop");
    expect(host.err).toMatch(/cannot write "README\.md" in "shop": .*EACCES.*; nothing was written\n$/);
    control.listFolder = () => {
      throw new Error("EACCES: permission denied, scandir '/srv/shop'");
    };
    await command("shop");
    expect(host.err).toMatch(/new: cannot look into "shop": Error: EACCES.*\n$/);
    expect(host.exits).toEqual([1, 1]);
  });
});

describe("wrong usage", () => {
  test.each<[string[], RegExp]>([
    [[], /^tricorn: new: the folder is missing; write for example: tricorn new site$/],
    [[""], /^tricorn: new: the folder is missing/],
    [["a", "b"], /^tricorn: new: "b" is one word too many/],
    [["a", "--templat", "hono"], /^tricorn: new: unknown flag "--templat"; did you mean "--template"\?$/],
    [["a", "--force"], /^tricorn: new: unknown flag "--force"; "tricorn new --help" lists the flags$/],
    [["a", "--template"], /^tricorn: new: --template: the name is missing; there are handler, hono, esgi$/],
    [["a", "--template", "honno"], /^tricorn: new: --template: there is no template "honno"; did you mean "hono"\?$/],
    [["a", "--template=react"], /there is no template "react"; there are handler, hono, esgi$/],
  ])("%j", async (words, message) => {
    await command(...words);
    expect(host.err.trimEnd()).toMatch(message);
    expect(host.exits).toEqual([2]);
    expect([host.out, control.files.size]).toEqual(["", 0]);
  });

  test("--help, -h, and tricorn help new", async () => {
    await command("--help");
    await command("-h");
    host.argv = ["help", "new"];
    await main({ ...fakeContext(host, new FakeRuntime()), control });
    expect(host.out.split("Usage: tricorn new DIR [flags]\n")).toHaveLength(4);
    expect(control.files.size).toBe(0);
  });
});
