// The disk for uploaded files, on all three runtimes: one temporary file each, which nobody else can read or guess, and
// which is deleted at the end of its request. What is uploaded when is src/handler's business.

import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileStorage, StoredFile } from "../src/handler/uploads.ts";

/** Bytes that are read at once. */
const CHUNK_SIZE = 65_536;

/**
 * For the setting FILE_UPLOAD_STORAGE: files in FILE_UPLOAD_TEMP_DIR, or the system's folder for temporary files. A
 * process that is killed leaves what it had there; the names begin with "tricorn-" and end with ".upload".
 */
export const temporaryFileStorage: FileStorage = {
  async create(directory) {
    const path = join(directory ?? tmpdir(), `tricorn-${randomUUID()}.upload`);
    // "x": a file or link of that name is never written to.
    return new TemporaryFile(path, await open(path, "wx", 0o600));
  },
};

class TemporaryFile implements StoredFile {
  readonly #path: string;
  #handle: FileHandle | null;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  async write(chunk: Uint8Array): Promise<void> {
    // A full disk may take a part.
    for (let at = 0; at < chunk.length;) {
      at += (await this.#handle!.write(chunk, at, chunk.length - at)).bytesWritten;
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  async *open(): AsyncIterableIterator<Uint8Array> {
    const handle = await open(this.#path, "r");
    try {
      for (;;) {
        // A new one each time: the reader may keep it.
        const buffer = Buffer.allocUnsafeSlow(CHUNK_SIZE);
        const { bytesRead } = await handle.read(buffer, 0, CHUNK_SIZE, null);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.#path, { force: true });
  }
}
