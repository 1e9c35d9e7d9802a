import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import {
  checkOptions,
  type Config,
  type Options,
  resolveSettings,
  resolveSources,
  SETTING_NAMES,
  SETTING_VARIABLES,
  SETTINGS,
  type Source,
} from "../../src/config/settings.ts";
import { configJson, configTable } from "../../src/config/show.ts";

const messageOf = (options: unknown, env: Record<string, string> = {}): string => {
  try {
    resolveSettings(options as Options, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).not.toContain("\n");
    return (error as Error).message;
  }
  return "no error";
};

describe("resolveSettings", () => {
  test("has the defaults that are declared", () => {
    const settings = resolveSettings({});
    expect(Object.keys(settings)).toEqual(SETTING_NAMES);
    for (const name of SETTING_NAMES) expect(settings[name]).toEqual(SETTINGS[name].default);
  });

  test("takes each default back as an option", () => {
    const names = SETTING_NAMES.filter((name) => SETTINGS[name].only !== "file");
    const options = Object.fromEntries(names.map((name) => [name, SETTINGS[name].default]));
    expect(resolveSettings({ ...options, workers: 1 } as Options)).toEqual(resolveSettings({ workers: 1 }));
  });

  test("takes undefined for left out", () => {
    expect(resolveSettings({ backlog: undefined, bind: undefined }).backlog).toBe(2048);
  });

  test("makes lists of one address and of commas", () => {
    const settings = resolveSettings({ bind: ":0", forwarded_allow_ips: "10.0.0.0/8, ::1", proxy_allow_ips: [] });
    expect(settings.bind).toEqual([":0"]);
    expect(settings.forwarded_allow_ips).toEqual(["10.0.0.0/8", "::1"]);
    expect(settings.proxy_allow_ips).toEqual([]);
  });

  test("reads PORT, WEB_CONCURRENCY and FORWARDED_ALLOW_IPS, after the options", () => {
    expect(SETTING_VARIABLES).toEqual(["PORT", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS"]);
    const env = { PORT: "3000", FORWARDED_ALLOW_IPS: "*" };
    expect(resolveSettings({}, env).bind).toEqual(["0.0.0.0:3000"]);
    expect(resolveSettings({ bind: "[::]:80" }, env).bind).toEqual(["[::]:80"]);
    expect(resolveSettings({}, env).forwarded_allow_ips).toEqual(["*"]);
    expect(resolveSettings({}, { FORWARDED_ALLOW_IPS: "" }).forwarded_allow_ips).toEqual([]);
    expect(resolveSettings({}, { WEB_CONCURRENCY: "3" }).workers).toBe(3);
    expect(resolveSettings({}, { WEB_CONCURRENCY: "auto" }).workers).toBe("auto");
    expect(resolveSettings({}, { WEB_CONCURRENCY: "" }).workers).toBe(0);
    expect(resolveSettings({}, { PORT: "" }).bind).toEqual(["127.0.0.1:8000"]);
  });

  test.each([
    [3000, /^the options of serve\(\): 3000 is no object; write for example \{ bind: ":8000" \}$/],
    [null, /^the options of serve\(\): null is no object/],
    [["8000"], /^the options of serve\(\): an array is no object/],
    [{ port: 80 }, /^unknown option "port"; see docs\/settings\.md/],
    [{ preload_app: true }, /^unknown option "preload_app", which Gunicorn has: JavaScript cannot fork/],
    [{ reload: true }, /^unknown option "reload", which Gunicorn has: .* tricorn runserver does it/],
    [{ binds: ":80" }, /^unknown option "binds"; did you mean "bind"\?/],
    [{ keepAlive: 5 }, /did you mean "keepalive"\?/],
    [{ keep_alive: 5 }, /did you mean "keepalive"\?/],
    [{ limitRequestLine: 5 }, /did you mean "limit_request_line"\?/],
    [{ backlog: "2048" }, /^backlog: "2048" is not a whole number; write for example 2048/],
    [{ backlog: 0 }, /^backlog: 0 is less than 1/],
    [{ backlog: 1.5 }, /^backlog: 1.5 is not a whole number/],
    [{ backlog: NaN }, /^backlog: NaN is not/],
    [{ keepalive: -1 }, /^keepalive: -1 is less than 0/],
    [{ keepalive: Infinity }, /^keepalive: Infinity is not a number of seconds/],
    [{ keepalive: 1e9 }, /^keepalive: 1000000000 is more than 2147483; 0 means no limit/],
    [{ backlog: null }, /^backlog: null is not/],
    [{ factory: "yes" }, /^factory: "yes" is not a boolean; write true or false/],
    [{ loglevel: "warn" }, /^loglevel: "warn" is not possible; use debug, info, warning, error, critical/],
    [{ loglevel: "eror" }, /did you mean "error"\?/],
    [{ cert_reqs: 1 }, /^cert_reqs: 1 is not possible; use 0, 2/],
    [{ bind: [] }, /^bind: an array is empty/],
    [
      { bind: ["127.0.0.1:80", ":80", "uwsgi://127.0.0.1:80"] },
      /^bind \(--bind\): "uwsgi:\/\/127\.0\.0\.1:80" is there twice: one address is one socket; leave one out/,
    ],
    [{ bind: ["unix:a", "unix://a"] }, /^bind \(--bind\): "unix:\/\/a" is there twice/],
    [{ bind: 8000 }, /^bind: 8000 is not a string/],
    [{ bind: ["foo:bar"] }, /^bind: cannot listen on "foo:bar": the port "bar"/],
    [{ forwarded_allow_ips: "10.0.0.1/8" }, /^forwarded_allow_ips: "10.0.0.1\/8" has host bits set/],
    [{ forwarded_allow_ips: "localhost" }, /is not an IP address/],
    [{ proxy_allow_ips: "::/129" }, /no prefix length between 0 and 128/],
    [{ accesslog: "" }, /^accesslog: "" is empty; give a path/],
    [{ chdir: {} }, /^chdir: a value of type object is not a string/],
    [{ workers: -1 }, /^workers: -1 is less than 0; write for example 2, or auto/],
    [{ workers: "two" }, /^workers: "two" is neither a whole number nor auto/],
    [{ umask: "027x" }, /^umask: "027x" is no octal number; write for example 0o027/],
    [{ umask: 0o1000 }, /^umask: 512 is not between 0 and 0o777/],
    [{ raw_env: ["=x"] }, /^raw_env: "=x" is no KEY=VALUE/],
    [{ reload_extra_files: [""] }, /^reload_extra_files: "" is no path; give a path/],
    [{ admin_bind: ":x" }, /^admin_bind: cannot listen on ":x"/],
    [
      { admin_bind: "uwsgi://:9000" },
      /^admin_bind: "uwsgi:\/\/:9000" is to speak a gateway protocol, and only HTTP is spoken there; write HOST:PORT/,
    ],
    [
      { protocol: "scgi", proxy_protocol: "auto" },
      /^proxy_protocol \(--proxy-protocol\) comes before HTTP only, not before scgi: leave one of them out/,
    ],
    [
      { bind: ["uwsgi://:1", "fastcgi://:2"], proxy_protocol: "v2" },
      /^proxy_protocol \(--proxy-protocol\) comes before HTTP only, not before uwsgi: leave one of them out/,
    ],
    [{ when_ready: "log" }, /^when_ready: "log" is not a function; give a function/],
    [{ app: "app.ts" }, /^app: only the configuration file has it; leave it out here/],
    [{ workers: 1, initgroups: true }, /^initgroups \(--initgroups\) needs user \(--user\)/],
    [
      { max_requests: 5 },
      /^max_requests \(--max-requests\) needs a master, but workers is 0: give --workers 1 or more/,
    ],
    [{ pre_fork: () => {} }, /^pre_fork needs a master, but workers is 0/],
    [{ certfile: "c.pem" }, /^certfile \(--certfile\) needs keyfile \(--keyfile\)/],
    [{ keyfile: "k.pem" }, /^keyfile \(--keyfile\) needs certfile/],
    [{ ca_certs: "ca.pem" }, /^ca_certs \(--ca-certs\) needs certfile/],
    [{ certfile: "c", keyfile: "k", cert_reqs: 2 }, /^cert_reqs \(--cert-reqs\) needs ca_certs/],
  ])("refuses %j", (options, message) => {
    expect(messageOf(options)).toMatch(message);
  });

  test("names the variable whose text is wrong", () => {
    expect(messageOf({}, { PORT: "http" })).toMatch(/^PORT: cannot listen on "0\.0\.0\.0:http"/);
    expect(messageOf({}, { FORWARDED_ALLOW_IPS: "proxy" })).toMatch(
      /^FORWARDED_ALLOW_IPS: "proxy" is not an IP address/,
    );
  });

  test("a PROXY header may come before HTTP where other addresses speak something else", () => {
    expect(messageOf({ bind: ["uwsgi://:1", "127.0.0.1:2"], proxy_protocol: "auto" })).toBe("no error");
  });

  test("port 0 may be there twice: the system gives two", () => {
    expect(messageOf({ bind: ["127.0.0.1:0", "127.0.0.1:0"] })).toBe("no error");
  });

  test("does not repeat an endless value", () => {
    expect(messageOf({ loglevel: "x".repeat(10_000) }).length).toBeLessThan(250);
  });
});

describe("resolveSources", () => {
  const from = (name: string, options: Record<string, unknown>): Source => ({
    from: name,
    options: checkOptions(options, "file"),
  });

  test("lets a later source count more, and the environment less than all of them", () => {
    const { settings, origins } = resolveSources([
      from("tricorn.config.ts", { workers: 2, bind: ":1", timeout: 5 }),
      from("TRICORN_CMD_ARGS", { workers: 3, timeout: 6 }),
      from("command line", { workers: 4, accesslog: null }),
    ], { WEB_CONCURRENCY: "9", FORWARDED_ALLOW_IPS: "*" });
    expect(settings).toMatchObject({ workers: 4, bind: [":1"], timeout: 6, forwarded_allow_ips: ["*"], backlog: 2048 });
    expect(origins).toMatchObject({
      workers: "command line",
      bind: "tricorn.config.ts",
      timeout: "TRICORN_CMD_ARGS",
      accesslog: "command line",
      forwarded_allow_ips: "FORWARDED_ALLOW_IPS",
      backlog: "default",
    });
    expect(Object.keys(origins)).toEqual(SETTING_NAMES);
  });

  test("does not look at a variable that does not count", () => {
    expect(resolveSources([from("x", { workers: 1 })], { WEB_CONCURRENCY: "many" }).settings.workers).toBe(1);
    expect(() => resolveSources([], { WEB_CONCURRENCY: "many" })).toThrow(/^WEB_CONCURRENCY: "many" is neither/);
  });

  test("refuses what needs a master when there is none, and takes what is off", () => {
    const off = { max_requests: 0, timeout: 0, reuse_port: false, touch_reload: null, workers: 0 };
    expect(resolveSources([from("x", off)]).settings.timeout).toBe(0);
    expect(() => resolveSources([from("x", { timeout: 30 })])).toThrow(
      "timeout (--timeout) needs a master, but workers is 0: give --workers 1 or more, or leave it out",
    );
    expect(resolveSources([from("x", { timeout: 30 })], { WEB_CONCURRENCY: "auto" }).settings.timeout).toBe(30);
  });
});

describe("checkOptions", () => {
  const refused = (options: Record<string, unknown>): void => void checkOptions(options, "file", "conf.ts: ");

  test("normalizes, and leaves out what is undefined", () => {
    const hook = (): void => {};
    expect(
      checkOptions({ bind: ":1", umask: "027", when_ready: hook, app: "a.ts", backlog: undefined, user: null }, "file"),
    ).toEqual({ bind: [":1"], umask: 0o27, when_ready: hook, app: "a.ts", user: null });
  });

  test("begins with where it was", () => {
    expect(() => refused({ worker: 3 })).toThrow('conf.ts: unknown setting "worker"; did you mean "workers"?');
    expect(() => refused({ workers: "3" })).toThrow('conf.ts: workers: "3" is neither a whole number nor auto');
    expect(() => refused({ handle_signals: false })).toThrow(
      "conf.ts: handle_signals: only serve() has it; leave it out here",
    );
    expect(() => refused(JSON.parse('{"__proto__": 1}'))).toThrow('conf.ts: unknown setting "__proto__"');
  });
});

describe("what is shown of the settings", () => {
  const resolved = resolveSources([{
    from: "command line",
    options: { bind: [":1", ":2"], umask: 0o27, proc_name: "my app", pre_request: () => {} },
  }]);

  test("configTable has a line for each, with its value and its origin", () => {
    const lines = configTable(resolved).trimEnd().split("\n").map((line) => line.split(/ {2,}/));
    expect(lines.map(([name]) => name)).toEqual(SETTING_NAMES);
    expect(lines).toContainEqual(["bind", '[":1",":2"]', "command line"]);
    expect(lines).toContainEqual(["umask", "0o27", "command line"]);
    expect(lines).toContainEqual(["proc_name", '"my app"', "command line"]);
    expect(lines).toContainEqual(["pre_request", "[function]", "command line"]);
    expect(lines).toContainEqual(["backlog", "2048", "default"]);
    expect(lines).toContainEqual(["pidfile", "null", "default"]);
  });

  test("configJson can be given back as a file", () => {
    const printed = JSON.parse(configJson(resolved)) as Record<string, { value: unknown; origin: string }>;
    expect(printed.umask).toEqual({ value: "0o27", origin: "command line" });
    const back = Object.entries(printed).filter(([name]) => name !== "pre_request" && name !== "handle_signals");
    const options = checkOptions(Object.fromEntries(back.map(([name, { value }]) => [name, value])), "file");
    const { pre_request: _1, handle_signals: _2, ...expected } = resolved.settings;
    expect(options).toEqual(expected);
  });
});

test("Config and Options have the types that the table declares", () => {
  const config: Config = {
    app: "app.ts",
    bind: ":80",
    workers: "auto",
    umask: "027",
    loglevel: "debug",
    pre_fork: (server, worker) => void (server.pid + worker.id + server.settings.backlog),
    post_request: (_worker, environ, { status, headers }) => void [environ.PATH_INFO, status + 1, headers[0]?.[1]],
    when_ready: async ({ urls }) => void await urls[0],
  };
  expect(Object.keys(checkOptions(config, "file"))).toEqual(Object.keys(config));
  const wrong: Options[] = [
    // @ts-expect-error: only the configuration file has it.
    { app: "app.ts" },
    // @ts-expect-error: neither a number nor "auto".
    { workers: "2" },
    // @ts-expect-error: no such level.
    { loglevel: "warn" },
    // @ts-expect-error: the only parameter is the worker.
    { post_fork: (_server: unknown, _worker: unknown) => {} },
  ];
  for (const options of wrong.slice(0, 3)) expect(() => checkOptions(options, "serve()")).toThrow(ConfigError);
});
