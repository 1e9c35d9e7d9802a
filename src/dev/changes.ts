// From the events of a watcher to changes worth a reload: an editor's save is a handful of events, a git checkout thousands,
// and each is one batch here. What editors leave beside a file while they save it never counts.

/** What has changed, together. */
export interface Batch {
  /** Absolute paths, each once, in the order in which they were first told of. */
  readonly paths: readonly string[];
  /** All of them are style sheets, which a page can exchange without being loaded again. */
  readonly styles: boolean;
  /** When the first of them was told of, in milliseconds since the epoch. */
  readonly at: number;
}

/** What this needs of time; the global one by default. */
export interface Clock {
  now(): number;
  /** Calls `callback` once after `milliseconds`, unless the returned function was called. */
  after(milliseconds: number, callback: () => void): () => void;
}

export interface ChangesOptions {
  readonly onBatch: (batch: Batch) => void;
  /**
   * Called with the paths of a batch that has to wait, because they changed again right after each of the last reloads: it
   * must be the application that writes them. Once for each path, until it has changed at another time.
   */
  readonly onEndless?: (paths: readonly string[]) => void;
  readonly clock?: Clock;
}

/** Milliseconds without an event that end a batch: an editor is done within a few. */
export const QUIET = 20;
/** Milliseconds after which a batch ends although events keep coming. */
export const LONGEST = 200;
/** Reloads in a row that a path must follow before it is taken for the application's own. */
export const ENDLESS = 5;
/** Milliseconds that such a path waits: a reload for each of its changes would leave the machine no rest. */
export const PAUSE = 1000;
/** Milliseconds after the start of a reload, in which a change may be the new code's doing. */
const WHILE_LOADING = 2000;
/** The same after its end: a page that refreshed makes its requests. */
const ONCE_READY = 500;

const systemClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Gathers changes into batches. */
export class Changes {
  readonly #onBatch: (batch: Batch) => void;
  readonly #onEndless: (paths: readonly string[]) => void;
  readonly #clock: Clock;
  readonly #paths = new Set<string>();
  #at = 0;
  #cancelQuiet: () => void = () => {};
  #cancelLongest: () => void = () => {};
  /** How many reloads have ended. */
  #reloads = 0;
  #loadingSince: number | null = null;
  /** There was a batch while another one was being loaded: its turn comes next. */
  #waiting = false;
  #readyAt: number | null = null;
  /** After which reloads in a row a path has changed; the last of them and how many. */
  readonly #streaks = new Map<string, { last: number; count: number; told: boolean }>();

  constructor({ onBatch, onEndless = () => {}, clock = systemClock }: ChangesOptions) {
    this.#onBatch = onBatch;
    this.#onEndless = onEndless;
    this.#clock = clock;
  }

  /** A file appeared, changed or went. */
  add(path: string): void {
    if (isTemporary(path)) return;
    if (this.#paths.size === 0) {
      this.#at = this.#clock.now();
      this.#cancelLongest = this.#clock.after(LONGEST, () => this.#end());
    }
    this.#paths.add(path);
    this.#cancelQuiet();
    this.#cancelQuiet = this.#clock.after(QUIET, () => this.#end());
  }

  /**
   * A reload has ended, well or not. What changed while it was on its way is the next one's, which begins now. Without these
   * calls no batch is taken for the application's own.
   */
  ready(): void {
    this.#reloads++;
    this.#readyAt = this.#clock.now();
    this.#loadingSince = this.#waiting ? this.#readyAt : null;
    this.#waiting = false;
  }

  /** Forgets what is gathered, and gathers no more. */
  close(): void {
    this.#cancel();
    this.#paths.clear();
    this.add = () => {};
  }

  #cancel(): void {
    this.#cancelQuiet();
    this.#cancelLongest();
  }

  #end(): void {
    this.#cancel();
    const paths = [...this.#paths];
    const at = this.#at;
    const waited = this.#clock.now() - at;
    // Never dropped: it may have been a person after all, or a program that writes for one.
    if (waited < PAUSE && this.#isEndless(paths, at)) {
      this.#cancelLongest = this.#clock.after(PAUSE - waited, () => this.#end());
      return;
    }
    this.#paths.clear();
    if (this.#loadingSince === null) this.#loadingSince = this.#clock.now();
    else this.#waiting = true;
    this.#onBatch({ paths, styles: paths.every((path) => /\.css$/i.test(path)), at });
  }

  #isEndless(paths: readonly string[], at: number): boolean {
    const soon = this.#loadingSince === null
      ? this.#readyAt !== null && at - this.#readyAt <= ONCE_READY
      : at - this.#loadingSince <= WHILE_LOADING;
    if (!soon || this.#reloads === 0) {
      for (const path of paths) this.#streaks.delete(path);
      return false;
    }
    for (const path of paths) {
      const streak = this.#streaks.get(path);
      if (streak === undefined || streak.last < this.#reloads - 1) {
        this.#streaks.set(path, { last: this.#reloads, count: 1, told: false });
      } else if (streak.last < this.#reloads) {
        streak.last = this.#reloads;
        streak.count++;
      }
    }
    if (!paths.every((path) => this.#streaks.get(path)!.count >= ENDLESS)) return false;
    const untold = paths.filter((path) => !this.#streaks.get(path)!.told);
    for (const path of untold) this.#streaks.get(path)!.told = true;
    if (untold.length > 0) this.#onEndless(untold);
    return true;
  }
}

/** Names of files that are there for a moment, or for an editor alone. */
const TEMPORARY: readonly RegExp[] = [
  // Backups; those of vim, of Emacs (auto-save and lock), of JetBrains (safe write), of Kate, gedit, LibreOffice and Chrome.
  /~$/,
  /\.bak$/i,
  /^\d{4}$/,
  /^\..*\.sw[a-px]$/,
  /^#.*#$/,
  /^\.#/,
  /___jb_(?:tmp|old|bak)___$/,
  /\.kate-swp$/,
  /^\.goutputstream-/,
  /^\.~lock\./,
  /\.crswap$/,
  // What tools write before they rename it: "x.tmp", "x.tmp.123", "x.tmp-1a2b", "x.1234567890" (npm), "sedAbCdEf" (sed -i).
  /\.te?mp$/i,
  /\.tmp[.-][\da-z-]*\d[\da-z-]*$/i,
  /\.\d{6,}$/,
  /^sed[A-Za-z0-9]{6}$/,
  // Vite bundles its configuration there.
  /\.timestamp-\d+-[\da-f]+\.mjs$/,
  // The file managers of macOS and Windows.
  /^\.DS_Store$/,
  /^\._/,
  /^Thumbs\.db$/i,
];

/** Whether a path is that of a file which an editor or a tool makes only in passing. */
export function isTemporary(path: string): boolean {
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  return TEMPORARY.some((pattern) => pattern.test(name));
}
