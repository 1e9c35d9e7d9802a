// How many connections the limit of open files (RLIMIT_NOFILE) leaves room for. Beyond it accept() fails, and no runtime
// tells: Node closes the connection, Bun lets it wait and spins, and a worker on Deno accepts nobody any more (measured).

import type { Settings } from "../config/settings.ts";
import type { CommandHost } from "./host.ts";

/**
 * Descriptors beside worker_connections: 64 for those who are told that they are too many (src/server/server.ts), and as
 * many for the runtime, logs, and the application's own files and databases.
 */
const RESERVED = 128;

/**
 * worker_connections, or as many as there can be descriptors for, and in one line what the operator has to know then.
 * "No limit" (0) stays what it is.
 */
export function possibleConnections(
  { worker_connections: wanted }: Settings,
  host: CommandHost,
): { readonly worker_connections: number; readonly warning: string | null } {
  const limit = host.openFilesLimit() ?? Infinity;
  const possible = limit - Math.min(RESERVED, Math.ceil(limit / 2));
  if (wanted <= possible) return { worker_connections: wanted, warning: null };
  const warning =
    `worker_connections is ${wanted}, more than the limit of ${limit} open files allows: ${possible} connections ` +
    "are accepted; raise the limit (ulimit -n, LimitNOFILE=), or lower worker_connections";
  return { worker_connections: possible, warning };
}
