// How many connections a limit of open files leaves room for. Real limits are test/runtimes/limits.test.ts's.

import { expect, test } from "vitest";
import { possibleConnections } from "../../src/cli/open_files.ts";
import { resolveSettings } from "../../src/config/settings.ts";
import { FakeHost } from "./fake.ts";

function possible(limit: number | null, worker_connections: number): ReturnType<typeof possibleConnections> {
  const host = new FakeHost();
  host.openFiles = limit;
  return possibleConnections(resolveSettings({ worker_connections }), host);
}

test.each([[null, 10_000], [20_000, 10_000], [1024, 896], [300, 100], [64, 32], [64, 0]])(
  "with a limit of %j there is room for worker_connections: %i",
  (limit, wanted) => {
    expect(possible(limit, wanted)).toEqual({ worker_connections: wanted, notice: null });
  },
);

test.each([[4096, 3968], [1024, 896], [256, 128], [64, 32]])(
  "with a limit of %i ten thousand connections become %i, and the operator is told",
  (limit, worker_connections) => {
    const message =
      `worker_connections is 10000, more than the limit of ${limit} open files allows: ${worker_connections} ` +
      "connections are accepted; raise the limit (ulimit -n, LimitNOFILE=), or lower worker_connections";
    expect(possible(limit, 10_000)).toEqual({ worker_connections, notice: { level: "info", message } });
  },
);

test("it is a warning where the number is the operator's own", () => {
  expect(possible(1024, 5000)).toMatchObject({ worker_connections: 896, notice: { level: "warning" } });
});
