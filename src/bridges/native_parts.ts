// A shorter way into a native Response, for runtimes (Deno) that keep the parts of the Fetch standard's response under
// symbols: header list, and a body's source, which is the string or bytes that it was made of. Nothing here is
// promised by the runtime. So the symbols are looked for by what they hold, the way is walked with samples when this
// module is loaded, and where one sample comes out wrong the public interface is used for good.

import type { Header } from "../esgi/environ.ts";
import { fieldName } from "./light_headers.ts";
import type { Known } from "./light_stream.ts";
import { NativeResponse } from "./natives.ts";

/** What a response was made of, when its content is known. */
export interface Parts {
  readonly pairs: Header[];
  readonly body: Known | null;
}

type Slots = Record<symbol, unknown>;

interface Inner {
  readonly body: { readonly source?: unknown } | null;
  readonly headerList: readonly (readonly [string, string])[];
}

function findSlot(sample: object, holds: (value: unknown, symbol: symbol) => boolean): symbol | null {
  for (const symbol of Object.getOwnPropertySymbols(sample)) {
    if (holds((sample as Slots)[symbol], symbol)) return symbol;
  }
  return null;
}

function isInner(value: unknown): value is Inner {
  return typeof value === "object" && value !== null && "body" in value &&
    Array.isArray((value as Partial<Inner>).headerList);
}

const TEXT = "text/plain;charset=UTF-8";
const innerSlot = findSlot(new NativeResponse("probe", { headers: { "x-probe": "1" } }), isInner);
// A response of nothing but a string may be kept as that string alone, until it is touched.
const readProbe = new NativeResponse("probe");
void readProbe.text();
const stringSlot = findSlot(
  new NativeResponse("probe"),
  (value, symbol) => value === "probe" && (readProbe as unknown as Slots)[symbol] !== "probe",
);
const typeSlot = findSlot(NativeResponse.json(0), (value) => value === "application/json");

/** The parts of `response`, or null where they cannot be told: then the public interface must do. */
export let partsOf: (response: Response) => Parts | null = (response) => {
  const inner = (response as unknown as Slots)[innerSlot!];
  if (!isInner(inner)) return null;
  const pairs: Header[] = [];
  let typed = false;
  for (const [name, value] of inner.headerList) {
    const lower = fieldName(name);
    if (lower === "content-type") typed = true;
    pairs.push([lower, value]);
  }
  const string = stringSlot === null ? null : (response as unknown as Slots)[stringSlot];
  if (typeof string === "string") {
    const type = typeSlot === null ? null : (response as unknown as Slots)[typeSlot];
    if (!typed) pairs.push(["content-type", typeof type === "string" ? type : TEXT]);
    return { pairs, body: string };
  }
  if (inner.body === null) return { pairs, body: null };
  const source = inner.body.source;
  if (typeof source !== "string" && !(source instanceof Uint8Array)) return null;
  // Last, since the public property may turn the short form into the long one.
  return response.bodyUsed ? null : { pairs, body: source as Known };
};

function walk(): boolean {
  if (innerSlot === null) return false;
  const stream = (): ReadableStream => new ReadableStream({ start: (controller) => controller.close() });
  const samples: [make: () => Response, known: string | null | undefined][] = [
    [() => new NativeResponse("a"), "a"],
    [() => new NativeResponse("a", { status: 404 }), "a"],
    [() => new NativeResponse("", { headers: { "X-A": "b" } }), ""],
    [() => new NativeResponse("a", { headers: [["X-A", "b"], ["set-cookie", "c"], ["set-cookie", "d"]] }), "a"],
    [() => new NativeResponse("a", { headers: { "content-type": "text/html" } }), "a"],
    [() => NativeResponse.json({ a: 1 }), '{"a":1}'],
    [() => NativeResponse.json({ a: 1 }, { headers: { "Content-Type": "a/b" }, status: 201 }), '{"a":1}'],
    [() => NativeResponse.redirect("http://localhost/"), null],
    [() => new NativeResponse(null), null],
    [() => new NativeResponse(null, { status: 204, headers: { "X-A": "b" } }), null],
    [() => new NativeResponse(new TextEncoder().encode("ab")), "ab"],
    [() => new NativeResponse(new URLSearchParams("a=b")), "a=b"],
    [() => new NativeResponse(stream()), undefined],
    [() => new NativeResponse(new NativeResponse("a").body, { headers: { "x-a": "b" } }), "a"],
    [() => touched("a", (response) => response.headers.set("x-a", "b")), "a"],
    [() => touched("a", (response) => response.headers.delete("content-type")), "a"],
    [() => touched("a", (response) => response.body), "a"],
    [() => touched("a", (response) => response.clone()), "a"],
    [() => touched("a", (response) => void response.text()), undefined],
    [() => touched("a", (response) => void response.body!.getReader().read()), undefined],
    [() => touched("a", (response) => void response.body!.getReader()), "a"],
  ];
  return samples.every(([make, known]) => {
    const parts = partsOf(make());
    // "Cannot be told" is always a right answer; of a stream, or of a body that was read, it is the only one.
    if (parts === null) return true;
    if (known === undefined) return false;
    const body = parts.body instanceof Uint8Array ? new TextDecoder().decode(parts.body) : parts.body;
    const fields = parts.pairs.map((pair) => pair.join(":")).sort().join("\n");
    return body === known && fields === [...make().headers].map((pair) => pair.join(":")).sort().join("\n");
  });
}

function touched(text: string, touch: (response: Response) => unknown): Response {
  const response = new NativeResponse(text);
  touch(response);
  return response;
}

try {
  if (!walk()) partsOf = () => null;
} catch {
  partsOf = () => null;
}
