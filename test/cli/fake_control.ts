// What the parts around a server ask of the system, from memory, for tests of their rules.

import type { Identity, Outcome, ProcessControl } from "../../src/cli/process_control.ts";

export class FakeControl implements ProcessControl {
  readonly files = new Map<string, string>();
  readonly folders = new Set<string>();
  readonly alive = new Set<number>();
  readonly env: Record<string, string | undefined> = {};
  readonly became: Identity[] = [];
  readonly ran: string[][] = [];
  /** What a program's run comes to. */
  outcome: (words: readonly string[]) => Outcome | Error = () => ({ code: 0, stderr: "" });
  /** What each call but `run` throws, when that is not null. */
  fault: Error | null = null;

  replaceFile(path: string, text: string): void {
    this.#check();
    this.files.set(path, text);
  }
  readFile(path: string): string | null {
    return this.files.get(path) ?? null;
  }
  writeNewFile(path: string, text: string): void {
    this.#check();
    if (this.files.has(path)) throw new Error(`EEXIST: file already exists, open '${path}'`);
    this.files.set(path, text);
  }
  makeFolder(path: string): void {
    this.#check();
    this.folders.add(path);
  }
  listFolder(path: string): readonly string[] | null {
    if (this.files.has(path)) throw new Error(`ENOTDIR: not a directory, scandir '${path}'`);
    const below = [...this.files.keys()].filter((file) => file.startsWith(`${path}/`));
    if (below.length === 0 && !this.folders.has(path)) return null;
    return [...new Set(below.map((file) => file.slice(path.length + 1).split("/")[0]!))];
  }
  rename(from: string, to: string): void {
    this.#check();
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }
  remove(path: string): void {
    this.#check();
    this.files.delete(path);
  }
  chown(): void {}
  checkInitgroups(): void {}
  stamp(path: string): Promise<string | null> {
    return Promise.resolve(this.files.get(path) ?? null);
  }
  isAlive(pid: number): boolean {
    return this.alive.has(pid);
  }
  owner(): { uid: number; gid: number } {
    return { uid: 0, gid: 0 };
  }
  become(identity: Identity): void {
    this.#check();
    this.became.push(identity);
  }
  setUmask(): void {}
  setEnv(name: string, value: string | null): void {
    if (name === "FORBIDDEN") throw new Error("not allowed");
    if (value === null) delete this.env[name];
    else this.env[name] = value;
  }
  setTitle(): boolean {
    return true;
  }
  run(program: string, words: readonly string[]): Promise<Outcome> {
    this.ran.push([program, ...words]);
    const outcome = this.outcome(words);
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  }

  #check(): void {
    if (this.fault !== null) throw this.fault;
  }
}
