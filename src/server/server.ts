// The server: listeners, the sessions on them, the clock that they share, and the drain at the end.

import type { Application } from "../esgi/application.ts";
import type { Environ, ErrorStream, TlsInfo } from "../esgi/environ.ts";
import type { ProxyHeader } from "../gateway_protocols/proxy_protocol.ts";
import { RemoteProtocolError } from "../http1/errors.ts";
import { type Limits, RequestParser } from "../http1/parser.ts";
import type { EventBus } from "../observe/events.ts";
import type { Bind, Connection, ConnectionHandler, Listener, ListenOptions, Runtime } from "../runtime/port.ts";
import { forwarded, TrustedPeers } from "./proxy.ts";
import { type Peer, Session } from "./session.ts";

/** What the server needs of the settings; see docs/settings.md for each. Times are seconds, 0 is no limit. */
export interface ServerSettings {
  readonly worker_connections: number;
  readonly limit_request_line: number;
  readonly limit_request_fields: number;
  readonly limit_request_field_size: number;
  readonly limit_request_head: number;
  readonly limit_request_body: number;
  readonly header_timeout: number;
  readonly body_timeout: number;
  readonly keepalive: number;
  readonly keepalive_requests: number;
  readonly write_timeout: number;
  readonly graceful_timeout: number;
  readonly header_map: "drop" | "refuse";
  readonly forwarded_allow_ips: readonly string[];
  readonly forwarded_host: boolean;
  readonly proxy_protocol: "off" | "v1" | "v2" | "auto" | "required";
  readonly proxy_allow_ips: readonly string[];
}

/** Milliseconds between two looks at the clocks; also the most by which a timeout is late. */
const TICK = 250;
/** Parsers kept for the next busy connections. */
const SPARE_PARSERS = 256;

export class Server {
  readonly application: Application;
  readonly runtime: Runtime;
  readonly settings: ServerSettings;
  readonly events: EventBus;
  readonly errors: ErrorStream;
  /** `Date: ...` with its CRLF (RFC 9110 §6.6.1), made anew each second and not for each response. */
  dateLine = "";
  /** True while somebody listens to requests: only then are they timed. */
  measures = false;
  draining = false;
  readonly refuseUnderscores: boolean;

  readonly #listeners = new Set<Listener>();
  readonly #sessions = new Set<Session>();
  readonly #spare: RequestParser[] = [];
  #dirty: Session[] = [];
  readonly #limits: Limits;
  readonly #trusted: TrustedPeers;
  readonly #proxies: TrustedPeers;
  readonly #stopTicking: () => void;
  /** The last connection's own end, as the environ has it: mostly all connections share it, and so its strings. */
  #local = { address: "", port: -1, scheme: "", serverName: "", serverPort: "" };
  /** Milliseconds of the last tick: exact enough for timeouts, and no system call a request. */
  #now = performance.now();
  #second = 0;
  #whenEmpty: (() => void) | null = null;

  constructor(application: Application, runtime: Runtime, settings: ServerSettings, events: EventBus) {
    this.application = application;
    this.runtime = runtime;
    this.settings = settings;
    this.events = events;
    this.errors = {
      write: (text: string): void => events.emit("notice", { level: "error", message: text.replace(/\n$/, "") }),
      flush: (): void => {},
    };
    this.refuseUnderscores = settings.header_map === "refuse";
    this.#limits = {
      requestLine: settings.limit_request_line || Infinity,
      fields: settings.limit_request_fields || Infinity,
      fieldSize: settings.limit_request_field_size || Infinity,
      head: settings.limit_request_head || Infinity,
      body: settings.limit_request_body || Infinity,
    };
    this.#trusted = new TrustedPeers(settings.forwarded_allow_ips.join(","));
    this.#proxies = new TrustedPeers(settings.proxy_allow_ips.join(","));
    this.#tick();
    this.#stopTicking = runtime.every(TICK, () => this.#tick());
  }

  /** Connections now. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Listens on `bind` and serves what connects. */
  async listen(bind: Bind, options: ListenOptions): Promise<Listener> {
    const listener = await this.runtime.listen(bind, options, (connection) => this.accept(connection));
    this.#listeners.add(listener);
    return listener;
  }

  /** Takes a connection; adapters call it through {@link listen}. */
  accept(connection: Connection): ConnectionHandler {
    const session = new Session(this, connection);
    const limit = this.settings.worker_connections;
    this.#sessions.add(session);
    if (limit > 0 && this.#sessions.size > limit) {
      session.refuse(new RemoteProtocolError(503, "too many connections: worker_connections"));
    } else if (this.settings.proxy_protocol !== "off") {
      session.expectProxyHeader(this.settings.proxy_protocol, this.#proxies.has(connection.remote.address));
    }
    return session;
  }

  /**
   * Ends gracefully: no new connections, idle ones closed at once, `Connection: close` with the responses in flight.
   * Resolves when all connections are gone; after `graceful_timeout` seconds those that are left are cut.
   */
  async drain(): Promise<void> {
    this.draining = true;
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    this.#listeners.clear();
    // A turn of the event loop, so that requests which have arrived already are seen before idle connections close.
    await new Promise((resolve) => setTimeout(resolve, 10));
    for (const session of this.#sessions) session.drain();
    if (this.#sessions.size > 0) {
      await new Promise<void>((resolve) => {
        const limit = this.settings.graceful_timeout;
        const timer = limit === 0 ? undefined : setTimeout(() => {
          this.notice("warning", `${this.#sessions.size} connections were cut after graceful_timeout`);
          for (const session of this.#sessions) session.destroy();
          resolve();
        }, limit * 1000);
        this.#whenEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#stopTicking();
  }

  /** Ends at once: listeners and connections. */
  close(): void {
    this.draining = true;
    for (const listener of this.#listeners) void listener.close();
    for (const session of this.#sessions) session.destroy();
    this.#stopTicking();
  }

  // What sessions ask for.

  forget(session: Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#whenEmpty?.();
  }

  /**
   * Writes what `session` has to say once all that has arrived in this turn has been handled. Requests of many
   * connections then run through the same code one after another, and the system calls, which empty the processor's
   * caches, come after them: measured 1.27 x on Node, 1.05 x on Bun.
   */
  flushSoon(session: Session): void {
    if (this.#dirty.push(session) === 1) this.runtime.soon(this.#flushAll);
  }

  readonly #flushAll = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const session of dirty) session.flush();
  };

  takeParser(): RequestParser {
    return this.#spare.pop() ?? new RequestParser(this.#limits, this.runtime.latin1);
  }

  returnParser(parser: RequestParser): void {
    // One that is in the middle of something has nothing to say to another connection.
    if (!parser.idle || this.#spare.length >= SPARE_PARSERS) return;
    parser.keep();
    this.#spare.push(parser);
  }

  /** When `seconds` from now have passed for certain; never, for 0. */
  after(seconds: number): number {
    return seconds === 0 ? Infinity : this.#now + TICK + seconds * 1000;
  }

  afterMilliseconds(milliseconds: number): number {
    return this.#now + TICK + milliseconds;
  }

  notice(level: "debug" | "info" | "warning" | "error", message: string): void {
    this.events.emit("notice", { level, message });
  }

  /** The environ's view of a connection; with a PROXY header, of the one in front of the proxy. */
  describePeer(connection: Connection, header: ProxyHeader | null = null): Peer {
    const remote = header?.source ?? connection.remote;
    const local = header?.destination ?? connection.local;
    const tls: TlsInfo | null = header?.tls ?? connection.tls;
    const scheme = tls === null ? "http" : "https";
    if (local.address !== this.#local.address || local.port !== this.#local.port || scheme !== this.#local.scheme) {
      const known = local.address !== "";
      this.#local = {
        address: local.address,
        port: local.port,
        scheme,
        serverName: !known ? "localhost" : local.address.includes(":") ? `[${local.address}]` : local.address,
        serverPort: known ? String(local.port) : scheme === "https" ? "443" : "80",
      };
    }
    return {
      address: remote.address,
      port: remote.port === 0 ? "" : String(remote.port),
      serverName: this.#local.serverName,
      serverPort: this.#local.serverPort,
      scheme,
      tls,
    };
  }

  /** Puts what a trusted peer tells of its client into `environ`; returns what is wrong with it, or null. */
  applyForwarded(environ: Environ): string | null {
    if (!this.#trusted.has(environ.REMOTE_ADDR)) return null;
    const told = forwarded(environ["esgi.headers"], this.#trusted);
    if ("error" in told) return told.error;
    if (told.scheme !== undefined) environ["esgi.url_scheme"] = told.scheme;
    if (told.address !== undefined) {
      environ.REMOTE_ADDR = told.address;
      environ.REMOTE_PORT = told.port === undefined ? "" : String(told.port);
    }
    const defaultPort = environ["esgi.url_scheme"] === "https" ? 443 : 80;
    if (!this.settings.forwarded_host) return null;
    if (told.host !== undefined) {
      const port = told.hostPort ?? defaultPort;
      environ.HTTP_HOST = port === defaultPort ? told.host : `${told.host}:${port}`;
      environ.SERVER_NAME = told.host;
      environ.SERVER_PORT = String(port);
    } else if (told.hostPort !== undefined) {
      environ.SERVER_PORT = String(told.hostPort);
    }
    return null;
  }

  #tick(): void {
    this.#now = performance.now();
    this.measures = this.events.wants("request");
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
    }
    for (const session of this.#sessions) session.check(this.#now);
  }
}
