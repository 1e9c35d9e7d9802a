import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { settingsMarkdown } from "../../src/config/document.ts";
import { ABSENT, OWN } from "../../src/config/gunicorn.ts";
import { HOOK_NAMES } from "../../src/config/hooks.ts";
import { settingsSchema } from "../../src/config/schema.ts";
import { SETTING_NAMES, type SettingName, SETTINGS } from "../../src/config/settings.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("docs/settings.md is up to date", () => {
  expect(read("docs/settings.md")).toBe(settingsMarkdown());
});

test("docs/settings.schema.json is up to date", () => {
  expect(read("docs/settings.schema.json")).toBe(settingsSchema());
});

interface Shape {
  readonly anyOf?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly type?: string;
  readonly items?: Shape;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** As much of JSON Schema as the file uses. */
function fits(value: unknown, shape: Shape): boolean {
  if (shape.anyOf !== undefined) return shape.anyOf.some((one) => fits(value, one));
  if (shape.enum !== undefined) return shape.enum.includes(value);
  if ("const" in shape) return value === shape.const;
  switch (shape.type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value) && value.every((item) => fits(item, shape.items!));
    case "integer":
    case "number":
      return typeof value === "number" && (shape.type === "number" || Number.isInteger(value)) &&
        value >= (shape.minimum ?? -Infinity) && value <= (shape.maximum ?? Infinity);
    case "boolean":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string" && new RegExp(shape.pattern ?? "").test(value) &&
        value.length >= (shape.minLength ?? 0);
    default:
      throw new Error(`what is ${JSON.stringify(shape)}?`);
  }
}

test("the schema knows each setting that JSON can hold, takes its default, and refuses another type", () => {
  const { properties, additionalProperties } = JSON.parse(settingsSchema()) as {
    properties: Record<string, Shape>;
    additionalProperties: boolean;
  };
  expect(additionalProperties).toBe(false);
  const names = SETTING_NAMES.filter((name) => SETTINGS[name].type !== "hook" && name !== "handle_signals");
  expect(Object.keys(properties)).toEqual(["$schema", ...names]);
  for (const name of names) {
    expect(fits(SETTINGS[name].default, properties[name]!), name).toBe(true);
    expect(fits({}, properties[name]!), name).toBe(false);
  }
  const cases: [SettingName, unknown, boolean][] = [
    ["workers", "auto", true],
    ["workers", 4, true],
    ["workers", -1, false],
    ["workers", "4", false],
    ["umask", "0o027", true],
    ["umask", "27", false],
    ["bind", [":80", "unix:/run/a"], true],
    ["bind", 80, false],
    ["raw_env", ["A=1"], true],
    ["raw_env", ["A"], false],
    ["reload_extra_files", ["a.txt"], true],
    ["reload_extra_files", [""], false],
    ["keepalive", 0.5, true],
    ["backlog", 0.5, false],
    ["loglevel", "warn", false],
  ];
  for (const [name, value, expected] of cases) {
    expect(fits(value, properties[name]!), `${name}: ${JSON.stringify(value)}`).toBe(expected);
  }
});

test("the hooks' types and the table name the same hooks", () => {
  expect([...HOOK_NAMES].sort()).toEqual(SETTING_NAMES.filter((name) => SETTINGS[name].type === "hook").sort());
});

// Its 99 settings and 20 hooks, from its documentation.
const GUNICORN = `
  config wsgi_app bind backlog workers worker_class threads worker_connections max_requests max_requests_jitter timeout
  graceful_timeout keepalive asgi_loop asgi_lifespan asgi_disconnect_grace_period http_parser limit_request_line
  limit_request_fields limit_request_field_size reload reload_engine reload_extra_files spew check_config print_config
  preload_app sendfile reuse_port chdir daemon raw_env pidfile worker_tmp_dir user group umask initgroups tmp_upload_dir
  secure_scheme_headers forwarded_allow_ips pythonpath paste raw_paste_global_conf proxy_protocol proxy_allow_ips protocol
  uwsgi_allow_ips permit_obsolete_folding strip_header_spaces permit_unconventional_http_method
  permit_unconventional_http_version casefold_http_method forwarder_headers header_map root_path accesslog
  access_log_format disable_redirect_access_to_syslog errorlog loglevel capture_output logger_class logconfig
  logconfig_dict logconfig_json syslog syslog_addr syslog_prefix syslog_facility enable_stdio_inheritance statsd_host
  statsd_prefix dogstatsd_tags enable_backlog_metric proc_name default_proc_name keyfile certfile ca_certs ciphers
  cert_reqs ssl_version suppress_ragged_eofs do_handshake_on_connect http_protocols http2_cleartext
  http2_max_concurrent_streams http2_initial_window_size http2_max_frame_size http2_max_header_list_size dirty_apps
  dirty_workers dirty_threads dirty_timeout dirty_graceful_timeout control_socket control_socket_mode
  control_socket_disable
  on_starting on_reload when_ready pre_fork post_fork post_worker_init worker_int worker_abort pre_exec pre_request
  post_request child_exit worker_exit nworkers_changed on_exit ssl_context on_dirty_starting dirty_post_fork
  dirty_worker_init dirty_worker_exit
`.trim().split(/\s+/);

test("each name of Gunicorn's is a setting, or is explained", () => {
  expect(new Set(GUNICORN).size).toBe(119);
  const absent = ABSENT.flatMap(({ names }) => names);
  expect(absent.filter((name) => !GUNICORN.includes(name))).toEqual([]);
  for (const name of GUNICORN) {
    const places = [SETTING_NAMES.includes(name as SettingName), absent.includes(name)];
    expect(places.filter(Boolean).length, name).toBe(1);
  }
  expect(SETTING_NAMES.filter((name) => !GUNICORN.includes(name))).toEqual(OWN);
});
