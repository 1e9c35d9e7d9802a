// A file as a response (Django's FileResponse): its type, name and size, parts of it (RFC 9110 §14), and nothing at all for
// a client that has it (§13). There is no file system here: a file is what can be read at any place, or only once.

import { lookup } from "mrmime";
import type { MaybePromise } from "../esgi/application.ts";
import { iterateStream } from "../esgi/body.ts";
import { conditionalStatus } from "./conditional.ts";
import { contentDispositionHeader, httpDate, parseHttpDate } from "./http.ts";
import type { HttpRequest } from "./request.ts";
import { type ESGIResponse, type HttpResponseInit, type StreamingContent, StreamingHttpResponse } from "./response.ts";

/** A file that is open: `openFile()` of "tricorn" gives one of the disk. */
export interface FileLike {
  /** In bytes. */
  readonly size: number;
  /** When it was last changed: without it the response has no ETag and no Last-Modified. */
  readonly mtime?: Date;
  /** Its name, without a folder. */
  readonly name?: string;
  /** Where it is on the disk, absolute and without `..`: a web server on the same machine can send it. */
  readonly path?: string;
  /** The bytes from `start` up to `end`, which is not in it. Called once. */
  slice(start: number, end: number): AsyncIterable<Uint8Array>;
  /** Called once, when the response is closed. */
  close?(): MaybePromise<void>;
}

/** What can be read from its first byte to its last only, as an uploaded file: there are no ranges of it. */
export type FileStream = (AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>) & {
  /** In bytes; without it there is no Content-Length. */
  readonly size?: number;
  readonly name?: string;
};

/** How a file's response differs from the usual one. */
export interface FileResponseInit extends HttpResponseInit {
  /** The browser is to save the file and not to show it. Default false. */
  readonly asAttachment?: boolean;
  /** The file's name for the client; default: the file's own. Also tells the Content-Type. */
  readonly filename?: string;
}

const OCTETS = "application/octet-stream";
/** What tells of content, and is wrong where there is none. */
const OF_CONTENT = ["Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition", "Content-Language"];

/** See the file's head. Bytes, Blobs and files know their size, and any part of them can be had; a stream cannot. */
export class FileResponse extends StreamingHttpResponse {
  /** Null for a stream, and when a middleware has set other content. */
  #parts: Parts | null;
  readonly #path: string | null;

  constructor(file: FileLike | Blob | Uint8Array | FileStream, init: FileResponseInit = {}) {
    const seekable = toFileLike(file);
    const parts = seekable === null ? null : new Parts(seekable);
    super(parts ?? file as FileStream, init);
    this.#parts = parts;
    this.#path = seekable?.path ?? null;
    this.#setHeaders(seekable ?? file as FileStream, init);
  }

  protected override defaultContentType(): string {
    return OCTETS;
  }

  /** Headers that were given stay. */
  #setHeaders(file: { readonly size?: number; readonly mtime?: Date; readonly name?: string }, init: FileResponseInit) {
    const { headers } = this;
    const filename = init.filename ?? file.name ?? "";
    if (init.contentType === undefined && headers.get("Content-Type") === OCTETS) {
      headers.set("Content-Type", guessContentType(filename));
    }
    const disposition = contentDispositionHeader(init.asAttachment ?? false, filename);
    if (disposition !== null) headers.setDefault("Content-Disposition", disposition);
    if (typeof file.size === "number") headers.setDefault("Content-Length", String(file.size));
    if (file.mtime === undefined) return;
    const time = file.mtime.getTime();
    // Weak: a file may change twice within the clock's tick, and keep its size (RFC 9110 §8.8.1).
    headers.setDefault("ETag", `W/"${file.size!.toString(16)}-${Math.trunc(time).toString(16)}"`);
    // A time to come is none (RFC 9110 §8.8.2.1).
    headers.setDefault("Last-Modified", httpDate(Math.min(time, Date.now())));
  }

  /** Where the file is on the disk; null where it is not, and when a middleware has set other content. */
  get path(): string | null {
    return this.#parts === null ? null : this.#path;
  }

  override get streamingContent(): AsyncIterableIterator<Uint8Array> {
    return super.streamingContent;
  }

  /** What is set is not the file any more: there are no ranges of it. */
  override set streamingContent(content: StreamingContent) {
    this.#parts = null;
    super.streamingContent = content;
  }

  /**
   * Answers conditions with 304 and 412. One range of a file gets 206, and 416 when it is beyond the end; several ranges
   * get the whole file, as a server may choose (RFC 9110 §14.2): nobody but attackers asks for many.
   */
  override toESGI(request: HttpRequest): ESGIResponse {
    const status = conditionalStatus(request, this);
    if (status !== null) return this.#withoutContent(status);
    const parts = this.#parts;
    if (parts === null) return super.toESGI(request);
    if (this.statusCode === 200) {
      this.headers.setDefault("Accept-Ranges", "bytes");
      // Of other methods a Range means nothing (RFC 9110 §14.2).
      const range = request.method === "GET" && this.#isUnchanged(request.META.HTTP_IF_RANGE)
        ? parseRange(request.META.HTTP_RANGE, parts.size)
        : null;
      if (range === "unsatisfiable") {
        this.headers.set("Content-Range", `bytes */${parts.size}`);
        return this.#withoutContent(416);
      }
      if (range !== null) {
        this.statusCode = 206;
        this.headers.set("Content-Range", `bytes ${range.start}-${range.end - 1}/${parts.size}`);
        this.headers.set("Content-Length", String(range.end - range.start));
        parts.select(range);
      }
    }
    const wrap = request.environ["esgi.file_wrapper"];
    if (wrap === undefined) return this.withBody(this);
    const file = { [Symbol.asyncIterator]: () => this.streamingContent, close: () => this.close() };
    return this.withBody(wrap(file));
  }

  /** The response stays this one, with what middleware has added to it; the handler closes the file. */
  #withoutContent(status: number): ESGIResponse {
    this.statusCode = status;
    for (const name of OF_CONTENT) this.headers.delete(name);
    return this.withBody("");
  }

  /** If-Range (RFC 9110 §13.1.5): a part is good only for whoever has the rest of the same. */
  #isUnchanged(condition: string | undefined): boolean {
    if (condition === undefined) return true;
    if (condition.includes('"')) return condition === this.headers.get("ETag") && !condition.startsWith("W/");
    const lastModified = this.headers.get("Last-Modified");
    // Within the second of the change there might have been another one (RFC 9110 §8.8.2.2).
    return lastModified === condition && Date.now() - (parseHttpDate(condition) ?? Infinity) >= 1000;
  }
}

/** A file, or a part of it, as content. */
class Parts implements AsyncIterable<Uint8Array> {
  readonly size: number;
  readonly #file: FileLike;
  #range: Range;

  constructor(file: FileLike) {
    this.#file = file;
    this.size = file.size;
    this.#range = { start: 0, end: file.size };
  }

  /** Chooses what will be read. */
  select(range: Range): void {
    this.#range = range;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#file.slice(this.#range.start, this.#range.end)[Symbol.asyncIterator]();
  }

  close(): MaybePromise<void> {
    return this.#file.close?.();
  }
}

/** `file` as one that can be read at any place; null for a stream. */
function toFileLike(file: FileLike | Blob | Uint8Array | FileStream): FileLike | null {
  if (file instanceof Uint8Array) {
    return {
      size: file.length,
      async *slice(start, end) {
        if (end > start) yield file.subarray(start, end);
      },
    };
  }
  if (file instanceof Blob) {
    const { name, lastModified } = file as Partial<File>;
    return {
      size: file.size,
      ...(name === undefined ? {} : { name }),
      ...(lastModified === undefined ? {} : { mtime: new Date(lastModified) }),
      slice: (start, end) => iterateStream(file.slice(start, end).stream()),
    };
  }
  return typeof (file as Partial<FileLike>).slice === "function" ? file as FileLike : null;
}

/** The media type of a file with this name, text as UTF-8; what is not known is bytes. */
export function guessContentType(filename: string): string {
  const type = filename.includes(".") ? lookup(filename) : undefined;
  // The library's table is an object, and has "constructor".
  if (typeof type !== "string") return OCTETS;
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type;
}

/** Bytes from `start` up to `end`, which is not one of them. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * The range that a Range field asks for, of a file with `size` bytes (RFC 9110 §14.1.2). Null where the field is to be
 * ignored: it is none, malformed, in another unit, or has several ranges.
 */
function parseRange(field: string | undefined, size: number): Range | "unsatisfiable" | null {
  const match = field === undefined ? null : /^bytes=[\t ]*(\d*)-(\d*)[\t ]*$/i.exec(field);
  if (match === null) return null;
  const [, first, last] = match as unknown as [string, string, string];
  if (first === "") {
    if (last === "") return null;
    if (Number(last) === 0) return "unsatisfiable";
    // Of nothing, the last bytes are all there is, and "0--1" is no range.
    return size === 0 ? null : { start: Math.max(0, size - Number(last)), end: size };
  }
  if (last !== "" && Number(last) < Number(first)) return null;
  if (Number(first) >= size) return "unsatisfiable";
  return { start: Number(first), end: last === "" ? size : Math.min(Number(last) + 1, size) };
}
