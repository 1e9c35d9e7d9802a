// The units that `tricorn init systemd` writes: systemd's own tools find nothing wrong in them, and say how exposed a service
// is. There is no systemd that runs here, so what it would do with them is done by hand: the command, the environment, the
// limits on capabilities.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { splitWords } from "../../src/config/shell_words.ts";
import { onEachKind, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { findProgram, freePort, Project, run } from "./support.ts";

const analyze = findProgram("systemd-analyze");
const setpriv = findProgram("setpriv");
const node = { kind: "node", program: process.execPath } as TestRuntime;

/** The values of a key in a unit. */
function values(unit: string, key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value]) => value!);
}

async function units(
  runtime: TestRuntime,
  config: Record<string, unknown>,
  use: (project: Project, service: string, socket: string | null) => Promise<void>,
): Promise<void> {
  const project = new Project("shop", { app: "./app.mjs", ...config });
  try {
    project.write("app.mjs", "export default { fetch: () => new Response(process.env.NODE_ENV) };\n");
    const made = await project.init(runtime, "systemd");
    expect([made.code, made.stderr]).toEqual([0, ""]);
    const read = (name: string) => existsSync(project.path(name)) ? readFileSync(project.path(name), "utf8") : null;
    await use(project, read("deploy/shop.service")!, read("deploy/shop.socket"));
  } finally {
    project.remove();
  }
}

if (analyze === null) test.skip("systemd-analyze is not here: apt-get install systemd", () => {});

describe.runIf(analyze !== null)("systemd-analyze", () => {
  test.each<[string, Record<string, unknown>]>([
    ["the default", {}],
    ["much of it", { bind: ["127.0.0.1:80", "unix:run/it", ":81"], user: "www-data", group: "www-data", workers: 3 }],
    ["one process", { workers: 0, graceful_timeout: 0 }],
    ["no control socket", { control_socket_disable: true, boot_timeout: 0, bind: "fd://3" }],
    ["TLS, and IPv6", { bind: "[::1]:443", certfile: "cert.pem", keyfile: "key.pem" }],
  ])("verify: nothing is wrong in the units of %s", async (_, config) => {
    await units(node, config, async (project, service, socket) => {
      const files = ["service", ...(socket === null ? [] : ["socket"])].map((kind) =>
        project.path(`deploy/shop.${kind}`)
      );
      const { code, stdout, stderr } = await run([analyze!, "verify", "--man=no", ...files]);
      // What it says of the machine's own units is not ours.
      expect((stdout + stderr).split("\n").filter((line) => line.includes("shop"))).toEqual([]);
      expect(code).toBe(0);
      expect(values(service, "Type")).toEqual(["notify"]);
    });
  });

  test("security: the exposure of the service is 2.5 at most, which systemd calls OK", async () => {
    await units(node, {}, async (project) => {
      const words = ["security", "--offline=true", "--threshold=25", "--no-pager", project.path("deploy/shop.service")];
      const { code, stdout } = await run([analyze!, ...words]);
      expect(stdout).toMatch(/Overall exposure level for shop\.service: \d\.\d OK/);
      expect(code, stdout).toBe(0);
    });
  });
});

test("the sockets are those of bind; a name is refused, since systemd resolves none", async () => {
  await units(
    node,
    { bind: ["localhost:8000", ":80", "[::]:81", "unix:sock"], backlog: 99 },
    async (project, _, socket) => {
      expect(values(socket!, "ListenStream")).toEqual([
        "127.0.0.1:8000",
        "0.0.0.0:80",
        "[::]:81",
        project.path("sock"),
      ]);
      expect(values(socket!, "Backlog")).toEqual(["99"]);
      expect(values(socket!, "SocketMode")).toEqual(["0660"]);
      await Promise.resolve();
    },
  );
  const project = new Project("shop", { app: "./app.mjs", bind: "db.example:80" });
  expect(await project.init(node, "systemd")).toMatchObject({
    code: 2,
    stderr: 'tricorn: bind: systemd listens on addresses, and "db.example" is a name; write its address\n',
  });
  project.remove();
});

test("it stops later than Tricorn does, and never goes on for ever", async () => {
  await units(node, { drain_delay: 7.5, graceful_timeout: 60, keepalive_grace: 3 }, async (_, service) => {
    expect(values(service, "TimeoutStopSec")).toEqual(["76"]);
    await Promise.resolve();
  });
});

onEachKind("the service's command", (runtime) => {
  test("serves on the socket that systemd passes, reloads by ExecReload, with no capability at all", async () => {
    const port = await freePort();
    await units(runtime, { bind: `127.0.0.1:${port}`, workers: 1 }, async (project, service) => {
      // What systemd puts there.
      const control = project.path("ctl");
      const text = service.replaceAll("/run/shop/ctl", control);
      const [start] = values(text, "ExecStart").map((line) => splitWords(line, "ExecStart"));
      const [reload] = values(text, "ExecReload").map((line) => splitWords(line, "ExecReload"));
      // Without the rights of root, where there are any to be given up.
      const powerless = process.getuid?.() === 0 && setpriv !== null
        ? [setpriv, "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"]
        : [];
      const listener = createServer();
      await new Promise<void>((resolve) => listener.listen(port, "127.0.0.1", resolve));
      const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
      // A shell knows the number of the process that the command becomes.
      const words = [...powerless, "sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh", ...start!];
      const child = spawn(words[0]!, words.slice(1), {
        cwd: values(service, "WorkingDirectory")[0]!,
        env: { ...process.env, NODE_ENV: values(service, "Environment")[0]!.slice("NODE_ENV=".length) },
        stdio: ["ignore", "pipe", "pipe", fd],
      });
      let log = "";
      let ended: number | string | null = null;
      child.stderr!.setEncoding("utf8").on("data", (chunk: string) => log += chunk);
      child.on("close", (code, signal) => ended = code ?? signal ?? "?");
      try {
        await eventually(() => {
          if (ended !== null) throw new Error(`it ended with ${ended}:\n${log}`);
          return log.includes("Listening at:");
        }, () => log);
        listener.close();
        const answer = await fetch(`http://127.0.0.1:${port}/`);
        expect(await answer.text()).toBe("production");
        writeFileSync(project.path("app.mjs"), 'export default { fetch: () => new Response("new") };\n');
        expect(await run(reload!)).toMatchObject({ code: 0 });
        await eventually(async () => await (await fetch(`http://127.0.0.1:${port}/`)).text() === "new", () => log);
        // A reload that fails is a failure of systemctl reload, too.
        writeFileSync(project.path("app.mjs"), "export default {");
        expect((await run(reload!)).code).toBe(1);
        child.kill("SIGTERM");
        await eventually(() => ended !== null, () => log);
        expect(ended).toBe(0);
      } finally {
        if (ended === null) child.kill("SIGKILL");
      }
    });
  });
});
