// docs/production.md: its commands are run in a project whose folder stands for /srv/shop, /opt/tricorn and /run/shop; what
// it shows is what is printed; and the files for Kubernetes and systemd say what Tricorn takes.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { EXIT } from "../../src/cli/failure.ts";
import { splitWords } from "../../src/config/shell_words.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import { findProgram, run } from "../deployment/support.ts";
import { ROOT } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { DocumentProject, TRICORN } from "./project.ts";
import {
  ask,
  type Block,
  blocksOf,
  type BlockTests,
  endAll,
  missing,
  type Served,
  testBlocks,
  writeFiles,
} from "./support.ts";

const TEXT = readFileSync(join(ROOT, "docs/production.md"), "utf8");
const BLOCKS = blocksOf(TEXT);
const DEFAULTS = resolveSettings({});
const block = (first: string): Block => BLOCKS.find(({ lines }) => lines[0] === first)!;

const APPLICATION = `import { Hono } from "hono";

const app = new Hono();
app.get("/", (c) => c.text("hello"));
app.get("/stuck", () => { for (;;); });
export default app;
`;

let project: DocumentProject;

beforeAll(async () => {
  project = await DocumentProject.make("production");
  writeFiles(project.folder, BLOCKS);
  project.write("app.ts", APPLICATION);
});
afterAll(async () => {
  await endAll();
  project.remove();
});

/** A text of the document, with what is here. */
const here = (text: string): string =>
  text.replaceAll("/opt/tricorn/", ROOT).replaceAll("/run/shop/", `${project.folder}/`)
    .replace(/^tricorn /, `${TRICORN.node} `);

/** What is shown here, as the document has it, with one figure as good as another. */
const likeness = (text: string): string =>
  text.replaceAll(/^\[[\d: +-]+\] \[\d+\] /gm, "").replaceAll(/\b(pid[: ]|Worker )\d+\b/g, "$1N")
    .replaceAll(project.folder, "/srv/shop").replaceAll(ROOT, "/srv/shop/")
    .replaceAll(/:\d+:\d+\)/g, ":N:N)").replaceAll(/\([\d.]+ s\)/g, "(N s)");

/** A pool of workers of the project, until `use` has done with it. */
async function pool(words: string, use: (served: Served) => Promise<void>): Promise<void> {
  const served = await project.start(`${TRICORN.node} serve app.ts -w 2 --bind 127.0.0.1:8000 ${words}`);
  try {
    await eventually(
      () => served.ended !== null || served.stderr.match(/is ready$/gm)?.length === 2,
      () => served.stderr,
    );
    await use(served);
  } finally {
    served.destroy();
  }
}

const STUCK = "[2026-11-22 16:58:24 +0000] [15246] [CRITICAL] WORKER TIMEOUT (pid:15292)";
const STATS = "tricorn      0.1.0 on node 20.20.2, pid 8810, up 9s";

const TESTS: BlockTests = {
  "node --import /opt/tricorn/adapters/strip_types.js /opt/tricorn/adapters/bin.ts serve app.ts": ({ lines }) => {
    for (const line of lines) {
      const why = missing(line);
      if (why !== null) test.skip(`${line}: ${why}`, () => {});
      else {
        test(line, () =>
          project.serving(`${here(line)} --bind 127.0.0.1:8000`, async (served) => {
            expect((await served.get("/")).text).toBe("hello");
          }));
      }
    }
  },
  [STUCK]: ({ lines }) => {
    test("is what a stuck worker leaves in the log", () =>
      pool("--timeout 1", async (served) => {
        void ask({ host: "127.0.0.1", port: served.port, path: "/stuck?a=1" }).catch(() => {});
        const seen = (): string => likeness(served.stderr);
        await eventually(() => seen().includes("app.ts:N:N"), seen);
        for (const line of lines) expect(seen()).toContain(likeness(line));
      }));
  },
  "tricorn ctl reload": ({ text }) => {
    test("tells how it went", () =>
      pool("", async () => {
        expect(await project.run(here(text))).toContain("reloaded: generation 2 serves\n");
        expect(TEXT).toContain("`reloaded: generation 2 serves`");
      }));
  },
  "// tricorn.config.ts": ({ text }) => {
    test("is understood", async () => {
      const printed = await project.run(`${TRICORN.node} serve --config tricorn.config.ts --print-config`);
      for (const [, name, value] of text.matchAll(/^ {2}(max_\w+): ([\d_]+),$/gm)) {
        expect(printed).toMatch(new RegExp(`^${name} +${value!.replace("_", "")} +tricorn\\.config\\.ts$`, "m"));
      }
    });
  },
  "tricorn ctl --socket /run/shop/ctl show stats": ({ text }) => {
    test("has the lines that are shown", () =>
      pool(here("--control-socket /run/shop/ctl"), async () => {
        const heads = (shown: string): string[] => shown.match(/^\w+(?: \w+)*(?= {2})/gm)!;
        expect(heads(await project.run(here(text)))).toEqual(heads(block(STATS).text));
      }));
  },
  [STATS]: null,
  "spec:": ({ text }) => {
    test("is Tricorn's flags, and time enough for them", async () => {
      const { terminationGracePeriodSeconds: grace, containers } = parse(text).spec;
      const [{ args, readinessProbe, livenessProbe }] = containers;
      expect(await project.run(`${TRICORN.node} ${args.join(" ")} --check-config`)).not.toContain("tricorn:");
      const delay = Number(args[args.indexOf("--drain-delay") + 1]);
      expect(grace).toBeGreaterThan(delay + DEFAULTS.keepalive_grace + DEFAULTS.graceful_timeout);
      const port = Number(args[args.indexOf("--admin-bind") + 1].slice(1));
      expect([readinessProbe.httpGet, livenessProbe.httpGet]).toEqual([
        { path: "/readyz", port },
        { path: "/livez", port },
      ]);
    });
  },
  "# /etc/systemd/system/shop.service": ({ text }) => {
    const value = (name: string): string => new RegExp(`^${name}=(.*)$`, "m").exec(text)![1]!;
    test("starts and reloads Tricorn, and gives it time", async () => {
      const start = here(value("ExecStart")).replace("/usr/bin/node", "node");
      expect(await project.run(`${start} --check-config`)).not.toContain("tricorn:");
      const reload = splitWords(value("ExecReload"), "the command");
      expect(reload.slice(0, 4)).toEqual(splitWords(value("ExecStart"), "the command").slice(0, 4));
      expect(Number(value("TimeoutStopSec"))).toBeGreaterThan(DEFAULTS.graceful_timeout);
      expect(value("RestartPreventExitStatus")).toBe([EXIT.usage, EXIT.boot, EXIT.application].join(" "));
    });
    verified("shop.service", text);
  },
  "# /etc/systemd/system/shop.socket": ({ text }) => verified("shop.socket", text),
};

/** systemd has nothing against the unit, but that its programs are elsewhere. */
function verified(name: string, text: string): void {
  const analyze = findProgram("systemd-analyze");
  if (analyze === null) test.skip("systemd understands it: systemd-analyze is not here", () => {});
  else {
    test("systemd understands it", async () => {
      project.write("shop.service", here(block("# /etc/systemd/system/shop.service").text));
      project.write(name, here(text));
      const { stdout, stderr } = await run([analyze, "verify", "--man=no", project.path(name)]);
      const lines = `${stdout}${stderr}`.split("\n").filter((line) => line.includes(`${name}:`));
      expect(lines.filter((line) => !/is not executable/.test(line))).toEqual([]);
    });
  }
}

describe("docs/production.md", () => {
  testBlocks(BLOCKS, TESTS);

  test("the lines of the log that it quotes stand in the source", () => {
    const sources = ["src", "adapters"].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => /\.[jt]s$/.test(name))
        .map((name) => readFileSync(join(ROOT, folder, name), "utf8"))
    ).join("\n");
    const section = TEXT.split("\n## ").find((part) => part.startsWith("What lights up"))!;
    const cells = [...section.matchAll(/^\| (`[^|]*`[^|]*) \|/gm)].map(([, cell]) => cell!);
    expect(cells.length).toBeGreaterThan(8);
    // Between what is filled in: "...", N, a number, a name; and what only some lines have begins with a comma.
    const pieces = [...cells.join("\n").matchAll(/`([^`]+)`/g)]
      .flatMap(([, quoted]) => quoted!.split(/\.\.\.|\bN\b|\d+ ?|SIG\w+|MiB|;|(?=,)|: (?=\W*$)/))
      .map((piece) => piece.trim()).filter((piece) => piece.length > 5);
    expect(pieces.length).toBeGreaterThan(15);
    expect(pieces.filter((piece) => !sources.includes(piece))).toEqual([]);
  });
});
