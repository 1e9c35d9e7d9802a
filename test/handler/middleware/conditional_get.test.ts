import { describe, expect, test, vi } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { ConditionalGetMiddleware } from "../../../src/handler/middleware/conditional_get.ts";
import { HttpResponse, StreamingHttpResponse } from "../../../src/handler/response.ts";
import type { CallOptions, Reply } from "../../../src/esgi/testing.ts";
import { makeSite } from "./site.ts";

function get(view: View, headers: Record<string, string> = {}, options: CallOptions = {}): Promise<Reply> {
  return makeSite([ConditionalGetMiddleware], { "": view }).get({ path: "http://example.com/", headers, ...options });
}

const page: View = () => new HttpResponse("page");

describe("ConditionalGetMiddleware", () => {
  test("makes an ETag of the content", async () => {
    const first = (await get(page)).header("ETag");
    expect(first).toMatch(/^"[0-9a-f]{16}"$/);
    expect((await get(page)).header("ETag")).toBe(first);
    expect((await get(() => new HttpResponse("other"))).header("ETag")).not.toBe(first);
    expect((await get(page, {}, { method: "HEAD" })).header("ETag")).toBe(first);
  });

  test("the tag is the same in each process, and for text and its bytes in ASCII", async () => {
    for (const content of ["Hello, World!", new TextEncoder().encode("Hello, World!")]) {
      expect((await get(() => new HttpResponse(content))).header("ETag")).toBe('"aca6ab8ae39c5356"');
    }
  });

  test("answers 304 to who has it, also where that is weak by now", async () => {
    const etag = (await get(page)).header("ETag")!;
    for (const field of [etag, `"x", ${etag}`, `W/${etag}`, "*"]) {
      const reply = await get(page, { "If-None-Match": field });
      expect([reply.status, reply.text(), reply.header("ETag")]).toEqual([304, "", etag]);
    }
    expect((await get(page, { "If-None-Match": '"x"' })).status).toBe(200);
  });

  test("keeps the view's ETag, and looks at its Last-Modified", async () => {
    const headers = { ETag: '"mine"', "Last-Modified": "Thu, 02 Jan 2020 00:00:00 GMT" };
    const view: View = () => new HttpResponse("page", { headers });
    expect((await get(view)).header("ETag")).toBe('"mine"');
    expect((await get(view, { "If-None-Match": '"mine"' })).status).toBe(304);
    expect((await get(view, { "If-Modified-Since": headers["Last-Modified"] })).status).toBe(304);
    expect((await get(view, { "If-Modified-Since": "nonsense" })).status).toBe(200);
  });

  test.each<[string, View]>([
    ["a stream", () => new StreamingHttpResponse(["a"])],
    ["no-store", () => new HttpResponse("a", { headers: { "Cache-Control": "private, no-store" } })],
    ["an error", () => new HttpResponse("a", { status: 404 })],
    ["an empty page", () => new HttpResponse("")],
  ])("makes none of %s", async (_, view) => {
    expect((await get(view)).header("ETag")).toBe(null);
  });

  test("leaves other methods alone", async () => {
    const reply = await get(page, { "If-None-Match": "*" }, { method: "POST" });
    expect([reply.status, reply.header("ETag")]).toEqual([200, null]);
  });

  test("the response that was not sent is closed, too", async () => {
    const close = vi.fn();
    const view: View = () => {
      const response = new HttpResponse("page");
      response.addCloser(close);
      return response;
    };
    const reply = await get(view, { "If-None-Match": "*" });
    expect(reply.status).toBe(304);
    expect(close).toHaveBeenCalledTimes(1);
  });
});
