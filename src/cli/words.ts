// The words of a command that is not `serve`, whose flags are its own and few: flags with or without a value, and the rest.

import { ConfigError, quote } from "../config/error.ts";
import { didYouMean } from "../config/nearest.ts";

/** The flags of a command: what each takes, by its long name without the dashes. `help` is always there. */
export type FlagSpec = Readonly<Record<string, { readonly takes: "nothing" | "value"; readonly short?: string }>>;

/** What was written: `true` for a flag that takes nothing. */
export type GivenFlags<S extends FlagSpec> =
  & { readonly [N in keyof S]: S[N]["takes"] extends "value" ? string | null : boolean }
  & { readonly help: boolean };

/**
 * Reads `words`: `--name`, `--name VALUE`, `--name=VALUE`, `-s`; after `--` nothing is a flag.
 *
 * @throws {ConfigError} for a flag that does not exist, with the nearest one, and for a value that is missing or too many.
 */
export function readWords<S extends FlagSpec>(
  command: string,
  words: readonly string[],
  spec: S,
): { readonly flags: GivenFlags<S>; readonly operands: readonly string[] } {
  const all: FlagSpec = { ...spec, help: { takes: "nothing", short: "h" } };
  const flags: Record<string, string | boolean | null> = {};
  for (const [name, { takes }] of Object.entries(all)) flags[name] = takes === "value" ? null : false;
  const operands: string[] = [];
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === "--") {
      operands.push(...queue);
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    const equals = word.indexOf("=");
    const shown = equals < 0 ? word : word.slice(0, equals);
    const name = Object.keys(all).find((one) => shown === `--${one}` || shown === `-${all[one]!.short}`);
    if (name === undefined) {
      const near = didYouMean(shown, Object.keys(all).map((one) => `--${one}`));
      throw new ConfigError(
        `${command}: unknown flag ${quote(shown)}${near || `; "tricorn ${command} --help" lists the flags`}`,
      );
    }
    if (all[name]!.takes === "nothing") {
      if (equals >= 0) {
        throw new ConfigError(`${command}: --${name} takes no value; leave ${quote(word.slice(equals))} out`);
      }
      flags[name] = true;
      continue;
    }
    const value = equals < 0 ? queue.shift() ?? "" : word.slice(equals + 1);
    if (value === "") throw new ConfigError(`${command}: --${name}: the value is missing`);
    flags[name] = value;
  }
  return { flags: flags as GivenFlags<S>, operands };
}
