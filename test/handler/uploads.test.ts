// Uploaded files, what keeps them, and their names (Django's tests/file_uploads).

import { describe, expect, test } from "vitest";
import { MultiPartParser } from "../../src/handler/multipart.ts";
import {
  type FileStorage,
  type FileUploadHandler,
  MemoryFileUploadHandler,
  sanitizeFileName,
  type StoredFile,
  TemporaryFileUploadHandler,
  UploadedFile,
  type UploadInfo,
} from "../../src/handler/uploads.ts";

const INFO: UploadInfo = { fieldName: "f", name: "a.txt", contentType: "text/plain", charset: null };
const LIMITS = {
  DATA_UPLOAD_MAX_MEMORY_SIZE: null,
  DATA_UPLOAD_MAX_NUMBER_FIELDS: null,
  DATA_UPLOAD_MAX_NUMBER_FILES: null,
};
const encoder = new TextEncoder();

/** Files in memory, which tell what becomes of them. */
class TestStorage implements FileStorage {
  readonly files: string[] = [];
  readonly directories: (string | null)[] = [];
  /** A write fails when there are as many bytes. */
  full = Infinity;

  create(directory: string | null): Promise<StoredFile> {
    const at = this.files.push("open:") - 1;
    this.directories.push(directory);
    const chunks: Uint8Array[] = [];
    return Promise.resolve({
      write: (chunk) => {
        if (chunk.length >= this.full) return Promise.reject(new Error("the disk is full"));
        chunks.push(chunk.slice());
        this.files[at] = `${this.files[at]!}${chunk.length}`;
        return Promise.resolve();
      },
      close: () => {
        this.files[at] = this.files[at]!.replace("open", "closed");
        return Promise.resolve();
      },
      async *open() {
        yield* chunks;
      },
      remove: () => {
        this.files[at] = "removed";
        return Promise.resolve();
      },
    });
  }
}

const file = (name: string, body: string, field = "f"): string =>
  `--b\r\nContent-Disposition: form-data; name="${field}"; filename="${name}"\r\n\r\n${body}\r\n`;

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield encoder.encode(text);
}

async function collect(input: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = [];
  for await (const chunk of input) collected.push(chunk);
  return collected;
}

function parser(handlers: FileUploadHandler[]): MultiPartParser {
  return new MultiPartParser("b", LIMITS, handlers);
}

describe("UploadedFile", () => {
  test("in memory", async () => {
    const uploaded = new UploadedFile(INFO, 5, encoder.encode("caf\u00e9"));
    expect([uploaded.name, uploaded.size, uploaded.contentType, uploaded.charset]).toEqual([
      "a.txt",
      5,
      "text/plain",
      null,
    ]);
    for (let i = 0; i < 2; i++) {
      expect(await collect(uploaded.chunks())).toEqual([encoder.encode("caf\u00e9")]);
      expect(await uploaded.text()).toBe("caf\u00e9");
    }
    expect(uploaded.inMemory).toBe(true);
    expect(await collect(new UploadedFile(INFO, 0, new Uint8Array(0)))).toEqual([]);
  });

  test("in a storage, read as often as one likes, deleted by close()", async () => {
    const storage = new TestStorage();
    const handler = new TemporaryFileUploadHandler(storage, "/uploads");
    handler.newFile(INFO);
    for (const text of ["one ", "two"]) await handler.receiveDataChunk(encoder.encode(text));
    const uploaded = await handler.fileComplete();
    expect([uploaded.size, uploaded.inMemory, storage.files, storage.directories])
      .toEqual([7, false, ["closed:43"], ["/uploads"]]);
    expect(await uploaded.text()).toBe("one two");
    expect(await collect(uploaded)).toEqual(["one ", "two"].map((text) => encoder.encode(text)));
    await uploaded.close();
    expect(storage.files).toEqual(["removed"]);
  });
});

describe("which handler has a file", () => {
  test("files stay in memory up to FILE_UPLOAD_MAX_MEMORY_SIZE, all together", async () => {
    const storage = new TestStorage();
    const { files } = await parser([new MemoryFileUploadHandler(10), new TemporaryFileUploadHandler(storage)]).parse(
      chunks(file("a", "123456"), file("b", "12345"), file("c", "1234"), file("d", ""), file("e", "x"), "--b--"),
    );
    const list = files.getAll("f");
    expect(list.map(({ name, size, inMemory }) => [name, size, inMemory])).toEqual([
      ["a", 6, true],
      ["b", 5, false],
      ["c", 4, true],
      ["d", 0, true],
      ["e", 1, false],
    ]);
    expect(await Promise.all(list.map((one) => one.text()))).toEqual(["123456", "12345", "1234", "", "x"]);
    expect(storage.files).toEqual(["closed:5", "closed:1"]);
  });

  test("a file that outgrows memory goes on in the storage, whole", async () => {
    const storage = new TestStorage();
    const { files } = await parser([new MemoryFileUploadHandler(10), new TemporaryFileUploadHandler(storage)]).parse(
      chunks(...file("a", "abcdefghijklmnopqrstuvwxyz"), ..."--b--"),
    );
    expect(await files.get("f")!.text()).toBe("abcdefghijklmnopqrstuvwxyz");
    expect(files.get("f")!.inMemory).toBe(false);
    expect(storage.files[0]).toMatch(/^closed:11/);
  });

  test("without a memory handler even an empty file is stored", async () => {
    const storage = new TestStorage();
    const { files } = await parser([new TemporaryFileUploadHandler(storage)]).parse(chunks(file("a", ""), "--b--"));
    expect(files.get("f")!.size).toBe(0);
    expect(storage.files).toEqual(["closed:"]);
  });

  test("a handler in front sees and changes what those behind it get, and may keep a file from FILES", async () => {
    class Quota implements FileUploadHandler {
      seen = 0;
      newFile(): void {}
      receiveDataChunk(chunk: Uint8Array): Uint8Array | null {
        this.seen += chunk.length;
        return chunk[0] === 33 ? null : chunk.map((byte) => byte ^ 32);
      }
      fileComplete(): null {
        return null;
      }
      uploadInterrupted(): void {}
    }
    const quota = new Quota();
    const { files } = await parser([quota, new MemoryFileUploadHandler(100)]).parse(
      chunks(file("a", "hello"), file("b", "!skipped"), "--b--"),
    );
    expect(quota.seen).toBe(13);
    expect(await Promise.all(files.getAll("f").map((one) => one.text()))).toEqual(["HELLO", ""]);
    const none = await parser([quota]).parse(chunks(file("b", "!skipped"), "--b--"));
    expect(none.files.size).toBe(0);
  });
});

describe("no file is left when a form is refused", () => {
  const body = [file("a", "one"), file("b", "two").slice(0, -2)];

  test.each([
    ["malformed", () => chunks(...body, "\r\n--bx")],
    ["cut off", () => chunks(...body)],
    ["broken", async function* () {
      yield* chunks(...body);
      throw new Error("the client has left");
    }],
  ])("%s", async (_, input) => {
    const storage = new TestStorage();
    await expect(parser([new TemporaryFileUploadHandler(storage)]).parse(input())).rejects.toThrow();
    expect(storage.files).toEqual(["removed", "removed"]);
  });

  test("the storage fails", async () => {
    const storage = new TestStorage();
    storage.full = 5;
    const parsing = parser([new TemporaryFileUploadHandler(storage)]).parse(
      chunks(file("a", "one"), file("b", "too much"), "--b--"),
    );
    await expect(parsing).rejects.toThrow("the disk is full");
    expect(storage.files).toEqual(["removed", "removed"]);
  });
});

describe("sanitize_file_name", () => {
  test.each([
    ["hax0rd.txt", "hax0rd.txt"],
    ["/tmp/hax0rd.txt", "hax0rd.txt"],
    ["C:\\Windows\\hax0rd.txt", "hax0rd.txt"],
    ["../hax0rd.txt", "hax0rd.txt"],
    ["..\\..\\hax0rd.txt", "hax0rd.txt"],
    ["..\\../hax0rd.txt", "hax0rd.txt"],
    ["/", "unnamed"],
    ["..", "unnamed"],
    [".", "unnamed"],
    ["...", "unnamed"],
    ["", "unnamed"],
    [" ", "unnamed"],
    [".htaccess", ".htaccess"],
    [" .. ", "unnamed"],
    ["a.exe. . ", "a.exe"],
    ["hax0rd.txt\0.jpg", "hax0rd.txt.jpg"],
    ["a\r\nb\t\x7f\x85c", "abc"],
    ["evil\u202egpj.exe", "evilgpj.exe"],
    ["a\u2028b\ufeff", "ab"],
    ["a\ud800b", "ab"],
    ["\u65e5\u672c \u{1f984}.txt", "\u65e5\u672c \u{1f984}.txt"],
    ["C:evil.txt", "C_evil.txt"],
    ["a.txt:stream", "a.txt_stream"],
    ['<a>"b"|c?*', "_a__b__c__"],
    ["con", "unnamed"],
    ["CON.tar.gz", "unnamed"],
    ["LPT\u00b9.txt", "unnamed"],
    ["console.txt", "console.txt"],
    ["a/..", "unnamed"],
    ["\0..\0", "unnamed"],
  ])("%j is %j", (sent, name) => {
    expect(sanitizeFileName(sent)).toBe(name);
    expect(sanitizeFileName(name)).toBe(name);
  });

  test("a long name is cut before its ending", () => {
    expect(sanitizeFileName(`${"a".repeat(300)}.jpg`)).toBe(`${"a".repeat(251)}.jpg`);
    expect(sanitizeFileName("a".repeat(300))).toBe("a".repeat(255));
    expect(sanitizeFileName(`a.${"b".repeat(300)}`)).toHaveLength(255);
    expect(sanitizeFileName(`${"a".repeat(254)}.${"b".repeat(300)}`)).toBe("a".repeat(254));
    expect(sanitizeFileName("\u{1f984}".repeat(200))).toBe("\u{1f984}".repeat(127));
  });
});
