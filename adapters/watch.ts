// Watches folders for `tricorn runserver`, with one watcher of the runtime for each folder that is not ignored.
// No policy: what is ignored, and what a change means, is decided in src/dev.
//
// Neither `recursive: true` nor chokidar. Of 20,000 files in 400 folders beside a node_modules of 30,000, the first watches
// what is ignored too (50,000 watchers, 2.5 s until it is ready on Node), and the second each file (20,000 watchers, 1.7 s; on
// Deno it lost 28 of 50 changes). This has 422 watchers and is ready in 0.1 s.

import { type Dirent, readdirSync, realpathSync, type Stats, statSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import type { Watch, WatchRequest } from "../src/cli/dev_host.ts";

/**
 * Milliseconds after which a path that was missing is looked for again: Bun drops an event that is like the last one, for 16
 * milliseconds, so that what is removed and made again is only told of as removed.
 */
const ONCE_MORE = 40;

/**
 * Milliseconds after which Deno has let go of a folder: until then a further watcher of the same path, which is another
 * folder's by now, is told of nothing.
 */
const LET_GO = 10;

/** So many events wait for a watcher on Deno; it loses more. */
const DENO_QUEUE = 16;
/** Milliseconds after so many, in which more would be told together with them. */
const CATCH_UP = 100;

const ON_DENO = "Deno" in globalThis;
const ON_BUN = "Bun" in globalThis;

/** Milliseconds in which problems are gathered into one sentence. */
const PROBLEMS_TOGETHER = 50;

/** Watches. Resolves when all is watched; see DevHost.watch. */
export function watchFolders(request: WatchRequest): Promise<Watch> {
  return Promise.resolve(new Watching(request));
}

interface Closable {
  close(): void;
}

/** Calls `onName` with the name in the folder, "" for the folder itself, or null for who knows what. May throw. */
type WatchFolder = (
  path: string,
  onName: (name: string | null) => void,
  onError: (error: unknown) => void,
) => Closable;

const watchFolder: WatchFolder = ON_DENO ? watchByDeno : watchByNode;

function watchByNode(...[path, onName, onError]: Parameters<WatchFolder>): Closable {
  return watch(path, (_, name) => {
    // A folder that goes says its own name.
    onName(name === basename(path) && statOf(join(path, name)) === null ? "" : name);
  }).on("error", onError);
}

/** Deno's node:fs tells each folder what happens anywhere below it, by the last name alone, as if it were in it. */
function watchByDeno(...[path, onName, onError]: Parameters<WatchFolder>): Closable {
  const watcher = Deno.watchFs(path, { recursive: false });
  // What a link leads to is told of by its own name.
  const real = realpathSync(path);
  (async () => {
    for await (const { kind, paths } of watcher) {
      // Somebody reads: a server would do that all the time.
      if (kind === "access") continue;
      for (const changed of paths) {
        if (changed === path || changed === real) onName("");
        else if (dirname(changed) === path || dirname(changed) === real) onName(basename(changed));
      }
    }
  })().catch(onError);
  return watcher;
}

interface Folder {
  /** What says that a folder of the same name is another one. */
  readonly id: string;
  readonly watcher: Closable;
}

/** A folder that is watched for some names in it only. */
interface Anchor extends Folder {
  /** What waits for an event of a name: the paths, each the name's or one that is still to appear below it. */
  readonly targets: Map<string, Set<string>>;
}

type Fault = "limit" | "denied" | "missing" | "other";

class Watching implements Watch {
  readonly #request: WatchRequest;
  readonly #folders = new Map<string, Folder>();
  /** Of the folders: links may lead in a circle. */
  readonly #ids = new Set<string>();
  readonly #anchors = new Map<string, Anchor>();
  /** What an anchor is for and was there when it was last looked for. */
  readonly #present = new Set<string>();
  /** From the real path of a file to the links that lead to it. */
  readonly #links = new Map<string, Set<string>>();
  /** Paths of which something was said in this turn. */
  #touched = new Set<string>();
  #touchedAnchors = new Map<Anchor, Set<string | null>>();
  readonly #problems = new Map<Fault, { path: string; reason: string; count: number }>();
  readonly #told = new Set<Fault>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #catchingUp: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(request: WatchRequest) {
    this.#request = request;
    for (const folder of request.folders) {
      // By the folder above it, since nothing else tells that it was replaced.
      this.#anchor(folder);
      this.#enter(folder, false);
      if (statOf(folder) === null) this.#problem("missing", folder, "");
    }
    for (const file of request.files) {
      this.#anchor(file);
      this.#follow(file);
    }
  }

  get size(): number {
    return this.#folders.size;
  }

  rescan(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    for (const folder of this.#request.folders) {
      if (this.#folders.has(folder)) this.#scan(folder, false);
      else this.#enter(folder, false);
    }
    return Promise.resolve();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#catchingUp);
    for (const { watcher } of [...this.#folders.values(), ...this.#anchors.values()]) watcher.close();
    this.#folders.clear();
    this.#anchors.clear();
  }

  /** Watches a folder and what is below it; `tell`: what is there appeared just now. */
  #enter(path: string, tell: boolean): void {
    const stat = statOf(path);
    if (stat === null || !stat.isDirectory()) return;
    const id = idOf(stat);
    if (this.#ids.has(id)) return;
    const onName = (name: string | null): void => name === null ? this.#lost(path) : this.#touch(join(path, name));
    const watcher = this.#watch(path, onName, () => this.#leave(path));
    if (watcher === null) return;
    this.#folders.set(path, { id, watcher });
    this.#ids.add(id);
    // Afterwards, so that a file is either found now or told of later.
    this.#scan(path, tell);
  }

  /**
   * Enters the folders in a folder that is watched, and leaves those that are ignored by now; `tell`: what is there, or in
   * folders that were not watched, appeared just now.
   */
  #scan(path: string, tell: boolean | "folders"): void {
    let entries: Dirent[];
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch (error) {
      if (!isGone(error)) this.#fault(path, error);
      return;
    }
    for (const entry of entries) {
      const child = join(path, entry.name);
      const isLink = entry.isSymbolicLink();
      if (isLink ? isFolder(child) : entry.isDirectory()) {
        if (this.#request.ignored(child, true)) this.#leave(child);
        else if (!this.#folders.has(child)) this.#enter(child, tell !== false);
        else if (tell !== "folders") this.#scan(child, tell);
      } else if ((tell === true || isLink) && !this.#request.ignored(child, false)) {
        if (isLink) this.#follow(child);
        if (tell === true) this.#tell(child);
      }
    }
  }

  /** Watches a folder no more, nor what is below it. */
  #leave(path: string): void {
    if (!this.#folders.has(path)) return;
    for (const [below, { id, watcher }] of this.#folders) {
      if (below !== path && !below.startsWith(join(path, "/"))) continue;
      watcher.close();
      this.#folders.delete(below);
      this.#ids.delete(id);
    }
  }

  /** Watches for a path that need not exist, by the nearest folder above it that does. */
  #anchor(target: string): void {
    for (;;) {
      let name = target;
      let folder = dirname(target);
      while (!isFolder(folder) && folder !== dirname(folder)) {
        name = folder;
        folder = dirname(folder);
      }
      const anchor = this.#anchors.get(folder) ?? this.#makeAnchor(folder);
      if (anchor === null) {
        if (isFolder(folder)) return;
        // It went just now.
        continue;
      }
      // What appeared before it was watched for would never be seen.
      if (name !== target && isFolder(name)) continue;
      const targets = anchor.targets.get(basename(name)) ?? new Set();
      anchor.targets.set(basename(name), targets.add(target));
      return this.#note(target);
    }
  }

  #makeAnchor(folder: string): Anchor | null {
    const stat = statOf(folder);
    if (stat === null) return null;
    const watcher = this.#watch(folder, (name) => this.#touchAnchor(anchor, name), () => this.#anchors.delete(folder));
    if (watcher === null) return null;
    const anchor: Anchor = { id: idOf(stat), watcher, targets: new Map() };
    this.#anchors.set(folder, anchor);
    return anchor;
  }

  /** The same for one that was watched for elsewhere; it has changed, unless it is still to appear. */
  #anchorAnew(target: string): void {
    const was = this.#present.has(target);
    this.#anchor(target);
    if (was || this.#present.has(target)) this.#changed(target);
  }

  #note(target: string): void {
    if (statOf(target) === null) this.#present.delete(target);
    else this.#present.add(target);
  }

  /** Watches what a link to a file leads to: writing there changes nothing in the link's folder. */
  #follow(link: string): void {
    let real: string;
    try {
      real = realpathSync(link);
    } catch {
      return;
    }
    if (real === link) return;
    const links = this.#links.get(real);
    if (links !== undefined) links.add(link);
    else {
      this.#links.set(real, new Set([link]));
      this.#anchor(real);
    }
  }

  #touch(path: string): void {
    this.#soon();
    this.#touched.add(path);
  }

  #touchAnchor(anchor: Anchor, name: string | null): void {
    this.#soon();
    const names = this.#touchedAnchors.get(anchor) ?? new Set();
    this.#touchedAnchors.set(anchor, names.add(name));
  }

  /** Each path is looked at once for all that was said of it in this turn. */
  #soon(): void {
    if (this.#touched.size + this.#touchedAnchors.size > 0) return;
    setImmediate(() => {
      const [paths, anchors] = [this.#touched, this.#touchedAnchors];
      if (ON_DENO && paths.size >= DENO_QUEUE) this.#catchUp();
      this.#touched = new Set();
      this.#touchedAnchors = new Map();
      for (const path of paths) if (!this.#closed) this.#look(path);
      for (const [anchor, names] of anchors) if (!this.#closed) this.#lookFrom(anchor, names);
    });
  }

  /** Something happened to a path in a folder that is watched. */
  #look(path: string): void {
    const stat = statOf(path);
    if (stat?.isDirectory()) {
      const known = this.#folders.get(path);
      // Its own rights or times.
      if (known?.id === idOf(stat)) return;
      this.#leave(path);
      if (known !== undefined && ON_DENO) this.#later(LET_GO, () => this.#look(path));
      else if (this.#request.folders.includes(path) || !this.#request.ignored(path, true)) this.#enter(path, true);
    } else if (this.#folders.has(path)) {
      this.#leave(path);
      this.#tell(path);
      this.#onceMore(path, () => this.#look(path));
    } else if (stat !== null || statOf(dirname(path)) !== null) {
      // Otherwise the folder has gone, and says its own name when it goes.
      if (this.#request.ignored(path, false)) return;
      if (stat !== null) this.#follow(path);
      this.#tell(path);
      if (stat === null) this.#onceMore(path, () => this.#look(path));
    }
  }

  #onceMore(path: string, look: () => void): void {
    if (!ON_BUN) return;
    this.#later(ONCE_MORE, () => {
      if (statOf(path) !== null) look();
    });
  }

  #later(milliseconds: number, callback: () => void): void {
    setTimeout(() => {
      if (!this.#closed) callback();
    }, milliseconds);
  }

  /** Something happened in a folder, and the system does not say to what. */
  #lost(folder: string): void {
    this.#tell(folder);
    this.#catchUp();
  }

  /** Looks for folders of which nothing was told, because too much happened at once. */
  #catchUp(): void {
    clearTimeout(this.#catchingUp);
    this.#catchingUp = setTimeout(() => {
      for (const path of [...this.#folders.keys()]) if (!this.#closed) this.#look(path);
      for (const path of [...this.#folders.keys()]) {
        if (!this.#closed) this.#scan(path, "folders");
      }
    }, CATCH_UP);
  }

  /** Something happened to names in the folder of an anchor, or to the folder. */
  #lookFrom(anchor: Anchor, names: ReadonlySet<string | null>): void {
    const folder = [...this.#anchors].find(([, one]) => one === anchor)?.[0];
    if (folder === undefined) return;
    const stat = statOf(folder);
    if (stat === null || idOf(stat) !== anchor.id) {
      anchor.watcher.close();
      this.#anchors.delete(folder);
      const targets = [...anchor.targets.values()].flatMap((targets) => [...targets]);
      return this.#later(ON_DENO ? LET_GO : 0, () => targets.forEach((target) => this.#anchorAnew(target)));
    }
    for (const [name, targets] of [...anchor.targets]) {
      if (!names.has(name) && !names.has(null)) continue;
      for (const target of [...targets]) {
        if (join(folder, name) === target) this.#changed(target);
        else {
          targets.delete(target);
          this.#anchorAnew(target);
        }
        if (statOf(target) === null) this.#onceMore(target, () => this.#anchorAnew(target));
      }
      if (targets.size === 0) anchor.targets.delete(name);
    }
    if (anchor.targets.size === 0 && this.#anchors.get(folder) === anchor) {
      anchor.watcher.close();
      this.#anchors.delete(folder);
    }
  }

  /** A path of the request, or one that a link leads to, has changed. */
  #changed(target: string): void {
    this.#note(target);
    if (this.#request.folders.includes(target)) this.#look(target);
    if (this.#request.files.includes(target)) {
      this.#follow(target);
      this.#tell(target);
    }
    for (const link of this.#links.get(target) ?? []) {
      // The link may lead elsewhere by now, or be gone.
      if (statOf(link) === null) this.#links.get(target)!.delete(link);
      else this.#tell(link);
    }
  }

  #tell(path: string): void {
    if (!this.#closed) this.#request.onEvent(path);
  }

  #watch(path: string, onName: (name: string | null) => void, onFault: () => void): Closable | null {
    try {
      return watchFolder(path, (name) => {
        if (!this.#closed) onName(name);
      }, (error) => {
        if (this.#closed) return;
        onFault();
        if (!isGone(error)) this.#fault(path, error);
      });
    } catch (error) {
      if (!isGone(error)) this.#fault(path, error);
      return null;
    }
  }

  #fault(path: string, error: unknown): void {
    const { code, name, message } = error as { code?: string; name: string; message: string };
    if (code === "ENOSPC" || code === "EMFILE" || /watch limit/.test(message)) this.#problem("limit", path, message);
    else if (code === "EACCES" || code === "EPERM" || name === "NotCapable" || /ermission denied/.test(message)) {
      this.#problem("denied", path, message);
    } else this.#problem("other", path, message);
  }

  /** Each kind is told once, with how many there were at the time. */
  #problem(fault: Fault, path: string, reason: string): void {
    if (this.#told.has(fault)) return;
    const known = this.#problems.get(fault);
    if (known !== undefined) known.count++;
    else this.#problems.set(fault, { path, reason, count: 1 });
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const [fault, { path, reason, count }] of this.#problems) {
        this.#told.add(fault);
        this.#request.onProblem(this.#sentence(fault, path, reason, count));
      }
      this.#problems.clear();
    }, PROBLEMS_TOGETHER);
  }

  #sentence(fault: Fault, path: string, reason: string, count: number): string {
    const what = count === 1 ? path : `${count} folders (${path} and more)`;
    switch (fault) {
      case "limit":
        return `the system lets us watch no more folders: ${this.size} are watched, and changes in ${what} are not ` +
          `seen; ${LIMIT_REMEDY}`;
      case "denied":
        return `changes in ${what} are not seen, because it may not be read`;
      case "missing":
        return `there is no folder ${what}; it is watched when it appears`;
      case "other":
        return `changes in ${what} are not seen: ${reason}`;
    }
  }
}

const LIMIT_REMEDY = process.platform === "linux"
  ? "raise the limit with: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512"
  : "raise the limit with: ulimit -n 65536";

/** What is there, by links; null when nothing is, or nothing may be known of it. */
function statOf(path: string): Stats | null {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}

/** With the time of its birth: the number of what was removed is soon another's. */
function idOf({ dev, ino, birthtimeMs }: Stats): string {
  return `${dev}:${ino}:${birthtimeMs}`;
}

function isGone(error: unknown): boolean {
  const { code, message } = error as { code?: string; message: string };
  return code === "ENOENT" || code === "ENOTDIR" || /No such file|path was not found/i.test(message);
}
