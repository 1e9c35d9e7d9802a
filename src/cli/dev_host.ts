// What `tricorn runserver` asks of the system beyond what every command does: watching files, the keys of the terminal, the
// browser, who holds a port, a certificate. Implemented once for all runtimes (adapters/dev_host.ts), loaded by it alone.

import type { OpenFileBelow } from "../handler/middleware/static.ts";

/** What is watched, and who is told. */
export interface WatchRequest {
  /** Absolute paths; each is watched with all that is below it. One that does not exist is a problem, not an error. */
  readonly folders: readonly string[];
  /** Absolute paths of files that count wherever they are, whatever `ignored` says; they need not exist yet. */
  readonly files: readonly string[];
  /** Asked for each folder before it is entered and for each file that changed, never for `folders` and `files`. */
  readonly ignored: (path: string, isFolder: boolean) => boolean;
  /**
   * Called with the absolute path of each file that appeared, changed or went, often several times for one change; of a
   * folder that went, with its own. When very many change at once, it is not called for each on Deno, which drops some.
   */
  readonly onEvent: (path: string) => void;
  /** Called with a sentence, once for each kind of problem: what is not watched, and the remedy. Watching goes on. */
  readonly onProblem: (sentence: string) => void;
}

/** Folders that are watched. */
export interface Watch {
  /** How many folders are watched. */
  readonly size: number;
  /** Asks `ignored` again for every folder, because the rules changed. Resolves when that is done; tells of no file. */
  rescan(): Promise<void>;
  /** Ends it; nothing is told afterwards. */
  close(): void;
}

/** A process that has a port. */
export interface PortHolder {
  readonly pid: number;
  /** Its command line, cut to 100 characters, with no control characters: `node server.js`. */
  readonly command: string;
}

/** A certificate with its key, as files in PEM: for the settings certfile and keyfile. */
export interface DevCertificate {
  readonly certfile: string;
  readonly keyfile: string;
  /** Whether it was made just now, so that browsers will ask anew; false when it is that of an earlier run. */
  readonly isNew: boolean;
  /** Why it will not be kept for the next run (a sentence without an end); null when it will. */
  readonly problem: string | null;
}

export interface DevHost {
  /** Loads what importing an application will take, on a runtime that has not got it. Never rejects. */
  warmUp(): Promise<void>;
  /**
   * Watches. Resolves when all is watched: what changes from then on is told, and nothing that was there before. What
   * changed while it was looking is told, too. Never rejects: what cannot be watched is a problem.
   */
  watch(request: WatchRequest): Promise<Watch>;
  /**
   * Reads single keys from the terminal until the returned function is called, which leaves the terminal as it was; so
   * does the end of this process, unless a signal ends it that nobody listens to. Null when standard input is no terminal,
   * or this process is in the background.
   *
   * A key is the character it types (`"r"`, `"R"`, `"é"`); an arrow or function key is one string, its escape sequence.
   * Ctrl-C, Ctrl-\ and Ctrl-Z are no keys: they are the signals that they always are (SIGINT, SIGQUIT, SIGTSTP), to all
   * processes of the terminal's group, and after `fg` the keys work again. Ctrl-D is `"\x04"`.
   */
  keys(onKey: (key: string) => void): (() => void) | null;
  /** Opens `url` in the user's browser (BROWSER is honoured): null, or what is wrong, in a sentence without an end. */
  openBrowser(url: string): Promise<string | null>;
  /** Who listens on a TCP port of this machine; null where the system does not tell (another user's, in a container). */
  portHolder(port: number): Promise<PortHolder | null>;
  /** The files, by absolute paths, that standard output and standard error are, where the system tells (Linux). */
  outputFiles(): readonly string[];
  /** The text of a file; null when it cannot be read, is no text file in UTF-8, or is larger than 2 MB. */
  readSource(path: string): string | null;
  /**
   * What Node says of the syntax of a `.js`, `.cjs` or `.mjs` file, as it begins a stack, with the place of the mistake; its
   * import() does not tell that. Null when it finds nothing wrong, and on Deno and Bun, whose imports do tell.
   */
  checkSyntax(path: string): Promise<string | null>;
  /** The variables in the text of a `.env` file; none on Node before 20.12, which cannot read it. */
  parseEnv(text: string): Readonly<Record<string, string>>;
  /** Opens a file for the static files of a site: never one outside of `root`. */
  readonly openFileBelow: OpenFileBelow;
  /** Whether there is a file or a folder of that name. */
  exists(path: string): boolean;
  /**
   * A self-signed certificate for localhost, the loopback addresses and `names` (DNS names and IP addresses; a subdomain of
   * localhost must be among them). It is kept in the user's cache folder (XDG_CACHE_HOME/tricorn, ~/.cache/tricorn), one for
   * each set of names, and used again while it is valid for a day more, so that an exception made in a browser lasts. Where
   * it cannot be kept, it is a temporary file that goes with this process.
   *
   * @throws {RangeError} when one of `names` is neither.
   * @throws {Error} the system's, when not even a temporary file can be written.
   */
  certificate(names: readonly string[]): Promise<DevCertificate>;
}
