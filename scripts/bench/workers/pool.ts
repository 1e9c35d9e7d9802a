// A master and its workers as one server: started, checked, asked by its control socket, stopped. With no workers it is
// the single process that they are compared with. What goes wrong is thrown.
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome, WorkerStatus } from "../../../src/arbiter/control.ts";
import { CASES } from "../cases.ts";
import { type Setup, untilAnswered } from "../measure.ts";
import type { RuntimeBinary } from "../runtimes.ts";
import { cpuOf, freePort, rssOf, ServerProcess } from "../server_process.ts";

/** Milliseconds until workers that are not ready are taken to never be. */
const START_TIMEOUT = 30_000;

let started = 0;

export class Pool {
  readonly port: number;
  readonly #master: ServerProcess;
  readonly #socket: string;
  /** Of the workers. */
  #pids: readonly number[] = [];

  private constructor(port: number, socket: string, master: ServerProcess) {
    this.port = port;
    this.#socket = socket;
    this.#master = master;
  }

  /** Starts a pool, and waits until all its workers serve. */
  static async start(runtime: RuntimeBinary, workers: number, setup: Setup): Promise<Pool> {
    const port = await freePort();
    const socket = join(setup.temporary, `control${++started}`);
    const { root } = setup.checkouts;
    const master = new ServerProcess([
      ...setup.poolPins.server,
      ...runtime.command,
      join(root, "adapters/bin.ts"),
      "serve",
      join(root, "scripts/bench/workers/application.ts"),
      `--bind=127.0.0.1:${port}`,
      `--workers=${workers}`,
      ...(workers > 0 ? [`--control-socket=${socket}`] : []),
    ], {});
    const pool = new Pool(port, socket, master);
    try {
      const problem = await untilAnswered(master, port, CASES.find(({ name }) => name === "hello")!);
      if (problem !== null) throw new Error(problem);
      if (workers > 0) await pool.#untilReady(workers);
      return pool;
    } catch (error) {
      await pool.stop();
      throw error;
    }
  }

  async #untilReady(count: number): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT;
    for (;;) {
      const workers = await this.workers();
      this.#pids = workers.map(({ pid }) => pid);
      if (workers.filter(({ state }) => state === "ready").length === count) return;
      if (performance.now() > deadline) throw new Error(`not all of ${count} workers are ready after 30 s`);
      await sleep(50);
    }
  }

  /** CPU time of all its processes until now, in seconds. */
  cpu(): number {
    this.#check();
    return [this.#master.pid, ...this.#pids].reduce((sum, pid) => sum + cpuOf(pid), 0);
  }

  /** CPU time of the master until now, in seconds. */
  masterCpu(): number {
    this.#check();
    return this.#master.cpu();
  }

  /** Resident memory of the master, and of each worker, in kB. */
  memory(): { readonly master: number; readonly workers: readonly number[] } {
    this.#check();
    return { master: this.#master.rss(), workers: this.#pids.map(rssOf) };
  }

  /** What `tricorn ctl show workers --json` prints; the process that it would be takes a tenth of a second of a core. */
  async workers(): Promise<readonly WorkerStatus[]> {
    this.#check();
    const outcome = JSON.parse(await ask(this.#socket, "show workers")) as Outcome;
    if (outcome.status === "error") throw new Error(`show workers: ${outcome.error}`);
    return outcome.data as readonly WorkerStatus[];
  }

  /** A master that is told to quit takes its workers along; the pipes that they have from it tell when all have gone. */
  async stop(): Promise<void> {
    await this.#master.stop("SIGQUIT");
  }

  #check(): void {
    if (this.#master.exited !== null) throw new Error(this.#master.exited);
  }
}

/** Sends one command to a control socket, and returns the line that it answers. */
function ask(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    let input = "";
    socket.setEncoding("utf8");
    socket.setTimeout(10_000, () => socket.destroy(new Error(`the master does not answer "${command}" after 10 s`)));
    socket.on("connect", () => socket.write(`${JSON.stringify({ id: 1, command })}\n`));
    socket.on("data", (chunk: string) => {
      input += chunk;
      const end = input.indexOf("\n");
      if (end === -1) return;
      resolve(input.slice(0, end));
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`the master closed its control socket before it answered "${command}"`)));
  });
}
