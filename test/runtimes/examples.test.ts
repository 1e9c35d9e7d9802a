// Each example runs, on each runtime.

import { createHash } from "node:crypto";
import { spawn } from "node:child_process";
import process from "node:process";
import { expect, test } from "vitest";
import { Client } from "../support/client.ts";
import { onEachRuntime, ROOT } from "../support/runtimes.ts";
import { useServer } from "../support/server.ts";
import { get } from "../support/transcripts.ts";
import { eventually } from "../support/wait.ts";

onEachRuntime("examples/hello.ts", (runtime) => {
  const server = useServer(runtime, { app: "examples/hello.ts" });

  test("says hello on every path", async () => {
    for (const path of ["/", "/a/b?c"]) {
      const response = await server().get(path);
      expect(response.text).toBe("Hello, World!");
      expect(response.field("Content-Type")).toBe("text/plain");
      expect(response.framing).toBe("length");
    }
  });
});

onEachRuntime("examples/hono.ts", (runtime) => {
  const server = useServer(runtime, { app: "examples/hono.ts" });

  test("answers", async () => {
    expect((await server().get("/")).text).toBe("Hello, World!");
    expect(JSON.parse((await server().get("/user/a%20b?q=c%26d")).text)).toEqual({ id: "a b", q: "c&d" });
    expect(JSON.parse((await server().get("/user/1")).text)).toEqual({ id: "1", q: null });
    expect((await server().get("/nowhere")).status).toBe(404);
  });
});

onEachRuntime("examples/streaming.ts", (runtime) => {
  const server = useServer(runtime, { app: "examples/streaming.ts" });

  test("counts down", async () => {
    const response = await server().get("/");
    expect(response.chunks.length).toBe(6);
    expect(response.text).toMatch(/^5…\n4…\n.*Lift-off!\n$/s);
    expect((await server().get("/nowhere")).status).toBe(404);
  });

  test("sends events until the reader leaves", async () => {
    const client = await server().connect();
    client.send(get("/events", "Last-Event-ID: 41"));
    expect(await client.until("\r\n\r\n")).toContain("text/event-stream");
    await client.until("id: 42\n");
    await client.until("id: 43\n");
    client.reset();
    await eventually(() => /has left after/.test(server().stderr), () => server().stderr);
  });
});

onEachRuntime("examples/upload.ts", (runtime) => {
  const server = useServer(runtime, { app: "examples/upload.ts" });

  test("counts and hashes what is sent", async () => {
    const client = await server().connect();
    const body = "x".repeat(1_000_000);
    client.send(`PUT /../../etc/passwd HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const response = await client.response();
    expect(response.status).toBe(201);
    const sha256 = createHash("sha256").update(body).digest("hex");
    expect(JSON.parse(response.text)).toEqual({ name: "passwd", size: body.length, sha256 });
  });

  test("refuses what is too large before it is sent", async () => {
    const client = await server().connect();
    client.send("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000001\r\nExpect: 100-continue\r\n\r\n");
    expect((await client.response()).status).toBe(413);
    expect((await server().get("/")).status).toBe(405);
  });
});

onEachRuntime("examples/echo.ts", (runtime) => {
  const server = useServer(runtime, { app: "examples/echo.ts" });

  test("tells what it was asked", async () => {
    const client = await server().connect();
    client.send(
      "POST /a%20b?c=d HTTP/1.1\r\nHost: test\r\nx-a: 1\r\nX-A: 2\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    const response = await client.response();
    expect(response.field("Content-Type")).toBe("application/json");
    expect(Object.entries(JSON.parse(response.text) as object)).toEqual([
      ["method", "POST"],
      ["target", "/a%20b?c=d"],
      ["path", "/a b"],
      ["query", "c=d"],
      ["protocol", "HTTP/1.1"],
      ["headers", [["Host", "test"], ["x-a", "1"], ["X-A", "2"], ["Transfer-Encoding", "chunked"]]],
      ["bodyLength", 5],
      ["bodySha256", createHash("sha256").update("hello").digest("hex")],
      ["trailers", [["X-Sum", "1"]]],
    ]);
  });

  test("has paths for other answers", async () => {
    expect((await server().get("/slow/path")).status).toBe(200);
    expect((await server().get("/status/204")).status).toBe(204);
    expect((await server().get("/status/304")).status).toBe(304);
    const stream = await server().get("/stream");
    expect(stream.chunks).toEqual(["chunk0\n", "chunk1\n", "chunk2\n", "chunk3\n", "chunk4\n"]);
  });
});

onEachRuntime("examples/serve.ts", (runtime) => {
  test("is a program of its own", async () => {
    const child = spawn(runtime.program, [...runtime.words([]), "examples/serve.ts"], {
      cwd: ROOT,
      env: { ...process.env, PORT: "0" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    try {
      let said = "";
      let code: number | string | null = null;
      child.stderr.setEncoding("utf8").on("data", (text: string) => said += text);
      child.on("close", (status, signal) => code = status ?? signal);
      await eventually(() => /Listening at: .*\n/.test(said) || code !== null, () => said);
      const port = Number(/Listening at: http:\/\/0\.0\.0\.0:(\d+)\n/.exec(said)?.[1]);
      const client = await Client.connect({ host: "127.0.0.1", port });
      client.send(get("/"));
      expect((await client.response()).text).toBe("Hello, 127.0.0.1!\n");
      client.end();
      child.kill("SIGTERM");
      await eventually(() => code !== null, () => said);
      expect(code).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
