// What a connection speaks: where its requests come from, and how its responses are put on it. HTTP/1.1 is the one that
// everything is written for, so it changes nothing; the others (gateway_protocol.ts) wrap an HTTP request and response.

import type { Environ } from "../esgi/environ.ts";
import type { RequestParser } from "../http1/parser.ts";
import { CHUNKED, type Framing, UNTIL_CLOSE } from "../http1/response.ts";
import type { Server } from "./server.ts";
import type { Peer, Session } from "./session.ts";

/** The session, as its protocol sees it. */
export interface Speaker {
  /** Sends `text`, one character a byte, as it is and outside of any response. */
  interject(text: string): void;
  /** The peer wants no answer any more to the request in flight: it is over, and then the connection. */
  abandon(): void;
}

export interface Protocol {
  /** True while what is answered reaches somebody. */
  readonly answers: boolean;
  /** Interim responses can be sent. */
  readonly interim: boolean;
  /** The parser for a connection that has something to say. */
  takeParser(speaker: Speaker): RequestParser;
  /**
   * It has nothing to say any more, for now or for ever. True when the peer has nothing to say either, but waits for the
   * end of the connection: nothing is lost by closing it at once.
   */
  returnParser(parser: RequestParser): boolean;
  /** Whom the request whose head has just been read comes from. */
  peerOf(session: Session): Peer;
  /** Puts into its environ what else the protocol tells. */
  complete(environ: Environ): void;
  /** How a body is framed whose length is not known. */
  unknownLength(http11: boolean): Framing;
  /** `head` (status line and fields, each with its CRLF), completed. */
  endHead(head: string, keepAlive: boolean, http11: boolean): string;
  /** An answer of the server itself, from what it is in HTTP. */
  answer(text: string): string;
  /** A part of a response as it goes over the connection; "" stays "". */
  text(text: string): string;
  /** The same of bytes, of which there is at least one. */
  bytes(bytes: Uint8Array): Uint8Array;
  /** What ends a response. */
  end(): string;
}

/** One for all connections of a server. */
export class Http implements Protocol {
  readonly answers = true;
  readonly interim = true;
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  takeParser(): RequestParser {
    return this.#server.takeParser();
  }

  returnParser(parser: RequestParser): boolean {
    this.#server.returnParser(parser);
    return false;
  }

  peerOf(session: Session): Peer {
    return session.peer;
  }

  complete(): void {}

  unknownLength(http11: boolean): Framing {
    return http11 ? CHUNKED : UNTIL_CLOSE;
  }

  endHead(head: string, keepAlive: boolean, http11: boolean): string {
    if (!keepAlive) return `${head}Connection: close\r\n\r\n`;
    return http11 ? `${head}\r\n` : `${head}Connection: keep-alive\r\n\r\n`;
  }

  answer(text: string): string {
    return text;
  }

  text(text: string): string {
    return text;
  }

  bytes(bytes: Uint8Array): Uint8Array {
    return bytes;
  }

  end(): string {
    return "";
  }
}
