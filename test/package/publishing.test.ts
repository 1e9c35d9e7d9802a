// What is published on JSR, and what dnt builds, as far as it goes without JSR: registry.ts answers as JSR does, and a
// stand-in for dnt gives the description back.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { execFile } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readPackage } from "../../scripts/package.ts";
import { ROOT, RUNTIMES } from "../support/runtimes.ts";
import { dependencies, Machine, pack } from "./support.ts";

// Package managers and compilers take seconds, and several times that beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** Like dnt, it writes package.json from what it is given, with things of its own, and calls postBuild at the end. */
const STAND_IN = `
export const emptyDir = (path) => Deno.mkdir(path, { recursive: true });

export async function build({ entryPoints, outDir, importMap, package: fields, postBuild, ...rest }) {
  const map = JSON.parse(await Deno.readTextFile(importMap));
  const { name, path } = entryPoints.find(({ kind }) => kind === "bin");
  await Deno.mkdir(outDir + "/esm/adapters", { recursive: true });
  await Deno.copyFile(path, outDir + "/esm/adapters/bin.js");
  const manifest = { ...fields, bin: { [name]: "./esm/adapters/bin.js" }, scripts: { test: "x" }, _generatedBy: "dnt" };
  await Deno.writeTextFile(outDir + "/package.json", JSON.stringify(manifest));
  await Deno.writeTextFile(outDir + "/given.json", JSON.stringify({ entryPoints, map, ...rest }));
  await postBuild();
}
`;

const folder = mkdtempSync(join(tmpdir(), "tricorn-publishing-"));
const deno = RUNTIMES.find(({ kind }) => kind === "deno");

afterAll(() => rmSync(folder, { recursive: true }));

function run(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, NO_COLOR: "1", ...env } };
    execFile(deno!.program, words, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code ?? "?", stdout, stderr });
    });
  });
}

/** An address where nobody listens. */
function deadAddress(): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(`http://127.0.0.1:${port}/`));
    });
  });
}

function published(text: string): string[] {
  return [...text.matchAll(/^ +file:\/\/(\S+) \(/gm)].map(([, path]) => path!.slice(ROOT.length));
}

describe.skipIf(deno?.missing !== null)("Deno, which npm ci gets,", () => {
  /** What `deno publish` says, which lists what it would publish. */
  let dryRun: ReturnType<typeof run>;

  beforeAll(() => {
    dryRun = run(["publish", "--dry-run", "--allow-dirty", "--no-check"]);
  });

  test("says in one line that dnt cannot be had where JSR is out of reach, and what to do", async () => {
    const out = join(folder, "none");
    const env = { JSR_URL: await deadAddress(), DENO_DIR: join(folder, "deno"), NO_PROXY: "127.0.0.1" };
    const { code, stdout, stderr } = await run(["run", "-A", "--quiet", "scripts/build_npm.ts", out], env);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(
        /^build_npm: cannot load jsr:@deno\/dnt@\S+ \(.*\); "npm run build" makes the package without JSR\n$/,
      ),
    });
    expect(existsSync(out)).toBe(false);
  });

  test("gives dnt the description, and finishes what it has made", async () => {
    const out = join(folder, "npm");
    const standIn = join(folder, "dnt.js");
    const standInMap = join(folder, "imports.json");
    const { entries, command, documents, fields } = readPackage();
    writeFileSync(standIn, STAND_IN);
    const [dnt] = /jsr:[^"]+/.exec(readFileSync(join(ROOT, "scripts/build_npm.ts"), "utf8"))!;
    writeFileSync(standInMap, JSON.stringify({ imports: { [dnt]: standIn } }));
    expect(await run(["run", "-A", "--quiet", "--import-map", standInMap, "scripts/build_npm.ts", out]))
      .toEqual({ code: 0, stdout: "", stderr: "" });
    const { entryPoints, map: { imports }, ...rest } = JSON.parse(readFileSync(join(out, "given.json"), "utf8"));
    expect(entryPoints).toEqual([
      ...entries.map(({ name, source }) => ({ name, path: join(ROOT, source) })),
      { kind: "bin", name: "tricorn", path: join(ROOT, command.source) },
    ]);
    expect(imports).toMatchObject({ mrmime: `npm:mrmime@${fields.dependencies.mrmime}` });
    expect(rest).toMatchObject({ scriptModule: false, declaration: "inline", test: false });
    expect(JSON.parse(readFileSync(join(out, "package.json"), "utf8")))
      .toEqual({ ...fields, bin: { tricorn: "./esm/adapters/bin.js" } });
    expect(statSync(join(out, "esm/adapters/bin.js")).mode & 0o777).toBe(0o755);
    for (const name of documents) expect(existsSync(join(out, name)), name).toBe(true);
  });

  // `npm run check` has checked the types.
  test("would publish the sources on JSR, without slow types", async () => {
    const { code, stderr } = await dryRun;
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("Checking for slow types") });
    // A server imports what it is told to, and looks for a library that need not be there; nothing else may be odd.
    expect(new Set([...stderr.matchAll(/^warning\[(.*?)\]/gm)].map(([, kind]) => kind)))
      .toEqual(new Set(["unanalyzable-dynamic-import", "unanalyzable-import-meta-resolve"]));
    const files = published(stderr);
    const { entries, documents } = readPackage();
    for (const { source } of entries) expect(files).toContain(source.slice(2));
    const expected = ["src", "adapters", "deno.json", ...documents];
    expect(files.filter((path) => !expected.some((name) => path === name || path.startsWith(`${name}/`)))).toEqual([]);
  });

  describe("gets what was published", () => {
    const machine = new Machine();
    const user = join(machine.folder, "user");
    const command = ["run", "--allow-all", "jsr:@tricorn/tricorn/cli"];
    const tricorn = (...words: string[]): [string, ...string[]] => [deno!.program, ...command, ...words];

    beforeAll(async () => {
      const { name, version, exports } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
      const { fields } = readPackage();
      const files = new Map(
        published((await dryRun).stderr).map((path) => {
          let text = readFileSync(join(ROOT, path), "utf8");
          // As `deno publish` does with what package.json says.
          for (const [dependency, range] of Object.entries(fields.dependencies)) {
            text = text.replaceAll(`from "${dependency}"`, `from "npm:${dependency}@${range}"`);
          }
          return [`/${path}`, text];
        }),
      );
      await machine.publish(pack(dependencies(ROOT), machine.folder), { name, version, exports, files });
      mkdirSync(user);
      writeFileSync(join(user, "app.js"), 'export default { fetch: () => new Response("from JSR") };');
    });

    afterAll(() => machine.close());

    test("and serves with workers", async () => {
      const words = tricorn("serve", "app.js", "-w", "2", "-b", "127.0.0.1:0");
      const { code, stderr } = await machine.serving(user, words, async (url) => {
        expect(await (await fetch(url)).text()).toBe("from JSR");
      });
      expect(code).toBe(0);
      // Such as that the watchdog's thread cannot begin.
      expect(stderr).not.toMatch(/\[(?:WARNING|ERROR|CRITICAL)\]/);
    });

    test("and serves with TLS", async () => {
      const names = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"];
      await machine.run(user, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", ...names);
      const words = tricorn("serve", "app.js", "-b", "127.0.0.1:0", "--certfile", "cert.pem", "--keyfile", "key.pem");
      let seen = "";
      const { code } = await machine.serving(user, words, (url) => Promise.resolve(void (seen = url)));
      expect([code, seen]).toEqual([0, expect.stringMatching(/^https:/)]);
    });

    test("and writes itself into a unit of systemd", async () => {
      const { code, stdout } = await machine.run(user, ...tricorn("init", "systemd", "app.js", "--stdout"));
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringMatching(/^ExecStart=\S+ run .* jsr:@tricorn\/tricorn\/cli serve app\.js /m),
      });
    });
  });
});
