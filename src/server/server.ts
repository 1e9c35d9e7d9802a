// The server: listeners, the sessions on them, the clock that they share, and the drain at the end.

import type { Application } from "../esgi/application.ts";
import type { Environ, ErrorStream, TlsInfo } from "../esgi/environ.ts";
import type { ProxyHeader } from "../gateway_protocols/proxy_protocol.ts";
import { RemoteProtocolError } from "../http1/errors.ts";
import { type Limits, RequestParser } from "../http1/parser.ts";
import type { EventBus } from "../observe/events.ts";
import type { LogLevel } from "../observe/log.ts";
import type {
  Bind,
  Connection,
  ConnectionHandler,
  GatewayName,
  Listener,
  ListenOptions,
  Runtime,
} from "../runtime/port.ts";
import { cgiProtocol, GatewayProtocols } from "./gateway_protocol.ts";
import { forwarded, TrustedPeers } from "./proxy.ts";
import type { Exchange, RequestInFlight } from "./gateway.ts";
import { Http } from "./protocol.ts";
import { type Peer, Session } from "./session.ts";

/** What the server needs of the settings; see docs/settings.md for each. Times are seconds, 0 is no limit. */
export interface ServerSettings {
  readonly worker_connections: number;
  readonly limit_concurrency: number;
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
  readonly request_timeout: number;
  readonly queue_timeout: number;
  readonly graceful_timeout: number;
  readonly header_map: "drop" | "refuse";
  readonly forwarded_allow_ips: readonly string[];
  readonly forwarded_host: boolean;
  readonly proxy_protocol: "off" | "v1" | "v2" | "auto" | "required";
  readonly proxy_allow_ips: readonly string[];
  readonly uwsgi_allow_ips: readonly string[];
}

/** Milliseconds between two looks at the clocks; also the most by which a timeout is late. */
const TICK = 250;
/** Parsers kept for the next busy connections. */
const SPARE_PARSERS = 256;
/** Milliseconds between two lines that say the same: that there are no descriptors left. */
const REMIND = 10_000;
/** Connections beyond worker_connections that may take a descriptor each until their client has read that they are. */
const SURPLUS = 64;
/** Milliseconds more for the oldest of them when there is one too many: of a burst, Deno has accepted all before it writes. */
const WRITTEN = 100;
const EXHAUSTED = "Too many open files: nobody can connect until some are closed; raise the limit (ulimit -n, " +
  "LimitNOFILE=), or find out what keeps them open: ls -l /proc/PID/fd";

/** Milliseconds for what has arrived before a drain to be read: turns of the event loop, on a busy machine, too. */
const TURN = 50;
/** Milliseconds for the first request of who has connected before a drain that has a grace: nobody connects to be silent. */
const NEWCOMER = 1000;
/** Turns of the event loop in which what has arrived before the end of a grace is read, however late its timer is told. */
const LAST_TURNS = 5;

const PLAINTEXT = "no TLS handshake where TLS is spoken: plain HTTP, perhaps (RFC 8446 §4)";

/** Notes which requests run, where another thread can read it when the event loop stands still. */
export interface Recorder {
  /** The application is about to be called; returns what `end` is told. */
  begin(method: string, target: string): number;
  /** The exchange is over. */
  end(slot: number): void;
}

export class Server {
  readonly application: Application;
  readonly runtime: Runtime;
  readonly settings: ServerSettings;
  readonly events: EventBus;
  readonly errors: ErrorStream;
  /** `tricorn.log` of the environ: a line of the error log with a level, which `esgi.errors` has not. */
  readonly log: (level: LogLevel, text: string) => void;
  /** `Date: ...` with its CRLF (RFC 9110 §6.6.1), made anew each second and not for each response. */
  dateLine = "";
  /** True while somebody listens to requests: only then are they timed. */
  measures = false;
  /** No new connections, and `Connection: close` with every response. */
  draining = false;
  /** The grace of a drain is over: a connection without a request is closed. */
  closesIdle = false;
  /** Connections that are still to be closed by {@link shed}. */
  shedding = 0;
  /** What applications are told by `esgi.multiprocess`: that other workers run beside this one. */
  multiprocess = false;
  /** What applications are told by `esgi.run_once`: that this process serves one request. */
  runOnce = false;
  /** Told of each request while it runs. */
  recorder: Recorder | null = null;
  /** After so many requests `onRetire` is called, once; 0: never. */
  retireAfter = 0;
  onRetire: (() => void) | null = null;
  readonly refuseUnderscores: boolean;
  /** Called when there are descriptors again, after there were none, or too many connections for a moment. */
  onRelief: (() => void) | null = null;

  readonly #listeners = new Set<Listener>();
  /** A listener speaks, or spoke, TLS. */
  #secure = false;
  readonly #sessions = new Set<Session>();
  /** Those of them that are told 503, since there are worker_connections beside them; the oldest first. */
  readonly #surplus = new Set<Session>();
  readonly #spare: RequestParser[] = [];
  #dirty: Session[] = [];
  /** Requests that wait for their turn, the first come first. At most one a connection, so worker_connections bounds it. */
  readonly #queue = new Set<Session>();
  /** True while requests that have waited are called, each of which may end at once and make room for the next. */
  #advancing = false;
  readonly #concurrency: number;
  #inFlight = 0;
  #requests = 0;
  #announces = false;
  readonly #limits: Limits;
  readonly #trusted: TrustedPeers;
  readonly #proxies: TrustedPeers;
  /** Who may speak uwsgi, FastCGI and SCGI. */
  readonly #gateways: TrustedPeers;
  readonly #http: Http = new Http(this);
  readonly #gatewayProtocolsByName = new Map<GatewayName, GatewayProtocols>();
  readonly #stopTicking: () => void;
  /** The last connection's own end, as the environ has it: mostly all connections share it, and so its strings. */
  #local = { address: "", port: -1, scheme: "", serverName: "", serverPort: "" };
  /** Milliseconds of the last tick: exact enough for timeouts, and no system call a request. */
  #now = performance.now();
  #second = 0;
  /** There were no descriptors left, perhaps only for a moment; and when that was said last. */
  #strained = false;
  #remindedAt = -Infinity;
  /** Connections had to make room for others since the last look. */
  #cutting = false;
  /** Who waits for the end of a drain. */
  readonly #drains: (() => void)[] = [];
  #cut: ReturnType<typeof setTimeout> | undefined;
  #newcomers: ReturnType<typeof setTimeout> | undefined;

  constructor(application: Application, runtime: Runtime, settings: ServerSettings, events: EventBus) {
    this.application = application;
    this.runtime = runtime;
    this.settings = settings;
    this.events = events;
    this.log = (level, text) => events.emit("notice", { level, message: text.replace(/\n$/, "") });
    this.errors = {
      write: (text: string): void => this.log("error", text),
      flush: (): void => {},
    };
    this.#concurrency = settings.limit_concurrency || Infinity;
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
    this.#gateways = new TrustedPeers(settings.uwsgi_allow_ips.join(","));
    this.#tick();
    this.#stopTicking = runtime.every(TICK, () => this.#tick());
  }

  /** Connections now. */
  get connections(): number {
    return this.#sessions.size;
  }

  /**
   * Requests whose application runs, by the client's clock: until the response is complete, the client has left, or the
   * server has answered instead. An upgraded connection has none: it may last for days, and is a connection only.
   */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that wait for their turn (limit_concurrency). */
  get queued(): number {
    return this.#queue.size;
  }

  /** Calls of the application since the start. */
  get requests(): number {
    return this.#requests;
  }

  /** At most `limit` of the requests in flight, the oldest first. */
  oldest(limit: number): readonly RequestInFlight[] {
    const running: Exchange[] = [];
    for (const { running: exchange } of this.#sessions) if (exchange !== null) running.push(exchange);
    const now = performance.now();
    return running.sort((a, b) => a.startedAt - b.startedAt).slice(0, limit).map((exchange) => exchange.describe(now));
  }

  /** Listens on `bind` and serves what connects. */
  async listen(bind: Bind, options: ListenOptions): Promise<Listener> {
    const listener = await this.runtime.listen(
      bind,
      // It would not understand an answer.
      { ...options, onPlaintext: (remote) => this.events.emit("refused", { status: 0, reason: PLAINTEXT, remote }) },
      (connection) => this.accept(connection, bind.protocol),
    );
    this.#listeners.add(listener);
    if (options.tls !== undefined) this.#secure = true;
    // Told to end while it was being made.
    if (this.draining) await this.hold();
    return listener;
  }

  /** Takes a connection; adapters call it through {@link listen}. */
  accept(connection: Connection, gateway?: GatewayName): ConnectionHandler {
    const limit = this.settings.worker_connections;
    const protocol = gateway === undefined ? this.#http : this.#gatewayProtocols(gateway).open();
    const session = new Session(this, connection, protocol);
    this.#sessions.add(session);
    if (gateway !== undefined && !this.#gateways.has(connection.remote.address)) {
      session.turnAway(`${gateway} from a peer that is not in uwsgi_allow_ips`);
    } else if (limit > 0 && this.#sessions.size - this.#surplus.size > limit) {
      this.#refuseSurplus(session);
    } else if (gateway === undefined && this.settings.proxy_protocol !== "off") {
      session.expectProxyHeader(this.settings.proxy_protocol, this.#proxies.has(connection.remote.address));
    }
    return session;
  }

  #refuseSurplus(session: Session): void {
    if (this.#surplus.size === SURPLUS) {
      // Its answer had the most time to be read.
      const [oldest] = this.#surplus;
      this.#surplus.delete(oldest!);
      setTimeout(() => oldest!.destroy(), WRITTEN);
      this.#cutting = true;
    }
    this.#surplus.add(session);
    session.refuse(new RemoteProtocolError(503, "too many connections: worker_connections"));
  }

  #gatewayProtocols(name: GatewayName): GatewayProtocols {
    let protocols = this.#gatewayProtocolsByName.get(name);
    if (protocols === undefined) {
      protocols = new GatewayProtocols(name, this.runtime, this.#limits, this.settings.worker_connections);
      this.#gatewayProtocolsByName.set(name, protocols);
    }
    return protocols;
  }

  /**
   * Serves the one request of a CGI program, which begins with the first call of `receive`, be it of no bytes.
   *
   * @param environment what the web server has started the process with, one character a byte
   */
  acceptCgi(
    connection: Connection,
    environment: readonly (readonly [name: string, value: string])[],
  ): ConnectionHandler {
    const session = new Session(this, connection, cgiProtocol(environment, this.runtime, this.#limits));
    this.#sessions.add(session);
    return session;
  }

  /** Closes the listeners; connections and their next requests are served as before. {@link listen} may follow. */
  async hold(): Promise<void> {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    await Promise.all(listeners.map((listener) => listener.close()));
  }

  /**
   * Makes room for other workers: says `Connection: close` with the next responses whose connections could have lived
   * on, until `count` have been told. A count that was told before is replaced.
   */
  shed(count: number): void {
    this.shedding = count;
  }

  /**
   * Ends gracefully: no new connections, and `Connection: close` with every response. Connections that are idle, or have
   * not sent anything yet, are closed after `grace` seconds (default 0): until then one more request is served, so that
   * none is lost that was on its way; with a grace, those that have asked nothing yet have a second at least. From then
   * on `graceful_timeout` counts, after which those that are left are cut. Resolves when all connections are gone, with
   * TLS not before the grace is over. Called again, the grace that ends first counts. `onClosed` is called when nobody can
   * connect any more.
   */
  async drain(
    { grace = 0, onClosed }: { readonly grace?: number; readonly onClosed?: () => void } = {},
  ): Promise<void> {
    this.draining = true;
    await this.hold();
    onClosed?.();
    const wait = TURN + grace * 1000;
    const timer = setTimeout(() => this.#endGrace(grace > 0 ? Math.max(0, NEWCOMER - wait) : 0), wait);
    // So that connections and requests that have arrived already are known; a runtime tells of one with TLS only when
    // hands have been shaken.
    await new Promise((resolve) => setTimeout(resolve, this.#secure ? wait : TURN));
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => this.#drains.push(resolve));
    clearTimeout(timer);
    this.#stopTicking();
  }

  /** @param more milliseconds that connections without any request have besides */
  async #endGrace(more: number): Promise<void> {
    for (let turn = 0; turn < LAST_TURNS; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    const again = this.closesIdle;
    this.closesIdle = true;
    for (const session of this.#sessions) if (more === 0 || session.asked) session.drain();
    if (again || this.#sessions.size === 0) return;
    if (more > 0) this.#newcomers = setTimeout(() => this.#sessions.forEach((session) => session.drain()), more);
    const limit = this.settings.graceful_timeout;
    if (limit === 0) return;
    this.#cut = setTimeout(() => {
      this.notice("warning", `${this.#sessions.size} connections were cut after graceful_timeout`);
      for (const session of this.#sessions) session.destroy();
      this.#drained();
    }, limit * 1000);
  }

  #drained(): void {
    clearTimeout(this.#cut);
    clearTimeout(this.#newcomers);
    for (const resolve of this.#drains.splice(0)) resolve();
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
    this.#surplus.delete(session);
    if (this.#sessions.size === 0) this.#drained();
  }

  /** May one more application run now? Else its request waits behind those that came before. */
  admits(): boolean {
    return this.#inFlight < this.#concurrency && this.#queue.size === 0;
  }

  enqueue(session: Session): void {
    this.#queue.add(session);
  }

  /** True when the request of `session` was waiting for its turn; it is no more. */
  unqueue(session: Session): boolean {
    return this.#queue.delete(session);
  }

  /** The application is called for `exchange` next. */
  began(exchange: Exchange): void {
    exchange.running = true;
    this.#inFlight++;
    this.#requests++;
    if (this.#announces) this.events.emit("begin", { environ: exchange.environ });
    if (this.retireAfter > 0 && this.#requests >= this.retireAfter) {
      this.retireAfter = 0;
      this.onRetire?.();
    }
    if (this.recorder !== null) {
      const { REQUEST_METHOD: method, "esgi.target": target } = exchange.environ;
      exchange.slot = this.recorder.begin(method, target);
    }
  }

  /**
   * `exchange` is over for its client, and its place is free. The application may still run, when its client has left or
   * its time was up: to wait for one that never ends would turn away everybody else with 503.
   */
  over(exchange: Exchange): void {
    exchange.running = false;
    this.#inFlight--;
    if (exchange.slot >= 0) this.recorder?.end(exchange.slot);
    if (this.#queue.size > 0) this.#advance();
  }

  /** Calls the application for requests that have waited. A loop, since a chain of calls could become too deep. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    while (this.#inFlight < this.#concurrency) {
      const next = this.#queue.values().next();
      if (next.done === true) break;
      this.#queue.delete(next.value);
      next.value.proceed();
    }
    this.#advancing = false;
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

  /** Milliseconds of the last tick. */
  get now(): number {
    return this.#now;
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
    this.#announces = this.events.wants("begin");
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
      if (this.#listeners.size > 0) this.#lookForDescriptors();
    }
    for (const session of this.#sessions) session.check(this.#now);
  }

  /** Tells the operator, to whom all runtimes are silent about it. */
  #lookForDescriptors(): void {
    const exhausted = this.runtime.outOfDescriptors();
    if (exhausted && this.#now - this.#remindedAt >= REMIND) {
      this.#remindedAt = this.#now;
      this.notice("error", EXHAUSTED);
    }
    const before = this.#strained;
    this.#strained = exhausted || this.#cutting;
    this.#cutting = false;
    if (before && !this.#strained) this.onRelief?.();
  }
}
