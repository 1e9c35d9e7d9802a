import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Forwarded,
  forwarded,
  FORWARDED_NAMES,
  type ForwardedError,
  isForwarded,
  TrustedPeers,
} from "../../src/server/proxy.ts";

type Field = readonly [name: string, value: string];

const LOCAL = new TrustedPeers("127.0.0.1, ::1, 10.0.0.0/8");
const say = (...fields: Field[]): Forwarded | ForwardedError => forwarded(fields, LOCAL);
const std = (...lines: string[]): Forwarded | ForwardedError => say(...lines.map((line): Field => ["Forwarded", line]));
const xff = (...lines: string[]): Forwarded | ForwardedError =>
  say(...lines.map((line): Field => ["X-Forwarded-For", line]));
const REFUSED = { error: expect.any(String) as string };

describe("TrustedPeers", () => {
  test.each([
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "127.0.0.2", false],
    ["127.0.0.1", "::ffff:127.0.0.1", true],
    ["127.0.0.1", "::ffff:7f00:1", true],
    ["127.0.0.1", "::127.0.0.1", false],
    ["127.0.0.1", "127.0.0.01", false],
    ["127.0.0.1", "localhost", false],
    ["127.0.0.1", " 127.0.0.1", false],
    ["::ffff:127.0.0.1", "127.0.0.1", true],
    [" 10.0.0.0/8 ,\t::1", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.0.0.0/9", "10.128.0.0", false],
    ["192.168.4.0/22", "192.168.7.255", true],
    ["192.168.4.0/22", "192.168.8.0", false],
    ["10.0.0.1/32", "10.0.0.1", true],
    ["10.0.0.1/32", "10.0.0.0", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "203.0.113.9", false],
    ["::ffff:0:0/96", "203.0.113.9", true],
    ["::ffff:10.0.0.0/104", "10.1.2.3", true],
    ["::ffff:10.0.0.0/104", "11.1.2.3", false],
    ["2001:db8::/33", "2001:DB8:0:0:1::", true],
    ["2001:db8::/33", "2001:db8:8000::", false],
    ["*", "203.0.113.9", true],
    ["10.0.0.1, *", "2001:db8::1", true],
    ["*", "", true],
    ["10.0.0.1", "", true],
    ["", "", false],
    ["", "127.0.0.1", false],
    [" \t ", "127.0.0.1", false],
  ])("%j has %j: %s", (list, address, expected) => {
    expect(new TrustedPeers(list).has(address)).toBe(expected);
  });

  test.each([
    ["localhost", "localhost"],
    ["127.0.0.1,", '""'],
    ["127.0.0.1,,::1", '""'],
    ["127.0.0.1;::1", "127.0.0.1;::1"],
    ["127.0.0.1 ::1", "127.0.0.1 ::1"],
    ["[::1]", "[::1]"],
    ["10.0.0.256", "10.0.0.256"],
    ["010.0.0.1", "010.0.0.1"],
    ["10.*", "10.*"],
    ["*/0", "*/0"],
    ["::1, 10.0.0.0/33", "10.0.0.0/33"],
    ["10.0.0.0/08", "10.0.0.0/08"],
    ["10.0.0.0/", "10.0.0.0/"],
    ["10.0.0.0/-1", "10.0.0.0/-1"],
    ["10.0.0.0/8/8", "10.0.0.0/8/8"],
    ["10.0.0.0/255.0.0.0", "10.0.0.0/255.0.0.0"],
    ["::/129", "::/129"],
    ["::ffff:10.0.0.0/129", "::ffff:10.0.0.0/129"],
    ["::ffff:10.0.0.0/95", "::ffff:10.0.0.0/95"],
    ["10.0.0.1/8", "the network is 10.0.0.0/8"],
    ["::ffff:10.0.0.1/104", "the network is 10.0.0.0/8"],
    ["2001:db8::1/32", "the network is 2001:db8::/32"],
    ["10.0.0.1/0", "the network is 0.0.0.0/0"],
  ])("refuses %j, naming the entry", (list, part) => {
    expect(() => new TrustedPeers(list)).toThrow(part);
  });

  test("a network has exactly the addresses that begin with its prefix", () => {
    const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
    const bits = (parts: number[]): string => parts.map((part) => part.toString(2).padStart(8, "0")).join("");
    fc.assert(
      fc.property(
        ipv4,
        ipv4,
        fc.integer({ min: 0, max: 32 }),
        fc.integer({ min: 0, max: 32 }),
        (a, b, prefix, same) => {
          const other = bits(a).slice(0, same) + bits(b).slice(same);
          const network = bits(a).slice(0, prefix).padEnd(32, "0");
          const dotted = (all: string): string => all.match(/.{8}/g)!.map((octet) => parseInt(octet, 2)).join(".");
          const peers = new TrustedPeers(`${dotted(network)}/${prefix}`);
          expect(peers.has(dotted(other))).toBe(network.slice(0, prefix) === other.slice(0, prefix));
        },
      ),
    );
  });
});

describe("isForwarded", () => {
  test("knows each name in any case", () => {
    for (const name of FORWARDED_NAMES) {
      expect(isForwarded([["Host", "a"], [name.toUpperCase(), ""]])).toBe(true);
    }
  });

  test.each([
    "Host",
    "X-Forwarded",
    "X_Forwarded_For",
    "X-Forwarded-For2",
    "X-Requested-With",
    "From",
    "",
    "Forwardeds",
  ])(
    "%j is none of them",
    (name) => {
      expect(isForwarded([[name, "1.2.3.4"]])).toBe(false);
      expect(say([name, "1.2.3.4"])).toEqual({});
    },
  );

  test("no field gives one and the same object", () => {
    expect(say(["Host", "a"])).toBe(say());
  });
});

describe("Forwarded: RFC 7239 §4", () => {
  test.each<[string, Forwarded]>([
    // The examples of §4 and §7.1.
    ['For="[2001:db8:cafe::17]:4711"', { address: "2001:db8:cafe::17", port: 4711 }],
    ["for=192.0.2.60;proto=http;by=203.0.113.43", { address: "192.0.2.60", scheme: "http" }],
    ["for=192.0.2.43, for=198.51.100.17", { address: "198.51.100.17" }],
    ['for="_gazonk"', { address: "" }],
    ['for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', { address: "" }],
    // The grammar.
    ["FOR=192.0.2.1;PROTO=HTTPS;HOST=Example.com", { address: "192.0.2.1", scheme: "https", host: "Example.com" }],
    ['for="192.0.2.1:0"', { address: "192.0.2.1", port: 0 }],
    ['for="192.0.2.1:_odd"', { address: "192.0.2.1" }],
    ['for="unknown:80"', { address: "" }],
    ["for=Unknown", { address: "" }],
    ['for="_a.b-c:_d"', { address: "" }],
    ['for="\\1\\92.0.2.1"', { address: "192.0.2.1" }],
    ['for="[::ffff:192.0.2.1]"', { address: "192.0.2.1" }],
    [";;for=192.0.2.1;;", { address: "192.0.2.1" }],
    [", ,for=192.0.2.1, \t,", { address: "192.0.2.1" }],
    [" for=192.0.2.1 ; proto=https ", { address: "192.0.2.1", scheme: "https" }],
    ['secret="a,b;for=1.1.1.1\\"";for=192.0.2.1', { address: "192.0.2.1" }],
    ['secret="\xe4\t";for=192.0.2.1', { address: "192.0.2.1" }],
    ['host="example.com:8443"', { host: "example.com", hostPort: 8443 }],
    ['host="[2001:db8::1]:80"', { host: "[2001:db8::1]", hostPort: 80 }],
    ['host="example.com:"', { host: "example.com" }],
    ["host=a%20b", { host: "a%20b" }],
    ["proto=wss", { scheme: "https" }],
    ["", {}],
    [" , ", {}],
  ])("%s", (line, expected) => {
    expect(std(line)).toEqual(expected);
  });

  test.each([
    "for",
    "for=",
    "=192.0.2.1",
    "for = 192.0.2.1",
    "for=192.0.2.1 proto=https",
    "for=192.0.2.1:80",
    "for=[2001:db8::1]",
    'for="2001:db8::1"',
    'for="[192.0.2.1]"',
    'for="[2001:db8::1"',
    'for="[fe80::1%eth0]"',
    'for="192.0.2.1:65536"',
    'for="192.0.2.1:"',
    "for=192.0.2.01",
    "for=192.0.2",
    "for=example.com",
    "for=_",
    'for=""',
    'for="192.0.2.1',
    'for="192.0.2.1\\"',
    'for="192.0.2.1"x',
    "for='192.0.2.1'",
    "for=192.0.2.1\0",
    'for="192.0.2.1\0"',
    "for=192.0.2.1\u0661",
    'for="\u4e2d"',
    "\xa0for=192.0.2.1",
    "for=192.0.2.1;for=192.0.2.1",
    "for=192.0.2.1;For=192.0.2.2",
    "for=192.0.2.1;x=1;X=2",
    "proto=ftp",
    'proto=""',
    "proto=__proto__",
    "proto=constructor",
    'host=""',
    'host="a b"',
    'host="a/b"',
    'host="a@b"',
    'host="a:b"',
    'host="a:65536"',
    'host="a:80:80"',
    'host="[::1"',
    'host="[1.2.3.4]"',
    'host="[v1.a]"',
    'host="a%2"',
    'host="\xe4"',
    "host=a:80",
    "garbage, for=192.0.2.1",
  ])("refuses %j", (line) => {
    expect(std(line)).toEqual(REFUSED);
  });

  test("a line must be whole by itself, or a client could swallow what its proxy adds", () => {
    expect(std('for=6.6.6.6;x="', 'for=192.0.2.1;by="_p"')).toEqual(REFUSED);
    expect(std('for=6.6.6.6;x=", for=192.0.2.1')).toEqual(REFUSED);
    expect(std('for=6.6.6.6;x=", for="[2001:db8::1]"')).toEqual(REFUSED);
    expect(std('for=6.6.6.6;x="\\, for="[2001:db8::1]";by="[::1]"')).toEqual(REFUSED);
  });
});

describe("Forwarded: the chain of trust", () => {
  test("the client's own elements are not believed", () => {
    expect(std("for=127.0.0.1;proto=https;host=evil, for=192.0.2.1;proto=http")).toEqual({
      address: "192.0.2.1",
      scheme: "http",
    });
    expect(std('for=127.0.0.1;proto=ftp;host="", for=192.0.2.1')).toEqual({ address: "192.0.2.1" });
  });

  test("a trusted address vouches for the element on its left, over all lines", () => {
    expect(std("for=6.6.6.6", "for=192.0.2.1;proto=https;host=a, for=10.0.0.2;proto=http;host=b", "for=10.0.0.1"))
      .toEqual(
        { address: "192.0.2.1", scheme: "https", host: "a" },
      );
  });

  test("where the outermost proxy is silent, the next one's word counts", () => {
    expect(std("for=192.0.2.1, for=10.0.0.2;proto=https;host=b")).toEqual({
      address: "192.0.2.1",
      scheme: "https",
      host: "b",
    });
  });

  test("all trusted: the leftmost", () => {
    expect(std("for=10.0.0.3, for=10.0.0.2")).toEqual({ address: "10.0.0.3" });
    expect(forwarded([["Forwarded", "for=6.6.6.6, for=192.0.2.1"]], new TrustedPeers("*"))).toEqual({
      address: "6.6.6.6",
    });
  });

  test("a node that hides ends the walk, and is not its proxy", () => {
    expect(std("for=192.0.2.1, for=_hidden, for=10.0.0.2")).toEqual({ address: "" });
  });

  test("an element without for= ends the walk", () => {
    expect(std("for=6.6.6.6, proto=https, for=10.0.0.2")).toEqual({ address: "10.0.0.2", scheme: "https" });
    expect(std("for=6.6.6.6, proto=https")).toEqual({ scheme: "https" });
  });
});

describe("X-Forwarded-For", () => {
  test.each<[string[], Forwarded]>([
    [["192.0.2.1"], { address: "192.0.2.1" }],
    [["127.0.0.1, 192.0.2.1"], { address: "192.0.2.1" }],
    [["6.6.6.6,192.0.2.1 ,10.0.0.2\t,\t10.0.0.1"], { address: "192.0.2.1" }],
    [["6.6.6.6", "192.0.2.1", "10.0.0.1"], { address: "192.0.2.1" }],
    [["192.0.2.1", "10.0.0.1, "], { address: "192.0.2.1" }],
    [["10.0.0.2, 10.0.0.1"], { address: "10.0.0.2" }],
    [["2001:DB8::0001"], { address: "2001:db8::1" }],
    [["[2001:db8::1]"], { address: "2001:db8::1" }],
    [["[2001:db8::1]:443"], { address: "2001:db8::1", port: 443 }],
    [["192.0.2.1:4711"], { address: "192.0.2.1", port: 4711 }],
    [["192.0.2.1:4711, 10.0.0.1:80"], { address: "192.0.2.1", port: 4711 }],
    [["192.0.2.1, ::ffff:10.0.0.1"], { address: "192.0.2.1" }],
    [["::ffff:192.0.2.1"], { address: "192.0.2.1" }],
    [["unknown"], { address: "" }],
    [["127.0.0.1, unknown, 10.0.0.2"], { address: "" }],
    [[""], {}],
    [[" , ,, "], {}],
  ])("%j", (lines, expected) => {
    expect(xff(...lines)).toEqual(expected);
  });

  test.each([
    "garbage",
    "192.0.2.1\0",
    "192.0.2.1\xa0",
    "192.0.2.\u0661",
    "\uff11.2.3.4",
    "192.0.2.01",
    "192.0.2.1:65536",
    "192.0.2.1:",
    '"192.0.2.1"',
    "192.0.2.1 127.0.0.1",
    "192.0.2.1;127.0.0.1",
    "[192.0.2.1]",
    "fe80::1%lo",
    "0x7f000001",
    "2130706433",
    "for=192.0.2.1",
    "<script>",
  ])("stops in front of %j", (entry) => {
    expect(xff(`192.0.2.9, ${entry}, 10.0.0.1`)).toEqual({ address: "10.0.0.1" });
    expect(xff(`127.0.0.1, ${entry}`)).toEqual({ address: "" });
    expect(xff(`${entry}, 192.0.2.9`)).toEqual({ address: "192.0.2.9" });
  });

  test("a long list is not read beyond the client", () => {
    const spoofed = "127.0.0.1,".repeat(1_000_000);
    // A million entries, a hundred times: who reads them all does not come to an end of this test.
    for (let i = 0; i < 100; i++) expect(xff(`${spoofed} 192.0.2.1`)).toEqual({ address: "192.0.2.1" });
    expect(xff(spoofed)).toEqual(REFUSED);
  });

  test("a client behind honest proxies gets its own address, whatever it says", () => {
    const proxies = fc.array(fc.integer({ min: 1, max: 254 }).map((n) => `10.0.0.${n}`), { maxLength: 5 });
    const spoofs = fc.array(fc.oneof(fc.string(), fc.constantFrom("127.0.0.1", "10.0.0.9", ",", '"', "unknown")));
    fc.assert(
      fc.property(spoofs, proxies, fc.boolean(), (spoofs, proxies, apart) => {
        const chain = [...spoofs, "192.0.2.1", ...proxies];
        expect(apart ? xff(...chain) : xff(chain.join(", "))).toEqual({ address: "192.0.2.1" });
      }),
    );
  });
});

describe("X-Real-IP", () => {
  test("counts alone", () => {
    expect(say(["X-Real-IP", "192.0.2.1"])).toEqual({ address: "192.0.2.1" });
    expect(say(["x-real-ip", " ::FFFF:192.0.2.1 "])).toEqual({ address: "192.0.2.1" });
    expect(say(["X-Real-IP", "192.0.2.1"], ["X-Real-IP", "192.0.2.1"])).toEqual({ address: "192.0.2.1" });
  });

  test.each(["192.0.2.1:80", "unknown", "garbage", "192.0.2.1, 192.0.2.2"])("refuses %j", (value) => {
    expect(say(["X-Real-IP", value])).toEqual(REFUSED);
  });

  test("beside a chain, must be one of those that it passed", () => {
    expect(say(["X-Real-IP", "192.0.2.1"], ["X-Forwarded-For", "6.6.6.6, 192.0.2.1"])).toEqual({
      address: "192.0.2.1",
    });
    expect(say(["X-Real-IP", "10.0.0.2"], ["X-Forwarded-For", "192.0.2.1, 10.0.0.2"])).toEqual({
      address: "192.0.2.1",
    });
    expect(say(["X-Real-IP", "6.6.6.6"], ["X-Forwarded-For", "6.6.6.6, 192.0.2.1"])).toEqual(REFUSED);
    expect(say(["X-Real-IP", "192.0.2.1"], ["X-Forwarded-For", "127.0.0.1"])).toEqual(REFUSED);
    expect(say(["X-Real-IP", "192.0.2.1"], ["Forwarded", "for=127.0.0.1"])).toEqual(REFUSED);
    expect(say(["X-Real-IP", "192.0.2.1"], ["Forwarded", "proto=https"])).toEqual({
      address: "192.0.2.1",
      scheme: "https",
    });
  });
});

describe("the scheme", () => {
  test.each<[Field[], Forwarded["scheme"]]>([
    [[["X-Forwarded-Proto", "https"]], "https"],
    [[["X-FORWARDED-PROTO", " HTTPS "]], "https"],
    [[["X-Forwarded-Proto", "http"]], "http"],
    [[["X-Forwarded-Proto", "wss"]], "https"],
    [[["X-Forwarded-Proto", "https,https"], ["X-Forwarded-Proto", "https"]], "https"],
    [[["X-Forwarded-Ssl", "on"]], "https"],
    [[["X-Forwarded-Ssl", "off"]], "http"],
    [[["X-Forwarded-Protocol", "ssl"]], "https"],
    [[["X-Forwarded-Proto", "https"], ["X-Forwarded-Ssl", "on"], ["X-Forwarded-Protocol", "ssl"]], "https"],
    [[["X-Forwarded-Proto", ""]], undefined],
    [[["X-Forwarded-Proto", "https"], ["Forwarded", "for=192.0.2.1;proto=https"]], "https"],
  ])("%j: %s", (fields, expected) => {
    const result = say(...fields);
    expect(result).not.toHaveProperty("error");
    expect((result as Forwarded).scheme).toBe(expected);
  });

  test.each<[Field[]]>([
    [[["X-Forwarded-Proto", "https"], ["X-Forwarded-Ssl", "off"]]],
    [[["X-Forwarded-Proto", "http"], ["X-Forwarded-Protocol", "ssl"]]],
    [[["X-Forwarded-Proto", "https, http"]]],
    [[["X-Forwarded-Proto", "https"], ["x-forwarded-proto", "http"]]],
    [[["X-Forwarded-Proto", "http"], ["Forwarded", "proto=https"]]],
    [[["X-Forwarded-Proto", "ssl"]]],
    [[["X-Forwarded-Proto", "https\0"]]],
    [[["X-Forwarded-Proto", "http\u017f"]]],
    [[["X-Forwarded-Proto", "__proto__"]]],
    [[["X-Forwarded-Ssl", "1"]]],
    [[["X-Forwarded-Protocol", "tls"]]],
  ])("refuses %j", (fields) => expect(say(...fields)).toEqual(REFUSED));
});

describe("the host", () => {
  test.each<[Field[], Forwarded]>([
    [[["X-Forwarded-Host", "example.com"]], { host: "example.com" }],
    [[["X-Forwarded-Host", "example.com:8443"]], { host: "example.com", hostPort: 8443 }],
    [[["X-Forwarded-Host", "[::1]:80"]], { host: "[::1]", hostPort: 80 }],
    [[["X-Forwarded-Host", "evil, example.com"]], { host: "example.com" }],
    [[["X-Forwarded-Host", "evil"], ["X-Forwarded-Host", "example.com, "]], { host: "example.com" }],
    [[["X-Forwarded-Host", "a b, example.com"]], { host: "example.com" }],
    [[["X-Forwarded-Host", ""]], {}],
    [[["X-Forwarded-Port", "443"]], { hostPort: 443 }],
    [[["X-Forwarded-Port", "1, 443"]], { hostPort: 443 }],
    [[["X-Forwarded-Host", "a"], ["X-Forwarded-Port", "8080"]], { host: "a", hostPort: 8080 }],
    [[["X-Forwarded-Host", "a:"], ["X-Forwarded-Port", "8080"]], { host: "a", hostPort: 8080 }],
    [[["X-Forwarded-Host", "a:8443"], ["X-Forwarded-Port", "443"]], { host: "a", hostPort: 8443 }],
    [[["X-Forwarded-Host", "A"], ["Forwarded", "host=a"], ["X-Forwarded-Port", "1"]], { host: "a", hostPort: 1 }],
  ])("%j", (fields, expected) => expect(say(...fields)).toEqual(expected));

  test.each<[Field[]]>([
    [[["X-Forwarded-Host", "a b"]]],
    [[["X-Forwarded-Host", "example.com/path"]]],
    [[["X-Forwarded-Host", "user@example.com"]]],
    [[["X-Forwarded-Host", "example.com\r\nSet-Cookie: a"]]],
    [[["X-Forwarded-Host", "example.com\0"]]],
    [[["X-Forwarded-Host", "ex\xe4mple.com"]]],
    [[["X-Forwarded-Host", "2001:db8::1"]]],
    [[["X-Forwarded-Host", "[::1]x"]]],
    [[["X-Forwarded-Host", "[:::]"]]],
    [[["X-Forwarded-Host", ":80"]]],
    [[["X-Forwarded-Host", "a:99999"]]],
    [[["X-Forwarded-Host", "a:000080"]]],
    [[["X-Forwarded-Port", "65536"]]],
    [[["X-Forwarded-Port", "-1"]]],
    [[["X-Forwarded-Port", "443 "], ["X-Forwarded-Port", "https"]]],
    [[["X-Forwarded-Host", "a"], ["Forwarded", "host=b"]]],
    [[["X-Forwarded-Host", "a:80"], ["Forwarded", "host=a"]]],
  ])("refuses %j", (fields) => expect(say(...fields)).toEqual(REFUSED));
});

describe("Forwarded beside X-Forwarded-For", () => {
  test("agreeing", () => {
    expect(say(["Forwarded", 'for="192.0.2.1:4711";proto=https'], ["X-Forwarded-For", "192.0.2.1"])).toEqual({
      address: "192.0.2.1",
      port: 4711,
      scheme: "https",
    });
  });

  test("a proxy that knows one of them passes the client's word in the other: refused", () => {
    expect(say(["Forwarded", "for=127.0.0.1"], ["X-Forwarded-For", "192.0.2.1"])).toEqual(REFUSED);
    expect(say(["Forwarded", "for=192.0.2.1"], ["X-Forwarded-For", "127.0.0.1"])).toEqual(REFUSED);
    expect(say(["Forwarded", "for=unknown"], ["X-Forwarded-For", "192.0.2.1"])).toEqual(REFUSED);
  });
});

describe("any fields", () => {
  const name = fc.constantFrom(...FORWARDED_NAMES).map((name) => name.replace(/^./, (c) => c.toUpperCase()));
  const words = fc.array(
    fc.constantFrom(
      "for=",
      "proto=",
      "host=",
      '"',
      "\\",
      ",",
      ";",
      " ",
      "\t",
      "[",
      "]",
      ":",
      "::1",
      "10.0.0.1",
      "192.0.2.1",
      "https",
      "on",
      "80",
      "_a",
      "\0",
      "\xe4",
      "é中",
    ),
    { maxLength: 12 },
  ).map((parts) => parts.join(""));
  const value = fc.oneof(fc.string(), fc.string({ unit: "binary" }), words);

  test("give a result or an error, and nothing that a CGI variable could not hold", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }), (fields) => {
        const result = forwarded(fields, LOCAL);
        if ("error" in result) {
          expect(result).toEqual(REFUSED);
          return;
        }
        for (const [key, value] of Object.entries(result)) {
          if (key === "address") expect(value).toMatch(/^[0-9a-f:.]*$/);
          else if (key === "scheme") expect(value).toMatch(/^https?$/);
          else if (key === "host") expect(value).toMatch(/^[!-~]+$/);
          else expect(value >= 0 && value <= 65535 && Number.isInteger(value)).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    ["spaces", " ".repeat(200_000) + "\0"],
    ["tokens", "a".repeat(200_000) + "\0"],
    ["pairs", "a=b;".repeat(50_000)],
    ["spaces behind a value", "a=b" + " ".repeat(200_000) + "\0"],
    ["an open quote", 'a="' + "\\a".repeat(100_000)],
    ["commas", ",".repeat(200_000)],
    ["semicolons", ";".repeat(200_000)],
    ["elements", "for=10.0.0.1,".repeat(20_000)],
    ["percents", "%20".repeat(70_000) + "%"],
  ])("take linear time: %s", (_, value) => {
    // What takes quadratic time does not come to its end within the test's time limit.
    for (const name of FORWARDED_NAMES) expect(forwarded([[name, value]], LOCAL)).toBeTypeOf("object");
  });
});
