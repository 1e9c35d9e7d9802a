// Many short lines, few writes: a system call for each request would cost more than the rest of the log.

import type { TextSink } from "./text.ts";

/** A sink that gathers text and passes it on each 100 ms, or at 64 KiB. What is bounded is memory, never the log. */
export class BatchedSink implements TextSink {
  readonly #sink: TextSink;
  readonly #failed: (error: unknown) => void;
  readonly #size: number;
  readonly #delay: number;
  #text = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #broken = false;

  /** `failed` is told when `sink` begins to throw; until it works again, lines are lost. */
  constructor(sink: TextSink, failed: (error: unknown) => void, size = 65_536, delay = 100) {
    this.#sink = sink;
    this.#failed = failed;
    this.#size = size;
    this.#delay = delay;
  }

  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= this.#size) this.flush();
    // The timer keeps the process alive, on purpose: what it waits for is a line that would be lost.
    else this.#timer ??= setTimeout(() => this.flush(), this.#delay);
  }

  /** Passes on what there is: before the log's file is reopened, and at the end. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    try {
      this.#sink.write(text);
      this.#broken = false;
    } catch (error) {
      // Said once for each outage, not once for each batch: the disk may stay full for hours.
      if (!this.#broken) this.#failed(error);
      this.#broken = true;
    }
  }
}
