// From the variables that a web server sends to the request that its client sent: an HTTP/1.1 head again, so that http1
// judges it by the same rules as any other and the application sees the same environ, and beside it what HTTP cannot say
// of the client. What is no part of a request (DOCUMENT_ROOT, REMOTE_USER, keys of ESGI, ...) is left out.

import { formatIp, parseIp } from "./ip_address.ts";
import { GatewayFault, type Variable } from "./reader.ts";

/** A request as the web server tells it. Strings have one character a byte, and may be empty. */
export interface GatewayRequest {
  /** Request line, fields and the empty line. No line has a CR or LF of its own; whether it is legal is http1's to say. */
  readonly head: string;
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
const LINE_END = /[\r\n]/;
/** "_", which nginx's users write where a name is wanted and none is meant, is no host. */
const HOST = /^[0-9A-Za-z][0-9A-Za-z._-]*$/;
/** What may not stand in a path as it is: not visible ASCII, or "%", "?", "#". */
const NOT_IN_PATH = /[^\x21\x22\x24\x26-\x3e\x40-\x7e]/g;

/** Spellings of names, made once. Bounded, since names come from outside. */
const names = new Map<string, string>();
const MAX_NAMES = 512;

/**
 * @param chunked the body has no length that is known: it will be told to http1 in chunks
 * @throws {GatewayFault} when a variable that is needed is missing, or cannot mean anything.
 */
export function requestOf(variables: readonly Variable[], chunked: boolean): GatewayRequest {
  // A variable that comes twice has its last value, as in PHP: configurations override what they include that way.
  const told = new Map<string, string>();
  let fields = "";
  for (const [name, value] of variables) {
    if (!name.startsWith("HTTP_")) {
      told.set(name, value);
      continue;
    }
    if (LEFT_OUT.has(name) || !FIELD.test(name)) continue;
    fields += `${names.get(name) ?? spell(name)}: ${oneLine(name, value)}\r\n`;
  }
  const method = told.get("REQUEST_METHOD");
  if (method === undefined || method === "") {
    throw new GatewayFault(400, "REQUEST_METHOD is missing (RFC 3875 §4.1.12)");
  }
  const type = told.get("CONTENT_TYPE");
  if (type !== undefined && type !== "") fields += `Content-Type: ${oneLine("CONTENT_TYPE", type)}\r\n`;
  const length = told.get("CONTENT_LENGTH");
  if (chunked) fields += "Transfer-Encoding: chunked\r\n";
  else if (length !== undefined && length !== "") fields += `Content-Length: ${oneLine("CONTENT_LENGTH", length)}\r\n`;
  const line = `${oneLine("REQUEST_METHOD", method)} ${targetOf(told)} ${protocolOf(told)}`;
  return {
    head: `${line}\r\n${fields}\r\n`,
    ...remoteOf(told),
    serverName: serverNameOf(told.get("SERVER_NAME") ?? ""),
    serverPort: portOf(told.get("SERVER_PORT")),
    scheme: isOn(told.get("HTTPS")) || told.get("REQUEST_SCHEME")?.toLowerCase() === "https" ? "https" : "http",
    mount: mountOf(told),
  };
}

/** A value that cannot pass for the end of its line. */
function oneLine(name: string, value: string): string {
  if (LINE_END.test(value)) throw new GatewayFault(400, `a line end in ${name} (RFC 9110 §5.5)`);
  return value;
}

/** `HTTP_X_REQUEST_ID` is `X-Request-Id`: how the client spelled it is lost. */
function spell(name: string): string {
  const spelled = name.slice(5).toLowerCase().replaceAll("_", "-").replace(
    /(^|-)[a-z]/g,
    (start) => start.toUpperCase(),
  );
  if (names.size < MAX_NAMES) names.set(name, spelled);
  return spelled;
}

/**
 * The target as the client sent it, where the web server tells (REQUEST_URI, which all do and CGI does not know); else
 * one that means the same.
 */
function targetOf(told: ReadonlyMap<string, string>): string {
  const raw = told.get("REQUEST_URI");
  if (raw !== undefined && raw !== "") return oneLine("REQUEST_URI", raw);
  const path = (told.get("SCRIPT_NAME") ?? "") + (told.get("PATH_INFO") ?? "");
  if (path === "") throw new GatewayFault(400, "there is neither REQUEST_URI nor PATH_INFO");
  const query = told.get("QUERY_STRING") ?? "";
  const escaped = path.replace(
    NOT_IN_PATH,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
  return oneLine("QUERY_STRING", query === "" ? escaped : `${escaped}?${query}`);
}

/** What the client spoke to the web server, as far as an environ can say it: HTTP/2 and 3 have the semantics of 1.1. */
function protocolOf(told: ReadonlyMap<string, string>): string {
  const protocol = told.get("SERVER_PROTOCOL") ?? "";
  return /^HTTP\/(?:1\.[1-9]|[2-9])/.test(protocol) ? "HTTP/1.1" : "HTTP/1.0";
}

function remoteOf(told: ReadonlyMap<string, string>): Pick<GatewayRequest, "remoteAddress" | "remotePort"> {
  const address = told.get("REMOTE_ADDR") ?? "";
  // Without it nobody could tell whose word the forwarded fields are.
  if (address === "") throw new GatewayFault(400, "REMOTE_ADDR is missing (RFC 3875 §4.1.8)");
  // nginx's word for a client on a unix socket.
  if (address === "unix:") return { remoteAddress: "", remotePort: "" };
  const ip = parseIp(address);
  if (ip === null) throw new GatewayFault(400, "REMOTE_ADDR is no IP address (RFC 3875 §4.1.8)");
  return { remoteAddress: formatIp(ip), remotePort: portOf(told.get("REMOTE_PORT")) ?? "" };
}

function serverNameOf(name: string): string | null {
  if (HOST.test(name)) return name;
  const bare = name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
  return bare.includes(":") && parseIp(bare) !== null ? `[${bare}]` : null;
}

function portOf(port: string | undefined): string | null {
  return port !== undefined && /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535 ? port : null;
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && /^(?:on|1|true|yes)$/i.test(value);
}

/**
 * SCRIPT_NAME is a mount only beside a PATH_INFO: alone it is the path of a script, as in nginx's fastcgi_params.
 * Whether the target is below it, and so what PATH_INFO is, is decided by whoever decodes the target.
 */
function mountOf(told: ReadonlyMap<string, string>): string {
  const name = told.get("SCRIPT_NAME") ?? "";
  if (!told.has("PATH_INFO") || !name.startsWith("/")) return "";
  const bytes = Uint8Array.from(name, (character) => character.charCodeAt(0));
  return new TextDecoder().decode(bytes).replace(/\/+$/, "");
}
