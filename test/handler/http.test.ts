import { describe, expect, test } from "vitest";
import {
  contentDispositionHeader,
  httpDate,
  parseEtags,
  parseHttpDate,
  quoteEtag,
  weakEtag,
} from "../../src/handler/http.ts";
import { parseHeaderParameters } from "../../src/handler/header_parameters.ts";

describe("dates (RFC 9110 §5.6.7)", () => {
  const time = Date.UTC(1994, 10, 6, 8, 49, 37);
  test.each([
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ])("%s", (text) => {
    expect(parseHttpDate(text)).toBe(time);
  });

  test("are written as IMF-fixdate", () => {
    expect(httpDate(time)).toBe("Sun, 06 Nov 1994 08:49:37 GMT");
    expect(httpDate(new Date(time))).toBe("Sun, 06 Nov 1994 08:49:37 GMT");
  });

  test("two digits of a year are never more than 50 years ahead", () => {
    const year = new Date().getUTCFullYear() + 51;
    const text = `Sunday, 06-Nov-${String(year % 100).padStart(2, "0")} 08:49:37 GMT`;
    expect(new Date(parseHttpDate(text)!).getUTCFullYear()).toBe(year - 100);
  });

  test.each([
    "",
    "yesterday",
    "1994-11-06",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 CET",
    "Sun, 32 Nov 1994 08:49:37 GMT",
    "Sun, 31 Jun 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nox 1994 08:49:37 GMT",
    " Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
  ])("%j is none", (text) => {
    expect(parseHttpDate(text)).toBe(null);
  });
});

describe("entity tags (RFC 9110 §8.8.3)", () => {
  test.each<[string, string[]]>([
    ['"a"', ['"a"']],
    ['"a", W/"b" ,"c"', ['"a"', 'W/"b"', '"c"']],
    ['"a,b", ""', ['"a,b"', '""']],
    ["*", ["*"]],
    [" * ", ["*"]],
    ["a, b", []],
    ['"a', []],
    ["", []],
  ])("%s", (text, tags) => {
    expect(parseEtags(text)).toEqual(tags);
  });

  test("are quoted once, and weakened once", () => {
    expect(quoteEtag("a")).toBe('"a"');
    expect(quoteEtag('"a"')).toBe('"a"');
    expect(quoteEtag('W/"a"')).toBe('W/"a"');
    expect(weakEtag('"a"')).toBe('W/"a"');
    expect(weakEtag('W/"a"')).toBe('W/"a"');
  });
});

describe("contentDispositionHeader (RFC 6266)", () => {
  test.each<[boolean, string, string | null]>([
    [false, "", null],
    [true, "", "attachment"],
    [false, "a.txt", 'inline; filename="a.txt"'],
    [true, "a b.txt", 'attachment; filename="a b.txt"'],
    [true, 'a"b\\c.txt', 'attachment; filename="a\\"b\\\\c.txt"'],
    [true, "naïve 文.txt", "attachment; filename*=utf-8''na%C3%AFve%20%E6%96%87.txt"],
    [true, "it's (1)*é", "attachment; filename*=utf-8''it%27s%20%281%29%2A%C3%A9"],
    [true, "a\r\nX: y", "attachment; filename*=utf-8''a%0D%0AX%3A%20y"],
    [true, "\ud800", "attachment; filename*=utf-8''%EF%BF%BD"],
  ])("%s %j", (asAttachment, filename, header) => {
    expect(contentDispositionHeader(asAttachment, filename)).toBe(header);
  });

  test.each(["a.txt", 'a"b.txt', "it's (1)*é文.txt"])("%s is read as it was written", (filename) => {
    const header = contentDispositionHeader(true, filename)!;
    expect(parseHeaderParameters(header).parameters.filename).toBe(filename);
  });
});
