// Watching, with real files on each runtime: every way in which editors and tools change them.

import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { afterAll, expect, test } from "vitest";
import { onEachKind, onEachRuntime, type TestRuntime } from "../support/runtimes.ts";
import { eventually, sleep } from "../support/wait.ts";
import { Program, type Surroundings } from "./dev_host_program.ts";

const directory = realpathSync(mkdtempSync(join(tmpdir(), "tricorn-watch-")));
afterAll(() => rmSync(directory, { recursive: true }));

let projects = 0;

/** A folder with files, watched by a process. */
class Project {
  readonly folder: string = join(directory, String(projects++), "p");
  program!: Program;
  #sentinels = 0;

  constructor(files: readonly string[] = ["src/a.ts"]) {
    mkdirSync(this.folder, { recursive: true });
    for (const file of files) this.write(file);
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  write(file: string, text = "1"): void {
    mkdirSync(dirname(this.path(file)), { recursive: true });
    writeFileSync(this.path(file), text);
  }

  /** Resolves with how many folders are watched. */
  async watch(
    runtime: TestRuntime,
    { files = [], folders = ["."], ...surroundings }: Surroundings & {
      readonly files?: readonly string[];
      readonly folders?: readonly string[];
    } = {},
  ): Promise<unknown> {
    const paths = [folders, files].map((list) => JSON.stringify(list.map((file) => this.path(file))));
    this.program = new Program(runtime, ["watch", ...paths], surroundings);
    return await this.program.says("ready");
  }

  /** Waits until the process says that `file` changed, since the last {@link quiet}. */
  async changes(...files: readonly string[]): Promise<void> {
    for (const file of files) {
      await eventually(() => this.#news().includes(file), () => `${file} is not told: ${this.#news()}`);
    }
  }

  #before = 0;
  #news(): readonly string[] {
    return this.#all().slice(this.#before);
  }

  #all(): readonly string[] {
    return this.program.said("event").map((path) => String(path).replace(`${this.folder}/`, ""));
  }

  /** What was told of since the last call, when all that was to be told of has been. */
  async quiet(): Promise<readonly string[]> {
    // Two: the first may arrive in the same turn as what is looked for.
    for (let i = 0; i < 2; i++) {
      const sentinel = `sentinel${this.#sentinels++}.ts`;
      // Again and again: Deno drops what comes with many others.
      await eventually(async () => {
        this.write(sentinel);
        await sleep(10);
        return this.#news().includes(sentinel);
      }, () => `${sentinel} is not told: ${this.#news()}`);
    }
    const news = this.#news().filter((file) => !file.startsWith("sentinel"));
    this.#before = this.#all().length;
    return [...new Set(news)].sort();
  }
}

onEachRuntime("files", (runtime) => {
  test("are told of when they are written, made, renamed and removed", async () => {
    const project = new Project(["src/a.ts", "src/b.ts", "top.ts"]);
    expect(await project.watch(runtime)).toBe(2);
    appendFileSync(project.path("src/a.ts"), "2");
    await project.changes("src/a.ts");
    expect(await project.quiet()).toEqual(["src/a.ts"]);
    project.write("src/c.ts");
    await project.changes("src/c.ts");
    renameSync(project.path("src/b.ts"), project.path("d.ts"));
    await project.changes("src/b.ts", "d.ts");
    unlinkSync(project.path("top.ts"));
    await project.changes("top.ts");
    expect(await project.quiet()).toEqual(["d.ts", "src/b.ts", "src/c.ts", "top.ts"]);
    await project.program.end();
  });

  test("are told of each time that an editor saves them atomically", async () => {
    const project = new Project();
    await project.watch(runtime);
    for (let i = 0; i < 5; i++) {
      // VS Code and most tools.
      project.write("src/a.ts.tmp", `${i}`);
      renameSync(project.path("src/a.ts.tmp"), project.path("src/a.ts"));
      await project.changes("src/a.ts");
      // vim with a backup.
      renameSync(project.path("src/a.ts"), project.path("src/a.ts~"));
      project.write("src/a.ts", `${i}.`);
      unlinkSync(project.path("src/a.ts~"));
      expect(await project.quiet()).toContain("src/a.ts");
    }
    await project.program.end();
  });

  test("are not told of when somebody reads them", async () => {
    const project = new Project(["src/a.ts", "src/b/c.ts"]);
    await project.watch(runtime);
    spawnSync("sh", ["-c", "cat src/a.ts src/b/c.ts; ls -R"], { cwd: project.folder });
    expect(await project.quiet()).toEqual([]);
    await project.program.end();
  });

  test("a thousand at once are told of, and no folder is lost among them", async () => {
    const files = Array.from({ length: 1000 }, (_, i) => `src/m${i % 50}/f${i}.ts`);
    const project = new Project(files);
    await project.watch(runtime);
    for (const file of files) {
      unlinkSync(project.path(file));
      project.write(file, "2");
      if (Math.random() < 0.1) project.write(`lib/${file}`);
      else mkdirSync(project.path(`lib/${dirname(file)}`), { recursive: true });
    }
    // Deno drops events when many come at once; what counts is that some are told of, and all folders are watched then.
    if (runtime.kind !== "deno") await project.changes(...files);
    await eventually(async () => {
      await project.quiet();
      for (const file of files.slice(0, 50)) project.write(`lib/${file}`, "3");
      const news = await project.quiet();
      return files.slice(0, 50).every((file) => news.includes(`lib/${file}`)) ||
        runtime.kind === "deno" && news.length > 0;
    }, () => "not all folders are watched");
    for (const file of files.slice(0, 50)) {
      project.write(`lib/${file}`, "4");
      await project.changes(`lib/${file}`);
    }
    await project.program.end();
  });
});

onEachKind("folders", (runtime) => {
  test("that appear are watched, with what is in them already", async () => {
    const project = new Project();
    await project.watch(runtime);
    for (let i = 0; i < 20; i++) project.write(`new${i}/deep/er/x.ts`);
    for (let i = 0; i < 20; i++) await project.changes(`new${i}/deep/er/x.ts`);
    await project.quiet();
    project.write("new7/deep/er/x.ts", "2");
    project.write("new7/deep/y.ts");
    await project.changes("new7/deep/er/x.ts", "new7/deep/y.ts");
    await project.program.end();
  });

  test("that are moved are watched where they are", async () => {
    const project = new Project(["src/deep/a.ts"]);
    await project.watch(runtime);
    renameSync(project.path("src"), project.path("lib"));
    await project.changes("src", "lib/deep/a.ts");
    await project.quiet();
    project.write("lib/deep/a.ts", "2");
    await project.changes("lib/deep/a.ts");
    expect(await project.quiet()).toEqual(["lib/deep/a.ts"]);
    await project.program.end();
  });

  test("that are removed and made again are watched again, many times over", async () => {
    const project = new Project(["src/deep/a.ts"]);
    await project.watch(runtime);
    for (let i = 0; i < 10; i++) {
      rmSync(project.path("src"), { recursive: true });
      if (i % 2 === 0) await project.changes("src");
      project.write("src/deep/a.ts", `${i}`);
      await project.changes("src/deep/a.ts");
      await project.quiet();
      project.write("src/deep/a.ts", `${i}.`);
      await project.changes("src/deep/a.ts");
      await project.quiet();
    }
    await project.program.end();
  });

  test("that are moved in from elsewhere are watched, and moved out they are not", async () => {
    const project = new Project();
    await project.watch(runtime);
    const outside = `${project.folder}-outside`;
    mkdirSync(join(outside, "in"), { recursive: true });
    writeFileSync(join(outside, "in/x.ts"), "");
    renameSync(outside, project.path("moved"));
    await project.changes("moved/in/x.ts");
    renameSync(project.path("moved"), outside);
    await project.changes("moved");
    await project.quiet();
    writeFileSync(join(outside, "in/x.ts"), "2");
    expect(await project.quiet()).toEqual([]);
    await project.program.end();
  });

  test("a project that is replaced as a whole is watched again", async () => {
    const project = new Project(["src/a.ts"]);
    await project.watch(runtime);
    renameSync(project.folder, `${project.folder}-old`);
    await eventually(() => project.program.said("event").includes(project.folder), () => "nothing is told");
    project.write("src/a.ts", "2");
    await project.changes("src/a.ts");
    await project.quiet();
    project.write("src/a.ts", "3");
    await project.changes("src/a.ts");
    await project.program.end();
  });

  test("that are missing are a problem that is told, and are watched when they appear", async () => {
    const project = new Project();
    await project.watch(runtime, { folders: [".", "../other/lib"] });
    expect(await project.program.says("problem")).toBe(
      `there is no folder ${join(project.folder, "../other/lib")}; it is watched when it appears`,
    );
    mkdirSync(join(project.folder, "../other/lib"), { recursive: true });
    await project.quiet();
    writeFileSync(join(project.folder, "../other/lib/x.ts"), "");
    await project.program.says("event", join(project.folder, "../other/lib/x.ts"));
    await project.program.end();
  });
});

onEachKind("what is ignored", (runtime) => {
  test("is neither entered nor told of, and .env is told of all the same", async () => {
    const project = new Project(["src/a.ts", "out/x.ts", ".env"]);
    for (let i = 0; i < 300; i++) mkdirSync(project.path(`node_modules/m${i}`), { recursive: true });
    project.write(".gitignore", "out/\n.env\n");
    expect(await project.watch(runtime)).toBe(2);
    project.write("node_modules/m1/x.js");
    project.write("out/x.ts", "2");
    project.write("server.log");
    project.write(".git/index");
    expect(await project.quiet()).toEqual([]);
    project.write(".env", "A=1");
    await project.changes(".env");
    await project.program.end();
  });

  test("is watched when .gitignore says so no more, and the other way round", async () => {
    const project = new Project(["src/a.ts", "out/x.ts", "in/x.ts"]);
    project.write(".gitignore", "out/\n");
    expect(await project.watch(runtime)).toBe(3);
    project.write(".gitignore", "in/\nsrc/\n");
    await project.program.says("rescanned", 2);
    await project.quiet();
    project.write("in/x.ts", "2");
    project.write("out/x.ts", "2");
    await project.changes("out/x.ts");
    expect(await project.quiet()).toEqual(["out/x.ts"]);
    await project.program.end();
  });
});

onEachKind("files by name", (runtime) => {
  test("are told of in ignored folders, and nothing beside them", async () => {
    const project = new Project(["src/a.ts", "node_modules/x/data.json"]);
    await project.watch(runtime, { files: ["node_modules/x/data.json"] });
    project.write("node_modules/x/other.json");
    project.write("node_modules/x/data.json", "2");
    await project.changes("node_modules/x/data.json");
    expect(await project.quiet()).toEqual(["node_modules/x/data.json"]);
    await project.program.end();
  });

  test("need not be there yet, nor their folders, and may go and come back", async () => {
    const project = new Project();
    const file = "../conf/deep/extra.json";
    const path = join(project.folder, file);
    await project.watch(runtime, { files: [file] });
    for (let i = 0; i < 5; i++) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "1");
      await eventually(() => project.program.said("event").includes(path), () => `not told of in round ${i}`);
      await project.quiet();
      const before = project.program.said("event").filter((one) => one === path).length;
      const more = () => project.program.said("event").filter((one) => one === path).length;
      writeFileSync(path, "2");
      await eventually(() => more() > before, () => "a second writing is not told of");
      await project.quiet();
      const then = more();
      rmSync(join(project.folder, "../conf"), { recursive: true });
      await eventually(() => more() > then, () => "that it went is not told");
      await project.quiet();
    }
    await project.program.end();
  });
});

onEachKind("links", (runtime) => {
  test("are followed: to folders, to files, and to others when they are set anew", async () => {
    const project = new Project();
    const shared = `${project.folder}-shared`;
    mkdirSync(shared);
    for (const name of ["lib.ts", "one.ts", "two.ts"]) writeFileSync(join(shared, name), "1");
    symlinkSync(shared, project.path("linked"));
    symlinkSync(join(shared, "one.ts"), project.path("src/one.ts"));
    await project.watch(runtime);
    writeFileSync(join(shared, "lib.ts"), "2");
    await project.changes("linked/lib.ts");
    writeFileSync(join(shared, "one.ts"), "2");
    await project.changes("src/one.ts");
    await project.quiet();
    symlinkSync(join(shared, "two.ts"), project.path("src/new.ts"));
    renameSync(project.path("src/new.ts"), project.path("src/one.ts"));
    await project.changes("src/one.ts");
    await project.quiet();
    writeFileSync(join(shared, "two.ts"), "2");
    await project.changes("src/one.ts");
    await project.program.end();
  });

  test("in a circle come to an end", async () => {
    const project = new Project(["src/deep/a.ts"]);
    symlinkSync("../..", project.path("src/deep/up"));
    symlinkSync("nowhere", project.path("src/dangling"));
    expect(await project.watch(runtime)).toBe(3);
    project.write("src/deep/a.ts", "2");
    await project.changes("src/deep/a.ts");
    await project.program.end();
  });
});

/** A user that may not do everything, where the tests are run by one that may. */
const unprivileged = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

onEachKind("what cannot be watched", (runtime) => {
  test("is a problem that is told, and the rest is watched", async (context) => {
    const project = new Project(["src/a.ts", "secret/a.ts", "secret2/a.ts"]);
    const probe = spawnSync([...unprivileged, runtime.program, "--version"][0]!, [
      ...unprivileged.slice(1),
      ...(unprivileged.length > 0 ? [runtime.program] : []),
      "--version",
    ]);
    if (probe.status !== 0) return context.skip(`another user cannot run ${runtime.program}`);
    for (const folder of [directory, dirname(project.folder), project.folder]) chmodSync(folder, 0o777);
    for (const folder of ["secret", "secret2"]) chmodSync(project.path(folder), 0o000);
    await project.watch(runtime, { before: unprivileged, env: { HOME: directory, DENO_DIR: join(directory, "deno") } });
    expect(await project.program.says("problem")).toBe(
      `changes in 2 folders (${project.path("secret")} and more) are not seen, because it may not be read`,
    );
    chmodSync(project.path("src/a.ts"), 0o666);
    project.write("src/a.ts", "2");
    await project.changes("src/a.ts");
    await project.program.end();
  });

  test("for the system's limit tells how to raise it", async (context) => {
    const limited = [
      "unshare",
      "--user",
      "--map-root-user",
      "sh",
      "-c",
      'echo 20 > /proc/sys/user/max_inotify_watches; exec "$@"',
      "sh",
    ];
    const probe = spawnSync(limited[0]!, [...limited.slice(1), "true"], { encoding: "utf8" });
    if (probe.status !== 0 || probe.stderr !== "") return context.skip("this system gives no user namespaces");
    const project = new Project(Array.from({ length: 50 }, (_, i) => `src/m${i}/a.ts`));
    await project.watch(runtime, { before: limited });
    expect(await project.program.says("problem")).toMatch(
      /^the system lets us watch no more folders: \d+ are watched, and changes in \d+ folders \(.* and more\) are not seen; raise the limit with: sudo sysctl fs\.inotify\.max_user_watches=\d+/,
    );
    await project.quiet();
    await project.program.end();
  });

  test("after close() nothing is told", async () => {
    const project = new Project();
    await project.watch(runtime);
    project.program.write("close");
    expect(await project.program.says("closed")).toBe(0);
    project.write("src/a.ts", "2");
    await project.program.end();
    expect(project.program.said("event")).toEqual([]);
    expect(project.program.stderr).toBe("");
  });
});
