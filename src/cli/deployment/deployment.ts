// What the files of `tricorn init` are made of: the project at hand, as `tricorn serve` would serve it. Nothing here reads
// or writes a file; init.ts does.

import { parseBind } from "../../config/bind.ts";
import { ConfigError, quote } from "../../config/error.ts";
import type { SettingName, Settings } from "../../config/settings.ts";
import { type Bind, formatBind } from "../../runtime/port.ts";
import type { Files, Target } from "../templates/template.ts";

/** A path of the site, and the folder whose files are there. Both end with "/". */
export interface Mapping {
  readonly url: string;
  /** Absolute. */
  readonly folder: string;
}

/** The project, and what the flags say of the web server before it. */
export interface Deployment {
  /** Letters in lower case, digits and "-", at most 50: the name of units, upstreams, images and Kubernetes objects. */
  readonly name: string;
  /** Absolute: where `tricorn serve` is started. */
  readonly folder: string;
  readonly settings: Settings;
  /** Who set a setting: "default", or the configuration file. */
  readonly origins: Readonly<Record<SettingName, string>>;
  /** The configuration file as --config names it; null when it is found by itself, or there is none. */
  readonly config: string | null;
  /** `MODULE[:NAME]`. */
  readonly app: string;
  readonly target: Target;
  /** The version of the runtime. */
  readonly version: string;
  /** The absolute path of the runtime, and the words that make `tricorn` of it. */
  readonly command: readonly string[];
  /** The names in the folder. */
  readonly names: ReadonlySet<string>;
  /** Where the web server listens: `PORT` of all addresses, or `HOST:PORT`. */
  readonly listen: string;
  /** The site's host; null when it is not said. */
  readonly serverName: string | null;
  /** Where the site is mounted: "" or a path that starts with "/" and does not end with it. */
  readonly mount: string;
  /** Files that the web server sends by itself. */
  readonly static: Mapping | null;
  /** Files that it sends when the application tells it to (X-Accel-Redirect). */
  readonly protected: Mapping | null;
}

/** One target of `tricorn init`. */
export interface DeploymentTemplate {
  /** In a few words, for the help. */
  readonly title: string;
  /** The folder, below the project's own, where the files belong; "" is the project's. */
  readonly folder: string;
  /** The flags that mean something here, beside those that always do. */
  readonly flags: readonly WebFlag[];
  /** The text of each file. @throws {ConfigError} for what cannot be said in the format. */
  readonly files: (deployment: Deployment) => Files;
  /** What to do with the files, as lines of a shell. `folder` is where they are: a word of the shell that ends with "/", or "". */
  readonly next: (deployment: Deployment, folder: string) => readonly string[];
}

export type WebFlag = "listen" | "server-name" | "mount" | "static" | "protected";

/** The port that Tricorn has in a container. */
export const PORT = 8000;

/** Seconds that a supervisor waits longer than Tricorn itself before it kills it. */
const SPARE = 5;

/** Seconds between the signal to stop and the end of the last request, with some to spare. */
export function stopSeconds({ settings }: Deployment): number {
  // 0 is no limit, which no supervisor has to offer.
  const graceful = settings.graceful_timeout || 600;
  const grace = settings.drain_delay > 0 ? settings.keepalive_grace : 0;
  return Math.ceil(settings.drain_delay + grace + graceful) + SPARE;
}

/** Seconds that the web server waits for the application: more than request_timeout, after which Tricorn answers itself. */
export function silenceSeconds({ settings: { request_timeout, queue_timeout } }: Deployment): number {
  return request_timeout === 0 ? 60 : Math.max(60, Math.ceil(request_timeout + queue_timeout) + SPARE);
}

/** The address by which the web server on this machine reaches Tricorn: a unix socket where there is one. */
export function upstreamOf({ settings, folder }: Deployment): Bind {
  const binds = settings.bind.map(parseBind).filter(({ protocol = settings.protocol }) => protocol === "http");
  // Port 0 is another one at each start.
  const found = binds.find(({ kind }) => kind === "unix") ?? binds.find((bind) => bind.kind === "tcp" && bind.port > 0);
  if (found === undefined) {
    throw new ConfigError(
      `bind: ${quote(settings.bind.join(", "))} is no address to which a web server can speak HTTP; write HOST:PORT ` +
        "or unix:PATH there (docs/gateway-protocols.md has the lines for uwsgi, FastCGI and SCGI)",
    );
  }
  if (found.kind === "unix") return { ...found, path: absolute(found.path, settings.chdir ?? folder) };
  return found.kind === "tcp" ? { ...found, host: reachable(found.host) } : found;
}

/** The address of admin_bind, or null. */
export function adminOf({ settings }: Deployment): string | null {
  if (settings.admin_bind === null) return null;
  const bind = parseBind(settings.admin_bind);
  return bind.kind === "tcp" ? formatBind({ ...bind, host: reachable(bind.host) }) : null;
}

/** An address of this machine in the place of one that means all of them. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

export function absolute(path: string, folder: string): string {
  return path.startsWith("/") ? path : `${folder.replace(/\/$/, "")}/${path.replace(/^\.\//, "")}`;
}

/** Seconds after which the web server gives up an idle connection: before Tricorn does, which would be a race. */
export function upstreamIdleSeconds({ settings: { keepalive } }: Deployment): number {
  return keepalive === 0 ? 60 : Math.max(1, Math.min(60, Math.floor(keepalive - 5)));
}

/** How the configuration is called in comments. */
export function configName({ config }: Deployment): string {
  return config ?? "tricorn.config.ts";
}

/** The flag for a configuration file that is not found by itself. */
export function configWords({ config }: Deployment): readonly string[] {
  return config === null ? [] : ["--config", config];
}

/** `text` with each line behind "# ", at the indentation of the first. */
export function comment(...lines: readonly string[]): string {
  return lines.map((line) => line === "" ? "#" : `# ${line}`).join("\n");
}

/** Lines of a file: arrays are flattened, null and false are left out, and there is one line break at the end. */
export function text(...lines: readonly (string | null | false | readonly (string | null | false)[])[]): string {
  const all = lines.flat().filter((line): line is string => typeof line === "string");
  return `${all.join("\n").replaceAll(/\n{3,}/g, "\n\n").trim()}\n`;
}

/** `lines` two spaces further in; empty ones stay. */
export function indent(lines: string, by: number = 2): string {
  return lines.split("\n").map((line) => line === "" ? "" : " ".repeat(by) + line).join("\n");
}
