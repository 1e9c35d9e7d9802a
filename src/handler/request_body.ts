// The body of a request, which comes once: read whole into memory and kept, within a limit, or handed on as it comes, to
// the multipart parser or a view. Who comes too late is told by whom it was read.

import type { Environ } from "../esgi/environ.ts";
import { ByteBuilder } from "./byte_builder.ts";
import { RequestDataTooBig, UnreadablePostError } from "./exceptions.ts";

/** The body is asked for after it has been read as a stream or a form: a mistake of the view's (Django's name). */
export class RawPostDataException extends Error {
  override readonly name: string = "RawPostDataException";
}

/** See the file's head. */
export class RequestBody {
  readonly #environ: Environ;
  readonly #limit: number | null;
  #bytes: Promise<Uint8Array> | null = null;
  #streamed = false;

  /** @param limit bytes that may be read whole: the setting DATA_UPLOAD_MAX_MEMORY_SIZE */
  constructor(environ: Environ, limit: number | null) {
    this.#environ = environ;
    this.#limit = limit;
  }

  /**
   * All of it, however often it is asked for.
   *
   * Rejects with {@link RequestDataTooBig}, before anything is read where Content-Length tells; {@link UnreadablePostError};
   * {@link RawPostDataException} when it has been streamed.
   */
  bytes(): Promise<Uint8Array> {
    return this.#bytes ??= this.#read();
  }

  async #read(): Promise<Uint8Array> {
    if (this.#streamed) {
      throw new RawPostDataException(
        "the body has been read already, as a multipart form or a stream: ask for it before, or do without",
      );
    }
    const { CONTENT_LENGTH } = this.#environ;
    if (CONTENT_LENGTH !== undefined) this.#check(Number(CONTENT_LENGTH));
    try {
      // The server lets no more through than Content-Length says.
      if (CONTENT_LENGTH !== undefined) return await this.#environ["esgi.input"].bytes();
      const bytes = new ByteBuilder();
      for await (const chunk of this.#environ["esgi.input"]) {
        bytes.append(chunk);
        this.#check(bytes.size);
      }
      return bytes.take();
    } catch (error) {
      throw readable(error);
    }
  }

  #check(size: number): void {
    if (this.#limit !== null && size > this.#limit) {
      throw new RequestDataTooBig(
        `the body has more than ${this.#limit} bytes: the setting DATA_UPLOAD_MAX_MEMORY_SIZE allows no more`,
      );
    }
  }

  /** It as it comes, without a limit; or, when it has been read whole, that. Rejects as {@link bytes} does. */
  async *chunks(): AsyncIterableIterator<Uint8Array> {
    if (this.#bytes !== null || this.#streamed) {
      const bytes = await this.bytes();
      if (bytes.length > 0) yield bytes;
      return;
    }
    this.#streamed = true;
    try {
      yield* this.#environ["esgi.input"];
    } catch (error) {
      throw readable(error);
    }
  }
}

/** What reading threw, in the handler's words. */
function readable(error: unknown): unknown {
  // By its name: ESGI promises that, and no class.
  if (!(error instanceof Error) || error.name !== "InputError") return error;
  if ((error as { fault?: unknown }).fault === "too-large") {
    return new RequestDataTooBig(error.message, { cause: error });
  }
  return new UnreadablePostError(`the body could not be read: ${error.message}`, { cause: error });
}
