// getApplication() of the public API, as a user's wsgi.py would have it, on each runtime.

import { spawnSync } from "node:child_process";
import process from "node:process";
import { expect, test } from "vitest";
import { onEachKind, ROOT } from "../support/runtimes.ts";

onEachKind("getApplication", (runtime) => {
  test("serves the settings that TRICORN_SETTINGS_MODULE names, and says when nothing does", () => {
    const script = "test/adapters/get_application_main.ts";
    const run = (settings: string): { readonly out: string; readonly error: string } => {
      const { stdout, stderr } = spawnSync(runtime.program, [...runtime.words([]), script], {
        cwd: ROOT,
        encoding: "utf8",
        env: { ...process.env, NO_COLOR: "1", TRICORN_SETTINGS_MODULE: settings },
      });
      return { out: stdout, error: stderr };
    };
    expect(run("test/adapters/get_application_settings.ts")).toEqual({ out: "200 home\n", error: "" });
    expect(run("").error).toContain("or set TRICORN_SETTINGS_MODULE");
  });
});
