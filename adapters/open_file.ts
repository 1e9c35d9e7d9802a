// Files of the disk for the handler: FileResponse sends them, StaticFilesMiddleware finds them. By node:fs on all runtimes.

import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { basename, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { FileLike } from "../src/handler/file_response.ts";

const CHUNK = 65_536;
// Without it, opening a named pipe would wait for somebody who writes to it.
const NO_WAITING = constants.O_NONBLOCK ?? 0;
const NO_LINK = constants.O_NOFOLLOW ?? 0;

/**
 * Opens a file to be read: `new FileResponse(await openFile(path))`. Whoever opens it closes it, as a response does.
 *
 * The path is taken as it is: where a client has a say in it, use {@link openFileBelow}.
 *
 * @throws {Error} the system's, for example with `code` "ENOENT"; and one for what is no regular file.
 */
export async function openFile(path: string): Promise<FileLike> {
  const file = await openRegular(path, constants.O_RDONLY | NO_WAITING, resolve(path));
  if (file === null) throw new Error(`${path} is not a regular file: a response can only be made of one`);
  return file;
}

/**
 * Opens the file `path` of the folder `root`, or gives null when there is none. It is never one outside of `root`, by
 * whatever `..` or symbolic link; and never a folder, pipe or device.
 *
 * @throws {Error} the system's, when it is neither missing nor forbidden: too many open files, for example.
 */
export async function openFileBelow(root: string, path: string): Promise<FileLike | null> {
  if (path.includes("\0")) return null;
  const whole = join(root, path);
  try {
    const real = await realpath(whole);
    const below = relative(await realpath(root), real);
    if (below === "" || below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below)) return null;
    return await openRegular(real, constants.O_RDONLY | NO_WAITING | NO_LINK, resolve(whole));
  } catch (error) {
    if (NONE.has(String((error as { code?: unknown }).code))) return null;
    throw error;
  }
}

/** What says that there is no such file for us. */
const NONE: ReadonlySet<string> = new Set([
  "ENOENT",
  "ENOTDIR",
  "EISDIR",
  "EACCES",
  "EPERM",
  "ELOOP",
  "ENAMETOOLONG",
  "ENXIO",
]);

/** @param shown what the file's path is said to be: links in it are whoever's who opens it by that */
async function openRegular(path: string, flags: number, shown: string): Promise<FileLike | null> {
  const handle = await open(path, flags);
  try {
    const stat = await handle.stat();
    if (stat.isFile()) return new OpenFile(handle, basename(path), shown, stat.size, stat.mtime);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return null;
}

class OpenFile implements FileLike {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly mtime: Date;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, name: string, path: string, size: number, mtime: Date) {
    this.#handle = handle;
    this.name = name;
    this.path = path;
    this.size = size;
    this.mtime = mtime;
  }

  async *slice(start: number, end: number): AsyncIterableIterator<Uint8Array> {
    for (let at = start; at < end;) {
      // A new one each time: the last may not have been sent yet.
      const chunk = new Uint8Array(Math.min(CHUNK, end - at));
      const { bytesRead } = await this.#handle.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      yield bytesRead === chunk.length ? chunk : chunk.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
