// `npm ci` must work on any machine: a lock file names every platform's packages, and no registry.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

interface Lock {
  readonly packages: Readonly<
    Record<string, {
      readonly dependencies?: Readonly<Record<string, string>>;
      readonly optionalDependencies?: Readonly<Record<string, string>>;
      readonly resolved?: string;
    }>
  >;
}

describe.each(["package-lock.json", "test/nodes/package-lock.json", "scripts/bench/package-lock.json"])(
  "%s",
  (path) => {
    const { packages } = JSON.parse(readFileSync(path, "utf8")) as Lock;

    it("records no addresses", () => {
      expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
    });

    it("has every dependency, those of other platforms too", () => {
      // npm 11 refuses a lock file without them, and npm install leaves out what a mirror of the registry does not have.
      const names = new Set(Object.keys(packages).map((key) => key.split("node_modules/").at(-1)));
      const missing = Object.entries(packages).flatMap(([key, { dependencies, optionalDependencies }]) =>
        Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !names.has(name)).map((name) =>
          `${name} of ${key}`
        )
      );
      expect(missing).toEqual([]);
    });
  },
);
