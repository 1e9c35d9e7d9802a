// Sockets that are bound and not accepted on, for Bun, which has no way to make them: libc's own, through bun:ffi. They
// are plain descriptors, which children inherit (Bun passes on only what it is told to). Null says that libc refused; why
// is found out by who asked.

import { Buffer } from "node:buffer";
import { closeSync, fstatSync } from "node:fs";
import process from "node:process";

const MAC = process.platform === "darwin";

// <sys/socket.h>, where the two differ.
const SOL_SOCKET = MAC ? 0xffff : 1;
const SO_REUSEADDR = MAC ? 4 : 2;
const AF_UNIX = 1;
const SOCK_STREAM = 1;

/** sun_path begins here; before it stands the family, on macOS behind a byte with the length of all. */
const PATH_OFFSET = 2;
/** A port, in network order, is here in addresses of both families. */
const PORT_OFFSET = 2;
/** sizeof(struct sockaddr_storage) */
const LONGEST = 128;

// struct addrinfo, where pointers have 64 bits.
const AI_FAMILY = 4;
const AI_ADDRLEN = 16;
const AI_ADDR = MAC ? 32 : 24;

type Pointer = number;

interface Libc {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  getaddrinfo(host: Uint8Array, service: null, hints: null, found: Uint8Array): number;
  freeaddrinfo(found: Pointer): void;
  dup(fd: number): number;
}

interface Ffi {
  dlopen(name: string, functions: Record<keyof Libc, { args: readonly string[]; returns: string }>): { symbols: Libc };
  toArrayBuffer(pointer: Pointer, offset: number, length: number): ArrayBuffer;
  readonly read: { u32(pointer: Pointer, offset: number): number; ptr(pointer: Pointer, offset: number): Pointer };
}

// Not by its name in the statement: other runtimes look at what is imported, too, when this is checked or published.
const BUN_FFI = "bun:ffi";
const { dlopen, read, toArrayBuffer } = await import(BUN_FFI) as Ffi;

const LIBRARIES = MAC
  ? ["libSystem.B.dylib"]
  : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];

let opened: Libc | null = null;

function libc(): Libc {
  for (const name of opened === null ? LIBRARIES : []) {
    try {
      opened = dlopen(name, {
        socket: { args: ["i32", "i32", "i32"], returns: "i32" },
        setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
        bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
        getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
        getaddrinfo: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" },
        freeaddrinfo: { args: ["ptr"], returns: "void" },
        dup: { args: ["i32"], returns: "i32" },
      }).symbols;
      break;
    } catch {
      // The other one.
    }
  }
  if (opened === null) throw new Error(`Bun cannot share sockets here: there is no ${LIBRARIES.join(" and no ")}`);
  return opened;
}

/** Binds to `host`, an IP address with or without a zone. */
export function bindTcp(host: string, port: number): { readonly fd: number; readonly port: number } | null {
  const { getaddrinfo, freeaddrinfo, getsockname } = libc();
  const found = new BigUint64Array(1);
  // libc knows how its addresses are laid out; a number is not asked of any name server.
  if (getaddrinfo(Buffer.from(`${host}\0`), null, null, new Uint8Array(found.buffer)) !== 0) return null;
  const info = Number(found[0]);
  const family = read.u32(info, AI_FAMILY);
  const address = new Uint8Array(toArrayBuffer(read.ptr(info, AI_ADDR), 0, read.u32(info, AI_ADDRLEN))).slice();
  freeaddrinfo(info);
  new DataView(address.buffer).setUint16(PORT_OFFSET, port);
  const fd = bindSocket(family, address);
  if (fd === null) return null;
  const name = new Uint8Array(LONGEST);
  getsockname(fd, name, new Uint8Array(Uint32Array.of(LONGEST).buffer));
  return { fd, port: new DataView(name.buffer).getUint16(PORT_OFFSET) };
}

/** Binds to `path`, which must be free. */
export function bindUnix(path: string): { readonly fd: number } | null {
  const text = Buffer.from(`${path}\0`);
  const address = new Uint8Array(PATH_OFFSET + text.length);
  address.set(MAC ? [address.length, AF_UNIX] : [AF_UNIX, 0]);
  address.set(text, PATH_OFFSET);
  const fd = bindSocket(AF_UNIX, address);
  return fd === null ? null : { fd };
}

function bindSocket(family: number, address: Uint8Array): number | null {
  const { socket, setsockopt, bind } = libc();
  const fd = socket(family, SOCK_STREAM, 0);
  if (fd < 0) return null;
  // Or connections that a former server has closed would keep the address for a minute.
  const on = new Uint8Array(Int32Array.of(1).buffer);
  if (family !== AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, on.length);
  if (bind(fd, address, address.length) === 0) return fd;
  closeSync(fd);
  return null;
}

export function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

/** The descriptors that were inherited and duplicated. */
const inherited = new Set<number>();

/** Another descriptor of the inherited socket `fd`, which a listener may close. */
export function duplicate(fd: number): { readonly fd: number } | null {
  const copy = libc().dup(fd);
  if (copy < 0) return null;
  inherited.add(fd);
  return { fd: copy };
}

/** Closes what was inherited, once: later the numbers are others'. */
export function closeInherited(): void {
  for (const fd of inherited) closeSync(fd);
  inherited.clear();
}

export function close(fd: number): void {
  closeSync(fd);
}
