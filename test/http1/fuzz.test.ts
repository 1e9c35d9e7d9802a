// A short run of scripts/fuzz.ts from a fixed seed, and proof that its second reader reads.

import { describe, expect, test } from "vitest";
import { fuzz, lengthOfMessage, SUBJECTS } from "../../scripts/fuzz.ts";
import { chunked, get, post, request } from "./harness.ts";

describe("lengthOfMessage, the fuzzer's second reader", () => {
  test.each([
    get(),
    "\r\n" + get("X: \t\xff", "X:"),
    post("abc", "Content-Length: 03"),
    chunked('3 ;a = "\\"" ;b\r\nabc\r\n0\r\nX: y\r\n\r\n'),
    request("OPTIONS * HTTP/1.0"),
  ])("%j", (text) => expect(lengthOfMessage(text + "GARBAGE")).toBe(text.length));

  test.each([
    "GET / HTTP/1.1\r\n\r\n",
    get("Host: b"),
    get("X : y"),
    get("X: a\nb"),
    post("abc", "Content-Length: 4"),
    post("0\r\n\r\n", "Content-Length: 5", "Transfer-Encoding: chunked"),
    chunked("3 \r\nabc\r\n0\r\n\r\n"),
    chunked("3\r\nabcd0\r\n\r\n"),
    chunked("0\r\nHost: a\r\n\r\n"),
  ])("not %j", (text) => expect(lengthOfMessage(text)).toBe(0));
});

test.each(SUBJECTS)(
  "$name: any bytes are events or one fault, in bounded memory, and the same however they are split",
  (subject) => {
    const { refused, runs, failure } = fuzz(subject, 1, (done) => done < (subject.name === "http" ? 3000 : 400));
    expect(failure).toBe(null);
    expect(refused).toBeGreaterThan(runs * 0.2);
    expect(refused).toBeLessThan(runs * 0.98);
  },
  60_000,
);
