// What holds for every request and for every byte, on inputs that fast-check makes and shrinks.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Limits } from "../../src/http1/parser.ts";
import { bytes, type Field, latin1, LIMITS, mostBuffered, newParser, type Outcome, parse } from "./feed.ts";

const TCHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const VISIBLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
const OBS_TEXT = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i));

const token = fc.string({ unit: fc.constantFrom(...TCHARS), minLength: 1, maxLength: 20 });
const spaces = fc.string({ unit: fc.constantFrom(" ", "\t"), maxLength: 3 });
const value = fc.string({ unit: fc.constantFrom(...VISIBLE, ...OBS_TEXT, " ", "\t"), maxLength: 40 })
  .map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ""));
const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 1, maxLength: 4 });

/** A thing as it is sent, and what is to be understood. */
interface Spoken<T> {
  readonly sent: string;
  readonly meant: T;
}

const host: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."abcXYZ019-._~!$&'()*+,;=", "%41", "%ff"), minLength: 1, maxLength: 20 }),
  fc.ipV4(),
  fc.ipV6().filter((address) => URL.canParse(`http://[${address}]/`)).map((address) => `[${address}]`),
  fc.constant("[v1.a:b]"),
);
const authority = fc.tuple(
  host,
  fc.oneof(fc.constant(""), digits.map((port) => `:${port}`)),
)
  .map(([name, port]) => name + port);
const pathAndQuery = fc.string({ unit: fc.constantFrom(...VISIBLE.filter((c) => c !== "#")), maxLength: 40 })
  .map((text) => `/${text}`);

const line = fc.oneof(
  fc.tuple(token.filter((method) => method !== "CONNECT" && method !== "TRACE"), pathAndQuery),
  fc.tuple(fc.constantFrom("GET", "POST", "HEAD", "PUT"), pathAndQuery),
  fc.tuple(
    fc.constantFrom("GET", "OPTIONS"),
    fc.tuple(fc.mixedCase(fc.constantFrom("http://", "https://")), authority, pathAndQuery).map((all) => all.join("")),
  ),
  fc.constant<[string, string]>(["OPTIONS", "*"]),
);

// Names that mean something to the protocol come where they are meant to.
const RESERVED =
  /^(?:host|content-length|transfer-encoding|expect|content-type|connection|upgrade|te|trailer|x-forwarded-.*)$/i;
const field: fc.Arbitrary<Spoken<Field>> = fc.tuple(
  token.filter((name) => !RESERVED.test(name)),
  spaces,
  value,
  spaces,
).map(([name, before, text, after]) => ({ sent: `${name}:${before}${text}${after}\r\n`, meant: [name, text] }));

const content = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((data) => latin1(data)),
  fc.constantFrom("\r\n", "0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
);

const quoted = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...VISIBLE.filter((c) => c !== '"' && c !== "\\"), ...OBS_TEXT, " ", "\t"),
    fc.constantFrom('\\"', "\\\\", "\\a", "\\ "),
  ),
  maxLength: 10,
}).map((text) => `"${text}"`);
const extension = fc.tuple(
  spaces,
  spaces,
  token,
  fc.option(fc.tuple(spaces, spaces, fc.oneof(token, quoted)), { nil: null }),
).map(([one, two, name, given]) => `${one};${two}${name}${given === null ? "" : `${given[0]}=${given[1]}${given[2]}`}`);
const extensions = fc.array(extension, { maxLength: 2 }).map((all) => all.join(""));
const zeros = fc.constantFrom("", "", "0", "0000000");

const chunk: fc.Arbitrary<Spoken<string>> = fc.tuple(
  content.filter((text) => text !== ""),
  zeros,
  extensions,
  fc.boolean(),
)
  .map(([text, before, ext, upper]) => {
    const size = text.length.toString(16);
    return { sent: `${before}${upper ? size.toUpperCase() : size}${ext}\r\n${text}\r\n`, meant: text };
  });
const trailer = field.filter((one) => !/^(?:if-|proxy-|range|cookie|pragma|keep-alive)/i.test(one.meant[0]));

interface Body {
  readonly body: string;
  readonly trailers: readonly Field[];
}

const chunkedBody: fc.Arbitrary<Spoken<Body>> = fc.tuple(
  fc.array(chunk, { maxLength: 4 }),
  zeros,
  extensions,
  fc.array(trailer, { maxLength: 2 }),
).map(([chunks, before, ext, trailers]) => ({
  sent: `${chunks.map((one) => one.sent).join("")}${before}0${ext}\r\n${trailers.map((one) => one.sent).join("")}\r\n`,
  meant: { body: chunks.map((one) => one.meant).join(""), trailers: trailers.map((one) => one.meant) },
}));

const body: fc.Arbitrary<Spoken<Body & { readonly framing: readonly Field[] }>> = fc.oneof(
  fc.constant({ sent: "", meant: { framing: [], body: "", trailers: [] } }),
  fc.tuple(content, zeros).map(([text, before]) => ({
    sent: text,
    meant: { framing: [["Content-Length", `${before}${text.length}`]], body: text, trailers: [] } as const,
  })),
  fc.tuple(chunkedBody, fc.mixedCase(fc.constant("chunked"))).map(([{ sent, meant }, coding]) => ({
    sent,
    meant: { framing: [["Transfer-Encoding", coding]], ...meant } as const,
  })),
);

const message: fc.Arbitrary<Spoken<object>> = fc.record({
  empty: fc.constantFrom("", "", "\r\n", "\r\n\r\n"),
  line,
  minor: fc.constantFrom("1", "1", "2"),
  host: fc.oneof(host, authority),
  before: fc.array(field, { maxLength: 4 }),
  after: fc.array(field, { maxLength: 4 }),
  body,
}).map(({ empty, line: [method, target], minor, host: name, before, after, body: { sent, meant } }) => {
  const framing = meant.framing.map((one): Spoken<Field> => ({ sent: `${one[0]}:${one[1]}\r\n`, meant: one }));
  const fields: Spoken<Field>[] = [
    ...before,
    { sent: `Host: ${name}\r\n`, meant: ["Host", name] },
    ...framing,
    ...after,
  ];
  const head = `${empty}${method} ${target} HTTP/1.${minor}\r\n${fields.map((one) => one.sent).join("")}\r\n`;
  return {
    sent: head + sent,
    meant: {
      ...{ method, target, minorVersion: 1, body: meant.body, trailers: meant.trailers },
      fields: fields.map((one) => one.meant),
    },
  };
});

/** Sizes of pieces, used again and again until the input is cut up. */
const sizes = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 8 });

function* cut(data: Uint8Array, pieces: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < data.length; i++) {
    const size = pieces[i % pieces.length]!;
    yield data.subarray(at, at + size);
    at += size;
  }
}

function everyWay(data: Uint8Array, pieces: readonly number[], limits: Limits = LIMITS): Outcome {
  const whole = parse([data], limits);
  expect(parse(cut(data, pieces), limits)).toEqual(whole);
  expect(parse(cut(data, pieces), limits, true)).toEqual(whole);
  expect(parse(cut(data, [1]), limits)).toEqual(whole);
  return whole;
}

describe("valid requests", () => {
  test("are understood, whole or in pieces, alone or one after another", () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 3 }), sizes, (messages, pieces) => {
        const outcome = everyWay(bytes(messages.map((one) => one.sent).join("")), pieces);
        expect(outcome.refused).toBe(null);
        expect(outcome.requests).toMatchObject(messages.map((one) => one.meant));
      }),
      { numRuns: 400 },
    );
  }, 60_000);

  test("chunked bodies come back as they went", () => {
    fc.assert(
      fc.property(chunkedBody, sizes, ({ sent, meant }, pieces) => {
        const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        const outcome = everyWay(bytes(head + sent), pieces);
        expect(outcome.refused).toBe(null);
        expect(outcome.requests).toMatchObject([meant]);
      }),
      { numRuns: 400 },
    );
  }, 60_000);
});

describe("fields that are repeated from request to request", () => {
  // The parser compares them with those of the request before instead of parsing them again.
  const heads = [
    "Host: a\r\n\r\n",
    "Host: a\r\nX: 1\r\n\r\n",
    "Host: a\r\nX: 2\r\n\r\n",
    "Host: b\r\nX: 1\r\n\r\n",
    "host: a\r\nConnection: close\r\n\r\n",
    "Host: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "Host: a\r\nX-Forwarded-For: 192.0.2.1\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
    "Host: a\r\nContent-Length: 3\r\n\r\nabc",
    "Host: a\r\nContent-Length: 3\r\n\r\nxyz",
    "Host: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n",
    `Host: a\r\nX: ${"long".repeat(400)}\r\n\r\n`,
    "Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "Host: a b\r\n\r\n",
    "\r\n",
  ];
  const lines = ["GET / HTTP/1.1\r\n", "POST /a?b HTTP/1.1\r\n", "GET http://c/ HTTP/1.1\r\n", "GET / HTTP/1.0\r\n"];

  test("mean what they mean alone", () => {
    fc.assert(fc.property(
      fc.array(fc.tuple(fc.constantFrom(...lines), fc.constantFrom(...heads)), { maxLength: 12 }),
      fc.boolean(),
      (messages, together) => {
        const texts = messages.map(([line, head]) => line + head);
        const outcome = parse(together ? [bytes(texts.join(""))] : texts.map(bytes), LIMITS, true);
        for (const text of texts) {
          const alone = parse([bytes(text)]);
          const next = outcome.requests[texts.indexOf(text)];
          if (alone.refused !== null) {
            expect(outcome.refused).toEqual(alone.refused);
            return;
          }
          expect(next).toEqual(alone.requests[0]);
        }
        expect(outcome.refused).toBeNull();
        expect(outcome.requests).toEqual(texts.flatMap((text) => parse([bytes(text)]).requests));
      },
    ));
  });

  test("an application that writes into its fields does not write into the next request's", () => {
    const parser = newParser();
    const head = bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (let i = 0; i < 3; i++) {
      parser.push(head);
      while (parser.next() !== 0) {
        expect(parser.fields).toEqual([["Host", "a"]]);
      }
      (parser.fields[0] as unknown as string[])[1] = "evil";
      parser.fields.push(["More", "evil"]);
    }
  });

  test("are measured by limit_request_head with their own request line", () => {
    const limits: Limits = { ...LIMITS, head: 100 };
    const fields = `Host: a\r\nX: ${"x".repeat(40)}\r\n\r\n`;
    const texts = [`GET / HTTP/1.1\r\n${fields}`, `GET /${"a".repeat(60)} HTTP/1.1\r\n${fields}`];
    expect(parse(texts.map(bytes), limits).refused).toMatchObject({ status: 431 });
  });
});

describe("any bytes", () => {
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(
      fc.oneof(
        fc.constantFrom(
          ...["\r\n", "\r", "\n", " ", "\t", ":", "GET", "POST", "/", "HTTP/1.1", "Host: a\r\n", "GET / HTTP/1.1\r\n"],
          ...[
            "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n",
            "\r\n\r\n",
            "0\r\n\r\n",
            "3\r\nabc\r\n",
            ";a=b",
          ],
          ...[
            "Connection: close\r\n",
            "Expect: 100-continue\r\n",
            "X: y\r\n",
            "\0",
            "\xff",
            '"',
            "ffff",
            "a".repeat(50),
          ],
        ),
        token,
      ),
      { maxLength: 30 },
    ).map((parts) => bytes(parts.join(""))),
  );
  const tight: Limits = { requestLine: 40, fields: 3, fieldSize: 30, head: 80, body: 10 };

  test("are events or one error that stays, in bounded memory, whole or in pieces", () => {
    // parse() sees to the rest: no other exception, what waits is bounded, once refused is always refused.
    fc.assert(
      fc.property(any, sizes, fc.boolean(), (data, pieces, narrow) => {
        const { refused } = everyWay(data, pieces, narrow ? tight : LIMITS);
        if (refused !== null) expect([400, 413, 414, 417, 431, 501, 505]).toContain(refused.status);
      }),
      { numRuns: 2000 },
    );
  }, 60_000);

  test("without end are refused before they are many", () => {
    const starts = fc.constantFrom(
      ...[
        "",
        "\r\n",
        "GET ",
        "GET /",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nX",
        "GET / HTTP/1.1\r\nX:",
      ],
      ...["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"].flatMap((head) => [
        head,
        `${head}1;`,
        `${head}1;a="`,
        `${head}0\r\nX:`,
      ]),
    );
    fc.assert(
      fc.property(starts, fc.constantFrom(...'0aA =;:\t/"\\\xff'), (start, filler) => {
        const parser = newParser();
        parser.push(bytes(start));
        for (let pushed = 0; parser.next() !== 4; pushed++) {
          expect(parser.buffered).toBeLessThanOrEqual(mostBuffered(LIMITS));
          expect(pushed).toBeLessThan(100);
          parser.push(bytes(filler.repeat(1000)));
        }
        expect(parser.buffered).toBe(0);
      }),
    );
  });
});
