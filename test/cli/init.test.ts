// `tricorn init`: what it takes, what it refuses, and that it never overwrites without asking. That the files work is in test/deployment.

import { posix } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { DevHost } from "../../src/cli/dev_host.ts";
import { main } from "../../src/cli/main.ts";
import { fakeContext, FakeHost, FakeRuntime } from "./fake.ts";
import { FakeControl } from "./fake_control.ts";

let host: FakeHost;
let control: FakeControl;
/** The terminal's; null when there is none. */
let keys: DevHost["keys"];
let runtime: { name: string; version: string };

const command = async (...words: string[]): Promise<void> => {
  host.argv = words;
  const dev = () => Promise.resolve({ keys } as DevHost);
  await main({ ...fakeContext(host, Object.assign(new FakeRuntime(), runtime)), control, dev });
};
const init = (...words: string[]): Promise<void> => command("init", ...words);
const file = (path: string): string => control.files.get(`/srv/shop/${path}`) ?? "";
const config = (settings: Record<string, unknown>): void => {
  host.files.set("/srv/shop/tricorn.config.json", JSON.stringify(settings));
};

beforeEach(() => {
  host = new FakeHost();
  host.cwd = host.startDirectory = "/srv/shop";
  host.resolve = (path) => posix.resolve("/srv/shop", path);
  control = new FakeControl();
  keys = () => null;
  control.files.set("/srv/shop/package.json", '{ "name": "shop" }');
  runtime = { name: "node", version: "24.1.0" };
  config({ app: "./app.ts" });
});

describe("files", () => {
  test.each([
    ["nginx", ["deploy/shop.nginx.conf"]],
    ["apache", ["deploy/shop.apache.conf"]],
    ["systemd", ["deploy/shop.service", "deploy/shop.socket"]],
    ["docker", ["Dockerfile", ".dockerignore", "compose.yaml", "deploy/compose.nginx.conf"]],
    ["kubernetes", ["deploy/kubernetes.yaml"]],
  ])("of %s", async (target, paths) => {
    await init(target);
    expect([host.err, host.exits]).toEqual(["", [0]]);
    for (const path of paths) {
      expect(host.out).toContain(`\n  ${path}\n`);
      expect(file(path), path).toMatch(/^\S[^]*[^\n]\n$/);
      expect(file(path), path).not.toMatch(/undefined|\{\{|[ \t]\n|\n\n\n/);
      if (path !== ".dockerignore" && path !== "Dockerfile") expect(file(path), path).toContain("#");
    }
    expect([...control.files.keys()].length).toBe(1 + paths.length);
  });

  test("with --output they are there, and with --stdout nowhere", async () => {
    await init("docker", "--output", "../else");
    expect(control.files.has("/srv/else/deploy/compose.nginx.conf")).toBe(true);
    expect(host.out).toContain("\n  ../else/Dockerfile\n");
    expect(host.out).toContain(
      "\n  cp -R ../else/. .   # they are read where package.json is\n  docker build -t shop .\n",
    );
    await init("nginx", "--output", "my files");
    expect(host.out).toContain("\n  sudo cp 'my files/'shop.nginx.conf /etc/nginx/conf.d/shop.conf\n");
    const before = control.files.size;
    host.out = "";
    await init("nginx", "--stdout");
    expect(host.out).toMatch(/^# shop behind nginx/);
    host.out = "";
    await init("systemd", "--stdout");
    expect(host.out).toMatch(/^==> shop\.service <==\n# shop, [^]*\n\n==> shop\.socket <==\n# /);
    expect(control.files.size).toBe(before);
  });

  test("one that is there is not overwritten where nobody can be asked: it is named, nothing is written, and how to compare is said", async () => {
    control.files.set("/srv/shop/deploy/shop.socket", "mine\n");
    await init("systemd");
    expect(host.exits).toEqual([2]);
    expect(host.err).toMatch(
      /^tricorn: init: "deploy\/shop\.socket" is there already, with other content; nothing was written\. To compare: /,
    );
    expect([file("deploy/shop.socket"), file("deploy/shop.service")]).toEqual(["mine\n", ""]);
    control.files.set("/srv/shop/deploy/shop.nginx.conf", "mine\n");
    host.err = "";
    await init("nginx");
    expect(host.err).toContain("tricorn init nginx --stdout | diff -u deploy/shop.nginx.conf -");
  });

  test.each([["y", "new"], ["Y", "new"], ["n", "mine"], ["\r", "mine"], ["\x04", "mine"], ["SIGINT", "mine"]])(
    "in a terminal it is asked whether to overwrite; %j leaves what is %s",
    async (key, left) => {
      control.files.set("/srv/shop/deploy/shop.socket", "mine\n");
      host.stdoutIsTty = true;
      let reading = false;
      keys = (onKey) => {
        reading = true;
        queueMicrotask(() => key === "SIGINT" ? host.signal(key) : onKey(key));
        return () => void (reading = false);
      };
      await init("systemd");
      expect(host.out).toMatch(
        /^"deploy\/shop\.socket" is there already, with other content\. To compare: [^\n]+\n\nOverwrite it\? \[y\/N\] (?:yes|no)\n/,
      );
      expect(reading).toBe(false);
      const yes = left === "new";
      expect(file("deploy/shop.socket") === "mine\n").toBe(!yes);
      expect(file("deploy/shop.service") === "").toBe(!yes);
      expect(host.err).toBe(yes ? "" : "tricorn: init: nothing was written\n");
      expect(host.exits).toEqual([yes ? 0 : 2]);
    },
  );

  test("with a terminal for its output alone, it is not asked", async () => {
    control.files.set("/srv/shop/deploy/shop.nginx.conf", "mine\n");
    host.stdoutIsTty = true;
    await init("nginx");
    expect([host.out, file("deploy/shop.nginx.conf")]).toEqual(["", "mine\n"]);
    expect(host.err).toMatch(/is there already, with other content; nothing was written\. To compare: /);
    expect(host.exits).toEqual([2]);
  });

  test("one that is there with the same content is left as it is, and the others are written", async () => {
    await init("docker");
    control.files.delete("/srv/shop/compose.yaml");
    host.out = "";
    await init("docker");
    expect(host.exits).toEqual([0, 0]);
    expect(host.out).toMatch(/^Wrote:\n\n {2}Dockerfile \(there already, the same\)\n[^]*\n {2}compose\.yaml\n/);
    host.out = "";
    await init("docker");
    expect(host.out).toMatch(/^There is nothing to write:\n/);
  });

  test.each(["node", "deno", "bun"])("a project of tricorn new has its Dockerfile already, on %s", async (name) => {
    runtime = { name, version: "1.2.3" };
    host.files.delete("/srv/shop/tricorn.config.json");
    control.files.clear();
    await command("new", "../shop");
    const dockerfile = file("Dockerfile");
    host.modules.set("/srv/shop/tricorn.config.ts", { default: { app: "./application.ts" } });
    host.out = "";
    await init("docker");
    expect(host.err).toBe("");
    expect(host.out).toContain("  Dockerfile (there already, the same)\n  .dockerignore (there already, the same)\n");
    expect(file("Dockerfile")).toBe(dockerfile);
  });

  test("what cannot be written is said, with what was before", async () => {
    control.fault = new Error("EACCES: permission denied");
    await init("systemd");
    expect(host.err).toBe(
      'tricorn: init: cannot write "deploy/shop.service": Error: EACCES: permission denied; nothing was written\n',
    );
    expect(host.exits).toEqual([1]);
  });
});

describe("the project", () => {
  test.each([
    ['{ "name": "@acme/My_Shop.2" }', "my-shop-2"],
    ['{ "name": "---" }', "site"],
    ["{ broken", "shop"],
    ["{}", "shop"],
    [`{ "name": "${"x".repeat(80)}" }`, "x".repeat(50)],
    ['{ "name": "2-cafés" }', "cafes"],
  ])("%s is called %s", async (text, name) => {
    control.files.set("/srv/shop/package.json", text);
    await init("kubernetes");
    expect(file("deploy/kubernetes.yaml")).toContain(`\n  name: ${name}\n`);
  });

  test.each([
    [{}, "server 127.0.0.1:8000 "],
    [{ bind: ":9000" }, "server 127.0.0.1:9000 "],
    [{ bind: "[::]:9000" }, "server [::1]:9000 "],
    [{ bind: ["10.0.0.1:1", "unix:run/sock"] }, "server unix:/srv/shop/run/sock "],
    [{ bind: ["uwsgi://unix:/run/uwsgi", ":9000"] }, "server 127.0.0.1:9000 "],
    [{ bind: "unix:sock", chdir: "/var/shop" }, "server unix:/var/shop/sock "],
  ])("nginx reaches %j", async (settings, text) => {
    config({ app: "./app.ts", ...settings });
    await init("nginx");
    expect(file("deploy/shop.nginx.conf")).toContain(text);
  });

  test.each([[{}, 60], [{ request_timeout: 20 }, 60], [{ request_timeout: 90, queue_timeout: 2.5 }, 98]])(
    "the web server waits longer than Tricorn: %j",
    async (settings, seconds) => {
      config({ app: "./app.ts", ...settings });
      await init("nginx");
      await init("apache");
      expect(file("deploy/shop.nginx.conf")).toContain(`    proxy_read_timeout ${seconds}s;\n`);
      expect(file("deploy/shop.apache.conf")).toContain(` timeout=${seconds} `);
    },
  );

  test("the environment of this machine does not count", async () => {
    host.env = { PORT: "1234", WEB_CONCURRENCY: "7", FORWARDED_ALLOW_IPS: "*" };
    await init("nginx");
    expect(file("deploy/shop.nginx.conf")).toContain("server 127.0.0.1:8000 ");
  });

  test("the service runs the command as it was started, from a clone or installed", async () => {
    host.modules.set("/srv/shop/node_modules/.bin/tricorn", {});
    await init("systemd");
    expect(file("deploy/shop.service")).toContain(
      "\nExecStart=/usr/bin/node /srv/shop/node_modules/.bin/tricorn serve --workers auto --control-socket /run/shop/ctl\n",
    );
    Object.assign(host, { program: () => ({ runtime: "/opt/a b/node", script: "/opt/100%/adapters/bin.ts" }) });
    host.modules.clear();
    control.files.clear();
    await init("systemd", "--config", "tricorn.config.json");
    expect(file("deploy/shop.service")).toContain(
      '\nExecStart="/opt/a b/node" --import /opt/100%%/adapters/strip_types.js /opt/100%%/adapters/bin.ts serve ' +
        "--config tricorn.config.json --workers auto ",
    );
  });

  test.each([["node", 1000], ["deno", 1993], ["bun", 1000]])(
    "a container's user is the image's, and it speaks HTTP, whatever the configuration says: %s",
    async (name, uid) => {
      runtime = { name, version: "1.2.3" };
      config({ app: "./app.ts", user: "www-data", group: "www-data", protocol: "uwsgi" });
      await init("docker");
      await init("kubernetes");
      const words = `"--protocol", "http", "--workers", "auto", "--user", "${uid}", "--group", "${uid}"`;
      expect(file("Dockerfile")).toContain(words);
      expect(file("deploy/kubernetes.yaml")).toContain(words);
    },
  );

  test("the application is named where the configuration has none", async () => {
    config({});
    await init("nginx");
    await init("docker");
    expect(host.err).toMatch(/^tricorn: init: the application is missing; add it \("tricorn init docker app\.ts"\)/);
    await init("systemd", "app.ts:api");
    expect(file("deploy/shop.service")).toContain(" serve app.ts:api --workers auto ");
  });

  test("the settings of a Handler say which files nginx sends", async () => {
    host.modules.set("./settings.ts", { settings: { STATIC_URL: "/static/", STATIC_ROOT: "/srv/shop/public" } });
    await init("nginx", "--settings", "./settings.ts", "--stdout");
    expect(host.out).toContain("  location /static/ {\n    alias /srv/shop/public/;\n");
    host.modules.set("./cdn.ts", { settings: { STATIC_URL: "https://cdn.example/", STATIC_ROOT: "/srv/shop/public" } });
    host.env = { TRICORN_SETTINGS_MODULE: "./cdn.ts" };
    host.out = "";
    await init("nginx", "--stdout");
    expect(host.out).not.toContain("    alias /srv");
    host.modules.set("./debug.ts", { settings: { DEBUG: true, STATIC_URL: "/static/" } });
    await init("nginx", "--settings", "./debug.ts", "--stdout");
    expect(host.err).toMatch(/^tricorn: init: --settings: "\.\/debug\.ts" has no STATIC_ROOT, /);
    expect(host.exits.at(-1)).toBe(2);
  });
});

describe("wrong usage", () => {
  test.each([
    [[], "the target is missing; write one of nginx, apache, systemd, docker, kubernetes"],
    [["ngnix"], 'there is no target "ngnix"; did you mean "nginx"?'],
    [["caddy"], 'there is no target "caddy"; there are nginx, apache'],
    [["nginx", "a.ts", "b.ts"], '"b.ts" is one word too many'],
    [["nginx", "--stdot"], 'unknown flag "--stdot"; did you mean'],
    [["nginx", "--stdout", "--output", "x"], "--stdout and --output: choose one of them"],
    [["systemd", "--mount", "/shop"], "--mount means nothing for systemd; leave it out"],
    [["apache", "--protected", "/a/=b"], "--protected means nothing for apache"],
    [["nginx", "--listen", "80000"], '--listen: "80000" is no port'],
    [["nginx", "--listen", "80; evil"], '--listen: "80; evil" is no port'],
    [["nginx", "--server-name", "a;b"], '--server-name: "a;b" is no host name'],
    [["nginx", "--mount", "shop"], '--mount: "shop" is no path'],
    [["nginx", "--mount", "/../x"], '--mount: "/../x" is no path'],
    [["nginx", "--static", "static"], '--static: "static" is no path and folder'],
    [["nginx", "--static", "/=."], '--static: "/=." is no path and folder'],
    [["nginx", "--static", "/s/=/a$b"], 'nginx\'s configuration cannot have "/a$b/"'],
    [["apache", "--static", "/s/=/a${b}"], "Apache's configuration cannot have"],
    [["nginx", "--config", "none.json"], '--config: there is no file "none.json"'],
  ])("%j", async (words, message) => {
    await init(...words);
    expect(host.err).toContain(message);
    expect(host.err.split("\n")).toHaveLength(2);
    expect(host.exits[0]).toBe(2);
    expect(control.files.size).toBe(1);
  });

  test("docker without a package.json: the image would have no Tricorn", async () => {
    control.files.clear();
    await init("docker");
    expect(host.err).toContain("docker: there is no package.json");
  });

  test.each([[{ bind: "fd://3" }], [{ bind: ":0" }], [{ bind: "fastcgi://:9000" }], [{
    bind: "fd://3",
    protocol: "uwsgi",
  }]])(
    "%j: nobody can speak HTTP to these",
    async (settings) => {
      config({ app: "./app.ts", ...settings });
      await init("nginx");
      expect(host.err).toContain(`bind: "${settings.bind}" is no address to which a web server can speak HTTP`);
    },
  );

  test("a configuration that is wrong", async () => {
    config({ ap: "./app.ts" });
    await init("nginx");
    expect(host.err).toBe('tricorn: tricorn.config.json: unknown setting "ap"; did you mean "app"?\n');
  });
});

test("the help names each target, and tricorn help knows it", async () => {
  await init("--help");
  const { out } = host;
  for (const target of ["nginx", "apache", "systemd", "docker", "kubernetes"]) expect(out).toContain(`\n  ${target} `);
  host.out = "";
  await command("help", "init");
  expect(host.out).toBe(out);
  host.out = "";
  await command("help");
  expect(host.out).toContain("\n  init TARGET [flags] ");
});
