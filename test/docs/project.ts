// A document's blocks as one project: its folder, with the packages that a user would have; its commands, run there; and
// its applications, served on each runtime.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { ROOT } from "../support/runtimes.ts";
import { type Block, environment, fileOf, freePort, linkPackages, missing, output, Served } from "./support.ts";

export const KINDS = ["node", "deno", "bun"] as const;
export type Kind = (typeof KINDS)[number];

/** How `tricorn` is started in a project; Deno may what the documents let it. */
export const TRICORN: Readonly<Record<Kind, string>> = {
  node: "node ./node_modules/.bin/tricorn",
  deno: "deno run --no-prompt --allow-net --allow-read --allow-env --allow-write --allow-run npm:tricorn",
  bun: "bun run ./node_modules/.bin/tricorn",
};

/** The project of the document `name`; remove it at the end. */
export class DocumentProject {
  readonly folder: string;

  private constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `tricorn-${name}-`));
    writeFileSync(join(this.folder, "package.json"), '{ "name": "shop", "type": "module" }\n');
    linkPackages(this.folder, ["hono", "ignore", "mrmime", "@jridgewell", "@swc", "@types", "bun-types"]);
  }

  /** With the package as npm installs it. */
  static async make(name: string): Promise<DocumentProject> {
    const project = new DocumentProject(name);
    const package_ = project.path("node_modules/tricorn");
    await output(`node --import ./adapters/strip_types.js scripts/build.ts ${package_}`, ROOT, environment("node"));
    mkdirSync(project.path("node_modules/.bin"));
    symlinkSync("../tricorn/adapters/bin.js", project.path("node_modules/.bin/tricorn"));
    return project;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): void {
    writeFileSync(this.path(name), text);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** No control socket in the home of whoever runs the tests: it is in the project. */
  env(command: string): NodeJS.ProcessEnv {
    return { ...environment(command), XDG_RUNTIME_DIR: this.folder };
  }

  /** What a command that ends by itself writes. @throws {Error} when its exit code is not 0. */
  run(command: string): Promise<string> {
    return output(command, this.folder, this.env(command));
  }

  /** Starts a command that serves; for 8000 it has a port of its own. */
  async start(command: string, ready = "Listening at:"): Promise<Served> {
    const port = await freePort();
    const { folder } = this;
    return new Served({ command: command.replaceAll("8000", `${port}`), folder, port, env: this.env(command), ready });
  }

  /** Starts a command, looks at what it does, and ends it with SIGTERM, which has to be an end in peace. */
  async serving(command: string, check: (served: Served) => Promise<void>): Promise<void> {
    const served = await this.start(command);
    try {
      await check(served);
      const end = await served.stop();
      if (end !== 0) throw new Error(`it ended with ${end}:\n${served.stderr}`);
    } finally {
      served.destroy();
    }
  }
}

/** A test for each command of a block, which ends by itself. */
export function eachEnds(project: () => DocumentProject, check: (output: string) => void): (block: Block) => void {
  return ({ lines }) => {
    for (const line of lines) {
      const why = missing(line);
      if (why === null) test(line, async () => check(await project().run(line)));
      else test.skip(`${line}: ${why}`, () => {});
    }
  };
}

/** `tricorn serve` of a block's file, on each runtime. */
export function servedBy(
  project: () => DocumentProject,
  check: (served: Served) => Promise<void>,
): (block: Block) => void {
  return (block) => {
    for (const kind of KINDS) {
      const why = missing(kind);
      if (why !== null) test.skip(`${kind}: ${why}`, () => {});
      else {
        const command = `${TRICORN[kind]} serve ${fileOf(block)[0]} --bind 127.0.0.1:8000`;
        test(`on ${kind}`, () => project().serving(command, check));
      }
    }
  };
}
