// `tricorn help [COMMAND]`, `tricorn --help`.

import { ConfigError, quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";
import { ctlHelp } from "./ctl.ts";
import type { Context } from "./run.ts";
import { serveHelp } from "./serve.ts";

const HELP = `Usage: tricorn COMMAND

  serve MODULE[:NAME] [flags]  serve an application
  runserver [MODULE] [addrport]
                               serve it while it is being developed
  check [flags]                look for mistakes in the settings of a Handler
  ctl COMMAND                  ask or tell a running server that has workers
  cgi MODULE[:NAME]            answer one request, as a web server's CGI program
  new DIR [--template NAME]    make a project
  init TARGET [flags]          write the files of a deployment: nginx, systemd, docker, ...
  help [COMMAND]               show this, or the help of a command
  --version                    show the version

"tricorn serve --help" lists the flags, "tricorn ctl --help" the commands of ctl.
`;

export async function help(words: readonly string[], { host }: Context): Promise<void> {
  const [command] = words;
  if (command === undefined || command === "help") return host.stdout(HELP);
  if (command === "serve") return host.stdout(serveHelp());
  if (command === "ctl") return host.stdout(ctlHelp());
  if (command === "check") return host.stdout((await import("./check.ts")).checkHelp());
  if (command === "runserver") return host.stdout((await import("./runserver_terminal.ts")).runserverHelp());
  if (command === "cgi") return host.stdout((await import("./cgi.ts")).cgiHelp());
  if (command === "new") return host.stdout((await import("./new.ts")).newHelp());
  if (command === "init") return host.stdout((await import("./init.ts")).initHelp());
  throw new ConfigError(
    `help: unknown command ${quote(command)}${
      didYouMean(command, ["serve", "runserver", "check", "ctl", "cgi", "new", "init"]) || '; see "tricorn help"'
    }`,
  );
}
