// What the applications answer with, the same on every server. Imports nothing: each runtime loads it.

/** Which handler a server runs; one a process, so that no server pays for routing that another one does not need. */
export type Handler = PlainHandler | "hono" | SiteName;

/** What needs no framework. */
export type PlainHandler = "hello" | "json" | "echo" | "big";

/** Sites on tricorn/handler: one with middleware and 100 routes, and two with routes alone. */
export type SiteName = "site" | "routes-10" | "routes-1000";

export const HELLO = "Hello, World!";

export interface Data {
  readonly items: readonly {
    readonly id: number;
    readonly name: string;
    readonly price: number;
    readonly tags: readonly string[];
  }[];
  readonly note: string;
}

/** Becomes exactly 1 KiB of JSON; it is serialised for each request, as applications do. */
export const DATA: Data = padded({
  items: Array.from({ length: 14 }, (_, index) => ({
    id: index + 1,
    name: `Item number ${index + 1}`,
    price: 1000 + index * 7,
    tags: ["new", "blue"],
  })),
  note: "",
});

function padded(data: Data): Data {
  return { ...data, note: "x".repeat(1024 - JSON.stringify(data).length) };
}

/** 100 KiB that do not change. */
export const BIG: Uint8Array<ArrayBuffer> = new Uint8Array(100 * 1024).fill(0x61);
