// Text over unix sockets by node:net, the same on all three runtimes: `tricorn ctl` and its master. What is said, and to
// how many at once, is decided in src/arbiter/control.ts.

import { chmodSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync } from "node:fs";
import * as net from "node:net";
import { dirname, resolve } from "node:path";
import {
  type Bind,
  type LocalChannel,
  type LocalHandler,
  type LocalListener,
  type LocalSockets,
} from "../src/runtime/port.ts";
import { freeUnixPath, listenError } from "./shared.ts";

type UnixBind = Bind & { readonly kind: "unix" };

/** sun_path, unix(7): 108 bytes with the final NUL on Linux; Node cuts a longer one without a word. */
const MAX_PATH = 107;

/** The process's own sockets. */
export const localSockets: LocalSockets = { listenLocal, connectLocal };

async function listenLocal(
  path: string,
  { mode, takeOver }: { readonly mode: number; readonly takeOver: boolean },
  accept: (channel: LocalChannel) => LocalHandler,
): Promise<LocalListener> {
  const bind: UnixBind = { kind: "unix", path };
  const final = resolve(path);
  const folder = dirname(final);
  const denied = denial(folder, `${folder}/.x/s`);
  if (denied !== null) throw listenError(bind, new Error(denied));
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    converse(socket, accept);
  });
  let own: string;
  try {
    makeFolder(folder);
    if (takeOver) refuseFile(final);
    else await freeUnixPath({ kind: "unix", path: final });
    // Made in a folder that nobody else may enter, and moved when it has its mode: so there is no moment in which it is
    // open to others, a master that takes over leaves none without a socket, and what Node removes when the socket
    // closes is not the path, which may be the next master's by then.
    const nursery = mkdtempSync(`${folder}/.`);
    try {
      const made = `${nursery}/s`;
      if (Math.max(byteLength(made), byteLength(final)) > MAX_PATH) throw new Error("the path is too long");
      await new Promise<void>((done, failed) => {
        server.once("error", failed);
        server.listen(made, done);
      });
      chmodSync(made, mode);
      own = identity(made);
      renameSync(made, final);
    } finally {
      rmSync(nursery, { recursive: true, force: true });
    }
  } catch (error) {
    server.close();
    throw listenError(bind, error);
  }
  server.on("error", ignore);
  return {
    close(): void {
      server.close();
      for (const socket of sockets) socket.end(() => socket.destroy());
      try {
        if (identity(final) === own) unlinkSync(final);
      } catch {
        // Somebody removed it before.
      }
    },
  };
}

async function connectLocal(path: string, open: (channel: LocalChannel) => LocalHandler): Promise<void> {
  const final = resolve(path);
  const denied = denial(final, final);
  if (denied !== null) throw new Error(denied);
  if (byteLength(final) > MAX_PATH) throw new Error("the path is too long");
  const socket = net.connect(final);
  await new Promise<void>((done, failed) => {
    socket.once("connect", done);
    socket.once("error", (error: { readonly code?: string }) => failed(new Error(reasonOf(error))));
  });
  converse(socket, open);
}

function converse(socket: net.Socket, open: (channel: LocalChannel) => LocalHandler): void {
  let gone = (): void => {};
  const closed = new Promise<void>((settle) => {
    gone = settle;
  });
  const handler = open({
    write: (text) => Promise.race([closed, new Promise<void>((sent) => socket.write(text, () => sent()))]),
    end() {
      socket.end(() => socket.destroy());
      return closed;
    },
  });
  // Bytes of one character may come in two pieces: setEncoding keeps them together.
  socket.setEncoding("utf8");
  socket.on("error", ignore);
  socket.on("data", (text: unknown) => {
    const wait = handler.receive(text as string);
    if (wait === undefined) return;
    socket.pause();
    wait.then(() => socket.resume());
  });
  socket.on("close", () => {
    gone();
    handler.closed();
  });
}

function ignore(): void {
  // "close" follows, and is all that anybody needs to know.
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
  }
}

/** A master that takes over takes a socket over, and no file that happens to have the name. */
function refuseFile(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket()) throw new Error("a file that is no socket has that name");
}

/** Which file it is, whatever its name. */
function identity(path: string): string {
  const { dev, ino } = lstatSync(path);
  return `${dev} ${ino}`;
}

function byteLength(path: string): number {
  return new TextEncoder().encode(path).length;
}

function reasonOf({ code, message }: { readonly code?: string; readonly message?: string }): string {
  if (code === "ENOENT") return "there is no such socket";
  if (code === "ECONNREFUSED") return "nobody listens on it";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "ENOTSOCK") return "it is no socket";
  return message?.split("\n")[0] ?? String(code);
}

interface DenoPermissions {
  readonly permissions: { querySync(descriptor: object): { readonly state: string } };
}

/** Why Deno does not allow it, or null. Deno would stop and ask, and a server has nobody to answer. */
function denial(file: string, socket: string): string | null {
  const { Deno } = globalThis as { Deno?: DenoPermissions };
  if (Deno === undefined) return null;
  const missing = [{ name: "read", path: file }, { name: "write", path: file }, { name: "net", host: `unix:${socket}` }]
    .filter((descriptor) => Deno.permissions.querySync(descriptor).state !== "granted")
    .map(({ name }) => `--allow-${name}`);
  return missing.length === 0 ? null : `Deno needs ${missing.join(", ")} for it`;
}
