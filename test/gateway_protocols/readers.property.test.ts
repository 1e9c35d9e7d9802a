// What holds for every request and for every byte, on inputs that fast-check makes and shrinks.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { latin1 } from "../http1/feed.ts";
import { bytes, type Name, NAMES, newReader, read } from "./feed.ts";
import { fastcgi, type FastCgiOptions, record, scgi, uwsgi, type Variables } from "./packets.ts";

const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
const name = fc.string({ unit: fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), minLength: 1, maxLength: 20 })
  .filter((text) => !/^(?:CONTENT_LENGTH|SCGI|HTTP_TRANSFER_ENCODING)$/.test(text));
const variables: fc.Arbitrary<Variables> = fc.array(fc.tuple(name, fc.string({ unit: byte, maxLength: 200 })), {
  maxLength: 20,
});
const content = fc.uint8Array({ maxLength: 300 }).map((data) => latin1(data));
const options = fc.record({
  id: fc.integer({ min: 1, max: 65_535 }),
  keep: fc.boolean(),
  size: fc.integer({ min: 1, max: 400 }),
  padding: fc.integer({ min: 0, max: 255 }),
});
const cuts = fc.array(fc.nat(), { maxLength: 8 });

const SEND: Readonly<Record<Name, (sent: Variables, body: string, how: FastCgiOptions) => string>> = {
  uwsgi: (sent: Variables, body: string) => uwsgi(sent, body),
  scgi: (sent: Variables, body: string) => scgi(sent, body),
  fastcgi,
};

function pieces(text: string, at: readonly number[]): Uint8Array[] {
  const data = bytes(text);
  const ends = [...at.map((cut) => cut % (data.length + 1)), data.length].sort((a, b) => a - b);
  return ends.map((end, i) => data.subarray(ends[i - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}

describe.each(NAMES)("%s", (protocol) => {
  test("what is sent is what is read, however it is cut", () => {
    fc.assert(fc.property(variables, content, options, cuts, fc.boolean(), (sent, body, how, at, reuse) => {
      const all: Variables = [["CONTENT_LENGTH", String(body.length)], ...sent];
      const outcome = read(protocol, pieces(SEND[protocol](all, body, how), at), undefined, reuse);
      expect(outcome.fault).toBeNull();
      const added: Variables = protocol === "scgi" ? [["SCGI", "1"]] : [];
      const length = protocol === "scgi" && body === "" ? [] : [all[0]!];
      expect(outcome.requests).toEqual([{
        variables: [...length, ...added, ...sent],
        bodyLength: body.length,
        keeps: protocol === "fastcgi" && how.keep,
        body,
        state: "complete",
      }]);
    }));
  });

  test("any bytes: no throw, no memory, and the same however they are cut", () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((data) => latin1(data)),
      // Records and packets whose lengths and types are anything.
      fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 2 }), content), { maxLength: 12 })
        .map((list) => list.map(([type, id, text]) => record(type, id, text)).join("")),
      // What is right but for a few bytes.
      fc.tuple(variables, content, options, fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 4 })).map(
        ([sent, body, how, changes]) => {
          const text = [...SEND[protocol]([["CONTENT_LENGTH", String(body.length)], ...sent], body, how)];
          for (const [at, changed] of changes) text[at % text.length] = changed;
          return text.join("");
        },
      ),
    );
    fc.assert(
      fc.property(noise, cuts, (text, at) => {
        const whole = read(protocol, [bytes(text)]);
        expect(read(protocol, pieces(text, at), undefined, true)).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  test("bytes without end take no memory", () => {
    const limits = { size: 4096, count: 50 };
    for (const first of [0, 1, 49, 57, 100, 255]) {
      const reader = newReader(protocol, limits);
      reader.push(new Uint8Array(8).fill(first));
      for (let i = 0; i < 200; i++) {
        while (reader.next() !== 0 && reader.fault === null);
        reader.push(new Uint8Array(4096).fill(first));
      }
      expect(reader.buffered).toBeLessThan(70_000);
      expect(reader.reply.length).toBeLessThan(1000);
    }
  });
});
