// Parameters of field values, and Accept (RFC 9110 §5.6.6, §12.5.1; Django's tests/requests_tests/test_accept_header.py and
// tests/utils_tests/test_http.py).

import { describe, expect, test } from "vitest";
import { parseHeaderParameters, splitField } from "../../src/handler/header_parameters.ts";
import { closestRange, MediaType, parseAccept } from "../../src/handler/media_type.ts";

describe("parse_header_parameters", () => {
  test.each<[string, string, Record<string, string>]>([
    ["", "", {}],
    ["Text/Plain", "text/plain", {}],
    ["text/vnd.just.made.this.up ; ", "text/vnd.just.made.this.up", {}],
    ["text/plain;charset=us-ascii", "text/plain", { charset: "us-ascii" }],
    ['text/plain ; charset="us-ascii"', "text/plain", { charset: "us-ascii" }],
    ['text/plain ; charset="us-ascii"; another=opt', "text/plain", { charset: "us-ascii", another: "opt" }],
    ['attachment; filename="silly.txt"', "attachment", { filename: "silly.txt" }],
    ['attachment; filename="strange;name"', "attachment", { filename: "strange;name" }],
    ['form-data; name="files"; filename="fo\\"o;bar"', "form-data", { name: "files", filename: 'fo"o;bar' }],
    ['form-data; name="a\\\\"; x="C:\\dir\\b"', "form-data", { name: "a\\", x: "C:\\dir\\b" }],
    ["a; b=1; B=2", "a", { b: "1" }],
    ["a; b; =c; ; d = e ", "a", { d: "e" }],
    ['a; b="c', "a", { b: '"c' }],
    ['a; b="c; d=e', "a", { b: '"c; d=e' }],
    ['a; b="', "a", { b: '"' }],
    ["a; __proto__=1", "a", { ["__proto__"]: "1" }],
    ["a; b*=utf-8'en'%c3%a9", "a", { b: "\u00e9" }],
    ["a; b*=utf-8''%e9; b=c", "a", { b: "c" }],
    ["a; b*=''x; c*=utf-8'x; d*=x; e*=nope''x; f*=utf-8''%4", "a", {}],
  ])("%j", (text, value, parameters) => {
    const parsed = parseHeaderParameters(text);
    expect(parsed.value).toBe(value);
    expect(Object.entries(parsed.parameters)).toEqual(Object.entries(parameters));
    expect(Object.getPrototypeOf(parsed.parameters)).toBe(null);
  });

  test("a comma in a quoted string splits nothing", () => {
    expect(splitField('a;b="c,d\\",e", f', ",")).toEqual(['a;b="c,d\\",e"', " f"]);
    expect(splitField('a, "b, c', ",")).toEqual(["a", ' "b, c']);
  });
});

describe("MediaType", () => {
  test.each<[string, string, number, number]>([
    ["*/*", "*/*", 0, 1],
    ["text/*;q=0.5", "text/*", 1, 0.5],
    ["text/html", "text/html", 2, 1],
    ["Text/HTML; Level=1; q=0.4567", "text/html; level=1", 3, 0.457],
    ["text/html;q=0", "text/html", 2, 0],
    ["text/html;q=2", "text/html", 2, 1],
    ["text/html;q=-1", "text/html", 2, 1],
    ["text/html;q=x", "text/html", 2, 1],
    ["text/html;q=", "text/html", 2, 1],
    ["text/html;q=nan", "text/html", 2, 1],
    ["text", "text", 2, 1],
    ["", "", 2, 1],
  ])("%j", (text, shown, specificity, quality) => {
    const type = new MediaType(text);
    expect([String(type), type.specificity, type.quality]).toEqual([shown, specificity, quality]);
  });

  test.each([
    ["text/html", "*/*", true],
    ["text/html", "text/*", true],
    ["text/html", "text/html", true],
    ["text/html", "TEXT/html", true],
    ["text/html", "text/plain", false],
    ["text/html", "application/*", false],
    ["text/html; level=1", "text/html", true],
    ["text/html", "text/html; level=1", false],
    ["text/html; level=1", "text/html; level=1", true],
    ["text/html; level=1", "text/html; level=2", false],
    ["text/html; level=1; x=y", "text/html; level=1", false],
    ["text/plain; charset=UTF-8", "text/plain; charset=utf-8", true],
    ["text/html", "", false],
    ["", "*/*", false],
    ["text", "text/*", false],
    ["text/html", "*", false],
  ])("%j, asked for as %j: %s", (type, range, expected) => {
    expect(new MediaType(type).match(new MediaType(range))).toBe(expected);
  });

  test("RFC 9110 §12.5.1: the most specific range counts", () => {
    const ranges = parseAccept(
      "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5",
    );
    const qualities = ["text/plain;format=flowed", "text/plain", "text/html", "image/jpeg", "text/plain;format=fixed"]
      .map((type) => closestRange(new MediaType(type), ranges)?.quality);
    expect(qualities).toEqual([1, 0.7, 0.3, 0.5, 0.4]);
  });
});
