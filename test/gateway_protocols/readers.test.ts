// The readers of uwsgi, FastCGI and SCGI, case by case; each case is fed whole, byte by byte, and split everywhere.

import { describe, expect, test } from "vitest";
import { NAMES, type Outcome, readEveryWay } from "./feed.ts";
import { begin, fastcgi, pairs, record, records, scgi, scgiRaw, stream, uwsgi, variables } from "./packets.ts";

const VARIABLES = variables();
const POST = variables({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "5" });
const SEND = { uwsgi, fastcgi, scgi };

function reasonOf({ fault }: Outcome): string {
  return fault === null ? "no fault" : `${fault.status} ${fault.reason}`;
}

describe.each(NAMES)("%s", (name) => {
  const send = SEND[name];

  test("a request without a body", () => {
    const { requests, fault } = readEveryWay(name, send(VARIABLES));
    expect(fault).toBeNull();
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ body: "", bodyLength: 0, state: "complete", keeps: false });
    const told = Object.fromEntries(requests[0]!.variables);
    for (const [key, value] of VARIABLES) if (key !== "CONTENT_LENGTH") expect(told[key]).toBe(value);
  });

  test("a request with a body", () => {
    const { requests } = readEveryWay(name, send(POST, "hello"));
    expect(requests[0]).toMatchObject({ body: "hello", bodyLength: 5, state: "complete" });
  });

  test("a body that is not all there is not complete", () => {
    const packet = name === "fastcgi"
      ? begin(1) + stream(4, pairs(POST)) + record(5, 1, "hel")
      : send(POST, "hello").slice(0, -2);
    const { requests, fault, idle } = readEveryWay(name, packet);
    expect(requests[0]).toMatchObject({ body: "hel", state: "open" });
    expect([fault, idle]).toEqual([null, false]);
  });

  test("values have all bytes, and may be empty and long", () => {
    const value = Array.from({ length: 1000 }, (_, i) => String.fromCharCode(i % 255 + 1)).join("");
    const { requests } = readEveryWay(name, send([...VARIABLES, ["HTTP_X", value], ["HTTP_Y", ""]]));
    const told = Object.fromEntries(requests[0]!.variables);
    expect([told.HTTP_X, told.HTTP_Y]).toEqual([value, ""]);
  });

  test("more variables than the limit are refused", () => {
    const many = Array.from({ length: 40 }, (_, i): [string, string] => [`V${i}`, "x"]);
    expect(reasonOf(readEveryWay(name, send([...VARIABLES, ...many]), { size: 9999, count: 40 }))).toMatch(
      /^431 .*too many variables/,
    );
  });

  test("longer variables than the limit are refused, before they are there", () => {
    const long = send([...VARIABLES, ["X", "x".repeat(3000)]]);
    expect(reasonOf(readEveryWay(name, long, { size: 2000, count: 100 }))).toMatch(/^431 .*limit_request_head/);
    expect(reasonOf(readEveryWay(name, long.slice(0, 40), { size: 2000, count: 100 }))).toMatch(/^431 /);
  });

  test.each([["x"], ["-1"], ["1 "], ["0x1"], ["9999999999999999"]])("CONTENT_LENGTH %j is refused", (length) => {
    const sent = variables({ CONTENT_LENGTH: length });
    const packet = name === "scgi"
      ? scgiRaw([["CONTENT_LENGTH", length], ["SCGI", "1"], ...VARIABLES.filter(([key]) => key !== "CONTENT_LENGTH")])
      : send(sent);
    expect(reasonOf(readEveryWay(name, packet))).toBe("400 CONTENT_LENGTH is no number (RFC 3875 §4.1.2)");
  });

  test("two CONTENT_LENGTH that differ are refused, two that agree are not", () => {
    const twice = (second: string): Outcome => readEveryWay(name, send([...POST, ["CONTENT_LENGTH", second]], "hello"));
    if (name === "scgi") return; // packets.ts puts the one in front.
    expect(reasonOf(twice("6"))).toBe("400 two different CONTENT_LENGTH");
    expect(twice("5").requests[0]).toMatchObject({ body: "hello", state: "complete" });
  });

  test("SCGI, too: two CONTENT_LENGTH that differ are refused", () => {
    const packet = scgiRaw([["CONTENT_LENGTH", "5"], ["SCGI", "1"], ["CONTENT_LENGTH", "6"]], "hello");
    expect(reasonOf(readEveryWay("scgi", packet))).toBe("400 two different CONTENT_LENGTH");
  });

  test.each([
    ["HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["HTTP", "POST / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["HTTP", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["the PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"],
    ["uwsgi", uwsgi(VARIABLES)],
    ["FastCGI", fastcgi(VARIABLES)],
    ["SCGI", scgi(VARIABLES)],
  ])("%s is named in the reason", (what, text) => {
    const outcome = readEveryWay(name, text);
    if (what.toLowerCase() === name) expect(outcome.fault).toBeNull();
    else expect(reasonOf(outcome)).toMatch(new RegExp(`^400 .*; the peer speaks ${what}$`));
  });

  test("a first word that is nothing known is refused without a guess", () => {
    expect(reasonOf(readEveryWay(name, "\xff\xff\xff\xff\xff\xff\xff\xff\xff"))).not.toMatch(/speaks|no fault/);
  });
});

describe("uwsgi", () => {
  test("modifier1 30 is a request, too", () => {
    expect(readEveryWay("uwsgi", uwsgi(VARIABLES, "", 30)).requests).toHaveLength(1);
  });

  test("other modifiers are refused", () => {
    expect(reasonOf(readEveryWay("uwsgi", uwsgi(VARIABLES, "", 5)))).toBe(
      "400 uwsgi: modifier1 is 5, which is not spoken here",
    );
  });

  test("a ping is answered, and a request may follow", () => {
    const { reply, requests, fault } = readEveryWay("uwsgi", `d\0\0\0d\0\0\0${uwsgi(VARIABLES)}`);
    expect([reply, requests.length, fault]).toEqual(["d\0\0\x01d\0\0\x01", 1, null]);
  });

  test("pings without end, or with content, are refused", () => {
    expect(reasonOf(readEveryWay("uwsgi", "d\0\0\0".repeat(20)))).toBe("400 uwsgi: too many pings");
    expect(reasonOf(readEveryWay("uwsgi", "d\x01\0\0x"))).toBe("400 uwsgi: a ping with content");
  });

  test.each([
    ["a key's length", "\0\x03\0\0\x09\0a"],
    ["a value's length", "\0\x05\0\0\x01\0a\x09\0"],
    ["half a length", "\0\x01\0\0\x01"],
    ["no value at all", "\0\x03\0\0\x01\0a"],
  ])("%s that runs over the end is refused", (_what, packet) => {
    expect(reasonOf(readEveryWay("uwsgi", packet))).toBe("400 uwsgi: a length that runs over the end of the packet");
  });

  test("bytes after the request are refused", () => {
    expect(reasonOf(readEveryWay("uwsgi", uwsgi(POST, "hello!")))).toBe("400 uwsgi: bytes after the request");
  });

  test("a body whose end nobody can tell is refused", () => {
    const sent = variables({ HTTP_TRANSFER_ENCODING: "chunked" });
    expect(reasonOf(readEveryWay("uwsgi", uwsgi(sent, "x")))).toMatch(/^400 a body without CONTENT_LENGTH/);
    expect(reasonOf(readEveryWay("uwsgi", uwsgi([...POST, ["HTTP_TRANSFER_ENCODING", "chunked"]], "hello")))).toBe(
      "no fault",
    );
  });
});

describe("SCGI", () => {
  test("CONTENT_LENGTH 0, which must always be there, says nothing of a field", () => {
    const { requests } = readEveryWay("scgi", scgi(VARIABLES));
    expect(Object.fromEntries(requests[0]!.variables).CONTENT_LENGTH).toBeUndefined();
  });

  test.each([
    ["no length", ":,,,", "SCGI: no netstring"],
    ["no digits", "x5:a", "SCGI: no netstring"],
    ["a space", "12 :a", "SCGI: no netstring"],
    ["a length without end", "1".repeat(40), "SCGI: the length of the netstring is too long"],
    ["no comma", "5:a\0b\0\0;", "SCGI: no comma where the netstring ends"],
    ["no end", "00003:a\0b,", "SCGI: the last variable has no end"],
    ["a name alone", "0002:a\0,", "SCGI: a name without a value"],
    ["nothing", "000:,", "SCGI: CONTENT_LENGTH does not come first"],
    ["another order", scgiRaw([["SCGI", "1"], ["CONTENT_LENGTH", "0"]]), "SCGI: CONTENT_LENGTH does not come first"],
    ["no SCGI", scgiRaw([["CONTENT_LENGTH", "0"]]), 'SCGI: there is no variable SCGI that is "1"'],
    ["SCGI 2", scgiRaw([["CONTENT_LENGTH", "0"], ["SCGI", "2"]]), 'SCGI: there is no variable SCGI that is "1"'],
    ["more than a request", `${scgi(VARIABLES)}x`, "SCGI: bytes after the request"],
  ])("%s is refused", (_what, text, reason) => {
    expect(reasonOf(readEveryWay("scgi", text))).toBe(`400 ${reason}`);
  });
});

describe("FastCGI", () => {
  test("streams come in records of any size, with padding", () => {
    const options = { size: 7, padding: 5, keep: true, id: 0x1234 };
    const { requests } = readEveryWay("fastcgi", fastcgi([...POST, ["HTTP_X", "y".repeat(300)]], "hello", options));
    expect(requests[0]).toMatchObject({ body: "hello", state: "complete", keeps: true });
    expect(requests[0]!.variables.at(-1)).toEqual(["HTTP_X", "y".repeat(300)]);
  });

  test("a body without CONTENT_LENGTH has a length that only its end tells", () => {
    const { requests } = readEveryWay("fastcgi", fastcgi(variables({ HTTP_TRANSFER_ENCODING: "chunked" }), "hello"));
    expect(requests[0]).toMatchObject({ body: "hello", bodyLength: -1, state: "complete" });
  });

  test.each([
    ["STDIN longer than CONTENT_LENGTH", fastcgi(POST, "hello!"), "STDIN is longer than CONTENT_LENGTH (§6.2)"],
    ["STDIN shorter than CONTENT_LENGTH", fastcgi(POST, "hell"), "STDIN is shorter than CONTENT_LENGTH (§6.2)"],
    ["STDIN for no body", fastcgi(VARIABLES, "x"), "STDIN is longer than CONTENT_LENGTH (§6.2)"],
    ["STDIN too early", begin(1) + record(5, 1, "x"), "STDIN before the end of PARAMS (§6.2)"],
    ["STDIN too late", fastcgi(VARIABLES) + record(5, 1, ""), "STDIN after its end (§5.3)"],
    ["PARAMS too late", fastcgi(VARIABLES) + record(4, 1, "x"), "PARAMS after their end (§5.2)"],
    ["a second BEGIN_REQUEST", begin(1) + begin(1), "BEGIN_REQUEST for a request that has begun (§5.1)"],
    ["a short BEGIN_REQUEST", record(1, 1, "\0\x01"), "malformed BEGIN_REQUEST (§5.1)"],
    ["BEGIN_REQUEST of request 0", begin(0), "malformed BEGIN_REQUEST (§5.1)"],
    ["a long BEGIN_REQUEST", record(1, 1, "x".repeat(9)), "a record is longer than it can be"],
    ["a length of a pair", begin(1) + stream(4, "\x05\x05ab"), "a length that runs over the end (§3.4)"],
    [
      "a long length of a pair",
      begin(1) + stream(4, "\xff\xff\xff\xff\x01a"),
      "a length that runs over the end (§3.4)",
    ],
    ["half a length", begin(1) + stream(4, "\x01\x80\0\0"), "a length that is cut off (§3.4)"],
    ["another version", begin(1) + "\x02\x04\0\x01\0\0\0\0", "version 2 of a record"],
    ["a question without end", record(9, 0, "x".repeat(2000)), "a record is longer than it can be"],
    ["questions without end", record(9, 0, "").repeat(17), "too many records that want an answer"],
  ])("%s is refused", (_what, text, reason) => {
    expect(reasonOf(readEveryWay("fastcgi", text))).toBe(`400 FastCGI: ${reason}`);
  });

  test("§3.3: a second request at the same time is told that there is one at a time, and its records are skipped", () => {
    const second = fastcgi(POST, "hello", { id: 2, padding: 3 });
    const { requests, reply, fault } = readEveryWay(
      "fastcgi",
      begin(1) + second + stream(4, pairs(VARIABLES)) + stream(5, ""),
    );
    expect([requests.length, requests[0]!.state, fault]).toEqual([1, "complete", null]);
    expect(records(reply)).toEqual([{ type: 3, id: 2, content: "\0\0\0\0\x01\0\0\0" }]);
  });

  test("§4.1: GET_VALUES is answered with what is known", () => {
    const names = ["FCGI_MPXS_CONNS", "FCGI_WHATEVER", "FCGI_MAX_CONNS", "FCGI_MPXS_CONNS", "FCGI_MAX_REQS"];
    const { reply, idle } = readEveryWay("fastcgi", record(9, 0, pairs(names.map((name) => [name, ""])), 4));
    const known = pairs([["FCGI_MPXS_CONNS", "0"], ["FCGI_MAX_CONNS", "1000"], ["FCGI_MAX_REQS", "1000"]]);
    expect(records(reply)).toEqual([{ type: 10, id: 0, content: known }]);
    expect(idle).toBe(true);
  });

  test("§4.2: an unknown type is answered with UNKNOWN_TYPE", () => {
    const { reply, fault } = readEveryWay("fastcgi", record(77, 0, "whatever", 2));
    expect(records(reply)).toEqual([{ type: 11, id: 0, content: "M\0\0\0\0\0\0\0" }]);
    expect(fault).toBeNull();
  });

  test("§6: other roles than the responder's are refused", () => {
    const { reply, fault } = readEveryWay("fastcgi", begin(3, { role: 2 }));
    expect(records(reply)).toEqual([{ type: 3, id: 3, content: "\0\0\0\0\x03\0\0\0" }]);
    expect(fault!.reason).toBe("FastCGI: role 2; only the responder's is served (§6)");
  });

  test("§5.4: ABORT_REQUEST is told, or answered before anybody knows of the request", () => {
    const known = readEveryWay("fastcgi", begin(1) + stream(4, pairs(POST)) + record(5, 1, "he") + record(2, 1, ""));
    expect(known.requests[0]).toMatchObject({ body: "he", state: "aborted" });
    const unknown = readEveryWay(
      "fastcgi",
      begin(1) + record(4, 1, pairs(POST)) + record(2, 1, "") + fastcgi(POST, "hello"),
    );
    expect(unknown.requests.map(({ state }) => state)).toEqual(["complete"]);
    expect(records(unknown.reply).map(({ type }) => type)).toEqual([6, 3]);
  });
});
