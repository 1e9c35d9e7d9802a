// The `body` of a light response whose content is known. Middleware often reads `response.body` only to hand it to
// `new Response(body, ...)`; a real ReadableStream costs Node more than the whole rest of the request, so the stream
// that is handed out becomes a real one when the first method is called on it, and gives its content back until then.

import { completeFrom, NativeResponse } from "./natives.ts";

/** Content that is known without reading. The array is never changed. */
export type Known = string | Uint8Array<ArrayBuffer>;

const DISTURBED = Symbol.for("nodejs.stream.disturbed");

/** Whether `stream` has been read from or cancelled (Streams, "disturbed"). */
export function isDisturbed(stream: ReadableStream): boolean {
  const told = (stream as { [DISTURBED]?: boolean })[DISTURBED];
  if (typeof told === "boolean") return told;
  // The Response constructor refuses a disturbed stream, and one that is locked: mostly the same.
  try {
    new NativeResponse(stream);
    return false;
  } catch {
    return true;
  }
}

/** Known content, shared by every response that was made of its stream; it is read once. */
export class KnownBody {
  /** The content, whether it has been read or not. */
  readonly known: Known;
  #taken = false;
  // The native response whose stream it became.
  #response: Response | null = null;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;

  constructor(known: Known) {
    this.known = known;
  }

  /** The content, or null where reading it has begun elsewhere. */
  peek(): Known | null {
    return this.disturbed || this.locked ? null : this.known;
  }

  /** As `peek`; from now on it counts as read. */
  take(): Known | null {
    const known = this.peek();
    if (known === null) return null;
    this.#taken = true;
    // Read, as a native body would be by now: locked for good.
    void this.#response?.arrayBuffer();
    return known;
  }

  get disturbed(): boolean {
    return this.#taken || (this.#response !== null && this.#response.bodyUsed);
  }

  get locked(): boolean {
    return this.#response !== null && this.#response.body!.locked;
  }

  /** What `response.body` is; always the same one. */
  get stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#stream === null) {
      lightStreamsPass ??= tryLightStream();
      if (lightStreamsPass) {
        this.#stream = new LightStream(this) as unknown as ReadableStream<Uint8Array<ArrayBuffer>>;
      } else {
        this.#stream = this.realStream();
        bodies.set(this.#stream, this);
      }
    }
    return this.#stream;
  }

  /** The same, as a stream of the runtime. */
  realStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#response === null) {
      this.#response = new NativeResponse(this.known);
      if (this.#taken) void this.#response.arrayBuffer();
    }
    return this.#response.body!;
  }
}

// Streams of known content that had to be real from the start.
const bodies = new WeakMap<object, KnownBody>();

/** The known content behind a stream that a light response handed out, or null. */
export let knownBodyOf: (stream: object) => KnownBody | null;

class LightStream {
  readonly #body: KnownBody;

  static {
    knownBodyOf = (stream) => #body in stream ? stream.#body : bodies.get(stream) ?? null;
    Object.setPrototypeOf(this.prototype, ReadableStream.prototype);
    completeFrom(this.prototype, new ReadableStream(), (light: LightStream) => light.#body.realStream());
    Object.defineProperty(this.prototype, "constructor", { value: ReadableStream });
  }

  constructor(body: KnownBody) {
    this.#body = body;
  }
}

// Whether this runtime's own functions take a LightStream for a real one: where a stream's state is kept under symbols.
let lightStreamsPass: boolean | null = null;

function tryLightStream(): boolean {
  try {
    const make = (): ReadableStream => new LightStream(new KnownBody("probe")) as unknown as ReadableStream;
    if (new NativeResponse(make()).body === null) return false;
    ReadableStream.prototype.getReader.call(make());
    ReadableStream.prototype.tee.call(make());
    return true;
  } catch {
    return false;
  }
}
