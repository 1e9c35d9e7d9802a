// Puts the light classes in the place of the global ones, and takes them away again.

import { LightHeaders } from "./light_headers.ts";
import { GlobalRequest, isLightRequest, nativeRequest } from "./light_request.ts";
import { LightResponse } from "./light_response.ts";

type Globals = Record<string, unknown>;

let installed = 0;
let restore: (() => void)[] = [];

function replace(name: string, make: (current: unknown) => unknown): void {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, name);
  const value = make((globalThis as Globals)[name]);
  Object.defineProperty(globalThis, name, {
    value,
    writable: true,
    configurable: true,
    enumerable: descriptor?.enumerable ?? false,
  });
  restore.push(() => {
    // Whoever has put something else there since keeps it.
    if ((globalThis as Globals)[name] === value && descriptor !== undefined) {
      Object.defineProperty(globalThis, name, descriptor);
    }
  });
}

// The runtime's own fetch looks into a Request's private parts; it gets the native one.
function fetchOver(native: typeof globalThis.fetch): typeof globalThis.fetch {
  async function fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    return await native(typeof input === "object" && isLightRequest(input) ? nativeRequest(input) : input, init);
  }
  // What else a runtime's fetch has (Bun's preconnect) is found behind it.
  return Object.setPrototypeOf(fetch, native) as typeof globalThis.fetch;
}

/**
 * Makes `globalThis.Response`, `Request`, `Headers` and `fetch` the light ones, which frameworks then use unawares: on
 * Node the native classes cost more than the rest of a request. Native objects stay instances of the replaced classes,
 * and light ones are instances of the native classes. Returns what undoes it; the last one to undo restores the
 * natives.
 *
 * Call it before the application is imported, so that code which keeps a class in a variable keeps the light one.
 */
export function installLightGlobals(): () => void {
  if (installed++ === 0) {
    replace("Headers", () => LightHeaders);
    replace("Request", () => GlobalRequest);
    replace("Response", () => LightResponse);
    replace("fetch", (native) => fetchOver(native as typeof globalThis.fetch));
  }
  let undone = false;
  return () => {
    if (undone) return;
    undone = true;
    if (--installed > 0) return;
    for (const undo of restore) undo();
    restore = [];
  };
}
