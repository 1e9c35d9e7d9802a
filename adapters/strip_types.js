// Lets a Node without type stripping (20, and 22 before 22.18) run TypeScript: `node --import ./adapters/strip_types.js app.ts`.
// Plain JavaScript, because it is what makes TypeScript loadable. It only erases types, with the same library that Node
// itself ships (swc), so what runs here is what runs on a newer Node. On those it does nothing.
import { readFile } from "node:fs/promises";
import * as nodeModule from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

/** Not a literal where it is imported, or bundlers would want to have it. */
const LIBRARY = "@swc/wasm-typescript";

/** Why `.ts` files cannot be loaded here; null when they can. */
export let stripTypesProblem = null;

const native = "Deno" in globalThis || "Bun" in globalThis || Boolean(process.features.typescript);

if (isMainThread && !native) {
  try {
    import.meta.resolve(LIBRARY);
    nodeModule.register(import.meta.url);
  } catch {
    // Before 20.6 Node has neither of the two functions, whatever is installed.
    const remedy = nodeModule.register === undefined
      ? "use Node 22.18 or later (20.6 or later with @swc/wasm-typescript installed)"
      : "use Node 22.18 or later, install @swc/wasm-typescript beside tricorn (npm install @swc/wasm-typescript)";
    stripTypesProblem =
      `Node ${process.versions.node} does not load TypeScript by itself: ${remedy}, or compile it to JavaScript`;
  }
}

let swc;

/** Called in the loader's thread when it begins: by the time of the first file swc is there, or on its way. */
export async function initialize() {
  swc = (await import(LIBRARY)).default;
}

/** The hook of node:module's `register`: runs in the loader's thread. */
export async function load(url, context, nextLoad) {
  if (!/^file:.*\.m?ts$/.test(url.replace(/[?#].*$/, ""))) return nextLoad(url, context);
  const filename = fileURLToPath(url.replace(/[?#].*$/, ""));
  const source = await readFile(filename, "utf8");
  try {
    const { code } = swc.transformSync(source, { mode: "strip-only", filename });
    return { format: "module", source: code, shortCircuit: true };
  } catch (error) {
    throw syntaxError(error);
  }
}

/** swc throws a plain object, which nobody can show. This is what a Node that erases types itself throws. */
function syntaxError({ code, message, filename, startLine, startColumn, snippet }) {
  const error = Object.assign(new SyntaxError(message), { code, filename, startLine, startColumn });
  // The line before it comes first, where there is one.
  const line = snippet?.split("\n")[startLine > 1 ? 1 : 0];
  const marked = line === undefined ? "" : `${line}\n${" ".repeat(startColumn)}^\n`;
  error.stack = `${filename}:${startLine}\n${marked}\n${error.stack}`;
  return error;
}
