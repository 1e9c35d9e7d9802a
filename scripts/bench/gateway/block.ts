// One Tricorn for each protocol, all behind the same nginx, loaded in turns. nginx shares wrk's core.
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { type Case, CASES } from "../cases.ts";
import { freePort, ServerProcess } from "../server_process.ts";
import { type Setup, untilAnswered } from "../measure.ts";
import type { RuntimeBinary } from "../runtimes.ts";
import { luaScript, runWrk } from "../wrk.ts";
import { nginxServer, type Way, WAYS } from "./ways.ts";

/** The cases of CASES that are measured. */
export const GATEWAY_CASES: readonly Case[] = CASES.filter(({ name }) => name === "hello" || name === "echo");

export const NGINX_MISSING = "nginx is not installed: apt-get install nginx";

/** Where Debian's nginx is, its parameter files beside it; null where it is not. */
export function findNginx(): string | null {
  const found = ["/usr/sbin/nginx", "/usr/bin/nginx"].find(existsSync);
  return found !== undefined && existsSync("/etc/nginx/uwsgi_params") ? found : null;
}

const START_TIMEOUT = 30_000;

export interface GatewaySlice {
  readonly rps: number;
  /** Microseconds of CPU time a request: Tricorn's, and nginx's. */
  readonly cpu: number;
  readonly front: number;
  /** The share of one core that Tricorn used. */
  readonly busy: number;
}

export interface GatewayResult {
  readonly way: Way;
  /** Of another checkout. */
  readonly baseline: boolean;
  readonly slices: GatewaySlice[];
  problem: string | null;
}

export interface GatewayBlock {
  readonly case_: Case;
  readonly runtime: RuntimeBinary;
  readonly results: readonly GatewayResult[];
}

/** How often {@link measureGateway} calls its `step`. */
export function gatewayTurns({ rounds, warmUp, checkouts }: Pick<Setup, "rounds" | "warmUp" | "checkouts">): number {
  return entriesOf(checkouts.baseline).length * (rounds + Number(warmUp));
}

function entriesOf(baseline: string | null): { readonly way: Way; readonly baseline: boolean }[] {
  return WAYS.flatMap((way) => [{ way, baseline: false }, ...(baseline === null ? [] : [{ way, baseline: true }])]);
}

/** Measures all ways in one case. `step` is called before each turn. */
export async function measureGateway(
  case_: Case,
  runtime: RuntimeBinary,
  setup: Setup,
  step: (what: string) => void,
): Promise<GatewayBlock> {
  const script = join(setup.temporary, `${case_.name}.lua`);
  writeFileSync(script, luaScript(case_));
  const tricorns = new Map<string, Tricorn>();
  const entries = [];
  for (const { way, baseline } of entriesOf(setup.checkouts.baseline)) {
    const key = `${way.protocol} ${baseline}`;
    const tricorn = tricorns.get(key) ?? await startTricorn(way.protocol, baseline, case_, runtime, setup);
    tricorns.set(key, tricorn);
    const result: GatewayResult = { way, baseline, slices: [], problem: null };
    entries.push({ result, tricorn, address: way.unix ? tricorn.unix : tricorn.tcp, port: await freePort() });
  }
  const nginx = startNginx(entries.map(({ result, address, port }) => nginxServer(result.way, port, address)), setup);
  try {
    for (const { result, tricorn, address, port } of entries) {
      result.problem = await untilListening(tricorn.process, address) ?? await untilAnswered(nginx, port, case_);
    }
    for (let round = setup.warmUp ? 0 : 1; round <= setup.rounds; round++) {
      for (const { result, tricorn, port } of entries) {
        step(`${result.way.title}, ${round === 0 ? "warming up" : `round ${round} of ${setup.rounds}`}`);
        if (result.problem !== null) continue;
        const slice = await takeSlice(tricorn.process, nginx, port, script, setup);
        if (typeof slice === "string") result.problem = slice;
        else if (round > 0) result.slices.push(slice);
      }
    }
  } finally {
    await nginx.stop("SIGQUIT");
    await Promise.all([...tricorns.values()].map(({ process }) => process.stop()));
  }
  return { case_, runtime, results: entries.map(({ result }) => result) };
}

/** One for all ways of a protocol: only one of them is loaded at a time. Addresses are as both Tricorn and nginx write them. */
interface Tricorn {
  readonly process: ServerProcess;
  readonly tcp: string;
  readonly unix: string;
}

let started = 0;

async function startTricorn(
  protocol: Way["protocol"],
  baseline: boolean,
  { handler }: Case,
  runtime: RuntimeBinary,
  { checkouts, pins, temporary }: Setup,
): Promise<Tricorn> {
  const tcp = `127.0.0.1:${await freePort()}`;
  const unix = `unix:${join(temporary, `${++started}.sock`)}`;
  const process = new ServerProcess([
    ...pins.server,
    ...runtime.command,
    join(baseline ? checkouts.baseline! : checkouts.root, "adapters/bin.ts"),
    "serve",
    join(checkouts.root, "scripts/bench/apps/esgi.ts"),
    `--protocol=${protocol}`,
    `--bind=${tcp}`,
    `--bind=${unix}`,
  ], { BENCH_HANDLER: handler });
  return { process, tcp, unix };
}

/** What is wrong when nobody accepts connections there, or null. */
async function untilListening(process: ServerProcess, address: string): Promise<string | null> {
  const [host = "", port = ""] = address.split(":");
  const deadline = performance.now() + START_TIMEOUT;
  while (process.exited === null && performance.now() < deadline) {
    const socket = connect(host === "unix" ? { path: port } : { host, port: Number(port) });
    const listens = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (listens) return null;
    await sleep(20);
  }
  return process.exited ?? "does not listen after 30 s";
}

function startNginx(servers: readonly string[], { temporary, pins }: Setup): ServerProcess {
  const path = join(temporary, "nginx.conf");
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(
    path,
    `daemon off; worker_processes 1; pid "${temporary}/nginx.pid"; error_log stderr crit;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000;
  ${folders.map((name) => `${name}_temp_path "${temporary}/${name}";`).join(" ")}
  ${servers.join("\n")}
}
`,
  );
  return new ServerProcess([...pins.load, findNginx()!, "-e", "stderr", "-p", temporary, "-c", path], {});
}

async function takeSlice(
  server: ServerProcess,
  nginx: ServerProcess,
  port: number,
  script: string,
  { pins, connections, seconds }: Setup,
): Promise<GatewaySlice | string> {
  const gone = (): string | null => server.exited ?? nginx.exited;
  if (gone() !== null) return gone()!;
  const before = [server.cpuWithWorkers(), nginx.cpuWithWorkers()] as const;
  const report = await runWrk({ url: `http://127.0.0.1:${port}`, script, connections, seconds, prefix: pins.load });
  if (gone() !== null) return gone()!;
  const used = server.cpuWithWorkers() - before[0];
  const front = nginx.cpuWithWorkers() - before[1];
  if (report.problem !== null) return report.problem;
  return {
    rps: report.rps,
    cpu: used / report.requests * 1e6,
    front: front / report.requests * 1e6,
    busy: used / (report.requests / report.rps),
  };
}
