// The parts of the benchmark that only calculate.
import { describe, expect, test } from "vitest";
import { BIG, DATA } from "../../../scripts/bench/apps/content.ts";
import { type Case, CASES, requestText } from "../../../scripts/bench/cases.ts";
import { parseCpuList } from "../../../scripts/bench/cores.ts";
import { problemOf, readReply } from "../../../scripts/bench/exchange.ts";
import type { GatewayBlock, GatewayResult, GatewaySlice } from "../../../scripts/bench/gateway/block.ts";
import { gatewayOutcomes, gatewayTable } from "../../../scripts/bench/gateway/report.ts";
import { nginxServer, WAYS } from "../../../scripts/bench/gateway/ways.ts";
import { goalOf, judge } from "../../../scripts/bench/goals.ts";
import type { Block } from "../../../scripts/bench/measure.ts";
import { parseOptions, UsageError } from "../../../scripts/bench/options.ts";
import { blockTable, goalsSummary, idleOutcomes, outcomesOf, toJson } from "../../../scripts/bench/report.ts";
import type { RuntimeBinary } from "../../../scripts/bench/runtimes.ts";
import { type ServerId, SERVERS } from "../../../scripts/bench/servers.ts";
import { compare, median, pairRatios } from "../../../scripts/bench/statistics.ts";
import { formatTable } from "../../../scripts/bench/table.ts";
import { type Sample, sharesOf, unevenness } from "../../../scripts/bench/workers/balance.ts";
import { type WorkersBlock, workersTurns } from "../../../scripts/bench/workers/block.ts";
import { ceiling, workersOutcomes, workersTables } from "../../../scripts/bench/workers/report.ts";
import { POOL_CASES } from "../../../scripts/bench/workers/scaling.ts";
import { luaScript, parseWrk } from "../../../scripts/bench/wrk.ts";

const caseOf = (name: string): Case => CASES.find((case_) => case_.name === name)!;

const REPORT = `Running 5s test @ http://127.0.0.1:8555/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   337.33us    0.98ms  12.46ms   95.39%
    Req/Sec    56.22k    31.86k   89.01k    66.67%
  16699 requests in 299.91ms, 1.97MB read
Requests/sec:  55680.04
Transfer/sec:      6.58MB
`;

describe("parseWrk", () => {
  test("reads requests and their rate", () => {
    expect(parseWrk(REPORT)).toEqual({ requests: 16699, rps: 55680.04, problem: null });
  });

  test("tells of socket errors and of statuses", () => {
    const report = REPORT.replace(
      "Requests/sec",
      "  Socket errors: connect 0, read 3, write 0, timeout 1\n  Non-2xx or 3xx responses: 12\nRequests/sec",
    );
    expect(parseWrk(report)?.problem).toBe(
      "socket errors: connect 0, read 3, write 0, timeout 1; 12 responses without 2xx or 3xx",
    );
  });

  test("is null for anything else", () => {
    expect(parseWrk("unable to connect to 127.0.0.1:8556 Connection refused\n")).toBeNull();
  });
});

test("luaScript asks for what the case is, pipelined where it is", () => {
  const echo = luaScript(caseOf("echo"));
  expect(echo).toContain('wrk.method = "POST"\nwrk.path = "/echo"\n');
  expect(echo).toContain(`wrk.body = "${"x".repeat(1024)}"`);
  expect(echo).not.toContain("request =");
  expect(luaScript(caseOf("headers"))).toContain('wrk.headers["sec-ch-ua-mobile"] = "?0"');
  expect(luaScript(caseOf("pipeline"))).toContain("string.rep(wrk.format(), 16)");
});

test("the cases have the sizes in their titles", () => {
  expect(JSON.stringify(DATA).length).toBe(1024);
  expect(BIG.length).toBe(100 * 1024);
  expect(caseOf("headers").headers.length).toBe(15);
  expect(requestText(caseOf("echo"), 80)).toMatch(
    /^POST \/echo HTTP\/1.1\r\nHost: 127.0.0.1:80\r\nContent-Length: 1024\r\nContent-Type: .*\r\n\r\nx{1024}$/,
  );
});

describe("statistics", () => {
  test("median: the middle one, or between the two middle ones", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  test("pairRatios are made round by round, so that a slow round changes nothing", () => {
    expect(pairRatios([150, 15, 300], [100, 10, 200])).toEqual({ median: 1.5, min: 1.5, max: 1.5 });
    expect(pairRatios([1, 2, 3], [1, 1])).toEqual({ median: 1.5, min: 1, max: 2 });
    expect(pairRatios([1], [])).toBeNull();
    expect(pairRatios([1], [0])).toBeNull();
  });

  test("compare: more than 1 is better, in requests and in CPU time", () => {
    const { rps, cpu } = compare([{ rps: 200, cpu: 5, busy: 1 }], [{ rps: 100, cpu: 15, busy: 1 }]);
    expect(rps?.median).toBe(2);
    expect(cpu?.median).toBe(3);
  });
});

test("a goal is judged by what is printed", () => {
  expect(goalOf("node", "hello", "node:http")).toBe(1.5);
  expect(goalOf("bun", "hello", "raw")).toBeNull();
  expect(judge(1.4951, 1.5)).toBe("met");
  expect(judge(1.494, 1.5)).toBe("missed");
});

describe("formatTable", () => {
  const columns = [{ title: "server", align: "left" }, { title: "n", align: "right" }] as const;

  test("aligns for a terminal", () => {
    expect(formatTable(columns, [["a", "12,345"], ["longer one"]], false)).toBe(
      "server           n\n----------  ------\na           12,345\nlonger one\n",
    );
  });

  test("writes Markdown", () => {
    expect(formatTable(columns, [["a|b", "1"]], true)).toBe("| server |   n |\n| ------ | --: |\n| a\\|b   |   1 |\n");
  });
});

const runtime: RuntimeBinary = { name: "node", key: "node20", version: "Node 20.0.0", command: ["node"] };
const result = (id: ServerId, rps: number[], cpu: number, problem: string | null = null) => ({
  server: SERVERS.find((server) => server.id === id && server.runtimes.includes("node"))!,
  slices: rps.map((rps) => ({ rps, cpu, busy: 1 })),
  problem,
});
const block: Block = {
  case_: caseOf("hello"),
  runtime,
  results: [
    result("tricorn", [90_000, 91_000, 92_000], 10),
    result("node:http", [60_000, 61_000, 62_000], 14),
    result("fastify", [], NaN, "status 404: not found"),
    result("raw", [100_000, 100_000, 100_000], 9),
  ],
};

describe("the report", () => {
  test("puts ratios, goals and what became of them beside each other", () => {
    const lines = blockTable(block, false).split("\n");
    expect(lines[1]).toBe('hello on Node 20.0.0: GET "Hello, World!"');
    expect(lines[4]).toMatch(/^Tricorn +91,000 +10\.00 +100 %$/);
    expect(lines[5]).toMatch(
      /^node:http +61,000 +14\.00 +100 % +1\.49 \(1\.48-1\.50\) +1\.40 \(1\.40-1\.40\) +>= 1\.5 +missed$/,
    );
    expect(lines[6]).toMatch(/^Fastify .* failed: status 404: not found$/);
    expect(lines[7]).toMatch(/^raw.* 0\.91 \(0\.90-0\.92\) +0\.90 \(0\.90-0\.90\) +>= 0\.85 +met$/);
  });

  test("ends with the goals that are not met", () => {
    expect(goalsSummary(outcomesOf(block), false)).toBe(
      "\n1 of 2 goals met; not met, or only in part\n" +
        "  node20 hello / node:http: req/s 1.49 missed, CPU 1.40 missed (goal 1.5)\n",
    );
    expect(goalsSummary([], false)).toBe("");
  });

  test("compares memory with the own server's", () => {
    const idle = (id: ServerId, perConnection: number[]) => ({
      server: result(id, [], 0).server,
      perConnection,
      before: [1],
      problem: null,
    });
    const verdictsOf = (tricorn: number[]) =>
      idleOutcomes({ runtime, connections: 10, results: [idle("tricorn", tricorn), idle("node:http", [4])] })
        .map(({ verdicts }) => verdicts);
    expect(verdictsOf([3.9])).toEqual([{ memory: "met" }]);
    expect(verdictsOf([8])).toEqual([{ memory: "missed" }]);
    expect(verdictsOf([-1])).toEqual([{ memory: "met" }]);
    expect(verdictsOf([])).toEqual([{ memory: null }]);
  });

  test("has all figures as JSON", () => {
    const json = JSON.parse(toJson({ commit: "abc" }, [block], [], []));
    expect(json.commit).toBe("abc");
    expect(json.cases[0].servers[1]).toMatchObject({ server: "node:http", rps: 61_000, cpuMicros: 14 });
    expect(json.cases[0].servers[2]).toMatchObject({ server: "fastify", problem: "status 404: not found", rps: null });
    expect(json.goals).toHaveLength(2);
  });
});

describe("masters and workers", () => {
  const sample = (at: number, connections: number[], requests: number[], pids = [7, 8]): Sample => ({
    at,
    pids,
    connections,
    requests,
  });
  const samples = [
    sample(0, [0, 0], [5, 5]),
    sample(0.3, [40, 0], [5, 5]),
    sample(0.6, [70, 30], [50, 20]),
    sample(1, [60, 40], [95, 45]),
    sample(3.1, [52, 48], [205, 125]),
    sample(6, [0, 0], [305, 235]),
  ];

  test("sharesOf takes connections when nearly all are told of, and again when they have settled", () => {
    expect(sharesOf(samples, "keep-alive", 3)).toEqual({
      connections: { first: [70, 30], settled: [52, 48] },
      requests: { first: [200, 120], settled: [100, 110] },
    });
    expect(sharesOf(samples, "one-shot", 1).connections).toBeNull();
    expect(sharesOf(samples, "one-shot", 1).requests.first).toEqual([90, 40]);
  });

  test("sharesOf refuses what it could only misread", () => {
    expect(() => sharesOf([...samples, sample(7, [0, 0], [0, 0], [7, 9])], "keep-alive", 3)).toThrow("was replaced");
    expect(() => sharesOf([samples[0]!, samples[1]!, samples[5]!], "keep-alive", 3)).toThrow("never told");
  });

  test("unevenness: the busiest worker's share over a fair one", () => {
    expect(unevenness([50, 50])).toBe(1);
    expect(unevenness([75, 25])).toBe(1.5);
    expect(unevenness([100, 0, 0, 0])).toBe(4);
  });

  test("the ceiling: no process has two cores, and wrk takes its part where it shares them", () => {
    const cost = { cpu: 200, load: 50 };
    expect(ceiling({ workers: 0, ...cost }, { cores: 2, shared: true })).toBe(5_000);
    expect(ceiling({ workers: 2, ...cost }, { cores: 2, shared: true })).toBe(8_000);
    expect(ceiling({ workers: 2, ...cost }, { cores: 2, shared: false })).toBe(10_000);
    expect(ceiling({ workers: 2, cpu: 10, load: 20 }, { cores: 2, shared: false })).toBe(50_000);
  });

  const pool = (workers: 0 | 1 | 2, rps: number[], cpu: number) => ({
    workers,
    slices: rps.map((rps) => ({ rps, cpu, busy: rps * cpu / 1e6, load: 20 })),
  });
  const workersBlock = (percent: number): WorkersBlock => ({
    runtime,
    pins: { server: [], load: [], cores: 2, shared: true, described: "pool and wrk share 2 cores" },
    scaling: {
      problem: null,
      figures: [{
        case_: POOL_CASES[1]!,
        results: [pool(0, [5000, 5100], 190), pool(1, [4000, 5000], 200), pool(2, [7600, 9000], 210)],
      }],
    },
    balance: { problem: null, figures: [{ workers: 2, kind: "keep-alive", ...sharesOf(samples, "keep-alive", 3) }] },
    master: {
      problem: null,
      figures: {
        seconds: 10,
        percent: { master: percent, workers: 0.4 },
        memory: { master: 61_000, workers: [70_000] },
      },
    },
  });

  test("their tables", () => {
    const lines = workersTables(workersBlock(0.2), false).split("\n").map((line) => line.trim().replaceAll(/ +/g, " "));
    expect(lines).toContain(
      'workers on Node 20.0.0: busy, GET "Hello, World!" after about 200 us of JavaScript; pool and wrk share 2 cores',
    );
    expect(lines).toContain("master, 1 worker 4,500 200.00 20.00 0.90 + 0.09");
    expect(lines).toContain("master, 2 workers 8,300 210.00 20.00 1.74 + 0.17 1.85 (1.80-1.90) 1.93 1.05 (1.05-1.05)");
    expect(lines).toContain("2 keep-alive 70 + 30 (1.40) 52 + 48 (1.04) 63 + 38 (1.25) 52 + 48 (1.05)");
    expect(lines).toContain("master 0.20 61 <= 1 % met");
  });

  test("a part that failed says why, and the others stay", () => {
    const block = { ...workersBlock(0.2), scaling: { problem: "status 500: oh", figures: null } };
    const text = workersTables(block, false);
    expect(text).toContain("failed: status 500: oh\n");
    expect(text).toContain("70 + 30");
    const { workers } = JSON.parse(toJson({}, [], [], [block]));
    expect(workers[0]).toMatchObject({ runtime: "node20", problems: ["status 500: oh"], idle: { seconds: 10 } });
  });

  test("the idle master is judged by what it takes of a core", () => {
    const verdict = (percent: number) => workersOutcomes(workersBlock(percent))[0]!.verdicts.CPU;
    expect(verdict(0)).toBe("met");
    expect(verdict(1)).toBe("met");
    expect(verdict(1.1)).toBe("missed");
    expect(goalsSummary(workersOutcomes(workersBlock(2)), false)).toContain(
      "node20 workers / 1 % of a core for an idle master: CPU 0.50 missed (goal 1)",
    );
  });

  test("all figures of a pool are in the JSON", () => {
    const { workers, goals } = JSON.parse(toJson({}, [], [], [workersBlock(0.2)]));
    expect(workers[0].scaling[0].pools[2]).toMatchObject({ workers: 2, rps: 8300, ratios: { rps: { max: 1.9 } } });
    expect(workers[0].balance[0].connections.first).toEqual([70, 30]);
    expect(goals).toHaveLength(1);
  });

  test("the turns are counted: two cases with three pools, two pools with two kinds of clients, and idleness", () => {
    expect(workersTurns({ rounds: 1, warmUp: false })).toBe(6 + 4 + 1);
    expect(workersTurns({ rounds: 5, warmUp: true })).toBe(36 + 12 + 1);
  });
});

describe("checking responses", () => {
  const reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

  test("reads one with Content-Length, when all of it is there", () => {
    expect(readReply(reply + "HTTP")).toEqual({ status: 200, body: "hello", length: reply.length });
    for (let length = 0; length < reply.length; length++) expect(readReply(reply.slice(0, length))).toBeNull();
  });

  test("reads a chunked one", () => {
    const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhell\r\n1\r\no\r\n0\r\n\r\n";
    expect(readReply(chunked)).toEqual({ status: 200, body: "hello", length: chunked.length });
    for (let length = 0; length < chunked.length; length++) expect(readReply(chunked.slice(0, length))).toBeNull();
  });

  test("has a word for what is wrong", () => {
    const right = { status: 200, body: "hello", length: 1 };
    expect(problemOf([right, right], "hello", 2)).toBeNull();
    expect(problemOf([right], "hello", 2)).toBe("1 responses to 2 requests");
    expect(problemOf([{ ...right, status: 500, body: "oh" }], "hello", 1)).toBe("status 500: oh");
    expect(problemOf([{ ...right, body: "hell" }], "hello", 1)).toBe('wrong body: "hell" (4 bytes)');
  });
});

describe("the ways from nginx", () => {
  const slices = (rps: number, cpu: number): GatewaySlice[] =>
    [0, 1, 2].map(() => ({ rps, cpu, front: 20, busy: 0.5 }));
  const results = WAYS.map((way): GatewayResult => ({
    way,
    baseline: false,
    slices: way.protocol === "uwsgi" ? slices(100, 30) : slices(way.kept ? 200 : 80, way.kept ? 5 : 40),
    problem: null,
  }));
  const block: GatewayBlock = {
    case_: caseOf("hello"),
    runtime: { name: "node", key: "node24", version: "Node 24", command: [] },
    results,
  };

  test("are compared with uwsgi over the same kind of socket, CPU time with that of nginx", () => {
    const [uwsgi, http, kept] = gatewayTable(block, false).split("\n").slice(4).map((line) =>
      line.replaceAll(/ +/g, " ")
    );
    expect(uwsgi).toBe("uwsgi_pass, tcp 100 30.0 20.0 50 %");
    expect(http).toBe("proxy_pass, tcp 80 40.0 20.0 50 % 1.25 (1.25-1.25) 1.20 (1.20-1.20) >= 1 req/s met, CPU met");
    expect(kept).toBe("proxy_pass, tcp, keepalive 200 5.0 20.0 50 % 0.50 (0.50-0.50) 0.50 (0.50-0.50)");
  });

  test("have a goal where most have it: HTTP whose connections are not kept", () => {
    expect(gatewayOutcomes(block).map(({ against, verdicts }) => [against, verdicts])).toEqual([
      ["http-tcp", { "req/s": "met", CPU: "met" }],
      ["http-unix", { "req/s": "met", CPU: "met" }],
    ]);
  });

  test("each has a server of nginx", () => {
    for (const way of WAYS) {
      const text = nginxServer(way, 8080, "127.0.0.1:9");
      expect(text).toContain("server 127.0.0.1:9;");
      expect(text.includes("keepalive 64;")).toBe(way.kept);
      expect(text).toContain(`${way.protocol === "http" ? "proxy" : way.protocol}_pass `);
    }
  });
});

test("parseCpuList reads the kernel's ranges", () => {
  expect(parseCpuList("0-2,5")).toEqual([0, 1, 2, 5]);
  expect(parseCpuList("7")).toEqual([7]);
});

describe("options", () => {
  test("have defaults", () => {
    expect(parseOptions([])).toMatchObject({ rounds: 5, seconds: 2, connections: 64, idle: 5000, runtimes: null });
    expect(parseOptions(["--smoke"])).toMatchObject({ rounds: 1, seconds: 0.3, idle: 100 });
    expect(parseOptions(["--only", "Own,node:http"]).only).toEqual(["own", "node:http"]);
    expect(parseOptions(["--idle", "0"]).cases).not.toContain("idle");
  });

  test.each([
    [["--case", "hello"], "Unknown option '--case'"],
    [["--cases", "helo"], 'there is no case "helo": hello, headers,'],
    [["--only", "express"], 'there is no server "express": tricorn,'],
    [["--rounds", "many"], '--rounds: "many" is not a number from 1'],
    [["--seconds", "0"], '--seconds: "0" is not a number from 0.1'],
  ])("refuse %j in one line", (words, message) => {
    expect(() => parseOptions(words)).toThrow(UsageError);
    expect(() => parseOptions(words)).toThrow(message);
    expect(() => parseOptions(words)).not.toThrow("\n");
  });
});
