// A PROXY header in front of HTTP, through the server and in memory: who may send one, what the application then sees, and
// what becomes of one that is late, cut off or wrong. What a header may be: test/gateway_protocols/proxy_protocol.test.ts.

import { describe, expect, test } from "vitest";
import type { Options } from "../../src/config/settings.ts";
import type { Application } from "../../src/esgi/application.ts";
import { GET, serve, type Served, settle, status, useClock } from "./harness.ts";

useClock();

const V1 = "PROXY TCP4 203.0.113.7 198.51.100.2 4711 443\r\n";
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** Version 2, TCP over IPv4, of the same ends as {@link V1}. */
function v2(tlvs = "", command = 1): string {
  const ends = String.fromCharCode(203, 0, 113, 7, 198, 51, 100, 2, 4711 >> 8, 4711 & 255, 443 >> 8, 443 & 255);
  const block = ends + tlvs;
  return `${SIGNATURE}${String.fromCharCode(0x20 | command, 0x11, block.length >> 8, block.length & 255)}${block}`;
}

function tlv(type: number, value: string): string {
  return String.fromCharCode(type, value.length >> 8, value.length & 255) + value;
}

/** PP2_TYPE_SSL of a client that spoke TLS 1.3, and PP2_TYPE_AUTHORITY. */
const TLS = tlv(0x20, `\x01\0\0\0\0${tlv(0x21, "TLSv1.3")}`) + tlv(0x02, "shop.example");

const tell: Application = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  const { REMOTE_ADDR, REMOTE_PORT, SERVER_NAME, SERVER_PORT } = environ;
  const tls = environ["esgi.tls"];
  return [REMOTE_ADDR, REMOTE_PORT, SERVER_NAME, SERVER_PORT, environ["esgi.url_scheme"], JSON.stringify(tls)].join(
    " ",
  );
};

const proxied = (options: Options): Promise<Served> => serve(tell, { proxy_allow_ips: "192.0.2.1", ...options });

const bodyOf = (received: string): string => received.slice(received.indexOf("\r\n\r\n") + 4);

describe("a header of a peer that may send one", () => {
  test.each(
    [
      ["v1", V1, "203.0.113.7 4711 198.51.100.2 443 http "],
      ["v2", v2(), "203.0.113.7 4711 198.51.100.2 443 http "],
      ["v2", v2(TLS), '203.0.113.7 4711 198.51.100.2 443 https {"protocol":"TLSv1.3","serverName":"shop.example"}'],
      ["auto", v2(tlv(0xe0, "x".repeat(4000))), "203.0.113.7 4711 198.51.100.2 443 http "],
      ["required", v2("", 0), "192.0.2.1 40000 192.0.2.2 80 http "],
    ] as const,
  )("%s tells who the client is, for all requests, whole and byte by byte", async (mode, header, told) => {
    const { runtime, refused } = await proxied({ proxy_protocol: mode });
    for (const size of [1, 7, 10_000]) {
      const client = runtime.connect();
      const text = header + GET + GET;
      for (let at = 0; at < text.length; at += size) void client.send(text.slice(at, at + size));
      expect(client.received.match(/\r\n\r\n[^]*?(?=HTTP|$)/g)!.map(bodyOf)).toEqual([told, told]);
    }
    expect(refused).toEqual([]);
  });

  test.each([["v1", v2()], ["v2", V1]] as const)("%s does not read the other version", async (mode, header) => {
    const { runtime, refused } = await proxied({ proxy_protocol: mode });
    const client = runtime.connect();
    void client.send(header + GET);
    expect([status(client), client.ended]).toEqual(["HTTP/1.1 400", true]);
    expect(refused).toEqual([expect.objectContaining({ reason: expect.stringMatching(/PROXY header/) })]);
  });

  test.each([
    ["cut off by its length", SIGNATURE + "\x21\x11\0\x04\x01\x02\x03\x04", /shorter than its addresses/],
    ["with a TLV that runs over the end", v2("\x02\0\x09short"), /TLV runs over the end/],
    ["with half a TLV", v2("\x02\0"), /TLV runs over the end/],
    ["with TLVs beyond the limit", v2(tlv(0xe0, "x".repeat(5000))), /longer than 4096 bytes/],
    ["that says to be as long as can be", `${SIGNATURE}\x21\x11\xff\xff`, /longer than 4096 bytes/],
    ["with a line without end", `PROXY TCP4 ${"1".repeat(200)}`, /line longer than 107 bytes/],
    ["of another family than its addresses", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", /address or port not valid/],
    ["with a port beyond 65535", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", /address or port not valid/],
    ["a second one", V1 + V1, /a PROXY header where a request line should be/],
  ])("%s is refused, in one line, and nothing after it is read", async (_what, header, reason) => {
    const { runtime, refused, server } = await proxied({ proxy_protocol: "auto" });
    for (const size of [1, 10_000]) {
      const client = runtime.connect();
      const text = header + GET;
      for (let at = 0; at < text.length; at += size) void client.send(text.slice(at, at + size));
      expect([status(client), client.received.includes("200 OK"), client.ended]).toEqual(["HTTP/1.1 400", false, true]);
      client.end();
    }
    expect(refused.map(({ reason }) => reason)).toEqual(Array(2).fill(expect.stringMatching(reason)));
    await settle();
    expect(server.connections).toBe(0);
  });

  test("where it is required, what comes without one is refused", async () => {
    const { runtime, refused } = await proxied({ proxy_protocol: "required" });
    const client = runtime.connect();
    void client.send(GET);
    expect([status(client), client.ended]).toEqual(["HTTP/1.1 400", true]);
    expect(refused).toEqual([{ status: 400, reason: "a PROXY header is required", remote: "192.0.2.1" }]);
  });

  test.each([["auto"], ["required"]] as const)(
    "%s: a header that trickles in has header_timeout, and is 408",
    async (mode) => {
      const { runtime, refused, pass } = await proxied({ proxy_protocol: mode, header_timeout: 10 });
      const client = runtime.connect();
      for (const byte of V1.slice(0, 8)) {
        void client.send(byte);
        pass(1);
      }
      expect(client.received).toBe("");
      pass(4);
      expect([status(client), client.ended]).toEqual(["HTTP/1.1 408", true]);
      expect(refused).toHaveLength(1);
    },
  );

  test("the head behind it has what is left of header_timeout", async () => {
    const { runtime, pass } = await proxied({ proxy_protocol: "auto", header_timeout: 10 });
    const client = runtime.connect();
    void client.send(V1.slice(0, 9));
    pass(6);
    void client.send(V1.slice(9) + "GET");
    pass(6);
    expect([status(client), client.ended]).toEqual(["HTTP/1.1 408", true]);
  });

  test("a connection that ends within it is refused; one that says nothing, or only a header, just ends", async () => {
    const { runtime, refused, server } = await proxied({ proxy_protocol: "auto", header_timeout: 10 });
    const cut = runtime.connect();
    void cut.send(V1.slice(0, 20));
    cut.end();
    expect([status(cut), cut.ended]).toEqual(["HTTP/1.1 400", true]);
    for (const text of ["", V1]) {
      const client = runtime.connect();
      if (text !== "") void client.send(text);
      client.end();
      expect([client.received, client.ended]).toEqual(["", true]);
    }
    expect(refused).toEqual([
      { status: 400, reason: "the connection ended within a PROXY header", remote: "192.0.2.1" },
    ]);
    await settle();
    expect(server.connections).toBe(0);
  });
});

describe("a header of a peer that may not send one", () => {
  test.each([["auto", V1], ["auto", v2()], ["v1", V1], ["v2", v2()]] as const)(
    "%s: is no request, and believed in nothing",
    async (mode, header) => {
      const { runtime, refused } = await proxied({ proxy_protocol: mode, proxy_allow_ips: "10.0.0.0/8" });
      const client = runtime.connect();
      void client.send(header + GET);
      expect([status(client), client.received.includes("203.0.113.7"), client.ended]).toEqual([
        "HTTP/1.1 400",
        false,
        true,
      ]);
      expect(refused).toEqual([{ status: 400, reason: expect.stringContaining("PROXY header"), remote: "192.0.2.1" }]);
    },
  );

  test("where one is required, it is refused before it says anything", async () => {
    const { runtime, refused } = await proxied({ proxy_protocol: "required", proxy_allow_ips: "10.0.0.0/8" });
    const client = runtime.connect();
    expect([status(client), client.ended]).toEqual(["HTTP/1.1 400", true]);
    void client.send(V1 + GET);
    expect(client.received).not.toContain("200 OK");
    expect(refused).toHaveLength(1);
  });
});
