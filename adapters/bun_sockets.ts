// Sockets that are bound and not accepted on, for Bun, which has no way to make them: libc's own, through bun:ffi. They
// are plain descriptors, which children inherit.

export function bindTcp(host: string, port: number): { fd: number; port: number } | null {
  throw new Error("soon");
}
export function bindUnix(path: string): { fd: number } | null {
  throw new Error("soon");
}
export function isSocket(fd: number): boolean {
  throw new Error("soon");
}
export function duplicate(fd: number): number {
  throw new Error("soon");
}
export function close(fd: number): void {
  throw new Error("soon");
}
