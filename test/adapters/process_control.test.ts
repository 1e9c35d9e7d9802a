// The process around a server as real processes: what the system says of them, on each runtime.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, afterEach, expect, test } from "vitest";
import { onEachRuntime, ROOT, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";

const directory = mkdtempSync(join(tmpdir(), "tricorn-"));
afterAll(() => rmSync(directory, { recursive: true }));

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
});

interface Surroundings {
  /** What stands before the program, which must become it. */
  readonly before?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly fds?: readonly number[];
  /** More permissions for Deno, the least that work. */
  readonly permissions?: readonly string[];
}

/** process_control_main.ts, at work. */
class Program {
  stderr = "";
  code: number | null = null;
  readonly #child: ChildProcess;
  #stdout = "";

  constructor(runtime: TestRuntime, words: readonly string[], surroundings: Surroundings = {}) {
    const { before = [], env = {}, fds = [], permissions = [] } = surroundings;
    const main = "test/adapters/process_control_main.ts";
    const [program, ...rest] = [...before, runtime.program, ...runtime.words(permissions), main, ...words];
    this.#child = spawn(program!, rest, {
      cwd: ROOT,
      stdio: ["pipe", "pipe", "pipe", ...fds],
      env: { ...process.env, ...env },
    });
    running.add(this.#child);
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#stdout += text);
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => this.stderr += text);
    this.#child.on("close", (code) => {
      this.code = code ?? -1;
      running.delete(this.#child);
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get lines(): unknown[] {
    return this.#stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line) as unknown);
  }

  /** The `number`-th thing that it says, from 0. */
  async says(number = 0): Promise<unknown> {
    await eventually(() => this.lines.length > number || this.code !== null, () => `it says nothing:\n${this.stderr}`);
    if (this.lines.length <= number) throw new Error(`it ended with ${this.code}:\n${this.stderr}`);
    return this.lines[number];
  }

  /** Lets it end; resolves with its exit code. */
  async end(): Promise<number> {
    this.#child.stdin!.end();
    await eventually(() => this.code !== null, () => `it does not end:\n${this.stderr}`);
    return this.code!;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

const has = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

const NOT_ROOT = process.getuid!() !== 0 ? "only root can become another user" : has("setpriv") ? null : "no setpriv";
const NO_NOTIFY = has("systemd-notify") && has("python3") ? null : "no systemd-notify, or no python3";

/** `Uid`, `Gid` and `Groups` of all threads, each that there is once. */
function identities(pid: number): string[] {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    return [...status.matchAll(/^(Uid|Gid|Groups):(.*)$/gm)].map((match) => match[2]!.trim().split(/\s+/).join(" "))
      .join("; ");
  });
  return [...new Set(threads)];
}

onEachRuntime("the process", (runtime) => {
  const file = (name: string): string => join(directory, `${runtime.name}.${name}`);
  const start = (words: readonly string[], surroundings?: Surroundings): Program =>
    new Program(runtime, words, surroundings);

  const SYS = { permissions: ["--allow-sys"] };
  const settings = (user: string, more: object = {}): string =>
    JSON.stringify({ user, group: null, initgroups: false, ...more });

  test.skipIf(NOT_ROOT !== null)(
    `becomes another user for good, and keeps no group: ${NOT_ROOT ?? "as root"}`,
    async () => {
      const nobody = start(["become", settings("65534", { group: "1" })], {
        ...SYS,
        before: ["setpriv", "--clear-groups"],
      });
      expect(await nobody.says()).toBe("dropped");
      const [identity, ...others] = identities(nobody.pid);
      expect(others).toEqual([]);
      expect(identity).toMatch(/^65534 65534 65534 65534; 1 1 1 1; 1?$/);

      const member = start(["become", settings("65534", { group: "1" })], {
        ...SYS,
        before: ["setpriv", "--groups", "0,4"],
      });
      if (runtime.kind === "deno") {
        expect(await member.says()).toBe(
          'ProcessError: cannot become user "65534" and group "1": Deno cannot leave the further groups that it was ' +
            "started in (0, 4); start it without them: setpriv --clear-groups deno ...",
        );
      } else {
        expect(await member.says()).toBe("dropped");
        expect(identities(member.pid)).toEqual(["65534 65534 65534 65534; 1 1 1 1; 1"]);
      }
    },
  );

  test.skipIf(NOT_ROOT !== null)(`finds users by name, with their groups: ${NOT_ROOT ?? "as root"}`, async () => {
    const [name, , uid, gid] = readFileSync("/etc/passwd", "utf8").split("\n").find((line) =>
      line.startsWith("nobody:")
    )!
      .split(":");
    const nobody = start(["become", settings(name!)], { ...SYS, before: ["setpriv", "--clear-groups"] });
    expect(await nobody.says()).toBe("dropped");
    expect(identities(nobody.pid)[0]).toContain(`${uid} ${uid} ${uid} ${uid}; ${gid} ${gid} ${gid} ${gid}; `);

    const member = start(["become", settings(name!, { initgroups: true })], SYS);
    expect(await member.says()).toBe(
      runtime.kind === "deno"
        ? 'ProcessError: cannot become user "nobody": Deno has no initgroups; leave --initgroups out'
        : "dropped",
    );
  });

  test.skipIf(NOT_ROOT !== null)(`who is not root may not: ${NOT_ROOT ?? "as nobody"}`, async () => {
    const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    const upstart = start(["become", settings("0", { group: "0" })], { ...SYS, before: nobody });
    expect(await upstart.says()).toBe(
      'ProcessError: cannot become user "0" and group "0": not permitted; only root may, so start Tricorn as root or ' +
        "leave it out",
    );
  });

  test.runIf(runtime.kind === "deno")("the permission that is missing is named (only Deno has any)", async () => {
    expect(await start(["become", settings("65534", { group: "1" })]).says()).toMatch(
      /^ProcessError: cannot become user "65534" and group "1": Deno may not; add --allow-sys, /,
    );
    expect(await start(["umask", "63", file("umask")]).says()).toMatch(/^ProcessError: umask: .*--allow-sys/);
    const path = file("denied");
    expect(await start(["pidfile", path]).says()).toMatch(/^ProcessError: pidfile: cannot write .*--allow-write/);
    writeFileSync(path, `${process.pid}\n`);
    expect(await start(["pidfile", path]).says()).toMatch(
      /^ProcessError: pidfile: cannot look .*: Deno may not ask whether it lives; add --allow-run, or remove the file/,
    );
  });

  test("one process has the pidfile, and the next when it has gone", async () => {
    const path = file("pid");
    const surroundings = { permissions: [`--allow-write=${directory}`, "--allow-run"] };
    const first = start(["pidfile", path], surroundings);
    expect(await first.says()).toBe(first.pid);
    expect(readFileSync(path, "utf8")).toBe(`${first.pid}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o644);

    const second = start(["pidfile", path], surroundings);
    expect(await second.says()).toMatch(
      `ProcessError: pidfile: already running with pid ${first.pid}, which ${JSON.stringify(path)} names; stop it`,
    );
    expect(await second.end()).toBe(1);

    first.kill();
    await first.end();
    const third = start(["pidfile", path], surroundings);
    expect(await third.says()).toBe(third.pid);
    expect(await third.end()).toBe(0);
    expect(existsSync(path)).toBe(false);

    expect(await start(["pidfile", join(directory, "absent", "pid")], surroundings).says()).toMatch(
      /^ProcessError: pidfile: cannot write ".*absent\/pid": (?:ENOENT|No such file)/,
    );
    expect(readdirSync(directory).filter((name) => name.endsWith("~"))).toEqual([]);
  });

  test("ps shows the title, where the runtime says so", async () => {
    const program = start(["title", "shop"]);
    const shown = await program.says();
    expect(shown).toBe(runtime.kind !== "bun");
    const ps = spawnSync("ps", ["-o", "args=", "-p", String(program.pid)], { encoding: "utf8" }).stdout.trim();
    expect(ps === "tricorn: worker [shop]").toBe(shown);
  });

  test("the umask, and what is in the environment for a while", async () => {
    const umask = start(["umask", "63", file("umask")], {
      permissions: ["--allow-sys", `--allow-write=${directory}`],
    });
    expect(await umask.says()).toBe(0o077);
    expect(statSync(file("umask")).mode & 0o777).toBe(0o600);

    const env = start(["env", "TRICORN_A=1", "TRICORN_B=x=y", "TRICORN_A=2"], {
      env: { TRICORN_A: "before" },
      permissions: ["--allow-run=sh"],
    });
    expect(await env.says()).toEqual(["2,x=y", "before,"]);
  });

  test("systemd's sockets are taken by the process they are meant for, and by no child", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const fd = (server as unknown as { _handle: { fd: number } })._handle.fd;
    const before = ["sh", "-c", 'LISTEN_PID=$((LISTEN_PID_OFF + $$)) exec "$@"', "sh"];
    const env = { LISTEN_FDS: "2", LISTEN_FDNAMES: "http:admin" };
    const meant = start(["sockets"], { before, env: { ...env, LISTEN_PID_OFF: "0" }, fds: [fd, fd] });
    expect(await meant.says()).toEqual({ fds: [3, 4], left: ["LISTEN_PID_OFF"] });
    const other = start(["sockets"], { before, env: { ...env, LISTEN_PID_OFF: "1" }, fds: [fd, fd] });
    expect(await other.says()).toMatchObject({ fds: [] });
    server.close();
  });

  test.skipIf(NO_NOTIFY !== null)(
    `systemd is told how it is, in order: ${NO_NOTIFY ?? "by systemd-notify"}`,
    async () => {
      for (const path of [file("notify"), `@tricorn-${process.pid}-${runtime.name}`]) {
        const systemd = spawn("python3", ["-u", "-c", SYSTEMD, path], { stdio: ["ignore", "pipe", "inherit"] });
        running.add(systemd);
        let heard = "";
        systemd.stdout.setEncoding("utf8").on("data", (text: string) => heard += text);
        await eventually(() => heard.includes("bound\n"), () => "python3 does not listen");
        const program = start(["notify"], {
          env: { NOTIFY_SOCKET: path },
          permissions: ["--allow-run=systemd-notify"],
        });
        expect(await program.says()).toBe(program.pid);
        const messages = heard.split("\n").slice(1, -1).map((line) => JSON.parse(line) as string)
          // A systemd from 253 on adds the time.
          .map((message) => message.replace(/\nMONOTONIC_USEC=\d+/, ""))
          // What it says when it knows no --reloading, and when it waits for systemd.
          .filter((message) => !/^(?:ERRNO|BARRIER)=/.test(message));
        expect(messages).toEqual([
          `READY=1\nSTATUS=1 worker MAINPID=1\nMAINPID=${program.pid}`,
          "RELOADING=1",
          `READY=1\nSTATUS=2 workers\nMAINPID=${program.pid}`,
          "MAINPID=12345",
          "STOPPING=1",
        ]);
        systemd.kill();
      }
    },
  );

  test("who cannot tell systemd says so once", async () => {
    const deaf = start(["notify"], {
      env: { NOTIFY_SOCKET: join(directory, "nobody"), PATH: runtime.kind === "deno" ? process.env.PATH! : directory },
    });
    expect(await deaf.says()).toMatch(
      runtime.kind === "deno"
        ? /^systemd is not told how the service is: Deno may not run systemd-notify; add --allow-run=systemd-notify$/
        : /^systemd is not told how the service is: there is no program systemd-notify; install it/,
    );
    expect(await deaf.says(1)).toBe(deaf.pid);
    await deaf.end();
    expect(deaf.lines.length).toBe(2);
  });

  test("a file that is written, replaced or linked anew is seen", async () => {
    const [touched, absent, linked] = [file("touched"), file("absent"), file("linked")] as [string, string, string];
    writeFileSync(touched, "one");
    writeFileSync(file("v1"), "one");
    writeFileSync(file("v2"), "two");
    symlinkSync(file("v1"), linked);
    const program = start(["watch", touched, absent, linked]);
    expect(await program.says()).toBe("watching");
    writeFileSync(absent, "");
    expect(await program.says(1)).toEqual([absent]);
    writeFileSync(`${touched}.new`, "one");
    renameSync(`${touched}.new`, touched);
    expect(await program.says(2)).toEqual([touched]);
    rmSync(absent);
    symlinkSync(file("v2"), `${linked}.new`);
    renameSync(`${linked}.new`, linked);
    expect(await program.says(3)).toEqual([linked]);
  });

  test("a daemon has left the terminal, and its start ends as it fares", async () => {
    const pidOf = async (path: string): Promise<number> => {
      await eventually(() => existsSync(path), () => "the daemon does not start");
      return Number(readFileSync(path, "utf8"));
    };
    const launch = (fate: string): Program =>
      start(["daemon", fate, file(fate)], { permissions: [`--allow-write=${directory}`, "--allow-run"] });

    const serves = launch("serves");
    expect(await serves.end()).toBe(0);
    const pid = await pidOf(file("serves"));
    const ps = spawnSync("ps", ["-o", "sid=,tty=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
    const streams = [0, 1, 2].map((fd) => statSync(`/proc/${pid}/fd/${fd}`).rdev);
    process.kill(pid, "SIGKILL");
    expect(ps.split(/\s+/)).toEqual([String(pid), "?"]);
    expect(streams).toEqual(Array(3).fill(statSync("/dev/null").rdev));

    const fails = launch("fails");
    expect(await fails.end()).toBe(3);
    expect(fails.stderr).toBe("tricorn: it cannot serve\n");

    const dies = launch("dies");
    expect(await dies.end()).toBe(7);
    expect(dies.stderr).toMatch(/^tricorn: the daemon ended with exit code 7 before it served; --errorlog FILE/);

    // Ctrl-C, while it loads.
    const loads = launch("loads");
    await pidOf(file("loads"));
    loads.kill();
    await eventually(() => !existsSync(file("loads")), () => "the daemon goes on without anyone who waits");
  });
});

/** Listens as systemd does: one JSON string a message. */
const SYSTEMD = `
import array, json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1))
print("bound")
while True:
    data, ancillary, _, _ = s.recvmsg(4096, 4096)
    print(json.dumps(data.decode()))
    # systemd-notify waits until its end of this pipe is closed.
    for _, _, fds in ancillary:
        for fd in array.array("i", fds):
            os.close(fd)
`;
