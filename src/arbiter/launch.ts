// What a master starts its workers with, and what both sides have to agree on about it.

import type { Settings } from "../config/settings.ts";
import type { Bind } from "../runtime/port.ts";

/** Everything that workers are started with; a reload makes a new one. */
export interface Launch {
  readonly settings: Settings;
  /** What to listen on: `bind`, or what systemd passed. */
  readonly binds: readonly Bind[];
  /** Goes to the workers beside the settings; the caller's business. */
  readonly extra: unknown;
  /** Variables that the workers have beside, or instead of, the master's: `raw_env`. Null: they do not have it. */
  readonly env: Readonly<Record<string, string | null>>;
  /** The setting, or what "auto" comes to. */
  readonly workers: number;
}

/** True for an address on which each worker has a socket of its own; the master shares the others. */
export function isOwn(bind: Bind, settings: Settings): boolean {
  return settings.reuse_port && bind.kind === "tcp";
}
