// A process for the tests of what runserver needs of the system: does one thing, and says what came of it, a line of JSON
// each, until its standard input ends.

import process from "node:process";
import { createServer } from "node:tls";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { devHost, keepCertificate } from "../../adapters/dev_host.ts";
import { Changes } from "../../src/dev/changes.ts";
import { Ignored } from "../../src/dev/ignored.ts";

const [command, ...words] = process.argv.slice(2) as [string, ...string[]];

const say = (what: unknown): void => console.log(JSON.stringify(what));

const COMMANDS: Readonly<Record<string, () => unknown>> = {
  /** folders, files: as JSON. Each line of standard input is a rescan. */
  async watch() {
    const [folders, files] = words.map((word) => JSON.parse(word) as string[]) as [string[], string[]];
    const ignored = new Ignored(folders, (path) => devHost.readSource(path));
    const changes = new Changes({
      onBatch({ paths }) {
        if (paths.some((path) => ignored.changed(path))) void watch.rescan().then(() => say({ rescanned: watch.size }));
      },
    });
    const watch = await devHost.watch({
      folders,
      files,
      ignored: (path, isFolder) => ignored.has(path, isFolder),
      onEvent: (path) => {
        changes.add(path);
        say({ event: path });
      },
      onProblem: (problem) => say({ problem }),
    });
    process.stdin.setEncoding("utf8").on("data", (line) => {
      if (String(line).includes("close")) {
        watch.close();
        say({ closed: watch.size });
      }
    });
    return { ready: watch.size };
  },

  /** Says each key. "q" ends reading, and "x" the process with an error that nobody catches. */
  keys() {
    const end = devHost.keys((key) => {
      say({ key });
      if (key === "q") {
        end?.();
        say("ended");
      }
      if (key === "x") throw new Error("a bug");
      if (key === "e") process.exit(3);
    });
    process.on("SIGINT", () => say("SIGINT"));
    process.on("SIGTERM", () => process.exit(143));
    setInterval(() => {}, 1000);
    return end === null ? "no terminal" : "reading";
  },

  browser: async () => ({ problem: await devHost.openBrowser(words[0]!) }),

  holder: async () => ({ holder: await devHost.portHolder(Number(words[0])) }),

  source: () => ({ source: devHost.readSource(words[0]!) }),

  /** folder, date: the certificate that is kept there. */
  certificate: () => keepCertificate(words.slice(2), new Date(words[1]!), words[0]!),

  /** Serves TLS with the certificate that DevHost gives. */
  async tls() {
    const { certfile, keyfile, problem } = await devHost.certificate(words);
    const server = createServer({ cert: readFileSync(certfile), key: readFileSync(keyfile) }, (socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.0 200 OK\r\n\r\nhello");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { port: (server.address() as AddressInfo).port, certfile, problem };
  },
};

say(await COMMANDS[command]!());
if (command !== "keys") process.stdin.on("end", () => process.exit(0)).resume();
