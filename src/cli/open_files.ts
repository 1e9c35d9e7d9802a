// How many connections the limit of open files (RLIMIT_NOFILE) leaves room for. Beyond it accept() fails, and no runtime
// tells: Node closes the connection, Bun lets it wait and spins, and a worker on Deno accepts nobody any more (measured).

import { resolveSettings, type Settings } from "../config/settings.ts";
import type { Events } from "../observe/events.ts";
import type { CommandHost } from "./host.ts";

/**
 * Descriptors beside worker_connections: 64 for those who are told that they are too many (src/server/server.ts), and as
 * many for the runtime, logs, and the application's own files and databases.
 */
const RESERVED = 128;

const DEFAULT = resolveSettings({}).worker_connections;

/**
 * worker_connections, or as many as there can be descriptors for, and what the operator has to know then: a warning only
 * where the number is his own. "No limit" (0) stays what it is.
 */
export function possibleConnections(
  { worker_connections: wanted }: Settings,
  host: CommandHost,
): { readonly worker_connections: number; readonly notice: Events["notice"] | null } {
  const limit = host.openFilesLimit() ?? Infinity;
  const possible = limit - Math.min(RESERVED, Math.ceil(limit / 2));
  if (wanted <= possible) return { worker_connections: wanted, notice: null };
  const message =
    `worker_connections is ${wanted}, more than the limit of ${limit} open files allows: ${possible} connections ` +
    "are accepted; raise the limit (ulimit -n, LimitNOFILE=), or lower worker_connections";
  const level = wanted === DEFAULT ? "info" : "warning";
  return { worker_connections: possible, notice: { level, message } };
}
