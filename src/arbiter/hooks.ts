// Calling a hook of the settings. One that throws is logged, and harms nothing else.

import type { Hooks } from "../config/hooks.ts";
import type { Settings } from "../config/settings.ts";
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
