import { describe, expect, test } from "vitest";
import { RequestIDMiddleware } from "../../../src/handler/middleware/request_id.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import { makeSite } from "./site.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("RequestIDMiddleware", () => {
  const site = makeSite([RequestIDMiddleware], {
    "": (request) => new HttpResponse(request.headers.get("X-Request-ID") ?? "none"),
    "fails/": () => {
      throw new Error("broken");
    },
  });
  const get = (id?: string, path = "/") =>
    site.get({ path: `http://example.com${path}`, headers: id === undefined ? {} : { "X-Request-ID": id } });

  test("makes one, which the view and the client see", async () => {
    const reply = await get();
    expect(reply.header("X-Request-ID")).toMatch(UUID);
    expect(reply.text()).toBe(reply.header("X-Request-ID"));
    expect((await get()).text()).not.toBe(reply.text());
  });

  test.each(["7", "a-B_c.d~e:f+g/h=", "x".repeat(128), "5f0c3b9e-6f8b-4d53-8a71-0f5f6f0c3b9e"])(
    "keeps a well-formed one: %s",
    async (id) => {
      const reply = await get(id);
      expect([reply.header("X-Request-ID"), reply.text()]).toEqual([id, id]);
    },
  );

  test.each(["", "a b", "a\tb", "<script>", 'a"b', "a,b", "\xe9", "x".repeat(129), "%0a", "a;b"])(
    "replaces a malformed one: %j",
    async (id) => {
      const reply = await get(id);
      expect(reply.header("X-Request-ID")).toMatch(UUID);
      expect(reply.text()).toBe(reply.header("X-Request-ID"));
    },
  );

  test("an error page has it, too", async () => {
    const reply = await get("7", "/fails/");
    expect([reply.status, reply.header("X-Request-ID")]).toEqual([500, "7"]);
  });
});
