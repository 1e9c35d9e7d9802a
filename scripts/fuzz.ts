// Throws mutated requests at the readers of HTTP/1.1, uwsgi, FastCGI, SCGI and PROXY headers: `node --import
// ./adapters/strip_types.js scripts/fuzz.ts [--seconds N] [--seed S] [--of http,uwsgi,...]`. Whatever the bytes: events or
// one fault, in bounded memory, the same however they are split; and what is accepted is what a second, slow reader made of
// regular expressions accepts. Prints the input and its seed when that is not so, and exits 1.

import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { Limits } from "../src/http1/parser.ts";
import { bytes, check, LIMITS, type Outcome, parse } from "../test/http1/feed.ts";
import { GATEWAYS } from "./fuzz/gateways.ts";
import {
  again,
  anotherByte,
  cut,
  less,
  type Mutation,
  pick,
  type Random,
  randomFrom,
  splice,
  type Subject,
} from "./fuzz/random.ts";

const TIGHT: Limits = { requestLine: 60, fields: 4, fieldSize: 40, head: 120, body: 20 };

const CORPUS = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\nCookie: a=b; c=d\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
  "\r\n\r\nHEAD http://[::1]:80/x HTTP/1.1\r\nHost: a\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
  "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a="b\\"c";d=e\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n',
  "GET /c HTTP/1.1\r\nHost: [v1.x]\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello",
  // CL.TE, TE.CL, TE.TE, CL.0, chunk lines.
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n4c\r\n0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

const WORDS = [
  ...["\r", "\n", "\r\n", "\r\n\r\n", "\0", " ", "\t", ":", ";", ",", '"', "\\", "=", "-", "+", "_", "0", "0x", "\x7f"],
  ...[
    "\x80",
    "\xa0",
    "\xff",
    "\v",
    "\f",
    "#",
    "%",
    "@",
    "[",
    "]",
    "/",
    "?",
    "*",
    "1",
    "9",
    "f",
    "A",
    "ffffffffffffffff",
  ],
  ...["9007199254740993", "chunked", "identity", "gzip", "close", "keep-alive", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0"],
  ...["Host: b\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "X:\r\n"],
  ...["Expect: 100-continue\r\n", "Trailer: X\r\n", " folded\r\n", "3\r\nabc\r\n", "0\r\n\r\n", "1;a=b\r\nx\r\n"],
];

const MUTATIONS: readonly Mutation[] = [
  anotherByte,
  // A word that means something, put in or put over.
  (text, random) => splice(text, random(text.length + 1), random(2) * random(8), pick(WORDS, random)),
  (text, random) => splice(text, seam(text, random), 0, pick(WORDS, random)),
  (text, random) => splice(text, seam(text, random), 0, pick([" ", "\t", "\r", "\n"], random)),
  less,
  (text, random) => splice(text, seam(text, random), 1 + random(2), ""),
  again,
  // Another case.
  (text, random) => {
    const at = random(text.length + 1);
    const part = text.slice(at, at + random(10));
    return splice(
      text,
      at,
      part.length,
      random(2) === 0 ? part.replace(/[a-z]/g, (letter) => letter.toUpperCase()) : part.toLowerCase(),
    );
  },
  // Two lines changed about.
  (text, random) => {
    const lines = text.split("\r\n");
    const [one, other] = [random(lines.length), random(lines.length)];
    [lines[one], lines[other]] = [lines[other]!, lines[one]!];
    return lines.join("\r\n");
  },
  // Half of another.
  (text, random) => text.slice(0, random(text.length + 1)) + pick(CORPUS, random).slice(random(40)),
  (text, random) => text + pick(CORPUS, random),
];

/** Where one element ends and another begins. */
function seam(text: string, random: Random): number {
  const seams = [...text.matchAll(/[\r\n :;,=/"]/g)].map((match) => match.index);
  return seams.length === 0 ? 0 : pick(seams, random) + random(2);
}

// The second reader. It knows no pieces and no speed, only whole texts.

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const HEAD = new RegExp(
  `^(?:\\r\\n)*(${TOKEN}) ([\\x21\\x22\\x24-\\x7e]+) HTTP/1\\.(\\d)\\r\\n((?:${TOKEN}:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*)\\r\\n`,
);
const FIELD = new RegExp(`(${TOKEN}):[\\t ]*(.*?)[\\t ]*\\r\\n`, "gs");
const QUOTED = '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const CHUNK = new RegExp(
  `([0-9A-Fa-f]+)(?:[\\t ]*;[\\t ]*${TOKEN}(?:[\\t ]*=[\\t ]*(?:${TOKEN}|${QUOTED}))?)*\\r\\n`,
  "y",
);
const TRAILERS = new RegExp(`(?:${TOKEN}:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n)*\\r\\n`, "y");
const REG_NAME = "(?:[A-Za-z0-9\\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})";
const AUTHORITY = new RegExp(`^(\\[[^\\]]*\\]|${REG_NAME}+)(?::(\\d*))?$`);
const FORBIDDEN =
  /^(?:transfer-encoding|content-.*|host|trailer|te|connection|keep-alive|proxy-.*|upgrade|expect|max-forwards|cache-control|pragma|range|if-.*|authorization|www-authenticate|cookie|set-cookie|forwarded|x-forwarded-.*|x-real-ip)$/i;

function isAuthority(text: string): boolean {
  const match = AUTHORITY.exec(text);
  if (match === null || Number(match[2] ?? 0) > 65_535) return false;
  const [, host] = match as unknown as [string, string];
  if (!host.startsWith("[")) return true;
  return /^\[v[0-9a-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+\]$/i.test(host) || URL.canParse(`http://${host}/`);
}

function isTarget(method: string, target: string): boolean {
  if (method === "CONNECT") return /:\d+$/.test(target) && isAuthority(target);
  if (target.startsWith("/")) return true;
  if (target === "*") return method === "OPTIONS";
  const authority = /^https?:\/\/([^/?]*)/i.exec(target)?.[1];
  return authority !== undefined && isAuthority(authority);
}

/** How long the message at the start of `text` is; 0 when there is none, or not all of it. */
export function lengthOfMessage(text: string): number {
  const head = HEAD.exec(text);
  if (head === null) return 0;
  const [all, method, target, minor, lines] = head as unknown as [string, string, string, string, string];
  if (!isTarget(method, target)) return 0;
  const values = (wanted: string): string[] =>
    [...lines.matchAll(FIELD)].filter(([, name]) => name!.toLowerCase() === wanted).map(([, , value]) => value!);
  const hosts = values("host");
  if (hosts.length > 1 || (hosts.length === 0 && minor !== "0")) return 0;
  if (hosts.length === 1 && (hosts[0] === "" ? target.startsWith("/") : !isAuthority(hosts[0]!))) return 0;
  if (values("content-type").length > 1) return 0;
  const expectations = values("expect").join(",").split(/[\t ]*,[\t ]*/).filter((member) => member !== "");
  if (expectations.some((member) => member.toLowerCase() !== "100-continue")) return 0;
  const lengths = values("content-length");
  const codings = values("transfer-encoding");
  if (codings.length > 0) {
    if (lengths.length > 0 || codings.length > 1 || minor === "0" || method === "TRACE") return 0;
    return codings[0]!.toLowerCase() === "chunked" ? lengthOfChunked(text, all.length) : 0;
  }
  if (lengths.length === 0) return all.length;
  if (lengths.length > 1 || !/^\d+$/.test(lengths[0]!)) return 0;
  const size = Number(lengths[0]);
  if (size > 0 && method === "TRACE") return 0;
  return all.length + size <= text.length ? all.length + size : 0;
}

function lengthOfChunked(text: string, at: number): number {
  for (;;) {
    CHUNK.lastIndex = at;
    const chunk = CHUNK.exec(text);
    if (chunk === null) return 0;
    at = CHUNK.lastIndex;
    const size = Number.parseInt(chunk[1]!, 16);
    if (size === 0) break;
    at += size + 2;
    if (text.slice(at - 2, at) !== "\r\n") return 0;
  }
  TRAILERS.lastIndex = at;
  const trailers = TRAILERS.exec(text)?.[0];
  if (trailers === undefined) return 0;
  for (const [, name] of trailers.matchAll(FIELD)) {
    // Content-MD5 and the like are no less legal for sounding like those that frame.
    if (FORBIDDEN.test(name!) && !/^content-(?!length|type|encoding|range)/i.test(name!)) return 0;
  }
  return TRAILERS.lastIndex;
}

/** How many whole messages `text` begins with, and whether the next one breaks off. */
function countMessages(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; count++) {
    const length = lengthOfMessage(text.slice(at));
    if (length === 0) return count;
    at += length;
  }
  return count;
}

// The invariants.

/** @throws {Error} that says which invariant `text` breaks. */
export function examine(text: string, random: Random): Outcome {
  const data = bytes(text);
  for (const limits of [TIGHT, LIMITS]) {
    const whole = JSON.stringify(parse([data], limits));
    const single = Array.from(data, (_, i) => data.subarray(i, i + 1));
    check(JSON.stringify(parse(single, limits)) === whole, "byte by byte is as whole");
    check(JSON.stringify(parse(cut(data, random), limits, true)) === whole, "cut anywhere is as whole");
  }
  const outcome = parse([data], LIMITS);
  const complete = outcome.requests.filter((request) => request.trailers !== null).length;
  const limited = outcome.refused !== null && /limit|long|can have/.test(outcome.refused.reason);
  const expected = countMessages(text);
  check(limited ? complete <= expected : complete === expected, `${expected} messages, not ${complete}`);
  return outcome;
}

const http: Subject = {
  name: "http",
  corpus: CORPUS,
  mutations: MUTATIONS,
  examine: (text, random) => examine(text, random).refused !== null,
};

export const SUBJECTS: readonly Subject[] = [http, ...GATEWAYS];

export interface FuzzResult {
  readonly runs: number;
  /** How many inputs were refused: neither none nor all of them, or the fuzzer tests one half only. */
  readonly refused: number;
  readonly failure: { readonly seed: number; readonly input: string; readonly error: unknown } | null;
}

/** Runs `seed`, `seed + 1`, ... while `more(runs)`. */
export function fuzz(subject: Subject, seed: number, more: (runs: number) => boolean): FuzzResult {
  let runs = 0;
  let refused = 0;
  for (; more(runs); runs++) {
    const random = randomFrom(seed + runs);
    let input = pick(subject.corpus, random);
    for (let i = random(3) * random(3); i >= 0; i--) {
      input = pick(subject.mutations, random)(input, random).slice(0, 20_000);
    }
    try {
      if (subject.examine(input, random)) refused++;
    } catch (error) {
      return { runs, refused, failure: { seed: seed + runs, input, error } };
    }
  }
  return { runs, refused, failure: null };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { seconds: text, seed: text, of: text } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
  const wanted = values.of?.split(",");
  const subjects = SUBJECTS.filter(({ name }) => wanted === undefined || wanted.includes(name));
  for (const subject of subjects) {
    const end = performance.now() + Number(values.seconds ?? 10) * 1000 / subjects.length;
    const { runs, refused, failure } = fuzz(subject, seed, () => performance.now() < end);
    console.log(`${subject.name}: ${runs} inputs from seed ${seed}, ${refused} of them refused`);
    if (failure === null) continue;
    console.log(`seed ${failure.seed}: ${JSON.stringify(failure.input)}\n${(failure.error as Error).stack}`);
    process.exitCode = 1;
  }
}
