// Every setting, declared once: the types Settings and Options, the flags and their help, the environment variables, the
// configuration file's schema and docs/settings.md all come from this table. A setting keeps the name, flag and meaning it
// has in Gunicorn; where Tricorn differs, the doc says so. Nothing here reads files or starts anything.

import type { Bind } from "../runtime/port.ts";
import { networkProblem } from "./address.ts";
import { integer, parseBind } from "./bind.ts";
import { ConfigError, quote } from "./error.ts";
import { absence } from "./gunicorn.ts";
import type { Hook, Hooks } from "./hooks.ts";
import { didYouMean } from "./nearest.ts";

/** How a setting's value looks, as text and in a program. */
export type SettingType =
  /** A whole number. */
  | "integer"
  /** Seconds; decimals are allowed. */
  | "seconds"
  | "boolean"
  | "text"
  /** One of `choices`. */
  | "choice"
  /** A number of processes, or `auto`. */
  | "workers"
  /** Permissions, in octal with a leading 0: `0o660` or `0660`. */
  | "octal"
  /** An address to listen on. */
  | "bind"
  /** Addresses to listen on: a flag for each. */
  | "binds"
  /** `KEY=VALUE`: a flag for each. */
  | "pairs"
  /** Files: a flag for each. */
  | "paths"
  /** IP addresses, CIDR networks, or `*`; separated by commas in text. */
  | "networks"
  /** A function, or null: see hooks.ts. */
  | "hook";

export type SettingValue = string | number | boolean | null | readonly string[] | Hook;

export interface Setting {
  readonly section:
    | "Configuration"
    | "Listening"
    | "Workers"
    | "Limits"
    | "Timeouts"
    | "TLS"
    | "Proxies"
    | "Logging"
    | "Process"
    | "Application"
    | "Hooks";
  readonly type: SettingType;
  /** Of `type`, or null: then the value is optional. */
  readonly default: SettingValue;
  /** The flags that set it; a boolean's flag sets the opposite of its default. */
  readonly flags: readonly string[];
  /** The value's name in the help. */
  readonly meta?: string;
  readonly unit?: "bytes" | "megabytes" | "seconds" | "connections" | "requests" | "fields";
  readonly min?: number;
  readonly choices?: readonly (string | number)[];
  /** What the flag means when no value follows it. */
  readonly bare?: string;
  readonly env?: string;
  /** What is put before the variable's text to make a value of it. */
  readonly envPrefix?: string;
  /** It means nothing without a master: when it is given and not off, `workers` must not be 0. */
  readonly needsWorkers?: boolean;
  /** It can be given nowhere else: in the configuration file, or to `serve()`. */
  readonly only?: "file" | "serve()";
  /** One paragraph of Markdown; white space is folded. */
  readonly doc: string;
}

// Not exported as it stands: its literal types are what Settings is made of, and readers want `Setting`.
const TABLE = {
  bind: {
    section: "Listening",
    type: "binds",
    default: ["127.0.0.1:8000"],
    flags: ["-b", "--bind"],
    meta: "ADDRESS",
    env: "PORT",
    envPrefix: "0.0.0.0:",
    doc: `An address to listen on; may be given more than once. \`HOST:PORT\`, \`[IPV6]:PORT\`, \`:PORT\` (all IPv4
      addresses), \`HOST\` (port 8000), \`PORT\` alone (on 127.0.0.1), \`unix:PATH\`, or \`fd://N\` for a listening socket
      that was inherited; with \`uwsgi://\`, \`fastcgi://\` or \`scgi://\` before it where \`protocol\` is not what is
      spoken there. Port 0 lets the system choose. When it is not given and \`PORT\` is set, \`0.0.0.0:$PORT\`.`,
  },
  protocol: {
    section: "Listening",
    type: "choice",
    default: "http",
    flags: ["--protocol"],
    choices: ["http", "uwsgi", "fastcgi", "scgi"],
    doc:
      `What is spoken on the addresses of \`bind\` that do not say it themselves (\`uwsgi://127.0.0.1:3031\`). With all but
      \`http\` the peer is a web server that tells of its client itself, and must be in \`uwsgi_allow_ips\`; see
      docs/gateway-protocols.md. Gunicorn has \`http\` and \`uwsgi\`.`,
  },
  backlog: {
    section: "Listening",
    type: "integer",
    default: 2048,
    flags: ["--backlog"],
    unit: "connections",
    min: 1,
    doc: `How many connections may wait to be accepted. The system may lower it (\`net.core.somaxconn\`); a runtime that
      does not let it be set uses its own.`,
  },
  unix_socket_mode: {
    section: "Listening",
    type: "octal",
    default: null,
    flags: ["--unix-socket-mode"],
    meta: "MODE",
    doc: `The permissions of unix sockets, in octal: \`0o660\`. When it is not given, the umask decides, as in
      Gunicorn.`,
  },
  workers: {
    section: "Workers",
    type: "workers",
    default: 0,
    flags: ["-w", "--workers"],
    meta: "{N,auto}",
    env: "WEB_CONCURRENCY",
    doc:
      `How many worker processes serve; 0: this process serves alone, without a master; \`auto\`: one for each core that the
      machine or its cgroup gives. With 1 or more, a master owns the sockets, and the workers accept on them. Puma has
      such a single mode too; Gunicorn's default of 1 is a master and one worker.`,
  },
  max_requests: {
    section: "Workers",
    type: "integer",
    default: 0,
    flags: ["--max-requests"],
    unit: "requests",
    needsWorkers: true,
    doc: `After how many requests a worker is replaced; the replacement is ready before it retires. 0: never.`,
  },
  max_requests_jitter: {
    section: "Workers",
    type: "integer",
    default: 0,
    flags: ["--max-requests-jitter"],
    unit: "requests",
    needsWorkers: true,
    doc: `By how many requests at most \`max_requests\` differs from worker to worker, so that they do not all retire at
      once.`,
  },
  max_worker_lifetime: {
    section: "Workers",
    type: "seconds",
    default: 0,
    flags: ["--max-worker-lifetime"],
    unit: "seconds",
    needsWorkers: true,
    doc: `After which age a worker is replaced. Gunicorn has nothing like it, uWSGI has. 0: never.`,
  },
  max_worker_memory: {
    section: "Workers",
    type: "integer",
    default: 0,
    flags: ["--max-worker-memory"],
    unit: "megabytes",
    needsWorkers: true,
    doc:
      `With how much resident memory a worker is replaced. Gunicorn has nothing like it; uWSGI's is \`reload-on-rss\`. 0:
      never.`,
  },
  timeout: {
    section: "Workers",
    type: "seconds",
    default: 30,
    flags: ["-t", "--timeout"],
    unit: "seconds",
    needsWorkers: true,
    doc:
      `How long a worker's event loop may stand still. Then its stack and its requests are logged, and it is killed and
      replaced. It is no limit of a request that waits: that is \`request_timeout\`. 0: no limit.`,
  },
  boot_timeout: {
    section: "Workers",
    type: "seconds",
    default: 60,
    flags: ["--boot-timeout"],
    unit: "seconds",
    needsWorkers: true,
    doc: `How long a worker may take until it is ready to serve. After that it is killed, and the start has failed. In
      Gunicorn \`timeout\` counts here too. 0: no limit.`,
  },
  max_restarts: {
    section: "Workers",
    type: "integer",
    default: 10,
    flags: ["--max-restarts"],
    needsWorkers: true,
    doc:
      `How many workers in a row may fail while they start or soon after, with a longer and longer pause between them,
      before the master gives up and exits with 5. Gunicorn never gives up. 0: nor does Tricorn.`,
  },
  keepalive_grace: {
    section: "Workers",
    type: "seconds",
    default: 5,
    flags: ["--keepalive-grace"],
    unit: "seconds",
    doc:
      `How long the idle connections of a worker that is being replaced, or those that are left after \`drain_delay\`, may
      still send a request, which is answered with \`Connection: close\`. After that they are closed. 0: at once.`,
  },
  reuse_port: {
    section: "Workers",
    type: "boolean",
    default: false,
    flags: ["--reuse-port"],
    needsWorkers: true,
    doc: `Each worker makes its own socket with SO_REUSEPORT, and the kernel spreads the connections evenly. The cost: a
      connection that waits in a worker's queue when the worker ends is reset, so reloads and stops may lose some.`,
  },
  touch_reload: {
    section: "Workers",
    type: "text",
    default: null,
    flags: ["--touch-reload"],
    meta: "PATH",
    needsWorkers: true,
    doc: `A file that is watched: a reload begins when it is touched. The name is uWSGI's; Gunicorn has nothing like
      it.`,
  },
  drain_delay: {
    section: "Workers",
    type: "seconds",
    default: 0,
    flags: ["--drain-delay"],
    unit: "seconds",
    doc:
      `How long it goes on accepting after a signal to stop, while \`/readyz\` of \`admin_bind\` already answers 503, so that
      a load balancer can leave it out first. After it, idle connections have \`keepalive_grace\` for one more request. 0: no
      delay, and a stop closes idle connections at once.`,
  },
  admin_bind: {
    section: "Workers",
    type: "bind",
    default: null,
    flags: ["--admin-bind"],
    meta: "ADDRESS",
    doc:
      `A separate address that answers \`GET /livez\` and \`GET /readyz\`: 200, or 503 while it is not ready. Written as
      \`bind\`. Never open it to the world. Gunicorn has nothing like it.`,
  },
  worker_connections: {
    section: "Limits",
    type: "integer",
    default: 10_000,
    flags: ["--worker-connections"],
    unit: "connections",
    doc:
      `How many connections may be open at once. One more is answered with 503 and closed. Gunicorn's default is 1000; a
      connection costs less here. 0: no limit. Fewer are accepted where the limit of open files (\`ulimit -n\`) is lower.`,
  },
  limit_concurrency: {
    section: "Limits",
    type: "integer",
    default: 0,
    flags: ["--limit-concurrency"],
    unit: "requests",
    doc: `How many requests may run at once in a worker, or in the one process. More wait for their turn, for
      \`queue_timeout\`. Gunicorn has no such limit. 0: no limit.`,
  },
  limit_request_line: {
    section: "Limits",
    type: "integer",
    default: 8190,
    flags: ["--limit-request-line"],
    unit: "bytes",
    doc:
      `The longest request line, without its CRLF. A longer one is answered with 414. Gunicorn's default is 4094, and it
      allows no more than 8190. 0: no limit but \`limit_request_head\`.`,
  },
  limit_request_fields: {
    section: "Limits",
    type: "integer",
    default: 100,
    flags: ["--limit-request-fields"],
    unit: "fields",
    doc:
      `How many header fields a request may have. More are answered with 431. 0: no limit but \`limit_request_head\`.`,
  },
  limit_request_field_size: {
    section: "Limits",
    type: "integer",
    default: 8190,
    // The underscore is Gunicorn's spelling.
    flags: ["--limit-request-field-size", "--limit-request-field_size"],
    unit: "bytes",
    doc: `The longest header field: name, colon and value. A longer one is answered with 431. 0: no limit but
      \`limit_request_head\`.`,
  },
  limit_request_head: {
    section: "Limits",
    type: "integer",
    default: 65_536,
    flags: ["--limit-request-head"],
    unit: "bytes",
    doc:
      `The longest head of a request: request line and all fields, with their line ends. A longer one is answered with
      431, or with 414 when its request line alone is longer. Gunicorn has no such limit. 0: no limit, which lets a client
      fill the memory.`,
  },
  limit_request_body: {
    section: "Limits",
    type: "integer",
    default: 1_073_741_824,
    flags: ["--limit-request-body"],
    unit: "bytes",
    doc:
      `The longest body of a request, after chunked coding is taken away. A longer one is answered with 413. Gunicorn has
      no such limit. 0: no limit.`,
  },
  keepalive_requests: {
    section: "Limits",
    type: "integer",
    default: 0,
    flags: ["--keepalive-requests"],
    unit: "requests",
    doc: `How many requests a connection may carry; the last one is answered with \`Connection: close\`. 0: no limit.`,
  },
  header_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 30,
    flags: ["--header-timeout"],
    unit: "seconds",
    doc: `How long a request's head may take: from the opening of the connection, or from the first byte of a later
      request, to the empty line. A slower one is answered with 408. 0: no limit.`,
  },
  body_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 30,
    flags: ["--body-timeout"],
    unit: "seconds",
    doc: `How long an application waits for the next byte of a body. After that the request is answered with 408. 0: no
      limit.`,
  },
  keepalive: {
    section: "Timeouts",
    type: "seconds",
    default: 65,
    flags: ["--keep-alive"],
    unit: "seconds",
    doc: `How long a connection is kept that has no request. Longer than the 60 seconds that common load balancers keep
      theirs, so that it is never this side that closes while a request is on its way. Gunicorn's default is 2. 0: no
      limit.`,
  },
  write_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 60,
    flags: ["--write-timeout"],
    unit: "seconds",
    doc: `How long a client may read nothing while a response waits. After that the connection is closed. 0: no limit.`,
  },
  request_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 0,
    flags: ["--request-timeout"],
    unit: "seconds",
    doc:
      `How long an application may take until its response begins; once it has begun, it may take any time. A slower one
      gets 504 and its \`esgi.signal\` is aborted; the process serves on. Gunicorn has no such limit. 0: no limit.`,
  },
  queue_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 5,
    flags: ["--queue-timeout"],
    unit: "seconds",
    doc: `How long a request may wait for its turn under \`limit_concurrency\`. After that it is answered with 503 and
      \`Retry-After\`. 0: no limit.`,
  },
  graceful_timeout: {
    section: "Timeouts",
    type: "seconds",
    default: 30,
    flags: ["--graceful-timeout"],
    unit: "seconds",
    doc: `How long requests may take to finish after a signal to stop. Then their connections are closed. 0: no limit.`,
  },
  certfile: {
    section: "TLS",
    type: "text",
    default: null,
    flags: ["--certfile"],
    meta: "PATH",
    doc: `The server's certificate and its chain, in PEM. With it, every address speaks TLS. Needs \`keyfile\`.`,
  },
  keyfile: {
    section: "TLS",
    type: "text",
    default: null,
    flags: ["--keyfile"],
    meta: "PATH",
    doc: `The certificate's private key, in PEM.`,
  },
  ca_certs: {
    section: "TLS",
    type: "text",
    default: null,
    flags: ["--ca-certs"],
    meta: "PATH",
    doc: `The certificate authorities that sign clients' certificates, in PEM.`,
  },
  cert_reqs: {
    section: "TLS",
    type: "choice",
    default: 0,
    flags: ["--cert-reqs"],
    choices: [0, 2],
    doc:
      `Whether clients must show a certificate: 0 no, 2 yes, one that \`ca_certs\` signed. Gunicorn's 1 (a certificate is
      optional) is not offered.`,
  },
  forwarded_allow_ips: {
    section: "Proxies",
    type: "networks",
    default: ["127.0.0.1", "::1"],
    flags: ["--forwarded-allow-ips"],
    env: "FORWARDED_ALLOW_IPS",
    doc:
      `The peers whose \`Forwarded\` and \`X-Forwarded-*\` fields are believed: IP addresses and CIDR networks, separated
      by commas, or \`*\` for all (only when nothing but the proxy can reach the port). Peers on a unix socket are always
      believed. Empty: none.`,
  },
  forwarded_host: {
    section: "Proxies",
    type: "boolean",
    default: false,
    flags: ["--forwarded-host"],
    doc: `Whether a believed peer's word on the host (\`X-Forwarded-Host\`, \`X-Forwarded-Port\`, \`host=\` of
      \`Forwarded\`) replaces the \`Host\` field. Off, because a proxy that does not set these fields passes its
      client's own on: turn it on only where yours sets or removes them all. Gunicorn has nothing like it.`,
  },
  proxy_protocol: {
    section: "Proxies",
    type: "choice",
    default: "off",
    flags: ["--proxy-protocol"],
    choices: ["off", "v1", "v2", "auto", "required"],
    bare: "auto",
    doc: `Whether connections may start with a PROXY protocol header: \`off\`, version \`v1\` only, \`v2\` only, either
      (\`auto\`, also what the flag alone means), or \`required\`. With \`v1\`, \`v2\` and \`auto\` a connection without the
      header is served as what it is, as in Gunicorn, so that health checks can skip it; with \`required\` a header of either
      version must be there, or the connection is closed.`,
  },
  proxy_allow_ips: {
    section: "Proxies",
    type: "networks",
    default: ["127.0.0.1", "::1"],
    flags: ["--proxy-allow-from"],
    doc:
      `The peers that may send a PROXY protocol header: IP addresses and CIDR networks, separated by commas, or \`*\` for
      all. The header of another peer is refused. Peers on a unix socket may always.`,
  },
  uwsgi_allow_ips: {
    section: "Proxies",
    type: "networks",
    default: ["127.0.0.1", "::1"],
    flags: ["--uwsgi-allow-from"],
    doc:
      `The web servers that may speak uwsgi, and FastCGI and SCGI too: IP addresses and CIDR networks, separated by commas,
      or \`*\` for all. Whoever may can say who its client is. Others are closed without an answer. Peers on a unix socket
      always may. Empty: none.`,
  },
  header_map: {
    section: "Proxies",
    type: "choice",
    default: "drop",
    flags: ["--header-map"],
    choices: ["drop", "refuse"],
    doc: `What happens to request fields with \`_\` in their names, which could pass for others in the environ: \`drop\`
      leaves them out of it (\`esgi.headers\` keeps them), \`refuse\` answers 400. Gunicorn's \`dangerous\` is not offered.`,
  },
  accesslog: {
    section: "Logging",
    type: "text",
    default: null,
    flags: ["--access-logfile"],
    meta: "PATH",
    doc: `The file that gets a line for each request, or \`-\` for standard output. Off when not given.`,
  },
  access_log_format: {
    section: "Logging",
    type: "text",
    default: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
    flags: ["--access-logformat", "--access-log-format"],
    meta: "FORMAT",
    doc:
      `The access log's line: Gunicorn's atoms \`h l u t r m U q H s B b f a T M D L p\`, \`{name}i\` (request field),
      \`{name}o\` (response field) and \`{name}e\` (environ), each as \`%(atom)s\`; what is missing is \`-\`. Or the word
      \`json\`: an object on each line.`,
  },
  errorlog: {
    section: "Logging",
    type: "text",
    default: "-",
    flags: ["--error-logfile", "--log-file"],
    meta: "PATH",
    doc: `The file that gets the server's own messages and the faults of the application, or \`-\` for standard error.`,
  },
  loglevel: {
    section: "Logging",
    type: "choice",
    default: "info",
    flags: ["--log-level"],
    choices: ["debug", "info", "warning", "error", "critical"],
    doc: `The least important message that is logged.`,
  },
  pidfile: {
    section: "Process",
    type: "text",
    default: null,
    flags: ["-p", "--pid"],
    meta: "PATH",
    doc: `The file that holds the process id of the master, or of the one process. A file of a process that lives is an
      error.`,
  },
  daemon: {
    section: "Process",
    type: "boolean",
    default: false,
    flags: ["-D", "--daemon"],
    doc:
      `Goes to the background. The command waits until the server serves, or prints why it cannot and has its exit code.
      The server's standard streams are /dev/null then, so give \`errorlog\` a file. Leave it out under a supervisor
      (systemd, Docker).`,
  },
  user: {
    section: "Process",
    type: "text",
    default: null,
    flags: ["-u", "--user"],
    meta: "USER",
    needsWorkers: true,
    doc: `The user, by name (in /etc/passwd) or number, that the workers run as; only root can change to another. The
      master stays what it is. Deno needs \`--allow-sys\`, and has to be started without further groups
      (\`setpriv --clear-groups\`), which it cannot leave.`,
  },
  group: {
    section: "Process",
    type: "text",
    default: null,
    flags: ["-g", "--group"],
    meta: "GROUP",
    needsWorkers: true,
    doc:
      `The group, by name (in /etc/group) or number, that the workers run as. When it is not given, the user's own; in
      Gunicorn it stays the master's.`,
  },
  initgroups: {
    section: "Process",
    type: "boolean",
    default: false,
    flags: ["--initgroups"],
    needsWorkers: true,
    doc: `The workers are in all groups of \`user\`, not in \`group\` alone. Needs \`user\`. Deno cannot.`,
  },
  umask: {
    section: "Process",
    type: "octal",
    default: null,
    flags: ["-m", "--umask"],
    meta: "MASK",
    doc: `The permissions that files and unix sockets are made without, in octal: \`0o027\`. When it is not given, it is
      inherited; Gunicorn's default is 0.`,
  },
  raw_env: {
    section: "Process",
    type: "pairs",
    default: [],
    flags: ["-e", "--env"],
    meta: "KEY=VALUE",
    doc: `A variable of the environment; may be given more than once. \`KEY=VALUE\`.`,
  },
  proc_name: {
    section: "Process",
    type: "text",
    default: null,
    flags: ["-n", "--name"],
    meta: "NAME",
    doc:
      `The name of the process in \`ps\` and \`top\`: \`tricorn: master [NAME]\`. When it is not given, the command line is
      left alone. Bun has no way to set it; Node cuts it to the length of the command line.`,
  },
  control_socket: {
    section: "Process",
    type: "text",
    default: null,
    flags: ["--control-socket"],
    meta: "PATH",
    needsWorkers: true,
    doc: `The unix socket that \`tricorn ctl\` speaks to. When it is not given, \`$XDG_RUNTIME_DIR/tricorn.ctl\`, or
      \`~/.tricorn/tricorn.ctl\` without that variable.`,
  },
  control_socket_mode: {
    section: "Process",
    type: "octal",
    default: 0o600,
    flags: ["--control-socket-mode"],
    meta: "MODE",
    needsWorkers: true,
    doc: `The permissions of the control socket, in octal.`,
  },
  control_socket_disable: {
    section: "Process",
    type: "boolean",
    default: false,
    flags: ["--no-control-socket"],
    needsWorkers: true,
    doc: `No control socket is made.`,
  },
  app: {
    section: "Application",
    type: "text",
    default: null,
    flags: [],
    meta: "MODULE[:NAME]",
    only: "file",
    doc: `What to serve, \`MODULE[:NAME]\`, when the command line does not say. Gunicorn's \`wsgi_app\`.`,
  },
  chdir: {
    section: "Application",
    type: "text",
    default: null,
    flags: ["--chdir"],
    meta: "PATH",
    doc: `The directory to change to before the application is loaded; the paths of other settings start there too.`,
  },
  reload_extra_files: {
    section: "Application",
    type: "paths",
    default: [],
    flags: ["--reload-extra-file"],
    meta: "PATH",
    doc:
      `A file that \`tricorn runserver\` watches beside the project's own; may be given more than once. \`serve\` watches
      none: see \`touch_reload\`.`,
  },
  factory: {
    section: "Application",
    type: "boolean",
    default: false,
    flags: ["--factory"],
    doc: `The export is a function that makes the application: it is called once, without arguments, and may be async.`,
  },
  override_globals: {
    section: "Application",
    type: "boolean",
    default: true,
    flags: ["--no-override-globals"],
    doc:
      `On Node, \`Request\` and \`Response\` are replaced by lighter ones while a fetch application is served; that is
      where much of its speed comes from. False leaves Node's own. Other runtimes keep theirs anyway.`,
  },
  handle_signals: {
    section: "Application",
    type: "boolean",
    default: true,
    flags: [],
    only: "serve()",
    doc:
      `Whether \`serve()\` answers the process's signals (SIGINT and SIGTERM finish what runs and exit with 0) and logs
      uncaught errors instead of letting them end the process. False leaves both to the caller.`,
  },
  on_starting: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(server)\`, in the master, before anything else.`,
  },
  on_reload: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(server)\`, in the master, when a reload begins, with the new settings.`,
  },
  when_ready: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(server)\`, in the master, when the sockets are open, before workers are.`,
  },
  pre_fork: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(server, worker)\`, in the master, before a worker is started.`,
  },
  post_fork: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(worker)\`, in a worker that has just been started, before the application is loaded.`,
  },
  post_worker_init: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    doc: `\`(worker)\`, in the worker, when the application is loaded, before it accepts.`,
  },
  worker_int: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    doc: `\`(worker)\`, in the worker, at SIGINT or SIGQUIT.`,
  },
  worker_abort: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(worker)\`, in the worker, at SIGABRT.`,
  },
  worker_exit: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    doc: `\`(worker)\`, in the worker, when it ends. Gunicorn passes the server first.`,
  },
  pre_exec: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(server)\`, in the master, at SIGUSR2, before the new master is started.`,
  },
  pre_request: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    doc: `\`(worker, environ)\`, in the worker, before the application is called. It is not waited for.`,
  },
  post_request: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    doc:
      `\`(worker, environ, response)\`, in the worker, when a request has ended. \`response\` has \`status\`, \`headers\`, \`bytes\`,
      \`duration\` (milliseconds) and \`aborted\`. It is not waited for.`,
  },
  child_exit: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(server, worker)\`, in the master, when a worker has ended.`,
  },
  nworkers_changed: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc:
      `\`(server, now, before)\`, in the master, when the number of workers that are wanted changes. \`before\` is null the first
      time.`,
  },
  worker_timeout: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc:
      `\`(server, worker, report)\`, in the master, when a worker's event loop has stood still for \`timeout\`, before it is
      killed. \`report\` has the worker's \`requests\` (\`method\`, \`target\`, \`age\` in milliseconds) and its \`stack\`. Gunicorn has
      nothing like it.`,
  },
  on_exit: {
    section: "Hooks",
    type: "hook",
    default: null,
    flags: [],
    needsWorkers: true,
    doc: `\`(server)\`, in the master, last.`,
  },
} as const;

/** The names of all settings. */
export type SettingName = keyof typeof TABLE;

type Widened<S> = S extends { readonly type: "integer" | "seconds" | "octal" } ? number
  : S extends { readonly type: "workers" } ? number | "auto"
  : S extends { readonly type: "boolean" } ? boolean
  : S extends { readonly type: "choice"; readonly choices: readonly (infer C)[] } ? C
  : S extends { readonly type: "binds" | "networks" | "pairs" | "paths" } ? readonly string[]
  : string;
type Value<K extends SettingName, S = (typeof TABLE)[K]> = K extends keyof Hooks ? Hooks[K] | null
  : S extends { readonly default: null } ? Widened<S> | null
  : Widened<S>;
type Given<K extends SettingName, S = (typeof TABLE)[K]> = S extends
  { readonly type: "binds" | "networks" | "pairs" | "paths" } ? string | readonly string[]
  : S extends { readonly type: "octal" } ? string | Value<K>
  : Value<K>;

/** All settings, resolved and valid. */
export type Settings = { readonly [K in SettingName]: Value<K> };

/** What `export default` of a configuration file is: any of the settings but `handle_signals`. */
export type Config = { readonly [K in Exclude<SettingName, "handle_signals">]?: Given<K> | undefined };

/** What a user passes to `serve()`: any of the settings but `app`. What is undefined or left out has its default. */
export type Options = { readonly [K in Exclude<SettingName, "app">]?: Given<K> | undefined };

/** The table, as code that goes through it sees it. */
export const SETTINGS: Readonly<Record<SettingName, Setting>> = TABLE;

/** The settings' names, in the order of the documentation. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(TABLE) as SettingName[];

/** The variables of the environment that settings have. */
export const SETTING_VARIABLES: readonly string[] = Object.values<Setting>(TABLE).flatMap(({ env }) => env ?? []);

/** The environment, as far as it may be read. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Some settings, and who gave them. */
export interface Source {
  /** As the user knows it: "tricorn.config.ts", "TRICORN_CMD_ARGS", "command line". */
  readonly from: string;
  /** Checked, by {@link checkOptions} or the parser of the flags. */
  readonly options: Partial<Settings>;
}

/** All settings, and where each value came from. */
export interface Resolved {
  readonly settings: Settings;
  /** "default", the name of a variable, or {@link Source.from}. */
  readonly origins: Readonly<Record<SettingName, string>>;
}

/** A timer can wait 2^31 - 1 milliseconds; what is longer fires at once. */
const MAX_SECONDS = 2_147_483;

/**
 * The settings that follow from `options`, then the environment, then the defaults. This is what `serve()` does; it reads
 * no configuration file and no `TRICORN_CMD_ARGS`, because these belong to the command.
 *
 * @throws {ConfigError} for a name that does not exist, and for a value of the wrong type or out of range.
 */
export function resolveSettings(options: Options, env: Environment = {}): Settings {
  return resolveSources([{ from: "serve()", options: checkOptions(options, "serve()") }], env).settings;
}

/**
 * The settings that follow from `sources`, of which a later one counts more; then the variables of the environment, then
 * the defaults.
 *
 * @throws {ConfigError} for a variable that counts and is wrong, and for settings that do not go together.
 */
export function resolveSources(sources: readonly Source[], env: Environment = {}): Resolved {
  const settings: Record<string, SettingValue> = {};
  const origins: Record<string, string> = {};
  for (const name of SETTING_NAMES) {
    const setting = SETTINGS[name];
    const source = sources.findLast(({ options }) => options[name] !== undefined);
    const variable = setting.env === undefined ? undefined : env[setting.env];
    if (source !== undefined) {
      settings[name] = source.options[name]!;
      origins[name] = source.from;
    } else if (
      setting.env !== undefined && variable !== undefined && (variable !== "" || setting.type === "networks")
    ) {
      settings[name] = parseValue(setting, (setting.envPrefix ?? "") + variable, setting.env);
      origins[name] = setting.env;
    } else {
      settings[name] = setting.default;
      origins[name] = "default";
    }
  }
  const resolved = { settings, origins } as unknown as Resolved;
  checkTogether(resolved);
  return resolved;
}

/**
 * `options` as a program gave them, each checked and normalized; what is undefined is left out. `place` is where they
 * stand, `where` begins each message: "tricorn.config.ts: ".
 *
 * @throws {ConfigError} for a name that does not exist, and for a value of the wrong type or out of range.
 */
export function checkOptions(
  options: Readonly<Record<string, unknown>>,
  place: "file" | "serve()",
  where: string = "",
): Partial<Settings> {
  const checked: Record<string, SettingValue> = {};
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    // A port alone is what other servers take.
    throw wrong(`${where}the options of serve()`, options, "is no object", 'write for example { bind: ":8000" }');
  }
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(TABLE, name)) {
      const names = SETTING_NAMES.filter((one) => (SETTINGS[one].only ?? place) === place);
      const remedy = absence(name) ?? (didYouMean(name, names) || "; see docs/settings.md for all of them");
      throw new ConfigError(`${where}unknown ${place === "file" ? "setting" : "option"} ${quote(name)}${remedy}`);
    }
    const setting = SETTINGS[name as SettingName];
    if ((setting.only ?? place) !== place) {
      const other = setting.only === "file" ? "only the configuration file has it" : "only serve() has it";
      throw new ConfigError(`${where}${name}: ${other}; leave it out here`);
    }
    if (value !== undefined) checked[name] = checkValue(setting, value, where + name);
  }
  return checked as Partial<Settings>;
}

/**
 * The value that `text` stands for, in a flag or an environment variable.
 *
 * @throws {ConfigError} that starts with `label`.
 */
export function parseValue(setting: Setting, text: string, label: string): SettingValue {
  switch (setting.type) {
    case "integer":
    case "workers": {
      if (setting.type === "workers" && text === "auto") return text;
      const value = integer(text);
      if (value === null) throw wrong(label, text, problemOf(setting), example(setting));
      return checkValue(setting, value, label);
    }
    case "seconds":
      if (!/^\d{1,7}(?:\.\d{1,3})?$/.test(text)) throw wrong(label, text, problemOf(setting), example(setting));
      return checkValue(setting, Number(text), label);
    case "choice":
      return checkValue(setting, setting.choices?.find((one) => String(one) === text) ?? text, label);
    default:
      return checkValue(setting, text, label);
  }
}

/** `value` as a program gave it, checked and normalized. */
function checkValue(setting: Setting, value: unknown, label: string): SettingValue {
  if (value === null && setting.default === null) return null;
  const refuse = (problem: string, remedy: string = example(setting), what: unknown = value): never => {
    throw wrong(label, what, problem, remedy);
  };
  switch (setting.type) {
    case "integer":
    case "seconds":
    case "workers": {
      if (setting.type === "workers" && value === "auto") return "auto";
      const whole = setting.type !== "seconds";
      if (typeof value !== "number" || !Number.isFinite(value) || (whole && !Number.isInteger(value))) {
        return refuse(problemOf(setting));
      }
      const min = setting.min ?? 0;
      const max = whole ? Number.MAX_SAFE_INTEGER : MAX_SECONDS;
      if (value < min) return refuse(`is less than ${min}`);
      if (value > max) return refuse(`is more than ${max}`, "0 means no limit");
      return value;
    }
    case "octal": {
      // A leading 0 is asked for: "22" could be meant as either, and a permission is not guessed.
      const bits = typeof value === "string" && /^0o?[0-7]{1,4}$|^0$/.test(value)
        ? parseInt(value.replace("o", ""), 8)
        : value;
      if (typeof value === "string" && /^[1-7][0-7]{0,3}$/.test(value)) {
        return refuse("may be meant as octal or as decimal", `write 0o${value}`);
      }
      if (typeof bits !== "number" || !Number.isInteger(bits)) return refuse(problemOf(setting));
      if (bits < 0 || bits > 0o777) return refuse("is not between 0 and 0o777");
      return bits;
    }
    case "boolean":
      if (typeof value !== "boolean") return refuse("is not a boolean", "write true or false");
      return value;
    case "choice": {
      const choices = setting.choices ?? [];
      const choice = choices.find((one) => one === value);
      if (choice !== undefined) return choice;
      const near = typeof value === "string" ? didYouMean(value, choices.map(String)) : "";
      return refuse("is not possible", `use ${choices.join(", ")}${near}`);
    }
    case "text":
      if (typeof value !== "string") return refuse("is not a string");
      if (value === "" || value.includes("\0")) return refuse(value === "" ? "is empty" : "has a NUL");
      return value;
    case "hook":
      if (typeof value !== "function") return refuse("is not a function", "give a function");
      return value as Hook;
    case "bind":
      if (typeof value !== "string") return refuse("is not a string");
      if (checkBind(value, label).protocol !== undefined) {
        return refuse("is to speak a gateway protocol, and only HTTP is spoken there", "write HOST:PORT or unix:PATH");
      }
      return value;
    case "binds":
    case "pairs":
    case "paths":
    case "networks": {
      const list: readonly unknown[] = Array.isArray(value)
        ? value
        : typeof value === "string" && setting.type === "networks"
        ? value.split(",").map((part) => part.trim()).filter((part) => part !== "")
        : [value];
      for (const item of list) {
        if (typeof item !== "string") return refuse("is not a string", example(setting), item);
        if (setting.type === "binds") checkBind(item, label);
        else if (setting.type === "pairs") {
          if (!/^[^=\0]+=[^\0]*$/.test(item)) return refuse("is no KEY=VALUE", example(setting), item);
        } else if (setting.type === "paths") {
          if (item === "" || item.includes("\0")) return refuse("is no path", example(setting), item);
        } else {
          const problem = networkProblem(item);
          if (problem !== null) return refuse(problem, "write addresses, CIDR networks, or *", item);
        }
      }
      if (setting.type === "binds" && list.length === 0) return refuse("is empty", "give one address or more");
      return list as readonly string[];
    }
  }
}

function checkBind(text: string, label: string): Bind {
  try {
    return parseBind(text);
  } catch (error) {
    throw new ConfigError(`${label}: ${(error as Error).message}`);
  }
}

/** What one setting needs of another. */
function checkTogether({ settings, origins }: Resolved): void {
  const needs = (name: SettingName, other: SettingName): never => {
    throw new ConfigError(`${flagOf(name)} needs ${flagOf(other)}: give both, or none of them`);
  };
  const seen = new Set<string>();
  for (const text of settings.bind) {
    const { protocol: _, ...address } = parseBind(text);
    const key = JSON.stringify(address);
    const anyPort = address.kind === "tcp" && address.port === 0;
    if (seen.has(key) && !anyPort) {
      throw new ConfigError(
        `${flagOf("bind")}: ${quote(text)} is there twice: one address is one socket; leave one out`,
      );
    }
    seen.add(key);
  }
  if (settings.certfile !== null && settings.keyfile === null) needs("certfile", "keyfile");
  if (settings.keyfile !== null && settings.certfile === null) needs("keyfile", "certfile");
  if (settings.ca_certs !== null && settings.certfile === null) needs("ca_certs", "certfile");
  if (settings.cert_reqs === 2 && settings.ca_certs === null) needs("cert_reqs", "ca_certs");
  if (settings.proxy_protocol !== "off") {
    const spoken = settings.bind.map((bind) => parseBind(bind).protocol ?? settings.protocol);
    if (!spoken.includes("http")) {
      throw new ConfigError(
        `${flagOf("proxy_protocol")} comes before HTTP only, not before ${spoken[0]}: leave one of them out`,
      );
    }
  }
  if (settings.initgroups && settings.user === null) needs("initgroups", "user");
  if (settings.workers !== 0) return;
  for (const name of SETTING_NAMES) {
    // What is off asks for nothing, so it may stay in a file that is used with workers too.
    if (!SETTINGS[name].needsWorkers || origins[name] === "default" || !settings[name]) continue;
    throw new ConfigError(
      `${flagOf(name)} needs a master, but workers is 0: give --workers 1 or more, or leave it out`,
    );
  }
}

/** A setting as messages name it: both ways in which a user may have written it. */
function flagOf(name: SettingName): string {
  const flag = SETTINGS[name].flags.find((one) => one.startsWith("--"));
  return flag === undefined ? name : `${name} (${flag})`;
}

function problemOf(setting: Setting): string {
  switch (setting.type) {
    case "seconds":
      return "is not a number of seconds";
    case "workers":
      return "is neither a whole number nor auto";
    case "octal":
      return "is no octal number";
    default:
      return "is not a whole number";
  }
}

function wrong(label: string, value: unknown, problem: string, remedy: string): ConfigError {
  const shown = typeof value === "string"
    ? quote(value)
    : value === null || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : Array.isArray(value)
    ? "an array"
    : `a value of type ${typeof value}`;
  return new ConfigError(`${label}: ${shown} ${problem}; ${remedy}`);
}

function example(setting: Setting): string {
  if (setting.type === "octal") return `write for example ${setting.meta === "MASK" ? "0o027" : "0o660"}`;
  if (setting.type === "workers") return "write for example 2, or auto";
  if (setting.type === "pairs") return "write KEY=VALUE";
  if (setting.type === "paths") return "give a path";
  if (setting.default === null) return setting.meta === "PATH" ? "give a path" : "give a value";
  if (Array.isArray(setting.default)) return `write for example ${JSON.stringify(setting.default[0])}`;
  return `write for example ${JSON.stringify(setting.default)}`;
}
