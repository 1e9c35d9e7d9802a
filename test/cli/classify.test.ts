import { describe, expect, test } from "vitest";
import { classify } from "../../src/cli/classify.ts";

const kind = (value: unknown, name: string | null = null): string => {
  const loaded = classify(value, name);
  return typeof loaded === "string" ? loaded : loaded.kind;
};

describe("classify: an ESGI application is", () => {
  test.each<[string, unknown, string | null]>([
    ["a function of two parameters", (_environ: unknown, _start: unknown) => null, null],
    ["the same, async", async (_environ: unknown, _start: unknown) => null, "default"],
    ["the same, as a method", { app(_environ: unknown, _start: unknown) {} }.app, "app"],
    ["a generator", function* () {}, null],
    ["an async generator, whatever its name", async function* (_environ: unknown) {}, "fetch"],
    ["a function of rest parameters, exported as application", (..._rest: unknown[]) => null, "application"],
    ["a function of req and res, exported as application", (_req: unknown, _res: unknown) => null, "application"],
  ])("%s", (_, value, name) => expect(kind(value, name)).toBe("esgi"));
});

describe("classify: a fetch handler is", () => {
  test.each<[string, unknown, string | null]>([
    ["an object with fetch", { fetch: () => new Response() }, null],
    ["a function with fetch", Object.assign((_a: unknown, _b: unknown) => {}, { fetch: () => new Response() }), null],
    ["an object with fetch, exported as application", { fetch: () => new Response() }, "application"],
    ["a function of one parameter", (_request: Request) => new Response(), "default"],
    ["a function of none", () => new Response(), null],
    [
      "any function exported as fetch",
      (_request: unknown, _env: unknown, _context: unknown) => new Response(),
      "fetch",
    ],
    [
      "what a compiler makes of export default",
      { __esModule: true, default: { fetch: () => new Response() } },
      "default",
    ],
  ])("%s", (_, value, name) => expect(kind(value, name)).toBe("fetch"));
});

describe("classify refuses, with a remedy,", () => {
  test.each<[string, unknown, string | null, string]>([
    ["undefined", undefined, null, "is undefined; export an ESGI application as"],
    ["null", null, null, "is null; export"],
    ["a string", "app", null, "is a string; export"],
    ["an array", [], null, 'is an array without a method "fetch"; export'],
    ["an object without fetch", { get: () => {} }, null, 'is an object without a method "fetch"; export'],
    ["a promise", Promise.resolve(), null, "is a promise; await it"],
    ["a class", class App {}, null, "is a class; export an object made by it"],
    ["three parameters", (_a: 1, _b: 2, _c: 3) => {}, null, "is a function of 3 parameters, perhaps of Express"],
    ["an application of one parameter", (_request: Request) => {}, "application", "takes one parameter, but"],
    [
      "(request, env)",
      (request: unknown, env: unknown) => [request, env],
      "default",
      "takes a request and something else",
    ],
    [
      "function (req, res)",
      function (req: unknown, res: unknown) {
        return [req, res];
      },
      null,
      "or a listener of node:http",
    ],
    [
      "async handler(req, res)",
      {
        async handler(req: unknown, res: unknown) {
          return await Promise.all([req, res]);
        },
      }.handler,
      null,
      "or a listener of node:http",
    ],
  ])("%s", (_, value, name, message) => expect(kind(value, name)).toContain(message));
});
