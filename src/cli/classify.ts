// What was given to be served: an ESGI application or a fetch handler? JavaScript does not say, so this is the rule; it is
// the same for `serve(app)` and for a module's export. What could be either is an error and never a guess, because a wrong
// guess would show only as a failing request.
//
// 1. An object or function with a method `fetch` is a fetch application (Hono, `export default { fetch }`).
// 2. A generator function is an ESGI application: only that protocol has bodies made by generators.
// 3. A function exported as `fetch` is a fetch handler.
// 4. A function exported as `application` is an ESGI application. One with exactly one parameter is refused, since it
//    cannot call startResponse.
// 5. Any other function: none or one declared parameter, a fetch handler `(request)`; two, an ESGI application
//    `(environ, startResponse)`, unless the first is called `req` or `request`; then it is refused.
//
// Three and more parameters (Express's `app(req, res, next)`), classes, promises and everything else are refused.

import type { FetchApplication } from "../bridges/mod.ts";
import type { Application } from "../esgi/application.ts";

export type Loaded =
  | { readonly kind: "esgi"; readonly application: Application }
  | { readonly kind: "fetch"; readonly application: FetchApplication };

const ESGI_HINT = 'export an ESGI application as "application"';
const FETCH_HINT = 'a fetch handler as "fetch" or as { fetch }';

/**
 * Tells by the rule above what `value` is; `exportName` is the name under which a module exports it, null when there is
 * none. The answer is a sentence's end ("is a string; export ...") when it is nothing that can be served.
 */
export function classify(value: unknown, exportName: string | null): Loaded | string {
  const given = unwrapCommonJs(value);
  if (typeof given !== "function" && (typeof given !== "object" || given === null)) {
    return `is ${describeType(given)}; ${ESGI_HINT}, ${FETCH_HINT}`;
  }
  const { fetch, then } = given as { fetch?: unknown; then?: unknown };
  if (typeof fetch === "function") {
    // Of a function with a method `fetch` it is the method that is meant, not the function.
    const application = given as FetchApplication & { fetch(...words: unknown[]): Response };
    return {
      kind: "fetch",
      application: typeof given === "object" ? application : { fetch: (...words) => application.fetch(...words) },
    };
  }
  if (typeof then === "function") {
    return "is a promise; await it before exporting, or export its function with --factory";
  }
  if (typeof given !== "function") {
    return `is ${describeType(given)} without a method "fetch"; ${ESGI_HINT}, ${FETCH_HINT}`;
  }
  const esgi: Loaded = { kind: "esgi", application: given as Application };
  const fetchHandler: Loaded = { kind: "fetch", application: given as FetchApplication };
  if (Object.prototype.toString.call(given).endsWith("GeneratorFunction]")) return esgi;
  const source = Function.prototype.toString.call(given);
  if (/^class\b/.test(source)) return `is a class; export an object made by it, or use --factory with a function`;
  const { length } = given;
  if (exportName === "fetch") return fetchHandler;
  if (length > 2) {
    return `is a function of ${length} parameters, perhaps of Express; an ESGI application takes (environ, startResponse), ` +
      "a fetch handler (request)";
  }
  if (exportName === "application") {
    if (length !== 1) return esgi;
    return "takes one parameter, but an ESGI application takes (environ, startResponse); export a fetch handler as " +
      '"fetch" or "default"';
  }
  if (length < 2) return fetchHandler;
  if (/^(?:async\s+)?(?:function\b[^(]*|[\w$]+\s*)?\(\s*req(?:uest)?\b/.test(source)) {
    return "takes a request and something else, so it may be a fetch handler or a listener of node:http; export a fetch " +
      'handler as "fetch", or call an ESGI application\'s parameters (environ, startResponse)';
  }
  return esgi;
}

/** What a compiler makes of `export default` for `require`: `{ __esModule: true, default: app }`. */
function unwrapCommonJs(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("__esModule" in value) || !("default" in value)) return value;
  return value.default;
}

function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return `a ${typeof value}`;
}
