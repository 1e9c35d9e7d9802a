// The configuration file and its flags, with the real command. Each test has a directory of its own.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tricorn-"));
  put("app.mjs", "export const application = (environ, startResponse) => { startResponse('204 No Content', []); };");
});
afterEach(() => rmSync(directory, { recursive: true }));

const put = (name: string, text: string): void => writeFileSync(join(directory, name), text);

/** `file` on `runtime`, in the directory. */
function run(
  runtime: TestRuntime,
  file: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    // For the umask.
    const start = runtime.words(["--allow-sys"]).map((word) => word.startsWith("./") ? join(ROOT, word) : word);
    const child = spawn(runtime.program, [...start, file, ...words], {
      cwd: directory,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const serve = (runtime: TestRuntime, words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  run(runtime, join(ROOT, "adapters/bin.ts"), ["serve", ...words], env);

type Printed = Record<string, { readonly value: unknown; readonly origin: string }>;

onEachRuntime("configuration", (runtime) => {
  test("a file in ts, js, mjs and json", async () => {
    const files: [string, string][] = [
      ["tricorn.config.json", '{ "app": "app.mjs", "backlog": 4 }'],
      ["tricorn.config.mjs", 'export const app = "app.mjs";\nexport const backlog = 5;'],
      ["tricorn.config.js", 'export default async () => ({ app: "app.mjs", backlog: 6 });'],
      [
        "tricorn.config.ts",
        `import { defineConfig } from ${JSON.stringify(pathToFileURL(join(ROOT, "adapters/mod.ts")).href)};
         const backlog: number = 7;
         export default defineConfig({ app: "app.mjs", backlog, on_exit: (): void => {} });`,
      ],
    ];
    put("package.json", '{ "type": "module" }');
    for (const [index, [name, text]] of files.entries()) {
      put(name, text);
      const { code, stdout, stderr } = await serve(runtime, ["--print-config", "--json", "-w1"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect((JSON.parse(stdout) as Printed).backlog).toEqual({ value: 4 + index, origin: name });
    }
  });

  test("--print-config has the origin of each value, and TRICORN_CMD_ARGS is split as a shell does", async () => {
    put("tricorn.config.mjs", 'export default { worker_connections: 7, umask: "027", backlog: 1, keepalive: 9 };');
    const env = {
      PORT: "8080",
      FORWARDED_ALLOW_IPS: "10.0.0.0/8",
      TRICORN_CMD_ARGS: `--name 'my "app"' --worker-connections 8 -e "A=\\"b\\" c" -e B=\\ d`,
    };
    const { code, stdout, stderr } = await serve(runtime, ["app.mjs", "--print-config", "--backlog=2"], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const rows = new Map(
      stdout.trimEnd().split("\n").map((line) => {
        const [name, value, origin] = line.split(/ {2,}/);
        return [name, [value, origin]];
      }),
    );
    expect(rows.get("bind")).toEqual(['["0.0.0.0:8080"]', "PORT"]);
    expect(rows.get("forwarded_allow_ips")).toEqual(['["10.0.0.0/8"]', "FORWARDED_ALLOW_IPS"]);
    expect(rows.get("keepalive")).toEqual(["9", "tricorn.config.mjs"]);
    expect(rows.get("umask")).toEqual(["0o27", "tricorn.config.mjs"]);
    expect(rows.get("worker_connections")).toEqual(["8", "TRICORN_CMD_ARGS"]);
    expect(rows.get("proc_name")).toEqual(['"my \\"app\\""', "TRICORN_CMD_ARGS"]);
    expect(rows.get("raw_env")).toEqual(['["A=\\"b\\" c","B= d"]', "TRICORN_CMD_ARGS"]);
    expect(rows.get("backlog")).toEqual(["2", "command line"]);
    expect(rows.get("app")).toEqual(['"app.mjs"', "command line"]);
    expect(rows.get("keyfile")).toEqual(["null", "default"]);
  });

  test("--check-config exits with 0, 2 or 3, and does not wait for the application", async () => {
    put("busy.mjs", `${"setInterval(() => {}, 1000);"} export default { fetch: () => new Response() };`);
    expect(await serve(runtime, ["busy.mjs", "--check-config"])).toEqual({ code: 0, stdout: "", stderr: "" });
    const cases: [string, string, string[], number, RegExp][] = [
      ["a.json", "{}", ["absent.mjs"], 3, /^tricorn: cannot load "absent\.mjs": there is no file .*\n$/],
      ["b.json", '{ "worker": 3 }', ["app.mjs"], 2, /^tricorn: b\.json: unknown setting "worker"; .* "workers"\?\n$/],
      ["c.mjs", "export const backlog = '9';", ["app.mjs"], 2, /^tricorn: c\.mjs: backlog: "9" is not a whole .*\n$/],
      [
        "d.mjs",
        "export default {",
        ["app.mjs"],
        2,
        /^tricorn: d\.mjs: it cannot be loaded: .*(?:SyntaxError|BuildMessage).*\n/,
      ],
      ["e.ts", "export default { backlog: ; };", ["app.mjs"], 2, /^tricorn: e\.ts: it cannot be loaded: .*\n/],
      [
        "f.ts",
        "throw new TypeError('in it');",
        ["app.mjs"],
        2,
        /^tricorn: f\.ts: .*: TypeError: in it\n +\S.*\n.*f\.ts/,
      ],
      [
        "g.json",
        '{ "max_requests": 5 }',
        ["app.mjs"],
        2,
        /^tricorn: max_requests \(--max-requests\) needs a master.*\n$/,
      ],
      ["h.json", '{ "certfile": "x", "keyfile": "y" }', ["app.mjs"], 2, /^tricorn: certfile: cannot read "x": .*\n$/],
      ["i.json", '{ "access_log_format": "%(z)s" }', ["app.mjs"], 2, /^tricorn: .*%\(z\)s.*\n$/],
    ];
    await Promise.all(cases.map(async ([name, text, words, code, message]) => {
      put(name, text);
      const ended = await serve(runtime, [...words, "--check-config", "-c", name]);
      expect(ended, name).toEqual({ code, stdout: "", stderr: expect.stringMatching(message) });
    }));
    const absent = await serve(runtime, ["app.mjs", "-c", "absent.ts"]);
    expect(absent).toEqual({
      code: 2,
      stdout: "",
      stderr: 'tricorn: --config: there is no file "absent.ts"; write the path of one, or leave it out\n',
    });
  });

  test("--check-config says what the start would say of the runtime, with its exit code", async () => {
    const lines: [string[], string | null][] = [
      [
        ["--reuse-port"],
        runtime.name === "node" && process.versions.node.startsWith("20.")
          ? "tricorn: cannot listen on 127.0.0.1:0: reuse_port needs Node 22.12, 23.1 or later, and this is " +
            `${process.versions.node}; leave reuse_port (--reuse-port) out\n`
          : null,
      ],
      [
        ["--user", "nobody", "--initgroups"],
        runtime.kind === "deno"
          ? 'tricorn: cannot become user "nobody": Deno has no initgroups; leave --initgroups out\n'
          : null,
      ],
    ];
    await Promise.all(lines.map(async ([flags, line]) => {
      const words = ["app.mjs", "--workers", "1", "--bind", "127.0.0.1:0", ...flags];
      const wanted = { code: line === null ? 0 : 1, stdout: "", stderr: line ?? "" };
      expect(await serve(runtime, [...words, "--check-config"])).toEqual(wanted);
      if (line !== null) expect(await serve(runtime, words)).toEqual(wanted);
    }));
  });

  test("a file is read again by the same process, as it is then", async () => {
    put(
      "again.mjs",
      `import { writeFileSync } from "node:fs";
       import { processHost } from ${JSON.stringify(pathToFileURL(join(ROOT, "adapters/process.ts")).href)};
       import { loadConfiguration } from ${JSON.stringify(pathToFileURL(join(ROOT, "src/cli/config_file.ts")).href)};
       const texts = {
         "a.ts": (n) => \`const n: number = \${n}; export default { backlog: n };\`,
         "b.js": (n) => \`export const backlog = \${n};\`,
         "c.mjs": (n) => \`export default { backlog: \${n} };\`,
         "d.cjs": (n) => \`module.exports = { backlog: \${n} };\`,
         "e.json": (n) => JSON.stringify({ backlog: n }),
       };
       for (const [name, text] of Object.entries(texts)) {
         const seen = [];
         for (const n of [1, 2, 3]) {
           writeFileSync(name, n === 2 ? "{ broken" : text(n));
           const load = loadConfiguration(["app.mjs", "-c", name], processHost);
           seen.push(await load.then(({ settings }) => settings.backlog, (error) => error.name));
         }
         console.log(name, ...seen);
       }`,
    );
    put("package.json", '{ "type": "module" }');
    const words = runtime.kind === "deno" ? ["--allow-write=."] : [];
    const more: TestRuntime = { ...runtime, words: () => [...runtime.words([]), ...words] };
    const { code, stdout, stderr } = await run(more, join(directory, "again.mjs"), []);
    expect({ code, stderr, stdout }).toEqual({
      code: 0,
      stderr: "",
      stdout: ["a.ts", "b.js", "c.mjs", "d.cjs", "e.json"].map((name) => `${name} 1 ConfigError 3\n`).join(""),
    });
  });

  if (runtime.kind === "deno") {
    test("without --allow-read no file is found, and one that is asked for is an error", async () => {
      put("tricorn.config.json", '{ "backlog": 4 }');
      const words = ["run", "--no-prompt", "--allow-env", `--allow-read=${ROOT},${join(directory, "app.mjs")}`];
      const blind: TestRuntime = { ...runtime, words: () => words };
      const { code, stdout } = await serve(blind, [join(directory, "app.mjs"), "--print-config", "--json"]);
      expect(code).toBe(0);
      expect((JSON.parse(stdout) as Printed).backlog).toEqual({ value: 2048, origin: "default" });
      expect(await serve(blind, ["app.mjs", "-c", "tricorn.config.json"])).toEqual({
        code: 2,
        stdout: "",
        stderr: 'tricorn: --config: "tricorn.config.json" may not be read; allow it to deno with --allow-read\n',
      });
    });
  }
});
