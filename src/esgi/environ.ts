// What a server tells an application about one request: the CGI keys of PEP 3333 and RFC 3875, and ESGI's own.
// Types only. How a server fills an environ, and how fast, is src/server/gateway.ts's business.

import type { Duplex, FileWrapper } from "./body.ts";
import type { Input } from "./input.ts";

/** One field of a message: name and value, as sent or received. */
export type Header = readonly [name: string, value: string];

/** Fields in order, repeated ones apart, names in the case in which they were written. */
export type Headers = readonly Header[];

/** What is known of a TLS connection. A part that the runtime does not tell is absent. */
export interface TlsInfo {
  /** As negotiated, for example `TLSv1.3`. */
  readonly protocol?: string;
  /** The host name that the client asked for (SNI, RFC 6066 §3). */
  readonly serverName?: string;
  /** The client's certificate in PEM, when one was asked for and verified. */
  readonly peerCertificate?: string;
}

/** Where an application writes what the operator should see; the server's error log. */
export interface ErrorStream {
  /** Writes `text` as it is; a line ends with "\n". */
  write(text: string): void;
  /** Returns when everything written has been handed to the log. */
  flush(): void;
}

/**
 * One request. A plain, mutable object, fresh for each request: middleware may change it, or pass `{ ...environ }` on.
 * A key whose power the server lacks is absent. A server's own keys start with its name: `tricorn.worker`.
 */
export interface Environ {
  /** As received; methods are case-sensitive (RFC 9110 §9.1). */
  REQUEST_METHOD: string;
  /** Where the application is mounted: "" or a path that starts with "/" and does not end with it. */
  SCRIPT_NAME: string;
  /**
   * The rest of the path, percent-decoded as UTF-8; escapes that are not UTF-8 stay encoded. "" or starts with "/".
   * "" too for `OPTIONS *`.
   */
  PATH_INFO: string;
  /** What follows the first "?" of the target, still encoded; "" when there is none. */
  QUERY_STRING: string;
  /** The Content-Type field, absent when there was none. */
  CONTENT_TYPE?: string;
  /** The Content-Length field: decimal digits; absent when there was none (no body, or chunked). */
  CONTENT_LENGTH?: string;
  /** The host that the client addressed, without port; brackets kept around IPv6. Never empty. */
  SERVER_NAME: string;
  /** The port that the client addressed, in decimal. */
  SERVER_PORT: string;
  /** `HTTP/1.0` or `HTTP/1.1`. */
  SERVER_PROTOCOL: string;
  /** The client's IP address, from a trusted proxy's word where there is one; "" on a unix socket. */
  REMOTE_ADDR: string;
  /** The client's port in decimal; "" when it is not known. */
  REMOTE_PORT: string;
  /**
   * A request field: `HTTP_` and the name in upper case with "_" for "-". Repeated fields are joined with ", ", Cookie
   * with "; " (RFC 9110 §5.3, RFC 9113 §8.2.3). Content-Type and Content-Length have none, nor have names with "_".
   */
  [field: `HTTP_${string}`]: string | undefined;

  "esgi.version": readonly [major: 1, minor: 0];
  "esgi.url_scheme": "http" | "https";
  /** The request body; one that is empty when there is none. */
  "esgi.input": Input;
  "esgi.errors": ErrorStream;
  /** True when another thread of this process may call the same application object at the same time. */
  "esgi.multithread": boolean;
  /** True when another process may call an equal application at the same time. */
  "esgi.multiprocess": boolean;
  /** True when the server expects to call the application once in this process's life (CGI). */
  "esgi.run_once": boolean;
  /** The request-target, exactly as received (RFC 9112 §3.2). */
  "esgi.target": string;
  /** The request fields, exactly as received, in order. */
  "esgi.headers": Headers;
  /** Aborted when the client has left or the request has run out of time. */
  "esgi.signal": AbortSignal;
  /** Makes a body of a file; a server may send it without reading it through JavaScript. */
  "esgi.file_wrapper"?: (
    file: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
    chunkSize?: number,
  ) => FileWrapper;
  /** Sends 103 Early Hints (RFC 8297) with these fields; does nothing for an HTTP/1.0 client. */
  "esgi.early_hints"?: (headers: Headers) => void;
  /** The protocols that the client offers to switch to (RFC 9110 §7.8), in order; absent when it offers none. */
  "esgi.upgrade"?: readonly string[];
  /** Present on a TLS connection. */
  "esgi.tls"?: TlsInfo;
  /** Keys of a server, a middleware or a framework: its name, a dot, and a word. */
  [extension: `${string}.${string}`]: unknown;
}

/** What the body function of a "101 Switching Protocols" answer is given; see body.ts. */
export type { Duplex };
