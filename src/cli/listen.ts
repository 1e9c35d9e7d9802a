// What to listen with, and what to say about addresses: URLs, and why one cannot be had.

import { parseBind } from "../config/bind.ts";
import { ConfigError, quote } from "../config/error.ts";
import type { Settings } from "../config/settings.ts";
import { type Bind, ListenError, type ListenFault, type ListenOptions, type Runtime } from "../runtime/port.ts";
import { attempt } from "./attempt.ts";
import type { CommandHost } from "./host.ts";

/** An address cannot be listened on; the command exits with 1. */
export class BindError extends Error {
  override readonly name = "BindError";
}

/**
 * The queue's length and the certificates, read from their files.
 *
 * @throws {ConfigError} when one cannot be read, or they do not belong together.
 */
export function readListenOptions(settings: Settings, host: CommandHost): ListenOptions {
  const { backlog, certfile, keyfile, ca_certs, cert_reqs } = settings;
  if (certfile === null || keyfile === null) return { backlog };
  const read = (name: string, path: string): string => {
    const text = attempt(`${name}: cannot read ${quote(path)}`, () => host.readText(path));
    if (!text.includes("-----BEGIN ")) {
      throw new ConfigError(`${name}: ${quote(path)} is not in PEM; it has no line "-----BEGIN ..."`);
    }
    return text;
  };
  const cert = read("certfile", certfile);
  const key = read("keyfile", keyfile);
  // Node and Bun would say so when they listen, node:tls on Deno to each client in the handshake.
  const wrong = host.certificateProblem(cert, key);
  if (wrong !== null) {
    throw new ConfigError(`${wrong.setting}: ${quote(settings[wrong.setting] ?? "")} ${wrong.problem}`);
  }
  return {
    backlog,
    tls: {
      cert,
      key,
      ...(ca_certs === null ? {} : { ca: read("ca_certs", ca_certs) }),
      requestClientCert: cert_reqs === 2,
    },
  };
}

/**
 * Whether the runtime can do what the settings ask of it for the sockets.
 *
 * @throws {BindError}
 */
export function checkReusePort({ bind, reuse_port }: Settings, runtime: Runtime): void {
  if (!reuse_port) return;
  try {
    for (const one of bind.map(parseBind)) if (one.kind === "tcp") runtime.checkReusePort(one);
  } catch (error) {
    throw error instanceof ListenError ? new BindError(explainListenError(error)) : error;
  }
}

/** One line: the address, what is wrong with it, and what to do. */
export function explainListenError({ bind, fault, message }: ListenError): string {
  return `${message}; ${remedy(bind, fault)}`;
}

function remedy(bind: Bind, fault: ListenFault): string {
  if (fault === "ENOTSUP") return "leave reuse_port (--reuse-port) out";
  if (bind.kind === "fd") return "--bind fd://N needs the number of a listening socket that was inherited";
  if (bind.kind === "unix") {
    if (fault === "EADDRINUSE") return "remove what is there, or choose another path with --bind";
    if (fault === "EACCES") {
      return "choose a directory that can be written with --bind (Deno: --allow-read, --allow-write)";
    }
    return "choose another path with --bind";
  }
  switch (fault) {
    case "EADDRINUSE":
      return "stop what listens there, or choose another port with --bind";
    case "EACCES":
      return bind.port > 0 && bind.port < 1024
        ? "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE): grant it, or choose another port with --bind"
        : "choose another address with --bind (Deno: allow this one with --allow-net)";
    case "EADDRNOTAVAIL":
      return `--bind 0.0.0.0:${bind.port} listens on all addresses of this machine`;
    default:
      return "choose another address with --bind";
  }
}
