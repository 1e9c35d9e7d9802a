// `MODULE[:NAME]` -> the application in it. Each way in which that can fail has its own sentence, because "it does not
// load" is the first thing that a new user meets.

import { quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";
import { describeError } from "../observe/text.ts";
import { classify, type Loaded } from "./classify.ts";
import { type CommandHost, ModuleError } from "./host.ts";

/** The application could not be loaded; the command exits with 3 or 4. `message` is one line. */
export class LoadError extends Error {
  override readonly name = "LoadError";
  /** `boot`: the module is missing or throws (exit code 3); `application`: it has no application (4). */
  readonly stage: "boot" | "application";
  /** The stack, where it was the application's own code that threw; else null. `cause` is what it threw. */
  readonly detail: string | null;

  constructor(
    message: string,
    detail: string | null = null,
    stage: "boot" | "application" = "application",
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.stage = stage;
    this.detail = detail;
  }
}

/** The exports that are looked for when no NAME is given; the first that exists is meant. */
const NAMES: readonly string[] = ["application", "default", "app", "fetch"];

/**
 * Splits `MODULE[:NAME]`. NAME is an identifier, or several with dots between them; what follows the last colon and is
 * none belongs to MODULE, as in `C:\app.js`, `file:///srv/app.ts` or `npm:hono`.
 */
export function parseTarget(target: string): { readonly module: string; readonly name: string | null } {
  const match = /^(.+):([\p{ID_Start}$_][\p{ID_Continue}$]*(?:\.[\p{ID_Start}$_][\p{ID_Continue}$]*)*)$/u.exec(target);
  if (match === null || /^(?:npm|jsr|node|bun|file|https?|data)$/.test(match[1]!)) {
    return { module: target, name: null };
  }
  return { module: match[1]!, name: match[2]! };
}

/**
 * Imports the module, finds the export, calls it when it is a factory, and tells what it is (classify.ts).
 *
 * @throws {LoadError} for anything that goes wrong on the way.
 */
export async function loadApplication(target: string, factory: boolean, host: CommandHost): Promise<Loaded> {
  const { module, name } = parseTarget(target);
  const cannot = `cannot load ${quote(target)}`;
  if (target.endsWith(":")) throw new LoadError(`${cannot}: the name after ":" is missing; write ${module}NAME`);
  const exports = await importModule(module, cannot, host);
  const found = name === null ? findDefault(exports, module, cannot) : findNamed(exports, name, cannot);
  let { value } = found;
  const lastName = found.name.slice(found.name.lastIndexOf(".") + 1);
  if (factory) value = await callFactory(value, found.name, cannot);
  const loaded = classify(value, factory ? null : lastName);
  if (typeof loaded !== "string") return loaded;
  throw new LoadError(
    `${cannot}: ${factory ? `what ${quote(found.name)} returned` : `export ${quote(found.name)}`} ${loaded}`,
  );
}

/**
 * The exports of `module`; `cannot` begins the message of what goes wrong.
 *
 * @throws {LoadError}
 */
export async function importModule(
  module: string,
  cannot: string,
  host: CommandHost,
): Promise<Record<string, unknown>> {
  try {
    return await host.importModule(module);
  } catch (error) {
    if (error instanceof ModuleError) throw new LoadError(`${cannot}: ${error.message}`, null, "boot");
    throw new LoadError(`${cannot}: the module threw ${oneLine(error)}`, describeError(error), "boot", {
      cause: error,
    });
  }
}

export interface Found {
  readonly name: string;
  readonly value: unknown;
}

function findDefault(exports: Record<string, unknown>, module: string, cannot: string): Found {
  const name = NAMES.find((one) => exports[one] !== undefined);
  if (name !== undefined) return { name, value: exports[name] };
  const names = exportNames(exports);
  const remedy = names.length === 0
    ? "it exports nothing; add for example `export default`"
    : `it exports ${names.join(", ")}; name one: ${module}:${names[0]}`;
  throw new LoadError(
    `${cannot}: the module has no export ${NAMES.slice(0, -1).join(", ")} or ${NAMES.at(-1)}; ${remedy}`,
  );
}

/**
 * The export `name`, perhaps with dots. It is not null.
 *
 * @throws {LoadError} that names those that there are.
 */
export function findNamed(exports: Record<string, unknown>, name: string, cannot: string): Found {
  let value: unknown = exports;
  const path: string[] = [];
  for (const part of name.split(".")) {
    const owner = value as Record<string, unknown>;
    value = owner[part];
    if (value === undefined || value === null) {
      const names = path.length === 0 ? exportNames(exports) : Object.keys(owner);
      const whose = path.length === 0 ? "the module has no export" : `${quote(path.join("."))} has no property`;
      const list = names.length === 0 ? "it has none at all" : `it has ${names.slice(0, 20).join(", ")}`;
      throw new LoadError(`${cannot}: ${whose} ${quote(part)}${didYouMean(part, names) || ";"} ${list}`);
    }
    path.push(part);
  }
  return { name, value };
}

/** Without what CommonJS adds. */
function exportNames(exports: Record<string, unknown>): string[] {
  return Object.keys(exports).filter((name) => name !== "module.exports" && name !== "__esModule");
}

async function callFactory(factory: unknown, name: string, cannot: string): Promise<unknown> {
  if (typeof factory !== "function") {
    throw new LoadError(
      `${cannot}: --factory needs a function, but export ${quote(name)} is none; leave --factory out`,
    );
  }
  try {
    return await factory();
  } catch (error) {
    throw new LoadError(
      `${cannot}: the factory ${quote(name)} threw ${oneLine(error)}`,
      describeError(error),
      "application",
      { cause: error },
    );
  }
}

/** The line that says what was thrown, without its stack. */
export function oneLine(error: unknown): string {
  const lines = describeError(error).split("\n");
  // Node tells the place of a syntax error first.
  const message = error instanceof Error ? error.message.split("\n")[0]! : "";
  const line = lines.find((one) => one.includes(message)) ?? lines[0]!;
  return line.length > 300 ? `${line.slice(0, 300)}...` : line;
}
