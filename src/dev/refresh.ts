// Pages that refresh by themselves: each HTML document gets a script (refresh_client.ts), which asks this process which
// build it serves and takes the new one up. What the application is told, and what everybody else gets, does not change.

import type { Application, MaybePromise, StartResponse } from "../esgi/application.ts";
import { type Body, type Chunk, FileWrapper } from "../esgi/body.ts";
import type { Environ, Headers } from "../esgi/environ.ts";
import { checkHeaders, checkStatus, iterate } from "../esgi/reply.ts";
import { REFRESH_SCRIPT } from "./refresh_client.ts";

/** Below this path are the development server's own answers. */
export const OWN_PREFIX = "/__tricorn__/";
const SCRIPT_PATH = `${OWN_PREFIX}refresh.js`;
const EVENTS_PATH = `${OWN_PREFIX}events`;

/** Pages that are connected at a time. Browsers allow themselves six connections to a host, so this is many of them. */
const MAX_STREAMS = 100;
/** Milliseconds between two signs of life: what is between a browser and us may close what is silent for a minute. */
const HEARTBEAT = 15_000;

/** What a process serves, in terms of the builds before it. */
export interface Build {
  /** Names one life of the development server, letters and digits: builds of two lives cannot be compared. */
  readonly life: string;
  /** Grows with each reload of that life. */
  readonly build: number;
  /**
   * The oldest build since which nothing but style sheets has changed: a page of it, or of a later one, needs only its
   * style sheets anew. Equal to `build` when something else has changed last.
   */
  readonly styledFrom: number;
}

/** What {@link liveRefresh} gives. */
export interface Refresh {
  /** `application` for a development server: with the script in its pages, and the answers that the script asks for. */
  wrap(application: Application): Application;
  /** Ends the streams, now and from now on, so that their pages turn to the process that has taken over. */
  close(): void;
}

/** Makes the pages of an application refresh when another build is served in this one's place. */
export function liveRefresh(build: Build): Refresh {
  const streams = new Set<EventStream>();
  let closed = false;

  function answerEvents(startResponse: StartResponse): Body {
    const fields = [["Content-Type", "text/event-stream"], ["Cache-Control", "no-store"]] as const;
    if (closed) {
      // The one hop-by-hop field that an application would not send (SPEC.md): here a further request on this connection
      // would come to the process that goes, again and again.
      startResponse("200 OK", [...fields, ["Connection", "close"]]);
      return "";
    }
    if (streams.size >= MAX_STREAMS) return refuse(startResponse, "503 Service Unavailable", "too many pages listen\n");
    startResponse("200 OK", fields);
    const stream = new EventStream(`retry: 150\ndata: ${JSON.stringify(build)}\n\n`, () => streams.delete(stream));
    streams.add(stream);
    return stream;
  }

  function answer(environ: Environ, startResponse: StartResponse): Body {
    // Another site's page could see here when its visitor works on what. Not sent by curl, nor to hosts without TLS.
    const site = environ.HTTP_SEC_FETCH_SITE;
    if (site !== undefined && site !== "same-origin" && site !== "none") {
      return refuse(startResponse, "403 Forbidden", "for pages of this host only\n");
    }
    if (environ.REQUEST_METHOD !== "GET") {
      return refuse(startResponse, "405 Method Not Allowed", "only GET is answered here\n", [["Allow", "GET"]]);
    }
    if (environ.PATH_INFO === EVENTS_PATH) return answerEvents(startResponse);
    startResponse("200 OK", [["Content-Type", "text/javascript; charset=utf-8"], ["Cache-Control", "no-store"]]);
    return REFRESH_SCRIPT;
  }

  return {
    wrap: (application) => (environ, startResponse) => {
      const { PATH_INFO: path } = environ;
      if (path === EVENTS_PATH || path === SCRIPT_PATH) return answer(environ, startResponse);
      if (!asksForDocument(environ)) return application(environ, startResponse);
      return new Page(`${build.life}.${build.build}`, startResponse).of(application, environ);
    },
    close(): void {
      closed = true;
      for (const stream of [...streams]) stream.close();
    },
  };
}

function refuse(startResponse: StartResponse, status: string, text: string, headers: Headers = []): Body {
  startResponse(status, [["Content-Type", "text/plain"], ["Cache-Control", "no-store"], ...headers]);
  return text;
}

/** True when a browser will show the answer as a page of its own, and not take it into another. */
function asksForDocument(environ: Environ): boolean {
  if (environ.REQUEST_METHOD !== "GET") return false;
  const destination = environ.HTTP_SEC_FETCH_DEST;
  if (destination !== undefined) return /^(?:document|i?frame)$/.test(destination);
  // Browsers tell the destination to localhost and over TLS only.
  return environ.HTTP_X_REQUESTED_WITH === undefined && environ.HTTP_HX_REQUEST === undefined &&
    /\btext\/html\b/i.test(environ.HTTP_ACCEPT ?? "");
}

/** One answer that may become a page: its head is looked at on its way, and its body gets the script where it does. */
class Page {
  readonly #build: string;
  readonly #startResponse: StartResponse;
  /** What goes into the body; "" while the head is none of a page's. */
  #tag = "";
  /** The body has been given away as it was, so no later head may promise more of it. */
  #passed = false;

  constructor(build: string, startResponse: StartResponse) {
    this.#build = build;
    this.#startResponse = startResponse;
  }

  of(application: Application, environ: Environ): MaybePromise<Body> {
    const body = application(environ, this.#start);
    return typeof (body as Promise<Body> | null)?.then === "function"
      ? (body as Promise<Body>).then((body) => this.#body(body))
      : this.#body(body as Body);
  }

  readonly #start: StartResponse = (status, headers, ...error) => {
    let tag = "";
    if (!this.#passed) {
      // What is malformed has the server's own words.
      checkStatus(status);
      checkHeaders(headers);
      if (isPage(status, headers)) tag = scriptTag(this.#build, headers);
    }
    this.#startResponse(status, tag === "" ? headers : withTag(headers, tag), ...error);
    this.#tag = tag;
  };

  #body(body: Body): Body {
    if (typeof body === "function") return this.#pass(body);
    const whole = Array.isArray(body) && body.length === 1 ? body[0] as Chunk : body;
    if (whole === null || typeof whole === "string" || whole instanceof Uint8Array) {
      return this.#tag === "" ? this.#pass(body) : insert(whole ?? "", this.#tag);
    }
    // Of others a head may still come, with the first chunk, or one that replaces it. A file's stands, and a server may
    // have its own way to send it. What is no body at all has the server's own words.
    if ((this.#tag === "" && body instanceof FileWrapper) || !isIterable(body)) return this.#pass(body);
    return new AppendedBody(body, () => this.#tag);
  }

  #pass(body: Body): Body {
    this.#passed = true;
    return body;
  }
}

function isIterable(body: unknown): body is Iterable<Chunk> {
  return typeof body === "object" && body !== null &&
    (Symbol.iterator in body || Symbol.asyncIterator in body || "getReader" in body);
}

/** Whether a body of text goes with this head, as it is, to somebody who reads it as HTML. */
function isPage(status: string, headers: Headers): boolean {
  const code = Number(status.slice(0, 3));
  if (code !== 200 && code < 400) return false;
  let html = false;
  for (const [name, value] of headers) {
    switch (name.toLowerCase()) {
      case "content-type":
        // The tag is ASCII, which is the same in every encoding of the web but these.
        html = /^[\t ]*text\/html[\t ]*(?:;|$)/i.test(value) && !/charset[\t ]*=[\t "']*utf-?(?:16|32)/i.test(value);
        break;
      case "content-encoding":
        if (!/^[\t ]*(?:identity)?[\t ]*$/i.test(value)) return false;
        break;
      case "content-range":
        return false;
      case "cache-control":
        if (/\bno-transform\b/i.test(value)) return false;
        break;
      case "content-disposition":
        // It will be a file, and not be shown.
        if (/^[\t ]*attachment\b/i.test(value)) return false;
    }
  }
  return html;
}

function scriptTag(build: string, headers: Headers): string {
  let nonce = "";
  for (const [name, value] of headers) {
    if (name.toLowerCase() !== "content-security-policy") continue;
    // Where a policy allows scripts by nonce, it may be all that it allows.
    const match = /'nonce-([A-Za-z0-9+/_-]+={0,2})'/.exec(value);
    if (match !== null) nonce = ` nonce="${match[1]!}"`;
  }
  return `<script src="${SCRIPT_PATH}" data-build="${build}"${nonce} defer></script>`;
}

/** `headers` of a body that is longer by `tag`, and so is another one than a strong ETag names (RFC 9110 §8.8.1). */
function withTag(headers: Headers, tag: string): Headers {
  return headers.map(([name, value]) => {
    switch (name.toLowerCase()) {
      case "content-length":
        return [name, /^\d{1,15}$/.test(value) ? String(Number(value) + tag.length) : value];
      case "etag":
        return [name, value.startsWith('"') ? `W/${value}` : value];
      default:
        return [name, value];
    }
  });
}

const LATIN1 = new TextDecoder("latin1");

/** `tag` before the last `</body>`, or at the end. */
function insert(body: Chunk, tag: string): Chunk {
  // A character for each byte, so that places in the text are places in the bytes.
  const text = typeof body === "string" ? body : LATIN1.decode(body);
  let at = text.length;
  for (const match of text.matchAll(/<\/body[\s>]/gi)) at = match.index;
  if (typeof body === "string") return body.slice(0, at) + tag + body.slice(at);
  const all = new Uint8Array(body.length + tag.length);
  all.set(body.subarray(0, at));
  for (let i = 0; i < tag.length; i++) all[at + i] = tag.charCodeAt(i);
  all.set(body.subarray(at), at + tag.length);
  return all;
}

/** A body, chunk by chunk as it is asked for, and then the tag: browsers read on behind `</html>`. */
class AppendedBody implements AsyncIterable<Chunk> {
  readonly #inner: Iterable<Chunk> | AsyncIterable<Chunk>;
  readonly #tag: () => string;
  #iterator: Iterator<Chunk> | AsyncIterator<Chunk> | null = null;
  /** The inner iteration has ended, failed or been left: it wants no `return()`. */
  #over = false;
  #ended = false;

  /** `tag` is asked at the end, when the head has been sent and stands. */
  constructor(inner: Iterable<Chunk> | AsyncIterable<Chunk>, tag: () => string) {
    this.#inner = inner;
    this.#tag = tag;
  }

  [Symbol.asyncIterator](): AsyncIterator<Chunk> {
    return { next: () => this.#next() };
  }

  async #next(): Promise<IteratorResult<Chunk>> {
    if (!this.#over) {
      try {
        this.#iterator ??= iterate(this.#inner);
        const result = await this.#iterator.next();
        if (result.done !== true) return result;
      } catch (error) {
        this.#over = true;
        throw error;
      }
      this.#over = true;
    }
    const tag = this.#ended ? "" : this.#tag();
    this.#ended = true;
    return tag === "" ? { done: true, value: undefined } : { done: false, value: tag };
  }

  /** Closes what is inside, in its own way (SPEC.md, body-close-once and body-return-once). */
  close(): unknown {
    const inner = this.#inner as { close?: () => unknown };
    if (typeof inner.close === "function") return inner.close();
    if (this.#over) return;
    this.#over = true;
    return (this.#iterator ?? iterate(this.#inner)).return?.();
  }
}

/** `first`, then a comment now and then, until somebody ends it. */
class EventStream implements AsyncIterable<string> {
  #first: string | null;
  #closed = false;
  readonly #onClose: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #resolve: ((result: IteratorResult<string>) => void) | null = null;

  constructor(first: string, onClose: () => void) {
    this.#first = first;
    this.#onClose = onClose;
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return { next: () => this.#next() };
  }

  #next(): Promise<IteratorResult<string>> {
    const first = this.#first;
    this.#first = null;
    return new Promise((resolve) => {
      if (this.#closed) return resolve({ done: true, value: undefined });
      if (first !== null) return resolve({ done: false, value: first });
      this.#resolve = resolve;
      this.#timer = setTimeout(() => resolve({ done: false, value: ":\n\n" }), HEARTBEAT);
    });
  }

  /** By the server when the page has gone, and by us; either may be first. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#resolve?.({ done: true, value: undefined });
    this.#onClose();
  }
}
