// A body that somebody follows: to hear of its end, or to answer in its place while nothing of it has been sent.

import type { Body, Chunk } from "../esgi/body.ts";
import { iterateStream } from "../esgi/body.ts";

/** Who follows a body. */
export interface BodyWatcher {
  /** It is over: complete, failed, or closed before its end. Called once. */
  readonly ended?: () => void;
  /** It threw before its first chunk that is not empty; what is returned is sent instead. */
  readonly rescue?: (error: unknown) => Chunk;
}

/** `body`, followed by `watcher`. Of an upgraded connection it is the end when that has begun. */
export function watchBody(body: Body, watcher: BodyWatcher): Body {
  if (body === null || typeof body !== "object" || body instanceof Uint8Array) {
    watcher.ended?.();
    return body;
  }
  return new WatchedBody(body, watcher);
}

class WatchedBody implements AsyncIterable<Chunk> {
  readonly #body: Exclude<Body, null | Chunk>;
  readonly #watcher: BodyWatcher;
  #iterator: Iterator<Chunk> | AsyncIterator<Chunk> | null = null;
  /** The inner body has ended by itself: it is not to be ended again. */
  #ended = false;
  #over = false;

  constructor(body: Exclude<Body, null | Chunk>, watcher: BodyWatcher) {
    this.#body = body;
    this.#watcher = watcher;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk> {
    let begun = false;
    try {
      this.#iterator = iterate(this.#body);
      for (;;) {
        const next = await this.#iterator.next();
        if (next.done === true) {
          this.#ended = true;
          return;
        }
        begun ||= next.value.length > 0;
        yield next.value;
      }
    } catch (error) {
      this.#ended = true;
      if (begun || this.#watcher.rescue === undefined) throw error;
      yield this.#watcher.rescue(error);
    } finally {
      this.#end();
    }
  }

  /** The inner body is closed as the server would: by `close()`, or else, before its end, by its iterator's `return()`. */
  async close(): Promise<void> {
    try {
      const { close } = this.#body as { close?: () => unknown };
      if (typeof close === "function") await close.call(this.#body);
      else if (this.#ended) return;
      else if (this.#iterator !== null) await this.#iterator.return?.();
      else if (this.#body instanceof ReadableStream) await this.#body.cancel();
    } finally {
      this.#end();
    }
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#watcher.ended?.();
  }
}

function iterate(body: Exclude<Body, null | Chunk>): Iterator<Chunk> | AsyncIterator<Chunk> {
  if (body instanceof ReadableStream) return iterateStream(body);
  if (Symbol.asyncIterator in body) return body[Symbol.asyncIterator]();
  return (body as Iterable<Chunk>)[Symbol.iterator]();
}
