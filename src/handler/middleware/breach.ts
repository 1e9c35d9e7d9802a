// Heal the BREACH (Paulsen and others, 2022): a few random bytes more in each compressed response, so that its length does
// not tell whether a guess that the client was made to send is what the page keeps secret. As in Django, at most 99; in
// gzip they are a file's name, in Brotli a block of metadata. Decoders skip both.

const MAX_RANDOM_BYTES = 100;

/** A gzip header without options is this long, and its flags are at 3 (RFC 1952 §2.3). */
const HEADER = 10;
const FLAGS = 3;
const FNAME = 0x08;

/** The begin of a gzip stream, its header at least, with a name of random length. */
export function padGzip(begin: Uint8Array): Uint8Array {
  if (begin.length < HEADER || begin[0] !== 0x1f || begin[1] !== 0x8b || begin[FLAGS] !== 0) {
    throw new TypeError("the Compression's gzip does not begin with a plain header of 10 bytes (RFC 1952 §2.3)");
  }
  const name = randomLength();
  const padded = new Uint8Array(begin.length + name + 1);
  padded.set(begin.subarray(0, HEADER));
  padded[FLAGS] = FNAME;
  padded.fill(0x61, HEADER, HEADER + name);
  padded.set(begin.subarray(HEADER), HEADER + name + 1);
  return padded;
}

/** The end of a Brotli stream that was flushed and not finished: metadata of random length, and an empty last block. */
export function brotliEnd(): Uint8Array {
  const length = randomLength();
  // RFC 7932 §9.2, from the lowest bit: ISLAST 0, MNIBBLES 11 (metadata), reserved 0, MSKIPBYTES, MSKIPLEN - 1.
  if (length === 0) return Uint8Array.of(0x06, 0x03);
  const end = new Uint8Array(length + 3);
  end[0] = 0x16 | (((length - 1) & 0x03) << 6);
  end[1] = (length - 1) >> 2;
  // ISLAST 1, ISLASTEMPTY 1.
  end[length + 2] = 0x03;
  return end;
}

function randomLength(): number {
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  return Math.floor(random! / 2 ** 32 * MAX_RANDOM_BYTES);
}
