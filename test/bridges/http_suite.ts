// One suite for all that serve an ESGI application: every bridge onto a runtime's own HTTP server, and Tricorn's. A case that a runtime cannot pass is skipped with its
// reason, which says whose it is.

import { type ChildProcess, spawn } from "node:child_process";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** A server with the fixture application. */
export interface Served {
  readonly port: number;
  /** What it wrote to its error log. */
  errors(): string;
  stop(): void | Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** What broke the answer off, or null. */
  readonly broken: Error | null;
  readonly hints: readonly Record<string, unknown>[];
}

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  /** Sent without Content-Length. */
  readonly chunks?: readonly string[];
  readonly trailers?: Record<string, string>;
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function ask(port: number, path: string, options: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const hints: Record<string, unknown>[] = [];
    const { method, headers } = options;
    const outgoing = request({ port, host: "127.0.0.1", path, method: method ?? "GET", headers: headers ?? {} });
    outgoing.on("information", ({ statusCode, headers }) => hints.push({ statusCode, ...headers }));
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      let broken: Error | null = null;
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", (error) => broken = error);
      incoming.on("close", () =>
        resolve({
          status: incoming.statusCode!,
          reason: incoming.statusMessage!,
          headers: incoming.headers,
          rawHeaders: incoming.rawHeaders,
          body: Buffer.concat(chunks),
          broken,
          hints,
        }));
    });
    for (const chunk of options.chunks ?? []) outgoing.write(chunk);
    if (options.trailers !== undefined) outgoing.addTrailers(options.trailers);
    outgoing.end(options.body);
  });
}

/** Runs a fixture with another runtime, which prints its port. */
export async function spawnServed(command: string, args: readonly string[]): Promise<Served> {
  const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
  const child: ChildProcess = spawn(path(`node_modules/.bin/${command}`), [...args], { cwd: path(".") });
  let errors = "";
  child.stderr!.on("data", (chunk) => errors += chunk);
  const port = await new Promise<number>((resolve, reject) => {
    let text = "";
    child.stdout!.on("data", (chunk) => {
      const match = /port (\d+)/.exec(text += chunk);
      if (match !== null) resolve(Number(match[1]));
    });
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}: ${errors}`)));
    child.on("error", reject);
  });
  return {
    port,
    errors: () => errors,
    stop: () =>
      new Promise((resolve) => {
        child.on("exit", () => resolve());
        child.kill("SIGKILL");
      }),
  };
}

export interface Differences {
  /** Where the application is mounted. */
  readonly mount?: string;
  /** Names of cases, each with the reason why it cannot pass. */
  readonly skip?: Readonly<Record<string, string>>;
  readonly earlyHints: boolean;
  readonly trailers: boolean;
  readonly upgrade?: boolean;
}

export function httpSuite(name: string, start: () => Promise<Served>, differences: Differences): void {
  const mount = differences.mount ?? "";

  describe(name, () => {
    let served: Served;
    beforeAll(async () => {
      served = await start();
    });
    afterAll(async () => {
      await served?.stop();
    });

    const get = (path: string, options?: Ask): Promise<Answer> => ask(served.port, mount + path, options);
    const text = async (path: string, options?: Ask): Promise<string> => (await get(path, options)).body.toString();
    const log = async (): Promise<{ log: string[]; pulled: number }> => JSON.parse(await text("/log"));
    const times = async (line: string): Promise<number> => (await log()).log.filter((one) => one === line).length;

    /** Waits until `line` has been logged `count` times, and makes sure that it stays so. */
    async function logged(line: string, count: number): Promise<void> {
      for (let i = 0; i < 500 && await times(line) < count; i++) await sleep(10);
      await sleep(20);
      expect(await times(line)).toBe(count);
    }

    async function errored(text: RegExp): Promise<void> {
      for (let i = 0; i < 500 && !text.test(served.errors()); i++) await sleep(10);
      expect(served.errors()).toMatch(text);
    }

    function it(title: string, run: () => Promise<void>): void {
      const reason = differences.skip?.[title];
      if (reason === undefined) test(title, run);
      else test.skip(`${title} (${reason})`, run);
    }

    it("sends status, reason, fields and a whole body with its length", async () => {
      const answer = await get("/hello");
      expect([answer.status, answer.body.toString(), answer.broken]).toEqual([200, "héllo", null]);
      expect(answer.headers["content-type"]).toBe("text/plain");
      expect(answer.headers["content-length"]).toBe("6");
      expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
      expect(Buffer.from(answer.headers["x-latin"] as string, "latin1").toString("hex")).toBe("636166e9");
    });

    it("sends the reason phrase", async () => {
      expect((await get("/hello")).reason).toBe("Fine");
    });

    it("tells the request as the specification says", async () => {
      const answer = await get("/environ/caf%C3%A9%FF?q=%20?x", {
        headers: { "X-One": "1", "X_Two": "2", Cookie: "a" },
      });
      const environ = JSON.parse(answer.body.toString());
      expect(environ).toMatchObject({
        REQUEST_METHOD: "GET",
        SCRIPT_NAME: mount,
        PATH_INFO: "/environ/café%FF",
        QUERY_STRING: "q=%20?x",
        SERVER_NAME: "127.0.0.1",
        SERVER_PORT: String(served.port),
        SERVER_PROTOCOL: "HTTP/1.1",
        REMOTE_ADDR: "127.0.0.1",
        HTTP_HOST: `127.0.0.1:${served.port}`,
        HTTP_X_ONE: "1",
        HTTP_COOKIE: "a",
        "esgi.version": [1, 0],
        "esgi.url_scheme": "http",
        "esgi.target": `${mount}/environ/caf%C3%A9%FF?q=%20?x`,
      });
      expect(environ.REMOTE_PORT).toMatch(/^[1-9][0-9]*$/);
      expect("HTTP_X_TWO" in environ).toBe(false);
      expect(environ.keys.includes("esgi.early_hints")).toBe(differences.earlyHints);
      for (const absent of ["esgi.upgrade", "esgi.tls", "CONTENT_LENGTH"]) expect(environ.keys).not.toContain(absent);
    });

    it("streams chunks and closes the body once", async () => {
      const before = await times("stream closed");
      expect(await text("/stream")).toBe("abc");
      await logged("stream closed", before + 1);
    });

    it("keeps the application's Content-Length on a streamed body", async () => {
      const answer = await get("/length");
      expect([answer.headers["content-length"], answer.body.toString()]).toEqual(["4", "abcd"]);
    });

    it("drops hop-by-hop fields", async () => {
      const answer = await get("/hop", { headers: { Connection: "keep-alive" } });
      expect(answer.body.toString()).toBe("hop");
      expect(answer.headers.connection?.toLowerCase()).not.toBe("close");
    });

    it("cuts a body that is longer than its Content-Length, and reports it", async () => {
      for (const [path, expected] of [["/long", "abc"], ["/long-whole", "abc"]] as const) {
        const answer = await get(path);
        expect([answer.status, answer.body.toString(), answer.broken]).toEqual([200, expected, null]);
      }
      await errored(/longer than its Content-Length/);
      await logged("long closed", 1);
    });

    it("breaks the connection when a body is shorter than its Content-Length, and reports it", async () => {
      const answer = await get("/short").catch((error: Error) => error);
      if (!(answer instanceof Error)) expect(answer.broken).not.toBe(null);
      await errored(/ended (?:after 3 of 10 bytes|7 bytes before)/);
      await logged("short closed", 1);
    });

    it("sends no body after HEAD and with 204 and 304", async () => {
      const head = await get("/hello", { method: "HEAD" });
      expect([head.status, head.headers["content-type"], head.body.length]).toEqual([200, "text/plain", 0]);
      expect((await get("/stream", { method: "HEAD" })).body.length).toBe(0);
      const noContent = await get("/no-content");
      expect([noContent.status, noContent.body.length, noContent.broken]).toEqual([204, 0, null]);
      expect(noContent.headers["content-length"]).toBe(undefined);
      const notModified = await get("/not-modified");
      expect([notModified.status, notModified.headers.etag, notModified.body.length]).toEqual([304, '"a"', 0]);
      expect((await get("/empty")).headers["content-length"]).toBe("0");
    });

    it("keeps Content-Length after HEAD", async () => {
      expect((await get("/hello", { method: "HEAD" })).headers["content-length"]).toBe("6");
      expect((await get("/length", { method: "HEAD" })).headers["content-length"]).toBe("4");
    });

    it("answers 500 when the application throws, and tells only the operator why", async () => {
      for (const path of ["/boom", "/no-start"]) {
        const answer = await get(path);
        expect([answer.status, answer.body.toString()]).toEqual([500, "500 Internal Server Error\n"]);
        expect(JSON.stringify(answer.rawHeaders)).not.toContain("secret");
      }
      await errored(/secret boom/);
      await errored(/(?:did not call|without calling) startResponse/);
      expect((await get("/hello")).status).toBe(200);
    });

    it("breaks the connection when the application throws after its head", async () => {
      const answer = await get("/boom-late").catch((error: Error) => error);
      if (!(answer instanceof Error)) {
        expect(answer.broken).not.toBe(null);
        expect(answer.body.toString()).not.toContain("secret");
      }
      await errored(/secret late boom/);
      await logged("boom-late closed", 1);
    });

    it("a head may be replaced until the first chunk", async () => {
      const answer = await get("/replaced");
      expect([answer.status, answer.body.toString()]).toEqual([503, "sorry"]);
    });

    it("echoes a body of megabytes, with and without Content-Length", async () => {
      const big = Buffer.alloc(3_000_000, "0123456789");
      expect((await get("/echo", { method: "POST", body: big })).body.equals(big)).toBe(true);
      const chunks = Array.from({ length: 30 }, (_, i) => String(i).repeat(50_000));
      const answer = await get("/echo", { method: "POST", chunks });
      expect(answer.body.toString()).toBe(chunks.join(""));
      const whole = await text("/whole-echo", { method: "POST", body: big });
      expect(whole).toBe("3000000 3000000 []");
      expect(await text("/whole-echo", { method: "POST", chunks: ["a", "b"] })).toBe("chunked 2 []");
      expect(await text("/whole-echo", { method: "POST" })).toMatch(/ 0 \[\]$/);
    });

    it("goes on after a body that was not read, or not to its end", async () => {
      for (const path of ["/unread", "/read-one"]) {
        const answer = await get(path, { method: "POST", body: Buffer.alloc(100_000, "x") });
        expect(answer.body.toString()).toBe(path === "/unread" ? "unread" : "x");
        expect(await text("/hello")).toBe("héllo");
      }
    });

    it("asks for the next chunk only as the client reads, and closes once when it leaves", async () => {
      const socket = connect(served.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(`GET ${mount}/endless HTTP/1.1\r\nHost: x\r\n\r\n`);
      socket.pause();
      let last = -1;
      let pulled = 0;
      // Until nothing is pulled any more: what the kernel holds is full.
      for (let still = 0; still < 5;) {
        await sleep(30);
        pulled = (await log()).pulled;
        still = pulled === last && pulled > 0 ? still + 1 : 0;
        last = pulled;
        expect(pulled).toBeLessThan(2_000);
      }
      socket.destroy();
      await logged("endless aborted", 1);
      await logged("endless closed", 1);
    });

    it("tells a waiting application that its client has left", async () => {
      const outgoing: ClientRequest = request({ port: served.port, host: "127.0.0.1", path: `${mount}/waiting` });
      outgoing.on("error", () => {});
      await new Promise<void>((resolve) => {
        outgoing.on("response", (incoming) => {
          incoming.on("error", () => {});
          incoming.once("data", () => resolve());
        });
        outgoing.end();
      });
      outgoing.destroy();
      await logged("waiting aborted", 1);
      await logged("waiting closed", 1);
    });

    it("closes a body that comes after its client has left", async () => {
      const socket = connect(served.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(`GET ${mount}/late HTTP/1.1\r\nHost: x\r\n\r\n`);
      await logged("late began", 1);
      socket.destroy();
      await logged("late closed", 1);
    });

    it("an upload that breaks off makes the input throw", async () => {
      const socket = connect(served.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(`POST ${mount}/swallow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc`);
      await logged("swallow began", 1);
      await sleep(20);
      socket.destroy();
      await logged("swallow InputError", 1);
    });

    if (differences.earlyHints) {
      it("sends early hints", async () => {
        const answer = await get("/hints");
        expect(answer.body.toString()).toBe("hinted");
        expect(answer.hints).toEqual([
          { statusCode: 103, link: "</a.css>; rel=preload; as=style, </b.js>; rel=preload" },
        ]);
      });
    }

    if (differences.trailers) {
      it("gives trailers after the body", async () => {
        const headers = { Trailer: "Digest" };
        const body = await text("/whole-echo", { method: "POST", headers, chunks: ["ab"], trailers: { Digest: "x" } });
        expect(body).toBe('chunked 2 [["Digest","x"]]');
      });
    }

    if (differences.upgrade === true) {
      it("hands a switched connection over", async () => {
        const socket = connect(served.port, "127.0.0.1");
        let text = "";
        socket.on("data", (chunk) => text += chunk);
        socket.write(`GET ${mount}/upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly `);
        while (!text.includes("early")) await sleep(5);
        socket.end("late");
        await new Promise((resolve) => socket.on("close", resolve));
        expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n[^]*\r\n\r\nearly latebye$/);
      });
    }

    test("no rule of ESGI was broken", async () => {
      expect((await log()).log.filter((line) => line.startsWith("VIOLATION"))).toEqual([]);
    });
  });
}
