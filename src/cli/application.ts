// The bridge from what was loaded to what the server calls.

import { fromFetch } from "../bridges/mod.ts";
import type { Application } from "../esgi/application.ts";
import type { Runtime } from "../runtime/port.ts";
import type { Loaded } from "./classify.ts";

/** The ESGI application that `loaded` is, or is made into. */
export function toApplication(loaded: Loaded, overrideGlobals: boolean, runtime: Runtime): Application {
  if (loaded.kind === "esgi") return loaded.application;
  // Only Node's own pair is slow enough to be replaced.
  return fromFetch(loaded.application, { overrideGlobals: overrideGlobals && runtime.name === "node" });
}
