// Tests that need a real component skip where it is missing, each with its reason. In CI that would hide them: there,
// every component has to be here.

import { existsSync } from "node:fs";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { networkMissing } from "./deployment/network.ts";
import { RUNTIMES } from "./support/runtimes.ts";

const PROGRAMS = ["curl", "openssl", "wrk", "nginx", "apache2", "chromium", "ip"];
const FOLDERS = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];

describe.runIf(process.env.CI === "true")(
  "in CI, as .ci/run installs it (elsewhere nothing is demanded), there is",
  () => {
    test.each(PROGRAMS)("%s", (program) => {
      expect(FOLDERS.filter((folder) => existsSync(`${folder}/${program}`))).not.toEqual([]);
    });

    test("the right to make network namespaces", () => {
      expect(networkMissing()).toBeNull();
    });

    test.each(RUNTIMES.map(({ name, missing }) => [name, missing]))("%s", (_name, missing) => {
      expect(missing).toBeNull();
    });

    test("every runtime that is tested", () => {
      expect(RUNTIMES.map(({ name }) => name)).toEqual(["node", "deno", "bun", "node-22", "node-24", "node-26"]);
    });
  },
);
