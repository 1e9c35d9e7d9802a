import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { fromFetch, installLightGlobals } from "../../src/bridges/mod.ts";

const natives = { Request, Response, Headers, fetch };
const undone: (() => void)[] = [];

function install(): () => void {
  const undo = installLightGlobals();
  undone.push(undo);
  return undo;
}

afterEach(() => {
  for (const undo of undone.splice(0)) undo();
});

describe("installLightGlobals", () => {
  test("replaces Request, Response, Headers and fetch, and restores them", () => {
    const before = Object.getOwnPropertyDescriptor(globalThis, "Response");
    const undo = install();
    expect(Response).not.toBe(natives.Response);
    expect(Request).not.toBe(natives.Request);
    expect(Headers).not.toBe(natives.Headers);
    expect(fetch).not.toBe(natives.fetch);
    undo();
    expect({ Request, Response, Headers, fetch }).toEqual(natives);
    expect(Object.getOwnPropertyDescriptor(globalThis, "Response")).toEqual(before);
  });

  test("counts: the last to undo restores, each undoes once", () => {
    const first = install();
    const light = Response;
    const second = install();
    expect(Response).toBe(light);
    first();
    first();
    expect(Response).toBe(light);
    second();
    expect(Response).toBe(natives.Response);
  });

  test("what somebody else has put there since stays", () => {
    const undo = install();
    const theirs = class extends Response {};
    globalThis.Response = theirs;
    undo();
    expect(Response).toBe(theirs);
    globalThis.Response = natives.Response;
  });

  test("the names do not enumerate", () => {
    install();
    expect(Object.keys(globalThis).filter((name) => /^(Request|Response|Headers)$/.test(name))).toEqual([]);
  });

  test("overrideGlobals installs; the default does not", () => {
    fromFetch(() => new Response());
    expect(Response).toBe(natives.Response);
  });

  test("native objects are instances of the light classes, and light ones of the native classes", () => {
    install();
    expect(new natives.Response() instanceof Response).toBe(true);
    expect(new natives.Request("http://a/") instanceof Request).toBe(true);
    expect(new natives.Headers() instanceof Headers).toBe(true);
    expect(new Response() instanceof natives.Response).toBe(true);
    expect(new Request("http://a/") instanceof natives.Request).toBe(true);
    expect(new Headers() instanceof natives.Headers).toBe(true);
  });

  test("a class that extended the native one keeps its meaning", () => {
    class Mine extends natives.Response {}
    install();
    expect(new Mine() instanceof Response).toBe(true);
    expect(new Response() instanceof Mine).toBe(false);
  });

  test("WebAssembly takes a light response", async () => {
    install();
    const wasm = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const response = new Response(wasm, { headers: { "content-type": "application/wasm" } });
    await expect(WebAssembly.compileStreaming(response)).resolves.toBeInstanceOf(WebAssembly.Module);
  });

  test("console.log shows what they hold", () => {
    install();
    expect(inspect(new Headers({ a: "b" }))).toBe("Headers { a: 'b' }");
    expect(inspect(new Response("x", { status: 201 }))).toMatch(/^Response \{[^]*status: 201/);
  });
});
