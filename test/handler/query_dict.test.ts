// MultiValueDict and QueryDict (Django's tests/httpwrappers and tests/utils_tests/test_datastructures).

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TooManyFieldsSent } from "../../src/handler/exceptions.ts";
import { MultiValueDict, QueryDict } from "../../src/handler/query_dict.ts";

describe("MultiValueDict", () => {
  const dict = (): MultiValueDict<string> =>
    new MultiValueDict([["name", ["Adrian", "Simon"]], ["position", ["Developer"]], ["empty", []]]);

  test("get gives the last value, getAll all of them", () => {
    expect(dict().get("name")).toBe("Simon");
    expect(dict().getAll("name")).toEqual(["Adrian", "Simon"]);
    expect(dict().get("lastname")).toBe(undefined);
    expect(dict().getAll("lastname")).toEqual([]);
    expect(dict().get("empty")).toBe(undefined);
    expect(dict().has("empty")).toBe(true);
    expect(dict().size).toBe(3);
  });

  test("items are the last values, lists all", () => {
    expect([...dict()]).toEqual([["name", "Simon"], ["position", "Developer"]]);
    expect([...dict().values()]).toEqual(["Simon", "Developer"]);
    expect([...dict().keys()]).toEqual(["name", "position", "empty"]);
    expect([...dict().lists()]).toEqual([["name", ["Adrian", "Simon"]], ["position", ["Developer"]], ["empty", []]]);
    expect({ ...dict().dict() }).toEqual({ name: "Simon", position: "Developer" });
  });

  test("set, setAll, append and delete change it", () => {
    const changed = dict();
    changed.append("name", "Jacob");
    changed.append("new", "one");
    changed.set("position", "Author");
    expect(changed.delete("empty")).toBe(true);
    expect(changed.delete("empty")).toBe(false);
    changed.setAll("list", ["1", "2"]);
    expect([...changed.lists()]).toEqual([
      ["name", ["Adrian", "Simon", "Jacob"]],
      ["position", ["Author"]],
      ["new", ["one"]],
      ["list", ["1", "2"]],
    ]);
  });

  test("what it gives away is not its own", () => {
    const changed = dict();
    changed.getAll("name").push("x");
    [...changed.lists()][0]![1].push("x");
    const copy = changed.copy();
    copy.append("name", "y");
    expect(changed.getAll("name")).toEqual(["Adrian", "Simon"]);
  });
});

describe("QueryDict", () => {
  test("is immutable, but for a copy", () => {
    const query = new QueryDict("foo=bar&foo=baz");
    for (
      const change of [
        () => query.set("foo", "x"),
        () => query.setAll("foo", []),
        () => query.append("foo", "x"),
        () => query.delete("foo"),
      ]
    ) expect(change).toThrow("this QueryDict is immutable: change a copy()");
    const copy = query.copy();
    expect(copy).toBeInstanceOf(QueryDict);
    copy.append("foo", "qux");
    expect(copy.urlencode()).toBe("foo=bar&foo=baz&foo=qux");
    expect(String(query)).toBe("foo=bar&foo=baz");
    expect(new QueryDict("a=1", { mutable: true }).delete("a")).toBe(true);
  });

  test.each([
    ["", []],
    ["&", []],
    ["a", [["a", ""]]],
    ["a=", [["a", ""]]],
    ["=b", [["", "b"]]],
    ["=", [["", ""]]],
    ["a=b=c", [["a", "b=c"]]],
    ["vote=yes&&vote=no", [["vote", "yes"], ["vote", "no"]]],
    ["a+b=%20c+", [["a b", " c "]]],
    ["?a=1", [["?a", "1"]]],
    ["a;b=1;c=2", [["a;b", "1;c=2"]]],
    ["a=%", [["a", "%"]]],
    ["a=%zz%4", [["a", "%zz%4"]]],
    ["a=%C3%A9", [["a", "\u00e9"]]],
    ["a=%C3", [["a", "\ufffd"]]],
    ["a=%C3%41%e9b", [["a", "\ufffdA\ufffdb"]]],
    ["a=%ED%A0%80", [["a", "\ufffd\ufffd\ufffd"]]],
    ["a=%EF%BB%BFb", [["a", "\ufeffb"]]],
    ["a=%EF%BB%BFb%ff", [["a", "\ufeffb\ufffd"]]],
    ["a=%00", [["a", "\0"]]],
    ["__proto__=1&constructor=2", [["__proto__", "1"], ["constructor", "2"]]],
  ])("WHATWG URL §5.1: %j", (text, expected) => {
    const query = new QueryDict(text);
    expect([...query.lists()].flatMap(([key, values]) => values.map((value) => [key, value]))).toEqual(expected);
  });

  // ASCII, as queries are: of other characters beside a lone "%" Node's URLSearchParams makes U+FFFD.
  test("WHATWG URL §5.1: as URLSearchParams, whatever the text", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "%",
        "%4",
        "%C3%A9",
        "%C3",
        "%ff",
        "%F0%9F%A6%84",
        "+",
        "&",
        "=",
        "%26",
        "%3d",
        "%2B",
        "?",
      ),
      fc.string({ maxLength: 4, unit: "binary-ascii" }),
    );
    fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      const all = [...new URLSearchParams(`&${text}`)];
      const query = new QueryDict(text);
      for (const key of new Set(all.map(([key]) => key))) {
        expect(query.getAll(key)).toEqual(all.filter(([other]) => other === key).map(([, value]) => value));
      }
      expect(query.size).toBe(new Set(all.map(([key]) => key)).size);
    }));
  });

  test("what is urlencoded is read again", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }))), (pairs) => {
        const query = new QueryDict("", { mutable: true });
        for (const [key, value] of pairs) query.append(key, value);
        expect([...new QueryDict(query.urlencode()).lists()]).toEqual([...query.lists()]);
      }),
    );
  });

  test("urlencode(safe)", () => {
    const query = new QueryDict("", { mutable: true });
    query.set("next", "/t\u00ebst&key/ (a)*");
    expect(query.urlencode()).toBe("next=%2Ft%C3%ABst%26key%2F+%28a%29%2A");
    expect(query.urlencode("/")).toBe("next=/t%C3%ABst%26key/+%28a%29%2A");
  });

  test("encoding: escaped bytes are of the charset", () => {
    expect(new QueryDict("a=%E9", { encoding: "iso-8859-1" }).get("a")).toBe("\u00e9");
    // In Shift_JIS the second byte of U+30BD is a backslash's, of U+30A2 an "A".
    expect(new QueryDict("a=%83%5C%83A", { encoding: "shift_jis" }).get("a")).toBe("\u30bd\u30a2");
    expect(() => new QueryDict("a=1", { encoding: "klingon" })).toThrow(RangeError);
  });

  test("DATA_UPLOAD_MAX_NUMBER_FIELDS", () => {
    expect(new QueryDict("a&b&c", { maxFields: 3 }).size).toBe(3);
    expect(() => new QueryDict("a&b&c&d", { maxFields: 3 })).toThrow(TooManyFieldsSent);
    expect(() => new QueryDict("&".repeat(1e6), { maxFields: 1000 })).toThrow("DATA_UPLOAD_MAX_NUMBER_FIELDS");
    expect(new QueryDict("a&".repeat(2000), { maxFields: null }).getAll("a")).toHaveLength(2000);
  });
});
