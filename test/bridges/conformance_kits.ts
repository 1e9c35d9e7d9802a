// The kits in which the table of conformance.ts is run, and the run itself; for all three runtimes.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Environ } from "../../src/esgi/environ.ts";
import { makeEnviron } from "../../src/esgi/testing.ts";
import { fromFetch, installLightGlobals } from "../../src/bridges/mod.ts";
import { type Case, CASES, type Kit } from "./conformance.ts";

export interface Outcome {
  readonly kind: Kit["kind"];
  readonly name: string;
  /** "" when it passed. */
  readonly error: string;
  /** The reason, when it was not run. */
  readonly skipped?: string;
}

const native = { Request, Response, Headers };
const runtime = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

type MakeRequest = Kit["request"];

// Through the bridge, as an application gets it.
const lightRequest: MakeRequest = (method, url, options = {}) => {
  let request: Request | undefined;
  const application = fromFetch((given: Request) => {
    request = given;
    return new Response();
  });
  const environ: Environ = makeEnviron({
    method,
    path: url,
    headers: options.headers ?? [],
    ...options.body === undefined ? {} : { body: options.body },
  });
  void application(environ, () => {});
  return request!;
};

const nativeRequest: MakeRequest = (method, url, options = {}) =>
  new native.Request(url, { method, headers: options.headers ?? [], body: options.body as BodyInit ?? null });

function makeKit(kind: Kit["kind"], echo: string): Kit {
  const { Request, Response, Headers, fetch } = globalThis;
  return {
    runtime,
    kind,
    Request,
    Response,
    Headers,
    fetch,
    native,
    echo,
    request: kind === "native" ? nativeRequest : lightRequest,
  };
}

function skipReason(kit: Kit, { skip = {} }: Case): string | undefined {
  return skip[kit.runtime] ?? skip[`${kit.runtime} ${kit.kind}`];
}

async function runCase(kit: Kit, one: Case): Promise<Outcome> {
  const skipped = skipReason(kit, one);
  if (skipped !== undefined) return { kind: kit.kind, name: one.name, error: "", skipped };
  try {
    await one.run(kit);
    return { kind: kit.kind, name: one.name, error: "" };
  } catch (error) {
    return { kind: kit.kind, name: one.name, error: (error as Error).stack ?? String(error) };
  }
}

function startEcho(): Promise<Server> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => body += chunk).on("end", () => {
      response.setHeader("x-echo", "yes").end(JSON.stringify({
        method: request.method,
        url: request.url,
        test: request.headers["x-test"],
        body,
      }));
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** Runs the table in each kit; the light classes are global only while theirs runs. */
export async function runConformance(): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const server = await startEcho();
  const echo = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const kind of ["native", "mixed", "light"] as const) {
    const undo = kind === "light" ? installLightGlobals() : () => {};
    const kit = makeKit(kind, echo);
    for (const one of CASES) {
      // Of mixed, the request alone is not native.
      if (kind === "mixed" && !one.name.startsWith("Request:")) continue;
      outcomes.push(await runCase(kit, one));
    }
    undo();
  }
  server.closeAllConnections?.();
  server.close();
  return outcomes;
}
