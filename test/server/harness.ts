// The server on the memory runtime, and a clock that stands still until a test says so.

import { afterEach, beforeEach, vi } from "vitest";
import { type Options, resolveSettings } from "../../src/config/settings.ts";
import type { Application } from "../../src/esgi/application.ts";
import { EventBus, type Events } from "../../src/observe/events.ts";
import type { GatewayName } from "../../src/runtime/port.ts";
import { type MemoryClient, MemoryRuntime } from "../../src/runtime/memory.ts";
import { Server } from "../../src/server/server.ts";

export const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

export const hello: Application = (_environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return "hello";
};

const cleanups: (() => void)[] = [];

/** Time stands still in each test of the file; servers are closed after it. */
export function useClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance", "Date", "setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
    vi.useRealTimers();
  });
}

export interface Served {
  readonly runtime: MemoryRuntime;
  readonly server: Server;
  readonly events: EventBus;
  readonly faults: readonly Events["fault"][];
  readonly refused: readonly Events["refused"][];
  readonly notices: readonly Events["notice"][];
  /** Lets `seconds` pass, tick by tick. */
  readonly pass: (seconds: number) => void;
}

/** A server, and what it tells. It speaks HTTP where `protocol` names nothing else. */
export async function serve(
  application: Application,
  options: Options = {},
  protocol?: GatewayName,
): Promise<Served> {
  const runtime = new MemoryRuntime();
  const events = new EventBus();
  const faults: Events["fault"][] = [];
  const refused: Events["refused"][] = [];
  const notices: Events["notice"][] = [];
  events.on("fault", (fault) => faults.push(fault));
  events.on("refused", (refusal) => refused.push(refusal));
  events.on("notice", (notice) => notices.push(notice));
  const server = new Server(application, runtime, resolveSettings(options), events);
  const bind = { kind: "tcp", host: "192.0.2.2", port: 80 } as const;
  await server.listen(protocol === undefined ? bind : { ...bind, protocol }, { backlog: 1 });
  cleanups.push(() => server.close());
  const pass = (seconds: number): void => {
    for (let at = 0; at <= seconds * 1000; at += 250) {
      vi.advanceTimersByTime(250);
      runtime.tick();
    }
  };
  return { runtime, server, events, faults, refused, notices, pass };
}

/** Lets promises settle. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

export function status(client: MemoryClient): string {
  return client.received.slice(0, 12);
}
