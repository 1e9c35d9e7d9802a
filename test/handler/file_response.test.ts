import { describe, expect, test, vi } from "vitest";
import { type FileLike, FileResponse, guessContentType } from "../../src/handler/file_response.ts";
import { httpDate } from "../../src/handler/http.ts";
import { UploadedFile } from "../../src/handler/uploads.ts";
import { answer, bytes, makeRequest } from "./answer.ts";

const TEXT = "0123456789";
const MTIME = new Date(Date.UTC(2020, 0, 2, 3, 4, 5, 678));
const MODIFIED = "Thu, 02 Jan 2020 03:04:05 GMT";
const ETAG = `W/"a-${MTIME.getTime().toString(16)}"`;

function makeFile(extra: Partial<FileLike> = {}): FileLike & { close: ReturnType<typeof vi.fn<() => void>> } {
  return {
    size: TEXT.length,
    mtime: MTIME,
    name: "digits.txt",
    async *slice(start: number, end: number) {
      for (let i = start; i < end; i += 4) yield bytes(TEXT.slice(i, Math.min(i + 4, end)));
    },
    ...extra,
    close: vi.fn<() => void>(),
  };
}

describe("FileResponse", () => {
  test("tells type, name, length and validators", async () => {
    const file = makeFile();
    const reply = await answer(new FileResponse(file));
    expect(reply.status).toBe(200);
    expect(Object.fromEntries(reply.headers)).toEqual({
      "Content-Type": "text/plain; charset=utf-8",
      "Content-Disposition": 'inline; filename="digits.txt"',
      "Content-Length": "10",
      ETag: ETAG,
      "Last-Modified": MODIFIED,
      "Accept-Ranges": "bytes",
    });
    expect(reply.text()).toBe(TEXT);
    expect(file.close).toHaveBeenCalledTimes(1);
  });

  test("as an attachment, under another name", () => {
    const response = new FileResponse(makeFile(), { asAttachment: true, filename: "Bücher.csv" });
    expect(response.headers.get("Content-Disposition")).toBe("attachment; filename*=utf-8''B%C3%BCcher.csv");
    expect(response.headers.get("Content-Type")).toBe("text/csv; charset=utf-8");
  });

  test("headers that are given stay", () => {
    const given = {
      "Content-Type": "text/x-mine",
      "Content-Disposition": "inline",
      ETag: '"mine"',
      "Last-Modified": httpDate(0),
    };
    const response = new FileResponse(makeFile(), { headers: given });
    expect(Object.fromEntries(response.headers.entries())).toEqual({ ...given, "Content-Length": "10" });
    const typed = new FileResponse(makeFile(), { contentType: "application/octet-stream" });
    expect(typed.headers.get("Content-Type")).toBe("application/octet-stream");
  });

  test("RFC 9110 §8.8.2.1: no Last-Modified of the future", () => {
    const response = new FileResponse(makeFile({ mtime: new Date(Date.now() + 1e9) }));
    expect(Date.parse(response.headers.get("Last-Modified")!)).toBeLessThanOrEqual(Date.now());
  });

  test("of bytes, which have no name and no time", async () => {
    const reply = await answer(new FileResponse(bytes(TEXT)), { headers: { Range: "bytes=2-4" } });
    expect(reply.headers).toEqual([
      ["Content-Type", "application/octet-stream"],
      ["Content-Length", "3"],
      ["Accept-Ranges", "bytes"],
      ["Content-Range", "bytes 2-4/10"],
    ]);
    expect(reply.text()).toBe("234");
  });

  test("of a Blob and of a File", async () => {
    const blob = await answer(new FileResponse(new Blob([TEXT])), { headers: { Range: "bytes=-3" } });
    expect([blob.status, blob.text(), blob.header("ETag")]).toEqual([206, "789", null]);
    const file = new File([TEXT], "a.json", { lastModified: MTIME.getTime() });
    const reply = await answer(new FileResponse(file));
    expect(reply.text()).toBe(TEXT);
    expect(reply.header("Content-Type")).toBe("application/json");
    expect(reply.header("Last-Modified")).toBe(MODIFIED);
  });

  test("of a stream: without ranges, with a length where it has a size", async () => {
    async function* stream(): AsyncGenerator<Uint8Array> {
      yield bytes(TEXT);
    }
    const reply = await answer(new FileResponse(stream()), { headers: { Range: "bytes=0-1" } });
    expect([reply.status, reply.text(), reply.header("Accept-Ranges")]).toEqual([200, TEXT, null]);
    expect(reply.header("Content-Length")).toBe(null);
    const info = { name: "a.png", contentType: "text/html", charset: null };
    const upload = await answer(new FileResponse(new UploadedFile(info, 10, bytes(TEXT))));
    expect([upload.text(), upload.header("Content-Length"), upload.header("Content-Type")])
      .toEqual([TEXT, "10", "image/png"]);
  });

  test("HEAD has the headers, and the file is closed", async () => {
    const file = makeFile();
    const reply = await answer(new FileResponse(file), { method: "HEAD" });
    expect([reply.status, reply.text(), reply.header("Content-Length")]).toEqual([200, "", "10"]);
    expect(file.close).toHaveBeenCalledTimes(1);
  });

  test("the file is closed once when the client leaves", async () => {
    const file = makeFile();
    expect((await answer(new FileResponse(file), { disconnectAfter: 1 })).aborted).toBe(true);
    expect(file.close).toHaveBeenCalledTimes(1);
  });

  test("works on a server without esgi.file_wrapper", async () => {
    const request = makeRequest();
    delete request.environ["esgi.file_wrapper"];
    const file = makeFile();
    const { body } = new FileResponse(file).toESGI(request);
    const chunks: string[] = [];
    for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(new TextDecoder().decode(chunk));
    await (body as unknown as { close(): Promise<void> }).close();
    expect(chunks.join("")).toBe(TEXT);
    expect(file.close).toHaveBeenCalledTimes(1);
  });
});

describe("conditions", () => {
  test.each<[string, string, number]>([
    ["If-None-Match", ETAG, 304],
    ["If-None-Match", '"other"', 200],
    ["If-Modified-Since", MODIFIED, 304],
    ["If-Modified-Since", httpDate(0), 200],
    ["If-Match", '"other"', 412],
    // A weak tag never matches here (RFC 9110 §13.1.1).
    ["If-Match", ETAG, 412],
    ["If-Unmodified-Since", httpDate(0), 412],
    ["If-Unmodified-Since", MODIFIED, 200],
  ])("%s: %s: %i", async (name, value, status) => {
    const file = makeFile();
    const response = new FileResponse(file, { headers: { "X-Request-ID": "7" } });
    response.setCookie("a");
    const reply = await answer(response, { headers: { [name]: value } });
    expect(reply.status).toBe(status);
    expect(reply.text()).toBe(status === 200 ? TEXT : "");
    expect(reply.header("ETag")).toBe(ETAG);
    // What middleware has added is sent all the same.
    expect([reply.header("X-Request-ID"), reply.header("Set-Cookie")]).toEqual(["7", "a=; Path=/"]);
    if (status !== 200) expect(reply.header("Content-Disposition")).toBe(null);
    expect(file.close).toHaveBeenCalledTimes(1);
  });
});

describe("ranges (RFC 9110 §14)", () => {
  const get = (range: string, fields: Record<string, string> = {}, file: FileLike = makeFile()) =>
    answer(new FileResponse(file), { headers: { Range: range, ...fields } });

  test.each([
    ["bytes=0-0", "0", "0-0"],
    ["bytes=0-4", "01234", "0-4"],
    ["bytes=3-", "3456789", "3-9"],
    ["bytes=9-", "9", "9-9"],
    ["bytes=8-100", "89", "8-9"],
    ["bytes=0-99999999999999999999999999", TEXT, "0-9"],
    ["bytes=-3", "789", "7-9"],
    ["bytes=-100", TEXT, "0-9"],
    ["BYTES=1-2", "12", "1-2"],
    ["bytes= 1-2 ", "12", "1-2"],
  ])("§14.1.2: %s is %s", async (range, text, sent) => {
    const file = makeFile();
    const reply = await get(range, {}, file);
    expect([reply.status, reply.text()]).toEqual([206, text]);
    expect(reply.header("Content-Range")).toBe(`bytes ${sent}/10`);
    expect(reply.header("Content-Length")).toBe(String(text.length));
    expect(reply.header("ETag")).toBe(ETAG);
    expect(file.close).toHaveBeenCalledTimes(1);
  });

  test.each(["bytes=10-", "bytes=10-20", "bytes=99999999999999999999999999-", "bytes=-0"])(
    "§15.5.17: %s is beyond the end: 416, with the size",
    async (range) => {
      const file = makeFile();
      const reply = await get(range, {}, file);
      expect([reply.status, reply.text(), reply.header("Content-Range")]).toEqual([416, "", "bytes */10"]);
      expect([reply.header("Content-Type"), reply.header("Content-Length")]).toEqual([null, null]);
      expect(file.close).toHaveBeenCalledTimes(1);
    },
  );

  test.each([
    "bytes=5-4",
    "bytes=-",
    "bytes=",
    "bytes",
    "",
    "bytes=a-b",
    "bytes=0x1-2",
    "bytes=1 -2",
    "bytes=--1",
    "bytes=1.5-2",
    "lines=0-1",
    "bytes:0-1",
    "bytes=0-1\t2",
    "none",
  ])("§14.2: a Range that is none is ignored: %j", async (range) => {
    const reply = await get(range);
    expect([reply.status, reply.text(), reply.header("Content-Range")]).toEqual([200, TEXT, null]);
  });

  test.each(["bytes=0-1,3-4", "bytes=0-,0-,0-,0-", "bytes=0-0,-1", "bytes=,0-1"])(
    "§14.2: several ranges get the whole: %s",
    async (range) => {
      expect([(await get(range)).status, (await get(range)).text()]).toEqual([200, TEXT]);
    },
  );

  test("§14.2: a Range of another method than GET is ignored", async () => {
    for (const method of ["HEAD", "POST"]) {
      const reply = await answer(new FileResponse(makeFile()), { method, headers: { Range: "bytes=0-1" } });
      expect([reply.status, reply.header("Content-Length")]).toEqual([200, "10"]);
    }
  });

  test("§13.2.2: conditions come first", async () => {
    expect((await get("bytes=0-1", { "If-None-Match": ETAG })).status).toBe(304);
    expect((await get("bytes=99-", { "If-Match": '"x"' })).status).toBe(412);
  });

  test("of a file without bytes", async () => {
    const empty = (): FileLike => makeFile({ size: 0 });
    expect((await get("bytes=0-", {}, empty())).status).toBe(416);
    expect((await get("bytes=-5", {}, empty())).status).toBe(200);
  });

  test("only of a 200", async () => {
    const reply = await answer(new FileResponse(makeFile(), { status: 404 }), { headers: { Range: "bytes=0-1" } });
    expect([reply.status, reply.text()]).toEqual([404, TEXT]);
  });

  test("not when a middleware has set other content", async () => {
    const file = makeFile();
    const response = new FileResponse(file);
    const inner = response.streamingContent;
    response.streamingContent = (async function* () {
      for await (const chunk of inner) yield chunk;
    })();
    const reply = await answer(response, { headers: { Range: "bytes=0-1" } });
    expect([reply.status, reply.text(), reply.header("Accept-Ranges")]).toEqual([200, TEXT, null]);
    expect(file.close).toHaveBeenCalledTimes(1);
  });

  test.each<[string, string, string, number]>([
    ["the date of the file", ETAG, MODIFIED, 206],
    ["another date", ETAG, httpDate(0), 200],
    ["a later date: it must be the same", ETAG, httpDate(Date.now()), 200],
    ["a weak tag, though it is the same", ETAG, ETAG, 200],
    ["a strong tag", '"strong"', '"strong"', 206],
    ["another strong tag", '"strong"', '"other"', 200],
    ["a tag without quotes", '"strong"', "strong", 200],
    ["nothing", ETAG, "", 200],
  ])("§13.1.5 If-Range: %s", async (_, etag, condition, status) => {
    const response = new FileResponse(makeFile(), { headers: { ETag: etag } });
    const reply = await answer(response, { headers: { Range: "bytes=0-1", "If-Range": condition } });
    expect(reply.status).toBe(status);
  });

  test("§8.8.2.2: a date of this second is too weak for If-Range", async () => {
    const mtime = new Date(Math.floor(Date.now() / 1000) * 1000);
    const reply = await get("bytes=0-1", { "If-Range": httpDate(mtime) }, makeFile({ mtime }));
    // The second may have ended while this ran.
    if (Date.now() - mtime.getTime() < 1000) expect(reply.status).toBe(200);
  });
});

describe("guessContentType", () => {
  test.each([
    ["a.html", "text/html; charset=utf-8"],
    ["a.JS", "text/javascript; charset=utf-8"],
    ["a.b.svg", "image/svg+xml"],
    ["a.tar.gz", "application/gzip"],
    ["a.woff2", "font/woff2"],
    ["a.wasm", "application/wasm"],
    ["a.unknown", "application/octet-stream"],
    ["html", "application/octet-stream"],
    ["", "application/octet-stream"],
    ["a.", "application/octet-stream"],
    ["a.constructor", "application/octet-stream"],
    ["a.__proto__", "application/octet-stream"],
  ])("%s: %s", (name, type) => {
    expect(guessContentType(name)).toBe(type);
  });
});
