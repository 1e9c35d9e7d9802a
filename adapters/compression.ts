// Compresses responses for the handler's gzipMiddleware, by node:zlib on all runtimes and off the main thread.

import { promisify } from "node:util";
import {
  brotliCompress,
  type BrotliOptions,
  constants,
  createBrotliCompress,
  createGzip,
  gzip,
  type ZlibOptions,
} from "node:zlib";
import type { Compression } from "../src/handler/middleware/gzip.ts";

const GZIP: ZlibOptions = { level: 6 };
// The default of 11 is for what is compressed once. The end of the stream is left to whoever pads it: see Compression.
const BROTLI: BrotliOptions = {
  params: { [constants.BROTLI_PARAM_QUALITY]: 4 },
  finishFlush: constants.BROTLI_OPERATION_FLUSH,
};

const compressGzip = promisify<Uint8Array, ZlibOptions, Uint8Array>(gzip);
const compressBrotli = promisify<Uint8Array, BrotliOptions, Uint8Array>(brotliCompress);

/** See {@link Compression}. */
export const compression: Compression = {
  compress: (encoding, content) => encoding === "br" ? compressBrotli(content, BROTLI) : compressGzip(content, GZIP),
  async *compressSequence(encoding, chunks) {
    const stream = encoding === "br" ? createBrotliCompress(BROTLI) : createGzip(GZIP);
    const feeding = feed(stream, chunks);
    try {
      yield* stream as AsyncIterable<Uint8Array>;
      await feeding;
    } finally {
      stream.destroy();
    }
  },
};

/** Flushes after each chunk: it may be all that there will be for a while. */
async function feed(stream: ReturnType<typeof createGzip>, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let resume = (): void => {};
  // A stream that was destroyed does not call back.
  stream.once("close", () => resume());
  try {
    for await (const chunk of chunks) {
      if (stream.destroyed) return;
      stream.write(chunk);
      await new Promise<void>((resolve) => {
        resume = resolve;
        stream.flush(resolve);
      });
    }
    stream.end();
  } catch (error) {
    stream.destroy(error as Error);
  }
}
