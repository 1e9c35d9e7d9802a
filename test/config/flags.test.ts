import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { flagHelp, parseFlags } from "../../src/config/flags.ts";
import { SETTING_NAMES, type SettingName, SETTINGS } from "../../src/config/settings.ts";

const messageOf = (...words: string[]): string => {
  try {
    parseFlags(words);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).not.toContain("\n");
    return (error as Error).message;
  }
  return "no error";
};

/** For each flag: a word that it takes, and the value that comes of it. A flag that is missing here fails the test. */
const SAMPLES: Record<string, readonly [word: string | null, value: unknown]> = {
  bind: ["[::1]:9000", ["[::1]:9000"]],
  protocol: ["fastcgi", "fastcgi"],
  backlog: ["16", 16],
  unix_socket_mode: ["0660", 0o660],
  workers: ["auto", "auto"],
  max_requests: ["1000", 1000],
  max_requests_jitter: ["50", 50],
  max_worker_lifetime: ["3600", 3600],
  max_worker_memory: ["512", 512],
  timeout: ["0.5", 0.5],
  boot_timeout: ["10", 10],
  max_restarts: ["3", 3],
  keepalive_grace: ["1.5", 1.5],
  reuse_port: [null, true],
  touch_reload: ["/run/reload", "/run/reload"],
  drain_delay: ["5", 5],
  admin_bind: ["127.0.0.1:9000", "127.0.0.1:9000"],
  worker_connections: ["0", 0],
  limit_concurrency: ["64", 64],
  limit_request_line: ["100", 100],
  limit_request_fields: ["7", 7],
  limit_request_field_size: ["1024", 1024],
  limit_request_head: ["9999", 9999],
  limit_request_body: ["0", 0],
  keepalive_requests: ["1000", 1000],
  header_timeout: ["0.5", 0.5],
  body_timeout: ["2", 2],
  keepalive: ["5", 5],
  write_timeout: ["10.25", 10.25],
  request_timeout: ["60", 60],
  queue_timeout: ["0.25", 0.25],
  graceful_timeout: ["0", 0],
  certfile: ["c.pem", "c.pem"],
  keyfile: ["k.pem", "k.pem"],
  ca_certs: ["ca.pem", "ca.pem"],
  cert_reqs: ["2", 2],
  forwarded_allow_ips: ["10.0.0.0/8,::1", ["10.0.0.0/8", "::1"]],
  forwarded_host: [null, true],
  proxy_protocol: ["v2", "v2"],
  proxy_allow_ips: ["*", ["*"]],
  uwsgi_allow_ips: ["10.0.0.1,::1", ["10.0.0.1", "::1"]],
  header_map: ["refuse", "refuse"],
  accesslog: ["-", "-"],
  access_log_format: ["%(h)s", "%(h)s"],
  errorlog: ["/tmp/e.log", "/tmp/e.log"],
  loglevel: ["debug", "debug"],
  pidfile: ["/run/t.pid", "/run/t.pid"],
  daemon: [null, true],
  user: ["www-data", "www-data"],
  group: ["33", "33"],
  initgroups: [null, true],
  umask: ["0o027", 0o027],
  raw_env: ["KEY=a=b", ["KEY=a=b"]],
  proc_name: ["shop", "shop"],
  control_socket: ["/run/t.ctl", "/run/t.ctl"],
  control_socket_mode: ["0660", 0o660],
  control_socket_disable: [null, true],
  chdir: ["/srv", "/srv"],
  reload_extra_files: ["data/a.txt", ["data/a.txt"]],
  factory: [null, true],
  override_globals: [null, false],
};

describe("parseFlags", () => {
  const flags = SETTING_NAMES.flatMap((name) => SETTINGS[name].flags.map((flag) => [flag, name] as const));

  test.each(flags)("%s", (flag: string, name: SettingName) => {
    const [word, value] = SAMPLES[name]!;
    if (word === null) {
      const expected = { command: {}, options: { [name]: value }, operands: ["app"], help: false };
      expect(parseFlags([flag, "app"])).toEqual(expected);
      expect(messageOf(`${flag}=1`)).toBe(flag + " takes no value; write " + flag + " alone");
      return;
    }
    const expected = { command: {}, options: { [name]: value }, operands: ["app"], help: false };
    expect(parseFlags([flag, word, "app"])).toEqual(expected);
    expect(parseFlags(["app", `${flag}=${word}`])).toEqual(expected);
    if (!flag.startsWith("--")) expect(parseFlags(["app", flag + word])).toEqual(expected);
    if (SETTINGS[name].bare === undefined) {
      expect(messageOf(flag)).toMatch(new RegExp(`^${flag}: the value is missing; write ${flag} `));
      expect(messageOf(flag, "--factory")).toMatch(/the value is missing/);
    }
  });

  test("keeps what is said to the command apart from the settings", () => {
    expect(parseFlags(["-c", "a.ts", "app", "--check-config", "--print-config", "--json", "-w2"])).toEqual({
      command: { config: "a.ts", check_config: true, print_config: true, json: true },
      options: { workers: 2 },
      operands: ["app"],
      help: false,
    });
    expect(messageOf("--config")).toBe("--config: the value is missing; write --config PATH");
    expect(messageOf("--confg=x")).toBe('unknown flag "--confg"; did you mean "--config"?');
  });

  test("gathers repeated binds, and keeps the last of everything else", () => {
    expect(parseFlags(["-b", ":1", "--bind=:2", "-b:3"]).options).toEqual({ bind: [":1", ":2", ":3"] });
    expect(parseFlags(["-e", "A=1", "--env=B=2"]).options).toEqual({ raw_env: ["A=1", "B=2"] });
    expect(parseFlags(["--reload-extra-file", "a", "--reload-extra-file=b"]).options).toEqual({
      reload_extra_files: ["a", "b"],
    });
    expect(parseFlags(["--backlog", "1", "--backlog", "2"]).options).toEqual({ backlog: 2 });
  });

  test("--proxy-protocol alone means auto, and leaves an operand alone", () => {
    expect(parseFlags(["--proxy-protocol", "app:app"])).toMatchObject({
      options: { proxy_protocol: "auto" },
      operands: ["app:app"],
    });
    expect(parseFlags(["--proxy-protocol"]).options).toEqual({ proxy_protocol: "auto" });
    expect(messageOf("--proxy-protocol=v3")).toMatch(/^--proxy-protocol: "v3" is not possible; use off, v1/);
  });

  test("-- ends the flags, -h asks for help", () => {
    expect(parseFlags(["--", "--bind"]).operands).toEqual(["--bind"]);
    expect(parseFlags(["app", "-h", "--nonsense"]).help).toBe(true);
    expect(parseFlags(["--help"]).help).toBe(true);
  });

  test.each([
    [["--bnid", "x"], 'unknown flag "--bnid"; did you mean "--bind"?'],
    [["--keepalive", "2"], 'unknown flag "--keepalive"; the flag of keepalive is --keep-alive'],
    [["--proc-name=x"], 'unknown flag "--proc-name"; the flag of proc_name is --name'],
    [["--pidfile=x"], 'unknown flag "--pidfile"; the flag of pidfile is --pid'],
    [["--pre-fork=x"], 'unknown flag "--pre-fork"; "tricorn serve --help" lists the flags'],
    [["--keep-alve", "2"], 'unknown flag "--keep-alve"; did you mean "--keep-alive"?'],
    [
      ["--access-log", "-"],
      'unknown flag "--access-log"; did you mean --access-logfile or --access-logformat or --access-log-format?',
    ],
    [["-q", "4"], 'unknown flag "-q"; "tricorn serve --help" lists the flags'],
    [["-w", "-1"], '-w: "-1" is neither a whole number nor auto; write for example 2, or auto'],
    [["-w", "many"], '-w: "many" is neither a whole number nor auto; write for example 2, or auto'],
    [["-m", "22"], '-m: "22" may be meant as octal or as decimal; write 0o22'],
    [["-m", "29"], '-m: "29" is no octal number; write for example 0o027'],
    [["-m", "0o1777"], '-m: "0o1777" is not between 0 and 0o777; write for example 0o027'],
    [["-e", "KEY"], '-e: "KEY" is no KEY=VALUE; write KEY=VALUE'],
    [
      ["--admin-bind", "x:y"],
      '--admin-bind: cannot listen on "x:y": the port "y" is not a number between 0 and 65535; ' +
      "write HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH or fd://N",
    ],
    [["-xyz"], 'unknown flag "-xyz"; "tricorn serve --help" lists the flags'],
    [["--zzzzzz=1"], 'unknown flag "--zzzzzz"; "tricorn serve --help" lists the flags'],
    [["--backlog", "8e3"], '--backlog: "8e3" is not a whole number; write for example 2048'],
    [["--backlog", "1_000"], '--backlog: "1_000" is not a whole number; write for example 2048'],
    [["--backlog", "-1"], '--backlog: "-1" is not a whole number; write for example 2048'],
    [["--backlog", "0x10"], '--backlog: "0x10" is not a whole number; write for example 2048'],
    [["--backlog", " 1"], '--backlog: " 1" is not a whole number; write for example 2048'],
    [["--backlog", ""], '--backlog: "" is not a whole number; write for example 2048'],
    [
      ["--backlog", "99999999999999999999"],
      '--backlog: "99999999999999999999" is not a whole number; write for example 2048',
    ],
    [["--keep-alive", "1e3"], '--keep-alive: "1e3" is not a number of seconds; write for example 65'],
    [["--keep-alive", "-1"], '--keep-alive: "-1" is not a number of seconds; write for example 65'],
    [["--cert-reqs", "1"], '--cert-reqs: "1" is not possible; use 0, 2'],
    [["--header-map", "Drop"], '--header-map: "Drop" is not possible; use drop, refuse; did you mean "drop"?'],
    [
      ["--bind", "localhost:70000"],
      '--bind: cannot listen on "localhost:70000": the port "70000" is not a number between 0 and 65535; use a port up to 65535',
    ],
  ])("refuses %j", (words, message) => {
    expect(messageOf(...words)).toBe(message);
  });

  test.each([
    [["-k", "gevent"], /^unknown flag "-k", which Gunicorn has: There is one kind of worker: an event loop, .*/],
    [["--threads=4"], /^unknown flag "--threads", which Gunicorn has: There is one kind of worker/],
    [["--reload"], /^unknown flag "--reload", which Gunicorn has: Reloading on each change .* tricorn runserver/],
    [["--preload"], /^unknown flag "--preload", which Gunicorn has: JavaScript cannot fork/],
  ])("says why Gunicorn's %j is not there", (words, message) => {
    expect(messageOf(...words)).toMatch(message);
  });
});

test("flagHelp names every flag that is taught, and stays narrow", () => {
  const help = flagHelp();
  for (const name of SETTING_NAMES) if (SETTINGS[name].flags[0]) expect(help).toContain(SETTINGS[name].flags[0]);
  for (const line of help.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
});
