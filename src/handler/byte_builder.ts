// Puts bytes together that come in pieces of any size, for the body, form fields and files in memory. A client chooses
// the pieces, so a million of one byte each must cost a million bytes, not a million arrays.

const EMPTY = new Uint8Array(0);
const FIRST_ROOM = 1024;

/** Bytes that grow. */
export class ByteBuilder {
  /** Bytes so far. */
  size = 0;
  #room: Uint8Array = EMPTY;
  /** The room is the first chunk itself, which is not ours to write behind. */
  #borrowed = true;

  /** Adds a chunk, which must not be changed afterwards. */
  append(chunk: Uint8Array): void {
    const size = this.size + chunk.length;
    if (this.size === 0) {
      this.#room = chunk;
      this.#borrowed = true;
    } else {
      if (this.#borrowed || size > this.#room.length) {
        const room = new Uint8Array(Math.max(FIRST_ROOM, 2 * this.size, size));
        room.set(this.#room.subarray(0, this.size));
        this.#room = room;
        this.#borrowed = false;
      }
      this.#room.set(chunk, this.size);
    }
    this.size = size;
  }

  /** All of them, and begins anew. */
  take(): Uint8Array {
    const room = this.#room;
    const size = this.size;
    this.#room = EMPTY;
    this.size = 0;
    // What is taken may live on: not with twice its size behind it.
    return size === room.length
      ? room
      : size * 2 > room.length
      ? room.subarray(0, size)
      : new Uint8Array(room.subarray(0, size));
  }
}
