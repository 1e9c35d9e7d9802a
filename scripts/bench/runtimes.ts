// Which runtimes there are on this machine, and how each starts a TypeScript file.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

export type RuntimeName = "node" | "bun" | "deno";

export interface RuntimeBinary {
  readonly name: RuntimeName;
  /** For `--runtimes`: node20, bun, deno. */
  readonly key: string;
  readonly version: string;
  /** The words before the script's name. */
  readonly command: readonly string[];
}

/** Finds this Node, those in test/nodes and in `extraNodes`, Bun and Deno. */
export function findRuntimes(root: string, extraNodes: readonly string[]): RuntimeBinary[] {
  const nodes = join(root, "test/nodes/node_modules");
  const downloaded = existsSync(nodes) ? readdirSync(nodes).map((name) => join(nodes, name, "bin/node")) : [];
  // The first of a major version counts.
  const runtimes: RuntimeBinary[] = [];
  for (const path of [...extraNodes, process.execPath, ...downloaded.filter(existsSync)]) {
    const node = findNode(root, path);
    if (!runtimes.some(({ key }) => key === node.key)) runtimes.push(node);
  }
  runtimes.sort((a, b) => a.key.localeCompare(b.key));
  const bun = join(root, "node_modules/.bin/bun");
  const deno = join(root, "node_modules/.bin/deno");
  // Asked for the real binary: what a package puts into .bin may be a script whose CPU time says nothing.
  if (existsSync(bun)) {
    const [path, version] = ask(bun, ["-e", "console.log(process.execPath + '\\n' + Bun.version)"]);
    runtimes.push({
      name: "bun",
      key: "bun",
      version: `Bun ${version}`,
      command: [path],
    });
  }
  if (existsSync(deno)) {
    const [path, version] = ask(deno, ["eval", "console.log(Deno.execPath() + '\\n' + Deno.version.deno)"]);
    runtimes.push({
      name: "deno",
      key: "deno",
      version: `Deno ${version}`,
      command: [path, "run", "-A", "--no-lock"],
    });
  }
  return runtimes;
}

function findNode(root: string, path: string): RuntimeBinary {
  const [version, strips] = ask(path, ["-p", "process.versions.node + '\\n' + Boolean(process.features.typescript)"]);
  return {
    name: "node",
    key: `node${version.split(".")[0]}`,
    version: `Node ${version}`,
    command: strips === "true" ? [path] : [path, "--import", join(root, "adapters/strip_types.js")],
  };
}

function ask(path: string, words: string[]): [string, string] {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const output = execFileSync(path, words, {
    encoding: "utf8",
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [first = "", second = ""] = output.split("\n");
  return [first, second];
}
