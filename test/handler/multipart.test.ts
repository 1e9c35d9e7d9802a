// multipart/form-data (RFC 7578, RFC 2046 §5.1; Django's tests/file_uploads and tests/requests_tests): every body is fed
// whole, byte by byte, and cut in two at each place.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  MultiPartParserError,
  RequestDataTooBig,
  TooManyFieldsSent,
  TooManyFilesSent,
} from "../../src/handler/exceptions.ts";
import { type Form, type FormLimits, MultiPartParser, MultiPartSplitter } from "../../src/handler/multipart.ts";
import { type FileUploadHandler, MemoryFileUploadHandler } from "../../src/handler/uploads.ts";

const encoder = new TextEncoder();
const LIMITS: FormLimits = {
  DATA_UPLOAD_MAX_MEMORY_SIZE: 10_000,
  DATA_UPLOAD_MAX_NUMBER_FIELDS: 5,
  DATA_UPLOAD_MAX_NUMBER_FILES: 3,
};

/** A part; `disposition` follows `form-data; `. */
const part = (disposition: string, body = "", ...fields: string[]): string =>
  ["--b", `Content-Disposition: form-data; ${disposition}`, ...fields, "", body, ""].join("\r\n");

async function* cut(bytes: Uint8Array, ...at: number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const end of [...at, bytes.length]) {
    if (end > start) yield bytes.subarray(start, end);
    start = end;
  }
}

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

interface Options {
  readonly limits?: Partial<FormLimits>;
  readonly boundary?: string;
  readonly encoding?: string;
  readonly handlers?: () => FileUploadHandler[];
}

function parse(input: AsyncIterable<Uint8Array>, options: Options = {}): Promise<Form> {
  const handlers = options.handlers?.() ?? [new MemoryFileUploadHandler(1000)];
  const limits = { ...LIMITS, ...options.limits };
  return new MultiPartParser(options.boundary ?? "b", limits, handlers, options.encoding).parse(input);
}

/** Fields and files as plain values. */
async function flatten({ post, files }: Form): Promise<unknown> {
  const shown: Record<string, unknown[]> = {};
  for (const [name, values] of post.lists()) shown[name] = values;
  for (const [name, list] of files.lists()) {
    shown[`${name} (file)`] = await Promise.all(
      list.map(async (file) => [file.name, file.contentType, file.charset, file.size, await file.text()]),
    );
  }
  return shown;
}

/** Parses `body` whole and cut, and wants the same each time. */
async function parseAll(body: string | Uint8Array, options: Options = {}): Promise<unknown> {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const whole = await flatten(await parse(cut(bytes), options));
  expect(await flatten(await parse(cut(bytes, ...range(bytes.length)), options))).toEqual(whole);
  for (const at of range(Math.min(bytes.length, 400))) {
    expect(await flatten(await parse(cut(bytes, at), options)), `cut at ${at}`).toEqual(whole);
  }
  return whole;
}

/** The same for a body that is refused. */
async function refused(body: string, error: new (message: string) => Error, options: Options = {}): Promise<void> {
  const bytes = encoder.encode(body);
  for (const cuts of [[], range(bytes.length), ...range(bytes.length).map((at) => [at])]) {
    await expect(parse(cut(bytes, ...cuts), options), `cut at ${cuts}`).rejects.toThrow(error);
  }
}

describe("RFC 7578: fields and files", () => {
  test("a form as browsers send it", async () => {
    const body = part('name="title"', "caf\u00e9") + part('name="empty"') + part('name="title"', "a\r\nb\r\n--") +
      part('name="upload"; filename="a.txt"', "one\r\ntwo", "Content-Type: text/plain; charset=UTF-8") +
      part('name="upload"; filename="b.bin"', "", "Content-Type: application/octet-stream") + "--b--\r\n";
    expect(await parseAll(body)).toEqual({
      title: ["caf\u00e9", "a\r\nb\r\n--"],
      empty: [""],
      "upload (file)": [["a.txt", "text/plain", "UTF-8", 8, "one\r\ntwo"], [
        "b.bin",
        "application/octet-stream",
        null,
        0,
        "",
      ]],
    });
  });

  test("bodies that the runtime's own FormData makes", async () => {
    const form = new FormData();
    form.append('a"b\r\nc', "x");
    form.append("f", new File([new Uint8Array(3000).fill(13)], 'd"e.bin', { type: "image/png" }));
    const response = new Response(form);
    const boundary = /boundary=(.*)$/.exec(response.headers.get("Content-Type")!)![1]!;
    const { post, files } = await parse(cut(new Uint8Array(await response.arrayBuffer())), {
      boundary,
      handlers: () => [new MemoryFileUploadHandler(5000)],
    });
    expect([...post]).toEqual([['a"b\r\nc', "x"]]);
    const file = files.get("f")!;
    expect([file.name, file.contentType, file.size]).toEqual(["d_e.bin", "image/png", 3000]);
    expect(await file.read()).toEqual(new Uint8Array(3000).fill(13));
  });

  test("an input for files in which none was chosen is no file", async () => {
    const body = part('name="upload"; filename=""', "", "Content-Type: application/octet-stream") + "--b--\r\n";
    expect(await parseAll(body)).toEqual({});
  });

  test("an empty body is an empty form", async () => {
    expect(await parseAll("")).toEqual({});
    expect(await parseAll("--b--")).toEqual({});
  });

  test("what is given away is immutable", async () => {
    const { post, files } = await parse(cut(encoder.encode("--b--\r\n")));
    expect(() => post.set("a", "b")).toThrow(TypeError);
    expect(() => files.delete("a")).toThrow(TypeError);
  });

  test("§4.2: filename* (RFC 8187) takes the place of filename", async () => {
    const names = [
      [`filename="x.txt"; filename*=UTF-8''%E2%82%AC%20rates.txt`, "\u20ac rates.txt"],
      [`filename*=iso-8859-1'en'%A3.txt`, "\u00a3.txt"],
      [`filename="x.txt"; filename*=UTF-8''%E2%82.txt`, "x.txt"],
      [`filename="x.txt"; filename*=klingon''a`, "x.txt"],
      [`filename="x.txt"; filename*="%41"`, "x.txt"],
      [`filename=plain.txt`, "plain.txt"],
      [`filename="a;b\\"c\\\\d.txt"`, "d.txt"],
      [`FileName="\u65e5\u672c.txt"`, "\u65e5\u672c.txt"],
    ];
    for (const [parameter, name] of names) {
      const { files } = await parse(cut(encoder.encode(`${part(`name="f"; ${parameter}`, "x")}--b--`)));
      expect(files.get("f")?.name, parameter).toBe(name);
    }
  });

  test("a file name never becomes a path", async () => {
    for (
      const [sent, name] of [
        ["/etc/passwd", "passwd"],
        ["../../etc/passwd", "passwd"],
        ["..\\\\..\\\\win.ini", "win.ini"],
        ["C:\\Users\\me\\cv.pdf", "cv.pdf"],
        ["..", "unnamed"],
        ["%0d%0aSet-Cookie: a", "%0d%0aSet-Cookie_ a"],
        ["%0D%0Aa", "a"],
      ]
    ) {
      const { files } = await parse(cut(encoder.encode(`${part(`name="f"; filename="${sent}"`, "x")}--b--`)));
      expect(files.get("f")?.name).toBe(name);
    }
  });

  test("the charset of the form is that of names and values", async () => {
    const body = Uint8Array.from(`${part('name="\xe9"', "\xfc")}--b--`, (character) => character.charCodeAt(0));
    expect(await parseAll(body, { encoding: "iso-8859-1" })).toEqual({ "\u00e9": ["\u00fc"] });
    expect(await parseAll(body)).toEqual({ "\ufffd": ["\ufffd"] });
  });

  test("a part's field may go on in the next line (RFC 5322 §2.2.3)", async () => {
    const body = '--b\r\nContent-Disposition: form-data;\r\n name="a"\r\nX-Other: ignored\r\n\r\nx\r\n--b--';
    expect(await parseAll(body)).toEqual({ a: ["x"] });
  });
});

describe("RFC 2046 §5.1.1: boundaries", () => {
  test("preamble, padding and epilogue are passed over", async () => {
    const body = `This is a preamble --b\r\n-- b\r\n--b \t\r\n${part('name="a"', "x").slice(5)}--b-- \r\n--b\r\nbye`;
    expect(await parseAll(body)).toEqual({ a: ["x"] });
  });

  test("what looks like a boundary is content", async () => {
    const content = "\r\r\n\r\n-\r\n--\r\n--a\r\n\r--b\n--b\r\n --b";
    expect(await parseAll(`${part('name="a"', content)}--b--`)).toEqual({ a: [content] });
  });

  test("the line end before a boundary is the boundary's", async () => {
    expect(await parseAll(`${part('name="a"', "\r\n")}--b--`)).toEqual({ a: ["\r\n"] });
  });

  test("a part without body may lack its blank line's own line end", async () => {
    const body = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n--b\r\n' + part('name="c"', "d").slice(5) +
      "--b--";
    expect(await parseAll(body)).toEqual({ a: [""], c: ["d"] });
  });

  test("a line that begins with the boundary and goes on is malformed", async () => {
    await refused(`${part('name="a"', "x\r\n--bc\r\ny")}--b--`, MultiPartParserError);
  });

  test.each(["", " ", "a ", "a\u00e9", "a\nb", "x".repeat(71)])("the boundary may not be %j", (boundary) => {
    expect(() => new MultiPartSplitter(boundary)).toThrow(MultiPartParserError);
  });

  test("without a boundary there is no form", () => {
    expect(() => new MultiPartSplitter(undefined)).toThrow("the Content-Type has no boundary");
  });

  test.each(["a", "----WebKitFormBoundaryAbC", "'()+_,-./:=? x", "x".repeat(70)])("it may be %j", async (boundary) => {
    const body = `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n--${
      boundary.slice(1)
    }\r\n--${boundary}--`;
    expect(await parseAll(body, { boundary })).toEqual({ a: [`--${boundary.slice(1)}`] });
  });
});

describe("malformed bodies are refused", () => {
  test.each([
    ["no boundary at all", "hello"],
    ["no last boundary", part('name="a"', "x")],
    ["half a last boundary", part('name="a"', "x") + "--b-"],
    ["the end within a header", '--b\r\nContent-Disposition: form-data; name="a"\r\n'],
    ["no header", "--b\r\n\r\nx\r\n--b--"],
    ["no Content-Disposition", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--"],
    ["another disposition", '--b\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--b--'],
    ["no name", part("filename=x", "x") + "--b--"],
    ["a name without value", part("name", "x") + "--b--"],
    ["a line that is no field", part('name="a"', "x", "hello") + "--b--"],
    ["a space before the colon", part('name="a"', "x", "X : y") + "--b--"],
    ["NUL in a field", part('name="a\0"', "x") + "--b--"],
    ["a lone CR in a field", part('name="a\rb"', "x") + "--b--"],
    ["a lone LF in a field", part('name="a\nb"', "x") + "--b--"],
    ["two Content-Disposition", part('name="a"', "x", "Content-Disposition: form-data; name=b") + "--b--"],
    ["lines that end with LF", '--b\nContent-Disposition: form-data; name="a"\n\nx\n--b--\n'],
    ["RFC 7578 §4.7: a transfer encoding", part('name="a"', "eA==", "Content-Transfer-Encoding: base64") + "--b--"],
  ])("%s", async (_, body) => {
    await refused(body, MultiPartParserError);
  });

  test("a header that does not end", async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield encoder.encode("--b\r\n");
      for (;;) yield encoder.encode(`X-A: ${"a".repeat(100)}\r\n`);
    }
    await expect(parse(endless())).rejects.toThrow("longer than 8192 bytes");
  });

  test("padding that does not end", async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield encoder.encode("--b");
      for (;;) yield encoder.encode(" ".repeat(1000));
    }
    await expect(parse(endless())).rejects.toThrow(MultiPartParserError);
  });

  test("whatever is sent, there is a form or an error, and the same however it is cut", async () => {
    const piece = fc.constantFrom(
      "--b",
      "\r\n--b",
      "\r\n",
      "\r",
      "\n",
      "--",
      "-",
      "b",
      " ",
      'Content-Disposition: form-data; name="a"',
      '; filename="x"',
      "\r\n\r\n",
      "x",
      ";",
      '"',
    );
    const outcome = async (bytes: Uint8Array, cuts: number[]): Promise<unknown> => {
      try {
        return await flatten(await parse(cut(bytes, ...cuts)));
      } catch (error) {
        expect(error).toSatisfy((e) => e instanceof MultiPartParserError || e instanceof TooManyFieldsSent);
        return "refused";
      }
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 30 }),
        fc.array(fc.nat(200), { maxLength: 5 }),
        async (pieces, cuts) => {
          const start = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n';
          for (const text of [pieces.join(""), start + pieces.join(""), `${start}${pieces.join("")}\r\n--b--`]) {
            const bytes = encoder.encode(text);
            const whole = await outcome(bytes, []);
            expect(await outcome(bytes, range(bytes.length))).toEqual(whole);
            expect(await outcome(bytes, cuts.filter((at) => at < bytes.length).sort((a, b) => a - b))).toEqual(whole);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("any content comes through whole", async () => {
    const piece = fc.constantFrom("\r", "\n", "-", "--", "b", "\r\n", "\r\n-", "\r\n--", "x", "\0");
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
        const content = pieces.join("");
        fc.pre(!`\r\n${content}`.includes("\r\n--b"));
        expect(await parseAll(`${part('name="a"', content)}--b--`)).toEqual({ a: [content] });
      }),
      { numRuns: 30 },
    );
  });
});

describe("limits are kept while the body comes", () => {
  /** Fails when it is asked for more than the parser needs. */
  async function* guarded(text: string): AsyncGenerator<Uint8Array> {
    yield encoder.encode(text);
    throw new Error("read on");
  }

  test("DATA_UPLOAD_MAX_NUMBER_FIELDS", async () => {
    const fields = (count: number): string => part('name="a"').repeat(count);
    expect(await parseAll(`${fields(5)}--b--`)).toEqual({ a: ["", "", "", "", ""] });
    await expect(parse(guarded(fields(6)))).rejects.toThrow(TooManyFieldsSent);
    const many = await parse(cut(encoder.encode(`${fields(500)}--b--`)), {
      limits: { DATA_UPLOAD_MAX_NUMBER_FIELDS: null },
    });
    expect(many.post.getAll("a")).toHaveLength(500);
  });

  test("DATA_UPLOAD_MAX_NUMBER_FILES, also those without a name", async () => {
    const files = (count: number, name: string): string => part(`name="a"; filename="${name}"`).repeat(count);
    expect(await parseAll(`${files(3, "")}--b--`)).toEqual({});
    await expect(parse(guarded(files(4, "x")))).rejects.toThrow(TooManyFilesSent);
    await expect(parse(guarded(files(4, "")))).rejects.toThrow("DATA_UPLOAD_MAX_NUMBER_FILES");
  });

  test("DATA_UPLOAD_MAX_MEMORY_SIZE: of values and names, files aside", async () => {
    const limits = { DATA_UPLOAD_MAX_MEMORY_SIZE: 10 };
    const file = part('name="f"; filename="x"', "z".repeat(100));
    await parse(cut(encoder.encode(`${part('name="a"', "1234567")}${file}--b--`)), { limits });
    await expect(parse(guarded(part('name="a"', "12345678")), { limits })).rejects.toThrow(RequestDataTooBig);
    await expect(parse(guarded(part('name="abcdefghi"')), { limits })).rejects.toThrow("DATA_UPLOAD_MAX_MEMORY_SIZE");
  });

  test("FILE_UPLOAD_MAX_MEMORY_SIZE, where no storage takes the rest", async () => {
    const file = part('name="f"; filename="x"', "z".repeat(501));
    await parse(cut(encoder.encode(`${file}--b--`)));
    await expect(parse(guarded(file + file))).rejects.toThrow("FILE_UPLOAD_STORAGE");
    await expect(parse(guarded(file + file))).rejects.toThrow(RequestDataTooBig);
  });
});
