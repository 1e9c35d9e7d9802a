// `tricorn check`: which settings it finds, what it prints, and its exit codes.

import { beforeEach, describe, expect, test } from "vitest";
import { main } from "../../src/cli/main.ts";
import { fakeContext, FakeHost, FakeRuntime } from "./fake.ts";

let host: FakeHost;
const command = async (...words: string[]): Promise<void> => {
  host.argv = words;
  await main(fakeContext(host, new FakeRuntime()));
};

const GOOD = { DEBUG: true };

beforeEach(() => {
  host = new FakeHost();
  host.modules.set("settings.ts", { settings: GOOD, production: { STATIC_URL: "x" }, no: "text" });
  host.modules.set("wrong.ts", { settings: { STATIC_URL: "/static", ALLOWED_HOSTS: [] } });
});

describe("folders of static files", () => {
  const check = async (settings: object): Promise<string> => {
    host.modules.set("folders.ts", { settings: { ALLOWED_HOSTS: ["a"], ...settings } });
    host.folders.add("/srv/there");
    await command("check", "--settings", "folders.ts");
    expect(host.exits).toEqual([0]);
    return host.out;
  };

  test("STATIC_ROOT that is missing is a warning, but while somebody develops", async () => {
    expect(await check({ STATIC_ROOT: "public" })).toContain(
      '?: (staticfiles.W005) The folder "public", which is STATIC_ROOT, does not exist.\n\tHINT: Put the site',
    );
  });

  test("STATICFILES_DIRS that are missing are warnings", async () => {
    expect(await check({ STATICFILES_DIRS: ["/srv/there", "/srv/gone"] })).toMatch(
      /^\?: \(staticfiles\.W004\) The folder "\/srv\/gone" in STATICFILES_DIRS does not exist\.\n[^]*identified 1 issue /m,
    );
  });

  test.each([{ STATIC_ROOT: "there" }, { STATIC_ROOT: "/gone", DEBUG: true }, { STATIC_ROOT: null }])(
    "nothing is said of %j",
    async (settings) => expect(await check(settings)).toContain("no issues"),
  );

  test("where nobody may look nothing is said", async () => {
    host.isFolder = () => null;
    expect(await check({ STATIC_ROOT: "public" })).toContain("no issues");
  });
});

describe("the settings", () => {
  test("--settings MODULE: its export settings", async () => {
    await command("check", "--settings", "settings.ts");
    expect([host.out, host.err, host.exits]).toEqual(["System check identified no issues (0 silenced).\n", "", [0]]);
  });

  test("--settings MODULE:NAME", async () => {
    await command("check", "--settings=settings.ts:production");
    expect(host.out).toContain("(urls.E006)");
    expect(host.exits).toEqual([1]);
  });

  test("TRICORN_SETTINGS_MODULE, which --settings goes before", async () => {
    host.env.TRICORN_SETTINGS_MODULE = "wrong.ts";
    await command("check");
    expect(host.exits).toEqual([1]);
    await command("check", "--settings", "settings.ts");
    expect(host.exits).toEqual([1, 0]);
  });

  test.each<[string[], number, RegExp]>([
    [
      [],
      2,
      /^tricorn: check: whose settings\? Write "tricorn check --settings settings\.ts", or set TRICORN_SETTINGS_MODULE$/,
    ],
    [["--setings", "x"], 2, /^tricorn: check: unknown flag "--setings"; did you mean "--settings"\?$/],
    [["--settings"], 2, /^tricorn: check: --settings: the value is missing/],
    [["polls"], 2, /^tricorn: check: "polls" is one word too many/],
    [["--settings", "absent.ts"], 3, /^tricorn: cannot load the settings "absent\.ts": the module threw Error: absent/],
    [["--settings", "settings.ts:nope"], 4, /the module has no export "nope"/],
    [["--settings", "settings.ts:no"], 4, /export "no" is a string; write `export const settings/],
  ])("%j exits with %i", async (words, code, message) => {
    await command("check", ...words);
    expect(host.exits).toEqual([code]);
    expect(host.err.trimEnd()).toMatch(message);
    expect(host.out).toBe("");
    await command("check", "--help");
    expect(host.out.split("Exit codes:")[1]).toMatch(new RegExp(`\\b${code} [a-z]`));
  });
});

describe("what is printed", () => {
  test("the worst first, as Django prints it", async () => {
    await command("check", "--settings", "wrong.ts");
    expect(host.out).toBe(`System check identified some issues:

ERRORS:
?: (urls.E006) STATIC_URL must end with a slash.
\tHINT: Write "/static/".

WARNINGS:
?: (security.W020) ALLOWED_HOSTS is empty, and DEBUG is false: whatever asks for the request's host is answered with 400.
\tHINT: Name the hosts of the site, or set DEBUG to true on your own machine.

System check identified 2 issues (0 silenced).
`);
  });

  test("silenced messages are counted, and no reason to fail", async () => {
    host.modules.set("settings.ts", {
      settings: { STATIC_URL: "x", DEBUG: true, SILENCED_SYSTEM_CHECKS: ["urls.E006"] },
    });
    await command("check", "--settings", "settings.ts");
    expect([host.out, host.exits]).toEqual(["System check identified no issues (1 silenced).\n", [0]]);
  });

  test("warnings alone exit with 0; --deploy has more of them", async () => {
    await command("check", "--settings", "settings.ts", "--deploy");
    expect(host.out).toContain("(security.W018) DEBUG is true");
    expect(host.exits).toEqual([0]);
  });

  test("--json", async () => {
    await command("check", "--settings", "wrong.ts", "--json");
    expect(JSON.parse(host.out)).toMatchObject({ messages: [{ id: "urls.E006" }, { level: "warning" }], silenced: 0 });
    expect(host.exits).toEqual([1]);
  });

  test("a setting that is none", async () => {
    host.modules.set("settings.ts", { settings: { DEBUGG: true } });
    await command("check", "--settings", "settings.ts");
    expect(host.out).toContain('CRITICALS:\n?: (settings.E001) there is no setting "DEBUGG"; did you mean "DEBUG"?\n');
    expect(host.exits).toEqual([1]);
  });

  test.each([["check", "--help"], ["check", "-h"], ["help", "check"]])("%s %s", async (...words) => {
    await command(...words);
    expect(host.out).toMatch(/^Usage: tricorn check/);
    expect(host.exits).toEqual([]);
  });
});
