// What `tricorn runserver` says: its help, its banner, one line for what happens, and why an address cannot be had.

import type { ListenError } from "../runtime/port.ts";
import { escapeLine } from "../observe/text.ts";
import type { DevHost, Watch } from "./dev_host.ts";
import type { CommandHost } from "./host.ts";
import { explainListenError } from "./listen.ts";
import type { Command, Project } from "./project.ts";
import type { Context } from "./run.ts";
import { VERSION } from "./version.ts";

/** The text of `tricorn runserver --help`. */
export function runserverHelp(): string {
  return `Usage: tricorn runserver [MODULE[:NAME]] [addrport] [flags]

Serves an application while it is being developed: starts again when a file changes, refreshes the
pages in browsers, and shows what went wrong. Not for production, which is "tricorn serve".

  MODULE    a file (./app.ts, app.js, app) or a package's name, as for "tricorn serve". When it is
            not given: app of tricorn.config.ts, the site whose settings TRICORN_SETTINGS_MODULE
            names, or application, app, main, server or index (.ts, .js, .mjs) here or in src
  addrport  8000, 127.0.0.1:8000, [::1]:8000, localhost:8000; 0:8000 is 0.0.0.0, the port 0 a free
            one. Default: 127.0.0.1:8000, or the port in PORT

Flags:
  -6, --ipv6         listen on ::1 where only a port is given
      --settings MODULE[:NAME]
                     serve the site with these settings (handler)
      --https        with a certificate made on the spot
      --open         open the browser
      --nothreading  one request at a time
      --noreload     one process, which serves the code as it is now; for debuggers
      --norefresh    pages do not refresh by themselves
      --nostatic     the handler's static files are not served
      --skip-checks  no system checks before the start
      --no-color     no colours; nor with NO_COLOR, nor where it is no terminal
  -c, --config PATH  the configuration file; when not given, tricorn.config.ts, .js, .mjs or .json
  -h, --help         show this

What counts as a change: files here but for those in .gitignore, .env, the configuration file, and
reload_extra_files of the configuration. TRICORN_EDITOR names the editor for links in pages.
Exit codes: 0 stopped, 1 cannot listen or a check has found errors, 2 wrong usage, 3 there is no
such module; with --noreload also 3 it does not load, 4 it has no application.
`;
}

/** Colours by what a text is about (ECMA-48 SGR). */
const COLOURS = { strong: "1", quiet: "2", bad: "31", good: "32", address: "36" } as const;

/** Standard error, as a person reads it. */
export class Terminal {
  /** Colours are wanted. */
  readonly colour: boolean;
  readonly #host: CommandHost;

  constructor({ flags }: Command, host: CommandHost) {
    this.colour = host.isTty && !host.env.NO_COLOR && !flags["no-color"];
    this.#host = host;
  }

  say(text: string): void {
    this.#host.stderr(`${text}\n`);
  }

  warn(text: string): void {
    this.say(this.paint("bad", text));
  }

  clear(): void {
    if (this.#host.isTty) this.#host.stderr("\x1b[2J\x1b[3J\x1b[H");
  }

  /** Opens a browser at `url`, or says why it cannot. */
  async open(url: string, dev: DevHost): Promise<void> {
    const problem = await dev.openBrowser(this.reachable(url));
    if (problem !== null) this.warn(`Cannot open a browser: ${problem}`);
  }

  paint(colour: keyof typeof COLOURS, text: string): string {
    return this.colour ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
  }

  /** Where a browser of this machine reaches `url`: an address that means all addresses is none to go to. */
  reachable(url: string): string {
    return `${url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")}/`;
  }

  banner(
    { runtime, host }: Context,
    { app, settingsModule }: Pick<Project, "app" | "settingsModule">,
    url: string,
    watch: Watch | null,
  ): void {
    const everywhere = this.reachable(url) === `${url}/` ? "" : "  (on all addresses of this machine)";
    const serves = app ?? `the site of ${settingsModule}`;
    const lines = [
      `${this.paint("strong", `tricorn ${VERSION}`)} development server on ${runtime.name} ${runtime.version}`,
      `  Serving   ${escapeLine(serves)}`,
      `  At        ${this.paint("address", this.reachable(url))}${everywhere}`,
      ...(watch === null
        ? ["  Watching  nothing (--noreload)"]
        : [`  Watching  ${host.startDirectory} (${watch.size} ${watch.size === 1 ? "folder" : "folders"})`]),
      this.paint("quiet", 'Not for production: that is "tricorn serve". Quit with Ctrl-C.'),
    ];
    this.say(lines.join("\n"));
  }
}

/** One line: the address, what is wrong with it, who has it where the system tells, and what to do. */
export async function explainDevListenError(error: ListenError, dev: DevHost): Promise<string> {
  const { bind, fault } = error;
  if (bind.kind !== "tcp") return explainListenError(error);
  switch (fault) {
    case "EADDRINUSE": {
      const holder = await dev.portHolder(bind.port);
      const who = holder === null ? "another program has it" : `${holder.command} has it (pid ${holder.pid})`;
      return `port ${bind.port} is taken, ${who}; stop that, or take another: tricorn runserver ${nextPort(bind.port)}`;
    }
    case "EACCES":
      return bind.port > 0 && bind.port < 1024
        ? `port ${bind.port} needs a privilege, as all below 1024 do; take another: tricorn runserver ${
          bind.port + 8000
        }`
        : explainListenError(error);
    case "EADDRNOTAVAIL":
      return `${bind.host} is no address of this machine; tricorn runserver 0:${bind.port} listens on all that are`;
    case "ENOTFOUND":
      return `there is no host ${JSON.stringify(bind.host)}; write an address of this machine, or only the port`;
    default:
      return explainListenError(error);
  }
}

function nextPort(port: number): number {
  return port < 65_535 ? port + 1 : 8000;
}
