// Calling the hooks of the settings. A hook that throws is logged, and harms nothing else.

import type { HookEnviron, Hooks, WorkerInfo } from "../config/hooks.ts";
import { type SettingName, SETTINGS, type Settings } from "../config/settings.ts";
import type { EventBus } from "../observe/events.ts";

/** Calls a hook, when there is one, and waits for it. */
export async function callHook<N extends keyof Hooks>(
  events: EventBus,
  settings: Settings,
  name: N,
  ...values: Parameters<Hooks[N]>
): Promise<void> {
  const hook = settings[name] as ((...values: Parameters<Hooks[N]>) => unknown) | null;
  if (hook === null) return;
  try {
    await hook(...values);
  } catch (error) {
    events.emit("fault", { error, message: `the hook ${name} threw`, environ: null });
  }
}

/** The functions among the settings, which no message carries to a worker. */
export function hooksOf(settings: Partial<Settings>): Partial<Hooks> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => SETTINGS[name as SettingName].type === "hook"));
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
