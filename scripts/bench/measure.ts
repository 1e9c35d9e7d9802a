// The measuring itself: servers started, checked, loaded in turns, stopped.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Case, requestText } from "./cases.ts";
import type { Pins, PoolPins } from "./cores.ts";
import { exchange, problemOf } from "./exchange.ts";
import type { RuntimeBinary } from "./runtimes.ts";
import { freePort, ServerProcess } from "./server_process.ts";
import { type Checkouts, commandOf, type ServerKind } from "./servers.ts";
import type { Slice } from "./statistics.ts";
import { luaScript, runWrk } from "./wrk.ts";

const START_TIMEOUT = 30_000;

export interface Setup {
  readonly checkouts: Checkouts;
  readonly pins: Pins;
  readonly poolPins: PoolPins;
  readonly temporary: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  /** A turn that is not counted, for the compilers. */
  readonly warmUp: boolean;
}

export interface ServerResult {
  readonly server: ServerKind;
  readonly slices: Slice[];
  /** Why there are no figures, or none to believe. */
  problem: string | null;
}

export interface Block {
  readonly case_: Case;
  readonly runtime: RuntimeBinary;
  readonly results: readonly ServerResult[];
}

/** A server that answers as it should, or why it does not. */
export interface Started {
  readonly process: ServerProcess;
  readonly port: number;
  readonly problem: string | null;
}

/** Measures `servers` in one case. `step` is called before each turn. */
export async function measure(
  case_: Case,
  runtime: RuntimeBinary,
  servers: readonly ServerKind[],
  setup: Setup,
  step: (what: string) => void,
): Promise<Block> {
  const script = join(setup.temporary, `${case_.name}.lua`);
  writeFileSync(script, luaScript(case_));
  step("starting");
  const entries = await Promise.all(servers.map(async (server) => {
    const started = await start(server, runtime, case_, false, setup);
    const result: ServerResult = { server, slices: [], problem: started.problem };
    return { result, started };
  }));
  for (let round = setup.warmUp ? 0 : 1; round <= setup.rounds; round++) {
    for (const { result, started } of entries) {
      step(
        `${result.server.title}, ${round === 0 ? "warming up" : `round ${round} of ${setup.rounds}`}`,
      );
      if (result.problem !== null) continue;
      const slice = await takeSlice(started, script, setup);
      if (typeof slice === "string") result.problem = slice;
      else if (round > 0) result.slices.push(slice);
    }
  }
  // Gunicorn has a worker, which a SIGKILL of its master would leave behind.
  await Promise.all(
    entries.map(({ result, started }) => started.process.stop(result.server.id === "django" ? "SIGQUIT" : "SIGKILL")),
  );
  return { case_, runtime, results: entries.map(({ result }) => result) };
}

async function takeSlice({ process, port }: Started, script: string, setup: Setup): Promise<Slice | string> {
  const { pins, connections, seconds } = setup;
  if (process.exited !== null) return process.exited;
  const before = process.cpuWithWorkers();
  const report = await runWrk({
    url: `http://127.0.0.1:${port}`,
    script,
    connections,
    seconds,
    prefix: pins.load,
  });
  if (process.exited !== null) return process.exited;
  const used = process.cpuWithWorkers() - before;
  if (report.problem !== null) return report.problem;
  return {
    rps: report.rps,
    cpu: used / report.requests * 1e6,
    busy: used / (report.requests / report.rps),
  };
}

/** Starts `server` and waits until it has answered `case_`, rightly or wrongly. */
export async function start(
  server: ServerKind,
  runtime: RuntimeBinary,
  case_: Case,
  idle: boolean,
  { checkouts, pins }: Setup,
): Promise<Started> {
  const port = await freePort();
  const request = requestText(case_, port);
  const handler = server.runs ?? case_.handler;
  const command = commandOf(server, runtime, { handler, port, idle }, checkouts);
  const process = new ServerProcess([...pins.server, ...command], {
    BENCH_HANDLER: handler,
    BENCH_IDLE: idle ? "1" : "0",
    BENCH_PORT: String(port),
    BENCH_REQUEST_LENGTH: String(request.length),
  });
  return { process, port, problem: await untilAnswered(process, port, case_) };
}

/** Asks `process` until it has answered `case_`; what is wrong with its answer, or why it has none, or null. */
export async function untilAnswered(process: ServerProcess, port: number, case_: Case): Promise<string | null> {
  const request = requestText(case_, port);
  const deadline = performance.now() + START_TIMEOUT;
  for (;;) {
    try {
      return problemOf(await exchange(port, request, case_.pipeline), case_.expected, case_.pipeline);
    } catch (error) {
      if (process.exited !== null) return process.exited;
      const { code, message } = error as { code?: string; message: string };
      if (code !== "ECONNREFUSED") return message;
      if (performance.now() > deadline) return "does not listen after 30 s";
    }
    await sleep(20);
  }
}
