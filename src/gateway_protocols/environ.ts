// From the variables that a web server sends to the request that its client sent: the parts of an HTTP/1.1 head, which
// http1 judges by the same rules as any other, so that the application sees the same environ; and beside them what HTTP
// cannot say of the client. What is no part of a request (DOCUMENT_ROOT, REMOTE_USER, keys of ESGI, ...) is left out.

import { formatIp, parseIp } from "./ip_address.ts";
import { GatewayFault, type Variable } from "./reader.ts";

/** A request as the web server tells it. Strings have one character a byte; whether they are legal is http1's to say. */
export interface GatewayRequest {
  readonly method: string;
  /** As the client sent it. */
  readonly target: string;
  /** 0 for HTTP/1.0; all above it has the semantics of 1. */
  readonly minorVersion: 0 | 1;
  /** In order; names are tokens. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** In canonical form; "" for a client on a unix socket. */
  readonly remoteAddress: string;
  /** Decimal, or "". */
  readonly remotePort: string;
  /** The name that the web server has for itself, IPv6 in brackets; null where it tells none that is one. */
  readonly serverName: string | null;
  /** Decimal; null where it is not told. */
  readonly serverPort: string | null;
  readonly scheme: "http" | "https";
  /** Where the application is mounted, decoded; "" where nothing says so. */
  readonly mount: string;
}

/**
 * Fields that tell of the client's connection to the web server and not of the request (RFC 9110 §7.6.1), that the
 * protocol tells in another way, or that nobody sends in good faith: HTTP_PROXY is a variable of another meaning (httpoxy).
 */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "HTTP_CONNECTION",
  "HTTP_KEEP_ALIVE",
  "HTTP_PROXY_CONNECTION",
  "HTTP_TE",
  "HTTP_TRAILER",
  "HTTP_TRANSFER_ENCODING",
  "HTTP_UPGRADE",
  "HTTP_HTTP2_SETTINGS",
  // The web server has sent 100 Continue itself.
  "HTTP_EXPECT",
  "HTTP_CONTENT_TYPE",
  "HTTP_CONTENT_LENGTH",
  "HTTP_PROXY",
]);

/** Tokens (RFC 9110 §5.6.2) without small letters. */
const FIELD = /^HTTP_[!#$%&'*+\-.^_`|~0-9A-Z]+$/;
/** Dotted decimal, of which there is one form only. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** "_", which nginx's users write where a name is wanted and none is meant, is no host. */
const HOST = /^[0-9A-Za-z][0-9A-Za-z._-]*$/;
/** What may not stand in a path as it is: not visible ASCII, or "%", "?", "#". */
const NOT_IN_PATH = /[^\x21\x22\x24\x26-\x3e\x40-\x7e]/g;

/** The variables that are used besides those of fields. */
const USED = [
  "REQUEST_METHOD",
  "REQUEST_URI",
  "SERVER_PROTOCOL",
  "QUERY_STRING",
  "SCRIPT_NAME",
  "PATH_INFO",
  "CONTENT_TYPE",
  "CONTENT_LENGTH",
  "REMOTE_ADDR",
  "REMOTE_PORT",
  "SERVER_NAME",
  "SERVER_PORT",
  "HTTPS",
  "REQUEST_SCHEME",
] as const;
/** Their places there. */
const METHOD = 0;
const TARGET = 1;
const PROTOCOL = 2;
const QUERY = 3;
const SCRIPT = 4;
const PATH = 5;
const TYPE = 6;
const LENGTH = 7;
const ADDRESS = 8;
const PORT = 9;
const SERVER_NAME = 10;
const SERVER_PORT = 11;
const HTTPS = 12;
const SCHEME = 13;

/**
 * What a variable's name stands for: its place in {@link USED}, the name of a field, or "" for nothing. Looked up once a
 * name; bounded, since names come from outside.
 */
const meanings = new Map<string, number | string>(USED.map((name, index) => [name, index]));
const MAX_MEANINGS = 1024;
const MAX_NAME = 64;

/** `HTTP_X_REQUEST_ID` is `X-Request-Id`: how the client spelled it is lost. */
function learn(name: string): string {
  const field = !FIELD.test(name) || LEFT_OUT.has(name)
    ? ""
    : name.slice(5).toLowerCase().replaceAll("_", "-").replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
  if (meanings.size < MAX_MEANINGS && name.length <= MAX_NAME) meanings.set(name, field);
  return field;
}

/**
 * @param chunked the body has no length that is known: http1 is told so
 * @throws {GatewayFault} when a variable that is needed is missing, or cannot mean anything.
 */
export function requestOf(variables: readonly Variable[], chunked: boolean): GatewayRequest {
  // One that comes twice has its last value, as in PHP: configurations override what they include that way.
  const told: (string | undefined)[] = new Array(USED.length).fill(undefined);
  const fields: [string, string][] = [];
  for (const [name, value] of variables) {
    const meaning = meanings.get(name) ?? learn(name);
    if (typeof meaning === "number") told[meaning] = value;
    else if (meaning !== "") fields.push([meaning, value]);
  }
  const tell = (index: number): string => told[index] ?? "";
  const method = tell(METHOD);
  if (method === "") throw new GatewayFault(400, "REQUEST_METHOD is missing (RFC 3875 §4.1.12)");
  const type = tell(TYPE);
  if (type !== "") fields.push(["Content-Type", type]);
  const length = tell(LENGTH);
  if (chunked) fields.push(["Transfer-Encoding", "chunked"]);
  else if (length !== "") fields.push(["Content-Length", length]);
  const remoteAddress = remoteAddressOf(tell(ADDRESS));
  const script = tell(SCRIPT);
  const path = told[PATH];
  const protocol = tell(PROTOCOL);
  const https = tell(HTTPS);
  return {
    method,
    // REQUEST_URI is no variable of CGI's, but all send it.
    target: tell(TARGET) || targetOf(script + (path ?? ""), tell(QUERY)),
    // What the client spoke to the web server, as far as an environ can say it.
    minorVersion: protocol === "HTTP/1.1" || /^HTTP\/(?:1\.[1-9]|[2-9])/.test(protocol) ? 1 : 0,
    fields,
    remoteAddress,
    remotePort: remoteAddress === "" ? "" : portOf(tell(PORT)) ?? "",
    serverName: serverNameOf(tell(SERVER_NAME)),
    serverPort: portOf(tell(SERVER_PORT)),
    scheme: (https !== "" && /^(?:on|1|true|yes)$/i.test(https)) || tell(SCHEME).toLowerCase() === "https"
      ? "https"
      : "http",
    // Alone it is the path of a script, as in nginx's fastcgi_params. Whether the target is below it, and so what PATH_INFO
    // is, is decided by whoever decodes the target.
    mount: path === undefined ? "" : mountOf(script),
  };
}

/** A target that means the same as a decoded path and an encoded query. */
function targetOf(path: string, query: string): string {
  if (path === "") throw new GatewayFault(400, "there is neither REQUEST_URI nor PATH_INFO");
  const escaped = path.replace(
    NOT_IN_PATH,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
  return query === "" ? escaped : `${escaped}?${query}`;
}

function remoteAddressOf(address: string): string {
  // Without it nobody could tell whose word the forwarded fields are.
  if (address === "") throw new GatewayFault(400, "REMOTE_ADDR is missing (RFC 3875 §4.1.8)");
  // nginx's word for a client on a unix socket.
  if (address === "unix:") return "";
  if (IPV4.test(address)) return address;
  const ip = parseIp(address);
  if (ip === null) throw new GatewayFault(400, "REMOTE_ADDR is no IP address (RFC 3875 §4.1.8)");
  return formatIp(ip);
}

function serverNameOf(name: string): string | null {
  if (HOST.test(name)) return name;
  const bare = name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
  return bare.includes(":") && parseIp(bare) !== null ? `[${bare}]` : null;
}

function portOf(port: string): string | null {
  return /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535 ? port : null;
}

function mountOf(script: string): string {
  if (!script.startsWith("/") || script === "/") return "";
  const bytes = Uint8Array.from(script, (character) => character.charCodeAt(0));
  return new TextDecoder().decode(bytes).replace(/\/+$/, "");
}
