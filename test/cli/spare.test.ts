// The spare worker: started before it is wanted, handed out once, and only where it was started as is wanted.

import { expect, test } from "vitest";
import { sparing } from "../../src/cli/spare.ts";
import type { ChildProcessHandle, ProcessEnd, SpawnOptions, Supervisor } from "../../src/runtime/port.ts";

class FakeChild implements ChildProcessHandle {
  readonly pid: number;
  readonly options: SpawnOptions;
  killed = "";
  say: (message: unknown) => void = () => {};
  end: (end: ProcessEnd) => void = () => {};
  constructor(pid: number, options: SpawnOptions) {
    this.pid = pid;
    this.options = options;
  }
  send(): boolean {
    return true;
  }
  kill(signal: string): void {
    this.killed = signal;
  }
  onMessage(listener: (message: unknown) => void): void {
    this.say = listener;
  }
  onReport(): void {}
  onExit(listener: (end: ProcessEnd) => void): void {
    this.end = listener;
  }
}

function setUp(): { children: FakeChild[]; supervisor: ReturnType<typeof sparing> } {
  const children: FakeChild[] = [];
  const supervisor = sparing({
    spawnWorker(options: SpawnOptions): ChildProcessHandle {
      children.push(new FakeChild(children.length + 1, options));
      return children.at(-1)!;
    },
  } as Supervisor);
  return { children, supervisor };
}

const OPTIONS: SpawnOptions = { env: { A: "1" }, sockets: [] };

test("without a spare a worker is started", () => {
  const { children, supervisor } = setUp();
  supervisor.prepare();
  expect(children).toEqual([]);
  expect(supervisor.spawnWorker(OPTIONS).pid).toBe(1);
});

test("a spare is handed out once, with all that it has said", () => {
  const { children, supervisor } = setUp();
  supervisor.spawnWorker(OPTIONS);
  supervisor.prepare();
  supervisor.prepare();
  expect(children.map(({ options }) => options)).toEqual([OPTIONS, OPTIONS]);
  children[1]!.say("hello");
  const worker = supervisor.spawnWorker({ ...OPTIONS });
  expect(worker.pid).toBe(2);
  const said: unknown[] = [];
  worker.onMessage((message) => said.push(message));
  children[1]!.say("ready");
  expect(said).toEqual(["hello", "ready"]);
  expect(supervisor.spawnWorker(OPTIONS).pid).toBe(3);
});

test("one that was started with another environment is killed", () => {
  const { children, supervisor } = setUp();
  supervisor.spawnWorker(OPTIONS);
  supervisor.prepare();
  expect(supervisor.spawnWorker({ ...OPTIONS, env: { A: "2" } }).pid).toBe(3);
  expect(children.map(({ killed }) => killed)).toEqual(["", "SIGKILL", ""]);
});

test("one that has ended is not handed out, and is replaced", () => {
  const { children, supervisor } = setUp();
  supervisor.spawnWorker(OPTIONS);
  supervisor.prepare();
  children[1]!.end({ code: 1, signal: null });
  supervisor.prepare();
  expect(supervisor.spawnWorker(OPTIONS).pid).toBe(3);
});

test("the end of one that was handed out is told, even when it came before", () => {
  const { children, supervisor } = setUp();
  supervisor.spawnWorker(OPTIONS);
  supervisor.prepare();
  const worker = supervisor.spawnWorker(OPTIONS);
  children[1]!.end({ code: 3, signal: null });
  const ends: ProcessEnd[] = [];
  worker.onExit((end) => ends.push(end));
  expect(ends).toEqual([{ code: 3, signal: null }]);
});

test("discard() kills it", () => {
  const { children, supervisor } = setUp();
  supervisor.spawnWorker(OPTIONS);
  supervisor.prepare();
  supervisor.discard();
  expect(children[1]!.killed).toBe("SIGKILL");
  expect(supervisor.spawnWorker(OPTIONS).pid).toBe(3);
});
