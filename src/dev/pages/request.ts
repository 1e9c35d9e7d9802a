// What a page shows of a request, without its secrets. Plain data, ready to be shown.

import type { Environ } from "../../esgi/environ.ts";
import { HIDDEN, hideInText, isSecret, show } from "../secrets.ts";

/** A name and what it stands for, as text. */
export type Row = readonly [name: string, value: string];

/** A request, for a page. */
export interface RequestInfo {
  readonly method: string;
  /** As its client sees it; secret parameters hidden. */
  readonly url: string;
  readonly path: string;
  readonly query: readonly Row[];
  readonly headers: readonly Row[];
  /** Names alone. */
  readonly cookies: readonly string[];
  /** What else the environ has. */
  readonly environ: readonly Row[];
}

/** Those of the environ that the other parts of the page say. */
const SAID =
  /^(?:HTTP_.*|REQUEST_METHOD|QUERY_STRING|CONTENT_TYPE|CONTENT_LENGTH|esgi\.headers|esgi\.target|tricorn\.debug_pages)$/;

/** Describes the request of `environ`. */
export function describeRequest(environ: Environ): RequestInfo {
  const path = `${environ.SCRIPT_NAME}${environ.PATH_INFO}`;
  const host = environ.HTTP_HOST ?? environ.SERVER_NAME;
  const target = environ["esgi.target"].startsWith("/") ? environ["esgi.target"] : path;
  return {
    method: environ.REQUEST_METHOD,
    url: hideInText(`${environ["esgi.url_scheme"]}://${host}${target}`),
    path,
    query: parameters(environ.QUERY_STRING),
    headers: environ["esgi.headers"].map(([name, value]) => [name, show(name, value)]),
    cookies: cookieNames(environ.HTTP_COOKIE),
    environ: Object.keys(environ).sort().flatMap((key) => {
      const property = Object.getOwnPropertyDescriptor(environ, key)!;
      // Accessors are not called: `esgi.signal` would make what nobody needs.
      return SAID.test(key) || property.get !== undefined ? [] : [[key, show(key, property.value)] as const];
    }),
  };
}

function parameters(query: string): Row[] {
  return [...new URLSearchParams(query)].map(([name, value]) => [name, isSecret(name) ? HIDDEN : show("", value)]);
}

function cookieNames(field: string | undefined): string[] {
  return (field ?? "").split(";").map((pair) => pair.split("=")[0]!.trim()).filter((name) => name !== "");
}

/** The values of `settings` by name, without secrets. */
export function describeSettings(settings: object): Row[] {
  return Object.keys(settings).sort().map((name) => [name, show(name, (settings as Record<string, unknown>)[name])]);
}
