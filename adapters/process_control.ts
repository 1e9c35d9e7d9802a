// System calls of a process on itself and on small files, for all three runtimes. No policy: who the process becomes, and
// what the files hold, is decided in src/cli.

import { execFile } from "node:child_process";
import * as fs from "node:fs";
import process from "node:process";
import type { Identity, Outcome, ProcessControl } from "../src/cli/process_control.ts";
import { programWords } from "./program.ts";

export const processControl: ProcessControl = {
  replaceFile(path, text) {
    const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}~`;
    try {
      // "wx": nobody may have put a link there, as all can in /tmp.
      fs.writeFileSync(temporary, text, { flag: "wx" });
      // As a mode of writeFileSync it would be subject to the umask.
      fs.chmodSync(temporary, 0o644);
      fs.renameSync(temporary, path);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
  },
  readFile(path) {
    try {
      return fs.readFileSync(path, "utf8");
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    }
  },
  writeNewFile: (path, text) => fs.writeFileSync(path, text, { flag: "wx" }),
  makeFolder: (path) => void fs.mkdirSync(path, { recursive: true }),
  listFolder(path) {
    try {
      return fs.readdirSync(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    }
  },
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.unlinkSync(path),
  chown: (path, uid, gid) => fs.chownSync(path, uid, gid),
  async stamp(path) {
    try {
      const { dev, ino, size, mtimeMs } = await fs.promises.stat(path);
      return [dev, ino, size, mtimeMs].join();
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "")) return null;
      throw error;
    }
  },
  isAlive(pid) {
    try {
      return process.kill(pid, 0);
    } catch (error) {
      if (codeOf(error) === "ESRCH") return false;
      // It lives, and is somebody else's.
      if (codeOf(error) === "EPERM") return true;
      throw error;
    }
  },
  owner: () => ({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }),
  checkInitgroups,
  become,
  setUmask: (mask) => void process.umask(mask),
  setEnv(name, value) {
    if (value === null) delete process.env[name];
    else process.env[name] = value;
  },
  setTitle(title) {
    // Deno writes it over its command line, from which alone its flags can be read.
    if ("Deno" in globalThis) programWords();
    process.title = title;
    // Bun keeps it to itself.
    return !("Bun" in globalThis);
  },
  run: (program, words) =>
    new Promise<Outcome>((resolve, reject) => {
      execFile(program, words, (error, _, stderr) => {
        if (error === null) resolve({ code: 0, stderr });
        else if (typeof error.code === "number") resolve({ code: error.code, stderr });
        else reject(error);
      });
    }),
};

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}

// The types of Node and of Bun do not agree on whose method it is.
const withInitgroups = process as { initgroups?: (user: string, group: number) => void };

function checkInitgroups(): void {
  if (withInitgroups.initgroups === undefined) throw new Error("Deno has no initgroups; leave --initgroups out");
}

function become({ uid, gid, initgroups }: Identity): void {
  if (process.setuid === undefined || process.setgid === undefined) throw new Error("this system has no setuid");
  // The groups first: afterwards it is nobody who may change them.
  if (initgroups !== null) {
    checkInitgroups();
    withInitgroups.initgroups!(initgroups, gid);
  } else if (process.setgroups !== undefined) {
    process.setgroups([gid]);
  } else {
    // Deno has no setgroups: what the process is in, it stays in.
    const kept = process.getgroups!().filter((group) => group !== gid);
    if (kept.length > 0) {
      throw new Error(
        `Deno cannot leave the further groups that it was started in (${kept.join(", ")}); ` +
          "start it without them: setpriv --clear-groups deno ...",
      );
    }
  }
  process.setgid(gid);
  process.setuid(uid);
}
