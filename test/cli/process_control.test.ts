// The rules of the process around a server; what the system makes of them is in test/adapters/process_control.test.ts.

import { describe, expect, test } from "vitest";
import { applyRawEnv } from "../../src/cli/environment.ts";
import { dropPrivileges, resolveIdentity } from "../../src/cli/identity.ts";
import { PidFile, secondPidFile } from "../../src/cli/pidfile.ts";
import { ProcessError } from "../../src/cli/process_control.ts";
import { createNotifier, type Notifier } from "../../src/cli/systemd.ts";
import { watchFiles } from "../../src/cli/watch_files.ts";
import { FakeControl } from "./fake_control.ts";

const PATH = "/run/app.pid";

describe("pidfile", () => {
  test("a stale, an empty and the process's own file are replaced", () => {
    for (const text of ["99\n", "", "\n", "7\n"]) {
      const control = new FakeControl();
      control.alive.add(7);
      control.files.set(PATH, text);
      new PidFile(PATH, 7, control).create();
      expect(control.files.get(PATH)).toBe("7\n");
    }
  });

  test("one of a process that lives, or that is no pidfile, is left alone", () => {
    const control = new FakeControl();
    control.alive.add(99);
    for (
      const [text, message] of [
        ["99\n", 'pidfile: already running with pid 99, which "/run/app.pid" names; stop it, or choose another --pid'],
        ["root:x:0:0", 'pidfile: "/run/app.pid" holds no pid; remove it, or choose another --pid'],
        // To kill(2) these are groups of processes.
        ["0", 'pidfile: "/run/app.pid" holds no pid; remove it, or choose another --pid'],
        ["-1", 'pidfile: "/run/app.pid" holds no pid; remove it, or choose another --pid'],
      ] as const
    ) {
      control.files.set(PATH, text);
      expect(() => new PidFile(PATH, 7, control).create()).toThrow(new ProcessError(message));
      expect(control.files.get(PATH)).toBe(text);
    }
  });

  test("is removed by its process only, and an error then is nobody's", () => {
    const control = new FakeControl();
    const file = new PidFile(PATH, 7, control);
    file.create();
    control.fault = new Error("EROFS: read-only");
    file.remove();
    control.fault = null;
    control.files.set(PATH, "8\n");
    file.remove();
    expect(control.files.get(PATH)).toBe("8\n");
    control.files.set(PATH, "7\n");
    file.remove();
    expect(control.files.size).toBe(0);
  });

  test("a new master has a second file, and moves it when the first has gone", () => {
    const control = new FakeControl();
    control.alive.add(7);
    const old = new PidFile(PATH, 7, control);
    old.create();
    const next = new PidFile(secondPidFile(PATH), 8, control);
    next.create();
    expect([...control.files]).toEqual([[PATH, "7\n"], ["/run/app.pid.2", "8\n"]]);
    old.remove();
    next.moveTo(PATH);
    expect([...control.files]).toEqual([[PATH, "8\n"]]);
    expect(next.path).toBe(PATH);
  });

  test("what the system refuses is one line", () => {
    const control = new FakeControl();
    control.fault = new Error("EACCES: permission denied, open\nmore");
    expect(() => new PidFile(PATH, 7, control).create()).toThrow(
      new ProcessError('pidfile: cannot write "/run/app.pid": EACCES: permission denied, open'),
    );
  });
});

describe("user and group", () => {
  const control = new FakeControl();
  control.files.set("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/var/www:/bin/false\n");
  control.files.set("/etc/group", "root:x:0:\nstaff:x:50:www\n");
  const resolve = (user: string | null, group: string | null, initgroups = false): unknown =>
    resolveIdentity({ user, group, initgroups }, control);

  test("names and numbers, alone and together", () => {
    expect(resolve(null, null)).toBe(null);
    expect(resolve("root", "0")).toBe(null);
    expect(resolve("www", null)).toEqual({ uid: 33, gid: 34, initgroups: null });
    expect(resolve("33", null)).toEqual({ uid: 33, gid: 34, initgroups: null });
    expect(resolve("www", "staff")).toEqual({ uid: 33, gid: 50, initgroups: null });
    expect(resolve("1234", "5678")).toEqual({ uid: 1234, gid: 5678, initgroups: null });
    expect(resolve(null, "staff")).toEqual({ uid: 0, gid: 50, initgroups: null });
    expect(resolve("33", null, true)).toEqual({ uid: 33, gid: 34, initgroups: "www" });
    expect(resolve("root", null, true)).toEqual({ uid: 0, gid: 0, initgroups: "root" });
  });

  test.each([
    ["absent", null, false, 'user: there is no user "absent" in /etc/passwd; a number would be taken as it is'],
    ["www", "absent", false, 'group: there is no group "absent" in /etc/group; a number would be taken as it is'],
    ["1234", null, false, "user: 1234 is not in /etc/passwd, so give its --group too"],
    ["1234", "50", true, "initgroups: user 1234 is not in /etc/passwd, so it has no groups"],
  ])("user %s, group %s, initgroups %s", (user, group, initgroups, message) => {
    expect(() => resolve(user, group, initgroups)).toThrow(new ProcessError(message));
  });

  test("nothing is changed where nothing was asked for", () => {
    dropPrivileges({ user: "root", group: null, initgroups: false }, control);
    expect(control.became).toEqual([]);
    dropPrivileges({ user: "www", group: null, initgroups: false }, control);
    expect(control.became).toEqual([{ uid: 33, gid: 34, initgroups: null }]);
  });
});

test("raw_env is undone as a whole when a variable may not be set", () => {
  const control = new FakeControl();
  control.env.A = "before";
  expect(() => applyRawEnv(["A=1", "B=2", "FORBIDDEN=3"], control.env, control)).toThrow(
    new ProcessError("raw_env: not allowed"),
  );
  expect(control.env).toEqual({ A: "before" });
});

describe("systemd", () => {
  function notifier(
    env: Record<string, string>,
    control: FakeControl,
  ): { notifier: Notifier; warnings: string[]; clocks: [number, () => void][] } {
    const warnings: string[] = [];
    const clocks: [number, () => void][] = [];
    return {
      warnings,
      clocks,
      notifier: createNotifier({
        env,
        pid: 7,
        control,
        every: (milliseconds, callback) => {
          clocks.push([milliseconds, callback]);
          return () => void clocks.pop();
        },
        warn: (message) => void warnings.push(message),
      }),
    };
  }
  const NOTIFY_SOCKET = "/run/systemd/notify";

  test("without its socket nothing is run", async () => {
    const control = new FakeControl();
    const { notifier: silent, clocks } = notifier({ WATCHDOG_USEC: "1000000" }, control);
    await silent.ready("1 worker");
    await silent.reloading();
    expect([control.ran, clocks]).toEqual([[], []]);
  });

  test("a program that is not there is missed once, and not looked for again", async () => {
    const control = new FakeControl();
    control.outcome = () => Object.assign(new Error("spawn ENOENT"), { code: "ENOENT" });
    const { notifier: deaf, warnings } = notifier({ NOTIFY_SOCKET }, control);
    await deaf.ready("1 worker");
    await deaf.stopping();
    expect(control.ran.length).toBe(1);
    expect(warnings).toEqual([
      "systemd is not told how the service is: there is no program systemd-notify; install it (Debian: systemd), or use " +
      "Type=exec",
    ]);
  });

  test("a failure is told once, and tried again", async () => {
    const control = new FakeControl();
    control.outcome = () => ({ code: 1, stderr: "Failed to notify init system: Connection refused\n" });
    const { notifier: deaf, warnings } = notifier({ NOTIFY_SOCKET }, control);
    await deaf.ready("1 worker");
    await deaf.stopping();
    expect(control.ran.length).toBe(2);
    expect(warnings).toEqual([
      "systemd is not told how the service is: systemd-notify: Failed to notify init system: Connection refused",
    ]);
  });

  test("a systemd-notify before 253 is told of a reload in the old way", async () => {
    const control = new FakeControl();
    control.outcome = ([word]) => ({ code: word === "--reloading" ? 1 : 0, stderr: "unrecognized option" });
    const { notifier: old, warnings } = notifier({ NOTIFY_SOCKET }, control);
    await old.reloading();
    expect(control.ran).toEqual([["systemd-notify", "--reloading"], ["systemd-notify", "RELOADING=1"]]);
    expect(warnings).toEqual([]);
  });

  test("the watchdog is answered twice in its time, by the process it is meant for", async () => {
    const control = new FakeControl();
    const env = { NOTIFY_SOCKET, WATCHDOG_USEC: "3000000" };
    expect(notifier({ ...env, WATCHDOG_PID: "8" }, control).clocks).toEqual([]);
    const { notifier: ours, clocks } = notifier({ ...env, WATCHDOG_PID: "7" }, control);
    const [milliseconds, beat] = clocks[0]!;
    expect(milliseconds).toBe(1500);
    beat();
    // One that waits will do.
    beat();
    await ours.stopping();
    expect(control.ran).toEqual([["systemd-notify", "WATCHDOG=1"], ["systemd-notify", "STOPPING=1"]]);
    ours.close();
    expect(clocks).toEqual([]);
  });
});

describe("watched files", () => {
  test("changes between two looks are one call, and what disappears is none", async () => {
    const control = new FakeControl();
    control.files.set("/a", "1");
    control.files.set("/b", "1");
    let tick = (): void => {};
    let ended = false;
    const calls: (readonly string[])[] = [];
    const stop = await watchFiles(["/a", "/b", "/c"], (changed) => void calls.push(changed), {
      stamp: (path) => path === "/c" && control.fault ? Promise.reject(control.fault) : control.stamp(path),
      every: (_, callback) => {
        tick = callback;
        return () => void (ended = true);
      },
    });
    const look = async (): Promise<void> => {
      tick();
      await new Promise((resolve) => setTimeout(resolve));
    };
    control.files.set("/a", "2").set("/b", "2");
    await look();
    expect(calls).toEqual([["/a", "/b"]]);
    control.files.delete("/a");
    await look();
    control.files.set("/a", "2");
    await look();
    expect(calls.length).toBe(1);
    control.fault = new Error("EACCES");
    control.files.set("/a", "3").set("/c", "1");
    await look();
    control.fault = null;
    await look();
    expect(calls.slice(1)).toEqual([["/a"], ["/c"]]);
    // What a look finds that was under way is not told any more.
    control.files.set("/a", "4");
    tick();
    stop();
    await look();
    expect([calls.length, ended]).toEqual([3, true]);
  });
});
