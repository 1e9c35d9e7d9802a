// examples/site, a whole site on Handler, on each runtime over real sockets; and once in a real browser.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Browser, CHROMIUM } from "../support/browser.ts";
import { onEachRuntime, RUNTIMES } from "../support/runtimes.ts";
import { startServer, useServer } from "../support/server.ts";

const APP = "examples/site/application.ts";
/** Large uploads go to the disk for as long as their request lasts. */
const SITE = { app: APP, env: { SITE_SECRET_KEY: "x".repeat(50) }, permissions: ["--allow-write"] } as const;

/** Somebody with a cookie jar, who follows no redirect. */
class Visitor {
  readonly cookies = new Map<string, string>();
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async get(path: string, init: RequestInit = {}): Promise<Response & { readonly page: string }> {
    const headers = new Headers(init.headers);
    headers.set("Cookie", [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; "));
    const response = await fetch(this.#url + path, { redirect: "manual", ...init, headers });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]*)=([^;]*)/.exec(cookie)!;
      if (/max-age=0/i.test(cookie)) this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
    }
    return Object.assign(response, { page: await response.clone().text() });
  }

  /** Sends a form, with the token of the page at `from`. */
  async post(
    path: string,
    fields: Readonly<Record<string, string | File>>,
    from: string = path,
  ): Promise<Response & { readonly page: string }> {
    const { page } = await this.get(from);
    const form = new FormData();
    form.set("csrfmiddlewaretoken", /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page)?.[1] ?? "");
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    return await this.get(path, { method: "POST", body: form });
  }

  async logIn(name: string, next = ""): Promise<Response> {
    return await this.post("/login/", { name, next, password: "tricorn" });
  }

  /** JSON to the API, with the token in a header. */
  async send(path: string, method: string, body?: string): Promise<Response & { readonly page: string }> {
    const headers = { "X-CSRFToken": this.cookies.get("csrftoken") ?? "", "Content-Type": "application/json" };
    return await this.get(path, { method, headers, ...(body === undefined ? {} : { body }) });
  }
}

onEachRuntime("examples/site", (runtime) => {
  const server = useServer(runtime, SITE);
  const visitor = (): Visitor => new Visitor(server().url);

  test("a page, with the fields that keep it safe", async () => {
    const { status, page, headers } = await visitor().get("/");
    expect(status).toBe(200);
    expect(page).toContain("<h1>Notes</h1>");
    expect(headers.get("X-Frame-Options")).toBe("DENY");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Content-Length")).toBe(String(new TextEncoder().encode(page).length));
    expect(headers.get("Vary")).toContain("Cookie");
  });

  test("static files, and 304 for who has them", async () => {
    const style = await visitor().get("/static/site.css");
    expect(style.headers.get("Content-Type")).toMatch(/^text\/css/);
    const headers = { "If-None-Match": style.headers.get("ETag")! };
    expect((await visitor().get("/static/site.css", { headers })).status).toBe(304);
    expect((await visitor().get("/static/..%2fsettings.ts")).status).toBe(404);
  });

  test("error pages are the site's own: 404, 405, 301 to the slash", async () => {
    const nowhere = await visitor().get("/nowhere/");
    expect([nowhere.status, nowhere.page.includes("<h1>Not here</h1>")]).toEqual([404, true]);
    const slash = await visitor().get("/login?next=/files/");
    expect([slash.status, slash.headers.get("Location")]).toEqual([301, "/login/?next=/files/"]);
    const other = await visitor().get("/login/", { method: "PUT" });
    expect([other.status, other.headers.get("Allow")]).toEqual([403, null]);
    const options = await visitor().get("/login/", { method: "OPTIONS" });
    expect([options.status, options.headers.get("Allow")]).toEqual([405, "GET, HEAD, POST"]);
    const api = await visitor().get("/api/notes/999/");
    expect([api.status, JSON.parse(api.page)]).toEqual([404, { error: "Not here" }]);
  });

  test("a host that is not ours: 400", async () => {
    const client = await server().connect();
    client.send("GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n");
    expect((await client.response()).status).toBe(400);
  });

  test("login: a wrong password, the right one, the way back, logout", async () => {
    const ada = visitor();
    const wrong = await ada.post("/login/", { name: "ada", password: "guess" });
    expect([wrong.status, wrong.page.includes("Wrong name or password.")]).toEqual([400, true]);
    expect(ada.cookies.has("user")).toBe(false);
    const before = ada.cookies.get("csrftoken");
    const right = await ada.logIn("ada", "/files/");
    expect([right.status, right.headers.get("Location")]).toEqual([302, "/files/"]);
    expect(right.headers.getSetCookie().find((cookie) => cookie.startsWith("user="))).toMatch(
      /HttpOnly; .*SameSite=Lax/,
    );
    expect(ada.cookies.get("csrftoken")).not.toBe(before);
    expect((await ada.get("/")).page).toContain("Log ada out");
    expect((await ada.post("/logout/", {}, "/")).status).toBe(302);
    expect((await ada.get("/")).page).toContain("Log in");
  });

  test("login never leads to another site", async () => {
    for (const next of ["//evil.org", "https://evil.org", "/\\evil.org", "javascript:alert(1)"]) {
      expect((await visitor().logIn("ada", next)).headers.get("Location")).toBe("/");
    }
  });

  test("a forged cookie is nobody's", async () => {
    const eve = visitor();
    await eve.logIn("eve");
    eve.cookies.set("user", eve.cookies.get("user")!.replace("eve", "ada"));
    expect((await eve.get("/")).page).toContain("Log in");
  });

  test("a form without a token is refused, and so is one from another site", async () => {
    const ada = visitor();
    await ada.logIn("ada");
    const form = new URLSearchParams({ text: "forged" });
    expect((await ada.get("/", { method: "POST", body: form })).status).toBe(403);
    form.set("csrfmiddlewaretoken", ada.cookies.get("csrftoken")!);
    const headers = { Origin: "https://evil.org" };
    const refused = await ada.get("/", { method: "POST", body: form, headers });
    expect([refused.status, refused.page.includes("Once more, please")]).toEqual([403, true]);
    expect((await ada.get("/")).page).not.toContain("forged");
  });

  test("a note is kept, shown, and removed by its author alone", async () => {
    const ada = visitor();
    expect((await ada.post("/", { text: "before the login" }, "/login/")).headers.get("Location")).toBe(
      "/login/?next=%2F",
    );
    await ada.logIn("ada");
    expect((await ada.post("/", { text: "  " })).status).toBe(400);
    const kept = await ada.post("/", { text: "<b>bold</b> ✓" });
    expect(kept.status).toBe(302);
    const place = kept.headers.get("Location")!;
    expect((await visitor().get(place)).page).toContain("&lt;b&gt;bold&lt;/b&gt; ✓");
    const eve = visitor();
    await eve.logIn("eve");
    expect((await eve.post(place, {}, "/")).status).toBe(403);
    expect((await ada.post(place, {})).headers.get("Location")).toBe("/");
    expect((await ada.get(place)).status).toBe(404);
  });

  test("the API: made, listed, read, deleted; and what is wrong has its status", async () => {
    const ada = visitor();
    await ada.get("/login/");
    expect((await ada.send("/api/notes/", "POST", '{"text":"x"}')).status).toBe(403);
    await ada.logIn("ada");
    const made = await ada.send("/api/notes/", "POST", '{"text":"by the API"}');
    expect(made.status).toBe(201);
    const note = JSON.parse(made.page);
    expect(note).toMatchObject({ author: "ada", text: "by the API" });
    const place = made.headers.get("Location")!;
    expect(place).toBe(`/api/notes/${note.id}/`);
    expect(JSON.parse((await ada.get("/api/notes/")).page).notes).toContainEqual(note);
    const read = await ada.get(place);
    expect([JSON.parse(read.page), read.headers.get("Content-Type")]).toEqual([note, "application/json"]);
    expect(read.headers.get("Cache-Control")).toContain("no-store");
    for (const body of ["", "{", "[]", "null", '{"text":1}', '{"text":" "}', `{"text":"${"x".repeat(1001)}"}`]) {
      expect((await ada.send("/api/notes/", "POST", body)).status, body).toBe(400);
    }
    expect((await ada.send("/api/notes/", "POST", `{"text":"${"x".repeat(3_000_000)}"}`)).status).toBe(413);
    expect((await visitor().send(place, "DELETE")).status).toBe(403);
    expect((await ada.send(place, "DELETE")).status).toBe(204);
    expect((await ada.send(place, "DELETE")).status).toBe(404);
  });

  test("a file, small or large, comes back as it was, in parts too; its name is never a path", async () => {
    const ada = visitor();
    await ada.logIn("ada");
    for (const size of [10, 4_000_000]) {
      const bytes = new Uint8Array(size).map((_, i) => i * 7);
      const sent = await ada.post("/files/", {
        file: new File([bytes], "../../etc/é <b>.html", { type: "text/html" }),
      });
      expect(sent.headers.get("Location")).toBe("/files/");
      const { page } = await ada.get("/files/");
      expect(page).toContain(">é _b_.html</a> by ada");
      const place = /\/files\/\d+\//.exec(page)![0];
      const file = await visitor().get(place);
      // By hand: vitest looks at each of four million bytes for half a minute.
      expect(Buffer.compare(Buffer.from(await file.arrayBuffer()), bytes)).toBe(0);
      expect(file.headers.get("Content-Disposition")).toMatch(/^attachment; filename\*=utf-8''/);
      const part = await visitor().get(place, { headers: { Range: "bytes=2-4" } });
      expect([part.status, part.headers.get("Content-Range")]).toEqual([206, `bytes 2-4/${size}`]);
      expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.slice(2, 5));
    }
    expect((await ada.post("/files/", { file: new File([new Uint8Array(5_000_001)], "large") })).status).toBe(400);
    expect((await ada.post("/files/", {})).status).toBe(400);
  });

  test("no request has made it fail", () => {
    expect(server().stderr).not.toMatch(/ 500\b|Internal Server Error|Error: /);
  });
});

onEachRuntime("examples/site in a database", (runtime) => {
  const directory = mkdtempSync(join(tmpdir(), "tricorn-site-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const version = Number(/^node-(\d+)$/.exec(runtime.name)?.[1] ?? 99);
  const has = runtime.kind !== "node" ||
    (runtime.name === "node" ? Number(process.versions.node.split(".")[0]) : version) >= 22;

  test.skipIf(!has)(
    "keeps its notes and its logins when it starts again (skipped on a Node without node:sqlite)",
    async () => {
      const options = {
        ...SITE,
        env: { ...SITE.env, SITE_DATABASE: join(directory, "site.db") },
        permissions: ["--allow-write"],
      };
      let cookies: [string, string][] = [];
      for (const text of ["the first", "the second"]) {
        const server = await startServer(runtime, options);
        const ada = new Visitor(server.url);
        for (const [name, value] of cookies) ada.cookies.set(name, value);
        if (cookies.length === 0) await ada.logIn("ada");
        expect((await ada.post("/", { text })).status).toBe(302);
        cookies = [...ada.cookies];
        const { page } = await ada.get("/");
        expect(page).toContain("the first");
        expect(page).toContain(text);
        await server.stop();
      }
    },
  );
});

describe.skipIf(CHROMIUM === null)("examples/site in Chromium (skipped where it is not installed)", () => {
  const server = useServer(RUNTIMES[0]!, SITE);
  let browser: Browser;
  const directory = mkdtempSync(join(tmpdir(), "tricorn-site-"));
  beforeAll(async () => {
    browser = await Browser.open(CHROMIUM!);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const submit = `document.querySelector("form:not([action='/logout/'])").requestSubmit()`;
  const heading = (text: string): Promise<void> =>
    browser.until(`document.querySelector("h1")?.textContent === "${text}"`);

  test("logs in, keeps a note, counts it by the API, uploads a file, logs out", async () => {
    await browser.goto(`${server().url}/files/`);
    await heading("Log in");
    await browser.evaluate(`{
      document.querySelector("[name=name]").value = "ada";
      document.querySelector("[name=password]").value = "tricorn";
      ${submit};
    }`);
    await heading("Files");
    // It is kept from scripts.
    expect(await browser.evaluate("document.cookie")).toMatch(/^csrftoken=[a-zA-Z0-9]{32}$/);

    writeFileSync(join(directory, "hello.txt"), "hello");
    await browser.setFiles("[name=file]", [join(directory, "hello.txt")]);
    await browser.evaluate(submit);
    await browser.until(`document.querySelector("ul a")?.textContent === "hello.txt"`);
    expect(await browser.evaluate(`fetch(document.querySelector("ul a").href).then((file) => file.text())`)).toBe(
      "hello",
    );

    await browser.goto(server().url);
    await browser.evaluate(`{ document.querySelector("textarea").value = "from <Chromium>"; ${submit}; }`);
    await browser.until(`document.querySelector("blockquote")?.textContent === "from <Chromium>"`);
    await browser.until(`document.getElementById("count").textContent === "(1)"`);

    const status = await browser.evaluate(`fetch("/api/notes/", {
      method: "POST",
      headers: { "X-CSRFToken": document.cookie.split("=")[1] },
      body: JSON.stringify({ text: "by a script" }),
    }).then((response) => response.status)`);
    expect(status).toBe(201);

    await browser.evaluate(`document.querySelector("form[action='/logout/']").requestSubmit()`);
    await heading("Notes");
    expect(await browser.evaluate("document.body.textContent")).toContain("Log in");
  });

  test("another site's form is refused", async () => {
    await browser.goto(`${server().url}/login/`);
    // localhost is another site to it than 127.0.0.1, and this page is the site's own, so that the form can be sent.
    await browser.goto(`${server().url.replace("127.0.0.1", "localhost")}/login/`);
    await browser.evaluate(`{
      const form = document.querySelector("form");
      form.action = "${server().url}/login/";
      form.submit();
    }`);
    await browser.until(`location.hostname === "127.0.0.1" && document.readyState === "complete"`);
    await heading("Once more, please");
  });
});
