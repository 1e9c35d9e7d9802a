// Uploaded files and what keeps them while a request lasts (Django's files/uploadedfile.py and uploadhandler.py): small
// ones in memory, the others in a storage, which the project names because src knows no file system. Names and types are
// the client's word, and no name here is a path.

import type { MaybePromise } from "../esgi/application.ts";
import { ByteBuilder } from "./byte_builder.ts";

/** Where files go that do not stay in memory; `temporaryFileStorage` of "tricorn" has them on the disk. */
export interface FileStorage {
  /** Makes an empty file; `directory` is the setting FILE_UPLOAD_TEMP_DIR. */
  create(directory: string | null): Promise<StoredFile>;
}

/** One file of a {@link FileStorage}, which is written, then closed, then read as often as one likes. */
export interface StoredFile {
  write(chunk: Uint8Array): Promise<void>;
  /** All has been written. */
  close(): Promise<void>;
  /** Its bytes, from the first. */
  open(): AsyncIterable<Uint8Array>;
  /** Deletes it, closed or not. A second call does nothing. */
  remove(): Promise<void>;
}

/** What a client says of a file before it sends it. */
export interface UploadInfo {
  /** The form field's name. */
  readonly fieldName: string;
  /** See {@link UploadedFile.name}. */
  readonly name: string;
  /** In lower case, without parameters; "" when there was none. */
  readonly contentType: string;
  readonly charset: string | null;
}

/** A file that a client sent with a form (Django's UploadedFile). It is gone when the request is closed. */
export class UploadedFile {
  /**
   * The name that the client gave it, cleaned: no folder, no control characters, no name that a system keeps for itself,
   * at most 255 characters. Whoever saves it still has to mind files that exist and endings that a server runs.
   */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** The client's word: in lower case, without parameters; "" when it gave none. */
  readonly contentType: string;
  /** The client's word, or null. */
  readonly charset: string | null;
  readonly #content: Uint8Array | StoredFile;

  constructor(info: Omit<UploadInfo, "fieldName">, size: number, content: Uint8Array | StoredFile) {
    this.name = info.name;
    this.contentType = info.contentType;
    this.charset = info.charset;
    this.size = size;
    this.#content = content;
  }

  /** True when it is in memory (Django's InMemoryUploadedFile), false when a storage has it (TemporaryUploadedFile). */
  get inMemory(): boolean {
    return this.#content instanceof Uint8Array;
  }

  /** The bytes, as they come. It can be read more than once. */
  async *chunks(): AsyncIterableIterator<Uint8Array> {
    if (this.#content instanceof Uint8Array) {
      if (this.size > 0) yield this.#content;
    } else {
      yield* this.#content.open();
    }
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return this.chunks();
  }

  /** All its bytes in one array. A large file had better be read by {@link chunks}. */
  async read(): Promise<Uint8Array> {
    if (this.#content instanceof Uint8Array) return this.#content;
    const bytes = new Uint8Array(this.size);
    let offset = 0;
    for await (const chunk of this.#content.open()) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    return bytes;
  }

  /** All of it as text, in UTF-8; what is none becomes U+FFFD. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.read());
  }

  /** Forgets the file, which a storage deletes. The request does it for all its files. */
  async close(): Promise<void> {
    if (!(this.#content instanceof Uint8Array)) await this.#content.remove();
  }
}

/**
 * Takes the files of one request, one after the other (Django's FileUploadHandler). A request has a chain of them, and
 * each is given what the one before it left.
 */
export interface FileUploadHandler {
  /** A file begins. */
  newFile(info: UploadInfo): void;
  /** Some bytes of it, which it may keep. Gives what is left for the next handler, or null. */
  receiveDataChunk(chunk: Uint8Array): MaybePromise<Uint8Array | null>;
  /** The file has ended. Gives it, or null when this handler has none of it. */
  fileComplete(): MaybePromise<UploadedFile | null>;
  /** There will be no more of the file that has begun: throws away what there is of it. */
  uploadInterrupted(): MaybePromise<void>;
}

/**
 * Keeps files in memory until all of them together have more than `limit` bytes. The file that is too much goes to the
 * next handler whole, and so do those after it that do not fit. (Django asks Content-Length, and trusts it; a chunked
 * request has none.)
 */
export class MemoryFileUploadHandler implements FileUploadHandler {
  readonly #limit: number;
  /** Bytes of this request's files that are in memory. */
  #held = 0;
  readonly #bytes = new ByteBuilder();
  #info: UploadInfo | null = null;
  /** This file is the next handler's. */
  #passed = false;

  /** @param limit bytes: the setting FILE_UPLOAD_MAX_MEMORY_SIZE */
  constructor(limit: number) {
    this.#limit = limit;
  }

  newFile(info: UploadInfo): void {
    this.#info = info;
    this.#passed = false;
  }

  receiveDataChunk(chunk: Uint8Array): Uint8Array | null {
    if (this.#passed) return chunk;
    this.#bytes.append(chunk);
    if (this.#held + this.#bytes.size <= this.#limit) return null;
    this.#passed = true;
    return this.#bytes.take();
  }

  fileComplete(): UploadedFile | null {
    if (this.#passed) return null;
    const bytes = this.#bytes.take();
    this.#held += bytes.length;
    return new UploadedFile(this.#info!, bytes.length, bytes);
  }

  uploadInterrupted(): void {
    this.#bytes.take();
  }
}

/** Writes each file that reaches it into a storage. */
export class TemporaryFileUploadHandler implements FileUploadHandler {
  readonly #storage: FileStorage;
  readonly #directory: string | null;
  #info: UploadInfo | null = null;
  #file: StoredFile | null = null;
  #size = 0;

  /** @param directory the setting FILE_UPLOAD_TEMP_DIR */
  constructor(storage: FileStorage, directory: string | null = null) {
    this.#storage = storage;
    this.#directory = directory;
  }

  newFile(info: UploadInfo): void {
    this.#info = info;
    this.#file = null;
    this.#size = 0;
  }

  async receiveDataChunk(chunk: Uint8Array): Promise<null> {
    this.#file ??= await this.#storage.create(this.#directory);
    await this.#file.write(chunk);
    this.#size += chunk.length;
    return null;
  }

  async fileComplete(): Promise<UploadedFile> {
    const file = this.#file ??= await this.#storage.create(this.#directory);
    await file.close();
    this.#file = null;
    return new UploadedFile(this.#info!, this.#size, file);
  }

  async uploadInterrupted(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.remove();
  }
}

/** What Windows keeps for devices, with any ending. */
const RESERVED = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i;

const NAME_LENGTH = 255;

/**
 * A client's file name as one that may be shown, logged and joined to a folder: what follows the last "/" or "\", without
 * control characters, those that turn the direction of text, and unpaired surrogates; nothing that Windows would not have
 * as a name. "unnamed" when nothing is left. (Django's sanitize_file_name does less.)
 */
export function sanitizeFileName(name: string): string {
  const base = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1)
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "")
    .replace(/[<>:"|?*]/g, "_")
    .trimStart();
  const cut = trimEnd(shorten(trimEnd(base)));
  return cut === "" || RESERVED.test(cut) ? "unnamed" : cut;
}

/** Windows drops these from the end, and "a.exe." would be "a.exe". */
function trimEnd(name: string): string {
  let end = name.length;
  while (end > 0 && (name[end - 1] === "." || name[end - 1] === " ")) end--;
  return name.slice(0, end);
}

/** Cuts a long name before its ending, which says more than the middle. */
function shorten(name: string): string {
  if (name.length <= NAME_LENGTH) return name;
  const dot = name.lastIndexOf(".");
  const ending = dot > 0 && name.length - dot <= 32 ? name.slice(dot) : "";
  return name.slice(0, NAME_LENGTH - ending.length).replace(/[\ud800-\udbff]$/, "") + ending;
}
