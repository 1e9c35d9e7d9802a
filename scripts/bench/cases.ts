// The table of cases: what is requested, and what every server must answer. No sockets here.
import { BIG, DATA, type Handler, HELLO } from "./apps/content.ts";

export interface Case {
  readonly name: string;
  readonly title: string;
  /** What the server's application does. */
  readonly handler: Handler;
  readonly method: "GET" | "POST";
  readonly target: string;
  /** Beside Host and Content-Length. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** How many requests are sent before the first response is read. */
  readonly pipeline: number;
  /** The body that must come back. */
  readonly expected: string;
}

// What Chrome sends to a page on its own host.
const BROWSER: Case["headers"] = [
  ["Connection", "keep-alive"],
  ["Cache-Control", "max-age=0"],
  ["sec-ch-ua", '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'],
  ["sec-ch-ua-mobile", "?0"],
  ["sec-ch-ua-platform", '"Linux"'],
  ["Upgrade-Insecure-Requests", "1"],
  [
    "User-Agent",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  ],
  ["Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"],
  ["Sec-Fetch-Site", "same-origin"],
  ["Sec-Fetch-Mode", "navigate"],
  ["Sec-Fetch-User", "?1"],
  ["Sec-Fetch-Dest", "document"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
  ["Accept-Language", "en-GB,en;q=0.9,de;q=0.8"],
  ["Cookie", "session=4f1c0a9d27e84b5f9a6d; theme=dark"],
];

const hello = {
  title: "hello",
  handler: "hello",
  method: "GET",
  target: "/",
  headers: [],
  body: "",
  pipeline: 1,
  expected: HELLO,
} as const;

export const CASES: readonly Case[] = [
  { ...hello, name: "hello", title: `GET "${HELLO}"` },
  {
    ...hello,
    name: "headers",
    title: "the same with 15 request headers",
    headers: BROWSER,
  },
  {
    ...hello,
    name: "json",
    title: "GET 1 KiB of JSON",
    handler: "json",
    target: "/json",
    expected: JSON.stringify(DATA),
  },
  {
    ...hello,
    name: "echo",
    title: "POST 1 KiB, echoed",
    handler: "echo",
    method: "POST",
    target: "/echo",
    headers: [["Content-Type", "application/octet-stream"]],
    body: "x".repeat(1024),
    expected: "x".repeat(1024),
  },
  {
    ...hello,
    name: "big",
    title: "GET 100 KiB",
    handler: "big",
    target: "/big",
    expected: "a".repeat(BIG.length),
  },
  {
    ...hello,
    name: "pipeline",
    title: "hello, 16 requests pipelined",
    pipeline: 16,
  },
  { ...hello, name: "hono", title: `Hono: GET "${HELLO}"`, handler: "hono" },
  {
    ...hello,
    name: "hono-param",
    title: "Hono: GET /user/:id?q= as JSON",
    handler: "hono",
    target: "/user/42?q=search",
    expected: JSON.stringify({ id: "42", q: "search" }),
  },
  {
    ...hello,
    name: "handler",
    title: `tricorn/handler: GET "${HELLO}" through 5 middlewares, of 100 routes`,
    handler: "site",
    target: "/hello/",
  },
  {
    ...hello,
    name: "routes",
    title: `tricorn/handler: GET "${HELLO}", the last of 1,000 routes`,
    handler: "routes-1000",
    target: "/hello/42/",
  },
];

/** The name by which idle connections are asked for, among the cases. */
export const IDLE = "idle";

/** The name by which masters and workers are asked for, among the cases. */
export const WORKERS = "workers";

/** The name by which ways through nginx are asked for, among the cases. */
export const GATEWAY = "gateway";

/** One request of `case_` as wrk sends it, but for the order of its headers. */
export function requestText(case_: Case, port: number): string {
  const length: Case["headers"] = case_.body === "" ? [] : [["Content-Length", String(case_.body.length)]];
  const headers = [["Host", `127.0.0.1:${port}`], ...length, ...case_.headers];
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join(
    "",
  );
  return `${case_.method} ${case_.target} HTTP/1.1\r\n${lines}\r\n${case_.body}`;
}
