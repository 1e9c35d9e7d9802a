// From variables to a request. What an application sees of it is in test/server/gateway_protocols.test.ts.

import { describe, expect, test } from "vitest";
import { type GatewayRequest, requestOf } from "../../src/gateway_protocols/environ.ts";
import { GatewayFault } from "../../src/gateway_protocols/reader.ts";
import { type Variables, variables } from "./packets.ts";

/** As HTTP says it. */
function headOf({ method, target, minorVersion, fields }: GatewayRequest): string {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${target} HTTP/1.${minorVersion}\r\n${lines}\r\n`;
}

function request(more: Record<string, string> = {}, without: readonly string[] = []): GatewayRequest {
  return requestOf(variables(more).filter(([name]) => !without.includes(name)), false);
}

function fields(...sent: Variables): string[] {
  return requestOf([...variables(), ...sent], false).fields.slice(1).map(([name, value]) => `${name}: ${value}`);
}

function reason(more: Record<string, string>, without: readonly string[] = []): string {
  try {
    request(more, without);
  } catch (error) {
    if (error instanceof GatewayFault) return `${error.status} ${error.message}`;
    throw error;
  }
  return "no fault";
}

describe("the head", () => {
  test("is that of the request which the web server's client sent", () => {
    expect(headOf(request({ REQUEST_URI: "/a%20b?c=%ff" }))).toBe(
      "GET /a%20b?c=%ff HTTP/1.1\r\nHost: example.org\r\n\r\n",
    );
  });

  test("names are restored, values and their order kept", () => {
    expect(fields(["HTTP_X_REQUEST_ID", " a\tb "], ["HTTP_COOKIE", "a=1"], ["HTTP_COOKIE", "b=2"], ["HTTP_DNT", ""]))
      .toEqual(["X-Request-Id:  a\tb ", "Cookie: a=1", "Cookie: b=2", "Dnt: "]);
  });

  test("CONTENT_TYPE and CONTENT_LENGTH are fields when they are not empty, and HTTP_CONTENT_* are none", () => {
    expect(headOf(request({ CONTENT_TYPE: "", CONTENT_LENGTH: "" }))).not.toContain("Content-");
    const head = headOf(request({
      CONTENT_TYPE: "text/plain",
      CONTENT_LENGTH: "0",
      HTTP_CONTENT_LENGTH: "7",
      HTTP_CONTENT_TYPE: "x",
    }));
    expect(head.match(/Content-.*/g)).toEqual(["Content-Type: text/plain", "Content-Length: 0"]);
  });

  test("fields of the client's connection, and HTTP_PROXY (httpoxy), are left out", () => {
    const names =
      "CONNECTION KEEP_ALIVE PROXY_CONNECTION TE TRAILER TRANSFER_ENCODING UPGRADE EXPECT PROXY HTTP2_SETTINGS";
    expect(fields(...names.split(" ").map((name) => [`HTTP_${name}`, "x"] as const))).toEqual([]);
  });

  test("what is no field's name is left out", () => {
    expect(
      fields(["HTTP_", "x"], ["HTTP_A B", "x"], ["HTTP_A:", "x"], ["HTTP_a", "x"], ["HTTP_\xe9", "x"], ["http_a", "x"]),
    )
      .toEqual([]);
  });

  test("keys of ESGI and other variables are left out", () => {
    expect(fields(["esgi.input", "x"], ["DOCUMENT_ROOT", "/"], ["REMOTE_USER", "root"], ["", "x"])).toEqual([]);
  });

  test("a body whose length is not known is told in chunks", () => {
    expect(headOf(requestOf(variables({ REQUEST_METHOD: "POST" }), true))).toContain(
      "\r\nTransfer-Encoding: chunked\r\n",
    );
  });

  test.each([
    ["HTTP/1.0", "HTTP/1.0"],
    ["HTTP/1.1", "HTTP/1.1"],
    ["HTTP/2.0", "HTTP/1.1"],
    ["HTTP/3", "HTTP/1.1"],
    ["INCLUDED", "HTTP/1.0"],
    ["", "HTTP/1.0"],
  ])("SERVER_PROTOCOL %j is %s", (told, protocol) => {
    expect(`HTTP/1.${request({ SERVER_PROTOCOL: told }).minorVersion}`).toBe(protocol);
  });

  test("without REQUEST_URI the target is made of the path and the query", () => {
    const target = (more: Record<string, string>): string => request(more, ["REQUEST_URI"]).target;
    expect(target({ SCRIPT_NAME: "/a b", PATH_INFO: "/c?%\xc3\xa9#", QUERY_STRING: "d=%20" })).toBe(
      "/a%20b/c%3F%25%C3%A9%23?d=%20",
    );
    expect(target({ PATH_INFO: "/\n" })).toBe("/%0A");
    expect(reason({}, ["REQUEST_URI"])).toBe("400 there is neither REQUEST_URI nor PATH_INFO");
  });

  test("a variable that comes twice has its last value", () => {
    expect(requestOf([...variables(), ["REQUEST_URI", "/b"]], false).target).toBe("/b");
  });

  test("without a method there is no request", () => {
    expect(reason({}, ["REQUEST_METHOD"])).toBe("400 REQUEST_METHOD is missing (RFC 3875 §4.1.12)");
  });
});

describe("what a head cannot say", () => {
  test.each([
    ["198.51.100.7", "198.51.100.7"],
    ["::ffff:198.51.100.7", "198.51.100.7"],
    ["2001:DB8:0::1", "2001:db8::1"],
    ["unix:", ""],
  ])("REMOTE_ADDR %s is %j", (told, address) => {
    expect(request({ REMOTE_ADDR: told }).remoteAddress).toBe(address);
  });

  test("REMOTE_ADDR must be there, and an address", () => {
    expect(reason({}, ["REMOTE_ADDR"])).toBe("400 REMOTE_ADDR is missing (RFC 3875 §4.1.8)");
    for (const address of ["localhost", "1.2.3", "1.2.3.4:5", "[::1]"]) {
      expect(reason({ REMOTE_ADDR: address })).toBe("400 REMOTE_ADDR is no IP address (RFC 3875 §4.1.8)");
    }
  });

  test.each([["5555", "5555"], ["0", ""], ["65536", ""], ["x", ""], ["", ""]])("REMOTE_PORT %j is %j", (told, port) => {
    expect(request({ REMOTE_PORT: told }).remotePort).toBe(port);
  });

  test.each([
    ["example.org", "example.org"],
    ["192.0.2.1", "192.0.2.1"],
    ["::1", "[::1]"],
    ["[::1]", "[::1]"],
    ["", null],
    ["_", null],
    ["*.example.org", null],
    ["~^www", null],
    ["a b", null],
    ["[x]", null],
  ])("SERVER_NAME %j is %j", (told, name) => {
    expect(request({ SERVER_NAME: told }).serverName).toBe(name);
  });

  test.each(
    [
      [{}, "http"],
      [{ HTTPS: "on" }, "https"],
      [{ HTTPS: "1", REQUEST_SCHEME: "http" }, "https"],
      [{ HTTPS: "off" }, "http"],
      [{ HTTPS: "" }, "http"],
      [{ REQUEST_SCHEME: "https" }, "https"],
      [{ REQUEST_SCHEME: "http" }, "http"],
      [{ REQUEST_SCHEME: "ftp" }, "http"],
    ] as const,
  )("the scheme of %j is %s", (more, scheme) => {
    expect(request(more).scheme).toBe(scheme);
  });

  test.each([
    [{ SCRIPT_NAME: "/app", PATH_INFO: "/x" }, "/app"],
    [{ SCRIPT_NAME: "/app/", PATH_INFO: "" }, "/app"],
    [{ SCRIPT_NAME: "/caf\xc3\xa9", PATH_INFO: "" }, "/café"],
    [{ SCRIPT_NAME: "/", PATH_INFO: "/x" }, ""],
    [{ SCRIPT_NAME: "", PATH_INFO: "/x" }, ""],
    [{ SCRIPT_NAME: "app", PATH_INFO: "/x" }, ""],
    // nginx's fastcgi_params as they are: the whole path, as the name of a script.
    [{ SCRIPT_NAME: "/app/x" }, ""],
  ])("the mount of %j is %j", (more, mount) => {
    expect(request(more).mount).toBe(mount);
  });
});
