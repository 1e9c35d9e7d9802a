// A process and a runtime that only record what is asked of them.
import type { CertificateProblem, CommandHost } from "../../src/cli/host.ts";
import type { ProcessControl } from "../../src/cli/process_control.ts";
import type { Context } from "../../src/cli/run.ts";
import {
  type Bind,
  formatBind,
  ListenError,
  type ListenFault,
  type LocalChannel,
  type LocalHandler,
  type LocalSockets,
  type Runtime,
} from "../../src/runtime/port.ts";

export class FakeHost implements CommandHost {
  argv: string[] = [];
  env: Record<string, string | undefined> = {};
  cwd = "/srv";
  startDirectory = "/srv";
  readonly program = (): { runtime: string; script: string } => ({
    runtime: "/usr/bin/node",
    script: "/srv/node_modules/.bin/tricorn",
  });
  pid = 7;
  isTty = false;
  stdoutIsTty = false;
  /** What listens, by path. */
  readonly listening = new Map<string, (channel: LocalChannel) => LocalHandler>();
  readonly sockets: LocalSockets = fakeSockets(this.listening);
  readonly usage = { rss: (): number => 50_000_000, cpu: (): number => 10 };
  out = "";
  err = "";
  exits: number[] = [];
  files = new Map<string, string>();
  reopened: string[] = [];
  modules = new Map<string, Record<string, unknown>>();
  deniedEnv = new Set<string>();
  readonly #signals = new Map<string, () => void>();
  #uncaught: (error: unknown) => void = () => {};

  resolve(path: string): string {
    return path.startsWith("/") ? path : `${this.cwd}/${path}`;
  }
  /** What openFilesLimit() says. */
  openFiles: number | null = null;
  openFilesLimit(): number | null {
    return this.openFiles;
  }
  availableCores(): number {
    return 2;
  }
  stdout(text: string): void {
    this.out += text;
  }
  stderr(text: string): void {
    this.err += text;
  }
  openLog(path: string): { write(text: string): void; reopen(): void } {
    if (path.startsWith("/nowhere/")) throw new Error(`ENOENT: no such directory, open '${path}'`);
    return {
      write: (text) => void this.files.set(path, (this.files.get(path) ?? "") + text),
      reopen: () => {
        if (path.includes("stuck")) throw new Error("EACCES");
        this.reopened.push(path);
      },
    };
  }
  readText(path: string): string {
    const text = this.files.get(path);
    if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
    return text;
  }
  importModule(specifier: string): Promise<Record<string, unknown>> {
    const module = this.modules.get(specifier);
    return module === undefined ? Promise.reject(new Error("absent")) : Promise.resolve(module);
  }
  certificateProblem(certificate: string, key: string): CertificateProblem | null {
    if (certificate.includes("broken")) return { setting: "certfile", problem: "has no certificate" };
    return key.includes("other") ? { setting: "keyfile", problem: "is not the key" } : null;
  }
  isFile(path: string): boolean | null {
    return this.files.has(path) || this.modules.has(path);
  }
  /** Folders that are there. */
  readonly folders = new Set<string>();
  isFolder(path: string): boolean | null {
    return this.folders.has(path);
  }
  importFresh(path: string): Promise<Record<string, unknown>> {
    return this.importModule(path);
  }
  onSignal(signal: string, listener: () => void): void {
    this.#signals.set(signal, listener);
  }
  onUncaught(listener: (error: unknown) => void): void {
    this.#uncaught = listener;
  }
  chdir(path: string): void {
    if (path.startsWith("/nowhere")) throw new Error("ENOENT: no such directory");
    this.cwd = path;
  }
  canReadEnv(variable: string): boolean {
    return !this.deniedEnv.has(variable);
  }
  /** Returns, unlike a real one: what is done after it is of no account. */
  exit(code: number): never {
    this.exits.push(code);
    return undefined as never;
  }

  signal(name: string): void {
    this.#signals.get(name)?.();
  }
  throwUncaught(error: unknown): void {
    this.#uncaught(error);
  }
  get signals(): string[] {
    return [...this.#signals.keys()];
  }
}

/** Two ends of a channel, and what is written to one is received by the other. */
function fakeSockets(listening: Map<string, (channel: LocalChannel) => LocalHandler>): LocalSockets {
  const pair = (a: (channel: LocalChannel) => LocalHandler, b: (channel: LocalChannel) => LocalHandler): void => {
    const handlers: LocalHandler[] = [];
    let closed = false;
    const channel = (other: 0 | 1): LocalChannel => ({
      write: async (text) => {
        if (!closed) await handlers[other]!.receive(text);
      },
      end: async () => {
        if (closed) return;
        closed = true;
        for (const handler of handlers) handler.closed();
      },
    });
    handlers.push(a(channel(1)), b(channel(0)));
  };
  return {
    listenLocal: async (path, { takeOver }, accept) => {
      if (listening.has(path) && !takeOver) {
        throw new ListenError("EADDRINUSE", { kind: "unix", path }, "another process listens on it");
      }
      listening.set(path, accept);
      return { close: () => void listening.delete(path) };
    },
    connectLocal: async (path, open) => {
      const accept = listening.get(path);
      if (accept === undefined) throw new Error("there is no such socket");
      pair(accept, open);
    },
  };
}

export class FakeRuntime implements Runtime {
  readonly name = "memory";
  readonly version = "1";
  readonly reusesReadBuffers = false;
  readonly cheapSignals = true;
  readonly open = new Set<string>();
  readonly faults = new Map<string, ListenFault>();
  lastOptions: Parameters<Runtime["listen"]>[1] | null = null;

  latin1(bytes: Uint8Array, start: number, end: number): string {
    return String.fromCharCode(...bytes.subarray(start, end));
  }
  utf8Length(text: string): number {
    return new TextEncoder().encode(text).length;
  }
  soon(callback: () => void): void {
    callback();
  }
  listen(...[bind, options]: Parameters<Runtime["listen"]>): ReturnType<Runtime["listen"]> {
    const address = formatBind(bind);
    const fault = this.faults.get(address);
    if (fault !== undefined) return Promise.reject(new ListenError(fault, bind, "the reason"));
    this.lastOptions = options;
    this.open.add(address);
    const given: Bind = bind.kind === "tcp" && bind.port === 0 ? { ...bind, port: 40_000 } : bind;
    return Promise.resolve({
      bind: given,
      close: () => {
        this.open.delete(address);
        return Promise.resolve();
      },
    });
  }
  checkReusePort(): void {}
  outOfDescriptors(): boolean {
    return false;
  }
  every(): () => void {
    return () => {};
  }
}

/** A context without processes: one that serves alone. */
export function fakeContext(host: FakeHost, runtime: Runtime): Context {
  const no = (): never => {
    throw new Error("no processes here");
  };
  return {
    host,
    runtime,
    supervisor: no,
    parent: null,
    formerMaster: null,
    launcher: null,
    control: fakeControl,
    startWatchdog: no,
    cgi: no,
    dev: no,
  };
}

/** A system that has nothing and allows nothing. */
const fakeControl = new Proxy({}, {
  get: (_, name) => () => {
    if (name === "setTitle") return true;
    throw new Error(`no ${String(name)} here`);
  },
}) as ProcessControl;
