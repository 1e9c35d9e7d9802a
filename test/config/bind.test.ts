import { describe, expect, test } from "vitest";
import { networkProblem, parseIp } from "../../src/config/address.ts";
import { integer, parseBind } from "../../src/config/bind.ts";
import { ConfigError } from "../../src/config/error.ts";
import { formatBind, urlOf } from "../../src/runtime/port.ts";

describe("parseBind", () => {
  test.each([
    ["127.0.0.1:8000", { kind: "tcp", host: "127.0.0.1", port: 8000 }],
    ["localhost:0", { kind: "tcp", host: "localhost", port: 0 }],
    ["my_host.internal:65535", { kind: "tcp", host: "my_host.internal", port: 65535 }],
    ["example", { kind: "tcp", host: "example", port: 8000 }],
    [":80", { kind: "tcp", host: "0.0.0.0", port: 80 }],
    ["3000", { kind: "tcp", host: "127.0.0.1", port: 3000 }],
    ["[::1]:8000", { kind: "tcp", host: "::1", port: 8000 }],
    ["[::]", { kind: "tcp", host: "::", port: 8000 }],
    ["[fe80::1%eth0]:80", { kind: "tcp", host: "fe80::1%eth0", port: 80 }],
    ["tcp://0.0.0.0:81", { kind: "tcp", host: "0.0.0.0", port: 81 }],
    ["TCP://[::1]:81", { kind: "tcp", host: "::1", port: 81 }],
    ["unix:/run/app.sock", { kind: "unix", path: "/run/app.sock" }],
    ["unix:///run/app.sock", { kind: "unix", path: "/run/app.sock" }],
    ["unix:app:1.sock", { kind: "unix", path: "app:1.sock" }],
    ["fd://3", { kind: "fd", fd: 3 }],
  ])("%s", (text, bind) => {
    expect(parseBind(text)).toEqual(bind);
    expect(parseBind(formatBind(parseBind(text)))).toEqual(bind);
  });

  test.each([
    ["uwsgi://127.0.0.1:3031", { kind: "tcp", host: "127.0.0.1", port: 3031, protocol: "uwsgi" }],
    ["FastCGI://:9000", { kind: "tcp", host: "0.0.0.0", port: 9000, protocol: "fastcgi" }],
    ["scgi://unix:/run/app.sock", { kind: "unix", path: "/run/app.sock", protocol: "scgi" }],
    ["uwsgi://fd://3", { kind: "fd", fd: 3, protocol: "uwsgi" }],
  ])("%s", (text, bind) => {
    expect(parseBind(text)).toEqual(bind);
    expect(urlOf(parseBind(text), false)).toBe(`${bind.protocol}://${formatBind(parseBind(text))}`);
  });

  test.each([
    ["uwsgi://", "it is empty"],
    ["uwsgi://scgi://:1", "it names two protocols; write uwsgi://HOST:PORT"],
    ["", "it is empty"],
    ["foo:bar", 'the port "bar" is not a number between 0 and 65535; write HOST:PORT'],
    ["host:70000", 'the port "70000" is not a number between 0 and 65535; use a port up to 65535'],
    ["70000", "use a port up to 65535"],
    ["host:", "the port is missing"],
    ["host:8e3", 'the port "8e3" is not a number'],
    ["host:-1", 'the port "-1" is not a number'],
    ["::1", "an IPv6 address stands in brackets; write [::1]:8000"],
    ["::1:8000", "an IPv6 address stands in brackets"],
    ["[::1", "the brackets do not match"],
    ["[::1]8000", "the brackets do not match"],
    ["[::1]:x", 'the port "x" is not a number'],
    ["[127.0.0.1]:80", "there is no IPv6 address between the brackets"],
    ["[1::2::3]:80", "there is no IPv6 address between the brackets"],
    ["[::1%]:80", "there is no IPv6 address between the brackets"],
    ["256.0.0.1:80", '"256.0.0.1" is no IPv4 address'],
    ["1.2.3:80", '"1.2.3" is no IPv4 address'],
    ["*:80", '"*" is no host; write 0.0.0.0'],
    ["a b:80", '"a b" is no host name'],
    ["a/b", '"a/b" is no host name'],
    ["http://localhost:80", "http:// is no kind of address"],
    ["unix:", "the path is missing; write unix:PATH"],
    [`unix:/${"x".repeat(107)}`, "at most 107 bytes"],
    ["fd://", "no file descriptor's number"],
    ["fd://x", "no file descriptor's number; write fd://3"],
    ["fd://-1", "no file descriptor's number"],
  ])("refuses %j", (text, message) => {
    expect(() => parseBind(text)).toThrow(ConfigError);
    expect(() => parseBind(text)).toThrow(message);
  });
});

test("integer takes decimal digits and nothing else", () => {
  expect(integer("0")).toBe(0);
  expect(integer("007")).toBe(7);
  expect(integer("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
  for (const text of ["", " 1", "1 ", "8e3", "1_000", "-1", "+1", "0x1", "1.0", "٣", "9007199254740992"]) {
    expect(integer(text)).toBe(null);
  }
});

describe("parseIp", () => {
  test.each([
    ["0.0.0.0", [0, 0, 0, 0]],
    ["255.1.20.100", [255, 1, 20, 100]],
    ["::", new Array(16).fill(0)],
    ["1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ["::ffff:1.2.3.4", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4]],
    ["2001:DB8::1", [0x20, 1, 13, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
  ])("%s", (text, bytes) => expect(parseIp(text)).toEqual(bytes));

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.",
    "1.2.3.256",
    "01.2.3.4",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "g::",
    "::1.2.3.4.5",
    "1.2.3.4::",
    "::12345",
    "[::1]",
  ])(
    "refuses %j",
    (text) => expect(parseIp(text)).toBe(null),
  );
});

test("networkProblem wants a prefix that fits the address, as Gunicorn", () => {
  for (const good of ["*", "1.2.3.4", "10.0.0.0/8", "1.2.3.4/32", "0.0.0.0/0", "::1", "fd00::/8", "2001:db8::/33"]) {
    expect(networkProblem(good)).toBe(null);
  }
  for (
    const bad of ["", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.1/8", "10.0.0.128/24", "::1/64", "**"]
  ) {
    expect(networkProblem(bad)).not.toBe(null);
  }
});
