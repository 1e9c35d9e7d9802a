// How a tool that is given an application finds out whether it is a Handler's, without loading the handler for all others.

import type { Settings } from "./settings.ts";

/** Under which an application has the settings of its Handler. A name and no WeakMap: two copies of this module may meet. */
export const SITE: unique symbol = Symbol.for("tricorn.site");

/** The settings of the Handler whose application this is; null: it is none's. */
export function settingsOf(application: object): Settings | null {
  return (application as { [SITE]?: Settings })[SITE] ?? null;
}
