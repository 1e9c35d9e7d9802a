import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { processHost } from "../../adapters/process.ts";
import type { CommandHost } from "../../src/cli/host.ts";
import { loadApplication, LoadError, parseTarget } from "../../src/cli/load.ts";

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const host: CommandHost = processHost;
const load = (target: string, factory = false) => loadApplication(`${fixtures}/${target}`, factory, host);

const failure = async (target: string, factory = false): Promise<LoadError> => {
  try {
    await load(target, factory);
  } catch (error) {
    expect(error).toBeInstanceOf(LoadError);
    expect((error as LoadError).message).not.toContain("\n");
    expect((error as LoadError).message).toMatch(/^cannot load "/);
    return error as LoadError;
  }
  throw new Error("it loaded");
};

describe("parseTarget", () => {
  test.each([
    ["app.ts", "app.ts", null],
    ["app.ts:app", "app.ts", "app"],
    ["./dir/app:api.v1.app", "./dir/app", "api.v1.app"],
    ["app:größe", "app", "größe"],
    ["@scope/name:$app_1", "@scope/name", "$app_1"],
    ["file:///srv/app.ts:app", "file:///srv/app.ts", "app"],
    ["file:///srv/app.ts", "file:///srv/app.ts", null],
    ["npm:hono", "npm:hono", null],
    ["npm:hono:app", "npm:hono", "app"],
    ["C:\\srv\\app.js", "C:\\srv\\app.js", null],
    ["C:\\srv\\app.js:app", "C:\\srv\\app.js", "app"],
    ["app.ts:1", "app.ts:1", null],
  ])("%s", (target, module, name) => expect(parseTarget(target)).toEqual({ module, name }));
});

describe("loadApplication", () => {
  test.each([
    ["apps.ts", "esgi"],
    ["apps", "esgi"],
    ["apps.ts:application", "esgi"],
    ["apps.ts:app", "fetch"],
    ["apps.ts:handler", "fetch"],
    ["apps.ts:api.v1.app", "fetch"],
    ["default_object.ts", "fetch"],
    ["default_object:default", "fetch"],
    ["default_object:default.fetch", "fetch"],
    ["compiled.cjs", "fetch"],
  ])("%s", async (target, kind) => expect((await load(target)).kind).toBe(kind));

  test.each([["apps.ts:create", "esgi"], ["apps.ts:createLater", "fetch"]])("--factory %s", async (target, kind) => {
    expect((await load(target, true)).kind).toBe(kind);
  });

  test("takes paths without ./, file URLs and packages", async () => {
    expect((await loadApplication("test/cli/fixtures/apps", false, host)).kind).toBe("esgi");
    expect((await loadApplication("./test/cli/fixtures/apps.ts:app", false, host)).kind).toBe("fetch");
    expect((await loadApplication(`file://${fixtures}/apps.ts:app`, false, host)).kind).toBe("fetch");
    await expect(loadApplication("hono:Hono", false, host)).rejects.toThrow(/export "Hono" is a class/);
  });

  test.each([
    ["absent.ts", /there is no file ".*\/fixtures\/absent\.ts"$/],
    ["absent", /there is no file ".*\/absent", alone or with \.ts, \.mts, \.js$/],
    ["apps.ts:aplication", /the module has no export "aplication"; did you mean "application"\? it has /],
    ["apps.ts:zzz", /the module has no export "zzz"; it has .*createLater/],
    ["apps.ts:api.v2.app", /"api" has no property "v2"; did you mean "v1"\? it has v1/],
    ["apps.ts:text.app", /"text" has no property "app"/],
    ["apps.ts:api", /export "api" is an object without a method "fetch"; export/],
    ["apps.ts:api.v1.version", /export "api\.v1\.version" is a number/],
    ["apps.ts:promise", /export "promise" is a promise/],
    ["apps.ts:", /the name after ":" is missing/],
    [
      "no_application.ts",
      /no export application, default, app or fetch; it exports .*version.*; name one: .*no_application\.ts:/,
    ],
    ["empty.ts", /it exports nothing/],
    ["throws.ts", /the module threw TypeError: broken at import$/],
    ["imports_absent.ts", /the module threw Error: .*absent\.ts/],
  ])("refuses %s", async (target, message) => {
    const { message: line, detail } = await failure(target);
    expect(line).toMatch(message);
    expect(detail === null).toBe(!line.includes("threw"));
  });

  test.each([
    ["apps.ts:createNothing", /what "createNothing" returned is undefined/],
    ["apps.ts:createFault", /the factory "createFault" threw RangeError: no database$/],
    ["apps.ts:app", /--factory needs a function, but export "app" is none; leave --factory out/],
  ])("refuses --factory %s", async (target, message) => expect((await failure(target, true)).message).toMatch(message));

  test("shows the stack of what the module threw", async () => {
    expect((await failure("throws.ts")).detail).toMatch(/^TypeError: broken at import\n +at .*throws\.ts/);
  });

  test("outside of any package, says that there is none", async () => {
    await expect(loadApplication("no-such-package", false, host)).rejects.toThrow(/and no package of that name$/);
  });
});
