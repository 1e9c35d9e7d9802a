// What a watcher need not look at: what .gitignore says, and what no repository has but every project writes. A file that
// is left out here never causes a reload, so only what is surely no source is.

import gitignore from "ignore";

/** One .gitignore. */
interface Rules {
  /** Of the folder that it is in. */
  readonly folder: string;
  readonly text: string;
  /** What it says of a path below that folder; null when it says nothing. Folders end with a slash. */
  readonly verdict: (relative: string) => boolean | null;
}

/** Folders that are out wherever they are. Others whose name begins with a dot are too: tools keep their things there. */
const OUT_EVERYWHERE: ReadonlySet<string> = new Set(["node_modules", "bower_components", "__pycache__"]);
/** Those that are out at the top of a project, and may be source further below. */
const OUT_AT_THE_TOP: ReadonlySet<string> = new Set([
  "coverage",
  "logs",
  "tmp",
  "temp",
  "test-results",
  "playwright-report",
]);
/** A folder of this name is published (RFC 8615), and so has source. */
const WELL_KNOWN = ".well-known";

/** What applications write while they run, and compilers beside what they write. */
const OUT_FILES: readonly RegExp[] = [
  // Settings and caches of tools.
  /^\./,
  /\.log(?:\.\d+)?(?:\.gz)?$/i,
  /\.(?:pid|sock|lock)$/i,
  /\.(?:db|sqlite|sqlite3)(?:-(?:journal|wal|shm))?$/i,
  /\.tsbuildinfo$/,
  /^dump\.rdb$/,
  /^core\.\d+$/,
];

/** Changes that count although they end in .lock: packages were installed or taken away. */
const LOCK_FILES: ReadonlySet<string> = new Set(["deno.lock", "bun.lock", "yarn.lock"]);

/**
 * Nearly every .gitignore has .env, and what it sets changes the application. A changed .gitignore changes what is watched.
 */
const COUNTS = /^\.env(?:\.|$)|^\.gitignore$/;

/** The rules for some folders and what is below them. */
export class Ignored {
  readonly #folders: readonly string[];
  readonly #needed: readonly string[];
  readonly #readSource: (path: string) => string | null;
  /** By folder; null: it has no .gitignore. */
  readonly #rules = new Map<string, Rules | null>();
  /** What is above a folder of #folders and holds for it. */
  readonly #outer = new Map<string, readonly Rules[]>();
  readonly #verdicts = new Map<string, boolean>();

  /**
   * `folders` and `needed` are absolute paths with "/". A folder of `needed`, and what leads to it, is never out by a rule:
   * what a program was started with from an ignored dist/ is source.
   */
  constructor(
    folders: readonly string[],
    readSource: (path: string) => string | null,
    needed: readonly string[] = [],
  ) {
    // The nearest one first.
    this.#folders = [...folders, ...needed].sort((a, b) => b.length - a.length);
    this.#needed = needed;
    this.#readSource = readSource;
  }

  /** Whether an absolute path is left out; of a path outside of all the folders, no. */
  has(path: string, isFolder: boolean): boolean {
    const root = this.#rootOf(path);
    if (root === undefined) return false;
    if (!isFolder) return this.#fileHas(path, root);
    return this.#folderHas(path, root) && !this.#needed.some((folder) => folder === path || isBelow(folder, path));
  }

  /**
   * To be told of each path that has changed: whether it was a .gitignore whose rules are others now, so that what is
   * watched has to be gone through again.
   */
  changed(path: string): boolean {
    if (nameOf(path) !== ".gitignore") return false;
    const known = this.#rules.get(parentOf(path));
    if (known?.text === (this.#readSource(path) ?? undefined)) return false;
    this.#rules.clear();
    this.#outer.clear();
    this.#verdicts.clear();
    return true;
  }

  #rootOf(path: string): string | undefined {
    return this.#folders.find((folder) => isBelow(path, folder));
  }

  #fileHas(path: string, root: string): boolean {
    const parent = parentOf(path);
    // As git has it: what is in a folder that is out cannot be taken back in.
    if (parent !== root && this.#folderHas(parent, root)) return true;
    const name = nameOf(path);
    if (COUNTS.test(name)) return false;
    if (!LOCK_FILES.has(name) && OUT_FILES.some((pattern) => pattern.test(name))) return true;
    return this.#rulesHave(path, root);
  }

  /** The same for a folder, kept: it is asked for each file in it. */
  #folderHas(path: string, root: string): boolean {
    let verdict = this.#verdicts.get(path);
    if (verdict === undefined) {
      const parent = parentOf(path);
      verdict = parent !== root && this.#folderHas(parent, root) || isOut(nameOf(path), parent === root) ||
        this.#rulesHave(`${path}/`, root);
      this.#verdicts.set(path, verdict);
    }
    return verdict;
  }

  /** What the .gitignore files say, the nearest first: a nearer one overrules those above it. */
  #rulesHave(path: string, root: string): boolean {
    const folder = parentOf(path.endsWith("/") ? path.slice(0, -1) : path);
    const inner: Rules[] = [];
    for (let at = folder;; at = parentOf(at)) {
      const rules = this.#read(at);
      if (rules !== null) inner.push(rules);
      if (at === root) break;
    }
    return verdictOf([...inner, ...this.#above(root)], path) ?? false;
  }

  /** The rules between a folder of ours and its repository's top; none when they leave it out as a whole. */
  #above(root: string): readonly Rules[] {
    let outer = this.#outer.get(root);
    if (outer === undefined) {
      const found: Rules[] = [];
      let at = root;
      while (!this.#isTop(at) && at !== parentOf(at)) {
        at = parentOf(at);
        const rules = this.#read(at);
        if (rules !== null) found.push(rules);
      }
      // Above what is no repository there is nothing that is meant for it.
      outer = this.#isTop(at) && !isOutAsAWhole(found, root, at) ? found : [];
      this.#outer.set(root, outer);
    }
    return outer;
  }

  #isTop(folder: string): boolean {
    // In a worktree or a submodule it is a file.
    return this.#readSource(join(folder, ".git/HEAD")) !== null || this.#readSource(join(folder, ".git")) !== null;
  }

  #read(folder: string): Rules | null {
    let rules = this.#rules.get(folder);
    if (rules === undefined) {
      const text = this.#readSource(join(folder, ".gitignore"));
      rules = text === null ? null : parse(folder, text);
      this.#rules.set(folder, rules);
    }
    return rules;
  }
}

function parse(folder: string, text: string): Rules {
  // Git tells Build from build, unless its file system does not.
  const matcher = gitignore({ ignorecase: false }).add(text);
  return {
    folder,
    text,
    verdict(relative) {
      // A folder that it names was decided on already, and has been taken back in by a nearer file.
      const parent = parentOf(relative.replace(/\/$/, ""));
      if (parent !== "" && matcher.test(`${parent}/`).ignored) return null;
      const { ignored, unignored } = matcher.test(relative);
      return ignored ? true : unignored ? false : null;
    },
  };
}

function verdictOf(rules: readonly Rules[], path: string): boolean | null {
  for (const { folder, verdict } of rules) {
    const said = verdict(path.slice(join(folder, "").length));
    if (said !== null) return said;
  }
  return null;
}

/** Whether `folder` or what leads to it from `top` is out. */
function isOutAsAWhole(rules: readonly Rules[], folder: string, top: string): boolean {
  for (let at = folder; at !== top; at = parentOf(at)) {
    if (verdictOf(rules.filter((one) => isBelow(at, one.folder)), `${at}/`) === true) return true;
  }
  return false;
}

function isOut(name: string, atTheTop: boolean): boolean {
  return OUT_EVERYWHERE.has(name) || name.startsWith(".") && name !== WELL_KNOWN ||
    atTheTop && OUT_AT_THE_TOP.has(name);
}

function join(folder: string, name: string): string {
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(join(folder, "")) && path !== folder;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Of a relative path without a folder it is "". */
function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), path.startsWith("/") ? 1 : 0));
}
