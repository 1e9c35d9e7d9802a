// Every code block of README.md does what the text around it says, as it stands there. Only ports and paths are others,
// so that tests do not meet. README.zh-CN.md has the same blocks, and the tables have the settings' own values.

import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SettingName, SETTINGS } from "../../src/config/settings.ts";
import { ROOT } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import {
  ask,
  type Block,
  blocksOf,
  type BlockTests,
  children,
  endAll,
  environment,
  fileOf,
  freePort,
  linkPackages,
  missing,
  output,
  Served,
  testBlocks,
  typeCheck,
  writeFiles,
} from "./support.ts";

const README = readFileSync(join(ROOT, "README.md"), "utf8");

const BLOCKS = blocksOf(README);

/** The blocks by their first lines. */
const block = (first: string): Block => BLOCKS.find(({ lines }) => lines[0] === first)!;

/** A user's folder: the clone and a project are neighbours in it. */
const HOME = mkdtempSync(join(tmpdir(), "tricorn-readme-"));
const PROJECT = join(HOME, "project");

/** Masters have their control sockets in HOME, and `tricorn ctl` finds them. */
const environmentOf = (command: string): NodeJS.ProcessEnv => ({ ...environment(command), XDG_RUNTIME_DIR: HOME });

const run = (command: string, folder: string): Promise<string> => output(command, folder, environmentOf(command));

/** A command of the README that serves, with a port and a socket of its own. */
function serve(command: string, folder: string, port: number): Served {
  const tells = /\bserve\b|npm start/.test(command) && !command.includes("--error-logfile");
  return new Served({
    command: elsewhere(command, port),
    folder,
    port,
    env: environmentOf(command),
    ready: tells ? "Listening at:" : "",
  });
}

const socketOf = (port: number): string => join(HOME, `${port}.sock`);

/** `text` with this port for 8000, and HOME's files for those that the reader would have elsewhere. */
function elsewhere(text: string, port: number): string {
  return text
    .replaceAll("8000", String(port))
    .replaceAll("/tmp/tricorn.sock", socketOf(port))
    .replaceAll(/\b(?:cert|key)\.pem\b|\b(?:access|error)\.log\b/g, (file) => join(HOME, file));
}

type Check = (served: Served, command: string) => Promise<void>;

/** Starts the command, looks at it, and stops it: with a signal to whatever the command is, npm too. */
async function serving(command: string, folder: string, check: Check, end: number | string = 0): Promise<void> {
  const served = serve(command, folder, await freePort());
  try {
    await check(served, command);
    expect(await served.stop(), served.stderr).toBe(end);
  } finally {
    served.destroy();
  }
}

/** One test for each line of a block, which are all servers. */
function eachServes(check: Check, folder: string = ROOT): (block: Block) => void {
  return ({ lines }) => {
    for (const line of lines) {
      const why = missing(line);
      if (why === null) test(line, () => serving(line, folder, check));
      else test.skip(`${line}: ${why}`, () => {});
    }
  };
}

const saysHello: Check = async (served) => {
  expect((await served.get("/")).text).toBe("Hello, World!");
};

/** At each place where the command lets it listen. */
const listens: Check = async (served, command) => {
  if (command.includes("127.0.0.1:8000")) await saysHello(served, command);
  if (!command.includes("unix:")) return;
  expect((await served.get("/", { socketPath: socketOf(served.port) })).text).toBe("Hello, World!");
};

/** Commands that end by themselves, each in the project. */
function eachEnds(check: (output: string) => void): (block: Block) => void {
  return ({ lines }) => {
    for (const line of lines) {
      const why = missing(line);
      if (why === null) test(line, async () => check(await run(line, PROJECT)));
      else test.skip(`${line}: ${why}`, () => {});
    }
  };
}

const NODE = "node --import tricorn/typescript";
/** How a file of the project is run on each runtime. */
const RUN = { node: NODE, deno: "deno run --allow-net --allow-read --allow-env", bun: "bun run" } as const;

/** One test for each runtime that the block is for; `end` is how a server without Tricorn ends at SIGTERM. */
function onRuntimes(kinds: readonly (keyof typeof RUN)[], check: Check, end: number | string): (block: Block) => void {
  return (block) => {
    const [file] = fileOf(block);
    for (const kind of kinds) {
      const command = `${RUN[kind]} ${file}`;
      const why = missing(command);
      if (why !== null) test.skip(`${kind}: ${why}`, () => {});
      else {
        test(kind, async () => {
          const port = await freePort();
          const moved = file.replace(".ts", `.${kind}.ts`);
          writeFileSync(join(PROJECT, moved), elsewhere(block.text, port));
          const served = serve(`${RUN[kind]} ${moved}`, PROJECT, port);
          try {
            await check(served, command);
            expect(await served.stop(), served.stderr).toBe(end);
          } finally {
            served.destroy();
          }
        });
      }
    }
  };
}

/** `tricorn serve` of a block's file, on each runtime. */
function servedBy(check: Check): (block: Block) => void {
  return (block) => {
    for (const kind of ["node", "deno", "bun"]) {
      const command = `npm run serve:${kind} -- ${join(PROJECT, fileOf(block)[0])}`;
      const why = missing(command);
      if (why === null) test(kind, () => serving(command, ROOT, check));
      else test.skip(`${kind}: ${why}`, () => {});
    }
  };
}

/** What npm does with its scripts; the test run itself cannot be a part of it. */
function isScript(name: string): (block: Block) => void {
  return () => {
    test(`package.json has "${name}"`, () => {
      const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object };
      expect(scripts).toHaveProperty(name);
    });
  };
}

/** The first line of what `ctl show workers` prints; its widths are the figures'. */
const WORKERS = "ID   PID  GEN  STATE  AGE   REQS  BUSY  WAIT  CONNS     RSS  CPU   LAG";

/** What tests each block; null where another one runs it. */
const TESTS: BlockTests = {
  // Installing would pull the packages away from under the other tests.
  "npm ci && npm start": () => test("npm start", () => serving("npm start", ROOT, saysHello)),
  "npm ci && npm test": isScript("test"),
  "npm run serve:node -- examples/hono.ts": eachServes(saysHello),
  "npm run serve:node -- examples/hello.ts:application --bind 127.0.0.1:8000": eachServes(listens),
  "npm run serve:node -- --help": ({ text }) => {
    test("lists the flags", async () => expect(await run(text, ROOT)).toContain("--bind ADDRESS"));
  },
  // beforeAll has run it.
  "npm install ../tricorn": () => {
    test("the project has the clone as a dependency", () => {
      expect(realpathSync(join(PROJECT, "node_modules/tricorn"))).toBe(realpathSync(ROOT));
    });
  },
  "// serve.ts": null,
  "node serve.ts": servesTs,
  "node --import tricorn/typescript serve.ts": servesTs,
  "// stop.ts": () => {
    for (const kind of ["node", "deno", "bun"] as const) {
      const command = `${RUN[kind]} stop.ts`;
      const why = missing(command);
      if (why === null) test(kind, async () => expect(await run(command, PROJECT)).toMatch(/^Hello$/m));
      else test.skip(`${kind}: ${why}`, () => {});
    }
  },
  "deno run --allow-net=127.0.0.1:8000 --allow-read=examples/hono.ts adapters/bin.ts serve examples/hono.ts -b 127.0.0.1:8000":
    eachServes(saysHello),
  "// hello.ts": servedBy(async (served) => {
    expect((await served.get("/caf%C3%A9")).text).toBe("Hello, /café\n");
  }),
  "// upper.ts": servedBy(async (served) => {
    await served.get("/");
    expect((await ask({ port: served.port, method: "POST" }, "grüße")).text).toBe("GRÜSSE");
  }),
  "// app.ts": servedBy(async (served) => {
    expect((await served.get("/")).text).toBe("Hello, World!");
    expect(JSON.parse((await served.get("/user/7?q=x")).text)).toEqual({ id: "7", q: "x" });
  }),
  "// wrapped.ts": servedBy(async (served) => {
    const { text, headers } = await served.get("/");
    expect([text, headers["x-powered-by"]]).toEqual(["Hello, World!", "ESGI"]);
  }),
  "// site.ts": servedBy(async (served) => {
    expect((await served.get("/")).text).toBe('<a href="/articles/2024/">2024</a>');
    expect((await served.get("/articles/2024/")).text).toBe("The year before 2025");
    expect((await served.get("/articles/2024")).headers.location).toBe("/articles/2024/");
    expect((await served.get("/articles/2024/", { method: "POST" })).headers.allow).toBe("GET, HEAD");
  }),
  "// node_http.ts": onRuntimes(["node", "deno", "bun"], async (served) => {
    expect((await served.get("/x")).text).toBe("Hello, /x\n");
  }, "SIGTERM"),
  "// express.ts": onRuntimes(["node"], async (served) => {
    expect((await served.get("/mounted/x")).text).toBe("Hello, /x\n");
    expect((await served.get("/x")).status).toBe(404);
  }, "SIGTERM"),
  "// deno_serve.ts": onRuntimes(["deno"], async (served) => {
    expect((await served.get("/x")).text).toBe("Hello, /x\n");
  }, "SIGTERM"),
  "// bun_serve.ts": onRuntimes(["bun"], async (served) => {
    expect((await served.get("/x")).text).toBe("Hello, /x\n");
  }, "SIGTERM"),
  "// hello.test.ts": null,
  "node --import tricorn/typescript --test hello.test.ts": eachEnds((output) =>
    expect(output).toMatch(/\b1 pass(?:ed)?\b|\bpass 1\b/)
  ),
  "npm run dev:node -- examples/hono.ts": eachServes(saysHello),
  "npm run serve:node -- examples/hono.ts --workers 2": eachServes(async (served, command) => {
    await saysHello(served, command);
    expect(served.stderr).toMatch(/Worker \d+ \(pid:\d+\) is ready/);
  }),
  "// pool.ts": ({ text }) => {
    const permitted = { ...RUN, deno: `${RUN.deno} --allow-run` };
    for (const kind of ["node", "deno", "bun"] as const) {
      const command = `${permitted[kind]} pool.${kind}.ts`;
      const why = missing(command);
      if (why !== null) test.skip(`${kind}: ${why}`, () => {});
      else {
        test(kind, async () => {
          const port = await freePort();
          writeFileSync(join(PROJECT, `pool.${kind}.ts`), elsewhere(text, port));
          const served = serve(command, PROJECT, port);
          try {
            await saysHello(served, command);
            expect(served.stderr).toMatch(/Worker \d+ \(pid:\d+\) is ready/);
            expect(await served.stop(), served.stderr).toBe(0);
          } finally {
            served.destroy();
          }
        });
      }
    }
  },
  "// tricorn.config.ts": () => {
    const bin = "node_modules/tricorn/adapters/bin.ts";
    const runs = { node: `${NODE} ${bin}`, deno: `deno run --allow-read --allow-env ${bin}`, bun: `bun run ${bin}` };
    for (const command of Object.values(runs)) {
      const why = missing(command);
      if (why !== null) test.skip(`${command}: ${why}`, () => {});
      else {
        test(command, async () => {
          const printed = await run(`${command} serve --print-config`, PROJECT);
          expect(printed).toMatch(/^max_requests +10000 +tricorn\.config\.ts$/m);
        });
      }
    }
  },
  "npm run ctl -- show workers": ({ lines }) => {
    test("each command is obeyed", () =>
      serving("npm run serve:node -- examples/hono.ts --workers 2", ROOT, async (served, command) => {
        await saysHello(served, command);
        // Both, so that none is replaced while it is asked for.
        await eventually(() => served.stderr.match(/is ready$/gm)?.length === 2, () => served.stderr);
        const said: string[] = [];
        for (const line of lines) said.push(await run(line, ROOT));
        const heads = block(WORKERS).lines[0]!.split(/ +/);
        expect(said[0]!.split("\n").map((line) => line.trim().split(/ +/))).toContainEqual(heads);
        expect(said[1]).toContain("reloaded: generation 2 serves\n");
        expect(said[2]).toContain("3 workers from now on");
        expect(said[3]).toMatch(/^generation +2$/m);
      }));
  },
  // The test before looks at its heads.
  [WORKERS]: null,
  "location / {": ({ text }) => {
    const nginx = ["/usr/sbin/nginx", "/usr/bin/nginx"].find((path) => existsSync(path));
    if (nginx === undefined) test.skip("nginx is not here", () => {});
    else test("clears what clients say of themselves", () => behindNginx(nginx, text));
  },
  "npm run serve:node -- examples/hono.ts --forwarded-allow-ips 10.0.0.0/8": eachServes(saysHello),
  "npm run serve:node -- examples/hono.ts --proxy-protocol required --proxy-allow-from 10.0.0.0/8": eachServes(
    async (served) => expect((await served.get("/")).status).toBe(400),
  ),
  "npm run serve:node -- examples/hono.ts --certfile cert.pem --keyfile key.pem": eachServes(async (served) => {
    const answer = await served.get("/", { protocol: "https:", rejectUnauthorized: false });
    expect(answer.text).toBe("Hello, World!");
  }),
  // beforeAll has run it, and the servers above use what it made.
  "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost": null,
  "npm run serve:node -- examples/hono.ts --access-logfile -": eachServes(async (served, command) => {
    await saysHello(served, command);
    const read = (): string => command.includes("access.log") ? file("access.log") : served.stdout;
    await eventually(() => /GET \/|"GET"/.test(read()), read);
    if (command.includes("error.log")) expect(file("error.log")).toBe("");
    if (command.includes("json")) expect(served.stdout).toMatch(/^\{.*"GET".*\}$/m);
  }),
};

function servesTs(block: Block): void {
  for (const line of block.lines) {
    const why = missing(line);
    if (why !== null) test.skip(`${line}: ${why}`, () => {});
    else {
      test(line, async () => {
        const served = serve(line, PROJECT, await portOfServeTs());
        try {
          expect((await served.get("/")).text).toBe("Hello, 127.0.0.1\n");
          expect(await served.stop(), served.stderr).toBe(0);
        } finally {
          served.destroy();
        }
      });
    }
  }
}

/** The port that is free now, which serve.ts has from here on. */
async function portOfServeTs(): Promise<number> {
  const port = await freePort();
  writeFileSync(join(PROJECT, "serve.ts"), elsewhere(block("// serve.ts").text, port));
  return port;
}

function file(name: string): string {
  return existsSync(join(HOME, name)) ? readFileSync(join(HOME, name), "utf8") : "";
}

/** The address and the fields that an application sees behind nginx, of a client that lies about itself. */
async function behindNginx(nginx: string, location: string): Promise<void> {
  writeFileSync(
    join(PROJECT, "seen.ts"),
    `import type { Application } from "tricorn/esgi";
export const application: Application = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return JSON.stringify([environ.REMOTE_ADDR, environ["esgi.url_scheme"], environ.HTTP_HOST, environ["esgi.headers"]]);
};
`,
  );
  const port = await freePort();
  const folder = join(HOME, "nginx");
  mkdirSync(folder);
  writeFileSync(
    join(folder, "nginx.conf"),
    `daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1; events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${port}; PLACE }
}
`,
  );
  await serving(`npm run serve:node -- ${join(PROJECT, "seen.ts")}`, ROOT, async (served) => {
    await served.get("/");
    const conf = join(folder, "nginx.conf");
    writeFileSync(conf, readFileSync(conf, "utf8").replace("PLACE", () => elsewhere(location, served.port)));
    const proxy = spawn(nginx, ["-e", "stderr", "-p", folder, "-c", conf], { stdio: "ignore", detached: true });
    children.add(proxy);
    try {
      const lies = {
        "Forwarded": "for=6.6.6.6;proto=https;host=evil",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Host": "evil",
        "X-Forwarded-Port": "6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Protocol": "ssl",
        "X-Forwarded-Ssl": "on",
        "X-Real-IP": "6.6.6.6",
      };
      const options = { host: "127.0.0.1", port, localAddress: "127.0.0.2", headers: { ...lies, "Host": "us:80" } };
      let seen: unknown[] = [];
      await eventually(async () => {
        const answer = await ask(options).catch(() => null);
        if (answer !== null) seen = JSON.parse(answer.text) as unknown[];
        return answer !== null;
      }, () => "nginx does not answer");
      expect(seen.slice(0, 3)).toEqual(["127.0.0.2", "http", "us:80"]);
      expect(JSON.stringify(seen[3])).not.toMatch(/6\.6\.6\.6|evil|https|ssl/);
    } finally {
      proxy.kill("SIGTERM");
      children.delete(proxy);
    }
  });
}

beforeAll(async () => {
  mkdirSync(join(PROJECT, "node_modules"), { recursive: true });
  symlinkSync(ROOT, join(HOME, "tricorn"));
  writeFileSync(join(PROJECT, "package.json"), '{ "type": "module" }\n');
  await run(`${block("npm install ../tricorn").text.trim()} --offline --ignore-scripts`, PROJECT);
  // What else a project would have from npm.
  linkPackages(PROJECT, ["hono", "express", "@types", "bun-types"]);
  writeFiles(PROJECT, BLOCKS);
  await run(BLOCKS.find(({ text }) => text.startsWith("openssl"))!.text, HOME);
});

afterAll(async () => {
  await endAll();
  rmSync(HOME, { recursive: true, force: true });
});

describe("README.md", () => {
  testBlocks(BLOCKS, TESTS);

  test("the TypeScript is right, as a user's compiler sees it", async () => {
    writeFileSync(join(PROJECT, "untyped.d.ts"), 'declare module "express";\n');
    const files = BLOCKS.filter(({ language }) => language === "ts").map((one) => fileOf(one)[0]);
    expect(await typeCheck(PROJECT, [...files, "untyped.d.ts"])).toBe("");
  });

  test("the table of limits has their defaults, and all of them", () => {
    const rows = [...README.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)].map(([, name, value]) => [name, Number(value)]);
    const wanted = Object.entries(SETTINGS)
      .filter(([, { section }]) => section === "Limits" || section === "Timeouts")
      .map(([name, setting]) => [name, setting.default])
      // No limit on the number of requests is no protection.
      .filter(([name]) => name !== ("keepalive_requests" satisfies SettingName));
    expect(new Map(rows as [string, number][])).toEqual(new Map(wanted as [string, number][]));
  });
});

describe("README.zh-CN.md", () => {
  const chinese = readFileSync(join(ROOT, "README.zh-CN.md"), "utf8");

  test("has the same code blocks, byte for byte", () => {
    expect(blocksOf(chinese)).toEqual(BLOCKS);
  });

  test("has the same structure", () => {
    const shape = (markdown: string): string[] =>
      markdown.replaceAll(/^```.*?^```$/gms, "").split("\n")
        .filter((line) => /^(?:#+ |\| ?`|- )/.test(line))
        .map((line) => /^(?:#+|-|\| ?(?:`[^`]*`(?:, )?)+)/.exec(line)![0]);
    expect(shape(chinese)).toEqual(shape(README));
  });
});
