import { describe, expect, test } from "vitest";
import type { Application } from "../../src/esgi/application.ts";
import { toFetchHandler } from "../../src/bridges/to_fetch.ts";
import { httpSuite, spawnServed } from "./http_suite.ts";

const TEXT: [string, string][] = [["Content-Type", "text/plain"]];

describe("toFetchHandler", () => {
  const errors = { text: "", write: (text: string) => void (errors.text += text), flush() {} };
  const environ: Application = (environ, startResponse) => {
    startResponse("200 OK", TEXT);
    return JSON.stringify([
      environ.SCRIPT_NAME,
      environ.PATH_INFO,
      environ.SERVER_NAME,
      environ.SERVER_PORT,
      environ.REMOTE_ADDR,
      environ.REMOTE_PORT,
      environ["esgi.url_scheme"],
      "esgi.tls" in environ,
      environ["esgi.multiprocess"],
    ]);
  };

  test("knows the client from Deno's info and from Bun's server, and does without", async () => {
    const handler = toFetchHandler(environ);
    const remote = async (info: unknown): Promise<unknown> =>
      (await (await handler(new Request("http://h/"), info)).json()).slice(4, 6);
    expect(await remote({ remoteAddr: { transport: "tcp", hostname: "::ffff:1.2.3.4", port: 5 } })).toEqual([
      "1.2.3.4",
      "5",
    ]);
    expect(await remote({ remoteAddr: { transport: "unix", path: "/x" } })).toEqual(["", ""]);
    expect(await remote({ requestIP: () => ({ address: "::1", port: 6, family: "IPv6" }) })).toEqual(["::1", "6"]);
    expect(await remote({ requestIP: () => null })).toEqual(["", ""]);
    for (const info of [undefined, null, {}, "x"]) expect(await remote(info)).toEqual(["", ""]);
  });

  test("takes scheme, host and mount from the URL and the options", async () => {
    const handler = toFetchHandler(environ, { scriptName: "/app", multiprocess: true });
    const response = await handler(new Request("https://example.org:8443/app/x"));
    expect(await response.json()).toEqual(["/app", "/x", "example.org", "8443", "", "", "https", true, true]);
    expect((await handler(new Request("https://example.org/apple"))).status).toBe(404);
  });

  test("an InputError that the application lets pass becomes its status", async () => {
    const handler = toFetchHandler(async (environ, startResponse) => {
      await environ["esgi.input"].bytes();
      startResponse("200 OK", TEXT);
      return null;
    }, { errors });
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
    const request = new Request("http://h/", { method: "POST", body, duplex: "half" } as RequestInit);
    const response = await handler(request);
    expect([response.status, await response.text()]).toEqual([400, "400 Bad Request\n"]);
  });

  test("an interim status and an upgrade cannot be sent", async () => {
    errors.text = "";
    const upgrade: Application = (_environ, startResponse) => {
      startResponse("101 Switching Protocols", [["Upgrade", "x"]]);
      return () => {};
    };
    expect((await toFetchHandler(upgrade, { errors })(new Request("http://h/"))).status).toBe(500);
    expect(errors.text).toContain("esgi.upgrade is absent");
  });

  test("the body is closed once, and the signal aborted, when the response is cancelled", async () => {
    let closed = 0;
    let aborted = false;
    const handler = toFetchHandler((environ, startResponse) => {
      environ["esgi.signal"].addEventListener("abort", () => aborted = true);
      startResponse("200 OK", TEXT);
      return {
        async *[Symbol.asyncIterator]() {
          for (;;) yield "x";
        },
        close: () => void closed++,
      };
    });
    const reader = (await handler(new Request("http://h/"))).body!.getReader();
    await reader.read();
    await reader.cancel();
    expect([closed, aborted]).toEqual([1, true]);
  });

  test("a request whose signal aborts late, after the response, disturbs nobody", async () => {
    const controller = new AbortController();
    let aborted = false;
    const handler = toFetchHandler((environ, startResponse) => {
      environ["esgi.signal"].addEventListener("abort", () => aborted = true);
      startResponse("200 OK", TEXT);
      return "done";
    });
    const response = await handler(new Request("http://h/", { signal: controller.signal }));
    controller.abort();
    expect(await response.text()).toBe("done");
    expect(aborted).toBe(false);
  });
});

const skip = { "sends the reason phrase": "the runtime writes its own, whatever the Response says" };

httpSuite(
  "Deno.serve",
  () => spawnServed("deno", ["run", "--quiet", "--no-check", "--allow-net", "test/bridges/fixtures/deno.ts"]),
  { earlyHints: false, trailers: false, skip },
);

httpSuite("Bun.serve", () => spawnServed("bun", ["test/bridges/fixtures/bun.ts"]), {
  earlyHints: false,
  trailers: false,
  skip,
});
