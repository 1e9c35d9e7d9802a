// The one kind of fault that a peer can commit in HTTP/1.1, with the status that tells it so.

/** The statuses that the protocol layer itself answers with, and their reason phrases (RFC 9110 §15). */
export const REASONS: Readonly<Record<RefusalStatus, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** A status with which the server itself refuses a request. */
export type RefusalStatus = 400 | 405 | 408 | 413 | 414 | 417 | 431 | 500 | 501 | 503 | 504 | 505;

// Reasons that name another protocol: what the peer speaks is told by its first bytes, and whoever develops may be told more.

/** A record of the type handshake, 22, comes first (RFC 8446 §5.1); no request line begins so. */
export const TLS_REASON = "a TLS handshake where a request line should be (RFC 9112 §3)";
/** The first byte of a packet: modifier1, the version of a record. Version 2 of a PROXY header has it behind empty lines. */
const UWSGI_REASON =
  "a uwsgi packet where a request line should be: --protocol uwsgi speaks it (or a PROXY header that may not come here)";
const FASTCGI_REASON = "a FastCGI record where a request line should be: --protocol fastcgi speaks it";
/** A netstring: its length in digits, and a colon. */
const SCGI_REASON = "an SCGI netstring where a request line should be: --protocol scgi speaks it";
/** "PROXY TCP4 192.0.2.1 ...": a line that begins as a request line does. */
export const PROXY_REASON =
  "a PROXY header where a request line should be: proxy_protocol does not allow it, or proxy_allow_ips does not allow this peer";
/** "PRI * HTTP/2.0". */
export const HTTP2_REASON = "the preface of HTTP/2 (RFC 9113 §3.4): only HTTP/1.0 and HTTP/1.1 are spoken here";

/** What `bytes` from `start` on are, of which `bad` is the first that no request line has there; null: not known. */
export function otherProtocol(bytes: Uint8Array, start: number, bad: number): string | null {
  if (bad === start) {
    switch (bytes[bad]) {
      case 22:
        return TLS_REASON;
      case 0:
        return UWSGI_REASON;
      case 1:
        return FASTCGI_REASON;
      default:
        return null;
    }
  }
  if (bytes[bad] !== 0x3a) return null;
  for (let i = start; i < bad; i++) if (bytes[i]! < 0x30 || bytes[i]! > 0x39) return null;
  return SCGI_REASON;
}

/** The peer broke a rule or a limit: it is told `status`, then the connection is closed. */
export class RemoteProtocolError extends Error {
  override readonly name = "RemoteProtocolError";
  readonly status: RefusalStatus;

  constructor(status: RefusalStatus, reason: string) {
    super(reason);
    this.status = status;
  }
}
