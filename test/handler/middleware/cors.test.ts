// The CORS middleware against the Fetch standard's CORS protocol (§3.3).

import { describe, expect, test } from "vitest";
import type { View } from "../../../src/handler/base.ts";
import { cors, type CorsOptions } from "../../../src/handler/middleware/cors.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import { makeSite, type Site } from "./site.ts";

const VIEWS: Readonly<Record<string, View>> = {
  "": (request) => new HttpResponse(request.method, { headers: { Vary: "Accept" } }),
  "fails/": () => {
    throw new Error("no");
  },
};
const ORIGIN = "https://app.example.org";
const site = (options: CorsOptions): Site => makeSite([cors(options)], VIEWS);
const from = (Origin: string): { headers: Record<string, string> } => ({ headers: { Host: "localhost", Origin } });

/** A browser's question before a PUT with JSON. */
function preflight(origin: string): { path: string; method: string; headers: Record<string, string> } {
  return {
    path: "/",
    method: "OPTIONS",
    headers: {
      ...from(origin).headers,
      "Access-Control-Request-Method": "PUT",
      "Access-Control-Request-Headers": "content-type",
    },
  };
}

describe("a request", () => {
  test("from an origin that is allowed may be read", async () => {
    const reply = await site({ allowedOrigins: [ORIGIN], exposeHeaders: ["X-Total", "ETag"] }).get(from(ORIGIN));
    expect(reply.text()).toBe("GET");
    expect(reply.header("Access-Control-Allow-Origin")).toBe(ORIGIN);
    expect(reply.header("Access-Control-Expose-Headers")).toBe("X-Total, ETag");
    expect(reply.header("Access-Control-Allow-Credentials")).toBe(null);
    expect(reply.header("Vary")).toBe("Accept, Origin");
  });

  test("with credentials", async () => {
    const reply = await site({ allowedOrigins: [ORIGIN], allowCredentials: true }).get(from(ORIGIN));
    expect(reply.header("Access-Control-Allow-Credentials")).toBe("true");
  });

  test("from everywhere, for *", async () => {
    const reply = await site({ allowedOrigins: "*" }).get(from("null"));
    expect(reply.header("Access-Control-Allow-Origin")).toBe("*");
    expect(reply.header("Vary")).toBe("Accept");
  });

  test.each([
    ["null"],
    [""],
    ["https://app.example.org:8443"],
    ["http://app.example.org"],
    ["https://app.example.org.evil.org"],
    ["https://evil.org/https://app.example.org"],
    ["HTTPS://APP.EXAMPLE.ORG"],
  ])("from %j is served, and may not be read", async (origin) => {
    const reply = await site({ allowedOrigins: [ORIGIN, /https:\/\/[a-z]+\.example\.net/g] }).get(from(origin));
    expect(reply.text()).toBe("GET");
    expect(reply.header("Access-Control-Allow-Origin")).toBe(null);
    expect(reply.header("Vary")).toBe("Accept, Origin");
  });

  test("without an origin varies, for caches", async () => {
    const reply = await site({ allowedOrigins: [ORIGIN] }).get("/");
    expect(reply.header("Access-Control-Allow-Origin")).toBe(null);
    expect(reply.header("Vary")).toBe("Accept, Origin");
  });

  test.each([
    ["https://a.example.net", true],
    ["https://a.example.net.evil.org", false],
    ["xhttps://a.example.net", false],
    ["https://aXexample.net", false],
  ])("an expression must match all of %s: %s", async (origin, allowed) => {
    const one = site({ allowedOrigins: [/https:\/\/[a-z]+\.example\.net|https:\/\/other/gy] });
    for (let i = 0; i < 3; i++) {
      expect((await one.get(from(origin))).header("Access-Control-Allow-Origin")).toBe(allowed ? origin : null);
    }
  });

  test("an error may be read, too", async () => {
    const reply = await site({ allowedOrigins: [ORIGIN] }).get({ path: "/fails/", ...from(ORIGIN) });
    expect([reply.status, reply.header("Access-Control-Allow-Origin")]).toEqual([500, ORIGIN]);
  });
});

describe("a preflight", () => {
  test("is answered, and the view is not asked", async () => {
    const reply = await site({ allowedOrigins: [ORIGIN] }).get(preflight(ORIGIN));
    expect([reply.status, reply.text()]).toEqual([204, ""]);
    expect(reply.header("Access-Control-Allow-Origin")).toBe(ORIGIN);
    expect(reply.header("Access-Control-Allow-Methods")).toBe("DELETE, GET, OPTIONS, PATCH, POST, PUT");
    expect(reply.header("Access-Control-Allow-Headers")).toBe(
      "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with",
    );
    expect(reply.header("Access-Control-Max-Age")).toBe("86400");
    expect(reply.header("Vary")).toBe("Origin");
  });

  test("by the options", async () => {
    const reply = await site({
      allowedOrigins: "*",
      allowMethods: ["PUT"],
      allowHeaders: ["X-A", "X-B"],
      preflightMaxAge: 0,
    }).get(preflight(ORIGIN));
    expect(reply.header("Access-Control-Allow-Origin")).toBe("*");
    expect(reply.header("Access-Control-Allow-Methods")).toBe("PUT");
    expect(reply.header("Access-Control-Allow-Headers")).toBe("X-A, X-B");
    expect(reply.header("Access-Control-Max-Age")).toBe("0");
  });

  test("from elsewhere gets nothing", async () => {
    const reply = await site({ allowedOrigins: [ORIGIN] }).get(preflight("https://evil.org"));
    expect(reply.status).toBe(204);
    expect(reply.headers.map(([name]) => name.toLowerCase())).toEqual(["vary"]);
  });

  test.each(["Origin", "Access-Control-Request-Method"])("OPTIONS without %s is none", async (name) => {
    const { headers, ...rest } = preflight(ORIGIN);
    delete headers[name];
    expect((await site({ allowedOrigins: [ORIGIN] }).get({ ...rest, headers })).text()).toBe("OPTIONS");
  });
});

test("credentials from everywhere are refused at the start", () => {
  expect(() => cors({ allowedOrigins: "*", allowCredentials: true })).toThrow(
    /allowCredentials.*list of allowedOrigins/,
  );
});

test.each(["example.org", "https://example.org/", "https://example.org/x", "", "null", "*"])(
  "malformed: the origin %j is told at the start",
  (origin) => {
    expect(() => cors({ allowedOrigins: [origin] })).toThrow(/no origin/);
  },
);
