// The hooks among the settings: which there are, and those that are called for each request.

import { HOOK_NAMES, type HookEnviron, type Hooks, type WorkerInfo } from "../config/hooks.ts";
import type { Settings } from "../config/settings.ts";
import type { EventBus } from "../observe/events.ts";

/** The functions among the settings, which no message carries to a worker; null where there is none. */
export function hooksOf(settings: Partial<Settings>): Partial<Hooks> {
  return Object.fromEntries(HOOK_NAMES.map((name) => [name, settings[name] ?? null])) as Partial<Hooks>;
}

/** Calls pre_request and post_request; nothing is subscribed to when they are not given. */
export function observeRequests(events: EventBus, settings: Settings, info: () => WorkerInfo): void {
  const { pre_request, post_request } = settings;
  if (pre_request !== null) events.on("begin", ({ environ }) => pre_request(info(), environ as object as HookEnviron));
  if (post_request !== null) {
    events.on(
      "request",
      ({ environ, status, responseHeaders: headers, bytes, duration, aborted }) =>
        post_request(info(), environ as object as HookEnviron, { status, headers, bytes, duration, aborted }),
    );
  }
}
