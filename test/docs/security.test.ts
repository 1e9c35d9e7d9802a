// docs/security.md: its commands are run, its blocks served, and the table of limits has the settings' defaults.

import { chmodSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as tls from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SettingName, SETTINGS } from "../../src/config/settings.ts";
import { ROOT } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { DocumentProject, KINDS, servedBy, TRICORN } from "./project.ts";
import {
  type Block,
  blocksOf,
  type BlockTests,
  endAll,
  fileOf,
  missing,
  type Served,
  testBlocks,
  typeCheck,
  writeFiles,
} from "./support.ts";

const TEXT = readFileSync(join(ROOT, "docs/security.md"), "utf8");
const BLOCKS = blocksOf(TEXT);
const block = (first: string): Block => BLOCKS.find(({ lines }) => lines[0] === first)!;

let project: DocumentProject;
const the = (): DocumentProject => project;

beforeAll(async () => {
  project = await DocumentProject.make("security");
  project.write("app.ts", 'export default { fetch: () => new Response("hello\\n") };\n');
  writeFiles(project.folder, BLOCKS);
  const words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost";
  await project.run(`openssl ${words}`);
});
afterAll(async () => {
  await endAll();
  project.remove();
});

/** Runs each line against a server, and gives all that is answered. */
async function answers(served: Served, { lines }: Block): Promise<string> {
  let text = "";
  for (const line of lines) text += await project.run(line.replaceAll("8000", `${served.port}`));
  return text;
}

const REFUSED = "400 Bad Request: both Transfer-Encoding and Content-Length (RFC 9112 section 6.3)";
const DENO =
  "deno run --no-prompt --allow-net=127.0.0.1:8000 --allow-read=app.ts npm:tricorn serve app.ts --bind 127.0.0.1:8000";

const TESTS: BlockTests = {
  "curl -s -H 'Transfer-Encoding: chunked' -H 'Content-Length: 5' -d hello http://127.0.0.1:8000/": (block_) => {
    for (const kind of KINDS) {
      const why = missing(kind);
      if (why !== null) test.skip(`${kind}: ${why}`, () => {});
      else {
        test(`${kind}: each is answered so`, () =>
          project.serving(`${TRICORN[kind]} serve app.ts --bind 127.0.0.1:8000`, async (served) => {
            await served.get("/");
            expect((await answers(served, block_)).trimEnd()).toBe(block(REFUSED).text.trimEnd());
          }));
      }
    }
  },
  [REFUSED]: null,
  // The next one reads it.
  "// tricorn.config.ts": null,
  "tricorn serve --check-config": ({ text }) => {
    test("finds nothing wrong", async () => {
      expect(await project.run(text.replace("tricorn", TRICORN.node))).not.toMatch(/^tricorn:/m);
    });
  },
  "curl -s -H 'X-Forwarded-For: 192.0.2.7' http://127.0.0.1:8000/who": (block_) => {
    test.each([["", "192.0.2.7\n"], ["--forwarded-allow-ips ''", "127.0.0.1\n"]])(
      'with the flags "%s" it says %j',
      (flags, said) =>
        project.serving(`${TRICORN.node} serve hosts.ts --bind 127.0.0.1:8000 ${flags}`, async (served) => {
          await served.get("/");
          expect(await answers(served, block_)).toBe(said);
        }),
    );
  },
  "// hosts.ts": servedBy(the, async (served) => {
    const found = await served.get("/");
    expect([found.status, found.headers.server, found.headers["x-powered-by"]]).toEqual([200, undefined, undefined]);
    expect((await served.get("/", { headers: { host: "SHOP.example:80" } })).status).toBe(200);
    expect((await served.get("/", { headers: { host: "evil.example" } })).status).toBe(421);
  }),
  "tricorn serve app.ts --bind unix:shop.sock --unix-socket-mode 0o660": ({ text }) => {
    test("the socket has that mode", async () => {
      const served = await project.start(text.trim().replace("tricorn", TRICORN.node));
      try {
        await eventually(() => existsSync(project.path("shop.sock")), () => served.stderr);
        expect(statSync(project.path("shop.sock")).mode & 0o777).toBe(0o660);
        expect(await served.stop()).toBe(0);
      } finally {
        served.destroy();
      }
    });
  },
  "tricorn serve app.ts --workers 1 --user nobody": ({ text }) => {
    if (process.getuid?.() !== 0) test.skip("the workers are nobody: only root can become another user", () => {});
    else {
      test("the workers are nobody", async () => {
        chmodSync(project.folder, 0o755);
        const served = await project.start(`${text.trim().replace("tricorn", TRICORN.node)} --bind 127.0.0.1:8000`);
        try {
          await served.get("/");
          const pid = /\(pid:(\d+)\) is ready/.exec(served.stderr)![1]!;
          const owner = (await project.run("id -u nobody")).trim();
          const status = readFileSync(`/proc/${pid}/status`, "utf8");
          expect(status).toMatch(new RegExp(`^Uid:\\t${owner}\\t${owner}\\t`, "m"));
          // Not root's: its own group, or none.
          expect(status).not.toMatch(/^Groups:\t(?:.* )?0 /m);
        } finally {
          served.destroy();
        }
      });
    }
  },
  [DENO]: ({ text }) => {
    const why = missing("deno");
    if (why !== null) test.skip(`serves: ${why}`, () => {});
    else {
      test("serves, and the application can do nothing else", async () => {
        project.write(
          "app.ts",
          `const tried = await Promise.all([
  Deno.readTextFile("/etc/passwd"),
  fetch("http://127.0.0.1:4000/"),
  Promise.resolve().then(() => Deno.env.get("HOME")),
  Promise.resolve().then(() => new Deno.Command("true").outputSync()),
].map((attempt) => attempt.then(() => "done", (error) => error.name)));
export default { fetch: () => Response.json(tried) };
`,
        );
        await project.serving(text.trim(), async (served) => {
          expect(JSON.parse((await served.get("/")).text)).toEqual(Array(4).fill("NotCapable"));
        });
      });
    }
  },
  // The next one looks at it.
  "// settings.ts": null,
  "SECRET_KEY=$(openssl rand -base64 48) tricorn check --settings settings.ts --deploy": ({ text }) => {
    test("finds nothing wrong, and something without one of them", async () => {
      const check = (settings: string): string =>
        text.replace("tricorn", TRICORN.node).replace("settings.ts", settings);
      expect(await project.run(check("settings.ts"))).toBe("System check identified no issues (0 silenced).\n");
      const less = fileOf(block("// settings.ts"))[1].replace("CSRF_COOKIE_SECURE: true,", "");
      project.write("less.ts", less);
      expect(await project.run(check("less.ts"))).toContain("(security.W016)");
    });
  },
};

/** The version that is agreed on with a client that speaks this one only; null when there is none. */
function handshake(port: number, version: tls.SecureVersion): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      host: "127.0.0.1",
      port,
      minVersion: version,
      maxVersion: version,
      rejectUnauthorized: false,
      // The client's own reluctance.
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    socket.on("secureConnect", () => {
      resolve(socket.getProtocol());
      socket.destroy();
    });
    socket.on("error", () => resolve(null));
    socket.on("close", () => resolve(null));
  });
}

describe("docs/security.md", () => {
  testBlocks(BLOCKS, TESTS);

  describe("TLS 1.2 and 1.3 are spoken, 1.0 and 1.1 are not", () => {
    for (const kind of KINDS) {
      const why = missing(kind);
      if (why !== null) test.skip(`on ${kind}: ${why}`, () => {});
      else {
        test(`on ${kind}`, async () => {
          const flags = "--certfile cert.pem --keyfile key.pem";
          await project.serving(`${TRICORN[kind]} serve hosts.ts --bind 127.0.0.1:8000 ${flags}`, async (served) => {
            await served.get("/", { protocol: "https:", rejectUnauthorized: false });
            const versions = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;
            const spoken: (string | null)[] = [];
            for (const version of versions) spoken.push(await handshake(served.port, version));
            expect(spoken).toEqual([null, null, "TLSv1.2", "TLSv1.3"]);
          });
        });
      }
    }
  });

  test("the TypeScript is right, as a user's compiler sees it", async () => {
    const files = BLOCKS.filter(({ language }) => language === "ts").map((one) => fileOf(one)[0]);
    expect(await typeCheck(project.folder, [...files, "app.ts"])).toBe("");
  });

  test("the limits are the settings, with their defaults", () => {
    const rows = [...TEXT.matchAll(/^\| [^|]+ \| ([^|]*`[^|]*) \| ([^|]*) \| [^|]* \|$/gm)];
    expect(rows.length).toBeGreaterThan(8);
    for (const [, bounds, defaults] of rows) {
      const wanted = defaults!.match(/\d+/g)!.map(Number);
      // What stands behind them is about the same row, and not its default.
      const names = bounds!.match(/(?<=`)\w+(?=`)/g)!.slice(0, wanted.length) as SettingName[];
      expect(names.map((name) => [name, SETTINGS[name].default])).toEqual(names.map((name, n) => [name, wanted[n]]));
    }
  });
});
