// In which form a page is answered, and with which fields.

import { describe, expect, test } from "vitest";
import { runtime } from "../../../adapters/node.ts";
import { resolveSettings } from "../../../src/config/settings.ts";
import { type Page, preferredForm, renderPage, respondWithPage } from "../../../src/dev/pages/respond.ts";
import { call } from "../../../src/esgi/testing.ts";
import { EventBus } from "../../../src/observe/events.ts";
import { Server } from "../../../src/server/server.ts";

const PAGE: Page = { html: (nonce) => `<p ${nonce}>`, text: () => "text\n", json: () => ({ detail: "why" }) };

describe("preferredForm (RFC 9110 §12.5.1)", () => {
  test.each<[string | undefined, string]>([
    [undefined, "text"],
    ["", "text"],
    ["*/*", "text"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "html"],
    ["application/json", "json"],
    ["application/problem+json", "json"],
    ["application/json, text/plain, */*", "json"],
    ["text/plain", "text"],
    ["text/plain, text/html", "html"],
    ["text/html;q=0.5, text/plain", "text"],
    ["text/html;q=0.5, application/json;q=0.6", "json"],
    ["text/html;q=0, */*", "text"],
    ["text/*", "text"],
    ["TEXT/HTML", "html"],
    ["text/html; q=nonsense", "html"],
    ["application/*", "json"],
    ["image/png", "text"],
    [",;q=,;;=,", "text"],
  ])("%s: %s", (accept, form) => {
    expect(preferredForm(accept)).toBe(form);
  });
});

describe("renderPage", () => {
  test("HTML has a policy that lets in what carries its nonce, which is another each time", () => {
    const pages = [1, 2].map(() => renderPage("text/html", 404, PAGE));
    const nonces = pages.map(({ headers, content }) => {
      const fields = new Headers(headers as [string, string][]);
      expect(fields.get("content-type")).toBe("text/html; charset=utf-8");
      expect(fields.get("cache-control")).toBe("no-store");
      const nonce = /script-src 'nonce-([\w+/]{24})' 'self'/.exec(fields.get("content-security-policy")!)![1];
      expect(content).toBe(`<p ${nonce}>`);
      return nonce;
    });
    expect(nonces[0]).not.toBe(nonces[1]);
  });

  test("JSON is a problem (RFC 9457)", () => {
    const { headers, content } = renderPage("application/json", 404, PAGE);
    expect(headers[0]).toEqual(["Content-Type", "application/problem+json"]);
    expect(JSON.parse(content)).toEqual({ type: "about:blank", title: "Not Found", status: 404, detail: "why" });
  });
});

describe("respondWithPage", () => {
  test("answers, HEAD too", async () => {
    for (const method of ["GET", "HEAD", "POST"]) {
      const reply = await call((environ, startResponse) => respondWithPage(environ, startResponse, 500, PAGE), {
        method,
      });
      expect(reply.status).toBe(500);
      expect(reply.header("cache-control")).toBe("no-store");
    }
  });

  test("takes the place of a head that was not sent", async () => {
    const reply = await call((environ, startResponse) => {
      startResponse("200 OK", [["Content-Type", "text/csv"]]);
      return respondWithPage(environ, startResponse, 500, PAGE, new Error("late"));
    });
    expect([reply.status, await reply.text()]).toEqual([500, "text\n"]);
  });

  test("a HEAD by a real server: the fields of GET, and no content", async () => {
    const server = new Server(
      (environ, startResponse) => respondWithPage(environ, startResponse, 500, PAGE),
      runtime,
      resolveSettings({}),
      new EventBus(),
    );
    const { bind } = await server.listen({ kind: "tcp", host: "127.0.0.1", port: 0 }, { backlog: 10 });
    try {
      const url = `http://127.0.0.1:${(bind as { port: number }).port}/`;
      const [get, head] = await Promise.all(["GET", "HEAD"].map((method) => fetch(url, { method })));
      expect([head!.status, await head!.text(), await get!.text()]).toEqual([500, "", "text\n"]);
      for (const name of ["content-type", "cache-control", "content-length"]) {
        expect(head!.headers.get(name)).toBe(get!.headers.get(name));
      }
    } finally {
      server.close();
    }
  });
});
