// What orchestrators ask: `/livez` (does the process work?) and `/readyz` (shall it get requests?), on an address of their
// own, served by the same server as everything else. And the time between "not ready" and the end of accepting, in which
// a load balancer takes notice.

import { resolveSettings, type Settings } from "../config/settings.ts";
import type { Application } from "../esgi/application.ts";
import { EventBus } from "../observe/events.ts";
import { type Bind, ListenError, type Runtime, urlOf } from "../runtime/port.ts";
import { Server } from "../server/server.ts";
import { BindError } from "./listen.ts";

export interface AdminStatus {
  /** The process works, and restarting it would not help. */
  readonly live: boolean;
  /** New requests are welcome. */
  readonly ready: boolean;
  /** Why not; "" when it is both. */
  readonly reason: string;
}

/** The ESGI application behind `admin_bind`: GET and HEAD of /livez and /readyz are 200, or 503 with the reason. */
export function adminApplication(status: () => AdminStatus): Application {
  return (environ, startResponse) => {
    const { PATH_INFO: path, REQUEST_METHOD: method } = environ;
    const answer = (code: string, text: string, headers: readonly (readonly [string, string])[] = []): string => {
      // A probe's answer is true for this moment only.
      startResponse(code, [["Content-Type", "text/plain; charset=utf-8"], ["Cache-Control", "no-store"], ...headers]);
      return `${text}\n`;
    };
    if (path !== "/livez" && path !== "/readyz") return answer("404 Not Found", "there are /livez and /readyz");
    if (method !== "GET" && method !== "HEAD") {
      return answer("405 Method Not Allowed", "GET and HEAD only", [["Allow", "GET, HEAD"]]);
    }
    const { live, ready, reason } = status();
    // Who is given up is not ready either.
    if (path === "/livez" ? live : live && ready) return answer("200 OK", "ok");
    return answer("503 Service Unavailable", reason);
  };
}

/** Probes are small, quick and few; whoever is not is no probe. */
const SETTINGS: Settings = resolveSettings({
  worker_connections: 100,
  limit_request_head: 16_384,
  limit_request_body: 16_384,
  header_timeout: 10,
  body_timeout: 10,
  write_timeout: 10,
  forwarded_allow_ips: [],
});

export interface Admin {
  /** Where it listens, with the port that the system gave. */
  readonly url: string;
  /** Ends it at once; close it last, so that it answers while everything else drains. */
  close(): void;
}

/**
 * Serves {@link adminApplication} on `bind`. Probes are neither logged nor counted.
 *
 * @throws {BindError} when the address cannot be had.
 */
export async function startAdmin(runtime: Runtime, bind: Bind, status: () => AdminStatus): Promise<Admin> {
  // A bus of its own: requests here are none of the access log's or the hooks' business.
  const server = new Server(adminApplication(status), runtime, SETTINGS, new EventBus());
  try {
    const listener = await server.listen(bind, { backlog: 64 });
    return { url: urlOf(listener.bind, false), close: () => server.close() };
  } catch (error) {
    server.close();
    if (!(error instanceof ListenError)) throw error;
    throw new BindError(`admin_bind: ${error.message}; choose another address with --admin-bind`);
  }
}

/** The readiness of a process that serves by itself: what its `/readyz` says, and drain_delay. */
export class Readiness {
  #reason = "starting";
  #skip: () => void = () => {};

  /** For {@link startAdmin}. */
  status(): AdminStatus {
    return { live: true, ready: this.#reason === "", reason: this.#reason };
  }

  /** It listens. */
  serving(): void {
    this.#reason = "";
  }

  /** Not ready from now on. Resolves after `delay` seconds, or when {@link skip} is called: time to drain. */
  async leave(delay: number): Promise<void> {
    this.#reason = "stopping";
    if (delay === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delay * 1000);
      this.#skip = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Waits no longer. */
  skip(): void {
    this.#skip();
  }
}
