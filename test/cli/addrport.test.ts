// `[addrport]` of runserver: Django's forms.

import { expect, test } from "vitest";
import { isAddrport, parseAddrport } from "../../src/cli/addrport.ts";

const at = (text: string | null, ipv6 = false): string => {
  const { host, port } = parseAddrport(text, ipv6);
  return `${host} ${port}`;
};

test.each([
  [null, "127.0.0.1 8000"],
  ["8001", "127.0.0.1 8001"],
  [":8001", "127.0.0.1 8001"],
  ["0", "127.0.0.1 0"],
  ["0:8001", "0.0.0.0 8001"],
  ["127.0.0.2:80", "127.0.0.2 80"],
  ["[::1]:8001", "::1 8001"],
  ["localhost:8001", "localhost 8001"],
  ["my-host.example:1", "my-host.example 1"],
])("%j is %j", (text, address) => {
  expect(at(text)).toBe(address);
});

test.each([
  [null, "::1 8000"],
  ["8001", "::1 8001"],
  ["0:8001", ":: 8001"],
  ["[::]:8001", ":: 8001"],
  ["localhost:8001", "localhost 8001"],
])("with --ipv6, %j is %j", (text, address) => {
  expect(at(text, true)).toBe(address);
});

test("PORT is the port where none is given", () => {
  expect(parseAddrport(null, false, "3000")).toMatchObject({ host: "127.0.0.1", port: 3000 });
  expect(parseAddrport("8001", false, "3000")).toMatchObject({ port: 8001 });
  for (const port of ["abc", "70000", "-1", "1.5"]) {
    expect(() => parseAddrport(null, false, port)).toThrow(`PORT: "${port}" is no port; write a number between 0 and`);
    expect(parseAddrport("8001", false, port)).toMatchObject({ port: 8001 });
  }
});

test.each([
  ["70000", /70000.* not a number between 0 and 65535/],
  ["::1:8000", /an IPv6 address stands in brackets/],
  ["300.1.1.1:8000", /no IPv4 address/],
  ["a b:8000", /no host name/],
  ["127.0.0.1", /no port and no address with one/],
])("%j is refused", (text, message) => {
  expect(() => parseAddrport(text, false)).toThrow(message);
});

test("an IPv4 address with --ipv6 is refused", () => {
  expect(() => parseAddrport("127.0.0.1:8000", true)).toThrow(/leave --ipv6 out, or write \[::1\]:8000/);
});

test("what is an address, and what an application", () => {
  expect(["8000", "0", "a:1", "[::1]:1", ":1", "127.0.0.1", "[::1]"].filter((word) => !isAddrport(word))).toEqual([]);
  expect(["app.ts", "app.ts:app", "app", "npm:x:1", "localhost"].filter(isAddrport)).toEqual([]);
});
