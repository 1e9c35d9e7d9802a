// FileResponse behind the real nginx with the file that `tricorn init nginx --protected` writes: the application decides,
// nginx sends the file, with ranges and conditions of its own.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../support/client.ts";
import { onEachKind } from "../support/runtimes.ts";
import { type ServerProcess, startServer } from "../support/server.ts";
import { findProgram, freePort, Project, WebServer } from "./support.ts";

const nginx = findProgram("nginx");
const TEXT = "0123456789".repeat(100_000);

if (nginx === null) test.skip("nginx is not here: apt-get install nginx", () => {});
else {
  onEachKind("files that nginx sends for a Handler", (runtime) => {
    let project: Project;
    let server: ServerProcess;
    let front: WebServer;

    const ask = async (target: string, fields = "", method = "GET") => {
      const client = await Client.connect(front.address);
      client.send(`${method} ${target} HTTP/1.1\r\nHost: us\r\n${fields}Connection: close\r\n\r\n`);
      const response = await client.response({ head: method === "HEAD" });
      client.destroy();
      return response;
    };

    beforeAll(async () => {
      project = new Project("shop", {});
      const bind = `127.0.0.1:${await freePort()}`;
      project.configure({ app: "app.ts", bind });
      project.write("files/a b/c%é.txt", TEXT);
      const port = await freePort();
      const words = ["--listen", `127.0.0.1:${port}`, "--protected", "/protected/=./files"];
      expect(await project.init(runtime, "nginx", ...words)).toMatchObject({ code: 0, stderr: "" });
      const env = { FILES: project.path("files") };
      server = await startServer(runtime, { app: "test/deployment/accel_application.ts", bind, env });
      front = await WebServer.nginx(nginx, project.folder, project.path("deploy/shop.nginx.conf"), port);
    });
    afterAll(async () => {
      await front?.stop();
      await server?.stop();
      project?.remove();
    });

    test("the whole file, with what the application says of it", async () => {
      const response = await ask("/alice/a%20b/c%25%C3%A9.txt");
      expect([response.status, response.text === TEXT]).toEqual([200, true]);
      expect(response.field("content-type")).toBe("text/plain; charset=utf-8");
      expect(response.field("content-disposition")).toBe("attachment; filename*=utf-8''c%25%C3%A9.txt");
      expect(response.field("content-length")).toBe(String(TEXT.length));
      expect(response.field("x-accel-redirect")).toBeNull();
    });

    test("ranges, conditions and HEAD are nginx's", async () => {
      const part = await ask("/alice/a%20b/c%25%C3%A9.txt", "Range: bytes=10-14\r\n");
      expect([part.status, part.text]).toEqual([206, "01234"]);
      const head = await ask("/alice/a%20b/c%25%C3%A9.txt", "", "HEAD");
      expect([head.status, head.field("content-length")]).toEqual([200, String(TEXT.length)]);
      const known = await ask("/alice/a%20b/c%25%C3%A9.txt", `If-None-Match: ${head.field("etag")}\r\n`);
      expect(known.status).toBe(304);
      const matched = await ask("/alice/a%20b/c%25%C3%A9.txt", `If-Match: ${head.field("etag")}\r\n`);
      expect(matched.status).toBe(200);
    });

    test("who may not have it gets nothing of it, nor who asks nginx for it", async () => {
      expect((await ask("/bob/a%20b/c%25%C3%A9.txt")).status).toBe(403);
      expect((await ask("/protected/a%20b/c%25%C3%A9.txt")).status).toBe(404);
    });
  });
}
