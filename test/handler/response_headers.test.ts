import { describe, expect, test } from "vitest";
import { BadHeaderError } from "../../src/handler/exceptions.ts";
import { ResponseHeaders } from "../../src/handler/response_headers.ts";

describe("ResponseHeaders", () => {
  test("names are of any case, and are sent as they were set", () => {
    const headers = new ResponseHeaders({ "X-A": "1" });
    headers.set("Content-TYPE", "text/plain");
    expect(headers.get("content-type")).toBe("text/plain");
    expect(headers.has("x-a")).toBe(true);
    expect(headers.get("X-B")).toBe(null);
    expect(headers.entries()).toEqual([["X-A", "1"], ["Content-TYPE", "text/plain"]]);
  });

  test("only letters have two cases", () => {
    const headers = new ResponseHeaders({ "X^": "1" });
    expect([headers.has("x^"), headers.has("X~"), headers.has("X>")]).toEqual([true, false, false]);
  });

  test("set() takes the place of all of a name; append() adds; get() joins", () => {
    const headers = new ResponseHeaders([["Link", "<a>"], ["X", "1"], ["link", "<b>"]]);
    expect(headers.get("LINK")).toBe("<a>, <b>");
    headers.append("Link", "<c>");
    expect([...headers]).toEqual([["Link", "<a>"], ["X", "1"], ["link", "<b>"], ["Link", "<c>"]]);
    headers.set("link", "<d>");
    expect([...headers]).toEqual([["link", "<d>"], ["X", "1"]]);
  });

  test("setDefault() leaves what is there", () => {
    const headers = new ResponseHeaders({ A: "1" });
    headers.setDefault("a", "2");
    headers.setDefault("B", "3");
    expect([...headers]).toEqual([["A", "1"], ["B", "3"]]);
  });

  test("setDefaults() leaves what is there, of any case", () => {
    const headers = new ResponseHeaders({ a: "1" });
    headers.setDefaults(new ResponseHeaders({ A: "2", B: "3" }));
    expect([...headers]).toEqual([["a", "1"], ["B", "3"]]);
  });

  test("delete() takes all of a name", () => {
    const headers = new ResponseHeaders([["A", "1"], ["B", "2"], ["a", "3"]]);
    expect(headers.delete("a")).toBe(true);
    expect(headers.delete("a")).toBe(false);
    expect([...headers]).toEqual([["B", "2"]]);
  });

  test.each([
    "a\r\nSet-Cookie: x=1",
    "a\nb",
    "a\rb",
    "a\0b",
    "a\x7fb",
    "a\x0bb",
  ])("a value that splits the response is refused: %j", (value) => {
    const headers = new ResponseHeaders();
    for (const method of ["set", "append", "setDefault"] as const) {
      expect(() => headers[method]("X-A", value)).toThrow(BadHeaderError);
    }
    expect(() => new ResponseHeaders({ "X-A": value })).toThrow(/X-A/);
    expect([...headers]).toEqual([]);
  });

  test.each(["", "X A", "X:A", "X\nA", "é", "X\0"])("RFC 9110 §5.1: %j is no name", (name) => {
    expect(() => new ResponseHeaders().set(name, "a")).toThrow(BadHeaderError);
  });

  test("latin-1 and tabs pass; beyond that the error tells the remedy", () => {
    const headers = new ResponseHeaders({ A: "caf\xe9\t!" });
    expect(headers.get("A")).toBe("caf\xe9\t!");
    expect(() => headers.set("X-Title", "文")).toThrow(/X-Title .*"文".*encodeURIComponent.*contentDispositionHeader/);
  });

  test("a name is not trusted for its values, nor for the ones before", () => {
    const headers = new ResponseHeaders();
    for (let i = 0; i < 3; i++) {
      headers.set("X-Trusted", "good");
      expect(() => headers.set("X-Trusted", "good\n")).toThrow(BadHeaderError);
      expect(() => headers.set("X-Trusted", ["good"] as unknown as string)).toThrow(BadHeaderError);
    }
    expect([...headers]).toEqual([["X-Trusted", "good"]]);
  });

  test("names of any number, and values of any length, are checked", () => {
    for (let i = 0; i < 300; i++) {
      const headers = new ResponseHeaders({ [`X-${i}`]: "a".repeat(i) });
      expect(() => headers.set(`X-${i}`, `${"a".repeat(i)}\r\n`)).toThrow(BadHeaderError);
      expect(() => headers.set(`X ${i}`, "a")).toThrow(BadHeaderError);
    }
  });

  test("a value that is no string is refused", () => {
    expect(() => new ResponseHeaders().set("Content-Length", 5 as unknown as string)).toThrow(
      /Content-Length .*String/,
    );
    expect(() => new ResponseHeaders().set("A", undefined as unknown as string)).toThrow(BadHeaderError);
  });
});
