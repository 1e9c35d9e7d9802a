// How much memory a connection takes that has had one request and is kept open.
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Case, CASES, requestText } from "./cases.ts";
import { readReply } from "./exchange.ts";
import { type Setup, start } from "./measure.ts";
import type { RuntimeBinary } from "./runtimes.ts";
import type { ServerKind } from "./servers.ts";
import { luaScript, runWrk } from "./wrk.ts";

/** How many connections are opened at once: fewer than any server's backlog. */
const AT_ONCE = 100;

export interface IdleResult {
  readonly server: ServerKind;
  /** Kilobytes for each connection, one figure a process. */
  readonly perConnection: number[];
  /** Kilobytes before the connections, one figure a process. */
  readonly before: number[];
  problem: string | null;
}

export interface IdleBlock {
  readonly runtime: RuntimeBinary;
  readonly connections: number;
  readonly results: readonly IdleResult[];
}

/** Measures `servers` in turns, each time in a new process. */
export async function measureIdle(
  runtime: RuntimeBinary,
  servers: readonly ServerKind[],
  connections: number,
  setup: Setup,
  step: (what: string) => void,
): Promise<IdleBlock> {
  const case_ = CASES.find(({ name }) => name === "hello")!;
  const script = join(setup.temporary, "idle.lua");
  writeFileSync(script, luaScript(case_));
  const results = servers.map((server): IdleResult => ({
    server,
    perConnection: [],
    before: [],
    problem: null,
  }));
  for (let round = 1; round <= setup.rounds; round++) {
    for (const result of results) {
      step(`${result.server.title}, round ${round} of ${setup.rounds}`);
      if (result.problem !== null) continue;
      result.problem = await measureOnce(result, runtime, case_, connections, script, setup);
    }
  }
  return { runtime, connections, results };
}

async function measureOnce(
  result: IdleResult,
  runtime: RuntimeBinary,
  case_: Case,
  connections: number,
  script: string,
  setup: Setup,
): Promise<string | null> {
  const started = await start(result.server, runtime, case_, true, setup);
  const { process, port } = started;
  const sockets: Socket[] = [];
  const settle = setup.warmUp ? 2_000 : 200;
  try {
    if (started.problem !== null) return started.problem;
    // What the code itself and the heap's first growth take is not the connections' memory.
    const load = {
      script,
      connections: setup.connections,
      seconds: setup.seconds,
      prefix: setup.pins.load,
    };
    const { problem } = await runWrk({
      ...load,
      url: `http://127.0.0.1:${port}`,
    });
    if (problem !== null) return problem;
    await sleep(settle);
    const before = process.rss();
    const request = requestText(case_, port);
    while (sockets.length < connections) {
      const batch = Math.min(AT_ONCE, connections - sockets.length);
      sockets.push(...await Promise.all(Array.from({ length: batch }, () => openOne(port, request))));
    }
    await sleep(settle);
    if (process.exited !== null) return process.exited;
    const after = process.rss();
    const lost = sockets.filter((socket) => socket.readyState !== "open").length;
    if (lost > 0) return `${lost} of ${connections} connections were closed`;
    result.before.push(before);
    result.perConnection.push((after - before) / connections);
    return null;
  } catch (error) {
    return process.exited ?? (error as Error).message;
  } finally {
    await process.stop();
    for (const socket of sockets) socket.destroy();
  }
}

/** Opens a connection and has one request answered on it. */
function openOne(port: number, request: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let input = "";
    socket.setEncoding("latin1");
    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk: string) => {
      input += chunk;
      if (readReply(input) !== null) resolve(socket);
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("a connection was closed before its response")));
  });
}
