// Whether a native Response holds its content itself or would stream it, for Bun, which tells neither: there the
// response's own weight in memory grows with a string or bytes, and not with a stream. Reading such content at once
// costs half of what its stream does. As in native_parts.ts, samples are weighed when this module is loaded, and one
// wrong weight means that nothing is ever taken for known.

import { NativeResponse } from "./natives.ts";

interface Jsc {
  estimateShallowMemoryUsageOf?(value: object): number;
}

interface Process {
  getBuiltinModule?(name: string): Jsc | undefined;
}

const weigh = findScales();
const EMPTY_WEIGHT = weigh === null ? 0 : weigh(new NativeResponse(null));

function findScales(): ((value: object) => number) | null {
  if (!("Bun" in globalThis)) return null;
  try {
    const { process } = globalThis as unknown as { process?: Process };
    return process?.getBuiltinModule?.("bun:jsc")?.estimateShallowMemoryUsageOf ?? null;
  } catch {
    return null;
  }
}

/**
 * True when `response` weighs more than one without content, on Bun: it has its content, or is of a subclass with fields
 * of its own.
 */
export let mayHoldContent: (response: Response) => boolean = (response) =>
  response instanceof NativeResponse &&
  weigh!(response) - EMPTY_WEIGHT > response.statusText.length * 2 + response.url.length * 2;

/** True when `response` holds its whole, non-empty content: `bytes()` will not wait. False when that cannot be told. */
export let holdsContent: (response: Response) => boolean = (response) =>
  // What else has a weight: a subclass's fields, and properties that somebody added.
  Object.getPrototypeOf(response) === NativeResponse.prototype && Reflect.ownKeys(response).length === 0 &&
  mayHoldContent(response);

function walk(): boolean {
  if (weigh === null) return false;
  const long = "v".repeat(4096);
  const headers = { "x-long": long, "content-type": "text/plain" };
  const stream = (): ReadableStream =>
    new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(4096)) });
  const streams = [
    () => new NativeResponse(stream()),
    () => new NativeResponse(stream(), { headers }),
    () => new NativeResponse(stream(), { headers: new Headers(headers), status: 404 }),
    () => new NativeResponse(stream(), { statusText: long }),
    () => Object.assign(new NativeResponse(stream()), { note: long }),
    () => {
      const response = new NativeResponse(stream(), { headers });
      response.headers.append("set-cookie", long);
      return response;
    },
    () => {
      const response = new NativeResponse(stream());
      void response.body;
      return response;
    },
    () => new NativeResponse(stream()).clone(),
    () => new NativeResponse(new NativeResponse(stream()).body, { headers }),
    () => NativeResponse.redirect(`http://localhost/${long}`),
    () => new NativeResponse(null, { headers }),
  ];
  return streams.every((make) => !holdsContent(make())) && holdsContent(new NativeResponse("a")) &&
    holdsContent(new NativeResponse(new Uint8Array(2), { headers }));
}

function works(): boolean {
  try {
    return walk();
  } catch {
    return false;
  }
}

if (!works()) mayHoldContent = holdsContent = () => false;
