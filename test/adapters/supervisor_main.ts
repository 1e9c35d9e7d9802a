// A master and its workers with no policy of their own, for supervisor.test.ts: the master does what each line of its
// standard input says and tells what happens on standard output, JSON both ways; so do workers, over their channel.

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { runtime } from "../../adapters/runtime.ts";
import { formerMaster, parent, supervisor } from "../../adapters/supervisor.ts";
import type {
  Bind,
  ChildProcessHandle,
  Connection,
  ConnectionHandler,
  Listener,
  Parent,
  SharedSocket,
  TlsOptions,
} from "../../src/runtime/port.ts";

/** What a worker can be told. */
export type ToWorker =
  | { readonly do: "listen"; readonly socket: number; readonly bind: Bind; readonly tls?: TlsOptions }
  /** Without the master's socket. */
  | { readonly do: "reusePort"; readonly bind: Bind }
  | { readonly do: "close" }
  | { readonly do: "report"; readonly text: string }
  | { readonly do: "look" }
  /** Of Deno's permissions, those that are not denied as a whole. */
  | { readonly do: "grants" }
  /** Starts a child that outlives everybody, for a while. */
  | { readonly do: "sleeper" }
  | { readonly do: "exit"; readonly code: number };

/** What a master can be told. */
export type ToMain =
  | { readonly do: "bind"; readonly bind: Bind }
  | { readonly do: "unbind"; readonly socket: number; readonly unlink: boolean }
  | { readonly do: "spawn"; readonly env?: Record<string, string | null> }
  | { readonly do: "replace" }
  | { readonly do: "tell"; readonly worker: number; readonly message: ToWorker }
  | { readonly do: "kill"; readonly worker: number; readonly signal: string }
  /** Ends by itself, not by exit(). */
  | { readonly do: "leave" }
  | { readonly do: "exit" };

function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ pid: process.pid, ...event })}\n`);
}

const reasonOf = (error: unknown): string => (error as Error).message.split("\n")[0]!;

/** Answers the first bytes of each connection with this process's id, and closes. */
function accept(connection: Connection): ConnectionHandler {
  return {
    receive() {
      const tls = connection.tls === null ? "" : ` tls ${connection.tls.peerCertificate === undefined ? "" : "known"}`;
      connection.write(`${process.pid}${tls}`, null);
      connection.end();
    },
    ended() {},
    closed() {},
  };
}

function work(master: Parent): void {
  let listeners: Listener[] = [];
  const act = async (message: ToWorker): Promise<Record<string, unknown>> => {
    switch (message.do) {
      case "listen": {
        const { socket, bind, tls } = message;
        const shared = await master.socket(socket);
        const listener = await runtime.listen(bind, { backlog: 64, shared, ...(tls ? { tls } : {}) }, accept);
        listeners.push(listener);
        return { listening: listener.bind };
      }
      case "reusePort": {
        const listener = await runtime.listen(message.bind, { backlog: 64, reusePort: true }, accept);
        listeners.push(listener);
        return { listening: listener.bind };
      }
      case "close":
        await Promise.all(listeners.map((listener) => listener.close()));
        listeners = [];
        return { closed: true };
      case "report": {
        // From a thread, while this one stands still.
        const code = `const { workerData: { fd, text } } = require("node:worker_threads");
          new (require("node:net").Socket)({ fd, readable: false, writable: true }).write(text);`;
        new Worker(code, { eval: true, workerData: { fd: master.reportTo, text: message.text } });
        return { reporting: true };
      }
      case "look":
        return {
          role: process.env.TRICORN_WORKER ?? null,
          extra: process.env.EXTRA ?? null,
          home: process.env.HOME ?? null,
          argv: process.argv.slice(2),
          execArgv: process.execArgv,
          cwd: process.cwd(),
        };
      case "grants": {
        const { Deno } = globalThis as unknown as {
          Deno: { permissions: { querySync(descriptor: { name: string }): { state: string } } };
        };
        const grants = ["net", "env", "run"].map((name) => `${name}:${Deno.permissions.querySync({ name }).state}`);
        return { grants };
      }
      case "sleeper":
        return { sleeper: spawn("sleep", ["60"], { stdio: "ignore", detached: true }).pid };
      case "exit":
        await master.send({ last: "words" });
        return process.exit(message.code);
    }
  };
  master.onMessage((message) => {
    act(message as ToWorker).then((answer) => master.send(answer), (error: unknown) => {
      master.send({ failed: reasonOf(error), name: (error as Error).name });
    });
  });
  master.onDisconnect(() => {
    say({ orphaned: true });
    process.exit(0);
  });
  master.send({ hello: true });
}

async function lead(): Promise<void> {
  const sockets: SharedSocket[] = [];
  const workers: ChildProcessHandle[] = [];
  let listening = 0;
  const inherited = formerMaster === null ? [] : JSON.parse(process.env.TRICORN_SOCKETS!) as Bind[];
  for (const [index, bind] of inherited.entries()) {
    sockets.push(await supervisor.adopt(bind, index));
  }
  const watch = (child: ChildProcessHandle, worker: number | "master"): void => {
    child.onMessage((message) => say({ worker, message }));
    child.onReport((report) => say({ worker, report }));
    child.onExit((end) => say({ worker, end }));
  };
  const act = async (line: ToMain): Promise<Record<string, unknown>> => {
    switch (line.do) {
      case "bind": {
        const socket = await supervisor.bind(line.bind, { backlog: 64 });
        sockets.push(socket);
        return { bound: socket.bind };
      }
      case "unbind":
        sockets[line.socket]!.close(line.unlink);
        return { unbound: line.socket };
      case "spawn": {
        const child = supervisor.spawnWorker({ env: line.env ?? {}, sockets });
        watch(child, workers.push(child) - 1);
        return { spawned: child.pid };
      }
      case "replace": {
        const binds = JSON.stringify(sockets.map(({ bind }) => bind));
        watch(supervisor.spawnMaster({ env: { TRICORN_SOCKETS: binds }, sockets }), "master");
        return { replaced: true };
      }
      case "tell":
        return { sent: workers[line.worker]!.send(line.message) };
      case "kill":
        workers[line.worker]!.kill(line.signal);
        return {};
      case "leave":
        process.stdin.destroy();
        return {};
      case "exit":
        return process.exit(0);
    }
  };
  if (formerMaster !== null) {
    const former = formerMaster;
    former.onDisconnect(() => say({ alone: true }));
    // One worker that listens on all that was inherited.
    const child = supervisor.spawnWorker({ env: {}, sockets });
    child.onMessage((message) => {
      if ("hello" in (message as object)) {
        for (const [socket, bind] of inherited.entries()) child.send({ do: "listen", socket, bind } satisfies ToWorker);
      } else if (++listening === inherited.length) {
        void former.send({ ready: process.pid, served: child.pid });
      }
    });
  } else {
    // Not by both: they have the same standard input.
    const lines = createInterface({ input: process.stdin });
    lines.on("line", (line) => {
      act(JSON.parse(line) as ToMain).then(say, (error: unknown) => {
        say({ failed: reasonOf(error), name: (error as Error).name, fault: (error as { fault?: string }).fault });
      });
    });
  }
  say({ started: true, sockets: sockets.length });
}

if (parent === null) await lead();
else work(parent);
