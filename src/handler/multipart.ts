// multipart/form-data (RFC 7578, RFC 2046 §5.1): MultiPartSplitter finds the parts in bytes as they come and knows nothing
// else; MultiPartParser makes fields and files of them, within the limits of the settings. It is stricter than Django's: a
// body that breaks the grammar is refused, because what is left out of a form may be what mattered. Our own, because the
// parsers on npm either hold whole files in memory or pass over what is malformed.

import { ByteBuilder } from "./byte_builder.ts";
import { MultiPartParserError, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent } from "./exceptions.ts";
import { parseHeaderParameters } from "./header_parameters.ts";
import { MultiValueDict, QueryDict } from "./query_dict.ts";
import type { Settings } from "./settings.ts";
import { type FileUploadHandler, sanitizeFileName, type UploadedFile } from "./uploads.ts";

/** What a {@link MultiPartSplitter} has found. A part is a head, any number of data, and an end. */
export type MultiPartEvent =
  /** `bytes` are the part's header fields, without the blank line. */
  | { readonly type: "head"; readonly bytes: Uint8Array }
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "end" };

/** Bytes of the header fields of one part. (Django's 1024 are too few for a long name as filename and filename*.) */
const MAX_TOTAL_HEADER_SIZE = 8192;

const HT = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const DASH = 0x2d;

const END: MultiPartEvent = { type: "end" };
const EMPTY = new Uint8Array(0);

/** Cuts a multipart body into its parts: sans-IO, and the same however the bytes are cut. */
export class MultiPartSplitter {
  /** CRLF, "--" and the boundary. */
  readonly #delimiter: Uint8Array;
  #state: "preamble" | "delimiter" | "head" | "blank" | "body" | "epilogue" = "preamble";
  /** What could not be decided yet: a part of a delimiter or of a head. */
  #rest: Uint8Array;

  /** @throws {MultiPartParserError} when `boundary` is none (RFC 2046 §5.1.1, but with any visible character) */
  constructor(boundary: string | undefined) {
    if (boundary === undefined) throw new MultiPartParserError("the Content-Type has no boundary");
    if (!/^[ -~]{0,69}[!-~]$/.test(boundary)) {
      throw new MultiPartParserError("the boundary is not 1 to 70 visible ASCII characters (RFC 2046 §5.1.1)");
    }
    this.#delimiter = new TextEncoder().encode(`\r\n--${boundary}`);
    // The first delimiter need not follow a line.
    this.#rest = this.#delimiter.subarray(0, 2);
  }

  /**
   * What `chunk` tells. Its bytes are lent: they are those of the chunk.
   *
   * @throws {MultiPartParserError} while it is iterated, when this is no multipart body
   */
  *push(chunk: Uint8Array): Generator<MultiPartEvent, void> {
    const bytes = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk);
    this.#rest = EMPTY;
    const length = this.#delimiter.length;
    let at = 0;
    for (;;) {
      switch (this.#state) {
        case "preamble":
        case "body": {
          const found = this.#find(bytes, at);
          if (this.#state === "body" && found > at) yield { type: "data", bytes: bytes.subarray(at, found) };
          if (found + length > bytes.length) return this.#keep(bytes, found);
          if (this.#state === "body") yield END;
          at = found + length;
          this.#state = "delimiter";
          break;
        }
        case "delimiter": {
          // "--", or padding and a line's end. A line that begins with a delimiter is one, whatever follows.
          if (bytes.length < at + 2) return this.#keep(bytes, at);
          if (bytes[at] === DASH && bytes[at + 1] === DASH) {
            this.#state = "epilogue";
            break;
          }
          let end = at;
          while (bytes[end] === SP || bytes[end] === HT) end++;
          limitHead(end - at);
          if (bytes.length < end + 2) return this.#keep(bytes, at);
          if (bytes[end] !== CR || bytes[end + 1] !== LF) {
            throw new MultiPartParserError("a line begins with the boundary and goes on (RFC 2046 §5.1.1)");
          }
          at = end;
          this.#state = "head";
          break;
        }
        case "head": {
          // From the delimiter's own line end on, so that a part without fields has a blank line too.
          const end = findBlankLine(bytes, at);
          limitHead((end < 0 ? bytes.length : end) - at);
          if (end < 0) return this.#keep(bytes, at);
          yield { type: "head", bytes: end === at ? EMPTY : bytes.subarray(at + 2, end) };
          at = end + 2;
          this.#state = "blank";
          break;
        }
        case "blank":
          // The blank line may be the beginning of the next delimiter already: then the part has no body.
          if (this.#begins(bytes, at)) {
            if (at + length > bytes.length) return this.#keep(bytes, at);
          } else {
            at += 2;
          }
          this.#state = "body";
          break;
        case "epilogue":
          return;
      }
    }
  }

  /** @throws {MultiPartParserError} when the last part has not ended */
  finish(): void {
    if (this.#state !== "epilogue") throw new MultiPartParserError("the multipart body ends before its last boundary");
  }

  #keep(bytes: Uint8Array, from: number): void {
    this.#rest = bytes.subarray(from);
  }

  /** Where the next delimiter begins, or might with the next bytes; else the end. */
  #find(bytes: Uint8Array, from: number): number {
    // No indexOf(): of a client who sends nothing but CR each byte would cost a call, 13 MB/s on Node.
    for (let at = from; at < bytes.length; at++) {
      // Where the last of CR LF "-" "-" would be is none of these: then they begin at none of four places.
      while (at + 3 < bytes.length && bytes[at + 3] !== DASH && bytes[at + 3] !== LF && bytes[at + 3] !== CR) at += 4;
      if (bytes[at] === CR && this.#begins(bytes, at)) return at;
    }
    return bytes.length;
  }

  /** True when the delimiter is at `at`, or as much of it as there are bytes. */
  #begins(bytes: Uint8Array, at: number): boolean {
    const length = Math.min(this.#delimiter.length, bytes.length - at);
    for (let i = 0; i < length; i++) {
      if (bytes[at + i] !== this.#delimiter[i]) return false;
    }
    return true;
  }
}

function findBlankLine(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length - 3; at++) {
    if (bytes[at] === CR && bytes[at + 1] === LF && bytes[at + 2] === CR && bytes[at + 3] === LF) return at;
  }
  return -1;
}

function limitHead(size: number): void {
  if (size > MAX_TOTAL_HEADER_SIZE) {
    throw new MultiPartParserError(`the header of a part is longer than ${MAX_TOTAL_HEADER_SIZE} bytes`);
  }
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** What the header fields of a part say. */
interface PartHead {
  readonly name: string;
  /** Null: the part is no file. */
  readonly fileName: string | null;
  readonly contentType: string;
  readonly charset: string | null;
}

/** What may stand in the fields of a part's header (RFC 9110 §5.1, §5.5), before it is decoded. */
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\0\r\n]*)$/;

/** @throws {MultiPartParserError} when the fields are malformed, or do not name a form field (RFC 7578 §4.2) */
function parseHead(text: string): PartHead {
  const fields: Record<string, string> = Object.create(null);
  // Long fields may go on in the next line (RFC 5322 §2.2.3).
  for (const line of text.replace(/\r\n(?=[ \t])/g, "").split("\r\n")) {
    const match = FIELD.exec(line);
    if (match === null) throw new MultiPartParserError("a part's header has a line that is no field");
    const name = match[1]!.toLowerCase();
    if (name in fields) throw new MultiPartParserError(`a part has two fields ${match[1]!}`);
    fields[name] = match[2]!;
  }
  const disposition = parseHeaderParameters(fields["content-disposition"] ?? "");
  const { name, filename } = disposition.parameters;
  if (disposition.value !== "form-data" || name === undefined) {
    throw new MultiPartParserError('a part has no "Content-Disposition: form-data" with a name (RFC 7578 §4.2)');
  }
  const encoding = fields["content-transfer-encoding"]?.trim().toLowerCase() ?? "binary";
  if (encoding !== "binary" && encoding !== "8bit" && encoding !== "7bit") {
    throw new MultiPartParserError("a part has a Content-Transfer-Encoding, which is no more (RFC 7578 §4.7)");
  }
  const type = parseHeaderParameters(fields["content-type"] ?? "");
  return {
    name: unescapeName(name),
    fileName: filename === undefined ? null : unescapeName(filename),
    contentType: type.value,
    charset: type.parameters["charset"] ?? null,
  };
}

/** Browsers escape these three in names, and nothing else (HTML §4.10.21.8). */
function unescapeName(name: string): string {
  return name.replace(/%0A|%0D|%22/g, decodeURIComponent);
}

/** The settings that limit a form. */
export type FormLimits = Pick<
  Settings,
  "DATA_UPLOAD_MAX_MEMORY_SIZE" | "DATA_UPLOAD_MAX_NUMBER_FIELDS" | "DATA_UPLOAD_MAX_NUMBER_FILES"
>;

/** A form: what POST and FILES are. Both are immutable. */
export interface Form {
  readonly post: QueryDict;
  readonly files: MultiValueDict<UploadedFile>;
}

/** Reads one form (Django's MultiPartParser). */
export class MultiPartParser {
  readonly #splitter: MultiPartSplitter;
  readonly #limits: FormLimits;
  readonly #handlers: readonly FileUploadHandler[];
  readonly #decoder: TextDecoder;
  readonly #post: QueryDict;
  readonly #files = new MultiValueDict<UploadedFile>();
  #part: PartHead | null = null;
  readonly #value = new ByteBuilder();
  #fieldCount = 0;
  #fileCount = 0;
  /** Bytes of fields and their names. */
  #memory = 0;

  /**
   * @param boundary of the Content-Type
   * @param handlers what takes the files, in their order
   * @param encoding the charset of names and values; default "utf-8"
   * @throws {MultiPartParserError} when the boundary is none
   */
  constructor(
    boundary: string | undefined,
    limits: FormLimits,
    handlers: readonly FileUploadHandler[],
    encoding = "utf-8",
  ) {
    this.#splitter = new MultiPartSplitter(boundary);
    this.#limits = limits;
    this.#handlers = handlers;
    this.#decoder = new TextDecoder(encoding);
    this.#post = new QueryDict("", { mutable: true, encoding });
  }

  /**
   * Reads `input` to its end, but stops at the first fault: no file is left then.
   *
   * @throws {MultiPartParserError} when it is malformed
   * @throws {RequestDataTooBig} when the fields have more than DATA_UPLOAD_MAX_MEMORY_SIZE bytes, or no handler takes a
   * file's
   * @throws {TooManyFieldsSent} or {TooManyFilesSent}, when there are more than the settings allow
   */
  async parse(input: AsyncIterable<Uint8Array>): Promise<Form> {
    try {
      let empty = true;
      for await (const chunk of input) {
        empty = false;
        for (const event of this.#splitter.push(chunk)) {
          // Most events are of fields, and need no waiting.
          const done = this.#take(event);
          if (done !== undefined) await done;
        }
      }
      // A form without fields: some send nothing at all.
      if (!empty) this.#splitter.finish();
    } catch (error) {
      await this.#throwAway();
      throw error;
    }
    return { post: this.#post.freeze(), files: this.#files.freeze() };
  }

  #take(event: MultiPartEvent): void | Promise<void> {
    if (event.type === "head") return this.#begin(parseHead(this.#decoder.decode(event.bytes)));
    const part = this.#part!;
    if (part.fileName === null) {
      if (event.type === "data") this.#addToField(event.bytes);
      else this.#post.append(part.name, this.#decoder.decode(this.#value.take()));
      // An input for files in which none was chosen sends one without a name: that is no file.
    } else if (part.fileName !== "") {
      return event.type === "data" ? this.#addToFile(event.bytes) : this.#endFile(part.name);
    }
  }

  #begin(part: PartHead): void {
    this.#part = part;
    const { DATA_UPLOAD_MAX_NUMBER_FIELDS: maxFields, DATA_UPLOAD_MAX_NUMBER_FILES: maxFiles } = this.#limits;
    if (part.fileName === null) {
      if (maxFields !== null && ++this.#fieldCount > maxFields) {
        throw new TooManyFieldsSent(
          `more than ${maxFields} fields: the setting DATA_UPLOAD_MAX_NUMBER_FIELDS allows no more`,
        );
      }
      // As in a query: "=" and "&" count, so that empty fields are not for nothing.
      this.#count(part.name.length + 2);
      return;
    }
    if (maxFiles !== null && ++this.#fileCount > maxFiles) {
      throw new TooManyFilesSent(
        `more than ${maxFiles} files: the setting DATA_UPLOAD_MAX_NUMBER_FILES allows no more`,
      );
    }
    if (part.fileName === "") return;
    const { contentType, charset } = part;
    const info = { fieldName: part.name, name: sanitizeFileName(part.fileName), contentType, charset };
    for (const handler of this.#handlers) handler.newFile(info);
  }

  #addToField(bytes: Uint8Array): void {
    this.#count(bytes.length);
    this.#value.append(bytes);
  }

  #count(size: number): void {
    const max = this.#limits.DATA_UPLOAD_MAX_MEMORY_SIZE;
    this.#memory += size;
    if (max !== null && this.#memory > max) {
      throw new RequestDataTooBig(
        `the form's fields have more than ${max} bytes: the setting DATA_UPLOAD_MAX_MEMORY_SIZE allows no more`,
      );
    }
  }

  async #addToFile(bytes: Uint8Array): Promise<void> {
    let left: Uint8Array | null = bytes;
    for (const handler of this.#handlers) {
      left = await handler.receiveDataChunk(left);
      if (left === null) return;
    }
    throw new RequestDataTooBig(
      "the uploaded files have more bytes than the setting FILE_UPLOAD_MAX_MEMORY_SIZE allows in memory, and " +
        "FILE_UPLOAD_STORAGE names no storage for them",
    );
  }

  async #endFile(fieldName: string): Promise<void> {
    for (const handler of this.#handlers) {
      const file = await handler.fileComplete();
      if (file !== null) return this.#files.append(fieldName, file);
    }
  }

  async #throwAway(): Promise<void> {
    // What cannot be deleted must not hide why.
    await Promise.allSettled(this.#handlers.map(async (handler) => await handler.uploadInterrupted()));
    await closeFiles(this.#files);
  }
}

/** Closes them all; what cannot be deleted stays. */
export async function closeFiles(files: MultiValueDict<UploadedFile>): Promise<void> {
  await Promise.allSettled([...files.lists()].flatMap(([, list]) => list).map((file) => file.close()));
}
