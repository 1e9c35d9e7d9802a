// The kinds of response body, and the one place that tells them apart.

/** A piece of a body; a string is sent as UTF-8. */
export type Chunk = string | Uint8Array;

/** A file as a body, made by `environ["esgi.file_wrapper"]`: an async iterable that a server may recognise. */
export class FileWrapper implements AsyncIterable<Uint8Array> {
  /** The file's bytes. */
  readonly file: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
  /** The size in bytes in which the maker would like the file read; advice only. */
  readonly chunkSize: number;

  constructor(file: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>, chunkSize = 65_536) {
    this.file = file;
    this.chunkSize = chunkSize;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    this.#iterator = Symbol.asyncIterator in this.file
      ? (this.file as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
      : iterateStream(this.file);
    return this.#iterator;
  }
  #iterator: AsyncIterator<Uint8Array> | null = null;

  /** Releases the file; called by the server exactly once. */
  async close(): Promise<void> {
    await this.#iterator?.return?.();
    const file = this.file as { close?: () => unknown; cancel?: () => Promise<void>; locked?: boolean };
    if (typeof file.close === "function") await file.close();
    else if (typeof file.cancel === "function" && file.locked !== true) await file.cancel();
  }
}

/** A connection that an application took over with "101 Switching Protocols" (RFC 9110 §15.2.2). */
export interface Duplex extends AsyncIterable<Uint8Array> {
  /** The next bytes, or null after the peer's end. Rejects when the connection broke. */
  read(): Promise<Uint8Array | null>;
  /** Sends `chunk`; a promise means that the peer reads slowly: wait for it before writing more. */
  write(chunk: Chunk): void | Promise<void>;
  /** Sends what was written, then ends this side. */
  end(): void;
  /** Aborted when the connection has gone. */
  readonly signal: AbortSignal;
}

/** Takes the connection over after "101 ..."; the connection is closed when it returns or its promise settles. */
export type Upgraded = (socket: Duplex) => void | Promise<void>;

/**
 * What an application returns. A whole string or Uint8Array is the common case, and gets a Content-Length and one
 * write; a Uint8Array of 64 KiB or more is not copied, and must not be changed until the response has ended. A body with `close()` has it called exactly once, whatever happens; one without, its iterator's `return()`.
 */
export type Body =
  | null
  | Chunk
  | Iterable<Chunk>
  | AsyncIterable<Chunk>
  | ReadableStream<Uint8Array>
  | FileWrapper
  | Upgraded;

/** Iterates a ReadableStream where the runtime's own is not async-iterable; `return` cancels it. */
export function iterateStream<T>(stream: ReadableStream<T>): AsyncIterableIterator<T> {
  const reader = stream.getReader();
  return {
    async next(): Promise<IteratorResult<T>> {
      const result = await reader.read();
      return result.done ? { done: true, value: undefined } : { done: false, value: result.value };
    },
    async return(): Promise<IteratorResult<T>> {
      await reader.cancel();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator](): AsyncIterableIterator<T> {
      return this;
    },
  };
}
