// Gunicorn's settings and hooks that Tricorn does not have under their names, and why. docs/settings.md ends with them, so
// that who comes from there need not search. A test knows all of Gunicorn's names: each is in the table or here.

/** Names of Gunicorn 26 that have one reason. */
export interface Absent {
  readonly names: readonly string[];
  /** One sentence or a few, of Markdown. */
  readonly reason: string;
}

export const ABSENT: readonly Absent[] = [
  { names: ["config"], reason: "The flags `-c` and `--config`." },
  { names: ["wsgi_app"], reason: "It is `app`." },
  { names: ["check_config", "print_config"], reason: "The flags `--check-config` and `--print-config`." },
  {
    names: ["worker_class", "threads"],
    reason: "There is one kind of worker: an event loop, with as many requests as it can take. `workers` is how many.",
  },
  {
    names: ["asgi_loop", "http_parser"],
    reason: "The event loop is the runtime's, and the parser is the same everywhere.",
  },
  { names: ["asgi_lifespan"], reason: "ESGI has no lifespan protocol; `--factory` may be async and start things." },
  {
    names: ["asgi_disconnect_grace_period"],
    reason: "When a client leaves, `esgi.signal` is aborted; what follows is the application's decision.",
  },
  {
    names: ["reload", "reload_engine"],
    reason:
      "Reloading on each change is for development: `tricorn runserver` does it. `touch_reload` is for production.",
  },
  { names: ["spew"], reason: "A runtime's debugger and profiler do it." },
  {
    names: ["preload_app"],
    reason: "JavaScript cannot fork, so nothing is shared by loading early. What else it is used for is always so: a " +
      "reload boots one new worker first, and when that fails, the old ones go on.",
  },
  { names: ["sendfile"], reason: "Bodies are streams of bytes; files go the same way. Let the proxy send large ones." },
  { names: ["worker_tmp_dir"], reason: "The heartbeat is a message to the master and needs no file." },
  { names: ["tmp_upload_dir"], reason: "Nothing is buffered on disk; Gunicorn does not use it either." },
  {
    names: ["secure_scheme_headers"],
    reason:
      "The usual fields are known: `Forwarded` and `X-Forwarded-Proto`, `-Protocol` and `-Ssl`, of the peers in " +
      "`forwarded_allow_ips`.",
  },
  {
    names: ["forwarder_headers"],
    reason: "No field sets a variable of the environ by its name. Let the proxy send fields with `-` in their names.",
  },
  {
    names: ["root_path"],
    reason: "`SCRIPT_NAME` is empty; mount the application by its own router, or let the proxy cut the prefix off.",
  },
  { names: ["pythonpath"], reason: "Modules are found as the runtime finds them." },
  { names: ["paste", "raw_paste_global_conf"], reason: "PasteDeploy is of Python." },
  {
    names: ["permit_obsolete_folding", "strip_header_spaces", "permit_unconventional_http_version"],
    reason: "Whoever accepts what RFC 9112 forbids can be made to see another request than the proxy does.",
  },
  {
    names: ["permit_unconventional_http_method"],
    reason: "Each method that RFC 9110 allows is accepted, so there is nothing to permit.",
  },
  { names: ["casefold_http_method"], reason: "Methods are case-sensitive (RFC 9110 §9.1)." },
  {
    names: [
      "syslog",
      "syslog_addr",
      "syslog_prefix",
      "syslog_facility",
      "disable_redirect_access_to_syslog",
    ],
    reason: "Logs go to files, or to standard output and error, from where systemd, Docker or `logger` take them on.",
  },
  {
    names: ["logger_class", "logconfig", "logconfig_dict", "logconfig_json"],
    reason:
      "They are of Python's logging. `access_log_format`, also as JSON, `loglevel` and the hooks are what there is.",
  },
  {
    names: ["capture_output", "enable_stdio_inheritance"],
    reason: "What the application writes to standard output and error stays there; let the shell or the supervisor " +
      "redirect it.",
  },
  {
    names: ["statsd_host", "statsd_prefix", "dogstatsd_tags", "enable_backlog_metric"],
    reason: "`tricorn ctl` shows each worker's figures; the hook `post_request` can send them anywhere.",
  },
  { names: ["default_proc_name"], reason: "It is always `tricorn`; `proc_name` is what replaces it." },
  {
    names: ["ciphers"],
    reason: "The runtimes' choice is kept current by their makers, and not all let it be changed.",
  },
  {
    names: ["ssl_version", "suppress_ragged_eofs", "do_handshake_on_connect"],
    reason: "They are of Python's ssl module; the first does nothing in Gunicorn either.",
  },
  {
    names: ["ssl_context"],
    reason: "A hook that makes a context of Python. `certfile` and its neighbours are what there is.",
  },
  {
    names: [
      "http_protocols",
      "http2_cleartext",
      "http2_max_concurrent_streams",
      "http2_initial_window_size",
      "http2_max_frame_size",
      "http2_max_header_list_size",
    ],
    reason: "HTTP/1.1 is spoken; let the proxy speak HTTP/2 to clients.",
  },
  {
    names: [
      "dirty_apps",
      "dirty_workers",
      "dirty_threads",
      "dirty_timeout",
      "dirty_graceful_timeout",
      "on_dirty_starting",
      "dirty_post_fork",
      "dirty_worker_init",
      "dirty_worker_exit",
    ],
    reason: "A second pool for slow work, beta in Gunicorn. Use the runtime's worker threads, or a queue.",
  },
];

/** Gunicorn's flags that are not their settings' names with dashes. */
const FLAGS: ReadonlyMap<string, string> = new Map([
  ["-k", "worker_class"],
  ["-R", "enable_stdio_inheritance"],
  ["--preload", "preload_app"],
  ["--no-sendfile", "sendfile"],
  ["--paste-global", "raw_paste_global_conf"],
  ["--log-syslog", "syslog"],
  ["--log-syslog-to", "syslog_addr"],
  ["--log-syslog-prefix", "syslog_prefix"],
  ["--log-syslog-facility", "syslog_facility"],
  ["--log-config", "logconfig"],
  ["--log-config-json", "logconfig_json"],
  ["--dirty-app", "dirty_apps"],
]);

/** The end of a message about a setting or a flag that Gunicorn has and Tricorn has not: why; or null for any other. */
export function absence(name: string): string | null {
  const setting = FLAGS.get(name) ?? name.replace(/^--/, "").replaceAll("-", "_");
  const absent = ABSENT.find(({ names }) => names.includes(setting));
  return absent === undefined ? null : `, which Gunicorn has: ${absent.reason.replaceAll("`", "")}`;
}

/** Settings that Gunicorn has not. */
export const OWN: readonly string[] = [
  "unix_socket_mode",
  "max_worker_lifetime",
  "max_worker_memory",
  "boot_timeout",
  "max_restarts",
  "keepalive_grace",
  "touch_reload",
  "drain_delay",
  "admin_bind",
  "limit_concurrency",
  "limit_request_head",
  "limit_request_body",
  "keepalive_requests",
  "header_timeout",
  "body_timeout",
  "write_timeout",
  "request_timeout",
  "queue_timeout",
  "forwarded_host",
  "app",
  "factory",
  "override_globals",
  "handle_signals",
  "worker_timeout",
];
