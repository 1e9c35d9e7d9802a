import { beforeEach, describe, expect, test } from "vitest";
import { loadConfiguration, readConfigFile } from "../../src/cli/config_file.ts";
import { ModuleError } from "../../src/cli/host.ts";
import { ConfigError } from "../../src/config/error.ts";
import { FakeHost } from "./fake.ts";

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});

/** A module in the directory that the command is started in. */
const module = (name: string, exports: Record<string, unknown>): void => void host.modules.set(`/srv/${name}`, exports);

const failure = async (...words: string[]): Promise<string> => {
  try {
    await loadConfiguration(words, host);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).not.toContain("\n");
    return (error as Error).message;
  }
  return "no error";
};

describe("which file is read", () => {
  test("the first that is there, in the order ts, js, mjs, json", async () => {
    expect((await loadConfiguration(["app.ts"], host)).file).toBe(null);
    host.files.set("/srv/tricorn.config.json", '{"backlog": 4}');
    for (const [index, extension] of ["json", "mjs", "js", "ts"].entries()) {
      if (extension !== "json") module(`tricorn.config.${extension}`, { backlog: 4 + index });
      const { settings, file, origins } = await loadConfiguration(["app.ts"], host);
      const name = `tricorn.config.${extension}`;
      expect(file).toEqual({ path: `/srv/${name}`, name });
      expect(settings.backlog).toBe(4 + index);
      expect(origins.backlog).toBe(name);
    }
  });

  test("the one that is named, by the command line before TRICORN_CMD_ARGS, wherever chdir has led", async () => {
    module("conf/a.ts", { backlog: 1 });
    module("conf/b.mjs", { backlog: 2 });
    host.modules.set("/etc/c.js", { backlog: 3 });
    host.env.TRICORN_CMD_ARGS = "-c conf/a.ts";
    expect((await loadConfiguration(["app.ts"], host)).settings.backlog).toBe(1);
    expect((await loadConfiguration(["app.ts", "-c", "conf/b.mjs"], host)).origins.backlog).toBe("conf/b.mjs");
    expect((await loadConfiguration(["app.ts", "-c/etc/c.js"], host)).settings.backlog).toBe(3);
    host.cwd = "/elsewhere";
    expect((await loadConfiguration(["app.ts"], host, "/srv")).settings.backlog).toBe(1);
    expect(await failure("app.ts")).toBe(
      '--config: there is no file "conf/a.ts"; write the path of one, or leave it out',
    );
  });

  test("a name that cannot be one, and a file that may not be looked for", async () => {
    expect(await failure("app.ts", "-c", "conf.toml")).toBe(
      '--config: "conf.toml" is no configuration file; its name ends in .ts, .js, .mjs or .json',
    );
    host.isFile = () => null;
    expect(await failure("app.ts", "-c", "conf.ts")).toBe(
      '--config: "conf.ts" may not be read; allow it to deno with --allow-read',
    );
    expect((await loadConfiguration(["app.ts"], host)).file).toBe(null);
  });
});

describe("what is in the file", () => {
  const give = async (exports: Record<string, unknown>): Promise<unknown> => {
    module("t.js", exports);
    return await readConfigFile({ path: "/srv/t.js", name: "t.js" }, host);
  };

  test("an object, a function that gives one, or named exports", async () => {
    const hook = (): void => {};
    expect(await give({ default: { workers: 2, when_ready: hook } })).toEqual({ workers: 2, when_ready: hook });
    expect(await give({ default: () => ({ workers: 3 }) })).toEqual({ workers: 3 });
    expect(await give({ default: () => Promise.resolve({ umask: "027" }) })).toEqual({ umask: 0o27 });
    expect(await give({ workers: 4, pre_fork: hook })).toEqual({ workers: 4, pre_fork: hook });
    expect(await give({ default: { workers: 5 }, helper: hook })).toEqual({ workers: 5 });
    expect(await give({})).toEqual({});
  });

  test("what CommonJS adds to it is left out", async () => {
    expect(await give({ default: { workers: 2 }, "module.exports": { workers: 2 }, workers: 2 })).toEqual({
      workers: 2,
    });
    expect(await give({ __esModule: true, workers: 2 })).toEqual({ workers: 2 });
  });

  test.each<[Record<string, unknown>, string]>([
    [{ default: { worker: 2 } }, 't.js: unknown setting "worker"; did you mean "workers"?'],
    [{ default: { port: 80 } }, 't.js: unknown setting "port"; see docs/settings.md for all of them'],
    [
      { default: { workers: "2" } },
      't.js: workers: "2" is neither a whole number nor auto; write for example 2, or auto',
    ],
    [
      { default: { bind: "x:y" } },
      't.js: bind: cannot listen on "x:y": the port "y" is not a number between 0 and ' +
      "65535; write HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH or fd://N",
    ],
    [{ default: { when_ready: "x" } }, 't.js: when_ready: "x" is not a function; give a function'],
    [{ default: { handle_signals: true } }, "t.js: handle_signals: only serve() has it; leave it out here"],
    [{ default: null }, "t.js: it gives null, but the settings are the properties of an object"],
    [{ default: [] }, "t.js: it gives an array, but the settings are the properties of an object"],
    [{ default: () => "x" }, "t.js: it gives string, but the settings are the properties of an object"],
  ])("refuses %j", async (exports, message) => {
    await expect(give(exports)).rejects.toThrow(new ConfigError(message));
  });

  test("code that throws has its stack as detail", async () => {
    const boom = (): never => {
      throw new TypeError("boom");
    };
    const thrown = await give({ default: boom }).catch((error: unknown) => error) as ConfigError;
    expect(thrown.message).toBe("t.js: its function threw TypeError: boom");
    expect(thrown.detail).toMatch(/^TypeError: boom\n +at boom/);
    host.importFresh = () => Promise.reject(new SyntaxError("Unexpected token"));
    await expect(give({})).rejects.toThrow("t.js: it cannot be loaded: SyntaxError: Unexpected token");
    host.importFresh = () => Promise.reject(new ModuleError("Node 20 does not load TypeScript"));
    await expect(give({})).rejects.toMatchObject({ message: "t.js: Node 20 does not load TypeScript", detail: null });
  });

  test("JSON is read as text, with a schema for the editor", async () => {
    const read = (text: string): Promise<unknown> => {
      host.files.set("/srv/t.json", text);
      return readConfigFile({ path: "/srv/t.json", name: "t.json" }, host);
    };
    expect(await read('{"$schema": "./s.json", "bind": ":1", "umask": "0o27", "app": "a.js"}')).toEqual({
      bind: [":1"],
      umask: 0o27,
      app: "a.js",
    });
    await expect(read('{"__proto__": {}}')).rejects.toThrow('t.json: unknown setting "__proto__"');
    await expect(read("{")).rejects.toThrow(/^t\.json: SyntaxError: /);
    await expect(read("[]")).rejects.toThrow("t.json: it gives an array, but");
    await expect(readConfigFile({ path: "/srv/u.json", name: "u.json" }, host)).rejects.toThrow(/^u\.json: .*ENOENT/);
  });
});

describe("precedence", () => {
  test("default, variable, file, TRICORN_CMD_ARGS, command line", async () => {
    const steps: [() => void, number, string][] = [
      [() => {}, 0, "default"],
      [() => host.env.WEB_CONCURRENCY = "1", 1, "WEB_CONCURRENCY"],
      [() => module("tricorn.config.ts", { default: { workers: 2 } }), 2, "tricorn.config.ts"],
      [() => host.env.TRICORN_CMD_ARGS = "--workers 3", 3, "TRICORN_CMD_ARGS"],
    ];
    for (const [act, workers, origin] of steps) {
      act();
      const { settings, origins } = await loadConfiguration(["app.ts"], host);
      expect([settings.workers, origins.workers]).toEqual([workers, origin]);
    }
    const { settings, origins } = await loadConfiguration(["app.ts", "-w", "4"], host);
    expect([settings.workers, origins.workers]).toEqual([4, "command line"]);
  });

  test("the application of the command line counts more than app", async () => {
    module("tricorn.config.ts", { app: "file.ts" });
    expect((await loadConfiguration([], host)).target).toBe("file.ts");
    const { target, settings, origins } = await loadConfiguration(["word.ts:app"], host);
    expect([target, settings.app, origins.app]).toEqual(["word.ts:app", "word.ts:app", "command line"]);
  });

  test("each call reads all of it anew", async () => {
    module("tricorn.config.ts", { backlog: 1 });
    expect((await loadConfiguration(["app.ts"], host)).settings.backlog).toBe(1);
    module("tricorn.config.ts", { backlog: 2 });
    expect((await loadConfiguration(["app.ts"], host)).settings.backlog).toBe(2);
  });
});

test("what the command is to do", async () => {
  const task = async (...words: string[]): Promise<string> =>
    (await loadConfiguration(["app.ts", ...words], host)).task;
  expect(await task()).toBe("serve");
  expect(await task("--check-config")).toBe("check");
  expect(await task("--print-config")).toBe("print");
  expect(await task("--check-config", "--print-config", "--json")).toBe("print as JSON");
  expect(await failure("app.ts", "--json")).toBe("--json: nothing is printed without --print-config");
  expect(await failure("a.ts", "b.ts")).toBe('serve: "b.ts" is one word too many; serve one application');
  expect(await failure()).toMatch(/^serve: the application is missing; /);
  expect(await failure("")).toMatch(/^app: "" is empty|^serve: the application is missing; /);
});

test.each([
  ["--nmae x", 'TRICORN_CMD_ARGS: unknown flag "--nmae"; did you mean "--name"?'],
  ["--backlog x", 'TRICORN_CMD_ARGS: --backlog: "x" is not a whole number; write for example 2048'],
  ["--name 'x", "TRICORN_CMD_ARGS: the ' at character 8 is not closed; add another"],
  ["app.ts", 'TRICORN_CMD_ARGS: the word "app.ts" is no flag and belongs on the command line; leave it out here'],
  ["--help", "TRICORN_CMD_ARGS: --help belongs on the command line; leave it out here"],
  ["--check-config", "TRICORN_CMD_ARGS: --check-config belongs on the command line; leave it out here"],
  ["--print-config", "TRICORN_CMD_ARGS: --print-config belongs on the command line; leave it out here"],
  ["--json", "TRICORN_CMD_ARGS: --json belongs on the command line; leave it out here"],
])("refuses TRICORN_CMD_ARGS=%j", async (text, message) => {
  host.env.TRICORN_CMD_ARGS = text;
  expect(await failure("app.ts")).toBe(message);
});
