// What the commands run in: this process, this runtime, and the master that started it, if one did.

import type { Context } from "../src/cli/run.ts";
import { processControl } from "./process_control.ts";
import { processHost } from "./process.ts";
import { runtime } from "./runtime.ts";

/** One process alone never loads what masters and workers need. */
const isChild = processHost.env.TRICORN_WORKER !== undefined;
const family = isChild ? await import("./supervisor.ts") : null;

export const context: Context = {
  host: processHost,
  runtime,
  supervisor: async () => (await import("./supervisor.ts")).supervisor,
  parent: family?.parent ?? null,
  formerMaster: family?.formerMaster ?? null,
  launcher: family?.launcher ?? null,
  control: processControl,
  startWatchdog: async (options) => (await import("./watchdog.ts")).startWatchdog(options),
  cgi: async () => (await import("./cgi.ts")).cgiStreams,
  dev: async () => (await import("./dev_host.ts")).devHost,
};
