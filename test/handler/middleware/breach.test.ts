// The paddings, as zlib reads them.

import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { brotliEnd, padGzip } from "../../../src/handler/middleware/breach.ts";

const TEXT = "what is to be compressed ".repeat(20);
const GZIPPED: Uint8Array = gzipSync(TEXT);
const BROTLI: Uint8Array = brotliCompressSync(TEXT, { finishFlush: constants.BROTLI_OPERATION_FLUSH });

/** Makes the next random length this one. */
function roll(length: number): void {
  vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
    (array as unknown as Uint32Array)[0] = Math.ceil(length / 100 * 2 ** 32);
    return array;
  });
}
afterEach(() => void vi.restoreAllMocks());

const LENGTHS = [0, 1, 2, 3, 4, 5, 63, 64, 65, 98, 99];

describe("padGzip", () => {
  test.each(LENGTHS)("a name of %i bytes (RFC 1952 §2.3.1)", (length) => {
    roll(length);
    const padded = padGzip(GZIPPED);
    expect(padded.length).toBe(GZIPPED.length + length + 1);
    expect(gunzipSync(padded).toString()).toBe(TEXT);
  });

  test("needs no more than the header", () => {
    const begin = padGzip(GZIPPED.subarray(0, 10));
    expect(gunzipSync(Buffer.concat([begin, GZIPPED.subarray(10)])).toString()).toBe(TEXT);
  });

  test.each([[new Uint8Array(0)], [GZIPPED.subarray(0, 9)], [BROTLI], [padGzip(GZIPPED)]])(
    "what is no plain header is an error: %#",
    (begin) => {
      expect(() => padGzip(begin)).toThrow(TypeError);
    },
  );
});

describe("brotliEnd", () => {
  test.each(LENGTHS)("a block of %i bytes of metadata (RFC 7932 §9.2)", (length) => {
    roll(length);
    const end = brotliEnd();
    expect(end.length).toBe(length === 0 ? 2 : length + 3);
    expect(brotliDecompressSync(Buffer.concat([BROTLI, end])).toString()).toBe(TEXT);
  });
});

test("lengths differ from response to response, below 100", () => {
  const lengths = new Set(Array.from({ length: 500 }, () => padGzip(GZIPPED).length - GZIPPED.length - 1));
  expect(lengths.size).toBeGreaterThan(50);
  expect(Math.max(...lengths)).toBeLessThan(100);
});
