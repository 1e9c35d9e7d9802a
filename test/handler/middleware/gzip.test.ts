import { brotliDecompressSync, createBrotliDecompress, createGunzip, gunzipSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import { compression } from "../../../adapters/compression.ts";
import type { View } from "../../../src/handler/base.ts";
import { FileResponse } from "../../../src/handler/file_response.ts";
import { Handler } from "../../../src/handler/handler.ts";
import { gzipMiddleware } from "../../../src/handler/middleware/gzip.ts";
import { HttpResponse, StreamingHttpResponse } from "../../../src/handler/response.ts";
import { makeEnviron, type Reply } from "../../../src/esgi/testing.ts";
import { path } from "../../../src/handler/urls/mod.ts";
import { bytes } from "../answer.ts";
import { makeSite } from "./site.ts";

const TEXT = "some text that repeats itself. ".repeat(40);

function get(view: View, headers: Record<string, string> = { "Accept-Encoding": "gzip" }): Promise<Reply> {
  return makeSite([gzipMiddleware(compression)], { "": view }).get({ path: "http://example.com/", headers });
}

describe("gzipMiddleware", () => {
  test("compresses, with Vary and the right Content-Length", async () => {
    const reply = await get(() => new HttpResponse(TEXT, { headers: { ETag: '"a"', "Content-Length": "5" } }));
    expect(reply.header("Content-Encoding")).toBe("gzip");
    expect(reply.header("Vary")).toBe("Accept-Encoding");
    expect(reply.header("Content-Length")).toBe(String(reply.bytes().length));
    expect(gunzipSync(reply.bytes()).toString()).toBe(TEXT);
    expect(reply.bytes().length).toBeLessThan(TEXT.length / 2);
    expect(reply.header("ETag")).toBe('W/"a"');
  });

  test("by Brotli where the client takes that as well", async () => {
    const reply = await get(() => new HttpResponse(TEXT), { "Accept-Encoding": "gzip, deflate, br" });
    expect(reply.header("Content-Encoding")).toBe("br");
    expect(brotliDecompressSync(reply.bytes()).toString()).toBe(TEXT);
  });

  test.each([undefined, "deflate", "gzip;q=0", "identity, gzip;q=0.5"])(
    "not for a client that says %s; caches are told all the same",
    async (field) => {
      const reply = await get(() => new HttpResponse(TEXT), field === undefined ? {} : { "Accept-Encoding": field });
      expect([reply.header("Content-Encoding"), reply.text()]).toEqual([null, TEXT]);
      expect(reply.header("Vary")).toBe("Accept-Encoding");
    },
  );

  const random = crypto.getRandomValues(new Uint8Array(300));
  test.each<[string, View]>([
    ["shorter than 200 bytes", () => new HttpResponse("a".repeat(199))],
    ["encoded already", () => new HttpResponse(TEXT, { headers: { "Content-Encoding": "br" } })],
    ["a picture", () => new HttpResponse(TEXT, { contentType: "image/png" })],
    ["a font that is compressed", () => new HttpResponse(TEXT, { contentType: "font/woff2" })],
    ["no-transform", () => new HttpResponse(TEXT, { headers: { "Cache-Control": "public, No-Transform" } })],
    ["a part", () => new HttpResponse(TEXT, { status: 206 })],
  ])("leaves alone: %s", async (_, view) => {
    const reply = await get(view);
    expect(reply.header("Vary")).toBe(null);
    expect(reply.header("Content-Encoding")).not.toBe("gzip");
  });

  test("leaves alone what would grow", async () => {
    const reply = await get(() => new HttpResponse(random, { contentType: "text/plain" }));
    expect(reply.header("Content-Encoding")).toBe(null);
    expect(reply.bytes()).toEqual(random);
  });

  test.each([
    "text/html",
    "text/css; charset=utf-8",
    "application/json",
    "application/problem+json",
    "image/svg+xml",
    "application/wasm",
    "TEXT/PLAIN",
  ])("compresses %s", async (contentType) => {
    const reply = await get(() => new HttpResponse(TEXT, { contentType }));
    expect(reply.header("Content-Encoding")).toBe("gzip");
  });

  test("responses of one text have different lengths (BREACH)", async () => {
    const lengths = new Set<number>();
    for (let i = 0; i < 20; i++) lengths.add((await get(() => new HttpResponse(TEXT))).bytes().length);
    expect(lengths.size).toBeGreaterThan(3);
  });

  test.each(["gzip", "br"])("a stream by %s, whose length is not known any more", async (encoding) => {
    const headers = { "Content-Length": "11", ETag: '"a"' };
    const view: View = () => new StreamingHttpResponse(["first", bytes("second")], { headers });
    const reply = await get(view, { "Accept-Encoding": encoding });
    expect([reply.header("Content-Length"), reply.header("ETag")]).toEqual([null, 'W/"a"']);
    expect((encoding === "br" ? brotliDecompressSync : gunzipSync)(reply.bytes()).toString()).toBe("firstsecond");
  });

  test.each(["gzip", "br"])("what is streamed by %s does not wait for what is not there yet", async (encoding) => {
    let give = (): void => {};
    const given = new Promise<void>((resolve) => {
      give = resolve;
    });
    const view: View = () =>
      new StreamingHttpResponse((async function* () {
        yield "first";
        await given;
        yield "second";
      })());
    const { application } = new Handler({
      ALLOWED_HOSTS: ["*"],
      MIDDLEWARE: [gzipMiddleware(compression)],
      ROOT_URLCONF: [path("", view)],
    });
    const environ = makeEnviron({ path: "http://example.com/", headers: { "Accept-Encoding": encoding } });
    const body = await application(environ, () => {}) as AsyncIterable<Uint8Array>;
    const decoder = encoding === "br" ? createBrotliDecompress() : createGunzip();
    let text = "";
    const first = new Promise<void>((resolve) => {
      decoder.on("data", (data) => {
        text += String(data);
        if (text === "first") resolve();
      });
    });
    const sent = (async () => {
      for await (const chunk of body) decoder.write(chunk);
      await new Promise((resolve) => decoder.end(resolve));
    })();
    await first;
    give();
    await sent;
    expect(text).toBe("firstsecond");
  });

  test("a stream is released when the client leaves", async () => {
    const released = vi.fn();
    const close = vi.fn();
    const view: View = () => {
      const response = new StreamingHttpResponse((async function* () {
        try {
          for (;;) yield TEXT;
        } finally {
          released();
        }
      })());
      response.addCloser(close);
      return response;
    };
    const reply = await makeSite([gzipMiddleware(compression)], { "": view }).get({
      path: "http://example.com/",
      headers: { "Accept-Encoding": "gzip" },
      disconnectAfter: 2,
    });
    expect(reply.aborted).toBe(true);
    expect(released).toHaveBeenCalledTimes(1);
    expect(close).toHaveBeenCalledTimes(1);
  });

  test("an error of the stream is an error", async () => {
    const view: View = () =>
      new StreamingHttpResponse((async function* () {
        yield TEXT;
        throw new Error("broken");
      })());
    await expect(get(view)).rejects.toThrow("broken");
    await expect(get(view, { "Accept-Encoding": "br" })).rejects.toThrow("broken");
  });

  test("a file is sent whole, and without ranges", async () => {
    const view: View = () => new FileResponse(bytes(TEXT), { filename: "a.txt" });
    const reply = await get(view, { "Accept-Encoding": "gzip", Range: "bytes=0-4" });
    expect([reply.status, reply.header("Accept-Ranges"), reply.header("Content-Length")]).toEqual([200, null, null]);
    expect(gunzipSync(reply.bytes()).toString()).toBe(TEXT);
    // A player that seeks does not take it compressed, and gets its range.
    const range = await get(view, { "Accept-Encoding": "identity;q=1, *;q=0", Range: "bytes=0-4" });
    expect([range.status, range.text()]).toEqual([206, "some "]);
  });

  test("an empty stream is a valid one", async () => {
    for (const encoding of ["gzip", "br"]) {
      const reply = await get(() => new StreamingHttpResponse([]), { "Accept-Encoding": encoding });
      expect((encoding === "br" ? brotliDecompressSync : gunzipSync)(reply.bytes()).length).toBe(0);
    }
  });
});
