// A process for process_control.test.ts: does one thing with the parts around a server, and says what came of it, a line of
// JSON each; then it waits to be looked at, until its standard input ends.

import { writeFileSync } from "node:fs";
import process from "node:process";
import { processControl as control } from "../../adapters/process_control.ts";
import { Daemon, startDaemon } from "../../src/cli/daemon.ts";
import { applyRawEnv, applyTitle, applyUmask } from "../../src/cli/environment.ts";
import type { CommandHost } from "../../src/cli/host.ts";
import { dropPrivileges } from "../../src/cli/identity.ts";
import { PidFile } from "../../src/cli/pidfile.ts";
import { createNotifier, takeActivatedSockets } from "../../src/cli/systemd.ts";
import { watchFiles } from "../../src/cli/watch_files.ts";

const [command, ...words] = process.argv.slice(2) as [string, ...string[]];

const say = (what: unknown): void => console.log(JSON.stringify(what));

function every(milliseconds: number, callback: () => void): () => void {
  const timer = setInterval(callback, milliseconds);
  return () => clearInterval(timer);
}

const COMMANDS: Readonly<Record<string, () => unknown>> = {
  /** settings */
  become() {
    dropPrivileges(JSON.parse(words[0]!), control);
    try {
      control.become({ uid: 0, gid: 0, initgroups: null });
      return "root again";
    } catch {
      return "dropped";
    }
  },

  /** path */
  pidfile() {
    const file = new PidFile(words[0]!, process.pid, control);
    file.create();
    process.stdin.on("end", () => file.remove());
    return process.pid;
  },

  /** name */
  title: () => applyTitle("worker", words[0]!, control),

  /** mask, path */
  umask() {
    applyUmask(Number(words[0]), control);
    writeFileSync(words[1]!, "");
    return process.umask();
  },

  /** pairs */
  async env() {
    const show = async (): Promise<string> => {
      const { stderr } = await control.run("sh", ["-c", "echo $TRICORN_A,$TRICORN_B >&2"]);
      return stderr.trim();
    };
    const undo = applyRawEnv(words, process.env, control);
    const during = await show();
    undo();
    return [during, await show()];
  },

  sockets() {
    const fds = takeActivatedSockets(process.env, process.pid, control);
    return { fds, left: Object.keys(process.env).filter((name) => name.startsWith("LISTEN_")) };
  },

  async notify() {
    const notifier = createNotifier({ env: process.env, pid: process.pid, control, every, warn: say });
    void notifier.ready("1 worker\nMAINPID=1");
    void notifier.reloading();
    void notifier.ready("2 workers");
    void notifier.mainPid(12_345);
    await notifier.stopping();
    return process.pid;
  },

  /** path */
  async watch() {
    await watchFiles(words, (changed) => say(changed), { stamp: control.stamp, every });
    return "watching";
  },

  /** What becomes of the daemon. */
  async daemon() {
    const { launcher, supervisor } = await import("../../adapters/supervisor.ts");
    const host = {
      stderr: (text: string) => process.stderr.write(text),
      exit: (code: number) => process.exit(code),
    } as unknown as CommandHost;
    // Deno writes the title over the command line from which the daemon gets its flags.
    control.setTitle("tricorn: launcher");
    if (launcher === null) return await startDaemon(supervisor, host);
    control.replaceFile(words[1]!, String(process.pid));
    const daemon = new Daemon(launcher, () => {
      control.remove(words[1]!);
      process.exit(1);
    });
    if (words[0] === "fails") {
      await daemon.failed(3, "tricorn: it cannot serve\n");
      process.exit(3);
    }
    if (words[0] === "dies") process.exit(7);
    if (words[0] === "serves") await daemon.serving();
    setInterval(() => console.log("into /dev/null"), 100);
    return null;
  },
};

try {
  const result = await COMMANDS[command]!();
  if (command !== "daemon") {
    process.stdin.on("end", () => process.exit(0)).resume();
    say(result);
  }
} catch (error) {
  say(`${(error as Error).name}: ${(error as Error).message}`);
  process.exit(1);
}
