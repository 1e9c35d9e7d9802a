// A shorter way into a native Response, for runtimes (Deno) that keep the parts of the Fetch standard's response under
// symbols: header list, and a body's source, which is the string or bytes that it was made of. Nothing here is
// promised by the runtime. So the symbols are looked for by what they hold, the way is walked with samples when this
// module is loaded, and where one sample comes out wrong the public interface is used for good.

import type { Header } from "../esgi/environ.ts";
import { fieldName, sortAndCombine } from "./light_headers.ts";
import type { Known } from "./light_stream.ts";
import { NativeHeaders, NativeResponse } from "./natives.ts";

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
  const type = typeSlot === null ? null : (response as unknown as Slots)[typeSlot];
  if (!typed && typeof type === "string") pairs.push(["content-type", type]);
  else if (!typed && typeof string === "string") pairs.push(["content-type", TEXT]);
  if (typeof string === "string") return { pairs, body: string };
  if (inner.body === null) return { pairs, body: null };
  const source = inner.body.source;
  if (typeof source !== "string" && !(source instanceof Uint8Array)) return null;
  // Last, since the public property may turn the short form into the long one.
  return response.bodyUsed ? null : { pairs, body: source as Known };
};

type Make = () => Response;

// Every kind of init with every kind of body, then the ways in which a response may have been touched since.
function* makeSamples(): Generator<[make: Make, known: string | null | undefined]> {
  const types = ["application/json", "text/html", "text/plain", "a/b; charset=UTF-8"];
  const headers: (HeadersInit | undefined)[] = [
    undefined,
    {},
    ...types.flatMap((type): HeadersInit[] => [{ "Content-Type": type }, new NativeHeaders({ "content-type": type })]),
    { "content-type": "text/css", "X-A": "b" },
    { "X-A": "b" },
    new NativeHeaders(),
    [["X-A", "b"], ["set-cookie", "c"], ["set-cookie", "d"], ["x-a", "e"]],
  ];
  const inits: (ResponseInit | undefined)[] = [undefined, {}];
  for (const init of headers) {
    inits.push({ status: undefined, headers: init } as unknown as ResponseInit, { status: 404, headers: init! });
  }
  for (const init of inits) {
    yield [() => new NativeResponse("a", init), "a"];
    yield [() => new NativeResponse("", init), ""];
    yield [() => new NativeResponse(null, init), null];
    yield [() => new NativeResponse(new TextEncoder().encode("ab"), init), "ab"];
    yield [() => new NativeResponse(new URLSearchParams("a=b"), init), "a=b"];
    yield [() => NativeResponse.json({ a: 1 }, init), '{"a":1}'];
    yield [() => new NativeResponse(new ReadableStream(), init), undefined];
  }
  yield [() => NativeResponse.redirect("http://localhost/"), null];
  yield [() => new NativeResponse(new NativeResponse("a").body, { headers: { "x-a": "b" } }), "a"];
  const makes: Make[] = [
    () => new NativeResponse("a"),
    () => new NativeResponse("a", { headers: { "content-type": "application/json" } }),
    () => new NativeResponse("a", { headers: { "x-a": "b", "x-b": "c" } }),
    () => NativeResponse.json("a"),
  ];
  const touches: [touch: (response: Response) => unknown, read: boolean][] = [
    [(response) => response.headers.get("x-a"), false],
    [(response) => response.headers.set("x-a", "c"), false],
    [(response) => response.headers.set("content-type", "c/d"), false],
    [(response) => response.headers.delete("content-type"), false],
    [(response) => response.body, false],
    [(response) => response.bodyUsed, false],
    [(response) => response.body!.getReader(), false],
    [(response) => response.clone(), false],
    [(response) => response.text(), true],
    [(response) => response.body!.getReader().read(), true],
    [(response) => response.body!.cancel(), true],
  ];
  for (const make of makes) {
    for (const [touch, read] of touches) {
      yield [() => {
        const response = make();
        void touch(response);
        return response;
      }, read ? undefined : make === makes[3] ? '"a"' : "a"];
    }
  }
}

function walk(): boolean {
  if (innerSlot === null) return false;
  const decoder = new TextDecoder();
  for (const [make, known] of makeSamples()) {
    const parts = partsOf(make());
    // "Cannot be told" is always a right answer; of a stream, or of a body that was read, it is the only one.
    if (parts === null) continue;
    const body = parts.body instanceof Uint8Array ? decoder.decode(parts.body) : parts.body;
    if (body !== known) return false;
    if (String(sortAndCombine(parts.pairs)) !== String([...make().headers])) return false;
  }
  return true;
}

try {
  if (!walk()) partsOf = () => null;
} catch {
  partsOf = () => null;
}
