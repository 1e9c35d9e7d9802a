// CGI (RFC 3875): the web server starts a process for each request, whose environment is the variables, and whose standard
// input is the body. One request; the response is SCGI's, which took it from here.

import { type Latin1, OneRequestReader, type Variable } from "./reader.ts";

/** The system limits an environment, and http1 the fields that are made of it. */
const NO_LIMITS = { size: Infinity, count: Infinity };

export class CgiReader extends OneRequestReader {
  protected override readonly protocol = "CGI";
  readonly #environment: readonly Variable[];

  /** @param environment all of it, each name once */
  constructor(environment: readonly Variable[], latin1: Latin1) {
    super(NO_LIMITS, latin1);
    this.#environment = environment;
  }

  /** The request is there from the start. */
  override get idle(): boolean {
    return this.over;
  }

  protected override readVariables(): readonly Variable[] {
    // What SCRIPT_NAME is whole has no PATH_INFO (§4.1.5); whatever is in the environment later counts.
    return [["PATH_INFO", ""], ...this.#environment];
  }
}
